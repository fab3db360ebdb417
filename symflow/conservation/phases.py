"""Relative phases of full circular filters whose Fourier moduli start equal.

At one frequency ċ_l = F̃ conj(c_{l+1}) and ċ_{l+1} = F̃ conj(c_l), where F̃ has the force
and the coefficients of all other filters.  For q = c_l conj(c_{l+1})

    Im(q̇ q̄) = (|c_{l+1}|² − |c_l|²) Im(F̃ conj(c_l c_{l+1})),

so that the phase of q stands still while the moduli are equal.  They stay so, because
their difference is conserved.  Weight decay multiplies q by a real number only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
import sympy

from symflow.algebra.arrays import Array, is_exact_array, to_float_array, waves
from symflow.algebra.elementwise import hadamard
from symflow.algebra.nodes import Leaf, Node, add, scale, subtract
from symflow.algebra.numbers import as_fraction
from symflow.claims import Claim, Hypothesis, Path, Status, standing, vanishing
from symflow.claims.bibliography import MARCOTTE_2023
from symflow.conservation.generators import Generators
from symflow.conservation.law import Law
from symflow.conservation.noether import NoetherLaw, noether_laws
from symflow.conservation.proof import (
    ProofStep,
    entrywise_step,
    is_proof,
    slope,
)
from symflow.flow import GradientFlow
from symflow.networks import Circulant, Network, Readout

#: Part of the largest product below which a turn counts by its size: the phase of what
#: may be zero cannot be followed.
FAINT = 1e-3

Pair = tuple[Node, Node]


@dataclass(frozen=True, repr=False)
class BalancedPhases(Claim):
    """The relative phases of two adjacent filters with equal Fourier moduli.

    Examples
    --------
    >>> import symflow as sf
    >>> net = sf.ConvolutionalNetwork(3, filters=(3, 3))
    >>> start = [[[1], [2], [4]], [[2], [4], [1]]]
    >>> print(sf.conserved(sf.gradient_flow(net, sf.SquaredLoss()), init=start)[-1])
    the relative phases of w1 and w2 are conserved, for this start
    """

    where = (
        "ŵ_l(k) is the transform of filter l at the frequency k, φ(k) what the "
        "start has"
    )

    law: NoetherLaw  #: The law of the two filters, whose value is zero at the start.
    defect: float  #: How far from zero it is, relative.

    @property
    def name(self) -> str:
        return f"phases Δ{self.law.involved[-1]}"

    @property
    def flow(self) -> GradientFlow:
        return self.law.flow

    @property
    def statement(self) -> sympy.Basic:
        """The argument of ŵ_l conj(ŵ_{l+1}) is what it was at the start."""
        k = sympy.Symbol("k", integer=True)
        first, second = (
            sympy.Function(f"{self.flow.state[place].name}_hat")(k)
            for place in self.law.involved
        )
        phase = sympy.arg(first * sympy.conjugate(second))
        return sympy.Eq(phase, sympy.Function("phi")(k), evaluate=False)

    @property
    def hypotheses(self) -> tuple[Hypothesis, ...]:
        """That the start has equal moduli at every frequency."""
        return (*self.law.hypotheses, _equal_moduli(self.defect, exactly=False))

    reference = MARCOTTE_2023

    @property
    def status(self) -> Status:
        """Proved where the moduli are exactly equal, for every loss and data set."""
        return standing(proved=is_proof(self.proof()), hypotheses=self.hypotheses)

    def slack(self, path: Path) -> Array:
        """Return what moduli that are equal to rounding only add to each residual."""
        return np.full(len(path.t), 100 * self.defect)

    def proof(self) -> Sequence[ProofStep]:
        """Return the proof that the moduli stay equal, and the identity for Im(q̇ q̄)."""
        names = ("a", "b", "c", "d", "f", "g")
        a, b, c, d, f, g = (Leaf(sympy.MatrixSymbol(name, 1, 1)) for name in names)
        here, there, force = (a, b), (c, d), (f, g)
        moved = (*_times(force, _conjugate(there)), *_times(force, _conjugate(here)))
        velocities = dict(zip((x.symbol for x in (a, b, c, d)), moved, strict=True))
        q = _times(here, _conjugate(there))
        rate = slope(q[0], velocities), slope(q[1], velocities)
        turning = _times(rate, _conjugate(q))[1]
        (size, _), (other, _) = (_times(c, _conjugate(c)) for c in (here, there))
        gap = subtract(other, size)
        pulled = _times(force, _conjugate(_times(here, there)))[1]
        reason = (
            "Im(q̇ q̄) = (|c₊|² − |c|²) Im(F̃ conj(c c₊)) with a + ib, c + id and f + ig "
            "for c, c₊ and F̃, at every frequency; the first factor is zero"
        )
        last = entrywise_step(subtract(turning, hadamard(gap, pulled)), reason)
        return [*self.law.proof(), last]

    def residuals(self, path: Path) -> Array:
        """Return the largest |q/|q| − q(0)/|q(0)|| over the frequencies."""
        products = [self._products(path, k) for k in range(len(path.t))]
        rows = [[abs(x) for x in row] for row in products]
        gaps = []
        for sizes, row in zip(rows, products, strict=True):
            turns = [0 * sizes[0]]
            for k in range(len(row)):
                here, there = sizes[k], rows[0][k]
                if here and there:
                    turn = abs(row[k] / here - products[0][k] / there)
                    seen = min(here / max(sizes), there / max(rows[0])) / FAINT
                    turns.append(turn * min(seen, 1))
            gaps.append(max(turns))
        return np.asarray(gaps)

    def _products(self, path: Path, place: int) -> Array:
        """Return q at one time, for every frequency."""
        first, second = (path.weights[k][place].ravel() for k in self.law.involved)
        table = self._table(path, len(first))
        conjugate = np.array([[x.conjugate() for x in row] for row in table])
        return np.asarray((table @ first) * (conjugate @ second))

    def _table(self, path: Path, size: int) -> Array:
        """Return the matrix e^{−2πijk/d} in the arithmetic of the path."""
        if path.context is not None:
            return waves((size,), path.context)
        index = np.outer(np.arange(size), np.arange(size)) % size
        return np.asarray(np.exp(-2j * np.pi * index / size))

    def __str__(self) -> str:
        first, second = (self.flow.state[place].name for place in self.law.involved)
        return (
            f"the relative phases of {first} and {second} are conserved, for this start"
        )


def _times(one: Pair, other: Pair) -> Pair:
    """Return the product of two complex numbers, as real and imaginary parts."""
    (a, b), (c, d) = one, other
    real = subtract(hadamard(a, c), hadamard(b, d))
    return real, add(hadamard(a, d), hadamard(b, c))


def _conjugate(number: Pair) -> Pair:
    return number[0], scale(-1, number[1])


def weights_at(flow: GradientFlow, init: Any, data: Any) -> tuple[Array, ...]:
    """Return the start of a flow: given numbers as they are, others in float64."""
    from symflow.inits import GivenInit, as_init  # not needed for laws of any start

    rule = as_init(init)
    drawn = rule.draw(flow.network, data)
    return rule.weights if isinstance(rule, GivenInit) else drawn


def start_laws(flow: GradientFlow, init: Any, data: Any = None) -> list[BalancedPhases]:
    """Return what is conserved from one start in particular."""
    if flow.learning_rates:
        return []
    circular = [law for law in noether_laws(flow) if _is_of_filters(law)]
    drawn = weights_at(flow, init, data) if circular else ()
    exactly = all(is_exact_array(weight) for weight in drawn)
    found = []
    for law in circular:
        defect = _modulus_defect(law, drawn)
        if _equal_moduli(defect, exactly=exactly).holds:
            found.append(BalancedPhases(law, defect))
    return found


def _is_of_filters(law: Law) -> TypeGuard[NoetherLaw]:
    """Say whether a law is that of two adjacent layers that are full filters."""
    network = law.flow.network
    circular = isinstance(law, NoetherLaw) and law.generators is Generators.CIRCULANT
    return (
        circular
        and isinstance(network, Network)
        and len(law.involved) == 2
        and all(
            isinstance(network.layers[place], Circulant | Readout)
            for place in law.involved
        )
    )


def _equal_moduli(defect: float, *, exactly: bool) -> Hypothesis:
    words = "the Fourier moduli of both filters are equal at the start"
    return vanishing(
        words, defect, "| |c₊|² − |c|² | / (|c₊|² + |c|²)", given_exactly=exactly
    )


def _modulus_defect(law: NoetherLaw, weights: Any) -> float:
    """Return the largest relative gap of the squared moduli over the frequencies.

    Rational filters are compared through their autocorrelations, which are rational.
    """
    pair = [weights[place] for place in law.involved]
    ratios = [[as_fraction(entry) for entry in weight.ravel()] for weight in pair]
    if not any(np.any(weight != 0) for weight in pair):
        return 1.0
    if all(entry is not None for row in ratios for entry in row):
        first, second = (np.array(row, dtype=object) for row in ratios)
        shifts = range(len(first))
        gaps = [second @ np.roll(second, k) - first @ np.roll(first, k) for k in shifts]
        if not any(gaps):
            return 0.0
    squares = [np.abs(np.fft.fft(to_float_array(w).ravel())) ** 2 for w in pair]
    gap, size = np.abs(squares[1] - squares[0]), squares[0] + squares[1]
    # an exact gap is there, even where float64 does not see it
    return float(max(np.max(gap / np.maximum(size, np.finfo(float).tiny)), 1e-16))
