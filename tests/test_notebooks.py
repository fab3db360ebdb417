"""Every notebook runs from top to bottom; its own assertions are the test."""

from __future__ import annotations

from pathlib import Path

import nbclient
import nbformat
import pytest

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"


def test_the_first_notebook_is_there():
    assert (NOTEBOOKS / "01_first_flow.ipynb").is_file()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem
)
def test_notebooks_run(path, tmp_path):
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(
        notebook,
        kernel_name="python3",  # always the interpreter that runs the tests
        timeout=120,
        resources={"metadata": {"path": str(tmp_path)}},
    ).execute()
