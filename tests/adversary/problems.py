"""Seeded generators of degenerate dense problems, exact and float."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction as F
from itertools import pairwise
from random import Random
from typing import Any

import numpy as np

from adversary.problem import Number, Problem, matrix

#: Rational points of the circle.
TURNS = ((F(3, 5), F(4, 5)), (F(5, 13), F(12, 13)), (F(0), F(1)), (F(1), F(0)))
#: Strengths of modes: equal ones, zeros, tiny beside huge.
STRENGTHS = (0, 1, 1, F(1, 2), F(1, 3), F(-1, 2), F(1, 10**5), F(1, 10**13))
TARGETS = tuple(map(F, (0, 2, 2, 3, 1, -1, F(1, 2), 2 + F(1, 10**13))))
#: What one coordinate may be beside the others.
UNITS = (F(1, 10**6), F(1, 10**3), F(1), F(1), F(1), F(10**3))


def number(rng: Random, exact: bool) -> Number:
    """Return a small fraction, often 0, or a float, often close to a fraction."""
    plain = rng.choice((F(0), F(1), F(-1), F(1, 2), F(2), F(-1, 3), F(3, 10)))
    if exact:
        return plain
    return rng.choice((0.0, float(plain), float(plain), rng.gauss(0, 1), 0.1 + 0.2))


def full(rng: Random, rows: int, columns: int, exact: bool) -> Any:
    """Return a matrix of such numbers."""
    entries = [[number(rng, exact) for _ in range(columns)] for _ in range(rows)]
    return matrix(entries)


def rotation(rng: Random, size: int, columns: int) -> Any:
    """Return orthonormal columns of fractions."""
    frame = np.array([[F(int(i == j)) for j in range(size)] for i in range(size)])
    for i in range(size):
        for j in range(i):
            c, s = rng.choice(TURNS)
            turn = np.array(
                [[F(int(a == b)) for b in range(size)] for a in range(size)]
            )
            turn[i, i], turn[j, j], turn[i, j], turn[j, i] = c, c, -s, s
            frame = frame @ turn
    return frame[:, :columns]


def spectral(rng: Random) -> Problem:
    """Modes that fall apart exactly: zero, equal, of opposite sign, tiny."""
    depth = rng.choice((2, 2, 2, 3))
    widths = [rng.randint(1, 3) for _ in range(depth + 1)]
    if rng.random() < 0.5:
        widths = [rng.choice((2, 2, 3))] * (depth + 1)
    k = min(widths)
    frames = [rotation(rng, width, k) for width in widths]
    kind = rng.choice(("balanced", "balanced", "free", "free", "lambda", "still"))
    modes = [_mode(rng, depth, kind) for _ in range(k)]
    found = from_modes(tuple(modes), frames, f"{kind} modes")
    if rng.random() < 0.7:
        return found
    # The same start, and a target that it is not aligned with.
    U, V = (rotation(rng, width, k) for width in (widths[-1], widths[0]))
    target = matrix(U @ diagonal_of([s for _, s in modes]) @ V.T)
    return replace(found, Y=target, modes=(), note=f"{kind} start")


def from_modes(modes: Any, frames: Any = None, note: str = "") -> Problem:
    """Return the problem whose layers are these modes between orthonormal frames."""
    depth = len(modes[0][0])
    frames = frames or [diagonal_of([F(1)] * len(modes))] * (depth + 1)
    weights = [
        frames[layer + 1] @ diagonal_of([m[0][layer] for m in modes]) @ frames[layer].T
        for layer in range(depth)
    ]
    target = frames[-1] @ diagonal_of([s for _, s in modes]) @ frames[0].T
    return Problem(
        "dense",
        tuple(map(matrix, weights)),
        identity(len(frames[0])),
        matrix(target),
        moments=True,
        note=note,
        modes=(frames[-1], frames[0], modes),
    )


def _mode(rng: Random, depth: int, kind: str) -> tuple[tuple[F, ...], F]:
    """Return the start of a mode in every layer, and its target."""
    if kind == "still":
        size = rng.choice((F(1), F(2), F(10**4), F(10**7)))
        rest = (F(1),) * (depth - 2)
        moving = (size, 1 / size, *rest), F(1)
        none = (F(0),) * depth, rng.choice(TARGETS)
        return rng.choice((moving, none, ((size, F(0), *rest), F(0))))
    return _starts(rng, depth, kind), rng.choice(TARGETS)


def _starts(rng: Random, depth: int, kind: str) -> tuple[F, ...]:
    if kind == "balanced":
        strength = F(rng.choice(STRENGTHS))
        signs = [rng.choice((1, 1, 1, -1)) for _ in range(depth)]
        return tuple(sign * strength for sign in signs)
    if kind == "lambda" and depth == 2:
        # b² − a² = 1, at the edge of what is possible for a = 0.
        return rng.choice(((F(0), F(1)), (F(3, 4), F(5, 4)), (F(-4, 3), F(5, 3))))
    return tuple(F(rng.choice(STRENGTHS)) for _ in range(depth))


def nearly_balanced(rng: Random) -> Problem:
    """A balanced start with one entry moved by 10^−k."""
    found = spectral(rng)
    weights = [list(map(list, weight)) for weight in found.weights]
    k = rng.randint(2, 24)
    layer = rng.randrange(len(weights))
    row = rng.randrange(len(weights[layer]))
    weights[layer][row][rng.randrange(len(weights[layer][row]))] += F(1, 10**k)
    changed = tuple(map(matrix, weights))
    return replace(found, weights=changed, modes=(), note=f"one entry off by 1e-{k}")


def one_neuron(rng: Random) -> Problem:
    """A hidden layer of one neuron: aligned, orthogonal, on the stable manifold."""
    exact = rng.random() < 0.6
    d, m = rng.randint(1, 3), rng.randint(1, 2)
    first, second = full(rng, 1, d, exact), full(rng, m, 1, exact)
    if rng.random() < 0.4 and d == m:
        # The opposite start, on the stable manifold of 0 or a rounding beside it.
        nudge = 1 if exact else rng.choice((1.0, 1 + 2.0**-52))
        second = matrix([[-x * nudge] for x in first[0]])
    target = full(rng, m, d, exact)
    return Problem(
        "dense", (first, second), identity(d), target, moments=True, note="one neuron"
    )


def dense(rng: Random) -> Problem:
    """Any start, on data with zeros, duplicates, few samples, other units."""
    exact = rng.random() < 0.6
    depth = rng.choice((1, 2, 2, 2, 3))
    widths = [rng.randint(1, 3) for _ in range(depth + 1)]
    weights = tuple(
        full(rng, after, before, exact) for before, after in pairwise(widths)
    )
    X, Y = samples(rng, widths[0], widths[-1], exact)
    if depth == 2 and widths[1:] == [1, 1] and exact and rng.random() < 0.6:
        # ‖u‖ = |a|: between the neurons that keep their sign and those that do not.
        unit = {1: [F(1)], 2: [F(3, 5), F(4, 5)], 3: [F(2, 3), F(-1, 3), F(2, 3)]}
        size = rng.choice((F(1), F(1, 2), F(1, 10**3)))
        first = matrix([[size * x for x in unit[widths[0]]]])
        weights = first, ((rng.choice((size, -size)),),)
    return Problem("dense", weights, X, Y, note="dense")


def samples(rng: Random, d: int, m: int, exact: bool) -> tuple[Any, Any]:
    """Return inputs and targets, degenerate in one way or another."""
    n = rng.randint(1, 4)
    X = [list(row) for row in full(rng, n, d, exact)]
    Y = [list(row) for row in full(rng, n, m, exact)]
    change = rng.choice(("none", "zero column", "duplicate", "units", "zero targets"))
    if change == "zero column":
        j = rng.randrange(d)
        X = [[x * 0 if i == j else x for i, x in enumerate(row)] for row in X]
    elif change == "duplicate":
        X, Y = [*X, X[0]], [*Y, Y[0]]
    elif change == "units":
        scales = [rng.choice(UNITS) for _ in range(d)]
        scales = scales if exact else [float(s) for s in scales]
        X = [[x * s for x, s in zip(row, scales, strict=True)] for row in X]
    elif change == "zero targets":
        Y = [[y * 0 for y in row] for row in Y]
    return matrix(X), matrix(Y)


def identity(size: int) -> Any:
    """Return Σ_xx of white input."""
    return matrix([[F(int(i == j)) for j in range(size)] for i in range(size)])


def diagonal_of(entries: Any) -> Any:
    """Return the diagonal matrix, in fractions."""
    size = len(entries)
    rows = [[entries[i] if i == j else F(0) for j in range(size)] for i in range(size)]
    return np.array(rows, dtype=object)
