"""Coordinates in which a network of one output falls apart into scalar products.

A diagonal network has β_j = w_{1,j}⋯w_{L,j}.  An orthogonally decomposable tensor,
M(x) = Σ_j (Sx)_j u_{1,j} ⊗ … ⊗ u_{L,j} with orthonormal real u_{l,j}, has the same form
in the amplitudes a_l = U_lᵀv_l,

    β = Sᵀρ,   ρ_j = a_{1,j}⋯a_{L,j},   ȧ_{l,j} = (S F)_j Π_{k≠l} a_{k,j},

with the force F = −∇ℓ(β); the part of v_l outside of U_l never moves (Yun, Krishnan,
Mobahi 2021).  The coordinates meet only in F: for the squared loss they are independent
where SΣ_xxSᵀ is diagonal.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Any, Literal

import numpy as np

from symflow.algebra.arrays import Array, lifted, to_float_array, to_mpf_array
from symflow.algebra.numbers import context_of, to_float
from symflow.errors import HypothesisFailed
from symflow.flow.problem import Problem
from symflow.networks import (
    Diagonal,
    HadamardDifference,
    Network,
    Readout,
    SignedDiagonalNetwork,
    TensorNetwork,
    orthogonal_decomposition,
)

#: β = w_1∘⋯∘w_L, β = u_1∘⋯∘u_L − v_1∘⋯∘v_L, or β = u∘u − v∘v.
Kind = Literal["product", "difference", "squares"]

#: Digits in which a tensor is decomposed for float64.
FLOAT_DIGITS = 30


@dataclass(frozen=True, eq=False)
class Coordinates:
    """The scalar products of a network, with data and start; made by `coordinates`."""

    kind: Kind  #: ``"product"``, ``"difference"`` or ``"squares"``.
    depth: int  #: The number L of factors of a product.
    #: Shape (p,): a_l(0), one array per parameter of the network.
    amplitudes: tuple[Array, ...]
    sigma: Array  #: Shape (p,): SΣ_yxᵀ.
    gram: Array  #: Shape (p, p): SΣ_xxSᵀ.
    transform: Array | None = None  #: Shape (p, d): S; None for the identity.
    #: `factors`, `idle`, shapes (k_l, p) and (k_l,): U_l and the part of v_l that never
    #: moves.
    factors: tuple[Array, ...] = ()
    idle: tuple[Array, ...] = ()
    #: By how much a tensor fails to be orthogonally decomposable, relative.
    defect: float = 0.0

    @property
    def lam(self) -> Array:
        """The diagonal of SΣ_xxSᵀ."""
        return np.diagonal(self.gram)

    @property
    def overlap(self) -> float:
        """The largest entry of SΣ_xxSᵀ off the diagonal, relative to the largest."""
        size = max((abs(entry) for entry in self.gram.flat), default=0)
        off = self.gram - np.diag(self.lam)
        gap = max((abs(entry) for entry in off.flat), default=0)
        return to_float(gap / size) if size else 0.0

    def end_to_end(self, rho: Array) -> Array:
        """Return the row βᵀ = ρᵀS, shape (…, 1, d), for ρ of shape (…, p)."""
        beta = rho if self.transform is None else rho @ self.transform
        return np.asarray(beta[..., None, :])

    def rebuilt(self, amplitudes: tuple[Array, ...]) -> tuple[Array, ...]:
        """Return the weights, shapes (…, k_l, 1), for amplitudes of shape (…, p)."""
        if not self.factors:
            return tuple(a[..., None] for a in amplitudes)
        parts = zip(amplitudes, self.factors, self.idle, strict=True)
        return tuple((a @ U.T + rest)[..., None] for a, U, rest in parts)


def coordinates(problem: Problem, digits: int | None = None) -> Coordinates | None:
    """Return the coordinates of a problem, or None for any other network.

    That is None where the network is neither diagonal nor an orthogonally decomposable
    tensor with real factors; without `digits` the numbers are in float64.
    """
    known = kind_of(problem.flow.network)
    if known is None:
        return None
    kind, depth = known
    context = _context(digits)
    given = problem.arguments if context is None else problem.exact_arguments
    sigma_xx, sigma_yx = (lifted(array, context) for array in given)
    weights = tuple(lifted(weight.ravel(), context) for weight in problem.weights)
    if not isinstance(problem.flow.network, TensorNetwork):
        return Coordinates(kind, depth, weights, sigma_yx[0], sigma_xx)
    frame = _decomposed(problem.flow.network, digits or FLOAT_DIGITS)
    S, *factors = (lifted(array, context) for array in (frame.S, *frame.factors))
    amplitudes = tuple(U.T @ w for U, w in zip(factors, weights, strict=True))
    parts = zip(factors, weights, amplitudes, strict=True)
    idle = tuple(w - U @ a for U, w, a in parts)
    return Coordinates(
        kind,
        depth,
        amplitudes,
        S @ sigma_yx[0],
        S @ sigma_xx @ S.T,
        S,
        tuple(factors),
        idle,
        frame.defect,
    )


def kind_of(network: Any) -> tuple[Kind, int] | None:
    """Return which kind of network it is, and its depth L ≥ 2."""
    if isinstance(network, HadamardDifference):
        return "squares", 2
    if isinstance(network, SignedDiagonalNetwork):
        return ("difference", network.layers) if network.layers >= 2 else None
    if isinstance(network, TensorNetwork):
        real = network.depth >= 2 and _decomposed(network, FLOAT_DIGITS) is not None
        return ("product", network.depth) if real else None
    if not isinstance(network, Network) or network.depth < 2:
        return None
    *inner, last = network.layers
    full = isinstance(last, Readout) and last.support in (None, last.inputs)
    diagonal = all(isinstance(layer, Diagonal) for layer in inner)
    return ("product", network.depth) if full and diagonal else None


@dataclass(frozen=True, eq=False)
class _Frame:
    S: Array
    factors: tuple[Array, ...]
    defect: float


@lru_cache(maxsize=32)
def _decomposed(network: TensorNetwork, digits: int) -> Any:
    """Return S and the real U_l to some digits, or None where there are none.

    Contracted with numbers in all modes but two, M is U_1 diag(c) U_2ᵀ; the other
    factors follow by contraction with a pair of columns.
    """
    tensor = network.as_tensor()
    try:
        rough = orthogonal_decomposition(to_float_array(tensor))
    except HypothesisFailed:
        return None
    if any(map(np.iscomplexobj, rough.factors)) or not len(rough.S):
        return None
    context, count = _context(digits + 10), len(rough.S)
    fine = to_mpf_array(tensor, context)
    rest = [_generic(size, context) for size in fine.shape[3:]]
    first = _contract(fine, [_generic(len(fine), context), None, None, *rest])
    left, _, right = context.svd_r(context.matrix(first.tolist()))
    factors = [_matrix(left)[:, :count], _matrix(right)[:count].T]
    for mode in range(3, fine.ndim):
        others = [_generic(len(fine), context), None, None, *rest]
        others[mode] = None
        found = [
            _contract(fine, [others[0], u, v, *others[3:]])
            for u, v in zip(factors[0].T, factors[1].T, strict=True)
        ]
        factors.append(np.stack([c / (c @ c) ** 0.5 for c in found], axis=1))
    columns = zip(*(factor.T for factor in factors), strict=True)
    S = np.stack([_contract(fine, [None, *terms]) for terms in columns])
    gap = fine - _composed([S.T, *factors])
    size = max(abs(entry) for entry in fine.flat)
    defect = to_float(max(abs(entry) for entry in gap.flat) / size)
    noise = 10.0 ** (3 - digits)
    return _Frame(S, tuple(factors), defect if defect > noise else 0.0)


def _contract(tensor: Array, vectors: list[Any]) -> Array:
    """Contract the modes for which there is a vector, the last one first."""
    for mode in reversed(range(len(vectors))):
        if vectors[mode] is not None:
            tensor = np.tensordot(tensor, vectors[mode], axes=(mode, 0))
    return np.asarray(tensor)


def _composed(factors: list[Array]) -> Array:
    """Return Σ_j f_{0,j} ⊗ f_{1,j} ⊗ …."""
    terms = zip(*(factor.T for factor in factors), strict=True)
    return np.asarray(sum(reduce(np.multiply.outer, columns) for columns in terms))


def _generic(size: int, context: Any) -> Array:
    """Return numbers without a special relation: 1/(1 + √2 k) for k = 1, 2, …."""
    root = context.sqrt(2)
    return np.array([1 / (1 + root * k) for k in range(1, size + 1)], dtype=object)


def _matrix(matrix: Any) -> Array:
    return np.array(matrix.tolist(), dtype=object)


def _context(digits: int | None) -> Any:
    return None if digits is None else context_of(digits)
