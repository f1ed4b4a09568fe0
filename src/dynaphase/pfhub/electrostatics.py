"""The potential of a square between two electrodes, exactly for the cosine expansion of its charge.

    ∇²Φ = −q c   on 0 … L × 0 … L,     Φ = 0 on x = 0,   Φ = V(y) on x = L,   ∂Φ/∂y = 0 on y = 0 and L

With c = Σ ĉ_jm φ_j(x) φ_m(y), the cosine basis of the grid, every cosine m along y has its own equation along x,
−Φ'' + m²Φ = q c, and its solution is known in closed form:

    Φ_m(x) = Σ_j q ĉ_jm φ_j(x)/(j² + m²)  −  S_e E_m(x)  −  S_o O_m(x)  +  ½ V̂_m (E_m(x) − O_m(x))

(j, m stand for wave numbers).  E and O are the harmonic functions that are (1, 1) and (1, −1) on the two walls, S_e
and S_o the values of the sum on x = 0 over even and odd j: they take off what the sum leaves on the walls.  The
mean of c, where j = m = 0, contributes q c̄ x(L − x)/2 instead.  No mesh enters but through the expansion of c.

Everything here derived from separation of variables.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dynaphase.phasefield.grid import Grid
from dynaphase.phasefield.operators import FloatArray
from dynaphase.phasefield.spectral_basis import Coefficients, SpectralBasis

__all__ = ["CosineElectrostatics", "cosines"]


def cosines(points: FloatArray, n: int, length: float) -> FloatArray:
    """The first n functions of the orthonormal cosine basis of n cells at `points`, (n_points, n)."""
    values = np.sqrt(2.0 / n) * np.cos(np.pi / length * np.outer(points, np.arange(n)))
    values[:, 0] = np.sqrt(1.0 / n)
    return np.asarray(values)


@dataclass(frozen=True)
class CosineElectrostatics:
    """The energy term F₁ = ∫ k c (½Φ_c + Φ_V) dV of charges k c in their own field and in that of the walls.

    Φ_c is the potential of the charges between grounded walls, Φ_V that of the wall data without charges,
    Φ = Φ_c + Φ_V.  The charges make Φ_c, so half of it counts; Φ_V is there without them, so all of it counts: only
    then is δF₁/δc = kΦ, the contribution to the chemical potential that the problem prescribes.  The energy that PFHub
    asks for, ∫ kcΦ/2, takes half of both; it is measured by ``benchmark_energy`` and drives nothing.

    Parameters
    ----------
    grid : Grid
        Square, no-flux on both axes.
    coupling : float
        Charge k of a unit of c.
    permittivity : float
        ε, the same everywhere; q = k/ε.
    wall_data : callable
        Wave numbers m, (n,) → ∫₀ᴸ V(y) cos(my) dy, the potential prescribed on x = L.
    """

    grid: Grid
    coupling: float
    permittivity: float
    wall_data: Callable[[FloatArray], FloatArray]

    def energy(self, state: FloatArray) -> float:
        """F₁ of the concentration `state`."""
        return self.energy_from(self.basis.forward(state))

    def energy_from(self, c: Coefficients) -> float:
        """F₁ from the coefficients of c."""
        return self._integral(c, 0.5 * self._own(c) + self._of_walls)

    def benchmark_energy(self, c: Coefficients) -> float:
        """PFHub's ∫ kcΦ/2 dV from the coefficients of c: its reported number, not the functional that is lowered."""
        return 0.5 * self._integral(c, self.coefficients(c))

    def add_derivative(self, state: FloatArray, out: FloatArray) -> None:
        """Add δF₁/δc = kΦ to `out`."""
        out += self.coupling * self.basis.backward(self.coefficients(self.basis.forward(state)))

    def curvature(self, state: FloatArray) -> float:
        """k²/ε (L/π)², the largest eigenvalue of k² (−ε∇²)⁻¹ with these walls."""
        return float(self.coupling**2 / self.permittivity * (self._length / np.pi) ** 2)

    def coefficients(self, c: Coefficients) -> Coefficients:
        """Projection of Φ on the basis, from the coefficients of c."""
        return self._own(c) + self._of_walls

    def potential(self, c: Coefficients, x: FloatArray, y: FloatArray) -> FloatArray:
        """Φ at the points of the lattice `x` × `y`, walls included, by the formula above; (n_x, n_y)."""
        even, odd = self._harmonics(x)
        source = self._charge(c)
        inside = self._inverse * source
        along_x = cosines(x, self._n, self._length) @ inside
        along_x -= self._trace(inside, 0) * even + self._trace(inside, 1) * odd
        along_x += 0.5 * self._wall_coefficients * (even - odd)
        along_x[:, 0] += source[0, 0] / np.sqrt(self._n) * 0.5 * x * (self._length - x)
        return np.asarray(along_x @ cosines(y, self._n, self._length).T)

    @cached_property
    def basis(self) -> SpectralBasis:
        """The basis of the grid."""
        return SpectralBasis(self.grid)

    # --- the closed form, in coefficients ---------------------------------------------------------------------

    def _own(self, c: Coefficients) -> Coefficients:
        """Projection of Φ_c."""
        source = self._charge(c)
        inside = self._inverse * source
        result = inside - self._even * self._trace(inside, 0) - self._odd * self._trace(inside, 1)
        result[:, 0] += source[0, 0] * self._parabola
        return np.asarray(result)

    def _charge(self, c: Coefficients) -> FloatArray:
        return np.asarray(self.coupling / self.permittivity * c.reshape(self.grid.shape))

    def _trace(self, coefficients: FloatArray, parity: int) -> FloatArray:
        """Value on x = 0 of the part with even (0) or odd (1) j, for every m."""
        return np.asarray(self._on_wall[parity::2] @ coefficients[parity::2])

    def _integral(self, first: Coefficients, second: Coefficients) -> float:
        product = float(np.sum(first.reshape(self.grid.shape) * second))
        return self.coupling * product * self.grid.spacing_nm**2

    @property
    def _n(self) -> int:
        return self.grid.shape[0]

    @property
    def _length(self) -> float:
        return self.grid.lengths_nm[0]

    @cached_property
    def _waves(self) -> FloatArray:
        return np.asarray(np.pi / self._length * np.arange(self._n))

    @cached_property
    def _on_wall(self) -> FloatArray:
        """φ_j(0)."""
        return np.asarray(cosines(np.zeros(1), self._n, self._length)[0])

    @cached_property
    def _inverse(self) -> FloatArray:
        """1/(j² + m²), and 0 for the mean."""
        k2 = self.basis.k2.copy()
        k2[0, 0] = np.inf
        return np.asarray(1.0 / k2)

    @cached_property
    def _even(self) -> FloatArray:
        """Coefficients of E_m, by parts: 2m tanh(mL/2) φ_j(0)/(j² + m²)/Δx for even j; E_0 = 1."""
        slope = 2 * self._waves * np.tanh(0.5 * self._waves * self._length)
        result = self._inverse * np.outer(self._on_wall, slope) / self.grid.spacing_nm
        result[1::2] = 0.0
        result[0, 0] = np.sqrt(self._n)
        return np.asarray(result)

    @cached_property
    def _odd(self) -> FloatArray:
        """Coefficients of O_m: 2m coth(mL/2) φ_j(0)/(j² + m²)/Δx for odd j."""
        m = self._waves
        slope = np.full(self._n, 4.0 / self._length)
        slope[1:] = 2 * m[1:] / np.tanh(0.5 * m[1:] * self._length)
        result = self._inverse * np.outer(self._on_wall, slope) / self.grid.spacing_nm
        result[::2] = 0.0
        return np.asarray(result)

    @cached_property
    def _parabola(self) -> FloatArray:
        """Coefficients of x(L − x)/2 along x, with that of the unit mean along y."""
        result = -self._length / self.grid.spacing_nm * self._on_wall * self._inverse[:, 0]
        result[1::2] = 0.0
        result[0] = np.sqrt(self._n) * self._length**2 / 12
        return np.asarray(result / np.sqrt(self._n))

    def _harmonics(self, x: FloatArray) -> tuple[FloatArray, FloatArray]:
        """E_m and O_m at `x`, (n_x, n) each, in exponentials that do not overflow."""
        near, far = np.exp(-np.outer(x, self._waves)), np.exp(-np.outer(self._length - x, self._waves))
        whole = np.exp(-self._length * self._waves)
        odd = np.empty_like(near)
        odd[:, 1:] = (near - far)[:, 1:] / (1 - whole[1:])
        odd[:, 0] = 1 - 2 * x / self._length
        return (near + far) / (1 + whole), odd

    @cached_property
    def _wall_coefficients(self) -> FloatArray:
        """V̂_m in the orthonormal basis of the cells along y."""
        return np.asarray(self.wall_data(self._waves) * self._on_wall / self.grid.spacing_nm)

    @cached_property
    def _of_walls(self) -> FloatArray:
        """Projection of Φ_V."""
        return np.asarray(0.5 * self._wall_coefficients * (self._even - self._odd))
