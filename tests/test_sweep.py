"""Sweeps: the same runs on every executor, after every kind of interruption."""

import json
import multiprocessing
import os
import pickle
import re
import signal
import subprocess
import sys
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from threading import Lock

import numpy as np
import pytest
from adversary.faults import room_for

import symflow as sf
from symflow.simulation.pool import ATTEMPTS, outcomes
from symflow.simulation.records import Record, RecordFile
from symflow.simulation.sweep import prepared

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


#: Unguarded, as in a notebook, and its rule can be imported from nowhere.
SCRIPT = """
import os, sys, time
import symflow as sf

class Mine(sf.Init):
    tags = frozenset()

    def __init__(self):
        self.state = "something"

    def __setstate__(self, state):
        print("BLAS threads:", os.environ["OPENBLAS_NUM_THREADS"], flush=True)

    def draw(self, network, data=None, rng=None, *, digits=None):
        time.sleep(float(sys.argv[2]))
        return sf.gaussian_init(0.1).draw(network, data, rng, digits=digits)

flow, data = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss()), [[1.0]]
done = sf.sweep(flow, sf.whitened(data), Mine(), [0, 1], runs=6, path=sys.argv[1])
print(done.final.shape)
"""


def start_script(folder, seconds):
    script = folder / "script.py"
    script.write_text(SCRIPT)
    # What a shell starts in the background ignores Ctrl-C, and its children too.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return subprocess.Popen(
            [sys.executable, script, folder / "runs", str(seconds)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")},
        )
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.slow
def test_a_script_sends_its_own_rule_once_to_each_worker(tmp_path):
    shown, complaints = start_script(tmp_path, 0).communicate()
    assert complaints == ""
    *arrived, last = shown.splitlines()
    assert last == "(6, 1, 1)"
    assert set(arrived) == {"BLAS threads: 1"}
    assert len(arrived) <= len(os.sched_getaffinity(0))


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="needs process groups")
def test_control_c_says_what_is_kept_and_workers_say_nothing(tmp_path):
    running = start_script(tmp_path, 0.2)
    # The line of a worker, or of two at once: the first run begins.
    assert running.stdout.readline().startswith("BLAS threads:")
    os.killpg(running.pid, signal.SIGINT)
    _, complaints = running.communicate()
    assert complaints.count("Traceback") == 1
    last = complaints.splitlines()[-1]
    assert re.fullmatch(
        r"KeyboardInterrupt: sweep\(…\): kept [0-6] of 6 runs; call again to resume",
        last,
    )


def test_a_rule_that_cannot_be_sent_is_refused():
    class Locked(Fragile):
        lock = property(lambda self: None)

    rule = Locked()
    object.__setattr__(rule, "held", Lock())
    with pytest.raises(sf.InvalidArgument, match="cannot be sent to another process"):
        sf.sweep(*PROBLEM[:2], rule, [0, 1], runs=2)


def test_a_rule_that_workers_do_not_find_is_refused_in_words():
    class Elsewhere(Inline):
        def submit(self, function, number):
            return super().submit(function.func, b"cnowhere\nMine\n.", number)

    with pytest.raises(sf.InvalidArgument, match=r"cannot read .*No module named"):
        sf.sweep(*PROBLEM, runs=2, executor=Elsewhere())


@pytest.mark.parametrize("loss", [sf.SquaredLoss(), sf.SquaredLoss("sum", 0.1)])
def test_workers_get_the_moments_and_make_the_same_runs(loss, rng):
    data = sf.Dataset(rng.normal(size=(2000, 3)), rng.normal(size=(2000, 2)))
    flow = sf.gradient_flow(sf.LinearNetwork(3, 2, 2), loss)
    task, _ = prepared((flow, data, INIT, [1]), None, 0, None)
    sent = pickle.dumps(task)
    assert len(sent) < 8000  # 80 kB are in the samples
    there, here = pickle.loads(sent)(0), task(0)
    assert all(map(np.array_equal, there.arrays, here.arrays))
    assert there.stats == here.stats


def test_workers_get_the_samples_where_they_are_read(rng):
    data = sf.Dataset(rng.normal(size=(9, 3)), np.sign(rng.normal(size=(9, 2))))
    margins = sf.gradient_flow(sf.LinearNetwork(3, 2, 2), sf.LogisticLoss())
    for problem in ((margins, data, INIT, [1]), (FLOW, data, Fragile(), [1])):
        task, _ = prepared(problem, None, 0, None)
        assert pickle.loads(pickle.dumps(task)).data.X.shape == (9, 3)


def test_a_daemonic_process_uses_threads(monkeypatch):
    monkeypatch.setitem(multiprocessing.current_process()._config, "daemon", True)
    done = sf.sweep(*PROBLEM, runs=2)
    assert np.array_equal(
        done.end_to_end, sf.sweep(*PROBLEM, runs=2, executor=Inline()).end_to_end
    )


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


@pytest.mark.parametrize(("place", "lost"), [(20, ()), (-700, (2,)), (-20, (3,))])
def test_a_flipped_bit_costs_no_more_than_its_record(tmp_path, place, lost):
    path, pool = tmp_path / "runs", Inline()
    sf.sweep(*PROBLEM, runs=4, executor=pool, path=path)
    whole = path.read_bytes()
    spoilt = bytearray(whole)
    spoilt[place] ^= 1
    path.write_bytes(spoilt)
    done = sf.sweep(*PROBLEM, runs=4, executor=pool, path=path)
    assert pool.count == 4 + len(lost)
    assert done.remade == lost
    assert ("made again" in repr(done)) == bool(lost)
    assert path.read_bytes() == whole


def test_a_seed_that_is_overridden_makes_no_other_sweep(tmp_path):
    path, pool = tmp_path / "runs", Inline()
    problem = lambda: (FLOW, DATA, sf.gaussian_init(0.1), [1])  # noqa: E731
    sf.sweep(*problem(), runs=2, executor=pool, path=path)
    whole = path.read_bytes()
    sf.sweep(*problem(), runs=3, executor=pool, path=path)
    assert pool.count == 3
    assert path.read_bytes().startswith(whole)


class Plain(Fragile):
    """A rule whose repr is that of any object, or of its array."""

    __repr__ = object.__repr__

    def __init__(self, given):
        object.__setattr__(self, "given", given)


def test_a_rule_of_the_readers_own_is_told_from_others(tmp_path):
    path, long = tmp_path / "runs", np.zeros(3000)
    first = (FLOW, DATA, Plain(long.copy()), [1])
    sf.sweep(*first, runs=3, executor=Inline(), path=path)
    sf.sweep(*first, runs=3, executor=Breaking(limit=0), path=path)  # all are there
    long[1500] = 1e-9
    with pytest.raises(sf.InvalidArgument, match="differ in init"):
        sf.sweep(FLOW, DATA, Plain(long), [1], executor=Inline(), path=path)
    with pytest.raises(sf.InvalidArgument, match="a __repr__ that names"):
        sf.sweep(FLOW, DATA, Plain(object()), [1], executor=Inline(), path=path)


def records_in_reverse(path, runs):
    """Write all records of a sweep as if it was killed before it was done."""
    task, header = prepared(PROBLEM, None, 0, path)
    with closing(RecordFile(path, header)) as file:
        for run in reversed(range(runs)):
            file.append(task(run))


def test_a_file_that_was_left_out_of_order_is_put_in_order(tmp_path):
    path, fresh = tmp_path / "runs", tmp_path / "fresh"
    records_in_reverse(path, 4)
    sf.sweep(*PROBLEM, runs=4, executor=Breaking(limit=0), path=path)
    sf.sweep(*PROBLEM, runs=4, executor=Inline(), path=fresh)
    assert path.read_bytes() == fresh.read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["fresh", "runs"]


def test_a_full_disk_keeps_what_was_written_and_says_so(tmp_path):
    path, fresh, pool = tmp_path / "runs", tmp_path / "fresh", Inline()
    sf.sweep(*PROBLEM, runs=4, executor=pool, path=fresh)
    with (
        room_for(fresh.stat().st_size - 10),
        pytest.raises(sf.OutputError, match=r"cannot write.*kept 3 of 4 runs; call"),
    ):
        sf.sweep(*PROBLEM, runs=4, executor=pool, path=path)
    assert pool.count == 8
    sf.sweep(*PROBLEM, runs=4, executor=pool, path=path)
    assert pool.count == 9
    assert path.read_bytes() == fresh.read_bytes()


def test_a_disk_without_room_for_the_order_loses_nothing(tmp_path):
    path = tmp_path / "runs"
    records_in_reverse(path, 4)
    before = path.read_bytes()
    with room_for(len(before) - 1):
        done = sf.sweep(*PROBLEM, runs=4, executor=Breaking(limit=0), path=path)
    assert len(done) == 4
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["runs"]


@pytest.mark.parametrize("path", ["/dev/full", "/dev/null", "/tmp"])
def test_what_is_no_file_is_refused(path):
    with pytest.raises(sf.OutputError, match="it is no file"):
        sf.sweep(*PROBLEM, runs=1, executor=Inline(), path=path)


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
        closing(RecordFile(path, header)),
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
    with pytest.raises(sf.InvalidArgument, match="all 2 runs failed; run 0: Shape"):
        sf.sweep(FLOW, narrow, INIT, [1], runs=2, executor=Inline())
    huge = sf.gaussian_init(1e200, rng=0)
    with pytest.raises(sf.IntegrationFailed, match="all 2 runs failed; run 0: Int"):
        sf.sweep(FLOW, DATA, huge, [1], runs=2, executor=Inline())


def test_an_interruption_says_what_is_kept(tmp_path):
    def stop(fraction):
        if fraction == 0.5:
            raise KeyboardInterrupt

    options = {"runs": 4, "executor": Inline(), "progress": stop}
    with pytest.raises(KeyboardInterrupt, match="kept 2 of 4 runs; call again to res"):
        sf.sweep(*PROBLEM, **options, path=tmp_path / "runs")
    with pytest.raises(KeyboardInterrupt, match="kept none of 4 runs; give path="):
        sf.sweep(*PROBLEM, **options)


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
        (PROBLEM, {"runs": 0}, "needs an integer from 1"),
        (PROBLEM, {"runs": 10**9}, "no more than 10000000"),
        ((FLOW, DATA, [np.ones((2, 3)), np.eye(2)], [1]), {}, "needs a rule such as"),
        ((FLOW, DATA, INIT, [2, 1]), {}, "times have to increase"),
        (PROBLEM, {"rng": "seven"}, "rng needs"),
        (PROBLEM, {"rng": 10**5000}, "rng needs"),
        (PROBLEM, {"method": "RK45"}, "needs a method such as"),
    ],
)
def test_arguments_of_a_sweep_are_checked(arguments, options, message):
    with pytest.raises(sf.InvalidArgument, match=message):
        sf.sweep(*arguments, executor=Inline(), **options)


class Breaking(Inline):
    """An executor whose workers die after some tasks."""

    def __init__(self, limit=2):
        super().__init__()
        self.limit = limit

    def submit(self, function, *arguments):
        if self.count >= self.limit:
            raise BrokenProcessPool("a worker ended")
        return super().submit(function, *arguments)


class Deadly:
    """A pool with a worker per task in flight, all of which die with some numbers."""

    def __init__(self, deadly, width):
        self.deadly, self.width, self.flying = deadly, width, {}

    def submit(self, number):
        if self.flying is None:
            raise BrokenProcessPool("broken")
        future = self.flying[number] = Future()
        # The one that breaks it is noticed last, when others are at work too.
        if len(self.flying) == self.width:
            self.end()
        return future

    def end(self):
        flying, dies = self.flying, self.deadly & self.flying.keys()
        self.flying = None if dies else {}
        for number, future in flying.items():
            if dies:
                future.set_exception(BrokenProcessPool("killed"))
            else:
                future.set_result(number)


@pytest.mark.parametrize("width", [1, 2, 3])
@pytest.mark.parametrize("deadly", [set(), {3}, {0, 5}, set(range(6))])
def test_a_run_that_no_worker_survives_is_named_and_the_others_done(
    monkeypatch, deadly, width
):
    pools = []

    @contextmanager
    def processes(payload, count):
        pools.append(Deadly(deadly, min(width, count)))
        yield pools[-1].submit, pools[-1].width

    monkeypatch.setattr("symflow.simulation.pool._processes", processes)
    arriving, done = outcomes(int, range(6), None), []
    if not deadly:
        assert sorted(arriving) == list(range(6))
        assert len(pools) == 1
        return
    named = re.escape(", ".join(map(str, sorted(deadly))))
    with pytest.raises(sf.WorkerLost, match=rf"did not come back \({named}\)"):
        done.extend(arriving)
    assert sorted(done) == sorted(set(range(6)) - deadly)
    # One beside others, the rest alone.
    assert len(pools) <= 1 + len(deadly) * ATTEMPTS


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
