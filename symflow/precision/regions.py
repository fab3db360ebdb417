"""Programs in ball matrices, and on regions: how far values can move with their inputs.

A region is {C + E : ‖E‖_F ≤ δ, |E_ij| ≤ ε} around a real matrix C, with real or complex
E.  Every operation of a program maps its operands' regions into one around the image of
their centres; `OPERATIONS` says with which δ and ε.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from flint import arb, arb_mat

from symflow.algebra.threads import cached_property
from symflow.codegen import Instruction, Program
from symflow.codegen.series_rules import entry_places
from symflow.errors import NoClosedForm
from symflow.precision.balls import (
    ALONE,
    NORM_BITS,
    present_bits,
    root,
    size_of,
    spectral,
    to_arb,
    workbits,
)


class Move(NamedTuple):
    """How far a matrix can move."""

    total: Any  # bound δ of the Frobenius norm of the move
    peak: Any  # bound ε of its entries

    def times(self, factor: Any) -> Move:
        """Return the move of a multiple."""
        return Move(self.total * factor, self.peak * factor)

    def plus(self, other: Move) -> Move:
        """Return the move of a sum."""
        return Move(self.total + other.total, self.peak + other.peak)

    @property
    def bounded(self) -> Move:
        """Exact upper ends; infinite where there is no bound."""
        ends = (x.upper() if x.is_finite() else arb.pos_inf() for x in self)
        return Move(*ends)


class Centre:
    """A ball matrix, or a count, with norms that are computed when they are used."""

    def __init__(self, value: Any) -> None:
        self.value = value

    @cached_property
    def frobenius(self) -> Any:
        """Bound of the Frobenius norm."""
        return size_of([self.value])

    @cached_property
    def spectral(self) -> Any:
        """Bound of the spectral norm."""
        return spectral(self.value)

    @cached_property
    def peak(self) -> Any:
        """Bound of the entries."""
        return max(entry.abs_upper() for entry in self.value.entries())

    @cached_property
    def row(self) -> Any:
        """Bound of the norms of the rows."""
        return longest_row(self.value)

    @cached_property
    def column(self) -> Any:
        """Bound of the norms of the columns."""
        return longest_row(self.value.transpose())


class Operand(NamedTuple):
    """A centre and how far it can move."""

    centre: Centre
    move: Move


Image = Callable[..., Any]
Spread = Callable[..., Move]


class Operation(NamedTuple):
    """How an operation acts on ball matrices and on regions."""

    image: Image  # from the instruction and its operands' ball matrices to the result
    spread: Spread  # from the instruction and its operands to how far the result moves


def longest_row(matrix: Any) -> Any:
    """Return a bound of the Euclidean norms of the rows."""
    rows = matrix.tolist()
    return max(root(sum((entry * entry for entry in row), arb(0))) for row in rows)


def evaluate_balls(program: Program, inputs: Sequence[Any]) -> list[Any]:
    """Run a program on ball matrices, at the current precision.

    Returns the value of every slot, inputs included.

    Raises NoClosedForm if the program has an operation without ball arithmetic.
    """
    values = list(inputs)
    for step in program.instructions:
        operands = [values[slot] for slot in step.operands]
        values.append(_operation(step).image(step, *operands))
    return values


class Regions:
    """A program on regions around one point.

    `inputs` are the centres, one arb_mat per input.
    """

    def __init__(self, program: Program, inputs: Sequence[Any]) -> None:
        self._program = program
        self._values = [Centre(value) for value in evaluate_balls(program, inputs)]
        self._slots = [output.slot for output in program.outputs]

    @property
    def centres(self) -> list[Any]:
        """The outputs at the centre."""
        return [self._values[slot].value for slot in self._slots]

    def spreads(self, inputs: Sequence[Any]) -> list[Any]:
        """Return bounds of how far the outputs move when the inputs do, or infinity.

        `inputs` are Frobenius distances; inputs after these do not move.
        """
        still = self._program.first_slot - len(inputs)
        moves = [Move(x, x) for x in (*inputs, *[arb(0)] * still)]
        for step in self._program.instructions:
            operands = [Operand(self._values[n], moves[n]) for n in step.operands]
            moves.append(_operation(step).spread(step, *operands).bounded)
        return [moves[slot].total for slot in self._slots]


def _operation(step: Instruction) -> Operation:
    if step.operation not in OPERATIONS:
        msg = f"enclose: no ball arithmetic for the operation {step.operation!r}"
        raise NoClosedForm(msg)
    return OPERATIONS[step.operation]


@lru_cache(maxsize=256)
def _constant(value: Any, precision: int) -> Any:
    with ALONE, workbits(precision):
        return to_arb(value)


def _scale(step: Instruction, matrix: Any) -> Any:
    return matrix * _constant(step.constant, present_bits())


def _scale_move(step: Instruction, operand: Operand) -> Move:
    return operand.move.times(_constant(step.constant, NORM_BITS).abs_upper())


def _entries(function: Callable[[Any], Any]) -> Image:
    def image(step: Instruction, matrix: Any) -> Any:
        flat = [function(entry) for entry in matrix.entries()]
        return arb_mat(matrix.nrows(), matrix.ncols(), flat)

    return image


def _hadamard(step: Instruction, left: Any, right: Any) -> Any:
    pairs = zip(left.entries(), right.entries(), strict=True)
    return arb_mat(left.nrows(), left.ncols(), [a * b for a, b in pairs])


def _moved(step: Instruction, matrix: Any, *count: int) -> Any:
    """Return a matrix whose entries are entries of the operand, or zero."""
    shape = (matrix.nrows(), matrix.ncols())
    size = shape[0] if step.constant is None else int(step.constant)
    size = count[0] if count else size
    where, flat = entry_places(step.operation, shape, size), matrix.entries()
    chosen = [arb(0) if at < 0 else flat[at] for at in where.ravel().tolist()]
    rows, columns = where.shape
    return arb_mat(rows, columns, chosen)


def _circulant_sums(step: Instruction, matrix: Any) -> Any:
    rows, flat = matrix.nrows(), matrix.entries()
    size = rows if step.constant is None else int(step.constant)
    sums = [
        sum((flat[row * rows + (row + tap) % rows] for row in range(rows)), arb(0))
        for tap in range(size)
    ]
    return arb_mat(size, 1, sums)


def _inner(step: Instruction, left: Any, right: Any) -> Any:
    return arb_mat([[(left.transpose() * right).trace()]])


def _kron(step: Instruction, left: Any, right: Any) -> Any:
    flat = [a * b for a in left.entries() for b in right.entries()]
    return arb_mat(len(flat), 1, flat)


def _given(step: Instruction) -> Any:
    rows = step.constant.tolist() if step.constant is not None else []
    return arb_mat([[to_arb(entry) for entry in row] for row in rows])


def _identity(step: Instruction, *rows: int) -> Any:
    size = int(rows[0] if step.constant is None else step.constant)
    return arb_mat(size, size, [int(k % (size + 1) == 0) for k in range(size**2)])


def _unmoved(step: Instruction, *operands: Operand) -> Move:
    return Move(arb(0), arb(0))


def _same(step: Instruction, operand: Operand, *count: Operand) -> Move:
    return operand.move


def _sum_move(step: Instruction, left: Operand, right: Operand) -> Move:
    return left.move.plus(right.move)


def _divide_move(step: Instruction, matrix: Operand, divisor: Operand) -> Move:
    return matrix.move.times(arb(1) / divisor.centre.value)


def _matmul_move(step: Instruction, left: Operand, right: Operand) -> Move:
    """Bound (A + D)(B + E) − AB = AE + DB + DE; entries by rows times columns."""
    first, second = left.move.total, right.move.total
    both = first * second
    total = left.centre.spectral * second + first * right.centre.spectral + both
    return Move(total, left.centre.row * second + first * right.centre.column + both)


def _hadamard_move(step: Instruction, left: Operand, right: Operand) -> Move:
    """Bound A ∘ E + D ∘ B + D ∘ E."""
    top, other = left.centre.peak, right.centre.peak
    return right.move.times(top + left.move.peak).plus(left.move.times(other))


def _inner_move(step: Instruction, left: Operand, right: Operand) -> Move:
    """Bound ⟨A, E⟩ + ⟨D, B⟩ + ⟨D, E⟩, and Kronecker products alike."""
    first, second = left.move.total, right.move.total
    total = left.centre.frobenius * second + first * right.centre.frobenius
    return Move(total + first * second, total + first * second)


def _sums_move(step: Instruction, operand: Operand) -> Move:
    """Bound the trace by √n ‖E‖, and sums over cyclic diagonals alike."""
    total = operand.move.total * arb(operand.centre.value.nrows()).sqrt()
    return Move(total, total)


def _circulant_move(step: Instruction, operand: Operand) -> Move:
    """Bound a circulant matrix, which repeats every tap d times."""
    rows = operand.centre.value.nrows()
    size = rows if step.constant is None else int(step.constant)
    return Move(operand.move.total * arb(size).sqrt(), operand.move.peak)


def _exp_move(step: Instruction, operand: Operand) -> Move:
    """Bound exp C ∘ (exp E − 1) by |exp x − 1| ≤ |x| exp ε."""
    top = max(entry.exp().upper() for entry in operand.centre.value.entries())
    return operand.move.times(top * operand.move.peak.exp())


def _sigmoid_move(step: Instruction, operand: Operand) -> Move:
    """Bound σ' by ½, which holds for |Im z| ≤ π/2; there is no bound beyond."""
    if not operand.move.peak < arb.pi() / 2:
        return Move(arb.pos_inf(), arb.pos_inf())
    return operand.move.times(arb(0.5))


#: Ball arithmetic of every operation that has a Taylor recurrence.
OPERATIONS: dict[str, Operation] = {
    "matmul": Operation(lambda step, a, b: a * b, _matmul_move),
    "hadamard": Operation(_hadamard, _hadamard_move),
    "inner": Operation(_inner, _inner_move),
    "kron": Operation(_kron, _inner_move),
    "constant": Operation(_given, _unmoved),
    "identity": Operation(_identity, _unmoved),
    "add": Operation(lambda step, a, b: a + b, _sum_move),
    "subtract": Operation(lambda step, a, b: a - b, _sum_move),
    "scale": Operation(_scale, _scale_move),
    "divide": Operation(lambda step, a, n: a * (arb(1) / n), _divide_move),
    "transpose": Operation(lambda step, a: a.transpose(), _same),
    "rows": Operation(lambda step, a: a.nrows(), _unmoved),
    "columns": Operation(lambda step, a: a.ncols(), _unmoved),
    "trace": Operation(lambda step, a: arb_mat([[a.trace()]]), _sums_move),
    "diag": Operation(_moved, _same),
    "diagonal": Operation(_moved, _same),
    "pad": Operation(_moved, _same),
    "crop": Operation(_moved, _same),
    "vec": Operation(_moved, _same),
    "unvec": Operation(_moved, _same),
    "circulant": Operation(_moved, _circulant_move),
    "circulant_sums": Operation(_circulant_sums, _sums_move),
    "exp": Operation(_entries(lambda x: x.exp()), _exp_move),
    "sigmoid": Operation(_entries(lambda x: 1 / (1 + (-x).exp())), _sigmoid_move),
}
