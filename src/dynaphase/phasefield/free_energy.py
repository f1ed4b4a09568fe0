"""The Ginzburg–Landau free energy of one field and its exact discrete derivative.

    F = ∫ [ f(c) + (κ/2) |∇c|² ] dV,      δF/δc = f'(c) − κ ∇²c

f is a polynomial.  The gradient term is summed over the faces between cells, so that the derivative of the discrete
F by the value of one cell is Δx^d (f'(c) − κ∇²c) with the 3-point Laplacian, exactly: what is reported is what is
minimised.  Lengths in the unit of the grid spacing; dimensionless problems take the nm as their unit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import numpy as np

from dynaphase.errors import ConfigError
from dynaphase.phasefield.grid import Boundary, Grid
from dynaphase.phasefield.operators import FloatArray, gradient_energy, laplacian

__all__ = ["BulkEnergy", "GinzburgLandau", "Polynomial"]


@dataclass(frozen=True, slots=True)
class Polynomial:
    """a₀ + a₁x + a₂x² + …

    Parameters
    ----------
    coefficients : tuple of floats
        a₀, a₁, …, at least one, all finite.
    """

    coefficients: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.coefficients or not all(math.isfinite(a) for a in self.coefficients):
            raise ConfigError(
                f"a polynomial needs at least one coefficient, all of them finite, not {self.coefficients}"
            )

    @classmethod
    def double_well(cls, barrier: float, low: float, high: float) -> Polynomial:
        """ρ (x − a)² (b − x)² with ρ = `barrier` and minima of depth 0 at a = `low` and b = `high`."""
        if not (barrier > 0 and low < high):
            raise ConfigError(f"a double well needs barrier > 0 and low < high, not {barrier}, {low}, {high}")
        a, b = low, high
        square = (a**2 * b**2, -2 * a * b * (a + b), (a + b) ** 2 + 2 * a * b, -2 * (a + b), 1.0)
        return cls(tuple(barrier * s for s in square))

    @property
    def degree(self) -> int:
        """Highest power."""
        return len(self.coefficients) - 1

    def __call__(self, x: FloatArray) -> FloatArray:
        """Value at every entry of `x`, by Horner's rule."""
        value = np.full_like(x, self.coefficients[-1])
        for a in self.coefficients[-2::-1]:
            value = value * x + a
        return value

    def derivative(self) -> Polynomial:
        """The polynomial of one degree less: a₁ + 2a₂x + …"""
        return Polynomial(tuple(k * a for k, a in enumerate(self.coefficients))[1:] or (0.0,))

    def extremes(self, low: float, high: float) -> tuple[float, float]:
        """Least and greatest value on [low, high]: at an end, or where the derivative vanishes."""
        inside = [x for x in _turning_points(self.coefficients) if low < x < high]
        values = self(np.array([low, high, *inside]))
        return float(np.min(values)), float(np.max(values))


@lru_cache(maxsize=256)
def _turning_points(coefficients: tuple[float, ...]) -> tuple[float, ...]:
    """Real parts of the zeros of the derivative; a complex pair costs one idle candidate."""
    slope = Polynomial(coefficients).derivative()
    return tuple(float(x.real) for x in np.roots(slope.coefficients[::-1]))


class BulkEnergy(Protocol):
    """The local part f(u₁, u₂, …) of a free energy of several fields, beside its derivative."""

    def density(self, fields: FloatArray) -> FloatArray:
        """The density f, shape of the grid, from the fields, (n_fields, *grid)."""

    def derivative(self, fields: FloatArray) -> FloatArray:
        """The derivatives ∂f/∂uᵢ, (n_fields, *grid), in a new array."""

    def curvature(self, fields: FloatArray) -> float:
        """Upper bound on the modulus of the eigenvalues of the matrix ∂²f/∂uᵢ∂uⱼ at these fields."""


@dataclass(frozen=True, slots=True)
class GinzburgLandau:
    """F = ∫ [f(c) + (κ/2)|∇c|²] dV of a field on a periodic or walled grid.

    Parameters
    ----------
    grid : Grid
        Two- or three-dimensional; every axis periodic or no-flux (n·∇c = 0).
    density : Polynomial
        f(c), energy per volume.
    kappa : float
        Gradient coefficient κ > 0.

    Raises
    ------
    ConfigError
        For another number of dimensions, a fixed value at a wall, or κ ≤ 0.
    """

    grid: Grid
    density: Polynomial
    kappa: float

    def __post_init__(self) -> None:
        if len(self.grid.shape) not in {2, 3}:
            raise ConfigError(f"a field lives in two or three dimensions; the grid has shape {self.grid.shape}")
        if any(boundary not in {Boundary.PERIODIC, Boundary.NO_FLUX} for boundary in self.grid.boundaries):
            raise ConfigError(
                f"the boundaries {[str(b) for b in self.grid.boundaries]} fix a value at a wall; "
                "this model takes 'periodic' and 'no-flux' along each axis"
            )
        if not (math.isfinite(self.kappa) and self.kappa > 0):
            raise ConfigError(f"the gradient coefficient kappa must be finite and positive, not {self.kappa}")

    @property
    def periodic(self) -> tuple[bool, ...]:
        """Whether each axis is periodic."""
        return tuple(boundary is Boundary.PERIODIC for boundary in self.grid.boundaries)

    @property
    def gradient_stiffness(self) -> float:
        """κ times the greatest eigenvalue of −∇², 4d/Δx², for d dimensions."""
        return self.kappa * 4.0 * len(self.grid.shape) / self.grid.spacing_nm**2

    def energy(self, c: FloatArray) -> float:
        """Discrete F of the field `c`, shape of the grid; summed in double precision."""
        c = np.asarray(c, dtype=np.float64)
        volume = self.grid.spacing_nm**c.ndim
        return float(np.sum(self.density(c))) * volume + self.kappa * gradient_energy(c, self.grid)

    def derivative(self, c: FloatArray) -> FloatArray:
        """δF/δc = f'(c) − κ∇²c: the derivative of ``energy`` by each cell value, over the cell volume."""
        return self.density.derivative()(c) - self.kappa * laplacian(c, self.grid)

    def curvature(self, c: FloatArray) -> tuple[float, float]:
        """Bounds on the eigenvalues of the second derivative f''(c) − κ∇² at the field `c`."""
        bend = self.density.derivative().derivative()
        low, high = bend.extremes(float(np.min(c)), float(np.max(c)))
        return low, high + self.gradient_stiffness
