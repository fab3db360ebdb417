"""Certificates of every kind: the true are accepted, and the changed say what is true.

`python tests/adversary/certificates.py --problems 60 --mutants 20` draws problems of
all kinds, has each checked by Python alone, changes what is stated, given or computed,
seals the file again, and prints the exit codes.  A changed file may be accepted where
what it states is still true: that is held against SciPy's integrator on the numbers in
the file, with differences for gradients, and laws against random weights, which share
no code with symflow or the checker.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
from base64 import b85decode, b85encode
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import sympy
from scipy.integrate import solve_ivp

import symflow as sf
from symflow.certificate import checker

Document = dict[str, Any]
#: Digits of an enclosure, a late time for limits, and what SciPy is off by.
DIGITS, LATE, LOOSE = 12, 150.0, 1e-5
DENSE = sf.LinearNetwork(2, 2, 2)
TIMES = (Fraction(1, 3), 1)
D = sympy.Symbol("d", integer=True, positive=True)
A, B = (sympy.MatrixSymbol(name, D, D) for name in "AB")
OF_TRACES = [sf.Model(form, parameters=(A, B)) for form in (A * B * A, A * A.T * B)]


def drawn(random: Random, rows: int, columns: int, middle: Any = 0) -> Any:
    """Return a matrix of small fractions, near a multiple of the identity if asked."""
    entries = np.array(
        [
            [
                Fraction(random.randint(-8, 8), random.randint(5, 9))
                for _ in range(columns)
            ]
            for _ in range(rows)
        ]
    )
    return (
        entries / 8 + middle * np.eye(rows, columns, dtype=int) if middle else entries
    )


def samples(random: Random, inputs: int = 2, outputs: int = 2) -> Any:
    return sf.Dataset(drawn(random, 4, inputs), drawn(random, 4, outputs))


def weights_of(random: Random) -> Any:
    network = random.choice(
        [
            DENSE,
            sf.LinearNetwork(2, 2, 1, 2),
            sf.Network(sf.Dense(2, 2), sf.Diagonal(2), sf.Dense(2, 2)),
            sf.ConvolutionalNetwork(3, filters=(2, 3)),
        ]
    )
    outputs, inputs = network.end_to_end_node.shape
    loss = sf.SquaredLoss(l2=Fraction(random.randint(0, 2), 3))
    flow = sf.gradient_flow(network, loss)
    data = samples(random, int(inputs), int(outputs))
    data = data.moments() if random.random() < 0.5 else data
    start = [drawn(random, *map(int, symbol.shape)) for symbol in flow.state]
    return sf.enclose(flow, data, start, TIMES, digits=DIGITS)


def measured(random: Random, t: Any = TIMES) -> Any:
    flow = sf.gradient_flow(DENSE, sf.MeasurementLoss())
    near = 1 if sf.oo in t else 0
    rows = [drawn(random, 2, 2, near), drawn(random, 2, 2)]
    data = sf.Measurements(rows, [2 * near + random.randint(1, 3), 1])
    start = [drawn(random, 2, 2, near) for _ in range(2)]
    return sf.enclose(flow, data, start, t, digits=DIGITS)


def margins(random: Random, loss: Any) -> Any:
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), loss)
    labels = [[random.choice((-1, 1))] for _ in range(3)]
    data = sf.Dataset(drawn(random, 3, 2), labels)
    start = [drawn(random, 2, 2), drawn(random, 1, 2)]
    return sf.enclose(flow, data, start, TIMES, digits=DIGITS)


def near_identity(random: Random) -> Any:
    """Return a problem whose flow is known to go to the least loss."""
    flow = sf.gradient_flow(DENSE, sf.SquaredLoss())
    data = sf.Moments(
        sigma_xx=(lambda root: root @ root.T)(drawn(random, 2, 2, 1)),
        sigma_yx=drawn(random, 2, 2, 2),
    )
    return flow, data, [drawn(random, 2, 2, 1), drawn(random, 2, 2, 1)]


def limit(random: Random) -> Any:
    return sf.enclose(*near_identity(random), [1, sf.oo], digits=DIGITS)


def closed_form(random: Random) -> Any:
    flow, strength = sf.gradient_flow(DENSE, sf.SquaredLoss()), random.randint(1, 3)
    start = [[[Fraction(strength, 4), 0], [0, Fraction(strength, 4)]]] * 2
    target = drawn(random, 2, 2, 1)
    problem = flow, sf.whitened(target + target.T), start
    return sf.certify(sf.solve(*problem), *problem, TIMES, digits=DIGITS)


def rate(random: Random) -> Any:
    problem = near_identity(random)
    problem = (*problem[:2], [problem[2][0], 2 * problem[2][1]])
    found = [sf.certify(b, *problem, TIMES, digits=DIGITS) for b in sf.rates(*problem)]
    return next(certificate for certificate in found if certificate.ok)


def least_norm(random: Random) -> Any:
    """Return a certificate of two features in three, from a start that sees them."""
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.SquaredLoss())
    x = [[random.randint(1, 3), random.randint(1, 3)]]
    first = random.randint(1, 3)
    start = [[[Fraction(first * v, 4) for v in x[0]], [0, 0]], [[Fraction(1, 2), 0]]]
    problem = flow, sf.Dataset(x, [[random.randint(1, 4)]]), start
    claim = sf.implicit_bias(*problem)
    return sf.certify(claim, *problem, sf.oo, digits=DIGITS)


def law(random: Random) -> Any:
    network = sf.LinearNetwork(
        "d", "h", random.choice(["m", 3]), random.choice([1, "k"])
    )
    flow = sf.gradient_flow(network, sf.SquaredLoss(l2=random.choice([0, "lambda"])))
    if random.random() < 0.4:
        flow = sf.gradient_flow(random.choice(OF_TRACES), sf.SquaredLoss())
    return random.choice(list(sf.conserved(flow)))


KINDS: dict[str, Callable[[Random], Any]] = {
    "weights": weights_of,
    "measurements": measured,
    "exponential": lambda random: margins(random, sf.ExponentialLoss()),
    "logistic": lambda random: margins(random, sf.LogisticLoss(l2=Fraction(1, 3))),
    "limit": limit,
    "limit of measurements": lambda random: measured(random, (1, sf.oo)),
    "closed form": closed_form,
    "rate": rate,
    "least norm": least_norm,
    "law": law,
}


# what is changed


def numbers_in(part: Any) -> list[tuple[Any, Any]]:
    """Return where the numbers of nested lists are: a list and a place in it."""
    if isinstance(part, dict):
        return [place for value in part.values() for place in numbers_in(value)]
    if not isinstance(part, list):
        return []
    own = [(part, k) for k, entry in enumerate(part) if isinstance(entry, str)]
    return own + [place for entry in part for place in numbers_in(entry)]


def moved(random: Random, part: Any, step: Fraction) -> None:
    place, k = random.choice(numbers_in(part))
    place[k] = str(Fraction(place[k]) + step)


def start_entry(random: Random, document: Document) -> None:
    step = Fraction(1, random.choice([3, 10**4, 10**8]))
    moved(random, document["problem"]["start"], step)


def data_entry(random: Random, document: Document) -> None:
    data, step = document["problem"]["data"], Fraction(1, 7)
    if "X" in data:
        moved(random, data[random.choice("XY")], step)
    elif random.random() < 0.5:
        moved(random, data["sigma_yx"], step)
    else:  # it has to stay symmetric
        data["sigma_xx"][0][0] = str(Fraction(data["sigma_xx"][0][0]) + step)


def decay(random: Random, document: Document) -> None:
    moved(random, document["problem"]["weight decay"], Fraction(1, 10**6))


def coefficient(random: Random, document: Document, order: int | None = None) -> None:
    part = random.choice(document["evidence"]["steps"])
    widths = part["widths"]
    order = random.randrange(max(1, len(widths) // 2)) if order is None else order
    row = random.choice(part["terms"])
    k = random.randrange(len(row))
    data = bytearray(b85decode(row[k]))
    data[sum(widths[: order + 1]) - 1 - widths[order] // 3] ^= 1 << random.randrange(6)
    row[k] = b85encode(bytes(data)).decode()


def handover(random: Random, document: Document) -> None:
    coefficient(random, document, order=0)


def length(random: Random, document: Document) -> None:
    part = random.choice(document["evidence"]["steps"])
    part["length"] = str(Fraction(part["length"]) * Fraction(10**6 + 1, 10**6))


def missing_step(random: Random, document: Document) -> None:
    steps = document["evidence"]["steps"]
    del steps[random.randrange(len(steps))]


def claim_of(random: Random, document: Document) -> Document:
    return random.choice(document["statement"]["at"])


def radius(random: Random, document: Document) -> None:
    claim, statement = claim_of(random, document), document["statement"]
    if "radius" in claim:
        claim["radius"] = str(Fraction(claim["radius"]) / 10**6)
    else:
        statement["bound"][0] = str(Fraction(statement["bound"][0]) / 10**6)


def value(random: Random, document: Document) -> None:
    claim = claim_of(random, document)
    given = [claim.get("weights", claim.get("W"))]
    if numbers_in(given) and not isinstance(given[0], str):
        moved(random, given, Fraction(1, 10**8))
    else:
        radius(random, document)


def horizon(random: Random, document: Document) -> None:
    document["statement"]["horizon"] = str(random.randint(2, 9))


def later(random: Random, document: Document) -> None:
    last = document["statement"]["at"][-1]
    last["t"] = document["statement"]["horizon"] = str(random.randint(2, 9))


def constants(random: Random, document: Document) -> None:
    evidence = document["evidence"]
    if "limit" in evidence:
        moved(random, evidence["limit"], Fraction(9))
    else:
        coefficient(random, document)


def rates_of(random: Random, document: Document) -> None:
    if "bound" in document["statement"]:
        document["statement"]["bound"][1] = "40"
    else:
        start_entry(random, document)


def model(random: Random, document: Document) -> None:
    given = document["problem"]
    last = sum(len(given[key]) for key in ("start", "constants", "model"))
    given["model"].append(["add", last, last])


def law_factor(random: Random, document: Document) -> None:
    words = document["statement"]["quantity"]
    word = random.choice(words)
    word[0] = (
        str(-Fraction(word[0])) if random.random() < 0.5 else str(Fraction(word[0]) * 3)
    )


def law_power(random: Random, document: Document) -> None:
    word = random.choice(document["statement"]["quantity"])[1]
    word[:] = [*word, *word]


def law_rate(random: Random, document: Document) -> None:
    rates = document["problem"]["learning rates"]
    names = sorted(
        {x.rstrip("'") for _, w in document["statement"]["quantity"] for x in w}
    )
    rates[random.choice(names)] = str(random.randint(2, 9))


def law_model(random: Random, document: Document) -> None:
    word = document["problem"]["model"][0][1]
    document["problem"]["model"].append(["1", [*word, *[f"{word[-1]}'", word[-1]]]])


CHANGES = (
    *(
        start_entry,
        start_entry,
        data_entry,
        data_entry,
        decay,
        coefficient,
        coefficient,
    ),
    *(handover, length, missing_step, radius, radius, value, horizon, later, constants),
    *(rates_of, model),
)
OF_LAWS = (law_factor, law_factor, law_power, law_rate, law_model)


def mutants(document: Document, count: int, random: Random) -> Any:
    """Yield the name of a change and the document after it."""
    kinds = OF_LAWS if document["statement"]["kind"] == "law" else CHANGES
    for number in range(count):
        change, changed = kinds[5 * number % len(kinds)], deepcopy(document)
        change(random, changed)
        if changed != document:
            yield change.__name__, changed


def sealed(document: Document) -> str:
    """Return the text of a document with its digest computed again."""
    content = {key: value for key, value in document.items() if key != "sha256"}
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return json.dumps({**content, "sha256": hashlib.sha256(text.encode()).hexdigest()})


# what is true, by SciPy


def floats(matrix: Any) -> Any:
    return np.array([[float(Fraction(x)) for x in row] for row in matrix])


def end_to_end(problem: Document, weights: list[Any]) -> Any:
    slots = [*weights, np.eye(1), *map(floats, problem["constants"])]
    for name, *rest in problem["model"]:
        first = slots[rest[0]]
        if name == "place":
            rows, columns, sources = rest[1:]
            found = [0.0 if k < 0 else first.flat[k] for k in sources]
            slots.append(np.array(found).reshape(rows, columns))
        elif name == "transpose":
            slots.append(first.T)
        else:
            second = slots[rest[1]]
            made = {"matmul": np.matmul, "add": np.add}.get(name, np.multiply)
            slots.append(made(first, second))
    return slots[-1]


def loss_at(problem: Document, W: Any, weights: list[Any]) -> float:
    data, kind = problem["data"], problem["loss"]
    decays = [float(Fraction(x)) for x in problem["weight decay"]]
    total = sum(d * np.sum(w**2) / 2 for d, w in zip(decays, weights, strict=True))
    if kind == "squared":
        xx, yx = moments(data)
        return float(total + np.trace(W @ xx @ W.T) / 2 - np.trace(W @ yx.T))
    z = floats(data["Y"]) * (floats(data["X"]) @ W.T)
    losses = np.exp(-z) if kind == "exponential" else np.log1p(np.exp(-z))
    return float(total + np.sum(losses) / float(Fraction(data["divisor"])))


def moments(data: Document) -> tuple[Any, Any]:
    if "sigma_xx" in data:
        return floats(data["sigma_xx"]), floats(data["sigma_yx"])
    x, y, n = floats(data["X"]), floats(data["Y"]), float(Fraction(data["divisor"]))
    return x.T @ x / n, y.T @ x / n


def holds(document: Document) -> bool:
    """Say whether what a file states is true, up to what SciPy is off by."""
    problem, statement = document["problem"], document["statement"]
    start = [floats(w) for w in problem["start"]]
    cuts = np.cumsum([w.size for w in start])[:-1]

    def split(flat: Any) -> list[Any]:
        parts = np.split(flat, cuts)
        return [p.reshape(w.shape) for p, w in zip(parts, start, strict=True)]

    def value(flat: Any) -> float:
        weights = split(flat)
        return loss_at(problem, end_to_end(problem, weights), weights)

    def slope(_: float, flat: Any) -> Any:
        steps = np.eye(len(flat)) * 1e-5
        return [-(value(flat + h) - value(flat - h)) / 2e-5 for h in steps]

    flat = np.concatenate([w.ravel() for w in start])
    claims = statement["at"]
    times = [LATE if c["t"] == "oo" else float(Fraction(c["t"])) for c in claims]
    accuracy = {"rtol": 1e-9, "atol": 1e-10, "t_eval": sorted(times)}
    run = solve_ivp(slope, (0, max(times)), flat, method="LSODA", **accuracy)
    for claim, t in zip(claims, times, strict=True):
        weights = split(run.y[:, sorted(times).index(t)])
        W = end_to_end(problem, weights)
        if "weights" in claim:
            pairs = zip(weights, map(floats, claim["weights"]), strict=True)
            off, most = (
                sum(np.sum((a - b) ** 2) for a, b in pairs) ** 0.5,
                claim["radius"],
            )
        elif "W" in claim:
            best = claim["W"] == "best"
            wanted = least(problem["data"]) if best else floats(claim["W"])
            off, most = float(np.linalg.norm(W - wanted)), claim["radius"]
        else:
            gap, (c, r) = W - least(problem["data"]), statement["bound"]
            off = float(np.trace(gap @ moments(problem["data"])[0] @ gap.T)) / 2
            most = float(Fraction(c)) * np.exp(-float(Fraction(r)) * t)
        if off > float(Fraction(most)) + LOOSE:
            return False
    return True


def law_holds(document: Document) -> bool:
    """Say whether a quantity stands still in a random direction of the flow."""
    rng, problem = np.random.default_rng(0), document["problem"]
    sizes: dict[str, int] = {}
    for name in (x for shape in problem["shapes"].values() for x in shape):
        sizes[name] = int(name) if name.isdigit() else 2 + len(sizes)
    shapes = {k: [sizes[x] for x in v] for k, v in problem["shapes"].items()}
    values = {name: rng.standard_normal(shape) for name, shape in shapes.items()}

    def product(word: Any, extra: Any = ()) -> Any:
        letters = {**values, **dict(extra)}
        made = [letters[x[:-1]].T if x[-1] == "'" else letters[x] for x in word]
        return made[0] if len(made) == 1 else np.linalg.multi_dot(made)

    def total(words: Any, name: str, move: Any) -> Any:
        """Return the derivative of a sum of words along a move of one letter."""
        found: Any = 0
        for factor, word in words:
            for k, x in enumerate(word):
                if x.rstrip("'") == name:
                    marked = [*word[:k], x.replace(name, "move"), *word[k + 1 :]]
                    found = found + float(Fraction(factor)) * product(
                        marked, [("move", move)]
                    )
        return found

    shape = product(problem["model"][0][1]).shape
    force, slope = rng.standard_normal(shape), 0
    for name, rate in problem["learning rates"].items():
        move = np.zeros(shapes[name])
        for entry in np.ndindex(move.shape):
            unit = np.zeros(shapes[name])
            unit[entry] = 1
            move[entry] = np.sum(force * total(problem["model"], name, unit))
        moved = total(document["statement"]["quantity"], name, move)
        moved = np.trace(moved) if document["statement"].get("trace") else moved
        slope = slope + float(Fraction(rate)) * moved
    return bool(np.max(np.abs(slope)) < 1e-9)


def least(data: Document) -> Any:
    xx, yx = moments(data)
    return yx @ np.linalg.pinv(xx)


# the loop


def verdict(text: str, folder: Path, *, bare: bool = False) -> tuple[int, str]:
    """Return what the checker says of a file, run by Python alone if `bare`."""
    file = folder / "c.json"
    file.write_text(text, encoding="utf-8")
    if not bare:
        return checker.main([str(file)])
    check = sf.write_checker(folder / "check.py")
    command = [sys.executable, "-I", "-S", str(check), str(file)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=300)
    return run.returncode, run.stdout + run.stderr


def certificate(kind: str, seed: int, folder: Path) -> Document:
    """Return the certificate of a random problem."""
    path = sf.save(KINDS[kind](Random(f"{kind} {seed}")), folder / f"{seed}.json")
    document: Document = json.loads(path.read_text(encoding="utf-8"))
    return document


def faults(kind: str, seed: int, count: int, folder: Path, seen: Counter[str]) -> Any:
    """Yield what is wrong with the certificate of one problem and its mutants."""
    document = certificate(kind, seed, folder)
    code, said = verdict(sealed(document), folder, bare=True)
    seen[f"true: {code}"] += 1
    truth = law_holds if document["statement"]["kind"] == "law" else holds
    if code or not truth(document):
        yield f"{kind} {seed}: {said}"
    for name, changed in mutants(document, count, Random(f"{kind} {seed}")):
        code, said = verdict(sealed(changed), folder)
        seen[f"changed: {code}"] += 1
        if code == 0:
            print(f"{kind} {seed} {name} is still true: {said[:300]}", flush=True)
        if code == 2 or (code == 0 and not truth(changed)):
            yield f"{kind} {seed} {name}: {code} {said[:300]}"


def main() -> int:
    """Run the long form; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=60)
    parser.add_argument("--mutants", type=int, default=20)
    parser.add_argument("--kind", choices=KINDS, default=None)
    options = parser.parse_args()
    kinds, seen, found = [options.kind] if options.kind else [*KINDS], Counter[str](), 0
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.problems):
            kind, seed = kinds[number % len(kinds)], number // len(kinds)
            for fault in faults(kind, seed, options.mutants, Path(folder), seen):
                found += 1
                print("FAULT", fault, flush=True)
            print(kind, seed, dict(seen), flush=True)
    print(f"{found} faults; {dict(seen)}")
    return int(found > 0)


if __name__ == "__main__":
    sys.exit(main())
