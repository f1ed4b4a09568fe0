r"""Sintering: a conserved density and one order parameter for every grain, driven by one energy.

.. math::

   F = \int \Bigl\{ A\rho^2(1-\rho)^2 + B\bigl[\rho^2 + 6(1-\rho+q)\textstyle\sum\eta_i^2 - 4(2-\rho)\sum\eta_i^3
       + 3(\sum\eta_i^2)^2\bigr] + \tfrac{\kappa_\rho}{2}|\nabla\rho|^2
       + \tfrac{\kappa_\eta}{2}\sum|\nabla\eta_i|^2 \Bigr\}\,\mathrm{d}V

(Wang, Acta Mater. 54, 953 (2006), doi:10.1016/j.actamat.2005.10.032, with a pinning field q ≥ 0 added here),

    ∂ρ/∂t = ∇·(M(ρ)∇δF/δρ),     ∂ηᵢ/∂t = −L δF/δηᵢ,     M = M₀ [0.02 + 16 ρ²(1−ρ)²]

so that matter moves along surfaces.  Expect necks, rounding pores, dihedral angles and coarsening grains that pores and
particles pin.  Grains do not move as rigid bodies, so nothing densifies: the mean of ρ is kept.

Two exact reductions to one dimension (derived here) tie the four coefficients to what is measured.  At ρ = 1,
η₁ = 1 − η₂ the density is 12Bη²(1−η)², a boundary η = ½[1 + tanh(z/2λ)] with λ² = κ_η/12B and γ_gb = 4Bλ.  Where
6B/κ_η = (A+B)/κ_ρ, a free surface has ρ = η with the density (A+7B)ρ²(1−ρ)² and γ_s = (√2/6)√((κ_ρ+κ_η)(A+7B)); it
then has the same λ.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from dynaphase.errors import ConfigError
from dynaphase.phasefield.grid import Grid
from dynaphase.phasefield.models.coupled import CoupledFields
from dynaphase.phasefield.operators import FloatArray

__all__ = ["SinteringParameters", "SurfaceMobility", "WangEnergy", "make_sintering_model"]


@dataclass(frozen=True, slots=True)
class SinteringParameters:
    """Coefficients of the energy; make them with ``from_energies``.

    Parameters
    ----------
    solid_barrier : float
        A > 0, energy per volume (J/m² per nm).
    grain_barrier : float
        B > 0, the same unit.
    kappa_density, kappa_grain : float
        κ_ρ and κ_η > 0 (J/m² times nm).

    Raises
    ------
    ConfigError
        For a value that is not positive and finite.
    """

    solid_barrier: float
    grain_barrier: float
    kappa_density: float
    kappa_grain: float

    def __post_init__(self) -> None:
        values = (self.solid_barrier, self.grain_barrier, self.kappa_density, self.kappa_grain)
        if not all(math.isfinite(v) and v > 0 for v in values):
            raise ConfigError(f"A, B, κ_ρ and κ_η of the sintering energy must be positive and finite, not {values}")

    @classmethod
    def from_energies(cls, boundary_energy: float, surface_energy: float, width_nm: float) -> SinteringParameters:
        """B = γ_gb/4λ, κ_η = 12Bλ², A = 3γ_s/λ − 7B, κ_ρ = (A+B)κ_η/6B.

        Parameters
        ----------
        boundary_energy, surface_energy : float
            γ_gb and γ_s (J/m²).
        width_nm : float
            λ (nm): the 10–90 width of every interface is 4.394 λ.

        Raises
        ------
        ConfigError
            For a value that is not positive, or γ_s ≤ 7/12 γ_gb, where A would not be.
        """
        if not all(math.isfinite(v) and v > 0 for v in (boundary_energy, surface_energy, width_nm)):
            raise ConfigError(
                "energies and width of interfaces must be positive and finite, not "
                f"γ_gb = {boundary_energy}, γ_s = {surface_energy}, λ = {width_nm}"
            )
        grain = boundary_energy / (4.0 * width_nm)
        kappa_grain = 12.0 * grain * width_nm**2
        solid = 3.0 * surface_energy / width_nm - 7.0 * grain
        if solid <= 0:
            raise ConfigError(
                f"a surface of γ_s = {surface_energy:.4g} J/m² is too weak for boundaries of γ_gb = "
                f"{boundary_energy:.4g} J/m²: this energy needs γ_s > 7/12 γ_gb = {7 / 12 * boundary_energy:.4g} J/m² "
                "(at γ_s ≤ γ_gb/2 boundaries would open by themselves); raise γ_s or lower γ_gb"
            )
        return cls(solid, grain, (solid + grain) * kappa_grain / (6.0 * grain), kappa_grain)

    @property
    def width_nm(self) -> float:
        """λ = √(κ_η/12B) (nm)."""
        return math.sqrt(self.kappa_grain / (12.0 * self.grain_barrier))

    @property
    def boundary_energy(self) -> float:
        """γ_gb = (2/√3)√(Bκ_η) (J/m²)."""
        return 2.0 / math.sqrt(3.0) * math.sqrt(self.grain_barrier * self.kappa_grain)

    @property
    def surface_energy(self) -> float:
        """γ_s (J/m²), exact where 6B/κ_η = (A+B)/κ_ρ, as ``from_energies`` makes it."""
        stiffness = (self.kappa_density + self.kappa_grain) * (self.solid_barrier + 7.0 * self.grain_barrier)
        return math.sqrt(2.0) / 6.0 * math.sqrt(stiffness)

    @property
    def dihedral_angle_deg(self) -> float:
        """ψ in a pore on a boundary, 2cos(ψ/2) = γ_gb/γ_s (degrees)."""
        return 2.0 * math.degrees(math.acos(0.5 * self.boundary_energy / self.surface_energy))


@dataclass(frozen=True, eq=False, slots=True)
class WangEnergy:
    """The local part of the energy as a `BulkEnergy`; field 0 is ρ, all others are grains.

    Parameters
    ----------
    parameters : SinteringParameters
    pinning : array, shape of the grid, or float
        q ≥ 0: adds 6Bq Ση² to the energy, so grains leave where q is of order one.
    """

    parameters: SinteringParameters
    pinning: FloatArray | float = 0.0

    def __post_init__(self) -> None:
        if not (np.all(np.isfinite(self.pinning)) and np.min(self.pinning) >= 0):
            raise ConfigError("the pinning field must be finite and not negative: it drives grains out, never in")

    def density(self, fields: FloatArray) -> FloatArray:
        """Energy per volume, shape of the grid."""
        a, b = self.parameters.solid_barrier, self.parameters.grain_barrier
        rho, eta = fields[0], fields[1:]
        squares = np.sum(eta**2, axis=0)
        grains = 6.0 * (1.0 - rho + self.pinning) * squares - 4.0 * (2.0 - rho) * np.sum(eta**3, axis=0)
        return np.asarray(a * rho**2 * (1.0 - rho) ** 2 + b * (rho**2 + grains + 3.0 * squares**2))

    def derivative(self, fields: FloatArray) -> FloatArray:
        """∂f/∂ρ = 2Aρ(1−ρ)(1−2ρ) + B(2ρ − 6Ση² + 4Ση³);  ∂f/∂ηᵢ = 12B[ηᵢ(1−ρ+Ση²+q) − (2−ρ)ηᵢ²]."""
        a, b = self.parameters.solid_barrier, self.parameters.grain_barrier
        rho, eta = fields[0], fields[1:]
        squares = np.sum(eta**2, axis=0)
        out = np.empty_like(fields)
        out[0] = 2.0 * a * rho * (1.0 - rho) * (1.0 - 2.0 * rho)
        out[0] += b * (2.0 * rho - 6.0 * squares + 4.0 * np.sum(eta**3, axis=0))
        out[1:] = 12.0 * b * eta * (1.0 - rho + squares + self.pinning - (2.0 - rho) * eta)
        return out

    def curvature(self, fields: FloatArray) -> float:
        """Bound on the eigenvalues of ∂²f/∂u∂u: the larger diagonal block plus the coupling of ρ to the grains.

        The block of the grains is 12B{diag(1−ρ+Ση²+q − 2(2−ρ)ηᵢ) + 2ηηᵀ}.
        """
        a, b = self.parameters.solid_barrier, self.parameters.grain_barrier
        rho, eta = fields[0], fields[1:]
        squares = np.sum(eta**2, axis=0)
        solid = np.abs(2.0 * a * (1.0 - 6.0 * rho + 6.0 * rho**2) + 2.0 * b)
        diagonal = np.abs(1.0 - rho + squares + self.pinning - 2.0 * (2.0 - rho) * eta)
        grains = 12.0 * b * (np.max(diagonal, axis=0) + 2.0 * squares)
        coupling = 12.0 * b * np.sqrt(np.sum((eta**2 - eta) ** 2, axis=0))
        return float(np.max(np.maximum(solid, grains) + coupling))


@dataclass(frozen=True, slots=True)
class SurfaceMobility:
    """M(ρ) = M₀ [0.02 + 16 ρ²(1−ρ)²]: M₀ on a surface, a fiftieth of it in the bulk."""

    on_surface: float

    def __call__(self, fields: FloatArray) -> FloatArray:
        """M from all fields, shape of the grid."""
        rho = fields[0]
        return np.asarray(self.on_surface * (0.02 + 16.0 * (rho * (1.0 - rho)) ** 2))


def make_sintering_model(
    grid: Grid,
    parameters: SinteringParameters,
    n_grains: int,
    *,
    surface_mobility: float,
    grain_mobility: float | None = None,
    pinning: FloatArray | float = 0.0,
) -> CoupledFields:
    """The full equations; the state is (1 + n_grains, *grid.shape): ρ, then η of every grain.

    Parameters
    ----------
    grid : Grid
        Periodic and no-flux axes.
    parameters : SinteringParameters
    n_grains : int
        At least 1; every grain is a field, so a few tens at most.
    surface_mobility : float
        M₀ > 0 (nm² per J/m² · nm and unit of time).
    grain_mobility : float, optional
        L; by default 1/κ_η, which makes the unit of time that of
        :class:`~dynaphase.electrolyte.grain_growth.GrainGrowth`.
    pinning : array, shape of the grid, or float
        q of `WangEnergy`.

    Raises
    ------
    ConfigError
        For a number that is not positive, a λ that the grid does not resolve, or a pinning field of another shape.
    """
    if n_grains < 1 or not surface_mobility > 0:
        raise ConfigError(
            f"sintering needs a grain and a mobility > 0, not {n_grains} grains and M₀ = {surface_mobility}"
        )
    if parameters.width_nm < grid.spacing_nm:
        raise ConfigError(
            f"interfaces of λ = {parameters.width_nm:.4g} nm need cells below that, not of {grid.spacing_nm:.4g} nm; "
            "take λ of 1.25 cells or more"
        )
    if np.ndim(pinning) and np.shape(pinning) != grid.shape:
        raise ConfigError(f"the pinning field has the shape {np.shape(pinning)}, the grid {grid.shape}")
    grain_mobility = 1.0 / parameters.kappa_grain if grain_mobility is None else grain_mobility
    return CoupledFields(
        grid,
        ("density", *(f"grain_{i + 1}" for i in range(n_grains))),
        WangEnergy(parameters, pinning),
        kappa=(parameters.kappa_density, *[parameters.kappa_grain] * n_grains),
        mobility=(SurfaceMobility(surface_mobility), *[grain_mobility] * n_grains),
        is_conserved=(True, *[False] * n_grains),
    )
