"""Degenerate data and starts: rates against 50 digits, whatever the units."""

from dataclasses import replace
from fractions import Fraction as F
from itertools import pairwise

import mpmath as mp
import numpy as np
import pytest
import sympy
from flint import arb
from scipy.integrate import solve_ivp

import symflow as sf
from symflow.algebra.outward import at_least, at_most, float_down, float_up
from symflow.algebra.spectra import in_balls
from symflow.claims import Identity
from symflow.convergence import (
    BOUNDS,
    COMPANIONS,
    DESCENTS,
    HomogeneousRate,
    ImbalanceDrift,
    ImbalanceRate,
    InstantaneousRate,
    KernelCeiling,
    KernelDrift,
    KernelFloor,
    LossBound,
    MarginRate,
    OneStep,
    OrderedModesRate,
    OrderedRate,
    PathLength,
    ThreeLayerRate,
    UnimodalRate,
    attempts,
)
from symflow.convergence.deep import deficiency_margin
from symflow.convergence.step_constants import Constants
from symflow.convergence.three_layers import operator_floor
from symflow.flow.imbalance import imbalance_levels
from symflow.flow.problem import bind
from symflow.simulation.ensemble import ensemble

DIGITS = 60
ROTATION = [[F(3, 5), F(-4, 5)], [F(4, 5), F(3, 5)]]


def exact_matrix(rng, rows, columns):
    """Zeros, repeated, tiny, rank-one or rotated entries, as fractions."""
    kind = rng.integers(5)
    if kind == 0:
        return [[0] * columns for _ in range(rows)]
    if kind == 1:
        sizes = [F(int(rng.integers(4)), 10 ** int(rng.integers(9))) for _ in range(9)]
        return [
            [sizes[i] if i == j else 0 for j in range(columns)] for i in range(rows)
        ]
    entries = [[int(x) for x in row] for row in rng.integers(-1, 3, (rows, columns))]
    if kind == 2:
        return [[row[0] * x for x in entries[0]] for row in entries]
    if kind == 3 and rows >= 2:
        top = [
            [
                sum(r * x for r, x in zip(q, c, strict=True))
                for c in zip(*entries[:2], strict=True)
            ]
            for q in ROTATION
        ]
        return top + entries[2:]
    return entries


def float_matrix(rng, rows, columns):
    """Nearly singular, rank-one, orthonormal or generic, in any units."""
    kind, matrix = rng.integers(4), rng.standard_normal((rows, columns))
    if kind == 0:
        left, sizes, right = np.linalg.svd(matrix, full_matrices=False)
        sizes[-1] *= 10.0 ** -rng.integers(18)
        matrix = left * sizes @ right
    if kind == 1:
        matrix = np.outer(matrix[:, 0], matrix[0])
    if kind == 2:
        size = max(rows, columns)
        frame = np.linalg.qr(rng.standard_normal((size, size)))[0]
        matrix = frame[:rows, :columns]
    return matrix * 10.0 ** rng.choice([-7, 0, 0, 7])


def instances(seed, count):
    """Yield widths, whitened data near the start or anywhere, and the start."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        depth = int(rng.choice([2, 2, 3]))
        widths = tuple(int(w) for w in rng.integers(1, 4, depth + 1))
        draw = exact_matrix if number % 2 else float_matrix
        weights = [np.array(draw(rng, b, a)) for a, b in pairwise(widths)]
        target = np.array(draw(rng, widths[-1], widths[0]))
        if rng.random() < 0.5:
            target = np.linalg.multi_dot([*weights[::-1], np.eye(widths[0], dtype=int)])
            target = target * (F(11, 10) if number % 2 else 1.1)
        inputs = np.array(draw(rng, widths[0], widths[0]))
        data = (
            sf.whitened(target.tolist())
            if rng.random() < 0.5 or not inputs.any()
            else sf.Moments(
                (inputs.T @ inputs).tolist(), (target @ inputs.T @ inputs).tolist()
            )
        )
        yield widths, data, [weight.tolist() for weight in weights]


def lifted(matrix):
    return mp.matrix(
        [[mp.mpf(F(x).numerator) / F(x).denominator for x in row] for row in matrix]
    )


def square(matrix):
    return sum(entry**2 for entry in matrix)


def exactly(data, weights):
    """ℒ − ℒ* and −ℒ̇ at the start, to many digits; None where the rank is unclear."""
    moments = data.moments()
    parts = (
        [[sympy.Rational(x) for x in row] for row in m.tolist()]
        for m in (moments.sigma_xx, moments.sigma_yx)
    )
    sigma_xx, sigma_yx = (
        lifted([[F(int(x.p), int(x.q)) for x in row] for row in m]) for m in parts
    )
    layers = [lifted(weight) for weight in weights]
    before = [mp.eye(sigma_xx.rows)]
    for layer in layers:
        before.append(layer * before[-1])
    force, after, speed = sigma_yx - before[-1] * sigma_xx, mp.eye(sigma_yx.rows), 0
    for layer, inner in zip(layers[::-1], before[-2::-1], strict=True):
        speed += square(after.T * force * inner.T)
        after = after * layer
    values, frame = mp.eigsy(sigma_xx)
    relative = [value / max(values) for value in values]
    if any(1e-50 < abs(part) < 1e-13 for part in relative):
        return None
    turned = force * frame
    excess = sum(
        square(turned[:, j]) / (2 * values[j])
        for j in range(len(values))
        if relative[j] > 1e-13
    )
    return excess, speed


@pytest.mark.parametrize("seed", range(3))
def test_rates_and_floors_are_below_what_50_digits_say(seed):
    held = 0
    for widths, data, weights in instances(seed, 24):
        with mp.workdps(DIGITS):
            flow = sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss())
            found = exactly(data, weights)
            if found is None:
                continue
            excess, speed = found
            for claim in attempts(flow, data, weights):
                if not isinstance(claim, LossBound):
                    continue
                proved = claim.status.value == "proved"
                spare = 1 + mp.mpf(1e-40 if proved else 1e-9)
                assert claim.rate * excess <= speed * spare, claim
                assert claim.rate == 0 or speed > 0 or excess == 0
                assert claim.bound(0.0) * spare >= excess
                held += claim.rate > 0
                if isinstance(claim, InstantaneousRate) and excess > 0:
                    product = np.linalg.multi_dot([np.eye(widths[-1]), *weights[::-1]])
                    assert claim.floor(product) * excess <= speed * spare
    assert held > 12


def test_a_tiny_feature_is_a_feature():
    """Rank 2, exactly: the rate is that of λ = 1e-12, and balls do not refute it."""
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.SquaredLoss())
    data = sf.Dataset([[1, F(1, 10**6)], [1, F(-1, 10**6)]], [[2], [0]])
    start = [[[3, 0], [0, 3]], [[1, 1]]]
    claim = ImbalanceRate.attempt(bind(flow, data, start))
    assert claim.rate <= 1.4e-11
    assert claim.rate == pytest.approx(1.4e-11, rel=1e-12)
    assert claim.status.value == "proved"
    assert "the rank of Σ_xx is known, and not zero: ok, rank 2" in map(
        str, claim.hypotheses
    )
    certificate = sf.certify(claim, flow, data, start, [1, 5], digits=30)
    assert certificate.status.value == "enclosed"


def test_samples_whose_rank_is_a_matter_of_rounding_are_refused():
    """0.3 is not 3·0.1: the rank is 2, and the loss has a part that float64 misses."""
    flow = sf.gradient_flow(sf.LinearNetwork(2, 3, 1), sf.SquaredLoss())
    start = sf.gaussian_init(1, rng=0)
    nearly = sf.Dataset([[0.1, 0.3], [0.7, 2.1], [0.2, 0.6]], [1.0, 0.0, 2.0])
    refusal = ImbalanceRate.attempt(bind(flow, nearly, start))
    assert "rank 1 to rounding" in str(refusal)
    assert "as given rank 2" in str(refusal)
    twice = sf.Dataset([[0.1, 0.2], [0.7, 1.4], [0.2, 0.4]], [1.0, 0.0, 2.0])
    claim = ImbalanceRate.attempt(bind(flow, twice, start))
    assert claim.status.value == "proved"
    run = sf.simulate(flow, twice, start, [0, 1, 5])
    assert sf.validate([claim], run).ok


@pytest.mark.parametrize("widths", [(2, 3, 2), (2, 2, 2, 2)])
@pytest.mark.parametrize("power", [-7, 7])
def test_rates_have_units(rng, widths, power):
    """W → sW at Σ_yx → s^L Σ_yx: time in s^{2−2L}; X → sX, W_1 → W_1/s: none."""
    scale, depth = 10.0**power, len(widths) - 1
    start = sf.gaussian_init(1, rng=1).draw(sf.LinearNetwork(*widths))
    target = np.linalg.multi_dot(start[::-1]) + 0.02 * rng.standard_normal((2, 2))
    flow = sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss())

    def found(data, weights):
        return {claim.name: claim.rate for claim in sf.rates(flow, data, weights)}

    plain = found(sf.whitened(target), start)
    assert len(plain) >= 2 or depth > 2
    scaled = found(sf.whitened(scale**depth * target), [scale * w for w in start])
    assert {
        k: v / scale ** (2 * depth - 2) for k, v in scaled.items()
    } == pytest.approx(plain)
    X, Y = rng.standard_normal((3, 2)), rng.standard_normal((3, 2))
    one, other = found(sf.Dataset(X, Y), start), found(sf.Dataset(scale * X, Y), start)
    assert set(other) <= set(one) | {"MarginRate", "ConvexityRate"}
    assert (
        other["InstantaneousRate"] == pytest.approx(scale**2 * one["InstantaneousRate"])
        if depth == 2
        else True
    )


@pytest.mark.parametrize("scale", [1e-7, 1.0, 1e4, 1e7])
def test_what_stands_still_gets_no_rate_and_no_path(rng, scale):
    """Zeros, saddles of the weights, and saddles up to the rounding of floats."""
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    nothing, one = np.zeros((2, 2)), scale * np.diag([1.0, 0.0])
    goal = scale**2 * np.diag([1.0, 5.0])
    turns = [np.linalg.qr(rng.standard_normal((2, 2)))[0] for _ in range(3)]
    for first, second in ((nothing, nothing), (one, nothing), (one, one)):
        for left, middle, right in ((np.eye(2),) * 3, turns):
            weights = [middle @ first @ right.T, left @ second @ middle.T]
            data = sf.whitened(left @ goal @ right.T)
            bounds = sf.rates(flow, data, weights)
            assert all(claim.rate < 1e-9 * scale**2 for claim in bounds)
            kinds = {type(claim) for claim in sf.companions(flow, data, weights)}
            assert not kinds & {PathLength, KernelDrift}
            if left is right:
                assert bounds.rate == 0


def test_zero_targets_and_zero_inputs():
    flow = sf.gradient_flow(sf.LinearNetwork(2, 3, 2), sf.SquaredLoss())
    start = sf.gaussian_init(1, rng=0)
    zero = sf.whitened([[0, 0], [0, 0]])
    bounds = sf.rates(flow, zero, start)
    run = sf.simulate(flow, zero, start, [0, 1, 3])
    assert len(bounds) >= 2
    assert sf.validate(bounds, run).ok
    assert sf.regime(flow, zero, start).scale == np.inf
    none = bind(flow, sf.Dataset([[0, 0]], [[1, 1]]), start)
    for kind in (ImbalanceRate, KernelCeiling, PathLength, OneStep):
        answer = kind.attempt(none, 0.1) if kind is OneStep else kind.attempt(none)
        assert "is known, and not zero: fails, rank 0" in str(answer)


@pytest.mark.parametrize("digits", [None, 30])
def test_a_path_that_starts_late_refutes_nothing(digits):
    flow = sf.gradient_flow(sf.LinearNetwork(2, 3, 2), sf.SquaredLoss())
    start = sf.gaussian_init(1, rng=3).draw(flow.network)
    data = sf.whitened(start[1] @ start[0] + 0.05)
    bounds = [*sf.rates(flow, data, start), *sf.companions(flow, data, start)]
    times = [5, 10, 20]
    late = (
        sf.simulate(flow, data, start, times)
        if digits is None
        else sf.precise(flow, data, start, times, digits=digits)
    )
    assert {MarginRate, PathLength, KernelDrift} <= {type(claim) for claim in bounds}
    assert sf.validate(bounds, late).ok
    whole = sf.simulate(flow, data, start, [0, 0.2, 0.5, 1])
    for claim in bounds:
        if isinstance(claim, MarginRate):
            assert (
                max(replace(claim, constant=3 * claim.constant).residuals(whole)) > 1e-3
            )


def test_lazy_descent_is_not_called_contradicted(rng):
    """Layers of size 100: D is known to 1e-12 only, and the product to 1e-11."""
    gd = sf.gradient_descent(sf.LinearNetwork(2, 3, 2), sf.SquaredLoss())
    start = [100 * rng.standard_normal((3, 2)), 1e-3 * rng.standard_normal((2, 3))]
    data = sf.whitened(rng.standard_normal((2, 2)))
    claims = sf.companions(gd, data, start, step_size=2e-6)
    run = sf.descend(gd, data, start, 400, step_size=2e-6)
    assert {OneStep, ImbalanceDrift} <= {type(claim) for claim in claims}
    assert sf.validate(claims, run).ok
    for claim in claims:
        assert not claim.statement.atoms(sympy.core.function.AppliedUndef)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_constants_of_descent_have_units(rng, scale):
    gd = sf.gradient_descent(sf.LinearNetwork(2, 4, 2), sf.SquaredLoss())
    start = [rng.standard_normal((4, 2)), rng.standard_normal((2, 4))]
    target = start[1] @ start[0] + 0.05
    steps = []
    for size in (1.0, scale):
        problem = bind(
            gd.flow, sf.whitened(size**2 * target), [size * w for w in start]
        )
        steps.append(Constants.of(problem).largest_step * size**2)
    assert steps[0] > 0
    assert steps[1] == pytest.approx(steps[0], rel=1e-9)


def test_brackets_that_cancel_are_rounded_down():
    """Levels 1e8 beside 1: hypot − plus loses 8 digits in float64."""
    generator = np.random.default_rng(1)
    for _ in range(40):
        values = generator.uniform(0.1, 1, 3) * 10.0 ** generator.integers(-3, 9, 3)
        levels = imbalance_levels(np.diag([values[0], values[1], -values[2]]), 2, 1)
        sigma = generator.uniform(0.1, 1, 2)
        found = float(levels.bracket(*sigma))
        with mp.workdps(50):
            top, kth = sorted(map(mp.mpf, values[:2]), reverse=True)
            bottom = mp.mpf(values[2])
            level = kth + bottom
            first = mp.hypot(top - kth + level, 2 * sigma[0]) - (top - kth)
            exact = first + mp.hypot(level, 2 * sigma[1])
            assert found <= exact
            assert found >= exact * (1 - mp.mpf(1e-6))


def test_operator_floors_are_below_the_operator(rng):
    for power in (-8, 0, 8):
        for _ in range(20):
            sizes = [1, *rng.integers(1, 4, 2), 1]
            weights = [
                10.0**power * rng.standard_normal((b, a)) for a, b in pairwise(sizes)
            ]
            first, second, third = (lifted(w.tolist()) for w in weights)
            with mp.workdps(50):
                value = square(second * first) + square(third * second)
                value += square(third) * square(first)
                assert operator_floor(tuple(weights)) <= value


def test_balanced_floats_stay_below_the_operator(rng):
    """Balanced to rounding: the rate is taken down by more than it may be off."""
    for depth in (2, 3, 4):
        frames = [
            np.linalg.qr(rng.standard_normal((2, 2)))[0] for _ in range(depth + 1)
        ]
        sizes = np.array([1.0, 10.0 ** -rng.uniform(0.3, 1)])
        weights = [(b * sizes) @ a.T for a, b in pairwise(frames)]
        flow = sf.gradient_flow(sf.LinearNetwork(*[2] * (depth + 1)), sf.SquaredLoss())
        target = np.linalg.multi_dot(weights[::-1]) * (1 + 1e-9)
        claim = HomogeneousRate.attempt(bind(flow, sf.whitened(target), weights))
        assert isinstance(claim, HomogeneousRate)
        with mp.workdps(50):
            excess, speed = exactly(sf.whitened(target), weights)
            assert claim.rate * excess <= speed
        assert claim.rate > depth * sizes[1] ** (2 * depth - 2)


def test_only_exactly_balanced_starts_are_obstructed():
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    data, wrong = sf.whitened([[1, 0], [0, 1]]), np.diag([0.3, -0.3])
    right = np.diag([0.3, 0.3])
    assert sf.regime(flow, data, (right, wrong)).obstructed
    off = wrong + np.diag([0.0, 1e-12])
    assert not sf.regime(flow, data, (right, off)).obstructed
    tiny = [[F(1, 10**9), 0], [0, F(1, 10**9)]]
    assert sf.regime(
        flow, data, (tiny, [[F(1, 10**9), 0], [0, F(-1, 10**9)]])
    ).obstructed
    own = sf.gradient_flow(flow.network, flow.loss, learning_rates=(1, 3))
    with pytest.raises(sf.HypothesisFailed, match="learning rate"):
        sf.regime(own, data, (right, wrong))


def test_statements_hold_at_their_own_start_and_define_their_words(rng):
    flow = sf.gradient_flow(sf.LinearNetwork(2, 3, 2), sf.SquaredLoss())
    start = [rng.standard_normal((3, 2)), rng.standard_normal((2, 3))]
    data = sf.whitened(start[1] @ start[0] + 0.01 * rng.standard_normal((2, 2)))
    moments, t = data.moments(), sympy.Symbol("t", nonnegative=True)
    values = {
        "W": start[1] @ start[0],
        "W_opt": moments.sigma_yx,
        "Sigma_xx": moments.sigma_xx,
        "Sigma_yx": moments.sigma_yx,
    }
    values |= {w.name: x for w, x in zip(flow.state, start, strict=True)}
    values |= {f"{w.name}_0": x for w, x in zip(flow.state, start, strict=True)}
    values["F"] = rng.standard_normal((2, 2))
    sigma = np.linalg.svd(values["W"], compute_uv=False)[-1]
    kinds = set()
    others = [c for c in sf.companions(flow, data, start) if type(c) in COMPANIONS]
    for claim in (*sf.rates(flow, data, start), *others):
        said = claim.statement
        assert not said.atoms(sympy.core.function.AppliedUndef), claim.name
        numbers = {
            s: sympy.Matrix(values[s.name]) for s in said.atoms(sympy.MatrixSymbol)
        }
        scalars = {
            s: sigma for s in said.free_symbols if s.name in ("sigma_m", "sigma_r")
        }
        sides = [
            side.subs({**scalars, t: 0}).subs(numbers).doit() for side in said.args
        ]
        holds = type(said)(*sides)
        assert bool(holds), claim.name
        kinds.add(type(claim))
    assert {
        MarginRate,
        InstantaneousRate,
        PathLength,
        KernelFloor,
        KernelDrift,
    } <= kinds


def test_outward_digits():
    generator = np.random.default_rng(0)
    for value in [
        *generator.uniform(0, 1, 50) * 10.0 ** generator.integers(-9, 9, 50),
        0.1,
        6.5,
    ]:
        down, up = float_down(value), float_up(value)
        exact = sympy.Rational(float(value))
        assert sympy.Rational(down) <= exact <= sympy.Rational(up)
        assert sympy.Rational(str(down)) <= exact <= sympy.Rational(str(up))
        assert float(up - down) <= 3e-5 * value
    third = in_balls(lambda: arb(1) / 3)()
    assert arb(at_least(third)) < third < arb(at_most(third))


def test_ordered_modes_are_certified_on_diagonal_networks():
    flow = sf.gradient_flow(sf.DiagonalNetwork(2, 2), sf.SquaredLoss())
    data, start = sf.Dataset([[1, 0], [0, 2]], [1, 1]), ([2, 2], [0, F(1, 2)])
    claim = OrderedModesRate.attempt(bind(flow, data, start))
    assert claim.status.value == "verified"
    found = sf.certify(claim, flow, data, start, [1], digits=20)
    assert found.status.value == "enclosed"


def test_path_and_kernel_claims_against_an_integration(rng):
    """SciPy on plain matrices, for starts of very different layers."""
    for size in (1.0, 30.0):
        start = [size * rng.standard_normal((4, 2)), rng.standard_normal((2, 4)) / size]
        target = start[1] @ start[0] + 0.1 * rng.standard_normal((2, 2))

        def motion(_, y, target=target):
            first, second = y[:8].reshape(4, 2), y[8:].reshape(2, 4)
            force = target - second @ first
            return np.concatenate(
                [(second.T @ force).ravel(), (force @ first.T).ravel()]
            )

        begin = np.concatenate([weight.ravel() for weight in start])
        path = solve_ivp(motion, [0, 10 / size**2], begin, rtol=1e-11, atol=1e-12).y
        flow = sf.gradient_flow(sf.LinearNetwork(2, 4, 2), sf.SquaredLoss())
        moved = max(np.linalg.norm(path - begin[:, None], axis=0))
        for claim in sf.companions(flow, sf.whitened(target), start):
            ends = []
            for y in path.T:
                grams = y[:8].reshape(4, 2), y[8:].reshape(2, 4).T
                values = [np.linalg.eigvalsh(g.T @ g) for g in grams]
                ends.append([values[0][k] + values[1][k] for k in (0, -1)])
            low, high = np.min(ends), np.max(ends)
            if isinstance(claim, PathLength):
                assert moved <= claim.radius
            if isinstance(claim, KernelFloor):
                assert low >= claim.floor * (1 - 1e-9)
            if isinstance(claim, KernelCeiling):
                assert high <= claim.top * (1 + 1e-9)


@pytest.mark.parametrize("init", [sf.spectral_init(0.1), sf.balanced_init(1, rng=0)])
def test_balls_around_zero_have_roots(init):
    """What a rule draws is balanced to 30 digits: balls of the level reach below 0."""
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    problem = bind(flow, sf.whitened([[1, 0], [0, 2]]), init)
    for product in (np.zeros((2, 2)), np.diag([1.0, 0.0]), np.eye(2)):
        floor = float(InstantaneousRate.attempt(problem).floor(product))
        exact = 4 * product[1, 1]
        assert 0 <= floor <= exact
        assert floor == pytest.approx(exact, rel=1e-9)
    assert 0 < KernelCeiling.attempt(problem).top < np.inf


def test_members_of_an_ensemble_have_their_own_rates(rng):
    flow = sf.gradient_flow(sf.LinearNetwork(2, 3, 2), sf.SquaredLoss())
    data = sf.whitened([[1.0, 0.0], [0.0, 2.0]])
    starts = [rng.standard_normal((3, 3, 2)), rng.standard_normal((3, 2, 3))]
    runs = ensemble(flow, data, tuple(starts), [0, 1])
    for number in range(3):
        own = bind(flow, data, [start[number] for start in starts])
        member = KernelCeiling.attempt(runs[number].problem)
        assert member.top == KernelCeiling.attempt(own).top


def test_singular_inputs_have_no_reduced_rank_solutions():
    tiny = sf.Moments([[1, 0], [0, F(1, 10**14)]], [[1, F(1, 10**14)]])
    found = sf.convergence.reduced_rank_solutions(tiny)
    assert found[-1] == pytest.approx(np.array([[1.0, 1.0]]))
    with pytest.raises(sf.InvalidData, match="rank 1, 2 inputs"):
        sf.convergence.reduced_rank_solutions(sf.Moments([[1, 1], [1, 1]], [[1, 1]]))


def test_margins_are_rounded_down():
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    for start in (F(1, 3), F(2, 3)):
        found = deficiency_margin(bind(flow, sf.whitened([[1]]), [[[1]], [[start]]]))
        assert F(found) <= start
        assert found == pytest.approx(float(start))


PROVED = [
    *(kind for kind in BOUNDS if kind.__module__.rpartition(".")[2] != "rank_one"),
    *(PathLength, KernelFloor, KernelCeiling, KernelDrift),
    *DESCENTS,
]


@pytest.mark.parametrize("kind", PROVED)
def test_every_identity_holds_and_its_mutants_do_not(kind):
    identities = kind.proof()
    assert identities
    for identity in identities:
        assert identity.holds, identity
        shifted = identity.residual + sympy.Symbol("ε")
        assert not Identity(identity.words, shifted).holds


def test_rates_of_numbers_are_those_of_their_identities():
    """The identities speak of the constants that are computed: equality for numbers."""
    w = (F(3), F(2), F(1))
    layers = [[[x]] for x in w]
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1, 1), sf.SquaredLoss())
    problem = bind(flow, sf.whitened([[7]]), layers)
    assert UnimodalRate.attempt(problem).rate == pytest.approx(2 * 8 * 3)
    order = OrderedRate.attempt(problem)
    assert order.rate == pytest.approx(2 * 3**2)
    P, Q, x = 2**2 - 3**2, 2**2 - 1, 3
    floor = x * (x - Q) + (x - P) * (x - Q) + x * (x - P)
    assert ThreeLayerRate.attempt(problem).rate == pytest.approx(2 * floor)


@pytest.mark.parametrize("digits", [20, 26, 60, 300])
def test_fractions_share_singular_vectors_or_do_not(digits):
    """Below what any arithmetic at hand can tell from none, too."""
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    data, size = sf.whitened([[3, 0], [0, 1]]), F(1, 100)

    def phases(off):
        layer = [[size, off], [off, size]]  # twice: exactly balanced
        claims = sf.companions(flow, data, [layer, layer])
        return [claim.name for claim in claims if claim.name == "Staircase"]

    assert phases(F(0)) == ["Staircase"]
    assert phases(F(1, 10**digits)) == []
