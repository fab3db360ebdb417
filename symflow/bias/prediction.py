"""What a prediction of the limit has to answer."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import sympy

from symflow.algebra.arrays import Array, to_float_array
from symflow.algebra.threads import cached_property
from symflow.bias.minimizers import Minimizers, minimizers
from symflow.claims import Finding, Theorem, relative_size
from symflow.claims.finding import limit_finding


class Prediction(Theorem):
    """Which minimizer a flow picks; that it picks one is a row of its hypotheses."""

    question = "limits"

    @property
    @abstractmethod
    def limit(self) -> Array:
        """The predicted end-to-end matrix W(∞) in float64, shape (m, d)."""

    def finding(self, balls: Any, index: int) -> Finding | str:
        """Return predicted minus enclosed limit in balls."""
        return limit_finding(self, balls)

    @property
    @abstractmethod
    def potential(self) -> sympy.Expr:
        """The function of W whose smallest value among the minimizers is picked."""

    def kkt_residual(self, end_to_end: Any) -> float:
        """Return by how much W fails the optimality conditions of the prediction.

        Where a prediction has no others, its distance from the limit.

        Parameters
        ----------
        end_to_end : array_like, shape (m, d)
            The end-to-end matrix W.

        Returns
        -------
        float
            Relative; zero at the predicted limit alone.
        """
        limit = self.limit
        W = to_float_array(np.asarray(end_to_end)).reshape(limit.shape)
        return float(relative_size(W - limit, np.vstack([W, limit])))


class RegressionLimit(Prediction):
    """A prediction of a minimizer of the squared loss."""

    @cached_property
    def minimizers(self) -> Minimizers:
        """The minimizers of the loss."""
        return minimizers(self.problem)
