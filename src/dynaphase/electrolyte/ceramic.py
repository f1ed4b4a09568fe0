r"""The ceramic that lithium has to cross: thresholds, surface energies and the strength of every single boundary.

Boundaries of one ceramic differ.  Each, the pair of grains that it parts, draws one factor ω on its toughness from a
Weibull distribution of mean 1, so that the weakest of those in the way decides, as in experiments that scatter from
sample to sample (doi:10.48550/arXiv.2603.20113).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from dynaphase.electrolyte.penetration import fracture_threshold
from dynaphase.errors import ConfigError
from dynaphase.phasefield.operators import FloatArray
from dynaphase.units import FARADAY, LITHIUM_MOLAR_VOLUME, NM

__all__ = ["Ceramic", "boundary_strengths"]

LEAST_SURFACE_ENERGY: Final = 0.04
"""Surface energy of lithium on a boundary that would like to be wetted (J/m²): a tenth of the usual one."""


@dataclass(frozen=True)
class Ceramic:
    """An electrolyte as operation sees it: fields on the cells, axis 0 from the anode to the cathode.

    Parameters
    ----------
    spacing_nm : float
    density, boundary, boundary_zone, boundary_ratio : arrays
        ρ; the indicator g of boundaries as paths of diffusion; the zone g_m in which they are weak; their toughness
        over that of a grain, drawn boundary by boundary.
    toughness_Pa_sqrt_m, flaw_size_m, geometry_factor : float
        K_b, a and Y of `fracture_threshold`.
    surface_energy_J_per_m2, boundary_energy_J_per_m2 : float
        Γ of lithium on a grain, γ_gb of a boundary.
    zone_width_nm : float
        Full width w_m of g_m; a diffuse front needs ten times its λ.
    weakening : float
        β_χ.
    inclusions : mapping of float to array, optional
        Toughness factor → indicator of a secondary phase.
    """

    spacing_nm: float
    density: FloatArray
    boundary: FloatArray
    boundary_zone: FloatArray
    boundary_ratio: FloatArray
    toughness_Pa_sqrt_m: float
    flaw_size_m: float
    geometry_factor: float
    surface_energy_J_per_m2: float
    boundary_energy_J_per_m2: float
    zone_width_nm: float = 10.0
    weakening: float = 0.0
    inclusions: Mapping[float, FloatArray] = field(default_factory=dict)

    @property
    def shape(self) -> tuple[int, ...]:
        """That of the fields."""
        return self.density.shape

    @property
    def thickness_nm(self) -> float:
        """From the anode to the cathode."""
        return self.shape[0] * self.spacing_nm

    def threshold_V(self, extent: npt.ArrayLike = 0.0) -> FloatArray:
        """η_c where the electrolyte is decomposed to the `extent` χ (V)."""
        return fracture_threshold(
            toughness_Pa_sqrt_m=self.toughness_Pa_sqrt_m,
            boundary_ratio=self.boundary_ratio,
            boundary_zone=self.boundary_zone,
            flaw_size_m=self.flaw_size_m,
            geometry_factor=self.geometry_factor,
            density=self.density,
            inclusions=self.inclusions,
            extent=extent,
            weakening=self.weakening,
        )

    @property
    def effective_surface_energy(self) -> FloatArray:
        """Γ_eff = Γ(1 − g_m) + max(Γ − γ_gb/2, Γ_min) g_m: lithium on a boundary gains half of its energy (J/m²)."""
        gamma = self.surface_energy_J_per_m2
        wetted = max(gamma - 0.5 * self.boundary_energy_J_per_m2, LEAST_SURFACE_ENERGY)
        return gamma + (wetted - gamma) * self.boundary_zone

    @property
    def tip_overpotential_V(self) -> FloatArray:
        """What the tip of a filament as wide as the zone costs, Γ_eff V_Li (2/w_m)/F (V)."""
        per_curvature = LITHIUM_MOLAR_VOLUME / FARADAY / NM
        return self.effective_surface_energy * per_curvature * 2.0 / self.zone_width_nm


STRENGTH_LIMITS: Final = (0.3, 1.6)
"""Least and greatest ω that is drawn."""


def boundary_strengths(pairs: npt.ArrayLike, weibull_modulus: float, seed: int) -> FloatArray:
    """ω of the nearest boundary of every cell, one draw for each unordered pair of grains.

    The draw belongs to the pair and the seed alone: the same boundary is as strong on every grid and whatever other
    boundaries there are (common random numbers).

    Parameters
    ----------
    pairs : array_like of int, (2, *shape)
        The two grains that the nearest boundary parts, in either order; −1 where there is none.
    weibull_modulus : float
        m > 0; ω = W/Γ(1 + 1/m), so that its mean is 1 before it is clipped to `STRENGTH_LIMITS`.
    seed : int

    Returns
    -------
    array, shape
        1 where there is no boundary.

    Raises
    ------
    ConfigError
        For a modulus that is not positive.
    """
    if not (math.isfinite(weibull_modulus) and weibull_modulus > 0):
        raise ConfigError(f"the Weibull modulus must be positive and finite, not {weibull_modulus}")
    grains = np.sort(np.asarray(pairs, dtype=np.int64), axis=0)
    unique, inverse = np.unique(grains.reshape(2, -1), axis=1, return_inverse=True)
    mean = math.gamma(1.0 + 1.0 / weibull_modulus)
    strengths = np.ones(unique.shape[1])
    for k, (low, high) in enumerate(unique.T.tolist()):
        if low >= 0:
            stream = np.random.default_rng(np.random.SeedSequence([seed, 0x67726273, low, high]))
            strengths[k] = stream.weibull(weibull_modulus) / mean
    return np.clip(strengths, *STRENGTH_LIMITS)[inverse].reshape(grains.shape[1:])
