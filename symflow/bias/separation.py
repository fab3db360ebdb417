"""What a classification problem brings: signed samples, and a start that separates.

A margin is z_i = y_i⟨β, x_i⟩, for labels ±1 and one output.  A loss Σφ(z_i) below φ(0),
which is 1 for the exponential and ln 2 for the logistic loss, forces every z_i to be
positive.  From there the loss falls to zero and θ/‖θ‖ converges, to a stationary point
of min ½‖θ‖² under z_i ≥ 1 (Lyu and Li 2020; Ji and Telgarsky 2020).
"""

from __future__ import annotations

from math import log
from typing import Any

import numpy as np

from symflow.algebra.arrays import Array, map_entries, to_float_array, to_mpf_array
from symflow.algebra.numbers import as_fraction, context_of, to_mpf
from symflow.claims import Hypothesis, conditions, positive, structural
from symflow.claims.conditions import on_flow
from symflow.flow.problem import CHECK_DIGITS, GUARD_DIGITS, Problem
from symflow.flow.start import sized, start_matrix
from symflow.losses import ExponentialLoss
from symflow.networks import (
    HadamardDifference,
    Network,
    SignedDiagonalNetwork,
    TensorNetwork,
)

#: Above this margin, log(1 + e⁻ᶻ) is e⁻ᶻ in float64.
FAR = 37.0
#: Tensors with more entries than this are not made.
LARGEST_TENSOR = 300_000
#: The networks that most theorems are about.
LAYERED = (Network, TensorNetwork)


#: The exponential or the logistic loss, alone, as a condition on a problem.
margin_loss = on_flow(conditions.margin_loss)


def one_output(problem: Problem) -> Hypothesis:
    """Say whether f(x) is a number."""
    outputs = problem.widths[-1]
    return structural("one output", outputs == 1, f"{outputs} outputs")


def layered(problem: Problem) -> Hypothesis:
    """Say whether the network is a product of layers or a tensor."""
    network = problem.flow.network
    words = "a product of layers, or a tensor network"
    return structural(words, isinstance(network, LAYERED), repr(network))


def separating_start(problem: Problem) -> Hypothesis:
    """Say whether the start classifies every sample, with a total loss below φ(0)."""
    loss, start = problem.flow.loss, start_matrix(problem)
    rows = signed_samples(problem)
    with np.errstate(over="ignore", invalid="ignore"):
        margins = rows @ start.ravel()
        exponential = isinstance(loss, ExponentialLoss)
        losses = np.exp(-margins) if exponential else np.logaddexp(0, -margins)
        # rounding of a margin changes the loss in proportion to it
        terms = float(losses @ (1 + np.linalg.norm(rows, axis=1) * _size(problem)))
    limit, total = 1.0 if exponential else log(2), float(np.sum(losses))
    words = f"a start with a total loss below {limit:.3g}"
    detail = (
        f"the sum over samples is {total:.4g}, smallest margin {np.min(margins):.3g}"
    )
    if not np.isfinite(total + terms):
        return Hypothesis(words, False, detail)
    return positive(words, limit - total, limit + terms, detail)


def _size(problem: Problem) -> float:
    """Return what ‖β‖ cannot exceed if no terms of it cancel."""
    network = problem.flow.network
    sizes = np.array([np.linalg.norm(weight) for weight in problem.floats.weights])
    if isinstance(network, SignedDiagonalNetwork | HadamardDifference):
        return float(2 * np.max(sizes) ** degree_of(network))
    if isinstance(network, TensorNetwork):
        scale = float(np.linalg.norm(to_float_array(network.as_tensor())))
    else:  # a filter enters the matrix of its layer once for every input
        scale = 1.0 if network.is_dense else problem.widths[0] ** (len(sizes) / 2)
    return float(scale * np.prod(sizes))


#: What every theorem on directions asks, of a product of layers or a tensor.
CLASSIFICATION = (margin_loss, one_output, layered, separating_start)


def degree_of(network: Any) -> int:
    """Return the degree of f in the weights."""
    if isinstance(network, HadamardDifference):
        return 2
    if isinstance(network, SignedDiagonalNetwork):
        return network.layers
    return int(network.depth)


def signed_samples(problem: Problem, context: Any = None) -> Array:
    """Return the rows y_i x_i, shape (n, d), in float64 or as mpf of `context`."""
    if context is None:
        data = problem.floats.data
        return np.asarray(data["Y"] * data["X"])
    labels, inputs = (to_mpf_array(problem.data[name], context) for name in "YX")
    return np.asarray(labels * inputs)


def given_samples(problem: Problem, digits: int = CHECK_DIGITS) -> Array:
    """Return the rows y_i x_i as fractions.

    They have shape (n, d).  Floats stay as they are, which are fractions; irrational
    inputs are rounded to `digits`.
    """
    labels, inputs = problem.data["Y"], problem.data["X"]
    if inputs.dtype != object:
        return np.asarray(to_float_array(labels) * inputs)
    context = context_of(digits + GUARD_DIGITS)

    def rational(entry: Any) -> Any:
        known = as_fraction(entry)
        return as_fraction(to_mpf(entry, context)) if known is None else known

    return np.asarray(map_entries(rational, labels) * map_entries(rational, inputs))


def is_rational(array: Array) -> bool:
    """Say whether all numbers are fractions, as floats are."""
    return array.dtype != object or all(as_fraction(e) is not None for e in array.flat)


def given_tensor(problem: Problem) -> Array | None:
    """Return M with f(x) = M(x) ∘ (v_1, …, v_L), or None where it is too large."""
    network = problem.flow.network
    sizes = [problem.widths[0], *(weight.size for weight in problem.weights)]
    if np.prod(sizes, dtype=float) > LARGEST_TENSOR:
        return None
    whole = network if isinstance(network, TensorNetwork) else sized(problem)
    return np.asarray(whole.as_tensor())


def soft_margin(loss: Any, margins: Array, context: Any = None) -> Array:
    """Return u with Σφ(z_i) = φ(u): one margin in place of all.

    For the exponential loss u = −log Σe^{−z_i}; always u ≤ min z_i.

    The margins have shape (times, n), in the arithmetic of `context`.
    """
    exponential = isinstance(loss, ExponentialLoss)
    if context is not None:
        total = [_total(row, context, exponential=exponential) for row in margins]
        return np.asarray(total, dtype=object)
    least = margins.min(axis=1)
    far = least - np.log(np.exp(least[:, None] - margins).sum(axis=1))
    if exponential:
        return np.asarray(far)
    with np.errstate(divide="ignore", over="ignore"):
        near = -np.log(np.expm1(np.logaddexp(0, -margins).sum(axis=1)))
    return np.asarray(np.where(least > FAR, far, near))


def _total(row: Array, context: Any, *, exponential: bool) -> Any:
    powers = [context.exp(-z) for z in row]
    if exponential:
        return -context.log(sum(powers))
    total = sum(context.log1p(power) for power in powers)
    return -context.log(context.expm1(total))


def weights_of_samples(loss: Any, margins: Array) -> Array:
    """Return p_i ∝ −φ′(z_i), summing to one, in float64."""
    exponential = isinstance(loss, ExponentialLoss)
    pulls = -margins if exponential else -np.logaddexp(0, margins)
    powers = np.exp(pulls - np.max(pulls))
    return np.asarray(powers / powers.sum())
