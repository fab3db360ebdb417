"""A weight decay for every weight, against the objective written out in SymPy."""

from __future__ import annotations

import numpy as np
import pytest
import sympy
from flint import arb, arb_mat, ctx
from oracles.entrywise import matrix

import symflow as sf
from symflow.algebra.entries import entrywise
from symflow.errors import InvalidArgument, NoClosedForm
from symflow.flow.problem import bind
from symflow.precision.curvature import CurvatureBound
from symflow.precision.hessian import HessianBound

NET = sf.LinearNetwork(2, 2, 2)
DECAYS = (sympy.Rational(1, 3), 0)
TARGET = sympy.Matrix([[2, 1], [0, -1]])
START = [[[1.0, 0.5], [0.0, -1.0]], [[0.5, 0.25], [1.0, 2.0]]]


def flow_of(l2=DECAYS, net=NET, **options):
    return sf.gradient_flow(net, sf.SquaredLoss(l2=l2), **options)


def test_the_flow_is_the_entrywise_gradient():
    W1, W2 = matrix("W1", 2, 2), matrix("W2", 2, 2)
    gap = TARGET - W2 * W1
    loss = sum(entry**2 for entry in gap) / 2 + sum(entry**2 for entry in W1) / 6
    flow = flow_of()
    derived = flow.entries((2, 2, 2))
    moments = {"xx": sympy.eye(2), "yx": TARGET}
    numbers = {
        sympy.Symbol(f"Sigma_{name}_{i}_{j}", real=True): value[i, j]
        for name, value in moments.items()
        for i, j in np.ndindex(2, 2)
    }
    for entry, rate in derived.items():
        assert sympy.expand(rate.xreplace(numbers) + sympy.diff(loss, entry)) == 0
    induced = (W2 * flow_rate(flow, derived, "W1")) + flow_rate(
        flow, derived, "W2"
    ) * W1
    gaps = entrywise(flow.end_to_end.rhs) - induced
    assert all(sympy.expand(entry) == 0 for entry in gaps)


def flow_rate(flow, derived, name):
    return sympy.Matrix(
        2, 2, lambda i, j: derived[sympy.Symbol(f"{name}_{i}_{j}", real=True)]
    )


def test_runs_lose_what_is_written_out():
    data = sf.whitened(TARGET)
    flow = flow_of()
    run = sf.simulate(flow, data, START, [0, 1])
    fine = sf.precise(flow, data, START, [0, 1], digits=25)
    ball = sf.enclose(flow, data, START, 1, digits=12)
    assert ball.contains([weight[-1] for weight in fine.weights])
    W1, W2 = (np.array(weight[-1], dtype=float) for weight in fine.weights)
    gap = np.array(TARGET, dtype=float) - W2 @ W1
    known = np.sum(gap**2) / 2 + np.sum(W1**2) / 6
    assert run.loss[-1] == pytest.approx(known, rel=1e-8)
    assert float(fine.loss[-1]) == pytest.approx(known, rel=1e-14)
    bound = sf.compile(flow, data, outputs="loss")
    assert float(bound(W1, W2)) == pytest.approx(known, rel=1e-14)


@pytest.mark.parametrize("kind", [HessianBound, CurvatureBound])
def test_proven_growth_is_that_of_the_weight_which_decays_least(kind):
    one = sf.LinearNetwork(1, 1, 1)
    flow = flow_of((50, 0), one)
    problem = bind(flow, sf.whitened([[1]]), [[[0]], [[0]]], digits=20)
    with ctx.workprec(100):
        zero = [arb_mat([[0]]), arb_mat([[0]])]
        growth = float(kind(problem).around(zero, [arb(0), arb(0)]).rate(arb(0)))
    true = np.linalg.eigvalsh([[-50.0, 1.0], [1.0, 0.0]])[-1]  # by hand
    assert growth >= true


def test_equal_decays_are_one_and_others_keep_no_law():
    third = sympy.Rational(1, 3)
    assert flow_of((third, third)) == flow_of(third)
    assert flow_of((0, 0)) == flow_of(0)
    assert len(sf.conserved(flow_of((third, third)))) == 1
    assert len(sf.conserved(flow_of())) == 0
    assert len(sf.conserved(sf.heavy_ball(NET, sf.SquaredLoss(l2=DECAYS), 1))) == 0
    with pytest.raises(NoClosedForm):
        sf.solve(flow_of(), sf.whitened(TARGET), START)
    with pytest.raises(NoClosedForm, match="do not stay balanced"):
        _ = flow_of().end_to_end.balanced
    named = sf.gradient_flow(NET, sf.SquaredLoss(l2=("a", "b")))
    assert [str(symbol) for symbol in named.parameters] == ["a", "b"]
    with pytest.raises(InvalidArgument, match="a is symbolic"):
        sf.simulate(named, sf.whitened(TARGET), START, [0, 1])


def test_each_decay_belongs_to_its_weight(tmp_path):
    U, V = sympy.MatrixSymbol("U", 1, 1), sympy.MatrixSymbol("V", 1, 1)
    net = sf.Model(V * U + U, (V, U))
    flow = flow_of((0, 2), net)
    assert str(flow).splitlines()[1].endswith("− 2·U")
    assert "V" not in str(flow).splitlines()[0].split("−")[-1].replace("VU", "")
    assert sf.load(sf.save(flow, tmp_path / "flow.json")) == flow
    namespace = {"__name__": "written"}
    exec(sf.write_module(flow, tmp_path / "decays.py").read_text(), namespace)
    assert namespace["self_test"]()


@pytest.mark.parametrize(
    ("l2", "words"),
    [
        ((1, 2, 3), "each of the 2 weights"),
        ((), "each of the 2 weights"),
        ((1, -1), "cannot be negative"),
        ((1, "no name"), "needs a real number"),
    ],
)
def test_bad_decays_are_refused(l2, words):
    with pytest.raises(InvalidArgument, match=words):
        flow_of(l2)
