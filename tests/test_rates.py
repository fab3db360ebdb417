"""No bound is violated; mutated bounds are; the constants are those of the theorems."""

import numpy as np
import pytest
from oracles.arrays import balanced, chain, derivatives, draw
from oracles.flows import operator_smallest, runge_kutta

import symflow as sf
from symflow.convergence import (
    ConvexityRate,
    HomogeneousRate,
    ImbalanceRate,
    InstantaneousRate,
    MarginRate,
    ThreeLayerRate,
    UnimodalRate,
    attempts,
    rates,
)
from symflow.convergence.three_layers import operator_floor
from symflow.flow.imbalance import imbalance_levels
from symflow.flow.problem import bind

INSTANCES, STEP, STEPS = 100, 0.004, 250


def ensemble(rng, widths, near):
    """Random data with random starts; `near` puts the target near the start."""
    weights, sigma_xx, sigma_yx = draw(rng, widths, (INSTANCES,), (INSTANCES,))
    weights = [0.7 * weight for weight in weights]
    sigma_xx = sigma_xx / np.trace(sigma_xx, axis1=1, axis2=2)[:, None, None]
    sigma_yx = 0.3 * sigma_yx
    if near:
        noise = 0.1 * rng.standard_normal(sigma_yx.shape)
        sigma_yx = (chain(weights, widths[0]) + noise) @ sigma_xx
    return weights, sigma_xx, sigma_yx


def excesses(weights, sigma_xx, sigma_yx):
    """ℓ − ℓ* at every step of the flow, through the inverse of Σ_xx."""
    target = sigma_yx @ np.linalg.inv(sigma_xx)
    path = runge_kutta(
        lambda state: derivatives(state, sigma_xx, sigma_yx), weights, STEP, STEPS
    )
    gaps = np.array([chain(state, sigma_xx.shape[-1]) - target for state in path])
    return 0.5 * np.einsum("tiab,ibc,tiac->it", gaps, sigma_xx, gaps)


def problems(widths, weights, sigma_xx, sigma_yx):
    flow = sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss())
    for k in range(INSTANCES):
        data = sf.Moments(sigma_xx[k], sigma_yx[k])
        yield bind(flow, data, [weight[k] for weight in weights])


CASES = [
    ((3, 6, 2), False, ImbalanceRate),
    ((2, 4, 2), True, ImbalanceRate),
    ((3, 4, 2), True, MarginRate),
    ((2, 2, 2), True, MarginRate),
    ((2, 3, 4), True, MarginRate),
    ((3, 4, 2), True, ConvexityRate),
    ((2, 3, 3), True, ConvexityRate),
    ((3, 7, 5, 2), False, ThreeLayerRate),
    ((1, 4, 6, 1), False, ThreeLayerRate),
]


@pytest.mark.parametrize(("widths", "near", "bound"), CASES)
def test_no_bound_is_violated_on_random_flows(rng, widths, near, bound):
    """900 flows, over 500 of them with a bound; Runge–Kutta errs far below 1e-6."""
    weights, sigma_xx, sigma_yx = ensemble(rng, widths, near)
    measured = excesses(weights, sigma_xx, sigma_yx)
    t = STEP * np.arange(STEPS + 1)
    held = 0
    for k, problem in enumerate(problems(widths, weights, sigma_xx, sigma_yx)):
        claim = bound.attempt(problem)
        if isinstance(claim, bound):
            held += 1
            assert np.all(measured[k] <= claim.bound(t) * (1 + 1e-6) + 1e-12)
    assert held >= 15


def start_near_a_target(rng, weights, shift=0.05):
    product = chain(weights, weights[0].shape[1])
    target = product + shift * rng.standard_normal(product.shape) / len(product)
    return sf.whitened(target)


@pytest.mark.parametrize(
    "widths", [(3, 3, 3, 3), (3, 5, 4, 3), (2, 2, 2, 2, 2), (3, 2, 2)]
)
def test_balanced_bound_and_operator_near_the_target(rng, widths):
    """The loss falls at least at rate 2Lσ^{2−2/L}; at 2σ^{2−2/L} if d ≠ m."""
    depth, square = len(widths) - 1, widths[0] == widths[-1]
    for _ in range(10):
        weights = balanced(rng, widths)
        flow = sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss())
        data = start_near_a_target(rng, weights)
        claim = HomogeneousRate.attempt(bind(flow, data, weights))
        run = sf.simulate(flow, data, weights, np.linspace(0, 2, 9))
        assert max(claim.residuals(run)) == 0
        values = np.linalg.svd(chain(weights, widths[0]), compute_uv=False)
        factor = depth if square else 1
        exact = factor * values[min(widths[0], widths[-1]) - 1] ** (2 - 2 / depth)
        assert operator_smallest(weights) == pytest.approx(exact, rel=1e-9)


def test_factor_depth_is_wrong_for_rectangular_balanced_layers(rng):
    """Mutated: λ_min = Lσ^{2−2/L} fails where d ≠ m."""
    weights = balanced(rng, (3, 2, 2))
    smallest = np.linalg.svd(weights[1] @ weights[0], compute_uv=False)[1]
    assert operator_smallest(weights) < 0.51 * 2 * smallest


def unimodal(rng, widths, peak):
    """Weights with D_l ⪰ 0 before the peak and ⪯ 0 from it on, square frames apart."""
    size = widths[0]
    squares = [np.diag(rng.uniform(0.2, 2, size))]
    for _ in range(len(widths) - 2):
        squares.append(squares[-1] + np.diag(rng.uniform(0, 1, size)))
    sizes = squares[::-1][:peak] if peak == len(widths) - 1 else None
    ordered = sizes if sizes is not None else squares[::-1]
    frames = [np.linalg.qr(rng.standard_normal((w, size)))[0] for w in widths]
    roots = [np.sqrt(square) for square in ordered]
    return [frames[k + 1] @ roots[k] @ frames[k].T for k in range(len(roots))]


def test_unimodal_and_homogeneous_operator_bounds(rng):
    """200 networks with D_l ⪰ 0, and their transposes with D_l ⪯ 0."""
    for _ in range(100):
        widths = (2, *rng.integers(2, 5, 2), 2)
        weights = unimodal(rng, widths, 3)
        for layers in (weights, [w.T for w in weights[::-1]]):
            floor = floor_of(UnimodalRate, layers)
            assert 0 < floor <= operator_smallest(layers) * (1 + 1e-9)


def floor_of(kind, layers):
    """The bound on λ_min(𝒯) of whitened inputs, at a start that is the target."""
    widths = [layers[0].shape[1], *(len(w) for w in layers)]
    flow = sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss())
    target = sf.whitened(chain(layers, widths[0]))
    return kind.attempt(bind(flow, target, list(layers))).constant / 2


def test_homogeneous_bound_combines_imbalance_and_singular_value(rng):
    for _ in range(100):
        depth = rng.integers(2, 5)
        base, levels = rng.uniform(0.01, 1, 3) ** 2, rng.uniform(0, 1, depth - 1)
        squares = [base + level for level in np.cumsum([0, *levels])][::-1]
        frames = [
            np.linalg.qr(rng.standard_normal((3, 3)))[0] for _ in range(depth + 1)
        ]
        weights = [
            (after * np.sqrt(square)) @ before.T
            for before, after, square in zip(frames, frames[1:], squares, strict=False)
        ]
        product = np.prod(np.cumsum(levels))
        smallest = np.prod([np.sqrt(square.min()) for square in squares])
        bound = np.hypot(product, depth * smallest ** (2 - 2 / depth))
        assert bound <= operator_smallest(weights) * (1 + 1e-9)
        floor = floor_of(HomogeneousRate, weights)
        assert floor == pytest.approx(bound, rel=1e-5)
        assert floor <= bound * (1 + 1e-9)


def test_three_layer_operator_floor_on_random_networks(rng):
    ratios = []
    for _ in range(1000):
        d, m = rng.integers(1, 4, 2)
        hidden = rng.integers(min(d, m), 8, 2)
        sizes = (d, *hidden, m)
        scales = rng.uniform(0.1, 3, 3)
        weights = [
            scale * rng.standard_normal((after, before))
            for scale, before, after in zip(scales, sizes, sizes[1:], strict=False)
        ]
        floor, smallest = operator_floor(tuple(weights)), operator_smallest(weights)
        assert floor <= smallest * (1 + 1e-9) + 1e-12
        if floor > 0:
            ratios.append(smallest / floor)
    assert len(ratios) > 300
    assert min(ratios) < 1.05


def test_eigenvalue_lemma_on_random_pairs(rng):
    for _ in range(1000):
        r, m = rng.integers(1, 5, 2)
        h = rng.integers(min(r, m), 7)
        A, B = (
            rng.standard_normal((r, h)),
            rng.uniform(0.2, 3) * rng.standard_normal((h, m)),
        )
        values = np.append(np.linalg.svd(A @ B, compute_uv=False), np.zeros(9))
        levels = imbalance_levels(A.T @ A - B @ B.T, r, m)
        smallest = [np.linalg.eigvalsh(gram)[0] for gram in (A @ A.T, B.T @ B)]
        bracket = levels.bracket(values[m - 1], values[r - 1])
        # Lemma 8 needs h ≥ min(r, m); rounding of an eigenvalue is about 1e-14
        assert bracket <= 2 * sum(smallest) + 1e-10


def test_instantaneous_bound_holds_at_every_instant_and_is_sharp_for_scalars(rng):
    """A 1–1–1 network meets the bound with equality: −ℒ̇/ℒ = 2√(D² + 4w²)."""
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    data = sf.whitened([[1.3]])
    weights = [[[0.9]], [[0.2]]]
    run = sf.simulate(flow, data, weights, np.linspace(0, 3, 12))
    claim = InstantaneousRate.attempt(bind(flow, data, weights))
    assert max(claim.residuals(run)) < 1e-9
    assert claim.margin(run) == pytest.approx(1, abs=1e-6)
    wide = sf.gradient_flow(sf.LinearNetwork(4, 6, 2), sf.SquaredLoss())
    data = sf.Dataset(rng.standard_normal((3, 4)), rng.standard_normal((3, 2)))
    run = sf.simulate(wide, data, sf.gaussian_init(0.7, rng=1), np.linspace(0, 9, 40))
    claim = InstantaneousRate.attempt(bind(wide, data, sf.gaussian_init(0.7, rng=1)))
    assert max(claim.residuals(run)) == 0
    assert np.all(claim.margin(run) >= 1)


def test_printed_margin_rate_without_the_half_is_violated():
    """Erratum: twice the rate of ConvexityRate fails on a 1–1–1 network."""
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    data, weights = sf.whitened([[1]]), [[[0.9]], [[1.0]]]
    claim = ConvexityRate.attempt(bind(flow, data, weights))
    run = sf.simulate(flow, data, weights, [0, 0.5, 1])
    doubled = ConvexityRate(claim.problem, claim.checked, 2 * claim.constant)
    assert max(claim.residuals(run)) == 0
    assert max(doubled.residuals(run)) > 0.01


def test_rates_are_sorted_and_refusals_say_why():
    flow = sf.gradient_flow(sf.LinearNetwork(2, 3, 2), sf.SquaredLoss(l2=0.1))
    none = rates(flow, sf.whitened([[2, 0], [0, 1]]), sf.gaussian_init(1, rng=1))
    assert (len(none), none.rate) == (0, 0.0)
    with pytest.raises(sf.HypothesisFailed, match="without weight decay: fails"):
        none.bound(1.0)
    asked = attempts(flow, sf.whitened([[2, 0], [0, 1]]), sf.gaussian_init(1, rng=1))
    (refusal,) = (answer for answer in asked if answer.name == "ImbalanceRate")
    assert "without weight decay: fails, SquaredLoss(l2=1/10)" in str(refusal)
    flow = sf.gradient_flow(sf.LinearNetwork(2, 5, 2), sf.SquaredLoss())
    start = sf.gaussian_init(1, rng=2).draw(flow.network)
    bounds = rates(flow, sf.whitened(start[1] @ start[0] + 0.1), start)
    found = [bound.rate for bound in bounds]
    assert len(found) >= 4
    assert found == sorted(found, reverse=True)
    times = np.array([0.0, 1.0, 2.0])
    assert bounds.rate == max(found)
    assert bounds.bound(times) == pytest.approx(
        np.min([b.bound(times) for b in bounds], 0)
    )
    assert f"{bounds[0].name:<18}" in str(bounds).splitlines()[1]
    assert "ThreeLayerRate" in str(bounds)
    run = sf.simulate(flow, sf.whitened(start[1] @ start[0] + 0.1), start, times)
    assert sf.validate(bounds, run).ok


def test_unimodal_rate_applies_to_a_shrinking_network(rng):
    weights = unimodal(rng, (2, 3, 2, 2), 3)
    flow = sf.gradient_flow(sf.LinearNetwork(2, 3, 2, 2), sf.SquaredLoss())
    claim = UnimodalRate.attempt(bind(flow, sf.whitened([[2, 1], [0, 1]]), weights))
    run = sf.simulate(
        flow, sf.whitened([[2, 1], [0, 1]]), weights, np.linspace(0, 5, 20)
    )
    assert max(claim.residuals(run)) == 0
    assert claim.rate > 0


def test_bounds_hold_at_40_digits_and_report_their_margin():
    from symflow.precision import precise

    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    data = sf.whitened([[2, 0], [0, 1]])
    start = ([[2, 1], [0, 1]], [[1, 0], [0, 1]])
    bounds = rates(flow, data, start)
    path = precise(flow, data, start, [0, 1, 8], digits=40)
    for bound in bounds:
        assert max(bound.residuals(path)) == 0
        assert np.all(bound.margin(path) >= 1 - 1e-12)
    report = sf.validate(bounds, path)
    assert report.ok
    assert all("margin" in row.status for row in report.rows)


def test_a_start_at_zero_has_no_rate():
    """It is a saddle: no bound may promise that the loss falls."""
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.SquaredLoss())
    data, start = sf.whitened([[3, 0]]), [np.zeros((2, 2)), np.zeros((1, 2))]
    assert [bound.rate for bound in sf.rates(flow, data, start)] == [0]
    assert sf.regime(flow, data, start).verdict == "rich"


def test_filters_with_fewer_modes_than_input_directions_have_no_rate():
    flow = sf.gradient_flow(sf.ConvolutionalNetwork(3, (1, 1)), sf.SquaredLoss())
    data = sf.Dataset([[1.0, 0.5, 2.0], [0.3, -1.0, 1.0]], [1.0, 2.0])
    assert len(sf.rates(flow, data, [[0.5], [0.4]])) == 0


def test_inputs_that_are_all_zero_are_refused():
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.SquaredLoss())
    data, start = sf.Dataset([[0, 0]], [1]), sf.gaussian_init(1, rng=0)
    for call in (sf.rates, sf.regime):
        with pytest.raises(sf.InvalidData, match="all inputs are zero"):
            call(flow, data, start)


def test_the_bound_at_an_instant_holds_beyond_forty_inputs():
    """There the projector on the rows is of floats, no longer of rationals."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 44))
    data = sf.Dataset(X, X @ rng.standard_normal((44, 2)))
    flow = sf.gradient_flow(sf.LinearNetwork(44, 3, 2), sf.SquaredLoss())
    start = sf.gaussian_init(0.5, rng=1)
    (bound,) = sf.rates(flow, data, start)
    run = sf.simulate(flow, data, start, [0, 0.01, 0.1])
    assert bound.name == "InstantaneousRate"
    assert np.all(bound.margin(run) >= 1)
    assert np.all(bound.floor(run.end_to_end) >= 0)
