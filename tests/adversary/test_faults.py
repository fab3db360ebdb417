"""A short form of `faults.py`: kills, races and damaged files."""

from __future__ import annotations

import os

import pytest

from adversary.faults import damages, kills, races

pytestmark = pytest.mark.skipif(
    not hasattr(os, "fork"), reason="needs fork and SIGKILL"
)


def test_damage_costs_no_more_than_the_records_it_touches(tmp_path):
    assert list(damages(tmp_path, 42, seed=1)) == []


def test_one_of_two_writers_holds_the_file(tmp_path):
    assert list(races(tmp_path, 12)) == []


def test_sigkill_at_random_moments_loses_and_duplicates_nothing(tmp_path):
    assert list(kills(tmp_path, 10, seed=1, processes=False)) == []


@pytest.mark.slow
def test_no_worker_outlives_a_sweep_that_is_killed(tmp_path):
    assert list(kills(tmp_path, 1, seed=1, processes=True)) == []
