"""Counts of conserved quantities: a published table, formulas, and floating ranks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, strategies as st
from oracles.counts import two_layer_count

import symflow as sf
from symflow.conservation.brackets import gradient_fields, jacobian, rank
from symflow.conservation.count import _certificate
from symflow.conservation.nilpotent import PRIME, NilpotentValues

#: widths: (dimension of the span, of the algebra, independent laws), each found by
#: generating brackets of polynomials symbolically.
CHAINS = {
    (2, 1, 2): (3, 3, 1),
    (2, 2, 2): (4, 5, 3),
    (2, 3, 2): (4, 6, 6),
    (2, 5, 2): (4, 6, 14),
    (3, 2, 2): (6, 7, 3),
    (3, 4, 2): (6, 10, 10),
    (1, 3, 1): (1, 1, 5),
    (1, 1, 1, 1, 1): (1, 1, 3),
    (2, 2, 1, 2): (3, 4, 4),
    (2, 2, 2, 2): (4, 6, 6),
    (3, 2, 2, 2): (6, 8, 6),
    (2, 3, 3, 1): (2, 6, 12),
    (2, 3, 3, 2): (4, 9, 12),
    (2, 4, 4, 1): (2, 8, 20),
    (2, 4, 1, 2): (3, 4, 10),
    (1, 2, 1, 2, 1): (1, 1, 7),
    (2, 1, 3, 1, 2): (3, 3, 7),
    (2, 2, 2, 2, 1): (2, 5, 9),
}
EXCEPTIONS = {
    (1, 2, 2, 1): (7, 6),
    (1, 2, 3, 1): (10, 9),
    (1, 3, 3, 1): (14, 12),
    (1, 2, 2, 2, 1): (11, 9),
    (2, 1, 2, 2, 1): (8, 7),
}
OTHERS = [
    (sf.DiagonalNetwork(2, 2), 2, 2),
    (sf.DiagonalNetwork(3, 3), 3, 6),
    (sf.HadamardDifference(3), 3, 3),
    (sf.ConvolutionalNetwork(2, (2, 2)), 2, 2),
    (sf.ConvolutionalNetwork(3, (3, 3)), 4, 2),
    (sf.ConvolutionalNetwork(4, (4, 4)), 5, 3),
    (sf.ConvolutionalNetwork(5, (5, 5)), 7, 3),
    (sf.ConvolutionalNetwork(3, (3, 3, 3)), 5, 4),
    (sf.ConvolutionalNetwork(5, (2, 2)), 3, 1),
    (sf.ConvolutionalNetwork(5, (2, 3)), 4, 1),
    (sf.ConvolutionalNetwork(4, (2, 4)), 5, 1),
]


@pytest.mark.parametrize("widths", CHAINS)
def test_chains_agree_with_the_table(widths):
    count = sf.count_conserved(sf.LinearNetwork(*widths))
    span, lie, laws = CHAINS[widths]
    assert count.certificate.generators == span
    assert (count.lie_dimension, count.independent) == (lie, laws)
    assert count.complete
    assert count.known == laws


@pytest.mark.parametrize("widths", EXCEPTIONS)
def test_exceptional_chains_have_further_laws(widths):
    count = sf.count_conserved(sf.LinearNetwork(*widths))
    assert (count.independent, count.known) == EXCEPTIONS[widths]
    assert not count.complete
    assert count.settled
    assert count.missing == EXCEPTIONS[widths][0] - EXCEPTIONS[widths][1]
    assert "missing" in repr(count)


@pytest.mark.parametrize(("network", "lie", "laws"), OTHERS, ids=repr)
def test_other_networks_agree_with_the_table(network, lie, laws):
    count = sf.count_conserved(network)
    assert (count.lie_dimension, count.independent, count.complete) == (lie, laws, True)


def test_generic_tensors_keep_norms_only(rng):
    for shape in [(2, 2, 2), (3, 2, 2), (2, 2, 2, 2), (2, 2, 3, 2)]:
        network = sf.TensorNetwork(rng.integers(-9, 10, shape))
        count = sf.count_conserved(network)
        assert (count.independent, count.complete) == (len(shape) - 2, True)


def test_tied_autoencoder_keeps_the_row_space():
    for d, h in [(2, 1), (2, 2), (2, 3), (2, 4), (3, 2), (3, 5), (1, 3)]:
        count = sf.count_conserved(sf.SymmetricFactorization(d, h))
        assert (count.independent, count.complete) == (d * max(h - d, 0), True)


def test_every_small_two_layer_network_over_several_seeds():
    for d, h, m in itertools.product(range(1, 7), repeat=3):
        network = sf.LinearNetwork(d, h, m)
        verdict = {
            (c.independent, c.complete)
            for c in (sf.count_conserved(network, rng=seed) for seed in range(2))
        }
        assert verdict == {(two_layer_count(d, h, m), True)}
    for widths in [(2, 5, 3), (6, 6, 6), (1, 4, 1), (3, 2, 4, 2), (1, 3, 2, 1)]:
        network = sf.LinearNetwork(*widths)
        counts = {sf.count_conserved(network, rng=s).independent for s in range(20)}
        assert len(counts) == 1


def formula(widths):
    """Return the laws of the imbalances, and whether there are others."""
    triples = zip(widths, widths[1:], widths[2:], strict=False)
    ones = [k for k, width in enumerate(widths) if width == 1]
    exceptional = any(b - a >= 3 for a, b in itertools.pairwise(ones))
    return sum(two_layer_count(a, h, b) for a, h, b in triples), exceptional


def chains(depth, parameters):
    """Return all widths of this depth with at most so many parameters."""
    found = [((first,), 0) for first in range(1, parameters + 1)]
    for left in reversed(range(depth)):
        found = [
            ((*widths, width), used + widths[-1] * width)
            for widths, used in found
            for width in range(1, (parameters - used - left) // widths[-1] + 1)
        ]
    return [widths for widths, _ in found]


@pytest.mark.parametrize(("depth", "parameters"), [(3, 36), (4, 22)])
def test_every_deep_chain_follows_the_formula(depth, parameters):
    """The same holds up to 60 parameters, 66 344 chains, checked once in 18 seconds."""
    for widths in chains(depth, parameters):
        count = sf.count_conserved(sf.LinearNetwork(*widths))
        known, exceptional = formula(widths)
        assert count.known == known
        assert count.complete != exceptional
        assert count.settled


@pytest.mark.parametrize(
    "network",
    [
        sf.LinearNetwork(2, 7, 2),
        sf.LinearNetwork(5, 2, 6),
        sf.LinearNetwork(4, 1, 6, 3),
        sf.LinearNetwork(1, 2, 6, 1),
        sf.LinearNetwork(4, 2, 2, 1, 3),
        sf.Network(sf.Dense(5, 2), sf.Diagonal(2), sf.Dense(2, 6), sf.Dense(6, 1)),
        sf.Network(sf.Circulant(3), sf.Dense(3, 5), sf.Dense(5, 1), sf.Dense(1, 4)),
    ],
    ids=repr,
)
def test_narrow_networks_speak_for_wide_ones(network):
    count, direct = sf.count_conserved(network), _certificate(network, 5)
    assert count.certificate.network != network
    assert direct.network == network
    assert (count.lie_dimension, count.known) == (direct.ranks[-1], direct.laws)
    assert count.complete == direct.complete


def test_widths_of_images_are_counted():
    count = sf.count_conserved(sf.LinearNetwork(784, 16, 10))
    assert (count.parameters, count.complete) == (12704, True)
    assert count.independent == two_layer_count(784, 16, 10) == 136


@given(st.lists(st.integers(1, 4), min_size=4, max_size=5))
def test_deep_formula_holds_away_from_the_exceptions(widths):
    count = sf.count_conserved(sf.LinearNetwork(*widths))
    known, exceptional = formula(widths)
    assert count.known == known
    assert count.complete != exceptional


def test_two_hundred_parameters():
    count = sf.count_conserved(sf.LinearNetwork(10, 10, 8, 3))
    assert count.parameters == 204
    assert count.complete


def test_brackets_are_those_of_floating_differentiation(rng):
    """[F, G] = DG·F − DF·G by finite differences of the kernel: ranks must agree."""
    network = sf.LinearNetwork(2, 2, 2)
    flow = sf.gradient_flow(network, sf.SquaredLoss())
    kern = sf.compile(flow)
    zero = np.zeros((2, 2))

    def field(force):
        # with Σ_xx = 0 the force is Σ_yx itself
        def at(x):
            blocks = kern(x[:4].reshape(2, 2), x[4:].reshape(2, 2), zero, force)
            return np.concatenate([block.ravel() for block in blocks])

        return at

    x = rng.standard_normal(8)

    def along(f, v):
        return (f(x + 1e-5 * v) - f(x - 1e-5 * v)) / 2e-5

    fields = [field(rng.standard_normal((2, 2))) for _ in range(6)]
    rows = [f(x) for f in fields]
    rows += [along(g, f(x)) - along(f, g(x)) for f in fields for g in fields]
    values = np.linalg.svd(np.array(rows), compute_uv=False)
    assert (
        np.sum(values > 1e-7) == sf.count_conserved(network).certificate.ranks[1] == 5
    )


def test_nilpotent_arithmetic_is_polynomial_arithmetic():
    import sympy

    from symflow.algebra.nodes import Leaf, product

    t = sympy.symbols("t0:2")
    A, B = (sympy.MatrixSymbol(name, 2, 2) for name in "AB")
    rng = np.random.default_rng(0)
    arrays = {s: rng.integers(0, PRIME, (4, 2, 2)) for s in (A, B)}
    monomials = [sympy.S.One, t[0], t[1], t[0] * t[1]]
    polynomials = {
        s: sum(
            (sympy.Matrix(x[k].tolist()) * monomials[k] for k in range(4)),
            sympy.zeros(2, 2),
        )
        for s, x in arrays.items()
    }
    ours = NilpotentValues(arrays, 2).of(product(Leaf(A), Leaf(B), Leaf(A)))
    exact = polynomials[A] * polynomials[B] * polynomials[A]
    for i in range(2):
        for j in range(2):
            poly = sympy.Poly(exact[i, j], *t)
            for k, powers in enumerate([(0, 0), (1, 0), (0, 1), (1, 1)]):
                coefficient = int(poly.coeff_monomial(powers)) % PRIME
                assert int(ours[k, i, j]) == coefficient


def test_jacobian_is_that_of_sympy(rng):
    from symflow.algebra import entrywise

    network = sf.LinearNetwork(2, 2, 1)
    (law,) = sf.conserved(sf.gradient_flow(network, sf.SquaredLoss()))
    point = gradient_fields(network).point(rng)
    ours = jacobian([law.node], network.parameters, point)
    variables = [v for p in network.parameters for v in entrywise(p)]
    values = dict(
        zip(variables, (int(v) for x in point for v in x.ravel()), strict=True)
    )
    expected = entrywise(law.expr).reshape(4, 1).jacobian(variables).subs(values)
    assert (np.array(expected.tolist(), dtype=object) % PRIME == ours).all()
    assert rank(ours) == 3


def test_count_needs_integers():
    with pytest.raises(sf.InvalidArgument, match="integer widths"):
        sf.count_conserved(sf.LinearNetwork("d", 2, 1))
    with pytest.raises(sf.InvalidArgument, match="needs a network"):
        sf.count_conserved(3)
    with pytest.raises(sf.InvalidArgument, match="non-negative"):
        sf.count_conserved(sf.LinearNetwork(1, 1), rng=-1)
