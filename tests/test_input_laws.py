"""What given inputs conserve in addition: proved, simulated, counted."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import sympy

import symflow as sf
from symflow.conservation import Ratios, UnreachedPart
from symflow.conservation.null_space import null_space, row_space

#: Rank 2 of 4, with a coordinate that is always zero.
INPUTS = np.array([[1, 2, 0, 1], [2, 4, 0, -1], [3, 6, 0, 0]])
NETWORKS = {
    "dense": (sf.LinearNetwork(4, 2, 2), UnreachedPart),
    "dense, diagonal": (
        sf.Network(sf.Dense(4, 3), sf.Diagonal(3), sf.Dense(3, 1)),
        UnreachedPart,
    ),
    "diagonal": (sf.DiagonalNetwork(4, 2), Ratios),
    "deep diagonal": (sf.DiagonalNetwork(4, 3), UnreachedPart),
    "signed": (sf.DiagonalNetwork(4, 2, signed=True), Ratios),
    "squares": (sf.HadamardDifference(4), Ratios),
    "tensor": (sf.TensorNetwork(sf.DiagonalNetwork(4, 2).as_tensor()), object),
}
LOSSES = [sf.SquaredLoss(), sf.LogisticLoss()]


def dataset(network, rng):
    Y = rng.choice([-1, 1], (3, network.widths[-1]))
    exact = [[[Fraction(int(x)) for x in row] for row in part] for part in (INPUTS, Y)]
    return sf.Dataset(*exact)


def further_laws(flow, data):
    return sf.conserved(flow, data=data)[len(sf.conserved(flow)) :]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_laws_of_inputs_hold_in_floats_and_in_digits(name, loss, rng):
    network, kind = NETWORKS[name]
    flow, data = sf.gradient_flow(network, loss), dataset(network, rng)
    laws = further_laws(flow, data)
    assert laws
    assert any(isinstance(law, kind) for law in laws)
    start = sf.gaussian_init(0.7, rng=4)
    run = sf.simulate(flow, data, start, [0, 0.5, 1])
    sharp = sf.precise(flow, data, start, [0, Fraction(1, 2)], digits=30)
    assert max(np.max(np.abs(w[-1] - w[0])) for w in run.weights) > 1e-2
    for law in laws:
        assert all(step.check() for step in law.proof())
        assert float(max(law.residuals(run))) < 1e-10
        assert float(max(law.residuals(sharp))) < 1e-27
        assert "with these inputs" in str(law)
    assert sf.validate(laws, run, sharp).ok


@pytest.mark.parametrize("name", NETWORKS)
def test_other_inputs_break_them(name, rng):
    network, _ = NETWORKS[name]
    flow = sf.gradient_flow(network, sf.SquaredLoss())
    other = sf.Dataset(
        rng.standard_normal((6, 4)), rng.normal(size=(6, network.widths[-1]))
    )
    run = sf.simulate(flow, other, sf.gaussian_init(0.7, rng=4), [0, 0.5, 1])
    assert further_laws(flow, other) == []
    for law in further_laws(flow, dataset(network, rng)):
        assert float(max(law.residuals(run))) > 1e-3


#: Independent laws, and how many of them have no name here: that of the sums of two
#: proportional inputs in three factors is an elliptic integral.
COUNTS = {
    "dense": (3 + 2 * 2, 0),
    "dense, diagonal": (3 + 3 + 2 * 3, 0),
    "diagonal": (4 + 2, 0),
    "deep diagonal": (8 + 2, 1),
    "signed": (16 - 2, 0),
    "squares": (4 + 2, 0),
    "tensor": (4 + 2, 1),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_counts_for_inputs(name, rng):
    network, _ = NETWORKS[name]
    count = sf.count_conserved(network, data=dataset(network, rng))
    assert (count.independent, count.missing) == COUNTS[name]
    assert count.settled
    assert count.independent > sf.count_conserved(network).independent


def test_one_input_of_two_by_hand():
    """2–2–2 with one input: 2 frozen entries, and the 3 laws of 1–2–2."""
    count = sf.count_conserved(
        sf.LinearNetwork(2, 2, 2), data=sf.Dataset([[1.0, 2.0]], [[1.0, 0.0]])
    )
    assert (count.independent, count.known, count.complete) == (5, 5, True)
    full = sf.Dataset([[1.0, 2.0], [0.0, 1.0]], [1.0, 0.0])
    net = sf.LinearNetwork(2, 3, 1)
    assert sf.count_conserved(net, data=full) == sf.count_conserved(net)


def test_ratios_of_proportional_inputs():
    """x_2 = 2 x_1 in every sample: u_2 / u_1² keeps its value."""
    flow = sf.gradient_flow(sf.HadamardDifference(2), sf.SquaredLoss())
    data = sf.Dataset([[1.0, 2.0], [3.0, 6.0]], [3.0, 8.0])
    run = sf.simulate(flow, data, [[1.0, 0.5], [0.3, 0.9]], [0, 1, 3])
    u = run.weights[0][:, :, 0]
    assert abs(u[-1, 0] - 1) > 0.05
    np.testing.assert_allclose(u[:, 1] / u[:, 0] ** 2, 0.5, rtol=1e-10)
    (law,) = further_laws(flow, data)
    np.testing.assert_allclose(law.value(run.weights).ravel(), np.log(0.5), rtol=1e-9)


def test_polynomials_for_given_inputs():
    data = sf.Dataset([[1.0, 2.0]], [1.0])
    flow = sf.gradient_flow(sf.LinearNetwork(2, 1, 1), sf.SquaredLoss())
    assert sf.conserved(flow, search=sf.PolynomialSearch(degree=1)) == []
    (law,) = sf.conserved(flow, data=data, search=sf.PolynomialSearch(degree=1))
    assert law.check()
    assert str(law) == (
        "2*W1_0_0 - W1_0_1 is conserved, for every loss and label of these inputs"
    )
    assert not replace(law, inputs=None).check()


def test_moments_and_decay(rng):
    """Moments say which inputs are unused; under weight decay these fade at rate λ."""
    data = dataset(sf.LinearNetwork(4, 2, 1), rng)
    flow = sf.gradient_flow(sf.LinearNetwork(4, 2, 1), sf.SquaredLoss(l2=0.5))
    law, same = (further_laws(flow, d)[0] for d in (data, data.moments()))
    assert law.rows == same.rows
    assert law.rate == sympy.Rational(1, 2)
    run = sf.simulate(flow, data, sf.gaussian_init(0.7, rng=4), [0, 2])
    assert float(max(law.residuals(run))) < 1e-10
    first, last = law.value(run.weights)
    np.testing.assert_allclose(last, np.exp(-1) * first, atol=1e-10)


def test_descent_keeps_frozen_blocks_exactly(rng):
    gd = sf.gradient_descent(sf.LinearNetwork(4, 2, 1), sf.SquaredLoss())
    data = dataset(gd.network, rng)
    law = sf.conserved(gd, data=data)[-1]
    assert law.is_conserved
    assert "does not change in a step" in str(law)
    run = sf.descend(gd, data, sf.gaussian_init(0.7, rng=4), 5, step_size=0.05)
    assert float(max(law.residuals(run))) < 1e-13


def test_null_spaces_are_exact():
    matrix = np.array([[Fraction(1), Fraction(2), Fraction(3)]])
    basis = null_space(matrix)
    assert basis.shape == (2, 3)
    assert not np.any(basis @ matrix.T)
    assert len(row_space(np.concatenate([matrix, 2 * matrix]))) == 1


def test_bad_data_are_refused(rng):
    flow = sf.gradient_flow(sf.LinearNetwork(4, 2, 1), sf.SquaredLoss())
    with pytest.raises(sf.ShapeMismatch, match="2 inputs"):
        sf.conserved(flow, data=sf.Dataset([[1.0, 2.0]], [1.0]))
    with pytest.raises(sf.InvalidArgument, match="Dataset or Moments"):
        sf.conserved(flow, data=3)
    with pytest.raises(sf.InvalidArgument, match="all inputs are zero"):
        sf.count_conserved(flow.network, data=sf.Dataset([[0.0] * 4], [1.0]))


def test_ratios_are_left_out_where_a_coordinate_starts_at_zero():
    flow = sf.gradient_flow(sf.HadamardDifference(2), sf.SquaredLoss())
    data = sf.Moments([[1, 0], [0, 0]], [[1, 0]])
    kept = {}
    for second in (0, Fraction(1, 4)):
        start = [[Fraction(1, 2), second], [Fraction(1, 2), Fraction(1, 3)]]
        laws = sf.conserved(flow, data=data, init=start)
        kept[second] = any(isinstance(law, Ratios) for law in laws)
        assert sf.validate(laws, sf.simulate(flow, data, start, [0, 1])).ok
    assert kept == {0: False, Fraction(1, 4): True}
