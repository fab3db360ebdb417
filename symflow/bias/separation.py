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

from symflow.algebra.arrays import Array, to_float_array, to_mpf_array
from symflow.claims import Hypothesis, all_hold
from symflow.flow.problem import Problem
from symflow.flow.start import sized, start_matrix
from symflow.losses import ExponentialLoss
from symflow.losses.margin import MarginLoss
from symflow.networks import Network, TensorNetwork

#: Above this margin, log(1 + e⁻ᶻ) is e⁻ᶻ in float64.
FAR = 37.0
#: Tensors with more entries than this are not made.
LARGEST_TENSOR = 300_000


def classification(
    problem: Problem, kinds: Any = (Network, TensorNetwork)
) -> list[Hypothesis]:
    """Return the conditions that all directional limits share, as far as they hold.

    Parameters
    ----------
    problem : Problem
        The flow with its data and start.
    kinds : tuple of types
        The networks that the theorem is about.
    """
    loss, outputs = problem.flow.loss, problem.widths[-1]
    plain = isinstance(loss, MarginLoss) and loss.l2 == 0
    found = [
        Hypothesis(
            "exponential or logistic loss without weight decay", plain, repr(loss)
        ),
        Hypothesis("one output", outputs == 1, f"{outputs} outputs"),
    ]
    if not isinstance(problem.flow.network, kinds):
        words = "a product of layers, or a tensor network"
        found.append(Hypothesis(words, False, repr(problem.flow.network)))
    if all_hold(found):
        found.append(_separating_start(problem))
    return found


def _separating_start(problem: Problem) -> Hypothesis:
    """Say whether the start classifies every sample, with a total loss below φ(0)."""
    loss, start = problem.flow.loss, start_matrix(problem)
    margins = signed_samples(problem) @ start.ravel()
    exponential = isinstance(loss, ExponentialLoss)
    losses = np.exp(-margins) if exponential else np.logaddexp(0, -margins)
    limit, total = 1.0 if exponential else log(2), float(np.sum(losses))
    detail = (
        f"the sum over samples is {total:.4g}, smallest margin {np.min(margins):.3g}"
    )
    words = f"a start with a total loss below {limit:.3g}"
    return Hypothesis(words, total < limit, detail)


def signed_samples(problem: Problem, context: Any = None) -> Array:
    """Return the rows y_i x_i, in float64 or in the arithmetic of `context`.

    Parameters
    ----------
    problem : Problem
        With a margin loss and one output.
    context : mpmath.MPContext, optional
        For high precision.

    Returns
    -------
    array, shape (n, d)
    """
    if context is None:
        data = problem.floats.data
        return np.asarray(data["Y"] * data["X"])
    labels, inputs = (to_mpf_array(problem.data[name], context) for name in "YX")
    return np.asarray(labels * inputs)


def tensor_of(problem: Problem) -> Array | None:
    """Return M with f(x) = M(x) ∘ (v_1, …, v_L), or None where it is too large."""
    network = problem.flow.network
    sizes = [problem.widths[0], *(weight.size for weight in problem.weights)]
    if np.prod(sizes, dtype=float) > LARGEST_TENSOR:
        return None
    if isinstance(network, TensorNetwork):
        return to_float_array(network.as_tensor())
    return np.asarray(sized(problem).as_tensor(), dtype=float)


def soft_margin(loss: Any, margins: Array, context: Any = None) -> Array:
    """Return u with Σφ(z_i) = φ(u): one margin in place of all.

    For the exponential loss u = −log Σe^{−z_i}; always u ≤ min z_i.

    Parameters
    ----------
    loss : MarginLoss
        φ.
    margins : array, shape (times, n)
        z.
    context : mpmath.MPContext, optional
        The arithmetic of the margins; float64 without it.

    Returns
    -------
    array, shape (times,)

    Examples
    --------
    >>> from symflow.losses import LogisticLoss
    >>> float(soft_margin(LogisticLoss(), np.array([[2.0]]))[0].round(12))
    2.0
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
    """Return p_i ∝ −φ′(z_i), summing to one, in float64.

    Examples
    --------
    >>> from symflow.losses import ExponentialLoss
    >>> weights_of_samples(ExponentialLoss(), np.array([900.0, 900.0])).tolist()
    [0.5, 0.5]
    """
    exponential = isinstance(loss, ExponentialLoss)
    pulls = -margins if exponential else -np.logaddexp(0, margins)
    powers = np.exp(pulls - np.max(pulls))
    return np.asarray(powers / powers.sum())
