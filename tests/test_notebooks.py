"""Every notebook runs from top to bottom; its own assertions are the test."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import nbclient
import nbformat
import pytest
from jupyter_client.manager import KernelManager

import symflow as sf

NOTEBOOKS = Path(__file__).parents[1] / "notebooks"

#: Forgets the notebook before; test_atlas has the random instances in larger numbers.
BEFORE = """%reset -f
import matplotlib
import symflow.gallery.ensembles
matplotlib.rcdefaults()
symflow.gallery.ensembles.DATA_SETS = 2
"""


def test_the_first_notebook_is_there():
    assert (NOTEBOOKS / "01_first_flow.ipynb").is_file()


@pytest.mark.parametrize(
    "path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem
)
def test_notebooks_need_no_inner_module_and_users_reshape_nothing(path):
    cells = nbformat.read(path, as_version=4).cells
    source = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    tree = ast.parse(source)
    modules = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    froms = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    modules |= {node.module for node in froms}
    assert "symflow" in modules
    assert not [name for name in modules if name.startswith("symflow.")]
    taken = [a.name for n in froms if n.module == "symflow" for a in n.names]
    assert set(taken) <= set(sf.__all__)
    if path.stem[:2] not in ("11", "12", "13"):
        return
    called = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not called & {"reshape", "ravel", "flatten", "squeeze", "newaxis", "tolist"}


@pytest.fixture(scope="module")
def client(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[nbclient.NotebookClient]:
    """One kernel for all, because imports cost more than many a notebook."""
    # "python3" is always the interpreter that runs the tests.
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(tmp_path_factory.mktemp("notebooks")))
    nothing = nbformat.v4.new_notebook()
    client = nbclient.NotebookClient(nothing, km=manager, timeout=120)
    yield client
    client.kc.stop_channels()
    manager.shutdown_kernel(now=True)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    "path", sorted(NOTEBOOKS.glob("*.ipynb")), ids=lambda path: path.stem
)
def test_notebooks_run(path, client):
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(BEFORE))
    client.nb = notebook
    client.execute()
