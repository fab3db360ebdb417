"""Initialization rules: balanced, aligned, one point at every precision."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import mpmath
import numpy as np
import pytest
import sympy

import symflow.inits as inits
from symflow.data import Dataset, Moments, load_dataset, whitened
from symflow.errors import InvalidArgument, PrecisionLost, ShapeMismatch
from symflow.inits.orthonormal import nearest_frame, random_frame

PATTERNS = [(10, 5, 1), (3, 7, 2, 4), (4, 4), (2, 6, 6, 2), (1, 1, 1), (5, 3, 8)]


def network(*widths: Any) -> SimpleNamespace:
    return SimpleNamespace(widths=widths, depth=len(widths) - 1)


def largest(array: Any) -> Any:
    return max(abs(entry) for entry in np.asarray(array).flat)


def whitened_data(widths: tuple[int, ...]) -> Moments:
    rng = np.random.default_rng(sum(widths))
    return whitened(rng.standard_normal((widths[-1], widths[0])))


def rules() -> list[Any]:
    return [
        inits.gaussian_init(Fraction(1, 3), width_exponent=0.5, rng=2),
        inits.balanced_init(Fraction(1, 3), rng=2),
        inits.orthogonal_init(Fraction(1, 3), rng=2),
        inits.rank_one_init(Fraction(1, 3), rng=2),
        inits.spectral_init(Fraction(1, 3)),
        inits.spectral_init(sympy.sqrt(2) / 3, rng=2),
    ]


# every rule


@pytest.mark.parametrize("widths", PATTERNS)
@pytest.mark.parametrize("rule", rules(), ids=str)
def test_float_weights_are_the_rounding_of_the_digits(
    rule: Any, widths: tuple[int, ...]
) -> None:
    data, net = whitened_data(widths), network(*widths)
    floats, more = rule.draw(net, data), rule.draw(net, data, digits=50)
    for low, high, rows, columns in zip(
        floats, more, widths[1:], widths[:-1], strict=True
    ):
        assert low.dtype == np.float64
        assert low.shape == high.shape == (rows, columns)
        # entries of size one, rounded a few times
        assert largest(low - high) < 1e-13


@pytest.mark.parametrize("rule", rules(), ids=str)
def test_a_rule_draws_the_same_weights_each_time(rule: Any) -> None:
    data, net = whitened_data((4, 5, 3)), network(4, 5, 3)
    for first, second in zip(rule.draw(net, data), rule.draw(net, data), strict=True):
        assert (first == second).all()


def test_fresh_entropy_is_kept_and_shown() -> None:
    rule = inits.balanced_init()
    net = network(3, 2)
    again = eval(repr(rule), {"balanced_init": inits.balanced_init})
    assert (rule.draw(net)[0] == again.draw(net)[0]).all()
    assert (rule.draw(net)[0] != inits.balanced_init().draw(net)[0]).any()


@pytest.mark.parametrize(
    "make",
    [
        inits.gaussian_init,
        inits.balanced_init,
        inits.orthogonal_init,
        inits.rank_one_init,
    ],
)
def test_a_draw_can_take_other_randomness(make: Any) -> None:
    net, rule = network(3, 4, 2), make(0.5, rng=1)
    other = rule.draw(net, rng=9)[0]
    assert (other == make(0.5, rng=9).draw(net)[0]).all()
    assert (other == rule.draw(net, None, np.random.default_rng(9))[0]).all()
    assert (other != rule.draw(net)[0]).any()
    stream = np.random.default_rng(9)
    assert (rule.draw(net, rng=stream)[0] != rule.draw(net, rng=stream)[0]).any()


def test_a_generator_is_fixed_when_the_rule_is_made() -> None:
    generator = np.random.default_rng(4)
    first = inits.gaussian_init(rng=generator)
    second = inits.gaussian_init(rng=generator)
    net = network(3, 2)
    assert (first.draw(net)[0] == first.draw(net)[0]).all()
    assert (first.draw(net)[0] != second.draw(net)[0]).any()


def test_the_global_precision_is_neither_used_nor_changed() -> None:
    before = mpmath.mp.dps
    for rule in rules():
        rule.draw(network(3, 2, 2), whitened_data((3, 2, 2)), digits=40)
    assert mpmath.mp.dps == before


@pytest.mark.parametrize("rule", rules(), ids=str)
def test_symbolic_widths_are_refused(rule: Any) -> None:
    net = network(sympy.Symbol("d"), 5, 1)
    with pytest.raises(InvalidArgument, match=r"needs integer widths; got \(d, 5, 1\)"):
        rule.draw(net, whitened([[1, 2]]))
    with pytest.raises(InvalidArgument, match=r"LinearNetwork\(10, 5, 1\)"):
        rule.draw(net, whitened([[1, 2]]))


def test_networks_of_other_parameters_are_refused() -> None:
    net = network(3, 3)
    net.parameters = (sympy.MatrixSymbol("u", 3, 1),)
    with pytest.raises(InvalidArgument, match="dense layers"):
        inits.balanced_init(rng=0).draw(net)
    assert inits.gaussian_init(rng=0).draw(net)[0].shape == (3, 1)


@pytest.mark.parametrize("scale", [0, -1.0, "1", float("nan"), sympy.Symbol("a"), None])
@pytest.mark.parametrize(
    "name",
    [
        "gaussian_init",
        "balanced_init",
        "orthogonal_init",
        "rank_one_init",
        "spectral_init",
    ],
)
def test_scales_have_to_be_positive(name: str, scale: Any) -> None:
    with pytest.raises(InvalidArgument, match=rf"{name}\(scale=…\): needs a positive"):
        getattr(inits, name)(scale)


@pytest.mark.parametrize("rule", rules(), ids=str)
def test_a_rule_that_is_made_again_is_checked_again(rule: Any) -> None:
    assert repr(replace(rule, seed=np.int64(7))).endswith(", rng=7)")
    with pytest.raises(InvalidArgument, match=r"_init\(scale=…\): needs a positive"):
        replace(rule, scale=-1)
    with pytest.raises(InvalidArgument, match="rng needs None, a non-negative integer"):
        replace(rule, seed=-1)


@pytest.mark.parametrize("rng", [-1, 1.5, "seed", True])
def test_unusable_randomness_is_refused(rng: Any) -> None:
    for make in (inits.gaussian_init, inits.balanced_init, inits.spectral_init):
        with pytest.raises(InvalidArgument, match="rng needs None, a non-negative"):
            make(1, rng=rng)


@pytest.mark.parametrize("digits", [0, 1.5, True])
def test_unusable_digits_are_refused(digits: Any) -> None:
    with pytest.raises(InvalidArgument, match="digits: needs an integer"):
        inits.balanced_init(rng=0).draw(network(2, 2), digits=digits)


# Gaussian


def test_gaussian_deviation_follows_the_largest_hidden_width() -> None:
    rule = inits.gaussian_init(3.0, width_exponent=0.5, rng=5)
    weights = rule.draw(network(40, 100, 25, 40))
    entries = np.concatenate([W.ravel() for W in weights])
    # 7500 entries: the deviation is known to 0.8 %; five of these
    assert entries.std() == pytest.approx(3.0 / 10, rel=0.04)
    assert abs(entries.mean()) < 5 * 0.3 / np.sqrt(entries.size)


def test_gaussian_floats_stand_as_they_are_at_more_digits() -> None:
    rule = inits.gaussian_init(Fraction(1, 3), rng=5)
    (low,), (high,) = rule.draw(network(3, 2)), rule.draw(network(3, 2), digits=80)
    assert all(
        float(b) == a and b == a for a, b in zip(low.flat, high.flat, strict=True)
    )


def test_gaussian_exponent_has_to_be_a_number() -> None:
    with pytest.raises(InvalidArgument, match=r"width_exponent=…\): needs a number"):
        inits.gaussian_init(1.0, width_exponent="half")


# balanced


@pytest.mark.parametrize("widths", PATTERNS)
def test_balanced_draws_are_balanced_to_the_digits_asked(
    widths: tuple[int, ...],
) -> None:
    weights = inits.balanced_init(Fraction(2, 3), rng=1).draw(
        network(*widths), digits=50
    )
    for before, after in pairwise(weights):
        assert largest(after.T @ after - before @ before.T) < mpmath.mpf("1e-45")


@pytest.mark.parametrize("widths", PATTERNS)
def test_balanced_end_to_end_has_full_rank_and_the_scale(
    widths: tuple[int, ...],
) -> None:
    weights = inits.balanced_init(0.1, rng=1).draw(network(*widths))
    for W in weights:
        values = np.linalg.svd(W, compute_uv=False)[: min(widths)]
        assert (values > 0.05 * (1 - 1e-12)).all()
        assert (values < 0.15 * (1 + 1e-12)).all()


def test_both_determinants_occur_among_random_frames() -> None:
    generator = np.random.default_rng(0)
    signs = [np.sign(np.linalg.det(random_frame(generator, 3, 3))) for _ in range(200)]
    # 200 fair coins: the mean is within 5 deviations of zero
    assert abs(np.mean(signs)) < 5 / np.sqrt(200)
    draws = (inits.balanced_init(rng=seed).draw(network(3, 3))[0] for seed in range(20))
    assert {float(np.sign(np.linalg.det(W))) for W in draws} == {-1.0, 1.0}


def test_random_frames_are_uniform_on_the_sphere() -> None:
    generator = np.random.default_rng(1)
    frames = np.array([random_frame(generator, 3, 2) for _ in range(3000)])
    # E q = 0 and E q² = 1/3; the variances of q and q² are 1/3 and 4/45
    assert abs(frames.mean(axis=0)).max() < 5 * np.sqrt(1 / 3 / 3000)
    assert abs((frames**2).mean(axis=0) - 1 / 3).max() < 5 * np.sqrt(4 / 45 / 3000)


def test_frames_far_from_orthonormal_are_refused() -> None:
    context = mpmath.MPContext()
    with pytest.raises(PrecisionLost, match="too far from orthonormal"):
        nearest_frame(np.zeros((2, 1)), context)


# spectral


def alignment(weights: Any, frames: Any) -> Any:
    """Return UᵀW(0)V and its off-diagonal part."""
    end_to_end = weights[0]
    for W in weights[1:]:
        end_to_end = W @ end_to_end
    modes = frames.left.T @ end_to_end @ frames.right
    return modes, modes - np.diag(np.diag(modes))


def mpmath_residuals(matrix: Any, frames: Any) -> Any:
    """Return the worst defect of A = USVᵀ and of the orthonormality of U and V."""
    size = len(frames.values)
    product = (frames.left * frames.values) @ frames.right.T
    return max(
        largest(product - matrix),
        largest(frames.left.T @ frames.left - np.eye(size)),
        largest(frames.right.T @ frames.right - np.eye(size)),
    )


def reflection(size: int, shift: int) -> Any:
    v = sympy.Matrix([k + shift for k in range(size)])
    return sympy.eye(size) - 2 * v * v.T / (v.T * v)[0]


def mpf_array(matrix: Any, context: Any) -> Any:
    return np.array([[context.mpf(x.p) / x.q for x in row] for row in matrix])


def exact_matrix(values: list[Any], m: int, d: int) -> Any:
    """Return a rational m×d matrix with these singular values."""
    core = sympy.zeros(m, d)
    for index, value in enumerate(values):
        core[index, index] = value
    product = reflection(m, 1) * core * reflection(d, 2)
    return np.array(product.tolist(), dtype=object)


MATRICES = {
    "distinct": exact_matrix([5, 3, 1], 3, 4),
    "repeated": exact_matrix([2, 2, 1], 3, 5),
    "all equal": exact_matrix([1, 1, 1], 3, 3),
    "zero": exact_matrix([2, 1, 0, 0], 4, 6),
    "repeated and zero": exact_matrix([2, 2, 0], 5, 3),
    "tall": exact_matrix([3, Fraction(1, 7)], 9, 2),
    "row": exact_matrix([2], 1, 6),
    "column": exact_matrix([2], 6, 1),
    "one": exact_matrix([-3], 1, 1),
    "diagonal": np.array(sympy.diag(1, 3, 2).tolist(), dtype=object),
    "null": np.array(sympy.zeros(2, 3).tolist(), dtype=object),
}


@pytest.mark.parametrize("name", MATRICES)
def test_singular_frames_decompose_to_the_digits_asked(name: str) -> None:
    matrix = MATRICES[name]
    context = mpmath.MPContext()
    context.dps = 60
    numbers = mpf_array(matrix, context)
    frames = inits.singular_frames(matrix, 50)
    assert mpmath_residuals(numbers, frames) < context.mpf("1e-48")
    low = inits.singular_frames(matrix)
    for part in ("left", "values", "right"):
        assert largest(getattr(low, part) - getattr(frames, part)) < 1e-13


@pytest.mark.parametrize("name", MATRICES)
def test_vectors_of_repeated_singular_values_diagonalize_a_metric(name: str) -> None:
    matrix = MATRICES[name]
    d = matrix.shape[1]
    mirror = reflection(d, 2)
    metric = np.array((mirror * sympy.diag(*range(1, d + 1)) * mirror).tolist())
    frames = inits.singular_frames(matrix, 40, metric=metric)
    coordinates = np.array((mirror * sympy.eye(d)).tolist(), dtype=float) @ (
        frames.right.astype(float)
    )
    if name != "diagonal":  # it is built without the mirror
        # the vectors are columns of the mirror up to sign, by construction
        assert largest(np.sort(abs(coordinates), axis=0)[-1] - 1) < 1e-14
    low = inits.singular_frames(matrix, metric=metric)
    assert largest(low.right - frames.right) < 1e-13
    context = mpmath.MPContext()
    context.dps = 60
    assert mpmath_residuals(mpf_array(matrix, context), frames) < context.mpf("1e-38")
    shown = frames.right.T @ mpf_array(metric, context) @ frames.right
    if name != "diagonal":
        assert largest(shown - np.diag(np.diag(shown))) < context.mpf("1e-38")


def test_the_null_vectors_kept_are_those_of_the_largest_metric_eigenvalues() -> None:
    metric = np.diag([1.0, 4.0, 2.0, 3.0])
    frames = inits.singular_frames(np.diag([1.0, 0.0, 0.0, 0.0])[:3], metric=metric)
    assert abs(frames.right).tolist() == np.eye(4)[:, [0, 1, 3]].tolist()


def test_signs_do_not_depend_on_rounding() -> None:
    frames = inits.singular_frames(np.array([[-1.0, 1.0, -1.0]]))
    assert frames.right[0, 0] > 0
    assert frames.left[0, 0] == -1.0


def test_large_float_frames_are_those_of_numpy() -> None:
    matrix = np.random.default_rng(0).standard_normal((20, 40))
    frames = inits.singular_frames(matrix)
    np.testing.assert_allclose(
        frames.values, np.linalg.svd(matrix, compute_uv=False), rtol=1e-13
    )
    assert mpmath_residuals(matrix, frames) < 1e-13
    more = inits.singular_frames(matrix, 20)
    # float64 vectors are wrong by rounding over the smallest gap, here about 0.01
    assert largest(frames.right - more.right) < 1e-12


@pytest.mark.parametrize("widths", PATTERNS)
@pytest.mark.parametrize("rng", [None, 3])
def test_spectral_start_is_aligned_and_has_equal_strengths(
    widths: tuple[int, ...], rng: int | None
) -> None:
    data = whitened_data(widths)
    rule = inits.spectral_init(Fraction(1, 3), rng=rng)
    weights = rule.draw(network(*widths), data, digits=50)
    frames = inits.singular_frames(data.sigma_yx, 50)
    context = mpmath.MPContext()
    context.dps = 50
    modes, off = alignment(weights, frames)
    assert largest(off) < context.mpf("1e-45")
    strength = context.mpf(3) ** -len(weights)
    for index, mode in enumerate(np.diag(modes)):
        expected = strength if index < min(widths) else 0
        assert abs(mode - expected) < context.mpf("1e-45")
    for before, after in pairwise(weights):
        assert largest(after.T @ after - before @ before.T) < context.mpf("1e-45")


def test_spectral_start_of_a_diagonal_problem_is_diagonal() -> None:
    data = Moments(sympy.diag(1, 2), sympy.diag(3, 3))
    W1, W2 = inits.spectral_init(Fraction(1, 2)).draw(network(2, 2, 2), data)
    np.testing.assert_allclose(W2 @ W1, np.eye(2) / 4, atol=1e-15)
    assert (np.sort(abs(W1), axis=None) == [0, 0, 0.5, 0.5]).all()


def test_spectral_start_on_real_data() -> None:
    data = load_dataset("diabetes").standardized()
    W1, W2 = inits.spectral_init(0.01).draw(network(10, 5, 1), data)
    direction = data.moments().sigma_yx[0] / np.linalg.norm(data.moments().sigma_yx)
    np.testing.assert_allclose((W2 @ W1)[0], 1e-4 * direction, rtol=1e-12)
    digits = load_dataset("digits")
    weights = inits.spectral_init(0.1).draw(network(64, 8, 64), digits)
    end_to_end = weights[1] @ weights[0]
    np.testing.assert_allclose(np.trace(end_to_end), 8 * 0.01, rtol=1e-12)


def test_spectral_start_needs_fitting_data() -> None:
    rule = inits.spectral_init(1)
    with pytest.raises(InvalidArgument, match=r"a Dataset or Moments.* got None"):
        rule.draw(network(2, 2))
    with pytest.raises(ShapeMismatch, match="2 inputs and 1 targets, and the network"):
        rule.draw(network(3, 1), whitened([[1, 2]]))


def test_rules_declare_what_holds_for_every_draw() -> None:
    assert inits.spectral_init(1).tags == {"balanced", "spectral"}
    assert inits.balanced_init(1, rng=0).tags == {"balanced"}
    assert inits.orthogonal_init(1, rng=0).tags == {"orthogonal"}
    assert inits.rank_one_init(1, rng=0).tags == {"balanced", "rank-one"}
    assert (
        inits.gaussian_init(1, rng=0).tags == inits.as_init([[[1]]]).tags == frozenset()
    )


# orthogonal and rank one


@pytest.mark.parametrize("widths", PATTERNS)
def test_orthogonal_layers_are_isometries_to_the_digits_asked(
    widths: tuple[int, ...],
) -> None:
    rule = inits.orthogonal_init(Fraction(2, 3), rng=5)
    for weight in rule.draw(network(*widths), digits=60):
        wide = weight if len(weight) <= len(weight.T) else weight.T
        gram = wide @ wide.T
        assert largest(gram * 9 - 4 * np.eye(len(gram), dtype=int)) < 1e-59


def test_orthogonal_draws_of_equal_widths_are_balanced_and_of_both_signs() -> None:
    signs = set()
    for seed in range(8):
        W1, W2 = inits.orthogonal_init(2, rng=seed).draw(network(3, 3, 3))
        assert largest(W2.T @ W2 - W1 @ W1.T) < 1e-13
        signs.add(bool(np.linalg.det(W1) > 0))
    assert signs == {True, False}


@pytest.mark.parametrize("widths", PATTERNS)
def test_rank_one_draws_are_balanced_and_of_rank_one(widths: tuple[int, ...]) -> None:
    weights = inits.rank_one_init(Fraction(1, 2), rng=1).draw(
        network(*widths), digits=50
    )
    for before, after in pairwise(weights):
        assert largest(after.T @ after - before @ before.T) < 1e-50
    total = weights[0]
    for weight in weights[1:]:
        total = weight @ total
    size = (total * total).sum()
    assert abs(size - mpmath.mpf(0.25) ** len(weights)) < 1e-15
    minors = np.multiply.outer(total, total) - np.einsum("il,kj->ijkl", total, total)
    assert largest(minors) < 1e-50


def test_rank_one_directions_can_be_given_exactly() -> None:
    rule = inits.rank_one_init(
        sympy.sqrt(Fraction(1, 2)), left=[3, 4], right=(5, 12), rng=0
    )
    W1, W2 = rule.draw(network(2, 1, 2), digits=60)
    goal = np.array([[15, 36], [20, 48]])
    assert largest(130 * (W2 @ W1) - goal) < 1e-58
    free = inits.rank_one_init(1, rng=0).draw(network(2, 4, 2))
    half = inits.rank_one_init(1, left=[0, 1], rng=0).draw(network(2, 4, 2))
    assert (free[0] == half[0]).all()
    assert (free[1] != half[1]).any()
    again = eval(repr(rule), {"rank_one_init": inits.rank_one_init, "sqrt": sympy.sqrt})
    assert again.draw(network(2, 1, 2))[0].tolist() == pytest.approx(
        rule.draw(network(2, 1, 2))[0]
    )


def test_rank_one_directions_have_to_be_vectors_that_fit() -> None:
    with pytest.raises(InvalidArgument, match=r"left=…\): the zero vector has no"):
        inits.rank_one_init(left=[0, 0])
    with pytest.raises(ShapeMismatch, match=r"right=…\): needs a vector; got shape"):
        inits.rank_one_init(right=np.eye(2))
    with pytest.raises(ShapeMismatch, match=r"left=…\): the network needs a vector of"):
        inits.rank_one_init(left=[1, 2]).draw(network(2, 1, 3))


# given


def test_given_exact_weights_are_rounded_only_once() -> None:
    init = inits.as_init([[[Fraction(1, 3), 1]], sympy.Matrix([[sympy.sqrt(2)]])])
    net = network(2, 1, 1)
    assert init.draw(net)[0].tolist() == [[1 / 3, 1.0]]
    W1, W2 = init.draw(net, digits=60)
    assert abs(3 * W1[0, 0] - 1) < mpmath.mpf("1e-60")
    assert abs(W2[0, 0] ** 2 - 2) < mpmath.mpf("1e-60")
    W1[0, 0] = 5
    init.draw(net)[0][0, 0] = 5.0
    assert init.draw(net)[0][0, 0] == 1 / 3


def test_rules_and_given_weights_are_both_inits() -> None:
    rule = inits.balanced_init(rng=0)
    assert inits.as_init(rule) is rule
    assert repr(inits.as_init((np.eye(2), np.ones((1, 2))))) == "GivenInit(2×2, 1×2)"
    symbolic = network(sympy.Symbol("d"), sympy.Symbol("h"))
    assert inits.as_init([np.ones((2, 3))]).draw(symbolic)[0].shape == (2, 3)


@pytest.mark.parametrize("init", [None, 3, [], "balanced", np.eye(2)])
def test_other_things_are_not_inits(init: Any) -> None:
    with pytest.raises(
        InvalidArgument, match=r"init=.*needs an initialization rule or"
    ):
        inits.as_init(init)


def test_given_weights_have_to_fit() -> None:
    with pytest.raises(ShapeMismatch, match="W_2 has 3 columns and W_1 has 2 rows"):
        inits.as_init([np.eye(2), np.eye(3)]).draw(network(*sympy.symbols("d h m")))
    with pytest.raises(InvalidArgument, match=r"init=.*W_2: entry 'a' is not a number"):
        inits.as_init([np.eye(1), [["a"]]])
    init = inits.as_init([np.eye(2)])
    with pytest.raises(InvalidArgument, match=r"one matrix per layer .*\(2\); got 1"):
        init.draw(network(2, 2, 2))
    with pytest.raises(
        ShapeMismatch, match="W_1 has to be 3×2 for this network; got 2×2"
    ):
        init.draw(network(2, 3))


def test_spectral_start_for_rank_deficient_samples() -> None:
    rng = np.random.default_rng(0)
    data = Dataset(rng.standard_normal((2, 4)), rng.standard_normal((2, 3)))
    low = inits.spectral_init(0.5).draw(network(4, 3, 3), data)
    high = inits.spectral_init(0.5).draw(network(4, 3, 3), data, digits=30)
    for a, b in zip(low, high, strict=True):
        assert largest(a - b) < 1e-13
