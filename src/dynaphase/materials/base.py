"""What a material is, and the contract of a material system.

A *material system* is the rule (composition, temperature) → material.  A *material* is one composition with its
phase assemblage and every parameter that the simulation reads; each parameter says what it rests on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable

from dynaphase.composition import Composition, CompositionLike
from dynaphase.errors import InputError
from dynaphase.units import ROOM_TEMPERATURE

__all__ = ["Assemblage", "Material", "MaterialSystem", "Parameter", "Reading", "Spread", "Status"]


class Status(StrEnum):
    """What a number rests on, best first."""

    MEASURED = "measured"
    """Read in the named source, a measurement or a fit to measurements."""
    DERIVED = "derived"
    """Follows from other parameters by the stated equation."""
    QUOTED = "quoted"
    """Commonly quoted in the literature, not checked against its source: a prior."""
    CLOSURE = "closure"
    """An assumption that makes the model complete; carries a wide prior and can be overridden."""
    NUMERICAL = "numerical"
    """Belongs to the discretization, not to the material."""


class SpreadKind(StrEnum):
    """How a standard normal moves a parameter."""

    NORMAL = "normal"
    """value + sd·z"""
    LOGNORMAL = "lognormal"
    """value·exp(sd·z)"""
    EXACT = "exact"
    """does not move"""


@dataclass(frozen=True, slots=True)
class Spread:
    """One-standard-deviation uncertainty of a parameter.

    `sd` is absolute for ``normal`` (in the parameter's unit) and the standard deviation of ln(value) for
    ``lognormal``; ×/÷ 3 is ``lognormal`` with sd = ln 3, 0.2 decades is sd = 0.2·ln 10.
    """

    kind: SpreadKind
    sd: float = 0.0

    @classmethod
    def exact(cls) -> Spread:
        """No uncertainty."""
        return cls(SpreadKind.EXACT)

    @classmethod
    def normal(cls, sd: float) -> Spread:
        """Absolute standard deviation `sd`."""
        return cls(SpreadKind.NORMAL, sd)

    @classmethod
    def lognormal(cls, sd: float) -> Spread:
        """Standard deviation `sd` of the natural logarithm."""
        return cls(SpreadKind.LOGNORMAL, sd)

    def __str__(self) -> str:
        from math import exp

        match self.kind:
            case SpreadKind.EXACT:
                return "exact"
            case SpreadKind.NORMAL:
                return f"± {self.sd:.3g}"
            case SpreadKind.LOGNORMAL:
                return f"×/÷ {exp(self.sd):.3g}"


@dataclass(frozen=True, slots=True)
class Parameter:
    """One physical quantity of a material: value, unit, spread, status and source."""

    name: str
    value: float
    unit: str
    spread: Spread
    status: Status
    source: str
    """Where it comes from: a DOI, an equation of the documentation, or the argument for a closure."""


@dataclass(frozen=True, slots=True)
class Assemblage:
    """Charge-neutral phases that a composition forms, by mass balance.

    Amounts are moles of formula unit for a normalisation that `basis` names; volume fractions sum to 1.
    """

    amounts: Mapping[str, float]
    """Moles of each phase with a positive amount (host end members listed apart)."""
    volume_fractions: Mapping[str, float]
    """Volume fraction of each phase; the host solid solution appears once, under its own name."""
    host: str
    """Name of the ion-conducting host phase in `volume_fractions`."""
    host_coordinate: float
    """Composition coordinate x of the host solid solution (0 where there is no host)."""
    charge_imbalance: float
    """δ = ℓ − (1 + α): lithium in excess of the stoichiometric line, per formula unit of the host."""
    film_formers: tuple[str, ...] = ()
    """Low-melting secondary phases that spread on grain boundaries before they form particles."""
    basis: str = "per two framework cations"

    @property
    def host_fraction(self) -> float:
        """Volume fraction of the host phase, 0 to 1."""
        return self.volume_fractions.get(self.host, 0.0)

    @property
    def secondary(self) -> dict[str, float]:
        """Volume fractions of everything that is not the host."""
        return {phase: v for phase, v in self.volume_fractions.items() if phase != self.host}

    @property
    def secondary_fraction(self) -> float:
        """Total volume fraction of secondary phases, 0 to 1."""
        return sum(self.secondary.values())


@dataclass(frozen=True, slots=True)
class Reading:
    """A composition as a material system understood it, with what it had to note on the way."""

    composition: Composition
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Material:
    """Everything the simulation needs to know about one composition at one temperature."""

    system: str
    composition: Composition
    formula: str
    temperature_K: float
    assemblage: Assemblage
    parameters: Mapping[str, Parameter] = field(repr=False)
    notes: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> float:
        """Value of the parameter called `name`, in the unit that its entry states."""
        try:
            return self.parameters[name].value
        except KeyError:
            raise InputError(
                f"{self.system} has no parameter '{name}'; it has {', '.join(sorted(self.parameters))}"
            ) from None


@runtime_checkable
class MaterialSystem(Protocol):
    """The rule composition, temperature → material.  Implementations are stateless and picklable."""

    @property
    def name(self) -> str:
        """Short lower-case name: as on the command line, or of the table that describes the system."""
        ...

    @property
    def elements(self) -> tuple[str, ...]:
        """Elements that span the composition space, in the order of its axes; the first is the mobile ion."""
        ...

    @property
    def reference(self) -> Composition:
        """The literature's best known composition: what a recommendation has to beat."""
        ...

    @property
    def draw_names(self) -> tuple[str, ...]:
        """Names that a draw may hold: the uncertain parameters that do not follow from others."""
        ...

    def read(self, source: CompositionLike) -> Reading:
        """Reduce a formula, fractions or pymatgen object to the system's own elements, or say why not."""
        ...

    def formula(self, composition: Composition) -> str:
        """Charge-balanced formula, e.g. ``Li1.5Al0.5Ge1.5(PO4)3``."""
        ...

    def coordinates(self, composition: Composition) -> tuple[float, float]:
        """Host coordinates (x, δ): substitution along the stoichiometric line, lithium excess across it."""
        ...

    def from_coordinates(self, x: float, delta: float = 0.0) -> Composition:
        """Composition at host coordinates (x, δ)."""
        ...

    def assemblage(self, composition: Composition) -> Assemblage:
        """Phases and amounts that balance every element."""
        ...

    def material(
        self,
        composition: Composition,
        temperature_K: float = ROOM_TEMPERATURE,
        draw: Mapping[str, float] | None = None,
    ) -> Material:
        """All parameters; `draw` maps parameter names to standard normals that move them by their spread."""
        ...
