"""What a table of a material system may say, checked as a whole.

`template.toml` beside this module is such a table with every key explained.
"""

from __future__ import annotations

import math
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from dynaphase.composition import Amounts, read_amounts
from dynaphase.errors import CompositionError
from dynaphase.materials.assemblage import OXIDATION_STATES
from dynaphase.materials.priors import (
    BoundaryPriors,
    FurnacePriors,
    InterphasePriors,
    MechanicsPriors,
    PaperPriors,
    Prior,
    check_source,
)
from dynaphase.settings import Section

__all__ = ["PROBLEM", "EnergyPoint", "MaterialTable", "Point", "parse_formula"]

PROBLEM: Final = "table"
"""Type of the errors whose message names its key already."""

NEUTRAL: Final = 1e-6
"""Charge per formula unit up to which a formula is taken for neutral."""

Symbol = Annotated[str, Field(pattern=r"^[A-Z][a-z]?$")]
Doi = Annotated[str, Field(pattern=r"^10\.\d{4,9}/\S+$")]
Positive = Annotated[float, Field(gt=0, le=1e12)]
Sourced = Literal["measured", "quoted", "closure"]


class SystemSection(Section):
    """Name and axes."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,39}$", description="short lower-case name")
    title: str = Field(min_length=1, description="for people")
    elements: list[Symbol] = Field(min_length=2, description="elements that vary; the first is the mobile ion")
    reference: str = Field(min_length=1, description="best known composition, a full formula")


class FixedSection(Section):
    """What does not vary: per `n_cations` atoms of the `cations` there are the `spectators`."""

    cations: list[Symbol] = Field(min_length=1, description="framework cations among the elements")
    n_cations: Positive = Field(description="atoms of them per formula unit")
    spectators: dict[Symbol, Positive] = Field(default={}, description="fixed atoms per formula unit")
    anion: Symbol = "O"
    group: str = Field("", description="how spectators and anions are written on the line, e.g. (PO4)3")
    order: list[Symbol] = Field(default=[], description="order of the elements in a formula")


class MemberSection(Section):
    """One end member of the host's solid solution, and what it turns into at x = 1."""

    formula: str
    substituted: str
    molar_volume: Positive = Field(description="cm³/mol of formula units")
    molar_volume_substituted: Positive
    status: Sourced
    source: str

    @model_validator(mode="after")
    def _is_sourced(self) -> MemberSection:
        check_source(self.status, self.source)
        return self


class HostSection(Section):
    """The ion-conducting solid solution."""

    name: str = Field(min_length=1)
    coordinate: Symbol = Field(description="element whose amount per formula unit is x")
    solubility_limit: Prior
    members: list[MemberSection] = Field(min_length=1)


class PolymorphSection(Section):
    """A poorly conducting form of the host below some x."""

    name: str = Field(min_length=1)
    below: Prior
    log10_S_per_cm: Prior
    activation_energy_eV: Prior


class PhaseSection(Section):
    """A secondary phase; its name is the formula unless one is given."""

    formula: str = ""
    molar_volume: Positive = Field(description="cm³/mol of formula units")
    cost: float = Field(description="rank in the linear programme; the lowest forms first")
    conductivity_S_per_m: Positive = Field(description="order of magnitude at 25 °C")
    toughness_factor: Positive = Field(1.0, description="toughness over that of a grain of the host")
    forms: Literal["particles", "film"] = "particles"
    status: Sourced
    source: str

    @model_validator(mode="after")
    def _is_sourced(self) -> PhaseSection:
        check_source(self.status, self.source)
        return self


class Row(Section):
    """One value at one x with its source: a DOI, or words where there is none."""

    x: float = Field(ge=0, le=1e3)
    sd: float = Field(gt=0, le=10)
    status: Sourced = "measured"
    doi: Doi | None = None
    source: str = ""

    @model_validator(mode="after")
    def _is_sourced(self) -> Row:
        if not self.doi:
            check_source(self.status, self.source)
        return self

    @property
    def citation(self) -> str:
        """DOI and words."""
        return "; ".join(filter(None, (f"doi:{self.doi}" if self.doi else "", self.source)))


class Point(Row):
    """A total conductivity at 25 °C; `sd` in decades."""

    log10_S_per_cm: float | None = Field(None, ge=-30, le=6)
    S_per_cm: float | None = Field(None, ge=1e-30, le=1e6)

    @model_validator(mode="after")
    def _has_one_value(self) -> Point:
        if (self.log10_S_per_cm is None) == (self.S_per_cm is None):
            raise PydanticCustomError("value", "give either S_per_cm or log10_S_per_cm")
        return self

    @property
    def value(self) -> float:
        """log₁₀ σ (S/cm)."""
        return math.log10(self.S_per_cm) if self.S_per_cm is not None else float(self.log10_S_per_cm or 0.0)


class EnergyPoint(Row):
    """An activation energy (eV); `sd` in eV."""

    eV: float = Field(gt=0, le=20)

    @property
    def value(self) -> float:
        """Activation energy (eV)."""
        return self.eV


class ConductivitySection(Section):
    """Measured conductivities and the curve through them."""

    law: Literal["segments", "polynomial"] = Field("segments", description="straight pieces, or one weighted fit")
    degree: int = Field(2, ge=1, le=4, description="of the polynomial")
    points: list[Point] = Field(min_length=1)

    @model_validator(mode="after")
    def _can_be_fitted(self) -> ConductivitySection:
        n = len({point.x for point in self.points})
        if self.law == "polynomial" and n <= self.degree:
            raise PydanticCustomError(
                "degree",
                "a polynomial of degree {degree} needs points at {needed} or more different x, there are {n}: give "
                "more points, a lower degree, or law = 'segments'",
                {"degree": self.degree, "needed": self.degree + 1, "n": n},
            )
        return self


class EnergySection(Section):
    """Activation energies, straight pieces between them."""

    points: list[EnergyPoint] = Field(min_length=1)


class MaterialTable(Section):
    """A whole material system."""

    system: SystemSection
    fixed: FixedSection
    charges: dict[Symbol, int] = Field(default={}, description="formal charges that differ from the usual ones")
    host: HostSection
    polymorph: PolymorphSection | None = None
    phases: dict[str, PhaseSection] = Field(min_length=1)
    conductivity: ConductivitySection
    activation_energy: EnergySection
    boundaries: BoundaryPriors = BoundaryPriors()
    furnace: FurnacePriors = FurnacePriors()
    mechanics: MechanicsPriors = MechanicsPriors()
    interphase: InterphasePriors
    paper: PaperPriors = PaperPriors()

    @model_validator(mode="after")
    def _is_consistent(self) -> MaterialTable:
        self._check_elements()
        self._check_host()
        for name, phase in self.phases.items():
            self._check_formula(f"phases.{name}.formula", phase.formula or name)
        self._check_formula("system.reference", self.system.reference, is_neutral=False)
        return self

    def charge_of(self, element: str) -> int:
        """Formal charge of an element of the system."""
        return self.charges.get(element, OXIDATION_STATES.get(element, 0))

    @property
    def all_elements(self) -> tuple[str, ...]:
        """Axes, spectators, anion."""
        return (*self.system.elements, *self.fixed.spectators, self.fixed.anion)

    def largest_substitution(self, member: MemberSection) -> float:
        """Substitution at which an element of `member` runs out."""
        pure, substituted = parse_formula(member.formula), parse_formula(member.substituted)
        losses = {element: n - substituted.get(element, 0.0) for element, n in pure.items()}
        return min((pure[element] / loss for element, loss in losses.items() if loss > NEUTRAL), default=math.inf)

    def _check_elements(self) -> None:
        elements, fixed = self.system.elements, self.fixed
        everything = list(self.all_elements)
        for element in everything:
            try:
                read_amounts(element)
            except CompositionError:
                raise _problem("system.elements", f"'{element}' is no chemical element") from None
            if everything.count(element) > 1:
                raise _problem(
                    "system.elements", f"{element} is named twice: an element is an axis, a spectator or the anion"
                )
            if not self.charge_of(element):
                raise _problem("charges", f"the charge of {element} is not known: add {element} = … under [charges]")
        for key in ("cations", "order"):
            known = elements[1:] if key == "cations" else everything
            wrong = [element for element in getattr(fixed, key) if element not in known]
            if wrong:
                raise _problem(
                    f"fixed.{key}", f"{', '.join(wrong)} must be among {', '.join(known)}"
                    + (" (the elements without the mobile ion)" if key == "cations" else ""),
                )  # fmt: skip
        if fixed.order and set(fixed.order) != set(everything):
            raise _problem("fixed.order", f"it must name every element once: {', '.join(everything)}")
        if self.charge_of(elements[0]) <= 0 or self.charge_of(fixed.anion) >= 0:
            raise _problem(
                "system.elements",
                f"the first element ({elements[0]}) must be a cation and fixed.anion ({fixed.anion}) an anion",
            )
        reducible = self.interphase.reducible
        if reducible is not None and reducible not in elements[1:]:
            raise _problem(
                "interphase.reducible", f"'{reducible}' must be among {', '.join(elements[1:])}, or left out"
            )

    def _check_host(self) -> None:
        host, elements = self.host, self.system.elements
        if host.coordinate not in elements[1:]:
            raise _problem("host.coordinate", f"'{host.coordinate}' must be among {', '.join(elements[1:])}")
        if host.name in self.phases:
            raise _problem(f"phases.{host.name}", "a secondary phase needs another name than the host")
        if len({member.formula for member in host.members}) < len(host.members):
            raise _problem("host.members", "two of them have the same formula: every end member is named once")
        anions = set()
        for i, member in enumerate(host.members):
            for key, x in (("formula", 0.0), ("substituted", 1.0)):
                where = f"host.members.{i}.{key}"
                amounts = self._check_formula(where, getattr(member, key))
                self._check_frame(where, amounts)
                if abs(amounts.get(host.coordinate, 0.0) - x) > NEUTRAL:
                    raise _problem(
                        where, f"it holds {amounts.get(host.coordinate, 0.0):g} {host.coordinate}, but 'formula' is "
                        f"the host at x = 0 and 'substituted' at x = 1, x being {host.coordinate} per formula unit",
                    )  # fmt: skip
                anions.add(round(amounts.get(self.fixed.anion, 0.0), 6))
        if len(anions) > 1:
            raise _problem(
                "host.members", f"they hold {' and '.join(f'{n:g}' for n in sorted(anions))} {self.fixed.anion}; the "
                "anions of one host must agree, charge being balanced by the mobile ion",
            )  # fmt: skip
        largest = min(map(self.largest_substitution, host.members))
        if not 0 < host.solubility_limit.value <= largest:
            raise _problem(
                "host.solubility_limit", f"value must lie above 0 and up to {largest:g}, where an element ends"
            )

    def _check_frame(self, where: str, amounts: Amounts) -> None:
        cations = sum(amounts.get(element, 0.0) for element in self.fixed.cations)
        wanted = {" + ".join(self.fixed.cations): (cations, self.fixed.n_cations)}
        wanted |= {e: (amounts.get(e, 0.0), n) for e, n in self.fixed.spectators.items()}
        for name, (found, fixed) in wanted.items():
            if abs(found - fixed) > NEUTRAL:
                raise _problem(where, f"it holds {found:g} {name} per formula unit, [fixed] says {fixed:g}")

    def _check_formula(self, where: str, formula: str, *, is_neutral: bool = True) -> Amounts:
        try:
            amounts = parse_formula(formula)
        except CompositionError as error:
            raise _problem(where, str(error)) from None
        foreign = [element for element in amounts if element not in self.all_elements]
        if foreign:
            raise _problem(
                where, f"{formula} holds {', '.join(foreign)}, which is not part of the system "
                f"({', '.join(self.all_elements)})",
            )  # fmt: skip
        charge = sum(self.charge_of(element) * n for element, n in amounts.items())
        if is_neutral and abs(charge) > NEUTRAL:
            states = ", ".join(f"{element} {self.charge_of(element):+d}" for element in amounts)
            raise _problem(where, f"{formula} is not neutral: its charge is {charge:+.4g} with {states}; see [charges]")
        return amounts


def parse_formula(formula: str) -> Amounts:
    """Atoms of one formula unit as written."""
    return read_amounts(formula)


def _problem(key: str, text: str) -> PydanticCustomError:
    return PydanticCustomError(PROBLEM, "'{key}': {text}", {"key": key, "text": text})
