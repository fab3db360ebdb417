"""Every network with every loss, against plain SymPy written out in sums."""

from __future__ import annotations

from fractions import Fraction
from functools import reduce
from random import Random

import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, strategies as st
from oracles import fourier
from oracles.entrywise import integer_matrix, matrix

import symflow as sf
from symflow.algebra.numbers import to_mpf
from symflow.errors import HypothesisFailed, InvalidArgument, ShapeMismatch

SAMPLES = 3


def column(name, size):
    return matrix(name, size, 1)


def diag_of(w):
    return sympy.diag(*w)


def circ_of(w, d):
    return sympy.Matrix(
        d, d, lambda i, j: w[(j - i) % d] if (j - i) % d < len(w) else 0
    )


def mixed():
    W1, w2, w3, W4 = (
        matrix("W1", 3, 2),
        column("w2", 3),
        column("w3", 2),
        matrix("W4", 1, 3),
    )
    return [W1, w2, w3, W4], W4 * circ_of(w3, 3) * diag_of(w2) * W1


def diagonal(depth):
    weights = [column(f"w{number + 1}", 3) for number in range(depth)]
    beta = [sympy.prod(w[i] for w in weights) for i in range(3)]
    return weights, sympy.Matrix([beta])


def signed():
    weights = [column(name, 2) for name in ("u1", "u2", "v1", "v2")]
    u1, u2, v1, v2 = weights
    return weights, sympy.Matrix([[u1[i] * u2[i] - v1[i] * v2[i] for i in range(2)]])


def convolution(d, taps):
    weights = [column(f"w{number}", size) for number, size in enumerate(taps, 1)]
    beta = [0] * d
    for index in np.ndindex(*taps):
        beta[sum(index) % d] += sympy.prod(
            w[j] for w, j in zip(weights, index, strict=True)
        )
    return weights, sympy.Matrix([beta])


def squares():
    u, v = column("u", 2), column("v", 2)
    return [u, v], sympy.Matrix([[u[i] ** 2 - v[i] ** 2 for i in range(2)]])


def symmetric():
    U = matrix("U", 2, 3)
    return [U], U * U.T


def tensor(M):
    weights = [column(f"v{number}", size) for number, size in enumerate(M.shape[1:], 1)]
    beta = [
        sum(
            int(M[(i, *index)])
            * sympy.prod(w[j] for w, j in zip(weights, index, strict=True))
            for index in np.ndindex(*M.shape[1:])
        )
        for i in range(M.shape[0])
    ]
    return weights, sympy.Matrix([beta])


M = np.random.default_rng(5).integers(-3, 4, (2, 2, 3, 2))
CASES = {
    "mixed": (
        sf.Network(
            sf.Dense(2, 3), sf.Diagonal(3), sf.Circulant(3, support=2), sf.Dense(3, 1)
        ),
        mixed,
    ),
    "diagonal-1": (sf.DiagonalNetwork(3, 1), lambda: diagonal(1)),
    "diagonal-3": (sf.DiagonalNetwork(3, 3), lambda: diagonal(3)),
    "signed": (sf.DiagonalNetwork(2, 2, signed=True), signed),
    "convolution": (sf.ConvolutionalNetwork(3, (3, 3)), lambda: convolution(3, (3, 3))),
    "filters": (sf.ConvolutionalNetwork(4, (2, 3)), lambda: convolution(4, (2, 3))),
    "squares": (sf.HadamardDifference(2), squares),
    "symmetric": (sf.SymmetricFactorization(2, 3), symmetric),
    "tensor": (sf.TensorNetwork(M), lambda: tensor(M)),
}


def written_out(loss, W, X, Y):
    total = sympy.S.Zero
    for row in range(X.rows):
        output = W * X[row, :].T
        for k in range(Y.cols):
            margin = Y[row, k] * output[k]
            total += {
                sf.SquaredLoss: lambda y, f, z: (y - f) ** 2 / 2,
                sf.ExponentialLoss: lambda y, f, z: sympy.exp(-z),
                sf.LogisticLoss: lambda y, f, z: sympy.log(1 + sympy.exp(-z)),
            }[type(loss)](Y[row, k], output[k], margin)
    return total / X.rows


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("kind", [sf.SquaredLoss, sf.ExponentialLoss, sf.LogisticLoss])
def test_flow_is_the_entrywise_gradient(name, kind):
    network, oracle = CASES[name]
    weights, W = oracle()
    random = Random(name)
    X = integer_matrix(random, SAMPLES, W.cols)
    Y = sympy.Matrix(SAMPLES, W.rows, lambda i, j: random.choice([-1, 1]))
    loss = written_out(kind(), W, X, Y)
    flow = sf.gradient_flow(network, kind())
    variables = [entry for weight in weights for entry in weight]
    point = {v: sympy.Rational(random.randint(-9, 9), 7) for v in variables}
    start = [np.array(weight.subs(point), dtype=float) for weight in weights]
    data = sf.Dataset(np.array(X, float), np.array(Y, float))
    arrays = kind().arrays(data)
    rates = sf.compile(flow)(*start, *(arrays[symbol.name] for symbol in flow.data))
    for weight, rate in zip(weights, rates, strict=True):
        exact = [-loss.diff(entry).subs(point) for entry in weight]
        expected = np.array([float(value) for value in exact]).reshape(weight.shape)
        np.testing.assert_allclose(rate, expected, rtol=1e-10, atol=1e-11)
    if kind is sf.SquaredLoss:
        odes = flow.entries(network.widths)
        assert list(odes.state) == variables
        moments = moment_values(X, Y)
        for variable, rate in odes.items():
            assert sympy.expand(rate.subs(moments) + loss.diff(variable)) == 0


def moment_values(X, Y):
    xx, yx = X.T * X / X.rows, Y.T * X / X.rows
    values = dict(zip(matrix("Sigma_yx", *yx.shape), yx, strict=True))
    for i in range(X.cols):
        for j in range(i, X.cols):
            values[sympy.Symbol(f"Sigma_xx_{i}_{j}", real=True)] = xx[i, j]
    return values


@pytest.mark.parametrize("name", CASES)
def test_networks_are_simulated_and_batched(name, rng):
    network, _ = CASES[name]
    flow = sf.gradient_flow(network, sf.SquaredLoss())
    data = sf.Dataset(
        rng.standard_normal((5, network.widths[0])),
        rng.standard_normal((5, network.widths[-1])),
    )
    run = sf.simulate(flow, data, sf.gaussian_init(0.7, rng=2), [0, 1, 3])
    residual = data.Y - data.X @ np.swapaxes(run.end_to_end, -1, -2)
    loss = 0.5 * (residual**2).sum(axis=(-2, -1)) / 5
    np.testing.assert_allclose(run.loss, loss, rtol=1e-10)
    assert loss[0] > loss[1] > loss[2]
    kern = sf.compile(flow)
    moments = [np.asarray(a, float) for a in run.problem.arguments]
    batched = kern(*run.weights, *moments)
    for time in range(3):
        alone = kern(*(w[time] for w in run.weights), *moments)
        for together, single in zip(batched, alone, strict=True):
            np.testing.assert_allclose(together[time], single, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("name", CASES)
def test_written_modules_of_all_networks_test_themselves(name, tmp_path):
    import subprocess
    import sys

    network, _ = CASES[name]
    flow = sf.gradient_flow(network, sf.LogisticLoss())
    path = sf.write_module(flow, tmp_path / "module.py")
    run = subprocess.run([sys.executable, path], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


LAYERS = [
    sf.Dense(2, 3),
    sf.Diagonal(3),
    sf.Circulant(3),
    sf.Circulant(4, support=2),
    sf.Readout(3),
    sf.Readout(4, support=2),
]


@pytest.mark.parametrize("layer", LAYERS, ids=repr)
def test_projection_and_embedding_are_those_of_the_layer(layer, rng):
    from symflow.algebra.nodes import Leaf
    from symflow.codegen import evaluate, lower

    symbol = layer.parameter(1)
    full = sympy.MatrixSymbol("A", layer.outputs, layer.inputs)
    programs = [
        lower("embed", [symbol], {"out": layer.matrix(Leaf(symbol))}),
        lower("project", [full], {"out": layer.project(Leaf(full))}),
    ]
    w = rng.standard_normal([int(size) for size in symbol.shape])
    A = rng.standard_normal((layer.outputs, layer.inputs))
    (embedded,), (projected,) = (
        evaluate(p, [a]) for p, a in zip(programs, (w, A), strict=True)
    )
    np.testing.assert_allclose(np.sum(embedded * A), np.sum(w * projected))
    np.testing.assert_allclose(embedded, layer.embedding() @ w.ravel())


@pytest.mark.parametrize(
    "network",
    [
        sf.LinearNetwork(2, 3, 1),
        sf.DiagonalNetwork(3, 3),
        sf.ConvolutionalNetwork(4, (2, 3)),
        sf.Network(sf.Dense(2, 3), sf.Circulant(3), sf.Diagonal(3), sf.Dense(3, 1)),
    ],
    ids=repr,
)
def test_as_tensor_gives_the_same_function(network, rng):
    twin = sf.TensorNetwork(network.as_tensor())
    weights = [
        rng.standard_normal([int(s) for s in p.shape]) for p in network.parameters
    ]
    flows = [sf.gradient_flow(net, sf.SquaredLoss()) for net in (network, twin)]
    moments = [np.eye(network.widths[0]), rng.standard_normal((1, network.widths[0]))]
    ours = sf.compile(flows[0])(*weights, *moments)
    theirs = sf.compile(flows[1])(*(w.reshape(-1, 1) for w in weights), *moments)
    for a, b in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(a.ravel(), b.ravel(), rtol=1e-11, atol=1e-12)


@given(
    order=st.integers(2, 4),
    rank=st.integers(1, 4),
    seed=st.integers(0, 999),
    real=st.booleans(),
)
def test_orthogonally_decomposable_tensors_are_recovered(order, rank, seed, real):
    rng = np.random.default_rng(seed)

    def gaussian(*shape):
        z = rng.standard_normal(shape)
        return z if real else z + 1j * rng.standard_normal(shape)

    factors = [np.linalg.qr(gaussian(rank + 1, rank))[0] for _ in range(order)]
    S = gaussian(rank, 5)
    M = np.zeros((5, *[rank + 1] * order), dtype=complex)
    for j in range(rank):
        M += reduce(np.multiply.outer, [S[j], *(U[:, j] for U in factors)])
    found = sf.orthogonal_decomposition(M.real if real else M)
    assert np.abs(found.tensor() - M).max() <= 1e-12 * np.abs(M).max()
    for U in found.factors:
        np.testing.assert_allclose(U.conj().T @ U, np.eye(rank), atol=1e-12)
    assert all(np.isrealobj(U) for U in found.factors) == real or not real
    if real:
        assert np.isrealobj(found.S)


def test_convolution_decomposes_into_fourier_vectors():
    M = sf.ConvolutionalNetwork(6, (6, 6, 6)).as_tensor()
    found = sf.orthogonal_decomposition(M)
    spectrum = np.abs(np.fft.fft(found.factors[0], axis=0)) / np.sqrt(6)
    assert np.allclose(np.sort(spectrum.ravel())[-6:], 1)
    assert np.allclose(np.sort(spectrum.ravel())[:-6], 0, atol=1e-12)


@pytest.mark.parametrize("shape", [(3, 3, 3), (2, 3, 3, 3), (4, 2, 2, 2, 2)])
def test_random_tensors_are_refused(shape, rng):
    with pytest.raises(HypothesisFailed, match=r"leaves 0\.\d+ of its norm"):
        sf.orthogonal_decomposition(rng.standard_normal(shape))


def test_convolution_in_time_is_the_diagonal_flow_of_fourier_coefficients(rng):
    """ŵ_l' = conj(∏ ŵ_k) F̂ for every frequency: NumPy's FFT against the kernel."""
    d = 5
    flow = sf.gradient_flow(sf.ConvolutionalNetwork(d, (d, d, d)), sf.SquaredLoss())
    weights = [rng.standard_normal((d, 1)) for _ in range(3)]
    sigma_yx = rng.standard_normal((1, d))
    rates = sf.compile(flow)(*weights, np.eye(d), sigma_yx)
    hats = [np.fft.fft(w[:, 0]) for w in weights]
    beta = np.fft.ifft(hats[0] * hats[1] * hats[2]).real
    force = np.fft.fft(sigma_yx[0] - beta)
    for layer, rate in enumerate(rates):
        others = np.prod([h for k, h in enumerate(hats) if k != layer], axis=0)
        expected = force * others.conj()
        np.testing.assert_allclose(
            np.fft.fft(rate[:, 0]), expected, rtol=1e-11, atol=1e-11
        )


def test_convolution_is_the_diagonal_flow_of_fourier_coefficients_to_45_digits():
    """Two full filters on five points: precise against complex Taylor series."""
    context = mpmath.MPContext()
    context.dps = 55
    random, d = Random(7), 5
    columns = [[Fraction(random.randint(-9, 9), 14) for _ in range(d)] for _ in "vwy"]
    flow = sf.gradient_flow(sf.ConvolutionalNetwork(d, (d, d)), sf.SquaredLoss())
    start = [[[x] for x in column] for column in columns[:2]]
    data, time = sf.whitened([columns[2]]), Fraction(1, 2)
    run = sf.precise(flow, data, start, [0, time], digits=50)
    hats = [
        fourier.transform(context, [to_mpf(x, context) for x in column])
        for column in columns
    ]
    ends = [
        fourier.coefficients(context, pair, y, context.mpf(1) / 2, steps=16, order=45)
        for *pair, y in zip(*hats, strict=True)
    ]
    for layer, weights in enumerate(run.weights):
        first, last = (list(w.flat) for w in weights)
        signal = fourier.inverse(context, [values[layer] for values in ends])
        gaps = [abs(x - y) for x, y in zip(last, signal, strict=True)]
        assert max(gaps) < context.mpf(10) ** -45
        assert max(abs(x - y) for x, y in zip(first, last, strict=True)) > 0.01


def test_two_points_are_a_diagonal_network_of_real_coefficients():
    """On two points the transform is real: two networks of symflow, to 45 digits."""
    context = mpmath.MPContext()
    context.dps = 55
    v, w, y = ([Fraction(n, 5) for n in row] for row in [(3, 1), (-2, 4), (7, 2)])
    time = Fraction(1, 2)
    flow = sf.gradient_flow(sf.ConvolutionalNetwork(2, (2, 2)), sf.SquaredLoss())
    data = sf.whitened([y])
    here = sf.precise(flow, data, [[[a] for a in x] for x in (v, w)], [time], digits=50)
    hats = [[x[0] + x[1], x[0] - x[1]] for x in (v, w, y)]
    # ĉ_l' = F̂ ĉ_k with F̂ = ŷ − ĉ_1ĉ_2: the diagonal flow itself
    diagonal = sf.gradient_flow(sf.DiagonalNetwork(2, 2), sf.SquaredLoss())
    start = [[[a] for a in hat] for hat in hats[:2]]
    there = sf.precise(diagonal, sf.whitened([hats[2]]), start, [time], digits=50)
    for ours, theirs in zip(here.weights, there.weights, strict=True):
        a, b = ours[-1].flat
        for seen, expected in zip((a + b, a - b), theirs[-1].flat, strict=True):
            assert abs(seen - expected) < context.mpf(10) ** -45


def test_decompositions_find_the_factors_themselves(rng):
    """Up to order and sign, at unequal sizes; what is nearly decomposable is not."""
    shapes = [(4, 3), (3, 3), (6, 3)]
    factors = [np.linalg.qr(rng.standard_normal(shape))[0] for shape in shapes]
    S = rng.standard_normal((3, 2))
    M = np.einsum("ja,bj,cj,dj->abcd", S, *factors)
    found = sf.orthogonal_decomposition(M)
    for ours, theirs in zip(found.factors, factors, strict=True):
        overlap = np.abs(ours.T @ theirs)
        np.testing.assert_allclose(np.sort(overlap.ravel())[-3:], 1, atol=1e-12)
        np.testing.assert_allclose(overlap.sum(axis=0), 1, atol=1e-11)
    noise = rng.standard_normal(M.shape)
    noise *= 1e-3 * np.linalg.norm(M) / np.linalg.norm(noise)
    with pytest.raises(HypothesisFailed, match=r"leaves 0\.000\d+ of its norm"):
        sf.orthogonal_decomposition(M + noise)


def test_wrong_networks_are_refused():
    with pytest.raises(InvalidArgument, match="support"):
        sf.Circulant(3, support=4)
    with pytest.raises(InvalidArgument, match="support"):
        sf.Circulant("d", support=2)
    with pytest.raises(InvalidArgument, match="depth"):
        sf.DiagonalNetwork(3, 0)
    with pytest.raises(InvalidArgument, match="filters"):
        sf.ConvolutionalNetwork(3, ())
    with pytest.raises(ShapeMismatch, match="shape"):
        sf.TensorNetwork([1, 2])
    with pytest.raises(InvalidArgument, match="single output"):
        sf.LinearNetwork(2, 2).as_tensor()
    with pytest.raises(InvalidArgument, match="integer sizes"):
        sf.LinearNetwork("d", 1).as_tensor()
    with pytest.raises(InvalidArgument, match="one matrix per layer"):
        sf.simulate(
            sf.gradient_flow(sf.HadamardDifference(1), sf.SquaredLoss()),
            sf.whitened([[1.0]]),
            [[1.0]],
            [0, 1],
        )


@pytest.mark.parametrize(
    "M", ["x", [[np.nan, 1]], [[1, 2], [3]], [[sympy.Symbol("a")]]]
)
def test_what_is_no_array_of_numbers_is_not_decomposed(M):
    with pytest.raises(sf.InvalidData, match=r"orthogonal_decomposition\(M\)"):
        sf.orthogonal_decomposition(M)
