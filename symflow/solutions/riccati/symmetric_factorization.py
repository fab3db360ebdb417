"""The symmetric factorization W = UUᵀ on whitened input: a Riccati equation, any start.

The tied linear autoencoder.  With Σ_xx = κI, S = Σ_yx and G = κUUᵀ − S the flow is

    U̇ = −(G + Gᵀ)U = FU − 2κ UUᵀU,      F = S + Sᵀ,

which is Q̇ = FQ − ½κ′QQᵀQ for Q = U and κ′ = 4κ: no balance is needed, because there is
one layer only (see `matrix_riccati`).  A weight decay takes l2 I from F.  W → the part
of F/2κ that is positive and that the start can reach; if F has negative eigenvalues W
never fits them.
"""

from __future__ import annotations

from typing import ClassVar, final

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.claims import Hypothesis, structural
from symflow.claims.bibliography import TARMOUN_2021
from symflow.claims.whitened import decaying_loss, isotropic
from symflow.flow.problem import Problem
from symflow.flow.riccati import weight_decay
from symflow.networks import SymmetricFactorization
from symflow.solutions.derivation import Step
from symflow.solutions.family import sure
from symflow.solutions.numpy_form import Routine
from symflow.solutions.riccati.gram_steps import gram_at, one_step
from symflow.solutions.riccati.matrix_riccati import GramSolution


def symmetric_factorization(problem: Problem) -> Hypothesis:
    """Require the model W = UUᵀ."""
    network = problem.flow.network
    fits = isinstance(network, SymmetricFactorization)
    return structural("the model UUᵀ", fits, repr(network))


@final
class SymmetricRiccati(GramSolution):
    """The flow of W = UUᵀ on whitened input from any start; made by `solve`."""

    source: ClassVar = TARMOUN_2021
    contributes: ClassVar = "the Riccati equation; solved here"
    where: ClassVar = (
        "P = UUᵀ, Q₀ = U(0); E = e^{Ft}, Φ = ∫e^{2Fs}ds with F = Σ_yx + Σ_yxᵀ, less "
        "the weight decay; κ is 4 times that of Σ_xx = κI"
    )
    conditions: ClassVar = (decaying_loss, symmetric_factorization, isotropic)

    #: Two factors, which are the same: the one matrix moves itself from both sides.
    depth: ClassVar[int] = 2
    coupling: ClassVar[float] = 2.0

    def layers_of(self, stacked: Array) -> tuple[Array, ...]:
        return (stacked,)

    def product_of(self, side: Array) -> Array:
        return np.asarray(side @ side.mT)

    def _derived(self) -> tuple[Step, ...]:
        total, target, back = sympy.symbols("P S St", commutative=False)
        decay = self.problem.flow.loss.l2
        kappa = sympy.Symbol("kappa", positive=True)
        slope = 2 * kappa * total - target - back
        turned = -slope * total - total * slope - 2 * decay * total
        force = target + back - decay
        claimed = force * total + total * force
        gap = sympy.expand(turned - claimed + 4 * kappa * total**2)
        rate = sympy.Symbol("Pdot", commutative=False)
        equation = sympy.Eq(rate, claimed - 4 * kappa * total**2, evaluate=False)
        return (
            Step(
                "P = UUᵀ and U̇ = −(G + Gᵀ)U (− l2 U), G = κP − S, give", equation, gap
            ),
            *self._solved("with F = S + Sᵀ (less l2 I), and κ for 4κ,"),
        )

    def family(self) -> Routine:
        """Return the code for any start and any Σ_yx."""
        decay = float(weight_decay(self.problem.floats))
        eye = "xp.eye(sigma_yx.shape[0], dtype=sigma_yx.dtype)"
        return Routine(
            {"KAPPA": self.kappa},
            (one_step, gram_at, sure),
            (
                f"force = sigma_yx + sigma_yx.T - {decay!r} * {eye}",
                "gram, known = gram_at(xp, t, force, KAPPA, init[0])",
                "gram = sure(xp, gram, True, known)",
            ),
            {"end_to_end": "gram"},
            {"strengths": "modes that evolve apart are those of one target"},
            family="any Σ_yx and any start",
        )

    def code_of(self, side: str) -> tuple[str, str]:
        """Return W and U as code."""
        return f"{side} @ {side}.mT", f"{side} @ FRAME.T,"
