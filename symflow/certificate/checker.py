"""Check a certificate about a gradient flow, with ``python check.py FILE.json``.

Exit code 0: proven, and what is proven is printed; 1: refuted, it does not prove what it
states; 2: unreadable.  Nothing in the file is believed but the problem itself.

THE PROBLEM.  Weights θ = (θ_1, …, θ_L), which are matrices, follow the gradient flow
θ' = f(θ) = −∇ℒ(θ), ℒ = ℓ(W(θ)) + Σ_l ½ λ_l |θ_l|², from all starts within given radii.
The entries of the matrix W(θ) are polynomials, given as a list of operations; the
gradient follows by the chain rule, from the last operation to the first, beginning with
the force F = −∂ℓ/∂W.  All norms |·| are Frobenius norms.  The loss ℓ is, in moments,
    ½ tr(W Σ_xx Wᵀ) − tr(W Σ_yxᵀ) + a constant, and F = Σ_yx − W Σ_xx: the squared loss
    of the model x → W(θ) x; or, of samples, Σ_ij φ(y_ij (W x_i)_j) / n, where
    φ(z) = e^−z (the exponential loss) or φ(z) = log(1 + e^−z) (the logistic loss).

THE EVIDENCE is a piecewise polynomial p(t), computed no matter how.  On a step of length
h it is p = Σ_k c_k s^k, where s = (time in the step) / h runs from 0 to 1.

1. THE DEFECT is D = max |p' − f(p)| on a step.  All matrices here have entries that are
   polynomials in s of order at most K, with coefficients n / 2^bits, n an integer, and
   a bound of what they are off by for 0 ≤ s ≤ 1.  After a product, the terms beyond K are
   dropped and the others rounded to `bits` places: what is dropped and one unit per
   rounding go into the bound.  A polynomial is at most Σ |c_k|, as 0 ≤ s ≤ 1.

2. HOW FAST ERRORS GROW.  Let e = |θ(t) − p(t)|, and for all weights that are within ρ
   of p(t), and all directions E, let ⟨E, Df E⟩ ≤ μ |E|².  While e ≤ ρ, e' ≤ μ e + D.
   With the derivatives W_E and W_EE of W along E,
       ⟨E, Df E⟩ = −D²ℓ(W_E, W_E) + ⟨F, W_EE⟩ − Σ_l λ_l |E_l|².
   The first term is not positive, as ℓ is convex (Σ_xx is semidefinite, which is checked);
   the second is at most |F| |W_EE|.  For every operation v bounds follow from those of its
   operands, in the order of the list:
       |v| ≤ n at p,   |v_E| ≤ Σ_l b_l |E_l|,   |v_EG| ≤ Σ_lk c_lk |E_l| |G_k|,
   for all directions E and G, hence |v(θ) − v(p)| ≤ |b| ρ.  For products, entrywise ones
   too, they rest on |xy| ≤ |x| |y|.  So μ is at most the largest eigenvalue of the
   symmetric matrix |F| c − diag(λ), which is at most its largest row sum.

3. THE COMPARISON.  A step is cut into pieces, of length h_j and with a bound μ_j each.
   Then e ≤ (e_0 + hD) exp(Σ max(μ_j, 0) h_j) on the step.  If that is below ρ, then e
   never reached ρ, and what was assumed is proven.  At the end of the step,
   e ≤ e_0 exp(Σ μ_j h_j) + hD exp(Σ max(μ_j, 0) h_j).  The next polynomial starts
   elsewhere: the distance is added to e, as is that of the first one from all starts.

4. THE LIMIT of the squared loss, λ = 0.  Let W* Σ_xx = Σ_yx, and A² = tr(R Σ_xx Rᵀ) with
   R = W* − W: twice the loss above its least value.  F = R Σ_xx, so if no eigenvalue of
   Σ_xx lies between 0 and σ, |F|² ≥ σ A².  Where |θ'| ≥ κ|F|, we have (½A²)' = −|θ'|²
   ≤ −κ√σ A|θ'|, hence the path that is left is at most A / (κ√σ) ≤ |F| / (κσ).  If that
   does not lead out of where κ holds, θ converges, and A falls to zero.  θ' = JᵀF with
   the derivative J of W, which changes by at most |c| ρ within ρ (take v_EG above).

LAWS FOR EVERY WIDTH.  If W is a sum of products of matrices ("words"), θ_l' = −λ θ_l +
η_l Σ aᵀFbᵀ, summed over all W = … + a θ_l b + …, where F depends on loss and data.  A
sum Q of words with k weights each, or of their traces, has Q' = −kλQ if words with F cancel.
"""

import base64, hashlib, json, re, sys
from collections import Counter
from fractions import Fraction
from functools import reduce
from itertools import accumulate, chain, pairwise, product
from math import ceil, factorial, isqrt
from operator import add, mul, sub
from typing import Any

PIECES, ATTEMPTS, MOST_WORK, MOST_PAIRS = 8, 12, 3e13, 2 * 10**6  # work: about half an hour
NUMBER = re.compile(r"-?\d{1,4000}(/\d{1,4000}|(\.\d{1,40})?(e[+-]?\d{1,4})?)", re.ASCII)
ZERO, ONE, SHORT, UNIT = Fraction(0), Fraction(1), 1 << 48, (128, 0)  # of J; of numbers
Matrix = list[list[Fraction]]

class Refuted(Exception):
    """The file does not prove what it states; any other error: it is unreadable."""
def need(truth: bool, message: str, kind: type[Exception] = ValueError) -> None:
    if not truth:
        raise kind(message)

def check_work(products: int, bits: int, *matrices: Any) -> None:
    """Stop before work that takes hours; with matrices, `bits` counts their entries."""
    sizes = ((x.numerator * x.denominator).bit_length() for x in chain(*chain(*matrices)))
    bits *= max(sizes, default=1)
    need(products * float(bits) ** 1.585 < MOST_WORK, "this would take hours to check")

def number(text: Any) -> Fraction:  # given as text: 12, -5/3 or 1.5e-50
    need(isinstance(text, str) and bool(NUMBER.fullmatch(text)), "no exact number")
    return Fraction(text)
def up(x: Fraction) -> Fraction:  # round up to 64 binary digits
    scale = Fraction(2) ** (64 - x.numerator.bit_length() + x.denominator.bit_length())
    return ceil(x * scale) / scale
def root(x: Fraction) -> Fraction:  # an upper bound of √x
    places = max(0, 64 + (x.denominator.bit_length() - x.numerator.bit_length()) // 2)
    whole = isqrt((x.numerator << 2 * places) // x.denominator) + 1
    return Fraction(whole, 1 << places) if x else ZERO
def size(entries: Any) -> Fraction:  # an upper bound of the Frobenius norm |·|
    return root(sum((up(abs(x)) ** 2 for x in entries), ZERO))

class Curve:
    """Entries Σ_k terms[i][k] s^k / 2^bits, each off by at most error / 2^bits."""
    def __init__(self, grid: Any, shape: tuple[int, int], terms: list[list[int]], error: int = 0):
        self.grid, self.shape, self.terms, self.error = grid, shape, terms, error
        self.bits, self.top = grid[0], max(map(abs, chain(*terms)))
        self.sums = [sum(map(abs, entry)) for entry in terms]
        self.off = Fraction(error * len(terms), 1 << self.bits)  # of all entries together

    def norm(self, piece: int) -> Fraction:  # |·| on a piece: the middle, and the slope
        most = list[Fraction]()
        for e in self.terms:  # Horner; the roundings stay below 2 PIECES
            middle = reduce(lambda x, c: x * (2 * piece + 1) // (2 * PIECES) + c, e[::-1])
            slope = Fraction(sum(k * abs(c) for k, c in enumerate(e)), 2 * PIECES)
            most.append(abs(middle) + slope + 2 * PIECES + self.error)
        return up(size(most) / 2**self.bits)

    def __add__(self, other: "Curve") -> "Curve":
        pairs = zip(self.terms, other.terms, strict=True)
        terms = [[*map(add, x, y), *x[len(y) :], *y[len(x) :]] for x, y in pairs]
        return Curve(self.grid, self.shape, terms, self.error + other.error)
    def __mul__(self, other: Any) -> "Curve":  # entrywise, or a multiple
        both = isinstance(other, Curve)
        other = other if both else constant([[Fraction(other)]], self.grid)
        return times(self, other, self.shape, [[(k, k * both)] for k in range(len(self.terms))])
    def __matmul__(self, other: "Curve") -> "Curve":
        (rows, inner), columns = self.shape, other.shape[1]
        return times(self, other, (rows, columns), table_of(rows, inner, columns))

def constant(matrix: Any, grid: Any) -> Curve:  # rounded down
    values = [(x.numerator << grid[0], x.denominator) for x in chain(*matrix)]
    error = int(any(a % b for a, b in values))
    return Curve(grid, shape_of(matrix), [[a // b] for a, b in values], error)
def ones(like: Curve) -> Curve:
    return Curve(like.grid, like.shape, [[1 << like.bits]] * len(like.terms))
def at(curves: list[Curve], s: Fraction) -> list[Fraction]:  # all entries, exactly
    entries = [entry for curve in curves for entry in curve.terms]
    (a, b), n, unit = s.as_integer_ratio(), max(map(len, entries)) - 1, 1 << curves[0].bits
    powers = [a**k * b ** (n - k) for k in range(n + 1)]
    return [Fraction(sum(map(mul, powers, entry)), unit * b**n) for entry in entries]

def table_of(rows: int, inner: int, columns: int) -> list[list[tuple[int, int]]]:  # of a matrix product, see times
    places = ((i * inner, j) for i in range(rows) for j in range(columns))
    return [[(i + k, k * columns + j) for k in range(inner)] for i, j in places]

def times(a: Curve, b: Curve, shape: Any, table: Any) -> Curve:
    """Return the matrix whose entries are sums of the products listed in the table."""
    # a polynomial becomes one large integer, with a slot of `width` bytes per coefficient
    (bits, order), most, terms, dropped = a.grid, max(map(len, table)), list[list[int]](), 0
    left, right = (max(map(len, x.terms)) for x in (a, b))
    width = (a.top.bit_length() + b.top.bit_length() + (most * left).bit_length() + 1) // 8 + 1
    xs, ys = ([sum(c << 8 * width * k for k, c in enumerate(e)) for e in x.terms] for x in (a, b))
    half, slots = 1 << 8 * width - 1, range(0, width * (left + right - 1), width)
    halves = sum(half << 8 * slot for slot in slots)
    for pairs in table:
        value = (sum(xs[i] * ys[j] for i, j in pairs) + halves).to_bytes(width * len(slots), "little")
        exact = [int.from_bytes(value[k : k + width], "little") - half for k in slots]
        terms.append([c >> bits for c in exact[: order + 1]])
        dropped = max(dropped, sum(map(abs, exact[order + 1 :])))
    off = max(a.sums) * b.error + a.error * max(b.sums) + a.error * b.error
    error = -(-(dropped + most * off) // (1 << bits)) + min(len(slots), order + 1)
    return Curve(a.grid, shape, terms, error)

def exponential(y: Curve) -> Curve:
    """Return e^y: the Taylor series of e^(y / 2^k), |y| ≤ 2^k, is squared k times."""
    halvings, value = ((max(y.sums) + y.error) >> y.bits).bit_length(), ones(y)
    need(halvings < 14, "something may grow beyond all measure", Refuted)
    count = next(k for k in range(1, y.bits + 9) if factorial(k + 1) >> y.bits + 1)
    for k in range(count, 0, -1):
        value = ones(y) + value * (y * Fraction(1, k << halvings))
    value = Curve(y.grid, y.shape, value.terms, value.error + 1)  # what is left: 2 / (count + 1)!
    return reduce(lambda x, _: x * x, range(halvings), value)
def exp(x: Fraction) -> Fraction:  # an upper bound of e^x
    value = exponential(constant([[min(abs(x), max(x, Fraction(4000)))]], UNIT))
    above, below = (Fraction(value.terms[0][0] + e, 1 << value.bits) for e in (value.error, -value.error))
    return up(above if x >= 0 else 1 / below)

def logistic(z: Curve) -> Curve:
    """Return q near 1 / v, v = 1 + e^z, by Newton's iteration: off by at most |1 − qv|."""
    v = ones(z) + exponential(z)
    q = Curve(z.grid, z.shape, [[(1 << 2 * z.bits) // entry[0]] for entry in v.terms])
    for _ in range(z.grid[1].bit_length() + 2):
        last, rest = q, ones(z) + q * v * -1
        need(max(rest.sums).bit_length() < 9 * z.bits, "a step is too long for its bits", Refuted)
        q = Curve(z.grid, z.shape, (q + q * rest).terms)
    return Curve(z.grid, z.shape, last.terms, max(rest.sums) + rest.error)

def shape_of(matrix: Any) -> tuple[int, int]:
    return len(matrix), len(matrix[0])
def matrix_of(value: Any) -> Matrix:
    matrix = [[number(x) for x in row] for row in value]
    need(len({*map(len, matrix)} | {0}) == 2, "a matrix needs rows of one length")
    return matrix
def dot(a: Any, b: Any) -> Matrix:  # ab, exactly
    need(len(a[0]) == len(b), "the sizes of two matrices do not fit")
    check_work(len(a) * len(b) * len(b[0]), 2 * len(b), a, b)
    return [[sum(map(mul, row, c), ZERO) for c in zip(*b, strict=True)] for row in a]

def exceeds(a: Matrix, factor: Fraction, b: Matrix) -> bool:  # whether a − factor · b is symmetric and positive semidefinite
    rest = [[x - factor * y for x, y in zip(*rows, strict=True)] for rows in zip(a, b, strict=True)]
    check_work(len(rest) ** 3, len(rest), rest)
    symmetric = rest == [list(column) for column in zip(*rest, strict=True)]
    for k, row in enumerate(rest):  # elimination: no pivot may be negative
        if row[k] < 0 or (row[k] == 0 and any(row)):
            return False
        for line in rest[k + 1 :] if row[k] else []:
            line[:] = [x - line[k] / row[k] * y for x, y in zip(line, row, strict=True)]
    return symmetric

class Operations:
    """W(θ): slots for the weights, [[1]] and other constants, then for the operations.

    An operation adds up the products of entries of two slots that its table lists, or has
    no table and adds two matrices.  If it is given one slot, the other holds the [[1]]."""
    def __init__(self, start: list[Matrix], given: Any):
        self.constants = [[[ONE]], *map(matrix_of, given["constants"])]
        self.names, self.count = [str(name) for name in given["weights"]], len(start)
        need(self.count == len(self.names) > 0, "every weight needs a name")
        self.names += [str(m[0][0]) if len(m) == 1 else "C" for m in self.constants]
        self.shapes, self.repeats = [*map(shape_of, [*start, *self.constants])], dict[int, Fraction]()
        self.first, self.pairs, self.steps = len(self.shapes), 0, list[tuple[list[int], Any]]()
        for step in given["model"]:
            self._read(*step)

    def _read(self, name: str, *rest: Any) -> None:
        two = 2 if name in ("matmul", "hadamard", "add", "scale") else 1
        reads, table = [*rest[:two], *[self.count] * (2 - two)], None
        need(all(k in range(len(self.shapes)) for k in reads), "an operand is not there")
        (high, across), (_, columns) = shapes = [self.shapes[k] for k in reads]
        self.pairs += high * across * columns
        need(self.pairs < MOST_PAIRS, "the model is too large")
        match name, shapes, rest[two:]:
            case "add", [shape, other], () if shape == other:
                pass
            case "hadamard" | "scale", [shape, other], () if other in (shape, (1, 1)):
                table = [[(k, k * (other == shape))] for k in range(shape[0] * shape[1])]
            case "matmul", [(rows, inner), (same, columns)], () if inner == same:
                table, shape = table_of(rows, inner, columns), (rows, columns)
            case "transpose", [(rows, columns), _], ():
                shape, every = (columns, rows), range(rows * columns)
                table = [[(k, 0)] for j in range(columns) for k in every[j::columns]]
            case "place", [(rows, columns), _], (*shape, sources):
                table, top = [[(k, 0)] * (k >= 0) for k in sources], max(sources)
                fits = len(shape) == 2 and len(table) == shape[0] * shape[1] > 0
                need(fits and 0 <= top < rows * columns, "an entry has no source")
                self.repeats[len(self.shapes)] = Fraction(max(Counter(sources).values()))
            case _:
                raise ValueError("an operation is unknown, or its shapes do not fit")
        self.names.append(f"{name}({', '.join(self.names[k] for k in reads[:two])[:400]})")
        self.shapes.append((shape[0], shape[1]))
        self.steps.append((reads, table))

    def values(self, weights: list[Curve]) -> list[Curve]:  # of all slots; the last one is W
        v = [*weights, *(constant(matrix, weights[0].grid) for matrix in self.constants)]
        for (i, j), table in self.steps:
            v.append(times(v[i], v[j], self.shapes[len(v)], table) if table else v[i] + v[j])
        return v

    def pull_back(self, values: list[Curve], force: Curve) -> list[Any]:
        """Return ⟨F, ∂W/∂θ_l⟩ for every weight, by the chain rule backwards."""
        total: list[Any] = [None] * (len(values) - 1) + [force]
        for slot in reversed(range(self.first, len(values))):
            (reads, table), g = self.steps[slot - self.first], total[slot]
            for side, read in enumerate(reads):
                if g is None or self.count <= read < self.first:
                    continue  # no part of W, or a constant
                part, back = g, [list[Any]() for _ in values[read].terms]
                for entry, pairs in enumerate(table or []):  # the table, turned
                    for pair in pairs:
                        back[pair[side]].append((entry, pair[1 - side]))
                part = times(g, values[reads[1 - side]], self.shapes[read], back) if table else g
                total[read] = total[read] + part if total[read] else part
        return [found or v * 0 for found, v in zip(total, values, strict=True)][: self.count]

    def bounds(self, norms: list[Fraction], radius: Fraction) -> tuple[Fraction, Any]:
        """Return |b| ρ and c of W, for weights within a radius ρ (see 2. above)."""
        each, zeros = range(self.count), [ZERO] * self.count
        found = [([Fraction(k == s) for k in each], [zeros] * self.count) for s in each]
        found += [(zeros, [zeros] * self.count)] * len(self.constants)
        for (i, j), table in self.steps:
            (b, c), (d, e), repeats = found[i], found[j], self.repeats.get(len(found))
            x, y = (norms[k] + radius * size(found[k][0]) if table else ONE for k in (i, j))
            y = root(repeats) if repeats else y  # of entries that are placed
            mixed = [[(b[k] * d[q] + b[q] * d[k]) * bool(table) for q in each] for k in each]
            c = [[up(u * y + x * v + w) for u, v, w in zip(*rows, strict=True)]
                 for rows in zip(c, e, mixed, strict=True)]
            found.append(([up(b[k] * y + x * d[k]) for k in each], c))
        return up(radius * size(found[-1][0])), found[-1][1]

class GivenProblem:
    """Operations, data and start; if Z is given, W* = ZΣ_xx, which has the least norm."""
    def __init__(self, given: Any, root_of_best: Any = None):
        self.start, self.radii = ([matrix_of(w) for w in given.get(name, [])] for name in ("start", "start radii"))
        data, shapes = given["data"], [*map(shape_of, self.start)]
        self.model, self.loss = Operations(self.start, given), given.get("loss", "squared")
        self.decay, self.about = [number(x) for x in given["weight decay"]], "samples"
        if "X" in data:
            x, y, self.count = matrix_of(data["X"]), matrix_of(data["Y"]), number(data["divisor"])
            need(len(x) == len(y) and self.count > 0, "samples need inputs and outputs")
            means = [[v / self.count for v in row] for row in x]
            self.samples: Any = [[*zip(*x, strict=True)], [*zip(*y, strict=True)], means]
            self.xx, self.yx = (dot(part, means) for part in self.samples[:2])
        else:
            self.xx, self.yx = matrix_of(data["sigma_xx"]), matrix_of(data["sigma_yx"])
            self.about = f"moments (SHA-256 of samples: {data.get('sha256 of the samples', 'none given')})"
        fits = self.loss in ("squared", "exponential", "logistic")[: 3 if "X" in data else 1]
        fits = fits and (len(self.yx), len(self.xx)) == self.model.shapes[-1] == shape_of(self.yx)
        need(fits and len(self.decay) == len(shapes) and [*map(shape_of, self.radii)] in ([], shapes), "model, loss, start and data do not fit")
        need(min(self.decay) >= 0, "a weight decay is below zero", Refuted)
        need(exceeds(self.xx, ZERO, self.xx), "Σ_xx is not positive semidefinite", Refuted)
        self.best = dot(matrix_of(root_of_best), self.xx) if root_of_best else []
        solves = not self.best or (self.loss == "squared" and dot(self.best, self.xx) == self.yx)
        need(solves, "W* Σ_xx is not Σ_yx", Refuted)

    def force(self, w: Curve) -> tuple[Curve, Fraction, Fraction]:
        """Return F, and H and r: F changes by at most Hm e^(rm) where W changes by m.

        Namely by |Σ_xx| m, or by Σ_ij max φ''(z_ij) |y_ij x_i|² m / n with the margins z; φ'' ≤
        −φ', which grows by a factor e^(|y_ij x_i| m) at most, as it changes by at most itself."""
        if self.loss == "squared":
            moved = w @ constant(self.xx, w.grid)
            return constant(self.yx, w.grid) + moved * -1, size(chain(*self.xx)), ZERO
        x, y, means = (constant(matrix, w.grid) for matrix in self.samples)
        z, norms = w @ x * y, [*map(size, zip(*self.samples[0], strict=True))]
        sizes = [abs(v) * r for row in self.samples[1] for v, r in zip(row, norms, strict=True)]
        pull = logistic(z) if self.loss == "logistic" else exponential(z * -1)  # −φ'
        steep = sum((most + pull.error) * r * r for most, r in zip(pull.sums, sizes, strict=True))
        return pull * y @ means, up(steep / self.count / 2**w.bits), max(sizes)

class Stretch:
    """The polynomial of one step, its defect and the growth of errors along it."""
    def __init__(self, problem: GivenProblem, grid: Any, part: Any):
        self.problem, self.model, self.h = problem, problem.model, number(part["length"])
        shapes, widths = self.model.shapes[: self.model.count], part["widths"]
        data = [[base64.b85decode(text) for text in weight] for weight in part["terms"]]
        whole = [*map(len, data)] == [m * n for m, n in shapes] and 0 < len(widths) <= grid[1] + 1
        whole = whole and {*map(len, chain(*data))} == {sum(widths)} and min(widths) > 0 < self.h
        need(whole, "a step has no length, or no whole polynomial for every entry")
        ends = [*zip(accumulate(widths), widths, strict=True)]
        terms = [[[int.from_bytes(x[e - n : e], "little", signed=True) for e, n in ends] for x in w] for w in data]
        self.weights = [Curve(grid, *pair) for pair in zip(shapes, terms, strict=True)]
        self.values = self.model.values(self.weights)
        self.force, self.steep, self.reach = problem.force(self.values[-1])
        pulls, gaps = self.model.pull_back(self.values, self.force * -self.h), list[Fraction]()
        for weight, pull, decay in zip(self.weights, pulls, problem.decay, strict=True):
            slopes = [[k * c for k, c in enumerate(e)][1:] or [0] for e in weight.terms]
            gap = Curve(grid, weight.shape, slopes) + weight * (self.h * decay) + pull
            gaps += [Fraction(top + gap.error, 1 << gap.bits) for top in gap.sums]
        self.defect, self.unit = size(gaps), Fraction(1, 1 << grid[0])  # h D
        self.norms = [[v.norm(j) for v in [*self.values, self.force]] for j in range(PIECES)]

    def near(self, piece: int, radius: Fraction) -> tuple[Fraction, Fraction, Any]:  # changes of W and F; c
        moved, c = self.model.bounds(self.norms[piece][:-1], radius)
        return moved, up(self.steep * moved * exp(self.reach * moved)), c
    def rate(self, piece: int, radius: Fraction) -> Fraction:  # an upper bound of μ
        _, change, c = self.near(piece, radius)
        force, rows = self.norms[piece][-1] + change, zip(c, self.problem.decay, strict=True)
        return up(max(force * sum(row) - decay for row, decay in rows))

    def bound(self, error: Fraction) -> tuple[Fraction, Fraction]:
        """Return bounds of the error on the whole step and at its end."""
        source = error + self.defect
        radius = up(4 * source + self.unit)
        for _ in range(ATTEMPTS):
            rates = [self.rate(piece, radius) for piece in range(PIECES)]
            worst = exp(sum((max(mu, ZERO) for mu in rates), ZERO) * self.h / PIECES)
            inside = up(source * worst)
            if inside < radius:
                return inside, up(error * exp(sum(rates) * self.h / PIECES) + self.defect * worst)
            radius = up(8 * inside)
        raise Refuted("the error is not bounded: it may grow too much within a step")

    def judge(self, claim: Any, statement: Any, s: Fraction, error: Fraction) -> tuple[Any, Any, str]:
        """Return what is proven, what is claimed, and in words, where |θ − p(s)| ≤ error."""
        (about,), curves, moved = {"weights", "W", "loss"} & {*claim}, self.weights, error
        if about != "weights":
            curves = self.values[-1:]
            moved = self.near(min(int(s * PIECES), PIECES - 1), error)[0] + curves[0].off
        values = [self.problem.best if value == "best" else matrix_of(value)
                  for value in (claim["weights"] if about == "weights" else [claim.get("W", "best")])]
        need([*map(shape_of, values)] == [c.shape for c in curves], "a value has a wrong shape")
        gaps = list(map(sub, at(curves, s), chain(*chain(*values))))
        when = "in the limit" if claim["t"] == "oo" else f"at t = {claim['t']}"
        if about == "loss":  # ½A², and A = √tr(RΣ_xxRᵀ) changes by at most √|Σ_xx| m
            (factor, rate), xx = map(number, statement["bound"]), self.problem.xx
            rows = [gaps[k : k + len(xx)] for k in range(0, len(gaps), len(xx))]
            most = root(sum(map(mul, gaps, chain(*dot(rows, xx))), ZERO)) + root(size(chain(*xx))) * moved
            words = f"{when}, the loss is at most {factor} e^(−{rate} t) above its least value"
            return up(most**2 / 2), factor / exp(rate * number(claim["t"])), words
        near = "the W of least norm among those of least loss" if claim[about] == "best" else "the file's"
        words = f"{when}, {'W is' if about == 'W' else 'all weights are'} within {claim['radius']} of {near}"
        return up(size(gaps) + moved), number(claim["radius"]), words

    def path(self, constants: Any, error: Fraction) -> Fraction:
        """Bound the path that is left after this step; see 4. above."""
        need(bool(self.problem.best) and not any(self.problem.decay), "no limit is known", Refuted)
        (kappa, sigma), xx, w, last = map(number, constants), self.problem.xx, self.values[-1], PIECES - 1
        rows, off = list[list[Fraction]](), ZERO
        for k in range(len(w.terms)):  # the rows of J, rounded
            unit = Curve(w.grid, w.shape, [[(q == k) << w.bits] for q in range(len(w.terms))])
            pulls = self.model.pull_back(self.values, unit)
            rows.append([Fraction(x * SHORT // 1, SHORT) for x in at(pulls, ONE)])
            off += sum((pull.off for pull in pulls), Fraction(len(rows[k]), SHORT))
        each = [*product(range(len(self.problem.yx)), range(len(xx)))]
        whole = [[xx[a][b] * (i == k) for k, b in each] for i, a in each]  # from R to F = RΣ_xx
        moving, square = dot(whole, rows), dot(whole, whole)  # |JᵀF|² and |F|², as forms in R
        proven = exceeds(dot(moving, [*zip(*moving, strict=True)]), kappa**2, square) and min(kappa, sigma) > 0
        need(proven and exceeds(square, sigma, whole), "κ or σ is too large", Refuted)
        force = size(at([self.force], ONE)) + self.force.off + self.near(last, error)[1]
        radius = up(error + 4 * force / (kappa * sigma) + self.unit)
        for _ in range(ATTEMPTS):
            speed = kappa - off - radius * size(chain(*self.near(last, radius)[2]))
            length = up(force / (speed * sigma)) if speed > 0 else radius
            if error + length < radius:
                return length
            radius = up(2 * (error + length))
        raise Refuted("the flow may still leave where it converges")

def follow(problem: GivenProblem, evidence: Any, statement: Any) -> list[tuple[Any, Any, str]]:
    """Return for every claim what is proven, what is claimed, and its words."""
    grid, model, claims = (evidence["bits"], evidence["order"]), problem.model, statement["at"]
    samples = len(problem.samples[2]) * (grid[0] + 99) if problem.loss != "squared" else 0
    work = sum(m * n * PIECES for m, n in model.shapes) + 3 * sum(len(x) for _, t in model.steps for x in t or [])
    work += len(problem.yx) * (len(problem.xx) ** 2 + samples * (1 + len(problem.xx)))
    check_work((len(evidence["steps"]) + len(claims)) * work, max(700, 2 * grid[0] * (grid[1] + 1)))
    before, error, found, end = ZERO, size(chain(*chain(*problem.radii))), dict[int, Any](), [*chain(*chain(*problem.start))]
    times = [None if claim["t"] == "oo" else number(claim["t"]) for claim in claims]
    need(all(t is None or t.denominator < 1 << 299 for t in times), "a time has too many digits")
    for part in evidence["steps"]:
        step = Stretch(problem, grid, part)
        error = up(error + size(map(sub, at(step.weights, ZERO), end)))
        inside, after = step.bound(error)
        for k, t in enumerate(times):
            s = -ONE if t is None else (t - before) / step.h
            if 0 <= s <= 1 and k not in found:
                off = error if s == 0 else after if s == 1 else inside
                found[k] = step.judge(claims[k], statement, s, off)
        before, error, end = before + step.h, after, at(step.weights, ONE)
    if None in times:
        error += step.path(evidence["limit"], error)
        found |= {k: step.judge(claims[k], statement, ONE, error) for k, t in enumerate(times) if t is None}
    need(len(found) == len(times), "the steps end too early", Refuted)
    return [found[k] for k in range(len(times))]

def check_enclosure(given: Any, statement: Any, evidence: Any) -> list[str]:
    """Follow the steps, and compare; return what is proven, in words."""
    problem = GivenProblem(given, evidence.get("root of best"))
    found, last = follow(problem, evidence, statement), statement["at"][-1]["t"]
    for proven, claimed, words in found:
        need(proven <= claimed, f"no proof that {words}", Refuted)
    need(last == statement["horizon"], "the horizon is not the last time", Refuted)
    said = [f"For the gradient flow of W = {problem.model.names[-1]} with the {problem.loss} loss,",
            f"for the {problem.about} and {'all starts within the radii' if problem.radii else 'the start'} in the file (in the Frobenius norm):"]
    return [*said, *(f"  {words}" for *_, words in found), f"The horizon is t = {last}."]

def turned(word: Any) -> list[str]:  # the transpose
    return [x[:-1] if x[-1] == "'" else x + "'" for x in reversed(word)]
def check_law(given: Any, statement: Any, _: Any) -> list[str]:
    """Differentiate a quantity along the flow, and see the words with F cancel."""
    shapes = {name: tuple(map(str, size)) for name, size in given["shapes"].items()}
    rates = {name: number(rate) for name, rate in given["learning rates"].items()}
    need(all(x.isidentifier() and x != "F" for x in shapes), "a name is no name")
    model, law = ([(number(q), list(w)) for q, w in words] for words in (given["model"], statement["quantity"]))
    trace = bool(statement.get("trace"))
    for words in (model, law):
        sizes = [[shapes[x.removesuffix("'")][:: -1 if x[-1] == "'" else 1] for x in w] for _, w in words]
        ends, square = {(s[0][0], s[-1][1]) for s in sizes}, trace and words is law
        fits = all(a == b for a, b in ends) if square else len(ends) == 1
        need(fits and all(a[1] == b[0] for s in sizes for a, b in pairwise(s)), "sizes do not fit")
    check_work(len([*chain(*(w for _, w in law))]) * len([*chain(*(w for _, w in model))]), 10**5)
    left = Counter[tuple[str, ...]]()
    degrees = {sum(x.removesuffix("'") in rates for x in word) for _, word in law}
    for (q, word), (p, part) in product(law, model):
        for (i, x), (k, y) in product(enumerate(word), enumerate(part)):
            if x.removesuffix("'") == y.removesuffix("'") in rates:  # for a y b we get aᵀ F bᵀ
                piece = [*turned(part[:k]), "F", *turned(part[k + 1 :])]
                new = (*word[:i], *(piece if x == y else turned(piece)), *word[i + 1 :])
                if trace:  # which is that of a turned word, and of a transpose
                    new = min(w[n:] + w[:n] for w in (new, tuple(turned(new))) for n in range(len(w)))
                left[new] += p * q * rates[x.removesuffix("'")]  # type: ignore[assignment]
    need(not any(left.values()), "the words of Q' with F in them do not cancel", Refuted)
    rate = f"−{min(degrees)}λ Q" if len(degrees) == 1 else "0 if λ = 0"
    texts = [" + ".join(f"({p})·{'·'.join(w)}" for p, w in words) for words in (model, law)]
    return [f"Along every gradient flow of W = {texts[0]}, for every loss and all data, with weight",
            f"decay λ, Q = {'tr ' * trace}{texts[1]} obeys Q' = {rate}.",
            f"Sizes: {given['shapes']}; learning rates: {given['learning rates']}"]

def check(text: bytes) -> list[str]:  # what is proven, in words
    file = json.loads(text.decode(), parse_float=str, parse_constant=str)
    digest = file.pop("sha256")
    seal = hashlib.sha256(json.dumps(file, sort_keys=True, separators=(",", ":")).encode())
    need(seal.hexdigest() == digest, "it was changed: its digest differs")
    need(file["symflow certificate"] == 1, "it is of a later version")
    kind = {"enclosure": check_enclosure, "law": check_law}[file["statement"]["kind"]]
    return kind(file["problem"], file["statement"], file["evidence"])

def main(arguments: list[str]) -> tuple[int, str]:  # the exit code and what to say
    try:
        with open(arguments[0], "rb") as file:
            return 0, "\n".join(["PROVEN.", *check(file.read()), ""])
    except Refuted as reason:
        return 1, f"REFUTED: the file does not prove what it states: {reason}\n"
    except Exception as reason:  # noqa: BLE001 - whatever a damaged file leads to
        return 2, f"UNREADABLE: {type(reason).__name__}: {str(reason)[:200]}\n"

if __name__ == "__main__":
    exit_code, words = main(sys.argv[1:] or ["CERTIFICATE.json, to be named"])
    sys.stdout.write(words)
    sys.exit(exit_code)
