"""The clock t = log(ℒ(0)/ℒ), in which directional limits are in reach.

With exponential tails the loss falls like 1/t, and a direction settles like 1/log t: no
integration in t arrives.  In the clock −log ℒ the same curves obey

    dθ/dt = g/‖g‖²,    g = −∇log ℒ = Σ p_i y_i ∇f_i,

where p_i are the shares of the samples in the loss, a softmax of the margins.  Nothing
underflows, d log ℒ/dt = −1 exactly, and t = 230 is a loss of 1e-100.  For the logistic
loss p_i ∝ −φ′, and d log ℒ/dt falls from above −1 to it as the loss falls.
"""

from __future__ import annotations

from typing import Any

from symflow.algebra.elementwise import elementwise, weighted
from symflow.algebra.functions import Z
from symflow.algebra.nodes import Node, add, product, trace, transpose

#: How a flow in this clock is shown: written out, its equations fill pages.
CLOCKED = "θ̇ = g/‖g‖², g = Σᵢ pᵢ yᵢ ∇f(xᵢ), p the shares of the samples in the force"
CLOCKED_LATEX = (
    r"$\displaystyle \dot\theta = \frac{g}{\|g\|^2}, \quad g = "
    r"\sum_i p_i y_i \nabla f(x_i)$, $p$ the shares of the samples in the force"
)


def per_log_loss(network: Any, loss: Any) -> tuple[Node, ...]:
    """Return dθ/dt = g/‖g‖² for every weight, as nodes."""
    pulled = network.pull_back(loss.shared_force(network.end_to_end_node))
    squares = [trace(product(transpose(part), part)) for part in pulled]
    inverse = elementwise(1 / Z, add(*squares) if len(squares) > 1 else squares[0])
    return tuple(weighted(inverse, part) for part in pulled)
