"""Where weight decay leads modes that move alone: they survive or die.

Squared loss, one weight decay l2 > 0 for all layers.  In a mode (σ, λ) whose amplitudes
have equal size, w = ∏a ≥ 0, the objective is

    φ(w) = ½λw² − σw + ½L l2 w^{2/L},      ẇ = −L w^{2−2/L} φ′(w),

and φ′ < 0 where (σ − λw)^L w^{L−2} > l2^L and λw < σ.  The left side has one peak, at
w_m = σ(L−2)/(λ(2L−2)): a mode survives where it starts in that region or beyond w_m
and the peak is above l2^L, and tends to the largest root; all others die.  Two layers:
(a_1 + a_2)˙ = (σ − l2 − λa_1a_2)(a_1 + a_2) whatever the sizes are, so that a mode with
σ > l2 survives unless a_1 + a_2 = 0.  What no mode of the target moves dies:
½(‖θ‖²)˙ = −l2‖θ‖² − L tr(WΣ_xxWᵀ) there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import as_fraction, context_of, to_float, to_mpf
from symflow.flow.coordinates import coordinates, kind_of
from symflow.flow.lone_modes import (
    DIGITS,
    MOST_DIGITS,
    MOST_INPUTS,
    LoneMode,
    digits_for,
    lone_modes,
)
from symflow.flow.problem import Problem
from symflow.flow.start import start_matrix
from symflow.networks import TensorNetwork

#: Relative size of what is rounding in modes of floats.
ROUNDED = 1e-9


@dataclass(frozen=True, eq=False)
class Fates:
    """The modes of Σ_yx and where they end; made by `fates`."""

    modes: tuple[LoneMode, ...]  #: Those that move alone.
    together: int  #: How many do not.
    #: The strength w(∞) of each mode: zero where it dies, None where that is not known.
    ends: tuple[Any, ...]
    exact: bool  #: Whether all numbers were given exactly.
    noise: float  #: What counts as zero in the modes, relative.
    l2: Any  #: The weight decay, in the arithmetic of the modes.

    @property
    def depth(self) -> int:
        """The number L of layers."""
        return len(self.modes[0].amplitudes) if self.modes else 2

    @property
    def resting(self) -> int:
        """How many modes stay at zero though a start beside theirs survives: L = 2."""
        pairs = zip(self.modes, self.ends, strict=True)
        return sum(
            end == 0 and mode.target > self.l2 * (1 + self.noise)
            for mode, end in pairs
            if self.depth == 2
        )

    def limit(self, shape: tuple[int, ...], lift: Any) -> Array:
        """Return W(∞) = Σ w(∞) u vᵀ in the arithmetic of `lift`."""
        total = lift(np.zeros(shape))
        for mode, end in zip(self.modes, self.ends, strict=True):
            total = total + lift(end * np.multiply.outer(mode.left, mode.right))
        return np.asarray(total)

    @property
    def objective(self) -> Any:
        """The objective at the limit, less that at zero: the sum of the φ(w(∞))."""
        L, l2, total = self.depth, self.l2, 0 * self.l2
        for m, w in zip(self.modes, self.ends, strict=True):
            total += (m.lam * w / 2 - m.target) * w + L * l2 * w ** (
                2 * l2 / l2 / L
            ) / 2
        return total


def excess_along(problem: Problem, path: Any) -> Array:
    """Return J − J* at every time of a path, or at the start in float64 without one.

    J = ½tr(WΣ_xxWᵀ) − tr(Σ_yxWᵀ) + ½l2‖θ‖² is the loss with its decay, J* its limit.
    """
    floats, found = problem.floats, fates(problem)
    layers: Any = [floats.weights]
    products: Any = [start_matrix(floats)]
    arrays, number = floats.arguments, to_float
    if path is not None:
        layers, products = zip(*path.weights, strict=True), path.end_to_end
        arrays = tuple(map(path.lift, problem.exact_arguments))
        number = path.number
    (sigma_xx, sigma_yx), l2 = arrays, number(problem.flow.loss.l2)
    least, values = number(found.objective), []
    for each, W in zip(layers, products, strict=True):
        fit = ((W @ sigma_xx / 2 - sigma_yx) * W).sum()
        values.append(fit + l2 * sum((w * w).sum() for w in each) / 2 - least)
    return np.asarray(values)


def fates(problem: Problem) -> Fates:
    """Return the modes of a problem with weight decay, found once.

    It has dense layers, or is a diagonal network.
    """
    return problem.remembered("decayed modes", lambda: _found(problem))


def _found(problem: Problem) -> Fates:
    fine = problem.is_small and problem.widths[0] <= MOST_INPUTS
    at = problem.sharp if fine else problem.floats
    arrays = (*at.arguments, *at.weights)
    known = fine and all(as_fraction(x) is not None for a in arrays for x in a.flat)
    digits = digits_for(arrays) if known and problem.given_exactly else DIGITS
    context = context_of(digits) if fine else None
    exact = fine and known and problem.given_exactly and problem.rational is not None
    exact = exact and digits < MOST_DIGITS
    noise = 10.0 ** -(digits // 2) if exact else ROUNDED
    if kind_of(problem.flow.network) is None:
        sigma_xx, sigma_yx = at.arguments
        modes = lone_modes((sigma_yx, sigma_xx, *at.weights), context, noise)
    else:
        modes = _coordinates(at, None if context is None else context.dps, noise)
    l2 = problem.flow.loss.l2
    l2 = to_float(l2) if context is None else to_mpf(l2, context)
    if not l2 > _unseen(problem, noise):
        modes = [*modes, None]
    alone = tuple(mode for mode in modes if mode is not None)
    size = 0.0 if exact else noise * sum(np.linalg.norm(w) for w in at.floats.weights)
    ends = tuple(_end(mode, l2, noise, float(size)) for mode in alone)
    return Fates(alone, len(modes) - len(alone), ends, exact, noise, l2)


def _unseen(problem: Problem, noise: float) -> float:
    """Return the decay above which what is too small to be a mode dies as well."""
    sigma_xx, sigma_yx = problem.floats.arguments
    small, lam = noise * np.linalg.norm(sigma_yx), np.linalg.eigvalsh(sigma_xx)
    least = min(lam[lam > ROUNDED * lam[-1]], default=1.0)
    depth = len(problem.weights)
    return float(small * max(1.0, small / least) ** (1 - 2 / depth))


def _coordinates(
    problem: Problem, digits: int | None, allowed: float
) -> list[LoneMode | None]:
    """Return the modes of a diagonal network, whose target is a row."""
    network, found = problem.flow.network, coordinates(problem, digits)
    single = found is not None and found.kind == "product"
    if found is None or not single or isinstance(network, TensorNetwork):
        return [None]
    modes: list[LoneMode | None] = []
    size = max(abs(found.sigma))
    for j in np.flatnonzero(abs(found.sigma) > allowed * size):
        beside = np.delete(found.gram[j], j)
        if (beside * beside).sum() > (allowed * found.lam[j]) ** 2:
            modes.append(None)
            continue
        sign = 1 if found.sigma[j] > 0 else -1
        *first, last = (a[j] for a in found.amplitudes)
        axis = np.eye(len(found.sigma), dtype=int)[j] + 0 * found.sigma
        given = abs(found.sigma[j]), found.lam[j], (*first, sign * last)
        modes.append(LoneMode(axis[:1] * 0 + sign, axis, *given))
    return modes


def _end(mode: LoneMode, l2: Any, allowed: float, unseen: float) -> Any:
    """Return w(∞), or None where it is not known whether the mode survives.

    An amplitude that is zero may be one of floats, and of a size that is `unseen`.
    """
    sigma, lam, L = mode.target, mode.lam, len(mode.amplitudes)
    sizes = [abs(a) for a in mode.amplitudes]
    nothing = 0 * lam
    if L == 2:
        moves = abs(sum(mode.amplitudes)) > allowed * max(sizes)
        alive = moves and sigma > l2 * (1 + allowed)
        return (sigma - l2) / lam if alive else nothing
    w = np.prod(np.array(mode.amplitudes))
    if max(sizes) - min(sizes) > allowed * max(sizes):
        return None
    if w <= 0:
        return nothing if w < 0 or l2 > sigma * unseen ** (L - 2) else None
    peak = sigma * (L - 2) / (lam * (2 * L - 2))
    pulls = [((sigma - lam * x) ** L * x ** (L - 2)) / l2**L for x in (peak, w)]
    if w >= peak:
        pulls.pop()
    if any(abs(pull - 1) <= allowed for pull in pulls):
        return None
    return _largest(sigma, lam, l2, L) if min(pulls) > 1 else nothing


def _largest(sigma: Any, lam: Any, l2: Any, L: int) -> Any:
    """Return the largest root of (σ − λw)^L w^{L−2} = l2^L.

    In a = w^{1/L} what vanishes is concave and falls from w_m on, so that Newton's
    steps from (σ/λ)^{1/L} fall to the root.
    """
    a = (sigma / lam) ** (lam / lam / L)
    while True:
        value = a ** (L - 2) * (sigma - lam * a**L) - l2
        slope = (L - 2) * sigma * a ** (L - 3) - (2 * L - 2) * lam * a ** (2 * L - 3)
        following = a - value / slope
        if not following < a:
            return a**L
        a = following
