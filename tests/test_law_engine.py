"""The engine of laws, on models of every kind: against counts and derivatives."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import pytest
import sympy
from test_laws import NETWORKS

import symflow as sf
from symflow.algebra import entrywise, inline
from symflow.algebra.elementwise import IdentityNode, hadamard
from symflow.algebra.embeddings import diag
from symflow.algebra.nodes import Leaf, Node, add, product, subtract, transpose
from symflow.claims import Status
from symflow.conservation.symmetries import Pace, symmetries
from symflow.networks import Parametrization


@dataclass(frozen=True)
class Polynomial(Parametrization):
    """A model given by its polynomial."""

    matrix: Node
    symbols: tuple[sympy.MatrixSymbol, ...]

    @property
    def parameters(self):
        return self.symbols

    @property
    def end_to_end_node(self):
        return self.matrix

    @property
    def widths(self):
        rows, columns = self.matrix.shape
        return tuple(
            int(n) if n.is_Integer else n for n in map(sympy.sympify, (columns, rows))
        )


def letters(**shapes):
    return [Leaf(sympy.MatrixSymbol(name, *shape)) for name, shape in shapes.items()]


def model(node, *leaves):
    return Polynomial(node, tuple(leaf.symbol for leaf in leaves))


def repeated(d, h):
    V, R, U = letters(V=(d, h), R=(h, h), U=(h, d))
    return model(product(V, R, R, U), V, R, U)


def parallel(d, h):
    A1, A2, B1, B2 = letters(A1=(h, d), A2=(d, h), B1=(h, d), B2=(d, h))
    return model(add(product(A2, A1), product(B2, B1)), A1, A2, B1, B2)


def low_rank(d, r):
    W0, A, B = letters(W0=(d, d), A=(r, d), B=(d, r))
    return model(add(W0, product(B, A)), A, B)


def residual(d, h):
    W1, W2, W3 = letters(W1=(h, d), W2=(h, h), W3=(d, h))
    return model(product(W3, add(IdentityNode(h), W2), W1), W1, W2, W3)


def difference(d, h):
    U, V = letters(U=(d, h), V=(d, h))
    node = subtract(product(U, transpose(U)), product(V, transpose(V)))
    return model(node, U, V)


def tied(d, h):
    (U,) = letters(U=(h, d))
    return model(product(transpose(U), U), U)


def with_diagonal(d, h):
    U, V, w = letters(U=(d, h), V=(d, h), w=(d, 1))
    return model(add(product(U, transpose(V)), diag(w)), U, V, w)


def entrywise_product(d, h):
    A, B = letters(A=(d, h), B=(d, h))
    return model(hadamard(A, B), A, B)


def unused(d, h):
    W1, W2, Z = letters(W1=(h, d), W2=(d, h), Z=(d, h))
    return model(product(W2, W1), W1, W2, Z)


def sandwiched(d, h):
    U, V = letters(U=(d, h), V=(h, h))
    return model(product(U, V, transpose(U)), U, V)


def tied_layers(d, h):
    """Five layers, of which the second and the fourth are one."""
    A, B, C, D = letters(A=(h, d), B=(h, h), C=(h, h), D=(d, h))
    return model(product(D, B, C, B, A), A, B, C, D)


#: Formulas of the laws, and how many are independent and known at widths 2 and 2.
MODELS = {
    repeated: (["2·tr(UᵀU) − tr(RᵀR)", "RᵀR + VᵀV − RRᵀ − UUᵀ"], 4, 4),
    parallel: (["A₂ᵀA₂ − A₁A₁ᵀ", "B₂ᵀB₂ − B₁B₁ᵀ", "A₂ᵀB₂ − A₁B₁ᵀ"], 10, 10),
    low_rank: (["BᵀB − AAᵀ"], 3, 3),
    residual: (["W₂ + W₂ᵀ + W₂ᵀW₂ − W₁W₁ᵀ", "W₃ᵀW₃ − (W₂ + W₂ᵀ) − W₂W₂ᵀ"], 6, 6),
    difference: (["UᵀV"], 4, 4),
    tied: ([], 0, 0),
    with_diagonal: (["VᵀV − UᵀU"], 3, 3),
    entrywise_product: (["B∘B − (A∘A)"], 4, 4),
    unused: (["W₂ᵀW₂ − W₁W₁ᵀ", "Z"], 7, 7),
    sandwiched: (["UᵀU − VVᵀ − VᵀV"], 3, 3),
}
BOTH = pytest.mark.parametrize("make", MODELS, ids=lambda make: make.__name__)
WIDTHS = sympy.symbols("d h", integer=True, positive=True)


def flow_of(network, l2=0, **options):
    return sf.gradient_flow(network, sf.SquaredLoss(l2=l2), **options)


def entries_of(expr):
    found = entrywise(expr)
    return list(found) if isinstance(found, sympy.MatrixBase) else [found]


def derivatives(law, rng):
    """∇Q · η(dW)ᵀF entry by entry, F of random integers: a route without words."""
    flow = law.flow
    W = entrywise(flow.network.end_to_end)
    F = [int(k) for k in rng.integers(-9, 10, len(W))]
    pulled = sympy.expand(sum(f * w for f, w in zip(F, W, strict=True)))
    etas = {
        entry: flow.speed(place)
        for place, symbol in enumerate(flow.state)
        for entry in entries_of(symbol)
    }
    for entry in entries_of(law.expr):
        yield sympy.expand(
            sum(eta * entry.diff(x) * pulled.diff(x) for x, eta in etas.items())
        )


@BOTH
def test_laws_of_models_for_every_width(make):
    laws = sf.conserved(flow_of(make(*WIDTHS)))
    assert [inline(law.expr) for law in laws] == MODELS[make][0]
    assert (laws.independent, laws.known, laws.missing) == (None, None, None)
    for law in laws:
        assert law.status is Status.PROVED
        assert all(step.check() for step in law.proof())


def test_models_written_as_formulas_have_their_laws():
    d, h = WIDTHS
    V, R, U = (
        sympy.MatrixSymbol(name, *shape)
        for name, shape in {"V": (d, h), "R": (h, h), "U": (h, d)}.items()
    )
    laws = sf.conserved(flow_of(sf.Model(V * R * R * U, (V, R, U))))
    assert [inline(law.expr) for law in laws] == MODELS[repeated][0]
    assert all(law.status is Status.PROVED for law in laws)


@BOTH
def test_laws_of_models_are_counted(make):
    formulas, independent, known = MODELS[make]
    laws = sf.conserved(flow_of(make(2, 2)))
    assert [inline(law.expr) for law in laws] == formulas
    assert (laws.independent, laws.known) == (independent, known)
    assert laws.missing == independent - known


@BOTH
@pytest.mark.parametrize("size", [(1, 1), (2, 1), (2, 2)], ids=str)
def test_laws_of_models_entry_by_entry(make, size, rng):
    for law in sf.conserved(flow_of(make(*size))):
        assert list(derivatives(law, rng)) == [0] * len(entries_of(law.expr))


@pytest.mark.parametrize("make", [sandwiched, difference, with_diagonal])
def test_no_quadratic_law_is_missed(make):
    """The search finds all quadratic polynomials of entries, by linear algebra too."""
    flow = flow_of(make(2, 2))
    laws = sf.conserved(flow)
    variables = [x for symbol in flow.state for x in entries_of(symbol)]
    polynomials = [sympy.Poly(e, *variables) for x in laws for e in entries_of(x.expr)]
    monomials = sorted({m for p in polynomials for m in p.monoms()})
    rows = [[p.coeff_monomial(m) for m in monomials] for p in polynomials]
    searched = sf.conserved(flow, search=sf.PolynomialSearch(degree=2))
    assert sympy.Matrix(rows).rank() == len(searched)


@pytest.mark.parametrize("make", [repeated, parallel, sandwiched, entrywise_product])
def test_models_drift_below_forty_digits(make, rng):
    flow = flow_of(make(2, 2))
    start = [
        [[Fraction(int(k), 7) for k in row] for row in rng.integers(-6, 7, w.shape)]
        for w in flow.state
    ]
    data = sf.Moments(np.eye(2), np.array([[1, -2], [3, 1]]))
    run = sf.precise(flow, data, start, [0, Fraction(1, 8)], digits=45)
    assert max(abs(x) for w in run.weights for x in (w[1] - w[0]).flat) > 1e-3
    for law in sf.conserved(flow):
        assert max(law.residuals(run)) < 1e-40


def test_degenerate_chains():
    for widths in [(1, 1, 1), (2, 2, 2), (1, 2, 1), (3, 1, 3)]:
        laws = sf.conserved(flow_of(sf.LinearNetwork(*widths)))
        assert [inline(law.expr) for law in laws] == ["W₂ᵀW₂ − W₁W₁ᵀ"]
        assert laws.missing == 0
    assert sf.conserved(flow_of(sf.LinearNetwork(2, 2))) == []
    deep = sf.conserved(flow_of(sf.LinearNetwork(*"abcdef")))
    assert [law.name for law in deep] == [f"imbalance Δ{k}" for k in range(1, 5)]
    for law in sf.conserved(flow_of(sf.LinearNetwork(1, 1, 1, 1, 1, 1))):
        assert law.status is Status.PROVED


def test_tied_layers_share_their_laws(rng):
    laws = sf.conserved(flow_of(tied_layers(1, 2)))
    assert [inline(law.expr) for law in laws] == [
        "BᵀB − AAᵀ − CCᵀ",
        "tr(CᵀC) − tr(AᵀA)",
        "CᵀC + DᵀD − BBᵀ",
    ]
    assert all(set(derivatives(law, rng)) == {0} for law in laws)
    assert (laws.independent, laws.known, laws.missing) == (11, 7, 4)


def test_weight_decay_keeps_what_decays_alike():
    """W₂ + W₂ᵀ decays at λ and the squares at 2λ: only the sum of both laws is left."""
    (law,) = sf.conserved(flow_of(residual(*WIDTHS), l2="kappa"))
    assert inline(law.expr) == "W₂ᵀW₂ + W₃ᵀW₃ − W₁W₁ᵀ − W₂W₂ᵀ"
    assert str(law).endswith("decays as e^(−2κt)")
    assert all(step.check() for step in law.proof())
    frozen = sf.conserved(flow_of(unused(*WIDTHS), l2=3))[-1]
    assert (frozen.degree, frozen.rate) == (1, 3)
    decays = sympy.symbols("a a b")
    pace = Pace(sf.LinearNetwork("d", "h", "k", "m"), (sympy.S.One,) * 3, decays)
    (shared,) = symmetries(pace)
    assert [term.first[0].name for term, _ in shared] == ["W1", "W2"]


def test_learning_rates_weigh_the_laws(rng):
    rates = [sympy.Rational(k, 3) for k in (1, 2, 1, 5)]
    laws = sf.conserved(flow_of(parallel(2, 2), learning_rates=rates))
    assert [len(law.involved) for law in laws] == [2, 2]  # the crossed law is lost
    assert laws.independent is None
    for law in laws:
        assert set(derivatives(law, rng)) == {0}
    alike = sf.conserved(flow_of(parallel(2, 2), learning_rates=[3, 2, 3, 2]))
    assert inline(alike[-1].expr) == "1/2·A₂ᵀB₂ − 1/3·A₁B₁ᵀ"


@pytest.mark.parametrize("make", [parallel, entrywise_product, residual])
def test_a_false_law_is_refused(make):
    law = sf.conserved(flow_of(make(*WIDTHS)))[0]
    (key, value), *rest = law.combination
    false = replace(law, combination=((key, 2 * value), *rest))
    with pytest.raises(ArithmeticError, match="not an identity"):
        false.proof()


def test_rotations_of_models_are_momenta():
    laws = sf.conserved(sf.heavy_ball(parallel(*WIDTHS), sf.SquaredLoss(l2="k")))
    assert len(laws) == 3
    assert all(law.status is Status.PROVED for law in laws)
    count = sf.count_conserved(sf.heavy_ball(parallel(2, 1), sf.SquaredLoss()))
    assert count.missing == 0


def test_what_is_conserved_is_a_sequence():
    laws = sf.conserved(flow_of(sf.LinearNetwork(1, 2, 2, 1)))
    assert (len(laws), laws.independent, laws.known, laws.missing) == (2, 7, 6, 1)
    assert laws[:1] == [laws[0]]
    assert laws[-1] in laws
    assert laws == list(laws)
    assert laws + laws == [*laws, *laws]
    assert repr(laws).splitlines()[0] == "2 conserved quantities"
    none = sf.conserved(flow_of(tied(2, 3)))
    assert not none
    assert repr(none) == (
        "none of first or second degree; 2 independent laws exist at these widths"
    )


def test_laws_of_before_are_all_found():
    """Names and formulas of the laws that special files once stated."""
    for name, stated in CATALOGUE.items():
        laws = sf.conserved(flow_of(NETWORKS[name]))
        found = [f"{law.name}: {inline(law.expr)}" for law in laws]
        assert [line for line in found if line in stated] == stated
    crossed = [law.expr for law in sf.conserved(flow_of(NETWORKS["signed"]))[2:]]
    u1, u2, v1, v2 = NETWORKS["signed"].parameters
    product_of_sums = sympy.HadamardProduct(u1 + u2, v1 + v2)
    gap = entrywise(sympy.MatAdd(*crossed)) - entrywise(product_of_sums)
    assert gap.expand().is_zero_matrix


CATALOGUE = {
    "three layers": ["imbalance Δ1: W₂ᵀW₂ − W₁W₁ᵀ", "imbalance Δ2: W₃ᵀW₃ − W₂W₂ᵀ"],
    "dense, diagonal": [
        "squares Δ1: w₂∘w₂ − diag(W₁W₁ᵀ)",
        "squares Δ2: diag(W₃ᵀW₃) − (w₂∘w₂)",
    ],
    "dense, circulant": [
        "autocorrelations Δ1: circ(w₂)w₂ − sums(W₁W₁ᵀ)",
        "autocorrelations Δ2: sums(W₃ᵀW₃) − circ(w₂)w₂",
    ],
    "mixed": [
        "norms Δ1: tr(w₂ᵀw₂) − tr(w₁ᵀw₁)",
        "norms Δ2: tr(w₃ᵀw₃) − tr(w₂ᵀw₂)",
        "norms Δ3: tr(W₄ᵀW₄) − tr(w₃ᵀw₃)",
    ],
    "dense readout": ["imbalance Δ1: w₂w₂ᵀ − W₁W₁ᵀ"],
    "diagonal": ["squares Δ1: w₂∘w₂ − (w₁∘w₁)", "squares Δ2: w₃∘w₃ − (w₂∘w₂)"],
    "signed": ["u1, u2: u₂∘u₂ − (u₁∘u₁)", "v1, v2: v₂∘v₂ − (v₁∘v₁)"],
    "signed, deep": [
        "u1, u2: u₂∘u₂ − (u₁∘u₁)",
        "u2, u3: u₃∘u₃ − (u₂∘u₂)",
        "v1, v2: v₂∘v₂ − (v₁∘v₁)",
        "v2, v3: v₃∘v₃ − (v₂∘v₂)",
    ],
    "convolution": [
        "autocorrelations Δ1: circ(w₂)w₂ − circ(w₁)w₁",
        "autocorrelations Δ2: circ(w₃)w₃ − circ(w₂)w₂",
    ],
    "filters": ["norms Δ1: tr(w₂ᵀw₂) − tr(w₁ᵀw₁)"],
    "squares": ["u, v: u∘v"],
    "row space": ["row space of U: Uᵀ(UUᵀ)⁻¹U"],
    "tensor": ["v1, v2: tr(v₂ᵀv₂) − tr(v₁ᵀv₁)", "v2, v3: tr(v₃ᵀv₃) − tr(v₂ᵀv₂)"],
}
