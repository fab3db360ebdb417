r"""The value of the training objective, without cancellation.

In ½ tr(WΣ_xxWᵀ) − tr(WΣ_yxᵀ) + ½ tr Σ_yy a small loss is the difference of large
numbers.  With a root C = (C_x, C_y) of the joint moments, CᵀC = (Σ_xx, Σ_xy; Σ_yx,
Σ_yy), as in `data.root`, it is

.. math:: ℓ(W) = ½ ‖C_y − C_x W^⊤‖_F^2,

which is never negative; rounding moves every residual by some units in its last place,
and a loss of the size ε² is still seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any

import mpmath
import numpy as np

from symflow.algebra.arrays import Array, map_entries, to_float_array, to_mpf_array
from symflow.algebra.numbers import to_float, to_mpf
from symflow.algebra.threads import cached_property
from symflow.codegen.evaluate import evaluate
from symflow.codegen.lower import end_to_end_program, loss_arguments, loss_program
from symflow.data.root import root_of
from symflow.flow.problem import Problem
from symflow.losses import SquaredLoss

#: With many digits the loss is computed with this many times the bits, for the weights
#: are near a minimum, where it is of second order in their distance, …
FINER = 3
#: … and some more.
SPARE_BITS = 64


class Objective:
    """The training objective of a problem as a function of the weights."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        known = problem.data
        extra = loss_arguments(problem.flow)[len(problem.weights) :]
        self._data = [known.get(symbol.name) for symbol in extra]
        pairs = zip(extra, self._data, strict=True)
        #: Matrices that only the value reads, and the data do not have.
        self.missing = [symbol.name for symbol, array in pairs if array is None]
        self._is_squared = isinstance(problem.flow.loss, SquaredLoss)
        self._is_squared &= not self.missing

    def __call__(self, weights: Sequence[Array], context: Any = None) -> Array:
        """Return the objective, over the leading dimensions of the weights.

        Weights have shapes (…, rows, columns); `context` is the mpmath context of their
        arithmetic, which is float64 without one.
        """
        if context is not None:
            return self._finely(weights, context)
        if self._is_squared:
            return self._from_root(weights)
        data = [to_float_array(array) for array in self._arrays]
        return evaluate(loss_program(self._problem.flow), [*weights, *data])[0]

    @cached_property
    def _arrays(self) -> list[Array]:
        """The data of the value; what they do not have counts as zero."""
        problem = self._problem
        sizes = dict(zip(problem.flow.network.widths, problem.widths, strict=True))
        extra = loss_arguments(problem.flow)[len(problem.weights) :]
        return [
            np.zeros([int(sizes.get(width, width)) for width in symbol.shape])
            if array is None
            else array
            for symbol, array in zip(extra, self._data, strict=True)
        ]

    def _from_root(self, weights: Sequence[Array]) -> Array:
        flow = self._problem.flow
        (total,) = evaluate(end_to_end_program(flow), list(weights))
        value = self.squared(total)
        if flow.loss.l2 != 0:
            pairs = zip(flow.decays, weights, strict=True)
            parts = [to_float(lam) * (w * w).sum(axis=(-2, -1)) for lam, w in pairs]
            value = value + 0.5 * sum(parts)
        return np.asarray(value)

    def squared(self, matrix: Array) -> Array:
        """Return the squared loss of end-to-end matrices in float64, without decay.

        W has shape (…, m, d); the data have to include Σ_yy.
        """
        inputs, outputs = self._root
        residual = outputs - matrix @ inputs
        return np.asarray(0.5 * (residual * residual).sum(axis=(-2, -1)))

    @cached_property
    def _root(self) -> tuple[Array, Array]:
        """C_xᵀ and C_yᵀ, for sums of losses too."""
        problem, loss = self._problem, self._problem.flow.loss
        assert isinstance(loss, SquaredLoss)
        root = root_of(problem.source, self._arrays)
        is_sum = problem.source is not None and loss.reduction == "sum"
        scale = sqrt(problem.source.n) if is_sum else 1.0
        cut = problem.widths[0]
        return scale * root[:, :cut].T, scale * root[:, cut:].T

    def _finely(self, weights: Sequence[Array], context: Any) -> Array:
        fine = mpmath.MPContext()
        fine.prec = FINER * context.prec + SPARE_BITS
        arrays = [to_mpf_array(array, fine) for array in (*weights, *self._arrays)]
        program = loss_program(self._problem.flow)
        (values,) = evaluate(program, arrays, lambda number: to_mpf(number, fine))
        if self._is_squared:  # what is negative is rounding of moments that were given
            values = np.maximum(values, fine.zero)
        return map_entries(lambda value: to_mpf(value, context), np.asarray(values))
