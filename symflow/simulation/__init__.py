"""Simulation in float64."""

from symflow.simulation.bridge import ScipyFlow, to_scipy
from symflow.simulation.descend import descend
from symflow.simulation.dop853 import DOP853
from symflow.simulation.ensemble import Ensemble, ensemble
from symflow.simulation.events import Event, LossBelow, ModeCrosses
from symflow.simulation.gauss import GaussLegendre
from symflow.simulation.grid import Grid, sweep_grid
from symflow.simulation.methods import Method
from symflow.simulation.radau import Radau
from symflow.simulation.runs import Sweep
from symflow.simulation.simulate import simulate
from symflow.simulation.simulator import Simulator, compile_simulator
from symflow.simulation.sweep import sweep
from symflow.simulation.taylor import Taylor

__all__ = [
    "DOP853",
    "Ensemble",
    "Event",
    "GaussLegendre",
    "Grid",
    "LossBelow",
    "Method",
    "ModeCrosses",
    "Radau",
    "ScipyFlow",
    "Simulator",
    "Sweep",
    "Taylor",
    "compile_simulator",
    "descend",
    "ensemble",
    "simulate",
    "sweep",
    "sweep_grid",
    "to_scipy",
]
