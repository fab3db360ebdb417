"""How do times grow?  CPU seconds and peak memory along one size, with the exponent.

    python tests/benchmarks/growth.py [--quick] [--limit SECONDS]

Each point is a process of its own on one core, with its imports taken off; a point that
takes longer than the limit ends its curve.  The exponent is the slope of the last three
points in logarithms.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from time import process_time
from typing import Any

import numpy as np


def data_of(n: int, d: int, m: int = 2) -> Any:
    """Return n samples of a noisy linear map."""
    import symflow as sf

    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d))
    Y = X @ rng.normal(size=(d, m)) / d**0.5 + 0.3 * rng.normal(size=(n, m))
    return sf.Dataset(X, Y).standardized()


def flow_of(*widths: int) -> Any:
    """Return the flow of the squared loss."""
    import symflow as sf

    return sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss())


def analyzed(n: int, d: int) -> Any:
    """Analyze in float64: the run in many digits takes what its budget allows."""
    import symflow as sf
    from symflow.analysis import analyze

    start = sf.gaussian_init(0.01, rng=0)
    return analyze(flow_of(d, 5, 2), data_of(n, d), start, budget=0)


def descended(steps: int, engine: str) -> Any:
    """Descend on five inputs and keep the last iterate."""
    import symflow as sf

    gd = sf.gradient_descent(sf.LinearNetwork(5, 5, 2), sf.SquaredLoss())
    start = sf.gaussian_init(0.1, rng=0)
    options = {"step_size": 0.01, "every": steps, "engine": engine}
    return sf.descend(gd, data_of(100, 5), start, steps, **options)


def sharply(t: int, digits: int, *widths: int) -> Any:
    """Integrate in many digits."""
    import symflow as sf

    problem = flow_of(*widths), data_of(100, widths[0]), sf.gaussian_init(0.3, rng=0)
    return sf.precise(*problem, [0, t], digits=digits)


def simulated(*widths: int) -> Any:
    """Integrate in float64."""
    import symflow as sf

    data = data_of(100, widths[0], widths[-1])
    problem = flow_of(*widths), data, sf.gaussian_init(0.3, rng=0)
    return sf.simulate(*problem, [0, 10])


#: From a curve to its sizes, how many of them are quick, and the work at a size.
CURVES: dict[str, tuple[tuple[int, ...], int, Callable[[int], Any]]] = {
    "analyze, samples": ((1000, 4000, 16000, 64000), 2, lambda n: analyzed(n, 10)),
    "analyze, inputs": ((10, 20, 40, 80, 160), 2, lambda d: analyzed(1000, d)),
    "descend, steps": (
        (10_000, 40_000, 160_000),
        3,
        lambda steps: descended(steps, "numpy"),
    ),
    "descend in C, steps": (
        (100_000, 1_000_000, 10_000_000),
        2,
        lambda steps: descended(steps, "c"),
    ),
    "simulate, inputs": (
        (8, 32, 128, 512),
        3,
        lambda d: simulated(d, 8, 2),
    ),
    "simulate, depth": ((2, 4, 8, 16), 3, lambda depth: simulated(*[4] * (depth + 1))),
    "precise, digits": ((50, 100, 200, 400), 2, lambda p: sharply(2, p, 5, 5, 2)),
    "precise, time": ((2, 8, 32), 2, lambda t: sharply(t, 50, 5, 5, 2)),
    "precise, inputs": ((5, 10, 20, 40), 2, lambda d: sharply(2, 50, d, 5, 2)),
}


def point(curve: str, size: int, limit: float) -> tuple[float, float] | None:
    """Return CPU seconds and MB of one point, None where it takes too long or fails."""
    command = [sys.executable, __file__, "--point", curve, str(size)]
    alone = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
            env=os.environ | alone,
        )
    except subprocess.TimeoutExpired:
        return None
    if done.returncode:
        print(done.stderr.strip()[-200:], file=sys.stderr)
        return None
    seconds, memory = json.loads(done.stdout.splitlines()[-1])
    return seconds, memory


def measure(curve: str, size: int) -> None:
    """Print the point of this process."""
    import symflow as sf

    for name in sf.__all__:
        getattr(sf, name)
    began = process_time()
    CURVES[curve][2](size)
    spent = process_time() - began
    print(json.dumps([spent, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3]))


def main() -> None:
    """Print one line per curve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the smaller sizes")
    parser.add_argument("--limit", type=float, default=60, help="seconds per point")
    parser.add_argument("--point", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.point:
        measure(options.point[0], int(options.point[1]))
        return
    print("CPU seconds along a size, the exponent of the last three, and peak memory")
    for curve, (sizes, few, _) in CURVES.items():
        found: list[tuple[int, float, float]] = []
        for size in sizes[:few] if options.quick else sizes:
            seen = point(curve, size, options.limit)
            if seen is None:
                break
            found.append((size, *seen))
        print(_line(curve, found), flush=True)


def _line(curve: str, found: list[tuple[int, float, float]]) -> str:
    cells = ", ".join(f"{size}: {seconds:.3g}" for size, seconds, _ in found)
    if len(found) < 2:
        return f"  {curve:22}{cells or 'no point within the limit'}"
    size, seconds, memory = np.array(found[-3:]).T
    slope = np.polyfit(np.log(size), np.log(seconds), 1)[0]
    return f"  {curve:22}{cells}   ^{slope:.2f}   {memory[-1]:.0f} MB"


if __name__ == "__main__":
    main()
