"""How fast are the simulators?  Ratios against hand-written code and against peers.

    python tests/benchmarks/simulators.py [--quick] [--limit SECONDS] [--tables …]

Every cell is a process of its own on one core, in which the peer and symflow run one
after the other; a cell that takes longer than the limit is cut off and says so.  Above
1, symflow is faster.  Peers that are not installed are listed as absent.
"""

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np

import symflow as sf

SIZES = (2, 5, 10, 32, 128, 512)
LIBRARIES = ("heyoka", "numba", "jax", "jitcode", "diffrax")
NEEDS = {"c": "cc", "heyoka": "heyoka", "numba": "numba", "jax": "jax"}
NEEDS |= {"batch": "heyoka", "jitcode": "jitcode", "diffrax": "diffrax"}

TABLES = ("rhs", "solution", "warm", "starts", "descent", "sweep")

#: From these sizes on nobody waits for the peer to compile.
HOPELESS = {"entrywise": 33, "heyoka": 33, "jitcode": 6, "numba": 513, "c": 129}

#: One thread each; what a peer does with more is another question.
ALONE = {
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "JAX_PLATFORMS": "cpu",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}


def measured(table, peer, size, limit):
    """Return the times of a cell, or why there are none."""
    needed = NEEDS.get(peer)
    if needed not in (None, "cc") and importlib.util.find_spec(needed) is None:
        return "absent"
    if size >= HOPELESS.get(peer, 10**9) and table not in ("ensemble", "batch"):
        return "—"
    script = Path(__file__).with_name("peers.py")
    process = subprocess.Popen(
        [sys.executable, str(script), table, peer, str(size)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=os.environ | ALONE,
        start_new_session=True,
        text=True,
    )
    try:
        out, problem = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)  # compilers that it started, too
        process.communicate()
        return f"> {limit:g} s"
    if process.returncode:
        return (problem.strip().splitlines() or ["failed"])[-1][:12]
    return json.loads(out.strip().splitlines()[-1])


def line(*cells):
    print("  " + "".join(f"{cell:>12}" for cell in cells), flush=True)


def least(times):
    return min(times, default=float("nan"))


def shown(found, text):
    return found if isinstance(found, str) else text(found)


def right_hand_side(sizes, limit):
    print("\nright-hand side: µs by hand in NumPy, then the time of the others over it")
    own = ("compile", "bound", "into", "c", "numba")
    peers = ("lambdify", "entrywise", "heyoka", "jax")
    line("size", "by hand", *own, *peers)
    for size in sizes:
        cells = [measured("rhs", name, size, limit) for name in (*own, *peers)]
        hand = least(cell["other"] for cell in cells if isinstance(cell, dict))
        line(
            f"{size}×{size}",
            f"{1e6 * hand:.1f}",
            *(shown(c, lambda c: f"{c['peer'] / c['other']:.2f}") for c in cells),
        )


def time_to_solution(sizes, limit):
    print("\ntime to a solution at 1e-10, compilation included, to t = 20 (5 at 512):")
    print("ms of symflow, then the time of the others over it, and the largest gap")
    peers = ("hand", "lambdify", "entrywise", "heyoka", "jitcode", "diffrax")
    line("size", "symflow", *peers, "gap")
    for size in sizes:
        cells = [measured("solve", name, size, limit) for name in peers]
        good = [cell for cell in cells if isinstance(cell, dict)]
        line(
            f"{size}×{size}",
            f"{1e3 * least(cell['other'] for cell in good):.1f}",
            *(shown(c, lambda c: f"{c['peer'] / c['other']:.2f}") for c in cells),
            f"{max((cell['gap'] for cell in good), default=float('nan')):.0e}",
        )


def warm(sizes, limit):
    print("\nexported integrator, called again: µs, then the time of others over it")
    peers = ("simulate", "hand", "heyoka")
    line("size", "exported", *peers)
    for size in sizes:
        cells = [measured("warm", name, size, limit) for name in peers]
        own = least(cell["other"] for cell in cells if isinstance(cell, dict))
        line(
            f"{size}×{size}",
            f"{1e6 * own:.1f}",
            *(shown(c, lambda c: f"{c['peer'] / c['other']:.2f}") for c in cells),
        )


def many_starts(count, limit):
    print(f"\n{count} starts at 5×5×5 to t = 20 at 1e-10")
    for peer in ("loop", "heyoka"):
        found = measured("ensemble", peer, count, 3 * limit)
        title = "solve_ivp loop" if peer == "loop" else "heyoka ens."
        line(
            title,
            shown(found, lambda c: f"{c['peer']:.2f} s"),
            shown(found, lambda c: f"own {c['other']:.2f} s"),
            shown(found, lambda c: f"{c['peer'] / c['other']:.1f} times"),
        )
    print("1000 starts in C, and heyoka's batch mode, both warm")
    for size in (2, 5):
        found = measured("batch", "batch", size, 3 * limit)
        line(
            f"{size}×{size}",
            shown(found, lambda c: f"{1e3 * c['peer']:.1f} ms"),
            shown(found, lambda c: f"own {1e3 * c['other']:.1f} ms"),
            shown(found, lambda c: f"{c['peer'] / c['other']:.2f} times"),
        )


def scaling(runs):
    print(f"\nsweep of {runs} runs at 10×10×10, started processes not counted")
    rng = np.random.default_rng(0)
    X, Y = rng.standard_normal((2, 40, 10))
    flow = sf.gradient_flow(sf.LinearNetwork(10, 10, 10), sf.SquaredLoss())
    problem = (flow, sf.Dataset(X, Y), sf.gaussian_init(0.1, rng=0), [0, 20])
    spent = {}
    for workers in (1, 2):
        context = get_context("spawn")
        with (
            tempfile.TemporaryDirectory() as folder,
            ProcessPoolExecutor(workers, mp_context=context) as pool,
        ):
            # Every worker imports and compiles once before the clock starts.
            sf.sweep(*problem, runs=8 * workers, executor=pool)
            start = time.perf_counter()
            sf.sweep(*problem, runs=runs, executor=pool, path=Path(folder, "runs"))
            spent[workers] = time.perf_counter() - start
    line("1 process", f"{spent[1]:.2f} s")
    line("2 processes", f"{spent[2]:.2f} s", f"{spent[1] / spent[2]:.2f} times")


RATIOS = ("ratio, all", "ratio, last", "ratio, C")


def descent(sizes, steps):
    print(f"\n{steps} steps of gradient descent: CPU µs per step, and a loop over it")
    line("size", "all kept", "last kept", "loop, all", "loop, last", "last, C", *RATIOS)
    for size in sizes:
        rng = np.random.default_rng(size)
        inputs, targets = rng.standard_normal((2, 2 * size, size))
        start = [rng.standard_normal((size, size)) / size for _ in range(2)]
        descend = sf.gradient_descent(
            sf.LinearNetwork(size, size, size), sf.SquaredLoss()
        )
        data = sf.Dataset(inputs, targets)
        moments = data.moments()
        loops = (moments.sigma_xx, moments.sigma_yx, start, steps)
        ours = partial(sf.descend, descend, data, start, steps, step_size=1e-3)
        loop = partial(descended, *loops)
        calls = (
            ours,
            partial(ours, every=steps),
            partial(loop, keep=True),
            partial(loop, keep=False),
            partial(ours, every=steps, engine="c" if shutil.which("cc") else "numpy"),
        )
        calls[-1]()  # compiled once
        spent = [
            1e6 / steps * min(cpu_seconds(call) for _ in range(3)) for call in calls
        ]
        pairs = zip(spent[2:4] + spent[3:4], spent[:2] + spent[4:], strict=True)
        ratios = (f"{loop / ours:.2f}" for loop, ours in pairs)
        line(f"{size}×{size}", *(f"{one:.1f}" for one in spent), *ratios)


def descended(sigma_xx, sigma_yx, start, steps, keep):
    """Descend as one writes it."""
    first, second = start
    kept = [np.empty((steps + 1, *w.shape)) for w in start] if keep else []
    for number in range(steps):
        force = sigma_yx - second @ first @ sigma_xx
        down, up = second.T @ force, force @ first.T
        first, second = first + 1e-3 * down, second + 1e-3 * up
        for array, weight in zip(kept, (first, second), strict=False):
            array[number + 1] = weight
    return first, second


def cpu_seconds(call):
    start = time.process_time()
    call()
    return time.process_time() - start


def main():
    os.environ.update(ALONE)
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, few minutes")
    parser.add_argument("--limit", type=float, default=60, help="seconds per cell")
    parser.add_argument("--tables", nargs="*", default=TABLES, choices=TABLES)
    options = parser.parse_args()
    limit = min(options.limit, 15) if options.quick else options.limit
    print(f"symflow {sf.__version__}, NumPy {np.__version__}, {platform.machine()}")
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores")
    for name in LIBRARIES:
        there = importlib.util.find_spec(name) is not None
        print(f"{name} {importlib.metadata.version(name) if there else 'absent'}")
    sizes = (2, 10) if options.quick else SIZES
    if "rhs" in options.tables:
        right_hand_side(sizes, limit)
    if "solution" in options.tables:
        time_to_solution(sizes, limit)
    if "warm" in options.tables:
        warm([size for size in sizes if size < 33], limit)
    if "starts" in options.tables:
        many_starts(200 if options.quick else 1000, limit)
    if "descent" in options.tables:
        descent((2, 10, 50), 2_000 if options.quick else 20_000)
    if "sweep" in options.tables:
        scaling(64 if options.quick else 512)


if __name__ == "__main__":
    main()
