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
from itertools import pairwise
from typing import Any

import numpy as np
from flint import fmpq_mat

from symflow.algebra.arrays import Array, lifted, map_entries, to_float_array
from symflow.algebra.eigensystem import eigensystem
from symflow.algebra.numbers import as_fraction, context_of, to_float
from symflow.algebra.rational import to_flint
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
#: Weights up to which directions that are not excited are counted exactly.
MOST_ROWS = 24


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
    network: Any = problem.flow.network
    n = problem.size
    layered = isinstance(network, Network | TensorNetwork) and network.depth == 2
    signed = isinstance(network, SignedDiagonalNetwork) and network.layers == 2
    few = n <= MOST_WEIGHTS and n * n * problem.widths[0] <= MOST_NUMBERS
    known = layered or signed or isinstance(network, HadamardDifference)
    if not (known and few and problem.widths[-1] == 1):
        return None
    d, forms = problem.widths[0], np.zeros((problem.widths[0], n, n), dtype=object)
    if layered:
        whole = sized(problem) if isinstance(network, Network) else network
        tensor = np.asarray(whole.as_tensor(), dtype=object)
        tensor = map_entries(lambda entry: as_fraction(entry) or entry, tensor)
        forms[:, : tensor.shape[1], tensor.shape[1] :] = tensor
        return forms + np.swapaxes(forms, 1, 2)
    for i in range(d):  # u_1∘u_2 − v_1∘v_2, or u∘u − v∘v
        for k, value in ((i, 1), (i + n // 2, -1)):
            other = k + d if signed else k
            forms[i, k, other] += value
            forms[i, other, k] += value
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
    forms = quadratic_forms(problem)
    assert forms is not None
    for _ in range(DOUBLINGS):
        digits = digits + GUARD
        found = _measured(problem, forms, digits)
        if found.decided:
            break
        digits = 2 * digits
    return found


def _measured(problem: Problem, forms: Array, digits: int) -> Excitation:
    """Return the excitation to some digits, and count what they cannot tell."""
    context, exactly = context_of(digits), problem.rational
    at = exactly or problem.at(digits)
    z, x = np.concatenate([w.ravel() for w in at.weights]), sample(at)[0]
    fine, noise = lifted(forms, context), context.mpf(10) ** (GUARD - digits)
    theta, basis = eigensystem(
        np.tensordot(lifted(x, context), fine, axes=(0, 0)), context
    )
    amounts = basis.T @ lifted(z, context)
    top, size = max(map(abs, theta)), context.sqrt((amounts * amounts).sum())
    theta = np.array([s if abs(s) > noise * top else 0 * s for s in theta])
    cuts = [k for k in range(1, len(theta)) if theta[k] - theta[k - 1] > noise * top]
    parts = [context.sqrt((a * a).sum()) for a in np.split(amounts, cuts)]
    kept = np.array([part > noise * size for part in parts])
    lengths = np.diff([0, *cuts, len(theta)])
    amounts = np.where(np.repeat(kept, lengths), amounts, 0 * top)
    least = min(np.array(parts)[kept], default=size)
    visible = to_float(least / size) if size else 0.0
    groups, whole = (len(parts), sum(kept)), (len(parts) == len(theta), all(kept))
    counts = problem.remembered(("counts", whole), lambda: _counts(problem, *whole))
    told = [count in (None, n) for count, n in zip(counts, groups, strict=True)]
    sure = [done or counts[k] == groups[k] for k, done in enumerate(whole)]
    distinct, known = sure[0] and told[0], all(sure) and all(told)
    return Excitation(fine, basis, theta, amounts, all(told), known, distinct, visible)


def _counts(problem: Problem, apart: bool, full: bool) -> tuple[Any, Any]:
    """Return how many eigenvalues K has, and how many a start excites; None if unknown.

    What digits show to be `apart`, or excited in `full`, needs no count.  The second is
    the rank of z, Kz, K²z, ….
    """
    entries = (entry for array in problem.data.values() for entry in array.flat)
    if any(as_fraction(entry) is None for entry in entries) or (apart and full):
        return None, None
    rational, forms = problem.rational, quadratic_forms(problem)
    assert forms is not None
    x = sample(rational or problem.sharp)[0]
    matrix = to_flint(np.tensordot(x, forms, axes=(0, 0)))
    assert matrix is not None
    poly = matrix.charpoly()
    count = None if apart else poly.degree() - poly.gcd(poly.derivative()).degree()
    if full or rational is None or matrix.nrows() > MOST_ROWS:
        return count, None
    column = to_flint(np.concatenate([w.ravel() for w in rational.weights])[:, None])
    assert column is not None
    columns: list[Any] = []
    while fmpq_mat([*columns, column.entries()]).rank() > len(columns):
        columns.append(column.entries())
        column = matrix * column
    return count, len(columns)


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
