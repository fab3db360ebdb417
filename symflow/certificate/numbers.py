"""Exact numbers as the text that the checker reads."""

from __future__ import annotations

from typing import Any

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import as_fraction
from symflow.errors import InvalidArgument

#: The checker reads no longer numbers.
MOST_DIGITS = 4000


def not_carried(kind: str, why: str) -> str:
    """Return the message of an error: what a certificate does not carry, and why."""
    return (
        f"save({kind}, 'name.json'): a certificate does not carry this {kind}: {why}. "
        f"Save the {kind} as 'name.npz', which keeps it without a proof"
    )


def rational_text(value: Any, kind: str = "enclosure") -> str:
    """Return a rational number as text.

    An error says what `kind` of thing is saved.  Raises InvalidArgument if it is
    irrational, or has too many digits.
    """
    fraction = as_fraction(value)
    if fraction is None:
        msg = f"{value} is no rational number"
        raise InvalidArgument(not_carried(kind, msg))
    if max(abs(fraction.numerator), fraction.denominator) >= 10**MOST_DIGITS:
        msg = f"a number has more than {MOST_DIGITS} digits"
        raise InvalidArgument(not_carried(kind, msg))
    return str(fraction)


def matrix_text(matrix: Array) -> list[list[str]]:
    """Return a matrix of rational numbers as text."""
    return [[rational_text(entry) for entry in row] for row in matrix]
