"""How small an error of a claim is noticed: by validation, and by certificates.

Every claim of the atlas that speaks of a path is changed by a factor 1 + 10^−k: what
a closed form says of W(t) and of its limit, a law by a part of ‖W_1‖², the smaller
side of an inequality, and every constant that a theorem carries, whichever way makes it
false.  For an inequality the smallest error noticed is its slack on the reference
instance, or the least on some random ones.  Then its hypotheses are violated
(`outside.py`).  Numbers of an experiment stand beside those that are measured.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import symflow as sf
from adversary.outside import PARTS, violations
from adversary.twists import Mutation, mutations
from symflow.gallery import ENTRIES, EnsembleEntry
from symflow.gallery.entry import Experiment, Instance, PathEntry

#: Factors 1 + 10^−k that are tried, and the digits of the sharper routes.
EXPONENTS, DIGITS = range(-3, 36), 30
#: Parts that every arithmetic can change by as little as it likes; of limits, most of
#: which are float64, and of other constants, so many digits are enough.
EXACT, DIGITS_OF = ("W(t)", "law"), {"limit": 6}
#: Random instances of a bound whose slack is measured.
MOST = 8
#: Errors that an equality has to notice, per route.
WANTED = {"float64": 6, "30 digits": 25, "enclosed": 25, "limit": 6}


@dataclass(frozen=True)
class Noticed:
    """The smallest perturbation that a route notices.

    Parameters
    ----------
    key, claim, part, route : str
        Entry of the atlas, name, what is changed, and what it is held against.
    exponent : float or None
        k of the smallest factor 1 + 10^−k noticed; None where none is.
    inequality : bool
        Whether the exponent measures a slack.
    said : bool
        Whether the verdict says that it was not compared.
    """

    key: str
    claim: str
    part: str
    route: str
    exponent: float | None
    inequality: bool
    said: bool

    @property
    def enough(self) -> bool:
        """Whether an equality notices what it has to."""
        if self.inequality or self.said:
            return True
        wanted = WANTED[self.route]
        if self.part not in EXACT:
            wanted = min(wanted, DIGITS_OF.get(self.part, 12))
        return self.exponent is not None and self.exponent >= wanted

    @property
    def verdict(self) -> str:
        """The perturbation in words."""
        if self.exponent is None:
            return "not compared, as it says" if self.said else "NOT NOTICED"
        size = f"{10.0**-self.exponent:.1e}"
        kind = "slack" if self.inequality else "" if self.enough else "POOR"
        return f"{size} {kind}".rstrip()


@dataclass(frozen=True)
class Route:
    """What mutants are held against.

    Parameters
    ----------
    name : str
        A key of `WANTED`.
    fails : callable
        Whether a mutant fails.
    says : callable
        Whether the verdict on it says that something was not compared.
    parts : tuple of str
        The parts of a claim that it is held against; all, if there are none.
    """

    name: str
    fails: Callable[[Any], bool]
    says: Callable[[Any], bool]
    parts: tuple[str, ...] = ()


def noticed(entry: PathEntry) -> Iterator[Noticed]:
    """Yield what every route notices of every mutation of the claim of an entry."""
    instance = entry.instance()
    claim = entry.claim(instance)
    changes: defaultdict[str, list[Mutation]] = defaultdict(list)
    for part, mutate in mutations(claim):
        changes[part].append(mutate)
    for route in _routes(entry, instance, claim):
        for part, ways in changes.items():
            if part not in route.parts and route.parts:
                continue
            inequality = isinstance(claim, sf.Bound) and part != "limit"

            def seen(k: float, ways: Any = ways, route: Route = route) -> bool:
                return any(route.fails(mutate(claim, k)) for mutate in ways)

            k: float | None = _smallest(seen)
            if inequality and k is not None and k < 3:
                k = _between(seen, k)
            said = k is None and route.says(claim)
            yield Noticed(entry.key, claim.name, part, route.name, k, inequality, said)


def least_slack(entry: Any) -> Iterator[Noticed]:
    """Yield the least slack of every part of a bound among random instances."""
    if not isinstance(entry, EnsembleEntry):
        return
    sizes: defaultdict[tuple[str, str], list[float]] = defaultdict(list)
    for claim, path in islice(entry.instances(), MOST):
        route = _validated("random", path)
        for part, mutate in mutations(claim):

            def seen(k: float, ways: Any = (mutate, claim, route)) -> bool:
                mutate, claim, route = ways
                return bool(route.fails(mutate(claim, k)))

            k: float | None = _smallest(seen)
            if k is not None:
                sizes[claim.name, part].append(_between(seen, k) if k < 3 else k)
    for (name, part), found in sizes.items():
        yield Noticed(entry.key, name, part, "random", max(found), True, False)


def _routes(entry: PathEntry, instance: Instance, claim: Any) -> Iterator[Route]:
    yield _validated("float64", instance.run)
    if not entry.exact:
        return
    yield _validated("30 digits", instance.sharp(DIGITS))
    given = instance.flow, instance.data, instance.init
    for name, t in (("enclosed", instance.t[1:]), ("limit", sf.oo)):
        try:
            ball = sf.enclose(*given, t, digits=DIGITS if t is not sf.oo else 12)
            status = sf.certify(claim, ball).status
        except sf.SymflowError:
            continue
        if status is not sf.Status.UNDECIDED:
            parts = ("limit",) if t is sf.oo else ("W(t)", "law", "constant")
            yield _certified(name, ball, parts)


def _validated(name: str, run: Any) -> Route:
    return Route(
        name,
        lambda mutant: not sf.validate([mutant], run).ok,
        lambda claim: "not c" in str(sf.validate([claim], run)),
    )


def _certified(name: str, ball: Any, parts: tuple[str, ...]) -> Route:
    return Route(
        name,
        lambda mutant: sf.certify(mutant, ball).status is sf.Status.REFUTED,
        lambda claim: any("not c" in line for line in sf.certify(claim, ball).proof),
        parts,
    )


def _smallest(seen: Callable[[float], bool]) -> int | None:
    """Return the largest k that is seen, if what is larger is seen too."""
    low, high = min(EXPONENTS) - 1, max(EXPONENTS)
    while low < high:
        middle = (low + high + 1) // 2
        if seen(middle):
            low = middle
        else:
            high = middle - 1
    return None if low < min(EXPONENTS) else low


def _between(seen: Callable[[float], bool], k: int) -> float:
    """Return the exponent from k to k + 1 up to which a change is seen."""
    low, high = float(k), float(k + 1)
    for _ in range(7):
        middle = (low + high) / 2
        low, high = (middle, high) if seen(middle) else (low, middle)
    return low


def table(only: str = "") -> int:
    """Print the smallest perturbation noticed; return how many are too large."""
    poor = 0
    print(f"{'entry':<26} {'claim':<24} {'part':<13} {'route':<10} noticed")
    for entry in ENTRIES:
        if only not in entry.key:
            continue
        if isinstance(entry, Experiment):
            line = f"{entry.key:<26} {'numbers':<24} {'all':<13} {'measured':<10}"
            print(f"{line} {entry.run(DIGITS).agreement}", flush=True)
            continue
        on_paths = isinstance(entry, PathEntry)
        for found in noticed(entry) if on_paths else least_slack(entry):
            poor += not found.enough
            line = (
                f"{found.key:<26} {found.claim:<24} {found.part:<13} {found.route:<10}"
            )
            print(f"{line} {found.verdict}", flush=True)
        for numbers in PARTS if on_paths else ():
            for seen in violations(entry, numbers):
                poor += bool(seen.wrong)
                line = f"{seen.key:<26} {seen.claim:<24} {seen.part:<13} {numbers:<10}"
                print(f"{line} {seen.verdict}", flush=True)
    return poor
