"""What else can be said of a flow: the theorems that give neither rate nor limit."""

from __future__ import annotations

from symflow import bias, convergence
from symflow.claims import Claim
from symflow.claims.catalogue import answers, holding
from symflow.flow import GradientFlow
from symflow.flow.given import DataLike, InitLike, RandomLike
from symflow.flow.plain import bind_gradient


def companions(
    flow: GradientFlow, data: DataLike, init: InitLike, *, rng: RandomLike = None
) -> list[Claim]:
    """Return all claims about a flow but its rates and its limit.

    Parameters
    ----------
    flow : GradientFlow
        The flow.
    data : Dataset or Moments
        What is learned.
    init : Init or sequence of array_like
        Where the flow starts.
    rng : None, int or numpy.random.Generator, keyword-only
        Overrides the random state of the initialization rule.

    Returns
    -------
    list of Claim
        Phases and stages, how far weights and kernel travel, what never moves, how far
        the limit can be from the minimizer of least norm; and theorems that were given
        to `register`.

    Raises
    ------
    InvalidArgument
        If an argument is of the wrong kind.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(2, 1, 2), sf.SquaredLoss())
    >>> start = ([[1, 2]], [[2], [1]])
    >>> found = sf.companions(flow, sf.whitened([[2, 0], [0, 1]]), start)
    >>> [claim.name for claim in found][:3]
    ['Alignment', 'InducedFlow', 'RankOneLimit']
    """
    problem = bind_gradient(flow, data, init, rng, "companions(flow, …)")
    catalogue = (*convergence.COMPANIONS, *bias.COMPANIONS)
    return holding(answers("companions", catalogue, problem))
