"""The clock of ȧ = q(a), q(a) = a^{L−1}(σ − λa^L) − l2 a: a sum over the roots of q.

t = Σ_r ln((a − r)/(a₀ − r))/q′(r), inverted in y = −ln((a − r)/(a₀ − r)) for the root r
that is approached, which is small early and grows like t late.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flint import acb_poly

from symflow.algebra.balls import ALONE, midpoint, to_arb, workbits

#: Newton steps for a time, each at least a bisection.
STEPS = 400


@dataclass(frozen=True, eq=False)
class PartialFractions:
    """t(a) of one mode, and its inverse, in an mpmath context."""

    #: `start`, `end`: a₀, and the root of q that is approached.
    start: Any
    end: Any
    pull: Any  #: −1/q′(end) > 0.
    others: tuple[tuple[Any, Any], ...]  #: The other roots r, each with 1/q′(r).

    def passed(self, y: Any, context: Any) -> tuple[Any, Any]:
        """Return t, and the sum of the sizes of its terms, where y has passed."""
        moved = (self.start - self.end) * -context.expm1(-y)
        terms = [self.pull * y]
        for root, weight in self.others:
            terms.append((weight * context.log1p(-moved / (self.start - root))).real)
        return sum(terms), sum(map(abs, terms))

    def speed(self, y: Any, context: Any) -> Any:
        """Return dt/dy > 0."""
        gap = (self.start - self.end) * context.exp(-y)
        amplitude = self.end + gap
        parts = [weight / (amplitude - root) for root, weight in self.others]
        return self.pull - gap * sum(parts).real

    def passage(self, part: Any, context: Any) -> float:
        """Return when a(t) reaches a part of its limit; zero if it is beyond."""
        gap = (
            (part - 1) * self.end / (self.start - self.end)
            if self.start < self.end
            else 1
        )
        return float(self.passed(-context.log(gap), context)[0]) if gap < 1 else 0.0

    def amplitude(self, time: Any, context: Any) -> tuple[Any, Any]:
        """Return a(t), and by what its time cancels."""
        low, high, y, before = context.zero, context.inf, context.zero, context.inf
        for _ in range(STEPS):
            value, size = self.passed(y, context)
            low, high = (y, high) if value <= time else (low, y)
            following = y + (time - value) / self.speed(y, context)
            # t bends sharply near a saddle, where Newton's steps alternate: one that
            # leaves the bracket, or does not halve the last, gives way to bisection
            if not low <= following <= high or abs(following - y) > before / 2:
                following = (low + high) / 2 if high < context.inf else 2 * y + 1
            before = abs(following - y)
            if before <= 8 * context.eps * y:
                break
            y = following
        return self.end + (self.start - self.end) * context.exp(-y), size / time


def partial_fractions(
    depth: int, mode: tuple[Any, ...], decay: Any, context: Any
) -> PartialFractions:
    """Return the clock of a mode (σ, λ, w₀) with λ, w₀, l2 > 0 and L ≥ 3.

    All are mpf of the context; ValueError says that roots are too close to be told
    apart.
    """
    sigma, lam, start = mode
    with ALONE, workbits(context.prec + 40):
        inner = [to_arb(x) for x in (-decay, sigma, -lam)]
        terms = dict(zip((0, depth - 2, 2 * depth - 2), inner, strict=True))
        whole = acb_poly([terms.get(k, 0) for k in range(2 * depth - 1)])
        found = whole.roots(tol=to_arb(context.eps))
        real = [root.imag.contains(0) for root in found]
        roots = [
            context.mpc(
                midpoint(x.real, context), 0 if flat else midpoint(x.imag, context)
            )
            for x, flat in zip(found, real, strict=True)
        ]
    roots.append(context.mpc(0))
    weights = [
        -1 / (lam * context.fprod(root - other for other in roots if other is not root))
        for root in roots
    ]
    begin = context.root(start, depth)
    ahead = sorted(root.real for root in roots if not root.imag and root.real > 0)
    end = ahead[1] if ahead and begin > ahead[0] else context.zero
    near = min(range(len(roots)), key=lambda k: abs(roots[k] - end))
    others = [(roots[k], weights[k]) for k in range(len(roots)) if k != near]
    return PartialFractions(begin, end, -weights[near].real, tuple(others))
