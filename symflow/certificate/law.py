"""The certificate of a law that holds for every width: words that cancel."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from symflow.algebra.nodes import Node
from symflow.algebra.symbols import SymmetricMatrixSymbol
from symflow.algebra.words import Words, expand, expand_trace
from symflow.certificate import checker
from symflow.certificate.numbers import not_carried, rational_text
from symflow.conservation import Law
from symflow.errors import InvalidArgument

Document = dict[str, Any]


def law_document(law: Law) -> Document:
    """Return statement and problem of a law; the checker needs no evidence.

    The end-to-end matrix of its flow is a sum of products of matrices; other models and
    laws are refused.
    """
    flow = law.flow
    if flow.clock != "time" or flow.decays_differ:
        raise InvalidArgument(not_carried("law", "the flow is no plain gradient flow"))
    model, _ = _expanded(flow.network.end_to_end_node)
    quantity, trace = _expanded(law.node)
    symbols = {letter for word in (*model, *quantity) for letter, _ in word}
    if any(isinstance(symbol, SymmetricMatrixSymbol) for symbol in symbols):
        raise InvalidArgument(not_carried("law", "it is about a symmetric matrix"))
    symbols |= {*flow.state}
    named = sorted(symbols, key=lambda symbol: str(symbol.name))
    rates = {
        s.name: rational_text(flow.speed(k), "law") for k, s in enumerate(flow.state)
    }
    given = {
        "shapes": {s.name: [str(size) for size in s.shape] for s in named},
        "learning rates": rates,
        "model": _words(model),
    }
    statement: Document = {"kind": "law", "quantity": _words(quantity)}
    statement |= {"trace": True} if trace else {}
    document = {"statement": statement, "problem": given, "evidence": {}}
    try:
        checker.check_law(given, statement, {})
    except (checker.Refuted, ValueError) as reason:
        raise InvalidArgument(not_carried("law", str(reason))) from None
    return document


def _expanded(node: Node) -> tuple[Words, bool]:
    """Return the words of a matrix, or of what is under a trace."""
    for words in (expand, expand_trace):
        with suppress(TypeError):
            return words(node), words is expand_trace
    msg = "it is not made of sums and products of matrices"
    raise InvalidArgument(not_carried("law", msg))


def _words(words: Words) -> list[Any]:
    return sorted(
        [rational_text(factor, "law"), [s.name + "'" * flag for s, flag in word]]
        for word, factor in words.items()
    )
