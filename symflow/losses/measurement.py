"""Half the squared error of linear measurements, ½ Σ_k (⟨A_k, W⟩ − y_k)².

Row k of the matrix Φ holds the entries of A_k, row by row, so that the measurements of
W are Φ vec(W), and with mat, the inverse of vec,

    ℓ(W) = ½ ‖y − Φ vec(W)‖²,    −∂ℓ/∂W = mat(Φᵀ(y − Φ vec(W)), m),

which is Σ_k (y_k − ⟨A_k, W⟩) A_k.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy

from symflow.algebra.arrays import Array
from symflow.algebra.embeddings import flattened, folded
from symflow.algebra.nodes import Leaf, Node, product, scale, subtract, trace, transpose
from symflow.algebra.symbols import SampleCount
from symflow.algebra.widths import Width
from symflow.errors import InvalidArgument
from symflow.losses.loss import Loss, as_decay


@dataclass(frozen=True)
class MeasurementLoss(Loss):
    """The loss of matrix sensing and completion; its data are `Measurements`.

    Parameters
    ----------
    l2 : number, str, sympy.Symbol, or one of these per weight
        Weight decay, as for `SquaredLoss`.

    Raises
    ------
    InvalidArgument
        If λ is negative.

    Examples
    --------
    >>> import symflow as sf
    >>> print(sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), MeasurementLoss()))
    Ẇ₁ = W₂ᵀmat(Φᵀ(y − Φ·vec(W₂W₁)), m)
    Ẇ₂ = mat(Φᵀ(y − Φ·vec(W₂W₁)), m)W₁ᵀ
    >>> MeasurementLoss(l2=0.25).l2
    1/4
    """

    l2: Any = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "l2", as_decay(self.l2, "MeasurementLoss"))

    def data_symbols(
        self, inputs: Width, outputs: Width
    ) -> tuple[sympy.MatrixSymbol, ...]:
        """Return the symbols of Φ (k × outputs·inputs) and y (k × 1)."""
        count = SampleCount("k")
        return (
            sympy.MatrixSymbol("Phi", count, outputs * inputs),
            sympy.MatrixSymbol("y", count, 1),
        )

    def labels(self, end_to_end: Node) -> dict[Node, str]:
        """Name the residuals."""
        return {self.residuals(end_to_end): "residuals"}

    def residuals(self, end_to_end: Node) -> Node:
        """Return y − Φ vec(W) at W = `end_to_end`, one number per measurement."""
        outputs, inputs = end_to_end.shape
        phi, y = (Leaf(symbol) for symbol in self.data_symbols(inputs, outputs))
        return subtract(y, product(phi, flattened(end_to_end)))

    def value(self, end_to_end: Node) -> Node:
        """Return ½ ‖y − Φ vec(W)‖²."""
        left = self.residuals(end_to_end)
        return scale(sympy.Rational(1, 2), trace(product(transpose(left), left)))

    def force(self, end_to_end: Node) -> Node:
        """Return mat(Φᵀ(y − Φ vec(W)))."""
        outputs, inputs = end_to_end.shape
        phi = Leaf(self.data_symbols(inputs, outputs)[0])
        pulled = product(transpose(phi), self.residuals(end_to_end))
        return folded(pulled, outputs, inputs)

    def arrays(self, data: Any) -> dict[str, Array]:
        """Return the matrices A_k as rows, and the column of the y_k.

        Raises
        ------
        InvalidArgument
            If the data are no `Measurements`.
        """
        if not _are_measurements(data):
            msg = (
                "MeasurementLoss(): needs sf.Measurements(A, y) as data; got "
                f"{type(data).__name__}"
            )
            raise InvalidArgument(msg)
        return {"Phi": data.rows, "y": data.y.reshape(-1, 1)}

    def declared(
        self, data: Any, inputs: Width, outputs: Width
    ) -> list[tuple[str, tuple[Width, Width], tuple[int, int]]]:
        """Return the shape of the measured matrix, which Φ does not show.

        It is declared as (`outputs`, `inputs`) for `data`.
        """
        if not _are_measurements(data):
            return []
        return [("data: the measured matrix", (outputs, inputs), data.shape)]

    def __repr__(self) -> str:
        return f"MeasurementLoss({'' if self.l2 == 0 else f'l2={self.l2}'})"


def _are_measurements(data: Any) -> bool:
    return hasattr(data, "rows") and hasattr(data, "y")
