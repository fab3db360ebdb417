"""Public verbs called with arguments of wrong kinds: each is refused in words.

One argument of a call that works is replaced by something from a table of bad values.
What comes back may be a result or a `SymflowError`; any other exception is a fault.
`python tests/adversary/fuzz.py --calls 20000` counts the faults by the place that
raised them.
"""

from __future__ import annotations

import argparse
import datetime
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from random import Random
from typing import Any

import matplotlib as mpl
import numpy as np
import sympy

import symflow as sf

mpl.use("Agg")

FLOW = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.SquaredLoss())
DATA, INIT = sf.whitened([[1.0, 0.5]]), sf.balanced_init(0.5, rng=0)
SOLUTION = sf.solve(FLOW, DATA, sf.spectral_init(0.5))
RUN = sf.simulate(FLOW, DATA, INIT, [0, 1])
(LAW,) = sf.conserved(FLOW)
BALL = sf.enclose(FLOW, DATA, INIT, [1], digits=15)
DESCENT = sf.gradient_descent(FLOW.network, FLOW.loss)
STACKED = tuple(np.stack([W, W]) for W in INIT.draw(FLOW.network))
W, X = sympy.MatrixSymbol("W", 1, 2), sympy.Symbol("x")
CLOCK = np.datetime64("2020-01-01")

#: Values of wrong kinds; none is meant where a number, an array or a flow belongs.
BAD: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 2**63, -(2**63), 10**400, 1.5, -0.0, 1e300, 5e-324),
    *(float("nan"), float("inf"), 1j, "", "text", "1/0", "__import__('os')", b"12"),
    *([], (), {}, set(), {1, 2}, [None], [[]], ["a"], [True], [1, [2, 3]], [[1j]]),
    *({"a": 1}, object(), object, len, range(3), lambda: 1, Ellipsis, NotImplemented),
    *(CLOCK, np.array([CLOCK]), np.timedelta64(1, "s"), datetime.date(2020, 1, 1)),
    *(np.array(1.0), np.array([]), np.array([[]]), np.zeros((2, 2, 2)), np.array("a")),
    *(np.array([object()]), np.array([[None]]), np.array([1 + 1j]), np.array([b"a"])),
    *(np.ma.masked_array([1.0, 2.0], [0, 1]), np.ma.masked, np.array([[np.nan]])),
    *(np.array([(1, 2)], dtype=[("a", int), ("b", int)]), np.bool_(True)),
    *(Fraction(1, 3), Decimal("NaN"), Decimal("1e9999"), sympy.nan, sympy.oo, sympy.I),
    *(sympy.Symbol("x"), sympy.Symbol("a b"), sympy.Matrix([[sympy.Symbol("q")]])),
    *(sympy.Matrix(0, 0, []), sympy.MatrixSymbol("A", 2, 2), sympy.true, FLOW, DATA),
    *(RUN, INIT, sf.SquaredLoss(), sf, Exception("x"), memoryview(b"ab"), slice(1, 2)),
)


@dataclass(frozen=True)
class Verb:
    """A call that works, and the names of its arguments."""

    name: str
    function: Callable[..., Any]
    given: tuple[Any, ...]
    options: tuple[tuple[str, Any], ...] = ()


VERBS = (
    Verb("LinearNetwork", sf.LinearNetwork, (2, 2, 1)),
    Verb("DiagonalNetwork", sf.DiagonalNetwork, (2, 2), (("signed", False),)),
    Verb("ConvolutionalNetwork", sf.ConvolutionalNetwork, (4, [2, 2])),
    Verb("SquaredLoss", sf.SquaredLoss, (), (("l2", 0), ("reduction", "sum"))),
    Verb("gradient_flow", sf.gradient_flow, (FLOW.network, FLOW.loss)),
    Verb("heavy_ball", sf.heavy_ball, (FLOW.network, FLOW.loss, 1)),
    Verb("Dataset", sf.Dataset, ([[1.0], [2.0]], [1.0, 2.0])),
    Verb("Moments", sf.Moments, ([[1.0]], [[0.5]]), (("sigma_yy", None), ("n", 3))),
    Verb("whitened", sf.whitened, ([[1.0]],)),
    Verb("load_dataset", sf.load_dataset, ("diabetes",)),
    Verb("gaussian_init", sf.gaussian_init, (1.0,), (("rng", 0),)),
    Verb("spectral_init", sf.spectral_init, (1.0,)),
    Verb("balanced_init", sf.balanced_init, (1.0,), (("rng", 0),)),
    Verb("lambda_balanced_init", sf.lambda_balanced_init, (1.0,), (("rng", 0),)),
    Verb("precise", sf.precise, (FLOW, DATA, INIT, [0, 1]), (("digits", 20),)),
    Verb("enclose", sf.enclose, (FLOW, DATA, INIT, [1]), (("digits", 15),)),
    Verb("certify", sf.certify, (LAW, FLOW, DATA, INIT, [1]), (("digits", 15),)),
    Verb("ensemble", sf.ensemble, (FLOW, DATA, STACKED, [0, 1])),
    Verb("descend", sf.descend, (DESCENT, DATA, INIT, 5), (("step_size", 0.1),)),
    Verb("c_source", sf.c_source, (FLOW, (2, 2, 1))),
    Verb("write_module", sf.write_module, (FLOW, "/dev/null/x.py")),
    Verb("lambdify", sf.lambdify, (X + 1, [X])),
    Verb("gradient", sf.gradient, (sympy.Trace(W.T * W), W)),
    Verb("CustomLoss", sf.CustomLoss, (sympy.Trace(W.T * W),), (("l2", 0),)),
    Verb("from_csv", sf.Dataset.from_csv, ("/dev/null", "y")),
    Verb("at", RUN.at, (0.5,)),
    Verb("residuals", LAW.residuals, (RUN,)),
    Verb("contains", BALL.contains, (np.eye(1, 2),), (("index", -1),)),
    Verb("excludes", BALL.excludes, (np.eye(1, 2),), (("index", -1),)),
    Verb("regime", sf.regime, (FLOW, DATA, INIT)),
    Verb("companions", sf.companions, (FLOW, DATA, INIT)),
    Verb("precise of a solution", SOLUTION.precise, (1,), (("digits", 20),)),
    Verb("LossBelow", sf.LossBelow, (0.1,), (("terminal", True),)),
    Verb("Radau", sf.Radau, (), (("rtol", 1e-9),)),
    Verb("simulate", sf.simulate, (FLOW, DATA, INIT, [0, 1])),
    Verb("conserved", sf.conserved, (FLOW,)),
    Verb("count_conserved", sf.count_conserved, (FLOW.network,)),
    Verb("solve", sf.solve, (FLOW, DATA, sf.spectral_init(0.5))),
    Verb("implicit_bias", sf.implicit_bias, (FLOW, DATA, INIT)),
    Verb("rates", sf.rates, (FLOW, DATA, INIT)),
    Verb("validate", sf.validate, (sf.conserved(FLOW), RUN)),
    Verb("compile", sf.compile, (FLOW,)),
    Verb("cite", sf.cite, (SOLUTION,)),
    Verb("save", sf.save, (FLOW, "/dev/null/x.json")),
    Verb("load", sf.load, ("/dev/null/x.json",), (("limit", 100),)),
    Verb("scheduled", SOLUTION.scheduled, (1,)),
    Verb("end_to_end", SOLUTION.end_to_end, ([0, 1],)),
    Verb("plot.loss", sf.plot.loss, (RUN,), (("ax", None),)),
    Verb("plot.modes", sf.plot.modes, (RUN,), (("ax", None),)),
    Verb("Taylor", sf.Taylor, (), (("rtol", 1e-9), ("order", 20))),
    Verb("DOP853", sf.DOP853, (), (("rtol", 1e-9), ("atol", 1e-9))),
    Verb(
        "kernel", sf.compile(FLOW), (*RUN.problem.weights, np.eye(2), np.ones((1, 2)))
    ),
)


def spoiled(verb: Verb, random: Random) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments of a verb with one of them replaced."""
    given, options = [*verb.given], dict(verb.options)
    place, bad = random.randrange(len(given) + len(options)), random.choice(BAD)
    if place < len(given):
        given[place] = bad
    else:
        options[[*options][place - len(given)]] = bad
    return tuple(given), options


def fault(verb: Verb, random: Random) -> str | None:
    """Call a verb with a bad argument; return where it failed in an untyped way."""
    given, options = spoiled(verb, random)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            verb.function(*given, **options)
    except sf.SymflowError:
        return None
    except Exception as problem:  # noqa: BLE001 - a crash is what is looked for
        frames = list(traceback.extract_tb(problem.__traceback__))
        own = [f for f in frames if "/symflow/" in f.filename] or frames
        where = f"{own[-1].filename.rpartition('/symflow/')[2]}:{own[-1].lineno}"
        return f"{verb.name}: {type(problem).__name__} at {where}: {problem}"[:200]
    return None


def hunt(calls: int, seed: int) -> Counter[str]:
    """Return the faults of that many calls, over all verbs in turn."""
    random, found = Random(seed), Counter[str]()
    for number in range(calls):
        line = fault(VERBS[number % len(VERBS)], random)
        found.update([line] if line else [])
    return found


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--calls", type=int, default=2000)
    options.add_argument("--seed", type=int, default=0)
    asked = options.parse_args()
    faults = hunt(asked.calls, asked.seed)
    for text, times in faults.most_common():
        print(f"{times:5} {text}")
    print(f"{asked.calls} calls, {sum(faults.values())} untyped errors")
    sys.exit(bool(faults))
