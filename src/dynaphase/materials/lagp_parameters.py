"""Parameters of LAGP as functions of the phase assemblage and the temperature.

Each group below is one physical subject.  Medians and spreads are written beside what they rest on; whatever can be
computed from other parameters is derived, so that data and the numbers inferred from them cannot contradict each other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from dynaphase.composition import Composition
from dynaphase.materials.base import Assemblage, Spread, Status
from dynaphase.materials.conductivity import FIT_RANGE, ConductivityFit, arrhenius, fit_conductivity, thermal_sd
from dynaphase.materials.lagp_interphase import add_interphase, add_mechanics, add_paper_model
from dynaphase.materials.lagp_phases import (
    FILM_FORMERS,
    SECONDARY_PHASES,
    SOLUBILITY_LIMIT,
    find_assemblage,
    per_two_framework_cations,
)
from dynaphase.materials.sheet import ParameterSheet, combine_lognormal
from dynaphase.units import NM, S_PER_CM

__all__ = ["make_parameters"]

LN10: Final = math.log(10)

SECONDARY_ENERGY: Final = (0.6, 0.15)
"""Activation energy of secondary phases and its standard deviation (eV)."""

BOUNDARY_ENERGY_EXCESS: Final = (0.06, 0.05)
"""Activation energy of a boundary above that of the bulk, and its standard deviation (eV)."""

BOUNDARY_SHARE: Final = 0.5
"""Median of f_b − 1: grain-boundary over bulk resistance in the ceramics that were measured."""

FILM_CONDUCTANCE_LOSS: Final = 0.8
"""Share of a boundary's conductance that is lost under a complete glassy film."""

LEAST_GERMANIUM: Final = 0.01
"""Germanium per formula unit (y) that is assumed where there is less, so that no rate is zero."""

IONIC_PHASES: Final = ("Li3PO4", "Li4P2O7", "LiPO3", "Li4GeO4", "LiAlO2")
"""Secondary phases that conduct lithium, poorly."""


def make_parameters(
    composition: Composition, temperature_K: float, draw: Mapping[str, float] | None
) -> tuple[Assemblage, ParameterSheet]:
    """Assemblage and parameter sheet of one composition at one temperature, moved by `draw`."""
    sheet = ParameterSheet(draw)
    limit = sheet.independent(
        "solubility_limit", SOLUBILITY_LIMIT, "1", Spread.normal(0.1), Status.QUOTED,
        "largest x of the solid solution; secondary phases are reported from x = 0.5–0.7 on",
        lower=0.3, upper=0.9,
    )  # fmt: skip
    assemblage = find_assemblage(composition, limit)
    _add_phase_fractions(sheet, assemblage)
    phases = _add_secondary_phases(sheet, temperature_K)
    _add_conduction(sheet, assemblage, temperature_K, phases)
    _add_boundaries(sheet)
    _add_microstructure(sheet, assemblage)
    germanium = _germanium(composition, assemblage)
    add_mechanics(sheet)
    add_interphase(sheet, assemblage, germanium, temperature_K)
    add_paper_model(sheet, assemblage, germanium, temperature_K)
    return assemblage, sheet


def _germanium(composition: Composition, assemblage: Assemblage) -> float:
    """Germanium per two framework cations: y = 2 − x in the host, 2 − α in the rest, weighted by their volumes."""
    aluminium = per_two_framework_cations(composition)[1]
    share = assemblage.host_fraction
    return max(2 - share * assemblage.host_coordinate - (1 - share) * aluminium, LEAST_GERMANIUM)


def _add_phase_fractions(sheet: ParameterSheet, assemblage: Assemblage) -> None:
    film = sum(assemblage.secondary.get(name, 0.0) for name in FILM_FORMERS)
    rest = max(assemblage.secondary_fraction - film, 0.0)
    exact, balance = Spread.exact(), "element balance of the phases"
    sheet.derived("host_coordinate", assemblage.host_coordinate, "1", exact, f"x of the host; {balance}")
    sheet.derived("host_fraction", assemblage.host_fraction, "1", exact, f"volume fraction; {balance}")
    sheet.derived("film_fraction", film, "1", exact, f"volume of {' + '.join(FILM_FORMERS)}; {balance}")
    sheet.derived("refractory_fraction", rest, "1", exact, f"volume of all other secondary phases; {balance}")


def _add_secondary_phases(sheet: ParameterSheet, temperature_K: float) -> dict[str, float]:
    """Conductivity of every secondary phase at the temperature (S/m)."""
    energy = sheet.independent(
        "secondary_activation_energy_eV", SECONDARY_ENERGY[0], "eV", Spread.normal(SECONDARY_ENERGY[1]), Status.CLOSURE,
        "one value for all secondary phases and decomposition products; typical of poor lithium conductors",
        lower=0.1,
    )  # fmt: skip
    factor = arrhenius(energy, temperature_K, power=1)
    values = {"Li2O": 1e-8} | dict.fromkeys(IONIC_PHASES, 1e-6)
    conductivities = {
        phase.name: sheet.independent(
            f"conductivity_{phase.name}_S_per_m", values.get(phase.name, 1e-10) * factor, "S/m",
            Spread.lognormal(LN10), Status.QUOTED, "order of magnitude at 25 °C, secondary_activation_energy_eV",
        )
        for phase in SECONDARY_PHASES
    }  # fmt: skip
    sheet.independent(
        "degraded_conductivity_S_per_m", 1e-4 * factor, "S/m", Spread.lognormal(LN10), Status.CLOSURE,
        "ionic conductivity of the reduced product mixture at 25 °C, secondary_activation_energy_eV",
    )  # fmt: skip
    sheet.exact(
        "void_conductivity_S_per_m", 1e-12, "S/m", Status.NUMERICAL,
        "a void conducts nothing: two decades below the poorest phase; finite so that the problem stays regular",
    )  # fmt: skip
    return conductivities


def _add_conduction(
    sheet: ParameterSheet, assemblage: Assemblage, temperature_K: float, phases: Mapping[str, float]
) -> None:
    r"""Bulk and boundary from the measured total conductivity.

    With :math:`f_b = σ_b/σ_{tot}` the boundary's excess resistance is :math:`R'' = (f_b - 1) d_{lit}/σ_b`, so a
    dense ceramic of grain size :math:`d_{lit}` returns exactly :math:`σ_{tot}` at 25 °C.  Away from it bulk and
    boundary each follow their own Arrhenius law, and the total is their series.
    """
    fit, x = fit_conductivity(), assemblage.host_coordinate
    share = sheet.independent(
        "boundary_to_bulk_ratio", BOUNDARY_SHARE, "1", Spread.lognormal(math.log(2)), Status.CLOSURE,
        "f_b − 1, boundary over bulk resistance at literature_grain_size_nm; 0.2–0.5 of the total in µm-grained LAGP",
    )  # fmt: skip
    ratio = 1 + share
    sheet.derived(
        "bulk_to_total_ratio", ratio, "1", Spread.lognormal(share / ratio * math.log(2)), "1 + boundary_to_bulk_ratio"
    )
    grain_size = sheet.independent(
        "literature_grain_size_nm", 1000.0, "nm", Spread.lognormal(math.log(3)), Status.CLOSURE,
        "grain size of the ceramics whose conductivity was measured",
    )  # fmt: skip
    has_host = assemblage.host_fraction > 0
    energy = _bulk_activation_energy(sheet, fit, x, has_host)
    excess = sheet.independent(
        "boundary_activation_energy_excess_eV", BOUNDARY_ENERGY_EXCESS[0], "eV",
        Spread.normal(BOUNDARY_ENERGY_EXCESS[1]), Status.QUOTED,
        "boundaries in NASICON ceramics are activated slightly more than the bulk", lower=-0.05,
    )  # fmt: skip
    bulk_factor = arrhenius(energy, temperature_K, power=1)
    boundary_factor = arrhenius(energy + excess, temperature_K, power=1)
    total_factor = ratio / (1 / bulk_factor + share / boundary_factor)
    if has_host:
        median, status = S_PER_CM * 10 ** fit.log10_conductivity(x), _fit_status(x)
        c0, c1, c2 = fit.coefficients
        source = _fit_source(
            x, f"log10 σ (S/cm, 25 °C) = {c0:.3f} + {c1:.3f}x − {-c2:.3f}x², weighted least squares", fit.sources,
            f"log10 σ (S/cm) = {fit.log10_at_zero:.2f}", fit.sources_at_zero,
        )  # fmt: skip
    else:
        mixture = _mixture_conductivity(assemblage, phases)
        median, status = mixture / bulk_factor / ratio, Status.CLOSURE
        source = "no host: geometric mean of the secondary phases by volume, over bulk_to_total_ratio"
    sd = fit.log10_sd(x) * LN10
    total = sheet.independent(
        "measured_conductivity_S_per_m", median * total_factor, "S/m", Spread.lognormal(sd), status, source
    )
    bulk_25 = ratio * total / total_factor
    energy_sd = fit.activation_energy_sd(x) if has_host else SECONDARY_ENERGY[1]
    boundary_energy_sd = math.hypot(energy_sd, BOUNDARY_ENERGY_EXCESS[1])
    sheet.derived(
        "boundary_activation_energy_eV", energy + excess, "eV", Spread.normal(boundary_energy_sd),
        "bulk_activation_energy_eV + boundary_activation_energy_excess_eV",
    )  # fmt: skip
    sheet.derived(
        "bulk_conductivity_S_per_m", bulk_25 * bulk_factor, "S/m",
        combine_lognormal(sd, share / ratio * math.log(2), thermal_sd(energy_sd, temperature_K)),
        "bulk_to_total_ratio × measured conductivity at 25 °C, bulk_activation_energy_eV",
    )  # fmt: skip
    sheet.derived(
        "boundary_resistance_ohm_m2", share * grain_size * NM / (bulk_25 * boundary_factor), "Ω m²",
        combine_lognormal(sd, math.log(2) / ratio, math.log(3), thermal_sd(boundary_energy_sd, temperature_K)),
        "(f_b − 1) d/σ_b at 25 °C of a boundary without film, boundary_activation_energy_eV",
    )  # fmt: skip


def _bulk_activation_energy(sheet: ParameterSheet, fit: ConductivityFit, x: float, has_host: bool) -> float:
    """Activation energy of the host (eV); that of the secondary phases where there is no host."""
    name, lower = "bulk_activation_energy_eV", 0.1
    if not has_host:
        return sheet.independent(
            name, SECONDARY_ENERGY[0], "eV", Spread.normal(SECONDARY_ENERGY[1]), Status.CLOSURE,
            "no host: as secondary phases", lower=lower,
        )  # fmt: skip
    line = f"{fit.activation_coefficients[0]:.3f} + {fit.activation_coefficients[1]:.3f}x"
    return sheet.independent(
        name, fit.activation_energy(x), "eV", Spread.normal(fit.activation_energy_sd(x)), _fit_status(x),
        _fit_source(
            x, f"{line} eV through the rows 0.2 ≤ x ≤ 0.8 that state one", fit.activation_sources,
            f"{fit.activation_energy_at_zero:.3f} eV", fit.activation_sources_at_zero,
        ),
        lower=lower,
    )  # fmt: skip


def _fit_status(x: float) -> Status:
    """Between x = 0 and the first fitted row nothing is measured."""
    return Status.CLOSURE if 0 < x < FIT_RANGE[0] else Status.MEASURED


def _fit_source(x: float, law: str, dois: Sequence[str], at_zero: str, dois_at_zero: Sequence[str]) -> str:
    """The fit that holds at x, with the publications that it rests on."""
    beyond = f"{law}; {_cited(dois)}"
    origin = f"mean of the rows at x = 0: {at_zero}; {_cited(dois_at_zero)}"
    if x == 0:
        return origin
    return beyond if x >= FIT_RANGE[0] else f"interpolated between x = 0 and 0.2, no row between. {origin}. {beyond}"


def _cited(dois: Sequence[str]) -> str:
    return ", ".join(f"doi:{doi}" for doi in dois)


def _mixture_conductivity(assemblage: Assemblage, phases: Mapping[str, float]) -> float:
    logs = [fraction * math.log(phases[name]) for name, fraction in assemblage.secondary.items()]
    return math.exp(sum(logs))


def _add_boundaries(sheet: ParameterSheet) -> None:
    sheet.independent(
        "boundary_width_nm", 2.0, "nm", Spread.lognormal(math.log(1.5)), Status.CLOSURE,
        "structural width of a boundary; enters no result while boundary_resistance_ohm_m2 is kept",
    )  # fmt: skip
    sheet.exact(
        "boundary_width_numerical_nm", 4.0, "nm", Status.NUMERICAL,
        "width on the grid; the area resistance of a boundary is kept",
    )  # fmt: skip
    sheet.independent(
        "film_thickness_nm", 1.0, "nm", Spread.lognormal(math.log(1.5)), Status.CLOSURE,
        "thickness of a glassy film on a boundary",
    )  # fmt: skip
    loss = sheet.independent(
        "film_conductance_loss", FILM_CONDUCTANCE_LOSS, "1", Spread.normal(0.1), Status.CLOSURE,
        "share of a boundary's conductance lost under a complete film", lower=0.0, upper=0.98,
    )  # fmt: skip
    sheet.derived(
        "film_resistance_factor_full", 1 / (1 - loss), "1", Spread.lognormal(0.1 / (1 - FILM_CONDUCTANCE_LOSS)),
        "1/(1 − film_conductance_loss): resistance of a fully wetted boundary over that of a dry one",
    )  # fmt: skip


def _add_microstructure(sheet: ParameterSheet, assemblage: Assemblage) -> None:
    secondary = assemblage.secondary_fraction
    rich = float(np.clip(assemblage.charge_imbalance / 0.2, 0, 1))
    poor = max(-assemblage.charge_imbalance, 0.0)
    sheet.independent(
        "grain_size_nm", 30.0 * (1 + secondary / 0.05) ** -0.5 * (1 + 0.3 * rich), "nm", Spread.lognormal(0.2),
        Status.CLOSURE,
        "30 nm (1 + v_s/0.05)^(−1/2) (1 + 0.3 clip(δ/0.2, 0, 1)): particles pin; that excess lithium helps is assumed, "
        "and with the same term of the porosity it is why S peaks at δ > 0",
    )  # fmt: skip
    sheet.independent(
        "porosity", float(np.clip(0.03 + 0.15 * secondary + 0.05 * poor / 0.4 - 0.01 * rich, 0.005, 0.25)), "1",
        Spread.lognormal(0.3), Status.CLOSURE,
        "0.03 + 0.15 v_s + 0.05 max(−δ, 0)/0.4 − 0.01 clip(δ/0.2, 0, 1): sintered LAGP is 90–97 % dense",
        upper=0.4,
    )  # fmt: skip
    sheet.independent(
        "surface_energy_J_per_m2", 1.0, "J/m²", Spread.normal(0.3), Status.QUOTED, "typical of oxides", lower=0.2
    )
