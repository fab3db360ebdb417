"""Solutions by a matrix Riccati equation: Q̇ = FQ − ½κ QQᵀQ for a constant F = Fᵀ.

Then P = QQᵀ solves Ṗ = FP + PF − κP², and for Q of any shape and any F

    P(t) = e^{Ft}Q₀ (I + κ Q₀ᵀ(∫₀ᵗ e^{2Fs}ds) Q₀)⁻¹ Q₀ᵀ e^{Ft}.

A theorem's file says which flows are of this form and what F, κ and Q are there; here
is the formula, its proof, and its values in float64, to any digits, and in Arb balls.
"""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import Any, ClassVar

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array, to_mpf_array
from symflow.algebra.numbers import exact, to_float, to_mpf
from symflow.algebra.products import matmul
from symflow.algebra.threads import cached_property
from symflow.errors import HypothesisFailed, PrecisionLost
from symflow.flow.problem import FINE_SIZE, Problem
from symflow.flow.riccati import block_of, gram_equation
from symflow.flow.times import float_times
from symflow.solutions.any_precision import context_of, spare_of
from symflow.solutions.derivation import Step
from symflow.solutions.modes.eigenvectors import spare_digits, symmetric_eigen
from symflow.solutions.numpy_form import Routine
from symflow.solutions.riccati.hidden_rotation import rotations
from symflow.solutions.riccati.in_balls import EnclosedMatrix, enclosed_gram
from symflow.solutions.riccati.proof import (
    KAPPA,
    abstract_residual,
    gram_formula,
    residual_at,
)
from symflow.solutions.riccati.stable_evaluation import (
    GradedStart,
    digits_lost,
    graded_factor_mpf,
    graded_lift,
    graded_limits,
    graded_side,
    graded_start,
    is_faint,
    solve_right,
)
from symflow.solutions.solution import Solution

#: Digits of the start behind float64 values: a part of it that is 1e-34 of the whole,
#: as where a float target and start happen to be opposite, still grows in the end.
START_DIGITS = 50
#: Digits of a float, and how many of them a factor may lose.
FLOAT_DIGITS, MOST_LOST = 17, 4


class GramSolution(Solution):
    """A solution in which QQᵀ obeys a matrix Riccati equation."""

    forgets_rotation: ClassVar = True

    @abstractmethod
    def layers_of(self, stacked: Array) -> tuple[Array, ...]:
        """Return the weights of Q, shape (…, n, hidden)."""

    @abstractmethod
    def product_of(self, side: Array) -> Array:
        """Return W from any Y with YYᵀ = QQᵀ, shape (…, n, r)."""

    @property
    def formula(self) -> sympy.MatrixExpr:
        """P(t) in Q₀, κ, E = e^{Ft} and Phi = ∫₀ᵗ e^{2Fs}ds."""
        _, _, start = gram_equation(self.problem.floats)
        return gram_formula(*start.shape)

    @property
    def formulas(self) -> tuple[sympy.MatrixExpr, ...]:
        """The formula at a small size, where it is verified."""
        return (gram_formula(3, 2),)

    @property
    def unknown(self) -> sympy.MatrixSymbol:
        """P, of the size at hand."""
        return sympy.MatrixSymbol("P", *self.formula.shape)

    @classmethod
    def residual(cls, *formulas: sympy.Basic) -> sympy.Expr:
        """Return the squared residual of Ṗ = FP + PF − κP² and P(0) = Q₀Q₀ᵀ.

        In the eigenvectors of F, with integer rates, all is rational in x = eᵗ; it is
        evaluated in exact arithmetic for two starts, the second of rank one.
        """
        (formula,) = formulas
        starts = ([[1, -2], [3, 1], [2, 5]], [[1, 2], [-1, -2], [3, 6]])
        return sympy.Add(
            *(residual_at(formula, sympy.Matrix(q) / 3, 2) for q in starts)
        )

    def _solved(self, why: str, gap: sympy.Expr = sympy.S.Zero) -> tuple[Step, ...]:
        """Return the equation of P, for the reason given, and its solution.

        `gap` is what has to vanish for the reason to hold.
        """
        shape = (self.formula.shape[0],) * 2
        rate, force, total = (sympy.MatrixSymbol(n, *shape) for n in ("Pdot", "F", "P"))
        whole = sympy.Eq(
            rate, force * total + total * force - KAPPA * total * total, evaluate=False
        )
        proof = abstract_residual() + self.verify()
        return (
            Step(why, whole, gap),
            Step("solved by", self.statement, proof),
        )

    @cached_property
    def kappa(self) -> float:
        """The κ of the equation."""
        return to_float(gram_equation(self.checkable)[1])

    @cached_property
    def _is_large(self) -> bool:
        return len(gram_equation(self.problem.floats)[0]) > FINE_SIZE

    @property
    def checkable(self) -> Problem:
        """The problem with more digits than float64 has, unless it is large.

        Drawing the start of a large network to 30 digits takes minutes.
        """
        return self.problem.floats if self._is_large else self.problem.sharp

    def _start_at(self, digits: int, *, fine: bool) -> tuple[GradedStart, Any]:
        """Return the start in the eigenvectors of F, and κ, found once."""
        return self.problem.remembered(
            (type(self), digits, fine), lambda: self._found(digits, fine)
        )

    def _found(self, digits: int, fine: bool) -> tuple[GradedStart, Any]:
        if self._is_large and not fine:
            force, kappa, start = gram_equation(self.problem.floats)
            eigen = symmetric_eigen(force, digits)
            return graded_start(eigen.values, eigen.vectors, start, 1e-14), kappa
        context, problem = context_of(digits + 10), self.problem.rational
        if problem is None:
            given = self.problem.at(digits + 5)
            problem = given.mapped(partial(to_mpf_array, context=context))
        force, kappa, start = gram_equation(problem)
        eigen = symmetric_eigen(force, digits, fine=True)
        noise, lifted = context.mpf(10) ** (5 - digits), to_mpf_array(start, context)
        return graded_start(eigen.values, eigen.vectors, lifted, noise), kappa

    @cached_property
    def _sharp(self) -> tuple[GradedStart, Any]:
        return self._start_at(START_DIGITS + self._spare, fine=False)

    @cached_property
    def _spare(self) -> int:
        return 0 if self._is_large else spare_of(self.problem)

    @cached_property
    def _floats(self) -> GradedStart:
        return self._sharp[0].rounded()

    def gram(self, t: Any) -> Array:
        """Return P(t) = Q(t)Q(t)ᵀ in float64, shape (…, n, n)."""
        side = self._side(float_times(t))
        return np.asarray(side @ side.mT)

    def _side(self, times: Array) -> Array:
        flat = times.reshape(-1)
        side = graded_side(np, flat, self.kappa, *self._floats.parts)
        for place in self._lost_at(flat):
            time = float(flat[place])
            digits = FLOAT_DIGITS + spare_digits(time, self.problem.arguments)
            context = context_of(digits + self._lost)
            side[place] = to_float_array(_factor(*self._sharp, time, context))
        return np.asarray(side.reshape(*times.shape, *side.shape[1:]))

    @cached_property
    def _is_faint(self) -> bool:
        return is_faint(self._floats.rows)

    def _lost_at(self, times: Array) -> Array:
        """Return the places of times at which float64 is not enough."""
        if not self._is_faint:
            return np.zeros(0, dtype=int)
        return np.flatnonzero(digits_lost(self._floats, self.kappa, times) > MOST_LOST)

    def _end_to_end(self, t: Any) -> Array:
        return self.product_of(self._side(float_times(t)))

    def _weights(self, t: Any) -> tuple[Array, ...]:
        times = float_times(t)
        # the product is exact to rounding; the rotation is integrated to 1e-12
        start = self._floats
        turned = rotations(
            lambda time: self._side(np.array(time)),
            start.rows.shape[1],
            self.kappa,
            times.reshape(-1),
        )
        turned = turned.reshape(*times.shape, *turned.shape[1:])
        return self.layers_of(self._side(times) @ turned @ start.frame.T)

    def _at(self, t: Any, digits: int) -> Array:
        start, kappa = self._start_at(digits, fine=True)
        return self.product_of(_factor(start, kappa, t, context_of(digits)))

    def layers_at(self, t: Any, digits: int) -> tuple[Array, ...]:
        start, kappa = self._start_at(digits, fine=True)
        factor = _factor(start, kappa, t, context_of(digits))
        hidden = self.problem.weights[0].shape[
            0 if len(self.problem.weights) > 1 else 1
        ]
        idle = np.zeros((len(factor), hidden - factor.shape[1]), dtype=int)
        return self.layers_of(np.concatenate([factor, idle.astype(object)], axis=1))

    @cached_property
    def _lost(self) -> int:
        # digits by which W(0) is smaller than the weights allow
        _, _, start = gram_equation(self.problem.floats)
        large = float((start * start).sum())
        small = float(np.abs(self.product_of(start)).max())
        lost = int(np.log10(large / small)) if small > 1e-200 * large else 0
        return self._spare + 15 + max(0, lost)

    @abstractmethod
    def code_of(self, side: str) -> tuple[str, str]:
        """Return W, and the weights of one hidden unit, as code in Y and FRAME."""

    def routine(self) -> Routine:
        """Return Y with P = YYᵀ as NumPy code, and the weights of one hidden unit."""
        if self._is_faint:
            msg = (
                f"compile({self.name}): a mode starts so small beside another that "
                "grows as fast that float64 cannot tell them apart at all times; "
                "end_to_end(t) computes these with more digits"
            )
            raise PrecisionLost(msg)
        start, names = self._floats, ("RATES", "LOWS", "ROWS", "VECTORS", "GIVEN")
        constants: dict[str, Any] = dict(zip(names, start.parts, strict=True))
        constants |= {"KAPPA": self.kappa, "FRAME": start.frame}
        lines = (
            f"side = graded_side(xp, xp.reshape(t, (-1,)), KAPPA, {', '.join(names)})",
            "side = xp.reshape(side, (*t.shape, *side.shape[1:]))",
        )
        matrix, layers = self.code_of("side")
        outputs = {"end_to_end": matrix, "weights": layers}
        missing = {"strengths": "the modes do not evolve apart"}
        if start.rows.shape[1] > 1:
            del outputs["weights"]
            missing["weights"] = "the rotation of the hidden units is integrated"
        functions = (solve_right, graded_lift, graded_side)
        return Routine(constants, functions, lines, outputs, missing)

    def enclose(self, t: Any, *, digits: int = 30) -> EnclosedMatrix:
        """Return W(t) and P(t) in Arb balls, proven from the closed form.

        Nothing is integrated: the matrix exponentials, the integral and the inverse of
        the formula are evaluated in balls.

        Parameters
        ----------
        t : number
            The time, 0 or more; a float is taken as the rational that it is.
        digits : int, keyword-only
            The radii are at most 10^−digits of the largest entry of P.

        Returns
        -------
        EnclosedMatrix
            With `end_to_end`, `gram`, `radius` and `contains`.

        Raises
        ------
        HypothesisFailed
            If data and start are not rational, are large, or satisfy the hypotheses to
            rounding only.
        PrecisionLost
            If t is so late that the exponentials need too many digits.
        """
        problem = self.problem.rational
        if problem is None or self.problem.is_large or self.defect:
            msg = (
                f"{self.name}.enclose(t): proves from rational numbers that satisfy "
                "the hypotheses exactly, and these do to rounding only, or are too "
                "many. Give data and start as fractions, or use symflow.enclose(flow, "
                "data, init, t)"
            )
            raise HypothesisFailed(msg)
        force, kappa, start = gram_equation(problem)
        gram = enclosed_gram(force, kappa, start, exact(t), digits)
        return EnclosedMatrix(exact(t), block_of(problem, gram), gram, digits)

    @property
    def _limit(self) -> Array:
        """Return the part of the target that is reached, by the modes of F.

        What the start has along rates f > 0, and not along greater ones, grows to 2f/κ.
        """
        start, kappa = self._sharp
        if not kappa and not start.rates[0] < 0:  # no input: nothing moves, or dies
            still = not any(start.rates)
            return self.end_to_end(0.0) if still else self._end_to_end(0.0) * np.nan
        sides = [
            to_float_array(basis) * np.sqrt(2 * to_float(rate) / to_float(kappa))
            for rate, basis in graded_limits(start)
        ]
        empty = np.zeros((len(start.vectors), 0))
        return self.product_of(np.concatenate([empty, *sides], axis=1))


def _factor(start: GradedStart, kappa: Any, t: Any, context: Any) -> Array:
    """Return Q(t), up to a rotation, in mpf."""
    lifted = start.lifted(context)
    factor = graded_factor_mpf(
        lifted, to_mpf(kappa, context), to_mpf(t, context), context
    )
    return np.asarray(matmul(lifted.vectors, factor))
