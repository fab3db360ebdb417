"""Conserved quantities: found from the symmetries of the layers, and proved."""

from __future__ import annotations

from symflow.claims import Path
from symflow.conserved.balance import Balance, balances
from symflow.conserved.proof import ProofStep
from symflow.errors import InvalidArgument
from symflow.flow import GradientFlow

#: What looks for laws, tried in order.
SEARCHES = (balances,)


def conserved(flow: GradientFlow) -> list[Balance]:
    """Find the conserved quantities of a flow and prove them for every width.

    Each adjacent pair of dense layers has the symmetry W_l → gW_l,
    W_{l+1} → W_{l+1}g⁻¹, whose law is the imbalance.  Under weight decay the imbalance
    is not conserved; the law is then reported with its exact `rate` of decay.

    Parameters
    ----------
    flow : GradientFlow
        Widths may be symbolic.

    Returns
    -------
    list of Balance
        One law per adjacent pair, first layers first; empty for a single layer.

    Raises
    ------
    InvalidArgument
        If `flow` is not a flow.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(3, 2, 2, 1), sf.SquaredLoss())
    >>> [str(law.expr) for law in sf.conserved(flow)]
    ['-W1*W1.T + W2.T*W2', '-W2*W2.T + W3.T*W3']
    """
    if not isinstance(flow, GradientFlow):
        msg = f"conserved(flow): needs a gradient flow; got {flow!r}"
        raise InvalidArgument(msg)
    return [law for search in SEARCHES for law in search(flow)]


def drifts(path: Path) -> dict[str, float]:
    """Return the largest relative drift of every law along a trajectory, by name."""
    return {
        f"drift {law.name}": float(max(law.residuals(path)))
        for law in conserved(path.flow)
    }


__all__ = ["Balance", "ProofStep", "conserved", "drifts"]
