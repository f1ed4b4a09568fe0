"""The frame of a composition space: what is fixed beside the elements that vary, and how formulas are read and written.

A composition is the ratio of the *axes*, of which the first is the mobile ion.  Some of the others are framework
cations; for every `n_cations` of them the structure holds fixed amounts of *spectators* (phosphorus in NASICON,
lanthanum in garnet), and the *anion* balances charge.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from dynaphase.composition import RESOLUTION, Amounts, Composition, CompositionLike, read_amounts
from dynaphase.errors import CompositionError
from dynaphase.materials.base import Reading

__all__ = ["Framework"]

SPECTATOR_TOLERANCE: Final = 0.01
"""Relative error of a spectator's amount that is taken for rounding."""

SPECTATOR_ROUNDING: Final = 1e-4
"""Relative error of it that four decimals can make, not worth a note."""

NOTED_DIFFERENCE: Final = 1e-3
"""Relative difference of given from balanced anions that is worth a note."""

VANISHING: Final = 2 / RESOLUTION
"""Share of the whole below which an amount is taken to be none."""

ON_LINE: Final = 5e-5
"""Excess of the mobile ion per formula unit below which a formula is written as on the line."""


@dataclass(frozen=True)
class Framework:
    """Fixed and varying elements of one material system, per formula unit of its host."""

    label: str
    """Name in messages."""
    axes: tuple[str, ...]
    cations: tuple[str, ...]
    n_cations: float
    spectators: tuple[tuple[str, float], ...]
    anion: str
    n_anions: float
    """Of the neutral host."""
    charges: tuple[tuple[str, int], ...]
    example: str
    group: str = ""
    """How spectators and anions are written on the line, e.g. (PO4)3."""
    order: tuple[str, ...] = ()
    """Order of the elements in a formula; by default axes, spectators, anion."""

    @property
    def mobile(self) -> str:
        """The mobile ion."""
        return self.axes[0]

    def charge(self, amounts: Mapping[str, float]) -> float:
        """Net formal charge of the given atoms, in units of e."""
        states = dict(self.charges)
        return sum(states[element] * amount for element, amount in amounts.items())

    def per_formula_unit(self, composition: Composition) -> dict[str, float]:
        """Amounts of the axes for `n_cations` framework cations.

        Raises
        ------
        CompositionError
            If the composition holds other elements, no mobile ion, or no framework cation.
        """
        parts = dict(composition.parts)
        foreign = sorted(set(parts) - set(self.axes))
        if foreign:
            raise CompositionError(
                f"{self.label} is spanned by {_listed(self.axes, 'and')}, but the composition holds "
                f"{', '.join(foreign)}; reduce a full formula with the system's read(...) first"
            )
        framework = sum(parts.get(element, 0) for element in self.cations)
        self._require(parts.get(self.mobile, 0), framework, "this composition")
        return {element: self.n_cations * parts.get(element, 0) / framework for element in self.axes}

    def excess(self, amounts: Mapping[str, float]) -> float:
        """δ: mobile ion in excess of the neutral host with the same other elements, per formula unit."""
        others = {element: amounts.get(element, 0.0) for element in self.axes[1:]}
        states = dict(self.charges)
        anions = -states[self.anion] * self.n_anions
        neutral = anions - self.charge(dict(self.spectators)) - self.charge(others)
        return amounts[self.mobile] - neutral / states[self.mobile]

    def balanced_anions(self, amounts: Mapping[str, float]) -> float:
        """Anions per formula unit that make `amounts` of the axes neutral."""
        states = dict(self.charges)
        return self.n_anions + states[self.mobile] * self.excess(amounts) / -states[self.anion]

    def composition(self, amounts: Mapping[str, float]) -> Composition:
        """Composition of the axes; what its lattice cannot hold is none."""
        total = sum(amounts.values())
        return Composition.from_amounts({e: n if n > VANISHING * total else 0.0 for e, n in amounts.items()})

    def read(self, source: CompositionLike) -> Reading:
        """Reduce `source` to the ratio of the axes.

        A formula, a `Composition` or a pymatgen object may hold spectators and anions; spectators must be there in
        their fixed proportion within 1 %, anions may be anything and are replaced by charge balance.  A mapping names
        the axes only.

        Raises
        ------
        CompositionError
            If it cannot be parsed, holds other elements, or lacks the mobile ion, the framework or a spectator.
        """
        amounts = read_amounts(source)
        is_mapping = isinstance(source, Mapping) and not hasattr(source, "get_el_amt_dict")
        implied = (*(element for element, _ in self.spectators), self.anion)
        self._refuse_foreign(amounts, self.axes if is_mapping else (*self.axes, *implied))
        framework = sum(amounts.get(element, 0.0) for element in self.cations)
        self._require(amounts.get(self.mobile, 0.0), framework, str(source))
        notes = (*self._spectator_notes(amounts, framework), *self._anion_notes(amounts, framework))
        return Reading(Composition.from_amounts({e: amounts.get(e, 0.0) for e in self.axes}), notes)

    def formula(self, composition: Composition) -> str:
        """Neutral formula per formula unit, numbers rounded to four decimals."""
        amounts = self.per_formula_unit(composition)
        is_on_line = abs(self.excess(amounts)) < ON_LINE
        anions = self.n_anions if is_on_line else self.balanced_anions(amounts)
        written = amounts | dict(self.spectators) | {self.anion: anions}
        if is_on_line and self.group:
            return "".join(e + number(written[e]) for e in self.axes if written[e] > 0) + self.group
        order = self.order or (*self.axes, *dict(self.spectators), self.anion)
        return "".join(element + number(written[element]) for element in order if written[element] > 0)

    def _require(self, mobile: float, framework: float, what: str) -> None:
        if mobile > 0 and framework > 0:
            return
        missing = _listed(self.cations, "or") if mobile > 0 else self.mobile
        raise CompositionError(
            f"{what} has no {missing}; {self.label} needs {self.mobile} and {_at_least_one(self.cations)}, for example "
            f"{self.example}"
        )

    def _refuse_foreign(self, amounts: Amounts, allowed: tuple[str, ...]) -> None:
        foreign = [element for element in amounts if element not in allowed]
        if foreign:
            implied = [element for element, _ in self.spectators] + [self.anion]
            hint = f" {_listed(implied, 'and')} follow from {' : '.join(self.axes)}; leave them out of a mapping."
            raise CompositionError(
                f"{', '.join(foreign)} is not part of a composition of {self.label}; allowed: {', '.join(allowed)}."
                + (hint if {*implied} & {*foreign} else "")
            )

    def _spectator_notes(self, amounts: Amounts, framework: float) -> Iterator[str]:
        given = {element: amounts.get(element, 0.0) for element, _ in self.spectators}
        if not any(given.values()):
            return
        together = " + ".join(self.cations)
        ratio_name = f"({together})" if len(self.cations) > 1 else together
        for element, wanted in self.spectators:
            ratio = self.n_cations * given[element] / framework / wanted
            is_ = f"{wanted * ratio:.4g} : {self.n_cations:g}"
            if abs(ratio - 1) > SPECTATOR_TOLERANCE:
                raise CompositionError(
                    f"{element} : {ratio_name} is {is_} here, {self.label} has {wanted:g} : {self.n_cations:g} "
                    f"({element}{number(wanted * framework / self.n_cations)} for {together} = {number(framework)}); "
                    f"correct it or leave {_listed([*given, self.anion], 'and')} out"
                )
            if abs(ratio - 1) > SPECTATOR_ROUNDING:
                yield (
                    f"{element} : {ratio_name} is given as {wanted * ratio:.4f} : {self.n_cations:g} and taken as "
                    f"{wanted:g} : {self.n_cations:g}"
                )

    def _anion_notes(self, amounts: Amounts, framework: float) -> Iterator[str]:
        unit = {e: self.n_cations * amounts.get(e, 0.0) / framework for e in self.axes}
        balanced, given = self.balanced_anions(unit), amounts.get(self.anion, 0.0)
        name = {"O": "oxygen", "S": "sulphur"}.get(self.anion, self.anion)
        is_full = any(amounts.get(element, 0.0) > 0 for element, _ in self.spectators)
        if not given and is_full:
            yield f"no {name} is given; charge balance sets it to {self.anion}{number(balanced)}"
        if not given:
            return
        per_unit = self.n_cations * given / framework
        if abs(per_unit / balanced - 1) > NOTED_DIFFERENCE:
            yield (
                f"{name} is given as {self.anion}{number(per_unit)} per formula unit; charge balance sets it to "
                f"{self.anion}{number(balanced)}"
            )


def number(value: float) -> str:
    """Four decimals, more only for numbers so small that they would vanish; no trailing zeros, no 1."""
    decimals = 4 if value >= 1e-3 else 1 - math.floor(math.log10(value))
    text = f"{value:.{decimals}f}".rstrip("0").rstrip(".")
    return "" if text == "1" else text


def _listed(names: tuple[str, ...] | list[str], word: str) -> str:
    return f" {word} ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _at_least_one(names: tuple[str, ...]) -> str:
    return f"at least one of {_listed(names, 'and')}" if len(names) > 1 else names[0]
