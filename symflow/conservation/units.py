"""Chains of a few units whose counts settle those of chains of any width.

Let every W_l be a rectangular diagonal matrix.  The network is then a sum of blocks: a
block has at most one unit in each layer, and its *type* says in which.  Let K be some
of the blocks.  The fields of forces G between inputs and outputs of K leave the rest
of the weights alone where nothing couples K to it, and are there those of the chain of
K.  So the Lie algebra at the point contains that of every K.  An entry ij of the
derivative of an imbalance depends on the entries ij and ji of the δW_l alone, so that
what leaves the imbalances alone is a sum over blocks and pairs of blocks.

If at a generic such point of a chain with c ≥ 2 blocks of each type, or all where there
are fewer, the algebra is all that leaves the imbalances alone, then so it is with any
number of blocks of these types: every pair of blocks lies in a copy of that chain.
With the ranks r of the imbalances there and s at a generic point, and P parameters,

    laws = P − dim Lie ≤ P − dim Lie(point) = r ≤ s ≤ laws,

so that the imbalances are all laws, and r, a sum over blocks and pairs, counts them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import (
    accumulate,
    combinations_with_replacement,
    islice,
    pairwise,
    product,
)

import numpy as np

from symflow.conservation.brackets import rank
from symflow.conservation.nilpotent import PRIME, Residues
from symflow.networks import LinearNetwork, Network

#: In which layers a block has a unit.
Type = tuple[bool, ...]

#: Blocks of each type that are tried.
COPIES = (2, 3)
#: Ways to number the units that are tried.
MOST_ARRANGEMENTS = 16


@dataclass(frozen=True)
class Units:
    """A chain as a sum of blocks, so many of each type."""

    types: dict[Type, int]

    def few(self, copies: int) -> Network:
        """Return the chain with at most so many blocks of each type."""
        return LinearNetwork(*map(sum, zip(*self._blocks(copies), strict=True)))

    def _blocks(self, copies: int) -> list[Type]:
        found = self.types.items()
        return [one for one, many in found for _ in range(min(many, copies))]

    def masks(self, copies: int) -> list[np.ndarray]:
        """Return for each W_l of the chain of few blocks where it is not zero."""
        blocks = self._blocks(copies)
        places = np.cumsum(np.array(blocks, dtype=int), axis=0) - 1
        found = []
        for layer, (before, after) in enumerate(pairwise(zip(*blocks, strict=True))):
            mask = np.zeros((sum(after), sum(before)), dtype=np.int64)
            for block, both in enumerate(np.logical_and(before, after)):
                if both:
                    mask[places[block, layer + 1], places[block, layer]] = 1
            found.append(mask)
        return found

    def laws(self, most: int | None = None) -> int:
        """Return the rank of the imbalances, of at most so many blocks of each type."""
        counts = {k: v if most is None else min(v, most) for k, v in self.types.items()}
        total = 0
        for first, second in combinations_with_replacement(counts, 2):
            same = first == second
            many = counts[first] * (counts[second] - same) // (1 + same)
            if many:
                total += many * _pair_rank(first, second)
            if same:
                total += counts[first] * _own_rank(first)
        return total


def arrangements(widths: tuple[int, ...]) -> Iterator[Units]:
    """Yield ways to see a chain as a sum of blocks.

    The units of every layer have numbers, from where those of the layer before begin,
    or up to where they end; those with one number are a block.
    """
    depth = len(widths) - 1
    for sides in islice(product((0, 1), repeat=depth - 1), MOST_ARRANGEMENTS):
        steps = zip(pairwise(widths[1:]), sides, strict=True)
        moves = (right * (before - after) for (before, after), right in steps)
        starts = [0, *accumulate(moves, initial=0)]
        spans = [range(s, s + width) for s, width in zip(starts, widths, strict=True)]
        ends = sorted({end for span in spans for end in (span.start, span.stop)})
        types: Counter[Type] = Counter()
        for low, high in pairwise(ends):
            if any(kind := tuple(low in span for span in spans)):
                types[kind] += high - low
        yield Units(dict(types))


def _own_rank(one: Type) -> int:
    """Return the rank of the entries ii of δΔ_l, 2(w_{l+1}δw_{l+1} − w_lδw_l)."""
    edges = _edges(one, np.random.default_rng(0))
    left, right = np.hsplit(_pair_rows(edges, edges, one), 2)
    return rank((left + right) % PRIME)


def _pair_rank(first: Type, second: Type) -> int:
    """Return the rank of the entries ij of δΔ_l, for blocks i and j."""
    generator = np.random.default_rng(0)
    own, other = _edges(first, generator), _edges(second, generator)
    both = tuple(np.logical_and(first, second))
    return rank(_pair_rows(own, other, both) % PRIME)


def _pair_rows(own: list[int], other: list[int], both: Type) -> Residues:
    """Return the coefficients of δW^{ij} and δW^{ji} in the entries ij of δΔ_l.

    They are w^i_{l+1}δW^{ij}_{l+1} + w^j_{l+1}δW^{ji}_{l+1} − w^j_lδW^{ij}_l −
    w^i_lδW^{ji}_l, where `both` blocks have a unit in layer l.
    """
    depth = len(own)
    rows = np.zeros((depth + 1, 2, depth), dtype=np.int64)
    for layer in range(1, depth):
        if both[layer]:
            rows[layer, 0, layer - 1 : layer + 1] = -other[layer - 1], own[layer]
            rows[layer, 1, layer - 1 : layer + 1] = -own[layer - 1], other[layer]
    return rows.reshape(depth + 1, 2 * depth)


def _edges(one: Type, generator: np.random.Generator) -> list[int]:
    """Return a random w_l where a block has both units, and 0 elsewhere."""
    return [int(generator.integers(1, PRIME)) * (a and b) for a, b in pairwise(one)]
