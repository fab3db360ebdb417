"""Balanced spectral start, two layers: each mode strength is a logistic curve.

Saxe, McClelland, Ganguli (2013).  Where Σ_xx = VΛVᵀ, Σ_yx = UΣVᵀ and the start is
W_1 = R diag(√w_i) Vᵀ, W_2 = U diag(√w_i) Rᵀ, this form is kept and each mode obeys

    ẇ = 2 w (σ − λ w),      w(t) = w₀ / (e^{−2σt} + λ w₀ (1 − e^{−2σt})/σ),

with (1 − e^{−2σt})/σ → 2t as σ → 0.  σ is negative where the start points away from the
target; such a mode decays to zero.  A balanced start with W(0) = U diag(w) Vᵀ has the
form above for some R, because then W_1ᵀW_1 = (WᵀW)^{1/2} and W_2W_2ᵀ = (WWᵀ)^{1/2}.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import mpmath
import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array, to_mpf_array
from symflow.algebra.numbers import to_float, to_mpf
from symflow.claims import Hypothesis, Path, Reference, Status, relative_size
from symflow.conserved import conserved
from symflow.flow import GradientFlow
from symflow.flow.problem import Problem, bind
from symflow.losses import SquaredLoss
from symflow.networks import Dense, Network
from symflow.solutions.modes import JointModes, joint_modes, quick_defect
from symflow.solutions.solution import Refusal, Solution

SAXE = Reference(
    "Andrew M. Saxe, James L. McClelland, Surya Ganguli",
    "Exact solutions to the nonlinear dynamics of learning in deep linear "
    "neural networks",
    "International Conference on Learning Representations",
    2014,
    "1312.6120",
)

#: Relative defect of the hypotheses up to which floats count as satisfying them.
TOLERANCE = 1e-9

#: Digits in which the hypotheses are checked, and what counts as zero there.
CHECK_DIGITS, CHECK_ZERO = 30, 1e-24

T, SIGMA = sympy.symbols("t sigma", real=True)
LAM, START = sympy.symbols("lambda w0", nonnegative=True)


@dataclass(frozen=True, eq=False)
class LogisticMode(Solution):
    """The balanced two-layer flow from a spectral start; made by `solve`.

    Parameters
    ----------
    problem : Problem
        The flow with its data and start.
    data, init, rng : object
        What the start was drawn from, to draw it again at more digits.
    """

    problem: Problem
    data: Any
    init: Any
    rng: Any
    checked: tuple[Hypothesis, ...]
    defect: float

    @classmethod
    def attempt(
        cls, flow: GradientFlow, data: Any, init: Any, rng: Any = None
    ) -> LogisticMode | Refusal:
        """Return the solution, or the hypotheses that fail."""
        problem = bind(flow, data, init, rng=rng)
        found = [_squared(flow), _two_layers(flow)]
        if not all(hypothesis.holds for hypothesis in found):
            return Refusal(cls.__name__, SAXE, tuple(found))
        sharp = bind(flow, data, init, rng=rng, digits=CHECK_DIGITS)
        balanced, imbalance = _balanced(sharp)
        spectral, defect = _spectral(sharp)
        found += [balanced, spectral]
        if not all(hypothesis.holds for hypothesis in found):
            return Refusal(cls.__name__, SAXE, tuple(found))
        size = max(imbalance, defect)
        size = 0.0 if size < CHECK_ZERO else size
        return cls(problem, data, init, rng, tuple(found), size)

    @property
    def name(self) -> str:
        """A short name for tables."""
        return "LogisticMode"

    @property
    def reference(self) -> Reference:
        """Where the solution comes from."""
        return SAXE

    @property
    def hypotheses(self) -> tuple[Hypothesis, ...]:
        """The conditions, as measured on the data and the start."""
        return self.checked

    @property
    def status(self) -> Status:
        """Proved: the residual of the mode equation is exactly zero."""
        return Status.PROVED

    @property
    def statement(self) -> sympy.Eq:
        """w(t) = …."""
        return sympy.Eq(sympy.Function("w")(T), self.formula, evaluate=False)

    @property
    def formula(self) -> sympy.Expr:
        """The strength of one mode, w(t), in t, σ, λ and w₀."""
        decayed = sympy.exp(-2 * SIGMA * T)
        return START / (decayed + LAM * START * (1 - decayed) / SIGMA)

    def verify(self) -> sympy.Expr:
        """Return ẇ − 2w(σ − λw), plus w(0) − w₀, simplified: zero."""
        w = self.formula
        residual = sympy.diff(w, T) - 2 * w * (SIGMA - LAM * w)
        return sympy.simplify(residual) + sympy.simplify(w.subs(T, 0) - START)

    def derivation(self) -> list[sympy.Eq]:
        """Return the mode equation, its linear form in 1/w, and the solution."""
        w, y = sympy.Function("w")(T), sympy.Function("y")(T)
        linear = sympy.Eq(y.diff(T), 2 * LAM - 2 * SIGMA * y)
        inverse = sympy.Eq(y, 1 / self.formula)
        assert (
            sympy.simplify(inverse.rhs.diff(T) - linear.rhs.subs(y, inverse.rhs)) == 0
        )
        return [
            sympy.Eq(w.diff(T), 2 * w * (SIGMA - LAM * w)),
            sympy.Eq(y, 1 / w, evaluate=False),
            linear,
            inverse,
            self.statement,
        ]

    @cached_property
    def modes(self) -> JointModes:
        """The joint modes of data and start, correct to float64."""
        return self._modes_at(CHECK_DIGITS)

    def end_to_end(self, t: Any) -> Array:
        """Return W(t) = Σ w_i(t) u_i v_iᵀ in float64.

        Parameters
        ----------
        t : float or array_like
            Times.

        Returns
        -------
        array
            Shape (…, outputs, inputs) for t of shape (…).
        """
        left, right = (to_float_array(a) for a in (self.modes.left, self.modes.right))
        return np.asarray((left * self.strengths(t)[..., None, :]) @ right.T)

    def strengths(self, t: Any) -> Array:
        """Return the mode strengths w_i(t) in float64, shape (…, inputs)."""
        times = np.asarray(t, dtype=float)[..., None]
        sigma, lam, start = (
            to_float_array(a)
            for a in (self.modes.sigma, self.modes.lam, self.modes.start)
        )
        size = np.abs(sigma)
        decayed = np.exp(-2 * size * times)
        grown = np.where(
            size > 0,
            -np.expm1(-2 * size * times) / np.where(size > 0, size, 1),
            2 * times,
        )
        numerator = np.where(sigma < 0, decayed, 1.0) * start
        return np.asarray(
            numerator / (np.where(sigma < 0, 1.0, decayed) + lam * start * grown)
        )

    def weights(self, t: Any) -> tuple[Array, ...]:
        """Return W_1(t) and W_2(t) in float64.

        Parameters
        ----------
        t : float or array_like
            Times.

        Returns
        -------
        tuple of arrays
            Shapes (…, hidden, inputs) and (…, outputs, hidden).
        """
        left, right = (to_float_array(a) for a in (self.modes.left, self.modes.right))
        start = to_float_array(self.modes.start)
        safe = np.where(start > 0, start, 1.0)
        growth = np.where(start > 0, np.sqrt(self.strengths(t) / safe), 0.0)
        first, second = self.problem.floats.weights
        return (
            first @ ((right * growth[..., None, :]) @ right.T),
            ((left * growth[..., None, :]) @ left.T) @ second,
        )

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
        modes, context = self._modes_at(digits + 10), mpmath.MPContext()
        context.dps = digits + 15
        time = to_mpf(t, context)
        left, right, sigma, lam, start = (
            to_mpf_array(a, context)
            for a in (modes.left, modes.right, modes.sigma, modes.lam, modes.start)
        )
        strengths = [
            _strength(time, *mode, context)
            for mode in zip(sigma, lam, start, strict=True)
        ]
        return np.asarray((left * np.array(strengths, dtype=object)) @ right.T)

    def residuals(self, path: Path) -> Array:
        """Return |W_path(t) − W(t)| relative to the largest entry of W on the path."""
        if path.context is None:
            predicted = self.end_to_end(to_float_array(path.t))
        else:
            values = [self.precise(time, digits=path.digits) for time in path.t]
            predicted = path.lift(np.stack(values))
        gaps = path.end_to_end - predicted
        return np.asarray([relative_size(gap, predicted) for gap in gaps])

    def _modes_at(self, digits: int) -> JointModes:
        flow = self.problem.flow
        sharp = bind(flow, self.data, self.init, rng=self.rng, digits=digits + 5)
        sigma_xx, sigma_yx = sharp.arguments
        start = sharp.weights[1] @ sharp.weights[0]
        return joint_modes(sigma_xx, sigma_yx, start, digits)

    def __repr__(self) -> str:
        lines = [f"LogisticMode ({self.reference}): w(t) = {self.formula}"]
        lines += [f"  {hypothesis}" for hypothesis in self.checked]
        return "\n".join(lines)

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {sympy.latex(self.statement)}$"


def _strength(time: Any, sigma: Any, lam: Any, start: Any, context: Any) -> Any:
    """Evaluate the logistic curve without overflow, for either sign of σ."""
    if sigma == 0:
        return start / (1 + 2 * lam * start * time)
    size = abs(sigma)
    grown = -context.expm1(-2 * size * time) / size
    decayed = context.exp(-2 * size * time)
    if sigma < 0:
        return start * decayed / (1 + lam * start * grown)
    return start / (decayed + lam * start * grown)


def _squared(flow: GradientFlow) -> Hypothesis:
    plain = isinstance(flow.loss, SquaredLoss) and flow.loss.l2 == 0
    return Hypothesis("squared loss without weight decay", plain, repr(flow.loss))


def _two_layers(flow: GradientFlow) -> Hypothesis:
    network = flow.network
    dense = isinstance(network, Network) and all(
        isinstance(layer, Dense) for layer in network.layers
    )
    return Hypothesis("2 dense layers", dense and network.depth == 2, repr(network))


def _balanced(problem: Problem) -> tuple[Hypothesis, float]:
    (law,) = conserved(problem.flow)
    second = problem.weights[1]
    size = to_float(relative_size(law.value(problem.weights), second.T @ second))
    detail = f"‖W₂ᵀW₂ − W₁W₁ᵀ‖ = {size:.2g} relative"
    return Hypothesis("balanced initialization", size <= TOLERANCE, detail), size


def _spectral(problem: Problem) -> tuple[Hypothesis, float]:
    words = "Σ_xx, Σ_yx and W(0) share singular vectors"
    start = problem.weights[1] @ problem.weights[0]
    sigma_xx, sigma_yx = problem.arguments
    size = quick_defect(sigma_xx, sigma_yx, start)
    if size <= 1e3 * TOLERANCE:
        size = joint_modes(sigma_xx, sigma_yx, start, CHECK_DIGITS).defect
    return Hypothesis(words, size <= TOLERANCE, f"off by {size:.2g} relative"), size
