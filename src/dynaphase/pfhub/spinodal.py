"""PFHub benchmark 1, revision 1: spinodal decomposition.

    F = ∫ [ ρ (c − c_a)² (c_b − c)² + (κ/2)|∇c|² ] dV,     ∂c/∂t = ∇·( M ∇δF/δc )

c_a = 0.3, c_b = 0.7, ρ = 5, κ = 2, M = 5 on the square 0 … 200, periodic (1a) or without flux (1b).  Expect the
wave of length 14 to grow, domains by t ≈ 20, then coarsening; the square without flux ends with one flat interface
of energy 200 σ = 9.541, σ = √(2κρ)(c_b − c_a)³/6.

Source: A.M. Jokisaari, P.W. Voorhees, J.E. Guyer, J. Warren, O.G. Heinonen, Comput. Mater. Sci. 126, 139 (2017),
doi:10.1016/j.commatsci.2016.09.022, and the problem page of PFHub, doi:10.5334/jors.276.
"""

from __future__ import annotations

from typing import ClassVar, Final

import numpy as np

from dynaphase.errors import ConfigError
from dynaphase.phasefield.grid import Boundary, Grid
from dynaphase.phasefield.models.gradient_flow import GradientFlow
from dynaphase.phasefield.operators import FloatArray

__all__ = [
    "EDGE",
    "KAPPA",
    "MOBILITY",
    "DoubleWell",
    "cahn_hilliard",
    "centres",
    "concentration",
    "spinodal",
    "square",
    "waves",
]

EDGE: Final = 200.0
"""Edge of the square."""

_BARRIER, _LOW, _HIGH = 5.0, 0.3, 0.7
KAPPA: Final = 2.0
MOBILITY: Final = 5.0


class DoubleWell:
    """The bulk density ρ (c − c_a)² (c_b − c)² = ρ (u² − w²)², u = c − ½(c_a + c_b), w = ½(c_b − c_a)."""

    centre: ClassVar[float] = 0.5 * (_LOW + _HIGH)
    half_gap: ClassVar[float] = 0.5 * (_HIGH - _LOW)

    def density(self, fields: FloatArray) -> FloatArray:
        """Density, shape of the grid."""
        from dynaphase.pfhub.bulk_loops import double_well

        out = np.empty(fields.shape[1:])
        double_well(fields.reshape(-1), _BARRIER, self.centre, self.half_gap, out.reshape(-1))
        return out

    def derivative(self, fields: FloatArray) -> FloatArray:
        """The slope 2ρ (c − c_a)(c_b − c)(c_a + c_b − 2c) = 4ρ u (u² − w²)."""
        from dynaphase.pfhub.bulk_loops import double_well_slope

        out = np.empty_like(fields)
        double_well_slope(fields.reshape(-1), _BARRIER, self.centre, self.half_gap, out.reshape(-1))
        return out

    def curvature(self, fields: FloatArray) -> float:
        """The largest |f''| = 4ρ |3u² − w²|."""
        u = fields - self.centre
        return float(4 * _BARRIER * np.max(np.abs(3 * u**2 - self.half_gap**2)))


def square(n: int, boundary: Boundary, edge: float = EDGE) -> Grid:
    """N × n cells over a square."""
    if n < 32:
        raise ConfigError(f"n = {n} cells along the edge leave the interface of width 4 unresolved: take at least 32")
    return Grid((n, n), edge / n, (boundary, boundary))


def concentration(grid: Grid, amplitude: float, wave_number: float = 0.105) -> FloatArray:
    """The common start of problems 1, 2 and 6 at the cell centres; `amplitude` is 0.01, 0.05 or 0.04.

    It is not periodic: in the periodic square it jumps across the edge.
    """
    return np.asarray(0.5 + amplitude * waves(*centres(grid), wave_number))


def waves(x: FloatArray, y: FloatArray, wave_number: float = 0.105) -> FloatArray:
    """The sum of cosines of which the start is made, at the points x, y."""
    return np.asarray(
        np.cos(wave_number * x) * np.cos(0.11 * y)
        + (np.cos(0.13 * x) * np.cos(0.087 * y)) ** 2
        + np.cos(0.025 * x - 0.15 * y) * np.cos(0.07 * x - 0.02 * y)
    )


def centres(grid: Grid) -> tuple[FloatArray, FloatArray]:
    """X and y of the cell centres, in shapes that broadcast to the grid."""
    x, y = (np.arange(0.5, n) * grid.spacing_nm for n in grid.shape)
    return np.asarray(x[:, None], np.float64), np.asarray(y[None, :], np.float64)


def cahn_hilliard(grid: Grid) -> GradientFlow:
    """The equation of problems 1 and 6 on any grid.

    The stabilisation is ¾ f'' of the pure phases (f'' = 1.6 at c_a and c_b).  In problem 1a, 0.5 doubles the steps of
    the late stage, and 1.6 makes the error of the fast drop larger by an eighth at the same number of steps.
    """
    return GradientFlow(
        grid=grid,
        fields=("c",),
        bulk=DoubleWell(),
        kappa=(KAPPA,),
        mobility=(MOBILITY,),
        is_conserved=(True,),
        stabilisation=(1.2,),
    )


def spinodal(n: int, boundary: Boundary) -> tuple[GradientFlow, FloatArray]:
    """Model and initial state of problem 1a (periodic) or 1b (no-flux) on n × n cells."""
    grid = square(n, boundary)
    return cahn_hilliard(grid), concentration(grid, 0.01)
