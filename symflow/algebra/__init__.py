"""Exact algebra: matrix expressions, words, entries, and the gate to numbers."""

from symflow.algebra.arrays import (
    Array as Array,
    as_array as as_array,
    is_exact_array as is_exact_array,
    map_entries as map_entries,
    to_exact_array as to_exact_array,
    to_fixed_array as to_fixed_array,
    to_float_array as to_float_array,
    to_mpf_array as to_mpf_array,
)
from symflow.algebra.entries import (
    at_sizes as at_sizes,
    entrywise as entrywise,
    explicit as explicit,
)
from symflow.algebra.gradient import gradient as gradient
from symflow.algebra.numbers import (
    as_fraction as as_fraction,
    exact as exact,
    interval as interval,
    is_exact as is_exact,
    to_fixed as to_fixed,
    to_float as to_float,
    to_mpf as to_mpf,
)
from symflow.algebra.symbols import (
    SymmetricMatrixSymbol as SymmetricMatrixSymbol,
    entry_symbol as entry_symbol,
    weight as weight,
)
from symflow.algebra.sympy_form import to_sympy as to_sympy
from symflow.algebra.text import inline as inline, scientific as scientific
from symflow.algebra.typeset import latex as latex
from symflow.algebra.widths import (
    Width as Width,
    as_width as as_width,
    solve_widths as solve_widths,
)
