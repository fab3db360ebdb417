"""Gradient descent θ⁺ = θ − η∇ℒ(θ), the discrete companion of gradient flow."""

from __future__ import annotations

from dataclasses import dataclass

import sympy

from symflow.algebra.display import Listed, Typeset
from symflow.algebra.nodes import Leaf, Node, add, scale
from symflow.algebra.sympy_form import to_sympy
from symflow.algebra.text import inline
from symflow.algebra.threads import cached_property
from symflow.errors import shown
from symflow.flow.gradient_flow import GradientFlow, dotted, gradient_flow, latex_lines
from symflow.flow.heavy_ball import HeavyBall
from symflow.losses import Loss
from symflow.networks import AbstractNetwork


@dataclass(frozen=True)
class GradientDescent(Typeset):
    """Gradient descent with a constant step size η; made by `gradient_descent`.

    Parameters
    ----------
    flow : GradientFlow
        The flow that it discretizes: θ⁺ = θ + ηθ̇.

    Examples
    --------
    >>> import symflow as sf
    >>> gd = sf.gradient_descent(sf.LinearNetwork("d", "h", 1), sf.SquaredLoss())
    >>> gd.step_size, len(gd.equations)
    (eta, 2)
    """

    flow: GradientFlow

    @property
    def network(self) -> AbstractNetwork:
        """The model."""
        return self.flow.network

    @property
    def loss(self) -> Loss:
        """The loss."""
        return self.flow.loss

    @property
    def state(self) -> tuple[sympy.MatrixSymbol, ...]:
        """The weights as matrix symbols."""
        return self.flow.state

    @property
    def step_size(self) -> sympy.Symbol:
        """The symbol η."""
        return sympy.Symbol("eta", positive=True)

    @cached_property
    def steps(self) -> tuple[Node, ...]:
        """The next weights, as nodes."""
        return tuple(
            add(Leaf(symbol), scale(self.step_size, direction))
            for symbol, direction in zip(
                self.flow.state, self.flow.directions, strict=True
            )
        )

    @cached_property
    def updates(self) -> tuple[sympy.MatrixExpr, ...]:
        """The next weights, as SymPy matrix expressions."""
        return tuple(map(to_sympy, self.steps))

    @cached_property
    def equations(self) -> tuple[sympy.Eq, ...]:
        """W_l⁺ = …; the left sides are symbols named Wnext1, Wnext2, ….

        Examples
        --------
        >>> import symflow as sf
        >>> gd = sf.gradient_descent(sf.LinearNetwork("d", "m"), sf.SquaredLoss())
        >>> gd.equations
          1. W₁⁺ = W₁ + η·(Σ_yx − W₁Σ_xx)
        """
        return Listed(
            sympy.Eq(dotted(symbol, "next"), update, evaluate=False)
            for symbol, update in zip(self.state, self.updates, strict=True)
        )

    def __str__(self) -> str:
        return "\n".join(map(inline, self.equations))

    def __repr__(self) -> str:
        header = f"GradientDescent of {self.loss!r} on {self.network!r}"
        return "\n".join([header, *(f"  {line}" for line in str(self).splitlines())])

    def _repr_latex_(self) -> str:
        return latex_lines(self.equations, f"{self.network!r}")


def flow_expected(call: str, given: object) -> str:
    """Return the message on what is no gradient flow, and what answers for descent."""
    advice = ""
    if isinstance(given, GradientDescent):
        advice = (
            ". Its flow is gd.flow, for which this answers; descend(gd, data, init, "
            "steps, step_size=…) runs the steps, and companions(gd.flow, data, init) "
            "has what is known of them"
        )
    if isinstance(given, HeavyBall):
        advice = (
            ". Its gradient flow is ball.flow, for which this answers; simulate, "
            "precise, conserved and count_conserved take the heavy ball itself"
        )
    msg = f"{call}: needs a gradient flow, as from gradient_flow(network, loss); "
    return f"{msg}got {shown(given)}{advice}"


def gradient_descent(network: AbstractNetwork, loss: Loss) -> GradientDescent:
    """Derive gradient descent θ⁺ = θ − η∇ℒ(θ) of a network and a loss.

    Parameters
    ----------
    network : AbstractNetwork
        For example ``LinearNetwork("d", "h", "m")``; widths may be symbols.
    loss : Loss
        For example ``SquaredLoss()``.

    Returns
    -------
    GradientDescent
        The update equations.

    Raises
    ------
    InvalidArgument
        If an argument is not a network or not a loss.

    Examples
    --------
    >>> import symflow as sf
    >>> print(sf.gradient_descent(sf.LinearNetwork("d", "h", "m"), sf.SquaredLoss()))
    W₁⁺ = W₁ + η·W₂ᵀ(Σ_yx − W₂W₁Σ_xx)
    W₂⁺ = W₂ + η·(Σ_yx − W₂W₁Σ_xx)W₁ᵀ
    >>> gd = sf.gradient_descent(sf.LinearNetwork(1, 1), sf.SquaredLoss())
    >>> run = sf.descend(gd, sf.whitened([[2]]), [[[0.0]]], 3, step_size=0.5)
    >>> run.end_to_end.ravel().tolist()
    [0.0, 1.0, 1.5, 1.75]
    """
    return GradientDescent(gradient_flow(network, loss))
