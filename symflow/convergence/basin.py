"""One-neuron layer: the flow of W alone, and where each start ends.

Notation of `convergence/one_neuron.py`; Z = Σ z_kp_kq_kᵀ and F = Z − W.

Induced flow (Eftekhari 2020).  W = s u vᵀ obeys an equation of its own, at any depth:

    Ẇ = s^{2−2/L} (uuᵀF + F vvᵀ + (L − 2) uuᵀF vvᵀ).

Limit.  In the clock τ the pair x = (u; v)/√2 follows x' = ℋx − ρx, so that its
coefficients c_k = (p_kᵀu + q_kᵀv)/2 grow against each other as e^{z_kτ}: the first
group of equal z_k > 0 in which some c_k(0) ≠ 0 wins, its part cos²φ of x never falls,

    W(∞) = z_k Σc_jp_j Σc_jq_jᵀ / Σc_j²,

and s → 0, W → 0 where all these coefficients vanish.  W(∞) = z_1p_1q_1ᵀ fails only on
a hyperplane of starts; every other limit is a saddle, which flows near it leave at the
rate z_k^{1−2/L}(z_1 − z_k).  So W(∞) jumps where a coefficient vanishes or values tie.
Both are decided exactly: the span of x, ℋx, ℋ²x, … has as many dimensions as x has
components at different eigenvalues, and a rank over ℚ is exact.  Up to rounding only
W(∞) = z_1p_1q_1ᵀ can be asserted, where c_1 and z_1 − z_2 are large beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, end_to_end, to_float_array
from symflow.algebra.numbers import to_float
from symflow.algebra.rank import decide_rank
from symflow.algebra.threads import cached_property
from symflow.claims import (
    Bound,
    Hypothesis,
    Identity,
    Path,
    Refusal,
    Theorem,
    all_hold,
    relative_size,
    strictly,
)
from symflow.claims.bibliography import CHEN_2022, EFTEKHARI_2020
from symflow.claims.example import Example, Examples, regression, scaled
from symflow.convergence.one_neuron import (
    BALANCED,
    FROM_FRACTIONS,
    Setting,
    setting,
    unit_pair,
)
from symflow.flow.problem import Problem

#: A unit vector.
UNITS = (sympy.Rational(3, 5), sympy.Rational(4, 5))


@dataclass(frozen=True, eq=False, repr=False)
class InducedFlow(Theorem):
    """W(t) = s u vᵀ moves by an equation of its own; made by `attempt`."""

    depth: int  #: L.

    source = EFTEKHARI_2020
    where = "W = s u vᵀ, and F = Σ_yx − W"
    conditions = BALANCED

    @classmethod
    def conclude(cls, problem: Problem, found: Sequence[Hypothesis]) -> Self | Refusal:
        return cls(problem, tuple(found), problem.flow.network.depth)

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return why all layers but the first and the last move W by the same."""
        depth, layer = sympy.symbols("L l", positive=True)
        above, below = 2 * (depth - layer) / depth, 2 * (layer - 1) / depth
        return (
            Identity(
                "W_L⋯W_{l+1} = s^{(L−l)/L} u r_lᵀ and W_{l−1}⋯W_1 = s^{(l−1)/L} "
                "r_{l−1}vᵀ: each l gives s^{2−2/L}, and uuᵀF, Fvvᵀ at the ends",
                above + below - (2 - 2 / depth),
            ),
            Identity("three layers of widths 2, 1, 1, 2, entry by entry", _three()),
        )

    @classmethod
    def examples(cls) -> Examples:
        """Return a network of three layers, whose depth the false version has wrong."""
        twice = scaled(depth=2)
        return (unit_example("eftekhari-induced", UNITS, UNITS[::-1], 1, false=twice),)

    @property
    def statement(self) -> sympy.Basic:
        """Ẇ = s^{2−2/L}(uuᵀF + Fvvᵀ + (L−2)uuᵀFvvᵀ)."""
        m, d = self.problem.widths[-1], self.problem.widths[0]
        Wdot, F = sympy.MatrixSymbol("Wdot", m, d), sympy.MatrixSymbol("F", m, d)
        u, v = sympy.MatrixSymbol("u", m, 1), sympy.MatrixSymbol("v", d, 1)
        power = sympy.Symbol("s", positive=True) ** (2 - sympy.Rational(2, self.depth))
        inside = u * u.T * F + F * v * v.T + (self.depth - 2) * u * u.T * F * v * v.T
        return sympy.Eq(Wdot, power * inside, evaluate=False)

    def residuals(self, path: Path) -> Array:
        """Return the gap between Ẇ from the layers and from W alone, relative."""
        given, power = setting(self.problem), 2 - 2 / self.depth
        target = path.lift(self.problem.exact_arguments[1])
        first, start = (
            to_float(size)
            for size in (given.frame.first, given.frame.strength(given.product)[()])
        )
        gaps = []
        for index, product in enumerate(path.end_to_end):
            force = target - product
            moved = _moved([weight[index] for weight in path.weights], force)
            gap = moved - self._induced(path, product, force)
            size = max(start, to_float((product**2).sum()) ** 0.5)
            scale = path.number(size**power * (first + size))
            gaps.append(relative_size(gap, np.array([scale])))
        return np.asarray(gaps)

    def _induced(self, path: Path, product: Array, force: Array) -> Array:
        u, v = unit_pair(product)
        left, right = np.outer(u, u), np.outer(v, v)
        square = (product**2).sum()
        size = square ** path.number(sympy.Rational(self.depth - 1, self.depth))
        both = left @ force @ right
        inside = left @ force + force @ right + (self.depth - 2) * both
        return np.asarray(size * inside)


@dataclass(frozen=True, eq=False, repr=False)
class RankOneLimit(Bound, Theorem):
    """Where the flow ends, from any start; made by `attempt`."""

    #: The numbers k, from 0, of the modes that win; empty if W → 0.
    group: tuple[int, ...]

    source = CHEN_2022
    contributes = "limits from balanced starts, saddles included; exact decision ours"
    where = (
        "z_k, p_k and q_k are the singular values and vectors of Σ_yx; where values "
        "tie, c is a unit vector in their frame"
    )
    conditions = BALANCED

    @classmethod
    def conclude(cls, problem: Problem, found: Sequence[Hypothesis]) -> Self | Refusal:
        """Return the limit: of generic starts up to rounding, of all others exactly."""
        given = setting(problem)
        if len(given.values):
            generic = [*found, given.separated(found), given.excited(found)]
            if all_hold(generic):
                return cls(problem, tuple(generic), (0,))
        excited = _Excited.of(given)
        more = [*map(strictly, found), excited.counted(problem, given)]
        if not all_hold(more):
            return cls.refuse(more)
        return cls(problem, tuple(more), excited.winners)

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return which coefficient outgrows which, and what s does then."""
        c, other, z, low, rho, s, power = sympy.symbols("c_k c_j z_k z_j rho s r")
        slope = (low - rho) * other / c - other / c**2 * (z - rho) * c
        return (
            Identity("(c_j/c_k)' = (z_j − z_k)c_j/c_k", slope - (low - z) * other / c),
            Identity(
                "ρ → z_k, so that ṡ = L s^r(ρ − s) leads to s = z_k; and to 0 if ρ ≤ 0",
                power * s * (rho - s) - power * s * (z - s) - power * s * (rho - z),
            ),
        )

    @classmethod
    def examples(cls) -> Examples:
        """Return a start on the hyperplane, and one that dies; generic ones do not."""
        generic = unit_example("generic", UNITS, UNITS[::-1])
        mirrored = (-UNITS[0], UNITS[1])
        return (
            unit_example("eftekhari-limit", UNITS, mirrored, elsewhere=generic),
            unit_example("eftekhari-zero", (1, 0), (-1, 0), elsewhere=generic),
        )

    @cached_property
    def limit(self) -> Array:
        """W(∞) in float64."""
        given, modes = setting(self.problem), list(self.group)
        if not self.group:
            return np.zeros(given.shape)
        parts = _coefficients(given)[0][modes]
        u, v = given.left[:, modes] @ parts, given.right[:, modes] @ parts
        size = given.values[modes[0]] / (parts @ parts)
        return to_float_array(size * np.multiply.outer(u, v))

    @property
    def statement(self) -> sympy.Basic:
        """W(∞) = z_kp_kq_kᵀ, with frames and a unit vector c where values tie."""
        (m, d), count = setting(self.problem).shape, len(self.group)
        limit = sympy.MatrixSymbol("W_∞", m, d)
        if not self.group:
            return sympy.Eq(limit, sympy.ZeroMatrix(m, d), evaluate=False)
        k = self.group[0] + 1
        p, q = (
            sympy.MatrixSymbol(f"{name}{k}", n, count)
            for name, n in (("p", m), ("q", d))
        )
        if count > 1:
            weights = sympy.MatrixSymbol("c", count, 1)
            p, q = p * weights, q * weights
        return sympy.Eq(limit, sympy.Symbol(f"z{k}") * p * q.T, evaluate=False)

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return cos²φ at the first time and at every time; s² where W → 0."""
        if not self.group:
            sizes = (path.end_to_end**2).sum(axis=(-2, -1))
            return sizes, np.asarray([sizes[0] for _ in path.t])
        given, modes = setting(self.problem), list(self.group)
        left, right = (path.lift(side[:, modes]) for side in (given.left, given.right))
        cosines = []
        for product in path.end_to_end:
            u, v = unit_pair(product)
            cosines.append((((u @ left + v @ right) / 2) ** 2).sum())
        return np.asarray([cosines[0] for _ in path.t]), np.asarray(cosines)

    def scale(self, path: Path, larger: Array) -> Any:
        """Return s(0)² where W → 0."""
        given, size = setting(self.problem), super().scale(path, larger)
        strength = to_float(given.frame.strength(given.product)[()])
        return size if self.group else max(size, path.number(strength**2))


@dataclass(frozen=True, eq=False)
class _Excited:
    """Which eigenvalues of ℋ the start has components at, as far as can be seen."""

    winners: tuple[int, ...]
    count: int

    @classmethod
    def of(cls, given: Setting) -> _Excited:
        plus, minus = _coefficients(given)
        ties = given.error * (given.values[0] if len(given.values) else 0)
        cuts = [0]
        for k, (high, low) in enumerate(pairwise(given.values)):
            cuts += [k + 1] if high - low > ties else []
        groups = [tuple(range(*ends)) for ends in pairwise([*cuts, len(plus)])]
        floor = given.error**2
        rest = 1 - (plus @ plus) - (minus @ minus)
        seen = [g for g in groups if (plus[list(g)] ** 2).sum() > floor]
        below = sum((minus[list(g)] ** 2).sum() > floor for g in groups)
        return cls(next(iter(seen), ()), len(seen) + int(below) + int(rest > floor))

    def counted(self, problem: Problem, given: Setting) -> Hypothesis:
        """Say whether exactly these eigenvalues, and no others, are excited."""
        words = "the modes of W(0) are known exactly"
        if given.error > FROM_FRACTIONS:
            detail = "coefficients or gaps of irrational numbers that may be rounding"
            return Hypothesis(words, False, detail)
        exactly = _krylov_dimension(problem.sharp, self.count + 1)
        detail = f"components at {self.count} eigenvalues of ℋ seen, exactly {exactly}"
        return Hypothesis(words, exactly == self.count, detail)


def _coefficients(given: Setting) -> tuple[Array, Array]:
    """Return (p_kᵀu ± q_kᵀv)/2, the components of x at the eigenvalues ±z_k."""
    u, v = unit_pair(given.product)
    above, below = u @ given.left, v @ given.right
    return (above + below) / 2, (above - below) / 2


def _krylov_dimension(sharp: Problem, most: int) -> int:
    """Return the dimension of the span of x, ℋx, …, or `most` if it is not below.

    With a row r and a column c of W(0) through its entry w ≠ 0 the pair x is a
    multiple of (c; ±√q r), q = |c|²/|r|².  √q is an element of ℚ, or of degree two:
    then the matrix A + √q B has half the rank of the blocks A, qB, B, A.
    """
    target, product = sharp.arguments[1], end_to_end(sharp.weights)
    place = max(np.ndindex(product.shape), key=lambda at: abs(product[at]))
    row, column = product[place[0]], product[:, place[1]]
    square = (column @ column) / (row @ row)
    sign = 1 if product[place] > 0 else -1
    tops, bottoms = [(column, 0 * row)], [(0 * column, sign * row)]
    for _ in range(most - 1):
        for chain in (tops, bottoms):
            u, v = chain[-1]
            chain.append((target @ v, target.T @ u))
    A, B = (
        np.array([np.concatenate(pair) for pair in chain], dtype=object).T
        for chain in (tops, bottoms)
    )
    root = sympy.sqrt(sympy.Rational(square.numerator, square.denominator))
    if root.is_Rational:
        return decide_rank(A + type(square)(int(root.p), int(root.q)) * B).value
    return decide_rank(np.block([[A, square * B], [B, A]])).value // 2


def escape_rate(depth: int, first: float, mode: float) -> float:
    """Return z_k^{1−2/L}(z_1 − z_k), the rate at which flows leave the saddle z_k."""
    return float(mode ** (1 - 2 / depth) * (first - mode))


def _moved(weights: list[Array], force: Array) -> Array:
    """Return Ẇ = Σ_l B_lB_lᵀ F A_lᵀA_l, layer by layer."""
    total, before = 0 * force, None
    for layer, _ in enumerate(weights):
        after = None
        for weight in weights[:layer:-1]:
            after = weight if after is None else after @ weight
        part = force if before is None else force @ before.T @ before
        total = total + (part if after is None else after @ after.T @ part)
        before = weights[layer] if before is None else weights[layer] @ before
    return np.asarray(total)


def _three() -> sympy.Expr:
    """Return Σ c_ij(Ẇ − s^{4/3}(uuᵀF + Fvvᵀ + uuᵀFvvᵀ))_ij, s = r³."""
    r, p = sympy.symbols("r p", positive=True)
    F, v = sympy.Matrix(2, 2, sympy.symbols("F1:5")), sympy.Matrix([3, 4]) / 5
    u = sympy.Matrix([1 - p**2, 2 * p]) / (1 + p**2)
    layers = r * v.T, sympy.Matrix([[r]]), r * u
    above, below = layers[2] * layers[1], layers[1] * layers[0]
    moved = above * above.T * F + F * below.T * below
    moved += layers[2] * layers[2].T * F * layers[0].T * layers[0]
    left, right = u * u.T, v * v.T
    claimed = -(r**4) * (left * F + F * right + left * F * right)
    names = 2 * sympy.symbols("c1:5")
    return sum(
        (c * x for c, x in zip(names, [*moved, *claimed], strict=True)), sympy.S.Zero
    )


def unit_example(key: str, u: Any, v: Any, *sizes: Any, **more: Any) -> Example:
    """Return the start W(0) = u vᵀ for the target diag(2, 1), with layers between.

    `u` and `v` are unit vectors, the `sizes` those of the layers in between, and `more`
    is as of `Example`.
    """
    times = tuple(sympy.Rational(k, 2) for k in range(9))
    middle = [[[size]] for size in sizes]
    last = [[entry] for entry in u]
    return regression(key, [[2, 0], [0, 1]], [list(v)], *middle, last, t=times, **more)
