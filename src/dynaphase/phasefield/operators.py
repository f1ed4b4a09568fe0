"""Differences on cell-centred grids: the readable reference, any number of dimensions, second or fourth order.

Cells are centred at (i + ½)Δx, so a wall lies on a cell *face*, half a cell from the nearest centre.  Ghost cells
carry what holds there:

* periodic:   ghosts = the cells at the other end;
* no flux:    ghosts = the mirror image of the cells at the wall, the difference across the face vanishes;
* Dirichlet:  second order, ghost = 2w − the cell at the wall, the mean on the face is the wall value w;
  fourth order, the quartic through w and the four nearest cells, continued.

A function takes the boundaries of its field where they are not those of the grid: two fields on one grid may differ.
The compiled twins are in :mod:`dynaphase.phasefield.differences`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from dynaphase.errors import ConfigError
from dynaphase.phasefield.grid import Boundary, Grid, Walls, WallValue, walls_of

__all__ = [
    "STENCILS",
    "Boundaries",
    "FloatArray",
    "GhostRules",
    "beyond_wall",
    "divergence_of_flux",
    "ghost_rules",
    "gradient_energy",
    "laplacian",
    "neighbours",
    "pad",
    "stencil_width",
]

FloatArray = npt.NDArray[np.float64]

Boundaries = Sequence[Boundary | Walls]
"""One for every axis of the grid."""

GhostRules = tuple[int, int, int, int, int, int]
"""(low source, high source, high sign) of axis 0, then of axis 1, as indices into the padded array."""

STENCILS: Final = {2: (-2.0, 1.0), 4: (-30.0 / 12.0, 16.0 / 12.0, -1.0 / 12.0)}
"""Weights of the second difference at distance 0, 1, … cells, by order of accuracy."""

_FIRST_GHOST: Final = np.array((128.0, -140.0, 70.0, -28.0, 5.0)) / 35.0
_SECOND_GHOST: Final = np.array((128.0, -210.0, 140.0, -63.0, 12.0)) / 7.0
"""Weights of the wall value and of the four nearest cells: the quartic through them, half and one and a half cells
beyond the wall (derived here)."""


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
            case _:
                raise ConfigError(f"the boundary '{boundary}' is not one of periodic, no-flux and no-flux | dirichlet")
    a, b, c, d, e, f = rules
    return a, b, c, d, e, f


def pad(field: FloatArray, axis: int, boundary: Boundary | Walls, order: int = 2) -> FloatArray:
    """`field` with its ghost cells, one (order 2) or two (order 4), at both ends of `axis`.

    Raises
    ------
    ConfigError
        For an order that is neither 2 nor 4.
    """
    width = stencil_width(order)
    along = np.moveaxis(field, axis, 0)
    walls = walls_of(boundary)
    if walls is None:
        low, high = along[-width:], along[:width]
    else:
        low = beyond_wall(along, walls.low, width)[::-1]
        high = beyond_wall(along[::-1], walls.high, width)
    return np.moveaxis(np.concatenate([low, along, high]), 0, axis)


def stencil_width(order: int) -> int:
    """How many neighbours on each side the second difference of this order reads; `ConfigError` for other orders."""
    if order not in STENCILS:
        raise ConfigError(f"differences are of order 2 or 4, not {order}")
    return len(STENCILS[order]) - 1


def beyond_wall(cells: FloatArray, value: WallValue, width: int) -> FloatArray:
    """The `width` ghosts beyond a wall, nearest first; `cells` are counted from the wall along axis 0."""
    if value is None:
        return np.asarray(cells[:width])
    wall = np.broadcast_to(np.asarray(value, dtype=cells.dtype), cells.shape[1:])
    if width == 1:
        return np.asarray((2.0 * wall - cells[0])[None])
    known = np.stack([wall, *cells[:4]])
    weights = np.stack([_FIRST_GHOST, _SECOND_GHOST]).astype(cells.dtype)
    return np.asarray(np.tensordot(weights, known, axes=1))


def neighbours(field: FloatArray, axis: int, boundary: Boundary | Walls) -> tuple[FloatArray, FloatArray]:
    """Values of the next lower and the next higher cell along `axis`, ghosts included.

    Parameters
    ----------
    field : array, shape of the grid
    axis : int
    boundary : Boundary or Walls
        What holds at the two ends of this axis.

    Returns
    -------
    low, high : arrays, shape of `field`
    """
    padded = np.moveaxis(pad(field, axis, boundary), axis, 0)
    return np.moveaxis(padded[:-2], 0, axis), np.moveaxis(padded[2:], 0, axis)


def laplacian(field: FloatArray, grid: Grid, *, order: int = 2, boundaries: Boundaries | None = None) -> FloatArray:
    """∇²C by 3 or 5 points along each axis (1/nm² times the unit of `field`); error O(Δx²) or O(Δx⁴).

    In the cells next to a wall of fixed value the error is O(1) or O(Δx³), which the solution of an equation does not
    feel: it converges at the full order.

    Parameters
    ----------
    field : array, shape of the grid
    grid : Grid
    order : int
        2 or 4.  At walls without flux order 4 needs a field that is even about the wall, as solutions of the
        Allen–Cahn and Cahn–Hilliard equations are.
    boundaries : sequence of Boundary or Walls, optional
        Those of the field, where they are not the grid's.

    Raises
    ------
    ConfigError
        For another order.
    """
    width = stencil_width(order)
    total = np.zeros_like(field)
    for axis, boundary in enumerate(grid.boundaries if boundaries is None else boundaries):
        padded = np.moveaxis(pad(field, axis, boundary, order), axis, 0)
        along = np.moveaxis(total, axis, 0)
        n = grid.shape[axis]
        for distance, weight in enumerate(STENCILS[order]):
            for start in {width - distance, width + distance}:
                along += weight * padded[start : start + n]
    return total / grid.spacing_nm**2


def divergence_of_flux(
    potential: FloatArray, mobility: FloatArray, grid: Grid, *, boundaries: Boundaries | None = None
) -> FloatArray:
    """∇·(M∇μ) in conservative form: M of a face is the mean of its two sides; error O(Δx²).

    What leaves one cell enters the next, so the sum over the cells of a closed box is zero to round-off.

    Parameters
    ----------
    potential, mobility : arrays, shape of the grid
    grid : Grid
    boundaries : sequence of Boundary or Walls, optional
        Those of μ, where they are not the grid's.  On a Dirichlet wall M is that of the cell at the wall.
    """
    total = np.zeros_like(potential)
    for axis, boundary in enumerate(grid.boundaries if boundaries is None else boundaries):
        mirror = Boundary.PERIODIC if walls_of(boundary) is None else Boundary.NO_FLUX
        sides = zip(neighbours(potential, axis, boundary), neighbours(mobility, axis, mirror), strict=True)
        for next_potential, next_mobility in sides:
            total += 0.5 * (mobility + next_mobility) * (next_potential - potential)
    return total / grid.spacing_nm**2


def gradient_energy(field: FloatArray, grid: Grid, *, order: int = 2, boundaries: Boundaries | None = None) -> float:
    """Discrete ½ ∫ |∇C|² dV, built so that its derivative by a cell value is −(∇²C) Δx^d exactly.

    Order 2: each face between two cells contributes ½ (ΔC/Δx)² Δx^d.  At a Dirichlet wall the distance from the
    centre to the face is Δx/2, so that half cell contributes ½ ((C − w)/(Δx/2))² Δx^d/2 = (C − w)² Δx^(d−2).
    Order 4: −½ Σ C ∇²C Δx^d, whose matrix is symmetric on periodic axes and between walls without flux.

    Parameters
    ----------
    field : array, shape of the grid
    grid : Grid
    order : int
        2 or 4.
    boundaries : sequence of Boundary or Walls, optional
        Those of the field, where they are not the grid's.

    Returns
    -------
    float
        In nm^(d−2) times the square of the unit of `field`: dimensionless in two dimensions.

    Raises
    ------
    ConfigError
        For another order, and for order 4 with a Dirichlet wall: its Laplacian is no derivative of any energy.
    """
    boundaries = grid.boundaries if boundaries is None else boundaries
    if order != 2:
        if any(w is not None and (w.low is not None or w.high is not None) for w in map(walls_of, boundaries)):
            raise ConfigError(
                "the fourth-order Laplacian at a wall of fixed value is not symmetric, so it is the derivative of no "
                "energy; take order 2 where an energy is needed"
            )
        rate = laplacian(field, grid, order=order, boundaries=boundaries)
        return -0.5 * float(np.sum(field * rate)) * grid.spacing_nm**field.ndim
    total = 0.0
    for axis, boundary in enumerate(boundaries):
        along = np.moveaxis(field, axis, 0)
        total += float(np.sum(np.diff(along, axis=0) ** 2))
        walls = walls_of(boundary)
        if walls is None:
            total += float(np.sum((along[0] - along[-1]) ** 2))
            continue
        for cells, value in ((along[0], walls.low), (along[-1], walls.high)):
            if value is not None:
                total += float(np.sum(2.0 * (cells - value) ** 2))
    return 0.5 * total * grid.spacing_nm ** (field.ndim - 2)
