"""Modes that survive and die under weight decay: plain integrations, edges, mutants."""

from dataclasses import replace
from fractions import Fraction as F
from itertools import pairwise

import numpy as np
import pytest
import scipy.integrate
import sympy

import symflow as sf
from symflow.bias import DecayedModes
from symflow.convergence import DecayedModesRate, RidgeRate
from symflow.flow.decayed_modes import fates
from symflow.flow.problem import bind

ROTATED = np.array([[F(3, 5), F(-4, 5)], [F(4, 5), F(3, 5)]])
TURNED = np.array([[F(5, 13), F(-12, 13)], [F(12, 13), F(5, 13)]])
FRAMES = [ROTATED, TURNED, ROTATED.T, TURNED.T, ROTATED]


def flow_of(network, l2):
    return sf.gradient_flow(network, sf.SquaredLoss(l2=l2))


def integrated(layers, xx, yx, l2, times):
    """Return W and J along the flow, by the chain rule in plain NumPy."""
    shapes = [w.shape for w in layers]
    ends = np.cumsum([w.size for w in layers])[:-1]

    def parts(theta):
        split = zip(np.split(theta, ends), shapes, strict=True)
        return [p.reshape(s) for p, s in split]

    def product(factors, size):
        total = np.eye(size)
        for factor in factors:
            total = factor @ total
        return total

    def speed(_, theta):
        W = parts(theta)
        pull = yx - product(W, len(xx)) @ xx
        out = []
        for k, part in enumerate(W):
            before = product(W[:k], len(xx))
            after = product(W[k + 1 :], len(part))
            out.append(after.T @ pull @ before.T - l2 * part)
        return np.concatenate([o.ravel() for o in out])

    run = scipy.integrate.solve_ivp(
        speed, (0, times[-1]), np.concatenate([w.ravel() for w in layers]),
        t_eval=times, rtol=1e-10, atol=1e-13, method="LSODA",
    )  # fmt: skip
    ends_to_ends = [product(parts(theta), len(xx)) for theta in run.y.T]
    values = [
        np.trace(W @ xx @ W.T) / 2 - np.sum(yx * W) + l2 * np.sum(theta**2) / 2
        for W, theta in zip(ends_to_ends, run.y.T, strict=True)
    ]
    return ends_to_ends, np.array(values)


def frame(rng, rows, columns):
    return np.linalg.qr(rng.standard_normal((rows, columns)))[0]


@pytest.mark.parametrize("seed", range(100))
def test_random_aligned_starts_end_where_scipy_says_and_as_fast_as_the_rate(seed):
    """Balanced, and at two layers unbalanced as well; about half of the modes die."""
    rng = np.random.default_rng(seed)
    depth = int(rng.choice([2, 2, 3, 4]))
    widths = [3, *rng.integers(2, 5, depth - 1).tolist(), 2]
    frames = [frame(rng, width, 2) for width in widths]
    sigma, lam = rng.uniform(0.5, 3, 2), rng.uniform(0.5, 2, 3)
    whole = np.column_stack([frames[0], np.cross(*frames[0].T)])
    xx, yx = whole * lam @ whole.T, frames[-1] * sigma @ frames[0].T
    sizes = np.tile(rng.uniform(0.2, 1.5, 2), (depth, 1))
    unbalanced = depth == 2 and bool(rng.integers(2))
    if unbalanced:
        sizes[0] *= rng.uniform(-2, 2, 2)
    layers = [
        after * size @ before.T
        for size, (before, after) in zip(sizes, pairwise(frames), strict=True)
    ]
    l2 = F(round(float(rng.uniform(0.2, 2)), 3)).limit_denominator(1000)
    flow = flow_of(sf.LinearNetwork(*widths), l2)
    given = sf.Moments(xx, yx), layers
    bias = DecayedModes.attempt(bind(flow, *given))
    if not isinstance(bias, DecayedModes):
        assert "it is not: unbalanced, or at the edge" in str(bias)
        return
    times = np.array([0.0, 0.3, 1, 3, 6000])
    products, values = integrated(layers, xx, yx, float(l2), times)
    assert bias.limit == pytest.approx(products[-1], abs=2e-4)
    assert bias.kkt_residual(products[-1]) < 1e-2 or not bias.limit.any()
    bound = DecayedModesRate.attempt(bind(flow, *given))
    if isinstance(bound, DecayedModesRate):
        fall = values - values[-1]
        assert np.all(fall <= bound.bound(times) * (1 + 1e-6) + 1e-6)
        assert fall[0] == pytest.approx(float(bound.bound(0)), abs=1e-6)
        assert unbalanced or bound.rate <= 2 * float(l2)


def largest_real(*coefficients):
    found = np.roots(coefficients)
    return max(found[abs(found.imag) < 1e-9].real)


def exact_start(depth, modes):
    """Return layers with amplitudes of two modes, in frames that no entry shows."""
    return [
        FRAMES[k + 1] @ np.diag([mode[k] for mode in modes]) @ FRAMES[k].T
        for k in range(depth)
    ]


@pytest.mark.parametrize(
    ("depth", "modes", "ends"),
    [
        (2, ((1, 1), (F(1, 2), F(1, 2))), (F(9, 4), 0)),
        (2, ((1, 3), (F(1, 2), -2)), (F(9, 4), 0)),  # no balance is needed
        (2, ((1, F(-1)), (F(1, 2), F(1, 2))), (0, 0)),  # rests in a saddle
        (2, ((1, F(-1) - F(1, 10**12)), (1, 1)), (F(9, 4), 0)),
        (2, ((0, 0), (1, 1)), (0, 0)),
        (2, ((0, 1), (1, 1)), (F(9, 4), 0)),
        (3, ((1, 1, 1), (F(1, 4), F(1, 4), F(1, 4))), (None, 0)),
        (3, ((F(1, 10),) * 3, (1, 1, 1)), (0, 0)),  # σ > l2, and dies all the same
        (3, ((-1, -1, 1), (0, 0, 0)), (None, 0)),
        (3, ((-1, 1, 1), (0, 0, 0)), (0, 0)),
    ],
)
def test_modes_of_fractions_in_turned_frames(depth, modes, ends):
    """σ = 5 and 1/4, λ = 2, l2 = 1/2: the second dies, and 5 − 1/2 over 2 is 9/4."""
    l2, frames = F(1, 2), (FRAMES[0], FRAMES[depth])
    xx = 2 * np.eye(2, dtype=int)
    yx = frames[1] @ np.diag([F(5), F(1, 4)]) @ frames[0].T
    start = exact_start(depth, modes)
    flow = flow_of(sf.LinearNetwork(*[2] * (depth + 1)), l2)
    data = sf.Moments(xx, yx)
    bias = sf.implicit_bias(flow, data, start)
    # of (5 − 2w)³w = 1/8 the largest root
    root = largest_real(-8, 60, -150, 125, -1 / 8)
    goal = np.diag([float(root if end is None else end) for end in ends])
    left, right = (f.astype(float) for f in frames[::-1])
    assert bias.limit == pytest.approx(left @ goal @ right.T, abs=1e-12)
    assert bias.status.value == "proved"
    run = sf.precise(flow, data, start, [0, 1, 3], digits=20)
    assert sf.validate([bias], run).ok
    if (F(-1) in modes[0]) or 0 in modes[0]:
        return
    # two layers come near by e^{−t/2}; one start is followed to 30 digits
    t, digits, near = (160, 40, 1e-30) if modes[0] == (1, 1) else (66, 22, 1e-13)
    late = sf.precise(flow, data, start, [0, t], digits=digits)
    found = fates(bias.problem).limit((2, 2), late.lift)
    assert abs(late.end_to_end[-1] - found).max() < near
    proven = sf.certify(bias, flow, data, start, sf.oo, digits=15)
    assert proven.status.value == "enclosed"


def test_entry_by_entry_the_limit_is_a_critical_point():
    """Plain SymPy: σ = 3, l2 = 1/2 at L = 2; at L = 3 σ = 3/2, where a = 1."""
    half = sympy.Rational(1, 2)
    for depth, sigma in ((2, 3), (3, 3 * half)):
        names = sympy.symbols(f"x:{4 * depth}")
        layers = [sympy.Matrix(2, 2, names[4 * k : 4 * k + 4]) for k in range(depth)]
        W = sympy.eye(2)
        for layer in layers:
            W = layer * W
        yx = sympy.diag(sigma, sympy.Rational(1, 4))
        gap = yx - W
        J = (gap.T * gap).trace() / 2 + half * sum(x**2 for x in names) / 2
        flow = flow_of(sf.LinearNetwork(*[2] * (depth + 1)), half)
        small = [[1, 0], [0, sympy.Rational(1, 5)]]
        bias = sf.implicit_bias(flow, sf.whitened(yx.tolist()), [small] * depth)
        end = sympy.nsimplify(bias.limit[0, 0].item(), rational=True, tolerance=1e-12)
        amplitude = sympy.root(end, depth)
        at = dict.fromkeys(names, 0) | {names[4 * k]: amplitude for k in range(depth)}
        assert not any(sympy.simplify(J.diff(x).subs(at)) for x in names)
        assert not bias.limit[1:].any()


TINY = F(1, 10**40)


@pytest.mark.parametrize(
    ("layers", "sigma", "l2", "end"),
    [
        ((TINY, TINY), 3, F(1, 2), F(5, 2)),  # tiny beside the other mode of size 1
        ((1, -1 + TINY), 3, F(1, 2), F(5, 2)),
        ((TINY, TINY), 1, 1, 0),
        ((1, 1), 1 + TINY, 1, TINY),
        ((10**40, 1), 3, F(1, 2), F(5, 2)),
    ],
)
def test_tiny_beside_huge_is_decided_in_fractions(layers, sigma, l2, end):
    flow = flow_of(sf.LinearNetwork(2, 2, 2), l2)
    start = [[[1, 0], [0, layer]] for layer in layers]
    data = sf.whitened([[2, 0], [0, sigma]])
    bias = sf.implicit_bias(flow, data, start)
    assert bias.status.value == "proved"
    assert bias.limit[1, 1] == pytest.approx(float(end), rel=1e-12, abs=0)
    bound = DecayedModesRate.attempt(bind(flow, data, start))
    if sigma == l2:  # as 1/t: no exponential bounds it
        assert "every mode has a rate: fails" in str(bound)


def test_what_would_jump_is_refused():
    """Floats that rest up to rounding, the saddle at three layers, lost balance."""
    data = sf.whitened([[3]])
    two, three = sf.LinearNetwork(1, 1, 1), sf.LinearNetwork(1, 1, 1, 1)
    with pytest.raises(sf.HypothesisFailed, match="up to rounding"):
        sf.implicit_bias(flow_of(two, F(1, 2)), data, ([[0.3]], [[-0.1 - 0.2]]))
    # (9/2 − w)³w = l2³ at w = 1 below the peak: an unstable balance
    with pytest.raises(sf.HypothesisFailed, match="at the edge"):
        sf.implicit_bias(flow_of(three, F(7, 2)), sf.whitened([[F(9, 2)]]), [[[1]]] * 3)
    # a decay that small floats do not see through
    faint = [[[1.0, 0.0], [0.0, 1e-11]]] * 3
    flow = flow_of(sf.LinearNetwork(2, 2, 2, 2), F(1, 10**13))
    with pytest.raises(sf.HypothesisFailed, match="fails"):
        sf.implicit_bias(flow, sf.whitened([[3, 0], [0, 2]]), faint)
    start = [[[1]], [[1]], [[F(3, 2)]]]
    with pytest.raises(sf.HypothesisFailed, match="unbalanced"):
        sf.implicit_bias(flow_of(three, F(1, 2)), data, start)
    turned = ([[1, 1], [0, 2]], [[1, 0], [1, 1]])
    flow = flow_of(sf.LinearNetwork(2, 2, 2), F(1, 2))
    with pytest.raises(sf.HypothesisFailed, match="0 of 2"):
        sf.implicit_bias(flow, sf.whitened([[3, 1], [0, 1]]), turned)


@pytest.mark.parametrize("depth", [2, 3])
def test_coordinates_of_diagonal_networks_are_modes(depth):
    data = sf.Dataset([[1, 0], [0, 1]], [3, F(-1, 4)])
    flow = flow_of(sf.DiagonalNetwork(2, depth), F(1, 4))
    start = [[1, 1]] * depth
    bias = sf.implicit_bias(flow, data, start)
    # mean over two samples: σ = 3/2, λ = 1/2
    # and (3/2 − w/2)³w = 1/64 at three layers
    best = 2.5 if depth == 2 else largest_real(-8, 72, -216, 216, -1)
    assert bias.limit == pytest.approx(np.array([[best, 0]]), abs=1e-12)
    run = sf.simulate(flow, data, start, [0, 1, 90])
    assert run.end_to_end[-1] == pytest.approx(bias.limit, abs=1e-6)
    assert sf.validate([bias, *sf.rates(flow, data, start)], run).ok
    mixed = sf.Moments([[2, 1], [1, 1]], [[3, 1]])
    with pytest.raises(sf.HypothesisFailed, match="share the modes"):
        sf.implicit_bias(flow, mixed, start)


def test_false_rates_and_limits_are_refuted():
    data = sf.whitened([[3, 0], [0, F(1, 4)]])
    start = [[[1, 0], [0, F(1, 2)]]] * 2
    flow = flow_of(sf.LinearNetwork(2, 2, 2), F(1, 2))
    run = sf.simulate(flow, data, start, [0, 0.5, 1, 60])
    bias, (bound, *_) = sf.implicit_bias(flow, data, start), sf.rates(flow, data, start)
    assert sf.validate([bias, bound], run).ok
    # dying at 2(l2 − σ) = 1/2, before min(1, 5/2)·4
    assert bound.rate == pytest.approx(0.5)
    assert not sf.validate([replace(bound, constant=5)], run).ok
    other = flow_of(sf.LinearNetwork(2, 2, 2), F(9, 4))
    wrong = DecayedModes.attempt(bind(other, data, start))
    assert not sf.validate([wrong], run).ok


def test_a_mode_that_dies_is_slowest_at_its_start():
    """There −J̇/J = 3ȧ²/J, with three layers of a and J = a⁶/2 − a³ + 3a²/4."""
    a, flow = F(1, 1000), flow_of(sf.LinearNetwork(1, 1, 1, 1), F(1, 2))
    bound = DecayedModesRate.attempt(bind(flow, sf.whitened([[1]]), [[[a]]] * 3))
    speed = a**2 * (1 - a**3) - a / 2
    first = float(3 * speed**2 / (a**6 / 2 - a**3 + 3 * a**2 / 4))
    assert bound.rate <= first < bound.rate + 2e-3


def test_one_layer_falls_at_the_rate_of_its_slowest_direction():
    data = sf.Moments([[2, 0], [0, 1]], [[3, 1], [0, 1]])
    flow = flow_of(sf.LinearNetwork(2, 2), F(1, 2))
    (bound,) = sf.rates(flow, data, ([[1, 2], [0, 1]],))
    assert isinstance(bound, RidgeRate)
    assert bound.rate == pytest.approx(3)
    run = sf.simulate(flow, data, ([[1, 2], [0, 1]],), [0, 1, 4])
    assert sf.validate([bound], run).ok
    assert not sf.validate([replace(bound, constant=5.5)], run).ok


def test_a_limit_at_which_all_weights_die_is_enclosed():
    """No rotation of hidden units moves zero, and none is needed there."""
    flow = flow_of(sf.LinearNetwork(2, 2, 2, 2), F(1, 2))
    start = [[[F(1, 10), 0], [0, F(1, 4)]]] * 3
    ball = sf.enclose(flow, sf.whitened([[3, 0], [0, 1]]), start, sf.oo, digits=12)
    assert ball.contains(np.zeros((2, 2)))
    assert ball.radius[-1] < 1e-12


def test_errors_of_a_mode_that_dies_slowly_are_bounded_closely():
    """The norms of the layers let errors grow by e^300 up to t = 188; they shrink."""
    flow = flow_of(sf.LinearNetwork(2, 2, 2, 2), F(1, 5))
    start = [[[1, 0], [0, F(1, 20)]]] * 3
    ball = sf.enclose(flow, sf.whitened([[3, 0], [0, 1]]), start, sf.oo, digits=10)
    # (3 − w)³w = 1/125
    best = largest_real(-1, 9, -27, 27, -1 / 125)
    assert float(ball.limit[0, 0]) == pytest.approx(best, abs=1e-12)
    assert ball.midpoints.stats["bits"] < 150
