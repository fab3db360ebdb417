"""The figures of an analysis, as files and as SVG for both light and dark pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from io import BytesIO, StringIO
from math import log10
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any

from symflow import plot
from symflow.algebra.numbers import to_float
from symflow.algebra.threads import cached_property
from symflow.analysis.analysis import Analysis
from symflow.analysis.study import Study
from symflow.files import whole_file, write_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: The colour of everything that is not a curve; a page replaces it by its own.
INK = "#1f242b"

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

_SIZE = (4.9, 3.3)
_MARGINS = {"left": 0.18, "right": 0.97, "bottom": 0.16, "top": 0.96}

#: The settings of matplotlib are global: threads draw in turn.
_DRAWING = RLock()

_RC: Any = {
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "svg.fonttype": "path",
    # Fixed, so that the same analysis writes the same bytes.
    "svg.hashsalt": "symflow",
}


@dataclass(frozen=True, eq=False)
class Drawing:
    """A figure with its name and caption."""

    name: str  # stem of its files
    caption: str  # what it shows
    figure: Figure  # the picture

    @cached_property
    def source(self) -> str:
        """The picture as an SVG element without background, in the colour `INK`."""
        stream = StringIO()
        with drawn():
            self.figure.savefig(
                stream, format="svg", transparent=True, metadata={"Date": None}
            )
        text = stream.getvalue()
        text = text[text.index("<svg") :].strip()
        return re.sub(r"\s*<metadata>.*?</metadata>", "", text, flags=re.S)

    def render(self) -> None:
        """Draw it now, so that what cannot be drawn is known before it is written."""
        self.source, self.raster  # noqa: B018 - both are kept

    @property
    def inline(self) -> str:
        """The picture as part of a page, in the colour of the page's text."""
        # Names of parts have to differ between the figures of one page.
        text = re.sub(r'(\sid="|href="#|url\(#)', rf"\1{self.name}-", self.source)
        label = escape(self.caption.split(". ")[0])
        opening = f'<svg role="img" aria-label="{label}" '
        return text.replace("<svg ", opening, 1).replace(INK, "currentColor")

    @cached_property
    def raster(self) -> bytes:
        """The picture as a PNG file on white."""
        stream = BytesIO()
        self.figure.savefig(stream, format="png", dpi=150, facecolor="white")
        return stream.getvalue()

    @property
    def file(self) -> str:
        """The picture as an SVG file on white."""
        paper = '<rect width="100%" height="100%" fill="#ffffff"/>'
        return re.sub(r"(<svg [^>]*>)", rf"\1\n {paper}", self.source, count=1) + "\n"

    def save(self, folder: Path) -> tuple[Path, Path]:
        """Write NAME.png and NAME.svg and return their paths.

        Raises OutputError if a file cannot be written.
        """
        png, svg = folder / f"{self.name}.png", folder / f"{self.name}.svg"
        with whole_file(png, f"analyze: {str(png)!r}") as file:
            file.write(self.raster)
        return png, write_text(svg, self.file, f"analyze: {str(svg)!r}")


def drawings(analysis: Analysis) -> tuple[list[Drawing], str]:
    """Draw the figures of an analysis, as far as Matplotlib can.

    A report is not lost for its figures: with a backend that does not exist, or a LaTeX
    that is not there, it has none and says why.

    With them comes why there are none, or nothing.
    """
    try:
        with drawn():
            made = [made for study in analysis.studies for made in _of_study(study)]
            for drawing in made:
                _lighten(drawing.figure)
                drawing.render()
    except Exception as problem:  # noqa: BLE001 - whatever Matplotlib meets
        reason = " ".join(str(problem).split())[:100]
        return [], f"{type(problem).__name__}: {reason}"
    return made, ""


def _lighten(figure: Figure) -> None:
    """Leave out what takes longest to draw: small ticks, and TeX in powers of ten.

    An axis on which powers of ten are too few keeps both.
    """
    from matplotlib.ticker import NullLocator

    for axes in figure.axes:
        for axis in (axes.xaxis, axes.yaxis):
            low, high = sorted(axis.get_view_interval())
            places = axis.get_majorticklocs()
            if (
                axis.get_scale() == "log"
                and sum(low <= place <= high for place in places) > 1
            ):
                axis.set_minor_locator(NullLocator())
                axis.set_major_formatter(lambda value, _: _power_of_ten(value))


def _power_of_ten(value: float) -> str:
    """Return 10⁻³ for 0.001."""
    return "10" + str(round(log10(value))).translate(_RAISED)


def _of_study(study: Study) -> Iterator[Drawing]:
    yield _loss(study)
    yield _modes(study)
    if study.laws:
        yield _drift(study)
    if study.sharp is not None:
        yield _agreement(study, study.sharp)


def _loss(study: Study) -> Drawing:
    figure, axes = canvas()
    limit = study.horizon.limit
    plot.loss(study.fast, axes, limit=limit)
    about = "Training loss"
    if limit is not None:
        axes.axhline(
            study.horizon.tolerance,
            color="0.5",
            linewidth=1.0,
            linestyle="--",
            label="counts as converged",
        )
        axes.legend(frameon=False, fontsize="small")
        about = f"Training loss above its least possible value {limit:.6g}"
    start = to_float(study.fast.loss[0])
    caption = f"{about}, {study.title} data. From {start:.6g} to {study.convergence}."
    return Drawing(f"{study.title}-loss", caption, figure)


def _modes(study: Study) -> Drawing:
    figure, axes = canvas()
    plot.modes(study.fast, study.solution, axes)
    about = "no closed form applies here"
    if study.solution is not None:
        found = study.solution
        about = f"dashed: closed form {found.name}, {found.reference}"
    caption = f"Singular values of W(t), {study.title} data. Measured; {about}."
    return Drawing(f"{study.title}-modes", caption, figure)


def _drift(study: Study) -> Drawing:
    figure, axes = canvas()
    routes = [study.fast] if study.sharp is None else [study.fast, study.sharp]
    plot.drift(*routes, ax=axes)
    caption = (
        f"Drift of the conserved quantities, {study.title} data. Relative to the "
        "largest squared weight; what is left is the error of the integrators."
    )
    return Drawing(f"{study.title}-drift", caption, figure)


def _agreement(study: Study, sharp: Any) -> Drawing:
    figure, axes = canvas()
    plot.agreement(study.fast, sharp, axes)
    caption = (
        f"Digits to which float64 and {sharp.digits}-digit arithmetic agree, "
        f"{study.title} data. Over all weights; {study.covered}."
    )
    return Drawing(f"{study.title}-agreement", caption, figure)


@contextmanager
def drawn() -> Iterator[None]:
    """Draw in the ink of pages, one thread at a time."""
    import matplotlib as mpl

    with _DRAWING, mpl.rc_context(_RC):
        yield


def canvas() -> tuple[Figure, Axes]:
    """Return a figure of the size that pages have, with axes."""
    # Not through pyplot, which would keep every figure alive.
    from matplotlib.figure import Figure

    # Fixed margins: to compute them takes longer than to draw.
    figure = Figure(figsize=_SIZE)
    figure.subplots_adjust(**_MARGINS)
    return figure, figure.subplots()
