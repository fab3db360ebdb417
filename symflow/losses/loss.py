"""What a loss has to say about itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import sympy

from symflow.algebra.arrays import Array
from symflow.algebra.display import Sheet
from symflow.algebra.nodes import Leaf, Node
from symflow.algebra.numbers import coefficient
from symflow.algebra.sympy_form import to_sympy
from symflow.algebra.text import inline
from symflow.algebra.widths import Width
from symflow.errors import InvalidArgument, one_of, shown


class Loss(ABC):
    """A function ℓ of the end-to-end matrix and the data, plus weight decay.

    The training objective is ℓ(W(θ)) + ½ λ Σ‖W_l‖²_F, with λ = `l2`; where that is a
    tuple, every weight has a λ_l of its own.

    Examples
    --------
    >>> import symflow as sf
    >>> sf.SquaredLoss(l2=0.1).l2, isinstance(sf.SquaredLoss(), sf.Loss)
    (1/10, True)
    """

    l2: sympy.Expr | sympy.Tuple

    @abstractmethod
    def data_symbols(
        self, inputs: Width, outputs: Width
    ) -> tuple[sympy.MatrixSymbol, ...]:
        """Return the data matrices that the gradient reads, in argument order.

        They are as wide as the `inputs` and as high as the `outputs` of the network.
        """

    def value_symbols(
        self, inputs: Width, outputs: Width
    ) -> tuple[sympy.MatrixSymbol, ...]:
        """Return further data matrices that only the value reads.

        `inputs` and `outputs` are the sizes of the network.  Where the data do not
        have such a matrix, it counts as zero in the value.
        """
        return ()

    @property
    def parameters(self) -> tuple[sympy.Symbol, ...]:
        """The scalar symbols that are still without a value, in argument order."""
        return tuple(sorted(self.l2.free_symbols, key=str))

    def labels(self, end_to_end: Node) -> dict[Node, str]:
        """Return names for parts of value and force at `end_to_end`."""
        return {}

    @property
    def example_kinds(self) -> dict[str, str]:
        """What example data look like, by symbol name, where not Gaussian.

        "covariance" is a positive semidefinite matrix, "signs" has entries ±1.
        """
        return {}

    @abstractmethod
    def value(self, end_to_end: Node) -> Node:
        """Return ℓ at W = `end_to_end` as a scalar node, its data included."""

    @abstractmethod
    def force(self, end_to_end: Node) -> Node:
        """Return −∂ℓ/∂W at W = `end_to_end` as a node."""

    @abstractmethod
    def arrays(self, data: Any) -> dict[str, Array]:
        """Return the array of every data symbol, by the symbol's name."""

    def declared(
        self, data: Any, inputs: Width, outputs: Width
    ) -> list[tuple[str, tuple[Width, Width], tuple[int, int]]]:
        """Return what `data` say of `inputs` and `outputs` beside their arrays.

        Returns
        -------
        list of tuple
            What it is, the shape in widths, and the shape in numbers.
        """
        return []

    def _formula(self) -> sympy.Expr:
        """Return ℓ(W) for a matrix W of any size."""
        sizes = sympy.symbols("m d", integer=True, positive=True)
        return to_sympy(self.value(Leaf(sympy.MatrixSymbol("W", *sizes))))

    def _repr_markdown_(self) -> str:
        formula = sympy.Eq(sympy.Symbol("ell"), self._formula(), evaluate=False)
        decay = "" if self.l2 == 0 else f"plus ½·{inline(self.l2)}·Σ‖W_l‖²"
        if isinstance(self.l2, sympy.Tuple):
            decay = f"plus ½·Σλ_l·‖W_l‖², λ = {inline(self.l2)}"
        return Sheet(
            repr(self), formulas=(formula,), notes=(decay,) * bool(decay)
        ).markdown()


@dataclass(frozen=True, repr=False)
class AveragedLoss(Loss):
    """A loss that is averaged, or summed, over the samples."""

    reduction: str = "mean"
    l2: Any = 0

    def __post_init__(self) -> None:
        loss, reduction = type(self).__name__, self.reduction
        one_of(reduction, ("mean", "sum"), f"{loss}(reduction=…)")
        object.__setattr__(self, "l2", as_decay(self.l2, loss))

    def __repr__(self) -> str:
        options = [] if self.reduction == "mean" else [f"reduction={self.reduction!r}"]
        options += [] if self.l2 == 0 else [f"l2={self.l2}"]
        return f"{type(self).__name__}({', '.join(options)})"


def as_decay(value: Any, loss: str) -> sympy.Expr | sympy.Tuple:
    """Return a weight decay as an exact number or a symbol, or a tuple of these.

    A float is read as the decimal that it prints; a name becomes a symbol.  An error
    names the `loss`.  Raises InvalidArgument if it is negative or no number.
    """
    many = (list, tuple, sympy.Tuple)
    if isinstance(value, many):
        if any(isinstance(part, many) for part in value):
            msg = f"{loss}(l2=…): needs one number for each weight; got {shown(value)}"
            raise InvalidArgument(msg)
        return sympy.Tuple(*(as_decay(part, loss) for part in value))
    decay = coefficient(value, f"{loss}(l2=…)", nonnegative=True)
    if decay.is_negative:
        msg = f"{loss}(l2=…): weight decay cannot be negative; got {shown(value)}"
        raise InvalidArgument(msg)
    return decay
