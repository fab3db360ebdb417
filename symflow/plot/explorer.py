"""Sliders for the start and the model: theory against simulation, live."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count
from math import exp
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy

from symflow.algebra.numbers import to_float, whole
from symflow.convergence import rates
from symflow.convergence.bound import LossBound
from symflow.data import Dataset, Moments
from symflow.errors import InvalidArgument, NoClosedForm, SymflowError, imported, shown
from symflow.flow import GradientFlow, as_times, gradient_flow
from symflow.flow.given import TimesLike
from symflow.inits import gaussian_init, spectral_init
from symflow.networks import LinearNetwork
from symflow.plot.bounds import bounds
from symflow.plot.loss import loss
from symflow.plot.modes import modes
from symflow.simulation import simulate
from symflow.solutions import solve

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: e^imbalance times a weight is a float.
MOST_IMBALANCED = 300

#: Steps of one picture, which take about a second.
MOST_DRAWN = 5_000


@dataclass(frozen=True, repr=False)
class Explorer:
    """A flow that is turned by hand; made by `explore`, shown with its sliders.

    Parameters
    ----------
    flow, data, t : GradientFlow, Dataset or Moments, tuple of numbers
        As they were given; all times that are drawn.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> sf.explore(flow, sf.whitened([[2]])).depths
    (2, 3, 4, 5, 6)
    """

    flow: GradientFlow
    data: Any
    t: tuple[Any, ...]

    def __repr__(self) -> str:
        return f"Explorer of {self.flow.network!r}; .update(scale=0.1) is a figure"

    @property
    def depths(self) -> tuple[int, ...]:
        """The numbers of layers to choose from: its own alone unless all are dense."""
        own = len(self.flow.state)
        deep = self.flow.network.is_dense and own > 1
        return tuple(range(2, max(own, 6) + 1)) if deep else (own,)

    def update(
        self,
        scale: float = 0.1,
        imbalance: float = 0.0,
        depth: int | None = None,
        decay: float | None = None,
    ) -> Figure:
        """Draw modes and loss, theory on top of simulation.

        Parameters
        ----------
        scale, imbalance : float
            Of the start, spectral for dense layers, else Gaussian; the first weight is
            e^imbalance times larger, the last one smaller.
        depth, decay : number, optional
            One of `depths`, with hidden layers as wide as the first, and weight decay;
            by default those of the flow.

        Returns
        -------
        matplotlib Figure
            Left the singular values, dashed the closed form if there is one; right the
            loss, under the bounds that are guaranteed.

        Raises
        ------
        InvalidArgument
            If a number makes no sense, or the flow moves so fast that a picture would
            take seconds.
        """
        from matplotlib.figure import Figure

        flow = self._turned(depth, decay)
        imbalance = to_float(imbalance)
        if not abs(imbalance) <= MOST_IMBALANCED:
            msg = f"explore(…).update(imbalance={shown(imbalance)}): is at most 300"
            raise InvalidArgument(msg)
        dense = flow.network.is_dense
        rule = spectral_init(scale) if dense else gaussian_init(scale, rng=0)
        start = [*rule.draw(flow.network, self.data)]
        if len(start) > 1:
            start[0], start[-1] = start[0] * exp(imbalance), start[-1] / exp(imbalance)
        problem = flow, self.data, start
        run = simulate(*problem, self.t, progress=_patient())
        try:
            solution = solve(*problem)
        except NoClosedForm:
            solution = None
        found = [b for b in rates(*problem) if isinstance(b, LossBound) and b.rate > 0]
        figure = Figure(figsize=(9, 3.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        modes(run, theory=solution, ax=left)
        left.set_title("closed form" if solution else "no closed form is known")
        bounds(run, found, right) if found else loss(run, right)
        right.set_title("guaranteed" if found else "no guarantee is known")
        return figure

    def _turned(self, depth: int | None, decay: float | None) -> GradientFlow:
        network, objective = self.flow.network, self.flow.loss
        if depth is not None and whole(depth, "depth") not in self.depths:
            msg = f"explore(…).update(depth={shown(depth)}): needs one of {self.depths}"
            raise InvalidArgument(msg)
        if depth is not None and depth != len(self.flow.state):
            first, hidden, *_, last = network.widths
            network = LinearNetwork(first, *[hidden] * (depth - 1), last)
        if decay is not None:
            objective = replace(objective, l2=decay)  # type: ignore[type-var]
        return gradient_flow(network, objective)

    def widget(self) -> Any:
        """Return sliders with the picture, or raise NotInstalled without ipywidgets."""
        widgets = imported("ipywidgets", "explore(flow, data)", "notebook")
        own, decay = len(self.flow.state), float(self.flow.loss.l2)
        sliders = {
            "scale": widgets.FloatLogSlider(value=0.1, min=-4, max=0.5, step=0.05),
            "imbalance": widgets.FloatSlider(min=-2, max=2, step=0.05),
            "depth": widgets.SelectionSlider(options=self.depths, value=own),
            "decay": widgets.FloatSlider(value=decay, max=max(1, decay), step=0.01),
        }
        picture, said = widgets.Image(format="png"), widgets.Label()

        def follow(_change: Any = None) -> None:
            file = io.BytesIO()
            try:
                figure = self.update(**{k: each.value for k, each in sliders.items()})
            except SymflowError as refused:
                said.value = str(refused)
                return
            figure.savefig(file, format="png", dpi=100)
            said.value, picture.value = "", file.getvalue()

        for name, slider in sliders.items():
            slider.description, slider.continuous_update = name, False
            slider.observe(follow, names="value")
        follow()
        return widgets.VBox([*sliders.values(), said, picture])

    def _repr_mimebundle_(self, **options: Any) -> Any:
        return self.widget()._repr_mimebundle_(**options)


def explore(flow: GradientFlow, data: Dataset | Moments, t: TimesLike = 10) -> Explorer:
    """Turn scale, imbalance, depth and weight decay of a flow, and see what changes.

    Parameters
    ----------
    flow : GradientFlow
        With numbers for its widths, and one for its weight decay.
    data : Dataset or Moments
        What is learned.
    t : number or sequence of numbers
        The last time that is drawn, or all of them.

    Returns
    -------
    Explorer
        In a notebook the sliders; anywhere ``.update(scale=0.1, depth=3)`` is a figure.

    Raises
    ------
    InvalidArgument
        If the flow is no such gradient flow, or has learning rates or another clock.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    >>> tuned = explore(flow, sf.whitened([[3, 0], [0, 1]]))
    >>> figure = tuned.update(scale=0.01, imbalance=0.5)
    >>> round(float(figure.axes[0].lines[0].get_ydata()[-1]), 6)
    3.0
    """
    plain = isinstance(flow, GradientFlow) and flow.clock == "time"
    if not plain or flow.learning_rates or not sympy.sympify(flow.loss.l2).is_number:
        got = shown(flow)
        msg = f"explore(flow, data): needs a plain gradient flow in numbers; got {got}"
        raise InvalidArgument(msg)
    times = as_times(t, "explore")
    if len(times) == 1:
        times = tuple(np.linspace(0, float(times[0]), 101))
    return Explorer(flow, data, tuple(times))


def _patient() -> Callable[[float], None]:
    """Return what counts the steps of a simulation, and refuses too many."""
    steps = count(1)

    def taken(part: float) -> None:
        if next(steps) > MOST_DRAWN and part < 1:
            msg = (
                f"explore(…).update(…): {MOST_DRAWN} steps reach only "
                f"{part:.2g} of the last time; take a smaller scale, imbalance or "
                "decay, or explore(…, t) with a shorter time"
            )
            raise InvalidArgument(msg)

    return taken
