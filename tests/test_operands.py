"""Every target gives the right numbers for what it is given, or refuses in words."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import sys
import types
import warnings
from fractions import Fraction

import numpy as np
import pytest
import sympy

import symflow as sf
from symflow.codegen.operands import floats

needs_compiler = pytest.mark.skipif(
    not any(map(shutil.which, ("cc", "gcc", "clang"))), reason="needs a C compiler"
)
SQUARE = (2, 2, 2)  # where shapes alone never tell a mistake
NETWORKS = {
    "one layer": sf.LinearNetwork(2, 2),
    "two layers": sf.LinearNetwork(*SQUARE),
    "three layers": sf.LinearNetwork(2, 2, 2, 2),
    "wide": sf.LinearNetwork(3, 2, 1),
    "diagonal": sf.DiagonalNetwork(3, depth=2),
    "circulant": sf.ConvolutionalNetwork(4, filters=(2, 3)),
}
LOSSES = {
    "squared": sf.SquaredLoss(),
    "decay": sf.SquaredLoss(l2="lambda"),
    "exponential": sf.ExponentialLoss(),
}


def flow_of(network, loss="squared"):
    net = NETWORKS[network]
    if loss == "exponential" and net.widths[-1] != 1:
        pytest.skip("one output is needed")
    return sf.gradient_flow(net, LOSSES[loss])


def arguments(kernel, rng, samples=5):
    sizes = {"n": samples}
    return [
        rng.uniform(0.2, 1, tuple(int(sizes.get(str(w), w)) for w in one.shape))
        for one in kernel.program.inputs
    ]


def fresh(results):
    return [np.full(np.shape(result), np.nan) for result in results]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("bound", [False, True])
def test_a_result_is_never_written_over_an_argument(network, loss, bound, rng):
    flow = flow_of(network, loss)
    kernel = sf.compile(flow)
    arrays = arguments(kernel, rng)
    if bound:
        if loss == "decay":
            pytest.skip("a parameter that has no value is not bound")
        data = sf.Dataset(
            rng.uniform(0, 1, (4, flow.network.widths[0])),
            np.ones((4, flow.network.widths[-1])),
        )
        kernel, arrays = sf.compile(flow, data), arrays[: len(flow.state)]
    wanted = kernel(*arrays)
    out = fresh(wanted)
    kernel.into(out, *arrays)
    for one, other in zip(out, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    overlapping = 0
    for place, k in itertools.product(range(len(arrays)), range(len(wanted))):
        for view in views(arrays[place], wanted[k].shape):
            copies = [np.array(array) for array in arrays]
            holder, inside = view
            copies[place] = inside
            outs = fresh(wanted)
            outs[k] = holder
            try:
                kernel.into(outs, *copies)
            except sf.SymflowError:
                overlapping += 1
                continue
            for one, other in zip(outs, wanted, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-12)
    twice = [out[0]] * len(wanted)
    if len(wanted) > 1 and len({np.shape(w) for w in wanted}) == 1:
        with pytest.raises(sf.InvalidArgument, match="shares memory"):
            kernel.into(twice, *arrays)
    assert overlapping


def views(array, shape):
    """Yield results of a shape and copies of an argument in one piece of memory."""
    size, need = array.size, int(np.prod(shape))
    for offset in {0, 1, size - 1, size}:
        memory = np.zeros(size + need + 4)
        inside = memory[:size].reshape(array.shape)
        inside[...] = array
        yield memory[offset : offset + need].reshape(shape), inside
    memory = np.zeros((2, *array.T.shape))
    memory[0] = array.T
    if array.T.shape == shape:
        yield memory[0], memory[0].T


def test_a_call_that_was_right_does_not_excuse_the_next_one(rng):
    kernel = sf.compile(flow_of("two layers"))
    arrays = arguments(kernel, rng)
    out = fresh(kernel(*arrays))
    kernel.into(out, *arrays)
    with pytest.raises(sf.InvalidArgument, match="shares memory"):
        kernel.into([arrays[0], out[1]], *arrays)
    kernel.into(out, *arrays)
    reader = arrays[0].copy()
    reader.setflags(write=False)
    for bad in (out[0].astype(np.float32), out[0].T, reader, out[0].astype(complex)):
        with pytest.raises(sf.InvalidArgument, match="writable contiguous float64"):
            kernel.into([bad, out[1]], *arrays)
    kernel.into(out, *arrays)
    out[0].setflags(write=False)
    with pytest.raises(sf.InvalidArgument):
        kernel.into(out, *arrays)


KINDS = {
    "int8": lambda a: (100 * a).astype(np.int8),
    "uint8": lambda a: (100 * a).astype(np.uint8),
    "bool": lambda a: a > 0.5,
    "float32": lambda a: a.astype(np.float32),
    "float16": lambda a: a.astype(np.float16),
    "big endian": lambda a: a.astype(">f8"),
    "fortran": np.asfortranarray,
    "strided": lambda a: np.repeat(a, 2, axis=0)[::2],
    "backwards": lambda a: a[::-1],
    "read only": lambda a: np.broadcast_to(a, a.shape),
    "fractions": lambda a: np.vectorize(Fraction, otypes=[object])(a),
    "np.matrix": lambda a: a.view(np.matrix),
    "unmasked": lambda a: np.ma.masked_array(a),
    "complex": lambda a: a + 0.5j,
    "masked": lambda a: np.ma.masked_array(a, mask=np.eye(*a.shape, dtype=bool)),
    "texts": lambda a: a.astype(str),
    "nothing": lambda a: np.vectorize(lambda x: None, otypes=[object])(a),
    "transposed": lambda a: np.ones((a.shape[1] + 1, a.shape[0])),
    "one row": lambda a: a[:1, :] if len(a) > 1 else np.ones((3, a.shape[1])),
    "one entry": lambda a: a[:1, :1] if a.size > 1 else np.ones((2, 2)),
    "stacked": lambda a: np.stack([a, a]),
    "flat": lambda a: a.ravel(),
}


def calls(flow):
    """Every way to compute the right-hand side that is installed here."""
    kernel = sf.compile(flow)

    def into(*arrays):
        out = [np.empty(tuple(map(int, symbol.shape))) for symbol in flow.state]
        kernel.into(out, *arrays)
        return tuple(out)

    found = {"into": into, "kernel": kernel}
    if any(map(shutil.which, ("cc", "gcc", "clang"))):
        found["C"] = sf.c_kernel(flow)
    with contextlib.suppress(sf.NotInstalled):
        found["numba"] = sf.numba_kernel(flow)
    return found


@pytest.mark.parametrize("network", ["two layers", "wide", "diagonal"])
def test_arguments_of_every_kind_are_computed_rightly_or_refused(network, rng):
    flow = flow_of(network)
    plain = sf.compile(flow)
    arrays = arguments(plain, rng)
    for target, call in calls(flow).items():
        for kind, change in KINDS.items():
            for place in range(len(arrays)):
                given = list(arrays)
                given[place] = change(arrays[place])
                try:
                    with warnings.catch_warnings():
                        warnings.simplefilter("error")
                        found = call(*given)
                except (sf.InvalidArgument, NumbaRefuses):
                    assert kind not in {"int8", "float32", "strided", "fortran"}, target
                    continue
                if kind == "complex" and target == "kernel":
                    continue  # array code, and its result is complex
                if kind == "stacked" and target == "kernel":
                    continue  # a batch
                assert kind not in {"masked", "one row", "one entry", "flat"}, target
                clean = np.asarray(given[place]).astype(float)
                given[place] = clean
                for one, other in zip(found, plain(*given), strict=True):
                    close = 1e-2 if kind == "float16" else 1e-5
                    np.testing.assert_allclose(
                        np.asarray(one, float), other, rtol=close
                    )


class NumbaRefuses(Exception):
    """Numba's own errors, where it is installed."""


with contextlib.suppress(ImportError):
    from numba.core.errors import NumbaError as NumbaRefuses


@pytest.mark.parametrize("wrong", [np.ones((2, 2)), [1, 2], np.ones(3)], ids=str)
def test_a_parameter_is_one_number(wrong, rng):
    kernel = sf.compile(flow_of("two layers", "decay"))
    *arrays, _ = arguments(kernel, rng)
    out = [np.empty((2, 2)), np.empty((2, 2))]
    for call in (kernel, lambda *given: kernel.into(out, *given)):
        with pytest.raises(sf.InvalidArgument):
            call(*arrays, wrong)
    kernel(*arrays, 0.5)
    with pytest.raises(sf.ShapeMismatch, match="one number"):
        kernel(*arrays, wrong)


@needs_compiler
def test_c_code_neither_drops_imaginary_parts_nor_overwrites_what_it_reads(rng):
    kernel = sf.c_kernel(flow_of("two layers"))
    arrays = [rng.uniform(0, 1, (2, 2)) for _ in range(4)]
    with pytest.raises(sf.InvalidArgument, match="complex"):
        kernel(arrays[0] + 1j, *arrays[1:])
    out = [np.empty((2, 2)), np.empty((2, 2))]
    reader = np.empty((2, 2))
    reader.setflags(write=False)
    for bad in (
        [arrays[1], out[1]],
        [out[0], out[0]],
        [reader, out[1]],
        out[:1],
        [1, 2],
    ):
        with pytest.raises(sf.InvalidArgument):
            kernel.bind(bad, *arrays)
    with pytest.raises(sf.ShapeMismatch, match="takes 4 arrays; got 3"):
        kernel(*arrays[1:])


def test_loops_for_numba_refuse_other_shapes(rng):
    names = {"numpy": np, "ShapeMismatch": sf.ShapeMismatch}
    exec(sf.numba_source(flow_of("wide")), names)
    arrays = [np.ones(s) for s in ((2, 3), (1, 2), (3, 3), (1, 3))]
    names["gradient_flow"](*arrays)
    for place in range(4):
        for shape in ((3, 4), (1, 1), (4, 2, 3)):
            given = [*arrays[:place], np.ones(shape), *arrays[place + 1 :]]
            with pytest.raises(sf.ShapeMismatch, match="has to be"):
                names["gradient_flow"](*given)


def test_formulas_of_scalars_take_real_numbers():
    s, t = sympy.symbols("s t")
    f = sf.lambdify(sympy.exp(-s * t), [s, t])
    assert f(Fraction(1, 2), np.array([2], dtype=np.int8)).item() == np.exp(-1)
    masked = np.ma.masked_array([1.0, 2.0], mask=[True, False])
    for bad in (1j, np.array([1j]), "1", None, masked, [1, [2, 3]]):
        with pytest.raises(sf.InvalidArgument):
            f(bad, 1.0)


def test_heyoka_gets_data_of_the_widths_of_the_flow(monkeypatch):
    stub = types.ModuleType("heyoka")
    stub.expression = sympy.Symbol
    monkeypatch.setitem(sys.modules, "heyoka", stub)
    with pytest.raises(sf.ShapeMismatch, match="Sigma_xx"):
        sf.to_heyoka(flow_of("wide"), sf.Moments(np.eye(2), [[1.0, 2.0]]))


def test_saddles_are_those_of_a_flow_of_these_widths():
    data = sf.Moments([[2, 0, 0], [0, 1, 0], [0, 0, 1]], [[3, -1, 1]])
    for make in (sf.HadamardDifference, lambda d: sf.DiagonalNetwork(d, depth=2)):
        with pytest.raises(sf.ShapeMismatch, match="Sigma_xx has shape 3×3"):
            sf.saddle_to_saddle(sf.gradient_flow(make(2), sf.SquaredLoss()), data)
        fits = sf.gradient_flow(make(3), sf.SquaredLoss())
        assert sf.saddle_to_saddle(fits, data).jumps


def test_regime_and_saddles_are_for_one_learning_rate():
    net = sf.LinearNetwork(2, 2, 2)
    flow = sf.gradient_flow(net, sf.SquaredLoss(), learning_rates=(1, 3))
    with pytest.raises(sf.HypothesisFailed, match="one learning rate"):
        sf.regime(flow, sf.whitened([[1.0, 0.0], [0.0, 0.5]]), sf.spectral_init(0.01))
    pair = sf.DiagonalNetwork(2, depth=2)
    flow = sf.gradient_flow(pair, sf.SquaredLoss(), learning_rates=(1, 3))
    with pytest.raises(sf.HypothesisFailed, match="one learning rate"):
        sf.saddle_to_saddle(flow, sf.Moments([[2, 0], [0, 1]], [[3, -1]]))


@pytest.mark.parametrize("kind", [sympy.MatrixSymbol("A", 2, 2), sympy.eye(2)])
def test_a_kernel_takes_no_matrix_of_sympy(kind):
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    with pytest.raises(sf.InvalidArgument, match="array of numbers; got"):
        sf.compile(flow)(kind, kind, kind, kind)


def test_more_numbers_than_fit_into_memory_are_refused():
    with pytest.raises(sf.InvalidArgument, match=r"range\(.*does not fit into memory"):
        floats(range(10**15), "call: argument 1")
