"""The table of the README: the time of others over that of symflow, one row a task.

    python tests/benchmarks/headline.py [--quick] [--limit SECONDS]

Every cell is a process of its own on one core; CPU seconds count, with compilation.  A
peer that takes longer than the limit, or is not installed, says so in its place.
"""

import argparse
import math

import precision
import simulators


def kernel(peer, size, limit):
    """Return the time of a right-hand side by hand over the one that is bound."""
    found = simulators.measured("rhs", peer, size, limit)
    return found if isinstance(found, str) else ratio(found["other"], found["peer"])


def entrywise(size, limit):
    """Return the time of SymPy's own code over the right-hand side that is bound."""
    cells = [
        simulators.measured("rhs", one, size, limit) for one in ("entrywise", "bound")
    ]
    words = [cell for cell in cells if isinstance(cell, str)]
    slow, fast = (cell if words else cell["peer"] / cell["other"] for cell in cells)
    return words[0] if words else ratio(slow, fast)


def simulated(table, peer, size, limit):
    """Return the time of a peer over that of symflow."""
    found = simulators.measured(table, peer, size, limit)
    return found if isinstance(found, str) else ratio(found["peer"], found["other"])


def sharp(route, size, digits, limit):
    """Return the time of a route to many digits over that of `precise`."""
    if not precision.sensible(route, (size,) * 3, digits):
        return "absent"
    widths = (size,) * 3
    own, other = (
        precision.measure(one, widths, digits, limit)[0] for one in ("precise", route)
    )
    words = [time for time in (other, own) if isinstance(time, str)]
    return words[0] if words else ratio(other, own)


def ratio(other, own):
    """Return a ratio in two digits."""
    quotient = other / own
    return f"{quotient:.{max(0, 1 - math.floor(math.log10(quotient)))}f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument(
        "--quick", action="store_true", help="the first cell of each row"
    )
    parser.add_argument("--limit", type=float, default=60, help="seconds per cell")
    options = parser.parse_args()
    limit = options.limit

    def row(task, peer, sizes, cell):
        cells = [cell(size) for size in (sizes[:1] if options.quick else sizes)]
        print(f"| {task} | {peer} | {', '.join(cells)} |", flush=True)

    print("| task | against | ratio |\n|---|---|---|")
    row(
        "right-hand side, bound to its data: 10×10×10, 50×50×50, 200×200×200",
        "NumPy by hand",
        (10, 50, 200),
        lambda d: kernel("bound", d, limit),
    )
    row(
        "the same, 5×5×5",
        "`sympy.lambdify`, entrywise with cse",
        (5,),
        lambda d: entrywise(d, limit),
    )
    for peer, words in (
        ("hand", "`solve_ivp` with NumPy by hand"),
        ("lambdify", "`solve_ivp` with `lambdify`, matrices"),
        ("heyoka", "heyoka"),
        ("diffrax", "diffrax"),
    ):
        row(
            "a solution at 1e-10, 2×2×2 and 10×10×10",
            words,
            (2, 10),
            lambda d, p=peer: simulated("solve", p, d, limit),
        )
    row(
        "200 starts at 5×5×5",
        "a loop of `solve_ivp`",
        (200,),
        lambda n: simulated("ensemble", "loop", n, limit),
    )
    row(
        "1000 starts in C at 2×2×2 and 5×5×5, warm",
        "heyoka's batch mode",
        (2, 5),
        lambda d: simulated("batch", "batch", d, limit),
    )
    row(
        "50 digits on t ∈ [0, 1], 2×2×2 and 5×5×5",
        "`mpmath.odefun`",
        (2, 5),
        lambda d: sharp("mpmath.odefun", d, 50, limit),
    )
    row(
        "50 digits, d×d×d with d = 2, 5, 10, 32",
        "heyoka `real`",
        (2, 5, 10, 32),
        lambda d: sharp("heyoka real", d, 50, limit),
    )
    row(
        "200 digits, d = 2, 5",
        "heyoka `real`",
        (2, 5),
        lambda d: sharp("heyoka real", d, 200, limit),
    )
    row(
        "1000 digits, d = 2",
        "heyoka `real`",
        (2,),
        lambda d: sharp("heyoka real", d, 1000, limit),
    )
    row(
        "a proof, 50 digits: d = 2, 5, 10, 32 (how many times as long)",
        "`precise`",
        (2, 5, 10, 32),
        lambda d: sharp("enclose", d, 50, limit),
    )


if __name__ == "__main__":
    main()
