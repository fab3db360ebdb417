"""What is loaded equals what was saved, to the last digit."""

import json
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from types import SimpleNamespace

import mpmath
import numpy as np
import pytest
import sympy

import symflow as sf
from symflow.algebra.reading import read_expression
from symflow.io import reader

FLOW = sf.gradient_flow(sf.LinearNetwork(3, 2, 2), sf.SquaredLoss(l2=0.1))
START = [[[1, 0, Fraction(1, 3)], [0, 1, 0]], [[sympy.sqrt(2), 0], [0, 1]]]
EXACT = sf.Moments(
    [[2, 0, 0], [0, 1, 0], [0, 0, Fraction(1, 7)]], [[1, 0, 0], [0, Fraction(1, 3), 0]]
)
ENDINGS = pytest.mark.parametrize("ending", ["npz", "json"])


@ENDINGS
@pytest.mark.parametrize(
    "flow",
    [
        FLOW,
        sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), sf.SquaredLoss()),
        sf.gradient_flow(sf.LinearNetwork("d", 3, 1), sf.SquaredLoss(l2="lambda")),
        sf.gradient_flow(sf.LinearNetwork(2, 1), sf.SquaredLoss(reduction="sum")),
    ],
    ids=repr,
)
def test_flows_come_back_equal(tmp_path, ending, flow):
    again = sf.load(sf.save(flow, tmp_path / f"flow.{ending}"))
    assert again == flow
    assert hash(again) == hash(flow)
    assert str(again) == str(flow)
    assert again.rhs == flow.rhs
    assert sf.compile(again).source == sf.compile(flow).source


@ENDINGS
def test_float_trajectories_come_back_to_the_last_bit(tmp_path, ending):
    run = sf.simulate(FLOW, EXACT, START, [0, 0.1, 1 / 3])
    again = sf.load(sf.save(run, tmp_path / f"run.{ending}"))
    assert np.array_equal(again.t, run.t)
    for one, other in zip(again.weights, run.weights, strict=True):
        assert np.array_equal(one, other)
        assert one.dtype == np.float64
    assert again.stats == run.stats
    assert np.array_equal(again.loss, run.loss)
    assert again.problem.data["Sigma_xx"][2, 2] == sympy.Rational(1, 7)
    (law,) = sf.conserved(again.flow)
    assert np.array_equal(law.residuals(again), law.residuals(run))
    with pytest.raises(sf.InvalidArgument, match="no dense output"):
        again.at(0.2)


@ENDINGS
def test_fifty_digits_come_back_in_an_arithmetic_of_their_own(tmp_path, ending):
    context = mpmath.MPContext()
    context.dps = 60
    run = sf.simulate(FLOW, EXACT, START, [0, 1])
    third = context.mpf(1) / 3
    weights = tuple(
        np.array([np.full(w.shape[1:], third * (1 + k)) for k in range(2)])
        for w in run.weights
    )
    times = np.array([Fraction(0), Fraction(1, 3)], object)
    precise = sf.Trajectory(
        run.problem, times, weights, "by hand", 50, third, {}, context
    )
    again = sf.load(sf.save(precise, tmp_path / f"run.{ending}"))
    assert again.context.prec == context.prec
    assert again.t[1] == Fraction(1, 3)
    entry = again.weights[0][1, 0, 0]
    assert entry.context is again.context
    assert entry._mpf_ == (2 * third)._mpf_
    assert again.error._mpf_ == third._mpf_
    assert mpmath.mp.prec == 53


@ENDINGS
def test_reports_come_back(tmp_path, ending):
    run = sf.simulate(FLOW, EXACT, START, [0, 1])
    report = sf.validate(sf.conserved(FLOW), run)
    again = sf.load(sf.save(report, tmp_path / f"report.{ending}"))
    assert again == report
    assert again.to_json() == report.to_json()


@ENDINGS
def test_enclosures_come_back_with_their_proof(tmp_path, ending):
    # as .json it is a certificate, which carries rational numbers only
    start = START if ending == "npz" else [START[0], [[Fraction(7, 5), 0], [0, 1]]]
    ball = sf.enclose(FLOW, EXACT, start, [1, 2], digits=20)
    again = sf.load(sf.save(ball, tmp_path / f"ball.{ending}"))
    assert type(again) is type(ball)
    assert again.proof == ball.proof
    assert np.array_equal(again.radius, ball.radius)
    assert np.array_equal(again.t, ball.t)
    assert [e._mpf_ for e in again.weights[0].flat] == [
        e._mpf_ for e in ball.weights[0].flat
    ]
    assert again.excludes(ball.end_to_end[-1] + 1e-9)


@ENDINGS
def test_sweeps_come_back(tmp_path, ending):
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.SquaredLoss())
    problem = (flow, sf.whitened([[1.0, 0.5]]), sf.gaussian_init(0.5, rng=0), [0, 1])
    with ThreadPoolExecutor(1) as pool:
        done = sf.sweep(*problem, runs=3, executor=pool)
    again = sf.load(sf.save(done, tmp_path / f"sweep.{ending}"))
    assert np.array_equal(again.end_to_end, done.end_to_end)
    assert (again.failures, again.stats, again.entropy) == ({}, done.stats, 0)
    assert np.array_equal(again[1].loss, done[1].loss)


@ENDINGS
def test_data_and_rules_come_back(tmp_path, ending):
    moments = sf.load(sf.save(EXACT, tmp_path / f"data.{ending}"))
    assert moments.exact
    assert np.all(moments.sigma_yx == EXACT.sigma_yx)
    rule = sf.gaussian_init(0.5, rng=3)
    again = sf.load(sf.save(rule, tmp_path / f"rule.{ending}"))
    assert again == rule
    network = sf.LinearNetwork(2, 2, 1)
    assert np.array_equal(again.draw(network)[0], rule.draw(network)[0])


@pytest.mark.parametrize("value", [np.nan, np.inf, -0.0, 5e-324, 0.1])
def test_json_keeps_every_float(tmp_path, value):
    run = sf.simulate(FLOW, EXACT, START, [0, 1])
    run.stats["odd"] = value
    again = sf.load(sf.save(run, tmp_path / "run.json")).stats["odd"]
    assert np.array([again]).tobytes() == np.array([value]).tobytes()


def test_the_header_says_what_and_by_which_versions(tmp_path):
    path = sf.save(FLOW, tmp_path / "flow.json")
    header = json.loads(path.read_text())
    assert header["kind"] == "GradientFlow"
    assert header["versions"]["sympy"] == sympy.__version__


@pytest.mark.parametrize(
    "expr",
    [
        sympy.Rational(-22, 7),
        sympy.sqrt(2) * sympy.pi + sympy.exp(sympy.Rational(1, 3)),
        sympy.Symbol("h", integer=True, positive=True),
        sympy.Float("0.1", 40),
        sympy.Trace(sympy.MatrixSymbol("A", 2, 3) * sympy.MatrixSymbol("B", 3, 2)),
        sympy.oo,
    ],
    ids=str,
)
def test_expressions_are_read_without_eval(expr):
    assert read_expression(sympy.srepr(expr)) == expr


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('true')",
        "exp('__import__(\"os\")')",
        "lambdify(Symbol('x'))",
        "open('/etc/passwd')",
        "(lambda: 1)()",
    ],
)
def test_text_that_is_no_expression_is_refused(tmp_path, text):
    path = sf.save(FLOW, tmp_path / "flow.json")
    header = json.loads(path.read_text())
    header["object"]["fields"]["loss"]["fields"]["l2"] = {"sympy": text}
    path.write_text(json.dumps(header))
    with pytest.raises(sf.InvalidData):
        sf.load(path)


def test_files_that_cannot_be_read_say_why(tmp_path):
    with pytest.raises(sf.InvalidArgument, match="no such file"):
        sf.load(tmp_path / "nothing.npz")
    path = sf.save(FLOW, tmp_path / "flow.npz")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(sf.InvalidData, match="damaged"):
        sf.load(path)
    np.savez(tmp_path / "pickle.npz", header=np.array([{}], dtype=object))
    with pytest.raises(sf.InvalidData, match="no file of symflow"):
        sf.load(tmp_path / "pickle.npz")
    text = sf.save(FLOW, tmp_path / "flow.json")
    text.write_text(text.read_text().replace('"symflow file": 1', '"symflow file": 2'))
    with pytest.raises(sf.InvalidData, match="later format"):
        sf.load(text)


def test_what_cannot_be_stored_is_named(tmp_path):
    with pytest.raises(sf.InvalidArgument, match=r"ends with \.npz or"):
        sf.save(FLOW, tmp_path / "flow.pkl")
    with pytest.raises(sf.InvalidArgument, match="a Kernel cannot be stored"):
        sf.save(sf.compile(FLOW), tmp_path / "kernel.json")
    with pytest.raises(sf.OutputError, match="cannot write there"):
        sf.save(FLOW, tmp_path / "no" / "flow.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", [".npz", ".json"])
@pytest.mark.parametrize("made", [int, Fraction, sympy.Integer, lambda n: [n]])
def test_an_integer_that_python_does_not_write_is_refused(tmp_path, made, ending):
    with pytest.raises(sf.InvalidArgument, match="what no file can"):
        sf.save(made(10**5000), tmp_path / f"number{ending}")
    assert list(tmp_path.iterdir()) == []


def test_a_number_in_a_file_cannot_be_code(tmp_path, capsys):
    """The text of a weight decay was handed to SymPy, which ran it."""
    path = sf.save(sf.SquaredLoss(l2=0.1), tmp_path / "loss.json")
    text = path.read_text(encoding="utf-8")
    evil = text.replace('{\n    "sympy": "Rational(1, 10)"\n   }', '"print(3)"')
    assert evil != text
    path.write_text(evil, encoding="utf-8")
    with pytest.raises((sf.SymflowError, sympy.SympifyError, TypeError)):
        sf.compile(sf.gradient_flow(sf.LinearNetwork(1, 1), sf.load(path)))
    assert capsys.readouterr().out == ""


def test_a_path_has_to_be_a_name():
    with pytest.raises(sf.InvalidArgument, match=r"load\(path=…\).* got 5"):
        sf.load(5)
    with pytest.raises(sf.InvalidArgument, match=r"save\(obj, path=…\).* got 5"):
        sf.save(sf.whitened([[2]]), 5)


def test_an_alias_of_a_type_is_that_type():
    """What annotates arrays is an alias from NumPy 2.5 on, where Python has these."""
    alias = SimpleNamespace(__value__=np.ndarray)
    assert reader._fits(np.eye(2), alias)
    assert not reader._fits("text", alias)


@pytest.mark.parametrize(
    ("name", "place", "value"),
    [
        ("run", ("context",), 3),
        ("run", ("problem", "fields", "given", "fields", "data"), {"sympy": "oo"}),
        ("report", ("rows", "tuple", 0, "fields", "bound"), "small"),
        ("report", ("rows", "tuple", 0, "fields", "residual"), {"list": []}),
        ("sweep", ("stats", "tuple", 0, "dict", 0, 1), {"list": []}),
    ],
)
def test_a_field_of_another_kind_is_refused(tmp_path, name, place, value):
    flow, data = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), FLOW.loss), [[2.0]]
    problem = (flow, sf.whitened(data), sf.gaussian_init(0.5, rng=0), [0, 1])
    run = sf.simulate(*problem)
    with ThreadPoolExecutor(1) as pool:
        sweep = sf.sweep(*problem, runs=1, executor=pool)
    report = sf.validate(sf.conserved(flow), run)
    made = {"run": run, "report": report, "sweep": sweep}
    path = sf.save(made[name], tmp_path / "made.json")
    header = json.loads(path.read_text())
    *outer, last = place
    part = header["object"]["fields"]
    for key in outer:
        part = part[key]
    assert part[last] != value
    part[last] = value
    path.write_text(json.dumps(header))
    with pytest.raises(sf.InvalidData, match="cannot be"):
        sf.load(path)
