"""The space a campaign searches: a sampler's region of compositions of one material system."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from dynaphase.composition import Composition
from dynaphase.errors import CompositionError, ConfigError
from dynaphase.materials.base import MaterialSystem
from dynaphase.samplers import Sampler

__all__ = ["CompositionSpace"]

FloatArray = npt.NDArray[np.float64]

EDGE: Final = 1e-9
"""How far outside the unit cube still counts as on its face."""


@dataclass(frozen=True)
class CompositionSpace:
    """Compositions of one material system within the region of one sampler.

    Examples
    --------
    >>> from dynaphase.materials import get_system
    >>> from dynaphase.samplers import make_sampler
    >>> space = CompositionSpace(get_system("lagp"), make_sampler("line"))
    >>> [space.system.formula(c) for c in space.grid(4)]
    ['LiGe2(PO4)3', 'Li1.3Al0.3Ge1.7(PO4)3', 'Li1.6Al0.6Ge1.4(PO4)3', 'Li1.9Al0.9Ge1.1(PO4)3']
    """

    system: MaterialSystem
    sampler: Sampler

    @property
    def dimension(self) -> int:
        """Number of coordinates."""
        return self.sampler.dimension

    def sample(self, n: int, rng: np.random.Generator) -> list[Composition]:
        """`n` independent compositions, uniform in the region."""
        return self.from_unit(rng.random((_count(n, 0), self.dimension)))

    def sobol(self, n: int, seed: int | np.random.SeedSequence) -> list[Composition]:
        """`n` compositions of a scrambled Sobol sequence: they fill the region more evenly than random ones.

        For the same seed a longer sequence begins with the shorter one.
        """
        from scipy.stats import qmc

        sequence = qmc.Sobol(self.dimension, scramble=True, rng=np.random.default_rng(seed))
        # Generated in powers of two, as the sequence is balanced, and cut.
        points = sequence.random_base2(max(_count(n, 0) - 1, 0).bit_length())
        return self.from_unit(points[:n])

    def from_unit(self, points: npt.ArrayLike) -> list[Composition]:
        """Compositions at points of the unit cube.

        Parameters
        ----------
        points : array, shape (n, dimension)
            Coordinates between 0 and 1.

        Raises
        ------
        ConfigError
            If the shape is wrong or a point lies outside the cube.
        """
        array = np.asarray(points, dtype=np.float64)
        if array.ndim != 2 or array.shape[1] != self.dimension:
            raise ConfigError(f"points must have shape (n, {self.dimension}), not {array.shape}")
        if not np.all((array >= -EDGE) & (array <= 1 + EDGE)):
            raise ConfigError("points must lie in the unit cube, every coordinate between 0 and 1")
        return [self.sampler.from_unit(self.system, point) for point in array.clip(0, 1)]

    def to_unit(self, compositions: Sequence[Composition]) -> FloatArray:
        """Coordinates, shape (n, dimension); a composition outside the region has one outside 0 … 1."""
        points = [self.sampler.to_unit(self.system, composition) for composition in compositions]
        return np.array(points, dtype=np.float64).reshape(len(points), self.dimension)

    def contains(self, composition: Composition) -> bool:
        """Whether `composition` lies in the region, edges included."""
        try:
            point = self.sampler.to_unit(self.system, composition)
        except CompositionError:
            return False
        return bool(np.all((point >= -EDGE) & (point <= 1 + EDGE)))

    def grid(self, n_per_axis: int) -> list[Composition]:
        """Regular grid with `n_per_axis` points along each axis (or side of the triangle), edges included."""
        return self.sampler.grid(self.system, _count(n_per_axis, 2))


def _count(n: int, least: int) -> int:
    if n < least:
        raise ConfigError(f"the number of compositions must be {least} or more, not {n}")
    return n
