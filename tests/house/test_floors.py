"""Floors: a room imports from the rooms below it, and never from beside or above."""

from __future__ import annotations

import ast

from house.source import imported, modules, tree

#: Rooms of the package, lowest floor first.  `symflow/README.md` says why.
FLOORS = (
    ("errors", "_typing"),
    ("files", "progress"),
    ("algebra",),
    ("networks", "losses", "data", "inits"),
    ("flow",),
    ("claims",),
    ("conservation", "solutions", "bias", "convergence"),
    ("answers",),
    ("codegen",),
    ("labelled",),
    ("trajectory",),
    ("curriculum",),
    ("simulation", "precision"),
    ("validation", "certificate"),
    ("plot", "io", "citation", "gallery"),
    ("analysis",),
    ("audits",),
    ("cli",),
    ("__main__",),
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
MODULES = modules()

#: Longest module, in lines: longer ones hide a second idea.
LONGEST = 400
#: The checker of certificates is one file on purpose: everything it trusts is in it.
LONGER = {"symflow.certificate.checker": 500}


def room_of(module: str) -> str:
    return module.split(".")[1]


def is_inside(module: str) -> bool:
    return module.startswith("symflow.")


def test_every_room_has_a_floor():
    unknown = {room_of(module) for module in MODULES if is_inside(module)} - set(FLOOR)
    assert not unknown, f"say in FLOORS on which floor these are: {unknown}"


def test_rooms_import_only_from_below():
    upwards = [
        f"{module} imports {target}"
        for module in filter(is_inside, MODULES)
        for target in imported(module, MODULES[module])
        if not may_import(room_of(module), target)
    ]
    assert not upwards, "\n".join(upwards)


def may_import(here: str, target: str) -> bool:
    """Own room or lower floors; never the contents page, which imports every room."""
    if not is_inside(target):
        return target != "symflow"
    there = room_of(target)
    return there == here or FLOOR[there] < FLOOR[here]


#: Operators make what stands above their class, where they are used.
OPERATORS = {("symflow.networks.network", "symflow.networks.combine")}


def test_no_module_imports_itself_by_way_of_others():
    arrows = {
        module: {
            target
            for target in imported(module, path)
            if target in MODULES
            and target != module
            and (module, target) not in OPERATORS
        }
        for module, path in MODULES.items()
    }
    assert circle(arrows) == []
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c"]


def circle(arrows: dict[str, set[str]]) -> list[str]:
    """Return what stays when modules that import, or are imported by, none of it go."""
    left = {m: set(targets) for m, targets in arrows.items()}
    while True:
        seen = set().union(*left.values())
        ends = {m for m, targets in left.items() if not targets or m not in seen}
        if not ends:
            return sorted(left)
        left = {m: targets - ends for m, targets in left.items() if m not in ends}


def test_one_name_is_one_class():
    """Whoever reads a name in a message or a table finds one class behind it."""
    found: dict[str, list[str]] = {}
    for module, path in MODULES.items():
        for node in tree(path).body:
            if isinstance(node, ast.ClassDef):
                found.setdefault(node.name, []).append(module)
    twice = {name: places for name, places in found.items() if len(places) > 1}
    assert not twice
    assert len(found) > 300


def test_a_room_names_what_it_exports_once():
    """By a redundant alias; `__all__` has the pictures and the contents page alone."""
    listed = {
        module
        for module, path in MODULES.items()
        for node in tree(path).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
    }
    assert listed == {"symflow", "symflow.plot"}


def test_modules_stay_short():
    lines = {
        module: path.read_text(encoding="utf-8").count("\n")
        for module, path in MODULES.items()
    }
    assert not {m for m, count in lines.items() if count > LONGER.get(m, LONGEST)}


def test_modules_say_what_they_are():
    assert not [m for m in MODULES if not ast.get_docstring(tree(MODULES[m]))]


def test_no_room_for_odds_and_ends():
    names = {part for module in MODULES for part in module.split(".")}
    assert not names & {"utils", "util", "helpers", "misc", "core", "common"}


def test_an_import_from_above_beside_or_of_the_contents_page_is_told():
    assert may_import("flow", "symflow.algebra.nodes")
    assert may_import("flow", "symflow.flow.problem")
    assert may_import("flow", "numpy")
    for target in ("symflow", "symflow.cli", "symflow.claims"):
        assert not may_import("flow", target)
    assert not may_import("bias", "symflow.solutions.riccati.two_layers")


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
