"""Two layers, whitened input, λ-balanced start: a matrix Riccati equation, any widths.

Fukumizu (1998) for λ = 0, Braun et al. (2022), Dominé et al. (2025).  With Σ_xx = κI,
S = Σ_yx, W_2ᵀW_2 − W_1W_1ᵀ = λI (which is conserved), Q = [W_1ᵀ; W_2] and

    F = [[−κλ/2 I, Sᵀ], [S, κλ/2 I]],      Q̇ = FQ − ½κ QQᵀQ,

the matrix P = QQᵀ, whose lower left block is W = W_2W_1, solves Ṗ = FP + PF − κP²:

    P(t) = e^{Ft}Q₀ (I + κ Q₀ᵀ(∫₀ᵗ e^{2Fs}ds) Q₀)⁻¹ Q₀ᵀ e^{Ft}.

Nothing is divided by the data: S, F and W may be singular.  The weights themselves are
Q = Y O with P = YYᵀ and a rotation O of the hidden units (see `rotation`).
"""

from __future__ import annotations

from functools import cached_property, partial
from typing import Any, ClassVar, final

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array, to_mpf_array
from symflow.algebra.numbers import to_float, to_mpf
from symflow.solutions.case import CHECK_DIGITS, context_of
from symflow.solutions.conditions import (
    dense_layers,
    homogeneity,
    homogeneous,
    isotropic,
    isotropy,
    squared_loss,
)
from symflow.solutions.eigen import FINE_SIZE, spare_digits, symmetric_eigen
from symflow.solutions.graded import (
    GradedStart,
    graded,
    graded_factor,
    graded_factor_mpf,
    graded_start,
    solve_right,
)
from symflow.solutions.references import DOMINE
from symflow.solutions.rotation import rotations
from symflow.solutions.routine import Routine
from symflow.solutions.solution import Solution, Step

KAPPA = sympy.Symbol("kappa", positive=True)

#: A time at which every exponential has reached its limit.
FOREVER = 1e200


@final
class Riccati(Solution):
    """The two-layer flow on whitened input from a λ-balanced start; made by `solve`."""

    source: ClassVar = DOMINE
    conditions: ClassVar = (
        squared_loss,
        partial(dense_layers, least=2, most=2),
        isotropic,
        homogeneous,
    )

    @property
    def formula(self) -> sympy.MatrixExpr:
        """P(t) in Q₀, κ, E = e^{Ft} and Phi = ∫₀ᵗ e^{2Fs}ds."""
        inputs, hidden, outputs = self.problem.widths
        return gram_formula(inputs + outputs, hidden)

    @property
    def formulas(self) -> tuple[sympy.MatrixExpr, ...]:
        """The formula at a small size, where it is verified."""
        return (gram_formula(3, 2),)

    @property
    def statement(self) -> sympy.Eq:
        """P = …."""
        total = sympy.MatrixSymbol("P", *self.formula.shape)
        return sympy.Eq(total, self.formula, evaluate=False)

    @classmethod
    def residual(cls, *formulas: sympy.Basic) -> sympy.Expr:
        """Return the squared residual of Ṗ = FP + PF − κP² and P(0) = Q₀Q₀ᵀ.

        In the eigenvectors of F, with integer rates, all is rational in x = eᵗ; it is
        evaluated in exact arithmetic for two starts, the second of rank one.
        """
        (formula,) = formulas
        starts = ([[1, -2], [3, 1], [2, 5]], [[1, 2], [-1, -2], [3, 6]])
        return sympy.Add(
            *(_residual_at(formula, sympy.Matrix(q) / 3, 2) for q in starts)
        )

    def derivation(self) -> tuple[Step, ...]:
        """Return the equation of P, and why the formula solves it."""
        shape = self.formula.shape
        rate, force, total = (sympy.MatrixSymbol(n, *shape) for n in ("Pdot", "F", "P"))
        whole = sympy.Eq(
            rate, force * total + total * force - KAPPA * total * total, evaluate=False
        )
        return (
            Step("QᵀQ = 2W₂ᵀW₂ − λI = 2W₁W₁ᵀ + λI gives Q̇ = FQ − ½κQQᵀQ, so", whole),
            Step("solved by", self.statement, _abstract_residual() + self.verify()),
        )

    @cached_property
    def lam(self) -> float:
        """The λ of the start."""
        return to_float(homogeneity(self.case.sharp))

    @cached_property
    def kappa(self) -> float:
        """The variance κ of the whitened input."""
        return to_float(isotropy(self.case.sharp))

    def _start_at(self, digits: int, *, fine: bool) -> tuple[GradedStart, Any]:
        problem, context = self.case.at(digits + 5), context_of(digits + 10)
        first, second = (to_mpf_array(weight, context) for weight in problem.weights)
        target = to_mpf_array(problem.arguments[1], context)
        kappa = to_mpf_array(problem.arguments[0], context).trace() / len(first.T)
        lam = ((second * second).sum() - (first * first).sum()) / len(first)
        half = np.diag(
            [-kappa * lam / 2] * len(first.T) + [kappa * lam / 2] * len(second)
        )
        cut = len(first.T)
        force = half + context.mpf(0)
        force[cut:, :cut], force[:cut, cut:] = target, target.T
        eigen = symmetric_eigen(force, digits, fine=fine)
        coarse = not fine and len(force) > FINE_SIZE
        noise = 1e-14 if coarse else context.mpf(10) ** (5 - digits)
        start = np.concatenate([first.T, second], axis=0)
        if coarse:
            start = to_float_array(start)
        return graded_start(eigen.values, eigen.vectors, start, noise), kappa

    @cached_property
    def _floats(self) -> GradedStart:
        start, _ = self._start_at(CHECK_DIGITS, fine=False)
        parts = (start.rates, start.rows, start.frame, start.vectors)
        return GradedStart(*(to_float_array(part) for part in parts))

    def routine(self) -> Routine:
        """Return Y with P = YYᵀ as NumPy code, and the weights of one hidden unit."""
        start, cut = self._floats, self.problem.widths[0]
        constants = {
            "KAPPA": self.kappa,
            "RATES": start.rates,
            "ROWS": start.rows,
            "BEFORE": start.vectors[:cut],
            "AFTER": start.vectors[cut:],
            "FRAME": start.frame,
        }
        outputs = {
            "end_to_end": "(AFTER @ factor) @ np.swapaxes(BEFORE @ factor, -1, -2)"
        }
        missing = {"strengths": "the modes do not evolve apart"}
        if start.rows.shape[1] < 2:
            first = "np.swapaxes(BEFORE @ factor @ FRAME.T, -1, -2)"
            outputs["weights"] = f"{first}, AFTER @ factor @ FRAME.T"
        else:
            missing["weights"] = "the rotation of the hidden units is integrated"
        return Routine(
            constants,
            (solve_right, graded),
            (
                "factor = graded(t.reshape(-1), KAPPA, RATES, ROWS)",
                "factor = factor.reshape(*t.shape, *factor.shape[1:])",
            ),
            outputs,
            missing,
        )

    def gram(self, t: Any) -> Array:
        """Return P(t) = Q(t)Q(t)ᵀ, whose blocks are W_1ᵀW_1, W, Wᵀ and W_2W_2ᵀ."""
        side = self._side(np.asarray(t, dtype=float))
        return np.asarray(side @ np.swapaxes(side, -1, -2))

    def _side(self, times: Array) -> Array:
        factor = graded_factor(self._floats, self.kappa, times.reshape(-1))
        return np.asarray(
            (self._floats.vectors @ factor).reshape(*times.shape, *factor.shape[1:])
        )

    def end_to_end(self, t: Any) -> Array:
        """Return W(t) in float64, exact to rounding of the largest entry of P.

        Parameters
        ----------
        t : float or array_like
            Times.

        Returns
        -------
        array
            Shape (…, outputs, inputs) for t of shape (…).
        """
        side = self._side(np.asarray(t, dtype=float))
        cut = self.problem.widths[0]
        return np.asarray(side[..., cut:, :] @ np.swapaxes(side[..., :cut, :], -1, -2))

    def weights(self, t: Any) -> tuple[Array, ...]:
        """Return W_1(t) and W_2(t) in float64.

        The product is exact to rounding; the rotation of the hidden units comes from
        one linear equation, integrated to 1e-12.

        Parameters
        ----------
        t : float or array_like
            Times.

        Returns
        -------
        tuple of arrays
            Shapes (…, hidden, inputs) and (…, outputs, hidden).
        """
        times = np.asarray(t, dtype=float)
        turned = rotations(self._floats, self.kappa, times.reshape(-1))
        turned = turned.reshape(*times.shape, *turned.shape[1:])
        whole = self._side(times) @ turned @ self._floats.frame.T
        cut = self.problem.widths[0]
        return np.swapaxes(whole[..., :cut, :], -1, -2), whole[..., cut:, :]

    def precise(self, t: Any, *, digits: int = 50) -> Array:
        """Return W(t) at one time as mpf numbers.

        Parameters
        ----------
        t : number
            The time; a float is taken as the rational that it is.
        digits : int, keyword-only
            Correct decimal digits, relative to the largest entry.

        Returns
        -------
        array
            Shape (outputs, inputs), entries of an mpmath context with spare digits.
        """
        asked = digits + 15 + spare_digits(t, self.problem.arguments)
        (start, kappa), context = self._start_at(asked, fine=True), context_of(asked)
        parts = (start.rates, start.rows, start.frame, start.vectors)
        lifted = GradedStart(*(to_mpf_array(part, context) for part in parts))
        factor = graded_factor_mpf(
            lifted, to_mpf(kappa, context), to_mpf(t, context), context
        )
        side, cut = lifted.vectors @ factor, self.problem.widths[0]
        return np.asarray(side[cut:] @ side[:cut].T)

    @property
    def limit(self) -> Array:
        """The end-to-end matrix as t → ∞: the part of S that the start can reach."""
        return self.end_to_end(FOREVER)


def gram_formula(size: int, hidden: int) -> sympy.MatrixExpr:
    """Return P in Q₀, κ, E = e^{Ft} and Phi = ∫₀ᵗ e^{2Fs}ds."""
    start = sympy.MatrixSymbol("Q0", size, hidden)
    grown, mass = (sympy.MatrixSymbol(name, size, size) for name in ("E", "Phi"))
    bracket = sympy.Identity(hidden) + KAPPA * start.T * mass * start
    return grown * start * bracket.inv() * start.T * grown


def _residual_at(
    formula: sympy.MatrixExpr, given: sympy.Matrix, kappa: int
) -> sympy.Expr:
    """Return the squared residual at one point, for F = diag(2, −1, 1) and x = eᵗ."""
    x, rates = sympy.Symbol("x", positive=True), (2, -1, 1)
    values = {
        "Q0": given,
        "E": sympy.diag(*(x**rate for rate in rates)),
        "Phi": sympy.diag(*((x ** (2 * r) - 1) / (2 * r) for r in rates)),
    }
    placed = {
        symbol: sympy.ImmutableMatrix(values[symbol.name])
        for symbol in formula.atoms(sympy.MatrixSymbol)
    }
    raw = sympy.Matrix(formula.subs(KAPPA, kappa).xreplace(placed).doit())
    total = raw.applyfunc(sympy.cancel)
    slope, here = x * total.diff(x), sympy.diag(*rates)
    gap = slope - (here * total + total * here - kappa * total * total)
    entries = [
        *gap.subs(x, sympy.Rational(3, 2)),
        *(total.subs(x, 1) - given * given.T),
    ]
    return sympy.Add(*(entry**2 for entry in entries))


def _abstract_residual() -> sympy.Expr:
    """Return Ṗ − FP − PF + κP² by the product rule, in noncommuting symbols.

    G = I + κ qᵀΦq has Ġ = κ qᵀE²q, and E commutes with F.
    """
    names = ("F", "E", "q", "qT", "Ginv")
    force, grown, q, q_t, inverse = sympy.symbols(names, commutative=False)
    total = grown * q * inverse * q_t * grown
    slope = force * total + total * force
    slope -= grown * q * inverse * KAPPA * q_t * grown**2 * q * inverse * q_t * grown
    return sympy.expand(slope - force * total - total * force + KAPPA * total * total)
