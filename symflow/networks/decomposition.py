"""Orthogonal decompositions of a tensor, M(x) = Σ_j (Sx)_j u_{1,j} ⊗ … ⊗ u_{L,j}.

Contracted with generic complex vectors in all modes but two, such a tensor becomes
U_1 diag(c) U_2ᵀ, whose singular vectors are the factors because the |c_j| differ.  The
others follow by contraction with conjugates.  For a real M with generic x, y the matrix
M_xM_yᵀ is U_1 diag(c) U_1* then; such matrices commute, exactly for exact numbers.

A circulant tensor has the Fourier basis as complex factors, for a real M; factors are
returned real where they can be.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symflow.algebra.arrays import is_exact_array
from symflow.errors import HypothesisFailed, InvalidData, ShapeMismatch

#: Relative residual up to which a tensor counts as decomposable: rounding leaves 1e-14.
TOLERANCE = 1e-13
_SEED, _TRIALS, _SWEEPS = 20240229, 8, 4


@dataclass(frozen=True, eq=False)
class OrthogonalDecomposition:
    """The factors of M(x) = Σ_j (Sx)_j u_{1,j} ⊗ … ⊗ u_{L,j}."""

    S: NDArray[Any]  #: Shape (m, d): the map of the inputs.
    #: Shape (k_l, m): orthonormal columns u_{l,j}; complex where M has no real ones.
    factors: tuple[NDArray[Any], ...]
    residual: float  #: ‖M − Σ_j s_j ⊗ u_{1,j} ⊗ …‖ relative to ‖M‖.

    def tensor(self) -> NDArray[Any]:
        """Return the tensor that the factors make.

        Returns
        -------
        ndarray, shape (d, k_1, …, k_L)
            Equal to M up to the residual.
        """
        return _compose([self.S.T, *self.factors])


def orthogonal_decomposition(M: Any) -> OrthogonalDecomposition:
    """Find S and orthonormal U_1, …, U_L with M(x) = Σ_j (Sx)_j u_{1,j} ⊗ … ⊗ u_{L,j}.

    Parameters
    ----------
    M : array_like, shape (d, k_1, …, k_L)
        Real or complex.  Exact numbers must be decomposable exactly.

    Returns
    -------
    OrthogonalDecomposition
        With the residual of the decomposition.

    Raises
    ------
    HypothesisFailed
        If M is not orthogonally decomposable; the message says by how much.
    InvalidData
        If an entry is not a finite number, or rows have different lengths.
    ShapeMismatch
        If M has fewer than two dimensions, or no entries.

    Examples
    --------
    >>> import symflow as sf
    >>> M = sf.ConvolutionalNetwork(4, filters=(4, 4)).as_tensor()
    >>> found = orthogonal_decomposition(M)
    >>> found.S.shape, found.residual < 1e-13
    ((4, 4), True)
    """
    try:
        given = array = np.asarray(M)
        array = array.astype(complex if np.iscomplexobj(array) else float)
    except (TypeError, ValueError, OverflowError, MemoryError) as problem:
        why = str(problem) or "too many"
        msg = f"orthogonal_decomposition(M): needs an array of numbers; {why}"
        raise InvalidData(msg) from None
    if not np.all(np.isfinite(array)):
        msg = "orthogonal_decomposition(M): every entry has to be finite"
        raise InvalidData(msg)
    if array.ndim < 2 or array.size == 0:
        msg = (
            "orthogonal_decomposition(M): needs an array of shape (d, k_1, …, k_L); "
            f"got one of shape {array.shape}"
        )
        raise ShapeMismatch(msg)
    size = float(np.linalg.norm(array))
    if size == 0:
        empty = tuple(np.zeros((k, 0)) for k in array.shape[1:])
        return OrthogonalDecomposition(np.zeros((0, array.shape[0])), empty, 0.0)
    if array.ndim > 2 and is_exact_array(given) and not _commutes(given):
        msg = (
            "orthogonal_decomposition(M): M is not orthogonally decomposable: its "
            "slices M_xM_yᵀ do not commute, exactly"
        )
        raise HypothesisFailed(msg)
    factors = _sharpened(array, _candidates(array))
    found = _finished(array, factors, size)
    if found.residual > TOLERANCE:
        msg = (
            "orthogonal_decomposition(M): M is not orthogonally decomposable; the best "
            f"candidate leaves {found.residual:.2g} of its norm"
        )
        raise HypothesisFailed(msg)
    return found


def _commutes(array: NDArray[Any]) -> bool:
    """Say whether M_xM_yᵀ and M_zM_wᵀ commute for every two modes, at random x, …."""
    rng = np.random.default_rng(_SEED)
    for pair in permutations(range(1, array.ndim), 2):
        slices = np.moveaxis(array, pair, (-2, -1))
        slices = slices.reshape(-1, *slices.shape[-2:])
        draws = rng.integers(-99, 100, (4, len(slices))).astype(object)
        first, second, third, last = np.tensordot(draws, slices, axes=(1, 0))
        one, other = first @ second.T, third @ last.T
        if np.any(one @ other != other @ one):
            return False
    return True


def _candidates(array: NDArray[Any]) -> list[NDArray[Any]]:
    """Return first factors from the contraction with the best separated spectrum."""
    if array.ndim == 2:
        rank = np.linalg.matrix_rank(array)
        return [np.linalg.svd(array, full_matrices=False)[2].T[:, :rank]]
    rng = np.random.default_rng(_SEED)
    best, gap = None, -1.0
    for _ in range(_TRIALS):
        matrix = np.tensordot(_complex(rng, array.shape[0]), array, axes=(0, 0))
        for _ in range(array.ndim - 3):
            matrix = np.tensordot(matrix, _complex(rng, matrix.shape[-1]), axes=(-1, 0))
        left, values, right = np.linalg.svd(matrix, full_matrices=False)
        rank = int(np.sum(values > 1e-9 * values[0]))
        gaps = -np.diff(values[:rank]) / values[0]
        if rank and (quality := float(np.min(gaps, initial=1.0))) > gap:
            best, gap = [left[:, :rank], right[:rank].T], quality
    assert best is not None
    return best


def _sharpened(array: NDArray[Any], known: list[NDArray[Any]]) -> list[NDArray[Any]]:
    """Complete the factors and improve each from the others, as power iterations do."""
    count = array.ndim - 1
    while len(known) < count:
        known.append(_next_factor(array, known))
    for _ in range(_SWEEPS if count > 1 else 0):
        rows = _inputs(array, known)
        for mode in range(count):
            others = [rows.T, *known]
            gathered = _contract_all_but(array, others, mode + 1)
            left, _, right = np.linalg.svd(gathered, full_matrices=False)
            known[mode] = left @ right
    return known


def _next_factor(array: NDArray[Any], known: list[NDArray[Any]]) -> NDArray[Any]:
    """Return the factor of the next mode: leading vectors of what is left per term."""
    columns = []
    mode = len(known) + 1
    for term in range(known[0].shape[1]):
        part = array
        for factor in known:
            part = np.tensordot(part, factor[:, term].conj(), axes=(1, 0))
        flat = np.moveaxis(part, 1, 0).reshape(array.shape[mode], -1)
        columns.append(np.linalg.svd(flat, full_matrices=False)[0][:, 0])
    return np.stack(columns, axis=1)


def _inputs(array: NDArray[Any], factors: list[NDArray[Any]]) -> NDArray[Any]:
    """Return S: row j is M contracted with the conjugates of the j-th factors."""
    return _contract_all_but(array, [np.empty(0), *factors], 0).T


def _contract_all_but(
    array: NDArray[Any], factors: list[NDArray[Any]], free: int
) -> NDArray[Any]:
    """Return, for every term, M contracted with conjugates in all modes but one."""
    operands: list[Any] = [array, list(range(array.ndim))]
    for mode, factor in enumerate(factors):
        if mode != free:
            operands += [factor.conj(), [mode, array.ndim]]
    result: NDArray[Any] = np.einsum(*operands, [free, array.ndim], optimize=True)
    return result


def _finished(
    array: NDArray[Any], factors: list[NDArray[Any]], size: float
) -> OrthogonalDecomposition:
    turned = [_phased(factor) for factor in factors]
    if not np.iscomplexobj(array):
        turned = [f.real if np.allclose(f.imag, 0, atol=1e-9) else f for f in turned]
    rows = _inputs(array, turned)
    if not np.iscomplexobj(array) and not any(map(np.iscomplexobj, turned)):
        rows = rows.real
    gap = float(np.linalg.norm(array - _compose([rows.T, *turned]))) / size
    skew = max(
        float(np.linalg.norm(f.conj().T @ f - np.eye(f.shape[1]))) for f in turned
    )
    return OrthogonalDecomposition(rows, tuple(turned), max(gap, skew))


def _phased(factor: NDArray[Any]) -> NDArray[Any]:
    """Make the largest entry of every column positive: real columns become real."""
    place = np.argmax(np.abs(factor), axis=0)
    top = factor[place, np.arange(factor.shape[1])]
    return np.asarray(factor * (np.abs(top) / top))


def _compose(factors: list[NDArray[Any]]) -> NDArray[Any]:
    operands: list[Any] = []
    for mode, factor in enumerate(factors):
        operands += [factor, [mode, len(factors)]]
    result: NDArray[Any] = np.einsum(
        *operands, list(range(len(factors))), optimize=True
    )
    return result


def _complex(rng: np.random.Generator, size: int) -> NDArray[Any]:
    return rng.standard_normal(size) + 1j * rng.standard_normal(size)
