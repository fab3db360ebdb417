"""The minimizer of a separable potential under linear constraints, by dual Newton.

Q(β) = Σ c_j² H(β_j/c_j^L), with H = ∫h⁻¹ of `bias/mirror.py`, has Q′ = ξ exactly where
β_j = c_j^L h(c_j^{L−2}ξ_j).  Under Aβ = b the minimizer has ξ = Aᵀν, where ν minimizes
the convex Σ c_j² H*(c_j^{L−2}(Aᵀν)_j) − νᵀb, whose Hessian is A diag(c_j^{2L−2}h′) Aᵀ.
"""

from __future__ import annotations

import numpy as np

from symflow.algebra.arrays import Array
from symflow.bias.mirror import MirrorMap
from symflow.errors import PrecisionLost

#: Newton steps, halvings of one step, and the relative misfit that is accepted.
MOST_STEPS, MOST_HALVINGS, ACCEPTED = 200, 60, 1e-12
#: Small scales are reached from large ones, by this factor at a time.
DECADE = 10.0


def least_potential(
    mirror: MirrorMap, sizes: Array, matrix: Array, values: Array
) -> Array:
    """Return argmin Q(β) subject to Aβ = b.

    Parameters
    ----------
    mirror : MirrorMap
        h, with the depth L.
    sizes : ndarray, shape (d,)
        c_j > 0.
    matrix : ndarray, shape (n, d)
        A; rows may be linearly dependent.
    values : ndarray, shape (n,)
        b, in the range of A.

    Returns
    -------
    ndarray, shape (d,)
        The minimizer β.

    Raises
    ------
    PrecisionLost
        If Newton's method does not reach the constraints.

    Examples
    --------
    >>> from symflow.bias.mirror import ProductMap
    >>> A, b = np.array([[1.0, 2.0]]), np.array([1.0])
    >>> least_potential(ProductMap(2), np.full(2, 0.5), A, b).round(4)
    array([0.1418, 0.4291])
    """
    scale = float(np.max(np.abs(values))) or 1.0
    first = scale ** (1 / mirror.depth)
    target = float(np.max(sizes))
    nu, current = np.zeros(len(values)), max(first, target)
    while current > target:
        nu = _newton(mirror, sizes * (current / target), matrix, values, nu)
        smaller = max(current / DECADE, target)
        nu = nu * _growth(mirror.depth, current / first, smaller / first)
        current = smaller
    nu = _newton(mirror, sizes, matrix, values, nu)
    force = sizes ** (mirror.depth - 2) * (matrix.T @ nu)
    beta = np.asarray(sizes**mirror.depth * mirror.value(force))
    misfit = float(np.max(np.abs(matrix @ beta - values)))
    if not misfit <= 1e3 * ACCEPTED * scale:
        msg = f"least_potential: Newton's method stopped at a misfit of {misfit:.2g}"
        raise PrecisionLost(msg)
    return beta


def _growth(depth: int, old: float, new: float) -> float:
    """Return by how much ν grows when the scale of the c_j falls."""
    if depth > 2:
        return (old / new) ** (depth - 2)
    return float((1 - np.log(new)) / (1 - np.log(old)))


def _newton(
    mirror: MirrorMap, sizes: Array, matrix: Array, values: Array, nu: Array
) -> Array:
    """Minimize the dual objective from ν by damped Newton steps."""
    outer, inner = sizes**mirror.depth, sizes ** (mirror.depth - 2)
    tolerance = ACCEPTED * float(np.max(np.abs(values)))
    for _ in range(MOST_STEPS):
        t = inner * (matrix.T @ nu)
        gradient = matrix @ (outer * mirror.value(t)) - values
        if np.max(np.abs(gradient)) <= tolerance:
            break
        hessian = (matrix * (outer * inner * mirror.slope(t))) @ matrix.T
        step = -np.linalg.lstsq(hessian, gradient, rcond=1e-15)[0]
        length = _line_search(mirror, sizes, matrix, values, (nu, step, gradient))
        if length == 0:
            break
        nu = nu + length * step
    return nu


def _line_search(
    mirror: MirrorMap,
    sizes: Array,
    matrix: Array,
    values: Array,
    point: tuple[Array, Array, Array],
) -> float:
    """Return the first of 1, 1/2, 1/4, … that lowers the dual objective enough."""
    nu, step, gradient = point
    inner = sizes ** (mirror.depth - 2)

    def objective(at: Array) -> float:
        t = inner * (matrix.T @ at)
        if np.max(np.abs(t)) >= mirror.end:
            return np.inf
        with np.errstate(over="ignore"):
            return float(np.sum(sizes**2 * mirror.conjugate(t)) - at @ values)

    start, fall, length = objective(nu), float(gradient @ step), 1.0
    for _ in range(MOST_HALVINGS):
        # rounding of the objective must not refuse the last steps
        enough = start + 1e-4 * length * fall + 1e-14 * abs(start)
        if objective(nu + length * step) <= enough:
            return length
        length /= 2
    return 0.0
