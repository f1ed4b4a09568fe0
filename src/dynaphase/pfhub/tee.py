"""PFHub benchmark 1c, revision 1: spinodal decomposition in a T without flux through its edge.

The equations and the start of problem 1a and 1b (:mod:`~dynaphase.pfhub.spinodal`) on a stem 0 … 20 × 0 … 100 under a
bar −40 … 60 × 100 … 120.  The cells of the T are some of the cells of its bounding box; a face to a cell outside
passes nothing and has no gradient energy.  Expect five flat interfaces across the arms in the end, each of energy
20 σ.

Second-order differences and `RungeKuttaChebyshev`: the domain has no basis of cosines.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from dynaphase.errors import ConfigError
from dynaphase.pfhub.case import Case
from dynaphase.pfhub.spinodal import KAPPA, MOBILITY, DoubleWell, waves
from dynaphase.phasefield.grid import Boundary, Grid
from dynaphase.phasefield.operators import FloatArray

__all__ = ["TeeModel", "tee_cases"]

BAR, HEIGHT = 100.0, 120.0


@dataclass(frozen=True)
class TeeModel:
    """The Cahn–Hilliard equation on the T; the state covers the bounding box, and stands still outside.

    Parameters
    ----------
    n : int
        Cells along the bar, a multiple of 5 so that the edges of the stem lie between cells; at least 50.

    Raises
    ------
    ConfigError
        For another n.
    """

    n: int
    fields: ClassVar[tuple[str, ...]] = ("c",)
    bounds: ClassVar[tuple[float, float] | None] = None

    def __post_init__(self) -> None:
        if self.n < 50 or self.n % 5:
            raise ConfigError(f"n must be a multiple of 5 cells along the bar of the T, at least 50, not {self.n}")

    @cached_property
    def grid(self) -> Grid:
        """The bounding box."""
        return Grid((self.n, self.n * 6 // 5), BAR / self.n, (Boundary.NO_FLUX, Boundary.NO_FLUX))

    @cached_property
    def inside(self) -> npt.NDArray[np.bool_]:
        """Cells of the T."""
        x, y = self.places
        return np.asarray((y > 100.0) | ((x > 0.0) & (x < 20.0)))

    @property
    def places(self) -> tuple[FloatArray, FloatArray]:
        """X, from −40, and y of the cell centres, in shapes that broadcast to the grid."""
        h = self.grid.spacing_nm
        x, y = (np.arange(0.5, n) * h for n in self.grid.shape)
        return np.asarray(x[:, None] - 40.0), np.asarray(y[None, :])

    def start(self) -> FloatArray:
        """The start, sampled at the cell centres."""
        return np.where(self.inside, 0.5 + 0.01 * waves(*self.places), 0.5)

    def rhs(self, state: FloatArray, out: FloatArray) -> None:
        """Write ∂c/∂t into `out`."""
        from dynaphase.pfhub.tee_loops import inside_laplacian

        potential = self.variational_derivative(state)
        inside_laplacian(potential, self.inside, MOBILITY / self.grid.spacing_nm**2, out)

    def variational_derivative(self, state: FloatArray) -> FloatArray:
        """μ = f' − κ∇²c inside, 0 outside."""
        from dynaphase.pfhub.tee_loops import inside_laplacian

        bend = np.empty_like(state)
        inside_laplacian(state, self.inside, -KAPPA / self.grid.spacing_nm**2, bend)
        return np.where(self.inside, DoubleWell().derivative(state[None])[0] + bend, 0.0)

    def energy(self, state: FloatArray) -> float:
        """F = Σ_inside f h² + κ/2 Σ (Δc)² over the faces between two cells inside."""
        bulk = float(np.sum(DoubleWell().density(state[None])[self.inside])) * self.grid.spacing_nm**2
        gradient = 0.0
        for axis in (0, 1):
            both = np.logical_and(*(np.moveaxis(self.inside, axis, 0)[s] for s in (np.s_[1:], np.s_[:-1])))
            gradient += float(np.sum(np.diff(np.moveaxis(state, axis, 0), axis=0)[both] ** 2))
        return bulk + 0.5 * KAPPA * gradient

    def spectral_radius(self, state: FloatArray) -> float:
        """(8/h²) M (max|f''| + 8κ/h²)."""
        steepest = 8.0 / self.grid.spacing_nm**2
        return steepest * MOBILITY * (DoubleWell().curvature(state[None]) + KAPPA * steepest)


def tee_cases(n: int) -> list[Case]:
    """The one run of problem 1c."""
    model = TeeModel(n)

    def measure(state: FloatArray, _coefficients: None) -> tuple[float, ...]:
        energy = model.energy(state)
        return energy, energy

    return [Case(model, model.start(), measure, counted=model.inside)]
