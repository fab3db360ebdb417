"""PyTorch: a bias-free stack of linear layers as a network and its weights."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from symflow.errors import InvalidArgument, imported
from symflow.networks import LinearNetwork, Network


def from_torch(module: Any) -> tuple[Network, tuple[NDArray[np.float64], ...]]:
    """Return the network of a ``torch.nn.Sequential`` of bias-free ``Linear`` layers.

    Parameters
    ----------
    module : torch.nn.Sequential
        ``Linear(…, bias=False)`` layers, and nothing between them.

    Returns
    -------
    Network
        A `LinearNetwork` of these widths.
    tuple of arrays
        Copies of the weights in float64, for ``simulate(flow, data, weights, t)``.

    Raises
    ------
    NotInstalled
        Without PyTorch.
    InvalidArgument
        If the module is something else, or a layer has a bias.

    Examples
    --------
    >>> import symflow as sf, torch  # doctest: +SKIP
    >>> layer = torch.nn.Linear(3, 2, bias=False)  # doctest: +SKIP
    >>> sf.from_torch(torch.nn.Sequential(layer))[0]  # doctest: +SKIP
    LinearNetwork(3, 2)
    """
    nn = imported("torch", "from_torch(module)").nn
    layers = [module] if isinstance(module, nn.Linear) else list(_parts(module, nn))
    weights = []
    for number, layer in enumerate(layers):
        if not isinstance(layer, nn.Linear) or layer.bias is not None:
            kind = type(layer).__name__
            problem = "has a bias" if isinstance(layer, nn.Linear) else f"is a {kind}"
            msg = (
                f"from_torch(module): layer {number} {problem}; only "
                "Linear(…, bias=False) is a linear layer of symflow"
            )
            raise InvalidArgument(msg)
        if layer.weight.is_complex():
            msg = f"from_torch(module): layer {number} has complex weights; needs reals"
            raise InvalidArgument(msg)
        weights.append(layer.weight.detach().cpu().double().numpy().copy())
    widths = [weights[0].shape[1], *(weight.shape[0] for weight in weights)]
    return LinearNetwork(*widths), tuple(weights)


def _parts(module: Any, nn: Any) -> Any:
    if not isinstance(module, nn.Sequential) or not len(module):
        msg = (
            "from_torch(module): needs a torch.nn.Sequential of Linear layers; got "
            f"{type(module).__name__}"
        )
        raise InvalidArgument(msg)
    return module
