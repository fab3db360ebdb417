"""Pictures, by the data of their artists."""

from __future__ import annotations

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
    problem = flow, sf.whitened([[2]]), [[[0.5]], [[0.25]]], [0.125]
    first, second = (precise(*problem, digits=digits) for digits in (315, 330))
    plot.agreement(first, second, ax)
    assert finite(ax.lines[0])[0] > 315


def test_a_run_is_held_against_values_of_your_own(
    sharp: sf.Trajectory, ax: Axes
) -> None:
    shown = sharp.context.nstr
    texts = [[[shown(x, 12) for x in row] for row in W] for W in sharp.end_to_end]
    (line,) = plot.agreement(sharp, texts, ax).lines
    assert 11 < finite(line).min() < finite(line).max() < 17
    assert line.get_label() == "30 digits / given values"
    weights = [weight.astype(float) for weight in sharp.weights]
    plot.agreement(sharp, weights, ax)
    assert 15 < finite(ax.lines[1]).min() < 18
    plot.agreement(sharp, sharp.weights, ax)
    assert set(finite(ax.lines[2])) == {30.0}
    rows = np.hstack([weight.reshape(len(weight), -1) for weight in sharp.weights])
    plot.agreement(sharp, rows.tolist(), ax)
    assert set(finite(ax.lines[3])) == {30.0}
    plot.agreement(sharp, rows[:, ::-1], ax)
    assert finite(ax.lines[4])[0] < 1
    for values in (weights[:1], texts[0], [[1.0], [2.0, 3.0]], 5):
        with pytest.raises(sf.InvalidArgument, match=r"plot\.agreement\(first, second"):
            plot.agreement(sharp, values, ax)


def test_a_column_of_values_is_a_w_of_one_entry(ax: Axes) -> None:
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    fine = precise(flow, sf.whitened([[2]]), [[[0.5]], [[0.25]]], [1, 2, 3], digits=30)
    (line,) = plot.agreement(fine, fine.end_to_end.ravel().astype(float), ax).lines
    assert finite(line).min() > 15


def test_times_over_decades_get_a_logarithmic_axis(ax: Axes) -> None:
    plot.loss(sf.simulate(*PROBLEM, [0, 0.01, 0.1, 1, 10]), ax)
    assert ax.get_xscale() == "log"
    ax.figure.canvas.draw()


def test_even_times_keep_a_linear_axis_unless_another_is_asked_for(ax: Axes) -> None:
    run = sf.simulate(*PROBLEM, np.linspace(0, 10, 1001))
    for draw in (plot.loss, plot.modes, plot.singular_values, plot.drift):
        assert draw(run).get_xscale() == "linear"
    assert plot.loss(run, ax, xscale="log").get_xscale() == "log"
    few = sf.simulate(*PROBLEM, [0, 1])
    assert plot.sharpness(few, xscale="symlog").get_xscale() == "symlog"


def test_the_style_of_the_user_is_kept(run: sf.Trajectory) -> None:
    own = mpl.cycler(color=["#123456", "#654321"])
    with mpl.rc_context({"axes.prop_cycle": own, "legend.fontsize": 17.0}):
        axes = plot.modes(run)
        assert [line.get_color() for line in axes.lines] == ["#123456", "#654321"]
        assert axes.get_legend().get_texts()[0].get_fontsize() == 17.0
    assert plot.loss(run).lines[0].get_color() == "#0072B2"


def test_a_balanced_start_is_drawn_on_the_scale_of_its_weights(ax: Axes) -> None:
    flow, data, _ = PROBLEM
    run = sf.simulate(flow, data, sf.balanced_init(0.3, rng=0), [0, 1])
    plot.imbalance(run, ax)
    low, high = ax.get_ylim()
    assert high == -low > 0.01
    assert max(abs(y) for line in ax.lines for y in line.get_ydata()) < 1e-6 * high


def test_no_legend_lies_across_a_curve() -> None:
    flow = sf.gradient_flow(sf.LinearNetwork(4, 4, 4, 4), sf.SquaredLoss())
    data = sf.whitened(np.eye(4))
    times = np.linspace(0, 5, 50)
    run = sf.simulate(flow, data, sf.gaussian_init(0.5, rng=0), times)
    for axes in (plot.singular_values(run), plot.drift(run)):
        axes.figure.canvas.draw()
        box = axes.get_legend().get_window_extent()
        for line in axes.lines:
            path = line.get_transform().transform_path(line.get_path())
            assert not path.intersects_bbox(box, filled=False)


def test_colours_differ_and_avoid_yellow_and_black() -> None:
    from symflow.plot.canvas import COLOURS

    assert len(set(COLOURS)) == 6
    assert not {"#F0E442", "#000000"} & set(COLOURS)


@pytest.mark.parametrize(
    "draw",
    [plot.loss, plot.modes, plot.drift, plot.imbalance, plot.singular_values],
)
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


# --- bounds, layers, imbalances, sweeps, steps ---------------------------------------


def test_bounds_lie_above_what_they_bound(ax: Axes) -> None:
    problem = PROBLEM[0], PROBLEM[1], sf.gaussian_init(1.0, rng=1)
    claims = sf.rates(*problem)
    assert claims
    plot.bounds(sf.simulate(*problem, [0, 0.2, 0.4]), claims, ax)
    measured, *proved = ax.lines
    assert len(proved) == len(claims)
    for line in proved:
        assert np.all(line.get_ydata() >= (1 - 1e-9) * measured.get_ydata())


def test_bounds_refuses_what_bounds_nothing(run: sf.Trajectory, ax: Axes) -> None:
    with pytest.raises(sf.InvalidArgument, match="is not a bound"):
        plot.bounds(run, sf.conserved(run.flow), ax)
    with pytest.raises(sf.InvalidArgument, match="is not a bound"):
        plot.bounds(run, range(10**12), ax)
    with pytest.raises(sf.InvalidArgument, match="no quantity"):
        plot.bounds(run, [], ax)


def test_bounds_on_two_quantities_need_two_pictures(ax: Axes) -> None:
    flow = sf.gradient_flow(sf.LinearNetwork(2, 1, 2), sf.SquaredLoss())
    problem = flow, sf.whitened([[3, 0], [0, 1]]), ([[1.2, 0.1]], [[1.2], [0.1]])
    others = [c for c in sf.companions(*problem) if isinstance(c, sf.Bound)]
    claims = [*sf.rates(*problem), *others]
    assert len(claims) > 1
    with pytest.raises(sf.InvalidArgument, match="axes of its own"):
        plot.bounds(sf.simulate(*problem, [0, 1]), claims, ax)


def test_layers_of_a_balanced_start_share_their_singular_values(
    run: sf.Trajectory, ax: Axes
) -> None:
    plot.singular_values(run, ax)
    first, second = ax.lines[:2], ax.lines[2:]
    for a, b in zip(first, second, strict=True):
        assert np.allclose(a.get_ydata(), b.get_ydata(), atol=1e-6)
        assert a.get_color() == b.get_color()
        assert a.get_linestyle() != b.get_linestyle()


def test_singular_values_of_a_diagonal_layer_are_its_absolute_entries(ax: Axes) -> None:
    flow = sf.gradient_flow(sf.DiagonalNetwork(3, depth=2), sf.SquaredLoss())
    start = [[0.1, -0.3, 0.2], [0.4, 0.5, -0.6]]
    run = sf.simulate(flow, sf.whitened([[1, 2, 3]]), start, [0, 0.1])
    plot.singular_values(run, ax)
    assert np.allclose([line.get_ydata()[0] for line in ax.lines[:3]], [0.3, 0.2, 0.1])


def test_many_layers_are_named_once_each(ax: Axes) -> None:
    flow = sf.gradient_flow(sf.LinearNetwork(4, 4, 4, 4), sf.SquaredLoss())
    data = sf.whitened(np.eye(4))
    plot.singular_values(sf.simulate(flow, data, sf.spectral_init(0.1), [0, 1]), ax)
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    modes = [f"$s_{{{mode}}}$" for mode in (1, 2, 3, 4)]
    assert labels == [*modes, *(f"$W_{{{layer}}}$" for layer in (1, 2, 3))]


def test_an_imbalance_keeps_its_spectrum(ax: Axes) -> None:
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.SquaredLoss())
    weights = [np.array([[1.0, 0.5], [0.0, 2.0]]), np.array([[0.3, 3.0]])]
    run = sf.simulate(flow, sf.whitened([[2, 1]]), weights, [0, 1, 2])
    plot.imbalance(run, ax)
    rings, dots = ax.lines[:2]
    first, second = weights
    expected = np.linalg.eigvalsh(second.T @ second - first @ first.T)[::-1]
    assert np.allclose(rings.get_ydata(), expected)
    assert np.allclose(dots.get_ydata(), expected, atol=1e-7)


def test_weight_decay_shrinks_the_spectrum(ax: Axes) -> None:
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.SquaredLoss(l2=0.5))
    start = [[[1, 0], [0, 2]], [[0, 3]]]
    plot.imbalance(sf.simulate(flow, sf.whitened([[2, 1]]), start, [0, 1]), ax)
    rings, dots = ax.lines[:2]
    assert np.allclose(dots.get_ydata(), np.exp(-1) * rings.get_ydata(), atol=1e-6)


def test_an_imbalance_needs_two_layers(ax: Axes) -> None:
    flow = sf.gradient_flow(sf.LinearNetwork(2, 1), sf.SquaredLoss())
    run = sf.simulate(flow, sf.whitened([[2, 1]]), [[[0, 0]]], [0, 1])
    with pytest.raises(sf.InvalidArgument, match="imbalance"):
        plot.imbalance(run, ax)


def ensemble(count: int) -> sf.Ensemble:
    flow, data, _ = PROBLEM
    rule = sf.gaussian_init(0.5, rng=0)
    draws = [rule.draw(flow.network, data, rng=seed) for seed in range(count)]
    starts = tuple(np.stack(layer) for layer in zip(*draws, strict=True))
    return sf.ensemble(flow, data, starts, [0, 1, 2])


def test_a_sweep_shows_the_median_and_its_bands(ax: Axes) -> None:
    runs = ensemble(15)
    plot.sweep(runs, ax, level=0.8)
    (line,), (light, dark) = ax.lines, ax.collections
    assert np.allclose(line.get_ydata(), np.median(runs.loss, axis=0))
    low, high = np.quantile(runs.loss[:, 1], [0.1, 0.9])
    heights = light.get_paths()[0].vertices[:, 1]
    assert np.isclose(heights, low).any()
    assert np.isclose(heights, high).any()
    ordered = np.sort(runs.loss[:, 1])
    heights = dark.get_paths()[0].vertices[:, 1]
    assert np.isclose(heights, ordered[4]).any()
    assert np.isclose(heights, ordered[10]).any()


def test_a_grid_has_a_curve_for_each_of_its_labels(ax: Axes) -> None:
    parts = {(1, "a"): sf.Sweep(ensemble(3)), (2, "b"): sf.Sweep(ensemble(4))}
    grid = sf.Grid(("flow", "init"), parts)
    plot.sweep(grid, ax, level=0.8)
    first, second = ax.lines
    for line, part in zip((first, second), parts.values(), strict=True):
        assert np.allclose(line.get_ydata(), np.median(part.loss, axis=0))
    assert first.get_label() == "flow 1, init a"
    assert second.get_label() == "flow 2, init b"
    assert ax.get_legend().get_title().get_text().startswith("median of 3 runs")
    assert first.get_color() != second.get_color()
    with pytest.raises(sf.InvalidArgument, match="one of its sweeps"):
        plot.sweep(grid, of="singular_values")


def test_the_band_of_the_median_holds_it_as_often_as_it_says() -> None:
    from symflow.plot.sweep import median_rank

    rng, rank = np.random.default_rng(7), median_rank(15, 0.8)
    draws = np.sort(rng.exponential(size=(4000, 15)), axis=1)
    median = np.log(2)
    held = (draws[:, rank] <= median) & (median <= draws[:, 14 - rank])
    assert 0.8 - 0.03 < held.mean() < 0.93
    assert median_rank(4, 0.9) is None


def test_runs_that_failed_are_left_out(ax: Axes) -> None:
    from dataclasses import replace

    runs = ensemble(3)
    weights = tuple(weight.copy() for weight in runs.weights)
    weights[0][1] = np.nan
    plot.sweep(replace(runs, weights=weights), ax, of="singular_values")
    assert "median of 2 runs" in ax.lines[0].get_label()
    assert all(np.isfinite(line.get_ydata()).all() for line in ax.lines)


@pytest.mark.parametrize(
    "options", [{"of": "accuracy"}, {"level": 0}, {"level": 1.5}], ids=str
)
def test_a_sweep_refuses_options_that_make_no_sense(options: dict, ax: Axes) -> None:
    with pytest.raises(sf.InvalidArgument, match=next(iter(options))):
        plot.sweep(ensemble(2), ax, **options)
    with pytest.raises(sf.InvalidArgument, match="Sweep, an Ensemble or a Grid"):
        plot.sweep([1, 2], ax)


def test_smaller_starts_come_nearer_to_the_staircase(ax: Axes) -> None:
    gaps = []
    for size in (1e-1, 1e-3, 1e-6):
        delta = -np.log(size)
        times = delta * np.linspace(0, 2, 41)
        run = sf.simulate(*PROBLEM[:2], sf.spectral_init(size), times)
        line = plot.staircase(run, ax=ax).lines[-4]
        clock, steps = line.get_xdata(), 3.0 * (line.get_xdata() > 1 / 3)
        assert np.isclose(clock[-1], 2)
        gaps.append(np.abs(line.get_ydata() - steps).mean())
    assert gaps[0] > 2 * gaps[1] > 3 * gaps[2]


def test_a_staircase_needs_a_small_start(ax: Axes) -> None:
    run = sf.simulate(*PROBLEM[:2], sf.spectral_init(1.2), [0, 1])
    with pytest.raises(sf.InvalidArgument, match="Start smaller"):
        plot.staircase(run, ax=ax)
    with pytest.raises(sf.InvalidArgument, match="at least one"):
        plot.staircase(ax=ax)


def test_width_draws_measured_distances_under_both_bounds(ax: Axes) -> None:
    from symflow.gallery import width_experiment

    generator = np.random.default_rng(0)
    data = sf.Dataset(generator.standard_normal((3, 8)), generator.standard_normal(3))
    found = width_experiment(data, [64, 256], runs=2, rng=1)
    assert plot.width(found, ax) is ax
    median, bound, theorem = (np.asarray(line.get_ydata()) for line in ax.lines[-3:])
    assert np.all(median < bound)
    assert np.all(median < theorem)
    assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")
    with pytest.raises(sf.InvalidArgument, match="needs a width_experiment"):
        plot.width([1, 2])


def test_bounds_draws_what_a_bound_on_the_speed_says_of_the_loss(ax: Axes) -> None:
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    problem = flow, sf.whitened([[2.0]]), [[[1.5]], [[1.0]]]
    path = sf.simulate(*problem, [0, 0.5, 1.0])
    plot.bounds(path, sf.rates(*problem), ax)
    labels = [str(line.get_label()) for line in ax.lines]
    assert any("MarginRate" in label for label in labels)
    (speed,) = [line for line in ax.lines if "Instant" in str(line.get_label())]
    assert len(ax.lines) == 1 + len(sf.rates(*problem))
    excess = path.loss - 0.0
    assert np.all(speed.get_ydata() >= (1 - 1e-9) * excess)


def test_an_enclosure_is_told_to_give_its_midpoints():
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    ball = sf.enclose(flow, sf.whitened([[2]]), [[[1]], [[1]]], [0, 1], digits=9)
    with pytest.raises(sf.InvalidArgument, match=r"Give its \.midpoints$"):
        sf.plot.loss(ball)


def test_a_bound_that_holds_at_every_instant_is_drawn_on_the_excess_loss():
    """Its two sides are speeds, which need not fall."""
    flow = sf.gradient_flow(sf.LinearNetwork(3, 3, 2), sf.SquaredLoss())
    problem = flow, sf.whitened([[3, 0, 0], [0, 1, 0]]), sf.gaussian_init(0.5, rng=1)
    run, (claim,) = sf.simulate(*problem, np.linspace(0, 6, 13)), sf.rates(*problem)
    measured, bound = plot.bounds(run, claim).lines[:2]
    assert claim.name == "InstantaneousRate"
    assert measured.get_ydata() == pytest.approx(run.loss, rel=1e-6)
    assert (bound.get_ydata() >= measured.get_ydata()).all()
    assert bound.get_label() == "InstantaneousRate, Min et al. 2021"
