"""The command line: output, exit codes, and one line for every mistake."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import symflow as sf
from symflow.citation import cite
from symflow.cli import main
from symflow.cli.parser import parser

QUICK = ["--digits", "20", "--budget", "1"]


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 2))
    y = x @ [1.0, -0.5] + 0.1 * rng.standard_normal(40)
    path = tmp_path / "house.csv"
    lines = [
        "size,age,price",
        *(f"{a},{b},{c}" for (a, b), c in zip(x, y, strict=True)),
    ]
    path.write_text("\n".join(lines) + "\n")
    return path


def run(*arguments: str | Path, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "symflow", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, **options
    )


def mistakes(csv: Path, tmp_path: Path) -> dict[str, list[str]]:
    text = tmp_path / "text.csv"
    text.write_text("a,b,y\n1,red,2\n2,blue,3\n")
    files = {
        "empty": "",
        "header": "a,b,y\n",
        "gap": "a,b,y\n1,2,3\n4,,6\n7,8,10\n",
        "nan": "a,b,y\n1,2,3\n4,nan,6\n7,8,10\n",
        "infinite": "a,b,y\n1,2,3\n4,inf,6\n7,8,10\n",
        "constant": "a,b,y\n1,2,3\n1,3,6\n1,8,10\n",
        "one": "a,b,y\n1,2,3\n",
        "ragged": "a,b,y\n1,2,3\n4,5\n",
        "twice": "a,a,y\n1,2,3\n4,5,6\n7,8,10\n",
    }
    for name, content in files.items():
        (tmp_path / f"{name}.csv").write_text(content)
    (tmp_path / "binary.csv").write_bytes(bytes(range(256)))
    odd = {
        f"{name} file": ["analyze", str(tmp_path / f"{name}.csv"), "--target", "y"]
        for name in (*files, "binary")
    }
    occupied = tmp_path / "occupied"
    occupied.write_text("")
    data = ["analyze", str(csv), "--target", "price", "--out", str(tmp_path / "out")]
    return {
        **odd,
        "directory as data": ["analyze", str(tmp_path), "--target", "y"],
        "all columns are targets": [*data[:2], "--target", "price", "size", "age"],
        "end before the start": ["simulate", "--end", "-1"],
        "endless": ["simulate", "--end", "inf"],
        "one point": ["simulate", "--points", "1"],
        "no digits": ["simulate", "--digits", "0"],
        "unknown start": ["solve", "--init", "lucky"],
        "widths without numbers": ["derive", "--widths", ","],
        "decay that is no number": ["derive", "--l2", "1/0"],
        "no file to write": ["write"],
        "directory to write": ["write", str(tmp_path)],
        "unknown entry of the atlas": ["atlas", "--only", "nobody"],
        "digits of the atlas": ["atlas", "--digits", "-3"],
        "seed": [*data, "--seed", "-1"],
        "scale that is no number": [*data, "--scale", "nan"],
        "no verb": [],
        "unknown verb": ["frobnicate"],
        "unknown option": ["derive", "--colour"],
        "unknown data set": ["analyze", "diabetis"],
        "missing file": ["analyze", str(tmp_path / "no.csv"), "--target", "y"],
        "no target": ["analyze", str(csv)],
        "bad target": ["analyze", str(csv), "--target", "prize"],
        "target of bundled data": ["analyze", "diabetes", "--target", "age"],
        "dropped of bundled data": ["analyze", "diabetes", "--drop", "age"],
        "no column to drop": [*data, "--drop", "prize"],
        "dropped target": [*data, "--drop", "price"],
        "missing": [*data, "--missing", "zero"],
        "text column": ["analyze", str(text), "--target", "y"],
        "digits": [*data, "--digits", "0"],
        "digits that are no number": [*data, "--digits", "many"],
        "budget": [*data, "--budget", "-1"],
        "scale": [*data, "--scale", "0"],
        "negative width": ["derive", "--widths", "3,-2,1"],
        "negative hidden width": [*data, "--hidden=-2"],
        "widths of other data": [*data, "--widths", "7,2,1"],
        "widths and hidden": [*data, "--widths", "2,2,1", "--hidden", "2"],
        "named widths": [*data, "--hidden", "h"],
        "one width": ["derive", "--widths", "3"],
        "negative decay": ["derive", "--l2=-1"],
        "occupied out": [*data[:4], "--out", str(occupied)],
        "letter without a shape": ["derive", "--model", "V*Q", "--shapes", "V=2x2"],
        "shapes that do not fit": ["derive", "--model", "V*V", "--shapes", "V=2x3"],
        "formula without shapes": ["derive", "--model", "V"],
        "code as a formula": ["derive", "--model", "exit()", "--shapes", "V=2x2"],
        "half a shape": ["derive", "--model", "V", "--shapes", "V=2"],
        "endless power": ["derive", "--model", "V**999", "--shapes", "V=2x2"],
        "no polynomial": ["derive", "--model", "V**-1", "--shapes", "V=2x2"],
        "two networks": ["derive", "--network", "linear 2 1", "--widths", "2,1"],
        "unknown network": ["derive", "--network", "spiral 3 2"],
        "network without sizes": ["derive", "--network", "diagonal"],
        "unknown loss": ["derive", "--loss", "hinge"],
        "decay without a value": ["solve", "--l2", "lambda"],
        "labels that are numbers": ["solve", "linnerud", "--loss", "logistic"],
        "moments of labels": ["solve", "--whiten", "--loss", "logistic"],
        "network of other data": ["rates", "linnerud", "--network", "linear 4 2"],
        "no runs": ["sweep", "--runs", "0"],
        "no digits of a proof": ["certify", "linnerud", "--digits", "0"],
        "ending of a proof": ["certify", "linnerud", "--out", str(tmp_path / "p")],
        "ending of a run": ["simulate", "--out", str(tmp_path / "run.txt")],
        "standard input without a target": ["simulate", "-"],
        "file that is there": ["write", str(occupied)],
        "checker that is there": ["checker", str(occupied)],
        "file as a folder": ["notebooks", str(occupied)],
        "unwritable module": ["write", str(tmp_path / "no" / "flow.py")],
    }


def test_every_mistake_is_one_line_and_exit_code_2(
    csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, arguments in mistakes(csv, tmp_path).items():
        code = main(arguments)
        captured = capsys.readouterr()
        lines = captured.err.splitlines()
        assert code == 2, name
        assert len(lines) == 1, (name, lines)
        assert captured.out == "", name
        assert lines[0].startswith("symflow: error: "), name


def test_a_mistake_ends_the_process_with_2_and_without_a_traceback() -> None:
    done = run("analyze", "diabetis")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("symflow: error: there is no data set")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root")
def test_out_is_checked_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tmp_path.chmod(0o500)
    assert main(["analyze", "--out", str(tmp_path)]) == 2
    assert "float64" not in capsys.readouterr().err


def test_columns_are_dropped_and_gaps_filled_or_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "gaps.csv"
    path.write_text("id,note,a,y\nx,,1,2\ny,,,4\nz,,5,7\nw,,2,3\n")
    arguments = ["simulate", str(path), "--target", "y", "--drop", "id,note"]
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert "line 3, column 'a': the cell is empty" in error
    for missing, samples in (("mean", 4), ("drop", 3)):
        assert main([*arguments, "--missing", missing]) == 0
        printed = capsys.readouterr().out
        assert f"gaps.csv (standardized): {samples} samples, 1 input" in printed


def test_analyze_prints_findings_and_writes_everything(
    csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report"
    arguments = ["analyze", str(csv), "--target", "price", "--hidden", "2", *QUICK]
    assert main([*arguments, "--out", str(out)]) == 0
    printed, progress = capsys.readouterr()
    for part in (
        "house.csv (standardized): 40 samples, 2 inputs, 1 target",
        "Ẇ₁ = W₂ᵀ(Σ_yx − W₂W₁Σ_xx)",
        "W₂ᵀW₂ − W₁W₁ᵀ is conserved",
        "LogisticMode (Saxe et al. 2014)",
        "whitened, spectral start  applies: all ",
        "balanced initialization: fails",
        "converged",
    ):
        assert part in printed
    assert "raw: 20 digits …" in progress.splitlines()
    content = json.loads((out / "report.json").read_text("utf-8"))
    assert content["problem"]["inputs"] == ["size", "age"]
    assert content["about"]["command"].startswith("symflow analyze ")
    names = {path.name for path in out.iterdir()}
    assert {"report.html", "gradient_flow_2_2_1.py", "raw-loss.png"} <= names
    assert content["about"]["command"].split()[-1] == str(out)


def test_analyze_as_json_prints_the_record_alone(
    csv: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["analyze", str(csv), "--target", "price", "--json", *QUICK]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == 0
    assert json.loads(capsys.readouterr().out)["finished"] is True


def test_validate_prints_the_rows(
    csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["validate", str(csv), "--target", "price", *QUICK]
    assert main(arguments) == 0
    assert "  imbalance Δ1 " in capsys.readouterr().out
    assert main([*arguments, "--json", "--init", "spectral"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True


def test_a_failed_check_ends_with_1(
    csv: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from symflow.conservation import Law

    monkeypatch.setattr(Law, "_along", lambda self, path: path.t + 1.0)
    assert main(["validate", str(csv), "--target", "price", *QUICK]) == 1
    assert "FAIL" in capsys.readouterr().out


@pytest.mark.slow
def test_the_main_job_verifies_closed_forms_rates_and_limits(tmp_path: Path) -> None:
    done = run("analyze", "--out", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "proved; checked to 5" in done.stdout
    rows = [line.split() for line in done.stdout.splitlines()]
    for claim in ("ImbalanceRate", "MarginRate", "LeastNorm", "LogisticMode"):
        assert any(row[:1] == [claim] and "ok" in row for row in rows), claim


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_ctrl_c_keeps_what_is_finished(tmp_path: Path) -> None:
    # A job in the background ignores the signal, and would hand that down.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    arguments = ["analyze", "--budget", "60", "--digits", "300", "--out", str(tmp_path)]
    command = [sys.executable, "-m", "symflow", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        signal.signal(signal.SIGINT, before)
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("whitened: 300 digits"):
                break
        time.sleep(0.7)
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "symflow: interrupted; kept " in rest
    assert "Traceback" not in rest
    assert (tmp_path / "gradient_flow_10_5_1.py").exists()


def test_an_interruption_leaves_a_page_with_what_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("symflow.analysis.analysis.attempts", stop)  # the last step
    arguments = ["analyze", "linnerud", "--hidden", "2", "--budget", "0", "--quiet"]
    assert main([*arguments, "--out", str(tmp_path)]) == 130
    assert "kept " in capsys.readouterr().err
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Not finished" in page
    assert "What is done: whitened and raw data" in page
    assert page.count("Not reached") == 1  # closed forms alone
    content = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert content["finished"] is False
    assert [study["title"] for study in content["studies"]] == ["whitened", "raw"]


def test_derive_prints_the_equations(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["derive", "--widths", "d,h,m", "--l2", "lambda"]) == 0
    assert "Ẇ₁ = W₂ᵀ(Σ_yx − W₂W₁Σ_xx) − λ·W₁" in capsys.readouterr().out
    assert main(["derive", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["equations"]) == 2


def test_conserved_prints_the_proof(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conserved", "--widths", "4,3,2,1"]) == 0
    printed = capsys.readouterr().out
    assert "W₃ᵀW₃ − W₂W₂ᵀ is conserved" in printed
    assert "chain rule" in printed
    assert main(["conserved", "--json", "--widths", "2,1,1", "--l2", "1/10"]) == 0
    (law,) = json.loads(capsys.readouterr().out)
    assert law["rate"] == "1/5"


def test_write_prints_the_path(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "flow.py"
    assert main(["write", str(target)]) == 0
    assert capsys.readouterr().out == f"{target}\n"
    before = target.read_text("utf-8")
    assert main(["write", str(target), "--widths", "3,1"]) == 2
    assert "--force" in capsys.readouterr().err
    assert target.read_text("utf-8") == before
    assert main(["write", "-"]) == 0
    assert capsys.readouterr().out == before
    assert main(["write", str(target), "--json", "--force"]) == 0
    assert json.loads(capsys.readouterr().out)["file"] == str(target)
    assert "def simulate" in target.read_text("utf-8")


def test_env_lists_versions(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["env", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["symflow"] == sf.__version__


def test_help_shows_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    assert "examples:" in printed
    assert max(map(len, printed.splitlines())) <= 88


VERBS = ("analyze", "derive", "conserved", "solve", "simulate", "validate", "write")
LATER = (
    "sweep",
    "rates",
    "bias",
    "certify",
    "audit",
    "checker",
    "notebooks",
    "docs",
    "atlas",
    "env",
)


@pytest.mark.parametrize("verb", [*VERBS, *LATER])
def test_every_verb_has_examples_that_parse_and_prints_json(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    printed = capsys.readouterr().out
    assert "--json" in printed
    _, _, examples = printed.partition("examples:\n")
    lines = [re.split(r"  +|&&", line.strip())[0] for line in examples.splitlines()]
    assert lines
    for line in lines:
        assert line.startswith(f"symflow {verb}")
        assert parser().parse_args(shlex.split(line)[1:]).verb


def test_solve_prints_formula_proof_and_what_fails(
    csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["solve", str(csv), "--target", "price", "--whiten"]
    assert main([*arguments, "--init", "spectral"]) == 0
    printed = capsys.readouterr().out
    assert "standardized, whitened" in printed
    assert "LogisticMode (Saxe et al. 2014), proved" in printed
    assert "residual of the flow: 0; derivation:" in printed
    assert main(["solve", "linnerud"]) == 1
    assert "No catalogued closed form applies." in capsys.readouterr().out
    assert main(["solve", "linnerud", "--json"]) == 1
    answers = json.loads(capsys.readouterr().out)
    assert not any(answer["applies"] for answer in answers)


def test_simulate_prints_a_table_at_any_precision(
    csv: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["simulate", str(csv), "--target", "price", "--end", "1"]
    assert main([*arguments, "--points", "3"]) == 0
    printed = capsys.readouterr().out
    assert [line.split()[:1] for line in printed.splitlines()[3:7]] == [
        ["t"],
        ["0"],
        ["0.5"],
        ["1"],
    ]
    assert main([*arguments, "--points", "2", "--digits", "30", "--json"]) == 0
    sharp = json.loads(capsys.readouterr().out)
    assert main([*arguments, "--points", "2", "--json"]) == 0
    fast = json.loads(capsys.readouterr().out)
    assert fast["t"] == sharp["t"] == [0.0, 1.0]
    assert float(sharp["loss"][1]) == pytest.approx(fast["loss"][1], rel=1e-7)
    assert len(sharp["loss"][1]) > 30


def test_atlas_lists_what_is_covered_without_running_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["atlas", "--list", "--json"]) == 0
    results = json.loads(capsys.readouterr().out)
    assert {"name", "paper", "result", "proof"} <= set(results[0])
    assert main(["atlas", "--list", "--markdown"]) == 0
    assert capsys.readouterr().out.startswith("| paper | results |")


def test_starting_the_command_line_imports_nothing_heavy() -> None:
    code = (
        "import sys; from symflow.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('scipy.integrate', 'matplotlib', 'flint') "
        "if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    heavy = done.stdout.splitlines()[-1]
    assert "scipy.integrate" not in heavy
    assert "matplotlib" not in heavy


# --- citations ----------------------------------------------------------------------


def test_cite_a_law_and_symflow_itself() -> None:
    law = sf.conserved(sf.gradient_flow(sf.LinearNetwork(2, 1, 1), sf.SquaredLoss()))
    assert "1802.06509" in cite(law[0])
    assert cite(law[0].reference) == cite(law[0])
    assert cite().startswith("@software{symflow,")
    assert sf.__version__ in cite()


def test_cite_refuses_what_has_no_source() -> None:
    with pytest.raises(sf.InvalidArgument, match="has no reference"):
        cite(3)


def test_the_help_names_the_data_sets_that_there_are():
    from symflow.cli import options
    from symflow.data import bundled

    assert options.BUNDLED == bundled.BUNDLED


def test_help_loads_nothing_that_it_does_not_need():
    code = (
        "import sys\nfrom symflow.cli import main\n"
        "try:\n    main(['analyze', '--help'])\nexcept SystemExit:\n    pass\n"
        "assert not {'numpy', 'sympy', 'scipy', 'matplotlib'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
