"""Somebody's limit of W(t), to be held against runs that settle, and against balls."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import sympy

from symflow.algebra.arrays import Array, is_exact_array, to_float_array
from symflow.claims import Finding, Path, Reference
from symflow.claims.finding import Balls, limit_finding
from symflow.flow import GradientFlow
from symflow.validation.assertion import Assertion


@dataclass(frozen=True, eq=False, repr=False)
class AssertedLimit(Assertion):
    """Somebody's claim that W(t) goes to a matrix; made by `claim`.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> claims = [sf.claim(flow, limit=[[value]]) for value in (2, 3)]
    >>> ball = sf.enclose(flow, sf.whitened([[2]]), [[[1]], [[1]]], sf.oo)
    >>> [sf.certify(claim, ball).status.value for claim in claims]
    ['enclosed', 'refuted']
    """

    flow: GradientFlow
    #: Shape (m, d): the matrix: exact numbers are meant exactly, floats to nine digits.
    value: Array
    source: Reference  #: Who claims it.

    @property
    def name(self) -> str:
        """The claim in words."""
        return f"claim: W(t) goes to {self.value.tolist()}"

    @property
    def statement(self) -> sympy.Basic:
        """W_inf = value."""
        symbol = sympy.MatrixSymbol("W_inf", *self.value.shape)
        value = sympy.ImmutableDenseMatrix(self.value.tolist())
        return sympy.Eq(symbol, value, evaluate=False)

    @property
    def limit(self) -> Array:
        """The matrix in float64."""
        return to_float_array(self.value)

    @property
    def exact_limit(self) -> Array | None:
        """The matrix where it is exact."""
        return self.value if is_exact_array(self.value) else None

    def finding(self, balls: Balls, index: int) -> Finding | str:
        """Return claimed minus enclosed limit in balls."""
        return limit_finding(self, balls)

    def mismatch(self, path: Path) -> str:
        """Return that no time is t = ∞: the end of a settled run has its own row."""
        return "it speaks of t = ∞ alone"

    def residuals(self, path: Path) -> Array:
        """Return zeros: nothing is said of finite times."""
        return np.zeros(len(path.t))
