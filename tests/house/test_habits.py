"""Habits that a reader of the package can rely on."""

from __future__ import annotations

import ast
import json
import subprocess
import sys

import pytest
from house.source import REPOSITORY, modules, tree

MODULES = modules()
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
TREES = {name: tree(path) for name, path in MODULES.items()}

#: What only some tasks need, and `import symflow` therefore does not load.
LAZY = ["scipy.integrate", "matplotlib", "flint", "IPython", "pandas", "distributed"]

#: Names of a global precision.
PRECISIONS = {"dps", "prec"}


def test_importing_symflow_stays_light():
    """SymPy itself loads flint where it finds it; symflow adds nothing to that."""
    loaded = {}
    for package in ("symflow", "sympy"):
        script = (
            f"import sys, {package}; print([m for m in {LAZY} if m in sys.modules])"
        )
        run = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=True
        )
        loaded[package] = set(ast.literal_eval(run.stdout))
    assert loaded["symflow"] <= loaded["sympy"] <= {"flint"}


@pytest.mark.parametrize("name", [n for n in TREES if n.split(".")[-1] != "cli"])
def test_the_library_does_not_print(name):
    calls = [n for n in ast.walk(TREES[name]) if isinstance(n, ast.Call)]
    printing = [call.lineno for call in calls if _called(call) == "print"]
    assert not printing or name.startswith("symflow.cli"), f"{name}: lines {printing}"


@pytest.mark.parametrize("name", TREES)
def test_exceptions_are_caught_by_name(name):
    for handler in ast.walk(TREES[name]):
        if isinstance(handler, ast.ExceptHandler):
            assert handler.type is not None, f"{name}:{handler.lineno}: bare except"
            caught = {n.id for n in ast.walk(handler.type) if isinstance(n, ast.Name)}
            # Cleaning up for any exception is right where it is raised again.
            passes_on = ast.unparse(handler.body[-1]) == "raise"
            assert passes_on or "BaseException" not in caught, (
                f"{name}:{handler.lineno}"
            )


@pytest.mark.parametrize("name", TREES)
def test_no_global_precision_is_assigned(name):
    """`mp.dps = …` and `ctx.prec = …` change every caller's arithmetic."""
    for target, line in _assigned_attributes(TREES[name]):
        owner = ast.unparse(target.value)
        is_global = owner.split(".")[-1] in {"mp", "ctx"} or owner == "mpmath"
        assert not (target.attr in PRECISIONS and is_global), f"{name}:{line}: {owner}"


def _assigned_attributes(syntax):
    for node in ast.walk(syntax):
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, (ast.AugAssign, ast.AnnAssign)):
            targets = [node.target]
        else:
            continue
        for target in targets:
            parts = target.elts if isinstance(target, ast.Tuple) else [target]
            for part in parts:
                if isinstance(part, ast.Attribute):
                    yield part, node.lineno


@pytest.mark.parametrize("name", TREES)
def test_nothing_upstream_is_patched(name):
    """Assigning to an attribute of an imported module changes it for everybody."""
    imports = {
        alias.asname or alias.name.split(".")[0]
        for node in ast.walk(TREES[name])
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    for target, line in _assigned_attributes(TREES[name]):
        owner = ast.unparse(target.value).split(".")[0]
        assert owner not in imports, f"{name}:{line} assigns to {owner}"


@pytest.mark.parametrize("name", TREES)
def test_no_global_random_numbers(name):
    """`rng=` is an argument: neither numpy's nor Python's global generator is used."""
    allowed = {"Random", "Generator", "default_rng", "SeedSequence", "PCG64"}
    modules_used = {"np.random", "numpy.random"}
    imports = [n for n in ast.walk(TREES[name]) if isinstance(n, ast.Import)]
    if any(alias.name == "random" for node in imports for alias in node.names):
        modules_used.add("random")
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in modules_used:
            assert node.attr in allowed, f"{name}:{node.lineno}: {ast.unparse(node)}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_notebooks_are_small_and_end_in_assertions(path):
    assert path.stat().st_size <= 200_000
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = "".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
    assert "assert " in code, f"{path.name} checks nothing"


def _called(call: ast.Call) -> str:
    return ast.unparse(call.func)
