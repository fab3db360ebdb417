"""The main job: everything that symflow knows about one data set and network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from typing import Any

from symflow.algebra.numbers import whole
from symflow.analysis.horizon import layer_size
from symflow.analysis.optimum import whitened_problem
from symflow.analysis.study import Precision, Progress, Study, study
from symflow.errors import InvalidArgument, shown
from symflow.flow import GradientFlow
from symflow.flow.given import DataLike, InitLike
from symflow.flow.problem import bind
from symflow.inits import spectral_init
from symflow.solutions import Refusal, Solution, attempts
from symflow.validation import Report, Row

#: Default seconds for the high-precision route, over both problems.
BUDGET = 6.0

#: The whitened problem is the easier one and comes first, with this share at most.
WHITENED_SHARE = 0.4


@dataclass(frozen=True, eq=False)
class Analysis:
    """What `analyze` found.

    Parameters
    ----------
    raw : Study
        The data and start as given.
    whitened : Study
        The same targets with whitened input, from a spectral start of the same size.
    mixed : tuple of Solution or Refusal
        The closed forms on whitened input from the given start.
    digits : int
        Decimal digits of the high-precision route.
    seconds : float
        What the whole analysis took.
    """

    raw: Study
    whitened: Study
    mixed: tuple[Solution | Refusal, ...]
    digits: int
    seconds: float

    @property
    def flow(self) -> GradientFlow:
        """The flow that was analysed."""
        return self.raw.flow

    @property
    def studies(self) -> tuple[Study, Study]:
        """Both problems."""
        return self.raw, self.whitened

    @property
    def report(self) -> Report:
        """All rows of both problems, each claim with the problem it is about."""
        rows = [
            _titled(study.title, row)
            for study in self.studies
            for row in study.report.rows
        ]
        return Report(tuple(rows))

    @property
    def ok(self) -> bool:
        """Whether every check holds."""
        return self.report.ok

    @property
    def verdict(self) -> str:
        """One sentence: how the checks went, and where they had no digits to go by."""
        said = self.report.verdict[0].upper() + self.report.verdict[1:]
        bare = [study.title for study in self.studies if study.sharp is None]
        if not bare:
            return said
        return (
            f"{said}, in float64 alone for the {' and '.join(bare)} data: no run at "
            f"{self.digits} digits fitted into the budget"
        )

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended a high-precision run before its budget did."""
        return any(study.covered.interrupted for study in self.studies)


def analyze(
    flow: GradientFlow,
    data: DataLike,
    init: InitLike,
    *,
    digits: int = 50,
    budget: float = BUDGET,
    progress: Progress | None = None,
    keep: Callable[[Study], None] | None = None,
) -> Analysis:
    """Derive, solve, integrate and validate a flow on real data.

    The flow is followed until its loss has converged, in float64, and as far as the
    budget allows at `digits` digits.  The same is done for whitened input from a
    spectral start, where a closed form exists for two layers.  Ctrl-C during a
    high-precision run ends that run; the analysis goes on with what was covered.

    Parameters
    ----------
    flow : GradientFlow
        Of the squared loss; widths fit the data or are symbols.
    data : Dataset or Moments
        What is learned.
    init : Init or sequence of array_like
        Where the flow starts.
    digits : int, keyword-only
        Decimal digits of the high-precision route.
    budget : float, keyword-only
        Seconds for that route, and as many again to hold claims against it: those
        that are not reached say so.
    progress : callable, keyword-only, optional
        Called with the name of a stage and the fraction of it that is done.
    keep : callable, keyword-only, optional
        Called with each `Study` as soon as it is done, the whitened one first.

    Returns
    -------
    Analysis
        See `write_report` for what to do with it.

    Raises
    ------
    InvalidArgument
        If an argument makes no sense.
    ShapeMismatch
        If data, start and network do not fit together.

    Examples
    --------
    >>> import symflow as sf
    >>> from symflow.analysis import analyze
    >>> flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.SquaredLoss())
    >>> data = sf.Moments([[2, 1], [1, 2]], [[1, 0]], [[1]])
    >>> found = analyze(flow, data, sf.gaussian_init(0.1, rng=0), digits=20, budget=5)
    >>> found.ok, found.raw.converged, found.whitened.solution.name
    (True, True, 'LogisticMode')
    """
    check_precision(digits, budget)
    began, report = monotonic(), progress or _silent
    problem = bind(flow, data, init)
    white = whitened_problem(data.moments())
    spectral = spectral_init(_rounded(layer_size(problem.floats)))
    share = Precision(digits, WHITENED_SHARE * budget)
    second = study("whitened", flow, white, spectral, share, report)
    if keep is not None:
        keep(second)
    left = 0.0 if second.covered.interrupted else budget - second.covered.seconds
    share = Precision(digits, max(left, 0.0))
    first = study("raw", flow, data, init, share, report)
    if keep is not None:
        keep(first)
    mixed = attempts(flow, white, init)
    return Analysis(first, second, mixed, digits, monotonic() - began)


def check_precision(digits: Any, budget: Any) -> None:
    """Refuse digits and budgets that make no sense, before any work.

    Raises InvalidArgument if the digits are not positive, or the seconds negative or
    not finite.
    """
    whole(digits, "analyze(digits=…)")
    if not 0 <= budget < float("inf"):
        msg = f"analyze(budget=…): needs seconds, zero or more; got {shown(budget)}"
        raise InvalidArgument(msg)


def _rounded(size: float) -> float:
    """Return two digits of a size, which is all that an equally small start needs."""
    return max(float(f"{size:.2g}"), 1e-6)


def _silent(stage: str, fraction: float) -> None:
    """Report nothing."""


def _titled(title: str, row: Row) -> Row:
    return Row(**{**row.__dict__, "claim": f"{title}: {row.claim}"})
