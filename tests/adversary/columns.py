"""Seeded generators of diagonal and circular networks, and of classification."""

from __future__ import annotations

from fractions import Fraction as F
from random import Random

from adversary.problem import Problem, column, matrix
from adversary.problems import TARGETS, diagonal_of, full, identity, number, samples


def coordinates(rng: Random) -> Problem:
    """Diagonal networks: dead inputs, zero and equal entries, tiny beside huge."""
    exact = rng.random() < 0.6
    d = rng.randint(1, 3)
    family = rng.choice(("diagonal", "signed", "hadamard"))
    depth = 2 if family == "hadamard" else rng.choice((2, 2, 3, 3, 4))
    count = 2 * depth if family == "signed" else depth
    one = F(1) if exact else 1.0
    if rng.random() < 0.4:
        entry = [[rng.choice((one, one / 2, one / 1000)) for _ in range(d)]] * count
    else:
        entry = [[number(rng, exact) for _ in range(d)] for _ in range(count)]
    weights = tuple(column(row) for row in entry)
    if rng.random() < 0.5:
        diagonal = [rng.choice((F(1), F(1), F(2), F(0), F(1, 10**4))) for _ in range(d)]
        X = matrix(diagonal_of(diagonal))
        # Where no input is, a weight may be as large as it likes.
        sizes = [one if s else one * rng.choice((1, 10**4, 10**9)) for s in diagonal]
        entry = [[x * s for x, s in zip(row, sizes, strict=True)] for row in entry]
        weights = tuple(column(row) for row in entry)
        row = [rng.choice(TARGETS) if s else F(0) for s in diagonal]
        row = [y * s for y, s in zip(row, diagonal, strict=True)]
        return Problem(family, weights, X, (tuple(row),), moments=True, note="diagonal")
    X, Y = samples(rng, d, 1, exact)
    return Problem(family, weights, X, Y, note="coordinates")


def circular(rng: Random) -> Problem:
    """Circular filters on white input, with dead frequencies."""
    exact = rng.random() < 0.6
    d = rng.choice((1, 2, 3, 4, 7))
    taps = [d if rng.random() < 0.7 else rng.randint(1, d) for _ in range(2)]
    one = F(1) if exact else 1.0
    even = rng.random() < 0.4
    weights = tuple(
        column([one if even else number(rng, exact) for _ in range(size)])
        for size in taps
    )
    target = full(rng, 1, d, exact)
    return Problem("circular", weights, identity(d), target, moments=True, note="taps")


def labelled(rng: Random) -> Problem:
    """Classification: separable, duplicated, not separable, of other units."""
    exact = rng.random() < 0.6
    family = rng.choice(("dense", "diagonal", "signed", "hadamard"))
    d = rng.randint(1, 3)
    X, _ = samples(rng, d, 1, exact)
    one = F(1) if exact else 1.0
    Y = matrix([[rng.choice((one, -one))] for _ in X])
    if family == "dense":
        h = rng.randint(1, 2)
        weights = (full(rng, h, d, exact), full(rng, 1, h, exact))
    else:
        count = {"diagonal": 2, "signed": 4, "hadamard": 2}[family]
        weights = tuple(full(rng, d, 1, exact) for _ in range(count))
    loss = rng.choice(("exponential", "logistic"))
    return Problem(family, weights, X, Y, loss=loss, note="labels")


def ties(rng: Random) -> Problem:
    """Coordinates that jump together, or come back: correlated, of equal pull."""
    d = rng.choice((2, 2, 3))
    n = rng.choice((1, d, d + 1, d + 1))
    X = [[F(rng.choice((0, 1, 1, -1, 2))) for _ in range(d)] for _ in range(n)]
    gram = [[sum((r[i] * r[j] for r in X), F(0)) for j in range(d)] for i in range(d)]
    beta = [F(rng.choice((0, 1, 1, -1))) for _ in range(d)]
    force = [sum((g * b for g, b in zip(row, beta, strict=True)), F(0)) for row in gram]
    if rng.random() < 0.5:
        # Σ_yx need not be in the range of Σ_xx, and is then to be refused.
        force = [F(rng.choice((1, 1, 2, -1))) for _ in range(d)]
    scale = rng.choice((F(1), F(1), F(10**10), F(1, 10**6)))
    gram = [[x * scale for x in row] for row in gram]
    force = [x * scale for x in force]
    weights = column([F(1, 10)] * d), column([F(1, 10)] * d)
    family = rng.choice(("hadamard", "diagonal"))
    return Problem(
        family, weights, matrix(gram), (tuple(force),), moments=True, note="ties"
    )
