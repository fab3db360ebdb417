"""The saddle-to-saddle limit of a network at hand, and as a claim about a small start.

The limit is in `bias/saddle_path.py`, its clock in `bias/growth.py`; here it is bound
to a flow: diagonal networks of any depth, signed or not, β = u∘u − v∘v, and dense
layers whose Σ_xx and Σ_yx have common singular vectors, which are the modes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.numbers import to_float
from symflow.algebra.rank import decide_rank
from symflow.algebra.threads import cached_property
from symflow.algebra.widths import solve_widths
from symflow.bias.growth import Growth, dual_steps
from symflow.bias.mode_path import dense_path
from symflow.bias.saddle_path import SaddlePath, follow_saddles
from symflow.claims import (
    TOLERANCE,
    Hypothesis,
    Identity,
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
from symflow.flow.coordinates import Coordinates, coordinates, kind_of
from symflow.flow.problem import Problem
from symflow.networks import (
    DiagonalNetwork,
    HadamardDifference,
    TensorNetwork,
)

#: Weights from which a start counts as small, and what the integration of ς leaves.
SMALL, LEFT = 0.1, 1e-6

#: Two tiny starts, and what of the distance from the limit may be left and stay.
VANISHING, NEAR, FALLING = (1e-70, 1e-140), 0.1, 0.9
#: The same for deeper products: α^{L−2}, by which they are off.
TINY = (1e-4, 1e-8)

#: Stays at a saddle that are long enough to settle, as a part of the time before them.
LONG = 0.2


def saddle_to_saddle(flow: Any, data: Any, *, positive: bool = False) -> SaddlePath:
    """Return the path from saddle to saddle of a flow whose start vanishes.

    Parameters
    ----------
    flow : GradientFlow
        Squared loss, and a diagonal network of any depth L ≥ 2, signed or not, or β =
        u∘u − v∘v, or dense layers.
    data : Dataset or Moments
        Exact data give jump times and saddles in fractions; for dense layers where
        their singular vectors are unit vectors.
    positive : bool, keyword-only
        Whether all weights that are not zero start on the positive side alone: v = 0,
        or w_1 = … = w_L = α.  By default a coefficient can grow to either side: u = v
        = α, or w_L = 0.  Dense layers start at α along the singular vectors of Σ_yx.

    Returns
    -------
    SaddlePath
        Its `jumps` in the clock t̂ (`time` has the unit), its `saddles`, loss, index and
        learning coefficient of each as `points`, and by `at` and `distance` how far a
        finite α is from them.

    Raises
    ------
    HypothesisFailed
        If the flow is of another kind, a minimizer at a jump is not unique, or the data
        of dense layers have no common singular vectors.
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
    >>> [(p.index, p.learning_coefficient, p.multiplicity) for p in path.points]
    [(2, Fraction(1, 1), 3), (1, Fraction(1, 1), 2), (0, Fraction(1, 1), 1)]
    """
    call = "saddle_to_saddle(flow, data)"
    expect(flow, GradientFlow, call, "a gradient flow")
    expect(data, "moments", call, "a Dataset or Moments")
    expect(positive, FLAG, "saddle_to_saddle(positive=…)", "True or False")
    growth = growth_of(flow, positive)
    rates = structural("one learning rate", not flow.learning_rates, repr(flow))
    failed = [h for h in (squared_loss(flow), _kind(flow), rates) if not h.holds]
    if failed or growth is None:
        listed = "; ".join(str(hypothesis) for hypothesis in failed)
        msg = f"saddle_to_saddle(flow, data): {listed}"
        raise HypothesisFailed(msg)
    arrays = flow.loss.arrays(data)
    declared = [(f"data: {s.name}", s.shape, arrays[s.name].shape) for s in flow.data]
    bound = solve_widths(declared)
    gram, target = (arrays[symbol.name] for symbol in flow.data)
    known = arrays.get(f"{flow.loss.prefix}_yy")
    rank = decide_rank(gram)
    regular = rank.is_clear and rank.value == len(gram)
    if flow.network.is_dense:
        path = dense_path(gram, target, growth, _widths(flow, bound))
    else:
        path = follow_saddles(gram, target[0], growth)
    return replace(path, sigma_yy=known, regular=regular)


@dataclass(frozen=True, eq=False, repr=False)
class SaddleToSaddle(Theorem):
    """A small start follows the limit path, as near as its own dual flow says."""

    path: SaddlePath  #: The limit.
    alpha: float  #: Size of the weights at the start.

    source = PESME_2023
    contributes = "the limit at depth 2; other depths here, the distance is measured"
    where = (
        "saddle(t̂) is the path of the limit α → 0 in its own clock, α the size of "
        "the start"
    )

    @classmethod
    def attempt(cls, problem: Problem) -> Self | Refusal:
        found = [squared_loss(problem.flow), _kind(problem.flow, dense=False)]
        if not all_hold(found):
            return cls.refuse(found)
        separate = coordinates(problem.floats)
        if separate is None:  # the limit of dense layers is known, the distance is not
            network = repr(problem.flow.network)
            words = "a diagonal network, or β = u∘u − v∘v"
            return cls.refuse([*found, structural(words, False, network)])
        growth, alpha = _small_start(separate)
        detail = f"α = {alpha:.2g}"
        words = "small start of one size, to one side or to both"
        holds = growth is not None and 0 < alpha < SMALL
        found.append(Hypothesis(words, holds, detail))
        if not all_hold(found):
            return cls.refuse(found)
        gram, force = problem.arguments
        assert growth is not None
        try:
            path = follow_saddles(gram, force[0], growth)
        except HypothesisFailed as reason:
            said = str(reason).partition(": ")[2]
            words = "the minimizers at the jumps are unique"
            return cls.refuse([*found, Hypothesis(words, False, said)])
        return cls(problem, tuple(found), path, alpha)

    @classmethod
    def proof(cls) -> tuple[Identity, ...]:
        """Return what makes the dual flow that of a convex function, at every depth."""
        return tuple(Identity(words, residual) for words, residual in dual_steps())

    @classmethod
    def examples(cls) -> Examples:
        """Return u∘u − v∘v from weights of 1e-4; the false path has doubled saddles."""
        data = Moments([[2, 1], [1, 2]], [[3, -1]])
        cases = (
            ("pesme-path", HadamardDifference(2), [[[1e-4]] * 2] * 2, range(0, 13, 2)),
            ("deep-path", DiagonalNetwork(2, 3, signed=True), [[[0.01]] * 2] * 6,
             range(0, 91, 15)),
        )  # fmt: skip
        return tuple(
            Example(
                name,
                network,
                data,
                tuple(start),
                tuple(times),
                exact=False,
                false=_with_doubled_saddles,
            )
            for name, network, start, times in cases
        )

    @property
    def status(self) -> Status:
        """The limit is a theorem; at a finite α the distance is measured."""
        return Status.MEASURED

    @property
    def statement(self) -> sympy.Basic:
        """β(t) = saddle(t̂) up to the distance at this α; `time` has the unit of t̂."""
        t, alpha = sympy.symbols("t alpha", positive=True)
        L, kappa = self.path.growth.depth, self.path.growth.pace
        size = self.path.growth.reach(self.alpha)
        reach = sympy.log(1 / alpha) if L == 2 else sympy.nsimplify(size, [sympy.pi])
        clock = kappa * t * alpha ** (L - 2) / (2 * reach)
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
        rest = self.path.growth.depth - 2
        sizes = [x ** (1 / rest) for x in TINY] if rest else VANISHING
        first, second = (self.path.distance(alpha, middles) for alpha in sizes)
        stays = (second > NEAR) & (second > FALLING * first)
        return float(np.max(second[stays], initial=0.0))

    def residuals(self, path: Path) -> Array:
        """Return by how much β is farther from the saddles than the dual flow says.

        Relative to the last saddle, at every time of `path`.
        """
        times = to_float_array(np.asarray(path.t))
        clock = times / self.path.growth.unit(self.alpha)
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


def _small_start(found: Coordinates) -> tuple[Growth | None, float]:
    """Return the growth and α of a start of one size; None for another start."""
    if found.depth == 2:
        rise, fall = _sides(found)
        alpha = float(np.sqrt(rise[0]))
        one, rounding = bool(fall[0] <= TOLERANCE * rise[0]), TOLERANCE * rise[0]
        even = max(np.ptp(rise), np.ptp(fall)) <= rounding
        sides = one or abs(fall[0] - rise[0]) <= rounding
        kind: Any = "squares" if found.kind == "squares" else "difference"
        return (Growth(kind, 2, one) if even and sides else None), alpha
    rows = np.stack(found.amplitudes)
    alpha = float(rows[0].max())
    full = np.all(abs(rows - alpha) <= TOLERANCE * alpha, axis=1)
    gone = np.all(abs(rows) <= TOLERANCE * alpha, axis=1)
    if not np.all(full | gone):
        return None, alpha
    first, half = [*full], found.depth
    wholes = {
        "product": {False: [True] * (half - 1) + [False], True: [True] * half},
        "difference": {
            False: [True] * (2 * half),
            True: [True] * half + [False] * half,
        },
    }[found.kind]
    chosen = [positive for positive, rule in wholes.items() if rule == first]
    return (Growth(found.kind, half, chosen[0]) if chosen else None), alpha


def growth_of(flow: GradientFlow, positive: bool) -> Growth | None:
    """Return how the coefficients of a network grow, or None for other networks."""
    network = flow.network
    if network.is_dense and network.depth >= 2:
        return Growth("product", network.depth, True)
    known = None if isinstance(network, TensorNetwork) else kind_of(network)
    return known and Growth(*known, positive)


def _widths(flow: GradientFlow, bound: Any) -> tuple[int, ...]:
    """Return the widths of dense layers as integers."""
    widths = tuple(bound.get(width, width) for width in flow.network.widths)
    if any(isinstance(width, sympy.Symbol) for width in widths):
        msg = (
            "saddle_to_saddle(flow, data): needs numbers as hidden widths, for they "
            f"bound how many modes are learned; got {widths}"
        )
        raise HypothesisFailed(msg)
    return tuple(int(width) for width in widths)


def _kind(flow: GradientFlow, *, dense: bool = True) -> Hypothesis:
    kinds = "a diagonal network, β = u∘u − v∘v or dense layers, of depth 2 or more"
    words = kinds if dense else kinds.replace(" or dense layers,", "")
    known = growth_of(flow, False) is not None and (dense or not flow.network.is_dense)
    return Hypothesis(words, known, repr(flow.network))


def _with_doubled_saddles(claim: SaddleToSaddle) -> SaddleToSaddle:
    """Return the false claim whose saddles are twice as far from zero."""
    saddles = tuple(2 * beta for beta in claim.path.saddles)
    return replace(claim, path=replace(claim.path, saddles=saddles))
