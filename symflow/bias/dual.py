"""The minimizer of a separable potential under linear constraints, by dual Newton.

Q(β) = Σ c_j² H(β_j/c_j^L), with H = ∫h⁻¹ of `bias/mirror.py`, has Q′ = ξ exactly where
β_j = c_j^L h(c_j^{L−2}ξ_j).  Under Aβ = b the minimizer of Q(β) − ⟨Q′(β₀), β⟩ has
ξ = Q′(β₀) + Aᵀν, where ν minimizes the convex Σ c_j² H*(s_j + c_j^{L−2}(Aᵀν)_j) − νᵀb
with s_j = h⁻¹(β₀_j/c_j^L); the Hessian is A diag(c_j^{2L−2}h′) Aᵀ.
General solvers of convex programs stop at about 1e-8, or know no such H.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from symflow.algebra.arrays import Array
from symflow.bias.mirror import MirrorMap
from symflow.errors import PrecisionLost

#: Newton steps, halvings of one step, and the relative misfit that is accepted.
MOST_STEPS, MOST_HALVINGS, ACCEPTED = 200, 60, 1e-12
#: Small scales are reached from large ones, by this factor at a time.
DECADE = 10.0


@dataclass(frozen=True, eq=False)
class Dual:
    """The dual problem at one scale of the weights.

    The `sizes` and the `shift` are c_j and s_j, shape (d,), the `matrix` and `values` A
    and b, shapes (n, d) and (n,).
    """

    mirror: MirrorMap
    sizes: Array
    shift: Array
    matrix: Array
    values: Array

    @property
    def outer(self) -> Array:
        """The scale c^L of β."""
        return np.asarray(self.sizes**self.mirror.depth)

    @property
    def inner(self) -> Array:
        """The scale c^{L−2} of the force."""
        return np.asarray(self.sizes ** (self.mirror.depth - 2))

    def force(self, nu: Array) -> Array:
        """Return s + c^{L−2}Aᵀν."""
        return np.asarray(self.shift + self.inner * (self.matrix.T @ nu))

    def beta(self, nu: Array) -> Array:
        """Return β."""
        return np.asarray(self.outer * self.mirror.value(self.force(nu)))

    def objective(self, nu: Array) -> float:
        """Return what ν minimizes; infinite outside of its domain."""
        t = self.force(nu)
        if np.max(np.abs(t)) >= self.mirror.end:
            return np.inf
        with np.errstate(over="ignore"):
            parts = self.sizes**2 * self.mirror.conjugate(t)
        return float(np.sum(parts) - nu @ self.values)


def least_potential(
    mirror: MirrorMap,
    sizes: Array,
    matrix: Array,
    values: Array,
    shift: Array | None = None,
) -> Array:
    """Return argmin Q(β) − ⟨Q′(β₀), β⟩ subject to Aβ = b.

    The `sizes` are the c_j > 0, shape (d,), `matrix` is A, shape (n, d), whose rows may
    be linearly dependent, and the `values` b are in its range; the `shift` is
    h⁻¹(β₀/c^L), zero for β₀ = 0. PrecisionLost says that Newton's method does not reach
    the constraints.
    """
    # without constraints nothing moves: β = β₀
    scale = float(np.max(np.abs(values), initial=0.0)) or 1.0
    first = scale ** (1 / mirror.depth)
    target = float(np.max(sizes))
    moved = np.zeros(len(sizes)) if shift is None else shift
    nu, current = np.zeros(len(values)), max(first, target)
    while current > target:
        nu = _newton(
            Dual(mirror, sizes * (current / target), moved, matrix, values), nu
        )
        smaller = max(current / DECADE, target)
        nu = nu * _growth(mirror.depth, current / first, smaller / first)
        current = smaller
    problem = Dual(mirror, sizes, moved, matrix, values)
    nu = _newton(problem, nu)
    beta = problem.beta(nu)
    misfit = float(np.max(np.abs(matrix @ beta - values), initial=0.0))
    start = np.abs(matrix @ (problem.outer * mirror.value(moved)))
    if not misfit <= 1e3 * ACCEPTED * max(scale, float(np.max(start, initial=0.0))):
        msg = f"least_potential: Newton's method stopped at a misfit of {misfit:.2g}"
        raise PrecisionLost(msg)
    return beta


def _growth(depth: int, old: float, new: float) -> float:
    """Return by how much ν grows when the scale of the c_j falls."""
    if depth > 2:
        return (old / new) ** (depth - 2)
    return float((1 - np.log(new)) / (1 - np.log(old)))


def _newton(problem: Dual, nu: Array) -> Array:
    """Minimize the dual objective from ν by damped Newton steps."""
    matrix, values = problem.matrix, problem.values
    tolerance = ACCEPTED * float(np.max(np.abs(values), initial=0.0))
    weight = problem.outer * problem.inner
    for _ in range(MOST_STEPS):
        gradient = matrix @ problem.beta(nu) - values
        if np.max(np.abs(gradient), initial=0.0) <= tolerance:
            break
        slope = problem.mirror.slope(problem.force(nu))
        hessian = (matrix * (weight * slope)) @ matrix.T
        step = -np.linalg.lstsq(hessian, gradient, rcond=1e-15)[0]
        length = _line_search(problem, nu, step, float(gradient @ step))
        if length == 0:
            break
        nu = nu + length * step
    return nu


def _line_search(problem: Dual, nu: Array, step: Array, fall: float) -> float:
    """Return the first of 1, 1/2, 1/4, … that lowers the dual objective enough."""
    start, length = problem.objective(nu), 1.0
    for _ in range(MOST_HALVINGS):
        # rounding of the objective must not refuse the last steps
        enough = start + 1e-4 * length * fall + 1e-14 * abs(start)
        if problem.objective(nu + length * step) <= enough:
            return length
        length /= 2
    return 0.0
