"""Minimizers by SciPy, of functions that are given by their values alone."""

from __future__ import annotations

import numpy as np
import scipy.optimize

#: Weights of the central difference of fourth order.
STENCIL = ((-2, 1 / 12), (-1, -2 / 3), (1, 2 / 3), (2, -1 / 12))


def slopes(value, point, step=1e-3):
    """Return the gradient by differences of fourth order."""
    rows = step * np.eye(len(point))
    return np.array(
        [sum(w * value(point + k * row) for k, w in STENCIL) / step for row in rows]
    )


def on_line(value, rows, targets, near):
    """Return argmin value(β) under rows·β = targets, to about ten digits.

    A quasi-Newton method in the null space of the constraints, whose result is polished
    to a zero of the gradient.

    Parameters
    ----------
    value : callable
        Convex function of an array.
    rows, targets : arrays
        The constraints, of full row rank.
    near : array
        A point from which the search starts, moved into the constraints.
    """
    null = np.linalg.svd(rows)[2][len(rows) :].T
    base = np.linalg.lstsq(rows, targets, rcond=None)[0]

    def inside(z):
        return value(base + null @ z)

    rough = scipy.optimize.minimize(inside, null.T @ near, method="BFGS").x
    found = scipy.optimize.root(lambda z: slopes(inside, z), rough, tol=1e-13)
    assert np.max(np.abs(found.fun)) < 1e-9, found.message
    return base + null @ found.x
