"""Two layers, whitened input, λ-balanced start: a matrix Riccati equation, any widths.

Fukumizu (1998) for λ = 0, Braun et al. (2022), Dominé et al. (2025).  With Σ_xx = κI,
S = Σ_yx, W_2ᵀW_2 − W_1W_1ᵀ = λI (which is conserved), Q = [W_1ᵀ; W_2] and

    F = [[−κλ/2 I, Sᵀ], [S, κλ/2 I]],      Q̇ = FQ − ½κ QQᵀQ,

the matrix P = QQᵀ, whose lower left block is W = W_2W_1, solves Ṗ = FP + PF − κP² (see
`gram` for the solution).  Nothing is divided by the data: S, F and W may be singular.
The weights themselves are Q = Y O with P = YYᵀ and a rotation O of the hidden units
(see `rotation`); for one hidden unit λ is any number and O = 1.
"""

from __future__ import annotations

from functools import cached_property, partial
from typing import Any, ClassVar, final

import numpy as np

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import to_float
from symflow.algebra.products import matmul
from symflow.claims.bibliography import DOMINE_2025
from symflow.flow.problem import Problem
from symflow.solutions.conditions import (
    dense_layers,
    homogeneity,
    homogeneous,
    imbalance,
    isotropic,
    isotropy,
    squared_loss,
)
from symflow.solutions.graded import graded_lift, graded_side, solve_right
from symflow.solutions.gram import GramSolution
from symflow.solutions.riccati_formula import layers_gap
from symflow.solutions.routine import Routine
from symflow.solutions.step import Step


@final
class Riccati(GramSolution):
    """The two-layer flow on whitened input from a λ-balanced start; made by `solve`."""

    source: ClassVar = DOMINE_2025
    contributes: ClassVar = "the solution; in a form that is stable at late times here"
    conditions: ClassVar = (
        squared_loss,
        partial(dense_layers, least=2, most=2),
        isotropic,
        homogeneous,
    )

    @cached_property
    def lam(self) -> float:
        """The λ of the start."""
        return to_float(homogeneity(self.checkable))

    def equation_of(self, problem: Problem) -> tuple[Array, Any, Array]:
        """Return F, κ and Q₀ = [W_1ᵀ; W_2]."""
        first, second = problem.weights
        target, kappa, lam = (
            problem.arguments[1],
            isotropy(problem),
            homogeneity(problem),
        )
        outputs, cut = target.shape
        tilt = np.array([-kappa * lam / 2] * cut + [kappa * lam / 2] * outputs)
        force = np.diag(tilt)
        force[cut:, :cut], force[:cut, cut:] = target, target.T
        return force, kappa, np.concatenate([first.T, second], axis=0)

    def layers_of(self, stacked: Array) -> tuple[Array, ...]:
        """Return W_1 and W_2."""
        cut = self.problem.widths[0]
        return np.swapaxes(stacked[..., :cut, :], -1, -2), stacked[..., cut:, :]

    def product_of(self, side: Array) -> Array:
        """Return the lower left block of YYᵀ."""
        cut = self.problem.widths[0]
        return matmul(side[..., cut:, :], np.swapaxes(side[..., :cut, :], -1, -2))

    def block_of(self, gram: Array) -> Array:
        """Return the lower left block of P."""
        cut = self.problem.widths[0]
        return gram[cut:, :cut]

    def hypotheses_hold_exactly(self, problem: Problem) -> bool:
        """Say whether Σ_xx = κI and W_2ᵀW_2 − W_1W_1ᵀ = λI exactly."""
        gaps = (
            (imbalance(problem), homogeneity(problem)),
            (problem.arguments[0], isotropy(problem)),
        )
        return all(
            not (matrix - level * np.eye(len(matrix), dtype=int)).any()
            for matrix, level in gaps
        )

    def _derived(self) -> tuple[Step, ...]:
        """Return the equation of P, and why the formula solves it."""
        why = "QᵀQ = 2W₂ᵀW₂ − λI = 2W₁W₁ᵀ + λI gives Q̇ = FQ − ½κQQᵀQ, so"
        return self._solved(why, layers_gap())

    def routine(self) -> Routine:
        """Return Y with P = YYᵀ as NumPy code, and the weights of one hidden unit."""
        start, cut = self._floats, self.problem.widths[0]
        names = ("RATES", "LOWS", "ROWS", "VECTORS", "GIVEN")
        constants: dict[str, Any] = dict(zip(names, start.parts, strict=True))
        constants |= {"KAPPA": self.kappa, "FRAME": start.frame}
        outputs = {"end_to_end": "after @ np.swapaxes(before, -1, -2)"}
        missing = {"strengths": "the modes do not evolve apart"}
        if start.rows.shape[1] < 2:
            first = "np.swapaxes(before @ FRAME.T, -1, -2)"
            outputs["weights"] = f"{first}, after @ FRAME.T"
        else:
            missing["weights"] = "the rotation of the hidden units is integrated"
        return Routine(
            constants,
            (solve_right, graded_lift, graded_side),
            (
                f"side = graded_side(t.reshape(-1), KAPPA, {', '.join(names)})",
                "side = side.reshape(*t.shape, *side.shape[1:])",
                f"before, after = side[..., :{cut}, :], side[..., {cut}:, :]",
            ),
            outputs,
            missing,
        )
