"""One sample, and a model that is quadratic in its weights: the flow is linear in ξ.

A network of two layers and one output, whatever tensor it is, has β_i = ½zᵀK_iz in all
weights z, with constant symmetric K_i.  One sample x pulls along K = Σx_iK_i alone:
with ξ(t) the integral of its force,

    dz/dξ = Kz,   z = Σ_k c_k e^{θ_kξ} q_k,   f = ⟨β, x⟩ = ½Σθ_k c_k² e^{2θ_kξ},

for Kq_k = θ_kq_k.  For f = v_1ᵀM(x)v_2 the θ are ± the singular values of M(x) and
zeros, so that pairs of singular vectors rotate hyperbolically (Yun, Krishnan, Mobahi
2021).  What the start does not excite, c_k = 0, it never does.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations_with_replacement, pairwise
from typing import Any

import numpy as np
from flint import fmpq_mat

from symflow.algebra.arrays import Array, lifted, to_float_array
from symflow.algebra.eigensystem import eigensystem
from symflow.algebra.numbers import as_fraction, context_of, to_float
from symflow.algebra.rational import to_flint
from symflow.algebra.values import Values
from symflow.flow.problem import Problem
from symflow.flow.start import sized
from symflow.losses import SquaredLoss
from symflow.networks import (
    HadamardDifference,
    Network,
    SignedDiagonalNetwork,
    TensorNetwork,
)

#: Weights, and numbers in all K_i, up to which they are formed.
MOST_WEIGHTS, MOST_NUMBERS = 64, 60_000
#: Digits that tell zero from small beyond those asked for, and how often they double.
GUARD, DOUBLINGS = 15, 4


@dataclass(frozen=True, eq=False)
class Excitation:
    """The start in eigenvectors of K, in mpf: K_i, q_k as columns, θ_k rising and c_k.

    What is excited is `decided`, and `sure` for the numbers as they were given, as the
    eigenvalues are `distinct`; the least excited part, of the start, is `visible`.
    """

    forms: Array
    basis: Array
    theta: Array
    amounts: Array
    decided: bool
    sure: bool
    distinct: bool
    visible: float

    @property
    def moving(self) -> Array:
        """Which directions are excited and move."""
        return np.asarray((self.amounts != 0) & (self.theta != 0))

    @property
    def top(self) -> Array:
        """Which of them have the largest θ_k."""
        context = self.theta[0].context
        near = context.mpf(10) ** (GUARD - context.dps) * max(map(abs, self.theta))
        gaps = max(self.theta[self.moving]) - self.theta
        return np.asarray(self.moving & (gaps <= near))

    def weights(self, xi: Any) -> Array:
        """Return z at one ξ, shape (n,)."""
        exp, pairs = xi.context.exp, zip(self.theta, self.amounts, strict=True)
        grown = [exp(theta * xi) * c if c else c for theta, c in pairs]
        return np.asarray(self.basis @ np.array(grown))

    def row(self, z: Array) -> Array:
        """Return βᵀ, shape (…, 1, d), for z of shape (…, n), also of floats."""
        forms = self.forms if z.dtype == object else to_float_array(self.forms)
        pulled = np.tensordot(z, forms, axes=(-1, 1))
        return np.asarray((pulled * z[..., None, :]).sum(axis=-1)[..., None, :] / 2)


def quadratic_forms(problem: Problem) -> Array | None:
    """Return the K_i, shape (d, n, n), as exact numbers.

    None for a model that is not known to be quadratic with one output, or is large.
    """
    return problem.remembered("quadratic forms", lambda: _forms(problem))


def _forms(problem: Problem) -> Array | None:
    network, n = problem.flow.network, problem.size
    layered = isinstance(network, Network | TensorNetwork) and network.depth == 2
    signed = isinstance(network, SignedDiagonalNetwork) and network.layers == 2
    few = n <= MOST_WEIGHTS and n * n * problem.widths[0] <= MOST_NUMBERS
    known = layered or signed or isinstance(network, HadamardDifference)
    if not (known and few and problem.widths[-1] == 1):
        return None
    if isinstance(network, Network):
        network = sized(problem)
    pairs, eye = list(combinations_with_replacement(range(n), 2)), np.eye(n, dtype=int)
    points = [*eye, *(eye[i] + eye[j] for i, j in pairs)]
    parts = split(np.array(points).astype(object), problem.weights)
    leaves = dict(zip(network.parameters, parts, strict=True))
    beta = Values(leaves, lambda number: as_fraction(number) or number * 1)
    values = beta.of(network.end_to_end_node)[:, 0, :]
    forms = np.zeros((problem.widths[0], n, n), dtype=object)
    for (i, j), value in zip(pairs, values[n:], strict=True):
        forms[:, i, j] = forms[:, j, i] = value - values[i] - values[j]
    return forms


def split(z: Array, like: tuple[Array, ...]) -> tuple[Array, ...]:
    """Return the weights, of shapes (…, rows, columns), of z of shape (…, n)."""
    ends = np.cumsum([0, *(weight.size for weight in like)])
    parts = zip(pairwise(ends), like, strict=True)
    return tuple(z[..., i:j].reshape(*z.shape[:-1], *w.shape) for (i, j), w in parts)


def sample(problem: Problem) -> tuple[Array, tuple[Any, ...], Any]:
    """Return x, the pull, and by how much the data are more than one sample, relative.

    For the squared loss Σ_xx = λxxᵀ and Σ_yx = σxᵀ with the pull (σ, λ); otherwise x is
    the first sample times its label, without a pull.
    """
    if not isinstance(problem.flow.loss, SquaredLoss):
        rows = problem.data["Y"] * problem.data["X"]
        return rows[0], (), len(rows) - 1
    sigma_xx, sigma_yx = problem.exact_arguments
    first = int(np.argmax(np.diagonal(sigma_xx)))
    lam, sigma = sigma_xx[first, first], sigma_yx[0, first]
    if not lam:
        return sigma_xx[first], (sigma, lam), 1
    x = sigma_xx[first] / lam
    rest = sigma_xx - lam * np.multiply.outer(x, x), sigma_yx[0] - sigma * x
    tops = [abs(part).max() for part in (*rest, sigma_yx)]
    return x, (sigma, lam), max(tops[0] / lam, tops[1] / (tops[2] or 1))


def excitation(problem: Problem, digits: int) -> Excitation:
    """Return what one sample excites; the model has quadratic forms."""
    made = ("excitation", digits)
    return problem.remembered(made, lambda: _excitation(problem, digits))


def _excitation(problem: Problem, digits: int) -> Excitation:
    rational, forms = problem.rational, quadratic_forms(problem)
    assert forms is not None
    matrix = to_flint(np.tensordot(sample(problem.sharp)[0], forms, axes=(0, 0)))
    entries = (entry for array in problem.data.values() for entry in array.flat)
    known = None
    if matrix is not None and all(as_fraction(entry) is not None for entry in entries):
        known = int(matrix.minpoly().degree())
    count = None if rational is None else _excited(rational, matrix)
    for _ in range(DOUBLINGS):
        digits = digits + GUARD
        at = rational or problem.at(digits)
        found = _measured(at, forms, digits, count, known)
        if found.decided:
            break
        digits = 2 * digits
    return found


def _excited(problem: Problem, matrix: fmpq_mat | None) -> int | None:
    """Return how many distinct eigenvalues are excited: the rank of z, Kz, K²z, …."""
    column = to_flint(np.concatenate([w.ravel() for w in problem.weights])[:, None])
    if matrix is None or column is None:
        return None
    columns: list[Any] = []
    while fmpq_mat([*columns, column.entries()]).rank() > len(columns):
        columns.append(column.entries())
        column = matrix * column
    return len(columns)


def _measured(
    problem: Problem, forms: Array, digits: int, count: int | None, known: int | None
) -> Excitation:
    """Return the excitation to some digits.

    It is held against the numbers of eigenvalues, of those excited and of all `known`.
    """
    context, z = (
        context_of(digits),
        np.concatenate([w.ravel() for w in problem.weights]),
    )
    fine, noise = lifted(forms, context), context.mpf(10) ** (GUARD - digits)
    along = np.tensordot(lifted(sample(problem)[0], context), fine, axes=(0, 0))
    theta, basis = eigensystem(along, context)
    amounts = basis.T @ lifted(z, context)
    top, size = max(map(abs, theta)), context.sqrt((amounts * amounts).sum())
    theta = np.array([s if abs(s) > noise * top else 0 * s for s in theta])
    cuts = [k for k in range(1, len(theta)) if theta[k] - theta[k - 1] > noise * top]
    parts = [context.sqrt((a * a).sum()) for a in np.split(amounts, cuts)]
    kept = np.array([part > noise * size for part in parts])
    lengths = np.diff([0, *cuts, len(theta)])
    amounts = np.where(np.repeat(kept, lengths), amounts, 0 * top)
    least = min(np.array(parts)[kept], default=size)
    distinct, told = known in (None, len(parts)), count in (None, sum(kept))
    facts = told and distinct, count == sum(kept), known == len(parts)
    visible = to_float(least / size) if size else 0.0
    return Excitation(fine, basis, theta, amounts, *facts, visible)


def crossing(theta: Any, squares: Any, goal: Any) -> Any:
    """Return the ξ at which f, of θ_k ≠ 0 and c_k² > 0, has a value that it reaches."""
    pairs, context = list(zip(theta, squares, strict=True)), goal.context
    top = max(map(abs, theta))

    def gap(xi: Any) -> Any:
        return goal - sum(context.exp(2 * s * xi) * s * c for s, c in pairs) / 2

    side = 1 if gap(context.zero) > 0 else -1
    far = side / top
    while side * gap(far) > 0:
        far = 2 * far
    low, high = sorted((context.zero, far))
    # |f''| is at most 2 max|θ| f′, so that Newton's method converges from there
    while high - low > 1 / (16 * top):
        middle = (low + high) / 2
        low, high = (middle, high) if gap(middle) > 0 else (low, middle)
    xi = (low + high) / 2
    for _ in range(context.prec.bit_length() + 3):
        xi += gap(xi) / sum(context.exp(2 * s * xi) * s * s * c for s, c in pairs)
    return xi
