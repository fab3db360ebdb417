"""Files, numbers and names that try to run code, or to take all memory and time.

Every payload would leave a canary if any of it ran: a file in a folder that only this
module knows, or a name in `builtins`.  `python tests/adversary/security.py` says how
many were refused, and within how many seconds of processor time the slowest was.
"""

from __future__ import annotations

import builtins
import json
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from io import BytesIO, StringIO
from pathlib import Path

import numpy as np
import sympy

import symflow as sf
from symflow.cli.main import main

#: Processor seconds that a refusal may take.
SECONDS = 5.0

#: What `load` is told that a file may hold, in bytes.
LIMIT = 1 << 22

FOLDER = Path(tempfile.mkdtemp())
CANARY = FOLDER / "canary"
CODE = f"open({str(CANARY)!r},'w').close() or setattr(__import__('builtins'),'ran',1)"

#: Heads whose arguments SymPy would read as code, and shapes in which text hides.
HEADS = (
    *("Tuple", "ImmutableDenseMatrix", "Add", "Mul", "Dict", "FiniteSet", "Lambda"),
    *("Sum", "Integer", "Rational", "Float", "exp", "MatrixSymbol", "Symbol", "Str"),
    *("Pow", "sympify", "lambdify", "Function", "parse_expr", "S", "Matrix"),
    *("ImmutableDenseNDimArray", "Piecewise", "Max", "eval", "exec", "__import__"),
)
SHAPES = ("({0!r})", "(({0!r},))", "([{0!r}])", "([[{0!r}]])", "({{{0!r}: 1}})")
TEXTS = (
    CODE,
    f"({CODE})",
    f"Symbol({CODE!r}).func({CODE!r})",
    f"(lambda: {CODE})()",
    f"[{CODE} for _ in (1,)]",
    f"Add(*[{CODE!r}])",
    f"Symbol('x', real={CODE})",
    f"Symbol(name={CODE!r})",
    f"Tuple(1).func({CODE!r})",
    f"MatrixSymbol(Str({CODE!r}), 1, 1)",
    f"Float({CODE!r}, precision=53)",
    f"f'{{{CODE}}}'",
    f"Integer(1) if {CODE} else 1",
)
LARGE = (
    *("9**9**9", "factorial(10**9)", "0.1**99999999999", "exp(exp(exp(100)))"),
    *("1e3000000000", "(2*3)**10**9", "sqrt(2)**10**9", "E**(10**9)"),
    *("2**(1/10**4000)", "Float('1e99999999', precision=9)"),
    *("sqrt(10**4000+7)", "gamma(10**8)", "9" * 5000, "(" * 999 + "1" + ")" * 999),
    "Pow(Integer(9), Pow(Integer(9), Integer(9)))",
)
NAMES = (
    *("a'b", 'a"""b', "a*/b", "a\nb", "a\\", "a b", "", "1a", "_function", "__class__"),
    *(f"x:={CODE}", "x)\n    import os", "ﬁ", "h" * 101, "a;b", "a#b"),
)


def texts() -> Iterator[str]:
    """Yield every text that is no number and no expression."""
    yield from TEXTS
    for head in HEADS:
        for shape in SHAPES:
            yield head + shape.format(CODE)


def files() -> Iterator[Path]:
    """Yield files that `load` has to refuse."""
    loss = sf.save(sf.SquaredLoss(l2="1/10"), FOLDER / "loss.json")
    whole = json.loads(loss.read_text(encoding="utf-8"))
    number = [{"sympy": text} for text in (*texts(), *LARGE)]
    number += [{"fraction": text} for text in ("1e3000000000", "1_0", " 1", CODE)]
    number += [
        {"class": name, "fields": {}}
        for name in ("Path", "Popen", "os.system", "Leaf", "Theorem", "__import__")
    ]
    number += [
        {"member": "__class__", "of": "Status"},
        {"array": "missing"},
        {"numbers": ["1"], "shape": [1], "type": "O"},
        {"numbers": [CODE], "shape": [1], "type": "<i8"},
        {"numbers": ["1"], "shape": [-1], "type": "<i8"},
        {"entries": [], "shape": [1 << 40]},
        {"mpf": [0, "1", 1 << 60, 1], "bits": 53},
        {"mpf": [0, "1", 0, 1], "bits": 1 << 60},
        {"mpmath": 1 << 60},
        {"unknown": 1},
        [[[]]],
        {"class": "Dense", "fields": {"inputs": CODE, "outputs": 1}},
        {"class": "SquaredLoss", "fields": {"reduction": CODE}},
        {"class": "GradientFlow", "fields": {"network": CODE, "loss": CODE}},
        {"class": "Network", "fields": {"layers": {"tuple": [CODE]}}},
    ]
    for count, value in enumerate(number):
        whole["object"]["fields"]["l2"] = value
        path = FOLDER / f"{count}.json"
        path.write_text(json.dumps(whole), encoding="utf-8")
        yield path
    (FOLDER / "deep.json").write_text("[" * 100_000, encoding="utf-8")
    yield FOLDER / "deep.json"
    yield bomb(FOLDER / "bomb.npz", size=LIMIT)
    yield bomb(FOLDER / "shape.npz", size=100, claimed=1 << 50)


def expanding(size: int = 10_000) -> Iterator[tuple[str, str]]:
    """Yield values of so many characters that are larger in memory, with a name."""
    parts = {
        "lists": ("[{}]", "[]"),
        "mappings": ("[{}]", '{"a":1}'),
        "fractions": ('{"tuple":[{}]}', '{"fraction":"1/%d"}'),
        "symbols": ('{"tuple":[{}]}', '{"sympy":"Symbol(\'x%d\')"}'),
        "sum": ('{"sympy":"Add({})"}', "Symbol('x%d')"),
        "integers": ('{"sympy":"Tuple({})"}', "Integer(7)"),
        "powers": ('{"sympy":"Add({})"}', "Pow(Symbol('x'),Integer(%d))"),
        "texts": ('{"numbers":[{}],"shape":[1],"type":"<f8"}', '"1"'),
        "entries": ('{"entries":[{}],"shape":[1]}', "1"),
        "mpf": ('{"tuple":[{}]}', '{"mpf":[0,"1",1,1],"bits":53}'),
    }
    for name, (whole, part) in parts.items():
        many = [part.replace("%d", str(k)) for k in range(3, 3 + size // len(part))]
        yield name, whole.replace("{}", ",".join(many))


def bomb(path: Path, *, size: int, claimed: int | None = None) -> Path:
    """Write a small archive of a large array, or of one that claims to be large."""
    head = BytesIO()
    described = {"descr": "|u1", "fortran_order": False, "shape": (claimed or size,)}
    np.lib.format.write_array_header_1_0(head, described)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.npy", head.getvalue() + bytes(size))
    return path


def calls() -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield what has to be refused, with a name."""
    for path in files():
        yield f"load {path.name}", lambda path=path: sf.load(path, limit=LIMIT)
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    solution = sf.solve(flow, sf.whitened([[2]]), [[[1]], [[1]]])
    for text in (CODE, f"1/(1+t)+{CODE}", "t", "9**9**9"):
        for rate in (text, [text], [(0, text)], [(text, 1)], {text: 1}, (text,)):
            yield f"scheduled {rate!r:.40}", lambda rate=rate: solution.scheduled(rate)
    for text in (*TEXTS, *LARGE):
        yield f"l2 {text:.40}", lambda text=text: sf.SquaredLoss(l2=text)
        words = ["derive", "--widths", "2,1", "--l2", text]
        yield f"--l2 {text:.40}", lambda words=words: refused(words)
    for words in (
        ["derive", "--widths", "9" * 5000],
        ["derive", "--widths", f"d,{CODE},m"],
        ["derive", "--widths", ",".join(["2"] * 2000)],
        ["analyze", "diabetes", "--hidden", "1000000000"],
        ["analyze", "diabetes", "--widths", f"10,{10**4000},1"],
        ["simulate", "--end", "1e999"],
        ["simulate", "--points", "10000000000"],
        ["derive", "--l2", "9" * 4250],
    ):
        yield f"{' '.join(words):.40}", lambda words=words: refused(words)
    for name in NAMES:
        yield from named(name)


def named(name: str) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield every way in which a name comes in."""
    net, loss, symbol = sf.LinearNetwork(1, 1, 1), sf.SquaredLoss(), sympy.Symbol(name)
    matrix = sympy.MatrixSymbol("A", 2, 2)
    makers: tuple[Callable[[], object], ...] = (
        lambda: sf.LinearNetwork(2, name, 1),
        lambda: sf.LinearNetwork(2, symbol, 1),
        lambda: sf.compile(sf.gradient_flow(net, sf.SquaredLoss(l2=name))),
        lambda: sf.SquaredLoss(l2=symbol),
        lambda: sf.gradient_flow(net, loss, learning_rates=[name, 1]),
        lambda: sf.heavy_ball(net, loss, symbol),
        lambda: sf.lambdify(symbol + 1, [symbol]),
        lambda: sf.lambdify(
            sympy.MatrixSymbol("B", symbol, 2) * matrix,
            [sympy.MatrixSymbol("B", symbol, 2), matrix],
        ),
    )
    for number, make in enumerate(makers):
        yield f"name {name!r:.40} in {number}", make


def refused(words: list[str]) -> None:
    """Run the command line; raise if it refuses in one line, as it should."""
    said, quiet = StringIO(), StringIO()
    with chdir(FOLDER), redirect_stderr(said), redirect_stdout(quiet):
        code = main(words)
    if code == 2 and said.getvalue().count("\n") == 1:
        raise sf.InvalidArgument(said.getvalue())


def faults() -> tuple[int, list[str]]:
    """Return the number of payloads and a line for each that was not refused."""
    found, total = [], 0
    for name, call in calls():
        total += 1
        start = time.process_time()
        try:
            call()
            found.append(f"{name}: accepted")
        except sf.SymflowError:
            pass
        except Exception as problem:  # noqa: BLE001 - a crash is what is looked for
            found.append(f"{name}: {type(problem).__name__}: {problem}"[:300])
        spent = time.process_time() - start
        if spent > SECONDS:
            found.append(f"{name}: took {spent:.1f} s")
        if CANARY.exists() or hasattr(builtins, "ran"):
            found.append(f"{name}: RAN")
            CANARY.unlink(missing_ok=True)
            vars(builtins).pop("ran", None)
    return total, found


if __name__ == "__main__":
    tried, lines = faults()
    print(f"{tried} payloads, {len(lines)} faults", *lines, sep="\n")
    sys.exit(bool(lines))
