"""The minimizer of a separable potential to any number of digits.

The problem is that of `bias/dual.py`; where coordinates of very different size meet,
the force of a large one comes closer to the end of its range than float64 can tell, and
a small one is lost beside it.  Hence the arithmetic is mpmath's, with as many digits as
the ratios ask for.  The objective is convex, and every step stays where it is finite,
so that Newton's method needs no good start.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symflow.algebra.arrays import Array
from symflow.bias.mirror import MirrorMap
from symflow.errors import PrecisionLost

#: Newton steps, halvings of one, and the misfit that is asked for, relative.
MOST_STEPS, MOST_HALVINGS, ASKED = 400, 60, 1e-28
#: The largest change of a force in one step, and the part of the way to the end.
LONGEST, NEAREST = 3, 0.9


def fine_potential(
    mirror: MirrorMap,
    sizes: Array,
    shift: Array,
    matrix: Array,
    values: Array,
    context: Any,
) -> Array:
    """Return argmin Q(β) − ⟨Q′(β₀), β⟩ subject to Aβ = b, in mpmath's numbers.

    The `sizes` are c_j > 0, the `shift` is h⁻¹(β₀_j/c_j^L), shape (p,), the `matrix` A
    of rank r, shape (r, p), and the `values` b, all in a context with enough digits.
    Raises PrecisionLost if Newton's method does not reach the constraints.
    """
    L, end = mirror.depth, mirror.fine_end(context)
    outer, inner, square = sizes**L, sizes ** (L - 2), sizes**2
    nu = np.array([context.zero for _ in values], dtype=object)

    def terms(force: Array) -> tuple[Array, Array, Any]:
        triples = [mirror.fine(t, context) for t in force]
        parts = zip(*triples, strict=True)
        height, slope, area = (np.array(part, dtype=object) for part in parts)
        return outer * height, outer * inner * slope, square @ area

    force = shift
    beta, steep, area = terms(force)
    small = abs(beta) + outer
    floor = abs(matrix) @ small + abs(values)
    for _ in range(MOST_STEPS):
        gradient = matrix @ beta - values
        pairs = zip(gradient, floor, strict=True)
        if all(abs(gap) <= ASKED * top for gap, top in pairs):
            noise = context.mpf(ASKED)
            return np.where(abs(beta) > noise * small, beta, context.zero)
        step = -_solved((matrix * steep) @ matrix.T, gradient, context)
        change = inner * (step @ matrix)
        length = _longest(force, change, end, context)
        fall, start = gradient @ step, area - nu @ values
        for _ in range(MOST_HALVINGS):
            trial = force + length * change
            beta, steep, area = terms(trial)
            reached = area - (nu + length * step) @ values
            if reached <= start + length * fall / 10**4:
                break
            length = length / 2
        force, nu = trial, nu + length * step
    msg = "the potential: Newton's method did not reach the constraints"
    raise PrecisionLost(msg)


def _longest(force: Array, change: Array, end: Any, context: Any) -> Any:
    """Return the length of the first trial: at most 1, and inside of the range."""
    length = context.one
    for at, moved in zip(force, change, strict=True):
        if end != context.inf:
            room = end - at if moved > 0 else end + at
            allowed = NEAREST * room
        else:
            allowed = context.mpf(LONGEST)
        if abs(moved) * length > allowed:
            length = allowed / abs(moved)
    return length


def _solved(hessian: Array, gradient: Array, context: Any) -> Array:
    """Solve, with rows and columns scaled to a unit diagonal."""
    scale = np.array([1 / context.sqrt(entry) for entry in np.diagonal(hessian)])
    scaled = context.matrix((scale[:, None] * hessian * scale).tolist())
    found = context.lu_solve(scaled, context.matrix((scale * gradient).tolist()))
    return np.asarray(scale * np.array(list(found), dtype=object))
