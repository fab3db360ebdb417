"""What a conserved quantity can say of itself."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.algebra.balls import to_arb
from symflow.algebra.display import Listed, Marked, Sheet, escaped
from symflow.algebra.nodes import Node
from symflow.algebra.numbers import exact, to_float
from symflow.algebra.sympy_form import to_sympy
from symflow.algebra.text import inline
from symflow.algebra.threads import cached_property
from symflow.algebra.typeset import latex
from symflow.algebra.values import Values
from symflow.claims import (
    Claim,
    Finding,
    Hypothesis,
    Path,
    Reference,
    Status,
    standing,
)
from symflow.claims.bibliography import MARCOTTE_2023
from symflow.conservation.proof import ProofStep, is_proof
from symflow.conservation.symmetries import Combination, pace_of
from symflow.errors import InvalidArgument
from symflow.flow import GradientFlow
from symflow.networks import Network


def symbol_like(name: str, expr: Any) -> Any:
    """Return a symbol of the shape of an expression."""
    shape = getattr(expr, "shape", None)
    return sympy.Symbol(name) if shape is None else sympy.MatrixSymbol(name, *shape)


class Quantity(Claim):
    """A quantity Q of what moves, with Q(t) = e^{−rt}Q(0) for a rate r."""

    @property
    @abstractmethod
    def rate(self) -> sympy.Expr:
        """The rate r in Q(t) = e^{−rt} Q(0)."""

    @abstractmethod
    def proof(self) -> Sequence[ProofStep]:
        """Return the proof as identities that can be checked again."""

    @abstractmethod
    def value(self, weights: Any) -> Array:
        """Return the quantity at given weights.

        Parameters
        ----------
        weights : sequence of arrays
            All weights of the network, of any arithmetic, with or without a leading
            time axis.

        Returns
        -------
        array
            With the leading axis of the weights.
        """

    @abstractmethod
    def size(self, path: Path) -> Array:
        """Return the size of the terms of Q.

        Parameters
        ----------
        path : Path
            A trajectory; the answer has a number, or one for every weight.
        """

    @property
    def scope(self) -> str:
        """For what the law holds."""
        return "for every width, loss and data set"

    @property
    def hypotheses(self) -> tuple[Hypothesis, ...]:
        """The form of the model; nothing is asked of the loss or the data."""
        network = self.flow.network  # type: ignore[attr-defined]
        return Listed([Hypothesis(f"the model is {network!r}", holds=True)])

    @property
    def reference(self) -> Reference:
        """Where such laws are studied."""
        return MARCOTTE_2023

    @property
    def is_conserved(self) -> bool:
        """Whether the quantity is constant, not merely decaying at a known rate."""
        return bool(self.rate == 0)

    @property
    def statement(self) -> sympy.Basic:
        """dQ/dt = −rQ, with the right side zero when nothing decays."""
        expr: Any = self.expr  # type: ignore[attr-defined]
        nothing = self.is_conserved and hasattr(expr, "shape")
        right = sympy.ZeroMatrix(*expr.shape) if nothing else -self.rate * expr
        return sympy.Eq(symbol_like("Qdot", expr), right, evaluate=False)

    @cached_property
    def is_proved(self) -> bool:
        """Whether there is a proof, and every step of it checks again."""
        return is_proof(self.proof())

    @property
    def status(self) -> Status:
        """Proved where the proof checks, for every loss and data set."""
        return standing(proved=self.is_proved, hypotheses=self.hypotheses)

    def residuals(self, path: Path) -> Array:
        """Return |Q(t) − e^{−rt}Q(0)| relative to the size of the terms of Q."""
        values, size = self._along(path), self.size(path)
        factors = 1 if self.is_conserved else self._factors(path)
        gaps = np.abs(values - np.multiply.outer(factors, values[0]))
        drifts = np.max(gaps, axis=tuple(range(1, gaps.ndim)), initial=0)
        bottom = np.max(np.abs(size), initial=0)
        return np.asarray(drifts / bottom if bottom else drifts)

    def finding(self, balls: Any, index: int) -> Finding:
        """Return Q(t) − e^{−rt} Q(0) in balls."""
        factor = to_arb(1)
        if not self.is_conserved:
            time = balls.t[index]
            decay = self.rate * (time if time == sympy.oo else exact(time))
            factor = to_arb(sympy.exp(-decay))
        now, before = map(self.value, (balls.weight_balls(index), balls.start_balls()))
        residual = np.asarray(now) - factor * np.asarray(before)
        return Finding(np.asarray(residual, dtype=object))

    def _along(self, path: Path) -> Array:
        return self.value(path.weights)

    def _factors(self, path: Path) -> Array:
        rate, start = self.rate, exact(path.t[0])
        past = [path.number(sympy.exp(-rate * (exact(t) - start))) for t in path.t]
        return np.asarray(past)

    @property
    def _written(self) -> str:
        return inline(self.expr)  # type: ignore[attr-defined]

    def __str__(self) -> str:
        if self.is_conserved:
            return f"{self._written} is conserved, {self.scope}"
        return f"{self._written} decays as {self._decay}"

    @property
    def _decay(self) -> Marked:
        """The factor e^{−rt} of a quantity that decays."""
        exponent = -self.rate * sympy.Symbol("t")
        text = inline(exponent).replace("-", "−").replace("*", "")
        return Marked(f"e^({text})", f"$e^{{{latex(exponent)}}}$")

    @property
    def _line(self) -> Marked:
        typeset = f"${latex(self.expr)}$"  # type: ignore[attr-defined]
        return Marked(str(self), f"{typeset} {escaped(self._fate)}")

    @property
    def _fate(self) -> str:
        """What becomes of the quantity."""
        if self.is_conserved:
            return f"is conserved, {self.scope}"
        decay = self._decay
        return Marked(f"decays as {decay}", f"decays as {decay.markdown}")


class FormOfTerms(Quantity):
    """A form that a `combination` of terms makes, as `symmetries` finds them."""

    combination: Combination

    @property
    def symbols(self) -> tuple[sympy.MatrixSymbol, ...]:
        """The parameters that occur."""
        found = (s for term, _ in self.combination for s in term.symbols)
        return tuple(dict.fromkeys(found))

    @property
    def involved(self) -> tuple[int, ...]:
        """Which parameters occur, counted from 0."""
        state = self.flow.state  # type: ignore[attr-defined]
        return tuple(sorted(map(state.index, self.symbols)))

    def _named(self, between: str, of: str) -> str:
        """Return a name by the one space between two layers, or by all parameters."""
        flow, places = self.flow, self.involved  # type: ignore[attr-defined]
        if isinstance(flow.network, Network) and places[-1] == places[0] + 1:
            return f"{between}{places[-1]}"
        return of + ", ".join(flow.state[place].name for place in places)


class Law(Quantity):
    """A quantity Q of the weights with dQ/dt = −kλQ, k its degree, λ the weight decay.

    Without weight decay it is conserved, for every loss and every data set.
    """

    flow: GradientFlow

    #: The degree of Q in the weights.
    degree: ClassVar[int] = 2

    @property
    def is_homogeneous(self) -> bool:
        """Whether all of Q is of this degree, and none of it of a lower one."""
        return True

    @property
    @abstractmethod
    def node(self) -> Node:
        """The quantity as a node."""

    @property
    @abstractmethod
    def involved(self) -> tuple[int, ...]:
        """Which weights occur, counted from 0."""

    @property
    def rate(self) -> sympy.Expr:
        """The rate r in Q(t) = e^{−rt} Q(0): that of a weight times the degree."""
        return self.degree * pace_of(self.flow).decays[self.involved[0]]

    @cached_property
    def expr(self) -> Any:
        """The quantity as a SymPy expression."""
        return to_sympy(self.node)

    def value(self, weights: Any) -> Array:
        """Return the quantity at given weights."""
        try:
            arrays = map(np.asarray, weights)
            known = dict(zip(self.flow.state, arrays, strict=True))
            return Values(known).of(self.node)
        except (TypeError, ValueError) as problem:
            names = ", ".join(symbol.name for symbol in self.flow.state)
            msg = f"law.value(weights): needs the arrays ({names}); {problem}"
            raise InvalidArgument(msg) from None

    def size(self, path: Path) -> Array:
        """Return the largest weights to the degree, squares over the learning rate."""
        sizes = []
        for place in self.involved:
            largest = max(abs(w) for w in path.weights[place].flat)
            top = largest**self.degree
            top = top if self.is_homogeneous else max(top, largest)
            over = self.flow.speed(place) if self.degree == 2 else sympy.S.One
            sizes.append(top / path.number(over))
        return np.asarray(sizes)

    def magnification(self, path: Path) -> Array:
        """Return the size of all weights beside those that the law is about."""
        largest = max(to_float(abs(weight).max()) for weight in path.weights)
        about = max(to_float(abs(path.weights[k]).max()) for k in self.involved)
        return np.full(len(path.t), largest / about if about else 1.0)

    def _sheet(self) -> Sheet:
        """Show the quantity and what becomes of it."""
        fate = self._fate
        fate = fate.removeprefix("is ") if self.is_conserved else fate
        return Sheet(
            f"{self.name} ({self.reference}), {self.status.value}",
            formulas=(
                sympy.Eq(symbol_like("Q", self.expr), self.expr, evaluate=False),
            ),
            notes=(fate,),
            whole=".expr",
        )
