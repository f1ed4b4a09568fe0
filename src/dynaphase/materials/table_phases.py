"""Phases of a table and the assemblage that a composition forms: the same linear programme for every system."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from dynaphase.composition import Composition
from dynaphase.materials.assemblage import Phase, balance_phases
from dynaphase.materials.base import Assemblage
from dynaphase.materials.framework import Framework
from dynaphase.materials.table_schema import MaterialTable, parse_formula

__all__ = ["Chemistry", "HostMember", "find_assemblage", "host_amounts"]

HOST_COST: Final = -1000.0
"""The host forms first."""


@dataclass(frozen=True)
class HostMember:
    """One end member of the host with what it turns into at x = 1."""

    formula: str
    pure: Mapping[str, float]
    substituted: Mapping[str, float]
    volume: float
    """Molar volume at x = 0 (cm³/mol)."""
    volume_substituted: float

    def at(self, x: float) -> dict[str, float]:
        """Atoms per formula unit at substitution `x`."""
        elements = dict.fromkeys([*self.pure, *self.substituted])
        mixed = {e: (1 - x) * self.pure.get(e, 0.0) + x * self.substituted.get(e, 0.0) for e in elements}
        return {element: amount for element, amount in mixed.items() if amount > 1e-12}

    def phase(self, name: str, x: float) -> Phase:
        """As a candidate of the linear programme."""
        return Phase(name, self.at(x), (1 - x) * self.volume + x * self.volume_substituted, HOST_COST)


@dataclass(frozen=True, eq=False)
class Chemistry:
    """Everything that decides which phases form; compared by identity, as a key of the cache below."""

    framework: Framework
    host: str
    coordinate: str
    members: tuple[HostMember, ...]
    phases: tuple[Phase, ...]
    film_formers: tuple[str, ...]

    @classmethod
    def from_table(cls, table: MaterialTable) -> Chemistry:
        """Chemistry of a checked table."""
        members = tuple(
            HostMember(
                m.formula,
                parse_formula(m.formula),
                parse_formula(m.substituted),
                m.molar_volume,
                m.molar_volume_substituted,
            )
            for m in table.host.members
        )
        fixed = table.fixed
        framework = Framework(
            label=table.system.name.upper(),
            axes=tuple(table.system.elements),
            cations=tuple(fixed.cations),
            n_cations=fixed.n_cations,
            spectators=tuple(fixed.spectators.items()),
            anion=fixed.anion,
            n_anions=members[0].pure.get(fixed.anion, 0.0),
            charges=tuple((element, table.charge_of(element)) for element in table.all_elements),
            example=table.system.reference,
            group=fixed.group,
            order=tuple(fixed.order),
        )
        phases = tuple(
            Phase(name, parse_formula(phase.formula or name), phase.molar_volume, phase.cost)
            for name, phase in table.phases.items()
        )
        films = tuple(name for name, phase in table.phases.items() if phase.forms == "film")
        return cls(framework, table.host.name, table.host.coordinate, members, phases, films)

    def host_phases(self, limit: float) -> dict[str, tuple[Phase, float]]:
        """End members of the solid solution by name, each with its x: pure, and substituted up to `limit`."""
        found = {}
        for member in self.members:
            for x, where in ((0.0, "x=0"), (limit, "x=max")):
                name = f"{self.host} {member.formula} {where}"
                found[name] = (member.phase(name, x), x)
        return found


@lru_cache(maxsize=4096)
def find_assemblage(chemistry: Chemistry, composition: Composition, limit: float) -> Assemblage:
    r"""Phases of `composition`, as much host as can be made first.

    With :math:`n_m^0, n_m^{max}` the moles of the host's end members, the solid solution has
    :math:`x_s = x_{max} \sum_m n_m^{max} / \sum_m (n_m^0 + n_m^{max})`.

    Raises
    ------
    CompositionError
        If the composition lies outside the system, or the phases of the table cannot hold it.
    """
    frame = chemistry.framework
    wanted = frame.per_formula_unit(composition)
    ends = chemistry.host_phases(limit)
    amounts = balance_phases(
        (*(phase for phase, _ in ends.values()), *chemistry.phases), wanted | dict(frame.spectators)
    )
    of_host = {name: amounts[name] for name in ends if name in amounts}
    n_host = sum(of_host.values())
    volume = sum(n * ends[name][0].molar_volume for name, n in of_host.items())
    volumes = {chemistry.host: volume} if n_host else {}
    volumes |= {p.name: amounts[p.name] * p.molar_volume for p in chemistry.phases if p.name in amounts}
    total = sum(volumes.values())
    return Assemblage(
        amounts=amounts,
        volume_fractions={name: part / total for name, part in volumes.items()},
        host=chemistry.host,
        host_coordinate=sum(n * ends[name][1] for name, n in of_host.items()) / n_host if n_host else 0.0,
        charge_imbalance=frame.excess(wanted),
        film_formers=tuple(name for name in chemistry.film_formers if name in volumes),
        basis="per formula unit of the host",
    )


def host_amounts(chemistry: Chemistry, assemblage: Assemblage, limit: float) -> dict[str, float]:
    """Atoms per formula unit of the host that formed; empty where there is none."""
    ends = chemistry.host_phases(limit)
    of_host = {name: n for name, n in assemblage.amounts.items() if name in ends}
    n_host = sum(of_host.values())
    found: dict[str, float] = {}
    for name, n in of_host.items():
        for element, amount in ends[name][0].elements.items():
            found[element] = found.get(element, 0.0) + n * amount / n_host
    return found
