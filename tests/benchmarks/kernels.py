"""Time the generated code against hand-written NumPy, entrywise code and the import.

Run `python tests/benchmarks/kernels.py`.  Everything is measured in one run and
interleaved: each repetition times both sides one after the other, and the median of the
ratios is printed, which slow phases of a shared machine do not move.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import sympy

import symflow as sf

REPETITIONS = 101


def hand_written(W1: Any, W2: Any, sigma_xx: Any, sigma_yx: Any) -> Any:
    """Compute the flow as one writes it."""
    F = sigma_yx - W2 @ W1 @ sigma_xx
    return W2.T @ F, F @ W1.T


def entrywise(size: int) -> Callable[..., Any]:
    """Return SymPy's own code for every entry, with common subexpressions."""
    flow = sf.gradient_flow(sf.LinearNetwork(size, size, size), sf.SquaredLoss())
    entries = flow.entries((size, size, size))
    data = sorted(
        set().union(*(e.free_symbols for e in entries.rhs)) - set(entries), key=str
    )
    compiled = sympy.lambdify([*entries, *data], entries.rhs, cse=True)
    names = [str(symbol) for symbol in (*entries, *data)]
    places = [name.rsplit("_", 2) for name in names]
    order = [
        (("W1", "W2", "Sigma_xx", "Sigma_yx").index(stem), int(i), int(j))
        for stem, i, j in places
    ]

    def call(*arrays: Any) -> Any:
        return compiled(*(arrays[which][i, j] for which, i, j in order))

    return call


def seconds(function: Callable[..., Any], arrays: list[Any], calls: int) -> float:
    """Return the time per call."""
    start = time.perf_counter()
    for _ in range(calls):
        function(*arrays)
    return (time.perf_counter() - start) / calls


def compare(ours: Callable[..., Any], theirs: Callable[..., Any], size: int) -> str:
    """Return a row of the table: both medians and the median ratio."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal((size, size)) for _ in range(4)]
    arrays[2] = arrays[2] @ arrays[2].T / size
    mine, other = (
        np.concatenate([np.ravel(part) for part in function(*arrays)])
        for function in (ours, theirs)
    )
    np.testing.assert_allclose(mine, other, atol=1e-9 * abs(other).max())
    calls = max(1, int(2e-3 / seconds(theirs, arrays, 3)))
    pairs = []
    for repetition in range(REPETITIONS):
        order = [ours, theirs] if repetition % 2 else [theirs, ours]
        times = {function: seconds(function, arrays, calls) for function in order}
        pairs.append((times[ours], times[theirs]))
    mine, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    return f"{1e6 * mine:12.2f} {1e6 * other:12.2f} {ratio:9.3f}"


def import_row(code: str, repetitions: int = 9) -> str:
    """Return a row that compares fresh processes: `code` against ``import sympy``."""
    pairs = []
    for repetition in range(repetitions):
        order = [code, "import sympy"][:: 1 if repetition % 2 else -1]
        pairs.append({text: _run_seconds(text) for text in order})
    ours, theirs = ([pair[text] for pair in pairs] for text in (code, "import sympy"))
    ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
    mine, other = 1e6 * statistics.median(ours), 1e6 * statistics.median(theirs)
    return f"{mine:12.0f} {other:12.0f} {ratio:9.3f}"


def _run_seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


def derivation_row(depth: int) -> str:
    """Return the median time to derive the equations for symbolic widths."""
    network = sf.LinearNetwork(*(f"d{layer}" for layer in range(depth + 1)))
    times = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        flow = sf.gradient_flow(network, sf.SquaredLoss())
        assert len(flow.rhs) == depth
        times.append(time.perf_counter() - start)
    return f"{1e6 * statistics.median(times):12.0f} {'':>12} {'':>9}".rstrip()


def main() -> None:
    """Print the tables."""
    kernel = sf.compile(
        sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), sf.SquaredLoss())
    )
    print(f"{'µs per call':<24}{'symflow':>12} {'other':>12} {'ratio':>9}")
    for size in (2, 10, 50, 200):
        label = f"hand-written {size}×{size}×{size}"
        print(f"{label:<24}{compare(kernel, hand_written, size)}")
    for size in (2, 5):
        label = f"entrywise {size}×{size}×{size}"
        print(f"{label:<24}{compare(kernel, entrywise(size), size)}")
    print(f"{'import symflow / sympy':<24}{import_row('import symflow')}")
    first = "import symflow; symflow.gradient_flow"
    print(f"{'first name / sympy':<24}{import_row(first)}")
    for depth in (2, 3, 10):
        print(f"{f'derive, {depth} layers':<24}{derivation_row(depth)}")


if __name__ == "__main__":
    main()
