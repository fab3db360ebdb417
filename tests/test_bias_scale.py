"""Explicit scales for the rich and the lazy regime of u∘u − v∘v."""

import numpy as np
import pytest

import symflow as sf
from symflow.bias import DifferenceMap, least_potential
from symflow.bias.scale import lazy_excess, lazy_scale, rich_excess, rich_scale
from symflow.gallery.limits import least_l1


def test_inequalities_behind_the_bounds():
    """|z|ln|z| − |z| ≤ q ≤ |z|ln(1+|z|), z²/(2√(4+z̄²)) ≤ q ≤ z²/4."""
    z = np.geomspace(1e-3, 1e6, 200)
    q = 2 - np.sqrt(4 + z**2) + z * np.arcsinh(z / 2)
    rounding = 1e-12 * (1 + z)
    assert np.all(z * np.log(z) - z <= q + rounding)
    assert np.all(q <= z * np.log1p(z) + rounding)
    assert np.all(z**2 / (2 * np.sqrt(4 + z**2)) <= q + rounding)
    assert np.all(q <= z**2 / 4 + rounding)


def test_excess_is_bounded_at_every_scale(rng):
    for _ in range(20):
        X, y = rng.standard_normal((3, 6)), rng.standard_normal(3)
        one, two = least_l1(X, y), float(np.linalg.norm(np.linalg.lstsq(X, y)[0]))
        for alpha in (1e-12, 1e-3, 0.1, 1.0, 5.0):
            beta = least_potential(DifferenceMap(2), np.full(6, alpha), X, y)
            assert np.sum(np.abs(beta)) <= one * rich_excess(alpha, one, 6) * (1 + 1e-9)
            assert np.sum(beta**2) <= two**2 * lazy_excess(alpha, two) * (1 + 1e-9)


def test_scales_meet_their_excess_and_are_not_needlessly_small():
    for part in (1.0, 0.1, 0.05):
        rich, lazy = rich_scale(2.0, 8, part), lazy_scale(2.0, part)
        assert rich_excess(rich, 2.0, 8) <= 1 + part
        assert rich_excess(1.01 * rich, 2.0, 8) > 1 + part
        assert lazy_excess(lazy, 2.0) == pytest.approx(1 + part)
    # Woodworth et al. (2020), as remembered, ask for a larger start to be lazy
    assert lazy_scale(2.0, 0.5) < np.sqrt(2 * 1.5 * 5 * 2.0)
    # the rich regime is exponentially far: 1/ln(1/α) ~ ε
    logs = [np.log(rich_scale(2.0, 8, part)) for part in (0.1, 0.05)]
    assert logs[1] / logs[0] == pytest.approx(2, rel=0.1)


def test_bad_parts_are_refused():
    with pytest.raises(sf.InvalidArgument, match="needs a positive number"):
        lazy_scale(1.0, 0.0)
    with pytest.raises(sf.InvalidArgument, match="below 1e-300"):
        rich_scale(1.0, 10, 1e-6)
