"""Citations as BibTeX."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from symflow.claims import Claim, Reference
from symflow.errors import InvalidArgument

#: What a paper contributes that is cited without a word.
PLAIN = Claim.contributes


def cite(obj: Any = None) -> str:
    """Return the BibTeX entry of a result, or of symflow itself.

    Parameters
    ----------
    obj : Claim, Refusal or Reference, optional
        A law, a solution, or anything else with a `reference`.

    Returns
    -------
    str
        One entry; with a note where the paper contributes less than the theorem.

    Raises
    ------
    InvalidArgument
        If the object has no reference.

    Examples
    --------
    >>> import symflow as sf
    >>> flow = sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), sf.SquaredLoss())
    >>> print(cite(sf.conserved(flow)[0]).splitlines()[0])
    @inproceedings{arora2018,
    """
    if obj is None:
        return _symflow()
    reference = obj if isinstance(obj, Reference) else getattr(obj, "reference", None)
    if not isinstance(reference, Reference):
        msg = (
            f"cite(obj): {type(obj).__name__} has no reference; give a conserved "
            "quantity or a solution, or nothing for symflow itself"
        )
        raise InvalidArgument(msg)
    contributes = getattr(obj, "contributes", PLAIN)
    return reference.entry("" if contributes == PLAIN else contributes)


def _symflow() -> str:
    number = version("symflow")
    title = "symflow: gradient flow of linear networks, derived, solved and checked"
    lines = [
        "@software{symflow,",
        "  author = {{the symflow developers}},",
        f"  title = {{{title}}},",
        f"  version = {{{number}}},",
        "}",
    ]
    return "\n".join(lines)
