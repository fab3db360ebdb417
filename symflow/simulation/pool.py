"""Running numbered tasks on any executor, each of them to its end."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, as_completed
from contextlib import contextmanager, nullcontext
from types import ModuleType
from typing import TypeVar

from symflow.errors import InvalidArgument, WorkerLost

Result = TypeVar("Result")

#: How often work that was lost with its worker is given to another.
ATTEMPTS = 4


def outcomes(
    task: Callable[[int], Result], numbers: Sequence[int], executor: Executor | None
) -> Iterator[Result]:
    """Yield the results of a task for the numbers, as they arrive.

    Parameters
    ----------
    task : callable
        Raises nothing of its own: an exception means that a worker was lost.
    numbers : sequence of int
        What to call it with.
    executor : concurrent.futures.Executor or None
        Used as it is; None starts processes and ends them.

    Raises
    ------
    WorkerLost
        If workers were lost again and again; what arrived has been yielded.
    """
    waiting = list(numbers)
    starting = (
        without_script if executor is None and not in_script(task) else nullcontext
    )
    for attempt in range(ATTEMPTS):
        if not waiting:
            return
        pool = _processes(len(waiting)) if executor is None else executor
        lost: BaseException | None = None
        try:
            futures = {}
            try:
                with starting():
                    for number in waiting:
                        futures[pool.submit(task, number)] = number
            except BrokenExecutor as problem:
                lost = problem
            for future in as_completed(futures):
                problem_of = future.exception()
                if problem_of is None:
                    waiting.remove(futures[future])
                    yield future.result()
                else:
                    lost = problem_of
        finally:
            if executor is None:
                pool.shutdown(wait=True, cancel_futures=True)
            else:
                for future in futures:
                    future.cancel()
        if lost is not None and attempt == ATTEMPTS - 1:
            raise WorkerLost(_message(len(waiting), lost)) from lost


def _processes(count: int) -> Executor:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    # A forked child can inherit a lock that BLAS or the parent's threads hold.
    context = multiprocessing.get_context("spawn")
    workers = min(count, multiprocessing.cpu_count())
    return ProcessPoolExecutor(workers, mp_context=context)


def in_script(task: object) -> bool:
    """Say whether a task needs something that the running script defines.

    Parameters
    ----------
    task : object
        What a worker will unpickle.

    Raises
    ------
    InvalidArgument
        If it cannot be sent to another process at all.

    Examples
    --------
    >>> in_script(print)
    False
    """
    try:
        return b"__main__" in pickle.dumps(task)
    except (pickle.PicklingError, AttributeError, TypeError) as problem:
        msg = (
            f"sweep(…): this cannot be sent to another process: {problem}. Define the "
            "rule at the top level of a module, or give a thread pool as executor="
        )
        raise InvalidArgument(msg) from problem


@contextmanager
def without_script() -> Iterator[None]:
    """Start processes that do not run the calling script again.

    A spawned process imports the script of its parent, and would come to the same
    ``sweep`` in it.  It finds the script through the module ``__main__``.
    """
    script = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script


def _message(count: int, problem: BaseException) -> str:
    return (
        f"sweep(…): {count} runs did not come back, because their workers ended "
        f"{ATTEMPTS} times: {type(problem).__name__}: {problem}. What came back is "
        "kept: the same call with the same path= goes on from there. Where the rule is "
        "defined in a script, call sweep(…) under `if __name__ == '__main__':`"
    )
