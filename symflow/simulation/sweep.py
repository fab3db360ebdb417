"""Many draws of one initialization rule, on any executor, into one resumable file."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from symflow.algebra.arrays import to_float_array
from symflow.algebra.numbers import whole
from symflow.errors import (
    IntegrationFailed,
    InvalidArgument,
    OutputError,
    SymflowError,
    expect,
)
from symflow.flow import GradientFlow, as_times
from symflow.flow.given import DataLike, RandomLike, TimesLike
from symflow.flow.problem import Problem, bind
from symflow.inits import GivenInit, Init, as_init
from symflow.inits.seeds import seed_of, unseeded
from symflow.progress import Told, reporter
from symflow.simulation.choice import as_method
from symflow.simulation.ensemble import Ensemble
from symflow.simulation.methods import Method
from symflow.simulation.pool import outcomes
from symflow.simulation.records import Record, RecordFile
from symflow.simulation.runs import Sweep
from symflow.simulation.simulate import simulate

#: What the file's format is called, with its version.
FORMAT = "symflow sweep 2"

#: Runs of one sweep, or of all combinations of a grid.
MOST_RUNS = 10_000_000


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
    progress: Told = None,
    method: Method | str | None = None,
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
        ``mpi4py.futures.MPIPoolExecutor`` ….  Without it, a process is started for
        every core that this one may use, and BLAS takes one thread in each, unless
        ``OMP_NUM_THREADS`` or its like say otherwise; inside a daemonic process, which
        may not have children, threads are.  What is sent to processes may be defined in
        a script or a notebook.
    path : str or Path, keyword-only, optional
        File that every run is appended to as it arrives.  If it is there, the runs in
        it are not repeated, and what is damaged in it is made again (`Sweep.remade`); a
        finished file has the same bytes every time.
    progress : callable or True, keyword-only, optional
        A bar, or called with the fraction of the runs that is done.
    method : Method, keyword-only, optional
        As in `simulate`.

    Returns
    -------
    Sweep
        All runs.  One that failed has NaN weights, and its error in ``.failures``.

    Raises
    ------
    InvalidArgument
        If an argument makes no sense, every run refuses what it is given, or the file
        belongs to another sweep.
    IntegrationFailed
        If every run failed, with the error of the first.
    WorkerLost
        If no worker survives some runs, which it names; the others are done.
    OutputError
        If the file cannot be written, for example on a full disk; it says how many
        runs are kept.
    KeyboardInterrupt
        After Ctrl-C, with the number of runs that are kept.

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
    runs = whole(runs, "sweep(runs=…)")
    task, header = prepared((flow, data, init, t), method, rng, path)
    running = Running(executor, path, reporter(progress, "sweep"))
    return collected(task, *records_of(task, header, runs, running))


@dataclass(frozen=True)
class Running:
    """How runs are made: where, into which file, and who hears of it."""

    executor: Executor | None
    path: str | Path | None
    progress: Callable[[float], None]

    def __post_init__(self) -> None:
        if self.executor is not None:
            expect(self.executor, "submit", "sweep(executor=…)", "an Executor")


def records_of(
    task: Callable[[int], Record], header: dict[str, Any], runs: int, running: Running
) -> tuple[list[Record], tuple[int, ...]]:
    """Return the records of all runs, after making those that the file does not have.

    With them come the runs that were made again because the file was damaged.

    `task` makes the record of a number, and `header` says what the file is about.
    Raises InvalidArgument if these are more runs than are kept.
    """
    if runs > MOST_RUNS:
        msg = (
            f"sweep: every run is kept, and no more than {MOST_RUNS}; got {runs}. Take "
            "fewer runs, or fewer combinations of a grid"
        )
        raise InvalidArgument(msg)
    with (
        nullcontext()
        if running.path is None
        else closing(RecordFile(running.path, header)) as file
    ):
        found: dict[int, Record] = {} if file is None else file.records
        waiting = [run for run in range(runs) if run not in found]
        try:
            running.progress((runs - len(waiting)) / runs)
            with closing(outcomes(task, waiting, running.executor)) as arriving:
                for done, record in enumerate(arriving, runs - len(waiting) + 1):
                    if file is None:
                        found[record.run] = record
                    else:
                        file.append(record)
                    running.progress(done / runs)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(_kept(found, runs, file)) from None
        except OutputError as problem:
            msg = f"{problem}. {_kept(found, runs, file)}"
            raise OutputError(msg) from None
        if file is not None:
            file.finish()
    remade = tuple(waiting) if file is not None and file.damaged else ()
    return [found[number] for number in range(runs)], remade


def _kept(found: dict[int, Record], runs: int, file: RecordFile | None) -> str:
    if file is None:
        return f"sweep(…): kept none of {runs} runs; give path= to keep them"
    kept = sum(number < runs for number in found)
    return f"sweep(…): kept {kept} of {runs} runs; call again to resume"


@dataclass(frozen=True)
class Task:
    """One run by its number; picklable, and it raises nothing.

    It is sent to workers with no more of the data than they read.
    """

    flow: GradientFlow
    data: Any
    init: Init
    times: tuple[Fraction, ...]
    method: Method
    entropy: int

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "data": _as_read(self)}

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
    problem: tuple[Any, Any, Any, Any], method: Any, rng: Any, path: Any
) -> tuple[Task, dict[str, Any]]:
    """Return the task of checked arguments, and the header to know it by."""
    flow, data, init, t = problem
    expect(flow, GradientFlow, "sweep(flow, …)", "a gradient flow")
    expect(data, "moments", "sweep(data=…)", "a Dataset or Moments")
    rule = unseeded(as_init(init))
    if isinstance(rule, GivenInit):
        msg = (
            "sweep(init=…): needs a rule such as gaussian_init(0.1), of which every "
            "run is a draw; got given weights. Use simulate(…), or ensemble(…) for "
            "several"
        )
        raise InvalidArgument(msg)
    chosen = as_method(method, "sweep")
    times = as_times(t, "sweep")
    task = Task(flow, data, rule, times, chosen, seed_of(rng, "sweep(…)"))
    header = {
        "format": FORMAT,
        "network": repr(flow.network),
        "loss": _told(flow.loss, path),
        "data": _digest(flow.loss.arrays(data)),
        "init": _told(rule, path),
        "t": [str(time) for time in times],
        "method": _told(chosen, path),
        "rng": str(task.entropy),
    }
    return task, header


def _digest(arrays: dict[str, Any]) -> str:
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = np.ascontiguousarray(to_float_array(arrays[name]), "<f8")
        digest.update(f"{name} {array.shape}".encode() + array.tobytes())
    return digest.hexdigest()


def _told(value: Any, path: Any) -> str:
    """Return the text that tells a rule, a loss or a method from others in a file.

    Arrays are written out in full, and the address of an object tells nothing.
    """
    kind = type(value)
    with np.printoptions(threshold=sys.maxsize, floatmode="unique"):
        plain: bool = vars(object)["__repr__"] is kind.__repr__
        text = f"{kind.__qualname__}({vars(value)})" if plain else repr(value)
    if path is not None and re.search(r" at 0x[0-9a-f]+>", text):
        msg = (
            f"sweep(path=…): a file cannot tell this from others by its repr: {text}. "
            f"Give {kind.__name__} a __repr__ that names what it was made of"
        )
        raise InvalidArgument(msg)
    return text


def _as_read(task: Task) -> Any:
    """Return the moments of the data where no run reads more than these."""
    if not type(task.init).__module__.startswith("symflow."):
        return task.data
    moments, loss = task.data.moments(), task.flow.loss
    try:
        fewer = loss.arrays(moments)
    except InvalidArgument:
        return task.data
    given, names = loss.arrays(task.data), [symbol.name for symbol in task.flow.data]
    same = all(k in fewer and np.array_equal(fewer[k], given[k]) for k in names)
    return moments if same else task.data


def _plain(value: Any) -> Any:
    return value if isinstance(value, (int, str)) else float(value)


def collected(task: Task, records: list[Record], remade: tuple[int, ...] = ()) -> Sweep:
    """Stack the runs; a failed one has NaN in its place.

    `remade` are the runs whose records the file had lost.

    Raises InvalidArgument if every run refused what it was given; IntegrationFailed if
    every run failed otherwise, with the error of the first.
    """
    good = [record.run for record in records if not record.error]
    if not good:
        raise _nothing_worked(records)
    problem = task.start(good[0])
    layers = len(problem.weights)
    times = np.array([float(time) for time in task.times])
    starts, paths = [], []
    for layer, weight in enumerate(problem.weights):
        none = np.full(weight.shape, np.nan)
        gap = np.full((len(times), *weight.shape), np.nan)
        starts.append(
            np.stack([r.arrays[layer] if r.arrays else none for r in records])
        )
        paths.append(
            np.stack([r.arrays[layers + layer] if r.arrays else gap for r in records])
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
    return Sweep(ensemble, failures, stats, task.entropy, remade)


def _nothing_worked(records: list[Record]) -> SymflowError:
    first = records[0].error
    msg = f"sweep(…): all {len(records)} runs failed; run 0: {first}"
    refusals: list[type] = [InvalidArgument, *InvalidArgument.__subclasses__()]
    names = {kind.__name__ for kind in refusals}
    if all(record.error.partition(":")[0] in names for record in records):
        return InvalidArgument(msg)
    return IntegrationFailed(msg)
