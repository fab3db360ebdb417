"""The (s, u, v) equations of a balanced start of rank one, for general data."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest
import sympy
from oracles.entrywise import random_problem
from scipy.integrate import solve_ivp

import symflow as sf
from symflow.flow.rank_one import _gap


def _correlated(widths, seed=0):
    rng = np.random.default_rng(seed)
    return sf.Dataset(rng.normal(size=(9, widths[0])), rng.normal(size=(9, widths[-1])))


def _followed(flow, data, start, times):
    """Integrate the SymPy equations as they stand, by substitution."""
    equations = flow.end_to_end.rank_one
    moments = data.moments()
    s, u, v = equations.state
    given = dict(zip(flow.data, (moments.sigma_xx, moments.sigma_yx), strict=True))
    explicit = [
        sympy.Matrix(side.xreplace({k: sympy.Matrix(a) for k, a in given.items()}))
        for side in equations.rhs
    ]
    names = [s, *sympy.Matrix(u), *sympy.Matrix(v)]
    rhs = sympy.lambdify(names, list(sympy.Matrix.vstack(*explicit)))
    run = solve_ivp(
        lambda _, y: rhs(*y),
        (0, times[-1]),
        start,
        "DOP853",
        times,
        rtol=1e-12,
        atol=1e-13,
    )
    cut = 1 + u.shape[0]
    return [y[0] * np.outer(y[1:cut], y[cut:]) for y in run.y.T]


@pytest.mark.parametrize("widths", [(3, 1, 2), (2, 1, 3, 2), (2, 2, 1, 2, 2)])
def test_general_data_follow_the_integrated_layers(widths):
    flow, data = (
        sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss()),
        _correlated(widths),
    )
    init, times = sf.rank_one_init(0.7, rng=1), np.array([0.0, 0.5, 2.0, 6.0])
    run = sf.simulate(flow, data, init, times, method=sf.DOP853(rtol=1e-12))
    u, values, vt = np.linalg.svd(run.end_to_end[0])
    start = np.concatenate([values[:1], u[:, 0], vt[0]])
    found = _followed(flow, data, start, times)
    assert (
        max(np.abs(a - b).max() for a, b in zip(found, run.end_to_end, strict=True))
        < 1e-9
    )


def test_the_equations_are_those_of_the_layers_entry_by_entry():
    """At W_1 = s^{1/3}rvᵀ, W_2 = s^{1/3}r′rᵀ, W_3 = s^{1/3}ur′ᵀ of unit vectors."""
    oracle = random_problem((2, 1, 2, 2))
    u, v, inner = (sympy.Matrix(pair) / 5 for pair in ([3, 4], [-4, 3], [4, 3]))
    root = sympy.Rational(2, 3)
    weights = [root * v.T, root * inner, root * u * inner.T]
    here = dict(zip(oracle.variables, chain(*weights), strict=True))
    slopes = iter([-entry.subs(here) for entry in oracle.gradient])
    moved = [sympy.Matrix(*w.shape, lambda i, j: next(slopes)) for w in weights]
    total = moved[2] * weights[1] * weights[0] + weights[2] * (
        moved[1] * weights[0] + weights[1] * moved[0]
    )
    flow = sf.gradient_flow(sf.LinearNetwork(2, 1, 2, 2), sf.SquaredLoss())
    count = oracle.X.rows
    data = (oracle.X.T * oracle.X / count, oracle.Y.T * oracle.X / count)
    equations = flow.end_to_end.rank_one
    placed = dict(zip((*equations.state[1:], *flow.data), (u, v, *data), strict=True))
    ds, du, dv = (
        sympy.Matrix(side.subs(equations.state[0], root**3).xreplace(placed))
        for side in equations.rhs
    )
    ours = ds[0] * u * v.T + root**3 * (du * v.T + u * dv.T)
    assert (ours - total).applyfunc(sympy.simplify).is_zero_matrix
    assert not total.is_zero_matrix


def test_the_derivation_is_proved_for_every_depth_and_a_wrong_one_is_not():
    network = sf.LinearNetwork("d", 1, "m")
    flow = sf.gradient_flow(network, sf.SquaredLoss())
    assert flow.end_to_end.rank_one.verify() == 0
    depth = sympy.Symbol("L", positive=True)
    assert _gap(depth, depth - 1) != 0
    assert _gap(depth + 1, depth - 2) != 0


@pytest.mark.parametrize(
    ("network", "loss"),
    [
        (sf.LinearNetwork(2, 2), sf.SquaredLoss()),
        (sf.LinearNetwork(2, 1, 2), sf.SquaredLoss(l2=1)),
        (sf.DiagonalNetwork(2, depth=2), sf.SquaredLoss()),
    ],
)
def test_other_flows_have_no_rank_one_form(network, loss):
    with pytest.raises(sf.NoClosedForm, match="two or more dense layers without"):
        _ = sf.gradient_flow(network, loss).end_to_end.rank_one
