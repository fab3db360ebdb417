"""The row space of U in the symmetric factorization W = UUᵀ, a point that never moves.

The flow is U̇ = AU with a symmetric A, which is F + Fᵀ without weight decay, so that
U(t) = G(t)U(0): the rows of U always span what they span at the start.  If U has more
columns than rows, h > d, this says something, and the projection onto that space,
P = Uᵀ(UUᵀ)⁻¹U, is conserved: d(h − d) numbers, the dimension of the Grassmannian.

With B = (UUᵀ)⁻¹ and R = U − UUᵀBU = 0 the proof reads Ṗ = RᵀABU + UᵀBAR.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sympy

from symflow.algebra.elementwise import Inverse
from symflow.algebra.nodes import Leaf, Node, add, product, scale, subtract, transpose
from symflow.algebra.rank import Rank
from symflow.algebra.symbols import SymmetricMatrixSymbol
from symflow.algebra.threads import cached_property
from symflow.claims import Hypothesis
from symflow.conservation.law import Law
from symflow.conservation.proof import ProofStep, step
from symflow.conservation.symmetries import pace_of
from symflow.flow import GradientFlow, dotted
from symflow.networks import SymmetricFactorization


@dataclass(frozen=True, repr=False)
class RowSpace(Law):
    """The projection onto the row space of U, for W = UUᵀ with h > d.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.SymmetricFactorization(1, 2), sf.SquaredLoss())
    >>> (law,) = sf.conserved(flow)
    >>> law.value([[[3.0, 4.0]]]).round(6).tolist()
    [[0.36, 0.48], [0.48, 0.64]]
    """

    flow: GradientFlow  #: Of a `SymmetricFactorization` with more columns than rows.
    rank: Rank | None = None  #: That of U at a start, where one is given.

    degree = 0
    name = "row space of U"
    involved = (0,)

    @cached_property
    def node(self) -> Node:
        """Uᵀ(UUᵀ)⁻¹U."""
        factor = Leaf(self.flow.state[0])
        inverse = Inverse(product(factor, transpose(factor)))
        return product(transpose(factor), inverse, factor)

    @property
    def hypotheses(self) -> tuple[Hypothesis, ...]:
        """The form of the model, and that its rows are independent."""
        form = Hypothesis(f"the model is {self.flow.network!r}", holds=True)
        words, rank = "the rows of U are independent at the start", self.rank
        if rank is None:
            detail = "not checked, no start is given"
            return form, Hypothesis(words, True, detail, exact=False)
        whole = rank.value == self.flow.network.widths[0]
        return form, Hypothesis(words, whole, str(rank), exact=rank.exact)

    def proof(self) -> Sequence[ProofStep]:
        """Return the proof for every width and force F, with B = (UUᵀ)⁻¹.

        Examples
        --------
        >>> import symflow as sf
        >>> flow = sf.gradient_flow(sf.SymmetricFactorization(2, 4), sf.SquaredLoss())
        >>> print(sf.conserved(flow)[0].proof()[0])
        U̇ = FU + FᵀU    [chain rule, F = −∂ℓ/∂W: of the form AU with a symmetric A]
        """
        symbol, size = self.flow.state[0], self.flow.state[0].shape[0]
        U, rate = Leaf(symbol), Leaf(dotted(symbol))
        A = Leaf(SymmetricMatrixSymbol("A", size, size))
        B = Leaf(SymmetricMatrixSymbol("B", size, size))
        rest = Leaf(sympy.MatrixSymbol("R", *symbol.shape))
        pulled = pace_of(self.flow).velocities()[symbol]
        meaning = {
            dotted(symbol): product(A, U),
            rest.symbol: subtract(U, product(U, transpose(U), B, U)),
        }
        gram = add(product(rate, transpose(U)), product(U, transpose(rate)))
        slope = scale(-1, product(B, gram, B))
        derivative = add(
            product(transpose(rate), B, U),
            product(transpose(U), slope, U),
            product(transpose(U), B, rate),
        )
        zero = add(product(transpose(rest), A, B, U), product(transpose(U), B, A, rest))
        rule = "chain rule, F = −∂ℓ/∂W: of the form AU with a symmetric A"
        words = "U̇ = AU, Ḃ = −B(UUᵀ)˙B, and R = U − UUᵀBU is zero"
        return [
            step(rate, pulled, rule, {dotted(symbol): pulled}),
            step(derivative, zero, words, meaning),
        ]


def row_laws(flow: GradientFlow) -> list[Law]:
    """Return the law of the row space where U has more columns than rows."""
    network = flow.network
    if not isinstance(network, SymmetricFactorization):
        return []
    inputs, rank = network.inputs, network.rank
    wide = isinstance(inputs, int) and isinstance(rank, int) and rank > inputs
    return [RowSpace(flow)] if wide else []
