"""Uncertain numbers as a table states them: median, spread, status, source; and those that systems share.

A section below is one physical subject.  Its fields are names of parameters; a table of a material system overrides
what it knows better and inherits the rest, so that the same name means the same quantity in every system.
"""

from __future__ import annotations

import math
import re
from typing import Final, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from dynaphase.materials.base import Spread, SpreadKind, Status
from dynaphase.settings import Section

__all__ = [
    "SURFACE_OVER_BOUNDARY",
    "BoundaryPriors",
    "FurnacePriors",
    "InterphasePriors",
    "MechanicsPriors",
    "PaperPriors",
    "Prior",
    "bounds",
    "check_source",
]

BOUNDS: Final[dict[str, tuple[float, float]]] = {
    "bulk_activation_energy_eV": (0.1, math.inf),
    "secondary_activation_energy_eV": (0.1, math.inf),
    "boundary_activation_energy_excess_eV": (-0.05, math.inf),
    "film_conductance_loss": (0.0, 0.98),
    "boundary_energy_wetting_loss": (0.0, 0.9),
    "boundary_toughness_wetting_loss": (0.0, 0.9),
    "porosity": (0.0, 0.4),
    "initial_porosity": (0.0, 0.4),
    "boundary_energy_J_per_m2": (0.1, math.inf),
    "lithium_interface_energy_J_per_m2": (0.05, math.inf),
    "grain_toughness_Pa_sqrt_m": (0.2e6, math.inf),
    "boundary_toughness_ratio": (0.05, 1.0),
    "boundary_weibull_modulus": (2.0, math.inf),
    "exchange_current_activation_energy_eV": (0.05, math.inf),
    "interphase_diffusion_activation_energy_eV": (0.05, math.inf),
    "reduction_activation_energy_eV": (0.05, math.inf),
    "cathode_activation_energy_eV": (0.05, math.inf),
    "lithium_diffusivity_ratio_grain": (0.0, 1.0),
    "interphase_weakening": (0.0, 0.8),
    "reduction_potential_V": (0.0, math.inf),
    "oxidation_potential_V": (0.0, math.inf),
}
"""Physical range of parameters; a draw stops there."""

SURFACE_OVER_BOUNDARY: Final = 7.0 / 12.0
"""The free energy of sintering needs γ_s > 7/12 γ_gb."""

_PUBLISHED: Final = re.compile(r"\b10\.\d{4,9}/\S+|\(\d{4}\)")


def bounds(name: str, spread: Spread, median: float) -> tuple[float, float]:
    """Range in which a draw keeps the parameter.

    What has no range of its own is positive: an absolute spread stops at a hundredth of the median.
    """
    least = median / 100 if spread.kind is SpreadKind.NORMAL else 0.0
    return BOUNDS.get(name, (least, math.inf))


def check_source(status: str, source: str) -> None:
    """A source must say something, and what is called measured must name its publication.

    Raises
    ------
    PydanticCustomError
        With what is missing.
    """
    if len(source.strip()) < 4:
        raise PydanticCustomError("source", "a source is needed: a DOI, or the argument for the number")
    if status == "measured" and not _PUBLISHED.search(source):
        raise PydanticCustomError(
            "source",
            "'measured' needs the publication in its source, doi:10.… or journal, volume, page (year); "
            "call it 'quoted' or 'closure' otherwise",
        )


class Prior(Section):
    """A median with its spread: `sd` is absolute, `factor` multiplies or divides, neither means exact."""

    value: float = Field(ge=-1e12, le=1e12)
    sd: float | None = Field(None, gt=0, le=1e12)
    factor: float | None = Field(None, gt=1, le=1e4)
    status: Literal["measured", "quoted", "closure"]
    source: str

    @model_validator(mode="after")
    def _is_complete(self) -> Prior:
        if self.sd is not None and self.factor is not None:
            raise PydanticCustomError("spread", "give either sd (±, absolute) or factor (×/÷), not both")
        if self.factor is not None and self.value <= 0:
            raise PydanticCustomError("spread", "a factor needs a positive value; give sd instead")
        check_source(self.status, self.source)
        return self

    @property
    def spread(self) -> Spread:
        """As a parameter carries it."""
        if self.sd is not None:
            return Spread.normal(self.sd)
        return Spread.exact() if self.factor is None else Spread.lognormal(math.log(self.factor))

    @property
    def absolute_sd(self) -> float:
        """Standard deviation in the unit of the value, to first order."""
        return self.sd or self.value * math.log(self.factor or 1.0)

    @property
    def log_sd(self) -> float:
        """Standard deviation of ln(value), to first order."""
        return self.absolute_sd / self.value

    @property
    def state(self) -> Status:
        """The status as a parameter carries it."""
        return Status(self.status)


class PriorSection(Section):
    """Priors of one subject; each must lie in the physical range of its parameter."""

    @model_validator(mode="after")
    def _is_physical(self) -> PriorSection:
        for name, prior in self:
            if not isinstance(prior, Prior):
                continue
            low, high = BOUNDS.get(name, (0.0, math.inf))
            if not low <= prior.value <= high or (name not in BOUNDS and prior.value <= 0):
                allowed = f"between {low:g} and {high:g}" if high < math.inf else f"above {low:g}"
                raise PydanticCustomError(
                    "range",
                    "{name} = {value} is outside its physical range; it must lie {allowed}",
                    {"name": name, "value": prior.value, "allowed": allowed},
                )
        return self


def _closure(value: float, source: str, *, sd: float | None = None, factor: float | None = None) -> Prior:
    return Prior(value=value, sd=sd, factor=factor, status="closure", source=source)


def _quoted(value: float, source: str, *, sd: float | None = None, factor: float | None = None) -> Prior:
    return Prior(value=value, sd=sd, factor=factor, status="quoted", source=source)


class BoundaryPriors(PriorSection):
    """Grain boundaries, dry and wetted, and what conducts beside the host."""

    boundary_to_bulk_ratio: Prior = _closure(
        0.5, "f_b − 1, boundary over bulk resistance at literature_grain_size_nm", factor=2
    )
    literature_grain_size_nm: Prior = _closure(
        1000.0, "grain size of the ceramics whose conductivity was measured", factor=3
    )
    boundary_activation_energy_excess_eV: Prior = _quoted(
        0.06, "boundaries of oxide ceramics are activated slightly more than the bulk", sd=0.05
    )
    secondary_activation_energy_eV: Prior = _closure(
        0.6,
        "one value for all secondary phases and decomposition products; typical of poor lithium conductors",
        sd=0.15,
    )
    degraded_conductivity_S_per_m: Prior = _closure(
        1e-4, "ionic conductivity of the reduced product mixture at 25 °C, secondary_activation_energy_eV", factor=10
    )
    boundary_width_nm: Prior = _closure(
        2.0, "structural width of a boundary; enters no result while boundary_resistance_ohm_m2 is kept", factor=1.5
    )
    film_thickness_nm: Prior = _closure(1.0, "thickness of a glassy film on a boundary", factor=1.5)
    film_conductance_loss: Prior = _closure(0.8, "share of a boundary's conductance lost under a complete film", sd=0.1)
    boundary_energy_J_per_m2: Prior = _quoted(0.8, "typical oxide grain boundary, without film", sd=0.2)
    boundary_energy_wetting_loss: Prior = _closure(
        0.3, "share of a boundary's energy lost under a complete film: liquids wet what they lower", sd=0.1
    )
    surface_energy_J_per_m2: Prior = _quoted(1.0, "typical of oxides", sd=0.3)

    @model_validator(mode="after")
    def _surface_holds_boundaries(self) -> BoundaryPriors:
        least = SURFACE_OVER_BOUNDARY * self.boundary_energy_J_per_m2.value
        if self.surface_energy_J_per_m2.value <= 1.05 * least:
            raise PydanticCustomError(
                "range",
                "surface_energy_J_per_m2 = {value} must exceed 7/12 of boundary_energy_J_per_m2 ({least} J/m²) by 5 % "
                "or more: weaker surfaces have no equilibrium with their boundaries in the model of sintering",
                {"value": self.surface_energy_J_per_m2.value, "least": round(least, 4)},
            )
        return self


class FurnacePriors(PriorSection):
    """One furnace schedule and one powder for all compositions, and the closures for runs without a furnace."""

    reduced_time_dry: Prior = _closure(
        500.0, "t* = ∫ m_gb γ_gb dt of dry boundaries: grains of 14 nm grow to about 25 nm", factor=math.exp(0.5)
    )
    liquid_rate_gain: Prior = _closure(
        1.0, "R − 1: boundaries wetted by a melt move and densify R = 2 (1–5) times as fast", factor=2
    )
    densification_rate_dry: Prior = _closure(
        1.3e-3, "Θ at 20 nm, dry and without particles: 10 % of pores become 3.5 %", factor=3
    )
    initial_porosity: Prior = _closure(0.10, "of the powder compact as final-stage sintering begins", factor=1.2)
    grain_size_nm: Prior = _closure(30.0, "where no furnace is simulated", factor=math.exp(0.2))
    porosity: Prior = _closure(0.03, "where no furnace is simulated: ceramics are 90–97 % dense", factor=math.exp(0.3))


class MechanicsPriors(PriorSection):
    """What lithium has to overcome to enter."""

    lithium_interface_energy_J_per_m2: Prior = _closure(
        0.4, "half a boundary energy: lithium wets a boundary neutrally", sd=0.15
    )
    grain_toughness_Pa_sqrt_m: Prior = _closure(
        1.1e6, "that of LATP: Jackman and Cutler, J. Power Sources 218, 65 (2012)", sd=0.2e6
    )
    boundary_toughness_ratio: Prior = _closure(
        0.35, "boundary over grain toughness; softer boundaries: doi:10.1021/acsami.8b17223", sd=0.1
    )
    boundary_toughness_wetting_loss: Prior = _closure(
        0.3, "share of a boundary's toughness lost under a complete film of glass", sd=0.1
    )
    toughness_factor_scale: Prior = _closure(1.0, "one factor on the toughness of all secondary phases", factor=1.5)
    flaw_size_m: Prior = _quoted(5e-6, "process flaw; doi:10.1002/aenm.201701003", factor=2)
    boundary_weibull_modulus: Prior = _closure(
        8.0, "scatter of boundary strength, 5–15; doi:10.48550/arXiv.2603.20113", factor=math.exp(0.3)
    )


class InterphasePriors(PriorSection):
    """Plating, leakage, reduction by lithium, reaction with the cathode; values at the reference composition."""

    reducible: str | None = Field(None, description="element that lithium reduces; rates follow its amount")
    exchange_current_density_A_per_m2: Prior = _closure(10.0, "26 Ω cm² at the reference", factor=3)
    interphase_diffusivity_nm2_per_s: Prior = _closure(1.5, "neutral lithium moves along what was reduced", factor=5)
    reduction_rate_per_s: Prior = _closure(0.02, "rate of decomposition by lithium at unit activity", factor=5)
    lithium_uptake_ratio: Prior = _closure(5.0, "lithium consumed over lithium stored as neutral", factor=math.exp(0.4))
    exchange_current_activation_energy_eV: Prior = _closure(0.45, "temperature dependence of the kinetics", sd=0.15)
    interphase_diffusion_activation_energy_eV: Prior = _closure(0.5, "temperature dependence of the kinetics", sd=0.15)
    reduction_activation_energy_eV: Prior = _closure(0.6, "temperature dependence of the kinetics", sd=0.15)
    lithium_diffusivity_ratio_grain: Prior = _closure(0.02, "grain over interphase", factor=3)
    lithium_diffusivity_ratio_boundary: Prior = _closure(0.5, "boundary over interphase", factor=3)
    interphase_weakening: Prior = _closure(0.5, "loss of toughness on complete reduction", sd=0.2)
    reduction_potential_V: Prior
    oxidation_potential_V: Prior
    cathode_reaction_rate_per_s: Prior = _closure(5e-3, "reaction with the cathode, slower than with lithium", factor=5)
    cathode_diffusivity_nm2_per_s: Prior = _closure(
        1e-2, "two decades below the anode: nothing metallic forms at the cathode", factor=5
    )
    cathode_activation_energy_eV: Prior = _closure(0.6, "temperature dependence of the cathode's reaction", sd=0.15)
    electronic_conductivity_S_per_m: Prior = _quoted(
        1e-7, "electrons in oxide electrolytes, about 1e-9 S/cm at 25 °C; enters with leakage alone", factor=10
    )
    cell_thickness_m: Prior = _closure(5e-4, "electrolyte between the electrodes; enters with leakage alone", factor=2)
    cell_voltage_V: Prior = _closure(4.0, "lithium against an oxide cathode; enters with leakage alone", sd=0.3)


class PaperPriors(PriorSection):
    """Closures of the paper model at the reference composition without secondary phases."""

    paper_diffusivity_nm2_per_s: Prior = _closure(3.0e-2, "front moves 10–40 nm in 1000 s", factor=5)
    paper_rate_per_s: Prior = _closure(3.0e-4, "front moves 10–40 nm in 1000 s", factor=5)
