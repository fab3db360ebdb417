"""Balanced spectral start, two layers: each mode strength is a logistic curve.

Saxe, McClelland, Ganguli (2014).  Where Σ_xx = VΛVᵀ, Σ_yx = UΣVᵀ and the start is
W_1 = R diag(√w_i) Vᵀ, W_2 = U diag(√w_i) Rᵀ, this form is kept and each mode obeys

    ẇ = 2 w (σ − λ w),      w(t) = w₀ / (e^{−2σt} + λ w₀ (1 − e^{−2σt})/σ),

with (1 − e^{−2σt})/σ → 2t as σ → 0.  σ is negative where the start points away from the
target; such a mode decays to zero.  A balanced start with W(0) = U diag(w) Vᵀ has the
form above for some R, because then W_1ᵀW_1 = (WᵀW)^{1/2} and W_2W_2ᵀ = (WWᵀ)^{1/2}.
A weight decay l2 turns σ into σ − l2: a mode with σ ≤ l2 dies, as 1/t where σ = l2.
"""

from __future__ import annotations

from typing import Any, ClassVar, final

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.claims.bibliography import SAXE_2014
from symflow.claims.conditions import dense_layers, on_flow
from symflow.claims.whitened import balanced, decaying_loss
from symflow.flow.riccati import weight_decay
from symflow.solutions.any_precision import checkable
from symflow.solutions.conditions import aligned
from symflow.solutions.derivation import Step
from symflow.solutions.modes.hyperbolic import layer_family, layer_modes
from symflow.solutions.modes.joint_modes import JointModes
from symflow.solutions.modes.spectral import L2, LAM, SIGMA, START, SpectralSolution, T
from symflow.solutions.numpy_form import Routine
from symflow.solutions.reduction import frame_steps, mode_step


@final
class LogisticMode(SpectralSolution):
    """The balanced two-layer flow from a spectral start; made by `solve`."""

    source: ClassVar = SAXE_2014
    contributes: ClassVar = "the closed form"
    where: ClassVar = (
        "w is the strength of a mode, w₀ at the start; σ and λ are those of Σ_yx "
        "and Σ_xx"
    )
    is_balanced: ClassVar = True
    has_dense_layers: ClassVar = True
    conditions: ClassVar = (
        decaying_loss,
        on_flow(dense_layers, 2),
        balanced,
        aligned,
    )

    @property
    def formula(self) -> sympy.Expr:
        """The strength of one mode, w(t), in t, σ, λ and w₀ (and the weight decay)."""
        drive = SIGMA - self.decay
        decayed = sympy.exp(-2 * drive * T)
        return START / (decayed + LAM * START * (1 - decayed) / drive)

    @classmethod
    def residual(cls, *formulas: sympy.Basic) -> sympy.Expr:
        """Return (ẇ − 2w(σ − λw))² + (w(0) − w₀)², simplified.

        A formula in which l2 stands is one of the flow with weight decay: σ − l2.
        """
        (w,) = formulas
        drive = SIGMA - int(w.has(L2)) * L2
        equation = sympy.simplify(sympy.diff(w, T) - 2 * w * (drive - LAM * w))
        return equation**2 + sympy.simplify(w.subs(T, 0) - START) ** 2

    def _derived(self) -> tuple[Step, ...]:
        w, y = sympy.Function("w")(T), sympy.Function("y")(T)
        drive = SIGMA - self.decay
        speed = 2 * w * (drive - LAM * w)
        linear = sympy.Eq(y.diff(T), 2 * LAM - 2 * drive * y)
        inverse = 1 / self.formula
        turned = (1 / w).diff(T).subs(w.diff(T), speed) - linear.rhs.subs(y, 1 / w)
        solved = inverse.diff(T) - linear.rhs.subs(y, inverse)
        return (
            *frame_steps(2, self.decay),
            mode_step(2, self.decay),
            Step("with y = 1/w it is linear", linear, sympy.simplify(turned)),
            Step("and solved by", sympy.Eq(y, inverse), sympy.simplify(solved)),
            Step("so that", self.statement, self.verify()),
        )

    def parameters(self, modes: JointModes) -> tuple[Array, ...]:
        """Return σ − l2, λ and w₀ of each mode."""
        lost = modes.lift(np.array([self.problem.flow.loss.l2]))
        return modes.sigma - lost, modes.lam, modes.start

    def curve(self, times: Array, *parameters: Any) -> Array:
        return np.asarray(logistic(np, times, *parameters))

    def routine(self) -> Routine:
        names = ("SIGMA", "LAM", "START")
        line = f"strengths = logistic(xp, t[..., None], {', '.join(names)})"
        constants = dict(zip(names, self._floats, strict=True))
        return self._balanced_routine(constants, (logistic,), [line])

    def family(self) -> Routine:
        """Return the code for starts of any imbalance in the frames of this one."""
        layers = layer_modes(checkable(self.problem))
        return layer_family(layers, float(weight_decay(self.problem.floats)))

    def curve_mpf(self, context: Any, time: Any, *parameters: Any) -> Any:
        sigma, lam, start = parameters
        if start == 0 or sigma == 0:
            return start / (1 + 2 * lam * start * time)
        size = abs(sigma)
        grown = -context.expm1(-2 * size * time) / size
        decayed = context.exp(-2 * size * time)
        if sigma < 0:
            return start * decayed / (1 + lam * start * grown)
        return start / (decayed + lam * start * grown)

    def _weights(self, t: Any) -> tuple[Array, ...]:
        return self._balanced_layers(t)


def logistic(xp: Any, times: Any, sigma: Any, lam: Any, start: Any) -> Any:
    """Return w of ẇ = 2w(σ − λw) without overflow, for either sign of σ."""
    size = abs(sigma)
    decayed = xp.exp(-2 * size * times)
    safe = xp.where(size > 0, size, 1.0)
    grown = xp.where(size > 0, -xp.expm1(-2 * size * times) / safe, 2 * times)
    # for σ < 0 both parts of the fraction are divided by e^{2|σ|t}, which overflows
    below = xp.where(sigma < 0, 1.0, decayed) + lam * start * grown
    above = xp.where(sigma < 0, decayed, 1.0) * start
    return above / xp.where(start > 0, below, 1.0)
