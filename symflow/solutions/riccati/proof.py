"""The Riccati formula as SymPy, and what proves it."""

from __future__ import annotations

import sympy

KAPPA = sympy.Symbol("kappa", positive=True)


def gram_formula(size: int, hidden: int) -> sympy.MatrixExpr:
    """Return P in Q₀, κ, E = e^{Ft} and Phi = ∫₀ᵗ e^{2Fs}ds."""
    start = sympy.MatrixSymbol("Q0", size, hidden)
    grown, mass = (sympy.MatrixSymbol(name, size, size) for name in ("E", "Phi"))
    bracket = sympy.Identity(hidden) + KAPPA * start.T * mass * start
    return grown * start * bracket.inv() * start.T * grown


def residual_at(
    formula: sympy.MatrixExpr, given: sympy.Matrix, kappa: int
) -> sympy.Expr:
    """Return the squared residual at one point, for F = diag(2, −1, 1) and x = eᵗ."""
    x, rates = sympy.Symbol("x", positive=True), (2, -1, 1)
    values = {
        "Q0": given,
        "E": sympy.diag(*(x**rate for rate in rates)),
        "Phi": sympy.diag(*((x ** (2 * r) - 1) / (2 * r) for r in rates)),
    }
    placed = {
        symbol: sympy.ImmutableMatrix(values[symbol.name])
        for symbol in formula.atoms(sympy.MatrixSymbol)
    }
    raw = sympy.Matrix(formula.subs(KAPPA, kappa).xreplace(placed).doit())
    total = raw.applyfunc(sympy.cancel)
    slope, here = x * total.diff(x), sympy.diag(*rates)
    gap = slope - (here * total + total * here - kappa * total * total)
    entries = [
        *gap.subs(x, sympy.Rational(3, 2)),
        *(total.subs(x, 1) - given * given.T),
    ]
    return sympy.Add(*(entry**2 for entry in entries))


def abstract_residual() -> sympy.Expr:
    """Return Ṗ − FP − PF + κP² by the product rule, in noncommuting symbols.

    G = I + κ qᵀΦq has Ġ = κ qᵀE²q, and E commutes with F.
    """
    names = ("F", "E", "q", "qT", "Ginv")
    force, grown, q, q_t, inverse = sympy.symbols(names, commutative=False)
    total = grown * q * inverse * q_t * grown
    slope = force * total + total * force
    slope -= grown * q * inverse * KAPPA * q_t * grown**2 * q * inverse * q_t * grown
    return sympy.expand(slope - force * total - total * force + KAPPA * total * total)


def layers_gap(decay: sympy.Expr) -> sympy.Expr:
    """Return what Q̇ of the layers differs from FQ − ½κQQᵀQ by, squared and summed.

    In noncommuting a = W_1ᵀ, b = W_2 and g = W_1W_1ᵀ, with W_2ᵀW_2 = g + λ:
    ȧ = Sᵀb − κa(g + λ) and ḃ = Sa − κbg, less what the weight decay takes.
    """
    a, b, g, force, back = sympy.symbols("a b g S St", commutative=False)
    lam = sympy.Symbol("lambda", real=True)
    whole = (2 * g + lam) / 2  # ½QᵀQ
    first = back * b - KAPPA * a * (g + lam) - decay * a
    second = force * a - KAPPA * b * g - decay * b
    tilt = KAPPA * lam / 2
    gaps = (
        first - (-(tilt + decay) * a + back * b - KAPPA * a * whole),
        second - ((tilt - decay) * b + force * a - KAPPA * b * whole),
    )
    return sympy.Add(*(sympy.expand(gap) ** 2 for gap in gaps))
