"""Simulation in float64."""

from symflow.simulation.bridge import ScipyFlow as ScipyFlow, to_scipy as to_scipy
from symflow.simulation.descend import descend as descend
from symflow.simulation.dop853 import DOP853 as DOP853
from symflow.simulation.ensemble import Ensemble as Ensemble, ensemble as ensemble
from symflow.simulation.events import (
    Event as Event,
    LossBelow as LossBelow,
    ModeCrosses as ModeCrosses,
)
from symflow.simulation.gauss import GaussLegendre as GaussLegendre
from symflow.simulation.grid import Grid as Grid, sweep_grid as sweep_grid
from symflow.simulation.methods import Method as Method
from symflow.simulation.radau import Radau as Radau
from symflow.simulation.runs import Sweep as Sweep
from symflow.simulation.simulate import simulate as simulate
from symflow.simulation.simulator import (
    Simulator as Simulator,
    compile_simulator as compile_simulator,
)
from symflow.simulation.sweep import sweep as sweep
from symflow.simulation.taylor import Taylor as Taylor
