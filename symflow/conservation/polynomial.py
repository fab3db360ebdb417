"""All polynomial laws of a given degree, by exact linear algebra over ℚ.

A polynomial Q of the weights is conserved for every loss and data set exactly when
∇Q · ∇W_ij = 0 as polynomials, for every entry of the end-to-end matrix.  For a
homogeneous Q this is a linear system for its coefficients.  Products of laws of lower
degree are found again: the laws are linearly independent, not functionally.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations_with_replacement
from math import comb, prod
from typing import Any

import numpy as np
import sympy
from sympy.polys.rings import ring

from symflow.algebra.arrays import Array
from symflow.algebra.entries import entrywise, explicit
from symflow.algebra.numbers import exact, whole
from symflow.algebra.threads import cached_property
from symflow.claims import Path
from symflow.conservation.inputs import spanned_inputs
from symflow.conservation.law import Quantity
from symflow.conservation.null_space import content, relations
from symflow.conservation.proof import ProofStep
from symflow.conservation.tensor import as_matrix
from symflow.errors import InvalidArgument
from symflow.flow import GradientFlow

#: More monomials than this are refused: exact linear algebra would take hours.
MOST_MONOMIALS = 3000


@dataclass(frozen=True)
class PolynomialSearch:
    """Search for all homogeneous polynomial laws of one degree.

    Parameters
    ----------
    degree : int
        Degree of the polynomials in the entries of the weights.

    Raises
    ------
    InvalidArgument
        If the degree is not a positive integer.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(2, 1, 1), sf.SquaredLoss())
    >>> (law,) = sf.conserved(flow, search=PolynomialSearch(degree=2))
    >>> law.expr
    W1_0_0**2 + W1_0_1**2 - W2_0_0**2
    """

    degree: int

    def __post_init__(self) -> None:
        whole(self.degree, "PolynomialSearch(degree=…)")

    def __call__(self, flow: GradientFlow, data: Any = None) -> list[PolynomialLaw]:
        """Return a basis of the laws of this degree, for all data or given inputs.

        Parameters
        ----------
        flow : GradientFlow
            With integer widths.
        data : Dataset or Moments, optional
            Its inputs; the laws hold for every loss and every label.
        """
        if flow.decays_differ:
            return []  # decay at several rates lets no homogeneous polynomial decay
        variables, speeds = _variables(flow), _speeds(flow)
        count = comb(len(variables) + self.degree - 1, self.degree)
        if count > MOST_MONOMIALS:
            msg = (
                f"PolynomialSearch(degree={self.degree}): {len(variables)} weights "
                f"have {count} monomials of this degree; {MOST_MONOMIALS} is the most. "
                "Take a smaller network or degree, or count_conserved"
            )
            raise InvalidArgument(msg)
        domain, *generators = ring(variables, sympy.QQ)
        inputs = None
        if data is not None:
            call = "conserved(flow, data=…)"
            inputs = as_matrix(spanned_inputs(flow.network, data, call))
        rows = _outputs(flow, inputs)
        outputs = [domain.from_expr(sympy.expand(entry)) for entry in rows]
        pairs = list(zip(generators, speeds, strict=True))
        fields = [[phi.diff(x) * rate for x, rate in pairs] for phi in outputs]
        choices = combinations_with_replacement(generators, self.degree)
        monomials = [prod(choice, start=domain.one) for choice in choices]
        return [
            PolynomialLaw(flow, _primitive(law, monomials).as_expr(), inputs)
            for law in relations([_rates(m, generators, fields) for m in monomials])
        ]


@dataclass(frozen=True, repr=False)
class PolynomialLaw(Quantity):
    """A homogeneous polynomial of the weights that is conserved; found by a search."""

    flow: GradientFlow
    expr: sympy.Expr  #: The polynomial, in the scalar symbols of `flow.entries`.
    #: A basis, as rows, of the inputs for which it is conserved; all without it.
    inputs: sympy.ImmutableDenseMatrix | None = None

    @property
    def name(self) -> str:
        return f"polynomial of degree {self.degree}"

    @cached_property
    def degree(self) -> int:
        """The degree."""
        return int(sympy.Poly(self.expr, *_variables(self.flow)).total_degree())

    @property
    def rate(self) -> sympy.Expr:
        """The rate r in Q(t) = e^{−rt} Q(0): the degree times the weight decay."""
        return self.degree * self.flow.loss.l2

    @property
    def scope(self) -> str:
        data = "data set" if self.inputs is None else "label of these inputs"
        return f"for every loss and {data}"

    def check(self) -> bool:
        """Differentiate again by SymPy and say whether Q̇ = −rQ for every loss.

        Along the flow it is ∇Q · η∇W_ij = 0 for all entries, and the weight decay alone
        lets Q decay at the rate that is claimed.
        """
        return self.is_proved

    def proof(self) -> Sequence[ProofStep]:
        """Return no steps: `check` differentiates the polynomial."""
        return []

    @cached_property
    def is_proved(self) -> bool:
        """Whether the coefficients solve the equations exactly."""
        pairs = list(zip(_variables(self.flow), _speeds(self.flow), strict=True))
        slopes = [(v, self.expr.diff(v) * rate) for v, rate in pairs]
        decay = self.flow.loss.l2 * sum(v * slope for v, slope in slopes)
        entries = _outputs(self.flow, self.inputs)
        changes = [sum(slope * phi.diff(v) for v, slope in slopes) for phi in entries]
        changes.append(decay - self.rate * self.expr)
        return all(sympy.expand(change) == 0 for change in changes)

    def value(self, weights: Any) -> Array:
        """Return the quantity at given weights."""
        return np.asarray(sum(self._terms(weights)))

    def _terms(self, weights: Any) -> Iterator[Any]:
        arrays = [np.asarray(w) for w in weights]
        flat = [w.reshape(*w.shape[:-2], -1) for w in arrays]
        entries = np.concatenate(flat, axis=-1)
        polynomial = sympy.Poly(self.expr, *_variables(self.flow))
        for powers, coefficient in polynomial.terms():
            term: Any = int(coefficient)
            for place, power in enumerate(powers):
                for _ in range(power):
                    term = term * entries[..., place]
            yield term

    def size(self, path: Path) -> Array:
        """Return the largest term along a path."""
        terms = self._terms(path.weights)
        return np.asarray([max(abs(value) for term in terms for value in term.flat)])

    @property
    def _written(self) -> str:
        return str(self.expr)


def _outputs(flow: GradientFlow, inputs: sympy.ImmutableDenseMatrix | None) -> Any:
    """Return the entries of W, or of W Xᵀ for a basis of the inputs."""
    entries = entrywise(flow.network.end_to_end)
    return entries if inputs is None else entries * inputs.T


def _variables(flow: GradientFlow) -> list[sympy.Symbol]:
    if not all(s.shape[0].is_Integer and s.shape[1].is_Integer for s in flow.state):
        msg = (
            "PolynomialSearch(…): needs integer widths, because polynomials in the "
            f"entries depend on them; got {flow.network!r}"
        )
        raise InvalidArgument(msg)
    return [entry for symbol in flow.state for entry in explicit(symbol)]


def _speeds(flow: GradientFlow) -> list[sympy.Expr]:
    """Return the learning rate of every variable."""
    speeds = [flow.speed(k) for k in range(len(flow.state))]
    for rate in map(sympy.sympify, speeds):
        if not isinstance(exact(rate) if rate.is_number else rate, sympy.Rational):
            msg = (
                "PolynomialSearch(…): needs learning rates that are rational numbers, "
                f"because the search is exact; got {rate}"
            )
            raise InvalidArgument(msg)
    pairs = zip(speeds, flow.state, strict=True)
    return [exact(rate) for rate, symbol in pairs for _ in explicit(symbol)]


def _rates(
    monomial: Any, generators: list[Any], fields: list[Any]
) -> dict[Any, Fraction]:
    """Return the coefficients of ∇monomial · ∇φ for all φ, by φ and monomial."""
    slopes = [(k, s) for k, x in enumerate(generators) if (s := monomial.diff(x))]
    found: dict[Any, Fraction] = {}
    for number, field in enumerate(fields):
        total: Any = sum((slope * field[k] for k, slope in slopes), monomial.ring.zero)
        for powers, value in total.terms():
            found[number, powers] = Fraction(
                int(value.numerator), int(value.denominator)
            )
    return found


def _primitive(law: Any, monomials: list[Any]) -> Any:
    """Return a combination of monomials without common factor, first sign positive."""
    pairs = [(c, m) for c, m in zip(law, monomials, strict=True) if c]
    unit = content([c for c, _ in pairs])
    unit = -unit if pairs[0][0] < 0 else unit
    return sum((m * int(c / unit) for c, m in pairs), monomials[0].ring.zero)
