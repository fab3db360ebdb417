"""The rank-one flow: what a balanced start of rank one makes of W = s u vᵀ.

With F = −∂ℓ/∂W at W = s u vᵀ, |u| = |v| = 1, ρ = uᵀFv and any depth L ≥ 2,

    ṡ = L s^{2−2/L} ρ,   u̇ = s^{1−2/L}(Fv − ρu),   v̇ = s^{1−2/L}(Fᵀu − ρv).

Every positive power of WWᵀ is a multiple of uuᵀ, so that of the L terms of the balanced
end-to-end flow only the first and the last turn v and u.  For whitened input these are
the equations of Eftekhari (2020), which `solve` integrates.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy

from symflow.algebra.display import Listed, Typeset
from symflow.algebra.nodes import Leaf, Node, product, scale, transpose
from symflow.algebra.sympy_form import to_sympy
from symflow.algebra.text import inline
from symflow.algebra.threads import cached_property
from symflow.algebra.typeset import latex
from symflow.errors import NoClosedForm
from symflow.losses import Loss
from symflow.networks import AbstractNetwork

S = sympy.Symbol("s", positive=True)


@dataclass(frozen=True)
class RankOneFlow(Typeset):
    """The flow of s, u and v for balanced weights of rank one; any loss and data.

    Raises
    ------
    NoClosedForm
        If the network or the loss is another.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork("d", 1, "m"), sf.SquaredLoss())
    >>> print(flow.end_to_end.rank_one)
    ṡ = 2·s·uᵀ(Σ_yx − s·uvᵀΣ_xx)v
    u̇ = (Σ_yx − s·uvᵀΣ_xx)v − uuᵀ(Σ_yx − s·uvᵀΣ_xx)v
    v̇ = (Σ_yxᵀ − s·Σ_xx·vuᵀ)u − vuᵀ(Σ_yx − s·uvᵀΣ_xx)v
    >>> flow.end_to_end.rank_one.verify()
    0
    """

    network: AbstractNetwork  #: A product of two or more dense layers.
    loss: Loss  #: The loss, without weight decay.

    def __post_init__(self) -> None:
        network = self.network
        if not network.is_dense or network.depth < 2 or self.loss.l2 != 0:
            msg = (
                "the rank-one flow is that of two or more dense layers without weight "
                f"decay; got {network!r} and {self.loss!r}"
            )
            raise NoClosedForm(msg)

    @cached_property
    def state(self) -> tuple[sympy.Basic, ...]:
        """The symbols s, u (outputs × 1) and v (inputs × 1)."""
        inputs, outputs = self.network.widths[0], self.network.widths[-1]
        u, v = sympy.MatrixSymbol("u", outputs, 1), sympy.MatrixSymbol("v", inputs, 1)
        return S, u, v

    @cached_property
    def force(self) -> sympy.MatrixExpr:
        """F = −∂ℓ/∂W at W = s u vᵀ."""
        return to_sympy(self._force)

    @property
    def _force(self) -> Node:
        _, u, v = self.state
        matrix = scale(S, product(Leaf(u), transpose(Leaf(v))))
        return self.loss.force(matrix)

    @cached_property
    def rhs(self) -> tuple[sympy.Basic, ...]:
        """ṡ as a 1×1 matrix, u̇ and v̇."""
        _, u, v = self.state
        depth, force = self.network.depth, to_sympy(self._force)
        power = sympy.Rational(depth - 2, depth)
        turning = S**power
        back = to_sympy(transpose(self._force))
        rho = u.T * force * v
        return (
            depth * S ** (power + 1) * rho,
            turning * (force * v - u * rho),
            turning * (back * u - v * rho),
        )

    @property
    def equations(self) -> tuple[sympy.Eq, ...]:
        """ṡ = …, u̇ = …, v̇ = …."""
        _, u, v = self.state
        dots = (
            sympy.MatrixSymbol("sdot", 1, 1),
            sympy.MatrixSymbol("udot", *u.shape),
            sympy.MatrixSymbol("vdot", *v.shape),
        )
        pairs = zip(dots, self.rhs, strict=True)
        return Listed(sympy.Eq(dot, side, evaluate=False) for dot, side in pairs)

    def verify(self) -> sympy.Expr:
        """Return Ẇ of s u vᵀ less the balanced end-to-end flow, for any L and widths.

        In symbols that do not commute, with uᵀFv = ρ; (WWᵀ)^p is s^{2p}uuᵀ for p > 0
        and the identity for p = 0.
        """
        depth = sympy.Symbol("L", positive=True)
        return _gap(depth, depth - 2)

    def __str__(self) -> str:
        return "\n".join(inline(equation) for equation in self.equations)

    __repr__ = __str__

    def _repr_latex_(self) -> str:
        rows = r" \\ ".join(latex(equation) for equation in self.equations)
        return rf"$\displaystyle \begin{{gathered}}{rows}\end{{gathered}}$"


def _gap(depth: sympy.Expr, inner: sympy.Expr) -> sympy.Expr:
    """Return the residual, where `inner` terms of the end-to-end flow turn nothing."""
    rho = sympy.Symbol("rho")
    u, ut, v, vt, force = sympy.symbols("u ut v vt F", commutative=False)
    speed = S ** (2 - 2 / depth)
    # ṡuvᵀ + su̇vᵀ + suv̇ᵀ
    moved = (
        depth * rho * u * vt + (force * v - rho * u) * vt + u * (ut * force - rho * vt)
    )
    whole = force * v * vt + u * ut * force + inner * rho * u * vt
    return sympy.simplify(sympy.expand(speed * (moved - whole)))
