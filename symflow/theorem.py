"""Theorems: claims that hold for one problem because its hypotheses were checked."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from symflow.algebra.arrays import Array
from symflow.claims import Claim, Hypothesis, Path, Reference, Refusal, Status
from symflow.flow.problem import Problem


@dataclass(frozen=True, eq=False, repr=False)
class Theorem(Claim):
    """A proved claim about a flow with its data and start.

    Parameters
    ----------
    problem : Problem
        The flow with its data and start.
    checked : tuple of Hypothesis
        The conditions, as measured on the data and the start.
    """

    problem: Problem
    checked: tuple[Hypothesis, ...]

    #: Where the result comes from.
    source: ClassVar[Reference]

    @classmethod
    @abstractmethod
    def attempt(cls, problem: Problem) -> Self | Refusal:
        """Return the claim about this problem, or the hypotheses that fail."""

    @classmethod
    def refuse(cls, found: Iterable[Hypothesis]) -> Refusal:
        """Return the refusal that lists what was found."""
        return Refusal(cls.__name__, cls.source, tuple(found))

    @property
    def name(self) -> str:
        """A short name for tables."""
        return type(self).__name__

    @property
    def hypotheses(self) -> tuple[Hypothesis, ...]:
        """The conditions, as measured on the data and the start."""
        return self.checked

    @property
    def reference(self) -> Reference:
        """Where the result comes from."""
        return self.source

    @property
    def status(self) -> Status:
        """Proved, under the hypotheses."""
        return Status.PROVED

    def slack(self, path: Path) -> Array:
        """Return what hypotheses that hold only to rounding add to each residual."""
        return np.full(len(path.t), 10 * sum(found.defect for found in self.checked))


def all_hold(found: Iterable[Hypothesis]) -> bool:
    """Say whether every hypothesis holds.

    Examples
    --------
    >>> all_hold([Hypothesis("whitened input", True), Hypothesis("balanced", False)])
    False
    """
    return all(hypothesis.holds for hypothesis in found)
