"""The heavy ball: equations, angular momenta, counts, and what it loses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy
from scipy.integrate import solve_ivp

import symflow as sf
from symflow.algebra.nodes import add
from symflow.algebra.numbers import to_mpf

#: widths: dimension of the algebra, independent laws; by brackets of polynomials.
COUNTS = {
    (2, 1, 2): (9, 0),
    (2, 2, 1): (12, 1),
    (2, 2, 2): (16, 1),
    (3, 2, 2): (20, 1),
    (2, 3, 2): (22, 3),
    (2, 3, 1): (16, 3),
    (2, 4, 1): (19, 6),
}


@dataclass
class Path:
    """Weights and velocities at some times, as a claim reads them."""

    t: Any
    weights: Any
    context: Any = None

    def number(self, value):
        if self.context is None:
            return float(value)
        return to_mpf(value, self.context)


def heavy_path(ball, data, start, times, rtol=1e-12):
    """Integrate θ̈ = −∇ℒ − τθ̇ by SciPy, from the kernel of the gradient flow."""
    kernel, tau = sf.compile(ball.flow), float(ball.friction)
    known = ball.loss.arrays(data)
    arrays = [np.asarray(known[symbol.name], float) for symbol in ball.flow.data]
    shapes = [np.shape(w) for w in start]
    ends = np.cumsum([0, *(int(np.prod(shape)) for shape in shapes)])

    def split(x):
        return [
            x[a:b].reshape(shape)
            for a, b, shape in zip(ends, ends[1:], shapes, strict=False)
        ]

    def rhs(_, x):
        theta, v = x[: ends[-1]], x[ends[-1] :]
        force = np.concatenate([g.ravel() for g in kernel(*split(theta), *arrays)])
        return np.concatenate([v, force - tau * v])

    half = np.concatenate([np.ravel(w) for w in start[: len(shapes)]])
    x0 = np.concatenate([half, np.linspace(-1, 1, len(half))])
    found = solve_ivp(
        rhs, (0, times[-1]), x0, "DOP853", times, rtol=rtol, atol=1e-13
    ).y.T
    parts = [found[:, : ends[-1]], found[:, ends[-1] :]]
    weights = [
        part[:, a:b].reshape(-1, *shape)
        for part in parts
        for a, b, shape in zip(ends, ends[1:], shapes, strict=False)
    ]
    return Path(np.asarray(times), weights)


@pytest.mark.parametrize("loss", [sf.SquaredLoss(l2=0.25), sf.LogisticLoss()], ids=repr)
def test_angular_momenta_decay_with_the_friction(loss, rng):
    net = sf.LinearNetwork(3, 3, 2, 2)
    ball = sf.heavy_ball(net, loss, friction=0.5)
    data = sf.Dataset(rng.standard_normal((5, 3)), rng.choice([-1.0, 1.0], (5, 2)))
    start = [rng.standard_normal(p.shape) for p in net.parameters]
    path = heavy_path(ball, data, start, [0, 0.5, 1, 3])
    laws = sf.conserved(ball)
    assert [law.involved for law in laws] == [(0, 1), (1, 2)]
    for law in laws:
        assert float(max(law.residuals(path))) < 1e-9
        first = law.value(path.weights[:3], path.weights[3:])[0]
        assert np.max(np.abs(first)) > 0.1
        np.testing.assert_allclose(first, -first.T, atol=1e-13)
        wrong = replace(law, ball=replace(ball, friction=sympy.Rational(2, 5)))
        assert float(max(wrong.residuals(path))) > 1e-3
    for lost in sf.conserved(ball.flow):
        values = lost.value(path.weights[:3])
        assert np.max(np.abs(values[-1] - values[0])) > 0.1


def test_a_ball_that_has_come_to_rest_does_not_contradict_its_law(rng):
    net = sf.LinearNetwork(2, 2, 2)
    ball = sf.heavy_ball(net, sf.SquaredLoss(), friction=3)
    start = [rng.standard_normal(p.shape) for p in net.parameters]
    path = heavy_path(ball, sf.whitened(np.eye(2)), start, [0, 15, 20, 25])
    late = replace(path, t=path.t[1:], weights=[w[1:] for w in path.weights])
    (law,) = sf.conserved(ball)
    assert max(law.residuals(late)) < 1e-7


def test_thirty_digits_without_friction():
    """Widths 1–2–1 and ℓ = ½(w₂w₁ − 1)², integrated by mpmath's Taylor method."""
    ball = sf.heavy_ball(sf.LinearNetwork(1, 2, 1), sf.SquaredLoss(), friction=0)
    context = mpmath.MPContext()
    context.dps = 34

    def rhs(t, x):
        a, b, v = x[:2], x[2:4], x[4:]
        force = 1 - (a[0] * b[0] + a[1] * b[1])
        return [*v, *(force * y for y in b), *(force * y for y in a)]

    start = [context.mpf(k) / 7 for k in (3, -2, 1, 4, 1, 2, -3, 5)]
    curve = context.odefun(rhs, 0, start)
    columns = np.array([curve(t) for t in (0, 1)], dtype=object)
    shapes = ((2, 1), (1, 2)) * 2
    weights = [
        columns[:, 2 * k : 2 * k + 2].reshape(2, *shape)
        for k, shape in enumerate(shapes)
    ]
    (law,) = sf.conserved(ball)
    path = Path([0, 1], weights, context)
    assert max(law.residuals(path)) < context.mpf(10) ** -30
    assert str(law).endswith("is conserved, for every width, loss and data set")


def test_proof_is_for_every_width_and_needs_the_friction():
    ball = sf.heavy_ball(sf.LinearNetwork("d", "h", "k", "m"), sf.SquaredLoss(l2="lam"))
    assert str(ball).splitlines()[2] == (
        "Ẅ₃ = (Σ_yx − W₃W₂W₁Σ_xx)W₁ᵀW₂ᵀ − lam·W₃ − τ·Ẇ₃"
    )
    for law in sf.conserved(ball):
        assert len(law.proof()) == 3
        assert all(step.check() for step in law.proof())

    mutant = replace(sf.conserved(ball)[0])
    mutant.__dict__["node"] = without_rest(mutant.node)
    with pytest.raises(ArithmeticError, match="not an identity"):
        mutant.proof()


def without_rest(node):
    """Return the first two terms of A alone, which are no law."""
    return add(*node.terms[:2])


@pytest.mark.parametrize("widths", COUNTS)
def test_counts_agree_with_the_table(widths):
    ball = sf.heavy_ball(sf.LinearNetwork(*widths), sf.SquaredLoss())
    count = sf.count_conserved(ball)
    h = widths[1]
    assert (count.lie_dimension, count.independent) == COUNTS[widths]
    assert count.independent == h * (h - 1) // 2
    assert count.complete
    assert {sf.count_conserved(ball, rng=s).independent for s in range(5)} == {
        count.independent
    }


@pytest.mark.parametrize("h", [2, 3, 4])
def test_scalar_inputs_and_outputs_have_further_laws(h):
    """u ± v decouple for d = m = 1: the algebra has dimension 7 whatever h is."""
    count = sf.count_conserved(
        sf.heavy_ball(sf.LinearNetwork(1, h, 1), sf.SquaredLoss())
    )
    assert (count.lie_dimension, count.independent) == (7, 4 * h - 6)
    assert (count.known, count.settled) == (h * (h - 1) // 2, True)


def test_deep_heavy_balls_keep_one_momentum_per_hidden_layer():
    for widths in [(2, 2, 2, 2), (2, 2, 3, 1), (1, 2, 2)]:
        ball = sf.heavy_ball(sf.LinearNetwork(*widths), sf.SquaredLoss(), friction=1)
        count = sf.count_conserved(ball)
        assert count.independent == sum(h * (h - 1) // 2 for h in widths[1:-1])
        assert count.complete


def test_what_a_heavy_ball_refuses():
    net = sf.DiagonalNetwork("d")
    assert sf.conserved(sf.heavy_ball(net, sf.SquaredLoss())) == []
    with pytest.raises(sf.InvalidArgument, match="negative"):
        sf.heavy_ball(net, sf.SquaredLoss(), friction=-1)
    with pytest.raises(sf.InvalidArgument, match="network"):
        sf.heavy_ball(3, sf.SquaredLoss())
    with pytest.raises(sf.InvalidArgument, match="integer widths"):
        sf.count_conserved(sf.heavy_ball(net, sf.SquaredLoss()))
