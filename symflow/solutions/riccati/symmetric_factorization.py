"""The symmetric factorization W = UUᵀ on whitened input: a Riccati equation, any start.

The tied linear autoencoder.  With Σ_xx = κI, S = Σ_yx and G = κUUᵀ − S the flow is

    U̇ = −(G + Gᵀ)U = FU − 2κ UUᵀU,      F = S + Sᵀ,

which is Q̇ = FQ − ½κ′QQᵀQ for Q = U and κ′ = 4κ: no balance is needed, because there is
one layer only (see `matrix_riccati`).  W → the part of (S + Sᵀ)/2κ that is positive
and that the start can reach; if F has negative eigenvalues W never fits them.
"""

from __future__ import annotations

from typing import Any, ClassVar, final

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.claims import Hypothesis
from symflow.claims.bibliography import TARMOUN_2021
from symflow.flow.problem import Problem
from symflow.networks import SymmetricFactorization
from symflow.solutions.any_precision import Case
from symflow.solutions.conditions import isotropic, isotropy, squared_loss
from symflow.solutions.derivation import Step
from symflow.solutions.numpy_form import Routine
from symflow.solutions.riccati.matrix_riccati import GramSolution
from symflow.solutions.riccati.stable_evaluation import (
    graded_lift,
    graded_side,
    solve_right,
)


def symmetric_factorization(case: Case) -> Hypothesis:
    """Require the model W = UUᵀ."""
    network = case.flow.network
    fits = isinstance(network, SymmetricFactorization)
    return Hypothesis("the model UUᵀ", fits, repr(network))


@final
class SymmetricRiccati(GramSolution):
    """The flow of W = UUᵀ on whitened input from any start; made by `solve`."""

    source: ClassVar = TARMOUN_2021
    contributes: ClassVar = "the Riccati equation; solved here"
    conditions: ClassVar = (squared_loss, symmetric_factorization, isotropic)

    @property
    def degree(self) -> int:
        """Two factors, which are the same."""
        return 2

    @property
    def coupling(self) -> float:
        """Two, as the one matrix moves itself from both sides."""
        return 2.0

    def equation_of(self, problem: Problem) -> tuple[Array, Any, Array]:
        """Return F = S + Sᵀ, 4κ and Q₀ = U."""
        target = problem.arguments[1]
        return target + target.T, 4 * isotropy(problem), problem.weights[0]

    def layers_of(self, stacked: Array) -> tuple[Array, ...]:
        """Return U."""
        return (stacked,)

    def product_of(self, side: Array) -> Array:
        """Return YYᵀ."""
        return np.asarray(side @ np.swapaxes(side, -1, -2))

    def block_of(self, gram: Array) -> Array:
        """Return P, which is W."""
        return gram

    def hypotheses_hold_exactly(self, problem: Problem) -> bool:
        """Say whether Σ_xx = κI exactly."""
        sigma_xx = problem.arguments[0]
        rest = sigma_xx - isotropy(problem) * np.eye(len(sigma_xx), dtype=int)
        return not rest.any()

    def _derived(self) -> tuple[Step, ...]:
        """Return the chain rule, the equation of P, and why the formula solves it."""
        total, target, back = sympy.symbols("P S St", commutative=False)
        kappa = sympy.Symbol("kappa", positive=True)
        slope = 2 * kappa * total - target - back
        turned = -slope * total - total * slope
        claimed = (target + back) * total + total * (target + back)
        gap = sympy.expand(turned - claimed + 4 * kappa * total**2)
        rate = sympy.Symbol("Pdot", commutative=False)
        equation = sympy.Eq(rate, claimed - 4 * kappa * total**2, evaluate=False)
        return (
            Step("P = UUᵀ and U̇ = −(G + Gᵀ)U, G = κP − S, give", equation, gap),
            *self._solved("with F = S + Sᵀ, and κ for 4κ,"),
        )

    def routine(self) -> Routine:
        """Return Y with W = YYᵀ as NumPy code, and U where it is one column."""
        start = self._floats
        names = ("RATES", "LOWS", "ROWS", "VECTORS", "GIVEN")
        constants: dict[str, Any] = dict(zip(names, start.parts, strict=True))
        constants |= {"KAPPA": self.kappa, "FRAME": start.frame}
        outputs = {"end_to_end": "side @ np.swapaxes(side, -1, -2)"}
        missing = {"strengths": "the modes do not evolve apart"}
        if start.rows.shape[1] < 2:
            outputs["weights"] = "side @ FRAME.T,"
        else:
            missing["weights"] = "the rotation of the columns is integrated"
        return Routine(
            constants,
            (solve_right, graded_lift, graded_side),
            (
                f"side = graded_side(t.reshape(-1), KAPPA, {', '.join(names)})",
                "side = side.reshape(*t.shape, *side.shape[1:])",
            ),
            outputs,
            missing,
        )
