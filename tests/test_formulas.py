"""A printed formula means what the code computes: text and LaTeX are read back.

The reader in `oracles/formula.py` shares no code with the printers.  Trees of all kinds
of nodes are drawn at random, so that every operation stands below every other one.
"""

from __future__ import annotations

import dataclasses
import random
import re
from html import unescape

import numpy as np
import pytest
import sympy
from oracles.formula import plain, read, read_latex
from sympy.matrices.exceptions import NonInvertibleMatrixError

import symflow as sf
from symflow.algebra import (
    elementwise as entry_nodes,
    embeddings,
    entrywise,
    inline,
    latex,
    nodes,
    tensors,
    to_sympy,
)
from symflow.algebra.functions import Z, sigmoid, softplus
from symflow.algebra.mathml import mathml
from symflow.codegen import Kernel, lower

SIZES = (1, 2, 3)
NAMES = "ABCDEFGHK"
SHAPES = [(r, c) for r in SIZES for c in SIZES]
SYMBOLS = {s: sympy.MatrixSymbol(n, *s) for s, n in zip(SHAPES, NAMES, strict=True)}
SYMBOLS[4, 1] = sympy.MatrixSymbol("Sigma_yx", 4, 1)
x, y = sympy.symbols("x y")
NUMBERS = [-1, 2, -3, sympy.Rational(1, 2), sympy.Rational(-3, 4), 0.5, x, -y, x * y]
NUMBERS += [x**2, 1 / x, -2 * y / x, x**12]
FUNCTIONS = [sympy.exp(-Z), sympy.tanh(Z), sympy.tanh(2 * Z), sigmoid(-Z), Z**2, 1 / Z]
FUNCTIONS += [softplus(Z), sigmoid(Z) * sigmoid(-Z), Z**2 + 1, sympy.log(1 + Z**2)]
FUNCTIONS += [x * Z**2, Z**2 + x, Z**3, sympy.exp(Z) * Z, sympy.sqrt(1 + Z**2)]
LABELLED = sympy.ImmutableDenseMatrix(9, 2, lambda i, j: (i * j) % 5 - i)


class Draw:
    """Draws trees of nodes of a given shape; a number has the shape None."""

    def __init__(self, seed):
        self.rng = random.Random(seed)

    def number(self):
        return sympy.sympify(self.rng.choice(NUMBERS))

    def tree(self, shape, depth):
        if depth == 0:
            if shape is None:
                return nodes.trace(self.tree((2, 2), 0))
            return nodes.Leaf(SYMBOLS[shape])
        makers = [*self.general(shape, depth)]
        if shape is None:
            makers += self.numbers(depth)
        else:
            makers += self.matrices(shape, depth)
        return self.rng.choice(makers)()

    def general(self, shape, depth):
        def below():
            return self.tree(shape, depth - 1)

        rng = self.rng
        return [
            lambda: nodes.add(*(below() for _ in range(rng.choice((2, 3))))),
            lambda: nodes.scale(self.number(), below()),
            lambda: entry_nodes.hadamard(below(), below()),
            lambda: entry_nodes.elementwise(rng.choice(FUNCTIONS), below()),
        ]

    def numbers(self, depth):
        square = (k := self.rng.choice(SIZES)), k

        def below(shape=square):
            return self.tree(shape, depth - 1)

        any_shape = self.rng.choice(SHAPES)
        number = entry_nodes.Number(sympy.Integer(self.rng.randint(1, 4)))
        return [
            lambda: nodes.trace(below()),
            lambda: entry_nodes.total(below(any_shape)),
            lambda: entry_nodes.Determinant(below()),
            lambda: nodes.add(below(None), number),
        ]

    def matrices(self, shape, depth):
        rows, columns = shape

        def below(*wanted):
            return self.tree(wanted or shape, depth - 1)

        k, n = self.rng.choice(SIZES), self.rng.choice(SIZES)
        makers = [
            lambda: nodes.product(below(rows, k), below(k, columns)),
            lambda: nodes.product(
                below(rows, k), nodes.product(below(k, n), below(n, columns))
            ),
            lambda: nodes.transpose(below(columns, rows)),
            lambda: entry_nodes.weighted(self.tree(None, depth - 1), below()),
            lambda: entry_nodes.Softmax(below()),
            lambda: self.constant(rows, columns),
            lambda: entry_nodes.Ones(rows, columns),
        ]
        if rows == columns:
            makers += [
                lambda: entry_nodes.IdentityNode(rows),
                lambda: entry_nodes.Inverse(below()),
                lambda: embeddings.diag(below(rows, 1)),
                lambda: embeddings.CirculantNode(
                    below(self.rng.randint(1, rows), 1), rows
                ),
            ]
        if columns == 1:
            wider = self.rng.choice([s for s in SIZES if s >= rows] or [rows])
            makers += [
                lambda: embeddings.diagonal_of(below(rows, rows)),
                lambda: embeddings.circulant_sums(below(wider, wider), rows),
                lambda: embeddings.pad(below(self.rng.randint(1, rows), 1), rows),
                lambda: embeddings.crop(below(wider, 1), rows),
                lambda: self.contraction(rows, below),
            ]
        if columns == 1 and wider == rows:
            makers.append(lambda: tensors.Kronecker(below(rows, 1), below(1, 1)))
        return makers

    def constant(self, rows, columns):
        entry = [sympy.Rational(self.rng.randint(-5, 5), self.rng.randint(1, 3))]
        matrix = sympy.ImmutableDenseMatrix(
            rows, columns, lambda i, j: entry[0] + 2 * i - j * (1 + i)
        )
        return tensors.Constant(matrix)

    def contraction(self, rows, below):
        counts = [rows, 2, 1]
        free = self.rng.randrange(3)
        counts.insert(free, counts.pop(0))
        flat = [self.rng.randint(-3, 3) for _ in range(2 * rows)]
        tensor = sympy.ImmutableDenseNDimArray(flat, tuple(counts))
        columns = [below(c, 1) for k, c in enumerate(counts) if k != free]
        return tensors.Contraction(tensor, free, tuple(columns))


def values(seed):
    rng = np.random.default_rng(seed)
    return {s: rng.uniform(0.2, 1, s.shape) for s in SYMBOLS.values()} | {
        x: 0.7,
        y: -1.3,
    }


def environment(given, *constants):
    names = {inline(symbol): value for symbol, value in given.items()}
    names |= {plain(latex(symbol)): value for symbol, value in given.items()}
    labelled = {inline(c): np.array(c.tolist(), dtype=float) for c in constants}
    return names | labelled


def kinds_of(node):
    return {type(node)}.union(*map(kinds_of, node.children))


def computed(node, given):
    """Return the value of a node by its kernel; of ones, which have none, by SymPy."""
    if entry_nodes.Ones in kinds_of(node):
        numbers = {
            part: sympy.Float(float(value))
            for symbol, matrix in given.items()
            if isinstance(symbol, sympy.MatrixSymbol)
            for part, value in zip(entrywise(symbol), matrix.flat, strict=True)
        }
        numbers |= {x: given[x], y: given[y]}
        found = entrywise(to_sympy(node)).subs(numbers)
        return np.array(
            found.evalf().tolist()
            if node.shape and not node.is_scalar
            else float(found),
            dtype=float,
        )
    program = lower("f", list(given), {"out": node})
    with np.errstate(all="ignore"):
        return np.asarray(Kernel(program, "", bare=True)(*given.values()))


def agree(found, wanted, what):
    assert np.shape(found) == np.shape(wanted), what
    scale = 1 + np.max(np.abs(wanted))
    assert np.max(np.abs(np.asarray(found) - wanted)) <= 1e-8 * scale, what


SEEDS, TREES = range(6), 40
EVERY = {
    kind
    for module in (nodes, entry_nodes, embeddings, tensors)
    for kind in vars(module).values()
    if isinstance(kind, type)
    and issubclass(kind, nodes.Node)
    and dataclasses.is_dataclass(kind)
} - {embeddings.Flattened, embeddings.Folded}  # which the next test reads back


def drawn(seed):
    draw = Draw(seed)
    for _ in range(TREES):
        yield draw.tree(draw.rng.choice([None, *SHAPES]), draw.rng.choice((1, 2, 3, 3)))


def test_every_kind_of_node_is_drawn():
    found = set().union(*(kinds_of(node) for seed in SEEDS for node in drawn(seed)))
    assert found == EVERY


def test_columns_of_entries_are_read_back_with_their_rows():
    symbol = sympy.MatrixSymbol("A", 2, 3)
    given = {symbol: np.arange(6.0).reshape(2, 3)}
    column = embeddings.flattened(nodes.Leaf(symbol))
    for node in (column, embeddings.folded(column, 3, 2)):
        form, wanted = to_sympy(node), computed(node, given | {x: 0.7, y: -1.3})
        agree(read(inline(form), environment(given)), wanted, inline(form))
        agree(read_latex(latex(form), environment(given)), wanted, latex(form))


@pytest.mark.parametrize("seed", SEEDS)
def test_text_and_latex_have_the_value_of_the_kernel(seed):
    given, checked = values(seed), 0
    for node in drawn(seed):
        try:
            with np.errstate(all="ignore"):
                wanted = computed(node, given)
        except (np.linalg.LinAlgError, NonInvertibleMatrixError, sf.NoClosedForm):
            continue
        if not np.all(np.isfinite(wanted)) or np.max(np.abs(wanted)) > 1e6:
            continue
        form = to_sympy(node)
        with np.errstate(all="ignore"):
            agree(read(inline(form), environment(given)), wanted, inline(form))
            agree(read_latex(latex(form), environment(given)), wanted, latex(form))
        checked += 1
    assert checked >= 0.6 * TREES


LARGE = [LABELLED, LABELLED + sympy.ones(9, 2), LABELLED[:, ::-1]]
SMALL = [sympy.Matrix([[1, -2], [3, 4]]), sympy.Matrix([[1, -2], [3, 5]]), sympy.eye(2)]


@pytest.mark.parametrize("literals", [SMALL, LARGE], ids=["small", "large"])
def test_matrices_of_numbers_are_told_apart_wherever_they_are_printed(literals):
    forms = [sympy.ImmutableDenseMatrix(one) for one in literals]
    for write in (inline, latex):
        assert len({write(form) for form in forms}) == len(forms)
    assert read(inline(forms[0]), environment({}, *forms)).shape == forms[0].shape
    shown = [shown_everywhere(form) for form in forms[:2]]
    assert all(one != two for one, two in zip(*shown, strict=True))


def shown_everywhere(form):
    K, W = sympy.MatrixSymbol("K", 2, form.rows), sympy.MatrixSymbol("W", 2, 2)
    loss = sf.CustomLoss(sympy.Trace(K * form * W) ** 2)
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2), loss)
    sources = [sf.compile(flow).source, sf.codegen.module_source(flow)]
    docstrings = [source.split('"""')[1] for source in sources]
    return [str(flow), flow._repr_latex_(), *docstrings]


def plain_losses():
    """Losses whose gradients have numbers and differences in front of matrices."""
    W, A, S = (sympy.MatrixSymbol(name, 2, 2) for name in ("W", "A", "S"))
    t, s = sympy.Trace(A.T * W), sympy.Trace(W.T * S * W)
    return {
        "a difference": (t - 1) ** 2 / 2,
        "a quotient": 1 / (1 + s**2),
        "a power": (1 + s) ** 3 - t,
        "a logarithm": sympy.log(2 + s**2) * t,
        "an exponential": sympy.exp(-s) * (1 - t),
        "literals": (sympy.Trace(sympy.Matrix([[1, 2], [3, 4]]) * W) - 3) ** 2,
    }


@pytest.mark.parametrize("name", plain_losses())
def test_equations_are_what_their_kernels_compute(name):
    flow = sf.gradient_flow(
        sf.LinearNetwork(2, 2, 2), sf.CustomLoss(plain_losses()[name])
    )
    kernel, rng = sf.compile(flow), np.random.default_rng(3)
    arrays = [rng.uniform(0.1, 0.6, (2, 2)) for _ in kernel.arguments]
    symbols = [*flow.state, *flow.data]
    names = environment(dict(zip(symbols, arrays, strict=True)))
    module = sf.codegen.module_source(flow)
    for equation, wanted in zip(flow.equations, kernel(*arrays), strict=True):
        line = inline(equation)
        assert line in kernel.source
        assert line in module
        assert line in str(flow)
        agree(read(line.split(" = ")[1], names), wanted, line)
        typeset = latex(equation)
        agree(read_latex(typeset.split(" = ")[1], names), wanted, typeset)


A, B, C = (sympy.MatrixSymbol(name, 2, 2) for name in "ABC")
HALF, TWO = sympy.Rational(1, 2), sympy.S(2)
FORMS = [
    sympy.Transpose(A * B),
    sympy.Transpose(A - B) * C,
    sympy.Transpose(sympy.HadamardProduct(A, B)),
    sympy.Transpose(sympy.MatMul(-1, A)),
    sympy.Inverse(sympy.Transpose(A * B)),
    sympy.Transpose(sympy.Inverse(A + B)),
    sympy.MatPow(A * B, 3) * C,
    sympy.MatPow(sympy.HadamardPower(A + B, 2), 2),
    sympy.HadamardPower(A * B, HALF),
    sympy.HadamardPower(sympy.Transpose(A), -1) * B,
    sympy.Mul(HALF, 1 - sympy.Trace(A), evaluate=False),
    x**20 * A + x**2 * B,
    (1 + sympy.Trace(A)) ** 25 * x**2,
    sympy.Trace(A) ** 2 / 2 - sympy.Trace(B) ** 2 / 3,
    sympy.exp(-(sympy.Trace(A) ** 2) / 2) * (A - B),
    sympy.MatMul(A, sympy.MatMul(-2, B, sympy.MatMul(HALF, C))),
    sympy.MatAdd(A, sympy.MatMul(-1, sympy.MatAdd(B, sympy.MatMul(-1, C)))),
    sympy.Determinant(A - B) ** 2 * (1 - x) * sympy.Trace(C),
]


@pytest.mark.parametrize("number", range(len(FORMS)))
def test_forms_that_nodes_never_take_are_right_as_well(number):
    form, rng = FORMS[number], np.random.default_rng(number)
    given = {s: rng.uniform(0.2, 1, (2, 2)) for s in (A, B, C)} | {x: 0.7}
    matrices = {s: sympy.Matrix(v) for s, v in given.items() if s != x}
    value = form.subs({**matrices, x: given[x]}).doit()
    shape = () if form.is_Matrix is not True else form.shape
    wanted = np.array(value, dtype=float).reshape(shape)
    agree(read(inline(form), environment(given)), wanted, inline(form))
    agree(read_latex(latex(form), environment(given)), wanted, latex(form))


@pytest.mark.parametrize(
    ("form", "shown"),
    [
        ((1 - sympy.Trace(A)) * B, "−(tr(A)−1)B"),
        (sympy.MatAdd(A, sympy.MatMul(-1, B + C)), "A−(B+C)"),
        (sympy.HadamardProduct(A, B) * C, "(A∘B)C"),
        (sympy.Transpose(A * B), "(AB)⊤"),
        (sympy.KroneckerProduct(A, sympy.HadamardProduct(A, B)), "A⊗(A∘B)"),
        (A * (2 * B), "2AB"),
        (sympy.MatMul(A, sympy.MatMul(2, B)), "A(2B)"),
    ],
)
def test_mathml_has_the_brackets_too(form, shown):
    assert unescape(re.sub(r"<[^>]*>|\u2062", "", mathml(form))) == shown
