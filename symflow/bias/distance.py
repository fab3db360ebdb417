"""Two layers: how far from the minimizer of least norm a flow can end.

The parts x = W_2W_1P⊥ and y = ΦᵀW_1ᵀW_1P⊥ that keep a flow off the row space of X (see
`bias/least_norm.py`) drive each other through the misfit E, ẋ = EᵀΛ^{1/2}y and ẏ =
Λ^{1/2}Ex up to transposes.  With an imbalance of level Δ > 0 (`flow/imbalance.py`) ‖E‖
falls at least as e^{−λ_rΔt}, so that ∫√λ_1‖E‖ ≤ κ = √λ_1‖E(0)‖_F/(λ_rΔ) and

    ‖W(t)P⊥‖_F ≤ cosh(κ)‖x(0)‖_F + sinh(κ)‖y(0)‖_F        for all t.

Min, Tarmoun, Vidal, Mallada (2021) use e^κ of the two together.  For entries that are
independent N(0, h^{−2α}), ¼ < α ≤ ½, both parts are small in a wide network: with
probability 1 − δ, and for h beyond a polynomial in the sizes that is not made
explicit,

    ‖W(∞) − Σ_yxΣ_xx⁺‖ ≤ 2 C^{1/h^{1−2α}} √(m+r) (√(m+d) + ½ ln(2/δ)) / h^{2α−1/2},
    C = exp(1 + √λ_1 ‖Ŷ‖_F/λ_r).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cosh, exp, log, sinh, sqrt
from typing import Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.bias.least_norm import off_parts
from symflow.claims import Bound, Hypothesis, Path, Refusal, Theorem, all_hold
from symflow.claims.bibliography import MIN_2021
from symflow.claims.conditions import dense_layers, squared_loss
from symflow.errors import InvalidArgument
from symflow.flow.imbalance import imbalance_levels
from symflow.flow.least_squares import LeastSquares, least_squares
from symflow.flow.problem import Problem

#: The exponent κ above which the bound says nothing in float64.
LARGEST_EXPONENT = 300.0

#: Bounds are rounded up by this part.
ROUNDED_UP = 1e-12


@dataclass(frozen=True, eq=False, repr=False)
class DistanceBound(Bound, Theorem):
    """The flow stays, and ends, within a computed distance of the row space of X.

    Parameters
    ----------
    distance : float
        The bound on ‖W(t)P⊥‖_F at all times, hence on ‖W(∞) − Σ_yxΣ_xx⁺‖_F.
    """

    distance: float

    source = MIN_2021

    @classmethod
    def attempt(cls, problem: Problem) -> Self | Refusal:
        """Return the bound, or the hypotheses that fail."""
        found = [squared_loss(problem.flow), dense_layers(problem.flow, 2)]
        if all_hold(found):
            exponent = _exponent(problem)
            words = "the imbalance brings E to zero before it carries W away"
            detail = f"κ = {exponent:.3g}"
            found.append(Hypothesis(words, exponent < LARGEST_EXPONENT, detail))
            if found[-1].holds:
                across, inside = off_parts(problem, least_squares(problem))
                distance = cosh(exponent) * across + sinh(exponent) * inside
                return cls(problem, tuple(found), distance * (1 + ROUNDED_UP))
        return cls.refuse(found)

    @property
    def statement(self) -> sympy.Basic:
        """‖W(t)P⊥‖_F ≤ a number."""
        t = sympy.Symbol("t", nonnegative=True)
        off = sympy.Function("off")(t)
        return sympy.Le(off, sympy.Float(self.distance, 6), evaluate=False)

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return ‖W(t)P⊥‖²_F and the square of the bound."""
        fine = least_squares(self.problem, path.context)
        off = (fine.off(path.end_to_end) ** 2).sum(axis=(-2, -1))
        bound = path.number(self.distance) ** 2
        return off, np.asarray([bound for _ in path.t])


def width_bound(
    reduction: LeastSquares, width: int, exponent: float, *, risk: float = 0.1
) -> float:
    """Return the asymptotic bound on ‖W(∞) − Σ_yxΣ_xx⁺‖ for a wide random start.

    Parameters
    ----------
    reduction : LeastSquares
        The least-squares problem.
    width : int
        The hidden width h.
    exponent : float
        α: the weights are independent N(0, h^(−2α)).
    risk : float, keyword-only
        δ, the probability with which the bound may fail.

    Returns
    -------
    float
        It holds for h beyond a polynomial in the sizes and 1/δ, raised to 1/(4α − 1),
        that the theorem leaves open; `DistanceBound` holds for a given start.

    Raises
    ------
    InvalidArgument
        If α is not in (1/4, 1/2], or the risk not in (0, 1).

    Examples
    --------
    >>> one = np.ones((1, 1))
    >>> problem = LeastSquares(np.ones(1), one, one)
    >>> round(width_bound(problem, 10_000, 0.5), 4)
    0.6086
    """
    if not (0.25 < exponent <= 0.5 and 0 < risk < 1):
        msg = (
            "width_bound(exponent, risk): needs 1/4 < exponent ≤ 1/2 and 0 < risk < 1; "
            f"got {exponent} and {risk}"
        )
        raise InvalidArgument(msg)
    m, d, r = len(reduction.target), len(reduction.frame), reduction.rank
    largest, smallest = (float(reduction.eigenvalues[k]) for k in (0, -1))
    size = float(np.linalg.norm(reduction.target))
    growth = exp((1 + sqrt(largest) * size / smallest) / width ** (1 - 2 * exponent))
    spread = sqrt(m + d) + log(2 / risk) / 2
    return 2 * growth * sqrt(m + r) * spread * exp((0.5 - 2 * exponent) * log(width))


def _exponent(problem: Problem) -> float:
    """Return κ = √λ_1‖E(0)‖_F/(λ_rΔ)."""
    reduction = least_squares(problem)
    first, second = reduction.reduced(problem.floats.weights)
    difference = first @ first.T - second.T @ second
    level = imbalance_levels(difference, reduction.rank, len(second)).level
    start = problem.floats.weights[1] @ problem.floats.weights[0]
    misfit = float(np.linalg.norm(reduction.misfit(start)))
    pull = float(reduction.eigenvalues[-1]) * level
    strength = sqrt(float(reduction.eigenvalues[0])) * misfit
    return strength / pull if pull > 0 else float("inf")
