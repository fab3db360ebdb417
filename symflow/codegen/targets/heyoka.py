"""heyoka: the entries of a flow as expressions, with constants that are exact."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array, map_entries
from symflow.algebra.numbers import exact
from symflow.algebra.widths import solve_widths
from symflow.codegen.evaluate import evaluate
from symflow.codegen.targets.sizes import sized
from symflow.errors import InvalidArgument, expect, imported
from symflow.flow import GradientFlow

#: Integers below this are float64 numbers.
EXACT = 2**53


def to_heyoka(
    flow: GradientFlow,
    data: Any = None,
    *,
    widths: Sequence[int] | None = None,
    samples: int | None = None,
) -> list[tuple[Any, Any]]:
    """Return a flow as a system of heyoka expressions.

    Rational constants become quotients of integers, so that an integrator of any
    precision gets all their digits.

    Parameters
    ----------
    flow : GradientFlow
        The flow.
    data : Dataset or Moments, optional
        Without data, their entries are the parameters ``par[0]``, ``par[1]`` …, array
        by array in the order of the kernel's arguments, row by row.
    widths : sequence of int, keyword-only, optional
        Integers for the widths, needed where they are symbols.
    samples : int, keyword-only, optional
        Number of samples, needed without data where the loss reads them.

    Returns
    -------
    list of (variable, expression)
        For ``heyoka.taylor_adaptive``; variables are named like ``W1_0_2`` (layer, row,
        column).

    Raises
    ------
    NotInstalled
        Without heyoka.
    InvalidArgument
        If a width stays a symbol, or the weight decay is symbolic.
    ShapeMismatch
        If the data are of another width.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> len(sf.to_heyoka(flow))  # doctest: +SKIP
    2
    """
    call = "to_heyoka(flow)"
    expect(flow, GradientFlow, call, "a gradient flow")
    if data is not None:
        expect(data, "moments", call, "a Dataset or Moments")
        arrays, own = flow.loss.arrays(data), flow.network.widths
        counted = (s for s in flow.data if s.shape[0] not in own)
        samples = next((len(arrays[symbol.name]) for symbol in counted), None)
    program = sized(flow, widths, call, samples=samples)
    heyoka = imported("heyoka", call, "bench")
    if flow.parameters:
        msg = f"{call}: needs a number for {flow.parameters[0]}; it is symbolic"
        raise InvalidArgument(msg)
    count = len(flow.state)
    variables = [
        _entries(
            shape, lambda i, j, stem=symbol.name: heyoka.expression(f"{stem}_{i}_{j}")
        )
        for symbol, shape in zip(flow.state, program.shapes[:count], strict=True)
    ]
    constants = _data(flow, data, program.shapes[count:], heyoka)
    derivatives = evaluate(
        program.program,
        [*variables, *constants],
        lambda value: constant(heyoka, value),
    )
    return [
        (variable, derivative)
        for matrix, rate in zip(variables, derivatives, strict=True)
        for variable, derivative in zip(matrix.flat, rate.flat, strict=True)
    ]


def constant(heyoka: Any, value: Any) -> Any:
    """Return an exact number as a heyoka expression that loses no digit."""
    number = exact(value)
    if not isinstance(number, sympy.Rational):
        return heyoka.from_sympy(number)
    top = _integer(heyoka, int(number.p))
    return top if number.q == 1 else top / _integer(heyoka, int(number.q))


def _integer(heyoka: Any, value: int) -> Any:
    """Write an integer in digits to the base 2^53, each of which is a float64."""
    if abs(value) <= EXACT:
        return heyoka.expression(float(value))
    high, low = divmod(value, EXACT)
    return _integer(heyoka, high) * float(EXACT) + float(low)


def _data(
    flow: GradientFlow, data: Any, shapes: Sequence[tuple[int, ...]], heyoka: Any
) -> list[Array]:
    if data is not None:
        arrays = [flow.loss.arrays(data)[symbol.name] for symbol in flow.data]
        declared: list[Any] = [
            (f"to_heyoka(data): {symbol.name}", shape, array.shape)
            for symbol, shape, array in zip(flow.data, shapes, arrays, strict=True)
        ]
        solve_widths(declared)
        return [map_entries(lambda v: constant(heyoka, v), array) for array in arrays]
    found, first = [], 0
    for rows, columns in shapes:

        def parameter(i: int, j: int, start: int = first, width: int = columns) -> Any:
            return heyoka.par[start + i * width + j]

        found.append(_entries((rows, columns), parameter))
        first += rows * columns
    return found


def _entries(shape: tuple[int, ...], make: Any) -> Array:
    matrix = np.empty(shape, dtype=object)
    for i, j in np.ndindex(*shape):
        matrix[i, j] = make(i, j)
    return matrix
