"""Scalar functions that are evaluated without overflow, unevaluated in formulas.

softplus(z) = log(1 + eᶻ) and sigmoid(z) = 1/(1 + e⁻ᶻ) are functions of their own, so
that generated code can write them in a form that neither overflows nor cancels.
"""

from __future__ import annotations

from typing import Any

import sympy

#: The argument of an elementwise function.
Z = sympy.Symbol("z", real=True)


class sigmoid(sympy.Function):  # type: ignore[misc]
    """The logistic function 1/(1 + e⁻ᶻ)."""

    @classmethod
    def eval(cls, argument: Any) -> Any:
        """Return the value where it is a simple number."""
        return sympy.S.Half if argument.is_zero else None

    def fdiff(self, argindex: int = 1) -> Any:
        """Return sigmoid(z) sigmoid(−z), in which nothing cancels."""
        return sigmoid(self.args[0]) * sigmoid(-self.args[0])

    def _eval_rewrite_as_exp(self, argument: Any, **kwargs: Any) -> Any:
        return 1 / (1 + sympy.exp(-argument))

    def _eval_evalf(self, prec: int) -> Any:
        return self.rewrite(sympy.exp)._eval_evalf(prec)

    def _latex(self, printer: Any) -> str:
        return rf"\sigma\left({printer._print(self.args[0])}\right)"


class softplus(sympy.Function):  # type: ignore[misc]
    """The function log(1 + eᶻ)."""

    @classmethod
    def eval(cls, argument: Any) -> Any:
        """Return the value where it is a simple number."""
        return sympy.log(2) if argument.is_zero else None

    def fdiff(self, argindex: int = 1) -> Any:
        """Return sigmoid(z)."""
        return sigmoid(self.args[0])

    def _eval_rewrite_as_log(self, argument: Any, **kwargs: Any) -> Any:
        return sympy.log(1 + sympy.exp(argument))

    def _eval_evalf(self, prec: int) -> Any:
        return self.rewrite(sympy.log)._eval_evalf(prec)

    def _latex(self, printer: Any) -> str:
        inner = printer._print(1 + sympy.exp(self.args[0]))
        return rf"\log\left({inner}\right)"
