"""Learning-rate schedules: the path of the flow in another time."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import sympy
from scipy.integrate import solve_ivp
from test_solutions import example

import symflow as sf
from symflow.solutions import scheduled

t = sympy.Symbol("t")
RATES = {
    "decay": 1 / (1 + t),
    "summable": sympy.exp(-t),
    "warm-up": t / (1 + t),
    "cosine": (1 + sympy.cos(t)) / 2,
}


def _integrated(case, rate, times):
    """Integrate θ̇ = −η(t)∇ℒ with the kernel of the flow, W at the times."""
    flow, data, _ = case
    kern, start = (
        sf.compile(flow, data),
        [w[0] for w in sf.simulate(*case, [0.0]).weights],
    )
    shapes = [w.shape for w in start]
    cuts = np.cumsum([w.size for w in start])[:-1]

    def layers(y):
        return [p.reshape(s) for p, s in zip(np.split(y, cuts), shapes, strict=True)]

    def rhs(time, y):
        return rate(time) * np.concatenate([d.ravel() for d in kern(*layers(y))])

    begin = np.concatenate([w.ravel() for w in start])
    run = solve_ivp(rhs, (0, times[-1]), begin, "DOP853", times, rtol=1e-11, atol=1e-13)
    end = sf.compile(flow, outputs="end_to_end")
    return np.array([end(*layers(y)) for y in run.y.T])


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("name", ["LogisticMode", "RankOne"])
def test_the_flow_at_a_changing_rate_is_followed(rate, name):
    solution, case = example(name)
    times, eta = np.array([0.0, 0.5, 2.0, 7.0]), sympy.lambdify(t, RATES[rate])
    slowed = solution.scheduled(RATES[rate])
    assert slowed.verify() == 0
    run = _integrated(case, eta, times)
    assert np.abs(slowed.end_to_end(times) - run).max() < 1e-9
    assert slowed.weights(times)[0].shape[0] == len(times)


def test_steps_are_integrated_piece_by_piece():
    solution, _ = example("Riccati")
    slowed = scheduled(solution, [(0, 1), (2, Fraction(1, 10)), (5, 0)])
    assert np.allclose(slowed.flow_time([1, 2, 4, 5, 9]), [1, 2, 2.2, 2.3, 2.3])
    assert slowed.verify() == 0
    assert np.array_equal(slowed.limit, solution.end_to_end(2.3))
    assert np.array_equal(
        slowed.precise(4, digits=20), solution.precise(Fraction(11, 5), digits=20)
    )


def test_limits_know_whether_the_rates_sum_up():
    solution, _ = example("LogisticMode")
    assert np.array_equal(solution.scheduled(1 / (1 + t)).limit, solution.limit)
    early = solution.scheduled(sympy.exp(-t)).limit
    assert np.array_equal(early, solution.end_to_end(1.0))
    assert np.array_equal(
        solution.scheduled(2).end_to_end(1.5), solution.end_to_end(3.0)
    )


def test_digits_pass_through_irrational_times():
    solution, _ = example("LogisticMode")
    value = solution.scheduled(1 / (1 + t)).precise(1, digits=40)
    truth = solution.precise(sympy.log(2), digits=50)
    assert max(abs(a - b) for a, b in zip(value.flat, truth.flat, strict=True)) < 1e-38


def test_a_wrong_clock_is_not_verified():
    from dataclasses import replace

    slowed = example("LogisticMode")[0].scheduled(1 / (1 + t))
    time = next(iter(slowed.clock.free_symbols))
    assert replace(slowed, clock=slowed.clock + 1).verify() != 0
    assert replace(slowed, clock=slowed.clock + time).verify() != 0


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        (-1, "0 or more at every time"),
        (sympy.cos(t), "0 or more at every time"),
        (sympy.Symbol("a") * t, "an expression in t alone"),
        (sympy.Symbol("x"), "the symbol of time is t"),
        (object(), "an expression in t alone"),
        ([(1, 1)], "0 = t_0 < t_1"),
        ([(0, 1), (0, 2)], "0 = t_0 < t_1"),
        (sympy.exp(-(t**t)), "no elementary integral"),
    ],
)
def test_other_rates_are_refused(rate, words):
    with pytest.raises(sf.InvalidArgument, match=words):
        example("LogisticMode")[0].scheduled(rate)
