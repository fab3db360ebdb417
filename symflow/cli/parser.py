"""What the command line accepts."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from itertools import chain
from typing import Any, NoReturn

from symflow.cli import files, options, runs, theorems, verbs
from symflow.errors import InvalidArgument

#: Examples that the help of a verb ends with.
_EXAMPLES = {
    "analyze": (
        "symflow analyze                             the diabetes data, two layers",
        "symflow analyze linnerud --hidden 3,3 --digits 30",
        "symflow analyze diabetes --network 'diagonal 10 3' --scale 1",
        "symflow analyze spam.csv --target label --raw --loss logistic",
        "symflow analyze houses.csv --target price --hidden 8 --out houses-report",
        "symflow analyze houses.csv --target price --drop id --missing mean",
    ),
    "derive": (
        "symflow derive --widths d,h,m --l2 lambda   equations for every width",
        "symflow derive --network 'diagonal d 3 signed' --loss logistic --latex",
        "symflow derive --model 'V*R*R*U + S' --shapes 'V=2x3 R=3x3 U=3x4 S=2x4'",
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
        "symflow simulate linnerud --end 1 --digits 40 --out run.csv",
    ),
    "sweep": (
        "symflow sweep --runs 16 --end 5             many draws of the start",
        "symflow sweep linnerud --runs 100 --out runs.sweep --quiet",
    ),
    "rates": (
        "symflow rates --hidden 12 --scale 0.5       how fast, and by which theorem",
        "symflow rates linnerud --json",
    ),
    "bias": (
        "symflow bias --hidden 12 --init balanced    the limit, before any run",
        "symflow bias linnerud --json                or why nothing predicts it",
    ),
    "certify": (
        "symflow certify linnerud --hidden 1 --end 1 --points 3",
        "symflow certify linnerud --hidden 1 --end 1 --out proof.json",
    ),
    "validate": (
        "symflow validate --init spectral            exit code 1 if a check fails",
        "symflow validate houses.csv --target price --digits 30 --json",
    ),
    "audit": (
        "symflow audit claims.toml                   exit code 1 if one is refuted",
        "symflow audit claims.toml --out audit       a page, JSON, and certificates",
    ),
    "write": (
        "symflow write flow.py --widths d,h,m        a simulator, NumPy alone",
        "symflow write flow.py --widths 10,5,1 --force && python flow.py",
        "symflow write - --widths 3,2,1              on standard output",
    ),
    "checker": (
        "symflow checker check.py                    then: python check.py c.json",
    ),
    "atlas": (
        "symflow atlas --only gidel                  these claims, each with its check",
        "symflow atlas --list                        what is covered, by which paper",
        "symflow atlas --out atlas                   atlas.html and atlas.json",
    ),
    "docs": (
        "symflow docs reference                      then open reference/index.html",
    ),
    "notebooks": (
        "symflow notebooks tour                      then: jupyter lab tour",
    ),
    "env": ("symflow env --json                          for a bug report",),
}


#: What stands above the options.
_NOTES = {
    "audit": """

The file, in TOML; a number is 2, 0.1 or "1/3", a formula SymPy or LaTeX:
  title, loss, l2; start = [[[1, 0]], [[1]]], one matrix per weight
  [model]    widths = [2, 1, 1], or network, or formula and shapes
  [data]     sigma_xx, sigma_yx, or inputs, targets, or name, or file, target
  [[claim]]  kind = "…", and
    law, equation       text
    count, rate         number
    limit, direction    value
    jumps               times, supports
    numbers             text, time, printed"""
}

#: Which verb is for what, as the front page of the package has it.
_TASKS = """\
by task:
  derive    derive
  conserve  conserved
  solve     solve, bias, rates
  simulate  simulate, sweep
  prove     certify, validate, audit, checker
  export    write
  look      analyze, atlas, notebooks, docs"""


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
        epilog=f"{_TASKS}\n\n{_examples(*(line[0] for line in _EXAMPLES.values()))}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    # Nothing imports the contents page, which is loaded before anything inside it.
    version = vars(sys.modules["symflow"])["__version__"]
    top.add_argument("--version", action="version", version=f"symflow {version}")
    verb = top.add_subparsers(metavar="VERB", required=True, parser_class=_Parser)
    for name, run, about, *groups in _VERBS:
        added = verb.add_parser(
            name,
            help=about,
            description=f"{about[0].upper()}{about[1:]}.{_NOTES.get(name, '')}",
            epilog=_examples(*_EXAMPLES[name]),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        for option, told in chain(*groups, options.OUTPUT):
            added.add_argument(option, **told)
        added.set_defaults(verb=run)
    return top


def _examples(*lines: str) -> str:
    return "\n".join(["examples:", *(f"  {line}" for line in lines)])


#: Data, and a model that learns them.
_LEARNED = (*options.DATA, *options.WHITENING, *options.MODEL)

#: Name, function, what it does, and the groups of its options.
_VERBS: tuple[tuple[str, Callable[..., int], str, *tuple[Any, ...]], ...] = (
    (
        "analyze",
        verbs.analyze,
        "derive, solve, integrate and validate on real data; write a report",
        options.DATA,
        options.MODEL,
        options.PRECISION,
        options.REPORT,
    ),
    (
        "derive",
        verbs.derive,
        "print the equations of a network's gradient flow",
        options.FLOW,
        options.MODEL,
        options.LATEX,
    ),
    (
        "conserved",
        verbs.conserved,
        "print the conserved quantities and their proof",
        options.FLOW,
        options.MODEL,
    ),
    (
        "solve",
        verbs.solve,
        "print the closed form that applies, or why none does; exit code 1 if none",
        _LEARNED,
    ),
    (
        "simulate",
        runs.simulate,
        "integrate the flow and print loss and singular values",
        _LEARNED,
        options.TIMES,
        options.RUN,
        options.FORCE,
    ),
    (
        "sweep",
        runs.sweep,
        "integrate many draws of the start and print how they spread",
        _LEARNED,
        options.END,
        options.DRAWS,
    ),
    (
        "rates",
        theorems.rates,
        "print the rates that are guaranteed; exit code 1 if none is",
        _LEARNED,
    ),
    (
        "bias",
        theorems.bias,
        "print the limit that is predicted; exit code 1 if none is",
        _LEARNED,
    ),
    (
        "certify",
        theorems.certify,
        "prove laws, closed form and rates on the data; exit code 1 if one is false",
        _LEARNED,
        options.PROVEN_TIMES,
        options.PROOF,
        options.FORCE,
    ),
    (
        "validate",
        verbs.validate,
        "run the checks of analyze without a report; exit code 1 if one fails",
        options.DATA,
        options.MODEL,
        options.PRECISION,
    ),
    (
        "audit",
        verbs.audit,
        "settle the claims of a file, one by one; exit code 1 if one is refuted",
        options.CLAIMS,
    ),
    (
        "write",
        files.write,
        "write a simulator of the flow that needs NumPy alone",
        options.FILE,
        options.FLOW,
        options.MODEL,
        options.FORCE,
    ),
    (
        "checker",
        files.checker,
        "write the program that checks certificates, which needs Python alone",
        options.FILE,
        options.FORCE,
    ),
    (
        "atlas",
        verbs.atlas,
        "hold every claim against its reference instance; exit code 1 if one fails",
        options.ATLAS,
    ),
    (
        "notebooks",
        files.notebooks,
        "copy the notebooks into a directory and say how they are opened",
        options.FOLDER,
        options.FORCE,
    ),
    (
        "docs",
        files.docs,
        "write the reference of all public names as web pages",
        options.FOLDER,
        options.FORCE,
    ),
    (
        "env",
        verbs.env,
        "print the versions of symflow and of what it computes with",
    ),
)
