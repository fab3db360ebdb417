"""What a result was computed with."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

#: Distributions whose versions matter for the numbers; the last is optional.
_DISTRIBUTIONS = (
    "symflow",
    "sympy",
    "numpy",
    "scipy",
    "mpmath",
    "python-flint",
    "matplotlib",
    "gmpy2",
)


def environment() -> dict[str, str]:
    """Return the versions of Python, symflow and what it computes with.

    Beside them stand the platform and the number of usable cores.
    """
    found = {"python": platform.python_version(), "platform": platform.platform()}
    found |= {name: _version(name) for name in _DISTRIBUTIONS}
    return {**found, "cores": str(_cores())}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
