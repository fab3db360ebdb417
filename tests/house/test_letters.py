"""Every letter of a statement is one that all flows have, or is said what it is."""

import re

import pytest
import sympy
from sympy.core.function import AppliedUndef

from symflow.algebra.text import unicode_name
from symflow.gallery import ENTRIES
from symflow.gallery.entry import PathEntry

#: Weights and their product, at the start and at the end too, quantities Q, the time,
#: the step, moments, β of one output, and an index.
HOUSE = re.compile(
    r"(W\d*|Wdot\d*|W_?∞|W_\d|W\d\(0\)|Q(dot|next)|t|eta|Sigma_(xx\^\+|xx|yx)"
    r"|beta(hat)?(_inf)?|\w+_inf|\w+_∞|Winf|w\d_hat|argmin|[ijk])$"
)
CLAIMS = {
    entry.key: entry
    for entry in ENTRIES
    if isinstance(entry, PathEntry) and "conserved" not in entry.key
}


def names(statement):
    """Return the free symbols, matrices and functions of a statement by name."""
    bound = set()
    for part in sympy.preorder_traversal(statement):
        if isinstance(part, sympy.Integral | sympy.Sum):
            bound |= {limits[0] for limits in part.limits}
        elif isinstance(part, sympy.Lambda):
            bound |= set(part.variables)
    symbols = statement.atoms(sympy.Symbol, sympy.MatrixSymbol) - bound
    found = {str(symbol.name) for symbol in symbols}
    found |= {called.func.__name__ for called in statement.atoms(AppliedUndef)}
    return found | {str(part.base.label) for part in statement.atoms(sympy.Indexed)}


@pytest.mark.parametrize("key", CLAIMS)
def test_every_letter_is_explained(key):
    claim = CLAIMS[key].claim(CLAIMS[key].instance())
    for name in names(claim.statement):
        letter = re.sub(r"[₀-₉]+$", "", unicode_name(name))
        said = re.search(rf"(?<!\w){re.escape(letter)}", claim.where)
        assert HOUSE.fullmatch(name) or said, f"{claim.name}: what is {letter}?"
