"""Numbers: any number of digits, and proofs."""

from symflow.precision.arithmetics import Flint, HighPrecision, Mpmath
from symflow.precision.basin import BasinMap, basin
from symflow.precision.enclose import enclose
from symflow.precision.enclosure import Enclosure
from symflow.precision.precise import precise

__all__ = [
    "BasinMap",
    "Enclosure",
    "Flint",
    "HighPrecision",
    "Mpmath",
    "basin",
    "enclose",
    "precise",
]
