"""`implicit_bias`, `regime` and `saddle_to_saddle`: where and how a flow ends."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import sympy

import symflow as sf
from adversary.case import Case, Fault, shown, top, wrong
from adversary.exact import least_squares, rank
from adversary.limits import least_squares_gap, passes
from adversary.margins import largest_margin
from adversary.saddles import path
from adversary.truth import end_to_end, fractions, moments


def implicit_bias(case: Case) -> Iterator[Fault]:
    """Compare the predicted limit or direction with the true one."""
    bias = case.ask(sf.implicit_bias, *case.given)
    predicted = case.ask(lambda: bias.limit) if bias is not None else None
    if predicted is None:
        return
    call = (
        "bias = sf.implicit_bias(flow, data, init)\nprint(bias.limit, bias.hypotheses)"
    )
    if case.problem.loss != "squared":
        if bias.name == "DenseMaxMargin":
            yield from _direction(case, predicted, call)
        return
    if not np.all(np.isfinite(np.asarray(predicted, dtype=float))):
        yield Fault(f"{bias.name}.limit is not finite", shown(predicted), call)
        return
    size = max(float(top(predicted)), float(top(case.products[0])), 1e-9)
    only = _only_minimizer(case) if case.limit is None else None
    if only is not None and not passes(case.problem, predicted, 1e-2 * size):
        kind = f"{bias.name}.limit is not the only minimizer"
        allowed = 1e-6 * float(top(only)) + 1e-12 * size
        yield from wrong(kind, predicted, only, allowed, call)
    if case.limit is None:
        return
    true, error = case.limit
    named = f"{bias.name}.limit" + " at a saddle" * _is_saddle(case, true)
    yield from wrong(named, predicted, true, 1e-6 * size + error, call)


def _only_minimizer(case: Case) -> Any:
    """Return the minimizer of a dense network where it is unique, exactly."""
    xx = moments(case.problem)[0]
    dense = case.problem.family == "dense" and not case.problem.decay
    if not dense or rank(xx) < case.problem.d:
        return None
    widths = [len(w) for w in case.problem.weights] + [case.problem.d]
    full = min(widths) == min(case.problem.d, case.problem.m)
    return least_squares(case.problem) if full else None


def _is_saddle(case: Case, end: Any) -> bool:
    scale = max(float(top(moments(case.problem)[1])), 1e-300)
    return least_squares_gap(case.problem, end) > 1e-9 * scale


def _direction(case: Case, predicted: Any, call: str) -> Iterator[Fault]:
    """Compare with the direction of largest margin, found by enumeration."""
    w = largest_margin(case.problem)
    if w is None:
        detail = f"predicts {shown(predicted)}, but no hyperplane separates"
        yield Fault("DenseMaxMargin of data that are not separable", detail, call)
        return
    true = np.array([[float(x) for x in w]])
    true = true / np.linalg.norm(true)
    found = np.asarray(predicted, dtype=float)
    found = found / np.linalg.norm(found)
    yield from wrong("DenseMaxMargin.limit", found, true, 1e-7, call)


def regime(case: Case) -> Iterator[Fault]:
    """Compare what the start is said to be with its definition, in fractions."""
    found = case.ask(sf.regime, *case.given)
    if found is None:
        return
    call = "print(sf.regime(flow, data, init))"
    if case.problem.exact:
        true = _obstructed(case)
        if found.obstructed != true:
            detail = f"obstructed = {found.obstructed}, true {true}"
            yield Fault("obstructed", detail, call)
    target = least_squares(case.problem)
    if target is None:
        return
    first, second = (np.array(fractions(w), float) for w in case.problem.weights)
    xx = np.array(moments(case.problem)[0], dtype=float)
    sizes = np.linalg.eigvalsh(xx)
    if min(abs(s) for s in sizes if s) < 1e-6 * max(abs(sizes)):
        return
    seen = first @ np.linalg.pinv(xx) @ xx
    size = (np.sum(seen**2) + np.sum(second**2)) / 2
    needed = np.linalg.norm(np.array(target, float), "nuc")
    if needed and abs(found.scale - size / needed) > 1e-6 * size / needed:
        detail = f"scale = {found.scale:.6g}, true {size / needed:.6g}"
        yield Fault("scale", detail, call)


def _obstructed(case: Case) -> bool:
    """Say exactly whether a balanced square start has the wrong sign of det W."""
    first, second = (fractions(w) for w in case.problem.weights)
    square = len({*first.shape, *second.shape}) == 1
    eta, theta = case.problem.rates or (1, 1)
    if not square or np.any(second.T @ second / theta - first @ first.T / eta):
        return False
    total = end_to_end("dense", [first, second], case.problem.d)
    target = least_squares(case.problem)
    if target is None:
        return False
    return bool(_det(total) * _det(target) < 0)


def _det(rows: Any) -> Any:
    return sympy.Matrix(
        len(rows), len(rows), [sympy.Rational(x) for x in rows.flat]
    ).det()


def saddle_to_saddle(case: Case) -> Iterator[Fault]:
    """Compare jumps and saddles with those of the enumeration."""
    for positive in (False, True):
        found = case.ask(sf.saddle_to_saddle, case.flow, case.data, positive=positive)
        if found is None:
            continue
        xx, yx, _ = moments(case.problem)
        true = path(xx.tolist(), yx[0].tolist(), positive=positive)
        if true is None or rank(xx) < case.problem.d:
            continue
        jumps = list(zip(found.jumps, found.saddles[1:], strict=True))
        if not case.problem.exact:
            # Between jumps that floats cannot tell apart there is no saddle to see.
            jumps, true = _merged(jumps), _merged(true)
        call = f"print(sf.saddle_to_saddle(flow, data, positive={positive}))"
        same = len(jumps) == len(true) and all(
            abs(float(a) - float(s)) <= 1e-7 * abs(float(s))
            and np.allclose(np.array(b, float), np.array(x, float), rtol=1e-7, atol=0)
            for (a, b), (s, x) in zip(jumps, true, strict=False)
        )
        if not same:
            below = positive and any(float(x) < 0 for _, b in jumps for x in b)
            what = "negative coefficient" if below else "jump missing or wrong"
            kind = f"{what}, positive={positive}"
            detail = f"{_told(jumps)}, true {_told(true)}"
            yield Fault(kind, detail, call)


def _merged(jumps: Any) -> list[tuple[Any, Any]]:
    """Return the jumps without those that another one follows at once."""
    last = [math.inf, *(float(time) for time, _ in reversed(jumps))]
    pairs = zip(jumps, reversed(last[:-1]), strict=True)
    return [jump for jump, after in pairs if after > float(jump[0]) * (1 + 1e-6)]


def _told(jumps: Any) -> str:
    return "; ".join(f"{float(a):.6g} → {[float(x) for x in b]}" for a, b in jumps)
