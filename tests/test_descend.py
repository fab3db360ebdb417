"""Gradient descent by blocks: the same iterates as a loop, and what is kept of them."""

from __future__ import annotations

import numpy as np
import pytest

import symflow as sf
from symflow.codegen.targets.ckernel import found_compiler
from symflow.simulation.descend import BLOCK, WORTH

GD = sf.gradient_descent(sf.LinearNetwork(3, 2, 2), sf.SquaredLoss())
ETA = 0.02


needs_compiler = pytest.mark.skipif(
    found_compiler() is None, reason="needs a C compiler"
)


@pytest.fixture(scope="module")
def given():
    generator = np.random.default_rng(0)
    data = sf.Dataset(generator.normal(size=(9, 3)), generator.normal(size=(9, 2)))
    return data, [generator.normal(size=(2, 3)), generator.normal(size=(2, 2))]


def loop(data, weights, steps, momentum=0.0):
    """Return all iterates, as one writes it."""
    xx, yx = data.moments().sigma_xx, data.moments().sigma_yx
    first, second = weights
    down, up = 0 * first, 0 * second
    found = [(first, second)]
    for _ in range(steps):
        force = yx - second @ first @ xx
        down = ETA * (second.T @ force) + momentum * down
        up = ETA * (force @ first.T) + momentum * up
        first, second = first + down, second + up
        found.append((first, second))
    return [np.stack(layer) for layer in zip(*found, strict=True)]


@pytest.mark.parametrize("momentum", [0, 0.75])
@pytest.mark.parametrize("steps", [1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK + 5])
def test_iterates_agree_with_a_loop(given, steps, momentum):
    run = sf.descend(GD, *given, steps, step_size=ETA, momentum=momentum)
    assert len(run) == steps + 1
    for seen, other in zip(run.weights, loop(*given, steps, momentum), strict=True):
        np.testing.assert_allclose(seen, other, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("momentum", [0, 0.75])
@pytest.mark.parametrize("every", [1, 2, 7, BLOCK, BLOCK + 3, 1000])
def test_every_keeps_some_iterates_and_the_last(given, every, momentum):
    steps = 2 * BLOCK + 9
    options = {"step_size": ETA, "momentum": momentum}
    whole = sf.descend(GD, *given, steps, **options)
    some = sf.descend(GD, *given, steps, every=every, **options)
    kept = sorted({*range(0, steps + 1, every), steps})
    assert np.array_equal(some.t, whole.t[kept])
    for seen, full in zip(some.weights, whole.weights, strict=True):
        assert np.array_equal(seen, full[kept])
    assert some.error <= 1e-12


def test_times_are_those_of_iterates(given):
    whole = sf.descend(GD, *given, 100, step_size=ETA, momentum=0.5)
    kept = [0, 1, 65, 100]
    times = whole.t[kept].tolist()
    some = sf.descend(GD, *given, 100, step_size=ETA, momentum=0.5, times=times)
    for seen, full in zip(some.weights, whole.weights, strict=True):
        assert np.array_equal(seen, full[kept])
    late = sf.descend(GD, *given, 100, step_size=ETA, times=ETA * 70)
    assert len(late) == 1
    assert late.t[0] == pytest.approx(70 * ETA)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"every": 0}, "every="),
        ({"engine": "rust"}, "engine="),
        ({"engine": None}, "engine="),
        ({"engine": np.empty((1, 0))}, "engine="),
        ({"every": 1.5}, "every="),
        ({"every": True}, "every="),
        ({"times": [0, 1.5 * ETA]}, "times="),
        ({"times": [0, 11 * ETA]}, "times="),
        ({"times": [0, ETA, ETA]}, "times="),
        ({"times": [-ETA]}, "times="),
        ({"times": [0, float("nan")]}, "times="),
        ({"times": []}, "times="),
        ({"times": [0], "every": 2}, "twice"),
    ],
)
def test_what_makes_no_sense_is_refused(given, options, said):
    with pytest.raises(sf.InvalidArgument, match=said):
        sf.descend(GD, *given, 10, step_size=ETA, **options)


def test_the_first_step_beyond_the_floats_is_named_at_any_thinning(given):
    said = set()
    for every in (1, 5, 100, 1000):
        with pytest.raises(sf.IntegrationFailed, match="leaves the floats") as caught:
            sf.descend(GD, *given, 1000, step_size=2.0, every=every)
        said.add(str(caught.value))
    (message,) = said
    step = int(message.split()[2])
    data, weights = given
    sf.descend(GD, data, weights, step - 1, step_size=2.0)
    with pytest.raises(sf.IntegrationFailed):
        sf.descend(GD, data, weights, step, step_size=2.0)


def test_claims_about_every_step_are_not_held_against_some_of_them(given):
    options = {"step_size": ETA}
    laws = sf.conserved(GD)
    whole = sf.validate(laws, sf.descend(GD, *given, 20, **options))
    assert whole.ok
    some = sf.validate(laws, sf.descend(GD, *given, 20, every=4, **options))
    assert not some.ok
    assert not some.failures
    assert "every iterate" in str(some)


def test_companions_of_descent_hold_and_say_when_modes_are_learned() -> None:
    gd = sf.gradient_descent(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    data, step, off = sf.whitened(np.diag([2.0, 1.0])), 0.1, []
    for delta in (10.0, 60.0):
        start = [np.exp(-delta) * np.eye(2)] * 2
        claims = sf.companions(gd, data, start, step_size=step)
        corridor = next(c for c in claims if c.name == "DescentCorridor")
        run = sf.descend(gd, data, start, int(2 * delta / step), step_size=step)
        assert sf.validate(claims, run).ok
        strengths = run.end_to_end[:, [0, 1], [0, 1]] / [2.0, 1.0]
        seen = np.argmax(strengths > 0.5, axis=0) * step / delta
        off.append(np.abs(np.sort(corridor.phase_times) - seen).max())
    assert off[1] < 0.02 < off[0] < 0.2
    with pytest.raises(sf.InvalidArgument, match="needs a positive number; got None"):
        sf.companions(gd, data, start)
    with pytest.raises(sf.InvalidArgument, match="these are for gradient_descent"):
        sf.companions(gd.flow, data, start, step_size=0.1)


@needs_compiler
@pytest.mark.parametrize("momentum", [0, 0.75])
def test_the_loop_in_c_takes_the_same_steps(given, momentum):
    steps, options = 2 * BLOCK + 9, {"step_size": ETA, "momentum": momentum}
    run = sf.descend(GD, *given, steps, engine="c", every=3, **options)
    kept = sorted({*range(0, steps + 1, 3), steps})
    for seen, other in zip(run.weights, loop(*given, steps, momentum), strict=True):
        np.testing.assert_allclose(seen, other[kept], rtol=1e-12, atol=1e-14)
    assert run.route.endswith("in C")
    assert run.error <= 1e-12


@needs_compiler
def test_the_loop_in_c_of_other_losses_names_the_step_that_fails(given):
    samples = np.random.default_rng(1).normal(size=(7, 3))
    loss = sf.LogisticLoss()
    flow = sf.gradient_descent(sf.LinearNetwork(3, 2, 1), loss)
    data = sf.Dataset(samples, np.sign(samples[:, :1]))
    start = [given[1][0], given[1][1][:1]]
    runs = [
        sf.descend(flow, data, start, 50, step_size=0.1, engine=engine)
        for engine in ("numpy", "c")
    ]
    for one, other in zip(*(run.weights for run in runs), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-14)
    said = set()
    for engine in ("numpy", "c"):
        with pytest.raises(sf.IntegrationFailed, match="leaves the floats") as caught:
            sf.descend(GD, *given, 500, step_size=50.0, engine=engine)
        said.add(str(caught.value))
    assert len(said) == 1


@needs_compiler
def test_c_is_chosen_where_it_is_worth_it(given):
    few = sf.descend(GD, *given, 10, step_size=ETA, engine="auto")
    many = sf.descend(GD, *given, WORTH, step_size=ETA, engine="auto", every=WORTH)
    assert not few.route.endswith("in C")
    assert many.route.endswith("in C")
