"""ℒ(t) ≤ 1/(1/ℒ₀ + ct) for classification, against SciPy and by hand."""

from fractions import Fraction

import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.optimize import brentq

import symflow as sf
from symflow.convergence import VanishingLoss
from symflow.convergence.vanishing_loss import widest_margin


def loss_of(margins, exponential):
    return np.exp(-margins) if exponential else np.logaddexp(0, -margins)


def pull_of(margins, exponential):
    return np.exp(-margins) if exponential else 1 / (1 + np.exp(margins))


def losses(layers, rows, exponential, weight, times):
    """The losses of u_1∘⋯∘u_L by SciPy, entry by entry."""
    shape = np.shape(layers)

    def slope(_, flat):
        u = flat.reshape(shape)
        pulls = weight * pull_of(rows @ np.prod(u, axis=0), exponential) @ rows
        others = [np.prod(np.delete(u, k, axis=0), axis=0) for k in range(len(u))]
        return (pulls * np.array(others)).ravel()

    run = solve_ivp(
        slope, (0, times[-1]), np.ravel(layers), "LSODA", times, rtol=1e-9, atol=1e-12
    )
    ends = run.y.T.reshape(-1, *shape).prod(axis=1)
    return weight * loss_of(ends @ rows.T, exponential).sum(axis=1)


@pytest.mark.parametrize("kind", [sf.ExponentialLoss, sf.LogisticLoss])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_three_hundred_starts_of_any_loss_keep_below_the_bound(kind, reduction):
    rng = np.random.default_rng([len(reduction), kind is sf.LogisticLoss])
    exponential, sizes, tightest = kind is sf.ExponentialLoss, [], np.inf
    for _ in range(75):
        depth, d, n = rng.integers(2, 4), rng.integers(1, 4), rng.integers(1, 5)
        goal = rng.normal(size=d)
        goal /= np.linalg.norm(goal)
        rows = rng.normal(size=(n, d))
        rows = rows * np.sign(rows @ goal)[:, None] + 0.2 * goal
        labels = rng.choice([-1.0, 1.0], n)
        weight = 1 / n if reduction == "mean" else 1.0
        gap, wanted = rng.uniform(0.1, 1.5), 10 ** rng.uniform(-1, 3)

        def layers_of(side, gap=gap, goal=goal, depth=depth):
            last = side * goal
            others = np.sqrt(gap + np.max(last**2)) * np.ones((depth - 1, len(goal)))
            return np.concatenate([others, last[None]])

        def above(side, wanted=wanted, rows=rows, weight=weight):
            margins = rows @ np.prod(layers_of(side), axis=0)
            with np.errstate(over="ignore", divide="ignore"):
                found = weight * loss_of(margins, exponential).sum()
                return np.clip(np.log(found / wanted), -50, 50)

        layers = layers_of(brentq(above, -300, 300))
        net = sf.DiagonalNetwork(int(d), int(depth))
        flow = sf.gradient_flow(net, kind(reduction))
        data = sf.Dataset(labels[:, None] * rows, labels)
        (bound,) = sf.rates(flow, data, list(layers[:, :, None]))
        assert isinstance(bound, VanishingLoss)
        times = np.array([0, 0.01, 0.1, 1, 5])
        found = losses(layers, rows, exponential, weight, times)
        sizes.append(found[0])
        assert np.all(found <= bound.bound(times) * (1 + 1e-7))
        tightest = min(tightest, np.min((bound.bound(times) / found)[1:]))
    assert min(sizes) < 0.5
    assert max(sizes) > 300
    assert tightest < 1.5


def test_the_factor_of_the_logistic_loss_is_needed():
    """From u = cosh 3, v = −sinh 3 the loss at t = 1 is 13.6, and 0.99 without it."""
    start = ([[np.cosh(3)]], [[-np.sinh(3)]])
    flow = sf.gradient_flow(sf.DiagonalNetwork(1, 2), sf.LogisticLoss())
    (bound,) = sf.rates(flow, sf.Dataset([[1]], [1]), start)
    run = sf.simulate(flow, sf.Dataset([[1]], [1]), start, [0, 1])
    first, last = np.logaddexp(0, -run.end_to_end[:, 0, 0])
    assert last == pytest.approx(13.6, abs=0.05)
    assert 1 / (1 / first + 1) < last < bound.bound(1.0)
    assert bound.constant == pytest.approx((-np.expm1(-first) / first) ** 2, rel=1e-7)


def test_a_certificate_and_a_mutant():
    flow = sf.gradient_flow(sf.DiagonalNetwork(1, 2), sf.LogisticLoss("sum"))
    case = flow, sf.Dataset([[1], [2]], [1, 1]), ([[Fraction(5, 2)]], [[-1]])
    (bound,) = sf.rates(*case)
    ball = sf.enclose(*case, [Fraction(1, 4)], digits=15)
    finding = bound.finding(ball, -1)
    assert finding.balls[0] > 0
    worse = type(bound)(bound.problem, bound.checked, 50 * bound.constant)
    assert worse.finding(ball, -1).balls[0] < 0
    run = sf.simulate(*case, [0, 0.1, 0.5])
    assert np.all(bound.residuals(run) == 0)
    assert np.any(worse.residuals(run) > 1e-3)
    assert "falls as 1/(1/ℒ(0) + " in repr(sf.rates(*case))


def test_filters_have_modes_too():
    net, data = sf.ConvolutionalNetwork(3, (3, 3)), sf.Dataset([[1, 2, 0]], [1])
    start = ([[3], [0], [0]], [[-1], [0], [0]])  # flat spectra: |3|² − |1|² = 8
    (bound,) = sf.rates(sf.gradient_flow(net, sf.ExponentialLoss()), data, start)
    spectrum = np.abs(np.fft.fft([1.0, 2.0, 0.0])) ** 2
    assert bound.constant <= 8 * spectrum.sum() * 3
    run = sf.simulate(bound.problem.flow, data, start, [0, 0.05, 0.2])
    found = np.exp(-run.end_to_end @ [1.0, 2.0, 0.0])[:, 0]
    assert np.all(found <= bound.bound(run.t))


@pytest.mark.parametrize(
    ("start", "data", "words"),
    [
        (([[1]], [[1]]), sf.Dataset([[1]], [1]), "last layer smallest: fails"),
        (([[2]], [[1]]), sf.Dataset([[1], [1]], [1, -1]), "separable features: fails"),
        (([[2e3]], [[-1e3]]), sf.Dataset([[1]], [1]), "a finite loss: fails"),
    ],
)
def test_what_it_does_not_cover_is_refused(start, data, words):
    flow = sf.gradient_flow(sf.DiagonalNetwork(1, 2), sf.ExponentialLoss())
    assert len(sf.rates(flow, data, start)) == 0
    assert words in repr(sf.rates(flow, data, start))


def test_the_widest_margin_is_that_of_the_nearest_point():
    rng = np.random.default_rng(0)
    for _ in range(20):
        rows = rng.normal(size=(4, 2)) + np.array([2, 0])
        angles = np.linspace(-np.pi, np.pi, 200001)
        ways = np.stack([np.cos(angles), np.sin(angles)])
        best = np.max(np.min(rows @ ways, axis=0))
        found = widest_margin(rows)
        assert found == pytest.approx(max(best, 0), abs=3e-4) or best < 1e-6


def test_the_time_to_an_accuracy_is_that_of_the_bound():
    flow = sf.gradient_flow(sf.DiagonalNetwork(1, 2), sf.ExponentialLoss())
    case = flow, sf.Dataset([[1]], [1]), ([[2]], [[-1]])
    (bound,) = sf.rates(*case)
    time = bound.time_to(0.01)
    assert time == pytest.approx((100 - np.exp(-2)) / 3, rel=1e-6)  # c = λ = 3, γ = 1
    assert -sf.simulate(*case, [time]).end_to_end[-1].item() < np.log(0.01)
    squared = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    for rate in sf.rates(squared, sf.whitened([[2.0]]), [[[1.5]], [[1.0]]]):
        if rate.rate > 0 and rate.name != "InstantaneousRate":
            found = rate.time_to(1e-6)
            expected = np.log(float(rate.bound(0.0)) / 1e-6) / rate.rate
            assert found == pytest.approx(expected, rel=1e-9)
            assert rate.time_to(1e3) == 0
    with pytest.raises(sf.InvalidArgument, match="needs a positive number; got 0"):
        bound.time_to(0)
