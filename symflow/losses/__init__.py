"""Losses, as functions of the end-to-end matrix."""

from collections.abc import Callable

from symflow.losses.custom import CustomLoss as CustomLoss
from symflow.losses.loss import Loss as Loss
from symflow.losses.margin import (
    ExponentialLoss as ExponentialLoss,
    LogisticLoss as LogisticLoss,
)
from symflow.losses.measurement import MeasurementLoss as MeasurementLoss
from symflow.losses.squared import SquaredLoss as SquaredLoss

#: What a loss is called where a text names one.
LOSSES: dict[str, Callable[..., Loss]] = {
    "squared": SquaredLoss,
    "exponential": ExponentialLoss,
    "logistic": LogisticLoss,
}
