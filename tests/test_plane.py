"""The plane experiment: reference end points, predictions, and the picture."""

import numpy as np
import pytest

import symflow as sf
from symflow.bias import DiagonalPotential
from symflow.gallery import plane_experiment

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


def test_end_points_of_the_experiment():
    for run in plane_experiment(scales=(0.01, 1.0)):
        assert run.path[0] == pytest.approx([0, 0], abs=1e-15)
        assert run.end @ [1, 2] == pytest.approx(1, abs=1e-9)
        if run.kind == "dense":
            assert run.bias is None
            near = np.abs(run.end - [0.2, 0.4]).max()
            assert near < (0.01 if run.alpha == 0.01 else 0.3)
        else:
            expected = TABLE[run.kind, run.depth, run.alpha]
            assert run.end == pytest.approx(expected, abs=6e-5)
            assert run.bias.limit[0] == pytest.approx(run.end, abs=1e-8)


def test_an_unknown_network_is_refused():
    with pytest.raises(sf.InvalidArgument, match="got 'round'"):
        plane_experiment(["round"])


def test_the_picture_has_curves_crosses_and_level_sets():
    runs = plane_experiment(["diagonal"], [2], [0.1, 1.0])
    axes = sf.plot.plane(
        [run.trajectory for run in runs],
        [run.bias for run in runs],
        labels=[f"α = {run.alpha:g}" for run in runs],
        levels=runs[0].bias,
    )
    assert isinstance(runs[0].bias, DiagonalPotential)
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
