"""What threads ask: every public verb that computes, on shared and fresh objects."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction as F
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import sympy

import symflow as sf

Question = Callable[[int], Any]


@dataclass(frozen=True)
class Shared:
    """Objects that all threads use."""

    flow: Any
    data: Any
    start: Any
    deep: tuple[Any, ...]

    @classmethod
    def make(cls) -> Shared:
        """Return a small flow in fractions, and one of three layers and rank one."""
        flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.SquaredLoss())
        sigma_xx = [[F(2), F(1, 3)], [F(1, 3), F(1)]]
        data = sf.Moments(sigma_xx, [[F(1), F(1, 2)]], [[F(2)]])
        start = ([[F(1), F(1, 2)], [F(0), F(1)]], [[F(1), F(-1, 3)]])
        net = sf.LinearNetwork(2, 2, 2, 2)
        target = sf.whitened([[2, 1], [0, 1]])
        deep = (sf.gradient_flow(net, sf.SquaredLoss()), target)
        return cls(flow, data, start, (*deep, sf.rank_one_init(0.5, rng=1)))

    @property
    def problem(self) -> tuple[Any, ...]:
        return self.flow, self.data, self.start


def questions(shared: Shared) -> dict[str, Question]:
    """Return the verbs, as functions of digits whose answers can be compared."""
    problem, flow = shared.problem, shared.flow
    run = sf.simulate(*problem, t=[0, 1])
    sharp, ball = sf.precise(*problem, [0, 1], digits=12), sf.enclose(*problem, 1)
    kern, solution = sf.compile(flow, shared.data), sf.solve(*shared.deep)
    bound, found = sf.rates(*problem)[0], sf.analyze(*problem, budget=0)
    weights = [np.array(w, dtype=float) for w in shared.start]

    def into(digits: int) -> Any:
        out = [np.empty_like(w) for w in weights]
        for _ in range(20):
            kern.into(out, *(digits * w for w in weights))
        return out

    def displayed(digits: int) -> Any:
        made = sf.gradient_flow(sf.LinearNetwork("d", "h", digits), sf.SquaredLoss())
        return str(made), made._repr_latex_(), made.directions

    def stored(digits: int) -> Any:
        with tempfile.TemporaryDirectory() as place:
            path = sf.save(sharp, Path(place) / "run.json")
            return sf.load(path).weights

    def fresh(digits: int) -> Any:
        made = Shared.make()
        best = sf.solve(*made.deep)
        return best.precise(F(1, 2), digits=digits), sf.rates(*made.problem)

    def certified(digits: int) -> Any:
        other = sf.enclose(*problem, F(1, 2), digits=digits)
        claims = (*sf.conserved(flow), bound)
        found = [sf.certify(claim, other) for claim in claims]
        return [(c.status, c.radius, c.proof) for c in found], other.weight_balls(0)

    def solved(digits: int) -> Any:
        again = sf.solve(*shared.deep)
        return solution.precise(2, digits=digits), again.end_to_end([1.0, 2.5])

    def evaluated(digits: int) -> Any:
        start = [[[sympy.tanh(1)]], [[sympy.gamma(sympy.Rational(1, 3))]]]
        one = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
        return sf.precise(one, sf.whitened([[2]]), start, F(1, 4), digits=digits)

    def bias(digits: int) -> Any:
        found = sf.implicit_bias(*problem)
        return str(found), found.limit

    def ensemble(digits: int) -> Any:
        starts = tuple(np.stack([w, w / digits, -w]) for w in weights)
        return sf.ensemble(flow, shared.data, starts, [0, 1]).end_to_end

    def written(digits: int) -> Any:
        made = [(found, folder) for folder in [tempfile.mkdtemp()]]
        return [file.name for one in made for file in sf.write_report(*one)]

    def descended(digits: int) -> Any:
        steps = sf.gradient_descent(flow.network, flow.loss)
        return sf.descend(steps, shared.data, shared.start, digits, step_size=0.1)

    return {
        "simulate": lambda digits: sf.simulate(*problem, t=[0, digits]),
        "precise": lambda digits: sf.precise(*problem, [F(1, 2), 1], digits=digits),
        "precise, irrational": evaluated,
        "enclose": lambda digits: sf.enclose(*problem, [F(1, 2)], digits=digits),
        "enclose, limit": lambda digits: sf.enclose(
            *problem, sf.oo, digits=digits // 4
        ),
        "contains": lambda digits: ball.contains(ball.end_to_end[-1]),
        "certify": certified,
        "validate": lambda digits: str(sf.validate(sf.conserved(flow), run, sharp)),
        "solve": solved,
        "at": lambda digits: (run.at(0.01 * digits), sharp.at(F(1, digits))),
        "implicit_bias": bias,
        "rates": lambda digits: (str(sf.rates(*problem)), bound.bound(0.1 * digits)),
        "analyze": lambda digits: sf.analyze(*problem, budget=0).verdict,
        "write_report": written,
        "width_experiment": lambda digits: (
            sf.width_experiment(shared.data, [100], runs=1, rng=digits).distances
        ),
        "regime": lambda digits: str(sf.regime(*problem)),
        "companions": lambda digits: str(sf.companions(*problem)),
        "conserved": lambda digits: sf.conserved(flow),
        "count_conserved": lambda digits: sf.count_conserved(flow.network, rng=digits),
        "compile": lambda digits: sf.compile(flow)(*weights, *shared_moments(shared)),
        "into": into,
        "gradient_flow": displayed,
        "descend": descended,
        "ensemble": ensemble,
        "atlas": lambda digits: str(sf.atlas("linear-relaxation", digits=digits)),
        "save": stored,
        "fresh objects": fresh,
        **exports(shared),
        **variants(shared),
    }


def shared_moments(shared: Shared) -> list[Any]:
    """Return the moments as floats."""
    arrays = (shared.data.sigma_xx, shared.data.sigma_yx)
    return [np.array(array, dtype=float) for array in arrays]


#: What `audit` reads.
CLAIMS = """
[model]
widths = [2, 2, 1]
[[claim]]
kind = "count"
number = 3
[[claim]]
kind = "law"
text = "W2.T*W2 - W1*W1.T"
"""
FILTERS = ([[1.0], [0.5], [0.0]], [[0.5], [0.0], [1.0]])


def written(write: Callable[[Path], Any]) -> Any:
    """Return the text of what a verb writes into a file."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place, "file")
        write(path)
        return path.read_text(encoding="utf-8")


def exports(shared: Shared) -> dict[str, Question]:
    """Return the verbs that write, read and compile, and those of symbols."""
    flow, data = shared.flow, shared.data
    W = sympy.MatrixSymbol("W", 2, 2)
    wide = sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), flow.loss)

    def audited(digits: int) -> Any:
        with tempfile.TemporaryDirectory() as place:
            path = Path(place, "claims.toml")
            path.write_text(CLAIMS.replace("3", str(digits)), encoding="utf-8")
            return [str(line) for line in sf.audit(path).lines]

    def exported(digits: int) -> Any:
        sizes = (digits, 2, 1)
        return (
            sf.c_source(wide, sizes),
            sf.numba_source(wide, sizes),
            written(sf.compile_simulator(wide, widths=sizes).write),
            written(partial(sf.write_module, wide)),
            written(sf.write_checker),
        )

    def compiled(digits: int) -> Any:
        point = [digits * np.array(w, dtype=float) for w in shared.start]
        peer = sf.to_scipy(flow, data)
        state = peer.pack(point)
        native = sf.c_kernel(flow)(*point, *shared_moments(shared))
        starts = tuple(np.stack([w, -w]) for w in point)
        many = sf.ensemble(flow, data, starts, [0, 1], engine="c").end_to_end
        law = sf.lambdify(sympy.Trace(W * W.T), [W])(digits * np.eye(2))
        return native, peer.fun(0.0, state), peer.jac(0.0, state), many, law

    def symbolic(digits: int) -> Any:
        made = sf.gradient(sympy.log(1 + sympy.Trace(W.T * W)) * digits, W)
        loss = sf.CustomLoss(sympy.Trace(W.T * W) / digits)
        found = sf.conserved(flow, search=sf.PolynomialSearch(2))
        asserted = sf.claim(flow, conserved=sf.conserved(flow)[0].expr)
        return str((made, loss, found, asserted.verdict, sf.cite(found[0])))

    return {
        "audit": audited,
        "exports": exported,
        "compiled": compiled,
        "symbolic": symbolic,
    }


def variants(shared: Shared) -> dict[str, Question]:
    """Return the verbs on other models, losses, data, rules and methods."""
    problem, (flow, data, start) = shared.problem, shared.problem
    run = sf.simulate(*problem, t=[0, 1, 2])
    labelled = sf.Dataset([[1.0, 2.0], [0.5, -1.0], [2.0, 0.0]], [1.0, -1.0, 1.0])
    margin = sf.gradient_flow(flow.network, sf.ExponentialLoss())
    V, U = (sympy.MatrixSymbol(name, 2, 2) for name in "VU")
    model = sf.gradient_flow(sf.Model(V * U + U, (U, V)), sf.SquaredLoss(l2="1/7"))
    square, squares = sf.whitened([[2, 1], [0, 1]]), (np.eye(2), np.diag([1.0, 0.5]))
    diagonal = sf.gradient_flow(sf.HadamardDifference(2), sf.SquaredLoss())
    deep = sf.gradient_flow(sf.DiagonalNetwork(3, depth=3), sf.SquaredLoss())
    mixed = sf.Moments([[2, 0], [0, 1]], [[3, -1]])
    rules = (sf.gaussian_init, sf.orthogonal_init, sf.balanced_init, sf.rank_one_init)
    measured = sf.gradient_flow(flow.network, sf.MeasurementLoss())
    entries = sf.Measurements.entries({(0, 0): 1.0, (0, 1): 0.5}, (1, 2))
    steps = sf.gradient_descent(flow.network, flow.loss)
    filters = sf.gradient_flow(sf.ConvolutionalNetwork(3, (3, 3)), sf.SquaredLoss())
    ball = sf.heavy_ball(flow.network, flow.loss, F(1, 2))

    def drawn(digits: int) -> Any:
        found = [rule(0.5, rng=digits).draw(flow.network, data) for rule in rules]
        found += [rule(1, rng=digits).draw(flow.network, digits=20) for rule in rules]
        rule = sf.lambda_balanced_init(0.5, rng=digits)
        unequal = rule.draw(sf.LinearNetwork(2, 1, 1))
        return [*found, unequal, sf.spectral_init(0.5).draw(flow.network, data)]

    def swept(digits: int) -> Any:
        rule = sf.gaussian_init(0.3, rng=0)
        with ThreadPoolExecutor(2) as pool:
            options = {"runs": 3, "rng": digits, "executor": pool}
            runs = sf.sweep(flow, data, rule, [0, 1], **options)
            grid = sf.sweep_grid(flow, data, {1: rule}, [0, 1], **options)
        return runs.end_to_end, grid[1].end_to_end

    def by_methods(digits: int) -> Any:
        events = [sf.LossBelow(0.5), sf.ModeCrosses(1, 0.5)]
        kinds = (sf.Radau(), sf.Taylor(), sf.GaussLegendre(6), sf.DOP853(rtol=1e-8))
        times = [0, digits / 8]
        runs = [sf.simulate(*problem, times, method=kind) for kind in kinds]
        return runs, str(sf.simulate(*problem, times, events=events).stats)

    def classified(digits: int) -> Any:
        t, along = [0, digits / 8], sf.directional_flow(margin)
        return (
            sf.simulate(margin, labelled, start, t),
            sf.precise(along, labelled, start, t, digits=digits),
            str(sf.companions(margin, labelled, start)),
        )

    def unusual(digits: int) -> Any:
        seen = sf.simulate(measured, entries, start, [0, digits / 8])
        turned = sf.simulate(filters, sf.whitened([[1.0, 0.5, 0.2]]), FILTERS, digits)
        heavy = str((sf.conserved(ball), sf.conserved(deep)))
        tensor = sf.ConvolutionalNetwork(4, filters=(4, 4)).as_tensor()
        parts = sf.orthogonal_decomposition(tensor)
        return seen, turned, heavy, parts.S, parts.residual

    def prepared(digits: int) -> Any:
        loaded = sf.load_dataset("linnerud").standardized().whitened().moments()
        made = sf.Moments(np.eye(2) * digits, [[1.0, 0.5]])
        return loaded.sigma_yx, made.sigma_xx, labelled.moments().sigma_yx

    def of_sets(digits: int) -> Any:
        low = F(1, digits)
        side = sf.interval(low, 2 * low)
        box = ([[side, 0], [0, 1]], [[side, 0]])
        one = sf.whitened([[2.0, 1.0]])
        return sf.enclose(flow, one, box, low, digits=digits), str(
            sf.basin(flow, one, box, 2)
        )

    def chained(digits: int) -> Any:
        lesson = sf.Curriculum((data, F(1, 2)), (sf.whitened([[0.5, 1.0]]), 1))
        run = sf.precise(flow, lesson, start, [F(1, digits), 1], digits=digits)
        heavy = sf.precise(ball, data, start, F(1, digits), digits=digits)
        lesson = sf.Curriculum((sf.whitened([[2, 1]]), 1), (sf.whitened([[1, 1]]), 1))
        solved = sf.solve(flow, lesson, sf.balanced_init(0.5, rng=1))
        matrix = solved.precise(1, digits=digits), solved.weights([0.25, 1])
        return run, run.forgetting(), heavy, matrix

    def explored(digits: int) -> Any:
        left, right = sf.explore(flow, data, 1).update(1 / digits).axes
        return [line.get_ydata() for line in (*left.lines, *right.lines)]

    return {
        "sets": of_sets,
        "curriculum, momentum": chained,
        "sliders": explored,
        "initializations": drawn,
        "sweep": swept,
        "methods": by_methods,
        "classification": classified,
        "measurements, filters, momentum": unusual,
        "data": prepared,
        "crosscheck": lambda digits: str(
            sf.crosscheck(*problem, F(1, digits), digits=digits).scipy_gaps
        ),
        "tangent kernel": lambda digits: (
            run.tangent_kernel(digits / 40),
            run.sharpness(digits / 40),
        ),
        "model": lambda digits: sf.enclose(model, square, squares, 1, digits=digits),
        "saddle_to_saddle": lambda digits: str(sf.saddle_to_saddle(diagonal, mixed)),
        "momentum": lambda digits: sf.descend(
            *(steps, data, start, digits), step_size=0.1, momentum=0.5
        ),
        "mpmath": lambda digits: sf.precise(
            *(*problem, F(1, 4)), digits=digits, arithmetic=sf.Mpmath()
        ),
    }
