"""Binding for theorems, which are about the plain gradient flow of a product."""

from __future__ import annotations

from typing import Any

from symflow.errors import HypothesisFailed
from symflow.flow.gradient_flow import GradientFlow
from symflow.flow.layer_order import layered
from symflow.flow.problem import Problem, bind


def bind_gradient(
    flow: GradientFlow, data: Any, init: Any, rng: Any, call: str
) -> Problem:
    """Bind a flow as `bind` does, for theorems about plain gradient flow.

    Where layers have learning rates of their own, HypothesisFailed names the `call`.
    """
    flow, init = layered(flow, init)
    problem = bind(flow, data, init, rng=rng)
    if flow.learning_rates:
        msg = (
            f"{call}: the theorems are for one learning rate; the layers of this flow "
            f"have {flow.learning_rates}. Use simulate(…) or precise(…)"
        )
        raise HypothesisFailed(msg)
    return problem
