"""Certificates: what the checker accepts is true, and what is changed is noticed."""

from __future__ import annotations

import ast
import hashlib
import json
import random
import subprocess
import sys
from base64 import b85decode, b85encode
from collections import Counter
from fractions import Fraction
from pathlib import Path

import mpmath
import numpy as np
import pytest
import sympy
from adversary.certificates import KINDS, certificate as certificate_of, faults

import symflow as sf
from symflow.certificate import checker
from symflow.certificate.enclosure import problem_document
from symflow.certificate.law import law_document
from symflow.codegen import evaluate, rhs_program
from symflow.errors import InvalidArgument, InvalidData
from symflow.flow.problem import bind

DENSE = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
WHITENED = sf.whitened([[1, 0], [0, 2]])
U, R, V = (sympy.MatrixSymbol(name, n, 2) for name, n in (("U", 2), ("R", 2), ("V", 1)))
#: Models of every kind of operation, with the shapes of inputs and outputs.
MODELS = {
    "dense": (sf.LinearNetwork(2, 2, 2), 2, 2),
    "deep": (sf.LinearNetwork(2, 2, 1, 2), 2, 2),
    "one layer": (sf.LinearNetwork(2, 2), 2, 2),
    "diagonal": (sf.DiagonalNetwork(2, depth=3), 2, 1),
    "signed": (sf.DiagonalNetwork(2, depth=2, signed=True), 2, 1),
    "difference": (sf.HadamardDifference(2), 2, 1),
    "filters": (sf.ConvolutionalNetwork(3, filters=(2, 3)), 3, 1),
    "layers": (sf.Network(sf.Dense(2, 2), sf.Diagonal(2), sf.Dense(2, 1)), 2, 1),
    "model": (sf.Model(V * R * R * U + V, parameters=(U, R, V)), 2, 1),
    "symmetric": (sf.SymmetricFactorization(2, 1), 2, 2),
}
QUICK = ("dense", "one layer", "diagonal")
LENGTHY = [pytest.param(n, marks=pytest.mark.slow) for n in MODELS if n not in QUICK]

HALF = Fraction(1, 2)


def drawn(generator, rows, columns):
    """Return a matrix of small fractions."""
    entries = [
        [
            Fraction(generator.randint(-8, 8), generator.randint(5, 9))
            for _ in range(columns)
        ]
        for _ in range(rows)
    ]
    return np.array(entries, dtype=object)


def problem(name, seed, l2=0):
    """Return flow, data and start of a random problem."""
    generator = random.Random(f"{name} {seed}")
    network, inputs, outputs = MODELS[name]
    flow = sf.gradient_flow(network, sf.SquaredLoss(l2=l2))
    data = sf.Dataset(drawn(generator, 4, inputs), drawn(generator, 4, outputs))
    start = [drawn(generator, *map(int, symbol.shape)) for symbol in flow.state]
    return flow, data.moments() if seed % 2 else data, start


def certificate(tmp_path, name="dense", seed=0, t=(1, 2), digits=20, l2=0):
    """Return an enclosure and its certificate."""
    ball = sf.enclose(*problem(name, seed, l2), t, digits=digits)
    return ball, sf.save(ball, tmp_path / "c.json")


def sealed(document):
    """Return the bytes of a document with its digest computed again."""
    content = {key: value for key, value in document.items() if key != "sha256"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return json.dumps({**content, "sha256": hashlib.sha256(text.encode()).hexdigest()})


def verdict(tmp_path, document):
    file = tmp_path / "changed.json"
    file.write_text(sealed(document))
    return checker.main([str(file)])


# what is true is accepted, by Python alone


@pytest.mark.parametrize("name", [*QUICK, *LENGTHY])
def test_random_problems_are_accepted_by_bare_python(tmp_path, name):
    check = sf.write_checker(tmp_path / "check.py")
    seed = sum(map(ord, name))
    times = (Fraction(1, 3), 1)
    ball, file = certificate(tmp_path, name, seed, times, digits=12, l2=seed % 3)
    command = [sys.executable, "-I", "-S", str(check), str(file)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith("PROVEN.\n")
    assert "horizon is t = 1" in run.stdout
    stated = [Fraction(c["radius"]) for c in _stated(file)["at"]]
    assert all(
        r <= Fraction(float(b)) for r, b in zip(stated, ball.radius, strict=True)
    )
    exact = sf.precise(*problem(name, seed, seed % 3), times, digits=25)
    for index, radius in enumerate(stated):
        pairs = zip(ball.weights, exact.weights, strict=True)
        gaps = [_fractions(a[index]) - _fractions(b[index]) for a, b in pairs]
        assert sum(float(x) ** 2 for g in gaps for x in g.flat) <= float(radius) ** 2


def _stated(file):
    return json.loads(file.read_text(encoding="utf-8"))["statement"]


def _fractions(matrix):
    return np.vectorize(
        lambda x: Fraction(int(x.man) * (-1) ** x._mpf_[0]) * Fraction(2) ** x._mpf_[2],
        otypes=[object],
    )(matrix)


def test_a_start_in_time_zero_and_times_inside_of_steps_are_carried(tmp_path):
    times = [0, Fraction(1, 7), Fraction(2, 7), 1]
    _, file = certificate(tmp_path, t=times)
    code, said = checker.main([str(file)])
    assert code == 0
    assert said.count("within") == len(times)


def test_every_weight_may_have_a_decay_of_its_own(tmp_path):
    _, file = certificate(tmp_path, t=1, digits=12, l2=(1, Fraction(1, 2)))
    assert checker.main([str(file)])[0] == 0
    document = json.loads(file.read_text())
    assert document["problem"]["weight decay"] == ["1", "1/2"]
    document["problem"]["weight decay"].reverse()
    assert verdict(tmp_path, document)[0] == 1


def test_float_data_and_drawn_starts_are_carried_as_the_numbers_that_they_are(tmp_path):
    rng = np.random.default_rng(3)
    data = sf.Dataset(rng.standard_normal((900, 2)), rng.standard_normal((900, 3)))
    flow = sf.gradient_flow(sf.LinearNetwork(2, 1, 3), sf.SquaredLoss())
    ball = sf.enclose(flow, data, sf.gaussian_init(0.4, rng=5), 1, digits=15)
    file = sf.save(ball, tmp_path / "c.json")
    assert checker.main([str(file)])[0] == 0
    given = json.loads(file.read_text())["problem"]["data"]
    assert "X" not in given
    assert len(given["sha256 of the samples"]) == 64


def test_sets_of_starts_are_carried_with_their_radii(tmp_path):
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    box = [[[sf.interval(1, Fraction(9, 8))]], [[Fraction(1, 2)]]]
    ball = sf.enclose(flow, sf.whitened([[2]]), box, 1, digits=12)
    file = sf.save(ball, tmp_path / "c.json")
    code, words = checker.main([str(file)])
    assert code == 0
    assert "all starts within the radii" in words
    document = json.loads(file.read_text())
    assert document["problem"]["start radii"] == [[["1/16"]], [["0"]]]
    (claim,) = document["statement"]["at"]
    for start in (1, Fraction(9, 8)):
        run = sf.precise(flow, sf.whitened([[2]]), [[[start]], [[HALF]]], 1)
        gaps = [float(w[-1, 0, 0] - Fraction(x[0][0])) for w, x in _ends(run, claim)]
        assert np.hypot(*gaps) <= float(claim["radius"]) < 1
    assert sf.load(file).problem.weights[0][0, 0] == box[0][0][0]
    document["problem"]["start radii"][0] = [["1/15"]]
    assert verdict(tmp_path, document)[0] == 1
    document["problem"]["start radii"] = [[["1/16"]]]
    assert verdict(tmp_path, document)[0] == 2
    del document["problem"]["start radii"]
    code, words = verdict(tmp_path, document)  # true as well, and less
    assert code == 0
    assert "the start in the file" in words


def _ends(run, claim):
    return zip(run.weights, claim["weights"], strict=True)


LIMITS = {
    "diagonal": (sf.DiagonalNetwork(2), 2),
    "signed": (sf.DiagonalNetwork(2, signed=True), 4),
    "filters": (sf.ConvolutionalNetwork(2, (2, 2)), 2),
}


@pytest.mark.parametrize("name", LIMITS)
def test_limits_of_other_networks_are_carried(tmp_path, name):
    network, count = LIMITS[name]
    flow, data = sf.gradient_flow(network, sf.SquaredLoss()), sf.whitened([[2, 3]])
    start = [[[1], [HALF]], [[HALF], [1]], [[HALF], [0]], [[0], [HALF]]][:count]
    ball = sf.enclose(flow, data, start, sf.oo, digits=9)
    document = json.loads(sf.save(ball, tmp_path / "c.json").read_text())
    code, words = verdict(tmp_path, document)
    assert code == 0
    assert "in the limit" in words
    document["evidence"]["limit"][0] = "1000"
    assert verdict(tmp_path, document)[0] == 1


@pytest.mark.parametrize(
    ("network", "loss", "why"),
    [
        (sf.LinearNetwork(2, 1, 2), sf.SquaredLoss(), "second derivative"),
        (sf.LinearNetwork(2, 2), sf.SquaredLoss(l2=1), "second derivative"),
    ],
)
def test_limits_that_are_not_carried_are_refused(tmp_path, network, loss, why):
    start = [[[1, 1]], [[1], [1]]] if len(network.widths) == 3 else [[[1, 1], [0, 1]]]
    data = sf.whitened([[2, 1], [0, 1]])
    ball = sf.enclose(sf.gradient_flow(network, loss), data, start, sf.oo, digits=6)
    with pytest.raises(InvalidArgument, match=why):
        sf.save(ball, tmp_path / "c.json")
    assert sf.load(sf.save(ball, tmp_path / "c.npz")).error == ball.error


def test_enclosures_are_loaded_again(tmp_path):
    ball, file = certificate(tmp_path)
    again = sf.load(file)
    assert again.contains([w[-1] for w in ball.weights])
    assert np.array_equal(again.radius, ball.radius)
    text = file.read_text().replace('"horizon":"2"', '"horizon":"3"')
    file.write_text(text)
    with pytest.raises(InvalidData, match="changed since it was written"):
        sf.load(file)


@pytest.mark.slow
def test_five_layers_at_fifty_digits_are_small(tmp_path):
    rng = np.random.default_rng(0)
    data = sf.Dataset(rng.standard_normal((20, 5)), rng.standard_normal((20, 5)))
    flow = sf.gradient_flow(sf.LinearNetwork(5, 5, 5), sf.SquaredLoss())
    start = [0.3 * rng.standard_normal((5, 5)) for _ in range(2)]
    file = sf.save(sf.enclose(flow, data, start, 12, digits=50), tmp_path / "c.json")
    assert file.stat().st_size < 2_000_000
    assert checker.main([str(file)])[0] == 0


# what is changed is noticed


def test_any_accidental_change_makes_it_unreadable(tmp_path):
    _, file = certificate(tmp_path, t=1)
    text, generator = file.read_bytes(), random.Random(1)
    for _ in range(100):
        place, bit = generator.randrange(len(text)), generator.randrange(8)
        changed = bytearray(text)
        changed[place] ^= 1 << bit
        file.write_bytes(bytes(changed))
        assert checker.main([str(file)])[0] == 2, (place, bit)
    for place in (0, 1, len(text) // 2, len(text) - 1):
        file.write_bytes(text[:place])
        assert checker.main([str(file)])[0] == 2


def _start(document):
    document["problem"]["start"][0][1][0] = "1/3"


def _start_by_little(document):
    entry = Fraction(document["problem"]["start"][1][0][0])
    document["problem"]["start"][1][0][0] = str(entry + Fraction(1, 10**18))


def _input(document):
    document["problem"]["data"]["X"][0][0] = "7"


def _target(document):
    document["problem"]["data"]["Y"][2][1] = "1/9"


def _divisor(document):
    document["problem"]["data"]["divisor"] = "5"


def _decay(document):
    document["problem"]["weight decay"][1] = "1/1000000000000000"


def _model(document):
    document["problem"]["model"] = [["matmul", 0, 1]]


def _radius(document):
    claim = document["statement"]["at"][0]
    claim["radius"] = str(Fraction(claim["radius"]) / 10**6)


def _value(document):
    claim = document["statement"]["at"][1]
    entry = Fraction(claim["weights"][0][1][1])
    claim["weights"][0][1][1] = str(entry + Fraction(1, 10**19))


def _horizon(document):
    document["statement"]["horizon"] = "3"


def _time(document):
    document["statement"]["at"][1]["t"] = document["statement"]["horizon"] = "3"


def _length(document):
    step = document["evidence"]["steps"][0]
    step["length"] = str(Fraction(step["length"]) * Fraction(1000001, 1000000))


def _missing_step(document):
    del document["evidence"]["steps"][0]


def _coefficient(document, order=3, step=0):
    given = document["evidence"]["steps"][step]
    data = bytearray(b85decode(given["terms"][1][2]))
    data[sum(given["widths"][:order]) + given["widths"][order] // 2] ^= 16
    given["terms"][1][2] = b85encode(bytes(data)).decode()


def _handover(document):
    _coefficient(document, order=0, step=-1)


CHANGES = [
    _start,
    _start_by_little,
    _input,
    _target,
    _divisor,
    _decay,
    _model,
    _radius,
    _value,
    _horizon,
    _time,
    _length,
    _missing_step,
    _coefficient,
    _handover,
]


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificate")
    return json.loads(certificate(folder, seed=2)[1].read_text())


@pytest.mark.parametrize("change", CHANGES)
def test_false_statements_are_refuted(tmp_path, document, change):
    changed = json.loads(json.dumps(document))
    assert verdict(tmp_path, changed)[0] == 0
    change(changed)
    assert changed != document
    code, said = verdict(tmp_path, changed)
    assert code == 1, said
    assert said.startswith("REFUTED")


def test_moments_that_are_not_semidefinite_are_refuted(tmp_path, document):
    changed = json.loads(json.dumps(document))
    changed["problem"]["data"] = {
        "sigma_xx": [["1", "2"], ["2", "3"]],
        "sigma_yx": [["1", "0"], ["0", "1"]],
    }
    code, said = verdict(tmp_path, changed)
    assert (code, "semidefinite" in said) == (1, True)


def _set(*path, value):
    def change(document):
        place = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return change


HOSTILE = [
    _set("evidence", "bits", value=10**9),
    _set("evidence", "bits", value=-3),
    _set("evidence", "bits", value="200"),
    _set("evidence", "order", value=10**12),
    _set("evidence", "steps", 0, "length", value="0"),
    _set("evidence", "steps", 0, "widths", value=[10**12]),
    _set("evidence", "steps", 0, "widths", value=[]),
    _set("evidence", "steps", 0, "terms", value=[]),
    _set("evidence", "steps", value=7),
    _set("problem", "start", 0, value=[["1e99999", "1"], ["1", "1"]]),
    _set("problem", "start", 0, 0, 0, value=0.5),
    _set("problem", "start", 0, 0, 0, value="1/0"),
    _set("problem", "start", 0, value=[["1", "1"], ["1"]]),
    _set("problem", "model", value=[["matmul", 0, 7]]),
    _set("problem", "model", value=[["exec", 0, 1]]),
    _set("problem", "model", value=[["place", 0, 10**9, 10**9, [0]]]),
    _set("problem", "model", value=[["place", 0, 2, 2, [0, 1, 2, 9]]]),
    _set("problem", "weight decay", value=[]),
    _set("problem", "data", "X", value=[["1"]]),
    _set("problem", "data", "divisor", value="0"),
    _set("problem", "loss", value="hinge"),
    _set("evidence", "root of best", value=[["1"]]),
    _set("statement", "at", 0, value={"t": "1", "radius": "1", "W": "best"}),
    _set("statement", "at", 0, value={"t": "oo", "radius": "1", "W": [["1"]]}),
    _set("statement", "at", 0, value={"t": "1", "radius": "1", "W": [["1"]]}),
    _set("statement", "at", 0, value={"t": "1", "loss": "best"}),
    _set("statement", "at", 0, value={"t": "1", "radius": "1"}),
    _set("statement", "kind", value="theorem"),
    _set("statement", "at", value=[]),
    _set("statement", "at", 0, "t", value="١"),
    _set("symflow certificate", value=2),
]


@pytest.mark.parametrize("change", HOSTILE)
def test_nonsense_is_unreadable(tmp_path, document, change):
    changed = json.loads(json.dumps(document))
    change(changed)
    code, said = verdict(tmp_path, changed)
    assert code == 2, said
    assert said.startswith("UNREADABLE")
    assert len(said) < 300


def test_models_that_would_fill_the_memory_are_unreadable(tmp_path, document):
    changed = json.loads(json.dumps(document))
    given = changed["problem"]
    given["constants"] = [[["1"]] * 2000, [["1"] * 2000]]
    given["model"] = [["matmul", 3, 4], *[["matmul", k, k] for k in range(5, 9)]]
    code, said = verdict(tmp_path, changed)
    assert (code, "too large" in said) == (2, True)


def test_margins_beyond_all_measure_are_refused(tmp_path):
    document = certificate_of("logistic", 0, tmp_path)
    document["problem"]["data"]["X"][0][0] = "1e300"
    assert verdict(tmp_path, document)[0] == 1
    document["evidence"]["order"] = 1000
    document["problem"]["data"]["X"][0][0] = "900"
    assert verdict(tmp_path, document)[0] == 1


def test_a_large_problem_is_not_begun(tmp_path, document):
    changed = json.loads(json.dumps(document))
    changed["evidence"]["bits"] = changed["evidence"]["order"] = 10**5
    assert "hours" in verdict(tmp_path, changed)[1]


def test_no_file_is_unreadable(tmp_path):
    assert checker.main([])[0] == 2
    assert checker.main([str(tmp_path / "none.json")])[0] == 2
    (tmp_path / "deep.json").write_text("[" * 10**5)
    assert checker.main([str(tmp_path / "deep.json")])[0] == 2


# what a certificate does not carry


def test_what_is_not_carried_is_refused(tmp_path):
    start = [np.array((sympy.eye(2) * sympy.sqrt(2)).tolist(), dtype=object)] * 2
    ball = sf.enclose(DENSE, WHITENED, start, 1, digits=10)
    with pytest.raises(InvalidArgument, match="rational"):
        sf.save(ball, tmp_path / "c.json")
    assert sf.load(sf.save(ball, tmp_path / "c.npz")).error == ball.error


# laws


LAWS = [
    law
    for network in (sf.LinearNetwork("d", "h", "m"), sf.LinearNetwork(4, 3, "k", 1))
    for law in sf.conserved(sf.gradient_flow(network, sf.SquaredLoss(l2="lambda")))
]


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_laws_are_accepted_and_false_ones_refuted(tmp_path, law):
    file = sf.save(law, tmp_path / "law.json")
    assert sf.load(file) == law
    code, said = checker.main([str(file)])
    assert code == 0
    assert "Q' = −2λ Q" in said
    document = json.loads(file.read_text())
    first = law.flow.state[law.involved[0]].name
    for change in (
        _set("statement", "quantity", 0, 0, value="1"),
        _set("statement", "quantity", 1, 0, value="2"),
        _set("problem", "learning rates", first, value="2"),
        _set("problem", "model", 0, 0, value="0"),
    ):
        changed = json.loads(json.dumps(document))
        change(changed)
        wrong = changed["problem"]["model"][0][0] != "0"  # W = 0 conserves everything
        assert verdict(tmp_path, changed)[0] == int(wrong)
    document["problem"]["shapes"]["W1"] = ["n", "n"]
    assert verdict(tmp_path, document)[0] == 2


def test_laws_of_other_layers_are_refused(tmp_path):
    flow = sf.gradient_flow(sf.DiagonalNetwork("d", depth=2), sf.SquaredLoss())
    (law, *_) = sf.conserved(flow)
    with pytest.raises(InvalidArgument, match="sums and products of matrices"):
        law_document(law)
    with pytest.raises(InvalidArgument, match="save"):
        sf.save(law, tmp_path / "law.json")


# the checker itself


SOURCE = Path(checker.__file__).read_text(encoding="utf-8")


def test_the_checker_is_short_and_needs_python_alone(tmp_path):
    assert len(SOURCE.splitlines()) <= 500
    assert len(ast.get_docstring(ast.parse(SOURCE), clean=False).splitlines()) <= 60
    nodes = [
        n
        for n in ast.walk(ast.parse(SOURCE))
        if isinstance(n, (ast.Import, ast.ImportFrom))
    ]
    names = {getattr(n, "module", None) or a.name for n in nodes for a in n.names}
    assert {name.split(".")[0] for name in names} <= sys.stdlib_module_names
    assert not any(getattr(node, "level", 0) for node in nodes)
    assert sf.write_checker(tmp_path / "check.py").read_text(encoding="utf-8") == SOURCE


def test_bounds_of_numbers_are_above_and_close():
    generator = random.Random(4)
    for _ in range(200):
        x = Fraction(generator.randint(-(10**9), 10**9), generator.randint(1, 10**9))
        x *= Fraction(10) ** generator.randint(-30, 0)
        assert 0 <= checker.up(x) - x <= abs(x) / 2**60
        y = checker.root(abs(x))
        assert 0 <= y * y - abs(x) <= abs(x) / 2**50
        true = sympy.exp(sympy.Rational(x.numerator, x.denominator)).evalf(60)
        value = checker.exp(x)
        ratio = sympy.Rational(value.numerator, value.denominator) / true
        assert 1 <= ratio < 1 + sympy.Rational(1, 10**9)
    assert checker.root(Fraction(0)) == 0
    assert checker.exp(Fraction(0)) >= 1


def semidefinite(matrix):
    return checker.exceeds(matrix, Fraction(0), matrix)


def test_semidefinite_matrices_are_told_from_others():
    generator = random.Random(6)
    for size in (1, 2, 3, 4):
        for rank in range(1, size + 1):
            root = drawn(generator, rank, size)
            gram = (root.T @ root).tolist()
            assert semidefinite(gram)
            if rank < size:
                gram[0][0] -= Fraction(1, 10**12)
                assert not semidefinite(gram)
    assert semidefinite([[Fraction(0)]])
    assert not semidefinite([[Fraction(0), Fraction(1)], [Fraction(1), Fraction(1)]])
    assert not semidefinite([[Fraction(1), Fraction(1)], [Fraction(0), Fraction(1)]])


BITS, ORDER = 24, 4


def curve(generator, rows, columns, terms, top=2**26):
    entries = [
        [generator.randint(-top, top) for _ in range(generator.randint(1, terms))]
        for _ in range(rows * columns)
    ]
    error = generator.randint(0, 3)
    return checker.Curve((BITS, ORDER), (rows, columns), entries, error)


def at(entry, s):
    return sum((c * s**k for k, c in enumerate(entry)), Fraction(0)) / 2**BITS


def test_products_and_sums_of_curves_are_off_by_no_more_than_they_say():
    generator = random.Random(7)
    for _ in range(60):
        a, b = curve(generator, 2, 3, ORDER + 1), curve(generator, 3, 2, ORDER + 1)
        c, d = curve(generator, 2, 2, 2), Fraction(generator.randint(-9, 9), 7)
        result = a @ b + c * d
        for s in (Fraction(0), Fraction(1, 3), Fraction(1)):
            # anything that a, b and c may stand for, at the ends of their bounds
            x, y, z = (
                [
                    at(e, s) + generator.choice((-1, 0, 1)) * Fraction(m.error, 2**BITS)
                    for e in m.terms
                ]
                for m in (a, b, c)
            )
            for entry in range(4):
                i, j = divmod(entry, 2)
                exact = (
                    sum(x[3 * i + k] * y[2 * k + j] for k in range(3)) + d * z[entry]
                )
                gap = abs(exact - at(result.terms[entry], s))
                assert gap <= Fraction(result.error, 2**BITS)
    assert result.error < 2**40


def test_norms_on_pieces_hold_everywhere_on_them():
    generator = random.Random(8)
    for _ in range(10):
        a = curve(generator, 2, 3, 5)
        for piece in range(checker.PIECES):
            bound = float(a.norm(piece))
            for part in (0, 0.3, 1):
                s = Fraction((piece + part) / checker.PIECES)
                matrix = np.array([float(at(e, s)) for e in a.terms]).reshape(2, 3)
                assert np.linalg.norm(matrix) <= bound * (1 + 1e-12)


@pytest.mark.parametrize("name", MODELS)
def test_fields_and_second_derivatives_agree_with_the_derived_flow(name):
    bound = bind(*problem(name, 3), digits=30, exact=True)
    given = checker.GivenProblem(problem_document(bound))
    grid, model = (200, 1), given.model
    weights = [checker.constant(w, grid) for w in given.start]
    values = model.values(weights)
    force, _, _ = given.force(values[-1])
    found = model.pull_back(values, force)
    flow = bound.flow
    arrays = [np.array(w, dtype=object) for w in given.start]
    arguments = [*arrays, *bound.arguments]
    for part, expected in zip(
        found, evaluate(rhs_program(flow), arguments, lambda x: x), strict=True
    ):
        for entry, value in zip(part.terms, expected.flat, strict=True):
            exact = Fraction(int(sympy.Rational(value).p), int(sympy.Rational(value).q))
            assert abs(Fraction(entry[0], 2**200) - exact) < Fraction(1, 2**190)
    # the bounds m and c, against moves and second differences in float64
    rng, radius = np.random.default_rng(1), 0.25
    norms = [value.norm(0) for value in values]
    m, c = model.bounds(norms, Fraction(radius))
    program = sf.codegen.end_to_end_program(flow)

    def W(shift, size):
        moved = [w.astype(float) + size * e for w, e in zip(arrays, shift, strict=True)]
        return evaluate(program, moved)[0]

    for _ in range(20):
        shift = [rng.standard_normal(w.shape) for w in arrays]
        total = np.sqrt(sum(np.sum(e**2) for e in shift))
        shift = [e / total for e in shift]
        sizes = [np.linalg.norm(e) for e in shift]
        assert np.linalg.norm(W(shift, radius) - W(shift, 0)) <= float(m) * (1 + 1e-9)
        middle, step = 0.5 * radius, 1e-3
        second = (
            W(shift, middle + step) - 2 * W(shift, middle) + W(shift, middle - step)
        )
        size = np.linalg.norm(second / step**2)
        most = sum(
            float(c[k][q]) * a * b
            for k, a in enumerate(sizes)
            for q, b in enumerate(sizes)
        )
        assert size <= most * (1 + 1e-3) + 1e-6


@pytest.mark.parametrize("top", [2**24, 2**27])
def test_exponentials_and_the_logistic_function_are_off_by_no_more_than_they_say(top):
    generator = random.Random(9)
    for _ in range(8):
        z = curve(generator, 1, 3, 3, top)
        for made, function in (
            (checker.exponential(z), mpmath.exp),
            (checker.logistic(z), lambda x: 1 / (1 + mpmath.exp(x))),
        ):
            for s in (Fraction(0), Fraction(1, 3), Fraction(1)):
                for k, entry in enumerate(z.terms):
                    off = generator.choice((-1, 0, 1)) * Fraction(z.error, 2**BITS)
                    exact = at(entry, s) + off
                    with mpmath.workdps(40):
                        true = function(mpmath.mpf(exact.numerator) / exact.denominator)
                        found = at(made.terms[k], s)
                        gap = abs(
                            mpmath.mpf(found.numerator) / found.denominator - true
                        )
                        assert gap <= mpmath.mpf(made.error) / 2**BITS


@pytest.mark.parametrize("name", ["squared", "exponential", "logistic"])
def test_forces_and_how_they_change_agree_with_differences_of_the_loss(name):
    generator, rng = random.Random(10), np.random.default_rng(10)
    x, y = drawn(generator, 4, 2), np.array([[1, -1], [-1, -1], [1, 1], [-1, 1]])
    texts = [[[str(v) for v in row] for row in m] for m in (x, y)]
    given = {
        "weights": ["W"],
        "start": [[["1/3", "-1"], ["2", "1/7"]]],
        "constants": [[["1"]]],
        "model": [["scale", 0, 2]],
        "weight decay": ["0"],
        "loss": name,
        "data": {"X": texts[0], "Y": texts[1], "divisor": "4"},
    }
    known = checker.GivenProblem(given)
    W = np.array(known.start[0], dtype=float)
    force, steep, reach = known.force(checker.constant(known.start[0], (120, 1)))

    def loss(W):
        z = x.astype(float) @ W.T
        if name == "squared":
            return np.sum((z - y) ** 2) / 8
        return (
            np.sum(
                np.exp(-y * z) if name == "exponential" else np.log1p(np.exp(-y * z))
            )
            / 4
        )

    def slope(W):
        steps = [1e-6 * e.reshape(2, 2) for e in np.eye(4)]
        return np.array([(loss(W - h) - loss(W + h)) / 2e-6 for h in steps])

    found = [float(v) for v in checker.at([force], Fraction(1))]
    assert np.allclose(found, slope(W), atol=1e-7)
    for size in (0.1, 3):
        for _ in range(20):
            move = rng.standard_normal((2, 2))
            move *= size / np.linalg.norm(move)
            change = np.linalg.norm(slope(W + move) - slope(W))
            assert change <= float(steep) * size * np.exp(float(reach) * size) + 1e-7


def test_exponentials_have_terms_enough_for_their_bits():
    for bits in (20, 60, 200):
        value = checker.exponential(
            checker.constant([[Fraction(999, 1000)]], (bits, 0))
        )
        with mpmath.workdps(90):
            found = mpmath.mpf(value.terms[0][0]) / 2**bits
            gap = abs(found - mpmath.exp(mpmath.mpf(999) / 1000))
            assert gap <= mpmath.mpf(value.error) / 2**bits
        assert value.error < 4 * bits


def test_changes_of_the_force_are_bounded_closely_for_one_sample():
    given = {
        **SCALAR,
        "start": [[["1", "1/2"]]],
        "loss": "exponential",
        "data": {"X": [["3", "-4"]], "Y": [["1"]], "divisor": "1"},
    }
    known = checker.GivenProblem(given)
    _, steep, reach = known.force(checker.constant(known.start[0], (120, 1)))
    assert 25 * np.exp(-1) <= float(steep) <= 25 * np.exp(-1) * (1 + 1e-9)
    assert 5 <= reach < 5 + 1e-9


#: The flow w' = 2 − 3w from 1, and the polynomial 1, which is near it for a while.
SCALAR = {
    "weights": ["w"],
    "start": [[["1"]]],
    "constants": [[["1"]]],
    "model": [["scale", 0, 2]],
    "weight decay": ["0"],
    "data": {"sigma_xx": [["3"]], "sigma_yx": [["2"]]},
}
ONE = {
    "length": "1/1000",
    "widths": [6],
    "terms": [[b85encode((2**40).to_bytes(6, "little")).decode()]],
}


def test_what_is_proven_of_a_claim_is_above_what_is_true_and_close():
    known = checker.GivenProblem(SCALAR, [["2/9"]])
    step = checker.Stretch(known, (40, 0), ONE)
    _, after = step.bound(Fraction(0))
    gap = (1 - np.exp(-0.003)) / 3  # 1 − w(1/1000)
    for claim, true in (
        ({"weights": [[["1"]]], "radius": "1"}, gap),
        ({"W": [["1"]], "radius": "1"}, gap),
        ({"W": "best", "radius": "1"}, 1 / 3),
        ({"loss": "best"}, 1.5 / 9),
    ):
        said = {"bound": ["1", "1"]}
        claim["t"] = "1/1000"
        proven, *_ = step.judge(claim, said, Fraction(1), after)
        assert true <= proven <= true * 1.01 + 1e-4
    # any weight within 1/10 of the polynomial
    loss, *_ = step.judge(
        {"t": "1", "loss": "best"}, said, Fraction(1), Fraction(1, 10)
    )
    assert 0 <= loss - Fraction(3, 2) * Fraction(13, 30) ** 2 < Fraction(1, 2**20)


def test_the_path_that_is_left_is_longer_than_it_is():
    known = checker.GivenProblem(SCALAR, [["2/9"]])
    assert known.best == [[Fraction(2, 3)]]
    step = checker.Stretch(known, (40, 0), ONE)
    left = step.path(["1", "3"], Fraction(1, 2**30))
    assert 0 < left - Fraction(1, 3) < Fraction(1, 2**20)
    for constants in (["1.001", "3"], ["1", "3.001"], ["0", "3"], ["-1", "-3"]):
        with pytest.raises(checker.Refuted, match="too large"):
            step.path(constants, Fraction(1, 2**30))
    with pytest.raises(checker.Refuted, match="W\\*"):
        checker.GivenProblem(SCALAR, [["1/9"]])
    decaying = checker.GivenProblem({**SCALAR, "weight decay": ["1"]}, [["2/9"]])
    with pytest.raises(checker.Refuted, match="no limit"):
        checker.Stretch(decaying, (40, 0), ONE).path(["1", "3"], Fraction(0))


def test_limits_need_a_radius_within_which_the_flow_cannot_stop():
    # W = uv from the polynomial u = v = 1/16: J changes by more than it is
    given = {
        **SCALAR,
        "weights": ["u", "v"],
        "start": [[["1/16"]], [["1/16"]]],
        "constants": [],
        "model": [["matmul", 0, 1]],
        "weight decay": ["0", "0"],
    }
    small = [b85encode((2**36).to_bytes(6, "little")).decode()]
    step = checker.Stretch(
        checker.GivenProblem(given, [["2/9"]]), (40, 0), {**ONE, "terms": [small] * 2}
    )
    with pytest.raises(checker.Refuted, match="leave"):
        step.path(["1/16", "3"], Fraction(1, 2**30))


# claims of every kind, and what becomes of them


IN_TIME = ("weights", "logistic", "rate", "least norm", "law")
EACH = [
    kind if kind in IN_TIME else pytest.param(kind, marks=pytest.mark.slow)
    for kind in KINDS
]


@pytest.mark.parametrize("kind", EACH)
def test_true_claims_of_every_kind_are_accepted_and_changed_ones_are_not(
    tmp_path, kind
):
    seen = Counter()
    assert list(faults(kind, 0, 4, tmp_path, seen)) == []
    assert seen["true: 0"] == 1
    assert seen["changed: 1"] > 0


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda d: d["statement"]["bound"].__setitem__(1, "40"), "no proof"),
        (lambda d: d["statement"]["bound"].__setitem__(0, "-1"), "no proof"),
        (lambda d: d["evidence"]["root of best"][0].__setitem__(0, "1"), "W* Σ_xx"),
    ],
)
def test_bounds_of_the_loss_are_refuted(tmp_path, change, why):
    document = certificate_of("rate", 1, tmp_path)
    change(document)
    code, said = verdict(tmp_path, document)
    assert (code, why in said) == (1, True)


def test_moments_of_many_samples_are_named_by_their_digest(tmp_path):
    _, file = certificate(tmp_path, t=1, digits=10)
    document = json.loads(file.read_text())
    known = checker.GivenProblem(document["problem"])
    texts = [[[str(x) for x in row] for row in m] for m in (known.xx, known.yx)]
    data = dict(zip(("sigma_xx", "sigma_yx"), texts, strict=True))
    document["problem"]["data"] = {**data, "sha256 of the samples": "ab" * 32}
    code, said = verdict(tmp_path, document)
    assert (code, "ab" * 32 in said) == (0, True)


def test_what_certify_has_not_proven_has_no_certificate(tmp_path):
    near = WHITENED.sigma_yx + Fraction(1, 10**6)
    start = [np.eye(2, dtype=int)] * 2
    wrong = sf.solve(DENSE, sf.whitened(near + near.T), start)
    refuted = sf.certify(wrong, DENSE, WHITENED, start, 1, digits=10)
    assert refuted.status is sf.Status.REFUTED
    with pytest.raises(InvalidArgument, match="refuted"):
        sf.save(refuted, tmp_path / "c.json")


def test_certificates_of_laws_are_those_of_every_width(tmp_path):
    law = sf.conserved(DENSE)[0]
    proven = sf.certify(law, DENSE, WHITENED, [np.eye(2, dtype=int)] * 2, 1, digits=10)
    file = sf.save(proven, tmp_path / "c.json")
    assert sf.load(file) == law
    assert "every loss" in checker.main([str(file)])[1]


TRACE = {
    "shapes": {"A": ["m", "h"], "B": ["h", "d"]},
    "learning rates": {"A": "1", "B": "1"},
    "model": [["1", ["A", "B"]]],
}


@pytest.mark.parametrize(
    ("words", "accepted"),
    [
        ([["1", ["A", "A'"]], ["-1", ["B'", "B"]]], True),
        ([["1", ["A'", "A"]], ["-1", ["B", "B'"]]], True),
        ([["1", ["A'", "A"]], ["1", ["B", "B'"]]], False),
        ([["1", ["A'", "A"]], ["-2", ["B", "B'"]]], False),
        ([["1", ["A'", "A"]]], False),
    ],
)
def test_traces_are_those_of_turned_words(words, accepted):
    statement = {"kind": "law", "trace": True, "quantity": words}
    if accepted:
        assert "tr " in checker.check_law(TRACE, statement, {})[1]
    else:
        with pytest.raises(checker.Refuted):
            checker.check_law(TRACE, statement, {})


def test_traces_of_matrices_that_are_not_square_are_unreadable():
    statement = {"kind": "law", "trace": True, "quantity": [["1", ["A", "B"]]]}
    with pytest.raises(ValueError, match="sizes"):
        checker.check_law(TRACE, statement, {})


def test_letters_that_are_turned_twice_are_unreadable():
    words = [["1", ["A''", "A'"]], ["-1", ["B", "B'"]]]
    with pytest.raises(KeyError):
        checker.check_law(TRACE, {"kind": "law", "quantity": words}, {})
