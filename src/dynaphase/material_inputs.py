"""What a simulation reads off a material: numbers that depend on the grain size, and what every chain reports."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import TYPE_CHECKING, Final

from dynaphase.errors import SimulationError
from dynaphase.materials.base import Material
from dynaphase.materials.conductivity import film_capacity
from dynaphase.materials.wetted import wetted_boundaries

if TYPE_CHECKING:
    from dynaphase.electrolyte.conduction import ConductionParameters

__all__ = [
    "CERAMIC_GRAIN_SIZE_NM",
    "SOLID",
    "S_PER_CM",
    "TEMPERATURES_K",
    "conduction_parameters",
    "particle_fractions",
    "plane_notes",
    "require_finite",
]

TEMPERATURES_K: Final = (273.15, 298.15, 333.15, 373.15)
"""Where σ(T) is computed for the effective activation energy."""

CERAMIC_GRAIN_SIZE_NM: Final = 1000.0
"""Grain size of the ceramic that `ceramic_conductivity_S_per_cm` speaks of."""

SOLID: Final = 0.5
"""Relative density above which a cell is solid."""

S_PER_CM: Final = 0.01
"""One S/m in S/cm."""

PLANE_LIMIT: Final = 0.6
"""Host fraction below which a plane microstructure percolates clearly worse than a real one."""


def conduction_parameters(material: Material, grain_size_nm: float, n_axes: int = 2) -> ConductionParameters:
    """What conducts how well in `material`, its boundaries wetted as they are at `grain_size_nm`.

    A glass-forming phase covers boundaries (θ = 1: completely) and raises their area resistance from R'' to
    R''/(1 − f θ), f being the conductance that a complete film costs.
    """
    from dynaphase.electrolyte.conduction import ConductionParameters

    return ConductionParameters(
        bulk_S_per_m=material["bulk_conductivity_S_per_m"],
        boundary_resistance_ohm_m2=wetted_boundaries(material, grain_size_nm, n_axes).resistance_ohm_m2,
        secondary={phase: material[f"conductivity_{phase}_S_per_m"] for phase in material.assemblage.secondary},
        void_S_per_m=material["void_conductivity_S_per_m"],
        degraded_S_per_m=material["degraded_conductivity_S_per_m"],
    )


def particle_fractions(material: Material, grain_size_nm: float, n_axes: int = 2) -> dict[str, float]:
    """Volume fractions of the secondary phases that sit in the solid as particles.

    Glass-forming phases spread on the grain boundaries first; only what the boundaries cannot hold
    (v_film > δ_f L_A at `grain_size_nm`) becomes particles, so that no volume element acts twice, or not at all.
    """
    assemblage, film = material.assemblage, material["film_fraction"]
    capacity = film_capacity(grain_size_nm, material["film_thickness_nm"], n_axes)
    excess = max(0.0, 1.0 - capacity / film) if film > 0.0 else 0.0
    shares = {
        phase: fraction * (excess if phase in assemblage.film_formers else 1.0)
        for phase, fraction in assemblage.secondary.items()
    }
    return {phase: fraction for phase, fraction in shares.items() if fraction > 0.0}


def plane_notes(material: Material) -> tuple[str, ...]:
    """What has to be said of a plane simulation of little host."""
    if material.assemblage.host_fraction >= PLANE_LIMIT:
        return ()
    return (
        f"the conducting phase fills {material.assemblage.host_fraction:.0%} of the solid: in a plane it is cut off "
        "sooner than in space, so σ is a lower estimate",
    )


def require_finite(values: Mapping[str, float]) -> None:
    """Raise `SimulationError` where a result is not finite."""
    bad = [name for name, value in values.items() if not isfinite(value)]
    if bad:
        raise SimulationError(
            f"the evaluation gave no finite value for {', '.join(bad)}; please report the composition and the seed"
        )
