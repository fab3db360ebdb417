"""Between which spaces the letters of a polynomial act, for widths that all differ.

Numbers say less than the formula: in W_2W_1 of widths 2, 2, 2 there are three spaces.
A space is what sums and products force to be one, so that a law found between spaces
holds for every width.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from symflow.algebra.elementwise import Hadamard, IdentityNode
from symflow.algebra.embeddings import CirculantNode, Diag
from symflow.algebra.nodes import (
    Leaf,
    Node,
    Product,
    Scaled,
    Sum,
    Transposed,
    postorder,
)

#: The space of the one column of what is made diagonal or circulant.
UNIT = 0

Pair = tuple[int, int]


@dataclass
class Spaces:
    """The spaces of rows and columns of every node below a polynomial."""

    node: Node
    _parents: list[int] = field(default_factory=lambda: [UNIT])
    _pairs: dict[Node, Pair] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for current in postorder(self.node):
            self._pairs[current] = self._pair(current)

    def of(self, node: Node) -> Pair:
        """Return the spaces of rows and columns; new ones for what does not occur."""
        if node not in self._pairs:
            self._pairs[node] = self._fresh(), self._fresh()
        rows, columns = self._pairs[node]
        return self._root(rows), self._root(columns)

    def _pair(self, node: Node) -> Pair:
        below = [self._pairs[child] for child in node.children]
        match node:
            case Product():
                self._unite(below[0][1], below[1][0])
                return below[0][0], below[1][1]
            case Sum() | Hadamard():
                for rows, columns in below[1:]:
                    self._unite(below[0][0], rows)
                    self._unite(below[0][1], columns)
                if isinstance(node, Hadamard) and node.shape[1] == 1:
                    self._unite(below[0][1], UNIT)
                return below[0]
            case Transposed():
                return below[0][1], below[0][0]
            case Scaled():
                return below[0]
            case Diag() | CirculantNode() if node.shape[0] == node.body.shape[0]:
                self._unite(below[0][1], UNIT)
                return below[0][0], below[0][0]
        rows = self._fresh()
        square = isinstance(node, IdentityNode | CirculantNode) or (
            isinstance(node, Leaf) and node.is_symmetric
        )
        return rows, rows if square else self._fresh()

    def _fresh(self) -> int:
        self._parents.append(len(self._parents))
        return len(self._parents) - 1

    def _root(self, space: int) -> int:
        while self._parents[space] != space:
            space = self._parents[space]
        return space

    def _unite(self, one: int, other: int) -> None:
        first, second = sorted((self._root(one), self._root(other)))
        self._parents[second] = first
