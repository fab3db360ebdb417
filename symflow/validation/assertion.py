"""What claims of others have in common: a source, no conditions, and no proof yet."""

from __future__ import annotations

from typing import ClassVar

from symflow.claims import Claim, Hypothesis, Reference, Status

#: Who claims what has no other source.
READER = Reference("A Reader", "A claim to be settled", "", 2026)


class Assertion(Claim):
    """Somebody's claim, of which nothing is known before it is settled."""

    source: Reference
    hypotheses: tuple[Hypothesis, ...] = ()
    status = Status.ASSERTED
    #: Whether runs whose data change are not what it speaks of.
    reads_data: ClassVar[bool] = True
    #: What is known without data and start.
    verdict: Status = Status.UNDECIDED

    @property
    def reference(self) -> Reference:
        """Who claims it."""
        return self.source
