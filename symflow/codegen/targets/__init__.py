"""Targets: the same program as C, as Numba, as heyoka expressions; and bridges."""

from symflow.codegen.targets.c import c_source as c_source
from symflow.codegen.targets.ckernel import CKernel as CKernel, c_kernel as c_kernel
from symflow.codegen.targets.heyoka import to_heyoka as to_heyoka
from symflow.codegen.targets.lambdify import lambdify as lambdify
from symflow.codegen.targets.numba import (
    numba_kernel as numba_kernel,
    numba_source as numba_source,
)
from symflow.codegen.targets.torch import from_torch as from_torch
