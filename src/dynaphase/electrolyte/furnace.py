r"""A furnace schedule: from powder to the microstructure that a cell is built from.

Grains grow by curvature (:mod:`~dynaphase.electrolyte.grain_growth`), pinned by the pores and particles that lie on
their boundaries, while pores close:

.. math::

   \frac{\mathrm{d}p}{\mathrm{d}t^*} = -\Theta\,p\,\Bigl(\frac{20\,\mathrm{nm}}{d}\Bigr)^{4}

with the mean linear intercept d of the simulated structure (final-stage densification by boundary diffusion, Coble,
J. Appl. Phys. 32, 787 (1961), doi:10.1063/1.1736107; the exponent is 3 for lattice diffusion).  Coarsening and
densification compete as in a furnace.  Expect finer grains with more particles, by simulation alone; what the porosity
does follows from Θ, which is given.

Pores close where they are: matter is not moved about and pores do not travel with the boundaries, so they pin somewhat
too strongly.  :func:`~dynaphase.electrolyte.sintering.make_sintering_model` resolves the density, without
densification.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from dynaphase.electrolyte import microstructure as powder
from dynaphase.electrolyte import periodic_geometry as geometry
from dynaphase.electrolyte.grain_growth import GrainGrowth
from dynaphase.electrolyte.grains import (
    BoundaryMap,
    boundary_indicator,
    fill_labels,
    linear_intercept,
    map_boundaries,
)
from dynaphase.electrolyte.microstructure import Microstructure
from dynaphase.errors import ConfigError
from dynaphase.phasefield.grid import Boundary, Grid
from dynaphase.phasefield.operators import FloatArray

__all__ = ["FurnaceHistory", "FurnaceSchedule", "PoreSpace", "SinteredStructure", "sinter"]

OnState = Callable[[float, npt.NDArray[np.int64], FloatArray], None]

REFERENCE_GRAIN_SIZE_NM: Final = 20.0
INTERCEPT_PER_CELL_SIZE: Final = {2: math.pi / 4.0, 3: 0.687}
"""Mean linear intercept of Poisson–Voronoi cells over (volume per grain)^(1/d)."""
_N_NEAREST: Final = 8
"""Pores that are looked at around a cell: the nearest by centre need not be the nearest by surface."""


@dataclass(frozen=True, slots=True)
class FurnaceSchedule:
    """What the furnace does, and to which powder.

    Parameters
    ----------
    reduced_time : float
        t* = ∫ m_gb γ_gb dt in nm²: 500 takes grains of 14 nm to about 25 nm.
    densification_rate : float
        Θ ≥ 0 at d = 20 nm, per unit of t*.
    grain_size_exponent : float
        Of 20 nm/d in the rate: 4 for boundary diffusion, 3 for lattice diffusion.
    initial_porosity : float
        p₀, 0 ≤ p₀ ≤ 0.4: area fraction of pores in the powder compact.
    initial_grain_size_nm : float
        Mean linear intercept of the grains of the powder, their number from the box: 36 grains in 100 nm × 100 nm.
    grain_size_target_nm : float, optional
        Stop as soon as the mean linear intercept reaches this, at t* = ``reduced_time`` at the latest; the grain size
        is then given, not found.
    width_nm : float
        λ of all interfaces (nm), at least 1.25 cells for 2 % in energies and speeds.
    pinning_strength : float
        q inside the particles: 2 drives every order parameter out.
    update_interval : float
        t* between two looks at d, each with new pores.

    Raises
    ------
    ConfigError
        For a number outside its range.
    """

    reduced_time: float = 500.0
    densification_rate: float = 1.3e-3
    grain_size_exponent: float = 4.0
    initial_porosity: float = 0.10
    initial_grain_size_nm: float = 13.1
    grain_size_target_nm: float | None = None
    width_nm: float = 1.3
    pinning_strength: float = 2.0
    update_interval: float = 10.0

    def __post_init__(self) -> None:
        positive = ("reduced_time", "grain_size_exponent", "initial_grain_size_nm", "width_nm", "update_interval")
        for name in positive:
            _require(name, getattr(self, name), getattr(self, name) > 0, "positive")
        for name in ("densification_rate", "pinning_strength"):
            _require(name, getattr(self, name), getattr(self, name) >= 0, "not negative")
        is_porosity = 0 <= self.initial_porosity <= 0.4
        _require("initial_porosity", self.initial_porosity, is_porosity, "between 0 and 0.4: closed pores in a solid")
        if self.grain_size_target_nm is not None:
            is_size = self.grain_size_target_nm > 0
            _require("grain_size_target_nm", self.grain_size_target_nm, is_size, "positive, or None")


@dataclass(frozen=True, slots=True)
class FurnaceHistory:
    """What happened on the way; one entry for the start and one for every look, (n,) each."""

    reduced_time: FloatArray
    grain_size_nm: FloatArray
    """Mean linear intercept, voids counted to the grains around them."""
    porosity: FloatArray
    n_grains: npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class SinteredStructure:
    """What comes out of the furnace; periodic along every axis."""

    microstructure: Microstructure
    """Grains numbered from 0 without gaps; the density is smooth, 1 in the solid, ½ on the surface of a pore."""
    boundaries: BoundaryMap
    """Distance to the nearest boundary and the pair of grains that it parts, in the same numbers."""
    history: FurnaceHistory
    powder_grains: npt.NDArray[np.int64]
    """(n_grains,): which grain of the powder each one was.  A seed numbers the powder alike on every grid, whatever
    grains vanish later, so this is what names a grain (and, in pairs, a boundary) from one grid to another."""

    @property
    def powder_pairs(self) -> npt.NDArray[np.int64]:
        """`boundaries.pairs` in the numbers of the powder; −1 without a boundary."""
        pairs = self.boundaries.pairs
        return np.where(pairs < 0, -1, self.powder_grains[np.maximum(pairs, 0)])


class PoreSpace:
    """Pores as level sets of the distance to a union of balls: one family from open to closed, without the grid.

    Parameters
    ----------
    score : array, shape of the grid
        Signed distance to the pores of the powder (nm), negative inside; inf where there is none.
    width_nm : float
        λ of the surface.
    """

    def __init__(self, score: FloatArray, width_nm: float) -> None:
        self.score, self.width_nm = score, width_nm
        self._sorted = np.sort(score, axis=None)

    def density(self, porosity: float) -> FloatArray:
        """ρ = ½[1 + tanh((s − c)/2λ)], c such that ρ < ½ on the fraction `porosity` of the cells.

        Once less than a cell is left to be void, the last pore fades.
        """
        n_void = porosity * self._sorted.size
        if n_void <= 0 or not math.isfinite(self._sorted[0]):
            return np.ones_like(self.score)
        level = float(np.interp(n_void, np.arange(self._sorted.size) + 0.5, self._sorted))
        level -= 6.0 * self.width_nm * max(0.0, 1.0 - n_void)
        return np.asarray(0.5 * (1.0 + np.tanh((self.score - level) / (2.0 * self.width_nm))))


def sinter(
    shape: Sequence[int],
    spacing_nm: float,
    schedule: FurnaceSchedule,
    *,
    secondary: Mapping[str, float],
    boundary_width_nm: float = 4.0,
    seed: int | np.random.SeedSequence,
    on_state: OnState | None = None,
) -> SinteredStructure:
    """Send a powder compact through the furnace.

    The powder: Voronoi grains of random seeds, round pores of radius 2.5–4.5 nm on their junctions, refractory
    particles of radius 2 nm on their boundaries.  Grains and pores depend on the seed alone, the place of a particle
    on the seed and its phase, so neighbouring compositions differ little (common random numbers).

    Parameters
    ----------
    shape : sequence of int
        Number of cells along each axis; 2 or 3 axes.
    spacing_nm : float
        Edge length of a cell (nm).
    schedule : FurnaceSchedule
    secondary : mapping of str to float
        Area (volume) fraction of every refractory phase in the dense solid; they are there before growth and pin.
        Phases that wet boundaries belong in the numbers of the schedule, not here.
    boundary_width_nm : float
        ℓ = ∫ g dz of the boundary indicator (nm).
    seed : int or numpy.random.SeedSequence
        Source of all randomness; not advanced by the call.
    on_state : callable, optional
        Called at the start and at every look with t*, the powder's number of the grain of every cell, and ρ; the arrays
        are the receiver's to keep.

    Returns
    -------
    SinteredStructure
        Phases with a zero fraction are left out; the others are ordered by name.

    Raises
    ------
    InputError
        If a size is not positive or a fraction is outside its range.
    ConfigError
        If λ of the schedule is below one cell.
    """
    powder.require_possible(
        shape,
        spacing_nm,
        grain_size_nm=schedule.initial_grain_size_nm,
        porosity=schedule.initial_porosity,
        secondary=secondary,
        boundary_width_nm=boundary_width_nm,
    )
    grid = Grid(tuple(shape), spacing_nm, (Boundary.PERIODIC,) * len(shape))
    grain_ids, pores, phase_ids, phase_names = _make_powder(grid, schedule, secondary, seed)
    pinning = np.where(phase_ids > 0, schedule.pinning_strength, 0.0)
    density = pores.density(schedule.initial_porosity)
    growth = GrainGrowth(grid, schedule.width_nm, grain_ids, density, pinning)
    history = _fire(growth, pores, schedule, on_state)
    return _read(growth, history, phase_ids, phase_names, boundary_width_nm)


def _fire(
    growth: GrainGrowth, pores: PoreSpace, schedule: FurnaceSchedule, on_state: OnState | None = None
) -> FurnaceHistory:
    """Growth and densification in turn; the rate of dp/dt* is the mean of both ends of an interval."""
    n_intervals = math.ceil(schedule.reduced_time / schedule.update_interval * (1 - 1e-9))
    interval = schedule.reduced_time / n_intervals
    porosity, labels = schedule.initial_porosity, _labels(growth)
    size = _grain_size(growth, labels)
    rows = [(0.0, size, porosity, growth.n_grains)]
    if on_state is not None:
        on_state(0.0, labels, growth.density)
    for _ in range(n_intervals):
        if schedule.grain_size_target_nm is not None and size >= schedule.grain_size_target_nm:
            break
        growth.advance(interval)
        labels = _labels(growth)
        earlier, size = size, _grain_size(growth, labels)
        sizes = np.array([earlier, size])
        rate = float(np.mean((REFERENCE_GRAIN_SIZE_NM / sizes) ** schedule.grain_size_exponent))
        porosity *= math.exp(-schedule.densification_rate * rate * interval)
        growth.surround(pores.density(porosity))
        rows.append((growth.time, size, porosity, growth.n_grains))
        if on_state is not None:
            on_state(growth.time, labels, growth.density)
    times, grain_sizes, porosities, numbers = zip(*rows, strict=True)
    return FurnaceHistory(np.array(times), np.array(grain_sizes), np.array(porosities), np.array(numbers, np.int64))


def _labels(growth: GrainGrowth) -> npt.NDArray[np.int64]:
    return fill_labels(growth.two_largest(), growth.grid)


def _grain_size(growth: GrainGrowth, labels: npt.NDArray[np.int64]) -> float:
    return linear_intercept(labels, growth.grid.spacing_nm)


def _read(
    growth: GrainGrowth,
    history: FurnaceHistory,
    phase_ids: npt.NDArray[np.uint8],
    phase_names: tuple[str, ...],
    boundary_width_nm: float,
) -> SinteredStructure:
    largest = growth.two_largest()
    labels = fill_labels(largest, growth.grid)
    is_solid = growth.density >= 0.5
    raw = map_boundaries(largest, labels, is_solid, growth.grid)
    # A vanished grain may still own a cell by its tail; numbers without gaps count what is there.
    present, numbers = np.unique(labels, return_inverse=True)
    pairs = np.where(raw.pairs < 0, -1, np.searchsorted(present, raw.pairs)).astype(np.int32)
    indicator = np.where(is_solid, boundary_indicator(raw.distance_nm, boundary_width_nm), 0.0)
    structure = Microstructure(
        spacing_nm=growth.grid.spacing_nm,
        grain_ids=numbers.reshape(labels.shape).astype(np.int32),
        boundary=indicator,
        boundary_width_nm=boundary_width_nm,
        density=growth.density,
        phase_ids=np.where(is_solid, phase_ids, 0).astype(np.uint8),
        phase_names=phase_names,
    )
    return SinteredStructure(structure, BoundaryMap(raw.distance_nm, pairs), history, present)


# --- powder ------------------------------------------------------------------------------------------------------


def _make_powder(
    grid: Grid, schedule: FurnaceSchedule, secondary: Mapping[str, float], seed: int | np.random.SeedSequence
) -> tuple[npt.NDArray[np.int32], PoreSpace, npt.NDArray[np.uint8], tuple[str, ...]]:
    """Grains, pores, and particles, whose fraction is that of the solid once the pores are closed."""
    box = np.array(grid.lengths_nm)
    points = geometry.cell_centres(grid.shape, grid.spacing_nm)
    seeds = _grain_seeds(box, schedule.initial_grain_size_nm, powder.ingredient_stream(seed, "grains"))
    grain_ids, distance = geometry.tessellate(points, seeds, box)
    score = _pore_score(points, box, seeds, schedule.initial_porosity, powder.ingredient_stream(seed, "pores"))
    pores = PoreSpace(score.reshape(grid.shape), schedule.width_nm)
    is_open = pores.density(schedule.initial_porosity).ravel() < 0.5
    fractions = {name: float(secondary[name]) for name in sorted(secondary) if secondary[name] > 0}
    width = 4.0 * grid.spacing_nm
    area = float(np.sum(boundary_indicator(distance, width))) * grid.spacing_nm ** len(box) / width
    phase_ids = powder.place_particles(
        points,
        box,
        np.ones(len(points), np.bool_),
        fractions=fractions,
        sites=points[(distance <= 0.75 * grid.spacing_nm) & ~is_open],
        boundary_area=area,
        seed=seed,
    )
    return grain_ids.reshape(grid.shape), pores, phase_ids.reshape(grid.shape), tuple(fractions)


def _grain_seeds(box: FloatArray, grain_size: float, random: np.random.Generator) -> FloatArray:
    """First n of a fixed random sequence, not relaxed: sizes then scatter nearly as in normal grain growth.

    The even sizes of relaxed seeds would have to widen first, and growth would start late.
    """
    ndim = len(box)
    n = max(1, round(float(box.prod()) * (INTERCEPT_PER_CELL_SIZE[ndim] / grain_size) ** ndim))
    return random.random((n, ndim)) * box


def _pore_score(
    points: FloatArray, box: FloatArray, seeds: FloatArray, porosity: float, random: np.random.Generator
) -> FloatArray:
    """Signed distance of every point to the nearest ball; the balls sit on junctions, evenly spread."""
    if porosity == 0:
        return np.full(len(points), np.inf)
    spread = geometry.SpreadPoints(random, box)
    low, high = powder.PORE_RADII_NM
    n_most = int(porosity * box.prod() / geometry.ball_volume(low, len(box))) + 2
    radii = low + (high - low) * random.random(n_most)
    radii = geometry.first_filling(radii, porosity * float(box.prod()), len(box))
    centres, junctions = spread(len(radii)), geometry.junctions_of(seeds, box)
    if len(junctions):
        centres = geometry.closest_unused(centres, junctions, box)
    k = min(_N_NEAREST, len(centres))
    distance, nearest = geometry.nearest_of(points, centres, box, k)
    return np.asarray((distance - radii[nearest]).reshape(len(points), -1).min(axis=1))


def _require(name: str, value: float, is_right: bool, what: str) -> None:
    if not (math.isfinite(value) and is_right):
        raise ConfigError(f"the {name} of a furnace schedule must be {what}, not {value}")
