"""Running numbered tasks on any executor, each of them to its end."""

from __future__ import annotations

import os
import signal
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ThreadPoolExecutor,
)
from contextlib import closing, contextmanager
from functools import lru_cache, partial
from multiprocessing import current_process, resource_tracker
from queue import SimpleQueue
from threading import Thread
from time import sleep
from typing import Any, TypeVar

from symflow.errors import InvalidArgument, WorkerLost

Result = TypeVar("Result")
Submit = Callable[[int], "Future[Result]"]

#: How often a run is given to a worker that does not survive it.
ATTEMPTS = 4

#: What says how many threads BLAS takes.
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)

#: Seconds after which a worker notices that the process it works for is gone.
WATCH = 0.5


def outcomes(
    task: Callable[[int], Result], numbers: Sequence[int], executor: Executor | None
) -> Generator[Result, None, None]:
    """Yield the results of a task for the numbers, as they arrive.

    The task raises nothing of its own: an exception means that a worker was lost.  An
    executor is used as it is; None starts processes and ends them.

    Raises InvalidArgument if the task cannot be sent to other processes; WorkerLost if
    no worker survives some of the numbers; all others have been yielded.
    """
    losses, reason = dict.fromkeys(numbers, 0), BaseException()
    open_pool = _own(task) if executor is None else _given(task, executor)
    while waiting := [number for number in losses if losses[number] < ATTEMPTS]:
        fresh = [number for number in waiting if not losses[number]]
        # A broken pool does not say who broke it.  What was lost beside others goes on
        # alone: if it is lost again, nobody else has done it.
        with (
            open_pool(len(fresh) if fresh else 1) as (submit, width),
            closing(_run(submit, fresh or waiting, width)) as arriving,
        ):
            for number, future in arriving:
                problem = _problem(future)
                if isinstance(problem, InvalidArgument):
                    raise problem
                if problem is None:
                    del losses[number]
                    yield future.result()
                else:
                    losses[number], reason = losses[number] + 1, problem
    if losses:
        raise WorkerLost(_message(sorted(losses), reason)) from reason


def _run(
    submit: Submit[Result], numbers: Sequence[int], width: int
) -> Generator[tuple[int, Future[Result]], None, None]:
    """Yield the futures as they end, until all have or the pool is broken."""
    waiting = deque(numbers)
    flying: dict[Future[Result], int] = {}
    arrived: SimpleQueue[Future[Result]] = SimpleQueue()
    try:
        while waiting or flying:
            while waiting and len(flying) < width:
                future = _submitted(submit, waiting[0])
                flying[future] = waiting.popleft()
                future.add_done_callback(arrived.put)
            future = arrived.get()
            if isinstance(_problem(future), BrokenExecutor):
                waiting.clear()
            yield flying.pop(future), future
    finally:
        for future in flying:
            future.cancel()


def _submitted(submit: Submit[Result], number: int) -> Future[Result]:
    try:
        return submit(number)
    except BrokenExecutor as problem:
        broken: Future[Result] = Future()
        broken.set_exception(problem)
        return broken


def _problem(future: Future[Any]) -> BaseException | None:
    return CancelledError() if future.cancelled() else future.exception()


def _given(task: Callable[[int], Result], executor: Executor) -> Any:
    """Return what opens a pool: the one that was given, which takes all at once."""
    work: Callable[[int], Any] = task
    if not isinstance(executor, ThreadPoolExecutor):
        work = partial(_sent, _pickled(task))

    @contextmanager
    def opened(count: int) -> Iterator[tuple[Submit[Result], int]]:
        yield lambda number: executor.submit(work, number), count

    return opened


def _own(task: Callable[[int], Result]) -> Any:
    """Return what opens a pool that takes no more than it can run at once."""
    import loky

    # A daemonic process may not have children.
    if current_process().daemon:
        return lambda count: _threads(task, min(count, loky.cpu_count()))
    payload = _pickled(task)
    return lambda count: _processes(payload, min(count, loky.cpu_count()))


@contextmanager
def _threads(
    task: Callable[[int], Result], count: int
) -> Iterator[tuple[Submit[Result], int]]:
    with ThreadPoolExecutor(count) as pool:
        yield lambda number: pool.submit(task, number), count


@contextmanager
def _processes(payload: bytes, count: int) -> Iterator[tuple[Submit[Any], int]]:
    import loky

    told = any(name in os.environ for name in THREADS)
    pool = loky.ProcessPoolExecutor(
        count,
        initializer=_install,
        initargs=(payload, os.getpid()),
        env={} if told else dict.fromkeys(THREADS, "1"),
    )

    def submit(number: int) -> Future[Any]:
        with _deaf_to_interrupts():
            future: Future[Any] = pool.submit(_installed, number)
            return future

    try:
        yield submit, count
    except BaseException:
        pool.shutdown(kill_workers=True)
        raise
    pool.shutdown()


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Start processes in which Ctrl-C does nothing, for every process hears it.

    They inherit what is blocked; here it comes when the block is over.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # Python 3.11 lifts the block of these signals where it starts this one itself.
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _pickled(task: object) -> bytes:
    """Return a task as bytes, with what the running script or notebook defines."""
    import cloudpickle

    try:
        return bytes(cloudpickle.dumps(task))
    except Exception as problem:
        msg = (
            f"sweep(…): this cannot be sent to another process: {problem}. Give a "
            "thread pool as executor=, or a rule and a loss without such parts"
        )
        raise InvalidArgument(msg) from problem


#: In a worker: the task, once it is there.
_task: bytes = b""


def _install(payload: bytes, parent: int) -> None:
    """Keep the task of a worker, who ends when the process it works for does."""
    global _task
    _task = payload
    Thread(target=_leave_with, args=(parent,), daemon=True).start()


def _leave_with(parent: int) -> None:
    while os.getppid() == parent:
        sleep(WATCH)
    os._exit(1)


def _installed(number: int) -> Any:
    return _sent(_task, number)


def _sent(payload: bytes, number: int) -> Any:
    return _unpickled(payload)(number)


@lru_cache(maxsize=1)
def _unpickled(payload: bytes) -> Callable[[int], Any]:
    import pickle

    try:
        task: Callable[[int], Any] = pickle.loads(payload)
    except Exception as problem:  # noqa: BLE001 - it may be anybody's
        msg = (
            f"sweep(…): a worker cannot read this: {type(problem).__name__}: "
            f"{problem}. Define the rule and the loss in the script or the notebook "
            "itself, or in a module that can be imported"
        )
        raise InvalidArgument(msg) from None
    return task


def _message(numbers: list[int], problem: BaseException) -> str:
    named = ", ".join(map(str, numbers[:10])) + ", …" * (len(numbers) > 10)
    count = "1 run" if len(numbers) == 1 else f"{len(numbers)} runs"
    reason = f"{type(problem).__name__}: {str(problem).partition('. ')[0]}"
    return (
        f"sweep(…): {count} did not come back ({named}): each ended {ATTEMPTS} "
        f"workers, the last by {reason}. The others are done: the same call with the "
        "same path= goes on from there"
    )
