"""The options of the verbs, in groups that several of them share."""

from __future__ import annotations

from typing import Any

#: The names of the data sets, which `symflow.data` would take a second to say.
BUNDLED = ("diabetes", "linnerud", "digits", "digit_classes")

#: An argument or an option: its name, and what `add_argument` is told of it.
Option = tuple[str, dict[str, Any]]


def _flag(name: str, about: str) -> Option:
    return name, {"action": "store_true", "help": about}


def _text(name: str, about: str, **more: Any) -> Option:
    return name, {"help": about, **more}


def _number(name: str, default: int | float | None, about: str, **more: Any) -> Option:
    kind = int if default is None else type(default)
    return name, {"type": kind, "default": default, "help": about, **more}


_DECAY = _text(
    "--l2",
    "weight decay: a number, or a name where nothing is computed",
    default="0",
    metavar="NUMBER",
)

#: The data, the widths and the start.
DATA = (
    _text(
        "data",
        f"{', '.join(BUNDLED)}, FILE.csv or - for standard input "
        "(default: %(default)s)",
        nargs="?",
        default="diabetes",
    ),
    _text("--target", "target columns of FILE.csv", nargs="+", metavar="COL"),
    _text("--drop", "columns of FILE.csv to leave out", nargs="+", metavar="COL"),
    _text(
        "--missing",
        "where cells are empty: refuse, drop the row, or fill in the mean",
        choices=("refuse", "drop", "mean"),
    ),
    _flag("--raw", "do not standardize"),
    _text("--widths", "all widths, input to output: 10,5,1"),
    _text("--hidden", "the hidden widths alone: 5 or 8,8"),
    _text(
        "--init",
        "the start (default: %(default)s)",
        choices=("gaussian", "balanced", "spectral"),
        default="gaussian",
    ),
    _number("--scale", 0.01, "its size (default: %(default)s)"),
    _number("--seed", 0, "default: %(default)s"),
    _DECAY,
)

#: Other networks, formulas and losses.
MODEL = (
    _text(
        "--network",
        '"linear 10 5 1", "diagonal 5 3 [signed]" or "convolutional 8 3 3"',
        metavar="WORDS",
    ),
    _text("--model", 'a matrix formula: "V*R*R*U + S"', metavar="FORMULA"),
    _text("--shapes", 'its letters: "V=2x3 R=3x3 U=3x4 S=2x4", all of them trained'),
    _text(
        "--loss",
        "default: %(default)s; the others are for labels 1 and -1",
        choices=("squared", "exponential", "logistic"),
        default="squared",
    ),
)

WHITENING = (_flag("--whiten", "make the inputs uncorrelated first"),)

#: Digits and seconds of the precise run.
PRECISION = (
    _number("--digits", 50, "of the precise run (default: 50)"),
    _number("--budget", 6.0, "for the precise run (default: 6)", metavar="SECONDS"),
)

#: The times alone; with the digits of the integration; with those of the enclosure.
END = (
    _number("--end", 10.0, "default: %(default)s", metavar="T"),
    _number("--points", 11, "times (default: 11)", metavar="N"),
)
TIMES = (
    *END,
    _number("--digits", None, "integrate to so many digits instead of float64"),
)
PROVEN_TIMES = (*END, _number("--digits", 30, "of the enclosure (default: 30)"))

#: The directory of the report.
REPORT = (
    _text("--out", "default: %(default)s", default="symflow-report", metavar="DIR"),
)

#: Widths and weight decay.
FLOW = (_text("--widths", "numbers or names (default: d,h,m)"), _DECAY)

LATEX = (_flag("--latex", "print LaTeX"),)

#: The file or the directory to write, and the permission to replace files.
FILE = (_text("file", "or - for standard output", metavar="FILE.py"),)
FOLDER = (_text("folder", "is made if it is not there", metavar="DIR"),)
FORCE = (_flag("--force", "replace what is there already"),)

#: The files that keep a run, what is proven, and how many draws.
RUN = (
    _text("--out", "keep the run: .npz, .json, .csv, or - for a table", metavar="FILE"),
)
PROOF = (
    _text("--out", "what is proven: .json for the checker, or .npz", metavar="FILE"),
)
DRAWS = (
    _number("--runs", 16, "default: %(default)s"),
    _text("--out", "keep the runs; what is in it is not repeated", metavar="FILE"),
)

#: What of the atlas is shown.
ATLAS = (
    _text("--only", "claims whose key contains this, or of a class", metavar="KEY"),
    _number("--digits", 50, "of exact instances (default: 50)"),
    _text("--out", "write atlas.html and atlas.json", metavar="DIR"),
    _flag("--list", "what is covered, without running it"),
    _flag("--markdown", "the list as the README has it"),
)

#: The file of claims, and where the ledger goes.
CLAIMS = (
    _text("file", "a model and its claims", metavar="CLAIMS.toml"),
    _text("--out", "write page, JSON, certificates", metavar="DIR"),
)

#: What every verb knows.
OUTPUT = (
    _flag("--json", "print JSON"),
    _flag("--quiet", "show no progress on standard error"),
)
