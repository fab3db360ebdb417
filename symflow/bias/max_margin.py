"""What every predicted direction of classification has to answer.

Where the start satisfies `separation.classification`, the loss falls to zero and the
weights grow without bound; only β/‖β‖ has a limit.  At all times the soft margin u of
`soft_margin` and the norm of all weights obey

    u(t₀)/‖θ(t₀)‖^L ≤ u(t)/‖θ(t)‖^L ≤ γ*/L^{L/2},

and the middle never decreases (Lyu and Li 2020).  Here γ* is the largest margin at unit
norm, in the norm of the prediction: Σ_l‖w_l‖² ≥ L‖ρ‖^{2/L} by the inequality of the
means.  This sandwich is the residual on a trajectory; how near β is to the direction,
`angle` and `kkt_residual` say.
"""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.numbers import to_float
from symflow.bias.margin_problems import Widest
from symflow.bias.prediction import Prediction
from symflow.bias.separation import signed_samples, soft_margin
from symflow.claims import Path
from symflow.errors import HypothesisFailed
from symflow.flow.problem import Problem
from symflow.networks import HadamardDifference, SignedDiagonalNetwork

#: Rounding of a margin that was solved for in float64, relative.
ROUNDED = 1e-11


@dataclass(frozen=True, eq=False, repr=False)
class Direction(Prediction):
    """The direction β/‖β‖ in which a classifying flow grows.

    Its `limit` has unit Euclidean norm.
    """

    #: A start that separates the samples is a hypothesis, and suffices.
    proviso = ""

    @property
    @abstractmethod
    def margin(self) -> float:
        """γ*, or a number above it; infinite where nothing is known."""

    @property
    def degree(self) -> int:
        """L, the degree of f in the weights."""
        return degree_of(self.problem.flow.network)

    @property
    @abstractmethod
    def ceiling(self) -> float:
        """What u/‖θ‖^L cannot exceed."""

    @property
    def statement(self) -> sympy.Basic:
        """β/‖β‖ converges to the largest margin in the norm of the prediction."""
        infinite = sympy.Symbol("beta_inf")
        return sympy.Eq(infinite, sympy.Function("argmin")(self.potential))

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
        unit = row / np.linalg.norm(row)
        chord = float(np.linalg.norm(unit - self.limit[0]))
        return float(2 * np.arcsin(min(1.0, chord / 2)))

    def residuals(self, path: Path) -> Array:
        """Return by how much u/‖θ‖^L leaves the sandwich, relative to its top."""
        held = smoothed_margins(self.problem, path, self.degree)
        top = self.ceiling
        found, best = [], held[0]
        for value in held:
            gap = max(best - value, value - top, 0.0)
            found.append(gap / max(best, abs(value)))
            best = max(best, value)
        return np.array(found)

    def slack(self, path: Path) -> Array:
        """Return what a margin solved for in float64 may add."""
        return super().slack(path) + ROUNDED


def smoothed_margins(problem: Problem, path: Path, degree: int) -> list[float]:
    """Return u/‖θ‖^L at every time of a path, computed in its arithmetic.

    Parameters
    ----------
    problem : Problem
        With the data.
    path : Path
        A trajectory.
    degree : int
        L.
    """
    half = path.number(degree) / 2
    soft = soft_margins(problem, path)
    squares: Any = sum((weight**2).sum(axis=(1, 2)) for weight in path.weights)
    return [to_float(u / s**half) for u, s in zip(soft, squares, strict=True)]


def degree_of(network: Any) -> int:
    """Return the degree of f in the weights.

    Examples
    --------
    >>> import symflow as sf
    >>> degree_of(sf.HadamardDifference(3)), degree_of(sf.DiagonalNetwork(3, 4))
    (2, 4)
    """
    if isinstance(network, HadamardDifference):
        return 2
    if isinstance(network, SignedDiagonalNetwork):
        return network.layers
    return int(network.depth)


def balanced_ceiling(margin: float, degree: int) -> float:
    """Return γ*/L^{L/2}, by the inequality of the means over L layers.

    Examples
    --------
    >>> balanced_ceiling(3.0, 2)
    1.5
    """
    return float(margin / degree ** (degree / 2))


def only_limit(found: Widest, beta: Array, depth: int) -> Array:
    """Return a direction of largest margin in moduli, if it is the only candidate.

    Parameters
    ----------
    found : Widest
        The solution, which says whether it is unique.
    beta : ndarray, shape (d,)
        Its β.
    depth : int
        L.

    Raises
    ------
    HypothesisFailed
        For L ≥ 3, or if there are several.
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
            "bias.limit: several directions have the largest margin for these data. "
            "Use bias.kkt_residual(W), which vanishes at all of them"
        )
        raise HypothesisFailed(msg)
    return np.asarray(beta / np.linalg.norm(beta))[None]


def soft_margins(problem: Problem, path: Path) -> Array:
    """Return u at every time of a path, in its arithmetic.

    Parameters
    ----------
    problem : Problem
        With the data.
    path : Path
        A trajectory.
    """
    rows = signed_samples(problem, path.context)
    margins = path.end_to_end[:, 0, :] @ rows.T
    return soft_margin(problem.flow.loss, margins, path.context)
