"""What a strategy may know of a landscape: fractions, and what features are made of them, computed once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from decisions.landscape import FloatArray, Landscape
from dynaphase.acquisition.goal import Goal
from dynaphase.composition import Composition
from dynaphase.errors import InputError
from dynaphase.features import FeatureMap
from dynaphase.first_design import estimates_of

KINDS = ("fractions", "coordinates", "phases")
"""Plain fractions scaled to the pool's ranges; the space's coordinates; coordinates with the phase assemblage."""


class Inputs:
    """Inputs of surrogates at the pool and at the judges of one landscape, by kind."""

    def __init__(self, landscape: Landscape) -> None:
        self.landscape = landscape
        self._made: dict[tuple[str, str], FloatArray] = {}
        self._maps: dict[str, FeatureMap] = {}

    def on(self, landscape: Landscape) -> Inputs:
        """The same inputs, already made ones included, for a landscape with the same pool and judges."""
        shared = Inputs(landscape)
        shared._made, shared._maps = self._made, self._maps
        return shared

    def offers(self, kind: str) -> bool:
        """Whether there is such a kind here: all but fractions need a material system."""
        return kind == "fractions" or (kind in KINDS and self.landscape.space is not None)

    def fractions(self, place: str) -> FloatArray:
        """Fractions (n, k) of the pool or of a judge."""
        return self.landscape.fractions if place == "pool" else self.landscape.judges[place].fractions

    def at(self, place: str, kind: str) -> FloatArray:
        """Inputs (n, D) of one kind at the pool or at a judge, within the unit cube."""
        if not self.offers(kind):
            raise InputError(f"the landscape {self.landscape.name} has no inputs of the kind '{kind}'")
        if (place, kind) not in self._made:
            if kind == "fractions":
                self._made[place, kind] = self._scaled(self.fractions(place))
            else:
                self._made[place, kind] = self._map(kind)(self._compositions(place))
        return self._made[place, kind]

    def trend(self, kind: str) -> tuple[int, ...]:
        """Columns in which the response is expected to be linear."""
        return () if kind == "fractions" else self._map(kind).trend

    def estimates(self, place: str, goal: Goal) -> FloatArray:
        """What closed forms expect of the objectives that have such an estimate, large is good, shape (n, m)."""
        return estimates_of(self._map("phases").names, self.at(place, "phases"), goal)

    def _map(self, kind: str) -> FeatureMap:
        if kind not in self._maps:
            assert self.landscape.space is not None  # offers() has said so
            self._maps[kind] = FeatureMap(self.landscape.space, kind)  # type: ignore[arg-type]
        return self._maps[kind]

    def _compositions(self, place: str) -> Sequence[Composition]:
        return self.landscape.compositions if place == "pool" else self.landscape.judges[place].compositions

    def _scaled(self, fractions: FloatArray) -> FloatArray:
        everywhere = np.vstack([self.landscape.fractions, *(j.fractions for j in self.landscape.judges.values())])
        low, high = everywhere.min(axis=0), everywhere.max(axis=0)
        return (fractions - low) / np.where(high > low, high - low, 1.0)
