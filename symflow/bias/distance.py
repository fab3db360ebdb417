"""Two layers: how far from the minimizer of least norm a flow can end.

The parts x = W_2W_1P⊥ and y = ΦᵀW_1ᵀW_1P⊥ that keep a flow off the row space of X (see
`bias/least_norm.py`) drive each other through the misfit E, ẋ = EᵀΛ^{1/2}y and ẏ =
Λ^{1/2}Ex up to transposes.  With an imbalance of level Δ > 0 (`flow/imbalance.py`) ‖E‖
falls at least as e^{−λ_rΔt}, so that ∫√λ_1‖E‖ ≤ κ = √λ_1‖E(0)‖_F/(λ_rΔ) and

    ‖W(t)P⊥‖_F ≤ cosh(κ)‖x(0)‖_F + sinh(κ)‖y(0)‖_F        for all t.

The constants are rounded outward: fractions through 40 digits, floats by what rounding
does to eigenvalues.  Min, Tarmoun, Vidal, Mallada (2021) use e^κ of the two together.
For entries that are independent N(0, h^{−2α}), ¼ < α ≤ ½, both parts are small in a
wide network: with probability 1 − δ, and for h beyond a polynomial in the sizes that is
not made explicit,

    ‖W(∞) − Σ_yxΣ_xx⁺‖ ≤ 2 C^{1/h^{1−2α}} √(m+r) (√(m+d) + ½ ln(2/δ)) / h^{2α−1/2},
    C = exp(1 + √λ_1 ‖Ŷ‖_F/λ_r).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal
from math import cosh, exp, log, sinh, sqrt
from typing import Any, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.balls import to_arb, to_arb_array
from symflow.algebra.numbers import to_float
from symflow.bias.infimum import eigenvalues, imbalance_level
from symflow.bias.least_norm import off_parts, row_space_proof
from symflow.bias.minimizers import Minimizers, minimizers, product, start_weights
from symflow.bias.reference_problems import GENERIC, one_sample
from symflow.claims import (
    Bound,
    Finding,
    Hypothesis,
    Identity,
    Path,
    Refusal,
    Theorem,
    all_hold,
    random_problems,
)
from symflow.claims.bibliography import MIN_2021
from symflow.claims.conditions import dense_layers, on_flow, squared_loss
from symflow.claims.example import Examples, RandomExamples, scaled
from symflow.errors import InvalidArgument
from symflow.flow.least_squares import LeastSquares
from symflow.flow.problem import Problem

#: The exponent κ above which the bound says nothing in float64.
LARGEST_EXPONENT = 300.0

#: Bounds are rounded up by this part.
ROUNDED_UP = 1e-12


@dataclass(frozen=True, eq=False, repr=False)
class DistanceClaim(Bound, Theorem):
    """A bound on how far a flow gets from the row space of X."""

    where = "P is the projection off the row space of X"

    #: The bound on ‖W(t)P⊥‖_F at all times, hence on ‖W(∞) − Σ_yxΣ_xx⁺‖_F.
    distance: float

    @property
    def statement(self) -> sympy.Basic:
        """‖W(t)P⊥‖_F is at most a number, rounded up."""
        d, m = self.problem.widths[0], self.problem.widths[-1]
        off = sympy.MatrixSymbol("W", m, d) * sympy.MatrixSymbol("P", d, d)
        upward = Context(prec=6, rounding=ROUND_CEILING)
        number = sympy.Float(str(upward.create_decimal(Decimal(self.distance))), 6)
        return sympy.Le(sympy.sqrt(sympy.Trace(off * off.T)), number, evaluate=False)

    def finding(self, balls: Any, index: int) -> Finding | str:
        """Return the square of the bound minus ‖W(t)P⊥‖²_F in balls."""
        best, W = minimizers(self.problem), balls.product_balls(index)
        if not best.exact:
            return "the row space is known in float64 only"
        rest = W - W @ to_arb_array(best.seen)
        room = to_arb(self.distance) ** 2 - (rest * rest).sum()
        return Finding(np.array([room], dtype=object), inequality=True)

    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return ‖W(t)P⊥‖²_F and the square of the bound."""
        rest = minimizers(self.problem).off(path.end_to_end, path)
        bound = path.number(self.distance) ** 2
        off = (rest**2).sum(axis=(-2, -1))
        return off, np.asarray([bound for _ in path.t])


class DistanceBound(DistanceClaim):
    """The flow stays, and ends, within a computed distance of the row space of X."""

    source = MIN_2021
    contributes = "the linear system and the exponent; cosh and sinh derived here"
    conditions = (on_flow(squared_loss), on_flow(dense_layers, 2))

    @classmethod
    def conclude(cls, problem: Problem, found: Sequence[Hypothesis]) -> Self | Refusal:
        """Return the bound where the imbalance switches the misfit off."""
        best = minimizers(problem)
        rows = [*found, *best.hypotheses]
        if not all_hold(rows):
            return cls.refuse(rows)
        exponent = _exponent(problem, best)
        words = "the imbalance brings E to zero before it carries W away"
        rows.append(
            Hypothesis(words, exponent < LARGEST_EXPONENT, f"κ ≤ {exponent:.3g}")
        )
        if not rows[-1].holds:
            return cls.refuse(rows)
        _, *parts = off_parts(problem, best)
        across, inside = (float(np.linalg.norm(to_float_array(x))) for x in parts)
        if not best.exact or parts[0].dtype != object:
            sizes = [float(np.sum(w**2)) for w in problem.floats.weights]
            across += ROUNDED_UP * sqrt(sizes[0] * sizes[1])
            inside += ROUNDED_UP * sizes[0]
        distance = cosh(exponent) * across + sinh(exponent) * inside
        return cls(problem, tuple(rows), distance * (1 + ROUNDED_UP))

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return the linear system, and that cosh and sinh solve its bound."""
        k, x, y = sympy.symbols("k x y", nonnegative=True)
        u = sympy.cosh(k) * x + sympy.sinh(k) * y
        v = sympy.sinh(k) * x + sympy.cosh(k) * y
        return (
            *row_space_proof(),
            Identity("du/dκ = v: ‖x‖ ≤ u where ‖x‖′ ≤ ‖y‖", sympy.diff(u, k) - v),
            Identity("dv/dκ = u: ‖y‖ ≤ v where ‖y‖′ ≤ ‖x‖", sympy.diff(v, k) - u),
        )

    @classmethod
    def examples(cls) -> Examples:
        """Return one sample of three inputs, and random data with too few samples."""
        draw, closer = random_problems.underdetermined(5, 9, 1), scaled(distance=1e-3)
        return (
            one_sample("min-distance", *GENERIC, false=closer),
            RandomExamples("many-distance", draw, closer),
        )


def width_bound(
    reduction: LeastSquares, width: int, exponent: float, *, risk: float = 0.1
) -> float:
    """Return the asymptotic bound on ‖W(∞) − Σ_yxΣ_xx⁺‖ for a wide random start.

    The weights of h hidden units are independent N(0, h^(−2α)), with the `exponent` α
    in (1/4, 1/2]; the bound may fail with probability `risk`. It holds for h beyond a
    polynomial in the sizes and 1/δ, raised to 1/(4α − 1), that the theorem leaves open;
    `DistanceBound` holds for a given start.
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


def _exponent(problem: Problem, best: Minimizers) -> float:
    """Return an upper bound on κ = √λ_1‖E(0)‖_F/(λ_rΔ)."""
    excess = to_float(best.excess(product(start_weights(problem, best))))
    if excess <= 0 or best.rank.value == 0:
        return 0.0 if best.exact else float("inf")
    values, noise = eigenvalues(best.moments[0])
    strength = sqrt(2 * (values[0] + noise) * excess) * (1 + ROUNDED_UP)
    smallest = values[best.rank.value - 1] - noise
    pull = smallest * imbalance_level(problem, best) * (1 - ROUNDED_UP)
    return strength / pull if pull > 0 else float("inf")
