"""Second-order differences on cell-centred grids: the readable reference, any number of dimensions.

Cells are centred at (i + ½)Δx, so a wall lies on a cell *face*, half a cell from the nearest centre:

* no flux:    ghost = +C of the wall cell, the difference across the face vanishes;
* Dirichlet:  ghost = −C of the wall cell, the mean on the face is the prescribed 0;
* periodic:   ghost = C of the cell at the other end.

The compiled twins are in :mod:`dynaphase.phasefield.loops`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dynaphase.phasefield.grid import Boundary, Grid

__all__ = [
    "FloatArray",
    "GhostRules",
    "divergence_of_flux",
    "ghost_rules",
    "gradient_energy",
    "laplacian",
    "neighbours",
]

FloatArray = npt.NDArray[np.float64]

GhostRules = tuple[int, int, int, int, int, int]
"""(low source, high source, high sign) of axis 0, then of axis 1, as indices into the padded array."""


def ghost_rules(grid: Grid) -> GhostRules:
    """Which padded cell fills each ghost layer of a 2-D grid, and with which sign on the high side.

    With cells 1 … n between ghosts 0 and n + 1: ``ghost[0] = cell[low]``, ``ghost[n + 1] = sign · cell[high]``.
    """
    rules: list[int] = []
    for n, boundary in zip(grid.shape, grid.boundaries, strict=True):
        match boundary:
            case Boundary.PERIODIC:
                rules += [n, 1, 1]
            case Boundary.NO_FLUX:
                rules += [1, n, 1]
            case Boundary.NO_FLUX_DIRICHLET:
                rules += [1, n, -1]
    a, b, c, d, e, f = rules
    return a, b, c, d, e, f


def neighbours(field: FloatArray, axis: int, boundary: Boundary) -> tuple[FloatArray, FloatArray]:
    """Values of the next lower and the next higher cell along `axis`, ghosts included.

    Parameters
    ----------
    field : array, shape of the grid
    axis : int
    boundary : Boundary
        What holds at the two ends of this axis; the Dirichlet value is 0, on the face.

    Returns
    -------
    low, high : arrays, shape of `field`
    """
    along = np.moveaxis(field, axis, 0)
    match boundary:
        case Boundary.PERIODIC:
            ghost_low, ghost_high = along[-1:], along[:1]
        case Boundary.NO_FLUX:
            ghost_low, ghost_high = along[:1], along[-1:]
        case Boundary.NO_FLUX_DIRICHLET:
            ghost_low, ghost_high = along[:1], -along[-1:]
    low = np.concatenate([ghost_low, along[:-1]])
    high = np.concatenate([along[1:], ghost_high])
    return np.moveaxis(low, 0, axis), np.moveaxis(high, 0, axis)


def laplacian(field: FloatArray, grid: Grid) -> FloatArray:
    """∇²C by the 3-point formula along each axis (1/nm² times the unit of `field`); error O(Δx²)."""
    total = np.zeros_like(field)
    for axis, boundary in enumerate(grid.boundaries):
        low, high = neighbours(field, axis, boundary)
        total += low + high - 2.0 * field
    return total / grid.spacing_nm**2


def divergence_of_flux(potential: FloatArray, mobility: FloatArray, grid: Grid) -> FloatArray:
    """∇·(M∇μ) in conservative form: M of a face is the mean of its two sides; error O(Δx²).

    What leaves one cell enters the next, so the sum over the cells of a closed box is zero to round-off.
    """
    total = np.zeros_like(potential)
    for axis, boundary in enumerate(grid.boundaries):
        sides = zip(neighbours(potential, axis, boundary), neighbours(mobility, axis, boundary), strict=True)
        for next_potential, next_mobility in sides:
            total += 0.5 * (mobility + next_mobility) * (next_potential - potential)
    return total / grid.spacing_nm**2


def gradient_energy(field: FloatArray, grid: Grid) -> float:
    """Discrete ½ ∫ |∇C|² dV, built so that its derivative by a cell value is −(∇²C) Δx^d exactly.

    Each face between two cells contributes ½ (ΔC/Δx)² Δx^d.  At a Dirichlet wall the distance from the centre
    to the face is Δx/2, so that half cell contributes ½ (C/(Δx/2))² Δx^d/2 = C² Δx^(d−2).

    Parameters
    ----------
    field : array, shape of the grid
    grid : Grid

    Returns
    -------
    float
        In nm^(d−2) times the square of the unit of `field`: dimensionless in two dimensions.
    """
    total = 0.0
    for axis, boundary in enumerate(grid.boundaries):
        along = np.moveaxis(field, axis, 0)
        total += float(np.sum(np.diff(along, axis=0) ** 2))
        if boundary is Boundary.PERIODIC:
            total += float(np.sum((along[0] - along[-1]) ** 2))
        elif boundary is Boundary.NO_FLUX_DIRICHLET:
            total += float(np.sum(2.0 * along[-1] ** 2))
    return 0.5 * total * grid.spacing_nm ** (field.ndim - 2)
