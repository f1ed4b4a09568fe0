"""What a benchmark run leaves: columns of equal length and how they came about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from dynaphase.pfhub.case import Cuts
from dynaphase.phasefield.operators import FloatArray

__all__ = ["PFHubResult"]


@dataclass(frozen=True, slots=True)
class PFHubResult:
    """One solved problem."""

    problem: str
    columns: Mapping[str, FloatArray]
    """``time``, ``free_energy``; of problem 8 also ``fraction`` and ``radius``, the runs one below the other; of
    problem 7 ``n``, ``dt``, ``l2_error``, ``cpu_seconds``; (n_rows,) each."""
    cpu_seconds: float
    """CPU time of this thread, compilation left out."""
    wall_seconds: float
    settings: Mapping[str, float | int | None]
    """Mesh, end time and tolerance that were used."""
    checks: Mapping[str, float] = field(default_factory=dict)
    """Problems 1, 2, 6 and 8: ``mass_drift`` (relative; not of 8, which conserves nothing) and ``energy_rise`` (largest
    rise in one step over the energy that the flow lowers, 0 when it never rose), ``n_steps``, ``n_rejected``.  Problem
    7: ``order_in_space`` and ``order_in_time`` where they were measured."""
    cuts: Cuts = field(default_factory=dict)
    """Problem 6: ``"x=50"`` → ``y``, ``concentration``, ``potential`` at the end, and ``"y=50"`` with ``x``."""

    def rows(self) -> list[dict[str, float]]:
        """The columns as one mapping a row; whole numbers stay integers."""
        return _rows(self.columns)

    def cut_rows(self, line: str) -> list[dict[str, float]]:
        """One of the cuts, row by row."""
        return _rows(self.cuts[line])

    def at(self, times: FloatArray) -> FloatArray:
        """Free energy of a single run at `times`, by linear interpolation between the steps."""
        return np.interp(times, self.columns["time"], self.columns["free_energy"])


def _rows(columns: Mapping[str, FloatArray]) -> list[dict[str, float]]:
    values = {name: column.tolist() for name, column in columns.items()}
    return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
