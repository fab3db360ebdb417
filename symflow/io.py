"""Save and load: flows, trajectories, reports and sweeps, as .npz or JSON, no pickle.

A file is a JSON header and, in ``.npz``, the float64 arrays beside it.  Every exact or
high-precision number is a string of its own digits, so that what comes back is equal
and not merely close.  Objects are written field by field, and only classes of symflow
and of SymPy's expressions are read back: a file cannot run code.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from fractions import Fraction
from functools import cache
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import Any

import mpmath
import numpy as np
import sympy

from symflow.certificate import json_text, stored_object
from symflow.errors import InvalidArgument, InvalidData
from symflow.files import whole_file

#: Version of the format; a file of a later one is refused.
FORMAT = 1

#: Packages whose dataclasses can be stored.
_PACKAGES = (
    "claims",
    "conservation",
    "data",
    "flow",
    "flow.problem",
    "inits",
    "losses",
    "networks",
    "networks.layers",
    "networks.parametrizations",
    "precision",
    "simulation",
    "simulation.runs",
    "trajectory",
    "validation",
    "validation.report",
)

#: Fields that hold functions, or what can be made again: they are not stored.
_OMITTED = ("interpolant", "drawn")

#: SymPy constructors that may be given a string.
_NAMED = ("Symbol", "Str", "MatrixSymbol", "SymmetricMatrixSymbol", "Float", "Dummy")


def save(obj: Any, path: str | Path) -> Path:
    """Write an object of symflow to a file.

    Parameters
    ----------
    obj : GradientFlow, Trajectory, Enclosure, Law, Report, Sweep, Dataset, …
        What to store.  The dense output of a trajectory is not.  As ``.json``, an
        enclosure or a law becomes a certificate, see `write_checker`.
    path : str or Path
        Ends with ``.npz`` (arrays in binary) or ``.json`` (everything readable).

    Returns
    -------
    Path
        The file, complete: it is moved to its place in one piece.

    Raises
    ------
    InvalidArgument
        If the object cannot be stored so, or the name has another ending.
    OutputError
        If the file cannot be written.

    Examples
    --------
    >>> import symflow as sf, tempfile
    >>> flow = sf.gradient_flow(sf.LinearNetwork("d", "h", 1), sf.SquaredLoss(l2=0.1))
    >>> path = sf.save(flow, Path(tempfile.mkdtemp(), "flow.json"))
    >>> sf.load(path) == flow, sf.load(path).loss.l2
    (True, 1/10)
    """
    target = _as_path(path, "save(obj, path=…)")
    if target.suffix not in (".npz", ".json"):
        msg = (
            f"save(obj, path={str(path)!r}): needs a name that ends with .npz or .json"
        )
        raise InvalidArgument(msg)
    writer = _Writer(binary=target.suffix == ".npz")
    header = {
        "symflow file": FORMAT,
        "versions": _versions(),
        "kind": type(obj).__name__,
        "object": writer.encode(obj),
    }
    text = json.dumps(header) if writer.binary else json_text(obj, header)
    with whole_file(target, f"save(obj, path={str(path)!r})") as file:
        if writer.binary:
            np.savez_compressed(file, header=np.array(text), **writer.arrays)
        else:
            file.write(text.encode())
    return target


def load(path: str | Path) -> Any:
    """Read what `save` has written.

    Parameters
    ----------
    path : str or Path
        The file.

    Returns
    -------
    object
        Of the class that was stored, equal to it; numbers have all their digits.

    Raises
    ------
    InvalidArgument
        If there is no such file.
    InvalidData
        If it is no file of symflow, or is damaged, or of a later format.

    Examples
    --------
    >>> import symflow as sf, tempfile
    >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    >>> run = sf.simulate(flow, sf.whitened([[2]]), [[[0.1]], [[0.1]]], [0, 1, 10])
    >>> path = sf.save(run, Path(tempfile.mkdtemp(), "run.npz"))
    >>> round(sf.load(path).end_to_end[1].item(), 6)
    0.430588
    """
    source = _as_path(path, "load(path=…)")
    call = f"load(path={str(path)!r})"
    if not source.is_file():
        msg = f"{call}: there is no such file"
        raise InvalidArgument(msg)
    try:
        header, arrays = _read(source)
        if header["symflow file"] > FORMAT:
            msg = f"{call}: the file is of a later format; update symflow to read it"
            raise InvalidData(msg)
        return _Reader(arrays).decode(header["object"])
    except InvalidData:
        raise
    except Exception as problem:  # noqa: BLE001 - whatever a damaged file leads to
        msg = f"{call}: this is no file of symflow, or it is damaged: {problem}"
        raise InvalidData(msg) from None


def _as_path(path: Any, call: str) -> Path:
    if not isinstance(path, str | PathLike):
        msg = f"{call}: needs the name of a file; got {path!r}"
        raise InvalidArgument(msg)
    return Path(path)


def _read(source: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    if source.suffix == ".json":
        return stored_object(json.loads(source.read_text(encoding="utf-8"))), {}
    with open(source, "rb") as file, np.load(file, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    return json.loads(str(arrays.pop("header"))), arrays


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    names = ("symflow", "sympy", "numpy", "mpmath")
    return {name: version(name) for name in names}


@cache
def _classes() -> dict[str, type]:
    """Return every class that a file may name."""
    found: dict[str, type] = {}
    for package in _PACKAGES:
        for value in vars(import_module(f"symflow.{package}")).values():
            kind = isinstance(value, type) and value is not Enum
            if kind and (is_dataclass(value) or issubclass(value, Enum)):
                found[value.__name__] = value
    return found


class _Writer:
    """Turns objects into JSON values, and arrays into entries of the archive."""

    def __init__(self, *, binary: bool) -> None:
        self.binary, self.arrays = binary, dict[str, Any]()

    def encode(self, value: Any) -> Any:
        """Return the JSON value of an object."""
        if value is None or isinstance(value, (bool, int, str)):
            return value
        if isinstance(value, (float, np.floating)):
            return {"float": repr(float(value))}
        if isinstance(value, np.integer):
            return int(value)
        if isinstance(value, (list, tuple)):
            kind = "list" if isinstance(value, list) else "tuple"
            return {kind: [self.encode(entry) for entry in value]}
        if isinstance(value, dict):
            pairs = value.items()
            return {"dict": [[self.encode(k), self.encode(v)] for k, v in pairs]}
        if isinstance(value, np.ndarray):
            return self._array(value)
        return self._number(value) or self._object(value)

    def _array(self, array: Any) -> Any:
        if array.dtype == object:
            entries = [self.encode(entry) for entry in array.flat]
            return {"entries": entries, "shape": list(array.shape)}
        if array.dtype.kind not in "fiub":
            msg = f"save(obj, path): an array of {array.dtype} cannot be stored"
            raise InvalidArgument(msg)
        if not self.binary:
            texts = [repr(entry.item()) for entry in array.flat]
            return {
                "numbers": texts,
                "shape": list(array.shape),
                "type": array.dtype.str,
            }
        name = f"array{len(self.arrays)}"
        self.arrays[name] = array
        return {"array": name}

    def _number(self, value: Any) -> Any:
        """Return a number, an expression or an arithmetic as text, else None."""
        if isinstance(value, Fraction):
            return {"fraction": str(value)}
        if hasattr(value, "_mpf_") and hasattr(value, "context"):
            sign, mantissa, exponent, bits = value._mpf_
            parts = [int(sign), str(int(mantissa)), int(exponent), int(bits)]
            return {"mpf": parts, "bits": value.context.prec}
        if isinstance(value, mpmath.MPContext):
            return {"mpmath": value.prec}
        if isinstance(value, sympy.Basic):
            return {"sympy": sympy.srepr(value)}
        return None

    def _object(self, value: Any) -> Any:
        name = type(value).__name__
        stored: Any = value
        if _classes().get(name) is not type(value):
            msg = (
                f"save(obj, path): a {name} cannot be stored; flows, trajectories, "
                "reports, sweeps, data and initialization rules can"
            )
            raise InvalidArgument(msg)
        if isinstance(value, Enum):
            return {"member": value.name, "of": name}
        content = {
            field.name: self.encode(getattr(value, field.name))
            for field in fields(stored)
            if field.name not in _OMITTED
        }
        return {"class": name, "fields": content}


class _Reader:
    """Turns the values of a header into objects again."""

    def __init__(self, arrays: dict[str, Any]) -> None:
        self.arrays = arrays
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
            "numbers": self._numbers,
            "fraction": lambda v: Fraction(v["fraction"]),
            "mpf": self._mpf,
            "mpmath": lambda v: self._context(v["mpmath"]),
            "sympy": lambda v: expression(v["sympy"]),
            "member": lambda v: _classes()[v["of"]][v["member"]],  # type: ignore[index]
            "class": self._object,
        }
        return decoders[kind](value)

    def _entries(self, value: dict[str, Any]) -> Any:
        array = np.empty(value["shape"], dtype=object)
        array.flat[:] = [self.decode(entry) for entry in value["entries"]]
        return array

    def _numbers(self, value: dict[str, Any]) -> Any:
        kind = np.dtype(value["type"])
        read = float if kind.kind == "f" else ast.literal_eval
        flat = [read(text) for text in value["numbers"]]
        return np.array(flat, dtype=kind).reshape(value["shape"])

    def _mpf(self, value: dict[str, Any]) -> Any:
        sign, mantissa, exponent, bits = value["mpf"]
        raw = (sign, mpmath.libmp.MPZ(mantissa), exponent, bits)
        return self._context(value["bits"]).make_mpf(raw)

    def _context(self, bits: int) -> Any:
        # Numbers that were of one context are so again.
        if bits not in self._contexts:
            self._contexts[bits] = mpmath.MPContext()
            self._contexts[bits].prec = bits
        return self._contexts[bits]

    def _object(self, value: dict[str, Any]) -> Any:
        instance: Any = object.__new__(_classes()[value["class"]])
        defaults = {
            field.name: None
            if field.default_factory is MISSING
            else field.default_factory()
            for field in fields(instance)
        }
        content = {name: self.decode(v) for name, v in value["fields"].items()}
        for name, entry in {**defaults, **content}.items():
            object.__setattr__(instance, name, entry)
        return instance


def expression(text: str) -> sympy.Basic:
    """Return the SymPy expression of what `sympy.srepr` has written, without eval.

    Parameters
    ----------
    text : str
        Nested constructors of SymPy's classes.

    Raises
    ------
    InvalidData
        If something else occurs.

    Examples
    --------
    >>> expression("Mul(Rational(1, 3), Symbol('x', positive=True))")
    x/3
    >>> expression("__import__('os')")
    Traceback (most recent call last):
        ...
    symflow.errors.InvalidData: __import__ is no expression
    """
    return _built(ast.parse(text, mode="eval").body)


def _built(node: ast.AST) -> Any:
    match node:
        case ast.Call(func=ast.Name(id=name)):
            strings = any(isinstance(_constant(arg), str) for arg in node.args)
            maker = _constructor(name)
            if strings and name not in _NAMED:
                msg = f"{name} may not be made of text"
                raise InvalidData(msg)
            options = {
                str(key.arg): ast.literal_eval(key.value) for key in node.keywords
            }
            return maker(*map(_built, node.args), **options)
        case ast.Name(id=name):
            constant = getattr(sympy, name, None)  # pi, oo, E
            return constant if isinstance(constant, sympy.Basic) else _constructor(name)
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            built = [_built(part) for part in parts]
            return tuple(built) if isinstance(node, ast.Tuple) else built
    return ast.literal_eval(ast.unparse(node))


def _constant(node: ast.AST) -> Any:
    return node.value if isinstance(node, ast.Constant) else None


def _constructor(name: str) -> Any:
    from symflow.algebra import functions, matrix_maps, symbols

    for module in (symbols, functions, matrix_maps, sympy, sympy.core.symbol):
        found = getattr(module, name, None)
        if isinstance(found, type) and issubclass(found, sympy.Basic):
            return found
    msg = f"{name} is no expression"
    raise InvalidData(msg)
