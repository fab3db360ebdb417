"""Words of letters of which some commute: polynomials with diagonals and circulants.

As `symflow.algebra.words`, with more letters.  diag(w) and circ(w) are letters that
commute with their kind, so that a run of one kind is sorted; w∘v is diag(w)diag(v)1.
Every other operation that is linear in each operand makes one letter of words, w∘v of
full matrices, zero padding and tensors among them.  Each rule is an identity for all
sizes: expressions with equal expansions are equal.  The converse holds of plain words.

>>> from symflow.algebra.elementwise import hadamard
>>> u, v = (Leaf(sympy.MatrixSymbol(name, 3, 1)) for name in "uv")
>>> expand_commuting(hadamard(u, v)) == expand_commuting(hadamard(v, u))
True
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from itertools import groupby, product as choices
from typing import Any

import sympy

from symflow.algebra.calculus import push_forward
from symflow.algebra.elementwise import Hadamard, IdentityNode, Ones, hadamard
from symflow.algebra.embeddings import CirculantNode, Diag, LinearMap
from symflow.algebra.nodes import (
    Leaf,
    Node,
    Product,
    Scaled,
    Sum,
    Transposed,
    product,
    remembered,
    symbols_of,
    transpose,
)
from symflow.algebra.symbols import CirculantMatrixSymbol, DiagonalMatrixSymbol
from symflow.algebra.sympy_form import to_sympy
from symflow.algebra.tensors import Constant, Contraction, Kronecker

#: A node that is no sum or product, and whether it is transposed.
Factor = tuple[Node, bool]
Chain = tuple[Factor, ...]
Chains = dict[Chain, sympy.Expr]


@remembered
def expand_commuting(node: Node) -> Chains:
    """Expand a matrix expression into words in their normal form.

    The node is polynomial in its symbols, and no number.  The coefficients of its words
    are kept on it: do not change them.  Raises TypeError if an operation is not linear
    in each of its operands.
    """
    match node:
        case Leaf() | Constant() | Ones():
            return {((node, False),): sympy.S.One}
        case IdentityNode():
            return {(): sympy.S.One}
        case Product(left, right):
            return _times(expand_commuting(left), expand_commuting(right))
        case Sum(terms):
            parts = (expand_commuting(term).items() for term in terms)
            return _collected(item for part in parts for item in part)
        case Scaled(coefficient, body):
            words = expand_commuting(body).items()
            return _collected((word, coefficient * c) for word, c in words)
        case Transposed(body):
            words = expand_commuting(body).items()
            return _collected((_settled(_turned(word)), c) for word, c in words)
        case Hadamard(left, right) if node.shape[1] == 1 and not node.is_scalar:
            return _times(_mapped(Diag, left), expand_commuting(right))
        case Diag(body):
            return _mapped(Diag, body)
        case CirculantNode(body, order):
            return _mapped(CirculantNode, body, order)
        case LinearMap() | Hadamard() | Kronecker() | Contraction():
            return _multilinear(node)
    msg = f"expand_commuting(node): a {type(node).__name__} has no words"
    raise TypeError(msg)


def _times(left: Chains, right: Chains) -> Chains:
    return _collected(
        (_settled(first + second), a * b)
        for first, a in left.items()
        for second, b in right.items()
    )


def _collected(items: Any) -> Chains:
    total: Chains = {}
    for word, coefficient in items:
        total[word] = total.get(word, sympy.S.Zero) + coefficient
    zero = [w for w, c in total.items() if not c or (c.args and sympy.expand(c) == 0)]
    for word in zero:
        del total[word]
    return total


def _turned(word: Chain) -> Chain:
    # rows of ones are told from columns, of which one alone is symmetric
    fixed = (x.is_symmetric and not isinstance(x, Ones) for x, _ in reversed(word))
    pairs = zip(reversed(word), fixed, strict=True)
    return tuple((x, not flag and not same) for (x, flag), same in pairs)


def _multilinear(node: Node) -> Chains:
    """Return an operation as letters, one for every choice of words below it."""
    below = [expand_commuting(child).items() for child in node.children]
    items: list[tuple[Chain, sympy.Expr]] = []
    for chosen in choices(*below):
        coefficient = reduce(lambda total, item: total * item[1], chosen, sympy.S.One)
        pairs = zip(chosen, node.children, strict=True)
        parts = [_spelled(word, child) for (word, _), child in pairs]
        if isinstance(node, Hadamard):
            flat = sorted((x for part in parts for x in _entrywise(part)), key=_name)
            parts = [reduce(hadamard, flat[:-1]), flat[-1]]
        made = node.rebuild(*parts)
        if type(made) is type(node):
            items.append((((made, False),), coefficient))
        else:
            found = expand_commuting(made).items()
            items += [(word, coefficient * c) for word, c in found]
    return _collected(items)


def _entrywise(node: Node) -> list[Node]:
    if isinstance(node, Hadamard):
        return [*_entrywise(node.left), *_entrywise(node.right)]
    return [node]


def _spelled(word: Chain, like: Node) -> Node:
    """Return a word as a node again; the empty one is an identity."""
    letters = [transpose(x) if flag else x for x, flag in word]
    return product(*letters) if letters else IdentityNode(like.shape[0])


def _mapped(kind: type[Diag | CirculantNode], body: Node, *order: Any) -> Chains:
    """Return diag or circ of a column, where it can be as a product of such letters.

    diag(diag(u)v) is diag(u)diag(v), and circ(Cv) is Cᵀcirc(v), C circulant.
    """
    items = []
    for word, coefficient in expand_commuting(body).items():
        *run, (tail, _) = word
        letter = kind(_spelled(word, body), *order)
        found: Chain = ((letter, False),)
        whole = isinstance(tail, Leaf) and (kind is Diag or tail.shape[0] == order[0])
        if isinstance(tail, Ones) and kind is Diag:
            found = tuple(run)
        elif whole and all(_kind(x) == _kind(kind(tail, *order)) for x, _ in run):
            turned = run if kind is Diag else reversed(_turned(tuple(run)))
            found = _settled((*turned, (kind(tail, *order), False)))
        items.append((found, coefficient))
    return _collected(items)


def _kind(node: Node) -> str:
    """Return with what a letter commutes; empty for nothing."""
    if isinstance(node, Diag) or is_family(node, DiagonalMatrixSymbol):
        return "diagonal"
    circulant = isinstance(node, CirculantNode) or is_family(
        node, CirculantMatrixSymbol
    )
    return "circulant" if circulant else ""


def is_family(node: Node, family: type[sympy.MatrixSymbol]) -> bool:
    """Say whether a node is a symbol of a family of matrices."""
    return isinstance(node, Leaf) and isinstance(node.symbol, family)


@remembered
def _below(node: Node) -> tuple[sympy.MatrixSymbol, ...]:
    return symbols_of(node)


@remembered
def _name(node: Node) -> str:
    return node.symbol.name if isinstance(node, Leaf) else str(to_sympy(node))


def _settled(word: Chain) -> Chain:
    """Return the normal form: sorted runs, and columns beside diagonals taken in."""
    if not any(_kind(x) for x, _ in word):
        return word
    letters: list[Factor] = []
    for kind, group in groupby(word, key=lambda factor: _kind(factor[0])):
        run = list(group)
        if kind:
            run.sort(key=lambda factor: (_name(factor[0]), factor[1]))
        letters += run
    return _taken_in(letters)


def _taken_in(letters: list[Factor]) -> Chain:
    """Write diag(a)b as diag(a)diag(b)1, diag(a)1 as a, and the same of rows."""
    for place, (tail, flag) in enumerate(letters):
        if not isinstance(tail, Leaf | Ones) or tail.shape[1] != 1 or _kind(tail):
            continue
        beside = place + 1 if flag else place - 1
        if not 0 <= beside < len(letters) or _kind(letters[beside][0]) != "diagonal":
            continue
        if isinstance(tail, Leaf):
            letters[place] = Ones(tail.shape[0], 1), flag
            letters.insert(beside if flag else place, (Diag(tail), False))
            return _settled(tuple(letters))
        other = beside + 1 if flag else beside - 1
        alone = not 0 <= other < len(letters) or not (
            _kind(letters[other][0]) == "diagonal"
            or isinstance(letters[other][0], Ones)
        )
        single = letters[beside][0]
        if alone and isinstance(single, Diag) and isinstance(single.body, Leaf):
            letters[min(place, beside) : max(place, beside) + 1] = [(single.body, flag)]
            return tuple(letters) if len(letters) == 1 else _settled(tuple(letters))
    return tuple(letters)


def derivative(words: Chains, velocities: Mapping[sympy.MatrixSymbol, Node]) -> Chains:
    """Return the words of a polynomial's derivative, letter by letter.

    The `words` are as from `expand_commuting`.
    """
    moving: dict[Factor, Chains | None] = {}
    items = []
    for word, coefficient in words.items():
        for place, factor in enumerate(word):
            if factor not in moving:
                depends = not velocities.keys().isdisjoint(_below(factor[0]))
                moved = push_forward(factor[0], velocities) if depends else None
                turned = transpose(moved) if moved is not None and factor[1] else moved
                moving[factor] = None if turned is None else expand_commuting(turned)
            for inner, c in (moving[factor] or {}).items():
                spliced = _settled((*word[:place], *inner, *word[place + 1 :]))
                items.append((spliced, coefficient * c))
    return _collected(items)
