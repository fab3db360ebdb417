"""Eigenvectors and products of many digits, against mpmath's own."""

from __future__ import annotations

from fractions import Fraction

import mpmath
import numpy as np
import pytest

from symflow.algebra import eigensystem as module
from symflow.algebra.arrays import to_mpf_array
from symflow.algebra.eigensystem import eigensystem
from symflow.algebra.products import matmul

DIGITS = 50
CONTEXT = mpmath.MPContext()
CONTEXT.dps = DIGITS
CHECKED = mpmath.MPContext()
CHECKED.dps = 3 * DIGITS

#: Gaps from 0 to 10⁻⁵⁵, alone, nested and in chains, and sizes from 1 to 10³⁰⁰.
SPECTRA = {
    "apart": [1, 2, 5, 9],
    "repeated": [1] * 4 + [2] * 3 + [0] * 2,
    "signs": [-1, 1, -1, 1 + Fraction(1, 10**10), 0],
    "one cluster": [1, 1 + Fraction(1, 10**20), 1 + Fraction(2, 10**20), 3],
    "nested": [
        1,
        *(1 + Fraction(1, 10**k) for k in (10, 20, 30, 40, 45)),
        1 - Fraction(1, 10**55),
    ],
    "below rounding": [1 + Fraction(k, 10**60) for k in range(5)],
    "graded": [Fraction(1, 10**k) for k in range(0, 70, 7)],
    "tiny beside huge": [10**30, 1, Fraction(1, 10**20), Fraction(1, 10**50)],
    "huge": [10**300, 3 * 10**300, 10**299],
    "tiny": [Fraction(1, 10**300), Fraction(3, 10**300), Fraction(3, 10**300)],
    "like floats": [1 + 1e-16 * k for k in range(-4, 8)],
}


def with_spectrum(spectrum, seed=0):
    """Return a symmetric matrix of about these eigenvalues."""
    frame, _ = np.linalg.qr(
        np.random.default_rng(seed).normal(size=(len(spectrum),) * 2)
    )
    frame = to_mpf_array(frame, CHECKED)
    for _ in range(4):
        frame = frame @ (3 * np.eye(len(frame), dtype=int) - frame.T @ frame) / 2
    whole = (frame * to_mpf_array(np.array(spectrum, dtype=object), CHECKED)) @ frame.T
    return to_mpf_array(whole, CONTEXT)


def assert_diagonalizes(matrix, values, vectors):
    fine, basis = to_mpf_array(matrix, CHECKED), to_mpf_array(vectors, CHECKED)
    size = max(abs(entry) for entry in fine.flat) or 1
    bound = len(fine) * CHECKED.mpf(10) ** (1 - DIGITS)
    off = fine @ basis - basis * to_mpf_array(values, CHECKED)
    assert max(abs(entry) for entry in off.flat) <= bound * size
    gram = basis.T @ basis - np.eye(len(fine), dtype=int)
    assert max(abs(entry) for entry in gram.flat) <= bound
    assert list(values) == sorted(values)


@pytest.mark.parametrize("name", SPECTRA)
def test_every_spectrum_is_refined_and_agrees_with_the_tridiagonal_method(name):
    matrix = with_spectrum(SPECTRA[name])
    assert module._refined(matrix, CONTEXT, module._scale(matrix)) is not None
    values, vectors = eigensystem(matrix, CONTEXT)
    assert_diagonalizes(matrix, values, vectors)
    others = sorted(CONTEXT.eigsy(CONTEXT.matrix(matrix.tolist()), eigvals_only=True))
    size = max(map(abs, others))
    gap = max(abs(a - b) for a, b in zip(values, others, strict=True))
    assert gap <= size * CONTEXT.mpf(10) ** (2 - DIGITS)


@pytest.mark.parametrize(
    "matrix",
    [
        np.eye(5),
        np.zeros((4, 4)),
        np.ones((6, 6)),
        np.diag([1e-300, 1e300, 3, 3]),
        np.array([[0, 1e-200, 0], [1e-200, 0, 0], [0, 0, 1]]),
        np.array([[7.0]]),
        np.array([[0.0, 1.0], [1.0, 0.0]]),
    ],
    ids=lambda array: str(array.tolist())[:30],
)
def test_degenerate_matrices(matrix):
    exact = to_mpf_array(matrix, CONTEXT)
    assert_diagonalizes(exact, *eigensystem(exact, CONTEXT))


def test_where_the_refinement_does_not_settle_the_tridiagonal_method_is_used(
    monkeypatch,
):
    matrix = with_spectrum(SPECTRA["nested"])
    monkeypatch.setattr(module, "MOST_STEPS", 2)
    assert module._refined(matrix, CONTEXT, module._scale(matrix)) is None
    assert_diagonalizes(matrix, *eigensystem(matrix, CONTEXT))


@pytest.mark.parametrize("shapes", [((5, 7), (7, 4)), ((3, 6, 6), (6, 5))])
def test_products_are_rounded_once(shapes):
    generator = np.random.default_rng(1)
    left, right = (
        to_mpf_array(generator.normal(size=shape), CONTEXT)
        * CONTEXT.mpf(1)
        / 3
        * to_mpf_array(10.0 ** generator.integers(-40, 40, shape), CONTEXT)
        for shape in shapes
    )
    found = matmul(left, right)
    true = to_mpf_array(left, CHECKED) @ to_mpf_array(right, CHECKED)
    assert found.shape == true.shape
    for seen, entry in zip(found.flat, true.flat, strict=True):
        assert abs(seen - entry) <= abs(entry) * CHECKED.mpf(2) ** -CONTEXT.prec


def test_products_of_stacks_on_both_sides():
    generator = np.random.default_rng(2)
    left, right = (
        to_mpf_array(generator.integers(-9, 9, shape).astype(float), CONTEXT)
        for shape in ((3, 5, 6), (3, 6, 7))
    )
    assert np.array_equal(matmul(left, right), left @ right)


def test_products_of_other_numbers_are_numpys():
    infinite = np.full((5, 5), CONTEXT.inf)
    assert matmul(infinite, infinite)[0, 0] == CONTEXT.inf
    apart = np.full((5, 5), CONTEXT.mpf(2) ** -(10**6))
    apart[0, 0] = CONTEXT.mpf(1)
    assert np.array_equal(matmul(apart, apart), apart @ apart)
    fractions = np.full((5, 5), Fraction(1, 3))
    assert matmul(fractions, fractions)[0, 0] == Fraction(5, 9)
    assert matmul(fractions, np.eye(5)).shape == (5, 5)
    assert matmul(np.eye(2), np.eye(2)).dtype == float
    with pytest.raises(ValueError, match="mismatch"):
        matmul(np.full((4, 5), CONTEXT.one), np.full((4, 5), CONTEXT.one))
