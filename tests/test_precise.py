"""`precise` against closed forms, other integrators, and itself."""

from __future__ import annotations

import random
from fractions import Fraction

import flint
import mpmath
import numpy as np
import pytest
import sympy
from hypothesis import given, settings, strategies as st
from scipy.integrate import solve_ivp

import symflow as sf
from symflow.codegen import evaluate, rhs_program
from symflow.errors import Interrupted
from symflow.flow.problem import bind
from symflow.precision import Flint, Mpmath, precise
from symflow.precision.arithmetics import Need
from symflow.precision.blocks import BLOCK, BlockConvolution
from symflow.precision.fixed import MatrixConvolution
from symflow.precision.fixed_matrix import FixedMatrix
from symflow.precision.growth import lipschitz
from symflow.precision.limb_format import Format
from symflow.precision.limbs import LimbPoint
from symflow.precision.run import Run

SCALAR = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
DENSE = sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), sf.SquaredLoss())
HALF = [[[0.5]], [[0.5]]]


def logistic(t, digits, sigma="2", start="0.25"):
    """Saxe's mode: w' = 2w(σ − w)."""
    mp = mpmath.MPContext()
    mp.dps = digits + 20
    sigma, start = mp.mpf(sigma), mp.mpf(start)
    grown = mp.exp(2 * sigma * (mp.mpf(t.numerator) / t.denominator))
    return sigma * start * grown / (sigma + start * (grown - 1))


def distance(first, second):
    pairs = zip(first, second, strict=True)
    return max(abs(a - b).max() for a, b in pairs)


def square(size, depth, seed=0, scale=0.5):
    rng = np.random.default_rng(seed)
    data = sf.Dataset(
        rng.normal(size=(3 * size, size)), rng.normal(size=(3 * size, size))
    )
    shape = (depth, size, size)
    return data, list(rng.normal(size=shape) * scale / np.sqrt(size))


@pytest.mark.parametrize(
    "digits", [3, 30, 50, 200, pytest.param(1000, marks=pytest.mark.slow)]
)
def test_scalar_mode_has_the_digits_asked_for(digits):
    times = [Fraction(1, 12), Fraction(1, 3 if digits > 200 else 1)]
    run = precise(SCALAR, sf.whitened([[2]]), HALF, times, digits=digits)
    for time, w in zip(times, run.end_to_end.ravel(), strict=True):
        true = logistic(time, digits)
        assert abs(w - true) < true.context.mpf(10) ** -digits
        assert run.context.prec > digits * 3.32


def test_golden_value_of_the_balanced_mode():
    # w(2) with σ = 1.3, λ = 0.7, w₀ = 0.05, printed to 30 digits
    data = sf.Moments(
        sigma_xx=sympy.Matrix([["7/10"]]), sigma_yx=sympy.Matrix([["13/10"]])
    )
    root = sympy.Matrix([[sympy.sqrt(sympy.Rational(1, 20))]])
    run = precise(SCALAR, data, [root, root], 2, digits=30)
    assert run.context.nstr(run.end_to_end[0, 0, 0], 30).startswith(
        "1.54841338397028720602496782"
    )


def test_imbalanced_scalar_mode_solves_its_riccati_equation():
    # a² − b² = D is conserved and w' = √(D² + 4w²)(σ − w); compare in another variable
    run = precise(SCALAR, sf.whitened([[2]]), [[[0.75]], [[-0.25]]], 3, digits=60)
    mp = run.context
    a, b = (w[0, 0, 0] for w in run.weights)
    assert abs(a * a - b * b - mp.mpf("0.5")) < mp.mpf(10) ** -59
    exact = mp.quad(
        lambda w: 1 / (mp.sqrt(mp.mpf("0.25") + 4 * w * w) * (2 - w)),
        mp.linspace(mp.mpf("-0.1875"), a * b, 12),
    )
    assert abs(exact - 3) < mp.mpf(10) ** -40


def test_agrees_with_mpmath_odefun_on_a_two_by_two_flow():
    data, start = square(2, 2)
    run = precise(DENSE, data, start, Fraction(1, 4), digits=50)
    program = rhs_program(DENSE)
    with mpmath.workdps(55):
        x, y = (np.vectorize(mpmath.mpf, otypes=[object])(a) for a in (data.X, data.Y))
        lifted = [x.T @ x / data.n, y.T @ x / data.n]

        def rates(_, y):
            weights = np.array(y, dtype=object).reshape(2, 2, 2)
            out = evaluate(program, [*weights, *lifted], mpmath.mpf)
            return [x for matrix in out for x in matrix.flat]

        begin = [mpmath.mpf(float(x)) for w in start for x in w.flat]
        other = mpmath.odefun(rates, 0, begin)(mpmath.mpf(1) / 4)
        ours = [x for w in run.weights for x in w.flat]
        worst = max(abs(x - mpmath.mpf(y)) for x, y in zip(other, ours, strict=True))
        assert worst < mpmath.mpf(10) ** -45


@settings(max_examples=25, deadline=None)
@given(
    widths=st.lists(st.integers(1, 3), min_size=2, max_size=5),
    seed=st.integers(0, 10**6),
    decay=st.sampled_from([0, Fraction(1, 7)]),
)
def test_both_arithmetics_agree(widths, seed, decay):
    flow = sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss(l2=decay))
    rng = np.random.default_rng(seed)
    data = sf.Dataset(rng.normal(size=(4, widths[0])), rng.normal(size=(4, widths[-1])))
    pairs = zip(widths[1:], widths, strict=False)
    start = [rng.normal(size=shape) / 2 for shape in pairs]
    problem = flow, data, start, Fraction(1, 4)  # Python's integers are slow
    first = precise(*problem, digits=16)
    second = precise(*problem, digits=16, arithmetic=Mpmath())
    scale = max(abs(w).max() for w in first.weights)
    assert (
        distance(first.weights, second.weights)
        < 2 * scale * first.context.mpf(10) ** -16
    )


@pytest.mark.parametrize(
    ("network", "shapes"),
    [
        (sf.DiagonalNetwork(3, depth=2), [(3, 1)] * 2),
        (sf.DiagonalNetwork(3, depth=3, signed=True), [(3, 1)] * 6),
        (sf.ConvolutionalNetwork(3, filters=(2, 3)), [(2, 1), (3, 1)]),
        (sf.LinearNetwork(3, 2, 1), [(2, 3), (1, 2)]),
    ],
)
@pytest.mark.parametrize(
    "loss", [sf.SquaredLoss(), sf.ExponentialLoss(), sf.LogisticLoss()]
)
def test_other_networks_and_losses(network, shapes, loss):
    rng = np.random.default_rng(1)
    flow = sf.gradient_flow(network, loss)
    signs = [[1.0], [-1.0], [-1.0], [1.0], [1.0]]
    data = sf.Dataset(rng.normal(size=(5, 3)), np.array(signs))
    start = [rng.normal(size=shape) / 2 for shape in shapes]
    run = precise(flow, data, start, 1, digits=25)
    other = precise(flow, data, start, 1, digits=25, arithmetic=Mpmath())
    assert distance(run.weights, other.weights) < run.context.mpf(10) ** -24
    floats = sf.simulate(flow, data, start, 1)
    assert distance([w.astype(float) for w in run.weights], floats.weights) < 1e-8


@pytest.mark.parametrize(("size", "depth"), [(1, 2), (3, 2), (3, 3), (9, 2)])
def test_the_error_estimate_is_honest(size, depth):
    flow = sf.gradient_flow(sf.LinearNetwork(*[size] * (depth + 1)), sf.SquaredLoss())
    data, start = square(size, depth)
    run = precise(flow, data, start, [1, 2], digits=40)
    finer = precise(flow, data, start, [1, 2], digits=50)
    true = distance(finer.weights, run.weights)
    assert true <= run.error
    assert run.error <= 1e-40 * max(float(abs(w).max()) for w in run.weights)


def test_large_and_tiny_weights_keep_relative_digits():
    tiny = [[[1e-20]], [[1e-20]]]
    run = precise(SCALAR, sf.whitened([[2]]), tiny, [1, 30], digits=40)
    small = Fraction(1e-20)
    for time, w in zip(
        [Fraction(1), Fraction(30)], run.end_to_end.ravel(), strict=True
    ):
        mp = mpmath.MPContext()
        mp.dps = 120
        grown = mp.exp(4 * int(time))
        w0 = (mp.mpf(small.numerator) / small.denominator) ** 2
        true = 2 * w0 * grown / (2 + w0 * (grown - 1))
        assert abs(w / true - 1) < mp.mpf(10) ** -39
    large = precise(SCALAR, sf.whitened([[400.0]]), [[[90.0]], [[3.0]]], 1, digits=40)
    assert abs(large.end_to_end[0, 0, 0] - 400) < 1e-37


def test_a_saddle_is_left_alone_and_a_minimum_too():
    zero = [np.zeros((2, 2)), np.zeros((2, 2))]
    run = precise(DENSE, sf.whitened(np.eye(2)), zero, [0, 5])
    assert all((w == 0).all() for w in run.weights)
    there = precise(SCALAR, sf.whitened([[1]]), [[[1]], [[1]]], 1000)
    assert there.end_to_end[0, 0, 0] == 1
    assert there.stats["steps"] < 40


def test_dense_output_and_the_start():
    data, start = square(2, 2)
    run = precise(DENSE, data, start, [0, Fraction(1, 3), 2])
    assert (run.weights[0][0] == start[0]).all()
    once = precise(DENSE, data, start, Fraction(4, 3))
    assert distance(run.at(Fraction(4, 3)), [w[0] for w in once.weights]) < 1e-48
    assert distance(run.at(2), [w[-1] for w in run.weights]) < 1e-48


def test_global_precision_is_untouched():
    before = (mpmath.mp.prec, flint.ctx.prec, flint.ctx.cap)
    precise(SCALAR, sf.whitened([[2]]), HALF, 1, digits=80)
    precise(SCALAR, sf.whitened([[2]]), HALF, 1, digits=20, arithmetic=Mpmath())
    assert (mpmath.mp.prec, flint.ctx.prec, flint.ctx.cap) == before


def test_an_interrupted_run_continues_bit_for_bit():
    data, start = square(2, 2)
    whole = precise(DENSE, data, start, [1, 3])

    def stop(fraction):
        if fraction > 0.4:
            raise KeyboardInterrupt

    with pytest.raises(
        Interrupted, match=r"stopped by hand at t = .* resume=stop"
    ) as caught:
        precise(DENSE, data, start, [1, 3], progress=stop)
    partial = caught.value.partial
    assert 1 < partial.t[-1] < 3
    assert isinstance(caught.value, KeyboardInterrupt)
    rest = precise(DENSE, data, start, [1, 3], resume=caught.value)
    assert all((a == b).all() for a, b in zip(whole.weights, rest.weights, strict=True))
    with pytest.raises(sf.InvalidArgument, match="the flow, the times and the digits"):
        precise(DENSE, data, start, [1, 4], resume=caught.value)
    other = [2 * start[0], *start[1:]]
    for given_ in ((sf.whitened(np.eye(2)), start), (data, other)):
        with pytest.raises(sf.InvalidArgument, match="the data and the start"):
            precise(DENSE, *given_, [1, 3], resume=caught.value)


def test_progress_rises_to_one():
    seen = []
    precise(SCALAR, sf.whitened([[2]]), HALF, 2, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"t": [2, 1]}, r"precise\(t=…\).*1 comes after t\[0\] = 2"),
        ({"t": [-1]}, r"precise\(t=…\): the flow starts at t = 0; got the time -1"),
        ({"t": [float("nan")]}, r"precise\(t=…\): every time has to be finite"),
        ({"t": [1, sympy.oo]}, r"precise\(t=…\): every time has to be finite; got oo"),
        ({"t": sympy.sqrt(2)}, r"precise\(t=…\): times are .* rational; got sqrt\(2\)"),
        ({"digits": 0}, r"precise\(digits=…\): needs an integer .*; got 0"),
        ({"digits": 2.5}, r"precise\(digits=…\): needs an integer .*; got 2.5"),
        ({"digits": True}, r"precise\(digits=…\): needs an integer .*; got True"),
        ({"arithmetic": "flint"}, r"precise\(arithmetic=…\): needs Flint\(\)"),
        ({"resume": 3}, r"precise\(resume=…\): needs the Interrupted exception"),
        ({"data": 3}, "data: needs a Dataset or Moments"),
    ],
)
def test_bad_arguments_are_named(changes, message):
    given_ = {"data": sf.whitened([[2]]), "init": HALF, "t": 1} | changes
    with pytest.raises(sf.InvalidArgument, match=message):
        precise(SCALAR, **given_)


def test_digits_that_cannot_be_reached_are_refused(monkeypatch):
    monkeypatch.setattr(Run, "shortfall", lambda self: 7.0)
    with pytest.raises(
        sf.PrecisionLost, match=r"precise\(digits=50\).* only 47 digits"
    ):
        precise(SCALAR, sf.whitened([[2]]), HALF, 1)


@settings(max_examples=30, deadline=None)
@given(
    numbers=st.lists(st.integers(-(2**150), 2**150), min_size=9, max_size=9),
    whole=st.sampled_from([1, 2]),
)
def test_limbs_multiply_exactly_up_to_the_last_place(numbers, whole):
    form = Format(20, whole, whole + 9)
    engine = LimbPoint(form)
    scaled = [Fraction(n, 2**150) * 2 ** (12 * (whole - 1)) for n in numbers]
    array = np.array([sympy.Rational(x.numerator, x.denominator) for x in scaled])
    matrix = array.reshape(3, 3)
    lifted = engine.constant(matrix)
    exact = matrix @ matrix.T
    product = engine.matmul(lifted, engine.transpose(lifted))
    mp = mpmath.MPContext()
    mp.prec = 400
    for got, true in zip(engine.export(product, mp).flat, exact.flat, strict=True):
        gap = abs(got - mp.mpf(int(true.p)) / int(true.q))
        assert gap < mp.mpf(2) ** (-form.places + 8 + 12 * (whole - 1))


def test_blocks_sum_like_matrices():
    rng = np.random.default_rng(0)
    bits, shapes = 64, ((2, 3), (3, 2))
    blocks = BlockConvolution(*shapes, bits, 10 * BLOCK)
    plain = MatrixConvolution(*shapes, bits)
    for order in range(9 * BLOCK + 5):
        sizes = [2 ** max(1, 60 - order // 3)] * 2
        left, right = (
            FixedMatrix([flint.fmpz(int(x)) for x in rng.integers(-size, size, 6)], s)
            for size, s in zip(sizes, shapes, strict=True)
        )
        found, other = (kind.push(left, right).entries for kind in (blocks, plain))
        assert all(abs(a - b) <= 1 for a, b in zip(found, other, strict=True))
        assert order > 100 or found == other


def test_small_and_long_numbers_use_flint_integers():
    tiny = Flint().engine(Need(bits=200, order=60, inner=1, magnitude=1.0))
    long = Flint().engine(Need(bits=5000, order=60, inner=5, magnitude=1.0))
    assert type(tiny).__name__ == type(long).__name__ == "FixedPoint"


@settings(max_examples=40, deadline=None)
@given(depth=st.integers(2, 4), seed=st.integers(0, 10**6))
def test_the_one_sided_lipschitz_constant_bounds_the_jacobian(depth, seed):
    rng = np.random.default_rng(seed)
    widths = rng.integers(1, 4, size=depth + 1).tolist()
    flow = sf.gradient_flow(sf.LinearNetwork(*widths), sf.SquaredLoss(l2="1/3"))
    data = sf.Dataset(rng.normal(size=(4, widths[0])), rng.normal(size=(4, widths[-1])))
    shapes = list(zip(widths[1:], widths, strict=False))
    problem = bind(flow, data, [rng.normal(size=shape) for shape in shapes])
    sizes = np.cumsum([0, *(a * b for a, b in shapes)])
    state = np.concatenate([w.ravel() for w in problem.weights])

    def field(y):
        parts = [
            y[i:j].reshape(s) for i, j, s in zip(sizes, sizes[1:], shapes, strict=False)
        ]
        out = evaluate(rhs_program(flow), [*parts, *problem.arguments])
        return np.concatenate([block.ravel() for block in out])

    step = 1e-30j
    jacobian = np.array(
        [field(state + step * unit).imag / 1e-30 for unit in np.eye(len(state))]
    )
    total = problem.weights[0]
    for weight in problem.weights[1:]:
        total = weight @ total
    sigma_xx, sigma_yx = problem.arguments
    bound = lipschitz(list(problem.weights), sigma_yx - total @ sigma_xx, 1 / 3)
    assert np.linalg.eigvalsh(jacobian)[-1] <= bound + 1e-9


def test_a_narrow_network_is_expanded_in_a_cheaper_form_to_the_same_digits():
    from symflow.precision.cheapest import series_cost, series_program

    rng = np.random.default_rng(2)
    data = sf.Dataset(rng.normal(size=(40, 32)), rng.normal(size=(40, 32)))
    start = [rng.normal(size=(2, 32)) / 8, rng.normal(size=(32, 2)) / 8]
    problem = bind(DENSE, data, start)
    shapes = [array.shape for array in (*problem.weights, *problem.arguments)]
    plain, cheap = rhs_program(DENSE), series_program(problem)
    assert 4 * series_cost(cheap, shapes, 2) < series_cost(plain, shapes, 2)
    arrays = [*problem.weights, *problem.arguments]
    for one, other in zip(
        evaluate(plain, arrays), evaluate(cheap, arrays), strict=True
    ):
        assert np.allclose(one, other, rtol=1e-11)
    run = precise(DENSE, data, start, Fraction(1, 4), digits=30)
    ball = sf.enclose(DENSE, data, start, Fraction(1, 4), digits=25)
    assert ball.contains([w[-1] for w in run.weights])


@pytest.mark.parametrize("verb", [sf.precise, sf.enclose])
def test_a_time_out_of_reach_is_refused_at_once(verb):
    with pytest.raises(sf.IntegrationFailed, match="steps away"):
        verb(SCALAR, sf.whitened([[2]]), HALF, 10**7, digits=30)
    settled = verb(SCALAR, sf.whitened([[2]]), HALF, 200, digits=30)
    assert abs(float(settled.end_to_end[-1, 0, 0]) - 2) < 1e-15


@pytest.mark.parametrize(("verb", "power"), [(sf.precise, 400), (sf.enclose, 30)])
def test_a_weight_beyond_all_products_is_carried(verb, power):
    # the second coordinate never moves: two of its layers are zero
    flow = sf.gradient_flow(sf.DiagonalNetwork(2, depth=3), sf.SquaredLoss())
    data = sf.Moments([[2, 0], [0, 0]], [[2, 0]])
    start = ([[1], [5 * 10**8]], [[Fraction(1, 2)], [0]], [[2], [3 * 10**8]])
    run = verb(flow, data, start, Fraction(1, 10**power), digits=20)
    assert [float(w[-1, 1, 0]) for w in run.weights] == [5e8, 0, 3e8]


@pytest.mark.parametrize("widths", [(40, 2, 40), ("d", "h", "m")])
def test_the_cheapest_program_of_a_wide_network_keeps_its_learning_rates(widths):
    """Written out for SciPy: Ẇ₁ = W₂ᵀF and Ẇ₂ = 3FW₁ᵀ with F = S − W₂W₁."""
    rng, target = np.random.default_rng(0), np.diag(np.linspace(2.0, 0.1, 40))
    first, second = (rng.normal(scale=0.2, size=shape) for shape in ((2, 40), (40, 2)))

    def field(_, state):
        a, b = state[:80].reshape(2, 40), state[80:].reshape(40, 2)
        force = target - b @ a
        return np.concatenate([(b.T @ force).ravel(), (3 * force @ a.T).ravel()])

    start = np.concatenate([first.ravel(), second.ravel()])
    true = solve_ivp(field, (0, 1), start, "DOP853", rtol=1e-12, atol=1e-13).y[:, -1]
    flow = sf.gradient_flow(
        sf.LinearNetwork(*widths), sf.SquaredLoss(), learning_rates=(1, 3)
    )
    run = sf.precise(flow, sf.whitened(target), (first, second), 1, digits=15)
    found = np.concatenate([weight[-1].ravel() for weight in run.weights])
    assert found.astype(float) == pytest.approx(true, abs=1e-11)


@pytest.mark.parametrize("falling", [0, 1, 3])
def test_long_products_leave_out_only_what_is_rounded_away(falling):
    """Also where both factors are noise, −1 and 0, which leaves nothing to cut."""
    order, bits, draw = 170, 900, random.Random(7)
    left, right = [], []
    for shape, series in (((2, 3), left), ((3, 1), right)):
        for k in range(order + 1):
            size = max(2, bits - falling * k * bits // order)
            numbers = [draw.getrandbits(size) - (1 << size - 1) for _ in range(6)]
            entries = list(map(flint.fmpz, numbers[: shape[0] * shape[1]]))
            series.append(FixedMatrix(entries, shape))
    product = BlockConvolution((2, 3), (3, 1), bits, order)
    found = [product.push(a, b).entries for a, b in zip(left, right, strict=True)]
    for k in range(order + 1):
        for row in range(2):
            exact = sum(
                int(left[i].entries[3 * row + m]) * int(right[k - i].entries[m])
                for i in range(k + 1)
                for m in range(3)
            )
            # rounded down, and moved by at most 1/256 before
            rest = Fraction(exact, 1 << bits) - int(found[k][row])
            assert Fraction(-1, 256) <= rest < 1 + Fraction(1, 256)
