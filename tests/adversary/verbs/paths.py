"""`simulate`, `precise`, `enclose` and `descend`: weights and losses along the flow."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import localcontext
from typing import Any

import symflow as sf
from adversary.case import TRUSTED, Case, Fault, distance, shown, top, wrong
from adversary.truth import Flow, decimals, end_to_end, fraction, loss_of, pulled

#: How far the estimate of an error may be below the error.
ESTIMATE = 30


def simulate(case: Case) -> Iterator[Fault]:
    """Compare weights and losses in float64 within the estimated error."""
    run = case.ask(sf.simulate, *case.given, case.t)
    if run is None:
        return
    call = "run = sf.simulate(flow, data, init, t)"
    size = _size(case)
    allowed = ESTIMATE * float(run.error) + 1e-11 * size
    yield from _weights(case, run, allowed, f"{call}\nprint(run.weights, run.error)")
    yield from _losses(case, run, "simulate", f"{call}\nprint(run.loss)")


def precise(case: Case) -> Iterator[Fault]:
    """Compare weights and losses to 20 digits within the estimated error."""
    run = case.ask(sf.precise, *case.given, case.t, digits=20)
    if run is None:
        return
    call = "run = sf.precise(flow, data, init, t, digits=20)"
    size = _size(case)
    allowed = (1e-19 + TRUSTED) * size + float(run.error)
    yield from _weights(case, run, allowed, f"{call}\nprint(run.weights, run.error)")
    yield from _losses(case, run, "precise", f"{call}\nprint(run.loss)")


def _size(case: Case) -> float:
    return max(float(top(w)) for state in case.states for w in state) or 1.0


def _weights(case: Case, run: Any, allowed: float, call: str) -> Iterator[Fault]:
    for index, state in enumerate(case.states):
        for layer, true in enumerate(state):
            found = run.weights[layer][index]
            yield from wrong("weights", found, true, allowed, call)


def _losses(case: Case, run: Any, route: str, call: str) -> Iterator[Fault]:
    """Compare √ℒ with that of the run's own weights, summed over the samples.

    An error of W is linear in it, so that only a few roundings of W are allowed.
    """
    if case.problem.moments or case.problem.loss != "squared" or case.problem.decay:
        return
    rounding = 1e-14 if route == "simulate" else 1e-18
    for W, value in zip(run.end_to_end, run.loss, strict=True):
        true, value = float(loss_of(case.problem, decimals(W))), float(value)
        reach = float(top(case.problem.X)) * float(top(W)) * case.problem.d
        allowed = rounding * (reach + float(top(case.problem.Y)))
        if value < 0 or not abs(value**0.5 - true**0.5) <= allowed:
            kind = f"loss {'negative' if value < 0 else 'wrong'}"
            yield Fault(kind, f"{value:.6g}, of these weights {true:.6g}", call)


def enclose(case: Case) -> Iterator[Fault]:
    """Look for the true flow in the balls, and for the true limit."""
    ball = case.ask(sf.enclose, *case.given, case.t, digits=15)
    call = "ball = sf.enclose(flow, data, init, t, digits=15)"
    for index, state in enumerate(case.states if ball is not None else ()):
        gap = max(
            distance(ball.weights[layer][index], true)
            for layer, true in enumerate(state)
        )
        allowed = float(ball.radius[index]) + TRUSTED * _size(case)
        if gap > allowed:
            detail = f"at t[{index}]: distance {gap:.2g}, radius {allowed:.2g}"
            yield Fault("the flow is not in the ball", detail, call)
    if case.limit is None or case.problem.family != "dense":
        return
    ball = case.ask(sf.enclose, *case.given, sf.oo, digits=12)
    if ball is not None:
        true, error = case.limit
        gap, radius = distance(ball.limit, true), float(ball.end_to_end_radius[-1])
        if gap > radius + error + TRUSTED:
            detail = f"{shown(ball.limit)} ± {radius:.1g}, true {shown(true)}"
            line = "print(sf.enclose(flow, data, init, sf.oo, digits=12).limit)"
            yield Fault("the limit is not in the ball", detail, line)


def descend(case: Case) -> Iterator[Fault]:
    """Compare the iterates of gradient descent with those of the written-out rule."""
    if case.problem.rates or case.problem.decay:
        return
    steps, eta, beta = 5, fraction(case.t[-1]) / 10 or 0.01, 0.5
    rule = sf.gradient_descent(case.flow.network, case.flow.loss)
    run = case.ask(
        sf.descend, rule, case.data, case.init, steps, step_size=eta, momentum=beta
    )
    if run is None:
        return
    states = _iterates(case, steps, eta, beta)
    size = max(float(top(w)) for state in states for w in state) or 1.0
    named = f"{steps}, step_size={float(eta)}, momentum={beta}"
    made = "rule = sf.gradient_descent(flow.network, flow.loss)"
    call = f"{made}\nprint(sf.descend(rule, data, init, {named}).weights)"
    for index, state in enumerate(states):
        for layer, true in enumerate(state):
            found = run.weights[layer][index]
            yield from wrong("iterates", found, true, 1e-8 * size, call)


def _iterates(case: Case, steps: int, eta: Any, beta: float) -> list[Any]:
    with localcontext() as context:
        context.prec = 40
        flow = Flow(case.problem)
        here = flow.start
        move = [weight * 0 for weight in here]
        found = [here]
        h, b = decimals([eta])[0], decimals([beta])[0]
        for _ in range(steps):
            force = flow.force(end_to_end(case.problem.family, here, flow.d))
            slopes = pulled(case.problem.family, here, force)
            move = [h * s + b * m for s, m in zip(slopes, move, strict=True)]
            here = [w + m for w, m in zip(here, move, strict=True)]
            found.append(here)
        return found
