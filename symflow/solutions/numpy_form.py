"""A closed form as NumPy code: what `compile(solution)` is made of.

A routine names functions of this package that use NumPy alone, the constants they are
called with, and one expression per output.  The functions are those that `end_to_end`
calls itself, so that there is one stable form and not two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from symflow.algebra.array_maps import namespace

#: What a routine may compute, in this order.
OUTPUTS = ("end_to_end", "strengths", "weights")


@dataclass(frozen=True, eq=False)
class Routine:
    """Constants, functions, statements about the array ``t``, and named expressions."""

    constants: Mapping[str, Any]  #: Global names of the code; written out in full.
    #: Functions at the top of a module that use NumPy and each other only.
    functions: tuple[Callable[..., Any], ...]
    #: Lines before the results; ``t`` is a float64 array of any shape.
    statements: tuple[str, ...]
    #: Expressions; a missing one is not determined by the closed form.
    outputs: Mapping[str, str]
    #: Why an output is missing.
    missing: Mapping[str, str] = field(default_factory=dict)
    horizon: float | None = None  #: The largest time that the constants reach.
    #: Where the start and Σ_yx are variables, those for which the form holds.
    family: str = ""


def array_times(t: Any, end: float | None) -> Any:
    """Return the array namespace of times and the times as floats, from 0 to `end`.

    Where NumPy raises, other arrays hold NaN: what is traced has no values yet.
    """
    xp = namespace(t) if hasattr(t, "__array_namespace__") else np
    last = float(np.finfo(float).max) if end is None else end
    if xp is not np:
        t = 1.0 * t
        return xp, xp.where((t >= 0) & (t <= last), t, xp.nan)
    t = np.asarray(t, dtype=float)
    if not np.all((t >= 0) & (t <= last)):
        words = "of 0 or more, and finite" if end is None else f"from 0 to {end:.3g}"
        msg = f"t: needs times {words}"
        raise ValueError(msg)
    return xp, t
