r"""Operation under a current or a held potential: potential, front and chemistry advanced in turn.

What to expect at the reference ceramic and i₀ = 10 A/m²: at low current lithium is pushed back into its reservoir and
the interface stays plane; above the threshold of the weakest boundary a filament starts and stops where the current
that it takes has lowered the potential; at higher current it branches along the boundaries.  Every ampere taken up
inside the ceramic lays V_Li/F of lithium there (Faraday), which `CurrentResult` lets you check.

With `Stripping` lithium that hangs together with the anode goes back where φ < 0.  It leaves a cavity,
:math:`c = \max_{t' \le t}\xi(t') - \xi`, that opens again at no overpotential, η_c(1 − c)², and conducts like a void;
lithium that a cavity has cut off has no electrons to give and stays; the contact of the reservoir is lost in part
(:mod:`dynaphase.electrolyte.contact`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from dynaphase.electrolyte.ceramic import Ceramic
from dynaphase.electrolyte.contact import ReservoirContact, Stripping
from dynaphase.electrolyte.drives import Cycle, Drive, Galvanostatic, Potentiostatic, Ramp
from dynaphase.electrolyte.interphase import Interphase, InterphaseParameters
from dynaphase.electrolyte.operation import connected_depth, full_depth_nm, start_chemistry
from dynaphase.electrolyte.penetration import FrontParameters, FrontTerms, LithiumFront, connected_lithium, lithium_slab
from dynaphase.electrolyte.potential import IonicPotential, PotentialSolution, contact_mask
from dynaphase.errors import ConfigError
from dynaphase.phasefield.operators import FloatArray
from dynaphase.units import FARADAY, LITHIUM_MOLAR_VOLUME, NM

__all__ = [
    "CurrentResult",
    "Cycle",
    "Drive",
    "Galvanostatic",
    "Potentiostatic",
    "Ramp",
    "RampResult",
    "Stripping",
    "operate",
    "ramp",
]

Conductivity = Callable[[FloatArray, FloatArray], FloatArray]
"""(ξ, χ) → σ of every cell (S/m), the metal included."""

LONGEST_INTERVAL_S: Final = 4.0
"""Longest time between two solves of the potential (s)."""

CELLS_PER_INTERVAL: Final = 0.5
"""Cells that the fastest part of the front may cross between two solves."""

VOID_S_PER_M: Final = 1e-7
"""Conductivity of a cavity."""

_SETTLED: Final = 0.02
"""Relative change of the strongest drive after which a potential and what holds the front back belong together."""

_MOST_SOLVES: Final = 5

_GAINED: Final = 0.005
"""Gain of ξ below which nothing is left that could leave a cell."""

_NM_PER_A: Final = LITHIUM_MOLAR_VOLUME / FARADAY / NM
"""Lithium that 1 A/m² lays in a second (nm)."""


@dataclass(frozen=True, slots=True)
class CurrentResult:
    """What a run under current found, row by row in time."""

    times_s: FloatArray
    currents_A_per_m2: FloatArray
    cathode_V: FloatArray
    confined_A_per_m2: FloatArray
    """Current that lays lithium in the ceramic; negative where it takes it out."""
    imbalance: FloatArray
    """Relative difference between the current applied and that taken up."""
    depths_nm: FloatArray
    """Depth of connected lithium below its first surface."""
    layers_nm: FloatArray
    """Lithium gained in the ceramic so far, as a layer."""
    contact_fractions: FloatArray
    """Mean share of the contact with the reservoir that is left."""
    is_shorted: bool
    lithium: FloatArray
    extent: FloatArray
    potential: FloatArray
    cavity: FloatArray
    """Space that lithium has left behind, share of every cell."""
    charge_nm: float
    """V_Li/F ∫ confined current dt, as a layer (nm): by Faraday's law the last of `layers_nm`."""
    reservoir_nm: float
    """V_Li/F ∫ of the rest of the current: lithium gained by the reservoir, as a layer (nm)."""

    @property
    def laid_nm(self) -> float:
        """Lithium gained in the ceramic, as a layer (nm)."""
        return float(self.layers_nm[-1])

    def current_at(self, depth_nm: float) -> float | None:
        """Current when connected lithium reached a depth; None if it did not (A/m²)."""
        reached = np.flatnonzero(self.depths_nm >= depth_nm)
        return float(self.currents_A_per_m2[reached[0]]) if reached.size else None

    def stripped_fraction(self, since_s: float) -> float:
        """Share of the lithium that was in the ceramic at `since_s` and has left it since; 1 if there was none."""
        before = float(np.interp(since_s, self.times_s, self.layers_nm))
        return (before - self.laid_nm) / before if before > 0 else 1.0


@dataclass(frozen=True, slots=True)
class RampResult:
    """Critical currents of a ramp; None where it ended before."""

    half_A_per_m2: float | None
    """i₅₀: connected lithium half of the way through."""
    short_A_per_m2: float | None
    """i_short: lithium at the cathode."""
    run: CurrentResult


def ramp(
    ceramic: Ceramic,
    front: FrontParameters,
    conductivity: Conductivity,
    interphase: InterphaseParameters | None = None,
    *,
    current_A_per_m2: float = 20.0,
    duration_s: float = 1000.0,
    lithium_nm: float = 5.0,
    on_progress: Callable[[float], None] | None = None,
) -> RampResult:
    """i₅₀ and i_short of a current that rises to `current_A_per_m2` in `duration_s`.

    Beware of sharing: many weak boundaries spread the current over more filaments and can raise i₅₀, so it says less
    of a material than η₅₀ of a sweep.  i₅₀ ≤ i_short.
    """
    run = operate(
        ceramic, front, Ramp(current_A_per_m2, duration_s), conductivity, duration_s, interphase,
        lithium_nm=lithium_nm, on_progress=on_progress,
    )  # fmt: skip
    half = run.current_at(0.5 * (ceramic.thickness_nm - lithium_nm))
    return RampResult(half, run.current_at(full_depth_nm(ceramic, lithium_nm)), run)


def operate(
    ceramic: Ceramic,
    front: FrontParameters,
    drive: Drive,
    conductivity: Conductivity,
    duration_s: float,
    interphase: InterphaseParameters | None = None,
    *,
    stripping: Stripping | None = None,
    lithium_nm: float = 5.0,
    on_progress: Callable[[float], None] | None = None,
) -> CurrentResult:
    """Drive the cell for `duration_s`, or until lithium touches the cathode or stripping has cost the contact.

    Parameters
    ----------
    ceramic : Ceramic
    front : FrontParameters
    drive : Drive
        `Galvanostatic`, `Ramp`, `Cycle` or `Potentiostatic`.
    conductivity : callable
        (ξ, χ) → σ of every cell (S/m), the metal included.
    duration_s : float
    interphase : InterphaseParameters, optional
        None: no chemistry.
    stripping : Stripping, optional
        None: lithium in the ceramic stays and the contact with the reservoir is perfect.
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
    cell = _Cell(ceramic, front, conductivity, interphase, stripping, lithium_nm)
    rows: list[tuple[float, ...]] = []
    time, charge, passed, depth = 0.0, 0.0, 0.0, 0.0
    last_depth = full_depth_nm(ceramic, lithium_nm)
    lowest_V = -np.inf if stripping is None else -stripping.cutoff_V
    while True:
        moment = min(time, float(np.nextafter(duration_s, 0.0)))  # a jump at the end belongs to what comes after
        found, terms = cell.solve(drive.current(moment), drive.potential(moment))
        imbalance = abs(found.taken_up - found.applied) / max(abs(found.applied), 1e-12)
        layer = float((cell.lithium - cell.start).mean()) * ceramic.thickness_nm
        touching = float(np.mean(cell.touching))
        rows.append((time, found.applied, found.cathode_V, found.confined, imbalance, depth, layer, touching))
        if time >= duration_s or depth >= last_depth or found.cathode_V < lowest_V:
            break
        until = min(drive.next_jump(time), duration_s)
        interval = min(cell.interval(found, terms), until - time)
        cell.advance(interval, found)
        time = until if until - time - interval <= 1e-9 * duration_s else time + interval
        cell.react(time)
        charge += found.confined * interval * _NM_PER_A
        passed += found.taken_up * interval * _NM_PER_A
        depth = connected_depth(cell.lithium, ceramic.spacing_nm) - lithium_nm
        if on_progress is not None:
            on_progress(min(time / duration_s, 1.0))
    times, currents, cathode, confined, imbalances, depths, layers, touching_share = np.array(rows).T
    return CurrentResult(
        times,
        currents,
        cathode,
        confined,
        imbalances,
        depths,
        layers,
        touching_share,
        is_shorted=depth >= last_depth,
        lithium=cell.lithium,
        extent=cell.extent,
        potential=found.potential,
        cavity=cell.most - cell.lithium,
        charge_nm=charge,
        reservoir_nm=passed - charge,
    )


class _Cell:
    """The state of a run under current: metal, cavities, contact, chemistry, the last potential."""

    def __init__(
        self,
        ceramic: Ceramic,
        front: FrontParameters,
        conductivity: Conductivity,
        interphase: InterphaseParameters | None,
        stripping: Stripping | None,
        lithium_nm: float,
    ) -> None:
        self.ceramic, self.front, self.conductivity = ceramic, front, conductivity
        self.start = lithium_slab(ceramic.shape, ceramic.spacing_nm, lithium_nm, front.width_nm)
        self.metal = LithiumFront(front, self.start, ceramic.spacing_nm, ceramic.effective_surface_energy)
        self.mask = contact_mask(ceramic.shape, ceramic.spacing_nm, lithium_nm, front.width_nm)
        self.solver = IonicPotential(front, self.mask, ceramic.spacing_nm)
        self.reservoir = None if stripping is None else ReservoirContact(stripping, ceramic.shape[1:])
        self.chemistry: Interphase | None = None
        if interphase is not None:
            self.chemistry = start_chemistry(ceramic, interphase, lithium_nm)
        self.lithium, self.most = self.start, self.start
        self.extent: FloatArray = np.zeros(ceramic.shape)
        self.potential: FloatArray = np.zeros(ceramic.shape)
        self.can_leave = np.zeros(ceramic.shape, np.bool_)
        self.threshold, self.sigma = ceramic.threshold_V(), conductivity(self.lithium, self.extent)

    @property
    def touching(self) -> FloatArray:
        """θ of every column."""
        return np.ones(()) if self.reservoir is None else self.reservoir.fraction

    def solve(self, current: float | None, potential: float | None) -> tuple[PotentialSolution, FrontTerms]:
        """The potential and what holds the front back under it.

        That term is proportional to the strongest drive, which is known from the last potential: where the two do not
        belong together yet, solved again.
        """
        terms = self.metal.terms(self.potential, self.threshold)
        for _ in range(_MOST_SOLVES):
            found = self.solver.solve(
                self.lithium,
                terms.barrier_V,
                terms.restoring_per_s,
                self.sigma,
                current_A_per_m2=current,
                cathode_V=potential,
                touching=self.touching,
                can_leave=self.can_leave,
            )
            self.potential, before = found.potential, terms.strongest_drive
            terms = self.metal.terms(self.potential, self.threshold)
            if abs(terms.strongest_drive - before) <= _SETTLED * terms.strongest_drive:
                break
        return found, terms

    def interval(self, found: PotentialSolution, terms: FrontTerms) -> float:
        """Time to the next solve: half a cell of the fastest front, four seconds at most (s)."""
        longest = LONGEST_INTERVAL_S
        if self.reservoir is not None:
            longest = min(longest, self.reservoir.longest_s(found.contact))
        if terms.speed_nm_per_s > 0:
            longest = min(longest, CELLS_PER_INTERVAL * self.ceramic.spacing_nm / terms.speed_nm_per_s)
        return longest

    def advance(self, interval: float, found: PotentialSolution) -> None:
        """Move the metal under the potential that was found."""
        self.metal.advance(interval, found.potential, self.threshold)
        self.lithium = self.metal.lithium
        self.most = np.maximum(self.most, self.lithium)
        if self.reservoir is not None:
            self.reservoir.advance(interval, found.contact)
            self.can_leave = self._connected()
            self.metal.let_leave(self.can_leave)

    def react(self, time: float) -> None:
        """Let the interphase grow up to `time` and take down what follows for thresholds and conductivity."""
        if self.chemistry is not None:
            # the walls of a path that lithium has left go on corroding
            self.chemistry.set_lithium(self.most >= 0.5)
            self.chemistry.advance(time)
            self.extent = self.chemistry.extent
        cavity = self.most - self.lithium
        self.threshold = self.ceramic.threshold_V(self.extent) * (1.0 - cavity) ** 2
        self.sigma = self.conductivity(self.lithium, self.extent) * (1.0 - cavity) + VOID_S_PER_M * cavity

    def _connected(self) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """Cells that lithium connected with the anode, its diffuse edge included, has entered and may leave."""
        from scipy import ndimage

        edge = max(1, round(4.0 * self.front.width_nm / self.ceramic.spacing_nm))
        sides = ((0, 0), *((edge, edge),) * (self.lithium.ndim - 1))
        around = np.pad(connected_lithium(self.lithium), sides, mode="wrap")
        inside = tuple(slice(low, -high or None) for low, high in sides)
        grown = ndimage.binary_dilation(around, iterations=edge)[inside]
        return np.asarray(grown & (self.start < 0.5) & (self.lithium - self.start > _GAINED))
