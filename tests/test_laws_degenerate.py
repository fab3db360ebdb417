"""Laws where they are easily wrong: learning rates, tiny moduli, ranks, late paths."""

from __future__ import annotations

from fractions import Fraction as F

import numpy as np
import pytest
import sympy

import symflow as sf
from symflow.claims import Status
from symflow.conservation import BalancedPhases, ComponentLaw, Law, RowSpace
from symflow.conservation.proof import is_proof
from symflow.networks import orthogonal_decomposition

RATES = [(1, 3), ("1/3", 2), (F(7, 5), F(2, 9)), (1e-8, 1), (1, 1e8), (0.5, 0.25)]


def entries(rows, columns, name):
    return sympy.Matrix(rows, columns, lambda i, j: sympy.Symbol(f"{name}_{i}_{j}"))


def derivative(expr, speeds):
    """dQ/dt of layers 2-1-1 for every force, written entry by entry."""
    first, second = entries(1, 2, "W1"), entries(1, 1, "W2")
    force = sympy.Matrix(1, 2, sympy.symbols("f1 f2"))
    moved = speeds[0] * second.T * force, speeds[1] * force * first.T
    total = 0
    for matrix, slope in zip((first, second), moved, strict=True):
        total += sum(expr.diff(x) * v for x, v in zip(matrix, slope, strict=True))
    return sympy.expand(total)


@pytest.mark.parametrize("rates", RATES)
@pytest.mark.parametrize("degree", [2, 4])
def test_polynomial_laws_know_the_learning_rates(rates, degree):
    network = sf.LinearNetwork(2, 1, 1)
    flow = sf.gradient_flow(network, sf.SquaredLoss(), learning_rates=rates)
    laws = sf.conserved(flow, search=sf.PolynomialSearch(degree=degree))
    assert len(laws) == 1
    speeds = [flow.speed(k) for k in range(2)]
    for law in laws:
        assert law.status is Status.PROVED
        assert law.check()
        assert derivative(law.expr, speeds) == 0
    plain = sf.gradient_flow(network, sf.SquaredLoss())
    (other,) = sf.conserved(plain, search=sf.PolynomialSearch(degree=2))
    wrong = type(other)(flow, other.expr)
    assert not wrong.check()
    assert wrong.status is Status.ASSERTED


def test_polynomials_do_not_decay_at_several_rates():
    flow = sf.gradient_flow(
        sf.LinearNetwork(1, 1, 1), sf.SquaredLoss(l2=0.1), learning_rates=(1, 3)
    )
    assert sf.conserved(flow, search=sf.PolynomialSearch(degree=2)) == []
    plain = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss(l2=0.1))
    (law,) = sf.conserved(plain, search=sf.PolynomialSearch(degree=2))
    assert law.check()
    wrong = type(law)(flow, law.expr)
    assert not wrong.check()


def test_symbolic_learning_rates_are_refused_by_the_search():
    flow = sf.gradient_flow(
        sf.LinearNetwork(1, 1, 1), sf.SquaredLoss(), learning_rates=("alpha", 3)
    )
    with pytest.raises(sf.InvalidArgument, match="rational numbers"):
        sf.conserved(flow, search=sf.PolynomialSearch(degree=2))


@pytest.mark.parametrize("rates", [(1e-8, 1), (1, 1e-8), (1e-8, 1e-8), (1e6, 1)])
@pytest.mark.parametrize(
    "network",
    [sf.LinearNetwork(2, 2, 1), sf.DiagonalNetwork(2, 2)],
    ids=["dense", "diagonal"],
)
def test_laws_with_extreme_learning_rates_are_not_contradicted(network, rates):
    flow = sf.gradient_flow(network, sf.SquaredLoss(), learning_rates=rates)
    slow = max(rates)
    data = sf.Moments(np.eye(2), np.array([[0.7, -0.4]]))
    start = sf.gaussian_init(0.6, rng=2)
    times = np.array([0, 0.5, 2]) / slow
    run = sf.simulate(flow, data, start, times)
    assert sf.validate(sf.conserved(flow), run).ok
    late = sf.simulate(flow, data, start, times[1:])
    assert sf.validate(sf.conserved(flow), late).ok


def test_a_law_without_a_proof_is_asserted_and_not_counted():
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.SquaredLoss())
    (law,) = sf.conserved(flow)

    class Unproved(type(law)):
        def proof(self):
            return []

    claim = Unproved(flow, law.combination)
    assert law.status is Status.PROVED
    assert claim.status is Status.ASSERTED
    assert not is_proof([])
    step = sf.conserved(sf.gradient_descent(flow.network, flow.loss))[0]
    assert step.status is Status.PROVED
    assert type(step)(step.descent, claim).status is Status.ASSERTED


def test_every_law_of_the_catalogue_earns_its_status():
    networks = [
        sf.LinearNetwork("d", "h", "m"),
        sf.DiagonalNetwork(3, 2),
        sf.DiagonalNetwork(2, 2, signed=True),
        sf.ConvolutionalNetwork(3, (3, 3)),
        sf.HadamardDifference("d"),
        sf.TensorNetwork(sf.DiagonalNetwork(2, depth=2).as_tensor()),
    ]
    for network in networks:
        for law in sf.conserved(sf.gradient_flow(network, sf.SquaredLoss())):
            assert isinstance(law, Law)
            assert law.status is Status.PROVED
            assert is_proof(law.proof())


def test_a_step_is_no_firmer_than_its_law():
    """Factors of irrational projections: both are verified."""
    turn = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    tensor = np.einsum("ja,jb,jc->abc", np.diag([1.0, 2.0]), turn, turn)
    network = sf.TensorNetwork(tensor)
    laws = sf.conserved(sf.gradient_descent(network, sf.SquaredLoss()))
    (found,) = [step for step in laws if isinstance(step.law, ComponentLaw)]
    assert found.law.status is Status.VERIFIED
    assert found.status is Status.VERIFIED


@pytest.mark.parametrize("tiny", [F(1, 10**6), F(1, 10**12), F(1, 10**40), 0])
def test_independence_of_rows_is_decided_at_the_start(tiny):
    flow = sf.gradient_flow(sf.SymmetricFactorization(2, 4), sf.SquaredLoss())
    assert sf.conserved(flow)[0].status is Status.VERIFIED
    start = [[[1, 2, 0, 0], [2, 4, tiny, 0]]]
    laws = sf.conserved(flow, init=start)
    assert [type(law) for law in laws] == ([RowSpace] if tiny else [])
    assert all(law.status is Status.PROVED for law in laws)
    assert sf.count_conserved(flow.network).complete


@pytest.mark.parametrize("size", [F(1), F(1, 10**6), F(10**6)])
def test_moduli_are_compared_at_their_own_frequency(size):
    """A pair of filters whose small frequency differs by a factor of two."""
    flow = sf.gradient_flow(
        sf.ConvolutionalNetwork(2, filters=(2, 2)), sf.SquaredLoss()
    )
    for gap in (F(1, 10**7), F(1, 10**30), F(0)):
        small = F(1, 10**6)
        first = [size * (1 + small), size * (1 - small)]
        other = [size * (1 + small * (1 + gap)), size * (1 - small * (1 + gap))]
        start = [[[x] for x in first], [[x] for x in other]]
        found = [
            law
            for law in sf.conserved(flow, init=start)
            if isinstance(law, BalancedPhases)
        ]
        assert bool(found) == (gap == 0)
        assert all(law.status is Status.PROVED for law in found)
        if gap == F(1, 10**7):
            floats = [np.array([[float(x)] for x in w]) for w in (first, other)]
            laws = sf.conserved(flow, init=floats)
            assert not any(isinstance(law, BalancedPhases) for law in laws)


def test_dead_frequencies_have_no_phase():
    """Filters of ones: only one frequency is there, and rounding is none."""
    flow = sf.gradient_flow(sf.ConvolutionalNetwork(7, (7, 7)), sf.SquaredLoss())
    ones = [np.ones((7, 1), int)] * 2
    (law,) = [x for x in sf.conserved(flow, init=ones) if isinstance(x, BalancedPhases)]
    data = sf.Moments(np.eye(7), np.arange(7.0)[None, :])
    assert max(law.residuals(sf.simulate(flow, data, ones, [0, 0.1, 0.2]))) < 1e-8
    zeros = [np.zeros((7, 1), int)] * 2
    assert not any(
        isinstance(x, BalancedPhases) for x in sf.conserved(flow, init=zeros)
    )


@pytest.mark.parametrize("power", [6, 8, 10, 12])
@pytest.mark.parametrize("seed", [0, 1])
def test_nearly_decomposable_tensors_are_not_decomposable(power, seed):
    rng = np.random.default_rng(seed)
    exact = sf.DiagonalNetwork(3, depth=2).as_tensor().astype(object)
    noise = rng.integers(-9, 10, exact.shape).astype(object) * F(1, 10**power)
    for tensor in (exact + noise, (exact + noise).astype(float)):
        with pytest.raises(sf.HypothesisFailed, match="not orthogonally decomposable"):
            orthogonal_decomposition(tensor)
        laws = sf.conserved(
            sf.gradient_flow(sf.TensorNetwork(tensor), sf.SquaredLoss())
        )
        assert not any(isinstance(law, ComponentLaw) for law in laws)


def test_exact_tensors_are_decided_exactly():
    exact = sf.DiagonalNetwork(3, depth=3).as_tensor().astype(object)
    assert orthogonal_decomposition(exact).residual < 1e-14
    other = exact.copy()
    other[0, 1, 2, 1] = F(1, 10**40)
    with pytest.raises(sf.HypothesisFailed, match="do not commute, exactly"):
        orthogonal_decomposition(other)
