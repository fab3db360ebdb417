"""A flow integrated three ways: here, by mpmath's `odefun` and by SciPy.

The two others share no code with symflow's engine: the loss is written as a sum over
scalar weights, differentiated by `sympy.diff`, and handed to their own integrators.
What is taken from symflow is how W is made of the weights, and a loss of your own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import sympy

from symflow.algebra.arrays import Array, map_entries, unflatten
from symflow.algebra.display import Displayed, Sheet
from symflow.algebra.entries import at_sizes, entrywise, explicit
from symflow.algebra.numbers import exact, to_float, to_mpf, whole
from symflow.algebra.sympy_form import to_sympy
from symflow.algebra.text import scientific
from symflow.algebra.widths import solve_widths
from symflow.errors import IntegrationFailed, InvalidArgument
from symflow.flow import GradientFlow, as_times
from symflow.flow.given import DataLike, InitLike, RandomLike, TimesLike
from symflow.flow.problem import Problem, bind
from symflow.losses import ExponentialLoss, LogisticLoss, MeasurementLoss, SquaredLoss
from symflow.precision import precise
from symflow.progress import Told, reporter
from symflow.trajectory import Trajectory

#: Scalar weights; mpmath takes derivatives of all of them by differences.
MOST_WEIGHTS = 24
#: Digits, with which the work of `odefun` grows like the fifth power.
MOST_DIGITS = 60
#: Digits that mpmath carries beyond those that are compared.
SPARE_DIGITS = 8
#: Digits that may be lost: to the growth of errors, and to the rounding of a double.
LOST_DIGITS, SCIPY_BOUND = 3, 1e-7


@dataclass(frozen=True, eq=False, repr=False)
class CrossCheck(Displayed):
    """How far two integrators of others are from `precise`; made by `crosscheck`.

    Parameters
    ----------
    run : Trajectory
        What `precise` returned.
    odefun, scipy : tuple of arrays
        The weights of the two others, shaped as ``run.weights``.
    odefun_gaps, scipy_gaps : array
        For each time the largest difference of a weight over the largest weight.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> problem = flow, sf.whitened([[2]]), [[[0.5]], [[0.5]]]
    >>> found = sf.crosscheck(*problem, [1], digits=15)
    >>> found.ok, round(found.scipy[0].item(), 6)
    (True, 1.331435)
    """

    run: Trajectory
    odefun: tuple[Array, ...]
    scipy: tuple[Array, ...]
    odefun_gaps: Array
    scipy_gaps: Array

    @property
    def ok(self) -> bool:
        """Whether mpmath agrees to all digits but three, and SciPy to seven."""
        bound = 10.0 ** (LOST_DIGITS - self.run.digits)
        fine = all(gap <= bound for gap in self.odefun_gaps)
        return fine and bool(np.all(self.scipy_gaps <= SCIPY_BOUND))

    def _sheet(self) -> Sheet:
        pairs = zip(self.run.t, self.odefun_gaps, self.scipy_gaps, strict=True)
        rows = tuple(
            (f"{float(t):g}", scientific(first), scientific(second))
            for t, first, second in pairs
        )
        verdict = "agree" if self.ok else "DO NOT AGREE"
        return Sheet(
            f"Crosscheck to {self.run.digits} digits: the three {verdict}",
            header=("t", "mpmath.odefun", "SciPy DOP853"),
            rows=rows,
            notes=("relative differences of the weights from precise(…)",),
        )


def crosscheck(
    flow: GradientFlow,
    data: DataLike,
    init: InitLike,
    t: TimesLike,
    *,
    digits: int = 30,
    rng: RandomLike = None,
    progress: Told = None,
) -> CrossCheck:
    """Compare `precise` with integrators that share no code with symflow.

    The loss is written out in scalar weights and differentiated by SymPy; mpmath's
    `odefun` and SciPy integrate that.  Small problems only: 8 weights to 30 digits
    take seconds, 22 in three layers some minutes.

    Parameters
    ----------
    flow : GradientFlow
        The flow.
    data : Dataset or Moments
        What is learned.
    init : Init or sequence of array_like
        A rule, or the weights (W_1, …, W_L) at t = 0.
    t : number or sequence of numbers
        Increasing times.
    digits : int, keyword-only
        Decimal digits, at most 60.
    rng : None, int or numpy.random.Generator, keyword-only
        Overrides the random state of the initialization rule.
    progress : callable or True, keyword-only, optional
        A bar, or called with the fraction of the times that `odefun` has passed.

    Returns
    -------
    CrossCheck
        The differences at every time, `.ok`, and the weights of all three.

    Raises
    ------
    InvalidArgument
        If there are more than 24 weights, or an argument is of the wrong kind.
    IntegrationFailed
        If SciPy does not reach the last time.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> problem = flow, sf.whitened([[2]]), [[[1]], [[0.5]]]
    >>> found = crosscheck(*problem, [0.5, 1], digits=20)
    >>> found.ok, max(found.odefun_gaps) < 1e-18
    (True, True)
    >>> round(float(found.run.end_to_end[-1].item()), 6)
    1.915623
    """
    digits = whole(digits, "crosscheck(digits=…)", most=MOST_DIGITS)
    progress = reporter(progress, "crosscheck")
    times, sharp = as_times(t, "crosscheck"), digits + SPARE_DIGITS
    problem = bind(flow, data, init, rng=rng, digits=sharp, exact=True)
    if problem.size > MOST_WEIGHTS:
        msg = (
            f"crosscheck(flow, …): {problem.size} weights; this is for at most "
            f"{MOST_WEIGHTS}. Take smaller widths"
        )
        raise InvalidArgument(msg)
    run = precise(flow, data, problem.weights, times, digits=digits)
    entries, rates = scalar_equations(run.problem)
    context = mpmath.MPContext()
    context.dps = sharp
    first = _by_odefun(entries, rates, run, context, progress)
    second = _by_scipy(entries, rates, run)
    shapes = [weight.shape[1:] for weight in run.weights]
    return CrossCheck(
        run,
        unflatten(np.array(first), shapes),
        unflatten(np.array(second), shapes),
        _gaps(first, run),
        np.array([float(gap) for gap in _gaps(second, run)]),
    )


def scalar_equations(problem: Problem) -> tuple[list[Any], list[sympy.Expr]]:
    """Return the scalar weights and their time derivatives, by `sympy.diff`."""
    flow = problem.flow
    symbols = *flow.state, *flow.data
    arrays = *problem.weights, *problem.arguments
    pairs = zip(symbols, arrays, strict=True)
    sizes = solve_widths([(s.name, s.shape, array.shape) for s, array in pairs])
    letters = [explicit(at_sizes(symbol, sizes)) for symbol in flow.state]
    value = _loss(problem, sizes)
    for decay, letter in zip(flow.decays, letters, strict=True):
        value += exact(decay) * sum(entry**2 for entry in letter) / 2
    entries = [entry for letter in letters for entry in letter]
    if flow.clock != "time":
        slopes = [-sympy.diff(sympy.log(value), entry) for entry in entries]
        square = sum(slope**2 for slope in slopes)
        return entries, [slope / square for slope in slopes]
    speeds = [flow.speed(k) for k, letter in enumerate(letters) for _ in letter]
    rates = [-v * sympy.diff(value, x) for v, x in zip(speeds, entries, strict=True)]
    return entries, rates


def _loss(problem: Problem, sizes: dict[sympy.Symbol, int]) -> Any:
    """Return the loss without weight decay as a sum over entries."""
    flow, data = problem.flow, problem.source
    network, loss = flow.network, flow.loss
    total = network.end_to_end.xreplace(network.constants)
    W = entrywise(at_sizes(total, sizes))
    count = 1 if getattr(loss, "reduction", "sum") == "sum" else None
    if isinstance(loss, SquaredLoss):
        xx, yx, samples = _moments(data)
        scale = samples if count else 1
        fitted = sum(x * y for x, y in zip(W * xx, W, strict=True)) / 2
        return scale * (fitted - sum(x * y for x, y in zip(W, yx, strict=True)))
    if isinstance(loss, ExponentialLoss | LogisticLoss):
        X, Y = _matrix(data.X), _matrix(data.Y)
        margins = [y * f for y, f in zip(Y, X * W.T, strict=True)]
        tails = [sympy.exp(-margin) for margin in margins]
        if isinstance(loss, LogisticLoss):
            tails = [sympy.log(1 + tail) for tail in tails]
        return sum(tails) / (count or X.rows)
    if isinstance(loss, MeasurementLoss):
        seen = [sum(a * w for a, w in zip(_matrix(A), W, strict=True)) for A in data.A]
        wanted = map(exact, np.ravel(data.y))
        return sum((f - y) ** 2 for f, y in zip(seen, wanted, strict=True)) / 2
    own = entrywise(at_sizes(to_sympy(loss.value(network.end_to_end_node)), sizes))
    return own.xreplace(_numbers(problem, sizes))


def _numbers(problem: Problem, sizes: dict[sympy.Symbol, int]) -> dict[Any, Any]:
    """Return the value of every entry of the data of a loss of your own."""
    known: dict[Any, Any] = {}
    for symbol, array in zip(problem.flow.data, problem.exact_arguments, strict=True):
        letters = explicit(at_sizes(symbol, sizes))
        known |= dict(zip(letters, _matrix(array), strict=True))
    for symbol, constant in problem.flow.network.constants.items():
        known |= dict(zip(explicit(symbol), constant, strict=True))
    return known


def _moments(data: Any) -> tuple[sympy.Matrix, sympy.Matrix, Any]:
    """Return Σ_xx and Σ_yx in exact numbers, from the samples where there are any."""
    if not hasattr(data, "X"):
        moments = data.moments()
        return _matrix(moments.sigma_xx), _matrix(moments.sigma_yx), moments.n
    X, Y = _matrix(data.X), _matrix(data.Y)
    return X.T * X / X.rows, Y.T * X / X.rows, X.rows


def _matrix(array: Array) -> sympy.Matrix:
    return sympy.Matrix(map_entries(exact, np.asarray(array)).tolist())


def _by_odefun(
    entries: list[Any],
    rates: Any,
    run: Trajectory,
    context: Any,
    progress: Callable[[float], None] | None,
) -> Any:
    """Return the weights at every time as rows, by mpmath."""
    names = "mpf", "exp", "log", "sqrt", "tanh", "sin", "cos", "sinh", "cosh", "tan"
    own = {name: getattr(context, name) for name in names}
    rate = sympy.lambdify([entries], rates, modules=[own, "mpmath"], cse=True)
    start = [to_mpf(x, context) for w in run.problem.weights for x in w.flat]
    times = [to_mpf(exact(time), context) for time in run.t]

    def field(time: Any, state: Any) -> Any:
        if progress is not None and times[-1]:
            # a series of odefun reaches past the last time
            progress(min(float(time / times[-1]), 0.99))
        return rate(state)

    path = context.odefun(field, 0, start)
    rows = [path(time) if time else start for time in times]
    if progress is not None:
        progress(1.0)
    return rows


def _by_scipy(entries: list[Any], rates: Any, run: Trajectory) -> Any:
    """Return the weights at every time as rows, by SciPy."""
    from scipy.integrate import solve_ivp

    rate = sympy.lambdify([entries], rates, modules="numpy", cse=True)
    start = [to_float(x) for w in run.problem.weights for x in w.flat]
    times = [float(time) for time in run.t]
    if times[-1] == 0:
        return [start]
    options: dict[str, Any] = {"method": "DOP853", "rtol": 1e-12, "atol": 1e-14}
    span = (0.0, times[-1])
    path = solve_ivp(lambda _t, y: rate(y), span, start, t_eval=times, **options)
    if not path.success:
        msg = f"crosscheck: SciPy stopped before the last time: {path.message}"
        raise IntegrationFailed(msg)
    return path.y.T.tolist()


def _gaps(rows: Any, run: Trajectory) -> Array:
    """Return for each time the largest difference over the largest weight."""
    found = np.empty(len(run.t), dtype=object)
    for k, row in enumerate(rows):
        own = [x for weight in run.weights for x in weight[k].flat]
        pairs = zip(own, row, strict=True)
        gap = max(abs(x - to_mpf(y, run.context)) for x, y in pairs)
        size = max(map(abs, own))
        found[k] = gap / size if size else gap
    return found
