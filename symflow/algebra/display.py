"""How objects show themselves: as text in a terminal, as Markdown in a notebook.

Both come from one `Sheet`, so that they say the same.  Markdown is what Jupyter, VS
Code and the web pages of repositories all set, mathematics included, and what keeps its
form where a notebook is not trusted.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import sympy

from symflow.algebra.text import inline
from symflow.algebra.typeset import latex

#: Characters of a formula in a terminal, and of its LaTeX in a notebook.
LONGEST_TEXT, LONGEST_LATEX = 400, 4000

#: Characters of a formula in a line of a list.
LONGEST_LINE = 160

#: Rows of a table; the rest is counted.
MOST_ROWS = 40

T = TypeVar("T")

#: A bar in a formula, which would end the cell of a table.
_BARE_BAR = re.compile(r"(?<!\\)\|")

_SPECIAL = re.compile(r"([\\|*_`<>$\[\]])")


class Marked(str):
    """A text for a terminal that has mathematics where Markdown is shown.

    The `markdown` is the text for a notebook, escaped where that is needed.
    """

    markdown: str

    def __new__(cls, text: str, markdown: str) -> Marked:
        """Return the text, which knows its Markdown."""
        made = super().__new__(cls, text)
        made.markdown = markdown
        return made


def marked(value: Any) -> str:
    r"""Return one line on a value, as `Marked` where it has mathematics.

    That is a formula, or what has a `_line` of its own; else its `str` is taken.
    """
    if isinstance(value, sympy.Basic):
        text, typeset = inline(value), latex(value)
        if len(typeset) <= LONGEST_LATEX:
            return Marked(text, rf"$\displaystyle {typeset}$")
        hidden = max(len(text) - LONGEST_TEXT, 0)
        cut = f" … ({hidden} more characters)" if hidden else ""
        return Marked(text, f"`{text[:LONGEST_TEXT]}{cut}`")
    own = getattr(value, "_line", None)
    return str(value) if own is None else own


def led(lead: str, formula: sympy.Basic) -> Marked:
    """Return one line on a formula after words; a long one is cut for a terminal."""
    said = marked(formula)
    cut = said if len(said) <= LONGEST_LINE else f"{said[:LONGEST_LINE]} …"
    return Marked(f"{lead} {cut}", f"{escaped(lead)} {getattr(said, 'markdown', said)}")


class Listed(tuple[T, ...]):
    """Steps, laws, conditions or equations in a row, shown numbered, one a line.

    It is a tuple, and equals a list of the same things as well.
    """

    def __eq__(self, other: object) -> bool:
        return super().__eq__(tuple(other) if isinstance(other, list) else other)

    __hash__ = tuple.__hash__

    def __repr__(self) -> str:
        lines = enumerate(map(marked, self), start=1)
        return "\n".join(f"  {number}. {line}" for number, line in lines) or "()"

    def _repr_markdown_(self) -> str:
        lines = enumerate(map(marked, self), start=1)
        return "\n".join(f"{number}. {escaped(line)}" for number, line in lines)


@dataclass(frozen=True)
class Sheet:
    """What an object says of itself."""

    title: str  #: One line.
    #: What is asserted or derived, as mathematics.
    formulas: tuple[sympy.Basic, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()  #: A table.
    #: Names of its columns; without them the first column names the rows.
    header: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()  #: Sentences below it.
    whole: str = ""  #: Where the full text is, of what is too long to be shown.
    most: int = MOST_ROWS  #: Rows that are shown; the rest is counted.

    def text(self) -> str:
        """Return the sheet for a terminal."""
        lines = [self.title, *(self._line(formula) for formula in self.formulas)]
        lines += aligned([self.header] * bool(self.header) + list(self._rows))
        return "\n".join([*lines, *(f"  {note}" for note in self._notes)])

    def markdown(self) -> str:
        """Return the sheet for a notebook."""
        parts = [f"**{escaped(self.title)}**"]
        parts += [self._display(formula) for formula in self.formulas]
        if self.rows:
            parts.append(markdown_table(self.header, self._rows))
        return "\n\n".join([*parts, *map(escaped, self._notes)])

    @property
    def _rows(self) -> tuple[tuple[str, ...], ...]:
        return self.rows[: self.most]

    @property
    def _notes(self) -> list[str]:
        hidden = len(self.rows) - self.most
        more = [f"… and {hidden} more rows{self._see}"] if hidden > 0 else []
        return [*more, *self.notes]

    @property
    def _see(self) -> str:
        return f"; all of it is in {self.whole}" if self.whole else ""

    def _line(self, formula: sympy.Basic) -> str:
        return f"  {self._shortened(inline(formula))}"

    def _display(self, formula: sympy.Basic) -> str:
        typeset = latex(formula)
        if len(typeset) <= LONGEST_LATEX:
            return f"$$\\displaystyle {typeset}$$"
        return f"`{self._shortened(inline(formula))}`"

    def _shortened(self, text: str) -> str:
        hidden = len(text) - LONGEST_TEXT
        if hidden <= 0:
            return text
        return f"{text[:LONGEST_TEXT]} … ({hidden} more characters{self._see})"


class Typeset:
    """What `sympy.latex` prints as a notebook shows it."""

    def _latex(self, printer: Any) -> str:
        shown: str = self._repr_latex_()  # type: ignore[attr-defined]
        return shown.strip("$").removeprefix(r"\displaystyle ")


class Displayed(ABC):
    """What shows itself by a `Sheet`, in a terminal and in a notebook."""

    @abstractmethod
    def _sheet(self) -> Sheet:
        """Return what is shown."""

    def __repr__(self) -> str:
        return self._sheet().text()

    def _repr_markdown_(self) -> str:
        return self._sheet().markdown()


def aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    """Return rows as lines with columns below each other, two spaces in."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  " + "  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    r"""Return a table in Markdown; its text is escaped.

    The `header` is empty for a table without.
    """
    body = [[_BARE_BAR.sub(r"\\vert ", escaped(cell)) for cell in row] for row in rows]
    columns = max(map(len, [header, *body]))
    lines = [list(map(escaped, header)) or [""] * columns, [":---"] * columns, *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def escaped(text: Any) -> str:
    r"""Return text as Markdown shows it, or the Markdown of what is `Marked`."""
    if isinstance(text, Marked):
        return text.markdown
    return _SPECIAL.sub(r"\\\1", str(text))
