"""Uniform Cartesian grids, cell-centred."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from dynaphase.errors import ConfigError

__all__ = ["Boundary", "Grid"]


class Boundary(StrEnum):
    """What holds on the two faces of one axis."""

    PERIODIC = "periodic"
    NO_FLUX = "no-flux"
    NO_FLUX_DIRICHLET = "no-flux | dirichlet"
    """No flux on the low face, a fixed value on the high face: electrolyte between anode and cathode."""


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
        if len(self.shape) != len(self.boundaries):
            raise ConfigError(f"a grid of shape {self.shape} needs {len(self.shape)} boundaries, one per axis")
        if min(self.shape) < 4:
            raise ConfigError(f"a grid needs at least 4 cells along each axis, not {self.shape}")
        if not self.spacing_nm > 0:
            raise ConfigError(f"the cell size must be positive, not {self.spacing_nm} nm")

    @classmethod
    def box(cls, n: int, length_nm: float = 100.0) -> Grid:
        """Square box between anode and cathode: no flux at x = 0, fixed value at x = L, periodic along y."""
        return cls((n, n), length_nm / n, (Boundary.NO_FLUX_DIRICHLET, Boundary.PERIODIC))

    @property
    def lengths_nm(self) -> tuple[float, ...]:
        """Edge lengths of the box (nm)."""
        return tuple(n * self.spacing_nm for n in self.shape)
