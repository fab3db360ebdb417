"""Taylor series of a flow, generated from its program for any arithmetic.

The right-hand side of θ̇ = f(θ) is a straight-line program.  Run on power series, one
order at a time, it yields the recurrence

    θ_{k+1} = f_k / (k + 1),    (A B)_k = Σ_j A_j B_{k−j},

in which a product with constant data is a single product and a product of two series
is an online convolution.  Coefficients are scaled: order k carries the factor unit^k,
for a unit of time near the step, so that their size stays moderate.

Every operation of a program has one entry in `series_rules.RULES` or in
`series_quotients.QUOTIENTS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from symflow.codegen.program import Instruction, Program
from symflow.codegen.series_arithmetic import Arithmetic, Convolution, Shape
from symflow.codegen.series_quotients import QUOTIENTS
from symflow.codegen.series_rules import RULES, Rule, SeriesNode, Slot
from symflow.errors import NoClosedForm

__all__ = ["Arithmetic", "Convolution", "Recurrence", "Shape"]


def _rule(step: Instruction) -> Rule:
    rule = RULES.get(step.operation) or QUOTIENTS.get(step.operation)
    if rule is None:
        msg = (
            f"taylor: no series recurrence for the operation {step.operation!r} of "
            "this flow. Use simulate(…)"
        )
        raise NoClosedForm(msg)
    return rule


class Recurrence:
    """The Taylor recurrence of a program whose first inputs are its state.

    The program has one output for each of the inputs that are its state; `constants`
    are the other inputs, as matrices of `arithmetic`, and `order` is the highest of the
    series.
    """

    def __init__(
        self,
        program: Program,
        arithmetic: Arithmetic,
        shapes: Sequence[Shape],
        constants: Sequence[Any],
        order: int,
    ) -> None:
        self._arithmetic, self._order = arithmetic, order
        self._constants = list(constants)
        self._reads = [step.operands for step in program.instructions]
        self._outputs = [output.slot for output in program.outputs]
        state = len(self._outputs)
        slots = [Slot(s, constant=n >= state) for n, s in enumerate(shapes)]
        self._nodes: list[SeriesNode] = []
        for step in program.instructions:
            operands = [slots[number] for number in step.operands]
            slot, node = _rule(step)(arithmetic, step, operands, order)
            slots.append(slot)
            self._nodes.append(node)

    def run(self, start: Sequence[Any], unit: Fraction) -> list[list[Any]]:
        """Return, for every state matrix, its scaled coefficients up to the order.

        A recurrence is used once: its convolutions remember what was pushed.
        """
        series: list[list[Any]] = [[matrix] for matrix in start]
        for order in range(self._order):
            rates = self._rates([terms[-1] for terms in series], order)
            integrals = self._arithmetic.integrate_all(rates, order + 1, unit)
            for terms, integral in zip(series, integrals, strict=True):
                terms.append(integral)
        return series

    def _rates(self, state: list[Any], order: int) -> list[Any]:
        """Return the coefficients of one order of all outputs."""
        constants = self._constants if order == 0 else [None] * len(self._constants)
        values = [*state, *constants]
        for operands, node in zip(self._reads, self._nodes, strict=True):
            values.append(node.next(*(values[number] for number in operands)))
        return [values[slot] for slot in self._outputs]
