"""What kind of start this is: lazy, rich or between, and which theorems can apply.

For two dense layers and the squared loss.  Everything is read off the start: spreads
and level of the imbalance, the distance to the target, the parts off the row space,
and how far the start is from λ-balanced, from aligned with the data, and from able to
change the sign of its determinant.  A start is called

* lazy if the tangent kernel provably moves by less than half of itself;
* rich if its weights are small, ½(‖W_1‖²_F + ‖W_2‖²_F) ≤ 0.05‖W*‖_* (nuclear norm; no
  factors of W* have a smaller left side than ‖W*‖_*), so that both the product and the
  imbalance are, and the layers have to grow before the loss can fall;
* between otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array
from symflow.claims import TOLERANCE, all_hold
from symflow.claims.conditions import dense_layers, squared_loss
from symflow.convergence.bound import end_to_end, refuse_zero_inputs
from symflow.convergence.deep import deficiency_margin
from symflow.convergence.kernel import KernelDrift
from symflow.convergence.phases import joint_modes
from symflow.convergence.two_layers import levels_of
from symflow.errors import HypothesisFailed
from symflow.flow import GradientFlow
from symflow.flow.imbalance import ImbalanceLevels
from symflow.flow.least_squares import LeastSquares, least_squares
from symflow.flow.problem import Problem, bind_gradient

#: A start this small against the target is rich, a kernel that moves less is lazy.
SMALL, STILL = 0.05, 0.5


@dataclass(frozen=True, eq=False)
class StartRegime:
    """Numbers that say what a two-layer start will do; made by `regime`.

    Parameters
    ----------
    levels : ImbalanceLevels
        Spreads and level of the imbalance, on the inputs that the data see.
    scale : float
        ½(‖W_1‖²_F + ‖W_2‖²_F)/‖W*‖_* at the start, W* the minimizer, on those inputs.
    margin : float
        The deficiency margin: how much nearer to W* the start is than matrices of
        lower rank; negative for most.
    drift : float
        Proved bound on how much the tangent kernel moves, relative to itself; infinite
        where no rate is guaranteed.
    off : float
        What keeps the flow off the row space, ‖(W_2W_1P⊥; ΦᵀW_1ᵀW_1P⊥)‖_F.
    homogeneity : float
        ‖D − (tr D/h)I‖/‖D‖ with all inputs: 0 for λ-balanced starts.
    alignment : float
        By how much Σ_xx, Σ_yx and W(0) fail to share singular vectors, relative.
    obstructed : bool
        Whether a balanced square start has the wrong sign of det W(0), which no flow
        of such a start can change.
    """

    levels: ImbalanceLevels
    scale: float
    margin: float
    drift: float
    off: float
    homogeneity: float
    alignment: float
    obstructed: bool

    @property
    def verdict(self) -> str:
        """``"lazy"``, ``"rich"`` or ``"between"``."""
        if self.drift < STILL:
            return "lazy"
        return "rich" if self.scale <= SMALL else "between"

    def __repr__(self) -> str:
        levels = self.levels
        obstructed = "; the sign of det W(0) is wrong" if self.obstructed else ""
        return "\n".join(
            [
                f"{self.verdict} start{obstructed}",
                f"  imbalance     level {levels.level:.3g}, spreads {levels.plus:.3g} "
                f"and {levels.minus:.3g}",
                f"  size          {self.scale:.3g} of what the target needs",
                f"  margin        {self.margin:.3g}",
                f"  kernel drift  at most {self.drift:.3g} of the kernel",
                f"  off the rows  {self.off:.3g}",
                f"  λ-balanced    up to {self.homogeneity:.2g}",
                f"  aligned       up to {self.alignment:.2g}",
            ]
        )


def regime(flow: GradientFlow, data: Any, init: Any, *, rng: Any = None) -> StartRegime:
    """Say what kind of start this is: lazy, rich or between.

    Parameters
    ----------
    flow : GradientFlow
        Two dense layers with the squared loss.
    data : Dataset or Moments
        What is learned.
    init : Init or sequence of array_like
        Where the flow starts.
    rng : None, int or numpy.random.Generator, keyword-only
        Overrides the random state of the initialization rule.

    Returns
    -------
    StartRegime
        Its `verdict`, and the numbers behind it.

    Raises
    ------
    HypothesisFailed
        If there are not two dense layers with the squared loss and one learning rate.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    >>> data = sf.whitened([[1.0, 0.0], [0.0, 0.5]])
    >>> regime(flow, data, sf.spectral_init(0.01)).verdict
    'rich'
    >>> regime(flow, data, sf.lambda_balanced_init(100, 0.1, rng=0)).verdict
    'lazy'
    """
    problem = bind_gradient(flow, data, init, rng, "regime(flow, data, init)")
    found = [squared_loss(problem.flow), dense_layers(problem.flow, 2)]
    if not all_hold(found):
        failed = "; ".join(str(part) for part in found if not part.holds)
        msg = f"regime(flow, data, init): {failed}"
        raise HypothesisFailed(msg)
    refuse_zero_inputs(problem, "regime(flow, data, init)")
    reduction = least_squares(problem)
    product = end_to_end(problem.floats.weights)
    return StartRegime(
        levels=levels_of(problem, reduction),
        scale=_scale(problem, reduction),
        margin=deficiency_margin(problem),
        drift=_drift(problem),
        off=_off(problem, reduction),
        homogeneity=_homogeneity(problem),
        alignment=joint_modes(problem).defect,
        obstructed=_obstructed(problem, product),
    )


def _scale(problem: Problem, reduction: LeastSquares) -> float:
    first, second = problem.floats.weights
    size = np.sum((first @ reduction.frame) ** 2) + np.sum(second**2)
    return float(size / 2 / (np.linalg.norm(reduction.optimum, "nuc") or 1.0))


def _drift(problem: Problem) -> float:
    """Return the bound on ‖𝒯(t) − 𝒯(0)‖, relative to λ_max(𝒯(0))."""
    claim = KernelDrift.attempt(problem)
    sizes = [np.linalg.norm(weight, 2) ** 2 for weight in problem.floats.weights]
    moved = claim.drift if isinstance(claim, KernelDrift) else np.inf
    return float(moved / (sum(sizes) or 1.0))


def _off(problem: Problem, reduction: LeastSquares) -> float:
    first, second = problem.floats.weights
    frozen = reduction.off(first)
    parts = second @ frozen, (first @ reduction.frame).T @ frozen
    return float(np.sqrt(sum(np.sum(part**2) for part in parts)))


def _difference(problem: Problem) -> Array:
    """Return D with all inputs."""
    first, second = problem.floats.weights
    return np.asarray(first @ first.T - second.T @ second)


def _homogeneity(problem: Problem) -> float:
    gap = _difference(problem)
    size = float(np.linalg.norm(gap))
    rest = gap - np.trace(gap) / len(gap) * np.eye(len(gap))
    scale = sum(float(np.sum(weight**2)) for weight in problem.floats.weights)
    return float(np.linalg.norm(rest)) / size if size > TOLERANCE * scale else 0.0


def _obstructed(problem: Problem, product: Array) -> bool:
    """Say whether a balanced square start is on the wrong side of det W = 0."""
    widths, weights = problem.widths, problem.floats.weights
    scale = sum(float(np.sum(weight**2)) for weight in weights)
    if len(set(widths)) > 1 or np.linalg.norm(_difference(problem)) > TOLERANCE * scale:
        return False
    target = least_squares(problem).least_norm
    return bool(np.linalg.det(product) * np.linalg.det(target) < 0)
