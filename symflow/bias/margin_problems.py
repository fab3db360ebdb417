"""Largest margins in ℓ₂, in ℓ₁, and in sums of moduli: small convex problems.

With the rows a_i = y_i x_i, each is min ‖β‖ under Aβ ≥ 1 with multipliers μ ≥ 0.

* ℓ₂ (Lawson and Hanson's least-distance program): one nonnegative least-squares problem
  finds which constraints are active; on these, AAᵀμ = 1 and β = Aᵀμ are solved again,
  in any arithmetic.
* Σ|ρ_j| (a linear program for real ρ): the dual is max Σμ_i with |(Bᴴμ)_j| ≤ 1 for β =
  Re Bρ, A β = Re(ABρ).  It decides the support, where ρ_j = r_j·phase of (Bᴴμ)_j.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.optimize

from symflow.algebra.arrays import Array
from symflow.errors import HypothesisFailed, PrecisionLost

#: Relative size below which a multiplier or a coefficient counts as zero.
ZERO = 1e-9
#: Newton steps that polish a solution, and the residual that is accepted after them.
POLISHING, ACCEPTED = 30, 1e-9


@dataclass(frozen=True)
class Widest:
    """A solution of min ‖ρ‖ under margins of at least 1.

    Parameters
    ----------
    point : array
        ρ.
    multipliers : array, shape (n,)
        μ ≥ 0, one for each sample.
    unique : bool
        Whether no other point is as good.
    """

    point: Array
    multipliers: Array
    unique: bool = True


def least_euclidean(rows: Array, context: Any = None) -> Widest:
    """Return argmin ½‖β‖₂² under rows·β ≥ 1.

    Parameters
    ----------
    rows : array, shape (n, d)
        y_i x_i; mpf entries together with a context.
    context : mpmath.MPContext, optional
        Solve for the active constraints in this arithmetic.

    Returns
    -------
    Widest
        The minimizer, unique, with its multipliers.

    Raises
    ------
    HypothesisFailed
        If no β separates the samples.

    Examples
    --------
    >>> least_euclidean(np.array([[1.0, 2.0], [0.0, 3.0]])).point.round(12).tolist()
    [0.2, 0.4]
    """
    floats = np.asarray(rows, dtype=float)
    size = float(np.max(np.abs(floats))) or 1.0
    scaled = floats / size
    count, dimension = scaled.shape
    stacked = np.vstack([scaled.T, np.ones(count)])
    goal = np.append(np.zeros(dimension), 1.0)
    found, _ = scipy.optimize.nnls(stacked, goal, maxiter=30 * (count + dimension))
    gap = stacked @ found - goal
    if -gap[-1] <= 1e-12:
        msg = "least_euclidean(rows): no hyperplane through the origin separates them"
        raise HypothesisFailed(msg)
    active = found > ZERO * np.max(found)
    return _solved_on(rows, active, context)


def _solved_on(rows: Array, active: Array, context: Any) -> Widest:
    """Return β = Aᵀμ with AAᵀμ = 1 for the active rows."""
    part = rows[active]
    gram, one = part @ part.T, np.ones(len(part))
    if context is None:
        values = np.linalg.lstsq(gram, one, rcond=None)[0]
        multipliers = np.zeros(len(rows))
    else:
        solved = context.lu_solve(context.matrix(gram.tolist()), context.matrix(one))
        values = np.array(list(solved), dtype=object)
        multipliers = np.array([context.zero] * len(rows), dtype=object)
    multipliers[active] = values
    return Widest(part.T @ values, multipliers)


def least_moduli(rows: Array, basis: Array) -> Widest:
    """Return argmin Σ_j|ρ_j| under rows·β ≥ 1 for β = Re(basis·ρ).

    Parameters
    ----------
    rows : ndarray, shape (n, d)
        y_i x_i.
    basis : ndarray, shape (d, p)
        Real or complex.

    Returns
    -------
    Widest
        ρ of the kind of `basis`, with multipliers and whether β is unique.

    Raises
    ------
    HypothesisFailed
        If no ρ separates the samples.
    PrecisionLost
        If the solution cannot be polished.

    Examples
    --------
    >>> rows = np.array([[1.0, 2.0], [0.0, 3.0]])
    >>> least_moduli(rows, np.eye(2)).point.round(12).tolist()
    [0.0, 0.5]
    """
    columns = rows @ basis
    size = float(np.max(np.abs(columns))) or 1.0
    scaled = columns / size
    dual = _dual(scaled)
    tight, phases = _phases(scaled, dual, 1e-5)
    lines = (scaled[:, tight] * phases).real
    sizes = _program(np.ones(lines.shape[1]), lines, np.zeros(len(lines), bool)).x
    support = tight[sizes > ZERO * np.max(sizes)]
    active = (lines @ sizes < 1 + 1e-6) | (dual > 1e-6 * np.max(dual))
    polished, multipliers = _polished(scaled, dual, active, support)
    force = scaled.conj().T @ multipliers
    if np.min(multipliers) < -ACCEPTED or np.max(np.abs(force)) > 1 + ACCEPTED:
        # more constraints are active than needed: the polished multipliers are others
        multipliers, force = dual, scaled.conj().T @ dual
    point = np.zeros(columns.shape[1], dtype=columns.dtype)
    point[support] = polished * force[support] / np.abs(force[support])
    worst = float(np.min((scaled @ point).real)) - 1
    if not worst > -ACCEPTED:
        msg = f"least_moduli(rows, …): the polished margins are {worst:.2g} too small"
        raise PrecisionLost(msg)
    unique = _is_unique(scaled, basis, multipliers)
    return Widest(point / size, multipliers / size, unique)


def _phases(columns: Array, multipliers: Array, width: float) -> tuple[Array, Array]:
    """Return the modes with |s_j| = 1 up to a width, and the phases of their s_j."""
    force = columns.conj().T @ multipliers
    tight = np.flatnonzero(np.abs(force) > 1 - width)
    return tight, force[tight] / np.abs(force[tight])


def _program(objective: Array, lines: Array, held: Array) -> Any:
    """Minimize a linear function of r ≥ 0 under lines·r ≥ 1, = 1 where held."""
    free, one = ~held, np.ones(len(lines))
    found = scipy.optimize.linprog(
        objective,
        A_ub=-lines[free] if np.any(free) else None,
        b_ub=-one[free] if np.any(free) else None,
        A_eq=lines[held] if np.any(held) else None,
        b_eq=one[held] if np.any(held) else None,
        method="highs-ds",
    )
    if found.status != 0:
        msg = "least_moduli(rows, basis): the dual solution has no primal one"
        raise PrecisionLost(msg)
    return found


def _is_unique(columns: Array, basis: Array, multipliers: Array) -> bool:
    """Say whether all solutions have one β.

    Solutions have the phases of the dual one, and margin 1 wherever μ > 0: a face of a
    linear program, on which opposite objectives agree only if it is one point.
    """
    tight, phases = _phases(columns, multipliers, 1e-8)
    lines = (columns[:, tight] * phases).real
    held = multipliers > ZERO * np.max(multipliers)
    turned = (basis[:, tight] * phases).real
    probe = np.random.default_rng(0).standard_normal(len(turned)) @ turned
    ends = [float(_program(sign * probe, lines, held).fun) for sign in (1, -1)]
    scale = float(np.max(np.abs(probe)) * np.sum(multipliers))
    return bool(abs(sum(ends)) < 1e-6 * scale)


def _dual(columns: Array) -> Array:
    """Return argmax Σμ_i with μ ≥ 0 and |(columnsᴴμ)_j| ≤ 1."""
    count = len(columns)
    if not np.iscomplexobj(columns):
        constraints = np.vstack([columns.T, -columns.T])
        found = scipy.optimize.linprog(
            -np.ones(count), constraints, np.ones(len(constraints)), method="highs-ds"
        )
        if found.status != 0:
            msg = "least_moduli(rows, basis): no ρ has all margins positive"
            raise HypothesisFailed(msg)
        return np.asarray(found.x)
    return _complex_dual(columns)


def _complex_dual(columns: Array) -> Array:
    """Return the maximizer where the constraints are discs, by convex programming."""
    forms = np.array([np.outer(c.conj(), c).real for c in columns.T])
    start = np.full(len(columns), 0.5 / np.max(np.abs(columns).sum(axis=0)))
    found = scipy.optimize.minimize(
        lambda mu: -float(np.sum(mu)),
        start,
        jac=lambda mu: -np.ones(len(mu)),
        bounds=[(0, None)] * len(start),
        constraints={
            "type": "ineq",
            "fun": lambda mu: 1 - np.einsum("jik,i,k->j", forms, mu, mu),
            "jac": lambda mu: -2 * np.einsum("jik,k->ji", forms, mu),
        },
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 1000},
    )
    if not np.all(np.isfinite(found.x)) or np.max(found.x) > 1e8:
        msg = "least_moduli(rows, basis): no ρ has all margins positive"
        raise HypothesisFailed(msg)
    return np.asarray(found.x)


def _polished(
    columns: Array, multipliers: Array, active: Array, support: Array
) -> tuple[Array, Array]:
    """Solve |s_j| = 1 on the support and Re(columns·ρ) = 1 on the active samples.

    ρ_j = r_j s_j with s = columnsᴴμ; Newton's method for (μ, r) by least squares.
    """
    part = columns[np.ix_(active, support)]
    mu = multipliers[active]
    force = part.conj().T @ mu
    sizes = np.linalg.lstsq((part * force).real, np.ones(len(mu)), rcond=None)[0]
    for _ in range(POLISHING):
        force = part.conj().T @ mu
        lines = (part * force).real
        gap = np.concatenate([np.abs(force) ** 2 - 1, lines @ sizes - 1])
        if np.max(np.abs(gap)) < 1e-15:
            break
        moved = (part * sizes) @ part.conj().T
        jacobian = np.block(
            [
                [2 * lines.T, np.zeros((len(sizes), len(sizes)))],
                [moved.real, lines],
            ]
        )
        step = np.linalg.lstsq(jacobian, gap, rcond=1e-12)[0]
        mu, sizes = mu - step[: len(mu)], sizes - step[len(mu) :]
    polished = np.zeros(len(multipliers))
    polished[active] = mu
    return sizes, polished


def stationarity(
    columns: Array, point: Array, depth: int, *, off_support: bool
) -> float:
    """Return by how much ρ fails to be stationary for min ‖ρ‖_{2/L}, margins ≥ 1.

    Scale the smallest margin to 1, and let r_j = |ρ_j|^{1/L}, the size of the weights
    of mode j.  Stationary is r_j = s_j r_j^{L−1}, s = columnsᴴμ turned by the phase of
    ρ_j, with μ ≥ 0 and μ_i = 0 where the margin exceeds 1.

    Parameters
    ----------
    columns : ndarray, shape (n, p)
        The margins are Re(columns·ρ).
    point : ndarray, shape (p,)
        ρ, at any scale.
    depth : int
        L.
    off_support : bool
        For L = 2, ask |s_j| ≤ 1 of all j as well: then ρ is a global minimizer.

    Returns
    -------
    float
        The least residual over all μ, relative; 1 or more where a sample is
        misclassified.

    Examples
    --------
    >>> rows = np.array([[1.0, 2.0], [0.0, 3.0]])
    >>> stationarity(rows, np.array([0.0, 7.0]), 2, off_support=True) < 1e-12
    True
    >>> stationarity(rows, np.array([1.0, 2.0]), 2, off_support=True) > 0.1
    True
    """
    margins = (columns @ point).real
    least = float(np.min(margins))
    if least <= 0:
        return 1.0 - least / (float(np.max(np.abs(margins))) or 1.0)
    scaled = point / least
    sizes = np.abs(scaled) ** (1 / depth)
    turned = (columns * np.exp(1j * np.angle(scaled))).conj().T
    pulled = turned * sizes[:, None] ** (depth - 1)
    top = float(np.max(sizes))
    slackness = np.diag(margins / least - 1)
    tall = np.vstack([pulled.real / top, pulled.imag / top, slackness])
    goal = np.zeros(len(tall))
    goal[: len(sizes)] = sizes / top
    multipliers, _ = scipy.optimize.nnls(tall, goal, maxiter=50 * len(tall))
    residual = float(np.max(np.abs(tall @ multipliers - goal)))
    if not off_support:
        return residual
    force = np.abs(columns.conj().T @ multipliers)
    return max(residual, float(np.max(force)) - 1)
