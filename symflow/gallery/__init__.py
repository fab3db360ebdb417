"""The atlas: every claim of symflow on a reference instance, with a false version."""

from __future__ import annotations

from symflow.bias import COMPANIONS as ABOUT_LIMITS, PREDICTIONS
from symflow.claims import Theorem
from symflow.claims.catalogue import registered
from symflow.claims.example import Example
from symflow.convergence import BOUNDS, COMPANIONS as ABOUT_SPEED, DESCENTS
from symflow.errors import InvalidArgument, expect, shown
from symflow.gallery.conserved import CONSERVED
from symflow.gallery.coverage import Coverage as Coverage, tabulated
from symflow.gallery.diagonal import DIAGONAL
from symflow.gallery.ensembles import EnsembleEntry as EnsembleEntry
from symflow.gallery.entry import (
    Entry as Entry,
    Instance as Instance,
    Line as Line,
    NumberEntry as NumberEntry,
    PathEntry as PathEntry,
    entry_of,
)
from symflow.gallery.errata import ERRATA, Erratum as Erratum
from symflow.gallery.limits import LIMITS
from symflow.gallery.margin import MARGIN
from symflow.gallery.one_neuron import ONE_NEURON
from symflow.gallery.sequential import SEQUENTIAL
from symflow.gallery.table import Atlas as Atlas
from symflow.gallery.tangent_kernel import TANGENT_KERNEL
from symflow.gallery.trajectories import TRAJECTORIES
from symflow.gallery.width import (
    WidthExperiment as WidthExperiment,
    width_experiment as width_experiment,
)
from symflow.progress import Told, reporter


def entries_of(theorem: type[Theorem]) -> list[Entry]:
    """Return the lines of one theorem: one for each of its examples."""
    return [
        entry_of(theorem, example)
        if isinstance(example, Example)
        else EnsembleEntry(theorem, example)
        for example in theorem.examples()
    ]


#: The theorems that carry their examples themselves.
THEOREMS = (
    *BOUNDS,
    *ABOUT_SPEED,
    *DESCENTS,
    *PREDICTIONS,
    *ABOUT_LIMITS,
)

#: Everything that is in the atlas.
ENTRIES: tuple[Entry, ...] = (
    *CONSERVED,
    *TRAJECTORIES,
    *LIMITS,
    *DIAGONAL,
    *MARGIN,
    *ONE_NEURON,
    *SEQUENTIAL,
    *TANGENT_KERNEL,
    *ERRATA,
    *(entry for theorem in THEOREMS for entry in entries_of(theorem)),
)


def coverage() -> Coverage:
    """Return what is covered: every result with its paper, and how it is proved.

    Returns
    -------
    Coverage
        A table with `.by_paper()` and `.to_markdown()`, read off the catalogues.

    Examples
    --------
    >>> sorted({item.kind for item in coverage().results})[:3]
    ['closed form', 'conserved', 'descent']
    """
    return tabulated(CONSERVED, ENTRIES)


def atlas(
    only: str | None = None,
    *,
    digits: int = 50,
    progress: Told = None,
) -> Atlas:
    """Hold every claim against its reference instance.

    Parameters
    ----------
    only : str, optional
        Keep the entries whose key contains this, ``"min"``, ``"gidel"``, ``"erratum"``,
        or those of a class: ``"MarginRate"``.
    digits : int, keyword-only
        Digits for the instances that are exact.
    progress : callable or True, keyword-only, optional
        A bar, or called with the fraction of entries that is done.

    Returns
    -------
    Atlas
        A table with `.ok`, `.to_html()` and `.to_json()`.

    Raises
    ------
    InvalidArgument
        If no entry has such a key or class.

    Examples
    --------
    >>> table = atlas("erratum")
    >>> table.ok, [line.measured for line in table.lines]
    (True, ['1', '1', '3/4', '8'])
    """
    expect(only, str | None, "atlas(only=…)", "a part of a key")
    own = (entry for theorem in registered() for entry in entries_of(theorem))
    known = (*ENTRIES, *own)
    chosen = [e for e in known if only is None or only in e.key or only == e.stated_by]
    if not chosen:
        families = ", ".join(dict.fromkeys(e.key.split("-")[0] for e in known))
        msg = (
            f"atlas(only=…): no entry has a key or class {shown(only)}; keys begin "
            f"{families}"
        )
        raise InvalidArgument(msg)
    lines, told = [], reporter(progress, "atlas")
    for number, entry in enumerate(chosen, start=1):
        lines.append(entry.run(digits))
        told(number / len(chosen))
    return Atlas(tuple(lines))
