"""The formulas of the rank-one flow as SymPy, and what proves them.

The eigenvectors of H diagonalize everything: the components of x are a_j = c_j
e^{f_jτ}/n.  Three of them are enough for the proof, because the equations treat all
alike.
"""

from __future__ import annotations

from collections.abc import Callable

import sympy

from symflow.solutions.derivation import Step, squares

T, TAU, START = (
    sympy.Symbol("t"),
    sympy.Symbol("tau"),
    sympy.Symbol("s0", positive=True),
)
KAPPA, DEPTH = sympy.symbols("kappa L", positive=True)
PARTS, RATES = sympy.symbols("c1:4", positive=True), sympy.symbols("f1:4", real=True)
NORM, _X, _R = sympy.Function("n"), sympy.Symbol("x"), sympy.Symbol("r", integer=True)

#: A point with Σc² = 1, to tell a wrong formula before it is expanded.
SAMPLE = dict(
    zip(
        (*PARTS, *RATES),
        map(sympy.Rational, ("2/3", "1/3", "2/3", 2, -1, 1)),
        strict=True,
    )
)
SAMPLE[TAU] = sympy.Rational(1, 7)


def strength(depth: sympy.Expr, power: sympy.Expr, mass: sympy.Expr) -> sympy.Expr:
    """Return s = s₀ nᴸ/(1 + Lκs₀ ∫nᴸ)."""
    return START * power / (1 + depth * KAPPA * START * mass)


def strength_formula(depth: int) -> sympy.Expr:
    """Return s in t for two layers, in τ and n(τ) for more."""
    if depth != 2:
        mass = sympy.Integral(NORM(_X) ** depth, (_X, 0, TAU))
        return strength(sympy.Integer(depth), NORM(TAU) ** depth, mass)
    c, f = sympy.IndexedBase("c"), sympy.IndexedBase("f")
    j = sympy.Idx("j")
    square = sympy.Sum(c[j] ** 2 * sympy.exp(2 * f[j] * T), (j, 1, _R))
    mass = sympy.Sum(integral_of(c[j], f[j], T), (j, 1, _R))
    return strength(sympy.Integer(2), square, mass)


def integral_of(part: sympy.Expr, rate: sympy.Expr, time: sympy.Expr) -> sympy.Expr:
    """Return ∫₀ᵗ c²e^{2fs}ds; at f = 0 it is c²t."""
    return part**2 * (sympy.exp(2 * rate * time) - 1) / (2 * rate)


def _component() -> sympy.Expr:
    """Return a_1 = c_1e^{f_1τ}/n."""
    terms = [c**2 * sympy.exp(2 * f * TAU) for c, f in zip(PARTS, RATES, strict=True)]
    return PARTS[0] * sympy.exp(RATES[0] * TAU) / sympy.sqrt(sympy.Add(*terms))


#: The strength for any depth, one component of x, and one term of ∫n².
PROVED = (
    strength(
        DEPTH,
        NORM(TAU) ** DEPTH,
        sympy.Integral(NORM(_X) ** DEPTH, (_X, 0, TAU)),
    ),
    _component(),
    integral_of(PARTS[0], RATES[0], TAU),
)


def residual(*formulas: sympy.Basic) -> sympy.Expr:
    """Return the squares of all that has to vanish, or one that is seen not to."""
    s, component, mass = formulas
    seen = squares([*_oja(component), *_mass(mass)], SAMPLE, _vanishing)
    return seen or sympy.Add(*(part**2 for part in _bernoulli(s)))


def _bernoulli(s: sympy.Expr) -> list[sympy.Expr]:
    """Return s′ − Ls(n′/n − κs) and s(0) − s₀, with n(0) = 1."""
    growth = NORM(TAU).diff(TAU) / NORM(TAU)
    first = s.subs(TAU, 0).doit().subs(NORM(0), 1)
    equation = s.diff(TAU) - DEPTH * s * (growth - KAPPA * s)
    return [sympy.simplify(equation), sympy.simplify(first - START)]


def _oja(component: sympy.Expr) -> list[sympy.Expr]:
    """Return a_1′ − (f_1 − ρ)a_1 with ρ = Σf_ja_j², and a_1(0)² − c_1²/Σc²."""
    others = [
        component.subs(
            {
                PARTS[0]: PARTS[k],
                PARTS[k]: PARTS[0],
                RATES[0]: RATES[k],
                RATES[k]: RATES[0],
            },
            simultaneous=True,
        )
        for k in (1, 2)
    ]
    pairs = zip(RATES, (component, *others), strict=True)
    rho = sympy.Add(*(rate * part**2 for rate, part in pairs))
    whole = sympy.sqrt(sympy.Add(*(part**2 for part in PARTS)))
    return [
        component.diff(TAU) - (RATES[0] - rho) * component,
        component.subs(TAU, 0) - PARTS[0] / whole,
    ]


def _mass(mass: sympy.Expr) -> list[sympy.Expr]:
    """Return the derivative of ∫c²e^{2fs} less its integrand, and its start."""
    term = PARTS[0] ** 2 * sympy.exp(2 * RATES[0] * TAU)
    return [mass.diff(TAU) - term, mass.subs(TAU, 0)]


def _vanishing(expression: sympy.Expr) -> sympy.Expr:
    """Return the expression simplified, with exponentials as variables."""
    symbols = sympy.symbols("E1:4", positive=True)
    placed = {sympy.exp(f * TAU): e for f, e in zip(RATES, symbols, strict=True)}
    return sympy.simplify(expression.subs(placed))


def _along() -> sympy.Expr:
    """Return pᵀ(Hx − ρx) − (f − ρ)pᵀx for an eigenvector, pᵀH = fpᵀ."""
    p, force, x, rho, rate = sympy.symbols("p H x rho f", commutative=False)
    turned = sympy.expand(p * (force * x) - rho * p * x).subs(p * force, rate * p)
    return sympy.expand(turned - (rate - rho) * p * x)


def steps(verify: Callable[[], sympy.Expr]) -> tuple[Step, ...]:
    """Return the equations in the internal time and how each is solved."""
    s, rho, x = (sympy.Function(name)(TAU) for name in ("s", "rho", "x"))
    y = sympy.Function("y")(TAU)
    value, pull = sympy.symbols("s rho", positive=True)
    speed = DEPTH * value ** (2 - 2 / DEPTH) * (pull - KAPPA * value)
    inner = speed / value ** (1 - 2 / DEPTH) - DEPTH * value * (pull - KAPPA * value)
    bernoulli = DEPTH * s * (rho - KAPPA * s)
    linear = DEPTH * (KAPPA - rho * y)
    turned = (1 / s).diff(TAU).subs(s.diff(TAU), bernoulli) - linear.subs(y, 1 / s)
    oja = sympy.Eq(
        sympy.Function("a_j")(TAU).diff(TAU),
        (sympy.Symbol("f_j") - rho) * sympy.Function("a_j")(TAU),
    )
    component = PROVED[1]
    return (
        Step(
            "in the internal time dτ = s^{1−2/L}dt",
            sympy.Eq(s.diff(TAU), bernoulli),
            sympy.simplify(inner),
        ),
        Step(
            "and x = (v; u)/√2 obeys, along eigenvectors of H, Oja's flow",
            oja,
            _along(),
        ),
        Step(
            "which a linear flow solves, divided by its length",
            sympy.Eq(sympy.Function("a_1")(TAU), component),
            sympy.Add(*(_vanishing(part) ** 2 for part in _oja(component))),
        ),
        Step(
            "with y = 1/s the equation of s is linear",
            sympy.Eq(y.diff(TAU), linear),
            sympy.simplify(turned),
        ),
        Step(
            "and ρ = n′/n makes nᴸ its integrating factor",
            sympy.Eq(x, PROVED[0], evaluate=False),
            verify(),
        ),
    )
