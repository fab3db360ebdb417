"""Closed forms: a catalogue, tried in order."""

from symflow.claims import Refusal
from symflow.solutions.catalogue import SOLUTIONS, attempts, solve
from symflow.solutions.coordinates.deep_diagonal import DeepDiagonalMode
from symflow.solutions.coordinates.deep_filters import DeepFourierMode
from symflow.solutions.coordinates.hypentropy import HypentropyMode
from symflow.solutions.coordinates.linear_regression import LinearRegression
from symflow.solutions.coordinates.one_sample import OneSample
from symflow.solutions.coordinates.two_filters import FourierMode
from symflow.solutions.derivation import Step
from symflow.solutions.modes.decaying import DecayingMode
from symflow.solutions.modes.deep import DeepMode
from symflow.solutions.modes.gradient_descent import ModeRecurrence, recurrence
from symflow.solutions.modes.hyperbolic import HyperbolicMode
from symflow.solutions.modes.infinite_depth import InfiniteDepth
from symflow.solutions.modes.logistic import LogisticMode
from symflow.solutions.modes.staircase import ModeStaircase, staircase
from symflow.solutions.rank_one.balanced import RankOne
from symflow.solutions.riccati.in_balls import EnclosedMatrix
from symflow.solutions.riccati.symmetric_factorization import SymmetricRiccati
from symflow.solutions.riccati.two_layers import Riccati
from symflow.solutions.solution import Solution
from symflow.solutions.table import as_markdown, table
from symflow.solutions.time.learning_rate import Scheduled, scheduled
from symflow.solutions.time.passage_times import Times

__all__ = [
    "SOLUTIONS",
    "DecayingMode",
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
    "ModeRecurrence",
    "ModeStaircase",
    "OneSample",
    "RankOne",
    "Refusal",
    "Riccati",
    "Scheduled",
    "Solution",
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
