"""Kernels of closed forms on other arrays: traced, mapped and differentiated."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from test_closed_form import ROUTINES, TIMES
from test_solutions import example

import symflow as sf

#: Steps of the differences of values with 60 digits.
STEP = Fraction(1, 10**12)


def two_layers(target, start, *, widths=(2, 2, 2), sigma_xx=None):
    flow = sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss())
    data = sf.whitened(target) if sigma_xx is None else sf.Moments(sigma_xx, target)
    return sf.solve(flow, data, start)


EYE = [[1, 0], [0, 1]]
HALF = [[Fraction(1, 2), 0], [0, Fraction(1, 2)]]
DEGENERATE = {
    "equal singular values": lambda: two_layers([[2, 0], [0, 2]], (HALF, HALF)),
    "no target": lambda: two_layers([[0, 0], [0, 0]], (HALF, HALF)),
    "no input": lambda: two_layers(
        [[0, 0], [0, 0]], (HALF, HALF), sigma_xx=[[0, 0], [0, 0]]
    ),
    "a still start": lambda: two_layers(EYE, ([[0, 0], [0, 0]], [[0, 0], [0, 0]])),
    "a still unit": lambda: two_layers(
        [[2, 1], [0, 1]], ([[1, 0], [0, 0]], [[1, 0], [0, 0]])
    ),
    "the wrong sign": lambda: two_layers([[-1, 0], [0, 2]], (HALF, HALF)),
    "a narrow layer": lambda: two_layers(
        [[2, 1], [0, 1]], ([[1, 1]], [[1], [0]]), widths=(2, 1, 2)
    ),
}


def solved(name):
    return DEGENERATE[name]() if name in DEGENERATE else example(name)[0]


def slopes(solution, t):
    """Return the first and second derivative of W(t) from values with 60 digits."""
    at = [solution.precise(Fraction(t) + k * STEP, digits=60) for k in range(4)]
    if t:
        at[3] = solution.precise(Fraction(t) - STEP, digits=60)
        first, second = (at[1] - at[3]) / 2, at[1] - 2 * at[0] + at[3]
    else:
        first = (-3 * at[0] + 4 * at[1] - at[2]) / 2
        second = 2 * at[0] - 5 * at[1] + 4 * at[2] - at[3]
    return (first / STEP).astype(float), (second / STEP**2).astype(float)


@pytest.mark.parametrize("name", ROUTINES)
def test_a_kernel_runs_on_strict_arrays(name):
    strict = pytest.importorskip("array_api_strict")
    kern = sf.compile(solved(name))
    lifted = kern(strict.asarray(TIMES))
    assert isinstance(lifted, type(strict.asarray(0.0)))
    there = kern(TIMES)
    assert np.abs(np.asarray(lifted) - there).max() <= 1e-14 * np.abs(there).max()
    strange = np.asarray(kern(strict.asarray([1.0, -1.0, np.nan, np.inf])))
    assert np.isfinite(strange[0]).all()
    assert np.isnan(strange[1:]).all()


@pytest.mark.optional
@pytest.mark.parametrize("name", [*ROUTINES, *DEGENERATE])
def test_jax_traces_and_differentiates_a_kernel(jax, name):
    solution = solved(name)
    kern = sf.compile(solution)
    times = [0.0, 0.75, 4.0]
    values = jax.jit(kern)(jax.numpy.asarray(TIMES))
    there = kern(TIMES)
    assert np.abs(values - there).max() <= 1e-13 * max(np.abs(there).max(), 1e-300)
    first = jax.jacfwd(kern)
    slope = jax.jit(lambda t: (first(t), jax.jacfwd(first)(t)))
    for time in times:
        found, wanted = slope(time), slopes(solution, time)
        for mine, theirs, close in zip(found, wanted, (1e-11, 1e-9), strict=True):
            size = max(np.abs(theirs).max(), 1e-3)
            assert np.abs(mine - theirs).max() <= close * size


@pytest.mark.optional
@pytest.mark.parametrize("name", ["HyperbolicMode", "Riccati"])
def test_jax_maps_a_kernel_and_has_gradients(jax, name):
    solution = solved(name)
    kern = sf.compile(solution)
    times = jax.numpy.asarray([0.0, 0.75, 4.0])
    assert np.allclose(jax.vmap(kern)(times), kern(times), rtol=1e-13, atol=1e-15)
    back = jax.grad(lambda t: kern(t).sum())(0.75)
    assert abs(back - slopes(solution, 0.75)[0].sum()) <= 1e-11


@pytest.mark.optional
def test_jax_differentiates_weights_late_and_early(jax):
    for name in ("LogisticMode", "DeepMode", "RankOne"):
        kern = sf.compile(solved(name), outputs="weights")
        for slope in jax.vmap(jax.jacfwd(kern))(jax.numpy.asarray(TIMES.ravel())):
            assert np.isfinite(slope).all()
