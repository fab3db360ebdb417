"""Circular networks in Fourier coordinates: conditions, and the transforms."""

from __future__ import annotations

from typing import Any

import numpy as np

from symflow.algebra.arrays import Array, to_mpf_array
from symflow.algebra.exact_matrix import height_of
from symflow.claims import Hypothesis
from symflow.flow.problem import Problem
from symflow.networks import Circulant, Network, Readout
from symflow.solutions.any_precision import Case, context_of
from symflow.solutions.conditions import measured

#: A part of the start below this is rounding of the check.
SPARE = 10


def full_filters(case: Case, least: int, most: int | None) -> Hypothesis:
    """Require convolutions with filters as long as the input, of some number."""
    network = case.flow.network
    layers = network.layers if isinstance(network, Network) else ()
    full = bool(layers) and least <= len(layers) <= (most or len(layers))
    full = full and all(isinstance(layer, Circulant) for layer in layers[:-1])
    full = full and isinstance(layers[-1], Readout)
    full = full and all(getattr(layer, "support", 0) is None for layer in layers)
    count = "two" if most == 2 else "three or more"
    return Hypothesis(f"{count} convolutions with full filters", full, repr(network))


def circulant_design(case: Case) -> Hypothesis:
    """Require that Σ_xx is circulant: diagonal in Fourier coordinates."""

    def gaps(problem: Problem) -> list[tuple[Array, Array]]:
        sigma_xx = problem.arguments[0]
        turned = np.roll(np.roll(sigma_xx, 1, axis=0), 1, axis=1)
        return [(turned - sigma_xx, sigma_xx)]

    words = "stationary input, Σ_xx circulant"
    return measured(case, words, "off by", gaps)


def spectra(case: Case, digits: int) -> tuple[list[tuple[Any, ...]], Array]:
    """Return λ, σ and the transforms of all filters, per frequency; and the transform.

    A transform of d fractions is an algebraic number of degree below d: if it is not
    zero, d times the digits of the fractions show that.

    Parameters
    ----------
    case : Case
        With circulant Σ_xx and full filters.
    digits : int
        Digits of the arithmetic, beside those that tell zero from small.
    """
    return case.remembered(("spectra", digits), lambda: _spectra(case, digits + SPARE))


def _spectra(case: Case, digits: int) -> tuple[list[tuple[Any, ...]], Array]:
    d, problem = case.problem.widths[0], case.rational
    if problem is None:
        problem = case.at(digits)
    else:
        digits += d * height_of((*problem.weights, *problem.arguments))
    context = context_of(digits)
    turn = [context.expjpi(context.mpf(-2 * k) / d) for k in range(d)]
    basis = np.array([[turn[i * k % d] for i in range(d)] for k in range(d)])
    sigma_xx, sigma_yx = (to_mpf_array(x, context) for x in problem.arguments)
    filters = [to_mpf_array(w, context).ravel() for w in problem.weights]
    noise = context.mpf(10) ** (SPARE - context.dps)

    def turned(signal: Array) -> list[Any]:
        least = noise * sum(abs(x) for x in signal)
        return [x if abs(x) > least else context.zero for x in basis @ signal]

    lam = [context.re(value) for value in turned(sigma_xx[0])]
    columns = [turned(part) for part in (sigma_yx[0], *filters)]
    return list(zip(lam, *columns, strict=True)), basis


def turned_back(basis: Array, values: list[Any]) -> Array:
    """Return the real row, shape (1, d), with a given transform.

    Parameters
    ----------
    basis : array, shape (d, d)
        The transform, as from `spectra`.
    values : list of mpc
        The transformed row.
    """
    context = basis.flat[0].context
    back = np.array([[context.conj(x) for x in row] for row in basis])
    rows = back.T @ np.array(values, dtype=object) / len(values)
    return np.array([[context.re(x) for x in rows]], dtype=object)
