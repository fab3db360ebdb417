"""Seeds: randomness that is fixed when a rule is made and can be repeated."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from symflow.errors import InvalidArgument, shown

#: What NumPy makes a generator of; it crashes on some other things.
_SEEDS = (
    *(int, np.integer, np.random.Generator, np.random.BitGenerator),
    *(np.random.SeedSequence, np.random.RandomState),
)

#: Bits of a seed: it is written into files, and Python writes no longer integers.
_MOST_BITS = 10_000


def seed_of(rng: Any, call: str) -> int:
    """Return an integer that stands for `rng` from now on.

    None takes fresh entropy; an integer is kept; a generator gives 128 bits and moves
    on.  Anything else raises `InvalidArgument`, which names the `call`.
    """
    if rng is None:
        return int(np.random.SeedSequence().generate_state(2, np.uint64)[0])
    spans = isinstance(rng, bool | np.timedelta64)
    if isinstance(rng, (int, np.integer)) and not spans and _is_seed(rng):
        return int(rng)
    return int.from_bytes(generator_of(rng, call).bytes(16), "little")


def generator_of(rng: Any, call: str) -> np.random.Generator:
    """Return the NumPy generator that `rng`, an integer or a generator, stands for.

    None stands for a new one.  Anything else raises `InvalidArgument`, which names the
    `call`.
    """
    if rng is None:
        return np.random.default_rng()
    try:
        if not isinstance(rng, _SEEDS) or isinstance(rng, bool | np.timedelta64):
            raise TypeError
        if isinstance(rng, int) and not _is_seed(rng):
            raise TypeError
        return np.random.default_rng(rng)
    except (TypeError, ValueError):
        msg = (
            f"{call}: rng needs None, a non-negative integer of at most {_MOST_BITS} "
            f"bits or a numpy.random.Generator; got {shown(rng)}"
        )
        raise InvalidArgument(msg) from None


def _is_seed(number: Any) -> bool:
    """Return whether an integer is not negative and can be written."""
    return number >= 0 and int(number).bit_length() <= _MOST_BITS


def unseeded(rule: Any) -> Any:
    """Return a rule of this package without the seed that `draw(rng=…)` overrides.

    A rule of the reader's own is returned as it is: its seed may mean something else.
    """
    own = type(rule).__module__.startswith("symflow.inits.")
    return replace(rule, seed=0) if own and hasattr(rule, "seed") else rule
