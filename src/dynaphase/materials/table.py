"""A material system from a TOML table: what ships for LATP and LLZO, and what a user writes for a system of their own.

`dynaphase.materials.table_files.template` returns a table with every key explained.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from dynaphase.composition import Composition, CompositionLike
from dynaphase.errors import CompositionError, ConfigError
from dynaphase.materials.base import Assemblage, Material, Reading, Status
from dynaphase.materials.conduction import Estimate, add_conduction, add_phase_fractions, add_secondary_phases
from dynaphase.materials.conductivity import check_temperature
from dynaphase.materials.framework import VANISHING
from dynaphase.materials.kinetics import HostState, add_interphase, add_mechanics, add_paper_model
from dynaphase.materials.priors import Prior
from dynaphase.materials.sheet import ParameterSheet
from dynaphase.materials.structure import add_boundaries, add_furnace, add_interface_energies, add_microstructure
from dynaphase.materials.table_files import SHIPPED, parse_table, read_table
from dynaphase.materials.table_laws import activation_energy, conductivity
from dynaphase.materials.table_phases import Chemistry, find_assemblage, host_amounts
from dynaphase.materials.table_schema import MaterialTable
from dynaphase.units import ROOM_TEMPERATURE

__all__ = ["TableSystem"]


@dataclass(frozen=True)
class TableSystem:
    """A material system that a checked table describes; stateless.

    Host coordinates per formula unit are x, the amount of the substituting element, and δ, the mobile ion in excess
    of the neutral host.  With several end members `from_coordinates` mixes them in the proportion of the reference.

    Examples
    --------
    >>> latp = TableSystem.load("latp")
    >>> latp.formula(latp.from_coordinates(0.3))
    'Li1.3Al0.3Ti1.7(PO4)3'
    """

    table: MaterialTable

    @classmethod
    def load(cls, source: str | Path) -> TableSystem:
        """System of a shipped name or a TOML file.

        Raises
        ------
        ConfigError
            If the file cannot be read or its content is wrong; the message names the file, the key and what to do.
        """
        return cls.from_toml(read_table(source), f"{source}.toml" if source in SHIPPED else str(source))

    @classmethod
    def from_toml(cls, text: str, name: str = "the table") -> TableSystem:
        """System of the text of a table, which errors call `name`; errors as `load`."""
        system = cls(parse_table(text, name))
        try:
            system.material(system.reference)
        except (CompositionError, ConfigError) as error:
            raise ConfigError(f"{name}: 'system.reference' = '{system.table.system.reference}': {error}") from None
        return system

    def __repr__(self) -> str:
        return f"TableSystem({self.name!r})"

    def __hash__(self) -> int:
        return hash(self.digest)

    def __getstate__(self) -> dict[str, Any]:
        return {"table": self.table}

    @cached_property
    def digest(self) -> str:
        """Eight hexadecimal digits that change with any number of the table."""
        content = json.dumps(self.table.model_dump(), sort_keys=True)
        return hashlib.blake2b(content.encode(), digest_size=4).hexdigest()

    @cached_property
    def name(self) -> str:
        """Name of the table; one that does not ship carries its digest, so that records of two never mix."""
        name = self.table.system.name
        return name if self.is_shipped else f"{name}-{self.digest}"

    @cached_property
    def is_shipped(self) -> bool:
        """Whether this is the table that ships under its name, unchanged."""
        name = self.table.system.name
        if name not in SHIPPED:
            return False
        return parse_table(read_table(name), name) == self.table

    @property
    def elements(self) -> tuple[str, ...]:
        """Axes of the composition space; the first is the mobile ion."""
        return tuple(self.table.system.elements)

    @cached_property
    def chemistry(self) -> Chemistry:
        """What decides which phases form."""
        return Chemistry.from_table(self.table)

    @cached_property
    def reference(self) -> Composition:
        """The best known composition of the table."""
        return self.read(self.table.system.reference).composition

    @property
    def solubility_limit(self) -> float:
        """Median of the largest x of the host."""
        return self.table.host.solubility_limit.value

    @cached_property
    def largest_x(self) -> float:
        """Substitution at which an element of the host runs out."""
        return min(map(self.table.largest_substitution, self.table.host.members))

    def read(self, source: CompositionLike) -> Reading:
        """Reduce `source` to the ratio of the axes; see `Framework.read`."""
        return self.chemistry.framework.read(source)

    def formula(self, composition: Composition) -> str:
        """Charge-balanced formula per formula unit of the host, numbers rounded to four decimals."""
        return self.chemistry.framework.formula(composition)

    def coordinates(self, composition: Composition) -> tuple[float, float]:
        """Substitution x and excess δ of the mobile ion, per formula unit."""
        amounts = self.chemistry.framework.per_formula_unit(composition)
        return amounts[self.chemistry.coordinate], self.chemistry.framework.excess(amounts)

    def from_coordinates(self, x: float, delta: float = 0.0) -> Composition:
        """Composition with substitution `x` and excess `delta`; the inverse of `coordinates` for one end member.

        Raises
        ------
        CompositionError
            If x is outside what the host's formula allows, or none of the mobile ion would be left.
        """
        if not (math.isfinite(delta) and 0 <= x <= self.largest_x):
            raise CompositionError(f"x = {x}, δ = {delta}: x must lie between 0 and {self.largest_x:g} and δ be finite")
        mobile = self.chemistry.framework.mobile
        amounts = dict.fromkeys(self.elements, 0.0)
        for share, member in zip(self._shares, self.chemistry.members, strict=True):
            for element, amount in member.at(x).items():
                if element in amounts:
                    amounts[element] += share * amount
        line = amounts[mobile]
        amounts[mobile] += delta
        if not amounts[mobile] > VANISHING * sum(map(abs, amounts.values())):
            raise CompositionError(f"x = {x}, δ = {delta} leaves no {mobile}; δ must exceed {-line:g}")
        return self.chemistry.framework.composition(amounts)

    @cached_property
    def _shares(self) -> tuple[float, ...]:
        """Shares of the host's end members in the reference."""
        members = self.chemistry.members
        if len(members) == 1:
            return (1.0,)
        from scipy.optimize import nnls

        amounts = self.chemistry.framework.per_formula_unit(self.reference)
        others = self.elements[1:]
        x = min(amounts[self.chemistry.coordinate], self.largest_x)
        matrix = np.array([[member.at(x).get(element, 0.0) for member in members] for element in others])
        shares = nnls(matrix, np.array([amounts[element] for element in others]))[0]
        return tuple(float(share) for share in shares / shares.sum())

    def assemblage(self, composition: Composition) -> Assemblage:
        """Phases that `composition` forms with the median solubility limit; see `find_assemblage`."""
        return find_assemblage(self.chemistry, composition, self.solubility_limit)

    def material(
        self,
        composition: Composition,
        temperature_K: float = ROOM_TEMPERATURE,
        draw: Mapping[str, float] | None = None,
    ) -> Material:
        """All parameters of `composition` at `temperature_K`.

        Parameters
        ----------
        composition : Composition
            The axes only; `read` makes one from a formula.
        temperature_K : float
        draw : mapping of parameter name to standard normal, optional
            Moves uncertain parameters (`draw_names`) by their spread; derived ones follow.  Without it: medians.

        Raises
        ------
        CompositionError
            If the composition lies outside the system.
        InputError
            If the temperature is out of range, or the draw names what does not move by itself.
        """
        check_temperature(temperature_K)
        assemblage, sheet = self._parameters(composition, temperature_K, draw)
        parameters = sheet.parameters()
        return Material(
            system=self.name,
            composition=composition,
            formula=self.formula(composition),
            temperature_K=temperature_K,
            assemblage=assemblage,
            parameters=parameters,
            notes=self._notes(assemblage, sheet),
        )

    @property
    def draw_names(self) -> tuple[str, ...]:
        """Names that `draw` may hold: the uncertain parameters that do not follow from others."""
        return self._parameters(self.reference, ROOM_TEMPERATURE, None)[1].independent_names

    def _parameters(
        self, composition: Composition, temperature_K: float, draw: Mapping[str, float] | None
    ) -> tuple[Assemblage, ParameterSheet]:
        table, sheet = self.table, ParameterSheet(draw)
        limit = _limited(sheet, "solubility_limit", table.host.solubility_limit, self.largest_x)
        assemblage = find_assemblage(self.chemistry, composition, limit)
        add_phase_fractions(sheet, assemblage, self.chemistry.film_formers)
        conductivities = {name: phase.conductivity_S_per_m for name, phase in table.phases.items()}
        phases = add_secondary_phases(sheet, table.boundaries, conductivities, temperature_K)
        total, energy = self._measured(sheet, assemblage.host_coordinate)
        add_conduction(sheet, table.boundaries, assemblage, total, energy, phases, temperature_K)
        add_boundaries(sheet, table.boundaries)
        add_microstructure(sheet, table.furnace, assemblage)
        add_furnace(sheet, table.furnace)
        add_interface_energies(sheet, table.boundaries)
        state = self._state(composition, assemblage, limit, temperature_K)
        factors = {name: phase.toughness_factor for name, phase in table.phases.items()}
        add_mechanics(sheet, table.mechanics, factors)
        add_interphase(sheet, table.interphase, state)
        add_paper_model(sheet, table.paper, state)
        return assemblage, sheet

    def _measured(self, sheet: ParameterSheet, x: float) -> tuple[Estimate, Estimate]:
        """Conductivity and activation energy of the host, in the form that it has at x."""
        form = self.table.polymorph
        if form is not None and x < _limited(sheet, "polymorph_limit", form.below, self.largest_x):
            found = (form.log10_S_per_cm, form.activation_energy_eV)
            total, energy = (
                Estimate(p.value, p.absolute_sd, p.state, f"{form.name}, below polymorph_limit; {p.source}")
                for p in found
            )
            return total, energy
        return conductivity(self.table.conductivity, x), activation_energy(self.table.activation_energy, x)

    def _state(self, composition: Composition, assemblage: Assemblage, limit: float, temperature_K: float) -> HostState:
        frame, element = self.chemistry.framework, self.table.interphase.reducible or ""
        overall, reference = frame.per_formula_unit(composition), frame.per_formula_unit(self.reference)
        host = host_amounts(self.chemistry, assemblage, limit) or overall
        share = assemblage.host_fraction
        return HostState(
            assemblage=assemblage,
            lithium=host.get(frame.mobile, 0.0),
            lithium_reference=reference[frame.mobile],
            reducible=share * host.get(element, 0.0) + (1 - share) * overall.get(element, 0.0),
            reducible_reference=reference.get(element, 0.0) or 1.0,
            element=element,
            temperature_K=temperature_K,
        )

    def _notes(self, assemblage: Assemblage, sheet: ParameterSheet) -> tuple[str, ...]:
        host = self.table.host.name
        if not assemblage.host_fraction:
            return (f"no {host} forms here: conductivity is that of the secondary phases, all of it an assumption",)
        notes = []
        form, x = self.table.polymorph, assemblage.host_coordinate
        if form is not None and x < sheet.value("polymorph_limit"):
            notes.append(f"the host is {form.name} at x = {x:.3g}: it conducts poorly")
        elif sheet.parameter("measured_conductivity_S_per_m").status is Status.CLOSURE:
            notes.append(f"the conductivity at x = {x:.3g} is an assumption: no measured row lies near")
        return tuple(notes)


def _limited(sheet: ParameterSheet, name: str, prior: Prior, largest: float) -> float:
    """A coordinate of the host as a parameter: positive, and not beyond what its formula allows."""
    if prior.sd is None and prior.factor is None:
        return sheet.prior(name, prior, "1")
    return sheet.independent(
        name, prior.value, "1", prior.spread, prior.state, prior.source, lower=prior.value / 10, upper=largest
    )
