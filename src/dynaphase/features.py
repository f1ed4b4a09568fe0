"""What the surrogate sees of a composition: coordinates, phases, and what closed forms expect of them.

Properties kink where a phase appears, and a smooth function of element fractions cannot follow that.  The phase
assemblage knows where the kinks are, before anything is simulated: given it, the rest of the response is smooth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import log
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from dynaphase.analytic import effective_conductivity, estimated_stability
from dynaphase.composition import Composition
from dynaphase.errors import ConfigError, unknown_choice
from dynaphase.material_inputs import CERAMIC_GRAIN_SIZE_NM
from dynaphase.materials.base import Material
from dynaphase.materials.wetted import wetted_boundaries
from dynaphase.space import CompositionSpace

__all__ = ["FEATURES", "FeatureKind", "FeatureMap"]

FloatArray = npt.NDArray[np.float64]

FeatureKind = Literal["phases", "coordinates"]

FEATURES: Final = ("phases", "coordinates")
"""Kinds that are built; the first is the default."""

N_SCALE: Final = 256
"""Compositions of the region from which the range of every feature is taken."""

MOST_REMEMBERED: Final = 100_000


@dataclass(frozen=True)
class FeatureMap:
    """Compositions of one space → inputs of the surrogate, shape (n, D), every one between 0 and 1.

    ``coordinates`` gives the space's own coordinates.  ``phases`` adds what the phase assemblage says of the host (how
    much, with which substitution), of the glass on its boundaries and of the other phases, and closed-form estimates of
    σ of the box, σ of the ceramic and S, in which the surrogate has a linear trend (`trend`).

    A feature is scaled by its range over a fixed sample of the region and clipped to 0 … 1; a feature that does not
    vary there is constant ½ and teaches nothing.

    Parameters
    ----------
    space : CompositionSpace
    kind : {"phases", "coordinates"}
    ceramic_grain_size_nm : float
        Grain size of the ceramic whose σ is estimated.
    n_axes : int
        2 in the plane, 3 in space.
    """

    space: CompositionSpace
    kind: FeatureKind = "phases"
    ceramic_grain_size_nm: float = CERAMIC_GRAIN_SIZE_NM
    n_axes: int = 2

    def __post_init__(self) -> None:
        if self.kind not in FEATURES:
            raise unknown_choice("kind of features", self.kind, FEATURES)

    @property
    def names(self) -> tuple[str, ...]:
        """What each column is."""
        coordinates = tuple(f"coordinate {k + 1}" for k in range(self.space.dimension))
        return coordinates + (_PHASES + _ESTIMATES if self.kind == "phases" else ())

    @property
    def trend(self) -> tuple[int, ...]:
        """Columns in which the surrogate has a linear trend: the closed-form estimates."""
        return tuple(k for k, name in enumerate(self.names) if name in _ESTIMATES)

    def __call__(self, compositions: Sequence[Composition]) -> FloatArray:
        """Inputs of `compositions`, shape (n, D).

        Raises
        ------
        ConfigError
            If a composition lies outside the region, where neither scales nor surrogate mean anything.
        """
        coordinates = self.space.to_unit(compositions)
        outside = ~((coordinates >= -1e-6) & (coordinates <= 1 + 1e-6)).all(axis=1)
        if outside.any():
            formula = self.space.system.formula(compositions[int(np.flatnonzero(outside)[0])])
            raise ConfigError(f"{formula} lies outside the region of the sampler '{self.space.sampler.name}'")
        coordinates = coordinates.clip(0, 1)
        if self.kind == "coordinates":
            return coordinates
        low, high = self._range
        spread = np.where(high > low, high - low, 1.0)
        scaled = np.where(high > low, (self._described(compositions) - low) / spread, 0.5)
        return np.hstack([coordinates, scaled.clip(0, 1)])

    @cached_property
    def _remembered(self) -> dict[Composition, FloatArray]:
        return {}

    @cached_property
    def _range(self) -> tuple[FloatArray, FloatArray]:
        found = self._described([*self.space.sobol(N_SCALE, 0), *self.space.grid(7)])
        return found.min(axis=0), found.max(axis=0)

    def _described(self, compositions: Sequence[Composition]) -> FloatArray:
        known = self._remembered
        if len(known) > MOST_REMEMBERED:
            known.clear()
        for composition in compositions:
            if composition not in known:
                known[composition] = self._describe(self.space.system.material(composition))
        return np.array([known[c] for c in compositions]).reshape(len(compositions), len(_PHASES) + len(_ESTIMATES))

    def _describe(self, material: Material) -> FloatArray:
        size = material["grain_size_nm"]
        wetting = wetted_boundaries(material, size, self.n_axes).wetting
        sigma = [effective_conductivity(material, d, self.n_axes) for d in (size, self.ceramic_grain_size_nm)]
        share = min(max(estimated_stability(material) / 100, 1e-4), 1 - 1e-4)
        return np.array(
            [
                material["host_fraction"],
                material["host_coordinate"],
                wetting,
                material["refractory_fraction"],
                *map(log, sigma),
                log(share / (1 - share)),
            ]
        )


_PHASES: Final = ("host fraction", "host coordinate", "wetting", "refractory fraction")
_ESTIMATES: Final = ("estimated log σ of the box", "estimated log σ of the ceramic", "estimated logit S")
