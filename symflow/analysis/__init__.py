"""The main job as a library: analyze a data set, then write down what was found."""

from symflow.analysis.analysis import Analysis as Analysis, analyze as analyze
from symflow.analysis.budget import Covered as Covered, precise_within as precise_within
from symflow.analysis.environment import environment as environment
from symflow.analysis.horizon import Horizon as Horizon, horizon as horizon
from symflow.analysis.optimum import whitened_problem as whitened_problem
from symflow.analysis.record import About as About
from symflow.analysis.study import Study as Study
from symflow.analysis.write import (
    prepare_folder as prepare_folder,
    write_report as write_report,
)
