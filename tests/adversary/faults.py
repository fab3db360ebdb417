"""Kill, race and damage sweeps: `python tests/adversary/faults.py [--seed S]`.

In its long form 30 kills of thread pools and of process pools, 60 races of two writers
for one file, and 200 damaged files.  A fault is a run that is lost, doubled, moved or
made again although it was kept, a second holder of a file, or a worker that lives on.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np

import symflow as sf
from symflow.simulation.records import RecordFile

FLOW = sf.gradient_flow(sf.LinearNetwork(2, 1, 1), sf.SquaredLoss())
DATA = sf.Moments(np.diag([1.0, 2.0]), [[1.0, 0.5]])
PROBLEM = (FLOW, DATA, sf.gaussian_init(0.3, rng=0), [0, 1.5, 4])

#: Seconds after which a child counts as hanging.
PATIENCE = 60.0


class Counting(Executor):
    """An executor that runs a task at once and counts."""

    def __init__(self) -> None:
        self.count = 0

    def submit(self, function, /, *arguments, **options):
        self.count += 1
        future: Future = Future()
        future.set_result(function(*arguments, **options))
        return future


def swept(path: Path, runs: int) -> tuple[sf.Sweep, int]:
    """Sweep into a file and return the runs, and how many were made."""
    executor = Counting()
    return sf.sweep(*PROBLEM, runs=runs, executor=executor, path=path), executor.count


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let no file grow beyond a size, as if the disk was full: writes get short."""
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def in_child(work: Callable[[], None]) -> int:
    """Fork and return the process that does the work."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python 3.12 warns of forks beside threads
        child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        finally:
            os._exit(1)
    return child


def _flip(content: bytearray, rng: np.random.Generator) -> None:
    content[rng.integers(len(content))] ^= 1 << int(rng.integers(8))


def _cut(content: bytearray, rng: np.random.Generator) -> None:
    del content[rng.integers(1, len(content)) :]


def _blank(content: bytearray, rng: np.random.Generator) -> None:
    place = rng.integers(len(content))
    end = min(place + rng.integers(1, 600), len(content))
    content[place:end] = bytes(end - place)


def _drop(content: bytearray, rng: np.random.Generator) -> None:
    place = rng.integers(len(content))
    del content[place : place + rng.integers(1, 600)]


def _insert(content: bytearray, rng: np.random.Generator) -> None:
    place = rng.integers(len(content) + 1)
    content[place:place] = rng.bytes(int(rng.integers(1, 600)))


def _repeat(content: bytearray, rng: np.random.Generator) -> None:
    place = rng.integers(len(content))
    content += content[place : place + rng.integers(1, 600)]


DAMAGES = (_flip, _cut, _blank, _drop, _insert, _repeat)


def damages(folder: Path, count: int, seed: int, runs: int = 8) -> Iterator[str]:
    """Damage a finished file, sweep again, and yield what is wrong then."""
    rng = np.random.default_rng(seed)
    path, spoilt = folder / "whole", folder / "spoilt"
    swept(path, runs)
    whole = path.read_bytes()
    frames = b"\x93symrun\n"
    for number in range(count):
        damage, content = DAMAGES[number % len(DAMAGES)], bytearray(whole)
        damage(content, rng)
        # Counted by other means than those of the reader: bytes that are still there.
        bodies = whole.split(frames)[2:]
        kept = sum(frames + body in content for body in bodies)
        spoilt.write_bytes(content)
        name = f"{damage.__name__}, number {number} of seed {seed}"
        try:
            done, made = swept(spoilt, runs)
        except sf.errors.InvalidArgument:
            if kept or spoilt.read_bytes() != content:
                yield f"{name}: refused or changed, although {kept} runs are kept"
            continue
        if made != runs - kept:
            yield f"{name}: {made} runs were made, and {kept} of {runs} were kept"
        if made and len(done.remade) != made and damage is not _cut:
            yield f"{name}: {made} runs were made again, and {done.remade} named"
        if spoilt.read_bytes() != whole:
            yield f"{name}: the file is another one"


def races(folder: Path, count: int) -> Iterator[str]:
    """Let two processes open one new file at once, and yield where not one holds it."""
    for number in range(count):
        path = folder / f"race-{number}"
        begin, told, end = os.pipe(), os.pipe(), os.pipe()

        def write(path=path, begin=begin, told=told, end=end) -> None:
            os.close(begin[1])
            os.close(end[1])
            os.read(begin[0], 1)
            try:
                with closing(RecordFile(path, {"format": "x"})):
                    os.write(told[1], b"1")
                    os.read(end[0], 1)
            except sf.errors.OutputError:
                os.write(told[1], b"0")

        writers = [in_child(write), in_child(write)]
        os.close(begin[1])
        found = os.read(told[0], 1) + os.read(told[0], 1)
        os.close(end[1])
        codes = [os.waitpid(writer, 0)[1] for writer in writers]
        for pipe in (begin[0], *told, end[0]):
            os.close(pipe)
        if sorted(found) != sorted(b"01") or any(codes):
            yield f"race {number}: {found.count(b'1')} held it, exit codes {codes}"
        if os.listdir(folder) != [path.name]:
            yield f"race {number}: left {os.listdir(folder)}"
        path.unlink(missing_ok=True)


def kills(
    folder: Path, count: int, seed: int, *, processes: bool, runs: int = 60
) -> Iterator[str]:
    """Kill a sweep at random moments until it is done; yield what is wrong then."""
    rng, path, kept = np.random.default_rng(seed), folder / "runs", 0

    def sweep() -> None:
        if processes:
            sf.sweep(*PROBLEM, runs=runs, path=path)
        else:
            with ThreadPoolExecutor(1) as pool:
                sf.sweep(*PROBLEM, runs=runs, path=path, executor=pool)

    for number in range(count):
        # The moment is random in bytes: a busy machine may take its time.
        size = path.stat().st_size if path.exists() else 0
        target, child = size + rng.integers(1, 2500), in_child(sweep)
        patience, workers, ended = time.monotonic() + PATIENCE, set(), 0
        while not ended and time.monotonic() < patience:
            time.sleep(0.002)
            workers |= children_of(child)
            ended, code = os.waitpid(child, os.WNOHANG)
            if not ended and path.exists() and path.stat().st_size >= target:
                break
        if ended and code:
            yield f"kill {number}: the sweep ended with {code} before it"
        elif not ended:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            if time.monotonic() >= patience:
                yield f"kill {number}: the sweep hung"
        with closing(RecordFile(path, {})) as file:
            before, kept = kept, len(file.records)
        if kept < before:
            yield f"kill {number}: {before} runs were kept before it, and {kept} after"
        yield from (f"kill {number}: {still}" for still in living(workers))
        if kept == runs:
            path.unlink()
            kept = 0
    fresh = folder / "fresh"
    again, made = swept(path, runs)
    once, _ = swept(fresh, runs)
    if made != runs - kept:
        yield f"after the kills {made} runs were made, and {kept} of {runs} were kept"
    if not np.array_equal(again.end_to_end, once.end_to_end):
        yield "after the kills the runs are others"
    if path.read_bytes() != fresh.read_bytes():
        yield "after the kills the file is another one"


def children_of(process: int) -> set[int]:
    """Return the processes that a process has started."""
    try:
        text = Path(f"/proc/{process}/task/{process}/children").read_text()
    except OSError:
        return set()
    return set(map(int, text.split()))


def living(workers: set[int]) -> list[str]:
    """Wait for workers to end, and return those that do not."""
    patience = time.monotonic() + 15
    while workers and time.monotonic() < patience:
        workers = {worker for worker in workers if _lives(worker)}
        time.sleep(0.02)
    return [f"worker {worker} lives on" for worker in workers]


def _lives(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def main() -> int:
    """Run the long form, print the faults, and return whether there were any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--damages", type=int, default=200)
    parser.add_argument("--races", type=int, default=60)
    parser.add_argument("--kills", type=int, default=30, help="of each kind of pool")
    given, total = parser.parse_args(), 0
    work = {
        f"{given.damages} damaged files": lambda f: damages(
            f, given.damages, given.seed
        ),
        f"{given.races} races": lambda f: races(f, given.races),
        f"{given.kills} kills of thread pools": lambda f: kills(
            f, given.kills, given.seed, processes=False
        ),
        f"{given.kills} kills of process pools": lambda f: kills(
            f, given.kills, given.seed, processes=True
        ),
    }
    for name, faults in work.items():
        with tempfile.TemporaryDirectory() as folder:
            found = list(faults(Path(folder)))
        print(f"{name}: {len(found)} faults", *found, sep="\n  ", flush=True)
        total += len(found)
    return int(total > 0)


if __name__ == "__main__":
    sys.exit(main())
