r"""How fast errors of a gradient flow can grow.

The Jacobian of f = −∇ℒ is minus the Hessian.  For ℒ(θ) = ℓ(W_L⋯W_1) + ½λ|θ|² with
convex ℓ and F = −∂ℓ/∂W, in a direction E = (E_1, …, E_L),

.. math::
    D²ℒ[E, E] = D²ℓ[DW E, DW E] + λ|E|²
                − 2 Σ_{i<j} ⟨F, P_{Lj} E_j P_{ji} E_i P_{i0}⟩

where P_{ab} is the product of the layers strictly between.  The first term is not
negative, and ⟨F, A E_j B E_i C⟩ ≤ ‖F‖₂ ‖A‖₂ ‖B‖₂ ‖C‖₂ ‖E_j‖_F ‖E_i‖_F.  So with the
symmetric matrix M_ij = ‖F‖₂ ‖P_{Lj}‖₂ ‖P_{ji}‖₂ ‖P_{i0}‖₂, M_ii = 0,

.. math:: ⟨E, Df(θ) E⟩ ≤ (λ_max(M) − λ) |E|² = μ(θ) |E|²,

and two solutions separate at most like exp ∫ μ dt.  For two layers μ = ‖F‖₂ − λ.  Other
layers embed their parameters as a matrix, ‖M_l(E)‖_F ≤ ν_l ‖E‖ (ν = 1 for a dense or a
diagonal layer and a readout, √d for a circulant one), and M_ij has the factor ν_i ν_j.

A heavy ball has the velocities v = σw: the Jacobian of (θ, w) is (0, σ; −H/σ, −τ), and
an eigenvalue h of H contributes the larger eigenvalue of (0, s; s, −τ) to μ, with
s = (σ − h/σ)/2.  With σ² near ‖H‖ that is about σ/2; a friction c/t only helps.

Here μ is evaluated in float64, to plan an integration; `enclose` does it in balls.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations
from math import log
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from symflow.algebra.arrays import end_to_end
from symflow.algebra.nodes import product
from symflow.algebra.numbers import to_float
from symflow.codegen import Output, Program, evaluate, lower, rhs_program
from symflow.codegen.float_series import FloatStep, float_steps
from symflow.codegen.lower import arguments
from symflow.errors import IntegrationFailed
from symflow.flow import GradientFlow
from symflow.flow.problem import Problem
from symflow.networks import Circulant, Network
from symflow.precision.cheapest import series_program

Floats = NDArray[np.float64]
Time = float | Fraction
#: How μ is found.
Measured = Literal["norms", "jacobian", "cheapest"]
#: More steps of Taylor's method than this would take hours at many digits.
MOST_STEPS = 100_000
#: After how many steps their size tells how many are ahead.
TELLING = 500


def force_program(flow: GradientFlow) -> Program:
    """Return the program of F = −∂ℓ/∂W."""
    return lower("force", arguments(flow), {"F": flow.force})


def matrices_program(flow: GradientFlow) -> Program:
    """Return the program of the layers as matrices, first layer first."""
    network = flow.network
    assert isinstance(network, Network)
    layers = enumerate(network.matrices, start=1)
    return lower("layers", flow.state, {f"M{n}": node for n, node in layers})


def curvature_program(flow: GradientFlow) -> Program:
    """Return the program of F and of all products of neighbouring layers but W."""
    network = flow.network
    assert isinstance(network, Network)
    parts = {"F": flow.force}
    for first, last in combinations(range(network.depth + 1), 2):
        if last - first < network.depth:
            layers = reversed(network.matrices[first:last])
            parts[f"P{first}_{last}"] = product(*layers)
    return lower("curvature", arguments(flow), parts)


def embedding_squares(network: Network, widths: Sequence[int]) -> list[int]:
    """Return ν² of every layer: in how many entries a parameter stands."""
    pairs = zip(network.layers, widths, strict=False)
    return [width if isinstance(kind, Circulant) else 1 for kind, width in pairs]


def between(norms: Any, first: int, last: int, layers: list[Floats]) -> Any:
    """Return the norm of the product of layers first, …, last − 1; 1 if empty."""
    if first >= last:
        return 1.0
    return norms(end_to_end(layers[first:last]))


def coupling(layers: list[Floats], squares: Sequence[int] | None = None) -> Floats:
    """Return the matrix M of the module's docstring for ‖F‖₂ = 1.

    `layers` are W_1, …, W_L, and `squares` ν² of every layer, 1 without.
    """
    depth = len(layers)
    matrix = np.zeros((depth, depth))
    for low, high in combinations(range(depth), 2):
        spans = ((0, low), (low + 1, high), (high + 1, depth))
        value = np.prod([between(_spectral, a, b, layers) for a, b in spans])
        matrix[low, high] = matrix[high, low] = value
    return matrix if squares is None else matrix * np.sqrt(np.outer(squares, squares))


def lipschitz(
    layers: list[Floats],
    force: Floats,
    decay: float,
    squares: Sequence[int] | None = None,
) -> float:
    """Return the one-sided Lipschitz constant μ of the flow at a point.

    `force` is F = −∂ℓ/∂W there, `decay` λ, and `squares` ν² of every layer, 1 without.
    """
    if len(layers) == 1:
        return -decay
    top = np.linalg.eigvalsh(coupling(layers, squares))[-1]
    return float(_spectral(force) * top) - decay


@dataclass(frozen=True)
class Forecast:
    """A float64 run, for planning: error growth and sizes along the way."""

    t: Floats  # ends of the steps, from 0 on
    growth: Floats  # ∫ max(μ, 0) dt up to each of them
    magnitude: float  # log2 of the largest number met
    steps: list[FloatStep]  # the steps themselves
    spread: float = 0.0  # log2 of the ratio of the units in which weights are measured

    def growth_at(self, t: Any) -> float:
        """Return ∫₀ᵗ max(μ, 0)."""
        return float(np.interp(float(t), self.t, self.growth))

    def size_at(self, t: Any) -> float:
        """Return the largest weight at a time."""
        number = int(np.searchsorted(self.t, float(t), side="right")) - 1
        step = self.steps[min(max(number, 0), len(self.steps) - 1)]
        return max(float(np.max(np.abs(w))) for w in step.at(float(t)))


def forecast(problem: Problem, end: float, by: Measured = "cheapest") -> Forecast:
    """Follow the flow in float64 and integrate its one-sided Lipschitz constant.

    μ is bounded by the norms of the layers, as a proof does, or exact, of a numerical
    Jacobian; the cheapest are norms for dense layers and the Jacobian for others.

    Raises IntegrationFailed if the weights stop being finite, or if more than
    `MOST_STEPS` steps are needed or in sight.
    """
    measure = _Measure(problem, by)
    t, growth, peak = [0.0], [0.0], measure.magnitude
    steps, after = [], None
    for step in float_steps(problem, end):
        # each step starts where the one before it ends
        before = after or measure(step.at(step.t))
        after = measure(step.at(step.t + step.h))
        steps.append(step)
        rate = max(0.0, before[0], after[0])
        peak = max(peak, before[1], after[1])
        t.append(step.t + step.h)
        growth.append(growth[-1] + rate * step.h)
        if len(steps) % TELLING == 0:
            refuse_endless(len(steps), t[-1 - TELLING], t[-1], end)
    size = log(peak or 1.0, 2)
    return Forecast(np.array(t), np.array(growth), size, steps, abs(measure.spread))


def refuse_endless(count: int, before: Time, now: Time, end: Time) -> None:
    """Say it early where the steps ahead, as long as the last ones, are too many.

    `before` is the time `TELLING` steps ago.  A flow at rest needs as many as one that
    moves: its series converges only so far as the fastest mode allows.  Floats may not
    see that, where the force on them is zero to the last bit.

    Raises IntegrationFailed where they are more than `MOST_STEPS`.
    """
    step = (now - before) / TELLING
    needed = count + float(min((end - now) / step, 1e99))
    if needed > MOST_STEPS:
        msg = (
            f"precise and enclose: t = {float(end):g} is about {needed:.2g} steps away "
            f"(each of length {float(step):.2g}), more than {MOST_STEPS}. Ask for an "
            "earlier time; enclose(…, sf.oo) encloses the limit where the flow settles,"
            " and a closed form (solve) has values at any time"
        )
        raise IntegrationFailed(msg)


class _Measure:
    """μ and the largest number of the program at a point."""

    def __init__(self, problem: Problem, by: Measured) -> None:
        network = problem.flow.network
        self._force = force_program(problem.flow)
        self._layers, self._squares = None, None
        # the bound by norms is one of gradients, in ordinary time
        rates = problem.flow.learning_rates
        ordinary = problem.flow.is_gradient or (by == "norms" and bool(rates))
        known = by == "norms" or (by == "cheapest" and network.is_dense)
        self._rates = [to_float(rate) for rate in rates] or [1.0]
        if isinstance(network, Network) and ordinary and known:
            self._layers = matrices_program(problem.flow)
            self._squares = embedding_squares(network, problem.widths)
        self._still = problem.at_rest
        self._rhs = rhs_program(self._still.flow)
        self._friction = None
        if self._still is not problem:
            phase: Any = problem.flow
            self._friction = 0.0 if phase.fading else to_float(phase.friction)
        self.spread = 0.0
        self._everything = _all_matrices(series_program(problem))
        self._data = problem.floats.arguments
        self._decay = to_float(min(problem.flow.decays))
        self.magnitude = max(
            (float(np.max(np.abs(array))) for array in self._data), default=0.0
        )

    def __call__(self, weights: tuple[Floats, ...]) -> tuple[float, float]:
        values = evaluate(self._everything, [*weights, *self._data])
        # the weights too: where a layer has a zero, no product need be as large
        matrices = (*values, *weights)
        size = max(float(np.max(np.abs(matrix))) for matrix in matrices)
        if self._layers is None:
            return self._numerically(weights), size
        (force,) = evaluate(self._force, [*weights, *self._data])
        layers = list(evaluate(self._layers, weights))
        mu = lipschitz(layers, force, self._decay, self._squares)
        return max(mu * rate for rate in self._rates), size

    def _numerically(self, weights: tuple[Floats, ...]) -> float:
        """Return the largest eigenvalue of the Jacobian, by differences."""
        weights = weights[: len(self._still.weights)]
        state = np.concatenate([weight.ravel() for weight in weights])
        width = 1e-6 * (1 + float(np.max(np.abs(state))))
        ends = np.cumsum([weight.size for weight in weights])[:-1]

        def field(point: Floats) -> Floats:
            parts = np.split(point, ends)
            pairs = zip(parts, weights, strict=True)
            matrices = [part.reshape(weight.shape) for part, weight in pairs]
            rates = evaluate(self._rhs, [*matrices, *self._data])
            return np.concatenate([rate.ravel() for rate in rates])

        columns = [
            (field(state + shift) - field(state - shift)) / (2 * width)
            for shift in width * np.eye(len(state))
        ]
        jacobian = np.array(columns)
        values = np.linalg.eigvalsh((jacobian + jacobian.T) / 2)
        return float(values[-1] if self._friction is None else self._of_ball(-values))

    def _of_ball(self, curvatures: Any) -> Any:
        """Return μ of a heavy ball by the eigenvalues of H; σ² is ‖H‖ at the start."""
        top = float(np.max(np.abs(curvatures)))
        self.spread = self.spread or log(top or 1.0, 2) / 2
        unit, friction = 2.0**self.spread, self._friction or 0.0
        return np.max(np.hypot(friction, unit - curvatures / unit) - friction) / 2


def _all_matrices(program: Program) -> Program:
    """Return the program with every matrix that it computes as an output."""
    outputs = tuple(
        Output(f"slot{slot}", slot)
        for slot, step in zip(program.slots, program.instructions, strict=True)
        if step.operation not in ("rows", "columns")
    )
    return replace(program, outputs=outputs)


def _spectral(matrix: Floats) -> float:
    return float(np.linalg.norm(matrix, 2))
