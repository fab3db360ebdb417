"""Closed forms along a curriculum, against SciPy and mpmath started anew."""

from __future__ import annotations

from fractions import Fraction as F

import mpmath
import numpy as np
import pytest
import sympy
from oracles.switched import switched
from scipy.integrate import solve_ivp

import symflow as sf
from symflow import plot

ENDS = (F(1, 2), 1, F(1, 3))
TIMES = [0, F(1, 2), F(3, 4), F(17, 10)]
A, B, C = ([[3, 0], [0, 1]], [[1, 1], [0, 2]], [[-1, 0], [0, 2]])
U, V = (sympy.MatrixSymbol(name, 2, 2) for name in "UV")
TURNED = [[F(3, 5), F(4, 5)], [0, 0]], [[1, 0], [0, 0]], [[F(3, 5), 0], [F(4, 5), 0]]
SLANTED = [[1, F(1, 2)], [0, 1]], [[1, 0], [F(1, 2), 1]]

#: The network, three targets, the start, and digits that the closed forms have.
CASES = {
    "zero": (sf.LinearNetwork(2, 2, 2), (A, B, A), [np.zeros((2, 2), int)] * 2, 30),
    "modes, turned": (sf.LinearNetwork(2, 2, 2), (A, B, A), sf.spectral_init(0.1), 30),
    "modes that die": (sf.LinearNetwork(2, 2, 2), (A, C, A), sf.spectral_init(0.1), 30),
    "deep": (sf.LinearNetwork(2, 2, 2, 2), (A, C, A), sf.spectral_init(0.1), 30),
    "rank one": (sf.LinearNetwork(2, 2, 2, 2), (A, B, C), TURNED, 10),
    "one layer": (sf.LinearNetwork(2, 2), (A, B, C), [[[F(1, 3), 2], [1, 0]]], 30),
    "tied": (sf.SymmetricFactorization(2, 3), (A, B, A), [[[1, 0, 2], [0, 1, 1]]], 30),
    "floats": (
        sf.LinearNetwork(2, 2, 2),
        (A, B, A),
        [np.array([[0.1, 0.2], [0.3, 0.5]]), np.array([[0.1, 0.3], [0.2, 0.5]])],
        30,
    ),
    "five hidden": (
        sf.LinearNetwork(2, 5, 2),
        (A, B, C),
        sf.balanced_init(0.5, rng=1),
        30,
    ),
    "unbalanced": (
        sf.LinearNetwork(2, 2, 2),
        (A, C, A),
        [[[1, 0], [0, F(1, 2)]], [[F(5, 4), 0], [0, F(1, 4)]]],
        30,
    ),
    "other order": (sf.Model(V * U, (V, U)), (A, B, A), SLANTED, 30),
    "diagonal": (
        sf.DiagonalNetwork(2),
        ([[3, 1]], [[-1, 2]], [[3, 1]]),
        [[[1], [F(1, 2)]], [[1], [2]]],
        6,
    ),
}


def lesson_of(targets):
    return sf.Curriculum(*zip(map(sf.whitened, targets), ENDS, strict=True))


def by_scipy(targets, start):
    """Return the weights at the switches, from equations entry by entry."""
    shapes = [w.shape for w in start]
    cuts = np.cumsum([w.size for w in start])[:-1]
    y, found = np.concatenate([np.ravel(w).astype(float) for w in start]), []
    for target, lasting in zip(targets, ENDS, strict=True):
        goal = np.array(target, dtype=float)

        def rhs(t, y, goal=goal):
            first, second = (
                part.reshape(shape)
                for part, shape in zip(np.split(y, cuts), shapes, strict=True)
            )
            pull = goal - second @ first
            return np.concatenate([(second.T @ pull).ravel(), (pull @ first.T).ravel()])

        run = solve_ivp(rhs, (0, float(lasting)), y, "DOP853", rtol=3e-13, atol=1e-14)
        y = run.y[:, -1]
        found.append(
            [p.reshape(s) for p, s in zip(np.split(y, cuts), shapes, strict=True)]
        )
    return found


@pytest.mark.parametrize("case", CASES)
def test_every_closed_form_goes_on_where_the_one_before_ended(case):
    network, targets, start, digits = CASES[case]
    flow, lesson = sf.gradient_flow(network, sf.SquaredLoss()), lesson_of(targets)
    solution = sf.solve(flow, lesson, start)
    run = sf.simulate(flow, lesson, start, TIMES)
    for ours, theirs in zip(solution.weights(TIMES), run.weights, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=2e-9)
    better = sf.precise(flow, lesson, start, TIMES, digits=digits + 5)
    for time, matrix in zip(TIMES, better.end_to_end, strict=True):
        size = abs(matrix).max() or 1
        gap = abs(solution.precise(time, digits=digits) - matrix).max()
        assert gap <= 2 * size * mpmath.mpf(10) ** -digits
    assert sf.validate([solution], run).ok
    with pytest.raises(sf.SymflowError, match=f"digits={digits + 20}|at most 250"):
        solution.precise(TIMES[-1], digits=251 if digits == 30 else digits + 20)


def test_weights_are_those_of_scipy_with_the_hidden_units_where_they_were():
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    targets = (A, B, C)
    solution = sf.solve(flow, lesson_of(targets), SLANTED)
    ends = np.cumsum([float(end) for end in ENDS])
    weights = solution.weights(ends)
    given = [np.array(w, dtype=float) for w in SLANTED]
    for row, expected in enumerate(by_scipy(targets, given)):
        for ours, theirs in zip(weights, expected, strict=True):
            np.testing.assert_allclose(ours[row], theirs, atol=1e-10)


def test_forty_digits_across_switches():
    """Widths 1–1–1: ẇ₁ = w₂(s − w₂w₁), with s = 2, then −1."""
    mp, state = switched(44)
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    lesson = sf.Curriculum((sf.whitened([[2]]), 1), (sf.whitened([[-1]]), 4))
    solution = sf.solve(flow, lesson, [[[F(1, 3)]], [[F(2, 3)]]])
    assert solution.verify() == 0
    (found,) = solution.precise(F(5, 2), digits=40).ravel()
    assert abs(mp.mpf(found) - state[0] * state[1]) < mp.mpf(10) ** -40


def test_what_a_start_misses_grows_until_nothing_is_known():
    """Out of a saddle that the first data reach: floats are worth little there."""
    flow = sf.gradient_flow(sf.DiagonalNetwork(1), sf.SquaredLoss())
    lesson = sf.Curriculum((sf.whitened([[0]]), 3), (sf.whitened([[2]]), 40))
    start = [[[F(1, 2)]], [[F(1, 2)]]]
    solution = sf.solve(flow, lesson, start)
    known = solution.error([2, 3, 4, 6])
    assert known[0] == 0
    assert np.all(np.diff(known[1:]) > 0)
    goal = sf.whitened([[2]])
    split = sf.Curriculum(lesson.pieces[0], (goal, 2), (goal, 38))
    assert sf.solve(flow, split, start).error(6) > known[-1]
    tilted = sf.solve(flow, lesson, [[[0.1 + 0.2]], [[0.3]]])
    better = sf.precise(flow, lesson, [[[0.1 + 0.2]], [[0.3]]], [3, 5], digits=30)
    gaps = abs(tilted.end_to_end([3, 5]) / better.end_to_end.astype(float) - 1).max()
    assert gaps < tilted.error([3, 5]).max() + 1e-13


def test_a_form_that_nearly_fits_is_not_taken_for_one_that_does():
    """The first data align W to 1e-14; both forms apply, and only one to the digits."""
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    lesson = sf.Curriculum((sf.whitened(A), 16), (sf.whitened([[-3, 0], [0, 1]]), 14))
    solution = sf.solve(flow, lesson, SLANTED)
    times = [16, 20, 30]
    better = sf.precise(flow, lesson, SLANTED, times, digits=40)
    for time, matrix in zip(times, better.end_to_end, strict=True):
        np.testing.assert_allclose(
            solution.precise(time, digits=20).astype(float),
            matrix.astype(float),
            atol=1e-19,
        )
        np.testing.assert_allclose(
            solution.end_to_end(float(time)), matrix.astype(float), atol=1e-12
        )


def test_a_solution_is_held_against_its_own_curriculum_alone():
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    lesson = sf.Curriculum((sf.whitened(A), F(1, 2)), (sf.whitened(B), 1))
    solution = sf.solve(flow, lesson, SLANTED)
    runs = {
        "does not change its data": sf.whitened(A),
        "when the curriculum does": sf.Curriculum(
            (sf.whitened(A), 1), (sf.whitened(B), 1)
        ),
        "other data": sf.Curriculum((sf.whitened(A), F(1, 2)), (sf.whitened(C), 1)),
    }
    for words, data in runs.items():
        (row,) = sf.validate(
            [solution], sf.simulate(flow, data, SLANTED, [0, 1.2])
        ).rows
        assert words in row.status
    early = sf.simulate(flow, lesson, SLANTED, [0, 0.25])
    better = sf.precise(flow, lesson, SLANTED, [0.25, 1], digits=30)
    assert sf.validate([solution], early, better).ok
    found = sf.certify(solution, flow, lesson, SLANTED, [1, 1.5], digits=20)
    assert found.status.value == "enclosed"
    theory = plot.modes(
        sf.simulate(flow, lesson, SLANTED, np.linspace(0, 1.5, 9)), solution
    )
    assert len(theory.lines) == 4


def test_what_cannot_be_chained_is_refused():
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2, 2), sf.SquaredLoss())
    with pytest.raises(sf.NoClosedForm, match="piece 2: no catalogued solution"):
        sf.solve(flow, lesson_of((A, B, A)), sf.spectral_init(0.1))
    lesson = lesson_of((A, C, A))
    solution = sf.solve(flow, lesson, sf.spectral_init(0.1))
    for late in (
        solution.end_to_end,
        solution.weights,
        solution.precise,
        solution.error,
    ):
        with pytest.raises(sf.InvalidArgument, match="curriculum ends at 11/6; got 2"):
            late(2)
    with pytest.raises(sf.InvalidArgument, match="starts at t = 0"):
        solution.end_to_end(-1)
    (again,) = sf.solve(flow, lesson, sf.spectral_init(0.1), all=True)
    assert again.name == solution.name == "DeepMode → DeepMode → DeepMode"
