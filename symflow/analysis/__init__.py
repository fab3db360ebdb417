"""The main job as a library: analyze a data set, then write down what was found."""

from symflow.analysis.analysis import Analysis, analyze
from symflow.analysis.budget import Covered, precise_within
from symflow.analysis.environment import environment
from symflow.analysis.horizon import Horizon, horizon
from symflow.analysis.optimum import whitened_problem
from symflow.analysis.record import About
from symflow.analysis.study import Study
from symflow.analysis.write import prepare_folder, write_report

__all__ = [
    "About",
    "Analysis",
    "Covered",
    "Horizon",
    "Study",
    "analyze",
    "environment",
    "horizon",
    "precise_within",
    "prepare_folder",
    "whitened_problem",
    "write_report",
]
