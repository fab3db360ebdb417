"""A heavy ball as a flow of weights and velocities: what is integrated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.algebra.nodes import Leaf, Node
from symflow.algebra.numbers import as_fraction
from symflow.algebra.threads import cached_property
from symflow.errors import InvalidArgument, ShapeMismatch
from symflow.flow.gradient_flow import GradientFlow
from symflow.flow.heavy_ball import HeavyBall


@dataclass(frozen=True)
class PhaseFlow(GradientFlow):
    """A heavy ball as a flow of weights and velocities, bound made by `phase_of`.

    A friction c/t is not in the equations: whoever integrates them adds it.
    """

    friction: sympy.Expr = sympy.S.Zero  #: As in `HeavyBall`.

    @cached_property
    def ball(self) -> HeavyBall:
        """The heavy ball."""
        return HeavyBall(GradientFlow(self.network, self.loss), self.friction)

    @property
    def state(self) -> tuple[sympy.MatrixSymbol, ...]:
        """The weights, then their velocities."""
        return self.ball.state

    @cached_property
    def directions(self) -> tuple[Node, ...]:
        """The velocities, then the accelerations."""
        ball = replace(self.ball, friction=sympy.S.Zero) if self.fading else self.ball
        velocities = ball.state[len(ball.flow.state) :]
        return (*map(Leaf, velocities), *ball.accelerations)

    @property
    def decays(self) -> tuple[sympy.Expr, ...]:
        """The weight decay of every weight, and none of the velocities."""
        own = self.ball.flow.decays
        return (*own, *(sympy.S.Zero for _ in own))

    @property
    def is_gradient(self) -> bool:
        """Whether this is the gradient flow itself: it is not."""
        return False

    @property
    def at_rest(self) -> GradientFlow:
        """The gradient flow of the model and the loss."""
        return self.ball.flow

    @property
    def fading(self) -> Fraction:
        """The number c of a friction c/t; 0 where the friction is constant."""
        return as_fraction(self.ball.fading) or Fraction(0)

    def check_start(self, weights: Sequence[Array]) -> None:
        """Refuse weights, then velocities, that no solution starts from.

        A velocity has the shape of its weight, and no ball moves where its friction is
        infinite.
        """
        shapes, half = [part.shape for part in weights], len(weights) // 2
        if shapes[:half] != shapes[half:]:
            msg = f"init: velocities need the shapes of the weights; got {shapes}"
            raise ShapeMismatch(msg)
        if self.fading and any(np.any(part != 0) for part in weights[half:]):
            msg = (
                f"init: the friction {self.friction} is infinite at t = 0, where the "
                "ball has to rest. Leave the velocities out"
            )
            raise InvalidArgument(msg)


def phase_of(ball: HeavyBall | PhaseFlow) -> PhaseFlow:
    """Return a heavy ball as a flow of weights and velocities.

    Its friction is a number, or c/t with a rational c; others are refused.
    """
    if isinstance(ball, PhaseFlow):
        return ball
    c, known = ball.fading, not ball.friction.free_symbols
    if as_fraction(c) is None or not (c or known):
        msg = (
            "flow: an integration needs the friction as a number, or as c/t with a "
            f"rational c; it is {ball.friction}. Give for example heavy_ball(…, 1)"
        )
        raise InvalidArgument(msg)
    return PhaseFlow(ball.network, ball.loss, friction=ball.friction)
