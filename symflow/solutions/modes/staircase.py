"""The vanishing-initialization limit of a spectral start: the modes jump, one by one.

Gidel, Bach, Lacoste-Julien (2019).  Two balanced layers whose modes all start with the
strength w₀ = e^{−2δ}: in the clock t = δs the logistic curves become steps as δ → ∞,

    w_i(δs) → 0  for s < 1/σ_i,    σ_i/(λ_i + σ_i)  at s = 1/σ_i,    σ_i/λ_i  after it,

so that W passes through partial sums of the singular vectors of Σ_yx, in the order of
σ_i.  The reduced-rank regressions keep the largest σ_i/√λ_i instead: the two paths are
the same exactly where both orders agree.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.threads import cached_property
from symflow.claims import TOLERANCE
from symflow.claims.bibliography import GIDEL_2019
from symflow.errors import HypothesisFailed, expect
from symflow.solutions.modes.joint_modes import joint_modes
from symflow.solutions.modes.spectral import LAM, SIGMA


@dataclass(frozen=True, eq=False)
class ModeStaircase:
    """The limit of vanishing initialization; made by `staircase`."""

    #: `sigma`, `lam`, shape (modes,): σ_i and λ_i, in the order in which the modes are
    #: learned.
    sigma: Array
    lam: Array
    #: `left`, `right`, shapes (outputs, modes) and (inputs, modes): u_i and v_i in
    #: columns.
    left: Array
    right: Array

    reference = GIDEL_2019  #: Where the limit comes from.

    @property
    def jumps(self) -> Array:
        """The times 1/σ_i, in units of δ, at which the modes are learned."""
        return 1 / self.sigma

    @property
    def final(self) -> Array:
        """The strengths σ_i/λ_i."""
        return self.sigma / self.lam

    def strengths(self, s: Any) -> Array:
        """Return the limit of w_i(δs), shape (…, modes)."""
        clock = np.asarray(s, dtype=float)[..., None]
        halfway = self.sigma / (self.lam + self.sigma)
        after = np.where(clock > self.jumps, self.final, halfway)
        return np.asarray(np.where(clock < self.jumps, 0.0, after))

    def end_to_end(self, s: Any) -> Array:
        """Return the limit of W(δs).

        Parameters
        ----------
        s : float or array_like
            Times in units of δ.

        Returns
        -------
        array
            Shape (…, outputs, inputs) for s of shape (…).
        """
        return np.asarray((self.left * self.strengths(s)[..., None, :]) @ self.right.T)

    @cached_property
    def visited(self) -> tuple[Array, ...]:
        """The matrices on the plateaus: after none, one, two … modes."""
        parts = [np.outer(u, v) * w for u, v, w in self._triples]
        zero = np.zeros((len(self.left), len(self.right)))
        return tuple(sum(parts[:count], zero) for count in range(len(parts) + 1))

    @cached_property
    def is_reduced_rank_path(self) -> bool:
        """Whether every plateau is the reduced-rank regression of its rank."""
        quality = self.sigma / np.sqrt(self.lam)
        return bool(np.all(np.diff(quality) <= 0))

    @property
    def _triples(self) -> list[tuple[Array, Array, float]]:
        return list(zip(self.left.T, self.right.T, self.final.tolist(), strict=True))

    def distance(self, delta: Any, s: Any) -> Array:
        """Return max_i |w_i(δs) − limit| for a finite δ, over the final strength.

        With p = λ_iw₀/σ_i it is |1/(1 + (1/p − 1) e^{−2δσ_is}) − step|: exponentially
        small off the jumps.

        Parameters
        ----------
        delta : float
            The modes start with e^{−2δ}.
        s : float or array_like
            Times in units of δ.
        """
        clock = np.asarray(s, dtype=float)[..., None]
        # exponent of the odds p/(1−p) of the logistic curve
        start = np.log(self.lam / self.sigma) - 2 * delta
        free = start - np.log1p(-np.exp(start))
        odds = free + 2 * delta * self.sigma * clock
        curve = np.exp(-np.logaddexp(0.0, -odds))
        steps = self.strengths(s) / self.final
        return np.asarray(np.abs(curve - steps).max(axis=-1))

    @property
    def formula(self) -> sympy.Expr:
        """The step function, in s, σ and λ."""
        s = sympy.Symbol("s", positive=True)
        return sympy.Piecewise(
            (0, s < 1 / SIGMA),
            (SIGMA / (LAM + SIGMA), sympy.Eq(s, 1 / SIGMA)),
            (SIGMA / LAM, True),
        )

    def verify(self) -> sympy.Expr:
        """Return the gaps between the three limits of the logistic curve and the steps.

        With D = e^{2δ} the curve at time δs is σ/(σD^{1−σs} + λ(1 − D^{−σs})); σs is
        set to ½, 1 and 2.
        """
        big, sigma = sympy.symbols("D sigma", positive=True)
        gaps = []
        for product, value in (
            (sympy.Rational(1, 2), sympy.S.Zero),
            (sympy.S.One, sigma / (LAM + sigma)),
            (sympy.S(2), sigma / LAM),
        ):
            below = sigma * big ** (1 - product) + LAM * (1 - big**-product)
            gaps.append(sympy.limit(sigma / below, big, sympy.oo) - value)
        return sympy.Add(*(sympy.simplify(gap) ** 2 for gap in gaps))

    def __repr__(self) -> str:
        steps = ", ".join(f"{time:.4g}" for time in self.jumps)
        path = "is" if self.is_reduced_rank_path else "is not"
        return (
            f"ModeStaircase of {len(self.sigma)} modes ({self.reference})\n"
            f"  jumps at t/δ = {steps}\n"
            f"  the path {path} that of reduced-rank regression"
        )


def staircase(data: Any) -> ModeStaircase:
    """Return the limit of vanishing initialization of a two-layer spectral start.

    Parameters
    ----------
    data : Dataset or Moments
        With Σ_xx and Σ_yx that have common singular vectors.

    Returns
    -------
    ModeStaircase
        Jump times, plateaus, and the distance of a finite start.

    Raises
    ------
    HypothesisFailed
        If Σ_xx and ΣᵀΣ do not commute.
    InvalidArgument
        If `data` are not data.

    Examples
    --------
    >>> import symflow as sf
    >>> steps = staircase(sf.whitened([[2, 0], [0, 0.5]]))
    >>> steps.jumps.tolist(), steps.is_reduced_rank_path
    ([0.5, 2.0], True)
    """
    expect(data, "moments", "staircase(data)", "a Dataset or Moments")
    moments = data.moments()
    modes = joint_modes(moments.sigma_xx, moments.sigma_yx, moments.sigma_yx)
    if modes.defect > TOLERANCE:
        msg = (
            "staircase(data): Σ_xx and Σ_yx need common singular vectors; they are off "
            f"by {modes.defect:.2g} relative"
        )
        raise HypothesisFailed(msg)
    sigma = to_float_array(modes.sigma)
    order = [int(i) for i in np.argsort(-sigma, kind="stable") if sigma[i] > 0]
    return ModeStaircase(
        sigma[order],
        to_float_array(modes.lam)[order],
        to_float_array(modes.left)[:, order],
        to_float_array(modes.right)[:, order],
    )
