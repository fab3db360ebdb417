"""The rotation O(t) of the hidden units that P = QQᵀ leaves open.

Q̇ = FQ − ½κQQᵀQ and Q = YO with Y = e^{Ft}Q₀R⁻¹, RᵀR = G = I + κQ₀ᵀ(∫e^{2F})Q₀, give

    Ȯ = ΩO,  O(0) = I,  Ω = (upper(M) − lower(M))/2,  M = R⁻ᵀĠR⁻¹ = κYᵀY,

because ṘR⁻¹ is upper triangular and ṘR⁻¹ + (ṘR⁻¹)ᵀ = M.  Ω is antisymmetric and decays
as M becomes diagonal.  For one hidden unit O = 1; in general it is an ordered
exponential without a closed form, and is integrated here.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from symflow.algebra.arrays import Array
from symflow.errors import IntegrationFailed

#: Tolerances of the integration of O, whose entries are at most one.
RELATIVE, ABSOLUTE = 1e-12, 1e-13


def rotations(
    factor: Callable[[float], Array], size: int, kappa: float, times: Array
) -> Array:
    """Return O at float64 times, shape (times, size, size).

    The `factor` gives Y at a time, shape (n, size); κ is the variance of the whitened
    input.  Raises IntegrationFailed if the integrator gives up.
    """
    eye = np.eye(size)
    order = np.unique(times)
    if size < 2 or order[-1] == 0:
        return np.broadcast_to(eye, (len(times), size, size))
    from scipy.integrate import solve_ivp

    def rhs(time: float, state: Array) -> Array:
        side = factor(time)
        mixed = kappa * side.T @ side
        omega = (np.triu(mixed, 1) - np.tril(mixed, -1)) / 2
        return np.asarray((omega @ state.reshape(size, size)).ravel())

    run = solve_ivp(
        rhs,
        (0.0, float(order[-1])),
        eye.ravel(),
        method="DOP853",
        t_eval=order,
        rtol=RELATIVE,
        atol=ABSOLUTE,
    )
    if not run.success:
        msg = f"weights(t): the hidden rotation cannot be integrated: {run.message}"
        raise IntegrationFailed(msg)
    found = run.y.T.reshape(len(order), size, size)
    left, _, right = np.linalg.svd(found)
    return np.asarray((left @ right)[np.searchsorted(order, times)])
