"""Taylor series of a flow, generated from its program for any arithmetic.

The right-hand side of θ̇ = f(θ) is a straight-line program.  Run on power series, one
order at a time, it yields the recurrence

    θ_{k+1} = f_k / (k + 1),    (A B)_k = Σ_j A_j B_{k−j},

in which a product with constant data is a single product and a product of two series
is an online convolution.  Coefficients are scaled: order k carries the factor unit^k,
for a unit of time near the step, so that their size stays moderate.

A heavy ball whose friction is c/t has no such right-hand side at t = 0.  Of
t v̇ = t a − c v the coefficients at a time t are, with a for the accelerations,

    t (k+1) v_{k+1} = t a_k + a_{k−1} − (c + k) v_k,

and at t = 0, from rest, (k + 1 + c) v_{k+1} = a_k.

Every operation of a program has one entry in `series_rules.RULES` or in
`series_quotients.QUOTIENTS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from typing import Any

from symflow.codegen.inplace import result_shapes
from symflow.codegen.program import Instruction, Program
from symflow.codegen.series_arithmetic import (
    Arithmetic as Arithmetic,
    Convolution as Convolution,
    Multiply as Multiply,
    Shape as Shape,
)
from symflow.codegen.series_quotients import QUOTIENTS
from symflow.codegen.series_rules import RULES, Occurrence, Rule, SeriesNode, Slot
from symflow.errors import NoClosedForm


def _rule(step: Instruction) -> Rule:
    rule = RULES.get(step.operation) or QUOTIENTS.get(step.operation)
    if rule is None:
        msg = (
            f"taylor: no series recurrence for the operation {step.operation!r} of "
            "this flow. Use simulate(…)"
        )
        raise NoClosedForm(msg)
    return rule


@dataclass(frozen=True)
class Fading:
    """The friction c/t of velocities, the second half of a state, in an expansion."""

    c: Fraction
    t: Fraction  # where the series is expanded

    def next(
        self, arithmetic: Arithmetic, forces: Sequence[Any], known: Any, unit: Fraction
    ) -> Any:
        """Return the next coefficient of a velocity.

        `forces` are all coefficients of its acceleration, `known` its last one.
        """
        order = len(forces)
        if not self.t:
            parts = [(forces[-1], unit / (order + self.c), 1)]
        else:
            before = forces[-2] if order > 1 else None
            drag = -(self.c + order - 1) * unit / self.t
            parts = [(forces[-1], unit, order), (before, unit**2 / self.t, order)]
            parts.append((known, drag, order))
        moved = [
            arithmetic.integrate(matrix, count, factor)
            for matrix, factor, count in parts
            if matrix is not None
        ]
        return reduce(arithmetic.add, moved) if moved else None


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
        slots = [Slot(s, n >= state) for n, s in enumerate(shapes)]
        results: Any = (shape or (1, 1) for shape in result_shapes(program, shapes))
        self._nodes: list[SeriesNode] = []
        for step, shape in zip(program.instructions, results, strict=True):
            operands = [slots[number] for number in step.operands]
            at = Occurrence(arithmetic, step, operands, shape, order)
            slots.append(at.result)
            self._nodes.append(_rule(step)(at))

    def run(
        self, start: Sequence[Any], unit: Fraction, fading: Fading | None = None
    ) -> list[list[Any]]:
        """Return, for every state matrix, its scaled coefficients up to the order.

        A recurrence is used once: its convolutions remember what was pushed.
        """
        series: list[list[Any]] = [[matrix] for matrix in start]
        moving = series[len(series) // 2 :] if fading else []
        forces: list[list[Any]] = [[] for _ in moving]
        for order in range(self._order):
            rates = self._rates([terms[-1] for terms in series], order)
            still = len(rates) - len(moving)
            integrals = self._arithmetic.integrate_all(rates[:still], order + 1, unit)
            for known, past, rate in zip(moving, forces, rates[still:], strict=True):
                past.append(rate)
                assert fading is not None
                args = (self._arithmetic, past, known[-1], unit)
                integrals.append(fading.next(*args))
            for terms, integral in zip(series, integrals, strict=True):
                terms.append(integral)
        return series

    def _rates(self, state: list[Any], order: int) -> list[Any]:
        """Return the coefficients of one order of all outputs."""
        constants = self._constants if order == 0 else [None] * len(self._constants)
        values = [*state, *constants]
        for operands, node in zip(self._reads, self._nodes, strict=True):
            values.append(node(*(values[number] for number in operands)))
        return [values[slot] for slot in self._outputs]
