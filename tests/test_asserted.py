"""Claims of others: proved in words, or refuted by numbers that SymPy confirms."""

import subprocess
import sys

import pytest
import sympy

import symflow as sf
from symflow.algebra.entries import explicit
from symflow.algebra.reading import read_expression

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
