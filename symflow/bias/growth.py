"""How coefficients leave zero: one clock and one barrier for every depth.

Balanced weights w of size α obey ẇ = −w^{L−1}g with g = ∂ℓ/∂β, so that w^{2−L} (ln w at
L = 2) moves as ∫g and is used up after the time ∫_α w^{1−L} dw: α^{2−L}/(L−2), or
ln(1/α).  In this unit t̂ the dual variable ς, dς/dt̂ = −g, has

    β = α^L (1 − ς)^{−L/(L−2)}  − the same with −ς for v_1∘⋯∘v_L   (α²α^{−2ς} at L = 2),

which vanishes with α for |ς| < 1 and nowhere else.  A product that starts at
(α, …, α, 0) is a^{L−1}b with a = α cosh θ and b = α sinh θ, and has the unit
α^{2−L}∫_0^∞ sech^{L−2}.  All are θ̇ = −a^{L−2}g and β = Σ a^L p: a = αe^{pθ} with p = ±1
on either side, or p = tanh θ.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gamma, log, pi
from typing import Any, Literal

import numpy as np

from symflow.algebra.arrays import Array

#: Logarithms of β beyond this are met only by steps that the integrator rejects.
LARGE = 200.0


@dataclass(frozen=True)
class Growth:
    """The growth of the coefficients of one kind of network from a vanishing start."""

    #: β = w_1∘⋯∘w_L, u_1∘⋯∘u_L − v_1∘⋯∘v_L or u∘u − v∘v.
    kind: Literal["product", "difference", "squares"]
    depth: int = 2  #: L.
    #: Whether all weights start at α on the positive side alone.
    positive: bool = False

    @property
    def pace(self) -> int:
        """κ: twice the speed of θ, 4 for squares and 2 for products."""
        return 4 if self.kind == "squares" else 2

    def reach(self, alpha: float) -> float:
        """Return ∫ (a/α)^{2−L} dθ from the start to weights of order one."""
        rest = self.depth - 2
        if not rest:
            return -log(alpha)
        if self.kind == "product" and not self.positive:
            return float(pi**0.5 * gamma(rest / 2) / (2 * gamma((rest + 1) / 2)))
        return 1 / rest

    def unit(self, alpha: float) -> float:
        """Return the time t of one unit of t̂."""
        return 2 / self.pace * self.reach(alpha) * float(alpha) ** (2 - self.depth)

    def follow(self, gram: Array, force: Array, alpha: float, times: Array) -> Array:
        """Return β of the flow at rising t̂, shape (times, d), in float64.

        In θ, which is a logarithm of the weights, so that it is of the order of ln α
        however small α is.
        """
        from scipy.integrate import solve_ivp

        both = self.kind != "product" and not self.positive
        signs = np.array([[1.0], [-1.0]]) if both else np.ones((1, 1))
        mixed = self.kind == "product" and not self.positive
        L, size, reach = self.depth, len(force), self.reach(alpha)
        if not size:
            return np.zeros((len(times), 0))

        def parts(theta: Array) -> tuple[Array, Array, Array]:
            side = theta.reshape(len(signs), size)
            p = np.tanh(side) if mixed else signs * np.ones(size)
            logs = np.logaddexp(side, -side) - log(2) if mixed else p * side
            logs = logs.clip(max=LARGE / L - log(alpha))
            return p, np.exp((L - 2) * logs), np.exp(L * (logs + log(alpha)))

        def beta(theta: Array) -> Array:
            p, _, powers = parts(theta)
            return np.asarray((p * powers).sum(axis=0))

        def speed(_: float, theta: Array) -> Array:
            pull = force - gram @ beta(theta)
            return np.asarray(reach * (parts(theta)[1] * pull).ravel())

        def slope(_: float, theta: Array) -> Array:
            p, fast, powers = parts(theta)
            moved = powers * (1 + (L - 1) * p**2)
            block = -np.einsum("si,ij,rj->sirj", fast, gram, moved)
            whole = block.reshape(theta.size, theta.size)
            pull = force - gram @ beta(theta)
            return np.asarray(
                reach * (whole + np.diag(((L - 2) * p * fast * pull).ravel()))
            )

        run = solve_ivp(
            speed,
            (0.0, times[-1]),
            np.zeros(signs.size * size),
            method="Radau",
            t_eval=times,
            jac=slope,
            rtol=1e-8,
            atol=1e-11,
        )
        return np.stack([beta(theta) for theta in run.y.T])


def dual_steps() -> tuple[tuple[str, Any], ...]:
    """Return what SymPy checks of the dual flow: words, and what has to vanish.

    With ς = Xᵀν the flow is ν̇ = y − Xβ = −∇F_α(ν), F_α = φ*(Xᵀν) − ⟨y, ν⟩, where β =
    ∇φ*(ς): the gradient flow of a convex function.  As α → 0, F_α tends to −⟨y, ν⟩ on
    the box |ς| ≤ 1 and to ∞ beyond, and gradient flows of convex functions follow their
    epigraphs (Attouch 1978): ν tends to the flow that is projected on the box, whose
    velocity y − Xβ is the least one over the β with the signs of the barriers.
    """
    import sympy

    alpha, s, L, g = sympy.symbols("alpha s L g", positive=True)
    t = sympy.Symbol("t")
    w = sympy.Function("w", positive=True)(t)
    moved = (w ** (2 - L)).diff(t).subs(w.diff(t), -(w ** (L - 1)) * g)
    deep = alpha**L * (L - 2) / 2 * (1 - s) ** (-2 / (L - 2))
    flat = alpha**2 * alpha ** (-2 * s) / (2 * sympy.log(1 / alpha))
    return (
        (
            "d(w^{2−L})/dt = (L−2)g: linear in ∫g, 1 − ς in its unit",
            moved - (L - 2) * g,
        ),
        (
            "β = ∇φ* at L ≥ 3: φ* = α^L(L−2)/2·(1 − ς)^{−2/(L−2)}, convex; as α → 0 it "
            "vanishes for ς < 1 and is infinite from there on",
            deep.diff(s) - alpha**L * (1 - s) ** (-L / (L - 2)),
        ),
        (
            "β = ∇φ* at L = 2: φ* = α^{2−2ς}/(2 ln(1/α)), convex, with the same limit",
            flat.diff(s) - alpha**2 * alpha ** (-2 * s),
        ),
    )
