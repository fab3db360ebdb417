"""Counts of wide chains from a few units: the ranks of the chains themselves agree."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from oracles.counts import two_layer_count

import symflow as sf
from symflow.conservation import count as module
from symflow.conservation.brackets import gradient_fields, jacobian, rank
from symflow.conservation.count import _few_ranks
from symflow.conservation.units import Units, arrangements


def settled(widths, copies):
    """Return the counts that arrangements of a chain settle."""
    return {
        units.laws()
        for units in itertools.islice(arrangements(widths), 2)
        if (found := _few_ranks(units, copies, 0)).complete
        and found.laws == units.laws(copies)
    }


def test_two_layers_of_every_small_width():
    for widths in itertools.product(range(1, 5), repeat=3):
        d, h, m = widths
        found, expected = settled(widths, 2), {two_layer_count(*widths)}
        assert found <= expected
        assert found == expected or h > d + m or min(widths) == 1


@pytest.mark.parametrize(("depth", "parameters"), [(3, 13), (4, 10)])
def test_no_deep_chain_is_settled_with_another_count(depth, parameters):
    seen = 0
    for widths in itertools.product((1, 2, 3), repeat=depth + 1):
        if sum(map(np.prod, itertools.pairwise(widths))) > parameters:
            continue
        truth = sf.count_conserved(sf.LinearNetwork(*widths))
        found = settled(widths, 2)
        assert found <= ({truth.independent} if truth.complete else set())
        seen += bool(found)
    assert seen > 2


@pytest.mark.parametrize(
    "widths", [(8, 6, 5, 3), (6, 9, 6), (5, 6, 5, 6), (7, 8, 9, 7), (7, 7, 7)]
)
def test_wide_chains_agree_with_their_own_ranks(widths, monkeypatch):
    network = sf.LinearNetwork(*widths)
    monkeypatch.setattr(module, "FEW_PARAMETERS", 10**9)
    own = sf.count_conserved(network)
    monkeypatch.setattr(module, "FEW_PARAMETERS", 0)
    few = sf.count_conserved(network)
    assert few.certificate.network != own.certificate.network
    for name in ("independent", "known", "complete", "lie_dimension", "parameters"):
        assert getattr(few, name) == getattr(own, name)


@pytest.mark.parametrize("widths", [(1, 6, 6, 1), (1, 4, 3, 4, 1), (3, 1, 5, 5, 1)])
def test_exceptional_chains_are_never_settled_by_units(widths):
    for copies in (2, 3):
        assert settled(widths, copies) == set()


def test_the_rank_of_the_imbalances_is_that_of_their_jacobian():
    units = Units({(True, True, True, False): 3, (False, True, True, True): 2})
    network = units.few(3)
    assert network == sf.LinearNetwork(3, 5, 5, 2)
    laws = [
        law.node for law in sf.conserved(sf.gradient_flow(network, sf.SquaredLoss()))
    ]
    fields = gradient_fields(network)
    point = fields.point(np.random.default_rng(5))
    point = [x * mask for x, mask in zip(point, units.masks(3), strict=True)]
    assert [int(mask.sum()) for mask in units.masks(3)] == [3, 5, 2]
    assert rank(jacobian(laws, fields.state, point)) == units.laws(3) == units.laws()


@pytest.mark.parametrize(
    ("widths", "laws"),
    [
        ((784, 512, 256, 10), 512 * 513 // 2 + 256 * 257 // 2),
        ((200, 64, 10), 64 * 65 // 2),
        ((784, 800, 10), two_layer_count(784, 800, 10)),
        ((20, 30, 40, 30, 20), 465 + 820 + 465),
    ],
)
def test_wide_networks_take_no_time(widths, laws):
    count = sf.count_conserved(sf.LinearNetwork(*widths))
    assert (count.independent, count.known, count.complete) == (laws, laws, True)
    assert count.settled
    assert count.parameters == sum(a * b for a, b in itertools.pairwise(widths))
    assert count.lie_dimension == count.parameters - laws
    assert (
        sum(w.shape[0] * w.shape[1] for w in count.certificate.network.parameters) < 200
    )


def test_what_would_take_too_much_memory_is_refused_beforehand():
    for network in (sf.LinearNetwork(1, 300, 300, 1), sf.DiagonalNetwork(2000, 2)):
        with pytest.raises(sf.InvalidArgument, match=r"take about \d+ GB"):
            sf.count_conserved(network)
