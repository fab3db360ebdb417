"""`precise`: a gradient flow to any number of digits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from math import log
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import MOST_DIGITS, whole
from symflow.curriculum import run_along
from symflow.errors import Interrupted, InvalidArgument, PrecisionLost, expect
from symflow.flow import GradientFlow, HeavyBall, as_times
from symflow.flow.curriculum import Curriculum
from symflow.flow.given import DataLike, InitLike, RandomLike, TimesLike
from symflow.flow.problem import Problem, bind_moving
from symflow.precision.arithmetics import Flint, HighPrecision
from symflow.precision.chained import relative, with_spare_digits
from symflow.precision.growth import forecast
from symflow.precision.plan import make_plan
from symflow.precision.run import Run
from symflow.progress import Told, reporter
from symflow.trajectory import Trajectory

#: A drawn start is correct to this many digits more than the trajectory.
GUARD_DIGITS = 30
#: How often an integration is repeated with more bits.
ATTEMPTS = 3


def precise(
    flow: GradientFlow | HeavyBall,
    data: DataLike | Curriculum,
    init: InitLike,
    t: TimesLike,
    *,
    digits: int = 50,
    rng: RandomLike = None,
    arithmetic: HighPrecision | None = None,
    progress: Told = None,
    resume: Interrupted | None = None,
) -> Trajectory:
    r"""Integrate a gradient flow to a given number of digits.

    Taylor series of order :math:`K ≈ ½ \ln 10 · digits` in exact time.  At every
    returned time the error of each weight is below
    :math:`10^{-digits} \max|θ(t)|`: the bits are planned from a float64 run and its
    one-sided Lipschitz constant, and the error account is checked afterwards.

    Parameters
    ----------
    flow : GradientFlow or HeavyBall
        The flow, or with momentum.
    data : Dataset, Moments or Curriculum
        What is learned; a float stands for the binary rational that it is.
    init : Init or sequence of array_like
        A rule, or the weights (W_1, …, W_L) at t = 0; of a heavy ball
        velocities may follow, which are zero without.
    t : number or sequence of numbers
        Increasing times, taken exactly.
    digits : int, keyword-only
        Decimal digits.
    rng : None, int or numpy.random.Generator, keyword-only
        Overrides the random state of the initialization rule.
    arithmetic : HighPrecision, keyword-only
        `Flint()` by default; `Mpmath()` is slow and independent.
    progress : callable or True, keyword-only, optional
        A bar, or called with the fraction of the time interval that is done.
    resume : Interrupted, keyword-only, optional
        The exception of an interrupted call; goes on from its last step.

    Returns
    -------
    Trajectory
        Its entries are `mpf` numbers of ``.context``, its times are exact, and
        ``.error`` estimates the largest absolute error.

    Raises
    ------
    InvalidArgument
        If the times do not increase, or an argument is of the wrong kind.
    ShapeMismatch
        If data, weights and network do not fit together.
    PrecisionLost
        If the digits cannot be reached.
    IntegrationFailed
        If the last time is more steps away than can be taken, which is said at once.
    Interrupted
        On Ctrl-C, with the trajectory so far.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> run = precise(flow, sf.whitened([[2]]), [[[0.5]], [[0.5]]], [1, 2], digits=40)
    >>> print(run.context.nstr(run.end_to_end[-1, 0, 0], 30))
    1.99531452581973520123457415149
    """
    if isinstance(data, Curriculum):
        if resume is not None:
            msg = "precise(flow, Curriculum(…)): has no resume"
            raise InvalidArgument(msg)
        alike = partial(precise, flow, rng=rng, arithmetic=arithmetic)
        return _chained(alike, data, init, t, digits, progress)
    times, progress = as_times(t, "precise"), reporter(progress, "precise")
    digits = whole(digits, "precise(digits=…)", most=MOST_DIGITS)
    kinds = HighPrecision | None
    expect(arithmetic, kinds, "precise(arithmetic=…)", "Flint() or Mpmath()")
    sharp = digits + GUARD_DIGITS
    problem = bind_moving(flow, data, init, rng=rng, digits=sharp, exact=True)
    if resume is not None:
        run = _continued(resume, problem, times, int(digits), rng)
        run.finish(progress)
        return _checked(run, progress)
    seen = forecast(problem.floats, float(times[-1]))
    plan = make_plan(times, int(digits), seen)
    run = Run(problem, times, int(digits), arithmetic or Flint(), plan)
    run.finish(progress)
    return _checked(run, progress)


def _chained(
    alike: Any, data: Curriculum, init: Any, t: Any, digits: int, progress: Told
) -> Trajectory:
    """Integrate piece by piece, with more digits until those asked for are left."""
    digits = whole(digits, "precise(digits=…)", most=MOST_DIGITS)

    def attempt(wanted: int) -> tuple[Trajectory, float]:
        def follow(
            data: Any, start: Any, times: Any, runs: list[Any], part: Told
        ) -> Trajectory:
            run: Trajectory = alike(data, start, times, digits=wanted, progress=part)
            seen = forecast(run.problem.floats, float(times[-1]))
            grown = 2.0 ** (seen.growth_at(times[-1]) / log(2) + seen.spread)
            before = grown * runs[-1].error if runs else 0.0
            return replace(run, digits=digits, error=run.error + before)

        run = run_along(data, init, t, "precise", follow, progress)
        return run, max(relative([p.error] * len(p.t), p) for p in run.pieces)

    return with_spare_digits(attempt, digits, "precise")


def _checked(run: Run, progress: Callable[[float], None]) -> Trajectory:
    """Repeat with more bits until the error account is good enough."""
    for _ in range(ATTEMPTS):
        shortfall = run.shortfall()
        if shortfall <= 0:
            return run.trajectory()
        plan = run.plan.tightened(shortfall)
        run = Run(run.problem, run.times, run.digits, run.arithmetic, plan)
        run.finish(progress)
    reached = int(run.digits - run.shortfall() * 0.30103)
    msg = (
        f"precise(digits={run.digits}): the error account allows only {reached} digits "
        f"after {ATTEMPTS} attempts with up to {run.plan.bits} bits. Ask for fewer "
        "digits, or for an earlier last time"
    )
    raise PrecisionLost(msg)


def _continued(resume: Any, problem: Problem, times: Any, digits: int, rng: Any) -> Run:
    """Return the interrupted run, if it was that of the same problem."""
    expect(resume, Interrupted, "precise(resume=…)", "the Interrupted exception")
    run: Run = resume.checkpoint
    before = run.problem
    same = before.flow == problem.flow and run.digits == digits
    if not same or tuple(run.times) != tuple(times):
        msg = (
            "precise(resume=…): has to be called with the flow, the times and the "
            "digits of the interrupted call"
        )
        raise InvalidArgument(msg)
    # A generator has moved on since: with one, the start is that of the first call.
    start = rng is not None or _equal(before.weights, problem.weights)
    if not (start and _equal(before.arguments, problem.arguments)):
        msg = (
            "precise(resume=…): has to be called with the data and the start of the "
            "interrupted call; others came"
        )
        raise InvalidArgument(msg)
    return run


def _equal(first: Sequence[Array], second: Sequence[Array]) -> bool:
    return all(map(np.array_equal, first, second))
