"""Exact algebra: matrix expressions, words, entries, and the gate to numbers."""

from symflow.algebra.arrays import (
    Array,
    as_array,
    is_exact_array,
    map_entries,
    to_exact_array,
    to_fixed_array,
    to_float_array,
    to_mpf_array,
)
from symflow.algebra.entries import at_sizes, entrywise, explicit
from symflow.algebra.gradient import gradient
from symflow.algebra.numbers import (
    as_fraction,
    exact,
    interval,
    is_exact,
    to_fixed,
    to_float,
    to_mpf,
)
from symflow.algebra.symbols import SymmetricMatrixSymbol, entry_symbol, weight
from symflow.algebra.sympy_form import to_sympy
from symflow.algebra.text import inline, scientific
from symflow.algebra.typeset import latex
from symflow.algebra.widths import Width, as_width, solve_widths

__all__ = [
    "Array",
    "SymmetricMatrixSymbol",
    "Width",
    "as_array",
    "as_fraction",
    "as_width",
    "at_sizes",
    "entry_symbol",
    "entrywise",
    "exact",
    "explicit",
    "gradient",
    "inline",
    "interval",
    "is_exact",
    "is_exact_array",
    "latex",
    "map_entries",
    "scientific",
    "solve_widths",
    "to_exact_array",
    "to_fixed",
    "to_fixed_array",
    "to_float",
    "to_float_array",
    "to_mpf",
    "to_mpf_array",
    "to_sympy",
    "weight",
]
