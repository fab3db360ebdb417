"""Polynomial laws over the rationals: their number, and that they are laws."""

from __future__ import annotations

import numpy as np
import pytest

import symflow as sf

#: network, degree: dimension of the space of laws.  A block 1-h-1 has quadratic laws
#: beyond its imbalance; degree 4 has the products of the quadratic ones.
SPACES = [
    (sf.LinearNetwork(2, 1, 2), 2, 1),
    (sf.LinearNetwork(2, 2, 2), 2, 3),
    (sf.LinearNetwork(1, 2, 1), 2, 4),
    (sf.LinearNetwork(1, 2, 2, 1), 2, 6),
    (sf.LinearNetwork(1, 2, 2, 1), 3, 0),
    (sf.LinearNetwork(2, 1, 2), 4, 1),
    (sf.DiagonalNetwork(2, 2), 2, 2),
    (sf.HadamardDifference(2), 2, 2),
    (sf.ConvolutionalNetwork(3, (3, 3)), 2, 2),
    (sf.SymmetricFactorization(2, 2), 2, 0),
]


@pytest.mark.parametrize(
    ("network", "degree", "dimension"), SPACES, ids=lambda x: repr(x)
)
def test_number_of_polynomial_laws(network, degree, dimension):
    flow = sf.gradient_flow(network, sf.SquaredLoss())
    laws = sf.conserved(flow, search=sf.PolynomialSearch(degree=degree))
    assert len(laws) == dimension
    assert all(law.check() and law.degree == degree for law in laws)


def test_polynomial_laws_hold_along_flows(rng):
    network = sf.LinearNetwork(1, 2, 1)
    for decay, rate in ((0, 0.0), (0.25, 0.5)):
        flow = sf.gradient_flow(network, sf.SquaredLoss(l2=decay))
        laws = sf.conserved(flow, search=sf.PolynomialSearch(degree=2))
        data = sf.Dataset(rng.standard_normal((4, 1)), rng.standard_normal((4, 1)))
        run = sf.simulate(flow, data, sf.gaussian_init(0.8, rng=1), [0, 1, 3])
        assert sf.validate(laws, run).ok
        for law in laws:
            values = law.value(run.weights)
            expected = values[0] * np.exp(-rate * run.t)
            np.testing.assert_allclose(values, expected, atol=1e-8)
            assert law.is_conserved == (decay == 0)


def test_search_says_what_it_needs():
    with pytest.raises(sf.InvalidArgument, match="an integer from 1"):
        sf.PolynomialSearch(degree=0)
    symbolic = sf.gradient_flow(sf.LinearNetwork("d", 2, 1), sf.SquaredLoss())
    with pytest.raises(sf.InvalidArgument, match="integer widths"):
        sf.conserved(symbolic, search=sf.PolynomialSearch(degree=2))
    large = sf.gradient_flow(sf.LinearNetwork(9, 9, 9), sf.SquaredLoss())
    with pytest.raises(sf.InvalidArgument, match="smaller network"):
        sf.conserved(large, search=sf.PolynomialSearch(degree=2))
