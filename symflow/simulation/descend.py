"""Gradient descent in float64, every iterate kept."""

from __future__ import annotations

from numbers import Integral
from typing import Any

import numpy as np

from symflow.algebra.numbers import to_float
from symflow.codegen import compile as compile_flow
from symflow.errors import IntegrationFailed, InvalidArgument
from symflow.flow import GradientDescent
from symflow.flow.problem import bind
from symflow.trajectory import Trajectory


def descend(
    descent: GradientDescent,
    data: Any,
    init: Any,
    steps: int,
    *,
    step_size: Any,
    rng: Any = None,
) -> Trajectory:
    """Run gradient descent in float64.

    Parameters
    ----------
    descent : GradientDescent
        The dynamics.
    data : Dataset or Moments
        What is learned.
    init : Init or sequence of array_like
        A rule, or the weights at the start.
    steps : int
        Number of steps.
    step_size : number, keyword-only
        η, positive.
    rng : None, int or numpy.random.Generator, keyword-only
        Overrides the random state of the initialization rule.

    Returns
    -------
    Trajectory
        All iterates, the k-th at the time kη; compare with `simulate` of the flow.

    Raises
    ------
    InvalidArgument
        If the number of steps or the step size is not positive.
    IntegrationFailed
        If a weight is no longer finite, with the step that was reached.

    Examples
    --------
    >>> import symflow as sf
    >>> gd = sf.gradient_descent(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> run = descend(gd, sf.whitened([[2]]), [[[1]], [[1]]], 2, step_size=0.1)
    >>> [round(w, 6) for w in run.end_to_end.ravel().tolist()]
    [1.0, 1.21, 1.408732]
    """
    eta = _checked(descent, steps, step_size)
    problem = bind(descent.flow, data, init, rng=rng)
    kernel, arguments = compile_flow(descent.flow), problem.floats.arguments
    iterates = [tuple(problem.floats.weights)]
    with np.errstate(over="ignore", invalid="ignore"):
        for number in range(1, int(steps) + 1):
            rates = kernel(*iterates[-1], *arguments)
            after = tuple(w + eta * r for w, r in zip(iterates[-1], rates, strict=True))
            if not all(np.all(np.isfinite(weight)) for weight in after):
                msg = f"descend: step {number} leaves the floats. Take a smaller step"
                raise IntegrationFailed(msg)
            iterates.append(after)
    weights = tuple(np.stack(layer) for layer in zip(*iterates, strict=True))
    scale = max(float(np.max(np.abs(weight))) for weight in weights)
    return Trajectory(
        problem=problem,
        t=eta * np.arange(len(iterates)),
        weights=weights,
        route=f"gradient descent, η = {eta:g}",
        digits=10,
        error=1e-15 * scale * len(iterates),
        stats={"steps": int(steps)},
    )


def _checked(descent: Any, steps: Any, step_size: Any) -> float:
    if not isinstance(descent, GradientDescent):
        msg = f"descend(descent, …): needs a gradient_descent(…); got {descent!r}"
        raise InvalidArgument(msg)
    if not isinstance(steps, Integral) or isinstance(steps, bool) or steps < 1:
        msg = f"descend(steps=…): needs a positive integer; got {steps!r}"
        raise InvalidArgument(msg)
    eta = to_float(step_size)
    if eta <= 0:
        msg = f"descend(step_size=…): needs a positive number; got {step_size!r}"
        raise InvalidArgument(msg)
    return eta
