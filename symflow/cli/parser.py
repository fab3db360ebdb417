"""What the command line accepts."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from symflow.cli import verbs
from symflow.data.bundled import BUNDLED
from symflow.errors import InvalidArgument

_EXAMPLES = """\
examples:
  symflow analyze                             the diabetes data, two layers
  symflow analyze linnerud --hidden 3,3 --digits 30
  symflow analyze houses.csv --target price --hidden 8 --out houses-report
  symflow derive --widths d,h,m --l2 lambda   equations for every width
  symflow conserved --widths 10,5,5,1         conserved quantities, with proof
  symflow validate --init spectral            the checks alone; exit code 1 if one fails
  symflow write flow.py --widths d,h,m        a simulator that needs NumPy alone
  symflow atlas --only gidel                  the theorems, each with its check
  symflow env --json                          versions, for a bug report
"""


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        msg = f"{message}. See '{self.prog} --help'"
        raise InvalidArgument(msg)


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line; `verb` is the function to run."""
    top = _Parser(
        prog="symflow",
        description="Gradient flow of linear networks: derived, solved, checked.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    subparsers = top.add_subparsers(metavar="VERB", required=True, parser_class=_Parser)
    _add_analyze(subparsers)
    for name, verb, about in (
        ("derive", verbs.derive, "print the equations of a network's gradient flow"),
        (
            "conserved",
            verbs.conserved,
            "print the conserved quantities and their proof",
        ),
    ):
        added = subparsers.add_parser(name, help=about, description=about)
        _add_flow(added)
        _add_json(added)
        added.set_defaults(verb=verb)
    about = "run the checks of analyze without a report; exit code 1 if one fails"
    checks = subparsers.add_parser("validate", help=about, description=about)
    _add_problem(checks)
    checks.set_defaults(verb=verbs.validate)
    about = "write a simulator of the flow that needs NumPy alone"
    written = subparsers.add_parser("write", help=about, description=about)
    written.add_argument("file", metavar="FILE.py")
    _add_flow(written)
    written.set_defaults(verb=verbs.write)
    about = "hold every claim against its reference instance; exit code 1 if one fails"
    shown = subparsers.add_parser("atlas", help=about, description=about)
    shown.add_argument("--only", metavar="KEY", help="claims whose key contains this")
    shown.add_argument(
        "--digits", type=int, default=50, help="of exact instances (default: 50)"
    )
    shown.add_argument("--out", metavar="DIR", help="write atlas.html and atlas.json")
    _add_json(shown)
    shown.set_defaults(verb=verbs.atlas)
    about = "print the versions of symflow and of what it computes with"
    env = subparsers.add_parser("env", help=about, description=about)
    _add_json(env)
    env.set_defaults(verb=verbs.env)
    return top


def _add_analyze(subparsers: Any) -> None:
    about = "derive, solve, integrate and validate on real data; write a report"
    parser = subparsers.add_parser("analyze", help=about, description=about)
    _add_problem(parser)
    parser.add_argument(
        "--out", default="symflow-report", metavar="DIR", help="default: %(default)s"
    )
    parser.set_defaults(verb=verbs.analyze)


def _add_problem(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "data",
        nargs="?",
        default="diabetes",
        help=f"{', '.join(BUNDLED)} or FILE.csv (default: %(default)s)",
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
    _add_json(parser)


def _add_flow(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--widths", default="d,h,m", help="numbers or names (default: %(default)s)"
    )
    parser.add_argument("--l2", default="0", help="weight decay: a number or a name")


def _add_json(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print JSON")
