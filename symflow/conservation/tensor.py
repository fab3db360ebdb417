"""The laws of one component each that tensor networks have, and their frozen parts.

For f(x) = M(x) ∘ (v_1, …, v_L) the chain rule reads v̇_l = Σ_i F_i M_i ∘ (…, I, …), with
mode l free.  A symmetric matrix P_l of size k_l hence gives

    d/dt v_lᵀP_l v_l = 2 Σ_i F_i (M_i ×_l P_l) ∘ (v_1, …, v_L),

and v_{l+1}ᵀP_{l+1}v_{l+1} − v_lᵀP_l v_l is conserved, for every loss and data set,
exactly when M ×_l P_l = M ×_{l+1} P_{l+1}.  Identity matrices give the norms of generic
tensors.  For an orthogonally decomposable M(x) = Σ_j (Sx)_j u_{1,j} ⊗ … ⊗ u_{L,j} so do
P_l = Re(ū_{l,j} u_{l,j}ᵀ), for every j: |u_{l+1,j}ᵀv_{l+1}|² − |u_{l,j}ᵀv_l|².
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array, map_entries
from symflow.algebra.nodes import Leaf, Node, product, scale, subtract
from symflow.algebra.numbers import as_fraction
from symflow.algebra.tensors import Constant, Kronecker
from symflow.algebra.threads import cached_property
from symflow.claims import Hypothesis, Path, Status
from symflow.conservation.law import Law
from symflow.conservation.proof import ProofStep, entrywise_step
from symflow.conservation.symmetries import pace_of
from symflow.errors import HypothesisFailed
from symflow.flow import GradientFlow
from symflow.networks import AbstractNetwork, TensorNetwork, orthogonal_decomposition

#: Denominators up to this size are looked for in the projections of a decomposition.
LARGEST_DENOMINATOR = 10_000
#: How closely a fraction has to meet a rounded entry before it is tried exactly.
CLOSE = 1e-11


@dataclass(frozen=True, repr=False)
class ComponentLaw(Law):
    """The law of the components |u_{l,j}ᵀv_l|² of an orthogonally decomposable tensor.

    Examples
    --------
    >>> import symflow as sf
    >>> net = sf.TensorNetwork(sf.DiagonalNetwork(2, depth=2).as_tensor())
    >>> law = sf.conserved(sf.gradient_flow(net, sf.SquaredLoss()))[1]
    >>> law.value([[[1], [2]], [[3], [5]]]).ravel().tolist()
    [8.0, 21.0]
    """

    flow: GradientFlow  #: Its network is a tensor network.
    layer: int  #: The first of the two layers, counted from 1.

    scope = "for every loss and data set"

    @property
    def name(self) -> str:
        return f"components Δ{self.layer}"

    @property
    def involved(self) -> tuple[int, ...]:
        return self.layer - 1, self.layer

    @cached_property
    def node(self) -> Node:
        """One entry per term of the decomposition."""
        first, second = (
            scale(1 / self.flow.speed(place), self._squares(place))
            for place in self.involved
        )
        return subtract(second, first)

    @property
    def hypotheses(self) -> tuple[Hypothesis, ...]:
        """That M is orthogonally decomposable, and how exactly."""
        words, defect = "M is orthogonally decomposable", self.defect
        detail = f"up to {defect:.1e}" if defect else "exactly"
        found = Hypothesis(words, True, detail, defect, exact=not defect)
        return (found,)

    @property
    def status(self) -> Status:
        """Proved where the projections are rational, else verified to rounding."""
        return Status.VERIFIED if self.defect else super().status

    def slack(self, path: Path) -> Array:
        """Return what the rounding of irrational factors adds to each residual."""
        return np.full(len(path.t), 10 * self.defect)

    @cached_property
    def defect(self) -> float:
        """Largest entry of M ×_l P_l − M ×_{l+1} P_{l+1} relative to that of M."""
        gaps = [entry for gap in self._gaps for entry in gap.flat]
        largest = max(map(abs, gaps), default=Fraction(0))
        return float(largest / max(map(abs, self._tensor.flat)))

    def proof(self) -> Sequence[ProofStep]:
        """Return M ×_l P_l = M ×_{l+1} P_{l+1} as a step for every component."""
        if self.defect:
            return []
        reason = "as a tensor, for component {}: both quadratic forms grow alike"
        return [
            entrywise_step(rational(gap), reason.format(number))
            for number, gap in enumerate(self._gaps, start=1)
        ]

    @property
    def _tensor(self) -> Array:
        return as_fractions(self._network.tensor)

    @property
    def _network(self) -> TensorNetwork:
        assert isinstance(self.flow.network, TensorNetwork)
        return self.flow.network

    @cached_property
    def _forms(self) -> tuple[Array, ...]:
        """The matrices P of every mode, shape (terms, k_l, k_l), as fractions."""
        found = projections(self._network)
        assert found is not None
        return found

    @property
    def _gaps(self) -> list[Array]:
        first, second = (self._forms[place] for place in self.involved)
        return [
            applied(self._tensor, self.layer, one)
            - applied(self._tensor, self.layer + 1, other)
            for one, other in zip(first, second, strict=True)
        ]

    def _squares(self, place: int) -> Node:
        """Return the column of v_lᵀP_l v_l for all terms."""
        leaf, forms = Leaf(self.flow.state[place]), self._forms[place]
        rows = forms.reshape(len(forms), -1)
        return product(rational(rows), Kronecker(leaf, leaf))


def tensor_laws(flow: GradientFlow) -> list[Law]:
    """Return the laws of single components of a tensor network with such factors."""
    network = flow.network
    if not isinstance(network, TensorNetwork) or rational_tensor(network) is None:
        return []
    if network.depth == 1 or projections(network) is None:
        return []
    decays = pairwise(pace_of(flow).decays)
    return [ComponentLaw(flow, k) for k, (a, b) in enumerate(decays, 1) if a == b]


def rational_tensor(network: AbstractNetwork) -> Array | None:
    """Return M of a tensor network as fractions, or None where there are none."""
    if not isinstance(network, TensorNetwork):
        return None
    tensor = as_fractions(network.tensor)
    return None if any(entry is None for entry in tensor.flat) else tensor


@lru_cache(maxsize=128)
def projections(network: TensorNetwork) -> tuple[Array, ...] | None:
    """Return P_{l,j} = Re(ū_{l,j} u_{l,j}ᵀ) for every mode, or None without factors.

    Entries are fractions; small ones are taken where they meet the rounded entries and
    turn the law into an identity.  Conjugate factors have the same P, kept once.
    """
    try:
        tensor = as_fractions(network.tensor)
        rounded_off = any(map(_was_a_float, tensor.flat))
        found = orthogonal_decomposition(
            tensor.astype(float) if rounded_off else tensor
        )
    except HypothesisFailed:
        return None
    rounded = [np.einsum("aj,bj->jab", f.conj(), f).real for f in found.factors]
    flat = [p.reshape(len(p), p.shape[1] ** 2) for p in rounded]
    kept = _distinct(np.concatenate(flat, axis=1))
    if not kept:
        return None
    rounded = [p[kept] for p in rounded]
    guessed = tuple(map(_simple, rounded))
    exact = all(
        not np.any(applied(tensor, mode, one) - applied(tensor, mode + 1, other))
        for mode, (first, second) in enumerate(pairwise(guessed), start=1)
        for one, other in zip(first, second, strict=True)
    )
    return guessed if exact else tuple(as_fractions(p) for p in rounded)


def _was_a_float(entry: Fraction) -> bool:
    """Say whether a number looks like a rounded one: 0.1 is a fraction over 2⁵⁵."""
    return entry.denominator > 2**24 and entry.denominator.bit_count() == 1


def _distinct(rows: Array) -> list[int]:
    kept: list[int] = []
    for number, row in enumerate(rows):
        if not any(np.allclose(row, rows[k], atol=1e-9) for k in kept):
            kept.append(number)
    return kept


def _simple(array: Array) -> Array:
    """Return fractions with small denominators that are close, entry by entry."""

    def simple(entry: float) -> Fraction:
        near = Fraction(entry).limit_denominator(LARGEST_DENOMINATOR)
        return near if abs(float(near) - entry) < CLOSE else Fraction(entry)

    return map_entries(simple, array)


def applied(tensor: Array, mode: int, matrix: Array) -> Array:
    """Return M ×_mode A: the matrix applied to one mode, mode 0 being the input."""
    moved = np.tensordot(matrix, tensor, axes=(-1, mode))
    return np.moveaxis(moved, 0, mode)


def as_fractions(array: Any) -> Array:
    """Return an array of fractions from exact numbers or floats."""
    entries = np.array(array.tolist(), dtype=object)
    return map_entries(as_fraction, entries.reshape(array.shape))


def rational(rows: Array) -> Node:
    """Return an array of fractions as a constant matrix."""
    return Constant(as_matrix(rows))


def as_matrix(array: Array) -> sympy.ImmutableDenseMatrix:
    """Return an array of fractions as a matrix, further modes as columns."""
    flat = array.reshape(len(array), -1)
    rows = [[sympy.Rational(x.numerator, x.denominator) for x in row] for row in flat]
    return sympy.ImmutableDenseMatrix(rows)
