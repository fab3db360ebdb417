"""Examples of what is not public: each is true in the module that it is about.

They stand in ``internals/``, a file for each room, under the names of the modules.
"""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import pytest

SECTIONS = {
    module: examples
    for path in sorted(Path(__file__).with_name("internals").glob("*.txt"))
    for module, examples in re.findall(
        r"^(symflow[\w.]*)\n=+\n(.*?)(?=^symflow[\w.]*\n=|\Z)",
        path.read_text(encoding="utf-8"),
        re.M | re.S,
    )
}


@pytest.mark.parametrize("module", SECTIONS)
def test_examples_of_internals_are_true(module, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = dict(vars(importlib.import_module(module)))
    found = doctest.DocTestParser().get_doctest(
        SECTIONS[module], names, module, None, None
    )
    said: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.FAIL_FAST)
    runner.run(found, out=said.append)
    assert found.examples
    assert runner.summarize(verbose=False).failed == 0, "".join(said)
