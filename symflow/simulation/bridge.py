"""SciPy: a flow as functions for `scipy.integrate.solve_ivp`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symflow.algebra.arrays import as_array, to_float_array
from symflow.errors import InvalidArgument, ShapeMismatch, expect
from symflow.flow import GradientFlow
from symflow.flow.problem import bind
from symflow.simulation.system import Floats, System


@dataclass(frozen=True, eq=False)
class ScipyFlow:
    """What `solve_ivp` needs of a flow; made by `to_scipy`.

    Parameters
    ----------
    system : System
        The flow with its data.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> peer = sf.to_scipy(flow, sf.whitened([[2.0]]))
    >>> peer.fun(0, peer.pack([[[1.0]], [[0.5]]])).tolist()
    [0.75, 1.5]
    """

    system: System

    def fun(self, t: float, y: Floats) -> Floats:
        """Return the derivative of a state y, shape (size,), at any time t."""
        return self.system.rhs(t, self._states(y, "fun(t, y)").ravel())

    def jac(self, t: float, y: Floats) -> Floats:
        """Return the Jacobian at a state y, minus the Hessian of the loss, at any t."""
        return self.system.jacobian(self._states(y, "jac(t, y)").ravel())

    def pack(self, weights: Sequence[Any]) -> Floats:
        """Return weights W_1, …, W_L as one state vector.

        Raises
        ------
        ShapeMismatch
            If a shape does not fit.

        Examples
        --------
        >>> import symflow as sf
        >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
        >>> peer = sf.to_scipy(flow, sf.whitened([[2.0]]))
        >>> peer.pack([[[1.0]], [[0.5]]]).tolist()
        [1.0, 0.5]
        """
        call = "to_scipy(…).pack(weights)"
        given = expect(weights, list | tuple, call, "one array per weight")
        arrays = [to_float_array(as_array(weight, call)) for weight in given]
        if tuple(array.shape for array in arrays) != self.system.shapes:
            msg = (
                f"{call}: needs the shapes {self.system.shapes}; "
                f"got {tuple(array.shape for array in arrays)}"
            )
            raise ShapeMismatch(msg)
        return np.concatenate([array.ravel() for array in arrays])

    def unpack(self, y: Floats) -> tuple[Floats, ...]:
        """Return the weights of a state y, or of ``solution.y``, (size, times)."""
        states = self._states(y, "unpack(y)")
        return self.system.matrices(states.T if np.ndim(y) == 2 else states.ravel())

    def _states(self, y: Any, call: str) -> Floats:
        """Return states as they are, where they are as `solve_ivp` gives them."""
        size, plain = self.system.size, isinstance(y, np.ndarray) and y.dtype == float
        states = y if plain else to_float_array(as_array(y, f"to_scipy(…).{call}"))
        several = "unpack" in call and states.ndim == 2
        if states.ndim and len(states) == size and (several or states.size == size):
            return states
        msg = f"to_scipy(…).{call}: needs {size} numbers; got shape {np.shape(y)}"
        raise ShapeMismatch(msg)


def to_scipy(
    flow: GradientFlow, data: Any, *, widths: Sequence[int] | None = None
) -> ScipyFlow:
    """Return right-hand side and Jacobian of a flow for `solve_ivp`.

    Parameters
    ----------
    flow : GradientFlow
        The flow.
    data : Dataset or Moments
        What is learned.
    widths : sequence of int, keyword-only, optional
        Integers for the widths, needed where they are symbols.

    Returns
    -------
    ScipyFlow
        With ``fun``, ``jac``, ``pack`` and ``unpack``.

    Raises
    ------
    InvalidArgument
        If a width stays a symbol.
    ShapeMismatch
        If data and flow do not fit together.

    Examples
    --------
    >>> import symflow as sf
    >>> from scipy.integrate import solve_ivp
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> peer = sf.to_scipy(flow, sf.whitened([[2.0]]))
    >>> start = peer.pack([[[0.1]], [[0.1]]])
    >>> end = solve_ivp(peer.fun, (0, 9), start, "BDF", jac=peer.jac, rtol=1e-9).y
    >>> W1, W2 = peer.unpack(end[:, -1])
    >>> round((W2 @ W1).item(), 4)
    2.0
    """
    expect(flow, GradientFlow, "to_scipy(flow, data)", "a gradient flow")
    expect(widths, list | tuple | None, "to_scipy(widths=…)", "a list of integers")
    given = tuple(flow.network.widths if widths is None else widths)
    sizes = dict(zip(flow.network.widths, given, strict=False))
    shapes = [tuple(sizes.get(w, w) for w in symbol.shape) for symbol in flow.state]
    if not all(isinstance(size, int) for shape in shapes for size in shape):
        listed = ", ".join(map(str, flow.network.widths))
        msg = (
            f"to_scipy(flow, data): needs an integer for every width ({listed}); got "
            f"{given}. Give for example widths=(10, 5, 1)"
        )
        raise InvalidArgument(msg)
    zeros = [np.zeros(shape) for shape in shapes]
    return ScipyFlow(System(bind(flow, data, zeros).floats))
