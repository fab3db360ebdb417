"""Trajectories: the weights along a flow, at any precision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import mpmath
import numpy as np
import sympy

from symflow.algebra.arrays import Array, lifted, to_float_array
from symflow.algebra.display import Displayed, Sheet
from symflow.algebra.numbers import to_float, to_mpf
from symflow.algebra.text import scientific, span_of
from symflow.algebra.threads import cached_property
from symflow.codegen import end_to_end_program, evaluate, linearized
from symflow.codegen.objective import Objective
from symflow.errors import InvalidArgument, UnknownName, shown
from symflow.flow import EndToEndFlow, GradientFlow, as_times
from symflow.flow.layer_order import in_layer_order
from symflow.flow.problem import Problem
from symflow.flow.times import check_time
from symflow.labelled import Tabulated


class Deferred:
    """A field that may be given as a function, which is called when it is first read.

    Examples
    --------
    >>> @dataclass(frozen=True)
    ... class Answer:
    ...     value: Any = Deferred()
    >>> Answer(42).value, Answer(lambda: 6 * 7).value
    (42, 42)
    """

    def __init__(self, *default: Any) -> None:
        self._default = default

    def __set_name__(self, owner: type, name: str) -> None:
        self._place = f"_{name}"

    def __get__(self, instance: Any, owner: type) -> Any:
        if instance is None:
            if not self._default:
                raise AttributeError  # for the dataclass: there is no default
            return self._default[0]
        value = instance.__dict__[self._place]
        if callable(value):
            value = instance.__dict__[self._place] = value()
        return value

    def __set__(self, instance: Any, value: Any) -> None:
        instance.__dict__[self._place] = value

    def peek(self, instance: Any) -> Any:
        """Return the value if it is known, else None."""
        value = instance.__dict__[self._place]
        return None if callable(value) else value


@dataclass(frozen=True, eq=False, repr=False)
class Trajectory(Tabulated, Displayed):
    """The weights of a flow at a sequence of times.

    Entries are float64, or `mpf` numbers of the precision that was asked for; both
    are indexed alike: ``traj[W1]`` (a symbol of ``flow.state``) has shape
    (times, rows, columns).

    Parameters
    ----------
    problem : Problem
        The flow with its data and start.
    t : array
        The times.
    weights : tuple of arrays
        For each layer, shape (times, rows, columns).
    route : str
        How the numbers were made, as a report names it.
    digits : int
        Decimal digits that the route aims at.
    error : float or mpf, or a function that returns it
        Estimated largest absolute error of a weight.  The function is called when the
        error is first read: an estimate can cost as much as the trajectory.
    stats : dict, or a function that returns it
        Facts about the run: steps, drift of the conserved quantities, ….
    context : mpmath context, optional
        The arithmetic of the entries; None for float64.
    interpolant : callable, optional
        Dense output: maps a time to the weights at that time.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> problem = flow, sf.whitened([[2]]), [[[0.5]], [[0.5]]]
    >>> run = sf.simulate(*problem, [0, 1])
    >>> W1, W2 = flow.state
    >>> run[W1].shape, run.at(0.5)[0].round(4).tolist()
    ((2, 1, 1), [[1.0134]])
    """

    problem: Problem
    t: Array
    weights: tuple[Array, ...]
    route: str
    digits: int
    error: Any = Deferred()
    stats: dict[str, Any] = Deferred(dict)  # type: ignore[assignment]
    context: mpmath.MPContext | None = None
    interpolant: Callable[[Any], Sequence[Array]] | None = None

    @property
    def flow(self) -> GradientFlow:
        """What was integrated: a flow, or a `HeavyBall`."""
        flow: Any = self.problem.flow
        shown: GradientFlow = flow.ball if flow.at_rest is not flow else flow
        return shown

    @cached_property
    def layered(self) -> Trajectory:
        """The same trajectory with the weights first layer first."""
        if self.flow.network.product is None:
            return self
        weights = in_layer_order(self.weights, self.flow.network)
        return replace(
            self, problem=self.problem.layered, weights=weights, interpolant=None
        )

    def __len__(self) -> int:
        return len(self.t)

    def __getitem__(self, key: Any) -> Array:
        """Return the history of a weight symbol, or of ``flow.end_to_end``."""
        if isinstance(key, EndToEndFlow):
            return self.end_to_end
        names = self._ipython_key_completions_()
        if isinstance(key, (sympy.MatrixSymbol, str)) and str(key) in names:
            return self.weights[names.index(str(key))]
        msg = f"trajectory[{shown(key)}]: not a weight; its weights are {names}"
        raise UnknownName(msg)

    def _ipython_key_completions_(self) -> list[str]:
        return [symbol.name for symbol in self.flow.state]

    @cached_property
    def end_to_end(self) -> Array:
        """W(t), shape (times, outputs, inputs).

        Examples
        --------
        >>> import symflow as sf
        >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
        >>> run = sf.simulate(flow, sf.whitened([[2]]), [[[0.5]], [[0.5]]], [0, 1])
        >>> run.end_to_end.round(3).ravel().tolist()
        [0.25, 1.773]
        """
        program = end_to_end_program(self.flow)
        (total,) = evaluate(program, self.weights, self.number)
        return total

    @cached_property
    def loss(self) -> Array:
        """The training objective at every time, shape (times,).

        Without Σ_yy in the data the constant ½ tr Σ_yy is left out.

        Examples
        --------
        >>> import symflow as sf
        >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
        >>> run = sf.simulate(flow, sf.whitened([[2]]), [[[0.5]], [[0.5]]], [0, 1])
        >>> run.loss.round(4).tolist()
        [1.5312, 0.0258]
        """
        return Objective(self.problem)(self.weights, self.context)

    def number(self, value: Any) -> Any:
        """Return an exact number in the arithmetic of this trajectory.

        Parameters
        ----------
        value : int, Fraction, float or SymPy number
            The number, as it was given.
        """
        return to_float(value) if self.context is None else to_mpf(value, self.context)

    def lift(self, array: Array) -> Array:
        """Return an array in the arithmetic of this trajectory.

        Parameters
        ----------
        array : array
            Float64, exact or mpf entries.
        """
        return lifted(array, self.context)

    @cached_property
    def singular_values(self) -> Array:
        """Singular values of the end-to-end matrix in float64, largest first.

        Examples
        --------
        >>> import symflow as sf
        >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
        >>> run = sf.simulate(flow, sf.whitened([[2]]), [[[0.5]], [[0.5]]], [0, 1])
        >>> run.singular_values.round(3).tolist()
        [[0.25], [1.773]]
        """
        stacked = to_float_array(self.end_to_end)
        return np.asarray(np.linalg.svd(stacked, compute_uv=False))

    def at(self, t: Any) -> tuple[Array, ...]:
        """Return the weights at one time, by dense output.

        Parameters
        ----------
        t : number
            A time between the first and the last.

        Raises
        ------
        InvalidArgument
            If the time is outside the range, or this route has no dense output.

        Examples
        --------
        >>> import symflow as sf
        >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
        >>> problem = flow, sf.whitened([[2]]), [[[0.5]], [[0.5]]]
        >>> W1, W2 = sf.simulate(*problem, [0, 1, 2]).at(1.5)
        >>> round((W2 @ W1).item(), 6)
        1.965889
        """
        if self.interpolant is None:
            msg = f"trajectory.at(t): the route {self.route!r} keeps no dense output"
            raise InvalidArgument(msg)
        check_time(t, "trajectory.at(t)", 1)
        first, last = to_float(self.t[0]), to_float(self.t[-1])
        if not first <= to_float(t) <= last:
            msg = f"trajectory.at({shown(t)}): needs a time from {first:g} to {last:g}"
            raise InvalidArgument(msg)
        return tuple(self.interpolant(t))

    def tangent_kernel(self, t: Any) -> Array:
        """Return the tangent kernel K = J Jᵀ of W at one time, J = ∂vec(W)/∂θ.

        It drives W in ordinary time at one learning rate: vec(Ẇ) = −K vec(∂ℓ/∂W)
        without weight decay.  The outputs on samples have the kernel
        (X ⊗ I) K (Xᵀ ⊗ I), which of two inputs x, x′ is the m×m block
        (xᵀ ⊗ I) K (x′ ⊗ I).

        Parameters
        ----------
        t : number
            One of the times, or between the first and the last.

        Returns
        -------
        array, shape (m·d, m·d)
            In the arithmetic of the run. The entry W_jk has the number k·m + j, so that
            vec stacks columns; for dense layers K = Σ_l A_lᵀA_l ⊗ B_lB_lᵀ with
            A_l = W_{l−1}⋯W_1 and B_l = W_L⋯W_{l+1}.

        Raises
        ------
        InvalidArgument
            If there is no such time, or the model is too large.

        Examples
        --------
        >>> import symflow as sf
        >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
        >>> run = sf.simulate(flow, sf.whitened([[2]]), [[[3]], [[2]]], [0, 1])
        >>> run.tangent_kernel(0).tolist()
        [[13.0]]
        """
        weights = self._weights_at(t, "tangent_kernel")
        flow = self.problem.at_rest.flow
        return linearized.tangent_kernel(flow, weights, self.context)

    def sharpness(self, t: Any) -> Any:
        """Return the largest eigenvalue of the Hessian of the loss in the weights.

        Gradient descent with the step η is stable where it is below 2/η. Learning
        rates of layers and the clock do not enter.

        Parameters
        ----------
        t : number
            One of the times, or between the first and the last.

        Returns
        -------
        float or mpf
            In the arithmetic of the run.

        Raises
        ------
        InvalidArgument
            If there is no such time, or the model is too large.

        Examples
        --------
        >>> import symflow as sf
        >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
        >>> run = sf.simulate(flow, sf.whitened([[2]]), [[[1]], [[2]]], [0, 1])
        >>> round(run.sharpness(0), 10)
        5.0
        """
        weights = self._weights_at(t, "sharpness")
        return linearized.sharpness(self.problem.at_rest, weights, self.context)

    def _weights_at(self, t: Any, name: str) -> tuple[Array, ...]:
        """Return the weights at one of the times as they are, or by dense output."""
        wanted = as_times(t, f"trajectory.{name}")
        if len(wanted) != 1:
            msg = f"trajectory.{name}(t): needs one time; got {len(wanted)}"
            raise InvalidArgument(msg)
        for index, time in enumerate(self.t):
            if time == wanted[0]:
                found = tuple(weight[index] for weight in self.weights)
                break
        else:
            found = self.at(t)
        return found[: len(self.problem.at_rest.weights)]

    @property
    def _attributes(self) -> dict[str, Any]:
        return {"route": self.route}

    def _sheet(self) -> Sheet:
        shapes = ", ".join("×".join(map(str, w.shape[1:])) for w in self.weights)
        loss = f"{to_float(self.loss[0]):.6g} → {to_float(self.loss[-1]):.6g}"
        rows = {
            "t": span_of(self.t),
            "weights": shapes,
            "loss": loss,
            "error": self._error_text(),
            **{name: _short(value) for name, value in self.stats.items()},
        }
        title = f"Trajectory of {self.flow.network!r} by {self.route}"
        return Sheet(title, rows=tuple(rows.items()), whole=".stats")

    def _error_text(self) -> str:
        known = vars(Trajectory)["error"].peek(self)
        if known is None:
            return "estimated when .error is read"
        return f"{scientific(known)} (estimated)"


def _short(value: Any) -> str:
    if isinstance(value, tuple | list):  # the times of an event
        return ", ".join(map(_short, value)) or "never"
    return f"{value:.3g}" if isinstance(value, float) else str(value)
