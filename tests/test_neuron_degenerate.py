"""One-neuron layers where it matters: near stable manifolds, ties, zeros, any scale.

What is compared with is written without symflow: coefficients in fractions, entrywise
equations integrated by SciPy, and the linear system that a small imbalance obeys.
"""

from dataclasses import replace
from fractions import Fraction as F

import mpmath
import numpy as np
import pytest
import sympy
from scipy.integrate import quad, solve_ivp

import symflow as sf
from symflow.claims import Refusal, Status, Theorem
from symflow.claims.theorem import Identity
from symflow.convergence import (
    Alignment,
    FarAway,
    InducedFlow,
    PerturbedModes,
    RankOneLimit,
    RankOneRate,
    StableSet,
    Staircase,
)
from symflow.flow.problem import bind

NEURON = (StableSet, Alignment, RankOneRate, FarAway, InducedFlow, RankOneLimit)
THEOREMS = (*NEURON, Staircase, PerturbedModes)


def rational_frame(rng, size, columns):
    """Orthonormal columns of fractions: a product of reflections."""
    frame = np.array([[F(int(i == j)) for j in range(size)] for i in range(size)])
    for _ in range(2):
        v = np.array([F(int(k)) for k in rng.integers(-3, 4, size)])
        if any(v):
            frame = frame - 2 * np.outer(v, v @ frame) / (v @ v)
    return frame[:, :columns]


def unit(parts):
    """A unit vector of fractions near `parts`, by stereographic projection."""
    size, last = float(np.linalg.norm(parts)) or 1.0, 1 if parts[-1] >= 0 else -1
    slopes = parts[:-1] / (size + abs(parts[-1]))
    y = [F(float(slope)).limit_denominator(50) for slope in slopes]
    square = sum((x * x for x in y), F(0))
    ends = [*(2 * x for x in y), last * (1 - square)]
    return np.array([x / (1 + square) for x in ends])


def layers(u, v, size, depth, wide=False):
    """Exactly balanced layers with W(0) = size^depth u vᵀ."""
    if not wide or depth < 3:
        return [
            size * v[None, :],
            *[np.array([[size]])] * (depth - 2),
            size * u[:, None],
        ]
    turn = np.array([F(3, 5), F(4, 5)])
    chain = [size * v[None, :], size * turn[:, None]]
    chain += [size * np.outer(turn, turn)] * (depth - 3)
    return [*chain, size * np.outer(u, turn)]


def instance(rng):
    """A degenerate exact problem, and the group of modes that must win."""
    m, d = (int(k) for k in rng.integers(1, 4, 2))
    k, depth = min(m, d), int(rng.integers(2, 6))
    z = [F(int(rng.integers(1, 5)), int(rng.integers(1, 3))) for _ in range(k)]
    kind = rng.integers(0, 5)
    if kind == 0 and k > 1:
        z[1] = z[0]
    if kind == 1 and k > 1:
        z[1] = z[0] * (1 - F(1, 10 ** int(rng.integers(1, 25))))
    if kind == 2:
        z[-1] = F(0)
    if kind == 3 and k > 1:
        z[-1] = z[0] * F(1, 10 ** int(rng.integers(1, 30)))
    if kind == 4 and rng.random() < 0.1:
        z = [F(0)] * k
    z = sorted(z, reverse=True)
    P, Q = rational_frame(rng, m, k), rational_frame(rng, d, k)
    u, v = (unit(rng.standard_normal(size)) for size in (m, d))
    if m == k and rng.random() < 0.7:  # the first overlaps vanish: q_iᵀv = −p_iᵀu
        count = int(rng.integers(1, k + 1))
        v = Q @ (P.T @ u * np.array([-1 if i < count else 1 for i in range(k)]))
    if rng.random() < 0.5:  # a turn by 10^−k
        tiny = F(1, 10 ** int(rng.integers(1, 20)))
        if m > 1:
            cosine, sine = (1 - tiny**2) / (1 + tiny**2), 2 * tiny / (1 + tiny**2)
            turned = u.copy()
            turned[0], turned[1] = (
                cosine * u[0] - sine * u[1],
                sine * u[0] + cosine * u[1],
            )
            u = turned
    size = F(int(rng.integers(1, 6)), int(rng.integers(1, 6)))
    weights = layers(u, v, size, depth, wide=rng.random() < 0.5)
    unit_of_layers = F(10) ** int(rng.integers(-4, 5))
    weights = [w * unit_of_layers for w in weights]
    z = [value * unit_of_layers**depth for value in z]
    target = (P * np.array(z)) @ Q.T
    c = (P.T @ u + Q.T @ v) / 2
    alive = [value for value, x in zip(z, c, strict=True) if value and x]
    group = tuple(i for i in range(k) if alive and z[i] == alive[0])
    return target, weights, group, (P, Q, z, c)


def problem_of(target, weights):
    widths = (weights[0].shape[1], *(w.shape[0] for w in weights))
    flow = sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss())
    data = sf.whitened(np.asarray(target))
    return flow, data, bind(flow, data, weights)


def check_limit(rng):
    """The limit of exact starts is the one that fractions give, or refused."""
    target, weights, group, (P, Q, z, c) = instance(rng)
    claim = RankOneLimit.attempt(problem_of(target, weights)[2])
    if isinstance(claim, Refusal):
        assert str(claim)
        return 0
    assert claim.status is Status.PROVED
    assert claim.group == group, (target, weights)
    if group:
        part, modes = c[list(group)], list(group)
        left, right = P[:, modes] @ part, Q[:, modes] @ part
        size = z[group[0]] / (part @ part)
        expected = (size * np.outer(left, right)).astype(float)
        gap = np.abs(claim.limit - expected).max()
        assert gap <= 1e-9 * np.abs(expected).max()
    else:
        assert not claim.limit.any()
    return 1


def true_group(target, product, digits=150):
    """The modes that win, from eigenvectors of 150 digits."""
    with mpmath.workdps(2 * digits):
        Z, W = (
            mpmath.matrix(
                [
                    [mpmath.mpf(F(x).numerator) / F(x).denominator for x in row]
                    for row in np.asarray(array)
                ]
            )
            for array in (target, product)
        )
        m, d = Z.rows, Z.cols
        both = mpmath.zeros(m + d)
        both[:m, m:], both[m:, :m] = Z, Z.T
        values, vectors = mpmath.eigsy(both)
        i, j = max(np.ndindex(m, d), key=lambda at: abs(W[at]))
        u, v = W[:, j], W[i, :].T
        u, v = u / mpmath.norm(u), v / mpmath.norm(v) * mpmath.sign(W[i, j])
        x = mpmath.matrix([*u, *v])
        rough = mpmath.mpf(10) ** (-digits // 2)
        order = sorted(range(m + d), key=lambda k: -values[k])[: min(m, d)]
        sizes = [abs((vectors[:, k].T * x)[0]) for k in order]
        top = values[order[0]]
        alive = [
            k
            for k, size in zip(order, sizes, strict=True)
            if size > rough and values[k] > rough * top
        ]
        if not alive:
            return ()
        return tuple(
            n
            for n, k in enumerate(order)
            if abs(values[k] - values[alive[0]]) < rough * top
        )


def check_integers(rng):
    """Small integers: vectors of irrational length, symmetric targets, many ties."""
    m, d = (int(k) for k in rng.integers(1, 4, 2))
    n = max(m, d)
    v = [int(k) for k in rng.integers(-2, 3, n)]
    u = [int(k) * int(rng.choice([-1, 1])) for k in rng.permutation(v)]
    target = rng.integers(-2, 3, (n, n)).astype(object)
    if rng.random() < 0.6:
        target = target + target.T
    if rng.random() < 0.5:
        u = [-x for x in v]
    weights = [np.array([v], object), np.array(u, object)[:, None]]
    claim = RankOneLimit.attempt(problem_of(target, weights)[2])
    if isinstance(claim, Refusal):
        return not any(v)
    assert claim.group == true_group(target, weights[1] @ weights[0])
    return 1


def check_floats(rng):
    """Rounded starts: a limit of two layers obeys y > |D||x|/4z₁, which is exact."""
    target, weights, *_ = instance(rng)
    rounded = [np.array(w, float) for w in weights]
    Z = np.array(target, float)
    claim = RankOneLimit.attempt(problem_of(Z, rounded)[2])
    if isinstance(claim, Refusal):
        return 0
    if claim.status is Status.PROVED:
        exact = [np.array([[F(x) for x in row] for row in w]) for w in rounded]
        product = exact[0]
        for w in exact[1:]:
            product = w @ product
        assert claim.group == true_group(Z, product)
    else:
        assert claim.group == (0,)
    if len(weights) == 2 and claim.group == (0,):
        p, z, q = np.linalg.svd(Z)
        w2, w1 = rounded[1][:, 0], rounded[0][0]
        alpha, beta = p[:, 0] @ w2, q[0] @ w1
        D = abs(w2 @ w2 - w1 @ w1)
        assert abs(alpha + beta) > D * abs(alpha - beta) / (4 * z[0])
    return 1


def path_of(Z, weights, times):
    """Weights along the flow, entry by entry, in float64."""
    shapes = [w.shape for w in weights]
    cuts = np.cumsum([w.size for w in weights])[:-1]

    def slope(_, flat):
        W = [
            part.reshape(s)
            for part, s in zip(np.split(flat, cuts), shapes, strict=True)
        ]
        product = W[0]
        for w in W[1:]:
            product = w @ product
        force, found = Z - product, []
        for k in range(len(W)):
            above, below = np.eye(len(force)), np.eye(W[0].shape[1])
            for w in W[:k:-1]:
                above = above @ w
            for w in W[:k]:
                below = w @ below
            found.append((above.T @ force @ below.T).ravel())
        return np.concatenate(found)

    start = np.concatenate([w.ravel() for w in weights])
    small = 1e-15 * np.abs(start).max()
    run = solve_ivp(
        slope, (0, times[-1]), start, "DOP853", times, rtol=1e-12, atol=small
    )
    ends = []
    for flat in run.y.T:
        product = None
        for part, s in zip(np.split(flat, cuts), shapes, strict=True):
            w = part.reshape(s)
            product = w if product is None else w @ product
        ends.append(product)
    return np.array(ends)


def quantities(Z, product):
    """s, a, b of W = s u vᵀ, by the singular value decomposition."""
    p, _, q = np.linalg.svd(Z)
    u, s, v = np.linalg.svd(product)
    a, b = p[:, 0] @ u[:, 0], q[0] @ v[0]
    return s[0], a, b


def check_bounds(rng):
    """Every bound and every printed statement holds along SciPy's path."""
    target, weights, *_ = instance(rng)
    Z, rounded = np.array(target, float), [np.array(w, float) for w in weights]
    exactly = rng.random() < 0.5
    flow, data, problem = problem_of(*((target, weights) if exactly else (Z, rounded)))
    claims = [c for k in NEURON if isinstance(c := k.attempt(problem), Theorem)]
    p, z, q = np.linalg.svd(Z)
    top = max(
        z[0], np.linalg.norm(np.linalg.multi_dot([*rounded[::-1], np.eye(len(q))]))
    )
    if not claims or top == 0:
        return 0
    clock = top ** (2 / len(weights) - 2)
    times = np.array([0, 0.05, 0.3, 1, 3, 10]) * clock
    path = path_of(Z, rounded, times)
    t = sympy.Symbol("t", nonnegative=True)
    first = z[0] * np.outer(p[:, 0], q[0])
    for claim in claims:
        assert not claim.statement.atoms(sympy.core.function.AppliedUndef)
        for time, product in zip(times, path, strict=True):
            s, a, b = quantities(Z, product)
            if isinstance(claim, RankOneRate):
                gap = np.sum((product - first) ** 2)
                high = float(claim.statement.rhs.subs(t, time))
                slack = 1e-16 * top**2 + 1e-18 * top**2
                assert gap <= claim.bound(time) * (1 + 1e-9) + slack
                assert claim.bound(time) <= high * (1 + 1e-9) + slack
            if isinstance(claim, Alignment):
                tangent = (4 - (a + b) ** 2) / (a + b) ** 2
                high = float(claim.statement.rhs.subs(t, time))
                assert tangent <= high * (1 + 1e-6) + 1e-14
            if isinstance(claim, StableSet):
                second = z[1] if len(z) > 1 else 0.0
                assert a * b >= claim.alpha - 1e-9
                assert s >= claim.alpha * z[0] - second - 1e-9 * top
                names = dict(
                    zip(
                        sympy.symbols("s ab z1 z2", positive=True),
                        (s, a * b, z[0], second),
                        strict=True,
                    )
                )
                if time == 0:
                    assert claim.statement.subs(names) == sympy.true
            if isinstance(claim, FarAway) and time >= claim.time:
                assert s <= 2 * z[0] * (1 + 1e-9)
    late = sf.simulate(flow, data, weights if exactly else rounded, times[3:])
    for claim in claims:
        assert max(claim.residuals(late)) < 1e-6
    return len(claims)


def spread(rng, count, powers):
    """Positive fractions of very different or equal size."""
    found = [F(int(rng.integers(1, 9)), int(rng.integers(1, 9))) for _ in range(count)]
    if rng.random() < 0.3:
        found = [found[0]] * count
    if rng.random() < 0.4:
        found[-1] *= F(1, 10 ** int(rng.integers(1, powers)))
    return found


def joint_instance(rng, residual=None):
    """Data and a start with joint modes, in rational frames and in any units."""
    k, unit_of_w = int(rng.integers(1, 4)), F(10) ** int(rng.integers(-5, 6))
    m, d, h = (k + int(x) for x in rng.integers(0, 2, 3))
    U, V, R = (rational_frame(rng, size, size) for size in (m, d, h))
    lam, goal = spread(rng, d, 6), spread(rng, k, 8)
    parts = [
        F(int(rng.integers(1, 9)), 10 ** int(rng.integers(1, 9))) for _ in range(k)
    ]
    goal = [g * unit_of_w for g in goal]
    sigma = [g * x for g, x in zip(goal, lam, strict=False)]
    inside = np.diag(np.array(lam, dtype=object))
    if residual is not None:
        off = rng.integers(-3, 4, (d, d)).astype(object) * residual
        inside = inside + (off + off.T) * (1 - np.eye(d, dtype=int))
        inside = inside + 20 * residual * np.eye(d, dtype=int)  # no negative eigenvalue
    # layers with rational roots: strengths are squares
    roots = [
        F(float((g * x) ** F(1, 2))).limit_denominator(10**12)
        for g, x in zip(goal, parts, strict=True)
    ]
    roots = [r if r else F(1, 10**9) for r in roots]
    first = (R[:, :k] * np.array(roots)) @ V[:, :k].T
    last = (U[:, :k] * np.array(roots)) @ R[:, :k].T
    sigma_yx = (U[:, :k] * np.array(sigma)) @ V[:, :k].T
    flow = sf.gradient_flow(sf.LinearNetwork(d, h, m), sf.SquaredLoss())
    return flow, (V @ inside @ V.T, sigma_yx), [first, last], (U, V, roots, sigma, lam)


def floated(arrays):
    return [np.array(array, float) for array in arrays]


def check_staircase(rng):
    """Bounds and statement against modes of fifty digits."""
    flow, moments, weights, (U, V, roots, sigma, lam) = joint_instance(rng)
    exactly = rng.random() < 0.6
    data = sf.Moments(*(moments if exactly else floated(moments)))
    claim = Staircase.attempt(
        bind(flow, data, weights if exactly else floated(weights))
    )
    if isinstance(claim, Refusal):
        return 0
    assert not exactly or claim.status is Status.PROVED
    t, k = sympy.Symbol("t", nonnegative=True), len(roots)
    longest = max(float(x) for x in claim.modes.times)
    with mpmath.workdps(50):
        for time in (
            0.0,
            *rng.uniform(0, 2 * abs(longest) + 1e-9, 3),
            50 * abs(longest),
        ):
            W = np.zeros((U.shape[0], V.shape[0])).astype(object)
            for i in range(k):
                s, x, w = (
                    mpmath.mpf(y.numerator) / y.denominator
                    for y in (sigma[i], lam[i], roots[i] ** 2)
                )
                value = (
                    s
                    / x
                    / (1 + (s / x / w - 1) * mpmath.exp(-2 * s * mpmath.mpf(time)))
                )
                sides = [
                    [mpmath.mpf(y.numerator) / y.denominator for y in side[:, i]]
                    for side in (U, V)
                ]
                W = W + np.multiply.outer(*map(np.array, sides)) * value
            bounds = claim.bound(np.array([time]))[0]
            total = float(sum(g**2 for g in claim.modes.goal))
            for stage, bound, side in zip(
                claim.stages, bounds, np.atleast_1d(claim.statement.args), strict=True
            ):
                gap = float(((W - stage) ** 2).sum())
                assert gap <= bound * (1 + 1e-9) + 1e-17 * total
                assert (
                    bound <= float(side.rhs.subs(t, time)) * (1 + 1e-9) + 1e-30 * total
                )
    return 1


def check_perturbed(rng):
    """‖θ − θ⁰‖ ≤ e along SciPy's path, where e is finite."""
    size = F(1, 10 ** int(rng.integers(0, 9)))
    flow, moments, weights, _ = joint_instance(rng, size)
    data = sf.Moments(*(moments if rng.random() < 0.5 else floated(moments)))
    claim = PerturbedModes.attempt(bind(flow, data, weights))
    if isinstance(claim, Refusal):
        return 0
    xx, yx = floated(moments)
    first, last = floated(weights)
    cut = first.size

    def slope(_, flat):
        a, b = flat[:cut].reshape(first.shape), flat[cut:].reshape(last.shape)
        force = yx - b @ a @ xx
        return np.concatenate([(b.T @ force).ravel(), (force @ a.T).ravel()])

    start = np.concatenate([first.ravel(), last.ravel()])
    times = np.array([0.1, 0.5, 1.0, 2.0]) / np.linalg.norm(yx, 2)
    small = 1e-14 * np.abs(start).max()
    run = solve_ivp(
        slope, (0, times[-1]), start, "DOP853", times, rtol=1e-12, atol=small
    )
    known = claim.reference_weights(times)
    gaps = [
        np.linalg.norm(flat - np.concatenate([w[k].ravel() for w in known]))
        for k, flat in enumerate(run.y.T)
    ]
    noise = 1e-10 * np.linalg.norm(run.y, axis=0).max()
    assert np.all(np.array(gaps) <= claim.bound(times) * (1 + 1e-6) + noise)
    return 1


def loop(check, seed, count):
    found = [check(np.random.default_rng([seed, k])) for k in range(count)]
    return sum(map(bool, found)), count


def test_limits_of_exact_degenerate_starts():
    answered, count = loop(check_limit, 1, 60)
    assert answered == count


def test_limits_of_small_integers():
    answered, count = loop(check_integers, 2, 30)
    assert answered == count


def test_limits_of_rounded_starts_are_those_of_the_numbers_given():
    answered, _ = loop(check_floats, 3, 40)
    assert answered > 10


def test_bounds_and_statements_hold_along_independent_paths():
    answered, _ = loop(check_bounds, 4, 16)
    assert answered > 8


def test_staircase_holds_for_modes_of_any_size():
    answered, _ = loop(check_staircase, 5, 12)
    assert answered > 5


def test_perturbed_modes_hold_for_residuals_of_any_size():
    answered, _ = loop(check_perturbed, 6, 16)
    assert answered > 5


@pytest.mark.parametrize("size", [1e-8, 1.0, 1e8])
def test_an_imbalance_of_one_rounding_leads_elsewhere(size):
    """W → 0 from exact opposites; 0.1 + 0.2 is not 0.3, and the flow goes to 2."""
    target, root = [[2 * size]], np.sqrt(size)
    weights = [np.array([[(0.1 + 0.2) * root]]), np.array([[-0.3 * root]])]
    refusal = RankOneLimit.attempt(problem_of(target, weights)[2])
    assert "balanced initialization, exactly: fails" in str(refusal)
    opposite = [np.array([[F(3, 10)]], object), np.array([[F(-3, 10)]], object)]
    claim = RankOneLimit.attempt(problem_of([[2]], opposite)[2])
    assert claim.status is Status.PROVED
    assert not claim.limit.any()


@pytest.mark.parametrize("depth", [2, 3, 5])
def test_constants_are_those_of_the_theorem(depth):
    """Against the formulas with an integral by quadrature; sharp for two modes."""
    z1, z2, s = 2.0, 0.5, 1.5
    u, v = (np.array([np.cos(x), np.sin(x)]) for x in (0.2, 0.35))
    weights = layers(u, v, s ** (1 / depth), depth)
    problem = problem_of([[z1, 0], [0, z2]], weights)[2]
    a, b = u[0], v[0]
    low = min(s, z1 * a * b - z2 * (1 - a * b))
    kappa, pull = (z1 - z2) * low ** (1 - 2 / depth), depth * low ** (2 - 2 / depth)
    tangent = np.tan(np.arccos((a + b) / 2))
    aligned, rate = Alignment.attempt(problem), RankOneRate.attempt(problem)
    assert aligned.kappa == pytest.approx(kappa, rel=1e-11)
    assert rate.rate == pytest.approx(2 * min(kappa, pull), rel=1e-11)
    t = sympy.Symbol("t", nonnegative=True)
    for time in (0.0, 0.4, 1.3, 5.0):
        inner = quad(lambda x, t=time: np.exp(-pull * (t - x) - 2 * kappa * x), 0, time)
        bound = (
            (z1 - s) * np.exp(-pull * time)
            + 2 * depth * z1 ** (3 - 2 / depth) * tangent**2 * inner[0]
            + 2 * z1 * tangent * np.exp(-kappa * time)
        )
        assert rate.bound(time) == pytest.approx(bound**2, rel=1e-7)
        printed = float(rate.statement.rhs.subs(t, time))
        assert rate.bound(time) <= printed <= bound**2 * (1 + 1e-3)
        printed = float(aligned.statement.rhs.subs(t, time))
        exact = np.exp(-2 * kappa * time) * tangent**2
        assert exact * (1 - 1e-10) <= printed <= exact * (1 + 1e-3)


def test_statements_are_true_at_their_own_start(rng):
    """Six digits of α are fewer than the start has: rounded down they say less."""
    for _ in range(30):
        z1, z2 = 2.0, rng.uniform(0, 0.8)
        u, v = (np.array([np.cos(x), np.sin(x)]) for x in rng.uniform(-0.3, 0.3, 2))
        weights = layers(u, v, float(rng.uniform(1, 1.5)), 2)
        claim = StableSet.attempt(problem_of([[z1, 0], [0, z2]], weights)[2])
        numbers = (np.linalg.norm(weights[1] @ weights[0]), u[0] * v[0], z1, z2)
        names = sympy.symbols("s ab z1 z2", positive=True)
        at_start = dict(zip(names, map(sympy.Rational, numbers), strict=True))
        for side in claim.statement.args:
            left, right = (part.subs(at_start) for part in side.args)
            assert left >= right
        (alpha,) = {x for x in claim.statement.atoms(sympy.Float) if x > 0}
        assert 0 <= sympy.Rational(claim.alpha) - sympy.Rational(alpha) < 3e-6


def test_one_condition_has_one_verdict_for_alignment_and_limit():
    """An overlap of 10^−k: both see it, or neither says anything."""
    for k in range(1, 40):
        tiny = F(1, 10**k)
        cosine, sine = (1 - tiny**2) / (1 + tiny**2), 2 * tiny / (1 + tiny**2)
        u, v = np.array([cosine, sine]), np.array([F(-1), F(0)])
        problem = problem_of([[2, 0], [0, 1]], layers(u, v, F(1), 2))[2]
        limit, aligned = (kind.attempt(problem) for kind in (RankOneLimit, Alignment))
        # the first overlap is −tiny²/(1 + tiny²)
        assert isinstance(limit, RankOneLimit) == isinstance(aligned, Alignment)
        assert isinstance(aligned, Alignment) == (k < 15)
        assert isinstance(limit, Refusal) or limit.group == (0,)


def test_whitened_means_the_identity_here():
    flow, _, problem = problem_of([[2, 0], [0, 1]], layers(*np.eye(2, dtype=int), 1, 2))
    data = sf.Moments([[2, 0], [0, 2]], [[2, 0], [0, 1]])
    refusal = RankOneLimit.attempt(bind(flow, data, problem.weights))
    assert "whitened input, Σ_xx = I: fails" in str(refusal)


@pytest.mark.parametrize(
    ("target", "weights"),
    [
        ([[0, 0], [0, 0]], ([[1, 0]], [[0], [1]])),
        ([[1, 0], [0, 1]], ([[0, 0]], [[0], [0]])),
        ([[0, 0], [0, 0]], ([[0, 0]], [[0], [0]])),
        ([[1, 0], [0, 0]], ([[1e-200, 0.0]], [[0.0], [1e-200]])),
        ([[0, 0], [0, 0]], ([[1, 0], [0, 1]], [[1, 0], [0, 1]])),
        ([[1, 0], [0, 0]], ([[0, 0], [0, 0]], [[0, 0], [0, 0]])),
    ],
)
def test_zeros_are_answered_or_refused_in_words(target, weights):
    arrays = [np.asarray(w) for w in weights]
    flow, data, problem = problem_of(target, arrays)
    names = [claim.name for claim in sf.companions(flow, data, arrays)]
    assert "Staircase" not in names
    for kind in (*THEOREMS, sf.convergence.DescentCorridor):
        assert str(kind.attempt(problem))


def test_zero_inputs_are_refused_in_words():
    flow, _, problem = problem_of([[1, 0], [0, 1]], layers(*np.eye(2, dtype=int), 1, 2))
    data = sf.Moments([[0, 0], [0, 0]], [[0, 0], [0, 0]])
    with pytest.raises(sf.InvalidData, match="all inputs are zero"):
        sf.rates(flow, data, problem.weights)


@pytest.mark.parametrize("kind", THEOREMS)
def test_every_identity_of_a_proof_fails_when_a_term_is_changed(kind):
    for identity in kind.proof():
        assert identity.holds
        terms = sympy.Add.make_args(identity.residual)
        for k in range(len(terms)) if identity.residual != 0 else ():
            changed = (
                sum(terms[:k]) + sympy.Rational(8, 7) * terms[k] + sum(terms[k + 1 :])
            )
            assert not Identity(identity.words, changed).holds


@pytest.mark.parametrize("scale", [F(1, 100), 0.01, 1e-7])
def test_late_and_precise_paths_do_not_refute_the_staircase(scale):
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    data, init = sf.whitened([[3, 0], [0, 2]]), sf.spectral_init(scale)
    claim = Staircase.attempt(bind(flow, data, init))
    assert max(claim.residuals(sf.simulate(flow, data, init, [5, 10, 20]))) < 1e-9
    assert (
        max(claim.residuals(sf.precise(flow, data, init, [0, 2, 60], digits=50)))
        < 1e-45
    )
    shifted = replace(claim, problem=bind(flow, data, sf.spectral_init(scale / 3)))
    assert (
        max(shifted.residuals(sf.simulate(flow, data, init, np.linspace(0, 12, 25))))
        > 1e-3
    )


def test_staircase_speaks_of_the_same_bound_everywhere():
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    claim = Staircase.attempt(
        bind(flow, sf.whitened([[3, 0], [0, 2]]), sf.spectral_init(0.1))
    )
    t = sympy.Symbol("t", nonnegative=True)
    for time in (0.0, 0.7, 2.0, 9.0):
        printed = [float(side.rhs.subs(t, time)) for side in claim.statement.args]
        bounds = claim.bound(np.array([time]))[0]
        assert sorted(printed) == pytest.approx(sorted(bounds), rel=1e-4)
        assert np.all(np.sort(printed) >= np.sort(bounds))


def test_faint_modes_are_refused_and_not_dropped():
    """A mode of 1e-13 has a goal of its own where its input is as faint."""
    tiny = F(1, 10**13)
    data = sf.Moments([[1, 0], [0, tiny]], [[1, 0], [0, tiny]])
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss())
    start = [[F(1, 10), 0], [0, F(1, 10)]]
    refusal = Staircase.attempt(bind(flow, data, (start, start)))
    assert "of a rank that can be told: fails" in str(refusal)
