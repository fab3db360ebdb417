"""The Riccati formula as SymPy, and what proves it."""

from __future__ import annotations

import sympy

KAPPA = sympy.Symbol("kappa", positive=True)
#: The c of two levels.
LEVEL = sympy.Symbol("c", positive=True)


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
    total = _placed(formula.subs(KAPPA, kappa), values)
    gap = riccati_gap(total, x, rates, kappa)
    entries = [
        *gap.subs(x, sympy.Rational(3, 2)),
        *(total.subs(x, 1) - given * given.T),
    ]
    return sympy.Add(*(entry**2 for entry in entries))


def riccati_gap(
    total: sympy.Matrix, x: sympy.Symbol, rates: tuple[int, ...], kappa: int
) -> sympy.Matrix:
    """Return Ṗ − FP − PF + κP² for P in x = eᵗ and F = diag(rates)."""
    slope, here = x * total.diff(x), sympy.diag(*rates)
    return slope - (here * total + total * here - kappa * total * total)


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


def mixed_formula(size: int) -> sympy.MatrixExpr:
    """Return P in P₀, c, A = cosh(Rt) − R⁻¹F sinh(Rt) and B = κR⁻¹ sinh(Rt)."""
    start, low, high = (sympy.MatrixSymbol(n, size, size) for n in ("P0", "A", "B"))
    return LEVEL**2 * high * low.inv() + (low * start.inv() * low + low * high).inv()


def mixed_residual_at(formula: sympy.MatrixExpr, rates: tuple[int, ...]) -> sympy.Expr:
    """Return the squared residual at one point, for F = diag(rates) and κ = c = 2.

    The rates are 0 or ±3, so that the square roots of f² + κ²c² are 4 and 5, and all
    is rational in x = eᵗ.
    """
    x, modes = sympy.Symbol("x", positive=True), [(f, 5 if f else 4) for f in rates]
    start = sympy.Matrix([[3, 1], [1, 2]])
    sinh = [(x**root - x**-root) / 2 for _, root in modes]
    low = [
        (x**root + x**-root) / 2 - sympy.Rational(f, root) * s
        for s, (f, root) in zip(sinh, modes, strict=True)
    ]
    high = [2 * s / root for s, (_, root) in zip(sinh, modes, strict=True)]
    values = {"P0": start, "A": sympy.diag(*low), "B": sympy.diag(*high)}
    total = _placed(formula.subs(LEVEL, 2), values)
    gap = riccati_gap(total, x, rates, 2) - 8 * sympy.eye(2)  # κc²
    entries = [*gap.subs(x, sympy.Rational(3, 2)), *(total.subs(x, 1) - start)]
    return sympy.Add(*(entry**2 for entry in entries))


def _placed(formula: sympy.MatrixExpr, values: dict[str, sympy.Matrix]) -> sympy.Matrix:
    """Return a formula with matrices for its symbols, as rational functions."""
    placed = {
        symbol: sympy.ImmutableMatrix(values[symbol.name])
        for symbol in formula.atoms(sympy.MatrixSymbol)
    }
    raw = sympy.Matrix(formula.xreplace(placed).doit())
    return raw.applyfunc(sympy.cancel)


def mixed_gap() -> sympy.Expr:
    """Return Ṗ − FP − PF + κP² − κc²I for two levels, in noncommuting symbols.

    P moves by S = S_0 − ½κ(P − X) from both sides with X = JPJ, and N² = λN + c²I says
    that XP = λJP + c² and PX = λPJ + c²; F = S_0 + ½κλJ.
    """
    total, still, turned, signs = sympy.symbols("P S0 X J", commutative=False)
    lam, square = sympy.Symbol("lambda", real=True), LEVEL**2
    moving = still - KAPPA * (total - turned) / 2
    force = still + KAPPA * lam * signs / 2
    slope = sympy.expand(moving * total + total * moving)
    known = {
        turned * total: lam * signs * total + square,
        total * turned: lam * total * signs + square,
    }
    said = force * total + total * force - KAPPA * total * total + KAPPA * square
    return sympy.expand(slope.subs(known) - said)
