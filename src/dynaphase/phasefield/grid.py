"""Uniform Cartesian grids, cell-centred."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
import numpy.typing as npt

from dynaphase.errors import ConfigError

__all__ = ["Boundary", "Grid", "WallValue", "Walls", "require_fitting", "walls_of"]

WallValue = float | npt.NDArray[Any] | None
"""What a field does at a wall: None, nothing crosses (n·∇u = 0); else the value on the face, one number or one for
every cell of the wall, in the shape of the grid without the axis."""


class Boundary(StrEnum):
    """What holds on the two faces of one axis: the kinds that need no further number."""

    PERIODIC = "periodic"
    NO_FLUX = "no-flux"
    NO_FLUX_DIRICHLET = "no-flux | dirichlet"
    """No flux on the low face, the value 0 on the high face: electrolyte between anode and cathode."""
    DIRICHLET = "dirichlet"
    """The value 0 on both faces."""


@dataclass(frozen=True, eq=False, slots=True)
class Walls:
    """What one field does at the two walls of one axis.

    Parameters
    ----------
    low, high : float, array or None
        At the face x = 0 and at x = L: a fixed value on the face (Dirichlet), or None for no flux.
    """

    low: WallValue = None
    high: WallValue = None

    def __post_init__(self) -> None:
        for side, value in (("low", self.low), ("high", self.high)):
            if value is not None and not np.all(np.isfinite(value)):
                raise ConfigError(f"the value on the {side} wall must be finite, not {value}; None means no flux")


def walls_of(boundary: Boundary | Walls) -> Walls | None:
    """The walls at the ends of an axis; None where the axis is periodic."""
    match boundary:
        case Walls():
            return boundary
        case str() if not isinstance(boundary, Boundary):
            return walls_of(_named(boundary))
        case Boundary.PERIODIC:
            return None
        case Boundary.NO_FLUX:
            return Walls()
        case Boundary.NO_FLUX_DIRICHLET:
            return Walls(None, 0.0)
        case Boundary.DIRICHLET:
            return Walls(0.0, 0.0)
    raise ConfigError(f"a boundary is one of {', '.join(Boundary)} or Walls(low, high), not {boundary!r}")


def require_fitting(boundaries: Sequence[Boundary | Walls], shape: tuple[int, ...]) -> None:
    """Raise `ConfigError` unless there is a boundary for every axis and every array of wall values fits its wall."""
    if len(boundaries) != len(shape):
        raise ConfigError(
            f"a field of shape {shape} needs {len(shape)} boundaries, one per axis, not {len(boundaries)}"
        )
    for axis, boundary in enumerate(boundaries):
        walls = walls_of(boundary)
        face = shape[:axis] + shape[axis + 1 :]
        for value in () if walls is None else (walls.low, walls.high):
            if value is not None and np.shape(value) not in ((), face):
                raise ConfigError(
                    f"the values on a wall of axis {axis} have shape {np.shape(value)}; that wall has {face} cells"
                )


def _named(boundary: str) -> Boundary:
    try:
        return Boundary(boundary)
    except ValueError:
        raise ConfigError(f"a boundary is one of {', '.join(Boundary)}, not {boundary!r}") from None


@dataclass(frozen=True, slots=True)
class Grid:
    """Cells of equal size; axis 0 runs from the lithium anode (x = 0) to the cathode (x = L), axis 1 is y.

    Parameters
    ----------
    shape : tuple of int
        Number of cells along each axis, at least 4.
    spacing_nm : float
        Edge length of a cell (nm), the same along every axis.
    boundaries : tuple of Boundary
        One per axis.
    """

    shape: tuple[int, ...]
    spacing_nm: float
    boundaries: tuple[Boundary, ...]

    def __post_init__(self) -> None:
        if any(isinstance(n, bool) or not isinstance(n, int | np.integer) for n in self.shape):
            raise ConfigError(f"a grid has whole numbers of cells, not {self.shape}")
        object.__setattr__(self, "boundaries", tuple(_named(boundary) for boundary in self.boundaries))
        if len(self.shape) != len(self.boundaries):
            raise ConfigError(f"a grid of shape {self.shape} needs {len(self.shape)} boundaries, one per axis")
        if min(self.shape) < 4:
            raise ConfigError(f"a grid needs at least 4 cells along each axis, not {self.shape}")
        if not (self.spacing_nm > 0 and math.isfinite(self.spacing_nm)):
            raise ConfigError(f"the cell size must be positive and finite, not {self.spacing_nm} nm")

    @classmethod
    def box(cls, n: int, length_nm: float = 100.0) -> Grid:
        """Square box between anode and cathode: no flux at x = 0, fixed value at x = L, periodic along y."""
        return cls((n, n), length_nm / n, (Boundary.NO_FLUX_DIRICHLET, Boundary.PERIODIC))

    @property
    def lengths_nm(self) -> tuple[float, ...]:
        """Edge lengths of the box (nm)."""
        return tuple(n * self.spacing_nm for n in self.shape)
