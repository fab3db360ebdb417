"""Check a certificate about a gradient flow, with ``python check.py FILE.json``.

Exit code 0: proven, and what is proven is printed; 1: refuted, it does not prove what it
states; 2: unreadable.  Nothing in the file is believed but the problem itself.

THE PROBLEM.  Weights θ = (θ_1, …, θ_L), which are matrices, follow the gradient flow
θ' = f(θ) = −∇ℒ(θ) from a start that is known exactly.  For a matrix W(θ) of polynomials
    ℒ(θ) = ½ tr(W Σ_xx Wᵀ) − tr(W Σ_yxᵀ) + Σ_l ½ λ_l |θ_l|² + a constant:
the squared loss of the model x → W(θ) x, in the moments of its data, and weight decay.
|·| is the Frobenius norm, ‖·‖ the spectral norm.  W is given as a list of operations;
its gradient follows by the chain rule, from the last operation back to the first,
beginning with the force F = −∂ℓ/∂W = Σ_yx − W Σ_xx.

THE EVIDENCE is a piecewise polynomial p(t), computed no matter how.  On a step of length
h it is p = Σ_k c_k s^k, where s = (time in the step) / h runs from 0 to 1.

1. THE DEFECT is D = max |p' − f(p)| on a step.  All matrices here have entries that are
   polynomials in s of order at most K, with coefficients n / 2^bits, n an integer, and
   come with a bound of what they are off by for 0 ≤ s ≤ 1.  After a product, the terms
   beyond K are dropped and the others are rounded to `bits` places: the sum of what is
   dropped and one unit per rounding go into the bound.  A polynomial is at most the sum
   of the absolute values of its coefficients, as 0 ≤ s ≤ 1.

2. HOW FAST ERRORS GROW.  Let e = |θ(t) − p(t)|, and for all weights that are within ρ
   of p(t), and all directions E, let ⟨E, Df E⟩ ≤ μ |E|².  While e ≤ ρ, e' ≤ μ e + D.
   With the derivatives W_E and W_EE of W along E,
       ⟨E, Df E⟩ = −tr(W_E Σ_xx W_Eᵀ) + ⟨F, W_EE⟩ − Σ_l λ_l |E_l|².
   The first term is not positive: Σ_xx is positive semidefinite, which is checked.  The
   second is at most ‖F‖ times the nuclear norm of W_EE.  For the value v of every
   operation four bounds follow from those of its operands, in the order of the list:
       ‖v‖ ≤ n at p,   |v(θ) − v(p)| ≤ m,   |v_E| ≤ Σ_l b_l |E_l|,
       nuclear norm of v_EE ≤ Σ_lk c_lk |E_l| |E_k|.
   For a product they rest on |xy| ≤ |x| ‖y‖, nuclear(xy) ≤ |x| |y| and nuclear(xy) ≤
   nuclear(x) ‖y‖, which hold for entrywise products too.  So μ is at most the largest
   eigenvalue of the matrix ‖F‖ c − diag(λ); in an L × L matrix with trace τ, whose
   squared entries have the sum q, it is at most τ/L + √((1 − 1/L)(q − τ²/L)).

3. THE COMPARISON.  A step is cut into pieces, of length h_j and with a bound μ_j each.
   Then e ≤ (e_0 + hD) exp(Σ max(μ_j, 0) h_j) on the step.  If that is below ρ, then e
   never reached ρ, and what was assumed is proven.  At the end of the step,
   e ≤ e_0 exp(Σ μ_j h_j) + hD exp(Σ max(μ_j, 0) h_j).

4. THE HANDOVER.  The next polynomial starts elsewhere: the distance is added to e.  In
   the beginning, e is the distance of the given start from the first polynomial.

LAWS FOR EVERY WIDTH.  If W is a sum of products of matrices ("words"), θ_l' = −λ θ_l +
η_l Σ aᵀFbᵀ, the sum over all occurrences W = … + a θ_l b + …, where F depends on loss
and data.  A sum Q of words with k weights each has Q' = −kλQ if the words with F cancel.
"""

import base64
import hashlib
import json
import re
import sys
from collections import Counter
from fractions import Fraction
from itertools import accumulate, chain, pairwise, product
from math import ceil, isqrt
from operator import add, mul, sub
from typing import Any

PIECES, ATTEMPTS, SQUARINGS = 8, 12, 5  # of a step; at choosing ρ; of a Gram matrix
MOST_WORK = 3e13  # products of bits: about half an hour
NUMBER = re.compile(r"-?\d{1,4000}(/\d{1,4000}|(\.\d{1,40})?(e[+-]?\d{1,4})?)", re.ASCII)
ZERO, ONE = Fraction(0), Fraction(1)
Matrix = list[list[Fraction]]
Grid = tuple[int, int]  # bits and order

class Refuted(Exception):
    """The file does not prove what it states; any other error: it is unreadable."""

def need(truth: bool, message: str, kind: type[Exception] = ValueError) -> None:
    """Stop unless something holds."""
    if not truth:
        raise kind(message)

def check_work(products: int, bits: int, *matrices: Any) -> None:
    """Stop before work that takes hours; with matrices, `bits` counts their entries."""
    sizes = ((x.numerator * x.denominator).bit_length() for x in chain(*chain(*matrices)))
    bits = bits * max(sizes, default=1)
    need(products * float(bits) ** 1.585 < MOST_WORK, "this would take hours to check")

def number(text: Any) -> Fraction:
    """Read an exact number, given as text: 12, -5/3 or 1.5e-50."""
    need(isinstance(text, str) and bool(NUMBER.fullmatch(text)), "no exact number")
    return Fraction(text)

def up(x: Fraction) -> Fraction:
    """Round up to 64 binary digits."""
    scale = Fraction(2) ** (64 - x.numerator.bit_length() + x.denominator.bit_length())
    return ceil(x * scale) / scale

def root(x: Fraction) -> Fraction:
    """Return an upper bound of √x."""
    places = max(0, 64 + (x.denominator.bit_length() - x.numerator.bit_length()) // 2)
    whole = isqrt((x.numerator << 2 * places) // x.denominator) + 1
    return Fraction(whole, 1 << places) if x else ZERO

def exp(x: Fraction) -> Fraction:
    """Return an upper bound of e^x = (e^y)^(2^k), y = x / 2^k, |y| ≤ 1."""
    x = max(x, Fraction(-4000))  # numbers of any size would take any time
    halvings = max(0, x.numerator.bit_length() - x.denominator.bit_length() + 1)
    need(halvings < 14, "the errors may grow beyond all measure", Refuted)
    y, term, total = up(x / 2**halvings), ONE, ONE
    for k in range(1, 23):
        term = term * y / k
        total += term
    value = up(total + abs(term))  # what is left of the series is below its last term
    for _ in range(halvings):
        value = up(value * value)
    return value

def size(entries: Any) -> Fraction:
    """Return an upper bound of the Frobenius norm |·|."""
    return root(sum((up(abs(x)) ** 2 for x in entries), ZERO))

def spectral(integers: list[int], rows: int, columns: int) -> Fraction:
    """Return an upper bound of the spectral norm: with G = AᵀA, ‖A‖^(2q) ≤ tr G^q."""
    shift = max(0, max(map(abs, integers)).bit_length() - 40)
    short = [x >> shift for x in integers]  # off by less than one unit each
    lines = [short[i * columns : (i + 1) * columns] for i in range(rows)]
    lines = lines if rows < columns else [list(c) for c in zip(*lines, strict=True)]
    for _ in range(SQUARINGS + 1):  # the first time, this forms the Gram matrix
        lines = [[sum(map(mul, a, b)) for b in lines] for a in lines]
    power = sum(line[i] for i, line in enumerate(lines)) << (32 << SQUARINGS)
    for _ in range(SQUARINGS + 1):
        power = isqrt(power) + 1
    return (Fraction(power, 1 << 16) + (rows * columns if shift else 0)) * (1 << shift)

def pack(terms: list[int], width: int) -> int:
    """Return a polynomial at 256^width: a large integer with a slot per coefficient."""
    half, halves = 1 << 8 * width - 1, (bytes(width - 1) + b"\x80") * len(terms)
    slots = b"".join((c + half).to_bytes(width, "little") for c in terms)
    return int.from_bytes(slots, "little") - int.from_bytes(halves, "little")

def unpack(value: int, width: int, count: int) -> list[int]:
    """Return the coefficients again; each is smaller than half a slot."""
    half, halves = 1 << 8 * width - 1, (bytes(width - 1) + b"\x80") * count
    slots = (value + int.from_bytes(halves, "little")).to_bytes(width * count, "little")
    return [x - half for x in cut(slots, [width] * count, signed=False)]

def cut(data: bytes, widths: list[int], *, signed: bool) -> list[int]:
    """Return the integers that take up so many bytes each."""
    ends = zip(accumulate(widths), widths, strict=True)
    return [int.from_bytes(data[e - w : e], "little", signed=signed) for e, w in ends]

class Curve:
    """Entries Σ_k terms[i][k] s^k / 2^bits, each off by at most error / 2^bits."""

    def __init__(self, shape: tuple[int, int], terms: list[list[int]], error: int = 0):
        self.shape, self.terms, self.error = shape, terms, error
        self.top = max(map(abs, chain(*terms)))
        self.sums = [sum(map(abs, entry)) for entry in terms]

    def norm(self, piece: int, bits: int) -> Fraction:
        """Bound ‖·‖ on a piece, by its middle and half the length times the slope."""
        middle, slope = [0] * len(self.terms), []
        for i, entry in enumerate(self.terms):
            for c in reversed(entry):  # Horner; the roundings stay below 2 PIECES
                middle[i] = middle[i] * (2 * piece + 1) // (2 * PIECES) + c
            slope.append(Fraction(sum(k * abs(c) for k, c in enumerate(entry))))
        off = (2 * PIECES + self.error) * len(middle)
        near = spectral(middle, *self.shape) + off + size(slope) / (2 * PIECES)
        return up(near / 2**bits)

def constant(matrix: Matrix, grid: Grid) -> Curve:
    """Return a constant matrix, rounded down."""
    values = [(x.numerator << grid[0], x.denominator) for x in chain(*matrix)]
    error = int(any(a % b for a, b in values))
    return Curve(shape_of(matrix), [[a // b] for a, b in values], error)

def plus(a: Curve, b: Curve) -> Curve:
    """Return a + b."""
    pairs = zip(a.terms, b.terms, strict=True)
    terms = [[*map(add, x, y), *x[len(y) :], *y[len(x) :]] for x, y in pairs]
    return Curve(a.shape, terms, a.error + b.error)

def times(a: Curve, b: Curve, shape: Any, table: Any, grid: Grid) -> Curve:
    """Return the matrix whose entries are sums of the products listed in the table."""
    (bits, order), most = grid, max(map(len, table))
    left, right = (max(map(len, x.terms)) for x in (a, b))
    bound = a.top.bit_length() + b.top.bit_length() + (most * left).bit_length() + 2
    width, count, terms, dropped = bound // 8 + 1, left + right - 1, [], 0
    xs, ys = ([pack(entry, width) for entry in x.terms] for x in (a, b))
    for pairs in table:
        exact = unpack(sum(xs[i] * ys[j] for i, j in pairs), width, count)
        terms.append([c >> bits for c in exact[: order + 1]])
        dropped = max(dropped, sum(map(abs, exact[order + 1 :])))
    off = max(a.sums) * b.error + a.error * max(b.sums) + a.error * b.error
    error = -(-(dropped + most * off) // (1 << bits)) + min(count, order + 1)
    return Curve(shape, terms, error)

def scaled(factor: Fraction, a: Curve, grid: Grid) -> Curve:
    """Return a multiple."""
    table = [[(k, 0)] for k in range(len(a.terms))]
    return times(a, constant([[factor]], grid), a.shape, table, grid)

def shape_of(matrix: Any) -> tuple[int, int]:
    """Return rows and columns."""
    return len(matrix), len(matrix[0])

def matrix_of(value: Any) -> Matrix:
    """Read a matrix of exact numbers."""
    matrix = [[number(x) for x in row] for row in value]
    need(len({*map(len, matrix)} | {0}) == 2, "a matrix needs rows of one length")
    return matrix

def moment(a: Matrix, b: Matrix, divisor: Fraction) -> Matrix:
    """Return aᵀb / divisor, exactly."""
    check_work(len(a) * len(a[0]) * len(b[0]), 2 * len(a), a, b)
    x, y = ([list(column) for column in zip(*m, strict=True)] for m in (a, b))
    return [[sum(map(mul, r, c), ZERO) / divisor for c in y] for r in x]

def is_semidefinite(matrix: Matrix) -> bool:
    """Say whether an exact matrix is symmetric and positive semidefinite."""
    rest = [list(row) for row in matrix]
    check_work(len(rest) ** 3, len(rest), rest)
    if rest != [list(column) for column in zip(*rest, strict=True)]:
        return False
    for k, row in enumerate(rest):  # elimination: no pivot may be negative
        if row[k] < 0 or (row[k] == 0 and any(row)):
            return False
        for line in rest[k + 1 :] if row[k] else []:
            line[:] = [x - line[k] / row[k] * y for x, y in zip(line, row, strict=True)]
    return True

def table_of(rows: int, inner: int, columns: int) -> list[list[tuple[int, int]]]:
    """Return which entries are multiplied for every entry of a matrix product."""
    places = ((i * inner, j) for i in range(rows) for j in range(columns))
    return [[(i + k, k * columns + j) for k in range(inner)] for i, j in places]

class Operations:
    """W(θ): slots for the weights, [[1]] and other constants, then for the operations.

    An operation adds up the products of entries of two slots that its table lists, or has
    no table and adds two matrices.  If it is given one slot, the other one holds the [[1]].
    """

    def __init__(self, start: list[Matrix], given: Any):
        self.constants = [[[ONE]], *map(matrix_of, given["constants"])]
        self.names, self.count = [str(name) for name in given["weights"]], len(start)
        need(self.count == len(self.names) > 0, "every weight needs a name")
        self.names += [str(m[0][0]) if len(m) == 1 else "C" for m in self.constants]
        self.shapes, self.wide = [*map(shape_of, [*start, *self.constants])], set[int]()
        self.first, self.steps = len(self.shapes), list[tuple[list[int], Any]]()
        for step in given["model"]:
            self._read(*step)

    def _read(self, name: str, *rest: Any) -> None:
        two = 2 if name in ("matmul", "hadamard", "add", "scale") else 1
        reads, table = [*rest[:two], *[self.count] * (2 - two)], None
        need(all(k in range(len(self.shapes)) for k in reads), "an operand is not there")
        match name, [self.shapes[k] for k in reads], rest[two:]:
            case "add" | "hadamard", [shape, other], () if shape == other:
                size = shape[0] * shape[1] if name == "hadamard" else 0
                table = [[(k, k)] for k in range(size)]
            case "matmul", [(rows, inner), (same, columns)], () if inner == same:
                table, shape = table_of(rows, inner, columns), (rows, columns)
            case "scale", [shape, (1, 1)], ():
                table = [[(k, 0)] for k in range(shape[0] * shape[1])]
            case "transpose", [(rows, columns), _], ():
                shape, all_of_them = (columns, rows), range(rows * columns)
                table = [[(k, 0)] for j in range(columns) for k in all_of_them[j::columns]]
            case "place", [(rows, columns), _], (*shape, sources):
                table, top = [[(k, 0)] * (k >= 0) for k in sources], max(sources)
                fits = len(shape) == 2 and len(table) == shape[0] * shape[1] > 0
                need(fits and 0 <= top < rows * columns, "an entry has no source")
                self.wide.add(len(self.shapes))
            case _:
                raise ValueError("an operation is unknown, or its shapes do not fit")
        text = ", ".join(self.names[k] for k in reads[:two])
        self.names.append(f"{name}({text if len(text) < 400 else '…'})")
        self.shapes.append((shape[0], shape[1]))
        self.steps.append((reads, table))

    def values(self, weights: list[Curve], grid: Grid) -> list[Curve]:
        """Return the value of every slot; the last one is W."""
        found = [*weights, *(constant(matrix, grid) for matrix in self.constants)]
        for (i, j), table in self.steps:
            shape, x, y = self.shapes[len(found)], found[i], found[j]
            found.append(times(x, y, shape, table, grid) if table else plus(x, y))
        return found

    def pull_back(self, values: list[Curve], force: Curve, grid: Grid) -> list[Any]:
        """Return ⟨F, ∂W/∂θ_l⟩ for every weight, by the chain rule backwards."""
        total: list[Any] = [None] * (len(values) - 1) + [force]
        for slot in reversed(range(self.first, len(values))):
            (reads, table), g = self.steps[slot - self.first], total[slot]
            for side, read in enumerate(reads if g is not None else []):
                if self.count <= read < self.first:
                    continue  # a constant
                part, back = g, [list[Any]() for _ in values[read].terms]
                for entry, pairs in enumerate(table or []):  # the table, turned
                    for pair in pairs:
                        back[pair[side]].append((entry, pair[1 - side]))
                if table:
                    part = times(g, values[reads[1 - side]], self.shapes[read], back, grid)
                total[read] = part if total[read] is None else plus(total[read], part)
        return total[: self.count]

    def bounds(self, norms: list[Fraction], radius: Fraction) -> tuple[Any, Any]:
        """Return m and c of W, for weights within a radius (see 2. above)."""
        each, zeros = range(self.count), [ZERO] * self.count
        unit = [(radius, [Fraction(k == s) for k in each], [zeros] * self.count) for s in each]
        found = [*unit, *[(ZERO, zeros, [zeros] * self.count)] * len(self.constants)]
        for (i, j), table in self.steps:
            (m, b, c), (n, d, e), wider = found[i], found[j], ONE
            f, g, h = (norms[j] + n, norms[i] + m, norms[i]) if table else [ONE] * 3
            if len(found) in self.wide:  # entries that are placed, perhaps repeatedly
                f = root(Fraction(max(Counter(chain(*table)).values())))
                wider = root(Fraction(min(self.shapes[len(found)])))
            mixed = [[(b[k] * d[q] + b[q] * d[k]) * bool(table) for q in each] for k in each]
            c = [[up((x * f + g * y) * wider + z) for x, y, z in zip(*rows, strict=True)]
                 for rows in zip(c, e, mixed, strict=True)]
            found.append((up(m * f + h * n), [up(b[k] * f + g * d[k]) for k in each], c))
        return found[-1][0], found[-1][2]

class GivenProblem:
    """Operations, data and start."""

    def __init__(self, given: Any):
        self.start, data = [matrix_of(w) for w in given["start"]], given["data"]
        self.model, self.about = Operations(self.start, given), "samples"
        self.decay = [number(x) for x in given["weight decay"]]
        if "X" in data:
            x, y, n = matrix_of(data["X"]), matrix_of(data["Y"]), number(data["divisor"])
            need(len(x) == len(y) and n > 0, "samples need inputs and outputs")
            self.xx, self.yx = moment(x, x, n), moment(y, x, n)
        else:
            self.xx, self.yx = matrix_of(data["sigma_xx"]), matrix_of(data["sigma_yx"])
            self.about = "moments"
        fits = shape_of(self.xx) == (len(self.yx[0]),) * 2
        fits = fits and shape_of(self.yx) == self.model.shapes[-1]
        need(fits and len(self.decay) == len(self.start), "model and data do not fit")
        need(min(self.decay) >= 0, "a weight decay is below zero", Refuted)
        need(is_semidefinite(self.xx), "Σ_xx is not positive semidefinite", Refuted)

    def check_work(self, grid: Grid, steps: int) -> None:
        """Stop if the steps would take hours."""
        tables = [sum(map(len, table)) for _, table in self.model.steps if table]
        products = 3 * sum(tables) + len(self.yx) * len(self.xx) ** 2
        cubes = sum(m * n * min(m, n) for m, n in self.model.shapes) * PIECES * SQUARINGS
        check_work(steps * (products + cubes), max(700, 2 * grid[0] * (grid[1] + 1)))

class Stretch:
    """The polynomial of one step, its defect and the growth of errors along it."""

    def __init__(self, problem: GivenProblem, grid: Grid, part: Any):
        self.problem, self.bits, self.h = problem, grid[0], number(part["length"])
        shapes, widths = problem.model.shapes[: problem.model.count], part["widths"]
        whole = [len(weight) for weight in part["terms"]] == [m * n for m, n in shapes]
        fits = 0 < len(widths) <= grid[1] + 1 and min(widths) > 0 < self.h
        need(whole and fits, "a step has no length, or no polynomial for every entry")
        data = [[base64.b85decode(text) for text in weight] for weight in part["terms"]]
        need({*map(len, chain(*data))} == {sum(widths)}, "a polynomial is cut off")
        terms = [[cut(entry, widths, signed=True) for entry in weight] for weight in data]
        self.weights = [Curve(*pair) for pair in zip(shapes, terms, strict=True)]
        values = problem.model.values(self.weights, grid)
        table, shape = table_of(len(problem.yx), *shape_of(problem.xx)), values[-1].shape
        moved = times(values[-1], constant(problem.xx, grid), shape, table, grid)
        force = plus(constant(problem.yx, grid), scaled(-ONE, moved, grid))
        gaps, forces = [], problem.model.pull_back(values, scaled(-self.h, force, grid), grid)
        for weight, pull, decay in zip(self.weights, forces, problem.decay, strict=True):
            slopes = [[k * c for k, c in enumerate(e)][1:] or [0] for e in weight.terms]
            gap = plus(Curve(weight.shape, slopes), scaled(self.h * decay, weight, grid))
            gap = plus(gap, pull) if pull else gap
            gaps += [Fraction(top + gap.error, 1 << self.bits) for top in gap.sums]
        self.defect = size(gaps)  # h D
        self.norms = [[v.norm(j, self.bits) for v in [*values, force]] for j in range(PIECES)]

    def rate(self, piece: int, radius: Fraction) -> Fraction:
        """Return an upper bound of μ on a piece, within a radius of the polynomial."""
        *norms, force = self.norms[piece]
        moved, c = self.problem.model.bounds(norms, radius)
        force += moved * size(chain(*self.problem.xx))
        matrix = [[force * x for x in row] for row in c]
        for k, decay in enumerate(self.problem.decay):
            matrix[k][k] -= decay
        count, trace = len(c), sum((row[k] for k, row in enumerate(matrix)), ZERO)
        spread = sum((x * x for x in chain(*matrix)), ZERO) - trace**2 / count
        return up(trace / count + root(spread * (count - 1) / count))

    def bound(self, error: Fraction) -> tuple[Fraction, Fraction]:
        """Return bounds of the error on the whole step and at its end."""
        source = error + self.defect
        radius = up(4 * source + Fraction(1, 1 << self.bits))
        for _ in range(ATTEMPTS):
            rates = [self.rate(piece, radius) for piece in range(PIECES)]
            worst = exp(sum((max(mu, ZERO) for mu in rates), ZERO) * self.h / PIECES)
            inside = up(source * worst)
            if inside < radius:
                growth = exp(sum(rates, ZERO) * self.h / PIECES)
                return inside, up(error * growth + self.defect * worst)
            radius = up(8 * inside)
        raise Refuted("the error is not bounded: it may grow too much within a step")

    def at(self, s: Fraction) -> list[Fraction]:
        """Return all entries of the polynomial at s, exactly."""
        entries = list(chain(*(weight.terms for weight in self.weights)))
        powers = [s**k / 2**self.bits for k in range(max(map(len, entries)))]
        return [sum(map(mul, powers, entry), ZERO) for entry in entries]

def follow(problem: GivenProblem, grid: Grid, steps: Any, claims: Any) -> list[Fraction]:
    """Return bounds of the distances between the flow and the weights at some times."""
    problem.check_work(grid, len(steps))
    before, error, found = ZERO, ZERO, dict[int, Fraction]()
    end = list(chain(*chain(*problem.start)))
    for part in steps:
        step = Stretch(problem, grid, part)
        error = up(error + size(map(sub, step.at(ZERO), end)))
        inside, after = step.bound(error)
        for k, (t, weights) in enumerate(claims):
            s = (t - before) / step.h
            if 0 <= s <= 1 and k not in found:
                off = size(map(sub, step.at(s), chain(*chain(*weights))))
                found[k] = up(off + (error if s == 0 else after if s == 1 else inside))
        before, error, end = before + step.h, after, step.at(ONE)
    need(len(found) == len(claims), "the steps end too early", Refuted)
    return [found[k] for k in range(len(claims))]

def check_enclosure(given: Any, statement: Any, evidence: Any) -> list[str]:
    """Follow the steps, and compare; return what is proven, in words."""
    problem, at, grid = GivenProblem(given), statement["at"], (evidence["bits"], evidence["order"])
    claims = [(number(c["t"]), [matrix_of(w) for w in c["weights"]]) for c in at]
    fits = all([*map(shape_of, w)] == [*map(shape_of, problem.start)] for _, w in claims)
    need(fits and all(t.denominator < 1 << 999 for t, _ in claims), "no time or weights")
    last = number(statement["horizon"]) == max(t for t, _ in claims)
    need(last, "the horizon is not the last time", Refuted)
    radii = follow(problem, grid, evidence["steps"], claims)
    said = [f"The gradient flow of W = {problem.model.names[-1]}, with the squared loss",
            f"for the {problem.about} and the start in the file, is within these distances",
            "(Frobenius norm of all weights together) of the weights that the file states:"]
    for claim, radius in zip(at, radii, strict=True):
        said.append(f"  within {claim['radius']} at t = {claim['t']}")
        need(radius <= number(claim["radius"]), f"no proof that it is{said[-1]}", Refuted)
    return [*said, f"The horizon is t = {statement['horizon']}."]

def words_of(value: Any, shapes: dict[str, Any]) -> list[tuple[Fraction, list[str]]]:
    """Read a sum of words of one size; a letter is a matrix W or a transpose W'."""
    words, ends = [(number(factor), list(letters)) for factor, letters in value], set()
    for _, word in words:
        sizes = [shapes[x.rstrip("'")][:: -1 if x[-1] == "'" else 1] for x in word]
        need(all(a[1] == b[0] for a, b in pairwise(sizes)), "sizes do not fit")
        ends.add((sizes[0][0], sizes[-1][1]))
    need(len(ends) == 1, "the words differ in size")
    return words

def turned(word: list[str]) -> list[str]:
    """Return the transpose of a word."""
    return [x[:-1] if x[-1] == "'" else x + "'" for x in reversed(word)]

def check_law(given: Any, statement: Any, _: Any) -> list[str]:
    """Differentiate a quantity along the flow, and see the words with F cancel."""
    shapes = {name: tuple(map(str, size)) for name, size in given["shapes"].items()}
    rates = {name: number(rate) for name, rate in given["learning rates"].items()}
    need(all(x.isidentifier() and x != "F" for x in shapes), "a name is no name")
    model, law = (words_of(x, shapes) for x in (given["model"], statement["quantity"]))
    letters = [sum(len(word) for _, word in words) for words in (model, law)]
    check_work(letters[0] * letters[1], 10**5)
    left = Counter[tuple[str, ...]]()
    degrees = {sum(x.rstrip("'") in rates for x in word) for _, word in law}
    for (q, word), (p, part) in product(law, model):
        for (i, x), (k, y) in product(enumerate(word), enumerate(part)):
            if x.rstrip("'") == y.rstrip("'") in rates:  # for a y b we get aᵀ F bᵀ
                piece = [*turned(part[:k]), "F", *turned(part[k + 1 :])]
                piece = turned(piece) if x != y else piece
                new = (*word[:i], *piece, *word[i + 1 :])
                left[new] += p * q * rates[x.rstrip("'")]  # type: ignore[assignment]
    need(not any(left.values()), "the words of Q' with F in them do not cancel", Refuted)
    need(len(degrees) == 1 and min(degrees) > 0, "the words differ in degree", Refuted)
    texts = [" + ".join(f"({p})·{'·'.join(w)}" for p, w in words) for words in (model, law)]
    return [f"Along every gradient flow of W = {texts[0]}, for every loss and all data,",
            f"Q = {texts[1]} obeys Q' = −{min(degrees)}λ Q", "with the weight decay λ: it is "
            f"conserved without decay.  Sizes: {given['shapes']}; rates: {given['learning rates']}"]

def check(text: bytes) -> list[str]:
    """Check a file; return what is proven, in words."""
    file = json.loads(text.decode(), parse_float=str, parse_constant=str)
    digest = file.pop("sha256")
    content = json.dumps(file, sort_keys=True, separators=(",", ":")).encode()
    need(hashlib.sha256(content).hexdigest() == digest, "it was changed: its digest differs")
    need(file["symflow certificate"] == 1, "it is of a later version")
    kind = {"enclosure": check_enclosure, "law": check_law}[file["statement"]["kind"]]
    return kind(file["problem"], file["statement"], file["evidence"])

def main(arguments: list[str]) -> tuple[int, str]:
    """Return the exit code and what to say."""
    try:
        with open(arguments[0], "rb") as file:
            return 0, "\n".join(["PROVEN.", *check(file.read()), ""])
    except Refuted as reason:
        return 1, f"REFUTED: the file does not prove what it states: {reason}\n"
    except Exception as reason:  # noqa: BLE001 - whatever a damaged file leads to
        return 2, f"UNREADABLE: {type(reason).__name__}: {str(reason)[:200]}\n"

if __name__ == "__main__":
    exit_code, words = main(sys.argv[1:])
    sys.stdout.write(words)
    sys.exit(exit_code)
