"""Options of the physical model that are off by default: electronic leakage, a plate–strip cycle, the short circuit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from dynaphase.materials.base import Material
from dynaphase.settings import PhysicalSettings

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from dynaphase.electrolyte.ceramic import Ceramic
    from dynaphase.electrolyte.conduction import ConductionParameters
    from dynaphase.electrolyte.interphase import InterphaseParameters
    from dynaphase.electrolyte.leakage import LeakageParameters
    from dynaphase.electrolyte.microstructure import Microstructure
    from dynaphase.electrolyte.operation import SweepResult
    from dynaphase.electrolyte.penetration import FrontParameters

__all__ = ["leakage_of", "plate_and_strip", "sweep_options"]

METAL_S_PER_M: Final = 1e-3
"""Ionic conductivity given to lithium metal: it only continues the potential smoothly."""

LITHIUM_NM: Final = 5.0
"""Thickness of lithium at the start of the cycle."""


def leakage_of(material: Material) -> LeakageParameters:
    """Electrons in the electrolyte and the cell around it."""
    from dynaphase.electrolyte.leakage import LeakageParameters

    return LeakageParameters(
        electronic_S_per_m=material["electronic_conductivity_S_per_m"],
        cell_voltage_V=material["cell_voltage_V"],
        cell_thickness_m=material["cell_thickness_m"],
    )


def sweep_options(sweep: SweepResult, limit_V: float, settings: PhysicalSettings) -> dict[str, float]:
    """What a sweep reports beyond the usual if asked to; the limit stands for a short circuit that did not come."""
    found: dict[str, float] = {}
    if settings.until_short:
        found["eta_short_mV"] = 1e3 * (limit_V if sweep.short_V is None else sweep.short_V)
    if settings.leakage:
        found["leakage_current_mA_per_cm2"] = 0.1 * sweep.leakage_A_per_m2
        found["internal_lithium_nm"] = sweep.internal_nm
    return found


def plate_and_strip(
    ceramic: Ceramic,
    front: FrontParameters,
    microstructure: Microstructure,
    conduction: ConductionParameters,
    settings: PhysicalSettings,
    interphase: InterphaseParameters | None = None,
) -> tuple[dict[str, float], tuple[str, ...]]:
    """One cycle in the fresh ceramic: lithium laid in it, the share of that which came out, the contact that was lost.

    And what has to be said of them.

    Not in the ceramic that the sweep has destroyed: there nearly all of the current would flow through its filaments.
    """
    from dynaphase.electrolyte.conduction import local_conductivity
    from dynaphase.electrolyte.current import Cycle, Stripping, operate

    def conductivity(lithium: npt.NDArray[np.float64], extent: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        metal = lithium**2 * (3.0 - 2.0 * lithium)
        return metal * METAL_S_PER_M + (1.0 - metal) * local_conductivity(microstructure, conduction, extent)

    half = settings.cycle_half_s
    cycle = Cycle(10.0 * settings.cycle_mA_per_cm2, half, half)
    found = operate(
        ceramic, front, cycle, conductivity, cycle.duration_s, interphase, stripping=Stripping(), lithium_nm=LITHIUM_NM
    )
    ended = float(found.times_s[-1])
    notes: tuple[str, ...] = ()
    if found.is_shorted:
        notes = (f"the cycle ended in a short circuit after {ended:.3g} s: stripped_fraction is of what had been done",)
    elif ended < cycle.duration_s:
        notes = (f"contact was lost after {ended:.3g} s of the cycle, which ended there",)
    descriptors = {
        "plated_inside_nm": float(found.layers_nm.max()),
        "stripped_fraction": found.stripped_fraction(min(half, ended)),
        "contact_loss_fraction": 1.0 - float(found.contact_fractions[-1]),
    }
    return descriptors, notes
