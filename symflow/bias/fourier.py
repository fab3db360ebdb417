"""Full circular filters, squared loss: a potential of the Fourier moduli.

Derived here, beside the diagonal networks of Yun, Krishnan, Mobahi (2021).  From w_1 =
… = w_{L−1} and w_L = 0 the frequencies k of β = w_1 * … * w_L obey

    β̂ = c_k^L h(c_k^{L−2}|ζ|) ζ/|ζ|,     c_k = |ŵ_1(k)|,

with h of `bias/mirror.py` and ζ the transform of −∫∇ℓ, as long as the phase of the
force is constant: for one sample, or for even signals (β_{−g} = β_g).  The loss then
converges to its infimum, as |ŵ_l(k)| ≥ c_k for l < L at all times, and the limit
minimizes

    Q(β) = Σ_k c_k² H(|β̂(k)|/c_k^L),     H = ∫h⁻¹,

among the minimizers of the loss.  For general signals, from two samples and three
inputs on, this is an estimate only: `FourierPotential.estimate` gives it as such.

A frequency of a rational filter is zero if and only if the cyclotomic polynomial of its
order divides the filter, which is decided in fractions.  On a torus, or any product of
cyclic groups, frequencies are characters, and nothing else changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import lcm
from typing import Any, Self

import mpmath
import numpy as np
import sympy
from flint import fmpq, fmpq_poly, fmpz_poly

from symflow.algebra.arrays import (
    Array,
    from_spectrum,
    map_entries,
    to_float_array,
    to_mpf_array,
    to_spectrum,
    waves,
)
from symflow.algebra.numbers import WIDE, as_fraction, context_of
from symflow.algebra.rational import as_fmpq
from symflow.algebra.threads import cached_property
from symflow.bias.fine_dual import fine_potential
from symflow.bias.least_norm import ALLOWED_OFF
from symflow.bias.minimizers import is_drawn, minimizers, orthonormal
from symflow.bias.mirror import ProductMap, mirror_proof
from symflow.bias.prediction import RegressionLimit
from symflow.bias.reference_problems import few_samples, unseen
from symflow.claims import (
    Hypothesis,
    Identity,
    Path,
    Refusal,
    Status,
    all_hold,
    check,
    positive,
    structural,
    vanishing,
)
from symflow.claims.bibliography import YUN_2021
from symflow.claims.conditions import full_filters, on_flow, squared_loss
from symflow.claims.example import Examples, scaled
from symflow.errors import PrecisionLost
from symflow.flow.problem import Problem
from symflow.networks import ConvolutionalNetwork
from symflow.networks.groups import Group, inverses

#: Newton steps and halvings of one.
STEPS, HALVINGS = 200, 60
#: Digits of the transform of the filters, and inputs up to which they are used.
DIGITS, MOST_INPUTS = 60, 64


def _alike(problem: Problem) -> Hypothesis:
    """Say whether all filters but the last are the same, and the last one is zero."""
    fine = problem.sharp if problem.is_small else problem.floats
    first, *middle, last = (weight.ravel() for weight in fine.weights)
    size, gap = max(abs(last)), max((max(abs(w - first)) for w in middle), default=0)
    words = "all filters but the last alike, the last zero"
    detail = f"they differ by {float(gap):.2g}, max|w_L| = {float(size):.2g}"
    return structural(words, size == gap == 0, detail)


def _alive(problem: Problem) -> Hypothesis:
    """Say whether the filters have all frequencies."""
    fine = problem.sharp if problem.is_small else problem.floats
    words, first = "the filters have all frequencies", fine.weights[0].ravel()
    ratios = [as_fraction(entry) for entry in first]
    known = None not in ratios and not is_drawn(problem)
    if known and _dead_frequency(ratios, problem.group):
        return Hypothesis(words, False, "one is exactly zero")
    least, size = min(_moduli(first, problem.group)), sum(abs(first))
    if problem.given_exactly:
        return Hypothesis(words, least > 0, f"min|ŵ| = {least:.2g}")
    return positive(words, least, float(size), f"min|ŵ| = {least:.2g}")


def _constant_phases(problem: Problem) -> Hypothesis:
    """Say whether the phases of the force cannot change: see the module."""
    best = minimizers(problem)
    d, rank = len(best.seen), best.rank.value
    words = "one sample, or even signals: constant phases"
    if rank <= 1:
        return Hypothesis(words, True, f"rank {rank}, {d} inputs")
    turned = best.seen[:, inverses(problem.group)]
    odd = max(abs(entry) for entry in (best.seen - turned).flat)
    detail = f"rank {rank}, {d} inputs, odd part"
    return vanishing(words, odd, detail, given_exactly=problem.given_exactly)


@dataclass(frozen=True, eq=False, repr=False)
class FourierPotential(RegressionLimit):
    """The limit of a convolution of full filters; made by `implicit_bias`."""

    mirror: ProductMap  #: h, with the depth L.
    sizes: Array  #: Shape (d,): c_k = |ŵ_1(k)|.

    source = YUN_2021
    contributes = "derived here, companion of the theorem on diagonal networks"
    where = (
        "c_k is |ŵ₁(k)| at the start, ζ the transform of Aᵀν with the samples as "
        "the rows of A, ν is found with the limit"
    )
    conditions = (on_flow(squared_loss), full_filters, _alike, _alive)

    @classmethod
    def conclude(cls, problem: Problem, found: Sequence[Hypothesis]) -> Self | Refusal:
        """Return the prediction where the phases of the force are constant."""
        rows = (*found, *minimizers(problem).hypotheses, _constant_phases(problem))
        return cls._of(problem, rows) if all_hold(rows) else cls.refuse(rows)

    @classmethod
    def estimate(cls, problem: Problem) -> Self | Refusal:
        """Return the same for forces of any phase, as a heuristic.

        The filters are full, the last one zero at the start and the others alike.
        """
        found = check(cls.conditions, problem)
        if not all_hold(found):
            return cls.refuse(found)
        rows = (*found, *minimizers(problem).hypotheses, _constant_phases(problem))
        return cls._of(problem, rows)

    @classmethod
    def _of(cls, problem: Problem, rows: tuple[Hypothesis, ...]) -> Self:
        fine = problem.sharp if problem.is_small else problem.floats
        sizes = np.array(_moduli(fine.weights[0].ravel(), problem.group))
        return cls(problem, rows, ProductMap(problem.flow.network.depth), sizes)

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return the flow of one frequency, which is that of a diagonal network."""
        return mirror_proof()[:2]

    @classmethod
    def examples(cls) -> Examples:
        """Return two full filters and one sample, so that no phase turns."""
        network = ConvolutionalNetwork(4, (4, 4))
        start = (np.array([[0.5], [0.2], [-0.1], [0.3]]), np.zeros((4, 1)))
        data, twice = few_samples(1), scaled(sizes=2)
        return (unseen("yun-fourier", network, start, data=data, false=twice),)

    @property
    def status(self) -> Status:
        """That of a theorem for constant phases, a heuristic for others."""
        return super().status if all_hold(self.checked) else Status.HEURISTIC

    @property
    def potential(self) -> sympy.Expr:
        """Σ_k c_k² H(|β̂(k)|/c_k^L), H written as the integral of h⁻¹."""
        k, beta = sympy.Symbol("k", integer=True), sympy.IndexedBase("betahat")
        return self.mirror.total(sympy.Abs(beta[k]), (k, 0, len(self.sizes) - 1))

    @property
    def statement(self) -> sympy.Basic:
        """|β̂_k|/c_k^L = h(c_k^{L−2}|ζ_k|), with the phase of ζ = transform of Φν."""
        L, k = self.mirror.depth, sympy.Symbol("k", integer=True)
        beta, c, zeta = map(sympy.IndexedBase, ("betahat_inf", "c", "zeta"))
        size = abs(zeta[k])
        law = self.mirror.relation(abs(beta[k]) / c[k] ** L, c[k] ** (L - 2) * size)
        turned = sympy.Eq(beta[k] * size, abs(beta[k]) * zeta[k], evaluate=False)
        return sympy.And(law, turned, evaluate=False)

    @cached_property
    def frame(self) -> Array:
        """Orthonormal columns that span the row space of X, shape (d, r)."""
        return orthonormal(self.minimizers.rows)

    @cached_property
    def limit(self) -> Array:
        """The predicted βᵀ, shape (1, d)."""
        frame = self.frame
        if not frame.size:
            return np.zeros((1, len(frame)))
        if all_hold(self.checked) and len(frame) <= MOST_INPUTS:
            return self._real_limit()
        return self._turning_limit()

    def _real_limit(self) -> Array:
        """Return the limit for constant phases: of a diagonal network, in many digits.

        With β̂_k = ρ_ke^{iθ_k} the constraints are real, Re(e^{−iθ_k}φ_k)ρ_k/d.
        """
        context, best = mpmath.MPContext(), self.minimizers
        top = float(np.max(np.abs(to_float_array(best.least_norm)))) or 1.0
        sizes = self.sizes / np.max(self.sizes)
        least = min(1.0, float(np.min(self.sizes)) ** self.mirror.depth)
        spread = WIDE.log10(max(top, 1 / top, 1 / float(min(sizes))) / least)
        context.dps = DIGITS + 2 * int(spread)
        rows = to_mpf_array(best.rows, context)
        values = rows @ to_mpf_array(best.least_norm[0], context)
        turn = waves(self.problem.group, context)
        spectrum = rows @ turn
        if best.rank.value == 1:
            phases = np.array([_phase(entry, context) for entry in spectrum[0]])
        else:
            phases = np.array([context.one for _ in self.sizes])
        conjugate = map_entries(context.conj, phases)
        real = map_entries(context.re, spectrum * conjugate) / len(self.sizes)
        lifted = to_mpf_array(self.sizes, context)
        shift = np.array([context.zero for _ in lifted])
        parts = lifted, shift, real, values
        rho = fine_potential(self.mirror, *parts, context)
        beta = (map_entries(context.conj, turn) @ (rho * phases)) / len(rho)
        return to_float_array(map_entries(context.re, beta))[None]

    def _turning_limit(self) -> Array:
        """Return the limit by Newton's method on the complex dual problem.

        ν minimizes d⁻¹Σ c_k² H*(c_k^{L−2}|ζ_k|) − νᵀb with ζ the transform of Φν.
        """
        frame = self.frame
        values = to_float_array(self.minimizers.least_norm)[0] @ frame
        spectrum, depth = to_spectrum(frame.T, self.problem.group).T, self.mirror.depth
        nu, scale = np.zeros(len(values)), float(np.max(np.abs(values))) or 1.0
        # from large weights, where the problem is quadratic, to those at hand
        first = max(1.0, (2 * scale) ** (1 / depth) / float(np.min(self.sizes)))
        factors = np.geomspace(first, 1, 1 + int(np.ceil(np.log2(first))))
        for factor, following in zip(factors, [*factors[1:], 1.0], strict=True):
            nu = _newton(self.mirror, spectrum, self.sizes * factor, values, nu)
            nu = nu * (factor / following) ** (depth - 2)
        zeta = spectrum @ nu
        force = self.sizes ** (depth - 2) * np.abs(zeta)
        sized = self.sizes**depth * self.mirror.value(force)
        beta = from_spectrum(_turned(zeta, sized), self.problem.group)
        misfit = float(np.max(np.abs(beta @ frame - values)))
        if not misfit <= 1e-9 * scale:
            msg = (
                f"FourierPotential: Newton's method stopped at a misfit of {misfit:.2g}"
            )
            raise PrecisionLost(msg)
        return np.asarray(beta[None])

    def kkt_residual(self, end_to_end: Any) -> float:
        """Return the larger of the misfit and of ∇Q off the row space, relative."""
        W = to_float_array(np.asarray(end_to_end)).reshape(1, -1)
        return max(float(self._off(W)[0]), self.minimizers.misfit(W))

    def residuals(self, path: Path) -> Array:
        """Return how far ∇Q(β(t)) is off the row space, relative, at every time."""
        return self._off(to_float_array(path.end_to_end)[:, 0, :])

    def slack(self, path: Path) -> Array:
        """Return what data and start in float64 may put off the row space."""
        return np.full(len(path.t), ALLOWED_OFF)

    def _off(self, beta: Array) -> Array:
        spectrum = to_spectrum(beta, self.problem.group)
        depth = self.mirror.depth
        size = self.mirror.inverse(np.abs(spectrum) / self.sizes**depth)
        size = size / self.sizes ** (depth - 2)
        force = from_spectrum(_turned(spectrum, size), self.problem.group)
        top = np.max(np.abs(force), axis=-1)
        gap = np.max(np.abs(self.minimizers.off(force)), axis=-1)
        return np.asarray(gap / np.where(top > 0, top, 1.0))

    def scaled(self, factor: float) -> FourierPotential:
        """Return the potential of filters that are larger by a factor."""
        return replace(self, sizes=self.sizes * factor)


def _turned(spectrum: Array, size: Array) -> Array:
    """Return numbers of the given sizes with the phases of the spectrum."""
    modulus = np.abs(spectrum)
    return np.asarray(size * spectrum / np.where(modulus > 0, modulus, 1.0))


def _newton(
    mirror: ProductMap, spectrum: Array, sizes: Array, values: Array, nu: Array
) -> Array:
    """Minimize the dual objective from ν by damped Newton steps."""
    d, outer = len(spectrum), sizes**mirror.depth
    inner = sizes ** (mirror.depth - 2)

    def objective(at: Array) -> float:
        force = inner * np.abs(spectrum @ at)
        if np.max(force) >= mirror.end:
            return np.inf
        with np.errstate(over="ignore"):
            parts = sizes**2 * mirror.conjugate(force)
        return float(np.sum(parts) / d - at @ values)

    for _ in range(STEPS):
        zeta = spectrum @ nu
        size = np.abs(zeta)
        flat = np.where(size > 0, size, 1.0)
        turned = np.conj(np.where(size > 0, zeta / flat, 1.0))[:, None] * spectrum
        along, across = turned.real, turned.imag
        height = outer * mirror.value(inner * size)
        steep = outer * inner * mirror.slope(inner * size)
        bent = np.where(size > 0, height / flat, steep)
        gradient = along.T @ height / d - values
        if np.max(np.abs(gradient)) <= 1e-14 * np.max(np.abs(values)):
            break
        hessian = ((along.T * steep) @ along + (across.T * bent) @ across) / d
        step = -np.linalg.lstsq(hessian, gradient, rcond=1e-15)[0]
        start, length = objective(nu), 1.0
        for _ in range(HALVINGS):
            bound = start + 1e-4 * length * float(gradient @ step) + 1e-14 * abs(start)
            if objective(nu + length * step) <= bound:
                break
            length /= 2
        nu = nu + length * step
    return nu


def _moduli(filter_: Array, group: Group) -> list[float]:
    """Return the |ŵ(k)|, each correct to float64 by itself."""
    context = context_of(DIGITS)
    entries = to_mpf_array(filter_, context)
    spectrum = entries @ waves(group, context)
    floor = context.mpf(10) ** (10 - DIGITS) * sum(abs(entries))
    moduli = [abs(entry) for entry in spectrum]
    return [float(modulus) if modulus > floor else 0.0 for modulus in moduli]


def _phase(number: Any, context: Any) -> Any:
    size = abs(number)
    return number / size if size else context.one


def _dead_frequency(ratios: list[Any], group: Group) -> bool:
    """Say whether a filter of fractions has a frequency that is exactly zero.

    All characters are powers of one root of unity ζ, and the minimal polynomial of ζ
    divides those in ζ that vanish.
    """
    order = lcm(*group)
    root = fmpq_poly(fmpz_poly.cyclotomic(order))
    places = np.indices(group).reshape(len(group), -1)
    for powers in (places * (order // np.array(group))[:, None]).T @ places % order:
        taps = [fmpq(0)] * order
        for power, ratio in zip(powers, ratios, strict=True):
            taps[power] += as_fmpq(ratio)
        if not any((fmpq_poly(taps) % root).coeffs()):
            return True
    return False
