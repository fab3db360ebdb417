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
    """The start in the eigenvectors of K, in mpf; made by `excitation`.

    Parameters
    ----------
    forms : array, shape (d, n, n)
        The K_i.
    basis, theta, amounts : arrays, shapes (n, n), (n,) and (n,)
        The q_k as columns, θ_k rising, and c_k: zero where q_k is not excited.
    decided, sure : bool
        Whether what is excited is known, and about the numbers as they were given.
    visible : float
        The least part that is excited, relative to the start.
    """

    forms: Array
    basis: Array
    theta: Array
    amounts: Array
    decided: bool
    sure: bool
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

    def ends(self) -> tuple[bool, bool]:
        """Say whether f falls without bound as ξ → −∞, and grows as ξ → ∞."""
        theta = self.theta[self.moving]
        return bool(any(theta < 0)), bool(any(theta > 0))

    def weights(self, xi: Any) -> Array:
        """Return z at one ξ, shape (n,)."""
        exp = self.theta[0].context.exp
        grown = [
            exp(s * xi) * c if c else c
            for s, c in zip(self.theta, self.amounts, strict=True)
        ]
        return np.asarray(self.basis @ np.array(grown))

    def row(self, z: Array) -> Array:
        """Return βᵀ, shape (…, 1, d), for z of shape (…, n), also of floats."""
        forms = self.forms if z.dtype == object else to_float_array(self.forms)
        pulled = np.tensordot(z, forms, axes=(-1, 1))
        return np.asarray((pulled * z[..., None, :]).sum(axis=-1)[..., None, :] / 2)


def quadratic_forms(problem: Problem) -> Array | None:
    """Return the K_i, shape (d, n, n), as exact numbers.

    None for a model that is not known to be quadratic with one output, or is large.

    Examples
    --------
    >>> import symflow as sf
    >>> from symflow.flow.problem import bind
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> forms = quadratic_forms(bind(flow, sf.Dataset([[2]], [1]), ([[1]], [[1]])))
    >>> forms.astype(int).tolist()
    [[[0, 1], [1, 0]]]
    """
    return problem.remembered("quadratic forms", lambda: _forms(problem))


def _forms(problem: Problem) -> Array | None:
    network, n = problem.flow.network, problem.size
    if isinstance(network, SignedDiagonalNetwork):
        quadratic = network.layers == 2
    else:
        layered = isinstance(network, Network | TensorNetwork) and network.depth == 2
        quadratic = layered or isinstance(network, HadamardDifference)
    few = n <= MOST_WEIGHTS and n * n * problem.widths[0] <= MOST_NUMBERS
    if not (quadratic and few and problem.widths[-1] == 1):
        return None
    if isinstance(network, Network):
        network = sized(problem)
    pairs = list(combinations_with_replacement(range(n), 2))
    points = np.zeros((n + len(pairs), n), dtype=object)
    for row, places in enumerate([*((k,) for k in range(n)), *pairs]):
        for place in places:
            points[row, place] += 1
    parts = split(points, problem.weights)
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
    sizes = [sigma_xx[k, k] for k in range(len(sigma_xx))]
    first = sizes.index(max(sizes))
    lam, sigma = sizes[first], sigma_yx[0, first]
    if not lam:
        return sigma_xx[first], (sigma, lam), 1
    x = sigma_xx[first] / lam
    rest = sigma_xx - lam * np.multiply.outer(x, x), sigma_yx[0] - sigma * x
    tops = [abs(part).max() for part in (*rest, sigma_yx)]
    return x, (sigma, lam), max(tops[0] / lam, tops[1] / (tops[2] or 1))


def excitation(problem: Problem, digits: int) -> Excitation:
    """Return what one sample excites; the model has quadratic forms.

    How many eigenvalues are excited is the dimension of the span of z, Kz, K²z, ….
    """
    return problem.remembered(
        ("excitation", digits), lambda: _excitation(problem, digits)
    )


def _excitation(problem: Problem, digits: int) -> Excitation:
    rational, forms = problem.rational, quadratic_forms(problem)
    assert forms is not None
    count = None if rational is None else _excited(rational, forms)
    found = None
    for _ in range(DOUBLINGS):
        digits = digits + GUARD
        found, groups = _measured(rational or problem.at(digits), forms, digits, count)
        if count in (None, groups):
            break
        digits = 2 * digits
    assert found is not None
    return found


def _excited(problem: Problem, forms: Array) -> int | None:
    """Return how many distinct eigenvalues a rational start excites."""
    x, _, _ = sample(problem)
    matrix = to_flint(np.tensordot(x, forms, axes=(0, 0)))
    column = to_flint(np.concatenate([w.ravel() for w in problem.weights])[:, None])
    if matrix is None or column is None:
        return None
    columns: list[Any] = []
    while True:
        columns.append(column.entries())
        if fmpq_mat(columns).rank() < len(columns):
            return len(columns) - 1
        column = matrix * column


def _measured(
    problem: Problem, forms: Array, digits: int, count: int | None
) -> tuple[Excitation, int]:
    """Return the excitation to some digits, and how many eigenvalues it has."""
    context = context_of(digits)
    x, _, _ = sample(problem)
    fine = lifted(forms, context)
    along = np.tensordot(lifted(x, context), fine, axes=(0, 0))
    theta, basis = eigensystem(along, context)
    z = np.concatenate([lifted(w.ravel(), context) for w in problem.weights])
    amounts, noise = basis.T @ z, context.mpf(10) ** (GUARD - digits)
    top, size = max(map(abs, theta)), context.sqrt((z * z).sum())
    theta = np.array([s if abs(s) > noise * top else 0 * s for s in theta])
    cuts = [k for k in range(1, len(theta)) if theta[k] - theta[k - 1] > noise * top]
    parts = [context.sqrt((part * part).sum()) for part in np.split(amounts, cuts)]
    kept = [part > noise * size for part in parts]
    lengths = np.diff([0, *cuts, len(theta)])
    amounts = np.where(np.repeat(kept, lengths), amounts, 0 * top)
    least = min((p for p, good in zip(parts, kept, strict=True) if good), default=size)
    groups = sum(kept)
    visible = to_float(least / size) if size else 0.0
    told = count in (None, groups), count == groups
    return Excitation(fine, basis, theta, amounts, *told, visible), groups


def crossing(theta: Any, squares: Any, goal: Any) -> Any:
    """Return the ξ at which f, of the θ_k ≠ 0 and c_k² > 0, is a value that it reaches.

    Examples
    --------
    >>> import mpmath
    >>> one = mpmath.mpf(1)
    >>> bool(abs(crossing([one, -one], [one, one], mpmath.sinh(6)) - 3) < 1e-14)
    True
    """
    pairs, context = list(zip(theta, squares, strict=True)), goal.context
    top, zero = max(map(abs, theta)), context.zero

    def gap(xi: Any) -> Any:
        return goal - sum(context.exp(2 * s * xi) * s * c for s, c in pairs) / 2

    side = 1 if gap(zero) > 0 else -1
    far = side / top
    while side * gap(far) > 0:
        far = 2 * far
    low, high = sorted((zero, far))
    # |f''| is at most 2 max|θ| f′, so that Newton's method converges from there
    while high - low > 1 / (16 * top):
        middle = (low + high) / 2
        low, high = (middle, high) if gap(middle) > 0 else (low, middle)
    xi = (low + high) / 2
    for _ in range(context.prec.bit_length() + 3):
        xi += gap(xi) / sum(context.exp(2 * s * xi) * s * s * c for s, c in pairs)
    return xi
