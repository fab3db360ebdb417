"""How long to follow a flow until it has converged, from the spectra of the data.

Let W* be the reduced-rank regression matrix, with singular values s_i, and σ_i those of
W*Σ_xx.  A small start of end-to-end size w₀ leaves the saddle at zero along mode i at
the escape time of the balanced flow (Saxe, McClelland, Ganguli 2014),

    ln(s_i/w₀) / (2σ_i) for two layers,   w₀^{2/L−1} / (σ_i (L − 2)) for L ≥ 3.

Near W* the balanced end-to-end flow linearizes to

    Ė = −Σ_l (WWᵀ)^{(L−l)/L} E Σ_xx (WᵀW)^{(l−1)/L},

whose first term alone contracts what lies along the eigenvector v_j of Σ_xx (eigenvalue
λ_j) at least at the rate r_j = λ_j s_min^{2−2/L}: the curvature of the loss times the
size of the tangent kernel of the weights.  That part of the loss is at first
e_j = ½ λ_j ‖W* v_j‖² and falls to the tolerance within the time ln(e_j/tol) / (2r_j).
Where the network has too small a rank k, its subspace turns to the best one at the rate
σ_k s_k^{1−2/L} (1 − ρ_{k+1}/ρ_k), ρ the singular values of Σ_yxΣ_xx^{−1/2}.

The horizon is the longest escape plus the longest relaxation; modes and directions
that explain less of the loss than the tolerance are left out.  It is an estimate;
whether the loss has converged is measured afterwards.

Other networks and losses have no such spectra.  There the horizon begins with the time
in which the weights move by their own size, or the loss falls by its own, and is
lengthened until both stand still.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, log

import numpy as np

from symflow.analysis.optimum import (
    Floats,
    best_matrix,
    constant_part,
    inverse_root,
    least_loss,
)
from symflow.claims.conditions import dense_layers, squared_loss
from symflow.codegen.objective import Objective
from symflow.flow import GradientFlow
from symflow.flow.problem import Problem
from symflow.simulation.system import System

#: The loss counts as converged this close to its limit, relative.
CONVERGED = 1e-10

#: Largest product of time and fastest rate: explicit steps grow in proportion.
LARGEST_STIFFNESS = 30_000.0

#: Time points beside zero: geometric and even ones, and those of pictures.
GEOMETRIC, EVEN, FINE = 48, 24, 240


@dataclass(frozen=True)
class Horizon:
    """The time to follow a flow, and what it should reach."""

    #: Longest escape time from the saddle at zero; None without spectra.
    escape: float | None
    relaxation: float | None  #: Longest relaxation after it; None without spectra.
    end: float  #: The last time, not beyond `cap`.
    #: The longest time that an explicit integrator can afford; infinite where that is
    #: counted in steps instead.
    cap: float
    #: The smallest loss that the network can represent; None where there is no formula
    #: for it, as with weight decay.
    limit: float | None
    tolerance: float  #: How close to its limit the loss counts as converged, absolute.
    start: float  #: End-to-end size w₀ of the start.
    is_still: bool = False  #: Whether the flow was seen to stand still by the end.

    @property
    def times(self) -> Floats:
        """Zero, then times dense on logarithmic and on linear axes."""
        even = np.linspace(0.0, self.end, EVEN + 1)[1:]
        geometric = np.geomspace(1e-4 * self.end, self.end, GEOMETRIC)[:-1]
        return np.concatenate([[0.0], np.union1d(geometric, even)])

    @property
    def fine_times(self) -> Floats:
        """The same times and more between them, for smooth curves."""
        return np.union1d(self.times, np.geomspace(1e-4 * self.end, self.end, FINE))

    def longer(self, factor: float) -> Horizon:
        """Return the same horizon, longer by a factor, up to the cap."""
        return replace(self, end=min(self.end * factor, self.cap))


def horizon(problem: Problem) -> Horizon:
    """Estimate how long a flow takes to converge."""
    floats = problem.floats
    # w₀ = s^L, with s the typical singular value of a layer at the start
    start = layer_size(floats) ** len(floats.weights)
    if not has_spectra(problem.flow):
        return _own_scale(floats, start)
    decay, limit = float(min(problem.flow.decays)), least_loss(floats)
    # Where the data can be fitted exactly the limit is zero and cannot be the scale.
    gained = constant_part(floats) or abs(limit)
    tolerance = CONVERGED * max(abs(limit), 1e-3 * gained)
    spectra = _Spectra.of(floats, tolerance)
    escape = spectra.escape(start)
    relaxation = spectra.relaxation(tolerance, decay)
    cap = LARGEST_STIFFNESS / (spectra.fastest + decay)
    return Horizon(
        escape=escape,
        relaxation=relaxation,
        end=min(escape + relaxation, cap),
        cap=cap,
        limit=limit if decay == 0 else None,
        tolerance=tolerance,
        start=start,
    )


def has_spectra(flow: GradientFlow) -> bool:
    """Say whether the spectra of the data tell how the flow goes: dense, squared."""
    return dense_layers(flow, least=1).holds and squared_loss(flow, decay=True).holds


def _own_scale(problem: Problem, start: float) -> Horizon:
    """Return the time in which the weights or the loss move by their own size."""
    system = System(problem)
    speed = float(np.linalg.norm(system.rhs(0.0, system.start)))
    loss = abs(float(Objective(problem)(problem.weights)))
    sizes = (float(np.linalg.norm(system.start)) / (speed or 1), loss / (speed**2 or 1))
    end = min((size for size in sizes if size > 0), default=1.0)
    tolerance = CONVERGED * (loss or 1.0)
    return Horizon(None, None, end, inf, None, tolerance, start)


def layer_size(problem: Problem) -> float:
    """Return the root mean square of the singular values of all layers."""
    squares = [
        float(np.sum(weight**2)) / min(weight.shape) for weight in problem.weights
    ]
    return float(np.sqrt(np.mean(squares)))


@dataclass(frozen=True)
class _Spectra:
    """The numbers of the module's docstring, for the modes that matter."""

    depth: int
    strengths: Floats
    forces: Floats
    curvatures: Floats
    explained: Floats
    competing: tuple[float, float] | None

    @classmethod
    def of(cls, problem: Problem, tolerance: float) -> _Spectra:
        sigma_xx, sigma_yx = problem.arguments
        rank = min(problem.widths)
        best = best_matrix(sigma_xx, sigma_yx, rank)
        _, strengths, right = np.linalg.svd(best, full_matrices=False)
        losses = 0.5 * strengths**2 * np.einsum("ij,jk,ik->i", right, sigma_xx, right)
        kept = losses > tolerance
        forces = np.linalg.svd(best @ sigma_xx, compute_uv=False)
        curvatures, vectors = np.linalg.eigh(sigma_xx)
        explained: Floats = 0.5 * curvatures * np.sum((best @ vectors) ** 2, axis=0)
        scores = np.linalg.svd(sigma_yx @ inverse_root(sigma_xx), compute_uv=False)
        competing = None
        if rank < len(scores) and scores[rank] > 1e-9 * scores[0]:
            competing = (float(scores[rank - 1]), float(scores[rank]))
        return cls(
            len(problem.weights),
            np.asarray(strengths[kept]),
            np.asarray(forces[: int(np.sum(kept))]),
            curvatures,
            explained,
            competing,
        )

    @property
    def kernels(self) -> Floats:
        """s^{2−2/L}, the size of the tangent kernel, per mode."""
        if not self.strengths.size:
            return np.ones(1)
        return np.asarray(self.strengths ** (2 - 2 / self.depth))

    @property
    def fastest(self) -> float:
        """The fastest rate at the optimum: it limits explicit steps."""
        top = self.depth * float(self.curvatures[-1]) * float(np.max(self.kernels))
        return max(top, float(np.finfo(float).tiny))

    def escape(self, start: float) -> float:
        """Return the longest escape time from the saddle at zero."""
        if self.depth == 1 or not self.forces.size or start <= 0:
            return 0.0
        if self.depth == 2:
            growth = np.log(np.maximum(self.strengths / start, 1.0))
            return float(np.max(growth / (2 * self.forces)))
        slowness = self.forces * (self.depth - 2)
        return float(np.max(start ** (2 / self.depth - 1) / slowness))

    def relaxation(self, tolerance: float, decay: float) -> float:
        """Return the longest time to fall to the tolerance after the escape."""
        kept = self.explained > tolerance
        if not np.any(kept):
            return 1.0 / self.fastest
        rates = self.curvatures[kept] * float(np.min(self.kernels)) + decay
        times = np.log(self.explained[kept] / tolerance) / (2 * rates)
        return max(float(np.max(times)), self._turning(tolerance))

    def _turning(self, tolerance: float) -> float:
        """Return the time in which a too small subspace turns to the best one."""
        if self.competing is None or not self.forces.size:
            return 0.0
        least, next_one = self.competing
        gap = 1 - next_one / least
        weight = float(self.strengths[-1]) ** (1 - 2 / self.depth)
        stake = 0.5 * (least**2 - next_one**2)
        if gap <= 0 or stake <= tolerance:
            return 0.0
        rate = float(self.forces[-1]) * weight * gap
        return float(log(stake / tolerance) / (2 * rate))
