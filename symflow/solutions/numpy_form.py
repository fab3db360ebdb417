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
    """Constants, functions, statements about the array ``t``, and named expressions.

    Parameters
    ----------
    constants : mapping of str to array or float
        Global names of the code; written out in full.
    functions : tuple of callables
        Functions at the top of a module that use NumPy and each other only.
    statements : tuple of str
        Lines before the results; ``t`` is a float64 array of any shape.
    outputs : mapping of str to str
        Expressions; a missing one is not determined by the closed form.
    missing : mapping of str to str, optional
        Why an output is missing.
    horizon : float, optional
        The largest time that the constants reach.
    """

    constants: Mapping[str, Any]
    functions: tuple[Callable[..., Any], ...]
    statements: tuple[str, ...]
    outputs: Mapping[str, str]
    missing: Mapping[str, str] = field(default_factory=dict)
    horizon: float | None = None
