"""What a loss has to say about itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import sympy

from symflow.algebra.arrays import Array
from symflow.algebra.nodes import Node
from symflow.algebra.widths import Width


class Loss(ABC):
    """A function ℓ of the end-to-end matrix and the data, plus weight decay.

    The training objective is ℓ(W(θ)) + ½ λ Σ‖W_l‖²_F, with λ = `l2`.
    """

    l2: sympy.Expr

    @abstractmethod
    def data_symbols(
        self, inputs: Width, outputs: Width
    ) -> tuple[sympy.MatrixSymbol, ...]:
        """Return the data matrices that the gradient reads, in argument order."""

    @abstractmethod
    def value(self, end_to_end: Node) -> Node:
        """Return ℓ as a scalar node in W and the data (those of the loss included)."""

    @abstractmethod
    def force(self, end_to_end: Node) -> Node:
        """Return −∂ℓ/∂W as a node."""

    @abstractmethod
    def arrays(self, data: Any) -> dict[str, Array]:
        """Return the array of every data symbol, by the symbol's name."""
