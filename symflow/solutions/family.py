"""A closed form as code in which the start and Σ_yx are arguments.

The formula holds on a family of starts and targets, which a routine names.  Off it the
code has no value: NumPy raises, other arrays hold NaN, which a trace can carry.  On it
derivatives are those of the formula, hence of the flow in all directions that do not
leave the family.  Functions here use an array namespace `xp` and each other only:
generated code has their text.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from symflow.algebra.array_maps import namespace
from symflow.solutions.numpy_form import Routine, array_times
from symflow.solutions.riccati.gram_steps import gram_at, one_step


def family_arguments(t: Any, init: Any, sigma_yx: Any, shapes: Any) -> Any:
    """Return the namespace of what is given, the times, the weights and Σ_yx."""
    given = [t, *init, sigma_yx]
    others = [a for a in given if hasattr(a, "__array_namespace__")]
    spaces = [namespace(array) for array in others]
    xp = next((space for space in spaces if space is not np), np)
    t, *arrays = (1.0 * xp.asarray(array) for array in given)
    found = [tuple(array.shape) for array in arrays]
    if found != list(shapes):
        msg = f"init, sigma_yx: need the shapes {shapes}; got {found}"
        raise ValueError(msg)
    return xp, array_times(t, None)[1], tuple(arrays[:-1]), arrays[-1]


def sure(xp: Any, values: Any, fits: Any, known: Any) -> Any:
    """Return the values where they are those of the flow, else raise, or have NaN."""
    if xp is np and not np.all(fits & known):
        msg = (
            "t: so late that rounding may have half of the digits"
            if np.all(fits)
            else "init, sigma_yx: outside the family of the closed form"
        )
        raise ValueError(msg)
    more = (1,) * (values.ndim - known.ndim)
    return xp.where(xp.reshape(fits & known, (*known.shape, *more)), values, xp.nan)


def is_small(xp: Any, gap: Any, *parts: Any) -> Any:
    """Say whether a matrix is rounding beside the squared size of others."""
    size = sum(xp.sum(part * part) for part in parts)
    return xp.sum(gap * gap) <= (512 * float(xp.finfo(gap.dtype).eps) * size) ** 2


def gram_problem(xp: Any, init: Any, sigma_yx: Any, kappa: Any, decay: Any) -> Any:
    """Return F and Q(0) = [W_1ᵀ; W_2] of two layers, and whether they are λ-balanced.

    Weight decay leaves no λ but zero.
    """
    first, second = init
    outputs, inputs = sigma_yx.shape
    eye = xp.eye(first.shape[0], dtype=first.dtype)
    lam = xp.sum(second * second) - xp.sum(first * first)
    lam = 0.0 * lam if decay else lam / first.shape[0]
    gap, half = second.T @ second - first @ first.T - lam * eye, kappa * lam / 2
    fits = is_small(xp, gap, first, second)
    above = -(half + decay) * xp.eye(inputs, dtype=first.dtype)
    below = (half - decay) * xp.eye(outputs, dtype=first.dtype)
    rows = [above, sigma_yx.T], [sigma_yx, below]
    force = xp.concat([xp.concat(row, axis=1) for row in rows], axis=0)
    return force, xp.concat([first.T, second], axis=0), fits


def mode_problem(
    xp: Any, init: Any, sigma_yx: Any, lam: Any, decay: Any, frames: Any
) -> Any:
    """Return F, κ and q(0) = (a, b) of each mode of two layers, and whether they fit.

    Layers and target have to be diagonal in the frames: left, right and hidden ones,
    and what of W_2 never moves.
    """
    (first, second), (left, right, hidden, idle) = init, frames
    a = xp.sum(hidden * (first @ right), axis=0)
    b = xp.sum(left * (second @ hidden), axis=0)
    sigma = xp.sum(left * (sigma_yx @ right), axis=0)
    eps, fits = 512 * float(xp.finfo(first.dtype).eps), True
    rebuilt = (hidden * a) @ right.T, (left * b) @ hidden.T + idle
    for given, built in zip(
        (first, second, sigma_yx), (*rebuilt, (left * sigma) @ right.T), strict=True
    ):
        gap, size = xp.sum((given - built) ** 2), xp.sum(given * given)
        fits = fits & (gap <= eps**2 * size)
    kept = b * b - a * a
    if decay:
        fits, kept = fits & is_small(xp, kept, a, b), 0 * kept
    tilt = lam * kept / 2
    rows = [-tilt - decay, sigma], [sigma, tilt - decay]
    force = xp.stack([xp.stack(row, axis=-1) for row in rows], axis=-2)
    return force, lam[:, None, None], xp.stack([a, b], axis=-1)[..., None], fits


def gram_family(kappa: float, decay: float, inputs: int) -> Routine:
    """Return the code of two layers on whitened input, by the Riccati equation."""
    return Routine(
        {"KAPPA": kappa, "DECAY": decay},
        (one_step, gram_at, is_small, sure, gram_problem),
        (
            "force, start, fits = gram_problem(xp, init, sigma_yx, KAPPA, DECAY)",
            "gram, known = gram_at(xp, t, force, KAPPA, start)",
            "gram = sure(xp, gram, fits, known)",
        ),
        {"end_to_end": f"gram[..., {inputs}:, :{inputs}]"},
        {"strengths": "modes that evolve apart are those of one target"},
        family="any Σ_yx, and starts with W₂ᵀW₂ − W₁W₁ᵀ = "
        + ("0" if decay else "λI, for any λ"),
    )


def mode_family(lam: Any, frames: tuple[Any, ...], decay: float) -> Routine:
    """Return the code of two layers that are diagonal in the frames of a solution."""
    names = ("LEFT", "RIGHT", "HIDDEN", "IDLE")
    return Routine(
        {"LAM": lam, "DECAY": decay} | dict(zip(names, frames, strict=True)),
        (one_step, gram_at, is_small, sure, mode_problem),
        (
            f"frames = ({', '.join(names)})",
            "problem = mode_problem(xp, init, sigma_yx, LAM, DECAY, frames)",
            "force, kappa, start, fits = problem",
            "gram, known = gram_at(xp, t, force, kappa, start)",
            "strengths = sure(xp, gram, fits, known)[..., 1, 0]",
        ),
        {
            "end_to_end": "(LEFT * strengths[..., None, :]) @ RIGHT.T",
            "strengths": "strengths",
        },
        family="Σ_yx and layers that are diagonal in the singular vectors and hidden "
        "directions of the solution" + (", balanced" if decay else ""),
    )
