"""The clock of the loss: the same curves, to losses that no other clock reaches."""

import shutil
from fractions import Fraction

import numpy as np
import pytest
import sympy

import symflow as sf
from symflow.codegen import evaluate, rhs_program
from symflow.codegen.series import Recurrence
from symflow.codegen.tangent import directional
from symflow.conservation import drifts
from symflow.flow.problem import bind

DATA = sf.Dataset([[1, 2], [0, -3]], [1, -1])
LOSSES = (sf.ExponentialLoss("sum"), sf.ExponentialLoss(), sf.LogisticLoss())
NETWORKS = {
    sf.LinearNetwork(2, 1): ([[1, 1]],),
    sf.LinearNetwork(2, 2, 1): ([[1, 1], [0, 1]], [[2, 1]]),
    sf.DiagonalNetwork(2, 3): ([[2], [2]], [[1], [2]], [[1], [1]]),
}


def flows():
    for network in NETWORKS:
        for loss in LOSSES:
            yield sf.gradient_flow(network, loss)


@pytest.mark.parametrize(
    "flow", list(flows()), ids=lambda f: f"{f.network!r}-{f.loss!r}"
)
def test_the_field_is_the_gradient_over_its_size(flow):
    """At a point of the plane, against both fields in ordinary time."""
    start = [np.array(w, float) for w in NETWORKS[flow.network]]
    arguments = [*start, *bind(flow, DATA, start).floats.arguments]
    plain = evaluate(rhs_program(flow), arguments)
    clocked = evaluate(rhs_program(sf.directional_flow(flow)), arguments)
    margins = DATA.Y.astype(float) * (DATA.X.astype(float) @ end(flow, start).T)
    pulls = np.exp(-margins)
    if isinstance(flow.loss, sf.LogisticLoss):
        pulls = pulls / (1 + pulls)
    scale = 1 if flow.loss.reduction == "sum" else 2
    total = np.sum(pulls) / scale
    size = sum(np.sum(part**2) for part in plain)
    for part, other in zip(plain, clocked, strict=True):
        assert other == pytest.approx(part * total / size, rel=1e-12)


def end(flow, weights):
    return sf.simulate(flow, DATA, weights, [0, 1e-9]).end_to_end[0]


def test_the_equations_in_sympy():
    """Entry by entry, against minus the gradient of log ℒ."""
    flow = sf.gradient_flow(sf.LinearNetwork(2, 1), sf.ExponentialLoss())
    entries = sf.directional_flow(flow).entries((2, 1), samples=2)
    variables = [*entries.state] if hasattr(entries, "state") else [*entries]
    a, b = variables
    values = {str(s): s for rhs in entries.values() for s in rhs.free_symbols}
    loss = sum(
        sympy.exp(
            -values[f"Y_{i}_0"] * (values[f"X_{i}_0"] * a + values[f"X_{i}_1"] * b)
        )
        for i in range(2)
    )
    slopes = [-sympy.log(loss).diff(s) for s in (a, b)]
    size = sum(slope**2 for slope in slopes)
    points = {
        symbol: sympy.Rational(k + 2, 7) for k, symbol in enumerate(values.values())
    }
    for symbol, slope in zip((a, b), slopes, strict=True):
        gap = (entries[symbol] - slope / size).subs(points)
        assert abs(gap.evalf(30)) < 1e-28


def test_the_same_curve_in_both_clocks():
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.ExponentialLoss())
    start = NETWORKS[flow.network]
    plain = sf.simulate(flow, DATA, start, [0, 1, 10, 100])
    clock = np.log(plain.loss[0] / plain.loss)
    other = sf.simulate(sf.directional_flow(flow), DATA, start, clock)
    for first, second in zip(plain.weights, other.weights, strict=True):
        assert second == pytest.approx(first, abs=1e-8)


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_the_loss_is_the_clock_to_40_digits(loss):
    """ℒ = ℒ(0)e⁻ᵗ at a loss of 1e-100 and of 1e-434."""
    flow = sf.directional_flow(sf.gradient_flow(sf.LinearNetwork(2, 2, 1), loss))
    start = NETWORKS[flow.network]
    path = sf.precise(flow, DATA, start, [0, 1, 231, 1000], digits=40)
    assert path.loss[2] < path.context.mpf("1e-100")
    ratio = path.loss / path.loss[0]
    clock = [path.context.exp(-path.number(t)) for t in path.t]
    if isinstance(loss, sf.ExponentialLoss):
        assert all(abs(r / c - 1) < 1e-36 for r, c in zip(ratio, clock, strict=True))
    else:
        assert all(r > c for r, c in zip(ratio[1:], clock[1:], strict=True))
        assert ratio[3] / clock[3] == pytest.approx(
            float(ratio[2] / clock[2]), rel=1e-6
        )
    rough = sf.simulate(flow, DATA, start, [0, 1, 231, 1000])
    assert sf.validate(sf.conserved(flow), path, rough).ok
    assert max(map(abs, drifts(path).values())) < 1e-38


def test_two_arithmetics_agree():
    flow = sf.directional_flow(sf.gradient_flow(sf.LinearNetwork(2, 1), LOSSES[2]))
    start, t = NETWORKS[flow.network], [0, 1, 3]
    fixed = sf.precise(flow, DATA, start, t, digits=25)
    floating = sf.precise(flow, DATA, start, t, digits=20, arithmetic=sf.Mpmath())
    assert sf.validate([], fixed, floating).ok


def test_derivatives_of_the_field_by_differences(rng):
    flow = sf.directional_flow(sf.gradient_flow(sf.LinearNetwork(2, 2, 1), LOSSES[2]))
    program = rhs_program(flow)
    start = [np.array(w, float) for w in NETWORKS[flow.network]]
    constants = list(bind(flow, DATA, start).floats.arguments)
    step = [rng.standard_normal(w.shape) for w in start]
    found = directional(program, [*start, *constants], [*step, None, None])

    def field(size):
        moved = [w + size * s for w, s in zip(start, step, strict=True)]
        return evaluate(program, [*moved, *constants])

    for rate, ahead, behind in zip(found, field(1e-6), field(-1e-6), strict=True):
        assert rate == pytest.approx((ahead - behind) / 2e-6, abs=1e-8)


def test_series_of_softmax_and_reciprocal():
    """Against SymPy's series of the same functions of one variable."""
    from symflow.codegen.float_series import FloatArithmetic
    from symflow.codegen.program import Input, Instruction, Output, Program

    t = sympy.Symbol("t")
    for operation, constant, shares in (
        ("softmax", None, True),
        ("softplus", None, False),
        ("power", sympy.Integer(-1), False),
    ):
        program = Program(
            "f",
            (Input("u", (2, 1)),),
            (Instruction(operation, (0,), constant),),
            (Output("du", 1),),
        )
        recurrence = Recurrence(program, FloatArithmetic(), [(2, 1)], [], 5)
        series = recurrence.run([np.array([[0.5], [1.5]])], Fraction(1))
        u = sum(
            (sympy.Matrix(c.tolist()) * t**k for k, c in enumerate(series[0][:5])),
            sympy.zeros(2, 1),
        )
        if shares:
            powers = u.applyfunc(sympy.exp)
            value = powers / (powers[0] + powers[1])
        elif operation == "softplus":
            value = u.applyfunc(lambda entry: sympy.log(1 + sympy.exp(entry)))
        else:
            value = u.applyfunc(lambda entry: 1 / entry)
        for place in range(2):
            for k in range(4):
                term = value[place].diff(t, k).subs(t, 0) / sympy.factorial(k)
                assert float(term) == pytest.approx(
                    (k + 1) * series[0][k + 1][place, 0]
                )


def test_other_targets(tmp_path):
    """Kernels are written, for batches and in C too; a module says why it is not."""
    flow = sf.directional_flow(sf.gradient_flow(sf.LinearNetwork(2, 2, 1), LOSSES[0]))
    start = [np.array(w, float) for w in NETWORKS[flow.network]]
    arguments = [*start, DATA.X.astype(float), DATA.Y.astype(float)]
    expected = evaluate(rhs_program(flow), arguments)
    for found, value in zip(sf.compile(flow)(*arguments), expected, strict=True):
        assert found == pytest.approx(value, rel=1e-12)
    stacked = [np.stack([a, a]) for a in start]
    for found, value in zip(
        sf.compile(flow)(*stacked, *arguments[2:]), expected, strict=True
    ):
        assert found[1] == pytest.approx(value, rel=1e-12)
    with pytest.raises(sf.InvalidArgument, match="ordinary time"):
        sf.write_module(flow, tmp_path / "directional.py")
    with pytest.raises(sf.InvalidArgument, match="samples=100"):
        sf.c_source(flow)
    if any(map(shutil.which, ("cc", "gcc", "clang"))):
        in_c = sf.c_kernel(flow, samples=len(DATA.X))(*arguments)
        for found, value in zip(in_c, expected, strict=True):
            assert found == pytest.approx(value, rel=1e-12)
    assert sf.load(sf.save(flow, tmp_path / "flow.json")) == flow


def test_classes_that_nothing_separates_end_the_clock():
    """At the least loss the gradient vanishes: both integrators say where."""
    flow = sf.gradient_flow(sf.LinearNetwork(2, 1), sf.ExponentialLoss())
    data = sf.Dataset([[1, 0], [1, 1], [1, 2], [0, 1]], [1, -1, 1, -1])
    settled = sf.simulate(flow, data, [[[0.5, 0.5]]], [0, 200])
    end = np.log(settled.loss[0] / settled.loss[-1])
    clocked = sf.directional_flow(flow)
    for integrate in (sf.simulate, sf.precise):
        with pytest.raises(sf.IntegrationFailed, match="too small") as failure:
            integrate(clocked, data, [[[0.5, 0.5]]], [0, 50])
        assert f"{end:.4f}"[:-1] in str(failure.value)


def test_what_it_refuses_and_how_it_shows():
    with pytest.raises(sf.InvalidArgument, match="exponential or the logistic"):
        sf.directional_flow(sf.gradient_flow(sf.LinearNetwork(2, 1), sf.SquaredLoss()))
    flow = sf.gradient_flow(sf.LinearNetwork(2, 1), sf.ExponentialLoss(l2=1))
    with pytest.raises(sf.InvalidArgument, match="without weight decay"):
        sf.directional_flow(flow)
    flow = sf.gradient_flow(sf.LinearNetwork(2, 1), sf.ExponentialLoss())
    clocked = sf.directional_flow(flow)
    assert clocked != flow
    assert "clock of the log loss" in repr(clocked)
    assert "‖g‖²" in repr(clocked)
    with pytest.raises(sf.HypothesisFailed, match="clock of the log loss"):
        sf.enclose(clocked, DATA, [[[1, 1]]], 1)


def test_a_deep_flow_in_the_clock_of_the_loss_stays_short():
    """Written out, the equations of 64 layers fill megabytes."""
    sizes = {}
    for depth in (16, 32, 64):
        net = sf.LinearNetwork(*[3] * depth, 1)
        flow = sf.directional_flow(sf.gradient_flow(net, sf.ExponentialLoss()))
        kern = sf.compile(flow)
        sizes[depth] = len(kern.source)
        assert "shares of the samples" in kern.source
    assert sizes[64] < 2.5 * sizes[32] < 6 * sizes[16]
