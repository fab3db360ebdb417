"""Somebody's equation ẇ = f(w, σ, λ) of the singular values of W, against the flow's.

Where data and start share singular vectors, frames cancel in every layer and each mode
obeys the flow of 1×1 weights a_1, …, a_L with Σ_xx = λ, Σ_yx = σ and w = c a_1⋯a_L.
Balanced starts have equal amplitudes; f may depend on the imbalance δ = b² − a² of two
layers as well.  The residual f − ẇ is an expression in amplitudes: zero, or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.algebra.balls import to_arb, to_arb_array
from symflow.algebra.from_sympy import from_sympy
from symflow.algebra.nodes import Node
from symflow.algebra.text import inline
from symflow.algebra.threads import cached_property
from symflow.algebra.values import Values, scalar_value
from symflow.algebra.words import expand
from symflow.claims import Finding, Identity, Path, Reference, Status
from symflow.claims.finding import Balls, is_endless
from symflow.conservation.proof import slope
from symflow.errors import InvalidArgument
from symflow.flow import GradientFlow
from symflow.losses import SquaredLoss
from symflow.validation.assertion import Assertion

#: What f may depend on.
W, SIGMA, LAM, DELTA = SYMBOLS = (
    *sympy.symbols("w sigma lambda", positive=True),
    sympy.Symbol("delta", real=True),
)

#: Amplitudes, σ and λ that are tried.
TRIED = (1, 2, 3)


@dataclass(frozen=True, eq=False, repr=False)
class AssertedMode(Assertion):
    """Somebody's equation of a singular mode; made by `claim`.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), sf.SquaredLoss())
    >>> w, sigma, lam = sympy.symbols("w sigma lambda")
    >>> sf.claim(flow, mode_ode=2 * w * (sigma - lam * w)).verdict.value
    'proved'
    >>> print(sf.claim(flow, mode_ode=w * (sigma - lam * w)).counterexample)
    at w = 1, sigma = 1, lambda = 2, delta = 0 the flow has ẇ = -2, not -1
    """

    flow: GradientFlow  #: Of the squared loss on a product of matrices.
    claimed: sympy.Expr  #: ẇ in w, σ, λ, and perhaps δ for two layers of any imbalance.
    source: Reference  #: Who claims it.

    @property
    def name(self) -> str:
        """The claim in words."""
        return f"claim: ẇ = {inline(self.claimed)}"

    @property
    def statement(self) -> sympy.Basic:
        """ẇ = f."""
        return sympy.Eq(sympy.Symbol("wdot"), self.claimed, evaluate=False)

    @property
    def verdict(self) -> Status:  # type: ignore[override]
        """Proved, refuted by a counterexample in exact numbers, or undecided."""
        if self.proof()[0].holds:
            return Status.PROVED
        return Status.REFUTED if self.counterexample else Status.UNDECIDED

    @property
    def is_balanced(self) -> bool:
        """Whether the equation is for balanced starts alone."""
        return DELTA not in self.claimed.free_symbols

    @cached_property
    def _reduced(self) -> tuple[list[sympy.Symbol], dict[Any, Any], sympy.Expr]:
        """Amplitudes, what w and δ are in them, and ẇ by the product rule."""
        names = ["a" if self.is_balanced else f"a{s.name}" for s in self.flow.state]
        amplitudes = [sympy.Symbol(name, positive=True) for name in names]
        numbers = dict(zip(self.flow.state, amplitudes, strict=True))
        numbers |= dict(zip(self.flow.data, (LAM, SIGMA), strict=True))
        leaves = {symbol: np.array([[number]]) for symbol, number in numbers.items()}
        values = Values(leaves, sympy.sympify)
        rates = [values.of(node).item() for node in self.flow.directions]
        if self.is_balanced and any(sympy.expand(r - rates[0]) != 0 for r in rates):
            msg = f"claim(flow, mode_ode=…): no start of {self.flow!r} stays balanced"
            raise InvalidArgument(msg)
        whole = values.of(self.flow.network.end_to_end_node).item()
        meaning = {W: whole, DELTA: amplitudes[-1] ** 2 - amplitudes[0] ** 2}
        return amplitudes, meaning, values.of(self.speed).item()

    @cached_property
    def speed(self) -> Node:
        """The time derivative of W."""
        own = dict(zip(self.flow.state, self.flow.directions, strict=True))
        return slope(self.flow.network.end_to_end_node, own)

    def proof(self) -> tuple[Identity, ...]:
        """Return that f − ẇ vanishes in the amplitudes, which may not hold."""
        _, meaning, moved = self._reduced
        residual = (self.claimed.subs(meaning, simultaneous=True) - moved).replace(
            lambda part: part.is_Pow and not part.exp.is_integer,
            lambda part: sympy.factor(part.base) ** part.exp,
        )
        words = "f − ẇ = 0 in the amplitudes of a mode, ẇ by the product rule"
        return (Identity(words, sympy.expand(residual)),)

    @cached_property
    def counterexample(self) -> str:
        """Where f is not ẇ, in exact numbers, the smallest found; or nothing."""
        amplitudes, meaning, moved = self._reduced
        free = [*dict.fromkeys(amplitudes), SIGMA, LAM]
        for numbers in sorted(product(TRIED, repeat=len(free)), key=sum):
            at = dict(zip(free, numbers, strict=True))
            at |= {s: sympy.sympify(e).subs(at) for s, e in meaning.items()}
            said, true = self.claimed.subs(at), moved.subs(at)
            if (said - true).equals(0) is False:
                where = ", ".join(f"{s} = {at[s]}" for s in SYMBOLS)
                return f"at {where} the flow has ẇ = {true}, not {said}"
        return ""

    def mismatch(self, path: Any) -> str:
        """Return why the modes of a path are not those that the claim speaks of."""
        if not self.is_balanced or self.claimed.atoms(sympy.Function):
            return "runs are compared where f is algebraic, and for balanced starts"
        weights, arrays = path.problem.weights, path.problem.arguments
        own = np.diagonal(weights[0])[: min(arrays[1].shape)]
        alike = all(_is_diagonal(weight, own) for weight in weights)
        alike = alike and all(_is_diagonal(a, np.diagonal(a)) for a in arrays)
        good = alike and all(entry > 0 for entry in own)
        return "" if good else "needs diagonal data, and equal diagonal layers > 0"

    def residuals(self, path: Path) -> Array:
        """Return |f − ẇ| of the worst mode, relative to the terms of f."""
        problem = path.problem  # type: ignore[attr-defined]
        data = dict(zip(self.flow.data, map(path.lift, problem.arguments), strict=True))
        gaps, sizes = [], []
        for weights in zip(*path.weights, strict=True):
            leaves = data | dict(zip(self.flow.state, weights, strict=True))
            found = self._modes(Values(leaves), path.number)
            gaps.append(max(abs(said - moved) for said, moved, _ in found))
            sizes += [size for _, _, size in found]
        return np.asarray([gap / (max(sizes) or 1) for gap in gaps])

    def finding(self, balls: Balls, index: int) -> Finding | str:
        """Return f − ẇ of every mode in balls, or why there is none."""
        apart = self.mismatch(balls) or is_endless(balls) * "needs finite times"
        if apart:
            return apart
        leaves = dict(zip(self.flow.state, balls.weight_balls(index), strict=True))
        data = map(to_arb_array, balls.problem.arguments)
        leaves |= dict(zip(self.flow.data, data, strict=True))
        found = self._modes(Values(leaves), to_arb)
        return Finding(np.array([said - moved for said, moved, _ in found], object))

    def _modes(self, values: Values, number: Any) -> list[tuple[Any, ...]]:
        """Return f, ẇ and the size of the terms of f, for every diagonal entry."""
        xx, yx = (values.of(from_sympy(symbol)) for symbol in self.flow.data)
        nodes = (self.flow.network.end_to_end_node, self.speed)
        product, moved = map(values.of, nodes)
        terms = sympy.Add.make_args(sympy.expand(self.claimed))
        found = []
        for i in range(min(yx.shape)):
            at = {W: product[i, i], SIGMA: yx[i, i], LAM: xx[i, i]}
            parts = [scalar_value(term, at, number) for term in terms]
            found.append((sum(parts), moved[i, i], sum(map(abs, parts))))
        return found


def _is_diagonal(matrix: Array, entries: Array) -> bool:
    """Say whether these are the entries of a diagonal, and all others are zero."""
    expected = np.zeros(matrix.shape, dtype=object)
    np.fill_diagonal(expected[: len(entries), : len(entries)], entries)
    return min(matrix.shape) >= len(entries) and bool(np.all(matrix == expected))


def no_modes(flow: GradientFlow, imbalanced: bool) -> str:
    """Return why singular modes of a flow obey no equations of their own; or nothing.

    An `imbalanced` equation has δ.
    """
    try:
        words = [*expand(flow.network.end_to_end_node)]
    except TypeError:
        words = []
    letters = sorted(str(letter) for word in words for letter, _ in word)
    one = len(words) == 1 and letters == sorted(map(str, flow.state))
    if not one or not isinstance(flow.loss, SquaredLoss):
        return "needs the squared loss, and one product of different matrices"
    if imbalanced and len(flow.state) != 2:
        return "delta is the imbalance of two layers"
    clash = {s.name for s in flow.parameters} & {s.name for s in SYMBOLS}
    return f"{sorted(clash)} is a letter of the mode; rename it" if clash else ""
