"""Closed forms: a catalogue, tried in order."""

from symflow.claims import Refusal as Refusal
from symflow.solutions.catalogue import (
    SOLUTIONS as SOLUTIONS,
    attempts as attempts,
    solve as solve,
)
from symflow.solutions.coordinates.deep_diagonal import (
    DeepDiagonalMode as DeepDiagonalMode,
)
from symflow.solutions.coordinates.deep_filters import (
    DeepFourierMode as DeepFourierMode,
)
from symflow.solutions.coordinates.hypentropy import HypentropyMode as HypentropyMode
from symflow.solutions.coordinates.linear_regression import (
    LinearRegression as LinearRegression,
)
from symflow.solutions.coordinates.one_sample import OneSample as OneSample
from symflow.solutions.coordinates.two_filters import FourierMode as FourierMode
from symflow.solutions.derivation import Step as Step
from symflow.solutions.modes.decaying import DecayingMode as DecayingMode
from symflow.solutions.modes.deep import DeepMode as DeepMode
from symflow.solutions.modes.hyperbolic import HyperbolicMode as HyperbolicMode
from symflow.solutions.modes.infinite_depth import InfiniteDepth as InfiniteDepth
from symflow.solutions.modes.logistic import LogisticMode as LogisticMode
from symflow.solutions.rank_one.balanced import RankOne as RankOne
from symflow.solutions.riccati.in_balls import EnclosedMatrix as EnclosedMatrix
from symflow.solutions.riccati.mixed_layers import MixedRiccati as MixedRiccati
from symflow.solutions.riccati.symmetric_factorization import (
    SymmetricRiccati as SymmetricRiccati,
)
from symflow.solutions.riccati.two_layers import Riccati as Riccati
from symflow.solutions.solution import Solution as Solution
from symflow.solutions.time.chained import ChainedSolution as ChainedSolution
from symflow.solutions.time.learning_rate import (
    Scheduled as Scheduled,
    scheduled as scheduled,
)
from symflow.solutions.time.passage_times import Times as Times
