"""Verbs that write files: write, checker, notebooks and docs."""

from __future__ import annotations

import argparse
import shlex
from importlib.resources import files
from pathlib import Path
from typing import Any

from symflow.errors import NotInstalled

#: What to do with notebooks that were copied.
_OPENING = """\
Open them with: jupyter lab {folder}
Jupyter comes with the extra: pip install 'symflow[notebook]'"""


def write(options: argparse.Namespace) -> int:
    """Write the exported simulator and print its path."""
    from symflow.analysis.record import derivation_record
    from symflow.cli.model import flow_of
    from symflow.cli.output import put
    from symflow.codegen import module_source, write_module

    flow = flow_of(options)

    def record(file: str) -> dict[str, Any]:
        return {"file": str(write_module(flow, file)), **derivation_record(flow)}

    return put(options, lambda: module_source(flow), record)


def checker(options: argparse.Namespace) -> int:
    """Write the checker of certificates and print its path."""
    from symflow.certificate import checker_source, write_checker
    from symflow.cli.output import put

    return put(options, checker_source, lambda file: {"file": str(write_checker(file))})


def notebooks(options: argparse.Namespace) -> int:
    """Copy the notebooks into a directory, and say how they are opened."""
    from symflow.analysis import prepare_folder
    from symflow.analysis.record import to_json
    from symflow.cli.output import check_free
    from symflow.files import write_text

    folder = prepare_folder(options.folder)
    pages = sorted(_notebooks().glob("*.ipynb"))
    copies = [folder / page.name for page in pages]
    for copy in copies:
        check_free(str(copy), options)
    for page, copy in zip(pages, copies, strict=True):
        write_text(copy, page.read_text("utf-8"), f"notebooks {options.folder!r}")
    if options.json:
        print(to_json({"files": [str(copy) for copy in copies]}))
        return 0
    print("\n".join(map(str, copies)))
    print(_OPENING.format(folder=shlex.quote(str(folder))))
    return 0


def docs(options: argparse.Namespace) -> int:
    """Write reference, theorems and notebooks as web pages."""
    from symflow.algebra.page import page_scheme
    from symflow.analysis import prepare_folder
    from symflow.analysis.record import to_json
    from symflow.cli import pages
    from symflow.cli.output import check_free
    from symflow.errors import imported

    pdoc = imported("pdoc", "docs", "docs")
    page = prepare_folder(options.folder) / "index.html"
    check_free(str(page), options)
    room = files("symflow")
    drawn = imported("pdoc.render", "docs")
    drawn.configure(
        docformat="numpy",
        show_source=False,
        template_directory=Path(str(room / "cli" / "reference")),
    )
    drawn.env.globals["scheme"] = page_scheme()
    # The contents page has every public name; of the rooms, it names the pictures.
    # By its path, as the folder where this runs may have another of that name.
    pdoc.pdoc(str(room), r"!symflow\.(?!plot$)", output_directory=page.parent)
    for part in ("theorems", "notebooks"):
        prepare_folder(str(page.parent / part))
    pages.write_theorems(page.parent)
    pages.write_notebooks(page.parent, sorted(_notebooks().glob("*.ipynb")))
    pages.write_front(page.parent)
    print(to_json({"file": str(page)}) if options.json else page)
    return 0


def _notebooks() -> Path:
    """Return the folder of the notebooks, in a wheel or beside the source."""
    room = Path(str(files("symflow")))
    places = [room / "notebooks", room.parent / "notebooks"]
    for place in places:
        if (place / "01_first_flow.ipynb").is_file():
            return place
    msg = "notebooks: this copy of symflow has none; the source distribution does"
    raise NotInstalled(msg)
