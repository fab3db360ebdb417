"""The limit of least norm against SciPy and against integrated flows."""

import numpy as np
import pytest
import scipy.optimize
import sympy

import symflow as sf
from symflow.bias import DistanceBound, FrozenPart, LeastNorm, width_bound
from symflow.flow.least_squares import least_squares
from symflow.flow.problem import bind


@pytest.fixture
def few(rng):
    """Three samples in five dimensions, two targets."""
    return sf.Dataset(rng.standard_normal((3, 5)), rng.standard_normal((3, 2)))


def invariant_start(data, rng, width=6):
    """A start with W_1P⊥ ≠ 0 but W_2W_1P⊥ = 0 and ΦᵀW_1ᵀW_1P⊥ = 0."""
    off = np.eye(data.d) - np.linalg.pinv(data.X) @ data.X
    frame = np.linalg.qr(rng.standard_normal((width, width)))[0]
    seen, unseen = frame[:, :4], frame[:, 4:]
    first = seen @ rng.standard_normal((4, data.d)) @ (np.eye(data.d) - off)
    first = first + unseen @ rng.standard_normal((2, data.d)) @ off
    return first, rng.standard_normal((data.m, 4)) @ seen.T


def test_least_norm_limit_on_the_invariant_set(rng, few):
    """Against the equality-constrained minimum that SciPy finds, and the flow."""
    flow = sf.gradient_flow(sf.LinearNetwork(5, 6, 2), sf.SquaredLoss())
    start = invariant_start(few, rng)
    assert np.linalg.norm(start[0] @ (np.eye(5) - np.linalg.pinv(few.X) @ few.X)) > 1
    bias = sf.implicit_bias(flow, few, start)
    found = scipy.optimize.minimize(
        lambda w: 0.5 * w @ w,
        np.zeros(10),
        jac=lambda w: w,
        constraints={
            "type": "eq",
            "fun": lambda w: (w.reshape(2, 5) @ few.X.T - few.Y.T).ravel(),
            "jac": lambda w: np.kron(np.eye(2), few.X),
        },
        options={"ftol": 1e-15},
    )
    assert bias.limit == pytest.approx(found.x.reshape(2, 5), abs=1e-8)
    run = sf.simulate(flow, few, start, [0, 1, 10, 400])
    assert run.end_to_end[-1] == pytest.approx(bias.limit, abs=1e-7)
    assert bias.kkt_residual(run.end_to_end[-1]) < 1e-7
    assert bias.kkt_residual(run.end_to_end[0]) > 1e-2
    assert sf.validate([bias, *sf.companions(flow, few, start)], run).ok


def test_one_condition_alone_is_refused_and_does_not_lead_there(rng, few):
    """Mutated: W_2W_1P⊥ = 0 only; the limit is elsewhere."""
    flow = sf.gradient_flow(sf.LinearNetwork(5, 6, 2), sf.SquaredLoss())
    off = np.eye(5) - np.linalg.pinv(few.X) @ few.X
    first, second = sf.gaussian_init(1, rng=4).draw(flow.network)
    first = first - np.linalg.pinv(second) @ second @ first @ off
    with pytest.raises(sf.HypothesisFailed, match="ΦᵀW₁ᵀW₁P⊥"):
        sf.implicit_bias(flow, few, (first, second))
    forced = LeastNorm(bind(flow, few, (first, second)), ())
    run = sf.simulate(flow, few, (first, second), [0, 100, 400])
    assert max(forced.residuals(run)) > 1e-2
    assert np.linalg.norm(run.end_to_end[-1] - forced.limit) > 0.1


@pytest.mark.parametrize(
    ("widths", "start"),
    [
        ((2, 1, 2), sf.gaussian_init(0.3, rng=0)),
        ((2, 2, 2), [np.zeros((2, 2))] * 2),
        ((2, 2, 2, 2), sf.rank_one_init(0.3, rng=0)),
    ],
)
def test_a_start_that_cannot_reach_the_rank_is_refused(widths, start):
    """Too few hidden directions in use: the flow ends elsewhere."""
    flow, data = (
        sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss()),
        sf.whitened([[3, 0], [0, 1]]),
    )
    refusal = str(LeastNorm.attempt(bind(flow, data, start)))
    assert "reach the rank of the limit: fails" in refusal
    end = sf.simulate(flow, data, start, [0, 40]).end_to_end[-1]
    assert abs(end[1, 1]) < 1e-3
    lower = sf.whitened([[3, 0], [0, 0]])
    if any(np.any(w) for w in bind(flow, lower, start).floats.weights):
        assert sf.implicit_bias(flow, lower, start).limit[0, 0] == pytest.approx(3)


@pytest.mark.parametrize("widths", [(5, 4, 2), (5, 3, 4, 2), (5, 2, 3, 2, 2)])
def test_frozen_part_is_carried_by_the_later_layers(rng, few, widths):
    flow = sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss())
    init = sf.gaussian_init(0.6, rng=8)
    run = sf.simulate(flow, few, init, [0, 1, 5])
    claim = FrozenPart.attempt(bind(flow, few, init))
    assert max(claim.residuals(run)) < 1e-9
    moved = sf.simulate(flow, sf.whitened(np.eye(2, 5)), init, [0, 1, 5])
    assert max(claim.residuals(moved)) > 1e-2


@pytest.mark.parametrize("depth", [2, 3])
def test_distance_from_least_norm_is_linear_in_the_scale(few, depth):
    """Small Gaussian starts: the distance falls as the scale, slope 1."""
    flow = sf.gradient_flow(sf.LinearNetwork(*[5] * depth, 2), sf.SquaredLoss())
    scales, gaps = np.array([0.1, 0.03]) ** (1 / (depth - 1)), []
    directions = sf.gaussian_init(1, rng=6).draw(flow.network)
    for scale in scales:
        run = sf.simulate(flow, few, [scale * w for w in directions], [0, 2000])
        problem = bind(flow, few, directions)
        gaps.append(
            np.linalg.norm(run.end_to_end[-1] - least_squares(problem).least_norm)
        )
    slope = np.log(gaps[0] / gaps[1]) / np.log(scales[0] / scales[1])
    assert slope == pytest.approx(1, abs=0.2)


def test_distance_bound_holds_and_its_mutant_fails(rng, few):
    flow = sf.gradient_flow(sf.LinearNetwork(5, 60, 2), sf.SquaredLoss())
    for seed in range(5):
        init = sf.gaussian_init(1, width_exponent=0.25, rng=seed)
        claim = DistanceBound.attempt(bind(flow, few, init))
        run = sf.simulate(flow, few, init, [0, 1, 10, 100])
        assert max(claim.residuals(run)) == 0
        mutant = DistanceBound(claim.problem, (), claim.distance / 1e3)
        assert max(mutant.residuals(run)) > 1


def test_width_bound_of_the_worked_instance():
    """Depth of the constant: C ≈ 13 gives about 9 at h = 6400 for d = 40, r = 10."""
    from symflow.flow.least_squares import LeastSquares

    size = np.log(13) - 1
    target = np.zeros((1, 10))
    target[0, 0] = size
    problem = LeastSquares(np.ones(10), np.eye(40, 10), target)
    expected = 2 * 13 * np.sqrt(11) * (np.sqrt(41) + np.log(20) / 2) / np.sqrt(6400)
    assert width_bound(problem, 6400, 0.5) == pytest.approx(expected)
    with pytest.raises(sf.InvalidArgument, match="1/4"):
        width_bound(problem, 100, 0.2)


def test_frozen_part_and_least_norm_at_40_digits():
    """Exact data and weights: no rounding is excused."""
    from symflow.precision import precise

    one, two = sympy.Integer(1), sympy.Integer(2)
    data = sf.Dataset([[one, two, one]], [one])
    flow = sf.gradient_flow(sf.LinearNetwork(3, 2, 1), sf.SquaredLoss())
    start = ([[1, 2, 1], [0, 0, 0]], [[1, 1]])
    path = precise(flow, data, start, [0, 1, 5], digits=40)
    others = sf.companions(flow, data, start)
    others = [c for c in others if isinstance(c, DistanceBound | FrozenPart)]
    claims = [sf.implicit_bias(flow, data, start), *others]
    assert len(claims) == 3
    for claim in claims:
        assert max(claim.slack(path)) == 0
        assert max(claim.residuals(path)) < 1e-38
    assert claims[0].limit == pytest.approx(np.array([[1, 2, 1]]) / 6)


def test_parts_off_the_row_space_drive_each_other(rng):
    """ẋ = EΛ^{1/2}y and ẏ = Λ^{1/2}Eᵀx, by differences along a precise flow."""
    from symflow.bias import RowSpaceSplit

    X, Y = rng.standard_normal((2, 4)), rng.standard_normal((2, 2))
    data = sf.Dataset(X, Y)
    flow = sf.gradient_flow(sf.LinearNetwork(4, 3, 2), sf.SquaredLoss())
    start = [rng.standard_normal((3, 4)), rng.standard_normal((2, 3))]
    claim = RowSpaceSplit.attempt(bind(flow, data, start))
    step = 1e-4
    run = sf.simulate(flow, data, start, [0, 0.5 - step, 0.5, 0.5 + step])
    assert max(claim.residuals(run)) < 1e-9
    problem = least_squares(claim.problem)
    parts = []
    for first, second in zip(*run.weights, strict=True):
        rest = problem.off(first)
        parts.append((second @ rest, (first @ problem.frame).T @ rest))
    pull = problem.misfit(run.end_to_end[2]) * problem.eigenvalues**0.5
    for k, expected in enumerate((pull @ parts[2][1], pull.T @ parts[2][0])):
        slope = (parts[3][k] - parts[1][k]) / (2 * step)
        assert slope == pytest.approx(expected, abs=1e-5)
    full = sf.whitened(np.ones((2, 4)))
    assert "no sample sees: fails" in str(
        RowSpaceSplit.attempt(bind(flow, full, start))
    )


def test_a_limit_is_refused_where_the_flow_ends_at_a_saddle():
    """A balanced start with a negative mode meets the other hypotheses."""
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    start = (np.diag([-0.5, 0.5]), 0.5 * np.eye(2))
    data = sf.whitened([[3.0, 0.0], [0.0, 1.0]])
    with pytest.raises(sf.HypothesisFailed, match="not to a saddle: fails"):
        sf.implicit_bias(flow, data, start)
    run = sf.simulate(flow, data, start, [0, 5])
    assert run.end_to_end[-1, 0, 0] == pytest.approx(0, abs=1e-5)
