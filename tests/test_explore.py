"""`explore`: what is drawn is what `simulate` and the closed form say; no kernel."""

from __future__ import annotations

import io

import numpy as np
import pytest

import symflow as sf

NET = sf.LinearNetwork(2, 2, 2)
FLOW = sf.gradient_flow(NET, sf.SquaredLoss())
DATA = sf.whitened([[3, 0.5], [0, 1]])
TIMES = [0.0, 0.5, 1.0, 2.0, 4.0]


def weights(scale, imbalance, depth=2):
    network = sf.LinearNetwork(*[2] * (depth + 1))
    first, *middle, last = sf.spectral_init(scale).draw(network, DATA)
    return [first * np.exp(imbalance), *middle, last / np.exp(imbalance)]


def heights(axes):
    return np.array([line.get_ydata() for line in axes.lines if len(line.get_ydata())])


@pytest.mark.parametrize("depth", [2, 4])
def test_the_modes_that_are_drawn_are_those_of_a_simulation(depth):
    figure = sf.explore(FLOW, DATA, TIMES).update(0.2, 0.3, depth=depth)
    flow = sf.gradient_flow(sf.LinearNetwork(*[2] * (depth + 1)), sf.SquaredLoss())
    run = sf.simulate(flow, DATA, weights(0.2, 0.3, depth), TIMES)
    for mode, line in enumerate(figure.axes[0].lines[:2]):
        assert np.allclose(line.get_ydata(), run.singular_values[:, mode])
        assert np.array_equal(line.get_xdata(), TIMES)


def test_a_closed_form_is_drawn_on_top_and_bounds_beside():
    left, right = sf.explore(FLOW, DATA, TIMES).update(0.2, 0.3).axes
    assert left.get_title() == "closed form"
    theory = left.lines[2]
    assert "Dominé" in theory.get_label()
    solution = sf.solve(FLOW, DATA, weights(0.2, 0.3))
    now = np.linalg.svd(solution.end_to_end(theory.get_xdata()), compute_uv=False)
    assert np.allclose(theory.get_ydata(), now[:, 0])
    assert right.get_title() == "guaranteed"
    measured, *bounds = heights(right)
    assert bounds
    assert all(np.all(bound >= measured * (1 - 1e-9)) for bound in bounds)


def test_decay_of_imbalanced_layers_leaves_no_closed_form():
    left, right = sf.explore(FLOW, DATA, TIMES).update(0.2, 0.3, decay=0.1).axes
    flow = sf.gradient_flow(NET, sf.SquaredLoss(l2=0.1))
    run = sf.simulate(flow, DATA, weights(0.2, 0.3), TIMES)
    assert np.allclose(heights(left)[0], run.singular_values[:, 0])
    assert "no closed form" in left.get_title()
    assert np.allclose(heights(right)[0], run.loss)
    kept = sf.explore(flow, DATA, TIMES).update(0.2, 0.3).axes[0]
    assert np.array_equal(heights(kept)[0], heights(left)[0])


def test_depth_is_turned_where_the_layers_are_dense():
    assert sf.explore(FLOW, DATA).depths == (2, 3, 4, 5, 6)
    samples = sf.Dataset([[1, 2], [3, 4]], [1, 2])
    for network in (sf.DiagonalNetwork(2, depth=3), sf.HadamardDifference(2)):
        flow = sf.gradient_flow(network, sf.SquaredLoss())
        explorer = sf.explore(flow, samples, [0, 1])
        assert explorer.depths == (len(flow.state),)
        run = sf.simulate(flow, samples, sf.gaussian_init(0.3, rng=0), [0, 1])
        drawn = heights(explorer.update(0.3).axes[0])[0]
        assert np.allclose(drawn, run.singular_values[:, 0])
        with pytest.raises(sf.InvalidArgument, match="needs one of"):
            explorer.update(depth=2 if len(flow.state) == 3 else 3)


@pytest.mark.parametrize(
    "flow",
    [
        sf.gradient_flow(NET, sf.SquaredLoss(l2="lambda")),
        sf.gradient_flow(NET, sf.SquaredLoss(), learning_rates=(1, 2)),
        sf.gradient_descent(NET, sf.SquaredLoss()),
        3,
    ],
)
def test_what_cannot_be_turned_is_refused(flow):
    with pytest.raises(sf.InvalidArgument, match=r"explore\(flow, data\): needs a pl"):
        sf.explore(flow, DATA)


def test_without_ipywidgets_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ipywidgets", None)
    with pytest.raises(sf.NotInstalled, match=r'"symflow\[notebook\]"'):
        sf.explore(FLOW, DATA).widget()


@pytest.mark.optional
def test_the_picture_follows_the_sliders():
    pytest.importorskip("ipywidgets")
    from matplotlib.image import imread

    explorer = sf.explore(FLOW, DATA, TIMES)
    scale, imbalance, depth, decay, said, picture = explorer.widget().children
    first = picture.value
    scale.value, imbalance.value, depth.value, decay.value = 0.5, 0.4, 3, 0.25
    file = io.BytesIO()
    explorer.update(scale.value, imbalance.value, 3, 0.25).savefig(file, dpi=100)
    drawn = imread(io.BytesIO(picture.value))
    assert np.array_equal(drawn, imread(io.BytesIO(file.getvalue())))
    assert picture.value != first
    decay.min, decay.value = -1, -1
    assert "weight decay" in said.value
    decay.value = 0
    assert said.value == ""
    assert "application/vnd.jupyter.widget-view+json" in explorer._repr_mimebundle_()


@pytest.mark.parametrize("turned", [{"decay": 1e4}, {"scale": 3.1, "depth": 6}])
def test_a_picture_that_would_take_seconds_is_refused(turned):
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    explorer = sf.explore(flow, sf.whitened([[3, 0], [0, 1]]))
    if "scale" in turned:
        turned |= {"imbalance": 2}
    with pytest.raises(sf.InvalidArgument, match="5000 steps reach only 0"):
        explorer.update(**turned)
    assert explorer.update(decay=1.0).axes
