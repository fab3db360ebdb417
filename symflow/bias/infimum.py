"""When the flow of dense layers with the squared loss ends at a global minimum.

It converges to a stationary point from every start (Bah, Rauhut, Terstiege and
Westdickenberg 2022), and the loss falls strictly before.  In a stationary point the
misfit E = Ŷ − W̃ of W̃ = WΦΛ^{1/2} has W̃ᵀE = 0, by the first layer, and EW̃ᵀ = 0, by the
last one: Ŷ = W̃ + E splits into parts without common singular vectors, ‖E‖² is a sum of
some of the σ_k(Ŷ)², and

    ℓ − ℓ* = 0    or    ℓ − ℓ* ≥ ½σ²,     σ the smallest positive singular value of Ŷ.

Hence a start that is not stationary, with ℓ − ℓ* ≤ ½σ², ends at a minimizer.  For one
output ½σ² is the excess of W = 0.  For two layers an imbalance of level Δ > 0 suffices
as well (`flow/imbalance.py`): the loss then falls as e^{−2λ_rΔt} at least (Min et al.
2021).
"""

from __future__ import annotations

from functools import reduce
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array, is_exact_array, to_float_array, to_mpf_array
from symflow.algebra.numbers import context_of, to_float
from symflow.algebra.rank import decide_rank
from symflow.bias.minimizers import Minimizers, is_drawn, product, start_weights, times
from symflow.bias.stuck_modes import stuck_modes
from symflow.claims import Hypothesis, Identity
from symflow.claims.hypothesis import ROUNDING, UNSEEN
from symflow.flow.imbalance import positive_part
from symflow.flow.problem import Problem

#: Digits and rows in which eigenvalues of fractions are computed, what they may be off
#: relative to the largest, and what those of floats may be off per row.
DIGITS, MOST_ROWS, DOUBT, NOISE = 60, 24, 1e-30, 4e-16

#: The part by which float64 has to be below a saddle.
MARGIN = 1e-6


def moves(problem: Problem, found: Minimizers) -> Hypothesis:
    """Say whether the start is a minimizer, or not stationary."""
    weights = start_weights(problem, found)
    sigma_xx, best = found.moments[0], found.least_norm
    force = times(best - product(weights), sigma_xx)
    words = "the start is not stationary, or a minimizer"
    if not np.any(force):
        return Hypothesis(words, True, "a minimizer")
    size = 0.0
    for layer in range(len(weights)):
        factors = [
            *(weight.T for weight in weights[layer + 1 :]),
            force,
            *(weight.T for weight in weights[:layer]),
        ]
        top = max(abs(entry) for entry in reduce(times, factors).flat)
        if top:
            terms = reduce(np.dot, [abs(factor) for factor in factors])
            size = max(size, to_float(top / max(terms.flat)))
    noise = ROUNDING
    if problem.given_exactly and weights[0].dtype == object:
        noise = UNSEEN if is_drawn(problem) else 0.0
    detail = "stationary" if size <= noise else ""
    return Hypothesis(words, size > noise, detail, exact=size > noise or noise == 0)


def ends_at_a_minimum(problem: Problem, found: Minimizers) -> Hypothesis:
    """Say whether the loss is proved to converge to its infimum, once it moves.

    It fails where a saddle is certain, and is assumed where nothing is proved.
    """
    start = product(start_weights(problem, found))
    gap, (lowest, sure) = found.excess(start), lowest_saddle(problem, found)
    words = "the loss converges to its infimum, not to a saddle"
    seen = f"ℓ − ℓ* = {to_float(gap):.3g}"
    if len(problem.weights) == 2 and imbalance_level(problem, found) > 0:
        return Hypothesis(words, True, "two layers with an imbalance of positive level")
    if lowest is None or gap * (1 if found.exact else 1 + MARGIN) <= lowest:
        return Hypothesis(words, True, f"{seen} is below all saddles", exact=sure)
    if stuck_modes(problem, found):
        exact = problem.given_exactly and not is_drawn(problem)
        detail = "a mode that moves alone is opposite to the target, or at rest"
        detail += "" if exact else ", up to rounding"
        return Hypothesis(words, False, detail, exact=exact)
    detail = f"{seen} is not below all saddles, {to_float(lowest):.3g}"
    return Hypothesis(words, True, detail, exact=False, assumed=True)


def lowest_saddle(problem: Problem, found: Minimizers) -> tuple[Any, bool]:
    """Return a lower bound on the excess of saddles, ½σ²; None where there are none.

    Also whether it is exact: of floats, singular values that are rounding do not count.
    """
    square = times(times(found.least_norm, found.moments[0]), found.least_norm.T)
    rank = decide_rank(as_given(problem, square))
    if rank.value == 0:
        return None, rank.exact
    if square.size == 1:
        return square[0, 0] / 2, True
    values, noise = eigenvalues(square)
    doubt = noise if found.exact else MARGIN * values[0]
    return max(values[rank.value - 1] - doubt, 0.0) / 2, rank.exact


def as_given(problem: Problem, matrix: Array) -> Array:
    """Return what was computed from the data in floats, unless those are exact."""
    exact = all(map(is_exact_array, problem.arguments))
    return matrix if exact else to_float_array(matrix)


def imbalance_level(problem: Problem, found: Minimizers) -> float:
    """Return a lower bound on Δ = [λ_r(D)]₊ + [λ_m(−D)]₊, D = W_1PW_1ᵀ − W_2ᵀW_2."""
    first, second = start_weights(problem, found)
    seen = first - found.off(first)
    inner, outer = times(seen, seen.T), times(second.T, second)
    falling, noise = eigenvalues(inner - outer)
    if not (problem.given_exactly and found.exact) or is_drawn(problem):
        # what is balanced up to rounding has no level
        noise = max(noise, ROUNDING * to_float(np.trace(inner) + np.trace(outer)))
    kth = positive_part(falling - noise, found.rank.value) if found.rank.value else 0.0
    return kth + positive_part(-falling[::-1] - noise, len(second))


def eigenvalues(matrix: Array) -> tuple[Array, float]:
    """Return the falling eigenvalues of a symmetric matrix, and their error."""
    rough = to_float_array(matrix)
    if matrix.dtype != object or len(matrix) > MOST_ROWS:
        noise = NOISE * len(matrix) * float(np.linalg.norm(rough))
        return np.linalg.eigvalsh(rough)[::-1], noise
    context = context_of(DIGITS)
    fine = context.matrix(to_mpf_array(matrix, context).tolist())
    found = sorted(context.eigsy(fine, eigvals_only=True), reverse=True)
    small = DOUBT * max(abs(found[0]), abs(found[-1]))
    values = [float(value) if abs(value) > small else 0.0 for value in found]
    return np.array(values), np.finfo(float).eps * max(map(abs, values))


def infimum_proof() -> tuple[Identity, ...]:
    """Return the identities behind the height of saddles."""
    A, B, E, Y = sympy.symbols("A1 B1 E Yhat", commutative=False)
    first = "W̃ᵀE = W̃_1ᵀ(A_1ᵀE) for W̃ = A_1W̃_1: zero where the first layer is at rest"
    second = "EW̃ᵀ = (EB_Lᵀ)W_Lᵀ for W̃ = W_LB_L: zero where the last layer is at rest"
    along = sympy.adjoint(B) * sympy.adjoint(A) * E
    across = E * sympy.adjoint(B) * sympy.adjoint(A)
    W = Y - E
    square = sympy.expand(
        sympy.adjoint(Y) * Y
        - sympy.adjoint(W) * W
        - sympy.adjoint(E) * E
        - sympy.adjoint(W) * E
        - sympy.adjoint(E) * W
    )
    return (
        Identity(first, along - sympy.adjoint(A * B) * E),
        Identity(second, across - E * sympy.adjoint(A * B)),
        Identity("ŶᵀŶ = W̃ᵀW̃ + EᵀE where both vanish", square),
    )
