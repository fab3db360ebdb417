"""Two layers of an imbalance of two levels, on whitened input: mixed dynamics, solved.

With N = JP and N² = λN + c²I, which stays true (see `convergence/mixed.py`), P = QQᵀ of
Q = [W_1ᵀ; W_2] obeys a Riccati equation on Σ_xx = κI, with F as for λ-balanced layers:

    Ṗ = FP + PF − κP² + κc²I.

Let R = (F² + κ²c²)^{1/2}, which commutes with F, and

    A = cosh(Rt) − R⁻¹F sinh(Rt),    B = κR⁻¹ sinh(Rt).

Then P(t) = c²BA⁻¹ + (AP_0⁻¹A + AB)⁻¹, where nothing cancels: A and B are positive, and
P_0⁻¹ = (JP_0J − λJ)/c² takes no inversion.  For c → 0 it becomes the formula of
`matrix_riccati`; W(∞) = S/κ from every such start.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import partial
from typing import Any, ClassVar, final

import numpy as np
import sympy
from flint import arb

from symflow.algebra.arrays import Array, map_entries, to_float_array, to_mpf_array
from symflow.algebra.balls import (
    ALONE,
    as_matrix,
    from_ball_matrix,
    midpoint,
    to_arb,
    to_arb_array,
    workbits,
)
from symflow.algebra.numbers import exact, to_float
from symflow.algebra.products import matmul
from symflow.algebra.threads import cached_property
from symflow.claims.bibliography import TU_2024
from symflow.claims.conditions import dense_layers, on_flow, squared_loss
from symflow.claims.whitened import isotropic, of_two_levels, opposite_levels, seen
from symflow.errors import IntegrationFailed, PrecisionLost
from symflow.flow.problem import FINE_SIZE
from symflow.flow.riccati import coupled, isotropy, signed_gram, two_levels
from symflow.flow.times import float_times
from symflow.solutions.any_precision import context_of, spare_of
from symflow.solutions.derivation import Step
from symflow.solutions.modes.eigenvectors import symmetric_eigen
from symflow.solutions.numpy_form import Routine
from symflow.solutions.riccati.proof import (
    KAPPA,
    LEVEL,
    mixed_formula,
    mixed_gap,
    mixed_residual_at,
)
from symflow.solutions.solution import Solution

#: Digits of float64 values that are not computed in float64, and of its constants.
FLOAT_DIGITS, START_DIGITS = 17, 50
#: Float64 is used up to this ‖R‖t, where ‖P_0‖ is less than so many c (its condition
#: is the square), and P(t) less than so many W(t).
LATEST, MOST_SPREAD, MOST_SMALL = 1e3, 30.0, 1e3
#: Digits by which W(t) may be smaller than P(t), and those that are always there.
MOST_LOST, ALWAYS = 5000, 15
#: Digits after which a float is zero.
UNDERFLOW = 350
#: Tolerances of the integration of the layers.
RELATIVE, ABSOLUTE = 1e-13, 1e-15


@dataclass(frozen=True, eq=False)
class _Modes:
    """What the formula is made of, in the eigenvectors of F."""

    vectors: Array  #: Shape (n, n): eigenvectors.
    rates: Array  #: Shape (n,): f.
    roots: Array  #: Shape (n,): ρ = √(f² + κ²c²).
    less: Array  #: Shape (n,): 1 − f/ρ.
    inverse: Array  #: Shape (n, n): P_0⁻¹.
    square: Any  #: c², a number or of shape ().
    kappa: Any  #: κ, likewise.

    @property
    def parts(self) -> tuple[Any, ...]:
        """What `mixed_gram` takes."""
        return self.roots, self.less, self.inverse, self.square, self.kappa


def mixed_gram(
    xp: Any, t: Any, roots: Any, less: Any, inverse: Any, square: Any, kappa: Any
) -> Any:
    """Return P(t) in the eigenvectors of F, shape (…, n, n) for times of shape (…).

    With e^{Rt} taken out of A and B nothing overflows; the diagonal of what is inverted
    is scaled to one, since its rows differ by much.
    """
    lived = xp.exp(-roots * t[..., None])
    low = less / 2 + (1 - less / 2) * lived**2
    high = -kappa * xp.expm1(-2 * roots * t[..., None]) / (2 * roots)
    eye = xp.eye(roots.shape[0], dtype=roots.dtype)
    size = 1 / xp.sqrt(low * low * xp.sum(eye * inverse, axis=-1) + low * high)
    scaled = size * low
    whole = scaled[..., :, None] * inverse * scaled[..., None, :]
    solved = xp.linalg.inv(whole + eye * (size * size * low * high)[..., None, :])
    outside = size * lived
    grown = outside[..., :, None] * solved * outside[..., None, :]
    return grown + eye * (square * high / low)[..., None, :]


@final
class MixedRiccati(Solution):
    """The two-layer flow from a start of two levels, on whitened input; see `solve`."""

    source: ClassVar = TU_2024
    contributes: ClassVar = "the equation of W; solved here"
    where: ClassVar = (
        "P = QQᵀ with Q = [W₁ᵀ; W₂], P₀ at the start, holds W below its diagonal; A "
        "= cosh Rt − R⁻¹F sinh Rt, B = κR⁻¹ sinh Rt, R² = F² + κ²c²I, F = [[−κλ/2, "
        "Σ_yxᵀ], [Σ_yx, κλ/2]]; Σ_xx = κI, and W₂ᵀW₂ − W₁W₁ᵀ has the levels ½λ ± "
        "√(¼λ² + c²)"
    )
    conditions: ClassVar = (
        on_flow(squared_loss),
        on_flow(dense_layers, 2),
        isotropic,
        seen,
        of_two_levels,
        opposite_levels,
    )

    @property
    def formula(self) -> sympy.MatrixExpr:
        """P(t) in P₀, c, A = cosh(Rt) − R⁻¹F sinh(Rt) and B = κR⁻¹ sinh(Rt)."""
        return mixed_formula(self.problem.widths[0] + self.problem.widths[-1])

    @property
    def formulas(self) -> tuple[sympy.MatrixExpr, ...]:
        """The formula at a small size, where it is verified."""
        return (mixed_formula(2),)

    @property
    def unknown(self) -> sympy.MatrixSymbol:
        """P, of the size at hand."""
        return sympy.MatrixSymbol("P", *self.formula.shape)

    @classmethod
    def residual(cls, *formulas: sympy.Basic) -> sympy.Expr:
        """Return the squared residual of Ṗ = FP + PF − κP² + κc²I and P(0) = P_0."""
        (formula,) = formulas
        return sympy.Add(*(mixed_residual_at(formula, r) for r in ((3, 0), (0, -3))))

    def _derived(self) -> tuple[Step, ...]:
        shape = self.formula.shape
        names = ("Pdot", "F", "P")
        rate, force, total = (sympy.MatrixSymbol(name, *shape) for name in names)
        inside = KAPPA * (LEVEL**2 * sympy.Identity(shape[0]) - total * total)
        whole = sympy.Eq(rate, force * total + total * force + inside, evaluate=False)
        why = "P = QQᵀ and JPJP = λJP + c²I, which stays true, give"
        return (
            Step(why, whole, mixed_gap()),
            Step("solved by", self.statement, self.verify()),
        )

    @property
    def _is_large(self) -> bool:
        return bool(self.problem.widths[0] + self.problem.widths[-1] > FINE_SIZE)

    def _modes(self, digits: int, *, fine: bool) -> _Modes:
        return self.problem.remembered(
            (type(self), digits, fine), lambda: self._found(digits, fine)
        )

    def _found(self, digits: int, fine: bool) -> _Modes:
        if self._is_large and not fine:
            given = self.problem.floats
        else:
            lift = partial(to_mpf_array, context=context_of(digits + 10))
            given = (self.problem.rational or self.problem.at(digits + 5)).mapped(lift)
        signed, kappa = signed_gram(given.weights), isotropy(given)
        lam, square = two_levels(given.weights)
        force = coupled(given.arguments[1], kappa * lam / 2)
        eigen = symmetric_eigen(force, digits, fine=fine)
        signs = np.array([-1] * given.widths[0] + [1] * given.widths[-1])
        eye = np.eye(len(signed), dtype=int)
        inverse = (signed - lam * eye) * signs / square
        if self.defect:  # one step of Newton's: the start itself is met
            inverse = matmul(
                inverse, 2 * eye - matmul(signs[:, None] * signed, inverse)
            )
        inside = matmul(matmul(eigen.vectors.T, inverse), eigen.vectors)
        level = kappa * kappa * square
        roots = (eigen.values**2 + level) ** 0.5
        # 1 − f/ρ, which cancels for f > 0
        small = level / (roots * (roots + abs(eigen.values)))
        less = np.where(eigen.values > 0, small, 2 - small)
        return _Modes(eigen.vectors, eigen.values, roots, less, inside, square, kappa)

    @cached_property
    def _floats(self) -> _Modes:
        found = self._modes(START_DIGITS, fine=False)
        made = {
            field.name: to_float_array(np.asarray(getattr(found, field.name)))
            for field in fields(found)
        }
        return _Modes(**made)

    def _end_to_end(self, t: Any) -> Array:
        times = float_times(t)
        flat = times.reshape(-1)
        modes, cut = self._floats, self.problem.widths[0]
        gram = mixed_gram(np, flat, *modes.parts)
        product = modes.vectors[cut:] @ gram @ modes.vectors[:cut].T
        for place in self._hard(flat, gram, product):
            product[place] = self._sharp(float(flat[place]))
        return np.asarray(product.reshape(*times.shape, *product.shape[1:]))

    def _hard(self, times: Array, gram: Array, product: Array) -> Array:
        """Return the places of times at which float64 is not enough."""
        if self._is_large:
            return np.zeros(0, dtype=int)
        late = times * self._floats.roots.max() > LATEST
        whole, part = (np.abs(m).max(axis=(-2, -1)) for m in (gram, product))
        small = whole > MOST_SMALL * part
        return np.flatnonzero(late | small | (self._spread > MOST_SPREAD))

    @cached_property
    def _spread(self) -> float:
        """‖P_0‖/c."""
        signed = signed_gram(self.problem.floats.weights)
        return float(np.linalg.norm(signed) / np.sqrt(self._floats.square))

    def _weights(self, t: Any) -> tuple[Array, ...]:
        times = float_times(t)
        layers = self.problem.floats.weights
        found = moved(self._pull, layers, times.reshape(-1))
        return tuple(part.reshape(*times.shape, *part.shape[1:]) for part in found)

    def _pull(self, time: float) -> Array:
        """Return E = Σ_yx − κW at a time."""
        target, kappa = self.problem.floats.arguments[1], self._floats.kappa
        return np.asarray(target - kappa * self._end_to_end(time))

    def _sharp(self, time: float) -> Array:
        """Return W(t) in float64 from more digits; zero where it underflows."""
        digits = FLOAT_DIGITS + self._lost
        product, lost = self._known(time, digits, UNDERFLOW)
        middles = map_entries(lambda ball: float(ball.mid()), product)
        return np.asarray(middles * (lost <= UNDERFLOW), dtype=float)

    def _at(self, t: Any, digits: int) -> Array:
        product, lost = self._known(t, digits, MOST_LOST)
        if lost > MOST_LOST:
            msg = (
                f"{self.name}.precise(t={to_float(t):.3g}): W(t) is smaller than the "
                f"weights by {lost} digits, more than {MOST_LOST}. Ask for an earlier "
                "time"
            )
            raise PrecisionLost(msg)
        context = context_of(digits)
        return map_entries(lambda ball: midpoint(ball, context), product)

    def _known(self, t: Any, digits: int, most: int) -> tuple[Array, int]:
        """Return W(t) with digits of its own, unless it has lost more than `most`."""
        given = self.problem.rational or self.problem.at(digits)
        first, second = given.weights
        start = second @ first
        if not (t and (np.any(start) or np.any(given.arguments[1]))):
            with ALONE, workbits(int(3.4 * digits) + 32):
                return map_entries(to_arb, start), 0
        more = 0
        while True:
            product, lost = self._with(t, digits + more)
            if lost <= max(more, ALWAYS) or more == most:
                return product, lost
            more = min(lost, most)

    def _with(self, t: Any, digits: int) -> tuple[Array, int]:
        """Return W(t) in balls, and by how many digits it is smaller than P(t)."""
        modes, cut = self._modes(digits, fine=True), self.problem.widths[0]
        with ALONE, workbits(int(3.4 * digits) + 32):
            vectors = to_arb_array(modes.vectors)
            gram = _in_balls(modes, to_arb(exact(t)))
            product = vectors[cut:] @ gram @ vectors[:cut].T
            whole, part = (sum(x * x for x in m.flat) for m in (gram, product))
            ratio = (whole / part).log() / (2 * arb(10).log())
            return product, int(float(ratio.mid())) if ratio.is_finite() else digits

    @cached_property
    def _lost(self) -> int:
        return spare_of(self.problem) + ALWAYS + int(2 * np.log10(self._spread))

    @property
    def _limit(self) -> Array:
        """Return Σ_yx/κ: every mode is learned."""
        return np.asarray(self.problem.floats.arguments[1] / self._floats.kappa)

    def routine(self) -> Routine:
        """Return W as NumPy code."""
        if self._spread > MOST_SPREAD:
            msg = (
                f"compile({self.name}): P(0) is {self._spread:.3g} times as large as "
                "c, and float64 loses too many digits; end_to_end(t) computes with more"
            )
            raise PrecisionLost(msg)
        modes, cut = self._floats, self.problem.widths[0]
        names = ("ROOTS", "LESS", "INVERSE", "SQUARE", "KAPPA")
        constants = dict(zip(names, modes.parts, strict=True))
        constants |= {"BEFORE": modes.vectors[:cut].T, "AFTER": modes.vectors[cut:]}
        return Routine(
            constants,
            (mixed_gram,),
            (f"gram = mixed_gram(xp, t, {', '.join(names)})",),
            {"end_to_end": "AFTER @ gram @ BEFORE"},
            {
                "strengths": "the modes do not evolve apart",
                "weights": "the layers are integrated",
            },
        )


def _in_balls(modes: _Modes, time: Any) -> Array:
    """Return P(t) in the eigenvectors of F, as `mixed_gram`, in balls."""
    roots, less, inverse = map(to_arb_array, (modes.roots, modes.less, modes.inverse))
    square, kappa = to_arb(modes.square), to_arb(modes.kappa)
    lived = map_entries(lambda root: (-root * time).exp(), roots)
    low = less / 2 + (1 - less / 2) * lived**2
    high = map_entries(
        lambda root: -(-2 * root * time).expm1() * kappa / (2 * root), roots
    )
    size = map_entries(lambda x: x.rsqrt(), low * low * np.diag(inverse) + low * high)
    scaled = np.multiply.outer(size * low, size * low) * inverse
    whole = scaled + np.diag(size * size * low * high)
    solved = from_ball_matrix(as_matrix(whole).inv())
    outside = size * lived
    grown = np.multiply.outer(outside, outside) * solved
    return np.asarray(grown + np.diag(square * high / low))


def moved(pull: Any, layers: tuple[Array, ...], times: Array) -> tuple[Array, ...]:
    """Return the layers at float64 times, integrated along the known E(t)."""
    from scipy.integrate import solve_ivp

    first, second = layers
    order = np.unique(times)

    def rhs(time: float, state: Array) -> Array:
        before = state[: first.size].reshape(first.shape)
        after = state[first.size :].reshape(second.shape)
        force = pull(time)
        return np.concatenate([(after.T @ force).ravel(), (force @ before.T).ravel()])

    start = np.concatenate([first.ravel(), second.ravel()])
    span = (0.0, float(order[-1]))
    if not span[1]:
        return tuple(np.broadcast_to(w, (len(times), *w.shape)) for w in layers)
    options: Any = {"rtol": RELATIVE, "atol": ABSOLUTE, "t_eval": order}
    run = solve_ivp(rhs, span, start, method="DOP853", **options)
    if not run.success:
        msg = f"weights(t): the layers cannot be integrated: {run.message}"
        raise IntegrationFailed(msg)
    found = run.y.T[np.searchsorted(order, times)]
    return (
        found[:, : first.size].reshape(-1, *first.shape),
        found[:, first.size :].reshape(-1, *second.shape),
    )
