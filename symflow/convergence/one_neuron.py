"""A hidden layer of one neuron, balanced start, whitened input: W(t) = s u vᵀ.

With the target Z = Σ_yx = Σ z_i p_i q_iᵀ (z_1 ≥ z_2 ≥ …) and ρ = uᵀZv the flow of any
depth L ≥ 2 is (Eftekhari 2020)

    ṡ = L s^{2−2/L}(ρ − s),  u̇ = s^{1−2/L}(Zv − ρu),  v̇ = s^{1−2/L}(Zᵀu − ρv),

because every positive power of WWᵀ and WᵀW annihilates what is orthogonal to u and v.
In the clock dτ = s^{1−2/L}dt the pair x = (u; v)/√2 follows the power flow of the
symmetric matrix with blocks 0, Z, Zᵀ, 0, whose largest eigenvalue is z_1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.numbers import to_float
from symflow.claims import Hypothesis, Path
from symflow.claims.conditions import (
    balanced_start,
    dense_layers,
    squared_loss,
    whitened_input,
)
from symflow.convergence.bound import end_to_end
from symflow.flow.problem import Problem
from symflow.inits import singular_frames


@dataclass(frozen=True, eq=False)
class OneNeuron:
    """The target in its singular frame, in one arithmetic; made by `one_neuron`.

    Parameters
    ----------
    depth : int
        L.
    first, second : float or mpf
        z_1 and z_2.
    left, right : ndarray
        p_1 and q_1.
    """

    depth: int
    first: Any
    second: Any
    left: Array
    right: Array

    def strength(self, product: Array) -> Array:
        """Return s = ‖W‖_F, shape (…)."""
        return np.asarray((product**2).sum(axis=(-2, -1)) ** 0.5)

    def overlap(self, product: Array) -> Array:
        """Return ab = (p_1ᵀu)(q_1ᵀv), shape (…)."""
        along = (product @ self.right) @ self.left
        return np.asarray(along / self.strength(product))

    def angle(self, product: Array) -> tuple[Array, Array]:
        """Return cos²φ and sin²φ of the angle of (u; v) with (p_1; q_1), per time."""
        pairs = [self._angle(matrix) for matrix in product]
        return np.asarray([c for c, _ in pairs]), np.asarray([s for _, s in pairs])

    def _angle(self, matrix: Array) -> tuple[Any, Any]:
        u, v = unit_pair(matrix)
        cosine = (u @ self.left + v @ self.right) / 2
        rest = ((u - cosine * self.left) ** 2).sum() + (
            (v - cosine * self.right) ** 2
        ).sum()
        return cosine**2, rest / 2


def unit_pair(matrix: Array) -> tuple[Array, Array]:
    """Return the unit vectors u and v of a matrix s u vᵀ, in its arithmetic.

    Examples
    --------
    >>> u, v = unit_pair(np.array([[0.0, 6.0], [0.0, 8.0]]))
    >>> u.tolist(), v.tolist()
    ([0.6, 0.8], [0.0, 1.0])
    """
    sizes = to_float_array((matrix**2).sum(axis=1))
    row = matrix[int(np.argmax(sizes))]
    v = row / (row**2).sum() ** 0.5
    u = matrix @ v
    return u / (u**2).sum() ** 0.5, v


def one_neuron(problem: Problem, path: Path | None = None) -> OneNeuron:
    """Decompose the target, in float64 or in the arithmetic of `path`."""
    digits = None if path is None or path.context is None else path.digits
    frames = singular_frames(problem.exact_arguments[1], digits)
    depth = problem.flow.network.depth
    values = [*frames.values, 0 * frames.values[0]]
    first, second = values[:2]
    left, right = frames.left[:, 0], frames.right[:, 0]
    if digits is None:
        return OneNeuron(depth, to_float(first), to_float(second), left, right)
    number, lift = path.number, path.lift  # type: ignore[union-attr]
    return OneNeuron(depth, number(first), number(second), lift(left), lift(right))


def conditions(problem: Problem) -> list[Hypothesis]:
    """Return the hypotheses of all claims about one-neuron layers."""
    found = [squared_loss(problem.flow), dense_layers(problem.flow)]
    if not all(hypothesis.holds for hypothesis in found):
        return found
    hidden = problem.widths[1:-1]
    values = singular_frames(to_float_array(problem.arguments[1])).values
    first, second = float(values[0]), float([*values, 0.0][1])
    size = float(np.linalg.norm(end_to_end(problem.floats.weights)))
    return [
        *found,
        Hypothesis("a hidden layer of one neuron", 1 in hidden, f"widths {hidden}"),
        whitened_input(problem),
        balanced_start(problem),
        Hypothesis("z₁ > z₂", first > second, f"z₁ = {first:.3g}, z₂ = {second:.3g}"),
        Hypothesis("a start other than zero", size > 0, f"‖W(0)‖ = {size:.3g}"),
    ]


def smallest_strength(problem: Problem) -> float:
    """Return the lower bound s_low on s at all times; not positive where none is."""
    frame, strength, overlap = start_of(problem)
    pull = frame.first * overlap - frame.second * (1 - overlap)
    return min(strength, pull) if overlap > 0 else -1.0


def start_of(problem: Problem) -> tuple[OneNeuron, float, float]:
    """Return the frame of the target, and s and ab at the start, in float64."""
    frame, start = one_neuron(problem), end_to_end(problem.floats.weights)
    return frame, float(frame.strength(start)), float(frame.overlap(start))
