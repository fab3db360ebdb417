"""Spectral solutions: the flow falls apart into scalar modes.

Where Σ_xx, Σ_yx and W(0) share singular vectors u_i, v_i and the layers are aligned,
W(t) = Σ w_i(t) u_i v_iᵀ, and each strength w_i obeys a scalar equation with its own
σ_i = u_iᵀΣ_yx v_i, λ_i = v_iᵀΣ_xx v_i and w_i(0).
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any, ClassVar

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array, to_mpf_array
from symflow.algebra.numbers import to_mpf
from symflow.algebra.threads import cached_property
from symflow.flow.problem import CHECK_DIGITS, Problem
from symflow.flow.times import float_times
from symflow.solutions.any_precision import (
    checkable,
    context_of,
    is_coarse,
    spare_of,
)
from symflow.solutions.conditions import moments, product
from symflow.solutions.modes.joint_modes import JointModes, joint_modes
from symflow.solutions.numpy_form import Routine
from symflow.solutions.solution import Solution

T, SIGMA = sympy.symbols("t sigma", real=True)
LAM, START = sympy.symbols("lambda w0", positive=True)


#: W = Σ w_i u_i v_iᵀ as code.
PRODUCT = "(LEFT * strengths[..., None, :]) @ RIGHT.T"


class SpectralSolution(Solution):
    """A solution by modes."""

    unknown: ClassVar = sympy.Function("w")(T)

    @cached_property
    def modes(self) -> JointModes:
        """The joint modes of data and start, correct to float64."""
        coarse = is_coarse(self.problem, CHECK_DIGITS)
        return self.modes_at(CHECK_DIGITS + (0 if coarse else spare_of(self.problem)))

    def modes_at(self, digits: int) -> JointModes:
        """Return the joint modes of data and start at any precision, found once."""
        return self.problem.remembered(
            (type(self), digits),
            lambda: self._found(checkable(self.problem, digits), digits),
        )

    def _found(self, problem: Problem, digits: int) -> JointModes:
        return joint_modes(*moments(problem), product(problem), digits)

    def parameters(self, modes: JointModes) -> tuple[Array, ...]:
        """Return what the scalar formula takes of each mode, besides the time."""
        return modes.sigma, modes.lam, modes.start

    @abstractmethod
    def curve(self, times: Array, *parameters: Any) -> Array:
        """Return the strength of a mode at float64 times, shape (times, modes)."""

    @abstractmethod
    def curve_mpf(self, context: Any, time: Any, *parameters: Any) -> Any:
        """Return the strength of one mode at one time, in an mpmath context."""

    @cached_property
    def _floats(self) -> tuple[Array, ...]:
        return tuple(to_float_array(part) for part in self.parameters(self.modes))

    @cached_property
    def _bases(self) -> tuple[Array, Array]:
        return to_float_array(self.modes.left), to_float_array(self.modes.right)

    def strengths(self, t: Any) -> Array:
        """Return the mode strengths w_i(t) in float64, shape (…, inputs)."""
        times = float_times(t)
        flat = self.curve(times.reshape(-1, 1), *self._floats)
        return np.asarray(flat.reshape(*times.shape, -1))

    def _end_to_end(self, t: Any) -> Array:
        left, right = self._bases
        return np.asarray((left * self.strengths(t)[..., None, :]) @ right.T)

    def _at(self, t: Any, digits: int) -> Array:
        modes, context = self.modes_at(digits), context_of(digits + 5)
        time = to_mpf(t, context)
        left, right = (to_mpf_array(a, context) for a in (modes.left, modes.right))
        columns = (to_mpf_array(a, context) for a in self.parameters(modes))
        strengths = [
            self.curve_mpf(context, time, *mode) for mode in zip(*columns, strict=True)
        ]
        return np.asarray((left * np.array(strengths, dtype=object)) @ right.T)

    @property
    def _limit(self) -> Array:
        left, right = self._bases
        return np.asarray((left * self.final(*self._floats)) @ right.T)

    def final(self, *parameters: Array) -> Array:
        """Return the strengths as t → ∞: σ/λ, or w₀ without input, or zero."""
        sigma, lam, start = parameters
        return settled((sigma > 0) & (start > 0), sigma, lam, start)

    def _balanced_routine(self, curve: Any, names: tuple[str, ...]) -> Routine:
        """Return the code of two balanced layers with a curve of these constants."""
        left, right = self._bases
        first, last = self.problem.floats.weights
        start = to_float_array(self.modes.start)
        constants = dict(zip(names, self._floats, strict=True))
        constants |= {
            "LEFT": left,
            "RIGHT": right,
            "FIRST": first @ right,
            "LAST": left.T @ last,
            "IDLE": last - left @ (left.T @ last),
            "BEGIN": np.where(start > 0, start, 1.0),
            "MOVES": start > 0,
        }
        return Routine(
            constants,
            (curve,),
            (
                f"strengths = {curve.__name__}(t[..., None], {', '.join(names)})",
                "grown = np.where(MOVES, strengths / BEGIN, 1.0)[..., None, :] ** 0.5",
            ),
            {
                "end_to_end": PRODUCT,
                "strengths": "strengths",
                "weights": "(FIRST * grown) @ RIGHT.T, (LEFT * grown) @ LAST + IDLE",
            },
        )

    def _grown(self, t: Any, root: float) -> tuple[Array, ...]:
        """Return the balanced weights: amplitude i has grown by (w_i(t)/w_i(0))^root.

        The first layer is W_1(0) V diag(g) Vᵀ, the last U diag(g) Uᵀ W_L(0).
        """
        left, right = self._bases
        start = to_float_array(self.modes.start)
        safe = np.where(start > 0, start, 1.0)
        ratio = np.where(start > 0, self.strengths(t) / safe, 1.0)[..., None, :] ** root
        first, *_, last = self.problem.floats.weights
        idle = last - left @ (left.T @ last)
        return (
            first @ ((right * ratio) @ right.T),
            ((left * ratio) @ left.T) @ last + idle,
        )


def settled(learned: Array, sigma: Array, lam: Array, start: Array) -> Array:
    """Return where modes end: σ/λ or zero; what no input reaches stays.

    Examples
    --------
    >>> zero = np.zeros(2)
    >>> settled(zero > 0, zero, np.array([0.0, 1.0]), np.array([0.5, 0.5])).tolist()
    [0.5, 0.0]
    """
    goal = np.where(learned, sigma / np.where(lam > 0, lam, np.nan), 0.0)
    return np.where((lam == 0) & (sigma == 0), start, goal)
