"""`certify`: a claim, proven or refuted on one instance by an enclosure.

An equation is turned into the balls of its residual at every enclosed time: the true
residual of the flow lies in them.  If one of them excludes zero, the claim is refuted;
if all contain zero, the two sides are proven to be as close as the balls are small.  An
inequality is turned into the ball of larger − smaller.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np
import sympy
from flint import arb, ctx

from symflow.algebra.arrays import Array, map_entries
from symflow.algebra.balls import to_arb, to_arb_array
from symflow.algebra.numbers import exact
from symflow.algebra.text import scientific
from symflow.bias import Prediction
from symflow.claims import Claim, Status
from symflow.conservation import Law, PolynomialLaw
from symflow.convergence import LossBound
from symflow.errors import InvalidArgument
from symflow.flow import GradientFlow
from symflow.flow.least_squares import exact_least_norm
from symflow.precision import Enclosure, enclose
from symflow.precision.balls import frobenius, upward
from symflow.solutions import Solution
from symflow.validation.certificate import Certificate

#: Digits of a closed form beyond those of the enclosure.
SPARE_DIGITS = 10
#: Relative error of a limit that is known in float64 only.
FLOAT_LIMIT = 1e-9

#: More times than this are counted, not listed.
MOST_TIMES = 6

TRUSTED_FORMULA = "the evaluation of the closed form (mpmath)"
ROUNDED = (
    "the hypotheses hold only up to rounding ({defect:.0e}), which explains a distance "
    "of {gap}: the theorem does not speak of this instance. Give exact data and start"
)


@dataclass(frozen=True)
class Finding:
    """What the ball at one time says: a residual that vanishes, or one that is not < 0.

    Parameters
    ----------
    balls : array of arb
        The true residual lies in them.
    inequality : bool
        Whether the claim is that the residual is not negative, or that it vanishes.
    """

    balls: Array
    inequality: bool = False

    @property
    def status(self) -> Status:
        """The verdict at this time."""
        if self.inequality:
            if all(ball >= 0 for ball in self.balls.flat):
                return Status.ENCLOSED
            refuted = any(ball < 0 for ball in self.balls.flat)
            return Status.REFUTED if refuted else Status.UNDECIDED
        if not all(ball.contains(0) for ball in self.balls.flat):
            return Status.REFUTED
        known = all(ball.is_finite() for ball in self.balls.flat)
        return Status.ENCLOSED if known else Status.UNDECIDED

    @property
    def radius(self) -> float:
        """Proven bound on the distance of the two sides; of an inequality, zero."""
        return 0.0 if self.inequality else upward(frobenius([self.balls]))

    @property
    def gap(self) -> float:
        """Proven lower bound on the distance of the two sides."""
        return float(max(ball.abs_lower() for ball in self.balls.flat))


def certify(
    claim: Claim,
    flow: GradientFlow | Enclosure,
    data: Any = None,
    init: Any = None,
    t: Any = None,
    *,
    digits: int = 50,
    rng: Any = None,
) -> Certificate:
    """Prove or refute a claim on one instance.

    The flow of the given data and start is enclosed in balls of proven radius, and the
    claim is compared with them in ball arithmetic.  What becomes of it:

    * a closed form is proven to agree with the flow within the radius, at the times;
    * a conserved quantity is proven to keep its value within the radius;
    * a predicted limit is compared with the enclosed limit (t = oo), exactly where the
      data are rational and the prediction is the minimizer of least norm;
    * an exponential bound on the loss is proven to hold at the times.

    A claim that is false on the instance, be it by 10⁻³⁰, is refuted as soon as the
    radius is smaller than that.

    Parameters
    ----------
    claim : Claim
        From `conserved`, `solve`, `implicit_bias` or `rates`.
    flow : GradientFlow or Enclosure
        The flow, or what `enclose` returned for it; then nothing else is given.
    data : Dataset or Moments
        What is learned.
    init : Init or sequence of array_like
        A rule, or the weights at t = 0.
    t : number, sequence of numbers, or sympy.oo
        Times; oo for a predicted limit.
    digits : int, keyword-only
        Digits of the enclosure.
    rng : None, int or numpy.random.Generator, keyword-only
        Overrides the random state of the initialization rule.

    Returns
    -------
    Certificate
        With `.status` (``ENCLOSED``, ``REFUTED`` or ``UNDECIDED``), `.radius` and
        `.proof`.

    Raises
    ------
    InvalidArgument
        If the claim is not a claim, or arguments are missing.
    HypothesisFailed
        If the flow is not covered by `enclose`.
    PrecisionLost
        If the radius cannot be reached.

    Examples
    --------
    >>> import symflow as sf
    >>> from fractions import Fraction
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> problem = (flow, sf.whitened([[2]]), [[[1]], [[1]]])
    >>> certificate = certify(sf.solve(*problem), *problem, 3, digits=30)
    >>> certificate.status.value, certificate.radius < 1e-29
    ('enclosed', True)
    >>> near = 2 + Fraction(1, 10**25)
    >>> wrong = sf.solve(flow, sf.whitened([[near]]), problem[2])
    >>> certify(wrong, *problem, 3, digits=30).status.value
    'refuted'
    """
    if not isinstance(claim, Claim):
        msg = f"certify(claim, …): {claim!r} is not a claim"
        raise InvalidArgument(msg)
    if isinstance(flow, Enclosure):
        if (data, init, t) != (None, None, None):
            msg = "certify(claim, enclosure): takes no data, start or times besides"
            raise InvalidArgument(msg)
        return certify_on(claim, flow)
    if t is None:
        msg = "certify(claim, flow, data, init, t): needs the times t, or an enclosure"
        raise InvalidArgument(msg)
    return certify_on(claim, enclose(flow, data, init, t, digits=digits, rng=rng))


def certify_on(claim: Claim, ball: Enclosure) -> Certificate:
    """Hold a claim against an enclosure.

    Parameters
    ----------
    claim : Claim
        What is asserted.
    ball : Enclosure
        What is proven.
    """
    with ctx.workprec(ball.context.prec + 64):
        findings, trusted = _findings(claim, ball)
        times = tuple(ball.t)
        if findings is None:
            lines = (f"nothing is proven: {trusted}", *ball.proof)
            return Certificate(claim, Status.UNDECIDED, inf, 0.0, times, lines)
        gap = max(finding.gap for finding in findings)
        radius = max(finding.radius for finding in findings)
        status, said = _verdict(claim, ball, findings, gap, radius)
    besides = [f"trusted besides: {trusted}"] if trusted else []
    return Certificate(
        claim,
        status,
        radius if status is Status.ENCLOSED else inf,
        gap if status is Status.REFUTED else 0.0,
        times,
        (said, *ball.proof, *besides),
    )


def _verdict(
    claim: Claim, ball: Enclosure, findings: list[Finding], gap: float, radius: float
) -> tuple[Status, str]:
    """Return the verdict over all times, in words too."""
    found = {finding.status for finding in findings}
    inequality = all(finding.inequality for finding in findings)
    if Status.REFUTED in found:
        excuse = _excuse(claim, ball, gap)
        if excuse:
            return Status.UNDECIDED, excuse
        words = (
            f"proven: at some time the two sides differ by more than {scientific(gap)}"
        )
        return Status.REFUTED, words
    if Status.UNDECIDED in found:
        return Status.UNDECIDED, "the balls of the two sides overlap; take more digits"
    when = _times(ball)
    if inequality:
        return Status.ENCLOSED, f"proven: the inequality holds at {when}"
    if radius == 0:
        return Status.ENCLOSED, f"proven: the two sides are equal at {when}"
    words = f"proven: the two sides differ by less than {scientific(radius)} at {when}"
    return Status.ENCLOSED, words


def _times(ball: Enclosure) -> str:
    """Return the times in words."""
    shown = ["∞" if t == sympy.oo else f"{float(t):g}" for t in ball.t]
    if len(shown) > MOST_TIMES:
        return f"{len(shown)} times from t = {shown[0]} to {shown[-1]}"
    return "t = " + ", ".join(shown)


def _findings(claim: Claim, ball: Enclosure) -> tuple[list[Finding] | None, str]:
    """Return a finding per time and what is trusted, or None and why there is none."""
    endless = ball.t[-1] == sympy.oo
    if isinstance(claim, Law | PolynomialLaw):
        return [_conserved(claim, ball, n) for n in range(len(ball))], ""
    if isinstance(claim, LossBound) and type(claim).sides is LossBound.sides:
        return _decaying(claim, ball, endless=endless)
    if endless and isinstance(claim, Solution | Prediction):
        limit, error = limit_of(claim)
        trusted = "" if error == 0 else "the predicted limit (float64)"
        return [_equal(limit, error, ball, -1)], trusted
    if isinstance(claim, Solution):
        return [_closed_form(claim, ball, n) for n in range(len(ball))], TRUSTED_FORMULA
    if isinstance(claim, Prediction):
        return None, "a limit is certified by an enclosure with t = oo"
    return None, f"no ball arithmetic for {claim.name}; use validate(…)"


def _conserved(law: Law | PolynomialLaw, ball: Enclosure, index: int) -> Finding:
    """Return Q(t) − e^{−rt} Q(0)."""
    spread = arb(0, float(ball.radius[index]))
    now = [to_arb_array(weight[index]) + spread for weight in ball.weights]
    start = [to_arb_array(weight) for weight in ball.problem.weights]
    factor = to_arb(1)
    if not law.is_conserved:
        time = ball.t[index]
        decay = law.rate * (time if time == sympy.oo else exact(time))
        factor = to_arb(sympy.exp(-decay))
    residual = np.asarray(law.value(now)) - factor * np.asarray(law.value(start))
    return Finding(np.asarray(residual, dtype=object))


def _closed_form(solution: Solution, ball: Enclosure, index: int) -> Finding:
    digits = ball.digits + SPARE_DIGITS
    value = solution._precise(ball.t[index], digits)
    return _equal(value, arb(10) ** -digits, ball, index)


def limit_of(claim: Any) -> tuple[Array, Any]:
    """Return a predicted limit, exactly where that is possible, and its error.

    Parameters
    ----------
    claim : Solution or Prediction
        With a `limit`, and perhaps an `exact_limit`.
    """
    known = getattr(claim, "exact_limit", None)
    if known is not None:
        return known, arb(0)
    return np.asarray(claim.limit), arb(FLOAT_LIMIT)


def _equal(value: Array, error: Any, ball: Enclosure, index: int) -> Finding:
    """Return a matrix, up to a relative error, minus the true end-to-end matrix."""
    said = to_arb_array(value)
    size = max(entry.abs_upper() for entry in said.flat)
    spread = arb(float(ball.end_to_end_radius[index])) + error * size
    around = arb(0, spread.upper())
    middle = to_arb_array(ball.end_to_end[index])
    return Finding(said - middle + around)


def _decaying(
    bound: LossBound, ball: Enclosure, *, endless: bool
) -> tuple[list[Finding] | None, str]:
    """Return e^{−ct} excess(0) − excess(t), for all times but the start."""
    best = exact_least_norm(ball.problem)
    if endless or best is None:
        return None, "needs finite times, and rational moments of a loss with a minimum"
    sigma, least = to_arb_array(ball.problem.arguments[0]), to_arb_array(best)

    def excess(product: Array) -> Any:
        off = product - least
        return ((off @ sigma) * off).sum() / 2

    product = to_arb_array(ball.problem.weights[0])
    for weight in ball.problem.weights[1:]:
        product = to_arb_array(weight) @ product
    start, findings = excess(product), []
    for index, time in enumerate(ball.t):
        if time == 0:
            continue
        around = arb(0, float(ball.end_to_end_radius[index]))
        now = map_entries(lambda x, r=around: to_arb(x) + r, ball.end_to_end[index])
        decay = (-to_arb(bound.rate) * to_arb(time)).exp()
        margin = np.array([decay * start - excess(now)], dtype=object)
        findings.append(Finding(margin, inequality=True))
    return findings or None, "" if findings else "only the start was enclosed"


def _excuse(claim: Claim, ball: Enclosure, gap: float) -> str:
    """Say whether hypotheses that hold up to rounding explain what was found."""
    if ball.t[-1] == sympy.oo or isinstance(claim, Law | PolynomialLaw):
        return ""
    slack = float(max(claim.slack(ball)))
    scale = float(max(abs(entry) for entry in ball.end_to_end.flat))
    if not 0 < gap <= slack * scale:
        return ""
    defect = max(hypothesis.defect for hypothesis in claim.hypotheses)
    return ROUNDED.format(defect=defect, gap=f"{gap:.0e}")
