"""Sweeps over widths, scales, data sets: every combination of some choices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from typing import Any

from symflow.algebra.display import Displayed, Sheet
from symflow.algebra.numbers import whole
from symflow.errors import (
    IntegrationFailed,
    InvalidArgument,
    SymflowError,
    UnknownName,
    imported,
    shown,
)
from symflow.flow.given import RandomLike
from symflow.progress import Told, reporter
from symflow.simulation.methods import Method
from symflow.simulation.records import Record
from symflow.simulation.runs import Sweep
from symflow.simulation.sweep import Running, Task, collected, prepared, records_of

#: The arguments that may be mappings, in order.
AXES = ("flow", "data", "init")


@dataclass(frozen=True, eq=False, repr=False)
class Grid(Displayed, Mapping[Any, Sweep]):
    """Sweeps by the labels of their choices, as a mapping; made by `sweep_grid`.

    Parameters
    ----------
    axes : tuple of str
        Which of flow, data and init vary.
    sweeps : dict
        Tuple of labels, one per axis, to the sweep.
    failures : dict
        Tuple of labels to the error, where every run failed.

    Examples
    --------
    >>> import symflow as sf
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> scales = {scale: sf.spectral_init(scale) for scale in (0.1, 1.0)}
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> with ThreadPoolExecutor(1) as pool:
    ...     grid = sf.sweep_grid(
    ...         flow, sf.whitened([[2]]), scales, [0, 9], runs=1, executor=pool
    ...     )
    >>> {labels: round(runs.final.item(), 4) for labels, runs in grid.items()}
    {(0.1,): 2.0, (1.0,): 2.0}
    """

    axes: tuple[str, ...]
    sweeps: dict[tuple[Any, ...], Sweep]
    failures: dict[tuple[Any, ...], str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.sweeps)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """Yield the labels of the sweeps."""
        return iter(self.sweeps)

    def __getitem__(self, labels: Any) -> Sweep:
        """Return the sweep of a label, or of a tuple with one label per axis."""
        key = labels if isinstance(labels, tuple) else (labels,)
        try:
            if key in self.sweeps:
                return self.sweeps[key]
            reason = self.failures.get(key, f"the grid has {list(self.sweeps)}")
        except TypeError:  # a label that cannot be one, such as a list
            reason = f"the grid has {list(self.sweeps)}"
        msg = f"grid[{', '.join(map(shown, key))}]: no such sweep; {reason}"
        raise UnknownName(msg)

    def to_frame(self) -> Any:
        """Return one pandas table of all sweeps, with a column per axis.

        Returns
        -------
        pandas.DataFrame
            The columns of a sweep's ``to_frame()`` after those of the axes; modes that
            a narrower network does not have are NaN.

        Raises
        ------
        NotInstalled
            Without pandas.
        """
        pandas = imported("pandas", "to_frame()")
        tables = []
        for labels, sweep in self.sweeps.items():
            table = sweep.to_frame()
            for place, (axis, label) in enumerate(zip(self.axes, labels, strict=True)):
                table.insert(place, axis, [label] * len(table))
            tables.append(table)
        return pandas.concat(tables, ignore_index=True)

    def to_xarray(self) -> Any:
        """Return end_to_end, loss and singular_values over the axes, run and t.

        They are NaN where all runs failed.  Raises NotInstalled without xarray, and
        InvalidArgument if the networks differ in their inputs or outputs.
        """
        xarray = imported("xarray", "to_xarray()")
        if len({sweep.end_to_end.shape[2:] for sweep in self.values()}) > 1:
            msg = "grid.to_xarray(): the shapes of W differ. Write grid[…].to_xarray()"
            raise InvalidArgument(msg)
        names = ["end_to_end", "loss", "singular_values"]
        parts = []
        for labels, sweep in self.items():
            place = {axis: [x] for axis, x in zip(self.axes, labels, strict=True)}
            parts.append(sweep.to_xarray()[names].expand_dims(place))
        options = {"join": "outer", "compat": "no_conflicts", "combine_attrs": "drop"}
        return xarray.merge(parts, **options)

    def _sheet(self) -> Sheet:
        rows = {
            ", ".join(map(str, labels)): f"{len(sweep)} runs, {len(sweep.failures)} "
            "of them failed"
            for labels, sweep in self.sweeps.items()
        }
        rows |= {", ".join(map(str, k)): error for k, error in self.failures.items()}
        title = f"Grid over {', '.join(self.axes)}"
        return Sheet(title, rows=tuple(rows.items()), whole=".sweeps")


def sweep_grid(
    flow: Any,
    data: Any,
    init: Any,
    t: Any,
    *,
    runs: int = 16,
    rng: RandomLike = 0,
    executor: Executor | None = None,
    path: str | Path | None = None,
    progress: Told = None,
    method: Method | str | None = None,
) -> Grid:
    """Sweep every combination of several flows, data sets and initialization rules.

    The k-th runs of all combinations draw from the same generator, so that they
    compare like with like.

    Parameters
    ----------
    flow : GradientFlow or mapping of label to GradientFlow
        For example one per width.
    data : Dataset or Moments, or mapping of label to these
        What is learned.
    init : Init or mapping of label to Init
        For example one rule per scale.
    t : number or sequence of numbers
        Increasing times at which the weights are kept.
    runs : int, keyword-only
        How many draws of each combination.
    rng, executor, path, progress, method : keyword-only
        As in `sweep`; all combinations share one executor and one resumable file.

    Returns
    -------
    Grid
        ``grid[labels]`` is a `Sweep`.

    Raises
    ------
    InvalidArgument
        If nothing varies, or as in `sweep`.
    IntegrationFailed
        If every combination failed.  What failed beside others is in ``.failures``.
    WorkerLost, OutputError, KeyboardInterrupt
        As in `sweep`.

    Examples
    --------
    >>> import symflow as sf
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> flows = {
    ...     width: sf.gradient_flow(sf.LinearNetwork(2, width, 1), sf.SquaredLoss())
    ...     for width in (1, 4)
    ... }
    >>> rules = {scale: sf.gaussian_init(scale, rng=0) for scale in (0.1, 1.0)}
    >>> data = sf.whitened([[1.0, 0.5]])
    >>> with ThreadPoolExecutor(1) as pool:
    ...     grid = sf.sweep_grid(flows, data, rules, [0, 30], runs=2, executor=pool)
    >>> len(grid), grid[4, 0.1].final.round(6).tolist()
    (4, [[[1.0, 0.5]], [[1.0, 0.5]]])
    """
    given = dict(zip(AXES, (flow, data, init), strict=True))
    axes = tuple(name for name in AXES if isinstance(given[name], Mapping))
    if not axes or not all(given[name] for name in axes):
        msg = (
            "sweep_grid(flow, data, init, t): needs a mapping from labels to choices "
            "for at least one of flow, data and init. Use sweep(…) for a single choice"
        )
        raise InvalidArgument(msg)
    runs = whole(runs, "sweep_grid(runs=…)")
    choices = [given[k].items() if k in axes else [(None, given[k])] for k in AXES]
    points, tasks, headers = [], [], []
    for combination in product(*choices):
        labels = [label for label, _ in combination]
        points.append(tuple(x for x, k in zip(labels, AXES, strict=True) if k in axes))
        chosen = (*(choice for _, choice in combination), t)
        task, header = prepared(chosen, method, rng, path)
        tasks.append(task)
        headers.append(header)
    header = {
        "format": headers[0]["format"] + ", grid",
        "runs": runs,
        "labels": [list(map(str, labels)) for labels in points],
        "points": headers,
    }
    running = Running(executor, path, reporter(progress, "sweep_grid"))
    every = GridTask(tuple(tasks), runs)
    records, remade = records_of(every, header, len(tasks) * runs, running)
    return _gathered(axes, points, tasks, records, remade)


@dataclass(frozen=True)
class GridTask:
    """The runs of all combinations in one count; picklable."""

    tasks: tuple[Task, ...]
    runs: int

    def __call__(self, number: int) -> Record:
        """Simulate a run of a combination."""
        point, run = divmod(number, self.runs)
        return replace(self.tasks[point](run), run=number)


def _gathered(
    axes: tuple[str, ...],
    points: list[tuple[Any, ...]],
    tasks: list[Task],
    records: list[Record],
    remade: tuple[int, ...],
) -> Grid:
    runs = len(records) // len(tasks)
    sweeps: dict[tuple[Any, ...], Sweep] = {}
    failures: dict[tuple[Any, ...], SymflowError] = {}
    for place, (labels, task) in enumerate(zip(points, tasks, strict=True)):
        own = range(place * runs, (place + 1) * runs)
        again = tuple(number - own.start for number in remade if number in own)
        ordered = [replace(records[k], run=k - own.start) for k in own]
        try:
            sweeps[labels] = collected(task, ordered, again)
        except (IntegrationFailed, InvalidArgument) as problem:
            failures[labels] = problem
    if not sweeps:
        first = next(iter(failures.values()))
        msg = f"sweep_grid(…): every combination failed; the first: {first}"
        raise type(first)(msg)
    return Grid(axes, sweeps, {key: str(error) for key, error in failures.items()})
