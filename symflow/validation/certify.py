"""`certify`: a claim, proven or refuted on one instance by an enclosure.

An equation is turned into the balls of its residual at every enclosed time: the true
residual of the flow lies in them.  If one of them excludes zero, the claim is refuted;
if all contain zero, the two sides are proven to be as close as the balls are small.  An
inequality is turned into the ball of larger − smaller.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Any, overload

import sympy

from symflow.algebra.balls import ALONE, workbits
from symflow.algebra.display import Listed
from symflow.algebra.text import scientific
from symflow.claims import Claim, Finding, Status
from symflow.claims.finding import is_endless
from symflow.errors import InvalidArgument, expect
from symflow.flow import GradientFlow
from symflow.flow.given import DataLike, InitLike, RandomLike, TimesLike
from symflow.precision import Enclosure, enclose
from symflow.validation.certificate import Certificate

#: More times than this are counted, not listed.
MOST_TIMES = 6

ROUNDED = (
    "the hypotheses hold only up to rounding ({defect:.0e}), which explains a distance "
    "of {gap}: the theorem does not speak of this instance. Give exact data and start"
)


@overload
def certify(
    claim: Claim,
    flow: GradientFlow | Enclosure,
    data: DataLike | None = None,
    init: InitLike | None = None,
    t: TimesLike | None = None,
    *,
    digits: int = 50,
    rng: RandomLike = None,
) -> Certificate: ...


@overload
def certify(
    claim: Iterable[Claim],
    flow: GradientFlow | Enclosure,
    data: DataLike | None = None,
    init: InitLike | None = None,
    t: TimesLike | None = None,
    *,
    digits: int = 50,
    rng: RandomLike = None,
) -> Listed[Certificate]: ...


def certify(
    claim: Claim | Iterable[Claim],
    flow: GradientFlow | Enclosure,
    data: DataLike | None = None,
    init: InitLike | None = None,
    t: TimesLike | None = None,
    *,
    digits: int = 50,
    rng: RandomLike = None,
) -> Certificate | Listed[Certificate]:
    """Prove or refute a claim on one instance, or several.

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
    claim : Claim or iterable of Claim
        From `conserved`, `solve`, `implicit_bias` or `rates`.
    flow : GradientFlow or Enclosure
        The flow, or what `enclose` returned for it; then nothing else is given.
    data : Dataset or Moments
        What is learned.
    init : Init or sequence of array_like
        A rule, or the weights at t = 0.
    t : number or sequence of numbers
        Times; the last one oo for a predicted limit.
    digits : int, keyword-only
        Digits of the enclosure.
    rng : None, int or numpy.random.Generator, keyword-only
        Overrides the random state of the initialization rule.

    Returns
    -------
    Certificate
        With `.status` (``ENCLOSED``, ``REFUTED`` or ``UNDECIDED``), `.radius` and
        `.proof`; for several claims a tuple of them, from one enclosure.

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
    >>> certify(wrong, *problem, 3, digits=30).gap < 1e-24, len(certificate.times)
    (True, 1)
    """
    several = isinstance(claim, Iterable) and not isinstance(claim, str)
    several &= getattr(claim, "ndim", 1) != 0
    listed: Any = claim if several else [claim]
    needs = "a claim, or several"
    claims = [expect(one, Claim, "certify(claim, …)", needs) for one in listed]
    if not claims:
        msg = f"certify(claim, …): needs {needs}; got none"
        raise InvalidArgument(msg)
    if isinstance(flow, Enclosure):
        if (data, init, t) != (None, None, None):
            msg = "certify(claim, enclosure): takes no data, start or times besides"
            raise InvalidArgument(msg)
        ball = flow
    elif t is None or data is None or init is None:
        msg = (
            "certify(claim, flow, data, init, t): needs the times t, with data and "
            "start, or an enclosure"
        )
        raise InvalidArgument(msg)
    else:
        ball = enclose(flow, data, init, t, digits=digits, rng=rng)
    found = Listed(certify_on(one, ball) for one in claims)
    return found if several else found[0]


def certify_on(claim: Claim, ball: Enclosure) -> Certificate:
    """Hold a claim against an enclosure."""
    with ALONE, workbits(ball.context.prec + 64):
        findings, times, trusted = _findings(claim, ball)
        if not findings:
            lines = (f"nothing is proven: {trusted}", *ball.proof)
            return Certificate(claim, Status.UNDECIDED, inf, 0.0, tuple(ball.t), lines)
        gap = max(finding.gap for finding in findings)
        radius = max(finding.radius for finding in findings)
        status, said = _verdict(claim, ball, findings, times)
    besides = [f"trusted besides: {trusted}"] if trusted else []
    return Certificate(
        claim,
        status,
        radius if status is Status.ENCLOSED else inf,
        gap if status is Status.REFUTED else 0.0,
        times,
        (said, *ball.proof, *besides),
        ball,
    )


def _verdict(
    claim: Claim, ball: Enclosure, findings: list[Finding], times: tuple[Any, ...]
) -> tuple[Status, str]:
    """Return the verdict over all times, in words too."""
    gap = max(finding.gap for finding in findings)
    radius = max(finding.radius for finding in findings)
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
    when = _times(times)
    if inequality:
        return Status.ENCLOSED, f"proven: the inequality holds at {when}"
    if radius == 0:
        return Status.ENCLOSED, f"proven: the two sides are equal at {when}"
    words = f"proven: the two sides differ by less than {scientific(radius)} at {when}"
    return Status.ENCLOSED, words


def _times(times: tuple[Any, ...]) -> str:
    """Return the times in words."""
    shown = ["∞" if t == sympy.oo else f"{float(t):g}" for t in times]
    if len(shown) > MOST_TIMES:
        return f"{len(shown)} times from t = {shown[0]} to {shown[-1]}"
    return "t = " + ", ".join(shown)


def _findings(
    claim: Claim, ball: Enclosure
) -> tuple[list[Finding], tuple[Any, ...], str]:
    """Return findings, the times they speak of, and what is trusted, or why none is.

    A claim speaks of finite times, or of the limit, or of both.
    """
    found: list[Finding] = []
    times: list[Any] = []
    trusted: list[str] = []
    silent = ""
    for part in ball.parts:
        answers = [claim.finding(part, index) for index in range(len(part))]
        known = [answer for answer in answers if isinstance(answer, Finding)]
        if known:
            found, times = found + known, [*times, *part.t]
            trusted += [known[-1].trusted] if known[-1].trusted else []
        else:
            silent = str(answers[-1])
    return found, tuple(times), "; ".join(trusted) if found else silent


def _excuse(claim: Claim, ball: Enclosure, gap: float) -> str:
    """Say whether hypotheses that hold up to rounding explain what was found."""
    if is_endless(ball):
        return ""
    slack = float(max(claim.slack(ball)))
    scale = float(max(abs(entry) for entry in ball.end_to_end.flat))
    if not 0 < gap <= slack * scale:
        return ""
    defect = max(hypothesis.defect for hypothesis in claim.hypotheses)
    return ROUNDED.format(defect=defect, gap=f"{gap:.0e}")
