"""Entries of the atlas that hold a bound against many random instances.

No instance may violate the bound at any time by more than the integration explains;
the line says how loose the bound is, as the median of larger/smaller over all
instances and times, and how many instances there were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from symflow.algebra.numbers import to_float
from symflow.algebra.text import inline, scientific
from symflow.claims import Bound, Claim, Theorem
from symflow.claims.example import RandomExamples
from symflow.claims.random_problems import Batch
from symflow.flow import gradient_descent
from symflow.flow.problem import Problem, bind
from symflow.gallery.entry import Entry, Line
from symflow.simulation import descend, ensemble
from symflow.validation.validate import route_bound

#: Data sets per entry, and steps of gradient descent.
DATA_SETS, STEPS = 4, 60


@dataclass(frozen=True)
class EnsembleEntry(Entry):
    """A claim on random instances."""

    #: The theorem; its `attempt` skips the instances to which it does not apply.
    kind: type[Theorem]
    given: RandomExamples  #: What the theorem carries.

    @property
    def key(self) -> str:  # type: ignore[override]
        return self.given.key

    @property
    def stated_by(self) -> str:  # type: ignore[override]
        return self.kind.__name__

    def run(self, digits: int) -> Line:
        margins: list[float] = []
        worst, count, claim = 0.0, 0, None
        for claim, path in self.instances():
            allowed = float(route_bound(path)) + claim.slack(path)
            worst = max(worst, _largest(claim.residuals(path) / allowed))
            count += 1
            if isinstance(claim, Bound):
                margins.extend(claim.margin(path))
        assert claim is not None, f"{self.key}: no instance"
        loose = f"median ratio {np.median(margins):.4g}" if margins else "no exception"
        return Line(
            key=self.key,
            claim=f"{claim.name}, random instances",
            paper=claim.reference,
            hypotheses=tuple(found.words for found in claim.hypotheses),
            predicted=inline(claim.statement),
            measured=f"largest violation {scientific(worst)} × rounding",
            agreement=f"{count} instances, {loose}",
            status=claim.status.value,
            ok=worst <= 1,
        )

    def mutant_fails(self) -> bool:
        return any(
            _largest(self.given.false(claim).residuals(path)) > 100 * route_bound(path)
            for claim, path in self.instances()
        )

    def instances(self) -> Iterator[tuple[Any, Any]]:
        generator = np.random.default_rng(len(self.key))
        for _ in range(DATA_SETS):
            batch = self.given.draw(generator)
            yield from claims_on(self.kind, batch, self.given.step)


def claims_on(
    kind: type[Theorem], batch: Batch, step: Callable[[Problem], float] | None = None
) -> Iterator[tuple[Any, Any]]:
    """Yield the claim of every start to which it applies, with its trajectory.

    For gradient descent, `step` returns the step for a problem; 0 skips it.
    """
    if step is None:
        paths = ensemble(batch.flow, batch.data, batch.starts, batch.t)
        for number in range(len(paths)):
            path = paths[number]
            claim = kind.attempt(path.problem)
            if isinstance(claim, Claim):
                yield claim, path
        return
    descent = gradient_descent(batch.flow.network, batch.flow.loss)
    for start in zip(*batch.starts, strict=True):
        problem = bind(descent.flow, batch.data, start)
        eta = step(problem)
        claim = kind.attempt(problem, eta)  # type: ignore[call-arg]
        if isinstance(claim, Claim):
            yield claim, descend(descent, batch.data, start, STEPS, step_size=eta)


def _largest(values: Any) -> float:
    return max(to_float(value) for value in values)
