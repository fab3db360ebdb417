"""Gradient descent on a spectral start: every mode follows a recurrence of its own.

With step η a balanced start of L layers keeps its singular vectors, and

    w⁺ = w (1 + η w^{1−2/L} (σ − λw))^L,

which for L = 1 is w_k = σ/λ + (w₀ − σ/λ)(1 − ηλ)^k.  For L = 2 and a = ησ ≤ ½ the odds
q = u/(1−u) of u = λw/σ grow per step by (1 + a(1−u))²/(1 − 2au − a²u(1−u)), which is
between (1 + a)² and 1/(1 − 2a); hence two logistic curves enclose the path.
(Gidel, Bach, Lacoste-Julien 2019 give bounds of this kind.)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.numbers import to_float
from symflow.errors import HypothesisFailed
from symflow.inits.init import positive_number
from symflow.solutions.catalogue import attempts
from symflow.solutions.modes.deep import DeepMode
from symflow.solutions.modes.logistic import LogisticMode
from symflow.solutions.modes.spectral import SpectralSolution

SIGMA, LAM, STEP, W = sympy.symbols("sigma lambda eta w", positive=True)


@dataclass(frozen=True, eq=False)
class ModeRecurrence:
    """Gradient descent by modes; made by `recurrence`.

    Parameters
    ----------
    flow : SpectralSolution
        The gradient flow from the same start.
    step : float
        The step size η.
    """

    flow: SpectralSolution
    step: float

    @property
    def depth(self) -> int:
        """The number L of layers."""
        return len(self.flow.problem.weights)

    @property
    def _modes(self) -> tuple[Array, ...]:
        """The σ, λ and w₀ of all modes."""
        modes = self.flow.modes
        return tuple(map(to_float_array, (modes.sigma, modes.lam, modes.start)))

    @property
    def formula(self) -> sympy.Expr:
        """One step of a mode: w⁺ in w, σ, λ and η."""
        power = 1 - sympy.Rational(2, self.depth)
        return W * (1 + STEP * W**power * (SIGMA - LAM * W)) ** self.depth

    def verify(self) -> sympy.Expr:
        """Return by how much the layers, each of amplitude w^{1/L}, step otherwise."""
        amplitude = sympy.Symbol("a", positive=True)
        depth = self.depth
        force = SIGMA - LAM * amplitude**depth
        layer = amplitude + STEP * amplitude ** (depth - 1) * force
        ours = self.formula.subs(W, amplitude**depth)
        return sympy.simplify(sympy.expand(sympy.powdenest(ours) - layer**depth))

    def strengths(self, count: int) -> Array:
        """Return w_i after 0, 1, …, count steps, shape (count + 1, inputs)."""
        sigma, lam, w = self._modes
        rows = [w]
        with np.errstate(over="ignore", invalid="ignore"):
            for _ in range(count):
                growth = 1 + self.step * w ** (1 - 2 / self.depth) * (sigma - lam * w)
                w = w * growth**self.depth
                rows.append(w)
        return np.stack(rows)

    def end_to_end(self, count: int) -> Array:
        """Return W after 0, 1, …, count steps, shape (count + 1, outputs, inputs).

        Parameters
        ----------
        count : int
            How many steps.
        """
        left, right = (
            to_float_array(a) for a in (self.flow.modes.left, self.flow.modes.right)
        )
        return np.asarray((left * self.strengths(count)[:, None, :]) @ right.T)

    def gap(self, count: int) -> Array:
        """Return max|w_i(k) − w_i(t = ηk)|, descent against flow, for k up to count."""
        times = self.step * np.arange(count + 1)
        flow = self.flow.strengths(times)
        return np.asarray(np.abs(self.strengths(count) - flow).max(axis=1))

    @property
    def monotone(self) -> bool:
        """Whether no mode overshoots, starting below its end: ησ ≤ 1/2 for L = 2.

        For deeper networks the map w ↦ w⁺ rises up to w = σ/λ if
        ηL(σ/λ)^{1−2/L}σ ≤ 1.
        """
        return bool(self._stiffness <= 1)

    @property
    def stable(self) -> bool:
        """Whether every learned mode is a stable fixed point: multiplier above −1."""
        return bool(self._stiffness < 2)

    @property
    def _stiffness(self) -> float:
        """Return ηL(σ/λ)^{2−2/L}λ, largest over the modes: one minus the multiplier."""
        sigma, lam, start = self._modes
        used = (sigma > 0) & (start > 0)
        power = (sigma[used] / lam[used]) ** (1 - 2 / self.depth)
        return float(np.max(self.step * self.depth * power * sigma[used], initial=0.0))

    def enclosure(self, count: int) -> tuple[Array, Array]:
        """Return curves below and above the path of two layers, in closed form.

        Parameters
        ----------
        count : int
            How many steps.

        Returns
        -------
        tuple of arrays, shape (count + 1, inputs)
            Logistic curves of rates 2 ln(1 + ησ) and −ln(1 − 2ησ) per step; NaN for
            the modes that do not start between 0 and σ/λ.

        Raises
        ------
        HypothesisFailed
            If there are not two layers, or some ησ exceeds ½.
        """
        sigma, lam, start = self._modes
        pace = self.step * sigma
        if self.depth != 2 or np.max(pace) > 0.5:
            msg = (
                "enclosure(count): needs two layers and step·σ ≤ 1/2; got "
                f"{self.depth} layers and {float(np.max(pace)):.3g}"
            )
            raise HypothesisFailed(msg)
        inside = (sigma > 0) & (start > 0) & (lam * start < sigma)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            log_odds = np.log(lam * start / (sigma - lam * start))
            rates = 2 * np.log1p(pace), -np.log1p(-2 * pace)
            steps = np.arange(count + 1)[:, None]
            shifts = (np.where(steps > 0, rate * steps, 0.0) for rate in rates)
            low, high = (
                sigma / lam / (1 + np.exp(-log_odds - shift)) for shift in shifts
            )
        return np.where(inside, low, np.nan), np.where(inside, high, np.nan)


def recurrence(
    flow: Any, data: Any, init: Any, step: Any, *, rng: Any = None
) -> ModeRecurrence:
    """Return gradient descent from a balanced spectral start, mode by mode.

    Parameters
    ----------
    flow : GradientFlow
        The flow that is discretized.
    data : Dataset or Moments
        What is learned.
    init : Init or sequence of array_like
        Where descent starts.
    step : float
        The step size η.
    rng : None, int or numpy.random.Generator, keyword-only
        Overrides the random state of the initialization rule.

    Returns
    -------
    ModeRecurrence
        Exact per step; with bounds and step-size conditions.

    Raises
    ------
    HypothesisFailed
        If the start is not balanced and spectral.
    InvalidArgument
        If the step is not positive.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> gd = recurrence(flow, sf.whitened([[2]]), [[[0.5]], [[0.5]]], 0.1)
    >>> gd.strengths(1).ravel().tolist(), gd.monotone
    ([0.25, 0.34515625000000005], True)
    """
    size = to_float(positive_number(step, "recurrence(step=…)"))
    answers = attempts(flow, data, init, rng=rng)
    for answer in answers:
        if isinstance(answer, (LogisticMode, DeepMode)):
            return ModeRecurrence(answer, size)
    refused = next(a for a in answers if a.name == "LogisticMode")
    failed = " · ".join(str(h) for h in refused.hypotheses if not h.holds)
    msg = f"recurrence(…): needs a balanced spectral start; {failed}"
    raise HypothesisFailed(msg)
