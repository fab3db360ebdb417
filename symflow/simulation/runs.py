"""The runs of a sweep: as arrays, as a table, as labelled arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from symflow.algebra.display import Displayed, Sheet
from symflow.algebra.text import scientific, span_of
from symflow.flow import GradientFlow
from symflow.labelled import Tabulated
from symflow.simulation.ensemble import Ensemble, spread
from symflow.simulation.system import Floats
from symflow.trajectory import Trajectory


@dataclass(frozen=True, eq=False, repr=False)
class Sweep(Tabulated, Displayed):
    """The runs of a sweep; made by `sweep`.

    Parameters
    ----------
    ensemble : Ensemble
        All runs stacked, with NaN for those that failed.
    failures : dict
        Number of the run to the error that ended it.
    stats : tuple of dict
        Statistics of each run.
    entropy : int
        What the generators of the runs were spawned from.
    remade : tuple of int
        Runs that were made again, because the file had damaged records.

    Examples
    --------
    >>> import symflow as sf
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> flow = sf.gradient_flow(sf.LinearNetwork(2, 2, 1), sf.SquaredLoss())
    >>> data, init = sf.whitened([[1.0, 0.5]]), sf.gaussian_init(0.5, rng=0)
    >>> with ThreadPoolExecutor(1) as pool:
    ...     runs = sf.sweep(flow, data, init, [0, 9], runs=4, executor=pool)
    >>> runs.end_to_end.shape, runs.failures
    ((4, 2, 1, 2), {})
    """

    _number = "run"

    ensemble: Ensemble
    failures: dict[int, str] = field(default_factory=dict)
    stats: tuple[dict[str, int | float | str], ...] = ()
    entropy: int = 0
    remade: tuple[int, ...] = ()

    def __len__(self) -> int:
        return len(self.ensemble)

    def __getitem__(self, run: int) -> Trajectory:
        """Return the trajectory of one run."""
        return self.ensemble[run]

    @property
    def t(self) -> Floats:
        """The times."""
        return self.ensemble.t

    @property
    def weights(self) -> tuple[Floats, ...]:
        """For each layer, shape (runs, times, rows, columns)."""
        return self.ensemble.weights

    @property
    def end_to_end(self) -> Floats:
        """W(t) of every run, shape (runs, times, outputs, inputs)."""
        return self.ensemble.end_to_end

    @property
    def final(self) -> Floats:
        """W at the last time of every run, shape (runs, outputs, inputs).

        Examples
        --------
        >>> import symflow as sf
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> flow = sf.gradient_flow(sf.LinearNetwork(1, 1, 1), sf.SquaredLoss())
        >>> problem = flow, sf.whitened([[2]]), sf.gaussian_init(1, rng=0), [0, 9]
        >>> with ThreadPoolExecutor(1) as pool:
        ...     runs = sf.sweep(*problem, runs=3, executor=pool)
        >>> runs.final.round(6).ravel().tolist()
        [2.0, 2.0, 2.0]
        """
        return self.end_to_end[:, -1]

    @property
    def loss(self) -> Floats:
        """The objective of every run, shape (runs, times), as of `Trajectory`."""
        return self.ensemble.loss

    @property
    def singular_values(self) -> Floats:
        """Singular values of W(t), largest first, shape (runs, times, modes)."""
        return self.ensemble.singular_values

    @property
    def summary(self) -> dict[str, Any]:
        """Counts, and the spread of the last loss and of the drift over the runs."""
        drifts = [
            value
            for stats in self.stats
            for key, value in stats.items()
            if key.startswith("drift")
        ]
        return {
            "runs": len(self),
            "failed": len(self.failures),
            "loss at the end": self.ensemble.last_losses,
            "largest drift": max(drifts, default=0.0),
        }

    @property
    def flow(self) -> GradientFlow:
        """The flow that was simulated."""
        return self.ensemble.flow

    @property
    def _columns(self) -> dict[str, Any]:
        return {"error": [self.failures.get(run, "") for run in range(len(self))]}

    @property
    def _attributes(self) -> dict[str, Any]:
        return {"rng": str(self.entropy), "failed": list(self.failures)}

    def _sheet(self) -> Sheet:
        drift = self.summary["largest drift"]
        rows = {
            "runs": f"{len(self)}, {len(self.failures)} of them failed",
            "t": span_of(self.t),
            "loss at the end": spread(self.ensemble.last_losses),
            "largest drift": scientific(drift),
        }
        notes = [f"run {run}: {error}" for run, error in self.failures.items()]
        if self.remade:
            again = ", ".join(map(str, self.remade))
            notes.insert(0, f"made again, as the file was damaged: runs {again}")
        return Sheet(
            f"Sweep of {self.ensemble.problem.flow.network!r}",
            rows=tuple(rows.items()),
            notes=tuple(notes[:5]),
            whole=".failures",
        )
