"""Closed forms under weight decay, against integration, quadrature and plain SymPy."""

from fractions import Fraction
from itertools import pairwise
from random import Random

import mpmath
import numpy as np
import pytest
import sympy
from flint import arb

import symflow as sf
from symflow.convergence import regime
from symflow.flow.problem import bind
from symflow.precision.fading import FadingRemainder
from symflow.precision.image import along
from symflow.solutions import DecayingMode, LinearRegression, LogisticMode

DECAYS = Fraction(1, 10), Fraction(1, 3), Fraction(1)
TURN = np.array([[3, -4], [4, 3]], dtype=object) * Fraction(1, 5)
SWAP = np.array([[0, 1], [1, 0]], dtype=object)
#: How many of each are drawn, and how many singular values have to die.
KINDS = {
    "one layer": (25, 0),
    "logistic": (25, 8),
    "deep 3": (12, 4),
    "deep 4": (8, 3),
    "riccati": (15, 3),
    "tied": (15, 5),
}


def part(rng, low=0, high=8):
    return Fraction(rng.randint(low, high), 4)


def diagonal(*entries):
    return np.array([[entries[0], 0], [0, entries[1]]], dtype=object)


def drawn(kind, rng):
    """A rational problem of a kind: network, weight decay, data and start."""
    l2, sizes = rng.choice(DECAYS), diagonal(part(rng, 0, 5), part(rng, 0, 5))
    sigma = diagonal(part(rng), part(rng, -2, 6))
    left, right = (rng.choice([TURN, SWAP, SWAP @ TURN]) for _ in range(2))
    if kind == "one layer":
        X = [[part(rng, -4) for _ in range(2)] for _ in range(rng.choice([1, 3]))]
        start = [[[part(rng, -8) for _ in range(2)]]]
        return sf.LinearNetwork(2, 1), l2, sf.Dataset(X, [part(rng) for _ in X]), start
    if kind == "tied":
        start = [[[part(rng, -4), part(rng)], [part(rng), part(rng, -4)]]]
        target = left @ sigma @ left.T + SWAP * part(rng)
        return sf.SymmetricFactorization(2, 2), l2, sf.whitened(target), start
    if kind == "riccati":
        start = (TURN @ sizes @ right, left @ sizes @ TURN.T)
        return sf.LinearNetwork(2, 2, 2), l2, sf.whitened(sigma + SWAP), start
    depth = 2 if kind == "logistic" else int(kind[-1])
    inputs = diagonal(part(rng, 1), part(rng, 1))
    frames = [right, *[rng.choice([TURN, SWAP]) for _ in range(depth - 1)], left]
    start = [after @ sizes @ before.T for before, after in pairwise(frames)]
    moments = sf.Moments(
        sigma_xx=right @ inputs @ right.T, sigma_yx=left @ sigma @ right.T
    )
    return sf.LinearNetwork(*[2] * (depth + 1)), l2, moments, start


def dying(sol):
    values = np.linalg.svd(sol.limit, compute_uv=False)
    return int(np.sum(values < 1e-9))


@pytest.mark.parametrize("kind", list(KINDS))
def test_a_hundred_starts_agree_with_integration_to_thirty_digits(kind):
    rng, died, seen, (count, fewest) = Random(kind), 0, 0, KINDS[kind]
    while seen < count:
        net, l2, data, start = drawn(kind, rng)
        if not np.any(np.array(start[0], dtype=object)):
            continue
        seen += 1
        flow, t = sf.gradient_flow(net, sf.SquaredLoss(l2=l2)), Fraction(3, 4)
        sol = sf.solve(flow, data, start)
        assert sol.status is sf.Status.PROVED
        assert sol.defect == 0
        run = sf.precise(flow, data, start, [0, t], digits=34)
        found, seen_w = sol.precise(t, digits=32), run.end_to_end[-1]
        scale = max(1, *(abs(x) for x in seen_w.flat))
        assert max(abs(found - seen_w).flat) < mpmath.mpf(10) ** -30 * scale
        assert sol.end_to_end(0.75) == pytest.approx(seen_w.astype(float), abs=1e-13)
        if seen < 4:
            for mine, its in zip(sol.weights(0.75), run.weights, strict=True):
                assert mine == pytest.approx(its[-1].astype(float), abs=1e-10)
        late = sol.end_to_end(3000.0)
        assert late == pytest.approx(sol.limit, abs=2e-3)
        died += dying(sol)
    assert died >= fewest


@pytest.mark.parametrize("kind", ["one layer", "logistic", "deep 3", "riccati"])
def test_the_enclosure_contains_the_closed_form(kind):
    net, l2, data, start = drawn(kind, Random(5))
    flow = sf.gradient_flow(net, sf.SquaredLoss(l2=l2))
    ball = sf.enclose(flow, data, start, 1, digits=20)
    sol = sf.solve(flow, data, start)
    assert ball.contains(sol.precise(1, digits=40))
    assert ball.excludes(sol.precise(Fraction(11, 10), digits=40))


def summed(formula, values):
    """The sum over roots that a formula says, by mpmath."""
    total = mpmath.mpf(0)
    for term in sympy.Add.make_args(formula):
        if not isinstance(term, sympy.RootSum):
            names = {s: values[s.name] for s in term.free_symbols}
            total += sympy.lambdify(list(names), term, "mpmath")(*names.values())
            continue
        r = sympy.Symbol("r")
        each = term.fun(r)
        names = {s: values[s.name] for s in each.free_symbols - {r}}
        polynomial = term.poly
        known = {s: values[s.name] for s in polynomial.free_symbols_in_domain}
        heads = [
            sympy.lambdify(list(known), c, "mpmath")(*known.values())
            for c in polynomial.all_coeffs()
        ]
        value = sympy.lambdify([r, *names], each, "mpmath")
        total += sum(
            value(x, *names.values())
            for x in mpmath.polyroots(heads, maxsteps=200, extraprec=200)
        )
    return mpmath.re(total)


def test_a_deep_mode_takes_the_time_of_the_quadrature():
    """∫ da/q(a) by mpmath, with q from the objective written out in SymPy."""
    a, b, c = sympy.symbols("a b c", positive=True)
    sigma, kappa, l2 = 3, 2, sympy.Rational(1, 2)
    product = a * b * c
    objective = kappa * product**2 / 2 - sigma * product + l2 * (a**2 + b**2 + c**2) / 2
    q = sympy.lambdify(a, -objective.diff(a).subs({b: a, c: a}), "mpmath")
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1, 1), sf.SquaredLoss(l2=l2))
    data = sf.Moments(sigma_xx=[[kappa]], sigma_yx=[[sigma]])
    for start, t in ((Fraction(1, 10), 3), (Fraction(1, 4), 1), (Fraction(3, 2), 1)):
        sol = sf.solve(flow, data, [[[start]]] * 3)
        assert isinstance(sol, DecayingMode)
        assert sol.verify() == 0
        assert all(step.proved for step in sol.derivation())
        with mpmath.workdps(40):
            begin = mpmath.mpf(start.numerator) / start.denominator
            end = mpmath.cbrt(sol.precise(t, digits=38)[0, 0])
            time = mpmath.quad(lambda x: 1 / q(x), mpmath.linspace(begin, end, 9))
            assert abs(time - t) < 1e-30
            values = {"sigma": 3, "lambda": 2, "l2": 1 / mpmath.mpf(2), "a": end}
            assert abs(summed(sol.formula, values | {"a0": begin}) - t) < 1e-30


def test_which_deep_modes_die_depends_on_the_start():
    """σa − a⁴ = l2 at a = 1/2 and a = 1, for σ = 15/8 and l2 = 7/8: L = 3."""
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1, 1), sf.SquaredLoss(l2="7/8"))
    data = sf.Moments(sigma_xx=[[1]], sigma_yx=[[Fraction(15, 8)]])
    for start, end in (("499/1000", 0), ("501/1000", 1), ("3", 1)):
        sol = sf.solve(flow, data, [[[Fraction(start)]]] * 3)
        assert sol.limit.item() == pytest.approx(end, abs=1e-12)
        assert len(sol.times.half) == (end > 0)
        assert sol.end_to_end(200.0).item() == pytest.approx(end, abs=1e-9)
    with pytest.raises(sf.NoClosedForm, match="the balances of each mode are apart"):
        sf.solve(flow, data, [[[Fraction(1, 2)]]] * 3)  # stays at what repels
    double = sf.gradient_flow(sf.LinearNetwork(1, 1, 1, 1), sf.SquaredLoss(l2=3))
    data = sf.Moments(sigma_xx=[[1]], sigma_yx=[[4]])  # q has (a − 1)²
    with pytest.raises(sf.NoClosedForm, match="the balances of each mode are apart"):
        sf.solve(double, data, [[[2]]] * 3)


def test_edges_of_two_layers():
    """σ = l2 falls as 1/t; a mode without input dies, one that is zero stays so."""
    flow = sf.gradient_flow(sf.LinearNetwork(3, 3, 3), sf.SquaredLoss(l2="1/2"))
    data = sf.Moments(
        sigma_xx=np.diag([1, 0, 1]), sigma_yx=np.diag([Fraction(1, 2), 0, 3])
    )
    start = [np.diag([1, 2, 0])] * 2
    sol = sf.solve(flow, data, start)
    assert isinstance(sol, LogisticMode)
    assert sol.limit == pytest.approx(np.zeros((3, 3)), abs=1e-15)
    falls = np.diag([1 / 201, 4 * np.exp(-100.0), 0])
    assert sol.end_to_end(100.0) == pytest.approx(falls, rel=1e-12, abs=1e-60)


@pytest.mark.parametrize("kind", [LinearRegression, LogisticMode])
def test_a_formula_without_its_decay_is_refused(kind):
    net = sf.LinearNetwork(*[1] * (2 if kind is LinearRegression else 3))
    flow = sf.gradient_flow(net, sf.SquaredLoss(l2=1))
    sol = sf.solve(flow, sf.whitened([[2]]), [[[1]]] * net.depth)
    assert isinstance(sol, kind)
    assert sol.verify() == 0
    (decay,) = [s for s in sol.formula.free_symbols if s.name == "l2"]
    assert sol.residual(sol.formula.subs(decay, 2 * decay)) != 0
    assert sol.residual(sol.formula * (1 + decay)) != 0


def test_a_deep_formula_with_other_roots_is_refused():
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1, 1), sf.SquaredLoss(l2=1))
    sol = sf.solve(flow, sf.whitened([[2]]), [[[1]]] * 3)
    (l2,) = [s for s in sol.formula.free_symbols if s.name == "l2"]
    assert sol.verify() == 0 != sol.residual(sol.formula.subs(l2, 2 * l2))


def test_what_weight_decay_spoils_is_refused():
    """Imbalance that decays, and decays of their own for each layer."""
    start, data = ([[2]], [[1]]), sf.whitened([[2]])
    net = sf.LinearNetwork(1, 1, 1)
    with pytest.raises(sf.NoClosedForm, match="balanced initialization: fails"):
        sf.solve(sf.gradient_flow(net, sf.SquaredLoss(l2=1)), data, start)
    layers = sf.gradient_flow(net, sf.SquaredLoss(l2=(1, 2)))
    with pytest.raises(sf.NoClosedForm, match="one rational weight decay"):
        sf.solve(layers, data, ([[1]], [[1]]))
    plain = sf.gradient_flow(sf.LinearNetwork(1, 1, 1, 1), sf.SquaredLoss())
    found = sf.solve(plain, data, [[[1]]] * 3, all=True)
    assert "DecayingMode" not in [sol.name for sol in found]


def test_the_enclosed_limit_is_the_ridge_solution_from_any_start():
    X, Y = [[1, 2, 3], [2, 0, 1]], [[1, 2], [0, 1]]
    flow = sf.gradient_flow(sf.LinearNetwork(3, 2), sf.SquaredLoss(l2="1/3"))
    ball = sf.enclose(flow, sf.Dataset(X, Y), [[[1, 2, 3], [0, 1, 0]]], sf.oo, digits=9)
    x, y = sympy.Matrix(X), sympy.Matrix(Y)
    ridge = y.T * x * (x.T * x + sympy.Rational(2, 3) * sympy.eye(3)).inv()
    assert ball.contains(ridge.tolist())
    assert ball.excludes((ridge + sympy.ones(2, 3) / 10**7).tolist())


@pytest.mark.parametrize("depth", [2, 3])
def test_the_enclosed_limit_is_that_of_the_modes(depth):
    """Where a second mode dies, minimizers form a manifold of rotated hidden units."""
    flow = sf.gradient_flow(sf.LinearNetwork(*[2] * (depth + 1)), sf.SquaredLoss(l2=1))
    data = sf.whitened(diagonal(3, Fraction(1, 4)))
    start = [diagonal(Fraction(3, 4), Fraction(1, 3))] * depth
    ball = sf.enclose(flow, data, start, [1, sf.oo], digits=10)
    limit = sf.solve(flow, data, start).limit
    assert ball.contains(limit)
    assert ball.excludes(limit + 1e-6)
    assert "second derivative" in ball.proof[-1]


def test_a_generic_start_ends_where_singular_values_are_cut():
    """σ − l2 of the target with singular values 2 and 1/4: the rest dies."""
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss(l2="1/2"))
    data = sf.whitened(TURN @ diagonal(2, Fraction(1, 4)))
    start = [[[1, Fraction(1, 2)], [0, 1]], [[1, 0], [1, 2]]]
    ball = sf.enclose(flow, data, start, sf.oo, digits=10)
    assert ball.contains(TURN @ diagonal(Fraction(3, 2), 0))
    assert ball.excludes(TURN @ diagonal(2, 0))


def test_velocities_are_orthogonal_to_rotations_of_hidden_units():
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=shape) for shape in [(3, 2), (4, 3), (2, 4)]]
    flow = sf.gradient_flow(sf.LinearNetwork(2, 3, 4, 2), sf.SquaredLoss(l2=0.5))
    data = sf.whitened(rng.normal(size=(2, 2)))
    moved = sf.compile(flow)(*weights, data.sigma_xx, data.sigma_yx)
    velocity = np.concatenate([part.ravel() for part in moved])
    fields = FadingRemainder(bind(flow, data, weights)).fields
    turns = [part.astype(float) for part in along(fields, weights)]
    assert len(turns) == 3 + 6
    for turn in turns:
        assert np.linalg.norm(turn) > 0.1
        assert abs(turn @ velocity) < 1e-12


def test_a_mode_that_dies_as_a_power_of_t_has_no_enclosed_limit():
    """σ = l2: the second derivative at the limit is singular, by no rotation."""
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss(l2=2))
    remainder = FadingRemainder(bind(flow, sf.whitened([[2]]), [[[1]], [[1]]]))
    near = [np.array([[arb(1) / 1000]], dtype=object)] * 2
    with pytest.raises(sf.PrecisionLost, match="dying as a power of t"):
        remainder.distance(near, arb(0))


def test_one_layer_is_predicted_to_end_at_the_ridge_solution():
    flow = sf.gradient_flow(sf.LinearNetwork(3, 2), sf.SquaredLoss(l2="1/3"))
    X, Y, start = [[1, 2, 3], [2, 0, 1]], [[1, 2], [0, 1]], [[[1, 2, 3], [0, 1, 0]]]
    bias = sf.implicit_bias(flow, sf.Dataset(X, Y), start)
    x, y = sympy.Matrix(X), sympy.Matrix(Y)
    ridge = y.T * x * (x.T * x + sympy.Rational(2, 3) * sympy.eye(3)).inv()
    assert bias.exact_limit.tolist() == ridge.tolist()
    assert bias.status is sf.Status.PROVED
    assert bias.kkt_residual(bias.limit) == 0 < bias.kkt_residual(bias.limit + 0.1)
    floats = np.array(X, float), np.array(Y, float)
    rounded = sf.implicit_bias(flow, sf.Dataset(*floats), start).limit
    assert rounded == pytest.approx(bias.limit, rel=1e-14)
    run = sf.precise(flow, sf.Dataset(X, Y), start, [0, 1, 20], digits=30)
    assert max(bias.residuals(run)) < 1e-28
    other = sf.gradient_flow(flow.network, sf.SquaredLoss(l2="1/2"))
    wrong = sf.implicit_bias(other, sf.Dataset(X, Y), start)
    assert max(wrong.residuals(run)) > 1e-4
    plain = sf.gradient_flow(flow.network, sf.SquaredLoss())
    with pytest.raises(sf.HypothesisFailed, match="weight decay: fails, l2 = 0"):
        sf.implicit_bias(plain, sf.Dataset(X, Y), start)


def test_no_start_is_lazy_under_weight_decay():
    data, start = (
        sf.whitened(np.diag([1.0, 0.5])),
        sf.lambda_balanced_init(100, 0.1, rng=0),
    )
    verdicts = {
        l2: regime(
            sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss(l2=l2)),
            data,
            start,
        ).verdict
        for l2 in (0, "1/10")
    }
    assert verdicts == {0: "lazy", "1/10": "between"}


@pytest.mark.parametrize("hidden", [1, 2])
def test_the_second_derivative_at_a_limit_by_hand(hidden):
    """[[2, 1], [1, 2]] of the unit in use; [[1/2, −1/2], …] of one that died.

    The zero of the second is the rotation of both units, and is lifted to 4.
    """
    net = sf.LinearNetwork(1, hidden, 1)
    flow = sf.gradient_flow(net, sf.SquaredLoss(l2="1/2"))
    start = [np.eye(hidden, 1), np.eye(1, hidden)]
    problem = bind(flow, sf.whitened([[2]]), start)
    root = arb(3) / 2
    near = [np.array(w * root.sqrt(), dtype=object) for w in start]
    slope, _, _ = FadingRemainder(problem)._slope([w + arb(0) for w in near])
    assert 0.999 < float(slope) <= 1
