"""Dense closed forms on random problems: digits, floats, and each other."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings, strategies as st
from oracles.agreement import as_markdown, table

import symflow as sf
from symflow.flow.problem import bind
from symflow.precision import enclose, precise
from symflow.solutions import SOLUTIONS
from symflow.solutions.any_precision import context_of

ENTRIES = {entry.__name__: entry for entry in SOLUTIONS}
DENSE = [
    "LinearRegression",
    "LogisticMode",
    "HyperbolicMode",
    "DeepMode",
    "RankOne",
    "Riccati",
    "SymmetricRiccati",
]


def _diagonal(rng, rows, columns, scale):
    return np.eye(rows, columns) * (scale * rng.normal(size=columns))


def _case(name, seed, scale=0.5):
    """Return a random problem that an entry solves, with weights of size `scale`."""
    rng = np.random.default_rng(seed)
    d, h, m = (int(size) for size in rng.integers(1, 4, 3))
    widths, init = (d, h, m), None
    data = sf.whitened(rng.normal(size=(m, d)))
    if name == "LinearRegression":
        widths, init = (d, m), [scale * rng.normal(size=(m, d))]
        data = sf.Dataset(rng.normal(size=(4, d)), rng.normal(size=(4, m)))
    elif name == "LogisticMode":
        init = sf.spectral_init(scale, rng=seed)
    elif name == "HyperbolicMode":
        data = sf.Moments(np.diag(rng.uniform(0.5, 2, d)), _diagonal(rng, m, d, 1))
        init = _diagonal(rng, h, d, scale), _diagonal(rng, m, h, 1)
    elif name == "DeepMode":
        widths, init = (d, h, h, m), sf.spectral_init(scale, rng=seed)
    elif name == "RankOne":
        widths, init = (d, 1, h, m), sf.rank_one_init(scale, rng=seed)
    elif name == "Riccati":
        lam = float(rng.choice([-5, -1, 0, 0.5, 1, 10, 100]))
        widths = (d, min(d, h, m), m)
        init = sf.lambda_balanced_init(lam, scale, rng=seed + 1)
    network = sf.LinearNetwork(*widths)
    if name == "SymmetricRiccati":
        network, data = (
            sf.SymmetricFactorization(d, h),
            sf.whitened(rng.normal(size=(d, d))),
        )
        init = [scale * rng.normal(size=(d, h))]
    return sf.gradient_flow(network, sf.SquaredLoss()), data, init


def _gap(first, second, digits):
    """Return the largest difference relative to the largest entry, in many digits."""
    context = context_of(digits + 10)
    pairs = [
        (context.mpf(a), context.mpf(b))
        for a, b in zip(first.flat, second.flat, strict=True)
    ]
    return max(abs(a - b) for a, b in pairs) / (max(abs(b) for _, b in pairs) or 1)


@pytest.mark.slow
@pytest.mark.parametrize("name", DENSE)
@settings(max_examples=4)
@given(
    seed=st.integers(0, 10**6),
    time=st.fractions(0, 5, max_denominator=50),
)
def test_digits_agree_with_integration(name, seed, time):
    flow, data, init = _case(name, seed)
    solution = ENTRIES[name].attempt(bind(flow, data, init))
    run = precise(flow, data, init, [time], digits=35)
    gap = _gap(solution.precise(time, digits=35), run.end_to_end[0], 35)
    # a drawn start satisfies the hypotheses to the digits that it is drawn with
    assert gap < 1e-30 or gap < max(solution.slack(run))


@pytest.mark.slow
@pytest.mark.parametrize("name", DENSE)
@settings(max_examples=8)
@given(
    seed=st.integers(0, 10**6),
    scale=st.integers(-12, 6),
    time=st.one_of(
        st.floats(0, 1e8), st.floats(0, 30), st.floats(-8, 8).map(lambda e: 10**e)
    ),
)
def test_floats_are_right_at_any_time_and_scale(name, seed, scale, time):
    solution = ENTRIES[name].attempt(bind(*_case(name, seed, 10.0**scale)))
    sharp = solution.precise(time, digits=25).astype(float)
    gap = np.abs(solution.end_to_end(time) - sharp).max()
    assert gap <= 1e-12 * np.abs(sharp).max()


# `enclose` proves products of layers; test_solutions_enclosed has the balls of UUᵀ
@pytest.mark.parametrize("name", DENSE[:-1])
def test_proven_balls_of_the_flow_meet_the_closed_form(name):
    flow, data, init = _case(name, 7)
    solution = ENTRIES[name].attempt(bind(flow, data, init))
    ball = enclose(flow, data, init, [1], digits=25)
    value = solution.precise(1, digits=40)
    context = context_of(50)
    pairs = zip(value.flat, ball.end_to_end[0].flat, strict=True)
    gap = max(abs(context.mpf(a) - context.mpf(b)) for a, b in pairs)
    scale = max(abs(entry) for entry in value.flat)
    assert gap <= float(ball.end_to_end_radius[0]) + float(
        scale * max(solution.slack(ball))
    )


CROWDED = {
    "two layers": (
        (3, 3, 3),
        "spectral",
        ["LogisticMode", "HyperbolicMode", "Riccati"],
    ),
    "one neuron": (
        (2, 1, 3),
        "spectral",
        ["LogisticMode", "HyperbolicMode", "RankOne", "Riccati"],
    ),
    "any direction": ((2, 1, 3), "rank one", ["RankOne", "Riccati"]),
    "deep and thin": ((2, 1, 2, 2), "spectral", ["DeepMode", "RankOne"]),
}


@pytest.mark.parametrize("kind", CROWDED)
def test_all_solutions_of_a_problem_agree(kind):
    widths, start, expected = CROWDED[kind]
    target = np.random.default_rng(5).normal(size=(widths[-1], widths[0]))
    init = (
        sf.spectral_init(Fraction(1, 5))
        if start == "spectral"
        else sf.rank_one_init(Fraction(1, 5), rng=1)
    )
    flow = sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss())
    found = sf.solve(flow, sf.whitened(target), init, all=True)
    assert [solution.name for solution in found] == expected
    times = np.array([0.0, 0.1, 1.0, 4.0, 20.0, 1e3, 1e8])
    first, *others = found
    for other in others:
        assert np.abs(first.end_to_end(times) - other.end_to_end(times)).max() < 1e-12
        gap = _gap(first.precise(3, digits=40), other.precise(3, digits=40), 40)
        assert gap < 1e-35
        for mine, theirs in zip(
            first.weights(times[:5]), other.weights(times[:5]), strict=True
        ):
            assert np.abs(mine - theirs).max() < 1e-10


def test_every_entry_has_a_reference_instance_and_a_line_of_the_table():
    from symflow.gallery.trajectories import REFERENCES, solution_of

    assert set(REFERENCES) == set(ENTRIES)
    rows = table([solution_of("RankOne"), solution_of("LogisticMode")], [1], digits=30)
    assert [row.proof for row in rows] == ["0", "0"]
    assert all(row.digits == 30 and row.float_digits >= 14 for row in rows)
    assert "| RankOne | Eftekhari 2020 | 0 | 30 (t = 1 … 1) |" in as_markdown(rows)


@pytest.mark.parametrize("widths", [(50, 45, 48), (44, 4, 4, 6)])
def test_wide_networks_are_solved_in_float64(widths):
    """Beyond 40 inputs nothing is drawn to 30 digits, and all routes still agree."""
    target = np.random.default_rng(3).normal(size=(widths[-1], widths[0])) / 7
    flow, data = (
        sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss()),
        sf.whitened(target),
    )
    found = sf.solve(flow, data, sf.spectral_init(0.3, rng=1), all=True)
    deep = len(widths) > 3
    names = ["DeepMode"] if deep else ["LogisticMode", "HyperbolicMode", "Riccati"]
    assert [solution.name for solution in found] == names
    times = np.array([0.0, 0.5, 2.0, 8.0])
    run = sf.simulate(
        flow, data, sf.spectral_init(0.3, rng=1), times, method=sf.DOP853(rtol=1e-12)
    )
    for solution in found:
        assert np.abs(solution.end_to_end(times) - run.end_to_end).max() < 1e-9
        gap = np.abs(solution.end_to_end(1e8) - solution.limit).max()
        assert gap < 1e-12 or deep
