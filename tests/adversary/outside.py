"""How small a violation of its hypotheses is noticed by every claim of the atlas.

The start, or the data, are moved off the reference instance by a part 10^−k of their
size, in a direction that keeps nothing.  What was proved there then is refused, or no
longer proved; or every condition holds all the same, as inequalities do, and then the
claim has to hold on the flow from there, which `validate` says to 30 digits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction as F
from random import Random
from typing import Any

import numpy as np

import symflow as sf
from symflow.algebra.numbers import as_fraction
from symflow.claims import Claim, Theorem
from symflow.flow.problem import bind
from symflow.gallery.entry import Instance, PathEntry

#: Parts 10^−k by which exact numbers and floats are moved; floats end at rounding.
PARTS = {
    "exact": (0, 1, 2, 3, 6, 9, 12, 15, 20, 25, 30, 35),
    "floats": (0, 1, 2, 3, 6, 9, 12, 14),
}
#: What a claim that holds all the same is looked at, and to how many digits.
LOOKED_AT, DIGITS = (1, 3, 9, 20), 30


@dataclass(frozen=True)
class Violation:
    """What a claim says of its instance once that is moved.

    Parameters
    ----------
    key, claim, part, numbers : str
        Entry of the atlas, name, what was moved, and in which arithmetic.
    noticed : int or None
        The largest k of a part 10^−k that is noticed; None where none is.
    words : str
        The condition that notices it.
    wrong : tuple of int
        Every k for which the claim is proved, and false on the flow from there.
    """

    key: str
    claim: str
    part: str
    numbers: str
    noticed: int | None
    words: str
    wrong: tuple[int, ...]

    @property
    def verdict(self) -> str:
        """What was found, in words."""
        if self.wrong:
            return f"WRONG at 1e-{self.wrong[0]}"
        if self.noticed is None:
            return "holds all the same"
        return f"1e-{self.noticed} by: {self.words}"


def violations(entry: PathEntry, numbers: str = "exact") -> Iterator[Violation]:
    """Yield what the claim of an entry says where its start or its data are moved."""
    instance = entry.instance()
    claim = entry.claim(instance)
    if not isinstance(claim, Theorem | sf.Solution):
        return
    for part in ("start", "data"):
        smallest, words, wrong = None, "", []
        for k in PARTS[numbers]:
            given = moved(instance, part, k, numbers)
            said = changed(type(claim), given)
            if isinstance(said, str):
                smallest, words = k, said
            elif k in LOOKED_AT and contradicted(said, given):
                wrong.append(k)
        yield Violation(
            entry.key, claim.name, part, numbers, smallest, words, tuple(wrong)
        )


def moved(instance: Instance, part: str, k: int, numbers: str) -> Instance:
    """Return the instance with its start, or its data, off by a part of 10^−k."""
    rng, size = Random(f"{part} {instance.flow}"), F(1, 10**k)
    weights = bind(instance.flow, instance.data, instance.init).weights
    if part == "start":
        weights = [_off(fractions_of(weight), size, rng) for weight in weights]
        data = _data(instance.data, F(0), rng)
    else:
        weights = [fractions_of(weight) for weight in weights]
        data = _data(instance.data, size, rng)
    if numbers == "floats":
        weights = [weight.astype(float) for weight in weights]
        data = [np.asarray(array).astype(float) for array in data]
    kind = type(instance.data)
    return Instance(instance.flow, kind(*data), tuple(weights), instance.t)


def changed(kind: Any, given: Instance) -> Any:
    """Return the condition that notices, or the claim where it still is proved."""
    try:
        answer = kind.attempt(bind(given.flow, given.data, given.init))
    except sf.SymflowError as refusal:
        return type(refusal).__name__
    if not isinstance(answer, Claim):
        return next(row.words for row in answer.hypotheses if not row.holds)
    if answer.status is not sf.Status.PROVED:
        unsure = (row.words for row in answer.hypotheses if not row.exact)
        return f"{answer.status.value}, {next(unsure, '')}"
    return answer


def contradicted(claim: Any, given: Instance, digits: int = DIGITS) -> bool:
    """Say whether a claim that is proved is false on the flow it speaks of.

    Without digits the flow is that of float64.
    """
    try:
        path = given.sharp(digits) if digits else given.run
        return bool(sf.validate([claim], path).failures)
    except sf.SymflowError:
        return False


def _data(data: Any, size: F, rng: Random) -> list[Any]:
    """Return the arrays of data, moved: a Gram matrix stays one."""
    if isinstance(data, sf.Dataset):
        X, Y = fractions_of(data.X), fractions_of(data.Y)
        labels = set(np.ravel(Y).tolist()) <= {-1, 1}
        return [_off(X, size, rng), Y if labels else _off(Y, size, rng)]
    gram, cross = fractions_of(data.sigma_xx), fractions_of(data.sigma_yx)
    turn = _off(
        np.array(
            [[F(int(i == j)) for j in range(len(gram))] for i in range(len(gram))]
        ),
        size,
        rng,
    )
    return [turn @ gram @ turn.T, _off(cross, size, rng) @ turn.T]


def _off(array: Any, size: F, rng: Random) -> Any:
    """Return an array whose entries are off by up to a part of the largest."""
    top = max(map(abs, array.flat), default=F(0)) or F(1)
    steps = [size * top * F(rng.randint(-9, 9) * 2 + 1, 20) for _ in array.flat]
    return array + np.array(steps, dtype=object).reshape(array.shape)


def fractions_of(array: Any) -> Any:
    """Return an array of numbers as fractions."""
    array = np.asarray(array)
    entries = [as_fraction(entry) for entry in array.flat]
    return np.array([F(entry) for entry in entries], dtype=object).reshape(array.shape)
