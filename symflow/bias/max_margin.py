"""What every predicted direction of classification has to answer.

Where the start satisfies `separation.classification`, the loss falls to zero and the
weights grow without bound; only β/‖β‖ has a limit.  At all times the soft margin u of
`soft_margin` and the norm of all weights obey

    u(t₀)/‖θ(t₀)‖^L ≤ u(t)/‖θ(t)‖^L ≤ γ*/L^{L/2}

once u > 0, and the middle never decreases then (Lyu and Li 2020).  Here γ* is the
largest margin at unit norm, in the norm of the prediction: Σ_l‖w_l‖² ≥ L‖ρ‖^{2/L} by
the inequality of the means.  This sandwich is the residual on a trajectory; how near β
is to the direction, `angle` and `kkt_residual` say.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.numbers import to_float
from symflow.bias.euclidean_margin import Widest
from symflow.bias.margin_problems import stationarity
from symflow.bias.prediction import Prediction
from symflow.bias.reached import Reached, least_power
from symflow.bias.separation import degree_of, signed_samples, soft_margin
from symflow.claims import Identity, Path
from symflow.errors import HypothesisFailed
from symflow.flow.problem import Problem

#: Rounding of a margin that was solved for in float64, relative.
ROUNDED = 1e-11
#: Part of what a bounded quantity is made of to which its violation is compared.
BLIND = 1e-4


@dataclass(frozen=True, eq=False, repr=False)
class Direction(Prediction):
    """The direction β/‖β‖ in which a classifying flow grows.

    Its `limit` has unit Euclidean norm.
    """

    where = (
        "β_inf is the limit of β/‖β‖, scaled so that the smallest margin z_i = "
        "y_i⟨β, x_i⟩ is 1; that directions converge, to a stationary point, is due to "
        "Lyu and Li 2020 and Ji and Telgarsky 2020"
    )

    @property
    @abstractmethod
    def margin(self) -> float:
        """γ*, or a number above it; infinite where nothing is known."""

    @property
    def degree(self) -> int:
        """L, the degree of f in the weights."""
        return degree_of(self.problem.flow.network)

    @property
    def ceiling(self) -> float:
        """What u/‖θ‖^L cannot exceed, γ*/L^{L/2} by the inequality of the means."""
        return float(self.margin / self.degree ** (self.degree / 2))

    @property
    def is_determined(self) -> bool:
        """Whether the limit is proved to be the minimizer, and not only stationary."""
        return True

    @property
    def statement(self) -> sympy.Basic:
        """β/‖β‖ goes to the minimizer, or to a stationary point, at margins ≥ 1."""
        infinite = sympy.Symbol("beta_inf")
        name = "argmin" if self.is_determined else "a_stationary_point_of"
        margins = sympy.IndexedBase("z")[sympy.Symbol("i", integer=True)]
        goal = sympy.Function(name)(self.potential, sympy.Ge(margins, 1))
        return sympy.Eq(infinite, goal, evaluate=False)

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return what makes u/‖θ‖^L rise, for the exponential loss and two samples."""
        a, b, c, x, y, p, q = sympy.symbols("a b c x y p q", positive=True)
        f = c * (a * x + b * y)
        euler = sum(w * sympy.diff(f, w) for w in (a, b, c, x, y)) - 3 * f
        total = sympy.exp(-x) + sympy.exp(-y)
        first, second = sympy.exp(-x) / total, sympy.exp(-y) / total
        entropy = first * (x + sympy.log(total)) + second * (y + sympy.log(total))
        mean = first * x + second * y
        lagrange = (a**2 + b**2) * (x**2 + y**2) - (a * x + b * y) ** 2
        return (
            Identity(
                "Σ⟨w_l, ∂f/∂w_l⟩ = Lf (Euler): ½d‖θ‖²/dt = LΣ_i(−φ′(z_i))z_i",
                euler,
            ),
            Identity(
                "Σp_i z_i − u = Σp_i log 1/p_i ≥ 0 for p_i ∝ e^{−z_i} and e^{−u} = "
                "Σe^{−z_i}: ½d‖θ‖²/dt ≥ Lu·Σe^{−z_i}",
                mean + sympy.log(total) - entropy,
            ),
            Identity(
                "‖g‖²‖θ‖² − ⟨g, θ⟩² is a square: du/dt = ‖∇ℒ‖²/ℒ then outgrows "
                "L·u·d log‖θ‖/dt, so that u/‖θ‖^L never decreases",
                lagrange - (a * y - b * x) ** 2,
            ),
            *cls._optimality(p, q, x, y),
        )

    @classmethod
    def _optimality(cls, *symbols: sympy.Symbol) -> tuple[Identity, ...]:
        """Return why a stationary point of the weights is one of the potential."""
        return ()

    def angle(self, end_to_end: Any) -> float:
        """Return the angle between W and the predicted direction, in radians.

        Parameters
        ----------
        end_to_end : array_like, shape (1, d)
            The end-to-end matrix, at any scale.

        Returns
        -------
        float
            Accurate also where it is small.
        """
        row = to_float_array(np.asarray(end_to_end)).ravel()
        unit = row / euclidean_norm(row)
        chord = float(np.linalg.norm(unit - self.limit[0]))
        return float(2 * np.arcsin(min(1.0, chord / 2)))

    def reached(self, run: Path) -> Reached:
        """Return where a run points at its end, and how far that is from stationary.

        Parameters
        ----------
        run : Trajectory
            Best of `directional_flow`, in the clock of the loss.

        Returns
        -------
        Reached
            Measured: with KKT residual, margin, and the distance to the global minimum.
        """
        rows = to_float_array(run.end_to_end)[:, 0]
        half = int(np.searchsorted(to_float_array(run.t), float(run.t[-1]) / 2))
        units = [rows[k] / euclidean_norm(rows[k]) for k in (half, -1)]
        chord = float(np.linalg.norm(units[1] - units[0]))
        return Reached(
            units[1][None],
            self._stationary(run),
            float(2 * np.arcsin(min(1.0, chord / 2))),
            float(np.min(signed_samples(self.problem) @ units[1])),
            *self._objectives(units[1]),
        )

    def _stationary(self, run: Path) -> float:
        return self.kkt_residual(to_float_array(run.end_to_end)[-1])

    def _objectives(self, row: Array) -> tuple[float, ...]:
        """Return the objective of a row at margin 1, and its least value, if known."""
        return ()

    def residuals(self, path: Path) -> Array:
        """Return by how much u/‖θ‖^L leaves the sandwich, relative to its top."""
        held = smoothed_margins(self.problem, path, self.degree)
        top = self.ceiling
        # it need not rise before it is positive
        found, best = [], max(held[0], 0.0)
        for value in held:
            gap = max((best - value) * bool(best), value - top, 0.0)
            found.append(gap / (max(best, abs(value)) or 1.0))
            best = max(best, value)
        return np.array(found)

    def slack(self, path: Path) -> Array:
        """Return what a margin solved for in float64 may add."""
        return super().slack(path) + ROUNDED


@dataclass(frozen=True, eq=False, repr=False)
class ModuliDirection(Direction):
    """A direction that is stationary for the ℓ_{2/L} margin of some coefficients ρ."""

    @property
    @abstractmethod
    def widest(self) -> Widest:
        """The ρ of least Σ|ρ_j| with margins of at least 1; the limit for L = 2."""

    @property
    @abstractmethod
    def _beta(self) -> Array:
        """The β of the ρ of `widest`."""

    @property
    @abstractmethod
    def _basis(self) -> Array:
        """The matrix from ρ to β, shape (d, p)."""

    def _coefficients(self, row: Array) -> tuple[Array, Array]:
        """Return the samples in terms of ρ, shape (n, p), and the ρ of a row."""
        basis = self._basis
        point = np.linalg.lstsq(basis, row.astype(basis.dtype), rcond=None)[0]
        return signed_samples(self.problem) @ basis, point

    def kkt_residual(self, end_to_end: Any) -> float:
        """Return how far ρ is from stationary, see `margin_problems.stationarity`."""
        found = self._coefficients(to_float_array(np.asarray(end_to_end)).ravel())
        return stationarity(*found, self.degree, off_support=self.degree == 2)

    def _objectives(self, row: Array) -> tuple[float, ...]:
        columns, point = self._coefficients(row)
        least = float(np.min((columns @ point).real))
        if least <= 0:
            return (float("inf"), least_power(columns, self.degree))
        size = float(np.sum(np.abs(point / least) ** (2 / self.degree)))
        return size, least_power(columns, self.degree)

    @property
    def is_determined(self) -> bool:
        """Only for two layers is the problem convex."""
        return self.degree == 2

    @property
    def limit(self) -> Array:
        """The direction for L = 2 in float64, of unit Euclidean norm, shape (1, d).

        Raises
        ------
        HypothesisFailed
            For L ≥ 3, or if several directions have the largest margin.
        """
        return only_limit(self.widest, self._beta, self.degree)

    @property
    def margin(self) -> float:
        """The largest margin at Σ|ρ_j| = 1, no less than that at ‖ρ‖_{2/L} = 1."""
        return float(1 / np.sum(np.abs(self.widest.point)))

    @classmethod
    def _optimality(cls, *symbols: sympy.Symbol) -> tuple[Identity, ...]:
        """Return why two layers that are stationary have the least Σ|ρ_j|."""
        a, b, p, q = symbols
        r, s = sympy.symbols("r s", real=True)
        return (
            Identity(
                "½(a² + b²) = ab + ½(a − b)²: the weights of a mode are at least as "
                "large as |ρ|, with equality where both layers agree",
                (a**2 + b**2) / 2 - a * b - (a - b) ** 2 / 2,
            ),
            Identity(
                "d(a + b)/dt = s(a + b) for ȧ = sb, ḃ = sa, and a + b ≠ 0 at the "
                "start: where s_j stayed above 1 the mode would outgrow all others, "
                "so |s_j| ≤ 1",
                s * b + s * a - s * (a + b),
            ),
            Identity(
                "⟨s, ρ′⟩ = Σμ_i z′_i ≥ Σμ_i = ⟨s, ρ⟩ = Σ|ρ_j| for s = Σμ_i y_i Sx_i: "
                "with |s_j| ≤ 1 no ρ′ of margins ≥ 1 has a smaller sum",
                r * (p * a + q * b)
                + s * (p * b - q * a)
                - p * (r * a + s * b)
                - q * (r * b - s * a),
            ),
        )


def smoothed_margins(problem: Problem, path: Path, degree: int) -> list[float]:
    """Return u/‖θ‖^L at every time of a path, computed in its arithmetic."""
    half = path.number(degree) / 2
    margins = path.end_to_end[:, 0, :] @ signed_samples(problem, path.context).T
    soft = soft_margin(problem.flow.loss, margins, path.context)
    squares: Any = sum((weight**2).sum(axis=(1, 2)) for weight in path.weights)
    return [to_float(u / s**half) for u, s in zip(soft, squares, strict=True)]


def only_limit(found: Widest, beta: Array, depth: int) -> Array:
    """Return a direction of largest margin in moduli, if it is the only candidate.

    Its `beta` has shape (d,). HypothesisFailed says that there are several, or L ≥ 3.
    """
    if depth > 2:
        msg = (
            f"bias.limit: for L = {depth} the direction is one of many stationary "
            f"points of the ℓ_{{2/{depth}}} margin, and no theorem says which. Use "
            "bias.kkt_residual(W)"
        )
        raise HypothesisFailed(msg)
    if not found.unique:
        msg = (
            "bias.limit: several directions have the largest margin for these data, or "
            "it is not known that there is only one. Use bias.kkt_residual(W), which "
            "vanishes at all of them"
        )
        raise HypothesisFailed(msg)
    return np.asarray(beta / euclidean_norm(beta))[None]


def euclidean_norm(vector: Array) -> float:
    """Return ‖v‖ where the squares may be beyond the range of floats."""
    size = float(np.max(np.abs(vector)))
    return size * float(np.linalg.norm(vector / size)) if size else 0.0


def violations(smaller: Array, larger: Array, sizes: Any, start: Any = None) -> Array:
    """Return (√smaller − √larger)₊ relative to the larger side, or to the start.

    The larger side is a constant.  The `sizes` are what the smaller one is made of: it
    cannot be seen more sharply than its rounding, to which `BLIND` of it belongs.
    """
    base = larger[0] if start is None else start
    pairs = zip(smaller, larger, base + BLIND * sizes, strict=True)
    return np.array(
        [max(a**0.5 - b**0.5, 0 * a) / size**0.5 for a, b, size in pairs],
        dtype=smaller.dtype,
    )


def least_lead(amplitudes: Any) -> Any:
    """Return the least (|η_l|² − |η_L|²)/(|η_l|² + |η_L|²) over modes and l < L.

    The `amplitudes` are η_1, …, η_L, shape (p,) each.
    """
    last = amplitudes[-1]
    pairs = [
        (one**2, other**2)
        for layer in amplitudes[:-1]
        for one, other in zip(layer, last, strict=True)
    ]
    return min((a - b) / (a + b) if a + b else a - b for a, b in pairs)
