"""Compositions: exact, immutable, hashable.

A composition is what is *in* a material, up to scale: only ratios count.  The amounts are kept as integers on
a lattice of 10⁻¹² of the whole, so equality, hashing and keys are sharp, while an element balance computed from
them still closes to well below 10⁻⁹.  (A coarser lattice, 10⁻⁶ say, would move ``Li1.5Al0.5Ge1.5(PO4)3`` off the
stoichiometric line by 10⁻⁶ and with it every check that holds on the line.)

Formulas are parsed by pymatgen; what its parser lets through although no material contains it (dummy species,
infinite amounts) is refused here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from math import lcm
from typing import Any, Final, TypeAlias
from unicodedata import normalize

from dynaphase.errors import CompositionError

__all__ = ["RESOLUTION", "Amounts", "Composition", "CompositionLike", "read_amounts"]

RESOLUTION: Final = 10**12
"""Number of lattice parts that make up one whole composition."""

Amounts: TypeAlias = dict[str, float]
"""Amounts by element symbol, any scale, all finite and non-negative."""

CompositionLike: TypeAlias = "str | Composition | Mapping[str, float] | Any"
"""A formula, a `Composition`, amounts by element, or a pymatgen composition, element or structure."""


@dataclass(frozen=True, slots=True)
class Composition:
    """Atomic fractions of the elements, canonical.

    Parameters
    ----------
    parts : tuple of (element, count)
        Elements in alphabetical order with positive integer counts that sum to `RESOLUTION`.
        Use `from_amounts` or `parse` rather than the constructor.

    Examples
    --------
    >>> c = Composition.parse("Li1.5Al0.5Ge1.5")
    >>> c == Composition.from_amounts({"Ge": 3, "Al": 1, "Li": 3})
    True
    >>> round(c["Li"], 6)
    0.428571
    """

    parts: tuple[tuple[str, int], ...]

    def __post_init__(self) -> None:
        if sum(count for _, count in self.parts) != RESOLUTION or any(c <= 0 for _, c in self.parts):
            raise CompositionError(
                "a composition needs positive integer parts that sum to the lattice resolution; "
                "build it with Composition.parse or Composition.from_amounts"
            )

    @classmethod
    def parse(cls, source: CompositionLike) -> Composition:
        """Read a composition from anything that `read_amounts` takes."""
        return source if isinstance(source, Composition) else cls.from_amounts(read_amounts(source))

    @classmethod
    def from_amounts(cls, amounts: Mapping[str, float]) -> Composition:
        """Round amounts of any scale onto the lattice (largest remainder, so that the parts sum exactly).

        A float is read as the shortest decimal that prints like it, which is what was written: 1.3 : 0.3 : 1.7 and
        13 : 3 : 17 are the same composition.

        Raises
        ------
        CompositionError
            If an amount is negative, infinite or NaN, if all are zero, or if a positive amount is so small
            that it vanishes on the lattice.
        """
        for element, amount in amounts.items():
            _check_amount(element, amount)
        decimals = {element: Fraction(repr(float(amounts[element]))) for element in sorted(amounts)}
        common = lcm(*(amount.denominator for amount in decimals.values()))
        exact = {e: amount.numerator * (common // amount.denominator) for e, amount in decimals.items() if amount}
        total = sum(exact.values())
        if not total:
            raise CompositionError("a composition needs at least one element with a positive amount")
        counts = {element: RESOLUTION * amount // total for element, amount in exact.items()}
        by_remainder = sorted(exact, key=lambda element: (-(RESOLUTION * exact[element] % total), element))
        for element in by_remainder[: RESOLUTION - sum(counts.values())]:
            counts[element] += 1
        for element, count in counts.items():
            if exact[element] * RESOLUTION < total or count == 0:
                raise CompositionError(
                    f"the amount of {element} ({amounts[element]:g}) is below one part in {RESOLUTION:.0e} "
                    "of the composition; leave the element out or give it a larger amount"
                )
        return cls(tuple(counts.items()))

    @property
    def elements(self) -> tuple[str, ...]:
        """Element symbols, alphabetical."""
        return tuple(element for element, _ in self.parts)

    @property
    def fractions(self) -> Amounts:
        """Atomic fractions by element, alphabetical, summing to 1."""
        return {element: count / RESOLUTION for element, count in self.parts}

    @property
    def key(self) -> str:
        """Text that is equal exactly when two compositions are equal, e.g. ``Al142857142857-Ge…-Li…``."""
        return "-".join(f"{element}{count}" for element, count in self.parts)

    def __getitem__(self, element: str) -> float:
        """Atomic fraction of `element`; 0 if it is absent."""
        return next((count / RESOLUTION for name, count in self.parts if name == element), 0.0)

    def __str__(self) -> str:
        return " ".join(f"{element}{fraction:.4g}" for element, fraction in self.fractions.items())


def read_amounts(source: CompositionLike) -> Amounts:
    """Amounts by element from a formula, a mapping, a `Composition` or a pymatgen object.

    Raises
    ------
    CompositionError
        If the formula cannot be parsed, names something that is no chemical element, or holds an amount that
        is negative, infinite or NaN.

    Examples
    --------
    >>> read_amounts("LiGe2(PO4)3")
    {'Li': 1.0, 'Ge': 2.0, 'P': 3.0, 'O': 12.0}
    """
    if isinstance(source, Composition):
        return dict(source.fractions)
    if isinstance(source, str):
        amounts = _parse_formula(source)
    elif hasattr(source, "get_el_amt_dict"):  # pymatgen Composition
        amounts = dict(source.get_el_amt_dict())
    elif hasattr(source, "composition"):  # pymatgen Structure, entry
        return read_amounts(source.composition)
    elif isinstance(source, Mapping):
        amounts = dict(source)
    elif hasattr(source, "symbol"):  # pymatgen Element
        amounts = {source.symbol: 1.0}
    else:
        raise CompositionError(
            f"cannot read a composition from {type(source).__name__}; give a formula such as "
            "'Li1.5Al0.5Ge1.5(PO4)3', a mapping of element to amount, or a pymatgen composition"
        )
    return {_element(name): _check_amount(name, amount) for name, amount in amounts.items()}


def _parse_formula(formula: str) -> dict[str, float]:
    from pymatgen.core.composition import Composition as PymatgenComposition

    text = normalize("NFKC", formula).strip()  # pasted subscripts are digits
    if not text:
        raise CompositionError("the formula is empty; write one such as 'Li1.5Al0.5Ge1.5(PO4)3'")
    if "," in text:
        raise CompositionError(f"'{formula}' holds a comma; write decimals with a point, for example 'Li1.5'")
    if "-" in text or "−" in text:
        raise CompositionError(f"'{formula}' holds a minus sign: amounts in a formula must be positive")
    try:
        amounts = dict(PymatgenComposition(text).get_el_amt_dict())
    except Exception as error:  # pymatgen raises many types, ValueError to KeyError
        raise CompositionError(
            f"'{formula}' is not a chemical formula ({error}); write element symbols and amounts, "
            "for example 'Li1.5Al0.5Ge1.5(PO4)3'"
        ) from None
    if not amounts:
        raise CompositionError(f"'{formula}' holds no element with a positive amount")
    return amounts


def _element(name: object) -> str:
    from pymatgen.core.periodic_table import Element

    if not isinstance(name, str) or not Element.is_valid_symbol(name):
        raise CompositionError(
            f"'{name}' is not the symbol of a chemical element; write symbols such as Li, Al, Ge, P, O"
        )
    return name


def _check_amount(element: object, amount: Any) -> float:
    try:
        value = float(amount)
    except (TypeError, ValueError):
        raise CompositionError(f"the amount of {element} is not a number: {amount!r}") from None
    if not math.isfinite(value) or value < 0:
        raise CompositionError(f"the amount of {element} is {value:g}; amounts must be finite and not negative")
    return value
