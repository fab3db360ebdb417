"""`claim`: somebody's assertion about a flow, in one line.

What is claimed to be conserved changes at the rate ∇Q · θ̇, which is zero for every
start or refuted by one; limits, rates and modes are in files of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array, as_array, refuse_sets
from symflow.algebra.display import Sheet
from symflow.algebra.from_sympy import from_sympy
from symflow.algebra.nodes import Leaf, Node, Sum, symbols_of
from symflow.algebra.numbers import as_fraction, exact
from symflow.algebra.text import inline
from symflow.algebra.threads import cached_property
from symflow.algebra.values import Values
from symflow.algebra.widths import solve_widths
from symflow.claims import Finding, Path, Reference, Status
from symflow.claims.conditions import squared_loss
from symflow.conservation.law import Law
from symflow.conservation.proof import ProofStep, slope
from symflow.errors import InvalidArgument, NotDifferentiable, shown
from symflow.flow import GradientFlow, dotted
from symflow.validation.asserted_mode import DELTA, LAM, SYMBOLS, AssertedMode, no_modes
from symflow.validation.assertion import (
    READER,
    AssertedLimit,
    AssertedRate,
    Assertion,
)
from symflow.validation.vanishing import Counterexample, Vanishing

_INFINITE = (sympy.oo, -sympy.oo, sympy.zoo, sympy.nan)


@dataclass(frozen=True, eq=False, repr=False)
class AssertedLaw(Law):
    """Somebody's claim that a quantity is conserved; made by `claim`."""

    flow: GradientFlow
    quantity: Any  #: What is claimed to be conserved.
    source: Reference = READER  #: Who claims it.

    @property
    def name(self) -> str:
        """The claim in words."""
        return f"claim: {inline(self.quantity)} is conserved"

    def __str__(self) -> str:
        return f"{self.name}; {self.verdict.value}"

    @property
    def reference(self) -> Reference:
        """Who claims it."""
        return self.source

    @cached_property
    def node(self) -> Node:
        """The quantity as a node."""
        return from_sympy(self.quantity)

    @property
    def involved(self) -> tuple[int, ...]:
        """Which weights occur, counted from 0."""
        found = symbols_of(self.node)
        return tuple(k for k, s in enumerate(self.flow.state) if s in found)

    @property
    def rate(self) -> sympy.Expr:
        """Nothing decays: the claim is that the quantity is constant."""
        return sympy.S.Zero

    @property
    def scope(self) -> str:
        """For what it is claimed to hold."""
        return f"as somebody claims; {self.verdict.value}"

    @property
    def status(self) -> Status:
        """Asserted; `verdict` says what becomes of it."""
        return Status.ASSERTED

    @cached_property
    def moved(self) -> Vanishing:
        """Its rate of change, which is claimed to vanish."""
        speeds = {symbol: Leaf(dotted(symbol)) for symbol in self.flow.state}
        return Vanishing(self.flow, slope(self.node, speeds))

    @property
    def verdict(self) -> Status:
        """Proved, refuted by a counterexample in exact numbers, or undecided."""
        return self.moved.verdict

    def _sheet(self) -> Sheet:
        return replace(super()._sheet(), title=f"{self} ({self.source})", notes=())

    def proof(self) -> list[ProofStep]:
        """Return Q̇ = 0 in words, for every force or that of the loss; or nothing."""
        return self.moved.proof()

    @property
    def counterexample(self) -> Counterexample | None:
        """The smallest exact weights and data found at which it moves, if any."""
        return self.moved.counterexample

    def finding(self, balls: Any, index: int) -> Finding | str:  # type: ignore[override]
        """Return Q(t) − Q(0) in balls, or why there is no ball arithmetic for Q."""
        try:
            return super().finding(balls, index)
        except InvalidArgument as reason:
            return f"no ball arithmetic for this claim: {reason}"

    def size(self, path: Path) -> Array:
        """Return the largest entry of the terms of Q along a path."""
        terms = self.node.terms if isinstance(self.node, Sum) else (self.node,)
        values = Values(dict(zip(self.flow.state, path.weights, strict=True)))
        flat = (abs(entry) for term in terms for entry in values.of(term).flat)
        return np.asarray([max(flat)])


def claim(
    flow: GradientFlow,
    *,
    conserved: Any = None,
    mode_ode: Any = None,
    limit: Any = None,
    rate: Any = None,
    source: Reference = READER,
) -> AssertedLaw | Assertion:
    """Claim something about a flow, for `validate` and `certify`: one of four kinds.

    Parameters
    ----------
    flow : GradientFlow
        The flow; of the squared loss without weight decay for a rate.
    conserved : sympy.Expr or sympy.MatrixExpr, keyword-only
        A polynomial in the weights, the matrix symbols of ``flow.state``.
    mode_ode : sympy.Expr, keyword-only
        The right side of ẇ = f for a singular value w of W where data and start share
        singular vectors, in ``w``, ``sigma`` and ``lambda`` (or ``lam``), those of
        Σ_yx and Σ_xx; the start is balanced, or has ``delta`` = b² − a².
    limit : array_like, shape (m, d), keyword-only
        Where W(t) goes; exact numbers are meant exactly.
    rate : number, keyword-only
        c in ℒ(t) − ℒ* ≤ e^{−ct}(ℒ(0) − ℒ*).
    source : Reference, keyword-only
        Who claims it.

    Returns
    -------
    AssertedLaw, AssertedMode, AssertedLimit or AssertedRate
        Of status *asserted*.  What needs no data has a `verdict`: proved, refuted or
        undecided, with `proof()` and `counterexample`.

    Raises
    ------
    InvalidArgument
        If the flow is no gradient flow in ordinary time, or what is claimed makes no
        sense for it, or is not exactly one thing.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), sf.SquaredLoss())
    >>> first, second = flow.state
    >>> true = sf.claim(flow, conserved=second.T * second - first * first.T)
    >>> false = sf.claim(flow, conserved=second.T * second + first * first.T)
    >>> true.status.value, true.verdict.value, false.verdict.value
    ('asserted', 'proved', 'refuted')
    >>> false.counterexample.rate
    array([[Fraction(-6, 1)]], dtype=object)
    """
    if not isinstance(flow, GradientFlow) or flow.clock != "time":
        msg = (
            f"claim(flow, …): needs a gradient flow in ordinary time; got {shown(flow)}"
        )
        raise InvalidArgument(msg)
    given: dict[Any, Any] = {
        _law: conserved,
        _mode: mode_ode,
        _limit: limit,
        _rate: rate,
    }
    said = [(make, value) for make, value in given.items() if value is not None]
    if len(said) != 1:
        msg = "claim(flow, …): needs one of conserved=, mode_ode=, limit= and rate="
        raise InvalidArgument(msg)
    ((make, value),) = said
    made: AssertedLaw | Assertion = make(flow, value, source)
    return made


def _law(flow: GradientFlow, conserved: Any, source: Reference) -> AssertedLaw:
    try:
        node = from_sympy(conserved)
    except NotDifferentiable as problem:
        msg = f"claim(flow, conserved=…): cannot be differentiated; {problem}"
        raise InvalidArgument(msg) from None
    found = symbols_of(node)
    strange = [str(symbol) for symbol in found if symbol not in flow.state]
    if strange or not found:
        msg = (
            f"claim(flow, conserved=…): needs an expression in the weights "
            f"{flow.state}; got {shown(conserved)} with {strange or 'none of them'}"
        )
        raise InvalidArgument(msg)
    made = AssertedLaw(flow, conserved, source)
    _ = made.moved  # refuses letters that mean something else
    return made


def _mode(flow: GradientFlow, equation: Any, source: Reference) -> AssertedMode:
    named = {symbol.name: symbol for symbol in SYMBOLS} | {"lam": LAM}
    named |= {symbol.name: symbol for symbol in flow.parameters}
    fine = isinstance(equation, sympy.Expr) and not equation.has(*_INFINITE)
    letters = equation.free_symbols if fine else ()
    known = {s: named.get(getattr(s, "name", "")) for s in letters}
    if not fine or None in known.values():
        letters, got = ", ".join(named), shown(equation)
        msg = f"claim(flow, mode_ode=…): needs f in {letters}; got {got}"
        raise InvalidArgument(msg)
    apart = no_modes(flow, DELTA in known.values())
    if apart:
        msg = f"claim(flow, mode_ode=…): {apart}; got {shown(flow)}"
        raise InvalidArgument(msg)
    known |= {number: exact(number) for number in equation.atoms(sympy.Float)}
    return AssertedMode(flow, equation.xreplace(known), source)


def _limit(flow: GradientFlow, limit: Any, source: Reference) -> AssertedLimit:
    what, ends = "claim(flow, limit=…)", flow.network.widths
    value = as_array(limit, what)
    refuse_sets([value])
    solve_widths([(what, (ends[-1], ends[0]), value.shape)])
    return AssertedLimit(flow, value, source)


def _rate(flow: GradientFlow, rate: Any, source: Reference) -> AssertedRate:
    number, plain = as_fraction(exact(rate)), squared_loss(flow).holds
    if number is None or number < 0 or not (plain and flow.is_gradient):
        msg = (
            "claim(flow, rate=…): needs a rational number ≥ 0, and the squared loss "
            f"without weight decay at one learning rate; got {shown(rate)} for {flow!r}"
        )
        raise InvalidArgument(msg)
    return AssertedRate(flow, number, source)
