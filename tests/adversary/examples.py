"""Problems that were once answered wrongly, smallest first, by verb."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction as F
from random import Random
from typing import Any

from adversary.problem import Problem, column, matrix
from adversary.problems import from_modes, rotation


def _white(first: Any, second: Any, target: Any, *times: Any) -> Problem:
    size = len(target[0])
    gram = [[F(int(i == j)) for j in range(size)] for i in range(size)]
    weights = matrix(first), matrix(second)
    given = matrix(gram), matrix(target)
    return Problem("dense", weights, *given, tuple(times), moments=True)


def _sampled(first: Any, second: Any, X: Any, Y: Any, *times: Any) -> Problem:
    weights = matrix(first), matrix(second)
    return Problem("dense", weights, matrix(X), matrix(Y), tuple(times))


def _columns(family: str, weights: Any, X: Any, Y: Any, *times: Any) -> Problem:
    given = tuple(map(column, weights)), matrix(X), matrix(Y)
    return Problem(family, *given, tuple(times), moments=True)


ROTATED = ((0, F(3, 5)), (0, F(-4, 5))), ((F(4, 15), F(1, 5)), (F(3, 5), F(-4, 5)))
TINY = from_modes((((F(1), F(1)), F(3)), ((F(1, 10**5), F(0)), F(2))))
TINY_SAMPLES = [[1, F(1, 10**6)], [1, F(-1, 10**6)]], [[F(2)], [F(0)]]
THREE = [[0.1], [0.3], [0.7]]
ONES, INTEGERS = [[F(1), F(0)], [F(0), F(1)]], [[10**6, 0], [0, 1]]
UNITS = [[F(10**6), F(0)], [F(0), F(1)]]

#: Rotated, so that floats are beside it.
SADDLE = from_modes(
    (
        ((F(10**4), F(1, 10**4)), F(1)),
        ((F(10**4), F(0)), F(0)),
        ((F(0), F(0)), F(3)),
    ),
    [rotation(Random(seed), 3, 3) for seed in (1, 2, 3)],
)

EXAMPLES: dict[str, tuple[str, Problem]] = {
    "a mode that is zero, rotated": (
        "solve",
        _white(*ROTATED, [[F(2), 0], [0, 0]], F(0), F(1)),
    ),
    "a mode of 1e-5 that grows": ("solve", replace(TINY, times=(F(1), F(15)))),
    "the verdict on it": ("validate", replace(TINY, times=(F(15),))),
    "a closed form that starts at zero": (
        "validate",
        _white([[F(0)]], [[F(0)], [F(1)]], [[F(1)], [F(2)]], F(0)),
    ),
    "weights of 1e7 whose product is of size one": (
        "validate",
        _white(
            [[F(10, 13), F(120000000, 13)], [F(-24, 13), F(50000000, 13)]],
            [[F(25, 338), F(-30, 169)], [F(-30, 169), F(72, 169)]],
            [[F(5, 13), F(0)], [F(-12, 13), F(0)]],
            F(1, 20 * 10**12),
            F(1, 10**13),
            F(1, 5 * 10**12),
        ),
    ),
    "a second mode of 1e-20": (
        "solve",
        _white(
            [[F(1), 0]], [[F(1)], [F(1, 10**20)]], [[F(3), 0], [0, F(2)]], F(15), F(60)
        ),
    ),
    "a dead input of a signed network": (
        "solve",
        _columns("signed", [[F(1)]] * 3 + [[F(2)]] * 3, [[F(0)]], [[F(0)]], F(1)),
    ),
    "balanced up to a rounding": (
        "companions",
        _white([[0.1 + 0.2]], [[-0.3]], [[F(2)]], F(1), F(40)),
    ),
    "the verdict on what rests on it": (
        "validate",
        _white([[0.1 + 0.2]], [[-0.3]], [[F(2)]], F(1), F(60)),
    ),
    "a second input of 1e-6": (
        "rates",
        _sampled([[F(1), F(1)]], [[F(1)]], *TINY_SAMPLES, F(1), F(3)),
    ),
    "a late path": ("validate", _white([[F(1)]], [[F(1)]], [[F(2)]], 5, 10, 20)),
    "float samples, enclosed": (
        "enclose",
        _sampled([[0.25]], [[0.25]], THREE, [[0.2], [0.5], [0.4]], 1),
    ),
    "float samples, to 20 digits": (
        "precise",
        _sampled([[0.25]], [[0.25]], THREE, THREE, 5, 20, 60),
    ),
    "realizable data, late": (
        "simulate",
        _sampled([[0.25]], [[0.25]], THREE, THREE, 20, 60, 100, 150),
    ),
    "a small input beside a large one": (
        "implicit_bias",
        _sampled(ONES, [[F(1), F(1)]], UNITS, [[F(1)], [F(1)]], F(1, 10**12)),
    ),
    "a small input that is not frozen": (
        "companions",
        _sampled(ONES, [[F(1), F(1)]], UNITS, [[F(1)], [F(1)]], F(1, 10**12)),
    ),
    "the same in integers": (
        "implicit_bias",
        _sampled(ONES, [[F(1), F(1)]], INTEGERS, [[1], [1]], F(1, 10**12)),
    ),
    "a rate for each layer": (
        "conserved",
        replace(_white([[F(1)]], [[F(1)]], [[F(2)]], F(1)), rates=(F(1), F(3))),
    ),
    "off λ-balance by 1e-20, in floats": (
        "solve",
        _white(
            [[0.0, -0.75], [0.75, 0.0]],
            [[1.25, 0.0], [1e-20, 1.25]],
            [[0.0, 1.6], [-1.6, 1.2]],
            F(1),
        ),
    ),
    "a product of zero": (
        "validate",
        _white([[1.0, 0.0]], [[0.0]], [[1.0, 1.0]], F(0)),
    ),
    "a small product of large weights": (
        "validate",
        _white([[F(-1000, 3)]], [[F(0)]], [[F(1)]], F(1, 10**5)),
    ),
    "learning rates of 1e-8": (
        "validate",
        replace(
            _white([[F(0)]], [[F(1)]], [[F(2)]], F(0), F(1), F(3)),
            rates=(F(1, 10**8), F(1, 10**8)),
        ),
    ),
    "a saddle of size 1e4": ("rates", replace(SADDLE, times=(F(1, 10**8),))),
    "a kernel that is almost singular": (
        "companions",
        _white([[1, 0], [0, F(1, 10**5)]], [[F(0), 0]], [[F(0), 0]], F(0)),
    ),
    "a start that floats round": (
        "companions",
        _white([[F(4463432, 3)]], [[F(0)]], [[F(0)]], F(1)),
    ),
    "the hidden direction of a tiny mode": (
        "solve",
        replace(
            from_modes(
                (
                    ((F(1, 10**13),) * 3, F(0)),
                    ((F(1),) * 3, F(1)),
                    ((F(1, 10**5),) * 3, F(0)),
                ),
                [rotation(Random(seed), 3, 3) for seed in (1, 2, 3, 4)],
            ),
            times=(F(1),),
        ),
    ),
    "a tiny mode, opposite to its target": (
        "solve",
        replace(
            from_modes((((F(1, 10**13),) * 2, F(2)), ((F(1, 2), F(-1, 2)), F(-1)))),
            times=(F(0), F(1)),
        ),
    ),
    "nothing to learn": ("companions", _white([[F(0)]], [[F(0)]], [[F(0)]], F(1))),
    "zero samples": (
        "companions",
        _sampled([[F(0)]], [[F(0)]], [[F(0)]], [[F(0)]], F(1)),
    ),
    "a printed rate": ("rates", _white([[F(0)]], [[F(1)]], [[F(0)]], F(1))),
    "balanced up to a rounding, with more inputs than outputs": (
        "rates",
        _white(
            [[5e-14 / 1.3, -1.2e-13 / 1.3]],
            [[1e-13]],
            [[2.5 / 13, -6 / 13]],
            F(0),
            F(1),
        ),
    ),
    "arguments as results": (
        "compile",
        _white([[F(1)]], [[F(2)]], [[F(3)]], F(1)),
    ),
    "a floor that is met, by eigenvalues of float64": (
        "companions",
        _sampled(
            [[0.0, -1.0, 0.3], [0.0, 0.0, 0.0]],
            [[0.0, 0.5]],
            [[-0.3, 0.3, 0.0], [0.3, 1.0, 0.3], [-0.3, -1.8369348041653688, 0.0]],
            [[0.0], [-0.5894270305718466], [0.0]],
            F(0),
        ),
    ),
    "off balance by 1e-20": (
        "regime",
        _white([[F(-1)]], [[1 + F(1, 10**20)]], [[F(2)]], F(1)),
    ),
    "a tie of two sides, of which one is reached": (
        "saddle_to_saddle",
        _columns(
            "diagonal",
            [[F(1), F(1)], [F(1), F(1)]],
            [[F(1), F(0)], [F(0), F(1)]],
            [[F(-1), F(1)]],
            F(1),
        ),
    ),
    "a jump in other units": (
        "saddle_to_saddle",
        _columns("diagonal", [[1.0], [1.0]], [[1e10]], [[1.0]], F(1)),
    ),
    "two inputs that differ by one part in a million": (
        "saddle_to_saddle",
        replace(
            _columns(
                "diagonal",
                [[1.0, 1.0], [1.0, 1.0]],
                [[1.0, 1.0], [0.0, 1e-6]],
                [[0.0], [1.0]],
                F(1),
            ),
            moments=False,
        ),
    ),
    "a tiny mode beside one that grows as fast": (
        "solve",
        _white(
            [[0.0, 0.3076923076923077], [0.0, 0.1282051282051282]],
            [
                [0.24615384615384617, 0.10256410256410256],
                [0.18461538461538463, 0.07692307692307693],
            ],
            [[1.2, 1.6], [-1.6, 1.2]],
            F(5),
        ),
    ),
    "fast modes that die inside a step": (
        "validate",
        _white(
            [[F(320416, 65), F(-215988, 65)], [F(-427188, 65), F(288009, 65)]],
            [[F(157497, 203125), F(118129, 203125)]],
            [[F(12, 125), F(9, 25)]],
            F(1, 20000000),
            F(1, 10000000),
            F(1, 5000000),
        ),
    ),
    "slopes of 1e219": (
        "compile",
        replace(
            _columns("signed", [[F(0)]] * 2 + [[F(1)]] * 2, [[F(500)]], [[F(1)]], F(1)),
            loss="exponential",
            moments=False,
        ),
    ),
    "no samples have these moments": (
        "data",
        _columns("diagonal", [[F(1)], [F(1)]], [[F(0)]], [[F(1)]], F(1)),
    ),
}
