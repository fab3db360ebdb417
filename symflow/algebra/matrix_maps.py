"""SymPy matrix expressions for the embeddings that SymPy itself does not have."""

from __future__ import annotations

from typing import Any

import sympy
from sympy.matrices.expressions.applyfunc import ElementwiseApplyFunction
from sympy.matrices.expressions.matexpr import MatrixExpr


class ElementwiseExpr(ElementwiseApplyFunction):  # type: ignore[misc]
    """SymPy's elementwise function, also of a 1×1 matrix.

    SymPy applies the function to a 1×1 matrix expression as if it were a scalar.
    """

    def __new__(cls, function: sympy.Lambda, expr: Any) -> ElementwiseExpr:
        """Return the unevaluated expression, whatever the shape."""
        made: ElementwiseExpr = MatrixExpr.__new__(cls, function, expr)
        return made


class MatrixMap(MatrixExpr):  # type: ignore[misc]
    """A fixed linear map applied to a matrix, with a size as second argument."""

    #: How the map is written in a formula.
    name: str

    @property
    def arg(self) -> Any:
        """The matrix that the map is applied to."""
        return self.args[0]

    @property
    def size(self) -> Any:
        """The size that the map needs."""
        return self.args[1]

    @property
    def shape(self) -> Any:
        """A column of that size, unless a map says otherwise."""
        return self.size, sympy.S.One

    @staticmethod
    def of(matrix: sympy.ImmutableDenseMatrix, size: int) -> Any:
        """Return the map of an explicit matrix."""
        raise NotImplementedError

    @property
    def implied(self) -> Any:
        """The size that the map has where a formula does not write it."""
        return None

    @property
    def written(self) -> tuple[Any, ...]:
        """What a formula writes between the brackets."""
        return (self.arg,) if self.implied == self.size else (self.arg, self.size)

    def _latex(self, printer: Any) -> str:
        inside = ", ".join(map(printer._print, self.written))
        return rf"\operatorname{{{self.name}}}\left({inside}\right)"

    def _entry(self, i: Any, j: Any, **kwargs: Any) -> Any:
        explicit = self.of(self.arg.as_explicit(), int(self.size))
        return explicit[int(i), int(j)]


class CirculantExpr(MatrixMap):
    """The d×d matrix whose first row is w, and every row the one above, shifted."""

    name = "circ"

    @property
    def implied(self) -> Any:
        return self.arg.shape[0]

    @property
    def shape(self) -> Any:
        return self.size, self.size

    @staticmethod
    def of(matrix: sympy.ImmutableDenseMatrix, size: int) -> Any:
        def entry(i: Any, j: Any) -> Any:
            shift = (int(j) - int(i)) % size
            return matrix[shift, 0] if shift < matrix.rows else sympy.S.Zero

        return sympy.ImmutableDenseMatrix(size, size, entry)


class CirculantSumsExpr(MatrixMap):
    """The sums over the first k cyclic diagonals, as a column."""

    name = "sums"

    @property
    def implied(self) -> Any:
        return self.arg.shape[1]

    @staticmethod
    def of(matrix: sympy.ImmutableDenseMatrix, size: int) -> Any:
        d = matrix.rows
        sums = [sum(matrix[i, (i + j) % d] for i in range(d)) for j in range(size)]
        return sympy.ImmutableDenseMatrix(size, 1, sums)


class PaddedExpr(MatrixMap):
    """A column with zeros below, up to a size."""

    name = "pad"

    @staticmethod
    def of(matrix: sympy.ImmutableDenseMatrix, size: int) -> Any:
        zeros = sympy.ImmutableDenseMatrix.zeros(size - matrix.rows, 1)
        return sympy.ImmutableDenseMatrix.vstack(matrix, zeros)


class FlattenedExpr(MatrixMap):
    """The entries of a matrix as a column, row by row."""

    name = "vec"

    @property
    def implied(self) -> Any:
        return self.size

    @staticmethod
    def of(matrix: sympy.ImmutableDenseMatrix, size: int) -> Any:
        return sympy.ImmutableDenseMatrix(size, 1, list(matrix))


class FoldedExpr(MatrixMap):
    """The matrix with so many rows whose entries, row by row, are a column."""

    name = "mat"

    @property
    def shape(self) -> Any:
        return self.size, sympy.sympify(self.arg.shape[0]) / self.size

    @staticmethod
    def of(matrix: sympy.ImmutableDenseMatrix, size: int) -> Any:
        return sympy.ImmutableDenseMatrix(size, matrix.rows // size, list(matrix))


class CroppedExpr(MatrixMap):
    """The first entries of a column."""

    name = "crop"

    @staticmethod
    def of(matrix: sympy.ImmutableDenseMatrix, size: int) -> Any:
        return matrix[:size, :]
