"""Networks from a few words or a formula, of which nothing is ever evaluated."""

from __future__ import annotations

import re
from typing import Any

import sympy

from symflow.algebra.reading import read_expression
from symflow.algebra.symbols import checked_name
from symflow.algebra.widths import LARGEST_WIDTH, as_width, check_depth
from symflow.errors import InvalidArgument
from symflow.networks.model import MatrixModel, Model
from symflow.networks.network import LinearNetwork, Network
from symflow.networks.shorthands import ConvolutionalNetwork, DiagonalNetwork

#: How each kind of network is asked for.
_KINDS = {
    "linear": '"linear 10 5 1"',
    "diagonal": '"diagonal 5 3" or "diagonal 5 3 signed"',
    "convolutional": '"convolutional 8 3 3"',
}

_SHAPE = re.compile(r"(\w+)=(\w+?)[x×,](\w+)")


def network_in(words: str, option: str = "--network") -> Any:
    """Return the network that a few words name.

    An error names the `option`.  Raises InvalidArgument if they name none.
    """
    kind, *rest = words.replace(",", " ").split() or [""]
    signed = rest[-1:] == ["signed"]
    rest = rest[: len(rest) - signed]
    if kind not in _KINDS or (signed and kind != "diagonal") or len(rest) < 2:
        known = "; ".join(_KINDS.values())
        msg = f"{option} {words!r} is no network; give {known}"
        raise InvalidArgument(msg)
    sizes = widths_in(" ".join(rest), option)
    if kind == "linear":
        return LinearNetwork(*sizes)
    first: Any
    first, *others = sizes
    counts = [size for size in others if isinstance(size, int)]
    single = kind == "convolutional" or len(others) == 1
    if len(counts) < len(others) or not single:
        msg = f"{option} {words!r}: needs numbers as in {_KINDS[kind]}"
        raise InvalidArgument(msg)
    if kind == "diagonal":
        return DiagonalNetwork(first, counts[0], signed=signed)
    return ConvolutionalNetwork(first, counts)


def model_in(
    formula: str, shapes: str, options: tuple[str, str] = ("--model", "--shapes")
) -> Network | MatrixModel:
    """Return the model of a formula, whose letters are its parameters.

    It has sums, products, powers and transposes (``.T``) of letters; `shapes` has one
    for every letter, in the order in which weights are given and returned.  An error
    names the `options`.  Raises InvalidArgument if either cannot be read, or they do
    not fit together.
    """
    ours, sizes = options
    letters: dict[str, Any] = {}
    for word in shapes.split():
        match = _SHAPE.fullmatch(word)
        if match is None or match[1] in letters:
            msg = (
                f"{sizes}: {word!r} is no shape of a new letter; "
                f'write rows×columns, for example {sizes} "W1=5x10 W2=1x5"'
            )
            raise InvalidArgument(msg)
        name = checked_name(match[1], sizes)
        size = [_width(side, sizes) for side in match.groups()[1:]]
        letters[name] = sympy.MatrixSymbol(
            name, *(as_width(side, sizes) for side in size)
        )
    expr = read_expression(formula, letters)
    if not letters or not isinstance(expr, sympy.MatrixExpr):
        msg = f"{ours} {formula!r}: needs a formula in the letters of {sizes}"
        raise InvalidArgument(msg)
    check_depth(_factors(expr), ours)
    return Model(expr, tuple(letters.values()))


def _factors(expr: Any) -> int:
    """Return how many factors a formula has when its powers are written out."""
    if isinstance(expr, sympy.MatrixSymbol):
        return 1
    inside = sum(_factors(part) for part in expr.args)
    power = isinstance(expr, sympy.MatPow) and expr.exp.is_Integer
    return inside * max(1, int(expr.exp)) if power else inside


def widths_in(text: str, option: str = "--widths", least: int = 2) -> list[int | str]:
    """Return numbers as integers, and leave names for the network to judge.

    There are commas or blanks between them, and at least `least`; an error names the
    `option`.  Raises InvalidArgument if there are too few or too many, or one is too
    large.
    """
    words = text.replace(",", " ").split()
    if len(words) < least:
        msg = f"{option} {text!r}: needs at least {least} of them, for example 10,5,1"
        raise InvalidArgument(msg)
    check_depth(len(words) - 1, option)
    return [_width(word, option) for word in words]


def _width(word: str, option: str) -> int | str:
    if not word.removeprefix("-").isdecimal():
        return word
    if len(word) > len(str(LARGEST_WIDTH)):
        msg = f"{option}: a width may be at most {LARGEST_WIDTH}; got {word[:40]}…"
        raise InvalidArgument(msg)
    return int(word)
