"""Conserved quantities: found from the symmetries of the layers, and proved."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, overload

import numpy as np

from symflow.algebra.arrays import to_float_array
from symflow.algebra.rank import decide_rank
from symflow.claims import Path
from symflow.conservation.count import (
    Count as Count,
    RankCertificate as RankCertificate,
    count_conserved as count_conserved,
)
from symflow.conservation.descent import StepLaw as StepLaw, step_laws
from symflow.conservation.inputs import (
    Ratios as Ratios,
    UnreachedPart as UnreachedPart,
    laws_of,
)
from symflow.conservation.law import Law as Law
from symflow.conservation.laws import Laws as Laws, counted_for
from symflow.conservation.momentum import (
    AngularMomentum as AngularMomentum,
    momentum_laws,
)
from symflow.conservation.noether import NoetherLaw as NoetherLaw
from symflow.conservation.phases import (
    BalancedPhases as BalancedPhases,
    start_laws,
    weights_at,
)
from symflow.conservation.polynomial import (
    PolynomialLaw as PolynomialLaw,
    PolynomialSearch as PolynomialSearch,
)
from symflow.conservation.proof import ProofStep as ProofStep
from symflow.conservation.rows import RowSpace as RowSpace
from symflow.conservation.tensor import ComponentLaw as ComponentLaw
from symflow.errors import InvalidArgument, expect, shown
from symflow.flow import GradientDescent, GradientFlow, HeavyBall


@overload
def conserved(
    flow: GradientFlow, *, data: Any = None, search: None = None
) -> Laws[Law]: ...
@overload
def conserved(
    flow: GradientFlow, *, data: Any = None, init: Any, search: None = None
) -> Laws[Law | BalancedPhases]: ...
@overload
def conserved(
    flow: GradientFlow, *, data: Any = None, search: PolynomialSearch
) -> Laws[PolynomialLaw]: ...
@overload
def conserved(
    flow: HeavyBall, *, data: None = None, search: None = None
) -> Laws[AngularMomentum]: ...
@overload
def conserved(
    flow: GradientDescent, *, data: Any = None, search: None = None
) -> Laws[StepLaw]: ...
def conserved(
    flow: Any,
    *,
    data: Any = None,
    init: Any = None,
    search: PolynomialSearch | None = None,
) -> Any:
    """Find the conserved quantities of a flow and prove them for every size.

    All linear and quadratic forms of the parameters that hold for every width come from
    one linear system: those whose gradient is a symmetry of the model.  Between dense
    layers this is W_l → gW_l, W_{l+1} → W_{l+1}g⁻¹ and the imbalance.  Under weight
    decay they are not conserved; they are then reported with their exact `rate`.

    Parameters
    ----------
    flow : GradientFlow, GradientDescent or HeavyBall
        Widths may be symbolic.
    data : Dataset or Moments, keyword-only, optional
        Also list what is conserved for these inputs in particular, whatever the
        labels: frozen blocks along directions that no input has, and the ratios of
        diagonal models.
    init : Init or sequence of array_like, keyword-only, optional
        Also list what is conserved from this start in particular: the relative phases
        of full circular filters with equal Fourier moduli; and leave out the ratios
        where a coordinate starts at zero, and the row space where rows are dependent.
    search : PolynomialSearch, keyword-only, optional
        Find all polynomial laws of a degree instead, at integer widths.

    Returns
    -------
    Laws
        A sequence of `Law`, those of the first parameters first, that knows how many
        there are: `independent`, `known` and `missing`.  For gradient descent it says
        by how much each changes in a step, which is of second order in the step size;
        for a heavy ball it has the angular momenta, which decay as its friction says.

    Raises
    ------
    InvalidArgument
        If `flow` is not a flow, or `data` are not data.
    ShapeMismatch
        If the inputs do not fit the network.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(3, 2, 2, 1), sf.SquaredLoss())
    >>> [str(law.expr) for law in sf.conserved(flow)]
    ['-W1*W1.T + W2.T*W2', '-W2*W2.T + W3.T*W3']
    """
    if isinstance(flow, HeavyBall) and data is None and search is None:
        return Laws(tuple(momentum_laws(flow)), flow)
    if isinstance(flow, GradientDescent) and search is None:
        return Laws(tuple(step_laws(flow, laws_of(flow.flow, data))))
    expect(flow, GradientFlow, "conserved(flow)", "a gradient flow")
    if search is not None and not isinstance(search, PolynomialSearch):
        msg = (
            "conserved(flow, search=…): needs PolynomialSearch(degree=…), which finds "
            "all polynomial laws of a degree. An expression of your own is settled by "
            f"claim(flow, conserved=expr).verdict; got {shown(search)}"
        )
        raise InvalidArgument(msg)
    if search is not None:
        return Laws(tuple(search(flow, data)))
    found = laws_of(flow, data)
    if init is None:
        return Laws(tuple(found), counted_for(flow), data)
    general = _at_start(found, flow, init, data)
    return Laws((*general, *start_laws(flow, init, data)))


def _at_start(laws: list[Law], flow: GradientFlow, init: Any, data: Any) -> list[Law]:
    """Leave out what is not defined at a start: a logarithm of 0, dependent rows."""
    if not any(isinstance(law, Ratios | RowSpace) for law in laws):
        return laws
    start = weights_at(flow, init, data)
    found: list[Law] = []
    for law in laws:
        if isinstance(law, Ratios):
            with np.errstate(divide="ignore", invalid="ignore"):
                value = law.value([to_float_array(weight) for weight in start])
            found += [law] if np.all(np.isfinite(value)) else []
        elif isinstance(law, RowSpace):
            rank = decide_rank(start[0])
            whole = rank.value == len(start[0]) and rank.is_clear
            found += [replace(law, rank=rank)] if whole else []
        else:
            found.append(law)
    return found


def drifts(path: Path) -> dict[str, float]:
    """Return the largest relative drift of every law along a trajectory, by name."""
    return {
        f"drift {law.name}": float(max(law.residuals(path)))
        for law in conserved(path.flow)
    }
