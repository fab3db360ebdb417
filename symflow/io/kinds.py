"""Which classes a file may hold, by their full names."""

from __future__ import annotations

from functools import cache
from importlib import import_module

#: Classes that can be stored, by the module below symflow that shows them.
KINDS = {
    "algebra.intervals": ("Interval",),
    "networks": (
        *("Network", "Dense", "Diagonal", "TensorNetwork"),
        *("HadamardDifference", "SymmetricFactorization", "OrthogonalDecomposition"),
    ),
    "networks.layers": ("Circulant", "Readout"),
    "networks.parametrizations": ("SignedDiagonalNetwork",),
    "networks.model": ("MatrixModel",),
    "losses": (
        *("SquaredLoss", "ExponentialLoss", "LogisticLoss", "CustomLoss"),
        "MeasurementLoss",
    ),
    "data": ("Dataset", "Moments", "Measurements"),
    "inits": (
        *("BalancedInit", "GaussianInit", "GivenInit", "LambdaBalancedInit"),
        *("OrthogonalInit", "RankOneInit", "SpectralInit"),
    ),
    "flow": (
        *("GradientFlow", "GradientDescent", "HeavyBall", "EndToEndFlow"),
        *("RankOneFlow", "Entries"),
    ),
    "flow.problem": ("Problem", "Given"),
    "flow.phase": ("PhaseFlow",),
    "claims": ("Hypothesis", "Finding", "Identity", "Reference", "Refusal", "Status"),
    "conservation": ("NoetherLaw",),
    "conservation.generators": ("Generators", "Term"),
    "trajectory": ("Trajectory",),
    "curriculum": ("ChainedRun",),
    "simulation": (
        *("DOP853", "GaussLegendre", "Radau", "Taylor", "LossBelow", "ModeCrosses"),
        *("Ensemble", "Sweep", "Grid"),
    ),
    "precision": ("Enclosure", "Flint", "Mpmath"),
    "validation": (
        *("AssertedLaw", "AssertedLimit", "AssertedMode", "AssertedRate"),
        *("Certificate", "Report"),
    ),
    "validation.report": ("Row",),
}


@cache
def classes() -> dict[str, type]:
    """Return every class that a file may name."""
    return {
        name: getattr(import_module(f"symflow.{module}"), name)
        for module, names in KINDS.items()
        for name in names
    }
