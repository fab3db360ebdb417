"""Code: the program of a flow, its kernel, and files that need NumPy alone."""

from symflow.codegen.closed_form import SolutionKernel
from symflow.codegen.compiled import compile
from symflow.codegen.evaluate import evaluate
from symflow.codegen.kernel import BoundKernel, Kernel
from symflow.codegen.lower import (
    end_to_end_program,
    loss_arguments,
    loss_program,
    lower,
    rhs_program,
)
from symflow.codegen.module import module_source, write_module
from symflow.codegen.program import Input, Instruction, Output, Program

__all__ = [
    "BoundKernel",
    "Input",
    "Instruction",
    "Kernel",
    "Output",
    "Program",
    "SolutionKernel",
    "compile",
    "end_to_end_program",
    "evaluate",
    "loss_arguments",
    "loss_program",
    "lower",
    "module_source",
    "rhs_program",
    "write_module",
]
