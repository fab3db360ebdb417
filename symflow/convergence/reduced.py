"""What rates read off data and start: sizes of the reduced problem, in balls.

The network of `flow/least_squares.py`, written without the frame Φ of the inputs: with
the projector P = ΦΦᵀ and the minimizer W* = Σ_yxΣ_xx⁺, which are rational where the
data are, σ_k(WΦ)² is an eigenvalue of WPWᵀ, σ_k(Ŷ)² one of W*Σ_yxᵀ, and ‖E‖² is the
trace of (W − W*)Σ_xx(W − W*)ᵀ.  So nothing is rounded before eigenvalues are taken.

Of another quadratic loss H stands for Σ_xx and E for its vector (`quadratic_loss.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import inf
from typing import Any

import numpy as np
from flint import arb, fmpq, fmpq_mat

from symflow.algebra.arrays import Array, end_to_end, to_float_array
from symflow.algebra.outward import at_least, at_most
from symflow.algebra.rank import Rank
from symflow.algebra.rational import row_basis
from symflow.algebra.spectra import (
    FLOAT_ERROR,
    clipped,
    eigenvalues,
    in_balls,
    kth,
    root,
    to_rationals,
)
from symflow.algebra.threads import cached_property
from symflow.claims.conditions import imbalances
from symflow.convergence.quadratic_loss import seen_inputs, stacked
from symflow.flow.imbalance import ImbalanceLevels, levels_from
from symflow.flow.least_squares import (
    exact_least_norm,
    finely,
    input_rank,
    least_squares,
    with_fractions,
)
from symflow.flow.problem import CHECK_DIGITS, Problem

#: Relative error of weights that are known to `CHECK_DIGITS` digits only.
DRAWN = 10.0 ** (2 - CHECK_DIGITS)


@dataclass(frozen=True, eq=False)
class ReducedStart:
    """Sizes of data and start that rates are made of; made by `reduced_start`."""

    rank: Rank  #: The rank of Σ_xx.
    error: float  #: How far the numbers may be from those that are meant, relative.
    weights: tuple[Array, ...]  #: W_1, …, W_L.
    #: `projector`, `optimum`, shapes (d, d) and (m, d): P and W*.
    projector: Array
    optimum: Array
    #: `sigma_xx`, `sigma_yx`, shapes (d, d) and (m, d): Σ_xx on its range, and Σ_yx;
    #: for another quadratic loss H, (md, md), and mat(b).
    sigma_xx: Array
    sigma_yx: Array

    @property
    def by_rows(self) -> bool:
        """Whether the loss is a squared loss, the same for every output."""
        return len(self.sigma_xx) == int(self.optimum.shape[1])

    @cached_property
    def seen(self) -> int:
        """The number r of directions of the inputs that are seen, the rank of P."""
        if self.by_rows:
            return self.rank.value
        return round(float(sum(float(x) for x in np.diag(self.projector))))

    @cached_property
    def product(self) -> Array:
        """W(0) = W_L⋯W_1."""
        return end_to_end(self.weights)

    @cached_property
    @in_balls
    def size(self) -> float:
        """‖θ(0)‖² = Σ‖W_l‖²_F, rounded up."""
        return at_most(sum((_square(weight) for weight in self.weights), arb(0)))

    @cached_property
    def gaps(self) -> list[Array]:
        """D_l = W_lW_lᵀ − W_{l+1}ᵀW_{l+1}, with W_1P for W_1."""
        seen = (self.weights[0] @ self.projector, *self.weights[1:])
        return [-gap for gap in imbalances(seen)]

    @cached_property
    @in_balls
    def spectra(self) -> list[list[Any]]:
        """The eigenvalues of the D_l, largest first."""
        return [self.eigenvalues(gap) for gap in self.gaps]

    @cached_property
    @in_balls
    def levels(self) -> ImbalanceLevels:
        """Spreads and level of the imbalance of two layers, as balls."""
        return levels_from(self.spectra[0], self.seen, len(self.weights[-1]))

    @in_balls
    def eigenvalues(self, gap: Array) -> list[Any]:
        """Return the eigenvalues of a difference of Gram matrices of the weights."""
        return eigenvalues(gap, self.error * self.size * len(gap))

    @cached_property
    @in_balls
    def inputs(self) -> list[Any]:
        """The positive eigenvalues λ_1 ≥ λ_2 ≥ … of Σ_xx."""
        known = self.error if self.sigma_xx.dtype != object else 0.0
        size = at_most(root(_square(self.sigma_xx)))
        found = eigenvalues(self.sigma_xx, known * size)
        return [clipped(value) for value in found[: self.rank.value]]

    @property
    def largest(self) -> Any:
        """λ_1, the largest eigenvalue of Σ_xx."""
        return self.inputs[0]

    @property
    def smallest(self) -> Any:
        """The smallest positive eigenvalue of Σ_xx."""
        return self.inputs[-1]

    @cached_property
    @in_balls
    def excess(self) -> Any:
        """ℒ(0) − ℒ* = ½‖E(0)‖²."""
        off = (self.product - self.optimum).reshape(-1, len(self.sigma_xx))
        total = ((off @ self.sigma_xx) * off).sum() / 2
        slip = 10 * self.error * self._reach
        size = root(_ball(total)) + arb(0, slip)
        return clipped(size) ** 2 if slip else clipped(_ball(total))

    @property
    @in_balls
    def misfit(self) -> Any:
        """‖E(0)‖_F."""
        return root(2 * self.excess)

    @in_balls
    def target(self, k: int) -> Any:
        """Return σ_k(Ŷ)."""
        return self._root(self.optimum @ self.sigma_yx.T, k)

    @in_balls
    def goal(self, k: int) -> Any:
        """Return σ_k(W*)."""
        return self._root(self.optimum @ self.optimum.T, k)

    @cached_property
    @in_balls
    def target_size(self) -> Any:
        """‖Ŷ‖_F."""
        return root(_ball((self.optimum * self.sigma_yx).sum()))

    def _root(self, gram: Array, k: int) -> Any:
        known = self.error if gram.dtype != object else 0.0
        size = at_most(root(_square(gram)))
        return root(kth(eigenvalues(gram, known * size * self._condition), k))

    @property
    @in_balls
    def _condition(self) -> float:
        """λ_1/λ_r, by which float64 loses digits of W*."""
        smallest = at_least(self.smallest)
        return at_most(self.largest) / smallest if smallest > 0 else inf

    @property
    @in_balls
    def _reach(self) -> float:
        """How large the parts of E can be whose rounding counts."""
        if self.sigma_xx.dtype == object and not self.error:
            return 0.0
        power: float = self.size ** (len(self.weights) / 2)
        return power * at_most(root(self.largest)) + at_most(self.target_size)


def reduced_start(problem: Problem) -> ReducedStart:
    """Read a start and its data as exactly as they were given.

    The problem has the squared loss or a quadratic one that is convex, dense layers,
    and Σ_xx other than zero.
    """
    return problem.remembered("reduced start", lambda: _reduced_start(problem))


@in_balls
def _reduced_start(problem: Problem) -> ReducedStart:
    if stacked(problem) is not problem:
        return _of_form(problem)
    rank = input_rank(problem)
    if not problem.is_small:
        fine = least_squares(problem)
        _, sigma_yx = map(to_float_array, problem.arguments)
        return _by_frame(rank, FLOAT_ERROR, problem.floats.weights, fine, sigma_yx)
    error, weights = _known_weights(problem)
    exactly = with_fractions(problem)
    best = None if exactly is None else exact_least_norm(exactly)
    if exactly is None or best is None or not rank.exact:
        sigma_yx = to_rationals(problem.sharp.arguments[1])
        return _by_frame(rank, error, weights, finely(problem), sigma_yx)
    sigma_xx, sigma_yx = map(to_rationals, exactly.arguments)
    parts = (_projector(sigma_xx), to_rationals(best), sigma_xx, sigma_yx)
    return ReducedStart(rank, error, weights, *parts)


def _known_weights(problem: Problem) -> tuple[float, tuple[Array, ...]]:
    """Return the weights of a small problem, and how far they may be off, relative."""
    layers, drawn = problem.sharp.weights, problem.given_weights is None
    drawn |= any(not isinstance(x, Fraction) for layer in layers for x in layer.flat)
    return DRAWN if drawn else 0.0, tuple(map(to_rationals, layers))


def _of_form(problem: Problem) -> ReducedStart:
    """Return a start under a quadratic loss that is not the squared one."""
    error, weights = _known_weights(problem)
    flat, shape = _reduced_start(stacked(problem)), (problem.widths[-1], -1)
    return replace(
        flat,
        error=error,
        weights=weights,
        projector=_projector(to_rationals(seen_inputs(problem))),
        optimum=flat.optimum.reshape(shape),
        sigma_yx=flat.sigma_yx.reshape(shape),
    )


def _by_frame(
    rank: Rank, error: float, weights: tuple[Array, ...], fine: Any, sigma_yx: Array
) -> ReducedStart:
    """Return a start where the frame of the inputs is known to rounding only."""
    exactly = to_rationals if sigma_yx.dtype == object else np.asarray
    frame, values = exactly(fine.frame), exactly(fine.eigenvalues[None])[0]
    projector = frame @ frame.T
    optimum = (sigma_yx @ frame / values) @ frame.T
    sigma_xx, seen = (frame * values) @ frame.T, sigma_yx @ projector
    return ReducedStart(rank, error, weights, projector, optimum, sigma_xx, seen)


def _projector(sigma_xx: Array) -> Array:
    """Return Cᵀ(CCᵀ)⁻¹C for a basis C of the rows."""
    size = len(sigma_xx)
    basis = row_basis(fmpq_mat(size, size, list(sigma_xx.flat)))
    found = basis.transpose() * (basis * basis.transpose()).inv() * basis
    return np.array(found.tolist(), dtype=object)


def _ball(value: Any) -> Any:
    return arb(value if isinstance(value, arb | fmpq) else float(value))


def _square(array: Array) -> Any:
    """Return ‖A‖²_F as a ball."""
    return clipped(_ball((array * array).sum()))
