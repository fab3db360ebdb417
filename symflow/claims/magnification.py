"""By how much W magnifies the relative errors of its factors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import to_float

if TYPE_CHECKING:
    from symflow.claims.claim import Path


def magnified(path: Path, degree: int) -> Array:
    """Return max|θ|^degree / max|W|: what a relative error of the weights is in W.

    Parameters
    ----------
    path : Path
        A trajectory.
    degree : int
        The number of factors of W.

    Returns
    -------
    array, shape (times,)
        At least 1, also beside W = 0, where errors are relative to the numerator.
    """
    sizes = [to_float(abs(product).max()) for product in path.end_to_end]
    whole = product_sizes(path, degree)
    pairs = zip(whole, sizes, strict=True)
    return np.array([max(1.0, top / (size or top or 1.0)) for top, size in pairs])


def product_sizes(path: Path, degree: int) -> list[float]:
    """Return max|θ|^degree at every time of a path, the size that W could have.

    Parameters
    ----------
    path : Path
        A trajectory.
    degree : int
        The number of factors of W.
    """
    tops = (max(abs(w).max() for w in each) for each in zip(*path.weights, strict=True))
    return [to_float(top**degree) for top in tops]
