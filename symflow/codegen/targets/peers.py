"""Importing libraries that symflow does not depend on."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from symflow.errors import NotInstalled


def peer(name: str, call: str, extra: str = "") -> Any:
    """Return a library that may be absent.

    `call` is what needs it, and `extra` the extra of symflow that brings it, if there
    is one.

    Raises NotInstalled with the command that installs it.
    """
    try:
        return import_module(name)
    except ImportError:
        wanted = f'"symflow[{extra}]"' if extra else name
        msg = f"{call}: needs {name}, which is not installed. Do pip install {wanted}"
        raise NotInstalled(msg) from None
