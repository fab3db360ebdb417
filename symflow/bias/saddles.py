"""The saddle-to-saddle limit of a network at hand, and as a claim about a small start.

The limit and its references are in `bias/saddle_path.py`; here it is bound to a flow:
to β = u∘u − v∘v, to a diagonal network of depth 2, or to the signed one, whose clocks
differ by the constant κ.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.numbers import to_float
from symflow.algebra.threads import cached_property
from symflow.algebra.widths import solve_widths
from symflow.bias.saddle_path import SaddlePath, follow_saddles
from symflow.claims import (
    TOLERANCE,
    Hypothesis,
    Path,
    Refusal,
    Status,
    Theorem,
    all_hold,
    structural,
)
from symflow.claims.bibliography import PESME_2023
from symflow.claims.conditions import squared_loss
from symflow.claims.example import Example, Examples
from symflow.data import Moments
from symflow.errors import FLAG, HypothesisFailed, expect
from symflow.flow import GradientFlow
from symflow.flow.coordinates import Coordinates, coordinates
from symflow.flow.problem import Problem
from symflow.networks import (
    Diagonal,
    HadamardDifference,
    Network,
    Readout,
    SignedDiagonalNetwork,
)

#: Weights from which a start counts as small, and what the integration of ς leaves.
SMALL, LEFT = 0.1, 1e-6

#: Two tiny starts, and what of the distance from the limit may be left and stay.
VANISHING, NEAR, FALLING = (1e-70, 1e-140), 0.1, 0.9

#: Stays at a saddle that are long enough to settle, as a part of the time before them.
LONG = 0.2


def saddle_to_saddle(flow: Any, data: Any, *, positive: bool = False) -> SaddlePath:
    """Return the path from saddle to saddle of a flow whose start vanishes.

    Parameters
    ----------
    flow : GradientFlow
        Squared loss, and β = u∘u − v∘v or a diagonal network of depth 2.
    data : Dataset or Moments
        Exact data give jump times and saddles in fractions.
    positive : bool, keyword-only
        Whether weights start on the positive side alone: v = 0, or w_1 = w_2 = α. By
        default a coefficient can grow to either side: u = v = α, or w_2 = 0.

    Returns
    -------
    SaddlePath
        Its `jumps` in the clock t̂ = κt/(2 ln(1/α)), its `saddles`, and by `at` and
        `distance` how far a finite α is from them.

    Raises
    ------
    HypothesisFailed
        If the flow is of another kind, or a minimizer at a jump is not unique.
    InvalidArgument
        If an argument is of the wrong kind, or the data are of another width.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.HadamardDifference(2), sf.SquaredLoss())
    >>> path = saddle_to_saddle(flow, sf.Moments([[2, 0], [0, 1]], [[3, -1]]))
    >>> path.jumps, [beta.tolist() for beta in path.saddles[1:]]
    ((Fraction(1, 3), Fraction(1, 1)), [[Fraction(3, 2), Fraction(0, 1)], \
[Fraction(3, 2), Fraction(-1, 1)]])
    """
    call = "saddle_to_saddle(flow, data)"
    expect(flow, GradientFlow, call, "a gradient flow")
    expect(data, "moments", call, "a Dataset or Moments")
    expect(positive, FLAG, "saddle_to_saddle(positive=…)", "True or False")
    pace = _pace(flow)
    rates = structural("one learning rate", not flow.learning_rates, repr(flow))
    failed = [h for h in (squared_loss(flow), _kind(flow), rates) if not h.holds]
    if failed or pace is None:
        listed = "; ".join(str(hypothesis) for hypothesis in failed)
        msg = f"saddle_to_saddle(flow, data): {listed}"
        raise HypothesisFailed(msg)
    arrays = flow.loss.arrays(data)
    declared = [(f"data: {s.name}", s.shape, arrays[s.name].shape) for s in flow.data]
    solve_widths(declared)
    gram, force = (arrays[symbol.name] for symbol in flow.data)
    return follow_saddles(gram, force[0], positive=positive, pace=pace)


@dataclass(frozen=True, eq=False, repr=False)
class SaddleToSaddle(Theorem):
    """A small start follows the limit path, as near as its own dual flow says.

    Parameters
    ----------
    path : SaddlePath
        The limit.
    alpha : float
        Size of the weights at the start.
    """

    path: SaddlePath
    alpha: float

    source = PESME_2023
    contributes = "the limit; the distance at a finite start is measured"

    @classmethod
    def attempt(cls, problem: Problem) -> Self | Refusal:
        found = [squared_loss(problem.flow), _kind(problem.flow)]
        if not all_hold(found):
            return cls.refuse(found)
        separate = coordinates(problem.floats)
        assert separate is not None
        rise, fall = _sides(separate)
        alpha = float(np.sqrt(rise[0]))
        rounding = TOLERANCE * rise[0]
        even = max(np.ptp(rise), np.ptp(fall)) <= rounding
        one_sided = bool(fall[0] <= rounding)
        sides = one_sided or abs(fall[0] - rise[0]) <= rounding
        detail = f"α = {alpha:.2g}"
        words = "small start of one size, to one side or to both"
        found.append(
            Hypothesis(words, bool(even and sides and 0 < alpha < SMALL), detail)
        )
        if not all_hold(found):
            return cls.refuse(found)
        gram, force = problem.arguments
        pace = _pace(problem.flow)
        assert pace is not None
        try:
            path = follow_saddles(gram, force[0], positive=one_sided, pace=pace)
        except HypothesisFailed as reason:
            said = str(reason).partition(": ")[2]
            words = "the minimizers at the jumps are unique"
            return cls.refuse([*found, Hypothesis(words, False, said)])
        return cls(problem, tuple(found), path, alpha)

    @classmethod
    def examples(cls) -> Examples:
        """Return u∘u − v∘v from weights of 1e-4; the false path has doubled saddles."""
        small, times = [[1e-4], [1e-4]], tuple(range(0, 13, 2))
        data, network = Moments([[2, 1], [1, 2]], [[3, -1]]), HadamardDifference(2)
        start = (small, small)
        return (
            Example(
                "pesme-path",
                network,
                data,
                start,
                times,
                exact=False,
                false=_with_doubled_saddles,
            ),
        )

    @property
    def status(self) -> Status:
        """The limit is a theorem; at a finite α the distance is measured."""
        return Status.MEASURED

    @property
    def statement(self) -> sympy.Basic:
        """β(t) = saddle(κt/(2 ln(1/α))) up to the distance at this α."""
        t, kappa = sympy.Symbol("t", nonnegative=True), self.path.pace
        alpha = sympy.Symbol("alpha", positive=True)
        clock = kappa * t / (2 * sympy.log(1 / alpha))
        return sympy.Eq(sympy.Function("beta")(t), sympy.Function("saddle")(clock))

    @cached_property
    def times(self) -> Array:
        """The predicted times t of the jumps."""
        jumps = to_float_array(np.array(self.path.jumps, dtype=object))
        return self.path.time(jumps, self.alpha)

    @cached_property
    def contradiction(self) -> float:
        """How far the dual flow of a vanishing start stays from the path, relative.

        The path could be the limit of no start.  The dual flow, which knows nothing of
        jumps, is integrated to the middle of every long stay from two tiny starts; of a
        true limit the second is nearer.
        """
        jumps = to_float_array(np.array(self.path.jumps, dtype=object))
        starts = np.concatenate([[0.0], jumps])
        ends = np.concatenate([jumps, [3 * starts[-1] or 1.0]])
        middles = ((starts + ends) / 2)[ends - starts >= LONG * starts]
        first, second = (self.path.distance(alpha, middles) for alpha in VANISHING)
        stays = (second > NEAR) & (second > FALLING * first)
        return float(np.max(second[stays], initial=0.0))

    def residuals(self, path: Path) -> Array:
        """Return by how much β is farther from the saddles than the dual flow says.

        Relative to the last saddle, at every time of `path`.
        """
        times = to_float_array(np.asarray(path.t))
        clock = times * self.path.pace / (-2 * np.log(self.alpha))
        beta = to_float_array(path.end_to_end)[:, 0, :]
        allowed = self.path.distance(self.alpha, clock)
        gaps = np.abs(beta - self.path.coefficients(clock)).max(axis=1)
        size = float(np.max(np.abs(self.path.limit))) or 1.0
        return np.asarray(np.maximum(gaps / size - allowed, self.contradiction))

    def slack(self, path: Path) -> Array:
        """Return what the integration of the dual flow may leave."""
        times = to_float_array(np.asarray(path.t))
        return np.full(len(times), LEFT * (1 + to_float(max(times))))


def _sides(found: Coordinates) -> tuple[Array, Array]:
    """Return A and B of β = A e^{κξ} − B e^{−κξ}, per coordinate."""
    if found.kind == "squares":
        return found.amplitudes[0] ** 2, found.amplitudes[1] ** 2
    u, v = found.amplitudes[:2]
    rise, fall = (u + v) ** 2 / 4, (u - v) ** 2 / 4
    if found.kind == "difference":
        x, y = found.amplitudes[2:]
        rise, fall = rise + (x - y) ** 2 / 4, fall + (x + y) ** 2 / 4
    return rise, fall


def _pace(flow: GradientFlow) -> int | None:
    """Return κ of the network, or None where there is none."""
    network = flow.network
    if isinstance(network, HadamardDifference):
        return 4
    if isinstance(network, SignedDiagonalNetwork):
        return 2 if network.layers == 2 else None
    if not isinstance(network, Network) or network.depth != 2:
        return None
    first, last = network.layers
    full = isinstance(last, Readout) and last.support in (None, last.inputs)
    return 2 if full and isinstance(first, Diagonal) else None


def _kind(flow: GradientFlow) -> Hypothesis:
    words = "β = u∘u − v∘v or a diagonal network of depth 2"
    return Hypothesis(words, _pace(flow) is not None, repr(flow.network))


def _with_doubled_saddles(claim: SaddleToSaddle) -> SaddleToSaddle:
    """Return the false claim whose saddles are twice as far from zero."""
    saddles = tuple(2 * beta for beta in claim.path.saddles)
    return replace(claim, path=replace(claim.path, saddles=saddles))
