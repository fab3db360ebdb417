"""The options of the verbs, in groups that several of them share."""

from __future__ import annotations

import argparse

#: The names of the data sets, which `symflow.data` would take a second to say.
BUNDLED = ("diabetes", "linnerud", "digits", "digit_classes")


def add_data(parser: argparse.ArgumentParser) -> None:
    """Add the data, the widths and the start."""
    parser.add_argument(
        "data",
        nargs="?",
        default="diabetes",
        help=f"{', '.join(BUNDLED)}, FILE.csv or - for standard input "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--target", nargs="+", metavar="COL", help="target columns of FILE.csv"
    )
    parser.add_argument("--raw", action="store_true", help="do not standardize")
    parser.add_argument("--widths", help="all widths, input to output: 10,5,1")
    parser.add_argument("--hidden", help="the hidden widths alone: 5 or 8,8")
    parser.add_argument(
        "--init",
        choices=("gaussian", "balanced", "spectral"),
        default="gaussian",
        help="the start (default: %(default)s)",
    )
    parser.add_argument(
        "--scale", type=float, default=0.01, help="its size (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    add_decay(parser)


def add_decay(parser: argparse.ArgumentParser) -> None:
    """Add the weight decay."""
    parser.add_argument(
        "--l2",
        default="0",
        metavar="NUMBER",
        help="weight decay: a number, or a name where nothing is computed",
    )


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add other networks, formulas and losses."""
    parser.add_argument(
        "--network",
        metavar="WORDS",
        help='"linear 10 5 1", "diagonal 5 3 [signed]" or "convolutional 8 3 3"',
    )
    parser.add_argument(
        "--model", metavar="FORMULA", help='a matrix formula: "V*R*R*U + S"'
    )
    parser.add_argument(
        "--shapes", help='its letters: "V=2x3 R=3x3 U=3x4 S=2x4", all of them trained'
    )
    parser.add_argument(
        "--loss",
        choices=("squared", "exponential", "logistic"),
        default="squared",
        help="default: %(default)s; the others are for labels 1 and -1",
    )


def add_whitening(parser: argparse.ArgumentParser) -> None:
    """Add the whitening of the inputs."""
    parser.add_argument(
        "--whiten", action="store_true", help="make the inputs uncorrelated first"
    )


def add_precision(parser: argparse.ArgumentParser) -> None:
    """Add digits and seconds of the precise run."""
    parser.add_argument(
        "--digits", type=int, default=50, help="of the precise run (default: 50)"
    )
    parser.add_argument(
        "--budget",
        type=float,
        default=6.0,
        metavar="SECONDS",
        help="for the precise run (default: 6)",
    )


def add_times(parser: argparse.ArgumentParser) -> None:
    """Add the times, and the digits of the integration."""
    add_end(parser)
    parser.add_argument(
        "--digits", type=int, help="integrate to so many digits instead of float64"
    )


def add_proven_times(parser: argparse.ArgumentParser) -> None:
    """Add the times, and the digits of the enclosure."""
    add_end(parser)
    parser.add_argument(
        "--digits", type=int, default=30, help="of the enclosure (default: 30)"
    )


def add_end(parser: argparse.ArgumentParser) -> None:
    """Add the times alone."""
    parser.add_argument(
        "--end", type=float, default=10.0, metavar="T", help="default: %(default)s"
    )
    parser.add_argument(
        "--points", type=int, default=11, metavar="N", help="times (default: 11)"
    )


def add_report(parser: argparse.ArgumentParser) -> None:
    """Add the directory of the report."""
    parser.add_argument(
        "--out", default="symflow-report", metavar="DIR", help="default: %(default)s"
    )


def add_flow(parser: argparse.ArgumentParser) -> None:
    """Add widths and weight decay."""
    parser.add_argument("--widths", help="numbers or names (default: d,h,m)")
    add_decay(parser)


def add_latex(parser: argparse.ArgumentParser) -> None:
    """Add the choice of LaTeX."""
    parser.add_argument("--latex", action="store_true", help="print LaTeX")


def add_file(parser: argparse.ArgumentParser) -> None:
    """Add the file to write."""
    parser.add_argument("file", metavar="FILE.py", help="or - for standard output")


def add_folder(parser: argparse.ArgumentParser) -> None:
    """Add the directory to write into."""
    parser.add_argument("folder", metavar="DIR", help="is made if it is not there")


def add_force(parser: argparse.ArgumentParser) -> None:
    """Add the permission to replace files."""
    parser.add_argument(
        "--force", action="store_true", help="replace what is there already"
    )


def add_run(parser: argparse.ArgumentParser) -> None:
    """Add the file that keeps a run."""
    parser.add_argument(
        "--out",
        metavar="FILE",
        help="keep the run: .npz, .json, .csv, or - for a table",
    )


def add_proof(parser: argparse.ArgumentParser) -> None:
    """Add the file that keeps what is proven."""
    parser.add_argument(
        "--out", metavar="FILE", help="what is proven: .json for the checker, or .npz"
    )


def add_draws(parser: argparse.ArgumentParser) -> None:
    """Add how many draws, and the file that keeps them."""
    parser.add_argument("--runs", type=int, default=16, help="default: %(default)s")
    parser.add_argument(
        "--out", metavar="FILE", help="keep the runs; what is in it is not repeated"
    )


def add_atlas(parser: argparse.ArgumentParser) -> None:
    """Add what of the atlas is shown."""
    parser.add_argument("--only", metavar="KEY", help="claims whose key contains this")
    parser.add_argument(
        "--digits", type=int, default=50, help="of exact instances (default: 50)"
    )
    parser.add_argument("--out", metavar="DIR", help="write atlas.html and atlas.json")
    parser.add_argument(
        "--list", action="store_true", help="what is covered, without running it"
    )
    parser.add_argument(
        "--markdown", action="store_true", help="the list as the README has it"
    )


def add_claims(parser: argparse.ArgumentParser) -> None:
    """Add the file of claims, and where the ledger goes."""
    parser.add_argument("file", metavar="CLAIMS.toml", help="a model and its claims")
    parser.add_argument("--out", metavar="DIR", help="write page, JSON, certificates")
