"""What claims of others have in common: a source, no conditions, and no proof yet."""

from __future__ import annotations

from symflow.claims import Claim, Hypothesis, Reference, Status

#: Who claims what has no other source.
READER = Reference("A Reader", "A claim to be settled", "", 2026)


class Assertion(Claim):
    """Somebody's claim, of which nothing is known before it is settled."""

    source: Reference
    hypotheses: tuple[Hypothesis, ...] = ()
    status = Status.ASSERTED
    #: What is known without data and start.
    verdict: Status = Status.UNDECIDED

    @property
    def reference(self) -> Reference:
        """Who claims it."""
        return self.source
