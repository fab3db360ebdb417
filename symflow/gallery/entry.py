"""Entries of the atlas: a claim, an instance to hold it against, and a false version.

Every entry is checked twice: the claim has to hold, and a mutated version of it, with
a wrong constant or a dropped hypothesis, has to fail.  An entry whose mutant survives
says nothing.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import WIDE, to_float, to_mpf
from symflow.algebra.text import inline, scientific
from symflow.algebra.threads import cached_property
from symflow.claims import Bound, Claim, Reference, Theorem
from symflow.claims.example import Example
from symflow.flow import GradientFlow
from symflow.flow.problem import bind
from symflow.precision import precise
from symflow.simulation import simulate
from symflow.trajectory import Trajectory
from symflow.validation.validate import digits_of, route_bound


@dataclass(frozen=True)
class Line:
    """One line of the atlas."""

    #: `key`, `claim`: short name and what is asserted.
    key: str
    claim: str
    paper: Reference  #: Where it comes from.
    hypotheses: tuple[str, ...]  #: The conditions, with what was found.
    #: `predicted`, `measured`: both sides, as text.
    predicted: str
    measured: str
    agreement: str  #: Digits to which they agree, or the margin by which a bound holds.
    status: str  #: Proved, verified or measured.
    ok: bool  #: Whether it holds.


class Entry(ABC):
    """One claim of the atlas on its reference instance."""

    key: str
    stated_by: str = ""  #: Name of the class of the claim, where it has one.

    @abstractmethod
    def run(self, digits: int) -> Line:
        """Hold the claim against its instance; `digits` is for those that are exact."""

    @abstractmethod
    def mutant_fails(self) -> bool:
        """Say whether the mutated version is refuted, as it has to be."""


@dataclass(frozen=True, eq=False)
class Instance:
    """A flow with data, start and times."""

    flow: GradientFlow
    data: Any  #: What is learned.
    init: Any  #: Where the flow starts.
    t: tuple[Any, ...]  #: When it is looked at.
    #: What is run in place of the flow, such as descent on its loss.
    instead: Callable[[Instance], Trajectory] | None = None

    @cached_property
    def run(self) -> Trajectory:
        """The float64 trajectory."""
        if self.instead is not None:
            return self.instead(self)
        return simulate(self.flow, self.data, self.init, self.t)

    def sharp(self, digits: int) -> Trajectory:
        """Return the trajectory to many digits."""
        return precise(self.flow, self.data, self.init, self.t, digits=digits)


@dataclass(frozen=True)
class PathEntry(Entry):
    """A claim about every time of a trajectory, proved for its instance."""

    key: str  #: Short name.
    instance: Callable[[], Instance]  #: Makes the instance.
    #: `claim`, `mutant`: make the claim, and its false version, from the instance.
    claim: Callable[[Instance], Claim]
    mutant: Callable[[Instance], Claim]
    stated_by: str  #: Name of the class of the claim.
    #: Whether the instance is exact, so that any number of digits makes sense.
    exact: bool = False
    #: Makes the instance whose trajectory refutes the mutant, where it is another one:
    #: the mutant then is the claim without one of its hypotheses.
    elsewhere: Callable[[], Instance] | None = None

    def run(self, digits: int) -> Line:
        instance = self.instance()
        claim = self.claim(instance)
        path = instance.sharp(digits) if self.exact else instance.run
        sizes = [to_mpf(size, WIDE) for size in claim.residuals(path)]
        allowed = route_bound(path) + float(max(claim.slack(path)))
        residual = max(sizes)
        return Line(
            key=self.key,
            claim=claim.name,
            paper=claim.reference,
            hypotheses=tuple(str(hypothesis) for hypothesis in claim.hypotheses),
            predicted=inline(claim.statement),
            measured=f"{_measured(claim, path, residual)}, {path.route}",
            agreement=_agreement(claim, path, residual),
            status=claim.status.value,
            ok=bool(residual <= allowed),
        )

    def mutant_fails(self) -> bool:
        instance = self.instance()
        path = (instance if self.elsewhere is None else self.elsewhere()).run
        residual = max(to_float(r) for r in self.mutant(instance).residuals(path))
        return residual > 100 * float(route_bound(path))


def claimed(theorem: type[Theorem], given: Instance | Example) -> Any:
    """Return the claim of a theorem on an instance to which it applies."""
    answer = theorem.attempt(bind(given.flow, given.data, given.init))
    assert isinstance(answer, Claim), answer
    return answer


def entry_of(theorem: type[Theorem], example: Example) -> PathEntry:
    """Return the entry of a theorem on one of its examples."""

    def instance(given: Example = example) -> Instance:
        return Instance(given.flow, given.data, given.init, given.t)

    other = example.elsewhere
    return PathEntry(
        example.key,
        instance,
        lambda given: claimed(theorem, given),
        lambda given: example.false(claimed(theorem, given)),
        theorem.__name__,
        example.exact,
        None if other is None else lambda: instance(other),
    )


@dataclass(frozen=True)
class Experiment(Entry):
    """Numbers of a theorem beside those that an experiment measures.

    The instance meets the `hypotheses` by construction; `predicted` and `measured` make
    both arrays.
    """

    key: str
    claim: str
    paper: Reference
    hypotheses: tuple[str, ...]
    predicted: Callable[[], Any]
    measured: Callable[[], Any]

    def both(self) -> tuple[Array, Array]:
        """Return what is predicted, and what is measured."""
        return np.asarray(self.predicted()), np.asarray(self.measured())

    def line(self, **found: Any) -> Line:
        """Return the line with what was found."""
        given = self.key, self.claim, self.paper, self.hypotheses
        return Line(*given, **found)


@dataclass(frozen=True)
class NumberEntry(Experiment):
    """Numbers that a theorem predicts and an experiment measures."""

    mutant: Callable[[Any], Any]  #: Makes a false prediction from the true one.
    tolerance: float  #: Relative difference that the experiment explains.

    def run(self, digits: int) -> Line:
        predicted, measured = self.both()
        gap = _gap(predicted, measured)
        return self.line(
            predicted=_text(predicted),
            measured=_text(measured),
            agreement=f"relative difference {scientific(gap)}",
            status="measured",
            ok=gap <= self.tolerance,
        )

    def mutant_fails(self) -> bool:
        predicted, measured = self.both()
        return _gap(np.asarray(self.mutant(predicted)), measured) > self.tolerance


@dataclass(frozen=True)
class CeilingEntry(Experiment):
    """Numbers that a theorem bounds from above, and an experiment measures.

    The mutant is the bound times `factor`, which is violated.
    """

    factor: float

    def run(self, digits: int) -> Line:
        bound, measured = self.both()
        return self.line(
            predicted=f"at most {_text(bound)}",
            measured=_text(measured),
            agreement=f"median ratio {float(np.median(bound / measured)):.4g}",
            status="proved",
            ok=bool(np.all(measured <= bound)),
        )

    def mutant_fails(self) -> bool:
        bound, measured = self.both()
        return bool(np.any(measured > self.factor * bound))


def _gap(predicted: Any, measured: Any) -> float:
    scale = float(np.max(np.abs(predicted))) or 1.0
    return float(np.max(np.abs(predicted - measured))) / scale


def _text(values: Any) -> str:
    return ", ".join(f"{value:.6g}" for value in np.ravel(values))


def _measured(claim: Claim, path: Trajectory, residual: Any) -> str:
    if not isinstance(claim, Bound):
        return f"residual {scientific(residual)}"
    below, above = (scientific(side[-1]) for side in claim.sides(path))
    return f"{below} under {above} at the last time"


def _agreement(claim: Claim, path: Trajectory, residual: Any) -> str:
    if isinstance(claim, Bound):
        margin = claim.margin(path)
        least, median = float(margin.min()), float(np.median(margin))
        return f"margin {least:.4g}, median {median:.4g}"
    return f"{min(digits_of(residual), path.digits)} digits"
