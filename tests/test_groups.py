"""Convolutions on a torus: by hand, by characters, and the circle as one of them."""

from fractions import Fraction as F
from itertools import product

import numpy as np
import pytest
import sympy

import symflow as sf
from symflow.algebra.arrays import from_spectrum, to_spectrum, waves
from symflow.algebra.numbers import context_of
from symflow.bias import FourierPotential, ModeMaxMargin
from symflow.flow.problem import bind
from symflow.networks.groups import abelian_group, inverses
from symflow.solutions import DeepFourierMode, FourierMode


def convolved(group, filters):
    """Return w_1 * … * w_L by the definition, one sum after the other."""
    total = np.zeros(group, dtype=object)
    total[(0,) * len(group)] = 1
    for taps in filters:
        after = np.zeros(group, dtype=object)
        for g, h in product(np.ndindex(*group), np.ndindex(*taps.shape)):
            after[tuple((a + b) % n for a, b, n in zip(g, h, group, strict=True))] += (
                total[g] * taps[h]
            )
        total = after
    return total


@pytest.mark.parametrize(
    ("group", "shapes"),
    [
        ((2, 3), ((2, 3), (2, 3))),
        ((3, 4), ((2, 2), (1, 3))),
        ((2, 2, 2), ((2, 1, 2),) * 3),
    ],
)
def test_the_end_to_end_row_is_the_convolution_entry_by_entry(group, shapes):
    network = sf.ConvolutionalNetwork(group, shapes)
    names = iter(sympy.symbols(f"x:{100}"))
    filters = [
        np.array([next(names) for _ in range(np.prod(s))]).reshape(s) for s in shapes
    ]
    beta = convolved(group, filters).ravel()
    tensor = network.as_tensor()
    for w in reversed(filters):
        tensor = tensor @ w.ravel()
    assert not any(sympy.expand(a - b) for a, b in zip(tensor, beta, strict=True))


@pytest.mark.parametrize("group", [(1,), (6,), (2, 3), (3, 2), (4, 4), (2, 2, 2)])
def test_groups_are_found_and_characters_multiply(group, rng):
    size = int(np.prod(group))
    if len(group) > 1:
        found = abelian_group(sf.ConvolutionalNetwork(group, [group] * 2))
        assert found == group
    w, v = rng.integers(-3, 4, (2, *group))
    beta = convolved(group, [w, v]).astype(float).ravel()
    turned = [to_spectrum(x.ravel().astype(float), group) for x in (w, v)]
    assert to_spectrum(beta, group) == pytest.approx(turned[0] * turned[1])
    assert from_spectrum(turned[0] * turned[1], group) == pytest.approx(beta)
    table = waves(group, context_of(20)).astype(complex)
    assert table @ beta == pytest.approx(to_spectrum(beta, group))
    assert turned[0][inverses(group)] == pytest.approx(turned[0].conj())
    assert len(table) == size


def test_what_is_no_convolution_of_full_filters_has_no_group():
    assert abelian_group(sf.ConvolutionalNetwork((2, 3), ((2, 2), (2, 3)))) is None
    tensor = sf.ConvolutionalNetwork((2, 2), [(2, 2)] * 2).as_tensor()
    tensor[0, 0, 0] = 2
    assert abelian_group(sf.TensorNetwork(tensor)) is None
    circle = sf.ConvolutionalNetwork(4, (4, 4))
    assert abelian_group(circle) == abelian_group(sf.TensorNetwork(circle.as_tensor()))


@pytest.mark.parametrize(
    ("group", "filters"),
    [
        ((2, 3), ((2, 4), (2, 3))),
        ((2, 3), (2, 3)),
        ((), ((), ())),
        ((2, 2), ((1, 1),) * 70),  # more axes than NumPy has
        ((1,) * 70, ((1,) * 70,) * 2),
        ((300, 300), ((300, 300),) * 2),
    ],
)
def test_shapes_that_do_not_fit_are_refused(group, filters):
    with pytest.raises(sf.InvalidArgument, match="shapes of filters"):
        sf.ConvolutionalNetwork(group, filters)


def stationary(group, even):
    """Return Σ_xx with Σ_xx(g, h) = c(h − g)."""
    places = [*np.ndindex(*group)]
    gaps = [
        [
            tuple((b - a) % n for a, b, n in zip(g, h, group, strict=True))
            for h in places
        ]
        for g in places
    ]
    return [[even[gap] for gap in row] for row in gaps]


@pytest.mark.parametrize("depth", [2, 3])
def test_frequencies_on_a_torus_are_solved_to_30_digits(depth):
    group = (2, 3)
    network = sf.ConvolutionalNetwork(group, [group] * depth)
    even = np.array([[2, F(1, 2), F(1, 2)], [F(1, 4), F(1, 5), F(1, 5)]], dtype=object)
    target = [[1, 2, F(-1, 2), 0, 1, F(1, 3)]]
    data = sf.Moments(stationary(group, even), target)
    first = np.array(
        [[1], [F(1, 2)], [0], [F(1, 3)], [F(-1, 4)], [F(1, 5)]], dtype=object
    )
    other = np.array([[F(1, 2)], [0], [1], [0], [F(1, 7)], [0]], dtype=object)
    start = (first, other) if depth == 2 else (first,) * depth
    flow = sf.gradient_flow(network, sf.SquaredLoss())
    kind = FourierMode if depth == 2 else DeepFourierMode
    solution = kind.attempt(bind(flow, data, start))
    assert isinstance(solution, kind), solution
    run = sf.simulate(flow, data, start, [0, 1, 3, 200])
    assert solution.end_to_end(run.t[:3]) == pytest.approx(run.end_to_end[:3], abs=1e-8)
    layers = zip(solution.weights(3), run.weights, strict=True)
    assert all(a == pytest.approx(b[2], abs=1e-8) for a, b in layers)
    assert sf.validate([solution], run).ok
    assert solution.limit == pytest.approx(run.end_to_end[-1], abs=1e-6)
    if depth == 2:
        fine = sf.precise(flow, data, start, [0, 2], digits=33).end_to_end[1]
        assert abs(solution.precise(2, digits=32) - fine).max() < 1e-30
    # Z_2 × Z_3 is the circle of six, in another order
    order = [3 * (k % 2) + k % 3 for k in range(6)]
    xx, yx = np.array(stationary(group, even)), np.array(target)
    circle = sf.ConvolutionalNetwork(6, (6,) * depth)
    round_ = sf.gradient_flow(circle, sf.SquaredLoss())
    moved = sf.Moments(xx[np.ix_(order, order)], yx[:, order])
    same = kind.attempt(bind(round_, moved, [w[order] for w in start]))
    gap = same.precise(2, digits=40)[0] - solution.precise(2, digits=40)[0, order]
    assert abs(gap).max() < 1e-38
    skew = sf.Moments(np.diag([1, 2, 3, 4, 5, 6]).tolist(), target)
    assert "stationary input" in str(kind.attempt(bind(flow, skew, start)))


def test_the_potential_of_characters_predicts_the_limit_of_one_sample():
    group = (2, 3)
    network = sf.ConvolutionalNetwork(group, [group] * 2)
    data = sf.Dataset([[1, 2, 0, -1, 1, 1]], [3])
    first = np.array([[0.5], [0.2], [-0.1], [0.3], [0.1], [-0.2]])
    flow, start = sf.gradient_flow(network, sf.SquaredLoss()), (first, 0 * first)
    bias = FourierPotential.attempt(bind(flow, data, start))
    run = sf.simulate(flow, data, start, [0, 1, 60])
    assert bias.limit == pytest.approx(run.end_to_end[-1], abs=1e-6)
    assert sf.validate([bias], run).ok
    # the same numbers on the circle end elsewhere
    circle = sf.gradient_flow(sf.ConvolutionalNetwork(6, (6, 6)), sf.SquaredLoss())
    wrong = FourierPotential.attempt(bind(circle, data, start))
    assert abs(wrong.limit - bias.limit).max() > 1e-3
    assert wrong.kkt_residual(run.end_to_end[-1]) > 1e-3


def test_a_dead_character_is_found_in_fractions():
    """1 + x·y + … with Σ w χ = 0 at (1, 0) alone: rows that sum alike."""
    network = sf.ConvolutionalNetwork((2, 3), [(2, 3)] * 2)
    flow, data = sf.gradient_flow(network, sf.SquaredLoss()), sf.Dataset([[1] * 6], [3])
    dead = np.array([1, 5, 0, 2, 1, 3])[:, None]  # both rows sum to 6
    refusal = FourierPotential.attempt(bind(flow, data, (dead, 0 * dead)))
    assert "one is exactly zero" in str(refusal)
    alive = np.array([1, 5, 0, 2, 1, 4])[:, None]
    assert isinstance(
        FourierPotential.attempt(bind(flow, data, (alive, 0 * alive))), FourierPotential
    )


def test_classification_goes_to_the_largest_margin_of_the_characters():
    group, rng = (2, 3), np.random.default_rng(3)
    network = sf.ConvolutionalNetwork(group, [group] * 2)
    flow = sf.gradient_flow(network, sf.ExponentialLoss())
    X, goal = rng.standard_normal((3, 6)), rng.standard_normal(6)
    labels, spectrum = np.sign(X @ goal), to_spectrum(goal, group)
    data = sf.Dataset(X, labels)
    root = (1 + abs(spectrum)) ** 0.5
    first = from_spectrum(4 * root * spectrum / abs(spectrum), group)[:, None]
    start = first, from_spectrum(root + 0j, group)[:, None]
    bias = ModeMaxMargin.attempt(bind(flow, data, start))
    assert isinstance(bias, ModeMaxMargin), bias
    run = sf.simulate(sf.directional_flow(flow), data, start, [0, 300, 3000])
    angles = [bias.angle(W) for W in run.end_to_end]
    assert angles[2] < 0.01 < angles[1] < 0.05

    def objective(row):
        margin = min((X @ row) * labels)
        return abs(to_spectrum(row, group)).sum() / margin if margin > 0 else np.inf

    best, step = bias.limit[0], 0.05
    tried = [best + step * rng.standard_normal(6) for _ in range(300)]
    assert min(map(objective, tried)) > objective(best)
