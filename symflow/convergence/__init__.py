"""Convergence bounds: how fast a flow learns, predicted before it is integrated."""

from __future__ import annotations

from typing import Any

from symflow.claims import Bound as Bound, Refusal
from symflow.claims.catalogue import answers, nearest_misses, theorems_of
from symflow.convergence.alignment import Alignment as Alignment
from symflow.convergence.attained_bracket import tight_start as tight_start
from symflow.convergence.basin import (
    InducedFlow as InducedFlow,
    RankOneLimit as RankOneLimit,
    escape_rate as escape_rate,
)
from symflow.convergence.bound import (
    LossBound as LossBound,
    RateBound as RateBound,
    refuse_zero_inputs,
)
from symflow.convergence.complexity import DescentComplexity as DescentComplexity
from symflow.convergence.decayed_modes import DecayedModesRate as DecayedModesRate
from symflow.convergence.deep import (
    HomogeneousRate as HomogeneousRate,
    UnimodalRate as UnimodalRate,
    deficiency_margin as deficiency_margin,
)
from symflow.convergence.dense_loss import DenseVanishingLoss as DenseVanishingLoss
from symflow.convergence.descent import (
    DescentCorridor as DescentCorridor,
    descend as descend,
    descent_curves as descent_curves,
    discrete_phase_time as discrete_phase_time,
)
from symflow.convergence.kernel import (
    KernelCeiling as KernelCeiling,
    KernelDrift as KernelDrift,
    KernelFloor as KernelFloor,
    PathLength as PathLength,
)
from symflow.convergence.mixed import MixedFlow as MixedFlow
from symflow.convergence.ordered_modes import (
    OrderedModesRate as OrderedModesRate,
    OrderedRate as OrderedRate,
)
from symflow.convergence.perturbed_modes import (
    PerturbedModes as PerturbedModes,
    alignment_defect as alignment_defect,
)
from symflow.convergence.phases import Staircase as Staircase
from symflow.convergence.rank_one import RankOneRate as RankOneRate
from symflow.convergence.rate_table import Guarantees as Guarantees
from symflow.convergence.reduced_rank import (
    closest_approach as closest_approach,
    reduced_rank_solutions as reduced_rank_solutions,
)
from symflow.convergence.regime import StartRegime as StartRegime, regime as regime
from symflow.convergence.return_time import FarAway as FarAway
from symflow.convergence.ridge import RidgeRate as RidgeRate
from symflow.convergence.stable_set import StableSet as StableSet
from symflow.convergence.steps import (
    ImbalanceDrift as ImbalanceDrift,
    OneStep as OneStep,
    UniformDescent as UniformDescent,
)
from symflow.convergence.strong_decay import DecayRate as DecayRate
from symflow.convergence.three_layers import ThreeLayerRate as ThreeLayerRate
from symflow.convergence.two_layers import (
    ConvexityRate as ConvexityRate,
    ImbalanceRate as ImbalanceRate,
    InstantaneousRate as InstantaneousRate,
    MarginRate as MarginRate,
)
from symflow.convergence.vanishing_loss import VanishingLoss as VanishingLoss
from symflow.flow import GradientFlow
from symflow.flow.plain import bind_gradient

#: The bounds; further claims about speed; those about descent, whose `attempt` also
#: takes a step or an accuracy.
BOUNDS: tuple[Any, ...] = theorems_of(__name__, "rates")
COMPANIONS: tuple[Any, ...] = theorems_of(__name__, "companions")
DESCENTS: tuple[Any, ...] = theorems_of(__name__, "descent")


def rates(flow: GradientFlow, data: Any, init: Any, *, rng: Any = None) -> Guarantees:
    """Return the convergence bounds that apply, the fastest guaranteed rate first.

    Parameters
    ----------
    flow : GradientFlow
        The flow.
    data : Dataset or Moments
        What is learned.
    init : Init or sequence of array_like
        Where the flow starts.
    rng : None, int or numpy.random.Generator, keyword-only
        Overrides the random state of the initialization rule.

    Returns
    -------
    Guarantees
        A sequence of bounds, each with `.rate`, `.bound(t)`, `.margin(path)` and its
        hypotheses as checked.  Its own `.rate` and `.bound(t)` are the best of them; it
        prints which bound is tightest here, and why the others do not apply.

    Raises
    ------
    InvalidArgument
        If an argument is of the wrong kind.
    InvalidData
        If all inputs are zero.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> bounds = sf.rates(flow, sf.whitened([[2.0]]), [[[1.5]], [[1.0]]])
    >>> bounds[0].name, round(bounds[0].rate, 6), bounds[0].bound(1.0).round(6).item()
    ('MarginRate', 6.5, 0.000188)
    >>> round(bounds.rate, 6), len(bounds), len(bounds.refusals)
    (6.5, 7, 8)
    """
    found = attempts(flow, data, init, rng=rng)
    bounds = [answer for answer in found if isinstance(answer, RateBound)]
    # of equal rates the one that asks for less
    fastest = sorted(bounds, key=lambda b: (-b.rate, len(b.hypotheses)))
    return Guarantees(tuple(fastest), tuple(nearest_misses(found)))


def attempts(
    flow: GradientFlow, data: Any, init: Any, *, rng: Any = None
) -> tuple[RateBound | Refusal, ...]:
    """Return the answer of every catalogued bound, itself or a refusal, in order.

    The arguments are those of `rates`.
    """
    problem = bind_gradient(flow, data, init, rng, "rates(flow, …)")
    refuse_zero_inputs(problem, "rates(flow, data, init)")
    return answers("rates", BOUNDS, problem)
