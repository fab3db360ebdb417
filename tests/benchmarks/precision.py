"""High precision side by side: time including compilation, and digits that are correct.

    python tests/benchmarks/precision.py [--quick] [--sizes 2 5 8x8x8x8] [--digits 50]
                                         [--limits 2 5 10]

Every route integrates the same flow on t ∈ [0, 1] from the same start.  Digits are
counted against our own run with 20 more digits.  Each run has a process of its own, and
is stopped after --timeout seconds; a route that was stopped is not asked for more
digits of the same flow.  The ratio is the time over that of `precise`; what proofs cost
is the ratio of `enclose`.  Peers that are not installed are left out.

A second table has the limit at 50 digits: CPU time of `enclose` with t = oo, and of
`precise` to the time from which the limit is seen.
"""

from __future__ import annotations

import argparse
import multiprocessing as mp
import time
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from itertools import pairwise
from queue import Empty
from typing import Any

import mpmath
import numpy as np

import symflow as sf
from symflow.algebra import numbers
from symflow.algebra.arrays import map_entries
from symflow.codegen import evaluate, rhs_program
from symflow.flow.problem import bind
from symflow.precision import Mpmath, enclose, precise

Widths = tuple[int, ...]
END = 1


def case(widths: Widths) -> tuple[Any, Any, list[Any]]:
    """Return flow, data and start: Gaussian data and weights of moderate size."""
    rng = np.random.default_rng(sum(widths))
    samples = 3 * max(widths)
    X = rng.normal(size=(samples, widths[0]))
    Y = rng.normal(size=(samples, widths[-1]))
    shapes = zip(widths[1:], widths, strict=False)
    start = [rng.normal(size=s) * 0.5 / np.sqrt(s[1]) for s in shapes]
    flow = sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss())
    return flow, sf.Dataset(X, Y), start


def ours(widths: Widths, digits: int) -> list[str]:
    """Integrate by `precise`."""
    run = precise(*case(widths), END, digits=digits)
    return printed(run.weights, run.context)


def ours_mpmath(widths: Widths, digits: int) -> list[str]:
    """Integrate by `precise` with mpmath numbers."""
    run = precise(*case(widths), END, digits=digits, arithmetic=Mpmath())
    return printed(run.weights, run.context)


def ours_proven(widths: Widths, digits: int) -> list[str]:
    """Integrate by `enclose`."""
    ball = enclose(*case(widths), END, digits=digits)
    return printed(ball.weights, ball.context)


def odefun(widths: Widths, digits: int) -> list[str]:
    """Integrate by `mpmath.odefun`."""
    flow, data, start = case(widths)
    problem = bind(flow, data, start, digits=digits + 5)
    program = rhs_program(flow)
    with mpmath.workdps(digits + 5):
        arrays = [map_entries(to_mpf, array) for array in problem.arguments]
        ends = np.cumsum([weight.size for weight in problem.weights])[:-1]

        def rates(_: Any, y: Any) -> list[Any]:
            parts = np.split(np.array(y, dtype=object), ends)
            pairs = zip(parts, problem.weights, strict=True)
            weights = [part.reshape(weight.shape) for part, weight in pairs]
            blocks = evaluate(program, [*weights, *arrays], mpmath.mpf)
            return [x for block in blocks for x in block.flat]

        begin = [to_mpf(x) for weight in problem.weights for x in weight.flat]
        end = mpmath.odefun(rates, 0, begin)(END)
        return [mpmath.nstr(x, digits + 5) for x in end]


def heyoka(widths: Widths, digits: int) -> list[str]:
    """Integrate by heyoka's arbitrary-precision `real`."""
    import heyoka as hy

    flow, data, start = case(widths)
    problem = bind(flow, data, start, digits=digits + 5)
    bits = int((digits + 3) * 3.33) + 8

    def real(entry: Any) -> Any:
        return hy.real(mpmath.nstr(to_mpf(entry), digits + 10), bits)

    names = [f"w{k}" for k in range(problem.size)]
    symbols = np.array(hy.make_vars(*names), dtype=object)
    ends = np.cumsum([weight.size for weight in problem.weights])[:-1]
    pairs = zip(np.split(symbols, ends), problem.weights, strict=True)
    weights = [part.reshape(weight.shape) for part, weight in pairs]
    with mpmath.workdps(digits + 10):
        exact = [
            map_entries(lambda x: hy.expression(real(x)), array)
            for array in problem.arguments
        ]
        begin = [real(x) for weight in problem.weights for x in weight.flat]
    blocks = evaluate(rhs_program(flow), [*weights, *exact])
    rates = [rate for block in blocks for rate in block.flat]
    system = list(zip(symbols.tolist(), rates, strict=True))
    integrator = hy.taylor_adaptive(system, begin, fp_type=hy.real, prec=bits)
    integrator.propagate_until(hy.real(END, bits))
    return [str(x) for x in integrator.state]


def to_mpf(value: Any) -> Any:
    """Return a number in mpmath's current precision."""
    return numbers.to_mpf(value, mpmath.mp)


def printed(weights: Sequence[Any], context: Any) -> list[str]:
    """Return the last weights as decimal strings."""
    entries = [x for weight in weights for x in weight[-1].flat]
    return [context.nstr(x, context.dps) for x in entries]


def limits(widths: Widths, digits: int) -> list[str]:
    """Return from when the limit is seen, seconds to prove it, and to get there."""
    problem, begin = case(widths), time.process_time()
    seen = enclose(*problem, sf.oo, digits=digits).stats["from_t"]
    middle = time.process_time()
    precise(*problem, seen, digits=digits)
    return [str(x) for x in (seen, middle - begin, time.process_time() - middle)]


ROUTES: dict[str, Callable[[Widths, int], list[str]]] = {
    "precise": ours,
    "enclose": ours_proven,
    "precise(Mpmath)": ours_mpmath,
    "mpmath.odefun": odefun,
    "heyoka real": heyoka,
}
TASKS = {**ROUTES, "limits": limits}


def sensible(route: str, widths: Widths, digits: int) -> bool:
    """Leave out what is known to take hours, and what is not installed."""
    size = sum(a * b for a, b in pairwise(widths))
    if route == "mpmath.odefun":
        return size <= 50 and digits <= 50
    if route == "precise(Mpmath)":
        return size * digits <= 2500
    return route != "heyoka real" or find_spec("heyoka") is not None


def worker(route: str, widths: Widths, digits: int, queue: Any) -> None:
    """Run one route and report its CPU time and result."""
    begin = time.process_time()
    try:
        result = TASKS[route](widths, digits)
    except Exception as problem:  # noqa: BLE001 (a failed route is a row of the table)
        queue.put((type(problem).__name__, []))
        return
    queue.put((time.process_time() - begin, result))


def measure(
    route: str, widths: Widths, digits: int, timeout: float
) -> tuple[float | str, list[str]]:
    """Return the CPU time (or why there is none) and the result."""
    context = mp.get_context("spawn")
    queue = context.Queue()
    process = context.Process(target=worker, args=(route, widths, digits, queue))
    process.start()
    try:
        found: tuple[float | str, list[str]] = queue.get(timeout=timeout)
    except Empty:
        found = (f"> {timeout:.0f} s", [])
    process.terminate()
    process.join()
    return found


def correct(result: list[str], reference: list[str], digits: int) -> int:
    """Return how many digits of all weights agree, relative to the largest."""
    context = mpmath.MPContext()
    context.dps = digits + 30
    pairs = zip(result, reference, strict=True)
    gap = max(abs(context.mpf(a) - context.mpf(b)) for a, b in pairs)
    scale = max(abs(context.mpf(b)) for b in reference)
    return digits + 20 if gap == 0 else int(-context.log10(gap / scale))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="*", default=["2", "5", "10", "32", "8x8x8x8"])
    parser.add_argument("--digits", nargs="*", type=int, default=[30, 50, 200, 1000])
    parser.add_argument("--routes", nargs="*", default=list(ROUTES), choices=ROUTES)
    parser.add_argument("--limits", nargs="*", default=["2", "5", "10"])
    parser.add_argument("--timeout", type=float, default=60)
    parser.add_argument("--quick", action="store_true", help="d = 2, 5 at 50 digits")
    options = parser.parse_args()
    if options.quick:
        few = ["2", "5"]
        parser.set_defaults(sizes=few, digits=[50], limits=few)
        options = parser.parse_args()
    print(
        f"{'widths':<12}{'digits':>7}  {'route':<18}{'time':>10}{'correct':>9}  ratio"
    )
    for size in options.sizes:
        widths = widths_of(size)
        stopped: set[str] = set()
        for digits in options.digits:
            table(widths, digits, options, stopped)
    print(f"\n{'widths':<12}{'seen at t':>10}{'enclose(oo)':>14}{'precise':>12}  ratio")
    for size in options.limits:
        widths = widths_of(size)
        spent, found = measure("limits", widths, 50, 5 * options.timeout)
        name = "×".join(map(str, widths))
        if not found:
            print(f"{name:<12}{'-':>10}{spent!s:>14}", flush=True)
            continue
        seen, proven, plain = map(float, found)
        row = f"{name:<12}{seen:>10.0f}{proven:>12.2f} s{plain:>10.2f} s"
        print(f"{row}  {proven / plain:.1f}×", flush=True)


def widths_of(size: str) -> Widths:
    """Return the widths that a text such as 5 or 8x8x8x8 stands for."""
    parts = tuple(int(part) for part in size.split("x"))
    return parts * 3 if len(parts) == 1 else parts


def table(
    widths: Widths, digits: int, options: argparse.Namespace, stopped: set[str]
) -> None:
    """Print the rows of one case, and note which routes were stopped."""
    reference: list[str] = []
    if "precise" not in stopped:
        _, reference = measure("precise", widths, digits + 20, 2 * options.timeout)
    base: float | None = None
    for route in options.routes:
        if route in stopped or not sensible(route, widths, digits):
            continue
        spent, result = measure(route, widths, digits, options.timeout)
        if isinstance(spent, str):
            stopped.add(route)
        if route == "precise" and isinstance(spent, float):
            base = spent
        good = str(correct(result, reference, digits)) if result and reference else "-"
        shown = f"{spent:.3f} s" if isinstance(spent, float) else spent
        known = isinstance(spent, float) and base is not None
        ratio = f"{float(spent) / float(base or 1):8.1f}×" if known else ""
        name = "×".join(map(str, widths))
        print(
            f"{name:<12}{digits:>7}  {route:<18}{shown:>10}{good:>9}  {ratio}",
            flush=True,
        )


if __name__ == "__main__":
    main()
