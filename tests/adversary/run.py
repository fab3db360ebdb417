"""Run the adversary: `python tests/adversary/run.py --minutes N [--seed S] [--verb V]`.

Prints every kind of fault once, as lines to copy with the smallest problem found, then
how many problems each verb was asked about; exits with 1 if there was a fault.  With
`--mutants` prints the smallest false change of every claim that is noticed, and with
`--alone` what every condition of every theorem notices by itself.

What holds besides is asked by four other programs in this folder, each in its long form
as it stands here; all print what is wrong and how much was tried:

* `python tests/adversary/security.py`: files, texts and names that try to run code;
* `python tests/adversary/threads.py --minutes 20`: every verb in eight threads, Ctrl-C;
* `python tests/adversary/faults.py`: 30 kills of thread pools and 30 of process pools,
  60 races for a new file, 200 damaged files;
* `python tests/adversary/fuzz.py --calls 20000`: arguments and command lines of wrong
  kinds.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from itertools import count
from pathlib import Path
from time import monotonic

sys.path.insert(0, str(Path(__file__).parents[1]))

from adversary.case import Fault
from adversary.hunt import faults, problems
from adversary.problem import Problem
from adversary.shrink import shrink
from adversary.verbs import VERBS


def hunt(minutes: float, seed: int, verbs: list[str], shrinking: float) -> int:
    """Run until the time is over and return the number of kinds of faults."""
    end = monotonic() + 60 * minutes
    asked: Counter[str] = Counter()
    seen: Counter[tuple[str, str]] = Counter()
    streams = {verb: problems(seed, verb) for verb in verbs}
    for number in count():
        for verb in verbs:
            problem = next(streams[verb])
            if monotonic() > end:
                _summary(asked, seen)
                return len(seen)
            asked[verb] += 1
            for fault in faults(verb, problem):
                seen[verb, fault.kind] += 1
                if seen[verb, fault.kind] == 1:
                    small, fault = _smallest(verb, problem, fault, shrinking)
                    _show(verb, small, fault, f"seed {seed}, problem {number}")
    return len(seen)


def _smallest(
    verb: str, problem: Problem, fault: Fault, seconds: float
) -> tuple[Problem, Fault]:
    def same(smaller: Problem) -> bool:
        return any(f.kind == fault.kind for f in faults(verb, smaller, 10))

    if fault.kind == "hangs":
        return problem, fault
    small = shrink(problem, same, seconds)
    again = [f for f in faults(verb, small) if f.kind == fault.kind]
    return small, again[0] if again else fault


def _show(verb: str, problem: Problem, fault: Fault, origin: str) -> None:
    print(f"\n# {verb}: {fault.kind}  ({origin}; {problem.note})")
    for line in fault.detail.splitlines():
        print(f"# {line[:600]}")
    print(problem.code)
    print(fault.call, flush=True)


def _summary(asked: Counter[str], seen: Counter[tuple[str, str]]) -> None:
    print("\nproblems per verb:", ", ".join(f"{v} {n}" for v, n in asked.items()))
    for (verb, kind), times in sorted(seen.items()):
        print(f"  {verb:<17} {kind}: {times}")
    print("nothing found" if not seen else f"{len(seen)} kinds of faults")


def main() -> int:
    """Read the command line and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--verb", action="append", choices=list(VERBS))
    parser.add_argument("--shrink", type=float, default=15.0, help="seconds per fault")
    parser.add_argument("--mutants", action="store_true", help="false claims instead")
    parser.add_argument("--alone", action="store_true", help="conditions instead")
    parser.add_argument("--only", default="", help="entries of the atlas, for these")
    given = parser.parse_args()
    if given.mutants:
        from adversary.mutants import table

        return int(table(given.only) > 0)
    if given.alone:
        from adversary import alone

        return int(alone.table(given.only) > 0)
    verbs = given.verb or list(VERBS)
    return int(hunt(given.minutes, given.seed, verbs, given.shrink) > 0)


if __name__ == "__main__":
    sys.exit(main())
