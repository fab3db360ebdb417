"""Runs of the heavy ball against SciPy, and against series in mpmath by hand."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy
from scipy.integrate import solve_ivp

import symflow as sf
from symflow import plot

T = sympy.Symbol("t")
NET = sf.LinearNetwork(3, 2, 2)
TIMES = [0, 0.5, 2, 6]


def drawn(seed=0):
    rng = np.random.default_rng(seed)
    data = sf.Dataset(rng.standard_normal((6, 3)), rng.standard_normal((6, 2)))
    start, push = (
        [rng.standard_normal((2, 3)), rng.standard_normal((2, 2))] for _ in range(2)
    )
    return data, start, push


def by_scipy(data, start, push, friction, decay=0, first=0.0):
    """Integrate the equations for two layers as they stand in a book."""
    sxx, syx = data.X.T @ data.X / 6, data.Y.T @ data.X / 6

    def rhs(t, y):
        w1, w2, v = y[:6].reshape(2, 3), y[6:10].reshape(2, 2), y[10:]
        force = syx - w2 @ w1 @ sxx
        pull = [w2.T @ force - decay * w1, force @ w1.T - decay * w2]
        pull = np.concatenate([p.ravel() for p in pull])
        return np.concatenate([v, pull - friction(t) * v])

    y0 = np.concatenate([np.ravel(part) for part in (*start, *push)])
    times = [max(TIMES[0], first), *TIMES[1:]]
    return solve_ivp(rhs, (first, 6), y0, "DOP853", times, rtol=3e-13, atol=1e-14).y.T


def flat(run):
    """Return weights and velocities at every time, as rows."""
    return np.concatenate([w.reshape(len(run), -1) for w in run.weights], axis=1)


@pytest.mark.parametrize("friction", [0, 0.75])
def test_constant_friction_agrees_with_scipy(friction):
    data, start, push = drawn()
    ball = sf.heavy_ball(NET, sf.SquaredLoss(l2=0.125), friction)
    expected = by_scipy(data, start, push, lambda t: friction, 0.125)
    run = sf.simulate(ball, data, start + push, TIMES)
    fine = sf.precise(ball, data, start + push, TIMES, digits=20)
    assert np.max(abs(flat(run) - expected)) < 1e-9
    assert np.max(abs(flat(fine) - expected)) < 1e-9
    assert np.max(abs(flat(fine) - flat(run))) < run.error < 1e-8
    energy = run.loss + (flat(run)[:, 10:] ** 2).sum(axis=1) / 2
    if friction:
        assert np.all(np.diff(energy) < -0.01)
        assert not np.all(np.diff(run.loss) < 0)
    else:
        np.testing.assert_allclose(energy, energy[0], rtol=1e-9)


def regular_start(data, start, c, at):
    """Return weights and velocities at a time by θ = Σ θ_k t^k, 40 terms.

    θ̈ + cθ̇/t = g gives (k + 2)(k + 1 + c) θ_{k+2} = g_k.
    """
    sxx, syx = data.X.T @ data.X / 6, data.Y.T @ data.X / 6
    a, b = [start[0], 0 * start[0]], [start[1], 0 * start[1]]
    force = []
    for k in range(40):
        inner = sum(b[j] @ a[k - j] for j in range(k + 1))
        force.append((syx if k == 0 else 0) - inner @ sxx)
        ga = sum(b[j].T @ force[k - j] for j in range(k + 1))
        gb = sum(force[j] @ a[k - j].T for j in range(k + 1))
        a.append(ga / ((k + 2) * (k + 1 + c)))
        b.append(gb / ((k + 2) * (k + 1 + c)))
    powers = [at**k for k in range(len(a))]
    weights = [sum(p * m for p, m in zip(powers, part, strict=True)) for part in (a, b)]
    speeds = [
        sum(k * powers[k - 1] * part[k] for k in range(1, len(a))) for part in (a, b)
    ]
    return weights, speeds


@pytest.mark.parametrize("c", [3, Fraction(5, 2)])
def test_friction_over_time_agrees_with_scipy(c):
    data, start, _ = drawn(1)
    ball = sf.heavy_ball(NET, sf.SquaredLoss(), sympy.Rational(c) / T)
    weights, speeds = regular_start(data, start, float(c), 0.125)
    expected = by_scipy(data, weights, speeds, lambda t: float(c) / t, first=0.125)
    run = sf.simulate(ball, data, start, TIMES)
    fine = sf.precise(ball, data, start, TIMES, digits=20)
    assert np.max(abs(flat(run) - expected)[1:]) < 1e-9
    assert np.max(abs(flat(fine) - expected)[1:]) < 1e-9
    assert run.route == "float64 (Taylor)"
    assert (
        np.max(
            abs(
                np.concatenate(run.at(0.125), axis=None)
                - np.concatenate([*weights, *speeds], axis=None)
            )
        )
        < 1e-12
    )
    energy = run.loss + (flat(run)[:, 10:] ** 2).sum(axis=1) / 2
    assert np.all(np.diff(energy) < 0)


def scalar_equations(friction):
    """Widths 1–2–1 and ℓ = ½(w₂w₁ − 1)², from rest."""

    def rhs(t, x):
        a, b, v = x[:2], x[2:4], x[4:]
        force = 1 - (a[0] * b[0] + a[1] * b[1])
        pull = [force * y for y in (*b, *a)]
        return [*v, *(p - friction(t) * y for p, y in zip(pull, v, strict=True))]

    return rhs


def scalar_start(mp, start, c, at):
    """Return the state at a time by the power series of the regular solution."""
    series, force = [[x, mp.zero] for x in start], []
    for k in range(60):
        a, b = series[:2], series[2:]
        inner = sum(a[i][j] * b[i][k - j] for i in range(2) for j in range(k + 1))
        force.append((1 if k == 0 else 0) - inner)
        pulls = [
            sum(force[j] * other[k - j] for j in range(k + 1)) for other in (*b, *a)
        ]
        for terms, pull in zip(series, pulls, strict=True):
            terms.append(pull / ((k + 2) * (k + 1 + c)))
    values = [sum(x * at**k for k, x in enumerate(terms)) for terms in series]
    slopes = [
        sum(k * x * at ** (k - 1) for k, x in enumerate(terms) if k) for terms in series
    ]
    return [*values, *slopes]


@pytest.mark.parametrize(
    ("friction", "arithmetic"),
    [(sympy.Rational(1, 3), sf.Flint()), (3 / T, sf.Flint()), (3 / T, sf.Mpmath())],
    ids=str,
)
def test_thirty_digits(friction, arithmetic):
    mp = mpmath.MPContext()
    mp.dps = 34
    start = [mp.mpf(k) / 7 for k in (3, -2, 1, 4)]
    if friction.is_number:
        tau, first = mp.mpf(1) / 3, mp.zero
        state = [*start, *[mp.zero] * 4]
        curve = mp.odefun(scalar_equations(lambda t: tau), first, state)
    else:
        first = mp.mpf(1) / 8
        state = scalar_start(mp, start, 3, first)
        curve = mp.odefun(scalar_equations(lambda t: 3 / t), first, state)
    expected = curve(mp.one)
    exact = [Fraction(k, 7) for k in (3, -2, 1, 4)]
    ball = sf.heavy_ball(sf.LinearNetwork(1, 2, 1), sf.SquaredLoss(), friction)
    given = [[[exact[0]], [exact[1]]], [exact[2:]]]
    data = sf.Moments([[1]], [[1]])
    run = sf.precise(ball, data, given, [1], digits=32, arithmetic=arithmetic)
    found = np.concatenate([w.ravel() for w in run.weights])
    gap = max(abs(mp.mpf(x) - y) for x, y in zip(found, expected, strict=True))
    assert gap < mp.mpf(10) ** -30


def test_digits_survive_the_way_out_of_a_saddle():
    """Modes leave with the rates of √s, two of them from 1e-12."""
    data = sf.Moments([[1, 0], [0, 1]], [[9, 1], [0, 4]])
    ball = sf.heavy_ball(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss(), 0)
    small = Fraction(1, 10**12)
    start = [[[small, 0], [0, 2 * small]], [[small, small], [0, small]]]
    coarse, fine = (sf.precise(ball, data, start, [14], digits=d) for d in (15, 40))
    gap = np.max(abs(flat(coarse) - flat(fine)))
    assert gap < coarse.error < 1e-15 * np.max(abs(flat(fine)))


def test_every_method_and_every_form_of_the_program_follow_the_ball():
    data, start, push = drawn()
    ball = sf.heavy_ball(NET, sf.SquaredLoss(), 1)
    taylor = sf.simulate(ball, data, start + push, 3, method="Taylor")
    for method in ("DOP853", "Radau", "GaussLegendre"):
        run = sf.simulate(ball, data, start + push, 3, method=method)
        assert np.max(abs(flat(run) - flat(taylor))) < 1e-8
    rng = np.random.default_rng(0)
    wide = sf.Dataset(rng.standard_normal((99, 40)), rng.standard_normal((99, 40)))
    weights = [rng.standard_normal(s) / 9 for s in ((2, 40), (40, 2))]
    ball = sf.heavy_ball(sf.LinearNetwork(40, 2, 40), sf.SquaredLoss(), 1)
    runs = [sf.simulate(ball, wide, weights, 1, method=m) for m in (None, "Taylor")]
    runs.append(sf.precise(ball, wide, weights, 1, digits=15))
    for run in runs[1:]:
        assert np.max(abs(flat(run) - flat(runs[0]))) < 1e-9


def test_a_run_knows_its_laws_and_what_depends_on_the_weights_alone(tmp_path):
    data, start, push = drawn()
    ball = sf.heavy_ball(NET, sf.SquaredLoss(), 0.5)
    run = sf.simulate(ball, data, start + push, [0, 1, 2])
    assert run.flow == ball
    assert run["Wdot1"].shape == (3, 2, 3)
    for weight, given in zip(run.problem.at(40).weights, start + push, strict=True):
        assert np.array_equal(weight.astype(float), given)
    assert run.stats["drift angular momentum 1"] < 1e-11
    assert sf.validate(sf.conserved(ball), run).ok
    wrong = replace(ball, friction=sympy.Rational(2, 5))
    assert not sf.validate(sf.conserved(wrong), run).ok
    resting = sf.simulate(ball.flow, data, run.at(1)[:2], [0, 1])
    np.testing.assert_allclose(run.sharpness(1), resting.sharpness(0))
    np.testing.assert_allclose(run.tangent_kernel(1), resting.tangent_kernel(0))
    np.testing.assert_allclose(run.loss[1], resting.loss[0], rtol=1e-12)
    for draw in (plot.loss, plot.modes, plot.drift, plot.imbalance):
        draw(run)
    sf.save(run, tmp_path / "run.npz")
    again = sf.load(tmp_path / "run.npz")
    assert again.flow == ball
    assert np.array_equal(flat(again), flat(run))


def test_claims_about_another_motion_are_not_compared():
    data, start, _ = drawn()
    ball = sf.heavy_ball(NET, sf.SquaredLoss(), 0.5)
    run = sf.simulate(ball, data, start, [0, 1])
    (law,) = sf.conserved(ball.flow)
    report = sf.validate([law], run)
    assert "the run is of a heavy ball" in str(report)
    with pytest.raises(sf.InvalidArgument, match="the run is of a heavy ball"):
        law.residuals(run)
    (momentum,) = sf.conserved(ball)
    plain = sf.simulate(ball.flow, data, start, [0, 1])
    with pytest.raises(sf.InvalidArgument, match="the run is of a gradient flow"):
        momentum.residuals(plain)


def test_momentum_fades_with_the_power_of_time():
    data, start, push = drawn()
    ball = sf.heavy_ball(NET, sf.SquaredLoss(), sympy.Rational(5, 2) / T)
    path = by_scipy(data, start, push, lambda t: 2.5 / t, first=0.25)
    shapes = [(2, 3), (2, 2), (2, 3), (2, 2)]
    ends = np.cumsum([0, *(int(np.prod(s)) for s in shapes)])
    weights = [
        path[:, a:b].reshape(-1, *s)
        for a, b, s in zip(ends, ends[1:], shapes, strict=False)
    ]
    times = [0.25, *TIMES[1:]]
    run = replace(sf.simulate(ball, data, start, times), weights=weights)
    (law,) = sf.conserved(ball)
    assert abs(law.value(run.weights[:2], run.weights[2:])).max() > 0.1
    assert max(law.residuals(run)) < 1e-10
    (other,) = sf.conserved(replace(ball, friction=3 / T))
    assert max(other.residuals(run)) > 1e-3
    assert "decays as t^(−5/2)" in str(law)
    assert all(step.check() for step in law.proof())
    assert sf.count_conserved(ball).independent == 1


def test_a_model_in_its_own_order_and_a_drawn_start():
    data, start, push = drawn()
    A, B = sympy.MatrixSymbol("A", 2, 3), sympy.MatrixSymbol("B", 2, 2)
    turned = sf.heavy_ball(sf.Model(B * A, (B, A)), sf.SquaredLoss(), 1)
    plain = sf.heavy_ball(NET, sf.SquaredLoss(), 1)
    one = sf.simulate(plain, data, start + push, 1).weights
    run = sf.simulate(turned, data, start[::-1] + push[::-1], 1)
    for k, other in enumerate((1, 0, 3, 2)):
        np.testing.assert_allclose(run.weights[k], one[other], atol=1e-12)
    for turned_back, weight in zip(run.layered.weights, one, strict=True):
        np.testing.assert_allclose(turned_back, weight, atol=1e-12)
    rule = sf.gaussian_init(0.5, rng=3)
    coarse = sf.simulate(plain, data, rule, [0, 1])
    fine = sf.precise(plain, data, rule, [0, 1], digits=20)
    assert np.max(abs(flat(coarse) - flat(fine))) < 1e-9
    assert not np.any(flat(coarse)[0, 10:])


REFUSED = {
    "negative": lambda b, d, s, p: sf.heavy_ball(NET, sf.SquaredLoss(), -3 / T),
    "c/t": lambda b, d, s, p: sf.heavy_ball(NET, sf.SquaredLoss(), 3 / T**2),
    "only Taylor": lambda b, d, s, p: sf.simulate(
        sf.heavy_ball(NET, sf.SquaredLoss(), 3 / T), d, s, 1, method="Radau"
    ),
    "has to rest": lambda b, d, s, p: sf.simulate(
        sf.heavy_ball(NET, sf.SquaredLoss(), 3 / T), d, s + p, 1
    ),
    "friction as a number": lambda b, d, s, p: sf.simulate(
        sf.heavy_ball(NET, sf.SquaredLoss()), d, s, 1
    ),
    "steady_state": lambda b, d, s, p: sf.simulate(b, d, s, 1, steady_state=True),
    "ball.flow, for which this answers": lambda b, d, s, p: sf.enclose(b, d, s, 1),
    "ball.flow": lambda b, d, s, p: sf.ensemble(b, d, [np.array([w]) for w in s], 1),
    "name of a velocity": lambda b, d, s, p: sf.heavy_ball(
        sf.Model(
            sympy.MatrixSymbol("Vdot", 2, 2) * sympy.MatrixSymbol("V", 2, 2),
            (sympy.MatrixSymbol("Vdot", 2, 2), sympy.MatrixSymbol("V", 2, 2)),
        ),
        sf.SquaredLoss(),
    ),
}


@pytest.mark.parametrize("words", REFUSED)
def test_refusals(words):
    ball = sf.heavy_ball(NET, sf.SquaredLoss(), 1)
    with pytest.raises(sf.InvalidArgument, match=words):
        REFUSED[words](ball, *drawn())


def test_velocities_need_the_shapes_of_the_weights():
    data, start, push = drawn()
    ball = sf.heavy_ball(NET, sf.SquaredLoss(), 1)
    with pytest.raises(sf.ShapeMismatch):
        sf.simulate(ball, data, start + push[::-1], 1)
