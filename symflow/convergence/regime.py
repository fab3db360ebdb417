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

Weight decay fades the kernel itself, so that no start is lazy for good.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb, arb_mat

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.display import Displayed, Sheet
from symflow.algebra.spectra import in_balls
from symflow.claims import all_hold, check, strictly
from symflow.claims.conditions import balanced_start, on_flow, squared_loss
from symflow.claims.hypothesis import ROUNDING
from symflow.convergence.bound import ROUNDED_DOWN, refuse_zero_inputs
from symflow.convergence.deep import deficiency_margin
from symflow.convergence.kernel import KernelDrift
from symflow.convergence.phases import joint_modes
from symflow.convergence.reduced import reduced_start
from symflow.convergence.two_layers import TWO_LAYERS
from symflow.errors import HypothesisFailed
from symflow.flow import GradientFlow
from symflow.flow.imbalance import ImbalanceLevels
from symflow.flow.least_squares import LeastSquares, least_squares
from symflow.flow.plain import bind_gradient
from symflow.flow.problem import Problem

#: A start this small against the target is rich, a kernel that moves less is lazy.
SMALL, STILL = 0.05, 0.5


@dataclass(frozen=True, eq=False, repr=False)
class StartRegime(Displayed):
    """Numbers that say what a two-layer start will do; made by `regime`."""

    #: Spreads and level of the imbalance, on the inputs that the data see.
    levels: ImbalanceLevels
    #: ½(‖W_1‖²_F + ‖W_2‖²_F)/‖W*‖_* at the start, W* the minimizer, on those inputs.
    scale: float
    #: The deficiency margin: how much nearer to W* the start is than matrices of lower
    #: rank; negative for most.
    margin: float
    #: Proved bound on how much the tangent kernel moves, relative to itself; infinite
    #: where no rate is guaranteed.
    drift: float
    off: float  #: What keeps the flow off the row space, ‖(W_2W_1P⊥; ΦᵀW_1ᵀW_1P⊥)‖_F.
    homogeneity: float  #: ‖D − (tr D/h)I‖/‖D‖ with all inputs: 0 for λ-balanced starts.
    #: By how much Σ_xx, Σ_yx and W(0) fail to share singular vectors, relative.
    alignment: float
    #: Whether a balanced square start has the wrong sign of det W(0), which no flow of
    #: such a start can change.
    obstructed: bool

    @property
    def verdict(self) -> str:
        """``"lazy"``, ``"rich"`` or ``"between"``."""
        if self.drift < STILL:
            return "lazy"
        return "rich" if self.scale <= SMALL else "between"

    def _sheet(self) -> Sheet:
        levels = self.levels
        spreads = f"spreads {levels.plus:.3g} and {levels.minus:.3g}"
        moved = f"at most {self.drift:.3g} of the kernel"
        if not np.isfinite(self.drift):
            moved = "no bound: no rate is guaranteed"
        rows = {
            "imbalance": f"level {levels.level:.3g}, {spreads}",
            "size": f"{self.scale:.3g} of what the target needs",
            "margin": f"{self.margin:.3g}",
            "kernel drift": moved,
            "off the rows": f"{self.off:.3g}",
            "λ-balanced": f"up to {self.homogeneity:.2g}",
            "aligned": f"up to {self.alignment:.2g}",
        }
        wrong = "; the sign of det W(0) is wrong" if self.obstructed else ""
        return Sheet(f"{self.verdict} start{wrong}", rows=tuple(rows.items()))


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
        If there are not two dense layers with the squared loss, the layers have
        learning rates of their own, or the rank of Σ_xx is not clear.
    InvalidData
        If all inputs are zero.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    >>> data = sf.whitened([[1.0, 0.0], [0.0, 0.5]])
    >>> regime(flow, data, sf.spectral_init(0.01)).verdict
    'rich'
    >>> regime(flow, data, sf.lambda_balanced_init(100, 0.1, rng=0)).verdict
    'lazy'
    >>> round(regime(flow, data, sf.spectral_init(0.01)).scale, 6)
    0.000133
    """
    problem = bind_gradient(flow, data, init, rng, "regime(flow, data, init)")
    refuse_zero_inputs(problem, "regime(flow, data, init)")
    found = check((on_flow(squared_loss, decay=True), *TWO_LAYERS[1:-1]), problem)
    if not all_hold(found):
        failed = "; ".join(str(part) for part in found if not part.holds)
        msg = f"regime(flow, data, init): {failed}"
        raise HypothesisFailed(msg)
    reduction = least_squares(problem)
    return StartRegime(
        levels=reduced_start(problem).levels.rounded,
        scale=_scale(problem, reduction),
        margin=deficiency_margin(problem),
        drift=_drift(problem),
        off=_off(problem, reduction),
        homogeneity=_homogeneity(problem),
        alignment=joint_modes(problem).defect,
        obstructed=_obstructed(problem),
    )


def _scale(problem: Problem, reduction: LeastSquares) -> float:
    first, second = problem.floats.weights
    size = np.sum((first @ reduction.frame) ** 2) + np.sum(second**2)
    needed = float(np.linalg.norm(reduction.optimum, "nuc"))
    return float(size / 2 / needed) if needed > 0 else np.inf


def _drift(problem: Problem) -> float:
    """Return the bound on ‖𝒯(t) − 𝒯(0)‖, relative to λ_max(𝒯(0))."""
    claim = KernelDrift.attempt(problem)
    sizes = [np.linalg.norm(weight, 2) ** 2 for weight in problem.floats.weights]
    moved = claim.drift if isinstance(claim, KernelDrift) else np.inf
    largest = float(sum(sizes)) * (1 - ROUNDED_DOWN)
    return float(moved / largest) if largest > 0 else np.inf


def _off(problem: Problem, reduction: LeastSquares) -> float:
    first, second = problem.floats.weights
    frozen = reduction.off(first)
    parts = second @ frozen, (first @ reduction.frame).T @ frozen
    return float(np.sqrt(sum(np.sum(part**2) for part in parts)))


def _homogeneity(problem: Problem) -> float:
    first, second = problem.sharp.weights if problem.is_small else problem.weights
    gap = to_float_array(first @ first.T - second.T @ second)
    size = float(np.linalg.norm(gap))
    rest = gap - np.trace(gap) / len(gap) * np.eye(len(gap))
    scale = sum(float(np.sum(weight**2)) for weight in problem.floats.weights)
    seen = size > (0.0 if problem.given_exactly else ROUNDING) * scale
    return float(np.linalg.norm(rest)) / size if seen else 0.0


@in_balls
def _obstructed(problem: Problem) -> bool:
    """Say whether a balanced square start is on the wrong side of det W = 0.

    The layers of such a start stay balanced, and det W never vanishes; one that is
    balanced up to rounding gets to the other side in the end.
    """
    widths, start = problem.widths, reduced_start(problem)
    square = len(set(widths)) == 1 and problem.is_small and start.rank.exact
    if not square or not strictly(balanced_start(problem)).holds:
        return False
    sides = [_determinant(matrix) for matrix in (start.product, start.optimum)]
    unsure = arb(0, start.error * widths[0] * start.size ** widths[0])
    first, second = sides[0] + unsure, sides[1]
    return bool(first * second < 0)


def _determinant(matrix: Array) -> Any:
    rows, columns = matrix.shape
    return arb_mat(rows, columns, [arb(entry) for entry in matrix.flat]).det()
