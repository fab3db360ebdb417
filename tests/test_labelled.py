"""Trajectories as tables and labelled arrays, where pandas and xarray are there."""

from __future__ import annotations

import builtins
import importlib

import numpy as np
import pytest

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
    monkeypatch.setattr("symflow.labelled.import_module", fails)
    with pytest.raises(sf.NotInstalled, match=f"Do pip install {library}"):
        getattr(run, method)()
    assert importlib.import_module is not fails
    assert builtins.__import__ is not fails
