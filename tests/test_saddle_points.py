"""Saddle to saddle at every depth: times, Hessians and volumes by other routes."""

import itertools
from fractions import Fraction

import numpy as np
import pytest
import scipy.integrate
from adversary.saddles import path as enumerated

import symflow as sf
from symflow.bias import SaddleToSaddle
from symflow.bias.growth import Growth
from symflow.bias.learning_coefficient import learning_coefficient
from symflow.flow.problem import bind

KINDS = [(depth, signed) for depth in (2, 3, 4) for signed in (False, True)]
GRAM, FORCE = [[4, 1, 0], [1, 3, 1], [0, 1, 2]], [6, -2, 1]


def flow_of(depth, signed, d=3):
    network = sf.DiagonalNetwork(d, depth=depth, signed=signed)
    return sf.gradient_flow(network, sf.SquaredLoss())


def crossings(gram, force, depth, signs, alpha, heights, end):
    """Times at which β_j passes half of its next height, by the flow of the weights.

    The layers of one product stay equal, w = e^y, ẇ = −s w^{L−1} ∂ℓ/∂β; s is the sign
    of the product.  Nothing of symflow is used.
    """
    gram, force, signs = np.array(gram, float), np.array(force, float), np.array(signs)

    def beta(y):
        logs = y.reshape(len(signs), -1).clip(-9e3, 5)  # a trial step may go anywhere
        return signs @ np.exp(depth * logs)

    def speed(_, y):
        logs = y.reshape(len(signs), -1).clip(-9e3, 5)
        pull = signs[:, None] * (force - gram @ beta(y))
        return (pull * np.exp((depth - 2) * logs)).ravel()

    def slope(_, y):
        logs = y.reshape(len(signs), -1).clip(-9e3, 5)
        fast = signs[:, None] * np.exp((depth - 2) * logs)
        moved = depth * signs[:, None] * np.exp(depth * logs)
        whole = -np.einsum("si,ij,rj->sirj", fast, gram, moved)
        pull = (depth - 2) * fast * (force - gram @ beta(y))
        return whole.reshape(y.size, y.size) + np.diag(pull.ravel())

    events = [lambda t, y, j=j, h=h: beta(y)[j] - h for j, h in heights]
    run = scipy.integrate.solve_ivp(
        speed, (0, end), np.full(len(signs) * len(force), np.log(alpha)), method="BDF",
        rtol=1e-8, atol=1e-9, events=events, max_step=end / 100, jac=slope,
    )  # fmt: skip
    assert run.success
    return [times[0] for times in run.t_events], beta(run.y[:, -1])


@pytest.mark.parametrize(("depth", "signed"), KINDS)
def test_runs_jump_in_the_order_and_at_the_times_of_the_path(depth, signed):
    """Relative errors of every jump fall with α, to 1e-60 and α^{2−L} = 1e6."""
    path = sf.saddle_to_saddle(
        flow_of(depth, signed), sf.Moments(GRAM, [FORCE]), positive=not signed
    )
    assert all(isinstance(time, Fraction) for time in path.jumps)
    true = enumerated(
        [[Fraction(x) for x in row] for row in GRAM],
        [Fraction(x) for x in FORCE],
        positive=not signed,
    )
    assert [(t, list(b)) for t, b in true] == [
        (t, b.tolist()) for t, b in zip(path.jumps, path.saddles[1:], strict=True)
    ]
    heights = []
    for before, after in itertools.pairwise(path.saddles):
        (new,) = [j for j in range(3) if after[j] and not before[j]]
        heights.append((new, float(after[new]) / 2))
    alphas = (1e-10, 1e-25, 1e-60)
    if depth > 2:
        alphas = tuple(x ** (-1 / (depth - 2)) for x in (1e2, 1e4, 1e6))
    errors = []
    for alpha in alphas:
        signs = [1.0, -1.0] if signed else [1.0]
        expected = path.time([float(t) for t in path.jumps], alpha)
        found, end = crossings(
            GRAM, FORCE, depth, signs, alpha, heights, 1.5 * expected[-1]
        )
        assert list(found) == sorted(found)
        errors.append(np.abs(np.array(found) / expected - 1).max())
        assert end == pytest.approx(path.limit, abs=max(1e-3, 10 * alpha))
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < (0.02 if depth == 2 else 2e-5)


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_a_product_whose_last_layer_starts_at_zero_grows_to_either_side(depth):
    """(α, …, α, 0): against `simulate`, and ∫ sech^{L−2} by quadrature."""
    flow = flow_of(depth, False, 2)
    data = sf.Moments([[2, 1], [1, 2]], [[3, -1]])
    path = sf.saddle_to_saddle(flow, data)
    assert path.jumps == (Fraction(1, 3), Fraction(3, 5))
    alpha = 0.05
    start = [np.full((2, 1), alpha)] * (depth - 1) + [np.zeros((2, 1))]
    clock = np.array([0.1, 0.5, 1.0])
    times = [0.0, *path.time(clock, alpha)]
    run = sf.simulate(flow, data, start, times)
    assert path.at(alpha, clock) == pytest.approx(run.end_to_end[1:, 0], abs=1e-5)
    if depth > 2:
        whole, _ = scipy.integrate.quad(
            lambda x: np.cosh(x) ** (2 - depth), 0, 60, limit=200
        )
        assert Growth("product", depth).reach(alpha) == pytest.approx(whole)
    claim = SaddleToSaddle.attempt(bind(flow, data, start))
    assert isinstance(claim, SaddleToSaddle), claim
    assert sf.validate([claim], run).ok


@pytest.mark.parametrize("positive", [False, True])
def test_a_signed_start_of_depth_three_is_read(positive):
    data, small = sf.Moments([[2, 1], [1, 2]], [[3, -1]]), np.full((2, 1), 0.01)
    start = [small] * 3 + [0 * small if positive else small] * 3
    flow = flow_of(3, True, 2)
    claim = SaddleToSaddle.attempt(bind(flow, data, start))
    assert claim.path.growth == Growth("difference", 3, positive)
    assert claim.times[0] == pytest.approx(100 / 3)
    assert claim.contradiction == 0
    run = sf.simulate(flow, data, start, np.linspace(0, 120, 13))
    assert sf.validate([claim], run).ok
    uneven = [small, small, 2 * small] + [small] * 3
    refusal = SaddleToSaddle.attempt(bind(flow, data, uneven))
    assert "small start of one size" in str(refusal)


def hessian_signs(value, point):
    """Count negative eigenvalues of a Hessian by central differences."""
    size, step = len(point), 1e-4
    moved = step * np.eye(size)
    whole = np.empty((size, size))
    for i, j in itertools.product(range(size), repeat=2):
        a, b = moved[i], moved[j]
        whole[i, j] = (
            value(point + a + b) - value(point + a - b)
            - value(point - a + b) + value(point - a - b)
        ) / (4 * step**2)  # fmt: skip
    return int((np.linalg.eigvalsh((whole + whole.T) / 2) < -1e-4).sum())


@pytest.mark.parametrize(("depth", "signed"), [*KINDS, ("squares", False)])
def test_index_and_loss_are_those_of_the_hessian_of_the_weights(depth, signed):
    data = sf.Moments(GRAM, [FORCE], sigma_yy=[[20]])
    flow = flow_of(depth, signed) if depth != "squares" else sf.gradient_flow(
        sf.HadamardDifference(3), sf.SquaredLoss()
    )  # fmt: skip
    path = sf.saddle_to_saddle(flow, data)
    power, sides = (2, 2) if depth == "squares" else (depth, 1 + signed)
    rows = 1 if depth == "squares" else depth

    def value(theta):
        layers = theta.reshape(sides, rows, 3)
        parts = layers[:, 0] ** 2 if depth == "squares" else layers.prod(axis=1)
        b = parts[0] - (parts[1] if sides == 2 else 0)
        return b @ np.array(GRAM) @ b / 2 - np.array(FORCE) @ b + 10

    for point in path.points:
        beta = point.point.astype(float)
        layers = np.zeros((sides, rows, 3))
        layers[0] = np.maximum(beta, 0) ** (1 / power)
        if sides == 2:
            layers[1] = np.maximum(-beta, 0) ** (1 / power)
        else:
            layers[:, :] = np.abs(beta) ** (1 / power)
            layers[0, 0] *= np.where(beta < 0, -1, 1)
        assert point.index == hessian_signs(value, layers.ravel())
        assert float(point.loss) == pytest.approx(value(layers.ravel()))
    assert [point.arrived for point in path.points[1:]] == list(path.jumps)
    assert path.points[-1].escape_rate == path.points[-1].excess == 0


@pytest.mark.parametrize("widths", [(3, 3, 2), (3, 4, 3), (3, 1, 3), (3, 3, 3, 3)])
def test_dense_layers_pass_the_saddles_of_their_modes(widths):
    """Σ_xx = diag(λ) where a mode of smaller σ is the better one: it turns."""
    lam, sigma = np.diag([4, 1, 1]), np.zeros((widths[-1], 3), dtype=int)
    sigma[0, 0], sigma[1, 1] = 3, -2
    flow = sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss())
    data = sf.Moments(lam, sigma, sigma_yy=10 * np.eye(widths[-1], dtype=int))
    path = sf.saddle_to_saddle(flow, data)
    room = min(widths[1:-1])
    assert path.jumps == (Fraction(1, 3), Fraction(1, 2))[:room]
    assert [W[0, 0] for W in path.saddles[1:]] == [Fraction(3, 4)] * len(path.jumps)
    shapes = [(b, a) for a, b in itertools.pairwise(widths)]
    sizes = np.cumsum([0] + [a * b for a, b in shapes])

    def value(theta):
        parts = [
            theta[a:b].reshape(shape)
            for a, b, shape in zip(sizes, sizes[1:], shapes, strict=False)
        ]
        W = np.linalg.multi_dot(parts[::-1])
        return np.trace(W @ lam @ W.T) / 2 - np.trace(W @ sigma.T) + 5 * widths[-1]

    for rank, point in enumerate(path.points):
        W, depth = point.point.astype(float), len(widths) - 1
        u, s, vt = np.linalg.svd(W)
        layers = []
        for k, shape in enumerate(shapes):
            middle = np.zeros(shape)
            for i in range(rank):
                middle[i, i] = s[i] ** (1 / depth)
            middle = middle @ vt if k == 0 else middle
            layers.append(u @ middle if k == depth - 1 else middle)
        theta = np.concatenate([layer.ravel() for layer in layers])
        assert np.linalg.multi_dot(layers[::-1]) == pytest.approx(W)
        assert point.index == hessian_signs(value, theta)
        assert float(point.loss) == pytest.approx(value(theta))
        coefficient = learning_coefficient(widths, rank)
        assert (point.learning_coefficient, point.multiplicity) == coefficient
    # from small aligned layers the flow is where the path says
    alpha = 1e-8 if depth == 2 else 1e-3
    start = []
    for k, shape in enumerate(shapes):
        layer = np.zeros(shape)
        for i in range(min(*shape, room)):
            layer[i, i] = alpha * (-1 if k == 0 and i == 1 else 1)
        start.append(layer)
    clock = [0.2, 0.4, 0.8]
    run = sf.simulate(flow, data, start, [0.0, *path.time(clock, alpha)])
    assert run.end_to_end[1:] == pytest.approx(path.at(alpha, clock), abs=1e-5)
    assert path.coefficients(clock) == pytest.approx(run.end_to_end[1:], abs=0.05)


def test_dense_layers_are_refused_where_modes_are_not_shared_or_tied():
    def ask(widths, data):
        network = sf.LinearNetwork(*widths)
        return sf.saddle_to_saddle(sf.gradient_flow(network, sf.SquaredLoss()), data)

    mixed = sf.Moments([[2, 1], [1, 2]], [[1, 0], [0, 3]])
    with pytest.raises(sf.HypothesisFailed, match="common singular vectors"):
        ask((2, 2, 2), mixed)
    for equal in ([[1, 0], [0, 1]], [[1.0, 1.0], [1.0, -1.0]]):
        with pytest.raises(sf.HypothesisFailed, match="last of 1 hidden units"):
            ask((2, 1, 2), sf.whitened(equal))
        assert len(ask((2, 2, 2), sf.whitened(equal)).jumps) in (1, 2)
    with pytest.raises(sf.HypothesisFailed, match="numbers as hidden widths"):
        ask((2, "h", 2), sf.whitened([[1, 0], [0, 2]]))
    for zero in ([[0, 0], [0, 0]], [[0.0, 0.0], [0.0, 0.0]]):
        path = ask((2, 2, 2), sf.whitened(zero))
        assert path.jumps == ()
        assert path.points[0].index == 0
        assert path.at(1e-3, [1.0]).tolist() == [[[0, 0], [0, 0]]]
    singular = ask((2, 2, 1), sf.Moments([[2, 0], [0, 0]], [[1, 0]]))
    assert singular.points[0].learning_coefficient is None


def codimension(widths, rank):
    """Least codimension of weights whose product is a matrix of this rank.

    The partial products have falling ranks r_k; to lower one by r_{k−1} − r_k costs
    (r_{k−1} − r_k)(h_k − r_k) conditions, and the last is a given matrix.
    """
    costs = {widths[0]: 0}
    for width in widths[1:]:
        fewer = {}
        for before, cost in costs.items():
            for after in range(rank, min(before, width) + 1):
                total = cost + (before - after) * (width - after)
                fewer[after] = min(total, fewer.get(after, total))
        costs = fewer
    return costs[rank] + rank * (widths[0] + widths[-1] - rank)


def aoyagi_watanabe(M, N, H, r):
    """Aoyagi and Watanabe (2005): M inputs, N outputs, H hidden units, rank r."""
    if N + r > M + H:
        return Fraction(H * M - H * r + N * r, 2), 1
    if M + r > N + H:
        return Fraction(H * N - H * r + M * r, 2), 1
    if H + r > M + N:
        return Fraction(M * N, 2), 1
    odd = (M + H + N + r) % 2
    top = 2 * (H + r) * (M + N) + 2 * M * N - (H + r) ** 2 - M**2 - N**2 + odd
    return Fraction(top, 8), 1 + odd


def test_learning_coefficients_are_half_a_codimension():
    for M, N, H in itertools.product(range(1, 6), repeat=3):
        for r in range(min(M, N, H) + 1):
            assert learning_coefficient((M, H, N), r) == aoyagi_watanabe(M, N, H, r)
    for layers in (1, 2, 3, 4):
        for widths in itertools.product(range(1, 5), repeat=layers + 1):
            for rank in range(min(widths) + 1):
                found, _ = learning_coefficient(widths, rank)
                assert 2 * found == codimension(widths, rank)


def test_learning_coefficients_that_are_resolved_by_hand():
    half = Fraction(1, 2)
    assert learning_coefficient((1, 1, 1), 0) == (half, 2)
    for depth in (2, 3, 4, 5):  # (w_1⋯w_L)²: L planes cross
        assert learning_coefficient((1,) * (depth + 1), 0) == (half, depth)
    for M, H in itertools.product(range(1, 6), repeat=2):  # ρ²|a|², ρ ∈ R^H, a ∈ R^M
        expected = Fraction(min(M, H), 2), 1 + (M == H)
        assert learning_coefficient((M, H, 1), 0) == expected
        assert learning_coefficient((M, H, 1), 1) == (Fraction(M, 2), 1)


def test_volumes_near_a_zero_coefficient_have_the_multiplicity_of_the_path():
    """P(|β| < ε) ~ ε ln(1/ε)^{m−1}: of products m = L, of their difference m = 1."""
    rng, count = np.random.default_rng(0), 1_000_000
    data = sf.Moments([[1]], [[1]])
    for depth in (2, 3):
        sides = rng.uniform(-1, 1, (2, depth, count)).prod(axis=1)
        for signed, beta in ((False, sides[0]), (True, sides[0] - sides[1])):
            path = sf.saddle_to_saddle(flow_of(depth, signed, 1), data)
            m = path.points[0].multiplicity
            eps = np.array([1e-4, 1e-2])
            parts = [(np.abs(beta) < e).mean() / e for e in eps]
            # ∫ of uniform products: Σ_{k<m} ln(1/ε)^k/k! exactly, where signed is flat
            logs = np.log(1 / eps)
            exact = [sum(x**k / max(k, 1) for k in range(m)) for x in logs]
            if depth == 3 and not signed:
                exact = [1 + x + x**2 / 2 for x in logs]
            assert parts[0] / parts[1] == pytest.approx(exact[0] / exact[1], rel=0.15)
