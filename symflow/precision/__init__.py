"""Numbers: any number of digits, and proofs."""

from symflow.precision.arithmetics import (
    Flint as Flint,
    HighPrecision as HighPrecision,
    Mpmath as Mpmath,
)
from symflow.precision.basin import BasinMap as BasinMap, basin as basin
from symflow.precision.enclose import enclose as enclose
from symflow.precision.enclosure import Enclosure as Enclosure
from symflow.precision.precise import precise as precise
