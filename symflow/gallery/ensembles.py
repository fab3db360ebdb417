"""Entries of the atlas that hold a bound against many random instances.

No instance may violate the bound at any time by more than the integration explains;
the line says how loose the bound is, as the median of larger/smaller over all
instances and times, and how many instances there were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from symflow.algebra.numbers import to_float
from symflow.algebra.text import inline, scientific
from symflow.bias import DistanceBound
from symflow.claims import Bound, Claim
from symflow.convergence import (
    Alignment,
    ConvexityRate,
    DescentCorridor,
    FarAway,
    HomogeneousRate,
    ImbalanceDrift,
    ImbalanceRate,
    InstantaneousRate,
    KernelCeiling,
    KernelDrift,
    KernelFloor,
    MarginRate,
    OneStep,
    OrderedModesRate,
    OrderedRate,
    PathLength,
    PerturbedModes,
    RankOneRate,
    StableSet,
    Staircase,
    ThreeLayerRate,
    UniformDescent,
    UnimodalRate,
)
from symflow.convergence.step_constants import Constants
from symflow.gallery.batches import (
    balanced,
    descents,
    diagonal,
    gaussian,
    near,
    one_neuron,
    ordered,
    spectral,
    underdetermined,
    unimodal,
)
from symflow.gallery.entry import Entry, Line
from symflow.validation.validate import route_bound

#: Data sets per entry.
DATA_SETS = 4


class Instances(Protocol):
    """One data set with many starts."""

    def claims(self, kind: Any) -> Iterator[tuple[Any, Any]]: ...


@dataclass(frozen=True)
class EnsembleEntry(Entry):
    """A claim on random instances.

    Parameters
    ----------
    key : str
        Short name.
    kind : type
        The theorem; its `attempt` skips the instances to which it does not apply.
    batch : callable
        Makes a `Batch` from a random generator.
    mutant : callable
        Makes a false claim from a true one.
    """

    key: str
    kind: Any
    batch: Callable[[np.random.Generator], Instances]
    mutant: Callable[[Any], Claim]

    def run(self, digits: int) -> Line:
        """Hold the claim against every instance."""
        margins: list[float] = []
        worst, count, claim = 0.0, 0, None
        for claim, path in self._instances():
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
        """Say whether the mutated claim is refuted on some instance."""
        return any(
            _largest(self.mutant(claim).residuals(path)) > 100 * route_bound(path)
            for claim, path in self._instances()
        )

    def _instances(self) -> Iterator[tuple[Any, Any]]:
        generator = np.random.default_rng(len(self.key))
        for _ in range(DATA_SETS):
            yield from self.batch(generator).claims(self.kind)


def _largest(values: Any) -> float:
    return max(to_float(value) for value in values)


def wrong(**factors: float) -> Callable[[Any], Claim]:
    """Return the mutation that multiplies constants of a claim by factors."""

    def mutate(claim: Any) -> Claim:
        changed = {name: getattr(claim, name) * by for name, by in factors.items()}
        return replace(claim, **changed)  # type: ignore[no-any-return]

    return mutate


def elsewhere(factor: float) -> Callable[[Any], Claim]:
    """Return the mutation that takes the constants of another start, a multiple."""

    def mutate(claim: Any) -> Claim:
        weights = tuple(factor * weight for weight in claim.problem.weights)
        other = claim.problem.started_at(weights)
        return replace(claim, problem=other)  # type: ignore[no-any-return]

    return mutate


def _moderate(problem: Any) -> float:
    """Return a step for which gradient descent is stable, and some of OneStep apply."""
    return 0.02


def _half_largest(problem: Any) -> float:
    constants = Constants.of(problem)
    return constants.largest_step / 2 if constants.low > 0 else 0.0


def _without_second(claim: Any) -> Claim:
    """Return the claim for a target of rank one, where z_2 = 0."""
    name = claim.problem.flow.data[1].name
    left, values, right = np.linalg.svd(claim.problem.data[name], full_matrices=False)
    first = np.outer(left[:, 0] * values[0], right[0])
    data = {**claim.problem.data, name: first}
    other = replace(claim.problem, data=data, given=None)
    return replace(claim, problem=other)  # type: ignore[no-any-return]


ENSEMBLES = (
    EnsembleEntry(
        "many-imbalance", ImbalanceRate, gaussian(3, 6, 2), wrong(constant=40)
    ),
    EnsembleEntry("many-margin", MarginRate, near(3, 4, 2), wrong(constant=20)),
    EnsembleEntry("many-convexity", ConvexityRate, near(3, 4, 2), wrong(constant=20)),
    EnsembleEntry("many-instant", InstantaneousRate, gaussian(3, 4, 2), elsewhere(3)),
    EnsembleEntry(
        "many-three", ThreeLayerRate, gaussian(2, 7, 5, 2), wrong(constant=40)
    ),
    EnsembleEntry(
        "many-unimodal", UnimodalRate, unimodal(2, 3, 2, 2), wrong(constant=9)
    ),
    EnsembleEntry(
        "many-balanced", HomogeneousRate, balanced(2, 3, 2, 2), wrong(constant=3)
    ),
    EnsembleEntry("many-ordered", OrderedRate, ordered(3), wrong(constant=40)),
    EnsembleEntry("many-modes", OrderedModesRate, diagonal(3), wrong(constant=40)),
    EnsembleEntry("many-stable", StableSet, one_neuron(2), wrong(alpha=1.2)),
    EnsembleEntry("many-alignment", Alignment, one_neuron(3), wrong(kappa=5)),
    EnsembleEntry("many-rank-one", RankOneRate, one_neuron(2), _without_second),
    EnsembleEntry(
        "many-far", FarAway, one_neuron(3, size=20.0, t=1.0), wrong(time=0.0)
    ),
    EnsembleEntry("many-stairs", Staircase, spectral(3, 3, 2), elsewhere(0.1)),
    EnsembleEntry(
        "many-perturbed",
        PerturbedModes,
        spectral(3, 3, 2, residual=3e-3, t=5.0),
        wrong(size=1e-3),
    ),
    EnsembleEntry(
        "many-corridor",
        DescentCorridor,
        descents(spectral(3, 3, 2), lambda _: 0.2),
        wrong(step=1.1),
    ),
    EnsembleEntry(
        "many-distance", DistanceBound, underdetermined(5, 9, 1), wrong(distance=1e-3)
    ),
    EnsembleEntry("many-length", PathLength, near(3, 4, 2), wrong(radius=0.1)),
    EnsembleEntry("many-floor", KernelFloor, near(3, 4, 2), wrong(floor=30)),
    EnsembleEntry("many-ceiling", KernelCeiling, gaussian(3, 4, 2), wrong(top=0.1)),
    EnsembleEntry("many-drift", KernelDrift, near(3, 4, 2), wrong(drift=0.03)),
    EnsembleEntry(
        "many-step", OneStep, descents(gaussian(3, 4, 2), _moderate), wrong(step=3)
    ),
    EnsembleEntry(
        "many-descent",
        UniformDescent,
        descents(near(3, 4, 2), _half_largest),
        wrong(slope=60),
    ),
    EnsembleEntry(
        "many-walk",
        ImbalanceDrift,
        descents(gaussian(3, 4, 2), _moderate),
        wrong(step=0.3),
    ),
)
