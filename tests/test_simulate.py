"""Float64 trajectories against exact solutions, and their errors."""

import numpy as np
import pytest
import scipy.linalg
import sympy

import symflow as sf


def flow_of(*widths, **loss):
    return sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss(**loss))


def test_depth_one_is_the_matrix_exponential():
    """Ẇ = Σ_yx − WΣ_xx has the solution W* + (W₀ − W*)exp(−Σ_xx t)."""
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((8, 3)), rng.standard_normal((8, 2))
    data, start = sf.Dataset(X, Y), rng.standard_normal((2, 3))
    t = np.array([0.0, 0.4, 2.0, 9.0])
    run = sf.simulate(flow_of(3, 2), data, [start], t)
    xx, yx = X.T @ X / 8, Y.T @ X / 8
    best = yx @ np.linalg.inv(xx)
    for k, time in enumerate(t):
        exact = best + (start - best) @ scipy.linalg.expm(-xx * time)
        assert np.allclose(run.end_to_end[k], exact, rtol=0, atol=1e-10)


def test_sums_run_n_times_faster_than_means():
    rng = np.random.default_rng(1)
    data = sf.Dataset(rng.standard_normal((5, 2)), rng.standard_normal((5, 1)))
    start = [rng.standard_normal((2, 2)), rng.standard_normal((1, 2))]
    slow = sf.simulate(flow_of(2, 2, 1), data, start, [5.0])
    fast = sf.simulate(flow_of(2, 2, 1, reduction="sum"), data, start, [1.0])
    assert np.allclose(slow.end_to_end, fast.end_to_end, rtol=0, atol=1e-9)


def test_weight_decay_shrinks_a_network_without_targets():
    """With Σ_yx = 0 = Σ_xx only the decay acts: W_l(t) = e^{−λt} W_l(0)."""
    data = sf.Moments(np.zeros((2, 2)), np.zeros((1, 2)))
    start = [np.array([[1.0, 2.0]]), np.array([[3.0]])]
    run = sf.simulate(flow_of(2, 1, 1, l2=0.5), data, start, [0.0, 2.0])
    symbols = run.flow.state
    assert np.allclose(run[symbols[0]][1], np.exp(-1.0) * start[0], atol=1e-9)


def test_dense_output_meets_the_stored_times():
    data, start = sf.whitened([[2.0]]), [[[0.1]], [[0.3]]]
    run = sf.simulate(flow_of(1, 1, 1), data, start, [0, 1, 2])
    again = sf.simulate(flow_of(1, 1, 1), data, start, [0.5, 2])
    assert abs(run.at(1)[0] - run.weights[0][1]).max() < 1e-12
    assert abs(run.at(0.5)[1] - again.weights[1][0]).max() < 1e-8
    with pytest.raises(sf.InvalidArgument, match="needs a time from 0 to 2"):
        run.at(3)


def test_loss_is_the_mean_squared_error_on_the_samples():
    rng = np.random.default_rng(2)
    X, Y = rng.standard_normal((6, 3)), rng.standard_normal((6, 2))
    start = [rng.standard_normal((4, 3)), rng.standard_normal((2, 4))]
    run = sf.simulate(flow_of(3, 4, 2), sf.Dataset(X, Y), start, [0.0, 0.7])
    for loss, W in zip(run.loss, run.end_to_end, strict=True):
        assert loss == pytest.approx(0.5 * np.sum((Y - X @ W.T) ** 2) / 6, rel=1e-12)


def test_symbolic_widths_take_their_values_from_the_arrays():
    rng = np.random.default_rng(4)
    start = [rng.standard_normal((5, 3)), rng.standard_normal((2, 5))]
    run = sf.simulate(flow_of("d", "h", "m"), sf.whitened(np.ones((2, 3))), start, [1])
    assert run.problem.widths == (3, 5, 2)
    assert run["W1"].shape == (1, 5, 3)
    assert run[run.flow.end_to_end].shape == (1, 2, 3)


def test_progress_reaches_the_end():
    seen = []
    data, start = sf.whitened([[2.0]]), [[[0.1]], [[0.3]]]
    sf.simulate(flow_of(1, 1, 1), data, start, [5], progress=seen.append)
    assert seen[0] == 0
    assert max(seen) == pytest.approx(1)


GOOD = (sf.whitened([[2.0]]), [[[0.1]], [[0.3]]])


@pytest.mark.parametrize(
    ("t", "message"),
    [
        ([0, 2, 1], r"t\[2\] = 1 comes after t\[1\] = 2"),
        ([0, 1, 1], r"times have to increase"),
        ([-1, 1], r"starts at t = 0; got the time -1"),
        ([], r"needs at least one time"),
        ([0, float("nan")], r"has to be finite; got nan"),
        ([0, float("inf")], r"has to be finite; got inf"),
        (["now"], r"has to be a number; got 'now'"),
        ([sympy.sqrt(2)], r"have to be rational; got sqrt\(2\)"),
    ],
)
def test_time_points_that_make_no_sense(t, message):
    with pytest.raises(sf.InvalidArgument, match=message):
        sf.simulate(flow_of(1, 1, 1), *GOOD, t)


@pytest.mark.parametrize(
    ("data", "init", "error", "message"),
    [
        (
            GOOD[0],
            [[[0.1]]],
            sf.InvalidArgument,
            r"one matrix per layer of the network \(2\); got 1",
        ),
        (
            GOOD[0],
            [[[0.1, 1]], [[1]]],
            sf.ShapeMismatch,
            "W_1 has to be 1×1 for this network; got 1×2",
        ),
        (GOOD[0], [[[0.1]], [[np.nan]]], sf.InvalidData, "is nan"),
        (np.eye(2), GOOD[1], sf.InvalidArgument, "needs a Dataset or Moments"),
        (sf.whitened(np.eye(2)), GOOD[1], sf.ShapeMismatch, "Sigma_xx has shape 2×2"),
        (GOOD[0], 0.1, sf.InvalidArgument, "init"),
    ],
)
def test_data_and_starts_that_do_not_fit(data, init, error, message):
    with pytest.raises(error, match=message):
        sf.simulate(flow_of(1, 1, 1), data, init, [1])


def test_symbolic_decay_cannot_be_integrated():
    with pytest.raises(sf.InvalidArgument, match="weight decay lambda is symbolic"):
        sf.simulate(flow_of(1, 1, 1, l2="lambda"), *GOOD, [1])


def test_blow_up_is_an_error_that_says_where():
    """The linear loss has no optimum, and the scalar flow escapes to infinity."""
    loss = sf.CustomLoss(-sympy.Trace(sympy.MatrixSymbol("W", 1, 1)))
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1, 1), loss)
    start = [[[1.0]], [[1.0]], [[1.0]]]
    with pytest.raises((sf.IntegrationFailed, sf.InvalidData), match=r"t = |finite"):
        sf.simulate(flow, sf.whitened([[1.0]]), start, [5.0])


@pytest.mark.parametrize("option", [{"rtol": 0}, {"rtol": 2.0}, {"atol": -1e-3}])
def test_tolerances_are_checked(option):
    with pytest.raises(sf.InvalidArgument, match="between 0 and 1"):
        sf.DOP853(**option)


def test_unknown_weight_names_are_refused():
    run = sf.simulate(flow_of(1, 1, 1), *GOOD, [1])
    with pytest.raises(sf.InvalidArgument, match=r"not a weight.*'W1', 'W2'"):
        run["W3"]


def test_the_drift_counts_from_the_start_even_where_that_is_not_asked_for():
    flow = flow_of(3, 2, 2)
    data = sf.whitened([[1.0, 0, 0], [0, 2.0, 0]])
    rough = sf.DOP853(rtol=1e-4)
    problem = (flow, data, sf.gaussian_init(0.5, rng=0))
    end = sf.simulate(*problem, [7.0], method=rough)
    both = sf.simulate(*problem, [0.0, 7.0], method=rough)
    assert end.stats["drift imbalance Δ1"] == both.stats["drift imbalance Δ1"] > 1e-12


def test_many_starts_are_sent_to_the_call_that_takes_them():
    with pytest.raises(sf.ShapeMismatch, match=r"Use ensemble\(flow, data, init, t\)"):
        sf.simulate(
            flow_of(1, 1), sf.whitened([[2.0]]), [np.ones((5, 1, 1))], [0.0, 1.0]
        )


def test_ragged_weights_are_refused():
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.SquaredLoss())
    ragged = [[[1, 2], [3]], [[1, 1]]]
    with pytest.raises(sf.ShapeMismatch, match="rows of equal length"):
        sf.simulate(flow, sf.whitened([[1, 0]]), ragged, [0, 1])


@pytest.mark.parametrize("method", [sf.DOP853(), sf.GaussLegendre(), sf.Taylor()])
def test_a_trial_step_that_overflows_is_made_shorter(method):
    """Far on the wrong side the exponential loss is steep, and a long step too far."""
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.ExponentialLoss())
    data = sf.Dataset([[1, 2], [3, -1]], [1, 1])
    start = ([[1.0, -1.0], [0.2, -0.2]], [[-1.4, -0.2]])
    run = sf.simulate(flow, data, start, [0, 0.1, 2], method=method)
    assert run.loss[-1] < 0.1 * run.loss[0]
    sharp = sf.precise(flow, data, start, [2], digits=20)
    assert run.end_to_end[-1] == pytest.approx(sharp.end_to_end[0].astype(float))
