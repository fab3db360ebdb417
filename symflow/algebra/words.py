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

from collections.abc import Iterable
from functools import reduce

import sympy

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
    kept on the node: do not change it.
    """
    match node:
        case Leaf(symbol):
            return {((symbol, False),): sympy.S.One}
        case Product(left, right):
            return _multiply(expand(left), expand(right))
        case Sum(terms):
            return _collect(item for term in terms for item in expand(term).items())
        case Scaled(coefficient, body):
            return _collect((w, coefficient * c) for w, c in expand(body).items())
        case Transposed(body):
            return {_flip(word): c for word, c in expand(body).items()}
    msg = f"expand(node): a {type(node).__name__} is not a matrix of words"
    raise TypeError(msg)


def expand_trace(node: Node) -> Words:
    """Expand a scalar expression into cyclic words.

    A trace is unchanged when its word is rotated or transposed; each word is
    represented by the smallest of these.
    """
    match node:
        case Traced(body):
            items = ((_canonical(word), c) for word, c in expand(body).items())
            return _collect(items)
        case Sum(terms):
            parts = (expand_trace(term).items() for term in terms)
            return _collect(item for part in parts for item in part)
        case Scaled(coefficient, body):
            return _collect((w, coefficient * c) for w, c in expand_trace(body).items())
    msg = f"expand_trace(node): a {type(node).__name__} is not a sum of traces"
    raise TypeError(msg)


def _multiply(left: Words, right: Words) -> Words:
    return _collect(
        (first + second, a * b)
        for first, a in left.items()
        for second, b in right.items()
    )


def _collect(items: Iterable[tuple[Word, sympy.Expr]]) -> Words:
    def accumulate(total: Words, item: tuple[Word, sympy.Expr]) -> Words:
        word, coefficient = item
        total[word] = total.get(word, sympy.S.Zero) + coefficient
        return total

    total: Words = reduce(accumulate, items, {})
    return {word: c for word, c in total.items() if sympy.expand(c) != 0}


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
