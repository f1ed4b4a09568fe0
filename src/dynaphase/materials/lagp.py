"""LAGP: Li₁₊ₓAlₓGe₂₋ₓ(PO₄)₃ and what the elements form beside that line.

The composition space is the ratio Li : Al : Ge.  Phosphate follows from the framework, P : (Al + Ge) = 3 : 2, and
oxygen from charge balance.  Host coordinates per two framework cations are the substitution x = α and the lithium
excess δ = ℓ − (1 + α): on the line δ = 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from dynaphase.composition import RESOLUTION, Amounts, Composition, CompositionLike, read_amounts
from dynaphase.errors import CompositionError, InputError
from dynaphase.materials.base import Assemblage, Material, Reading
from dynaphase.materials.conductivity import FIT_RANGE
from dynaphase.materials.lagp_parameters import make_parameters
from dynaphase.materials.lagp_phases import (
    FILM_FORMERS,
    HOST,
    SOLUBILITY_LIMIT,
    find_assemblage,
    per_two_framework_cations,
)
from dynaphase.units import ROOM_TEMPERATURE

__all__ = ["FILM_FORMERS", "HOST", "LAGP"]

PHOSPHATE_TOLERANCE: Final = 0.01
"""Relative error of P : (Al + Ge) that is taken for rounding."""

PHOSPHATE_ROUNDING: Final = 1e-4
"""Relative error of P : (Al + Ge) that four decimals can make, not worth a note."""

NOTED_DIFFERENCE: Final = 1e-3
"""Relative difference of given from balanced oxygen that is worth a note."""

VANISHING: Final = 2 / RESOLUTION
"""Share of the whole below which a coordinate at its limit is taken to be there."""

TEMPERATURES_K: Final = (100.0, 2000.0)
"""Range in which Arrhenius laws are evaluated (K); far beyond where they were measured already."""

ON_LINE: Final = 5e-5
"""Lithium excess per formula unit below which a formula is written with (PO4)3."""


class LAGP:
    """The material system Li–Al–Ge–phosphate; stateless.

    The reference is Li1.5Al0.5Ge1.5(PO4)3: the composition studied most, near the top of the measured table, and
    so the one a recommendation has to beat.

    Examples
    --------
    >>> lagp = LAGP()
    >>> lagp.formula(lagp.read({"Li": 3, "Al": 1, "Ge": 3}).composition)
    'Li1.5Al0.5Ge1.5(PO4)3'
    >>> round(lagp.assemblage(lagp.from_coordinates(0.8)).host_coordinate, 9)
    0.6
    """

    name: str = "lagp"
    elements: tuple[str, ...] = ("Li", "Al", "Ge")
    reference: Composition = Composition.from_amounts({"Li": 3, "Al": 1, "Ge": 3})

    def __repr__(self) -> str:
        return "LAGP()"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, LAGP)

    def __hash__(self) -> int:
        return hash(LAGP)

    def read(self, source: CompositionLike) -> Reading:
        """Reduce `source` to the ratio Li : Al : Ge.

        A formula, a `Composition` or a pymatgen object may hold P and O; P must be three for every two Al + Ge
        within 1 %, O may be anything and is replaced by charge balance.  A mapping names Li, Al and Ge only.

        Raises
        ------
        CompositionError
            If it cannot be parsed, holds other elements, no lithium, neither Al nor Ge, or the wrong phosphate.
        """
        amounts = read_amounts(source)
        is_mapping = isinstance(source, Mapping) and not hasattr(source, "get_el_amt_dict")
        _refuse_foreign(amounts, self.elements if is_mapping else (*self.elements, "P", "O"))
        lithium, framework = amounts.get("Li", 0.0), amounts.get("Al", 0.0) + amounts.get("Ge", 0.0)
        if not lithium > 0 or not framework > 0:
            raise CompositionError(
                f"{source!s} has no {'Al or Ge' if lithium > 0 else 'Li'}; LAGP needs lithium and at least one of Al "
                "and Ge, for example Li1.5Al0.5Ge1.5(PO4)3"
            )
        notes = _phosphate_notes(amounts, framework) + _oxygen_notes(amounts, framework)
        return Reading(Composition.from_amounts({e: amounts.get(e, 0.0) for e in self.elements}), notes)

    def formula(self, composition: Composition) -> str:
        """Charge-balanced formula per two framework cations, numbers rounded to four decimals.

        On the stoichiometric line ``Li1.5Al0.5Ge1.5(PO4)3``, beside it ``Li1.7Al0.5Ge1.5P3O12.1``.
        """
        lithium, aluminium, germanium = per_two_framework_cations(composition)
        excess = lithium - (1 + aluminium)
        cations = {"Li": lithium, "Al": aluminium, "Ge": germanium}
        metals = "".join(element + _number(n) for element, n in cations.items() if n > 0)
        return metals + ("(PO4)3" if abs(excess) < ON_LINE else f"P3O{_number(12 + excess / 2)}")

    def coordinates(self, composition: Composition) -> tuple[float, float]:
        """Substitution x = α and lithium excess δ = ℓ − (1 + α) per two framework cations."""
        lithium, aluminium, _ = per_two_framework_cations(composition)
        return aluminium, lithium - (1 + aluminium)

    def from_coordinates(self, x: float, delta: float = 0.0) -> Composition:
        """Composition with substitution `x` and lithium excess `delta`; the inverse of `coordinates`.

        Raises
        ------
        CompositionError
            If x is outside 0 … 2 or no lithium would be left.
        """
        if not (math.isfinite(delta) and 0 <= x <= 2):
            raise CompositionError(f"x = {x}, δ = {delta}: x must lie between 0 and 2 and δ be finite")
        if not 1 + x + delta > VANISHING * 3:
            raise CompositionError(f"x = {x}, δ = {delta} leaves no lithium; δ must exceed −(1 + x) = {-1 - x:g}")
        amounts = {"Li": 1 + x + delta, "Al": x, "Ge": 2 - x}
        # What the lattice of a composition cannot hold is none.
        return Composition.from_amounts({e: n if n > VANISHING * (3 + x + delta) else 0.0 for e, n in amounts.items()})

    def assemblage(self, composition: Composition) -> Assemblage:
        """Phases that `composition` forms with the median solubility limit; see `find_assemblage`."""
        return find_assemblage(composition, SOLUBILITY_LIMIT)

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
            Li, Al and Ge; `read` makes one from a formula.
        temperature_K : float
            Temperature (K).
        draw : mapping of parameter name to standard normal, optional
            Moves uncertain parameters (`draw_names`) by their spread; derived ones follow.  Without it: medians.

        Raises
        ------
        CompositionError
            If the composition lies outside the system.
        InputError
            If the temperature is not positive and finite, or the draw names what does not move by itself.
        """
        if not TEMPERATURES_K[0] <= temperature_K <= TEMPERATURES_K[1]:
            raise InputError(
                f"the temperature is {temperature_K} K; give one between {TEMPERATURES_K[0]:g} and "
                f"{TEMPERATURES_K[1]:g} K, for example {ROOM_TEMPERATURE} for 25 °C"
            )
        assemblage, sheet = make_parameters(composition, temperature_K, draw)
        return Material(
            system=self.name,
            composition=composition,
            formula=self.formula(composition),
            temperature_K=temperature_K,
            assemblage=assemblage,
            parameters=sheet.parameters(),
            notes=_material_notes(assemblage),
        )

    @property
    def draw_names(self) -> tuple[str, ...]:
        """Names that `draw` may hold: the uncertain parameters that do not follow from others."""
        return make_parameters(self.reference, ROOM_TEMPERATURE, None)[1].independent_names


def _refuse_foreign(amounts: Amounts, allowed: tuple[str, ...]) -> None:
    foreign = [element for element in amounts if element not in allowed]
    if foreign:
        raise CompositionError(
            f"{', '.join(foreign)} is not part of the composition here; allowed: {', '.join(allowed)}."
            + (" P and O follow from Li : Al : Ge; leave them out of a mapping." if {"P", "O"} & {*foreign} else "")
        )


def _phosphate_notes(amounts: Amounts, framework: float) -> tuple[str, ...]:
    given = amounts.get("P", 0.0)
    if not given:
        return ()
    ratio = given / framework
    if abs(ratio / 1.5 - 1) > PHOSPHATE_TOLERANCE:
        raise CompositionError(
            f"P : (Al + Ge) is {2 * ratio:.4g} : 2 here, LAGP has 3 : 2 (P{_number(1.5 * framework)} for "
            f"Al + Ge = {_number(framework)}); correct it or leave P and O out"
        )
    if abs(ratio / 1.5 - 1) > PHOSPHATE_ROUNDING:
        return (f"P : (Al + Ge) is given as {2 * ratio:.4f} : 2 and taken as 3 : 2",)
    return ()


def _oxygen_notes(amounts: Amounts, framework: float) -> tuple[str, ...]:
    given, has_phosphate = amounts.get("O", 0.0), amounts.get("P", 0.0) > 0
    excess = 2 * (amounts["Li"] - amounts.get("Al", 0.0)) / framework - 1
    balanced = 12 + excess / 2
    if not given:
        return (f"no oxygen is given; charge balance sets it to O{_number(balanced)}",) if has_phosphate else ()
    per_unit = 2 * given / framework
    if abs(per_unit / balanced - 1) <= NOTED_DIFFERENCE:
        return ()
    return (
        f"oxygen is given as O{_number(per_unit)} per formula unit; charge balance sets it to O{_number(balanced)}",
    )


def _number(value: float) -> str:
    """Four decimals, more only for numbers so small that they would vanish; no trailing zeros, no 1."""
    decimals = 4 if value >= 1e-3 else 1 - math.floor(math.log10(value))
    text = f"{value:.{decimals}f}".rstrip("0").rstrip(".")
    return "" if text == "1" else text


def _material_notes(assemblage: Assemblage) -> tuple[str, ...]:
    if not assemblage.host_fraction:
        return ("no NASICON forms here: conductivity is that of the secondary phases, all of it an assumption",)
    if 0 < assemblage.host_coordinate < FIT_RANGE[0]:
        return ("the conductivity at 0 < x < 0.2 is interpolated: no measured row lies there",)
    return ()
