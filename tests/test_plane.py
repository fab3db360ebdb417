"""The plane experiment: reference end points, predictions, and the picture."""

import numpy as np
import pytest

import symflow as sf
from symflow.bias import DiagonalPotential

#: End points for one sample ([1, 2], 1), by depth and scale.
TABLE = {
    ("diagonal", 2, 0.01): (0.0035, 0.4982),
    ("diagonal", 2, 1.0): (0.1895, 0.4053),
    ("diagonal", 3, 0.01): (0.0000, 0.5000),
    ("diagonal", 3, 1.0): (0.1809, 0.4096),
    ("convolutional", 2, 0.01): (0.3332, 0.3334),
    ("convolutional", 2, 1.0): (0.3094, 0.3453),
    ("convolutional", 3, 0.01): (0.3333, 0.3333),
    ("convolutional", 3, 1.0): (0.3292, 0.3354),
}


SHAPES = {
    "dense": np.array([[1.0, 0.4], [-0.3, 0.8]]),
    "diagonal": np.array([[1.0], [1.0]]),
    "convolutional": np.array([[1.2], [0.5]]),
}


def posed(kind, depth, alpha):
    """Return a flow on one sample in the plane, from β = 0 at a scale α."""
    first = alpha * SHAPES[kind]
    inner, last = (first, np.zeros((2, 1)))
    net = sf.DiagonalNetwork(2, depth)
    if kind == "convolutional":
        net = sf.ConvolutionalNetwork(2, filters=(2,) * depth)
    if kind == "dense":
        net, inner = sf.LinearNetwork(*[2] * depth, 1), alpha * np.eye(2)
        last = last.T
    start = (first, *[inner] * (depth - 2), last)
    return sf.gradient_flow(net, sf.SquaredLoss()), sf.Dataset([[1, 2]], [1]), start


def run_of(problem):
    return sf.simulate(*problem, [0, *np.geomspace(1e-3, 300, 120)])


@pytest.mark.parametrize(("kind", "depth", "alpha"), TABLE)
def test_end_points_of_the_experiment(kind, depth, alpha):
    problem = posed(kind, depth, alpha)
    path = run_of(problem).end_to_end[:, 0]
    assert path[0] == pytest.approx([0, 0], abs=1e-15)
    assert path[-1] @ [1, 2] == pytest.approx(1, abs=1e-9)
    assert path[-1] == pytest.approx(TABLE[kind, depth, alpha], abs=6e-5)
    limit = sf.implicit_bias(*problem).limit
    assert limit[0] == pytest.approx(path[-1], abs=1e-8)


@pytest.mark.parametrize(("alpha", "far"), [(0.01, 0.01), (1.0, 0.3)])
def test_dense_layers_end_near_least_norm(alpha, far):
    path = run_of(posed("dense", 2, alpha))
    assert np.abs(path.end_to_end[-1, 0] - [0.2, 0.4]).max() < far


def test_the_picture_has_curves_crosses_and_level_sets():
    problems = [posed("diagonal", 2, alpha) for alpha in (0.1, 1.0)]
    first, second = (sf.implicit_bias(*problem) for problem in problems)
    axes = sf.plot.plane(
        list(map(run_of, problems)),
        [first, second],
        labels=["α = 0.1", "α = 1"],
        levels=first,
    )
    assert isinstance(first, DiagonalPotential)
    markers = [line.get_marker() for line in axes.lines]
    assert markers.count("x") == markers.count("o") == 2
    assert axes.collections  # the level sets
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [
        "α = 0.1",
        "α = 1",
    ]
    wide = sf.gradient_flow(sf.DiagonalNetwork(3, 2), sf.SquaredLoss())
    data = sf.Moments(np.eye(3), np.ones((1, 3)))
    run = sf.simulate(wide, data, [np.ones((3, 1))] * 2, [0, 1])
    with pytest.raises(sf.InvalidArgument, match="two inputs and one output"):
        sf.plot.plane(run)


def test_labels_that_are_no_names_are_refused():
    run = run_of(posed("diagonal", 2, 1.0))
    with pytest.raises(sf.InvalidArgument, match=r"labels=….*needs a list of names"):
        sf.plot.plane(run, labels=[run, "α = 1"])
