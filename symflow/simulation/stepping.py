"""The loop of gradient descent in C, around the right-hand side of a flow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from math import prod
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array
from symflow.codegen.inplace import Shape
from symflow.codegen.lower import rhs_program
from symflow.codegen.targets.c import CLOSE, PRELUDE, C, function, header
from symflow.codegen.targets.ckernel import compiled
from symflow.codegen.targets.sizes import at_shapes
from symflow.flow import GradientFlow

CALL = "descend(engine='c')"

_LOOP = """
void descend(long count, long size, double eta, double beta,
    double *RESTRICT flat, double *RESTRICT rates, double *RESTRICT moves,
    const double *const *data)
{{
    for (long step = 0; step < count; step++) {{
        {name}({arguments});
        for (long i = 0; i < size; i++) {{
            moves[i] = beta * moves[i] + eta * rates[i];
            flat[i] += moves[i];
        }}
    }}
}}
"""


@lru_cache(maxsize=64)
def _library(flow: GradientFlow, shapes: tuple[Shape, ...]) -> Any:
    program, layers = at_shapes(rhs_program(flow), shapes, CALL), len(flow.state)
    starts = np.cumsum([0, *map(prod, shapes[:layers])]).tolist()
    places = [f"flat + {start}" for start in starts[:-1]]
    places += [f"data[{k}]" for k in range(len(shapes) - layers)]
    places += [f"rates + {start}" for start in starts[:-1]]
    loop = _LOOP.format(name=program.program.name, arguments=", ".join(places))
    head = header(flow, "   With the steps of gradient descent.")
    text = [head, PRELUDE, function(program, C()), loop, CLOSE]
    return compiled("\n".join(text), call=CALL)


def compiled_steps(
    flow: GradientFlow,
    shapes: tuple[Shape, ...],
    data: Sequence[Array],
    vectors: tuple[Array, Array, Array],
    numbers: tuple[float, float],
) -> Callable[[int], None]:
    """Return a function that takes so many steps with all layers in one vector.

    The `vectors` are the weights, rates and moves, which it changes, and the `numbers`
    η and β.

    Raises InvalidArgument if the flow has no C code, NotInstalled without a compiler.
    """
    import ctypes

    call, real, address = (
        _library(flow, shapes).descend,
        ctypes.c_double,
        ctypes.c_void_p,
    )
    call.restype = None
    kept = [np.ascontiguousarray(array) for array in data]
    table = (address * (len(kept) or 1))(*(array.ctypes.data for array in kept))
    size, places = ctypes.c_long(len(vectors[0])), [v.ctypes.data for v in vectors]

    def steps(count: int, _alive: object = (kept, vectors)) -> None:
        eta, beta = map(real, numbers)
        call(ctypes.c_long(count), size, eta, beta, *map(address, places), table)

    return steps
