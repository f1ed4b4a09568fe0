"""Grain boundaries of a material as they are at a grain size: what a film of glass makes of them."""

from __future__ import annotations

from dataclasses import dataclass

from dynaphase.materials.base import Material
from dynaphase.materials.conductivity import wetting

__all__ = ["WettedBoundaries", "wetted_boundaries"]


@dataclass(frozen=True, slots=True)
class WettedBoundaries:
    """Boundaries of which a share θ is covered by a film, each property linear in θ."""

    wetting: float
    """θ, 0 to 1."""
    resistance_ohm_m2: float
    """R″/(1 − loss θ): boundaries in parallel, the covered ones conducting less."""
    energy_J_per_m2: float
    """γ_gb (1 − loss θ)."""
    toughness_ratio: float
    """w (1 − loss θ): toughness over that of a grain."""


def wetted_boundaries(material: Material, grain_size_nm: float, n_axes: int = 2) -> WettedBoundaries:
    """Boundaries of `material` at mean linear intercept `grain_size_nm` (nm), in the plane or in space.

    The film's volume is fixed by the composition; how much boundary it has to cover is an outcome of the furnace.

    Raises
    ------
    InputError
        If the grain size is not positive.
    """
    theta = wetting(material["film_fraction"], grain_size_nm, material["film_thickness_nm"], n_axes)
    return WettedBoundaries(
        wetting=theta,
        resistance_ohm_m2=material["boundary_resistance_ohm_m2"] / (1.0 - material["film_conductance_loss"] * theta),
        energy_J_per_m2=material["boundary_energy_J_per_m2"] * (1.0 - material["boundary_energy_wetting_loss"] * theta),
        toughness_ratio=material["boundary_toughness_ratio"]
        * (1.0 - material["boundary_toughness_wetting_loss"] * theta),
    )
