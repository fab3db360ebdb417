"""The loss of a product network from its samples, entry by entry, in plain SymPy.

Nothing here uses symflow's algebra: the loss is written as the textbook sum over the
samples, differentiated by `sympy.diff` entry by entry.  Only the names of the scalar
weights (``W1_0_2``: layer, row, column) are shared, so that results can be compared.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from random import Random
from typing import Any

import sympy


def matrix(name: str, rows: int, columns: int) -> sympy.Matrix:
    """Return a matrix of the real symbols name_i_j."""
    return sympy.Matrix(
        rows, columns, lambda i, j: sympy.Symbol(f"{name}_{i}_{j}", real=True)
    )


def symmetric(name: str, size: int) -> sympy.Matrix:
    """Return a symmetric matrix of the real symbols name_i_j with i ≤ j."""
    return sympy.Matrix(
        size,
        size,
        lambda i, j: sympy.Symbol(f"{name}_{min(i, j)}_{max(i, j)}", real=True),
    )


def integer_matrix(random: Random, rows: int, columns: int) -> sympy.Matrix:
    """Return a matrix of small random integers."""
    return sympy.Matrix(rows, columns, lambda i, j: random.randint(-4, 4))


@dataclass(frozen=True)
class Problem:
    """½ Σ_samples ‖y − W_L⋯W_1 x‖² (over n for the mean) + ½ λ Σ_l ‖W_l‖².

    Parameters
    ----------
    widths : sequence of int
        Input to output, at most 3 each.
    X, Y : sympy.Matrix
        Samples in rows.
    mean : bool
        Whether to divide by the number of samples.
    decay : sympy.Expr
        λ.
    """

    widths: Sequence[int]
    X: sympy.Matrix
    Y: sympy.Matrix
    mean: bool = True
    decay: Any = 0

    @property
    def weights(self) -> list[sympy.Matrix]:
        """The weight matrices of scalar symbols."""
        assert max(self.widths) <= 3, "the entrywise oracle is for small sizes"
        return [
            matrix(f"W{layer}", rows, columns)
            for layer, (columns, rows) in enumerate(pairwise(self.widths), start=1)
        ]

    @property
    def variables(self) -> list[sympy.Symbol]:
        """All scalar weights, row by row, first layer first."""
        return [entry for weight in self.weights for entry in weight]

    @property
    def loss(self) -> sympy.Expr:
        """The loss, one sample at a time."""
        total = sympy.S.Zero
        for row in range(self.X.rows):
            output = reduce(lambda x, W: W * x, self.weights, self.X[row, :].T)
            for component in range(self.Y.cols):
                total += (self.Y[row, component] - output[component]) ** 2 / 2
        if self.mean:
            total /= self.X.rows
        return total + self.decay / 2 * sum(entry**2 for entry in self.variables)

    @property
    def gradient(self) -> list[sympy.Expr]:
        """∂loss/∂θ for every scalar weight, not expanded."""
        loss = self.loss
        return [sympy.diff(loss, variable) for variable in self.variables]

    def vanishes(self, expression: sympy.Expr) -> bool:
        """Say whether an expression in weights and moments is 0 for these samples."""
        polynomial = sympy.Poly(expression.xreplace(self.moments()), *self.variables)
        return bool(polynomial.is_zero)

    def moments(self) -> dict[sympy.Symbol, sympy.Expr]:
        """Return the value of every scalar symbol of the three moments."""
        count = self.X.rows if self.mean else 1
        stem = "Sigma" if self.mean else "S"
        inputs, outputs = self.X.cols, self.Y.cols
        pairs = [
            (symmetric(f"{stem}_xx", inputs), self.X.T * self.X / count),
            (matrix(f"{stem}_yx", outputs, inputs), self.Y.T * self.X / count),
            (symmetric(f"{stem}_yy", outputs), self.Y.T * self.Y / count),
        ]
        return {
            symbol: value
            for symbols, values in pairs
            for symbol, value in zip(symbols, values, strict=True)
        }


def random_problem(
    widths: Sequence[int], *, samples: int = 3, mean: bool = True, decay: Any = 0
) -> Problem:
    """Return a problem with small random integers as samples."""
    random = Random(f"{widths}")
    X = integer_matrix(random, samples, widths[0])
    Y = integer_matrix(random, samples, widths[-1])
    return Problem(tuple(widths), X, Y, mean, decay)
