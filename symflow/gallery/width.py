"""The experiment of the width theorem: distance from least norm against the width.

The flow of two layers is closed in the Gram matrix of Q = (W_1ᵀ; W_2), of size d + m,
so that a start of any width h evolves like the start of width d + m with the same Gram
matrix, from a QR factorization of Qᵀ: no width is too large.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import exact, to_float, whole
from symflow.bias.distance import DistanceBound, width_bound
from symflow.errors import InvalidArgument, expect, shown
from symflow.flow import gradient_flow
from symflow.flow.least_squares import least_squares
from symflow.flow.problem import bind
from symflow.inits.seeds import generator_of
from symflow.losses import SquaredLoss
from symflow.networks import LinearNetwork
from symflow.simulation import simulate

#: |α| of weights h^−α, which have to be floats for every width.
MOST_EXPONENT = 10
#: Widths of one experiment, each of which takes several runs.
MOST_WIDTHS = 1000


@dataclass(frozen=True, eq=False)
class WidthExperiment:
    """What `width_experiment` measured."""

    widths: Array  #: Shape (k,): hidden widths h.
    distances: Array  #: Shape (k, runs): ‖W(∞) − Σ_yxΣ_xx⁺‖_F.
    #: Shape (k, runs): the bound of `DistanceBound` for each start; infinite where it
    #: does not apply.
    bounds: Array
    theorem: Array  #: Shape (k,): the asymptotic bound for random starts.

    @property
    def slope(self) -> float:
        """The fitted exponent of the median distance in h; −1/2 for α = 1/2."""
        medians = np.log(np.median(self.distances, axis=1))
        return float(np.polyfit(np.log(self.widths), medians, 1)[0])


def width_experiment(
    data: Any,
    widths: Any,
    *,
    exponent: float = 0.5,
    runs: int = 5,
    rng: Any = None,
    t: float = 1e3,
) -> WidthExperiment:
    """Measure how far from least norm two-layer flows end, for growing widths.

    Parameters
    ----------
    data : Dataset or Moments
        With more inputs than samples.
    widths : sequence of int
        Hidden widths.
    exponent : float, keyword-only
        α: weights are independent N(0, h^(−2α)).
    runs : int, keyword-only
        Starts per width.
    rng : None, int or numpy.random.Generator, keyword-only
        Of the starts.
    t : float, keyword-only
        When a flow counts as converged.

    Returns
    -------
    WidthExperiment
        Distances, bounds and the fitted slope.

    Raises
    ------
    InvalidArgument
        If an argument is of the wrong kind.

    Examples
    --------
    >>> import symflow as sf
    >>> rng = np.random.default_rng(0)
    >>> data = sf.Dataset(rng.standard_normal((3, 8)), rng.standard_normal(3))
    >>> found = width_experiment(data, [100, 1600], rng=1)
    >>> bool(np.all(found.distances <= found.bounds)), round(found.slope, 1)
    (True, -0.4)
    """
    call = "width_experiment({}=…)"
    expect(data, "moments", call.format("data"), "a Dataset or Moments")
    known, needs = call.format("widths"), f"1 to {MOST_WIDTHS} hidden widths"
    expect(widths, Iterable, known, needs)
    given = list(islice(widths, MOST_WIDTHS + 1)) if getattr(widths, "ndim", 1) else []
    if not 0 < len(given) <= MOST_WIDTHS:
        msg = f"{known}: needs {needs}; got {shown(widths)}"
        raise InvalidArgument(msg)
    generator = generator_of(rng, call.format("rng"))
    sizes = np.array([whole(h, known, most=10**6) for h in given])
    exponent, runs = to_float(exact(exponent)), whole(runs, call.format("runs"))
    if abs(exponent) > MOST_EXPONENT:
        msg = f"{call.format('exponent')}: {exponent} makes weights beyond all floats"
        raise InvalidArgument(msg)
    pairs = [
        [_one_run(data, int(h), exponent, generator, t) for _ in range(runs)]
        for h in sizes
    ]
    distances, bounds = (np.array(pairs)[..., k] for k in (0, 1))
    flow = gradient_flow(LinearNetwork("d", "h", "m"), SquaredLoss())
    moments = data.moments()
    start = (np.zeros((1, moments.d)), np.zeros((moments.m, 1)))
    reduction = least_squares(bind(flow, data, start))
    theorem = np.array([width_bound(reduction, int(h), exponent) for h in sizes])
    return WidthExperiment(sizes, distances, bounds, theorem)


def _one_run(
    data: Any, width: int, exponent: float, generator: Any, t: float
) -> tuple[float, float]:
    """Return the distance at the end, and its bound."""
    moments = data.moments()
    gram = generator.standard_normal((width, moments.d + moments.m))
    narrow = np.linalg.qr(gram, mode="r") * width**-exponent
    weights = narrow[:, : moments.d], narrow[:, moments.d :].T
    flow = gradient_flow(LinearNetwork("d", "h", "m"), SquaredLoss())
    problem = bind(flow, data, weights)
    end = simulate(flow, data, weights, [0, t]).end_to_end[-1]
    distance = float(np.linalg.norm(end - least_squares(problem).least_norm))
    bound = DistanceBound.attempt(problem)
    return distance, bound.distance if isinstance(bound, DistanceBound) else np.inf
