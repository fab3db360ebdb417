"""The certificate of an enclosure: the polynomials of its steps, and what they prove.

The flow is integrated again, with the Taylor series of `precise`, and each polynomial
is rescaled to its step.  The checker is then run on them: what the file states is what
the checker derives, never what the enclosure says of itself.
"""

from __future__ import annotations

import hashlib
import json
from base64 import b85encode
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import ROUND_CEILING, Context, Decimal
from fractions import Fraction
from math import ceil, log2
from typing import Any

import sympy

from symflow.certificate import checker
from symflow.certificate.model import model_document
from symflow.certificate.numbers import matrix_text, not_carried, rational_text
from symflow.codegen import end_to_end_program
from symflow.data import Dataset
from symflow.errors import InvalidArgument, PrecisionLost
from symflow.flow.problem import Problem
from symflow.losses import SquaredLoss
from symflow.precision import Enclosure
from symflow.precision.arithmetics import Flint
from symflow.precision.enclose import planned
from symflow.precision.plan import Plan
from symflow.precision.run import Run
from symflow.precision.steps import TaylorStep

#: How often the integration is repeated with more bits.
ATTEMPTS = 4
#: Samples with more entries than this are replaced by their moments.
MOST_ENTRIES = 4000
#: Bits of the polynomials beyond the tolerance, for the roundings of a check.
SPARE_BITS = 16
#: The order, in units of the cheapest for integration: fewer steps make smaller files.
LONGER = 1.35
#: How much longer than the last step the next one may be (log2).
GROWTH = 3.0
#: Digits of a radius.
SHOWN_DIGITS = 3

Document = dict[str, Any]


def enclosure_document(ball: Enclosure) -> Document:
    """Return statement, problem and evidence of an enclosure.

    Parameters
    ----------
    ball : Enclosure
        Of finite times, of a polynomial model with the squared loss.

    Raises
    ------
    InvalidArgument
        If a certificate does not carry this kind of problem.
    PrecisionLost
        If the bounds of the checker, which are simpler than those of `enclose`, do not
        reach the radius of the enclosure.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> ball = sf.enclose(flow, sf.whitened([[2]]), [[[1]], [[1]]], 1, digits=10)
    >>> document = enclosure_document(ball)
    >>> document["problem"]["model"], document["statement"]["horizon"]
    ([['matmul', 1, 0]], '1')
    """
    _check_kind(ball)
    given = problem_document(ball.problem)
    try:
        known = checker.GivenProblem(given)
    except (checker.Refuted, ValueError) as reason:
        raise InvalidArgument(not_carried("enclosure", str(reason))) from None
    times = [Fraction(rational_text(t)) for t in ball.t]
    values = [[weight[k] for weight in ball.weights] for k in range(len(ball))]
    claims = [
        (t, [[[Fraction(rational_text(x)) for x in row] for row in w] for w in weights])
        for t, weights in zip(times, values, strict=True)
    ]
    plan = planned(ball.problem, times, ball.digits).tightened(0)
    for _ in range(ATTEMPTS):
        evidence = _evidence(ball.problem, times, ball.digits, plan)
        grid = evidence["bits"], evidence["order"]
        try:
            radii = checker.follow(known, grid, evidence["steps"], claims)
        except checker.Refuted:
            plan = plan.tightened(ball.digits / 2)
            continue
        except ValueError as reason:
            raise InvalidArgument(not_carried("enclosure", str(reason))) from None
        pairs = zip(radii, ball.radius, strict=True)
        missing = max(_log2(found) - _log2(Fraction(float(r))) for found, r in pairs)
        if missing <= 0:
            return _document(given, evidence, radii, ball)
        plan = plan.tightened(missing)
    msg = (
        "save(enclosure, 'name.json'): the bounds of the checker are simpler than "
        "those of enclose, and do not reach its radius here. Enclose earlier times, or "
        "save the enclosure as 'name.npz'"
    )
    raise PrecisionLost(msg)


def _check_kind(ball: Enclosure) -> None:
    loss = ball.flow.loss
    if not isinstance(loss, SquaredLoss):
        msg = f"it has the loss {loss!r}, and the checker knows the squared loss"
        raise InvalidArgument(not_carried("enclosure", msg))
    if ball.t[-1] == sympy.oo:
        msg = "it is about the limit, and the checker follows the flow to finite times"
        raise InvalidArgument(not_carried("enclosure", msg))


def problem_document(problem: Problem) -> Document:
    """Return model, data and start in exact numbers.

    It is as `enclose` has bound it, with all digits.
    """
    flow = problem.flow
    weights = [matrix_text(weight) for weight in problem.weights]
    shapes = [weight.shape for weight in problem.weights]
    return {
        "weights": [symbol.name for symbol in flow.state],
        "start": weights,
        **model_document(end_to_end_program(flow), shapes),
        "weight decay": [rational_text(decay) for decay in flow.decays],
        "data": _data(problem),
    }


def _data(problem: Problem) -> Document:
    """Return samples where they are few, else their moments with a digest of them."""
    source, loss = problem.source, problem.flow.loss
    assert isinstance(loss, SquaredLoss)
    xx, yx = problem.arguments
    if not isinstance(source, Dataset):
        return {"sigma_xx": matrix_text(xx), "sigma_yx": matrix_text(yx)}
    X, Y = matrix_text(source.X), matrix_text(source.Y)
    divisor = len(X) if loss.reduction == "mean" else 1
    samples = {"X": X, "Y": Y, "divisor": str(divisor)}
    if source.X.size + source.Y.size <= MOST_ENTRIES:
        return samples
    digest = hashlib.sha256(canonical(samples)).hexdigest()
    return {
        "sigma_xx": matrix_text(xx),
        "sigma_yx": matrix_text(yx),
        "sha256 of the samples": digest,
    }


def canonical(content: Document) -> bytes:
    """Return JSON of which there is one for equal contents; its digest is stored.

    Examples
    --------
    >>> canonical({"b": 1, "a": "c"})
    b'{"a":"c","b":1}'
    """
    return json.dumps(content, sort_keys=True, separators=(",", ":")).encode()


def _evidence(
    problem: Problem, times: list[Fraction], digits: int, plan: Plan
) -> Document:
    plan = replace(plan, order=ceil(LONGER * plan.order))
    run = Run(problem, times, digits, Flint(), plan)
    bits = plan.tolerance + SPARE_BITS
    steps = [_step(run, step, length, bits) for step, length in _steps(run, times[-1])]
    return {"bits": bits, "order": plan.order, "steps": steps}


def _steps(run: Run, end: Fraction) -> Iterator[tuple[TaylorStep, Fraction]]:
    """Yield steps and their lengths; the last one ends where it has to."""
    state = run.state
    while True:
        # a longer guess than that of the last step: no ramp of short steps
        step = run.system.step(replace(state, h=state.h + GROWTH))
        state, left = step.after, end - step.start.t
        yield step, min(step.h, left) if left else step.h
        if state.t >= end:
            return


def _step(run: Run, step: TaylorStep, length: Fraction, bits: int) -> Document:
    """Return the polynomials in s = t / length; those of one order are of one width."""
    engine: Any = run.system.engine
    matrix = engine.coefficients(step.series)
    ratio, unit = length / step.unit, Fraction(2) ** (bits - engine.bits)
    flat, rows, width = matrix.entries(), matrix.nrows(), matrix.ncols()
    lines, (p, q) = [], unit.as_integer_ratio()
    for row in range(rows):
        line = flat[row * width : (row + 1) * width]
        lines.append([(int(c) * p + q // 2) // q for c in line])
        p, q = p * ratio.numerator, q * ratio.denominator
    widths = [max(map(int.bit_length, line)) // 8 + 1 for line in lines]
    entries = iter([_packed(column, widths) for column in zip(*lines, strict=True)])
    sizes = [weight.size for weight in run.problem.weights]
    terms = [[next(entries) for _ in range(size)] for size in sizes]
    return {"length": str(length), "widths": widths, "terms": terms}


def _packed(column: Sequence[int], widths: Sequence[int]) -> str:
    pairs = zip(column, widths, strict=True)
    return b85encode(
        b"".join(c.to_bytes(width, "little", signed=True) for c, width in pairs)
    ).decode()


def _document(
    given: Document, evidence: Document, radii: list[Fraction], ball: Enclosure
) -> Document:
    claims = [
        {
            "t": rational_text(t),
            "radius": _rounded_up(radius),
            "weights": [matrix_text(weight[k]) for weight in ball.weights],
        }
        for k, (t, radius) in enumerate(zip(ball.t, radii, strict=True))
    ]
    horizon = rational_text(ball.t[-1])
    statement = {"kind": "enclosure", "horizon": horizon, "at": claims}
    return {"statement": statement, "problem": given, "evidence": evidence}


def _rounded_up(value: Fraction) -> str:
    """Return a number as a decimal of a few digits that is no smaller."""
    context = Context(prec=SHOWN_DIGITS, rounding=ROUND_CEILING)
    quotient = context.divide(Decimal(value.numerator), Decimal(value.denominator))
    return str(quotient).lower()


def _log2(value: Fraction) -> float:
    if not value:
        return -1e9
    places = value.denominator.bit_length() - value.numerator.bit_length()
    scaled = value * Fraction(2) ** places
    return log2(float(scaled)) - places
