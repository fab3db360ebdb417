"""Threads and Ctrl-C: the bits of one thread, and the precisions that the caller set.

`python tests/adversary/threads.py --minutes 20` is the long form.
"""

from __future__ import annotations

import inspect
import re
import sys
import threading
from functools import partial
from random import Random

import adversary.asked
import adversary.threads
import mpmath
import numpy as np
import pytest
from adversary.threads import (
    CALLER,
    Shared,
    bits,
    caller,
    faults,
    globals_of,
    imported,
    interrupted,
    questions,
    serial,
)

import symflow as sf
from symflow.algebra.balls import in_bits, present_bits, with_series
from symflow.algebra.threads import cached_property, evaluated

#: Digits that threads ask for at the same time.
DIGITS = (8, 15)


@pytest.fixture(scope="module")
def asked():
    return questions(Shared.make())


def test_eight_threads_have_the_bits_of_one(asked):
    assert faults(asked, serial(asked, DIGITS), seed=0, share=0.08) == []


# one that lands in the callback of a weak reference is reported, and nothing more
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interrupt_anywhere_leaves_everything_as_it_was(asked):
    order = Random(1)
    for _ in range(8):
        question = partial(asked[order.choice(sorted(asked))], 15)
        assert not interrupted(question, order.expovariate(20))


@pytest.mark.parametrize("verb", ["precise", "enclose"])
def test_an_interrupt_of_the_progress_leaves_everything_as_it_was(verb):
    def stop(done: float) -> None:
        assert globals_of() == CALLER
        raise KeyboardInterrupt

    with caller():
        with pytest.raises((KeyboardInterrupt, sf.Interrupted)):
            getattr(sf, verb)(*Shared.make().problem, 1, progress=stop)
        assert globals_of() == CALLER


class Loud:
    """Changes the precision when SymPy reads it, and fails."""

    def _sympy_(self):
        mpmath.mp.prec = 999
        raise TypeError


def test_a_section_ends_whatever_happens():
    def fail() -> None:
        assert globals_of() == (20, 5, CALLER[2])
        raise ZeroDivisionError

    with caller():
        with pytest.raises(ZeroDivisionError):
            in_bits(20)(with_series)(5, fail)
        assert globals_of() == CALLER
        with pytest.raises(TypeError):
            evaluated(Loud(), 200)
        assert globals_of() == CALLER


def test_threads_take_turns_with_the_precision():
    seen = []
    other = threading.Thread(target=lambda: seen.append(in_bits(30)(present_bits)()))

    def work() -> tuple[int, list[int]]:
        other.start()
        other.join(0.05)
        return present_bits(), list(seen)

    assert in_bits(90)(work)() == (90, [])
    other.join()
    assert seen == [30]


class Half:
    """Its property waits for that of the other half."""

    def __init__(self) -> None:
        self.entered, self.other = threading.Event(), None

    @cached_property
    def found(self) -> object:
        self.entered.set()
        assert self.other.entered.wait(5), "one lock for all instances"
        return object()


def test_properties_do_not_wait_for_those_of_other_objects():
    first, second = Half(), Half()
    first.other, second.other = second, first
    seen = []
    crew = [
        threading.Thread(target=lambda half=half: seen.append(half.found))
        for half in (first, second, first)
    ]
    for thread in crew:
        thread.start()
    for thread in crew:
        thread.join()
    assert len(seen) == 3
    assert set(seen) == {first.found, second.found}


def test_nodes_that_threads_make_at_once_are_one_node():
    gate, made = threading.Barrier(8), []

    def work() -> None:
        gate.wait()
        flow = sf.gradient_flow(sf.LinearNetwork("p", "q", "r"), sf.SquaredLoss())
        made.append([id(node) for node in flow.directions] + [flow])

    crew = [threading.Thread(target=work) for _ in range(8)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in crew:
            thread.start()
        for thread in crew:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert len(made) == 8
    assert len({tuple(entry[:-1]) for entry in made}) == 1


def test_one_kernel_writes_for_many_threads():
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    kern = sf.compile(flow, sf.Moments(np.eye(2), np.ones((2, 2))))
    starts = [[np.full((2, 2), k + 1.0), np.eye(2) * k] for k in range(8)]
    right, wrong = [bits(kern(*start)) for start in starts], []

    def work(number: int) -> None:
        out = [np.empty((2, 2)), np.empty((2, 2))]
        for _ in range(400):
            kern.into(out, *starts[number])
            if bits(out) != right[number]:
                wrong.append(number)

    crew = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    with caller():
        sys.setswitchinterval(1e-6)
        for thread in crew:
            thread.start()
        for thread in crew:
            thread.join()
    assert wrong == []


def test_threads_may_use_every_name_first():
    assert not imported(0)


#: What needs a library that is not there, changes the process, or computes nothing.
UNASKED = {"from_torch", "to_heyoka", "numba_kernel", "register"}


def test_every_public_function_is_asked_in_threads():
    text = inspect.getsource(adversary.asked) + inspect.getsource(adversary.threads)
    functions = {name for name in sf.__all__ if inspect.isfunction(getattr(sf, name))}
    asked = {name for name in functions if re.search(rf"\bsf\.{name}\b", text)}
    assert functions - asked == UNASKED
