"""Claims: what symflow asserts, in a form that can be checked.

A conserved quantity, a closed form, a limit or a rate is a claim: its hypotheses are
checked on the given data and start, its statement is a SymPy equation, and its
residual on a trajectory is a number.  Validation is one loop over claims.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from enum import Enum
from functools import wraps
from inspect import isfunction
from typing import Any, ClassVar, Protocol, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import sympy

from symflow.algebra.arrays import Array
from symflow.algebra.display import Displayed, Listed, Marked, Sheet, Typeset, led
from symflow.algebra.numbers import to_float
from symflow.algebra.typeset import latex
from symflow.claims.bibliography import Reference
from symflow.claims.hypothesis import Hypothesis
from symflow.errors import InvalidArgument, expect
from symflow.flow import GradientFlow, HeavyBall

Found = TypeVar("Found")


class Status(Enum):
    """How firmly an assertion stands.

    Examples
    --------
    >>> [status.value for status in Status][:3], len(Status)
    (['proved', 'enclosed', 'verified'], 9)
    """

    PROVED = "proved"
    ENCLOSED = "enclosed"
    VERIFIED = "verified"
    MEASURED = "measured"
    HEURISTIC = "heuristic"
    REFUTED = "refuted"
    UNDECIDED = "undecided"
    ASSERTED = "asserted"
    OUT_OF_SCOPE = "out of scope"


class Path(Protocol):
    """What a claim may read of a trajectory, at any precision."""

    @property
    def flow(self) -> Any: ...
    @property
    def t(self) -> Array: ...
    @property
    def weights(self) -> tuple[Array, ...]: ...
    @property
    def end_to_end(self) -> Array: ...
    @property
    def digits(self) -> int: ...
    @property
    def context(self) -> Any: ...

    def lift(self, array: Array) -> Array: ...
    def number(self, value: Any) -> Any: ...


#: What a claim reads of a path first.
_READERS = (
    *("residuals", "sides", "margin", "slack", "mismatch", "magnification", "scale"),
    "finding",
)


def _reading(method: Callable[..., Any]) -> Callable[..., Any]:
    """Let a method of a claim read the weights in the order of the claim's network."""

    @wraps(method)
    def read(claim: Any, path: Any, *arguments: Any, **named: Any) -> Any:
        expect(path, "t", f"{method.__name__}(run)", "a trajectory")
        amiss = other_motion(claim, path)
        if amiss and method.__name__ == "mismatch":
            return amiss
        if amiss:
            msg = f"{claim.name}: {method.__name__}(run) is not known; {amiss}"
            raise InvalidArgument(msg)
        network = getattr(getattr(path, "flow", None), "network", None)
        product = getattr(network, "product", None)
        if product is not None:
            own = getattr(getattr(claim, "problem", claim), "flow", None)
            if own is not None and own.network == product:
                path = path.layered
        return method(claim, path, *arguments, **named)

    return read


def other_motion(claim: Any, path: Any) -> str:
    """Say why a path does not move as a claim assumes: with momentum, or without."""
    ran, own = getattr(path, "flow", None), getattr(claim, "problem", claim)
    read = own is not claim or getattr(claim, "reads_data", False)
    if getattr(path, "pieces", ()) and read and not hasattr(claim, "pieces"):
        return "the claim is about one data set, the run changes its data"
    if not isinstance(ran, HeavyBall | GradientFlow) or not hasattr(own, "flow"):
        return ""
    if isinstance(ran, HeavyBall) == hasattr(claim, "ball"):
        return ""
    kinds = ("a heavy ball", "a gradient flow")
    mine, other = kinds if hasattr(claim, "ball") else kinds[::-1]
    return f"the claim is about {mine}, the run is of {other}"


def _listing(proof: Callable[..., Any]) -> Callable[..., Any]:
    """Let the steps of a proof show themselves numbered."""

    @wraps(proof)
    def listed(owner: Any) -> Any:
        return Listed(proof(owner))

    return listed


class Claim(Displayed, Typeset):
    """An assertion about a flow, with everything needed to doubt it.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> problem = flow, sf.whitened([[2]]), [[[0.5]], [[0.5]]]
    >>> (law,) = sf.conserved(flow)
    >>> law.status.value, law.residuals(sf.simulate(*problem, [0, 1])).round(6).tolist()
    ('proved', [0.0, 0.0])
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        proof = cls.__dict__.get("proof")
        if isfunction(proof):
            setattr(cls, "proof", _listing(proof))  # noqa: B010
        elif isinstance(proof, classmethod):
            setattr(cls, "proof", classmethod(_listing(proof.__func__)))  # noqa: B010
        for name in _READERS:
            if isfunction(cls.__dict__.get(name)):
                setattr(cls, name, _reading(cls.__dict__[name]))

    @property
    @abstractmethod
    def name(self) -> str:
        """A short name for tables."""

    @property
    @abstractmethod
    def statement(self) -> sympy.Basic:
        """The assertion as SymPy."""

    @property
    @abstractmethod
    def hypotheses(self) -> tuple[Hypothesis, ...]:
        """Its conditions, checked."""

    @property
    @abstractmethod
    def reference(self) -> Reference:
        """Where the result comes from."""

    #: What the source contributes to the claim, and what is symflow's own.
    contributes: ClassVar[str] = "the theorem"
    #: What the letters of the statement are, but those of every flow.
    where: ClassVar[str] = ""

    @property
    def meaning(self) -> str:
        """A sentence on the letters of the statement, if it needs one."""
        return f"Here {self.where}." if self.where else ""

    @property
    def attribution(self) -> str:
        """The source, and what is taken from it."""
        return f"{self.reference}: {self.contributes}"

    @property
    @abstractmethod
    def status(self) -> Status:
        """How firmly the statement itself stands, before any trajectory is seen."""

    @abstractmethod
    def residuals(self, path: Path) -> Array:
        """Return by how much `path` contradicts the claim, relative, at every time."""

    def finding(self, balls: Any, index: int) -> Any:
        """Return what balls of proven radius say of the claim at one of their times.

        Parameters
        ----------
        balls : Enclosure
            With `weight_balls(index)`, `product_balls(index)` and the exact `problem`.
        index : int
            Which of its times.

        Returns
        -------
        Finding or str
            The difference of the two sides of the claim in ball arithmetic, or the
            reason why there is none.
        """
        return f"no ball arithmetic for {self.name}; use validate(…)"

    def slack(self, path: Path) -> Array:
        """Return what hypotheses that hold only to rounding add to each residual.

        Parameters
        ----------
        path : Path
            A trajectory; the answer has one number per time.
        """
        return np.zeros(len(path.t))

    def mismatch(self, path: Path) -> str:
        """Return why a path is not one that the claim speaks of; nothing if it is.

        Parameters
        ----------
        path : Path
            A trajectory.
        """
        return other_motion(self, path)

    def magnification(self, path: Path) -> Array:
        """Return by how much residuals magnify the relative error of the weights.

        Parameters
        ----------
        path : Path
            A trajectory; the answer has one number per time, at least 1.
        """
        return np.ones(len(path.t))

    def _sheet(self) -> Sheet:
        """Show statement and hypotheses."""
        return Sheet(
            f"{self.name} ({self.reference}), {self.status.value}",
            notes=(*filter(None, [self.meaning]), f"From {self.attribution}."),
            formulas=(self.statement,),
            rows=tuple(hypothesis.row for hypothesis in self.hypotheses),
            header=("hypothesis", "", "measured") if self.hypotheses else (),
            whole=".statement",
        )

    @property
    def _line(self) -> Marked:
        """Name, statement and status."""
        lead = f"{self.name} ({self.reference}), {self.status.value}:"
        return led(lead, self.statement)

    def _repr_latex_(self) -> str:
        return rf"$\displaystyle {latex(self.statement)}$"


#: The largest margin that is told apart from none.
MOST = float(np.finfo(float).max)


class Bound(Claim):
    """An inequality smaller(t) ≤ larger(t) along a flow, under its hypotheses.

    Both sides are quadratic in the weights.  The residual is the positive part of
    √smaller − √larger, relative to the root of their `scale`: linear in an error of the
    weights, so that the error of a route decides what counts as a violation.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> problem = flow, sf.whitened([[2]]), [[[0.5]], [[0.5]]]
    >>> bound = sf.rates(*problem)[0]
    >>> bound.margin(sf.simulate(*problem, [0, 1])).round(3).tolist()
    [1.0, 21.81]
    """

    @abstractmethod
    def sides(self, path: Path) -> tuple[Array, Array]:
        """Return the smaller and the larger side at every time of `path`."""

    def margin(self, path: Path) -> Array:
        """Return larger/smaller at every time: at least 1 where the bound holds.

        Parameters
        ----------
        path : Trajectory
            What is measured.

        Returns
        -------
        ndarray of float, shape (times,)
            Infinite where the smaller side vanishes.
        """
        pairs = zip(*self._both(path), strict=True)
        return np.array(
            [
                to_float(min(high / low, MOST)) if low > 0 else np.inf
                for low, high in pairs
            ]
        )

    def residuals(self, path: Path) -> Array:
        smaller, larger = self._both(path)
        # neither side is negative but by rounding
        low, high = (np.maximum(side, 0 * side) ** 0.5 for side in (smaller, larger))
        size = self.scale(path, np.maximum(larger, 0 * larger)) ** 0.5
        scale = size if size > 0 else 1
        return np.asarray([max(gap, 0 * gap) / scale for gap in low - high])

    def _both(self, path: Path) -> tuple[Array, Array]:
        return once(path, (self, "sides"), lambda: self.sides(path))

    def scale(self, path: Path, larger: Array) -> Any:
        """Return the size of what both sides are made of, at any time of the flow.

        Parameters
        ----------
        path : Path
            It may start late, where a side that falls is small already.
        larger : array
            The larger side; a bound that knows more of its problem says so.
        """
        return max(larger)


def thinned(path: Path) -> str:
    """Say that a run of gradient descent does not hold every iterate, if so.

    Of any other path nothing is said.
    """
    taken = getattr(path, "stats", {})
    if "step size" not in taken or taken["steps"] == len(path.t) - 1:
        return ""
    return f"it speaks of every iterate, and {len(path.t)} were kept"


def once(path: Any, key: Hashable, make: Callable[[], Found]) -> Found:
    """Return what `make` reads of a path; read once, for a path does not change."""
    known = _READ.setdefault(path, {})
    if key not in known:
        known[key] = make()
    found: Found = known[key]
    return found


#: What was read of the paths that are still there.
_READ: WeakKeyDictionary[Any, dict[Hashable, Any]] = WeakKeyDictionary()


def tops(path: Path) -> list[Any]:
    """Return max|θ| at every time of a path, in its arithmetic."""
    layers = zip(*path.weights, strict=True)
    return once(
        path, "tops", lambda: [max(abs(w).max() for w in each) for each in layers]
    )


def product_sizes(path: Path, degree: int) -> list[float]:
    """Return max|θ|^degree at every time of a path, the size that W could have.

    `degree` is the number of factors of W.
    """
    return [to_float(top**degree) for top in tops(path)]


@dataclass(frozen=True, repr=False)
class Refusal(Displayed):
    """Why a catalogued result does not apply here."""

    name: str
    reference: Reference
    hypotheses: tuple[Hypothesis, ...]

    def __str__(self) -> str:
        verdicts = " · ".join(str(hypothesis) for hypothesis in self.hypotheses)
        return f"  {self.name:<18} {self.reference!s:<21} {verdicts}"

    def _sheet(self) -> Sheet:
        return Sheet(
            f"{self.name} ({self.reference}) does not apply",
            rows=tuple(hypothesis.row for hypothesis in self.hypotheses),
            header=("hypothesis", "", "measured"),
        )


def relative_size(difference: Array, scale: Array) -> Any:
    """Return max|difference| / max|scale| in the arithmetic of the arrays."""
    top = np.max(np.abs(difference), initial=0)
    bottom = np.max(np.abs(scale), initial=0)
    return top / bottom if bottom else top
