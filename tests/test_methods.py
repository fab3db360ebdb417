"""Integration methods against exact solutions, SciPy and each other."""

import pickle
import subprocess
import sys
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import sympy
from scipy.integrate import solve_ivp

import symflow as sf
from symflow.codegen.optimize import cost
from symflow.flow.problem import bind
from symflow.simulation import (
    DOP853,
    GaussLegendre,
    LossBelow,
    ModeCrosses,
    Radau,
    Taylor,
    ensemble,
)
from symflow.simulation.gauss import Collocation
from symflow.simulation.system import System

METHODS = [
    (DOP853(), 1e-9),
    (Radau(rtol=1e-8, atol=1e-11), 1e-6),
    (GaussLegendre(), 1e-9),
    (GaussLegendre(order=4, rtol=1e-8), 1e-6),
    (Taylor(), 1e-12),
]


def flow_of(*widths, **loss):
    return sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss(**loss))


def sample(widths, seed=0, scale=0.5):
    rng = np.random.default_rng(seed)
    X, Y = rng.standard_normal((9, widths[0])), rng.standard_normal((9, widths[-1]))
    start = [
        scale * rng.standard_normal((after, before))
        for before, after in pairwise(widths)
    ]
    return sf.Dataset(X, Y), start


def written_by_hand(data, widths):
    """The right-hand side of two layers, as one would type it."""
    d, h, m = widths
    moments = data.moments()

    def rhs(_t, y):
        W1, W2 = y[: h * d].reshape(h, d), y[h * d :].reshape(m, h)
        F = moments.sigma_yx - W2 @ W1 @ moments.sigma_xx
        return np.concatenate([(W2.T @ F).ravel(), (F @ W1.T).ravel()])

    return rhs


@pytest.mark.parametrize(("method", "bound"), METHODS, ids=repr)
def test_every_method_meets_the_matrix_exponential(method, bound):
    data, (start,) = sample((3, 2))
    t = np.array([0.0, 0.4, 2.0, 9.0])
    run = sf.simulate(flow_of(3, 2), data, [start], t, method=method)
    xx, yx = data.moments().sigma_xx, data.moments().sigma_yx
    best = yx @ np.linalg.inv(xx)
    exact = [best + (start - best) @ scipy.linalg.expm(-xx * time) for time in t]
    assert np.max(np.abs(run.end_to_end - exact)) < bound


@pytest.mark.parametrize(("method", "bound"), METHODS, ids=repr)
def test_every_method_agrees_with_scipy_on_code_written_by_hand(method, bound):
    widths = (3, 4, 2)
    data, start = sample(widths)
    y0 = np.concatenate([w.ravel() for w in start])
    rhs = written_by_hand(data, widths)
    peer = solve_ivp(rhs, (0, 6), y0, "DOP853", rtol=1e-13, atol=1e-15, t_eval=[2.5, 6])
    run = sf.simulate(flow_of(*widths), data, start, [2.5, 6], method=method)
    flat = np.concatenate([w.reshape(2, -1) for w in run.weights], axis=1)
    assert np.max(np.abs(flat - peer.y.T)) < bound
    middle = np.concatenate([w.ravel() for w in run.at(2.5)])
    assert np.max(np.abs(middle - peer.y[:, 0])) < bound


def test_gauss_legendre_keeps_the_imbalance_to_rounding_error_even_at_low_accuracy():
    data, start = sample((4, 3, 3, 2), scale=0.8)
    flow = flow_of(4, 3, 3, 2)
    coarse = {"rtol": 1e-4, "atol": 1e-6}
    t = np.linspace(0, 30, 7)
    kept = sf.simulate(flow, data, start, t, method=GaussLegendre(order=6, **coarse))
    lost = sf.simulate(flow, data, start, t, method=DOP853(**coarse))
    assert max(v for k, v in kept.stats.items() if k.startswith("drift")) < 5e-15
    assert max(v for k, v in lost.stats.items() if k.startswith("drift")) > 1e-9


@pytest.mark.parametrize("order", [2, 4, 6])
def test_gauss_legendre_has_the_order_that_it_says(order):
    """Halving every step divides the error by 2^order."""
    data, (start,) = sample((2, 1))
    problem = bind(flow_of(2, 1), data, [start])
    xx, yx = data.moments().sigma_xx, data.moments().sigma_yx
    best = yx @ np.linalg.inv(xx)
    exact = (best + (start - best) @ scipy.linalg.expm(-xx)).ravel()

    def error(count):
        solver, state = Collocation(System(problem), order // 2), start.ravel()
        for _ in range(count):
            state = state + solver.solve(state, 1 / count)
        return np.max(np.abs(state - exact))

    slope = np.log2(error(2) / error(4))
    assert slope == pytest.approx(order, abs=0.3)


def test_dense_output_of_an_early_step_is_the_same_after_the_run():
    data, start = sample((3, 4, 2))
    flow = flow_of(3, 4, 2)
    full = sf.simulate(flow, data, start, [0, 8])
    again = sf.simulate(flow, data, start, [0.3, 1.7, 7.9, 8])
    for k, time in enumerate((0.3, 1.7, 7.9)):
        for one, other in zip(full.at(time), again.weights, strict=True):
            assert np.max(np.abs(one - other[k])) < 1e-13


def test_the_jacobian_is_the_derivative_of_the_right_hand_side():
    data, start = sample((3, 4, 2))
    system = System(bind(flow_of(3, 4, 2, l2=0.25), data, start).floats)
    exact, numeric = system.jacobian(system.start), system._differences(system.start)
    assert np.max(np.abs(exact - numeric)) < 1e-8
    assert np.max(np.abs(exact - exact.T)) < 1e-13  # minus a Hessian
    direction = np.random.default_rng(1).standard_normal(system.size)
    assert np.allclose(system.along(system.start, direction), exact @ direction)


def test_radau_takes_few_steps_where_an_explicit_method_is_limited_by_stability():
    data = sf.Moments(np.diag([1e5, 1.0]), [[1e5, 0.5]])
    start = [[[0.0, 0.0]]]
    flow = flow_of(2, 1)
    loose = {"rtol": 1e-6, "atol": 1e-9}
    stiff = sf.simulate(flow, data, start, [10], method=Radau(**loose))
    assert np.allclose(
        stiff.end_to_end[-1], [[1.0, 0.5 * (1 - np.exp(-10))]], atol=1e-5
    )
    assert stiff.stats["evaluations"] < 2000
    assert stiff.stats["jacobians"] <= 5


# The scalar two-layer flow from a = b: ab follows the logistic curve of Saxe et al.
def logistic_time(level, strength=2.0, first=0.01):
    ratio = level * (strength - first) / (first * (strength - level))
    return np.log(ratio) / (2 * strength)


SCALAR = (flow_of(1, 1, 1), sf.Moments([[1.0]], [[2.0]], [[4.0]]), [[[0.1]], [[0.1]]])


@pytest.mark.parametrize("method", [DOP853(), Taylor(), GaussLegendre()], ids=repr)
def test_events_are_located_where_the_logistic_curve_says(method):
    events = [ModeCrosses(1, 0.5), LossBelow(0.02)]
    run = sf.simulate(*SCALAR, [9], events=events, method=method)
    (half,) = run.stats["mode 1 crosses 0.5"]
    assert half == pytest.approx(logistic_time(0.5), abs=1e-9)
    (low,) = run.stats["loss below 0.02"]
    assert low == pytest.approx(logistic_time(2 - np.sqrt(0.04)), abs=1e-9)


def test_a_terminal_event_ends_the_trajectory_at_its_time():
    event = ModeCrosses(1, 1.0, terminal=True)
    run = sf.simulate(*SCALAR, [0, 1, 5, 9], events=[event])
    assert run.t[:2].tolist() == [0, 1]
    assert len(run.t) == 3
    assert run.t[-1] == pytest.approx(logistic_time(1.0), abs=1e-9)
    assert run.end_to_end[-1].item() == pytest.approx(1.0, abs=1e-9)


def test_a_function_of_the_user_is_an_event():
    def product_is_one(t, weights):
        return (weights[1] @ weights[0]).item() - 1

    run = sf.simulate(*SCALAR, [9], events=[product_is_one])
    assert run.stats["event product_is_one"][0] == pytest.approx(
        logistic_time(1.0), abs=1e-9
    )
    with pytest.raises(sf.InvalidArgument, match=r"needs events such as LossBelow"):
        sf.simulate(*SCALAR, [9], events=[3])


def test_loss_below_refuses_data_that_leave_the_loss_unknown():
    flow, _, start = SCALAR
    unknown = sf.Moments([[1.0]], [[2.0]])
    with pytest.raises(
        sf.InvalidArgument, match="without sigma_yy it is known up to a constant"
    ):
        sf.simulate(flow, unknown, start, [9], events=[LossBelow(0.1)])


def test_steady_state_stops_at_the_minimum_and_says_so():
    run = sf.simulate(*SCALAR, [0, 1e6], steady_state=True)
    assert run.stats["steady"].startswith("stationary at t = ")
    assert run.t[-1] < 100
    assert run.end_to_end[-1].item() == pytest.approx(2.0, abs=1e-8)


def test_steady_state_is_not_fooled_by_the_plateau_at_a_saddle():
    """From 1e-9 the derivative is below every tolerance for a long time."""
    flow, data, _ = SCALAR
    run = sf.simulate(flow, data, [[[1e-9]], [[1e-9]]], [0, 1e4], steady_state=True)
    assert run.end_to_end[-1].item() == pytest.approx(2.0, abs=1e-8)
    short = sf.simulate(flow, data, [[[1e-9]], [[1e-9]]], [0, 3], steady_state=True)
    assert short.stats["steady"] == "not reached by t = 3"


@pytest.mark.parametrize("method", [m for m, _ in METHODS], ids=repr)
def test_the_start_alone_and_a_start_that_stays(method):
    flow, data, start = SCALAR
    run = sf.simulate(flow, data, start, [0], method=method)
    assert run.end_to_end.ravel().tolist() == pytest.approx([0.01])
    still = sf.simulate(flow, data, [[[0.0]], [[0.0]]], [0, 1, 50], method=method)
    assert not still.end_to_end.any()


@pytest.mark.parametrize("method", [DOP853(), GaussLegendre(order=8)], ids=repr)
@pytest.mark.parametrize("loss", [sf.ExponentialLoss(), sf.LogisticLoss()], ids=repr)
def test_losses_whose_force_is_not_a_polynomial(method, loss):
    """Programs without fixed-size code run on array source; SciPy on code by hand."""
    rng = np.random.default_rng(4)
    X, y = rng.standard_normal((7, 3)), rng.choice([-1.0, 1.0], (7, 1))
    start = [0.4 * rng.standard_normal((2, 3)), 0.4 * rng.standard_normal((1, 2))]
    slope = (
        np.exp
        if isinstance(loss, sf.ExponentialLoss)
        else lambda z: 1 / (1 + np.exp(-z))
    )

    def rhs(_t, state):
        W1, W2 = state[:6].reshape(2, 3), state[6:].reshape(1, 2)
        pull = (slope(-y * (X @ (W2 @ W1).T)) * y).T @ X / 7
        return np.concatenate([(W2.T @ pull).ravel(), (pull @ W1.T).ravel()])

    y0 = np.concatenate([w.ravel() for w in start])
    peer = solve_ivp(rhs, (0, 3), y0, "DOP853", rtol=1e-13, atol=1e-15).y[:, -1]
    flow, data = sf.gradient_flow(sf.LinearNetwork(3, 2, 1), loss), sf.Dataset(X, y)
    run = sf.simulate(flow, data, start, [3], method=method)
    assert (
        np.max(np.abs(np.concatenate([w.ravel() for w in run.weights]) - peer)) < 1e-8
    )
    system = System(bind(flow, data, start).floats)
    exact, numeric = system.jacobian(y0), system._differences(y0)
    assert np.max(np.abs(exact - numeric)) < 1e-7
    kern = sf.compile(flow, data)
    rates = np.concatenate([rate.ravel() for rate in kern(*start)])
    assert np.allclose(rates, rhs(0, y0), rtol=1e-12)
    many = ensemble(flow, data, [np.stack([w] * 3) for w in start], [3])
    assert np.max(np.abs(many.final[0][2] - run.weights[0][-1])) < 1e-8


def test_an_ensemble_is_what_simulate_gives_start_by_start():
    rng = np.random.default_rng(3)
    data, _ = sample((3, 4, 2))
    starts = [0.5 * rng.standard_normal((70, 4, 3)), rng.standard_normal((70, 2, 4))]
    flow, t = flow_of(3, 4, 2), [0, 0.7, 2, 6]
    runs = ensemble(flow, data, starts, t)
    assert len(runs) == 70
    for k in (0, 33, 69):
        one = sf.simulate(flow, data, [starts[0][k], starts[1][k]], t)
        for many, single in zip(runs[k].weights, one.weights, strict=True):
            assert np.max(np.abs(many - single)) < 2e-9
        assert np.allclose(runs.loss[k], one.loss, rtol=1e-9)
        assert np.allclose(runs.singular_values[k], one.singular_values, atol=1e-8)
    assert runs.stats["failed"] == ()


def test_the_size_of_the_blocks_of_an_ensemble_does_not_matter(monkeypatch):
    rng = np.random.default_rng(3)
    data, _ = sample((3, 4, 2))
    starts = [0.5 * rng.standard_normal((23, 4, 3)), rng.standard_normal((23, 2, 4))]
    flow, t = flow_of(3, 4, 2), np.linspace(0.1, 5, 12)
    whole = ensemble(flow, data, starts, t)
    monkeypatch.setattr(sys.modules["symflow.simulation.ensemble"], "BLOCK", 60)
    parts = ensemble(flow, data, starts, t)
    assert np.max(np.abs(whole.end_to_end - parts.end_to_end)) < 1e-9


def test_an_ensemble_keeps_the_others_when_one_trajectory_escapes():
    """Ẇ₁ = W₂, Ẇ₂ = W₁ with three layers escapes; a start at zero stays."""
    loss = sf.CustomLoss(-sympy.Trace(sympy.MatrixSymbol("W", 1, 1)))
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1, 1), loss)
    ones = np.array([1.0, 0.0]).reshape(2, 1, 1)
    runs = ensemble(flow, sf.whitened([[1.0]]), [ones, ones, ones], [0, 5.0])
    assert runs.stats["failed"] == (0,)
    assert np.isnan(runs.final[0][0]).all()
    assert runs.final[0][1].item() == 0


def test_a_start_whose_derivative_overflows_fails_by_itself():
    starts = [np.array([1.0, 1e200]).reshape(2, 1, 1)] * 2
    runs = ensemble(flow_of(1, 1, 1), sf.whitened([[2.0]]), starts, [0, 9])
    assert runs.stats["failed"] == (1,)
    assert runs[0].end_to_end[-1].item() == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("starts", "error", "message"),
    [
        ([np.ones((2, 1, 1)), np.ones((3, 1, 1))], sf.ShapeMismatch, "as many"),
        ([np.ones((1, 1)), np.ones((1, 1))], sf.ShapeMismatch, "starts, rows, columns"),
        ([np.ones((0, 1, 1))] * 2, sf.InvalidArgument, "at least one start"),
        ([np.full((2, 1, 1), np.nan)] * 2, sf.InvalidData, "W_1 of start 0"),
        (3, sf.InvalidArgument, "one array per layer; got int"),
    ],
)
def test_starts_that_make_no_sense(starts, error, message):
    with pytest.raises(error, match=message):
        ensemble(flow_of(1, 1, 1), sf.whitened([[2.0]]), starts, [1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: GaussLegendre(order=3), "even order"),
        (lambda: GaussLegendre(rtol=0), "between 0 and 1"),
        (lambda: Radau(atol=2), "between 0 and 1"),
        (lambda: Taylor(order=2), "an integer from 8"),
        (lambda: ModeCrosses(0, 1.0), "an integer from 1"),
        (lambda: sf.simulate(*SCALAR, [1], method="RK45"), "DOP853"),
        (lambda: sf.simulate(*SCALAR, [1], events=[ModeCrosses(2, 1)]), "has 1"),
    ],
)
def test_methods_and_events_check_their_arguments(make, message):
    with pytest.raises(sf.InvalidArgument, match=message):
        make()


@pytest.mark.parametrize("delta", [20, 40, 60])
@pytest.mark.parametrize("method", [None, sf.GaussLegendre()])
def test_tiny_starts_keep_their_digits(delta, method):
    """A start of size e^−δ escapes at t ≈ δ/σ; an absolute tolerance would lose it."""
    size = np.exp(-delta).item()
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    t = np.array([0.9, 1.0, 1.1]) * delta / 2
    run = sf.simulate(
        flow, sf.whitened([[2.0]]), [[[size]], [[size]]], t, method=method
    )
    grown = size**2 * np.exp(4 * t)
    exact = 2 * grown / (2 + grown - size**2)
    assert np.allclose(run.end_to_end.ravel(), exact, rtol=1e-7, atol=0)


@pytest.mark.parametrize("widths", [(40, 40, 40), (60, 3, 60), (30, 30, 30, 30)])
@pytest.mark.parametrize("kind", ["dense", "diagonal", "white"])
def test_large_problems_run_in_cheaper_forms_of_the_same_flow(widths, kind):
    rng = np.random.default_rng(0)
    size, last = widths[0], widths[-1]
    X = rng.standard_normal((3 * size, size))
    sigma_yx = 0.3 * rng.standard_normal((last, size)) / size**0.5
    xx = {
        "dense": X.T @ X / len(X),
        "diagonal": np.diag(rng.uniform(0.5, 2, size)),
        "white": np.eye(size),
    }
    data = sf.Moments(xx[kind], sigma_yx)
    weights = [
        rng.standard_normal((rows, columns)) / columns**0.5
        for columns, rows in pairwise(widths)
    ]
    flow = flow_of(*widths, l2=0.125)
    tuned = System(bind(flow, data, weights).floats, is_tuned=True)
    derived = System(tuned.problem)
    assert (tuned.form.frame is not None) == (kind == "dense")
    prices = []
    for system in (tuned, derived):
        constants = [array.shape for array in system.form.constants]
        prices.append(cost(system.program, [*system.shapes, *constants]))
    assert prices[0] < 0.9 * prices[1]
    inside = tuned.matrices(tuned.rhs(0.0, tuned.start))
    outside = derived.matrices(derived.rhs(0.0, derived.start))
    for one, other in zip(inside, outside, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)
    run = sf.simulate(flow, data, weights, [0, 2])
    by_scipy = solve_ivp(
        derived.rhs, (0, 2), derived.start, "DOP853", rtol=1e-11, atol=1e-13
    )
    for one, other in zip(
        run.weights, derived.matrices(by_scipy.y[:, -1]), strict=True
    ):
        np.testing.assert_allclose(one[-1], other, atol=1e-9)
    for weight, given in zip(run.weights, weights, strict=True):
        assert np.array_equal(weight[0], given)


def test_a_column_that_is_kept_apart_by_the_data_stays_exactly_zero():
    """A rotation would fill it with rounding errors, and the saddle amplify them."""
    rng = np.random.default_rng(0)
    xx, yx = np.eye(40), np.zeros((40, 40))
    xx[:30, :30] += 0.1
    yx[:30, :30], yx[30:, 30:] = rng.standard_normal((30, 30)), np.eye(10)
    start = [0.1 * rng.standard_normal((40, 40)) for _ in range(2)]
    start[0][:, 30:], start[1][30:] = 0, 0
    run = sf.simulate(flow_of(40, 40, 40), sf.Moments(xx, yx), start, [0, 3])
    assert not run.weights[1][-1, 30:].any()
    assert run.weights[0][-1, :, :30].any()


@pytest.mark.parametrize("method", [m for m, _ in METHODS], ids=repr)
def test_trajectories_come_back_from_other_processes_whole(method):
    flow, data, start = SCALAR
    run = sf.simulate(flow, data, start, [0, 1, 3], method=method)
    early = run.at(0.3)
    again = pickle.loads(pickle.dumps(run))
    assert np.array_equal(again.end_to_end, run.end_to_end)
    assert all(map(np.array_equal, again.at(0.3), early))
    assert again.error == run.error


ONE_MODE = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
ONE_TARGET = sf.Moments([[1]], [[2]], [[4]])
ONE_START = [[[0.5]], [[0.4]]]


def test_a_flow_that_crawls_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    from symflow.simulation import batch, follow, methods

    for module in (batch, follow, methods):
        monkeypatch.setattr(module, "MOST_STEPS", 50)
    with pytest.raises(sf.IntegrationFailed, match=r"50 steps.* of 1e\+09.*Radau"):
        sf.simulate(ONE_MODE, ONE_TARGET, ONE_START, [0, 1e9])
    assert sf.simulate(ONE_MODE, ONE_TARGET, ONE_START, [0, 5]).stats["steps"] < 50
    starts = [np.full((2, 1, 1), 0.5), np.full((2, 1, 1), 0.4)]
    many = sf.ensemble(ONE_MODE, ONE_TARGET, starts, [0, 1, 1e9])
    assert many.stats["failed"] == (0, 1)
    assert np.isfinite(many.end_to_end[:, 1]).all()


def test_an_ensemble_of_which_nothing_is_left_is_refused() -> None:
    starts = [np.full((2, 1, 1), 1e200), np.full((2, 1, 1), 1e200)]
    with pytest.raises(sf.IntegrationFailed, match=r"none of the 2 .* to t = 1"):
        sf.ensemble(ONE_MODE, ONE_TARGET, starts, [0, 1, 2])
    assert len(sf.ensemble(ONE_MODE, ONE_TARGET, starts, 0)) == 2
    starts[0][1] = starts[1][1] = 0.5
    assert sf.ensemble(ONE_MODE, ONE_TARGET, starts, 1).stats["failed"] == (0,)


@pytest.mark.parametrize("method", [DOP853(), GaussLegendre(), Radau()])
def test_a_huge_start_is_no_fault_of_the_tolerance(method: Any) -> None:
    """The tolerance that was derived from the start was refused as the user's."""
    run = sf.simulate(ONE_MODE, ONE_TARGET, [[[1e15]], [[0.0]]], 1e-31, method=method)
    assert run.weights[0][0] == pytest.approx(1e15, rel=1e-8)


@pytest.mark.parametrize("time", [5e-324, 1e99])
def test_radau_at_times_at_the_ends_of_the_range(time: float) -> None:
    try:
        run = sf.simulate(ONE_MODE, ONE_TARGET, ONE_START, time, method=Radau())
    except sf.IntegrationFailed:
        return
    assert run.end_to_end[-1] == pytest.approx(2.0 if time > 1 else 0.2, rel=1e-6)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"events": 3}, "needs events such as"),
        ({"events": [lambda _t, w: w]}, "has to return a number"),
        ({"progress": 3}, "needs True or a function"),
    ],
)
def test_options_of_simulate_that_make_no_sense(options: Any, match: str) -> None:
    with pytest.raises(sf.InvalidArgument, match=match):
        sf.simulate(ONE_MODE, ONE_TARGET, ONE_START, [0, 5], **options)


def test_one_event_needs_no_list() -> None:
    event = sf.LossBelow(1e-3)
    alone = sf.simulate(ONE_MODE, ONE_TARGET, ONE_START, [0, 5], events=event)  # type: ignore[arg-type]
    listed = sf.simulate(ONE_MODE, ONE_TARGET, ONE_START, [0, 5], events=[event])
    assert alone.stats[event.name] == listed.stats[event.name] != ()


@pytest.mark.parametrize(
    "make",
    [
        lambda: sf.LossBelow("low"),  # type: ignore[arg-type]
        lambda: sf.LossBelow(float("nan")),
        lambda: sf.ModeCrosses(1, None),  # type: ignore[arg-type]
        lambda: sf.ModeCrosses(1.5, 0.1),  # type: ignore[arg-type]
        lambda: DOP853(rtol="small"),  # type: ignore[arg-type]
    ],
)
def test_levels_and_tolerances_are_numbers(make: Any) -> None:
    with pytest.raises(sf.InvalidArgument, match="got "):
        make()


def test_the_coefficients_are_those_of_scipys_class():
    from scipy.integrate import DOP853 as Own

    from symflow.simulation.tableau import tableau

    for name in ("A", "B", "E3", "E5", "A_EXTRA", "D"):
        assert np.array_equal(getattr(tableau(), name), getattr(Own, name))


def test_the_default_method_does_not_load_all_of_scipys_integrators():
    code = (
        "import sys, symflow as sf\n"
        "flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.SquaredLoss())\n"
        "start = sf.gaussian_init(0.1, rng=0)\n"
        "sf.simulate(flow, sf.whitened([[1.0, 2.0]]), start, [0, 1])\n"
        "assert 'scipy.integrate' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_radau_refuses_a_jacobian_that_fits_nowhere():
    flow = sf.gradient_flow(sf.LinearNetwork(120, 90, 10), sf.SquaredLoss())
    data = sf.whitened(np.eye(10, 120))
    with pytest.raises(sf.InvalidArgument, match="Jacobian of 11700 weights"):
        sf.simulate(flow, data, sf.gaussian_init(0.1, rng=0), 1, method=Radau())


STIFF = (
    sf.gradient_flow(sf.LinearNetwork(2, 1), sf.SquaredLoss()),
    sf.Moments([[1000, 0], [0, 1]], [[1, 1]]),
    [[[1, 2]]],
    [0, 9],
)


@pytest.mark.parametrize("method", ["Radau", "radau", sf.Radau])
def test_methods_are_known_by_name_and_take_tolerances(method):
    named = sf.simulate(*STIFF, method=method, rtol=1e-7, atol=1e-11)
    built = sf.simulate(*STIFF, method=sf.Radau(rtol=1e-7, atol=1e-11))
    assert (named.weights[0] == built.weights[0]).all()
    assert named.route == "float64 (Radau)"


def test_tolerances_without_a_method_are_those_of_the_default():
    loose = sf.simulate(*STIFF[:3], [0, 0.01], rtol=1e-3)
    assert loose.stats["steps"] < sf.simulate(*STIFF[:3], [0, 0.01]).stats["steps"]
    built = sf.simulate(*STIFF[:3], [0, 0.01], method=sf.DOP853(rtol=1e-3))
    assert (loose.weights[0] == built.weights[0]).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "RK45"}, "got 'RK45'. Use 'DOP853' in its place"),
        ({"method": "LSODA"}, "Use 'Radau' in its place"),
        ({"method": "Euler"}, "one of the names DOP853, Radau, GaussLegendre, Taylor"),
        ({"method": sf.Radau(), "rtol": 1e-4}, r"has its own. Write Radau\(rtol=0.0"),
        ({"method": "Taylor", "atol": 1e-4}, "Give rtol"),
        ({"rtol": 0}, r"DOP853\(rtol=…\): needs a number between 0 and 1; got 0"),
    ],
)
def test_methods_and_tolerances_that_make_no_sense_are_refused(options, message):
    with pytest.raises(sf.InvalidArgument, match=message):
        sf.simulate(*STIFF, **options)


def test_steps_at_the_bound_of_stability_are_told_with_what_to_do(monkeypatch):
    flow, data, start, _ = STIFF
    stiff = sf.simulate(*STIFF)
    assert "method='Radau'" in stiff.stats["stiff"]
    # the same steps: 6.2 over the largest eigenvalue, by the definition of the bound
    assert stiff.stats["steps"] == pytest.approx(9 * 1000 / 6.2, rel=0.02)
    implicit = sf.simulate(*STIFF, method="Radau", rtol=1e-6)
    assert implicit.stats["steps"] < stiff.stats["steps"] / 10
    assert "stiff" not in implicit.stats
    # many steps before the fast mode has settled are for accuracy
    monkeypatch.setattr("symflow.simulation.stiffness.FEW_STEPS", 10)
    fine = sf.simulate(flow, data, start, [0, 0.005], rtol=1e-13, atol=1e-16)
    assert fine.stats["steps"] >= 10
    assert "stiff" not in fine.stats
    # many weights are told another way out
    monkeypatch.setattr("symflow.simulation.stiffness.SMALL", 1)
    large = sf.simulate(flow, data, start, [0, 1])
    assert "steady_state=True" in large.stats["stiff"]


@pytest.mark.parametrize("method", ["DOP853", "Radau", "GaussLegendre", "Taylor"])
def test_a_tolerance_may_be_any_real_number(method):
    exact = sf.simulate(*STIFF[:3], [0, 0.01], method=method, rtol=Fraction(1, 1024))
    plain = sf.simulate(*STIFF[:3], [0, 0.01], method=method, rtol=2.0**-10)
    assert (exact.weights[0] == plain.weights[0]).all()
