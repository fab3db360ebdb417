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

from symflow.algebra.arrays import has_sets, map_entries
from symflow.algebra.intervals import Interval
from symflow.certificate import checker
from symflow.certificate.limit import limit_evidence, root_of_best
from symflow.certificate.model import model_document
from symflow.certificate.numbers import matrix_text, not_carried, rational_text
from symflow.codegen import end_to_end_program
from symflow.data import Dataset
from symflow.errors import InvalidArgument, PrecisionLost
from symflow.flow.problem import Problem
from symflow.losses import ExponentialLoss, LogisticLoss, MeasurementLoss, SquaredLoss
from symflow.precision import Enclosure
from symflow.precision.arithmetics import Flint
from symflow.precision.enclose import planned
from symflow.precision.fading import PROOF as CURVED
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

#: What the checker calls a loss; measurements are a squared loss of vec(W)ᵀ.
LOSSES = {
    SquaredLoss: "squared",
    MeasurementLoss: "squared",
    ExponentialLoss: "exponential",
    LogisticLoss: "logistic",
}

Document = dict[str, Any]


def enclosure_document(
    ball: Enclosure, stated: Sequence[Document] = (), bound: list[str] | None = None
) -> Document:
    """Return statement, problem and evidence of an enclosure, or of what follows.

    By default it is stated that the weights are those of the enclosure; `stated` says
    it for the checker, with a radius that has to be reached, and the `bound` has c and
    r of c e^(−rt) on the loss. PrecisionLost says that the bounds of the checker, which
    are simpler than those of `enclose`, do not reach what is stated.
    """
    _check_carried(ball)
    given, claims = problem_document(ball.problem), stated or _claims(ball)
    endless, times = claims[-1]["t"] == "oo", _finite(ball, claims)
    statement: Document = {"kind": "enclosure", "horizon": claims[-1]["t"]}
    statement |= {"at": claims} | ({"bound": bound} if bound else {})
    known, root = _known(given), None
    if endless or any("best" in claim.values() for claim in claims):
        root = root_of_best(known)
        known = _known(given, root)
    centre = ball.problem.centre
    plan = planned(centre, times, ball.digits).tightened(0)
    for _ in range(ATTEMPTS):
        evidence = _evidence(centre, times, ball.digits, plan)
        evidence |= {"root of best": root} if root else {}
        evidence |= {"limit": limit_evidence(known, evidence)} if endless else {}
        found = _followed(known, evidence, statement)
        if found is None:
            plan = plan.tightened(ball.digits / 2)
            continue
        missing = max(_log2(proven) - _log2(claimed) for proven, claimed, _ in found)
        # what a set of starts makes of the error is no matter of digits
        if missing <= 0 or (ball.problem.is_set and not stated):
            for claim, (proven, *_) in zip(claims, found, strict=True):
                claim |= {"radius": _rounded_up(proven)} if "radius" in claim else {}
            return {"statement": statement, "problem": given, "evidence": evidence}
        plan = plan.tightened(missing)
    msg = (
        "save(…, 'name.json'): the bounds of the checker are simpler than those of "
        "enclose, and do not reach what is stated here. Enclose earlier times or with "
        "more digits, or save the enclosure as 'name.npz'"
    )
    raise PrecisionLost(msg)


def _check_carried(ball: Enclosure) -> None:
    missing = {
        "its data change": bool(ball.pieces),
        "layers have learning rates": bool(ball.flow.learning_rates),
        "its data are sets": any(map(has_sets, ball.problem.arguments)),
        "its loss is a formula": type(ball.flow.loss) not in LOSSES,
        "its limit rests on the second derivative": ball.proof[-1] == CURVED,
    }
    if True in missing.values():
        reason = list(missing)[list(missing.values()).index(True)]
        raise InvalidArgument(not_carried("enclosure", reason))


def _known(given: Document, root: Any = None) -> checker.GivenProblem:
    try:
        return checker.GivenProblem(given, root)
    except (checker.Refuted, ValueError) as reason:
        raise InvalidArgument(not_carried("enclosure", str(reason))) from None


def _followed(
    known: checker.GivenProblem, evidence: Document, statement: Document
) -> list[tuple[Any, Any, str]] | None:
    """Return what the checker proves, None if that is nothing."""
    try:
        return checker.follow(known, evidence, statement)
    except checker.Refuted:
        return None
    except ValueError as reason:
        raise InvalidArgument(not_carried("enclosure", str(reason))) from None


def _finite(ball: Enclosure, claims: Sequence[Document]) -> list[Fraction]:
    """Return the times to follow: for the limit, one from which it is seen."""
    times = [Fraction(claim["t"]) for claim in claims if claim["t"] != "oo"]
    late = Fraction(ball.stats["from_t"]) if len(times) < len(claims) else Fraction(0)
    return times if times and late <= times[-1] else [*times, late]


def _claims(ball: Enclosure) -> list[Document]:
    return [
        {
            "t": time_text(t),
            "radius": rational_text(float(radius)),
            "weights": [matrix_text(weight[k]) for weight in ball.weights],
        }
        for k, (t, radius) in enumerate(zip(ball.t, ball.radius, strict=True))
    ]


def time_text(t: Any) -> str:
    """Return a time as the checker reads it."""
    return "oo" if t == sympy.oo else rational_text(t)


def problem_document(problem: Problem) -> Document:
    """Return model, data and start in exact numbers.

    It is as `enclose` has bound it, with all digits.
    """
    flow, middle = problem.flow, problem.centre.weights
    radii = [map_entries(_radius, weight) for weight in problem.weights]
    shapes = [weight.shape for weight in problem.weights]
    model = model_document(end_to_end_program(flow), shapes)
    if isinstance(flow.loss, MeasurementLoss):  # of samples A_k and the model vec(W)ᵀ
        size = problem.source.rows.shape[1]
        last = len(shapes) + len(model["constants"]) + len(model["model"])
        model["model"].append(["place", last, 1, size, [*range(size)]])
    return {
        "weights": [symbol.name for symbol in flow.state],
        "start": [matrix_text(weight) for weight in middle],
        **({"start radii": [*map(matrix_text, radii)]} if problem.is_set else {}),
        **model,
        "loss": LOSSES[type(flow.loss)],
        "weight decay": [rational_text(decay) for decay in flow.decays],
        "data": _data(problem),
    }


def _radius(entry: Any) -> Any:
    return (entry.high - entry.low) / 2 if isinstance(entry, Interval) else 0


def _data(problem: Problem) -> Document:
    """Return samples, or moments that are given or of many samples."""
    source, loss = problem.source, problem.flow.loss
    squared = isinstance(loss, SquaredLoss)
    if squared and not isinstance(source, Dataset):
        return _moments(problem)
    X, Y = (source.X, source.Y) if squared else problem.arguments
    mean = getattr(loss, "reduction", "sum") == "mean"
    divisor = str(len(X) if mean else 1)
    samples = {"X": matrix_text(X), "Y": matrix_text(Y), "divisor": divisor}
    if not squared or X.size + Y.size <= MOST_ENTRIES:
        return samples
    digest = hashlib.sha256(canonical(samples)).hexdigest()
    return {**_moments(problem), "sha256 of the samples": digest}


def _moments(problem: Problem) -> Document:
    names = ("sigma_xx", "sigma_yx")
    return dict(zip(names, map(matrix_text, problem.arguments), strict=True))


def canonical(content: Document) -> bytes:
    """Return JSON of which there is one for equal contents; its digest is stored."""
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
