r"""Charges in their own field: an energy term whose elliptic equation is solved within every step.

.. math::

   \nabla\cdot(\varepsilon\nabla\Phi) = -k\,c, \qquad F_1 = \int k\,c\,(\tfrac12\Phi_c + \Phi_w)\,dV, \qquad
   \frac{\delta F_1}{\delta c} = k\,\Phi, \qquad \Phi = \Phi_c + \Phi_w

Φ_c is the potential of the charges between grounded walls, Φ_w that of the wall values without charges.  The charges
make Φ_c, so half of it counts; Φ_w is there without them, so all of it counts: only then is kΦ the derivative.
ε may jump from cell to cell; the wall kinds are those of the potential, not of c.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from dynaphase.errors import ConfigError
from dynaphase.phasefield.grid import Grid
from dynaphase.phasefield.multigrid import EllipticProblem, Multigrid
from dynaphase.phasefield.operators import Boundaries, FloatArray

__all__ = ["Electrostatics"]


class Electrostatics:
    """The energy term of charges k c; add it with `dynaphase.phasefield.terms.add_terms`.

    Keeps the last potential, from which the next solve starts: give every thread its own.  The rate of one state then
    depends on the states before it within the tolerance of the solve, 1e-10, so a resumed run agrees to that, not to
    the last bit.

    Parameters
    ----------
    grid : Grid
    coupling : float
        Charge k of a unit of c.
    permittivity : float or array
        ε > 0, of the shape of the grid.
    boundaries : sequence of Boundary or Walls
        What Φ does on the walls; somewhere it must have a value.
    field : int, optional
        Which field of the state is c, where there are several.
    """

    def __init__(
        self,
        grid: Grid,
        coupling: float,
        permittivity: npt.ArrayLike,
        boundaries: Boundaries,
        field: int | None = None,
    ) -> None:
        sigma = np.asarray(permittivity, dtype=np.float64)
        if sigma.shape not in ((), grid.shape) or not np.all(np.isfinite(sigma) & (sigma > 0)):
            raise ConfigError(
                f"the permittivity must be positive and finite, a number or an array of shape {grid.shape}; it has "
                f"shape {sigma.shape} and values from {np.min(sigma)} to {np.max(sigma)}"
            )
        sigma = np.broadcast_to(sigma, grid.shape)
        self._problem = EllipticProblem(sigma, boundaries, grid.spacing_nm)
        if self._problem.is_singular:
            raise ConfigError(
                "the potential has no value on any wall, so it is fixed up to a constant only: give one wall a value"
            )
        self.grid, self.coupling, self.boundaries, self._field = grid, coupling, boundaries, field
        self._solver = Multigrid(self._problem)
        self._of_walls = self._solver.solve().potential
        self._last: FloatArray | None = None

    def potential(self, state: FloatArray) -> FloatArray:
        """Φ, shape of the grid."""
        solution = self._solver.solve(-self.coupling * self._concentration(state), start=self._last)
        self._last = solution.potential
        return solution.potential

    def energy(self, state: FloatArray) -> float:
        """F₁ = Σ k c (½Φ_c + Φ_w) Δx^d."""
        phi = self.potential(state)
        density = self.coupling * self._concentration(state) * 0.5 * (phi + self._of_walls)
        return float(np.sum(density)) * self.grid.spacing_nm ** len(self.grid.shape)

    def add_derivative(self, state: FloatArray, out: FloatArray) -> None:
        """Add kΦ to `out`."""
        target = out if self._field is None else out[self._field]
        target += self.coupling * self.potential(state)

    def curvature(self, state: FloatArray) -> float:
        """Bound k²/λ on the eigenvalues of k² (−∇·ε∇)⁻¹: λ ≥ min ε · 4/Δx² sin²(πΔx/4L) with one wall of fixed value.

        That is the slowest mode of the longest axis that has such a wall, if its other end were free.
        """
        steepest = 0.0
        for n, walls in zip(self.grid.shape, self._problem.walls, strict=True):
            if walls is not None and (walls.low is not None or walls.high is not None):
                steepest = max(steepest, 4.0 / self.grid.spacing_nm**2 * math.sin(0.25 * math.pi / n) ** 2)
        return self.coupling**2 / (float(np.min(np.asarray(self._problem.sigma))) * steepest)

    def _concentration(self, state: FloatArray) -> FloatArray:
        return np.asarray(state if self._field is None else state[self._field])
