"""A reader's own theorems, asked with those of symflow."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
import sympy

import symflow as sf
from symflow.bias.prediction import Prediction
from symflow.claims import Hypothesis, structural
from symflow.claims.bibliography import MIN_2021
from symflow.claims.catalogue import _REGISTERED
from symflow.convergence import LossBound
from symflow.solutions import LinearRegression

FLOW = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
DATA = sf.whitened([[3, 0], [0, 2]])
START = ([[1, 0], [0, 1]], [[1, 0], [0, 1]])


@pytest.fixture(autouse=True)
def _forget():
    before = dict(_REGISTERED)
    yield
    _REGISTERED.clear()
    _REGISTERED.update(before)


def dense(problem):
    return structural("dense", problem.flow.network.is_dense)


def test_a_companion_is_asked_and_takes_the_place_of_an_earlier_one():
    def made(slack):
        class Resting(sf.Theorem):
            source: ClassVar = MIN_2021
            conditions: ClassVar = (dense,)

            @property
            def statement(self):
                return sympy.Eq(sympy.Symbol("W(t)"), sympy.Symbol("W(0)"))

            def residuals(self, path):
                return np.full(len(path.t), slack)

        return Resting

    sf.register(made(1.0))
    second = sf.register(made(0.0))
    found = [c for c in sf.companions(FLOW, DATA, START) if c.name == "Resting"]
    assert [type(claim) for claim in found] == [second]
    assert found[0].status is sf.Status.ASSERTED
    diagonal = sf.gradient_flow(sf.DiagonalNetwork(2, depth=2), sf.SquaredLoss())
    columns = ([1, 2], [2, 1])
    others = sf.companions(diagonal, sf.whitened([[1, 1]]), columns)
    assert "Resting" not in [claim.name for claim in others]


def test_a_rate_is_asked_by_rates_and_refuted_when_false():
    class TooFast(LossBound):
        source: ClassVar = MIN_2021
        conditions: ClassVar = (dense,)

        @classmethod
        def conclude(cls, problem, found):
            return cls(problem, tuple(found), 1000.0)

    sf.register(TooFast)
    first = sf.rates(FLOW, DATA, START)[0]
    assert isinstance(first, TooFast)
    assert first.status is sf.Status.ASSERTED
    run = sf.simulate(FLOW, DATA, START, [0, 1])
    assert not sf.validate([first], run).ok
    verdict = sf.certify(first, FLOW, DATA, START, [0, 1], digits=20)
    assert verdict.status is sf.Status.REFUTED


def test_a_prediction_is_asked_after_those_of_symflow():
    class Nowhere(Prediction):
        source: ClassVar = MIN_2021

        @property
        def statement(self):
            return sympy.Eq(sympy.Symbol("W"), 0)

        @property
        def limit(self):
            return np.zeros((2, 2))

        @property
        def potential(self):
            return sympy.Integer(0)

        def kkt_residual(self, end_to_end):
            return 0.0

        def residuals(self, path):
            return np.zeros(len(path.t))

    sf.register(Nowhere)
    assert sf.implicit_bias(FLOW, DATA, START).name == "LeastNorm"
    decaying = sf.gradient_flow(FLOW.network, sf.SquaredLoss(l2="1/10"))
    unbalanced = ([[1, 2], [0, 1]], [[3, 0], [1, 1]])
    assert sf.implicit_bias(decaying, DATA, unbalanced).name == "Nowhere"


def test_a_closed_form_is_asked_by_solve():
    class Resting(LinearRegression):
        """A single layer that has learned already."""

        structural: ClassVar = 1
        conditions: ClassVar = (dense, lambda problem: at_rest(problem))

    def at_rest(problem):
        sigma_xx, sigma_yx = problem.arguments
        holds = not np.any(sigma_yx - problem.weights[0] @ sigma_xx)
        return Hypothesis("at rest", holds)

    flow = sf.gradient_flow(sf.LinearNetwork(2, 2), sf.SquaredLoss())
    sf.register(Resting)
    found = sf.solve(flow, DATA, ([[3, 0], [0, 2]],), all=True)
    assert [answer.name for answer in found] == ["LinearRegression", "Resting"]
    np.testing.assert_array_equal(found[1].end_to_end(7.0), [[3, 0], [0, 2]])
    others = sf.solve(flow, DATA, ([[1, 0], [0, 2]],), all=True)
    assert [answer.name for answer in others] == ["LinearRegression"]


def test_what_is_no_theorem_is_refused():
    with pytest.raises(sf.InvalidArgument, match="needs a subclass of Theorem"):
        sf.register(3)
    with pytest.raises(sf.InvalidArgument, match="Prediction leaves open"):
        sf.register(Prediction)
