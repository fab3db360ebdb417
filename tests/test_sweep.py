"""Sweeps: the same runs on every executor, after every kind of interruption."""

import json
import os
import signal
import subprocess
import sys
import time
import warnings
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context

import numpy as np
import pytest

import symflow as sf
from symflow.simulation.records import Record, RecordFile

FLOW = sf.gradient_flow(sf.LinearNetwork(3, 2, 2), sf.SquaredLoss())
DATA = sf.Moments(np.diag([1.0, 2.0, 3.0]), [[1.0, 0.5, 0.0], [0.0, 0.25, 1.0]])
INIT = sf.gaussian_init(0.3, rng=5)
PROBLEM = (FLOW, DATA, INIT, [0, 1.5, 4])


class Inline:
    """An executor that runs a task at once and counts."""

    def __init__(self):
        self.count = 0

    def submit(self, function, *arguments):
        self.count += 1
        future = Future()
        future.set_result(function(*arguments))
        return future


@dataclass(frozen=True)
class Fragile(sf.Init):
    """Draws like INIT, except that one draw of three fails."""

    seed: int = 0

    @property
    def tags(self):
        return frozenset()

    def draw(self, network, data=None, rng=None, *, digits=None):
        if rng is not None and rng.integers(3) == 0:
            raise sf.InvalidData("this start is bad")
        return INIT.draw(network, data, rng, digits=digits)


def test_run_k_is_the_draw_of_the_kth_spawned_generator():
    done = sf.sweep(*PROBLEM, runs=5, rng=11, executor=Inline())
    for k, child in enumerate(np.random.SeedSequence(11).spawn(5)):
        generator = np.random.default_rng(child)
        alone = sf.simulate(*PROBLEM, rng=generator)
        assert np.array_equal(done.end_to_end[k], alone.end_to_end)
        assert np.array_equal(done[k].weights[1], alone.weights[1])
    assert done.final.shape == (5, 2, 3)
    more = sf.sweep(*PROBLEM, runs=7, rng=11, executor=Inline())
    assert np.array_equal(more.end_to_end[:5], done.end_to_end)


def test_threads_and_processes_give_the_same_bits_and_the_same_file(tmp_path):
    files = [tmp_path / name for name in ("inline", "threads", "processes")]
    first = sf.sweep(*PROBLEM, runs=6, executor=Inline(), path=files[0])
    with ThreadPoolExecutor(1) as pool:
        second = sf.sweep(*PROBLEM, runs=6, executor=pool, path=files[1])
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        third = sf.sweep(*PROBLEM, runs=6, executor=pool, path=files[2])
    assert np.array_equal(first.end_to_end, second.end_to_end)
    assert np.array_equal(first.end_to_end, third.end_to_end)
    assert files[0].read_bytes() == files[1].read_bytes() == files[2].read_bytes()


SCRIPT = """
import symflow as sf

flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
{rule}
done = sf.sweep(flow, sf.whitened([[1.0]]), {init}, [0, 1], runs=2, rng=0)
print(done.final.shape)
"""
SUBCLASS = "class Mine(type(sf.gaussian_init(0.1))): pass"


def _run_script(folder, **parts):
    path = folder / "script.py"
    path.write_text(SCRIPT.format(**parts))
    command = [sys.executable, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_script_without_a_guard_is_not_run_again_by_its_workers(tmp_path):
    run = _run_script(tmp_path, rule="", init="sf.gaussian_init(0.1)")
    assert run.stdout == "(2, 1, 1)\n", run.stderr


@pytest.mark.slow
def test_a_script_that_defines_its_rule_is_told_to_guard_the_call(tmp_path):
    run = _run_script(tmp_path, rule=SUBCLASS, init="Mine(0.1, 0.5, 1)")
    assert run.returncode == 1
    assert "if __name__ == '__main__':" in run.stderr


def test_a_rule_that_cannot_be_pickled_is_refused():
    @dataclass(frozen=True)
    class Local(Fragile):
        pass

    with pytest.raises(sf.InvalidArgument, match="top level of a module"):
        sf.sweep(*PROBLEM[:2], Local(), [0, 1], runs=2)


def test_many_threads_do_not_share_memory():
    """Systems own their scratch memory, so that trajectories may run side by side."""
    alone = sf.sweep(*PROBLEM, runs=24, executor=Inline())
    with ThreadPoolExecutor(4) as pool:
        together = sf.sweep(*PROBLEM, runs=24, executor=pool)
    assert np.array_equal(alone.end_to_end, together.end_to_end)


def test_a_finished_file_is_not_computed_again(tmp_path):
    path, pool = tmp_path / "runs", Inline()
    done = sf.sweep(*PROBLEM, runs=4, executor=pool, path=path)
    again = sf.sweep(*PROBLEM, runs=4, executor=pool, path=path)
    assert pool.count == 4
    assert np.array_equal(done.end_to_end, again.end_to_end)
    sf.sweep(*PROBLEM, runs=6, executor=pool, path=path)
    assert pool.count == 6


@pytest.mark.parametrize("cut", [1, 40, 300])
def test_a_file_that_was_cut_off_goes_on_from_its_last_sound_record(tmp_path, cut):
    path, pool = tmp_path / "runs", Inline()
    sf.sweep(*PROBLEM, runs=4, executor=pool, path=path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    sf.sweep(*PROBLEM, runs=4, executor=pool, path=path)
    assert pool.count == 5
    assert path.read_bytes() == whole


def test_a_flipped_bit_is_noticed(tmp_path):
    path, pool = tmp_path / "runs", Inline()
    sf.sweep(*PROBLEM, runs=4, executor=pool, path=path)
    whole = bytearray(path.read_bytes())
    whole[-20] ^= 1
    path.write_bytes(whole)
    sf.sweep(*PROBLEM, runs=4, executor=pool, path=path)
    assert pool.count == 5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rng": 1}, "rng"),
        ({"method": sf.DOP853(rtol=1e-6)}, "method"),
    ],
)
def test_the_file_of_another_sweep_is_refused(tmp_path, change, message):
    path = tmp_path / "runs"
    sf.sweep(*PROBLEM, runs=1, executor=Inline(), path=path)
    with pytest.raises(sf.InvalidArgument, match=f"differ in {message}"):
        sf.sweep(*PROBLEM, runs=1, executor=Inline(), path=path, **change)


def test_a_file_that_is_something_else_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "thesis.txt"
    path.write_text("important")
    with pytest.raises(sf.InvalidArgument, match="not a file of a sweep"):
        sf.sweep(*PROBLEM, runs=1, executor=Inline(), path=path)
    assert path.read_text() == "important"
    with pytest.raises(sf.OutputError, match="cannot write there"):
        sf.sweep(*PROBLEM, runs=1, executor=Inline(), path=tmp_path / "no" / "runs")


def test_two_sweeps_do_not_write_one_file(tmp_path):
    pytest.importorskip("fcntl")
    path = tmp_path / "runs"
    header = {"format": "x"}
    with (
        RecordFile(path, header),
        pytest.raises(sf.OutputError, match="another process"),
    ):
        RecordFile(path, header)


def test_failures_are_recorded_and_the_other_runs_kept(tmp_path):
    problem = (FLOW, DATA, Fragile(), [0, 2])
    path, pool = tmp_path / "runs", Inline()
    done = sf.sweep(*problem, runs=12, rng=1, executor=pool, path=path)
    assert 0 < len(done.failures) < 12
    assert set(done.failures.values()) == {"InvalidData: this start is bad"}
    for run in range(12):
        assert np.isnan(done.final[run]).all() == (run in done.failures)
    assert done.summary["failed"] == len(done.failures)
    sf.sweep(*problem, runs=12, rng=1, executor=pool, path=path)
    assert pool.count == 12


def test_a_sweep_in_which_nothing_works_says_why():
    narrow = sf.whitened([[1.0], [2.0]])
    with pytest.raises(sf.IntegrationFailed, match="all 2 runs failed; run 0: Shape"):
        sf.sweep(FLOW, narrow, INIT, [1], runs=2, executor=Inline())


def test_progress_counts_the_runs():
    seen = []
    sf.sweep(*PROBLEM, runs=4, executor=Inline(), progress=seen.append)
    assert seen == [0, 0.25, 0.5, 0.75, 1]


def test_tables_hold_the_runs():
    pytest.importorskip("pandas")
    done = sf.sweep(*PROBLEM, runs=3, executor=Inline())
    frame = done.to_frame()
    assert list(frame.columns) == ["run", "t", "loss", "mode_1", "mode_2", "error"]
    row = frame[(frame["run"] == 2) & (frame["t"] == 4.0)].iloc[0]
    assert row["mode_1"] == np.linalg.norm(done.final[2], 2)
    assert row["loss"] == done[2].loss[-1]


@pytest.mark.optional
def test_labelled_arrays_hold_the_runs():
    pytest.importorskip("xarray")
    done = sf.sweep(*PROBLEM, runs=3, executor=Inline())
    labelled = done.to_xarray()
    assert np.array_equal(
        labelled["end_to_end"].sel(run=1, t=1.5), done.end_to_end[1, 1]
    )
    assert labelled["W2"].shape == (3, 3, 2, 2)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (PROBLEM, {"runs": 0}, "positive number of runs; got 0"),
        ((FLOW, DATA, [np.ones((2, 3)), np.eye(2)], [1]), {}, "needs a rule such as"),
        ((FLOW, DATA, INIT, [2, 1]), {}, "times have to increase"),
        (PROBLEM, {"rng": "seven"}, "rng needs"),
    ],
)
def test_arguments_of_a_sweep_are_checked(arguments, options, message):
    with pytest.raises(sf.InvalidArgument, match=message):
        sf.sweep(*arguments, executor=Inline(), **options)


class Breaking(Inline):
    """An executor whose workers die at the third task."""

    def submit(self, function, *arguments):
        if self.count >= 2:
            raise BrokenProcessPool("a worker ended")
        return super().submit(function, *arguments)


def test_an_executor_that_breaks_loses_nothing_that_came_back(tmp_path):
    path = tmp_path / "runs"
    with pytest.raises(sf.WorkerLost, match="3 runs did not come back"):
        sf.sweep(*PROBLEM, runs=5, executor=Breaking(), path=path)
    pool = Inline()
    resumed = sf.sweep(*PROBLEM, runs=5, executor=pool, path=path)
    assert pool.count == 3
    whole = sf.sweep(*PROBLEM, runs=5, executor=Inline())
    assert np.array_equal(resumed.end_to_end, whole.end_to_end)


def test_records_survive_the_trip_to_bytes():
    arrays = (np.arange(6.0).reshape(2, 3), np.array([[np.pi]]))
    body = Record(7, arrays, {"steps": 3}, "").encode()
    back = Record.decode(body)
    assert (back.run, back.stats) == (7, {"steps": 3})
    assert all(map(np.array_equal, back.arrays, arrays))
    assert json.loads(body.partition(b"\n")[0])["shapes"] == [[2, 3], [1, 1]]


def sweep_in_a_child(path):
    """Fork; the child sweeps, one run after the other, until it is killed or done."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Python 3.12 warns of forks beside threads
        child = os.fork()
    if child == 0:
        try:
            with ThreadPoolExecutor(1) as pool:
                sf.sweep(*PROBLEM, runs=RUNS, executor=pool, path=path)
        finally:
            os._exit(0)
    return child


RUNS = 150


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
def test_sigkill_at_random_moments_loses_and_duplicates_nothing(tmp_path):
    path, counts = tmp_path / "runs", [0]
    moments = np.random.default_rng()
    for _ in range(10):
        # The moment is random in bytes: a busy machine may take its time.
        before = path.stat().st_size if path.exists() else 0
        child = sweep_in_a_child(path)
        growth, patience = moments.integers(1, 9000), time.monotonic() + 20
        while time.monotonic() < patience:
            if path.exists() and path.stat().st_size >= before + growth:
                break
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        with RecordFile(path, {}) as file:
            counts.append(len(file.records))
    assert counts == sorted(counts)
    assert counts[-1] > 0
    pool = Inline()
    resumed = sf.sweep(*PROBLEM, runs=RUNS, executor=pool, path=path)
    assert pool.count == RUNS - counts[-1]
    fresh = tmp_path / "fresh"
    whole = sf.sweep(*PROBLEM, runs=RUNS, executor=Inline(), path=fresh)
    assert path.read_bytes() == fresh.read_bytes()
    assert np.array_equal(resumed.end_to_end, whole.end_to_end)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.optional
def test_a_dask_cluster_that_loses_a_worker_gives_the_same_runs(tmp_path):
    distributed = pytest.importorskip("distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with (
        distributed.LocalCluster(**options, silence_logs=50) as cluster,
        distributed.Client(cluster) as client,
    ):
        victim = next(iter(client.run(os.getpid).values()))

        def kill(fraction):
            nonlocal victim
            if fraction > 0 and victim:
                os.kill(victim, signal.SIGKILL)
                victim = None

        done = sf.sweep(
            *PROBLEM, runs=40, executor=client.get_executor(), progress=kill
        )
        assert victim is None
    alone = sf.sweep(*PROBLEM, runs=40, executor=Inline())
    assert np.array_equal(done.end_to_end, alone.end_to_end)
    assert done.failures == {}
