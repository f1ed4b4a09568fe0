"""When a simulation need not be finished: what it can still reach is far behind what was found already.

A run is *behind* when one composition on the present Pareto front of S and σ (of the box and of the ceramic) is better
in all of them by a margin, and would be even if the run came out as well as it possibly can.  Both σ are those of the
fresh ceramic and are known once it is sintered.  S falls with the interface width, so S at width 0 bounds it from above
before the interphase is simulated; afterwards S itself is known.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import log10
from statistics import median
from typing import Final

import numpy as np

from dynaphase.composition import Composition
from dynaphase.pareto import is_pareto_optimal
from dynaphase.records import Record

__all__ = ["MARGIN", "EarlyStop"]

_SCORE: Final = "stability_score"
_CONDUCTIVITIES: Final = ("ionic_conductivity_S_per_cm", "ceramic_conductivity_S_per_cm")

MARGIN: Final = (5.0, 0.2)
"""By how much a run must be behind: points of S, decades of each σ.

What weighs alike in a recommendation (`dynaphase.recommend.UNITS`), and more than microstructures of one composition
scatter away from percolation: a composition that is behind by that much is not brought to the front by other seeds.
"""


@dataclass(frozen=True, slots=True)
class EarlyStop:
    """Knows the front; says of a run whether it is behind."""

    front: tuple[tuple[str, float, float, float], ...]
    """Formula, S, log₁₀ σ of the box and of the ceramic (S/cm)."""

    @classmethod
    def beyond(cls, records: Iterable[Record]) -> EarlyStop:
        """The front of finished records, each composition with its medians over microstructures."""
        groups: dict[Composition, list[Record]] = {}
        for record in records:
            if record.is_done:
                groups.setdefault(record.candidate.composition, []).append(record)
        rows = []
        for _, found in sorted(groups.items(), key=lambda item: item[0].key):
            box, ceramic = (log10(_median(found, name)) for name in _CONDUCTIVITIES)
            rows.append((found[0].formula, _median(found, _SCORE), box, ceramic))
        if not rows:
            return cls(())
        optimal = is_pareto_optimal(np.array([row[1:] for row in rows]))
        return cls(tuple(row for row, is_optimal in zip(rows, optimal, strict=True) if is_optimal))

    def reason(self, score: float, values: Mapping[str, float]) -> str | None:
        """Why a run need not go on whose S is at most `score`; None if it must.

        Parameters
        ----------
        score : float
            Upper bound of S, or S.
        values : mapping
            Both conductivities (S/cm) under their names in a record.
        """
        for formula, best_score, *best in self.front:
            behind = [far - log10(values[name]) for far, name in zip(best, _CONDUCTIVITIES, strict=True)]
            if best_score - score >= MARGIN[0] and min(behind) >= MARGIN[1]:
                return (
                    f"stopped early: at best S {score:.1f}, and {formula} has {best_score - score:.1f} more, "
                    f"with a σ {10 ** behind[0]:.3g} times that of the box and {10 ** behind[1]:.3g} times that of "
                    "the ceramic"
                )
        return None


def _median(records: Iterable[Record], name: str) -> float:
    return median(record.values[name] for record in records)
