"""The operators of :mod:`~dynaphase.phasefield.operators` compiled: into arrays that are given, no allocation.

A `Differences` object belongs to one grid, one order and one precision; it keeps the padded copies that the loops
read.  Give every thread its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dynaphase.errors import ConfigError
from dynaphase.phasefield.grid import Boundary, Grid, Walls, walls_of
from dynaphase.phasefield.operators import STENCILS, Boundaries, beyond_wall, stencil_width

__all__ = ["Differences"]

RealArray = npt.NDArray[Any]
"""A field in float64 or float32."""


class Differences:
    """∇² and ∇·(M∇) of fields on one grid, two- or three-dimensional.

    Parameters
    ----------
    grid : Grid
    order : int
        Of the Laplacian, 2 or 4; the divergence of a flux is of order 2.
    dtype : float64 or float32
        Precision of the fields.

    Raises
    ------
    ConfigError
        For another order, precision or number of dimensions, or a grid with fewer cells than the stencil reads.
    """

    def __init__(self, grid: Grid, order: int = 2, dtype: npt.DTypeLike = np.float64) -> None:
        self.grid, self.order = grid, order
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        if len(grid.shape) not in (2, 3):
            raise ConfigError(f"differences are compiled for two and three dimensions; the grid has shape {grid.shape}")
        if self.dtype not in (np.float64, np.float32):
            raise ConfigError(f"fields are float64 or float32, not {self.dtype}")
        self._near = self._room(stencil_width(order))
        self._fluxes = (self._room(1), self._room(1))

    def laplacian(self, field: RealArray, out: RealArray, boundaries: Boundaries | None = None) -> None:
        """Write ∇² of `field` into `out`, both C-contiguous, of the grid's shape and this precision."""
        from dynaphase.phasefield.difference_loops import fourth_order_laplacian, second_order_laplacian

        padded = self._fill(self._near, field, boundaries, self.order)
        scale = 1.0 / self.grid.spacing_nm**2
        if self.order == 2:
            second_order_laplacian(padded, self._layers(out), self.dtype.type(scale))
        else:
            _, near, far = (self.dtype.type(scale * weight) for weight in STENCILS[4])
            fourth_order_laplacian(padded, self._layers(out), near, far)

    def divergence_of_flux(
        self, potential: RealArray, mobility: RealArray, out: RealArray, boundaries: Boundaries | None = None
    ) -> None:
        """Write ∇·(M∇μ) into `out`; arrays as in `laplacian`, `boundaries` those of μ."""
        from dynaphase.phasefield.difference_loops import flux_divergence

        boundaries = self.grid.boundaries if boundaries is None else boundaries
        mirrors = [Boundary.PERIODIC if walls_of(b) is None else Boundary.NO_FLUX for b in boundaries]
        mu = self._fill(self._fluxes[0], potential, boundaries, 2)
        m = self._fill(self._fluxes[1], mobility, mirrors, 2)
        flux_divergence(mu, m, self._layers(out), self.dtype.type(0.5 / self.grid.spacing_nm**2))

    def _room(self, width: int) -> RealArray:
        return np.empty(tuple(n + 2 * width for n in self.grid.shape), self.dtype)

    def _layers(self, array: RealArray) -> RealArray:
        """The array with three axes, sharing its memory."""
        if array.shape != self.grid.shape or array.dtype != self.dtype or not array.flags.c_contiguous:
            raise ConfigError(
                f"the operators need a C-contiguous {self.dtype} array of shape {self.grid.shape}, not {array.dtype} "
                f"of shape {array.shape}; np.ascontiguousarray makes one"
            )
        return array if array.ndim == 3 else array.reshape(array.shape[0], 1, array.shape[1])

    def _fill(self, room: RealArray, field: RealArray, boundaries: Boundaries | None, order: int) -> RealArray:
        """Cells and ghosts of `field` in `room`, which is returned with three axes."""
        if field.shape != self.grid.shape or field.dtype != self.dtype:
            raise ConfigError(
                f"the operators need a {self.dtype} field of shape {self.grid.shape}, not {field.dtype} of shape "
                f"{field.shape}"
            )
        width = stencil_width(order)
        inside = tuple(slice(width, width + n) for n in self.grid.shape)
        room[inside] = field
        for axis, boundary in enumerate(self.grid.boundaries if boundaries is None else boundaries):
            across = tuple(slice(None) if a == axis else s for a, s in enumerate(inside))
            _fill_ends(np.moveaxis(room[across], axis, 0), width, boundary)
        return room if room.ndim == 3 else room.reshape(room.shape[0], 1, room.shape[1])


def _fill_ends(along: RealArray, width: int, boundary: Boundary | Walls) -> None:
    """The ghosts at the two ends of axis 0, in place."""
    cells = along[width:-width]
    walls = walls_of(boundary)
    if walls is None:
        along[:width], along[-width:] = cells[-width:], cells[:width]
    else:
        along[:width] = beyond_wall(cells, walls.low, width)[::-1]
        along[-width:] = beyond_wall(cells[::-1], walls.high, width)
