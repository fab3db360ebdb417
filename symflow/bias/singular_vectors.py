"""Any linear tensor network: layers converge to singular vectors of M(u^∞).

Yun, Krishnan, Mobahi (2021).  Let u(t) be the direction of the force on β, Σp_i y_i x_i
with p_i ∝ −φ′(z_i).  Where u has a limit u^∞, the directions of the layers converge to
vectors with

    M(u^∞) ∘ (v_1, …, I, …, v_L) = ς v_l   for every l:

each layer ends parallel to the force on it.  This is all that is known for small
filters and for tensors without orthogonal decomposition; it does not determine the
limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.bias.max_margin import Direction
from symflow.bias.separation import (
    CLASSIFICATION,
    given_tensor,
    signed_samples,
    weights_of_samples,
)
from symflow.claims import Hypothesis, Refusal, structural
from symflow.claims.bibliography import YUN_2021
from symflow.errors import HypothesisFailed, InvalidArgument
from symflow.flow.problem import Problem


@dataclass(frozen=True, eq=False, repr=False)
class SingularVectors(Direction):
    """Every layer ends parallel to the force on it; made by `implicit_bias`."""

    proved_with_base = True

    tensor: Array  #: Shape (d, k_1, …, k_L): M.

    source = YUN_2021

    conditions = CLASSIFICATION

    @classmethod
    def conclude(cls, problem: Problem, found: Sequence[Hypothesis]) -> Self | Refusal:
        """Return the prediction where the tensor can be written out."""
        tensor = given_tensor(problem)
        network = repr(problem.flow.network)
        small = structural("a tensor of moderate size", tensor is not None, network)
        if tensor is None:
            return cls.refuse([*found, small])
        return cls(problem, (*found, small), to_float_array(tensor))

    is_determined = False  #: Singular vectors are many.

    @property
    def limit(self) -> Array:
        """Not determined.

        Raises
        ------
        HypothesisFailed
            Always: the theorem names equations that the limit satisfies, not the limit.
        """
        msg = (
            "bias.limit: the singular-vector theorem does not determine the direction. "
            "Use bias.kkt_residual(weights)"
        )
        raise HypothesisFailed(msg)

    margin = np.inf  #: Infinite: no norm is known.

    @property
    def potential(self) -> sympy.Expr:
        """½Σ‖v_l‖², stationary where all margins are at least 1."""
        squares = [sympy.Trace(v.T * v) for v in self.problem.flow.state]
        return sympy.Add(*squares) / 2

    def kkt_residual(self, weights: Any) -> float:
        """Return the largest distance between a layer's direction and its force's.

        Parameters
        ----------
        weights : sequence of array_like
            v_1, …, v_L; the end-to-end matrix alone does not say.

        Returns
        -------
        float
            Between 0 and 2; zero at singular vectors of M(u).

        Raises
        ------
        InvalidArgument
            If it is not one array for each layer.
        """
        layers = [to_float_array(np.asarray(weight)).ravel() for weight in weights]
        if [len(layer) for layer in layers] != [*self.tensor.shape[1:]]:
            msg = (
                "kkt_residual(weights): needs the weights of every layer, of sizes "
                f"{self.tensor.shape[1:]}; got {[len(layer) for layer in layers]}"
            )
            raise InvalidArgument(msg)
        units = [layer / np.linalg.norm(layer) for layer in layers]
        beta = _contracted(self.tensor, layers, None)
        rows = signed_samples(self.problem)
        force = weights_of_samples(self.problem.flow.loss, rows @ beta) @ rows
        pulled = np.tensordot(force, self.tensor, axes=(0, 0))[None]
        gaps = []
        for number, unit in enumerate(units):
            along = _contracted(pulled, units, number)[0]
            gaps.append(float(np.linalg.norm(along / np.linalg.norm(along) - unit)))
        return max(gaps)

    def _stationary(self, run: Any) -> float:
        return self.kkt_residual([weight[-1] for weight in run.weights])


def _contracted(tensor: Array, vectors: list[Array], free: int | None) -> Array:
    """Return the tensor contracted with all vectors but one."""
    operands: list[Any] = [tensor, list(range(tensor.ndim))]
    for number, vector in enumerate(vectors, start=1):
        if number - 1 != free:
            operands += [vector, [number]]
    kept = [0] if free is None else [0, free + 1]
    result: Array = np.einsum(*operands, kept, optimize=True)
    return result
