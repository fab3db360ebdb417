"""Exported integrators against `simulate`, `precise` and themselves in C and C++."""

import pickle
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction

import numpy as np
import pytest
import sympy

import symflow as sf

COMPILER = next(filter(None, map(shutil.which, ("cc", "gcc", "clang"))), None)
needs_compiler = pytest.mark.skipif(COMPILER is None, reason="needs a C compiler")
TARGETS = [pytest.param("c", marks=needs_compiler), "numpy"]

NETWORKS = {
    "one layer": sf.LinearNetwork(3, 2),
    "deep": sf.LinearNetwork(3, 2, 2, 1),
    "wide": sf.LinearNetwork(7, 9, 5),
    "diagonal": sf.DiagonalNetwork(3, depth=3),
    "convolutional": sf.ConvolutionalNetwork(3, filters=(2, 3)),
}
LOSSES = {
    "squared": sf.SquaredLoss(l2=Fraction(1, 4)),
    "exponential": sf.ExponentialLoss(),
    "logistic": sf.LogisticLoss(),
}
TWO = sf.gradient_flow(sf.LinearNetwork(3, 2, 2), sf.SquaredLoss())


def problem(network, loss, seed=0):
    """Return a flow with data and weights that are drawn, and the data's arrays."""
    rng = np.random.default_rng(seed)
    flow = sf.gradient_flow(network, loss)
    inputs, outputs = network.widths[0], network.widths[-1]
    X, Y = rng.standard_normal((6, inputs)), rng.standard_normal((6, outputs))
    data = sf.Dataset(X, Y if isinstance(loss, sf.SquaredLoss) else np.sign(Y))
    weights = [0.5 * rng.standard_normal(symbol.shape) for symbol in flow.state]
    arrays = flow.loss.arrays(data)
    return flow, data, weights, [arrays[symbol.name] for symbol in flow.data]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("network", NETWORKS)
def test_exported_integrators_follow_the_flow(network, loss, target):
    flow, data, weights, arrays = problem(NETWORKS[network], LOSSES[loss])
    t = [0, 0.1, 1, 2.5]
    found = sf.compile_simulator(flow, target)(*weights, *arrays, t)
    run = sf.simulate(flow, data, weights, t)
    for own, other, start in zip(found, run.weights, weights, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-8, atol=1e-9)
        assert np.array_equal(own[0], start)  # to the last bit


@pytest.mark.optional
@pytest.mark.slow  # Numba compiles for half a minute
def test_numba_compiles_the_integrator():
    pytest.importorskip("numba")
    flow, data, weights, arrays = problem(NETWORKS["deep"], LOSSES["logistic"])
    sim = sf.compile_simulator(flow, target="numba")
    run = sf.simulate(flow, data, weights, [0.1, 3])
    for own, other in zip(sim(*weights, *arrays, [0.1, 3]), run.weights, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-8)


@needs_compiler
@pytest.mark.parametrize("loss", LOSSES)
def test_the_tolerance_is_kept_against_series_of_many_digits(loss):
    flow, data, weights, arrays = problem(NETWORKS["deep"], LOSSES[loss])
    right = sf.precise(flow, data, weights, [0, 2], digits=25).weights
    gaps = []
    for rtol in (1e-5, 1e-8, 1e-12):
        found = sf.compile_simulator(flow)(*weights, *arrays, [0, 2], rtol=rtol)
        pairs = zip(found, right, strict=True)
        gaps.append(max(np.max(abs(a - b.astype(float))) for a, b in pairs))
        assert gaps[-1] < 100 * rtol
    assert gaps[0] > gaps[1] > gaps[2]


@pytest.mark.parametrize("target", TARGETS)
def test_leading_dimensions_are_starts(target):
    _, _, _, arrays = problem(TWO.network, TWO.loss)
    rng = np.random.default_rng(3)
    W1, W2 = rng.standard_normal((7, 3, 2, 3)), rng.standard_normal((7, 3, 2, 2))
    sim = sf.compile_simulator(TWO, target)
    many = sim(W1, W2, *arrays, [0.5, 2])
    assert [w.shape for w in many] == [(7, 3, 2, 2, 3), (7, 3, 2, 2, 2)]
    for place in ((0, 0), (3, 2), (6, 1)):
        for whole, one in zip(
            many, sim(W1[place], W2[place], *arrays, [0.5, 2]), strict=True
        ):
            np.testing.assert_allclose(whole[place], one, rtol=1e-9, atol=1e-10)
    single = sim(W1, W2[0, 0], *arrays, 2)
    assert [w.shape for w in single] == [(7, 3, 2, 3), (7, 3, 2, 2)]
    assert [w.shape for w in sim(W1[:0], W2[:0], *arrays, [1])] == [
        (0, 3, 1, 2, 3),
        (0, 3, 1, 2, 2),
    ]


@needs_compiler
def test_more_starts_than_one_call_takes_are_all_done():
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1), sf.SquaredLoss())
    starts = np.linspace(-3, 3, 9000).reshape(-1, 1, 1)
    (end,) = sf.compile_simulator(flow)(starts, [[1.0]], [[2.0]], [0.0, 1.0])
    np.testing.assert_allclose(
        end[:, 1], 2 + (starts - 2) * np.exp(-1), rtol=1e-9, atol=1e-10
    )


BAD = {
    "a start that is not finite": ({0: np.full((2, 3), np.nan)}, sf.InvalidData),
    "data that are not finite": ({2: np.full((3, 3), np.inf)}, sf.InvalidData),
    "another shape": ({1: np.ones((3, 2))}, sf.ShapeMismatch),
    "data in many copies": ({2: np.ones((2, 3, 3))}, sf.ShapeMismatch),
    "starts that do not fit": (
        {0: np.ones((2, 2, 3)), 1: np.ones((3, 2, 2))},
        sf.ShapeMismatch,
    ),
    "complex weights": ({0: np.ones((2, 3)) * 1j}, sf.InvalidArgument),
    "complex times": ({4: [1j]}, sf.InvalidArgument),
    "text": ({0: "W"}, sf.InvalidArgument),
    "times that fall": ({4: [2, 1]}, sf.InvalidArgument),
    "times before the start": ({4: [-1, 1]}, sf.InvalidArgument),
    "times without end": ({4: [np.inf]}, sf.InvalidArgument),
    "no times": ({4: []}, sf.ShapeMismatch),
    "a table of times": ({4: [[1, 2]]}, sf.ShapeMismatch),
    "a flow that explodes": (
        {0: 50 * np.ones((2, 3)), 1: 50 * np.eye(2), 2: -np.eye(3), 4: [100]},
        sf.IntegrationFailed,
    ),
    "weights that overflow": ({0: np.full((2, 3), 1e200)}, sf.IntegrationFailed),
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_integrated_is_refused(case, target):
    changed, error = BAD[case]
    _, _, weights, arrays = problem(TWO.network, TWO.loss)
    given = dict(enumerate([*weights, *arrays, [0, 1]])) | changed
    with pytest.raises(error, match="simulator"):
        sf.compile_simulator(TWO, target)(*given.values())


@needs_compiler
def test_a_stiff_flow_ends_after_so_many_steps():
    _, _, weights, (xx, yx) = problem(TWO.network, TWO.loss)
    with pytest.raises(sf.IntegrationFailed, match="more than 300000 steps"):
        sf.compile_simulator(TWO)(*weights, 1e9 * xx, yx, [1000.0])
    many = [np.stack([weight] * 5000) for weight in weights]  # the first is enough
    with pytest.raises(sf.IntegrationFailed, match="start 0: more than 300000 steps"):
        sf.compile_simulator(TWO)(*many, 1e9 * xx, yx, [1000.0])


@pytest.mark.parametrize(
    "options",
    [{"target": "fortran"}, {"rtol": 0}, {"atol": 2.0}, {"widths": (3, 2)}],
    ids=str,
)
def test_mistakes_of_the_compilation_are_named(options):
    with pytest.raises(sf.InvalidArgument, match="compile_simulator"):
        sf.compile_simulator(TWO, **options)
    with pytest.raises(sf.InvalidArgument, match="needs a gradient flow"):
        sf.compile_simulator(TWO.network)


@needs_compiler
def test_sizes_that_are_open_come_from_the_call():
    flow = sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), sf.SquaredLoss(l2="lam"))
    _, data, weights, arrays = problem(TWO.network, TWO.loss)
    sim = sf.compile_simulator(flow)
    decaying = sf.gradient_flow(TWO.network, sf.SquaredLoss(l2=0.5))
    run = sf.simulate(decaying, data, weights, [1, 2])
    for own, other in zip(
        sim(*weights, *arrays, 0.5, [1, 2]), run.weights, strict=True
    ):
        np.testing.assert_allclose(own, other, rtol=1e-9)
    with pytest.raises(sf.InvalidArgument, match="has none"):
        _ = sim.source
    with pytest.raises(sf.ShapeMismatch, match="W2 has shape"):
        sim(weights[0], weights[0], *arrays, 0.5, [1])


@needs_compiler
def test_simulators_pickle_and_serve_many_threads():
    sim = sf.compile_simulator(TWO)
    _, _, weights, arrays = problem(TWO.network, TWO.loss)
    copied = pickle.loads(pickle.dumps(sim))
    alone = [copied(k * weights[0], weights[1], *arrays, [2.0]) for k in range(20)]
    with ThreadPoolExecutor(8) as pool:
        jobs = [
            pool.submit(sim, k * weights[0], weights[1], *arrays, [2.0])
            for k in range(20)
        ]
    for job, right in zip(jobs, alone, strict=True):
        assert all(map(np.array_equal, job.result(), right))


def test_the_python_file_needs_numpy_alone(tmp_path):
    path = sf.compile_simulator(TWO, target="numpy").write(tmp_path / "flow.py")
    text = path.read_text()
    assert "symflow" not in text.split('"""')[2]
    module = {"__name__": "exported"}
    exec(text, module)
    _, data, weights, arrays = problem(TWO.network, TWO.loss)
    start = np.concatenate([w.ravel() for w in weights])[None]
    t = np.array([2.0])
    states, stats = module["simulate"](start, tuple(arrays), t, 1e-10, 0.0, 0)
    right = sf.simulate(TWO, data, weights, [2]).weights
    np.testing.assert_allclose(states[0, 0, :6], right[0].ravel(), rtol=1e-9)
    assert stats[0, 0] == 0


def run_as(text, compiler, folder, *flags):
    """Compile a file without a warning and return what its test says."""
    path = folder / ("flow.cpp" if "+" in compiler else "flow.c")
    path.write_text(text)
    standard = "-std=c++11" if "+" in compiler else "-std=c99"
    strict = [standard, "-pedantic", "-Wall", "-Wextra", "-Werror", "-O1"]
    program = folder / "program"
    command = [compiler, *strict, *flags, str(path), "-o", str(program), "-lm"]
    subprocess.run(command, check=True)
    if "-c" in flags:
        return None
    return subprocess.run([program], capture_output=True, text=True, check=False)


COMPILERS = [
    pytest.param(name, marks=pytest.mark.skipif(not shutil.which(name), reason=name))
    for name in ("gcc", "g++")
]


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("network", ["deep", "convolutional"])
def test_the_c_file_tests_itself_as_c_and_as_cpp(network, loss, compiler, tmp_path):
    flow, *_ = problem(NETWORKS[network], LOSSES[loss])
    sim = sf.compile_simulator(flow, target="c", samples=6)
    text = sim.write(tmp_path / "given.c").read_text()
    assert text == sim.source
    result = run_as(text, compiler, tmp_path, "-DSELF_TEST")
    assert result.returncode == 0, result.stdout
    assert result.stdout.count("ok") == 9
    run_as(text, compiler, tmp_path, "-DLANES=8", "-c")


FALSE = {
    "the flow": ("sigma_yx[0 * 3 + 0] - ", "sigma_yx[0 * 3 + 0] + "),
    "the method": ("0.054293734116568765", "0.055293734116568765"),
    "the dense output": ("(j % 2 ? 1 - x : x)", "(j % 2 ? 1 + x : x)"),
    "what is finite": ("finite && isfinite(value)", "finite"),
}


@needs_compiler
@pytest.mark.parametrize("part", FALSE)
def test_a_false_file_notices(part, tmp_path):
    text = sf.compile_simulator(TWO).source
    right, wrong = FALSE[part]
    assert right in text
    result = run_as(text.replace(right, wrong), COMPILER, tmp_path, "-DSELF_TEST")
    assert result.returncode == 1
    assert "FAIL" in result.stdout


@needs_compiler
@pytest.mark.parametrize("network", ["deep", "wide"])
def test_an_ensemble_in_c_is_that_of_numpy_to_the_tolerance(network):
    flow, data, weights, _ = problem(NETWORKS[network], LOSSES["squared"])
    rng = np.random.default_rng(5)
    starts = [0.5 * rng.standard_normal((21, *w.shape)) for w in weights]
    known = sf.ensemble(flow, data, starts, [0, 0.3, 3])
    runs = sf.ensemble(flow, data, starts, [0, 0.3, 3], engine="c")
    for own, other, start in zip(runs.weights, known.weights, starts, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-8, atol=1e-9)
        assert np.array_equal(own[:, 0], start)
    assert (known.route, runs.route) == ("float64 (ensemble)", "float64 (ensemble, C)")
    assert abs(runs.stats["steps"] / known.stats["steps"] - 1) < 0.2
    assert sf.ensemble(flow, data, starts, 1, engine="auto").route == known.route


@needs_compiler
def test_starts_that_explode_fail_alone():
    """Three equal weights with the loss −W follow ẇ = w², with a pole at t = 1/w."""
    loss = sf.CustomLoss(-sympy.Trace(sympy.MatrixSymbol("W", 1, 1)))
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1, 1), loss)
    start = np.array([0.1, 1.0, 0.2, 0.0]).reshape(4, 1, 1)
    data, t = sf.whitened([[1.0]]), [0, 0.5, 2]
    known, runs = (
        sf.ensemble(flow, data, [start] * 3, t, engine=engine)
        for engine in ("numpy", "c")
    )
    assert known.stats["failed"] == runs.stats["failed"] == (1,)
    exact = start[:, None] / (1 - start[:, None] * np.reshape(t, (3, 1, 1)))
    exact[1, 2] = np.nan
    np.testing.assert_allclose(runs.weights[0], exact, rtol=1e-8)
    np.testing.assert_allclose(known.weights[0], exact, rtol=1e-8)
    for target in ("c", "numpy"):
        sim = sf.compile_simulator(flow, target)
        with pytest.raises(sf.IntegrationFailed, match=r"start 1: .* to t = 1 of 2"):
            sim(start, start, start, [0, 2])


def test_engines_are_named_and_their_compiler_is_needed(monkeypatch):
    flow = sf.gradient_flow(sf.LinearNetwork(2, 1, 3), sf.SquaredLoss())
    data = sf.whitened(np.ones((3, 2)))
    starts = [np.ones((30_000, 1, 2)), np.ones((30_000, 3, 1))]
    with pytest.raises(sf.InvalidArgument, match="needs one of numpy, c, auto"):
        sf.ensemble(flow, data, starts, 1, engine="fortran")
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(sf.NotInstalled, match="needs a C compiler"):
        sf.ensemble(flow, data, starts, 1, engine="c")
    with pytest.raises(sf.NotInstalled, match="needs a C compiler"):
        sf.compile_simulator(flow)
    few = [w[:100] for w in starts]
    assert sf.ensemble(flow, data, few, 1, engine="auto").route == "float64 (ensemble)"


@needs_compiler
def test_auto_takes_c_where_the_work_is_worth_it():
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    starts = np.linspace(0.1, 3, 25_000).reshape(-1, 1, 1)
    runs = sf.ensemble(
        flow, sf.whitened([[2.0]]), [starts] * 2, [0, 0.1], engine="auto"
    )
    assert runs.route == "float64 (ensemble, C)"
    assert runs.stats["failed"] == ()


@needs_compiler
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("network", ["deep", "wide", "convolutional"])
def test_exported_events_happen_when_they_do_in_python(network, loss):
    flow, data, weights, arrays = problem(NETWORKS[network], LOSSES[loss])
    t = [0, 1.5, 3]
    first, last = sf.simulate(flow, data, weights, [0, 3]).loss
    levels = [last + part * (first - last) for part in (0.9, 0.5, 0.1)]
    events = [*map(sf.LossBelow, levels), sf.LossBelow(2 * abs(first)), LATE]
    more = [data.moments().sigma_yy] if loss == "squared" else []
    sim = pickle.loads(pickle.dumps(sf.compile_simulator(flow, events=events)))
    found, stats = sim.follow(*weights, *arrays, *more, t)
    known = sf.simulate(flow, data, weights, t, events=events)
    for event in events[:3]:
        assert abs(stats[event.name] - known.stats[event.name][0]) < 1e-8
    for event in events[3:]:
        assert np.isnan(stats[event.name])
        assert known.stats[event.name] == ()
    assert np.array_equal(stats["t"], t)
    assert abs(stats["steps"] / known.stats["steps"] - 1) < 0.2
    for own, other in zip(found, known.weights, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-8, atol=1e-9)


LATE = sf.LossBelow(-1.0)
OF_ONE = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
NUMBERS = ([[1.0]], [[2.0]], [[4.0]])  # sigma_xx, sigma_yx and sigma_yy: ½ (2 − w)²


@needs_compiler
def test_exported_events_agree_with_the_closed_form_and_with_scipy():
    """From a = b the product w = a² of ẇ = 2w(2 − w) passes w at a known time."""
    from scipy.integrate import solve_ivp

    levels = (1.5, 0.3, 1e-3, 1e-6)
    sim = sf.compile_simulator(OF_ONE, events=[sf.LossBelow(x) for x in levels])
    _, stats = sim.follow([[0.1]], [[0.1]], *NUMBERS, 20, rtol=1e-12)
    ivp = solve_ivp(
        lambda t, w: [w[1] * (2 - w[0] * w[1]), w[0] * (2 - w[0] * w[1])],
        *((0, 20), [0.1, 0.1], "DOP853"),
        events=[lambda t, w, x=x: 0.5 * (2 - w[0] * w[1]) ** 2 - x for x in levels],
        rtol=1e-12,
        atol=1e-14,
    )
    for level, (other, *_) in zip(levels, ivp.t_events, strict=True):
        w = 2 - np.sqrt(2 * level)
        exact = np.log(w * (2 - 0.01) / (0.01 * (2 - w))) / 4
        assert abs(stats[f"loss below {level:g}"] - exact) < 1e-8
        assert abs(other - exact) < 1e-8


@needs_compiler
def test_a_terminal_event_ends_every_start_for_itself():
    # the last one would follow in the same step
    levels = (1.9, 1e-3, 0.0999)
    events = [sf.LossBelow(0.1, terminal=True), *map(sf.LossBelow, levels)]
    sim = sf.compile_simulator(OF_ONE, events=events)
    starts, t = np.linspace(0.01, 1.5, 23).reshape(-1, 1, 1), [0, 0.5, 2, 4]
    (many, _), stats = sim.follow(starts, starts, *NUMBERS, t)
    data = sf.Moments(*NUMBERS)
    for place in (0, 7, 15, 22):
        one = sf.simulate(OF_ONE, data, [starts[place]] * 2, t, events=events)
        count = len(one.t)
        np.testing.assert_allclose(stats["t"][place, :count], one.t, atol=1e-8)
        np.testing.assert_allclose(many[place, :count], one.weights[0], atol=1e-8)
        assert np.isnan(many[place, count:]).all()
        for event in events:
            times = one.stats[event.name] or (np.nan,)
            np.testing.assert_allclose(stats[event.name][place], times[0], atol=1e-8)
    weight, _ = sim(starts[3], starts[3], *NUMBERS, 9)
    assert abs((2 - weight.item() ** 2) ** 2 / 2 - 0.1) < 1e-8


@needs_compiler
def test_a_level_at_the_start_is_not_crossed():
    half = sf.LossBelow(0.5 * (2 - 0.25) ** 2)
    sim = sf.compile_simulator(OF_ONE, events=half)
    for t in (0, [0, 1]):
        _, stats = sim.follow([[0.5]], [[0.5]], *NUMBERS, t)
        assert np.isnan(stats[half.name])
    still = sim.follow([[0.0]], [[0.0]], *NUMBERS, [0, 1])[1]  # a saddle
    assert np.isnan(still[half.name])
    assert sim(np.ones((0, 1, 1)), np.ones((0, 1, 1)), *NUMBERS, [1])[0].size == 0


@needs_compiler
@pytest.mark.parametrize("compiler", COMPILERS)
def test_a_file_with_events_tests_itself(compiler, tmp_path):
    stops = [sf.LossBelow(0.0, terminal=True), sf.LossBelow(1.0)]
    text = sf.compile_simulator(TWO, events=stops).source
    result = run_as(text, compiler, tmp_path, "-DSELF_TEST")
    assert result.returncode == 0, result.stdout
    run_as(text, compiler, tmp_path, "-DLANES=8", "-c")


def test_events_without_code_are_refused():
    for event in (sf.ModeCrosses(1, 0.5), lambda t, weights: t - 1):
        with pytest.raises(sf.InvalidArgument, match="files look for LossBelow"):
            sf.compile_simulator(OF_ONE, events=[event])
    for target in ("numpy", "numba"):
        with pytest.raises(sf.InvalidArgument, match="and in C"):
            sf.compile_simulator(OF_ONE, target, events=[sf.LossBelow(1)])


@needs_compiler
def test_a_level_in_the_rounding_of_moments_is_refused():
    sim = sf.compile_simulator(OF_ONE, events=[sf.LossBelow(1e-8)])
    with pytest.raises(sf.InvalidArgument, match="below 1e-08: a loss that is made"):
        sim.follow([[0.1]], [[0.1]], *NUMBERS, [0, 20])
    with pytest.raises(sf.InvalidData, match="sigma_yy has an entry that is not"):
        sim.follow([[0.1]], [[0.1]], *NUMBERS[:2], [[np.inf]], [0, 20])
