"""What a conserved quantity can say of itself."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.algebra.balls import to_arb
from symflow.algebra.display import Sheet
from symflow.algebra.nodes import Node
from symflow.algebra.numbers import exact, to_float
from symflow.algebra.sympy_form import to_sympy
from symflow.algebra.text import inline
from symflow.algebra.threads import cached_property
from symflow.algebra.values import Values
from symflow.claims import Claim, Finding, Path, Status, relative_size
from symflow.conservation.proof import ProofStep, is_proof, standing
from symflow.errors import InvalidArgument
from symflow.flow import GradientFlow


class Law(Claim):
    """A quantity Q of the weights with dQ/dt = −kλQ, k its degree, λ the weight decay.

    Without weight decay it is conserved, for every loss and every data set.
    """

    flow: GradientFlow

    #: The degree of Q in the weights.
    degree: ClassVar[int] = 2

    @property
    @abstractmethod
    def node(self) -> Node:
        """The quantity as a node."""

    @property
    @abstractmethod
    def involved(self) -> tuple[int, ...]:
        """Which weights occur, counted from 0."""

    @abstractmethod
    def proof(self) -> list[ProofStep]:
        """Return the proof as identities that can be checked again."""

    @property
    def rate(self) -> sympy.Expr:
        """The rate r in Q(t) = e^{−rt} Q(0): weight decay times the degree."""
        return self.degree * self.flow.loss.l2

    @property
    def scope(self) -> str:
        """For what the law holds."""
        return "for every width, loss and data set"

    @property
    def is_conserved(self) -> bool:
        """Whether the quantity is constant, not merely decaying at a known rate."""
        return bool(self.rate == 0)

    @cached_property
    def expr(self) -> Any:
        """The quantity as a SymPy expression."""
        return to_sympy(self.node)

    @property
    def statement(self) -> sympy.Basic:
        """dQ/dt = −rQ, with the right side zero when nothing decays."""
        if self.node.is_scalar:
            return sympy.Eq(
                sympy.Symbol("Qdot"), -self.rate * self.expr, evaluate=False
            )
        shape = self.node.shape
        derivative = sympy.MatrixSymbol("Qdot", *shape)
        if self.is_conserved:
            return sympy.Eq(derivative, sympy.ZeroMatrix(*shape), evaluate=False)
        return sympy.Eq(derivative, -self.rate * self.expr, evaluate=False)

    @cached_property
    def is_proved(self) -> bool:
        """Whether there is a proof, and every step of it checks again."""
        return is_proof(self.proof())

    @property
    def status(self) -> Status:
        """Proved where the proof checks, for every loss and data set."""
        return standing(proved=self.is_proved, hypotheses=self.hypotheses)

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
        arrays = map(np.asarray, weights)
        return Values(dict(zip(self.flow.state, arrays, strict=True))).of(self.node)

    def residuals(self, path: Path) -> Array:
        """Return |Q(t) − e^{−rt}Q(0)| relative to the size of the terms of Q."""
        if not hasattr(path, "weights"):
            msg = f"law.residuals(run): needs a trajectory; got {path!r}"
            raise InvalidArgument(msg)
        values, size = self.value(path.weights), self.size(path)
        factors = [self._factor(path, time) for time in path.t]
        drifts = [
            relative_size(np.asarray(value - factor * values[0]), size)
            for value, factor in zip(values, factors, strict=True)
        ]
        return np.asarray(drifts)

    def size(self, path: Path) -> Array:
        """Return the largest weight to the degree, over the learning rate of a square.

        Parameters
        ----------
        path : Path
            A trajectory; the answer has one number per weight that occurs.
        """
        sizes = []
        for place in self.involved:
            top = max(abs(w) for w in path.weights[place].flat) ** self.degree
            over = self.flow.speed(place) if self.degree == 2 else sympy.S.One
            sizes.append(top / path.number(over))
        return np.asarray(sizes)

    def magnification(self, path: Path) -> Array:
        """Return the size of all weights beside those that the law is about."""
        largest = max(to_float(abs(weight).max()) for weight in path.weights)
        about = max(to_float(abs(path.weights[k]).max()) for k in self.involved)
        return np.full(len(path.t), largest / about if about else 1.0)

    def finding(self, balls: Any, index: int) -> Finding:
        """Return Q(t) − e^{−rt} Q(0) in balls."""
        return drift_of(self, balls, index)

    def _factor(self, path: Path, time: Any) -> Any:
        if self.is_conserved:
            return 1
        return path.number(sympy.exp(-self.rate * (exact(time) - exact(path.t[0]))))

    def _sheet(self) -> Sheet:
        """Show the quantity and what becomes of it."""
        shape, scalar = self.node.shape, self.node.is_scalar
        name = sympy.Symbol("Q") if scalar else sympy.MatrixSymbol("Q", *shape)
        fate = str(self).removeprefix(inline(self.expr)).removeprefix(" is").strip()
        return Sheet(
            f"{self.name} ({self.reference}), {self.status.value}",
            formulas=(sympy.Eq(name, self.expr, evaluate=False),),
            notes=(fate,),
            whole=".expr",
        )

    def __str__(self) -> str:
        if self.is_conserved:
            return f"{inline(self.expr)} is conserved, {self.scope}"
        exponent = inline(-self.rate * sympy.Symbol("t")).replace("-", "−")
        return f"{inline(self.expr)} decays as e^({exponent.replace('*', '')})"


def drift_of(law: Any, balls: Any, index: int) -> Finding:
    """Return Q(t) − e^{−rt} Q(0) of a law, in the balls of an enclosure.

    Parameters
    ----------
    law : Law or PolynomialLaw
        Q and its rate r.
    balls : Enclosure
        What is proven of the flow.
    index : int
        Which of its times.
    """
    factor = to_arb(1)
    if not law.is_conserved:
        time = balls.t[index]
        decay = law.rate * (time if time == sympy.oo else exact(time))
        factor = to_arb(sympy.exp(-decay))
    now, before = law.value(balls.weight_balls(index)), law.value(balls.start_balls())
    residual = np.asarray(now) - factor * np.asarray(before)
    return Finding(np.asarray(residual, dtype=object))
