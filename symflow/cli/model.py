"""From words of the command line to a network and a loss; no word is ever evaluated."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Sequence
from typing import Any

import sympy

from symflow.algebra.reading import read_expression
from symflow.algebra.symbols import checked_name
from symflow.algebra.widths import LARGEST_WIDTH, as_width, check_depth
from symflow.errors import InvalidArgument
from symflow.flow import GradientFlow, gradient_flow
from symflow.losses import ExponentialLoss, LogisticLoss, Loss, SquaredLoss
from symflow.networks import (
    ConvolutionalNetwork,
    DiagonalNetwork,
    LinearNetwork,
    MatrixModel,
    Model,
    Network,
)

_LOSSES: dict[str, Callable[..., Loss]] = {
    "squared": SquaredLoss,
    "exponential": ExponentialLoss,
    "logistic": LogisticLoss,
}

#: How each kind of network is asked for.
_KINDS = {
    "linear": '"linear 10 5 1"',
    "diagonal": '"diagonal 5 3" or "diagonal 5 3 signed"',
    "convolutional": '"convolutional 8 3 3"',
}

_SHAPE = re.compile(r"(\w+)=(\w+?)[x×,](\w+)")


def flow_of(options: argparse.Namespace, network: Any = None) -> GradientFlow:
    """Return the flow that the options describe.

    Parameters
    ----------
    options : argparse.Namespace
        With `widths`, and possibly `network`, `model`, `shapes`, `loss` and `l2`.
    network : Network or Model, optional
        What is trained, where the options leave it open.

    Raises
    ------
    InvalidArgument
        If they make no sense.

    Examples
    --------
    >>> flow = flow_of(argparse.Namespace(widths="3,h,1", l2="1/10", loss="logistic"))
    >>> flow.network, flow.loss
    (LinearNetwork(3, 'h', 1), LogisticLoss(l2=1/10))
    """
    stated = stated_network(options)
    if stated is None:
        stated = network or LinearNetwork(*widths_in(options.widths or "d,h,m"))
    return gradient_flow(stated, loss_of(options))


def loss_of(options: argparse.Namespace) -> Loss:
    """Return the loss that the options `loss` and `l2` name, by default the squared.

    Parameters
    ----------
    options : argparse.Namespace
        Of any verb.
    """
    loss = _LOSSES[getattr(options, "loss", "squared")]
    return loss(l2=getattr(options, "l2", "0"))


def stated_network(options: argparse.Namespace) -> Any:
    """Return what `--network` or `--model` describe, or None without these.

    Parameters
    ----------
    options : argparse.Namespace
        Of any verb.

    Raises
    ------
    InvalidArgument
        If they make no sense, or are given with other options for the same.
    """
    given = {
        f"--{name}": value
        for name in ("network", "model", "widths", "hidden")
        if (value := getattr(options, name, None)) is not None
    }
    words, formula = given.get("--network"), given.get("--model")
    shapes = getattr(options, "shapes", None)
    if len(given) > 1 and (words or formula):
        msg = f"{' and '.join(given)} exclude each other: give one of them"
        raise InvalidArgument(msg)
    if (formula is None) != (shapes is None):
        msg = (
            "--model and --shapes belong together: "
            '--model "V*R*R*U + S" --shapes "V=2x3 R=3x3 U=3x4 S=2x4"'
        )
        raise InvalidArgument(msg)
    if formula is not None:
        return model_in(formula, str(shapes))
    return None if words is None else network_in(words)


def network_in(words: str) -> Any:
    """Return the network that a few words name.

    Parameters
    ----------
    words : str
        A kind of network and its numbers.

    Raises
    ------
    InvalidArgument
        If they name none.

    Examples
    --------
    >>> network_in("diagonal 5 3").widths, network_in("linear d 2 1")
    ((5, 5, 5, 1), LinearNetwork('d', 2, 1))
    """
    kind, *rest = words.replace(",", " ").split() or [""]
    signed = rest[-1:] == ["signed"]
    rest = rest[: len(rest) - signed]
    if kind not in _KINDS or (signed and kind != "diagonal") or len(rest) < 2:
        known = "; ".join(_KINDS.values())
        msg = f"--network {words!r} is no network; give {known}"
        raise InvalidArgument(msg)
    sizes = widths_in(" ".join(rest), "--network")
    if kind == "linear":
        return LinearNetwork(*sizes)
    first: Any
    first, *others = sizes
    counts = [size for size in others if isinstance(size, int)]
    single = kind == "convolutional" or len(others) == 1
    if len(counts) < len(others) or not single:
        msg = f"--network {words!r}: needs numbers as in {_KINDS[kind]}"
        raise InvalidArgument(msg)
    if kind == "diagonal":
        return DiagonalNetwork(first, counts[0], signed=signed)
    return ConvolutionalNetwork(first, counts)


def model_in(formula: str, shapes: str) -> Network | MatrixModel:
    """Return the model of a formula, whose letters are its parameters.

    Parameters
    ----------
    formula : str
        Sums, products, powers and transposes (``.T``) of letters.
    shapes : str
        A shape for every letter, in the order in which weights are given and returned.

    Raises
    ------
    InvalidArgument
        If either cannot be read, or they do not fit together.

    Examples
    --------
    >>> model_in("V*R*R*U + S", "V=2x3 R=3x3 U=3x4 S=2x4").parameters
    (V, R, U, S)
    >>> model_in("W2*W1", "W1=hxd W2=mxh")
    LinearNetwork('d', 'h', 'm')
    """
    letters: dict[str, Any] = {}
    for word in shapes.split():
        match = _SHAPE.fullmatch(word)
        if match is None or match[1] in letters:
            msg = (
                f"--shapes: {word!r} is no shape of a new letter; "
                'write rows×columns, for example --shapes "W1=5x10 W2=1x5"'
            )
            raise InvalidArgument(msg)
        name = checked_name(match[1], "--shapes")
        size = [_width(side, "--shapes") for side in match.groups()[1:]]
        letters[name] = sympy.MatrixSymbol(
            name, *(as_width(side, "--shapes") for side in size)
        )
    expr = read_expression(formula, letters)
    if not letters or not isinstance(expr, sympy.MatrixExpr):
        msg = f"--model {formula!r}: needs a formula in the letters of --shapes"
        raise InvalidArgument(msg)
    check_depth(_factors(expr), "--model")
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

    Parameters
    ----------
    text : str
        With commas or blanks between them.
    option : str
        What to name in an error message.
    least : int
        How many there have to be.

    Raises
    ------
    InvalidArgument
        If there are too few or too many, or one is too large.
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


def check_fits(network: Any, inputs: int, outputs: int) -> None:
    """Refuse a network that does not take the inputs of the data to its targets.

    Parameters
    ----------
    network : Network or Model
        What is trained.
    inputs, outputs : int
        How many columns the data have.

    Raises
    ------
    InvalidArgument
        If it does not.
    """
    sizes: Sequence[Any] = tuple(reversed(network.end_to_end.shape))
    if sizes != (inputs, outputs):
        msg = (
            f"{network!r} takes {sizes[0]} inputs to {sizes[1]} outputs, and these "
            f"data have {inputs} and {outputs}"
        )
        raise InvalidArgument(msg)
