"""Margins of degenerate data, against all corners of a polyhedron in fractions.

Equal, dependent and tiny samples, features of other units, ties, zeros: exact and as
floats, which are fractions too.  `corners` shares nothing with symflow.
"""

from fractions import Fraction as F
from itertools import combinations
from math import isqrt

import mpmath
import numpy as np
import pytest
import sympy
from flint import fmpq

import symflow as sf
from symflow.bias import (
    AlignedLayers,
    DenseMaxMargin,
    DirectionRate,
    ModeMaxMargin,
    OneSampleDirection,
    SignedMaxMargin,
    SingularVectors,
    euclidean_margin,
)
from symflow.bias.exact_program import Corner, is_only
from symflow.bias.margin_problems import least_euclidean, least_moduli
from symflow.claims import Status
from symflow.flow.problem import bind


def solved(matrix, right):
    """Return the solution of a square system in fractions, None if it is singular."""
    table = [[*row, b] for row, b in zip(matrix, right, strict=True)]
    size = len(table)
    for k in range(size):
        pivot = next((i for i in range(k, size) if table[i][k] != 0), None)
        if pivot is None:
            return None
        table[k], table[pivot] = table[pivot], table[k]
        for i in range(size):
            if i != k and table[i][k] != 0:
                factor = table[i][k] / table[k][k]
                table[i] = [
                    a - factor * b for a, b in zip(table[i], table[k], strict=True)
                ]
    return [table[k][-1] / table[k][k] for k in range(size)]


def dot(first, second):
    return sum((a * b for a, b in zip(first, second, strict=True)), F(0))


def slab(rows):
    """Return argmin ‖β‖ under rows·β ≥ 1 from all sets of active rows, or None."""
    for size in range(1, min(len(rows), len(rows[0])) + 1):
        for chosen in combinations(rows, size):
            gram = [[dot(a, b) for b in chosen] for a in chosen]
            shares = solved(gram, [F(1)] * size)
            if shares is None or min(shares) < 0:
                continue
            beta = [dot(shares, column) for column in zip(*chosen, strict=True)]
            if all(dot(row, beta) >= 1 for row in rows):
                return beta
    return None


def corners(rows):
    """Return all corners of least Σ|ρ_j| under rows·ρ ≥ 1; none if there are none."""
    width, found = len(rows[0]), {}
    for size in range(1, min(len(rows), width) + 1):
        for chosen in combinations(rows, size):
            for support in combinations(range(width), size):
                part = solved(
                    [[row[j] for j in support] for row in chosen], [F(1)] * size
                )
                if part is None:
                    continue
                point = [F(0)] * width
                for j, value in zip(support, part, strict=True):
                    point[j] = value
                if all(dot(row, point) >= 1 for row in rows):
                    found[tuple(point)] = sum(map(abs, point))
    least = min(found.values(), default=None)
    return [point for point, value in found.items() if value == least]


def unit(values):
    """Return the unit vector of fractions of any size, to float64."""
    top = max(map(abs, values))
    scaled = np.array([float(value / top) for value in values])
    return scaled / np.linalg.norm(scaled)


def degenerate(rng):
    """Return rows y_i x_i in fractions: few values, copies, sums, other units."""
    n, d = int(rng.integers(1, 6)), int(rng.integers(1, 4))
    rows = [[F(int(v)) for v in row] for row in rng.integers(-2, 4, (n, d))]
    kind = rng.integers(6)
    if kind == 1:  # features of other units
        units = [F(10) ** int(k) for k in rng.integers(-8, 9, d)]
        rows = [[v * u for v, u in zip(row, units, strict=True)] for row in rows]
    if kind == 2:  # samples of other sizes
        rows = [[v * F(10) ** int(rng.integers(-8, 9)) for v in row] for row in rows]
    if kind == 3:  # copies, and a sum of two
        rows += [rows[0], [a + b for a, b in zip(rows[0], rows[-1], strict=True)]]
    if kind == 4:  # nearly ties
        tiny = F(1, 10 ** int(rng.integers(6, 30)))
        rows = [[v + tiny * int(rng.integers(-1, 2)) for v in row] for row in rows]
    if kind == 5:  # floats, with their rounding
        size = float(10.0 ** rng.integers(-8, 9))
        rows = [[F(float(v) * 0.1 * size) for v in row] for row in rows]
    return rows


def as_given(rng, rows):
    """Return the rows as an array of fractions, or of floats where they are those."""
    floats = np.array([[float(v) for v in row] for row in rows])
    flat = [v for row in rows for v in row]
    same = all(F(f) == v for f, v in zip(floats.flat, flat, strict=True))
    return floats if same and rng.integers(2) else np.array(rows, dtype=object)


@pytest.mark.parametrize("seed", range(4))
def test_both_margins_are_those_of_all_corners(seed):
    rng, separable, ties = np.random.default_rng(seed), 0, 0
    for _ in range(150):
        rows = degenerate(rng)
        given, expected = as_given(rng, rows), slab(rows)
        if expected is None:
            with pytest.raises(sf.HypothesisFailed, match="no hyperplane"):
                least_euclidean(given)
            with pytest.raises(sf.HypothesisFailed, match="no ρ"):
                least_moduli(given, np.eye(len(rows[0])))
            continue
        separable += 1
        found = least_euclidean(given)
        assert unit(list(map(F, found.point))) == pytest.approx(
            unit(expected), abs=1e-15
        )
        assert min(found.multipliers) >= 0
        best, sparse = corners(rows), least_moduli(given, np.eye(len(rows[0])))
        value = float(sum(map(abs, best[0])))
        assert np.sum(np.abs(sparse.point)) == pytest.approx(value, rel=1e-14)
        assert sparse.unique == (len(best) == 1), rows
        ties += len(best) > 1
        if sparse.unique:
            wanted = unit(best[0])
            assert unit(list(map(F, sparse.point))) == pytest.approx(wanted, abs=1e-15)
    assert separable > 50
    assert ties > 2


@pytest.mark.parametrize("guess", ["none", "all", "one", "last"])
def test_the_active_set_is_found_from_any_guess(monkeypatch, guess):
    """The float guess only saves time: from a wrong one the exact method goes on."""
    wrong = {
        "none": lambda units, _: [],
        "all": lambda units, _: list(range(len(units))),
        "one": lambda units, _: [0],
        "last": lambda units, _: [len(units) - 1, 0][: len(units)],
    }
    monkeypatch.setattr(euclidean_margin, "_guess", wrong[guess])
    rng, found = np.random.default_rng(5), 0
    for _ in range(150):
        rows = degenerate(rng)
        expected = slab(rows)
        if expected is None:
            with pytest.raises(sf.HypothesisFailed, match="no hyperplane"):
                least_euclidean(np.array(rows, dtype=object))
            continue
        found += 1
        point = euclidean_margin.widest_slab(np.array(rows, dtype=object)).point
        assert list(point) == expected
    assert found > 50


def test_a_solution_inside_a_face_is_not_the_only_one():
    one, half = fmpq(1), fmpq(1, 2)
    assert is_only([[one, one]], Corner([one], [half, half])) is False
    assert is_only([[one, one], [one, -one]], Corner([one, one * 0], [one, one * 0]))


def test_many_active_floats_are_solved_for_as_the_same_fractions(rng):
    """More than 40 active samples: float64, checked, beside the exact route."""
    rows = rng.standard_normal((70, 90)) + 0.2
    found = least_euclidean(rows)
    assert not found.exact
    exact = least_euclidean(np.array([[F(v) for v in row] for row in rows], object))
    assert np.sum(exact.multipliers > 0) > 40
    assert found.point == pytest.approx(exact.point, abs=1e-9 * np.max(exact.point))


def fair(rng):
    """Return separable rows as above, and the direction of the slab."""
    while True:
        rows = degenerate(rng)
        beta = slab(rows)
        if beta is not None:
            return rows, beta


def dataset(rng, rows):
    """Return data whose signed samples are these rows."""
    labels = [int(s) for s in rng.choice([-1, 1], len(rows))]
    inputs = [[s * v for v in row] for s, row in zip(labels, rows, strict=True)]
    return sf.Dataset(as_given(rng, inputs), labels)


def flow_of(network, loss=None):
    return sf.gradient_flow(network, loss or sf.ExponentialLoss("sum"))


def safe(rows, beta):
    """Return beta, rounded, at a scale where the total loss is at most 1/2."""
    return [value * (len(rows) + 2) for value in beta]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("digits", [0, 50])
def test_dense_layers_go_to_the_widest_slab_of_any_data(seed, digits):
    rng = np.random.default_rng([seed, digits])
    for _ in range(8):
        rows, beta = fair(rng)
        start = safe(rows, beta)
        bias = sf.implicit_bias(
            flow_of(sf.LinearNetwork(len(beta), 1)), dataset(rng, rows), [[start]]
        )
        assert isinstance(bias, DenseMaxMargin)
        assert bias.status is Status.PROVED
        assert bias.limit[0] == pytest.approx(unit(beta), abs=1e-15)
        if digits:
            context = mpmath.MPContext()
            context.dps = digits
            fine, square = bias.direction(context)[0], dot(beta, beta)
            for entry, value in zip(fine, beta, strict=True):
                share = value**2 / square
                root = F(isqrt(share.numerator * 10**140 // share.denominator), 10**70)
                gap = abs(abs(entry) - context.mpf(root.numerator) / root.denominator)
                assert gap < context.mpf(10) ** (3 - digits)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["diagonal", "signed", "squares"])
def test_two_sparse_layers_go_to_the_corner_or_name_a_tie(seed, kind):
    rng, answered = np.random.default_rng([seed, 7]), 0
    for _ in range(8):
        rows, _ = fair(rng)
        best = corners(rows)
        d, data = len(rows[0]), dataset(rng, rows)
        goal = [float(abs(v)) * (len(rows) + 3) for v in best[0]]
        signs = [1 if v >= 0 else -1 for v in best[0]]
        size = max(goal)
        first = [[2 * max(g, 1e-12 * size) ** 0.5] for g in goal]
        last = [
            [s * max(g, 1e-13 * size) ** 0.5] for s, g in zip(signs, goal, strict=True)
        ]
        if kind == "diagonal":
            network, start = sf.DiagonalNetwork(d, 2), (first, last)
        elif kind == "signed":
            network = sf.DiagonalNetwork(d, 2, signed=True)
            up = [
                [w[0] if s > 0 else 1e-9 * w[0]]
                for w, s in zip(first, signs, strict=True)
            ]
            down = [
                [w[0] if s < 0 else 1e-9 * w[0]]
                for w, s in zip(first, signs, strict=True)
            ]
            start = (up, up, down, down)
        else:
            network = sf.HadamardDifference(d)
            start = (
                [
                    [w[0] if s > 0 else 1e-9 * w[0]]
                    for w, s in zip(first, signs, strict=True)
                ],
                [
                    [w[0] if s < 0 else 1e-9 * w[0]]
                    for w, s in zip(first, signs, strict=True)
                ],
            )
        wanted = ModeMaxMargin if kind == "diagonal" else SignedMaxMargin
        bias = wanted.attempt(bind(flow_of(network), data, start))
        if not isinstance(bias, wanted):
            # tiny coordinates beside huge features spoil the start, and it is said
            assert "total loss below 1: fails" in str(bias)
            continue
        answered += 1
        assert bias.status is Status.PROVED
        if len(best) > 1:
            with pytest.raises(sf.HypothesisFailed, match="several directions"):
                _ = bias.limit
        else:
            assert bias.limit[0] == pytest.approx(unit(best[0]), abs=1e-15)
    assert answered >= 4


@pytest.mark.parametrize("power", [-8, 0, 8])
def test_units_change_no_verdict(power):
    """Inputs times c and weights times c^{−1/2}: the same flow in another time."""
    scale = 10.0**power
    data = sf.Dataset(np.array([[1.0, 2.0], [0.5, -3.0]]) * scale, [1, -1])
    root = scale**-0.5
    dense = [[[3 * root, 0], [0, 3 * root]], [[root, 2 * root]]]
    bias = sf.implicit_bias(flow_of(sf.LinearNetwork(2, 2, 1)), data, dense)
    rows = [[F(1), F(2)], [F(-1, 2), F(3)]]
    assert bias.limit[0] == pytest.approx(unit(slab(rows)), abs=1e-15)
    assert bias.kkt_residual([slab(rows)]) < 1e-12
    assert bias.kkt_residual([[1.0, 2.1]]) == pytest.approx(0.0228, abs=0.02)
    modes = ([2 * root, 2 * root], [root, root])
    sparse = sf.implicit_bias(flow_of(sf.DiagonalNetwork(2, 2)), data, modes)
    assert sparse.limit[0].tolist() == [0.0, 1.0]
    tied = ([2 * root, root], [root, root])
    refusal = ModeMaxMargin.attempt(bind(flow_of(sf.DiagonalNetwork(2, 2)), data, tied))
    assert "starts smaller than in the others: fails" in str(refusal)


@pytest.mark.parametrize("exact", [True, False])
def test_a_mode_is_compared_with_itself_alone(exact):
    """A lead of 1e-20 beside weights of size 1 is one; a tie of huge weights none."""
    tiny = F(1, 10**10)
    number = F if exact else float
    data = sf.Dataset([[1, 1], [1, 2]], [1, 1])
    flow = flow_of(sf.DiagonalNetwork(2, 2))
    start = ([[3], [number(2 * tiny)]], [[2], [number(tiny)]])
    assert isinstance(ModeMaxMargin.attempt(bind(flow, data, start)), ModeMaxMargin)
    for last in (tiny * 2, 3 * tiny):
        start = ([[3], [number(2 * tiny)]], [[2], [number(last)]])
        refusal = ModeMaxMargin.attempt(bind(flow, data, start))
        assert not isinstance(refusal, ModeMaxMargin)
    signed = flow_of(sf.DiagonalNetwork(2, 2, signed=True))
    first = [[3], [number(2 * tiny)]], [[2], [number(tiny)]]
    big, small = [[1], [number(2 * tiny)]], [[F(1, 2)], [number(tiny)]]
    for v, w, holds in ((big, small, True), (small, small, True), (small, big, False)):
        answer = SignedMaxMargin.attempt(bind(signed, data, (*first, v, w)))
        assert isinstance(answer, SignedMaxMargin) == holds
    dead = ([[3], [number(tiny)]], [[1], [0]])
    squares = flow_of(sf.HadamardDifference(2))
    assert not isinstance(
        SignedMaxMargin.attempt(bind(squares, data, dead)), SignedMaxMargin
    )
    alive = ([[3], [number(tiny)]], [[1], [number(tiny**3)]])
    assert isinstance(
        SignedMaxMargin.attempt(bind(squares, data, alive)), SignedMaxMargin
    )


def test_what_does_not_separate_is_refused_in_words():
    """A sample at zero, contradicting labels, a start on the edge, other labels."""
    dense = flow_of(sf.LinearNetwork(1, 1))
    for inputs, labels in (([[1], [0]], [1, 1]), ([[1], [1]], [1, -1])):
        with pytest.raises(sf.HypothesisFailed, match="total loss below 1: fails"):
            sf.implicit_bias(dense, sf.Dataset(inputs, labels), [[[30]]])
    with pytest.raises(sf.HypothesisFailed, match="total loss below 1: fails"):
        sf.implicit_bias(dense, sf.Dataset([[1]], [1]), [[[-1]]])
    logistic = flow_of(sf.LinearNetwork(1, 1), sf.LogisticLoss())
    zero = sf.Dataset([[1.0], [0.0]], [1.0, 1.0])
    for size in (1.0, 1e3, 1e200):
        with pytest.raises(
            sf.HypothesisFailed, match=r"total loss below 0\.693: fails"
        ):
            sf.implicit_bias(logistic, zero, [[[size]]])
    with pytest.raises(sf.InvalidData, match="labels 1 and -1"):
        sf.implicit_bias(dense, sf.Dataset([[1]], [2]), [[[3]]])


def test_a_tensor_that_is_nearly_decomposable_is_not_called_so(rng):
    """Off by 1e-10: refused.  To rounding: verified.  Unit vectors: decided exactly."""
    factors = [np.linalg.qr(rng.standard_normal((3, 3)))[0] for _ in "ab"]
    tensor = np.einsum("ji,aj,bj->iab", np.eye(3) + 0.1, *factors)
    start = [factors[0] @ np.full((3, 1), 4.0), factors[1] @ np.full((3, 1), 2.0)]
    data = sf.Dataset(np.eye(3)[:1] + 0.2, [1.0])
    for noise, wanted in ((0.0, ModeMaxMargin), (3e-11, OneSampleDirection)):
        moved = tensor + noise * rng.standard_normal(tensor.shape)
        bias = sf.implicit_bias(flow_of(sf.TensorNetwork(moved)), data, start)
        assert type(bias) is wanted
        if wanted is ModeMaxMargin:
            assert bias.status is Status.VERIFIED
    whole = np.array([[[1, 0], [0, 0]], [[0, 0], [0, 1]]], dtype=object)
    for off, wanted in ((0, ModeMaxMargin), (F(1, 10**30), OneSampleDirection)):
        whole[0, 1, 0] = off
        whole[1, 0, 0] = off
        flow = flow_of(sf.TensorNetwork(whole))
        data, start = sf.Dataset([[1, 2]], [1]), ([[3], [3]], [[2], [1]])
        assert type(sf.implicit_bias(flow, data, start)) is wanted


def test_statements_say_argmin_only_where_that_is_proved():
    """Three modes may end far from the least objective: (2, 1/2) with data (1, 1.2)."""
    data = sf.Dataset([[1.0, 1.2]], [1.0])
    flow = sf.directional_flow(flow_of(sf.DiagonalNetwork(2, 3)))
    start = ([2, 0.5], [2, 0.5], [1.9, 0.4])
    bias = sf.implicit_bias(flow, data, start)
    assert "argmin" not in str(bias.statement)
    assert "stationary_point" in str(bias.statement)
    end = sf.simulate(flow, data, start, [0, 10_000]).end_to_end[-1, 0]
    scaled = end / (data.X.astype(float) @ end)
    objective = np.sum(np.abs(scaled) ** (2 / 3))
    assert objective > 1.1 * (1 / 1.2) ** (2 / 3)
    assert bias.kkt_residual([end]) < 0.05
    two = sf.implicit_bias(flow_of(sf.DiagonalNetwork(2, 2)), data, start[1:])
    assert "argmin" in str(two.statement)
    convolution = flow_of(sf.ConvolutionalNetwork(3, (2, 2)))
    small = sf.implicit_bias(
        convolution, sf.Dataset(np.eye(3)[:2], [1.0, 1.0]), ([2.5, 1.5], [3.0, 1.4])
    )
    assert "stationary_point" in str(small.statement)
    dense = flow_of(sf.LinearNetwork(2, 1, 1, 1))
    deep = sf.implicit_bias(dense, data, ([[2, 2]], [[2]], [[2]]))
    assert "argmin" in str(deep.statement)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_bounds_hold_on_paths_that_start_late(depth):
    """One sample with its start aligned, two equal ones, and two of other sizes."""
    for rows in ([[3, 4]], [[3, 4], [3, 4]], [[3, 4], [3e4, -1e3]]):
        data = sf.Dataset(np.array(rows, dtype=float), [1.0] * len(rows))
        inner = [[[5.0, 0.0], [0.0, 0.0]]] * (depth - 2)
        start = [[[3.0, 4.0], [0.0, 0.0]], *inner, [[5.0, 0.0]]]
        start = [[[3.0, 4.0]]] if depth == 1 else start
        network = sf.LinearNetwork(2, *[2] * (depth - 1), 1)
        flow = sf.directional_flow(flow_of(network))
        claims = [
            claim
            for entry in (DirectionRate, AlignedLayers, DenseMaxMargin)
            if not hasattr(claim := entry.attempt(bind(flow, data, start)), "row")
            and isinstance(claim, entry)
        ]
        assert len(claims) >= (1 if depth == 1 else 2)
        late = sf.simulate(flow, data, start, [5, 10, 20, 1e4])
        assert sf.validate(claims, late).ok
        fine = sf.precise(flow, data, start, [5, 20], digits=30)
        assert sf.validate(claims, fine).ok


def test_printed_constants_are_on_the_safe_side(rng):
    for _ in range(5):
        start = [rng.standard_normal((3, 2)), rng.standard_normal((1, 3))]
        row = (start[1] @ start[0])[0]
        data = sf.Dataset(row[None] * 5 / (row @ row), [1.0])
        problem = bind(flow_of(sf.LinearNetwork(2, 3, 1)), data, start)
        claim = AlignedLayers.attempt(problem)
        said = sympy.Rational(claim.statement.rhs)
        delta = start[1].T @ start[1] - start[0] @ start[0].T
        assert said >= claim.constant
        true = max(np.linalg.eigvalsh(delta)[-1] - np.trace(delta), 0)
        assert claim.constant >= true
        assert claim.constant == pytest.approx(true, abs=1e-9)
        one = bind(flow_of(sf.LinearNetwork(2, 1)), data, [[5 * row]])
        rate = DirectionRate.attempt(one)
        n, soft = 5 * np.linalg.norm(row), float(5 * row @ data.X[0])
        assert rate.constant >= rate.gamma * n - soft
        assert rate.angle([5 * row]) < 1e-5


def test_irrational_inputs_are_never_decided_by_their_digits():
    """√2 + √3 = √(5 + 2√6): a tie that no number of digits shows."""
    one, other = sympy.sqrt(2) + sympy.sqrt(3), sympy.sqrt(5 + 2 * sympy.sqrt(6))
    data = sf.Dataset([[one, other]], [1])
    for network, start in (
        (sf.DiagonalNetwork(2, 2), ([2, 2], [1, 1])),
        (sf.HadamardDifference(2), ([2, 2], [1, 1])),
    ):
        with pytest.raises(sf.HypothesisFailed, match="several directions"):
            _ = sf.implicit_bias(flow_of(network), data, start).limit
    bias = sf.implicit_bias(flow_of(sf.LinearNetwork(2, 1)), data, [[[1, 1]]])
    context = mpmath.MPContext()
    context.dps = 50
    fine = bias.direction(context)[0]
    assert abs(fine[0] - context.sqrt(0.5)) < context.mpf(10) ** -48
    # a visible difference is one
    apart = sf.Dataset([[one, sympy.sqrt(2)]], [1])
    sparse = sf.implicit_bias(
        flow_of(sf.DiagonalNetwork(2, 2)), apart, ([2, 2], [1, 1])
    )
    assert sparse.limit[0] == pytest.approx([1.0, 0.0], abs=1e-12)
    scaled = np.zeros((2, 2, 2), dtype=object)
    scaled[0, 0, 0], scaled[1, 1, 1] = sympy.sqrt(2), 1
    turned = flow_of(sf.TensorNetwork(scaled))
    bias = sf.implicit_bias(turned, sf.Dataset([[1, 1]], [1]), ([[2], [2]], [[1], [1]]))
    assert bias.status is Status.VERIFIED
    assert bias.limit[0] == pytest.approx([1.0, 0.0], abs=1e-12)


THEOREMS = (
    DenseMaxMargin,
    ModeMaxMargin,
    SignedMaxMargin,
    SingularVectors,
    AlignedLayers,
    DirectionRate,
)


def bumped(expr, place):
    """Return an expression with one leaf raised by one, and how many leaves it has."""
    if not expr.args:
        return (expr + 1 if place == 0 else expr), 1
    parts, seen = [], 0
    for part in expr.args:
        changed, count = bumped(part, place - seen)
        parts.append(changed)
        seen += count
    return expr.func(*parts), seen


@pytest.mark.parametrize("theorem", THEOREMS)
def test_every_identity_of_a_proof_holds_and_no_mutant_of_it(theorem):
    assert theorem.proof()
    for step in theorem.proof():
        assert step.holds, step.words
        count, noticed = bumped(step.residual, -1)[1], 0
        for place in range(count):
            mutant = bumped(step.residual, place)[0]
            names = sorted(mutant.free_symbols, key=str)
            values = {s: sympy.Rational(k + 2, 7) for k, s in enumerate(names)}
            noticed += abs(complex(mutant.subs(values))) > 1e-9
        assert noticed > count / 2, step.words
