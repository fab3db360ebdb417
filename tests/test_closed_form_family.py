"""Closed forms with the start and the target as arguments, and their derivatives."""

from __future__ import annotations

import pickle
from fractions import Fraction

import numpy as np
import pytest
from test_solutions import example

import symflow as sf

TIMES = [0.0, 0.75, 4.0]
STEP = Fraction(1, 10**12)
BOTH = ("init", "sigma_yx")
HALF = [[0.5, 0.0], [0.0, 0.5]]


def two_layers(name, target, start, sigma_xx=((1, 0), (0, 1)), l2=0):
    flow = sf.gradient_flow(
        sf.LinearNetwork(2, len(start[0]), 2), sf.SquaredLoss(l2=l2)
    )
    found = sf.solve(flow, sf.Moments(sigma_xx, target), start, all=True)
    return next(solution for solution in found if solution.name == name)


def antisymmetric(seed, size):
    some = np.random.default_rng(seed).normal(size=(size, size))
    return some - some.T


def turned(solution):
    """Return a direction in which two layers stay λ-balanced."""
    first, second = solution.problem.floats.weights
    return (
        first @ antisymmetric(1, first.shape[1]) + first / 3,
        antisymmetric(2, len(second)) @ second + second / 3,
    )


def anywhere(solution):
    return tuple(
        np.random.default_rng(k).normal(size=weight.shape)
        for k, weight in enumerate(solution.problem.floats.weights)
    )


def diagonal(solution):
    return np.diag([1.0, -0.5]), np.diag([0.25, 2.0])


ANY_TARGET = np.array([[1.0, -2.0], [0.5, 0.75]])
ZERO = [[0.0, 0.0], [0.0, 0.0]]
#: A solution, a direction of its start, and one of its target.
CASES = {
    "one layer": lambda: (example("LinearRegression")[0], anywhere, None),
    "λ-balanced": lambda: (example("Riccati")[0], turned, None),
    "one factor": lambda: (example("SymmetricRiccati")[0], anywhere, None),
    "one unit": lambda: (
        two_layers("Riccati", [[2, 0], [0, 1]], ([[1, 0.5]], [[0.25], [-0.125]])),
        anywhere,
        ANY_TARGET,
    ),
    "a unit at rest": lambda: (
        two_layers("Riccati", [[2, 0], [0, 1]], ([[1, 0]], [[0], [0]])),
        anywhere,
        ANY_TARGET,
    ),
    "rank one": lambda: (
        two_layers("RankOne", [[2, 1], [0, 1]], ([[0.6, 0.8]], [[1], [0]])),
        turned,
        ANY_TARGET,
    ),
    "equal singular values": lambda: (
        two_layers("Riccati", [[2, 0], [0, 2]], (HALF, HALF)),
        lambda solution: tuple(w / 3 for w in solution.problem.floats.weights),
        ANY_TARGET,
    ),
    "no target": lambda: (
        two_layers("Riccati", ZERO, (HALF, HALF)),
        turned,
        ANY_TARGET,
    ),
    "modes": lambda: (example("HyperbolicMode")[0], diagonal, np.diag([1.0, 2.0])),
    "equal modes": lambda: (
        two_layers("LogisticMode", [[2, 0], [0, 2]], (HALF, HALF), ((2, 0), (0, 2))),
        diagonal,
        np.diag([1.0, -1.0]),
    ),
    "modes without target": lambda: (
        two_layers("LogisticMode", ZERO, (HALF, HALF), ((2, 0), (0, 1))),
        diagonal,
        np.diag([1.0, -1.0]),
    ),
    "decaying modes": lambda: (
        two_layers(
            "LogisticMode",
            [[2, 0], [0, 1]],
            (HALF, HALF),
            ((2, 0), (0, 1)),
            Fraction(1, 8),
        ),
        lambda _: (np.diag([1.0, -0.5]),) * 2,
        np.diag([1.0, -1.0]),
    ),
}


def case(name):
    solution, direction, target = CASES[name]()
    shape = solution.problem.floats.arguments[1].shape
    if target is None:
        target = np.random.default_rng(9).normal(size=shape)
    return solution, direction(solution), target


def exactly(array):
    return np.vectorize(Fraction, otypes=[object])(array)


def moved(solution, direction, target, step):
    """Return W at all times, of the flow from a start and a target a step away."""
    given = solution.problem.floats
    sigma_xx, sigma_yx = map(exactly, given.arguments)
    start = [
        exactly(w) + step * exactly(d)
        for w, d in zip(given.weights, direction, strict=True)
    ]
    data = sf.Moments(sigma_xx, sigma_yx + step * exactly(target))
    run = sf.precise(solution.problem.flow, data, start, TIMES, digits=45)
    return run.end_to_end


@pytest.mark.parametrize("name", CASES)
def test_a_kernel_has_the_values_of_its_solution(name):
    strict = pytest.importorskip("array_api_strict")
    solution, _, _ = case(name)
    given = solution.problem.floats
    weights, target = given.weights, given.arguments[1]
    there = solution.end_to_end(TIMES)
    close = {"rtol": 1e-12, "atol": 1e-13}
    kern = pickle.loads(pickle.dumps(sf.compile(solution, arguments=BOTH)))
    assert kern.arguments == ("t", *BOTH)
    np.testing.assert_allclose(kern(TIMES, weights, target), there, **close)
    lifted = kern(strict.asarray(TIMES), [strict.asarray(w) for w in weights], target)
    assert isinstance(lifted, type(strict.asarray(0.0)))
    np.testing.assert_allclose(np.asarray(lifted), there, **close)
    other = sf.compile(solution, arguments="sigma_yx")
    np.testing.assert_allclose(other(0.75, target), there[1], **close)
    start = sf.compile(solution, arguments=["init"])
    np.testing.assert_allclose(start(TIMES, weights), there, **close)


@pytest.mark.parametrize("name", ["λ-balanced", "modes", "decaying modes"])
def test_off_the_family_there_is_no_value(name):
    strict = pytest.importorskip("array_api_strict")
    solution, _, _ = case(name)
    given = solution.problem.floats
    kern = sf.compile(solution, arguments=BOTH)
    off = [weight + 1e-9 for weight in given.weights]
    off[0][0, 0] += 1e-9
    with pytest.raises(ValueError, match="outside the family"):
        kern(1.0, off, given.arguments[1])
    lifted = kern(1.0, [strict.asarray(w) for w in off], given.arguments[1])
    assert np.isnan(np.asarray(lifted)).all()
    late = kern(
        [1.0, 1e6], [strict.asarray(w) for w in given.weights], given.arguments[1]
    )
    assert np.isfinite(np.asarray(late)[0]).all()
    assert np.isnan(np.asarray(late)[1]).all()
    with pytest.raises(ValueError, match="so late that rounding"):
        kern(1e6, given.weights, given.arguments[1])
    with pytest.raises(ValueError, match="need the shapes"):
        kern(1.0, given.weights[::-1], given.arguments[1][:1])


def test_a_start_that_rounding_decides_has_no_late_value():
    """Balanced against the target: the truth leaves for it from any rounding."""
    solution = two_layers("LogisticMode", ZERO, (HALF, HALF), ((2, 0), (0, 1)))
    kern = sf.compile(solution, arguments=BOTH)
    start = (np.diag([0.5, 0.5]), np.diag([-0.5, 0.5]))
    target = np.diag([3.0, 1.0])
    assert np.isfinite(kern(0.5, start, target)).all()
    with pytest.raises(ValueError, match="so late that rounding"):
        kern(10.0, start, target)


def test_a_slow_mode_beside_a_fast_one_keeps_its_digits():
    solution, _, _ = case("equal singular values")
    kern = sf.compile(solution, arguments=BOTH)
    start, target = (1e-3 * np.eye(2),) * 2, np.diag([8.0, 0.25])
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])
    times = [0.5, 2.0, 8.0, 10.0]
    found = kern(times, start, turn @ target @ turn.T)
    grown = np.exp(-2 * np.multiply.outer(times, [8.0, 0.25]))
    wanted = 1e-6 / (grown + 1e-6 * (1 - grown) / [8.0, 0.25])
    strengths = np.diagonal(turn.T @ found @ turn, axis1=1, axis2=2)
    assert np.abs(strengths / wanted - 1).max() < 1e-8


def test_what_has_no_such_form_is_refused():
    for name in ("DeepMode", "HypentropyMode"):
        with pytest.raises(sf.NoClosedForm, match="has no form in these"):
            sf.compile(example(name)[0], arguments=BOTH)
    riccati, flow = example("Riccati")[0], example("Riccati")[0].problem.flow
    for wrong in ("t", ["init", "init"], 3, [], None, np.array("a")):
        with pytest.raises(sf.InvalidArgument, match="needs some of init, sigma_yx"):
            sf.compile(riccati, arguments=wrong)
    with pytest.raises(sf.InvalidArgument, match="has no strengths"):
        sf.compile(riccati, outputs="strengths", arguments="init")
    for wrong in ("init", np.array("a"), np.empty((1, 0))):
        with pytest.raises(sf.InvalidArgument, match="for closed forms only"):
            sf.compile(flow, arguments=wrong)


@pytest.mark.optional
@pytest.mark.parametrize("name", CASES)
def test_jax_differentiates_in_the_start_and_the_target(jax, name):
    """Derivatives in ε against differences of flows that are integrated."""
    solution, direction, target = case(name)
    given = solution.problem.floats
    kern = sf.compile(solution, arguments=BOTH)

    def along(step):
        start = [w + step * d for w, d in zip(given.weights, direction, strict=True)]
        return kern(jax.numpy.asarray(TIMES), start, given.arguments[1] + step * target)

    first = jax.jacfwd(along)
    found = [*jax.jit(lambda e: (along(e), first(e)))(0.0)]
    if name in ("equal singular values", "equal modes", "a unit at rest"):
        found += [jax.jit(jax.jacfwd(first))(0.0)]
    ahead, here, behind = (
        moved(solution, direction, target, k * STEP) for k in (1, 0, -1)
    )
    wanted = here, (ahead - behind) / (2 * STEP), (ahead - 2 * here + behind) / STEP**2
    for mine, theirs in zip(found, wanted, strict=False):
        gap = np.abs(mine - theirs.astype(float)).max(axis=(1, 2))
        size = np.abs(theirs.astype(float)).max(axis=(1, 2))
        assert np.all(gap <= 1e-9 * np.maximum(size, 1.0)), (gap, size)


@pytest.mark.optional
def test_jax_maps_starts_and_has_gradients(jax):
    solution, direction, _ = case("one factor")
    (start,), target = (
        solution.problem.floats.weights,
        solution.problem.floats.arguments[1],
    )
    kern = sf.compile(solution, arguments=BOTH)
    starts = jax.numpy.stack([start, start + direction[0]])
    mapped = jax.jit(jax.vmap(lambda u: kern(0.75, (u,), target)))(starts)
    for one, u in zip(mapped, starts, strict=True):
        assert np.allclose(one, kern(0.75, (np.asarray(u),), target), rtol=1e-12)
    loss = lambda init: (kern(0.75, init, target) ** 2).sum()  # noqa: E731
    (slope,) = jax.grad(loss)((jax.numpy.asarray(start),))
    moved_by = [float(loss((start + s * direction[0],))) for s in (1e-5, -1e-5)]
    wanted = (moved_by[0] - moved_by[1]) / 2e-5
    assert float((slope * direction[0]).sum()) == pytest.approx(wanted, rel=1e-7)
