"""Random λ-balanced weights of two layers: W_2ᵀW_2 − W_1W_1ᵀ = λI.

λ = 0 is the balanced start; a large |λ| leads to the lazy regime.  For λ > 0 the
h × h matrix W_2ᵀW_2 = W_1W_1ᵀ + λI has full rank, which takes h ≤ m outputs, and for
λ < 0 W_1W_1ᵀ has, which takes h ≤ d inputs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import exact
from symflow.errors import InvalidArgument, shown
from symflow.inits.drawn import DrawnInit, Draws
from symflow.inits.init import HasWidths, integer_widths, number_of


@dataclass(frozen=True, repr=False)
class LambdaBalancedInit(DrawnInit):
    """Random λ-balanced weights; made by `lambda_balanced_init`."""

    call = "lambda_balanced_init(…)"
    lam: Any
    scale: Any
    seed: int

    @property
    def tags(self) -> frozenset[str]:
        """Every draw is λ-balanced; with λ = 0 it is balanced."""
        plain = {"balanced"} if exact(self.lam) == 0 else set()
        return frozenset({"lambda-balanced", *plain})

    def _sizes(self, network: HasWidths, data: Any) -> tuple[int, ...]:
        widths = integer_widths(network, self.call)
        self._check(widths)
        return widths

    def _weights(
        self, widths: tuple[int, ...], draws: Draws, data: Any
    ) -> tuple[Array, Array]:
        lam = draws.number(self.lam)
        if lam < 0:
            second, first = self._rising(widths[::-1], -lam, draws)
            return first.T, second.T
        if lam == 0:
            widths = (widths[0], min(widths), widths[2], widths[1])
        return self._rising(widths, lam, draws)

    def _rising(
        self, widths: tuple[int, ...], lam: Any, draws: Draws
    ) -> tuple[Array, Array]:
        """Return W_1 and W_2 for λ ≥ 0; a fourth width embeds the hidden layer."""
        inputs, hidden, outputs = widths[:3]
        rank = min(inputs, hidden)
        before = draws.frame(inputs, rank)
        inside = draws.frame(widths[-1] if widths[3:] else hidden, hidden)
        after = draws.frame(outputs, hidden)
        a = draws.strengths(rank, self.scale)
        b = np.concatenate([a * a, draws.lifted(np.zeros(hidden - rank))]) + lam
        first = (inside[:, :rank] * a) @ before.T
        return first, (after * b**0.5) @ inside.T

    def _check(self, widths: tuple[int, ...]) -> None:
        if len(widths) != 3:
            layers = len(widths) - 1
            msg = f"{self.call}: needs a network of 2 layers; this one has {layers}"
            raise InvalidArgument(msg)
        inputs, hidden, outputs = widths
        sign = exact(self.lam)
        limit, side = (outputs, "outputs") if sign > 0 else (inputs, "inputs")
        if sign != 0 and hidden > limit:
            other = hidden <= (inputs if sign > 0 else outputs)
            feasible = ("λ ≤ 0" if sign > 0 else "λ ≥ 0") if other else "λ = 0 alone"
            relation = "W₂ᵀW₂ = W₁W₁ᵀ + λI" if sign > 0 else "W₁W₁ᵀ = W₂ᵀW₂ + |λ|I"
            msg = (
                f"lambda_balanced_init(lam={self.lam}): {relation} has full rank, so "
                f"the {hidden} hidden units may not outnumber the {limit} {side}. "
                f"Feasible here: {feasible}; or take at most {limit} hidden units"
            )
            raise InvalidArgument(msg)


def lambda_balanced_init(
    lam: Any, scale: Any = 1.0, *, rng: Any = None
) -> LambdaBalancedInit:
    """Draw two layers with W_2ᵀW_2 − W_1W_1ᵀ = λI.

    The weaker layer has singular values uniform between scale/2 and 3·scale/2 and Haar
    random frames; those of the other are √(s² + |λ|).

    Parameters
    ----------
    lam : float, Fraction or SymPy number
        λ; positive values need at most as many hidden units as outputs, negative ones
        at most as many as inputs.
    scale : float, Fraction or SymPy number
        Size of the singular values of the weaker layer, positive.
    rng : None, int or numpy.random.Generator, keyword-only
        Fixes the draw; None takes fresh entropy, shown in the repr.

    Returns
    -------
    LambdaBalancedInit
        The rule; it draws the same weights each time for the same network.

    Raises
    ------
    InvalidArgument
        If λ is not a real number or the scale is not positive.

    References
    ----------
    C. C. J. Dominé et al., "From lazy to rich: exact learning dynamics in deep linear
    networks", ICLR 2025.

    Examples
    --------
    >>> lambda_balanced_init(-0.5, rng=3)
    lambda_balanced_init(-0.5, 1.0, rng=3)
    """
    if isinstance(lam, (str, bool)) or number_of(lam) is None:
        msg = f"lambda_balanced_init(lam=…): needs a real number; got {shown(lam)}"
        raise InvalidArgument(msg)
    return LambdaBalancedInit(lam, scale, rng)
