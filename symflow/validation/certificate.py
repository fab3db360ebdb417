"""Certificates: what is proven about one claim on one instance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from symflow.algebra.text import scientific
from symflow.claims import Claim, Status
from symflow.errors import ValidationFailed
from symflow.precision import Enclosure


@dataclass(frozen=True, eq=False, repr=False)
class Certificate:
    """The verdict of `certify` on a claim.

    Parameters
    ----------
    claim : Claim
        What was certified.
    status : Status
        ``ENCLOSED``: proven to hold on this instance within the radius; ``REFUTED``:
        proven to be false on this instance; ``UNDECIDED``: neither.
    radius : float
        Proven bound on the distance of the two sides at the enclosed times, absolute;
        for an inequality, on how little it may be violated: zero.  Infinite where
        nothing is proven.
    gap : float
        Proven lower bound on the distance of the two sides at the worst time: zero
        unless the claim is refuted.
    times : tuple
        The times at which it was examined; SymPy's oo for the limit.
    proof : tuple of str
        What is proven, how, and what is trusted.
    ball : Enclosure, optional
        What it was held against; it is not stored.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> problem = flow, sf.whitened([[2]]), [[[0.5]], [[0.5]]]
    >>> proven = sf.certify(sf.solve(*problem), *problem, 1, digits=20)
    >>> proven.status.value, proven.radius < 1e-19, len(proven.times)
    ('enclosed', True, 1)
    """

    claim: Claim
    status: Status
    radius: float
    gap: float
    times: tuple[Any, ...]
    proof: tuple[str, ...]
    ball: Enclosure | None = None

    @property
    def ok(self) -> bool:
        """Whether the claim is proven on this instance."""
        return self.status is Status.ENCLOSED

    def raise_if_failed(self) -> Certificate:
        """Return the certificate itself, or raise unless the claim is proven.

        Raises
        ------
        ValidationFailed
            If the claim is refuted or undecided; the message says why.

        Examples
        --------
        >>> import symflow as sf
        >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
        >>> problem = flow, sf.whitened([[2]]), [[[0.5]], [[0.5]]]
        >>> proven = sf.certify(sf.solve(*problem), *problem, 1, digits=20)
        >>> proven.raise_if_failed().times
        (Fraction(1, 1),)
        """
        if not self.ok:
            raise ValidationFailed(str(self))
        return self

    @property
    def _line(self) -> str:
        """The verdict without its reasons."""
        head = f"{self.claim.name} ({self.claim.reference}): {self.status.value}"
        if self.status is Status.ENCLOSED and self.radius:
            head += f" within {scientific(self.radius)}"
        if self.status is Status.REFUTED:
            head += f", off by more than {scientific(self.gap)}"
        return head

    def __repr__(self) -> str:
        return "\n".join([self._line, *(f"  {line}" for line in self.proof)])
