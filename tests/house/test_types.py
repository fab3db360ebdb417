"""What a type checker says of code that uses symflow."""

from __future__ import annotations

import sys

import pytest
from mypy import api

USES = """
from fractions import Fraction
import numpy as np
import sympy
import symflow as sf

flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.SquaredLoss())
data = sf.Dataset([[1.0, 2.0]], [1.0])
start = ([[1, 2], [0, 1]], [[2, 3]])
sf.simulate(flow, data, start, [0, 1, 2])
sf.simulate(flow, data, sf.gaussian_init(0.1), np.linspace(0, 1, 5), rng=0)
sf.precise(flow, data.moments(), [np.eye(2), np.ones((1, 2))], Fraction(1, 2))
sf.enclose(flow, data, ([[1, 0], [0, 1]], [[2, Fraction(1, 3)]]), 1, digits=20)
sf.simulate(flow, data, [sympy.eye(2), sympy.ones(1, 2)], (0, 1))
"""

MISUSES = (
    'sf.simulate(flow, 3, "x", None)',
    'sf.simulate(flow, data, "x", 1)',
    "sf.simulate(flow, data, start, None)",
    "sf.precise(flow, 3, start, 1)",
    'sf.enclose(flow, data, start, "soon")',
    'sf.simulate(flow, data, start, 1, rng="seed")',
)


@pytest.mark.slow
def test_uses_pass_and_misuses_are_found(tmp_path):
    lines = len(USES.splitlines())
    file = tmp_path / "uses.py"
    file.write_text(USES + "\n".join(MISUSES) + "\n", encoding="utf-8")
    options = ["--strict", "--ignore-missing-imports", "--no-error-summary"]
    cache = ["--cache-dir", str(tmp_path / "cache"), "--python-executable"]
    said, failed, _ = api.run([*options, *cache, sys.executable, str(file)])
    assert not failed
    errors = [line for line in said.splitlines() if ": error" in line]
    places = {int(line.split(":")[1]) for line in errors}
    assert places == set(range(lines + 1, lines + 1 + len(MISUSES))), said
