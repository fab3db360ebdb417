"""One-neuron layers: induced flow, limits and saddles, lazy starts, complexity."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

import symflow as sf
from symflow.claims import Status
from symflow.convergence import (
    DescentComplexity,
    InducedFlow,
    RankOneLimit,
    StableSet,
    deficiency_margin,
)
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


def descended(layers, target, step, count):
    """Return the products of gradient descent on ½‖W − Z‖², by plain NumPy."""
    found = []
    for _ in range(count + 1):
        ahead = list(itertools.accumulate(layers, lambda a, w: w @ a))
        found.append(ahead[-1])
        back, moved = target - ahead[-1], []
        for k in reversed(range(len(layers))):
            before = ahead[k - 1].T if k else np.eye(layers[0].shape[1])
            moved.insert(0, layers[k] + step * back @ before)
            back = layers[k].T @ back
        layers = moved
    return np.array(found)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_gradient_descent_takes_the_steps_that_are_counted(rng, depth):
    """The count is the first, and few other steps η need less than half of it."""
    ratios = []
    for _ in range(12):
        flow, data, init = setting(rng, depth, 0.1, (1.0, 0.2, 0.1))
        claim = DescentComplexity.attempt(bind(flow, data, init), 0.01)
        if not isinstance(claim, DescentComplexity):
            continue
        assert claim.status is sf.Status.ENCLOSED
        layers, target = [np.array(w) for w in init], np.array(data.sigma_yx)
        left, values, right = np.linalg.svd(target)
        first = values[0] * np.outer(left[:, 0], right[0])

        def needed(
            step, layers=layers, target=target, first=first, most=claim.steps + 1
        ):
            with np.errstate(all="ignore"):
                run = descended(layers, target, step, most)
            below = np.linalg.norm(run - first, axis=(1, 2)) <= 0.01
            return int(np.argmax(below)) if below.any() else most

        assert needed(claim.step) == claim.steps
        best = min(needed(claim.step * 2 ** (k / 4)) for k in range(-2, 9))
        ratios.append(claim.steps / max(best, 1))
        gd = sf.gradient_descent(sf.LinearNetwork(*flow.network.widths), flow.loss)
        run = sf.descend(gd, data, init, claim.steps + 3, step_size=claim.step)
        assert sf.validate([claim], run).ok
        wrong = replace(claim, distances=claim.distances * 0.9)
        assert not sf.validate([wrong], run).ok
    assert len(ratios) >= 4
    assert max(ratios) < 6


def test_an_accuracy_beyond_the_digits_or_the_steps_is_refused():
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    problem = bind(flow, sf.whitened([[2]]), [[[1]], [[1]]])
    assert DescentComplexity.attempt(problem, 5.0).steps == 0
    assert DescentComplexity.attempt(problem, 1e-18).steps < 100
    refusal = DescentComplexity.attempt(problem, 1e-30)
    assert "steps suffice: fails" in str(refusal)


def test_complexity_is_refused_where_the_rate_is(rng):
    flow, data, init = setting(rng, 2)
    init = [init[0], -init[1]]
    answer = DescentComplexity.attempt(bind(flow, data, init))
    assert "z₁ab − z₂(1 − ab) > 0 at the start: fails" in str(answer)
