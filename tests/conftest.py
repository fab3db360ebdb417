"""Global state that no test may change, profiles, markers, and small fixtures."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

os.environ["MPLBACKEND"] = "Agg"  # before anything imports matplotlib

import mpmath
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import symflow as sf

#: The same examples on every machine; HYPOTHESIS_PROFILE=search looks for new ones.
same = {"derandomize": True, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("default", max_examples=25, deadline=None, **same)
settings.register_profile("ci", max_examples=50, deadline=None, **same)
settings.register_profile("search", max_examples=500, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

HERE = Path(__file__).parent

#: Modules whose tests compare floats that BLAS or LAPACK made.
BLAS = """
    test_arrays test_balance test_basin test_bias test_bias_diagonal test_bias_margin
    test_bias_scale test_bias_separable test_closed_form test_data test_data_frames
    test_direction_rate test_inits test_input_laws test_kernel test_lambdify test_laws
    test_linearized test_methods
    test_modified_flows test_momentum test_ordered test_phases test_phases_of_filters
    test_potentials test_rates test_run_error test_sequential test_simulate
    test_solutions_discrete test_solutions_rank_one test_solutions_riccati test_steps
    test_sweep test_sweep_grid test_tangent test_targets test_targets_agree
    test_tensor_laws
"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of the modules in BLAS."""
    modules = BLAS.split()
    gone = [name for name in modules if not (HERE / f"{name}.py").is_file()]
    if gone:
        msg = f"tests/conftest.py: BLAS names modules that do not exist: {gone}"
        raise pytest.UsageError(msg)
    for item in items:
        if item.path.stem in modules:
            item.add_marker("blas")


@pytest.fixture(autouse=True)
def global_state() -> Iterator[None]:
    """Fail a test that leaves a global precision or error state changed.

    Figures are closed, for matplotlib warns of many, whichever test opened them.
    """
    before = _global_state()
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
    after = _global_state()
    _restore(before)
    changed = {key: after[key] for key in before if after.get(key) != before[key]}
    assert not changed, f"global state was changed and not restored: {changed}"


def _global_state() -> dict[str, object]:
    state: dict[str, object] = {"mpmath": mpmath.mp.prec, "numpy": np.geterr()}
    if "flint" in sys.modules:
        state["flint"] = sys.modules["flint"].ctx.prec
    return state


def _restore(state: dict[str, object]) -> None:
    mpmath.mp.prec = state["mpmath"]
    np.seterr(**state["numpy"])
    if "flint" in state:
        sys.modules["flint"].ctx.prec = state["flint"]


@pytest.fixture
def rng() -> np.random.Generator:
    """A generator with a fixed seed."""
    return np.random.default_rng(20240229)


@pytest.fixture
def two_layers() -> sf.Network:
    """A two-layer network of symbolic widths."""
    return sf.LinearNetwork("d", "h", "m")


@pytest.fixture
def three_layers() -> sf.Network:
    """A three-layer network of small integer widths."""
    return sf.LinearNetwork(3, 2, 4, 2)


@pytest.fixture(scope="session")
def jax():
    """JAX in float64; tests that ask for it are skipped without it."""
    library = pytest.importorskip("jax")
    library.config.update("jax_enable_x64", True)
    return library
