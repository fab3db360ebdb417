"""P = QQᵀ of Q̇ = FQ − ½κQQᵀQ as a smooth function of t, F, κ and Q(0), in floats.

Eigenvectors have no derivative where eigenvalues meet, and those of [[0, Sᵀ], [S, 0]]
meet for every S that is not square.  So nothing is decomposed here: e^{Fh} and
G = ∫₀ʰ e^{2Fs}ds are series, doubled, and the flow over h is Q ← e^{Fh}Q R⁻¹ with
RᵀR = I + κQᵀGQ, up to a rotation of the hidden units, which P does not see.  Steps of
a bounded angle keep a slow mode beside a fast one; later than these, and from where
rounding of the start may decide, nothing is known.  The functions are for any array
namespace, and generated code has their text.
"""

from __future__ import annotations

from typing import Any


def gram_at(xp: Any, t: Any, force: Any, kappa: Any, start: Any) -> Any:
    """Return P(t) for times of any shape S, and where half of its digits are known.

    F has the shape (…, n, n), Q(0) (…, n, r); what is known has the shape S and is one
    verdict on all of (…).
    """
    eps, matrix = float(xp.finfo(start.dtype).eps), tuple(range(-force.ndim, 0))
    ones, fourth = (1,) * force.ndim, force @ force @ force @ force
    fastest = xp.sum(fourth * fourth) ** 0.125  # at least |f|, at most n^{1/8} |f|
    soon = fastest * t <= 100
    near = xp.where(soon, t, 0.0)
    power, mass = one_step(xp, xp.reshape(near, (*t.shape, *ones)), force)
    count = start.shape[-2] * start.shape[-1]
    size = xp.sqrt(xp.sum(start * start))
    # the same start, off by its rounding: what grows is seen to grow
    some = xp.cos(xp.reshape(xp.arange(count, dtype=start.dtype), start.shape[-2:]))
    both = xp.stack([start, start + eps**0.75 * xp.where(size > 0, size, 0.0) * some])
    side = xp.reshape(both, (2, *(1,) * t.ndim, *start.shape))
    unit = xp.eye(start.shape[-1], dtype=start.dtype)
    for _ in range(16):
        lower = xp.linalg.cholesky(unit + kappa * (side.mT @ mass @ side))
        side = xp.linalg.solve(lower, (power @ side).mT).mT
    gram = side[0, ...] @ side[0, ...].mT
    moved = xp.sum((side[1, ...] @ side[1, ...].mT - gram) ** 2, axis=matrix)
    known = moved <= eps**0.5 * xp.sum(gram * gram, axis=matrix)
    return gram, known & soon


def one_step(xp: Any, t: Any, force: Any) -> Any:
    """Return e^{Fh} and ∫₀ʰ e^{2Fs}ds for h = t/16, from series at h/32."""
    eye, h = xp.eye(force.shape[-1], dtype=force.dtype), t / 512
    series, angle = eye, h * force
    for k in range(12, 1, -1):
        series = eye + angle @ series / k
    power = eye + angle @ series
    mass = h / 2 * (series @ (power + eye))
    for _ in range(5):
        power = power @ power
        mass = mass + power @ mass
    return power, mass
