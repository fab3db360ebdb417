"""Gradient flow of a linear network: θ̇ = −∇ℒ(θ), derived for symbolic widths.

With the force F = −∂ℓ/∂W at the end-to-end matrix W = W_L⋯W_1, the chain rule gives

    Ẇ_l = Π_l[(W_L⋯W_{l+1})ᵀ F (W_{l−1}⋯W_1)ᵀ] − λ W_l,

where Π_l projects onto what layer l can represent and λ is the weight decay.  With
learning rates η_l of the layers, Ẇ_l is η_l times that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Self

import sympy

from symflow.algebra.display import Listed, Typeset
from symflow.algebra.nodes import Leaf, Node, add, product, scale, trace, transpose
from symflow.algebra.numbers import coefficient
from symflow.algebra.symbols import sample_count
from symflow.algebra.sympy_form import to_sympy
from symflow.algebra.text import inline
from symflow.algebra.threads import cached_property
from symflow.algebra.typeset import latex
from symflow.errors import HypothesisFailed, InvalidArgument, expect, shown
from symflow.flow.end_to_end import EndToEndFlow, decays_of, with_decay
from symflow.flow.entries import Entries, entries
from symflow.flow.log_loss_clock import CLOCKED, CLOCKED_LATEX, per_log_loss
from symflow.flow.specialize import specialized
from symflow.losses import Loss
from symflow.networks import AbstractNetwork

#: Longer formulas are cut in notebooks, where big LaTeX freezes the page.
LATEX_LIMIT = 5_000


@dataclass(frozen=True)
class GradientFlow(Typeset):
    """The gradient flow of `loss` on the parameters of `network`.

    Made by `gradient_flow`.  It is immutable, compares by its network and its loss,
    and displays as its equations.

    Parameters
    ----------
    network : AbstractNetwork
        The model, with integer or symbolic widths.
    loss : Loss
        The loss, as a function of the end-to-end matrix.
    clock : {"time", "log loss"}
        What counts as time; see `directional_flow`.
    learning_rates : tuple of sympy.Expr
        One factor η_l for the time derivative of every weight; empty if all are 1.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(3, 2, 1), sf.SquaredLoss())
    >>> [symbol.shape for symbol in flow.state]
    [(2, 3), (1, 2)]
    """

    network: AbstractNetwork
    loss: Loss
    clock: str = "time"
    learning_rates: tuple[sympy.Expr, ...] = ()

    @property
    def state(self) -> tuple[sympy.MatrixSymbol, ...]:
        """The weights W1, …, WL as matrix symbols."""
        return self.network.parameters

    @cached_property
    def data(self) -> tuple[sympy.MatrixSymbol, ...]:
        """The data matrices that the equations read, in kernel order."""
        widths = self.network.widths
        return self.loss.data_symbols(widths[0], widths[-1])

    @cached_property
    def force(self) -> Node:
        """F = −∂ℓ/∂W at the end-to-end matrix, as a node."""
        return self.loss.force(self.network.end_to_end_node)

    @cached_property
    def directions(self) -> tuple[Node, ...]:
        """The time derivative of every weight, as nodes that share their parts."""
        if self.clock == "log loss":
            return per_log_loss(self.network, self.loss)
        forced = self.network.pull_back(self.force)
        pulled = with_decay(self.network, forced, self.decays)
        if not self.learning_rates:
            return pulled
        pairs = zip(self.learning_rates, pulled, strict=True)
        return tuple(scale(rate, direction) for rate, direction in pairs)

    @property
    def decays(self) -> tuple[sympy.Expr, ...]:
        """The weight decay λ_l of every weight."""
        return decays_of(self.loss, self.network)

    @property
    def decays_differ(self) -> bool:
        """Whether the weights decay at several rates η_l λ_l."""
        several = isinstance(self.loss.l2, sympy.Tuple) or bool(self.learning_rates)
        return self.loss.l2 != 0 and several

    @property
    def is_gradient(self) -> bool:
        """Whether this is θ̇ = −∇ℒ itself: ordinary time, one rate for all weights."""
        return self.clock == "time" and not self.learning_rates

    @property
    def fading(self) -> Fraction:
        """The number c of a friction c/t, which only a heavy ball has."""
        return Fraction(0)

    @property
    def at_rest(self) -> GradientFlow:
        """The gradient flow of the model and the loss: this, but for a heavy ball."""
        return self

    def speed(self, weight: int) -> sympy.Expr:
        """Return the learning rate of one of the weights.

        Parameters
        ----------
        weight : int
            Counted from 0.

        Examples
        --------
        >>> import symflow as sf
        >>> net = sf.LinearNetwork(1, 1, 1)
        >>> flow = sf.gradient_flow(net, sf.SquaredLoss(), learning_rates=(1, 3))
        >>> flow.speed(1)
        3
        """
        return self.learning_rates[weight] if self.learning_rates else sympy.S.One

    @property
    def parameters(self) -> tuple[sympy.Symbol, ...]:
        """The scalar symbols that are still without a value, in argument order."""
        found = {s for rate in self.learning_rates for s in rate.free_symbols}
        found |= {*self.network.scalars}
        known = self.loss.parameters
        return (*known, *sorted(found - {*known}, key=str))

    @cached_property
    def objective(self) -> Node:
        """The training objective ℒ(θ), weight decay included, as a scalar node."""
        value = self.loss.value(self.network.end_to_end_node)
        if self.loss.l2 == 0:
            return value
        pairs = zip(self.decays, map(Leaf, self.state), strict=True)
        norms = [
            scale(decay / 2, trace(product(transpose(leaf), leaf)))
            for decay, leaf in pairs
            if decay != 0
        ]
        return add(value, *norms)

    @cached_property
    def rhs(self) -> tuple[sympy.MatrixExpr, ...]:
        """The time derivative of every weight, as SymPy matrix expressions.

        Examples
        --------
        >>> import symflow as sf
        >>> flow = sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), sf.SquaredLoss())
        >>> flow.rhs[1]
        (Sigma_yx - W2*W1*Sigma_xx)*W1.T
        """
        return tuple(to_sympy(direction) for direction in self.directions)

    @cached_property
    def equations(self) -> tuple[sympy.Eq, ...]:
        """Ẇ_l = … for every layer; the left sides are symbols named Wdot1, Wdot2 …."""
        return Listed(
            sympy.Eq(dotted(symbol), rhs, evaluate=False)
            for symbol, rhs in zip(self.state, self.rhs, strict=True)
        )

    @cached_property
    def potential(self) -> sympy.Expr:
        """The training objective as a SymPy expression in traces."""
        return to_sympy(self.objective)

    @cached_property
    def end_to_end(self) -> EndToEndFlow:
        """The induced flow of the end-to-end matrix W = W_L⋯W_1, in ordinary time.

        Raises
        ------
        HypothesisFailed
            If the layers have learning rates of their own.
        """
        if self.learning_rates:
            msg = (
                "flow.end_to_end: is derived for one learning rate; the layers have "
                f"{self.learning_rates}"
            )
            raise HypothesisFailed(msg)
        return EndToEndFlow(self.network, self.loss)

    def at(self, values: Mapping[Any, Any] | None = None, /, **named: Any) -> Self:
        """Return the flow with numbers, or other names, for some of its symbols.

        Parameters
        ----------
        values : mapping, positional-only, optional
            From a symbol or its name, which may be a word of Python as ``lambda`` is.
        **named : int or number
            The same by name: integers for widths, numbers for weight decays and rates.

        Raises
        ------
        InvalidArgument
            If the flow has no such symbol, or the value makes no sense for it.

        Examples
        --------
        >>> import symflow as sf
        >>> loss = sf.SquaredLoss(l2="lambda")
        >>> flow = sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), loss)
        >>> print(flow.at({"lambda": 2}, d=3, h=2, m=1))
        Ẇ₁ = W₂ᵀ(Σ_yx − W₂W₁Σ_xx) − 2·W₁
        Ẇ₂ = (Σ_yx − W₂W₁Σ_xx)W₁ᵀ − 2·W₂
        """
        needs = "a mapping from symbols to values"
        own = expect(values, Mapping | None, "flow.at(values)", needs) or {}
        return specialized(self, {**own, **named})

    def entries(
        self, widths: Sequence[int] | None = None, *, samples: int | None = None
    ) -> Entries:
        """Return the scalar ODEs at integer widths.

        Parameters
        ----------
        widths : sequence of int, optional
            Sizes from the input to the output, as for `LinearNetwork`; by default those
            of the network itself, if they are integers.
        samples : int, keyword-only, optional
            Number of samples, where the loss reads samples.

        Returns
        -------
        Entries
            A mapping from every scalar weight to its time derivative, both in plain
            SymPy symbols named like ``W1_0_2`` (layer, row, column).

        Raises
        ------
        ShapeMismatch
            If the widths contradict those of the network.
        InvalidArgument
            If the number of samples is needed and not given.

        Examples
        --------
        >>> import symflow as sf
        >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
        >>> flow.entries().rhs[0]
        W2_0_0*(-Sigma_xx_0_0*W1_0_0*W2_0_0 + Sigma_yx_0_0)
        """
        declared = [*self.network.widths]
        own = declared if widths is None else widths
        given = [*own] if isinstance(own, (list, tuple)) else own
        count = sample_count(self.data)
        if count is not None and isinstance(given, list):
            if samples is None:
                msg = (
                    "entries(widths): this loss reads samples. Say how many, for "
                    "example entries((2, 1), samples=3)"
                )
                raise InvalidArgument(msg)
            declared, given = [*declared, count], [*given, samples]
        known = self.network.constants
        rates = [rate.xreplace(known) for rate in self.rhs] if known else self.rhs
        return entries(declared, self.state, rates, given)

    def __str__(self) -> str:
        if self.clock != "time":
            return CLOCKED
        return "\n".join(inline(equation) for equation in self.equations)

    def __repr__(self) -> str:
        header = f"GradientFlow of {self.loss!r} on {self.network!r}"
        if self.learning_rates:
            listed = ", ".join(map(str, self.learning_rates))
            header += f", learning rates {listed}"
        if self.clock != "time":
            return f"{header}, in the clock of the {self.clock}\n  {CLOCKED}"
        return "\n".join([header, *(f"  {inline(eq)}" for eq in self.equations)])

    def _repr_latex_(self) -> str:
        if self.clock != "time":
            return CLOCKED_LATEX
        return latex_lines(self.equations, f"{self.network!r}")


def latex_lines(equations: Sequence[sympy.Eq], of: str) -> str:
    """Return equations below each other in LaTeX, or where to see very long ones."""
    lines: list[str] = []
    for equation in equations:
        lines.append(latex(equation).replace("=", "&=", 1))
        if sum(map(len, lines)) > LATEX_LIMIT:
            return f"`{of}`: {len(equations)} equations; see `.equations`"
    body = r" \\ ".join(lines)
    return rf"$\displaystyle \begin{{aligned}} {body} \end{{aligned}}$"


def gradient_flow(
    network: AbstractNetwork, loss: Loss, *, learning_rates: Sequence[Any] | None = None
) -> GradientFlow:
    """Derive the gradient flow θ̇ = −∇ℒ(θ) of a network and a loss.

    Parameters
    ----------
    network : AbstractNetwork
        For example ``LinearNetwork("d", "h", "m")``; widths may be symbols.
    loss : Loss
        For example ``SquaredLoss()``.
    learning_rates : sequence, keyword-only, optional
        A positive number or a name per weight, its speed; 1 for all without it.

    Returns
    -------
    GradientFlow
        The equations, as SymPy and as the structure from which code is made.

    Raises
    ------
    InvalidArgument
        If an argument is not a network or not a loss, or the rates are not one
        positive number or name per weight, or the weight decays not one per weight.

    Examples
    --------
    >>> import symflow as sf
    >>> print(sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), sf.SquaredLoss()))
    Ẇ₁ = W₂ᵀ(Σ_yx − W₂W₁Σ_xx)
    Ẇ₂ = (Σ_yx − W₂W₁Σ_xx)W₁ᵀ
    >>> net = sf.LinearNetwork("d", "h", "m")
    >>> flow = sf.gradient_flow(net, sf.SquaredLoss(), learning_rates=("alpha", 2))
    >>> print(sf.conserved(flow)[0])
    1/2·W₂ᵀW₂ − 1/α·W₁W₁ᵀ is conserved, for every width, loss and data set
    """
    call = "gradient_flow(network, loss)"
    expect(network, AbstractNetwork, call, "a network such as LinearNetwork(10, 5, 1)")
    expect(loss, Loss, call, "a loss such as SquaredLoss()")
    if isinstance(loss.l2, sympy.Tuple):
        decays = decays_of(loss, network)
        if len(set(decays)) == 1:  # what is known of one weight decay holds
            loss = replace(loss, l2=decays[0])  # type: ignore[type-var]
    rates = _rates(learning_rates, network)
    return GradientFlow(network, loss, learning_rates=rates)


def _rates(given: Any, network: AbstractNetwork) -> tuple[sympy.Expr, ...]:
    """Return learning rates as exact numbers or symbols; nothing if all are 1."""
    if given is None:
        return ()
    listed = [*given] if isinstance(given, list | tuple) else []
    call = "gradient_flow(…, learning_rates=…)"
    rates = [coefficient(rate, call, positive=True) for rate in listed]
    fine = len(rates) == network.depth and not any(r.is_nonpositive for r in rates)
    if not fine:
        msg = (
            f"{call}: needs a positive number or a name for each of the "
            f"{network.depth} weights {network.parameters}; got {shown(given)}"
        )
        raise InvalidArgument(msg)
    return () if all(rate == 1 for rate in rates) else tuple(rates)


def dotted(symbol: sympy.MatrixSymbol, mark: str = "dot") -> sympy.MatrixSymbol:
    """Return the symbol of the time derivative: W1 gives Wdot1, printed Ẇ₁.

    Other marks are ``"ddot"`` of the second derivative, and ``"next"`` of an iterate.
    """
    stem = symbol.name.rstrip("0123456789")
    return sympy.MatrixSymbol(f"{stem}{mark}{symbol.name[len(stem) :]}", *symbol.shape)
