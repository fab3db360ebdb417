"""Losses that are quadratic in W, as a least-squares problem of vec(W).

With −∂ℓ/∂W = mat(b − H vec(W)), the rows of W one after the other, and H = ΦΛΦᵀ ⪰ 0,

    ℓ(W) − ℓ* = ½ ‖Ŷ − wΦΛ^{1/2}‖²,     w = vec(W)ᵀ,  Ŷ = bᵀΦΛ^{−1/2},

which is `flow/least_squares.py` for one output and the moments H and bᵀ.  So ℓ is
K-smooth, K the largest eigenvalue of H, and ‖∂ℓ/∂W‖² ≥ 2μ(ℓ − ℓ*) with the least
positive one.  For the squared loss H = I ⊗ Σ_xx, and nothing is stacked.

H and b are read off the derived gradient, entry by entry, in fractions.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import partial
from math import inf
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.algebra.elementwise import Hadamard, Total, Weighted
from symflow.algebra.embeddings import LinearMap
from symflow.algebra.entries import at_sizes, entrywise
from symflow.algebra.nodes import (
    Leaf,
    Node,
    Product,
    Scaled,
    Sum,
    Traced,
    Transposed,
    fold,
)
from symflow.algebra.numbers import as_fraction, exact
from symflow.algebra.rank import decide_rank
from symflow.algebra.spectra import MOST_ROWS, eigenvalues, in_balls, to_rationals
from symflow.algebra.sympy_form import to_sympy
from symflow.claims import Hypothesis
from symflow.claims.conditions import known_rank
from symflow.claims.hypothesis import structural
from symflow.flow import gradient_flow
from symflow.flow.least_squares import input_rank
from symflow.flow.problem import Problem
from symflow.losses import SquaredLoss
from symflow.networks import LinearNetwork


def quadratic_loss(problem: Problem) -> Hypothesis:
    """Say whether the loss is a quadratic function of W, without weight decay."""
    loss = problem.flow.loss
    known = isinstance(loss, SquaredLoss) or _form(problem) is not None
    detail = repr(loss)
    if not known and not _is_read(problem):
        detail += ", of a large W or with irrational numbers"
    words = "a loss quadratic in W, without weight decay"
    return structural(words, known and loss.l2 == 0, detail)


def known_minimum(problem: Problem) -> Hypothesis:
    """Say whether a quadratic loss is convex, with a Hessian of known rank."""
    flat = stacked(problem)
    found = known_rank(flat)
    if flat is problem or not found.holds:
        return found
    words, rank = "convex in W", found.detail
    return replace(found, words=words, holds=_is_convex(flat), detail=f"Hessian {rank}")


@in_balls
def _is_convex(flat: Problem) -> bool:
    """Say whether all eigenvalues of H are positive that are not zero."""
    rank = known_rank(flat)
    falling = eigenvalues(to_rationals(flat.arguments[0]))
    return bool(rank.holds and all(value >= 0 for value in falling))


def one_minimizer(problem: Problem) -> Hypothesis:
    """Say whether ℓ grows in all directions of W on the inputs that are seen."""
    words = "one minimizer W* on the inputs that are seen"
    if stacked(problem) is problem:
        return Hypothesis(words, True, "squared loss")
    rank, seen = known_rank(stacked(problem)), decide_rank(seen_inputs(problem)).value
    most = problem.widths[-1] * seen
    holds = rank.holds and input_rank(stacked(problem)).value == most
    return Hypothesis(words, holds, f"{rank.detail} of {most}")


def stacked(problem: Problem) -> Problem:
    """Return the least-squares problem of vec(W); that of W for the squared loss."""
    if isinstance(problem.flow.loss, SquaredLoss):
        return problem
    return problem.remembered("stacked", lambda: _stacked(problem))


def _stacked(problem: Problem) -> Problem:
    form = _form(problem)
    assert form is not None, "asked of a loss that is not quadratic"
    hessian, slope = form
    flow, size = gradient_flow(LinearNetwork(slope.size, 1), SquaredLoss()), slope.size
    data = {"Sigma_xx": hessian, "Sigma_yx": slope}
    return Problem(flow, (size, 1), (0 * slope,), data)


def seen_inputs(problem: Problem) -> Array:
    """Return a d×d matrix whose range holds the rows of all forces, in fractions."""
    hessian = stacked(problem).arguments[0]
    parts = hessian.reshape(problem.widths[-1], problem.widths[0], -1)
    return np.asarray(sum(part @ part.T for part in parts))


def _form(problem: Problem) -> tuple[Array, Array] | None:
    """Return H and bᵀ in fractions, or None where −∂ℓ/∂W is not read as affine."""
    return problem.remembered("quadratic in W", lambda: _read(problem))


def _is_read(problem: Problem) -> bool:
    """Say whether the gradient is read, which takes time and numbers as given."""
    if not problem.is_small or problem.widths[0] * problem.widths[-1] > MOST_ROWS:
        return False
    entries = (entry for array in problem.sharp.arguments for entry in array.flat)
    return all(isinstance(entry, Fraction) for entry in entries)


def _read(problem: Problem) -> tuple[Array, Array] | None:
    loss, shape = problem.flow.loss, (problem.widths[-1], problem.widths[0])
    total = sympy.MatrixSymbol("W", *shape)
    force = loss.force(Leaf(total))
    if not _is_read(problem) or fold(force, partial(_degree, total)) > 1:
        return None
    data = dict(zip(problem.flow.data, problem.sharp.arguments, strict=True))
    sizes = {
        size: count
        for symbol, array in data.items()
        for size, count in zip(symbol.shape, array.shape, strict=True)
        if isinstance(size, sympy.Symbol)
    }
    given = {symbol.name: _numbers(array) for symbol, array in data.items()}
    formula = at_sizes(to_sympy(force), sizes)
    points = [[0] * (shape[0] * shape[1]), *np.eye(shape[0] * shape[1], dtype=int)]
    columns = []
    for point in points:
        given["W"] = sympy.ImmutableDenseMatrix(*shape, [int(x) for x in point])
        found = entrywise(formula, lambda symbol: given[symbol.name])
        columns.append([as_fraction(entry) for entry in found])
    if any(part is None for column in columns for part in column):
        return None
    at = np.array(columns, dtype=object)
    return (at[0] - at[1:]).T, at[:1]


def _numbers(array: Array) -> sympy.ImmutableDenseMatrix:
    rows = [[exact(entry) for entry in row] for row in array]
    return sympy.ImmutableDenseMatrix(rows)


def _degree(total: Any, node: Node, *below: float) -> float:
    """Return the degree in W, or a bound on it, from those of the operands."""
    if isinstance(node, Leaf):
        return float(node.symbol == total)
    if not any(below):
        return 0.0
    if isinstance(node, Product | Hadamard | Weighted):
        return sum(below)
    linear = Sum | Scaled | Transposed | Traced | Total | LinearMap
    return max(below) if isinstance(node, linear) else inf
