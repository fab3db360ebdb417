"""From words of the command line to data, network and start."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from symflow.algebra.widths import LARGEST_WIDTH, check_depth
from symflow.analysis.optimum import whitened_problem
from symflow.data import Dataset, Moments, load_dataset
from symflow.data.bundled import BUNDLED
from symflow.data.moments import counted
from symflow.errors import InvalidArgument, InvalidData
from symflow.flow import GradientFlow, gradient_flow
from symflow.flow.times import MOST_TIMES
from symflow.inits import Init, balanced_init, gaussian_init, spectral_init
from symflow.losses import SquaredLoss
from symflow.networks import LinearNetwork
from symflow.trajectory import Trajectory

#: Hidden width where none is asked for, if there are as many inputs.
HIDDEN = 5


@dataclass(frozen=True)
class StatedProblem:
    """What `analyze` and `validate` work on.

    Parameters
    ----------
    name, preparation : str
        What the data are called, and what was done to them.
    data : Dataset or Moments
        The data after that.
    flow : GradientFlow
        On the network.
    init : Init
        The start.
    """

    name: str
    preparation: str
    data: Dataset | Moments
    flow: GradientFlow
    init: Init

    @property
    def headline(self) -> str:
        """One line that says what is analysed."""
        data = self.data
        samples = [] if data.n is None else [counted(data.n, "sample")]
        sizes = [counted(data.d, "input"), counted(data.m, "target")]
        size = ", ".join([*samples, *sizes])
        return (
            f"{self.name} ({self.preparation}): {size}\n"
            f"{self.flow.network!r}, {self.flow.loss!r}, {self.init!r}"
        )


def problem_of(options: argparse.Namespace) -> StatedProblem:
    """Return the problem that the options describe.

    Parameters
    ----------
    options : argparse.Namespace
        Of `analyze` or `validate`.

    Raises
    ------
    InvalidArgument
        If the options do not fit together or to the data.
    InvalidData
        If the data cannot be read or used.
    """
    name, loaded = _load(options.data, options.target)
    data: Dataset | Moments
    data, preparation = (loaded, "as given") if options.raw else _prepared(loaded)
    if getattr(options, "whiten", False):
        data, preparation = (
            whitened_problem(data.moments()),
            f"{preparation}, whitened",
        )
    network = LinearNetwork(*_all_widths(data, options.widths, options.hidden))
    flow = gradient_flow(network, SquaredLoss())
    return StatedProblem(name, preparation, data, flow, _start(options))


def flow_of(widths: str, l2: str) -> GradientFlow:
    """Return the flow of the squared loss on a network of these widths.

    Parameters
    ----------
    widths : str
        Numbers or names with commas between them.
    l2 : str
        Weight decay: a number or a name.

    Examples
    --------
    >>> flow_of("3,h,1", "1/10").network
    LinearNetwork(3, 'h', 1)
    """
    return gradient_flow(LinearNetwork(*_parsed(widths)), SquaredLoss(l2=l2))


def integrated(problem: StatedProblem, options: argparse.Namespace) -> Trajectory:
    """Return the trajectory that the options of `simulate` ask for.

    Parameters
    ----------
    problem : StatedProblem
        What is integrated.
    options : argparse.Namespace
        With `end`, `points` and `digits`.

    Raises
    ------
    InvalidArgument
        If they make no sense.
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
    times = [last * step / steps for step in range(options.points)]
    given = problem.flow, problem.data, problem.init, times
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


def _load(word: str, target: list[str] | None) -> tuple[str, Dataset]:
    if word in BUNDLED:
        if target:
            msg = f"--target is for files; the targets of {word!r} are fixed"
            raise InvalidArgument(msg)
        return word, load_dataset(word)
    path = Path(word)
    if not path.suffix and not path.exists():
        known = ", ".join(BUNDLED)
        msg = f"there is no data set and no file {word!r}; the data sets are {known}"
        raise InvalidArgument(msg)
    if not target:
        msg = f"{word!r} needs --target COL …: which columns the network has to learn"
        raise InvalidArgument(msg)
    columns = [name for part in target for name in part.split(",") if name]
    return path.name, Dataset.from_csv(path, target=columns)


def _prepared(data: Dataset) -> tuple[Dataset, str]:
    """Standardize; images, where some pixels never vary, get one common unit."""
    if np.array_equal(data.X, data.Y):
        centered = data.centered()
        unit = float(np.sqrt(np.mean(centered.X**2)))
        if unit > 0:
            names = {"inputs": data.inputs, "targets": data.targets}
            scaled = Dataset(centered.X / unit, centered.Y / unit, **names)
            return scaled, "centered, mean variance 1"
    try:
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
        inner = [min(HIDDEN, data.d)] if hidden is None else _parsed(hidden)
        return _integers([data.d, *inner, data.m])
    given = _integers(_parsed(widths))
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


def _parsed(text: str) -> list[int | str]:
    """Return numbers as integers and leave names for the network to judge."""
    words = [word.strip() for word in text.split(",") if word.strip()]
    check_depth(len(words) - 1, "--widths")
    for word in words:
        if word.removeprefix("-").isdecimal() and len(word) > len(str(LARGEST_WIDTH)):
            msg = f"a width may be at most {LARGEST_WIDTH}; got {word[:40]}…"
            raise InvalidArgument(msg)
    return [int(w) if w.removeprefix("-").isdecimal() else w for w in words]


def _integers(widths: list[Any]) -> list[Any]:
    for width in widths:
        if not isinstance(width, int) or width < 1:
            msg = f"a width has to be a positive integer here; got {str(width)!r}"
            raise InvalidArgument(msg)
    return widths
