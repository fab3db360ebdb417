"""Many draws of one initialization rule, on any executor, into one resumable file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import nullcontext
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from symflow.algebra.arrays import to_float_array
from symflow.errors import IntegrationFailed, InvalidArgument
from symflow.flow import GradientFlow, as_times
from symflow.flow.given import DataLike, RandomLike, TimesLike
from symflow.flow.problem import Problem, bind
from symflow.inits import GivenInit, Init, as_init
from symflow.simulation.dop853 import DOP853
from symflow.simulation.ensemble import Ensemble
from symflow.simulation.methods import Method
from symflow.simulation.pool import outcomes
from symflow.simulation.records import Record, RecordFile
from symflow.simulation.runs import Sweep
from symflow.simulation.simulate import simulate

#: What the file's format is called, with its version.
FORMAT = "symflow sweep 1"


def sweep(
    flow: GradientFlow,
    data: DataLike,
    init: Init,
    t: TimesLike,
    *,
    runs: int = 64,
    rng: RandomLike = 0,
    executor: Executor | None = None,
    path: str | Path | None = None,
    progress: Callable[[float], None] | None = None,
    method: Method | None = None,
) -> Sweep:
    """Simulate many draws of an initialization rule.

    Run k draws from the k-th generator spawned from `rng`, so that it is the same
    whatever the executor, the order or the number of runs.

    Parameters
    ----------
    flow : GradientFlow
        The flow.
    data : Dataset or Moments
        What is learned.
    init : Init
        The rule.
    t : number or sequence of numbers
        Increasing times at which the weights are kept.
    runs : int, keyword-only
        How many draws.
    rng : None, int or numpy.random.Generator, keyword-only
        Where the generators come from; None takes fresh entropy.
    executor : concurrent.futures.Executor, keyword-only, optional
        Used as it is: a thread pool, ``dask.distributed.Client().get_executor()``,
        ``mpi4py.futures.MPIPoolExecutor`` ….  Without it, one process per core is
        started; a script that defines `init` itself has to call this under
        ``if __name__ == "__main__":``.
    path : str or Path, keyword-only, optional
        File that every run is appended to as it arrives.  If it is there, the runs in
        it are not repeated; a finished file has the same bytes every time.
    progress : callable, keyword-only, optional
        Called with the fraction of the runs that is done.
    method : Method, keyword-only, optional
        As in `simulate`.

    Returns
    -------
    Sweep
        All runs.  One that failed has NaN weights, and its error in ``.failures``.

    Raises
    ------
    InvalidArgument
        If an argument makes no sense, or the file belongs to another sweep.
    IntegrationFailed
        If every run failed, with the error of the first.
    WorkerLost
        If workers ended again and again before their runs did.
    OutputError
        If the file cannot be written.

    Examples
    --------
    >>> import symflow as sf
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.SquaredLoss())
    >>> data, init = sf.whitened([[1.0, 0.5]]), sf.gaussian_init(0.5, rng=0)
    >>> with ThreadPoolExecutor(1) as pool:
    ...     done = sf.sweep(flow, data, init, [0, 20], runs=3, executor=pool)
    >>> done.end_to_end[:, -1].round(6).tolist()
    [[[1.0, 0.5]], [[1.0, 0.5]], [[1.0, 0.5]]]
    """
    task, header = prepared(flow, data, init, t, method, rng, runs)
    running = Running(executor, path, progress)
    return collected(task, records_of(task, header, runs, running))


@dataclass(frozen=True)
class Running:
    """How runs are made: where, into which file, and who hears of it."""

    executor: Executor | None
    path: str | Path | None
    progress: Callable[[float], None] | None


def records_of(
    task: Callable[[int], Record], header: dict[str, Any], runs: int, running: Running
) -> list[Record]:
    """Return the records of all runs, after making those that the file does not have.

    Parameters
    ----------
    task : callable
        Makes the record of a number.
    header : dict
        What the file is about.
    runs : int
        How many there are.
    running : Running
        Executor, file and progress.
    """
    path, progress = running.path, running.progress
    with nullcontext() if path is None else RecordFile(path, header) as file:
        found: dict[int, Record] = {} if file is None else file.records
        waiting = sorted(set(range(runs)) - found.keys())
        done = runs - len(waiting)
        _report(progress, done, runs)
        for record in outcomes(task, waiting, running.executor):
            found[record.run] = record
            if file is not None:
                file.append(record)
            done += 1
            _report(progress, done, runs)
        if file is not None and waiting:
            file.finish()
    return [found[number] for number in range(runs)]


@dataclass(frozen=True)
class Task:
    """One run by its number; picklable, and it raises nothing."""

    flow: GradientFlow
    data: Any
    init: Init
    times: tuple[Fraction, ...]
    method: Method
    entropy: int

    def generator(self, run: int) -> np.random.Generator:
        """Return the generator of a run, as `SeedSequence.spawn` makes it."""
        sequence = np.random.SeedSequence(self.entropy, spawn_key=(run,))
        return np.random.default_rng(sequence)

    def start(self, run: int) -> Problem:
        """Return the problem of a run."""
        return bind(self.flow, self.data, self.init, rng=self.generator(run))

    def __call__(self, run: int) -> Record:
        """Simulate a run; whatever goes wrong in it becomes its outcome."""
        try:
            start = self.start(run)
            path = simulate(
                self.flow,
                self.data,
                list(start.weights),
                self.times,
                method=self.method,
            )
        except Exception as problem:  # noqa: BLE001 - one run may not end the others
            return Record(run, (), {}, f"{type(problem).__name__}: {problem}")
        starts = tuple(np.asarray(w, float) for w in start.weights)
        stats = {key: _plain(value) for key, value in path.stats.items()}
        return Record(run, (*starts, *path.weights), stats)


def prepared(
    flow: GradientFlow, data: Any, init: Any, t: Any, method: Any, rng: Any, runs: Any
) -> tuple[Task, dict[str, Any]]:
    """Return the task of checked arguments, and the header that tells it from others.

    Parameters
    ----------
    flow, data, init, t, method, rng, runs : object
        As in `sweep`.
    """
    _check_count(runs)
    _check_kinds(flow, data)
    rule = as_init(init)
    if isinstance(rule, GivenInit):
        msg = (
            "sweep(init=…): needs a rule such as gaussian_init(0.1), of which every "
            "run is a draw; got given weights. Use simulate(…), or ensemble(…) for "
            "several"
        )
        raise InvalidArgument(msg)
    chosen = DOP853() if method is None else method
    times = as_times(t, "sweep")
    task = Task(flow, data, rule, times, chosen, _entropy(rng))
    header = {
        "format": FORMAT,
        "network": repr(flow.network),
        "loss": repr(flow.loss),
        "data": _digest(flow.loss.arrays(data)),
        "init": repr(rule),
        "t": [str(time) for time in times],
        "method": repr(chosen),
        "rng": str(task.entropy),
    }
    return task, header


def _digest(arrays: dict[str, Any]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(to_float_array(arrays[name]), "<f8")
        digest.update(f"{name} {array.shape}".encode() + array.tobytes())
    return digest.hexdigest()


def _entropy(rng: Any) -> int:
    from symflow.inits.seeds import seed_of

    return seed_of(rng, "sweep(…)")


def _check_kinds(flow: Any, data: Any) -> None:
    if not isinstance(flow, GradientFlow):
        msg = f"sweep(flow, …): needs a gradient flow; got {flow!r}"
        raise InvalidArgument(msg)
    if not hasattr(data, "moments"):
        msg = f"sweep(data=…): needs a Dataset or Moments; got {type(data).__name__}"
        raise InvalidArgument(msg)


def _check_count(runs: Any) -> None:
    if isinstance(runs, bool) or not isinstance(runs, int) or runs < 1:
        msg = f"sweep(runs=…): needs a positive number of runs; got {runs!r}"
        raise InvalidArgument(msg)


def _report(progress: Callable[[float], None] | None, done: int, runs: int) -> None:
    if progress is not None:
        progress(done / runs)


def _plain(value: Any) -> Any:
    return value if isinstance(value, (int, str)) else float(value)


def collected(task: Task, records: list[Record]) -> Sweep:
    """Stack the runs; a failed one has NaN in its place.

    Parameters
    ----------
    task : Task
        Whose runs they are.
    records : list of Record
        In order.

    Raises
    ------
    IntegrationFailed
        If every run failed, with the error of the first.
    """
    good = [record.run for record in records if not record.error]
    if not good:
        msg = f"sweep(…): all {len(records)} runs failed; run 0: {records[0].error}"
        raise IntegrationFailed(msg)
    problem = task.start(good[0])
    layers = len(problem.weights)
    times = np.array([float(time) for time in task.times])
    starts, paths = [], []
    for layer, weight in enumerate(problem.weights):
        none = np.full(weight.shape, np.nan)
        whole = np.full((len(times), *weight.shape), np.nan)
        starts.append(
            np.stack([r.arrays[layer] if r.arrays else none for r in records])
        )
        paths.append(
            np.stack([r.arrays[layers + layer] if r.arrays else whole for r in records])
        )
    failures = {record.run: record.error for record in records if record.error}
    stacked = replace(problem, weights=tuple(starts))
    ensemble = Ensemble(
        stacked,
        times,
        tuple(paths),
        task.method,
        {"failed": tuple(failures)},
        f"float64 ({type(task.method).__name__})",
    )
    stats = tuple(record.stats for record in records)
    return Sweep(ensemble, failures, stats, task.entropy)
