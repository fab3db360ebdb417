"""One problem, studied: laws, closed forms, two routes, and their validation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import inf, nan
from time import monotonic
from typing import Any

from symflow.algebra.numbers import to_float
from symflow.algebra.text import scientific
from symflow.analysis.budget import Covered, precise_within
from symflow.analysis.horizon import Horizon, horizon
from symflow.answers import companions
from symflow.bias import implicit_bias
from symflow.claims import Claim
from symflow.conservation import Law, conserved
from symflow.convergence import rates
from symflow.errors import HypothesisFailed
from symflow.flow import GradientFlow
from symflow.flow.problem import bind
from symflow.losses.margin import MarginLoss
from symflow.simulation import simulate
from symflow.solutions import Refusal, Solution, attempts
from symflow.trajectory import Trajectory
from symflow.validation import Report, Row, validate

#: How often, and by how much, a horizon that was too short is lengthened.
EXTENSIONS, LONGER = 2, 2.5

#: The same where it is a guess: until the flow stands still, or takes so many steps.
GUESSES, MUCH_LONGER, MOST_STEPS = 10, 8.0, 250

#: A loss without a minimizer is followed until so little of it is left.
FALLEN = 1e-3

#: Called with a stage and the fraction of it that is done.
Progress = Callable[[str, float], None]


@dataclass(frozen=True, eq=False)
class Study:
    """What is known of one flow, on one data set, from one start."""

    title: str  #: What a report calls it.
    #: `flow`, `data`, `init`: the problem.
    flow: GradientFlow
    data: Any
    init: Any
    #: The answer of every catalogued closed form.
    attempts: tuple[Solution | Refusal, ...]
    laws: tuple[Law, ...]  #: The conserved quantities.
    horizon: Horizon  #: The estimate, lengthened where it was too short.
    fast: Trajectory  #: In float64, over the whole horizon.
    covered: Covered  #: In high precision, over what the budget allowed.
    report: Report  #: Every claim on every route.

    @property
    def solution(self) -> Solution | None:
        """The closed form that applies, if one does."""
        found = (entry for entry in self.attempts if isinstance(entry, Solution))
        return next(found, None)

    @property
    def sharp(self) -> Trajectory | None:
        """The high-precision trajectory, if the budget allowed one."""
        return self.covered.trajectory

    def short_route(self, route: str) -> str:
        """Return the name of a route, or of a pair, of `report` for a narrow table."""
        text = route.replace(self.fast.route, "float64")
        if self.sharp is not None:
            text = text.replace(self.sharp.route, f"{self.sharp.digits} digits")
        return text

    @property
    def gap(self) -> float | None:
        """How far the float64 loss ends above its limit, absolute."""
        if self.horizon.limit is None:
            return None
        return to_float(self.fast.loss[-1]) - self.horizon.limit

    @property
    def converged(self) -> bool:
        """Whether the float64 loss is within the tolerance of its limit."""
        gap = late_fall(self.fast) if self.gap is None else self.gap
        return gap <= self.horizon.tolerance or self.horizon.is_still

    @property
    def convergence(self) -> str:
        """What the float64 run reached, in words."""
        end = f"at t = {self.horizon.end:.4g}"
        loss = f"loss {to_float(self.fast.loss[-1]):.6g} {end}"
        if self.gap is None:
            verdict = "converged" if self.converged else "NOT converged"
            if isinstance(self.flow.loss, MarginLoss) and self.flow.loss.l2 == 0:
                verdict = "followed no further, as it may fall for ever"
            if self.horizon.is_still:
                return f"{loss}; converged: it stands still"
            fell = scientific(late_fall(self.fast))
            return f"{loss}; {verdict}, fell by {fell} over the last half"
        above = f"{scientific(max(self.gap, 0.0))} above least squares"
        if self.converged:
            return f"{loss}; converged, {above}"
        if late_fall(self.fast) <= self.horizon.tolerance:
            return f"{loss}; stands still {above}: a saddle"
        why = "the time limit" if self.horizon.end >= self.horizon.cap else "slow modes"
        return f"{loss}; NOT converged ({why}), {above}"


@dataclass(frozen=True)
class Precision:
    """How many digits, and for how long."""

    digits: int  # decimal digits of the high-precision route
    seconds: float  # time budget of that route


def study(
    title: str,
    flow: GradientFlow,
    data: Any,
    init: Any,
    precision: Precision,
    progress: Progress,
) -> Study:
    """Study one problem."""
    answers = attempts(flow, data, init)
    laws = tuple(conserved(flow))
    estimate, fast = _converge(title, flow, data, init, progress)
    stage = f"{title}: {precision.digits} digits"
    covered = precise_within(
        flow,
        data,
        init,
        estimate.times,
        digits=precision.digits,
        seconds=precision.seconds,
        progress=lambda fraction: progress(stage, fraction),
    )
    found = [entry for entry in answers if isinstance(entry, Solution)]
    claims = [*laws, *found, *predictions(flow, data, init)]
    stage = f"{title}: validation"
    report = held_within(
        claims,
        fast,
        covered.trajectory,
        seconds=precision.seconds,
        progress=lambda fraction: progress(stage, fraction),
    )
    return Study(
        title, flow, data, init, answers, laws, estimate, fast, covered, report
    )


def held_within(
    claims: Sequence[Claim],
    fast: Trajectory,
    sharp: Trajectory | None,
    *,
    seconds: float,
    progress: Callable[[float], None],
) -> Report:
    """Validate on both runs, the sharp one for so many seconds.

    Claims that were not reached by then have a row that says so.
    """
    rows: list[Row] = []
    spent = 0.0
    for done, claim in enumerate(claims):
        progress(done / len(claims))
        rows += validate([claim], fast).rows
        if sharp is None:
            continue
        began = monotonic()
        if spent <= seconds:
            rows += validate([claim], sharp).rows
        else:
            source, why = str(claim.reference), "not checked: the budget is spent"
            rows.append(Row(claim.name, sharp.route, nan, inf, why, source))
        spent += monotonic() - began
    if sharp is not None:
        rows += validate([], fast, sharp).rows
    progress(1.0)
    return Report(tuple(rows))


def predictions(flow: GradientFlow, data: Any, init: Any) -> list[Claim]:
    """Return what is known of speed, limit and phases before anything is integrated."""
    try:
        limits: list[Claim] = [implicit_bias(flow, data, init)]
    except HypothesisFailed:
        limits = []
    return [*rates(flow, data, init), *limits, *companions(flow, data, init)]


def _converge(
    title: str, flow: GradientFlow, data: Any, init: Any, progress: Progress
) -> tuple[Horizon, Trajectory]:
    """Simulate until the loss has converged, stands still, or the cap is reached."""
    estimate, stage = horizon(bind(flow, data, init)), f"{title}: float64"
    if estimate.escape is None:
        estimate = _until_still(flow, data, init, estimate)
    for attempt in range(EXTENSIONS + 1):
        fast = simulate(
            flow,
            data,
            init,
            estimate.fine_times,
            progress=lambda fraction: progress(stage, fraction),
        )
        if estimate.escape is None:
            break
        fall = late_fall(fast)
        gap = fall if estimate.limit is None else _last_loss(fast) - estimate.limit
        done = min(gap, fall) <= estimate.tolerance or estimate.end >= estimate.cap
        if done or attempt == EXTENSIONS:
            break
        estimate = estimate.longer(LONGER)
    return estimate, fast


def _until_still(flow: GradientFlow, data: Any, init: Any, guess: Horizon) -> Horizon:
    """Lengthen a guess until the flow stands still within it, or steps run out."""
    for _ in range(GUESSES):
        run = simulate(flow, data, init, guess.times, steady_state=True)
        if run.stats["steady"].startswith("stationary"):
            return replace(guess, end=float(run.t[-1]) or guess.end, is_still=True)
        fell = isinstance(flow.loss, MarginLoss) and flow.loss.l2 == 0
        fell = fell and _last_loss(run) <= FALLEN * to_float(run.loss[0])
        if fell or run.stats["steps"] > MOST_STEPS:
            break
        guess = guess.longer(MUCH_LONGER)
    return guess


def late_fall(path: Trajectory) -> float:
    """Return by how much the loss fell over the last half of the time."""
    half = int((path.t <= path.t[-1] / 2).sum()) - 1
    return to_float(path.loss[half]) - _last_loss(path)


def _last_loss(path: Trajectory) -> float:
    return to_float(path.loss[-1])
