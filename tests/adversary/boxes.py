"""Random sets of starts and data, held against many-digit runs from inside of them.

``python tests/adversary/boxes.py --boxes 200 --runs 20`` prints how many sets were
enclosed, how many refused, and every run that was not contained; with ``--models``, of
models that are no products of dense layers, mostly to their limits.  ``--map 10000``
holds every basin map against as many sampled runs, and ``--only 1-1-1`` one of them.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
import sympy

import symflow as sf

#: Digits of the enclosures and of the runs inside.
DIGITS, FINE = 15, 30
TIMES = [Fraction(1, 2), Fraction(3, 2)]
CENTRES = ("generic", "zero", "balanced", "saddle", "mixed")
LOSSES = ("squared", "decay", "exponential", "logistic", "measured")
RADII = (Fraction(1, 10**12), Fraction(1, 200), Fraction(1, 50), Fraction(1, 16))
#: Sets that are followed to the limit of a model that is no product of dense layers.
SMALL = (0, Fraction(1, 10**12), Fraction(1, 10**6), Fraction(1, 10**4))
A, B, K = (sympy.MatrixSymbol(*s) for s in (("A", 1, 2), ("B", 2, 1), ("K", 2, 2)))
#: Models that are no products of dense layers, with inputs and outputs.
MODELS: dict[str, Any] = {
    "diagonal": lambda: (sf.DiagonalNetwork(2, 3), 2, 1),
    "signed": lambda: (sf.DiagonalNetwork(2, 2, signed=True), 2, 1),
    "difference": lambda: (sf.HadamardDifference(2), 2, 1),
    "filters": lambda: (sf.ConvolutionalNetwork(2, filters=(2, 1)), 2, 1),
    "tied": lambda: (sf.SymmetricFactorization(2, 1), 2, 2),
    "low rank": lambda: (sf.Model(K + B * A, (A, B), {K: [[1, 0], [0, 1]]}), 2, 2),
    "residual": lambda: (sf.Model((sympy.Identity(2) + K) * B, (B, K)), 1, 2),
}


@dataclass(frozen=True)
class Box:
    """Middles and radii of the entries of weights and of data."""

    flow: Any
    weights: list[tuple[Any, Any]]  # middle, radius
    data: list[tuple[Any, Any]]
    kind: str
    endless: bool

    def enclosure(self, **options: Any) -> Any:
        """Enclose all of it."""
        sets = [around(*pair) for pair in self.weights]
        times = [*TIMES, sympy.oo] if self.endless else TIMES
        data = self.source([around(*pair) for pair in self.data])
        return sf.enclose(self.flow, data, sets, times, digits=DIGITS, **options)

    def source(self, arrays: list[Any]) -> Any:
        """Return data of the kind of the loss."""
        if self.kind == "measured":
            return sf.Measurements(list(arrays[0]), list(arrays[1].ravel()))
        return sf.Dataset(*arrays)

    def member(self, rng: Any, corner: bool) -> tuple[Any, list[Any]]:
        """Return data and a start inside, or on a corner."""

        def pick(middle: Any, radius: Any) -> Any:
            steps = rng.integers(-4, 5, middle.shape)
            signs = rng.choice([-4, 4], middle.shape)
            return middle + radius * fractions(signs if corner else steps) / 4

        data = self.source([pick(*pair) for pair in self.data])
        return data, [pick(*pair) for pair in self.weights]


def fractions(array: Any) -> Any:
    """Return integers as fractions."""
    exact = np.empty(np.shape(array), dtype=object)
    exact.flat[:] = [Fraction(int(x)) for x in np.ravel(array)]
    return exact


def around(middle: Any, radius: Any) -> Any:
    """Return intervals, or the middle itself where the radius is zero."""
    result = np.empty(middle.shape, dtype=object)
    pairs = zip(middle.flat, radius.flat, strict=True)
    result.flat[:] = [sf.interval(m - r, m + r) for m, r in pairs]
    return result


def draw(rng: Any) -> Box:
    """Return a random box."""
    depth, kind = int(rng.integers(1, 4)), str(rng.choice(LOSSES))
    widths = [int(rng.integers(1, 4)) for _ in range(depth + 1)]
    layers = rng.random() < 0.15
    if kind in ("exponential", "logistic"):
        widths[-1] = 1
    if layers:
        widths = [widths[0]] * (depth + 1)
    loss = {
        "squared": sf.SquaredLoss(),
        "decay": sf.SquaredLoss(l2=Fraction(1, 10)),
        "exponential": sf.ExponentialLoss(l2=int(rng.integers(0, 2))),
        "logistic": sf.LogisticLoss(),
        "measured": sf.MeasurementLoss(),
    }[kind]
    network: Any = sf.LinearNetwork(*widths)
    shapes = [(b, a) for a, b in pairwise(widths)]
    if layers and kind in ("squared", "decay"):
        network = sf.DiagonalNetwork(widths[0], depth)
        shapes = [(widths[0], 1)] * depth
        widths[-1] = 1
    weights = start(rng, shapes)
    radii = [spread(rng, shape) for shape in shapes]
    data = labelled(rng, kind, widths[0], widths[-1])
    around_data = rng.random() < 0.3
    loose = [spread(rng, part.shape) / 8 * around_data for part in data]
    if kind in ("exponential", "logistic"):
        loose[1] = loose[1] * 0
    endless = kind in ("squared", "measured")
    endless = endless and depth < 3 and bool(rng.random() < 0.3)
    return Box(
        sf.gradient_flow(network, loss),
        list(zip(weights, radii, strict=True)),
        list(zip(data, loose, strict=True)),
        kind,
        endless,
    )


def draw_model(rng: Any) -> Box:
    """Return a random small box around a model that is no product of dense layers."""
    network, inputs, outputs = MODELS[str(rng.choice(list(MODELS)))]()
    kind = str(rng.choice(["squared", "measured"]))
    decay = Fraction(int(rng.integers(0, 2)), 10)
    loss = {"squared": sf.SquaredLoss, "measured": sf.MeasurementLoss}[kind](l2=decay)
    rates = (1, 2, 1, 1)[: len(network.parameters)] if rng.random() < 0.3 else None
    shapes = [tuple(map(int, s.shape)) for s in network.parameters]
    size = SMALL[int(rng.integers(len(SMALL)))]
    weights = [fractions(rng.integers(4, 13, shape)) / 8 for shape in shapes]
    data = labelled(rng, kind, inputs, outputs)
    # one entry may be a point, or tiny beside the others
    loose = [
        fractions(rng.integers(0, 3, part.shape)) * size / 10 ** int(rng.integers(0, 7))
        for part in (*weights, *data)
    ]
    loose[len(weights) :] = [r * int(rng.integers(0, 2)) for r in loose[len(weights) :]]
    return Box(
        sf.gradient_flow(network, loss, learning_rates=rates),
        list(zip(weights, loose, strict=False)),
        list(zip(data, loose[len(weights) :], strict=True)),
        kind,
        endless=bool(rng.random() < 0.7),
    )


def start(rng: Any, shapes: Any) -> list[Any]:
    """Return the middle of a start: generic, or degenerate."""
    kind = str(rng.choice(CENTRES))
    found = [fractions(rng.integers(-8, 9, shape)) / 8 for shape in shapes]
    if kind == "zero":
        found = [array * 0 for array in found]
    if kind == "balanced":
        found = [fractions(np.eye(*shape, dtype=int)) / 2 for shape in shapes]
    if kind == "saddle":
        found[0] = found[0] * 0
        found[-1] = found[-1] * 0
    if kind == "mixed":
        found = [array / 10 ** int(rng.integers(0, 9)) for array in found]
    return found


def spread(rng: Any, shape: Any) -> Any:
    """Return radii, some of them zero, tiny beside others."""
    scale = RADII[int(rng.integers(len(RADII)))]
    return fractions(rng.integers(0, 3, shape)) * scale


def labelled(rng: Any, kind: str, inputs: int, outputs: int) -> list[Any]:
    """Return two arrays of data."""
    count = 2 + int(rng.integers(0, 3))
    if kind == "measured":
        A = fractions(rng.integers(-2, 3, (count, outputs, inputs)))
        return [A, fractions(rng.integers(-2, 3, (count, 1)))]
    X = fractions(rng.integers(-3, 4, (count, inputs))) / 2
    if kind in ("exponential", "logistic"):
        return [X, fractions(rng.choice([-1, 1], (count, outputs)))]
    return [X, fractions(rng.integers(-4, 5, (count, outputs))) / 2]


def check(seed: int, runs: int, models: bool = False) -> str:
    """Return what became of a box: enclosed, refused, or a run outside."""
    rng = np.random.default_rng(seed)
    box = draw_model(rng) if models else draw(rng)
    try:
        ball = box.enclosure()
    except (sf.PrecisionLost, sf.HypothesisFailed) as reason:
        return f"refused: {str(reason)[:60]}"
    for run in range(runs):
        data, weights = box.member(rng, corner=run % 2 == 0)
        inner = sf.precise(box.flow, data, weights, TIMES, digits=FINE)
        if not ball.contains(inner):
            return f"OUTSIDE: box {seed}, run {run}"
        if box.endless and not ends_inside(box, ball, data, weights):
            return f"OUTSIDE at the end: box {seed}, run {run}"
    return "enclosed to the limit" if box.endless else "enclosed"


def ends_inside(box: Box, ball: Any, data: Any, weights: Any) -> bool:
    """Say whether a float64 run that has settled is in the last ball."""
    flow, start = box.flow, [np.array(w, dtype=float) for w in weights]
    late = sf.simulate(flow, data, start, [0, 2 * ball.stats["from_t"] + 60])
    parts = zip(late.weights, ball.weights, strict=True)
    gaps = [np.array(a[-1] - np.array(b[-1], dtype=float)) for a, b in parts]
    off = np.sqrt(sum(np.sum(gap**2) for gap in gaps))
    total = np.abs(late.end_to_end[-1] - np.array(ball.limit, dtype=float))
    inside = np.sqrt(np.sum(total**2)) <= ball.end_to_end_radius[-1] + 1e-6
    return bool(off <= ball.radius[-1] + 1e-6 and inside)


#: Widths, target and box of basin maps, where two entries vary.
MAPS: dict[str, tuple[Any, Any, Any]] = {
    "1-1": ((1, 1, 1), [[1]], ([["x"]], [["y"]])),
    "1-1, imbalanced": ((1, 1, 1), [[-2]], ([["x"]], [["y"]])),
    "1-1-1": ((1, 1, 1, 1), [[1]], ([["x"]], [["y"]], [[1]])),
    "2×2": (
        (2, 2, 2),
        [[2, 0], [0, 1]],
        ([["x", 0], [0, 1]], [[1, "y"], [0, 1]]),
    ),
}


#: Ranges of the two.
BROAD = (Fraction(-3, 2), Fraction(3, 2)), (Fraction(-3, 2), Fraction(3, 2))


def mapped(name: str, pieces: int, ranges: Any = BROAD) -> Any:
    """Return a basin map."""
    widths, target, rows = MAPS[name]
    names = dict(zip("xy", (sf.interval(*ends) for ends in ranges), strict=True))
    box = [[[names.get(str(e), e) for e in row] for row in part] for part in rows]
    flow = sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss())
    return sf.basin(flow, sf.whitened(target), box, pieces)


def disagreements(found: Any, count: int, seed: int) -> list[Any]:
    """Return sampled starts that float64 runs take elsewhere than the map says."""
    rng, problem = np.random.default_rng(seed), found.problem
    sides = [c.x for c in found.cells], [c.y for c in found.cells]
    low = [float(min(s.low for s in side)) for side in sides]
    high = [float(max(s.high for s in side)) for side in sides]
    points = rng.uniform(low, high, (count, 2))
    said = [found.ending(*map(float, point)) for point in points]
    known = [(p, e) for p, e in zip(points, said, strict=True) if e is not None]
    starts = [placed(problem.weights, point) for point, _ in known]
    stacked = tuple(np.stack(layer) for layer in zip(*starts, strict=True))
    runs = sf.ensemble(problem.flow, problem.source, stacked, [0, 80])
    target = np.array(problem.source.sigma_yx, dtype=float)
    wrong = []
    for k, (point, ending) in enumerate(known):
        last = [weight[k, -1] for weight in runs.weights]
        product = last[0]
        for weight in last[1:]:
            product = weight @ product
        signs = tuple(int(np.sign(np.linalg.det(weight))) for weight in last)
        if np.abs(product - target).max() > 1e-6 or signs != (ending or signs):
            wrong.append((point, ending, signs))
    return wrong


def placed(weights: Any, point: Any) -> list[Any]:
    """Return the start with two numbers in place of the two intervals."""
    rest = list(map(float, point))
    return [
        np.array(
            [rest.pop(0) if hasattr(x, "low") else float(x) for x in weight.flat]
        ).reshape(weight.shape)
        for weight in weights
    ]


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boxes", type=int, default=200)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--models", action="store_true", help="no dense layers")
    parser.add_argument("--map", type=int, default=0)
    parser.add_argument("--only", choices=MAPS)
    parser.add_argument("--pieces", type=int, default=32)
    options = parser.parse_args()
    if options.map:
        for name in [options.only] if options.only else MAPS:
            found = mapped(name, options.pieces)
            wrong = disagreements(found, options.map, seed=0)
            said = f"{name}: {len(found.cells)} cells, {options.map} runs"
            print(found, f"{said}, {len(wrong)} wrong", flush=True)
        return
    seen: Counter[str] = Counter()
    for seed in range(options.first, options.first + options.boxes):
        said = check(seed, options.runs, options.models)
        seen[said] += 1
        if said.startswith("OUTSIDE") or seed % 20 == 19:
            print(seed + 1 - options.first, "boxes;", said, flush=True)
    for said, count in seen.most_common():
        print(count, said)


if __name__ == "__main__":
    main()
