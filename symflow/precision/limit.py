r"""Where a flow ends: the distance that is left after a time T, bounded.

For the squared loss let Ẽ = (W* − W) Σ^{1/2} with W* Σ_xx = Σ_yx, so that ½‖Ẽ‖² is the
loss above its minimum and F = Ẽ Σ^{1/2}.  With P = W_L⋯W_2 and Q = W_{L−1}⋯W_1,

.. math:: −\tfrac{d}{dt} ½‖Ẽ‖² = |θ′|² ≥ ‖PᵀF‖² + ‖FQᵀ‖² ≥ c²‖F‖² ≥ c² λ_r ‖Ẽ‖²,

where c² = λ_min(PPᵀ) + λ_min(QᵀQ on the range of Σ_xx) and λ_r is the smallest nonzero
eigenvalue of Σ_xx (the first step of the rate theorem of Min et al. 2021).  Therefore
r = ‖Ẽ‖ falls like e^{−κ(t − T)}, κ = c²λ_r, and the flow converges to a point with zero
residual, as long as c is bounded below where it passes.

How far it can go: let m be a point, E = θ − m, e = |E|, and R, B and σ as in `hessian`,
between m and θ.  With r_m = ‖Ẽ(m)‖ and RΣ^{1/2} = Ẽ(m) − Ẽ,

.. math:: e e′ = ⟨F, R + B⟩ = ⟨Ẽ, Ẽ(m) − Ẽ⟩ + ⟨Ẽ, BΣ^{1/2}⟩ ≤ r (r_m + \sqrt σ‖B‖),

so that e² ≤ e(T)² + 2 (r(T)/κ) (r_m + √σ b), where b bounds ‖B‖ for e ≤ ρ and κ holds
within ρ of m.  If this is below ρ², then e never reached ρ.  Here r(T) ≤ r_m + √σ‖R‖
and r_m ≤ ‖F(m)‖/√λ_r: only e(T), which may be that of many starts, is of first order.

In the end WΣ_xx = Σ_yx, and the part W_1(1 − Π) of the first layer outside the range of
Σ_xx, with projector Π, never moved: W(∞) = W*Π + W_L⋯W_2(∞) W_1(0)(1 − Π).

For linear measurements, ½‖y − Φ vec(W)‖², the part of the residual outside the range of
Φ is a constant; with the part inside it for Ẽ the same holds, with the smallest
nonzero eigenvalue of ΦᵀΦ for λ_r, and c² = λ_min(PPᵀ) + λ_min(QᵀQ).
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import ceil, inf, log
from typing import Any, ClassVar

import numpy as np
from flint import arb

from symflow.algebra.arrays import Array, has_sets
from symflow.algebra.rational import to_flint
from symflow.codegen import Program, evaluate, rhs_program
from symflow.codegen.float_series import float_steps
from symflow.errors import HypothesisFailed, PrecisionLost
from symflow.flow.problem import Problem
from symflow.losses import MeasurementLoss
from symflow.precision.balls import (
    ALONE,
    NORM_BITS,
    as_matrix,
    frobenius,
    root,
    size_of,
    smallest_ratio,
    to_arb,
    to_arb_array,
    workbits,
)
from symflow.precision.growth import force_program, matrices_program
from symflow.precision.hessian import HessianBound
from symflow.precision.image import balls_of, pivots
from symflow.precision.learning_rates import LearningRates

PROOF = (
    "limit: the loss above its minimum decays at a rate that is bounded below near the "
    "last time, which bounds the path that is left (Polyak–Łojasiewicz)"
)
#: Float64 steps after which a flow counts as not converging.
MOST_STEPS = 20_000
#: … and the time after which it does.
LATEST = 1e9
#: Digits to spare, for the constants in the bound of the path that is left.
SPARE_DIGITS = 3
#: The radius ρ in units of the distance that is expected, and how often it is enlarged.
FIRST, ENLARGEMENTS = 1.125, 10
#: How often the time that the speed needed passes until it is believed.
SADDLE = 2
#: Relative residuals between which the rate of convergence is read off.
RATE_WINDOW = (1e-6, 1e-9)


def settling_time(problem: Problem, digits: int, *, slow: bool) -> Fraction:
    """Return a time at which the residual is forecast to be below 10^(−digits).

    If it does not vanish, or `slow` says that it need not, the speed has to.

    Raises PrecisionLost if neither decays within the steps that are allowed.
    """
    floats = problem.floats
    kinds = (force_program, rhs_program)[int(slow) :]
    decays = [_Decay(program(problem.flow)) for program in kinds]
    for count, step in enumerate(float_steps(floats, inf)):
        seen = [
            decay
            for decay in decays
            if decay.is_seen(step.t, [*step.at(step.t), *floats.arguments])
        ]
        # near a saddle the speed is small as well
        if seen and (seen[0] is decays[0] or step.t > SADDLE * seen[0].last):
            return seen[0].end(digits)
        if count == MOST_STEPS or step.t > LATEST:
            break
    msg = (
        f"enclose(t=oo): the residual is still {decays[0].size:.1e} at t = {step.t:g}; "
        "the flow does not settle. Enclose finite times"
    )
    raise PrecisionLost(msg)


class _Decay:
    """When the outputs of a program fell below parts of their peak."""

    def __init__(self, program: Program) -> None:
        self._program, self._seen = program, list[tuple[float, float]]()
        self._peak, self.size, self.last = 0.0, inf, 0.0

    def is_seen(self, time: float, arrays: list[Array]) -> bool:
        """Say whether the rate of the decay can be read off, at a time."""
        if len(self._seen) < len(RATE_WINDOW) and self.size > 0:
            outputs = map(np.linalg.norm, evaluate(self._program, arrays))
            self.size, self.last = float(np.linalg.norm(list(outputs))), time
            self._peak = max(self._peak, self.size)
            if self.size <= RATE_WINDOW[len(self._seen)] * self._peak:
                self._seen.append((time, max(self.size, 1e-16 * self._peak)))
        return len(self._seen) == len(RATE_WINDOW) or self.size == 0

    def end(self, digits: int) -> Fraction:
        """Return when they will be below 10^(−digits)."""
        if len(self._seen) < len(RATE_WINDOW):
            return Fraction(ceil(self.last) + 1)
        (early, high), (late, low) = self._seen
        rate = log(high / low) / (late - early) if late > early else 1.0
        ahead = (digits + SPARE_DIGITS) * log(10) + log(low / self._peak)
        return Fraction(max(1, ceil(late + 1.05 * ahead / rate)))


def distance_left(
    sizes: tuple[Any, Any, Any],
    error: Any,
    near: Callable[[Any], tuple[Any, Any]],
    rates: LearningRates,
) -> Any:
    """Return how far from m flows stay that come within `error`, with ‖R‖ there.

    `sizes` are bounds of r_m, √σ and ‖R‖, and `near` gives some of κ and ‖B‖ within a
    radius; `rates` are those of the layers.

    Raises PrecisionLost if convergence cannot be proven from there.
    """
    rest, top, reach = sizes
    loss = rest + top * reach
    error, spread = error * rates.stretch, rates.spread
    radius = (FIRST * error + rest).upper()
    for _ in range(ENLARGEMENTS):
        rate, bend = near(radius)
        if not rate > 0:
            break
        work = 2 * spread * loss / rate * (rest + top * bend)
        moved = root(error * error + work)
        if moved < radius or moved == 0:
            return moved
        radius = (FIRST * moved).upper()
    msg = (
        f"enclose(t=oo): within {float(error):.1e} of the last weights, where the root "
        f"of the excess loss is {float(rest):.1e}, convergence cannot be proven. Ask "
        "for more digits; of a set of starts, for a smaller one or pieces="
    )
    raise PrecisionLost(msg)


class Remainder:
    """Those of products of dense layers, for all members of sets among the numbers.

    Raises HypothesisFailed if Σ_xx or Φ is zero, or singular and not given exactly.
    """

    proof: ClassVar[str] = PROOF

    def __init__(self, problem: Problem) -> None:
        self._problem, self._rates = problem, LearningRates.of(problem.flow)
        self._force = force_program(problem.flow)
        self._layers = matrices_program(problem.flow)
        with ALONE, workbits(2 * NORM_BITS):
            measured = isinstance(problem.flow.loss, MeasurementLoss)
            self._basis, span, inner = (_of_measurements if measured else _of_moments)(
                problem.arguments, problem.widths[0]
            )
            if span.size == 0:
                msg = (
                    "enclose(t=oo): Σ_xx or Φ is zero, so nothing moves and there is "
                    "no limit to prove. Give inputs that are not all zero"
                )
                raise HypothesisFailed(msg)
            self._metric = self._basis.T @ self._basis
            self._decay = least(inner, span.T @ span)
            self._inner = None if measured else inner
            self._hessian = HessianBound(problem)
        if not self._decay > 0:
            msg = (
                "enclose(t=oo): Σ_xx or Φ is not proven to be regular on its range. "
                "Give the data as exact numbers, so that its rank is known"
            )
            raise HypothesisFailed(msg)

    def distance(self, weights: list[Array], error: Any) -> Any:
        """Return how far from m, given weights, flows stay that come within `error`."""
        with ALONE, workbits(fine_bits(weights)):
            arrays = [*weights, *map(to_arb_array, self._problem.arguments)]
            size = frobenius(evaluate(self._force, arrays, to_arb))
            matrices = [as_matrix(weight) for weight in weights]
        with ALONE, workbits(NORM_BITS):
            growth = self._hessian.around(matrices, [arb(0)] * len(matrices))
            top, rest = root(growth.smoothness[0]), size / self._decay.sqrt().lower()

            def near(radius: Any) -> tuple[Any, Any]:
                speed = self._speed(inflated(weights, radius))
                return speed * speed * self._decay, growth.bend(radius)

            sizes = rest, top, growth.reach(error)
            return distance_left(sizes, error, near, self._rates)

    def gap(self, weights: list[Array], error: Any, product: Array) -> Any:
        """Return how far W(∞) can be from a matrix, if weights end within `error`."""
        if self._inner is None:
            return arb.pos_inf()
        first = to_arb_array(self._problem.arguments[1])
        basis = as_matrix(self._basis)
        first = as_matrix(first) * basis
        least = as_matrix(self._inner).transpose().solve(first.transpose()).transpose()
        inverse = as_matrix(self._metric).inv()
        start = as_matrix(self._problem.weights[0])
        within = basis * inverse * basis.transpose()
        off = start * (as_matrix(_identity(within.nrows())) - within)
        for weight in inflated(weights[1:], error):
            off = as_matrix(weight) * off
        return size_of([least * basis.transpose() + off - as_matrix(product)])

    def _speed(self, weights: list[Array]) -> Any:
        """Return a lower bound of c."""
        layers = list(evaluate(self._layers, weights, to_arb))
        if len(layers) == 1:
            return arb(1)
        after, before = layers[1], layers[0]
        for layer in layers[2:]:
            after = layer @ after
        for layer in layers[1:-1]:
            before = layer @ before
        narrow = before @ self._basis
        left = least(after @ after.T, _identity(len(after)))
        right = least(narrow.T @ narrow, self._metric)
        return (left + right).lower().max(arb(0)).sqrt().lower()


def least(matrix: Array, metric: Array) -> Any:
    """Return a lower bound of the ratios of two forms, of which both may be balls."""
    if not frobenius([matrix]).is_finite():
        return arb(0)
    middle = np.linalg.solve(middle_of(metric), middle_of(matrix))
    guess = float(np.min(np.linalg.eigvals(middle).real))
    return smallest_ratio((matrix + matrix.T) / 2, metric, guess)


def _of_moments(arrays: tuple[Array, ...], inputs: int) -> tuple[Array, Array, Array]:
    """Return bases of the inputs and of what decays, and Σ_xx in the second."""
    sigma_xx = arrays[0]
    if has_sets(sigma_xx) or has_sets(arrays[1]):  # regular, or refused
        return _identity(inputs), _identity(inputs), to_arb_array(sigma_xx)
    if not bool(np.all(sigma_xx == sigma_xx.T)):
        msg = (
            "enclose(t=oo): Σ_xx has to be exactly symmetric; its entries differ "
            "by rounding. Give (Σ_xx + Σ_xxᵀ) / 2, or a Dataset"
        )
        raise HypothesisFailed(msg)
    basis = range_basis(*arrays)
    return basis, basis, basis.T @ to_arb_array(sigma_xx) @ basis


def _of_measurements(
    arrays: tuple[Array, ...], inputs: int
) -> tuple[Array, Array, Array]:
    """Return bases of the inputs and of the range of Φᵀ, and ΦᵀΦ in the second."""
    if has_sets(arrays[0]):  # regular, or refused
        seen = to_arb_array(arrays[0])
        return _identity(inputs), _identity(seen.shape[1]), seen.T @ seen
    exact = to_flint(arrays[0])
    if exact is None:
        msg = "enclose(t=oo): needs matrices A_k in rational numbers or floats"
        raise HypothesisFailed(msg)
    span = balls_of(pivots(exact)[1]).T
    seen = to_arb_array(arrays[0]) @ span
    return _identity(inputs), span, seen.T @ seen


def range_basis(sigma_xx: Array, sigma_yx: Array) -> Array:
    """Return a matrix of balls whose columns span the range of Σ_xx.

    Unless the moments are rational numbers, Σ_xx is taken to be regular.

    Raises HypothesisFailed if the rows of Σ_yx are not in the range of Σ_xx.
    """
    exact, both = to_flint(sigma_xx), to_flint(np.vstack([sigma_xx, sigma_yx]))
    if exact is None or (rank := exact.rank()) == len(sigma_xx):
        return _identity(len(sigma_xx))
    if both is None or both.rank() > rank:
        msg = (
            "enclose(t=oo): Σ_yx has rows outside the range of Σ_xx, so the loss has "
            "no minimum. Give moments of one data set"
        )
        raise HypothesisFailed(msg)
    return balls_of(pivots(exact)[1]).T


def fine_bits(weights: list[Array]) -> int:
    """Return a precision at which the digits of weights count."""
    return max(int(entry.bits()) for w in weights for entry in w.flat) + NORM_BITS


def inflated(weights: list[Array], radius: Any) -> list[Array]:
    """Return balls around all entries of weights within a Frobenius distance."""
    spread = arb(0, radius.upper())
    return [np.asarray(weight + spread) for weight in weights]


def _identity(size: int) -> Array:
    return to_arb_array(np.eye(size))


def middle_of(matrix: Array) -> Array:
    """Return float64 midpoints."""
    floats = np.vectorize(lambda x: float(x.mid()), otypes=[float])
    return np.asarray(floats(matrix))
