"""Closed forms: a catalogue, tried in order."""

from symflow.claims import Refusal
from symflow.solutions.catalogue import SOLUTIONS, attempts, solve
from symflow.solutions.deep import DeepMode
from symflow.solutions.deep_diagonal import DeepDiagonalMode
from symflow.solutions.deep_fourier import DeepFourierMode
from symflow.solutions.enclosed import EnclosedMatrix
from symflow.solutions.fourier import FourierMode
from symflow.solutions.hypentropy import HypentropyMode
from symflow.solutions.hyperbolic import HyperbolicMode
from symflow.solutions.infinite_depth import InfiniteDepth
from symflow.solutions.logistic import LogisticMode
from symflow.solutions.rank_one import RankOne
from symflow.solutions.recurrence import Recurrence, recurrence
from symflow.solutions.regression import LinearRegression
from symflow.solutions.riccati import Riccati
from symflow.solutions.schedule import Scheduled, scheduled
from symflow.solutions.solution import Solution
from symflow.solutions.staircase import Staircase, staircase
from symflow.solutions.step import Step, Times
from symflow.solutions.symmetric import SymmetricRiccati
from symflow.solutions.table import as_markdown, table

__all__ = [
    "SOLUTIONS",
    "DeepDiagonalMode",
    "DeepFourierMode",
    "DeepMode",
    "EnclosedMatrix",
    "FourierMode",
    "HypentropyMode",
    "HyperbolicMode",
    "InfiniteDepth",
    "LinearRegression",
    "LogisticMode",
    "RankOne",
    "Recurrence",
    "Refusal",
    "Riccati",
    "Scheduled",
    "Solution",
    "Staircase",
    "Step",
    "SymmetricRiccati",
    "Times",
    "as_markdown",
    "attempts",
    "recurrence",
    "scheduled",
    "solve",
    "staircase",
    "table",
]
