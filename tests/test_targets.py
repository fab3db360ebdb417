"""Every target of a program against code written by hand, and against each other."""

import inspect
import pickle
import shutil
import subprocess
import sys
import tracemalloc
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import sympy
from scipy.integrate import solve_ivp

import symflow as sf
from symflow.codegen.evaluate import evaluate
from symflow.codegen.program import FUNCTIONS, Input, Instruction, Output, Program
from symflow.codegen.tangent import directional, has_tangent
from symflow.codegen.targets.c import CLOSE, PRELUDE, C, function
from symflow.codegen.targets.ckernel import CKernel
from symflow.codegen.targets.heyoka import constant
from symflow.codegen.targets.loops import LOOPS, loops
from symflow.codegen.targets.numba import PythonLoops
from symflow.codegen.targets.sizes import at_shapes

RNG = np.random.default_rng(7)


def flow_of(*widths, **loss):
    return sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss(**loss))


def sample(widths, seed=0):
    rng = np.random.default_rng(seed)
    X, Y = rng.standard_normal((9, widths[0])), rng.standard_normal((9, widths[-1]))
    weights = [
        rng.standard_normal((after, before)) for before, after in pairwise(widths)
    ]
    return sf.Dataset(X, Y), weights


def by_hand(weights, xx, yx, decay=0.0):
    """The chain rule of a deep linear network, one layer after the other."""
    total = np.eye(weights[0].shape[1])
    befores = []
    for W in weights:
        befores.append(total)
        total = W @ total
    force = yx - total @ xx
    rates = []
    for number, W in enumerate(weights):
        after = np.eye(W.shape[0])
        for later in weights[number + 1 :]:
            after = later @ after
        rates.append(after.T @ force @ befores[number].T - decay * W)
    return rates


SHAPES = [(3, 2), (1, 1, 1), (3, 4, 2), (5, 1, 4, 2), (2, 3, 3, 3, 1), (40, 2, 40)]


@pytest.mark.parametrize("widths", SHAPES, ids=str)
@pytest.mark.parametrize("decay", [0, 0.25])
def test_bound_kernels_give_the_gradient_whatever_the_cheapest_form(widths, decay):
    data, weights = sample(widths)
    moments = data.moments()
    kern = sf.compile(flow_of(*widths, l2=decay), data)
    expected = by_hand(weights, moments.sigma_xx, moments.sigma_yx, decay)
    out = [np.empty_like(W) for W in weights]
    kern.into(out, *weights)
    for found, written, hand in zip(kern(*weights), out, expected, strict=True):
        scale = np.max(np.abs(hand)) + 1
        assert np.max(np.abs(found - hand)) < 1e-12 * scale
        assert np.max(np.abs(written - hand)) < 1e-12 * scale


def test_a_narrow_network_is_not_multiplied_out():
    """W₂W₁Σ_xx costs 2·40³ operations more than the products with two rows."""
    kern = sf.compile(flow_of(40, 2, 40), sample((40, 2, 40))[0])
    from symflow.codegen.optimize import cost

    shapes = {"W1": (2, 40), "W2": (40, 2)} | {
        name: array.shape for name, array in kern.constants.items()
    }
    price = cost(kern.program, [shapes[a.name] for a in kern.program.inputs])
    assert price < 2 * 40**3


def test_whitened_data_leave_no_product_with_the_identity():
    kern = sf.compile(flow_of(3, 2, 2), sf.whitened(np.ones((2, 3))))
    assert list(kern.constants) == ["sigma_yx"]
    assert kern.source.count("@") == 3


def test_diagonal_data_scale_columns_instead_of_a_product():
    xx, yx = np.diag([1.0, 2.0, 3.0]), 0.1 * np.ones((2, 3))
    kern = sf.compile(flow_of(3, 2, 2), sf.Moments(xx, yx))
    assert kern.source.count("@") == 3
    weights = [np.arange(6.0).reshape(2, 3), np.eye(2)]
    expected = by_hand(weights, xx, yx)
    for one, other in zip(kern(*weights), expected, strict=True):
        np.testing.assert_allclose(one, other)
    out = [np.empty((2, 3)), np.empty((2, 2))]
    kern.into(out, *weights)
    for one, other in zip(out, expected, strict=True):
        np.testing.assert_allclose(one, other)


@pytest.mark.parametrize("widths", [(3, 4, 2), (2, 3, 3, 1)], ids=str)
def test_all_outputs_of_a_kernel(widths):
    data, weights = sample(widths)
    moments, count = data.moments(), len(weights)
    flow = flow_of(*widths)
    names = ("rhs", "loss", "end_to_end", "conserved")
    results = sf.compile(flow, data, outputs=names)(*weights)
    total = weights[0]
    for W in weights[1:]:
        total = W @ total
    for rate, hand in zip(
        results[:count],
        by_hand(weights, moments.sigma_xx, moments.sigma_yx),
        strict=True,
    ):
        assert np.allclose(rate, hand)
    residual = data.Y - data.X @ total.T
    assert float(results[count]) == pytest.approx(0.5 * np.sum(residual**2) / 9)
    assert np.allclose(results[count + 1], total)
    for delta, first, second in zip(
        results[count + 2 :], weights, weights[1:], strict=False
    ):
        assert np.allclose(delta, second.T @ second - first @ first.T)
    free = sf.compile(flow, outputs="end_to_end")
    assert np.allclose(free(*weights), total)
    assert np.allclose(sf.compile(flow, data, outputs="end_to_end")(*weights), total)


def test_bound_kernels_take_batches_and_pickle_and_show_their_source():
    data, _ = sample((3, 4, 2))
    kern = sf.compile(flow_of(3, 4, 2), data)
    batch = [RNG.standard_normal((6, 4, 3)), RNG.standard_normal((6, 2, 4))]
    whole = kern(*batch)
    copied = pickle.loads(pickle.dumps(kern))
    for k in range(6):
        one = copied(batch[0][k], batch[1][k])
        assert all(
            np.allclose(w[k], o, rtol=1e-13) for w, o in zip(whole, one, strict=True)
        )
    assert "Ẇ₁ = W₂ᵀ(Σ_yx − W₂W₁Σ_xx)" in inspect.getsource(kern)
    with pytest.raises(sf.ShapeMismatch, match="W2 has shape"):
        kern(np.ones((4, 3)), np.ones((2, 3)))


@pytest.mark.parametrize("bound", [True, False])
def test_the_in_place_variant_allocates_nothing(bound):
    widths = (40, 30, 20)
    data, weights = sample(widths)
    flow, moments = flow_of(*widths), data.moments()
    kern = sf.compile(flow, data) if bound else sf.compile(flow)
    arguments = weights if bound else [*weights, moments.sigma_xx, moments.sigma_yx]
    out = [np.empty_like(W) for W in weights]
    kern.into(out, *arguments)
    tracemalloc.start()
    for _ in range(10):
        kern.into(out, *arguments)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < min(W.nbytes for W in weights) / 2
    hand = by_hand(weights, moments.sigma_xx, moments.sigma_yx)
    assert all(np.allclose(o, h) for o, h in zip(out, hand, strict=True))


def test_in_place_mistakes_are_named():
    data, weights = sample((3, 4, 2))
    kern = sf.compile(flow_of(3, 4, 2), data)
    good = [np.empty_like(W) for W in weights]
    with pytest.raises(sf.ShapeMismatch, match="needs 2 arrays in out and 2 arguments"):
        kern.into(good[:1], *weights)
    with pytest.raises(sf.ShapeMismatch):
        kern.into([good[1], good[0]], *weights)
    with pytest.raises(sf.InvalidArgument, match="contiguous float64"):
        kern.into([np.empty((4, 3), np.float32), good[1]], *weights)


@pytest.mark.parametrize("outputs", ["gradient", (), ("rhs", "rhs")])
def test_unknown_outputs_are_refused(outputs):
    with pytest.raises(sf.InvalidArgument, match="rhs, loss, end_to_end, conserved"):
        sf.compile(flow_of(2, 1), outputs=outputs)


needs_compiler = pytest.mark.skipif(
    not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="needs a C compiler"
)


@needs_compiler
@pytest.mark.parametrize("widths", SHAPES, ids=str)
@pytest.mark.parametrize("decay", [0, 0.25])
def test_c_code_is_the_gradient(widths, decay):
    data, weights = sample(widths)
    moments = data.moments()
    kern = sf.c_kernel(flow_of(*widths, l2=decay))
    expected = by_hand(weights, moments.sigma_xx, moments.sigma_yx, decay)
    found = kern(*weights, moments.sigma_xx, moments.sigma_yx)
    for rate, hand in zip(found, expected, strict=True):
        assert np.max(np.abs(rate - hand)) < 1e-12 * (np.max(np.abs(hand)) + 1)


@needs_compiler
def test_c_code_is_strict_c99_without_a_warning(tmp_path):
    source = sf.c_source(flow_of("d", "h", "m", l2=0.5), widths=(3, 4, 2))
    path = tmp_path / "flow.c"
    path.write_text(source)
    strict = ["-std=c99", "-pedantic", "-Wall", "-Wextra", "-Werror", "-c"]
    subprocess.run(
        [shutil.which("cc") or "gcc", *strict, str(path), "-o", str(tmp_path / "f.o")],
        check=True,
    )


@needs_compiler
def test_c_kernels_pickle_and_check_shapes():
    data, weights = sample((3, 4, 2))
    moments = data.moments()
    kern = pickle.loads(pickle.dumps(sf.c_kernel(flow_of(3, 4, 2))))
    arguments = [*weights, moments.sigma_xx, moments.sigma_yx]
    out = [np.zeros_like(W) for W in weights]
    run = kern.bind(out, *arguments)
    run()
    assert np.allclose(out[0], kern(*arguments)[0])
    weights[0][:] = 0  # the bound memory is read again
    run()
    assert np.all(out[1] == 0)
    with pytest.raises(sf.ShapeMismatch, match="needs the shapes"):
        kern(*arguments[::-1])
    with pytest.raises(sf.ShapeMismatch, match="contiguous"):
        kern.bind([o.T.copy().T for o in out], *arguments)


@needs_compiler
@pytest.mark.parametrize("size", [3, 7, 8, 9, 11, 16])
def test_products_in_c_have_every_term_however_the_arrays_lie(size):
    rng = np.random.default_rng(size)
    whole = [rng.integers(-9, 10, (size, size)) for _ in range(4)]  # exact in floats
    W1, W2, xx, yx = given = [matrix.astype(float) for matrix in whole]
    kern = sf.c_kernel(flow_of(size, size, size))
    force = whole[3] - whole[1] @ whole[0] @ whole[2]
    right = whole[1].T @ force, force @ whole[0].T
    frozen = W1.copy()
    frozen.flags.writeable = False
    turned = [np.asfortranarray(W2), xx.tolist(), yx[::-1][::-1]]
    for arrays in (given, [frozen, *given[1:]], [W1, *turned], whole):
        found = kern(*arrays)
        assert all(map(np.array_equal, found, right))
    with pytest.raises(sf.ShapeMismatch, match="takes 4 arrays; got 5"):
        kern(*given, "more")


def test_targets_of_fixed_size_ask_for_widths():
    for make in (sf.c_source, sf.numba_source):
        with pytest.raises(sf.InvalidArgument, match="an integer for every width"):
            make(flow_of("d", "h", "m"))
        with pytest.raises(sf.InvalidArgument, match="an integer for every width"):
            make(flow_of(3, "h", 1), widths=(2, 2, 1))
    with pytest.raises(sf.InvalidArgument, match="fit the stack"):
        sf.c_source(flow_of(400, 400, 400))


def test_a_missing_compiler_is_named(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(sf.NotInstalled, match="needs a C compiler"):
        sf.c_kernel(flow_of(2, 1))


@pytest.mark.parametrize(
    ("library", "command", "call"),
    [
        ("numba", r'"symflow\[bench\]"', lambda: sf.numba_kernel(flow_of(2, 1))),
        ("heyoka", r'"symflow\[bench\]"', lambda: sf.to_heyoka(flow_of(2, 1))),
        ("torch", "torch", lambda: sf.from_torch(None)),
    ],
)
def test_a_missing_library_is_named(monkeypatch, library, command, call):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(sf.NotInstalled, match=f"{library}, .* pip install {command}"):
        call()


@pytest.mark.parametrize("widths", [(1, 1, 1), (5, 1, 4, 2)], ids=str)
def test_loops_for_numba_are_the_gradient_even_without_numba(widths):
    """The text is plain Python: here it runs uncompiled."""
    data, weights = sample(widths)
    moments = data.moments()
    names = {"numpy": np}
    exec(sf.numba_source(flow_of(*widths, l2=0.25)), names)
    found = names["gradient_flow"](*weights, moments.sigma_xx, moments.sigma_yx)
    expected = by_hand(weights, moments.sigma_xx, moments.sigma_yx, 0.25)
    assert all(np.allclose(f, e) for f, e in zip(found, expected, strict=True))


@pytest.mark.optional
def test_numba_compiles_the_loops():
    pytest.importorskip("numba")
    data, weights = sample((3, 4, 2))
    moments = data.moments()
    kern = sf.numba_kernel(flow_of(3, 4, 2))
    found = kern(*weights, moments.sigma_xx, moments.sigma_yx)
    expected = by_hand(weights, moments.sigma_xx, moments.sigma_yx)
    assert all(np.allclose(f, e) for f, e in zip(found, expected, strict=True))


@pytest.mark.slow  # its compiler takes seconds
def test_heyoka_integrates_the_flow():
    heyoka = pytest.importorskip("heyoka")
    data, weights = sample((2, 2, 1))
    flow = flow_of(2, 2, 1)
    tight = sf.DOP853(rtol=1e-13, atol=1e-15)
    run = sf.simulate(flow, data, weights, [1.0], method=tight)
    start = np.concatenate([W.ravel() for W in weights])
    moments = data.moments()
    pars = np.concatenate([moments.sigma_xx.ravel(), moments.sigma_yx.ravel()])
    for system, options in (
        (sf.to_heyoka(flow, data), {}),
        (sf.to_heyoka(flow), {"pars": pars}),
    ):
        solver = heyoka.taylor_adaptive(system, start, compact_mode=True, **options)
        solver.propagate_until(1.0)
        flat = np.concatenate([W[-1].ravel() for W in run.weights])
        assert np.max(np.abs(solver.state - flat)) < 1e-12


COLUMN, MATRIX, SQUARE = (3, 1), (2, 3), (3, 3)

#: Every operation that loops are written for, on operands of these shapes.
OPERATIONS = {
    "matmul": [(MATRIX, SQUARE)],
    "add": [(MATRIX, MATRIX), ((), ())],
    "subtract": [(MATRIX, MATRIX)],
    "hadamard": [(MATRIX, MATRIX), ((), ())],
    "scale": [(MATRIX, -0.75)],
    "shift": [(MATRIX, 0.3), ((), 0.3)],
    "power": [(MATRIX, -1), (MATRIX, 3), ((), 2)],
    "multiply": [((), MATRIX)],
    "weigh": [((), MATRIX)],
    "divide": [(MATRIX, ())],
    "transpose": [(MATRIX,)],
    "inner": [(MATRIX, MATRIX)],
    "trace": [(SQUARE,)],
    "total": [(MATRIX,)],
    "identity": [(4,)],
    "constant": [(sympy.Matrix([[1, 0], [-2, 3]]),)],
    "softmax": [(MATRIX,), (COLUMN,)],
    "diag": [(COLUMN,)],
    "diagonal": [(SQUARE,)],
    "circulant": [(COLUMN,), (COLUMN, 5)],
    "circulant_sums": [(SQUARE,), (SQUARE, 2)],
    "pad": [(COLUMN, 5)],
    "crop": [(COLUMN, 2)],
    "vec": [(MATRIX,)],
    "unvec": [((6, 1), 2)],
    "kron": [(COLUMN, (2, 1))],
    **{name: [(MATRIX,), ()] for name in FUNCTIONS},
}


def test_every_operation_of_the_loops_is_tested():
    assert set(OPERATIONS) | {"rows", "columns"} == LOOPS


def program_of(operation, operands):
    """Return a program that is one operation, and numbers between 0.1 and 2."""
    *shapes, last = operands if operands else ((),)
    constant = None
    if isinstance(last, tuple):
        shapes.append(last)
    else:
        constant = last if isinstance(last, sympy.Matrix) else sympy.sympify(last)
    inputs = tuple(Input(f"a{k}", shape) for k, shape in enumerate(shapes))
    step = Instruction(operation, tuple(range(len(shapes))), constant)
    program = Program("f", inputs, (step,), (Output("out", len(shapes)),))
    rng = np.random.default_rng(len(operation))
    arrays = [rng.uniform(0.1, 2, shape) for shape in shapes]
    return at_shapes(program, tuple(shapes), "f"), arrays


@pytest.mark.parametrize("operation", OPERATIONS)
def test_loops_compute_what_numpy_does(operation):
    """The text for Numba is plain Python: here it runs uncompiled."""
    for operands in OPERATIONS[operation]:
        sized, arrays = program_of(operation, operands)
        (right,) = evaluate(sized.program, arrays)
        lines, scratch = loops(sized, PythonLoops())
        names = {
            argument.name: a
            for argument, a in zip(sized.program.inputs, arrays, strict=True)
        }
        shapes = scratch | {"out0": sized.results[0]}
        names |= {n: np.empty(shape) for n, shape in shapes.items() if shape}
        exec("\n".join(lines), {"numpy": np}, names)
        np.testing.assert_allclose(names["out0"], right, rtol=1e-14)
        if shutil.which("cc"):
            source = "\n".join([PRELUDE, function(sized, C()), CLOSE])
            kernel = CKernel(source, "f", sized.shapes, sized.results)
            np.testing.assert_allclose(kernel(*arrays)[0], right, rtol=1e-14)


@needs_compiler
@pytest.mark.parametrize("outputs", ["rhs", "loss"])
@pytest.mark.parametrize(
    "loss", [sf.ExponentialLoss(), sf.LogisticLoss(l2=0.5), sf.SquaredLoss(l2="lam")]
)
@pytest.mark.parametrize(
    "network",
    [sf.LinearNetwork(3, 2, 2), sf.ConvolutionalNetwork(4, filters=(2, 3))],
    ids=str,
)
def test_losses_and_their_rates_in_c_and_loops_are_those_of_numpy(
    network, loss, outputs
):
    flow = sf.gradient_flow(network, loss)
    kernel = sf.c_kernel(flow, samples=5, outputs=outputs)
    rng = np.random.default_rng(2)
    arrays = [rng.standard_normal(shape) for shape in kernel.shapes]
    right = sf.compile(flow, outputs=outputs)(*arrays)
    right = right if isinstance(right, tuple) else (right,)
    names = {"numpy": np, "ShapeMismatch": sf.ShapeMismatch}
    exec(sf.numba_source(flow, samples=5, outputs=outputs), names)
    looped = names["loss" if outputs == "loss" else "gradient_flow"](*arrays)
    for found in (kernel(*arrays), looped):
        for one, other in zip(found, right, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)


@needs_compiler
def test_extreme_margins_neither_overflow_nor_cancel_in_c():
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1), sf.LogisticLoss())
    loss = sf.c_kernel(flow, samples=1, outputs="loss")
    rate = sf.c_kernel(flow, samples=1)
    one = [[1.0]]
    assert loss([[50.0]], one, one)[0] == pytest.approx(np.exp(-50), rel=1e-14)
    assert loss([[-1e5]], one, one)[0] == 1e5
    assert rate([[700.0]], one, one)[0].item() == pytest.approx(np.exp(-700), rel=1e-12)
    assert rate([[-1e5]], one, one)[0].item() == 1.0


def test_code_for_samples_asks_for_their_number():
    flow = sf.gradient_flow(sf.LinearNetwork(3, 1), sf.LogisticLoss())
    with pytest.raises(sf.InvalidArgument, match="samples=100"):
        sf.c_source(flow)
    for wrong in (0, 2.5, "n"):
        with pytest.raises(sf.InvalidArgument, match="samples"):
            sf.c_source(flow, samples=wrong)
    with pytest.raises(sf.InvalidArgument, match="one of rhs, loss"):
        sf.c_source(flow, samples=2, outputs="gradient")


@pytest.mark.skipif(not shutil.which("g++"), reason="needs a C++ compiler")
@pytest.mark.parametrize("outputs", ["rhs", "loss"])
def test_c_code_is_strict_cpp(outputs, tmp_path):
    flow = sf.gradient_flow(sf.LinearNetwork(3, 4, 2), sf.LogisticLoss(l2=0.5))
    path = tmp_path / "flow.cpp"
    path.write_text(sf.c_source(flow, samples=3, outputs=outputs))
    strict = ["-std=c++11", "-pedantic", "-Wall", "-Wextra", "-Werror", "-c"]
    subprocess.run(["g++", *strict, str(path), "-o", str(tmp_path / "f.o")], check=True)


@pytest.mark.slow  # its compiler takes seconds
@pytest.mark.parametrize("loss", [sf.ExponentialLoss(), sf.LogisticLoss()], ids=str)
def test_heyoka_computes_the_rates_of_classification(loss):
    heyoka = pytest.importorskip("heyoka")
    flow = sf.gradient_flow(sf.LinearNetwork(3, 2, 1), loss)
    rng = np.random.default_rng(3)
    data = sf.Dataset(rng.standard_normal((4, 3)), np.array([1.0, -1, 1, 1]))
    weights = [rng.standard_normal(symbol.shape) for symbol in flow.state]
    flat = np.concatenate([w.ravel() for w in weights])
    for one in (flow, sf.directional_flow(flow)):
        if one is not flow and isinstance(loss, sf.LogisticLoss):
            with pytest.raises(sf.InvalidArgument, match="no function softplus"):
                sf.to_heyoka(one, data)
            continue
        variables, rates = zip(*sf.to_heyoka(one, data), strict=True)
        found = heyoka.cfunc(list(rates), list(variables))(flat)
        right = sf.compile(one)(*weights, data.X, data.Y)
        np.testing.assert_allclose(
            found, np.concatenate([r.ravel() for r in right]), rtol=1e-12
        )


class Rationals:
    """Stands in for heyoka: expressions are exact fractions."""

    @staticmethod
    def expression(value):
        assert isinstance(value, float)
        return Floating(Fraction(value))


class Floating(Fraction):
    """A fraction that meets floats exactly."""

    def __mul__(self, other):
        return Floating(Fraction(self) * Fraction(other))

    def __add__(self, other):
        return Floating(Fraction(self) + Fraction(other))

    def __truediv__(self, other):
        return Floating(Fraction(self) / Fraction(other))


@pytest.mark.parametrize(
    "value", [0, 1, -7, Fraction(1, 3), 0.1, 3**80, Fraction(-(7**50), 11**40), 10**200]
)
def test_heyoka_gets_every_digit_of_a_constant(value):
    assert Fraction(constant(Rationals, value)) == Fraction(value)


def test_torch_layers_become_a_network_with_their_weights():
    torch = pytest.importorskip("torch")
    layers = [torch.nn.Linear(3, 4, bias=False), torch.nn.Linear(4, 2, bias=False)]
    network, weights = sf.from_torch(torch.nn.Sequential(*layers))
    assert network == sf.LinearNetwork(3, 4, 2)
    x = torch.ones(1, 3)
    expected = torch.nn.Sequential(*layers)(x).detach().numpy()
    assert np.allclose(weights[1] @ weights[0] @ np.ones(3), expected[0], atol=1e-6)
    with pytest.raises(sf.InvalidArgument, match="layer 0 has a bias"):
        sf.from_torch(torch.nn.Sequential(torch.nn.Linear(3, 1)))
    with pytest.raises(sf.InvalidArgument, match="layer 1 is a ReLU"):
        sf.from_torch(torch.nn.Sequential(layers[0], torch.nn.ReLU()))
    with pytest.raises(sf.InvalidArgument, match="needs a torch"):
        sf.from_torch(torch.nn.ReLU())


@pytest.mark.parametrize("widths", [None, (3, 4, 2)])
def test_scipy_integrates_the_flow_with_its_jacobian(widths):
    data, weights = sample((3, 4, 2))
    flow = flow_of(3, 4, 2) if widths is None else flow_of("d", "h", "m")
    peer = sf.to_scipy(flow, data, widths=widths)
    y0 = peer.pack(weights)
    end = solve_ivp(peer.fun, (0, 3), y0, "Radau", jac=peer.jac, rtol=1e-9, atol=1e-12)
    run = sf.simulate(flow, data, weights, [3])
    for found, own in zip(peer.unpack(end.y[:, -1]), run.weights, strict=True):
        assert np.max(np.abs(found - own[-1])) < 1e-7
    assert peer.unpack(end.y)[0].shape == (len(end.t), 4, 3)
    with pytest.raises(sf.ShapeMismatch, match="needs the shapes"):
        peer.pack(weights[::-1])
    with pytest.raises(sf.InvalidArgument, match="an integer for every width"):
        sf.to_scipy(flow_of("d", "h", "m"), data)


def test_lambdify_takes_matrix_expressions_of_any_size():
    m, n = sympy.symbols("m n")
    A, B = sympy.MatrixSymbol("A", m, n), sympy.MatrixSymbol("B", n, m)
    a, b = RNG.standard_normal((2, 3)), RNG.standard_normal((3, 2))
    value = sf.lambdify(sympy.Trace(A * B) / 3, [A, B])(a, b)
    assert float(value) == pytest.approx(np.trace(a @ b) / 3)
    first, second = sf.lambdify([A * B, 2 * B.T], [A, B])(a, b)
    assert np.allclose(first, a @ b)
    assert np.allclose(second, 2 * b.T)
    with pytest.raises(sf.InvalidArgument, match="B occurs in the expression"):
        sf.lambdify(A * B, [A])


def test_lambdify_of_the_rhs_is_the_kernel():
    flow = flow_of("d", "h", "m")
    data, weights = sample((3, 4, 2))
    moments = data.moments()
    arguments = [*weights, moments.sigma_xx, moments.sigma_yx]
    entry = sf.lambdify(flow.rhs[1], [*flow.state, *flow.data])
    assert np.allclose(entry(*arguments), sf.compile(flow)(*arguments)[1], rtol=1e-12)


def test_tangents_of_elementwise_functions_follow_the_chain_rule():
    A = sympy.MatrixSymbol("A", 2, 3)
    kern = sf.lambdify(
        sympy.Trace(A.T * A) ** 2 / 2 + sympy.exp(sympy.Trace(A * A.T)), [A]
    )
    if not has_tangent(kern.program):
        pytest.skip("an operation of this program has no rule")
    a, d = 0.3 * RNG.standard_normal((2, 2, 3))
    (rate,) = directional(kern.program, [a], [d])
    numeric = (kern(a + 1e-6 * d) - kern(a - 1e-6 * d)) / 2e-6
    assert float(rate) == pytest.approx(float(numeric), rel=1e-7)


@pytest.mark.parametrize("widths", [3, (0, 1, 2), (3, 2, -1), (3, 2)])
def test_widths_of_c_code_are_positive(widths):
    flow = sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), sf.SquaredLoss())
    with pytest.raises(sf.InvalidArgument, match="all positive; got"):
        sf.c_source(flow, widths)
