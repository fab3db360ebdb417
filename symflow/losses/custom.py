"""A loss that is given as a formula."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sympy

from symflow.algebra.arrays import Array
from symflow.algebra.entries import at_sizes
from symflow.algebra.from_sympy import from_sympy
from symflow.algebra.gradient import gradient, scalar_node
from symflow.algebra.nodes import Node, scale, substitute, symbols_of
from symflow.algebra.sympy_form import to_sympy
from symflow.algebra.threads import cached_property
from symflow.algebra.widths import Width
from symflow.errors import InvalidArgument, ShapeMismatch, expect
from symflow.losses.loss import Loss, as_decay


@dataclass(frozen=True, repr=False)
class CustomLoss(Loss):
    """A loss given as a scalar SymPy expression in the end-to-end matrix W and data.

    The matrix symbol named ``W`` (outputs × inputs) is the end-to-end matrix.  Every
    other matrix symbol is data: ``X`` and ``Y`` are the samples, ``Sigma_xx``,
    ``Sigma_yx`` and ``Sigma_yy`` the moments of the data; others can be used for
    symbolic flows and kernels.

    Parameters
    ----------
    expr : sympy.Expr
        Within the grammar of `symflow.gradient`; its gradient is derived and checked
        entrywise at once.
    l2 : number, str or sympy.Symbol
        Weight decay λ: adds ½ λ Σ‖W_l‖²_F; a name keeps λ symbolic.

    Raises
    ------
    NotDifferentiable
        If the expression is outside the grammar.
    InvalidArgument
        If no matrix symbol is named ``W``, or λ is negative.

    Examples
    --------
    >>> import symflow as sf, sympy
    >>> d, m, n = sympy.symbols("d m n", integer=True, positive=True)
    >>> shapes = {"W": (m, d), "X": (n, d), "Y": (n, m)}
    >>> W, X, Y = (sympy.MatrixSymbol(name, *shape) for name, shape in shapes.items())
    >>> R = X * W.T - Y
    >>> loss = CustomLoss(sympy.log(1 + sympy.Trace(R.T * R)))
    >>> print(sf.gradient_flow(sf.LinearNetwork(3, 1), loss))
    Ẇ₁ = −2·1/(1 + tr((W₁Xᵀ − Yᵀ)(XW₁ᵀ − Y)))·(W₁Xᵀ − Yᵀ)X
    """

    expr: sympy.Expr
    l2: Any = 0

    def __post_init__(self) -> None:
        if isinstance(self.l2, sympy.MatrixExpr):
            msg = (
                "CustomLoss(expr): takes the expression alone, and its matrix symbol "
                f"named W is the end-to-end matrix; got l2={self.l2}"
            )
            raise InvalidArgument(msg)
        object.__setattr__(self, "l2", as_decay(self.l2, "CustomLoss"))
        # SymPy would run a text as code
        expect(self.expr, sympy.Basic, "CustomLoss(expr)", "a SymPy expression")
        scalar_node(self.expr)
        gradient(self.expr, self.symbol)

    @cached_property
    def symbol(self) -> sympy.MatrixSymbol:
        """The symbol W of the end-to-end matrix in the expression."""
        for symbol in sorted(self.expr.atoms(sympy.MatrixSymbol), key=str):
            if symbol.name == "W":
                return symbol
        msg = (
            "CustomLoss(expr): needs the matrix symbol W of the end-to-end matrix; got "
            f"{self.expr}"
        )
        raise InvalidArgument(msg)

    @property
    def parameters(self) -> tuple[sympy.Symbol, ...]:
        """Scalar symbols of the expression that are not sizes, and a symbolic λ."""
        matrices = self.expr.atoms(sympy.MatrixSymbol)
        sizes = {size for matrix in matrices for size in matrix.shape}
        names = {matrix.args[0] for matrix in matrices}
        symbols = self.expr.atoms(sympy.Symbol) - sizes - names - self._bound
        return tuple(sorted(symbols | self.l2.free_symbols, key=str))

    @property
    def _bound(self) -> set[sympy.Symbol]:
        return {v for f in self.expr.atoms(sympy.Lambda) for v in f.variables}

    def data_symbols(
        self, inputs: Width, outputs: Width
    ) -> tuple[sympy.MatrixSymbol, ...]:
        """Return the matrix symbols of the gradient, those of the end-to-end aside."""
        _, force = self._sized(inputs, outputs)
        own = self._own(inputs, outputs)
        return tuple(s for s in symbols_of(force) if s != own)

    def value_symbols(
        self, inputs: Width, outputs: Width
    ) -> tuple[sympy.MatrixSymbol, ...]:
        """Return the matrix symbols that only the value reads."""
        value, _ = self._sized(inputs, outputs)
        known = (self._own(inputs, outputs), *self.data_symbols(inputs, outputs))
        return tuple(s for s in symbols_of(value) if s not in known)

    @property
    def example_kinds(self) -> dict[str, str]:
        """Moments named as covariances are such."""
        return dict.fromkeys(("Sigma_xx", "Sigma_yy"), "covariance")

    def value(self, end_to_end: Node) -> Node:
        """Return the expression at the end-to-end matrix."""
        outputs, inputs = end_to_end.shape
        value, _ = self._sized(inputs, outputs)
        return substitute(value, {self._own(inputs, outputs): end_to_end})

    def force(self, end_to_end: Node) -> Node:
        """Return minus the gradient of the expression at the end-to-end matrix."""
        outputs, inputs = end_to_end.shape
        _, force = self._sized(inputs, outputs)
        return substitute(force, {self._own(inputs, outputs): end_to_end})

    def arrays(self, data: Any) -> dict[str, Array]:
        """Return the samples and the moments of the data, as far as there are any.

        Raises
        ------
        InvalidArgument
            If a matrix of the expression is none of these.
        """
        moments = data.moments()
        candidates = {
            "Sigma_xx": moments.sigma_xx,
            "Sigma_yx": moments.sigma_yx,
            "Sigma_yy": moments.sigma_yy,
            "X": getattr(data, "X", None),
            "Y": getattr(data, "Y", None),
        }
        given = {name: part for name, part in candidates.items() if part is not None}
        for symbol in self.expr.atoms(sympy.MatrixSymbol) - {self.symbol}:
            if symbol.name not in given:
                msg = (
                    f"CustomLoss(expr): these data do not say what {symbol.name} is; "
                    f"they have {', '.join(given)}"
                )
                raise InvalidArgument(msg)
        return given

    def _formula(self) -> sympy.Expr:
        return self.expr

    def __repr__(self) -> str:
        decay = "" if self.l2 == 0 else f", l2={self.l2}"
        return f"CustomLoss({self.expr}{decay})"

    def _own(self, inputs: Width, outputs: Width) -> sympy.MatrixSymbol:
        return sympy.MatrixSymbol("W", outputs, inputs)

    def _sized(self, inputs: Width, outputs: Width) -> tuple[Node, Node]:
        """Return value and force at the sizes of a network."""
        sizes: dict[sympy.Symbol, Any] = {}
        for declared, size in zip(self.symbol.shape, (outputs, inputs), strict=True):
            if isinstance(declared, sympy.Symbol):
                sizes[declared] = size
            elif declared != size:
                rows, columns = self.symbol.shape
                msg = (
                    f"CustomLoss(expr): W is {rows}×{columns} in the expression and "
                    f"{outputs}×{inputs} in the network"
                )
                raise ShapeMismatch(msg)
        names = [symbol for symbol in sizes if symbol != sizes[symbol]]
        chosen = {name: sizes[name] for name in names}
        # via nodes, because SymPy's elementwise functions fail at the shape 1×1
        expr = at_sizes(to_sympy(scalar_node(self.expr)), chosen)
        slope = gradient(expr, self._own(inputs, outputs), check=False)
        return scalar_node(expr), scale(-1, from_sympy(slope))
