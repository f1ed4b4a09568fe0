"""Reading a grain structure: where its boundaries run, whose they are, how far apart.

A boundary is where the two largest order parameters are equal.  It is met between cell centres, by interpolation, so
that distances to it are good to a fraction of a cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dynaphase.electrolyte.grain_growth import TwoLargest
from dynaphase.errors import ConfigError
from dynaphase.phasefield.grid import Grid
from dynaphase.phasefield.operators import FloatArray

__all__ = ["BoundaryMap", "boundary_indicator", "boundary_zone", "fill_labels", "linear_intercept", "map_boundaries"]

IntArray = npt.NDArray[np.integer[Any]]
IndexArray = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]

_LEAST = 1e-3
"""Order parameters below this say nothing about whose a cell is: the inside of voids and particles."""

_N_NEAREST = 4
"""Points on boundaries that are looked at from a cell."""


@dataclass(frozen=True, slots=True)
class BoundaryMap:
    """Distance to the grain boundaries, and which one is the nearest."""

    distance_nm: FloatArray
    """h, shape of the grid: distance to the nearest boundary in the solid (nm); inf where there is none."""
    pairs: npt.NDArray[np.int32]
    """(2, *grid.shape): the two grains that the nearest boundary parts, the smaller number first; −1 without one."""


def fill_labels(largest: TwoLargest, grid: Grid) -> npt.NDArray[np.int64]:
    """The grain of every cell: that of the largest order parameter, and in voids and particles of the nearest grain.

    Parameters
    ----------
    largest : TwoLargest
    grid : Grid
        Periodic along every axis.
    """
    from scipy.spatial import cKDTree

    labels: npt.NDArray[np.int64] = largest.grains[0].copy()
    is_known = (largest.values[0] > _LEAST) & (labels >= 0)
    if np.all(is_known) or not np.any(is_known):
        return labels
    # The nearest known cell has an unknown neighbour, the one towards the asking cell: few cells are worth a search.
    is_rim = is_known & np.any(
        [~np.roll(is_known, shift, axis) for axis in range(labels.ndim) for shift in (1, -1)], axis=0
    )
    box = np.array(grid.shape, float)
    tree = cKDTree(np.argwhere(is_rim), boxsize=box)
    _, nearest = tree.query(np.argwhere(~is_known))
    labels[~is_known] = labels[is_rim][nearest]
    return labels


def linear_intercept(labels: IntArray, spacing_nm: float) -> float:
    """Mean linear intercept along all lines of all axes of a periodic box (nm): length over boundaries met.

    Voids count as parts of the grains that `fill_labels` gives them to, as in models of densification, whose pores
    lie in the corners of polyhedra.  The longest edge of the box where no boundary is met.
    """
    crossings = sum(np.count_nonzero(labels != np.roll(labels, -1, axis)) for axis in range(labels.ndim))
    return labels.size * labels.ndim * spacing_nm / crossings if crossings else max(labels.shape) * spacing_nm


def map_boundaries(largest: TwoLargest, labels: IntArray, is_solid: BoolArray, grid: Grid) -> BoundaryMap:
    """Distance of every cell to the boundaries between grains in the solid, and the pair of grains of the nearest.

    Parameters
    ----------
    largest : TwoLargest
    labels : array of int, shape of the grid
        From `fill_labels`.
    is_solid : array of bool, shape of the grid
        A boundary between two cells neither of which is solid is none.
    grid : Grid
        Periodic along every axis.
    """
    from scipy.spatial import cKDTree

    points, pairs = _crossings(largest, labels, is_solid, grid)
    if len(points) == 0:
        return BoundaryMap(np.full(grid.shape, np.inf), np.full((2, *grid.shape), -1, np.int32))
    box = np.array(grid.shape, float)
    centres = np.stack([axis.ravel() for axis in np.indices(grid.shape)], axis=1).astype(float)
    tree = cKDTree(points % box, boxsize=box)
    found = np.asarray(tree.query(centres, k=list(range(1, _N_NEAREST + 1)))[1])
    found = np.minimum(found, len(points) - 1)  # the search marks a missing one past the end
    offset = _wrapped(points[found[:, 0]] - centres, box)
    distance = np.linalg.norm(offset, axis=1)
    for other in found[:, 1:].T:
        np.minimum(distance, _to_segment(offset, _wrapped(points[other] - points[found[:, 0]], box)), out=distance)
    by_cell = np.ascontiguousarray(pairs[found[:, 0]].T).reshape(2, *grid.shape)
    return BoundaryMap(distance.reshape(grid.shape) * grid.spacing_nm, by_cell)


def boundary_zone(distance_nm: FloatArray, width_nm: float, edge_nm: float = 0.6) -> FloatArray:
    """The flat-topped zone ½[1 − tanh((h − w/2)/edge)] around boundaries, of full width w.

    Parameters
    ----------
    distance_nm : array
        h.
    width_nm, edge_nm : float
        w and the width of its edge (nm).

    Raises
    ------
    ConfigError
        For a width that is not positive.
    """
    if not (width_nm > 0 and edge_nm > 0):
        raise ConfigError(f"a boundary zone needs positive widths, not {width_nm} and {edge_nm} nm")
    return np.asarray(0.5 * (1.0 - np.tanh((distance_nm - 0.5 * width_nm) / edge_nm)))


def boundary_indicator(distance_nm: FloatArray, width_nm: float) -> FloatArray:
    """The indicator g = sech²(2h/ℓ) with ∫g dz = ℓ across a boundary.

    At ℓ = 2λ it equals 4η₁²η₂²/(η₁² + η₂²)² on the equilibrium profile of width λ (derived here); being made from h,
    it is 1 on every boundary whatever the grid, and its width is free.
    """
    depth = np.minimum(2.0 * distance_nm / width_nm, 40.0)
    return np.asarray(np.where(depth < 40.0, 1.0 / np.cosh(depth) ** 2, 0.0))


def _crossings(
    largest: TwoLargest, labels: IntArray, is_solid: BoolArray, grid: Grid
) -> tuple[FloatArray, npt.NDArray[np.int32]]:
    """Points where a line between neighbouring centres meets a boundary (in cells), and their pairs of grains."""
    points, pairs = [], []
    for axis in range(len(grid.shape)):
        other = np.roll(labels, -1, axis)
        at = np.nonzero((labels != other) & (is_solid | np.roll(is_solid, -1, axis)))
        beyond = tuple((i + 1) % n if k == axis else i for k, (i, n) in enumerate(zip(at, grid.shape, strict=True)))
        here, there = labels[at], labels[beyond]
        lead = _lead(largest, at, here, there)
        trail = _lead(largest, beyond, there, here)
        total = lead + trail
        share = np.where(total > 0, lead / np.where(total > 0, total, 1.0), 0.5)
        place = np.stack(at, axis=1).astype(float)
        place[:, axis] += share
        points.append(place)
        pairs.append(np.stack([np.minimum(here, there), np.maximum(here, there)], axis=1).astype(np.int32))
    return np.concatenate(points), np.concatenate(pairs)


def _lead(largest: TwoLargest, at: tuple[IndexArray, ...], own: IntArray, other: IntArray) -> FloatArray:
    """η of the grain `own` less that of `other` in the cells `at`, not below 0."""
    grains = np.stack([rank[at] for rank in largest.grains])
    values = np.stack([rank[at] for rank in largest.values]).astype(float)
    difference = np.sum(np.where(grains == own, values, 0.0) - np.where(grains == other, values, 0.0), axis=0)
    return np.asarray(np.maximum(difference, 0.0))


def _wrapped(offset: FloatArray, box: FloatArray) -> FloatArray:
    return np.asarray(offset - box * np.rint(offset / box))


def _to_segment(offset: FloatArray, along: FloatArray) -> FloatArray:
    """Distance to the piece of boundary from a point at `offset` on by `along`, where that is a step to a neighbour."""
    squared = np.sum(along**2, axis=1)
    is_piece = (squared > 0) & (squared <= 2.0)
    share = np.clip(-np.sum(offset * along, axis=1) / np.where(is_piece, squared, 1.0), 0.0, 1.0)
    return np.asarray(np.linalg.norm(offset + np.where(is_piece, share, 0.0)[:, None] * along, axis=1))
