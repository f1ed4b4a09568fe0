"""Parameters of conduction: the host and its boundaries from measured totals, and the poor conductors beside them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from dynaphase.materials.base import Assemblage, Spread, Status
from dynaphase.materials.conductivity import arrhenius, thermal_sd
from dynaphase.materials.priors import BoundaryPriors, bounds
from dynaphase.materials.sheet import ParameterSheet, combine_lognormal
from dynaphase.units import NM, S_PER_CM

__all__ = ["Estimate", "add_conduction", "add_phase_fractions", "add_secondary_phases"]

LN10: Final = math.log(10)

NO_HOST_SD: Final = 1.0
"""Standard deviation of log₁₀ σ where there is no host (decades)."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What measurements say of one quantity at one composition of the host."""

    value: float
    sd: float
    status: Status
    source: str


def add_phase_fractions(sheet: ParameterSheet, assemblage: Assemblage, film_formers: tuple[str, ...]) -> None:
    """What the assemblage amounts to; `film_formers` are all phases that could form a film."""
    film = sum(assemblage.secondary.get(name, 0.0) for name in film_formers)
    rest = max(assemblage.secondary_fraction - film, 0.0)
    exact, balance = Spread.exact(), "element balance of the phases"
    sheet.derived("host_coordinate", assemblage.host_coordinate, "1", exact, f"x of the host; {balance}")
    sheet.derived("host_fraction", assemblage.host_fraction, "1", exact, f"volume fraction; {balance}")
    of_film = f"volume of {' + '.join(film_formers)}" if film_formers else "no phase forms a film"
    sheet.derived("film_fraction", film, "1", exact, f"{of_film}; {balance}")
    sheet.derived("refractory_fraction", rest, "1", exact, f"volume of all other secondary phases; {balance}")


def add_secondary_phases(
    sheet: ParameterSheet, priors: BoundaryPriors, conductivities: Mapping[str, float], temperature_K: float
) -> dict[str, float]:
    """Conductivity of every secondary phase at the temperature (S/m), from orders of magnitude at 25 °C."""
    energy = sheet.prior("secondary_activation_energy_eV", priors.secondary_activation_energy_eV, "eV")
    factor = arrhenius(energy, temperature_K, power=1)
    found = {
        phase: sheet.independent(
            f"conductivity_{phase}_S_per_m", value * factor, "S/m", Spread.lognormal(LN10), Status.QUOTED,
            "order of magnitude at 25 °C, secondary_activation_energy_eV",
        )
        for phase, value in conductivities.items()
    }  # fmt: skip
    degraded = priors.degraded_conductivity_S_per_m
    sheet.prior("degraded_conductivity_S_per_m", degraded, "S/m", median=degraded.value * factor)
    sheet.exact(
        "void_conductivity_S_per_m", 1e-12, "S/m", Status.NUMERICAL,
        "a void conducts nothing: two decades below the poorest phase; finite so that the problem stays regular",
    )  # fmt: skip
    return found


def add_conduction(
    sheet: ParameterSheet,
    priors: BoundaryPriors,
    assemblage: Assemblage,
    total_25: Estimate,
    bulk_energy: Estimate,
    phases: Mapping[str, float],
    temperature_K: float,
) -> None:
    r"""Bulk and boundary from the measured total conductivity.

    With :math:`f_b = σ_b/σ_{tot}` the boundary's excess resistance is :math:`R'' = (f_b - 1) d_{lit}/σ_b`, so a
    dense ceramic of grain size :math:`d_{lit}` returns exactly :math:`σ_{tot}` at 25 °C.  Away from it bulk and
    boundary each follow their own Arrhenius law, and the total is their series.

    Parameters
    ----------
    sheet : ParameterSheet
    priors : BoundaryPriors
    assemblage : Assemblage
    total_25 : Estimate
        log₁₀ σ (S/cm) of the host's ceramics at 25 °C, sd in decades.
    bulk_energy : Estimate
        Activation energy of σT (eV).
    phases : mapping of str to float
        Conductivities of the secondary phases at the temperature (S/m): all there is where no host forms.
    temperature_K : float
    """
    share_prior, excess_prior = priors.boundary_to_bulk_ratio, priors.boundary_activation_energy_excess_eV
    share = sheet.prior("boundary_to_bulk_ratio", share_prior, "1")
    ratio, share_sd = 1 + share, share_prior.log_sd
    sheet.derived(
        "bulk_to_total_ratio", ratio, "1", Spread.lognormal(share / ratio * share_sd), "1 + boundary_to_bulk_ratio"
    )
    grain_size = sheet.prior("literature_grain_size_nm", priors.literature_grain_size_nm, "nm")
    if not assemblage.host_fraction:
        prior = priors.secondary_activation_energy_eV
        bulk_energy = Estimate(prior.value, prior.absolute_sd, Status.CLOSURE, "no host: as secondary phases")
    energy_name = "bulk_activation_energy_eV"
    energy_spread = Spread.normal(bulk_energy.sd)
    energy = sheet.independent(
        energy_name, bulk_energy.value, "eV", energy_spread, bulk_energy.status, bulk_energy.source,
        lower=bounds(energy_name, energy_spread, bulk_energy.value)[0],
    )  # fmt: skip
    excess = sheet.prior("boundary_activation_energy_excess_eV", excess_prior, "eV")
    bulk_factor = arrhenius(energy, temperature_K, power=1)
    boundary_factor = arrhenius(energy + excess, temperature_K, power=1)
    total_factor = ratio / (1 / bulk_factor + share / boundary_factor)
    if not assemblage.host_fraction:
        mixture = _mixture_conductivity(assemblage, phases) / bulk_factor / ratio
        total_25 = Estimate(
            math.log10(mixture / S_PER_CM), NO_HOST_SD, Status.CLOSURE,
            "no host: geometric mean of the secondary phases by volume, over bulk_to_total_ratio",
        )  # fmt: skip
    sd = total_25.sd * LN10
    total = sheet.independent(
        "measured_conductivity_S_per_m", S_PER_CM * 10**total_25.value * total_factor, "S/m", Spread.lognormal(sd),
        total_25.status, total_25.source,
    )  # fmt: skip
    bulk_25 = ratio * total / total_factor
    boundary_energy_sd = math.hypot(bulk_energy.sd, excess_prior.absolute_sd)
    sheet.derived(
        "boundary_activation_energy_eV", energy + excess, "eV", Spread.normal(boundary_energy_sd),
        "bulk_activation_energy_eV + boundary_activation_energy_excess_eV",
    )  # fmt: skip
    sheet.derived(
        "bulk_conductivity_S_per_m", bulk_25 * bulk_factor, "S/m",
        combine_lognormal(sd, share / ratio * share_sd, thermal_sd(bulk_energy.sd, temperature_K)),
        "bulk_to_total_ratio × measured conductivity at 25 °C, bulk_activation_energy_eV",
    )  # fmt: skip
    sheet.derived(
        "boundary_resistance_ohm_m2", share * grain_size * NM / (bulk_25 * boundary_factor), "Ω m²",
        combine_lognormal(
            sd, share_sd / ratio, priors.literature_grain_size_nm.log_sd, thermal_sd(boundary_energy_sd, temperature_K)
        ),
        "(f_b − 1) d/σ_b at 25 °C of a boundary without film, boundary_activation_energy_eV",
    )  # fmt: skip


def _mixture_conductivity(assemblage: Assemblage, phases: Mapping[str, float]) -> float:
    logs = [fraction * math.log(phases[name]) for name, fraction in assemblage.secondary.items()]
    return math.exp(sum(logs))
