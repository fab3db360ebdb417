"""The derived flow is minus the gradient for every depth, width, reduction, decay."""

from __future__ import annotations

import pickle
from itertools import pairwise
from random import Random

import numpy as np
import pytest
import sympy
from oracles.arrays import balanced, chain, derivatives, draw
from oracles.entrywise import integer_matrix, matrix, random_problem

import symflow as sf
from symflow.errors import InvalidArgument, NoClosedForm, ShapeMismatch
from symflow.networks import Diagonal

#: The widths of acceptance 2 of the first milestone, then a wide and a single layer.
WIDTHS = [(2, 3, 2), (3, 2, 3, 2), (2, 2, 2, 2, 2), (1, 3, 2), (3, 2)]
NAMES = "abcdefghijklmnop"
LAMBDA = sympy.Symbol("lambda", nonnegative=True)


def symbolic_network(depth):
    return sf.LinearNetwork(*NAMES[: depth + 1])


def symbolic_flow(depth, **options):
    return sf.gradient_flow(symbolic_network(depth), sf.SquaredLoss(**options))


def assert_descends(entries, problem):
    """Check that every velocity plus the oracle's slope is the zero polynomial."""
    assert list(entries) == problem.variables
    for velocity, slope in zip(entries.rhs, problem.gradient, strict=True):
        assert problem.vanishes(velocity + slope)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("widths", WIDTHS, ids=str)
def test_flow_is_minus_the_entrywise_gradient_of_the_sample_loss(widths, reduction):
    problem = random_problem(widths, mean=reduction == "mean")
    flow = symbolic_flow(len(widths) - 1, reduction=reduction)
    entries = flow.entries(widths)
    assert_descends(entries, problem)


@pytest.mark.parametrize(
    ("l2", "decay"),
    [(0.1, sympy.Rational(1, 10)), ("lambda", LAMBDA), (sympy.sqrt(2), sympy.sqrt(2))],
    ids=str,
)
@pytest.mark.parametrize("widths", [(2, 3, 2), (3, 2, 1, 2)], ids=str)
def test_weight_decay_is_part_of_the_gradient(widths, l2, decay):
    problem = random_problem(widths, decay=decay)
    entries = symbolic_flow(len(widths) - 1, l2=l2).entries(widths)
    assert_descends(entries, problem)


@pytest.mark.parametrize("widths", [(2, 3, 2), (2, 2, 2, 2)], ids=str)
@pytest.mark.parametrize("options", [{}, {"reduction": "sum", "l2": "lambda"}], ids=str)
def test_integer_widths_and_substituted_widths_give_the_same_entries(widths, options):
    symbolic = symbolic_flow(len(widths) - 1, **options)
    concrete = sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss(**options))
    assert concrete.entries(widths) == symbolic.entries(widths)


@pytest.mark.parametrize("widths", [(2, 3, 2), (2, 2, 2, 2)], ids=str)
def test_rhs_as_explicit_has_the_same_entries(widths):
    """SymPy's own substitution and `as_explicit`, at random integer weights."""
    flow = symbolic_flow(len(widths) - 1)
    problem = random_problem(widths)
    sizes = dict(zip(flow.network.widths, map(sympy.Integer, widths), strict=True))
    values = _random_values([*flow.state, *flow.data], sizes)
    explicit = [
        entry
        for expression in flow.rhs
        for entry in expression.subs(sizes).xreplace(values).as_explicit()
    ]
    scalars = {
        symbol: number
        for name, number_matrix in values.items()
        for symbol, number in zip(
            matrix(name.name, *number_matrix.shape), number_matrix, strict=True
        )
    }
    entries = flow.entries(widths)
    assert list(entries) == problem.variables
    assert explicit == [expression.xreplace(scalars) for expression in entries.rhs]


def _random_values(symbols, sizes):
    random = Random(5)
    values = {}
    for symbol in symbols:
        sized = symbol.xreplace(sizes)
        value = integer_matrix(random, *(int(size) for size in sized.shape))
        values[sized] = (
            value.T * value if sized.name.endswith("_xx") else value
        ).as_immutable()
    return values


@pytest.mark.parametrize("options", [{}, {"reduction": "sum", "l2": "lambda"}], ids=str)
@pytest.mark.parametrize("widths", [(2, 3, 2), (2, 1, 2, 2)], ids=str)
def test_potential_is_the_sample_loss_and_the_flow_descends_it(widths, options):
    flow = sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss(**options))
    decay = LAMBDA if options else 0
    problem = random_problem(widths, mean=not options, decay=decay)
    potential = _entries_of_scalar(flow.potential)
    assert problem.vanishes(potential - problem.loss)
    entries = flow.entries(widths)
    for variable, velocity in entries.items():
        assert sympy.expand(velocity + sympy.diff(potential, variable)) == 0


def _entries_of_scalar(expression):
    """Write traces out by `as_explicit` and rename SymPy's entries A[i, j] to A_i_j."""
    plain = expression.replace(
        lambda part: isinstance(part, sympy.Trace),
        lambda part: part.arg.as_explicit().trace(),
    )
    elements = plain.atoms(sympy.matrices.expressions.matexpr.MatrixElement)
    names = {e: f"{e.parent.name}_{e.i}_{e.j}" for e in elements}
    return plain.xreplace({e: sympy.Symbol(n, real=True) for e, n in names.items()})


@pytest.mark.parametrize("depth", [2, 3, 10])
def test_deep_flows_agree_with_hand_written_arrays(depth, rng):
    flow = symbolic_flow(depth)
    widths = [2 + layer % 3 for layer in range(depth + 1)]
    weights, sigma_xx, sigma_yx = draw(rng, widths)
    known = {"Sigma_xx": sigma_xx, "Sigma_yx": sigma_yx}
    known |= {f"W{n}": weight for n, weight in enumerate(weights, start=1)}
    expected = derivatives(weights, sigma_xx, sigma_yx)
    for expression, velocity in zip(flow.rhs, expected, strict=True):
        # 3·depth products of 4×4 matrices: rounding of about 10² ulp of what is summed.
        scale = abs(velocity).max()
        np.testing.assert_allclose(
            value_of(expression, known), velocity, atol=1e-11 * scale
        )


def test_entries_at_depth_10():
    """Width 1 everywhere: θ̇_l = (σ_yx − σ_xx Πθ) Π_{k≠l} θ_k, by `sympy.diff`."""
    entries = symbolic_flow(10).entries((1,) * 11)
    xx, yx = sympy.symbols("Sigma_xx_0_0 Sigma_yx_0_0", real=True)
    w = sympy.Mul(*entries)
    for variable, velocity in entries.items():
        slope = sympy.diff(xx * w**2 / 2 - yx * w, variable)
        assert sympy.expand(velocity + slope) == 0


def test_equations_name_the_time_derivative_of_each_weight(two_layers):
    flow = sf.gradient_flow(two_layers, sf.SquaredLoss())
    assert [equation.lhs.name for equation in flow.equations] == ["Wdot1", "Wdot2"]
    for equation, symbol, rhs in zip(flow.equations, flow.state, flow.rhs, strict=True):
        assert equation.lhs.shape == symbol.shape == rhs.shape
        assert equation.rhs == rhs
    assert [symbol.name for symbol in flow.data] == ["Sigma_xx", "Sigma_yx"]


@pytest.mark.parametrize("options", [{}, {"l2": "lambda"}], ids=str)
@pytest.mark.parametrize("widths", [(2, 3, 2), (2, 1, 3, 2), (2, 2)], ids=str)
def test_end_to_end_flow_is_the_product_rule(widths, options):
    """d/dt (W_L⋯W_1) with Ẇ_l from the oracle, all of it entry by entry."""
    flow = sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss(**options))
    problem = random_problem(widths, decay=LAMBDA if options else 0)
    end_to_end = sympy.eye(widths[0])
    for weight in problem.weights:
        end_to_end = weight * end_to_end
    slopes = dict(zip(problem.variables, problem.gradient, strict=True))
    ours = flow.end_to_end.rhs.as_explicit()
    for entry, velocity in zip(end_to_end, ours, strict=True):
        change = sum(sympy.diff(entry, v) * slope for v, slope in slopes.items())
        assert problem.vanishes(_entries_of_scalar(velocity) + change)


BALANCED_WIDTHS = [
    (3, 2),
    (3, 2, 4),
    (2, 4, 3),
    (4, 3, 2, 4),
    (3, 3, 3, 3),
    (5, 2, 3, 4, 3),
]


@pytest.mark.parametrize("decay", [0, sympy.Rational(3, 10)], ids=str)
@pytest.mark.parametrize("widths", BALANCED_WIDTHS, ids=str)
def test_balanced_flow_closes_in_the_end_to_end_matrix(widths, decay, rng):
    weights = balanced(rng, widths)
    for first, second in pairwise(weights):
        np.testing.assert_allclose(second.T @ second, first @ first.T, atol=1e-13)
    _, sigma_xx, sigma_yx = draw(rng, (widths[0], widths[-1]))
    flow = symbolic_flow(len(widths) - 1, l2=decay).end_to_end
    velocities = derivatives(weights, sigma_xx, sigma_yx, float(decay))
    expected = sum(
        chain(weights[layer + 1 :], weights[layer].shape[0])
        @ velocity
        @ chain(weights[:layer], weights[layer].shape[1])
        for layer, velocity in enumerate(velocities)
    )
    known = {"Sigma_xx": sigma_xx, "Sigma_yx": sigma_yx}
    general = known | {f"W{n}": weight for n, weight in enumerate(weights, start=1)}
    closed = known | {"W": chain(weights, widths[0])}
    # Strengths are in [0.5, 1.5]: the smallest nonzero eigenvalue of WWᵀ is 0.5^(2L) ≥
    # 2^−8, so a zero eigenvalue of size 1e-16 enters with (1e-16)^(1/4) = 1e-4 only
    # where the exact power is 0; `_power` cuts it off.
    scale = abs(expected).max()
    np.testing.assert_allclose(
        value_of(flow.rhs, general), expected, atol=1e-12 * scale
    )
    np.testing.assert_allclose(
        value_of(flow.balanced, closed), expected, atol=1e-11 * scale
    )


def value_of(expression, arrays):
    """Evaluate a SymPy matrix expression in NumPy, fractional powers by `eigh`."""
    if isinstance(expression, sympy.MatrixSymbol):
        return arrays[expression.name]
    parts = [value_of(part, arrays) for part in expression.args]
    match expression:
        case sympy.MatPow():
            return _power(value_of(expression.base, arrays), float(expression.exp))
        case sympy.Transpose():
            return value_of(expression.arg, arrays).T
        case sympy.MatAdd():
            return sum(parts)
        case sympy.MatMul():
            product = 1.0
            for part in parts:
                product = product @ part if np.ndim(product) else product * part
            return product
    return float(expression)


def _power(symmetric, exponent):
    values, vectors = np.linalg.eigh(symmetric)
    kept = np.where(values > 1e-10 * values.max(), values, 0.0)
    return (vectors * kept**exponent) @ vectors.T


def test_balanced_flow_needs_dense_layers():
    network = sf.Network(Diagonal(2), sf.Dense(2, 2))
    flow = sf.gradient_flow(network, sf.SquaredLoss())
    with pytest.raises(NoClosedForm, match="products of Dense layers"):
        _ = flow.end_to_end.balanced


def test_flows_compare_by_network_and_loss():
    flow = symbolic_flow(2)
    assert flow == symbolic_flow(2)
    assert len({flow, symbolic_flow(2), symbolic_flow(3)}) == 2
    assert flow != symbolic_flow(2, l2=0.1)
    assert flow != symbolic_flow(2, reduction="sum")
    assert flow != sf.gradient_flow(sf.LinearNetwork("a", "b", 1), sf.SquaredLoss())


@pytest.mark.parametrize("used", [False, True])
def test_flows_survive_pickling(used):
    flow = symbolic_flow(3, l2="lambda")
    if used:
        _ = flow.rhs, flow.potential, flow.end_to_end.rhs
    restored = pickle.loads(pickle.dumps(flow))
    assert restored == flow
    assert hash(restored) == hash(flow)
    assert restored.rhs == flow.rhs
    assert restored.entries((1, 2, 1, 2)) == flow.entries((1, 2, 1, 2))


def test_flows_are_immutable(two_layers):
    flow = sf.gradient_flow(two_layers, sf.SquaredLoss())
    with pytest.raises(AttributeError):
        flow.loss = sf.SquaredLoss(l2=1)


def test_terminal_output_is_the_equations(two_layers):
    flow = sf.gradient_flow(two_layers, sf.SquaredLoss())
    assert str(flow).splitlines() == [
        "Ẇ₁ = W₂ᵀ(Σ_yx − W₂W₁Σ_xx)",
        "Ẇ₂ = (Σ_yx − W₂W₁Σ_xx)W₁ᵀ",
    ]
    assert repr(flow).startswith(
        "GradientFlow of SquaredLoss() on LinearNetwork('d', 'h', 'm')\n  Ẇ₁ = "
    )


def test_latex_writes_dots_and_aligns_the_equations(two_layers):
    latex = sf.gradient_flow(two_layers, sf.SquaredLoss())._repr_latex_()
    assert latex.startswith(r"$\displaystyle \begin{aligned} \dot{W}_{1} &= W_{2}^{T}")
    assert r"\\ \dot{W}_{2} &= " in latex
    assert (
        r"\dot{W} = "
        in sf.gradient_flow(two_layers, sf.SquaredLoss()).end_to_end._repr_latex_()
    )


def test_output_stays_small_at_depth_10():
    flow = symbolic_flow(10, l2="lambda")
    assert len(flow._repr_latex_()) < 10_000
    assert all(len(line) < 100 for line in str(flow).splitlines())
    assert len(flow._repr_latex_().split(r"\\")) == 10


def test_giant_latex_is_replaced_by_a_pointer():
    flow = sf.gradient_flow(sf.LinearNetwork(*[2] * 21), sf.SquaredLoss())
    assert len(flow._repr_latex_()) < 1_000
    assert ".equations" in flow._repr_latex_()


@pytest.mark.parametrize("width", [-1, 0, True, 2.0, None, "two words"], ids=repr)
def test_impossible_widths_are_refused(width):
    with pytest.raises(InvalidArgument, match="positive integer or a name"):
        sf.LinearNetwork(3, width, 2)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: sf.LinearNetwork(3), InvalidArgument, "needs at least an input"),
        (lambda: sf.Network(), InvalidArgument, "at least one layer"),
        (lambda: sf.Network(3), InvalidArgument, "layer 1 is not a Layer but 3"),
        (
            lambda: sf.Network(sf.Dense(3, 2), sf.Dense(3, 2)),
            ShapeMismatch,
            "layer 1 has 2 outputs, but layer 2 takes 3 inputs",
        ),
        (
            lambda: sf.gradient_flow((3, 2), sf.SquaredLoss()),
            InvalidArgument,
            "needs a network such as",
        ),
        (
            lambda: sf.gradient_flow(sf.LinearNetwork(3, 2), sf.SquaredLoss),
            InvalidArgument,
            "needs a loss such as",
        ),
        (lambda: sf.SquaredLoss(reduction="max"), InvalidArgument, "one of mean, sum"),
        (lambda: sf.SquaredLoss(l2=-0.1), InvalidArgument, "cannot be negative"),
        (lambda: sf.SquaredLoss(l2=float("nan")), InvalidArgument, "finite"),
        (lambda: sf.SquaredLoss(l2="two words"), InvalidArgument, "real number"),
        (lambda: symbolic_flow(2).entries((2, 3)), ShapeMismatch, "3 widths"),
        (lambda: symbolic_flow(2).entries((2, 3, 0)), InvalidArgument, "positive"),
        (lambda: symbolic_flow(2).entries((2.0, 3, 2)), InvalidArgument, "positive"),
        (lambda: symbolic_flow(2).entries((2, "h", 2)), InvalidArgument, "integer"),
        (lambda: symbolic_flow(2).entries(5), InvalidArgument, "got 5"),
        (
            lambda: sf.gradient_flow(
                sf.LinearNetwork(2, 3, 2), sf.SquaredLoss()
            ).entries((2, 2, 2)),
            ShapeMismatch,
            "width 2",
        ),
        (
            lambda: sf.gradient_flow(
                sf.LinearNetwork("d", 3, "d"), sf.SquaredLoss()
            ).entries((2, 3, 4)),
            ShapeMismatch,
            "width 3",
        ),
    ],
)
def test_wrong_arguments_are_refused_with_a_reason(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_symbols_are_specialised_to_numbers():
    loss = sf.SquaredLoss(l2="lambda")
    flow = sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), loss)
    at = flow.at({"lambda": 0.5}, d=3, h=2, m=1)
    assert at == sf.gradient_flow(sf.LinearNetwork(3, 2, 1), sf.SquaredLoss(l2="1/2"))
    assert flow.at(h=2).network == sf.LinearNetwork("d", 2, "m")
    assert flow.at(h="k").network == sf.LinearNetwork("d", "k", "m")
    assert at.at() == at
    assert at.entries() == flow.entries((3, 2, 1)).__class__(
        at.entries().state,
        tuple(e.subs({"lambda": sympy.Rational(1, 2)}) for e in at.entries().rhs),
        at.entries().matrices,
    )


def test_every_kind_of_model_is_specialised():
    d, h = sympy.symbols("d h", integer=True, positive=True)
    U, V = sympy.MatrixSymbol("U", h, d), sympy.MatrixSymbol("V", d, h)
    S = sympy.MatrixSymbol("S", d, d)
    flow = sf.gradient_flow(sf.Model(V * U + S, (U, V, S)), sf.SquaredLoss())
    U, V = sympy.MatrixSymbol("U", 2, 3), sympy.MatrixSymbol("V", 3, 2)
    S = sympy.MatrixSymbol("S", 3, 3)
    assert flow.at(d=3, h=2).network == sf.Model(V * U + S, (U, V, S))
    signed = sf.gradient_flow(
        sf.DiagonalNetwork("d", 2, signed=True), sf.LogisticLoss()
    )
    assert signed.at(d=4).network == sf.DiagonalNetwork(4, 2, signed=True)
    rated = sf.gradient_flow(
        sf.LinearNetwork("d", 2, 1), sf.SquaredLoss(), learning_rates=("eta", 2)
    )
    assert rated.at(d=2, eta=3).learning_rates == (3, 2)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"q": 3}, "has d, h, m; got a value for q"),
        ({"d": 0}, "positive integer"),
        ({"d": 2.5}, "positive integer"),
    ],
)
def test_what_is_no_symbol_or_no_width_is_refused(values, message):
    flow = sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), sf.SquaredLoss())
    with pytest.raises(sf.InvalidArgument, match=message):
        flow.at(**values)


GIVEN = {"data": sf.whitened([[1.0]]), "init": ([[1.0]], [[1.0]])}
FLOW = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
DESCENT = sf.gradient_descent(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        (lambda: sf.rates(DESCENT, **GIVEN), r"flow is gd\.flow, .* descend\(gd, data"),
        (lambda: sf.solve(DESCENT, **GIVEN), r"flow is gd\.flow, .* descend\(gd, data"),
        (lambda: sf.compile(GIVEN["data"]), "needs a gradient flow; got Moments of"),
        (lambda: sf.validate([FLOW], None), "needs claims, as from conserved"),
        (lambda: sf.Network(FLOW), "not a Layer but GradientFlow of"),
        (
            lambda: sf.CustomLoss(
                sympy.Trace(sympy.MatrixSymbol("W", 1, 1)),
                sympy.MatrixSymbol("W", 1, 1),
            ),
            "takes the expression alone, and its matrix symbol named W",
        ),
        (
            lambda: sf.conserved(FLOW, search=sympy.Symbol("x")),
            r"needs PolynomialSearch\(degree=…\)",
        ),
    ],
)
def test_what_is_no_flow_is_refused_in_one_line_that_helps(wrong, advice):
    with pytest.raises(InvalidArgument, match=advice) as caught:
        wrong()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("widths", "lam", "feasible"),
    [
        ((2, 5, 3), -1, "λ = 0 alone"),
        ((2, 3, 5), -1, "λ ≥ 0"),
        ((5, 3, 2), 1, "λ ≤ 0"),
        ((1, 3, 1), 1, "λ = 0 alone"),
    ],
)
def test_the_feasible_levels_of_imbalance_are_named(widths, lam, feasible):
    rule = sf.lambda_balanced_init(lam, rng=0)
    with pytest.raises(InvalidArgument, match=f"Feasible here: {feasible};"):
        rule.draw(sf.LinearNetwork(*widths))
    for sign, words in ((1, "λ ≥ 0"), (-1, "λ ≤ 0")):
        if feasible == words:
            first, second = sf.lambda_balanced_init(sign, rng=0).draw(
                sf.LinearNetwork(*widths)
            )
            level = second.T @ second - first @ first.T
            np.testing.assert_allclose(level, sign * np.eye(widths[1]), atol=1e-12)
