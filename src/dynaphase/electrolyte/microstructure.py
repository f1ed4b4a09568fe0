"""Polycrystals: grains, pores and secondary phases on a grid.

The geometry is made in nanometres first (grain seeds, junctions, nucleation sites) and put on the grid last, so the
same seed gives the same structure at 96², 128² and 256².  Area fractions are met by ranking cells, not by adding up
discs: the requested number of cells is taken, lowest score first, whatever overlaps.  Every ingredient has a random
stream of its own and uses the *first n* members of it; structures of neighbouring compositions therefore differ
little (common random numbers), and a change of porosity leaves the grains alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from zlib import crc32

import numpy as np
import numpy.typing as npt

from dynaphase.electrolyte.periodic_geometry import (
    N_NEIGHBOURS,
    SpreadPoints,
    ball_volume,
    cell_centres,
    closest_unused,
    first_filling,
    junctions_of,
    minimum_image,
    nearest_of,
    tessellate,
    wrap,
)
from dynaphase.errors import InputError

__all__ = [
    "PORE_RADII_NM",
    "Microstructure",
    "ingredient_stream",
    "make_microstructure",
    "place_particles",
    "require_possible",
]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

INTERCEPT_PER_CELL_SIZE: Final = {2: 0.822, 3: 0.733}
"""Mean linear intercept over (volume per grain)^(1/d) after `LLOYD_STEPS` relaxations; measured here on 4000 grains.

Unrelaxed (Poisson–Voronoi) cells have π/4 = 0.785 in the plane, where L_A = 2√λ and the intercept is π/(2L_A), and
0.687 in space; regular hexagons have 0.844: relaxed cells lie between.
"""
LLOYD_STEPS: Final = 3
PORE_RADII_NM: Final = (2.5, 4.5)
PARTICLE_RADIUS_NM: Final = 2.0
PARTICLE_SPACING: Final = 4.0
"""Least mean distance of particles along a boundary, in particle radii; beyond it particles grow, not multiply."""


@dataclass(frozen=True, slots=True)
class Microstructure:
    """What the phase-field run starts from; all arrays share one shape, axis 0 from anode to cathode."""

    spacing_nm: float
    grain_ids: npt.NDArray[np.int32]
    """Grain that each cell belongs to, 0 … n_grains − 1."""
    boundary: FloatArray
    """Grain-boundary indicator g, 0 in the grain, 1 on the boundary."""
    boundary_width_nm: float
    """∫ g dz across an isolated boundary (nm): the numerical width of a boundary."""
    density: FloatArray
    """Relative density ρ: 1 solid, 0 void."""
    phase_ids: npt.NDArray[np.uint8]
    """0 for the host, k for ``phase_names[k - 1]``."""
    phase_names: tuple[str, ...]
    """Secondary phases that take part, in the order of their ids."""


def make_microstructure(
    shape: Sequence[int],
    spacing_nm: float,
    *,
    grain_size_nm: float,
    porosity: float,
    secondary: Mapping[str, float],
    boundary_width_nm: float = 4.0,
    seed: int | np.random.SeedSequence,
) -> Microstructure:
    r"""Voronoi grains with pores at their junctions and secondary phases on their boundaries, periodic in every axis.

    The boundary indicator is :math:`g = \operatorname{sech}^2(2h/\ell)` with h the exact periodic distance to the
    nearest face of the Voronoi cell, so that :math:`\int g\,\mathrm{d}z = \ell` across a straight boundary; it is
    zero in voids.  Pores are discs of radius 2.5–4.5 nm centred on junctions (they grow once every junction has one;
    with fewer than three grains they lie anywhere); secondary phases are discs of radius 2 nm centred on boundaries
    (they grow once they are 4 radii apart).

    Parameters
    ----------
    shape : sequence of int
        Number of cells along each axis; 2 or 3 axes.
    spacing_nm : float
        Edge length of a cell (nm).
    grain_size_nm : float
        Mean linear intercept of the tessellation (nm).  Beyond about the box length there is one grain.
    porosity : float
        Void fraction of the box, 0 ≤ p < 1, met to one cell.
    secondary : mapping of str to float
        Volume fraction of each secondary phase *of the solid*, each met to one cell.  They may sum to 1 (no host).
    boundary_width_nm : float
        ℓ = ∫ g dz, the numerical width of a grain boundary (nm).
    seed : int or numpy.random.SeedSequence
        Source of all randomness; not advanced by the call.

    Returns
    -------
    Microstructure
        Phases with a zero fraction are left out; the others are ordered by name.

    Raises
    ------
    InputError
        If a size is not positive, a fraction is outside its range or the fractions sum to more than 1.
    """
    require_possible(
        shape,
        spacing_nm,
        grain_size_nm=grain_size_nm,
        porosity=porosity,
        secondary=secondary,
        boundary_width_nm=boundary_width_nm,
    )
    box = np.array(shape, dtype=float) * spacing_nm
    points = cell_centres(shape, spacing_nm)
    seeds = _grain_seeds(box, grain_size_nm, ingredient_stream(seed, "grains"))
    grain_ids, distance = tessellate(points, seeds, box)
    interface = 1.0 / np.cosh(2.0 * distance / boundary_width_nm) ** 2

    is_void = _place_pores(points, box, seeds, porosity, ingredient_stream(seed, "pores"))
    fractions = {name: float(secondary[name]) for name in sorted(secondary) if secondary[name] > 0}
    sites = points[(distance <= 0.75 * spacing_nm) & ~is_void]
    area = interface.sum() * spacing_nm ** len(shape) / boundary_width_nm
    phase_ids = place_particles(points, box, ~is_void, fractions=fractions, sites=sites, boundary_area=area, seed=seed)
    return Microstructure(
        spacing_nm=spacing_nm,
        grain_ids=grain_ids.reshape(shape),
        boundary=np.where(is_void, 0.0, interface).reshape(shape),
        boundary_width_nm=boundary_width_nm,
        density=np.where(is_void, 0.0, 1.0).reshape(shape),
        phase_ids=phase_ids.reshape(shape),
        phase_names=tuple(fractions),
    )


def require_possible(
    shape: Sequence[int],
    spacing_nm: float,
    *,
    grain_size_nm: float,
    porosity: float,
    secondary: Mapping[str, float],
    boundary_width_nm: float,
) -> None:
    """Raise `InputError` for sizes and fractions of which no microstructure can be made."""
    if len(shape) not in INTERCEPT_PER_CELL_SIZE or min(shape) < 4:
        raise InputError(f"a microstructure needs 2 or 3 axes of at least 4 cells each, not {tuple(shape)}")
    lengths = {"spacing": spacing_nm, "grain size": grain_size_nm, "boundary width": boundary_width_nm}
    for name, length in lengths.items():
        if not (np.isfinite(length) and length > 0):
            raise InputError(f"the {name} must be a positive length in nm, not {length}")
    if not 0 <= porosity < 1:
        raise InputError(f"the porosity is a void fraction, 0 ≤ p < 1, not {porosity}")
    for name, fraction in secondary.items():
        if not 0 <= fraction <= 1 + 1e-9:
            raise InputError(f"the fraction of {name} in the solid must lie between 0 and 1, not {fraction}")
    if sum(secondary.values()) > 1 + 1e-9:
        raise InputError(
            f"the secondary phases {', '.join(secondary)} take {sum(secondary.values()):.6g} of the solid; "
            "their fractions must sum to at most 1 (the rest is host)"
        )


def ingredient_stream(seed: int | np.random.SeedSequence, name: str) -> np.random.Generator:
    """Random stream of one ingredient; by its name, so that adding an ingredient moves no other."""
    root = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(seed)
    # Not root.spawn(): it counts its children, and a second call with the same object would differ.
    key = (*root.spawn_key, crc32(name.encode()))
    return np.random.default_rng(np.random.SeedSequence(root.entropy, spawn_key=key))


# ------------------------------------------------------------------------------------------------ grains


def _grain_seeds(box: FloatArray, grain_size: float, random: np.random.Generator) -> FloatArray:
    """First n of a fixed random point sequence, relaxed towards the centroids of their cells (Lloyd)."""
    ndim = len(box)
    n = max(1, round(float(box.prod()) * (INTERCEPT_PER_CELL_SIZE[ndim] / grain_size) ** ndim))
    seeds = random.random((n, ndim)) * box
    if n == 1:
        return seeds
    # About 60 probes per grain, on a lattice that knows nothing of the simulation grid.
    probe_spacing = float(box.prod() / (60 * max(n, 10))) ** (1 / ndim)
    counts = np.ceil(box / probe_spacing).astype(int)
    probes = cell_centres(counts.tolist(), 1.0) / counts * box
    for _ in range(LLOYD_STEPS):
        _, owner = nearest_of(probes, seeds, box)
        offset = minimum_image(probes - seeds[owner], box)
        size = np.maximum(np.bincount(owner, minlength=n), 1)
        shift = np.stack([np.bincount(owner, offset[:, k], n) / size for k in range(ndim)], axis=1)
        seeds = wrap(seeds + shift, box)
    return seeds


# ------------------------------------------------------------------------------------- pores and particles


def _place_pores(
    points: FloatArray, box: FloatArray, seeds: FloatArray, porosity: float, random: np.random.Generator
) -> BoolArray:
    n_cells = round(porosity * len(points))
    if n_cells == 0:
        return np.zeros(len(points), np.bool_)
    spread = SpreadPoints(random, box)
    low, high = PORE_RADII_NM
    n_most = int(porosity * box.prod() / ball_volume(low, len(box))) + 2
    radii = low + (high - low) * random.random(n_most)
    radii = first_filling(radii, porosity * float(box.prod()), len(box))
    junctions = junctions_of(seeds, box)
    centres = spread(len(radii))
    if len(junctions):
        centres = closest_unused(centres, junctions, box)
    everywhere = np.ones(len(points), np.bool_)
    return _grow(points, centres, radii[: len(centres)], box, is_free=everywhere, n_cells=n_cells)


def place_particles(
    points: FloatArray,
    box: FloatArray,
    is_solid: BoolArray,
    *,
    fractions: Mapping[str, float],
    sites: FloatArray,
    boundary_area: float,
    seed: int | np.random.SeedSequence,
) -> npt.NDArray[np.uint8]:
    """Grow one phase after the other into the solid that is left, each from sites of its own."""
    ndim = len(box)
    phase_ids = np.zeros(len(points), np.uint8)
    n_solid = int(is_solid.sum())
    cell_volume = float(box.prod()) / len(points)
    # Rounding the running total keeps both the parts and the whole within one cell.
    ends = np.rint(np.cumsum([0.0, *fractions.values()]) * n_solid).astype(int)
    n_cells = np.minimum(np.diff(np.minimum(ends, n_solid)), n_solid)
    n_room = boundary_area / (PARTICLE_SPACING * PARTICLE_RADIUS_NM) ** (ndim - 1)
    total = sum(fractions.values())
    for k, (name, fraction) in enumerate(fractions.items(), start=1):
        if n_cells[k - 1] == 0:
            continue
        n_balls = n_cells[k - 1] * cell_volume / ball_volume(PARTICLE_RADIUS_NM, ndim)
        if len(sites):
            n_balls = min(n_balls, max(1.0, n_room * fraction / total))
        radii = np.full(int(np.ceil(n_balls)), PARTICLE_RADIUS_NM)
        radii[-1] *= (n_balls - (len(radii) - 1)) ** (1 / ndim)
        centres = SpreadPoints(ingredient_stream(seed, f"phase {name}"), box)(len(radii))
        if len(sites):
            centres = sites[nearest_of(centres, sites, box)[1]]
        is_free = is_solid & (phase_ids == 0)
        phase_ids[_grow(points, centres, radii, box, is_free=is_free, n_cells=int(n_cells[k - 1]))] = k
    return phase_ids


def _grow(
    points: FloatArray,
    centres: FloatArray,
    radii: FloatArray,
    box: FloatArray,
    *,
    is_free: BoolArray,
    n_cells: int,
) -> BoolArray:
    """Mask of exactly `n_cells` free cells: the level set of the distance to the union of balls that holds them.

    The distance is exact where at most `N_NEIGHBOURS` balls come near.
    """
    k = min(N_NEIGHBOURS if np.ptp(radii[:-1]) > 0 else 2, len(centres)) if len(radii) > 1 else 1
    # A search that stops at twice the radius that would do for separate balls is several times faster;
    # overlaps and obstacles may need more, and then everything is searched.
    enough = 2 * (n_cells * box.prod() / len(points) / len(centres)) ** (1 / len(box)) + radii.max()
    for bound in (float(enough), np.inf):
        distance, nearest = nearest_of(points, centres, box, k, bound)
        padded = np.append(radii, 0.0)  # the search marks "none within the bound" by an index past the end
        score = (distance - padded[nearest]).reshape(len(points), -1).min(axis=1)
        candidates = np.flatnonzero(is_free & np.isfinite(score))
        if len(candidates) >= n_cells:
            break
    chosen = np.zeros(len(points), np.bool_)
    if n_cells >= len(candidates):
        chosen[candidates] = True
    else:
        # Many cells are equally far from a site.  Left to a sorting routine the choice among them would depend on the
        # processor, in the order of the cells it would lean to one side of the box; so each has a fixed priority.
        priority = np.random.default_rng(0).permutation(len(points))[candidates]
        chosen[candidates[np.lexsort((priority, np.round(score[candidates], 9)))[:n_cells]]] = True
    return chosen
