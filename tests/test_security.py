"""Nothing that comes from outside is run, and nothing small takes all memory."""

import ast
import gzip
import json
import shutil
import subprocess
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from functools import partial
from inspect import isfunction

import numpy as np
import pytest
import sympy
from adversary.fuzz import hunt
from adversary.fuzzed import VERBS
from adversary.security import NAMES, expanding, faults

import symflow as sf
from symflow.algebra.reading import read_expression
from symflow.data import table
from symflow.simulation import batch

FLOW = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
DATA = sf.whitened([[2.0]])
HUGE, DESCENT = 10**5000, sf.gradient_descent(FLOW.network, FLOW.loss)
START, RULE = [[[0.5]], [[0.5]]], sf.gaussian_init(0.1, rng=0)

#: Names with a meaning of their own in Python, in C, or in the code around them.
TAKEN = ("type", "numpy", "xp", "lambda", "double", "restrict", "i", "out0", "v9t", "F")
ARGUMENTS = (0.5 * np.eye(2), np.ones((1, 2)), np.eye(2), np.ones((1, 2)))


def test_no_payload_runs_or_takes_long():
    total, found = faults()
    assert total > 400
    assert not found, "\n".join(found)


@pytest.mark.parametrize(("name", "value"), list(expanding()))
@pytest.mark.parametrize("limit", [1 << 18, 1 << 22, 1 << 24])
def test_a_file_takes_no_more_memory_than_the_limit(name, value, limit, tmp_path):
    """Objects are larger than their text; a traced peak is all that Python takes."""
    path = sf.save(sf.SquaredLoss(l2="1/10"), tmp_path / f"{name}.json")
    text = path.read_text(encoding="utf-8")
    hostile = json.loads(text)
    hostile["object"]["fields"]["l2"] = "@"
    path.write_text(json.dumps(hostile).replace('"@"', value), encoding="utf-8")
    tracemalloc.start()
    try:
        sf.load(path, limit=limit)
    except sf.SymflowError:
        pass
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < limit


@pytest.mark.parametrize("name", TAKEN)
def test_a_name_that_code_uses_itself_is_written_differently(name, tmp_path):
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.SquaredLoss(l2=name))
    plain = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.SquaredLoss(l2="1/2"))
    computed = sf.compile(flow)(*ARGUMENTS, 0.5)
    for one, other in zip(computed, sf.compile(plain)(*ARGUMENTS), strict=True):
        assert np.allclose(one, other)
    out = tuple(map(np.empty_like, ARGUMENTS[:2]))
    sf.compile(flow).into(out, *ARGUMENTS, np.array(0.5))
    assert np.allclose(out[0], computed[0])
    source = sf.write_module(flow, tmp_path / "flow.py").read_text(encoding="utf-8")
    space: dict = {"__name__": "flow"}
    exec(source, space)
    assert np.allclose(space["rhs"](*ARGUMENTS, 0.5)[1], computed[1])
    if shutil.which("cc"):
        (tmp_path / "flow.c").write_text(sf.c_source(flow), encoding="utf-8")
        command = ["cc", "-std=c99", "-fsyntax-only", str(tmp_path / "flow.c")]
        assert subprocess.run(command, check=False).returncode == 0


@pytest.mark.parametrize(
    "name", ['a"""b.py', "a\\", "x\\u12.py", "a\nimport os\n", '"']
)
def test_a_module_parses_whatever_its_file_is_called(name, tmp_path):
    flow = sf.gradient_flow(sf.LinearNetwork("d", "h", 1), sf.SquaredLoss())
    tree = ast.parse(sf.write_module(flow, tmp_path / name).read_text("utf-8"))
    assert isinstance(tree.body[0], ast.Expr)
    assert not any(isinstance(node, ast.Import) for node in tree.body[:2])


def test_the_names_of_columns_are_text_alone():
    for name in NAMES:
        data = sf.Dataset([[1.0], [2.0]], [1.0, 3.0], inputs=[name], targets="y")
        assert data.inputs == (name,)


@pytest.mark.parametrize("scale", [1e200, 1e-200, 1e300])
def test_standardized_columns_do_not_overflow(scale):
    given = np.array([[1.0, 2.0], [3.0, -1.0], [5.0, 4.0]])
    with np.errstate(all="raise"):
        data = sf.Dataset(scale * given, given[:, 0]).standardized()
    assert np.allclose(data.X, sf.Dataset(given, given[:, 0]).standardized().X)


def test_a_wide_table_is_read_in_linear_time(tmp_path):
    names = ",".join(f"c{k}" for k in range(50_000))
    row = ",".join(["1"] * 50_000)
    path = tmp_path / "wide.csv"
    path.write_text(f"{names}\n{row}\n{row}\n", encoding="utf-8")
    data = sf.Dataset.from_csv(path, "c7")
    with pytest.raises(sf.InvalidData, match="more than the 11000 columns"):
        data.moments()


@pytest.mark.parametrize("text", ["a,y\n" + "1,1\n" * 10**6, "1" * 4 * 10**6])
def test_a_packed_table_takes_no_more_than_it_may(text, tmp_path, monkeypatch):
    monkeypatch.setattr(table, "MOST_UNPACKED", 10**5)
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress(text.encode()))
    assert path.stat().st_size < 10**4
    tracemalloc.start()
    try:
        with pytest.raises(sf.InvalidData, match="characters when unpacked"):
            sf.Dataset.from_csv(path, "y")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 10**6


A = sympy.MatrixSymbol("A", 2, 2)


@pytest.mark.parametrize(
    "expr",
    [
        A.applyfunc(sympy.exp),
        sympy.HadamardProduct(A, A.T) + A**2,
        sympy.Piecewise((1, sympy.Symbol("t") < 1), (2, True)),
        sympy.ImmutableDenseNDimArray([[1, 2], [3, 4]]),
        sympy.ImmutableDenseMatrix([[1, sympy.sqrt(2)]]),
        A[0, 1] * sympy.log(2) ** -3,
        sympy.Integer(7) ** 4000,
        sympy.Max(sympy.Symbol("x"), 1),
        A.inv() - sympy.Identity(2),
    ],
    ids=str,
)
def test_what_sympy_writes_is_read_back(expr):
    assert read_expression(sympy.srepr(expr)) == expr


def test_every_public_function_is_fuzzed():
    """`gradient_flow` as well as `write_checker`; classes that are results are not."""
    names = {verb.name.partition(".")[0] for verb in VERBS}
    functions = {name for name in sf.__all__ if isfunction(getattr(sf, name))}
    assert functions <= names
    pictures = {f"plot.{name}" for name in sf.plot.__all__}
    assert pictures <= {verb.name for verb in VERBS}


@pytest.mark.filterwarnings("ignore")
def test_arguments_of_wrong_kinds_are_refused_in_words():
    found = hunt(calls=300, seed=1)
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    "t",
    [
        *("1", b"12", {0, 1}, True, [True], [1j], np.array([1 + 0j]), -1, []),
        *(np.timedelta64(1, "s"), np.array(["2020-01-01"], "M8[s]"), ["0.5"]),
        np.ma.masked_array([0.0, 1.0], [False, True]),
    ],
    ids=repr,
)
def test_what_is_no_time_is_refused_by_every_route(t):
    start = [[[1]], [[1]]]
    routes = (
        sf.solve(FLOW, sf.whitened([[2]]), start).end_to_end,
        lambda t: sf.simulate(FLOW, DATA, start, t),
        lambda t: sf.precise(FLOW, DATA, start, t),
        lambda t: sf.enclose(FLOW, DATA, start, t),
    )
    for route in routes:
        with pytest.raises(sf.SymflowError):
            route(t)


@pytest.mark.parametrize(
    "make",
    [
        lambda: sf.Dataset(np.ma.masked_array([[1.0], [2.0]], [[0], [1]]), [1.0, 2.0]),
        lambda: sf.ensemble(FLOW, DATA, (np.full((2, 1, 1), 1j),) * 2, [0, 1]),
        lambda: sf.gaussian_init(1.0, rng=np.zeros((1, 1), "M8[s]")),
        lambda: sf.gaussian_init(1.0, rng=np.array([object()])),
        lambda: sf.gaussian_init(True, rng=0),
        lambda: sf.Taylor(order=float("nan")),
        lambda: sf.DiagonalNetwork(2, 2**63),
        lambda: sf.LinearNetwork(10**5000, 1),
        lambda: sf.LinearNetwork(*[2] * 300),
        lambda: sf.simulate(FLOW, DATA, [[[1.0]], [[1.0]]], 1e300),
        lambda: sf.gaussian_init(1.0, rng=0).draw(sf.LinearNetwork(10**6, 10**6)),
        lambda: sf.Dataset.from_csv("/dev/zero", "y"),
        # one of a kind: flags, callables, mappings, names, runs, states, scales
        lambda: sf.gradient_flow(FLOW.network, FLOW.loss).at([1]),
        lambda: sf.simulate(FLOW, DATA, START, 1, steady_state="no"),
        lambda: sf.enclose(FLOW, DATA, START, 1, progress=3),
        lambda: sf.sweep(FLOW, DATA, RULE, 1, executor=ThreadPoolExecutor),
        lambda: sf.Network(sf.Dense(1, 1), names=1j),
        lambda: sf.conserved(FLOW)[0].value([1.0]),
        lambda: sf.conserved(FLOW)[0].residuals(DATA),
        lambda: sf.to_scipy(FLOW, DATA).fun(0.0, [1.0]),
        lambda: sf.to_scipy(FLOW, DATA).unpack([[object()]]),
        lambda: sf.plot.loss(sf.simulate(FLOW, DATA, START, [0, 1]), xscale="cubic"),
        lambda: sf.save(FLOW, "/dev/null/flow.json"),
        # integers that Python does not write out, in a formula and in a message
        lambda: sf.SquaredLoss(l2=HUGE),
        lambda: sf.heavy_ball(FLOW.network, FLOW.loss, HUGE),
        lambda: sf.gradient_flow(FLOW.network, FLOW.loss, learning_rates=[HUGE, 1]),
        lambda: FLOW.at({"d": HUGE}),
        lambda: sf.simulate(FLOW, DATA, START, [-HUGE]),
        lambda: sf.claim(FLOW, rate=-HUGE),
        lambda: sf.Curriculum(HUGE),
        lambda: sf.compile_simulator(FLOW, widths=(HUGE, 1)),
        lambda: sf.enclose(FLOW, DATA, START, 1).contains(HUGE),
        # numbers that no comparison takes, sets where one is needed, endless lists
        lambda: sf.companions(DESCENT, DATA, START, step_size="a"),
        lambda: sf.companions(DESCENT, DATA, START, step_size=float("nan")),
        lambda: sf.simulate(FLOW, DATA, START, [Fraction(10**400, 3), 1]),
        lambda: sf.claim(FLOW, limit=[[sf.interval(0, 1)]]),
        lambda: sf.claim(FLOW, limit=range(10**12)),
        lambda: sf.Measurements.entries({(0, 0): 1}, (10**400, 2)),
        lambda: sf.Measurements.entries({(0, 0): 1}, (10**5, 10**4)),
        lambda: sf.certify(np.array(1.0), sf.enclose(FLOW, DATA, START, 1)),
        lambda: sf.validate(range(10**12), sf.simulate(FLOW, DATA, START, [0, 1])),
        lambda: sf.enclose(FLOW, DATA, START, 1).contains(A),
        lambda: sf.sweep(FLOW, DATA, RULE, 1, path=HUGE),
        lambda: sf.Dataset([[1.0]], [1.0], inputs=HUGE),
        lambda: sf.Dataset([[1.0]], [1.0], inputs=range(10**12)),
        lambda: sf.Network(HUGE),
        lambda: sf.plot.loss(HUGE),
        lambda: sf.compile(FLOW).into(iter([]), *START, [[1.0]], [[1.0]]),
    ],
)
def test_what_was_silent_or_endless_is_refused(make):
    with pytest.raises(sf.SymflowError):
        make()


@pytest.mark.parametrize("verb", [sf.simulate, partial(sf.precise, digits=8)])
def test_a_time_out_of_reach_is_said_long_before_it(verb):
    """The force is zero to the last bit, and yet steps do not get longer."""
    with pytest.raises(sf.IntegrationFailed, match=r"10000 steps|steps away"):
        verb(FLOW, DATA, START, 2**63)


def test_an_ensemble_out_of_reach_ends_early(monkeypatch):
    monkeypatch.setattr(batch, "TELLING", 500)
    starts = [np.full((1, 1, 1), 0.5)] * 2
    with pytest.raises(sf.IntegrationFailed):
        sf.ensemble(FLOW, DATA, starts, 2**63)
