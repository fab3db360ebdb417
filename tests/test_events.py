"""Events: every crossing of a step, each under a name of its own; and blow-ups."""

import mpmath
import numpy as np
import pytest
import sympy

import symflow as sf
from symflow.convergence.complexity import DescentComplexity
from symflow.flow.problem import bind
from symflow.simulation.crossings import PARTS, crossings

FLOW = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
CASE = (FLOW, sf.whitened([[2]]), [[[0.1]], [[0.1]]])
METHODS = [sf.DOP853(), sf.Radau(), sf.Taylor(), sf.GaussLegendre()]


@pytest.mark.parametrize("gap", [1e-2, 1e-4, 1e-6])
@pytest.mark.parametrize("middle", np.linspace(0.07, 0.93, 9))
@pytest.mark.parametrize("sign", [1, -1])
def test_two_crossings_inside_a_step_are_found(gap, middle, sign):
    found, last = crossings(lambda t: sign * ((t - middle) ** 2 - gap**2), 0.0, 1.0)
    assert found == pytest.approx([middle - gap, middle + gap], abs=1e-9)
    assert last == sign * ((1 - middle) ** 2 - gap**2)


def test_many_crossings_and_a_touch():
    roots = (np.arange(PARTS) + 0.3) / PARTS
    found, _ = crossings(lambda t: float(np.prod(t - roots)), 0.0, 1.0)
    assert found == pytest.approx(roots.tolist(), abs=1e-12)
    assert crossings(lambda t: (t - 0.4) ** 2 + 1e-9, 0.0, 1.0)[0] == []
    assert crossings(lambda t: t, 0.0, 1.0)[0] == []  # found by the step before
    assert crossings(lambda t: t - 1, 0.0, 1.0) == ([1.0], 0.0)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)
def test_a_run_finds_both(method):
    def near(t, weights):
        return (t - 1.0) ** 2 - 1e-8

    run = sf.simulate(*CASE, [3], events=[near], method=method)
    times = run.stats["event near"]
    assert times == pytest.approx([1 - 1e-4, 1 + 1e-4], abs=1e-10)


def test_events_of_one_name_stand_side_by_side():
    events = [
        lambda t, weights: t - 1,
        lambda t, weights: t - 2,
        sf.LossBelow(0.1),
        sf.LossBelow(0.1),
        sf.LossBelow(0.1000001),
    ]
    stats = sf.simulate(*CASE, [3], events=events).stats
    assert stats["event <lambda>"] == pytest.approx([1])
    assert stats["event <lambda> (2)"] == pytest.approx([2])
    assert stats["loss below 0.1"] == stats["loss below 0.1 (2)"]
    assert stats["loss below 0.1000001"][0] < stats["loss below 0.1"][0]


def test_nothing_happens_after_the_event_that_stops():
    def first(t, weights):
        return t - 1

    def later(t, weights):
        return t - 1.0001

    first.terminal = True
    stats = sf.simulate(*CASE, [3], events=[later, first]).stats
    assert stats["event later"] == ()
    assert stats["event first"] == pytest.approx([1])


def exploding(power, start):
    """The flow w′ = 2^(1−p) p w^(2p−1) of −w^(2p)/2^p; it ends where the pole is."""
    W = sympy.MatrixSymbol("W", 1, 1)
    square = sympy.Trace(sympy.MatMul(*[W.T, W] * power))
    loss = sf.CustomLoss(-square / 2**power)
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1), loss)
    rate = 2 ** (1 - power) * power
    order = 2 * power - 2
    return flow, 1 / (order * rate * start**order)


DATA = sf.Dataset([[1.0], [2.0]], [1.0, 2.0])


@pytest.mark.parametrize("power", [2, 3])
@pytest.mark.parametrize("start", [0.5, 1.0, 2.0])
def test_at_a_blow_up_there_is_no_answer(power, start):
    flow, end = exploding(power, start)
    for method in METHODS:
        with pytest.raises(sf.IntegrationFailed):
            sf.simulate(flow, DATA, [[[start]]], end, method=method)
        early = sf.simulate(flow, DATA, [[[start]]], end / 2, method=method)
        expected = start * 2 ** (1 / (2 * power - 2))
        assert early.end_to_end[-1].item() == pytest.approx(expected, rel=1e-6)
    starts = [np.array([start, start / 2]).reshape(2, 1, 1)]
    runs = sf.ensemble(flow, DATA, starts, end)
    assert runs.stats["failed"] == (0,)
    assert np.isfinite(runs.end_to_end[1]).all()
    with pytest.raises(sf.errors.SymflowError):
        sf.precise(flow, DATA, [[[start]]], end, digits=10)


def test_many_digits_of_a_loss_without_data():
    flow, end = exploding(2, 1.0)
    run = sf.precise(flow, DATA, [[[1.0]]], end / 2, digits=30)
    assert abs(run.end_to_end[0, 0, 0] - run.context.sqrt(2)) < mpmath.mpf(10) ** -29


@pytest.mark.parametrize("accuracy", [-0.1, 0, float("nan"), float("inf")])
def test_an_accuracy_that_is_not_positive_is_refused(accuracy):
    problem = bind(FLOW, sf.whitened([[2.0]]), [[[0.5]], [[0.5]]])
    with pytest.raises(sf.InvalidArgument, match="needs a positive number"):
        DescentComplexity.attempt(problem, accuracy)


@pytest.mark.parametrize("events", [3, np.array(3), np.ma.masked])
def test_what_is_no_event_is_refused(events):
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    given = flow, sf.whitened([[2.0]]), [[[0.1]], [[0.1]]], [0, 1]
    with pytest.raises(sf.InvalidArgument, match="needs events such as"):
        sf.simulate(*given, events=events)
