"""Noncommutative polynomials: the normal form that proves identities for every width.

A *letter* is a matrix symbol or its transpose, a *word* is a product of letters, and
an expression expands into a linear combination of words.  Distinct words are linearly
independent as functions of matrices of large enough size, so two expressions are equal
for all widths exactly when their expansions are the same dictionary.

>>> import sympy
>>> from symflow.algebra import nodes
>>> n = sympy.Symbol("n")
>>> A = nodes.Leaf(sympy.MatrixSymbol("A", n, n))
>>> B = nodes.Leaf(sympy.MatrixSymbol("B", n, n))
>>> left = nodes.transpose(nodes.product(A, B))
>>> right = nodes.product(nodes.transpose(B), nodes.transpose(A))
>>> expand(left) == expand(right)
True
"""

from __future__ import annotations

from typing import Any

import sympy

from symflow.algebra.commuting_words import collected, expand_commuting
from symflow.algebra.nodes import (
    Leaf,
    Node,
    Product,
    Scaled,
    Sum,
    Traced,
    Transposed,
    remembered,
)
from symflow.algebra.symbols import SymmetricMatrixSymbol

Letter = tuple[sympy.MatrixSymbol, bool]
Word = tuple[Letter, ...]
Words = dict[Word, sympy.Expr]


@remembered
def expand(node: Node) -> Words:
    """Expand a matrix expression into its words and their coefficients.

    The node has no trace inside.  Words with coefficient zero are absent; the answer is
    kept on the node: do not change it.  Raises TypeError for other nodes than sums and
    products of symbols.
    """
    if not _is_plain(node):
        msg = f"expand(node): a {type(node).__name__} is no polynomial in matrices"
        raise TypeError(msg)
    words: Any = expand_commuting(node)
    return {tuple((leaf.symbol, t) for leaf, t in word): c for word, c in words.items()}


@remembered
def _is_plain(node: Node) -> bool:
    kinds = Leaf | Product | Sum | Scaled | Transposed
    return isinstance(node, kinds) and all(map(_is_plain, node.children))


def expand_trace(node: Node) -> Words:
    """Expand a scalar expression into cyclic words.

    A trace is unchanged when its word is rotated or transposed; each word is
    represented by the smallest of these.
    """
    match node:
        case Traced(body):
            items = ((_canonical(word), c) for word, c in expand(body).items())
            return collected(items)
        case Sum(terms):
            parts = (expand_trace(term).items() for term in terms)
            return collected(item for part in parts for item in part)
        case Scaled(coefficient, body):
            return collected(
                (w, coefficient * c) for w, c in expand_trace(body).items()
            )
    msg = f"expand_trace(node): a {type(node).__name__} is not a sum of traces"
    raise TypeError(msg)


def _flip(word: Word) -> Word:
    return tuple(
        (symbol, not transposed and not isinstance(symbol, SymmetricMatrixSymbol))
        for symbol, transposed in reversed(word)
    )


def _canonical(word: Word) -> Word:
    def key(candidate: Word) -> list[tuple[str, bool]]:
        return [(symbol.name, transposed) for symbol, transposed in candidate]

    turned = (word, _flip(word))
    rotations = (w[k:] + w[:k] for w in turned for k in range(len(w)))
    return min(rotations, key=key)
