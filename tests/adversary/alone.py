"""Every condition of every theorem, violated by itself.

``outside.py`` moves whole starts, so that several conditions fail at once and one may
hide that another is not asked.  Here one entry, or one layer, or one moment is moved by
a part 10^−k.  Where a single condition then fails, it is known to be asked by itself;
where none does, the claim has to hold on the flow from there, to 30 digits.

``python tests/adversary/run.py --alone`` prints, for every condition, the smallest part
that it alone notices.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction as F
from typing import Any

import numpy as np

import symflow as sf
from adversary.outside import DIGITS, contradicted, fractions_of
from symflow.claims import Claim, Theorem
from symflow.flow.problem import bind
from symflow.gallery import ENTRIES
from symflow.gallery.entry import Instance, PathEntry

#: Parts 10^−k by which exact numbers are moved.
PARTS = (3, 12)


@dataclass
class Alone:
    """What the conditions of one theorem say on one of its examples, moved.

    Parameters
    ----------
    key, claim : str
        Entry of the atlas, and name of the theorem.
    conditions : tuple of str
        What it asks, apart from the flow.
    noticed : dict
        By condition that failed alone, the largest k of a part for which it did.
    held : int
        Moves after which the claim is still proved, and was held against the flow.
    wrong : list of str
        Moves after which it is proved, and false.
    """

    key: str
    claim: str
    conditions: tuple[str, ...]
    noticed: dict[str, int] = field(default_factory=dict)
    held: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def verdicts(self) -> Iterator[str]:
        """A line for every condition, and one for what was proved all the same."""
        for words in dict.fromkeys((*self.conditions, *self.noticed)):
            k = self.noticed.get(words)
            yield f"{words}: " + ("with others" if k is None else f"alone at 1e-{k}")
        if self.held or self.wrong:
            said = f"FALSE after {', '.join(self.wrong)}" if self.wrong else "true"
            yield f"proved after {self.held} other moves, and {said}"


def entries() -> Iterator[PathEntry]:
    """Yield the entries whose claims have conditions, each theorem's own examples."""
    for entry in ENTRIES:
        if isinstance(entry, PathEntry) and entry.exact:
            instance = entry.instance()
            if isinstance(entry.claim(instance), Theorem | sf.Solution):
                yield entry


def violated_alone(
    entry: PathEntry, parts: Any = PARTS, looked_at: int = 2, digits: int = DIGITS
) -> Alone:
    """Return what is noticed; of what is not, the first few moves are looked at."""
    instance = entry.instance()
    claim = entry.claim(instance)
    asked = tuple(row.words for row in claim.hypotheses if not row.structural)
    found = Alone(entry.key, claim.name, asked)
    for k in parts:
        for name, given in moves(instance, F(1, 10**k)):
            said = answer(type(claim), given)
            if isinstance(said, Claim):
                if said.status is not sf.Status.PROVED or found.held >= looked_at:
                    continue
                found.held += 1
                if contradicted(said, given, digits):
                    found.wrong.append(f"{name} by 1e-{k}")
            elif len(said) == 1:
                found.noticed[said[0]] = max(k, found.noticed.get(said[0], 0))
    return found


def answer(kind: Any, given: Instance) -> Any:
    """Return the claim, or the conditions that fail."""
    try:
        found = kind.attempt(bind(given.flow, given.data, given.init))
    except sf.SymflowError as refusal:
        return [type(refusal).__name__]
    if isinstance(found, Claim):
        return found
    return [row.words for row in found.hypotheses if not row.holds]


def moves(instance: Instance, part: F) -> Iterator[tuple[str, Instance]]:
    """Yield the instance with one thing moved by a part of the largest entry."""
    weights = [
        fractions_of(weight)
        for weight in bind(instance.flow, instance.data, instance.init).weights
    ]
    for layer, weight in enumerate(weights):
        changed = [*_entries(weight, part), ("all", weight * (1 + part))]
        for name, other in changed:
            start = (*weights[:layer], other, *weights[layer + 1 :])
            yield f"{name} of W_{layer + 1}", _given(instance, start, None)
    if len(weights) > 1:  # of which W(0) knows nothing
        start = (weights[0] * (1 + part), weights[1] / (1 + part), *weights[2:])
        yield "W_1 against W_2", _given(instance, start, None)
    arrays = _arrays(instance.data)
    for place, array in enumerate(arrays):
        labels = set(array.flat) <= {-1, 1} and place == 1
        square = not isinstance(instance.data, sf.Dataset) and place == 0
        changed = [*_entries(array, part, diagonal=square), ("all", array * (1 + part))]
        for name, other in [] if labels else changed:
            data = [*arrays[:place], other, *arrays[place + 1 :]]
            yield f"{name} of data {place + 1}", _given(instance, weights, data)


def _entries(
    array: Any, part: F, *, diagonal: bool = False
) -> Iterator[tuple[str, Any]]:
    """Yield an array with its first, its last or a zero entry moved."""
    top = max(map(abs, array.flat), default=F(0)) or F(1)
    first, last = (0,) * array.ndim, tuple(size - 1 for size in array.shape)
    zeros = [tuple(map(int, at)) for at in np.argwhere(array == 0)]
    for at in dict.fromkeys([first, last, *([] if diagonal else zeros[:1])]):
        other = array.copy()
        other[at] += top * part
        yield f"{at}", other


def _arrays(data: Any) -> list[Any]:
    names = ("X", "Y") if isinstance(data, sf.Dataset) else ("sigma_xx", "sigma_yx")
    return [fractions_of(getattr(data, name)) for name in names]


def _given(instance: Instance, weights: Any, data: Any) -> Instance:
    kind = type(instance.data)
    made = instance.data if data is None else kind(*data)
    return Instance(instance.flow, made, tuple(weights), instance.t)


def table(only: str = "") -> int:
    """Print what every condition notices; return how many claims are wrong."""
    wrong = 0
    for entry in entries():
        if only not in entry.key:
            continue
        found = violated_alone(entry)
        wrong += bool(found.wrong)
        print(f"{found.key}, {found.claim}", flush=True)
        for line in found.verdicts:
            print(f"    {line}", flush=True)
    return wrong
