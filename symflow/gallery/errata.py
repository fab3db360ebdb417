"""Formulas that need a correction, each with an exact counterexample in rationals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from math import isqrt

from symflow.claims import Reference
from symflow.claims.bibliography import MIN_2021, MIN_2023
from symflow.gallery.entry import Entry, Line


@dataclass(frozen=True)
class Erratum(Entry):
    """An inequality measured ≥ bound that fails as printed and holds as corrected."""

    #: `key`, `claim`, `correction`: short name, the formula as printed, and what it
    #: should say.
    key: str
    claim: str
    correction: str
    paper: Reference  #: Where it is printed.
    #: Returns (measured, printed bound, corrected bound) as exact numbers.
    sides: Callable[[], tuple[Fraction, Fraction, Fraction]]

    def run(self, digits: int) -> Line:
        measured, printed, corrected = self.sides()
        return Line(
            key=self.key,
            claim=f"erratum: {self.claim}",
            paper=self.paper,
            hypotheses=(f"corrected: {self.correction}",),
            predicted=f"at least {printed} as printed, {corrected} as corrected",
            measured=str(measured),
            agreement="counterexample in rational numbers",
            status="proved",
            ok=corrected <= measured < printed,
        )

    def mutant_fails(self) -> bool:
        measured, printed, _ = self.sides()
        return measured < printed


def _margin_rate() -> tuple[Fraction, Fraction, Fraction]:
    """Return loss rates of the scalar network w = ab, a = b = 1/2, with target 1.

    −ℒ̇/ℒ = 2(a² + b²); D = 0 and ν = 1 − |w − 1| = w give the bracket 4ν, which is
    printed as a bound on λ_min and is one on 2λ_min; the loss rate is 2λ_min.
    """
    a = b = Fraction(1, 2)
    bracket = 4 * (1 - abs(a * b - 1))
    return 2 * (a * a + b * b), 2 * bracket, bracket


def _rectangular() -> tuple[Fraction, Fraction, Fraction]:
    """Return λ_min of F ↦ W_2W_2ᵀF + FW_1ᵀW_1 for W_1 = (1 0), W_2 = (1), balanced."""
    first, second = (Fraction(1), Fraction(0)), Fraction(1)
    # the operator is diagonal here: it multiplies F = (f_1 f_2) entry by entry
    smallest = min(second * second + entry * entry for entry in first)
    sigma = Fraction(1)
    return smallest, 2 * sigma, sigma


def _scaled_output() -> tuple[Fraction, Fraction, Fraction]:
    """Return λ_min for the output cW_3W_2W_1, c = 1/√(mh_1h_2), of widths 1–2–2–1.

    W_1 = (1 0)ᵀ, W_2 = diag(1, 0) and W_3 = (1 0) contribute 1 each without c.  The
    operator is quadratic in the derivatives of the output, and each of these has one c.
    """
    scale, derivatives = Fraction(1, 2), (Fraction(1),) * 3
    smallest = sum((scale * part) ** 2 for part in derivatives)
    plain = sum(part**2 for part in derivatives)
    return Fraction(smallest), scale * plain, scale**2 * plain


def _pairing() -> tuple[Fraction, Fraction, Fraction]:
    """Return 2(λ_r(W_1W_1ᵀ) + λ_m(W_2W_2ᵀ)) of two starts with the same D and W.

    r = 3 and m = 2; D has the eigenvalues 15, 8, 1, −1, −1 and W the singular values
    15, 6.  A pair (p, −n) of eigenvalues that carries σ has |w_2|² = ½(n − p +
    √((p+n)² + 4σ²)); the eigenvalue 1 is alone and has |w_1|² = 1.
    """

    def outer(p: int, sigma: int) -> Fraction:
        square = (p + 1) ** 2 + 4 * sigma**2
        # where the root is not rational, its floor is a lower bound
        return Fraction(1 - p + isqrt(square), 2)

    crossed = min(outer(15, 6), outer(8, 15))
    in_order = min(outer(15, 15), outer(8, 6))
    bracket = Fraction(-14 + isqrt(16**2 + 4 * 6**2) + isqrt(2**2))
    return 2 * (1 + crossed), 2 * (1 + in_order), bracket


ERRATA = (
    Erratum(
        "erratum-half",
        "α₂ = −Δ₊ + √((Δ₊+Δ)² + 4ν²) − Δ₋ + √((Δ₋+Δ)² + 4ν²) bounds λ_min",
        "with a factor ½ in front",
        MIN_2023,
        _margin_rate,
    ),
    Erratum(
        "erratum-square",
        "balanced layers have λ_min = Lσ_min^(2−2/L)",
        "only with as many outputs as inputs; otherwise without the factor L",
        MIN_2023,
        _rectangular,
    ),
    Erratum(
        "erratum-output",
        "an output scaled by 1/√(mh₁h₂) scales the rate by 1/√(mh₁h₂)",
        "by 1/(mh₁h₂), the square",
        MIN_2023,
        _scaled_output,
    ),
    Erratum(
        "erratum-pairing",
        "starts that pair λ_i(D), λ_i(−D) and σ_i(W) have the least λ_r + λ_m",
        "pair λ₁(D) and λ_m(−D) with σ_m(W): only then it equals the bracket",
        MIN_2021,
        _pairing,
    ),
)
