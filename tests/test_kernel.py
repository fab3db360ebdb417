"""A kernel is the hand-written array code, on any batch and any array library."""

from __future__ import annotations

import inspect
import multiprocessing
import pickle
from concurrent.futures import ProcessPoolExecutor

import array_api_strict
import numpy as np
import pytest
from hypothesis import given, strategies as st
from oracles.arrays import derivatives, draw

import symflow as sf
from symflow.codegen import Kernel, evaluate
from symflow.errors import InvalidArgument, ShapeMismatch

WIDTHS = st.lists(st.integers(1, 4), min_size=2, max_size=5)


def flow_of_depth(depth, **options):
    names = "abcdefghij"[: depth + 1]
    return sf.gradient_flow(sf.LinearNetwork(*names), sf.SquaredLoss(**options))


def close(actual, expected):
    # Some 3L products of random 4×4 matrices: rounding of a few dozen ulp of the sum.
    assert len(actual) == len(expected)
    for one, other in zip(actual, expected, strict=True):
        assert one.shape == other.shape
        scale = max(1.0, abs(other).max())
        np.testing.assert_allclose(np.asarray(one), other, atol=1e-12 * scale)


@pytest.fixture(scope="module")
def kernel():
    return sf.compile(flow_of_depth(2))


@given(widths=WIDTHS, seed=st.integers(0, 2**16), decay=st.sampled_from([0, 0.1, 2]))
def test_kernel_program_and_hand_written_code_agree(widths, seed, decay):
    weights, sigma_xx, sigma_yx = draw(np.random.default_rng(seed), widths)
    kernel = sf.compile(flow_of_depth(len(widths) - 1, l2=decay))
    arrays = [*weights, sigma_xx, sigma_yx]
    expected = derivatives(weights, sigma_xx, sigma_yx, decay)
    close(kernel(*arrays), expected)
    close(evaluate(kernel.program, arrays), expected)


@pytest.mark.parametrize("data_batch", [(), (6,), (3, 6)], ids=str)
@pytest.mark.parametrize("batch", [(6,), (3, 6), (1,)], ids=str)
def test_leading_dimensions_are_batches(kernel, rng, batch, data_batch):
    weights, sigma_xx, sigma_yx = draw(rng, (4, 3, 2), batch, data_batch)
    results = kernel(*weights, sigma_xx, sigma_yx)
    shape = np.broadcast_shapes(batch, data_batch)
    spread = [
        np.broadcast_to(array, (*shape, *array.shape[-2:])).reshape(
            -1, *array.shape[-2:]
        )
        for array in (*weights, sigma_xx, sigma_yx)
    ]
    for number in range(int(np.prod(shape))):
        w1, w2, xx, yx = (array[number] for array in spread)
        single = [part.reshape(-1, *part.shape[-2:])[number] for part in results]
        close(single, derivatives([w1, w2], xx, yx))


def test_strict_array_api_arrays_stay_in_their_library(kernel, rng):
    weights, sigma_xx, sigma_yx = draw(rng, (4, 3, 2), batch=(5,))
    arrays = [*weights, sigma_xx, sigma_yx]
    results = kernel(*(array_api_strict.asarray(array) for array in arrays))
    namespace = {part.__array_namespace__().__name__ for part in results}
    assert namespace == {"array_api_strict"}
    close(results, derivatives(weights, sigma_xx, sigma_yx))


def test_strict_array_api_arrays_with_weight_decay(rng):
    weights, sigma_xx, sigma_yx = draw(rng, (3, 2, 2))
    kernel = sf.compile(flow_of_depth(2, l2=0.25))
    arrays = [array_api_strict.asarray(a) for a in (*weights, sigma_xx, sigma_yx)]
    close(kernel(*arrays), derivatives(weights, sigma_xx, sigma_yx, 0.25))


@given(widths=WIDTHS, seed=st.integers(0, 2**16), bound=st.booleans())
def test_plain_matrices_and_the_source_that_is_shown_agree(widths, seed, bound):
    weights, sigma_xx, sigma_yx = draw(np.random.default_rng(seed), widths)
    flow, arrays = flow_of_depth(len(widths) - 1), [*weights, sigma_xx, sigma_yx]
    kernel = sf.compile(flow)
    if bound:
        arrays, moments = list(weights), sf.Moments(sigma_xx, sigma_yx)
        kernel = sf.compile(flow, moments)
    close(kernel(*arrays), kernel.__wrapped__(*arrays))
    close(kernel(*arrays), kernel.__wrapped__(*arrays))  # the shapes are known now


def test_shapes_known_from_numpy_do_not_send_other_arrays_to_its_code(kernel, rng):
    weights, sigma_xx, sigma_yx = draw(rng, (3, 2, 2))
    arrays = [*weights, sigma_xx, sigma_yx]
    expected = kernel(*arrays)
    strict = kernel(*(array_api_strict.asarray(array) for array in arrays))
    assert type(strict[0]) is type(array_api_strict.asarray(sigma_xx))
    close(strict, expected)
    with pytest.raises(InvalidArgument, match="takes 4 arrays; got 5"):
        kernel(*arrays, sigma_yx)


def test_precision_of_the_arrays_is_kept(kernel, rng):
    weights, sigma_xx, sigma_yx = draw(rng, (3, 2, 2))
    single = [a.astype(np.float32) for a in (*weights, sigma_xx, sigma_yx)]
    assert {part.dtype for part in kernel(*single)} == {np.dtype(np.float32)}


def test_symbolic_decay_is_a_scalar_argument(rng):
    kernel = sf.compile(flow_of_depth(3, l2="lambda"))
    assert kernel.arguments[-1] == "lambda_"
    weights, sigma_xx, sigma_yx = draw(rng, (3, 2, 4, 2))
    expected = derivatives(weights, sigma_xx, sigma_yx, 0.3)
    close(kernel(*weights, sigma_xx, sigma_yx, 0.3), expected)
    close(kernel(*weights, sigma_xx, sigma_yx, lambda_=0.3), expected)


def test_a_single_layer_returns_a_tuple_as_well(rng):
    weights, sigma_xx, sigma_yx = draw(rng, (3, 2))
    results = sf.compile(flow_of_depth(1))(*weights, sigma_xx, sigma_yx)
    assert isinstance(results, tuple)
    close(results, derivatives(weights, sigma_xx, sigma_yx))


def test_kernels_show_their_source_and_their_signature(kernel):
    source = inspect.getsource(kernel)
    assert source == kernel.source
    assert source.startswith("def gradient_flow(W1, W2, sigma_xx, sigma_yx):")
    assert kernel.arguments == ("W1", "W2", "sigma_xx", "sigma_yx")
    assert list(inspect.signature(kernel).parameters) == list(kernel.arguments)
    assert repr(kernel) == (
        "<Kernel gradient_flow(W1, W2, sigma_xx, sigma_yx) -> dW1, dW2>"
    )
    assert "Ẇ₁ = W₂ᵀ(Σ_yx − W₂W₁Σ_xx)" in kernel.__doc__


def test_kernels_pickle_as_values(kernel, rng):
    restored = pickle.loads(pickle.dumps(kernel))
    assert isinstance(restored, Kernel)
    assert restored.source == kernel.source
    weights, sigma_xx, sigma_yx = draw(rng, (3, 2, 2))
    arrays = [*weights, sigma_xx, sigma_yx]
    for one, other in zip(restored(*arrays), kernel(*arrays), strict=True):
        np.testing.assert_array_equal(one, other)


def test_kernels_reach_a_spawned_process(kernel, rng):
    weights, sigma_xx, sigma_yx = draw(rng, (3, 2, 2))
    arrays = [*weights, sigma_xx, sigma_yx]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as executor:
        remote = executor.submit(kernel, *arrays).result(timeout=60)
    close(remote, kernel(*arrays))


def ones(**changes):
    """Arrays that fit (d, h, m) = (3, 4, 2), except for the named ones."""
    arrays = {
        "W1": np.ones((4, 3)),
        "W2": np.ones((2, 4)),
        "sigma_xx": np.ones((3, 3)),
        "sigma_yx": np.ones((2, 3)),
    }
    return list((arrays | changes).values())


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (ones(W2=np.ones((2, 5))), "W2 has shape 2×5 where .*×4 is needed"),
        (ones(sigma_yx=np.ones((1, 3))), "sigma_yx has shape 1×3 where 2×3 is needed"),
        (ones(sigma_yx=np.ones((2, 1))), "sigma_yx has shape 2×1 where 2×3 is needed"),
        (ones(sigma_xx=np.ones((3, 1))), "sigma_xx has shape 3×1 where 3×3 is needed"),
        (ones(W2=np.ones((1, 4))), "sigma_yx has shape 2×3 where 1×3 is needed"),
        (ones(W1=np.ones(3)), "W1 has to be a matrix"),
        (ones(sigma_yx=np.ones(3)), "sigma_yx has to be a matrix"),
        (ones(sigma_xx=2.0), "sigma_xx has to be a matrix; got 2.0"),
        (ones(W1=[[1.0, 2.0, 3.0]]), "W1 has to be a matrix"),
        (ones(W1=None), "W1 has to be a matrix; got None"),
    ],
)
def test_shapes_that_do_not_fit_are_refused_even_where_they_would_broadcast(
    kernel, arrays, message
):
    with pytest.raises(ShapeMismatch, match=message):
        kernel(*arrays)
    kernel(*ones())  # fits, and is remembered …
    with pytest.raises(ShapeMismatch, match=message):
        kernel(*arrays)  # … but only for its own shapes


@pytest.mark.parametrize("number", [0, 3, 5])
def test_the_wrong_number_of_arrays_is_refused(kernel, number):
    kernel(*ones())
    with pytest.raises(InvalidArgument, match=f"takes 4 arrays; got {number}"):
        kernel(*[*ones(), np.ones((2, 2))][:number])


def test_declared_widths_are_enforced():
    flow = sf.gradient_flow(sf.LinearNetwork(3, 2, 2), sf.SquaredLoss())
    with pytest.raises(ShapeMismatch, match="W1 has shape 4×3 where 2×3 is needed"):
        sf.compile(flow)(*ones())


@pytest.mark.parametrize("wrong", [None, "flow", sf.LinearNetwork(2, 2)], ids=repr)
def test_only_flows_are_compiled(wrong):
    with pytest.raises(InvalidArgument, match="needs a gradient flow"):
        sf.compile(wrong)


def test_batches_that_do_not_fit_are_named() -> None:
    flow = sf.gradient_flow(sf.LinearNetwork(3, 2, 1), sf.SquaredLoss())
    kern = sf.compile(flow, sf.Moments(np.eye(3), np.ones((1, 3))))
    with pytest.raises(sf.ShapeMismatch, match=r"batch.*\(4,\).*\(5,\)"):
        kern(np.ones((4, 2, 3)), np.ones((5, 1, 2)))
    assert kern(np.ones((4, 2, 3)), np.ones((1, 1, 2)))[0].shape == (4, 2, 3)


def test_lists_are_refused_by_name() -> None:
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    kern = sf.compile(flow, sf.Moments([[1.0]], [[3.0]]))
    with pytest.raises(sf.ShapeMismatch, match="W1 has to be a matrix, as an array"):
        kern([[0.5]], [[2.0]])
    with pytest.raises(sf.InvalidArgument, match="NumPy arrays"):
        kern.into([np.empty((1, 1))] * 2, [[0.5]], np.ones((1, 1)))  # type: ignore[arg-type]
    with pytest.raises(sf.InvalidArgument, match=r"outputs=….*got 3"):
        sf.compile(flow, outputs=3)  # type: ignore[call-overload]


def test_a_solution_kernel_refuses_an_infinite_time() -> None:
    """It gave NaN."""
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    kern = sf.compile(sf.solve(flow, sf.whitened([[2]]), [[[1]], [[1]]]))
    with pytest.raises(ValueError, match="finite"):
        kern(np.inf)


def test_small_integers_do_not_wrap_around() -> None:
    """100·100 is 16 in int8."""
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.SquaredLoss())
    kern = sf.compile(flow, sf.Moments(np.eye(2), np.ones((1, 2))))
    weights = np.full((2, 2), 100), np.full((1, 2), 100)
    wanted = kern(*(w.astype(float) for w in weights))
    for kind in (np.int8, np.uint8, np.int64):
        found = kern(*(w.astype(kind) for w in weights))
        assert all(map(np.array_equal, found, wanted))
