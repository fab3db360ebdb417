"""Directional limits in reach: the clock t = log(ℒ(0)/ℒ).

With exponential tails the loss falls like 1/t, and a direction settles like 1/log t: no
integration in t arrives.  In the clock −log ℒ the same curves obey

    dθ/dt = g/‖g‖²,    g = −∇log ℒ = Σ p_i y_i ∇f_i,

where p_i are the shares of the samples in the loss, a softmax of the margins.  Nothing
underflows, d log ℒ/dt = −1 exactly, and t = 230 is a loss of 1e-100.  For the logistic
loss p_i ∝ −φ′, and d log ℒ/dt falls from above −1 to it as the loss falls.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from symflow.algebra.elementwise import elementwise, weighted
from symflow.algebra.functions import Z
from symflow.algebra.nodes import Node, add, product, trace, transpose
from symflow.errors import InvalidArgument
from symflow.losses.margin import MarginLoss

if TYPE_CHECKING:
    from symflow.flow.gradient_flow import GradientFlow

#: How a flow in this clock is shown: written out, its equations fill pages.
CLOCKED = "θ̇ = g/‖g‖², g = Σᵢ pᵢ yᵢ ∇f(xᵢ), p the shares of the samples in the force"
CLOCKED_LATEX = (
    r"$\displaystyle \dot\theta = \frac{g}{\|g\|^2}, \quad g = "
    r"\sum_i p_i y_i \nabla f(x_i)$, $p$ the shares of the samples in the force"
)


def directional_flow(flow: GradientFlow) -> GradientFlow:
    """Return the same curves in the clock t = log(ℒ(0)/ℒ), for directional limits.

    Parameters
    ----------
    flow : GradientFlow
        With the exponential or the logistic loss, without weight decay.

    Returns
    -------
    GradientFlow
        Along which the exponential loss is ℒ(0)e⁻ᵗ: the weights at t = 230 are those at
        a loss of 1e-100.  It takes the place of the flow in `simulate`, `precise`,
        `conserved`, `implicit_bias` and `validate`.  Where the loss does not fall to
        zero, because no W separates the classes or the flow ends at a saddle, this
        clock stops at log(ℒ(0)/ℒ(∞)), and no integrator gets further.

    Raises
    ------
    InvalidArgument
        If the loss is another one, or layers have learning rates.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(2, 1), sf.ExponentialLoss())
    >>> data = sf.Dataset([[1.0, 2.0], [0.0, -3.0]], [1.0, -1.0])
    >>> run = sf.simulate(sf.directional_flow(flow), data, [[[3.0, 3.0]]], [0, 230])
    >>> row = run.end_to_end[-1, 0]
    >>> (row / (row @ row) ** 0.5).round(2).tolist()
    [0.45, 0.89]
    """
    loss = getattr(flow, "loss", None)
    scaled = bool(getattr(flow, "learning_rates", ()))
    if not isinstance(loss, MarginLoss) or loss.l2 != 0 or scaled:
        msg = (
            "directional_flow(flow): needs a gradient flow of the exponential or the "
            f"logistic loss without weight decay or learning rates; got {flow!r}"
        )
        raise InvalidArgument(msg)
    return replace(flow, clock="log loss")


def per_log_loss(network: Any, loss: Any) -> tuple[Node, ...]:
    """Return dθ/dt = g/‖g‖² for every weight, as nodes.

    Parameters
    ----------
    network : AbstractNetwork
        The model.
    loss : MarginLoss
        Without weight decay.
    """
    pulled = network.pull_back(loss.shared_force(network.end_to_end_node))
    squares = [trace(product(transpose(part), part)) for part in pulled]
    inverse = elementwise(1 / Z, add(*squares) if len(squares) > 1 else squares[0])
    return tuple(weighted(inverse, part) for part in pulled)
