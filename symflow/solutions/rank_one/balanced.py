"""Balanced start of rank one, whitened input, any depth: Oja's flow, Bernoulli's law.

A balanced start of rank one, which is every balanced start of a network with a layer of
one neuron, keeps its rank: W(t) = s u vᵀ with unit vectors u and v.  With Σ_xx = κI,
Z = Σ_yx and ρ = uᵀZv (Eftekhari 2020, for κ = 1),

    ṡ = L s^{2−2/L}(ρ − κs),  u̇ = s^{1−2/L}(Zv − ρu),  v̇ = s^{1−2/L}(Zᵀu − ρv).

In the internal time dτ = s^{1−2/L}dt the pair x = (v; u)/√2 follows Oja's flow of the
symmetric matrix H = [[0, Zᵀ], [Z, 0]] and s a Bernoulli equation, so that

    x(τ) = e^{Hτ}x₀/n,   n = ‖e^{Hτ}x₀‖,   s(τ) = s₀ nᴸ / (1 + Lκs₀ ∫₀^τ nᴸ).

For L = 2 the two clocks agree and the integral is elementary; otherwise t(τ) is one
quadrature (see `time.power_series`).  The limit is the best approximation of rank one
if and only if p₁ᵀu₀ + q₁ᵀv₀ ≠ 0, where p₁ and q₁ are the leading singular vectors of Z.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, final

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array, to_mpf_array
from symflow.algebra.numbers import to_mpf
from symflow.algebra.threads import cached_property
from symflow.claims.bibliography import EFTEKHARI_2020
from symflow.claims.conditions import dense_layers, on_flow
from symflow.claims.whitened import balanced, isotropic, seen
from symflow.errors import InvalidArgument, shown
from symflow.flow.problem import CHECK_DIGITS
from symflow.flow.times import float_times
from symflow.solutions.any_precision import context_of, is_coarse, spare_of
from symflow.solutions.conditions import product, rank_one, squared_loss
from symflow.solutions.derivation import Step
from symflow.solutions.family import gram_family
from symflow.solutions.numpy_form import Routine
from symflow.solutions.rank_one import proof as rank_one_formula
from symflow.solutions.rank_one.oja_flow import (
    Spread,
    oja_level,
    oja_level_mpf,
    oja_turned,
    rank_one_parts,
    spread_of,
)
from symflow.solutions.reduction import rank_one_steps
from symflow.solutions.solution import Solution
from symflow.solutions.time.power_series import (
    COLUMNS,
    HORIZON,
    INNER_DIGITS,
    InternalTime,
    clock_read,
    powers,
)

#: Rates closer than so many roundings count as equal in the limit.
TIE = 1e15


@final
class RankOne(Solution):
    """The flow of a balanced start of rank one on whitened input; made by `solve`."""

    source: ClassVar = EFTEKHARI_2020
    contributes: ClassVar = "the equations of the rank-one flow; solved here"
    where: ClassVar = (
        "W = s u vᵀ, s₀ at the start; n(τ) = ‖e^{Hτ}x₀‖ with H = [[0, Zᵀ], [Z, 0]], "
        "Z = Σ_yx and x₀ = (v₀; u₀)/√2; dτ = s^{1−2/L}dt, Σ_xx = κI"
    )
    is_balanced: ClassVar = True
    has_dense_layers: ClassVar = True
    conditions: ClassVar = (
        squared_loss,
        on_flow(dense_layers, least=2),
        isotropic,
        balanced,
        rank_one,
        seen,
    )

    @property
    def formula(self) -> sympy.Expr:
        """The strength s: in t where L = 2, in τ and n(τ) otherwise."""
        return rank_one_formula.strength_formula(self.depth)

    @property
    def formulas(self) -> tuple[sympy.Expr, ...]:
        """The strength for any L, a component of x, and ∫n², as they are proved."""
        return rank_one_formula.PROVED

    @property
    def unknown(self) -> sympy.Expr:
        """The strength s, in t or in the internal time."""
        clock = rank_one_formula.T if self.depth == 2 else rank_one_formula.TAU
        return sympy.Function("s")(clock)

    @classmethod
    def residual(cls, *formulas: sympy.Basic) -> sympy.Expr:
        """Return the squared residuals of both equations, of the start and of ∫n²."""
        return rank_one_formula.residual(*formulas)

    def _derived(self) -> tuple[Step, ...]:
        steps = rank_one_formula.steps(self.verify)
        before = rank_one_steps(self.depth)
        return (*before, *steps, Step("so that", self.statement, self.verify()))

    def spread(self, digits: int, *, fine: bool = True) -> Spread:
        """Return the start in the eigenvectors of H, to `digits` digits.

        Where it is not `fine`, a large H is done in float64 instead.
        """
        return self.problem.remembered(
            ("spread", digits, fine),
            lambda: spread_of(self.problem.at(digits + 5), digits, fine=fine),
        )

    @cached_property
    def _sharp(self) -> Spread:
        spare = 0 if is_coarse(self.problem, CHECK_DIGITS) else spare_of(self.problem)
        return self.spread(INNER_DIGITS + spare, fine=False)

    @cached_property
    def _floats(self) -> tuple[Array, ...]:
        sharp = self._sharp
        return tuple(map(to_float_array, (sharp.rates, sharp.parts, sharp.vectors)))

    @cached_property
    def clock(self) -> InternalTime:
        """The map between t and τ, for float64 times."""
        return self._clock_of(self._sharp, INNER_DIGITS)

    def _clock_of(self, spread: Spread, digits: int) -> InternalTime:
        pull = self.depth * spread.kappa * spread.strength
        squares = [part * part for part in spread.parts]
        return InternalTime(
            self.depth, pull, spread.strength, list(spread.rates), squares, digits
        )

    def internal_time(self, t: Any) -> Array:
        """Return τ(t) = ∫₀ᵗ s^{1−2/L} in float64, shape of t."""
        times = _times(t)
        return times if self.depth == 2 else self.clock.floats(times)[0]

    def time(self, tau: Any) -> Array:
        """Return t(τ), the inverse of `internal_time`, in float64."""
        inner = _times(tau)
        if self.depth == 2:
            return inner
        context = context_of(INNER_DIGITS)
        found = [float(self.clock.time(one, context)) for one in inner.ravel().tolist()]
        return np.array(found).reshape(inner.shape)

    def strength(self, t: Any) -> Array:
        """Return s(t) = ‖W(t)‖ in float64, shape of t."""
        return self._parts(t)[0]

    def directions(self, t: Any) -> tuple[Array, Array]:
        """Return u(t) and v(t) in float64, shapes (…, outputs) and (…, inputs)."""
        return self._parts(t)[1:]

    def _parts(self, t: Any) -> tuple[Array, Array, Array]:
        times = _times(t)
        rates, parts, vectors = self._floats
        strength, kappa = float(self._sharp.strength), float(self._sharp.kappa)
        if self.depth == 2:
            tau, pull, lead = times, 2 * kappa * strength, max(float(rates[0]), 0.0)
            level = oja_level(np, times, pull, rates, parts, lead)
        else:
            (tau, level), lead = self.clock.floats(times), float(rates[0])
        turned, size = oja_turned(np, tau, rates, parts, lead)
        s = strength * size**self.depth / level
        pair = np.sqrt(2) * turned @ vectors.T
        cut = self.problem.widths[0]
        return s, pair[..., cut:], pair[..., :cut]

    def _end_to_end(self, t: Any) -> Array:
        s, u, v = self._parts(t)
        return np.asarray(s[..., None, None] * u[..., :, None] * v[..., None, :])

    def _weights(self, t: Any) -> tuple[Array, ...]:
        s, u, v = self._parts(t)
        grown = (s / float(self._sharp.strength)) ** (1 / self.depth)
        return _layers(grown[..., None, None], u, v, self.problem.floats.weights)

    def routine(self) -> Routine:
        """Return s, u and v as NumPy code; beyond two layers with a clock table."""
        rates, parts, vectors = self._floats
        start, kappa = float(self._sharp.strength), float(self._sharp.kappa)
        given, cut = self.problem.floats.weights, self.problem.widths[0]
        u0, v0, _ = rank_one_parts(given)
        functions: tuple[Callable[..., Any], ...]
        constants: dict[str, Any] = {"RATES": rates, "PARTS": parts, "BEGIN": start}
        constants |= {"BEFORE": vectors[:cut].T, "AFTER": vectors[cut:].T}
        constants |= {"FIRST": (given[0] @ v0)[:, None], "LAST": u0 @ given[-1]}
        constants |= {f"INNER_{k}": weight for k, weight in enumerate(given[1:-1])}
        if self.depth == 2:
            constants["PULL"] = 2 * kappa * start
            constants["LEAD"] = max(float(rates[0]), 0.0)
            clock, functions = (
                "t, oja_level(xp, t, PULL, RATES, PARTS, LEAD)",
                (oja_level,),
            )
        else:
            constants["LEAD"] = float(rates[0])
            constants |= dict(zip(COLUMNS, self.clock.table, strict=True))
            functions = (powers, clock_read)
            clock = f"clock_read(xp, t, {', '.join(COLUMNS)})"
        inner = [f"grown * INNER_{k}" for k in range(len(given) - 2)]
        layers = ["grown * FIRST * v", *inner, "grown * u * LAST"]
        return Routine(
            constants,
            (oja_turned, *functions),
            (
                f"tau, level = {clock}",
                "turned, size = oja_turned(xp, tau, RATES, PARTS, LEAD)",
                f"s = BEGIN * size**{self.depth} / level",
                "u = 2**0.5 * (turned @ AFTER)[..., :, None]",
                "v = 2**0.5 * (turned @ BEFORE)[..., None, :]",
                f"grown = ((s / BEGIN) ** {1 / self.depth!r})[..., None, None]",
            ),
            {
                "end_to_end": "s[..., None, None] * u * v",
                "strengths": "s[..., None]",
                "weights": ", ".join(layers),
            },
            horizon=None if self.depth == 2 else HORIZON,
        )

    def family(self) -> Routine:
        """Return the code of two layers: of rank one, or any balanced start."""
        if self.depth > 2:
            return super().family()
        return gram_family(float(self._sharp.kappa), 0.0, self.problem.widths[0])

    @property
    def _lost(self) -> int:
        return super()._lost + 15

    def _at(self, t: Any, digits: int) -> Array:
        s, u, v = self._parts_at(t, digits)
        return np.asarray(np.multiply.outer(s * u, v))

    def layers_at(self, t: Any, digits: int) -> tuple[Array, ...]:
        s, u, v = self._parts_at(t, digits)
        context, drawn = context_of(digits), self.problem.at(digits + 5).weights
        begin = to_mpf(self.spread(digits).strength, context)
        grown = context.root(s / begin, self.depth)
        return _layers(grown, u, v, tuple(to_mpf_array(w, context) for w in drawn))

    def _parts_at(self, t: Any, digits: int) -> tuple[Any, Array, Array]:
        spread, context = self.spread(digits), context_of(digits)
        time = to_mpf(t, context)
        rates, parts = (to_mpf_array(a, context) for a in (spread.rates, spread.parts))
        if self.depth == 2:
            tau, level = time, oja_level_mpf(context, time, spread)
        else:
            tau, level = self._clock_of(spread, digits).at(time, context)
        lead = max(rates[0], 0) if self.depth == 2 else rates[0]
        grown = [context.exp((rate - lead) * tau) for rate in rates]
        turned = parts * np.array(grown, dtype=object)
        size = context.sqrt((turned * turned).sum())
        s = to_mpf(spread.strength, context) * size**self.depth / level
        pair = to_mpf_array(spread.vectors, context) @ (turned / size) * context.sqrt(2)
        cut = self.problem.widths[0]
        return s, pair[cut:], pair[:cut]

    @property
    def learned(self) -> int:
        """Which singular value of Z is learned: 1, or a later one, or 0 for none.

        It is 1 unless the start lies on the exceptional hyperplane
        p₁ᵀu₀ + q₁ᵀv₀ = 0 (or z₁ repeats), and 0 where W(t) → 0.
        """
        top = self._sharp.rates[0]
        if not top > 0:
            return 0
        target = self.problem.floats.arguments[1]
        values = np.linalg.svd(target, compute_uv=False)
        return 1 + int(np.argmin(np.abs(values - float(top))))

    @cached_property
    def overlap(self) -> float:
        """|p₁ᵀu₀ + q₁ᵀv₀|/2, for repeated z₁ the length of the projection."""
        sharp = self._sharp
        largest = np.linalg.norm(self.problem.floats.arguments[1], 2)
        leading = to_float_array(sharp.rates) >= largest * (1 - 1e-12)
        return float(np.linalg.norm(to_float_array(sharp.parts)[leading]))

    @property
    def _limit(self) -> Array:
        """The end-to-end matrix as t → ∞: z_k p_k q_kᵀ/κ for the mode that is learned.

        It is zero where the start has no part along a positive rate.
        """
        sharp = self._sharp
        top = sharp.rates[0]
        if not top > 0:
            return np.zeros_like(product(self.problem.floats))
        tie = top * top.context.eps * TIE
        tied = [j for j, rate in enumerate(sharp.rates) if top - rate <= tie]
        pair = sharp.vectors[:, tied] @ sharp.parts[tied]
        pair = to_float_array(pair / (pair * pair).sum() ** 0.5)
        cut = self.problem.widths[0]
        return np.asarray(
            np.outer(2 * float(top / sharp.kappa) * pair[cut:], pair[:cut])
        )


def _layers(
    scale: Any, u: Array, v: Array, given: tuple[Array, ...]
) -> tuple[Array, ...]:
    """Return balanced weights with the outer directions u and v, grown by a scale.

    Layers between grow without turning; the first turns with v, the last with u.
    """
    u0, v0, _ = rank_one_parts(given)
    first = (given[0] @ v0)[:, None] * v[..., None, :]
    last = u[..., :, None] * (u0 @ given[-1])
    return scale * first, *(scale * inner for inner in given[1:-1]), scale * last


def _times(t: Any) -> Array:
    times = float_times(t)
    if not np.all(times >= 0):
        msg = f"RankOne: times have to be 0 or more; got {shown(t)}"
        raise InvalidArgument(msg)
    return times
