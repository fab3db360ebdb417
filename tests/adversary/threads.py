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
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from time import monotonic, sleep
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import flint
import mpmath
import numpy as np

import symflow as sf
from adversary.asked import Question, Shared, questions
from symflow.algebra.threads import ALONE

THREADS = 8
#: Digits that threads ask for at the same time.
DIGITS = (8, 11, 25, 40)
#: Seconds between switches of threads; Python's own 5 ms would hide most races.
SWITCH = 1e-4
#: Precisions of the caller that nothing may notice: bits of Arb, its coefficients, mpf.
CALLER = (37, 7, 71)


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

    def work() -> None:
        try:
            question()
            sleep(10 * delay + 1)  # the interrupt is still to come
        except (KeyboardInterrupt, sf.Interrupted):
            pass

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
    parser.add_argument("--digits", type=int, nargs="+", default=DIGITS)
    given = parser.parse_args()
    asked, found = questions(Shared.make()), []
    known = serial(asked, tuple(given.digits))
    end, rounds = monotonic() + 60 * given.minutes, 0
    while monotonic() < end or rounds == 0:
        found += faults(asked, known, given.seed + rounds)
        rounds += 1
        calls = rounds * THREADS * len(known)
        print(f"{calls} calls, {len(found)} faults", file=sys.stderr, flush=True)
    order = Random(given.seed)
    for _ in range(given.interrupts):
        name, digits = order.choice(sorted(known))
        wrong = interrupted(partial(asked[name], digits), order.expovariate(10))
        found += [f"{name}, {digits} digits, interrupted: {wrong}"] if wrong else []
    for number in range(given.imports):
        wrong = imported(given.seed + number)
        found += [f"first use: {wrong}"] if wrong else []
    print("\n".join(found) or "nothing found", file=sys.stderr if found else sys.stdout)
    print(f"{calls} calls, {given.interrupts} interrupts, {given.imports} imports")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
