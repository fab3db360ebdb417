"""Closed forms against integration: CPU time to the same W(t), side by side.

    python tests/benchmarks/solutions.py [--quick]
    python tests/benchmarks/solutions.py --table

The integration is `simulate` at its default accuracy; the closed form is evaluated by
`end_to_end` and by the kernel of `compile`, which agree to rounding.  The time to check
the hypotheses and to prepare is in a column of its own: it is spent once.

Last run (one core, least CPU time): at t = 1e4 the Riccati solution takes 0.15 to
0.19 ms and the integration 2300 to 47000 times as long; at 201 times up to t = 20 it
takes 0.4 to 1.1 ms and the integration 15 to 63 times as long, at all λ and widths.

`--table` prints the catalogue: proof, digits against an integration, float64 digits.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import symflow as sf
from symflow.flow.problem import bind
from symflow.solutions import Riccati

sys.path.insert(0, str(Path(__file__).parents[1]))
from oracles.agreement import catalogue

WIDTHS = ((5, 10, 2), (3, 5, 7), (5, 5, 5))
LAMBDAS = (-5, -1, 0, 0.5, 1, 10, 100)
ONE_TIME, GRID = np.array([1e4]), np.linspace(0, 20, 201)


def main() -> None:
    """Print the table that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one width, few λ")
    parser.add_argument("--table", action="store_true", help="print the catalogue")
    options = parser.parse_args()
    if options.table:
        print(catalogue())
        return
    head = ("problem", "solve, ms", "t = 1e4: closed, µs", "integrated", "kernel")
    head = (*head, "201 times: closed, µs", "integrated", "kernel")
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for name, case in problems(options.quick):
        print(row(name, case))


def problems(quick: bool) -> list[tuple[str, Any]]:
    """Return the Riccati problems that are feasible, and one rank-one problem each."""
    found = []
    for widths in WIDTHS[2 if quick else 0 :]:
        target = np.random.default_rng(0).normal(size=(widths[-1], widths[0]))
        flow = sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss())
        for lam in (-1, 0, 1) if quick else LAMBDAS:
            if lam and widths[1] > (widths[2] if lam > 0 else widths[0]):
                continue
            init = sf.lambda_balanced_init(lam, 0.3, rng=3)
            found.append((f"{widths} λ = {lam}", (flow, sf.whitened(target), init)))
    for depth in (2,) if quick else (2, 3, 4):
        widths = (5, 1, *[5] * (depth - 1))
        target = np.random.default_rng(0).normal(size=(5, 5))
        flow = sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss())
        init = sf.rank_one_init(0.3 ** (2 / depth), rng=3)
        found.append((f"rank one, {depth} layers", (flow, sf.whitened(target), init)))
    return found


def row(name: str, case: Any) -> str:
    """Return one line of the table."""
    began = time.process_time()
    solution = Riccati.attempt(bind(*case)) if "λ" in name else sf.solve(*case)
    solution.end_to_end(1.0)
    ready = 1e3 * (time.process_time() - began)
    kern = sf.compile(solution)
    cells = [name, f"{ready:.0f}"]
    for times in (ONE_TIME, GRID):
        closed = cpu(lambda times=times: solution.end_to_end(times))
        run = cpu(lambda times=times: sf.simulate(*case, [0.0, *times[times > 0]]))
        compiled = cpu(lambda times=times: kern(times))
        cells += [
            f"{1e6 * closed:.0f}",
            f"{run / closed:.0f}×",
            f"{compiled / closed:.2f}×",
        ]
    return f"| {' | '.join(cells)} |"


def cpu(call: Callable[[], Any]) -> float:
    """Return the least CPU time of a call: of six, or of one that takes long."""
    seen: list[float] = []
    while not seen or (len(seen) < 6 and sum(seen) < 0.1):
        began = time.process_time()
        call()
        seen.append(time.process_time() - began)
    return max(min(seen), 1e-7)


if __name__ == "__main__":
    main()
