"""Pages are valid HTML, readable without eyes, and in both colour schemes."""

from __future__ import annotations

import re

import pytest
from oracles.web import contrast, page_faults

import symflow as sf
from symflow.algebra.page import marked, page_style
from symflow.analysis import About, analyze, write_report
from symflow.plot.canvas import COLOURS

#: What is written on what.
PAIRS = [
    *(("ink", paper) for paper in ("paper", "panel", "good-paper", "bad-paper")),
    *((text, "paper") for text in ("soft", "link")),
    *((text, "panel") for text in ("soft", "link")),
    *(("good", paper) for paper in ("good-paper", "paper", "panel")),
    ("bad", "bad-paper"),
]


def schemes() -> dict[str, dict[str, str]]:
    light, dark = re.findall(r":root \{(.*?)\}", page_style(), flags=re.S)
    first = dict(re.findall(r"--([\w-]+): (#\w{6});", light))
    return {
        "light": first,
        "dark": first | dict(re.findall(r"--([\w-]+): (#\w{6});", dark)),
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_contrast_with_its_ground(scheme):
    colours = schemes()[scheme]
    assert {name for pair in PAIRS for name in pair} == {*colours} - {"line"}
    for text, ground in PAIRS:
        assert contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    assert set(re.findall(r"[^-]color: ([^v;]+);", page_style())) == set()


def test_the_first_curves_are_seen_on_both_grounds():
    for colours in schemes().values():
        for curve in COLOURS[:4]:
            assert contrast(curve, colours["paper"]) >= 2.7, curve


def test_the_measure_of_contrast_is_that_of_wcag():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("2λ_r(Σ_xx)", "2λ<sub>r</sub>(Σ<sub>xx</sub>)"),
        ("w = a^L obeys", "w = a<sup>L</sup> obeys"),
        ("margin 1 … 2.3e12", "margin 1 … 2.3·10<sup>12</sup>"),
        ("write_module of sigma_xx, x^2y", "write_module of sigma_xx, x^2y"),
    ],
)
def test_indices_and_powers_are_set_and_names_are_left(text, html):
    assert marked(text) == html


GOOD = (
    '<!doctype html><html lang="en"><head><title>t</title></head><body>'
    '<h1>a</h1><h2>b</h2><img src="x" alt="y"></body></html>'
)


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        (' lang="en"', "", "no language"),
        (' alt="y"', "", "no text for img"),
        ("<h2>b</h2>", "<h3>b</h3>", "h3 after h1"),
        ("<h1>a</h1>", '<h1 id="a">a</h1><p id="a">', "id a twice"),
        ("<h2>b</h2>", "<p><h2>b</h2></p>", "unexpected-end-tag"),
        ("<h2>b</h2>", "<h1>b</h1>", "headings begin"),
    ],
)
def test_faults_are_found(old, new, fault):
    assert page_faults(GOOD) == []
    assert fault in str(page_faults(GOOD.replace(old, new)))


def test_the_report_is_a_valid_page(tmp_path):
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.SquaredLoss())
    data = sf.Dataset([[1.0, 2], [0, 1], [2, -1]], [1.0, 0, 2])
    found = analyze(flow, data, sf.gaussian_init(0.3, rng=0), digits=20, budget=60)
    write_report(found, tmp_path, about=About("a <b> & c", "as given", "x & y"))
    assert page_faults((tmp_path / "report.html").read_text("utf-8")) == []


def test_the_atlas_and_a_ledger_are_valid_pages(tmp_path):
    assert page_faults(sf.atlas("erratum").to_html()) == []
    file = tmp_path / "claims.toml"
    file.write_text(
        '[model]\nwidths = [2, 2, 1]\n[[claim]]\nkind = "law"\n'
        'text = "W2.T*W2 + W1*W1.T"\n[[claim]]\nkind = "count"\nnumber = 3\n'
    )
    assert page_faults(sf.audit(file).to_html()) == []
