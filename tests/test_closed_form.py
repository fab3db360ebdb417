"""Kernels of closed forms: NumPy alone, picklable, right over the whole range."""

from __future__ import annotations

import inspect
import pickle
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from test_solutions import example

import symflow as sf

TIMES = np.concatenate([[0.0], np.geomspace(1e-6, 1e8, 59)]).reshape(3, 20)
DENSE = ["LinearRegression", "LogisticMode", "HyperbolicMode", "DeepMode", "RankOne"]
ROUTINES = [*DENSE, "Riccati", "SymmetricRiccati", "HypentropyMode"]


@pytest.mark.parametrize("name", ROUTINES)
def test_a_kernel_has_the_values_of_its_solution(name):
    solution, _ = example(name)
    kern = sf.compile(solution)
    assert kern.outputs == ("end_to_end",)
    there = solution.end_to_end(TIMES)
    assert kern(TIMES).shape == there.shape
    assert np.abs(kern(TIMES) - there).max() <= 1e-13 * np.abs(there).max()
    # One time and many are other products of BLAS, which round differently.
    alone, among = kern(1.5), kern([0.5, 1.5])[1]
    assert np.abs(alone - among).max() <= 1e-13 * np.abs(alone).max()


@pytest.mark.parametrize("name", DENSE)
def test_a_kernel_has_the_weights_of_its_solution(name):
    solution, _ = example(name)
    total, weights = sf.compile(solution, outputs=("end_to_end", "weights"))(TIMES)
    for mine, theirs in zip(weights, solution.weights(TIMES), strict=True):
        assert mine.shape == theirs.shape
        assert np.abs(mine - theirs).max() <= 1e-13 * np.abs(theirs).max()
    product = weights[0]
    for weight in weights[1:]:
        product = weight @ product
    assert np.abs(product - total).max() <= 1e-13 * np.abs(total).max()


def test_a_kernel_has_the_mode_strengths():
    solution, _ = example("DeepMode")
    strengths = sf.compile(solution, outputs="strengths")(TIMES)
    assert np.allclose(strengths, solution.strengths(TIMES), rtol=1e-13, atol=0)
    rank_one, _ = example("RankOne")
    strength = sf.compile(rank_one, outputs="strengths")(TIMES)
    assert np.allclose(strength[..., 0], rank_one.strength(TIMES), rtol=1e-13, atol=0)


def test_one_hidden_unit_of_any_imbalance_has_both_layers():
    flow = sf.gradient_flow(sf.LinearNetwork(2, 1, 2), sf.SquaredLoss())
    start = (np.array([[1.0, 0.5]]), np.array([[0.2], [-0.1]]))
    solution = sf.solve(flow, sf.whitened([[2, 0], [0, 1]]), start)
    assert solution.name == "Riccati"
    weights = sf.compile(solution, outputs="weights")(TIMES)
    for mine, theirs in zip(weights, solution.weights(TIMES), strict=True):
        assert np.allclose(mine, theirs, rtol=0, atol=1e-13)


@settings(max_examples=10)
@given(
    seed=st.integers(0, 10**6),
    scale=st.sampled_from([1e-4, 0.1, 1.0, 30.0]),
    depth=st.integers(3, 5),
    spectral=st.booleans(),
)
def test_tables_of_the_clock_are_right_at_any_scale(seed, scale, depth, spectral):
    widths = (2, *[2 if spectral else 1] * (depth - 1), 2)
    flow = sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss())
    data = sf.whitened(np.random.default_rng(seed).normal(size=(2, 2)))
    init = sf.spectral_init(scale) if spectral else sf.rank_one_init(scale, rng=seed)
    solution = sf.solve(flow, data, init)
    there = solution.end_to_end(TIMES)
    gap = np.abs(sf.compile(solution)(TIMES) - there).max(axis=(-1, -2))
    assert np.all(gap <= 1e-13 * np.abs(there).max(axis=(-1, -2)))


@pytest.mark.parametrize("name", ["RankOne", "Riccati"])
def test_the_source_needs_numpy_alone(name, tmp_path):
    solution, _ = example(name)
    kern = sf.compile(solution)
    path = tmp_path / "closed_form.py"
    path.write_text(kern.source, encoding="utf-8")
    script = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import closed_form\n"
        f"print(closed_form.{kern.name}(1.5).ravel().tolist())\n"
        "assert not {'symflow', 'sympy', 'scipy', 'mpmath'} & set(sys.modules)"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert eval(run.stdout) == kern(1.5).ravel().tolist()


def test_kernels_pickle_show_their_source_and_carry_nothing_unused():
    solution, _ = example("LogisticMode")
    kern = sf.compile(solution)
    again = pickle.loads(pickle.dumps(kern))
    assert np.array_equal(again(TIMES), kern(TIMES))
    assert inspect.getsource(kern).startswith("def logistic_mode(t):")
    assert "W(t), shape (…, outputs, inputs)" in kern.__doc__
    assert "FIRST" not in kern.source
    assert "grown = np.where(MOVES" not in kern.source
    assert sf.compile(solution).source == kern.source


def test_what_is_not_determined_or_known_is_refused():
    riccati, _ = example("Riccati")
    with pytest.raises(sf.InvalidArgument, match="rotation of the hidden units is"):
        sf.compile(riccati, outputs="weights")
    with pytest.raises(sf.InvalidArgument, match="needs some of end_to_end, strengths"):
        sf.compile(riccati, outputs="rhs")
    with pytest.raises(sf.InvalidArgument, match="a solution has its data"):
        sf.compile(riccati, sf.whitened([[1]]))
    kern = sf.compile(example("RankOne")[0])
    for wrong in (-1.0, np.nan, 1e10):
        with pytest.raises(ValueError, match="needs times from 0 to 1e"):
            kern(wrong)
