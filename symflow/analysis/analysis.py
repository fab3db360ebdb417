"""The main job: everything that symflow knows about one data set and network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

from symflow.algebra.display import Displayed, Sheet
from symflow.algebra.numbers import whole
from symflow.analysis.horizon import has_spectra, layer_size
from symflow.analysis.optimum import whitened_problem
from symflow.analysis.study import Precision, Study, study
from symflow.errors import InvalidArgument, expect, shown
from symflow.flow import GradientFlow
from symflow.flow.given import DataLike, InitLike
from symflow.flow.problem import bind
from symflow.inits import spectral_init
from symflow.inits.init import number_of
from symflow.progress import Staged, staged
from symflow.solutions import Refusal, Solution, attempts
from symflow.validation import Report

#: Default seconds for the high-precision route, over both problems.
BUDGET = 6.0
#: What counts as for ever.
LONGEST_BUDGET = 10**9

#: The whitened problem is the easier one and comes first, with this share at most.
WHITENED_SHARE = 0.4


@dataclass(frozen=True, eq=False, repr=False)
class Analysis(Displayed):
    """What `analyze` found.

    Parameters
    ----------
    raw : Study
        The data and start as given.
    whitened : Study or None
        The same targets with whitened input, from a spectral start of the same size;
        None but for the squared loss of dense layers, which alone has such starts.
    mixed : tuple of Solution or Refusal
        The closed forms on whitened input from the given start.
    digits : int
        Decimal digits of the high-precision route.
    seconds : float
        What the whole analysis took.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(2, 1), sf.SquaredLoss())
    >>> found = sf.analyze(flow, sf.whitened([[3, 1]]), [[[0, 0]]], digits=20, budget=5)
    >>> found.digits, len(found.studies), found.ok
    (20, 2, True)
    """

    raw: Study
    whitened: Study | None
    mixed: tuple[Solution | Refusal, ...]
    digits: int
    seconds: float

    @property
    def flow(self) -> GradientFlow:
        """The flow that was analysed."""
        return self.raw.flow

    @property
    def studies(self) -> tuple[Study, ...]:
        """The problem, and the one with whitened input where there is one."""
        return (self.raw,) if self.whitened is None else (self.raw, self.whitened)

    @property
    def attempts(self) -> dict[str, tuple[Solution | Refusal, ...]]:
        """The closed forms, by the data and start that they were tried on."""
        if self.whitened is None:
            return {"given data and start": self.raw.attempts}
        return {
            "raw data, given start": self.raw.attempts,
            "whitened, given start": self.mixed,
            "whitened, spectral start": self.whitened.attempts,
        }

    @property
    def report(self) -> Report:
        """All rows of both problems, each claim with the problem it is about."""
        rows = [
            replace(row, claim=f"{study.title}: {row.claim}")
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
        where = "" if self.whitened is None else f" for the {' and '.join(bare)} data"
        return (
            f"{said}, in float64 alone{where}: no run at {self.digits} digits fitted "
            "into the budget"
        )

    def _sheet(self) -> Sheet:
        rows = []
        for one in self.studies:
            rows.append((f"{one.title}, float64", one.convergence))
            rows.append((f"{one.title}, {self.digits} digits", str(one.covered)))
        title = f"{self.flow.network!r}, {self.flow.loss!r}: {self.verdict}"
        return Sheet(title, rows=tuple(rows), whole=".report, write_report(…)")

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
    progress: Staged = None,
    keep: Callable[[Study], None] | None = None,
) -> Analysis:
    """Derive, solve, integrate and validate a flow on real data.

    The flow is followed until its loss has converged, in float64, and as far as the
    budget allows at `digits` digits.  For dense layers and the squared loss the same is
    done for whitened input from a spectral start, where a closed form exists for two
    layers.  Ctrl-C during a high-precision run ends that run; the analysis goes on with
    what was covered.

    Parameters
    ----------
    flow : GradientFlow
        Of any network and loss; widths fit the data or are symbols.
    data : Dataset, Moments or Measurements
        What is learned, of the kind that the loss reads.
    init : Init or sequence of array_like
        Where the flow starts.
    digits : int, keyword-only
        Decimal digits of the high-precision route.
    budget : float, keyword-only
        Seconds for that route, and as many again to hold claims against it: those
        that are not reached say so.
    progress : callable or True, keyword-only, optional
        A bar for each stage, or called with its name and the fraction that is done.
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
    >>> flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.SquaredLoss())
    >>> data = sf.Moments([[2, 1], [1, 2]], [[1, 0]], [[1]])
    >>> init = sf.gaussian_init(0.1, rng=0)
    >>> found = sf.analyze(flow, data, init, digits=20, budget=5)
    >>> found.ok, found.whitened.solution.name, round(found.raw.horizon.limit, 4)
    (True, 'LogisticMode', 0.1667)
    """
    budget = check_precision(digits, budget)
    began, report = monotonic(), staged(progress, "analyze")
    expect(flow, GradientFlow, "analyze(flow)", "a flow of gradient_flow")
    problem = bind(flow, data, init)
    if not has_spectra(flow):
        share = Precision(digits, budget)
        only = study("given", flow, data, init, share, report)
        if keep is not None:
            keep(only)
        return Analysis(only, None, (), digits, monotonic() - began)
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


def check_precision(digits: Any, budget: Any) -> float:
    """Return seconds; refuse digits and budgets that make no sense, before any work.

    Raises InvalidArgument if the digits are not positive, or the seconds negative or
    not finite.
    """
    whole(digits, "analyze(digits=…)")
    known = None if isinstance(budget, str | bool) else number_of(budget)
    if known is None or known < 0:
        msg = f"analyze(budget=…): needs seconds, zero or more; got {shown(budget)}"
        raise InvalidArgument(msg)
    return float(min(known, LONGEST_BUDGET))


def _rounded(size: float) -> float:
    """Return two digits of a size, which is all that an equally small start needs."""
    return max(float(f"{size:.2g}"), 1e-6)
