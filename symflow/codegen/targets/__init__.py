"""Targets: the same program as C, as Numba, as heyoka expressions; and bridges."""

from symflow.codegen.targets.c import c_source
from symflow.codegen.targets.ckernel import CKernel, c_kernel
from symflow.codegen.targets.heyoka import to_heyoka
from symflow.codegen.targets.lambdify import lambdify
from symflow.codegen.targets.numba import numba_kernel, numba_source
from symflow.codegen.targets.torch import from_torch

__all__ = [
    "CKernel",
    "c_kernel",
    "c_source",
    "from_torch",
    "lambdify",
    "numba_kernel",
    "numba_source",
    "to_heyoka",
]
