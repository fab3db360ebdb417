"""Full circular filters, squared loss: a potential of the Fourier moduli.

Yun, Krishnan, Mobahi (2021).  From w_1 = … = w_{L−1} and w_L = 0 the frequencies k of
β = w_1 * … * w_L obey

    β̂ = c_k^L h(c_k^{L−2}|ζ|) ζ/|ζ|,     c_k = |ŵ_1(k)|,

with h of `bias/mirror.py` and ζ the transform of −∫∇ℓ, as long as the phase of the
force is constant: for one sample, for two inputs, or for even signals.  The limit then
minimizes

    Q(β) = Σ_k c_k² H(|β̂(k)|/c_k^L),     H = ∫h⁻¹,

among the minimizers of the loss.  For general signals, from two samples and three
inputs on, this is an estimate only: `FourierPotential.estimate` gives it as such.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.bias.mirror import ProductMap
from symflow.bias.prediction import Prediction
from symflow.claims import TOLERANCE, Hypothesis, Path, Refusal, Status, all_hold
from symflow.claims.bibliography import YUN_2021
from symflow.claims.conditions import squared_loss
from symflow.errors import PrecisionLost
from symflow.flow.least_squares import ALLOWED_OFF, LeastSquares, least_squares
from symflow.flow.problem import Problem
from symflow.networks import Circulant, Network, Readout

#: Newton steps and halvings of one.
STEPS, HALVINGS = 200, 60


@dataclass(frozen=True, eq=False, repr=False)
class FourierPotential(Prediction):
    """The limit of a convolution of full filters; made by `implicit_bias`.

    Parameters
    ----------
    mirror : ProductMap
        h, with the depth L.
    sizes : ndarray, shape (d,)
        c_k = |ŵ_1(k)|.
    """

    mirror: ProductMap
    sizes: Array

    source = YUN_2021

    @classmethod
    def attempt(cls, problem: Problem) -> Self | Refusal:
        """Return the prediction, or the hypotheses that fail."""
        found = _structure(problem)
        if all_hold(found):
            found.append(_constant_phases(problem))
        if not all_hold(found):
            return cls.refuse(found)
        return cls(problem, tuple(found), *_start(problem))

    @classmethod
    def estimate(cls, problem: Problem) -> Self | Refusal:
        """Return the same for forces of any phase, as a heuristic.

        Parameters
        ----------
        problem : Problem
            Full filters, the last one zero at the start and the others alike.
        """
        found = _structure(problem)
        if not all_hold(found):
            return cls.refuse(found)
        phases = _constant_phases(problem)
        return cls(problem, (*found, phases), *_start(problem))

    @property
    def status(self) -> Status:
        """Proved for constant phases, a heuristic for others."""
        return Status.PROVED if all_hold(self.checked) else Status.HEURISTIC

    @property
    def potential(self) -> sympy.Expr:
        """Σ_k c_k² H(|β̂(k)|/c_k^L), H written as the integral of h⁻¹."""
        k, d = sympy.Symbol("k", integer=True), len(self.sizes)
        beta, c = sympy.IndexedBase("betahat"), sympy.IndexedBase("c")
        term = sympy.Function("H")(sympy.Abs(beta[k]) / c[k] ** self.mirror.depth)
        return sympy.Sum(c[k] ** 2 * term, (k, 0, d - 1))

    @property
    def statement(self) -> sympy.Basic:
        """The limit minimizes the potential."""
        infinite = sympy.Symbol("beta_inf")
        return sympy.Eq(infinite, sympy.Function("argmin")(self.potential))

    @cached_property
    def reduction(self) -> LeastSquares:
        """The least-squares problem in float64."""
        return least_squares(self.problem)

    @cached_property
    def limit(self) -> Array:
        """The predicted βᵀ, shape (1, d), by Newton's method on the dual problem.

        ν minimizes d⁻¹Σ c_k² H*(c_k^{L−2}|ζ_k|) − νᵀb with ζ the transform of Φν.
        """
        frame, values = self.reduction.frame, self.reduction.optimum[0]
        spectrum, depth = np.fft.fft(frame, axis=0), self.mirror.depth
        nu, scale = np.zeros(len(values)), float(np.max(np.abs(values)))
        # from large weights, where the problem is quadratic, to those at hand
        first = max(1.0, (2 * scale) ** (1 / depth) / float(np.min(self.sizes)))
        factors = np.geomspace(first, 1, 1 + int(np.ceil(np.log2(first))))
        for factor, following in zip(factors, [*factors[1:], 1.0], strict=True):
            nu = _newton(self.mirror, spectrum, self.sizes * factor, values, nu)
            nu = nu * (factor / following) ** (depth - 2)
        zeta = spectrum @ nu
        force = self.sizes ** (depth - 2) * np.abs(zeta)
        sized = self.sizes**depth * self.mirror.value(force)
        beta = np.fft.ifft(_turned(zeta, sized)).real
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
        misfit = self.reduction.misfit(W)
        size = float(np.max(np.abs(self.reduction.target))) or 1.0
        return max(float(self._off(W)[0]), float(np.max(np.abs(misfit))) / size)

    def residuals(self, path: Path) -> Array:
        """Return how far ∇Q(β(t)) is off the row space, relative, at every time."""
        return self._off(to_float_array(path.end_to_end)[:, 0, :])

    def slack(self, path: Path) -> Array:
        """Return what data and start in float64 may put off the row space."""
        return np.full(len(path.t), ALLOWED_OFF)

    def _off(self, beta: Array) -> Array:
        spectrum = np.fft.fft(beta, axis=-1)
        depth = self.mirror.depth
        size = self.mirror.inverse(np.abs(spectrum) / self.sizes**depth)
        size = size / self.sizes ** (depth - 2)
        force = np.fft.ifft(_turned(spectrum, size), axis=-1).real
        top = np.max(np.abs(force), axis=-1)
        gap = np.max(np.abs(self.reduction.off(force)), axis=-1)
        return np.asarray(gap / np.where(top > 0, top, 1.0))

    def scaled(self, factor: float) -> FourierPotential:
        """Return the potential of filters that are larger by a factor.

        Parameters
        ----------
        factor : float
            Of the weights.
        """
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


def _start(problem: Problem) -> tuple[ProductMap, Array]:
    """Return the map and the c_k."""
    spectrum = np.fft.fft(problem.floats.weights[0].ravel())
    return ProductMap(problem.flow.network.depth), np.abs(spectrum)


def _structure(problem: Problem) -> list[Hypothesis]:
    """Check the loss, the network and the start."""
    network = problem.flow.network
    layers = network.layers if isinstance(network, Network) else ()
    full = len(layers) >= 2 and isinstance(layers[-1], Readout)
    full = full and all(isinstance(layer, Circulant) for layer in layers[:-1])
    full = full and all(getattr(layer, "support", 0) is None for layer in layers)
    found = [
        squared_loss(problem.flow),
        Hypothesis("convolutions with full filters", full, repr(network)),
    ]
    if all_hold(found):
        first, *middle, last = (weight.ravel() for weight in problem.floats.weights)
        size = float(np.max(np.abs(last)))
        gap = float(max((np.max(np.abs(w - first)) for w in middle), default=0.0))
        least = float(np.min(np.abs(np.fft.fft(first))))
        detail = (
            f"they differ by {gap:.2g}, max|w_L| = {size:.2g}, min|ŵ| = {least:.2g}"
        )
        words = "all filters but the last alike with all frequencies, the last zero"
        found.append(Hypothesis(words, size == gap == 0 < least, detail))
    return found


def _constant_phases(problem: Problem) -> Hypothesis:
    """Say whether the phases of the force cannot change: see the module."""
    reduction = least_squares(problem)
    d = len(reduction.frame)
    turned = np.roll(reduction.frame[::-1], 1, axis=0)
    odd = float(
        np.max(np.abs(reduction.off((reduction.frame - turned).T)), initial=0.0)
    )
    uneven = float(np.max(np.abs(reduction.frame - turned), initial=0.0))
    holds = reduction.rank == 1 or d <= 2 or uneven <= TOLERANCE
    detail = f"rank {reduction.rank}, {d} inputs, odd part {max(odd, uneven):.2g}"
    words = "one sample, two inputs, or even signals: constant phases"
    return Hypothesis(words, holds, detail)
