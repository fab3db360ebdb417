"""Exact numbers as the text that the checker reads."""

from __future__ import annotations

from typing import Any

from symflow.algebra.arrays import Array
from symflow.algebra.numbers import as_fraction
from symflow.errors import InvalidArgument

#: The checker reads no longer numbers.
MOST_DIGITS = 4000


def not_carried(kind: str, why: str) -> str:
    """Return the message of an error: what a certificate does not carry, and why.

    Examples
    --------
    >>> not_carried("law", "it is wrong")[:70]
    "save(law, 'name.json'): a certificate does not carry this law: it is w"
    """
    return (
        f"save({kind}, 'name.json'): a certificate does not carry this {kind}: {why}. "
        f"Save the {kind} as 'name.npz', which keeps it without a proof"
    )


def rational_text(value: Any, kind: str = "enclosure") -> str:
    """Return a rational number as text.

    An error says what `kind` of thing is saved.  Raises InvalidArgument if it is
    irrational, or has too many digits.

    Examples
    --------
    >>> rational_text(0.375)
    '3/8'
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
    """Return a matrix of rational numbers as text.

    Examples
    --------
    >>> import numpy as np
    >>> matrix_text(np.array([[0.5, 2]]))
    [['1/2', '2']]
    """
    return [[rational_text(entry) for entry in row] for row in matrix]
