"""Conditions that many theorems share, each once, in its own words.

A numerical condition is measured in float64, and where that looks good again on the
numbers as they were given: in fractions where they are rational (a float is a binary
fraction), otherwise to `CHECK_DIGITS` digits.  A defect is relative to the mode in
which it occurs, never to the largest entry of something else.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.numbers import to_float
from symflow.algebra.rank import decide_rank
from symflow.claims.hypothesis import (
    ROUNDING,
    TOLERANCE,
    Hypothesis,
    structural,
    vanishing,
)
from symflow.claims.theorem import Condition
from symflow.data import Dataset
from symflow.flow import GradientFlow
from symflow.flow.coordinates import kind_of
from symflow.flow.decayed_modes import fates
from symflow.flow.least_squares import exact_least_norm, input_rank, with_fractions
from symflow.flow.one_sample import excitation, quadratic_forms, sample
from symflow.flow.problem import CHECK_DIGITS, Problem
from symflow.losses import SquaredLoss
from symflow.losses.margin import MarginLoss
from symflow.networks import TensorNetwork
from symflow.networks.groups import abelian_group

#: Part of the largest eigenvalue of a Gram matrix that counts as rounding: layers that
#: float64 made balanced are off by 1e-16 beside it, which must stay below `TOLERANCE`.
FLOOR = 1e-12

#: What an imbalance of fractions counts as that is too small for a float.
LEAST = 1e-300

#: Measures a relative defect, in whatever arithmetic the problem has.
Measure = Callable[[Problem], Any]


def squared_loss(flow: GradientFlow, *, decay: bool = False) -> Hypothesis:
    """Say whether the loss is the squared loss without weight decay.

    With `decay`, one rational weight decay of all layers is allowed.
    """
    squared, l2 = isinstance(flow.loss, SquaredLoss), flow.loss.l2
    if decay:
        words = "squared loss, one rational weight decay at most"
        return structural(words, squared and bool(l2.is_Rational), repr(flow.loss))
    words = "squared loss without weight decay"
    return structural(words, squared and l2 == 0, repr(flow.loss))


def same_pace(flow: GradientFlow) -> Hypothesis:
    """Say whether the loss alone moves the weights, all of them at one rate."""
    holds = not (any(flow.decays) or flow.learning_rates)
    detail = "" if holds else f"l2 = {flow.loss.l2}, rates {flow.learning_rates}"
    return structural("no weight decay, one learning rate", holds, detail)


def weight_decay(flow: GradientFlow) -> Hypothesis:
    """Say whether there is weight decay, one for all layers."""
    return structural("weight decay", flow.loss.l2 != 0, f"l2 = {flow.loss.l2}")


def decay_margin(problem: Problem) -> float:
    """Return l2 − C(‖θ(0)‖²/L)^{L/2−1}, rounded down, C the largest pull at W = 0.

    L factors of one product have ⟨Σ_yx, W⟩ ≤ C (‖θ‖²/L)^{L/2}: C is σ_1(Σ_yx) for dense
    layers, the largest |Σ_yx| for coordinates, and twice that for squares.
    """
    force = to_float_array(problem.floats.arguments[1])
    known = kind_of(problem.flow.network)
    top = np.abs(force).max() if known else np.linalg.norm(force, 2)
    depth = known[1] if known else len(problem.weights)
    size = sum(float((w**2).sum()) for w in problem.floats.weights) / depth
    pull = (1 + (known is not None and known[0] == "squares")) * top * (1 + FLOOR)
    l2 = float(problem.flow.loss.l2) * (1 - FLOOR)
    return float(l2 - pull * (size * (1 + FLOOR)) ** (depth / 2 - 1))


def decay_wins(problem: Problem) -> Hypothesis:
    """Say whether weight decay is stronger than any pull of the data."""
    words = "l2 > C(‖θ(0)‖²/L)^{L/2−1}"
    margin = decay_margin(problem)
    return Hypothesis(words, margin > 0, f"by {margin:.3g}")


def moving_alone(problem: Problem) -> Hypothesis:
    """Require that all modes of Σ_yx move alone."""
    found = fates(problem)
    count = len(found.modes) + found.together
    detail = f"{len(found.modes)} of {count}"
    defect = 0.0 if found.exact else TOLERANCE
    words = "Σ_xx, Σ_yx and the layers share the modes of Σ_yx"
    return Hypothesis(words, not found.together, detail, defect, found.exact)


def fates_known(problem: Problem) -> Hypothesis:
    """Require that it is known which modes survive, exactly where that may jump."""
    found = fates(problem)
    unknown = sum(end is None for end in found.ends)
    alive = sum(end is not None and end > 0 for end in found.ends)
    detail = f"{alive} of {len(found.ends)} survive"
    if unknown:
        detail = f"of {unknown} it is not: unbalanced, or at the edge"
    elif found.resting and not found.exact:
        detail += "; what rests at zero does so up to rounding"
    holds = not unknown and (found.exact or not found.resting)
    return Hypothesis("it is known which modes survive", holds, detail)


def products(flow: GradientFlow) -> Hypothesis:
    """Say whether W is made of products: dense layers, or coordinates of β."""
    network = flow.network
    dense = network.is_dense and network.depth >= 2
    known = not isinstance(network, TensorNetwork) and kind_of(network) is not None
    return structural(
        "dense layers or a diagonal network", dense or known, repr(network)
    )


def margin_loss(flow: GradientFlow) -> Hypothesis:
    """Say whether the loss is the exponential or the logistic one, alone."""
    plain = isinstance(flow.loss, MarginLoss) and flow.loss.l2 == 0
    words = "exponential or logistic loss without weight decay"
    return structural(words, plain, repr(flow.loss))


def dense_layers(
    flow: GradientFlow, depth: int | None = None, *, least: int | None = None
) -> Hypothesis:
    """Say whether all layers are dense: `least`, 2 or more, or as many as `depth`."""
    network = flow.network
    words = f"{least} or more dense layers" if (least or 0) > 1 else "dense layers"
    enough = network.depth >= (least or 2)
    if depth is not None:
        words = f"{depth} dense layer{'s' if depth > 1 else ''}"
        enough = network.depth == depth
    return structural(words, network.is_dense and enough, repr(network))


def on_flow(
    condition: Callable[..., Hypothesis], *arguments: Any, **options: Any
) -> Condition:
    """Return a condition on the flow alone as one on a problem."""
    return lambda problem: condition(problem.flow, *arguments, **options)


def whitened_input(problem: Problem) -> Hypothesis:
    """Say whether Σ_xx = I."""

    def measure(at: Problem) -> Any:
        sigma_xx = at.arguments[0]
        gap = sigma_xx - np.eye(len(sigma_xx), dtype=int)
        return abs(gap).max()

    return measured(problem, "whitened input, Σ_xx = I", "max|Σ_xx − I|", measure)


def balanced_start(problem: Problem) -> Hypothesis:
    """Say whether W_{l+1}ᵀW_{l+1} = W_lW_lᵀ for every layer at the start."""

    def measure(at: Problem) -> Any:
        found = [imbalance_defect(*pair) for pair in pairwise(at.weights)]
        # a rule is drawn to some digits: fractions of them are rounded all the same
        drawn = problem.given_weights is None
        return max(map(float, found) if drawn else found, default=0)

    said = "max|xᵀΔ_l x| / xᵀ(W_l₊₁ᵀW_l₊₁ + W_lW_lᵀ)x"
    return measured(problem, "balanced initialization", said, measure)


def quadratic_model(problem: Problem) -> Hypothesis:
    """Say whether the model is quadratic in its weights, with one output."""
    words = "two layers or another quadratic model of one output, not large"
    found = quadratic_forms(problem) is not None
    return structural(words, found, repr(problem.flow.network))


def single_sample(problem: Problem) -> Hypothesis:
    """Say whether the data are those of one sample, which is not zero."""
    words, exactly = "one sample, which is not zero", problem.given_exactly
    if not isinstance(problem.flow.loss, SquaredLoss | MarginLoss):
        return structural(words, False, repr(problem.flow.loss))
    rational = problem.rational is not None
    x, _, gap = sample(problem.rational or problem.at(CHECK_DIGITS))
    if not any(x):
        return Hypothesis(words, False, "x = 0", structural=True)
    found = vanishing(words, gap, "beside it", given_exactly=exactly or rational)
    return replace(found, structural=True)


def excited_sample(problem: Problem) -> Hypothesis:
    """Say whether the start excites what leads f to where the force on it is zero."""
    words = "the start excites a direction that leads to the target"
    _, pull, _ = sample(problem.rational or problem.at(CHECK_DIGITS))
    found = excitation(problem, CHECK_DIGITS)
    falls, grows = (any(s * found.theta[found.moving] > 0) for s in (-1, 1))
    goal = pull[0] if pull else 1
    leads = (falls or goal >= 0) and (grows or goal <= 0) and (falls or grows)
    detail = f"least excited part {found.visible:.2g} of the start"
    if not found.decided:
        detail += "; it is not known which are excited"
    # the limit jumps where nothing is excited: floats have to stand out of rounding
    seen = problem.given_exactly or not 0 < found.visible <= ROUNDING
    detail += "" if seen else ", which is rounding"
    holds = leads and found.decided and seen
    return Hypothesis(words, holds, detail, exact=found.sure and seen)


def known_rank(problem: Problem) -> Hypothesis:
    """Say what the rank of Σ_xx is, and whether that is certain.

    Floats up to rounding will do for moments, which may not even be those of any data.
    Samples are what they are: a direction that float64 does not see still holds a part
    of the loss, whatever its size.
    """
    rank = input_rank(problem)
    words = "the rank of Σ_xx is known, and not zero"
    holds, detail, exact = rank.value > 0 and rank.is_clear, str(rank), rank.exact
    exactly = with_fractions(problem)
    if exact and exactly is not None and exact_least_norm(exactly) is None:
        holds, exact = holds and not problem.given_exactly, False
        detail += "; Σ_yx is not in the range of Σ_xx"
    if not exact and exactly is not None and isinstance(problem.source, Dataset):
        given = decide_rank(exactly.arguments[0])
        holds, detail = (
            holds and given.value == rank.value,
            f"{detail}; as given {given}",
        )
    defect = 0.0 if exact else rank.dropped
    return Hypothesis(words, holds, detail, defect, exact, structural=True)


def wide_layers(problem: Problem) -> Hypothesis:
    """Say whether hidden layers are as wide as the rank of Σ_xx, or as the output."""
    needed = min(input_rank(problem).value, problem.widths[-1])
    hidden = problem.widths[1:-1]
    detail = f"hidden widths {', '.join(map(str, hidden))}"
    words = f"hidden widths of at least {needed}"
    return Hypothesis(words, all(width >= needed for width in hidden), detail)


def measured(problem: Problem, words: str, said: str, measure: Measure) -> Hypothesis:
    """Require that a relative defect vanishes, measured as sharply as is needed.

    The condition is in `words`, and what has to vanish is `said`; `measure` returns it
    in the arithmetic of the problem that it is given.
    """
    size: Any = to_float(measure(problem.floats))
    if size <= 1e3 * TOLERANCE and problem.is_small:
        size = measure(problem.sharp)
    return vanishing(words, size, said, given_exactly=problem.given_exactly)


def full_filters(
    problem: Problem, least: int = 2, most: int | None = None
) -> Hypothesis:
    """Require convolutions with filters as long as the input, of some number."""
    network, depth = problem.flow.network, problem.flow.network.depth
    full = abelian_group(network) is not None and least <= depth <= (most or depth)
    count = "two " if most == 2 else "three or more " if least == 3 else ""
    return structural(f"{count}convolutions with full filters", full, repr(network))


def imbalances(weights: tuple[Array, ...]) -> list[Array]:
    """Return Δ_l = W_{l+1}ᵀW_{l+1} − W_lW_lᵀ for every adjacent pair."""
    return [after.T @ after - before @ before.T for before, after in pairwise(weights)]


def imbalance_defect(before: Array, after: Array) -> float | Fraction:
    """Return the largest |xᵀΔx| / xᵀGx, Δ and G difference and sum of the Grams.

    In float64 rounding hides the small modes, and what is returned is max|Δ| / max|G|.

    The layers have shapes (h, d) and (m, h), in any arithmetic.  The answer is between
    0 and 1, and exactly 0 only where Δ = 0 was found in that arithmetic.
    """
    out, back = after.T @ after, before @ before.T
    gap, total = out - back, out + back
    if not any(entry != 0 for entry in gap.flat):
        return 0.0
    size = max(abs(entry) for entry in total.flat)
    if gap.dtype != object:
        return float(np.max(np.abs(gap)) / size)
    values, vectors = np.linalg.eigh(to_float_array(total / size))
    scale = np.sqrt(np.maximum(values, 0.0) + FLOOR * max(values[-1], FLOOR))
    inner = vectors.T @ to_float_array(gap / size) @ vectors / np.outer(scale, scale)
    defect = min(float(np.max(np.abs(np.linalg.eigvalsh(inner)))), 1.0)
    # of fractions it is no rounding, however small it is beside the floor
    known = isinstance(size, int | Fraction)
    return Fraction(max(defect, LEAST)) if known else defect


#: The conditions of what is said of one layer with weight decay.
RIDGE: tuple[Condition, ...] = (
    on_flow(squared_loss, decay=True),
    on_flow(weight_decay),
    on_flow(dense_layers, 1),
)

#: … of what is said where weight decay is stronger than the data.
STRONG_DECAY: tuple[Condition, ...] = (
    on_flow(squared_loss, decay=True),
    on_flow(weight_decay),
    on_flow(products),
    decay_wins,
)

#: … and of what is said where its modes move alone, however strong it is.
DECAYED_MODES: tuple[Condition, ...] = (*STRONG_DECAY[:-1], moving_alone, fates_known)
