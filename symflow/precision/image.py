r"""What W(θ) and a loss are as polynomials: exact facts that a proof of a limit needs.

The entries of W are expanded in those of θ, over ℚ.  Three things are read off:

* the entries of W that determine W − W(0), for all θ: a basis of the span of the image;
* S and g of a quadratic loss, −∂ℓ/∂W = mat(g − S vec W);
* the affine fields ξ(θ) along which the objective does not change, that is
  ⟨F, DW(θ) ξ(θ)⟩ = Σ_l λ_l⟨θ_l, ξ_l(θ)⟩ for all θ and all forces F of a space.  They
  are a null space.  A gradient is orthogonal to them, at every point.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import chain, islice
from typing import Any

import numpy as np
import sympy
from flint import arb, fmpq, fmpq_mat, fmpq_mpoly_ctx

from symflow.algebra.arrays import Array, has_sets
from symflow.algebra.nodes import Leaf
from symflow.algebra.numbers import as_fraction
from symflow.algebra.rational import as_fmpq, fraction, row_basis, to_flint
from symflow.codegen import Program, end_to_end_program, evaluate, lower
from symflow.conservation.null_space import relations
from symflow.flow.problem import Problem
from symflow.precision.balls import (
    ALONE,
    NORM_BITS,
    filled,
    positive_definite,
    to_arb,
    workbits,
)
from symflow.precision.regions import OPERATIONS

#: Coefficients by monomial.
Terms = dict[tuple[int, ...], Fraction]
#: A field M θ + n: its coefficients by row and column, the column −1 for n.
AffineField = dict[tuple[int, int], Fraction]
#: Operations that give polynomials of polynomials.
POLYNOMIAL = OPERATIONS.keys() - {"exp", "sigmoid"}


def image_of(problem: Problem) -> list[Terms] | None:
    """Return the entries of W(θ), row by row; None if they are no polynomials."""
    shapes = [weight.shape for weight in problem.weights]
    return _polynomials(end_to_end_program(problem.flow), shapes)


def quadratic_form(problem: Problem) -> tuple[fmpq_mat, fmpq_mat] | None:
    """Return S and the column g; None if the loss is no such form over ℚ."""
    rows = _affine(problem, as_fmpq)
    if rows is None or any(map(has_sets, problem.arguments)):
        return None
    start = fmpq_mat([[row[-1]] for row in rows])
    return fmpq_mat([[-x for x in row[:-1]] for row in rows]), start


def form_in_balls(problem: Problem) -> tuple[Array, Array] | None:
    """Return S and g, which hold those of all data in sets; None if there are none."""
    rows = _affine(problem, lambda ratio: arb(as_fmpq(ratio)))
    if rows is None:
        return None
    whole = filled((len(rows), len(rows) + 1), chain.from_iterable(rows))
    return -whole[:, :-1], whole[:, -1:]


def is_convex(problem: Problem) -> bool:
    """Say whether the loss is proven to be a convex quadratic form of W."""
    with ALONE, workbits(4 * NORM_BITS):
        form = quadratic_form(problem)
        if form is not None:
            return semidefinite(form[0]) is not None
        loose = form_in_balls(problem)
        return loose is not None and positive_definite(loose[0])


def semidefinite(matrix: fmpq_mat) -> list[int] | None:
    """Return rows on which a matrix is positive definite and of full rank, or None.

    It is then proven to be symmetric and positive semidefinite.
    """
    chosen, _ = pivots(matrix)
    inner = balls_of(matrix)[np.ix_(chosen, chosen)]
    known = matrix == matrix.transpose() and positive_definite(inner)
    return chosen if known else None


def pivots(matrix: fmpq_mat) -> tuple[list[int], fmpq_mat]:
    """Return independent columns that span all, and the echelon form of the rows."""
    rows = row_basis(matrix)
    return [next(k for k, x in enumerate(row) if x) for row in rows.tolist()], rows


def balls_of(matrix: fmpq_mat) -> Array:
    """Return a matrix in fractions as an array of balls."""
    return filled((matrix.nrows(), matrix.ncols()), map(arb, matrix.entries()))


def span_of(image: Sequence[Terms]) -> tuple[list[int], fmpq_mat]:
    """Return entries that determine all, up to constants, and how: a basis of rows."""
    keys = {key for terms in image for key in terms if any(key)}
    rows = [as_fmpq(terms.get(key, Fraction(0))) for key in keys for terms in image]
    return pivots(fmpq_mat(len(keys), len(image), rows))


def constants_of(image: Sequence[Terms]) -> fmpq_mat:
    """Return W(0), flat, as a column."""
    flat = [{any(key): value for key, value in terms.items()} for terms in image]
    return fmpq_mat([[as_fmpq(terms.get(False, Fraction(0)))] for terms in flat])


def still_fields(
    image: Sequence[Terms], owners: Sequence[int], decays: Sequence[Any], forces: Any
) -> list[AffineField]:
    """Return a basis of the fields ξ of the module's docstring.

    `owners` says of which layer every entry of θ is, `decays` are λ_l, and the rows of
    the rational `forces` span the forces F.
    """
    count = len(owners)
    pairs = [(row, column) for row in range(count) for column in range(-1, count)]
    mixed = [_mixed(image, row) for row in forces.tolist()]
    motions = [_motion(mixed, i, j, decays[owners[i]]) for i, j in pairs]
    rows = relations(motions)
    return [{pairs[k]: row[k] for k in np.flatnonzero(row)} for row in rows]


def along(fields: Sequence[AffineField], weights: Sequence[Array]) -> list[Array]:
    """Return the fields at a point, flat."""
    point = np.concatenate([weight.ravel() for weight in weights])
    found = []
    for field in fields:
        moved = point * 0
        for (row, column), value in field.items():
            factor = 1 if column < 0 else point[column]
            moved[row] = moved[row] + factor * arb(as_fmpq(value))
        found.append(moved)
    return found


def _affine(problem: Problem, number: Callable[[Any], Any]) -> list[list[Any]] | None:
    """Return the rows (−S, g); None if −∂ℓ/∂W is not affine in W for all data in sets.

    Entries of sets are letters, for which their balls are put in at the end.
    """
    found = problem.remembered("force on W", lambda: _force_on_product(problem))
    size = problem.widths[-1] * problem.widths[0]
    if found is None or any(sum(key[:size]) > 1 for terms in found for key in terms):
        return None
    sets = [array for array in problem.arguments if has_sets(array)]
    letters = [to_arb(entry) for array in sets for entry in array.flat]
    rows = [[number(Fraction(0))] * (size + 1) for _ in found]
    for row, terms in zip(rows, found, strict=True):
        for key, ratio in terms.items():
            value = number(ratio)
            for letter, power in zip(letters, key[size:], strict=True):
                value = value * letter**power if power else value
            row[key.index(1) if any(key[:size]) else size] += value
    return rows


def _force_on_product(problem: Problem) -> list[Terms] | None:
    """Return −∂ℓ/∂W in the entries of W, then of data in sets; None if not over ℚ."""
    flow, shape = problem.flow, (problem.widths[-1], problem.widths[0])
    total = sympy.MatrixSymbol("W", *shape)
    data = flow.loss.data_symbols(shape[1], shape[0])
    program = lower("force", [total, *data], {"F": flow.loss.force(Leaf(total))})
    given = [array.shape if has_sets(array) else array for array in problem.arguments]
    return _polynomials(program, [shape, *given])


def _polynomials(program: Program, arrays: Sequence[Any]) -> list[Terms] | None:
    """Return the entries of the output; None if they are no polynomials over ℚ.

    An input is a shape, whose entries are the variables, or an array of numbers.
    """
    if any(step.operation not in POLYNOMIAL for step in program.instructions):
        return None
    count = sum(int(np.prod(one)) for one in arrays if isinstance(one, tuple))
    ring = fmpq_mpoly_ctx.get([f"x{k}" for k in range(count)])
    letters = iter(ring.gens())
    inputs = []
    for one in arrays:
        if isinstance(one, tuple):
            inputs.append(filled(one, islice(letters, int(np.prod(one)))))
            continue
        exact = None if has_sets(one) else to_flint(one)
        if exact is None:
            return None
        inputs.append(filled(one.shape, exact.entries()))
    try:
        (output,) = evaluate(program, inputs, _ratio)
    except _Irrational:
        return None
    zero = 0 * ring.gens()[0]
    return [
        {tuple(map(int, key)): fraction(c) for key, c in terms.items()}
        for terms in ((zero + entry).to_dict() for entry in output.flat)
    ]


class _Irrational(Exception):
    """A constant of a program that is no rational number."""


def _ratio(value: Any) -> fmpq:
    ratio = as_fraction(value)
    if ratio is None:
        raise _Irrational
    return as_fmpq(ratio)


def _mixed(image: Sequence[Terms], force: Sequence[fmpq]) -> Terms:
    """Return ⟨F, W(θ)⟩."""
    total: Terms = {}
    for terms, factor in zip(image, force, strict=True):
        for key, value in terms.items() if factor else ():
            share = fraction(factor) * value
            total[key] = total.get(key, Fraction(0)) + share
    return total


def _motion(mixed: list[Terms], i: int, j: int, decay: Any) -> dict[Any, Fraction]:
    """Return θ_j (or 1) times derivatives along θ_i, and what decay adds."""
    found: dict[Any, Fraction] = {}
    for place, terms in enumerate(mixed):
        for key, value in terms.items():
            if key[i] and value:
                moved = list(key)
                moved[i] -= 1
                if j >= 0:
                    moved[j] += 1
                found[place, tuple(moved)] = key[i] * value
    if decay:
        found["decay", min(i, j), max(i, j)] = Fraction(decay)
    return found
