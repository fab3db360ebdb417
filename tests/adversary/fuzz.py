"""Public verbs and command lines with arguments of wrong kinds: refused in words.

One argument of a call that works is replaced by something from a table of bad values,
or one word of a command line by a bad one.  What comes back may be a result or a
`SymflowError`, and exit code 2 with one line; any other exception is a fault, and so
is a call that computes for longer than `PATIENCE` or takes more than `MEMORY`.
`python tests/adversary/fuzz.py --calls 20000` counts the faults by the place that
raised them; it takes about half an hour.
"""

from __future__ import annotations

import argparse
import faulthandler
import os
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from random import Random
from time import process_time
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import matplotlib as mpl

import symflow as sf
from adversary.fuzzed import BAD, FLOW, LINES, VERBS, WORDS, Verb
from adversary.hunt import Hangs, alarm
from symflow.cli.main import main
from symflow.errors import shown

mpl.use("Agg")

#: Seconds of computing after which a call hangs: most take milliseconds.
PATIENCE = 60
#: Bytes that the process may have: a refusal takes none.
MEMORY = 8 << 30
#: Every so many calls one is a command line.
LINE = 10


@contextmanager
def bounded() -> Iterator[None]:
    """Let no call take all memory; where one cannot be stopped, say where."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, before[1]))
    faulthandler.dump_traceback_later(20 * PATIENCE, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        resource.setrlimit(resource.RLIMIT_AS, before)


@contextmanager
def elsewhere() -> Iterator[None]:
    """Work in a folder of its own, as some bad values are good names of files."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("table.csv").write_text("a,y\n1,2\n2,3\n", encoding="utf-8")
        Path("claims.toml").write_text(
            '[model]\nwidths = [2, 2, 1]\n[[claim]]\nkind = "count"\nnumber = 3\n',
            encoding="utf-8",
        )
        sf.save(FLOW, "flow.npz")
        try:
            yield
        finally:
            os.chdir(before)


def spoiled(verb: Verb, random: Random) -> tuple[str, Callable[[], Any]]:
    """Return a call with one argument replaced, and which by what."""
    given, options = [*verb.given], dict(verb.options)
    place, bad = random.randrange(len(given) + len(options)), random.choice(BAD)
    if "runs" in options and type(bad) in (int, float) and bad == 10**6:
        bad = -bad  # a million runs, or runs of a million seconds, are no slips
    if place < len(given):
        given[place], name = bad, f"argument {place}"
    else:
        name = [*options][place - len(given)]
        options[name] = bad
    return f"{name} = {' '.join(shown(bad).split()):.60}", lambda: verb.function(
        *given, **options
    )


def misspelt(random: Random) -> list[str]:
    """Return a command line of which one word is replaced, dropped or doubled."""
    words = [*random.choice(LINES)]
    place = random.randrange(len(words))
    if words[0] == "atlas" and place in (1, 2):
        place = 0  # without its choice it is the whole atlas, which takes minutes
    words[place : place + 1] = random.choice([[random.choice(WORDS)]] * 8 + [[], ["1"]])
    return words


def refused(words: list[str]) -> str | None:
    """Run a command line, and return what is wrong with how it ends."""
    said = StringIO()
    try:
        with redirect_stderr(said), redirect_stdout(StringIO()):
            code = main(words)
    except SystemExit as end:
        code = end.code  # of --help and --version
    # what is at work is said on lines of its own
    errors = said.getvalue().count(": error: ")
    rest = [line for line in said.getvalue().splitlines() if not line.endswith("…")]
    if code == 2 and (errors != 1 or len(rest) > 1):
        return f"exit code 2 with {said.getvalue()!r}"
    return None if code in {0, 1, 2} else f"exit code {code}"


Call = tuple[str, str, Callable[[], Any]]


def drawn(number: int, random: Random) -> Call:
    """Return the call of that number: its verb, what is wrong with it, and itself."""
    if number % LINE:
        verb = VERBS[number % len(VERBS)]
        return verb.name, *spoiled(verb, random)
    words = misspelt(random)
    return f"symflow {words[:1]}", " ".join(words), partial(refused, words)


def fault(call: Call) -> tuple[str, str] | None:
    """Make a call; return the kind of its fault, and what it was."""
    name, detail, work = call
    try:
        with warnings.catch_warnings(), alarm(PATIENCE), bounded():
            warnings.simplefilter("ignore")
            wrong = work()
        line = name.startswith("symflow ")
        return (f"{name}: {wrong}", detail) if line and wrong else None
    except sf.SymflowError:
        return None
    except (Exception, Hangs) as problem:  # noqa: BLE001 - a crash is what is looked for
        frames = list(traceback.extract_tb(problem.__traceback__))
        own = [f for f in frames if "/symflow/" in f.filename] or frames
        where = f"{own[-1].filename.rpartition('/symflow/')[2]}:{own[-1].lineno}"
        kind = f"{name}: {type(problem).__name__} at {where}"
        return kind, f"{problem} ({detail})"[:160]


def hunt(calls: int, seed: int, slow: float = PATIENCE) -> Counter[str]:
    """Return how often each kind of fault came; show the first, and what is slow."""
    random, found = Random(seed), Counter[str]()
    with elsewhere():
        for number in range(calls):
            begin, call = process_time(), drawn(number, random)
            seen = fault(call)
            if process_time() - begin > slow:
                print(f"{process_time() - begin:.0f} s:", *call[:2], flush=True)
            if seen and seen[0] not in found:
                print(*seen, flush=True)
            found.update([seen[0]] if seen else [])
            if number % 1000 == 999:
                print(f"{number + 1} calls, {sum(found.values())} faults", flush=True)
    return found


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--calls", type=int, default=2000)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--slow", type=float, default=10.0, help="seconds to tell of")
    asked = options.parse_args()
    faults = hunt(asked.calls, asked.seed, asked.slow)
    for text, times in faults.most_common():
        print(f"{times:5} {text}")
    hangs = sum(times for text, times in faults.items() if ": Hangs at" in text)
    errors = sum(faults.values()) - hangs
    print(f"{asked.calls} calls, {errors} untyped errors, {hangs} hangs")
    sys.exit(bool(faults))
