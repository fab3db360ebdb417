"""From the matrix flow to scalar equations: steps that derivations have in common.

Matrices are noncommuting letters and proofs are identities of words, in which a
transposed orthonormal frame meets its frame and leaves nothing.
"""

from __future__ import annotations

from functools import reduce
from math import prod
from typing import Any

import sympy

from symflow.algebra.entries import entry_products
from symflow.solutions.derivation import Step

SIGMA_YX = sympy.Symbol("Sigma_yx", commutative=False)
LAM, SIG = sympy.symbols("Lambda Sigma", commutative=False)


def letters(names: str) -> tuple[sympy.Symbol, ...]:
    """Return noncommuting symbols."""
    return tuple(sympy.symbols(names, commutative=False, seq=True))


def reduced(word: sympy.Expr, frames: list[tuple[sympy.Symbol, sympy.Symbol]]) -> Any:
    """Return a sum of words in which every FᵀF is dropped.

    The symbols do not commute, and the `frames` are pairs F and Fᵀ.
    """
    before, after = None, sympy.expand(word)
    while before != after:
        before = after
        for frame, back in frames:
            after = sympy.expand(after.subs(back * frame, 1))
    return after


def frame_steps(depth: int, decay: sympy.Expr = sympy.S.Zero) -> tuple[Step, ...]:
    """Return that layers R_l A_l R_{l−1}ᵀ keep their frames, and how the A_l move.

    Σ_xx = VΛVᵀ and Σ_yx = UΣVᵀ with V = R_0 and U = R_L; all A_l are diagonal.
    """
    frames = [letters(f"R{k} R{k}t") for k in range(depth + 1)]
    inner = letters(" ".join(f"A{k}" for k in range(1, depth + 1)))
    layers = [frames[k + 1][0] * inner[k] * frames[k][1] for k in range(depth)]
    backs = [frames[k][0] * inner[k] * frames[k + 1][1] for k in range(depth)]
    (right, right_t), (left, _) = frames[0], frames[-1]
    sigma_xx, sigma_yx = right * LAM * right_t, left * SIG * right_t
    force = sigma_yx - _product(layers) * sigma_xx
    pull = SIG - _product(inner) * LAM
    residual = sympy.S.Zero
    for k in range(depth):
        # W_{k+1}ᵀ⋯W_Lᵀ F W_1ᵀ⋯W_{k−1}ᵀ
        moved = prod(backs[k + 1 :], start=sympy.S.One) * force
        moved = moved * prod(backs[:k], start=sympy.S.One)
        scalar = prod(inner[k + 1 :], start=sympy.S.One) * pull
        scalar = scalar * prod(inner[:k], start=sympy.S.One)
        moved, scalar = moved - decay * layers[k], scalar - decay * inner[k]
        claimed = frames[k + 1][0] * scalar * frames[k][1]
        residual += reduced(moved - claimed, frames) ** 2
    form, first = _shown(depth, decay)
    return (
        Step(
            "with orthonormal frames, R_0 = V and R_L = U the singular vectors of "
            "Σ_yx = UΣVᵀ and Σ_xx = VΛVᵀ, let every layer be as the first",
            form,
            definition=True,
        ),
        Step("every Ẇ_l keeps its frames, and the diagonal A_l obey", first, residual),
    )


def eigenvector_steps(decay: sympy.Expr = sympy.S.Zero) -> tuple[Step, ...]:
    """Return what Ẇ = Σ_yx − WΣ_xx − l2 W is in the eigenvectors V of Σ_xx.

    It falls apart into entries.
    """
    weight, v, vt = letters("W V Vt")
    turned = (SIGMA_YX - weight * v * LAM * vt - decay * weight) * v
    claimed = SIGMA_YX * v - weight * v * LAM - decay * weight * v
    moved = sympy.Matrix(2, 2, sympy.symbols("w:4"))
    pushed, rates = sympy.Matrix(2, 2, sympy.symbols("s:4")), sympy.symbols("l:2")
    entries = pushed - moved * sympy.diag(*rates) - decay * moved
    gaps = [
        entries[i, j] - (pushed[i, j] - (rates[j] + decay) * moved[i, j])
        for i in range(2)
        for j in range(2)
    ]
    time, lam = sympy.Symbol("t", real=True), sympy.Symbol("lambda", positive=True)
    w, sigma = sympy.Function("w")(time), sympy.Symbol("sigma", real=True)
    slope = sympy.Symbol("(WV)˙", commutative=False)
    return (
        Step(
            "with Σ_xx = VΛVᵀ",
            sympy.Eq(slope, claimed),
            reduced(turned - claimed, [(v, vt)]),
        ),
        Step(
            "so that each entry w of WV obeys, with the entry σ of Σ_yxV,",
            sympy.Eq(w.diff(time), sigma - (lam + decay) * w),
            sympy.Add(*(sympy.expand(gap) ** 2 for gap in gaps)),
        ),
    )


def coordinate_step(depth: int, factors: int) -> Step:
    """Return the flow of one coordinate of products, where Σ_xx is diagonal.

    The `factors` are 1 for w_1∘⋯∘w_L, and 2 for u_1∘⋯∘u_L − v_1∘⋯∘v_L.
    """
    sides = [
        [sympy.Matrix(sympy.symbols(f"{side}{k}_1:3")) for k in range(1, depth + 1)]
        for side in "uv"[:factors]
    ]
    signs, lam = (1, -1)[:factors], sympy.symbols("lambda1:3")
    beta = sum(
        (
            sign * reduce(entry_products, side)
            for sign, side in zip(signs, sides, strict=True)
        ),
        start=sympy.zeros(2, 1),
    )
    sigma = sympy.Matrix(sympy.symbols("sigma1:3"))
    force = sigma - sympy.diag(*lam) * beta
    gaps = []
    for sign, side in zip(signs, sides, strict=True):
        moved = sign * reduce(entry_products, [force, *side[1:]])
        for j in range(2):
            rest = prod((part[j] for part in side[1:]), start=sympy.S.One)
            gaps.append(moved[j] - sign * (sigma[j] - lam[j] * beta[j]) * rest)
    a, rho, value = sympy.symbols("adot_l rho sigma")
    others = sympy.Symbol("Π_{k≠l} a_k")
    equation = sympy.Eq(a, (value - sympy.Symbol("lambda") * rho) * others)
    words = "where Σ_xx is diagonal, each coordinate moves alone, by its own product ρ"
    words += " (and −ρ in the second product)" if factors == 2 else ""
    return Step(words, equation, sympy.Add(*(sympy.expand(gap) ** 2 for gap in gaps)))


def frequency_step(depth: int) -> Step:
    """Return that a circulant Σ_xx and products of circulants act per frequency.

    Shown for three samples: the transform of Σ_yx − βΣ_xx is σ − λβ̂ at each frequency.
    """
    turn = sympy.exp(-2 * sympy.pi * sympy.I / 3)
    row, beta, data = (sympy.symbols(f"{name}0:3", real=True) for name in "cbs")
    transform = [
        [sympy.expand_complex(turn ** (i * k)) for i in range(3)] for k in range(3)
    ]

    def turned(signal: Any, k: int) -> sympy.Expr:
        return sum(transform[k][i] * signal[i] for i in range(3))

    # a symmetric circulant: c_1 = c_2
    even = (row[0], row[1], row[1])
    force = [
        data[i] - sum(beta[j] * even[(i - j) % 3] for j in range(3)) for i in range(3)
    ]
    gaps = [
        sympy.expand(
            turned(force, k) - turned(data, k) + turned(even, k) * turned(beta, k)
        )
        for k in range(3)
    ]
    rate, pull = sympy.symbols("adot_l f")
    equation = sympy.Eq(rate, pull * sympy.Symbol("Π_{j≠l} conj(a_j)"))
    return Step(
        "in the transforms a_l of the filters, where Σ_xx is circulant, each frequency "
        f"moves alone, with f = σ − λβ̂ and β̂ the product of the {depth} a_l,",
        equation,
        sympy.Add(*(sympy.simplify(gap) ** 2 for gap in gaps)),
    )


def mode_step(depth: int, decay: sympy.Expr = sympy.S.Zero) -> Step:
    """Return the equation of w = a^L, where the layers have one amplitude a."""
    a, lam = sympy.symbols("a lambda", positive=True)
    sigma, w = sympy.Symbol("sigma", real=True), sympy.Function("w")
    time, power = sympy.Symbol("t", real=True), 2 - sympy.Rational(2, depth)
    amplitude = a ** (depth - 1) * (sigma - lam * a**depth) - decay * a
    moved = sympy.diff(a**depth, a) * amplitude
    claimed = depth * (a**depth) ** power * (sigma - lam * a**depth)
    claimed -= depth * decay * a**depth
    speed = depth * w(time) ** power * (sigma - lam * w(time))
    speed -= depth * decay * w(time)
    return Step(
        "balanced layers have one amplitude a per mode, and its strength w = a^L obeys",
        sympy.Eq(w(time).diff(time), speed),
        sympy.simplify(sympy.expand(sympy.powdenest(moved - claimed))),
    )


def rank_one_steps(depth: int) -> tuple[Step, ...]:
    """Return that layers a r_l r_{l−1}ᵀ keep their rank, and how a, u and v move.

    With s = a^L, unit vectors u = r_L and v = r_0, Σ_xx = κI and Z = Σ_yx.
    """
    z, u, v, vt, r, rt = letters("Z u v vt r rt")
    a, kappa, rho = sympy.symbols("a kappa rho", positive=True)
    rest = a ** (depth - 1)
    force = z - kappa * a**depth * u * vt
    last = rest * force * v * rt
    gap = reduced(last - rest * (z * v - kappa * a**depth * u) * rt, [(v, vt), (r, rt)])
    speed, turn = rest * (rho - kappa * a**depth), rest / a * (z * v - rho * u)
    split = sympy.expand(speed * u + a * turn - rest * (z * v - kappa * a**depth * u))
    s = sympy.Function("s")(sympy.Symbol("t"))
    order = sympy.Integer(depth)
    strength = sympy.Eq(
        s.diff(), order * s ** (2 - 2 / order) * (rho - kappa * s), evaluate=False
    )
    power = sympy.Symbol("a", positive=True) ** depth
    claimed = order * power ** (2 - 2 / order) * (rho - kappa * power)
    moved = sympy.expand(sympy.powdenest(power.diff(a) * speed - claimed))
    return (
        Step(
            "balanced layers of rank one are, with unit vectors, u = r_L and v = r_0,",
            sympy.Eq(sympy.Symbol("W_l"), sympy.Symbol("a r_l r_{l-1}ᵀ")),
            definition=True,
        ),
        Step(
            "Ẇ_L keeps this form (Ẇ_1 likewise, with Zᵀu, and the others grow)",
            sympy.Eq(
                sympy.Symbol("(au)˙", commutative=False),
                rest * (z * v - kappa * a**depth * u),
            ),
            gap,
        ),
        Step(
            "along u and across it, with ρ = uᵀZv",
            sympy.Eq(sympy.Symbol("udot", commutative=False), turn),
            split,
        ),
        Step("and s = a^L obeys", strength, sympy.simplify(moved)),
    )


def _product(layers: tuple[sympy.Expr, ...] | list[sympy.Expr]) -> sympy.Expr:
    """Return A_L⋯A_1."""
    return prod(reversed(layers), start=sympy.S.One)


def _shown(depth: int, decay: sympy.Expr) -> tuple[sympy.Eq, sympy.Eq]:
    """Return W_1 = R_1A_1R_0ᵀ, and the equation of A_1, as one writes them."""
    n = sympy.Symbol("n", integer=True, positive=True)

    def matrix(called: str) -> sympy.MatrixSymbol:
        return sympy.MatrixSymbol(called, n, n)

    inner = [matrix(f"A{k}") for k in range(1, depth + 1)]
    force = matrix("Sigma") - sympy.MatMul(*reversed(inner), matrix("Lambda"))
    after = inner[:0:-1]
    form = sympy.Eq(
        matrix("W1"), matrix("R1") * inner[0] * matrix("R0").T, evaluate=False
    )
    rate = sympy.MatMul(*after, force) if after else force
    return form, sympy.Eq(matrix("Adot1"), rate - decay * inner[0], evaluate=False)
