"""What the checker needs to see where the squared loss ends: W*, and two constants."""

from __future__ import annotations

from typing import Any

import numpy as np

from symflow.algebra.rational import from_flint, row_basis, to_flint
from symflow.certificate import checker
from symflow.certificate.numbers import matrix_text, not_carried, rational_text
from symflow.errors import InvalidArgument

#: The constants are taken this much below what float64 finds, and proven in fractions.
BELOW = 0.999


def root_of_best(known: checker.GivenProblem) -> list[list[str]]:
    """Return Z with W* = ZΣ_xx and W*Σ_xx = Σ_yx, so that W* has the least norm.

    With a basis C of the row space of Σ_xx it is Σ_yxCᵀ(CΣ_xx²Cᵀ)⁻¹C; a loss without a
    minimum is refused.
    """
    xx, yx = (to_flint(np.array(m, dtype=object)) for m in (known.xx, known.yx))
    assert xx is not None
    assert yx is not None
    basis = row_basis(xx)
    inner = basis * xx * xx * basis.transpose()
    found = yx * basis.transpose() * inner.inv() * basis if basis.nrows() else 0 * yx
    if found * xx * xx != yx:
        msg = "the loss has no minimum: Σ_yx has rows outside of the range of Σ_xx"
        raise InvalidArgument(not_carried("enclosure", msg))
    return matrix_text(from_flint(found))


def limit_evidence(known: checker.GivenProblem, evidence: Any) -> list[str]:
    """Return lower bounds κ and σ of how fast the flow is after the last step.

    The checker then proves |θ′| ≥ κ|F|, and that no eigenvalue of Σ_xx is in (0, σ).
    """
    grid = evidence["bits"], evidence["order"]
    last = checker.Stretch(known, grid, evidence["steps"][-1])
    slopes = _slopes(last)
    exact = to_flint(np.array(known.xx, dtype=object))
    assert exact is not None
    values, vectors = np.linalg.eigh(np.array(known.xx, dtype=float))
    span = vectors[:, len(values) - exact.rank() :]
    if not span.size:  # nothing moves
        return ["1", "1"]
    moving = np.kron(np.eye(len(known.yx)), span).T @ slopes
    kappa = np.linalg.svd(moving, compute_uv=False)[min(moving.shape) - 1]
    short = moving.shape[0] > moving.shape[1]
    least = (0.0 if short else kappa, values[-span.shape[1]])
    return [rational_text(BELOW * float(x)) for x in least]


def _slopes(last: checker.Stretch) -> np.ndarray:
    """Return the derivative of W at the end of a step, a row for every entry."""
    w, rows = last.values[-1], []
    for k in range(len(w.terms)):
        terms = [[int(q == k) << w.bits] for q in range(len(w.terms))]
        pulls = last.model.pull_back(last.values, checker.Curve(w.grid, w.shape, terms))
        rows.append([float(x) for x in checker.at(pulls, checker.ONE)])
    return np.array(rows)
