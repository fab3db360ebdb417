"""What threads share: turns where a precision is global, and properties found once.

FLINT has one precision for the whole process, and SymPy sets that of `mpmath.mp`.
Whoever needs either holds `ALONE`, until the value is finished: a value that is begun
at one precision must not be ended at another.  Nobody calls back a user, or waits for
another thread, while holding it.
"""

from __future__ import annotations

import functools
import os
from threading import RLock
from typing import TYPE_CHECKING, Any, TypeVar

import mpmath
import sympy

Found = TypeVar("Found")

#: Held by the thread that works at a precision of its own; it may take it again.
ALONE = RLock()

if hasattr(os, "register_at_fork"):  # a child must not wait for a thread it lacks
    os.register_at_fork(
        before=ALONE.acquire,
        after_in_parent=ALONE.release,
        after_in_child=ALONE.release,
    )


class cached_property(functools.cached_property[Found]):
    """A property that is found once, of which all threads see the same object.

    That of Python 3.11 holds one lock for all instances while it computes: two threads
    whose properties read one another, or take turns, wait for ever.
    """

    if not TYPE_CHECKING:  # that of the base class says what type comes out

        def __get__(self, instance: Any, owner: type[Any] | None = None) -> Any:
            """Return what was found first; two threads may both look."""
            if instance is None:
                return self
            memory, name = instance.__dict__, self.attrname
            if name not in memory:
                memory.setdefault(name, self.func(instance))
            return memory[name]


def evaluated(value: Any, digits: int, **options: Any) -> Any:
    """Return a number or formula in decimal digits, as `sympy.N` does.

    The `options` are those of `sympy.N`.
    """
    with ALONE:
        before = mpmath.mp.prec
        try:
            return sympy.N(value, digits, **options)
        finally:
            mpmath.mp.prec = before
