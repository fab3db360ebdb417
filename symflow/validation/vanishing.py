"""Whether an expression in weights, velocities and data is zero all along a flow.

Where its words cancel for velocities that an arbitrary force F = −∂ℓ/∂W makes, it is
for every width, loss and data; where they do with the force of the loss at hand, for
every data set.  Models of integer widths are multiplied out where words do not suffice.
Else small whole numbers are tried: where it is not zero, that is a counterexample.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from random import Random
from typing import Any

import numpy as np
import sympy
from flint import arb

from symflow.algebra.arrays import Array, map_entries
from symflow.algebra.balls import FINE_BITS, in_bits, to_arb
from symflow.algebra.display import Displayed, Sheet
from symflow.algebra.nodes import Node, scale, substitute, symbols_of
from symflow.algebra.numbers import as_fraction
from symflow.algebra.symbols import sample_count
from symflow.algebra.threads import cached_property
from symflow.algebra.values import Values
from symflow.claims import Status
from symflow.conservation.proof import ProofStep, entrywise_step, is_proof, step
from symflow.conservation.symmetries import pace_of
from symflow.data import Dataset
from symflow.errors import InvalidArgument
from symflow.flow import GradientFlow, dotted

#: Sizes that stand for a symbolic width, draws of weights at each, and samples.
WIDTHS, DRAWS, SAMPLES = (1, 2, 3), 20, 2

#: Entries of all weights up to which a rate is multiplied out, and numbers are tried.
FEW_ENTRIES, MOST_ENTRIES = 40, 2_000


@dataclass(frozen=True, repr=False)
class Counterexample(Displayed):
    """Weights at which what should vanish does not, as the rate of a quantity."""

    #: `weights`, `data`: exact numbers.
    weights: dict[sympy.MatrixSymbol, Array]
    data: dict[sympy.MatrixSymbol, Array]
    #: What is not zero there: of a law, the time derivative of the quantity.
    rate: Array
    words: str = "it moves at"  #: What that is.
    #: Values of scalars that are symbols in the flow, such as a weight decay.
    numbers: dict[sympy.Symbol, sympy.Rational] = field(default_factory=dict)

    def __str__(self) -> str:
        listed = [f"{name} = {value}" for name, value in self._parts]
        return f"at {', '.join(listed)} {self._moved}"

    @property
    def _parts(self) -> list[tuple[str, str]]:
        parts = {**self.weights, **self.data}.items()
        numbers = [(s.name, str(number)) for s, number in self.numbers.items()]
        return [*((s.name, _text(array)) for s, array in parts), *numbers]

    @property
    def _moved(self) -> str:
        moved = _text(self.rate) if self.rate.ndim else self.rate.item()
        return f"{self.words} {moved}"

    def _sheet(self) -> Sheet:
        return Sheet(f"Counterexample: {self._moved}", rows=tuple(self._parts))


@dataclass(frozen=True, eq=False)
class Vanishing:
    """The assertion that an expression is zero along a flow, wherever that starts."""

    flow: GradientFlow
    node: Node  #: In its weights, their time derivatives (Wdot1, …) and the data.
    words: str = "it moves at"  #: How a counterexample says what the expression is.

    def __post_init__(self) -> None:
        used = {"F", *(dotted(symbol).name for symbol in self.flow.state)}
        clash = used & {s.name for s in symbols_of(*self.flow.directions)}
        if clash:
            msg = (
                f"{min(clash)} means a time derivative or the force: rename the letter"
            )
            raise InvalidArgument(msg)

    def under(self, velocities: Mapping[sympy.MatrixSymbol, Node]) -> Node:
        """Return the expression with given time derivatives of the weights."""
        return substitute(self.node, {dotted(s): v for s, v in velocities.items()})

    @property
    def own(self) -> Node:
        """The expression under the velocities of the flow."""
        return self.under(dict(zip(self.flow.state, self.flow.directions, strict=True)))

    @cached_property
    def verdict(self) -> Status:
        """Proved, refuted by a counterexample in exact numbers, or undecided."""
        if is_proof(self._steps):
            return Status.PROVED
        known = self.counterexample is not None
        return Status.REFUTED if known else Status.UNDECIDED

    def proof(self) -> list[ProofStep]:
        """Return that it is zero, for every force or that of the loss; or nothing."""
        return self._steps

    @cached_property
    def _steps(self) -> list[ProofStep]:
        general = self.under(pace_of(self.flow).velocities())
        for moved, reason in ((general, "every loss"), (self.own, "every data set")):
            try:
                return [step(moved, scale(0, moved), f"for {reason}", {})]
            except (ArithmeticError, TypeError):
                continue  # not an identity, or no words: the next force is tried
        sizes = [sympy.sympify(n) for symbol in self.flow.state for n in symbol.shape]
        if not all(n.is_Integer for n in sizes) or self._entries(1) > FEW_ENTRIES:
            return []
        try:
            return [entrywise_step(general, "at these widths")]
        except (ArithmeticError, TypeError, AttributeError):
            return []

    @cached_property
    def counterexample(self) -> Counterexample | None:
        """The smallest exact weights and data found at which it is not zero."""
        moved, rng = self.own, Random(0)
        for width in WIDTHS:
            tried = [self._tried(moved, width, rng) for _ in range(DRAWS)]
            found = [one for one in tried if one is not None]
            if found:
                return self._shrunk(moved, min(found, key=_height))
        return None

    def _tried(self, moved: Node, width: int, rng: Random) -> Counterexample | None:
        if self._entries(width) > MOST_ENTRIES:
            return None
        ends = (_size(self.flow.network.widths[k], width) for k in (0, -1))
        samples = [_drawn((SAMPLES, size), rng) for size in ends]
        try:
            known = self.flow.loss.arrays(Dataset(*samples))
            data = {s: map_entries(fraction_of, known[s.name]) for s in self.flow.data}
        except (ValueError, KeyError):
            return None  # no data of this kind
        weights = {
            s: _drawn(tuple(_size(n, width) for n in s.shape), rng)
            for s in self.flow.state
        }
        numbers = {s: _allowed(s, rng) for s in self.flow.parameters}
        if None in numbers.values():
            return None
        still = Counterexample(weights, data, np.array(0), self.words, numbers)
        return self._at(moved, still)

    def _shrunk(self, moved: Node, found: Counterexample) -> Counterexample:
        """Put weights to zero one by one, as long as something is left."""
        for symbol, array in found.weights.items():
            for place in np.ndindex(array.shape):
                fewer = found.weights[symbol].copy()
                fewer[place] = Fraction(0)
                weights = {**found.weights, symbol: fewer}
                found = self._at(moved, replace(found, weights=weights)) or found
        return found

    @in_bits(FINE_BITS)
    def _at(self, moved: Node, tried: Counterexample) -> Counterexample | None:
        """Return these numbers if it is not zero there: in fractions, or in balls."""
        count = {sample_count(self.flow.data): sympy.Integer(SAMPLES), **tried.numbers}
        given = {**tried.weights, **tried.data}.items()
        for kind in (fraction_of, to_arb):

            def number(value: sympy.Expr, kind: Any = kind) -> Any:
                return kind(value.xreplace(count))

            leaves = {symbol: map_entries(kind, array) for symbol, array in given}
            try:
                rate = np.asarray(Values(leaves, number).of(moved), dtype=object)
            except (ValueError, KeyError, TypeError, ArithmeticError):
                continue  # not in this arithmetic
            known = all(not isinstance(e, arb) or e.is_finite() for e in rate.flat)
            if not known or not any(entry != 0 for entry in rate.flat):
                return None
            return replace(tried, rate=rate)
        return None

    def _entries(self, width: int) -> int:
        shapes = [[_size(n, width) for n in s.shape] for s in self.flow.state]
        return sum(rows * columns for rows, columns in shapes)


def fraction_of(value: Any) -> Fraction:
    """Return a rational number as a fraction, and refuse any other."""
    found = as_fraction(value)
    if found is None:
        msg = f"{value} is not rational"
        raise InvalidArgument(msg)
    return found


def _height(found: Counterexample) -> Fraction:
    arrays = (*found.weights.values(), *found.data.values())
    return Fraction(sum(abs(entry) for array in arrays for entry in array.flat))


def _size(size: Any, width: int) -> int:
    known = sympy.sympify(size)
    return int(known) if known.is_Integer else width


def _allowed(symbol: sympy.Symbol, rng: Random) -> sympy.Rational | None:
    """Return a number that the assumptions on a symbol allow, if one of a few is."""
    tried = [sympy.Integer(n) for n in rng.sample((1, 2, 3), 3)] + [-sympy.S.One]
    known = symbol.assumptions0.items()
    fits = [n for n in tried if all(getattr(n, f"is_{k}") is v for k, v in known)]
    return fits[0] if fits else None


def _drawn(shape: tuple[int, ...], rng: Random) -> Array:
    count = int(np.prod(shape))
    drawn = [Fraction(rng.choice((-1, 0, 1, 1, 2))) for _ in range(count)]
    return np.array(drawn, dtype=object).reshape(shape)


def _text(array: Array) -> str:
    rows = [", ".join(map(str, row)) for row in array]
    return f"[[{'], ['.join(rows)}]]"
