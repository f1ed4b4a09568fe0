"""What a benchmark run leaves: columns of equal length and how they came about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from dynaphase.phasefield.operators import FloatArray

__all__ = ["PFHubResult"]


@dataclass(frozen=True, slots=True)
class PFHubResult:
    """One solved problem."""

    problem: str
    columns: Mapping[str, FloatArray]
    """``time``, ``free_energy``; of problem 7 ``n``, ``dt``, ``l2_error``, ``cpu_seconds``; (n_rows,) each."""
    cpu_seconds: float
    """CPU time of this thread, compilation left out."""
    wall_seconds: float
    settings: Mapping[str, float | int | None]
    """Mesh, end time and tolerance that were used."""
    checks: Mapping[str, float] = field(default_factory=dict)
    """Problems 1 and 2: ``mass_drift`` (relative) and ``energy_rise`` (largest rise in one step over the energy, 0 when
    it never rose), ``n_steps``, ``n_rejected``.  Problem 7: ``order_in_space`` and ``order_in_time`` where they
    were measured."""

    def rows(self) -> list[dict[str, float]]:
        """The columns as one mapping a row; whole numbers stay integers."""
        values = {name: column.tolist() for name, column in self.columns.items()}
        return [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]

    def at(self, times: FloatArray) -> FloatArray:
        """Free energy at `times`, by linear interpolation between the steps."""
        return np.interp(times, self.columns["time"], self.columns["free_energy"])
