"""Verbs that integrate: simulate and sweep."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from io import StringIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from symflow.trajectory import Trajectory


def simulate(options: argparse.Namespace) -> int:
    """Print loss and singular values along the flow, and keep the run."""
    from symflow.analysis.record import to_json, trajectory_record
    from symflow.analysis.text import trajectory_text
    from symflow.cli.output import PIPE, check_free
    from symflow.cli.problem import integrated, problem_of

    if options.out not in (None, PIPE):
        check_free(options.out, options, ".csv", ".npz", ".json")
    problem = problem_of(options)
    path = integrated(problem, options)
    if options.out == PIPE:
        sys.stdout.write(table_of(path))
        return 0
    if options.out is not None:
        _keep(path, options.out)
    if options.json:
        print(to_json(trajectory_record(path)))
        return 0
    print(f"{problem.headline}\n\n{trajectory_text(path)}")
    if options.out is not None:
        print(options.out)
    return 0


def _keep(path: Trajectory, out: str) -> None:
    from symflow.files import write_text
    from symflow.io import save

    if out.endswith(".csv"):
        write_text(out, table_of(path), f"simulate --out {out!r}")
    else:
        save(path, out)


def table_of(path: Trajectory) -> str:
    """Return a trajectory as comma separated text, a line per time with all digits."""
    import csv

    text = StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows(_lines(path))
    return text.getvalue()


def _lines(path: Trajectory) -> Iterator[list[Any]]:
    from itertools import product

    times = [path.number(time) for time in path.t]
    columns: dict[str, Any] = {"t": times, "loss": path.loss}
    for symbol, weight in zip(path.flow.state, path.weights, strict=True):
        rows, cols = (range(size) for size in weight.shape[1:])
        for row, col in product(rows, cols):
            columns[f"{symbol.name}[{row + 1},{col + 1}]"] = weight[:, row, col]
    yield list(columns)
    for values in zip(*columns.values(), strict=True):
        yield [_written(value, path) for value in values]


def _written(value: Any, path: Trajectory) -> str:
    """Return a float in full, and any other number with the digits of its run."""
    if path.context is None:
        return repr(float(value))
    return str(path.context.nstr(value, path.digits))


def sweep(options: argparse.Namespace) -> int:
    """Print what many draws of the start have in common; they can be kept in a file."""
    from symflow.analysis.record import to_json
    from symflow.cli.output import reporter
    from symflow.cli.problem import problem_of, times_of
    from symflow.simulation import sweep as draw

    problem, times = problem_of(options), times_of(options)
    with reporter(options) as progress:
        found = draw(
            problem.flow,
            problem.data,
            problem.init,
            times,
            runs=options.runs,
            rng=options.seed,
            path=options.out,
            progress=lambda fraction: progress("sweep", fraction),
        )
    if options.json:
        record = {**found.summary, "failures": found.failures}
        print(to_json({**record, "t": found.t.tolist(), "loss": found.loss.tolist()}))
    else:
        print(f"{problem.headline}\n\n{found!r}")
    return 0
