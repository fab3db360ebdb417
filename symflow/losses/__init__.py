"""Losses, as functions of the end-to-end matrix."""

from collections.abc import Callable

from symflow.losses.custom import CustomLoss
from symflow.losses.loss import Loss
from symflow.losses.margin import ExponentialLoss, LogisticLoss
from symflow.losses.measurement import MeasurementLoss
from symflow.losses.squared import SquaredLoss

#: What a loss is called where a text names one.
LOSSES: dict[str, Callable[..., Loss]] = {
    "squared": SquaredLoss,
    "exponential": ExponentialLoss,
    "logistic": LogisticLoss,
}

__all__ = [
    "LOSSES",
    "CustomLoss",
    "ExponentialLoss",
    "LogisticLoss",
    "Loss",
    "MeasurementLoss",
    "SquaredLoss",
]
