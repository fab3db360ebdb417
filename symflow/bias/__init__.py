"""Implicit bias: which of many minimizers a flow picks, predicted from its start."""

from __future__ import annotations

from typing import Any

from symflow.bias.aligned_layers import AlignedLayers as AlignedLayers
from symflow.bias.decayed_modes import DecayedModes as DecayedModes
from symflow.bias.deep_distance import DeepDistance as DeepDistance
from symflow.bias.dense_margin import DenseMaxMargin as DenseMaxMargin
from symflow.bias.diagonal import DiagonalPotential as DiagonalPotential
from symflow.bias.direction_rate import DirectionRate as DirectionRate
from symflow.bias.distance import (
    DistanceBound as DistanceBound,
    width_bound as width_bound,
)
from symflow.bias.dual import least_potential as least_potential
from symflow.bias.fourier import FourierPotential as FourierPotential
from symflow.bias.frozen import FrozenPart as FrozenPart
from symflow.bias.kernel import KernelLimit as KernelLimit, kernel_limit as kernel_limit
from symflow.bias.least_norm import LeastNorm as LeastNorm
from symflow.bias.max_margin import Direction as Direction
from symflow.bias.mirror import (
    DifferenceMap as DifferenceMap,
    MirrorMap as MirrorMap,
    ProductMap as ProductMap,
)
from symflow.bias.mode_margin import ModeMaxMargin as ModeMaxMargin
from symflow.bias.one_neuron import OneNeuron as OneNeuron
from symflow.bias.one_sample import (
    OneSampleDirection as OneSampleDirection,
    OneSampleLimit as OneSampleLimit,
)
from symflow.bias.prediction import Prediction as Prediction
from symflow.bias.regimes import Regime as Regime
from symflow.bias.riccati import RiccatiLimit as RiccatiLimit
from symflow.bias.ridge import RidgeLimit as RidgeLimit
from symflow.bias.row_space import RowSpaceSplit as RowSpaceSplit
from symflow.bias.saddle_path import SaddlePath as SaddlePath
from symflow.bias.saddle_points import SaddlePoint as SaddlePoint
from symflow.bias.saddles import (
    SaddleToSaddle as SaddleToSaddle,
    saddle_to_saddle as saddle_to_saddle,
)
from symflow.bias.signed_margin import SignedMaxMargin as SignedMaxMargin
from symflow.bias.singular_vectors import SingularVectors as SingularVectors
from symflow.bias.strong_decay import DecayedLimit as DecayedLimit
from symflow.claims import Refusal
from symflow.claims.catalogue import answers, nearest_misses, theorems_of
from symflow.errors import HypothesisFailed
from symflow.flow import GradientFlow
from symflow.flow.plain import bind_gradient

#: The predictions, tried in order, and the claims that go with them.
PREDICTIONS: tuple[Any, ...] = theorems_of(__name__, "limits")
COMPANIONS: tuple[Any, ...] = theorems_of(__name__, "companions")


def implicit_bias(
    flow: GradientFlow, data: Any, init: Any, *, rng: Any = None
) -> Prediction:
    """Predict which minimizer the flow converges to, without integrating it.

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
    Prediction
        With `.limit`, `.potential`, `.kkt_residual(W)` and its hypotheses.

    Raises
    ------
    HypothesisFailed
        If no prediction applies; the message says, for each, what fails.
    InvalidArgument
        If an argument is of the wrong kind.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.SquaredLoss())
    >>> data = sf.Dataset([[3.0, 4.0]], [10.0])
    >>> bias = sf.implicit_bias(flow, data, ([[3.0, 4.0], [0.0, 0.0]], [[1.0, 0.0]]))
    >>> bias.limit.round(6)
    array([[1.2, 1.6]])
    """
    found = attempts(flow, data, init, rng=rng)
    for answer in found:
        if isinstance(answer, Prediction):
            return answer
    refusals = [str(refusal) for refusal in nearest_misses(found)]
    msg = "\n".join(
        [
            "implicit_bias(flow, data, init): no prediction of the limit applies.",
            *refusals,
            "  What can be said nevertheless: companions(flow, data, init).",
        ]
    )
    raise HypothesisFailed(msg)


def attempts(
    flow: GradientFlow, data: Any, init: Any, *, rng: Any = None
) -> tuple[Prediction | Refusal, ...]:
    """Return the answer of every catalogued prediction, itself or a refusal, in order.

    The arguments are those of `implicit_bias`.
    """
    problem = bind_gradient(flow, data, init, rng, "implicit_bias(flow, …)")
    return answers("limits", PREDICTIONS, problem)
