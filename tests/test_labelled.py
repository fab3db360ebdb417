"""Trajectories as tables and labelled arrays, where pandas and xarray are there."""

from __future__ import annotations

import builtins
import importlib

import numpy as np
import pytest
import sympy

import symflow as sf

FLOW = sf.gradient_flow(sf.LinearNetwork(3, 2, 2), sf.SquaredLoss())
DATA = sf.Moments(np.eye(3), np.array([[2.0, 0, 0], [0, 1.0, 0]]), 9 * np.eye(2))
INIT = sf.gaussian_init(0.3, rng=0)
TIMES = [0, 1, 5]
STARTS = [np.full((4, 2, 3), 0.3), np.full((4, 2, 2), 0.2)]
PATHS = {
    "simulate": lambda: sf.simulate(FLOW, DATA, INIT, TIMES),
    "precise": lambda: sf.precise(FLOW, DATA, INIT, TIMES, digits=30),
    "ensemble": lambda: sf.ensemble(FLOW, DATA, STARTS, TIMES),
}


@pytest.mark.parametrize("name", PATHS)
def test_a_table_has_a_row_per_time_and_trajectory(name):
    pytest.importorskip("pandas")
    paths = PATHS[name]()
    table = paths.to_frame()
    many = name == "ensemble"
    assert list(table) == ["start"] * many + ["t", "loss", "mode_1", "mode_2"]
    assert len(table) == 3 * (4 if many else 1)
    assert table["t"].tolist() == [0.0, 1.0, 5.0] * (4 if many else 1)
    assert table["loss"].tolist() == np.ravel(paths.loss).astype(float).tolist()
    assert table["mode_2"].iloc[-1] == paths.singular_values[..., -1, 1].flat[-1]


@pytest.mark.parametrize("name", PATHS)
@pytest.mark.optional
def test_labelled_arrays_have_the_dimensions_by_name(name):
    xarray = pytest.importorskip("xarray")
    paths = PATHS[name]()
    labelled = paths.to_xarray()
    assert isinstance(labelled, xarray.Dataset)
    lead = ("start", "t") if name == "ensemble" else ("t",)
    assert labelled["W2"].dims == (*lead, "W2_row", "W2_column")
    assert labelled["end_to_end"].dims == (*lead, "output", "input")
    last = labelled["end_to_end"].sel(t=5.0).to_numpy()
    expected = np.asarray(paths.end_to_end).astype(float)[..., -1, :, :]
    assert np.array_equal(last, expected)
    assert labelled.attrs["flow"].startswith("GradientFlow of SquaredLoss()")


@pytest.mark.parametrize(
    ("method", "library"), [("to_frame", "pandas"), ("to_xarray", "xarray")]
)
def test_a_missing_library_is_named(monkeypatch, method, library):
    def fails(name, *_rest):
        raise ImportError(name)

    run = PATHS["simulate"]()
    monkeypatch.setattr("symflow.errors.import_module", fails)
    with pytest.raises(sf.NotInstalled, match=f"Do pip install {library}"):
        getattr(run, method)()
    assert importlib.import_module is not fails
    assert builtins.__import__ is not fails


def several():
    flow = sf.gradient_flow(sf.LinearNetwork(2, 1, 2), sf.SquaredLoss())
    problem = flow, sf.whitened([[3, 1], [1, 2]])
    start = [[[1.0, 0.5]], [[1.0], [0.5]]]
    yield sf.simulate(*problem, start, [0, 1])
    yield sf.precise(*problem, start, [0, 1], digits=12)
    yield sf.enclose(*problem, start, [0, 1], digits=12)
    yield sf.ensemble(*problem, [np.array([w, w]) for w in start], [0, 1])
    yield sf.sweep(*problem, sf.gaussian_init(0.1, rng=0), [0, 1], runs=2, rng=0)


def test_numpy_is_told_what_to_write_where_there_are_several_arrays():
    for paths in several():
        for read in (np.asarray, np.array, np.sum, lambda p: np.ones(2) + p):
            with pytest.raises(sf.InvalidArgument, match=r"Write \.end_to_end, \.loss"):
                read(paths)
        for name in ("end_to_end", "loss", "t"):
            assert np.asarray(getattr(paths, name)).size
        assert np.asarray(paths.weights[0]).size


def test_a_name_that_is_not_there_is_a_key_error_that_lists_those_that_are():
    for paths in [*several()][:3]:
        assert paths._ipython_key_completions_() == ["W1", "W2"]
        for key in ("W3", "w1", 0, None, sympy.MatrixSymbol("V", 2, 2)):
            with pytest.raises(
                KeyError, match=r"its weights are \['W1', 'W2'\]"
            ) as told:
                paths[key]
            assert isinstance(told.value, sf.UnknownName)
            assert not str(told.value).startswith(("'", '"'))
            assert isinstance(told.value, sf.InvalidArgument)
        assert paths["W1"] is paths[paths.flow.state[0]]
