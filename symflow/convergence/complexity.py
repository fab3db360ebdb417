"""One-neuron layer: how many steps of gradient descent reach a given accuracy.

Gradient descent with step η is Euler's method for the flow.  Notation of
`convergence/rank_one.py`: along the flow ‖W − Z_1‖_F ≤ B(t), with B falling, and every
layer has the norm s^{1/L} ≤ R_0 = max(s(0), z_1)^{1/L}.  Let e_k = ‖θ_k − θ(kη)‖, and
assume that it stays below r; then on the segments between the two ‖W_l‖_F ≤ R = R_0 +
r and ‖W − Z‖_2 ≤ N_k = z_2 + B(kη) + √L R^{L−1} r, so that the Hessian H of the loss
has

    −ν_k ≤ H ≤ M_k,  ν_k = (L−1)R^{L−2}N_k,  M_k = LR^{2L−2} + ν_k.

−H ≤ ν_k is the one-sided Lipschitz constant of the flow: Euler's step spreads two
points by 1 + ην_k at most if ηM_0 ≤ 2.  The flow itself bends by ‖θ̈‖ ≤ M‖∇ℒ‖ ≤ a_k =
M_k √L R_0^{L−1}(1 + z_2/(√2z_1)) B(kη).  Hence

    e_{k+1} ≤ (1 + ην_k) e_k + ½η² a_k,      ‖W_k − Z_1‖_F ≤ B(kη) + √L R^{L−1} e_k,

and N = T/η steps reach ε, where B(T) = ε/2 and η is so small that √L R^{L−1} e_N ≤
ε/2, r being the radius at which this is an equality.  As N_k → z_2 and B falls as
e^{−κt}, N grows as ε^{−1−(L−1)R^{L−2}z_2/κ} up to logarithms, polynomially.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.outward import float_up
from symflow.claims import Bound, Hypothesis, Identity, Path, Refusal, Theorem
from symflow.claims.bibliography import EFTEKHARI_2020
from symflow.convergence.bound import ROUNDED_DOWN
from symflow.convergence.one_neuron import FirstMode, one_neuron, start_of
from symflow.convergence.rank_one import RankOneRate
from symflow.flow.problem import Problem
from symflow.inits.init import positive_number

#: Rounding of a sum over all steps.
SUMMED = 1e-9
#: More steps than this are not counted.
MOST_STEPS = 2**22


@dataclass(frozen=True, eq=False, repr=False)
class DescentComplexity(Bound, Theorem):
    """Gradient descent reaches ‖W − Z_1‖_F ≤ ε in N steps η; made by `attempt`."""

    accuracy: float  #: ε.
    steps: int  #: N.
    step: float  #: η.

    source = EFTEKHARI_2020
    question = "descent"
    contributes = "the rate of the flow; the number of steps is derived here"

    @classmethod
    def attempt(cls, problem: Problem, accuracy: float = 0.1) -> Self | Refusal:
        """Return the claim for an accuracy ε of W, or the hypotheses that fail."""
        positive_number(accuracy, "DescentComplexity.attempt(accuracy=…)")
        rate = RankOneRate.attempt(problem)
        if isinstance(rate, Refusal):
            return cls.refuse(rate.hypotheses)
        usable = Hypothesis("a positive accuracy", 0 < accuracy < np.inf)
        if not usable.holds:
            return cls.refuse([*rate.checked, usable])
        time = _time_to(rate, accuracy / 2)
        tube = Tube.of(rate, accuracy)
        steps = tube.fewest_steps(time)
        words, detail = f"at most {MOST_STEPS} steps", f"flow time {time:.3g}"
        found = [*rate.checked, Hypothesis(words, steps <= MOST_STEPS, detail)]
        if not found[-1].holds:
            return cls.refuse(found)
        return cls(problem, tuple(found), accuracy, steps, time / steps)

    @property
    def statement(self) -> sympy.Basic:
        """‖W_N − Z_1‖_F ≤ ε, with W_N the product after N steps, Z_1 of rank one."""
        shape = self.problem.flow.data[1].shape
        names = f"W_{self.steps}", "Z_1"
        product, target = (sympy.MatrixSymbol(name, *shape) for name in names)
        gap = product - target
        distance = sympy.sqrt(sympy.Trace(gap * gap.T))
        return sympy.Le(distance, float_up(self.accuracy), evaluate=False)

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return the Hessian for numbers, and the errors of three steps unrolled."""
        a, b, z, eta = sympy.symbols("a b z η")
        loss = (z - a * b) ** 2 / 2
        hessian = sympy.hessian(loss, (a, b))
        whole = sympy.Matrix([[b**2, a * b], [a * b, a**2]])
        rest = (z - a * b) * sympy.Matrix([[0, 1], [1, 0]])
        spreads, bends = sympy.symbols("ν_0:3"), sympy.symbols("a_0:3")
        error: sympy.Expr = sympy.Integer(0)
        for spread, bend in zip(spreads, bends, strict=True):
            error = (1 + eta * spread) * error + eta**2 * bend / 2
        later = [1 + eta * spread for spread in spreads[1:]]
        made = bends[0] * later[0] * later[1] + bends[1] * later[1] + bends[2]
        return (
            Identity(
                "H = ∇s∇sᵀ − (z − s)∇²s for two numbers: −ν ≤ H ≤ LR^{2L−2} + ν",
                sum((hessian - whole + rest).applyfunc(lambda x: x**2)),
            ),
            Identity(
                "e_{k+1} = (1 + ην_k)e_k + ½η²a_k, unrolled",
                sympy.expand(error - eta**2 * made / 2),
            ),
        )

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return ‖W_k − Z_1‖² and its bound, for iterates with the step η."""
        rate = RankOneRate.attempt(self.problem)
        assert isinstance(rate, RankOneRate), rate
        frame = one_neuron(self.problem)
        target = frame.first * np.outer(frame.left, frame.right)
        gaps = to_float_array(path.end_to_end) - target
        tube = Tube.of(rate, self.accuracy)
        count = min(self.steps, len(gaps) - 1)
        errors = tube.errors(self.step, self.steps)[: count + 1]
        bound = tube.rate.ceiling(self.step * np.arange(count + 1))
        bound = (bound + tube.stretch * errors) * (1 + ROUNDED_DOWN)
        distances = np.linalg.norm(gaps, axis=(-2, -1))[: count + 1]
        spare = np.zeros(len(gaps) - count - 1)
        return np.append(distances**2, spare), np.append(bound**2, spare)


@dataclass(frozen=True, eq=False)
class Tube:
    """A tube around the flow in which the constants hold; made by `of`.

    `rate` is the bound B(t) on the flow, `frame` the target, with L, z_1 and z_2,
    `norm` is R_0 and `radius` r.
    """

    rate: RankOneRate
    frame: FirstMode
    norm: float
    radius: float

    @classmethod
    def of(cls, rate: RankOneRate, accuracy: float) -> Tube:
        """Choose r with √L (R_0 + r)^{L−1} r = ε/2."""
        from scipy.optimize import brentq

        frame, strength, _ = start_of(rate.problem)
        depth = frame.depth
        norm = max(strength, frame.first) ** (1 / depth)

        largest = accuracy / (2 * depth**0.5 * norm ** (depth - 1))

        def excess(part: float) -> float:
            return float(part * (1 + part * largest / norm) ** (depth - 1) - 1)

        part = float(brentq(excess, 0.0, 1.0, xtol=1e-300, maxiter=9999))
        return cls(rate, frame, norm, part * largest * (1 - ROUNDED_DOWN))

    @property
    def depth(self) -> int:
        """L."""
        return self.frame.depth

    @property
    def stretch(self) -> float:
        """√L R^{L−1}: how much W moves if the weights move by one."""
        return float(self.depth**0.5 * (self.norm + self.radius) ** (self.depth - 1))

    def spread(self, t: Array) -> Array:
        """Return ν at times t, a bound for all later times as well."""
        size = self.norm + self.radius
        misfit = self.frame.second + self.rate.ceiling(t) + self.stretch * self.radius
        return np.asarray((self.depth - 1) * size ** (self.depth - 2) * misfit)

    def curvature(self, t: Array) -> Array:
        """Return M at times t, a bound for all later times as well."""
        top = self.depth * (self.norm + self.radius) ** (2 * self.depth - 2)
        return np.asarray(top + self.spread(t))

    def bend(self, t: Array) -> Array:
        """Return a, the bound on ‖θ̈‖ at times t and later."""
        part = 1 + self.frame.second / (2**0.5 * self.frame.first)
        push = self.depth**0.5 * self.norm ** (self.depth - 1) * part
        return np.asarray(self.curvature(t) * push * self.rate.ceiling(t))

    def errors(self, step: float, steps: int) -> Array:
        """Return the bounds on e_0, …, e_N."""
        t = step * np.arange(steps)
        growth = np.concatenate([[0.0], np.cumsum(np.log1p(step * self.spread(t)))])
        made = np.cumsum(step**2 / 2 * self.bend(t) * np.exp(-growth[1:]))
        return np.concatenate([[0.0], np.exp(growth[1:]) * made])

    def fewest_steps(self, time: float) -> int:
        """Return the N found by doubling and bisection; too many if there is none."""

        def reaches(steps: int) -> bool:
            step = time / steps
            stable = step * float(self.curvature(np.zeros(1))[0]) <= 2
            reached = float(self.errors(step, steps)[-1]) * (1 + SUMMED)
            return stable and reached <= self.radius

        high = 1
        while not reaches(high):
            high *= 2
            if high > MOST_STEPS:
                return high
        low = high // 2
        while high - low > max(1, high // 100):
            middle = (low + high) // 2
            low, high = (low, middle) if reaches(middle) else (middle, high)
        return high


def _time_to(rate: RankOneRate, distance: float) -> float:
    """Return T with B(T) ≤ distance, in units of the rate."""
    from scipy.optimize import brentq

    unit, end = 1 / rate.rate, 1.0
    while float(rate.ceiling(end * unit)) > distance:
        end *= 2
    if float(rate.ceiling(0.0)) <= distance:
        return 1e-3 * end * unit
    found = float(
        brentq(lambda x: float(rate.ceiling(x * unit)) - distance, 0.0, end, xtol=1e-12)
    )
    while float(rate.ceiling(found * unit)) > distance:
        found *= 1 + ROUNDED_DOWN
    return found * unit
