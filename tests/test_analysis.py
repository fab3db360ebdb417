"""The main job as a library: horizons, budgets, reports."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from itertools import count
from pathlib import Path
from time import sleep
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import sympy

import symflow as sf
from symflow.algebra.mathml import mathml
from symflow.analysis import (
    About,
    Analysis,
    analyze,
    budget,
    environment,
    horizon,
    precise_within,
    whitened_problem,
    write_report,
)
from symflow.analysis.html import html_report
from symflow.analysis.optimum import best_matrix, least_loss
from symflow.analysis.record import to_json
from symflow.analysis.study import held_within, late_fall
from symflow.analysis.text import summary
from symflow.flow.problem import bind
from symflow.validation import digits_of

LINNERUD = sf.load_dataset("linnerud").standardized()


def flow_of(*widths: int, **options: object) -> sf.GradientFlow:
    return sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss(**options))


@pytest.fixture(scope="module")
def found() -> Analysis:
    flow, init = flow_of(3, 2, 3), sf.gaussian_init(0.05, rng=1)
    return analyze(flow, LINNERUD, init, digits=30, budget=120)


@pytest.fixture(scope="module")
def folder(found: Analysis, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("report")
    about = About("linnerud <b>", "standardized", "symflow analyze linnerud & more")
    write_report(found, target, about=about)
    return target


@pytest.fixture(scope="module")
def bare() -> Analysis:
    """A small problem in float64 alone."""
    data = sf.Moments([[2, 1], [1, 2]], [[1, 0]], [[1]])
    return analyze(flow_of(2, 1, 1), data, sf.gaussian_init(0.1, rng=0), budget=0)


# --- horizons -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("widths", "scale"),
    [
        ((3, 3), 0.1),
        ((3, 3, 3), 0.01),
        ((3, 1, 3), 0.01),
        ((3, 2, 3), 0.03),
        ((3, 3, 3, 3), 0.1),
    ],
)
def test_the_loss_converges_within_the_horizon(
    widths: tuple[int, ...], scale: float
) -> None:
    flow, init = flow_of(*widths), sf.gaussian_init(scale, rng=0)
    estimate = horizon(bind(flow, LINNERUD, init))
    run = sf.simulate(flow, LINNERUD, init, estimate.times)
    assert abs(run.loss[-1] - estimate.limit) <= 1e-10 * estimate.limit


@pytest.mark.parametrize("sigma", [1.0, 0.2])
def test_the_escape_time_of_two_layers_is_where_the_mode_takes_off(
    sigma: float,
) -> None:
    flow, data = flow_of(1, 1, 1), sf.whitened([[sigma]])
    init = sf.spectral_init(1e-4)
    escape = horizon(bind(flow, data, init)).escape
    run = sf.simulate(flow, data, init, [0, escape])
    assert run.end_to_end[-1, 0, 0] == pytest.approx(sigma / 2, rel=1e-3)


def test_the_escape_time_of_three_layers_scales_with_the_start() -> None:
    flow, data = flow_of(1, 1, 1, 1), sf.whitened([[1]])
    times = [horizon(bind(flow, data, sf.spectral_init(s))).escape for s in (0.1, 0.01)]
    assert times == pytest.approx([10.0, 100.0])


def test_modes_that_do_not_matter_do_not_lengthen_the_horizon() -> None:
    flow, init = flow_of(2, 2, 2), sf.spectral_init(0.1)
    short, long = (
        horizon(bind(flow, sf.whitened([[1.0, 0.0], [0.0, tiny]]), init)).end
        for tiny in (1e-9, 1e-2)
    )
    assert short < 100 < long


def test_the_horizon_is_capped_where_the_problem_is_too_stiff() -> None:
    data = sf.Moments(np.diag([1.0, 1e-9]), [[1.0, 1e-6]], [[2.0]])
    estimate = horizon(bind(flow_of(2, 2, 1), data, sf.gaussian_init(0.1, rng=0)))
    assert estimate.end == estimate.cap < estimate.escape + estimate.relaxation


def test_times_start_at_zero_and_increase_to_the_end() -> None:
    flow, init = flow_of(3, 3, 3), sf.gaussian_init(0.1, rng=0)
    estimate = horizon(bind(flow, LINNERUD, init))
    assert estimate.times[0] == 0
    assert np.all(np.diff(estimate.times) > 0)
    assert estimate.times[-1] == estimate.end


# --- the optimum --------------------------------------------------------------------


def test_reduced_rank_regression_beats_random_matrices(
    rng: np.random.Generator,
) -> None:
    problem = bind(flow_of(3, 2, 3), LINNERUD, sf.gaussian_init(1.0, rng=0))
    moments = LINNERUD.moments()
    best = best_matrix(moments.sigma_xx, moments.sigma_yx, 2)
    least = least_loss(problem)

    def loss(matrix: np.ndarray) -> float:
        residual = LINNERUD.Y - LINNERUD.X @ matrix.T
        return float(0.5 * np.sum(residual**2) / LINNERUD.n)

    assert loss(best) == pytest.approx(least, rel=1e-12)
    for _ in range(20):
        left, right = rng.standard_normal((3, 2)), rng.standard_normal((2, 3))
        assert loss(left @ right) > least
        near = best_matrix(np.eye(3), best + 1e-3 * left @ right, 2)
        assert loss(near) > least


def test_whitening_keeps_the_least_squares_loss() -> None:
    white = whitened_problem(LINNERUD.moments())
    flow, init = flow_of(3, 3, 3), sf.gaussian_init(1.0, rng=0)
    losses = [least_loss(bind(flow, data, init)) for data in (LINNERUD, white)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-12)
    assert np.array_equal(white.sigma_xx, np.eye(3))


# --- budgets ------------------------------------------------------------------------


def test_a_short_budget_covers_a_prefix_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A clock that ticks once per look at it does not depend on the machine.
    monkeypatch.setattr("symflow.analysis.budget.monotonic", count().__next__)
    problem = flow_of(3, 3, 3), LINNERUD, sf.gaussian_init(0.1, rng=0)
    times = np.linspace(0, 1000, 100)
    covered = precise_within(*problem, times, digits=40, seconds=60)
    assert covered.trajectory is not None
    assert 0 < covered.end < 1000
    assert not covered.complete
    assert not covered.interrupted
    assert "of the horizon (the budget" in str(covered)
    assert sf.validate(sf.conserved(problem[0]), covered.trajectory).ok


def test_a_budget_shorter_than_one_step_is_kept() -> None:
    sigma = np.diag(np.linspace(1.0, 2.0, 64))
    data, times = sf.Moments(sigma, sigma), np.linspace(0, 10, 20)
    init = sf.gaussian_init(0.1, rng=0)
    covered = precise_within(
        flow_of(64, 32, 64), data, init, times, digits=300, seconds=1
    )
    assert not covered.complete
    assert not covered.interrupted


def test_a_budget_that_ends_where_exceptions_are_lost_ends_a_little_later() -> None:
    class Slow:
        def __del__(self) -> None:
            sleep(0.8)  # the clock rings meanwhile

    def busy() -> None:
        Slow()
        reached.append(True)
        sleep(5)

    clock, reached = budget._Clock(0.0, None), []
    with clock.alarm(), pytest.raises(KeyboardInterrupt):
        busy()
    assert reached == [True]
    assert clock.spent < 3


def test_no_budget_runs_nothing() -> None:
    times = np.array([0.0, 1.0])
    problem = flow_of(3, 3, 3), LINNERUD, sf.gaussian_init(0.1, rng=0)
    covered = precise_within(*problem, times, digits=50, seconds=0)
    assert covered.trajectory is None
    assert "the budget is too small" in str(covered)


def test_an_interruption_keeps_what_was_covered() -> None:
    def stop(fraction: float) -> None:
        if fraction > 0.2:
            raise KeyboardInterrupt

    times = np.linspace(0, 50, 11)
    problem = flow_of(3, 3, 3), LINNERUD, sf.gaussian_init(0.1, rng=0)
    covered = precise_within(*problem, times, digits=30, seconds=60, progress=stop)
    assert covered.interrupted
    assert 5 < covered.end < 50
    assert "stopped by hand" in str(covered)


# --- analyses -----------------------------------------------------------------------


def test_everything_is_validated_on_both_problems(found: Analysis) -> None:
    assert found.ok
    assert found.raw.converged
    assert found.whitened.converged
    claims = [row.claim for row in found.report.rows]
    assert claims.count("raw: imbalance Δ1") == 2
    assert claims.count("whitened: LogisticMode") == 2
    sharp = [row for row in found.whitened.report.rows if row.claim == "LogisticMode"]
    assert digits_of(sharp[-1].residual) >= 27


def test_refusals_are_kept_as_objects(found: Analysis) -> None:
    raw, white = (
        next(entry for entry in study.attempts if entry.name == "LogisticMode")
        for study in found.studies
    )
    assert not isinstance(raw, sf.Solution)
    assert isinstance(white, sf.Solution)
    failed = {h.words for h in raw.hypotheses if not h.holds}
    assert "balanced initialization" in failed


def test_weight_decay_converges_without_a_formula_for_the_limit() -> None:
    data = sf.Moments(np.eye(2), np.diag([1.0, 0.5]), np.eye(2))
    flow = flow_of(2, 2, 2, l2=0.1)
    done = analyze(flow, data, sf.gaussian_init(0.3, rng=0), budget=0)
    assert done.raw.gap is None
    assert done.raw.converged
    assert 0 <= late_fall(done.raw.fast) < 1e-10
    assert done.ok


def test_a_start_that_cannot_leave_a_saddle_is_reported_as_such() -> None:
    start = [np.diag([0.1, 0.0]), np.diag([0.1, 0.0])]
    data = sf.Moments(np.eye(2), np.diag([1.0, 0.5]), np.eye(2))
    done = analyze(flow_of(2, 2, 2), data, start, budget=0)
    assert not done.raw.converged
    assert "saddle" in done.raw.convergence
    assert done.whitened.converged


def test_one_layer_has_no_laws_and_is_analysed_all_the_same(tmp_path: Path) -> None:
    done = analyze(flow_of(3, 3), LINNERUD, sf.gaussian_init(0.1, rng=0), budget=0.2)
    assert done.ok
    assert done.raw.laws == ()
    write_report(done, tmp_path)
    assert "A single layer has none" in (tmp_path / "report.html").read_text("utf-8")


@pytest.mark.parametrize("options", [{"digits": 0}, {"digits": 1.5}, {"budget": -1}])
def test_bad_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(sf.InvalidArgument, match="analyze"):
        analyze(flow_of(3, 3, 3), LINNERUD, sf.gaussian_init(0.1, rng=0), **options)


def test_progress_names_the_stages() -> None:
    seen: list[tuple[str, float]] = []
    init = sf.gaussian_init(0.3, rng=0)
    analyze(
        flow_of(3, 1, 3),
        LINNERUD,
        init,
        digits=20,
        budget=0.4,
        progress=lambda stage, fraction: seen.append((stage, fraction)),
    )
    stages = list(dict.fromkeys(stage for stage, _ in seen))
    assert stages[0] == "whitened: float64"
    assert "raw: 20 digits" in stages
    assert all(0 <= fraction <= 1 for _, fraction in seen)


def test_the_summary_fits_a_terminal(found: Analysis) -> None:
    text = summary(found)
    assert text.splitlines()[-1].startswith("All ")
    assert max(map(len, text.splitlines())) <= 100


# --- the report ---------------------------------------------------------------------


class Checker(HTMLParser):
    """Collects tags, their balance, and every address."""

    VOID = frozenset({"meta", "br", "hr", "img", "link", "input"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if "//" in (value or "") and not name.startswith("xmlns"):
                self.addresses.append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_report_is_one_well_formed_file(folder: Path) -> None:
    text = (folder / "report.html").read_text("utf-8")
    checker = Checker()
    checker.feed(text)
    checker.close()
    assert checker.open == []
    assert checker.addresses == []
    assert len(set(checker.ids)) == len(checker.ids)
    assert not {"script", "link", "img", "iframe"} & set(checker.tags)
    assert checker.tags.count("svg") == 8
    assert checker.tags.count("math") > 8
    ElementTree.fromstring(text.split("\n", 1)[1])


def test_addresses_in_the_report_are_namespaces(folder: Path) -> None:
    text = (folder / "report.html").read_text("utf-8")
    outside = re.sub(r'xmlns(:\w+)?="[^"]*"', "", text)
    assert not re.search(r"https?://|@import|url\((?!#)", outside)


def test_the_report_escapes_names_and_command(folder: Path) -> None:
    text = (folder / "report.html").read_text("utf-8")
    assert "linnerud &lt;b&gt;" in text
    assert "symflow analyze linnerud &amp; more" in text


def test_the_report_follows_the_colours_of_the_reader(folder: Path) -> None:
    text = (folder / "report.html").read_text("utf-8")
    assert "prefers-color-scheme: dark" in text
    assert "currentColor" in text
    from symflow.analysis.figures import INK

    assert all(INK not in svg for svg in re.findall(r"<svg.*?</svg>", text, re.S))


def test_the_record_is_strict_json_with_all_rows(folder: Path, found: Analysis) -> None:
    def refuse(name: str) -> None:
        raise AssertionError(name)

    text = (folder / "report.json").read_text("utf-8")
    content = json.loads(text, parse_constant=refuse)
    assert content["finished"] is True
    assert content["ok"] is True
    assert len(content["rows"]) == len(found.report.rows)
    assert content["environment"]["symflow"] == sf.__version__
    answers = content["closed_forms"]["whitened, spectral start"]
    assert any(entry["applies"] for entry in answers)


def test_figures_are_there_as_png_and_svg(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    for kind in ("loss", "modes", "drift", "agreement"):
        assert {f"raw-{kind}.png", f"whitened-{kind}.svg"} <= names
    ElementTree.parse(folder / "raw-loss.svg")


def test_the_exported_simulator_passes_its_own_test(folder: Path) -> None:
    command = [sys.executable, folder / "gradient_flow_3_2_3.py"]
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0


def test_two_reports_of_one_analysis_are_equal(
    found: Analysis, folder: Path, tmp_path: Path
) -> None:
    about = About("linnerud <b>", "standardized", "symflow analyze linnerud & more")
    write_report(found, tmp_path, about=about)
    for name in ("report.html", "report.json", "raw-drift.svg"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes()


def test_a_folder_that_cannot_be_written_is_refused(
    found: Analysis, tmp_path: Path
) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("")
    with pytest.raises(sf.OutputError, match="cannot write"):
        write_report(found, occupied)


# --- mathematics --------------------------------------------------------------------


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_every_equation_is_mathml_without_entities(depth: int) -> None:
    widths = ["d", *(f"h{k}" for k in range(1, depth)), "m"]
    flow = sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss(l2="lambda"))
    steps = [s.equation for law in sf.conserved(flow) for s in law.proof()]
    for expression in (*flow.equations, flow.potential, *steps):
        text = mathml(expression)
        ElementTree.fromstring(text)
        assert "dot" not in text
        assert "&" not in text


def test_mathml_puts_minus_signs_between_terms() -> None:
    W1, W2 = sympy.MatrixSymbol("W1", 2, 3), sympy.MatrixSymbol("W2", 2, 2)
    text = re.sub(r"<[^>]*>", "", mathml(W2.T * W2 - W1 * W1.T))
    assert text == "W2⊤W2−W1W1⊤"


# --- records ------------------------------------------------------------------------


def test_json_has_no_number_that_parsers_refuse() -> None:
    values = {"a": [np.float64("nan"), np.int64(3)], "b": sympy.Rational(1, 2)}
    assert json.loads(to_json(values)) == {"a": [None, 3], "b": "1/2"}


def test_the_environment_names_what_computes() -> None:
    assert {"symflow", "sympy", "numpy", "python-flint", "gmpy2"} <= set(environment())


def test_the_verdict_says_where_there_are_no_digits(bare: Analysis) -> None:
    assert "in float64 alone for the raw and whitened data" in bare.verdict
    assert bare.verdict in html_report(bare, About(), [])


@pytest.mark.parametrize("fault", ["backend", "latex"])
def test_a_report_is_not_lost_for_its_figures(
    bare: Analysis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    import matplotlib as mpl

    if fault == "latex":
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setitem(mpl.rcParams, "text.usetex", True)
    else:
        monkeypatch.setitem(sys.modules, "matplotlib", None)
    names = [path.name for path in write_report(bare, tmp_path / "report")]
    assert names == ["report.html", "report.json", "gradient_flow_2_1_1.py"]
    page = (tmp_path / "report" / "report.html").read_text()
    assert page.count("The figures are left out: ") == 2


def test_the_budget_bounds_the_claims_that_are_held_to_many_digits() -> None:
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    problem = flow, sf.whitened([[2]]), [[[1]], [[1]]]
    fast = sf.simulate(*problem, [0, 1, 2])
    sharp = sf.precise(*problem, [0, 1, 2], digits=30)
    claims = [*sf.conserved(flow), sf.solve(*problem), *sf.rates(*problem)]
    seen: list[float] = []
    bounded = held_within(claims, fast, sharp, seconds=0, progress=seen.append)
    whole = held_within(claims, fast, sharp, seconds=60, progress=seen.append)
    assert whole.rows == sf.validate(claims, fast, sharp).rows
    late = [row for row in bounded.rows if "budget" in row.status]
    assert len(late) == len(claims) - 1
    assert {row.verdict for row in late} == {"not checked"}
    assert bounded.rows[1] == whole.rows[1]
    assert seen[-1] == 1


# --- other networks and losses ------------------------------------------------------

SIGNS = sf.Dataset([[1.0, 2.0], [2.0, -1.0], [-1.0, -1.0]], [1, -1, -1])
LINE = sf.Dataset([[1.0, 2.0], [2.0, -1.0], [0.0, 1.0]], [1.0, 0.5, 2.0])
DENSE = sf.LinearNetwork(2, 2, 1)
ELSEWHERE = {
    "diagonal": (sf.DiagonalNetwork(2, 2), sf.SquaredLoss(), LINE),
    "filters": (sf.ConvolutionalNetwork(2, (2, 2)), sf.SquaredLoss(), LINE),
    "separable": (DENSE, sf.ExponentialLoss(), SIGNS),
    "decaying": (DENSE, sf.LogisticLoss(l2=0.1), SIGNS),
    "entries": (
        sf.LinearNetwork(2, 1, 2),
        sf.MeasurementLoss(),
        sf.Measurements.entries({(0, 0): 3, (1, 0): 2}, shape=(2, 2)),
    ),
}


@pytest.fixture(scope="module", params=ELSEWHERE)
def elsewhere(request: pytest.FixtureRequest) -> tuple[str, Analysis]:
    network, loss, data = ELSEWHERE[request.param]
    flow, init = sf.gradient_flow(network, loss), sf.gaussian_init(0.3, rng=1)
    return request.param, analyze(flow, data, init, digits=15, budget=0)


def test_other_networks_and_losses_are_analysed(elsewhere: Any, tmp_path: Path) -> None:
    _, found = elsewhere
    assert found.ok
    assert found.studies == (found.raw,)
    assert summary(found).endswith("no run at 15 digits fitted into the budget")
    page = sf.write_report(found, tmp_path)[0].read_text("utf-8")
    checker = Checker()
    checker.feed(page)
    ElementTree.fromstring(page.split("\n", 1)[1])
    assert "hitened" not in page
    assert "elementwiseexpr" not in page
    assert (tmp_path / "given-loss.svg").is_file()


def test_the_end_is_where_nothing_moves_by_another_integrator(elsewhere: Any) -> None:
    """SciPy's Radau, from where symflow stopped, moves no further."""
    from scipy.integrate import solve_ivp

    name, found = elsewhere
    study = found.raw
    if name == "separable":
        assert not study.horizon.is_still
        assert 0 < study.fast.loss[-1] < 1e-3 * study.fast.loss[0]
        assert "fall for ever" in study.convergence
        return
    problem = bind(study.flow, study.data, study.init).floats
    kern = sf.compile(study.flow)
    ends = [weight[-1] for weight in study.fast.weights]
    sizes = np.cumsum([end.size for end in ends])[:-1]

    def field(_: float, state: np.ndarray) -> np.ndarray:
        parts = zip(np.split(state, sizes), ends, strict=True)
        weights = [part.reshape(end.shape) for part, end in parts]
        return np.concatenate([v.ravel() for v in kern(*weights, *problem.arguments)])

    start = np.concatenate([end.ravel() for end in ends])
    done = solve_ivp(field, (0, study.horizon.end), start, method="Radau", rtol=1e-8)
    assert study.converged
    assert study.convergence.endswith("it stands still")
    assert np.allclose(done.y[:, -1], start, atol=1e-6)


def test_what_is_no_gradient_flow_is_refused_in_a_line() -> None:
    ball = sf.heavy_ball(DENSE, sf.SquaredLoss(), 1)
    for flow in (ball, sf.gradient_descent(DENSE, sf.SquaredLoss())):
        with pytest.raises(sf.InvalidArgument, match=r"analyze\(flow\).*_flow"):
            sf.analyze(flow, LINE, sf.gaussian_init(0.3, rng=1))


def test_an_analysis_shows_its_verdict_and_what_was_followed(elsewhere: Any) -> None:
    _, found = elsewhere
    lines = repr(found).splitlines()
    assert found.verdict in lines[0]
    assert lines[1].startswith("  given, float64    loss ")
    assert len(repr(found)) < 900
    assert found.verdict.split(",")[0] in found._repr_markdown_()


def test_every_stage_is_told_to_its_end() -> None:
    told: dict[str, float] = {}
    init = sf.gaussian_init(0.3, rng=1)
    flow = sf.gradient_flow(DENSE, sf.SquaredLoss())
    analyze(flow, LINE, init, budget=0, progress=told.__setitem__)
    assert set(told.values()) == {1.0}
