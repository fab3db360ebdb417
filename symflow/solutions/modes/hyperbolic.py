"""Spectral start, two layers of any imbalance: each mode follows a hyperbola.

Where the layers are W_1 = R diag(a) Vᵀ and W_2 = U diag(b) Rᵀ in the singular vectors
of the data, the amplitudes of a mode obey

    ȧ = b (σ − λab),    ḃ = a (σ − λab),    so that  δ = b² − a²  is conserved

(Saxe et al. 2014; Tarmoun et al. 2021 for λ = 1).  The pair q = (a, b) satisfies
q̇ = Fq − ½λ|q|²q with the constant matrix F = [[−λδ/2, σ], [σ, λδ/2]], hence

    q(t) = e^{Ft}q₀ / √(1 + λ q₀ᵀ(∫₀ᵗ e^{2Fs}ds) q₀),      ρ = √(σ² + λ²δ²/4),

where ±ρ are the eigenvalues of F.  This form needs no sign rules and has no
singularity: balanced (δ = 0), σ = 0, σ < 0 and opposite signs of a and b are included.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, final

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array, to_mpf_array
from symflow.algebra.numbers import to_float, to_mpf
from symflow.algebra.products import matmul
from symflow.algebra.threads import cached_property
from symflow.claims import Hypothesis, relative_size
from symflow.claims.bibliography import TARMOUN_2021
from symflow.claims.conditions import dense_layers, on_flow
from symflow.claims.hypothesis import TOLERANCE, UNSEEN
from symflow.claims.whitened import verdict
from symflow.flow.problem import CHECK_DIGITS, Problem
from symflow.flow.times import float_times
from symflow.solutions.any_precision import context_of, is_coarse, spare_of
from symflow.solutions.conditions import moments, product, squared_loss
from symflow.solutions.derivation import Step, over_root, squares
from symflow.solutions.family import mode_family
from symflow.solutions.modes.joint_modes import (
    COARSE_NOISE,
    JointModes,
    defect_of,
    joint_modes,
    quick_defect,
)
from symflow.solutions.modes.spectral import (
    LAM,
    PRODUCT,
    SIGMA,
    SpectralSolution,
    T,
    settled,
)
from symflow.solutions.numpy_form import Routine
from symflow.solutions.reduction import frame_steps

#: Strength ab and size a² + b² of a mode at the start; the rate ρ.
W0, P0, RHO = sympy.symbols("w0 p0 rho", positive=True)


#: A point where ρ is rational, to tell a wrong formula before expanding it.
SAMPLE = {SIGMA: 3, LAM: 2, W0: sympy.Rational(3, 2), P0: 5, RHO: 5}
SAMPLE[T] = sympy.Rational(1, 7)

#: Digits that eigenvectors may lose before a part of the start is taken for zero.
SPARE = 20


@dataclass(frozen=True, eq=False)
class LayerModes(JointModes):
    """Joint modes with the amplitudes of both layers."""

    hidden: Array  #: Shape (hidden, inputs): r_i in column i.
    #: `first`, `second`, shape (inputs,): a_i and b_i: W_1v_i = a_ir_i and W_2ᵀu_i =
    #: b_ir_i.
    first: Array
    second: Array
    #: Shape (outputs, hidden): the part of W_2 that belongs to no mode and never moves.
    idle: Array


def layer_modes(problem: Problem, digits: int = CHECK_DIGITS) -> LayerModes:
    """Find the joint modes of the data and of both layers."""
    context = context_of(digits + 5)
    first, second = problem.weights
    sigma_xx, sigma_yx = problem.arguments
    modes = joint_modes(
        sigma_xx,
        sigma_yx,
        product(problem),
        digits,
        also=(first.T @ first, sigma_yx.T @ second @ second.T @ sigma_yx),
    )
    exact = hasattr(modes.right.flat[0], "context")
    noise = context.mpf(10) ** (5 - digits) if exact else COARSE_NOISE
    inward = matmul(modes.lift(first), modes.right)
    outward = matmul(modes.lift(second).T, modes.left)
    scale = max(abs(entry) for entry in (*inward.flat, *outward.flat))
    columns = [
        c if _size(c) > noise * scale else c * 0
        for c in (
            max(pair, key=_size) for pair in zip(inward.T, outward.T, strict=True)
        )
    ]
    hidden = np.stack([c / (_size(c) or 1) for c in columns], axis=1)
    a, b = (hidden * inward).sum(axis=0), (hidden * outward).sum(axis=0)
    rebuilt = matmul(hidden * a, modes.right.T), matmul(modes.left * b, hidden.T)
    idle = modes.lift(second) - rebuilt[1]
    # what is left of W_2 never moves if it meets no mode on either side
    met = np.concatenate([(idle @ hidden).ravel(), (modes.left.T @ idle).ravel()])
    defect = max(
        modes.defect,
        defect_of(modes.lift(first), rebuilt[0], hidden),
        to_float(relative_size(met, modes.lift(second))),
    )
    known = {**modes.__dict__, "defect": defect}
    return LayerModes(**known, hidden=hidden, first=a, second=b, idle=idle)


def aligned_layers(problem: Problem) -> Hypothesis:
    """Require both layers to be diagonal in singular vectors of the data."""
    words = "W₁ and W₂ are diagonal in singular vectors of the data"
    floats = problem.floats
    size = quick_defect(*moments(floats), product(floats))
    if size <= 1e3 * TOLERANCE:
        digits, coarse = (
            CHECK_DIGITS + spare_of(problem),
            is_coarse(problem, CHECK_DIGITS),
        )
        if coarse or problem.rational is None:
            digits = CHECK_DIGITS
        size = layer_modes(floats if coarse else problem.sharp, digits).defect
        # fractions of some height that differ, differ by more than digits hide
        room = 10.0 ** (CHECK_DIGITS // 2 - digits) if digits > CHECK_DIGITS else 0
        size = 0.0 if size < (room or UNSEEN) else size
    return verdict(problem, words, "they are off by", size)


@final
class HyperbolicMode(SpectralSolution):
    """The two-layer flow from a spectral start of any imbalance; made by `solve`."""

    source: ClassVar = TARMOUN_2021
    contributes: ClassVar = "the closed form"
    where: ClassVar = (
        "w = ab is the strength of a mode, w₀ at the start; p₀ = a₀² + b₀², ρ² = σ² "
        "+ λ²(b₀² − a₀²)²/4; σ and λ are those of Σ_yx and Σ_xx"
    )
    has_dense_layers: ClassVar = True
    conditions: ClassVar = (
        squared_loss,
        on_flow(dense_layers, 2),
        aligned_layers,
    )

    @property
    def formulas(self) -> tuple[sympy.Expr, ...]:
        """The strength w = ab and the size p = a² + b² of a mode."""
        decayed = sympy.exp(-2 * RHO * T)
        cosh, sinh = (1 + decayed) / 2, (1 - decayed) / (2 * RHO)
        push = SIGMA * P0
        energy = 2 * SIGMA * W0 + LAM * (P0**2 - 4 * W0**2) / 2
        below = decayed + LAM * sinh * (cosh * P0 + sinh * energy)
        twist = LAM * (P0**2 - 4 * W0**2) * (2 * SIGMA - LAM * W0) / 4
        half = SIGMA**2 * W0 + twist
        w = (cosh**2 * W0 + cosh * sinh * push + sinh**2 * half) / below
        whole = RHO**2 * P0
        p = (cosh**2 * P0 + 2 * cosh * sinh * energy + sinh**2 * whole) / below
        return w, p

    @property
    def formula(self) -> sympy.Expr:
        """The strength of one mode, in t, σ, λ, w₀ = a₀b₀, p₀ = a₀² + b₀² and ρ."""
        return self.formulas[0]

    @classmethod
    def residual(cls, *formulas: sympy.Basic) -> sympy.Expr:
        """Return the squared residuals of ẇ = p(σ − λw), ṗ = 4w(σ − λw) and of t = 0.

        With e^{−2ρt} as a variable these are rational functions, and ρ² is replaced by
        σ² + λ²(p₀² − 4w₀²)/4.
        """
        w, p = formulas
        force = SIGMA - LAM * w
        parts: list[sympy.Expr] = []
        for value, speed, first in ((w, p * force, W0), (p, 4 * w * force, P0)):
            parts += [value.subs(T, 0) - first, value.diff(T) - speed]
        square = SIGMA**2 + LAM**2 * (P0**2 - 4 * W0**2) / 4
        return squares(
            parts, SAMPLE, lambda part: over_root(part, 2 * RHO * T, RHO, square)
        )

    def _derived(self) -> tuple[Step, ...]:
        a, b = (sympy.Function(name)(T) for name in "ab")
        force = SIGMA - LAM * a * b
        speeds = {a.diff(T): b * force, b.diff(T): a * force}
        w, p = (sympy.Function(name)(T) for name in "wp")
        pull = SIGMA - LAM * w
        gaps = (
            (a * b).diff(T) - (a**2 + b**2) * force,
            (a**2 + b**2).diff(T) - 4 * a * b * force,
            (b**2 - a**2).diff(T),
        )
        strength, size, kept = (sympy.expand(gap.subs(speeds)) for gap in gaps)
        conserved = sympy.Eq((b**2 - a**2).diff(T), 0, evaluate=False)
        rate = sympy.Eq(RHO**2, SIGMA**2 + LAM**2 * (P0**2 - 4 * W0**2) / 4)
        return (
            *frame_steps(2),
            Step(
                "w = ab obeys, with the amplitudes a and b of a mode",
                sympy.Eq(w.diff(T), p * pull),
                strength,
            ),
            Step("p = a² + b² obeys", sympy.Eq(p.diff(T), 4 * w * pull), size),
            Step("b² − a² is conserved", conserved, kept),
            Step("with the rate", rate, definition=True),
            Step("so that", self.statement, self.verify()),
        )

    def _found(self, problem: Problem, digits: int) -> LayerModes:
        return layer_modes(problem, digits)

    def parameters(self, modes: JointModes) -> tuple[Array, ...]:
        """Return λ, ρ, the eigenvector of F for ρ, and q₀ in both bases."""
        assert isinstance(modes, LayerModes)
        known = zip(modes.sigma, modes.lam, modes.first, modes.second, strict=True)
        context = getattr(modes.right.flat[0], "context", None)
        noise = COARSE_NOISE if context is None else context.eps * 10**SPARE
        rows = [hyperbola(*mode, noise) for mode in known]
        return tuple(np.array(column) for column in zip(*rows, strict=True))

    def routine(self) -> Routine:
        left, right = self._bases
        names = ("LAM", "RHO", "X", "Y", "UP", "DOWN", "A0", "B0", "PULL_A", "PULL_B")
        constants = dict(zip(names, self._floats, strict=True))
        constants |= {"LEFT": left, "RIGHT": right}
        constants |= {"HIDDEN": self._hidden, "IDLE": self._idle}
        return Routine(
            constants,
            (amplitudes,),
            (
                f"a, b = amplitudes(xp, t[..., None], {', '.join(names)})",
                "strengths, a, b = a * b, a[..., None, :], b[..., None, :]",
            ),
            {
                "end_to_end": PRODUCT,
                "strengths": "strengths",
                "weights": "(HIDDEN * a) @ RIGHT.T, (LEFT * b) @ HIDDEN.T + IDLE",
            },
        )

    def family(self) -> Routine:
        return layer_family(self.modes)

    def curve(self, times: Array, *parameters: Any) -> Array:
        a, b = amplitudes(np, times, *parameters)
        return np.asarray(a * b)

    def curve_mpf(self, context: Any, time: Any, *parameters: Any) -> Any:
        return strength_mpf(context, time, *parameters)

    def _weights(self, t: Any) -> tuple[Array, ...]:
        times = float_times(t)
        a, b = (
            part.reshape(*times.shape, 1, -1)
            for part in amplitudes(np, times.reshape(-1, 1), *self._floats)
        )
        left, right = self._bases
        hidden = self._hidden
        return (hidden * a) @ right.T, (left * b) @ hidden.T + self._idle

    def layers_at(self, t: Any, digits: int) -> tuple[Array, ...]:
        modes, context = self.modes_at(digits), context_of(digits + 5)
        assert isinstance(modes, LayerModes)
        lift = partial(to_mpf_array, context=context)
        known = zip(*map(lift, self.parameters(modes)), strict=True)
        grown = [amplitudes_mpf(context, to_mpf(t, context), *mode) for mode in known]
        a, b = (np.array(part, dtype=object) for part in zip(*grown, strict=True))
        hidden, left, right = map(lift, (modes.hidden, modes.left, modes.right))
        last = matmul(left * b, hidden.T) + lift(modes.idle)
        return matmul(hidden * a, right.T), last

    @cached_property
    def _hidden(self) -> Array:
        assert isinstance(self.modes, LayerModes)
        return to_float_array(self.modes.hidden)

    @cached_property
    def _idle(self) -> Array:
        assert isinstance(self.modes, LayerModes)
        return to_float_array(self.modes.idle)

    def final(self, *parameters: Array) -> Array:
        return final_strengths(*parameters)


def layer_family(modes: JointModes, decay: float = 0.0) -> Routine:
    """Return the code for starts and targets in the frames of such modes."""
    assert isinstance(modes, LayerModes)
    frames = modes.left, modes.right, modes.hidden, modes.idle
    return mode_family(
        to_float_array(modes.lam), tuple(map(to_float_array, frames)), decay
    )


def final_strengths(
    lam: Array, rho: Array, x: Array, y: Array, up: Array, down: Array, *rest: Array
) -> Array:
    """Return |σ|/λ = 2ρxy/λ where F has a growing part; see `settled`."""
    start = rest[0] * np.conj(rest[1])
    return settled((up != 0) & (rho > 0), 2 * rho * x * y, lam, start)


def strength_mpf(
    context: Any, time: Any, lam: Any, rho: Any, x: Any, y: Any, *parts: Any
) -> Any:
    """Return the strength ab, or a times the conjugate of b, at one time."""
    up, down, a, b, *_ = parts
    start, m = a * context.conj(b), context.exp(-2 * rho * time)
    u = -context.expm1(-2 * rho * time) / (2 * rho) if rho else time
    if not up:
        return start * m / (1 + lam * u * abs(down) ** 2)
    grown = u * (abs(up) ** 2 + m * abs(down) ** 2)
    return (start * m + 2 * rho * x * y * grown) / (m + lam * grown)


def amplitudes_mpf(
    context: Any, time: Any, lam: Any, rho: Any, x: Any, y: Any, *parts: Any
) -> tuple[Any, Any]:
    """Return a and b at one time, with the digits that cancel near t = 0 to spare."""
    up, down, *_ = parts
    m = context.exp(-2 * rho * time)
    u = -context.expm1(-2 * rho * time) / (2 * rho) if rho else time
    lost = 1 if up else context.exp(rho * time)  # e^{−ρt} of root and numerator
    fallen = m * lost
    below = fallen * lost + lam * u * (abs(up) ** 2 + fallen * lost * abs(down) ** 2)
    scale = context.sqrt(below)
    return (up * x - fallen * down * y) / scale, (up * y + fallen * down * x) / scale


def amplitudes(
    xp: Any,
    times: Any,
    lam: Any,
    rho: Any,
    x: Any,
    y: Any,
    up: Any,
    down: Any,
    a0: Any,
    b0: Any,
    pull_a: Any,
    pull_b: Any,
) -> Any:
    """Return a and b of every mode; see `hyperbola` for the constants."""
    m = xp.exp(-2 * rho * times)
    safe = xp.where(rho > 0, 2 * rho, 1.0)
    u = xp.where(rho > 0, -xp.expm1(-2 * rho * times) / safe, times)
    lost = up == 0
    # near t = 0 in the given amplitudes, later in those along eigenvectors
    early, late = (1 + m) / 2, xp.where(lost, 0.0, up)
    a = xp.where(m > 0.5, early * a0 + u * pull_a, late * x - m * down * y)
    b = xp.where(m > 0.5, early * b0 + u * pull_b, late * y + m * down * x)
    below = xp.where(lost, 1.0, m) + lam * u * (
        abs(up) ** 2 + xp.where(lost, 1.0, m) * abs(down) ** 2
    )
    scale = 1 / xp.sqrt(below)
    # a mode without a growing part: numerator and root both carry e^{−ρt}
    root = xp.exp(-rho * times)
    a = xp.where(lost, -root * down * y, a) * scale
    b = xp.where(lost, root * down * x, b) * scale
    return a, b


def hyperbola(sigma: Any, lam: Any, a: Any, b: Any, noise: Any) -> tuple[Any, ...]:
    """Return λ, ρ, the eigenvector (x, y) of F, q₀ along and across it, q₀ and Fq₀.

    For complex amplitudes `sigma` is |σ|, and `b` the conjugate of the second.
    """
    tilt = lam * (abs(b) ** 2 - abs(a) ** 2) / 2
    rho = (sigma * sigma + tilt * tilt) ** 0.5
    x, y = (sigma, rho + tilt) if tilt >= 0 else (rho - tilt, sigma)
    length = (x * x + y * y) ** 0.5
    x, y = (x / length, y / length) if length else (1 + 0 * a, 0 * a)
    up, down = x * a + y * b, x * b - y * a
    if abs(up) < noise * (abs(a) + abs(b)):
        up = 0 * a
    return lam, rho, x, y, up, down, a, b, sigma * b - tilt * a, sigma * a + tilt * b


def _size(vector: Array) -> Any:
    return (vector * vector).sum() ** 0.5
