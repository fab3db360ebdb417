"""Laws of single components of tensor networks, with exact and with rounded factors."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import sympy

import symflow as sf
from symflow.claims import Status
from symflow.conservation import ComponentLaw, UnreachedPart
from symflow.conservation.tensor import applied, as_fractions, as_matrix

TURN = np.array([[Fraction(3, 5), Fraction(4, 5)], [Fraction(-4, 5), Fraction(3, 5)]])
LONG = np.array(
    [[Fraction(5, 13), Fraction(12, 13)], [Fraction(-12, 13), Fraction(5, 13)], [0, 0]]
)


def rotated():
    """M(x) = Σ_j (Sx)_j TURN_j ⊗ LONG_j with S = [[1, 3], [2, 4]], exactly."""
    S = np.array([[Fraction(1), Fraction(3)], [Fraction(2), Fraction(4)]])
    return np.einsum("ja,bj,cj->abc", S, TURN, LONG)


def random_orthogonal(rng):
    """A tensor of order 4 with random factors, of which none has full range."""
    factors = [np.linalg.qr(rng.standard_normal((k, k)))[0][:, :3] for k in (4, 3, 5)]
    return np.einsum("ja,bj,cj,dj->abcd", rng.standard_normal((3, 3)), *factors)


EXACT = {
    "rotated": rotated(),
    "diagonal": sf.DiagonalNetwork(3, 3).as_tensor(),
    "convolution of 3": sf.ConvolutionalNetwork(3, (3, 3)).as_tensor(),
    "convolution of 4": sf.ConvolutionalNetwork(4, (4, 4, 4)).as_tensor(),
}


def runs(network, rng):
    flow = sf.gradient_flow(network, sf.SquaredLoss())
    data = sf.Dataset(rng.standard_normal((5, network.widths[0])), rng.normal(size=5))
    start = sf.gaussian_init(0.7, rng=4)
    sharp = sf.precise(flow, data, start, [0, 1], digits=30)
    return flow, sf.simulate(flow, data, start, [0, 0.5, 1, 2]), sharp


@pytest.mark.parametrize("name", EXACT)
def test_exact_components_are_proved_and_complete(name, rng):
    network = sf.TensorNetwork(EXACT[name])
    flow, run, sharp = runs(network, rng)
    laws = sf.conserved(flow)
    parts = [law for law in laws if isinstance(law, ComponentLaw)]
    assert len(parts) == network.depth - 1
    for law in parts:
        assert law.status is Status.PROVED
        assert law.proof()
        assert all(step.check() for step in law.proof())
    for law in laws:
        assert float(max(law.residuals(run))) < 1e-10
        assert float(max(law.residuals(sharp))) < 1e-27
    assert sf.validate(laws, run, sharp).ok
    assert sf.count_conserved(network).complete


def test_components_are_the_squares_of_projections(rng):
    network = sf.TensorNetwork(rotated())
    _, law, frozen = sf.conserved(sf.gradient_flow(network, sf.SquaredLoss()))
    v1, v2 = rng.standard_normal((2, 1)), rng.standard_normal((3, 1))
    squares = [(U.astype(float).T @ v) ** 2 for U, v in ((TURN, v1), (LONG, v2))]
    ours, theirs = law.value([v1, v2]), squares[1] - squares[0]
    np.testing.assert_allclose(np.sort(ours.ravel()), np.sort(theirs.ravel()))
    assert isinstance(frozen, UnreachedPart)
    assert frozen.value([v1, v2]).item() == v2[2, 0]
    assert str(frozen).endswith("is conserved, for every loss and data set")


def test_components_of_convolutions_are_fourier_moduli(rng):
    d = 4
    network = sf.TensorNetwork(EXACT["convolution of 4"])
    law = sf.conserved(sf.gradient_flow(network, sf.SquaredLoss()))[2]
    weights = [rng.standard_normal((d, 1)) for _ in range(3)]
    moduli = [np.abs(np.fft.fft(w[:, 0])) ** 2 / d for w in weights]
    # conjugate frequencies have one component between them
    expected = np.sort((moduli[1] - moduli[0])[: d // 2 + 1])
    np.testing.assert_allclose(np.sort(law.value(weights).ravel()), expected)


def test_rounded_factors_are_verified_not_proved(rng):
    network = sf.TensorNetwork(random_orthogonal(rng))
    flow, run, sharp = runs(network, rng)
    parts = [law for law in sf.conserved(flow) if isinstance(law, ComponentLaw)]
    assert len(parts) == 2
    for law in parts:
        assert law.status is Status.VERIFIED
        assert law.proof() == []
        assert 0 < law.defect < 1e-14
        assert float(max(law.residuals(run))) < 1e-10
        assert 1e-27 < float(max(law.residuals(sharp))) < 1e-14
    assert sf.validate(parts, run, sharp).ok


def test_wrong_components_are_refused_and_refuted(rng):
    """The components of different terms do not make a law."""
    network = sf.TensorNetwork(rotated())
    flow, run, _ = runs(network, rng)
    law = sf.conserved(flow)[1]
    first, second = law._forms
    tensor = as_fractions(network.tensor)
    assert not np.any(applied(tensor, 1, first[0]) - applied(tensor, 2, second[0]))
    assert np.any(applied(tensor, 1, first[0]) - applied(tensor, 2, second[1]))
    mutant = replace(law)
    mutant.__dict__["_forms"] = first, second[::-1]
    assert mutant.defect > 0.1
    assert not mutant.proof()
    assert float(max(mutant.residuals(run))) > 1e-3
    frozen = sf.conserved(flow)[2]
    moving = replace(frozen, rows=as_matrix(as_fractions(np.array([[1.0, 0, 0]]))))
    assert float(max(moving.residuals(run))) > 1e-3
    with pytest.raises(ArithmeticError, match="not an identity"):
        moving.proof()


def test_generic_and_irrational_tensors_keep_their_norms(rng):
    generic = sf.TensorNetwork(rng.integers(-3, 4, (2, 2, 3)))
    assert len(sf.conserved(sf.gradient_flow(generic, sf.SquaredLoss()))) == 1
    root = sf.TensorNetwork(sympy.Array([[[sympy.sqrt(2), 0], [0, 1]]]))
    assert len(sf.conserved(sf.gradient_flow(root, sf.SquaredLoss()))) == 1


def test_a_tensor_of_zeros_moves_nothing():
    flow = sf.gradient_flow(sf.TensorNetwork(np.zeros((2, 2, 2))), sf.SquaredLoss())
    assert len(sf.conserved(flow)) > 0
    assert sf.count_conserved(flow.network).independent == 4
