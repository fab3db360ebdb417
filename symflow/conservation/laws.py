"""What `conserved` returns: laws in a sequence that knows whether they are all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, overload

from symflow.algebra.display import Displayed, Sheet, marked
from symflow.algebra.threads import cached_property
from symflow.claims import Claim
from symflow.conservation.count import Count, count_conserved
from symflow.flow import GradientFlow, HeavyBall
from symflow.networks import AbstractNetwork, Network

L = TypeVar("L", bound=Claim, covariant=True)

#: Parameters up to which an empty list is counted in order to be shown.
SHOWN = 200


@dataclass(frozen=True, eq=False, repr=False)
class Laws(Displayed, Sequence[L]):
    """Conserved quantities, in the order in which they were found.

    It is read like a list, and equals one with the same laws.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 2, 2, 1), sf.SquaredLoss())
    >>> laws = sf.conserved(flow)
    >>> len(laws), laws.independent, laws.known, laws.missing
    (2, 7, 6, 1)
    """

    found: tuple[L, ...]  #: The laws.
    #: Whose independent laws are counted; None where no count is known.
    counted: AbstractNetwork | HeavyBall | None = None
    data: Any = None  #: The inputs that the laws hold for; every input without.

    @overload
    def __getitem__(self, place: int) -> L: ...
    @overload
    def __getitem__(self, place: slice) -> list[L]: ...
    def __getitem__(self, place: int | slice) -> L | list[L]:
        return list(self.found)[place]

    def __len__(self) -> int:
        return len(self.found)

    def __iter__(self) -> Iterator[L]:
        return iter(self.found)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, list | Laws):
            return NotImplemented
        return list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __add__(self, other: Sequence[Any]) -> list[Any]:
        return [*self, *other]

    def __radd__(self, other: Sequence[Any]) -> list[Any]:
        return [*other, *self]

    @cached_property
    def _count(self) -> Count | None:
        if self.counted is None:
            return None
        if not all(isinstance(width, int) for width in _sizes(self.counted)):
            return None
        return count_conserved(self.counted, data=self.data)

    @property
    def independent(self) -> int | None:
        """How many functions are conserved at these widths, whatever the loss.

        By the rank of a Lie algebra at a random exact point, see `count_conserved`; an
        upper bound where that is not settled.  None where a width is a symbol, and
        where the laws are those of one start, of a degree, or of steps.
        """
        return None if self._count is None else self._count.independent

    @property
    def known(self) -> int | None:
        """How many of the proved laws are independent functions of the parameters.

        By the rank of their gradients at a random exact point; None where
        `independent` is.
        """
        return None if self._count is None else self._count.known

    @property
    def missing(self) -> int | None:
        """How many more laws than the known ones there are."""
        return None if self._count is None else self._count.missing

    def _sheet(self) -> Sheet:
        if not self.found:
            return Sheet(f"none of first or second degree{self._rest}")
        rows = tuple((marked(law),) for law in self.found)
        title = f"{len(rows)} conserved quantities" if len(rows) > 1 else "conserved"
        return Sheet(title, rows=rows, whole="laws[k]", most=40)

    @property
    def _rest(self) -> str:
        """Say how many laws there are, where none was found."""
        sizes = [] if self.counted is None else _sizes(self.counted)
        small = all(isinstance(size, int) for size in sizes) and sum(sizes) <= SHOWN
        if not sizes or not small or self._count is None:
            return ""
        most = "" if self._count.settled else "at most "
        number = self._count.independent
        if number == 0:
            return ", and of no other kind at these widths"
        words = "law exists" if number == 1 else "laws exist"
        return f"; {most}{number} independent {words} at these widths"


def _sizes(counted: AbstractNetwork | HeavyBall) -> list[Any]:
    """Return the number of entries of every parameter."""
    network = counted.network if isinstance(counted, HeavyBall) else counted
    sizes = [rows * columns for rows, columns in (p.shape for p in network.parameters)]
    return [int(size) if size.is_Integer else size for size in sizes]


def counted_for(flow: GradientFlow) -> AbstractNetwork | None:
    """Return the network whose laws are as many as those of a flow, if it is known.

    Learning rates rescale the parameters, and a product of them only as a whole.
    """
    same = len(set(flow.learning_rates)) <= 1
    return flow.network if same or isinstance(flow.network, Network) else None
