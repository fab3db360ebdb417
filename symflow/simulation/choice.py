"""Choosing a method: by what it is, or by its name as in SciPy's `solve_ivp`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from symflow.errors import InvalidArgument, shown
from symflow.simulation.dop853 import DOP853
from symflow.simulation.gauss import GaussLegendre
from symflow.simulation.methods import Method
from symflow.simulation.radau import Radau
from symflow.simulation.taylor import Taylor

NAMED: dict[str, type[Method]] = {
    kind.__name__: kind for kind in (DOP853, Radau, GaussLegendre, Taylor)
}
#: Methods of SciPy, and what does the same here.
ELSEWHERE = {"RK23": "DOP853", "RK45": "DOP853", "BDF": "Radau", "LSODA": "Radau"}


def as_method(method: Any, call: str, **tolerances: Any) -> Method:
    """Return a method from itself, its class or its name; DOP853 for None.

    Tolerances that are None are the method's own.

    Raises InvalidArgument if there is no such method or tolerance, or it is set twice.
    """
    given = {name: value for name, value in tolerances.items() if value is not None}
    if isinstance(method, Method):
        if given:
            name, first = type(method).__name__, next(iter(given))
            msg = (
                f"{call}({first}=…): {method!r} has its own. Write {name}({first}="
                f"{given[first]!r}), or method={name!r}"
            )
            raise InvalidArgument(msg)
        return method
    kind: Callable[..., Method] = DOP853 if method is None else _kind(method, call)
    if "atol" in given and kind is Taylor:
        msg = f"{call}(atol=…): Taylor measures terms by the largest weight. Give rtol"
        raise InvalidArgument(msg)
    return kind(**given)


def _kind(method: Any, call: str) -> type[Method]:
    known = {name.casefold(): kind for name, kind in NAMED.items()}
    if isinstance(method, str) and method.casefold() in known:
        return known[method.casefold()]
    if isinstance(method, type) and method in NAMED.values():
        return method
    hint = ""
    if isinstance(method, str) and method.upper() in ELSEWHERE:
        hint = f". Use {ELSEWHERE[method.upper()]!r} in its place"
    msg = (
        f"{call}(method=…): needs a method such as DOP853() or Radau(), or one of the "
        f"names {', '.join(NAMED)}; got {shown(method)}{hint}"
    )
    raise InvalidArgument(msg)
