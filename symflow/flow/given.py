"""What users may give as data, start, times and random state: types for signatures."""

from __future__ import annotations

from typing import (
    TYPE_CHECKING,
    Any,
    Protocol,
    SupportsFloat,
    TypeAlias,
    Union,
    runtime_checkable,
)

from numpy.typing import NDArray

if TYPE_CHECKING:
    import numpy.random

    import symflow.inits


@runtime_checkable
class HasMoments(Protocol):
    """A `Dataset`, `Moments`, or anything else that knows its moments."""

    def moments(self) -> Any: ...


#: A number: int, float, Fraction, SymPy number, mpf, NumPy scalar.
Number: TypeAlias = SupportsFloat

# Entries are left open: of a list that mixes ints and Fractions a checker knows little,
# and a Sequence would admit texts.

#: What is learned.
DataLike: TypeAlias = HasMoments

# Rules and NumPy's generators are named only, as a derivation need not import them.

#: Where a flow starts: a rule, or the weights (W_1, …, W_L).
InitLike: TypeAlias = Union["symflow.inits.Init", list[Any], tuple[Any, ...]]

#: A time, or rising times.
TimesLike: TypeAlias = Number | list[Any] | tuple[Any, ...] | range | NDArray[Any]

#: A seed, a generator, or None for the rule's own.
RandomLike: TypeAlias = Union[int, "numpy.random.Generator", None]
