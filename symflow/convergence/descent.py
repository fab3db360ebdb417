"""Gradient descent on one balanced mode of two layers: steps and two-sided curves.

With step η the mode strength obeys w⁺ = w(1 + η(σ − λw))² (Gidel, Bach, Lacoste-Julien
2019); for L layers it is w⁺ = w(1 + ηw^{1−2/L}(σ − λw))^L.  Let a = ησ ≤ ½,
u = λw/σ < 1 and the odds q = u/(1 − u).  Per step

    (1 + a)² ≤ q⁺/q = (1 + a(1−u))²/(1 − 2au − a²u(1−u)) ≤ 1/(1 − 2a),

so that after k steps q is between q_0(1 + a)^{2k} and q_0(1 − 2a)^{−k}: w is between
two logistic curves.  Descent is monotone for ησ ≤ ½, locally stable for ησ < 1, and
for w_0 = e^{−2δ}, δ → ∞, a mode is learned after δ/ln(1 + ησ) steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.outward import float_down, float_up
from symflow.claims import (
    Hypothesis,
    Identity,
    Path,
    Refusal,
    Theorem,
    all_hold,
    random_problems,
)
from symflow.claims.bibliography import GIDEL_2019
from symflow.claims.claim import thinned
from symflow.claims.example import Examples, RandomExamples, scaled
from symflow.convergence.phases import Staircase, joint_modes
from symflow.errors import InvalidArgument
from symflow.flow.problem import Problem

#: Rounding of the exponents of the curves, which are rounded outward.
LOGARITHM = 4e-15


def descend(
    start: float,
    steps: int,
    *,
    step: float,
    sigma: float,
    lam: float = 1.0,
    depth: int = 2,
) -> Array:
    """Return w_0, …, w_k of gradient descent on one balanced mode of L layers.

    Each of the amplitudes w^{1/L} moves by η w^{1−1/L}(σ − λw) in a step.
    """
    values = [start]
    for _ in range(steps):
        w = values[-1]
        pace = step * w ** (1 - 2 / depth)
        values.append(w * (1 + pace * (sigma - lam * w)) ** depth)
    return np.array(values)


def descent_curves(
    start: float, steps: int, *, step: float, sigma: float, lam: float = 1.0
) -> tuple[Array, Array]:
    """Return the logistic curves below and above gradient descent on one mode.

    They bound w_0, …, w_k, k the number of steps.  Raises InvalidArgument if not 0 < ησ
    ≤ ½, or the start is not between 0 and σ/λ.
    """
    growth, part = step * sigma, lam * start / sigma
    if not (0 < growth <= 0.5 and 0 < part < 1):
        msg = (
            "descent_curves(start, …, step, sigma): needs 0 < step·sigma ≤ 1/2 and "
            f"0 < start < sigma/lam; got step·sigma = {growth:g}, start = {start:g}"
        )
        raise InvalidArgument(msg)
    count = np.arange(steps + 1)
    logit = np.log(part / (1 - part))
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        fastest = np.where(count > 0, count * -np.log1p(-2 * growth), 0.0)
        slowest = 2 * np.log1p(growth) * count
        spare = LOGARITHM * (1 + abs(logit) + slowest + 1 / (1 - part))
        low = sigma / lam / (1 + np.exp(-(logit + slowest - spare)))
        high = sigma / lam / (1 + np.exp(-(logit + fastest * (1 + LOGARITHM) + spare)))
    return low * (1 - LOGARITHM), high * (1 + LOGARITHM)


def discrete_phase_time(sigma: float, step: float) -> float:
    """Return η/ln(1 + ησ): when descent learns a mode, in units of δ.

    It is the limit of kη/δ for starts e^{−2δ}, δ → ∞; for η → 0 the 1/σ of the flow.
    """
    return float(step / np.log1p(step * sigma))


@dataclass(frozen=True, eq=False, repr=False)
class DescentCorridor(Theorem):
    """Every mode stays between two logistic curves; made by `attempt`."""

    step: float  #: η.

    source = GIDEL_2019
    question = "descent"
    contributes = "the equations; the curves are derived here"

    @classmethod
    def attempt(cls, problem: Problem, step: float = 0.0) -> Self | Refusal:
        """Return the claim for steps of this size, or the hypotheses that fail.

        Parameters
        ----------
        problem : Problem
            With two dense layers, and shared singular vectors.
        step : float
            η.
        """
        stairs = Staircase.attempt(problem)
        found = list(
            stairs.hypotheses if isinstance(stairs, Refusal) else stairs.checked
        )
        if all_hold(found):
            growth = step * float(joint_modes(problem).sigma.max())
            holds = 0 < growth <= 0.5
            found.append(Hypothesis("0 < ησ₁ ≤ 1/2", holds, f"ησ₁ = {growth:.3g}"))
        return (
            cls(problem, tuple(found), step) if all_hold(found) else cls.refuse(found)
        )

    @property
    def phase_times(self) -> Array:
        """When each mode is learned, kη/δ for starts e^{−2δ}, as δ → ∞."""
        sigma = joint_modes(self.problem).sigma
        return np.array([discrete_phase_time(float(x), self.step) for x in sigma])

    @property
    def statement(self) -> sympy.Basic:
        """w*/(1 + e^{−x}(1 + a)^{−2k}) ≤ w_i ≤ w*/(1 + e^{−x}(1 − 2a)^k), all modes.

        With w_i the strength of mode i after k steps, w* = σ/λ, a = ησ and e^x the odds
        of the start.
        """
        k, modes = sympy.Symbol("k", nonnegative=True), joint_modes(self.problem)
        parts = []
        for number, start in enumerate(modes.start, start=1):
            goal, growth = (
                float(x[number - 1]) for x in (modes.goal, self.step * modes.sigma)
            )
            odds, w = goal / float(start) - 1, sympy.Symbol(f"w_{number}", real=True)
            slow, fast = 1 / (1 + growth) ** 2, 1 - 2 * growth
            more, less = 1 + LOGARITHM, 1 - LOGARITHM
            low = 1 + float_up(odds * more) * float_up(slow * more) ** k
            high = 1 + float_down(odds * less) * float_down(fast * less) ** k
            parts.append(sympy.Le(float_down(goal) / low, w, evaluate=False))
            parts.append(sympy.Le(w, float_up(goal) / high, evaluate=False))
        return sympy.And(*parts, evaluate=False)

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return one step of the odds q = u/(1 − u), and both bounds on it."""
        a, u = sympy.symbols("a u")
        grown, left = (1 + a * (1 - u)) ** 2, 1 - 2 * a * u - a**2 * u * (1 - u)
        above = a**2 * u * (a**2 * (1 - u) + 2 * a * (2 - u) + 3)
        below = a**2 * (1 - u) * (3 + 2 * a * (1 - u))
        return (
            Identity(
                "1 − u⁺ = (1 − u)(1 − 2au − a²u(1 − u)) for u⁺ = u(1 + a(1 − u))²",
                sympy.expand(1 - u * grown - (1 - u) * left),
            ),
            Identity(
                "q⁺/q ≥ (1 + a)², by terms that are not negative",
                sympy.expand(grown - (1 + a) ** 2 * left - above),
            ),
            Identity(
                "q⁺/q ≤ 1/(1 − 2a), by terms that are not negative",
                sympy.expand(left - (1 - 2 * a) * grown - below),
            ),
        )

    def mismatch(self, path: Path) -> str:
        """Return that iterates are missing."""
        return thinned(path)

    @classmethod
    def examples(cls) -> Examples:
        """Return small spectral starts with a step of 0.2."""
        draw = random_problems.spectral(3, 3, 2)
        return (RandomExamples("many-corridor", draw, scaled(step=1.1), lambda _: 0.2),)

    def residuals(self, path: Path) -> Array:
        """Return how far a mode is outside its corridor, relative to its goal."""
        modes, steps = joint_modes(self.problem), len(path.t) - 1
        product = to_float_array(path.end_to_end)
        measured = np.einsum("ik,tij,jk->tk", modes.left, product, modes.right)
        gaps = np.zeros(steps + 1)
        for k, start in enumerate(modes.start):
            sizes = {"sigma": float(modes.sigma[k]), "lam": float(modes.lam[k])}
            low, high = descent_curves(start, steps, step=self.step, **sizes)
            outside = np.maximum(low - measured[:, k], measured[:, k] - high)
            gaps = np.maximum(gaps, outside / modes.goal[k])
        return gaps
