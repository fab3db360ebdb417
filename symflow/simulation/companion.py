"""How far off is a run?  A second, more accurate one tells; step tolerances do not.

A method keeps the error of each step below its tolerance.  What becomes of these errors
is up to the flow: at a minimum they die out, and where a saddle is left they grow like
the mode that leaves it.  The difference to a more accurate run contains all of this.

On the way into a saddle what should vanish becomes noise, of rounding or of the steps,
and leaves it again as if it had been a mode; both runs make about the same noise.  So a
third one starts as far from the second as that may err in a step.  It may end where the
second does, and yet leave the saddle at another time: they are compared at all steps,
and where they part by more than `LOST`, that is the error.

Inside a step both runs read off a polynomial, which no tolerance watches: where fast
modes die out in the shadow of a large weight, both err alike.  So a few of the times
inside the more accurate steps are walked to from the start of the step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from symflow.algebra.arrays import Array
from symflow.algebra.threads import cached_property
from symflow.errors import IntegrationFailed
from symflow.flow.problem import Problem
from symflow.simulation.follow import Integrated, follow
from symflow.simulation.methods import Method, fitted
from symflow.simulation.system import Floats, System

#: The error is taken as this many times the difference to the more accurate run.
SAFETY = 2.0

#: The least relative error that is claimed for a run in float64.
ROUNDING = 2e-15

#: Part of the weights by which noise has to move them to be more than the difference.
LOST = 1e-3

#: At how many times at most two runs are compared.
LOOKS = 500
#: To how many times inside steps at most another run goes.
LANDINGS = 8


@dataclass(frozen=True, eq=False)
class Companion:
    """Estimates the error of a run when it is called, for it costs another run."""

    problem: Problem  # what was integrated
    method: Method  # by which method
    times: Floats  # when the weights were kept
    weights: tuple[Floats, ...]  # these weights
    before: Companion | None = None  # of the run that ended where this one starts

    def __call__(self) -> float:
        """Return the estimated largest error of a weight.

        Raises IntegrationFailed if the more accurate run ends early.
        """
        better, same, other = self._others
        known, parted = error_of(self.weights, better), error_of(other, same)
        size = max(float(np.max(np.abs(weight))) for weight in same)
        return max(known, parted) if parted > LOST * size else known

    @cached_property
    def _others(self) -> tuple[tuple[Floats, ...], ...]:
        """Weights of the more accurate run, and of it and the shaken one at its steps.

        After other runs, both start where those ended, with all errors up to there.
        """
        problem, finer = self.problem.floats, self.method.refined()
        starts = [problem, _nudged(problem, max(ROUNDING, finer.rtol))]
        if self.before is not None:
            last = ([w[-1] for w in part] for part in self.before._others[1:])
            starts = [replace(problem, weights=tuple(weights)) for weights in last]
        system, shaken = (System(p, is_tuned=finer.is_general) for p in starts)
        method = fitted(finer, system.start)
        try:
            better = follow(method, system, self.times)
            ends = np.array([*better.interpolant.ends, float(self.times[-1])])
            at = np.unique(_thinned(ends, LOOKS))
            other = follow(method, shaken, at)
            walked = self._walked(method, system, better)
        except IntegrationFailed as failure:
            msg = f"the error is not known, for a more accurate run fails: {failure}"
            raise IntegrationFailed(msg) from None
        same = np.stack([better.interpolant(time) for time in at])
        states = (system, walked), (system, same), (shaken, other.states)
        return tuple(kind.matrices(found) for kind, found in states)

    def _walked(self, method: Method, system: System, better: Integrated) -> Floats:
        """Return the states of the more accurate run, some of them walked to."""
        states, dense = better.states.copy(), better.interpolant
        if system.problem.flow.fading:  # another start would be another friction
            return states
        ends = np.array([0.0, *dense.ends])
        after = np.minimum(np.searchsorted(ends, self.times), len(ends) - 1)
        starts = ends[np.maximum(after - 1, 0)]
        inside = (starts < self.times) & (self.times < ends[after])
        for place in _thinned(np.flatnonzero(inside), LANDINGS):
            begin = float(starts[place])
            start = system.started_at(dense(begin))
            walk = follow(method, start, np.array([self.times[place] - begin]))
            states[place] = walk.states[-1]
        return states


def _nudged(problem: Problem, part: float) -> Problem:
    """Return a problem whose weights are larger or smaller by a part, at random."""
    rng = np.random.default_rng(0)
    signs = (rng.choice((-part, part), weight.shape) for weight in problem.weights)
    pairs = zip(problem.weights, signs, strict=True)
    return replace(problem, weights=tuple(w * (1 + sign) for w, sign in pairs))


def _thinned(entries: Array, most: int) -> Array:
    """Return at most so many of some entries, the last among them."""
    chosen = np.linspace(0, len(entries) - 1, min(len(entries), most)).astype(int)
    return np.asarray(entries[chosen])


def error_of(weights: Sequence[Floats], better: Sequence[Floats]) -> float:
    """Return the error of weights along a path by comparison with better ones.

    The largest error relative to the weights of its time, times the largest weight of
    all times: what is small early is held to its own size.

    There is one array per layer, of shape (times, rows, columns).
    """
    pairs = list(zip(weights, better, strict=True))
    gaps = np.max([abs(one - other).max(axis=(1, 2)) for one, other in pairs], axis=0)
    sizes = np.max([abs(other).max(axis=(1, 2)) for _, other in pairs], axis=0)
    relative = np.max(gaps / np.where(sizes > 0, sizes, 1.0))
    return float(max(SAFETY * relative, ROUNDING) * (np.max(sizes) or 1.0))
