"""One-neuron layers: induced flow, limits and saddles, lazy starts, complexity."""

from dataclasses import replace

import numpy as np
import pytest

import symflow as sf
from symflow.claims import Status
from symflow.convergence import (
    DescentComplexity,
    InducedFlow,
    RankOneLimit,
    RankOneRate,
    StableSet,
    deficiency_margin,
)
from symflow.convergence.complexity import Tube
from symflow.flow.problem import bind
from symflow.gallery.one_neuron import start


def setting(rng, depth, spread=0.5, values=(1.0, 0.3, 0.1)):
    """A random 3×4 target, a start near its first mode, flow and weights."""
    frames = [np.linalg.qr(rng.standard_normal((k, 3)))[0] for k in (3, 4)]
    data = sf.whitened((frames[0] * np.array(values)) @ frames[1].T)
    u, v = (f[:, 0] + spread * rng.standard_normal(len(f)) for f in frames)
    widths = (4, *[1] * (depth - 1), 3)
    flow = sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss())
    return flow, data, start(u, v, rng.uniform(0.4, 1.5), depth)


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_induced_flow_against_finite_differences(rng, depth):
    flow, data, init = setting(rng, depth)
    claim = InducedFlow.attempt(bind(flow, data, init))
    run = sf.simulate(flow, data, init, np.linspace(0, 4, 9))
    assert max(claim.residuals(run)) < 1e-7
    assert max(replace(claim, depth=depth + 1).residuals(run)) > 1e-2
    step = 1e-4
    near = sf.simulate(flow, data, init, [0, 1 - step, 1, 1 + step]).end_to_end
    slope = (near[3] - near[1]) / (2 * step)
    product = near[2]
    force = sf.whitened(data.sigma_yx).sigma_yx - product
    assert claim._induced(run, product, force) == pytest.approx(slope, abs=1e-5)


@pytest.mark.parametrize("depth", [2, 3])
def test_limits_of_random_starts(rng, depth):
    flow, data, init = setting(rng, depth, 1.0)
    claim = RankOneLimit.attempt(bind(flow, data, init))
    assert claim.group == (0,)
    assert claim.status is Status.VERIFIED
    run = sf.simulate(flow, data, init, np.linspace(0, 60, 31))
    assert run.end_to_end[-1] == pytest.approx(claim.limit, abs=1e-6)
    assert max(claim.residuals(run)) < 1e-7


def test_a_repeated_first_mode_leads_to_a_limit_that_depends_on_the_start(rng):
    """Exactly repeated; to rounding it may be any of the two in the end."""
    flow = sf.gradient_flow(sf.LinearNetwork(3, 1, 3), sf.SquaredLoss())
    data, init = (
        sf.whitened(np.diag([2, 2, 1]).astype(object)),
        ([[1, 2, 2]], [[2], [2], [1]]),
    )
    claim = RankOneLimit.attempt(bind(flow, data, init))
    assert claim.group == (0, 1)
    assert claim.status is Status.PROVED
    run = sf.simulate(flow, data, init, np.linspace(0, 30, 31))
    assert run.end_to_end[-1] == pytest.approx(claim.limit, abs=1e-6)
    assert max(claim.residuals(run)) < 1e-7
    for depth in (2, 3):
        flow, data, init = setting(rng, depth, 1.0, (1.0, 1.0, 0.2))
        refusal = RankOneLimit.attempt(bind(flow, data, init))
        assert "up to rounding is not enough here" in str(refusal)


def test_limit_is_enclosed_and_names_the_saddle_and_zero():
    flow = sf.gradient_flow(sf.LinearNetwork(2, 1, 2), sf.SquaredLoss())
    data = sf.whitened([[2, 0], [0, 1]])
    cases = {
        (0,): ([[1, 1]], [[1], [1]]),
        (1,): ([[-1, 1]], [[1], [1]]),
        (): ([[-1, 0]], [[1], [0]]),
    }
    for group, init in cases.items():
        claim = RankOneLimit.attempt(bind(flow, data, init))
        assert claim.group == group
        assert str(claim.statement)
        run = sf.precise(flow, data, init, [0, 1, 4], digits=30)
        assert max(claim.residuals(run)) <= 1e-28
    flow3 = sf.gradient_flow(sf.LinearNetwork(2, 1, 1, 2), sf.SquaredLoss())
    names = [c.name for c in sf.companions(flow3, data, ([[1, 0]], [[1]], [[1], [0]]))]
    assert {"InducedFlow", "RankOneLimit"} <= set(names)


def test_stable_starts_are_never_lazy(rng):
    """‖W(0) − Z‖ ≥ ‖Z − Z_1‖ ≥ σ_min(Z): the deficiency margin is negative."""
    found = 0
    for _ in range(40):
        flow, data, init = setting(rng, 2)
        problem = bind(flow, data, init)
        found += isinstance(StableSet.attempt(problem), StableSet)
        assert deficiency_margin(problem) < 0
    assert found > 10


@pytest.mark.parametrize("depth", [2, 3])
def test_gradient_descent_needs_no_more_steps_than_proved(rng, depth):
    ratios = []
    for _ in range(25):
        flow, data, init = setting(rng, depth, 0.1, (1.0, 0.2, 0.1))
        claim = DescentComplexity.attempt(bind(flow, data, init), 0.5)
        if not isinstance(claim, DescentComplexity) or claim.steps > 5000:
            continue
        gd = sf.gradient_descent(sf.LinearNetwork(*flow.network.widths), flow.loss)
        run = sf.descend(gd, data, init, claim.steps + 3, step_size=claim.step)
        small, large = claim.sides(run)
        assert np.all(small <= large)
        assert small[claim.steps] ** 0.5 <= claim.accuracy
        needed = max(1, np.argmax(small**0.5 <= claim.accuracy))
        ratios.append(claim.steps / needed)
    assert len(ratios) >= 5
    assert np.median(ratios) < 100


def test_tube_errors_are_those_of_the_recurrence(rng):
    flow, data, init = setting(rng, 3, 0.1)
    problem = bind(flow, data, init)
    tube = Tube.of(RankOneRate.attempt(problem), 0.5)
    step, error, errors = 1e-3, 0.0, [0.0]
    for k in range(50):
        at = np.array([k * step])
        error = (1 + step * tube.spread(at)[0]) * error
        error += step**2 / 2 * tube.bend(at)[0]
        errors.append(error)
    assert tube.errors(step, 50) == pytest.approx(errors, rel=1e-10)
    # Hessian of the loss at the start is within the tube's constants
    rows = []
    kernel, moments = sf.compile(flow), (data.sigma_xx, data.sigma_yx)
    shapes = [weight.shape for weight in init]
    flat = np.concatenate([weight.ravel() for weight in init])
    ends = np.cumsum([0, *(weight.size for weight in init)])
    for shift in 1e-6 * np.eye(len(flat)):
        sides = []
        for theta in (flat + shift, flat - shift):
            cut = zip(np.split(theta, ends[1:-1]), shapes, strict=True)
            parts = [part.reshape(shape) for part, shape in cut]
            moved = kernel(*parts, *moments)
            sides.append(np.concatenate([part.ravel() for part in moved]))
        rows.append(-(sides[0] - sides[1]) / 2e-6)
    values = np.linalg.eigvalsh((np.array(rows) + np.array(rows).T) / 2)
    assert values[0] >= -tube.spread(np.zeros(1))[0]
    assert values[-1] <= tube.curvature(np.zeros(1))[0]


def test_complexity_is_refused_where_the_rate_is(rng):
    flow, data, init = setting(rng, 2)
    init = [init[0], -init[1]]
    answer = DescentComplexity.attempt(bind(flow, data, init))
    assert "z₁ab − z₂(1 − ab) > 0 at the start: fails" in str(answer)
