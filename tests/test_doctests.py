"""Every example in a docstring is true, in the package that is installed."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import symflow

MODULES = [
    "symflow",
    *(
        module.name
        for module in pkgutil.walk_packages(symflow.__path__, "symflow.")
        if not module.name.endswith("__main__")
    ),
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_are_true(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    messages: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.FAIL_FAST)
    for example in doctest.DocTestFinder().find(importlib.import_module(name)):
        runner.run(example, out=messages.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(messages)
