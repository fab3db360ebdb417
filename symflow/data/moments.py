"""The second moments of data: all that the squared loss sees.

With samples as rows, Σ_xx = XᵀX/n, Σ_yx = YᵀX/n and Σ_yy = YᵀY/n.  They can be given
without any samples, exactly or as floats.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import (
    Array,
    as_array,
    centred,
    has_sets,
    is_exact_array,
    one_kind,
    to_exact_array,
    to_float_array,
)
from symflow.algebra.display import Displayed, Sheet
from symflow.algebra.numbers import whole
from symflow.algebra.threads import cached_property
from symflow.data.definite import (
    is_symmetric,
    leaves_range,
    smallest_eigenvalue_if_indefinite,
)
from symflow.data.exact import exact_gram
from symflow.errors import InvalidData, ShapeMismatch


@dataclass(frozen=True, init=False, eq=False, repr=False)
class Moments(Displayed):
    """Second moments Σ_xx, Σ_yx and, optionally, Σ_yy of some data.

    The parts are exact (object arrays of SymPy numbers) if all of them are given by
    integers, fractions or SymPy numbers; otherwise all are float64.  The arrays are
    read-only.

    Parameters
    ----------
    sigma_xx : array_like or sympy.Matrix, shape (d, d)
        XᵀX/n, symmetric and positive semidefinite.
    sigma_yx : array_like or sympy.Matrix, shape (m, d)
        YᵀX/n.
    sigma_yy : array_like or sympy.Matrix, shape (m, m), optional
        YᵀY/n.  It shifts the loss by a constant and is needed only for its value.
    n : int, optional
        The number of samples.

    Attributes
    ----------
    exact : bool
        Whether the parts are exact numbers.
    explained : bool
        Whether Σ_xx = I and Σ_yy = Σ_yxΣ_yxᵀ by definition, as of `whitened`.

    Raises
    ------
    ShapeMismatch
        If the shapes do not fit together.
    InvalidData
        If Σ_xx, Σ_yy or all of them together are not the moments of any data: not
        symmetric, or not positive semidefinite, or Σ_yx outside the range of Σ_xx.
    InvalidArgument
        If n is not a positive integer.

    Examples
    --------
    >>> from fractions import Fraction
    >>> moments = Moments([[2, 1], [1, 2]], [[Fraction(1, 3), 0]])
    >>> moments.exact, moments.sigma_yx[0, 0]
    (True, 1/3)
    """

    sigma_xx: Array
    sigma_yx: Array
    sigma_yy: Array | None
    n: int | None
    exact: bool
    explained: bool

    def __init__(
        self, sigma_xx: Any, sigma_yx: Any, sigma_yy: Any = None, n: int | None = None
    ) -> None:
        given = {"sigma_xx": sigma_xx, "sigma_yx": sigma_yx, "sigma_yy": sigma_yy}
        read = {
            name: as_array(part, f"Moments({name}=…)")
            for name, part in given.items()
            if part is not None or name != "sigma_yy"
        }
        parts = dict(zip(read, one_kind(read.values()), strict=True))
        _check_shapes(parts)
        for name in parts.keys() - {"sigma_yx"}:
            parts[name] = _symmetric(parts[name], name)
        if not any(map(has_sets, parts.values())):  # else it is up to `enclose`
            _check_definite(parts)
        if n is not None:
            n = whole(n, "Moments(n=…), the number of samples", most=1 << 53)
        _fill(self, parts, n)

    @property
    def d(self) -> int:
        """Number of inputs."""
        return int(self.sigma_yx.shape[1])

    @property
    def m(self) -> int:
        """Number of targets."""
        return int(self.sigma_yx.shape[0])

    def moments(self) -> Moments:
        """Return the moments themselves, as `Dataset.moments` does for samples."""
        return self

    @cached_property
    def exactly(self) -> Moments:
        """The same moments as rational numbers: floats are binary rationals.

        Σ_yy of `whitened` is formed again, from the Σ_yx that was given.

        Examples
        --------
        >>> Moments([[0.5]], [[1.0]]).exactly.sigma_xx
        array([[1/2]], dtype=object)
        """
        if self.exact:
            return self
        names = ("sigma_xx", "sigma_yx", "sigma_yy")
        given = {name: getattr(self, name) for name in names}
        parts = {k: to_exact_array(x) for k, x in given.items() if x is not None}
        if self.explained:
            transposed = self.sigma_yx.T
            parts["sigma_yy"] = exact_gram(transposed, transposed)
        return moments_of(parts, self.n)

    def _sheet(self) -> Sheet:
        kind = "exact numbers" if self.exact else "float64"
        spectrum = np.linalg.eigvalsh(to_float_array(centred(self.sigma_xx)))
        # Σ_xx is semidefinite: what is below its rounding is zero.
        seen = len(spectrum) * np.finfo(float).eps * abs(spectrum[-1])
        low = spectrum[0] if abs(spectrum[0]) > seen else 0.0
        ends = f"eigenvalues {low:.3g} … {spectrum[-1]:.3g}"
        yy = "not given" if self.sigma_yy is None else f"{self.m} × {self.m}"
        rows = {
            "Σ_xx": f"{self.d} × {self.d}, {ends}",
            "Σ_yx": f"{self.m} × {self.d}",
            "Σ_yy": yy,
            "n": "not given" if self.n is None else str(self.n),
        }
        sizes = f"{counted(self.d, 'input')} and {counted(self.m, 'target')}"
        return Sheet(f"Moments of {sizes}, {kind}", rows=tuple(rows.items()))


def whitened(sigma_yx: Any) -> Moments:
    """Return the moments of whitened input that explains its targets: Σ_xx = I.

    With Σ_yy = Σ_yxΣ_yxᵀ the targets are Y = XΣ_yxᵀ, and the squared loss is
    ½‖W − Σ_yx‖²_F.  Noise would add a constant to it: ``Moments(…, sigma_yy=…)``.

    Parameters
    ----------
    sigma_yx : array_like or sympy.Matrix, shape (m, d)
        YᵀX/n; integers, fractions and SymPy numbers are exact.

    Returns
    -------
    Moments
        Exact if `sigma_yx` is.

    Raises
    ------
    InvalidData
        If an entry is not a finite real number.

    Examples
    --------
    >>> data = whitened([[3, 0], [0, 1]])
    >>> data.sigma_xx.tolist(), data.sigma_yy.tolist()
    ([[1, 0], [0, 1]], [[9, 0], [0, 1]])
    """
    array = as_array(sigma_yx, "whitened(sigma_yx=…)")
    size = array.shape[1]
    identity = sympy.eye(size) if is_exact_array(array) else np.eye(size)
    if has_sets(array):
        return Moments(identity, array)
    moments = Moments(identity, array, array @ array.T)
    object.__setattr__(moments, "explained", True)
    return moments


def moments_of(parts: dict[str, Array], n: int | None) -> Moments:
    """Return moments that were formed from data, and need no check.

    The `parts` are sigma_xx, sigma_yx and perhaps sigma_yy, all float64 or all exact.
    """
    moments = object.__new__(Moments)
    _fill(moments, parts, n)
    return moments


def counted(count: int, noun: str) -> str:
    """Return a count with its noun, ``"1 input"`` or ``"2 inputs"``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _fill(moments: Moments, parts: dict[str, Array], n: int | None) -> None:
    for name in ("sigma_xx", "sigma_yx", "sigma_yy"):
        object.__setattr__(moments, name, _read_only(parts.get(name)))
    object.__setattr__(moments, "n", n)
    object.__setattr__(moments, "exact", is_exact_array(parts["sigma_yx"]))
    object.__setattr__(moments, "explained", False)


def _check_shapes(parts: dict[str, Array]) -> None:
    m, d = parts["sigma_yx"].shape
    expected = {"sigma_xx": (d, d), "sigma_yy": (m, m)}
    for name in parts.keys() & expected.keys():
        if parts[name].shape != expected[name]:
            rows, columns = parts[name].shape
            size = expected[name][0]
            msg = (
                f"Moments({name}=…): needs a {size}×{size} matrix because sigma_yx is "
                f"{m}×{d} (targets × inputs); got {rows}×{columns}"
            )
            raise ShapeMismatch(msg)


def _symmetric(matrix: Array, name: str) -> Array:
    if not is_symmetric(matrix):
        msg = f"Moments({name}=…): needs a symmetric matrix; this one is not"
        raise InvalidData(msg)
    return matrix if matrix.dtype == object else (matrix + matrix.T) / 2


def _check_definite(parts: dict[str, Array]) -> None:
    blocks = {
        f"Moments({name}=…): the matrix": parts[name]
        for name in sorted(parts.keys() - {"sigma_yx"})
    }
    if "sigma_yy" in parts:
        yx = parts["sigma_yx"]
        top = np.hstack([parts["sigma_xx"], yx.T])
        joint = "Moments(…): the matrix [Σ_xx, Σ_yxᵀ; Σ_yx, Σ_yy]"
        blocks[joint] = np.vstack([top, np.hstack([yx, parts["sigma_yy"]])])
    for name, block in blocks.items():
        negative = smallest_eigenvalue_if_indefinite(block)
        if negative is not None:
            msg = (
                f"{name} has the negative eigenvalue {negative:.3g}, so no data "
                "have these moments; a positive semidefinite matrix is needed"
            )
            raise InvalidData(msg)
    if leaves_range(parts["sigma_xx"], parts["sigma_yx"]):
        msg = (
            "Moments(sigma_yx=…): has rows outside the range of sigma_xx: inputs that "
            "never vary cannot be correlated with a target, and the loss has no "
            "minimum. Give moments of one data set"
        )
        raise InvalidData(msg)


def _read_only(array: Array | None) -> Array | None:
    if array is not None:
        array = array.copy()
        array.flags.writeable = False
    return array
