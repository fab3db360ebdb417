"""What `symflow docs` writes beside the reference: a front, theorems, notebooks."""

from __future__ import annotations

import inspect
import json
import re
import sys
from base64 import b64decode
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from symflow import plot
from symflow.algebra.page import document, html_table, powers
from symflow.analysis.figures import Drawing, canvas, drawn
from symflow.analysis.mathml import mathml
from symflow.claims import Bound, Claim
from symflow.conservation import Law
from symflow.files import whole_file, write_text
from symflow.gallery import ENTRIES, EnsembleEntry, Entry, PathEntry, coverage
from symflow.gallery.coverage import CataloguedResult
from symflow.gallery.page import source
from symflow.simulation import simulate
from symflow.solutions import Solution
from symflow.trajectory import Trajectory


def write_front(folder: Path) -> None:
    """Write index.html: the names by task, from the docstring of the package."""
    package = sys.modules["symflow"]
    about, _, tasks = str(package.__doc__).partition("What to use for what:")
    parts = [
        f"<h2>{task}</h2><dl>{''.join(map(_entry, re.findall('`(.*?)`', names)))}</dl>"
        for task, names in re.findall(r"\* (\w+): (.*)", tasks)
    ]
    body = (
        '<ul><li><a href="symflow.html">the reference</a>, every public name</li>'
        '<li><a href="theorems.html">the theorems</a>, each with its picture</li>'
        f'<li><a href="notebooks.html">the notebooks</a></li></ul>{"".join(parts)}'
    )
    page = document("symflow", about.split("\n")[0], body, good=True)
    write_text(folder / "index.html", page, "docs")


def _entry(name: str) -> str:
    file = "symflow/plot.html" if name == "plot" else f"symflow.html#{name}"
    said = str(inspect.getdoc(getattr(sys.modules["symflow"], name))).split("\n")[0]
    return f'<dt><a href="{file}"><code>{name}</code></a></dt><dd>{escape(said)}</dd>'


def write_notebooks(folder: Path, notebooks: Iterable[Path]) -> None:
    """Write notebooks.html, and beside it each notebook with its first picture."""
    cards = []
    for path in notebooks:
        text = path.read_text("utf-8")
        write_text(folder / "notebooks" / path.name, text, "docs")
        cells = json.loads(text)["cells"]
        title, _, about = "".join(cells[0]["source"]).partition("\n\n")
        about = re.sub("[`$](.+?)[`$]", r"<code>\1</code>", escape(about))
        cards.append(
            f'<h2><a href="notebooks/{path.name}">{escape(title.lstrip("# "))}</a></h2>'
            f"<p>{about}</p>"
        )
        for output in (o for cell in cells for o in cell.get("outputs", ())):
            if "image/png" in output.get("data", {}):
                picture = f"notebooks/{path.stem}.png"
                with whole_file(folder / picture, "docs") as file:
                    file.write(b64decode("".join(output["data"]["image/png"])))
                words = f"the first picture of {path.stem}"
                cards[-1] += f'<p><img src="{picture}" alt="{words}"></p>'
                break
    said = "Each is a file for Jupyter, with its outputs"
    _write(folder / "notebooks.html", "Notebooks", said, "".join(cards))


def write_theorems(folder: Path) -> None:
    """Write theorems.html, and a page for each result that is a theorem."""
    results, seen = coverage().results, dict(map(_seen, reversed(ENTRIES)))
    rows = []
    for result in results:
        name = escape(result.name)
        if result.kind not in ("experiment", "erratum"):
            page, found = f"theorems/{result.name}.html", seen.get(result.name)
            of = [each for each in results if each.name == result.name]
            body = _theorem(of, *found) if found else _beginning(of)
            _write(folder / page, result.name, f"{result.result}.", body)
            name = f'<a href="{page}">{name}</a>'
        rows.append(
            [name, *map(escape, (result.kind, str(result.paper), result.result))]
        )
    labels = ("result", "kind", "paper", "what it says")
    said = f"{len(results)} results; a theorem has a page of its own"
    _write(folder / "theorems.html", "Theorems", said, html_table(labels, rows))


def _seen(entry: Entry) -> tuple[str, Any]:
    """Return a claim by its name, with a trajectory that it is about."""
    if isinstance(entry, EnsembleEntry):
        claim, path = next(entry.instances())
    elif isinstance(entry, PathEntry):
        given = entry.instance()
        claim = entry.claim(given)
        times = np.linspace(0, float(given.t[-1]), 81)
        path = simulate(given.flow, given.data, given.init, times)
    else:
        return entry.key, None
    return type(claim).__name__, (claim, path)


def _beginning(results: list[CataloguedResult]) -> str:
    return "<h2>Source</h2>" + "".join(
        f"<p>{source(result.paper)}</p><p>From the paper: "
        f"{escape(result.contributes)}. How it stands: {escape(result.proof)}.</p>"
        for result in results
    )


def _theorem(results: list[CataloguedResult], claim: Claim, path: Trajectory) -> str:
    said = [powers(escape(str(one))) for one in claim.hypotheses]
    checked = "".join(f"<li>{line}</li>" for line in said)
    with drawn():
        figure, axes = canvas()
        if isinstance(claim, Bound):
            plot.bounds(path, claim, axes)
            about = "What is bounded, under its bound"
        elif isinstance(claim, Law):
            plot.drift(path, ax=axes)
            about = "What drifts of the conserved quantities: errors of the integrator"
        else:
            plot.modes(path, claim if isinstance(claim, Solution) else None, axes)
            about = "Singular values of W(t), dashed the closed form, where it is one"
    about = f"{about}; on the reference instance: {path.flow.network!r}"
    drawing = Drawing(claim.name, about, figure)
    return (
        f'<h2>Statement</h2><div class="formula">{mathml(claim.statement)}</div>'
        f"<h2>Hypotheses, as checked on the instance below</h2><ul>{checked}</ul>"
        f"{_beginning(results)}<h2>On an instance</h2><figure>{drawing.inline}"
        f"<figcaption>{escape(about)}.</figcaption></figure>"
    )


def _write(file: Path, title: str, said: str, body: str) -> None:
    up = "../" if file.parent.name == "theorems" else ""
    links = {"index": "symflow", "theorems": "all theorems"}.items()
    home = " · ".join(f'<a href="{up}{page}.html">{name}</a>' for page, name in links)
    write_text(file, document(title, said, f"<p>{home}</p>{body}", good=True), "docs")
