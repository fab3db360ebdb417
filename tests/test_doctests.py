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


class Examples(doctest.DocTestRunner):
    """Lets an example that needs what is not installed, a C compiler say, end there."""

    def report_unexpected_exception(self, out, test, example, exc_info):
        if issubclass(exc_info[0], symflow.NotInstalled):
            raise exc_info[1]
        super().report_unexpected_exception(out, test, example, exc_info)


@pytest.mark.parametrize("name", MODULES)
def test_examples_in_docstrings_are_true(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    messages: list[str] = []
    absent: list[str] = []
    runner = Examples(optionflags=doctest.FAIL_FAST)
    for example in doctest.DocTestFinder().find(importlib.import_module(name)):
        try:
            runner.run(example, out=messages.append)
        except symflow.NotInstalled as missing:
            absent.append(str(missing))
    assert runner.summarize(verbose=False).failed == 0, "".join(messages)
    if absent:
        pytest.skip("; ".join(absent))
