"""Relative phases of full circular filters whose Fourier moduli start equal.

At one frequency ċ_l = F̃ conj(c_{l+1}) and ċ_{l+1} = F̃ conj(c_l), where F̃ has the force
and the coefficients of all other filters.  For q = c_l conj(c_{l+1})

    Im(q̇ q̄) = (|c_{l+1}|² − |c_l|²) Im(F̃ conj(c_l c_{l+1})),

so that the phase of q stands still while the moduli are equal.  They stay so, because
their difference is conserved.  Weight decay multiplies q by a real number only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.calculus import push_forward
from symflow.algebra.elementwise import hadamard
from symflow.algebra.nodes import Leaf, Node, add, scale, subtract
from symflow.claims import Claim, Hypothesis, Path, Reference, Status
from symflow.claims.bibliography import MARCOTTE_2023
from symflow.conservation.proof import ProofStep, entrywise_step
from symflow.conservation.symmetry import MomentLaw, Symmetry, layer_laws
from symflow.flow import GradientFlow
from symflow.inits import as_init

#: How far moduli may differ, relative, to count as equal.
EQUAL = 1e-12


@dataclass(frozen=True, repr=False)
class BalancedPhases(Claim):
    """The relative phases of two adjacent filters with equal Fourier moduli.

    Parameters
    ----------
    law : MomentLaw
        The law of the two filters, whose value is zero at the start.
    defect : float
        How far from zero it is, relative.

    Examples
    --------
    >>> import symflow as sf
    >>> net = sf.ConvolutionalNetwork(3, filters=(3, 3))
    >>> start = [[[1], [2], [4]], [[2], [4], [1]]]
    >>> print(sf.conserved(sf.gradient_flow(net, sf.SquaredLoss()), init=start)[-1])
    the relative phases of w1 and w2 are conserved, for this start
    """

    law: MomentLaw
    defect: float

    @property
    def name(self) -> str:
        """A short name for tables."""
        return f"phases Δ{self.law.layer}"

    @property
    def flow(self) -> GradientFlow:
        """The flow."""
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
        words = "the Fourier moduli of both filters are equal at the start"
        detail = f"up to {self.defect:.1e}" if self.defect else "exactly"
        found = Hypothesis(words, holds=True, detail=detail, defect=self.defect)
        return (*self.law.hypotheses, found)

    @property
    def reference(self) -> Reference:
        """Where laws of such networks are studied."""
        return MARCOTTE_2023

    @property
    def status(self) -> Status:
        """Proved, for every loss and data set, from this start."""
        return Status.PROVED

    def slack(self, path: Path) -> Array:
        """Return what moduli that are equal to rounding only add to each residual.

        Parameters
        ----------
        path : Path
            A trajectory; the answer has one number per time.
        """
        return np.full(len(path.t), 100 * self.defect)

    def proof(self) -> list[ProofStep]:
        """Return the proof that the moduli stay equal, and the identity for Im(q̇ q̄).

        Returns
        -------
        list of ProofStep
            The last one is for one frequency, in real and imaginary parts.
        """
        names = ("a", "b", "c", "d", "f", "g")
        a, b, c, d, f, g = (Leaf(sympy.MatrixSymbol(name, 1, 1)) for name in names)
        velocities: dict[sympy.MatrixSymbol, Node] = {
            a.symbol: add(hadamard(f, c), hadamard(g, d)),
            b.symbol: subtract(hadamard(g, c), hadamard(f, d)),
            c.symbol: add(hadamard(f, a), hadamard(g, b)),
            d.symbol: subtract(hadamard(g, a), hadamard(f, b)),
        }
        real = add(hadamard(a, c), hadamard(b, d))
        imaginary = subtract(hadamard(b, c), hadamard(a, d))
        slopes = [push_forward(part, velocities) for part in (real, imaginary)]
        assert slopes[0] is not None
        assert slopes[1] is not None
        turning = subtract(hadamard(real, slopes[1]), hadamard(imaginary, slopes[0]))
        squares = [hadamard(leaf, leaf) for leaf in (a, b, c, d)]
        gap = add(squares[2], squares[3], *(scale(-1, x) for x in squares[:2]))
        product = subtract(hadamard(a, c), hadamard(b, d))
        other = add(hadamard(a, d), hadamard(b, c))
        pulled = subtract(hadamard(g, product), hadamard(f, other))
        reason = (
            "Im(q̇ q̄) = (|c₊|² − |c|²) Im(F̃ conj(c c₊)) with a + ib, c + id and f + ig "
            "for c, c₊ and F̃, at every frequency; the first factor is zero"
        )
        step = entrywise_step(subtract(turning, hadamard(gap, pulled)), reason)
        return [*self.law.proof(), step]

    def residuals(self, path: Path) -> Array:
        """Return the largest |q/|q| − q(0)/|q(0)|| over the frequencies."""
        units = np.array([self._directions(path, k) for k in range(len(path.t))])
        gaps = [[abs(x) for x in row] for row in units - units[0]]
        return np.asarray([max(row) for row in gaps])

    def _directions(self, path: Path, place: int) -> Array:
        """Return q/|q| at one time, for every frequency."""
        first, second = (path.weights[k][place].ravel() for k in self.law.involved)
        table = self._table(path, len(first))
        conjugate = np.array([[x.conjugate() for x in row] for row in table])
        q = (table @ first) * (conjugate @ second)
        return np.array([x / abs(x) for x in q])

    def _table(self, path: Path, size: int) -> Array:
        """Return the matrix e^{−2πijk/d} in the arithmetic of the path."""
        context = path.context
        index = np.outer(np.arange(size), np.arange(size)) % size
        if context is None:
            return np.asarray(np.exp(-2j * np.pi * index / size))
        roots = [context.expjpi(context.mpf(-2 * k) / size) for k in range(size)]
        return np.array([[roots[k] for k in row] for row in index], dtype=object)

    def __str__(self) -> str:
        first, second = (self.flow.state[place].name for place in self.law.involved)
        return (
            f"the relative phases of {first} and {second} are conserved, for this start"
        )


def start_laws(flow: GradientFlow, init: Any, data: Any = None) -> list[BalancedPhases]:
    """Return what is conserved from one start in particular.

    Parameters
    ----------
    flow : GradientFlow
        The flow.
    init : Init or sequence of array_like
        The start.
    data : Dataset or Moments, optional
        Where the rule needs them.
    """
    if flow.learning_rates:
        return []
    circular = [
        law
        for law in layer_laws(flow)
        if isinstance(law, MomentLaw) and law.symmetry is Symmetry.CIRCULANT
    ]
    drawn = as_init(init).draw(flow.network, data) if circular else ()
    weights = [to_float_array(weight) for weight in drawn]
    found = []
    for law in circular:
        value = law.value(weights)
        size = max(float(np.sum(weights[place] ** 2)) for place in law.involved)
        defect = float(np.max(np.abs(value))) / size if size else 1.0
        if defect <= EQUAL:
            found.append(BalancedPhases(law, defect))
    return found
