"""Every picture is compared with one that was looked at, within a tolerance.

Texts are taken out first: fonts differ between machines.  `python
tests/test_plot_images.py` draws the references anew; look at them before you keep them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from itertools import combinations
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.testing.compare import compare_images
from matplotlib.testing.decorators import remove_ticks_and_titles
from matplotlib.text import Text

import symflow as sf
from symflow import plot
from symflow.gallery import width_experiment

REFERENCES = Path(__file__).parent / "images"

#: Root mean square of the difference of two pictures, in steps of 255.
TOLERANCE = 3.0

FLOW = sf.gradient_flow(sf.LinearNetwork(4, 3, 2), sf.SquaredLoss())
DATA = sf.whitened([[3, 0, 0, 0], [0, 1.5, 0, 0]])
TIMES = np.linspace(0, 6, 61)


@cache
def gaussian() -> sf.Trajectory:
    return sf.simulate(FLOW, DATA, sf.gaussian_init(0.3, rng=0), TIMES)


@cache
def sharp() -> sf.Trajectory:
    times = [0, 1, 2, 3, 4, 5, 6]
    return sf.precise(FLOW, DATA, sf.gaussian_init(0.3, rng=0), times, digits=25)


@cache
def many() -> sf.Ensemble:
    rule = sf.gaussian_init(0.3, rng=0)
    draws = [rule.draw(FLOW.network, DATA, rng=seed) for seed in range(24)]
    starts = tuple(np.stack(layer) for layer in zip(*draws, strict=True))
    return sf.ensemble(FLOW, DATA, starts, TIMES)


def _bounds(ax: Axes) -> Axes:
    flow = sf.gradient_flow(sf.LinearNetwork(3, 12, 2), sf.SquaredLoss())
    start = sf.gaussian_init(1.0, rng=3)
    first = sf.simulate(flow, sf.whitened(np.eye(2, 3)), start, [0]).end_to_end[0]
    problem = flow, sf.whitened(first + 0.3), start
    run = sf.simulate(*problem, np.linspace(0, 1, 61))
    drawn = ("MarginRate", "InstantaneousRate")
    claims = [bound for bound in sf.rates(*problem) if bound.name in drawn]
    return plot.bounds(run, claims, ax)


def _modes(ax: Axes) -> Axes:
    problem = FLOW, DATA, sf.spectral_init(0.1)
    return plot.modes(sf.simulate(*problem, TIMES), sf.solve(*problem), ax)


def _staircase(ax: Axes) -> Axes:
    runs = [
        sf.simulate(FLOW, DATA, sf.spectral_init(size), -np.log(size) * TIMES / 6)
        for size in (1e-1, 1e-2, 1e-4)
    ]
    return plot.staircase(*runs, ax=ax)


def _plane(ax: Axes) -> Axes:
    flow = sf.gradient_flow(sf.DiagonalNetwork(2, 2), sf.SquaredLoss())
    data = sf.Dataset([[1.0, 2.0]], [1.0])
    starts = [([[a], [a]], [[0.0], [0.0]]) for a in (0.3, 0.6, 0.9)]
    runs = [sf.simulate(flow, data, start, np.linspace(0, 20, 81)) for start in starts]
    theory = [sf.implicit_bias(flow, data, start) for start in starts]
    return plot.plane(runs, theory, ax, levels=theory[0])


def _width(ax: Axes) -> Axes:
    rng = np.random.default_rng(0)
    data = sf.Dataset(rng.standard_normal((3, 8)), rng.standard_normal(3))
    return plot.width(width_experiment(data, [50, 100, 200, 400], runs=1, rng=1), ax)


def _basin(ax: Axes) -> Axes:
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    box = [[[sf.interval(-0.25, 0.75)]], [[sf.interval(0.25, 0.75)]]]
    return plot.basin(sf.basin(flow, sf.whitened([[1]]), box, 4), ax)


def _forgetting(ax: Axes) -> Axes:
    first = sf.Dataset([[1.0, 0], [0, 1], [1, 1]], [1.0, 2, 3])
    second = sf.Dataset([[1.0, -1], [2, 1], [0, 1]], [0.0, 2, 1])
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.SquaredLoss())
    lesson = sf.Curriculum((first, 6), (second, 8), (first, 6))
    start = [[[0.1, 0.3], [0.2, 0.1]], [[0.3, 0.1]]]
    return plot.forgetting(sf.simulate(flow, lesson, start, np.linspace(0, 20, 81)), ax)


PICTURES: dict[str, Callable[[Axes], Axes]] = {
    "agreement": lambda ax: plot.agreement(gaussian(), sharp(), ax),
    "basin": _basin,
    "bounds": _bounds,
    "drift": lambda ax: plot.drift(gaussian(), sharp(), ax=ax),
    "forgetting": _forgetting,
    "imbalance": lambda ax: plot.imbalance(gaussian(), ax),
    "loss": lambda ax: plot.loss(gaussian(), ax, limit=0.0),
    "modes": _modes,
    "plane": _plane,
    "sharpness": lambda ax: plot.sharpness(gaussian(), 0.5, ax),
    "singular_values": lambda ax: plot.singular_values(gaussian(), ax),
    "staircase": _staircase,
    "sweep": lambda ax: plot.sweep(many(), ax, of="singular_values"),
    "width": _width,
}


def draw(name: str, path: Path, change: Callable[[Axes], None] | None = None) -> Path:
    figure = Figure(figsize=(4, 2.6), dpi=60)
    axes = PICTURES[name](figure.subplots())
    if change is not None:
        change(axes)
    for legend in [axes.get_legend()] if axes.get_legend() else []:
        legend.remove()
    for text in (axes.xaxis.label, axes.yaxis.label):
        text.set_text("")
    remove_ticks_and_titles(figure)
    figure.savefig(path)
    return path


@pytest.fixture(autouse=True)
def _plain_style() -> Iterator[None]:
    with mpl.rc_context(mpl.rcParamsDefault):
        mpl.rcParams["backend"] = "agg"
        yield
    pyplot.close("all")


def test_every_picture_has_a_reference() -> None:
    assert set(PICTURES) == set(plot.__all__)
    assert {path.stem for path in REFERENCES.glob("*.png")} == set(PICTURES)


@pytest.mark.skipif(mpl.__version_info__ < (3, 11), reason="drawn by Matplotlib 3.11")
@pytest.mark.parametrize("name", PICTURES)
def test_pictures_look_as_they_did(name: str, tmp_path: Path) -> None:
    drawn = draw(name, tmp_path / f"{name}.png")
    reference = REFERENCES / f"{name}.png"
    assert compare_images(str(reference), str(drawn), TOLERANCE) is None


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_without_its_first_curve_is_told_apart(
    name: str, tmp_path: Path
) -> None:
    def hide(axes: Axes) -> None:
        [*axes.lines, *axes.collections][0].set_visible(False)

    drawn = draw(name, tmp_path / f"{name}.png", hide)
    reference = REFERENCES / f"{name}.png"
    assert compare_images(str(reference), str(drawn), TOLERANCE) is not None


@pytest.mark.parametrize("name", PICTURES)
def test_nothing_written_leaves_a_small_figure_or_lies_on_other_text(name: str) -> None:
    figure, axes = pyplot.subplots(figsize=(4, 3), layout="constrained")
    PICTURES[name](axes)
    figure.canvas.draw()
    legend = axes.get_legend()
    ticks = [
        label
        for axis in (axes.xaxis, axes.yaxis)
        for kind in ("major", "minor")
        for label in axis.get_ticklabels(which=kind)
        if label.get_text() and inside(axis, label)
    ]
    written = [axes.xaxis.label, axes.yaxis.label, *ticks]
    written += legend.get_texts() if legend else []
    boxes = [text.get_window_extent() for text in written]
    for box in boxes:
        assert figure.bbox.padded(1).containsx(box.x0)
        assert figure.bbox.padded(1).containsx(box.x1)
        assert figure.bbox.padded(1).containsy(box.y0)
        assert figure.bbox.padded(1).containsy(box.y1)
    for box, other in combinations(boxes, 2):
        assert not box.padded(-1).overlaps(other.padded(-1))


def inside(axis: Axis, label: Text) -> bool:
    """Say whether a tick is within the limits, and so drawn at all."""
    place = label.get_position()[axis.axis_name == "y"]
    low, high = sorted(axis.get_view_interval())
    return bool(low <= place <= high)


if __name__ == "__main__":
    with mpl.rc_context(mpl.rcParamsDefault):
        for title in PICTURES:
            draw(title, REFERENCES / f"{title}.png")
