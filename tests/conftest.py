"""Global state that no test may change, hypothesis profiles, and small fixtures."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

os.environ["MPLBACKEND"] = "Agg"  # before anything imports matplotlib

import mpmath
import numpy as np
import pytest
from hypothesis import HealthCheck, settings

import symflow as sf

settings.register_profile("default", max_examples=40, deadline=None)
settings.register_profile(
    "ci",
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))


@pytest.fixture(autouse=True)
def global_state() -> Iterator[None]:
    """Fail a test that leaves a global precision or error state changed."""
    before = _global_state()
    yield
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
