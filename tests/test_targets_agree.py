"""Module, C file and array source against the integrator of `precise`, at random.

The derivative of a flow is the slope of `precise` over a time of 1e-20, where the rest
of its series is below 1e-18.  Floating-point code has to be within a few units in the
last place of the terms that it adds.
"""

from __future__ import annotations

import shutil
from fractions import Fraction
from functools import cache

import array_api_strict
import numpy as np
import pytest

import symflow as sf
from symflow.codegen import module_source

DRAWS = 5
TIME = Fraction(1, 10**20)
NETWORKS = {
    "one layer": sf.LinearNetwork(3, 2),
    "two layers": sf.LinearNetwork(3, 2, 2),
    "three layers": sf.LinearNetwork(2, 3, 2, 1),
    "four layers": sf.LinearNetwork(2, 2, 1, 2, 2),
    "diagonal": sf.DiagonalNetwork(3, depth=2),
    "deep diagonal": sf.DiagonalNetwork(2, depth=3),
    "signed diagonal": sf.DiagonalNetwork(2, depth=2, signed=True),
    "convolutional": sf.ConvolutionalNetwork(4, filters=(2, 3)),
}
SQUARED = {"squared": sf.SquaredLoss(), "decay": sf.SquaredLoss(l2=0.25)}
MARGIN = {"exponential": sf.ExponentialLoss(), "logistic": sf.LogisticLoss()}
CASES = [(network, loss) for network in NETWORKS for loss in SQUARED]
CASES += [(n, loss) for n in ("three layers", "diagonal") for loss in MARGIN]


def test_there_are_a_hundred_cases():
    assert len(CASES) * DRAWS == 100


@cache
def flow_of(network, loss):
    return sf.gradient_flow(NETWORKS[network], (SQUARED | MARGIN)[loss])


def draw(flow, seed):
    """Random weights of random size, and random data."""
    rng = np.random.default_rng(seed)
    inputs, outputs = flow.network.widths[0], flow.network.widths[-1]
    X, Y = rng.standard_normal((5, inputs)), rng.standard_normal((5, outputs))
    if flow.loss in MARGIN.values():
        Y = np.where(Y[:, :1] > 0, 1.0, -1.0)
    # A margin z costs |z| units in the last place of exp(z): they stay small.
    scale = rng.uniform(0.1, 0.8 if flow.loss in MARGIN.values() else 2.0)
    weights = [scale * rng.standard_normal(symbol.shape) for symbol in flow.state]
    if flow.loss in MARGIN.values():
        return weights, sf.Dataset(X, Y)
    # Moments, not samples: every route is then given the very same numbers.
    return weights, sf.Moments(X.T @ X / 5, Y.T @ X / 5)


class Magnitudes(np.ndarray):
    """Absolute values of terms, of which nothing is taken off again."""

    def __sub__(self, other):
        return self + other

    def __neg__(self):
        return self


def slopes(flow, data, weights):
    """Return the derivative of the flow to 18 digits, and the size of its terms."""
    path = sf.precise(flow, data, weights, [0, TIME], digits=45)
    exact = [((w[1] - w[0]) / path.number(TIME)).astype(float) for w in path.weights]
    arrays = flow.loss.arrays(data)
    given = [arrays[symbol.name] for symbol in flow.data]
    if flow.loss in MARGIN.values():  # exp of a margin has the margin's relative error
        return exact, [10 * abs(one).max() for one in exact], given
    # Whatever the order of its sums, rounding is a part of the sum of all |terms|.
    sizes = [abs(array).view(Magnitudes) for array in (*weights, *given)]
    terms = sf.compile(flow).__wrapped__(*sizes)
    return exact, [np.asarray(term) for term in terms], given


def targets(flow):
    """Return every target of the flow that can be made here, as f(*arrays)."""
    module = {"__name__": "exported"}
    exec(module_source(flow), module)
    found = {"module": module["rhs"], "kernel": sf.compile(flow)}
    found["array API"] = lambda *arrays: sf.compile(flow)(
        *map(array_api_strict.asarray, arrays)
    )
    if shutil.which("cc"):
        found["C"] = sf.c_kernel(flow, samples=5)
    return found


@pytest.mark.parametrize(("network", "loss"), CASES)
def test_all_targets_agree_with_precise_to_the_last_digits(network, loss):
    flow = flow_of(network, loss)
    functions = targets(flow)
    for seed in range(DRAWS):
        weights, data = draw(flow, seed)
        exact, terms, given = slopes(flow, data, weights)
        for name, function in functions.items():
            for value, right, size in zip(
                function(*weights, *given), exact, terms, strict=True
            ):
                off = abs(np.asarray(value) - right)
                assert np.all(off <= 10 * np.finfo(float).eps * size), (name, seed)


@pytest.mark.parametrize(("network", "loss"), CASES[::3])
def test_exported_integrators_agree_with_precise(network, loss):
    flow = flow_of(network, loss)
    weights, data = draw(flow, 7)
    weights = [weight / abs(weight).max() for weight in weights]
    module = {"__name__": "exported"}
    exec(module_source(flow), module)
    arrays = flow.loss.arrays(data)
    given = tuple(arrays[symbol.name] for symbol in flow.data)
    path = module["simulate"](weights, given, [0.0, 1.5])
    right = sf.precise(flow, data, weights, [0, Fraction(3, 2)], digits=25)
    for one, other in zip(path, right.weights, strict=True):
        np.testing.assert_allclose(one[-1], other[-1].astype(float), atol=2e-8)
