"""Models that are formulas, against the same formulas on explicit SymPy matrices."""

from __future__ import annotations

from random import Random

import mpmath
import numpy as np
import pytest
import sympy
from oracles.entrywise import integer_matrix, matrix
from sympy.matrices.expressions.diagonal import DiagMatrix

import symflow as sf
from symflow.algebra import matrix_maps
from symflow.errors import InvalidArgument, NotDifferentiable, ShapeMismatch


class Formulas:
    """The operations that matrix symbols and explicit matrices spell differently."""

    eye, had = sympy.Identity, sympy.HadamardProduct
    diag, circ, square = (
        DiagMatrix,
        lambda w: matrix_maps.CirculantExpr(w, sympy.Integer(2)),
        lambda w: sympy.HadamardPower(w, 2),
    )


class Explicit:
    """The same operations in plain SymPy."""

    eye, had = sympy.eye, sympy.Matrix.multiply_elementwise
    diag, circ, square = (
        lambda w: sympy.diag(*w),
        lambda w: sympy.Matrix([[w[0], w[1]], [w[1], w[0]]]),
        lambda w: w.applyfunc(lambda x: x**2),
    )


FIXED = sympy.Matrix([[1, sympy.Rational(1, 2)], [0, -3]])
LEFT, RIGHT = sympy.Matrix([[1], [0]]), sympy.Matrix([[0], [1]])

#: The shapes of the parameters, in order, and the formula; A is a constant.
MODELS = {
    "product": ({"W1": (3, 2), "W2": (1, 3)}, lambda o, A, W1, W2: W2 * W1),
    "recurrent": (
        {"U": (2, 1), "R": (2, 2), "V": (2, 2), "S": (2, 1)},
        lambda o, A, U, R, V, S: V * R * R * U + S,
    ),
    "lora": ({"U": (1, 2), "V": (2, 1)}, lambda o, A, U, V: V * U + A),
    "parallel": (
        {"W1": (1, 2), "W2": (2, 1), "W3": (1, 2), "W4": (2, 1)},
        lambda o, A, W1, W2, W3, W4: W2 * W1 + W4 * W3,
    ),
    "residual": (
        {"W1": (2, 1), "W2": (2, 2), "W3": (1, 2)},
        lambda o, A, W1, W2, W3: W3 * (o.eye(2) + W2) * W1,
    ),
    "tied": ({"U": (1, 2)}, lambda o, A, U: U.T * U),
    "difference": (
        {"U": (2, 1), "V": (2, 1)},
        lambda o, A, U, V: U * U.T - V * V.T,
    ),
    "plus diagonal": (
        {"U": (2, 1), "V": (2, 1), "w": (2, 1)},
        lambda o, A, U, V, w: U * V.T + o.diag(w),
    ),
    "two heads": (
        {"Q1": (1, 2), "K1": (1, 2), "Q2": (1, 2), "K2": (1, 2)},
        lambda o, A, Q1, K1, Q2, K2: K1.T * Q1 + K2.T * Q2,
    ),
    "shared trunk": (
        {"T": (2, 2), "B": (1, 2), "C": (1, 2)},
        lambda o, A, T, B, C: LEFT * B * T + RIGHT * C * T,
    ),
    "mask": ({"U": (1, 2), "V": (2, 1)}, lambda o, A, U, V: o.had(V * U, A)),
    "entrywise": (
        {"B": (2, 2), "C": (2, 2)},
        lambda o, A, B, C: o.had(B, C) * C.T,
    ),
    "cube": ({"R": (2, 2)}, lambda o, A, R: R**3),
    "scaled": (
        {"W1": (1, 2), "W2": (2, 1), "B": (2, 2)},
        lambda o, A, W1, W2, B: 3 * W2 * W1 - B / 2,
    ),
    "circular": (
        {"w": (2, 1), "v": (2, 1)},
        lambda o, A, w, v: o.circ(w) * o.circ(v) + o.circ(v),
    ),
    "symmetrized": ({"B": (2, 2)}, lambda o, A, B: B + B.T),
    "squares": (
        {"u": (2, 1), "v": (2, 1)},
        lambda o, A, u, v: (o.square(u) - o.square(v)).T,
    ),
    "one by one": ({"a": (1, 1), "b": (1, 1)}, lambda o, A, a, b: a * b + a),
    "between": ({"B": (2, 2)}, lambda o, A, B: A * B * B.T * A),
}
CONSTANT = sympy.MatrixSymbol("A", 2, 2)


def model(name):
    shapes, formula = MODELS[name]
    symbols = [sympy.MatrixSymbol(key, *shape) for key, shape in shapes.items()]
    expr = formula(Formulas, CONSTANT, *symbols)
    constants = {CONSTANT: FIXED} if expr.has(CONSTANT) else None
    return sf.Model(expr, parameters=tuple(symbols), constants=constants)


def samples(net, random):
    inputs, outputs = net.widths[0], net.widths[-1]
    return integer_matrix(random, 3, inputs), integer_matrix(random, 3, outputs)


def start(net, seed=0, size=0.5):
    rng = np.random.default_rng(seed)
    return [size * rng.standard_normal(w.shape) for w in net.parameters]


def dataset(name, seed=0):
    X, Y = samples(model(name), Random(f"{name}{seed}"))
    return sf.Dataset(np.array(X, dtype=float), np.array(Y, dtype=float))


@pytest.mark.parametrize("name", MODELS)
def test_the_flow_is_the_entrywise_gradient(name):
    shapes, formula = MODELS[name]
    net, random = model(name), Random(name)
    flow = sf.gradient_flow(net, sf.SquaredLoss(l2=sympy.Rational(1, 3)))
    weights = [matrix(key, *shape) for key, shape in shapes.items()]
    W = formula(Explicit, FIXED, *weights)
    X, Y = samples(net, random)
    loss = sum(entry**2 for entry in Y - X * W.T) / 6
    entries = [entry for weight in weights for entry in weight]
    loss += sum(entry**2 for entry in entries) / 6
    derived = flow.entries(net.widths)
    assert list(derived) == entries
    moments = {"xx": X.T * X / 3, "yx": Y.T * X / 3}
    numbers = {
        sympy.Symbol(f"Sigma_{key}_{i}_{j}", real=True): value[i, j]
        for key, value in moments.items()
        for i, j in np.ndindex(*value.shape)
    }
    for _ in range(2):
        point = {entry: sympy.Rational(random.randint(-9, 9), 7) for entry in entries}
        for entry, rate in derived.items():
            slope = sympy.diff(loss, entry).xreplace(point)
            assert rate.xreplace(numbers).xreplace(point) == -slope


@pytest.mark.parametrize("name", MODELS)
def test_kernels_are_differences_of_the_loss(name):
    net, data = model(name), dataset(name)
    flow = sf.gradient_flow(net, sf.SquaredLoss())
    weights, width = start(net), 1e-5
    moments = data.moments()
    rates = sf.compile(flow, data)(*weights)
    loss = sf.compile(flow, data, outputs="loss")
    for place, weight in enumerate(weights):
        for index in np.ndindex(*weight.shape):
            move = np.zeros_like(weight)
            move[index] = width
            ends = [
                loss(*weights[:place], weight + sign * move, *weights[place + 1 :])
                for sign in (1, -1)
            ]
            slope = (ends[0] - ends[1]) / (2 * width)
            assert rates[place][index] == pytest.approx(-slope, rel=1e-6, abs=1e-7)
    free = sf.compile(flow)(*weights, moments.sigma_xx, moments.sigma_yx)
    out = [np.empty_like(weight) for weight in weights]
    sf.compile(flow, data).into(out, *weights)
    for bound, other, written in zip(rates, free, out, strict=True):
        np.testing.assert_allclose(bound, other, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(bound, written, rtol=1e-12, atol=1e-13)


#: Conserved functions that no form of second degree is, for the models that have some.
MISSING = {"residual": 1, "entrywise": 1, "circular": 2}


@pytest.mark.parametrize("name", MODELS)
def test_laws_are_counted_and_drift_below_forty_digits(name):
    net = model(name)
    flow = sf.gradient_flow(net, sf.SquaredLoss())
    laws, count = sf.conserved(flow), sf.count_conserved(net)
    assert all(law.is_proved for law in laws)
    assert laws.missing == count.independent - laws.known == MISSING.get(name, 0)
    half = sympy.Rational(1, 2)
    run = sf.precise(flow, dataset(name), start(net), [0, half], digits=45)
    for law in laws:
        assert max(law.residuals(run)) < mpmath.mpf(10) ** -40


@pytest.mark.parametrize("name", ["residual", "lora", "recurrent", "one by one"])
def test_models_are_compiled_in_c(name):
    net, data = model(name), dataset(name)
    flow, moments = sf.gradient_flow(net, sf.SquaredLoss()), data.moments()
    given = [*start(net), moments.sigma_xx, moments.sigma_yx]
    for ours, theirs in zip(
        sf.c_kernel(flow)(*given), sf.compile(flow)(*given), strict=True
    ):
        np.testing.assert_allclose(ours, theirs, rtol=1e-12, atol=1e-13)


def integrated(name, data, weights, end):
    """Return the entries of the weights at a time by mpmath's own Taylor method."""
    shapes, formula = MODELS[name]
    context = mpmath.mp
    symbols = [matrix(key, *shape) for key, shape in shapes.items()]
    entries = [entry for symbol in symbols for entry in symbol]
    W = formula(Explicit, FIXED, *symbols)
    X, Y = (sympy.Matrix(array.tolist()).applyfunc(int) for array in (data.X, data.Y))
    loss = sum(entry**2 for entry in Y - X * W.T) / (2 * data.n)
    rates = [sympy.lambdify(entries, -sympy.diff(loss, e), "mpmath") for e in entries]
    first = [context.mpf(x) for weight in weights for x in weight.flat]
    path = context.odefun(lambda t, y: [rate(*y) for rate in rates], 0, first)
    return path(end)


@pytest.mark.parametrize("name", ["one by one", "tied"])
def test_precise_agrees_with_another_integrator_to_30_digits(name):
    net, data, weights = model(name), dataset(name), start(model(name), size=0.25)
    flow = sf.gradient_flow(net, sf.SquaredLoss())
    run = sf.precise(flow, data, weights, [0, mpmath.mpf("0.25")], digits=32)
    with mpmath.workdps(34):
        other = integrated(name, data, weights, mpmath.mpf("0.25"))
        flat = [x for weight in run.weights for x in weight[-1].flat]
        gaps = [abs(a - mpmath.mpf(b)) for a, b in zip(flat, other, strict=True)]
    assert max(gaps) < mpmath.mpf("1e-30")


@pytest.mark.parametrize("name", ["lora", "residual", "mask", "tied", "shared trunk"])
def test_enclosures_contain_precise_runs(name):
    net, data, weights = model(name), dataset(name), start(model(name), size=0.25)
    flow = sf.gradient_flow(net, sf.SquaredLoss())
    ball = sf.enclose(flow, data, weights, 0.25, digits=12)
    run = sf.precise(flow, data, weights, [0, 0.25], digits=30)
    assert ball.contains([weight[-1] for weight in run.weights])
    assert ball.contains(run.end_to_end[-1])
    assert ball.excludes(run.end_to_end[-1] + 1e-3)
    rough = sf.simulate(flow, data, weights, [0, 0.25])
    np.testing.assert_allclose(
        rough.end_to_end[-1], np.array(run.end_to_end[-1], dtype=float), rtol=1e-7
    )


def test_all_arithmetics_agree_on_a_residual_model():
    net, data, weights = (
        model("residual"),
        dataset("residual"),
        start(model("residual")),
    )
    flow = sf.gradient_flow(net, sf.SquaredLoss())
    kinds = (None, sf.Flint(), sf.Mpmath())
    runs = [
        sf.precise(flow, data, weights, [0, 0.5], digits=25, arithmetic=kind)
        for kind in kinds
    ]
    for run in runs[1:]:
        gap = np.max(np.abs(run.end_to_end[-1] - runs[0].end_to_end[-1]))
        assert gap < 1e-24


def test_products_are_networks_of_dense_layers():
    d, h, m = sympy.symbols("d h m")
    W1, W2 = sympy.MatrixSymbol("W1", h, d), sympy.MatrixSymbol("W2", m, h)
    assert sf.Model(W2 * W1, (W1, W2)) == sf.LinearNetwork("d", "h", "m")
    U, V = sympy.MatrixSymbol("U", 2, 3), sympy.MatrixSymbol("V", 2, 2)
    named, plain = sf.Model(V * U, (U, V)), sf.LinearNetwork(3, 2, 2)
    assert [str(w) for w in named.parameters] == ["U", "V"]
    flows = [sf.gradient_flow(net, sf.SquaredLoss()) for net in (named, plain)]
    data, init = sf.whitened([[3, 0, 0], [0, 1, 0]]), sf.spectral_init(0.1)
    answers = [
        (
            sf.solve(flow, data, init).end_to_end(1.0).tolist(),
            [w.tolist() for w in sf.solve(flow, data, init).weights(2.0)],
            sf.rates(flow, data, init).rate,
            sf.implicit_bias(flow, data, init).limit.tolist(),
            len(sf.conserved(flow)),
        )
        for flow in flows
    ]
    assert answers[0] == answers[1]
    assert str(sf.conserved(flows[0])[0].expr) == "-U*U.T + V.T*V"


@pytest.mark.parametrize("drawn", [True, False])
def test_a_product_keeps_its_order_of_weights(drawn):
    """Answers are those of the layers; weights are in the order of `parameters`."""
    U, V = sympy.MatrixSymbol("U", 2, 3), sympy.MatrixSymbol("V", 2, 2)
    data, rng = sf.whitened([[3, 0, 0], [0, 1, 0]]), np.random.default_rng(0)
    u, v = rng.standard_normal((2, 3)), rng.standard_normal((2, 2))
    answers = []
    for order, weights in (((U, V), (u, v)), ((V, U), (v, u))):
        flow = sf.gradient_flow(sf.Model(V * U, order), sf.SquaredLoss())
        init = sf.spectral_init(0.1) if drawn else weights
        run = sf.simulate(flow, data, init, [0, 1, 4])
        assert [w.shape[1:] for w in run.weights] == [s.shape for s in order]
        claims = [
            *sf.rates(flow, data, init),
            sf.implicit_bias(flow, data, init),
            *sf.companions(flow, data, init),
        ]
        if drawn:
            claims.append(solution := sf.solve(flow, data, init))
            places = [order.index(U), order.index(V)]
            for place, symbol in zip(places, (U, V), strict=True):
                found = solution.weights(4.0)[place]
                np.testing.assert_allclose(found, run[symbol][-1], atol=1e-8)
        sf.validate(claims, run).raise_if_failed()
        ball = sf.enclose(flow, data, init, [1], digits=12)
        said = [sf.certify(claim, ball).status for claim in claims]
        answers.append((run, [c.residuals(run) for c in claims], said))
    (first, ours, certified), (second, theirs, other) = answers
    np.testing.assert_allclose(first.end_to_end, second.end_to_end, atol=1e-10)
    assert certified == other
    assert sf.Status.ENCLOSED in other
    for one, two in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-8)


def test_the_same_formula_in_another_order_is_the_same_model():
    U, V, S = (sympy.MatrixSymbol(name, 2, 2) for name in "UVS")
    one = sf.Model(V * U + S + sympy.HadamardProduct(U, S), (U, V, S))
    other = sf.Model(sympy.HadamardProduct(S, U) + S + V * U, (U, V, S))
    assert one == other
    assert hash(one) == hash(other)
    swapped = sf.Model(V * U + S, (S, V, U))
    data, rng = sf.whitened([[2, 0], [0, 1]]), np.random.default_rng(3)
    u, v, s = (rng.standard_normal((2, 2)) for _ in range(3))
    runs = [
        sf.simulate(sf.gradient_flow(net, sf.SquaredLoss()), data, weights, [0, 1])
        for net, weights in (
            (sf.Model(V * U + S, (U, V, S)), (u, v, s)),
            (swapped, (s, v, u)),
        )
    ]
    assert runs[0].flow.state == runs[1].flow.state[::-1]
    for symbol in (U, V, S):
        np.testing.assert_allclose(runs[0][symbol], runs[1][symbol], rtol=1e-8)


def test_a_constant_of_zeros_changes_nothing_and_a_zero_start_stays():
    U, V, A = (sympy.MatrixSymbol(name, 2, 2) for name in "UVA")
    data, zero = sf.whitened([[2, 0], [0, 1]]), np.zeros((2, 2))
    net = sf.Model(V * U + A, (U, V), {A: zero})
    weights = start(net)
    plain = sf.simulate(
        sf.gradient_flow(sf.Model(V * U, (U, V)), sf.SquaredLoss()),
        data,
        weights,
        [0, 1],
    )
    flow = sf.gradient_flow(net, sf.SquaredLoss())
    run = sf.simulate(flow, data, weights, [0, 1])
    np.testing.assert_allclose(run.end_to_end, plain.end_to_end, rtol=1e-9)
    assert not sf.simulate(flow, data, [zero, zero], [0, 1]).end_to_end.any()
    still = sf.precise(flow, data, [zero, zero], [0, 1], digits=20)
    assert all(entry == 0 for entry in still.end_to_end.flat)
    assert sf.enclose(flow, data, [zero, zero], 1, digits=10).contains(zero)


def test_exact_constants_stay_exact():
    a, A = sympy.MatrixSymbol("a", 1, 1), sympy.MatrixSymbol("A", 1, 1)
    third = sympy.Rational(1, 3)
    flow = sf.gradient_flow(sf.Model(a + A, (a,), {A: [[third]]}), sf.SquaredLoss())
    run = sf.precise(flow, sf.whitened([[2]]), [[[0]]], [0, 1], digits=40)
    with mpmath.workdps(45):
        path = mpmath.mpf(5) / 3 * (1 - mpmath.exp(-1))
        assert abs(run.weights[0][-1][0, 0] - path) < mpmath.mpf("1e-39")


@pytest.mark.parametrize("suffix", [".json", ".npz"])
def test_models_are_saved_and_loaded(tmp_path, suffix):
    for name in MODELS:
        flow = sf.gradient_flow(model(name), sf.SquaredLoss())
        assert sf.load(sf.save(flow, tmp_path / f"flow{suffix}")) == flow
    run = sf.simulate(flow, dataset(name), start(flow.network), [0, 1])
    again = sf.load(sf.save(run, tmp_path / f"run{suffix}"))
    assert np.array_equal(again.end_to_end, run.end_to_end)


def test_networks_and_models_are_added_and_composed():
    net = sf.LinearNetwork(3, 2, 1)
    both = net + net
    assert [str(w) for w in both.parameters] == ["W1", "W2", "W3", "W4"]
    assert str(both.end_to_end) == "W2*W1 + W4*W3"
    assert sf.LinearNetwork(1, 2) @ net == sf.LinearNetwork(3, 2, 1, 2)
    U = sympy.MatrixSymbol("U", 2, 1)
    tied = sf.Model(U * U.T, (U,))
    chain = tied @ sf.LinearNetwork(3, 2)
    assert str(chain.end_to_end) == "U*U.T*W1"
    assert (chain.widths[0], chain.widths[-1]) == (3, 2)
    assert isinstance(sf.Model(U, (U,)) @ net, sf.Network)
    A = sympy.MatrixSymbol("A", 2, 2)
    B = sympy.MatrixSymbol("B", 2, 2)
    one, two = (sf.Model(A * B, (B,), {A: value}) for value in (FIXED, 2 * FIXED))
    assert len((one + one).constants) == 1
    assert sorted(map(str, (one + two).constants)) == ["A", "A1"]


def test_constants_without_numbers_are_for_derivations():
    d, h, m = sympy.symbols("d h m")
    U, V, A = (
        sympy.MatrixSymbol(name, *shape)
        for name, shape in {"U": (h, d), "V": (m, h), "A": (m, d)}.items()
    )
    flow = sf.gradient_flow(sf.Model(V * U + A, (U, V)), sf.SquaredLoss())
    assert str(flow).splitlines()[0] == "U̇ = Vᵀ(Σ_yx − (VU + A)Σ_xx)"
    with pytest.raises(InvalidArgument, match="A is a constant of the model without"):
        sf.simulate(flow, sf.whitened([[1]]), [[[1]], [[1]]], [0, 1])
    with pytest.raises(InvalidArgument, match="A is no argument"):
        sf.compile(flow)
    alpha = sympy.Symbol("alpha")
    scaled = sf.gradient_flow(sf.Model(alpha * V * U, (U, V)), sf.SquaredLoss())
    assert scaled.parameters == (alpha,)
    with pytest.raises(InvalidArgument, match="alpha is symbolic"):
        sf.simulate(scaled, sf.whitened([[1]]), [[[1]], [[1]]], [0, 1])
    known = sf.Model(alpha * V * U, (U, V), {"alpha": 2})
    assert known == sf.Model(2 * V * U, (U, V))


A3, B3, C3 = (sympy.MatrixSymbol(name, 3, 3) for name in "ABC")


@pytest.mark.parametrize(
    ("kind", "arguments", "words"),
    [
        (NotDifferentiable, (A3.inv() * B3, (A3,)), "polynomial"),
        (NotDifferentiable, (sympy.Trace(A3) * A3, (A3,)), "polynomial"),
        (NotDifferentiable, (sympy.HadamardPower(A3, -1), (A3,)), "polynomial"),
        (NotDifferentiable, (sympy.I * A3, (A3,)), "real number"),
        (InvalidArgument, (A3 + C3, (B3,)), "B .3 × 3. does not occur"),
        (InvalidArgument, (A3 + C3, (A3, A3)), "different names"),
        (InvalidArgument, (A3, (A3,), {A3: np.eye(3)}), "parameter and a constant"),
        (InvalidArgument, (A3, (A3,), {"C": np.eye(3)}), "C does not occur"),
        (InvalidArgument, ("A", (A3,)), "SymPy matrix expression"),
        (InvalidArgument, (A3, ()), "matrix symbols"),
        (InvalidArgument, (A3, (A3,), [1]), "mapping"),
        (ShapeMismatch, (A3 * C3, (A3,), {C3: np.eye(2)}), "2×2 where 3×3"),
        (
            ShapeMismatch,
            (
                A3 * sympy.MatrixSymbol("D", sympy.Symbol("n"), 3),
                (A3,),
                {"D": [[1] * 3]},
            ),
            "shapes do not fit",
        ),
        (
            ShapeMismatch,
            (A3 + sympy.MatrixSymbol("D", sympy.Symbol("n"), 3), (A3,)),
            "shapes do not fit",
        ),
    ],
)
def test_bad_models_are_refused(kind, arguments, words):
    with pytest.raises(kind, match=words):
        sf.Model(*arguments)
    with pytest.raises(InvalidArgument, match="Model"):
        sf.Model(*arguments)


def test_bad_combinations_are_refused():
    net = sf.LinearNetwork(3, 2, 1)
    with pytest.raises(ShapeMismatch, match="1 outputs"):
        net @ net
    with pytest.raises(ShapeMismatch, match="3 inputs"):
        net + sf.LinearNetwork(2, 1)
    with pytest.raises(InvalidArgument, match="cannot be combined"):
        net + sf.TensorNetwork(np.ones((3, 2, 2)))
    with pytest.raises(InvalidArgument, match="two networks"):
        net + 3
