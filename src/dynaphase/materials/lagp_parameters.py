"""Parameters of LAGP as functions of the phase assemblage and the temperature.

What LAGP knows better than any oxide stands here; the laws are those of all systems.  Whatever can be computed from
other parameters is derived, so that data and the numbers inferred from them cannot contradict each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from dynaphase.composition import Composition
from dynaphase.materials.base import Assemblage, Spread, Status
from dynaphase.materials.conduction import Estimate, add_conduction, add_phase_fractions, add_secondary_phases
from dynaphase.materials.conductivity import FIT_RANGE, ConductivityFit, fit_conductivity
from dynaphase.materials.kinetics import HostState, add_interphase, add_mechanics, add_paper_model
from dynaphase.materials.lagp_phases import (
    FILM_FORMERS,
    SECONDARY_PHASES,
    SOLUBILITY_LIMIT,
    find_assemblage,
    per_two_framework_cations,
)
from dynaphase.materials.priors import (
    BoundaryPriors,
    FurnacePriors,
    InterphasePriors,
    MechanicsPriors,
    PaperPriors,
    Prior,
)
from dynaphase.materials.sheet import ParameterSheet
from dynaphase.materials.structure import add_boundaries, add_furnace, add_interface_energies, add_microstructure

__all__ = ["make_parameters"]

CONDUCTIVITIES: Final = dict.fromkeys([phase.name for phase in SECONDARY_PHASES], 1e-10) | {
    "Li3PO4": 1e-6, "Li4P2O7": 1e-6, "LiPO3": 1e-6, "Li4GeO4": 1e-6, "LiAlO2": 1e-6, "Li2O": 1e-8,
}  # fmt: skip
"""Orders of magnitude at 25 °C (S/m): some secondary phases conduct lithium, poorly."""

TOUGHNESS_FACTORS: Final = dict.fromkeys([phase.name for phase in SECONDARY_PHASES], 1.0) | {
    "LiPO3": 0.5, "Li4P2O7": 0.5, "Li2O": 0.5, "Al2O3": 3.0,
}  # fmt: skip
"""Toughness over that of a grain: glasses and lithia are weak, corundum is strong, the others like the host."""

BOUNDARIES: Final = BoundaryPriors(
    boundary_to_bulk_ratio=Prior(
        value=0.5, factor=2, status="closure",
        source="f_b − 1, boundary over bulk resistance at literature_grain_size_nm; 0.2–0.5 of the total in µm-grained "
        "LAGP",
    ),
    boundary_activation_energy_excess_eV=Prior(
        value=0.06, sd=0.05, status="quoted",
        source="boundaries in NASICON ceramics are activated slightly more than the bulk",
    ),
)  # fmt: skip

MECHANICS: Final = MechanicsPriors(
    grain_toughness_Pa_sqrt_m=Prior(
        value=1.1e6, sd=0.2e6, status="closure",
        source="that of LATP, taken for LAGP: Jackman and Cutler, J. Power Sources 218, 65 (2012)",
    )
)  # fmt: skip

_COMPUTED: Final = "vs Li⁺/Li, computed with density-functional theory; doi:10.1021/acsami.5b07517"

INTERPHASE: Final = InterphasePriors(
    reducible="Ge",
    reduction_potential_V=Prior(value=2.70, sd=0.1, status="quoted", source=_COMPUTED),
    oxidation_potential_V=Prior(value=4.27, sd=0.1, status="quoted", source=_COMPUTED),
    lithium_uptake_ratio=InterphasePriors.model_fields["lithium_uptake_ratio"].default.model_copy(
        update={"source": "lithium consumed over lithium stored as neutral: Ge(IV) takes 4 e⁻ and then alloys"}
    ),
)

FURNACE: Final = FurnacePriors()

PAPER: Final = PaperPriors()

REFERENCE_LITHIUM: Final = 1.5
REFERENCE_GERMANIUM: Final = 1.5
"""Per formula unit of the reference, Li1.5Al0.5Ge1.5(PO4)3."""


def make_parameters(
    composition: Composition,
    temperature_K: float,
    draw: Mapping[str, float] | None,
    fit: ConductivityFit | None = None,
) -> tuple[Assemblage, ParameterSheet]:
    """Assemblage and parameter sheet of one composition at one temperature, moved by `draw`.

    The conductivity follows `fit`; by default the fit to all committed rows.
    """
    sheet = ParameterSheet(draw)
    limit = sheet.independent(
        "solubility_limit", SOLUBILITY_LIMIT, "1", Spread.normal(0.1), Status.QUOTED,
        "largest x of the solid solution; secondary phases are reported from x = 0.5–0.7 on",
        lower=0.3, upper=0.9,
    )  # fmt: skip
    assemblage = find_assemblage(composition, limit)
    add_phase_fractions(sheet, assemblage, FILM_FORMERS)
    phases = add_secondary_phases(sheet, BOUNDARIES, CONDUCTIVITIES, temperature_K)
    total, energy = _measured(fit or fit_conductivity(), assemblage.host_coordinate)
    add_conduction(sheet, BOUNDARIES, assemblage, total, energy, phases, temperature_K)
    add_boundaries(sheet, BOUNDARIES)
    add_microstructure(sheet, FURNACE, assemblage)
    add_furnace(sheet, FURNACE)
    add_interface_energies(sheet, BOUNDARIES)
    state = HostState(
        assemblage=assemblage,
        lithium=1 + assemblage.host_coordinate,
        lithium_reference=REFERENCE_LITHIUM,
        reducible=_germanium(composition, assemblage),
        reducible_reference=REFERENCE_GERMANIUM,
        element="Ge",
        temperature_K=temperature_K,
    )
    add_mechanics(sheet, MECHANICS, TOUGHNESS_FACTORS)
    add_interphase(sheet, INTERPHASE, state)
    add_paper_model(sheet, PAPER, state)
    return assemblage, sheet


def _germanium(composition: Composition, assemblage: Assemblage) -> float:
    """Germanium per two framework cations: y = 2 − x in the host, 2 − α in the rest, weighted by their volumes."""
    aluminium = per_two_framework_cations(composition)[1]
    share = assemblage.host_fraction
    return 2 - share * assemblage.host_coordinate - (1 - share) * aluminium


def _measured(fit: ConductivityFit, x: float) -> tuple[Estimate, Estimate]:
    """Conductivity (log₁₀, S/cm, 25 °C) and activation energy (eV) of the host, from the fits to the table."""
    status = Status.CLOSURE if 0 < x < FIT_RANGE[0] else Status.MEASURED
    c0, c1, c2 = fit.coefficients
    total = Estimate(
        fit.log10_conductivity(x), fit.log10_sd(x), status,
        _fit_source(
            x, f"log10 σ (S/cm, 25 °C) = {c0:.3f} + {c1:.3f}x − {-c2:.3f}x², weighted least squares", fit.sources,
            f"log10 σ (S/cm) = {fit.log10_at_zero:.2f}", fit.sources_at_zero,
        ),
    )  # fmt: skip
    line = f"{fit.activation_coefficients[0]:.3f} + {fit.activation_coefficients[1]:.3f}x"
    energy = Estimate(
        fit.activation_energy(x), fit.activation_energy_sd(x), status,
        _fit_source(
            x, f"{line} eV through the rows 0.2 ≤ x ≤ 0.8 that state one", fit.activation_sources,
            f"{fit.activation_energy_at_zero:.3f} eV", fit.activation_sources_at_zero,
        ),
    )  # fmt: skip
    return total, energy


def _fit_source(x: float, law: str, dois: Sequence[str], at_zero: str, dois_at_zero: Sequence[str]) -> str:
    """The fit that holds at x, with the publications that it rests on."""
    beyond = f"{law}; {_cited(dois)}"
    origin = f"mean of the rows at x = 0: {at_zero}; {_cited(dois_at_zero)}"
    if x == 0:
        return origin
    return beyond if x >= FIT_RANGE[0] else f"interpolated between x = 0 and 0.2, no row between. {origin}. {beyond}"


def _cited(dois: Sequence[str]) -> str:
    return ", ".join(f"doi:{doi}" for doi in dois)
