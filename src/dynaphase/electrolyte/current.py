r"""Operation under a current or a held potential: potential, front and chemistry advanced in turn.

What to expect at the reference ceramic and i₀ = 10 A/m²: at low current lithium is pushed back into its reservoir and
the interface stays plane; above the threshold of the weakest boundary a filament starts and stops where the current
that it takes has lowered the potential; at higher current it branches along the boundaries.  Every ampere taken up
inside the ceramic lays V_Li/F of lithium there (Faraday), which `CurrentResult` lets you check.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from dynaphase.electrolyte.ceramic import Ceramic
from dynaphase.electrolyte.interphase import InterphaseParameters
from dynaphase.electrolyte.operation import connected_depth, full_depth_nm, start_chemistry
from dynaphase.electrolyte.penetration import FrontParameters, LithiumFront, lithium_slab
from dynaphase.electrolyte.potential import IonicPotential, PotentialSolution, contact_mask
from dynaphase.errors import ConfigError
from dynaphase.phasefield.operators import FloatArray
from dynaphase.units import FARADAY, LITHIUM_MOLAR_VOLUME, NM

__all__ = ["CurrentResult", "Drive", "Galvanostatic", "Potentiostatic", "Ramp", "operate"]

LONGEST_INTERVAL_S: Final = 4.0
"""Longest time between two solves of the potential (s)."""

CELLS_PER_INTERVAL: Final = 0.5
"""Cells that the fastest part of the front may cross between two solves."""


class Drive(Protocol):
    """What the cell is driven with."""

    def current(self, time_s: float) -> float | None:
        """Current (A/m²), or None where a potential is held."""

    def potential(self, time_s: float) -> float | None:
        """Potential of the cathode (V), or None where a current is given."""


@dataclass(frozen=True, slots=True)
class Galvanostatic:
    """A constant current."""

    current_A_per_m2: float

    def current(self, time_s: float) -> float | None:
        """The constant."""
        return self.current_A_per_m2

    def potential(self, time_s: float) -> float | None:
        """None."""
        return None


@dataclass(frozen=True, slots=True)
class Ramp:
    """A current that rises in proportion to time, to `current_A_per_m2` at `duration_s`."""

    current_A_per_m2: float
    duration_s: float

    def current(self, time_s: float) -> float | None:
        """i(t)."""
        return self.current_A_per_m2 * time_s / self.duration_s

    def potential(self, time_s: float) -> float | None:
        """None."""
        return None


@dataclass(frozen=True, slots=True)
class Potentiostatic:
    """A constant potential of the cathode against lithium."""

    potential_V: float

    def current(self, time_s: float) -> float | None:
        """None."""
        return None

    def potential(self, time_s: float) -> float | None:
        """The constant."""
        return self.potential_V


@dataclass(frozen=True, slots=True)
class CurrentResult:
    """What a run under current found, row by row in time."""

    times_s: FloatArray
    currents_A_per_m2: FloatArray
    cathode_V: FloatArray
    confined_A_per_m2: FloatArray
    """Current that lays lithium in the ceramic."""
    imbalance: FloatArray
    """Relative difference between the current applied and that taken up."""
    depths_nm: FloatArray
    """Depth of connected lithium below its first surface."""
    is_shorted: bool
    lithium: FloatArray
    extent: FloatArray
    potential: FloatArray
    laid_nm: float
    """Lithium gained in the ceramic, as a layer (nm)."""
    charge_nm: float
    """V_Li/F ∫ confined current dt, as a layer (nm)."""

    def current_at(self, depth_nm: float) -> float | None:
        """Current when connected lithium reached a depth; None if it did not (A/m²)."""
        reached = np.flatnonzero(self.depths_nm >= depth_nm)
        return float(self.currents_A_per_m2[reached[0]]) if reached.size else None


def operate(
    ceramic: Ceramic,
    front: FrontParameters,
    drive: Drive,
    conductivity: Callable[[FloatArray, FloatArray], FloatArray],
    duration_s: float,
    interphase: InterphaseParameters | None = None,
    *,
    lithium_nm: float = 5.0,
    on_progress: Callable[[float], None] | None = None,
) -> CurrentResult:
    """Drive the cell for `duration_s`, or until lithium touches the cathode.

    Parameters
    ----------
    ceramic : Ceramic
    front : FrontParameters
    drive : Drive
        `Galvanostatic`, `Ramp` or `Potentiostatic`.
    conductivity : callable
        (ξ, χ) → σ of every cell (S/m), the metal included.
    duration_s : float
    interphase : InterphaseParameters, optional
        None: no chemistry.
    lithium_nm : float
        Thickness of lithium at the start.
    on_progress : callable, optional
        Called with the share of the time.

    Raises
    ------
    ConfigError
        For a duration that is not positive.
    SimulationError
        When the potential cannot be solved.
    """
    if not duration_s > 0:
        raise ConfigError(f"the duration must be positive, not {duration_s} s")
    start = lithium_slab(ceramic.shape, ceramic.spacing_nm, lithium_nm, front.width_nm)
    metal = LithiumFront(front, start, ceramic.spacing_nm, ceramic.effective_surface_energy)
    chemistry = None if interphase is None else start_chemistry(ceramic, interphase, lithium_nm)
    contact = contact_mask(ceramic.shape, ceramic.spacing_nm, lithium_nm, front.width_nm)
    solver = IonicPotential(front, contact, ceramic.spacing_nm)
    lithium, extent, threshold = start, np.zeros(ceramic.shape), ceramic.threshold_V()
    phi: FloatArray = np.zeros(ceramic.shape)
    rows: list[tuple[float, ...]] = []
    time, charge_nm, depth = 0.0, 0.0, 0.0
    last_depth = full_depth_nm(ceramic, lithium_nm)
    while True:
        for _ in range(1 if rows else 2):  # what holds the front back depends on φ: known from the last solve
            barrier, restoring = metal.terms(phi, threshold)
            found = solver.solve(
                lithium,
                barrier,
                restoring,
                conductivity(lithium, extent),
                current_A_per_m2=drive.current(time),
                cathode_V=drive.potential(time),
            )
            phi = found.potential
        imbalance = abs(found.taken_up - found.applied) / max(abs(found.applied), 1e-12)
        rows.append((time, found.applied, found.cathode_V, found.confined, imbalance, depth))
        if time >= duration_s or depth >= last_depth:
            break
        interval = min(_interval(found, barrier, lithium, front, ceramic.spacing_nm), duration_s - time)
        metal.advance(interval, found.potential, threshold)
        time += interval
        charge_nm += found.confined * interval * LITHIUM_MOLAR_VOLUME / FARADAY / NM
        lithium = metal.lithium
        if chemistry is not None:
            chemistry.set_lithium(lithium >= 0.5)
            chemistry.advance(time)
            extent = chemistry.extent
            threshold = ceramic.threshold_V(extent)
        depth = connected_depth(lithium, ceramic.spacing_nm) - lithium_nm
        if on_progress is not None:
            on_progress(min(time / duration_s, 1.0))
    times, currents, cathode, confined, imbalances, depths = np.array(rows).T
    laid_nm = float((lithium - start).mean()) * ceramic.thickness_nm
    return CurrentResult(
        times,
        currents,
        cathode,
        confined,
        imbalances,
        depths,
        is_shorted=depth >= last_depth,
        lithium=lithium,
        extent=extent,
        potential=phi,
        laid_nm=laid_nm,
        charge_nm=charge_nm,
    )


def _interval(
    found: PotentialSolution, barrier: FloatArray, lithium: FloatArray, front: FrontParameters, spacing_nm: float
) -> float:
    """Time to the next solve: half a cell of the fastest front, four seconds at most (s)."""
    at_front = (lithium > 0.05) & (lithium < 0.95)
    margin = float(np.max((found.potential - barrier)[at_front], initial=0.0))
    if margin <= 0.0:
        return LONGEST_INTERVAL_S
    speed = front.velocity_nm_per_s * 2.0 * float(np.sinh(front.b_per_V * min(margin, 0.5)))
    return min(LONGEST_INTERVAL_S, CELLS_PER_INTERVAL * spacing_nm / speed)
