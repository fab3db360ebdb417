"""The catalogue of what looks for laws."""

from __future__ import annotations

from typing import Any

from symflow.conservation.inputs import input_laws
from symflow.conservation.law import Law
from symflow.conservation.parameters import parameter_laws
from symflow.conservation.rows import row_laws
from symflow.conservation.symmetry import layer_laws
from symflow.conservation.tensor import tensor_laws
from symflow.flow import GradientFlow

#: What looks for laws; what each finds is listed one after the other.
SEARCHES = (layer_laws, parameter_laws, tensor_laws, row_laws)


def laws_of(flow: GradientFlow, data: Any = None) -> list[Law]:
    """Return the laws for every loss and data set, then those for inputs of `data`."""
    if flow.decays_differ:
        return []  # then no quadratic form of several weights decays by itself
    found = [law for find in SEARCHES for law in find(flow)]
    if data is None:
        return found
    return [*found, *(law for law in input_laws(flow, data) if law not in found)]
