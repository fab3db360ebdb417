"""`claim`: somebody's assertion about a flow, in one line, decided exactly.

Along the flow Q changes at the rate ∇Q · θ̇.  Where the words of that rate cancel for an
arbitrary force F = −∂ℓ/∂W, Q is conserved for every width, loss and data; where they
do with the force of the loss at hand, for every data set.  Models of integer widths are
multiplied out where words do not suffice.  Else small whole numbers are tried: weights
at which the rate is not zero refute the claim, in exact numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from random import Random
from typing import Any

import numpy as np
import sympy
from flint import arb

from symflow.algebra.arrays import Array, map_entries
from symflow.algebra.balls import to_arb
from symflow.algebra.display import Sheet
from symflow.algebra.from_sympy import from_sympy
from symflow.algebra.functions import Z
from symflow.algebra.nodes import Node, Sum, scale, symbols_of
from symflow.algebra.numbers import as_fraction
from symflow.algebra.text import inline
from symflow.algebra.threads import cached_property
from symflow.algebra.values import Values
from symflow.claims import Finding, Path, Reference, Status
from symflow.conservation.law import Law
from symflow.conservation.proof import ProofStep, entrywise_step, slope, step
from symflow.conservation.symmetries import pace_of
from symflow.data import Dataset
from symflow.errors import InvalidArgument, NotDifferentiable
from symflow.flow import GradientFlow

#: Who claims what has no other source.
READER = Reference("A Reader", "A claim to be settled", "", 2026)

#: Sizes that stand for a symbolic width, and draws of weights at each.
WIDTHS, DRAWS = (1, 2, 3), 20

#: Entries of all weights up to which a rate is multiplied out, and numbers are tried.
FEW_ENTRIES, MOST_ENTRIES = 40, 2_000


class _ExactValues(Values):
    """Values in fractions or balls, where constants must not become floats."""

    def __init__(self, leaves: Mapping[sympy.MatrixSymbol, Array], number: Any) -> None:
        super().__init__(leaves)
        self._number = number

    def constant(self, matrix: sympy.ImmutableDenseMatrix) -> Array:
        return map_entries(self._number, np.array(matrix.tolist(), dtype=object))

    def scale(self, coefficient: sympy.Expr, array: Array) -> Array:
        return np.asarray(self._number(coefficient) * array)

    def inverse(self, array: Array) -> Array:
        msg = "an inverse is not polynomial"
        raise InvalidArgument(msg)

    def elementwise(self, function: sympy.Expr, array: Array) -> Array:
        try:
            polynomial = sympy.Poly(function, Z)
        except sympy.PolynomialError:
            msg = f"{function} is not polynomial"
            raise InvalidArgument(msg) from None
        total: Any = 0 * array
        for coefficient in polynomial.all_coeffs():
            total = total * array + self._number(coefficient)
        return np.asarray(total)


@dataclass(frozen=True)
class Counterexample:
    """Weights at which a quantity that is claimed to be conserved moves.

    Parameters
    ----------
    weights, data : dict of MatrixSymbol to array of Fraction
        Exact numbers.
    rate : array of Fraction
        The time derivative of the quantity there, which is not zero.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> first, second = flow.state
    >>> print(sf.claim(flow, conserved=second * second.T).counterexample)
    at W1 = [[2]], W2 = [[1]], Sigma_xx = [[1]], Sigma_yx = [[0]] it moves at [[-8]]
    """

    weights: dict[sympy.MatrixSymbol, Array]
    data: dict[sympy.MatrixSymbol, Array]
    rate: Array

    def __str__(self) -> str:
        parts = {**self.weights, **self.data}.items()
        listed = [f"{s.name} = {_text(array)}" for s, array in parts]
        moved = _text(np.atleast_2d(np.asarray(self.rate, dtype=object)))
        return f"at {', '.join(listed)} it moves at {moved}"


@dataclass(frozen=True, eq=False, repr=False)
class AssertedLaw(Law):
    """Somebody's claim that a quantity is conserved; made by `claim`.

    Parameters
    ----------
    flow : GradientFlow
        The flow.
    quantity : sympy.Expr or sympy.MatrixExpr
        What is claimed to be conserved.
    source : Reference
        Who claims it.
    """

    flow: GradientFlow
    quantity: Any
    source: Reference = READER

    @property
    def name(self) -> str:
        """The claim in words."""
        return f"claim: {inline(self.quantity)} is conserved"

    def __str__(self) -> str:
        return f"{self.name}; {self.verdict.value}"

    @property
    def reference(self) -> Reference:
        """Who claims it."""
        return self.source

    @cached_property
    def node(self) -> Node:
        """The quantity as a node."""
        return from_sympy(self.quantity)

    @property
    def involved(self) -> tuple[int, ...]:
        """Which weights occur, counted from 0."""
        found = symbols_of(self.node)
        return tuple(k for k, s in enumerate(self.flow.state) if s in found)

    @property
    def rate(self) -> sympy.Expr:
        """Nothing decays: the claim is that the quantity is constant."""
        return sympy.S.Zero

    @property
    def scope(self) -> str:
        """For what it is claimed to hold."""
        return f"as somebody claims; {self.verdict.value}"

    @property
    def status(self) -> Status:
        """Asserted; `verdict` says what becomes of it."""
        return Status.ASSERTED

    @property
    def verdict(self) -> Status:
        """Proved, refuted by a counterexample in exact numbers, or undecided."""
        if self.is_proved:
            return Status.PROVED
        known = self.counterexample is not None
        return Status.REFUTED if known else Status.UNDECIDED

    def _sheet(self) -> Sheet:
        return replace(super()._sheet(), title=f"{self} ({self.source})", notes=())

    def proof(self) -> list[ProofStep]:
        """Return Q̇ = 0 in words, for every force or that of the loss; or nothing."""
        general = pace_of(self.flow).velocities()
        own = dict(zip(self.flow.state, self.flow.directions, strict=True))
        for velocities, reason in ((general, "every loss"), (own, "every data set")):
            moved = slope(self.node, velocities)
            try:
                return [step(moved, scale(0, self.node), f"for {reason}", {})]
            except (ArithmeticError, TypeError):
                continue  # not an identity, or no words: the next force is tried
        sizes = [sympy.sympify(n) for symbol in self.flow.state for n in symbol.shape]
        if not all(n.is_Integer for n in sizes) or self._entries(1) > FEW_ENTRIES:
            return []
        try:
            return [entrywise_step(slope(self.node, general), "at these widths")]
        except (ArithmeticError, TypeError, AttributeError):
            return []

    @cached_property
    def counterexample(self) -> Counterexample | None:
        """Small exact weights and data at which it moves, if any were found."""
        own = dict(zip(self.flow.state, self.flow.directions, strict=True))
        moved, rng = slope(self.node, own), Random(0)
        for width in WIDTHS:
            for _ in range(DRAWS):
                found = self._tried(moved, width, rng)
                if found is not None:
                    return found
        return None

    def _tried(self, moved: Node, width: int, rng: Random) -> Counterexample | None:
        shapes = [tuple(_size(n, width) for n in s.shape) for s in self.flow.state]
        if self._entries(width) > MOST_ENTRIES:
            return None
        ends = (_size(self.flow.network.widths[k], width) for k in (0, -1))
        try:
            known = self.flow.loss.arrays(Dataset(*(_drawn((2, n), rng) for n in ends)))
            pairs = zip(self.flow.state, shapes, strict=True)
            weights = {s: _drawn(shape, rng) for s, shape in pairs}
            data = {s: map_entries(as_fraction, known[s.name]) for s in self.flow.data}
            rate = _ExactValues({**weights, **data}, _fraction).of(moved)
        except (ValueError, KeyError, TypeError):
            return None  # no exact numbers for this loss or model
        if not any(entry != 0 for entry in np.asarray(rate, dtype=object).flat):
            return None
        return Counterexample(weights, data, np.asarray(rate, dtype=object))

    def _entries(self, width: int) -> int:
        shapes = [[_size(n, width) for n in s.shape] for s in self.flow.state]
        return sum(rows * columns for rows, columns in shapes)

    def value(self, weights: Any) -> Array:
        """Return the quantity at given weights."""
        return self._at(self.node, weights)

    def finding(self, balls: Any, index: int) -> Finding | str:  # type: ignore[override]
        """Return Q(t) − Q(0) in balls, or why there is no ball arithmetic for Q."""
        try:
            return super().finding(balls, index)
        except InvalidArgument as reason:
            return f"no ball arithmetic for this claim: {reason}"

    def size(self, path: Path) -> Array:
        """Return the largest entry of the terms of Q along a path."""
        terms = self.node.terms if isinstance(self.node, Sum) else (self.node,)
        values = [self._at(term, path.weights) for term in terms]
        return np.asarray([max(abs(entry) for v in values for entry in v.flat)])

    def _at(self, node: Node, weights: Any) -> Array:
        leaves = dict(zip(self.flow.state, map(np.asarray, weights), strict=True))
        first = next(array.flat[0] for array in leaves.values())
        values = (
            _ExactValues(leaves, to_arb) if isinstance(first, arb) else Values(leaves)
        )
        return np.asarray(values.of(node))


def claim(
    flow: GradientFlow, *, conserved: Any, source: Reference = READER
) -> AssertedLaw:
    """Claim that a quantity is conserved along a flow, for `validate` and `certify`.

    Parameters
    ----------
    flow : GradientFlow
        The flow.
    conserved : sympy.Expr or sympy.MatrixExpr, keyword-only
        A polynomial in the weights, the matrix symbols of ``flow.state``.
    source : Reference, keyword-only
        Who claims it.

    Returns
    -------
    AssertedLaw
        Of status *asserted*. Its `verdict` is proved, refuted or undecided, with
        `proof()` and `counterexample`.

    Raises
    ------
    InvalidArgument
        If the flow is no gradient flow in ordinary time, or the quantity is no
        expression in its weights.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), sf.SquaredLoss())
    >>> first, second = flow.state
    >>> true = sf.claim(flow, conserved=second.T * second - first * first.T)
    >>> false = sf.claim(flow, conserved=second.T * second + first * first.T)
    >>> true.status.value, true.verdict.value, false.verdict.value
    ('asserted', 'proved', 'refuted')
    """
    if not isinstance(flow, GradientFlow) or flow.clock != "time":
        msg = f"claim(flow, …): needs a gradient flow in ordinary time; got {flow!r}"
        raise InvalidArgument(msg)
    try:
        node = from_sympy(conserved)
    except NotDifferentiable as problem:
        msg = f"claim(flow, conserved=…): cannot be differentiated; {problem}"
        raise InvalidArgument(msg) from None
    found = symbols_of(node)
    strange = [str(symbol) for symbol in found if symbol not in flow.state]
    if strange or not found:
        msg = (
            f"claim(flow, conserved=…): needs an expression in the weights "
            f"{flow.state}; got {conserved} with {strange or 'none of them'}"
        )
        raise InvalidArgument(msg)
    return AssertedLaw(flow, conserved, source)


def _fraction(value: Any) -> Fraction:
    found = as_fraction(value)
    if found is None:
        msg = f"{value} is not rational"
        raise InvalidArgument(msg)
    return found


def _size(size: Any, width: int) -> int:
    known = sympy.sympify(size)
    return int(known) if known.is_Integer else width


def _drawn(shape: tuple[int, ...], rng: Random) -> Array:
    count = int(np.prod(shape))
    drawn = [Fraction(rng.choice((-1, 0, 1, 1, 2))) for _ in range(count)]
    return np.array(drawn, dtype=object).reshape(shape)


def _text(array: Array) -> str:
    rows = [", ".join(map(str, row)) for row in array]
    return f"[[{'], ['.join(rows)}]]"
