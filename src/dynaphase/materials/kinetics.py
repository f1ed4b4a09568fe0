"""Parameters of operation: mechanics, plating and interphases, and the closures of the paper model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dynaphase.materials.base import Assemblage, Spread, Status
from dynaphase.materials.conductivity import arrhenius, thermal_sd
from dynaphase.materials.priors import InterphasePriors, MechanicsPriors, PaperPriors
from dynaphase.materials.sheet import ParameterSheet, combine_lognormal

__all__ = ["HostState", "add_interphase", "add_mechanics", "add_paper_model"]

LEAST_REDUCIBLE: Final = 0.01
"""Reducible element per formula unit that is assumed where there is less, so that no rate is zero."""

PAPER_DIFFUSIVITY_EXPONENT: Final = 2.0
"""κ_D: growth of ln D₀ with the volume fraction of secondary phases."""

PAPER_RATE_SLOPE: Final = 4.0
"""Relative growth of k with the volume fraction of secondary phases."""

INTERFACE_LENGTH_NM: Final = 3.0


@dataclass(frozen=True, slots=True)
class HostState:
    """What the kinetics read of a composition."""

    assemblage: Assemblage
    lithium: float
    """ℓ of the host per formula unit; `lithium_reference` that of the system's reference."""
    lithium_reference: float
    reducible: float
    """y: reducible element per formula unit; host and secondary phases weighted by volume."""
    reducible_reference: float
    element: str
    """Which element that is; empty where none is named, and then nothing depends on it."""
    temperature_K: float

    @property
    def reactivity(self) -> float:
        """y/y_ref."""
        return max(self.reducible, LEAST_REDUCIBLE) / self.reducible_reference if self.element else 1.0

    def law(self, power: str = "") -> str:
        """Factor (y/y_ref) for the sources, e.g. `` × (y/1.5)²``."""
        return (
            f" × (y/{self.reducible_reference:g}){power}, y = {self.element} per formula unit" if self.element else ""
        )


def add_mechanics(sheet: ParameterSheet, priors: MechanicsPriors, toughness_factors: Mapping[str, float]) -> None:
    """Toughness of grains, boundaries and secondary phases; flaws; the energy of lithium's interface."""
    sheet.prior("lithium_interface_energy_J_per_m2", priors.lithium_interface_energy_J_per_m2, "J/m²")
    sheet.prior("grain_toughness_Pa_sqrt_m", priors.grain_toughness_Pa_sqrt_m, "Pa √m")
    sheet.prior("boundary_toughness_ratio", priors.boundary_toughness_ratio, "1")
    sheet.prior("boundary_toughness_wetting_loss", priors.boundary_toughness_wetting_loss, "1")
    sheet.prior("flaw_size_m", priors.flaw_size_m, "m")
    sheet.exact("geometry_factor", 1.12, "1", Status.QUOTED, "edge crack in linear elastic fracture mechanics")
    sheet.prior("boundary_weibull_modulus", priors.boundary_weibull_modulus, "1")
    prior = priors.toughness_factor_scale
    scale = sheet.prior("toughness_factor_scale", prior, "1")
    for phase, factor in toughness_factors.items():
        sheet.derived(
            f"toughness_factor_{phase}", factor * scale, "1", Spread.lognormal(prior.log_sd),
            f"toughness over that of a grain: {factor:g} × toughness_factor_scale; assumed", Status.CLOSURE,
        )  # fmt: skip


def add_interphase(sheet: ParameterSheet, priors: InterphasePriors, state: HostState) -> None:
    """Kinetics of plating, of the reduction by lithium, and of the reaction with the cathode."""
    energies = {
        name: sheet.prior(f"{name}_activation_energy_eV", getattr(priors, f"{name}_activation_energy_eV"), "eV")
        for name in ("exchange_current", "interphase_diffusion", "reduction", "cathode")
    }
    factor = {name: arrhenius(energy, state.temperature_K) for name, energy in energies.items()}
    plating = priors.exchange_current_density_A_per_m2
    sheet.prior(
        "exchange_current_density_A_per_m2", plating, "A/m²",
        median=plating.value * math.sqrt(state.lithium / state.lithium_reference) * state.assemblage.host_fraction
        * factor["exchange_current"],
        source=f"{plating.value:g} √(ℓ/{state.lithium_reference:g}) × host fraction, ℓ = lithium of the host per "
        f"formula unit: {plating.source}",
    )  # fmt: skip
    diffusion = priors.interphase_diffusivity_nm2_per_s
    diffusivity = sheet.prior(
        "interphase_diffusivity_nm2_per_s", diffusion, "nm²/s",
        median=diffusion.value * state.reactivity**2 * factor["interphase_diffusion"],
        source=f"{diffusion.value:g}{state.law('²')}: {diffusion.source}",
    )  # fmt: skip
    reduction = priors.reduction_rate_per_s
    sheet.prior(
        "reduction_rate_per_s", reduction, "1/s", median=reduction.value * state.reactivity * factor["reduction"],
        source=f"{reduction.value:.3g}{state.law()}: {reduction.source}",
    )  # fmt: skip
    taken = priors.lithium_uptake_ratio
    uptake = sheet.prior(
        "lithium_uptake_ratio", taken, "1", median=taken.value * state.reactivity,
        source=f"{taken.value:g}{state.law()}: {taken.source}",
    )  # fmt: skip
    diffusion_sd = (
        diffusion.log_sd,
        thermal_sd(priors.interphase_diffusion_activation_energy_eV.absolute_sd, state.temperature_K),
    )
    sheet.derived(
        "parabolic_constant_nm2_per_s", diffusivity / uptake, "nm²/s", combine_lognormal(taken.log_sd, *diffusion_sd),
        "interphase_diffusivity_nm2_per_s/lithium_uptake_ratio; growth is observed: doi:10.1021/acsenergylett.9b00093",
    )  # fmt: skip
    cathode_energy_sd = thermal_sd(priors.cathode_activation_energy_eV.absolute_sd, state.temperature_K)
    slow = priors.cathode_diffusivity_nm2_per_s
    slow_diffusivity = sheet.prior(
        "cathode_diffusivity_nm2_per_s", slow, "nm²/s", median=slow.value * factor["cathode"]
    )
    reaction = priors.cathode_reaction_rate_per_s
    sheet.prior("cathode_reaction_rate_per_s", reaction, "1/s", median=reaction.value * factor["cathode"])
    for place in ("grain", "boundary"):
        prior = getattr(priors, f"lithium_diffusivity_ratio_{place}")
        ratio = sheet.prior(f"lithium_diffusivity_ratio_{place}", prior, "1")
        sheet.derived(
            f"{place}_lithium_diffusivity_nm2_per_s", ratio * diffusivity, "nm²/s",
            combine_lognormal(prior.log_sd, *diffusion_sd),
            f"lithium_diffusivity_ratio_{place} × interphase_diffusivity_nm2_per_s",
        )  # fmt: skip
        sheet.derived(
            f"cathode_{place}_diffusivity_nm2_per_s", ratio * slow_diffusivity, "nm²/s",
            combine_lognormal(prior.log_sd, slow.log_sd, cathode_energy_sd),
            f"lithium_diffusivity_ratio_{place} × cathode_diffusivity_nm2_per_s",
        )  # fmt: skip
    sheet.prior("interphase_weakening", priors.interphase_weakening, "1")
    sheet.prior("reduction_potential_V", priors.reduction_potential_V, "V")
    sheet.prior("oxidation_potential_V", priors.oxidation_potential_V, "V")
    sheet.prior("electronic_conductivity_S_per_m", priors.electronic_conductivity_S_per_m, "S/m")
    sheet.prior("cell_thickness_m", priors.cell_thickness_m, "m")
    sheet.prior("cell_voltage_V", priors.cell_voltage_V, "V")


def add_paper_model(sheet: ParameterSheet, priors: PaperPriors, state: HostState) -> None:
    """Closures that turn an assemblage into the parameters of the paper model."""
    secondary = state.assemblage.secondary_fraction
    diffusion, reaction = priors.paper_diffusivity_nm2_per_s, priors.paper_rate_per_s
    sheet.prior(
        "paper_diffusivity_nm2_per_s", diffusion, "nm²/s",
        median=diffusion.value * state.reactivity**2 * math.exp(PAPER_DIFFUSIVITY_EXPONENT * secondary)
        * arrhenius(0.5, state.temperature_K),
        source=f"{diffusion.value:g} exp({PAPER_DIFFUSIVITY_EXPONENT:g} v_s){state.law('²')}; 0.5 eV: "
        f"{diffusion.source}",
    )  # fmt: skip
    sheet.prior(
        "paper_rate_per_s", reaction, "1/s",
        median=reaction.value * state.reactivity * (1 + PAPER_RATE_SLOPE * secondary)
        * arrhenius(0.6, state.temperature_K),
        source=f"{reaction.value:.3g} (1 + {PAPER_RATE_SLOPE:g} v_s){state.law()}; 0.6 eV: {reaction.source}",
    )  # fmt: skip
    length = sheet.exact(
        "interface_length_nm", INTERFACE_LENGTH_NM, "nm", Status.NUMERICAL,
        "length that turns an interface energy (J/m²) into the gradient coefficient (J/m)",
    )  # fmt: skip
    surface = sheet.parameter("surface_energy_J_per_m2")
    sheet.derived(
        "paper_interface_energy_J_per_m", 0.8 * surface.value * (1 - 0.3 * secondary) * length * 1e-9, "J/m",
        Spread.lognormal(surface.spread.sd / surface.value),
        "0.8 surface_energy_J_per_m2 (1 − 0.3 v_s) interface_length_nm",
    )  # fmt: skip
    sheet.derived(
        "paper_transport_number", state.assemblage.host_fraction, "1", Spread.exact(),
        "host volume fraction: lithium is the only mobile ion and moves in the host",
    )  # fmt: skip
