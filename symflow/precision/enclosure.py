"""Proven balls around the weights of a flow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import inf
from numbers import Integral
from typing import Any

import numpy as np
from flint import arb

from symflow.algebra.arrays import Array
from symflow.algebra.balls import ALONE, to_arb, to_arb_array, workbits
from symflow.algebra.display import Displayed, Sheet
from symflow.algebra.threads import cached_property
from symflow.codegen import end_to_end_program, evaluate
from symflow.errors import InvalidArgument, ShapeMismatch
from symflow.flow import GradientFlow
from symflow.flow.problem import Problem
from symflow.precision.balls import distance_between
from symflow.trajectory import Trajectory


@dataclass(frozen=True, eq=False, repr=False)
class Enclosure(Displayed):
    """The flow is proven to pass within `radius` of these weights.

    Made by `enclose`.  It reads like a trajectory: `t`, `weights`, `end_to_end` and
    indexing give the midpoints.

    Parameters
    ----------
    midpoints : Trajectory
        The computed weights; the last time is SymPy's oo for an enclosed limit.
    radius : array
        For each time, a proven bound on the Frobenius distance of all weights together.
    end_to_end_radius : array
        The same for the end-to-end matrix W.
    proof : tuple of str
        What is proven, and what it rests on.
    """

    midpoints: Trajectory
    radius: Array
    end_to_end_radius: Array
    proof: tuple[str, ...]

    @property
    def problem(self) -> Problem:
        """The flow with its data and start, all exact numbers."""
        return self.midpoints.problem

    @property
    def flow(self) -> GradientFlow:
        """The flow that is enclosed."""
        return self.midpoints.flow

    @property
    def t(self) -> Array:
        """The times, exact."""
        return self.midpoints.t

    @cached_property
    def layered(self) -> Enclosure:
        """The same balls with the weights first layer first."""
        middle = self.midpoints.layered
        return self if middle is self.midpoints else replace(self, midpoints=middle)

    @property
    def weights(self) -> tuple[Array, ...]:
        """The midpoints of the weights, shape (times, rows, columns)."""
        return self.midpoints.weights

    @property
    def end_to_end(self) -> Array:
        """The midpoints of W(t), shape (times, outputs, inputs)."""
        return self.midpoints.end_to_end

    @property
    def loss(self) -> Array:
        """The training objective at the midpoints."""
        return self.midpoints.loss

    @property
    def digits(self) -> int:
        """Decimal digits that were asked for."""
        return self.midpoints.digits

    @property
    def route(self) -> str:
        """How the numbers were made."""
        return self.midpoints.route

    @property
    def context(self) -> Any:
        """The mpmath context of the midpoints."""
        return self.midpoints.context

    @property
    def stats(self) -> dict[str, Any]:
        """Facts about the run."""
        return self.midpoints.stats

    @cached_property
    def error(self) -> float:
        """The largest radius: a proven absolute error."""
        return float(max(self.radius))

    @property
    def parts(self) -> tuple[Enclosure, ...]:
        """The finite times, and the limit by itself, where it was enclosed."""
        last = int(self.t[-1] == inf)
        cuts = (slice(None, len(self) - last), slice(len(self) - last, None))
        return tuple(self._only(rows) for rows in cuts if len(self.t[rows]))

    def _only(self, rows: slice) -> Enclosure:
        weights = tuple(one[rows] for one in self.weights)
        middle = replace(self.midpoints, t=self.t[rows], weights=weights)
        radii = self.radius[rows], self.end_to_end_radius[rows]
        return Enclosure(middle, *radii, self.proof)

    @property
    def limit(self) -> Array:
        """The midpoint of lim W(t) for t → ∞.

        Raises
        ------
        InvalidArgument
            If the limit was not enclosed.
        """
        if self.t[-1] != inf:
            msg = "enclosure.limit: only times were enclosed. Call enclose(…, t=oo)"
            raise InvalidArgument(msg)
        return np.asarray(self.end_to_end[-1])

    def lift(self, array: Array) -> Array:
        """Return `array` in the arithmetic of the midpoints."""
        return self.midpoints.lift(array)

    def number(self, value: Any) -> Any:
        """Return an exact `value` in the arithmetic of the midpoints."""
        return self.midpoints.number(value)

    @property
    def _bits(self) -> int:
        return int(self.context.prec) + 64

    def weight_balls(self, index: int) -> tuple[Array, ...]:
        """Return the weights at the time of an index as balls, 64 bits to spare."""
        with ALONE, workbits(self._bits):
            spread = arb(0, float(self.radius[index]))
            return tuple(to_arb_array(one[index]) + spread for one in self.weights)

    def product_balls(self, index: int) -> Array:
        """Return the end-to-end matrix at the time of an index as balls."""
        with ALONE, workbits(self._bits):
            spread = arb(0, float(self.end_to_end_radius[index]))
            return np.asarray(to_arb_array(self.end_to_end[index]) + spread)

    def start_balls(self) -> tuple[Array, ...]:
        """Return the weights at t = 0 as balls; they are known exactly."""
        with ALONE, workbits(self._bits):
            return tuple(map(to_arb_array, self.problem.weights))

    def start_product(self) -> Array:
        """Return the end-to-end matrix at t = 0 as balls."""
        with ALONE, workbits(self._bits):
            weights = list(self.start_balls())
            (total,) = evaluate(end_to_end_program(self.flow), weights, to_arb)
            return np.asarray(total)

    def __getitem__(self, key: Any) -> Array:
        """Return the midpoints of a weight symbol, or of ``flow.end_to_end``."""
        return self.midpoints[key]

    def __len__(self) -> int:
        return len(self.t)

    def contains(self, value: Any, index: int = -1) -> bool:
        """Say whether a value is proven to lie in the ball.

        Parameters
        ----------
        value : array_like or sequence of array_like
            An end-to-end matrix W, or all weights (W_1, …, W_L); taken exactly.
        index : int
            Which of the times.

        Raises
        ------
        InvalidArgument
            If the value is no matrix of finite numbers, or there is no such time.
        ShapeMismatch
            If the shapes are neither those of W nor those of the weights.
        """
        distance, radius = self._compare(value, index)
        return bool(distance <= radius)

    def excludes(self, value: Any, index: int = -1) -> bool:
        """Say whether a value is proven to differ from the flow, as `contains` does.

        Its value, index and errors are the same.
        """
        distance, radius = self._compare(value, index)
        return bool(distance > radius)

    def _compare(self, value: Any, index: int) -> tuple[Any, Any]:
        """Return the distance from the midpoint as a ball, and the radius."""
        given, alone = _matrices(value)
        counts = isinstance(index, Integral) and not isinstance(index, bool)
        if not counts or not -len(self) <= index < len(self):
            msg = (
                f"enclosure.contains(value, index={index!r}): needs the number of a "
                f"time, from 0 to {len(self) - 1}, or from the end, −1 to −{len(self)}"
            )
            raise InvalidArgument(msg)
        # a matrix alone is W; in a sequence it is one of the weights, if there is one
        single = len(given) == 1 and (alone or len(self.weights) > 1)
        whole = single and given[0].shape == self.end_to_end.shape[1:]
        middle = [self.end_to_end] if whole else list(self.weights)
        if [m.shape[1:] for m in middle] != [g.shape for g in given]:
            msg = (
                "enclosure.contains(value): needs an end-to-end matrix of shape "
                f"{self.end_to_end.shape[1:]}, or {len(self.weights)} weights; got "
                f"shapes {[g.shape for g in given]}"
            )
            raise ShapeMismatch(msg)
        radii = self.end_to_end_radius if whole else self.radius
        with ALONE, workbits(2 * self.context.prec + 64):
            balls = distance_between(given, [m[index] for m in middle])
            return balls, arb(float(radii[index]))

    def _sheet(self) -> Sheet:
        radii = zip(self.t, self.radius, self.end_to_end_radius, strict=True)
        return Sheet(
            f"Enclosure of {self.flow.network!r} by {self.route}",
            header=("t", "radius of the weights", "radius of W"),
            rows=tuple((_short(t), f"{r:.1e}", f"{w:.1e}") for t, r, w in radii),
            notes=self.proof,
            whole=".radius",
        )


def _short(t: Any) -> str:
    return f"{float(t):g}" if float(t) < inf else "∞"


def _matrices(value: Any) -> tuple[list[Array], bool]:
    """Read one matrix, or a sequence of them; say whether it was one alone."""
    if hasattr(value, "tolist") and not isinstance(value, np.ndarray):
        return [np.array(value.tolist(), dtype=object)], True
    if isinstance(value, np.ndarray) and value.ndim == 2:
        return [value], True
    many = isinstance(value, Iterable) and getattr(value, "ndim", None) != 0
    parts: Sequence[Any] = list(value) if many else []
    if not parts:
        msg = (
            "enclosure.contains(value): needs an end-to-end matrix or all weights; "
            f"got {value!r}"
        )
        raise InvalidArgument(msg)
    first = np.asarray(parts[0], dtype=object)
    if first.ndim == 2:
        return [np.asarray(part, dtype=object) for part in parts], False
    return [np.asarray(parts, dtype=object)], True
