"""Balanced spectral start, L ≥ 3 layers: each mode obeys ẇ = L w^{2−2/L}(σ − λw).

Saxe et al. (2014), Arora et al. (2019).  Separation of variables gives the time as a
function of the strength,

    t = (Φ(w) − Φ(w₀))/L,    Φ(w) = w^κ/(σκ) ₂F₁(1, κ; κ + 1; λw/σ),    κ = 2/L − 1,

which is increasing and is inverted by a safe Newton iteration at any precision (see
`implicit`).  For σ = 0 the inverse is elementary.  From w₀ → 0 a mode escapes after
w₀^κ/(σ(L − 2)).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any, ClassVar, final

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array, to_mpf_array
from symflow.algebra.threads import cached_property
from symflow.claims import Hypothesis
from symflow.claims.bibliography import SAXE_2014
from symflow.flow.times import float_times
from symflow.solutions.case import Case, context_of
from symflow.solutions.clock_table import (
    COLUMNS,
    HORIZON,
    TABLE_DIGITS,
    clock_read,
    clock_table,
)
from symflow.solutions.conditions import (
    aligned,
    balanced,
    dense_layers,
    moments,
    product,
    squared_loss,
)
from symflow.solutions.implicit import Branch, clock, invert
from symflow.solutions.internal_time import InternalTime
from symflow.solutions.modes import joint_modes
from symflow.solutions.reduction import frame_steps, mode_step
from symflow.solutions.routine import Routine
from symflow.solutions.spectral import LAM, PRODUCT, SIGMA, START, SpectralSolution, T
from symflow.solutions.step import Step, Times

KAPPA = sympy.Symbol("kappa", negative=True)
W = sympy.Symbol("w", positive=True)

#: Digits in which a float64 time is turned into a strength: a mode that starts at 1e-24
#: waits for a time whose rounding alone would move it.
INNER_DIGITS = 34


def positive_inputs(case: Case) -> Hypothesis:
    """Require λ > 0 wherever a mode starts and σ ≠ 0."""
    sharp = case.checkable()
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
    is_balanced: ClassVar = True
    has_dense_layers: ClassVar = True
    conditions: ClassVar = (
        squared_loss,
        partial(dense_layers, least=3, most=None),
        balanced,
        aligned,
        positive_inputs,
    )

    @property
    def depth(self) -> int:
        """The number L of layers."""
        return self.problem.flow.network.depth

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

    @property
    def statement(self) -> sympy.Eq:
        """The time, as a function of the strength."""
        return sympy.Eq(T, self.formula, evaluate=False)

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
        """Return the mode equation, its separation, and the integral."""
        power = 2 - sympy.Rational(2, self.depth)
        speed = self.depth * W**power * (SIGMA - LAM * W)
        apart = sympy.Eq(sympy.Derivative(T, W), 1 / speed, evaluate=False)
        return (
            *frame_steps(self.depth),
            mode_step(self.depth),
            Step("apart", apart, sympy.simplify(apart.rhs * speed - 1)),
            Step("integrated term by term", self.statement, self.verify()),
        )

    def parameters(self, modes: Any) -> tuple[Array, ...]:
        """Return σ, λ and w₀, still exact to the precision of the modes."""
        return modes.sigma, modes.lam, modes.start

    def strengths(self, t: Any) -> Array:
        """Return the mode strengths w_i(t) in float64, shape (…, inputs)."""
        times = float_times(t)
        rising, places = np.unique(times, return_inverse=True)
        context = context_of(INNER_DIGITS)
        moments = [context.mpf(time) for time in rising.tolist()]
        columns = (to_mpf_array(a, context) for a in self.parameters(self.modes))
        rows = [
            list(map(float, deep_strengths(context, self.depth, moments, *mode)))
            for mode in zip(*columns, strict=True)
        ]
        return np.array(rows).T[places.reshape(times.shape)]

    @cached_property
    def times(self) -> Times:
        """When each learned mode reaches 1 %, half and 99 % of σ/λ, strongest first."""
        context = context_of(INNER_DIGITS)
        columns = (to_mpf_array(a, context) for a in self.parameters(self.modes))
        modes = [m for m in zip(*columns, strict=True) if m[0] > 0 and m[2] > 0]
        modes.sort(key=lambda mode: mode[0] / mode[1], reverse=True)
        parts = [
            [float(_passage(context, self.depth, part, *mode)) for mode in modes]
            for part in (context.mpf(k) / 100 for k in (1, 50, 99))
        ]
        return Times(*map(np.array, parts))

    def routine(self) -> Routine:
        """Return the modes as NumPy code, by the clock of the rank-one flow.

        In dτ = w^{1−2/L}dt each mode is a logistic curve: w = w₀/D.
        """
        left, right = self._bases
        context = context_of(INNER_DIGITS)
        columns = (to_mpf_array(a, context) for a in self.parameters(self.modes))
        modes = list(zip(*columns, strict=True))
        moving = [number for number, mode in enumerate(modes) if mode[2] > 0]
        constants: dict[str, Any] = {"LEFT": left, "RIGHT": right}
        lines = [f"strengths = np.zeros((*t.shape, {len(modes)}))"]
        for number in moving:
            sigma, lam, start = modes[number]
            pull = self.depth * lam * start
            clock = InternalTime(
                self.depth, pull, start, [sigma], [context.one], TABLE_DIGITS
            )
            names = [f"{column}_{number}" for column in COLUMNS]
            constants |= dict(zip(names, clock_table(clock), strict=True))
            read = f"clock_read(t, {', '.join(names)})[1]"
            lines.append(f"strengths[..., {number}] = BEGIN[{number}] / {read}")
        begin = np.array([float(mode[2]) for mode in modes])
        constants["BEGIN"] = np.where(begin > 0, begin, 1.0)
        constants["MOVES"] = begin > 0
        lines.append("grown = np.where(MOVES, strengths / BEGIN, 1.0)[..., None, :]")
        lines.append(f"grown = grown ** {1 / self.depth!r}")
        layers = []
        for number, (image, frame) in enumerate(self._frames, start=1):
            constants |= {f"IMAGE_{number}": image, f"FRAME_{number}": frame}
            layers.append(f"(IMAGE_{number} * grown) @ FRAME_{number}.T")
        outputs = {
            "end_to_end": PRODUCT,
            "strengths": "strengths",
            "weights": ", ".join(layers),
        }
        return Routine(constants, (clock_read,), tuple(lines), outputs, horizon=HORIZON)

    def curve(self, times: Array, *parameters: Any) -> Array:
        """Return the strength of a mode at float64 times."""
        return self.strengths(times[:, 0])

    def curve_mpf(self, context: Any, time: Any, *parameters: Any) -> Any:
        """Invert t(w) for one mode at one time."""
        sigma, lam, start = parameters
        return deep_strength(context, self.depth, time, sigma, lam, start)

    def rough(self, times: Array) -> tuple[Array, tuple[Array, ...]]:
        """Return W and the layers at rising times to a few digits, by integration."""
        from scipy.integrate import solve_ivp

        sigma, lam, start = self._floats
        used = start > 0
        power = 1 - 2 / self.depth

        def slope(_: float, logs: Array) -> Array:
            w = np.exp(logs)
            return np.asarray(self.depth * w**power * (sigma[used] - lam[used] * w))

        values = np.zeros((len(times), len(start)))
        if used.any() and times[-1] > 0:
            span, begin = (0.0, float(times[-1])), np.log(start[used])
            run = solve_ivp(
                slope, span, begin, method="LSODA", t_eval=times, rtol=1e-6, atol=1e-6
            )
            values[: run.y.shape[1], used] = np.exp(run.y.T)
        elif used.any():
            values[:] = start
        left, right = self._bases
        matrices = np.asarray((left * values[:, None, :]) @ right.T)
        return matrices, self._layers(values)

    def _weights(self, t: Any) -> tuple[Array, ...]:
        """Return W_1(t), …, W_L(t) in float64."""
        return self._layers(self.strengths(t))

    def _layers(self, strengths: Array) -> tuple[Array, ...]:
        start = to_float_array(self.modes.start)
        ratio = np.where(start > 0, start, 1.0)
        ratio = np.where(start > 0, strengths / ratio, 1.0)
        growth = ratio[..., None, :] ** (1 / self.depth)
        return tuple((image * growth) @ frame.T for image, frame in self._frames)

    @cached_property
    def _frames(self) -> list[tuple[Array, Array]]:
        """For every layer, its image of the frame before it, and that frame."""
        _, frame = self._bases
        kept = np.where(to_float_array(self.modes.start) > 0, 1.0, 0.0)
        found = []
        for weight in self.problem.floats.weights:
            image = weight @ frame
            size = np.linalg.norm(image, axis=0)
            found.append((image * kept, frame))
            frame = image * (kept / np.where(size > 0, size, 1.0))
        return found


def deep_strength(
    context: Any, depth: int, time: Any, sigma: Any, lam: Any, start: Any
) -> Any:
    """Return w(t) of ẇ = L w^{2−2/L}(σ − λw), L ≥ 3, in an mpmath context.

    Examples
    --------
    >>> context = context_of(30)
    >>> numbers = (context.mpf(number) / 100 for number in (100, 130, 70, 5))
    >>> context.nstr(deep_strength(context, 3, *numbers), 25)
    '0.2935053842813529276012677'
    """
    return next(deep_strengths(context, depth, [time], sigma, lam, start))


def deep_strengths(
    context: Any, depth: int, times: Iterable[Any], sigma: Any, lam: Any, start: Any
) -> Iterator[Any]:
    """Yield w(t) at rising times; each starts the search for the next."""
    alpha = 1 - context.mpf(2) / depth
    still = start == 0 or (sigma > 0 and abs(lam * start / sigma - 1) < 8 * context.eps)
    if still or sigma == 0:
        power = 1 + alpha
        for time in times:
            waited = 0 if still else power * depth * lam * time
            yield (start**-power + waited) ** (-1 / power) if waited else start
        return
    # far above a small −σ the clock of a fading mode is what a constant leaves
    above = int(context.log10(lam * start / -sigma)) if sigma < 0 else 0
    fine = context_of(context.dps + 2 * max(0, above) + 5)
    sigma, lam = fine.mpf(sigma), fine.mpf(lam)
    branch, y = _entry(fine, depth, sigma, lam, fine.mpf(start))
    origin = clock(branch, y)[0]
    rate = depth * abs(sigma) * (abs(sigma) / lam) ** (1 - fine.mpf(2) / depth)
    for time in times:
        if time:
            target = origin + rate * time
            y = invert(branch, target, y, _beyond(branch, y, target))
        found = abs(sigma) / lam * _strength(branch, y) if time else start
        yield context.mpf(found)


def _entry(
    context: Any, depth: int, sigma: Any, lam: Any, start: Any
) -> tuple[Branch, Any]:
    """Return which branch a start is on, and where."""
    scaled = lam * start / abs(sigma)
    if sigma < 0:
        return Branch("fading", depth, context, context.eps), -context.log(scaled)
    kind, inside = ("rising", scaled) if scaled < 1 else ("falling", 1 / scaled)
    branch = Branch(kind, depth, context, context.eps)
    return branch, context.log(inside / (1 - inside))


def _beyond(branch: Branch, first: Any, target: Any) -> Any:
    """Return a y with T(y) above the target."""
    step = 1 + 0 * first
    while clock(branch, first + step)[0] < target:
        step = 2 * step
    return first + step


def _strength(branch: Branch, y: Any) -> Any:
    ops = branch.ops
    if branch.kind == "fading":
        return ops.exp(-y)
    grown = ops.exp(-y)
    return 1 / (1 + grown) if branch.kind == "rising" else 1 + grown


def _passage(
    context: Any, depth: int, part: Any, sigma: Any, lam: Any, start: Any
) -> Any:
    """Return when a mode with σ > 0 reaches a part of σ/λ; zero if it is beyond."""
    branch, first = _entry(context, depth, sigma, lam, start)
    if branch.kind == "falling" or lam * start >= part * sigma:
        return context.zero
    last = context.log(part / (1 - part))
    rate = depth * sigma * (sigma / lam) ** (1 - context.mpf(2) / depth)
    return (clock(branch, last)[0] - clock(branch, first)[0]) / rate


def _antiderivative(w: sympy.Expr, kappa: sympy.Expr) -> sympy.Expr:
    ratio = sympy.hyper([1, kappa], [kappa + 1], LAM * w / SIGMA)
    return w**kappa / (SIGMA * kappa) * ratio


def _coefficient(k: sympy.Symbol) -> sympy.Expr:
    """Return the coefficient of w^{κ+k} in Φ: that of ₂F₁(1, κ; κ+1)."""
    ratio = sympy.rf(KAPPA, k) / sympy.rf(KAPPA + 1, k)
    return ratio * (LAM / SIGMA) ** k / (SIGMA * KAPPA)
