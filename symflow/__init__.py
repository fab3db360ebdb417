"""Gradient flow of linear networks: derived, solved, coded and checked to 50 digits.

>>> import symflow as sf
>>> flow = sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), sf.SquaredLoss())
>>> print(sf.conserved(flow)[0])
W₂ᵀW₂ − W₁W₁ᵀ is conserved, for every width, loss and data set
"""

from symflow.claims import Claim, Hypothesis, Reference, Status
from symflow.codegen import Kernel, Program, compile, write_module
from symflow.conserved import conserved
from symflow.data import Dataset, Moments, load_dataset, whitened
from symflow.errors import (
    HypothesisFailed,
    IntegrationFailed,
    InvalidArgument,
    InvalidData,
    NoClosedForm,
    OutputError,
    PrecisionLost,
    ShapeMismatch,
    SymflowError,
    ValidationFailed,
)
from symflow.flow import GradientFlow, gradient_flow
from symflow.inits import (
    Init,
    balanced_init,
    gaussian_init,
    spectral_init,
)
from symflow.losses import Loss, SquaredLoss
from symflow.networks import Dense, LinearNetwork, Network
from symflow.simulate import DOP853, simulate
from symflow.solutions import Solution, solve
from symflow.trajectory import Trajectory
from symflow.validate import Report, validate

__version__ = "0.1.0"

__all__ = [
    "DOP853",
    "Claim",
    "Dataset",
    "Dense",
    "GradientFlow",
    "Hypothesis",
    "HypothesisFailed",
    "Init",
    "IntegrationFailed",
    "InvalidArgument",
    "InvalidData",
    "Kernel",
    "LinearNetwork",
    "Loss",
    "Moments",
    "Network",
    "NoClosedForm",
    "OutputError",
    "PrecisionLost",
    "Program",
    "Reference",
    "Report",
    "ShapeMismatch",
    "Solution",
    "SquaredLoss",
    "Status",
    "SymflowError",
    "Trajectory",
    "ValidationFailed",
    "balanced_init",
    "compile",
    "conserved",
    "gaussian_init",
    "gradient_flow",
    "load_dataset",
    "simulate",
    "solve",
    "spectral_init",
    "validate",
    "whitened",
    "write_module",
]
