"""What is wrong with a web page, by html5lib's strict parser and WCAG's rules."""

from __future__ import annotations

import re
from itertools import pairwise

NAMESPACE = "{http://www.w3.org/1999/xhtml}"


def page_faults(text: str) -> list[str]:
    """Return what a validator or a blind reader would stumble over."""
    import html5lib  # here, for those who hold other oracles without it

    parser = html5lib.HTMLParser()
    root = parser.parse(text)
    faults = [f"{place}: {code}" for place, code, _ in parser.errors]
    if not root.get("lang"):
        faults.append("no language")
    elements = [e for e in root.iter() if isinstance(e.tag, str)]
    names = [e.tag.removeprefix(NAMESPACE) for e in elements]
    faults += [
        f"no text for {name} {element.attrib}"
        for name, element in zip(names, elements, strict=True)
        if (name == "img" and not element.get("alt"))
        or (name.endswith("}svg") and not element.get("aria-label"))
        or (name in ("a", "summary", "title") and not "".join(element.itertext()))
    ]
    ids = [element.get("id") for element in elements if element.get("id")]
    faults += [f"id {one} twice" for one in {i for i in ids if ids.count(i) > 1}]
    levels = [int(name[1]) for name in names if re.fullmatch("h[1-6]", name)]
    if levels[:1] != [1] or levels.count(1) != 1:
        faults.append(f"headings begin {levels[:2]}")
    faults += [f"h{b} after h{a}" for a, b in pairwise(levels) if b > a + 1]
    return faults


def contrast(first: str, second: str) -> float:
    """Return the contrast of two colours like #14171c, from 1 to 21 (WCAG 2.1)."""

    def luminance(colour: str) -> float:
        parts = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
        linear = [
            c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(first), luminance(second)))
    return (high + 0.05) / (low + 0.05)
