"""What else can be said of a flow: the theorems that give neither rate nor limit."""

from __future__ import annotations

from symflow import bias, convergence
from symflow.algebra.display import Listed
from symflow.algebra.numbers import to_float
from symflow.claims import Claim
from symflow.claims.catalogue import answers, holding
from symflow.convergence import DescentComplexity
from symflow.errors import InvalidArgument
from symflow.flow import GradientDescent, GradientFlow
from symflow.flow.given import DataLike, InitLike, RandomLike
from symflow.flow.plain import bind_gradient
from symflow.flow.problem import bind
from symflow.inits.init import positive_number


def companions(
    flow: GradientFlow | GradientDescent,
    data: DataLike,
    init: InitLike,
    *,
    step_size: float | None = None,
    accuracy: float | None = None,
    rng: RandomLike = None,
) -> Listed[Claim]:
    """Return all claims about a flow but its rates and its limit.

    Of gradient descent, all claims about its iterates.

    Parameters
    ----------
    flow : GradientFlow or GradientDescent
        The flow, or the dynamics in steps.
    data : Dataset or Moments
        What is learned.
    init : Init or sequence of array_like
        Where the flow starts.
    step_size : float, keyword-only, optional
        η, for gradient descent alone.
    accuracy : float, keyword-only, optional
        Instead of a step: how near to its limit W has to come, in as many steps as are
        claimed to suffice, of the size that the claim has.
    rng : None, int or numpy.random.Generator, keyword-only
        Overrides the random state of the initialization rule.

    Returns
    -------
    sequence of Claim
        Phases and stages, how far weights and kernel travel, what never moves, how far
        the limit can be from the minimizer of least norm; and theorems that were given
        to `register`.

    Raises
    ------
    InvalidArgument
        If an argument is of the wrong kind, or gradient descent has no step.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(2, 1, 2), sf.SquaredLoss())
    >>> start = ([[1, 2]], [[2], [1]])
    >>> found = sf.companions(flow, sf.whitened([[2, 0], [0, 1]]), start)
    >>> [claim.name for claim in found][:3]
    ['Alignment', 'InducedFlow', 'RankOneLimit']

    >>> gd = sf.gradient_descent(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> small = [[[0.1]]] * 2
    >>> found = sf.companions(gd, sf.whitened([[2]]), small, step_size=0.1)
    >>> found[0].name, found[0].phase_times.round(3).tolist()
    ('DescentCorridor', [0.548])

    >>> gd = sf.gradient_descent(sf.LinearNetwork(2, 1, 2), sf.SquaredLoss())
    >>> near = sf.whitened([[1, 0], [0, 0.2]]), [[[0.7, 0.1]], [[0.7], [0.1]]]
    >>> (claim,) = sf.companions(gd, *near, accuracy=0.1)
    >>> claim.name, claim.steps
    ('DescentComplexity', 3)
    """
    if isinstance(flow, GradientDescent):
        problem = bind(flow.flow, data, init, rng=rng)
        if accuracy is not None and step_size is None:
            wanted = positive_number(accuracy, "companions(descent, …, accuracy=ε)")
            steps = DescentComplexity.attempt(problem, to_float(wanted))
            return Listed(holding([steps]))
        call = "companions(descent, …, step_size=η)"
        size = to_float(positive_number(step_size, call))
        # the number of steps is asked for an accuracy, not for a step
        kinds = [kind for kind in convergence.DESCENTS if kind is not DescentComplexity]
        return Listed(holding([kind.attempt(problem, size) for kind in kinds]))
    if step_size is not None or accuracy is not None:
        msg = (
            "companions(step_size=…, accuracy=…): these are for gradient_descent(…), "
            "not for a flow"
        )
        raise InvalidArgument(msg)
    problem = bind_gradient(flow, data, init, rng, "companions(flow, …)")
    catalogue = (*convergence.COMPANIONS, *bias.COMPANIONS)
    return Listed(holding(answers("companions", catalogue, problem)))
