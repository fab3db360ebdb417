"""Audits: what is true is settled, seeded errors are refuted, files are only data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import symflow as sf
from symflow.cli import main

AUDITS = Path(__file__).parent / "audits"
TRUE = sorted(p for p in AUDITS.glob("*.toml") if not p.stem.endswith("_false"))
GOOD = {sf.Status.PROVED, sf.Status.ENCLOSED, sf.Status.VERIFIED}


@pytest.mark.parametrize("file", TRUE, ids=lambda file: file.stem)
def test_true_claims_are_settled_and_every_seeded_error_is_refuted(file: Path) -> None:
    true = sf.audit(file)
    assert true.ok
    assert {line.verdict for line in true.lines} <= GOOD, true
    false = sf.audit(file.with_stem(f"{file.stem}_false"))
    assert {line.verdict for line in false.lines} == {sf.Status.REFUTED}, false


def test_the_verb_writes_a_page_and_a_ledger(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["audit", str(AUDITS / "imbalance.toml"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True
    false = str(AUDITS / "imbalance_false.toml")
    assert main(["audit", false, "--out", str(tmp_path)]) == 1
    kept = json.loads((tmp_path / "audit.json").read_text())
    assert len(kept["sha256"]) == 64
    assert kept["versions"]["sympy"]
    assert [claim["verdict"] for claim in kept["claims"]] == ["refuted"] * 2
    assert (tmp_path / "audit.html").read_text().count("pill bad") == 2


LAW = '[model]\nwidths = [2, 2, 1]\n[[claim]]\nkind = "law"\ntext = {}\n'
BAD = {
    "no TOML": "kind = ",
    "bytes": "\x00\x01",
    "no model": '[[claim]]\nkind = "law"\ntext = "W1"\n',
    "no claim": "[model]\nwidths = [2, 1]\n",
    "claims of another kind": "claim = 3\n[model]\nwidths = [2, 1]\n",
    "unknown key": 'owner = "me"\n' + LAW.format('"W1*W1.T"'),
    "unknown kind": '[model]\nwidths = [2, 1]\n[[claim]]\nkind = "miracle"\n',
    "two models": '[model]\nwidths = [2, 1]\nnetwork = "linear 2 1"\n[[claim]]\n',
    "huge width": LAW.replace("[2, 2, 1]", "[99999999999, 1]").format('"W1*W1.T"'),
    "text that runs": LAW.format("\"__import__('os').system('touch pwned')\""),
    "text with attributes": LAW.format('"W1.__class__"'),
    "endless power": LAW.format('"W1*9**9**9"'),
    "strange letter": LAW.format('"V*V.T"'),
    "no text": LAW.format("3"),
    "nan": "l2 = nan\n" + LAW.format('"W1*W1.T"'),
    "truth": "l2 = true\n" + LAW.format('"W1*W1.T"'),
    "ragged": "start = [[[1, 2], [3]]]\n" + LAW.format('"W1*W1.T"'),
    "long integer": f"l2 = {'9' * 5000}\n" + LAW.format('"W1*W1.T"'),
    "deep": f"l2 = {'[' * 5000}{']' * 5000}\n" + LAW.format('"W1*W1.T"'),
    "hexadecimal": f"l2 = 0x{'f' * 9000}\n" + LAW.format('"W1*W1.T"'),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_file_is_one_clear_line_and_never_runs(
    name: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.toml").write_text(BAD[name])
    assert main(["audit", "bad.toml"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("symflow: error: audit('bad.toml')")
    assert len(said.splitlines()) == 1
    assert len(said) < 600
    assert not Path("pwned").exists()


@pytest.mark.parametrize("name", ["none.toml", ".", "\0", 3, None])
def test_what_is_no_file_is_refused(name: Any) -> None:
    with pytest.raises(sf.InvalidArgument, match="audit"):
        sf.audit(name)
