"""Rows of a report: no word that was not compared."""

from __future__ import annotations

import json
import re
from math import inf, nan

import numpy as np
import pytest

import symflow as sf
from symflow.bias import LeastNorm
from symflow.flow.problem import bind
from symflow.validation.report import Report, Row

FLOW = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.SquaredLoss())
DATA = sf.Dataset([[1.0, 2.0], [0.5, -1.0]], [1.0, -0.5])
START = ([[0.6, 0.1], [0.2, 0.7]], [[0.5, 0.4]])
(LAW,) = sf.conserved(FLOW)


def test_a_tolerance_that_allows_anything_is_not_a_check():
    rows = [Row("c", "r", size, bound, "proved") for size, bound in ((0, 0.05), (0, 1))]
    assert [row.verdict for row in rows] == ["ok", "not checked"]
    report = Report(tuple(rows))
    assert report.ok
    assert report.verdict == "the one check holds, 1 not checked"
    assert "not checked" in str(report)
    assert "not checked" in report._repr_markdown_()
    alone = Report(tuple(rows[1:]))
    assert not alone.ok
    assert alone.verdict == "nothing was checked"


def test_what_exceeds_a_large_bound_still_fails():
    row = Row("c", "r", 50.0, 31.0, "proved")
    assert row.verdict == "FAILS"
    assert Report((row,)).failures == (row,)


def test_nothing_to_compare_is_a_dash_and_null():
    report = Report((Row("c", "r", nan, inf, "not compared"),))
    assert "–" in str(report)
    (row,) = json.loads(report.to_json())["rows"]
    assert row["residual"] is None
    assert row["verdict"] == "not checked"


@pytest.mark.parametrize("given", [(-1.0, 0.0), (nan, 0.0), (0.0,), (0.0,) * 3, ((),)])
def test_what_is_no_measurement_is_refused(given):
    run = sf.simulate(FLOW, DATA, START, [0, 1])
    fields = {name: getattr(LAW, name) for name in LAW.__dataclass_fields__}
    measure = {"residuals": lambda self, path: np.array(given)}
    broken = type("Broken", (type(LAW),), measure)(**fields)
    with pytest.raises(sf.InvalidArgument, match="residuals and slack"):
        sf.validate([broken], run)


def limit_row(claim, run):
    (row,) = [row for row in sf.validate([claim], run).rows if "limit" in row.claim]
    return row


def test_a_limit_is_compared_with_a_run_that_has_settled_and_no_other():
    bias = sf.implicit_bias(FLOW, DATA, START)
    early = limit_row(bias, sf.simulate(FLOW, DATA, START, [0, 0.1]))
    assert early.verdict == "not checked"
    assert "not compared" in early.status
    late = limit_row(bias, sf.simulate(FLOW, DATA, START, [0, 200]))
    assert late.verdict == "ok"
    data = sf.Dataset([[1.0, 2.0], [0.5, -1.0]], [1.0, -0.4])
    wrong = LeastNorm(bind(FLOW, data, START), ())
    assert limit_row(wrong, sf.simulate(FLOW, DATA, START, [0, 200])).verdict == "FAILS"
    sharp = sf.precise(FLOW, DATA, START, [0, 200], digits=30)
    assert limit_row(bias, sharp).verdict == "ok"
    assert limit_row(wrong, sharp).verdict == "FAILS"


def test_a_run_that_rests_at_a_saddle_says_nothing_of_a_limit():
    saddle = ([[0.0, 0.0], [0.0, 0.0]], [[0.0, 0.0]])
    claim = LeastNorm(bind(FLOW, DATA, saddle), ())
    row = limit_row(claim, sf.simulate(FLOW, DATA, saddle, [0, 10]))
    assert row.verdict == "not checked"


def test_a_claim_about_descent_is_compared_with_its_own_steps_alone():
    gd = sf.gradient_descent(FLOW.network, sf.SquaredLoss())
    claims = sf.companions(gd, DATA, START, step_size=0.002)
    assert claims
    own = sf.descend(gd, DATA, START, 20, step_size=0.002)
    assert all(row.verdict == "ok" for row in sf.validate(claims, own).rows)
    for other in (
        sf.descend(gd, DATA, START, 20, step_size=0.004),
        sf.descend(gd, DATA, START, 20, step_size=0.002, momentum=0.5),
        sf.simulate(FLOW, DATA, START, [0, 1]),
    ):
        rows = sf.validate(claims, other).rows
        assert {row.verdict for row in rows} == {"not checked"}
        assert "descent with η = 0.002" in rows[0].status


def test_margins_show_large_factors_as_residuals_are_shown_and_no_inf():
    problem = FLOW, sf.whitened([[1.0, 0.5]]), START
    run = sf.simulate(*problem, [0, 1, 40])
    rows = sf.validate([*sf.rates(*problem), *sf.companions(*problem)], run).rows
    said = [
        row.status.partition("margin ")[2] for row in rows if "margin" in row.status
    ]
    # how large depends on how the last loss, 1e-22, is rounded
    assert any(re.fullmatch(r"1 … \d\.\de\+\d", text) for text in said)
    assert "∞" in said
    assert not [text for text in said if "inf" in text or "e+0" in text]
