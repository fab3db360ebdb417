"""Limits of degenerate regression problems against flows and searches written here."""

from fractions import Fraction as F
from functools import reduce
from itertools import pairwise
from random import Random

import mpmath
import numpy as np
import pytest
import sympy
from adversary.problems import from_modes, rotation
from scipy.integrate import solve_ivp

import symflow as sf
from symflow.bias import (
    COMPANIONS,
    DiagonalPotential,
    DirectionRate,
    DistanceBound,
    FourierPotential,
    FrozenPart,
    LeastNorm,
    OneNeuron,
    RiccatiLimit,
    RowSpaceSplit,
    kernel_limit,
)
from symflow.bias.minimizers import minimizers
from symflow.bias.scale import lazy_excess, rich_excess
from symflow.bias.stuck_modes import stuck_modes
from symflow.claims import Status
from symflow.flow.problem import bind

NUMBERS = (F(0), F(1), F(-1), F(1, 2), F(2), F(-1, 3), F(3, 10))


def flow_of(network):
    return sf.gradient_flow(network, sf.SquaredLoss())


def columns(*rows):
    return [[[entry] for entry in row] for row in rows]


# ---------------------------------------------------------------- flows, written here


def times(factors):
    """The product of vectors; `np.prod` would stack them first, at every evaluation."""
    return reduce(np.multiply, factors, np.float64(1))


def total(kind, weights):
    """W, per network."""
    if kind == "dense":
        return reduce(lambda done, weight: weight @ done, weights)
    parts = [weight[:, 0] for weight in weights]
    if kind == "circular":
        return np.fft.ifft(times(np.fft.fft(w) for w in parts)).real[None]
    if kind == "signed":
        half = len(parts) // 2
        return (times(parts[:half]) - times(parts[half:]))[None]
    return times(parts)[None]


def pulled(kind, weights, force):
    """The velocity of every weight."""
    if kind == "dense":
        return [
            reduce(np.dot, [*(w.T for w in weights[k + 1 :]), force])
            @ reduce(np.dot, [np.eye(len(force.T)), *(w.T for w in weights[:k])])
            for k in range(len(weights))
        ]
    g, parts = force[0], [weight[:, 0] for weight in weights]
    if kind == "circular":
        spectra = [np.fft.fft(w) for w in parts]
        others = [
            times(s for j, s in enumerate(spectra) if j != k) for k in range(len(parts))
        ]
        return [np.fft.ifft(np.fft.fft(g) * o.conj()).real[:, None] for o in others]
    half = len(parts) // 2 if kind == "signed" else len(parts)
    groups = [(1, parts[:half]), (-1, parts[half:])][: 1 + (kind == "signed")]
    return [
        (sign * g * times(w for j, w in enumerate(p) if j != k))[:, None]
        for sign, p in groups
        for k in range(half)
    ]


def end_of(kind, weights, X, Y):
    """W(∞) by SciPy; None where it has not arrived after 8000 evaluations."""
    X, Y = np.array(X, float), np.array(Y, float)
    start = [np.array(weight, float) for weight in weights]
    xx, yx = X.T @ X / len(X), Y.T @ X / len(X)
    cuts = np.cumsum([weight.size for weight in start])[:-1]
    calls = [0]

    def parts(state):
        split = np.split(state, cuts)
        return [p.reshape(w.shape) for p, w in zip(split, start, strict=True)]

    def rate(_, state):
        calls[0] += 1
        if calls[0] > 8_000:
            raise TimeoutError
        now = parts(state)
        moved = pulled(kind, now, yx - total(kind, now) @ xx)
        return np.concatenate([m.ravel() for m in moved])

    state, time, before = np.concatenate([w.ravel() for w in start]), 0.0, None
    scale = np.max(np.abs(yx)) or 1.0
    for after in 4.0 ** np.arange(12):
        try:
            run = solve_ivp(
                rate, (time, after), state, method="LSODA", rtol=1e-11, atol=1e-14
            )
        except TimeoutError:
            return None
        state, time = run.y[:, -1], after
        W = total(kind, parts(state))
        if np.max(np.abs(yx - W @ xx)) <= 1e-10 * scale:
            if before is not None and np.allclose(W, before, rtol=0, atol=1e-9):
                return W
            before = W
    return None


# ---------------------------------------------------------------- degenerate problems


def number(rng, exact):
    plain = rng.choice(NUMBERS)
    return plain if exact else rng.choice((float(plain), rng.gauss(0, 1), 0.1 + 0.2))


def table(rng, rows, width, exact):
    return [[number(rng, exact) for _ in range(width)] for _ in range(rows)]


def samples(rng, d, m, exact):
    X = table(rng, rng.randint(1, 3), d, exact)
    Y = table(rng, len(X), m, exact)
    change = rng.choice(("none", "none", "dead", "twin", "units", "still"))
    if change == "dead":
        X = [[x * (j > 0) for j, x in enumerate(row)] for row in X]
    if change == "twin":
        X, Y = [*X, X[0]], [*Y, Y[0]]
    if change == "units":
        sizes = [rng.choice((F(1, 1000), F(1), F(100))) for _ in range(d)]
        sizes = sizes if exact else [float(size) for size in sizes]
        X = [[x * s for x, s in zip(row, sizes, strict=True)] for row in X]
    if change == "still":
        Y = [[0 * y for y in row] for row in Y]
    return X, Y


def degenerate(seed):
    """A kind, a network, a start and data."""
    rng = Random(seed)
    exact, d = rng.random() < 0.5, rng.randint(1, 3)
    kind = rng.choice(("dense", "neuron", "diagonal", "signed", "circular"))
    one = F(1) if exact else 1.0
    if kind in ("dense", "neuron"):
        inner = [1] if kind == "neuron" else [rng.randint(1, 3), rng.randint(1, 2)]
        inner = inner[: rng.randint(1, 2)]
        widths = [d, *inner, 1 if kind == "neuron" else rng.randint(1, 2)]
        X, Y = samples(rng, d, widths[-1], exact)
        start = [table(rng, b, a, exact) for a, b in pairwise(widths)]
        if rng.random() < 0.3:
            start[0] = [[x * number(rng, exact) for x in X[0]] for _ in start[0]]
        return "dense", sf.LinearNetwork(*widths), start, X, Y
    X, Y = samples(rng, d, 1, exact)
    L = rng.choice((2, 3, 4))
    sizes = [rng.choice((one, one / 2, one / 10, one / 1000)) for _ in range(d)]
    if kind == "diagonal":
        low = [s * rng.choice((0, one / 2, -one * 9 / 10, 1)) for s in sizes]
        start = columns(*[sizes] * (L - 1), low)
        return kind, sf.DiagonalNetwork(d, L), start, X, Y
    if kind == "signed":
        other = [s * rng.choice((1, one / 2, one / 100, 0)) for s in sizes]
        start = columns(*[sizes] * L, *[other] * L)
        return kind, sf.DiagonalNetwork(d, L, signed=True), start, X, Y
    L = min(L, 3)
    if rng.random() < 0.5:
        X = [[row[0], *[row[-1]] * (d - 1)] for row in X]
    taps = [number(rng, exact) for _ in range(d)]
    start = columns(*[taps] * (L - 1), [0 * one] * d)
    return kind, sf.ConvolutionalNetwork(d, filters=(d,) * L), start, X, Y


def test_no_predicted_limit_is_wrong():
    """Zero, equal, tiny, dead, duplicated: right, or refused in words."""
    held = dict.fromkeys((LeastNorm, OneNeuron, DiagonalPotential, FourierPotential), 0)
    for seed in range(40):
        kind, network, start, X, Y = degenerate(seed)
        problem = flow_of(network), sf.Dataset(X, Y), start
        try:
            bias = sf.implicit_bias(*problem)
        except sf.HypothesisFailed:
            continue
        end = end_of(kind, start, X, Y)
        if end is None:
            continue
        begin = total(kind, [np.array(w, float) for w in start])
        size = max(np.max(np.abs(begin)), np.max(np.abs(bias.limit)), 1e-9)
        assert np.max(np.abs(end - bias.limit)) <= 2e-6 * size, seed
        assert bias.kkt_residual(bias.limit) < 1e-7, seed
        held[type(bias)] += 1
    assert min(held.values()) >= 2


@pytest.mark.parametrize("seed", range(4))
def test_two_factors_of_any_size_and_sign(seed):
    """u₁∘u₂ − v₁∘v₂ and u∘u − v∘v, where every coordinate has a size of its own."""
    rng = Random(seed)
    data = sf.Dataset([[1.0, 2.0, -1.0]], [2.0])
    four = [
        [rng.choice((-1, 1)) * rng.uniform(0.2, 1.5) for _ in range(3)] for _ in "uvxy"
    ]
    start = columns(*four)
    bias = sf.implicit_bias(flow_of(sf.DiagonalNetwork(3, 2, signed=True)), data, start)
    assert end_of("signed", start, data.X, data.Y) == pytest.approx(
        bias.limit, abs=1e-8
    )
    two = columns(*four[:2])
    bias = sf.implicit_bias(flow_of(sf.HadamardDifference(3)), data, two)
    same = [two[0], two[0], two[1], two[1]]
    assert end_of("signed", same, data.X, data.Y) == pytest.approx(bias.limit, abs=1e-8)


# ---------------------------------------------------------------- one sample, bisected


def own_map(depth, signed):
    """h in mpmath, written out."""
    m = mpmath
    if signed and depth == 2:
        return lambda t: 2 * m.sinh(2 * t)
    if signed:
        a, k = m.mpf(depth) / (depth - 2), depth - 2
        return lambda t: (1 - k * t) ** -a - (1 + k * t) ** -a
    closed = {
        2: lambda t: m.sinh(2 * t) / 2,
        3: lambda t: m.tan(t) / m.cos(t) ** 2,
        4: lambda t: t / (1 - t * t) ** 2,
    }
    return closed[depth]


def fine(fractions):
    return [mpmath.mpf(v.numerator) / v.denominator for v in fractions]


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("depth", [2, 3, 4])
def test_tiny_and_huge_coordinates_side_by_side(depth, signed):
    """One sample from β = 0: the only unknown is bisected in 120 digits."""
    rng = Random(depth)
    h = own_map(depth, signed)
    for _ in range(6):
        exponents = [rng.randint(-9, 4) for _ in range(3)]
        sizes = [F(10) ** e * rng.choice((1, F(1, 3), F(7, 5))) for e in exponents]
        x = [F(rng.choice((1, 2, -1, 3))) for _ in range(3)]
        y = F(rng.choice((1, -2, 1000)), rng.choice((1, 1000)))
        layers = [sizes] * (depth - 1) + [[F(0)] * 3]
        layers = [sizes] * (2 * depth) if signed else layers
        network = sf.DiagonalNetwork(3, depth, signed=signed)
        bias = sf.implicit_bias(
            flow_of(network), sf.Dataset([x], [y]), columns(*layers)
        )
        assert bias.status is Status.PROVED
        with mpmath.workdps(120):
            c, row, (goal,) = map(fine, (sizes, x, [y]))
            end = {2: mpmath.inf, 3: mpmath.pi / 2, 4: 1}[depth]
            end = mpmath.mpf(1) / (depth - 2) if signed and depth > 2 else end
            reach = [abs(r) * s ** (depth - 2) for r, s in zip(row, c, strict=True)]
            top = 60 if depth == 2 else end / max(reach) * (1 - mpmath.mpf(10) ** -100)

            def beta(nu, c=c, row=row):
                pairs = zip(c, row, strict=True)
                return [s**depth * h(s ** (depth - 2) * r * nu) for s, r in pairs]

            low, high = (-top, top) if depth > 2 else (-mpmath.mpf(60), mpmath.mpf(60))
            for _ in range(380):
                middle = (low + high) / 2
                reached = sum(b * r for b, r in zip(beta(middle), row, strict=True))
                low, high = (middle, high) if reached < goal else (low, middle)
            true = [float(b) for b in beta(low)]
        size = max(map(abs, true))
        assert np.max(np.abs(bias.limit[0] - true)) <= 1e-11 * size


@pytest.mark.parametrize("kind", [F, float])
def test_one_unequal_coordinate_is_seen_beside_a_huge_one(kind):
    """Depth 3: layers that differ at 10⁻⁹ beside 10⁶; exactly, and in floats."""
    data = sf.Dataset([[kind(1), kind(2)]], [kind(1)])
    tiny, huge = kind(F(1, 10**9)), kind(10**6)
    product, signed = sf.DiagonalNetwork(2, 3), sf.DiagonalNetwork(2, 3, signed=True)
    rows = [huge, tiny], [huge, 2 * tiny], [kind(0), kind(0)]
    with pytest.raises(sf.HypothesisFailed, match="all layers but one: fails"):
        sf.implicit_bias(flow_of(product), data, columns(*rows))
    rows = *[[huge, tiny]] * 5, [huge, 2 * tiny]
    with pytest.raises(sf.HypothesisFailed, match="all v_l too: fails"):
        sf.implicit_bias(flow_of(signed), data, columns(*rows))
    barely = [F(1)], [F(1) + F(1, 10**30)], [F(0)]
    net, one = sf.DiagonalNetwork(1, 3), sf.Dataset([[F(1)]], [F(1)])
    with pytest.raises(sf.HypothesisFailed, match="all layers but one: fails"):
        sf.implicit_bias(flow_of(net), one, columns(*barely))


# ---------------------------------------------------------------- rank and units


@pytest.mark.parametrize("power", [-6, 0, 6])
@pytest.mark.parametrize("exact", [True, False])
def test_least_norm_in_any_units(power, exact):
    """Against SymPy's pseudoinverse, for features of very different size."""
    unit = F(10) ** power
    for seed in range(6):
        rng = Random(seed)
        X = [[F(rng.randint(-3, 3)) * s for s in (unit, 1, unit**-1)] for _ in range(3)]
        X[rng.randrange(3)] = [2 * x for x in X[0]]
        Y = [F(rng.randint(-3, 3)) for _ in range(3)]
        truth = sympy.Matrix(X).pinv() * sympy.Matrix(Y)
        if not exact:
            X = [[float(x) for x in row] for row in X]
        data = sf.Dataset(X, Y if exact else [float(y) for y in Y])
        net = sf.LinearNetwork(3, 2, 1)
        found = minimizers(bind(flow_of(net), data, sf.gaussian_init(1, rng=0)))
        limit = found.least_norm.astype(float).ravel()
        size = max(abs(float(w)) for w in truth) or 1.0
        gap = max(abs(a - float(b)) for a, b in zip(limit, truth, strict=True))
        # decimal fractions are no binary ones: near a lower rank that is all one knows
        assert gap <= (1e-15 if exact or power == 0 else 1e-4) * size


@pytest.mark.parametrize("kind", [int, F, float])
def test_integers_of_other_sizes_have_full_rank(kind):
    X = [[kind(10**6), kind(0)], [kind(0), kind(1)]]
    flow, data = flow_of(sf.LinearNetwork(2, 2, 1)), sf.Dataset(X, [1, 2])
    start = [[1, 0], [0, 1]], [[1, 0]]
    bias = sf.implicit_bias(flow, data, start)
    assert bias.limit == pytest.approx(np.array([[1e-6, 2]]), rel=1e-15)
    assert bias.exact_limit.astype(float) == pytest.approx(bias.limit, rel=1e-15)
    assert all(
        claim.name != "RowSpaceSplit" for claim in sf.companions(flow, data, start)
    )


@pytest.mark.parametrize("factor", [F(1, 10**6), F(1), F(10**6)])
def test_verdicts_do_not_depend_on_units(factor):
    """Targets and first layers in other units: the same rows, the same status."""
    data = sf.Dataset([[F(1), F(2), F(0)], [F(0), F(1), F(1)]], [factor, -2 * factor])
    for net, start in (
        (sf.LinearNetwork(3, 2, 1), ([[1, 2, 0], [0, 1, 1]], [[1, 1]])),
        (sf.LinearNetwork(3, 1, 1), ([[1, 2, 1]], [[3]])),
    ):
        first = [[factor * entry for entry in row] for row in start[0]]
        second = start[1]
        if net.widths[1] == 1:  # balanced units, where δ is to stay of one sign
            second = [[3 * factor]]
        found = sf.bias.attempts(flow_of(net), data, (first, second))
        verdicts = [[row.holds for row in answer.hypotheses] for answer in found]
        plain = sf.Dataset([[F(1), F(2), F(0)], [F(0), F(1), F(1)]], [F(1), F(-2)])
        expected = sf.bias.attempts(flow_of(net), plain, start)
        assert verdicts[0] == [row.holds for row in expected[0].hypotheses]
        assert verdicts[3] == [row.holds for row in expected[3].hypotheses]


@pytest.mark.parametrize("zero", ["inputs", "targets"])
def test_zero_inputs_and_zero_targets(zero):
    X = [[0.0, 0.0]] if zero == "inputs" else [[1.0, 2.0]]
    data = sf.Dataset(X, [[1.0 if zero == "inputs" else 0.0]])
    two = [0.5, 2.0]
    for net, start in (
        (sf.DiagonalNetwork(2, 3), columns(two, two, [0.25, -0.5])),
        (sf.DiagonalNetwork(2, 3, signed=True), columns(*[two] * 3, *[two[::-1]] * 3)),
        (sf.HadamardDifference(2), columns(two, [1.0, -1.0])),
        (sf.ConvolutionalNetwork(2, filters=(2, 2)), columns(two, [0.0, 0.0])),
        (sf.LinearNetwork(2, 1, 1), ([[1.0, 1.0]], [[2.0]])),
    ):
        bias = sf.implicit_bias(flow_of(net), data, start)
        run = sf.simulate(flow_of(net), data, start, [0, 300])
        assert run.end_to_end[-1] == pytest.approx(bias.limit, abs=1e-6)
        others = [type(claim) for claim in sf.companions(flow_of(net), data, start)]
        assert sum(kind in COMPANIONS for kind in others) <= len(COMPANIONS)
    for call in (rich_excess, lazy_excess):
        with pytest.raises(sf.InvalidArgument, match="positive number"):
            call(1.0, 0.0, *[2] * (call is rich_excess))
    assert lazy_excess(1e-200, 1.0) == np.inf


# ---------------------------------------------------------------- saddles


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("k", [5, 13, 24])
def test_a_tiny_mode_of_the_wrong_sign_is_seen_in_any_frame(depth, k):
    """From 10^−kL towards −1: equal amplitudes end at zero, a saddle."""
    modes = ((F(1),) * depth, F(0)), ((F(1, 10**k),) * depth, F(-1))
    for seed in range(3):
        frames = [rotation(Random(f"{seed} {j}"), 3, 2) for j in range(depth + 1)]
        given = from_modes(modes, frames).stated()
        problem = bind(given["flow"], given["data"], given["init"])
        assert "a mode that moves alone" in str(LeastNorm.attempt(problem))
        if depth == 2:
            assert not RiccatiLimit.attempt(problem).limit.any()


def test_a_limit_is_proved_only_where_saddles_are_excluded():
    flow, data = flow_of(sf.LinearNetwork(2, 2, 2)), sf.whitened([[3, 0], [0, 1]])
    half = F(1, 2)
    wrong = [[-half, 0], [0, half]], [[half, 0], [0, half]]
    for start in (wrong, [np.array(weight, float) for weight in wrong]):
        refusal = LeastNorm.attempt(bind(flow, data, start))
        assert "moves alone is opposite" in str(refusal)
    assert sf.implicit_bias(flow, data, wrong).limit == pytest.approx(np.diag([0, 1]))
    with pytest.raises(sf.HypothesisFailed, match="not told from zero"):
        sf.implicit_bias(flow, data, start)
    near = [[F(3, 2), 0], [0, half]], [[2, 0], [0, half]]
    assert sf.implicit_bias(flow, data, near).status is Status.PROVED
    for still in (
        ([[1, 0], [0, 0]], [[3, 0], [0, 0]]),
        ([[0, 0], [0, 0]], [[0, 0], [0, 0]]),
        ([[0, 1], [0, 0]], [[0, 0], [0, 0]]),
    ):
        answer = LeastNorm.attempt(bind(flow, data, still))
        text = str(answer)
        assert "not stationary, or a minimizer: fails" in text or "limit: fails" in text
    there = [[3, 0], [0, 1]], [[1, 0], [0, 1]]
    assert sf.implicit_bias(flow, data, there).status is Status.PROVED


@pytest.mark.parametrize("factor", [F(1, 10**6), F(1), F(10**6)])
def test_a_start_above_the_lowest_saddle_is_not_called_safe(factor):
    """Balanced 1-1-1 from −s², target 1: it ends in 0, which is ½ above the infimum."""
    s = F(3, 10) * factor
    flow, data = flow_of(sf.LinearNetwork(1, 1, 1)), sf.whitened([[factor**2]])
    assert sf.implicit_bias(flow, data, ([[s]], [[s]])).status is Status.PROVED
    refusal = LeastNorm.attempt(bind(flow, data, ([[-s]], [[s]])))
    assert "moves alone is opposite" in str(refusal)
    assert sf.implicit_bias(flow, data, ([[-s]], [[s]])).limit.tolist() == [[0]]
    # balanced up to rounding is not taken for an imbalance
    size, floats = float(factor), sf.whitened([[float(factor) ** 2]])
    with pytest.raises(sf.HypothesisFailed, match="up to rounding"):
        sf.implicit_bias(flow, floats, ([[-0.3 * size]], [[(0.1 + 0.2) * size]]))
    wide = flow_of(sf.LinearNetwork(2, 2, 2))
    start = sf.balanced_init(0.3, rng=0)
    drawn = sf.implicit_bias(wide, sf.whitened([[3, 0], [0, 1]]), start)
    assert drawn.status is Status.HEURISTIC  # nobody proved that it passes the saddles
    assert drawn.hypotheses[-1].verdict == "assumed"
    # an imbalance of exact numbers, however small, frees it
    freed = sf.implicit_bias(flow, data, ([[-s]], [[s * (1 + F(1, 10**9))]]))
    assert freed.status is Status.PROVED


ROTATED = np.array([[F(3, 5), F(-4, 5)], [F(4, 5), F(3, 5)]])
TURNED = np.array([[F(5, 13), F(-12, 13)], [F(12, 13), F(5, 13)]])


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize(
    ("modes", "stuck"),
    [
        (((1, 1), (F(-1, 2), F(1, 2))), True),  # one of two modes is balanced, opposed
        (((1, 2), (F(-1, 2), F(1, 2))), True),
        (((1, 2), (F(-1, 2), F(1, 3))), False),
        (((1, 2), (F(1, 2), F(1, 2))), False),
        (((1, 2, 1), (F(1, 2), F(-1, 2), 2)), True),
        (((1, 2, 1), (F(1, 2), F(-1, 3), 2)), False),
        (((1, 2, 1), (0, 0, 2)), True),  # at rest
        (((1, 2, 1), (1, 0, 2)), False),
        (((1, 2, 1), (0, 2, 0)), True),
        (((0, 0, 1), (0, 2, 1)), True),
    ],
)
def test_a_mode_that_moves_alone_decides_by_its_amplitudes(modes, stuck, exact):
    """In rotated frames, so that no entry of a weight shows it."""
    depth, frames = len(modes[0]), [ROTATED, TURNED, ROTATED.T, TURNED.T]
    weights = [
        frames[k + 1] @ np.diag([mode[k] for mode in modes]) @ frames[k].T
        for k in range(depth)
    ]
    target = frames[depth] @ np.diag([5, 3]) @ frames[0].T
    if not exact:
        weights, target = [w.astype(float) for w in weights], target.astype(float)
    problem = bind(
        flow_of(sf.LinearNetwork(*[2] * (depth + 1))), sf.whitened(target), weights
    )
    assert bool(stuck_modes(problem, minimizers(problem))) == stuck
    run = simulate_to_the_end(weights, target)
    assert (abs(run - target.astype(float)).max() > 0.5) == stuck


def simulate_to_the_end(weights, target):
    """Return W(4) by SciPy, from the force alone."""
    shapes = [w.shape for w in weights]
    sizes = np.cumsum([0, *(a * b for a, b in shapes)])
    goal, names = target.astype(float), range(len(shapes))

    def layers(state):
        return [state[sizes[k] : sizes[k + 1]].reshape(shapes[k]) for k in names]

    def field(_, state):
        W = layers(state)
        done = np.linalg.multi_dot([*W[::-1], np.eye(2)])
        rates = []
        for k in names:
            after = np.linalg.multi_dot([np.eye(2), *W[:k:-1], np.eye(2)])
            before = np.linalg.multi_dot([np.eye(2), *W[:k][::-1], np.eye(2)])
            rates.append((after.T @ (goal - done) @ before.T).ravel())
        return np.concatenate(rates)

    start = np.concatenate([w.astype(float).ravel() for w in weights])
    end = solve_ivp(field, (0, 4), start, rtol=1e-10, atol=1e-12).y[:, -1]
    return np.linalg.multi_dot([*layers(end)[::-1], np.eye(2)])


def test_a_truth_of_rank_one_in_floats_is_reached_through_one_unit(rng):
    """Rounding of the targets is no second direction that a width of one lacks."""
    X = rng.standard_normal((6, 3))
    Y = X @ np.outer([0.1, 0.7, -0.3], [0.3, 0.1])
    flow, data = flow_of(sf.LinearNetwork(3, 1, 2)), sf.Dataset(X, Y)
    start = [[0.1, 0.6, -0.2]], [[0.7], [0.3]]
    bias = sf.implicit_bias(flow, data, start)
    assert bias.status is Status.HEURISTIC  # it may end at a saddle
    assert end_of("dense", start, X, Y) == pytest.approx(bias.limit, abs=1e-8)


def neuron(u, a, sigma=((2, 0), (0, 2)), target=((1, 0),)):
    problem = bind(
        flow_of(sf.LinearNetwork(2, 1, 1)), sf.Moments(sigma, target), (u, a)
    )
    return OneNeuron.attempt(problem)


def test_one_neuron_at_the_edge():
    """Balanced and opposite to the target it dies; a hair aside it does not."""
    assert "opposite to the target" in str(neuron([[-1, 0]], [[1]]))
    aside = neuron([[F(-3, 5), F(4, 5)]], [[1]])
    assert aside.status is Status.HEURISTIC
    assert aside.hypotheses[-1].verdict == "assumed"
    # an input that is not seen keeps a away from zero although a² < ‖u‖²
    seen = ((2, 0), (0, 0))
    for seen_part, unseen, a in (
        (F(-1, 2), 1, F(1)),
        (F(1, 2), 1, F(-1)),
        (1, 2, F(0)),
    ):
        claim = neuron([[seen_part, unseen]], [[a]], seen)
        start = [[float(seen_part), float(unseen)]], [[float(a)]]
        end = end_of("dense", start, np.diag([2.0, 0]), [[1.0], [0.0]])
        assert claim.status is Status.PROVED
        assert end == pytest.approx(claim.limit, abs=1e-7)
    assert "keeps its sign, or nothing is frozen: fails" in str(
        neuron([[F(-1, 2), 3]], [[F(1, 10)]], seen)
    )


@pytest.mark.parametrize("side", [-1, 1])
def test_floats_at_the_edge_are_not_taken_for_either_side(side):
    """a² = ‖u‖² up to rounding: which of the two is not said."""
    a = 0.1 + 0.2
    claim = neuron([[-0.3 * side, 0.0]], [[a]], ((2.0, 0.0), (0.0, 2.0)), ((1.0, 0.0),))
    assert "opposite to the target" in str(claim) if side > 0 else claim.status


# ---------------------------------------------------------------- frequencies, kernels


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("d", range(2, 9))
def test_a_dead_frequency_is_seen(d, exact):
    """Every filter that is constant, or repeats with a period, lacks frequencies."""
    one = F(1) if exact else 1.0
    data = sf.Dataset([[one] * d], [one])
    net = sf.ConvolutionalNetwork(d, filters=(d, d))
    for period in (p for p in range(1, d) if d % p == 0):
        taps = [one * 3 / 10 * (1 + j % period) for j in range(d)]
        answer = FourierPotential.attempt(
            bind(flow_of(net), data, columns(taps, [0 * one] * d))
        )
        assert "all frequencies: fails" in str(answer)
    alive = [one / (1 + j) for j in range(d)]
    start = columns(alive, [0 * one] * d)
    bias = FourierPotential.attempt(bind(flow_of(net), data, start))
    end = end_of("circular", start, [[1.0] * d], [[1.0]])
    assert end == pytest.approx(bias.limit, abs=1e-7)
    spectrum = np.abs(np.fft.fft([float(tap) for tap in alive]))
    assert bias.sizes == pytest.approx(spectrum, rel=1e-12)


def test_features_that_do_not_reach_are_fitted_in_the_norm_of_the_loss(rng):
    for _ in range(10):
        X, Y = rng.standard_normal((5, 3)), rng.standard_normal((5, 2))
        X[:, 0] *= 10.0 ** rng.integers(-3, 4)
        wide = rng.standard_normal((1, 3))
        net = sf.LinearNetwork(3, 1, 2)
        found = kernel_limit(flow_of(net), sf.Dataset(X, Y), (wide, np.zeros((2, 1))))
        readout = np.linalg.lstsq(X @ wide.T, Y, rcond=None)[0]
        assert found.limit == pytest.approx(readout.T @ wide, rel=1e-9, abs=1e-12)


def test_the_split_by_the_row_space_can_fail(rng):
    """A path that is no flow is noticed: x moved, y moved, U_2 moved."""
    data = sf.Dataset(rng.standard_normal((2, 4)), rng.standard_normal((2, 2)))
    flow = flow_of(sf.LinearNetwork(4, 3, 2))
    start = rng.standard_normal((3, 4)), rng.standard_normal((2, 3))
    claim = RowSpaceSplit.attempt(bind(flow, data, start))
    run = sf.simulate(flow, data, start, [0, 0.5, 1])
    assert max(claim.residuals(run)) < 1e-9
    late = sf.simulate(flow, data, start, [5, 10, 20])
    assert max(claim.residuals(late)) < 1e-8
    for layer, entry in ((0, 0), (1, 0)):
        moved = [weight.copy() for weight in run.weights]
        moved[layer][1, entry] *= 1.001
        assert max(claim.residuals(_Moved(run, moved))) > 1e-6
    mutant = RowSpaceSplit(claim.problem, (), 1.001)
    assert max(mutant.residuals(run)) > 1e-6


class _Moved:
    """A run with other weights."""

    def __init__(self, run, weights):
        self.run, self.weights = run, tuple(weights)

    def __getattr__(self, name):
        return getattr(self.run, name)


PREDICTIONS = LeastNorm, OneNeuron, DiagonalPotential, FourierPotential
THEOREMS = *PREDICTIONS, DirectionRate, DistanceBound, FrozenPart, RowSpaceSplit


@pytest.mark.parametrize("theorem", THEOREMS)
def test_every_theorem_about_limits_has_a_proof_that_can_fail(theorem, monkeypatch):
    """With another derivative, transpose or root some identity is violated."""
    assert theorem.proof()
    assert all(step.holds for step in theorem.proof())
    derived, transposed, root = sympy.diff, sympy.adjoint, sympy.sqrt
    monkeypatch.setattr(sympy, "diff", lambda f, x: 2 * derived(f, x))
    monkeypatch.setattr(sympy, "adjoint", lambda f: 2 * transposed(f))
    monkeypatch.setattr(sympy, "sqrt", lambda f: 2 * root(f))
    if theorem is not FrozenPart:  # W_1P⊥ is at rest whatever multiplies ΦᵀP⊥ = 0
        assert not all(step.holds for step in theorem.proof())
