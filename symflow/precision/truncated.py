"""Matrix series in balls, cut at an order, with the cut part bounded.

A series on 0 ≤ x ≤ end is a polynomial matrix of degree below the order, with ball
coefficients, plus a remainder of Frobenius norm at most `tail`.  Norms of products are
bounded by products of norms, coefficient by coefficient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from flint import arb, arb_poly, arb_series, ctx

from symflow.algebra.arrays import Array
from symflow.algebra.balls import series_length as series_length
from symflow.codegen import Program
from symflow.errors import NoClosedForm
from symflow.precision.balls import NORM_BITS, filled, map_arrays, root, to_arb


@dataclass(frozen=True)
class Truncated:
    """A matrix series with a bounded remainder.

    Parameters
    ----------
    low : array of arb_series
        The coefficients below the order.
    sizes : arb_poly
        Bounds on the Frobenius norms of the coefficients.
    tail : arb
        Bound on the remainder.
    """

    low: Array
    sizes: Any
    tail: Any


class TruncatedArithmetic:
    """Operations of a program on truncated series over 0 ≤ x ≤ end.

    Parameters
    ----------
    order : int
        Number of coefficients kept.
    end : arb
        Largest x.
    """

    def __init__(self, order: int, end: Any) -> None:
        self._order, self._end = order, end
        self._apply: dict[str, Callable[..., Truncated]] = {
            "matmul": self._matmul,
            "add": self._add,
            "subtract": self._subtract,
            "transpose": lambda a: Truncated(a.low.T, a.sizes, a.tail),
        }

    def lift(self, entries: Sequence[Any], shape: Any) -> Truncated:
        """Return the series of polynomials with given coefficient lists."""
        low = filled(shape, (arb_series(entry, self._order) for entry in entries))
        with ctx.workprec(NORM_BITS):
            longest = max(map(len, entries))
            squares = [arb(0)] * longest
            for entry in entries:
                for k, coefficient in enumerate(entry):
                    squares[k] += coefficient.abs_upper() ** 2
            sizes = arb_poly([root(square) for square in squares])
            return Truncated(low, self._cut(sizes), self._beyond(sizes))

    def run(self, program: Program, inputs: Sequence[Truncated]) -> list[Truncated]:
        """Run a program.

        Raises
        ------
        NoClosedForm
            If the program has an operation that no bound is known for.
        """
        values = list(inputs)
        for step in program.instructions:
            operands = [values[slot] for slot in step.operands]
            if step.operation == "scale":
                values.append(self._scale(to_arb(step.constant), *operands))
            elif step.operation in self._apply:
                values.append(self._apply[step.operation](*operands))
            else:
                msg = (
                    f"enclose: no ball recurrence for the operation {step.operation!r}"
                )
                raise NoClosedForm(msg)
        return [values[output.slot] for output in program.outputs]

    def _matmul(self, left: Truncated, right: Truncated) -> Truncated:
        low = left.low @ right.low
        with ctx.workprec(NORM_BITS):
            sizes = left.sizes * right.sizes
            first, second = left.sizes(self._end), right.sizes(self._end)
            tail = first * right.tail + left.tail * second + left.tail * right.tail
            total = (self._beyond(sizes) + tail).upper()
            return Truncated(low, self._cut(sizes), total)

    def _add(self, left: Truncated, right: Truncated) -> Truncated:
        with ctx.workprec(NORM_BITS):
            sizes, tail = left.sizes + right.sizes, (left.tail + right.tail).upper()
        return Truncated(left.low + right.low, sizes, tail)

    def _subtract(self, left: Truncated, right: Truncated) -> Truncated:
        with ctx.workprec(NORM_BITS):
            sizes, tail = left.sizes + right.sizes, (left.tail + right.tail).upper()
        return Truncated(left.low - right.low, sizes, tail)

    def _scale(self, factor: Any, operand: Truncated) -> Truncated:
        (low,) = map_arrays(lambda x: factor * x, [operand.low])
        with ctx.workprec(NORM_BITS):
            size = factor.abs_upper()
            return Truncated(low, operand.sizes * size, (operand.tail * size).upper())

    def _cut(self, sizes: Any) -> Any:
        return arb_poly(sizes.coeffs()[: self._order])

    def _beyond(self, sizes: Any) -> Any:
        """Return the value at the end of what lies at the order and above."""
        high = arb_poly(sizes.coeffs()[self._order :])
        return (high(self._end) * self._end**self._order).upper()
