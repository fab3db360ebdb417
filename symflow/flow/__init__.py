"""The flow: its equations, its end-to-end form, and its initial value problem."""

from symflow.flow.directional import directional_flow
from symflow.flow.end_to_end import EndToEndFlow
from symflow.flow.entries import Entries
from symflow.flow.gradient_descent import GradientDescent, gradient_descent
from symflow.flow.gradient_flow import GradientFlow, dotted, gradient_flow
from symflow.flow.heavy_ball import HeavyBall, heavy_ball, twice_dotted
from symflow.flow.rank_one import RankOneFlow
from symflow.flow.times import as_times

__all__ = [
    "EndToEndFlow",
    "Entries",
    "GradientDescent",
    "GradientFlow",
    "HeavyBall",
    "RankOneFlow",
    "as_times",
    "directional_flow",
    "dotted",
    "gradient_descent",
    "gradient_flow",
    "heavy_ball",
    "twice_dotted",
]
