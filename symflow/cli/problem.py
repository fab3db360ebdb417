"""From words of the command line to data, network and start."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from symflow.analysis.optimum import whitened_problem
from symflow.cli.model import check_fits, loss_of, stated_network
from symflow.data import Dataset, Moments, load_dataset
from symflow.data.bundled import BUNDLED
from symflow.data.moments import counted
from symflow.errors import InvalidArgument, InvalidData
from symflow.flow import GradientFlow, gradient_flow
from symflow.flow.times import MOST_TIMES
from symflow.inits import Init, balanced_init, gaussian_init, spectral_init
from symflow.losses import Loss
from symflow.losses.margin import MarginLoss
from symflow.networks import LinearNetwork
from symflow.networks.wording import widths_in
from symflow.trajectory import Trajectory

#: Hidden width where none is asked for, if there are as many inputs.
HIDDEN = 5


@dataclass(frozen=True)
class StatedProblem:
    """What `analyze` and `validate` work on."""

    #: `name`, `preparation`: what the data are called, and what was done to them.
    name: str
    preparation: str
    data: Dataset | Moments  #: The data after that.
    flow: GradientFlow  #: On the network.
    init: Init  #: The start.

    @property
    def headline(self) -> str:
        """One line that says what is analysed."""
        from symflow.analysis.record import size_words

        return (
            f"{self.name} ({self.preparation}): {size_words(self.data)}\n"
            f"{self.flow.network!r}, {self.flow.loss!r}, {self.init!r}"
        )


def problem_of(options: argparse.Namespace) -> StatedProblem:
    """Return the problem that the options describe.

    Raises InvalidArgument if the options do not fit together or to the data, and
    InvalidData if the data cannot be read or used.
    """
    loss = loss_of(options)
    if loss.l2.free_symbols:
        msg = f"--l2 {options.l2}: needs a number here, because the data are numbers"
        raise InvalidArgument(msg)
    name, preparation, data = _data(options, loss)
    network = stated_network(options)
    if network is None:
        network = LinearNetwork(*_all_widths(data, options.widths, options.hidden))
    check_fits(network, data.d, data.m)
    flow = gradient_flow(network, loss)
    return StatedProblem(name, preparation, data, flow, _start(options))


def _data(options: argparse.Namespace, loss: Loss) -> tuple[str, str, Any]:
    """Return the name of the data, what was done to them, and the data."""
    name, loaded = _load(options)
    labelled, whiten = isinstance(loss, MarginLoss), getattr(options, "whiten", False)
    if labelled and whiten:
        msg = "--whiten is for the squared loss; the others are no function of moments"
        raise InvalidArgument(msg)
    data, preparation = (loaded, "as given")
    if not options.raw:
        data, preparation = _prepared(loaded, labelled=labelled)
    if whiten:
        white = whitened_problem(data.moments())
        return name, f"{preparation}, whitened", white
    return name, preparation, data


def times_of(options: argparse.Namespace) -> list[Fraction]:
    """Return the times from 0 to `--end`, as many as `--points` says.

    Raises InvalidArgument if they make no sense.
    """
    if not 0 < options.end < float("inf"):
        msg = f"--end {options.end:g}: needs a time after the start, which is at t = 0"
        raise InvalidArgument(msg)
    if not 2 <= options.points <= MOST_TIMES:
        msg = (
            f"--points {options.points}: needs at least the start and the end, and at "
            f"most {MOST_TIMES} times"
        )
        raise InvalidArgument(msg)
    last, steps = Fraction(options.end), options.points - 1
    return [last * step / steps for step in range(options.points)]


def integrated(problem: StatedProblem, options: argparse.Namespace) -> Trajectory:
    """Return the trajectory that the options of `simulate` ask for.

    Raises InvalidArgument if they make no sense.
    """
    given = problem.flow, problem.data, problem.init, times_of(options)
    if options.digits is None:
        from symflow.simulation import simulate

        return simulate(*given)
    from symflow.precision import precise

    return precise(*given, digits=options.digits)


def _start(options: argparse.Namespace) -> Init:
    if options.init == "spectral":
        return spectral_init(options.scale)
    rule = balanced_init if options.init == "balanced" else gaussian_init
    start: Init = rule(options.scale, rng=options.seed)
    return start


def _load(options: argparse.Namespace) -> tuple[str, Dataset]:
    word = options.data
    if word in BUNDLED:
        for option in ("target", "drop", "missing"):
            if getattr(options, option):
                msg = f"--{option} is for files; the columns of {word!r} are fixed"
                raise InvalidArgument(msg)
        return word, load_dataset(word)
    path = Path(word)
    if word != "-" and not path.suffix and not os.path.exists(path):
        known = ", ".join(BUNDLED)
        msg = f"there is no data set and no file {word!r}; the data sets are {known}"
        raise InvalidArgument(msg)
    if not options.target:
        msg = f"{word!r} needs --target COL …: which columns the network has to learn"
        raise InvalidArgument(msg)
    used = _columns(options.target), _columns(options.drop), options.missing or "refuse"
    if word != "-":
        return path.name, Dataset.from_csv(path, *used)
    with TemporaryDirectory() as folder:  # a copy of what is piped in is a file as any
        copy = Path(folder, "standard input")
        copy.write_bytes(sys.stdin.buffer.read())
        return copy.name, Dataset.from_csv(copy, *used)


def _columns(parts: list[str] | None) -> list[str]:
    return [name for part in parts or () for name in part.split(",") if name]


def _prepared(data: Dataset, *, labelled: bool) -> tuple[Dataset, str]:
    """Standardize; images, where some pixels never vary, get one common unit.

    Labels ±1 stay what they are.
    """
    if np.array_equal(data.X, data.Y):
        centered = data.centered()
        unit = float(np.sqrt(np.mean(centered.X**2)))
        if unit > 0:
            names = {"inputs": data.inputs, "targets": data.targets}
            scaled = Dataset(centered.X / unit, centered.Y / unit, **names)
            return scaled, "centered, mean variance 1"
    try:
        if labelled:
            scaled = replace(data, Y=data.X, targets=data.inputs).standardized()
            return replace(data, X=scaled.X), "inputs standardized"
        return data.standardized(), "standardized"
    except InvalidData as problem:
        msg = f"{problem}; on the command line --raw takes the data as they are"
        raise InvalidData(msg) from None


def _all_widths(
    data: Dataset | Moments, widths: str | None, hidden: str | None
) -> list[Any]:
    if widths is not None and hidden is not None:
        msg = "--widths and --hidden exclude each other"
        raise InvalidArgument(msg)
    if widths is None:
        inner: list[Any] = [min(HIDDEN, data.d)]
        if hidden is not None:
            inner = widths_in(hidden, "--hidden", least=1)
        return _integers([data.d, *inner, data.m])
    given = _integers(widths_in(widths, least=1))
    if len(given) == 1:
        return [data.d, *given, data.m]
    if (given[0], given[-1]) != (data.d, data.m):
        msg = (
            f"--widths {widths}: these data have {counted(data.d, 'input')} and "
            f"{counted(data.m, 'target')}, so the widths have to begin with {data.d} "
            f"and end with {data.m}; --hidden takes the hidden widths alone"
        )
        raise InvalidArgument(msg)
    return given


def _integers(widths: list[Any]) -> list[Any]:
    for width in widths:
        if not isinstance(width, int) or width < 1:
            msg = f"a width has to be a positive integer here; got {str(width)!r}"
            raise InvalidArgument(msg)
    return widths
