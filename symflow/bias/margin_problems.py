"""Largest margins in sums of moduli, and how far a point is from stationary.

With the rows a_i = y_i x_i, min Σ|ρ_j| under a_i·β ≥ 1 for β = Re Bρ.  For real ρ it is
a linear program, solved in fractions by `exact_program` where it is not too large.  In
float64 the dual, max Σμ_i with |s_j| ≤ 1 for s = (AB)ᴴμ, decides the support, where ρ_j
= r_j s_j; Newton's method polishes both.  Rows are brought to unit size before: their
right sides b_i then differ.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy  # which imports scipy.optimize where it is first used
from flint import fmpq_mat

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.rational import as_fmpq
from symflow.bias.euclidean_margin import (
    ZERO,
    Widest as Widest,
    least_euclidean as least_euclidean,
)
from symflow.bias.exact_program import (
    MOST_ENTRIES,
    Corner,
    Row,
    corner_of,
    fractions_of,
    is_only,
    least_absolute,
)
from symflow.errors import HypothesisFailed, PrecisionLost

#: Newton steps that polish a solution, and the residual that is accepted after them.
POLISHING, ACCEPTED = 30, 1e-9
#: A force of size 1 up to the first counts as 1, one below 1 by the second does not;
#: between them, and between ZERO and the second for multipliers, nothing is decided.
TIGHT, LOOSE = 1e-8, 1e-5
#: Numbers up to which the simplex method needs no suggestion, and products of the
#: columns with the rows up to which they are formed in fractions.
MOST_UNTRIED, MOST_PRODUCTS = 100, 200_000


def least_moduli(rows: Array, basis: Array, *, rounded: bool = False) -> Widest:
    """Return argmin Σ_j|ρ_j| under rows·β ≥ 1 for β = Re(basis·ρ).

    The rows y_i x_i have shape (n, d), the basis (d, p), of rational numbers of any
    kind or complex.  With `rounded` it has its numbers only up to rounding: then all is
    decided in float64, by visible gaps.  ρ is in float64, of the kind of `basis`, with
    multipliers and whether it is known to be the only one.  Raises HypothesisFailed if
    no ρ separates the samples, and PrecisionLost if the solution cannot be polished.
    """
    real = not np.iscomplexobj(basis)
    size = rows.size * basis.shape[1]
    if real and not rounded and size <= MOST_PRODUCTS:
        found = _in_fractions(rows, basis)
        if found is not None:
            return found
    floats = to_float_array(basis) if real else basis
    return _in_floats(_Scaled(to_float_array(rows) @ floats), floats)


class _Scaled:
    """Rows c_i of unit size, whose margins have to be at least b_i ≤ 1."""

    def __init__(self, columns: Array) -> None:
        norms = np.max(np.abs(columns), axis=1)
        if np.min(norms) == 0:
            raise _inseparable()
        self.norms, self.least = norms, float(np.min(norms))
        self.columns, self.sides = columns / norms[:, None], self.least / norms


def _inseparable() -> HypothesisFailed:
    msg = "least_moduli(rows, basis): no ρ has all margins positive"
    return HypothesisFailed(msg)


def _in_fractions(rows: Array, basis: Array) -> Widest | None:
    """Return the solution in fractions, or None where that takes too long."""
    left, right = (
        fmpq_mat([[as_fmpq(entry) for entry in line] for line in part])
        for part in (rows, basis)
    )
    columns: list[Row] = (left * right).tolist()
    floats = np.array([fractions_of(row) for row in columns], dtype=object)
    found = None
    if rows.size > MOST_UNTRIED:
        found = _suggested(columns, _Scaled(to_float_array(floats)))
    if found is None and floats.size <= MOST_ENTRIES:
        found = least_absolute(columns)
        if found is None:
            raise _inseparable()
    if found is None:
        return None
    only = is_only(columns, found)
    point, multipliers = map(fractions_of, (found.dual, found.primal))
    values = to_float_array(point), to_float_array(multipliers)
    return Widest(*values, unique=only is True, exact=True)


def _suggested(columns: list[Row], given: _Scaled) -> Corner | None:
    """Return the corner where float64 sees the solution, if it is one."""
    try:
        dual, _, _, support = _guess(given)
    except (HypothesisFailed, PrecisionLost):
        return None
    return corner_of(columns, support, np.flatnonzero(dual > ZERO * np.max(dual)))


def _guess(given: _Scaled) -> tuple[Array, Array, Array, Array]:
    """Return μ, what the tight modes add to the margins, their |ρ_j|, the support."""
    dual = _dual(given)
    tight, phases = _phases(given.columns, dual, LOOSE)
    lines = (given.columns[:, tight] * phases).real
    free = np.zeros(len(lines), bool)
    sizes = _program(np.ones(len(tight)), lines, given.sides, free).x
    return dual, lines, sizes, tight[sizes > ZERO * np.max(sizes)]


def _in_floats(given: _Scaled, basis: Array) -> Widest:
    """Return the solution in float64, polished, and what is visible of it."""
    columns, sides = given.columns, given.sides
    dual, lines, sizes, support = _guess(given)
    active = (lines @ sizes < sides * (1 + 1e-6)) | (dual > 1e-6 * np.max(dual))
    polished, multipliers = _polished(columns, sides, dual, active, support)
    force = columns.conj().T @ multipliers
    if np.min(multipliers) < -ACCEPTED or np.max(np.abs(force)) > 1 + ACCEPTED:
        # more constraints are active than needed: the polished multipliers are others
        multipliers, force = dual, columns.conj().T @ dual
    point = np.zeros(columns.shape[1], dtype=columns.dtype)
    point[support] = polished * force[support] / np.abs(force[support])
    worst = float(np.min((columns @ point).real / sides)) - 1
    value = float(np.sum(np.abs(point)))
    gap = abs(value - float(sides @ multipliers)) / value
    if not (worst > -ACCEPTED and gap < LOOSE):
        msg = (
            f"least_moduli(rows, …): the polished margins are {worst:.2g} too small, "
            f"and {gap:.2g} from the dual"
        )
        raise PrecisionLost(msg)
    unique = _is_unique(given, basis, multipliers)
    multipliers = multipliers / given.norms
    return Widest(point / given.least, multipliers, unique, exact=False)


def _phases(columns: Array, multipliers: Array, width: float) -> tuple[Array, Array]:
    """Return the modes with |s_j| = 1 up to a width, and the phases of their s_j."""
    force = columns.conj().T @ multipliers
    tight = np.flatnonzero(np.abs(force) > 1 - width)
    return tight, force[tight] / np.abs(force[tight])


def _program(objective: Array, lines: Array, sides: Array, held: Array) -> Any:
    """Minimize a linear function of r ≥ 0 under lines·r ≥ sides, = where held."""
    free = ~held
    found = scipy.optimize.linprog(
        objective,
        A_ub=-lines[free] if np.any(free) else None,
        b_ub=-sides[free] if np.any(free) else None,
        A_eq=lines[held] if np.any(held) else None,
        b_eq=sides[held] if np.any(held) else None,
        method="highs-ds",
    )
    if found.status != 0:
        msg = "least_moduli(rows, basis): the dual solution has no primal one"
        raise PrecisionLost(msg)
    return found


def _is_unique(given: _Scaled, basis: Array, multipliers: Array) -> bool:
    """Say whether it is visible that all solutions have one β.

    Solutions have the phases of the dual one, and margin b where μ > 0: a face of a
    linear program, on which opposite objectives agree only if it is one point.
    """
    below = 1 - np.abs(given.columns.conj().T @ multipliers)
    shares = multipliers / np.max(multipliers)
    unseen = (below > TIGHT) & (below < LOOSE)
    if np.any(unseen) or np.any((shares > ZERO) & (shares < LOOSE)):
        return False
    tight, phases = _phases(given.columns, multipliers, TIGHT)
    lines = (given.columns[:, tight] * phases).real
    turned = (basis[:, tight] * phases).real
    probe = np.random.default_rng(0).standard_normal(len(turned)) @ turned
    held = shares > ZERO
    try:
        ends = [
            float(_program(sign * probe, lines, given.sides, held).fun)
            for sign in (1, -1)
        ]
    except PrecisionLost:  # the face is unbounded along the probe, or not resolved
        return False
    scale = float(np.max(np.abs(probe)) * (given.sides @ multipliers))
    return bool(abs(sum(ends)) < 1e-6 * scale)


def _dual(given: _Scaled) -> Array:
    """Return argmax Σb_iμ_i with μ ≥ 0 and |(columnsᴴμ)_j| ≤ 1."""
    columns, sides = given.columns, given.sides
    if np.iscomplexobj(columns):
        return _complex_dual(columns, sides)
    constraints = np.vstack([columns.T, -columns.T])
    found = scipy.optimize.linprog(
        -sides, constraints, np.ones(len(constraints)), method="highs-ds"
    )
    if found.status != 0:
        raise _inseparable()
    return np.asarray(found.x)


def _complex_dual(columns: Array, sides: Array) -> Array:
    """Return the maximizer where the constraints are discs, by convex programming."""
    forms = np.array([np.outer(c.conj(), c).real for c in columns.T])
    start = np.full(len(columns), 0.5 / np.max(np.abs(columns).sum(axis=0)))
    found = scipy.optimize.minimize(
        lambda mu: -float(sides @ mu),
        start,
        jac=lambda mu: -sides,
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
        raise _inseparable()
    return np.asarray(found.x)


def _polished(
    columns: Array, sides: Array, multipliers: Array, active: Array, support: Array
) -> tuple[Array, Array]:
    """Solve |s_j| = 1 on the support and Re(columns·ρ) = b on the active samples.

    ρ_j = r_j s_j with s = columnsᴴμ; Newton's method for (μ, r) by least squares.
    """
    part, goal = columns[np.ix_(active, support)], sides[active]
    mu = multipliers[active]
    force = part.conj().T @ mu
    sizes = np.linalg.lstsq((part * force).real, goal, rcond=None)[0]
    for _ in range(POLISHING):
        force = part.conj().T @ mu
        lines = (part * force).real
        gap = np.concatenate([np.abs(force) ** 2 - 1, lines @ sizes - goal])
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

    The margins are Re(columns·ρ), with columns (n, p) and ρ at any scale.  With
    `off_support`, for L = 2, |s_j| ≤ 1 is asked of all j: then ρ is a global minimizer.
    The answer is the least residual over all μ, relative; 1 or more where a sample is
    misclassified.
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
    slackness = np.diag(margins / least - 1) / top**2
    tall = np.vstack([pulled.real / top, pulled.imag / top, slackness])
    goal = np.zeros(len(tall))
    goal[: len(sizes)] = sizes / top
    # every sample counts as much as any other, whatever its size
    units = np.linalg.norm(tall, axis=0)
    units = np.where(units > 0, units, 1.0)
    shares, _ = scipy.optimize.nnls(tall / units, goal, maxiter=50 * len(tall))
    multipliers = shares / units
    residual = float(np.max(np.abs(tall @ multipliers - goal)))
    if not off_support:
        return residual
    force = np.abs(columns.conj().T @ multipliers)
    return max(residual, float(np.max(force)) - 1)
