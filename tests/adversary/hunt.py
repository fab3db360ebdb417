"""One case of one verb: an alarm, and what is not raised on purpose is a fault."""

from __future__ import annotations

import signal
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from random import Random
from typing import Any

import symflow as sf
from adversary.case import DIGITS, Case, Fault
from adversary.draws import draw
from adversary.integration import Unknown
from adversary.problem import Problem
from adversary.verbs import VERBS

#: Seconds of computing after which a case hangs.
PATIENCE = 40


class Hangs(BaseException):
    """The alarm; no handler of the package may catch it."""


@contextmanager
def alarm(seconds: float) -> Iterator[None]:
    """Raise `Hangs` in the body after some seconds of computing."""

    def ring(number: int, frame: Any) -> None:
        raise Hangs

    before = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def faults(verb: str, problem: Problem, patience: float = PATIENCE) -> list[Fault]:
    """Return what is wrong with the answers of a verb about a problem.

    Where a saddle is left the truth loses digits too: it is asked for more of them.
    """
    found = _faults(verb, problem, patience, DIGITS)
    if not found:
        return found
    kinds = {fault.kind for fault in _faults(verb, problem, patience, DIGITS + 20)}
    return [fault for fault in found if fault.kind in kinds]


def _faults(verb: str, problem: Problem, patience: float, digits: int) -> list[Fault]:
    found: list[Fault] = []
    case = None
    try:
        with warnings.catch_warnings(), alarm(patience):
            warnings.simplefilter("ignore")
            case = Case(problem, digits)
            for fault in VERBS[verb](case):
                found.append(fault)
    except (sf.SymflowError, Unknown):
        pass
    except Hangs:
        where = "" if case is None else _inside(traceback.format_exc())
        found.append(Fault("hangs" if where else "slow truth", where))
    except Exception as error:  # noqa: BLE001 - any untyped error is what we look for
        where = _inside(traceback.format_exc())
        kind = f"{type(error).__name__} in {where}" if where else "a fault of ours"
        detail = f"{error}" if where else traceback.format_exc()
        found.append(Fault(kind, detail[:300] if where else detail))
    return [fault for fault in found if fault.kind != "slow truth"]


def _inside(trace: str) -> str:
    """Return the innermost place inside symflow, without its line, or nothing."""
    last = ""
    for line in trace.splitlines():
        if 'File "' in line and "/symflow/" in line and "/tests/" not in line:
            path, _, rest = line.partition('", line')
            name = rest.rpartition(" in ")[2]
            last = f"{path.split('/symflow/')[-1]}:{name}"
    ours = [line for line in trace.splitlines() if 'File "' in line]
    if ours and "/tests/adversary/" in ours[-1] and "case.py" not in ours[-1]:
        return ""
    return last


def problems(seed: int, verb: str = "") -> Iterator[Problem]:
    """Yield problems for a verb without end, the same for the same seed."""
    rng = Random(f"{seed} {verb}")
    while True:
        yield draw(Random(rng.random()), verb)
