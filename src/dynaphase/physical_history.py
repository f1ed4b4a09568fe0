"""What the physical model keeps of its way: grains in the furnace, lithium in the sweep, interphases at rest."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from dynaphase.history import History, Snapshots, Stage

if TYPE_CHECKING:
    from dynaphase.electrolyte.ceramic import Ceramic
    from dynaphase.electrolyte.furnace import FurnaceHistory
    from dynaphase.electrolyte.operation import Sweep, SweepResult

__all__ = ["PhysicalHistory"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

N_FURNACE: Final = 8
N_SWEEP: Final = 40
N_REST: Final = 10
MOST_VALUES: Final = 15_000_000
"""Numbers that the sweep may keep, 60 MB in single precision: fewer times of a box in space."""

_TIME: Final = "time (s)"
_REDUCED_TIME: Final = "reduced time t* = ∫ m_gb γ_gb dt (nm²)"
_POTENTIAL: Final = "potential φ of the sweep against lithium (mV)"


class PhysicalHistory:
    """Collects the stages of one run."""

    def __init__(self) -> None:
        self._furnace, self._sweep = Snapshots(N_FURNACE), Snapshots(N_SWEEP)
        self._stages: dict[str, Stage] = {}

    @property
    def stages(self) -> History:
        """What was kept, by name."""
        return self._stages

    def see_furnace(self, reduced_time: float, grain_ids: IntArray, density: FloatArray) -> None:
        """One look into the furnace; grains in the numbers of the powder."""
        self._furnace.offer(reduced_time, {}, lambda: {"grain_id": grain_ids, "density": density})

    def end_furnace(self, history: FurnaceHistory, spacing_nm: float) -> None:
        """What the furnace found on the way."""
        descriptions = {
            "time": _REDUCED_TIME,
            "grain_id": "grain of each cell, in the numbers of the powder",
            "density": "relative density ρ: 1 solid, 0 void (1)",
            "grain_size": "mean linear intercept, voids counted to the grains around them (nm)",
            "porosity": "area or volume fraction of pores (1)",
            "n_grains": "number of grains",
        }
        numbers = {"grain_size": history.grain_size_nm, "porosity": history.porosity, "n_grains": history.n_grains}
        self._stages["furnace"] = self._furnace.stage(spacing_nm, descriptions)
        self._stages["furnace_curve"] = Stage(spacing_nm, history.reduced_time, numbers, {}, descriptions)

    def sweep_observer(self, ceramic: Ceramic, protocol: Sweep) -> Callable[[float, FloatArray, FloatArray], None]:
        """What a sweep of that ceramic is to show its states to."""
        self._sweep = Snapshots(max(N_FURNACE, min(N_SWEEP, MOST_VALUES // (3 * prod(ceramic.shape)))))

        def see(potential_V: float, lithium: FloatArray, extent: FloatArray) -> None:
            self._sweep.offer(
                potential_V / protocol.rate_V_per_s,
                {"potential": 1e3 * potential_V},
                lambda: {
                    "lithium": lithium,
                    "decomposed": extent,
                    "margin": 1e3 * (potential_V - ceramic.threshold_V(extent) - ceramic.tip_overpotential_V),
                },
            )

        return see

    def end_sweep(self, result: SweepResult, protocol: Sweep, spacing_nm: float) -> None:
        """What the sweep found."""
        descriptions = {
            "time": _TIME,
            "potential": _POTENTIAL,
            "lithium": "lithium ξ: 1 metal, 0 electrolyte (1)",
            "decomposed": "extent of decomposition χ (1)",
            "margin": "φ − η_c − η_cap: where it is positive, a filament as wide as a boundary can advance (mV)",
            "depth": "depth of lithium that hangs together with the anode, below its first surface (nm)",
        }
        self._stages["sweep"] = self._sweep.stage(spacing_nm, descriptions)
        times = result.potentials_V / protocol.rate_V_per_s
        numbers = {"potential": 1e3 * result.potentials_V, "depth": result.depths_nm}
        self._stages["sweep_curve"] = Stage(spacing_nm, times, numbers, {}, descriptions)

    def end_rest(self, times_s: Sequence[float], extents: Sequence[FloatArray], spacing_nm: float) -> None:
        """χ on both sides at rest."""
        rest = Snapshots(len(times_s))
        for time, extent in zip(times_s, extents, strict=True):
            rest.offer(time, {}, lambda extent=extent: {"decomposed": extent})  # type: ignore[misc]
        descriptions = {"time": _TIME, "decomposed": "extent of decomposition χ, from both electrodes (1)"}
        self._stages["rest"] = rest.stage(spacing_nm, descriptions)
