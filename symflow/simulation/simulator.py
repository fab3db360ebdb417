"""A flow with its whole integrator as one compiled function, which can be taken away.

``simulate`` asks the program for a derivative some thousand times, and each of these
calls costs more than the arithmetic of a small network.  Here the loop is in the
compiled file as well: the same tableau, the same control of the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from symflow.algebra.widths import solve_widths
from symflow.codegen.inplace import Shape
from symflow.codegen.lower import arguments, loss_program, rhs_program
from symflow.codegen.operands import floats
from symflow.codegen.targets.sizes import sized
from symflow.errors import (
    IntegrationFailed,
    InvalidArgument,
    InvalidData,
    ShapeMismatch,
    expect,
    one_of,
)
from symflow.files import as_path, write_text
from symflow.flow import GradientFlow
from symflow.simulation.compiled import (
    CALL,
    CIntegrator,
    Run,
    integrator_of,
    source_of,
)
from symflow.simulation.dop853 import DOP853
from symflow.simulation.events import LossBelow
from symflow.simulation.exported import (
    STOPPED,
    refuse_unseen,
    statistics,
    watched_losses,
)
from symflow.simulation.methods import MOST_STEPS, check_tolerances
from symflow.simulation.system import Floats

TARGETS = ("c", "numba", "numpy")


class Simulator:
    """A flow and its integrator as one function of arrays; made by `compile_simulator`.

    It pickles as the flow, and is compiled again where it is needed.

    Parameters
    ----------
    flow : GradientFlow
        The flow.
    target : str
        ``"c"``, ``"numba"`` or ``"numpy"``.
    shapes : tuple of tuple of int, optional
        Of weights and data; without them, code is made for those of each call.
    rtol : float
        Relative tolerance per step.
    atol : float, optional
        Absolute tolerance per step.
    events : tuple of LossBelow, optional
        What it looks for.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> sf.compile_simulator(flow, target="numpy")
    <Simulator (W1, W2, sigma_xx, sigma_yx, t) -> W1, W2 by numpy>
    """

    def __init__(
        self,
        flow: GradientFlow,
        target: str,
        shapes: tuple[Shape, ...] | None,
        rtol: float,
        atol: float | None,
        events: tuple[LossBelow, ...] = (),
    ) -> None:
        self.flow, self.target, self.shapes = flow, target, shapes
        self.rtol, self.atol, self.events = rtol, atol, events
        read = (loss_program if events else rhs_program)(flow).inputs
        self.arguments = tuple(a.name for a in read)
        self._call = f"simulator({', '.join((*self.arguments, 't'))})"
        self._whats = [f"{self._call}: {name}" for name in (*self.arguments, "t")]
        self._declared = [a.shape for a in read]
        self._run = None if shapes is None else self._made(shapes)
        if isinstance(self._run, CIntegrator):
            self._run.function(1)  # says now if there is no compiler

    def __call__(
        self, *arrays: Any, rtol: float | None = None, atol: float | None = None
    ) -> tuple[Floats, ...]:
        """Return the weights at times t, one array per layer.

        Parameters
        ----------
        *arrays : arrays
            The weights (W_1, …, W_L) at t = 0, with any leading dimensions for many
            starts; the data, as a kernel takes them; and the increasing times t.
        rtol, atol : float, keyword-only, optional
            Instead of the tolerances that the simulator has.

        Returns
        -------
        tuple of arrays
            Of shape (…, times, rows, columns), without ``times`` for one number t.

        Raises
        ------
        ShapeMismatch
            If a shape does not fit.
        InvalidArgument
            If an argument is not real, the times do not increase, or a tolerance is
            not between 0 and 1.
        InvalidData
            If a start or the data have an entry that is not finite.
        IntegrationFailed
            If the last time cannot be reached from a start.
        """
        if rtol is None and atol is None:
            found = self._quickly(arrays)
            if found is not None:
                return found
        return self.follow(*arrays, rtol=rtol, atol=atol)[0]

    def follow(
        self, *arrays: Any, rtol: float | None = None, atol: float | None = None
    ) -> tuple[tuple[Floats, ...], dict[str, Any]]:
        """Return the weights, and statistics with the times of events.

        Parameters
        ----------
        *arrays : arrays
            As for a call, and what it raises is raised here.
        rtol, atol : float, keyword-only, optional
            Instead of the tolerances that the simulator has.

        Returns
        -------
        tuple
            The weights, and for every start its "steps", those "rejected", the times
            "t" of its weights, and for the name of each event its time, or NaN.  An
            event that is terminal ends a start: its time and its weights come next,
            and NaN fills what is left.

        Raises
        ------
        InvalidArgument
            If a level is too small to be seen in a loss that is made of moments.

        Examples
        --------
        >>> import symflow as sf
        >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
        >>> sim = sf.compile_simulator(flow, events=[sf.LossBelow(0.1, terminal=True)])
        >>> _, stats = sim.follow([[0.1]], [[0.1]], [[1]], [[2]], [[4]], [0, 1, 5, 9])
        >>> float(stats["loss below 0.1"].round(4)), stats["t"].round(4).tolist()
        (1.6345, [0.0, 1.0, 1.6345, nan])
        """
        if rtol is not None or atol is not None:
            check_tolerances("simulator", rtol=rtol, atol=atol)
        rtol, atol = rtol or self.rtol, atol or self.atol
        count, call = len(self.flow.state), self._call
        if len(arrays) != len(self.arguments) + 1:
            msg = f"{call}: takes {len(self.arguments) + 1} arrays; got {len(arrays)}"
            raise ShapeMismatch(msg)
        *given, times = map(floats, arrays, self._whats)
        shapes, lead = self._fitting(given, times, call)
        moments = times if times.ndim else times.reshape(1)
        starts = [
            a if a.shape[:-2] == lead else np.broadcast_to(a, (*lead, *a.shape[-2:]))
            for a in given[:count]
        ]
        refuse_unseen(self.flow, self.events, shapes, given[count:], call)
        run = self._run or self._made(shapes)
        found, stats = run(
            [np.ascontiguousarray(a) for a in starts],
            given[count:],
            moments,
            rtol,
            atol or 0.0,
            0,  # one that fails is enough for an error
        )
        self._refuse_failures(stats, moments, call)
        keep = (*lead, *times.shape)
        told = statistics(self.events, stats, moments, lead)
        told["t"] = told["t"].reshape(keep)
        return tuple(a.reshape(keep + a.shape[2:]) for a in found), told

    def _made(self, shapes: tuple[Shape, ...]) -> Run:
        """Return the compiled file for these shapes, of which the loss reads more."""
        return integrator_of(self.flow, self.target, self._own(shapes), self.events)

    def _own(self, shapes: tuple[Shape, ...]) -> tuple[Shape, ...]:
        """Return the shapes that the rates read."""
        return shapes[: len(rhs_program(self.flow).inputs)]

    def _quickly(self, arrays: tuple[Any, ...]) -> tuple[Floats, ...] | None:
        """Return the weights of one start in the fastest way, if that goes well."""
        if not arrays or not isinstance(self._run, CIntegrator) or self.events:
            return None
        return self._run.quickly(arrays, self.rtol, self.atol or 0.0)

    def _fitting(
        self, given: list[Floats], times: Floats, call: str
    ) -> tuple[tuple[Shape, ...], Shape]:
        """Return the shapes of the matrices, and the leading ones of the starts."""
        count = len(self.flow.state)
        shapes = tuple(a.shape[-2:] for a in given[:count])
        shapes += tuple(a.shape for a in given[count:])
        if shapes != self.shapes:
            self._check(given, shapes, call)
        if times.ndim > 1 or not times.size:
            msg = f"{call}: t has to be a number or a row of them; got {times.shape}"
            raise ShapeMismatch(msg)
        leads = {a.shape[:-2] for a in given[:count]}
        if len(leads) == 1:
            return shapes, leads.pop()
        try:
            return shapes, np.broadcast_shapes(*leads)
        except ValueError:
            msg = f"{call}: the leading dimensions {leads} do not fit together"
            raise ShapeMismatch(msg) from None

    def _check(self, given: list[Floats], shapes: tuple[Shape, ...], call: str) -> None:
        """Raise ShapeMismatch for shapes that contradict the flow or the code."""
        declared: list[Any] = []
        for name, wanted, shape, array in zip(
            self.arguments, self._declared, shapes, given, strict=True
        ):
            if len(shape) != len(wanted):
                kind = "a matrix" if wanted else "a number"
                msg = f"{call}: {name} has to be {kind}; got the shape {array.shape}"
                raise ShapeMismatch(msg)
            if wanted:
                declared.append((f"{call}: {name}", wanted, shape))
        solve_widths(declared)
        if self.shapes is not None:
            msg = f"{call}: was made for the shapes {self.shapes}; got {shapes}"
            raise ShapeMismatch(msg)

    def _refuse_failures(self, stats: Floats, times: Floats, call: str) -> None:
        """Raise IntegrationFailed, or InvalidData, for the first start that failed."""
        ends = stats[:, 0]
        failed = np.flatnonzero((ends != DONE) & (ends != STOPPED))
        if not len(failed):
            return
        start = int(failed[0])
        why, steps, _, reached = stats[start, :4]
        number = f"start {start}: " if len(stats) > 1 else ""
        if why == NOT_FINITE:
            msg = f"{call}: {number}a weight is not finite"
            raise InvalidData(msg)
        msg = (
            f"{call}: {number}{REASONS[int(why)]} The flow was followed to t = "
            f"{reached:g} of {times[-1]:g} in {steps:.0f} steps. Ask for an earlier "
            "time or a larger rtol; Radau() is for stiff flows"
        )
        raise IntegrationFailed(msg)

    @property
    def source(self) -> str:
        """The text of the file that was compiled.

        Raises InvalidArgument where no shapes are given.
        """
        if self.shapes is None:
            msg = (
                "simulator.source: the code is for sizes, and this flow has none. Give "
                "compile_simulator(flow, widths=(10, 5, 1), samples=…)"
            )
            raise InvalidArgument(msg)
        own = self._own(self.shapes)
        return source_of(self.flow, self.target, own, self.events)

    def write(self, path: str | Path) -> Path:
        """Write the source to a file, which needs symflow no more.

        Parameters
        ----------
        path : str or Path
            Where to write; the parent directory has to exist.

        Returns
        -------
        Path
            The file that was written.

        Raises
        ------
        OutputError
            If the file cannot be written.
        InvalidArgument
            If `path` is not a path, or no shapes are given.
        """
        target = as_path(path, "simulator.write(path)")
        return write_text(target, self.source, f"simulator.write(path={str(path)!r})")

    def __repr__(self) -> str:
        count, names = len(self.flow.state), self.arguments
        results = ", ".join(names[:count])
        return f"<Simulator ({', '.join(names)}, t) -> {results} by {self.target}>"

    def __reduce__(self) -> Any:
        given = self.flow, self.target, self.shapes, self.rtol, self.atol, self.events
        return Simulator, given


#: How a start ended, as the files number it.
DONE, NOT_FINITE = 0, 3
REASONS = {
    1: "the step size became too small to go on.",
    2: f"more than {MOST_STEPS} steps.",
    4: "the weights grow without bound.",
}


def compile_simulator(
    flow: GradientFlow,
    target: str = "c",
    *,
    widths: Sequence[int] | None = None,
    samples: int | None = None,
    rtol: float = DOP853.rtol,
    atol: float | None = None,
    events: Any = None,
) -> Simulator:
    """Compile a flow together with its integrator, DOP853 with dense output.

    Parameters
    ----------
    flow : GradientFlow
        The flow.
    target : {"c", "numba", "numpy"}
        C for the compiler of this machine, Python that Numba compiles, or Python that
        needs NumPy alone.
    widths : sequence of int, keyword-only, optional
        Integers for its widths.  Where a size stays open, code is made for the shapes
        of each call.
    samples : int, keyword-only, optional
        Number of samples, where the loss reads them.
    rtol : float, keyword-only
        Relative tolerance per step.
    atol : float, keyword-only, optional
        Absolute tolerance per step; by default a thousandth of `rtol` times the largest
        weight of each start.
    events : LossBelow or sequence of these, keyword-only, optional
        What to look for, in C.  The value of the loss may ask for more data before t,
        such as sigma_yy; `Simulator.follow` returns the times.

    Returns
    -------
    Simulator
        ``sim(W1, …, WL, sigma_xx, sigma_yx, t)`` returns the weights at times t, for
        many starts if the weights have leading dimensions.  ``sim.source`` is the file,
        which tests itself, and ``sim.write(path)`` takes it away.

    Raises
    ------
    InvalidArgument
        If an argument is of the wrong kind, or an operation or an event has no code.
    NotInstalled
        Without a C compiler or Numba.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> sim = sf.compile_simulator(flow, target="numpy")
    >>> W1, W2 = sim([[0.1]], [[0.1]], [[1.0]], [[2.0]], [0, 1, 10])
    >>> [round(w, 6) for w in (W2 @ W1).ravel().tolist()]
    [0.01, 0.430588, 2.0]
    """
    expect(flow, GradientFlow, CALL, "a gradient flow")
    one_of(target, TARGETS, f"{CALL}: target")
    check_tolerances("compile_simulator", rtol=rtol, atol=atol)
    watched = watched_losses(events, target, CALL)
    is_open = any(
        not isinstance(width, int) and not getattr(width, "is_Integer", False)
        for symbol in arguments(flow)
        for width in getattr(symbol, "shape", ())
    )
    shapes = None
    if widths is not None or samples is not None or not is_open:
        outputs = "loss" if watched else "rhs"
        shapes = sized(flow, widths, CALL, samples=samples, outputs=outputs).shapes
    return Simulator(flow, target, shapes, rtol, atol, watched)
