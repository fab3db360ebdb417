"""Potentials of diagonal networks: golden values, SciPy, linear programs."""

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize

from symflow.bias.dual import least_potential
from symflow.bias.mirror import DifferenceMap, ProductMap

MAPS = [ProductMap(L) for L in (2, 3, 4, 5, 7)] + [
    DifferenceMap(L) for L in (2, 3, 4, 6)
]


def test_golden_values_of_the_potentials():
    golden = {
        2: 1.31393614085668615678947038207,
        3: np.pi / 2 - 0.5,
        4: 0.934308313292882350914227919304,
    }
    for depth, value in golden.items():
        assert ProductMap(depth).potential(2.0) == pytest.approx(value, rel=1e-14)


@pytest.mark.parametrize("mirror", MAPS, ids=repr)
def test_map_solves_the_equation_of_the_network(mirror):
    """Integrate the scalar layers under a unit force and multiply them."""
    depth = mirror.depth
    t = 0.7 * min(mirror.end, 1.5)
    starts = [[1.0] * (depth - 1) + [0.0]]
    if isinstance(mirror, DifferenceMap):
        starts = [[1.0] * depth, [1.0] * depth]

    def rhs(_, w, sign):
        return [sign * np.prod(np.delete(w, k)) for k in range(depth)]

    ends = [
        np.prod(
            scipy.integrate.solve_ivp(
                rhs, (0, t), start, args=(sign,), rtol=1e-12, atol=1e-13
            ).y[:, -1]
        )
        for start, sign in zip(starts, (1, -1), strict=False)
    ]
    total = ends[0] - ends[1] if len(ends) == 2 else ends[0]
    assert mirror.value(np.array(t)) == pytest.approx(total, rel=1e-9)


@pytest.mark.parametrize("mirror", MAPS, ids=repr)
def test_inverse_slope_conjugate_and_potential_belong_together(mirror):
    tau = np.concatenate([-np.logspace(-6, 6, 30), [0.0], np.logspace(-6, 6, 30)])
    t = mirror.inverse(tau)
    assert mirror.value(t) == pytest.approx(tau, rel=1e-8, abs=1e-14)
    for x in (0.3, 1.7, 20.0):
        area, _ = scipy.integrate.quad(
            lambda y: float(mirror.inverse(np.array(y))), 0, x
        )
        assert mirror.potential(np.array(x)) == pytest.approx(area, rel=1e-8)
        at, step = mirror.inverse(np.array(x)), 1e-6
        difference = (mirror.value(at + step * at) - mirror.value(at - step * at)) / (
            2 * step * at
        )
        assert mirror.slope(at) == pytest.approx(difference, rel=1e-7)


@pytest.mark.parametrize("mirror", MAPS, ids=repr)
def test_inverse_at_50_digits(mirror):
    import mpmath

    context = mpmath.MPContext()
    context.dps = 60
    tau = np.array([context.mpf(3) / 7, -context.mpf(20), context.mpf(0)], dtype=object)
    fine = mirror.inverse(tau, context)
    rough = mirror.inverse(np.array([float(x) for x in tau]))
    assert np.array([float(x) for x in fine]) == pytest.approx(rough, rel=1e-13)
    # the derivative of the potential, at a precision that float64 cannot reach
    if mirror.depth == 3 and isinstance(mirror, ProductMap):
        x = context.tan(fine[0])
        assert abs(x * (1 + x * x) - tau[0]) < context.mpf(10) ** -55
    if mirror.depth == 4 and isinstance(mirror, DifferenceMap):
        z = 2 * fine[1]
        assert abs((1 - z) ** -2 - (1 + z) ** -2 - tau[1]) < context.mpf(10) ** -50


@pytest.mark.parametrize("mirror", MAPS, ids=repr)
@pytest.mark.parametrize("alpha", [0.2, 0.7, 1.5])
def test_dual_newton_against_scipy(rng, mirror, alpha):
    """SciPy minimizes the primal potential over the null space of A."""
    A, b = rng.standard_normal((3, 6)), rng.standard_normal(3)
    sizes = alpha * rng.uniform(0.6, 1.4, 6)
    beta = least_potential(mirror, sizes, A, b)
    assert A @ beta == pytest.approx(b, abs=1e-10)
    null = np.linalg.svd(A)[2][3:].T
    start = np.linalg.lstsq(A, b, rcond=None)[0]
    depth = mirror.depth

    def primal(z):
        tau = (start + null @ z) / sizes**depth
        slope = sizes ** (2 - depth) * mirror.inverse(tau)
        return np.sum(sizes**2 * mirror.potential(tau)), null.T @ slope

    found = scipy.optimize.minimize(
        primal, np.zeros(3), jac=True, method="BFGS", options={"gtol": 1e-12}
    )
    assert start + null @ found.x == pytest.approx(beta, abs=1e-7)
    # stationarity to rounding: Q′(β) is orthogonal to the null space
    force = sizes ** (2 - depth) * mirror.inverse(beta / sizes**depth)
    assert np.linalg.norm(null.T @ force) < 1e-8 * np.linalg.norm(force)


def weighted_l1(A, b, weights):
    both = np.hstack([A, -A])
    found = scipy.optimize.linprog(np.tile(weights, 2), A_eq=both, b_eq=b)
    return found.x[:6] - found.x[6:]


def test_small_scales_give_l1_weighted_from_depth_three_on(rng):
    """Plain ℓ₁ for L = 2; weights |η̄|^{2−L} survive for L ≥ 3."""
    A, b = rng.standard_normal((3, 6)), rng.standard_normal(3)
    shape = rng.uniform(0.4, 2.5, 6)
    plain = weighted_l1(A, b, np.ones(6))
    assert least_potential(ProductMap(2), 1e-30 * shape, A, b) == pytest.approx(
        plain, abs=1e-4
    )
    gaps = []
    for alpha in (1e-2, 1e-3):
        beta = least_potential(ProductMap(3), alpha * shape, A, b)
        gaps.append(np.abs(beta - weighted_l1(A, b, 1 / shape)).max())
    assert gaps[1] < gaps[0] / 10
    assert gaps[1] < 1e-3


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_large_scales_give_weighted_l2(rng, depth):
    A, b = rng.standard_normal((3, 6)), rng.standard_normal(3)
    shape = rng.uniform(0.5, 1.5, 6)
    weights = shape ** (2 * depth - 2)
    kernel = weights * (A.T @ np.linalg.solve((A * weights) @ A.T, b))
    beta = least_potential(ProductMap(depth), 30 * shape, A, b)
    assert beta == pytest.approx(kernel, abs=1e-4)


def test_table_of_the_plane_experiment():
    """One sample ([1, 2], 1): end points for L = 2, 3 and α = 0.01, 0.5, 1."""
    table = {
        (2, 0.01): (0.0035, 0.4982),
        (2, 0.5): (0.1418, 0.4291),
        (2, 1.0): (0.1895, 0.4053),
        (3, 0.01): (0.0, 0.5),
        (3, 0.5): (0.0780, 0.4610),
        (3, 1.0): (0.1809, 0.4096),
    }
    for (depth, alpha), expected in table.items():
        beta = least_potential(
            ProductMap(depth), np.full(2, alpha), np.array([[1.0, 2.0]]), np.ones(1)
        )
        assert beta == pytest.approx(expected, abs=6e-5)
