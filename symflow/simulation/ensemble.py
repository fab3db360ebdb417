"""Many starts of one flow in one call, each with its own steps."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from symflow.algebra.display import Displayed, Sheet
from symflow.algebra.text import span_of
from symflow.algebra.threads import cached_property
from symflow.codegen.operands import floats
from symflow.codegen.targets.ckernel import found_compiler
from symflow.errors import (
    IntegrationFailed,
    InvalidArgument,
    InvalidData,
    OutputError,
    ShapeMismatch,
    expect,
    one_of,
)
from symflow.flow import GradientFlow, as_times
from symflow.flow.given import DataLike, TimesLike
from symflow.flow.problem import Problem, bind
from symflow.labelled import Tabulated
from symflow.simulation.batch import integrate_many
from symflow.simulation.choice import as_method
from symflow.simulation.companion import Companion
from symflow.simulation.compiled import CIntegrator, Run, integrator_of
from symflow.simulation.dop853 import DOP853
from symflow.simulation.methods import Method, absolute, fitted
from symflow.simulation.system import Floats, System
from symflow.trajectory import Trajectory

#: Scalars per block: its stages then stay in the cache of a core.
BLOCK = 12_000

ENGINES = ("numpy", "c", "auto")

#: Weights of a start up to which C without BLAS is faster than NumPy with it, …
SMALL = 450
#: … and weights of all starts from which on that is worth the second of a compiler.
WORTH = 50_000

_CALL = "ensemble(init=(W_1, …, W_L))"


@dataclass(frozen=True, eq=False, repr=False)
class Ensemble(Tabulated, Displayed):
    """Trajectories of one flow from many starts; made by `ensemble`.

    Parameters
    ----------
    problem : Problem
        The flow with its data; its weights are all the starts, stacked.
    t : array
        The times.
    weights : tuple of arrays
        For each layer, shape (starts, times, rows, columns).
    method : Method
        How they were integrated.
    stats : dict
        Totals over all starts, and the numbers of the starts that failed.
    route : str
        How the numbers were made, as a report names it.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(2, 1), sf.SquaredLoss())
    >>> import numpy as np
    >>> runs = sf.ensemble(flow, sf.whitened([[3, 1]]), [np.zeros((4, 1, 2))], [0, 50])
    >>> runs.end_to_end.shape, runs.end_to_end[0, -1].round(6).tolist()
    ((4, 2, 1, 2), [[3.0, 1.0]])
    """

    _number = "start"

    problem: Problem
    t: Floats
    weights: tuple[Floats, ...]
    method: Method
    stats: dict[str, Any] = field(default_factory=dict)
    route: str = "float64 (ensemble)"

    def __len__(self) -> int:
        return len(self.weights[0])

    def __getitem__(self, start: int) -> Trajectory:
        """Return the trajectory of one start."""
        given = tuple(weight[start] for weight in self.problem.weights)
        problem = self.problem.started_at(given)
        weights = tuple(w[start] for w in self.weights)
        error = Companion(problem, self.method, self.t, weights)
        return self._trajectory(problem, weights, error)

    @property
    def final(self) -> tuple[Floats, ...]:
        """The weights at the last time, for each layer (starts, rows, columns)."""
        return tuple(weight[:, -1] for weight in self.weights)

    @property
    def flow(self) -> GradientFlow:
        """The flow that was integrated."""
        return self.problem.flow

    @property
    def _attributes(self) -> dict[str, Any]:
        return {"failed": list(self.stats.get("failed", ()))}

    @property
    def end_to_end(self) -> Floats:
        """W(t) of every start, shape (starts, times, outputs, inputs)."""
        return self._stacked.end_to_end

    @property
    def loss(self) -> Floats:
        """The objective of every start, shape (starts, times), as of `Trajectory`."""
        return self._stacked.loss

    @property
    def singular_values(self) -> Floats:
        """Singular values of W(t), largest first, shape (starts, times, modes)."""
        good = np.isfinite(self.end_to_end).all(axis=(-2, -1))
        modes = min(self.end_to_end.shape[-2:])
        values = np.full((*good.shape, modes), np.nan)
        values[good] = np.linalg.svd(self.end_to_end[good], compute_uv=False)
        return values

    @property
    def last_losses(self) -> dict[str, float]:
        """Smallest, median and largest loss at the end that are finite."""
        last = self.loss[:, -1]
        names, finite = ("smallest", "median", "largest"), last[np.isfinite(last)]
        if not len(finite):
            return {}
        found = np.quantile(finite, [0, 0.5, 1]).tolist()
        return dict(zip(names, found, strict=True))

    @cached_property
    def _stacked(self) -> Trajectory:
        return self._trajectory(self.problem, self.weights, float("nan"))

    def _trajectory(
        self, problem: Problem, weights: tuple[Floats, ...], error: Any
    ) -> Trajectory:
        return Trajectory(
            problem=problem,
            t=self.t,
            weights=weights,
            route=self.route,
            digits=10,
            error=error,
        )

    def _sheet(self) -> Sheet:
        failed = len(self.stats.get("failed", ()))
        rows = {
            "t": span_of(self.t),
            "loss at the end": spread(self.last_losses),
            "failed": str(failed),
        }
        title = f"Ensemble of {len(self)} starts of {self.problem.flow.network!r}"
        return Sheet(f"{title} by {self.route}", rows=tuple(rows.items()))


def spread(found: dict[str, float]) -> str:
    """Return smallest, median and largest value in words."""
    text = "from {smallest:.6g} to {largest:.6g}, median {median:.6g}"
    return text.format(**found) if found else "none is finite"


def ensemble(
    flow: GradientFlow,
    data: DataLike,
    init: Any,
    t: TimesLike,
    *,
    method: DOP853 | str | None = None,
    engine: str = "numpy",
) -> Ensemble:
    """Integrate a gradient flow from many starts in one call.

    Parameters
    ----------
    flow : GradientFlow
        The flow.
    data : Dataset or Moments
        What is learned, the same for all.
    init : sequence of arrays
        For each layer an array (starts, rows, columns) of float64 weights at t = 0.
    t : number or sequence of numbers
        Increasing times at which the weights are returned.
    method : DOP853, keyword-only, optional
        Its tolerances hold for each trajectory by itself.
    engine : {"numpy", "c", "auto"}, keyword-only
        NumPy, whose bits depend on no compiler; the file of `compile_simulator`, which
        is many times faster for small networks and agrees to the tolerance; or the
        latter where there is a compiler and the starts are worth its time.  ``.route``
        says which it was.

    Returns
    -------
    Ensemble
        A start whose trajectory cannot be followed to the last time has NaN from there
        on, and its number stands in ``.stats["failed"]``.

    Raises
    ------
    ShapeMismatch
        If data, weights and network do not fit together.
    InvalidData
        If a weight is not finite.
    IntegrationFailed
        If no trajectory can be followed to the first time after zero.
    NotInstalled
        If C is asked for, and there is no compiler.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> starts = np.array([0.1, 0.2, 0.3]).reshape(3, 1, 1)
    >>> runs = ensemble(flow, sf.whitened([[2]]), [starts, starts], [0, 1])
    >>> runs.end_to_end[:, -1].ravel().round(4).tolist()
    [0.4306, 1.054, 1.4402]
    """
    times = np.array([float(time) for time in as_times(t, "ensemble")])
    chosen: Any = as_method(method, "ensemble")
    expect(chosen, DOP853, "ensemble(method=…)", "a DOP853()")
    stacks = _stacks(init)
    first = bind(flow, data, [stack[0] for stack in stacks])
    system = System(first.floats)
    starts = np.concatenate([s.reshape(len(s), -1) for s in stacks], axis=1)
    fit, route = fitted(chosen, starts), "float64 (ensemble)"
    run = compiled_engine(engine, system, len(starts))
    if run is not None:
        states, stats = _compiled(run, system, starts, times, fit)
        route = "float64 (ensemble, C)"
    else:
        slots = max(1, BLOCK // system.size)
        states, stats = integrate_many(system, starts, times, fit, slots)
    later = times > 0
    if later.any() and np.isnan(states[:, later]).any(axis=-1).all():
        msg = (
            f"ensemble(…): none of the {len(starts)} trajectories can be followed to "
            f"t = {times[later][0]:g}. simulate(…) says of each what stops it"
        )
        raise IntegrationFailed(msg)
    problem = replace(first, weights=stacks)
    weights = system.matrices(states)
    return Ensemble(problem, times, weights, chosen, stats, route)


def compiled_engine(engine: str, system: System, starts: int) -> Run | None:
    """Return the compiled file for so many starts of a system; None for NumPy.

    Raises InvalidArgument if there is no such engine, or C has no code for the flow;
    NotInstalled if C is asked for and there is no compiler.
    """
    one_of(engine, ENGINES, "ensemble(engine=…)")
    is_worth = system.size <= SMALL and starts * system.size >= WORTH
    if engine == "numpy" or (engine == "auto" and not (is_worth and found_compiler())):
        return None
    arrays = (*system.problem.weights, *system.form.constants)
    shapes = tuple(array.shape for array in arrays)
    try:
        run = integrator_of(system.problem.flow, "c", shapes)
        assert isinstance(run, CIntegrator)
        run.function(run.lanes if starts > 1 else 1)
    except (InvalidArgument, OutputError):
        if engine == "c":
            raise
        return None
    return run


def _compiled(
    run: Run, system: System, starts: Floats, times: Floats, method: DOP853
) -> tuple[Floats, dict[str, Any]]:
    """Do by a compiled file what `integrate_many` does."""
    found, stats = run(
        [np.ascontiguousarray(w) for w in system.matrices(starts)],
        system.form.constants,
        times,
        method.rtol,
        absolute(method),
        len(starts),
    )
    states = np.concatenate([w.reshape(*w.shape[:2], -1) for w in found], axis=2)
    bad = np.flatnonzero(stats[:, 0])
    states[bad, -1] = np.nan
    steps, rejected = (int(stats[:, k].sum()) for k in (1, 2))
    failed = tuple(map(int, bad))
    return states, {"steps": steps, "rejected": rejected, "failed": failed}


def _floats(stack: Any) -> Floats:
    try:
        return np.array(floats(stack, "the stack"))  # of its own
    except InvalidArgument as problem:
        msg = f"{_CALL}: {problem}"
        raise InvalidData(msg) from None


def _stacks(init: Any) -> tuple[Floats, ...]:
    """Return float64 stacks of one length, one per layer."""
    if not isinstance(init, (list, tuple)) or not init:
        msg = f"{_CALL}: needs one array per layer; got {type(init).__name__}"
        raise InvalidArgument(msg)
    stacks = tuple(_floats(stack) for stack in init)
    shapes = [stack.shape for stack in stacks]
    if any(len(shape) != 3 for shape in shapes) or len({s[0] for s in shapes}) > 1:
        msg = (
            f"{_CALL}: needs arrays of shape (starts, rows, columns) with as many "
            f"starts each; got the shapes {shapes}"
        )
        raise ShapeMismatch(msg)
    if shapes[0][0] == 0:
        msg = f"{_CALL}: needs at least one start; got none"
        raise InvalidArgument(msg)
    for layer, stack in enumerate(stacks, start=1):
        bad = np.flatnonzero(~np.isfinite(stack).all(axis=(1, 2)))
        if len(bad):
            msg = (
                f"{_CALL}: W_{layer} of start {bad[0]} has an entry that is not finite"
            )
            raise InvalidData(msg)
    return stacks
