"""The proven bound of a defect: it is above the truth, and close to it."""

from __future__ import annotations

from fractions import Fraction

import flint
import numpy as np
import pytest
from hypothesis import given, settings, strategies as st

import symflow as sf
from symflow.codegen import evaluate, rhs_program
from symflow.flow.problem import bind
from symflow.precision.balls import as_matrix, in_bits, log2_above
from symflow.precision.defect import Defect, _rho, lebesgue
from symflow.precision.regions import Regions
from symflow.precision.sampling import ChebyshevGrid, Series, chebyshev_points

ORDER, BITS, RADIUS = 12, 80, 0.05


def polynomial(problem, seed):
    """Taylor coefficients with errors of 2^-50, so that there is a defect."""
    from symflow.precision.fixed import FixedPoint
    from symflow.precision.steps import SeriesSystem

    engine = FixedPoint(BITS)
    system = SeriesSystem.of(problem, engine, ORDER, 40)
    series = system._expand(system.start(-3.0), -3.0)
    unit, terms = series
    exact = engine.coefficients(terms)
    noise = np.random.default_rng(seed).integers(-(2**30), 2**30, exact.nrows() * 99)
    moved = [x + int(e) for x, e in zip(exact.entries(), noise, strict=False)]
    shapes = [engine.shape(matrix[0]) for matrix in terms]
    table = flint.fmpz_mat(exact.nrows(), exact.ncols(), moved)
    return Series.of(table, shapes, BITS), unit


def true_defect(problem, series, unit, x):
    """|θ̃' − f(θ̃)| at one point, in exact rational arithmetic."""
    rows = [
        [Fraction(int(entry), 2**BITS) for entry in row]
        for row in series.coefficients.tolist()
    ]
    value = [
        sum(c * x**k for k, c in enumerate(col)) for col in zip(*rows, strict=True)
    ]
    slope = [
        sum(k * c * x ** (k - 1) for k, c in enumerate(col) if k)
        for col in zip(*rows, strict=True)
    ]
    weights, at = [], 0
    for rows_, columns in series.shapes:
        size = rows_ * columns
        block = np.array(value[at : at + size], dtype=object)
        weights.append(block.reshape(rows_, columns))
        at += size
    data = [np.vectorize(Fraction, otypes=[object])(a) for a in problem.arguments]
    field = evaluate(rhs_program(problem.flow), [*weights, *data], Fraction)
    flat = [entry for matrix in field for entry in matrix.flat]
    gaps = [s / unit - f for s, f in zip(slope, flat, strict=True)]
    return float(sum(gap * gap for gap in gaps)) ** 0.5


@settings(max_examples=15, deadline=None)
@given(depth=st.integers(1, 4), seed=st.integers(0, 10**6))
def test_the_bound_is_above_the_true_defect_and_within_a_factor(depth, seed):
    rng = np.random.default_rng(seed)
    widths = rng.integers(1, 4, size=depth + 1).tolist()
    flow = sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss())
    data = sf.Dataset(rng.normal(size=(5, widths[0])), rng.normal(size=(5, widths[-1])))
    start = [rng.normal(size=s) for s in zip(widths[1:], widths, strict=False)]
    problem = bind(flow, data, start)
    end = Fraction(3, 4)
    series, unit = polynomial(problem, seed)
    flint_data = [as_matrix(array) for array in problem.arguments]
    bound, _ = Defect(flow, flint_data, ORDER, BITS, 60.0).bound(series, end, unit)
    points = [end * Fraction(n, 40) for n in range(41)]
    worst = max(true_defect(problem, series, unit, x) for x in points)
    assert worst <= float(bound) <= 12 * worst


@in_bits(300)  # beside which the 64 bits of the grid are rounded
def test_values_and_slopes_of_a_grid_contain_the_exact_ones():
    rng = np.random.default_rng(1)
    table = flint.fmpz_mat(6, 2, [int(x) for x in rng.integers(-(2**40), 2**40, 12)])
    series = Series.of(table, [(1, 1), (1, 1)], 40)
    extra = (Fraction(1, 3), Fraction(1))
    values, slopes = series.at(ChebyshevGrid(3, extra, 5, 64), Fraction(5, 4))
    points = [
        u * 5 / 4 for u in (*chebyshev_points(3), *map(flint.fmpq, (1, 3), (3, 3)))
    ]
    for index in range(2):
        exact = [flint.fmpq(int(row[index]), 2**40) for row in table.tolist()]
        for n, x in enumerate([*points[:3], flint.arb(5) / 12, flint.arb(5) / 4]):
            value = sum((c * x**k for k, c in enumerate(exact)), flint.arb(0))
            assert values[n][index][0, 0].overlaps(value)
            if n < 3:
                slope = sum((k * c * x ** (k - 1) for k, c in enumerate(exact) if k), 0)
                assert slopes[n][index][0, 0].overlaps(slope)


def test_the_ellipse_lies_in_its_disk_and_the_interpolation_in_its_bound():
    """R/E = (2 + ρ + 1/ρ)/4, and Λ = max Σ|l_i| by Lagrange's formula."""
    for radius in (1.02, 1.25, 2.0, 8.0):
        rho = float(_rho(radius))
        assert radius * (1 - 1e-12) < (2 + rho + 1 / rho) / 4 <= radius * (1 + 1e-15)
    for count in (2, 8, 40):
        x = np.array([float(u.mid()) for u in chebyshev_points(count)])
        at = np.linspace(0, 1, 2001)
        lagrange = np.abs(
            [
                np.prod([(at - z) / (y - z) for z in np.delete(x, i)], axis=0)
                for i, y in enumerate(x)
            ]
        )
        largest = lagrange.sum(axis=0).max()
        assert largest <= float(lebesgue(count)) < largest + 0.5


LAYERS = {
    "dense": (sf.LinearNetwork(2, 2, 1), sf.SquaredLoss(), [(2, 2), (1, 2)]),
    "diagonal": (sf.DiagonalNetwork(2, depth=2), sf.SquaredLoss(), [(2, 1), (2, 1)]),
    "signed": (
        sf.DiagonalNetwork(2, depth=2, signed=True),
        sf.SquaredLoss(),
        [(2, 1)] * 4,
    ),
    "circulant": (
        sf.ConvolutionalNetwork(3, filters=(2, 3)),
        sf.LogisticLoss(),
        [(2, 1), (3, 1)],
    ),
    "exponential": (sf.LinearNetwork(2, 2, 1), sf.ExponentialLoss(), [(2, 2), (1, 2)]),
}


@pytest.mark.parametrize("name", LAYERS)
def test_regions_contain_the_images_of_random_points(name):
    network, loss, shapes = LAYERS[name]
    rng = np.random.default_rng(3)
    flow = sf.gradient_flow(network, loss)
    inputs = network.widths[0]
    Y = np.where(rng.random((4, 1)) < 0.5, -1.0, 1.0)
    data = sf.Dataset(rng.normal(size=(4, inputs)), Y)
    start = [rng.normal(size=shape) for shape in shapes]
    problem = bind(flow, data, start)
    program = rhs_program(flow)
    balls = [as_matrix(array) for array in (*problem.weights, *problem.arguments)]
    regions = Regions(program, balls)
    spreads = [flint.arb(RADIUS)] * len(start)
    bounds = [float(spread) for spread in regions.spreads(spreads)]
    endless = regions.spreads([flint.arb(100)] * len(start))
    assert all(spread.is_finite() != (name == "circulant") for spread in endless)
    centre = evaluate(program, [*problem.weights, *problem.arguments])
    for got, expected in zip(regions.centres, centre, strict=True):
        flat = np.array([float(entry) for entry in got.entries()])
        assert np.allclose(flat.reshape(expected.shape), expected, atol=1e-12)
    for _ in range(40):
        moves = [rng.normal(size=s) + 1j * rng.normal(size=s) for s in shapes]
        moved = [
            w + RADIUS * move / np.linalg.norm(move)
            for w, move in zip(problem.weights, moves, strict=True)
        ]
        images = evaluate(program, [*moved, *problem.arguments])
        for image, middle, bound in zip(images, centre, bounds, strict=True):
            assert np.linalg.norm(image - middle) <= bound * (1 + 1e-12)


def test_bounds_of_logarithms_are_above():
    assert log2_above(flint.arb(5)) == 3
    assert log2_above(flint.arb(0)) < -1e8
