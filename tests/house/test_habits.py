"""Habits that a reader of the package can rely on."""

from __future__ import annotations

import ast
import doctest
import json
import subprocess
import sys
from functools import cache

import pytest
from house.source import REPOSITORY, modules, tree

import symflow

MODULES = modules()
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
TREES = {name: tree(path) for name, path in MODULES.items()}

#: What only some tasks need, and `import symflow` therefore does not load.
LAZY = ["scipy.integrate", "matplotlib", "flint", "IPython", "pandas", "distributed"]

#: Names of a global precision.
PRECISIONS = {"dps", "prec"}

#: What only the modules that guard it may touch.
GUARDS = ("symflow.algebra.threads:", "symflow.algebra.balls:")
SHARED = {
    ("flint", "ctx"),
    ("mpmath", "mp"),
    ("mpmath", "workdps"),
    ("mpmath", "workprec"),
    ("sympy", "N"),
    ("functools", "cached_property"),
    ("warnings", "catch_warnings"),
}


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


def test_the_first_example_imports_what_it_needs():
    """Starts, random numbers and hashes are for later; SymPy comes before rooms."""
    script = "import sys, symflow\n" + "\n".join(
        example.source
        for example in doctest.DocTestParser().get_examples(symflow.__doc__)
    )
    script += "print(list(sys.modules))"
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = ast.literal_eval(run.stdout.splitlines()[-1])
    late = {"numpy.random", "hashlib", "symflow.inits", "symflow.data", "scipy"}
    assert late.isdisjoint(loaded)
    assert loaded.index("sympy") < loaded.index("symflow.flow")


def test_no_name_loads_what_only_some_tasks_need():
    script = (
        "import sys, symflow; [getattr(symflow, name) for name in symflow.__all__]\n"
        "print([m for m in ('scipy.optimize', *sys.argv[1:]) if m in sys.modules])"
    )
    slow = [name for name in LAZY if name != "flint"]
    run = subprocess.run(
        [sys.executable, "-c", script, *slow],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ast.literal_eval(run.stdout) == []


def offences(rule):
    """Return where a rule, a generator over a syntax tree, finds something."""
    return [
        f"{name}:{line}: {what}"
        for name, syntax in TREES.items()
        for line, what in rule(syntax)
    ]


@cache
def parts_of(syntax):
    """Return all nodes of a tree, which several rules look at."""
    return list(ast.walk(syntax))


def dotted(node):
    """Return a name such as np.random, and nothing for what is no name."""
    if isinstance(node, ast.Attribute):
        owner = dotted(node.value)
        return f"{owner}.{node.attr}" if owner else ""
    return node.id if isinstance(node, ast.Name) else ""


def prints(syntax):
    for node in parts_of(syntax):
        if isinstance(node, ast.Call) and dotted(node.func) == "print":
            yield node.lineno, "print"


def catches_anything(syntax):
    for handler in parts_of(syntax):
        if not isinstance(handler, ast.ExceptHandler):
            continue
        if handler.type is None:
            yield handler.lineno, "bare except"
            continue
        caught = {n.id for n in ast.walk(handler.type) if isinstance(n, ast.Name)}
        # Cleaning up for any exception is right where it is raised again.
        passes_on = ast.unparse(handler.body[-1]) == "raise"
        if "BaseException" in caught and not passes_on:
            yield handler.lineno, "BaseException"


def assigns_precision(syntax):
    """`mp.dps = …` and `ctx.prec = …` change every caller's arithmetic."""
    for target, line in _assigned_attributes(syntax):
        owner = ast.unparse(target.value)
        is_global = owner.split(".")[-1] in {"mp", "ctx"} or owner == "mpmath"
        if target.attr in PRECISIONS and is_global:
            yield line, f"{owner}.{target.attr}"


def uses_what_threads_share(syntax):
    """FLINT's precision, SymPy's use of mpmath's, and 3.11's locks on properties."""
    for node in parts_of(syntax):
        if isinstance(node, ast.ImportFrom):
            taken = {(node.module, alias.name) for alias in node.names}
            for module, name in taken & SHARED:
                yield node.lineno, f"{name} of {module}"
        elif isinstance(node, ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            if (owner, node.attr) in SHARED or node.attr == "evalf":
                yield node.lineno, f"{owner}.{node.attr}"
        elif isinstance(node, ast.With):
            entered = [ast.unparse(item.context_expr) for item in node.items]
            opened = [text.startswith("workbits(") for text in entered]
            if any(opened) and "ALONE" not in entered[: opened.index(True)]:
                yield node.lineno, ", ".join(entered)


def patches_upstream(syntax):
    """Assigning to an attribute of an imported module changes it for everybody."""
    imports = {
        alias.asname or alias.name.split(".")[0]
        for node in parts_of(syntax)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    for target, line in _assigned_attributes(syntax):
        if ast.unparse(target.value).split(".")[0] in imports:
            yield line, ast.unparse(target)


def draws_globally(syntax):
    """`rng=` is an argument: neither numpy's nor Python's global generator is used."""
    allowed = {"Random", "Generator", "default_rng", "SeedSequence", "PCG64"}
    allowed |= {"BitGenerator", "RandomState"}  # what `rng=` may be
    modules_used = {"np.random", "numpy.random"}
    imports = [n for n in parts_of(syntax) if isinstance(n, ast.Import)]
    if any(alias.name == "random" for node in imports for alias in node.names):
        modules_used.add("random")
    for node in parts_of(syntax):
        if (
            isinstance(node, ast.Attribute)
            and node.attr not in allowed
            and dotted(node.value) in modules_used
        ):
            yield node.lineno, ast.unparse(node)


def draws_another_each_time(syntax):
    """A test whose problem changes from run to run fails for some of its readers."""
    drawn = {"balanced_init", "gaussian_init", "orthogonal_init", "rank_one_init"}
    drawn |= {"lambda_balanced_init", "default_rng"}
    for node in parts_of(syntax):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "attr", getattr(node.func, "id", ""))
        seeded = any(word.arg in ("rng", None) for word in node.keywords)
        if name in drawn and not seeded and not (name == "default_rng" and node.args):
            yield node.lineno, ast.unparse(node)


def _assigned_attributes(syntax):
    for node in parts_of(syntax):
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


#: What breaks each rule: the rule is seen to notice it.
BROKEN = {
    prints: "def f():\n    print(1)",
    catches_anything: "try:\n    f()\nexcept BaseException:\n    pass",
    assigns_precision: "def f(ctx):\n    a, ctx.prec = 1, 2",
    uses_what_threads_share: "with workbits(9), ALONE:\n    pass",
    patches_upstream: "import numpy as np\nnp.linalg.norm = 1",
    draws_globally: "import random\nrandom.shuffle([])",
    draws_another_each_time: "sf.gaussian_init(0.1)",
}

#: Tests that are about what has no seed, or are refused before anything is drawn.
UNSEEDED = {
    "test_fresh_entropy_is_kept_and_shown",
    "test_gaussian_exponent_has_to_be_a_number",
    "test_rank_one_directions_have_to_be_vectors_that_fit",
    "test_lambda_has_to_be_a_real_number",
    "test_a_seed_that_is_overridden_makes_no_other_sweep",
    "test_seeds_that_are_overridden_make_no_other_grid",
}


def test_the_library_does_not_print():
    assert not [at for at in offences(prints) if not at.startswith("symflow.cli")]


def test_no_test_draws_another_problem_each_time():
    for path in sorted((REPOSITORY / "tests").rglob("*.py")):
        for part in tree(path).body:
            if getattr(part, "name", "") not in UNSEEDED:
                found = list(draws_another_each_time(part))
                assert not found, f"{path.name}: {found}"


OF_THE_PACKAGE = set(BROKEN) - {prints, draws_another_each_time}


@pytest.mark.parametrize("rule", sorted(OF_THE_PACKAGE, key=lambda rule: rule.__name__))
def test_the_habit_is_kept_everywhere(rule):
    shared = (assigns_precision, patches_upstream, uses_what_threads_share)
    free = GUARDS if rule in shared else ()
    assert not [at for at in offences(rule) if not at.startswith(free)]


@pytest.mark.parametrize("rule", BROKEN)
def test_the_rule_notices_what_breaks_it(rule):
    assert list(rule(ast.parse(BROKEN[rule])))


def test_notebooks_are_small_and_end_in_assertions():
    assert not [path.name for path in NOTEBOOKS if path.stat().st_size > 200_000]
    assert not [path.name for path in NOTEBOOKS if "assert " not in _code(path)]


def _code(path) -> str:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
