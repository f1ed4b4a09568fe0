"""From rows of a table to a curve: conductivity and activation energy of a host at any x."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from dynaphase.materials.base import Status
from dynaphase.materials.conduction import Estimate
from dynaphase.materials.table_schema import ConductivitySection, EnergyPoint, EnergySection, Point

__all__ = ["activation_energy", "conductivity"]

RELIABILITY: Final = (Status.MEASURED, Status.DERIVED, Status.QUOTED, Status.CLOSURE)
"""Best first."""

BEYOND_SD: Final = 1.0
"""Growth of the standard deviation of log₁₀ σ per unit of x beyond the last row (decades)."""

BEYOND_SD_ENERGY: Final = 0.2
"""The same of an activation energy (eV)."""

LARGEST_STEP: Final = 1.0
"""Neighbouring rows that differ by more (decades) leave open what lies between: interpolation is then an assumption."""

LARGEST_GAP: Final = 0.5
"""The same for neighbouring rows that lie farther apart in x."""

POWERS: Final = ("", "x", "x²", "x³", "x⁴")


def conductivity(section: ConductivitySection, x: float) -> Estimate:
    """log₁₀ σ (S/cm) of the total conductivity at 25 °C, sd in decades.

    Beyond the rows the value is held and its standard deviation grows by one decade per unit of x.
    """
    if section.law == "polynomial":
        return _polynomial(section.points, section.degree, x)
    return _segments(section.points, x, BEYOND_SD, "log10 σ (S/cm, 25 °C)")


def activation_energy(section: EnergySection, x: float) -> Estimate:
    """Activation energy of σT (eV)."""
    return _segments(section.points, x, BEYOND_SD_ENERGY, "Ea (eV)")


def _segments(rows: Sequence[Point | EnergyPoint], x: float, growth: float, name: str) -> Estimate:
    """Straight pieces between the means of the rows at equal x."""
    knots = [_mean([row for row in rows if row.x == at]) for at in sorted({row.x for row in rows})]
    places = sorted({row.x for row in rows})
    for at, knot in zip(places, knots, strict=True):
        if math.isclose(at, x, abs_tol=1e-9):
            return knot
    for (low, left), (high, right) in pairwise(zip(places, knots, strict=True)):
        if low < x < high:
            return _between(x, low, left, high, right, name)
    nearest = 0 if x < places[0] else -1
    return _beyond(knots[nearest], abs(x - places[nearest]), growth, f"x = {places[nearest]:g}")


def _mean(rows: Sequence[Point | EnergyPoint]) -> Estimate:
    return Estimate(
        float(np.mean([row.value for row in rows])),
        math.sqrt(float(np.mean([row.sd**2 for row in rows]))),
        _worst([Status(row.status) for row in rows]),
        ", ".join(dict.fromkeys(row.citation for row in rows)),
    )


def _between(x: float, low: float, left: Estimate, high: float, right: Estimate, name: str) -> Estimate:
    share = (x - low) / (high - low)
    is_open = abs(right.value - left.value) > LARGEST_STEP or high - low > LARGEST_GAP
    sources = ", ".join(dict.fromkeys(", ".join((left.source, right.source)).split(", ")))
    return Estimate(
        left.value + share * (right.value - left.value),
        left.sd + share * (right.sd - left.sd),
        Status.CLOSURE if is_open else _worst([left.status, right.status]),
        f"{name} interpolated between x = {low:g} and {high:g}{', no row between' if is_open else ''}; {sources}",
    )


def _beyond(end: Estimate, distance: float, growth: float, where: str) -> Estimate:
    return Estimate(
        end.value,
        math.hypot(end.sd, growth * distance),
        Status.CLOSURE,
        f"beyond the rows, held at the value of {where}; {end.source}",
    )


def _polynomial(rows: Sequence[Point], degree: int, x: float) -> Estimate:
    """Weighted least squares; a source with n rows weighs √n, as rows of one laboratory share its systematic error."""
    n_rows = Counter(row.citation for row in rows)
    # polyfit multiplies residuals, so it takes the square root of the weight 1/(sd² √n).
    roots = [n_rows[row.citation] ** -0.25 / row.sd for row in rows]
    c = np.polynomial.polynomial.polyfit([row.x for row in rows], [row.value for row in rows], degree, w=roots)
    low, high = min(row.x for row in rows), max(row.x for row in rows)
    inside = min(max(x, low), high)
    law = "".join(f" {'−' if v < 0 else '+'} {abs(v):.3f}{term}" for v, term in zip(c, POWERS, strict=False))
    fit = Estimate(
        float(np.polynomial.polynomial.polyval(inside, c)),
        math.sqrt(float(np.mean([row.sd**2 for row in rows]))),
        _worst([Status(row.status) for row in rows]),
        f"log10 σ (S/cm, 25 °C) ={law}, weighted least squares; {', '.join(sorted(n_rows))}",
    )
    distance = abs(x - inside)
    return _beyond(fit, distance, BEYOND_SD, f"x = {inside:g}") if distance > 1e-9 else fit


def _worst(statuses: Sequence[Status]) -> Status:
    return max(statuses, key=RELIABILITY.index)
