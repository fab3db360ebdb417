"""Matrix expressions as small immutable nodes: the structure behind every formula.

A node remembers *how* a product is associated and which part is used twice, which a
SymPy `MatMul` does not; it therefore prints as SymPy (`symflow.algebra.sympy_form`),
expands into words for dimension-free proofs (`symflow.algebra.words`) and lowers to a
program without any search for common subexpressions.  Nodes are *interned*: a node that
is made again is the one that exists, so that equal means identical, comparing and
hashing cost nothing, and what was found out of a node is kept on it.

The constructors are the functions `product`, `add`, `scale`, `transpose` and `trace`;
they apply only the identities that never hide structure, such as (Aᵀ)ᵀ = A.
"""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import reduce, wraps
from threading import Lock
from typing import Any, ClassVar, TypeVar
from weakref import WeakValueDictionary

import sympy

from symflow.algebra.symbols import SymmetricMatrixSymbol
from symflow.algebra.threads import cached_property
from symflow.errors import ShapeMismatch

Shape = tuple[Any, Any]
Result = TypeVar("Result")
Maker = TypeVar("Maker", bound=Callable[..., Any])


class Interned(ABCMeta):
    """Makes a class whose equal instances are one object."""

    _existing: ClassVar[WeakValueDictionary[Any, Any]] = WeakValueDictionary()
    _lock = Lock()

    def __call__(cls, *arguments: Any, **named: Any) -> Any:
        made = super().__call__(*arguments, **named)
        _ = made.shape, made.is_symmetric, made.is_scalar  # found from below, once
        # types too: 2 and sympy.Integer(2) are equal and print differently
        key = (cls, *((type(part), part) for part in made.parts))
        with Interned._lock:
            return Interned._existing.setdefault(key, made)


class Node(metaclass=Interned):
    """A matrix expression with a shape; scalars, such as traces, have shape 1×1.

    How many nodes an operation takes is said by `Atom`, `Unary` and `Binary`, so that a
    node states its shape and how it is made again.
    """

    #: Whether this is a number, as a trace is, and not a matrix with one entry.
    is_scalar: bool = False

    #: Whether the node is known to equal its transpose.
    is_symmetric: bool = False

    #: What makes such a node, where it is not the class.
    made: ClassVar[Callable[..., Any] | None] = None

    @property
    @abstractmethod
    def shape(self) -> Shape:
        """Rows and columns, as integers or SymPy symbols."""

    @property
    @abstractmethod
    def children(self) -> tuple[Node, ...]:
        """The nodes this one is made of."""

    def rebuild(self, *children: Node) -> Node:
        """Return the same operation applied to other nodes."""
        given = iter(children)
        parts = (next(given) if isinstance(p, Node) else p for p in self.parts)
        return (type(self).made or type(self))(*parts)

    @property
    def parts(self) -> tuple[Any, ...]:
        """What the node was made from: nodes, symbols and coefficients."""
        return tuple(getattr(self, name) for name in self.__match_args__)  # type: ignore[attr-defined]

    def __reduce__(self) -> Any:
        return type(self), self.parts

    def __add__(self, other: Node) -> Node:
        return add(self, other)

    @property
    def T(self) -> Node:
        """The transpose."""
        return transpose(self)

    def times(self, right: Node) -> Node | None:
        """Return self·right in a simpler form than a product, or None."""
        return None

    def times_after(self, left: Node) -> Node | None:
        """Return left·self in a simpler form than a product, or None."""
        return None


def makes(kind: type[Node]) -> Callable[[Maker], Maker]:
    """Declare that a function of the parts makes nodes of a kind, in simpler forms."""

    def declared(function: Maker) -> Maker:
        kind.made = function
        return function

    return declared


class Atom(Node):
    """A node that is made of no others."""

    @property
    def children(self) -> tuple[Node, ...]:
        return ()

    def rebuild(self, *children: Node) -> Node:
        return self


class Unary(Node):
    """An operation on one node, its `body`."""

    body: Node

    @property
    def children(self) -> tuple[Node, ...]:
        return (self.body,)


class Alike(Unary):
    """An operation that keeps shape and symmetry of its `body`."""

    @cached_property
    def shape(self) -> Shape:
        return self.body.shape

    @cached_property
    def is_scalar(self) -> bool:
        return self.body.is_scalar

    @cached_property
    def is_symmetric(self) -> bool:
        return self.body.is_symmetric


class Binary(Node):
    """An operation on two nodes, `left` and `right`."""

    left: Node
    right: Node

    @property
    def children(self) -> tuple[Node, ...]:
        return self.left, self.right


class Scalar(Node):
    """A number that is computed, and not a matrix with one entry."""

    is_scalar = True

    @cached_property
    def shape(self) -> Shape:
        return 1, 1


@dataclass(frozen=True, eq=False)
class Leaf(Atom):
    """A matrix symbol: a weight matrix or a moment of the data."""

    symbol: sympy.MatrixSymbol

    @cached_property
    def shape(self) -> Shape:
        return self.symbol.shape  # type: ignore[no-any-return]

    @cached_property
    def is_symmetric(self) -> bool:
        return isinstance(self.symbol, SymmetricMatrixSymbol)


@dataclass(frozen=True, eq=False)
class Product(Binary):
    """The matrix product of two nodes."""

    left: Node
    right: Node

    @cached_property
    def shape(self) -> Shape:
        return self.left.shape[0], self.right.shape[1]


@dataclass(frozen=True, eq=False)
class Sum(Node):
    """A sum of nodes of one shape."""

    terms: tuple[Node, ...]

    @cached_property
    def shape(self) -> Shape:
        return self.terms[0].shape

    @property
    def children(self) -> tuple[Node, ...]:
        return self.terms

    @cached_property
    def is_scalar(self) -> bool:
        return self.terms[0].is_scalar

    def rebuild(self, *children: Node) -> Node:
        return add(*children)


@dataclass(frozen=True, eq=False)
class Scaled(Alike):
    """A node times a commutative SymPy coefficient."""

    coefficient: sympy.Expr
    body: Node
    is_symmetric = False


@dataclass(frozen=True, eq=False)
class Transposed(Unary):
    """The transpose of a node."""

    body: Node

    @cached_property
    def shape(self) -> Shape:
        return self.body.shape[1], self.body.shape[0]


@dataclass(frozen=True, eq=False)
class Traced(Scalar, Unary):
    """The trace of a square node."""

    body: Node


@makes(Product)
def product(*factors: Node) -> Node:
    """Return the product of `factors`, associated from the left.

    Raises ShapeMismatch if the columns of a factor differ from the rows of the next
    one.
    """
    return reduce(_times, factors)


def _times(left: Node, right: Node) -> Node:
    if left.shape[1] != right.shape[0]:
        msg = (
            f"product(left, right): a {_size(left)} times a {_size(right)} matrix "
            "is not defined; the inner sizes have to agree"
        )
        raise ShapeMismatch(msg)
    if isinstance(left, Scaled):
        return scale(left.coefficient, _times(left.body, right))
    if isinstance(right, Scaled):
        return scale(right.coefficient, _times(left, right.body))
    return left.times(right) or right.times_after(left) or Product(left, right)


def add(*terms: Node) -> Node:
    """Return the sum of `terms`, flattened."""
    flat = [
        part
        for term in terms
        for part in (term.terms if isinstance(term, Sum) else (term,))
    ]
    for term in flat[1:]:
        if term.shape != flat[0].shape:
            msg = (
                f"add(*terms): a {_size(flat[0])} and a {_size(term)} matrix "
                "cannot be added"
            )
            raise ShapeMismatch(msg)
    return flat[0] if len(flat) == 1 else Sum(tuple(flat))


@makes(Scaled)
def scale(coefficient: Any, body: Node) -> Node:
    """Return `coefficient` times `body`."""
    factor = sympy.sympify(coefficient, strict=True)  # a text would be run as code
    if isinstance(body, Scaled):
        factor, body = factor * body.coefficient, body.body
    return body if factor == 1 else Scaled(factor, body)


def subtract(left: Node, right: Node) -> Node:
    """Return `left` − `right`."""
    return add(left, scale(-1, right))


@makes(Transposed)
def transpose(body: Node) -> Node:
    """Return the transpose; twice transposed and symmetric symbols come back bare."""
    if isinstance(body, Transposed):
        return body.body
    if body.is_symmetric:
        return body
    if isinstance(body, Scaled):
        return scale(body.coefficient, transpose(body.body))
    return Transposed(body)


@makes(Traced)
def trace(body: Node) -> Node:
    """Return the trace of a square node."""
    if body.shape[0] != body.shape[1]:
        msg = f"trace(body): needs a square matrix; got {_size(body)}"
        raise ShapeMismatch(msg)
    return Traced(body)


def postorder(*nodes: Node) -> Iterator[Node]:
    """Yield every node below `nodes` once, operands first."""
    seen: set[Node] = set()
    stack = [(node, False) for node in reversed(nodes)]
    while stack:
        node, is_ready = stack.pop()
        if is_ready:
            yield node
        elif node not in seen:
            seen.add(node)
            stack.append((node, True))
            stack.extend((child, False) for child in reversed(node.children))


def fold(node: Node, combine: Callable[..., Result]) -> Result:
    """Return what `combine(node, *results of its operands)` makes of a node.

    Each distinct node is visited once, however often it is used, and no recursion
    limits the depth.
    """
    results: dict[Node, Result] = {}
    for current in postorder(node):
        below = (results[child] for child in current.children)
        results[current] = combine(current, *below)
    return results[node]


def remembered(function: Callable[..., Result]) -> Callable[..., Result]:
    """Return a function of a node and options that keeps its results on the node."""

    @wraps(function)
    def recall(node: Node, **options: Any) -> Result:
        known = node.__dict__.setdefault("_known", {})
        key = (function, *options.values())
        if key not in known:
            known[key] = function(node, **options)
        return known[key]  # type: ignore[no-any-return]

    return recall


def symbols_of(*nodes: Node) -> tuple[sympy.MatrixSymbol, ...]:
    """Return the distinct matrix symbols below `nodes`, in order of appearance."""
    return tuple(node.symbol for node in postorder(*nodes) if isinstance(node, Leaf))


def substitute(node: Node, meaning: Mapping[sympy.MatrixSymbol, Node]) -> Node:
    """Replace matrix symbols in a node by other nodes."""

    def replaced(current: Node, *children: Node) -> Node:
        if isinstance(current, Leaf):
            return meaning.get(current.symbol, current)
        return current.rebuild(*children)

    return fold(node, replaced)


def _size(node: Node) -> str:
    return "×".join(str(size) for size in node.shape)
