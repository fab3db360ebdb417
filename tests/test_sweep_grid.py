"""Sweeps over widths, scales and data sets, in one file that can be resumed."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import symflow as sf
from symflow.errors import InvalidArgument

FLOWS = {
    width: sf.gradient_flow(sf.LinearNetwork(3, width, 2), sf.SquaredLoss())
    for width in (1, 2)
}
RULES = {scale: sf.gaussian_init(scale, rng=0) for scale in (0.1, 0.5)}
DATA = {
    "one": sf.whitened([[1.0, 0, 0], [0, 0.5, 0]]),
    "two": sf.whitened([[2.0, 0, 0], [0, 1.5, 0]]),
}
TIMES = [0, 1, 3]


def grid(*problem, **options):
    with ThreadPoolExecutor(1) as pool:
        return sf.sweep_grid(*problem, TIMES, executor=pool, **{"runs": 3, **options})


def test_every_combination_is_the_sweep_of_its_choices():
    found = grid(FLOWS, DATA["one"], RULES)
    assert found.axes == ("flow", "init")
    assert list(found) == [(1, 0.1), (1, 0.5), (2, 0.1), (2, 0.5)]
    with ThreadPoolExecutor(1) as pool:
        alone = sf.sweep(
            FLOWS[2], DATA["one"], RULES[0.5], TIMES, runs=3, executor=pool
        )
    assert np.array_equal(found[2, 0.5].end_to_end, alone.end_to_end)
    assert found[1, 0.1].weights[0].shape == (3, 3, 1, 3)


def test_runs_of_all_scales_start_from_the_same_draws():
    found = grid(FLOWS[2], DATA["one"], RULES)
    small, large = (found[scale].weights[0][:, 0] for scale in RULES)
    np.testing.assert_allclose(5 * small, large, rtol=1e-14)


def test_one_file_is_resumed_and_ends_with_the_same_bytes(tmp_path):
    whole, part = tmp_path / "whole", tmp_path / "part"
    first = grid(FLOWS, DATA, RULES[0.1], path=whole)
    content = whole.read_bytes()
    part.write_bytes(content[: len(content) // 2])
    seen = []
    again = grid(FLOWS, DATA, RULES[0.1], path=part, progress=seen.append)
    assert 0 < seen[0] < 1  # what was whole in the file is not made again
    assert part.read_bytes() == content
    assert np.array_equal(again[2, "two"].end_to_end, first[2, "two"].end_to_end)
    with pytest.raises(InvalidArgument, match="the file belongs to another sweep"):
        grid(FLOWS, DATA, RULES[0.5], path=part)
    with pytest.raises(InvalidArgument, match="they differ in runs"):
        grid(FLOWS, DATA, RULES[0.1], path=part, runs=4)


def test_a_combination_that_fails_does_not_hide_the_others():
    growing = sf.gaussian_init(1e200, rng=0)
    found = grid(FLOWS[2], DATA["one"], {"fine": RULES[0.1], "huge": growing})
    assert list(found) == [("fine",)]
    assert "all 3 runs failed" in found.failures["huge",]
    with pytest.raises(InvalidArgument, match=r"no such sweep; .*all 3 runs failed"):
        found["huge"]
    with pytest.raises(InvalidArgument, match=r"no such sweep; the grid has"):
        found["unknown"]
    assert "huge" in repr(found)


def test_a_grid_in_which_nothing_works_says_why():
    huge = {scale: sf.gaussian_init(scale, rng=0) for scale in (1e200, 1e220)}
    with pytest.raises(sf.IntegrationFailed, match="every combination failed; the fir"):
        grid(FLOWS[2], DATA["one"], huge)
    with pytest.raises(InvalidArgument, match="needs a method such as"):
        grid(FLOWS, DATA["one"], RULES[0.1], method="RK45")
    narrow = {"narrow": sf.whitened([[1.0], [2.0]])}
    with pytest.raises(InvalidArgument, match="run 0: ShapeMismatch"):
        grid(FLOWS[2], narrow, RULES[0.1])


def test_seeds_that_are_overridden_make_no_other_grid(tmp_path):
    path = tmp_path / "runs"
    seen = []
    for _ in range(2):
        rules = {scale: sf.gaussian_init(scale) for scale in (0.1, 0.5)}
        grid(FLOWS[1], DATA["one"], rules, path=path, progress=seen.append)
    assert seen == [k / 6 for k in range(7)] + [1.0]


def test_runs_that_a_damaged_grid_makes_again_are_named(tmp_path):
    path = tmp_path / "runs"
    grid(FLOWS[1], DATA["one"], RULES, path=path)
    whole = path.read_bytes()
    spoilt = bytearray(whole)
    spoilt[-20] ^= 1
    path.write_bytes(spoilt)
    again = grid(FLOWS[1], DATA["one"], RULES, path=path)
    assert [again[scale].remade for scale in RULES] == [(), (2,)]
    assert path.read_bytes() == whole


def test_a_table_has_a_column_per_axis():
    pytest.importorskip("pandas")
    table = grid(FLOWS, DATA, RULES[0.1]).to_frame()
    assert list(table)[:4] == ["flow", "data", "run", "t"]
    assert len(table) == 2 * 2 * 3 * 3
    last = table[(table.flow == 2) & (table.data == "two") & (table.t == 3)]
    assert len(last) == 3
    assert last.mode_1.max() < 2.001


def test_a_grid_is_a_mapping_from_labels_to_sweeps():
    found = grid(FLOWS, DATA["one"], RULES)
    assert dict(found.items()) == found.sweeps
    assert list(found.values())[3] is found[2, 0.5]
    assert (2, 0.1) in found
    assert (3, 0.1) not in found
    assert found.get((3, 0.1)) is None


@pytest.mark.optional
def test_labelled_arrays_of_a_grid_have_a_dimension_per_axis():
    pytest.importorskip("xarray")
    found = grid(FLOWS, {"bad": sf.whitened(np.zeros((9, 9))), **DATA}, RULES[0.1])
    labelled = found.to_xarray()
    loss = labelled["loss"]
    assert loss.sizes == {"flow": 2, "data": 2, "run": 3, "t": 3}
    for labels, sweep in found.items():
        place = dict(zip(found.axes, labels, strict=True))
        assert np.array_equal(loss.sel(place), sweep.loss)
        assert np.array_equal(labelled["end_to_end"].sel(place), sweep.end_to_end)
    wide = sf.gradient_flow(sf.LinearNetwork(4, 1, 2), sf.SquaredLoss())
    other = grid({1: FLOWS[1]}, DATA["one"], RULES).sweeps
    mixed = sf.Grid(
        ("flow", "init"),
        {**other, (4, 1): grid({4: wide}, sf.whitened(np.eye(2, 4)), RULES)[4, 0.1]},
    )
    with pytest.raises(InvalidArgument, match="shapes of W differ"):
        mixed.to_xarray()


@pytest.mark.parametrize(
    ("problem", "message"),
    [
        ((FLOWS[1], DATA["one"], RULES[0.1]), "needs a mapping"),
        ((FLOWS[1], DATA["one"], {}), "needs a mapping"),
        ((FLOWS[1], {"a": 3}, RULES[0.1]), "needs a Dataset or Moments; got 3"),
    ],
)
def test_arguments_of_a_grid_are_checked(problem, message):
    with pytest.raises(InvalidArgument, match=message):
        grid(*problem)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_bar_fills_up_on_one_line():
    stream = Terminal()
    bar = sf.ProgressBar("sweep", stream)
    for fraction in (0.0, 0.25, 1.0):
        bar(fraction)
    lines = stream.getvalue().split("\r")
    assert lines[-1].startswith("sweep 100% |########################|")
    assert "\n" not in stream.getvalue().rstrip("\n")


@pytest.mark.parametrize("verb", ["simulate", "precise", "enclose"])
def test_true_shows_a_bar_and_another_thing_is_refused(verb, capsys):
    problem = FLOWS[1], DATA["one"], RULES[0.5], [1, 2]
    getattr(sf, verb)(*problem, progress=True)
    assert f"{verb} 100%" in capsys.readouterr().err
    getattr(sf, verb)(*problem, progress=False)
    assert capsys.readouterr().err == ""
    with pytest.raises(InvalidArgument, match=rf"{verb}\(progress=…\): needs True"):
        getattr(sf, verb)(*problem, progress="yes")
