"""Runs that switch data, against SciPy and mpmath started anew at every switch."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from itertools import product

import numpy as np
import pytest
import sympy
from oracles.switched import switched
from scipy.integrate import solve_ivp

import symflow as sf
from symflow import plot

NET = sf.LinearNetwork(3, 2, 2)
FLOW = sf.gradient_flow(NET, sf.SquaredLoss(l2=0.125))
TIMES = [0, 1, 3, 4, 8, 8.5]


def drawn():
    rng = np.random.default_rng(0)
    first, second = (
        sf.Dataset(rng.standard_normal((6, 3)), rng.standard_normal((6, 2)))
        for _ in range(2)
    )
    start = [rng.standard_normal((2, 3)), rng.standard_normal((2, 2))]
    return sf.Curriculum((first, 3), (second, 5), (first, 1)), start


def half_squares(data, w1, w2):
    return ((data.Y - data.X @ (w2 @ w1).T) ** 2).sum() / 12


def by_scipy(curriculum, start, ends):
    """Return the weights at the end of every piece; the last one is cut."""
    y, found = np.concatenate([w.ravel() for w in start]), []
    for (data, _), lasting in zip(curriculum.pieces, ends, strict=True):
        sxx, syx = data.X.T @ data.X / 6, data.Y.T @ data.X / 6

        def rhs(t, y, sxx=sxx, syx=syx):
            a, b = y[:6].reshape(2, 3), y[6:].reshape(2, 2)
            f = syx - b @ a @ sxx
            pulls = b.T @ f - a / 8, f @ a.T - b / 8
            return np.concatenate([p.ravel() for p in pulls])

        y = solve_ivp(rhs, (0, lasting), y, "DOP853", rtol=3e-13, atol=1e-14).y[:, -1]
        found.append([y[:6].reshape(2, 3), y[6:].reshape(2, 2)])
    return found


@pytest.mark.parametrize("verb", [sf.simulate, sf.precise])
def test_switching_agrees_with_scipy(verb):
    curriculum, start = drawn()
    run = verb(FLOW, curriculum, start, TIMES)
    ends = by_scipy(curriculum, start, (3, 5, 0.5))
    for row, weights in zip((2, 4, 5), ends, strict=True):
        for ours, theirs in zip(run.weights, weights, strict=True):
            assert np.max(abs(ours[row] - theirs)) < 1e-9
    (first, _), (second, _), _ = curriculum.pieces
    decay = [sum((w**2).sum() for w in weights) / 16 for weights in ends]
    seen = [run.loss[2], run.loss[4], run.loss_on(0)[4]]
    learned = [(first, ends[0]), (second, ends[1]), (first, ends[1])]
    for value, (data, weights), rest in zip(
        seen, learned, (*decay[:2], decay[1]), strict=True
    ):
        assert abs(value - half_squares(data, *weights) - rest) < 1e-9
    left = half_squares(first, *ends[0]) + decay[0]
    now = half_squares(first, *ends[2]) + decay[2]
    assert abs(run.forgetting(0) - (now - left)) < 1e-9
    assert run.forgetting(1) > 0
    assert run.forgetting(2) == 0
    if verb is sf.simulate:
        assert run.stats["drift imbalance Δ1"] < 1e-10
    assert sf.validate(sf.conserved(FLOW), run).ok


def test_thirty_digits_across_switches():
    """Widths 1–1–1: ẇ₁ = w₂(s − w₂w₁), with s = 2, then −1."""
    mp, state = switched(34)
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    curriculum = sf.Curriculum((sf.whitened([[2]]), 1), (sf.whitened([[-1]]), 4))
    start = [[[Fraction(1, 3)]], [[Fraction(2, 3)]]]
    run = sf.precise(flow, curriculum, start, [Fraction(5, 2)], digits=32)
    for found, expected in zip(run.weights, state, strict=True):
        assert abs(mp.mpf(found[0, 0, 0]) - expected) < mp.mpf(10) ** -30
    assert run.error < mp.mpf(10) ** -31
    ball = sf.enclose(flow, curriculum, start, [1, Fraction(5, 2)], digits=12)
    assert ball.contains([[[x]] for x in state])
    assert ball.error < 1e-12
    assert not ball.contains([[[x + mp.mpf(10) ** -12]] for x in state])


def test_balls_along_a_curriculum_contain_the_run():
    curriculum, start = drawn()
    ball = sf.enclose(FLOW, curriculum, start, TIMES[:4], digits=12)
    better = sf.precise(FLOW, curriculum, start, TIMES[:4], digits=40)
    sizes = [max(abs(w[k]).max() for w in ball.weights) for k in range(4)]
    assert ball.contains(better)
    assert max(float(r / s) for r, s in zip(ball.radius, sizes, strict=True)) < 1e-12
    assert [float(t) for t in ball.t] == TIMES[:4]


def test_the_ball_is_handed_over_where_the_data_switch():
    """w' = s − w: the ball is no smaller than the set, e^(−t)/16, nor than at first."""
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1), sf.SquaredLoss())
    curriculum = sf.Curriculum((sf.whitened([[2]]), 1), (sf.whitened([[-3]]), 2))
    middle, half = Fraction(1, 3), Fraction(1, 16)
    start = [[[sf.interval(middle - half, middle + half)]]]
    ball = sf.enclose(flow, curriculum, start, [1, 3], digits=12)
    assert np.all(ball.radius > np.exp([-1.0, -3.0]) / 16)
    assert ball.radius[1] < 0.4 * ball.radius[0] < 0.4 * 0.0626
    for end in (middle - half, middle, middle + half):
        assert ball.contains(sf.precise(flow, curriculum, [[[end]]], [1, 3], digits=30))
    assert "all starts" in ball.proof[0]


@pytest.mark.parametrize("pieces", [1, 3])
def test_sets_grow_on_the_way_out_of_a_saddle(pieces):
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    curriculum = sf.Curriculum((sf.whitened([[0]]), 2), (sf.whitened([[2]]), 1))
    sides = [[Fraction(w, 1000) for w in side] for side in ((499, 501), (249, 251))]
    box = [[[sf.interval(*side)]] for side in sides]
    ball = sf.enclose(flow, curriculum, box, [2, 3], digits=12, pieces=pieces)
    for corner in product(*sides):
        ends = [[[w]] for w in corner]
        run = sf.precise(flow, curriculum, ends, [2, 3], digits=20)
        assert ball.contains(run)
    assert 0.001 < ball.radius[1] < 0.003


def test_midpoints_that_joining_rounds_stay_within_their_balls():
    """Fixed-point entries have more bits than the arithmetic that they are shown in."""
    flow = sf.gradient_flow(sf.LinearNetwork(1, 2), sf.SquaredLoss())

    def eighths(*rows):
        return [[Fraction(entry, 8) for entry in row] for row in rows]

    first = sf.Dataset(eighths([-6], [-2], [2]), eighths([5, -1], [-8, 8], [8, 0]))
    second = sf.Dataset(eighths([-6], [-3], [-8]), eighths([3, 4], [-3, 0], [-7, 2]))
    third = sf.Dataset(eighths([-4], [-7], [-6]), eighths([-8, -4], [7, 4], [-4, 5]))
    quarters = (Fraction(n, 4) for n in (2, 6, 1))
    lesson = sf.Curriculum(*zip((first, second, third), quarters, strict=True))
    times = [Fraction(n, 8) for n in (4, 17, 18)]
    arguments = flow, lesson, [eighths([5], [5])], times
    ball = sf.enclose(*arguments, digits=12)
    assert ball.contains(sf.precise(*arguments, digits=40))


def test_balls_of_degenerate_curricula():
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    same, thirds = sf.whitened([[2]]), [[[Fraction(1, 3)]], [[Fraction(2, 3)]]]
    third, end = Fraction(1, 3), Fraction(2, 3)
    curriculum = sf.Curriculum((same, third), (same, third))
    twice = sf.enclose(flow, curriculum, thirds, [0, end], digits=20)
    once = sf.enclose(flow, same, thirds, [0, end], digits=30)
    assert twice.contains([w[-1] for w in once.weights])
    assert twice.radius[0] < 1e-30
    still = sf.enclose(flow, curriculum, [[[0]], [[0]]], end, digits=20)
    assert still.contains([[[0]], [[0]]])
    assert still.error < 1e-20
    assert sf.enclose(flow, curriculum, thirds, 0, digits=20).contains(thirds)


def test_what_balls_along_a_curriculum_certify(tmp_path):
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    data, start = sf.whitened([[2]]), [[[1]], [[2]]]
    curriculum = sf.Curriculum((data, 1), (sf.whitened([[-1]]), 1))
    ball = sf.enclose(flow, curriculum, start, [1, 2], digits=15)
    (law,) = sf.conserved(flow)
    assert sf.certify(law, ball).status.value == "enclosed"
    solution = sf.solve(flow, data, start)
    with pytest.raises(sf.InvalidArgument, match="changes its data"):
        sf.certify(solution, ball)
    (row,) = [r for r in sf.validate([solution], ball).rows if r.claim == solution.name]
    assert "changes its data" in row.status
    with pytest.raises(sf.InvalidArgument, match="data change"):
        sf.save(ball, tmp_path / "ball.json")
    sf.save(ball, tmp_path / "ball.npz")
    again = sf.load(tmp_path / "ball.npz")
    assert again.contains([w[-1] for w in ball.weights])
    assert len(again.pieces) == 2


@pytest.mark.parametrize("verb", [sf.simulate, sf.precise])
def test_errors_are_inherited_and_amplified(verb):
    """The way out of a saddle multiplies what the first task leaves behind."""
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    curriculum = sf.Curriculum((sf.whitened([[0]]), 4), (sf.whitened([[2]]), 10))
    start, times = [[[0.5]], [[0.25]]], [4, 12, 14]
    options = {"digits": 12} if verb is sf.precise else {"rtol": 1e-6}
    run = verb(flow, curriculum, start, times, **options)
    better = sf.precise(flow, curriculum, start, times, digits=40)
    gap = max(
        float(abs(a - b).max())
        for a, b in zip(run.weights, better.weights, strict=True)
    )
    assert gap <= run.error
    assert run.error > 3 * run.pieces[0].error
    if verb is sf.precise:
        assert run.error < 1e-12


def test_a_chained_run_is_a_trajectory(tmp_path):
    curriculum, start = drawn()
    run = sf.simulate(FLOW, curriculum, start, TIMES)
    inside = sf.simulate(FLOW, curriculum, start, [3.5])
    for ours, theirs in zip(run.at(3.5), inside.weights, strict=True):
        np.testing.assert_allclose(ours, theirs[0], atol=1e-8)
    first, second = (data for data, _ in curriculum.pieces[:2])
    for time, data in ((3, first), (4, second)):
        row = TIMES.index(time)
        alone = sf.simulate(FLOW, data, [w[row] for w in run.weights], [0, 1])
        np.testing.assert_allclose(run.sharpness(time), alone.sharpness(0))
    for draw in (plot.loss, plot.modes, plot.drift, plot.sharpness):
        draw(run)
    sf.save(run, tmp_path / "run.npz")
    again = sf.load(tmp_path / "run.npz")
    assert again.forgetting() == run.forgetting()
    plain = sf.gradient_flow(NET, sf.SquaredLoss())
    run = sf.simulate(plain, curriculum, start, TIMES)
    report = sf.validate(sf.companions(plain, first, start), run)
    assert len(report.rows) > 1
    assert all("changes its data" in row.status for row in report.rows)


def test_forgetting_is_drawn_on_all_data():
    curriculum, start = drawn()
    run = sf.simulate(FLOW, curriculum, start, TIMES)
    *curves, third, ninth = plot.forgetting(run).lines
    assert [line.get_xdata()[0] for line in (third, ninth)] == [3, 8]
    names = [c.get_label() for c in curves if not c.get_label().startswith("_")]
    assert names == ["on data 1, 3", "on data 2"]  # the first data come back
    thick = [c for c in curves if c.get_label().startswith("_")]
    assert [list(c.get_xdata()) for c in thick] == [[0, 1, 3], [8, 8.5], [3, 4, 8]]
    np.testing.assert_array_equal(curves[3].get_ydata(), run.loss_on(1))
    with pytest.raises(sf.InvalidArgument, match="run along a Curriculum"):
        plot.forgetting(run.pieces[0])


def test_a_heavy_ball_keeps_its_velocity_when_data_switch():
    curriculum, start = drawn()
    (first, _), (second, _), _ = curriculum.pieces
    ball = sf.heavy_ball(NET, sf.SquaredLoss(), 0.5)
    run = sf.simulate(ball, curriculum, start, [3, 4])
    before = sf.simulate(ball, first, start, [3])
    after = sf.simulate(ball, second, [w[-1] for w in before.weights], [1])
    for ours, theirs in zip(run.weights, after.weights, strict=True):
        np.testing.assert_allclose(ours[-1], theirs[-1], atol=1e-9)
    assert run.stats["drift angular momentum 1"] < 1e-10


REFUSED = {
    "needs pairs": lambda c, s: sf.Curriculum(c, 3),
    "times have to increase": lambda c, s: sf.Curriculum((c.pieces[0][0], -1)),
    "has to be finite": lambda c, s: sf.Curriculum((c.pieces[0][0], sympy.oo)),
    "ends at 9": lambda c, s: sf.simulate(FLOW, c, s, 10),
    "has no events": lambda c, s: sf.simulate(FLOW, c, s, 1, steady_state=True),
    "ends at 9; got 10": lambda c, s: sf.enclose(FLOW, c, s, 10),
    "last time has|finite": lambda c, s: sf.enclose(FLOW, c, s, [1, sympy.oo]),
    "True or a function": lambda c, s: sf.enclose(FLOW, c, s, 1, progress=5),
    "has no resume": lambda c, s: sf.precise(FLOW, c, s, 1, resume=s),
    "needs a Dataset": lambda c, s: sf.rates(FLOW, c, s),
    "has to rest": lambda c, s: sf.simulate(
        sf.heavy_ball(NET, sf.SquaredLoss(), 3 / sympy.Symbol("t")), c, s, 4
    ),
}


@pytest.mark.parametrize("words", REFUSED)
def test_refusals(words):
    with pytest.raises(sf.InvalidArgument, match=words):
        REFUSED[words](*drawn())


def test_a_short_piece_has_the_error_of_the_long_one_before():
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    curriculum = sf.Curriculum((sf.whitened([[2]]), 2), (sf.whitened([[-2]]), 1))
    arguments = flow, curriculum, [[[0.1]], [[0.2]]], [2, 2.01]
    run = sf.simulate(*arguments, rtol=1e-5)
    better = sf.precise(*arguments, digits=25)
    pairs = zip(run.weights, better.weights, strict=True)
    gap = max(float(abs(a - b)[-1].max()) for a, b in pairs)
    assert 1e-9 < gap <= run.pieces[1].error


def test_the_limit_on_one_data_set_is_not_that_of_the_curriculum():
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.SquaredLoss())
    inputs = [[1.0, 0], [0, 1], [1, 1]]
    first, second = sf.Dataset(inputs, [1.0, 2, 3]), sf.Dataset(inputs, [0.0, 2, 3])
    start = [[[0.1, 0.3], [0.2, 0.1]], [[0.3, 0.1]]]
    bias = sf.implicit_bias(flow, first, start)
    run = sf.simulate(flow, sf.Curriculum((first, 40), (second, 60)), start, [0, 100])
    assert len(sf.validate([bias], run).rows) == 1
    assert len(sf.validate([bias], run.pieces[0]).rows) == 2


def test_somebody_s_claim_about_one_data_set_is_not_held_against_several():
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    lesson = sf.Curriculum((sf.whitened([[2]]), 1), (sf.whitened([[1]]), 2))
    given = flow, lesson, [[[1]], [[1]]], [1, 3]
    run, ball = sf.simulate(*given), sf.enclose(*given, digits=12)
    for claim in (sf.claim(flow, rate=4), sf.claim(flow, limit=[[2]])):
        rows = sf.validate([claim], run, ball).rows
        said = [row.status for row in rows if row.claim.startswith("claim")]
        assert said
        assert all("the run changes its data" in status for status in said)
        with pytest.raises(sf.InvalidArgument, match="the run changes its data"):
            sf.certify(claim, ball)


VERBS = sf.simulate, partial(sf.precise, digits=20), partial(sf.enclose, digits=12)


@pytest.mark.parametrize("verb", VERBS)
def test_a_run_along_a_curriculum_tells_how_much_of_the_whole_is_done(verb):
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    lesson = sf.Curriculum((sf.whitened([[2]]), 1), (sf.whitened([[1]]), 3))
    seen = []
    verb(flow, lesson, [[[0.5]], [[0.5]]], [2, 4], progress=seen.append)
    assert seen == sorted(seen)
    assert 0 <= seen[0] < 0.25
    assert seen[-1] == 1
    assert 0.25 in seen  # the first of the data
    assert seen.count(1) == 1
