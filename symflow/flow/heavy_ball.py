"""The heavy ball θ̈ + τθ̇ + ∇ℒ(θ) = 0: gradient flow with momentum.

The friction τ is constant, or c/t as in the limit of Nesterov's method, c = 3 (Su, Boyd
and Candès 2016).  From rest at t = 0 the latter has one regular solution,
θ̈(0) = −∇ℒ/(1 + c).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy

from symflow.algebra.display import Listed
from symflow.algebra.nodes import Leaf, Node, add, scale
from symflow.algebra.numbers import coefficient
from symflow.algebra.sympy_form import to_sympy
from symflow.algebra.text import inline
from symflow.algebra.threads import cached_property
from symflow.errors import InvalidArgument, shown
from symflow.flow.gradient_flow import GradientFlow, dotted, gradient_flow, latex_lines
from symflow.losses import Loss
from symflow.networks import AbstractNetwork


@dataclass(frozen=True)
class HeavyBall:
    """The equations of a heavy ball; made by `heavy_ball`.

    Parameters
    ----------
    flow : GradientFlow
        The flow of the same network and loss.
    friction : sympy.Expr
        τ ≥ 0: a number, a symbol, or c/t in the time t.

    Examples
    --------
    >>> import symflow as sf
    >>> sf.heavy_ball(sf.LinearNetwork("d", 1), sf.SquaredLoss(), 3).friction
    3
    """

    flow: GradientFlow
    friction: sympy.Expr

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
        """The weights, then their velocities."""
        return (*self.flow.state, *map(dotted, self.flow.state))

    @property
    def fading(self) -> sympy.Expr:
        """The number c of a friction c/t; 0 where the friction is constant."""
        return _over_time(self.friction)[0]

    @cached_property
    def accelerations(self) -> tuple[Node, ...]:
        """−∇ℒ − τθ̇ for every weight, as nodes in weights and velocities."""
        if self.friction == 0:
            return self.flow.directions
        pairs = zip(self.flow.directions, self.flow.state, strict=True)
        return tuple(
            add(force, scale(-self.friction, Leaf(dotted(symbol))))
            for force, symbol in pairs
        )

    @cached_property
    def equations(self) -> tuple[sympy.Eq, ...]:
        """Ẅ_l = …; the left sides are symbols named Wddot1, Wddot2, …."""
        return Listed(
            sympy.Eq(dotted(symbol, "ddot"), to_sympy(node), evaluate=False)
            for symbol, node in zip(self.flow.state, self.accelerations, strict=True)
        )

    def __str__(self) -> str:
        return "\n".join(map(inline, self.equations))

    def __repr__(self) -> str:
        header = f"HeavyBall of {self.loss!r} on {self.network!r}"
        return "\n".join([header, *(f"  {line}" for line in str(self).splitlines())])

    def _repr_latex_(self) -> str:
        return latex_lines(self.equations, f"{self.network!r}")


def heavy_ball(
    network: AbstractNetwork, loss: Loss, friction: Any = "tau"
) -> HeavyBall:
    """Derive the heavy ball θ̈ + τθ̇ + ∇ℒ(θ) = 0 of a network and a loss.

    Parameters
    ----------
    network : AbstractNetwork
        For example ``LinearNetwork("d", "h", "m")``; widths may be symbols.
    loss : Loss
        For example ``SquaredLoss()``.
    friction : number, str or sympy.Expr
        τ, not negative; a name becomes a symbol.  With ``t = sympy.Symbol("t")`` it may
        be c/t, for example ``3/t``.

    Returns
    -------
    HeavyBall
        The equations, for `conserved`, `count_conserved`, `simulate` and `precise`.

    Raises
    ------
    InvalidArgument
        If an argument is of the wrong kind, the friction is negative, or depends on t
        otherwise than as c/t.

    Examples
    --------
    >>> import symflow as sf
    >>> print(heavy_ball(sf.LinearNetwork("d", "h", "m"), sf.SquaredLoss()))
    Ẅ₁ = W₂ᵀ(Σ_yx − W₂W₁Σ_xx) − τ·Ẇ₁
    Ẅ₂ = (Σ_yx − W₂W₁Σ_xx)W₁ᵀ − τ·Ẇ₂
    >>> heavy_ball(sf.LinearNetwork("d", 1), sf.SquaredLoss(), "1/2").friction
    1/2
    """
    size, time = _over_time(friction)
    call = "heavy_ball(friction=…)"
    tau = coefficient(size if time else friction, call, nonnegative=True)
    if tau.is_negative:
        msg = f"{call}: cannot be negative; got {shown(friction)}"
        raise InvalidArgument(msg)
    flow = gradient_flow(network, loss)
    names = [symbol.name for symbol in flow.state]
    if not {*names}.isdisjoint(dotted(symbol).name for symbol in flow.state):
        msg = f"heavy_ball(network, …): a parameter has the name of a velocity; {names}"
        raise InvalidArgument(msg)
    return HeavyBall(flow, tau / time if time else tau)


def _over_time(friction: Any) -> tuple[sympy.Expr, sympy.Symbol | None]:
    """Return c and t of a friction c/t; 0 and None for one that is constant.

    Raises InvalidArgument where it depends on t in another way.
    """
    symbols = friction.free_symbols if isinstance(friction, sympy.Expr) else ()
    time = next((s for s in symbols if s.name == "t" and s != friction), None)
    if time is None:
        return sympy.S.Zero, None
    size = sympy.cancel(friction * time)
    if time in size.free_symbols:
        msg = (
            "heavy_ball(friction=…): needs a number, a symbol, or c/t with a number or "
            f"a symbol c; got {friction}"
        )
        raise InvalidArgument(msg)
    return size, time
