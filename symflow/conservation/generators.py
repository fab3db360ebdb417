"""Generators of symmetries, and the quadratic form that each makes of two letters.

A generator S acts between two spaces of a model: on the columns of a letter a, or of
its transpose, by a ↦ aS.  Any matrix acts between dense layers, and what keeps the
families of the layers, where they are diagonal or circulant; multiples of the identity
keep every family.  The quadratic form Q_S(θ) = tr SᵀQ(θ) has the *moment* Q:

=============  =========================================================
generators     moment of a and b
=============  =========================================================
all            aᵀb: of WᵀW and WWᵀ the imbalance is made
diagonal       diag(aᵀb), w∘v
circulant      Σ_i (aᵀb)_{i,i+j}, the correlations Σ_i w_i v_{i+j}
entrywise      a∘b, where S∘a is meant instead of aS
multiples      tr(aᵀb), ‖w‖²
=============  =========================================================

The autocorrelations say in the time domain that the laws are those of |ŵ(k)|² at every
frequency k.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any

import sympy

from symflow.algebra import embeddings
from symflow.algebra.elementwise import IdentityNode, hadamard
from symflow.algebra.nodes import (
    Leaf,
    Node,
    add,
    product,
    scale,
    subtract,
    trace,
    transpose,
)
from symflow.algebra.symbols import (
    CirculantMatrixSymbol,
    DiagonalMatrixSymbol,
    SymmetricMatrixSymbol,
)

#: A parameter, and whether it is transposed; None stands for the identity.
Oriented = tuple[sympy.MatrixSymbol | None, bool]

#: The identity, with which a parameter makes a term of first degree.
ONE: Oriented = (None, False)


class Generators(Enum):
    """Which matrices act between two spaces, and what their laws are called."""

    ALL = "any matrix"
    SYMMETRIC = "any symmetric matrix"
    SKEW = "any skew matrix"
    DIAGONAL = "any diagonal matrix"
    CIRCULANT = "any symmetric circulant matrix"
    ENTRYWISE = "any matrix, entry by entry"
    MULTIPLES = "any multiple of the identity"

    @property
    def law(self) -> str:
        """What a law of these generators is called."""
        names = {
            Generators.DIAGONAL: "squares",
            Generators.CIRCULANT: "autocorrelations",
            Generators.ENTRYWISE: "squares",
            Generators.MULTIPLES: "norms",
        }
        return names.get(self, "imbalance")

    def pairing(self, left: Node, right: Node) -> Node:
        """Return the inner product of two matrices, or its summands entry by entry."""
        if self is Generators.ENTRYWISE:
            return hadamard(left, right)
        return trace(product(transpose(left), right))

    @property
    def rank(self) -> int:
        """The more matrices act, the smaller."""
        return list(Generators).index(self)

    def symbol(self, rows: Any, columns: Any) -> Node | None:
        """Return S, or None where multiples of the identity act."""
        kinds: dict[Generators, type[sympy.MatrixSymbol]] = {
            Generators.SYMMETRIC: SymmetricMatrixSymbol,
            Generators.DIAGONAL: DiagonalMatrixSymbol,
            Generators.CIRCULANT: CirculantMatrixSymbol,
        }
        if self is Generators.MULTIPLES:
            return None
        leaf = Leaf(kinds.get(self, sympy.MatrixSymbol)("S", rows, columns))
        return subtract(leaf, transpose(leaf)) if self is Generators.SKEW else leaf


@dataclass(frozen=True)
class Term:
    """Two letters a and b with as many rows, and the generators that act on them."""

    generators: Generators
    first: Oriented
    second: Oriented

    @property
    def symbols(self) -> tuple[sympy.MatrixSymbol, ...]:
        """The parameters that occur."""
        return tuple(dict.fromkeys(s for s in self.letters if s is not None))

    @property
    def letters(self) -> tuple[sympy.MatrixSymbol | None, ...]:
        """The parameters a and b; None for the identity."""
        return self.first[0], self.second[0]

    @property
    def is_square(self) -> bool:
        """Whether a is b."""
        return self.first == self.second

    @property
    def moment(self) -> Node:
        """Q as a node."""
        a, b = self._letters
        if self.generators is Generators.ENTRYWISE:
            return hadamard(a, b)
        gram = product(transpose(a), b)
        match self.generators:
            case Generators.MULTIPLES:
                return trace(gram)
            case Generators.DIAGONAL:
                return embeddings.diagonal_of(gram)
            case Generators.CIRCULANT if self.is_square and self.first[1]:
                return _correlations(transpose(a))
            case Generators.CIRCULANT:
                return embeddings.circulant_sums(gram, gram.shape[0])
            case Generators.SYMMETRIC if not self.is_square:
                return add(gram, transpose(gram))
            case Generators.SKEW:
                return subtract(gram, transpose(gram))
        return gram

    @property
    def generator(self) -> Node | None:
        """S as a node of the right shape."""
        a, b = self._letters
        rows = a.shape[self.generators is not Generators.ENTRYWISE]
        return self.generators.symbol(rows, b.shape[1])

    @property
    def tested(self) -> Node:
        """Half of tr SᵀQ as a node, half of the moment's part along S."""
        a, b = self._letters
        return scale(self.share, self.generators.pairing(self._acted_on(a), b))

    @property
    def _letters(self) -> tuple[Node, Node]:
        second = oriented(self.second)
        if self.first == ONE:
            return IdentityNode(second.shape[0]), second
        return oriented(self.first), second

    def _acted_on(self, letter: Node, *, crossed: bool = False) -> Node:
        """Return aS, or bSᵀ where it is crossed."""
        generator = self.generator
        if generator is None:
            return letter
        if self.generators is Generators.ENTRYWISE:
            return hadamard(generator, letter)
        return product(letter, transpose(generator) if crossed else generator)

    @property
    def share(self) -> sympy.Rational:
        """How much of tr Sᵀaᵀb is half of tr SᵀQ."""
        both = self.generators in {Generators.SYMMETRIC, Generators.SKEW}
        return sympy.S.One if both and not self.is_square else sympy.S.Half

    def gradient(self) -> list[tuple[sympy.MatrixSymbol, Node]]:
        """Return the gradient of half of tr SᵀQ, as parts of some parameters."""
        a, b = self._letters
        parts = (
            (self.second, self._acted_on(a)),
            (self.first, self._acted_on(b, crossed=True)),
        )
        return [
            (symbol, scale(self.share, transpose(node) if flag else node))
            for (symbol, flag), node in parts
            if symbol is not None
        ]


def _correlations(matrix: Node) -> Node:
    """Return the moment of WWᵀ among circulants, for a column its autocorrelations."""
    size = matrix.shape[0]
    if matrix.shape[1] == 1:
        return product(embeddings.CirculantNode(matrix, size), matrix)
    return embeddings.circulant_sums(product(matrix, transpose(matrix)), size)


def oriented(letter: Oriented) -> Node:
    """Return a letter as a node."""
    symbol, flag = letter
    return transpose(Leaf(symbol)) if flag else Leaf(symbol)
