"""Floors: a room imports from the rooms below it, and never from beside or above."""

from __future__ import annotations

import ast

import pytest
from house.source import imported, modules, tree

#: Rooms of the package, lowest floor first.  `symflow/README.md` says why.
FLOORS = (
    ("errors", "_typing"),
    ("algebra",),
    ("networks", "losses", "data", "inits"),
    ("flow",),
    ("claims",),
    ("conservation", "solutions", "bias", "convergence"),
    ("codegen",),
    ("labelled",),
    ("trajectory",),
    ("simulation", "precision"),
    ("validation",),
    ("plot", "io", "citation", "gallery"),
    ("analysis",),
    ("cli",),
    ("__main__",),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
MODULES = modules()

#: Longest module, in lines: longer ones hide a second idea.
LONGEST = 400


def room_of(module: str) -> str:
    return module.split(".")[1]


def is_inside(module: str) -> bool:
    return module.startswith("symflow.")


def test_every_room_has_a_floor():
    unknown = {room_of(module) for module in MODULES if is_inside(module)} - set(FLOOR)
    assert not unknown, f"say in FLOORS on which floor these are: {unknown}"


@pytest.mark.parametrize("module", [name for name in MODULES if is_inside(name)])
def test_rooms_import_only_from_below(module):
    here = room_of(module)
    for target in imported(module, MODULES[module]):
        assert target != "symflow", f"{module} imports the contents page"
        if is_inside(target) and room_of(target) != here:
            there = room_of(target)
            assert FLOOR[there] < FLOOR[here], f"{module} imports {target}"


@pytest.mark.parametrize("module", MODULES)
def test_modules_stay_short(module):
    lines = MODULES[module].read_text(encoding="utf-8").count("\n")
    assert lines <= LONGEST, f"{module} has {lines} lines"


@pytest.mark.parametrize("module", MODULES)
def test_modules_say_what_they_are(module):
    assert ast.get_docstring(tree(MODULES[module])), f"{module} has no docstring"


def test_no_room_for_odds_and_ends():
    names = {part for module in MODULES for part in module.split(".")}
    assert not names & {"utils", "util", "helpers", "misc", "core", "common"}


def test_the_walk_sees_imports_in_functions_and_under_type_checking(tmp_path):
    path = tmp_path / "x.py"
    path.write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from symflow.cli import absent\n"
        "def f():\n    import symflow.validation\n    from symflow import flow\n"
        "    from ..codegen import compile\n"
    )
    assert set(imported("symflow.algebra.x", path)) == {
        "typing",
        "symflow.cli",
        "symflow.validation",
        "symflow.flow",
        "symflow.codegen",
    }
