"""How fast are the simulators?  Ratios against hand-written code and against peers.

    python tests/benchmarks/simulators.py [--quick]

A ratio is the time of the other divided by that of symflow: above 1, symflow is faster.
Peers that are not installed are listed as absent.  Set OPENBLAS_NUM_THREADS=1 for
figures that can be compared between machines.
"""

import argparse
import importlib
import os
import platform
import tempfile
import time
import timeit
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import sympy
from scipy.integrate import solve_ivp

import symflow as sf

PEERS = ("heyoka", "numba", "jax", "jitcode", "diffrax")
SIZES = (2, 5, 10, 32, 128, 512)


def installed(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def seconds(function, budget=0.2):
    """Return the best time of one call within a time budget."""
    function()
    once = min(timeit.repeat(function, number=1, repeat=2))
    number = max(1, int(budget / 8 / max(once, 1e-7)))
    repeat = 7 if once < budget else 2
    return min(timeit.repeat(function, number=number, repeat=repeat)) / number


def first_and_only(function):
    """Return the time of a call that is made once, compilation included."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


class Case:
    """Two layers of size k on random data, with everything written by hand."""

    def __init__(self, size, seed=0):
        rng = np.random.default_rng(seed)
        X, Y = rng.standard_normal((2, 4 * size, size))
        self.size, self.data = size, sf.Dataset(X, Y)
        moments = self.data.moments()
        self.xx, self.yx = moments.sigma_xx, moments.sigma_yx
        scale = 0.3 / np.sqrt(size)
        self.weights = [scale * W for W in rng.standard_normal((2, size, size))]
        self.flow = sf.gradient_flow(
            sf.LinearNetwork(size, size, size), sf.SquaredLoss()
        )
        self.y0 = np.concatenate([W.ravel() for W in self.weights])

    def hand(self, W1, W2, xx, yx):
        force = yx - W2 @ W1 @ xx
        return W2.T @ force, force @ W1.T

    def flat(self, _t, y):
        k = self.size
        W1, W2 = y[: k * k].reshape(k, k), y[k * k :].reshape(k, k)
        return np.concatenate([d.ravel() for d in self.hand(W1, W2, self.xx, self.yx)])

    def entrywise(self):
        """Return the right-hand side by `sympy.lambdify(cse=True)`, entry by entry."""
        entries = self.flow.entries((self.size,) * 3)
        names = [str(s) for s in entries]
        unknown = sorted(
            {s for e in entries.rhs for s in e.free_symbols} - set(entries), key=str
        )
        values = [self.value(str(s)) for s in unknown]
        del names
        compiled = sympy.lambdify([*entries, *unknown], list(entries.rhs), cse=True)
        return lambda _t, y: np.array(compiled(*y, *values))

    def value(self, name):
        stem, row, column = name.rsplit("_", 2)
        array = {"Sigma_xx": self.xx, "Sigma_yx": self.yx}[stem]
        return array[int(row), int(column)]


def line(*cells):
    print("  " + "".join(f"{cell:>16}" for cell in cells))


def ratio(other, own):
    return "—" if other is None else f"{other / own:.2f}"


def right_hand_side(sizes):
    print("\nright-hand side: µs by hand, then the time of each over that of symflow's")
    print("best kernel at that size (C below 128, in place above)")
    names = ("compile", "bound", "into", "C", "numba", "lambdify", "heyoka", "jax")
    line("size", "by hand", *names)
    for size in sizes:
        case = Case(size)
        arguments = (*case.weights, case.xx, case.yx)
        out = [np.empty((size, size)) for _ in range(2)]
        free, bound = sf.compile(case.flow), sf.compile(case.flow, case.data)
        times = {
            "hand": seconds(lambda c=case, a=arguments: c.hand(*a)),
            "compile": seconds(lambda k=free, a=arguments: k(*a)),
            "bound": seconds(lambda k=bound, c=case: k(*c.weights)),
            "into": seconds(lambda k=bound, c=case, o=out: k.into(o, *c.weights)),
            "C": c_time(case, arguments, out),
            "numba": numba_time(case, arguments),
            "lambdify": lambdify_time(case),
            "heyoka": heyoka_time(case),
            "jax": jax_time(case, arguments),
        }
        best = min(times[n] for n in ("into", "C", "bound") if times[n] is not None)
        line(
            size,
            f"{times['hand'] * 1e6:.2f} ({times['hand'] / best:.2f})",
            *(ratio(times[name], best) for name in names),
        )


def c_time(case, arguments, out):
    if case.size > 100:
        return None
    try:
        kernel = sf.c_kernel(case.flow)
    except sf.NotInstalled:
        return None
    return seconds(kernel.bind(out, *arguments))


def numba_time(case, arguments):
    if installed("numba") is None or case.size > 128:
        return None
    kernel = sf.numba_kernel(case.flow)
    return seconds(lambda: kernel(*arguments))


def lambdify_time(case):
    if case.size > 5:  # ten seconds to build at 12
        return None
    function = case.entrywise()
    return seconds(lambda: function(0, case.y0))


def heyoka_time(case):
    heyoka = installed("heyoka")
    if heyoka is None or case.size > 10:
        return None
    system = sf.to_heyoka(case.flow, case.data)
    function = heyoka.cfunc([e for _, e in system], [v for v, _ in system])
    out = np.empty_like(case.y0)
    return seconds(lambda: function(case.y0, outputs=out))


def jax_time(case, arguments):
    jax = installed("jax")
    if jax is None:
        return None
    jax.config.update("jax_enable_x64", True)
    function = jax.jit(sf.compile(case.flow).__wrapped__)
    arrays = [jax.numpy.asarray(a) for a in arguments]
    return seconds(lambda: jax.block_until_ready(function(*arrays)))


def time_to_solution(sizes, end=20.0):
    print("\ntime to a solution at 1e-10, first call, compilation included, to t = 20:")
    print("ms of symflow, then the time of each over it, and symflow's error")
    names = ("by hand", "lambdify", "heyoka", "jitcode")
    line("size", "symflow", *names, "error")
    tight = {"rtol": 1e-13, "atol": 1e-15}
    for size in sizes:
        case = Case(size)
        runs = []

        def own(case=case, runs=runs):
            runs.append(sf.simulate(case.flow, case.data, case.weights, [end]))

        spent = first_and_only(own)
        exact = solve_ivp(case.flat, (0, end), case.y0, "DOP853", **tight).y[:, -1]
        found = np.concatenate([W[-1].ravel() for W in runs[0].weights])
        line(
            size,
            f"{spent * 1e3:.1f}",
            ratio(hand_solution(case, end), spent),
            ratio(lambdify_solution(case, end), spent),
            ratio(heyoka_solution(case, end), spent),
            ratio(jitcode_solution(case, end), spent),
            f"{np.max(np.abs(found - exact)):.0e}",
        )


LOOSE = {"rtol": 1e-10, "atol": 1e-13}


def hand_solution(case, end):
    return first_and_only(
        lambda: solve_ivp(case.flat, (0, end), case.y0, "DOP853", **LOOSE)
    )


def lambdify_solution(case, end):
    if case.size > 5:
        return None
    return first_and_only(
        lambda: solve_ivp(case.entrywise(), (0, end), case.y0, "DOP853", **LOOSE)
    )


def heyoka_solution(case, end):
    heyoka = installed("heyoka")
    if heyoka is None or case.size > 10:
        return None

    def run():
        system = sf.to_heyoka(case.flow, case.data)
        solver = heyoka.taylor_adaptive(system, case.y0, tol=1e-10, compact_mode=True)
        solver.propagate_until(end)

    return first_and_only(run)


def jitcode_solution(case, end):
    jitcode = installed("jitcode")
    if jitcode is None or case.size > 2:  # four minutes to compile at 5
        return None

    def run():
        entries = case.flow.entries((case.size,) * 3)
        places = {symbol: jitcode.y(k) for k, symbol in enumerate(entries)}
        values = {
            s: case.value(str(s))
            for e in entries.rhs
            for s in e.free_symbols
            if s not in places
        }
        rhs = [e.subs({**places, **values}) for e in entries.rhs]
        solver = jitcode.jitcode(rhs, verbose=False)
        solver.set_integrator("dop853", rtol=1e-10, atol=1e-13)
        solver.set_initial_value(case.y0, 0.0)
        solver.integrate(end)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return first_and_only(run)


def many_starts(count, end=20.0, size=5):
    print(f"\n{count} starts at {size}×{size}×{size} to t = {end:g} at 1e-10")
    case = Case(size)
    rng = np.random.default_rng(1)
    starts = [0.3 * rng.standard_normal((count, size, size)) for _ in range(2)]
    own = first_and_only(lambda: sf.ensemble(case.flow, case.data, starts, [end]))
    sample = min(count, 60)

    def loop():
        for k in range(sample):
            y0 = np.concatenate([stack[k].ravel() for stack in starts])
            solve_ivp(case.flat, (0, end), y0, "DOP853", **LOOSE)

    peer = first_and_only(loop) * count / sample
    line("symflow", f"{own:.3f} s")
    line("solve_ivp loop", f"{peer:.3f} s", f"{peer / own:.1f} times symflow's")
    batch = heyoka_ensemble(case, starts, end)
    if batch is None:
        line("heyoka", "absent")
    else:
        line("heyoka ensemble", f"{batch:.3f} s", f"{batch / own:.2f} times symflow's")


def heyoka_ensemble(case, starts, end):
    heyoka = installed("heyoka")
    if heyoka is None:
        return None
    flat = np.concatenate([s.reshape(len(s), -1) for s in starts], axis=1)

    def run():
        system = sf.to_heyoka(case.flow, case.data)
        solver = heyoka.taylor_adaptive(system, flat[0], tol=1e-10, compact_mode=True)

        def begin(copy, k):
            copy.state[:] = flat[k]
            return copy

        heyoka.ensemble_propagate_until(solver, end, len(flat), begin)

    return first_and_only(run)


def scaling(runs):
    print(f"\nsweep of {runs} runs at 10×10×10, started processes not counted")
    case = Case(10)
    problem = (case.flow, case.data, sf.gaussian_init(0.1, rng=0), [0, 20])
    spent = {}
    for workers in (1, 2):
        context = get_context("spawn")
        with (
            tempfile.TemporaryDirectory() as folder,
            ProcessPoolExecutor(workers, mp_context=context) as pool,
        ):
            # Every worker imports and compiles once before the clock starts.
            sf.sweep(*problem, runs=4 * workers, executor=pool)
            path = os.path.join(folder, "runs")
            start = time.perf_counter()
            sf.sweep(*problem, runs=runs, executor=pool, path=path)
            spent[workers] = time.perf_counter() - start
    line("1 process", f"{spent[1]:.2f} s")
    line("2 processes", f"{spent[2]:.2f} s", f"{spent[1] / spent[2]:.2f} times faster")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, one minute")
    quick = parser.parse_args().quick
    print(f"symflow {sf.__version__}, NumPy {np.__version__}, {platform.machine()}")
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores")
    present = [name for name in PEERS if installed(name)]
    print(f"peers: {', '.join(present) or 'none'}")
    print(f"absent: {', '.join(n for n in PEERS if n not in present) or 'none'}")
    right_hand_side(SIZES[:4] if quick else SIZES)
    time_to_solution((2, 5, 10) if quick else (2, 5, 10, 32))
    many_starts(200 if quick else 1000)
    scaling(64 if quick else 256)


if __name__ == "__main__":
    main()
