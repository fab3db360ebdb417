"""Spectral solutions: the flow falls apart into scalar modes.

Where Σ_xx, Σ_yx and W(0) share singular vectors u_i, v_i and the layers are aligned,
W(t) = Σ w_i(t) u_i v_iᵀ, and each strength w_i obeys a scalar equation with its own
σ_i = u_iᵀΣ_yx v_i, λ_i = v_iᵀΣ_xx v_i and w_i(0).
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array, to_mpf_array
from symflow.algebra.numbers import to_mpf
from symflow.algebra.products import matmul
from symflow.algebra.threads import cached_property
from symflow.flow.problem import CHECK_DIGITS, Problem
from symflow.flow.times import float_times
from symflow.solutions.any_precision import checkable, context_of, is_coarse, spare_of
from symflow.solutions.conditions import moments, product
from symflow.solutions.modes.joint_modes import JointModes, joint_modes
from symflow.solutions.numpy_form import Routine
from symflow.solutions.solution import Solution

T, SIGMA = sympy.symbols("t sigma", real=True)
LAM, START, L2 = sympy.symbols("lambda w0 l2", positive=True)


#: W = Σ w_i u_i v_iᵀ as code.
PRODUCT = "(LEFT * strengths[..., None, :]) @ RIGHT.T"


class SpectralSolution(Solution):
    """A solution by modes."""

    unknown: ClassVar = sympy.Function("w")(T)

    @property
    def decay(self) -> sympy.Expr:
        """The weight decay as derivations write it: l2, or zero without."""
        return L2 if self.problem.flow.loss.l2 else sympy.S.Zero

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
        left, right = (to_mpf_array(a, context) for a in (modes.left, modes.right))
        return matmul(left * self._strengths_at(t, digits, context), right.T)

    def _strengths_at(self, t: Any, digits: int, context: Any) -> Array:
        time, key = to_mpf(t, context), (type(self), "parameters", digits)
        modes = self.modes_at(digits)
        known = self.problem.remembered(key, lambda: self.parameters(modes))
        columns = (to_mpf_array(part, context) for part in known)
        each = zip(*columns, strict=True)
        found = [self.curve_mpf(context, time, *mode) for mode in each]
        return np.array(found, dtype=object)

    def layers_at(self, t: Any, digits: int) -> tuple[Array, ...] | None:
        if not self.is_balanced:
            return None
        context = context_of(digits + 5)
        start = to_mpf_array(self.modes_at(digits).start, context)
        growth = self._strengths_at(t, digits, context) / np.where(start > 0, start, 1)
        growth = np.where(start > 0, growth, 1) ** (context.one / self.depth)
        images = self._images(digits, partial(to_mpf_array, context=context))
        return tuple(matmul(image * growth, frame.T) for image, frame in images)

    @property
    def _limit(self) -> Array:
        left, right = self._bases
        return np.asarray((left * self.final(*self._floats)) @ right.T)

    def final(self, *parameters: Array) -> Array:
        """Return the strengths as t → ∞: σ/λ, or w₀ without input, or zero."""
        sigma, lam, start = parameters
        return settled((sigma > 0) & (start > 0), sigma, lam, start)

    @cached_property
    def _frames(self) -> list[tuple[Array, Array]]:
        """For every balanced layer, its image of the frame before, and that frame.

        In the digits of the modes: where one is 1e-13 of the others, the rounding of
        these would be 1e-3 of its direction.
        """
        coarse = is_coarse(self.problem, CHECK_DIGITS)
        digits = CHECK_DIGITS + (0 if coarse else spare_of(self.problem))
        in_digits = partial(to_mpf_array, context=context_of(digits))
        images = self._images(digits, to_float_array if coarse else in_digits)
        return [
            (to_float_array(image), to_float_array(frame)) for image, frame in images
        ]

    def _images(
        self, digits: int, lift: Callable[[Array], Array]
    ) -> list[tuple[Array, Array]]:
        modes = self.modes_at(digits)
        frame, moves = lift(modes.right), to_float_array(modes.start) > 0
        found = []
        for weight in checkable(self.problem, digits).weights:
            image = matmul(lift(weight), frame) * moves.astype(int)
            size = (image * image).sum(axis=0) ** 0.5
            found.append((image, frame))
            frame = image / np.where(size > 0, size, 1)
        return found

    def _balanced_layers(self, t: Any) -> tuple[Array, ...]:
        """Return balanced weights: amplitude i has grown by (w_i(t)/w_i(0))^{1/L}."""
        start = to_float_array(self.modes.start)
        ratio = np.where(start > 0, start, 1.0)
        ratio = np.where(start > 0, self.strengths(t) / ratio, 1.0)
        growth = ratio[..., None, :] ** (1 / self.depth)
        return tuple((image * growth) @ frame.T for image, frame in self._frames)

    def _balanced_routine(
        self,
        constants: dict[str, Any],
        functions: tuple[Callable[..., Any], ...],
        lines: list[str],
        horizon: float | None = None,
    ) -> Routine:
        """Return the code of balanced layers, from that of ``strengths``."""
        start = to_float_array(self.modes.start)
        known = dict(zip(("LEFT", "RIGHT"), self._bases, strict=True))
        known |= {"BEGIN": np.where(start > 0, start, 1.0), "MOVES": start > 0}
        grown = "grown = xp.where(MOVES, strengths / BEGIN, 1.0)[..., None, :]"
        layers = []
        for number, (image, frame) in enumerate(self._frames, start=1):
            known |= {f"IMAGE_{number}": image, f"FRAME_{number}": frame}
            layers.append(f"(IMAGE_{number} * grown) @ FRAME_{number}.T")
        weights = ", ".join(layers)
        return Routine(
            constants | known,
            functions,
            (*lines, f"{grown} ** {1 / self.depth!r}"),
            {"end_to_end": PRODUCT, "strengths": "strengths", "weights": weights},
            horizon=horizon,
        )


def settled(learned: Array, sigma: Array, lam: Array, start: Array) -> Array:
    """Return where modes end: σ/λ or zero; what no input reaches stays."""
    goal = np.where(learned, sigma / np.where(lam > 0, lam, np.nan), 0.0)
    return np.where((lam == 0) & (sigma == 0), start, goal)
