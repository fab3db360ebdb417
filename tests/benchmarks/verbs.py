"""CPU seconds of every verb that people wait for: the first call, and a warm one.

    python tests/benchmarks/verbs.py [--quick]

The first call is that of a new process, without its imports; a warm one has other
numbers, so that nothing was remembered of it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

SIZES = ("2-2-2", "5-5-5", "10-20-5", "diagonal")
QUICK = SIZES[:1]

#: Verbs that need longer than a minute at the larger sizes are asked at 2-2-2 alone.
SMALL = ("enclose", "certify")
VERBS = (
    *("gradient_flow", "conserved", "solve", "rates", "implicit_bias"),
    *("simulate", "precise", "enclose", "validate", "certify", "audit"),
)

#: What a verb may say of a problem that it does not cover.
REFUSALS = ("NoClosedForm", "HypothesisFailed", "InvalidArgument")

#: A file of claims that is a test, too.
AUDIT = Path(__file__).parents[1] / "audits" / "imbalance.toml"


def problem(size: str, seed: int) -> tuple[Any, Any, Any]:
    """Return a flow, whitened data, and a start that a closed form solves."""
    import symflow as sf

    rng = np.random.default_rng(seed)
    if size == "diagonal":
        flow = sf.gradient_flow(sf.DiagonalNetwork(5, depth=3), sf.SquaredLoss())
        data = sf.Dataset(rng.normal(size=(20, 5)), rng.normal(size=20))
        return flow, data, [np.full(5, 0.1 + 0.01 * seed)] * 3
    widths = [int(width) for width in size.split("-")]
    flow = sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss())
    data = sf.whitened(rng.normal(size=(widths[-1], widths[0])))
    return flow, data, sf.spectral_init(0.1)


def actions(size: str, seed: int) -> dict[str, Callable[[], Any]]:
    """Return what is measured: one function per verb."""
    import symflow as sf

    given = problem(size, seed)
    flow, times = given[0], [0, 1, 3]

    return {
        "gradient_flow": lambda: str(problem(size, seed)[0]),
        "conserved": lambda: str(sf.conserved(flow)),
        "solve": lambda: str(sf.solve(*given)),
        "rates": lambda: str(sf.rates(*given)),
        "implicit_bias": lambda: str(sf.implicit_bias(*given)),
        "simulate": lambda: sf.simulate(*given, times),
        "precise": lambda: sf.precise(*given, times, digits=50),
        "enclose": lambda: sf.enclose(*given, times),
        "validate": lambda: sf.validate(sf.conserved(flow), sf.simulate(*given, times)),
        "certify": lambda: sf.certify(sf.conserved(flow)[0], *given, 1),
        "audit": lambda: sf.audit(AUDIT),
    }


def measured(verb: str, size: str) -> tuple[str, str]:
    """Return the seconds of the first and of a second call, or why there are none."""
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); import verbs; "
        "print(*verbs.twice(*sys.argv[2:]))"
    )
    folder = Path(__file__).parent
    command = [sys.executable, "-c", script, str(folder), verb, size]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=120, check=False
        )
    except subprocess.TimeoutExpired:
        return "> 120", "—"
    if done.returncode:
        known = [name for name in REFUSALS if f"errors.{name}:" in done.stderr]
        return (known or ["failed"])[0], "—"
    first, second = done.stdout.split()[-2:]
    return first, second


def twice(verb: str, size: str) -> tuple[str, str]:
    """Measure in this process: once after the imports, once with other numbers."""
    import symflow as sf

    for name in sf.__all__:
        getattr(sf, name)
    times = []
    for seed in (0, 1):
        act = actions(size, seed)[verb]
        began = process_time()
        act()
        times.append(f"{process_time() - began:.3f}")
    return times[0], times[1]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one size")
    sizes = QUICK if parser.parse_args().quick else SIZES
    print("CPU seconds, first call / warm call")
    print(f"{'':14}" + "".join(f"{size:>18}" for size in sizes))
    for verb in VERBS:
        cells = [
            " / ".join(measured(verb, size))
            if size == SIZES[0] or verb not in SMALL
            else "—"
            for size in sizes
        ]
        print(f"{verb:14}" + "".join(f"{cell:>18}" for cell in cells), flush=True)


if __name__ == "__main__":
    main()
