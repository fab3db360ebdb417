"""Proven balls around the weights of a flow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from numbers import Integral
from typing import Any

import numpy as np
from flint import arb

from symflow.algebra.arrays import Array, map_entries
from symflow.algebra.balls import ALONE, to_arb, to_arb_array, workbits
from symflow.algebra.display import Displayed, Sheet
from symflow.algebra.numbers import exact
from symflow.algebra.threads import cached_property
from symflow.codegen import end_to_end_program, evaluate
from symflow.errors import InvalidArgument, shown
from symflow.flow import GradientFlow
from symflow.flow.problem import Problem
from symflow.labelled import SeveralArrays
from symflow.precision.balls import as_matrix, distance_between, size_of, upward
from symflow.precision.point import as_point
from symflow.precision.regions import Regions
from symflow.trajectory import Trajectory


@dataclass(frozen=True, eq=False, repr=False)
class Enclosure(SeveralArrays, Displayed):
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
    sets : Problem, optional
        The flow with sets among the numbers of data and start, where all flows of their
        members are enclosed.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> problem = flow, sf.whitened([[2]]), [[[0.5]], [[0.5]]]
    >>> ball = sf.enclose(*problem, [1, 2], digits=20)
    >>> ball.end_to_end[-1].shape, bool(max(ball.radius) < 1e-20)
    ((1, 1), True)
    """

    midpoints: Trajectory
    radius: Array
    end_to_end_radius: Array
    proof: tuple[str, ...]
    sets: Problem | None = None

    @property
    def problem(self) -> Problem:
        """The flow with its data and start, exact numbers and sets of them."""
        return self.midpoints.problem if self.sets is None else self.sets

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
        if middle is self.midpoints:
            return self
        sets = None if self.sets is None else self.sets.layered
        return replace(self, midpoints=middle, sets=sets)

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
        """The largest radius: a proven absolute error.

        Examples
        --------
        >>> import symflow as sf
        >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
        >>> problem = flow, sf.whitened([[2]]), [[[0.5]], [[0.5]]]
        >>> sf.enclose(*problem, [0, 1], digits=20).error < 1e-20
        True
        """
        return float(max(self.radius))

    @property
    def pieces(self) -> tuple[Trajectory, ...]:
        """The midpoints on each of the data of a `Curriculum`, else none."""
        return getattr(self.midpoints, "pieces", ())

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
        return Enclosure(middle, *radii, self.proof, self.sets)

    @property
    def limit(self) -> Array:
        """The midpoint of lim W(t) for t → ∞.

        Raises
        ------
        InvalidArgument
            If the limit was not enclosed.

        Examples
        --------
        >>> import symflow as sf
        >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
        >>> problem = flow, sf.whitened([[2]]), [[[0.5]], [[0.5]]]
        >>> round(float(sf.enclose(*problem, sf.oo, digits=20).limit[0, 0]), 15)
        2.0
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

    def known(self, index: int = -1) -> tuple[Array, ...]:
        """Return the weights at the time of an `index` as text, digits that are proven.

        They are off by at most one in the last place.

        Examples
        --------
        >>> import symflow as sf
        >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
        >>> ball = sf.enclose(flow, sf.whitened([[2]]), [[[1]], [[1]]], 1, digits=20)
        >>> ball.known()[0][0, 0][:22]
        '1.40143768326523062848'
        """
        digits, balls = self.digits + 5, self.weight_balls(index)
        return tuple(
            map_entries(lambda b: b.str(digits, radius=False), w) for w in balls
        )

    def start_balls(self) -> tuple[Array, ...]:
        """Return the weights at t = 0 as balls that contain them."""
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

    def _ipython_key_completions_(self) -> list[str]:
        return self.midpoints._ipython_key_completions_()

    def __len__(self) -> int:
        return len(self.t)

    def contains(self, value: Any, index: int = -1) -> bool:
        """Say whether a value is proven to lie in the ball.

        Parameters
        ----------
        value : array_like, sequence of array_like or Trajectory
            An end-to-end matrix W, or all weights (W_1, …, W_L); taken exactly.  Plain
            numbers are a W of one row or one column, or all entries of all weights, row
            by row.  A run lies in the balls if it does at every time that both have.
        index : int
            Which of the times; a run has its own.

        Raises
        ------
        InvalidArgument
            If the value is no matrix of finite numbers, or there is no such time.
        ShapeMismatch
            If the shapes are neither those of W nor those of the weights.

        Examples
        --------
        >>> import symflow as sf
        >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
        >>> problem = flow, sf.whitened([[2]]), [[[1]], [[1]]], [1, 2]
        >>> ball = sf.enclose(*problem, digits=20)
        >>> run = sf.precise(*problem, digits=40)
        >>> ball.contains(run), ball.excludes(sf.simulate(*problem))
        (True, True)
        >>> ball.contains([run.weights[0][-1, 0, 0], run.weights[1][-1, 0, 0]])
        True
        >>> round(float(ball.end_to_end[-1].item()), 6)
        1.999329
        """
        pairs = self._compare(value, index)
        return all(bool(distance <= radius) for distance, radius in pairs)

    def excludes(self, value: Any, index: int = -1) -> bool:
        """Say whether a value is proven to differ from the flow, as `contains` does.

        Its value, index and errors are the same; one time is enough for a run.

        Examples
        --------
        >>> import symflow as sf
        >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
        >>> problem = flow, sf.whitened([[2]]), [[[0.5]], [[0.5]]]
        >>> ball = sf.enclose(*problem, 1, digits=20)
        >>> ball.excludes([[1.7727]]), round(float(ball.end_to_end[0].item()), 6)
        (True, 1.77272)
        """
        pairs = self._compare(value, index)
        return any(bool(distance > radius) for distance, radius in pairs)

    def _compare(self, value: Any, index: int) -> list[tuple[Any, Any]]:
        """Return distances from midpoints as balls, each with the radius there."""
        counts = isinstance(index, Integral) and not isinstance(index, bool)
        if not counts or not -len(self) <= index < len(self):
            known = f"from 0 to {len(self) - 1} or −{len(self)} to −1"
            msg = (
                f"enclosure.contains(value, index={shown(index)}): needs the number of "
                f"a time, {known if len(self) > 1 else '0 or −1: there is one'}"
            )
            raise InvalidArgument(msg)
        if isinstance(value, Trajectory):
            places = self._shared(value, index)
        else:
            places = [(value, index)]
        return [self._distance(*place) for place in places]

    def _shared(self, run: Trajectory, index: int) -> list[tuple[list[Array], int]]:
        """Return the weights of a run at the times that both have, with their index."""
        if index != -1:
            msg = (
                "enclosure.contains(run, index=…): a run is compared at every time "
                "that both have. Leave index out"
            )
            raise InvalidArgument(msg)
        finite = (pair for pair in enumerate(self.t) if pair[1] != inf)
        own = {exact(time): place for place, time in finite}
        found = [
            ([weight[k] for weight in run.weights], own[exact(time)])
            for k, time in enumerate(run.t)
            if exact(time) in own
        ]
        if not found:
            msg = "enclosure.contains(run): the two have no time in common"
            raise InvalidArgument(msg)
        return found

    def _distance(self, value: Any, index: int) -> tuple[Any, Any]:
        shapes = [weight.shape[1:] for weight in self.weights]
        given, whole = as_point(value, shapes, self.end_to_end.shape[1:])
        middle = [self.end_to_end] if whole else self.weights
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


def balls_around(
    middle: Trajectory, radii: Sequence[float], proof: tuple[str, ...], **sets: Any
) -> Enclosure:
    """Return the enclosure with given midpoints and radii of the weights."""
    ends = [product_radius(middle, n, radius) for n, radius in enumerate(radii)]
    return Enclosure(middle, np.array(radii), np.array(ends), proof, **sets)


def product_radius(middle: Trajectory, index: int, radius: float) -> float:
    """Bound how far W can be from its midpoint, the rounding of which is included."""
    assert middle.context is not None
    with ALONE, workbits(2 * middle.context.prec):
        weights = [as_matrix(weight[index]) for weight in middle.weights]
        regions = Regions(end_to_end_program(middle.flow), weights)
        rounding = size_of([regions.centres[0] - as_matrix(middle.end_to_end[index])])
        (moved,) = regions.spreads([arb(float(radius))] * len(weights))
        return upward(moved + rounding)


def _short(t: Any) -> str:
    return f"{float(t):g}" if float(t) < inf else "∞"
