"""A closed form as NumPy code: what `compile(solution)` is made of.

A routine names functions of this package that use NumPy alone, the constants they are
called with, and one expression per output.  The functions are those that `end_to_end`
calls itself, so that there is one stable form and not two.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

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
