"""Exact problems at the edges: zero and repeated singular values, and their flow.

Orthogonal matrices are Cayley transforms of rational antisymmetric ones, so that every
number is a fraction.  The integrations know weights as lists of numbers and nothing of
symflow.
"""

from __future__ import annotations

import random
from fractions import Fraction

import mpmath
import numpy as np
import sympy
from scipy.integrate import solve_ivp


def orthogonal(size, rng):
    """Return a rational orthogonal matrix."""
    lower = sympy.zeros(size)
    for i in range(size):
        for j in range(i):
            lower[i, j] = sympy.Rational(rng.randint(-3, 3), rng.randint(1, 3))
            lower[j, i] = -lower[i, j]
    eye = sympy.eye(size)
    found = (eye - lower) * (eye + lower).inv()
    return np.array(
        [[Fraction(int(x.p), int(x.q)) for x in found.row(i)] for i in range(size)]
    )


def spectral_problem(seed, size=None):
    """Return L, Σ_xx, Σ_yx and square layers with common frames, all fractions."""
    rng = random.Random(seed)
    n, depth = size or rng.randint(2, 3), rng.choice([1, 2, 2, 2, 3, 4])
    left, right = orthogonal(n, rng), orthogonal(n, rng)
    if rng.random() < 0.25:
        left = right
    sizes = [Fraction(rng.choice([0, 0, 1, 1, 2, 3]), rng.choice([1, 2])) for _ in left]
    if rng.random() < 0.3:
        sizes = [sizes[0]] * n
    lam = [Fraction(1)] * n
    if rng.random() < 0.5:
        lam = [Fraction(rng.choice([0, 1, 1, 2])) for _ in left]
    sigma = [Fraction(rng.choice([0, 0, 1, 1, 2, 3, -1])) if x else x for x in lam]
    frames = [right, *(orthogonal(n, rng) for _ in range(depth - 1)), left]
    unbalanced = depth == 2 and rng.random() < 0.5
    layers = []
    for number in range(depth):
        own = list(sizes)
        if unbalanced and number == 1:
            own = [x * rng.choice([-1, 1, 2, Fraction(1, 2)]) for x in own]
        layers.append(frames[number + 1] @ _diagonal(own) @ frames[number].T)
    gram = right @ _diagonal(lam) @ right.T
    return depth, gram, left @ _diagonal(sigma) @ right.T, layers


def _diagonal(values):
    zero = Fraction(0)
    return np.array(
        [
            [x if i == j else zero for j in range(len(values))]
            for i, x in enumerate(values)
        ]
    )


def product(layers):
    """Return W_L⋯W_1."""
    total = layers[0]
    for layer in layers[1:]:
        total = layer @ total
    return total


def slopes(layers, gram, target):
    """Return Ẇ_l = W_{l+1}ᵀ⋯W_Lᵀ (Σ_yx − WΣ_xx) W_1ᵀ⋯W_{l−1}ᵀ."""
    force = target - product(layers) @ gram
    found = []
    for place in range(len(layers)):
        slope = force
        for layer in reversed(layers[place + 1 :]):
            slope = layer.T @ slope
        for layer in layers[:place]:
            slope = slope @ layer.T
        found.append(slope)
    # W_{l+1}ᵀ⋯W_Lᵀ is applied from W_Lᵀ on, W_1ᵀ⋯W_{l−1}ᵀ from W_1ᵀ on
    return found


def float_path(layers, gram, target, time):
    """Return W(time) by DOP853 in float64."""
    gram, target = (np.array(part, dtype=float) for part in (gram, target))
    layers = [np.array(layer, dtype=float) for layer in layers]
    shape = (len(layers), *layers[0].shape)

    def rhs(_, state):
        return np.concatenate(
            [s.ravel() for s in slopes(list(state.reshape(shape)), gram, target)]
        )

    state = np.concatenate([layer.ravel() for layer in layers])
    run = solve_ivp(rhs, (0, time), state, method="DOP853", rtol=1e-12, atol=1e-14)
    return product(list(run.y[:, -1].reshape(shape)))


def precise_path(layers, gram, target, time, digits, steps=16):
    """Return W(time) by Taylor series of the layers, product by product, in steps."""
    context = mpmath.MPContext()
    context.dps = digits + 15

    def lift(array):
        return np.array(
            [[context.mpf(x.numerator) / x.denominator for x in row] for row in array]
        )

    gram, target, layers = lift(gram), lift(target), [lift(w) for w in layers]
    step = context.mpf(time.numerator) / time.denominator / steps
    for _ in range(steps):
        series = _series(layers, gram, target, 2 * digits)
        layers = []
        for coefficients in series:
            total = 0 * gram
            for term in reversed(coefficients):
                total = total * step + term
            layers.append(total)
    return product(layers)


def _series(layers, gram, target, order):
    """Return the Taylor coefficients of every layer."""
    count, known = len(layers), [[layer] for layer in layers]
    whole, force = [[] for _ in layers], []
    slopes_of = [[[] for _ in range(count)] for _ in layers]

    def folded(left, right, k):
        return sum(left[i] @ right[k - i] for i in range(k + 1))

    for k in range(order):
        back = [[term.T for term in layer] for layer in known]
        for place in range(count):
            one = known[place]
            whole[place].append(folded(one, whole[place - 1], k) if place else one[k])
        force.append((target if k == 0 else 0 * target) - whole[-1][k] @ gram)
        for place in range(count):
            current, slots = force, iter(slopes_of[place])
            for layer in reversed(back[place + 1 :]):
                slot = next(slots)
                slot.append(folded(layer, current, k))
                current = slot
            for layer in back[:place]:
                slot = next(slots)
                slot.append(folded(current, layer, k))
                current = slot
            known[place].append(current[k] / (k + 1))
    return known


def coordinate_path(columns, signed, lam, sigma, time):
    """Return β(time) of Πu_l or Πu_l − Πv_l, one coordinate after the other."""
    depth = len(columns) // (2 if signed else 1)
    found = []
    for j in range(len(lam)):
        first = [float(column[j]) for column in columns]

        def beta(w):
            return np.prod(w[:depth]) - (np.prod(w[depth:]) if signed else 0)

        def rhs(_, w, j=j):
            force = float(sigma[j]) - float(lam[j]) * beta(w)
            sides = (w[:depth], w[depth:])[: 2 if signed else 1]
            return [
                sign * force * np.prod(np.delete(side, k))
                for sign, side in zip((1, -1), sides, strict=False)
                for k in range(depth)
            ]

        run = solve_ivp(rhs, (0, time), first, method="DOP853", rtol=1e-12, atol=1e-14)
        found.append(beta(run.y[:, -1]))
    return np.array(found)
