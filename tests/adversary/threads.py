"""Every public verb in eight threads at once: `python tests/adversary/threads.py`.

Each thread asks every verb, in an order and with digits of its own, about objects that
all threads share and about fresh ones; the answers have to be those of one thread, to
the bit, and the global precisions what the caller had set.  Then verbs are interrupted
where they happen to be, and symflow is imported by many threads of a new process.
"""

from __future__ import annotations

import argparse
import ctypes
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction as F
from functools import partial
from pathlib import Path
from random import Random
from time import monotonic, sleep
from typing import Any

import flint
import mpmath
import numpy as np
import sympy

import symflow as sf
from symflow.algebra.threads import ALONE

THREADS = 8
#: Digits that threads ask for at the same time.
DIGITS = (8, 11, 25, 40)
#: Seconds between switches of threads; Python's own 5 ms would hide most races.
SWITCH = 1e-4
#: Precisions of the caller that nothing may notice: bits of Arb, its coefficients, mpf.
CALLER = (37, 7, 71)

Question = Callable[[int], Any]


@dataclass(frozen=True)
class Shared:
    """Objects that all threads use."""

    flow: Any
    data: Any
    start: Any
    deep: tuple[Any, ...]

    @classmethod
    def make(cls) -> Shared:
        """Return a small flow in fractions, and one of three layers and rank one."""
        flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.SquaredLoss())
        sigma_xx = [[F(2), F(1, 3)], [F(1, 3), F(1)]]
        data = sf.Moments(sigma_xx, [[F(1), F(1, 2)]], [[F(2)]])
        start = ([[F(1), F(1, 2)], [F(0), F(1)]], [[F(1), F(-1, 3)]])
        net = sf.LinearNetwork(2, 2, 2, 2)
        target = sf.whitened([[2, 1], [0, 1]])
        deep = (sf.gradient_flow(net, sf.SquaredLoss()), target)
        return cls(flow, data, start, (*deep, sf.rank_one_init(0.5, rng=1)))

    @property
    def problem(self) -> tuple[Any, ...]:
        return self.flow, self.data, self.start


def questions(shared: Shared) -> dict[str, Question]:
    """Return the verbs, as functions of digits whose answers can be compared."""
    problem, flow = shared.problem, shared.flow
    run = sf.simulate(*problem, t=[0, 1])
    sharp, ball = sf.precise(*problem, [0, 1], digits=12), sf.enclose(*problem, 1)
    kern, solution = sf.compile(flow, shared.data), sf.solve(*shared.deep)
    bound = sf.rates(*problem)[0]
    weights = [np.array(w, dtype=float) for w in shared.start]

    def into(digits: int) -> Any:
        out = [np.empty_like(w) for w in weights]
        for _ in range(20):
            kern.into(out, *(digits * w for w in weights))
        return out

    def displayed(digits: int) -> Any:
        made = sf.gradient_flow(sf.LinearNetwork("d", "h", digits), sf.SquaredLoss())
        return str(made), made._repr_latex_(), made.directions

    def stored(digits: int) -> Any:
        with tempfile.TemporaryDirectory() as place:
            path = sf.save(sharp, Path(place) / "run.json")
            return sf.load(path).weights

    def fresh(digits: int) -> Any:
        made = Shared.make()
        best = sf.solve(*made.deep)
        return best.precise(F(1, 2), digits=digits), sf.rates(*made.problem)

    def certified(digits: int) -> Any:
        other = sf.enclose(*problem, F(1, 2), digits=digits)
        claims = (*sf.conserved(flow), bound)
        found = [sf.certify(claim, other) for claim in claims]
        return [(c.status, c.radius, c.proof) for c in found], other.weight_balls(0)

    def solved(digits: int) -> Any:
        again = sf.solve(*shared.deep)
        return solution.precise(2, digits=digits), again.end_to_end([1.0, 2.5])

    def evaluated(digits: int) -> Any:
        start = [[[sympy.tanh(1)]], [[sympy.gamma(sympy.Rational(1, 3))]]]
        one = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
        return sf.precise(one, sf.whitened([[2]]), start, F(1, 4), digits=digits)

    def bias(digits: int) -> Any:
        found = sf.implicit_bias(*problem)
        return str(found), found.limit

    def ensemble(digits: int) -> Any:
        starts = tuple(np.stack([w, w / digits, -w]) for w in weights)
        return sf.ensemble(flow, shared.data, starts, [0, 1]).end_to_end

    def descended(digits: int) -> Any:
        steps = sf.gradient_descent(flow.network, flow.loss)
        return sf.descend(steps, shared.data, shared.start, digits, step_size=0.1)

    return {
        "simulate": lambda digits: sf.simulate(*problem, t=[0, digits]),
        "precise": lambda digits: sf.precise(*problem, [F(1, 2), 1], digits=digits),
        "precise, irrational": evaluated,
        "enclose": lambda digits: sf.enclose(*problem, [F(1, 2)], digits=digits),
        "enclose, limit": lambda digits: sf.enclose(
            *problem, sf.oo, digits=digits // 4
        ),
        "contains": lambda digits: ball.contains(ball.end_to_end[-1]),
        "certify": certified,
        "validate": lambda digits: str(sf.validate(sf.conserved(flow), run, sharp)),
        "solve": solved,
        "at": lambda digits: (run.at(0.01 * digits), sharp.at(F(1, digits))),
        "implicit_bias": bias,
        "rates": lambda digits: (str(sf.rates(*problem)), bound.bound(0.1 * digits)),
        "regime": lambda digits: str(sf.regime(*problem)),
        "companions": lambda digits: str(sf.companions(*problem)),
        "conserved": lambda digits: sf.conserved(flow),
        "count_conserved": lambda digits: sf.count_conserved(flow.network, rng=digits),
        "compile": lambda digits: sf.compile(flow)(*weights, *shared_moments(shared)),
        "into": into,
        "gradient_flow": displayed,
        "descend": descended,
        "ensemble": ensemble,
        "atlas": lambda digits: str(sf.atlas("linear-relaxation", digits=digits)),
        "save": stored,
        "fresh objects": fresh,
    }


def shared_moments(shared: Shared) -> list[Any]:
    """Return the moments as floats."""
    arrays = (shared.data.sigma_xx, shared.data.sigma_yx)
    return [np.array(array, dtype=float) for array in arrays]


def bits(value: Any) -> Any:
    """Return what tells two answers apart, to the last bit."""
    if isinstance(value, sf.Trajectory | type(None)):
        return None if value is None else bits((value.t, value.weights, value.error))
    if hasattr(value, "midpoints"):
        return bits((value.midpoints, value.radius, value.end_to_end_radius))
    if isinstance(value, np.ndarray):
        plain = value.dtype != object
        return value.shape, value.tobytes() if plain else bits(value.ravel().tolist())
    if isinstance(value, flint.arb):
        return value.mid().man_exp(), value.rad().man_exp()
    if hasattr(value, "_mpf_"):
        return tuple(map(int, value._mpf_))
    if isinstance(value, list | tuple):
        return tuple(map(bits, value))
    return str(value)


def globals_of() -> tuple[int, int, int]:
    """Return the precisions that the whole process shares."""
    return flint.ctx.prec, flint.ctx.cap, mpmath.mp.prec


@contextmanager
def caller(values: tuple[int, int, int] = CALLER) -> Iterator[None]:
    """Set the global precisions as a reader may have, switch often, and restore."""
    before, interval = globals_of(), sys.getswitchinterval()
    flint.ctx.prec, flint.ctx.cap, mpmath.mp.prec = values
    sys.setswitchinterval(SWITCH)
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        flint.ctx.prec, flint.ctx.cap, mpmath.mp.prec = before


def serial(asked: dict[str, Question], digits: tuple[int, ...]) -> dict[Any, Any]:
    """Return the answers of one thread, by name and digits."""
    return {(name, d): bits(asked[name](d)) for name in asked for d in digits}


def faults(
    asked: dict[str, Question], known: dict[Any, Any], seed: int, share: float = 1.0
) -> list[str]:
    """Ask in eight threads, and return where an answer or a precision is another.

    Parameters
    ----------
    asked : dict of str to callable
        From `questions`.
    known : dict
        The answers of `serial`.
    seed : int
        Of the orders.
    share : float
        Which part of the questions a thread asks.
    """
    gate, found = threading.Barrier(THREADS), []

    def work(number: int) -> None:
        order = Random(1000 * seed + number)
        keys = order.sample(sorted(known), round(share * len(known)))
        gate.wait()
        for name, digits in keys:
            try:
                same = bits(asked[name](digits)) == known[name, digits]
            except Exception as error:  # noqa: BLE001 - one thread does not raise it
                found.append(f"{name}, {digits} digits: {error!r}")
            else:
                if not same:
                    found.append(f"{name}, {digits} digits: other bits")

    with caller():
        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(work, range(THREADS)))
        if globals_of() != CALLER:
            found.append(f"precisions {CALLER} became {globals_of()}")
    return found


def interrupted(question: Callable[[], Any], delay: float) -> str:
    """Interrupt a question after some seconds; return what is wrong afterwards."""
    ended: list[str] = []

    def work() -> None:
        try:
            question()
        except (KeyboardInterrupt, sf.Interrupted):
            ended.append("interrupted")
        else:
            ended.append("done")

    with caller():
        thread = threading.Thread(target=work)
        thread.start()
        sleep(delay)
        raised = ctypes.py_object(KeyboardInterrupt)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(thread.ident or 0), raised
        )
        thread.join()
        free = ALONE.acquire(timeout=5)
        if free:
            ALONE.release()
        if globals_of() != CALLER:
            return f"precisions {CALLER} became {globals_of()}"
    return "" if free else "nobody gets a turn any more"


#: Run by a new process: names of the contents page, first used by many threads at once.
FIRST_USE = """
import random, sys, threading
sys.setswitchinterval(1e-5)
import symflow as sf
gate, wrong = threading.Barrier(8), []
def use(seed):
    names = random.Random(seed).sample(sf.__all__, len(sf.__all__))
    gate.wait()
    for name in names:
        try:
            getattr(sf, name)
        except Exception as error:
            wrong.append((name, error))
crew = [threading.Thread(target=use, args=({seed} * 8 + n,)) for n in range(8)]
[one.start() for one in crew]
[one.join() for one in crew]
sys.exit(str(wrong) if wrong else 0)
"""


def imported(seed: int) -> str:
    """Return what went wrong when eight threads first used every public name."""
    script = FIRST_USE.replace("{seed}", str(seed))
    command = [sys.executable, "-c", script]
    run = subprocess.run(
        command, capture_output=True, text=True, timeout=300, check=False
    )
    return run.stderr if run.returncode else ""


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=2.0)
    parser.add_argument("--interrupts", type=int, default=60)
    parser.add_argument("--imports", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    asked, found = questions(Shared.make()), []
    known = serial(asked, DIGITS)
    end, rounds = monotonic() + 60 * given.minutes, 0
    while monotonic() < end or rounds == 0:
        found += faults(asked, known, given.seed + rounds)
        rounds += 1
    order = Random(given.seed)
    for _ in range(given.interrupts):
        name, digits = order.choice(sorted(known))
        wrong = interrupted(partial(asked[name], digits), order.expovariate(10))
        found += [f"{name}, {digits} digits, interrupted: {wrong}"] if wrong else []
    for number in range(given.imports):
        wrong = imported(given.seed + number)
        found += [f"first use: {wrong}"] if wrong else []
    calls = rounds * THREADS * len(known)
    print("\n".join(found) or "nothing found", file=sys.stderr if found else sys.stdout)
    print(f"{calls} calls, {given.interrupts} interrupts, {given.imports} imports")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
