"""Sets of starts and data: every flow is enclosed, and what ends is proven."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import flint
import numpy as np
import pytest
import sympy
from adversary import boxes

import symflow as sf
from symflow.algebra.arrays import has_sets
from symflow.codegen import evaluate, rhs_program
from symflow.flow.problem import bind
from symflow.precision.balls import as_matrix, spectral, to_arb_array
from symflow.precision.contraction import ContractionBound
from symflow.precision.curvature import CurvatureBound
from symflow.precision.fading import FadingRemainder
from symflow.precision.hessian import HessianBound
from symflow.precision.limit import Remainder
from symflow.precision.reached import ReachedRemainder

SCALAR = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
TWO = sf.whitened([[2]])


def near(value, radius):
    value, radius = Fraction(value), Fraction(radius)
    return sf.interval(value - radius, value + radius)


@pytest.mark.parametrize("seed", [3, 7, 25, 39, 56])
def test_runs_from_inside_random_sets_are_contained(seed):
    """The long form is `python tests/adversary/boxes.py`."""
    assert boxes.check(seed, runs=2).startswith("enclosed")


@pytest.mark.parametrize("seed", [2, 3, 5])
def test_runs_from_inside_sets_around_other_models_are_contained(seed):
    """The long form is `python tests/adversary/boxes.py --models`."""
    assert boxes.check(seed, runs=2, models=True).startswith("enclosed")


def pulled_apart(problem, theta, move, size):
    """Return ⟨E, f(θ + E) − f(θ)⟩/|E|² for E of a size along a move, in float64."""
    length = np.sqrt(sum(np.sum(step**2) for step in move))
    move = [size * step / length for step in move]
    ends = theta, [a + b for a, b in zip(theta, move, strict=True)]
    program = rhs_program(problem.flow)
    first, last = (evaluate(program, [*w, *problem.arguments]) for w in ends)
    gaps = zip(move, last, first, strict=True)
    return sum(np.sum(e * (b - a)) for e, b, a in gaps) / size**2


@pytest.mark.parametrize("measured", [False, True])
@pytest.mark.parametrize("name", boxes.MODELS)
def test_no_two_fields_of_a_model_separate_faster_than_the_bound(name, measured):
    """As below; towards a minimum only what convexity takes away is below zero."""
    rng = np.random.default_rng(len(name))
    network, inputs, outputs = boxes.MODELS[name]()
    shapes = [tuple(map(int, s.shape)) for s in network.parameters]
    theta = [rng.normal(size=shape) for shape in shapes]
    loss = sf.MeasurementLoss() if measured else sf.SquaredLoss(l2="1/5")
    flow, still = sf.gradient_flow(network, loss), [flint.arb(0)] * len(theta)
    best = 0.0
    for trial in range(8):
        data = sf.Dataset(rng.normal(size=(4, inputs)), rng.normal(size=(4, outputs)))
        if measured:
            matrices = rng.normal(size=(4, outputs, inputs))
            data = sf.Measurements(matrices, rng.normal(size=4))
        problem = bind(flow, data, theta)
        at = [as_matrix(weight) for weight in theta]
        bounds = [
            k(problem).around(at, still) for k in (CurvatureBound, ContractionBound)
        ]
        for size in (1e-3, 0.1, 1.0):
            move = [rng.normal(size=shape) for shape in shapes]
            if trial % 2:
                move = [-step for step in theta]
            work = pulled_apart(problem, theta, move, size)
            plain, close = (float(bound.rate(flint.arb(size))) for bound in bounds)
            assert work <= close + 1e-9 <= plain + 2e-9
            best = max(best, plain - close)
    assert best > 0.01


def test_the_bound_of_a_model_knows_its_third_derivative():
    """From 0 to u = (e, e, e)/√3 of u₁u₂u₃ with the force 1 it is e/√3."""
    flow = sf.gradient_flow(sf.DiagonalNetwork(1, 3, signed=True), sf.SquaredLoss())
    problem = bind(flow, sf.Dataset([[1]], [1]), [[[0]]] * 6, exact=True)
    zero = [flint.arb_mat([[0]])] * 6
    bound = ContractionBound(problem).around(zero, [flint.arb(0)] * 6)
    for size in (1e-3, 1e-2):
        attained = size / np.sqrt(3) * (1 - size**3 / np.sqrt(27))
        assert attained < float(bound.rate(flint.arb(size))) < 10 * attained


def test_all_starts_of_a_set_end_in_one_point_where_minima_are_isolated():
    """Then the bound is one of |v(m)|, however wide the set; but not at saddles."""
    flow = sf.gradient_flow(sf.DiagonalNetwork(1, 2), sf.SquaredLoss(l2="1/10"))
    problem = bind(flow, sf.Dataset([[1]], [1]), [[[1]], [[1]]], exact=True)
    remainder = FadingRemainder(problem)
    end = [to_arb_array(np.array([[np.sqrt(0.9)]]))] * 2  # w(1 − w²) = w/10
    assert 1e-17 < remainder.distance(end, flint.arb("0.02")) < 1e-14
    off = [to_arb_array(np.array([[np.sqrt(0.9) + 1e-6]]))] * 2
    # the slow direction is that of (1, 1), along which H is 2w² = 1.8
    left = remainder.distance(off, flint.arb("0.001"))
    assert np.sqrt(2) * 1e-6 < left < 20e-6
    with pytest.raises(sf.PrecisionLost, match="leaving a saddle"):
        remainder.distance([end[0] * 0] * 2, flint.arb("0.01"))


def test_what_is_no_number_has_no_norm():
    """A bound that cannot be computed is no bound of zero."""
    assert not spectral(flint.arb_mat([[flint.arb("nan")]])).is_finite()
    assert spectral(flint.arb_mat([[0, 0]])) == 0


@pytest.mark.parametrize(
    "loss",
    [
        sf.SquaredLoss(l2="1/5"),
        sf.MeasurementLoss(),
        sf.LogisticLoss(),
        sf.ExponentialLoss("sum"),
    ],
)
@pytest.mark.parametrize("widths", [(2, 1), (2, 3, 1), (2, 2, 2, 1), (2, 1, 1, 1, 1)])
def test_no_two_fields_separate_faster_than_the_bound(loss, widths):
    """⟨E, f(θ + E) − f(θ)⟩ ≤ μ(|E|) |E|², near and far, in float64."""
    rng = np.random.default_rng(len(widths))
    flow = sf.gradient_flow(sf.LinearNetwork(*widths), loss)
    data = sf.Dataset(rng.normal(size=(4, 2)), rng.choice([-1.0, 1.0], size=(4, 1)))
    if isinstance(loss, sf.MeasurementLoss):
        data = sf.Measurements(rng.normal(size=(4, 1, 2)), rng.normal(size=4))
    shapes = [(b, a) for a, b in pairwise(widths)]
    tightest = 0.0
    for trial in range(16):
        theta = [rng.normal(size=shape) for shape in shapes]
        problem = bind(flow, data, theta)
        still = [flint.arb(0)] * len(theta)
        balls = [as_matrix(weight) for weight in theta]
        bounds = [HessianBound(problem).around(balls, still)]
        if isinstance(loss, sf.SquaredLoss | sf.MeasurementLoss):
            bounds.append(ContractionBound(problem).around(balls, still))
        for size in (1e-3, 0.3, 2.0):
            move = [rng.normal(size=shape) for shape in shapes]
            if trial % 2:  # towards a worst case: along the top of the Jacobian
                move = [-step for step in theta]
            work = pulled_apart(problem, theta, move, size)
            rates = [float(bound.rate(flint.arb(size))) for bound in bounds]
            assert work <= min(rates) + 1e-9
            assert rates[0] >= rates[-1]
            rate = rates[-1]
            if rate > 0:
                tightest = max(tightest, work / rate)
    assert tightest > 0.02 or len(widths) == 2


def test_the_bound_is_attained_by_two_layers():
    """μ(e) = ‖F‖₂ + σe²/16: at W = 0, F = 2 along (1, 1), and around a minimum."""
    problem = bind(SCALAR, TWO, [[[0]], [[0]]], digits=20)
    zero = [flint.arb_mat([[0]])] * 2
    bound = HessianBound(problem).around(zero, [flint.arb(0)] * 2)
    assert float(bound.rate(flint.arb(0))) == pytest.approx(2)
    assert float(bound.rate(flint.arb(2))) == pytest.approx(2 + 4 / 16)
    # from (w, w) to −(w, w)/3 the square R + B/2 vanishes, and nothing is lost
    w = Fraction(1)
    start, end = [[[w]], [[w]]], -w / 3
    work = 2 * (end - w) * (end * (2 - end**2) - w * (2 - w**2))
    square = 2 * (end - w) ** 2
    at = [flint.arb_mat([[1]])] * 2
    problem = bind(SCALAR, TWO, start, digits=20)
    bound = HessianBound(problem).around(at, [flint.arb(0)] * 2)
    attained = float(bound.rate(flint.arb(float(square)).sqrt()))
    assert attained == pytest.approx(float(work / square), rel=1e-12)
    close = ContractionBound(problem).around(at, [flint.arb(0)] * 2)
    assert float(close.rate(flint.arb(float(square)).sqrt())) >= work / square - 1e-9
    assert float(close.rate(flint.arb(0))) < 0 < float(bound.rate(flint.arb(0)))


@pytest.mark.parametrize("kind", [Remainder, ReachedRemainder])
def test_rates_and_bends_hold_within_a_radius(kind, monkeypatch):
    """Of W = ab around (√2, √2): a² + b² is (2 − ρ)² at least, and |B| = |xy|."""
    problem = bind(SCALAR, TWO, [[[1]], [[1]]], digits=20, exact=True)
    middle, seen = [to_arb_array(np.array([[np.sqrt(2)]])) for _ in range(2)], []
    monkeypatch.setattr(
        f"{kind.__module__}.distance_left", lambda sizes, error, near, rates: near
    )
    near = kind(problem).distance(middle, flint.arb("0.1"))
    for size in (1e-3, 0.1, 0.4, 1.0, 1.5):
        rate, bend = near(flint.arb(size))
        assert rate <= (2 - size) ** 2 + 1e-12
        assert bend >= size**2 / 2 - 1e-12
        seen.append(float(rate) / (2 - size) ** 2)
    assert min(seen[:2]) > 0.7


@pytest.mark.parametrize("kind", [Remainder, ReachedRemainder, FadingRemainder])
def test_starts_around_a_minimum_end_no_farther_than_the_bound(kind):
    """Some go away first: those with x + y between −xy/w and −2xy/w."""
    problem = bind(SCALAR, TWO, [[[1]], [[1]]], digits=20, exact=True)
    remainder, w, away = kind(problem), np.sqrt(2), 0
    sizes = np.array([0.05, 0.1, 0.2]) / {Remainder: 1, ReachedRemainder: 2}.get(
        kind, 8
    )
    middle = [to_arb_array(np.array([[w]])) for _ in range(2)]
    for size in sizes:
        bound = float(remainder.distance(middle, flint.arb(size)))
        assert size <= bound < 8 * size
        for angle in np.linspace(0, 2 * np.pi, 240):
            a, b = w + size * np.cos(angle), w + size * np.sin(angle)
            # ab = 2 and a² − b² stays
            gap = a * a - b * b
            last = np.sqrt((gap + np.sqrt(gap**2 + 16)) / 2)
            ends = np.hypot(last - w, 2 / last - w)
            assert ends <= bound + 1e-14
            away += ends > size + 1e-12
    assert away > 0
    with pytest.raises(sf.PrecisionLost, match="cannot be proven"):
        remainder.distance(middle, flint.arb(1.5))


def test_a_set_of_no_size_is_its_number_and_balls_are_sets():
    exact = sf.enclose(SCALAR, TWO, [[[1]], [[Fraction(1, 2)]]], 1, digits=20)
    point = sf.interval(0.5, 0.5)
    same = sf.enclose(SCALAR, TWO, [[[1]], [[point]]], 1, digits=20)
    assert same.sets is None
    assert same.radius == exact.radius
    tiny = sf.enclose(SCALAR, TWO, [[[1]], [[near("1/2", "1e-60")]]], 1, digits=20)
    assert tiny.radius[0] < 1e-20
    ball = sf.enclose(SCALAR, TWO, [[[1]], [[flint.arb(0.5, 0.125)]]], 1, digits=20)
    wide = sf.enclose(SCALAR, TWO, [[[1]], [[near("1/2", "1/8")]]], 1, digits=20)
    assert ball.radius[0] == pytest.approx(wide.radius[0], rel=1e-6)
    assert ball.radius[0] > 0.125 / 2
    assert "all starts" in repr(ball)
    assert has_sets(ball.problem.weights[1])
    assert ball.start_balls()[1][0, 0].contains(flint.arb(0.625))


@pytest.mark.parametrize("ends", [(1, 0), ("a", 2), (0, sympy.pi), (0, float("inf"))])
def test_intervals_have_rational_ends_in_order(ends):
    with pytest.raises(sf.InvalidArgument):
        sf.interval(*ends)


def test_pieces_prove_more():
    start = [[[near("1/2", "1/10")]], [[near("2/5", "1/10")]]]
    times = [0, 1, 3]
    whole = sf.enclose(SCALAR, TWO, start, times, digits=12)
    parts = sf.enclose(SCALAR, TWO, start, times, digits=12, pieces=8)
    assert parts.radius[2] < 0.5 * whole.radius[2]
    assert "8 pieces" in repr(parts)
    for corner in (["0.6", "0.5"], ["0.4", "0.3"], ["0.6", "0.3"]):
        inside = [[[Fraction(x)]] for x in corner]
        run = sf.precise(SCALAR, TWO, inside, times, digits=30)
        assert parts.contains(run)
        assert whole.contains(run)


def test_a_set_that_is_too_wide_is_refused():
    start = [[[near(0, 2)]], [[near(0, 2)]]]
    with pytest.raises(sf.PrecisionLost, match="pieces="):
        sf.enclose(SCALAR, TWO, start, 3, digits=12)


def test_every_start_of_a_set_ends_at_the_only_minimizer():
    sigma = [[2, 1], [1, 2]]
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    data = sf.Moments(sigma, [[3, 0], [1, 2]])
    best = sympy.Matrix([[3, 0], [1, 2]]) * sympy.Matrix(sigma).inv()
    start = [[[near(1, 0.01), 0], [0, near(1, 0.01)]], [[1, near(0, 0.01)], [0, 1]]]
    ball = sf.enclose(flow, data, start, [1, sympy.oo], digits=12)
    assert ball.contains(best)
    assert ball.end_to_end_radius[-1] < 1e-11
    assert ball.radius[-1] > 1e-3
    claim = sf.implicit_bias(flow, data, [[[1, 0], [0, 1]], [[1, 0], [0, 1]]])
    proven = sf.certify(claim, ball)
    assert proven.ok
    assert proven.radius < 1e-10
    law = sf.conserved(flow)[0]
    assert sf.certify(law, flow, data, start, 1, digits=12).ok


@pytest.mark.parametrize("inside", [True, False])
def test_sets_in_the_row_space_end_at_the_least_norm(inside):
    X = sympy.Matrix([[1, 2, 0], [0, 1, 1]])
    Y = sympy.Matrix([1, -1])
    least = (X.T * (X * X.T).inv() * Y).T
    data, flow = (
        sf.Dataset(X, Y),
        sf.gradient_flow(sf.LinearNetwork(3, 1, 1), sf.SquaredLoss()),
    )
    # the row (1, 1, −1) is (1, 2, 0) − (0, 1, 1)
    third = -1 if inside else near(-1, Fraction(1, 1000))
    start = [[[1, 1, third]], [[near(1, Fraction(1, 1000))]]]
    ball = sf.enclose(flow, data, start, sympy.oo, digits=10)
    assert ball.contains(least)
    assert (ball.end_to_end_radius[-1] < 1e-8) == inside
    fitted = X * sympy.Matrix(ball.limit.T)
    assert max(abs(float(x)) for x in fitted - Y) < 0.1


def test_data_may_be_sets_and_the_end_is_that_of_each():
    data = sf.Dataset([[1], [2]], [near(1, "1/100"), 2])
    start = [[[0.5]], [[0.75]]]
    ball = sf.enclose(SCALAR, data, start, [1, sympy.oo], digits=10)
    for target in ("0.99", "1.01"):
        member = sf.Dataset([[1], [2]], [Fraction(target), 2])
        inner = sf.precise(SCALAR, member, start, [1], digits=25)
        assert ball.contains(inner)
        assert ball.contains([[Fraction(Fraction(target) + 4, 5)]])
    assert ball.excludes([[1.1]])
    assert "interval" in repr(data.moments().sigma_yx[0, 0])
    moments = sf.Moments([[near(1, "1/100")]], [[1]])
    ball = sf.enclose(SCALAR, moments, start, 1, digits=10)
    for top in ("0.99", "1.01"):
        member = sf.Moments([[Fraction(top)]], [[1]])
        assert ball.contains(sf.precise(SCALAR, member, start, [1], digits=25))
    with pytest.raises(sf.HypothesisFailed, match="positive semidefinite"):
        sf.enclose(SCALAR, sf.Moments([[near(0, 1)]], [[1]]), start, 1, digits=10)
    with pytest.raises(sf.InvalidArgument, match="given by weights"):
        sf.enclose(SCALAR, moments, sf.gaussian_init(1, rng=1), 1, digits=10)


def test_other_models_take_sets():
    flow = sf.gradient_flow(sf.DiagonalNetwork(2, signed=True), sf.SquaredLoss())
    data = sf.Dataset([[1, 2], [0, 1]], [1, 1])
    middle = [["1/2", "1/4"], ["1/2", "1/3"], ["1/4", "1/4"], ["1/8", "0"]]
    start = [[[near(x, "1/500")] for x in column] for column in middle]
    ball = sf.enclose(flow, data, start, 1, digits=10)
    corner = [[[Fraction(x) + Fraction(1, 500)] for x in column] for column in middle]
    assert ball.contains(sf.precise(flow, data, corner, [1], digits=25))
    assert CurvatureBound(ball.problem)  # the second derivative, for what is no product


def test_an_enclosure_of_sets_is_not_saved_as_one_of_a_point(tmp_path):
    start = [[[near(1, "1/10")]], [[1]]]
    ball = sf.enclose(SCALAR, TWO, start, 1, digits=10)
    with pytest.raises(sf.PrecisionLost, match="checker are simpler"):
        sf.save(ball, tmp_path / "ball.json")
    early = sf.enclose(SCALAR, TWO, start, Fraction(1, 8), digits=10)
    sf.save(early, tmp_path / "early.json")
    document = json.loads((tmp_path / "early.json").read_text("utf-8"))
    assert document["problem"]["start radii"] == [[["1/10"]], [["0"]]]
    sf.save(ball, tmp_path / "ball.npz")
    again = sf.load(tmp_path / "ball.npz")
    assert again.problem.is_set
    assert again.radius[-1] == ball.radius[-1] > 0.05


@pytest.mark.parametrize("square", [False, True])
def test_a_basin_map_agrees_with_sampled_runs(square):
    """The long form is `python tests/adversary/boxes.py --map 10000`."""
    thin = Fraction(1, 2), Fraction(51, 100)
    if square:
        found = boxes.mapped("2×2", 2, ((1, Fraction(5, 4)), (0, Fraction(1, 100))))
    else:
        found = boxes.mapped("1-1", 8, ((Fraction(-3, 2), Fraction(1, 2)), thin))
    assert sum(found.shares.values()) == pytest.approx(1)
    decided = [ending for ending in found.shares if ending is not None]
    assert len(decided) == (1 if square else 2)
    assert 1 - found.shares.get(None, 0) > 0.1
    assert boxes.disagreements(found, 40, seed=1) == []
    wrong = replace(found, cells=tuple(map(flipped, found.cells)))
    assert boxes.disagreements(wrong, 40, seed=1)


def flipped(cell):
    return cell if cell.ending is None else replace(cell, ending=(*cell.ending, 9))


def test_a_basin_map_needs_two_intervals_in_its_box():
    for box in ([[[1]], [[near(1, 1)]]], [[[1]], [[1]]]):
        with pytest.raises(sf.InvalidArgument, match="exactly two"):
            sf.basin(SCALAR, TWO, box)
    start = [[[near(1, 1)]], [[near(1, 1)]]]
    with pytest.raises(sf.InvalidArgument, match="exactly two"):
        sf.basin(SCALAR, sf.whitened([[near(1, 1)]]), start)
    decay = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss(l2=1))
    with pytest.raises(sf.HypothesisFailed):
        sf.basin(decay, TWO, start)
    small = [[[near(1, "1/100")]], [[near(1, "1/100")]]]
    found = sf.basin(SCALAR, TWO, small, 1)
    assert found.ending(1, 1) == (1, 1)
    with pytest.raises(sf.InvalidArgument, match="in the box"):
        found.ending(2, 1)
