"""Models that are written as a formula: W = V R R U + S, polynomial in their weights.

A formula that is a product of different matrices in the order of its parameters is the
network of dense layers, and everything that is known of those holds for it.  Any other
formula is kept as nodes, from which flows and programs follow by the chain rule.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sympy

from symflow.algebra.arrays import as_array, refuse_sets
from symflow.algebra.entries import at_sizes
from symflow.algebra.functions import Z
from symflow.algebra.nodes import Node, symbols_of
from symflow.algebra.numbers import exact
from symflow.algebra.threads import cached_property
from symflow.algebra.widths import Width, as_width, solve_widths
from symflow.errors import (
    InvalidArgument,
    NotDifferentiable,
    ShapeMismatch,
    expect,
    shown,
)
from symflow.networks.formula import CALL, exact_matrix, ordered, polynomial, sizes_of
from symflow.networks.layers import Dense
from symflow.networks.network import Network
from symflow.networks.parametrizations import Parametrization

Values = tuple[tuple[sympy.Basic, Any], ...]


@dataclass(frozen=True, repr=False)
class MatrixModel(Parametrization):
    """A model W(θ) that is a matrix polynomial; made by `Model`."""

    expr: sympy.MatrixExpr  #: W(θ), outputs × inputs.
    weights: tuple[sympy.MatrixSymbol, ...]  #: The parameters θ, in their order.
    #: The constants that are known: a matrix symbol and its numbers.
    values: Values = ()

    @property
    def parameters(self) -> tuple[sympy.MatrixSymbol, ...]:
        """The parameters, in the order in which they were given."""
        return self.weights

    @property
    def constants(self) -> dict[sympy.MatrixSymbol, sympy.ImmutableDenseMatrix]:
        """The numbers of the constants that are known, by symbol."""
        return dict(self.values)

    @cached_property
    def unknown(self) -> tuple[sympy.MatrixSymbol, ...]:
        """The constants that are left symbolic."""
        found = symbols_of(self.end_to_end_node)
        return tuple(symbol for symbol in found if symbol not in self.weights)

    @cached_property
    def scalars(self) -> tuple[sympy.Symbol, ...]:
        """The coefficients that are left symbolic."""
        matrices = self.expr.atoms(sympy.MatrixSymbol)
        names = {matrix.args[0] for matrix in matrices}
        found = self.expr.atoms(sympy.Symbol) - names - sizes_of(self.expr) - {Z}
        return tuple(sorted(found, key=str))

    @cached_property
    def product(self) -> Network | None:
        """The network of dense layers, if the formula is one."""
        factors = (
            self.expr.args if isinstance(self.expr, sympy.MatMul) else (self.expr,)
        )
        if self.values or {*factors} != {*self.weights} or len(factors) != self.depth:
            return None
        symbols = tuple(reversed(factors))
        layers = [Dense(symbol.shape[1], symbol.shape[0]) for symbol in symbols]
        return Network(*layers, names=tuple(symbol.name for symbol in symbols))

    @cached_property
    def widths(self) -> tuple[Width, ...]:
        """Inputs, the other sizes of the parameters, and outputs."""
        if self.product is not None:
            return self.product.widths
        outputs, inputs = (as_width(size, CALL) for size in self.expr.shape)
        sizes = [as_width(s, CALL) for p in self.weights for s in p.shape]
        inner = [size for size in dict.fromkeys(sizes) if size not in (inputs, outputs)]
        return inputs, *inner, outputs

    @cached_property
    def end_to_end_node(self) -> Node:
        return polynomial(self.expr, self.constants)

    def __repr__(self) -> str:
        known = ", ".join(f"{symbol}: …" for symbol, _ in self.values)
        given = f", constants={{{known}}}" if known else ""
        return f"Model({self.expr}, parameters={self.weights}{given})"


def Model(
    expr: sympy.MatrixExpr,
    parameters: Sequence[sympy.MatrixSymbol] | sympy.MatrixSymbol,
    constants: Mapping[Any, Any] | None = None,
) -> Network | MatrixModel:
    """Return the model f(x) = W(θ) x of a formula for W(θ).

    Parameters
    ----------
    expr : sympy.MatrixExpr
        The end-to-end matrix, outputs × inputs: sums, products, transposes, powers and
        Hadamard products of matrix symbols, identities and matrices of numbers, with
        scalar coefficients.  Sizes are integers or symbols.
    parameters : sequence of sympy.MatrixSymbol
        What is trained, in the order in which weights are given and returned.
    constants : mapping, optional
        The numbers of other matrix symbols, and of scalar symbols, by symbol or name:
        exact, or floats, which are the binary rationals that they are.  Constants
        without a value stay symbolic, for derivations.

    Returns
    -------
    Network or MatrixModel
        The network of dense layers, if the formula is a product of the parameters with
        the last of them first.  In another order they keep it, and what is known of the
        network holds for the model.

    Raises
    ------
    NotDifferentiable
        If the formula is not polynomial.
    ShapeMismatch
        If shapes do not fit together.
    InvalidArgument
        If a parameter does not occur, is no matrix symbol or is a constant too, or a
        constant does not occur.

    Examples
    --------
    >>> import symflow as sf
    >>> d, h, m = sympy.symbols("d h m", integer=True, positive=True)
    >>> shapes = {"U": (h, d), "R": (h, h), "V": (m, h), "S": (m, d)}
    >>> U, R, V, S = (sympy.MatrixSymbol(*item) for item in
    ...     ((name, *shape) for name, shape in shapes.items()))
    >>> net = Model(V * R * R * U + S, parameters=(U, R, V, S))
    >>> net.widths
    (d, h, m)
    >>> print(sf.gradient_flow(net, sf.SquaredLoss()).equations[3].lhs)
    Sdot
    >>> W1, W2 = sympy.MatrixSymbol("W1", 2, 3), sympy.MatrixSymbol("W2", 1, 2)
    >>> Model(W2 * W1, (W1, W2)) == sf.LinearNetwork(3, 2, 1)
    True
    >>> Model(W2 * W1, (W1, W2)).widths
    (3, 2, 1)
    """
    symbols = _symbols(parameters)
    needs = "a SymPy matrix expression, for example W2*W1"
    formula = expect(expr, sympy.MatrixExpr, f"{CALL}: expr", needs)
    given = {} if constants is None else _by_symbol(constants, formula)
    _check_roles(symbols, given, formula)
    sizes: dict[Any, Any] = {s: as_width(s, CALL) for s in sizes_of(formula)}
    formula = _resized(formula, sizes)
    named = {at_sizes(symbol, sizes): value for symbol, value in given.items()}
    scalars = {s: v for s, v in named.items() if isinstance(s, sympy.Symbol)}
    matrices = {s: v for s, v in named.items() if s not in scalars}
    declared = [(f"{CALL}: {s}", s.shape, v.shape) for s, v in matrices.items()]
    known = solve_widths(declared)
    formula = ordered(_resized(formula.xreplace(scalars), known))
    weights = tuple(at_sizes(at_sizes(s, sizes), known) for s in symbols)
    values = tuple((at_sizes(s, known), v) for s, v in matrices.items())
    model = MatrixModel(formula, weights, values)
    _check_formula(model)
    product = model.product
    in_order = product is not None and product.parameters == weights
    return product if product is not None and in_order else model


def _symbols(parameters: Any) -> tuple[sympy.MatrixSymbol, ...]:
    given = [parameters] if isinstance(parameters, sympy.Basic) else parameters
    listed = list(given) if isinstance(given, list | tuple) else []
    names = [getattr(symbol, "name", None) for symbol in listed]
    fine = listed and all(isinstance(s, sympy.MatrixSymbol) for s in listed)
    if not fine or len(set(names)) < len(names):
        msg = (
            f"{CALL}: parameters has to list matrix symbols of different names, for "
            f"example parameters=(W1, W2); got {shown(parameters)}"
        )
        raise InvalidArgument(msg)
    return tuple(listed)


def _by_symbol(constants: Any, formula: Any) -> dict[Any, Any]:
    """Return the numbers of constants as exact matrices and scalars, by symbol."""
    expect(constants, Mapping, f"{CALL}: constants", "a mapping such as {A: array}")
    kinds = (sympy.MatrixSymbol, sympy.Symbol)
    names = {str(symbol): symbol for symbol in formula.atoms(*kinds)}
    names |= {str(symbol): symbol for symbol in formula.atoms(sympy.MatrixSymbol)}
    found: dict[Any, Any] = {}
    for key, value in constants.items():
        symbol = names.get(str(key))
        if symbol is None or not (isinstance(key, str) or key == symbol):
            msg = f"{CALL}: the constant {key} does not occur in {formula}"
            raise InvalidArgument(msg)
        if isinstance(symbol, sympy.Symbol):
            found[symbol] = exact(value)
        else:
            array = as_array(value, f"{CALL}: {key}")
            refuse_sets([array])
            found[symbol] = exact_matrix(sympy.Matrix(array.tolist()))
    return found


def _resized(formula: Any, sizes: dict[Any, Any]) -> Any:
    """Return a formula with other sizes, which SymPy checks as far as it can."""
    try:
        return at_sizes(formula, sizes)
    except sympy.matrices.exceptions.ShapeError as problem:
        msg = f"{CALL}: shapes do not fit together in {formula}: {problem}"
        raise ShapeMismatch(msg) from None


def _check_roles(
    symbols: Sequence[Any], given: Mapping[Any, Any], formula: Any
) -> None:
    occurring = formula.atoms(sympy.MatrixSymbol)
    for symbol in symbols:
        if symbol in given:
            msg = f"{CALL}: {symbol} is a parameter and a constant; it can be one only"
            raise InvalidArgument(msg)
        if symbol not in occurring:
            msg = (
                f"{CALL}: the parameter {symbol} "
                f"({' × '.join(map(str, symbol.shape))}) does not occur in {formula}"
            )
            raise InvalidArgument(msg)


def _check_formula(model: MatrixModel) -> None:
    try:
        occurring = symbols_of(model.end_to_end_node)
    except ShapeMismatch as problem:
        msg = f"{CALL}: shapes do not fit together in {model.expr}: {problem}"
        raise ShapeMismatch(msg) from None
    except NotDifferentiable as problem:
        if CALL in str(problem):
            raise
        msg = f"{CALL}: {model.expr} is not a polynomial in its matrices: {problem}"
        raise NotDifferentiable(msg) from None
    names = [symbol.name for symbol in occurring]
    double = [name for name in names if names.count(name) > 1]
    if double:
        msg = f"{CALL}: {double[0]} occurs with two different shapes"
        raise ShapeMismatch(msg)
    _ = model.widths  # refuses sizes that are neither integers nor symbols
    if not set(model.weights) <= set(occurring):
        msg = f"{CALL}: the formula does not depend on all of {model.weights}"
        raise InvalidArgument(msg)
