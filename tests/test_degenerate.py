"""Zero inputs, zero targets and networks of one's own: right, or refused in words.

Nothing but symflow's own errors may come out of a public verb, and without inputs no
flow moves: every predicted limit is the start.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
import sympy

import symflow as sf
from symflow.algebra.elementwise import IdentityNode
from symflow.algebra.nodes import Leaf, add, product
from symflow.convergence import attempts
from symflow.networks.parametrizations import Parametrization

NETWORKS = {
    "one layer": sf.LinearNetwork(2, 1),
    "one output": sf.LinearNetwork(2, 2, 1),
    "two layers": sf.LinearNetwork(2, 2, 2),
    "three layers": sf.LinearNetwork(2, 2, 2, 1),
    "diagonal": sf.DiagonalNetwork(2, depth=2),
    "deep diagonal": sf.DiagonalNetwork(2, depth=3),
    "signed": sf.DiagonalNetwork(2, depth=2, signed=True),
    "deep signed": sf.DiagonalNetwork(2, depth=3, signed=True),
    "squares": sf.HadamardDifference(2),
    "convolution": sf.ConvolutionalNetwork(2, filters=(2, 2)),
    "tensor": sf.TensorNetwork(np.eye(2, dtype=int)),
    "symmetric": sf.SymmetricFactorization(2, 2),
}
LOSSES = {
    "squared": sf.SquaredLoss(),
    "decay": sf.SquaredLoss(l2=Fraction(1, 10)),
    "exponential": sf.ExponentialLoss(),
    "logistic": sf.LogisticLoss(),
}
ROWS = ([1, 0], [0, 1], [1, 1])


def datasets(outputs):
    zeros, ones = [[0] * outputs] * 3, [[1] * outputs] * 3
    return {
        "zero inputs": sf.Dataset([[0, 0]] * 3, ones),
        "zero inputs as floats": sf.Dataset(np.zeros((3, 2)), np.ones((3, outputs))),
        "zero targets": sf.Dataset(ROWS, zeros),
        "zero targets as floats": sf.Dataset(np.array(ROWS, float), np.array(zeros)),
        "nothing": sf.Dataset([[0, 0]] * 3, zeros),
        "a dead input": sf.Dataset([[1, 0], [2, 0]], [[1] * outputs, [-1] * outputs]),
        "zero moments": sf.Moments([[0, 0], [0, 0]], [[0, 0]] * outputs),
    }


def starts(flow, rng):
    shapes = [tuple(map(int, symbol.shape)) for symbol in flow.state]
    eighths = [rng.integers(1, 9, shape) for shape in shapes]
    return {
        "floats": [part / 8.0 for part in eighths],
        "fractions": [
            np.vectorize(lambda x: Fraction(int(x), 8), otypes=[object])(part).tolist()
            for part in eighths
        ],
        "zeros": [np.zeros(shape, dtype=int).tolist() for shape in shapes],
        "ones": [np.ones(shape, dtype=int).tolist() for shape in shapes],
    }


def answers(verb):
    """Return what a verb says, and nothing where symflow refuses."""
    try:
        return verb()
    except sf.SymflowError:
        return None


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("network", NETWORKS)
def test_degenerate_data_are_answered_or_refused_in_words(network, loss, rng):
    flow = answers(lambda: sf.gradient_flow(NETWORKS[network], LOSSES[loss]))
    if flow is None:
        pytest.skip("the loss is not for this network")
    for what, data in datasets(int(flow.network.widths[-1])).items():
        kinds = starts(flow, rng)
        if loss != "squared":  # few theorems are about these
            kinds = {kind: kinds[kind] for kind in ("floats", "zeros")}
        for kind, init in kinds.items():
            for claim in said(flow, data, init):
                assert repr(claim)
                check_limit(claim, flow, data, init, (what, kind))


def said(flow, data, init):
    """Return the claims of all public verbs."""
    answers(lambda: sf.rates(flow, data, init))
    answers(lambda: sf.regime(flow, data, init))
    answers(lambda: sf.saddle_to_saddle(flow, data))
    answers(lambda: sf.saddle_to_saddle(flow, data, positive=True))
    found = [
        *(answers(lambda: attempts(flow, data, init)) or []),
        *(answers(lambda: sf.companions(flow, data, init)) or []),
        answers(lambda: sf.implicit_bias(flow, data, init)),
        answers(lambda: sf.solve(flow, data, init)),
    ]
    return [claim for claim in found if isinstance(claim, sf.Claim)]


def check_limit(claim, flow, data, init, what):
    """Without inputs nothing moves."""
    limit = answers(lambda: claim.limit) if hasattr(type(claim), "limit") else None
    moments = data.moments()
    still = np.all(np.asarray(moments.sigma_xx, dtype=float) == 0)
    predicted = limit is not None and not isinstance(claim, sf.Solution)
    if not predicted or not still or flow.loss != sf.SquaredLoss():
        return
    floats = [np.array(weight, dtype=float) for weight in init]
    start = sf.compile(flow, outputs="end_to_end")(*floats)
    np.testing.assert_allclose(
        np.asarray(limit, dtype=float), start, atol=1e-12, err_msg=f"{what} {claim}"
    )


STARTS = {
    sf.DiagonalNetwork(2, depth=2): ([[2], [2]], [[1], [1]]),
    sf.DiagonalNetwork(2, depth=3): ([[2], [2]], [[1], [1]], [[0.5], [Fraction(1, 4)]]),
    sf.ConvolutionalNetwork(2, filters=(2, 2)): ([[3], [1]], [[1], [Fraction(1, 2)]]),
    sf.LinearNetwork(2, 2, 1): ([[2, 0], [0, 2]], [[1, 1]]),
}


@pytest.mark.parametrize("network", STARTS, ids=repr)
def test_every_rate_is_certified_whatever_the_layers_are(network):
    flow, init = sf.gradient_flow(network, sf.SquaredLoss()), STARTS[network]
    data = sf.Dataset([[1, 0], [0, 2]], [1, 1])
    rates = [c for c in attempts(flow, data, init) if isinstance(c, sf.Claim)]
    assert rates
    for claim in rates:
        status = sf.certify(claim, flow, data, init, [1], digits=20).status
        assert str(status.value) in {"enclosed", "undecided"}, (claim, status)


@dataclass(frozen=True)
class Residual(Parametrization):
    """(I + W_2)(I + W_1), which is a network 2-2-2 in shifted coordinates."""

    size: int

    @property
    def widths(self):
        return self.size, self.size

    @property
    def parameters(self):
        return tuple(sympy.MatrixSymbol(f"W{k}", *self.widths) for k in (1, 2))

    @property
    def end_to_end_node(self):
        first, second = (add(IdentityNode(self.size), Leaf(s)) for s in self.parameters)
        return product(second, first)


@pytest.mark.parametrize("size", [1, 2, 3])
def test_laws_of_a_network_with_skips_are_as_many_as_without(size):
    plain = sf.count_conserved(sf.LinearNetwork(size, size, size))
    assert sf.count_conserved(Residual(size)).independent == plain.independent
    one = sf.Dataset([[1] * size], [[1] * size])
    few = sf.count_conserved(sf.LinearNetwork(size, size, size), data=one)
    assert sf.count_conserved(Residual(size), data=one).independent == few.independent
