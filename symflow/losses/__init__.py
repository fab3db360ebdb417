"""Losses, as functions of the end-to-end matrix."""

from symflow.losses.custom import CustomLoss
from symflow.losses.loss import Loss
from symflow.losses.margin import ExponentialLoss, LogisticLoss
from symflow.losses.measurement import MeasurementLoss
from symflow.losses.squared import SquaredLoss

__all__ = [
    "CustomLoss",
    "ExponentialLoss",
    "LogisticLoss",
    "Loss",
    "MeasurementLoss",
    "SquaredLoss",
]
