"""What a closed form has to answer."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import sympy

from symflow.algebra.arrays import Array
from symflow.claims import Claim, Hypothesis, Reference


class Solution(Claim):
    """A closed form of a trajectory: formula, hypotheses, proof and values."""

    @property
    @abstractmethod
    def formula(self) -> sympy.Expr:
        """The closed form as SymPy, in its numerically stable form."""

    @abstractmethod
    def verify(self) -> sympy.Expr:
        """Return the residual of the differential equation: exactly zero."""

    @abstractmethod
    def derivation(self) -> list[sympy.Eq]:
        """Return the steps from the flow to the formula, each checked by SymPy."""

    @abstractmethod
    def end_to_end(self, t: Any) -> Array:
        """Return W(t) in float64, shape (…, outputs, inputs) for t of shape (…)."""

    @abstractmethod
    def weights(self, t: Any) -> tuple[Array, ...]:
        """Return W_1(t), …, W_L(t) in float64."""

    @abstractmethod
    def precise(self, t: Any, *, digits: int = 50) -> Array:
        """Return W(t) as mpf numbers, correct to `digits` digits."""


@dataclass(frozen=True)
class Refusal:
    """Why a catalogued solution does not apply here."""

    name: str
    reference: Reference
    hypotheses: tuple[Hypothesis, ...]

    def __str__(self) -> str:
        verdicts = " · ".join(str(hypothesis) for hypothesis in self.hypotheses)
        return f"  {self.name:<14}{self.reference!s:<22}{verdicts}"
