"""Entries of the atlas about the operator that drives W: bracket, kernel, laziness."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array
from symflow.claims.bibliography import (
    DOMINE_2025,
    JACOT_2018,
    MIN_2021,
    MIN_2023,
    TU_2024,
)
from symflow.codegen import compile as compile_flow
from symflow.convergence.attained_bracket import tight_start
from symflow.convergence.kernel_spectrum import operator_drift
from symflow.convergence.three_layers import operator_floor
from symflow.data import Dataset, whitened
from symflow.flow import gradient_flow
from symflow.flow.imbalance import imbalance_levels
from symflow.gallery.entry import NumberEntry
from symflow.inits import lambda_balanced_init
from symflow.losses import SquaredLoss
from symflow.networks import LinearNetwork
from symflow.simulation import simulate
from symflow.solutions import solve

#: Eigenvalues of D and of −D, and singular values of W; both orders of r and m.
TIGHT = (
    ([15.0, 8.0, 1.0], [1.0, 1.0], [15.0, 6.0]),
    ([3.0, 0.5], [2.0, 1.5, 0.25], [2.0, 0.5]),
    ([4.0], [3.0, 1.0], [1.0]),
)

#: Levels λ of the imbalance, for the lazy limit.
LEVELS = (50.0, 200.0)

#: Hidden units of Gaussian layers, and starts of each.
WIDTHS, STARTS = (100, 10_000), 15


def _brackets() -> list[float]:
    found = []
    for positive, negative, strengths in TIGHT:
        r, m = len(positive), len(negative)
        difference = np.diag([*positive, *(-x for x in negative)])
        sigma = [*strengths, *[0.0] * max(r, m)]
        levels = imbalance_levels(difference, r, m)
        found.append(float(levels.bracket(sigma[m - 1], sigma[r - 1])))
    return found


def _attained() -> list[float]:
    found = []
    for given in TIGHT:
        first, second = tight_start(*given)
        grams = first.T @ first, second @ second.T
        found.append(2 * sum(float(np.linalg.eigvalsh(gram)[0]) for gram in grams))
    return found


def _kernel_instance() -> tuple[Any, Dataset, list[Array]]:
    """Return a three-layer flow with data and Gaussian weights."""
    generator = np.random.default_rng(2)
    data = Dataset(generator.standard_normal((4, 3)), generator.standard_normal((4, 2)))
    shapes = (5, 3), (4, 5), (2, 4)
    weights = [generator.standard_normal(shape) for shape in shapes]
    flow = gradient_flow(LinearNetwork(3, 5, 4, 2), SquaredLoss())
    return flow, data, weights


def _kernel_motion() -> Array:
    """Return −K(f − Y)/n."""
    flow, data, weights = _kernel_instance()
    run = simulate(flow, data, weights, [0, 1])
    seen = np.kron(data.X, np.eye(2))
    residual = (data.X @ run.end_to_end[0].T - data.Y).ravel() / len(data.X)
    return np.asarray(-seen @ run.tangent_kernel(0) @ seen.T @ residual)


def _flow_motion() -> Array:
    """Return ḟ = XẆᵀ by the product rule, from the compiled flow."""
    flow, data, weights = _kernel_instance()
    moments = data.moments()
    W1, W2, W3 = weights
    dW1, dW2, dW3 = compile_flow(flow)(*weights, moments.sigma_xx, moments.sigma_yx)
    moved = dW3 @ W2 @ W1 + W3 @ dW2 @ W1 + W3 @ W2 @ dW1
    return np.asarray((data.X @ moved.T).ravel())


def _lazy_slopes() -> Array:
    """Return d ln(…)/d ln λ of the kernel's drift, and of the distance to linear."""
    target = np.array([[1.0, 0.5], [0.0, -0.7]])
    flow, gaps = gradient_flow(LinearNetwork(2, 2, 2), SquaredLoss()), []
    clock = np.linspace(0, 4, 9)
    for level in LEVELS:
        # the smaller layer shrinks as 1/√λ, so that W(0) stays of order one
        init = lambda_balanced_init(level, level**-0.5, rng=1)
        run = simulate(flow, whitened(target), init, clock / level)
        first = run.end_to_end[0]
        linear = target + np.exp(-clock)[:, None, None] * (first - target)
        gap = np.linalg.norm(run.end_to_end - linear, axis=(1, 2)).max()
        gaps.append((operator_drift(run).max() / level, gap))
    ratio = np.log(np.array(gaps[1]) / gaps[0])
    return np.asarray(ratio / np.log(LEVELS[1] / LEVELS[0]))


def _mixed_slope() -> Array:
    """Return d ln(gap)/d ln h of Gaussian layers of h units from mixed dynamics.

    Their variances are 1/h and 4/h.  A flow of any width is that of width d + m from
    a start with the same Gram matrix.
    """
    generator, target = np.random.default_rng(4), np.array([[1.0, 0.5], [0.0, -0.7]])
    data, times = whitened(target), np.linspace(0, 2, 9)
    flow = gradient_flow(LinearNetwork(2, 4, 2), SquaredLoss())
    frame = np.eye(4)
    limit = solve(flow, data, (frame[:, :2], 2 * frame[2:])).end_to_end(times)
    gaps = []
    for hidden in WIDTHS:
        found = []
        for _ in range(STARTS):
            drawn = generator.standard_normal((hidden, 4)) / hidden**0.5
            small = np.asarray(np.linalg.qr(drawn, mode="r")) * [1, 1, 2, 2]
            run = simulate(flow, data, (small[:, :2], small[:, 2:].T), times)
            found.append(np.abs(run.end_to_end - limit).max())
        gaps.append(np.median(found))
    return np.asarray(np.log([gaps[1] / gaps[0]]) / np.log(WIDTHS[1] / WIDTHS[0]))


def _three_layer_floors() -> Array:
    """Return the parts of random starts for which the three-layer bound is positive.

    Widths 5–200–200–1 as in the experiment of the paper: NTK (unit normal weights),
    and Xavier with fan in and fan out.
    """
    generator, widths = np.random.default_rng(3), (5, 200, 200, 1)
    found: list[list[bool]] = []
    for _ in range(8):
        unit = [generator.standard_normal((b, a)) for a, b in pairwise(widths)]
        ends = list(zip(pairwise(widths), unit, strict=True))
        starts = (
            unit,
            [weight / a**0.5 for (a, _), weight in ends],
            [weight / b**0.5 for (_, b), weight in ends],
        )
        found.append([operator_floor(tuple(start)) > 0 for start in starts])
    return np.mean(found, axis=0)  # type: ignore[no-any-return]


TANGENT_KERNEL = (
    NumberEntry(
        "min-tight",
        "the bracket is attained: 2(λ_r + λ_m) of three starts",
        MIN_2021,
        ("whitened input", "r ≠ m", "λ₁(D) and λ_m(−D) paired with σ_m"),
        _brackets,
        _attained,
        lambda values: [1.1 * value for value in values],
        1e-12,
    ),
    NumberEntry(
        "tu-width",
        "Gaussian layers come near mixed dynamics as h^(−1/2)",
        TU_2024,
        ("two layers, widths 2–h–2", "h = 100 and 10 000", "15 starts each"),
        lambda: np.array([-0.5]),
        _mixed_slope,
        lambda slope: 2 * slope,
        0.15,
    ),
    NumberEntry(
        "min-positive",
        "part of wide random three-layer starts with a positive bound on λ_min",
        MIN_2023,
        ("widths 5–200–200–1", "NTK, fan-in and fan-out scaling", "8 starts each"),
        lambda: np.ones(3),
        _three_layer_floors,
        lambda parts: parts / 2,
        1e-12,
    ),
    NumberEntry(
        "jacot-kernel",
        "the outputs move as ḟ = −K(f − Y)/n",
        JACOT_2018,
        ("three dense layers", "4 samples", "Gaussian weights"),
        _kernel_motion,
        _flow_motion,
        lambda motion: motion[::-1],
        1e-12,
    ),
    NumberEntry(
        "domine-lazy",
        "exponents in λ: relative drift of the kernel, gap to a linear model",
        DOMINE_2025,
        ("λ-balanced start, λ = 50, 200", "W(0) of order one", "whitened input"),
        lambda: np.array([-2.0, -2.0]),
        _lazy_slopes,
        lambda slopes: slopes / 2,
        0.1,
    ),
)
