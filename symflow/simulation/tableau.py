"""The coefficients of DOP853, without the rest of `scipy.integrate`.

SciPy keeps them in a module of its own, which needs NumPy alone; to import it by name
would load all of `scipy.integrate` first, a third of a second.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import scipy

from symflow.algebra.arrays import Array
from symflow.algebra.threads import cached_property


@dataclass(frozen=True, eq=False)
class Tableau:
    """The coefficients of Dormand and Prince's method of order 8."""

    #: shapes (12, 12) and (12,): Of the stages and of the step.
    A: Array
    B: Array
    #: shape (13,): Of the two estimates of the error.
    E3: Array
    E5: Array
    #: shapes (3, 16) and (4, 16): Of the further stages and of the polynomial of degree
    #: 7.
    A_EXTRA: Array
    D: Array

    @cached_property
    def rows(self) -> Array:
        """The rows of stages, of the step and of the further stages, shape (16, 16)."""
        square = np.zeros((self.A_EXTRA.shape[1],) * 2)
        count = len(self.A)
        square[:count, :count], square[count, :count] = self.A, self.B
        square[count + 1 :] = self.A_EXTRA
        return square

    @cached_property
    def errors(self) -> Array:
        """Both estimates of the error, shape (2, 13)."""
        return np.vstack([self.E5, self.E3])


@cache
def tableau() -> Tableau:
    """Return the coefficients, as SciPy has them."""
    file = Path(str(scipy.__file__)).parent / "integrate/_ivp/dop853_coefficients.py"
    spec = spec_from_file_location("_dop853_coefficients", file)
    if not file.is_file() or spec is None or spec.loader is None:
        from scipy.integrate import DOP853

        known: Any = DOP853
        return Tableau(known.A, known.B, known.E3, known.E5, known.A_EXTRA, known.D)
    found = module_from_spec(spec)
    spec.loader.exec_module(found)
    stages = found.N_STAGES
    return Tableau(
        found.A[:stages, :stages],
        found.B,
        found.E3,
        found.E5,
        found.A[stages + 1 :],
        found.D,
    )
