"""One-neuron layer: a step of gradient descent and how many of them reach an accuracy.

Notation of `convergence/rank_one.py`.  With R = max(s(0), z_1)^{1/L} and N = z_2 +
‖W(0) − Z_1‖, layers of norm at most R have a Hessian below

    M = LR^{2L−2} + (L−1)R^{L−2}N,

and η = 1/M is within a factor of two of the largest step that is stable near Z_1 alone,
2/(Lz_1^{2−2/L}), where the start is not far.  Constants of a tube around the flow would
ask for hundreds of times as many steps as it takes; what is proved here is the descent
itself: it is run in balls, with as many bits as its steps lose, until the ball of ‖W_k
− Z_1‖ is below ε.  The rate of the flow says that it gets there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.balls import ALONE, frobenius, to_arb, to_arb_array, workbits
from symflow.algebra.outward import at_most, float_up
from symflow.claims import Bound, Hypothesis, Path, Refusal, Status, Theorem
from symflow.claims.bibliography import EFTEKHARI_2020
from symflow.convergence.bound import ROUNDED_DOWN
from symflow.convergence.one_neuron import setting, start_of
from symflow.convergence.rank_one import RankOneRate
from symflow.flow.problem import Problem
from symflow.inits.init import positive_number

#: What the digits of Z_1 are good to, relative.
KNOWN = 1e-20

#: More steps than this are not taken, nor with more bits.
MOST_STEPS, MOST_BITS = 2**13, 2**16


@dataclass(frozen=True, eq=False, repr=False)
class DescentComplexity(Bound, Theorem):
    """Gradient descent reaches ‖W − Z_1‖_F ≤ ε in N steps η; made by `attempt`."""

    accuracy: float  #: ε.
    step: float  #: η.
    #: Bounds on ‖W_k − Z_1‖_F for k = 0 … N, of which the last is the first below ε.
    distances: Array

    source = EFTEKHARI_2020
    question = "descent"
    contributes = "the rate of the flow; steps are counted by a run in balls"

    @classmethod
    def attempt(cls, problem: Problem, accuracy: float = 0.1) -> Self | Refusal:
        """Return the claim for an accuracy ε of W, or the hypotheses that fail."""
        positive_number(accuracy, "DescentComplexity.attempt(accuracy=…)")
        rate = RankOneRate.attempt(problem)
        if isinstance(rate, Refusal):
            return cls.refuse(rate.hypotheses)
        step = _step(problem)
        distances = _descent(problem, step, accuracy)
        words, detail = f"at most {MOST_STEPS} steps suffice", f"η = {step:.3g}"
        found = [*rate.checked, Hypothesis(words, distances is not None, detail)]
        if distances is None:
            return cls.refuse(found)
        return cls(problem, tuple(found), accuracy, step, distances)

    @property
    def steps(self) -> int:
        """N, the first number of steps that is proved to suffice."""
        return len(self.distances) - 1

    @property
    def status(self) -> Status:
        """Every iterate is in a ball."""
        return Status.ENCLOSED

    @property
    def statement(self) -> sympy.Basic:
        """‖W_N − Z_1‖_F ≤ ε, with W_N the product after N steps, Z_1 of rank one."""
        shape = self.problem.flow.data[1].shape
        names = f"W_{self.steps}", "Z_1"
        product, target = (sympy.MatrixSymbol(name, *shape) for name in names)
        gap = product - target
        distance = sympy.sqrt(sympy.Trace(gap * gap.T))
        return sympy.Le(distance, float_up(self.accuracy), evaluate=False)

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return ‖W_k − Z_1‖² and its bound, for iterates with the step η."""
        gaps = to_float_array(path.end_to_end) - to_float_array(_target(self.problem))
        count = min(self.steps + 1, len(gaps))
        distances = np.linalg.norm(gaps, axis=(-2, -1))[:count]
        spare = np.zeros(len(gaps) - count)
        bound = self.distances[:count]
        return np.append(distances**2, spare), np.append(bound**2, spare)


def _step(problem: Problem) -> float:
    """Return η = 1/M, rounded to a few bits so that balls have no more to carry."""
    frame, strength, _ = start_of(problem)
    depth, norm = frame.depth, max(strength, frame.first) ** (1 / frame.depth)
    product = to_float_array(setting(problem).product)
    misfit = frame.second + np.linalg.norm(product - to_float_array(_target(problem)))
    curve = depth * norm ** (2 * depth - 2) + (depth - 1) * norm ** (depth - 2) * misfit
    mantissa, exponent = np.frexp(1 / curve)
    return float(np.ldexp(np.floor(mantissa * 2**8) / 2**8, exponent))


def _target(problem: Problem) -> Array:
    """Return Z_1, to the digits of the frame."""
    frame = setting(problem).frame
    return np.asarray(frame.first * np.multiply.outer(frame.left, frame.right))


def _descent(problem: Problem, step: float, accuracy: float) -> Array | None:
    """Return bounds on the distances up to the first below ε, or None."""
    bits = 128
    while bits <= MOST_BITS:
        found = _in_balls(problem, step, accuracy, bits)
        if found is None or found[-1] <= accuracy:
            return found
        bits *= 4
    return None


def _in_balls(
    problem: Problem, step: float, accuracy: float, bits: int
) -> Array | None:
    """Run with so many bits; the last bound is above ε where these were too few."""
    with ALONE, workbits(bits):
        layers = [to_arb_array(weight) for weight in problem.weights]
        sigma_xx, sigma_yx = map(to_arb_array, problem.exact_arguments)
        target, eta = to_arb_array(_target(problem)), to_arb(step)
        found: list[float] = []
        for _ in range(MOST_STEPS + 1):
            ahead = [layers[0]]
            for layer in layers[1:]:
                ahead.append(layer @ ahead[-1])
            gap = frobenius([ahead[-1] - target]) + KNOWN * frobenius([target])
            found.append(at_most(gap) * (1 + ROUNDED_DOWN))
            wide = max(to_arb(x).rad() for layer in layers for x in layer.flat)
            if found[-1] <= accuracy or not wide < accuracy / 8:
                return np.array(found)
            pull, moved = sigma_yx - ahead[-1] @ sigma_xx, list(layers)
            for k in reversed(range(len(layers))):
                right: Any = pull @ ahead[k - 1].T if k else pull
                moved[k] = layers[k] + eta * right
                pull = layers[k].T @ pull
            layers = moved
    return None
