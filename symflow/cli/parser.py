"""What the command line accepts."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, NoReturn

from symflow.cli import verbs
from symflow.errors import InvalidArgument

#: The names of the data sets, which `symflow.data` would take a second to say.
BUNDLED = ("diabetes", "linnerud", "digits", "digit_classes")

#: Examples that the help of a verb ends with.
_EXAMPLES = {
    "analyze": (
        "symflow analyze                             the diabetes data, two layers",
        "symflow analyze linnerud --hidden 3,3 --digits 30",
        "symflow analyze houses.csv --target price --hidden 8 --out houses-report",
    ),
    "derive": (
        "symflow derive --widths d,h,m --l2 lambda   equations for every width",
        "symflow derive --widths 10,5,5,1 --json",
    ),
    "conserved": (
        "symflow conserved --widths 10,5,5,1         conserved quantities, with proof",
        "symflow conserved --widths d,h,m --l2 1/10  how fast they decay",
    ),
    "solve": (
        "symflow solve diabetes --whiten --init spectral",
        "symflow solve houses.csv --target price     says which hypotheses fail",
    ),
    "simulate": (
        "symflow simulate --end 20 --points 11       loss and singular values",
        "symflow simulate linnerud --end 1 --digits 40 --json",
    ),
    "validate": (
        "symflow validate --init spectral            exit code 1 if a check fails",
        "symflow validate houses.csv --target price --digits 30 --json",
    ),
    "write": (
        "symflow write flow.py --widths d,h,m        a simulator, NumPy alone",
        "symflow write flow.py --widths 10,5,1 && python flow.py",
    ),
    "checker": (
        "symflow checker check.py                    then: python check.py c.json",
    ),
    "atlas": (
        "symflow atlas --only gidel                  these claims, each with its check",
        "symflow atlas --list                        what is covered, by which paper",
        "symflow atlas --out atlas                   atlas.html and atlas.json",
    ),
    "env": ("symflow env --json                          for a bug report",),
}


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
        epilog=_examples(*(lines[0] for lines in _EXAMPLES.values())),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    verb = top.add_subparsers(metavar="VERB", required=True, parser_class=_Parser)
    for name, run, about, *options in _VERBS:
        added = verb.add_parser(
            name,
            help=about,
            description=about[0].upper() + about[1:] + ".",
            epilog=_examples(*_EXAMPLES[name]),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        for add in options:
            add(added)
        added.add_argument("--json", action="store_true", help="print JSON")
        added.set_defaults(verb=run)
    return top


def _examples(*lines: str) -> str:
    return "\n".join(["examples:", *(f"  {line}" for line in lines)])


def _add_data(parser: argparse.ArgumentParser) -> None:
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


def _add_whitening(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--whiten", action="store_true", help="make the inputs uncorrelated first"
    )


def _add_precision(parser: argparse.ArgumentParser) -> None:
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


def _add_times(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--end", type=float, default=10.0, metavar="T", help="default: %(default)s"
    )
    parser.add_argument(
        "--points", type=int, default=11, metavar="N", help="times (default: 11)"
    )
    parser.add_argument(
        "--digits", type=int, help="integrate to so many digits instead of float64"
    )


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", default="symflow-report", metavar="DIR", help="default: %(default)s"
    )


def _add_flow(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--widths", default="d,h,m", help="numbers or names (default: %(default)s)"
    )
    parser.add_argument("--l2", default="0", help="weight decay: a number or a name")


def _add_file(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", metavar="FILE.py")


def _add_atlas(parser: argparse.ArgumentParser) -> None:
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


#: Name, function, what it does, and what adds its options.
_VERBS: tuple[tuple[str, Callable[..., int], str, *tuple[Any, ...]], ...] = (
    (
        "analyze",
        verbs.analyze,
        "derive, solve, integrate and validate on real data; write a report",
        _add_data,
        _add_precision,
        _add_report,
    ),
    (
        "derive",
        verbs.derive,
        "print the equations of a network's gradient flow",
        _add_flow,
    ),
    (
        "conserved",
        verbs.conserved,
        "print the conserved quantities and their proof",
        _add_flow,
    ),
    (
        "solve",
        verbs.solve,
        "print the closed form that applies, or why none does; exit code 1 if none",
        _add_data,
        _add_whitening,
    ),
    (
        "simulate",
        verbs.simulate,
        "integrate the flow and print loss and singular values",
        _add_data,
        _add_whitening,
        _add_times,
    ),
    (
        "validate",
        verbs.validate,
        "run the checks of analyze without a report; exit code 1 if one fails",
        _add_data,
        _add_precision,
    ),
    (
        "write",
        verbs.write,
        "write a simulator of the flow that needs NumPy alone",
        _add_file,
        _add_flow,
    ),
    (
        "checker",
        verbs.checker,
        "write the program that checks certificates, which needs Python alone",
        _add_file,
    ),
    (
        "atlas",
        verbs.atlas,
        "hold every claim against its reference instance; exit code 1 if one fails",
        _add_atlas,
    ),
    (
        "env",
        verbs.env,
        "print the versions of symflow and of what it computes with",
    ),
)
