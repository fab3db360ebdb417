"""Every claim of the atlas holds, and every mutant of it fails."""

import json
import re

import numpy as np
import pytest

import symflow as sf
from symflow.convergence import (
    BOUNDS,
    COMPANIONS,
    DescentCorridor,
    ImbalanceDrift,
    InducedFlow,
    MixedFlow,
    OneStep,
    RankOneLimit,
    UniformDescent,
)
from symflow.gallery import (
    ENTRIES,
    EnsembleEntry,
    PathEntry,
    atlas,
    coverage,
    width_experiment,
)

ENSEMBLES = [entry for entry in ENTRIES if isinstance(entry, EnsembleEntry)]
SINGLE = [entry for entry in ENTRIES if entry not in ENSEMBLES]


@pytest.mark.parametrize("entry", SINGLE, ids=lambda entry: entry.key)
def test_claim_holds_and_its_mutant_fails(entry):
    line = entry.run(20)
    assert line.ok, line
    assert entry.mutant_fails()


def test_every_bound_of_the_catalogues_has_its_random_instances():
    """Both flows of W and the limit are no bounds: they are held at many digits."""
    kinds = {entry.kind for entry in ENSEMBLES}
    assert {*BOUNDS, *COMPANIONS} - kinds <= {InducedFlow, MixedFlow, RankOneLimit}
    assert {OneStep, UniformDescent, ImbalanceDrift, DescentCorridor} <= kinds


def test_no_bound_is_violated_on_hundreds_of_random_instances(monkeypatch):
    """Every bound on a part of its ensemble; the line says how loose it is.

    The false version meets the very paths that the true one did, and more where they
    are too few to tell.
    """
    counts = []
    for entry in ENSEMBLES:
        for starts, sets in ((8, 2), (25, 4)):
            with monkeypatch.context() as few:
                few.setattr("symflow.gallery.ensembles.DATA_SETS", sets)
                few.setattr("symflow.claims.random_problems.STARTS", starts)
                drawn = list(entry.instances())
                few.setattr(EnsembleEntry, "instances", lambda _, held=drawn: held)
                line = entry.run(30) if drawn else None
                assert line is None or line.ok, line
                if len(drawn) > 1 and entry.mutant_fails():
                    break
        else:
            pytest.fail(f"{entry.key}: the false version is not seen")
        counts.append(len(drawn))
    assert min(counts) >= 2
    assert sum(counts) >= 200


def test_table_as_text_html_and_json():
    fractions = []
    table = atlas("erratum", progress=fractions.append)
    assert fractions == [0.25, 0.5, 0.75, 1.0]
    assert "all 4 claims hold" in str(table)
    assert table.raise_if_failed() is table
    content = json.loads(table.to_json())
    assert content["ok"]
    assert {row["paper"] for row in content["claims"]} == {
        "Min et al. 2021",
        "Min et al. 2023",
    }
    assert table.to_html().count("<tr>") == 5
    with pytest.raises(sf.InvalidArgument, match="keys begin conserved"):
        atlas("nobody")


def test_every_theorem_and_law_is_in_the_atlas_and_found_by_its_class():
    own = {entry.stated_by for entry in ENTRIES}
    kinds = ("experiment", "erratum")
    named = {one.name for one in coverage().results if one.kind not in kinds}
    # these two are in it as experiments: eftekhari-complexity and yun-singular
    assert named - own == {"DescentComplexity", "SingularVectors"}
    for entry in ENTRIES:
        if isinstance(entry, PathEntry):
            assert type(entry.claim(entry.instance())).__name__ == entry.stated_by
    table = atlas("RowSpace")
    assert [line.key for line in table.lines] == ["conserved-rows"]


def test_command_line_writes_the_atlas(tmp_path, capsys):
    from symflow.cli import main

    assert main(["atlas", "--only", "erratum", "--out", str(tmp_path)]) == 0
    assert "all 4 claims hold" in capsys.readouterr().out
    assert json.loads((tmp_path / "atlas.json").read_text())["ok"]
    assert "<table>" in (tmp_path / "atlas.html").read_text()


@pytest.mark.parametrize("widths", [(), 5, {}, np.array(1.0), [0], range(10**12)])
def test_a_width_experiment_refuses_what_are_no_widths(widths):
    with pytest.raises(
        sf.InvalidArgument, match=r"width_experiment\(widths=…\): needs"
    ):
        width_experiment(sf.Dataset(np.eye(2), [1, 2]), widths)


def test_a_width_experiment_needs_no_seed_and_weights_that_are_floats():
    problem = sf.Dataset([[1, 2, 0]], [1]), [64]
    found = width_experiment(*problem, runs=1)
    assert np.all(found.distances <= found.bounds)
    with pytest.raises(sf.InvalidArgument, match="beyond all floats"):
        width_experiment(*problem, exponent=-1e18)


def test_width_experiment_does_not_depend_on_the_reduction(rng):
    """The narrow network with the same Gram matrix follows the wide one."""
    data = sf.Dataset(rng.standard_normal((3, 6)), rng.standard_normal((3, 2)))
    wide = [rng.standard_normal((40, 6)) / 6, rng.standard_normal((2, 40)) / 6]
    narrow = np.linalg.qr(np.hstack([wide[0], wide[1].T]), mode="r")
    flow = sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), sf.SquaredLoss())
    ends = [
        sf.simulate(flow, data, start, [0, 1, 3]).end_to_end
        for start in (wide, (narrow[:, :6], narrow[:, 6:].T))
    ]
    assert ends[0] == pytest.approx(ends[1], abs=1e-8)
    found = width_experiment(data, [64, 256], runs=3, rng=0)
    assert np.all(found.distances <= found.bounds)
    assert np.all(np.median(found.distances, axis=1) <= found.theorem)


def test_the_page_stands_alone_and_has_its_verdict_first():
    page = atlas("erratum").to_html()
    assert page.index("All 4 claims hold") < page.index("<table>")
    assert "prefers-color-scheme: dark" in page
    assert not re.search(r"src=|<script|@import|url\(|<link", page)
    assert page.count("<details>") == 4


def test_a_claim_that_fails_comes_first_and_colours_the_verdict():
    from dataclasses import replace

    table = atlas("erratum")
    *good, last = table.lines
    page = replace(table, lines=(*good, replace(last, ok=False))).to_html()
    assert re.search(r'class="verdict bad">\s*1 of 4 FAIL', page)
    assert page.index("FAILS</span>") < page.index("holds</span>")
