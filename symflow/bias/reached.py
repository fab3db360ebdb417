"""Which stationary point a classifying run singles out, measured.

For L ≥ 3 layers and for tensors the theorems name a set of stationary points only.  A
run in the clock of its loss (`directional_flow`) shows the one that is approached.
Σ|ρ_j|^{2/L} is concave in every orthant, so that its least value under margins of at
least 1 is taken at a vertex: as many active margins as coefficients that are not zero.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from symflow.algebra.arrays import Array
from symflow.algebra.display import Displayed, Sheet

#: Vertices that are looked at, and what a margin of 1 may be off.
MOST_VERTICES, ROUNDED = 20_000, 1e-9
#: KKT residual and turn below which a direction counts as singled out.
SETTLED = 0.02


@dataclass(frozen=True, eq=False, repr=False)
class Reached(Displayed):
    """Where a run points at its end; made by `reached` of a predicted direction."""

    direction: Array  #: Shape (1, d): β/‖β‖ at the last time.
    kkt: float  #: How far it is from stationary: the `kkt_residual` of the prediction.
    turned: float  #: By how much it has turned since half the clock, in radians.
    margin: float  #: The smallest y_i⟨β, x_i⟩ of the direction.
    #: `objective`, `least`: Σ|ρ_j|^{2/L} at margin 1, and its global minimum; NaN where
    #: it is not known.
    objective: float = np.nan
    least: float = np.nan

    @property
    def settled(self) -> bool:
        """Whether one stationary point is singled out, as far as the run shows."""
        return self.margin > 0 and max(self.kkt, self.turned) <= SETTLED

    @property
    def excess(self) -> float:
        """How far the objective is above its global minimum, relative."""
        return self.objective / self.least - 1

    def _sheet(self) -> Sheet:
        where = "a stationary point is singled out" if self.settled else "not settled"
        names = ("kkt", "turned", "margin", "objective", "least", "excess")
        rows = tuple((name, f"{getattr(self, name):.4g}") for name in names)
        way = ("direction", str(self.direction[0].round(4).tolist()))
        return Sheet(f"{where}, measured", rows=(way, *rows))


def least_power(columns: Array, depth: int) -> float:
    """Return the least Σ|ρ_j|^{2/L} under columns·ρ ≥ 1, for L ≥ 2 and real columns.

    NaN where there are too many vertices to look at.
    """
    samples, size = columns.shape
    if comb(samples + size, size) > MOST_VERTICES or np.iscomplexobj(columns):
        return float("nan")
    best = float("inf")
    for count in range(1, min(samples, size) + 1):
        for rows in combinations(range(samples), count):
            for support in combinations(range(size), count):
                inner = columns[np.ix_(rows, support)]
                if abs(np.linalg.det(inner)) < ROUNDED * np.abs(inner).max() ** count:
                    continue
                rho = np.linalg.solve(inner, np.ones(count))
                if np.min(columns[:, support] @ rho) >= 1 - ROUNDED:
                    best = min(best, float(np.sum(np.abs(rho) ** (2 / depth))))
    return best
