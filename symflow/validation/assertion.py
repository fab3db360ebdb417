"""Claims of others: a source, no conditions, no proof yet; a limit, and a rate.

A limit of W(t) is held against runs that settle, and against balls.  For a rate, ℒ(t) −
ℒ* ≤ (ℒ(0) − ℒ*)e^{−ct} with the squared loss, −ℒ̇ = ‖∇ℒ‖².  Where that is below
c(ℒ − ℒ*) at the start, the bound fails at once, which exact numbers decide without any
integration.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import sympy

from symflow.algebra.arrays import Array, is_exact_array, to_float_array
from symflow.algebra.values import Values
from symflow.claims import Bound, Claim, Finding, Hypothesis, Path, Reference, Status
from symflow.claims.finding import Balls, limit_finding
from symflow.convergence.bound import LossBound, excess_finding
from symflow.flow import GradientFlow
from symflow.flow.least_squares import exact_least_norm
from symflow.flow.problem import Problem
from symflow.validation.vanishing import Counterexample, fraction_of

#: Who claims what has no other source.
READER = Reference("A Reader", "A claim to be settled", "", 2026)


class Assertion(Claim):
    """Somebody's claim, of which nothing is known before it is settled."""

    source: Reference
    hypotheses: tuple[Hypothesis, ...] = ()
    status = Status.ASSERTED
    #: Whether runs whose data change are not what it speaks of.
    reads_data: ClassVar[bool] = True
    #: What is known without data and start.
    verdict: Status = Status.UNDECIDED

    @property
    def reference(self) -> Reference:
        """Who claims it."""
        return self.source


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


@dataclass(frozen=True, eq=False, repr=False)
class AssertedRate(Assertion, Bound):
    """Somebody's claim of an exponential rate; made by `claim`.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> ball = sf.enclose(flow, sf.whitened([[2]]), [[[1]], [[1]]], 1)
    >>> claims = [sf.claim(flow, rate=rate) for rate in (4, 9)]
    >>> [sf.certify(claim, ball).status.value for claim in claims]
    ['enclosed', 'refuted']
    """

    flow: GradientFlow  #: Of the squared loss without weight decay.
    rate: Fraction  #: What is claimed of ℒ − ℒ*, for the data and the start of any run.
    source: Reference  #: Who claims it.

    @property
    def name(self) -> str:
        """The claim in words."""
        return f"claim: ℒ − ℒ* falls at the rate {self.rate}"

    @property
    def statement(self) -> sympy.Basic:
        """ℒ(t) − ℒ* ≤ e^{−ct}(ℒ(0) − ℒ*)."""
        t, best = sympy.Symbol("t", nonnegative=True), sympy.Symbol("L_opt")
        loss, rate = sympy.Function("L"), sympy.Rational(self.rate)
        bound = sympy.exp(-rate * t) * (loss(0) - best)
        return sympy.Le(loss(t) - best, bound, evaluate=False)

    def _on(self, path: Any) -> LossBound:
        return LossBound(path.problem, (), float(self.rate))

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return the excess loss and its bound from the first time of a path."""
        return self._on(path).sides(path)

    def scale(self, path: Path, larger: Array) -> Any:
        """Return the size of what the excess loss is the difference of."""
        return self._on(path).scale(path, larger)

    def magnification(self, path: Path) -> Array:
        """Return by how much factors that cancel magnify rounding in W."""
        return self._on(path).magnification(path)

    def finding(self, balls: Balls, index: int) -> Finding | str:
        """Return e^{−ct}(ℒ(0) − ℒ*) − (ℒ(t) − ℒ*) in balls."""
        return excess_finding(self.rate, balls, index)

    def refuted_at(self, problem: Problem) -> Counterexample | None:
        """Return the start, if ‖∇ℒ‖² < c(ℒ − ℒ*) there in exact numbers.

        Numbers that are not rational decide nothing.
        """
        exactly, best = problem.rational, exact_least_norm(problem)
        if exactly is None or best is None:
            return None
        weights = dict(zip(self.flow.state, exactly.weights, strict=True))
        data = {symbol: exactly.data[symbol.name] for symbol in self.flow.data}
        values = Values({**weights, **data}, fraction_of)
        moved = map(values.of, self.flow.directions)
        speed = sum(entry**2 for array in moved for entry in array.flat)
        off = values.of(self.flow.network.end_to_end_node) - best
        excess = ((off @ exactly.arguments[0]) * off).sum() / 2
        short = self.rate * excess - speed
        if short <= 0:
            return None
        words = f"‖∇ℒ‖² = {speed} is below {self.rate}·(ℒ − ℒ*) by"
        return Counterexample(weights, data, np.array(short, dtype=object), words)
