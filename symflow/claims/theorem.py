"""Theorems: claims that hold for one problem because its conditions were checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.algebra.display import Listed
from symflow.claims.bibliography import Reference
from symflow.claims.claim import Claim, Path, Refusal, Status
from symflow.claims.hypothesis import Hypothesis, all_hold

if TYPE_CHECKING:
    from symflow.claims.example import Examples
    from symflow.flow.problem import Problem

#: Measures one condition on a problem.
Condition = Callable[["Problem"], Hypothesis]


@dataclass(frozen=True)
class Identity:
    """An identity that a theorem rests on, which SymPy checks.

    Parameters
    ----------
    words : str
        What it says, and how the theorem follows from it.
    residual : sympy.Expr
        Vanishes if and only if the identity holds.

    Examples
    --------
    >>> a, b = sympy.symbols("a b")
    >>> Identity("(a + b)² expands", (a + b) ** 2 - a**2 - 2 * a * b - b**2).holds
    True
    >>> false = Identity("(a + b)² = a² + b²", (a + b) ** 2 - a**2 - b**2)
    >>> false.holds, false.residual.subs({a: 1, b: 3})
    (False, 6)
    """

    words: str
    residual: sympy.Expr

    @property
    def holds(self) -> bool:
        """Whether SymPy finds the residual to vanish."""
        # nearly all vanish over one denominator, in a tenth of the time
        expanded = sympy.expand(self.residual)
        above = sympy.expand(sympy.numer(sympy.together(expanded)))
        return bool(above == 0 or sympy.simplify(self.residual) == 0)

    def __str__(self) -> str:
        return f"{self.words} [{'checked' if self.holds else 'NOT CONFIRMED'}]"

    @property
    def _line(self) -> str:
        return f"{self.words} {'✓' if self.holds else 'NOT CONFIRMED'}"


@dataclass(frozen=True, eq=False, repr=False)
class Theorem(Claim):
    """A claim about a flow with its data and start, whose conditions were checked.

    Parameters
    ----------
    problem : Problem
        The flow with its data and start.
    checked : tuple of Hypothesis
        The conditions, as measured on the data and the start.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> bound = sf.rates(flow, sf.whitened([[2]]), [[[1.0]], [[0.5]]])[0]
    >>> isinstance(bound, sf.Theorem), bound.status.value, len(bound.hypotheses)
    (True, 'proved', 6)
    """

    problem: Problem
    checked: tuple[Hypothesis, ...]

    #: Where the result comes from, and what is taken from there.
    source: ClassVar[Reference]
    contributes: ClassVar[str] = "the theorem"

    question: ClassVar[str] = "companions"
    #: Whether the proof of the class that this one derives from covers it too.  It has
    #: to be said in each class: a bound that a reader derives is not proved by that.
    proved_with_base: ClassVar[bool] = False
    #: The conditions, those on the flow alone first.
    conditions: ClassVar[tuple[Condition, ...]] = ()

    @classmethod
    def attempt(cls, problem: Problem) -> Self | Refusal:
        """Return the claim about this problem, or the conditions that fail."""
        found = check(cls.conditions, problem)
        return cls.conclude(problem, found) if all_hold(found) else cls.refuse(found)

    @classmethod
    def conclude(cls, problem: Problem, found: Sequence[Hypothesis]) -> Self | Refusal:
        """Return the claim where all conditions hold; a subclass may ask for more."""
        return cls(problem, tuple(found))

    @classmethod
    def refuse(cls, found: Iterable[Hypothesis]) -> Refusal:
        """Return the refusal that lists what was found."""
        return Refusal(cls.__name__, cls.source, tuple(found))

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return the identities from which the theorem follows; none by default.

        A theorem without any is asserted, whatever its author thinks of it.
        """
        return ()

    @classmethod
    def examples(cls) -> Examples:
        """Return problems on which it is seen to hold, each with a false version.

        The atlas runs them: one line each, and a false version that has to fail.
        """
        return ()

    @property
    def name(self) -> str:
        return type(self).__name__

    @property
    def hypotheses(self) -> tuple[Hypothesis, ...]:
        """The conditions, as measured on the data and the start."""
        return Listed(self.checked)

    @property
    def reference(self) -> Reference:
        return self.source

    @property
    def status(self) -> Status:
        """Proved, or less where its conditions are; asserted without a proof."""
        return standing(proved=_is_proved(type(self)), hypotheses=self.checked)

    def start_on(self, path: Path) -> tuple[Array, ...]:
        """Return the weights at t = 0, which a path may not hold, in its arithmetic.

        Parameters
        ----------
        path : Path
            A trajectory that may begin later.
        """
        problem = self.problem
        drawn = problem if path.context is None else problem.at(path.digits)
        return tuple(path.lift(weight) for weight in drawn.weights)

    def slack(self, path: Path) -> Array:
        return np.full(len(path.t), 10 * sum(found.defect for found in self.checked))


def standing(*, proved: bool, hypotheses: Iterable[Hypothesis]) -> Status:
    """Return how firmly a statement stands: as its proof and its weakest condition.

    Under conditions that are exact it is proved, under ones that hold up to rounding
    verified, and under an assumption heuristic.
    """
    if not proved:
        return Status.ASSERTED
    found = list(hypotheses)
    if any(hypothesis.assumed for hypothesis in found):
        return Status.HEURISTIC
    sure = all(hypothesis.exact for hypothesis in found)
    return Status.PROVED if sure else Status.VERIFIED


def check(conditions: Iterable[Condition], problem: Problem) -> list[Hypothesis]:
    """Measure conditions in order, up to the first structural one that fails."""
    found: list[Hypothesis] = []
    for condition in conditions:
        found.append(condition(problem))
        if found[-1].structural and not found[-1].holds:
            break
    return found


@cache
def _is_proved(theorem: type[Theorem]) -> bool:
    """Say whether a theorem has a proof of its own, and every identity of it holds."""
    own = vars(theorem)
    if "proof" not in own and not own.get("proved_with_base", False):
        return False
    steps = theorem.proof()
    return bool(steps) and all(step.holds for step in steps)
