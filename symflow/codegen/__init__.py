"""Code: the program of a flow, its kernel, and files that need NumPy alone."""

from symflow.codegen.closed_form import SolutionKernel as SolutionKernel
from symflow.codegen.compiled import compile as compile
from symflow.codegen.evaluate import evaluate as evaluate
from symflow.codegen.kernel import BoundKernel as BoundKernel, Kernel as Kernel
from symflow.codegen.lower import (
    end_to_end_program as end_to_end_program,
    loss_arguments as loss_arguments,
    loss_program as loss_program,
    lower as lower,
    rhs_program as rhs_program,
)
from symflow.codegen.module import (
    module_source as module_source,
    write_module as write_module,
)
from symflow.codegen.program import (
    Input as Input,
    Instruction as Instruction,
    Output as Output,
    Program as Program,
)
