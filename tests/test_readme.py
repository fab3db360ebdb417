"""Every output in the README is what its command prints."""

import doctest
import re
import shlex
from pathlib import Path

import pytest

from symflow.cli.parser import parser

README = Path(__file__).parents[1] / "README.md"


def test_the_session_of_the_readme_is_true(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = doctest.testfile(str(README), module_relative=False, verbose=False)
    assert result.attempted > 10
    assert result.failed == 0


def shell_lines():
    blocks = re.findall(r"```sh\n(.*?)```", README.read_text(encoding="utf-8"), re.S)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


@pytest.mark.parametrize("line", shell_lines())
def test_commands_of_the_readme_exist(line):
    """Each `symflow …` command parses; none asks for what the parser does not know."""
    for command in line.split("&&"):
        words = shlex.split(command, comments=True)
        if words and words[0].rsplit("/", 1)[-1] == "symflow":
            assert parser().parse_args(words[1:]).verb


def test_set_up_is_two_commands_for_a_fresh_machine():
    ready = [line for line in shell_lines() if "-m venv" in line]
    assert len(ready) == 2
    assert ready[0].endswith("symflow analyze")
    assert ready[1].endswith("pytest")
