"""One sample, two layers or any quadratic model, any start: the time as an integral.

In all weights z the flow is linear, dz/dξ = Kz, in ξ = ∫(σ − λf), so that (see
`flow/one_sample.py`) z = Σ_k c_k e^{θ_kξ} q_k, f = ½Σθ_k c_k² e^{2θ_kξ}, and

    t = ∫₀^ξ dx / (σ − λf(x)).

For f = v_1ᵀM(x)v_2 with any tensor M this is the trajectory to the limit of Yun,
Krishnan, Mobahi (2021): for v_2(0) = 0 and λ = 1, v_1 = U_1 cosh(sξ)η, v_2 = U_2
sinh(sξ)η and ξ̇ = σ − ½Σs_jη_j² sinh 2s_jξ.  Small filters are such tensors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, final

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.numbers import to_mpf
from symflow.algebra.threads import cached_property
from symflow.claims.bibliography import YUN_2021
from symflow.claims.conditions import excited_sample, quadratic_model, single_sample
from symflow.flow.one_sample import GUARD, crossing, excitation, sample, split
from symflow.flow.problem import CHECK_DIGITS
from symflow.flow.times import float_times
from symflow.solutions.any_precision import context_of
from symflow.solutions.conditions import squared_loss
from symflow.solutions.coordinates.coordinate_curves import Course
from symflow.solutions.coordinates.independent_coordinates import LAM, SIGMA, T
from symflow.solutions.derivation import Step
from symflow.solutions.solution import Solution

#: A part of the weights below which W keeps too few digits of a float.
CANCELLED = 1e-6

XI, X = sympy.symbols("xi x", real=True)
K, N = sympy.symbols("k n", integer=True)
THETA, AMOUNT = sympy.IndexedBase("theta"), sympy.IndexedBase("c")


@dataclass(frozen=True, eq=False)
class Response(Course):
    """f along ξ = v/max|θ|; the start has the θ_k, then the c_k², of what moves."""

    @cached_property
    def _parts(self) -> tuple[list[tuple[Any, Any]], Any]:
        half = len(self.start) // 2
        unit = max(map(abs, self.start[:half]))
        pairs = zip(self.start[:half], self.start[half:], strict=True)
        return [(theta / unit, unit * c / 2) for theta, c in pairs], unit

    @property
    def origin(self) -> Any:
        return self.ops.zero

    @cached_property
    def end(self) -> Any:
        """The v at which the force vanishes."""
        half, unit = len(self.start) // 2, self._parts[1]
        return unit * crossing(self.start[:half], self.start[half:], self.goal)

    def height(self, v: Any, ops: Any) -> Any:
        exp = self.ops.exp
        return self.ops.fsum(exp(2 * s * v) * s * c for s, c in self._parts[0])

    def rise(self, v: Any) -> Any:
        exp = self.ops.exp
        return self.ops.fsum(2 * exp(2 * s * v) * s * s * c for s, c in self._parts[0])

    def slope(self, v: Any) -> Any:
        """Return dξ/dv."""
        return 1 / self._parts[1]

    def above(self, size: Any) -> Any:
        return self.end

    def weights(self, v: Any, ops: Any) -> tuple[Any, ...]:
        """Return ξ."""
        return (v / self._parts[1],)


@final
class OneSample(Solution):
    """The flow of a quadratic model on one sample, from any start; made by `solve`."""

    source: ClassVar = YUN_2021
    contributes: ClassVar = "the limit for v_2(0) = 0; trajectory, other starts here"
    where: ClassVar = (
        "c_k are the parts of the n weights along eigenvectors of the model's "
        "quadratic form, θ_k its eigenvalues, ξ = ∫(σ − λf); σ and λ are those of "
        "Σ_yx and Σ_xx"
    )
    unknown: ClassVar = T
    structural: ClassVar = 3
    depth: ClassVar = 2
    conditions: ClassVar = (
        squared_loss,
        quadratic_model,
        single_sample,
        excited_sample,
    )

    @property
    def formula(self) -> sympy.Expr:
        """The time, as a function of ξ."""
        return self.formulas[0]

    @property
    def formulas(self) -> tuple[sympy.Expr, ...]:
        """The time, and one of the components of z along ξ."""
        part = AMOUNT[K] * sympy.exp(THETA[K] * X)
        return sympy.Integral(1 / _force(part), (X, 0, XI)), part

    @classmethod
    def residual(cls, *formulas: sympy.Basic) -> sympy.Expr:
        """Return the squared residuals of the flow in ξ as the time.

        (dt/dξ)ξ̇ = 1 from t = 0, dz_k/dξ = θ_kz_k and z_k(0) = c_k.
        """
        time, part = formulas
        gaps = (
            time.diff(XI).subs(XI, X) * _force(part) - 1,
            time.subs(XI, 0).doit(),
            part.diff(X) - THETA[K] * part,
            part.subs(X, 0) - AMOUNT[K],
        )
        return sympy.Add(*(sympy.simplify(gap) ** 2 for gap in gaps))

    def _derived(self) -> tuple[Step, ...]:
        a, b, c, x, y = sympy.symbols("a b c x y", real=True)
        form = (a * x**2 + 2 * b * x * y + c * y**2) / 2
        pulled = form.diff(x) - (a * x + b * y), form.diff(y) - (b * x + c * y)
        part, xi = sympy.Function("z_k")(XI), sympy.Function("xi")(T)
        force = sympy.Eq(xi.diff(T), SIGMA - LAM * sympy.Symbol("f"))
        return (
            Step("one sample pulls with a force along x", force, definition=True),
            Step(
                "the gradient of f = ½zᵀKz is Kz; in eigenvectors of K, per unit of ξ,",
                sympy.Eq(part.diff(XI), THETA[K] * part),
                sympy.Add(*(sympy.expand(gap) ** 2 for gap in pulled)),
            ),
            Step("so that", self.statement, self.verify()),
        )

    @property
    def _lost(self) -> int:
        return super()._lost + GUARD

    def _course(self, digits: int) -> Response:
        context, found = context_of(digits), excitation(self.problem, digits)
        numbers = self.problem.rational or self.problem.at(digits + GUARD)
        sigma, lam = (to_mpf(part, context) for part in sample(numbers)[1])
        moving = found.moving
        start = *found.theta[moving], *found.amounts[moving] ** 2
        return Response(sigma, lam, start, 2).at(context)

    @cached_property
    def _sharp(self) -> Response:
        return self._course(CHECK_DIGITS)

    def _z(self, t: Any) -> Array:
        """Return all weights in float64, shape (…, n)."""
        found = excitation(self.problem, CHECK_DIGITS)
        xi = self._sharp.places(float_times(t)) * float(self._sharp.slope(0))
        theta, basis = map(to_float_array, (found.theta, found.basis))
        log = found.theta[0].context.log
        sizes = np.array([float(log(abs(c))) if c else -np.inf for c in found.amounts])
        grown = np.exp(sizes + theta * xi[..., None])
        return np.asarray(np.sign(to_float_array(found.amounts)) * grown @ basis.T)

    def _end_to_end(self, t: Any) -> Array:
        times, z = float_times(t), self._z(t)
        found = np.asarray(excitation(self.problem, CHECK_DIGITS).row(z))
        sizes, largest = np.abs(found).max(axis=(-2, -1)), (z * z).sum(axis=-1)
        # what cancels in W takes more digits, as a start with W(0) = 0 does
        for place in np.argwhere(sizes < CANCELLED * largest):
            at = tuple(place)
            found[at] = to_float_array(self._at(float(times[at]), CHECK_DIGITS))
        return found

    def _weights(self, t: Any) -> tuple[Array, ...]:
        return split(self._z(t), self.problem.weights)

    def _at(self, t: Any, digits: int) -> Array:
        found, course = excitation(self.problem, digits), self._course(digits)
        place = course.place(to_mpf(t, course.ops))
        return found.row(found.weights(place * course.slope(0)))

    @property
    def _limit(self) -> Array:
        found, course = excitation(self.problem, CHECK_DIGITS), self._sharp
        return to_float_array(found.row(found.weights(course.end * course.slope(0))))


def _force(part: sympy.Expr) -> sympy.Expr:
    """Return σ − λf, with f = ½Σθ_k z_k² of the components z_k."""
    squares = sympy.powsimp(THETA[K] * part**2)
    return SIGMA - LAM * sympy.Sum(squares, (K, 1, N)) / 2
