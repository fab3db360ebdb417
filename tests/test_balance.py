"""The imbalance is conserved for every width; under weight decay it decays exactly."""

import mpmath
import numpy as np
import pytest
import sympy

import symflow as sf
from symflow.algebra import entrywise

WIDTHS = [("d", "h", "m"), ("a", "b", "c", "d", "e"), (3, 2, 4), (1, 1, 1)]


def random_weights(widths, rng):
    pairs = zip(widths[1:], widths[:-1], strict=True)
    return [rng.standard_normal(shape) for shape in pairs]


@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("l2", [0, "lambda", 0.3])
def test_every_proof_step_is_an_identity_of_explicit_matrices(widths, l2):
    """SymPy multiplies out explicit matrices: a route without words."""
    flow = sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss(l2=l2))
    sizes = {name: 1 + k % 3 for k, name in enumerate(flow.network.widths)}
    sizes = {k: sympy.Integer(v) for k, v in sizes.items() if not isinstance(k, int)}
    laws = sf.conserved(flow)
    assert len(laws) == len(widths) - 2
    for law in laws:
        for step in law.proof():
            assert step.check()
            difference = entrywise(step.expanded.xreplace(sizes))
            assert all(sympy.expand(entry) == 0 for entry in difference)


@pytest.mark.parametrize("l2", [0, sympy.Rational(1, 3)])
def test_derivative_of_the_imbalance_along_the_entrywise_flow(l2):
    """Differentiate Δ(θ) entry by entry and insert the scalar ODEs."""
    flow = sf.gradient_flow(sf.LinearNetwork(2, 3, 2), sf.SquaredLoss(l2=l2))
    (law,) = sf.conserved(flow)
    scalar = flow.entries((2, 3, 2))
    for entry in entrywise(law.expr):
        derivative = sum(sympy.diff(entry, w) * scalar[w] for w in scalar)
        assert sympy.expand(derivative + law.rate * entry) == 0


def test_proof_with_a_false_step_is_refused():
    from symflow.algebra.nodes import Leaf, product, transpose
    from symflow.conservation.proof import step

    first, second = (Leaf(sympy.MatrixSymbol(name, 2, 2)) for name in "AB")
    with pytest.raises(ArithmeticError, match="not an identity"):
        step(product(first, second), product(second, first), "false", {})
    assert step(first, transpose(transpose(first)), "true", {}).check()


def test_decay_is_reported_with_its_exact_rate_and_not_as_conserved():
    flow = sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), sf.SquaredLoss(l2="kappa"))
    (law,) = sf.conserved(flow)
    assert not law.is_conserved
    assert law.rate == 2 * sympy.Symbol("kappa", nonnegative=True)
    assert str(law).endswith("decays as e^(−2κt)")


@pytest.mark.parametrize("l2", [0, 0.25])
@pytest.mark.parametrize("widths", [(3, 4, 2), (2, 3, 2, 3)])
def test_drift_of_a_simulated_flow_is_rounding(widths, l2):
    rng = np.random.default_rng(3)
    flow = sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss(l2=l2))
    data = sf.Dataset(
        rng.standard_normal((9, widths[0])), rng.standard_normal((9, widths[-1]))
    )
    run = sf.simulate(flow, data, random_weights(widths, rng), np.linspace(0, 3, 7))
    drifts = [value for key, value in run.stats.items() if key.startswith("drift")]
    assert len(drifts) == len(widths) - 2
    assert max(drifts) < 1e-10


def test_residual_notices_a_law_that_does_not_hold():
    """Weights that were not moved by the flow have a visible drift."""
    rng = np.random.default_rng(5)
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    data = sf.whitened(rng.standard_normal((2, 2)))
    run = sf.simulate(flow, data, random_weights((2, 2, 2), rng), [0.0, 1.0])
    run.weights[0][1] *= 1 + 1e-6
    assert max(sf.conserved(flow)[0].residuals(run)) > 1e-7


def test_value_keeps_the_arithmetic_of_the_weights():
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    (law,) = sf.conserved(flow)
    context = mpmath.MPContext()
    context.dps = 60
    third = context.mpf(1) / 3
    weights = [np.array([[third]], dtype=object), np.array([[2 * third]], dtype=object)]
    assert law.value(weights)[0, 0] == 4 * third * third - third * third


def test_single_layer_has_no_imbalance():
    assert (
        sf.conserved(sf.gradient_flow(sf.LinearNetwork(3, 2), sf.SquaredLoss())) == []
    )


def test_conserved_refuses_what_is_not_a_flow():
    with pytest.raises(
        sf.InvalidArgument, match=r"conserved\(flow\): needs a gradient"
    ):
        sf.conserved(sf.LinearNetwork(2, 2))
