"""A few seeds of the adversary, and tests that its own routes are right."""

from __future__ import annotations

from fractions import Fraction as F
from itertools import islice
from random import Random

import mpmath
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import symflow as sf
from adversary.alone import entries, violated_alone
from adversary.brackets import independent_laws
from adversary.case import Fault
from adversary.draws import GENERATORS, draw
from adversary.examples import EXAMPLES
from adversary.hunt import faults, problems
from adversary.integration import flow_at
from adversary.limits import limit_of_mode
from adversary.margins import largest_margin
from adversary.mutants import ENTRIES, least_slack, noticed
from adversary.outside import violations
from adversary.problem import Problem, column, matrix
from adversary.problems import from_modes, rotation
from adversary.saddles import path
from adversary.shrink import shrink
from adversary.truth import Flow, decimals, end_to_end, loss_of
from adversary.verbs import VERBS
from symflow.solutions.modes.deep import DeepMode, balanced

#: How many problems every verb is asked about here; `run.py` goes on without end.
PROBLEMS = 5
X, Y = matrix([[1, 2], [F(1, 3), 1], [0, -1]]), matrix([[1], [-1], [1]])
STARTS = {
    "dense": (matrix([[1, F(1, 2)], [0, 1]]), matrix([[1, F(-1, 3)]])),
    "diagonal": (column([1, F(1, 2)]), column([2, -1]), column([1, 1])),
    "signed": (column([1, F(1, 2)]), column([2, -1]), column([1, 1]), column([0, 1])),
    "hadamard": (column([1, F(1, 2)]), column([F(1, 3), 1])),
    "circular": (column([1, F(1, 2)]), column([F(1, 3), 1])),
}


def told(found: list[Fault], problem: Problem) -> str:
    return "\n".join(
        [problem.code, *(f"# {f.kind}: {f.detail}\n{f.call}" for f in found)]
    )


@pytest.mark.parametrize("verb", VERBS)
def test_no_answer_is_wrong(verb):
    for problem in islice(problems(11, verb), PROBLEMS):
        found = faults(verb, problem)
        assert not found, told(found, problem)


@pytest.mark.parametrize("name", EXAMPLES)
def test_what_was_wrong_once_is_right_or_refused(name):
    verb, problem = EXAMPLES[name]
    found = faults(verb, problem)
    assert not found, told(found, problem)


@pytest.mark.parametrize("key", ["conserved-components", "linear-relaxation"])
def test_a_small_false_change_is_noticed(key):
    (entry,) = [entry for entry in ENTRIES if entry.key == key]
    for found in noticed(entry):
        assert found.enough, f"{found.claim}, {found.part}, {found.route}"


def test_the_slack_of_an_inequality_is_measured():
    (entry,) = [entry for entry in ENTRIES if entry.key == "min-margin"]
    sizes = [10**-found.exponent for found in noticed(entry)]
    assert all(1e-3 < size < 10 for size in sizes)


def test_constants_are_changed_the_way_that_makes_them_false():
    """A larger distance is still a bound; the rate at each instant is a floor too."""
    for key, constant in {
        "min-distance": "distance",
        "min-instant": "constant",
    }.items():
        (entry,) = [entry for entry in ENTRIES if entry.key == key]
        sizes = [found for found in noticed(entry) if found.part == constant]
        assert len(sizes) == 2
        assert all(found.exponent is not None for found in sizes), key


@pytest.mark.parametrize(("part", "word"), [("start", "balanced"), ("data", "share")])
def test_the_smallest_violation_of_a_hypothesis_is_noticed(part, word):
    (entry,) = [entry for entry in ENTRIES if entry.key == "saxe-modes"]
    for numbers, least in {"exact": 35, "floats": 14}.items():
        (found,) = [v for v in violations(entry, numbers) if v.part == part]
        assert (found.noticed, found.wrong) == (least, ())
        assert word in found.words or numbers == "floats"


def test_the_slack_on_random_instances_is_the_least():
    (entry,) = [entry for entry in ENTRIES if entry.key == "many-step"]
    sizes = {found.part: 10**-found.exponent for found in least_slack(entry)}
    assert 1e-4 < sizes["smaller side"] < 0.1
    # the run used this step, and no other
    assert sizes["step"] < 1e-12


@pytest.mark.parametrize("part", range(8))
def test_conditions_are_asked_one_by_one(part):
    """What is proved all the same is true; the long form is `run.py --alone`."""
    for entry in list(entries())[part::8]:
        found = violated_alone(entry, parts=(3,), looked_at=1, digits=0)
        assert not found.wrong, f"{found.key}: {found.wrong}"


def test_a_condition_that_is_dropped_is_missed(monkeypatch):
    """Without its condition a claim is proved where it is false."""
    (entry,) = [entry for entry in ENTRIES if entry.key == "saxe-deep"]
    words = "balanced initialization"
    assert violated_alone(entry, parts=(12,), looked_at=0).noticed[words] == 12
    kept = [c for c in DeepMode.conditions if c is not balanced]
    assert len(kept) < len(DeepMode.conditions)
    monkeypatch.setattr(DeepMode, "conditions", tuple(kept))
    assert violated_alone(entry, parts=(3,), looked_at=4, digits=0).wrong


@pytest.mark.parametrize("family", STARTS)
@pytest.mark.parametrize("loss", ["squared", "exponential", "logistic"])
def test_the_slope_is_that_of_the_loss(family, loss):
    """By differences of the loss, which is summed over the samples."""
    problem = Problem(family, STARTS[family], X, Y, loss=loss)
    flow = Flow(problem)
    step = decimals([F(1, 10**6)])[0]
    for layer, slope in enumerate(flow(flow.start)):
        for place in np.ndindex(slope.shape):
            values = []
            for sign in (1, -1):
                state = [weight.copy() for weight in flow.start]
                state[layer][place] += sign * step
                values.append(loss_of(problem, end_to_end(family, state, problem.d)))
            difference = (values[1] - values[0]) / (2 * step)
            assert float(abs(difference - slope[place])) < 1e-9


def test_the_flow_has_its_digits():
    """The balanced mode: W(t) = s/(1 + (s/w − 1)e^{−2st}), to 38 digits."""
    problem = from_modes((((F(1, 3), F(1, 3)), F(2)),))
    (state,) = flow_at(problem, [F(3, 2)], digits=40)
    with mpmath.workdps(45):
        expected = 2 / (1 + 17 * mpmath.exp(-6))
        found = mpmath.mpf(str(state[0][0, 0])) * mpmath.mpf(str(state[1][0, 0]))
        assert abs(found - expected) < mpmath.mpf("1e-38")


@pytest.mark.parametrize("family", STARTS)
def test_the_flow_is_that_of_scipy(family):
    problem = Problem(family, STARTS[family], X, Y)
    flow = Flow(problem)
    shapes = [weight.shape for weight in flow.start]
    cuts = np.cumsum([rows * columns for rows, columns in shapes])[:-1]
    flow.xx, flow.yx = flow.xx.astype(float), flow.yx.astype(float)
    flow.decay = 0.0

    def slope(t, flat):
        parts = zip(np.split(flat, cuts), shapes, strict=True)
        return np.concatenate(
            [w.ravel() for w in flow([p.reshape(s) for p, s in parts])]
        )

    start = np.concatenate([w.ravel() for w in flow.start]).astype(float)
    ends = solve_ivp(slope, (0, 1), start, "DOP853", rtol=1e-12, atol=1e-13).y[:, -1]
    (state,) = flow_at(problem, [1], digits=20)
    found = np.concatenate([w.ravel() for w in state]).astype(float)
    assert np.max(np.abs(found - ends)) < 1e-9


@pytest.mark.parametrize(
    ("starts", "target"),
    [
        ((1, 1), 2),
        ((1, -1), 2),
        ((1, F(-1, 2)), 2),
        ((F(1, 2), 1, -1), 1),
        ((1, 1, -1), 1),
        ((0, 1), 0),
        ((0, 0, 1), 1),
    ],
)
def test_limits_of_modes(starts, target):
    starts = tuple(map(F, starts))
    problem = from_modes(((starts, F(target)),))
    state = list(flow_at(problem, [24], digits=30))[-1]
    end = float(np.prod([weight[0, 0] for weight in state]))
    assert abs(end - float(limit_of_mode(starts, F(target)))) < 0.05


def test_the_paths_between_saddles():
    """Two coordinates apart jump at 1/|Σ_yx|; the second waits for the correlated."""
    assert path([[2, 0], [0, 1]], [F(3), F(-1)], positive=False) == [
        (F(1, 3), [F(3, 2), 0]),
        (F(1), [F(3, 2), -1]),
    ]
    assert path([[2, 0], [0, 1]], [F(3), F(-1)], positive=True) == [
        (F(1, 3), [F(3, 2), 0])
    ]


def test_brackets_count_the_imbalance():
    """h(h + 1)/2 laws for two wide layers; d − 1 … for a diagonal network."""
    assert independent_laws("dense", [(2, 2), (2, 2)], 2) == 3
    assert independent_laws("diagonal", [(3, 1), (3, 1)], 3) == 3


def test_the_largest_margin():
    problem = Problem("dense", STARTS["dense"], matrix([[1, 2], [0, -3]]), Y[:2])
    assert largest_margin(problem) == [F(1, 5), F(2, 5)]


def test_frames_are_orthonormal():
    for seed in range(5):
        frame = rotation(Random(seed), 3, 2)
        assert (frame.T @ frame == np.array([[1, 0], [0, 1]])).all()


def test_every_generator_states_its_problems():
    for maker in GENERATORS:
        assert sum(is_accepted(maker(Random(seed))) for seed in range(8)) >= 4
    assert draw(Random(5)) == draw(Random(5))


def is_accepted(problem):
    """Some moments are to be refused, which is for the adversary to see."""
    try:
        return {"flow", "data", "init", "t"} <= set(problem.stated())
    except sf.InvalidData:
        return False


def test_shrinking_keeps_the_failure_and_drops_the_rest():
    problem = draw_wide()
    small = shrink(problem, lambda p: any(x == 7 for row in p.X for x in row))
    assert (len(small.X), small.d, len(small.times)) == (1, 1, 1)
    assert small.X == ((7,),)


def draw_wide():
    weights = matrix([[1, 2, 3], [4, 5, 6]]), matrix([[1, 2]])
    inputs = matrix([[1, 2, 3], [4, 7, 6], [0, 1, 0]])
    return Problem("dense", weights, inputs, Y, times=(1, 2))
