"""What `symflow docs` writes beside the reference: a front, theorems, notebooks."""

from __future__ import annotations

import inspect
import json
import re
import sys
from base64 import b64decode
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from symflow import plot
from symflow.algebra.page import render
from symflow.analysis.figures import Drawing, canvas, drawn
from symflow.bias import SingularVectors, implicit_bias
from symflow.claims import Bound, Claim
from symflow.conservation.descent import StepLaw
from symflow.conservation.law import Quantity
from symflow.data import Dataset
from symflow.files import whole_file, write_text
from symflow.flow import gradient_flow
from symflow.gallery import ENTRIES, EnsembleEntry, Entry, PathEntry, coverage
from symflow.gallery.one_neuron import descended, efforts
from symflow.losses import ExponentialLoss
from symflow.networks import ConvolutionalNetwork
from symflow.plot.canvas import float_times, over_time, without_zeros
from symflow.simulation import simulate
from symflow.solutions import Solution
from symflow.trajectory import Trajectory


def write_front(folder: Path) -> None:
    """Write index.html: the names by task, from the docstring of the package."""
    package: Any = sys.modules["symflow"]
    about, _, tasks = str(package.__doc__).partition("What to use for what:")
    found = {
        task: {
            name: str(inspect.getdoc(getattr(package, name))).split("\n")[0]
            for name in re.findall("`(.*?)`", names)
        }
        for task, names in re.findall(r"\* (\w+): (.*)", tasks)
    }
    said = {"title": "symflow", "verdict": about.split("\n")[0], "good": True}
    page = render("cli/front.html", tasks=found, **said)
    write_text(folder / "index.html", page, "docs")


def write_notebooks(folder: Path, notebooks: Iterable[Path]) -> None:
    """Write notebooks.html, and beside it each notebook with its first picture."""
    cards: list[dict[str, Any]] = []
    for path in notebooks:
        text = path.read_text("utf-8")
        write_text(folder / "notebooks" / path.name, text, "docs")
        cells = json.loads(text)["cells"]
        title, _, about = "".join(cells[0]["source"]).partition("\n\n")
        plain = about.replace(r"\mathcal{L}", "ℒ").replace(r"^\top", "ᵀ")
        words = re.split("[`$](.+?)[`$]", plain.replace("\\log", "log"))
        cards.append({"file": path.name, "title": title.lstrip("# "), "about": words})
        outputs = (o for cell in cells for o in cell.get("outputs", ()))
        pictures = (o["data"]["image/png"] for o in outputs if "image/png" in str(o))
        first = next(pictures, None)
        cards[-1]["picture"] = first and f"notebooks/{path.stem}.png"
        if first is not None:
            with whole_file(folder / f"notebooks/{path.stem}.png", "docs") as file:
                file.write(b64decode("".join(first)))
    said = "Each is a file for Jupyter, with its outputs"
    _write(folder / "notebooks.html", "Notebooks", said, cards=cards)


def write_theorems(folder: Path) -> None:
    """Write theorems.html, and a page for each result that is a theorem."""
    results = coverage().results
    seen = _unseen() | dict(map(_seen, reversed(ENTRIES)))
    kinds = ("experiment", "erratum")
    pages = {one.name: one for one in results if one.kind not in kinds}
    for name, result in pages.items():
        claim, path = seen[name]
        _write(
            folder / f"theorems/{name}.html",
            name,
            f"{result.result}.",
            claim=claim,
            results=[one for one in results if one.name == name],
            drawing=_drawing(claim, path),
        )
    said = f"{len(results)} results; a theorem has a page of its own"
    _write(
        folder / "theorems.html", "Theorems", said, results=results, pages=list(pages)
    )


def _seen(entry: Entry) -> tuple[str, Any]:
    """Return a claim by its name, with a trajectory that it is about."""
    if isinstance(entry, EnsembleEntry):
        claim, path = next(entry.instances())
    elif isinstance(entry, PathEntry):
        given = entry.instance()
        claim = entry.claim(given)
        times = np.linspace(0, float(given.t[-1]), 81)
        path = given.run
        if given.instead is None:
            path = simulate(given.flow, given.data, given.init, times)
    else:
        return entry.key, None
    return type(claim).__name__, (claim, path)


def _unseen() -> dict[str, Any]:
    """Return claims that only experiments are about, each with a trajectory."""
    effort = efforts()[0]
    flow = gradient_flow(ConvolutionalNetwork(3, (2, 2)), ExponentialLoss())
    problem = flow, Dataset([[1.0, 2.0, 0.0]], [1.0]), ([1.5, 0.5], [1.0, 0.4])
    run = simulate(*problem, [0, *np.geomspace(0.1, 1e6, 60)])
    return {
        type(effort).__name__: (effort, descended(effort)),
        "SingularVectors": (implicit_bias(*problem), run),
    }


def _drawing(claim: Claim, path: Trajectory) -> Drawing:
    with drawn():
        figure, axes = canvas()
        if isinstance(claim, Bound):
            plot.bounds(path, claim, axes)
            about = "What is bounded, under its bound"
        elif isinstance(claim, Quantity | StepLaw):
            values = without_zeros(claim.residuals(path), 10.0**-path.digits)
            _curve(axes, path, values, "deviation, relative")
            about = "How far the numbers are off the law: rounding and integrator"
        elif isinstance(claim, SingularVectors):
            ends = map(claim.kkt_residual, zip(*path.weights, strict=True))
            _curve(axes, path, list(ends), "from weights to force")
            about = "The largest distance between the directions of weights and force"
        else:
            plot.modes(path, claim if isinstance(claim, Solution) else None, axes)
            about = "Singular values of W(t), dashed the closed form, where it is one"
    about = f"{about}; on the reference instance: {path.flow.network!r}."
    return Drawing(claim.name, about, figure)


def _curve(axes: Any, path: Trajectory, values: Any, label: str) -> None:
    axes.semilogy(float_times(path), values, marker=".", markersize=3)
    over_time(axes, float_times(path), label)


def _write(file: Path, title: str, said: str, **names: Any) -> None:
    is_theorem = file.parent.name == "theorems"
    template = f"cli/{'theorem' if is_theorem else file.stem}.html"
    up = "../" if is_theorem else ""
    names |= {"title": title, "verdict": said, "good": True, "up": up}
    write_text(file, render(template, **names), "docs")
