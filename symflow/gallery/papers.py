"""Four lines of papers, statement by statement: what is covered, and by which results.

How a statement is covered follows from what the result that states it took from the
paper (`contributes`); only what is not covered says so itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from symflow.algebra.display import Displayed, Sheet
from symflow.claims import Reference
from symflow.claims.bibliography import (
    CHEN_2022,
    EFTEKHARI_2020,
    GIDEL_2019,
    MIN_2021,
    MIN_2023,
    XU_2023,
    XU_2025,
    YUN_2021,
)

#: Paper, statement in words, and the results that cover it, or why none does.
STATEMENTS: tuple[tuple[Reference, str, str], ...] = (
    (MIN_2021, "rate at each instant, from imbalance and product", "InstantaneousRate"),
    (MIN_2021, "rate from the imbalance alone", "ImbalanceRate"),
    (MIN_2021, "rate from the imbalance and the margin of the start", "MarginRate"),
    (MIN_2021, "bounds on λ(W_2ᵀW_2), λ(W_1W_1ᵀ)", "KernelFloor KernelCeiling"),
    (MIN_2021, "the weights converge to a point without misfit", "PathLength"),
    (MIN_2021, "the bound at an instant is attained", "min-tight erratum-pairing"),
    (MIN_2021, "the two parts that leave the row space", "RowSpaceSplit"),
    (MIN_2021, "invariant set that ends at the least norm", "LeastNorm"),
    (MIN_2021, "distance to the least norm for a given start", "DistanceBound"),
    (MIN_2021, "distance ∝ h^(1/2 − 2α) for wide random starts", "min-width"),
    (MIN_2021, "the least width of that theorem", "—: a polynomial left open there"),
    (MIN_2023, "two layers, strongly convex loss", "ConvexityRate erratum-half"),
    (MIN_2023, "three layers, any start", "ThreeLayerRate"),
    (MIN_2023, "unimodal imbalance, any depth", "UnimodalRate"),
    (MIN_2023, "homogeneous imbalance, any depth", "HomogeneousRate erratum-square"),
    (MIN_2023, "scaled outputs", "erratum-output"),
    (MIN_2023, "loss with ‖∇ℓ‖ ≥ γ(ℓ − ℓ*): O(1/t)", "—: rates ask for squared loss"),
    (XU_2023, "one step of descent", "OneStep"),
    (XU_2023, "descent at a uniform rate", "UniformDescent"),
    (XU_2023, "drift of the imbalance under descent", "ImbalanceDrift"),
    (XU_2025, "descent for losses that are no squared one", "UniformDescent OneStep"),
    (YUN_2021, "tensor, classification: singular vectors", "SingularVectors"),
    (YUN_2021, "dense layers, classification: ℓ₂ margin", "DenseMaxMargin"),
    (YUN_2021, "decomposable, classification: ℓ_{2/L} margin", "ModeMaxMargin"),
    (YUN_2021, "full filters: ℓ_{2/L} margin of the transform", "ModeMaxMargin"),
    (YUN_2021, "classification: starts of total loss below 1", "VanishingLoss"),
    (YUN_2021, "two layers, one sample, classification", "OneSampleDirection"),
    (YUN_2021, "two layers, one sample, regression", "OneSampleLimit OneSample"),
    (
        YUN_2021,
        "filters of 1, 2 and d, one sample",
        "OneSampleLimit OneSampleDirection",
    ),
    (YUN_2021, "decomposable, regression: the loss vanishes", "OrderedModesRate"),
    (YUN_2021, "decomposable, regression: the potential Q", "DiagonalPotential"),
    (YUN_2021, "Q as the scale goes to 0: (weighted) ℓ₁", "yun-rich yun-sparse"),
    (YUN_2021, "Q as the scale goes to ∞: weighted ℓ₂", "yun-lazy"),
    (YUN_2021, "dense layers in order: the loss vanishes", "OrderedRate"),
    (YUN_2021, "dense layers, scale → 0: least norm", "DeepDistance yun-scale"),
    (YUN_2021, "dense layers, scale → ∞: the kernel solution", "yun-kernel"),
    (
        YUN_2021,
        "L ≥ 3: which stationary point",
        "—: only measured, by bias.reached(run)",
    ),
    (
        YUN_2021,
        "full filters, regression on several samples",
        "—: phases turn, Q is not exact (yun-fourier-validity)",
    ),
    (YUN_2021, "not decomposable, regression", "—: known of one sample alone"),
    (YUN_2021, "layers with activations", "—: linear networks alone"),
    (EFTEKHARI_2020, "the equations of s, u and v", "InducedFlow RankOne"),
    (EFTEKHARI_2020, "a stable set", "StableSet"),
    (EFTEKHARI_2020, "convergence from it to the best rank one", "Alignment"),
    (EFTEKHARI_2020, "far away: faster with depth", "FarAway"),
    (EFTEKHARI_2020, "close by: the local rate", "RankOneRate"),
    (EFTEKHARI_2020, "time of the flow to accuracy ε", "RankOneRate"),
    (EFTEKHARI_2020, "steps of descent to accuracy ε", "DescentComplexity"),
    (EFTEKHARI_2020, "networks without a layer of one unit", "—: left open there"),
    (CHEN_2022, "limits from balanced starts, saddles included", "RankOneLimit"),
    (CHEN_2022, "rate at which a saddle is left", "eftekhari-saddles"),
    (
        CHEN_2022,
        "stages from sublinear to linear",
        "—: the constants of the stages are not at hand",
    ),
    (GIDEL_2019, "the linear model learns all modes at once", "LinearRegression"),
    (GIDEL_2019, "two layers, vanishing start: modes one by one", "Staircase"),
    (GIDEL_2019, "nearly commuting correlations", "PerturbedModes"),
    (GIDEL_2019, "descent: each mode between two curves", "DescentCorridor"),
    (GIDEL_2019, "descent: phases, and the step without overshoot", "gidel-step"),
    (GIDEL_2019, "descent, more layers", "—: its corridor is that of two layers"),
    (GIDEL_2019, "the path passes near reduced-rank regression", "gidel-regression"),
)


@dataclass(frozen=True)
class Statement:
    """One statement of a paper, by which results it is covered, and how.

    The `verdict` is "as stated", "constants ours", "stronger", "corrected", "measured"
    or "not covered".
    """

    paper: Reference
    statement: str
    verdict: str
    by: str


@dataclass(frozen=True, repr=False)
class Papers(Displayed):
    """The statements of the papers; made by `judged`, and a part of `Coverage`."""

    statements: tuple[Statement, ...]

    def to_records(self) -> list[dict[str, Any]]:
        """Return the statements as plain values, for JSON."""
        return [{**vars(row), "paper": str(row.paper)} for row in self.statements]

    def _sheet(self) -> Sheet:
        rows = [(str(s.paper), s.statement, s.verdict, s.by) for s in self.statements]
        covered = sum(s.verdict != "not covered" for s in self.statements)
        return Sheet(
            f"{covered} of {len(rows)} statements of the papers",
            rows=tuple(rows),
            header=("paper", "statement", "verdict", "by, or why not"),
            most=len(rows),
        )


def judged(results: Iterable[Any]) -> Papers:
    """Return the verdict on every statement, from the results of the catalogues."""
    known = {item.name: item for item in results}
    rows = []
    for paper, statement, by in STATEMENTS:
        if by.startswith("—"):
            rows.append(Statement(paper, statement, "not covered", by[3:]))
            continue
        found = [known[name] for name in by.split()]
        said = _verdict([item.kind for item in found], found[0].contributes)
        rows.append(Statement(paper, statement, said, by.replace(" ", ", ")))
    return Papers(tuple(rows))


def _verdict(kinds: list[str], contributes: str) -> str:
    """Return how a statement is covered, by what the first result took from it."""
    if "erratum" in kinds:
        return "corrected"
    if kinds[0] == "experiment":
        return "measured"
    if "constants" in contributes:
        return "constants ours"
    return "stronger" if "here" in contributes or ";" in contributes else "as stated"
