"""The flow: its equations, its end-to-end form, and its initial value problem."""

from symflow.flow.directional import directional_flow as directional_flow
from symflow.flow.end_to_end import EndToEndFlow as EndToEndFlow
from symflow.flow.entries import Entries as Entries
from symflow.flow.gradient_descent import (
    GradientDescent as GradientDescent,
    gradient_descent as gradient_descent,
)
from symflow.flow.gradient_flow import (
    GradientFlow as GradientFlow,
    dotted as dotted,
    gradient_flow as gradient_flow,
)
from symflow.flow.heavy_ball import HeavyBall as HeavyBall, heavy_ball as heavy_ball
from symflow.flow.rank_one import RankOneFlow as RankOneFlow
from symflow.flow.times import as_times as as_times
