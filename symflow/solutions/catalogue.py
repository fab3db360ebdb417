"""The catalogue: every closed form, asked in order."""

from __future__ import annotations

from dataclasses import replace
from textwrap import wrap
from typing import Any, Literal, overload

from symflow.algebra.display import aligned
from symflow.claims import Hypothesis, Refusal
from symflow.claims.catalogue import answers, nearest_misses
from symflow.errors import FLAG, InvalidArgument, NoClosedForm, expect
from symflow.flow import GradientFlow
from symflow.flow.curriculum import Curriculum
from symflow.flow.gradient_descent import flow_expected
from symflow.flow.layer_order import layered
from symflow.flow.problem import bind
from symflow.inits import Init
from symflow.inits.seeds import seed_of
from symflow.solutions.coordinates.deep_diagonal import DeepDiagonalMode
from symflow.solutions.coordinates.deep_filters import DeepFourierMode
from symflow.solutions.coordinates.hypentropy import HypentropyMode
from symflow.solutions.coordinates.linear_regression import LinearRegression
from symflow.solutions.coordinates.one_sample import OneSample
from symflow.solutions.coordinates.two_filters import FourierMode
from symflow.solutions.modes.decaying import DecayingMode
from symflow.solutions.modes.deep import DeepMode
from symflow.solutions.modes.hyperbolic import HyperbolicMode
from symflow.solutions.modes.logistic import LogisticMode
from symflow.solutions.rank_one.balanced import RankOne
from symflow.solutions.riccati.mixed_layers import MixedRiccati
from symflow.solutions.riccati.symmetric_factorization import SymmetricRiccati
from symflow.solutions.riccati.two_layers import Riccati
from symflow.solutions.solution import Solution
from symflow.solutions.time.chained import ChainedSolution, chain

#: Near misses that a refusal lists; the others are named.
MOST_MISSES = 6

_INDENT: Any = {"initial_indent": "  ", "subsequent_indent": "    "}

#: Defects within this factor are alike: rounding of one kind.
ALIKE = 1e3

#: The catalogue, most specific first; the first entry that applies best is the answer.
SOLUTIONS: tuple[type[Solution], ...] = (
    LinearRegression,
    LogisticMode,
    HyperbolicMode,
    DeepMode,
    DecayingMode,
    RankOne,
    Riccati,
    MixedRiccati,
    SymmetricRiccati,
    HypentropyMode,
    DeepDiagonalMode,
    FourierMode,
    DeepFourierMode,
    OneSample,
)


@overload
def solve(
    flow: GradientFlow, data: Curriculum, init: Any, *, rng: Any = None
) -> ChainedSolution: ...
@overload
def solve(
    flow: GradientFlow,
    data: Any,
    init: Any,
    *,
    rng: Any = None,
    all: Literal[False] = False,
) -> Solution: ...
@overload
def solve(
    flow: GradientFlow, data: Any, init: Any, *, rng: Any = None, all: Literal[True]
) -> tuple[Solution, ...]: ...


def solve(
    flow: GradientFlow,
    data: Any,
    init: Any,
    *,
    rng: Any = None,
    all: bool = False,
) -> Solution | ChainedSolution | tuple[Solution | ChainedSolution, ...]:
    """Return the closed form of a trajectory, if the catalogue has it.

    Parameters
    ----------
    flow : GradientFlow
        The flow.
    data : Dataset, Moments or Curriculum
        What is learned.
    init : Init or sequence of array_like
        Where the flow starts.
    rng : None, int or numpy.random.Generator, keyword-only
        Overrides the random state of the initialization rule.
    all : bool, keyword-only
        Return every solution that applies, most specific first.

    Returns
    -------
    Solution, or tuple of Solution with ``all=True``
        With its hypotheses as checked on this data and start.  Along a `Curriculum` a
        `ChainedSolution`, of one solution for each of its data.

    Raises
    ------
    NoClosedForm
        If no entry applies; the message lists, for each, what fails and by how much.
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
    expect(all, FLAG, "solve(all=…)", "True or False")
    if isinstance(data, Curriculum):
        whole = _along(flow, data, init, rng)
        return (whole,) if all else whole
    found = _applying(attempts(flow, data, init, rng=rng), "solve(flow, data, init)")
    return found if all else _chosen(found)


def _along(flow: GradientFlow, lesson: Curriculum, init: Any, rng: Any) -> Any:
    """Return the closed forms along a curriculum."""
    layers, call = layered(flow)[0], "solve(flow, Curriculum(…), init)"
    data, asked = [data for data, _ in lesson.pieces], getattr(flow, "network", None)

    def chosen(place: int, start: Init) -> Solution:
        answers = attempts(layers, data[place], start)
        found = _chosen(_applying(answers, f"{call}: piece {place + 1}"))
        return replace(found, problem=replace(found.problem, asked=asked))

    answers = attempts(flow, data[0], init, rng=rng)
    return chain(lesson, _chosen(_applying(answers, f"{call}: piece 1")), chosen)


def _applying(asked: tuple[Solution | Refusal, ...], call: str) -> tuple[Solution, ...]:
    found = tuple(answer for answer in asked if isinstance(answer, Solution))
    if not found:
        msg = "\n".join(
            [
                f"{call}: no catalogued solution applies.",
                *_misses(nearest_misses(asked)),
                "  Use simulate(...) or precise(...), or an initialization that "
                "satisfies one of these.",
            ]
        )
        raise NoClosedForm(msg)
    return found


def _chosen(found: tuple[Solution, ...]) -> Solution:
    """Return the first solution among those whose hypotheses hold best.

    One that holds exactly goes before one that floats satisfy to rounding; among those
    it is the longest horizon that counts, then the defect.
    """
    if found[0].defect == 0 or len(found) == 1 or found[0].problem.rational is None:
        return found[0]
    for answer in found:
        if answer.defect == 0:
            return answer
    furthest = max(answer.horizon for answer in found)
    known = [answer for answer in found if answer.horizon >= furthest / 2]
    least = min(answer.defect for answer in known)
    return next(answer for answer in known if answer.defect <= ALIKE * least)


def attempts(
    flow: GradientFlow, data: Any, init: Any, *, rng: Any = None
) -> tuple[Solution | Refusal, ...]:
    """Return the answer of every catalogued closed form, itself or a refusal, in order.

    The arguments are those of `solve`.
    """
    if not isinstance(flow, GradientFlow):
        raise InvalidArgument(flow_expected("solve(flow, …)", flow))
    if flow.learning_rates:
        msg = (
            "solve(flow, …): closed forms are for one learning rate; the layers of "
            "this flow have several. Use simulate(…) or precise(…)"
        )
        raise NoClosedForm(msg)
    seed = None if rng is None else seed_of(rng, "solve(rng=…)")
    layers, start = layered(flow, init)
    problem = replace(bind(layers, data, start, rng=seed), asked=flow.network)
    return answers("solutions", SOLUTIONS, problem)


def _misses(refusals: list[Refusal]) -> list[str]:
    """Say what keeps entries from applying, with those of other networks in one list.

    What holds needs no words.
    """
    ordered = sorted(refusals, key=lambda miss: (_elsewhere(miss), len(_failed(miss))))
    near = [miss for miss in ordered if not _elsewhere(miss)][:MOST_MISSES]
    rows = [
        (miss.name, str(miss.reference), " · ".join(map(str, _failed(miss))))
        for miss in near
    ]
    far: dict[str, list[str]] = {}
    for miss in ordered[len(near) :]:
        far.setdefault(str(_failed(miss)[0]), []).append(miss.name)
    if not far:
        return aligned(rows)
    # what is asked of one entry alone says enough without what came instead
    named = [
        f"{', '.join(names)} ({why if names[1:] else why.partition(': fails')[0]})"
        for why, names in far.items()
    ]
    folded = f"For another model or loss: {'; '.join(named)}."
    return [*(aligned(rows) if rows else ()), *wrap(folded, 96, **_INDENT)]


def _failed(refusal: Refusal) -> list[Hypothesis]:
    return [hypothesis for hypothesis in refusal.hypotheses if not hypothesis.holds]


def _elsewhere(refusal: Refusal) -> bool:
    """Say whether an entry is about other flows than this one, whatever the start."""
    return any(hypothesis.structural for hypothesis in _failed(refusal))
