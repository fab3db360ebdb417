"""What all HTML pages share: their templates, their style, and numbers as powers.

A template stands beside the code of its page and escapes whatever it is given; what is
HTML already (`markupsafe.Markup`) comes from another template, MathML or SVG.
"""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from jinja2 import Environment

#: The exponent of a number.
_POWER = re.compile(r"(?<=\d)e([+-]?)0*(\d+)\b")
#: The index of a single letter or of a norm.
_INDEX = re.compile(
    r"(?:(?<=‖)|(?<=(?<![^\W\d])[^\W\d_]))_([a-zA-Z0-9]{1,2})(?![a-zA-Z0-9_])"
)


def page_style() -> str:
    """Return the style sheet of a page, for light and dark screens."""
    return files("symflow.algebra").joinpath("page.css").read_text(encoding="utf-8")


def page_scheme() -> str:
    """Return the colours of a page, for light and dark screens."""
    return page_style().partition("* {")[0]


def render(template: str, **names: Any) -> str:
    """Return a page from a template of the package, as ``"gallery/atlas.html"``."""
    return (
        _environment()
        .get_template(template)
        .render(style=Markup(page_style()), **names)
    )


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    made = Environment(
        loader=PackageLoader("symflow", ""),
        autoescape=True,
        extensions=["jinja2.ext.do"],
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"marked": marked, "mathml": _mathml}
    return made


def _mathml(expression: Any, *, block: bool = True) -> Markup:
    from symflow.algebra.mathml import mathml

    return Markup(mathml(expression, block=block))


def marked(text: Any) -> Markup:
    """Return a text as HTML, with its indices, exponents and powers of ten set."""
    said = re.sub(r"`(.+?)`", r"<code>\1</code>", str(escape(text)))
    said = _INDEX.sub(r"<sub>\1</sub>", said)
    said = _POWER.sub(
        lambda found: f"·10<sup>{'−' * (found[1] == '-')}{found[2]}</sup>", said
    )
    return Markup(
        re.sub(r"\^(?:[({]([^)}]*)[)}]|(\d+|\w)(?!\w))", r"<sup>\1\2</sup>", said)
    )
