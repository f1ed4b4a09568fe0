"""Periodic geometry of grains, pores and particles: distances, Voronoi cells, their junctions, evenly spread points.

A box is the array of its edge lengths; it is periodic along every axis.  Everything is in the unit of the box.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = [
    "N_NEIGHBOURS",
    "SpreadPoints",
    "ball_volume",
    "cell_centres",
    "closest_unused",
    "first_filling",
    "junctions_of",
    "minimum_image",
    "nearest_of",
    "tessellate",
    "wrap",
]

FloatArray = npt.NDArray[np.float64]

N_NEIGHBOURS: Final = 4
"""Neighbours that decide a distance to a cell's surface or to a union of balls."""


def wrap(points: FloatArray, box: FloatArray) -> FloatArray:
    """`points` moved into the box."""
    wrapped = points % box
    return np.where(wrapped >= box, 0.0, wrapped)  # a tiny negative number wraps onto the box length itself


def minimum_image(offset: FloatArray, box: FloatArray) -> FloatArray:
    """Shortest of the periodic images of each `offset`."""
    return offset - box * np.rint(offset / box)


def nearest_of(
    points: FloatArray, targets: FloatArray, box: FloatArray, k: int = 1, bound: float = np.inf
) -> tuple[FloatArray, npt.NDArray[np.intp]]:
    """Periodic distances to the `k` nearest targets and their indices, shape (n,) for k = 1 by default."""
    from scipy.spatial import cKDTree

    distance, index = cKDTree(wrap(targets, box), boxsize=box).query(points, k=k, distance_upper_bound=bound)
    return np.asarray(distance), np.asarray(index)


def cell_centres(shape: Sequence[int], spacing: float) -> FloatArray:
    """Centres of the cells of a grid, (n_cells, n_axes), in the order of a flattened array."""
    axes = [(np.arange(n) + 0.5) * spacing for n in shape]
    return np.stack([x.ravel() for x in np.meshgrid(*axes, indexing="ij")], axis=1)


def tessellate(points: FloatArray, seeds: FloatArray, box: FloatArray) -> tuple[npt.NDArray[np.int32], FloatArray]:
    """Grain of every point and its distance to the nearest face of that grain (inf where there is none).

    The plane halfway between seeds a and b is (d_b² − d_a²)/(2|a − b|) away; the cell being convex, the least of
    these over the neighbouring seeds is the distance to its surface.
    """
    if len(seeds) == 1:
        return np.zeros(len(points), np.int32), np.full(len(points), np.inf)
    _, nearest = nearest_of(points, seeds, box, min(N_NEIGHBOURS, len(seeds)))
    own = nearest[:, 0]
    to_own = minimum_image(seeds[own] - points, box)
    distance = np.full(len(points), np.inf)
    for other in nearest.T[1:]:
        to_other = minimum_image(seeds[other] - points, box)
        separation = to_other - to_own
        # d_b² − d_a² as a product, which stays accurate where the two are nearly equal
        difference = np.einsum("ij,ij->i", separation, to_other + to_own)
        norm = np.sqrt(np.einsum("ij,ij->i", separation, separation))
        np.minimum(distance, difference / (2 * norm), out=distance)
    return own.astype(np.int32), np.maximum(distance, 0.0)


def junctions_of(seeds: FloatArray, box: FloatArray) -> FloatArray:
    """Voronoi vertices where at least three grains meet, in the box."""
    from scipy.spatial import Voronoi

    ndim = len(box)
    if len(seeds) < 3:
        return np.empty((0, ndim))
    n_images = 3**ndim
    shifts = np.stack(np.meshgrid(*[[-1, 0, 1]] * ndim, indexing="ij"), axis=-1).reshape(n_images, ndim)
    images = (seeds[None] + shifts[:, None] * box).reshape(-1, ndim)
    grain = np.tile(np.arange(len(seeds)), n_images)
    margin = np.minimum(1.0, 5.0 * len(seeds) ** (-1 / ndim)) * box
    near = np.all((images > -margin) & (images < box + margin), axis=1)
    vertices = Voronoi(images[near]).vertices
    inside = vertices[np.all((vertices >= 0) & (vertices < box), axis=1)]
    from scipy.spatial import cKDTree

    _, generators = cKDTree(images[near]).query(inside, k=ndim + 1)
    owners = np.sort(grain[near][generators], axis=1)
    n_grains = 1 + np.count_nonzero(np.diff(owners, axis=1), axis=1)
    return np.asarray(inside[n_grains >= 3])


def closest_unused(wanted: FloatArray, available: FloatArray, box: FloatArray) -> FloatArray:
    """For each wanted point in turn the closest available one not taken yet; stops when none is left."""
    wanted = wanted[: len(available)]
    is_free = np.ones(len(available), np.bool_)
    chosen = np.empty(len(wanted), int)
    for i, point in enumerate(wanted):
        squared = np.sum(minimum_image(available - point, box) ** 2, axis=1)
        chosen[i] = np.argmin(np.where(is_free, squared, np.inf))
        is_free[chosen[i]] = False
    return available[chosen]


class SpreadPoints:
    """The first n of an evenly spread sequence with a random origin (additive recurrence, plastic-number family)."""

    def __init__(self, random: np.random.Generator, box: FloatArray) -> None:
        self.origin = random.random(len(box))
        self.box = box

    def __call__(self, n: int) -> FloatArray:
        ndim = len(self.box)
        ratio = 2.0
        for _ in range(60):  # fixed point of r^(d+1) = r + 1
            ratio = (1 + ratio) ** (1 / (ndim + 1))
        step = ratio ** -np.arange(1.0, ndim + 1)
        return np.asarray((self.origin + np.arange(n)[:, None] * step) % 1.0 * self.box)


def ball_volume(radius: float, ndim: int) -> float:
    """Area of a disc or volume of a ball."""
    return float(np.pi * radius**2 if ndim == 2 else 4 / 3 * np.pi * radius**3)


def first_filling(radii: FloatArray, volume: float, ndim: int) -> FloatArray:
    """First radii whose balls make up `volume`, the last one shrunk to fit: continuous in `volume`."""
    volumes = np.array([ball_volume(r, ndim) for r in radii])
    end = np.cumsum(volumes)
    n = min(int(np.searchsorted(end, volume)) + 1, len(radii))
    chosen = radii[:n].copy()
    rest = volume - (end[n - 1] - volumes[n - 1])
    chosen[-1] *= min(1.0, rest / volumes[n - 1]) ** (1 / ndim)
    return chosen
