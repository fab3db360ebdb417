"""What `fuzz.py` calls: bad values, every public verb with all of its arguments, and
command lines."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd
import sympy

import symflow as sf

FLOW = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.SquaredLoss())
DATA, INIT = sf.whitened([[1.0, 0.5]]), sf.balanced_init(0.5, rng=0)
PROBLEM = (FLOW, DATA, INIT)
SOLUTION = sf.solve(FLOW, DATA, sf.spectral_init(0.5))
RUN = sf.simulate(*PROBLEM, [0, 1])
LAWS = sf.conserved(FLOW)
BOUND = sf.rates(*PROBLEM)[0]
BALL = sf.enclose(*PROBLEM, [1], digits=15)
BALL_FLOW = sf.heavy_ball(FLOW.network, FLOW.loss, 1)
LESSON = sf.Curriculum((DATA, 1), (sf.whitened([[0.5, 1.0]]), 2))
CHAINED = sf.simulate(FLOW, LESSON, INIT, [0, 2])
SOLVED = sf.solve(FLOW, LESSON, INIT)
BOX = [[sf.interval(1, 2), 0], [0, 1]], [[sf.interval(1, 2), 0]]
MAP = sf.basin(FLOW, DATA, BOX, 1)
DESCENT = sf.gradient_descent(FLOW.network, FLOW.loss)
BALANCED = sf.gradient_flow(sf.DiagonalNetwork(2, 2), sf.SquaredLoss())
APART = ([[0.5], [0.5]], [[0.0], [0.0]])
PLANE = sf.simulate(BALANCED, DATA, APART, [0, 1])
STAIRS = sf.simulate(FLOW, DATA, sf.spectral_init(1e-6), [0, 1])
LIMIT = sf.implicit_bias(BALANCED, DATA, APART)
STACKED = tuple(np.stack([W, W]) for W in INIT.draw(FLOW.network))
SAMPLES = sf.Dataset(np.eye(3, 8), [1.0, 2.0, 1.0])
WIDE = sf.width_experiment(SAMPLES, [100, 400], runs=2, rng=1)
MEASURED = sf.Measurements([np.eye(1, 2)], [1.0])
W, X = sympy.MatrixSymbol("W", 1, 2), sympy.Symbol("x")
V, U = sympy.MatrixSymbol("V", 1, 2), sympy.MatrixSymbol("U", 2, 2)
TABLE = pd.DataFrame({"a": [1.0, 2.0], "y": [2.0, 3.0]})
CLOCK = np.datetime64("2020-01-01")


class AtOnce(Executor):
    """An executor that runs a task at once."""

    def submit(self, function, /, *arguments, **options):
        future: Future = Future()
        future.set_result(function(*arguments, **options))
        return future


SWEEP = sf.sweep(FLOW, DATA, INIT, [0, 1], runs=2, executor=AtOnce())

GRID = sf.sweep_grid(FLOW, DATA, {0.5: INIT}, 1, runs=2, executor=AtOnce())

FOUND = sf.analyze(*PROBLEM, budget=0)

#: Values of wrong kinds; none is meant where a number, an array or a flow belongs.
BAD: tuple[Any, ...] = (
    *(
        None,
        True,
        False,
        -1,
        0,
        2**63,
        -(2**63),
        10**400,
        10**5000,
        1.5,
        -0.0,
        1e300,
        5e-324,
    ),
    *(float("nan"), float("inf"), 1j, "", "text", "1/0", "__import__('os')", b"12"),
    *([], (), {}, set(), {1, 2}, [None], [[]], ["a"], [True], [1, [2, 3]], [[1j]]),
    *({"a": 1}, object(), int, range(3), lambda *given: 1, Ellipsis, NotImplemented),
    *(CLOCK, np.array([CLOCK]), np.timedelta64(1, "s"), datetime.date(2020, 1, 1)),
    *(np.array(1.0), np.array([]), np.array([[]]), np.zeros((2, 2, 2)), np.array("a")),
    *(np.array([object()]), np.array([[None]]), np.array([1 + 1j]), np.array([b"a"])),
    *(np.ma.masked_array([1.0, 2.0], [0, 1]), np.ma.masked, np.array([[np.nan]])),
    *(np.array([(1, 2)], dtype=[("a", int), ("b", int)]), np.bool_(True)),
    *(
        10**5000,
        sf.interval(0, 1),
        Fraction(10**400, 3),
        range(10**12),
        [[sf.interval(0, 1), 0]],
    ),
    *(Fraction(1, 3), Decimal("NaN"), Decimal("1e9999"), sympy.nan, sympy.oo, sympy.I),
    *(sympy.Symbol("x"), sympy.Symbol("a b"), sympy.Matrix([[sympy.Symbol("q")]])),
    *(sympy.Matrix(0, 0, []), sympy.MatrixSymbol("A", 2, 2), sympy.true, FLOW, DATA),
    *(RUN, INIT, sf.SquaredLoss(), sf, Exception("x"), memoryview(b"ab"), slice(1, 2)),
    *("\x00", "a\nb", "x" * 300, "/", "/dev/full", "\ud800", 1e6, 1e200, 10**6, 3),
    *([RUN], [INIT, 2], (FLOW,), iter([1, 2]), {1: None}, np.float32(2), sf.Taylor()),
    *(sf.Taylor, "Taylor", "loss", sf.LossBelow(0.1), SOLUTION, BOUND, [BOUND], LAWS),
)


@dataclass(frozen=True)
class Verb:
    """A call that works, and the names of its arguments."""

    name: str
    function: Callable[..., Any]
    given: tuple[Any, ...]
    options: tuple[tuple[str, Any], ...] = ()


def verb(name: str, *given: Any, **options: Any) -> Verb:
    """Return a call of a public name."""
    function: Any = sf
    for part in name.split("."):
        function = getattr(function, part)
    return Verb(name, function, given, tuple(options.items()))


def method(made: Any, name: str, *given: Any, **options: Any) -> Verb:
    """Return a call of a method of something."""
    shown = f"{type(made).__name__}().{name}"
    return Verb(shown, getattr(made, name), given, tuple(options.items()))


def some_of_the_atlas(only: Any, **options: Any) -> Any:
    """Call `atlas`, but not for all of it, which takes minutes."""
    broad = only is None or (isinstance(only, str) and len(only) < 2)
    return sf.atlas("linear-relaxation" if broad else only, **options)


NONE = dict.fromkeys
PROBLEMS = (
    verb("LinearNetwork", 2, 2, 1),
    verb("DiagonalNetwork", 2, 2, signed=False),
    verb("ConvolutionalNetwork", 4, [2, 2]),
    verb("ConvolutionalNetwork", (2, 2), [(2, 2), (1, 2)]),
    verb("TensorNetwork", np.ones((1, 2, 2))),
    verb("SymmetricFactorization", 2, 1),
    verb("HadamardDifference", 2),
    verb("Dense", 2, 2),
    verb("Diagonal", 2),
    verb("Circulant", 3, 2),
    verb("Readout", 3, 2),
    verb("Network", sf.Dense(2, 2), sf.Dense(2, 1), names=("A", "B")),
    verb("Model", V * U, [U, V], {}),
    verb("orthogonal_decomposition", np.ones((1, 2, 2))),
    verb("SquaredLoss", l2=0, reduction="sum"),
    verb("LogisticLoss", l2=0, reduction="sum"),
    verb("ExponentialLoss", l2=0, reduction="sum"),
    verb("MeasurementLoss", l2=0),
    verb("CustomLoss", sympy.Trace(W.T * W), l2=0),
    verb("gradient_flow", FLOW.network, FLOW.loss, learning_rates=[1, 2]),
    verb("gradient_descent", FLOW.network, FLOW.loss),
    verb("directional_flow", sf.gradient_flow(FLOW.network, sf.LogisticLoss())),
    verb("heavy_ball", FLOW.network, FLOW.loss, 1),
    verb("Dataset", [[1.0], [2.0]], [1.0, 2.0], inputs=["a"], targets="y"),
    verb("Dataset.from_csv", "table.csv", "y", drop=(), missing="refuse"),
    verb("Dataset.from_frame", TABLE, "y", inputs=["a"], drop=(), missing="refuse"),
    verb("Moments", [[1.0]], [[0.5]], sigma_yy=None, n=3),
    verb("Measurements", [[[1.0]]], [2.0]),
    verb("Measurements.entries", {(0, 0): 1.0}, (2, 2)),
    verb("whitened", [[1.0]]),
    verb("load_dataset", "diabetes"),
    verb("gaussian_init", 1.0, width_exponent=0.5, rng=0),
    verb("orthogonal_init", 1.0, rng=0),
    verb("spectral_init", 1.0, rng=0),
    verb("rank_one_init", 1.0, left=[1], right=[1, 0], rng=0),
    verb("balanced_init", 1.0, rng=0),
    verb("lambda_balanced_init", 1.0, 0.5, rng=0),
    method(INIT, "draw", FLOW.network, DATA, rng=0, digits=20),
    method(FLOW, "at", {}),
    method(FLOW, "entries", [2, 2, 1], samples=2),
    method(FLOW, "speed", 0),
    method(sf.Dataset([[1.0], [2.0]], [1.0, 2.0]).whitened(), "unwhiten", [[1.0]]),
)
ANSWERS = (
    verb("conserved", FLOW, data=DATA, init=INIT, search=None),
    verb("count_conserved", FLOW.network, data=DATA, rng=0),
    verb("PolynomialSearch", 2),
    verb("solve", FLOW, DATA, sf.spectral_init(0.5), rng=0, all=False),
    verb("implicit_bias", *PROBLEM, rng=0),
    verb("rates", *PROBLEM, rng=0),
    verb("regime", *PROBLEM, rng=0),
    verb("companions", *PROBLEM, rng=0),
    verb("companions", DESCENT, DATA, INIT, step_size=0.1, accuracy=None, rng=0),
    verb("width_experiment", SAMPLES, [100], exponent=0.5, runs=1, rng=0, t=1.0),
    method(MAP, "ending", 1, 1),
    method(BOUND, "time_to", 1e-3),
    verb("saddle_to_saddle", BALANCED, DATA, positive=False),
    verb("claim", FLOW, conserved=LAWS[0].expr, source=sf.Reference("A", "B", "", 1)),
    verb("claim", FLOW, limit=[[1, 0]]),
    verb("claim", FLOW, rate=1),
    verb("claim", FLOW, mode_ode=sympy.Symbol("w")),
    verb("interval", 0, 1),
    verb("Curriculum", (DATA, 1), (DATA, 2)),
    verb("cite", SOLUTION),
    verb("register", type(SOLUTION)),
    verb("gradient", sympy.Trace(W.T * W), W, check=True),
    method(SOLUTION, "precise", 1, digits=20),
    method(SOLUTION, "end_to_end", [0, 1]),
    method(SOLUTION, "weights", [0, 1]),
    method(SOLUTION, "scheduled", 1),
    verb("solve", FLOW, LESSON, INIT, rng=0),
    method(SOLVED, "precise", 1, digits=20),
    method(SOLVED, "end_to_end", [0, 1]),
    method(SOLVED, "weights", [0, 1]),
    method(SOLUTION, "error", [0, 1]),
    method(BOUND, "residuals", RUN),
    method(LAWS[0], "residuals", RUN),
    method(LAWS[0], "value", RUN.weights),
    verb("Reference", "A", "B", "C", 2020, arxiv=""),
    verb("Hypothesis", "words", True, "", 0.0),
)
NUMBERS = (
    verb(
        "simulate",
        *(*PROBLEM, [0, 1]),
        **NONE(("method", "rtol", "atol", "rng", "progress")),
        events=(),
        steady_state=False,
    ),
    verb(
        "precise",
        *(*PROBLEM, [0, 1]),
        digits=20,
        **NONE(("rng", "arithmetic", "progress", "resume")),
    ),
    verb("enclose", *PROBLEM, [1], digits=15, pieces=1, rng=None, progress=None),
    verb("simulate", BALL_FLOW, DATA, INIT, [0, 1], method=None),
    verb("precise", BALL_FLOW, DATA, INIT, [0, 1], digits=20),
    verb("simulate", FLOW, LESSON, INIT, [0, 2]),
    verb("enclose", FLOW, LESSON, INIT, [2], digits=15),
    verb("basin", FLOW, DATA, BOX, pieces=1),
    verb("explore", FLOW, DATA, 1),
    method(sf.explore(FLOW, DATA, 1), "update", 0.1, 0, depth=None, decay=None),
    method(CHAINED, "loss_on", 0),
    method(CHAINED, "forgetting", 0),
    verb("certify", LAWS[0], *PROBLEM, [1], digits=15, rng=None),
    verb("certify", LAWS[0], BALL),
    verb("analyze", *PROBLEM, digits=9, budget=0, progress=None),
    verb("write_report", FOUND, "report", about=None),
    verb("crosscheck", *PROBLEM, [0, 1], digits=15, rng=None, progress=None),
    verb("validate", LAWS, RUN, BALL),
    verb("ensemble", FLOW, DATA, STACKED, [0, 1], method=None, engine="numpy"),
    verb(
        "sweep",
        *(*PROBLEM, [0, 1]),
        runs=2,
        rng=0,
        executor=AtOnce(),
        **NONE(("path", "progress", "method")),
    ),
    verb(
        "sweep_grid",
        *(FLOW, DATA, {1.0: INIT}, [0, 1]),
        runs=2,
        rng=0,
        executor=AtOnce(),
        **NONE(("path", "progress", "method")),
    ),
    verb(
        "descend",
        *(DESCENT, DATA, INIT, 5),
        step_size=0.1,
        momentum=0,
        times=None,
        every=1,
        engine="numpy",
        rng=None,
    ),
    verb("descend", DESCENT, DATA, INIT, 5, step_size=0.5, times=[0, 1]),
    verb("Taylor", rtol=1e-9, order=20),
    verb("DOP853", rtol=1e-9, atol=1e-9),
    verb("Radau", rtol=1e-9, atol=None),
    verb("GaussLegendre", 12, rtol=1e-9, atol=None),
    verb("LossBelow", 0.1, terminal=True),
    verb("ModeCrosses", 1, 0.1, terminal=True),
    verb("ProgressBar", "title", None),
    method(RUN, "at", 0.5),
    method(RUN, "tangent_kernel", 0.5),
    method(RUN, "sharpness", 0.5),
    Verb("RUN[…]", RUN.__getitem__, (FLOW.state[0],)),
    Verb("GRID[…]", GRID.__getitem__, (0.5,)),
    method(BALL, "contains", np.eye(1, 2), index=-1),
    method(BALL, "excludes", np.eye(1, 2), index=-1),
)
OUTWARD = (
    verb("c_source", FLOW, (2, 2, 1), samples=None, outputs="rhs"),
    verb("numba_source", FLOW, (2, 2, 1), samples=None, outputs="loss"),
    verb("to_heyoka", FLOW, DATA, widths=None, samples=None),
    verb("to_scipy", FLOW, DATA, widths=None),
    verb(
        *("compile_simulator", FLOW, "c"),
        widths=(2, 2, 1),
        samples=None,
        rtol=1e-9,
        atol=None,
        events=[sf.LossBelow(0.1)],
    ),
    method(sf.compile_simulator(FLOW, widths=(2, 2, 1)), "write", "flow.c"),
    method(
        sf.compile_simulator(FLOW, events=[sf.LossBelow(0.1)]),
        *("follow", np.eye(2), [[1, 0]], np.eye(2), [[1, 0.5]], [[1.25]], [0, 1]),
        rtol=1e-9,
        atol=None,
    ),
    verb("write_module", FLOW, "flow.py"),
    verb("write_checker", "check.py"),
    verb("c_kernel", FLOW, (2, 2, 1), samples=None, outputs="rhs"),
    verb("numba_kernel", FLOW, (2, 2, 1), samples=None, outputs="rhs"),
    verb("lambdify", X + 1, [X]),
    verb("from_torch", None),
    verb("compile", FLOW, DATA, outputs=None, arguments=()),
    verb("save", FLOW, "flow.json"),
    verb("load", "flow.npz", limit=10**6),
    verb("audit", "claims.toml"),
    Verb("atlas", some_of_the_atlas, ("linear",), (("digits", 9), ("progress", None))),
    verb("plot.basin", MAP, ax=None),
    verb("plot.forgetting", CHAINED, ax=None),
    verb("plot.loss", RUN, ax=None, limit=None, xscale=None),
    verb("plot.modes", RUN, SOLUTION, ax=None, xscale=None),
    verb("plot.singular_values", RUN, ax=None, xscale=None),
    verb("plot.imbalance", RUN, ax=None),
    verb("plot.drift", RUN, ax=None, xscale=None),
    verb("plot.bounds", RUN, BOUND, ax=None, xscale=None),
    verb("plot.agreement", RUN, RUN, ax=None, xscale=None),
    verb("plot.plane", PLANE, LIMIT, ax=None, labels=("a",), levels=None),
    verb("plot.sharpness", RUN, 0.1, ax=None),
    verb("plot.staircase", STAIRS, ax=None, limit=None),
    verb("plot.sweep", SWEEP, ax=None, of="loss", level=0.9, xscale=None),
    verb("plot.width", WIDE, ax=None),
    Verb(
        "kernel", sf.compile(FLOW), (*RUN.problem.weights, np.eye(2), np.ones((1, 2)))
    ),
    method(
        *(sf.compile(FLOW), "into", [np.zeros((2, 2)), np.zeros((1, 2))]),
        *(*RUN.problem.weights, np.eye(2), np.ones((1, 2))),
    ),
    method(sf.to_scipy(FLOW, DATA), "pack", RUN.problem.weights),
    method(sf.to_scipy(FLOW, DATA), "unpack", np.ones(6)),
    method(sf.to_scipy(FLOW, DATA), "fun", 0.0, np.ones(6)),
)
VERBS = (*PROBLEMS, *ANSWERS, *NUMBERS, *OUTWARD)

SMALL = ("table.csv", "--target", "y", "--raw", "--hidden", "2")
#: Command lines that work, each within a second or so.
LINES: tuple[tuple[str, ...], ...] = (
    ("analyze", *SMALL, "--digits", "15", "--budget", "0.2", "--out", "report"),
    ("derive", "--widths", "d,h,m", "--l2", "lambda", "--latex"),
    ("derive", "--network", "diagonal d 3 signed", "--loss", "logistic"),
    ("derive", "--model", "V*R*U + S", "--shapes", "V=2x3 R=3x3 U=3x4 S=2x4"),
    ("conserved", "--widths", "3,2,1", "--l2", "1/10"),
    ("solve", *SMALL, "--whiten", "--init", "spectral"),
    ("simulate", *SMALL, "--end", "2", "--points", "3", "--json"),
    ("simulate", *SMALL, "--digits", "15", "--end", "1", "--out", "run.csv", "--force"),
    ("sweep", *SMALL, "--runs", "2", "--end", "1", "--quiet"),
    ("rates", *SMALL, "--scale", "0.5", "--seed", "1"),
    ("bias", *SMALL, "--init", "balanced", "--json"),
    ("certify", *SMALL, "--end", "1", "--points", "2", "--digits", "15"),
    ("validate", *SMALL, "--init", "spectral", "--digits", "15", "--budget", "0.2"),
    ("audit", "claims.toml", "--out", "audit"),
    ("write", "flow.py", "--widths", "d,h,m", "--force"),
    ("write", "-", "--widths", "3,2,1", "--l2", "0.5"),
    ("checker", "check.py", "--force"),
    ("atlas", "--only", "linear-relaxation", "--digits", "20"),
    ("atlas", "--list", "--markdown"),
    ("env", "--json"),
)
#: What words of a command line are replaced by.
WORDS = (
    *(
        "",
        " ",
        "-",
        "--",
        "-1",
        "0",
        "1",
        "1.5",
        "nan",
        "inf",
        "-inf",
        "1e400",
        "1e999",
    ),
    *("9" * 400, "9" * 5000, "1/0", "1/3", "2**64", "9**9**9", "9223372036854775808"),
    *("text", "é", "\x00", "a b", "a\nb", "x" * 5000, "/", "/dev/null", "/dev/full"),
    *(".", "missing.csv", "table.csv", "claims.toml", "flow.py", "no/such/folder/x"),
    *(
        "1,2,3",
        "2,,1",
        "2,-1,1",
        "0,0",
        "d",
        "d,d",
        "True",
        "[1]",
        "(1,",
        "2x2",
        "V=0x0",
    ),
    *("linear", "linear 2", "diagonal 2 0", "V*V", "V+", "A**-1", "V*U", "--json"),
    *("--out", "--digits", "--widths", "--nonsense", "--help", "--version", "--l2"),
    *("logistic", "cubic", "diabetes", "digits", "-h", "%s", "\\", "__import__('os')"),
    *("simulate", "derive", "--end", "--raw", "--points=3", "--digits=-4", "--seed=x"),
)
