"""PFHub benchmark 1, revision 1: spinodal decomposition.

    F = ∫ [ ρ (c − c_a)² (c_b − c)² + (κ/2)|∇c|² ] dV,     ∂c/∂t = ∇·( M ∇δF/δc )

c_a = 0.3, c_b = 0.7, ρ = 5, κ = 2, M = 5 on the square 0 … 200, periodic (1a) or without flux (1b).  Expect the
wave of length 14 to grow, domains by t ≈ 20, then coarsening; the square without flux ends with one flat interface
of energy 200 σ = 9.541, σ = √(2κρ)(c_b − c_a)³/6.

Source: A.M. Jokisaari, P.W. Voorhees, J.E. Guyer, J. Warren, O.G. Heinonen, Comput. Mater. Sci. 126, 139 (2017),
doi:10.1016/j.commatsci.2016.09.022, and the problem page of PFHub, doi:10.5334/jors.276.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from dynaphase.errors import ConfigError
from dynaphase.phasefield.grid import Boundary, Grid
from dynaphase.phasefield.operators import FloatArray
from dynaphase.phasefield.spectral import GradientFlow

__all__ = ["EDGE", "DoubleWell", "concentration", "spinodal", "square"]

EDGE: Final = 200.0
"""Edge of the square."""

_BARRIER, _LOW, _HIGH, _KAPPA, _MOBILITY = 5.0, 0.3, 0.7, 2.0, 5.0


class DoubleWell:
    """The bulk density ρ (c − c_a)² (c_b − c)²."""

    def density(self, fields: FloatArray) -> FloatArray:
        """Density, shape of the grid."""
        c = fields[0]
        return np.asarray(_BARRIER * ((c - _LOW) * (_HIGH - c)) ** 2)

    def derivative(self, fields: FloatArray) -> FloatArray:
        """The slope 2ρ (c − c_a)(c_b − c)(c_a + c_b − 2c) = 4ρ u (u² − w²), u = c − ½(c_a + c_b), w = ½(c_b − c_a)."""
        u = fields - 0.5 * (_LOW + _HIGH)
        slope = u * u
        slope -= 0.25 * (_HIGH - _LOW) ** 2
        slope *= u
        slope *= 4 * _BARRIER
        return slope

    def curvature(self, fields: FloatArray) -> float:
        """The largest |f''| = 4ρ |3u² − w²|."""
        u = fields - 0.5 * (_LOW + _HIGH)
        return float(4 * _BARRIER * np.max(np.abs(3 * u**2 - 0.25 * (_HIGH - _LOW) ** 2)))


def square(n: int, boundary: Boundary) -> Grid:
    """N × n cells over the square."""
    if n < 32:
        raise ConfigError(f"n = {n} cells along the edge leave the interface of width 4 unresolved: take at least 32")
    return Grid((n, n), EDGE / n, (boundary, boundary))


def concentration(grid: Grid, amplitude: float) -> FloatArray:
    """The common start of problems 1 and 2, sampled at the cell centres; `amplitude` is 0.01 or 0.05.

    It is not periodic: in the periodic square it jumps across the edge.
    """
    x, y = centres(grid)
    waves = (
        np.cos(0.105 * x) * np.cos(0.11 * y)
        + (np.cos(0.13 * x) * np.cos(0.087 * y)) ** 2
        + np.cos(0.025 * x - 0.15 * y) * np.cos(0.07 * x - 0.02 * y)
    )
    return np.asarray(0.5 + amplitude * waves)


def centres(grid: Grid) -> tuple[FloatArray, FloatArray]:
    """X and y of the cell centres, in shapes that broadcast to the grid."""
    x, y = (np.arange(0.5, n) * grid.spacing_nm for n in grid.shape)
    return np.asarray(x[:, None], np.float64), np.asarray(y[None, :], np.float64)


def spinodal(n: int, boundary: Boundary) -> tuple[GradientFlow, FloatArray]:
    """Model and initial state of problem 1a (periodic) or 1b (no-flux) on n × n cells."""
    grid = square(n, boundary)
    model = GradientFlow(
        grid=grid,
        fields=("c",),
        bulk=DoubleWell(),
        kappa=(_KAPPA,),
        mobility=(_MOBILITY,),
        is_conserved=(True,),
        stabilisation=(1.6,),
    )
    return model, concentration(grid, 0.01)
