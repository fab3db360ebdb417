"""The peers of the simulators' benchmark, each in the way that its manual shows.

    python tests/benchmarks/peers.py rhs heyoka 10

prints the time of one cell of a table as JSON, with that of symflow from the same
process.  `simulators.py` runs the cells, pinned to one core and with a time limit,
because some peers compile for minutes.
"""

import json
import os
import resource
import sys
import tempfile
import time
import timeit
import warnings
from contextlib import chdir
from functools import partial

import numpy as np
import sympy
from scipy.integrate import solve_ivp

import symflow as sf

TOLERANCES = {"rtol": 1e-10, "atol": 1e-13}


class Case:
    """Two layers of size k on random data, with everything written by hand."""

    def __init__(self, size, seed=0):
        rng = np.random.default_rng(seed)
        X, Y = rng.standard_normal((2, 4 * size, size))
        self.size, self.data = size, sf.Dataset(X, Y)
        self.end = 20.0 if size < 512 else 5.0  # a second per unit of time there
        moments = self.data.moments()
        self.xx, self.yx = moments.sigma_xx, moments.sigma_yx
        scale = 0.3 / np.sqrt(size)
        self.weights = [scale * W for W in rng.standard_normal((2, size, size))]
        network = sf.LinearNetwork(size, size, size)
        self.flow = sf.gradient_flow(network, sf.SquaredLoss())
        self.arguments = (*self.weights, self.xx, self.yx)
        self.y0 = np.concatenate([W.ravel() for W in self.weights])

    def hand(self, W1, W2, xx, yx):
        force = yx - W2 @ W1 @ xx
        return W2.T @ force, force @ W1.T

    def flat(self, function):
        """Return f(t, y) from a function of matrices."""
        k = self.size

        def rhs(_t, y):
            W1, W2 = y[: k * k].reshape(k, k), y[k * k :].reshape(k, k)
            return np.concatenate(
                [d.ravel() for d in function(W1, W2, self.xx, self.yx)]
            )

        return rhs

    def lambdified(self):
        """Return SymPy's code for its matrix expressions."""
        return sympy.lambdify([*self.flow.state, *self.flow.data], list(self.flow.rhs))

    def entrywise(self):
        """Return `sympy.lambdify(cse=True)` of every entry, as f(t, y)."""
        entries = self.flow.entries((self.size,) * 3)
        free = set().union(*(e.free_symbols for e in entries.rhs)) - set(entries)
        unknown = sorted(free, key=str)
        values = [self.value(str(s)) for s in unknown]
        compiled = sympy.lambdify([*entries, *unknown], list(entries.rhs), cse=True)
        return lambda _t, y: np.array(compiled(*y, *values))

    def value(self, name):
        stem, row, column = name.rsplit("_", 2)
        array = {"Sigma_xx": self.xx, "Sigma_yx": self.yx}[stem]
        return array[int(row), int(column)]


# Right-hand sides: each returns a function that computes one, from memory it likes.


def rhs_compile(case):
    kernel = sf.compile(case.flow)
    return lambda: kernel(*case.arguments)


def rhs_bound(case):
    kernel = sf.compile(case.flow, case.data)
    return lambda: kernel(*case.weights)


def rhs_into(case):
    kernel, out = sf.compile(case.flow, case.data), [W.copy() for W in case.weights]
    return lambda: kernel.into(out, *case.weights)


def rhs_c(case):
    return sf.c_kernel(case.flow).bind(
        [W.copy() for W in case.weights], *case.arguments
    )


def rhs_numba(case):
    kernel = sf.numba_kernel(case.flow)
    return lambda: kernel(*case.arguments)


def rhs_lambdify(case):
    function = case.lambdified()
    return lambda: function(*case.arguments)


def rhs_entrywise(case):
    function = case.entrywise()
    return lambda: function(0, case.y0)


def rhs_heyoka(case):
    import heyoka

    system = sf.to_heyoka(case.flow, case.data)
    variables, expressions = zip(*system, strict=True)
    large = case.size > 10  # unrolled, it would compile for minutes
    function = heyoka.cfunc(list(expressions), list(variables), compact_mode=large)
    out = np.empty_like(case.y0)
    return lambda: function(case.y0, outputs=out)


def rhs_jax(case):
    jax = with_jax()
    function = jax.jit(sf.compile(case.flow))
    arrays = [jax.numpy.asarray(array) for array in case.arguments]
    return lambda: jax.block_until_ready(function(*arrays))


def with_jax():
    import jax

    jax.config.update("jax_enable_x64", True)
    jax.numpy.zeros(1).block_until_ready()  # the backend starts
    return jax


# Solutions: each returns a function that does everything, and returns the last state.


def solve_hand(case):
    return lambda: ivp(case, lambda: case.flat(case.hand))


def solve_lambdify(case):
    return lambda: ivp(case, lambda: case.flat(case.lambdified()))


def solve_entrywise(case):
    return lambda: ivp(case, case.entrywise)


def ivp(case, make):
    return solve_ivp(make(), (0, case.end), case.y0, "DOP853", **TOLERANCES).y[:, -1]


def solve_heyoka(case):
    import heyoka

    def run():
        system = sf.to_heyoka(case.flow, case.data)
        solver = heyoka.taylor_adaptive(system, case.y0, tol=1e-10, compact_mode=True)
        solver.propagate_until(case.end)
        return np.array(solver.state)

    return run


def solve_jitcode(case):
    import jitcode

    def run():
        entries = case.flow.entries((case.size,) * 3)
        places = {symbol: jitcode.y(k) for k, symbol in enumerate(entries)}
        free = set().union(*(e.free_symbols for e in entries.rhs)) - set(places)
        values = {symbol: case.value(str(symbol)) for symbol in free}
        rhs = [e.subs({**places, **values}) for e in entries.rhs]
        with tempfile.TemporaryDirectory() as folder, chdir(folder):
            solver = jitcode.jitcode(rhs, verbose=False)
            solver.set_integrator("dop853", **TOLERANCES, nsteps=10**6)
            solver.set_initial_value(case.y0, 0.0)
            return np.array(solver.integrate(case.end))

    return run


def solve_diffrax(case):
    jax = with_jax()
    import diffrax

    def run():
        xx, yx = jax.numpy.asarray(case.xx), jax.numpy.asarray(case.yx)
        term = diffrax.ODETerm(lambda _t, y, _args: case.hand(*y, xx, yx))
        solution = diffrax.diffeqsolve(
            term,
            diffrax.Dopri8(),
            t0=0.0,
            t1=case.end,
            dt0=None,
            y0=tuple(map(jax.numpy.asarray, case.weights)),
            stepsize_controller=diffrax.PIDController(**TOLERANCES),
            max_steps=None,
            adjoint=diffrax.ForwardMode(),
        )
        return np.concatenate([np.ravel(W[-1]) for W in solution.ys])

    return run


def solve_symflow(case):
    def run():
        found = sf.simulate(case.flow, case.data, case.weights, [case.end])
        return np.concatenate([W[-1].ravel() for W in found.weights])

    return run


# Warm: what was compiled is called again, from the same start to the same end.


def warm_own(case):
    simulator = sf.compile_simulator(case.flow)
    arguments = (*case.arguments, np.array([case.end]))
    return lambda: simulator(*arguments)


def warm_simulate(case):
    return solve_symflow(case)


def warm_hand(case):
    rhs = case.flat(case.hand)
    return lambda: ivp(case, lambda: rhs)


def warm_heyoka(case):
    import heyoka

    system, large = sf.to_heyoka(case.flow, case.data), case.size > 5
    solver = heyoka.taylor_adaptive(system, case.y0, tol=1e-10, compact_mode=large)

    def run():
        solver.time = 0.0
        solver.state[:] = case.y0
        solver.propagate_until(case.end)

    return run


# Many starts: the time for all of them.


def ensemble_loop(case, starts):
    rhs, sample = case.flat(case.hand), min(len(starts[0]), 100)

    def run():
        for k in range(sample):
            y0 = np.concatenate([stack[k].ravel() for stack in starts])
            solve_ivp(rhs, (0, case.end), y0, "DOP853", **TOLERANCES)

    return once(run)[0] * len(starts[0]) / sample


def ensemble_heyoka(case, starts):
    import heyoka

    flat = np.concatenate([s.reshape(len(s), -1) for s in starts], axis=1)

    def run():
        system = sf.to_heyoka(case.flow, case.data)
        solver = heyoka.taylor_adaptive(system, flat[0], tol=1e-10, compact_mode=True)

        def begin(copy, k):
            copy.state[:] = flat[k]
            return copy

        heyoka.ensemble_propagate_until(solver, case.end, len(flat), begin)

    return once(run)[0]


def ensemble_batch(case, starts):
    """heyoka's batch mode, with as many starts side by side as a register holds."""
    import heyoka

    width = heyoka.recommended_simd_size()
    flat = np.concatenate([s.reshape(len(s), -1) for s in starts], axis=1)
    flat = np.concatenate([flat, flat[: -len(flat) % width]])
    system, first = sf.to_heyoka(case.flow, case.data), flat[:width].T.copy()
    options = {"tol": 1e-10, "compact_mode": case.size > 2}
    solver = heyoka.taylor_adaptive_batch(system, first, **options)

    def run():
        for place in range(0, len(flat), width):
            solver.set_time(0.0)
            solver.state[:] = flat[place : place + width].T
            solver.propagate_until(case.end)

    run()
    return once(run)[0]


def best(functions, budget=0.6):
    """Return the best time of one call of each, taken in turn."""
    for function in functions:
        function()
    first = [min(timeit.repeat(f, number=1, repeat=3)) for f in functions]
    numbers = [max(1, int(budget / 40 / max(each, 1e-7))) for each in first]
    for _ in range(15 if max(first) < budget / 15 else 2):
        for k, function in enumerate(functions):
            spent = timeit.timeit(function, number=numbers[k]) / numbers[k]
            first[k] = min(first[k], spent)
    return first


def once(function):
    """Return the processor time of a call that is made once, and its result.

    Compilers that it starts count; other people's processes do not.
    """
    start = processor_time()
    result = function()
    return processor_time() - start, result


def processor_time():
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def cell(table, peer, size):
    """Return the times of one cell as a dict."""
    if table == "rhs":
        case, make = Case(size), globals()[f"rhs_{peer}"]
        spent = best([make(case), lambda: case.hand(*case.arguments)])
        return {"peer": spent[0], "other": spent[1]}
    if table == "solve":
        warm = Case(1)  # imports what is imported on first use
        solve_symflow(warm)(), ivp(warm, lambda: warm.flat(warm.hand))
        own, end = once(solve_symflow(Case(size)))
        peer_time, peer_end = once(globals()[f"solve_{peer}"](Case(size)))
        gap = float(np.max(np.abs(end - peer_end)))
        return {"peer": peer_time, "other": own, "gap": gap}
    if table == "warm":
        case = Case(size)
        spent = best([globals()[f"warm_{peer}"](case), warm_own(case)])
        return {"peer": spent[0], "other": spent[1]}
    return many(peer, *((5, size) if table == "ensemble" else (size, 1000)))


def many(peer, size, count):
    """Return the times for many starts, warm; in C where heyoka is in batch mode."""
    case, rng = Case(size), np.random.default_rng(1)
    starts = [0.3 * rng.standard_normal((count, size, size)) for _ in range(2)]
    engine = {"engine": "c"} if peer == "batch" else {}
    run = partial(sf.ensemble, case.flow, case.data, t=[case.end], **engine)
    run(init=[s[:2] for s in starts])
    own, _ = once(lambda: run(init=starts))
    return {"peer": globals()[f"ensemble_{peer}"](case, starts), "other": own}


if __name__ == "__main__":
    # A core of one's own, so that nobody's threads decide.
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    warnings.simplefilter("ignore")
    print(json.dumps(cell(sys.argv[1], sys.argv[2], int(sys.argv[3]))))
