"""Closed forms: a catalogue, tried in order."""

from __future__ import annotations

from typing import Any

from symflow.errors import InvalidArgument, NoClosedForm
from symflow.flow import GradientFlow
from symflow.solutions.logistic import LogisticMode
from symflow.solutions.solution import Refusal, Solution

#: The catalogue; the first entry whose hypotheses hold is the answer.
SOLUTIONS = (LogisticMode,)


def solve(flow: GradientFlow, data: Any, init: Any, *, rng: Any = None) -> Solution:
    """Return the closed form of a trajectory, if the catalogue has it.

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
    Solution
        With its hypotheses as checked on this data and start.

    Raises
    ------
    NoClosedForm
        If no entry applies; the message lists, for each, what holds and what fails.
    InvalidArgument
        If an argument is of the wrong kind.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    >>> sol = sf.solve(flow, sf.whitened([[3, 0], [0, 1]]), sf.spectral_init(0.1))
    >>> sol.verify(), round(sol.end_to_end(1.0)[0, 0].item(), 6)
    (0, 1.723002)
    """
    if not isinstance(flow, GradientFlow):
        msg = f"solve(flow, …): needs a gradient flow; got {flow!r}"
        raise InvalidArgument(msg)
    refusals = []
    for entry in SOLUTIONS:
        answer = entry.attempt(flow, data, init, rng)
        if not isinstance(answer, Refusal):
            return answer
        refusals.append(str(answer))
    msg = "\n".join(
        [
            "solve(flow, data, init): no catalogued solution applies.",
            *refusals,
            "  Use simulate(...) or precise(...), or an initialization that satisfies "
            "one of these.",
        ]
    )
    raise NoClosedForm(msg)


__all__ = ["LogisticMode", "Refusal", "Solution", "solve"]
