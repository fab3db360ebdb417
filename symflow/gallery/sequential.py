"""Entries of the atlas about sequential learning: steps, phases, reduced rank."""

from __future__ import annotations

from typing import Any

import numpy as np

from symflow.algebra.arrays import Array
from symflow.claims.bibliography import GIDEL_2019
from symflow.convergence import (
    alignment_defect,
    closest_approach,
    descend,
    discrete_phase_time,
    reduced_rank_solutions,
)
from symflow.data import Dataset, Moments, load_dataset, whitened
from symflow.flow import gradient_flow
from symflow.gallery.entry import Entry, NumberEntry
from symflow.inits import gaussian_init, spectral_init
from symflow.losses import SquaredLoss
from symflow.networks import LinearNetwork
from symflow.simulation import simulate

PHASE_STEP, PHASE_SIGMAS = 0.2, (1.3, 0.7)
DELTAS = (100.0, 300.0)
STEPS = (0.3, 0.6, 0.9)


def _measured_phases() -> list[float]:
    """Return the slope of ηk in δ, k the step at which w = ½ for w_0 = e^{−2δ}."""
    found = []
    for sigma in PHASE_SIGMAS:
        times = []
        for delta in DELTAS:
            count = int(3 * delta / (PHASE_STEP * sigma))
            w = descend(np.exp(-2 * delta), count, step=PHASE_STEP, sigma=sigma)
            odds = np.log(w / np.maximum(sigma - w, 1e-300))
            after = int(np.argmax(odds > 0))
            part = odds[after] / (odds[after] - odds[after - 1])
            times.append(PHASE_STEP * (after - part))
        found.append((times[1] - times[0]) / (DELTAS[1] - DELTAS[0]))
    return found


def _largest_steps() -> list[float]:
    """Return the largest ησ without overshoot, and with convergence, by bisection."""

    def monotone(growth: float) -> bool:
        w = descend(0.3, 4000, step=growth, sigma=1.0)
        return bool(np.all(w <= 1 + 1e-14))

    def converges(growth: float) -> bool:
        return bool(abs(descend(0.3, 4000, step=growth, sigma=1.0)[-1] - 1) < 1e-3)

    return [_last(monotone, 0.1, 0.9), _last(converges, 0.7, 1.3)]


def _last(holds: Any, low: float, high: float) -> float:
    """Return where a condition stops to hold, by bisection."""
    for _ in range(12):
        middle = (low + high) / 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def _multipliers() -> list[float]:
    """Return how descent contracts near the goal, per step."""
    found = []
    for growth in STEPS:
        w = descend(1 - 1e-7, 1, step=growth, sigma=1.0)
        found.append((w[1] - 1) / (w[0] - 1))
    return found


def _teacher(sigma: Any, lam: Any) -> Moments:
    """Return the moments of given σ_i and λ_i, in random frames."""
    generator = np.random.default_rng(4)
    left, right = (
        np.linalg.qr(generator.standard_normal((n, n)))[0] for n in (len(sigma),) * 2
    )
    return Moments((right * lam) @ right.T, (left * sigma) @ right.T)


def _approaches(data: Any, widths: tuple[int, ...], init: Any, times: Any) -> Array:
    """Return the closest approaches of a run to reduced-rank regression."""
    flow = gradient_flow(LinearNetwork(*widths), SquaredLoss())
    return closest_approach(
        simulate(flow, data, init, times), reduced_rank_solutions(data)
    )


def _synthetic() -> Array:
    data, times = _teacher([3.0, 2.0, 1.0], [2.0, 1.0, 0.5]), np.linspace(0, 40, 2001)
    return _approaches(data, (3, 3, 3), gaussian_init(1e-8, rng=0), times)


def _trap() -> float:
    """Return the approach to rank one where σ and σ/√λ disagree on the order."""
    data = Moments([[4, 0], [0, 0.7]], [[2, 0], [0, 1.2]])
    times = np.linspace(0, 40, 2001)
    return float(_approaches(data, (2, 2, 2), spectral_init(1e-6), times)[1])


def digit_classes(directions: int = 6) -> Dataset:
    """Return the principal directions of the digits, and their centred classes."""
    data = load_dataset("digit_classes").centered()
    frame = np.linalg.svd(data.X, full_matrices=False)[2][:directions]
    return Dataset(data.X @ frame.T / 10, data.Y)


def _classes() -> Array:
    times = np.linspace(0, 1000, 2001)
    start = gaussian_init(1e-8, rng=0)
    return _approaches(digit_classes(), (6, 10, 10), start, times)


def _alignments() -> list[float]:
    scores, classes = digit_classes().X, digit_classes().Y
    frame = np.linalg.svd(scores, full_matrices=False)[0]
    pairs = (scores, scores), (frame, classes)
    return [alignment_defect(Dataset(*pair)) for pair in pairs]


def _approach() -> Array:
    times = [*np.linspace(0, 12, 241), 40.0]
    data = whitened(np.diag([3.0, 2.0, 1.0]))
    return _approaches(data, (3, 3, 3), spectral_init(1e-6), times)


def _digits() -> Array:
    """Return the closest approaches for an autoencoder of the digits."""
    pixels = load_dataset("digits").X
    pixels = pixels - pixels.mean(axis=0)
    frame = np.linalg.svd(pixels, full_matrices=False)[2][:6]
    scores = pixels @ frame.T / 10
    start, times = gaussian_init(1e-6, rng=0), np.linspace(0, 400, 2001)
    return _approaches(Dataset(scores, scores), (6, 6, 6), start, times)


SEQUENTIAL: tuple[Entry, ...] = (
    NumberEntry(
        "gidel-regression",
        "closest approach to reduced-rank regression",
        GIDEL_2019,
        ("whitened input", "spectral start of size 1e-6"),
        lambda: np.zeros(4),
        _approach,
        lambda none: none + 0.5,
        1e-2,
    ),
    NumberEntry(
        "gidel-descent",
        "10 steps of gradient descent on one mode",
        GIDEL_2019,
        ("η = 0.1, σ = 1.3, λ = 0.7, w₀ = 0.05",),
        lambda: 0.464311256850647935541,
        lambda: descend(0.05, 10, step=0.1, sigma=1.3, lam=0.7)[-1],
        lambda value: value * 1.001,
        1e-13,
    ),
    NumberEntry(
        "gidel-digits",
        "closest approach to reduced-rank regression, autoencoder of the digits",
        GIDEL_2019,
        ("6 leading directions", "Gaussian start of size 1e-6"),
        lambda: np.zeros(7),
        _digits,
        lambda none: none + 0.5,
        0.2,
    ),
    NumberEntry(
        "gidel-discrete-phase",
        "time η/ln(1 + ησ) per δ at which descent learns a mode, σ = 1.3, 0.7",
        GIDEL_2019,
        ("η = 0.2", "w₀ = e^(−2δ), δ = 100, 300"),
        lambda: [discrete_phase_time(x, PHASE_STEP) for x in PHASE_SIGMAS],
        _measured_phases,
        lambda _: [1 / sigma for sigma in PHASE_SIGMAS],
        1e-4,
    ),
    NumberEntry(
        "gidel-step",
        "largest ησ without overshoot, and with convergence",
        GIDEL_2019,
        ("two balanced layers, one mode",),
        lambda: [0.5, 1.0],
        _largest_steps,
        lambda steps: 1.1 * steps,
        1e-2,
    ),
    NumberEntry(
        "gidel-multiplier",
        "multiplier 1 − 2ησ of a step near the goal, ησ = 0.3, 0.6, 0.9",
        GIDEL_2019,
        ("two balanced layers, one mode",),
        lambda: [1 - 2 * growth for growth in STEPS],
        _multipliers,
        lambda factors: factors[::-1],
        1e-6,
    ),
    NumberEntry(
        "gidel-synthetic",
        "closest approach to reduced-rank regression from a vanishing Gaussian start",
        GIDEL_2019,
        ("σ = (3, 2, 1), λ = (2, 1, 0.5)", "Gaussian start of size 1e-8"),
        lambda: np.zeros(4),
        _synthetic,
        lambda none: none + 0.5,
        0.05,
    ),
    NumberEntry(
        "gidel-trap",
        "approach to rank-one regression where σ and σ/√λ disagree on the order",
        GIDEL_2019,
        ("σ = (2, 1.2), λ = (4, 0.7)", "spectral start of size 1e-6"),
        lambda: 0.5 / np.hypot(0.5, 1.2 / 0.7),
        _trap,
        lambda _: 0.0,
        1e-3,
    ),
    NumberEntry(
        "gidel-classes",
        "closest approach to reduced-rank regression, digits by class (frames differ)",
        GIDEL_2019,
        ("6 leading directions", "Gaussian start of size 1e-8"),
        lambda: np.zeros(7),
        _classes,
        lambda none: none + 0.7,
        0.35,
    ),
    NumberEntry(
        "gidel-alignment",
        "Σ_xx is diagonal in the frame of Σ_yx: autoencoder, whitened classification",
        GIDEL_2019,
        ("6 leading directions of the digits",),
        lambda: np.zeros(2),
        _alignments,
        lambda none: none + 0.1,
        1e-10,
    ),
)
