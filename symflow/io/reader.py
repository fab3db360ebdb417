"""From the values of a file to objects, by their constructors and nothing else.

A file is someone else's word: a class comes from the list in `kinds`, its fields have
the types that it declares, its constructor checks them, and an expression is built by
`algebra/reading.py`.  Sizes are compared with what the file holds before memory is
taken.
"""

from __future__ import annotations

import json
import re
import types
import typing
import zipfile
from collections.abc import Callable
from dataclasses import fields
from fractions import Fraction
from math import prod
from numbers import Real
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import mpmath
import numpy as np
from mpmath.libmp import finf, fnan, fninf, from_man_exp

from symflow.algebra.arrays import to_float_array
from symflow.algebra.reading import read_expression
from symflow.data import Dataset, Moments, whitened
from symflow.errors import InvalidData, shown
from symflow.inits import GivenInit
from symflow.io.kinds import classes
from symflow.networks import MatrixModel, Model, Network, TensorNetwork

#: Largest binary precision and exponent of a number in a file.
_MOST_BITS, _MOST_EXPONENT = 1 << 22, 1 << 26

_FRACTION = re.compile(r"-?\d+(/\d+)?")
_DTYPE = re.compile(r"[<>=|]?[fiub]\d{1,2}")
_PLAIN: dict[str, Callable[[str], Any]] = {
    "f": float,
    "i": int,
    "u": int,
    "b": lambda text: {"True": True, "False": False}[text],
}

#: Bytes that objects take for every such mark of JSON, as measured: a brace becomes a
#: number of SymPy at most, and a parenthesis a part of an expression …
COSTS = {"{": 2000, "(": 3000, "[": 80, ",": 40, '"': 40}
#: … of which SymPy compares every pair when it puts a sum in order.
PAIR = 20


def arrays_of(source: Path, limit: int) -> dict[str, Any]:
    """Return the arrays of an archive, none of which is larger than the file says.

    The `limit` is in bytes, of all arrays together.  Raises InvalidData if they take
    more, or one claims a shape that the file does not fill.
    """
    with zipfile.ZipFile(source) as archive:
        parts = archive.infolist()
        total = sum(part.file_size for part in parts)
        if total > limit:
            msg = f"the arrays take {total} bytes, more than the limit of {limit}"
            raise InvalidData(msg)
        for part in parts:
            with archive.open(part) as file:
                if _declared(file) > part.file_size:
                    msg = f"the array {part.filename!r} is larger than its file"
                    raise InvalidData(msg)
    with open(source, "rb") as file, np.load(file, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def parsed(text: str, limit: int) -> Any:
    """Return what JSON says, unless its objects may take more than `limit` bytes."""
    total = 4 * len(text) + sum(cost * text.count(mark) for mark, cost in COSTS.items())
    if total > limit:
        msg = f"its objects may take {total} bytes, more than the limit of {limit}"
        raise InvalidData(msg)
    return json.loads(text)


def _declared(file: Any) -> int:
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }[version]
    shape, _, dtype = read(file)
    return prod(shape) * int(dtype.itemsize)


class Reader:
    """Turns the values of a header into objects again.

    The `arrays` are those that stand beside the header; objects may take `limit` bytes.
    """

    def __init__(self, arrays: dict[str, Any], limit: int) -> None:
        self.arrays, self.limit = arrays, limit
        self._contexts: dict[int, Any] = {}

    def decode(self, value: Any) -> Any:
        """Return the object of a JSON value."""
        if not isinstance(value, dict):
            return value
        kind = next(iter(value))
        decoders: dict[str, Callable[[dict[str, Any]], Any]] = {
            "float": lambda v: float(v["float"]),
            "list": lambda v: [self.decode(entry) for entry in v["list"]],
            "tuple": lambda v: tuple(self.decode(entry) for entry in v["tuple"]),
            "dict": lambda v: {self.decode(k): self.decode(w) for k, w in v["dict"]},
            "array": lambda v: self.arrays[v["array"]],
            "entries": self._entries,
            "numbers": _numbers,
            "fraction": _fraction,
            "mpf": self._mpf,
            "mpmath": lambda v: self._context(v["mpmath"]),
            "sympy": self._expression,
            "member": lambda v: classes()[v["of"]][v["member"]],  # type: ignore[index]
            "class": self._object,
        }
        return decoders[kind](value)

    def _expression(self, value: dict[str, Any]) -> Any:
        text = value["sympy"]
        total = PAIR * text.count("(") ** 2
        if total > self.limit:
            msg = f"an expression may take {total} bytes, more than {self.limit}"
            raise InvalidData(msg)
        return read_expression(text)

    def _entries(self, value: dict[str, Any]) -> Any:
        _fills(value["entries"], value["shape"])
        array = np.empty(value["shape"], dtype=object)
        array.flat[:] = [self.decode(entry) for entry in value["entries"]]
        return array

    def _mpf(self, value: dict[str, Any]) -> Any:
        sign, mantissa, exponent, _ = value["mpf"]
        raw = from_man_exp((-1) ** sign * int(mantissa, 0), exponent)
        special = {form[2]: form for form in (finf, fninf, fnan)}
        if not int(mantissa, 0):
            raw = special.get(exponent, raw)
        elif abs(exponent) > _MOST_EXPONENT:
            msg = f"a number has the binary exponent {exponent}"
            raise InvalidData(msg)
        return self._context(value["bits"]).make_mpf(raw)

    def _context(self, bits: int) -> Any:
        # Numbers that were of one context are so again.
        if type(bits) is not int or not 1 <= bits <= _MOST_BITS:
            msg = f"a precision has to be at most {_MOST_BITS} bits; got {shown(bits)}"
            raise InvalidData(msg)
        if bits not in self._contexts:
            self._contexts[bits] = mpmath.MPContext()
            self._contexts[bits].prec = bits
        return self._contexts[bits]

    def _object(self, value: dict[str, Any]) -> Any:
        kind = classes()[value["class"]]
        content = {name: self.decode(v) for name, v in value["fields"].items()}
        hints = get_type_hints(kind)
        for field in fields(kind):
            entry = content.get(field.name)
            if field.name in content and not _fits(entry, hints[field.name]):
                msg = f"{kind.__name__}.{field.name} cannot be {shown(entry)[:80]}"
                raise InvalidData(msg)
        return _MAKERS.get(kind, kind)(**content)


def _numbers(value: dict[str, Any]) -> Any:
    if not _DTYPE.fullmatch(value["type"]):
        msg = f"{value['type']!r} is no type of numbers"
        raise InvalidData(msg)
    kind = np.dtype(value["type"])
    flat = [_PLAIN[kind.kind](text) for text in value["numbers"]]
    _fills(flat, value["shape"])
    return np.array(flat, dtype=kind).reshape(value["shape"])


def _fills(flat: list[Any], shape: list[int]) -> None:
    if prod(shape) != len(flat) or any(size < 0 for size in shape):
        msg = f"{len(flat)} entries do not fill the shape {shape}"
        raise InvalidData(msg)


def _fraction(value: dict[str, Any]) -> Fraction:
    if not _FRACTION.fullmatch(value["fraction"]):
        msg = f"{value['fraction'][:80]!r} is no fraction"
        raise InvalidData(msg)
    return Fraction(value["fraction"])


def _fits(value: Any, hint: Any) -> bool:
    """Say whether a value has the type that a field declares."""
    kind, inner = get_origin(hint) or hint, get_args(hint)
    if hasattr(kind, "__value__"):  # an alias, as NDArray is since NumPy 2.5
        return _fits(value, kind.__value__)
    if kind in (typing.Union, types.UnionType):
        return any(_fits(value, option) for option in inner)
    if kind is Any or not isinstance(kind, type):
        return kind is Any
    if not isinstance(value, Real if kind is float else kind):
        return False
    held: Any = value
    if kind is tuple and inner[-1:] == (...,):
        return all(_fits(entry, inner[0]) for entry in held)
    if kind is tuple and inner:
        matched = zip(held, inner, strict=False)
        return len(held) == len(inner) and all(_fits(*pair) for pair in matched)
    if kind is dict and inner:
        return all(_fits(k, inner[0]) and _fits(v, inner[1]) for k, v in held.items())
    return True


def _moments(*, exact: bool, explained: bool, **parts: Any) -> Moments:
    """Return moments; those of `whitened` data once more from what they were made."""
    given = Moments(**parts)
    if not explained:
        return given
    again = whitened(given.sigma_yx)
    pairs: Any = ((given.sigma_xx, again.sigma_xx), (given.sigma_yy, again.sigma_yy))
    same = (np.allclose(to_float_array(a), to_float_array(b)) for a, b in pairs)
    if exact != again.exact or not all(same):
        msg = "the moments are not those of whitened input, as the file says"
        raise InvalidData(msg)
    return again


#: Classes whose constructors take something else than their fields.
_MAKERS: dict[type, Callable[..., Any]] = {
    Network: lambda layers, names=(): Network(*layers, names=names),
    MatrixModel: lambda expr, weights, values=(): Model(
        expr, weights, constants=dict(values)
    ),
    TensorNetwork: lambda tensor: TensorNetwork(tensor),
    GivenInit: lambda weights: GivenInit(weights),
    Dataset: lambda X, Y, **names: Dataset(X, Y, **names),
    Moments: _moments,
}
