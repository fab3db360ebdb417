"""Balanced spectral start, L ≥ 3 layers with weight decay: time as a sum of logarithms.

With a weight decay l2 the amplitude a = w^{1/L} of a mode obeys ȧ = q(a), where

    q(a) = a^{L−1}(σ − λa^L) − l2 a,      t = Σ_r ln((a − r)/(a₀ − r))/q′(r),

a sum over the 2L − 1 roots of q by partial fractions.  Zero attracts, however large σ
is; where q has two positive roots r₋ < r₊, a mode with a₀ > r₋ tends to r₊ and one
below r₋ dies (see `time.partial_fractions`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, ClassVar, final

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array, to_mpf_array
from symflow.algebra.numbers import to_mpf
from symflow.algebra.threads import cached_property
from symflow.claims import Hypothesis
from symflow.claims.bibliography import SAXE_2014
from symflow.claims.conditions import dense_layers, on_flow
from symflow.claims.whitened import balanced, decaying_loss
from symflow.flow.problem import Problem
from symflow.solutions.any_precision import checkable, context_of
from symflow.solutions.conditions import aligned, moments, product
from symflow.solutions.derivation import Step
from symflow.solutions.modes.deep import positive_inputs
from symflow.solutions.modes.joint_modes import JointModes, joint_modes
from symflow.solutions.modes.spectral import L2, LAM, SIGMA, SpectralSolution, T
from symflow.solutions.reduction import frame_steps, mode_step
from symflow.solutions.time.partial_fractions import PartialFractions, partial_fractions
from symflow.solutions.time.passage_times import Times

A, A0 = sympy.symbols("a a0", positive=True)
R = sympy.Symbol("r")

#: How close, relative, two roots of q may be, or a start to the root that repels.
CLOSE = 1e-8

#: Digits beyond those asked for: what such roots cost, and what cancels in the sum.
GUARD = 40

#: … of them, those not to be lost, and the digits behind float64 values.
SPARE, FLOAT_DIGITS = 20, 20

#: Where a formula is verified exactly.
POINT = {SIGMA: 5, LAM: 2, L2: sympy.Rational(3, 7), A: sympy.Rational(4, 3)}


def fading(problem: Problem) -> Hypothesis:
    """Require the squared loss with weight decay, the same for all layers."""
    found, l2 = decaying_loss(problem), problem.flow.loss.l2
    words = "one rational weight decay above zero"
    return replace(found, words=words, holds=found.holds and l2 != 0)


def told_apart(problem: Problem) -> Hypothesis:
    """Require that the roots of every mode, and its start from r₋, are apart."""
    sharp, context = checkable(problem), context_of(GUARD)
    modes, gap = joint_modes(*moments(sharp), product(sharp)), 1.0
    decay = to_mpf(problem.flow.loss.l2, context)
    for mode in _moving(modes, context):
        try:
            parts = partial_fractions(len(problem.weights), mode, decay, context)
        except ValueError:
            gap = 0.0
            break
        roots = [parts.end, *(root for root, _ in parts.others)]
        pairs = [abs(a - b) / abs(a) for a in roots if a for b in roots if b is not a]
        saddles = [r.real for r, _ in parts.others if not r.imag and r.real > 0]
        pairs += [
            abs(parts.start / r - 1) for r in saddles if r < parts.end or not parts.end
        ]
        gap = float(min([gap, *pairs]))
    words = (
        "the balances of each mode are apart, and its start from the one that repels"
    )
    return Hypothesis(words, gap > CLOSE, f"least distance {gap:.2g} relative")


def _moving(modes: JointModes, context: Any) -> Iterator[tuple[Any, ...]]:
    """Yield σ, λ and w₀ of modes that start above zero and have input."""
    columns = (to_mpf_array(a, context) for a in (modes.sigma, modes.lam, modes.start))
    for mode in zip(*columns, strict=True):
        if mode[1] and mode[2]:
            yield mode


@final
class DecayingMode(SpectralSolution):
    """The balanced flow of three or more layers with weight decay; made by `solve`."""

    source: ClassVar = SAXE_2014
    contributes: ClassVar = "the modes; weight decay, and the solution, derived here"
    where: ClassVar = (
        "a = w^{1/L} of a mode of strength w, a₀ at the start; σ and λ are those of "
        "Σ_yx and Σ_xx, l₂ is the weight decay"
    )
    is_balanced: ClassVar = True
    has_dense_layers: ClassVar = True
    unknown: ClassVar = T
    conditions: ClassVar = (
        fading,
        on_flow(dense_layers, least=3),
        balanced,
        aligned,
        positive_inputs,
        told_apart,
    )

    @property
    def formula(self) -> sympy.Expr:
        """The time t(a), a = w^{1/L}, for the depth at hand."""
        speed = sympy.expand(_speed(R, self.depth))
        logarithm = sympy.log((A - R) / (A0 - R))
        each = sympy.Lambda(R, logarithm / speed.diff(R))
        return sympy.RootSum(speed, each, R, auto=False)

    @classmethod
    def residual(cls, *formulas: sympy.Basic) -> sympy.Expr:
        """Return by how much q(a) dt/da differs from 1, and t(a₀) from 0, squared.

        At a rational point, where a sum over roots is the trace of a rational matrix.
        """
        (formula,) = formulas
        slope = start = sympy.S.Zero
        degree = 0
        for part in sympy.Add.make_args(formula):
            factor, rest = part.as_independent(sympy.RootSum, as_Add=False)
            if not isinstance(rest, sympy.RootSum):
                slope += part.diff(A).subs(POINT)
                start += part.subs(A, A0)
                continue
            degree = max(degree, rest.poly.degree())
            roots = sympy.Poly(rest.poly.as_expr().subs(POINT), rest.poly.gen)
            each = factor * rest.fun(R)
            start += each.subs(A, A0)
            slope += _trace(sympy.together(each.diff(A).subs(POINT)), roots)
        speed = _speed(A, degree // 2 + 1).subs(POINT)
        return (slope * speed - 1) ** 2 + sympy.simplify(start) ** 2

    def _derived(self) -> tuple[Step, ...]:
        speed, rest = _speed(A, self.depth), sympy.Function("s")
        strength = A**self.depth
        moved = strength * A ** (self.depth - 2) * (SIGMA - LAM * strength)
        moved = self.depth * (moved - L2 * strength) - speed * strength.diff(A)
        apart = sympy.Eq(sympy.Derivative(T, A), 1 / speed, evaluate=False)
        shared = ((A - R) * rest(A)).diff(A).subs(A, R).doit() - rest(R)
        root = sympy.Eq(sympy.Symbol("q'(r)"), rest(R))
        return (
            *frame_steps(self.depth, L2),
            mode_step(self.depth, L2),
            Step(
                "with w = a^L the amplitude moves apart",
                apart,
                sympy.expand(moved),
            ),
            Step(
                "for every root r of q(a) = (a − r)s(a); Σ q(a)/(q′(r)(a − r)) is of "
                "lower degree than q, and 1 at its roots, and so everywhere",
                root,
                sympy.simplify(shared),
            ),
            Step("integrated", self.statement, self.verify()),
        )

    def curve(self, times: Array, *parameters: Any) -> Array:
        context, modes = context_of(FLOAT_DIGITS), self.parameters(self.modes)
        columns = (to_mpf_array(part, context) for part in modes)
        found = [
            list(self._strengths(context, times[:, 0], mode))
            for mode in zip(*columns, strict=True)
        ]
        return to_float_array(np.array(found, dtype=object)).T

    def curve_mpf(self, context: Any, time: Any, *parameters: Any) -> Any:
        return next(self._strengths(context, [time], parameters))

    def _strengths(
        self, context: Any, times: Iterable[Any], mode: tuple[Any, ...]
    ) -> Iterator[Any]:
        """Yield w(t) of one mode, in more digits where its times cancel."""
        clock = fine = None
        guard, (_, lam, start) = GUARD, mode
        decay = self.problem.flow.loss.l2
        for time in times:
            if not (start and lam and time):
                rate = -self.depth * to_mpf(decay, context)
                yield start * context.exp(rate * to_mpf(time, context))
                continue
            # the logarithms of the sum cancel where roots are close: as many digits are
            # added as leave SPARE of the guard once those are lost
            lost = context.inf
            while not lost < 10 ** (guard - SPARE):
                if clock is None or lost < context.inf:
                    guard += GUARD * (lost < context.inf)
                    fine = context_of(context.dps + guard)
                    given = tuple(to_mpf(part, fine) for part in mode)
                    clock = partial_fractions(
                        self.depth, given, to_mpf(decay, fine), fine
                    )
                found, lost = clock.amplitude(to_mpf(time, fine), fine)
            # as small as it is at late times, which to_mpf refuses
            yield +context.make_mpf((found**self.depth)._mpf_)

    @property
    def _lost(self) -> int:
        return super()._lost + GUARD

    def final(self, *parameters: Array) -> Array:
        """Return the strengths as t → ∞: r₊ to the power L, or zero."""
        clocks = self._clocks(parameters)
        return np.array([float(c.end**self.depth) if c else 0.0 for c in clocks])

    def _clocks(self, parameters: tuple[Array, ...]) -> list[PartialFractions | None]:
        context, found = context_of(GUARD), []
        decay = to_mpf(self.problem.flow.loss.l2, context)
        for mode in zip(*(to_mpf_array(a, context) for a in parameters), strict=True):
            moves = bool(mode[1] and mode[2])
            found.append(
                partial_fractions(self.depth, mode, decay, context) if moves else None
            )
        return found

    @cached_property
    def times(self) -> Times:
        """When each learned mode reaches 1 %, half and 99 % of its limit."""
        clocks = self._clocks(self.parameters(self.modes))
        used = [clock for clock in clocks if clock and clock.end]
        used.sort(key=lambda clock: clock.end, reverse=True)
        context = context_of(GUARD)
        parts = [context.root(context.mpf(k) / 100, self.depth) for k in (1, 50, 99)]
        found = [[c.passage(part, context) for c in used] for part in parts]
        return Times(*map(np.array, found))

    def _weights(self, t: Any) -> tuple[Array, ...]:
        return self._balanced_layers(t)


def _speed(a: sympy.Expr, depth: int) -> sympy.Expr:
    """Return q(a)."""
    return a * (a ** (depth - 2) * (SIGMA - LAM * a**depth) - L2)


def _trace(term: sympy.Expr, roots: sympy.Poly) -> sympy.Expr:
    """Return the sum of a rational function of R over the roots of a polynomial."""
    monic = roots.monic().all_coeffs()
    size = len(monic) - 1
    companion = sympy.Matrix(
        size, size, lambda i, j: -monic[size - i] if j == size - 1 else int(i == j + 1)
    )
    above, below = (
        sympy.polys.matrices.DomainMatrix.from_Matrix(
            _polynomial(part, companion)
        ).to_field()
        for part in term.as_numer_denom()
    )
    return (above * below.inv()).to_Matrix().trace()


def _polynomial(part: sympy.Expr, companion: sympy.Matrix) -> sympy.Matrix:
    total = companion * 0
    for coefficient in sympy.Poly(part, R).all_coeffs():
        total = total * companion + coefficient * sympy.eye(len(companion.row(0)))
    return total
