"""Two full circular filters, squared loss: a potential of the Fourier moduli.

Yun, Krishnan, Mobahi (2021).  From w_2 = 0 the frequencies k of β = w_1 * w_2 obey
β̂ = c_k h₂(|ζ|) ζ/|ζ| with c_k = |ŵ_1(k)|², h₂ = ½ sinh 2x and ζ the transform of
−∫∇ℓ, as long as the phase of the force is constant: for one sample, for two inputs, or
for even signals.  The limit then minimizes

    Q(β) = Σ_k c_k H₂(|β̂(k)|/c_k),     H₂(τ) = ½τ arsinh 2τ − ¼(√(4τ² + 1) − 1),

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
from symflow.bias.frozen import YUN
from symflow.bias.prediction import Prediction
from symflow.claims import Hypothesis, Path, Refusal, Status
from symflow.errors import PrecisionLost
from symflow.flow.least_squares import ALLOWED_OFF, LeastSquares, least_squares
from symflow.flow.problem import Problem
from symflow.hypotheses import TOLERANCE, squared_loss
from symflow.networks import Circulant, Network, Readout
from symflow.theorem import all_hold

#: Newton steps and halvings of one.
STEPS, HALVINGS = 200, 60


@dataclass(frozen=True, eq=False, repr=False)
class FourierPotential(Prediction):
    """The limit of a convolution of two full filters; made by `implicit_bias`.

    Parameters
    ----------
    sizes : ndarray, shape (d,)
        c_k = |ŵ_1(k)|².
    """

    sizes: Array

    source = YUN

    @classmethod
    def attempt(cls, problem: Problem) -> Self | Refusal:
        """Return the prediction, or the hypotheses that fail."""
        found = _structure(problem)
        if all_hold(found):
            found.append(_constant_phases(problem))
        if not all_hold(found):
            return cls.refuse(found)
        return cls(problem, tuple(found), _sizes(problem))

    @classmethod
    def estimate(cls, problem: Problem) -> Self | Refusal:
        """Return the same for forces of any phase, as a heuristic.

        Parameters
        ----------
        problem : Problem
            Two full filters, the second zero at the start.
        """
        found = _structure(problem)
        if not all_hold(found):
            return cls.refuse(found)
        phases = _constant_phases(problem)
        return cls(problem, (*found, phases), _sizes(problem))

    @property
    def status(self) -> Status:
        """Proved for constant phases, a heuristic for others."""
        return Status.PROVED if all_hold(self.checked) else Status.HEURISTIC

    @property
    def potential(self) -> sympy.Expr:
        """Σ_k c_k H₂(|β̂(k)|/c_k)."""
        k, d = sympy.Symbol("k", integer=True), len(self.sizes)
        beta, c = sympy.IndexedBase("betahat"), sympy.IndexedBase("c")
        tau = sympy.Abs(beta[k]) / c[k]
        term = tau * sympy.asinh(2 * tau) / 2 - (sympy.sqrt(4 * tau**2 + 1) - 1) / 4
        return sympy.Sum(c[k] * term, (k, 0, d - 1))

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

        ν minimizes d⁻¹Σ c_k ½ sinh²|ζ_k| − νᵀb with ζ the transform of Φν.
        """
        frame, values = self.reduction.frame, self.reduction.optimum[0]
        spectrum = np.fft.fft(frame, axis=0)
        nu = np.zeros(len(values))
        # from large weights, where the problem is quadratic, to those at hand
        first = max(1.0, 2 * float(np.max(np.abs(values)) / np.min(self.sizes)))
        for factor in np.geomspace(first, 1, 1 + int(np.ceil(np.log10(first)))):
            nu = _newton(spectrum, self.sizes * factor, values, nu)
        zeta = spectrum @ nu
        beta = np.fft.ifft(_turned(zeta, self.sizes * np.sinh(2 * np.abs(zeta)) / 2))
        misfit = float(np.max(np.abs(beta.real @ frame - values)))
        if not misfit <= 1e-9 * float(np.max(np.abs(values))):
            msg = (
                f"FourierPotential: Newton's method stopped at a misfit of {misfit:.2g}"
            )
            raise PrecisionLost(msg)
        return np.asarray(beta.real[None])

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
        size = np.arcsinh(2 * np.abs(spectrum) / self.sizes) / 2
        force = np.fft.ifft(_turned(spectrum, size), axis=-1).real
        top = np.max(np.abs(force), axis=-1)
        gap = np.max(np.abs(self.reduction.off(force)), axis=-1)
        return np.asarray(gap / np.where(top > 0, top, 1.0))

    def scaled(self, factor: float) -> FourierPotential:
        """Return the potential of a first filter that is larger by a factor."""
        return replace(self, sizes=self.sizes * factor**2)


def _turned(spectrum: Array, size: Array) -> Array:
    """Return numbers of the given sizes with the phases of the spectrum."""
    modulus = np.abs(spectrum)
    return np.asarray(size * spectrum / np.where(modulus > 0, modulus, 1.0))


def _newton(spectrum: Array, sizes: Array, values: Array, nu: Array) -> Array:
    """Minimize the dual objective from ν by damped Newton steps."""
    d = len(spectrum)

    def objective(at: Array) -> float:
        with np.errstate(over="ignore"):
            parts = sizes * np.sinh(np.abs(spectrum @ at)) ** 2 / 2
        return float(np.sum(parts) / d - at @ values)

    for _ in range(STEPS):
        zeta = spectrum @ nu
        size = np.abs(zeta)
        unit = zeta / np.where(size > 0, size, 1.0)
        along = np.real(np.conj(unit)[:, None] * spectrum)
        across = np.imag(np.conj(unit)[:, None] * spectrum)
        flat = np.where(size > 0, size, 1.0)
        bent = np.where(size > 0, np.sinh(2 * size) / (2 * flat), 1.0) * sizes
        steep = np.cosh(2 * size) * sizes
        gradient = along.T @ (sizes * np.sinh(2 * size) / 2) / d - values
        if np.max(np.abs(gradient)) <= 1e-14 * np.max(np.abs(values)):
            break
        zero = size == 0
        plain = np.real(
            np.conj(spectrum[zero]).T @ (sizes[zero, None] * spectrum[zero])
        )
        hessian = (along.T * np.where(zero, 0, steep)) @ along
        hessian = (hessian + (across.T * np.where(zero, 0, bent)) @ across + plain) / d
        step = -np.linalg.lstsq(hessian, gradient, rcond=1e-15)[0]
        start, length = objective(nu), 1.0
        for _ in range(HALVINGS):
            bound = start + 1e-4 * length * float(gradient @ step) + 1e-14 * abs(start)
            if objective(nu + length * step) <= bound:
                break
            length /= 2
        nu = nu + length * step
    return nu


def _sizes(problem: Problem) -> Array:
    return np.asarray(np.abs(np.fft.fft(problem.floats.weights[0].ravel())) ** 2)


def _structure(problem: Problem) -> list[Hypothesis]:
    """Check the loss, the network and the start."""
    network = problem.flow.network
    layers = network.layers if isinstance(network, Network) else ()
    full = len(layers) == 2 and isinstance(layers[0], Circulant)
    full = full and isinstance(layers[1], Readout)
    full = full and all(getattr(layer, "support", 0) is None for layer in layers)
    found = [
        squared_loss(problem.flow),
        Hypothesis("two convolutions with full filters", full, repr(network)),
    ]
    if all_hold(found):
        first, second = (weight.ravel() for weight in problem.floats.weights)
        size = float(np.max(np.abs(second)))
        least = float(np.min(np.abs(np.fft.fft(first))))
        detail = f"max|w₂| = {size:.2g}, min|ŵ₁| = {least:.2g}"
        words = "the second filter starts at zero, the first has all frequencies"
        found.append(Hypothesis(words, size == 0 < least, detail))
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
