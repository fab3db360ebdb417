"""Losses, as functions of the end-to-end matrix."""

from symflow.losses.loss import Loss
from symflow.losses.squared import SquaredLoss

__all__ = ["Loss", "SquaredLoss"]
