"""Balanced spectral start, L ≥ 3 layers: each mode obeys ẇ = L w^{2−2/L}(σ − λw).

Saxe et al. (2014), Arora et al. (2019).  Separation of variables gives the time as a
function of the strength,

    t = (Φ(w) − Φ(w₀))/L,    Φ(w) = w^κ/(σκ) ₂F₁(1, κ; κ + 1; λw/σ),    κ = 2/L − 1,

which is inverted at any precision by the clock of the rank-one flow (see
`time.power_series`): in dτ = w^{1−2/L}dt a mode is a logistic curve, w = w₀/D.  From
w₀ → 0 a mode escapes after w₀^κ/(σ(L − 2)).
"""

from __future__ import annotations

from typing import Any, ClassVar, final

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array, to_mpf_array
from symflow.algebra.threads import cached_property
from symflow.claims import Hypothesis
from symflow.claims.bibliography import SAXE_2014
from symflow.claims.conditions import dense_layers, on_flow
from symflow.claims.whitened import balanced
from symflow.flow.problem import Problem
from symflow.solutions.any_precision import checkable, context_of
from symflow.solutions.conditions import aligned, moments, product, squared_loss
from symflow.solutions.derivation import Step
from symflow.solutions.modes.joint_modes import joint_modes
from symflow.solutions.modes.spectral import LAM, SIGMA, START, SpectralSolution, T
from symflow.solutions.numpy_form import Routine
from symflow.solutions.reduction import frame_steps, mode_step
from symflow.solutions.time.passage_times import Times
from symflow.solutions.time.power_series import (
    COLUMNS,
    HORIZON,
    INNER_DIGITS,
    InternalTime,
    clock_read,
    deep_strengths,
    mode_clock,
    powers,
)

KAPPA = sympy.Symbol("kappa", negative=True)
W = sympy.Symbol("w", positive=True)


def positive_inputs(problem: Problem) -> Hypothesis:
    """Require λ > 0 wherever a mode starts and σ ≠ 0."""
    sharp = checkable(problem)
    modes = joint_modes(*moments(sharp), product(sharp))
    lam = to_float_array(modes.lam)
    used = (to_float_array(modes.start) > 0) & (to_float_array(modes.sigma) != 0)
    least = float(min(lam[used], default=1.0))
    return Hypothesis("Σ_xx > 0 on the modes", least > 0, f"smallest λ = {least:.2g}")


@final
class DeepMode(SpectralSolution):
    """The balanced flow of three or more layers, spectral start; made by `solve`."""

    source: ClassVar = SAXE_2014
    contributes: ClassVar = "the equation of a mode; solved for its time here"
    where: ClassVar = (
        "w is the strength of a mode, w₀ at the start; σ and λ are those of Σ_yx "
        "and Σ_xx"
    )
    is_balanced: ClassVar = True
    has_dense_layers: ClassVar = True
    unknown: ClassVar = T
    conditions: ClassVar = (
        squared_loss,
        on_flow(dense_layers, least=3),
        balanced,
        aligned,
        positive_inputs,
    )

    @property
    def formula(self) -> sympy.Expr:
        """The time t(w), for the depth at hand."""
        kappa = sympy.Rational(2, self.depth) - 1
        return (_antiderivative(W, kappa) - _antiderivative(START, kappa)) / self.depth

    @property
    def formulas(self) -> tuple[sympy.Expr, ...]:
        """The coefficient of w^{κ+k} in Φ, for any κ."""
        k = sympy.Symbol("k", integer=True, nonnegative=True)
        return (_coefficient(k),)

    @classmethod
    def residual(cls, *formulas: sympy.Basic) -> sympy.Expr:
        """Return by how much w^{2−2/L}(σ − λw) Φ′(w) differs from 1, per power of w.

        With Φ = Σ c_k w^{κ+k} the product is w^{1−κ}(σ − λw) Σ (κ+k) c_k w^{κ+k−1}:
        its first coefficient has to be 1, all others zero, for symbolic k and κ.
        """
        (coefficient,) = formulas
        (k,) = [s for s in coefficient.free_symbols if s.name == "k"]
        grown = (KAPPA + k) * coefficient
        first = sympy.simplify(SIGMA * grown.subs(k, 0) - 1)
        shifted = SIGMA * grown.subs(k, k + 1) - LAM * grown
        other = sympy.simplify(sympy.gammasimp(shifted / coefficient))
        return first**2 + other**2

    def _derived(self) -> tuple[Step, ...]:
        power = 2 - sympy.Rational(2, self.depth)
        speed = self.depth * W**power * (SIGMA - LAM * W)
        apart = sympy.Eq(sympy.Derivative(T, W), 1 / speed, evaluate=False)
        return (
            *frame_steps(self.depth),
            mode_step(self.depth),
            Step("apart", apart, sympy.simplify(apart.rhs * speed - 1)),
            Step("integrated term by term", self.statement, self.verify()),
        )

    @cached_property
    def _clocks(self) -> list[InternalTime | None]:
        context = context_of(INNER_DIGITS)
        columns = (to_mpf_array(a, context) for a in self.parameters(self.modes))
        return [
            mode_clock(self.depth, sigma, lam, start, INNER_DIGITS)
            for sigma, lam, start in zip(*columns, strict=True)
        ]

    @cached_property
    def times(self) -> Times:
        """When each learned mode reaches 1 %, half and 99 % of σ/λ, strongest first."""
        sigma, lam, start = self.parameters(self.modes)
        used = [i for i in range(len(sigma)) if sigma[i] > 0 and start[i] > 0]
        used.sort(key=lambda i: sigma[i] / lam[i], reverse=True)
        context = context_of(INNER_DIGITS)
        parts = [context.mpf(k) / 100 for k in (1, 50, 99)]
        found = [[self._passage(context, i, part) for i in used] for part in parts]
        return Times(*map(np.array, found))

    def _passage(self, context: Any, mode: int, part: Any) -> float:
        """Return when a mode with σ > 0 reaches a part of σ/λ; zero if it is beyond."""
        sigma, lam, start = (
            context.mpf(values[mode]) for values in self.parameters(self.modes)
        )
        begin, clock = lam * start / sigma, self._clocks[mode]
        if begin >= part or clock is None:
            return 0.0
        # D = begin + (1 − begin)e^{−Lστ} is begin/part
        decayed = begin * (1 - part) / (part * (1 - begin))
        return float(clock.time(-context.log(decayed) / (self.depth * sigma), context))

    def routine(self) -> Routine:
        """Return the modes as NumPy code, by the clock of the rank-one flow."""
        constants: dict[str, Any] = {}
        levels = ["1 + 0 * t"] * len(self._clocks)
        for number, clock in enumerate(self._clocks):
            if clock is not None:
                names = [f"{column}_{number}" for column in COLUMNS]
                constants |= dict(zip(names, clock.table, strict=True))
                levels[number] = f"clock_read(xp, t, {', '.join(names)})[1]"
        level = f"xp.stack([{', '.join(levels)}], axis=-1)"
        line = f"strengths = xp.where(MOVES, BEGIN, 0.0) / {level}"
        return self._balanced_routine(constants, (powers, clock_read), [line], HORIZON)

    def curve(self, times: Array, *parameters: Any) -> Array:
        begin, columns = self._floats[2], []
        for first, clock in zip(begin, self._clocks, strict=True):
            level = 1.0 if clock is None else clock.floats(times[:, 0])[1]
            columns.append(first / level + 0 * times[:, 0])
        return np.stack(columns, axis=-1)

    def curve_mpf(self, context: Any, time: Any, *parameters: Any) -> Any:
        return next(deep_strengths(context, self.depth, [time], *parameters))

    def _weights(self, t: Any) -> tuple[Array, ...]:
        return self._balanced_layers(t)


def _antiderivative(w: sympy.Expr, kappa: sympy.Expr) -> sympy.Expr:
    ratio = sympy.hyper([1, kappa], [kappa + 1], LAM * w / SIGMA)
    return w**kappa / (SIGMA * kappa) * ratio


def _coefficient(k: sympy.Symbol) -> sympy.Expr:
    """Return the coefficient of w^{κ+k} in Φ: that of ₂F₁(1, κ; κ+1)."""
    ratio = sympy.rf(KAPPA, k) / sympy.rf(KAPPA + 1, k)
    return ratio * (LAM / SIGMA) ** k / (SIGMA * KAPPA)
