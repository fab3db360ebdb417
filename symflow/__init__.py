"""Gradient flow of linear networks: derived, solved, coded and checked to 50 digits.

>>> import symflow as sf
>>> flow = sf.gradient_flow(sf.LinearNetwork("d", "h", "m"), sf.SquaredLoss())
>>> print(sf.conserved(flow)[0])
W₂ᵀW₂ − W₁W₁ᵀ is conserved, for every width, loss and data set

What to use for what:

* derive: `LinearNetwork`, `Model`, `SquaredLoss`, `gradient_flow`, `gradient`
* conserve: `conserved`, `count_conserved`
* solve: `solve`, `implicit_bias`, `rates`, `companions`, `regime`
* simulate: `simulate`, `precise`, `enclose`, `descend`, `sweep`, `ensemble`
* prove: `validate`, `certify`, `claim`, `audit`, `write_checker`, `register`
* export: `compile`, `write_module`, `save`, `load`, `cite`
* look: `analyze`, `plot`, `explore`, `atlas`; every object shows itself in Jupyter

The contents page is ``__init__.pyi``, next to this file.  A room is imported when one
of its names is first used, so that ``import symflow`` costs what ``import sympy`` does.
"""

import re as _re
from importlib import import_module as _import_module
from threading import RLock as _RLock
from typing import Any as _Any

__version__ = "0.1.0"


# The package lazy_loader reads such a page as well, but relative imports only.
def _contents() -> dict[str, str]:
    """Return the module of every public name, as the contents page has it."""
    # not by ast and importlib.resources, which take longer to import than all of it
    loader: _Any = __loader__
    page = loader.get_data(__file__.removesuffix("c") + "i").decode()
    blocks = _re.findall(r"^from (\S+) import (\([^)]*\)|.*)", page, _re.MULTILINE)
    names = _re.compile(r" as (\w+)")
    return {name: module for module, block in blocks for name in names.findall(block)}


_MODULES = _contents()

#: Threads that import from both ends of a package would meet half of a module.
_IMPORTING = _RLock()

__all__ = list(_MODULES)


def __getattr__(name: str) -> _Any:
    if name not in _MODULES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    home = _MODULES[name]
    with _IMPORTING:
        # here, as far below a room Python 3.11 maps and unmaps its stack at each call
        _import_module("sympy"), _import_module("numpy")
        if home == __name__:
            return _import_module(f"{home}.{name}")
        value = globals()[name] = getattr(_import_module(home), name)
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__", "__doc__"]
