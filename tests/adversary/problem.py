"""One problem as plain numbers, and as the lines that state it to symflow."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

Number = int | float | Fraction
Matrix = tuple[tuple[Number, ...], ...]

NETWORKS = {
    "dense": "sf.LinearNetwork({widths})",
    "diagonal": "sf.DiagonalNetwork({d}, depth={depth})",
    "signed": "sf.DiagonalNetwork({d}, depth={half}, signed=True)",
    "hadamard": "sf.HadamardDifference({d})",
    "circular": "sf.ConvolutionalNetwork({d}, filters={taps})",
}
LOSSES = {
    "squared": "sf.SquaredLoss({decay})",
    "exponential": "sf.ExponentialLoss({decay})",
    "logistic": "sf.LogisticLoss({decay})",
}


@dataclass(frozen=True)
class Problem:
    """A network with weights at the start, data, a loss and times.

    Parameters
    ----------
    family : str
        A key of `NETWORKS`.
    weights : tuple of Matrix
        The start; vectors are columns.
    X, Y : Matrix
        Samples in rows.  For moments, Σ_xx and Σ_yx.
    times : tuple of numbers
        When the flow is looked at.
    loss : str
        A key of `LOSSES`.
    moments : bool
        Whether X and Y are the moments.
    rates : tuple of numbers
        Learning rates of the weights; empty where all are 1.
    decay : number
        Weight decay.
    note : str
        What is degenerate.
    modes : tuple
        Of a dense problem that falls apart exactly: (U, V, modes), where W = U diag Vᵀ
        and a mode is (start of each layer, target).
    """

    family: str
    weights: tuple[Matrix, ...]
    X: Matrix
    Y: Matrix
    times: tuple[Number, ...] = (1,)
    loss: str = "squared"
    moments: bool = False
    rates: tuple[Number, ...] = ()
    decay: Number = 0
    note: str = ""
    modes: tuple[Any, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        entries = [x for part in (self.X, self.Y) for row in part for x in row]
        if self.moments and any(isinstance(x, float) for x in entries):
            # as it is documented: one float makes all moments floats
            for name in ("X", "Y"):
                rows = getattr(self, name)
                floats = tuple(tuple(float(x) for x in row) for row in rows)
                object.__setattr__(self, name, floats)

    @property
    def d(self) -> int:
        """Number of inputs."""
        return len(self.X[0])

    @property
    def m(self) -> int:
        """Number of outputs."""
        return len(self.Y) if self.moments else len(self.Y[0])

    @property
    def exact(self) -> bool:
        """Whether no number is a float."""
        parts = (*self.weights, self.X, self.Y)
        return not any(isinstance(x, float) for p in parts for row in p for x in row)

    @property
    def network(self) -> str:
        """The call that makes the network."""
        rows = [len(weight) for weight in self.weights]
        widths = ", ".join(map(str, [len(self.weights[0][0]), *rows]))
        return NETWORKS[self.family].format(
            widths=widths,
            d=self.d,
            depth=len(rows),
            half=len(rows) // 2,
            taps=tuple(rows),
        )

    @property
    def code(self) -> str:
        """Lines that define flow, data, init and t."""
        rates = f", learning_rates={_plain(self.rates)}" if self.rates else ""
        loss = LOSSES[self.loss].format(
            decay=f"l2={_plain(self.decay)}" if self.decay else ""
        )
        data = "sf.Moments" if self.moments else "sf.Dataset"
        return "\n".join(
            [
                "from fractions import Fraction as F",
                "import symflow as sf",
                f"flow = sf.gradient_flow({self.network}, {loss}{rates})",
                f"data = {data}({_plain(self.X)}, {_plain(self.Y)})",
                f"init = ({', '.join(map(_plain, self.weights))},)",
                f"t = {_plain(self.times)}",
            ]
        )

    def stated(self) -> dict[str, Any]:
        """Return what the lines define: flow, data, init and t."""
        names: dict[str, Any] = {}
        exec(self.code, names)
        return names


def _plain(value: Any) -> str:
    """Write nested tuples as lists, and Fraction(a, b) as F(a, b)."""
    text = repr(_lists(value)).replace("Fraction(", "F(")
    return re.sub(r"F\((-?\d+), 1\)", r"F(\1)", text)


def _lists(value: Any) -> Any:
    return [_lists(part) for part in value] if isinstance(value, tuple) else value


def matrix(rows: Any) -> Matrix:
    """Return nested tuples of the entries of a nested sequence."""
    return tuple(tuple(row) for row in rows)


def column(entries: Any) -> Matrix:
    """Return a column of the entries."""
    return tuple((entry,) for entry in entries)
