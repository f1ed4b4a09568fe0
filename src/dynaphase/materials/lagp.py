"""LAGP: Li₁₊ₓAlₓGe₂₋ₓ(PO₄)₃ and what the elements form beside that line.

The composition space is the ratio Li : Al : Ge.  Phosphate follows from the framework, P : (Al + Ge) = 3 : 2, and
oxygen from charge balance.  Host coordinates per two framework cations are the substitution x = α and the lithium
excess δ = ℓ − (1 + α): on the line δ = 0.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from dynaphase.composition import Composition, CompositionLike
from dynaphase.errors import CompositionError
from dynaphase.materials.assemblage import OXIDATION_STATES
from dynaphase.materials.base import Assemblage, Material, Reading
from dynaphase.materials.conductivity import FIT_RANGE, ConductivityFit, check_temperature
from dynaphase.materials.framework import VANISHING, Framework
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

FRAMEWORK: Final = Framework(
    label="LAGP",
    axes=("Li", "Al", "Ge"),
    cations=("Al", "Ge"),
    n_cations=2,
    spectators=(("P", 3.0),),
    anion="O",
    n_anions=12.0,
    charges=tuple((element, OXIDATION_STATES[element]) for element in ("Li", "Al", "Ge", "P", "O")),
    example="Li1.5Al0.5Ge1.5(PO4)3",
    group="(PO4)3",
)
"""Two framework cations to three phosphorus, oxygen by charge."""


@dataclass(frozen=True, repr=False)
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

    fit: ConductivityFit | None = None
    """Conductivity of the host; None: the fit to all committed rows.  To see what fewer rows foretell."""
    elements: ClassVar[tuple[str, ...]] = ("Li", "Al", "Ge")
    reference: ClassVar[Composition] = Composition.from_amounts({"Li": 3, "Al": 1, "Ge": 3})

    def __repr__(self) -> str:
        return "LAGP()" if self.fit is None else f"LAGP({self.fit!r})"

    @property
    def name(self) -> str:
        """``lagp``; with a fit of its own it carries a digest, so that records of two never mix."""
        if self.fit is None:
            return "lagp"
        return f"lagp-{hashlib.blake2b(repr(self.fit).encode(), digest_size=4).hexdigest()}"

    def read(self, source: CompositionLike) -> Reading:
        """Reduce `source` to the ratio Li : Al : Ge.

        A formula, a `Composition` or a pymatgen object may hold P and O; P must be three for every two Al + Ge
        within 1 %, O may be anything and is replaced by charge balance.  A mapping names Li, Al and Ge only.

        Raises
        ------
        CompositionError
            If it cannot be parsed, holds other elements, no lithium, neither Al nor Ge, or the wrong phosphate.
        """
        return FRAMEWORK.read(source)

    def formula(self, composition: Composition) -> str:
        """Charge-balanced formula per two framework cations, numbers rounded to four decimals.

        On the stoichiometric line ``Li1.5Al0.5Ge1.5(PO4)3``, beside it ``Li1.7Al0.5Ge1.5P3O12.1``.
        """
        return FRAMEWORK.formula(composition)

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
        return FRAMEWORK.composition({"Li": 1 + x + delta, "Al": x, "Ge": 2 - x})

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
        check_temperature(temperature_K)
        assemblage, sheet = make_parameters(composition, temperature_K, draw, self.fit)
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


def _material_notes(assemblage: Assemblage) -> tuple[str, ...]:
    if not assemblage.host_fraction:
        return ("no NASICON forms here: conductivity is that of the secondary phases, all of it an assumption",)
    if 0 < assemblage.host_coordinate < FIT_RANGE[0]:
        return ("the conductivity at 0 < x < 0.2 is interpolated: no measured row lies there",)
    return ()
