r"""Grain growth with the pores at rest: the part of sintering that decides the grain size, as fast as it goes.

.. math::

   \frac{\partial\eta_i}{\partial t^*} = \nabla^2\eta_i
       - \frac{1}{\lambda^2}\Bigl[\eta_i\bigl((1-\rho) + \textstyle\sum_j\eta_j^2 + q\bigr) - (2-\rho)\,\eta_i^2\Bigr]

is :class:`~dynaphase.electrolyte.sintering.WangEnergy` at frozen ρ, with :math:`L\kappa_\eta = 1` nm² in the
unit of the reduced time t*: a boundary moves with its curvature (in 1/nm) times 1 nm.  q ≥ 0 drives the boundaries'
order parameters out of refractory particles, which is how these pin.

Every grain has an order parameter of its own, kept in a window around the grain: no two grains can merge, whatever
their number, and nothing is coloured or tracked.  The windows of all grains together hold about three times the cells
of the box, against ten to twenty times for order parameters that are shared by distant grains and kept everywhere.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dynaphase.errors import ConfigError
from dynaphase.phasefield.grid import Boundary, Grid
from dynaphase.phasefield.operators import FloatArray, laplacian

__all__ = ["GrainGrowth", "TwoLargest", "growth_rate"]

RealArray = npt.NDArray[Any]

THRESHOLD: Final = 1e-3
"""A window covers where its order parameter exceeds this, and `MARGIN_CELLS` more on each side."""
SPACE_THRESHOLD: Final = 1e-2
"""The same in space, where a window is mostly margin: with it the tail is cut at about 1e-3, for half the cells."""
VANISHED: Final = 0.05
"""A grain whose order parameter nowhere exceeds this is gone: among others it can only decay."""
MARGIN_CELLS: Final = 3
STEPS_BETWEEN_FITS: Final = {2: 10, 3: 20}
"""By the number of axes; steps in space are shorter.  A boundary moves less than 1 nm in that time, unless its radius
is below λ."""


def growth_rate(
    order_parameters: FloatArray, density: FloatArray, pinning: FloatArray, grid: Grid, width_nm: float
) -> FloatArray:
    """∂η/∂t* in plain numpy: the definition that the compiled loops are held to.

    Parameters
    ----------
    order_parameters : array, (n_grains, *grid.shape)
    density, pinning : arrays, shape of the grid
        ρ and q.
    grid : Grid
    width_nm : float
        λ.
    """
    crowd = 1.0 - density + np.sum(order_parameters**2, axis=0) + pinning
    bulk = order_parameters * crowd - (2.0 - density) * order_parameters**2
    return np.asarray(np.stack([laplacian(eta, grid) for eta in order_parameters]) - bulk / width_nm**2)


@dataclass(frozen=True, slots=True)
class TwoLargest:
    """The two largest order parameters of every cell; arrays (2, *grid.shape)."""

    grains: npt.NDArray[np.int64]
    """Their grains, −1 where there is none."""
    values: RealArray


class GrainGrowth:
    """Grains on a periodic box, advanced in the reduced time t*; one object a run, for one thread.

    Parameters
    ----------
    grid : Grid
        Two- or three-dimensional, periodic along every axis.
    width_nm : float
        λ of the boundary profile η = ½[1 + tanh(z/2λ)]; boundaries are resolved from λ = 1.25 cells on.
    labels : array of int, shape of the grid
        The grain of every cell at the start, numbers ≥ 0.
    density, pinning : arrays, shape of the grid, optional
        ρ (default 1) and q (default 0); replaced by ``surround``.
    dtype : float32 or float64

    Raises
    ------
    ConfigError
        For another boundary, a λ below one cell, or labels that do not fit.
    """

    def __init__(
        self,
        grid: Grid,
        width_nm: float,
        labels: npt.NDArray[np.integer[Any]],
        density: FloatArray | None = None,
        pinning: FloatArray | None = None,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        if len(grid.shape) not in (2, 3) or any(b is not Boundary.PERIODIC for b in grid.boundaries):
            raise ConfigError("grains grow in a box of two or three axes that is periodic along all of them")
        if not (math.isfinite(width_nm) and width_nm >= grid.spacing_nm):
            raise ConfigError(
                f"a boundary of λ = {width_nm} nm is not resolved by cells of {grid.spacing_nm:.4g} nm and would "
                "stick to the grid; take λ of 1.25 cells or more"
            )
        labels = np.asarray(labels)
        if labels.shape != grid.shape or not np.issubdtype(labels.dtype, np.integer) or labels.min() < 0:
            raise ConfigError(f"the labels must be integers ≥ 0 of the shape {grid.shape}")
        self.grid, self.width_nm = grid, width_nm
        self.time = 0.0
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        n0, *middle, n2 = grid.shape
        self._shape = (n0, middle[0] if middle else 1, n2)
        self.surround(
            np.ones(grid.shape) if density is None else density, np.zeros(grid.shape) if pinning is None else pinning
        )
        self._windows, self._pool = self._filled(labels)

    @property
    def n_grains(self) -> int:
        """Grains that are left."""
        return len(self._windows)

    @property
    def grains(self) -> npt.NDArray[np.int64]:
        """The numbers of the grains that are left, ascending."""
        return np.array(self._windows[:, 7])

    @property
    def largest_step(self) -> float:
        """The step of explicit Euler that keeps every η between 0 and 1: 1/(2d/Δx² + (2 + max q)/λ²), with a reserve.

        (2 + max q)/λ² is the fastest decay, at 1 − ρ + Ση² = 2.
        """
        rate = (
            2.0 * len(self.grid.shape) / self.grid.spacing_nm**2
            + (2.0 + float(np.max(self.pinning))) / self.width_nm**2
        )
        return 0.95 / rate

    @property
    def load(self) -> float:
        """Cells in all windows over cells in the box: what a step costs."""
        return float(np.prod(self._windows[:, 4:7], axis=1).sum() / np.prod(self._shape))

    def surround(self, density: FloatArray, pinning: FloatArray | None = None) -> None:
        """Put the grains among new pores ρ and, where given, new particles q."""
        self.density = self._checked(density, "density")
        if pinning is not None:
            self.pinning = self._checked(pinning, "pinning")

    def advance(self, duration: float) -> None:
        """Integrate over `duration` > 0 of reduced time, by explicit Euler in equal steps."""
        from dynaphase.electrolyte.grain_growth_loops import euler_steps, fit_windows

        if not (duration > 0 and math.isfinite(duration)):
            raise ConfigError(f"a duration must be positive and finite, not {duration}")
        n_steps = 2 * math.ceil(duration / self.largest_step / 2.0)
        threshold = THRESHOLD if len(self.grid.shape) == 2 else SPACE_THRESHOLD
        real = self.dtype.type
        dt = duration / n_steps
        crowding, face = real(dt / self.width_nm**2), real(dt / self.grid.spacing_nm**2)
        keep = real(1.0 - 2.0 * len(self.grid.shape) * dt / self.grid.spacing_nm**2)
        ground = crowding * (1.0 - self.density + self.pinning).astype(self.dtype).ravel()
        gain = crowding * (2.0 - self.density).astype(self.dtype).ravel()
        decay, spare = ground + crowding * self.sum_of_squares().ravel(), np.empty_like(ground)
        at_once = STEPS_BETWEEN_FITS[len(self.grid.shape)]
        for done in range(0, n_steps, at_once):
            n = min(at_once, n_steps - done)
            room = np.zeros_like(self._pool)
            euler_steps(
                self._pool, room, self._windows, self._shape, n, ground, gain, decay, spare, keep, face, crowding
            )
            self._pool, self._windows = fit_windows(
                self._pool, self._windows, self._shape, real(threshold), real(VANISHED), MARGIN_CELLS
            )
        self.time += duration

    def order_parameters(self) -> RealArray:
        """η of every grain that is left, (n_grains, *grid.shape), in the order of ``grains``."""
        from dynaphase.electrolyte.grain_growth_loops import scatter

        out = np.zeros((self.n_grains, int(np.prod(self._shape))), self.dtype)
        scatter(self._pool, self._windows, self._shape, 1, out)
        return out.reshape(self.n_grains, *self.grid.shape)

    def sum_of_squares(self) -> RealArray:
        """Ση², shape of the grid: 1 in a grain, ½ on a boundary, 0 in a void."""
        from dynaphase.electrolyte.grain_growth_loops import scatter

        out = np.zeros((1, int(np.prod(self._shape))), self.dtype)
        scatter(self._pool, self._windows, self._shape, 2, out)
        return out.reshape(self.grid.shape)

    def two_largest(self) -> TwoLargest:
        """The two largest order parameters of every cell and their grains."""
        from dynaphase.electrolyte.grain_growth_loops import two_largest

        n_cells = int(np.prod(self._shape))
        grains = np.full((2, n_cells), -1, np.int64)
        values = np.zeros((2, n_cells), self.dtype)
        two_largest(self._pool, self._windows, self._shape, grains, values)
        return TwoLargest(grains.reshape(2, *self.grid.shape), values.reshape(2, *self.grid.shape))

    def _checked(self, values: FloatArray, name: str) -> FloatArray:
        values = np.asarray(values, np.float64)
        if values.shape != self.grid.shape or not np.all(np.isfinite(values)):
            raise ConfigError(f"the {name} must be finite and of the shape {self.grid.shape}, not {values.shape}")
        return values

    def _filled(self, labels: npt.NDArray[np.integer[Any]]) -> tuple[npt.NDArray[np.int64], RealArray]:
        """Windows and order parameters: ρ on the cells of the grain, 0 elsewhere."""
        from dynaphase.electrolyte.grain_growth_loops import covering_windows, fill_from_labels

        cells = np.ascontiguousarray(labels, np.int64).reshape(self._shape)
        grains = np.unique(cells)
        marks = np.zeros((len(grains), sum(self._shape)), np.bool_)
        place = np.searchsorted(grains, cells).ravel()
        first = 0
        for along, n in zip(np.indices(self._shape), self._shape, strict=True):
            marks[place, first + along.ravel()] = True
            first += n
        # A step in η spreads by a few λ before the windows are fitted for the first time.
        margin = MARGIN_CELLS + math.ceil(4.0 * self.width_nm / self.grid.spacing_nm)
        windows = covering_windows(marks, grains, self._shape, margin)
        share = np.clip(self.density, 0.0, 1.0).astype(self.dtype).ravel()
        return windows, fill_from_labels(windows, cells.ravel(), share, self._shape)
