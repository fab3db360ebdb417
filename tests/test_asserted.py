"""Claims of others: proved in words, or refuted by numbers that SymPy confirms."""

import subprocess
import sys
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import sympy
from flint import arb, fmpq

import symflow as sf
from symflow.algebra.balls import workbits
from symflow.algebra.entries import explicit
from symflow.algebra.from_sympy import from_sympy
from symflow.algebra.reading import read_expression
from symflow.algebra.values import Values
from symflow.flow.problem import bind

DEEP = sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), sf.SquaredLoss())
FIRST, SECOND = DEEP.state
TRUE = SECOND.T * SECOND - FIRST * FIRST.T
FALSE = SECOND.T * SECOND + FIRST * FIRST.T
PROBLEM = (
    sf.gradient_flow(sf.LinearNetwork(2, 2, 2), sf.SquaredLoss()),
    sf.whitened([[2, 0], [0, 1]]),
    ([[1, 0], [1, 1]], [[1, 2], [0, 1]]),
)


def lora():
    names = {"A": ("r", "d"), "B": ("m", "r"), "S": ("m", "d")}
    sizes = {name: sympy.Symbol(name, integer=True, positive=True) for name in "rdm"}
    A, B, S = (
        sympy.MatrixSymbol(name, *(sizes[n] for n in shape))
        for name, shape in names.items()
    )
    flow = sf.gradient_flow(sf.Model(S + B * A, parameters=(A, B)), sf.SquaredLoss())
    return flow, A, B


def test_true_claims_are_proved_for_every_width_and_steps_check_again():
    for quantity in (
        TRUE,
        sympy.Trace(SECOND * SECOND.T) - sympy.Trace(FIRST * FIRST.T),
    ):
        claim = sf.claim(DEEP, conserved=quantity)
        assert claim.verdict is sf.Status.PROVED
        assert claim.status is sf.Status.ASSERTED
        assert all(step.check() for step in claim.proof())
        assert claim.counterexample is None


def test_the_law_of_an_adapter_and_one_with_a_wrong_sign():
    flow, A, B = lora()
    assert sf.claim(flow, conserved=B.T * B - A * A.T).verdict is sf.Status.PROVED
    assert sf.claim(flow, conserved=B.T * B + A * A.T).verdict is not sf.Status.PROVED


def derivative(quantity, found):
    """Return dQ/dt by plain SymPy: the chain rule over entries and their gradient."""
    weights = {
        s: explicit(sympy.MatrixSymbol(s.name, *a.shape))
        for s, a in found.weights.items()
    }
    first, second = (weights[s] for s in (FIRST, SECOND))
    gram, cross = (sympy.Matrix(a.tolist()) for a in found.data.values())
    off = second * first
    loss = (off * gram * off.T).trace() / 2 - (off * cross.T).trace()
    value = quantity(first, second)
    numbers = {
        entry: sympy.Rational(int(number))
        for s, matrix in weights.items()
        for entry, number in zip(matrix, found.weights[s].flat, strict=True)
    }
    moved = sum(
        (value.diff(entry) * -loss.diff(entry) for entry in numbers),
        sympy.zeros(*value.shape),
    )
    return moved.subs(numbers)


@pytest.mark.parametrize("factor", [1, -2, sympy.Rational(-(10**9) - 1, 10**9)])
def test_a_false_claim_moves_at_the_numbers_that_are_given(factor):
    claim = sf.claim(DEEP, conserved=SECOND.T * SECOND + factor * FIRST * FIRST.T)
    assert claim.verdict is sf.Status.REFUTED
    found = claim.counterexample
    by_hand = derivative(lambda a, b: b.T * b + factor * a * a.T, found)
    assert by_hand == sympy.Matrix(found.rate.tolist())
    assert not by_hand.is_zero_matrix


def test_products_entry_by_entry_are_decided():
    for network in (sf.DiagonalNetwork(3), sf.DiagonalNetwork(2, signed=True)):
        flow = sf.gradient_flow(network, sf.SquaredLoss())
        squares = [sympy.HadamardProduct(w, w) for w in flow.state[:2]]
        true, false = (
            sf.claim(flow, conserved=squares[1] + sign * squares[0]) for sign in (-1, 1)
        )
        assert true.verdict is sf.Status.PROVED
        assert all(step.check() for step in true.proof())
        assert false.verdict is sf.Status.REFUTED


def test_weight_decay_is_seen():
    flow = sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), sf.SquaredLoss(l2="1/10"))
    assert sf.claim(flow, conserved=TRUE).verdict is sf.Status.REFUTED


DECAYED = {
    "one letter": {"loss": sf.SquaredLoss(l2="mu")},
    "two letters": {"loss": sf.SquaredLoss(l2=("mu", "nu"))},
    "rates": {"loss": sf.SquaredLoss(), "learning_rates": ("mu", "nu")},
}


@pytest.mark.parametrize("kind", DECAYED)
def test_a_letter_for_decay_or_a_rate_gets_a_value_that_refutes(kind):
    given = DECAYED[kind]
    flow = sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), **given)
    claim = sf.claim(flow, conserved=TRUE)
    assert claim.verdict is sf.Status.REFUTED
    found = claim.counterexample
    assert all(number > 0 for number in found.numbers.values())
    assert all(f"{symbol} = {n}" in str(found) for symbol, n in found.numbers.items())
    # by another route: the loss written out in scalars
    arrays = [*found.weights.values(), *found.data.values()]
    W1, W2, S, C = (sympy.Matrix(array.tolist()) for array in arrays)
    A, B = (
        sympy.Matrix(*W.shape, sympy.symbols(f"{n}:{len(W)}"))
        for W, n in ((W1, "a"), (W2, "b"))
    )
    mu, nu = (*found.numbers.values(), *found.numbers.values())[:2]
    decays, speeds = ((0, 0), (mu, nu)) if kind == "rates" else ((mu, nu), (1, 1))
    loss = ((B * A * S * A.T * B.T) / 2 - B * A * C.T).trace()
    loss += sum(
        l2 * (W.T * W).trace() / 2 for l2, W in zip(decays, (A, B), strict=True)
    )
    law = B.T * B - A * A.T
    moved = law.applyfunc(
        lambda entry: (
            -sum(
                speed * entry.diff(x) * loss.diff(x)
                for speed, W in zip(speeds, (A, B), strict=True)
                for x in W
            )
        )
    )
    values = dict(zip([*A, *B], [*W1, *W2], strict=True))
    assert moved.subs(values) == sympy.Matrix(found.rate.tolist())


def test_a_letter_that_no_number_fits_is_left_undecided():
    odd = sympy.Symbol("odd", positive=True, integer=False)
    flow = sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), sf.SquaredLoss(l2=odd))
    assert sf.claim(flow, conserved=TRUE).verdict is sf.Status.UNDECIDED


def test_what_cannot_be_decided_says_so():
    square = (sympy.Trace(SECOND * SECOND.T) - sympy.Trace(FIRST * FIRST.T)) ** 2
    assert sf.claim(DEEP, conserved=square).verdict in {
        sf.Status.PROVED,
        sf.Status.UNDECIDED,
    }
    steep = sf.gradient_flow(sf.LinearNetwork("d", "h", 1), sf.ExponentialLoss())
    first, second = steep.state
    claims = [
        sf.claim(steep, conserved=second.T * second + sign * first * first.T)
        for sign in (-1, 1)
    ]
    assert claims[0].verdict is sf.Status.PROVED
    assert claims[1].verdict is not sf.Status.PROVED


def test_runs_and_balls_settle_it_too():
    flow, data, init = PROBLEM
    first, second = flow.state
    run = sf.simulate(flow, data, init, [0, 1, 2])
    ball = sf.enclose(flow, data, init, [1, 2], digits=20)
    true = sf.claim(flow, conserved=second.T * second - first * first.T)
    false = sf.claim(flow, conserved=second.T * second + first * first.T)
    assert sf.validate([true], run).ok
    assert sf.certify(true, ball).status is sf.Status.ENCLOSED
    assert sf.validate([false], run).failures
    assert sf.certify(false, ball).status is sf.Status.REFUTED
    for function, status in ((sympy.exp, "refuted"), (sympy.cosh, "undecided")):
        rough = sf.claim(flow, conserved=function(sympy.Trace(first)))
        assert sf.certify(rough, ball).status.value == status


@pytest.mark.parametrize(
    "wrong", [sympy.Symbol("x"), sympy.MatrixSymbol("V", 2, 2), "W1"]
)
def test_what_is_no_quantity_of_the_flow_is_refused(wrong):
    with pytest.raises(sf.InvalidArgument, match="claim"):
        sf.claim(DEEP, conserved=wrong)


@pytest.mark.parametrize(
    "text", ["W.__class__", "W[5, 1]", "W**W", "W**100", "x", "W + 1"]
)
def test_a_text_with_names_is_read_and_never_run(text):
    W = sympy.MatrixSymbol("W", 2, 2)
    assert read_expression("W.T*W", {"W": W}) == W.T * W
    with pytest.raises(sf.InvalidArgument):
        read_expression(text, {"W": W})


def test_a_proved_claim_is_a_certificate_and_a_false_one_is_refused(tmp_path):
    file = sf.save(sf.claim(DEEP, conserved=TRUE), tmp_path / "claim.json")
    checker = sf.write_checker(tmp_path / "check.py")
    command = [sys.executable, "-I", "-S", str(checker), str(file)]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said
    assert sf.load(file).verdict is sf.Status.PROVED
    with pytest.raises(sf.InvalidArgument):
        sf.save(sf.claim(DEEP, conserved=FALSE), tmp_path / "false.json")


W, SIGMA, LAM, DELTA, MU = sympy.symbols("w sigma lambda delta mu")
FORCE = SIGMA - LAM * W


def scalar_rate(depth, numbers):
    """Return w and dw/dt of 1×1 layers by the chain rule, in plain SymPy."""
    layers = sympy.symbols(f"a:{depth}")
    product = sympy.prod(layers)
    loss = LAM * product**2 / 2 - SIGMA * product
    moved = sum(product.diff(a) * -loss.diff(a) for a in layers)
    known = dict(zip((*layers, SIGMA, LAM), numbers, strict=True))
    return product.subs(known), moved.subs(known)


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_the_equation_of_a_mode_is_proved_and_any_other_factor_refuted(depth):
    inner = [f"h{k}" for k in range(1, depth)]
    flow = sf.gradient_flow(sf.LinearNetwork("d", *inner, "m"), sf.SquaredLoss())
    true = depth * W ** (2 - sympy.Rational(2, depth)) * FORCE
    assert sf.claim(flow, mode_ode=true).verdict is sf.Status.PROVED
    false = sf.claim(flow, mode_ode=true * (1 + sympy.Rational(1, 10**9)))
    assert false.verdict is sf.Status.REFUTED
    w, moved = scalar_rate(depth, (1,) * depth + (1, 2))
    assert f"w = {w}, sigma = 1, lambda = 2" in false.counterexample
    assert f"the flow has ẇ = {moved}," in false.counterexample


def test_imbalance_and_weight_decay_enter_the_equation_of_a_mode():
    root = sympy.sqrt(DELTA**2 + 4 * W**2)
    assert sf.claim(DEEP, mode_ode=root * FORCE).verdict is sf.Status.PROVED
    wrong = sf.claim(DEEP, mode_ode=(root + DELTA) * FORCE)
    assert wrong.verdict is sf.Status.REFUTED
    flow = sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), sf.SquaredLoss(l2="mu"))
    for decay, verdict in ((2, "proved"), (1, "refuted")):
        claim = sf.claim(flow, mode_ode=2 * W * FORCE - decay * MU * W)
        assert claim.verdict.value == verdict


@pytest.mark.parametrize(
    ("network", "loss", "equation"),
    [
        (sf.LinearNetwork(2, 2, 2), sf.SquaredLoss(l2="lambda"), W),
        (sf.LinearNetwork(2, 2, 2), sf.SquaredLoss(), sympy.Symbol("x")),
        (sf.LinearNetwork(2, 2, 2, 2), sf.SquaredLoss(), DELTA * W),
        (sf.LinearNetwork(2, 2, 1), sf.ExponentialLoss(), W),
        (sf.DiagonalNetwork(2), sf.SquaredLoss(), W),
        (sf.LinearNetwork(2, 2, 2), sf.SquaredLoss(), "w"),
    ],
)
def test_what_has_no_modes_of_its_own_is_refused(network, loss, equation):
    with pytest.raises(sf.InvalidArgument, match="mode_ode"):
        sf.claim(sf.gradient_flow(network, loss), mode_ode=equation)


def test_runs_and_balls_settle_equations_limits_and_rates():
    data, init = sf.Moments([[2, 0], [0, 1]], [[3, 0], [0, 1]]), [[[1, 0], [0, 1]]] * 2
    flow = PROBLEM[0]
    run = sf.simulate(flow, data, init, [0, 1, 20])
    ball = sf.enclose(flow, data, init, [Fraction(1, 8), 1, sympy.oo], digits=20)
    near = Fraction(1, 10**15)
    pairs = [
        ({"mode_ode": 2 * W * FORCE}, {"mode_ode": (2 + 10**-5) * W * FORCE}),
        (
            {"limit": [[Fraction(3, 2), 0], [0, 1]]},
            {"limit": [[Fraction(3, 2) + near, 0], [0, 1]]},
        ),
        ({"limit": [[1.5, 0.0], [0.0, 1.0]]}, {"limit": [[1.51, 0.0], [0.0, 1.0]]}),
        ({"rate": 4}, {"rate": 12}),
    ]
    for true, false in pairs:
        good, bad = sf.claim(flow, **true), sf.claim(flow, **false)
        assert good.status is bad.status is sf.Status.ASSERTED
        assert sf.certify(good, ball).status is sf.Status.ENCLOSED, good
        assert sf.certify(bad, ball).status is sf.Status.REFUTED, bad
        assert sf.validate([good], run).ok
        assert sf.validate([bad], ball).failures
    assert sf.validate([sf.claim(flow, limit=[[1, 0], [0, 1]])], run).failures
    short = sf.simulate(flow, data, init, [0, 1])
    unsettled = sf.validate([sf.claim(flow, limit=[[1, 0], [0, 1]])], short)
    assert not unsettled.ok
    assert not unsettled.failures
    turned = sf.enclose(*PROBLEM, 1, digits=20)
    claim = sf.claim(flow, mode_ode=W * FORCE)  # false, but not of this start
    assert sf.certify(claim, turned).status is sf.Status.UNDECIDED


@pytest.mark.parametrize("rate", [Fraction(3, 2), Fraction(10**9 + 1, 10**9)])
def test_a_rate_that_fails_at_the_start_is_refuted_there(rate):
    half = Fraction(1, 2)
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    given = (flow, sf.Moments([[1]], [[1]]), ([[half]], [[half]]))
    found = sf.claim(flow, rate=rate).refuted_at(bind(*given))
    residual = 1 - half * half  # ‖∇ℒ‖² = r²(a² + b²) and ℒ − ℒ* = r²/2
    assert found.rate.item() == rate * residual**2 / 2 - residual**2 * 2 * half**2
    assert sf.claim(flow, rate=1).refuted_at(bind(*given)) is None  # attained
    solved = (flow, given[1], ([[1]], [[1]]))
    assert sf.claim(flow, rate=10**6).refuted_at(bind(*solved)) is None  # ℒ = ℒ*


def test_a_loss_that_is_not_polynomial_refutes_in_balls():
    flow = sf.gradient_flow(sf.LinearNetwork("d", "h", 1), sf.ExponentialLoss())
    first, second = flow.state
    claim = sf.claim(flow, conserved=second.T * second + first * first.T)
    found = claim.counterexample
    a, b = (mpmath.matrix(found.weights[s].astype(float).tolist()) for s in flow.state)
    x, y = (
        mpmath.matrix(array.astype(float).tolist()) for array in found.data.values()
    )
    force = mpmath.matrix(1, x.cols)
    for i in range(x.rows):
        margin = y[i] * (b * a * x[i, :].T)[0]
        force += y[i] * mpmath.exp(-margin) * x[i, :] / x.rows
    first_speed, second_speed = b.T * force, force * a.T
    moved = second_speed.T * b + b.T * second_speed + first_speed * a.T
    moved += a * first_speed.T
    assert (
        abs(moved[0] - mpmath.mpf(found.rate.item().mid().str(15, radius=False)))
        < 1e-12
    )


@pytest.mark.parametrize(
    "wrong",
    [{}, {"rate": 1, "limit": [[1]]}, {"rate": -1}, {"rate": "x"}, {"limit": [[1, 2]]}],
)
def test_claims_that_make_no_sense_are_refused(wrong):
    flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
    with pytest.raises(sf.InvalidArgument):
        sf.claim(flow, **wrong)


def test_no_counterexample_stands_where_the_quantity_has_no_value():
    flow = sf.gradient_flow(sf.LinearNetwork(2, 1, 1), sf.SquaredLoss())
    root = sympy.HadamardPower(flow.state[0], sympy.Rational(1, 2))
    found = sf.claim(flow, conserved=root).counterexample
    assert found is None or all(e > 0 for e in found.weights[flow.state[0]].flat)


def test_constants_stay_exact_in_balls():
    A = sympy.MatrixSymbol("A", 1, 1)
    third = sympy.ImmutableDenseMatrix([[sympy.Rational(1, 3)]])
    node = from_sympy(sympy.Trace(A * third + third.T * A / 7))
    with workbits(200):
        value = Values({A: np.array([[arb(1)]])}).of(node).item()
        assert value.contains(fmpq(8, 21))
        assert value.rad() < 1e-50


@pytest.mark.parametrize("name", ["Wdot1", "F"])
def test_a_letter_that_means_something_else_is_refused(name):
    first, second = (sympy.MatrixSymbol(letter, 2, 2) for letter in ("W1", name))
    model = sf.Model(second * first, parameters=(first, second))
    flow = sf.gradient_flow(model, sf.SquaredLoss())
    with pytest.raises(sf.InvalidArgument, match=name):
        sf.claim(flow, conserved=second.T * second - first * first.T)
