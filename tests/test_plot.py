"""Pictures, by the data of their artists."""

from __future__ import annotations

from collections.abc import Iterator

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import symflow as sf
from symflow import plot
from symflow.precision import precise

TIMES = [0, 0.5, 1, 2, 4, 8]
PROBLEM = (
    sf.gradient_flow(sf.LinearNetwork(3, 2, 2), sf.SquaredLoss()),
    sf.whitened([[3, 0, 0], [0, 1, 0]]),
    sf.spectral_init(0.1),
)


@pytest.fixture(scope="module")
def run() -> sf.Trajectory:
    return sf.simulate(*PROBLEM, TIMES)


@pytest.fixture(scope="module")
def sharp() -> sf.Trajectory:
    return precise(*PROBLEM, TIMES, digits=30)


@pytest.fixture
def ax() -> Axes:
    return Figure().subplots()


@pytest.fixture(autouse=True)
def _closed_figures() -> Iterator[None]:
    pyplot.close("all")
    yield
    pyplot.close("all")


def finite(line: mpl.lines.Line2D) -> np.ndarray:
    values = np.asarray(line.get_ydata(), dtype=float)
    return values[np.isfinite(values)]


def test_every_picture_draws_on_the_given_axes_and_returns_them(
    run: sf.Trajectory, sharp: sf.Trajectory, ax: Axes
) -> None:
    assert plot.loss(run, ax) is ax
    assert plot.modes(run, ax=ax) is ax
    assert plot.drift(run, sharp, ax=ax) is ax
    assert plot.agreement(run, sharp, ax) is ax
    assert pyplot.get_fignums() == []


def test_without_axes_each_picture_gets_a_figure_of_its_own(
    run: sf.Trajectory,
) -> None:
    first, second = plot.loss(run), plot.modes(run)
    assert first.figure is not second.figure


def test_no_picture_changes_the_global_style(
    run: sf.Trajectory, sharp: sf.Trajectory, ax: Axes
) -> None:
    before = dict(mpl.rcParams)
    plot.loss(run, ax)
    plot.drift(run, sharp, ax=ax)
    assert dict(mpl.rcParams) == before


def test_loss_shows_the_objective_and_passes_artist_options_on(
    run: sf.Trajectory, ax: Axes
) -> None:
    (line,) = plot.loss(run, ax, color="red", linewidth=3.0).lines
    assert np.allclose(line.get_ydata(), run.loss)
    assert (line.get_color(), line.get_linewidth()) == ("red", 3.0)
    assert "mathcal{L}" in ax.get_ylabel()


def test_modes_shows_theory_over_measurement(run: sf.Trajectory, ax: Axes) -> None:
    theory = sf.solve(*PROBLEM)
    plot.modes(run, theory, ax)
    measured, predicted = ax.lines[:2], ax.lines[2:]
    assert len(predicted) == 2
    for line, curve in zip(measured, predicted, strict=True):
        expected = np.interp(line.get_xdata(), curve.get_xdata(), curve.get_ydata())
        assert np.allclose(line.get_ydata(), expected, atol=0.02)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["$s_{1}$", "$s_{2}$", "LogisticMode, Saxe et al. 2014"]


def test_drift_is_positive_and_finite_where_it_is_drawn(
    ax: Axes,
) -> None:
    problem = (*PROBLEM[:2], sf.gaussian_init(0.3, rng=0), TIMES)
    plot.drift(sf.simulate(*problem), precise(*problem, digits=30), ax=ax)
    assert ax.get_yscale() == "log"
    assert len(ax.lines) == 2
    assert all(np.all(finite(line) > 0) for line in ax.lines)
    assert finite(ax.lines[1]).max() < 1e-30 < 1e-20 < finite(ax.lines[0]).max()


def test_a_drift_of_exactly_zero_is_drawn_and_named(ax: Axes) -> None:
    flow, data = PROBLEM[:2]
    still = sf.simulate(flow, data, [np.zeros((2, 3)), np.zeros((2, 2))], [0, 1])
    plot.drift(still, ax=ax)
    (line,) = ax.lines
    assert finite(line).size == 2
    assert "exactly 0" in line.get_label()
    ax.figure.canvas.draw()


def test_agreement_counts_digits(
    run: sf.Trajectory, sharp: sf.Trajectory, ax: Axes
) -> None:
    plot.agreement(run, sharp, ax)
    (line,) = ax.lines
    assert 7 < finite(line).min() <= finite(line).max() < 17


def test_a_run_agrees_with_itself_to_all_its_digits(
    sharp: sf.Trajectory, ax: Axes
) -> None:
    plot.agreement(sharp, sharp, ax)
    assert set(finite(ax.lines[0])) == {30.0}


def test_agreement_beyond_the_range_of_floats(ax: Axes) -> None:
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    problem = flow, sf.whitened([[2]]), [[[0.5]], [[0.25]]], [1]
    first, second = (precise(*problem, digits=digits) for digits in (330, 400))
    plot.agreement(first, second, ax)
    assert finite(ax.lines[0])[0] > 330


def test_times_over_decades_get_a_logarithmic_axis(ax: Axes) -> None:
    plot.loss(sf.simulate(*PROBLEM, [0, 0.01, 0.1, 1, 10]), ax)
    assert ax.get_xscale() == "log"
    ax.figure.canvas.draw()


def test_colours_differ_and_avoid_yellow_and_black() -> None:
    from symflow.plot.canvas import COLOURS

    assert len(set(COLOURS)) == 6
    assert not {"#F0E442", "#000000"} & set(COLOURS)


@pytest.mark.parametrize("draw", [plot.loss, plot.modes, plot.drift])
def test_what_is_not_a_trajectory_is_refused(draw: object) -> None:
    with pytest.raises(sf.InvalidArgument, match="needs a trajectory"):
        draw([1, 2, 3])


def test_agreement_needs_common_times(run: sf.Trajectory, ax: Axes) -> None:
    other = sf.simulate(*PROBLEM, [0.25, 0.75])
    with pytest.raises(sf.InvalidArgument, match="no time in common"):
        plot.agreement(run, other, ax)


def test_drift_needs_a_trajectory() -> None:
    with pytest.raises(sf.InvalidArgument, match="at least one"):
        plot.drift()
