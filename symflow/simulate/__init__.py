"""Simulation in float64."""

from symflow.simulate.methods import DOP853, Method
from symflow.simulate.simulate import simulate

__all__ = ["DOP853", "Method", "simulate"]
