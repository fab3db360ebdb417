"""From words of the command line to a network and a loss; no word is ever evaluated."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from symflow.errors import InvalidArgument
from symflow.flow import GradientFlow, gradient_flow
from symflow.losses import LOSSES, Loss
from symflow.networks import LinearNetwork
from symflow.networks.wording import model_in, network_in, widths_in


def flow_of(options: argparse.Namespace) -> GradientFlow:
    """Return the flow that the options describe, or refuse them.

    They have `widths`, and possibly `network`, `model`, `shapes`, `loss` and `l2`.
    """
    network = stated_network(options)
    if network is None:
        network = LinearNetwork(*widths_in(options.widths or "d,h,m"))
    return gradient_flow(network, loss_of(options))


def loss_of(options: argparse.Namespace) -> Loss:
    """Return the loss that the options `loss` and `l2` name, by default the squared."""
    loss = LOSSES[getattr(options, "loss", "squared")]
    return loss(l2=getattr(options, "l2", "0"))


def stated_network(options: argparse.Namespace) -> Any:
    """Return what `--network` or `--model` describe, or None without these.

    Raises InvalidArgument if they make no sense, or are given with other options for
    the same.
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


def check_fits(network: Any, inputs: int, outputs: int) -> None:
    """Refuse a network that does not take the inputs of the data to its targets.

    Raises InvalidArgument if it does not.
    """
    sizes: Sequence[Any] = tuple(reversed(network.end_to_end.shape))
    if sizes != (inputs, outputs):
        msg = (
            f"{network!r} takes {sizes[0]} inputs to {sizes[1]} outputs, and these "
            f"data have {inputs} and {outputs}"
        )
        raise InvalidArgument(msg)
