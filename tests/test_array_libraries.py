"""The same source on the arrays of other libraries, where these are installed."""

from __future__ import annotations

import numpy as np
import pytest
from oracles.arrays import derivatives, draw

import symflow as sf


@pytest.fixture(scope="module")
def problem():
    """A flow with weight decay, its kernel, arrays and the right answer."""
    weights, sigma_xx, sigma_yx = draw(np.random.default_rng(0), (4, 3, 2), batch=(5,))
    flow = sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), sf.SquaredLoss(l2=0.25))
    expected = derivatives(weights, sigma_xx, sigma_yx, 0.25)
    return sf.compile(flow), [*weights, sigma_xx, sigma_yx], expected


def close(results, expected):
    for one, other in zip(results, expected, strict=True):
        np.testing.assert_allclose(np.asarray(one), other, rtol=1e-12, atol=1e-12)


@pytest.fixture
def torch():
    return pytest.importorskip("torch")


@pytest.mark.optional
def test_jax_compiles_a_kernel(jax, problem):
    kernel, arrays, expected = problem
    lifted = [jax.numpy.asarray(array) for array in arrays]
    close(kernel(*lifted), expected)
    results = jax.jit(kernel)(*lifted)
    assert all(isinstance(result, jax.Array) for result in results)
    close(results, expected)


@pytest.mark.optional
def test_jax_maps_and_differentiates_a_kernel(jax, problem):
    """The right-hand side is minus the gradient of the loss that is compiled."""
    kernel, arrays, expected = problem
    W1, W2, xx, yx = (jax.numpy.asarray(array) for array in arrays)
    close(jax.vmap(kernel, in_axes=(0, 0, None, None))(W1, W2, xx, yx), expected)
    loss = sf.compile(
        sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), sf.SquaredLoss(l2=0.25)),
        outputs="loss",
    )
    slope = jax.jit(jax.grad(loss, argnums=(0, 1)))
    yy = jax.numpy.eye(2)
    close([-g for g in slope(W1[0], W2[0], xx, yx, yy)], [e[0] for e in expected])


def test_torch_runs_and_differentiates_a_kernel(torch, problem):
    kernel, arrays, expected = problem
    W1, W2, xx, yx = (torch.from_numpy(array) for array in arrays)
    kernel(*(array[0] if array.ndim > 2 else array for array in arrays))  # NumPy first
    close(kernel(W1, W2, xx, yx), expected)
    close(kernel(W1[0], W2[0], xx, yx), [e[0] for e in expected])
    weights = [W.clone().requires_grad_() for W in (W1[0], W2[0])]
    total = sum((part**2).sum() for part in kernel(*weights, xx, yx))
    slopes = torch.autograd.grad(total, weights)
    step = 1e-6
    moved = [W1[0].clone(), W2[0]]
    moved[0][0, 0] += step
    ahead = sum((part**2).sum() for part in kernel(*moved, xx, yx))
    assert float((ahead - total).detach() / step) == pytest.approx(
        float(slopes[0][0, 0]), rel=1e-3
    )


@pytest.mark.slow
def test_torch_traces_a_kernel_without_a_break(torch, problem):
    kernel, arrays, expected = problem
    lifted = [torch.from_numpy(array) for array in arrays]
    traced = torch.compile(kernel, backend="eager", fullgraph=True)
    close(traced(*lifted), expected)


@pytest.mark.optional
def test_margin_losses_run_on_other_arrays(jax):
    rng = np.random.default_rng(0)
    flow = sf.gradient_flow(sf.LinearNetwork(3, 2, 1), sf.LogisticLoss())
    data = sf.Dataset(rng.standard_normal((6, 3)), rng.choice([-1.0, 1.0], (6, 1)))
    kernel = sf.compile(flow)
    weights = [rng.standard_normal((2, 3)), rng.standard_normal((1, 2))]
    arrays = [*weights, *flow.loss.arrays(data).values()]
    lifted = [jax.numpy.asarray(array) for array in arrays]
    close(jax.jit(kernel)(*lifted), kernel(*arrays))
