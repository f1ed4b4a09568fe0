"""Parameters of LAGP against lithium: mechanics, interphase, and the paper model's closures."""

from __future__ import annotations

import math
from typing import Final

from dynaphase.materials.base import Assemblage, Spread, Status
from dynaphase.materials.conductivity import arrhenius, thermal_sd
from dynaphase.materials.sheet import ParameterSheet, combine_lognormal

__all__ = ["add_interphase", "add_mechanics", "add_paper_model"]

PAPER_DIFFUSIVITY: Final = 3.0e-2
"""D₀ of the paper model at x = 0.5 without secondary phases (nm²/s)."""

PAPER_RATE: Final = 3.0e-4
"""k of the paper model at x = 0.5 without secondary phases (1/s)."""

PAPER_DIFFUSIVITY_EXPONENT: Final = 2.0
"""κ_D: growth of ln D₀ with the volume fraction of secondary phases."""

PAPER_RATE_SLOPE: Final = 4.0
"""Relative growth of k with the volume fraction of secondary phases."""

REFERENCE_GERMANIUM: Final = 1.5
"""Germanium per formula unit of the reference, Li1.5Al0.5Ge1.5(PO4)3."""

KINETIC_ENERGY_SD: Final = 0.15
"""Standard deviation of the activation energies of the kinetics (eV)."""

INTERFACE_LENGTH_NM: Final = 3.0

FACTOR_3: Final = Spread.lognormal(math.log(3))
FACTOR_5: Final = Spread.lognormal(math.log(5))


def add_mechanics(sheet: ParameterSheet) -> None:
    """Toughness, flaws and surface energies."""
    sheet.independent(
        "boundary_energy_J_per_m2", 0.8, "J/m²", Spread.normal(0.2), Status.QUOTED,
        "typical oxide grain boundary, without film", lower=0.1,
    )  # fmt: skip
    sheet.independent(
        "lithium_interface_energy_J_per_m2", 0.4, "J/m²", Spread.normal(0.15), Status.CLOSURE,
        "half a boundary energy: lithium wets a boundary neutrally", lower=0.05,
    )  # fmt: skip
    sheet.independent(
        "grain_toughness_Pa_sqrt_m", 1.1e6, "Pa √m", Spread.normal(0.2e6), Status.CLOSURE,
        "that of LATP, taken for LAGP: Jackman and Cutler, J. Power Sources 218, 65 (2012)", lower=0.2e6,
    )  # fmt: skip
    sheet.independent(
        "boundary_toughness_ratio", 0.35, "1", Spread.normal(0.1), Status.CLOSURE,
        "boundary over grain toughness; softer boundaries: doi:10.1021/acsami.8b17223", lower=0.05, upper=1.0,
    )  # fmt: skip
    sheet.independent(
        "flaw_size_m", 5e-6, "m", Spread.lognormal(math.log(2)), Status.QUOTED,
        "process flaw; doi:10.1002/aenm.201701003",
    )  # fmt: skip
    sheet.exact("geometry_factor", 1.12, "1", Status.QUOTED, "edge crack in linear elastic fracture mechanics")
    sheet.independent(
        "boundary_weibull_modulus", 8.0, "1", Spread.lognormal(0.3), Status.CLOSURE,
        "scatter of boundary strength, 5–15; doi:10.48550/arXiv.2603.20113", lower=2.0,
    )  # fmt: skip


def add_interphase(sheet: ParameterSheet, assemblage: Assemblage, germanium: float, temperature_K: float) -> None:
    """Kinetics of plating and of the reduction by lithium; y = `germanium` per formula unit."""
    relative = germanium / REFERENCE_GERMANIUM
    energies = {
        name: sheet.independent(
            f"{name}_activation_energy_eV", value, "eV", Spread.normal(KINETIC_ENERGY_SD), Status.CLOSURE,
            "temperature dependence of the kinetics", lower=0.05,
        )
        for name, value in (("exchange_current", 0.45), ("interphase_diffusion", 0.5), ("reduction", 0.6))
    }  # fmt: skip
    thermal = thermal_sd(KINETIC_ENERGY_SD, temperature_K)
    factor = {name: arrhenius(energy, temperature_K) for name, energy in energies.items()}
    sheet.independent(
        "exchange_current_density_A_per_m2",
        10 * math.sqrt((1 + assemblage.host_coordinate) / 1.5) * assemblage.host_fraction * factor["exchange_current"],
        "A/m²", FACTOR_3 if assemblage.host_fraction else Spread.exact(), Status.CLOSURE,
        "10 √((1 + x)/1.5) × host fraction, 26 Ω cm² at the reference",
    )  # fmt: skip
    diffusivity = sheet.independent(
        "interphase_diffusivity_nm2_per_s", 1.5 * relative**2 * factor["interphase_diffusion"], "nm²/s", FACTOR_5,
        Status.CLOSURE, "1.5 (y/1.5)²: neutral lithium moves along reduced germanium",
    )  # fmt: skip
    sheet.independent(
        "reduction_rate_per_s", 0.02 * relative * factor["reduction"], "1/s", FACTOR_5, Status.CLOSURE,
        "0.02 y/1.5: what is reduced is germanium",
    )  # fmt: skip
    uptake = sheet.independent(
        "lithium_uptake_ratio", 5 * relative, "1", Spread.lognormal(0.4), Status.CLOSURE,
        "5 y/1.5, lithium consumed over lithium stored as neutral: Ge(IV) takes 4 e⁻ and then alloys",
    )  # fmt: skip
    sheet.derived(
        "parabolic_constant_nm2_per_s", diffusivity / uptake, "nm²/s", combine_lognormal(math.log(5), 0.4, thermal),
        "interphase_diffusivity_nm2_per_s/lithium_uptake_ratio; growth is observed: doi:10.1021/acsenergylett.9b00093",
    )  # fmt: skip
    grain = sheet.independent(
        "lithium_diffusivity_ratio_grain", 0.02, "1", FACTOR_3, Status.CLOSURE, "grain over interphase", upper=1.0
    )
    boundary = sheet.independent(
        "lithium_diffusivity_ratio_boundary", 0.5, "1", FACTOR_3, Status.CLOSURE, "boundary over interphase"
    )
    spread = combine_lognormal(math.log(5), math.log(3), thermal)
    for name, ratio in (("grain", grain), ("boundary", boundary)):
        sheet.derived(
            f"{name}_lithium_diffusivity_nm2_per_s", ratio * diffusivity, "nm²/s", spread,
            f"lithium_diffusivity_ratio_{name} × interphase_diffusivity_nm2_per_s",
        )  # fmt: skip
    sheet.independent(
        "interphase_weakening", 0.5, "1", Spread.normal(0.2), Status.CLOSURE,
        "loss of toughness on complete reduction", lower=0.0, upper=0.8,
    )  # fmt: skip
    for name, value in (("reduction", 2.70), ("oxidation", 4.27)):
        sheet.independent(
            f"{name}_potential_V", value, "V", Spread.normal(0.1), Status.QUOTED,
            "vs Li⁺/Li, computed with density-functional theory; doi:10.1021/acsami.5b07517",
        )  # fmt: skip


def add_paper_model(sheet: ParameterSheet, assemblage: Assemblage, germanium: float, temperature_K: float) -> None:
    """Closures that turn an assemblage into the parameters of the paper model."""
    relative, secondary = germanium / REFERENCE_GERMANIUM, assemblage.secondary_fraction
    sheet.independent(
        "paper_diffusivity_nm2_per_s",
        PAPER_DIFFUSIVITY * relative**2 * math.exp(PAPER_DIFFUSIVITY_EXPONENT * secondary)
        * arrhenius(0.5, temperature_K),
        "nm²/s", FACTOR_5, Status.CLOSURE,
        f"{PAPER_DIFFUSIVITY:g} (y/1.5)² exp({PAPER_DIFFUSIVITY_EXPONENT:g} v_s), y = Ge per formula unit; 0.5 eV",
    )  # fmt: skip
    sheet.independent(
        "paper_rate_per_s",
        PAPER_RATE * relative * (1 + PAPER_RATE_SLOPE * secondary) * arrhenius(0.6, temperature_K),
        "1/s", FACTOR_5, Status.CLOSURE,
        f"{PAPER_RATE:g} (y/1.5) (1 + {PAPER_RATE_SLOPE:g} v_s), y = Ge per formula unit; 0.6 eV",
    )  # fmt: skip
    length = sheet.exact(
        "interface_length_nm", INTERFACE_LENGTH_NM, "nm", Status.NUMERICAL,
        "length that turns an interface energy (J/m²) into the gradient coefficient (J/m)",
    )  # fmt: skip
    surface = sheet.value("surface_energy_J_per_m2")
    sheet.derived(
        "paper_interface_energy_J_per_m", 0.8 * surface * (1 - 0.3 * secondary) * length * 1e-9, "J/m",
        Spread.lognormal(0.3), "0.8 surface_energy_J_per_m2 (1 − 0.3 v_s) interface_length_nm",
    )  # fmt: skip
    sheet.derived(
        "paper_transport_number", assemblage.host_fraction, "1", Spread.exact(),
        "host volume fraction: lithium is the only mobile ion and moves in the host",
    )  # fmt: skip
