"""The orthonormal basis of a grid: Fourier along periodic axes, cosine along no-flux axes."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dynaphase.errors import ConfigError
from dynaphase.phasefield.grid import Boundary, Grid
from dynaphase.phasefield.operators import FloatArray

__all__ = ["Coefficients", "SpectralBasis"]

Coefficients = npt.NDArray[Any]
"""Expansion coefficients: complex128, or float64 where every axis is no-flux."""


class SpectralBasis:
    """Orthonormal transform of cell-centred values: Fourier on periodic axes, cosine (DCT-II) on no-flux axes.

    Parameters
    ----------
    grid : Grid

    Raises
    ------
    ConfigError
        For an axis that is neither periodic nor no-flux.
    """

    def __init__(self, grid: Grid) -> None:
        for axis, boundary in enumerate(grid.boundaries):
            if boundary not in (Boundary.PERIODIC, Boundary.NO_FLUX):
                raise ConfigError(
                    f"axis {axis} is '{boundary}'; a spectral basis needs 'periodic' or 'no-flux' axes: use "
                    "RungeKuttaChebyshev on finite differences"
                )
        n_axes = len(grid.shape)
        self._cosine = [a - n_axes for a, b in enumerate(grid.boundaries) if b is Boundary.NO_FLUX]
        self._fourier = [a - n_axes for a, b in enumerate(grid.boundaries) if b is Boundary.PERIODIC]
        self._lengths = [grid.shape[a] for a in self._fourier]
        self.n_cells: Final = math.prod(grid.shape)
        waves = []
        for axis, (n, boundary) in enumerate(zip(grid.shape, grid.boundaries, strict=True)):
            if boundary is Boundary.NO_FLUX:
                k = np.pi * np.arange(n) / (n * grid.spacing_nm)
            elif axis - n_axes == self._fourier[-1]:
                k = 2 * np.pi * np.fft.rfftfreq(n, grid.spacing_nm)
            else:
                k = 2 * np.pi * np.fft.fftfreq(n, grid.spacing_nm)
            waves.append(k)
        self.k2: Final[FloatArray] = np.sum(np.meshgrid(*(k**2 for k in waves), indexing="ij"), axis=0)
        """Squared wave number of every coefficient."""
        self.weights: Final[FloatArray] = np.ones_like(self.k2)
        """How often a coefficient counts in a sum over the whole basis."""
        if self._fourier:  # a real field: only half of its last Fourier axis is stored, the rest is conjugate
            along = np.moveaxis(self.weights, self._fourier[-1], -1)
            along[..., 1 : (self._lengths[-1] + 1) // 2] = 2.0

    def forward(self, values: FloatArray) -> Coefficients:
        """Coefficients of fields whose last axes are those of the grid; earlier axes are carried along."""
        from scipy import fft

        result: Coefficients = values
        if self._cosine:
            result = fft.dctn(result, axes=self._cosine, norm="ortho")
        if self._fourier:
            result = fft.rfftn(result, axes=self._fourier, norm="ortho")
        return result

    def backward(self, coefficients: Coefficients) -> FloatArray:
        """Cell values from coefficients: the inverse of `forward`."""
        from scipy import fft

        result = coefficients
        if self._fourier:
            result = fft.irfftn(result, s=self._lengths, axes=self._fourier, norm="ortho")
        if self._cosine:
            result = fft.idctn(result, axes=self._cosine, norm="ortho")
        return np.ascontiguousarray(result, dtype=np.float64)

    def sum_of_squares(self, coefficients: Coefficients, weights: FloatArray | None = None) -> FloatArray:
        """Σ weights·|û|² over the stored coefficients of every field, (n_fields, *k2.shape) → (n_fields,).

        By default the weights are those of the basis: then it is Σ u² over the cells.  Other weights, ``weights`` times
        a factor, have the shape of k2 or of `coefficients`.
        """
        from dynaphase.phasefield.spectral_loops import row_sums_of_squares

        weights = self.weights if weights is None else weights
        n = self.k2.size
        return row_sums_of_squares(coefficients.reshape(-1, n), weights.reshape(-1, n))
