"""Every public object shows itself: short, readable, as mathematics where it is one."""

from __future__ import annotations

import inspect
import re
from dataclasses import replace
from enum import Enum
from functools import cache
from typing import Any

import numpy as np
import pytest
import sympy

import symflow as sf
from symflow.algebra.display import (
    LONGEST_TEXT,
    MOST_ROWS,
    Listed,
    Sheet,
    markdown_table,
)
from symflow.algebra.nodes import Leaf
from symflow.algebra.typeset import latex
from symflow.convergence import attempts
from symflow.solutions.derivation import Step

NET = sf.LinearNetwork(2, 3, 2)
FLOW = sf.gradient_flow(NET, sf.SquaredLoss())
DATA = sf.whitened([[3, 1], [1, 2]])
START = sf.spectral_init(0.1)
MATRIX = sympy.MatrixSymbol("W", 2, 2)
RATIONAL = ([[2, 0], [0, 1], [0, 0]], [[1, 0, 0], [0, 1, 0]])


@cache
def run() -> sf.Trajectory:
    return sf.simulate(FLOW, DATA, START, [0, 1])


@cache
def ball() -> sf.Enclosure:
    return sf.enclose(FLOW, DATA, RATIONAL, [1], digits=20)


@cache
def ensemble() -> sf.Ensemble:
    starts = tuple(np.stack([weight[0]] * 2) for weight in run().weights)
    return sf.ensemble(FLOW, DATA, starts, [0, 1])


@cache
def bias() -> Any:
    flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.SquaredLoss())
    start = ([[3.0, 4.0], [0.0, 0.0]], [[1.0, 0.0]])
    return sf.implicit_bias(flow, sf.Dataset([[3.0, 4.0]], [10.0]), start)


@cache
def report() -> sf.Report:
    return sf.validate([*sf.conserved(FLOW), sf.solve(FLOW, DATA, START)], run())


#: An instance of every class on the contents page.
EXAMPLES: dict[str, Any] = {
    "Bound": lambda: attempts(FLOW, DATA, RATIONAL)[2],
    "BoundKernel": lambda: sf.compile(FLOW, DATA),
    "CKernel": None,  # needs a C compiler
    "Certificate": lambda: sf.certify(sf.conserved(FLOW)[0], ball()),
    "CrossCheck": lambda: sf.crosscheck(FLOW, DATA, RATIONAL, 0, digits=10),
    "Circulant": lambda: sf.Circulant(5, 2),
    "Claim": lambda: sf.conserved(FLOW)[0],
    "CustomLoss": lambda: sf.CustomLoss(sympy.Trace(MATRIX.T * MATRIX) ** 2),
    "DOP853": sf.DOP853,
    "Dataset": lambda: sf.load_dataset("diabetes"),
    "Dense": lambda: sf.Dense(2, 3),
    "Diagonal": lambda: sf.Diagonal(2),
    "Enclosure": lambda: ball(),
    "Ensemble": ensemble,
    "Event": lambda: sf.LossBelow(0.1),
    "ExponentialLoss": sf.ExponentialLoss,
    "Flint": sf.Flint,
    "GaussLegendre": sf.GaussLegendre,
    "GradientDescent": lambda: sf.gradient_descent(NET, sf.SquaredLoss()),
    "GradientFlow": lambda: FLOW,
    "HadamardDifference": lambda: sf.HadamardDifference(3),
    "HeavyBall": lambda: sf.heavy_ball(NET, sf.SquaredLoss()),
    "Hypothesis": lambda: sf.solve(FLOW, DATA, START).hypotheses[0],
    "Init": lambda: sf.gaussian_init(0.1, rng=0),
    "Kernel": lambda: sf.compile(FLOW),
    "LogisticLoss": sf.LogisticLoss,
    "Loss": lambda: sf.SquaredLoss(l2="lambda"),
    "LossBelow": lambda: sf.LossBelow(0.1),
    "ModeCrosses": lambda: sf.ModeCrosses(1, 0.5),
    "Moments": lambda: DATA,
    "Mpmath": sf.Mpmath,
    "Network": lambda: sf.Network(sf.Diagonal(3), sf.Dense(3, 1)),
    "PolynomialSearch": lambda: sf.PolynomialSearch(2),
    "Explorer": lambda: sf.explore(FLOW, DATA),
    "ProgressBar": lambda: sf.ProgressBar("flow"),
    "Program": lambda: sf.compile(FLOW).program,
    "Radau": sf.Radau,
    "Readout": lambda: sf.Readout(3),
    "Reference": lambda: sf.solve(FLOW, DATA, START).reference,
    "Report": report,
    "ScipyFlow": lambda: sf.to_scipy(FLOW, DATA),
    "Solution": lambda: sf.solve(FLOW, DATA, START),
    "SolutionKernel": lambda: sf.compile(sf.solve(FLOW, DATA, START)),
    "SquaredLoss": sf.SquaredLoss,
    "Sweep": lambda: sf.Sweep(ensemble()),
    "SymmetricFactorization": lambda: sf.SymmetricFactorization(3, 2),
    "Taylor": sf.Taylor,
    "TensorNetwork": lambda: sf.TensorNetwork(np.eye(2, dtype=int)),
    "Trajectory": run,
}

#: What public functions return, and no class on the contents page names.
RESULTS: dict[str, Any] = {
    "conserved": lambda: sf.conserved(FLOW),
    "count": lambda: sf.count_conserved(NET),
    "decaying law": lambda: sf.conserved(sf.gradient_flow(NET, sf.SquaredLoss(l2=1)))[
        0
    ],
    "proof": lambda: sf.conserved(FLOW)[0].proof(),
    "derivation": lambda: sf.solve(FLOW, DATA, START).derivation(),
    "rates": lambda: sf.rates(FLOW, DATA, RATIONAL),
    "prediction": bias,
    "companion": lambda: sf.companions(FLOW, DATA, START)[0],
    "companions": lambda: sf.companions(FLOW, DATA, START),
    "counterexample": lambda: sf.claim(FLOW, conserved=FLOW.state[0]).counterexample,
    "convolution": lambda: sf.ConvolutionalNetwork(5, filters=(2, 5)),
    "end-to-end flow": lambda: FLOW.end_to_end,
    "atlas": lambda: sf.atlas("erratum"),
}

ALL = {name: make for name, make in {**EXAMPLES, **RESULTS}.items() if make}

#: Mathematics, or facts worth a table: they show more than text in a notebook.
RICH = {
    *("Bound", "Claim", "Dataset", "Enclosure", "Ensemble", "GradientDescent"),
    *("GradientFlow", "Kernel", "LogisticLoss", "Loss", "Moments", "Network", "Report"),
    *("Solution", "SquaredLoss", "Sweep", "TensorNetwork", "Trajectory", "atlas"),
    *("companion", "convolution", "count", "decaying law", "end-to-end flow"),
    *("prediction", "rates", "CustomLoss", "ExponentialLoss", "HadamardDifference"),
    *("SymmetricFactorization", "HeavyBall", "companions", "counterexample"),
}


def rich(thing: Any) -> str:
    """Return what Jupyter would prefer to show."""
    for kind in ("_repr_html_", "_repr_markdown_", "_repr_latex_"):
        if hasattr(thing, kind):
            return str(getattr(thing, kind)())
    return ""


def test_every_public_class_is_looked_at() -> None:
    """Those without an example here at least do not fall back to Python's repr."""
    for name in set(sf.__all__) - set(EXAMPLES):
        thing = getattr(sf, name)
        if inspect.isclass(thing) and not issubclass(thing, (BaseException, Enum)):
            shown = inspect.isabstract(thing) or thing.__repr__ is not object.__repr__
            assert shown, f"show an example of {name}"


@pytest.mark.parametrize("name", ALL)
def test_the_text_is_short_and_readable(name: str) -> None:
    text = repr(ALL[name]())
    assert not re.search(r"object at 0x|dtype=object|Eq\(|Le\(|nodes=", text)
    assert "MatrixSymbol" not in text
    lines = text.splitlines()
    assert 1 <= len(lines) <= 60
    assert max(map(len, lines)) <= 360


@pytest.mark.parametrize("name", sorted(RICH))
def test_mathematics_and_facts_are_rich_in_a_notebook(name: str) -> None:
    shown = rich(ALL[name]())
    assert shown
    assert len(shown) < 20_000
    assert shown.count("$$") % 2 == 0
    for table in re.findall(r"(?:^\|.*\|$\n?)+", shown, re.M):
        bars = {len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}
        assert len(bars) == 1, table


def test_text_and_notebook_show_the_hypotheses_and_the_formula() -> None:
    solution = sf.solve(FLOW, DATA, START)
    for shown in (repr(solution), solution._repr_markdown_()):
        assert "balanced initialization" in shown
        assert "Saxe et al. 2014" in shown
    assert "w(t) = w₀/(λ*w₀" in repr(solution)
    assert r"$$\displaystyle w{\left(t \right)} = \frac" in solution._repr_markdown_()


def test_a_report_begins_with_its_verdict() -> None:
    assert repr(report()).splitlines()[0] == "all 2 checks hold"
    assert report()._repr_markdown_().startswith("**all 2 checks hold**")


def test_proofs_derivations_and_equations_are_numbered_with_reason_and_mark() -> None:
    law = sf.conserved(FLOW)[0]
    proof = law.proof()
    assert repr(proof).splitlines()[0] == (
        "  1. Ẇ₁ = W₂ᵀF    [chain rule, F = −∂ℓ/∂W] ✓"
    )
    first = proof._repr_markdown_().splitlines()[0]
    assert first.startswith(r"1. $\displaystyle \dot{W}_{1} = W_{2}^{T} F$")
    assert first.endswith("chain rule, F = −∂ℓ/∂W &emsp; ✓")
    assert "chain rule" in proof[0]._repr_latex_()
    steps = sf.solve(FLOW, DATA, START).derivation()
    assert repr(steps).splitlines()[-1].startswith(f"  {len(steps)}. so that: w(t)")
    assert "(definition)" in steps._repr_markdown_().splitlines()[0]
    assert steps._repr_markdown_().splitlines()[-1].endswith("$ ✓")
    assert repr(FLOW.equations).splitlines()[0] == "  1. Ẇ₁ = W₂ᵀ(Σ_yx − W₂W₁Σ_xx)"
    assert FLOW.equations == tuple(FLOW.equations)
    hypotheses = sf.solve(FLOW, DATA, START).hypotheses
    assert "3. balanced initialization: ok" in hypotheses._repr_markdown_()
    identities = sf.rates(FLOW, DATA, RATIONAL)[0].proof()
    assert repr(identities).count("✓") == len(identities) > 0


def test_a_step_that_does_not_check_has_no_mark() -> None:
    x, y = sympy.symbols("x y")
    step = Step("pigs fly", sympy.Eq(x, y), x - y)
    for shown in (repr(Listed([step])), step._repr_markdown_()):
        assert "not proved" in shown
        assert "✓" not in shown
    right = sf.conserved(FLOW)[0].proof()[0]
    wrong = replace(right, nodes=(Leaf(MATRIX),))
    assert "NOT CONFIRMED" in wrong._repr_markdown_()
    assert "✓" not in repr(Listed([wrong]))


def test_rates_are_mathematics_in_a_notebook() -> None:
    decaying = sf.gradient_flow(NET, sf.SquaredLoss(l2="lambda"))
    laws = sf.conserved(decaying)
    assert "decays as e^(−2λt)" in repr(laws[0])
    for shown in (laws[0]._repr_markdown_(), laws._repr_markdown_()):
        assert r"decays as $e^{- 2 \lambda t}$" in shown
    assert "$e^{-" in sf.rates(FLOW, DATA, RATIONAL)._repr_markdown_()


def test_latex_has_the_order_of_the_terminal_and_weights_after_a_step() -> None:
    decaying = sf.gradient_flow(NET, sf.SquaredLoss(l2="lambda"))
    terms = (
        "W_{2} W_{1} \\Sigma_{xx} W",
        "Sigma_{yy}",
        "W_{1}^{T} W_{1}",
        "Sigma_{yx}",
    )
    places = [latex(decaying.potential).index(term) for term in terms]
    assert places == sorted(places)
    _, decay = latex(decaying.rhs[0]).split(" - \\lambda ")
    assert decay == "W_{1}"
    descent = sf.gradient_descent(NET, sf.SquaredLoss())
    assert "W_{2}^{+} &= W_{2} + \\eta" in descent._repr_latex_()
    assert "next" not in descent._repr_latex_() + repr(descent.equations)
    for shown in (descent, decaying, decaying.end_to_end, *sf.conserved(decaying)):
        body = sympy.latex(shown)
        assert shown._repr_latex_() == rf"$\displaystyle {body}$"


def test_entries_are_a_table_at_the_networks_own_widths() -> None:
    table = FLOW.entries()
    assert table == FLOW.entries((2, 3, 2))
    first, second, sigma_xx, sigma_yx = table.matrices.values()
    assert table.state == (*first, *second)
    assert sigma_xx == sigma_xx.T
    total = second * first
    loss = (total * sigma_xx * total.T / 2 - total * sigma_yx.T).trace()
    assert all(
        sympy.expand(sympy.diff(loss, entry) + rate) == 0
        for entry, rate in table.items()
    )
    shown = table._repr_markdown_()
    assert shown.startswith("**12 scalar equations**")
    assert len(shown.splitlines()) == 4 + 12
    symbolic = sf.gradient_flow(sf.LinearNetwork("d", 2, 1), sf.SquaredLoss())
    with pytest.raises(sf.InvalidArgument, match=r"flow\.at\(d=3, h=2, m=1\)"):
        symbolic.entries()
    assert symbolic.at(d=3).entries() == symbolic.entries((3, 2, 1))
    with pytest.raises(sf.UnknownName, match=r"entries\[0\]: no such entry; they are"):
        table[0]


def test_a_claim_that_is_settled_is_not_headed_asserted() -> None:
    first, second = FLOW.state
    true = sf.claim(FLOW, conserved=second.T * second - first * first.T)
    false = sf.claim(FLOW, conserved=second.T * second + first * first.T)
    for claim, said in ((true, "proved"), (false, "refuted")):
        title = claim._repr_markdown_().splitlines()[0]
        assert said in title
        assert "asserted" not in title


def test_a_semidefinite_matrix_shows_no_negative_eigenvalue() -> None:
    inputs = np.outer(np.arange(1.0, 6.0), [1.0, 2.0, 3.0])
    moments = sf.Dataset(inputs, inputs[:, :1]).moments()
    assert np.linalg.eigvalsh(moments.sigma_xx)[0] != 0
    assert "eigenvalues 0 … 154" in repr(moments)


def test_a_start_without_a_rate_says_that_nothing_bounds_its_kernel() -> None:
    kind = sf.regime(FLOW, DATA, sf.spectral_init(0.01))
    for shown in (repr(kind), kind._repr_markdown_()):
        assert "no rate is guaranteed" in shown
        assert "inf" not in shown.replace("information", "")


def test_a_refusal_shows_what_fails() -> None:
    refusal = attempts(FLOW, DATA, RATIONAL)[4]
    assert "does not apply" in repr(refusal)
    assert "FAILS" in repr(refusal)


def test_long_formulas_are_cut_and_say_where_the_whole_is() -> None:
    terms = sympy.Add(*(sympy.Symbol(f"x{k}") ** k for k in range(400)))
    sheet = Sheet("Long", formulas=(sympy.Eq(sympy.Symbol("y"), terms),), whole=".expr")
    for shown in (sheet.text(), sheet.markdown()):
        assert len(shown) < LONGEST_TEXT + 120
        assert "more characters; all of it is in .expr)" in shown


def test_long_tables_are_cut_and_say_how_much_is_missing() -> None:
    rows = tuple((str(k), "x") for k in range(MOST_ROWS + 7))
    sheet = Sheet("Long", rows=rows, header=("k", "x"))
    assert sheet.text().splitlines()[-1].strip() == "… and 7 more rows"
    assert sheet.markdown().count("\n| ") == MOST_ROWS + 2


def test_deep_networks_are_shown_briefly() -> None:
    net = sf.LinearNetwork(*[2] * 40)
    assert len(net._repr_markdown_()) < 8_000
    assert len(sf.gradient_flow(net, sf.SquaredLoss())._repr_latex_()) < 2_000


def test_bars_in_cells_do_not_split_a_table() -> None:
    assert markdown_table(["a"], [["max|W|"]]).endswith(r"| max\|W\| |")
