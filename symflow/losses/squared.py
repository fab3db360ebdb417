"""The squared loss ½ n⁻¹ ‖Y − X Wᵀ‖²_F, through the moments of the data.

Rows of X and Y are samples.  With Σ_xx = XᵀX/n, Σ_yx = YᵀX/n, Σ_yy = YᵀY/n it is

    ℓ(W) = ½ tr(W Σ_xx Wᵀ) − tr(W Σ_yxᵀ) + ½ tr Σ_yy,    −∂ℓ/∂W = Σ_yx − W Σ_xx,

and `reduction="sum"` replaces the three moments by S_xx = XᵀX, S_yx = YᵀX, S_yy = YᵀY.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array, has_sets, is_exact_array
from symflow.algebra.balls import gram_of_sets
from symflow.algebra.nodes import (
    Leaf,
    Node,
    add,
    product,
    scale,
    subtract,
    trace,
    transpose,
)
from symflow.algebra.symbols import SymmetricMatrixSymbol
from symflow.algebra.widths import Width
from symflow.errors import InvalidArgument
from symflow.losses.loss import AveragedLoss


@dataclass(frozen=True, repr=False)
class SquaredLoss(AveragedLoss):
    """Half the mean (or summed) squared error, optionally with weight decay.

    Parameters
    ----------
    reduction : {"mean", "sum"}
        Whether the squared errors are averaged over the samples.
    l2 : number, str, sympy.Symbol, or one of these per weight
        Weight decay λ: adds ½ λ Σ‖W_l‖²_F.  A float is read as the decimal that it
        prints (0.1 is 1/10); a name keeps λ symbolic, for derivations.  A tuple
        (λ_1, λ_2, …) is one λ for every weight, in the order of the weights.

    Raises
    ------
    InvalidArgument
        If the reduction is unknown or λ is negative.

    Examples
    --------
    >>> SquaredLoss(l2="lambda").l2
    lambda
    >>> SquaredLoss(l2=0.1).l2
    1/10
    """

    @property
    def prefix(self) -> str:
        """Name of the moments: Sigma (means) or S (sums)."""
        return "Sigma" if self.reduction == "mean" else "S"

    def data_symbols(
        self, inputs: Width, outputs: Width
    ) -> tuple[sympy.MatrixSymbol, ...]:
        """Return the symbols of Σ_xx (inputs × inputs) and Σ_yx (outputs × inputs)."""
        across = sympy.MatrixSymbol(f"{self.prefix}_yx", outputs, inputs)
        return SymmetricMatrixSymbol(f"{self.prefix}_xx", inputs, inputs), across

    def value_symbols(
        self, inputs: Width, outputs: Width
    ) -> tuple[sympy.MatrixSymbol, ...]:
        """Return the symbol of Σ_yy (outputs × outputs)."""
        return (SymmetricMatrixSymbol(f"{self.prefix}_yy", outputs, outputs),)

    @property
    def example_kinds(self) -> dict[str, str]:
        """Σ_xx and Σ_yy are covariances."""
        return dict.fromkeys((f"{self.prefix}_xx", f"{self.prefix}_yy"), "covariance")

    def value(self, end_to_end: Node) -> Node:
        """Return ½ tr(W Σ_xx Wᵀ) − tr(W Σ_yxᵀ) + ½ tr Σ_yy."""
        outputs, inputs = end_to_end.shape
        sigma_xx, sigma_yx = (Leaf(s) for s in self.data_symbols(inputs, outputs))
        (sigma_yy,) = (Leaf(s) for s in self.value_symbols(inputs, outputs))
        half = sympy.Rational(1, 2)
        fitted = product(product(end_to_end, sigma_xx), transpose(end_to_end))
        cross = product(end_to_end, transpose(sigma_yx))
        return add(
            scale(half, trace(fitted)),
            scale(-1, trace(cross)),
            scale(half, trace(sigma_yy)),
        )

    def force(self, end_to_end: Node) -> Node:
        """Return Σ_yx − W Σ_xx."""
        outputs, inputs = end_to_end.shape
        sigma_xx, sigma_yx = (Leaf(s) for s in self.data_symbols(inputs, outputs))
        return subtract(sigma_yx, product(end_to_end, sigma_xx))

    def arrays(self, data: Any) -> dict[str, Array]:
        """Return the moments of `data` (a `Dataset` or `Moments`) by symbol name.

        Raises
        ------
        InvalidArgument
            If sums are needed and the moments do not say for how many samples.
        """
        moments = data.moments()
        parts = {"xx": moments.sigma_xx, "yx": moments.sigma_yx, "yy": moments.sigma_yy}
        given = {name: part for name, part in parts.items() if part is not None}
        if self.reduction == "sum":
            if moments.n is None:
                msg = (
                    "SquaredLoss(reduction='sum'): sums need the number of samples, "
                    "and these moments have n=None. Give Moments(…, n=…)"
                )
                raise InvalidArgument(msg)
            given = {name: _times(part, moments.n) for name, part in given.items()}
        return {f"{self.prefix}_{name}": part for name, part in given.items()}


def _times(part: Array, count: int) -> Array:
    factor: Any = sympy.Integer(count) if is_exact_array(part) else float(count)
    if has_sets(part):
        return gram_of_sets(part.T, np.eye(part.shape[1]) * count, 1)
    return np.asarray(part * factor)
