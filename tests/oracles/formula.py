"""A reader of printed formulas that shares no code with their printers.

It evaluates the text of a formula, or its LaTeX, on NumPy arrays, strictly: a number
and a matrix cannot be added, ``*`` and ``/`` are for numbers, and an operand of ``∘``
or ``⊗`` that is a bare product or multiple is an error.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?([eE][-−+]?[0-9]+)?")
SIZED = re.compile(r"I_(\d+)|𝟙_(\d+)×(\d+)")
LITERAL = re.compile(r"\[\[.*?\]\]|\[\d+×\d+ numbers, \w+\]")
SUBSCRIPT = str.maketrans("₀₁₂₃₄₅₆₇₈₉", "0123456789")

FUNCTIONS: dict[str, Any] = {
    "exp": np.exp,
    "log": np.log,
    "tanh": np.tanh,
    "sqrt": np.sqrt,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "softplus": lambda z: np.log1p(np.exp(z)),
}


def circ(column: Any, size: int | None = None) -> Any:
    order = size or len(column)
    rows = [[0.0] * order for _ in range(order)]
    for i in range(order):
        for shift, entry in enumerate(column[:, 0]):
            rows[i][(i + shift) % order] = entry
    return np.array(rows)


def sums(matrix: Any, size: int | None = None) -> Any:
    d = len(matrix)
    found = [sum(matrix[i, (i + j) % d] for i in range(d)) for j in range(size or d)]
    return np.array(found)[:, None]


def pad(column: Any, size: int) -> Any:
    return np.concatenate([column, np.zeros((size - len(column), 1))])


def diag(matrix: Any) -> Any:
    return np.diag(matrix[:, 0]) if matrix.shape[1] == 1 else np.diag(matrix)[:, None]


MAPS: dict[str, Any] = {
    "tr": lambda a: float(np.trace(a)),
    "det": lambda a: float(np.linalg.det(a)),
    "sum": lambda a: float(np.sum(a)),
    "diag": diag,
    "circ": circ,
    "sums": sums,
    "pad": pad,
    "crop": lambda column, size: column[:size],
    "vec": lambda a: a.reshape(-1, 1),
    "mat": lambda column, size: column.reshape(size, -1),
}


class Reader:
    """Evaluates one text by recursive descent; `names` are the values of symbols."""

    def __init__(self, text: str, names: Mapping[str, Any]) -> None:
        self.text, self.place = text, 0
        self.names = dict(names)
        self.longest = sorted(self.names, key=len, reverse=True)

    def read(self) -> Any:
        value = self.sum()
        assert self.place == len(self.text), f"unread: {self.rest!r} of {self.text!r}"
        return value

    @property
    def rest(self) -> str:
        return self.text[self.place :]

    def take(self, *marks: str) -> str:
        """Return the mark that comes next, and pass it; empty if none does."""
        start = self.place
        while self.rest.startswith(" "):
            self.place += 1
        for mark in marks:
            if self.rest.startswith(mark):
                self.place += len(mark)
                return mark
        self.place = start
        return ""

    def need(self, mark: str) -> None:
        assert self.take(mark), f"{mark!r} is missing before {self.rest!r}"

    def sum(self) -> Any:
        total = -self.term() if self.take("−", "-") else self.term()
        while mark := self.take("+", "−", "-"):
            term = self.term()
            assert np.shape(total) == np.shape(term), self.text
            total = total + term if mark == "+" else total - term
        return total

    def term(self) -> Any:
        value = self.product()
        while mark := self.next_multiplication():
            other = self.product()
            if mark != "·":
                assert np.ndim(value) == np.ndim(other) == 0, self.text
            value = value / other if mark == "/" else multiply(value, other)
        return value

    def next_multiplication(self) -> str:
        return "" if self.rest.lstrip().startswith("**") else self.take("·", "*", "/")

    def product(self) -> Any:
        value, mark = self.power(), self.take("∘", "⊗")
        if mark:
            while mark:
                other = self.power()
                if mark == "∘":
                    assert np.shape(value) == np.shape(other), self.text
                value = value * other if mark == "∘" else np.kron(value, other)
                mark = self.take("∘", "⊗")
            assert not self.begins(), f"∘ beside a product: {self.text!r}"
            return value
        while self.begins():
            value = multiply(value, self.power())
        assert not self.rest.lstrip().startswith(("∘", "⊗")), self.text
        return value

    def begins(self) -> bool:
        """Say whether another factor follows without a sign."""
        rest = self.rest.lstrip()
        return (
            rest[:1] in ("(", "[")
            or bool(rest and rest[0].isalpha())
            or (rest[:1] == "𝟙")
        )

    def power(self) -> Any:
        value = self.atom()
        while mark := self.take("ᵀ", "⁻¹", "²", "^∘", "^", "**"):
            if mark == "ᵀ":
                value = value.T
            elif mark == "⁻¹":
                value = np.linalg.inv(value)
            else:
                exponent = 2 if mark == "²" else self.atom()
                value = raised(value, exponent, entrywise=mark == "^∘")
        return value

    def atom(self) -> Any:
        self.place += len(self.rest) - len(self.rest.lstrip())
        if found := LITERAL.match(self.rest):
            return self.literal(found.group())
        if found := SIZED.match(self.rest):
            self.place += found.end()
            one, rows, columns = found.groups()
            return np.eye(int(one)) if one else np.ones((int(rows), int(columns)))
        if found := NUMBER.match(self.rest):
            self.place += found.end()
            return float(found.group().replace("−", "-"))
        if found := re.match(r"\((\w+) ↦ ", self.rest):
            return self.mapped(found)
        if self.take("("):
            value = self.sum()
            self.need(")")
            return value
        found = re.match(r"[a-z]+(?=\()", self.rest)
        if found and found.group() in FUNCTIONS | MAPS:
            self.place += found.end()
            return self.called(found.group())
        for name in self.longest:
            if self.rest.startswith(name):
                self.place += len(name)
                return self.names[name]
        raise AssertionError(f"nothing to read at {self.rest!r} of {self.text!r}")

    def literal(self, text: str) -> Any:
        self.place += len(text)
        if text in self.names:
            return self.names[text]
        rows = text[2:-2].split("], [")
        entries = [[Reader(e, {}).read() for e in row.split(", ")] for row in rows]
        return np.array(entries, dtype=float)

    def called(self, name: str) -> Any:
        self.need("(")
        arguments = [self.sum()]
        while self.take(","):
            arguments.append(int(self.sum()))
        self.need(")")
        return (FUNCTIONS | MAPS)[name](*arguments)

    def mapped(self, found: re.Match[str]) -> Any:
        """Apply ``(z ↦ …)(A)`` to every entry."""
        self.place += found.end()
        start, depth = self.place, 1
        while depth:
            depth += {"(": 1, ")": -1}.get(self.text[self.place], 0)
            self.place += 1
        body = self.text[start : self.place - 1]
        self.need("(")
        argument = self.sum()
        self.need(")")

        def entry(value: float) -> Any:
            return Reader(body, self.names | {found.group(1): float(value)}).read()

        return np.vectorize(entry, otypes=[float])(argument)


def multiply(left: Any, right: Any) -> Any:
    return left @ right if np.ndim(left) and np.ndim(right) else left * right


def raised(value: Any, exponent: float, *, entrywise: bool) -> Any:
    if entrywise or np.ndim(value) == 0:
        assert entrywise == bool(np.ndim(value)), "∘ is for matrices"
        return value**exponent
    return np.linalg.matrix_power(value, int(exponent))


def read(text: str, names: Mapping[str, Any]) -> Any:
    """Return the value of a printed formula."""
    return Reader(text, names).read()


_NAMES = {
    r"\Sigma": "Σ",
    r"\lambda": "λ",
    r"\sigma": "sigmoid",
    r"\circ": "∘",
    r"\otimes": "⊗",
    r"\cdot": "·",
    r"\times": "×",
    r"\mapsto": "↦",
    r"\left": "",
    r"\right": "",
}


def plain(latex: str) -> str:
    """Return LaTeX in the notation of the text; brackets stay what they were."""
    text = re.sub(r"\\text\{(\[.*?\])\}", r"\1", latex)
    text = re.sub(
        r"\\left\[\\begin\{matrix\}(.*?)\\end\{matrix\}\\right\]", _rows, text
    )
    text = re.sub(r"\\mathbb\{(I|1)\}_\{([^{}]*)\}", _sized, text)
    text = re.sub(r"\\operatorname\{(\w+)\}|\\(log|tanh|exp|sqrt)\b", r"\1\2", text)
    while (found := re.search(r"sqrt(?=\{)", text)) is not None:
        inner, end = _group(text, found.end())
        text = f"{text[: found.end()]}({inner}){text[end:]}"
    while (found := re.search(r"\\frac\{", text)) is not None:
        top, middle = _group(text, found.end() - 1)
        bottom, end = _group(text, middle)
        text = f"{text[: found.start()]}(({top})/({bottom})){text[end:]}"
    for name, mark in _NAMES.items():
        text = re.sub(re.escape(name) + r"(?![A-Za-z])", mark, text)
    text = re.sub(r"\{\(\s*(\w+)\s*↦(.*?)\)\}_\{∘\}\(\{", _mapping, text)
    text = text.replace("^{T}", "ᵀ").replace("^{-1}", "⁻¹")
    while (found := re.search(r"(?<!\w)e\^\{", text)) is not None:
        inner, end = _group(text, found.end() - 1)
        text = f"{text[: found.start()]}exp({inner}){text[end:]}"
    while (found := re.search(r"\^\{", text)) is not None:
        inner, end = _group(text, found.end() - 1)
        mark = "^∘" if inner.startswith("∘") else "^"
        text = f"{text[: found.start()]}{mark}({inner.lstrip('∘ ')}){text[end:]}"
    text = re.sub(r"_\{(\w+)\}", r"_\1", text)
    return re.sub(r"\(\s+", "(", text.replace("{", "").replace("}", ""))


def read_latex(latex: str, names: Mapping[str, Any]) -> Any:
    """Return the value of a formula in LaTeX; numbers stand before matrices there."""
    return Reader(plain(latex), names).read()


def _rows(found: re.Match[str]) -> str:
    rows = found.group(1).split(r"\\")
    listed = (", ".join(cell.strip() for cell in row.split("&")) for row in rows)
    text = "], [".join(listed)
    return "[[" + re.sub(r"\\frac\{(\d+)\}\{(\d+)\}", r"\1/\2", text) + "]]"


def _sized(found: re.Match[str]) -> str:
    letter = "I" if found.group(1) == "I" else "𝟙"
    return f"{letter}_{found.group(2).replace(' ', '').replace(chr(92) + 'times', '×')}"


def _mapping(found: re.Match[str]) -> str:
    return f"({found.group(1)} ↦ {found.group(2).strip()})("


def _group(text: str, start: int) -> tuple[str, int]:
    """Return what is between the braces that open at `start`, and where they end."""
    assert text[start] == "{", text[start:]
    depth, place = 1, start + 1
    while depth:
        depth += {"{": 1, "}": -1}.get(text[place], 0)
        place += 1
    return text[start + 1 : place - 1], place
