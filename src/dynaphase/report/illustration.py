"""What all figures of a report share: how one is embedded, names, colours, points sorted by role."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dynaphase.report.evidence import BOX, CERAMIC, CURRENT, SCORE, Point
from dynaphase.report.style import COLOURS

__all__ = ["COLOUR_OF", "NAME_OF", "FloatArray", "Illustration", "by_role", "name_of"]

FloatArray = npt.NDArray[np.float64]

NAME_OF: Final = {SCORE: "S", BOX: "σ, simulated box", CERAMIC: "σ, ceramic", CURRENT: "critical current density"}
COLOUR_OF: Final = {
    SCORE: COLOURS["S"],
    BOX: COLOURS["sigma"],
    CERAMIC: COLOURS["ceramic"],
    CURRENT: COLOURS["current"],
}


def name_of(target: str) -> str:
    """A target in words; one that only the goal of a campaign names is called as in its configuration."""
    return NAME_OF.get(target, target)


@dataclass(frozen=True, slots=True)
class Illustration:
    """An embedded image with the words that replace it for those who cannot see it."""

    source: str
    description: str


def by_role(points: Iterable[Point], row: Any) -> dict[str, FloatArray]:
    """Rows that `row` makes of the points, as one array a role."""
    rows: dict[str, list[Sequence[float]]] = {}
    for point in points:
        rows.setdefault(point.role, []).append(row(point))
    return {role: np.array(values) for role, values in rows.items()}
