"""Losses of the margins y f(x), for labels ±1: exponential and logistic.

With the margins M = Y ∘ (X Wᵀ), one row per sample, both are

    ℓ(W) = n⁻¹ Σ φ(M),    −∂ℓ/∂W = −n⁻¹ (Y ∘ φ'(M))ᵀ X,

where φ(z) = e⁻ᶻ, or φ(z) = log(1 + e⁻ᶻ) = softplus(−z) with −φ'(z) = sigmoid(−z), which
neither overflows nor cancels for any margin.  `reduction="sum"` drops the n⁻¹.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import sympy

from symflow.algebra.arrays import Array
from symflow.algebra.elementwise import Softmax, elementwise, hadamard, total
from symflow.algebra.functions import Z, sigmoid, softplus
from symflow.algebra.nodes import Leaf, Node, product, scale, transpose
from symflow.algebra.symbols import SampleCount
from symflow.algebra.widths import Width
from symflow.errors import InvalidData, expect
from symflow.losses.loss import AveragedLoss


@dataclass(frozen=True, repr=False)
class MarginLoss(AveragedLoss):
    """A sum over samples and outputs of a decreasing function φ of the margin."""

    #: φ, −φ' in a stable form, and log(−φ') up to a constant, as expressions in `Z`.
    profile: ClassVar[sympy.Expr]
    pull: ClassVar[sympy.Expr]
    log_pull: ClassVar[sympy.Expr]

    def data_symbols(
        self, inputs: Width, outputs: Width
    ) -> tuple[sympy.MatrixSymbol, ...]:
        """Return the symbols of X (n × inputs) and of the labels Y (n × outputs)."""
        count = SampleCount("n")
        return (
            sympy.MatrixSymbol("X", count, inputs),
            sympy.MatrixSymbol("Y", count, outputs),
        )

    @property
    def example_kinds(self) -> dict[str, str]:
        """Labels are ±1."""
        return {"Y": "signs"}

    def labels(self, end_to_end: Node) -> dict[Node, str]:
        """Name the margins."""
        return {self.margins(end_to_end): "margins"}

    def margins(self, end_to_end: Node) -> Node:
        """Return Y ∘ (X Wᵀ), the margin of every sample and output."""
        x, y = self._leaves(end_to_end)
        return hadamard(y, product(x, transpose(end_to_end)))

    def value(self, end_to_end: Node) -> Node:
        """Return the mean, or the sum, of φ over all margins."""
        losses = elementwise(self.profile, self.margins(end_to_end))
        return scale(self._weight, total(losses))

    def force(self, end_to_end: Node) -> Node:
        """Return n⁻¹ (Y ∘ (−φ')(M))ᵀ X."""
        x, y = self._leaves(end_to_end)
        pulls = hadamard(y, elementwise(self.pull, self.margins(end_to_end)))
        return scale(self._weight, product(transpose(pulls), x))

    def shared_force(self, end_to_end: Node) -> Node:
        """Return the force divided by the sum of all −φ'(margin), Σp_i y_i x_i.

        The shares p add up to one, and are computed without underflow for any margin.
        """
        x, y = self._leaves(end_to_end)
        shares = Softmax(elementwise(self.log_pull, self.margins(end_to_end)))
        return product(transpose(hadamard(y, shares)), x)

    def arrays(self, data: Any) -> dict[str, Array]:
        """Return the samples of a `Dataset` by symbol name.

        Raises InvalidArgument if there are only moments, and InvalidData if a label is
        not ±1.
        """
        call = f"{type(self).__name__}()"
        needs = "the samples, Dataset(X, Y), being no function of the moments"
        expect(data, "X", call, needs)
        for label in data.Y.flat:
            if label not in (1, -1):
                msg = (
                    f"{call}: needs labels 1 and -1; got the label {label}. Encode "
                    "the two classes as 1 and -1"
                )
                raise InvalidData(msg)
        return {"X": data.X, "Y": data.Y}

    @property
    def _weight(self) -> sympy.Expr:
        return 1 / SampleCount("n") if self.reduction == "mean" else sympy.S.One

    def _leaves(self, end_to_end: Node) -> tuple[Leaf, Leaf]:
        outputs, inputs = end_to_end.shape
        x, y = self.data_symbols(inputs, outputs)
        return Leaf(x), Leaf(y)


@dataclass(frozen=True, repr=False)
class ExponentialLoss(MarginLoss):
    """The exponential loss, the mean over samples of Σ exp(−y f(x)), for labels ±1.

    Parameters
    ----------
    reduction : {"mean", "sum"}
        Whether the losses are averaged over the samples.
    l2 : number, str or sympy.Symbol
        Weight decay λ: adds ½ λ Σ‖W_l‖²_F; a name keeps λ symbolic.

    Raises
    ------
    InvalidArgument
        If the reduction is unknown or λ is negative.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork("d", 1), ExponentialLoss("sum"))
    >>> print(flow)
    Ẇ₁ = (Yᵀ∘exp(−(Yᵀ∘(W₁Xᵀ))))X
    >>> race = sf.gradient_flow(sf.LinearNetwork(1, 1), ExponentialLoss())
    >>> run = sf.simulate(race, sf.Dataset([[1.0]], [1.0]), [[[0.0]]], [0, 1])
    >>> run.loss.round(6).tolist()
    [1.0, 0.5]
    """

    profile, pull, log_pull = sympy.exp(-Z), sympy.exp(-Z), -Z


@dataclass(frozen=True, repr=False)
class LogisticLoss(MarginLoss):
    """The logistic loss, the mean over samples of Σ log(1 + exp(−y f(x))), labels ±1.

    Parameters
    ----------
    reduction : {"mean", "sum"}
        Whether the losses are averaged over the samples.
    l2 : number, str or sympy.Symbol
        Weight decay λ: adds ½ λ Σ‖W_l‖²_F; a name keeps λ symbolic.

    Raises
    ------
    InvalidArgument
        If the reduction is unknown or λ is negative.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), LogisticLoss())
    >>> data = sf.Dataset([1.0, -2.0], [1.0, -1.0])
    >>> run = sf.simulate(flow, data, [[[1.0]], [[1.0]]], [0, 1])
    >>> [round(value, 6) for value in run.loss.tolist()]
    [0.220095, 0.129551]
    """

    profile, pull, log_pull = softplus(-Z), sigmoid(-Z), -softplus(Z)
