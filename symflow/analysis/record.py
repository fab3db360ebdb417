"""An analysis as plain values for JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from symflow.algebra.numbers import to_float
from symflow.algebra.text import inline
from symflow.analysis.analysis import Analysis
from symflow.analysis.environment import environment
from symflow.analysis.study import Study
from symflow.bias import Prediction
from symflow.claims import Claim, Refusal
from symflow.conservation import Law, conserved
from symflow.convergence.bound import RateBound
from symflow.data.moments import counted
from symflow.flow import GradientFlow
from symflow.solutions import Solution
from symflow.trajectory import Trajectory
from symflow.validation import Certificate


@dataclass(frozen=True)
class About:
    """What a report says about its making that the analysis itself does not know."""

    name: str = "data"  #: What the data are called.
    preparation: str = "as given"  #: What was done to them: ``"standardized"``.
    command: str = ""  #: The command that makes this report again.


def record(analysis: Analysis, about: About) -> dict[str, Any]:
    """Return everything that an analysis found, as plain values."""
    flow, data = analysis.flow, analysis.raw.data
    return {
        "finished": True,
        "ok": analysis.ok,
        "verdict": analysis.verdict,
        "about": about.__dict__,
        "problem": {
            "network": repr(flow.network),
            "widths": list(analysis.raw.fast.problem.widths),
            "loss": repr(flow.loss),
            "init": start_words(analysis.raw.init),
            "samples": getattr(data, "n", None),
            "inputs": list(getattr(data, "inputs", ())),
            "targets": list(getattr(data, "targets", ())),
        },
        **derivation_record(flow),
        "closed_forms": {
            where: list(map(attempt_record, entries))
            for where, entries in analysis.attempts.items()
        },
        "studies": [study_record(study) for study in analysis.studies],
        "rows": [row.as_dict() for row in analysis.report.rows],
        "digits": analysis.digits,
        "seconds": round(analysis.seconds, 3),
        "environment": environment(),
    }


def derivation_record(flow: GradientFlow) -> dict[str, Any]:
    """Return what holds before any number is computed, as plain values."""
    return {
        "flow": f"gradient_flow({flow.network!r}, {flow.loss!r})",
        "equations": [inline(equation) for equation in flow.equations],
        "end_to_end": inline(flow.end_to_end.equation),
        "objective": inline(flow.potential),
        "conserved": [law_record(law) for law in conserved(flow)],
    }


def to_json(content: Any) -> str:
    """Return plain values as standard JSON, where NaN and infinities are null."""
    return json.dumps(_finite(content), indent=2, ensure_ascii=False, allow_nan=False)


def size_words(data: Any) -> str:
    """Return the size of the data as one line."""
    if not hasattr(data, "n"):
        return str(data).split("\n")[0]
    samples = [] if data.n is None else [counted(data.n, "sample")]
    return ", ".join([*samples, counted(data.d, "input"), counted(data.m, "target")])


def start_words(init: Any) -> str:
    """Return an initialization as one line."""
    if isinstance(init, (list, tuple)):
        return "given arrays of shapes " + ", ".join(str(np.shape(w)) for w in init)
    return repr(init)


def law_record(law: Law) -> dict[str, Any]:
    """Return a conserved quantity with its proof, as plain values."""
    return {
        "name": law.name,
        "expr": inline(law.expr),
        "rate": str(law.rate),
        "words": str(law),
        "status": law.status.value,
        "reference": str(law.reference),
        "proof": [str(step) for step in law.proof()],
    }


def attempt_record(entry: Claim | Refusal) -> dict[str, Any]:
    """Return the answer of one closed form, bound or prediction, as plain values."""
    content: dict[str, Any] = {
        "name": entry.name,
        "applies": not isinstance(entry, Refusal),
        "reference": str(entry.reference),
        "hypotheses": [hypothesis.__dict__ for hypothesis in entry.hypotheses],
    }
    if isinstance(entry, Solution):
        content["formula"] = str(entry.formula)
    elif isinstance(entry, RateBound):
        content |= {"quantity": entry.quantity, "rate": entry.rate}
    elif isinstance(entry, Prediction):
        content["limit"] = entry.limit.tolist()
    return content


def certificate_record(certificate: Certificate) -> dict[str, Any]:
    """Return what is proven of a claim on an instance, as plain values."""
    return {
        "claim": certificate.claim.name,
        "reference": str(certificate.claim.reference),
        "status": certificate.status.value,
        "radius": certificate.radius,
        "gap": certificate.gap,
        "proof": list(certificate.proof),
    }


def trajectory_record(path: Trajectory) -> dict[str, Any]:
    """Return a trajectory as plain values; numbers of many digits are text."""
    return {
        "route": path.route,
        "digits": path.digits,
        "error": to_float(path.error),
        "t": [to_float(time) for time in path.t],
        "loss": path.loss.tolist(),
        "singular_values": path.singular_values.tolist(),
        "weights": {
            symbol.name: weight.tolist()
            for symbol, weight in zip(path.flow.state, path.weights, strict=True)
        },
    }


def study_record(study: Study) -> dict[str, Any]:
    """Return what is known of one problem, as plain values."""
    return {
        "title": study.title,
        "init": start_words(study.init),
        "horizon": {**study.horizon.__dict__, "points": len(study.horizon.times)},
        "converged": study.converged,
        "convergence": study.convergence,
        "loss": [to_float(study.fast.loss[0]), to_float(study.fast.loss[-1])],
        "gap": study.gap,
        "float64": {**study.fast.stats, "error": to_float(study.fast.error)},
        "covered": {
            "end": study.covered.end,
            "asked": study.covered.asked,
            "complete": study.covered.complete,
            "seconds": round(study.covered.seconds, 3),
            "error": None if study.sharp is None else to_float(study.sharp.error),
        },
    }


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    if isinstance(value, np.generic):
        return _finite(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if isinstance(value, (str, int, float)) or value is None:
        return value
    return str(value)
