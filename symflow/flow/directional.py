"""Directional limits in reach: a flow in the clock t = log(ℒ(0)/ℒ)."""

from __future__ import annotations

from dataclasses import replace

from symflow.errors import InvalidArgument, shown
from symflow.flow.gradient_flow import GradientFlow
from symflow.losses.margin import MarginLoss


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
            f"logistic loss without weight decay or learning rates; got {shown(flow)}"
        )
        raise InvalidArgument(msg)
    return replace(flow, clock="log loss")
