r"""The space a campaign searches: a region of compositions with coordinates on the unit cube.

A *sampler* is a region and the map between it and the unit cube; uniform points of the cube are uniform in the
region.  Three are built:

=================  =========  =========================================================================
name               dimension  region
=================  =========  =========================================================================
``neighbourhood``  2          0 ≤ x ≤ 0.9, −0.4 ≤ δ ≤ 0.4 about the stoichiometric line
``line``           1          0 ≤ x ≤ 0.9 on it, δ = 0
``simplex``        2          all ratios of the three elements with at least 2 % of each
=================  =========  =========================================================================

`CompositionSpace` joins a sampler with a material system and draws points, grids and coordinates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from dynaphase.composition import Composition
from dynaphase.errors import CompositionError, ConfigError, unknown_choice
from dynaphase.materials.base import MaterialSystem

__all__ = [
    "SAMPLERS",
    "CompositionSpace",
    "Line",
    "Neighbourhood",
    "Sampler",
    "Simplex",
    "make_sampler",
]

FloatArray = npt.NDArray[np.float64]

EDGE: Final = 1e-9
"""How far outside the unit cube still counts as on its face."""

OFF_LINE: Final = 1e-6
"""Lithium excess per formula unit beyond which a composition is not on the line."""


@runtime_checkable
class Sampler(Protocol):
    """A region of compositions with coordinates on the unit cube."""

    @property
    def name(self) -> str:
        """Name as in a configuration."""
        ...

    @property
    def dimension(self) -> int:
        """Number of coordinates."""
        ...

    def from_unit(self, system: MaterialSystem, point: FloatArray) -> Composition:
        """Composition at one point, shape (dimension,), of the unit cube."""
        ...

    def to_unit(self, system: MaterialSystem, composition: Composition) -> FloatArray:
        """Coordinates, shape (dimension,); outside the region at least one lies outside 0 … 1."""
        ...

    def grid(self, system: MaterialSystem, n_per_axis: int) -> list[Composition]:
        """Regular grid that includes the edges of the region."""
        ...


@dataclass(frozen=True)
class Neighbourhood:
    """Rectangle in the host coordinates: substitution x along the line, lithium excess δ across it."""

    x: tuple[float, float] = (0.0, 0.9)
    delta: tuple[float, float] = (-0.4, 0.4)
    name: str = "neighbourhood"
    dimension: int = 2

    def from_unit(self, system: MaterialSystem, point: FloatArray) -> Composition:
        """Linear in both: the first coordinate is x, the second δ."""
        return system.from_coordinates(_between(self.x, point[0]), _between(self.delta, point[1]))

    def to_unit(self, system: MaterialSystem, composition: Composition) -> FloatArray:
        """Inverse of `from_unit`."""
        x, delta = system.coordinates(composition)
        return np.array([_position(self.x, x), _position(self.delta, delta)])

    def grid(self, system: MaterialSystem, n_per_axis: int) -> list[Composition]:
        """`n_per_axis`² compositions, δ fastest."""
        axis = np.linspace(0, 1, n_per_axis)
        return [self.from_unit(system, np.array([u, v])) for u in axis for v in axis]


@dataclass(frozen=True)
class Line:
    """The stoichiometric line δ = 0."""

    x: tuple[float, float] = (0.0, 0.9)
    name: str = "line"
    dimension: int = 1

    def from_unit(self, system: MaterialSystem, point: FloatArray) -> Composition:
        """Linear: the coordinate is x."""
        return system.from_coordinates(_between(self.x, point[0]))

    def to_unit(self, system: MaterialSystem, composition: Composition) -> FloatArray:
        """Inverse of `from_unit`.

        Raises
        ------
        CompositionError
            If the composition is not on the line, where one coordinate cannot say what it is.
        """
        x, delta = system.coordinates(composition)
        if abs(delta) > OFF_LINE:
            raise CompositionError(
                f"{system.formula(composition)} lies δ = {delta:.4g} Li per formula unit off the stoichiometric line; "
                "the sampler 'line' knows only δ = 0, use 'neighbourhood' or 'simplex'"
            )
        return np.array([_position(self.x, x)])

    def grid(self, system: MaterialSystem, n_per_axis: int) -> list[Composition]:
        """`n_per_axis` compositions at equal steps of x."""
        return [self.from_unit(system, np.array([u])) for u in np.linspace(0, 1, n_per_axis)]


@dataclass(frozen=True)
class Simplex:
    r"""All ratios of three elements, each with at least a share `percent_least`.

    With s, t the coordinates, shares measured from the least are :math:`1 - \sqrt{s}`, :math:`\sqrt{s}(1 - t)` and
    :math:`\sqrt{s}\,t` of what is left: the map from the unit square to the triangle that preserves area.
    """

    percent_least: int = 2
    """Least amount of each element, atomic percent of the three; an integer, so that lattices are exact."""
    name: str = "simplex"
    dimension: int = 2

    def __post_init__(self) -> None:
        if not 0 < self.percent_least <= 33:
            raise ConfigError(f"the least share must be 1 to 33 percent of the whole, not {self.percent_least}")

    def from_unit(self, system: MaterialSystem, point: FloatArray) -> Composition:
        """Shares of the three elements at one point of the square."""
        root, t = np.sqrt(point[0]), point[1]
        return self._composition(system, np.array([1 - root, root * (1 - t), root * t]))

    def to_unit(self, system: MaterialSystem, composition: Composition) -> FloatArray:
        """Inverse of `from_unit`, continued beyond the triangle; the corner s = 0 has t = ½."""
        shares = np.array([composition[element] for element in _three(system)])
        inner = (shares - self.percent_least / 100) / (1 - 3 * self.percent_least / 100)
        root = inner[1] + inner[2]  # not 1 − inner[0], whose rounding the division would magnify near the corner
        t = inner[2] / root if root else 0.5
        return np.array([root * abs(root), t])

    def grid(self, system: MaterialSystem, n_per_axis: int) -> list[Composition]:
        """Triangular lattice of n(n + 1)/2 compositions with n points along each side, exact in integers."""
        steps, least = n_per_axis - 1, self.percent_least
        lattice = [(i, j, steps - i - j) for i in range(n_per_axis) for j in range(n_per_axis - i)]
        return [
            Composition.from_amounts(
                {
                    element: least * steps + (100 - 3 * least) * share
                    for element, share in zip(_three(system), shares, strict=True)
                }
            )
            for shares in lattice
        ]

    def _composition(self, system: MaterialSystem, inner: FloatArray) -> Composition:
        shares = self.percent_least / 100 + (1 - 3 * self.percent_least / 100) * inner
        return Composition.from_amounts(
            {element: float(share) for element, share in zip(_three(system), shares, strict=True)}
        )


SAMPLERS: Final = ("neighbourhood", "line", "simplex")
"""Names of the samplers that are built."""


def make_sampler(name: str) -> Sampler:
    """Sampler called `name` with its default region.

    Raises
    ------
    ConfigError
        If there is no such sampler; the message lists the ones there are and the nearest match.
    """
    match name:
        case "neighbourhood":
            return Neighbourhood()
        case "line":
            return Line()
        case "simplex":
            return Simplex()
    raise unknown_choice("sampler", name, SAMPLERS)


@dataclass(frozen=True)
class CompositionSpace:
    """Compositions of one material system within the region of one sampler.

    Examples
    --------
    >>> from dynaphase.materials import get_system
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


def _between(limits: tuple[float, float], position: float) -> float:
    return float(limits[0] + (limits[1] - limits[0]) * position)


def _position(limits: tuple[float, float], value: float) -> float:
    return (value - limits[0]) / (limits[1] - limits[0])


def _three(system: MaterialSystem) -> tuple[str, ...]:
    if len(system.elements) != 3:
        raise ConfigError(
            f"the sampler 'simplex' needs a system of three elements; {system.name} has {', '.join(system.elements)}"
        )
    return system.elements


def _count(n: int, least: int) -> int:
    if n < least:
        raise ConfigError(f"the number of compositions must be {least} or more, not {n}")
    return n
