"""What balls that contain a flow say of a claim, at one time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import sympy
from flint import arb

from symflow.algebra.arrays import Array
from symflow.algebra.balls import frobenius, to_arb_array, upward
from symflow.claims.claim import Claim, Path, Status
from symflow.errors import InvalidArgument

if TYPE_CHECKING:
    from symflow.flow.problem import Problem

#: Relative error of a limit that is known in float64 only.
FLOAT_LIMIT = 1e-9


class Balls(Path, Protocol):
    """A trajectory whose weights are known with a proven radius; see `Enclosure`."""

    @property
    def problem(self) -> Problem: ...
    @property
    def end_to_end_radius(self) -> Array: ...

    def weight_balls(self, index: int) -> tuple[Array, ...]: ...
    def product_balls(self, index: int) -> Array: ...
    def start_balls(self) -> tuple[Array, ...]: ...
    def start_product(self) -> Array: ...


@dataclass(frozen=True)
class Finding:
    """What the balls at one time say: a residual that vanishes, or one that is not < 0.

    Parameters
    ----------
    balls : array of arb
        The true residual lies in them.
    inequality : bool
        Whether the claim is that the residual is not negative, or that it vanishes.
    trusted : str
        What is trusted besides ball arithmetic.

    Examples
    --------
    >>> from flint import arb
    >>> Finding(np.array([arb(0, 1e-30)], dtype=object)).status.value
    'enclosed'
    """

    balls: Array
    inequality: bool = False
    trusted: str = ""

    def __post_init__(self) -> None:
        # SymPy would turn a ball that meets one of its numbers into a float
        if not all(isinstance(ball, arb) for ball in self.balls.flat):
            msg = (
                "Finding(balls): needs an array of flint.arb. Take the weights from "
                "weight_balls(index) and start_balls() of the enclosure"
            )
            raise InvalidArgument(msg)

    @property
    def status(self) -> Status:
        """The verdict at this time."""
        if self.inequality:
            if all(ball >= 0 for ball in self.balls.flat):
                return Status.ENCLOSED
            refuted = any(ball < 0 for ball in self.balls.flat)
            return Status.REFUTED if refuted else Status.UNDECIDED
        if not all(ball.contains(0) for ball in self.balls.flat):
            return Status.REFUTED
        known = all(ball.is_finite() for ball in self.balls.flat)
        return Status.ENCLOSED if known else Status.UNDECIDED

    @property
    def radius(self) -> float:
        """Proven bound on the distance of the two sides; of an inequality, zero."""
        return 0.0 if self.inequality else upward(frobenius([self.balls]))

    @property
    def gap(self) -> float:
        """Proven lower bound on the distance of the two sides."""
        return float(max(ball.abs_lower() for ball in self.balls.flat))


def is_endless(path: Path) -> bool:
    """Say whether the last time of a trajectory is t = ∞."""
    return bool(path.t[-1] == sympy.oo)


def gap_to(value: Array, error: Any, balls: Balls, index: int) -> Array:
    """Return a matrix, up to a relative error, minus the true end-to-end matrix.

    The matrix, shape (m, d), is off by the arb `error`, relative to its largest entry.
    """
    said = to_arb_array(value)
    size = max(entry.abs_upper() for entry in said.flat)
    around = arb(0, (error * size).upper())
    return np.asarray(said - balls.product_balls(index) + around)


def limit_of(claim: Claim) -> tuple[Array, Any]:
    """Return a predicted limit, exactly where that is possible, and its error.

    The claim has a `limit`, and perhaps an `exact_limit`.
    """
    known = getattr(claim, "exact_limit", None)
    if known is not None:
        return known, arb(0)
    return np.asarray(claim.limit), arb(FLOAT_LIMIT)  # type: ignore[attr-defined]


def limit_finding(claim: Claim, balls: Balls) -> Finding | str:
    """Hold a predicted limit against an enclosed one.

    The last time of the balls has to be t = ∞.
    """
    if not is_endless(balls):
        return "a limit is certified by an enclosure with t = oo"
    limit, error = limit_of(claim)
    trusted = "" if error == 0 else "the predicted limit (float64)"
    return Finding(gap_to(limit, error, balls, -1), trusted=trusted)
