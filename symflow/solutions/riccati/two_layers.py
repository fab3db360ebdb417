"""Two layers, whitened input, λ-balanced start: a matrix Riccati equation, any widths.

Fukumizu (1998) for λ = 0, Braun et al. (2022), Dominé et al. (2025).  With Σ_xx = κI,
S = Σ_yx, W_2ᵀW_2 − W_1W_1ᵀ = λI (which is conserved), Q = [W_1ᵀ; W_2] and

    F = [[−κλ/2 I, Sᵀ], [S, κλ/2 I]],      Q̇ = FQ − ½κ QQᵀQ,

the matrix P = QQᵀ, whose lower left block is W = W_2W_1, solves Ṗ = FP + PF − κP² (see
`matrix_riccati`).  Nothing is divided by the data: S, F and W may be singular.
A weight decay takes l2 I from F; the imbalance then decays, so that λ has to be zero.
The weights themselves are Q = Y O with P = YYᵀ and a rotation O of the hidden units
(see `hidden_rotation`); for one hidden unit λ is any number and O = 1.
"""

from __future__ import annotations

from typing import ClassVar, final

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import to_float
from symflow.algebra.products import matmul
from symflow.algebra.threads import cached_property
from symflow.claims.bibliography import DOMINE_2025
from symflow.claims.conditions import dense_layers, on_flow
from symflow.claims.whitened import decaying_loss, isotropic, lasting_balance
from symflow.flow.riccati import homogeneity, weight_decay
from symflow.solutions.derivation import Step
from symflow.solutions.family import gram_family
from symflow.solutions.numpy_form import Routine
from symflow.solutions.riccati.matrix_riccati import GramSolution
from symflow.solutions.riccati.proof import layers_gap


@final
class Riccati(GramSolution):
    """The two-layer flow on whitened input from a λ-balanced start; made by `solve`."""

    source: ClassVar = DOMINE_2025
    contributes: ClassVar = "the solution; in a form that is stable at late times here"
    where: ClassVar = (
        "P = QQᵀ with Q = [W₁ᵀ; W₂], Q₀ at the start, holds W below its diagonal; E "
        "= e^{Ft}, Φ = ∫e^{2Fs}ds with F = [[−κλ/2, Σ_yxᵀ], [Σ_yx, κλ/2]], less the "
        "weight decay; Σ_xx = κI, W₂ᵀW₂ − W₁W₁ᵀ = λI"
    )
    conditions: ClassVar = (
        decaying_loss,
        on_flow(dense_layers, 2),
        isotropic,
        lasting_balance,
    )

    @cached_property
    def lam(self) -> float:
        """The λ of the start."""
        return to_float(homogeneity(self.checkable))

    def layers_of(self, stacked: Array) -> tuple[Array, ...]:
        cut = self.problem.widths[0]
        return stacked[..., :cut, :].mT, stacked[..., cut:, :]

    def product_of(self, side: Array) -> Array:
        cut = self.problem.widths[0]
        return matmul(side[..., cut:, :], side[..., :cut, :].mT)

    def _derived(self) -> tuple[Step, ...]:
        why = "QᵀQ = 2W₂ᵀW₂ − λI = 2W₁W₁ᵀ + λI gives Q̇ = FQ − ½κQQᵀQ, so"
        if decay := self.problem.flow.loss.l2:
            why = "QᵀQ = 2W₂ᵀW₂ = 2W₁W₁ᵀ and l2 I less in F give it as well, so"
        return self._solved(why, layers_gap(decay))

    def family(self) -> Routine:
        decay = float(weight_decay(self.problem.floats))
        return gram_family(self.kappa, decay, self.problem.widths[0])

    def code_of(self, side: str) -> tuple[str, str]:
        """Return W and W_1, W_2 as code."""
        cut = self.problem.widths[0]
        before, after = f"{side}[..., :{cut}, :]", f"{side}[..., {cut}:, :]"
        first = f"FRAME @ {before}.mT"
        return f"{after} @ {before}.mT", f"{first}, {after} @ FRAME.T"
