"""Laws of first and second degree of any polynomial model, for every width and loss.

Let Q be a quadratic form and ξ half its gradient, ξ_l times the learning rate η_l.  The
velocities are θ̇_l = η_l((dW)ᵀF − λ_lθ_l)_l with some force F, so that

    Q̇/2 = ⟨F, dW(θ)[ξ(θ)]⟩ − Σ_l η_lλ_l (the part of Q of θ_l).

Hence Q is conserved for every loss exactly if θ → θ + εξ(θ) is a symmetry of W, as
Noether says, and decays if the η_lλ_l agree.  For ξ made of letters, a generator S and
unknown coefficients, dW[ξ] = 0 is a linear system over ℚ: one equation for every word
of `symflow.algebra.commuting_words`.  A linear form is a law if W does not change along
it.  Laws that follow from others are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from itertools import combinations_with_replacement
from typing import Any

import numpy as np
import sympy

from symflow.algebra.commuting_words import Chains, derivative, expand_commuting
from symflow.algebra.elementwise import Hadamard
from symflow.algebra.embeddings import CirculantNode, Diag
from symflow.algebra.nodes import (
    Leaf,
    Node,
    Product,
    Scaled,
    Sum,
    Transposed,
    add,
    postorder,
    scale,
)
from symflow.algebra.numbers import as_fraction
from symflow.conservation.generators import ONE, Generators, Oriented, Term
from symflow.conservation.null_space import content, relations, row_space, short_basis
from symflow.conservation.spaces import Spaces
from symflow.flow import GradientFlow
from symflow.networks import AbstractNetwork

#: The terms of a law and their coefficients.
Combination = tuple[tuple[Term, Fraction], ...]
Velocities = dict[sympy.MatrixSymbol, Node]


@dataclass(frozen=True)
class Pace:
    """The learning rates η of the parameters of a model, and the rates ηλ of decay."""

    network: AbstractNetwork
    speeds: tuple[sympy.Expr, ...]
    decays: tuple[sympy.Expr, ...]

    def speed(self, symbol: sympy.MatrixSymbol) -> sympy.Expr:
        """Return the learning rate of a parameter."""
        return self.speeds[self.network.parameters.index(symbol)]

    def decay(self, *symbols: sympy.MatrixSymbol | None) -> sympy.Expr:
        """Return the rate at which the product of some parameters decays."""
        places = (self.network.parameters.index(s) for s in symbols if s is not None)
        return sympy.expand(sum((self.decays[k] for k in places), sympy.S.Zero))

    def velocities(self) -> Velocities:
        """Return θ̇ for a force F = −∂ℓ/∂W."""
        widths = self.network.widths
        force = Leaf(sympy.MatrixSymbol("F", widths[-1], widths[0]))
        found: Velocities = {}
        for place, node in enumerate(self.network.pull_back(force)):
            symbol, decay = self.network.parameters[place], self.decays[place]
            moved = scale(self.speeds[place], node)
            shrunk = (scale(-decay, Leaf(symbol)),) if decay != 0 else ()
            found[symbol] = add(moved, *shrunk)
        return found

    def weight(self, term: Term) -> sympy.Expr:
        """Return what a term is multiplied with: 1/η where both letters move alike."""
        speeds = {self.speed(symbol) for symbol in term.symbols}
        return 1 / speeds.pop() if len(speeds) == 1 else sympy.S.One

    def motion(self, terms: Iterable[tuple[Term, Any]]) -> Velocities:
        """Return ξ of a quadratic form, the same generator acting in all its terms."""
        found: dict[sympy.MatrixSymbol, list[Node]] = {}
        for term, coefficient in terms:
            for symbol, node in term.gradient():
                factor = coefficient * self.weight(term) * self.speed(symbol)
                found.setdefault(symbol, []).append(scale(factor, node))
        return {symbol: add(*nodes) for symbol, nodes in found.items()}


def pace_of(flow: GradientFlow) -> Pace:
    """Return the learning rates and the weight decay of a flow, by parameter."""
    speeds = tuple(map(flow.speed, range(len(flow.state))))
    decays = tuple(eta * rate for eta, rate in zip(speeds, flow.decays, strict=True))
    return Pace(flow.network, speeds, decays)


@lru_cache(maxsize=2**10)
def symmetries(pace: Pace) -> tuple[Combination, ...]:
    """Return the coefficients of all laws of first and second degree."""
    try:
        words = expand_commuting(pace.network.end_to_end_node)
    except TypeError:  # not polynomial: no law of it is known here
        return ()
    model = Letters(pace, words)
    linear: list[Combination] = []
    for terms in model.alike():
        moves = (pace.motion([(term, 1)]) for term in terms)
        linear += combinations_of(words, terms, moves, [])
    quadratic: list[Combination] = []
    for terms in model.terms():
        implied = [*_products(linear, terms), *_consequences(quadratic, terms)]
        moves = (pace.motion([(term, 1)]) for term in terms)
        quadratic += combinations_of(words, terms, moves, implied)
    return (*linear, *quadratic)


class Letters:
    """The letters of an expanded model, and which of them may occur in one law."""

    def __init__(self, pace: Pace, words: Chains) -> None:
        self.pace = pace
        symbols = {Leaf(symbol) for symbol in pace.network.parameters}
        degrees = {sum(x in symbols for x, _ in word) for word in words}
        self.is_homogeneous = len(degrees) <= 1
        node = pace.network.end_to_end_node
        self.spaces = Spaces(node)
        below = list(postorder(node))
        plain = (Leaf, Product, Sum, Scaled, Transposed)
        inside = [x for x in below if not isinstance(x, plain)]
        hidden = set(postorder(*inside))
        self.bare = {s for s in pace.network.parameters if Leaf(s) not in hidden}
        products = [x for x in below if isinstance(x, Hadamard)]
        columns = [x for x in products if x.shape[1] == 1]
        others = [x for x in products if x.shape[1] != 1]
        self.entrywise = {self.spaces.of(node) for node in others}
        diagonals = [x.body for x in below if isinstance(x, Diag)]
        filters = [x for x in below if isinstance(x, CirculantNode)]
        full = [x.body for x in filters if x.shape[0] == x.body.shape[0]]
        self.families = {
            Generators.DIAGONAL: self._rows(columns + diagonals),
            Generators.CIRCULANT: self._rows(full),
        }

    def alike(self) -> Iterator[list[Term]]:
        """Yield letters that can be added up, and decay at one rate."""
        groups: dict[Any, list[Term]] = {}
        for symbol in self.pace.network.parameters:
            pair = self.spaces.of(Leaf(symbol))
            rate = self.pace.decay(symbol)
            turned = (*reversed(pair), rate) in groups and (*pair, rate) not in groups
            key = (*(reversed(pair) if turned else pair), rate)
            term = Term(Generators.ALL, ONE, (symbol, turned))
            groups.setdefault(key, []).append(term)
        yield from groups.values()

    def terms(self) -> Iterator[list[Term]]:
        """Yield the terms that can add up to a law, those of most generators first."""
        groups: dict[Generators, dict[Any, list[Term]]] = {g: {} for g in Generators}
        for (first, pair), (second, other) in self._pairs():
            rate = self.pace.decay(first[0], second[0])
            kinds = [*self._acting(first, second, pair[1], other[1])]
            upright = first[1] == second[1] == (first[1] and pair != pair[::-1])
            if pair == other and pair in self.entrywise and upright:
                kinds.append(Generators.ENTRYWISE)
            for kind in kinds:
                ends = (first, second) if pair[1] <= other[1] else (second, first)
                spaces = tuple(sorted((pair[1], other[1])))
                key = (rate,) if kind is Generators.MULTIPLES else (rate, spaces)
                key = (rate, pair) if kind is Generators.ENTRYWISE else key
                groups[kind].setdefault(key, []).append(Term(kind, *ends))
        for found in groups.values():
            yield from found.values()

    def _pairs(self) -> Iterator[tuple[Any, Any]]:
        """Yield all pairs of letters with rows in one space, and where they act."""
        rows: dict[int, list[Any]] = {}
        for symbol in self.pace.network.parameters:
            pair = self.spaces.of(Leaf(symbol))
            for flag in (True, False):
                ends = pair[::-1] if flag else pair
                rows.setdefault(ends[0], []).append(((symbol, flag), ends))
        for space, letters in rows.items():
            if not self.is_homogeneous:
                yield from (
                    ((ONE, (space, space)), ((symbol, flag), ends))
                    for (symbol, flag), ends in letters
                    if space < ends[1] or (space == ends[1] and not flag)
                )
            yield from combinations_with_replacement(letters, 2)

    def _acting(
        self, first: Oriented, second: Oriented, one: int, other: int
    ) -> Iterator[Generators]:
        """Yield the generators that act on the columns of two letters."""
        is_bare = second[0] in self.bare and (first == ONE or first[0] in self.bare)
        if one != other:
            yield from (Generators.ALL,) * is_bare
            return
        if is_bare:
            yield Generators.SYMMETRIC
            yield from (Generators.SKEW,) * (first != second)
        for kind, spaces in self.families.items():
            yield from (kind,) * (one in spaces and first != ONE)
        if (first, second) == _upright(first, second):
            yield Generators.MULTIPLES

    def _rows(self, nodes: Iterable[Node]) -> set[int]:
        return {self.spaces.of(node)[0] for node in nodes}


def _upright(first: Oriented, second: Oriented) -> tuple[Oriented, Oriented]:
    """Return the letters of tr(aᵀb), of which both may be transposed."""
    if not first[1] or (first[0] == second[0] and first != second):
        return first, second
    return (first[0], False), (second[0], not second[1])


def combinations_of(
    words: Chains, terms: Sequence[Term], moves: Iterable[Velocities], implied: Any
) -> list[Combination]:
    """Return the combinations of motions that leave the words alone, as laws.

    Those that follow from `implied`, combinations that are known, are left out.
    """
    basis = relations([_by_monomial(derivative(words, move)) for move in moves])
    kept = [np.array(row, dtype=object) for row in implied]
    kept = [*row_space(np.array(kept))] if kept else []
    laws: list[Combination] = []
    for row in short_basis(basis) if len(kept) < len(basis) else ():
        grown = row_space(np.array([*kept, row])) if implied else [*kept, row]
        if len(grown) > len(kept):
            kept = [*grown]
            laws.append(_law(terms, row))
    return laws


def _by_monomial(words: Chains) -> dict[Any, Fraction]:
    """Return rational coefficients by word and by what is not rational in them."""
    found: dict[Any, Fraction] = {}
    for word, coefficient in words.items():
        for part, number in sympy.expand(coefficient).as_coefficients_dict().items():
            ratio = as_fraction(number)
            assert ratio is not None
            found[word, part] = ratio
    return found


def _law(terms: Sequence[Term], row: Any) -> Combination:
    """Return coprime integers, positive for what comes later or acts from the left."""
    pairs = [(term, value) for term, value in zip(terms, row, strict=True) if value]
    upright = [value for term, value in pairs if not term.first[1]]
    last = (upright or [value for _, value in pairs])[-1]
    shared = content([value for _, value in pairs])
    unit = shared if last > 0 else -shared
    return tuple((term, value / unit) for term, value in pairs)


def _products(linear: list[Combination], terms: list[Term]) -> Iterator[list[Fraction]]:
    """Yield the products of two linear laws, or of one and 1, made of some terms."""
    turned = [[(ONE, Fraction(1))]] * bool(linear)
    turned += [
        [((term.second[0], term.second[1] != flip), value) for term, value in law]
        for law in linear
        for flip in (False, True)
    ]
    for one, other in combinations_with_replacement(turned, 2):
        items = [
            (terms[0].generators, a, b, value * factor)
            for a, value in one
            for b, factor in other
        ]
        yield from _in_terms(items, terms)


def _consequences(
    laws: list[Combination], terms: list[Term]
) -> Iterator[list[Fraction]]:
    """Yield what known laws say of the terms of fewer generators: their diagonals."""
    kind = terms[0].generators
    for law in laws:
        first = law[0][0].generators
        if kind.rank > first.rank and first not in {Generators.ALL, Generators.SKEW}:
            items = [(kind, term.first, term.second, c * term.share) for term, c in law]
            yield from _in_terms(items, terms)


def _in_terms(items: list[Any], terms: list[Term]) -> Iterator[list[Fraction]]:
    """Yield sums of tr Sᵀaᵀb as combinations of terms, if they are."""
    places = {term: k for k, term in enumerate(terms)}
    row = [Fraction(0)] * len(terms)
    for kind, a, b, value in items:
        ends = _upright(a, b) if kind is Generators.MULTIPLES else (a, b)
        straight, crossed = Term(kind, *ends), Term(kind, *ends[::-1])
        place = places.get(straight, places.get(crossed))
        if place is None:
            return
        sign = -1 if kind is Generators.SKEW and straight not in places else 1
        row[place] += sign * Fraction(value) / Fraction(straight.share)
    if any(row):
        yield row
