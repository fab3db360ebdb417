"""Formulas and losses of the command line, and the verbs that ask theorems."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sympy
from oracles.web import page_faults

import symflow as sf
from symflow.cli import main, parser as parser_module, theorems
from symflow.gallery import coverage
from symflow.networks.wording import model_in, network_in

#: Kinds of results that have a page.
THEOREMS = ("conserved", "closed form", "rate", "phase", "descent", "limit")

LABELLED = "a,b,y\n1,2,1\n-1,1,-1\n0.5,1,1\n-2,-1,-1\n"


@pytest.fixture
def labels(tmp_path: Path) -> str:
    path = tmp_path / "labels.csv"
    path.write_text(LABELLED)
    return str(path)


def printed(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main([*arguments]) == code
    return capsys.readouterr().out


def test_a_formula_on_the_command_line_is_the_model_of_python():
    shapes = {"V": (2, 3), "R": (3, 3), "U": (3, 4), "S": (2, 4)}
    V, R, U, S = (sympy.MatrixSymbol(name, *shape) for name, shape in shapes.items())
    read = model_in("V*R*R*U + S", "V=2x3 R=3x3 U=3x4 S=2x4")
    assert read == sf.Model(V * R * R * U + S, (V, R, U, S))
    assert model_in("V@R**2@U + 0.5*S - S.T.T", "V=2x3 R=3×3 U=3,4 S=2x4") == sf.Model(
        V * R * R * U - S / 2, (V, R, U, S)
    )


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os').system('touch pwned')",
        "V.__class__",
        "(lambda: V)()",
        "[V for V in (1,)]",
        "V if V else V",
        "V[0]",
        "f'{V}'",
        "(V := V)",
        "sympify('V')",
        "V.T.shape",
    ],
)
def test_a_formula_is_never_evaluated(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(sf.InvalidArgument, match="is not arithmetic"):
        model_in(text, "V=2x2")
    assert not list(tmp_path.iterdir())


def test_nested_powers_are_counted_before_they_are_written_out():
    with pytest.raises(sf.InvalidArgument, match="at most 150 layers; got 216"):
        model_in("((R*S)**9*R.T*R.T**2*S)**9*(R*S)**9", "R=2x2 S=2x2")


def test_words_name_the_networks_of_python():
    assert network_in("diagonal 5 3") == sf.DiagonalNetwork(5, 3)
    assert network_in("diagonal d 2 signed") == sf.DiagonalNetwork("d", 2, signed=True)
    assert network_in("convolutional 8,3,3") == sf.ConvolutionalNetwork(8, (3, 3))
    assert network_in("linear d 5 1") == sf.LinearNetwork("d", 5, 1)


def test_derive_prints_latex_of_other_losses(capsys):
    latex = printed(
        capsys, "derive", "--widths", "d,m", "--loss", "logistic", "--latex"
    )
    assert latex.startswith("\\begin{aligned}\n\\dot{W}_{1} &= ")
    assert "sigma" in latex
    assert latex.count(r"\dot{W}") == 2


def test_labels_stay_labels_while_inputs_are_standardized(capsys, labels):
    arguments = ["simulate", labels, "--target", "y", "--loss", "logistic"]
    found = json.loads(printed(capsys, *arguments, "--json", "--init", "balanced"))
    data = sf.Dataset([[1, 2], [-1, 1], [0.5, 1], [-2, -1]], [1, -1, 1, -1])
    inputs = (data.X - data.X.mean(0)) / data.X.std(0)
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.LogisticLoss())
    init = sf.balanced_init(0.01, rng=0)
    run = sf.simulate(flow, sf.Dataset(inputs, data.Y), init, np.linspace(0, 10, 11))
    np.testing.assert_allclose(found["loss"], run.loss, rtol=1e-7)


def test_standard_input_is_data_and_standard_output_a_table(labels):
    command = [sys.executable, "-m", "symflow", "simulate", "-", "--target", "y"]
    command += ["--out", "-", "--points", "3", "--quiet", "--hidden", "1"]
    done = subprocess.run(
        command, input=LABELLED, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    header, *rows = csv.reader(io.StringIO(done.stdout))
    assert header == ["t", "loss", "W1[1,1]", "W1[1,2]", "W2[1,1]"]
    assert [float(row[0]) for row in rows] == [0, 5, 10]


def test_a_run_is_kept_with_its_digits(capsys, tmp_path):
    table, arrays = str(tmp_path / "run.csv"), str(tmp_path / "run.npz")
    arguments = ["simulate", "linnerud", "--hidden", "1", "--points", "2", "--end", "1"]
    printed(capsys, *arguments, "--digits", "30", "--out", table)
    printed(capsys, *arguments, "--out", arrays)
    last = Path(table).read_text().splitlines()[-1].split(",")
    kept = sf.load(arrays)
    assert len(last[2].lstrip("0.")) >= 28
    assert float(last[2]) == pytest.approx(kept.weights[0][-1, 0, 0], rel=1e-8)
    assert main([*arguments, "--out", arrays]) == 2
    assert "--force" in capsys.readouterr().err
    printed(capsys, *arguments, "--out", arrays, "--force")


def test_rates_and_bias_answer_or_say_why_not(capsys, labels):
    arguments = ["linnerud", "--hidden", "9", "--scale", "0.5"]
    assert "bounds apply" in printed(capsys, "rates", *arguments)
    first, *_ = json.loads(printed(capsys, "rates", *arguments, "--json"))
    assert first["applies"]
    assert first["rate"] > 0
    labelled = [labels, "--target", "y", "--loss", "logistic", "--l2", "1/10"]
    assert " not: " in printed(capsys, "rates", *labelled, code=1)
    assert "LeastNorm" in printed(capsys, "bias", *arguments, "--init", "balanced")
    assert "Does not apply:\n  " in printed(capsys, "bias", *labelled, code=1)
    answers = json.loads(
        printed(capsys, "bias", *arguments, "--init", "balanced", "--json")
    )
    (limit,) = [answer["limit"] for answer in answers if answer["applies"]]
    data = sf.load_dataset("linnerud").standardized()
    expected = np.linalg.lstsq(data.X, data.Y, rcond=None)[0].T
    np.testing.assert_allclose(limit, expected, rtol=1e-9)


def test_certify_proves_on_data_and_writes_what_the_checker_reads(capsys, tmp_path):
    proof, checker = tmp_path / "proof.json", tmp_path / "check.py"
    arguments = ["certify", "linnerud", "--hidden", "1", "--end", "1", "--points", "2"]
    text = printed(capsys, *arguments, "--out", str(proof), "--quiet")
    assert "imbalance Δ1 (Arora et al. 2018)  enclosed within" in text
    printed(capsys, "checker", str(checker))
    done = subprocess.run(
        [sys.executable, str(checker), str(proof)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_claim_that_is_refuted_ends_with_1(capsys, monkeypatch):
    claims = theorems._claims

    def faster(problem):
        known = {claim.name: claim for claim in claims(problem)}
        return [dataclasses.replace(known["ImbalanceRate"], constant=9.0)]

    monkeypatch.setattr(theorems, "_claims", faster)
    arguments = ["certify", "linnerud", "--hidden", "9", "--scale", "0.5"]
    text = printed(capsys, *arguments, "--end", "1", "--points", "2", code=1)
    assert "refuted, off by more than" in text


def test_a_sweep_goes_on_from_its_file(capsys, tmp_path):
    kept = str(tmp_path / "runs.sweep")
    arguments = ["sweep", "linnerud", "--hidden", "1", "--end", "1", "--points", "2"]
    first = json.loads(
        printed(capsys, *arguments, "--runs", "2", "--out", kept, "--json")
    )
    again = json.loads(
        printed(capsys, *arguments, "--runs", "3", "--out", kept, "--json")
    )
    assert again["loss"][:2] == first["loss"]
    assert again["runs"] == 3


def test_notebooks_are_copied_once(capsys, tmp_path):
    text = printed(capsys, "notebooks", str(tmp_path / "tour"))
    assert "jupyter lab " in text
    assert "symflow[notebook]" in text
    copied = tmp_path / "tour" / "01_first_flow.ipynb"
    source = Path(__file__).parents[1] / "notebooks" / copied.name
    assert copied.read_bytes() == source.read_bytes()
    assert main(["notebooks", str(tmp_path / "tour")]) == 2
    printed(capsys, "notebooks", str(tmp_path / "tour"), "--force")


def test_the_version_is_printed(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"symflow {sf.__version__}\n"


def test_quiet_shows_no_progress(capsys):
    arguments = ["sweep", "linnerud", "--hidden", "1", "--end", "1", "--points", "2"]
    main([*arguments, "--runs", "1"])
    assert "sweep" in capsys.readouterr().err
    main([*arguments, "--runs", "1", "--quiet"])
    assert capsys.readouterr().err == ""


def test_the_front_pages_name_what_there_is():
    front = str(sf.__doc__)
    named = re.findall(r"`(\w+)`", front.partition("What to use")[2])
    assert len(named) > 25
    assert set(named) <= set(sf.__all__)
    assert "symflow.cli" in sys.modules
    tasks = parser_module._TASKS.splitlines()[1:]
    verbs = [verb for line in tasks for verb in line[12:].split(", ")]
    assert {*verbs, "env"} == {row[0] for row in parser_module._VERBS}
    for line in tasks:
        assert f"* {line.split()[0]}: " in front


def check_theorems(folder):
    named = {item.name for item in coverage().results if item.kind in THEOREMS}
    pages = {path.stem: path.read_text("utf-8") for path in folder.glob("theorems/*")}
    assert set(pages) == named
    for name in named:
        assert "<svg " in pages[name]
        assert "<h2>Statement</h2>" in pages[name]
        assert "<math" in pages[name]
        assert "<li>" in pages[name] or name == "NoetherLaw"
    assert "Min, Salma Tarmoun" in pages["MarginRate"]
    assert ": ok" in pages["MarginRate"]
    assert pages["NoetherLaw"].count("From the paper") == 2
    notebooks = (folder / "notebooks.html").read_text("utf-8")
    assert notebooks.count("<h2>") == len(list((folder / "notebooks").glob("*.ipynb")))


@pytest.mark.optional
def test_docs_have_every_public_name_and_no_link_leads_nowhere(capsys, tmp_path):
    pytest.importorskip("pdoc")
    text = printed(capsys, "docs", str(tmp_path))
    assert text == f"{tmp_path / 'index.html'}\n"
    files = {path.resolve() for path in tmp_path.rglob("*")}
    pages = {
        path.resolve(): re.sub(r"(?s)<script.*?</script>", "", path.read_text("utf-8"))
        for path in tmp_path.rglob("*.html")
    }
    ids = {path: set(re.findall(r'id="([^"]+)"', page)) for path, page in pages.items()}
    front = (tmp_path / "symflow.html").resolve()
    assert set(sf.__all__) - {"oo", "plot"} <= ids[front]
    assert set(sf.plot.__all__) <= ids[(tmp_path / "symflow" / "plot.html").resolve()]
    for path, page in pages.items():
        for link in set(re.findall(r'(?:href|src)="([^"]+)"', page)):
            file, _, anchor = link.partition("#")
            target = (path.parent / file).resolve() if file else path
            assert link.startswith(("https://", "data:")) or target in files, link
            assert not anchor or anchor in ids[target], link
    check_theorems(tmp_path)
    own = [path for path, page in pages.items() if 'class="verdict' in page]
    lit = "prefers-color-scheme:dark"
    moved = (
        tmp_path / "index.html",
        tmp_path / "symflow.html",
        tmp_path / "symflow/plot.html",
    )
    assert all(lit in path.read_text("utf-8").replace(" ", "") for path in moved)
    assert len(own) == len(list((tmp_path / "theorems").iterdir())) + 3
    for path in own:
        assert page_faults(path.read_text("utf-8")) == [], path
    assert main(["docs", str(tmp_path)]) == 2


def test_docs_say_what_is_missing(capsys, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "pdoc", None)
    assert main(["docs", str(tmp_path)]) == 2
    assert 'pip install "symflow[docs]"' in capsys.readouterr().err


def test_analyze_and_validate_take_other_networks_and_losses(tmp_path):
    table = tmp_path / "labels.csv"
    table.write_text("a,b,label\n1,2,1\n2,-1,-1\n-1,-1,-1\n", encoding="utf-8")
    given = [str(table), "--target", "label", "--raw", "--budget", "0", "--quiet"]
    out = ["--out", str(tmp_path / "report")]
    logistic = ["--loss", "logistic", "--l2", "1/10"]
    assert main(["analyze", *given, *logistic, *out]) == 0
    page = (tmp_path / "report" / "report.html").read_text("utf-8")
    assert "LogisticLoss(l2=1/10)" in page
    assert main(["validate", *given, "--network", "diagonal 2 3"]) == 0
    assert main(["validate", *given, "--model", "v*u", "--shapes", "v=1x1 u=1x2"]) == 0
    assert main(["validate", *given, "--network", "diagonal 3 2"]) == 2
    assert main(["validate", "linnerud", "--loss", "logistic", "--quiet"]) == 2
