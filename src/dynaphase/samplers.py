r"""Samplers: regions of compositions with coordinates on the unit cube.

A *sampler* is a region and the map between it and the unit cube; uniform points of the cube are uniform in the
region.  Three are built:

=================  =========  =========================================================================
name               dimension  region
=================  =========  =========================================================================
``neighbourhood``  2          0 ≤ x ≤ 0.9, −0.4 ≤ δ ≤ 0.4 about the stoichiometric line
``line``           1          0 ≤ x ≤ 0.9 on it, δ = 0
``simplex``        n − 1      all ratios of the n elements with at least 2 % of each
=================  =========  =========================================================================

For systems of more than three elements x and δ span a section of the simplex, on which the host's end members are
mixed as in the reference; a composition off it belongs to neither ``neighbourhood`` nor ``line``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from dynaphase.composition import Composition
from dynaphase.errors import CompositionError, ConfigError, unknown_choice
from dynaphase.materials.base import MaterialSystem

__all__ = [
    "MAX_ELEMENTS",
    "MAX_LATTICE",
    "SAMPLERS",
    "Line",
    "Neighbourhood",
    "Region",
    "Sampler",
    "Simplex",
    "make_sampler",
]

FloatArray = npt.NDArray[np.float64]

OFF_LINE: Final = 1e-6
"""Lithium excess per formula unit beyond which a composition is not on the line."""

OFF_SECTION: Final = 1e-5
"""Difference of an atomic fraction beyond which a composition is not on the section that x and δ span."""

MAX_ELEMENTS: Final = 10
MAX_LATTICE: Final = 12_000
"""Most compositions of a grid of the simplex; 11 440 has one of ten elements with 8 points along an edge."""

LARGEST_X: Final = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.05)
LARGEST_DELTA: Final = (0.4, 0.3, 0.2, 0.1, 0.05, 0.02, 0.01)
DEPTH: Final = 2.4
"""A region goes so deep in δ that this times as much could still be taken away."""


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


class Region(ABC):
    """What a sampler has besides whose region is cut by constraints: its uniform map and its coordinates are two."""

    @property
    @abstractmethod
    def cube_dimension(self) -> int:
        """Number of coordinates that `from_cube` takes."""

    @abstractmethod
    def from_cube(self, system: MaterialSystem, points: FloatArray) -> list[Composition]:
        """Compositions at points of the unit cube, shape (m, cube_dimension); uniform points become uniform."""

    @abstractmethod
    def contains(self, system: MaterialSystem, composition: Composition) -> bool:
        """Whether the composition lies in the region, edges included."""

    @abstractmethod
    def corners(self, system: MaterialSystem) -> list[Composition]:
        """Extreme compositions of the region."""


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
        """Inverse of `from_unit`.

        Raises
        ------
        CompositionError
            If the composition is not on the section that x and δ span.
        """
        x, delta = _on_section(system, composition)
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
        x, delta = _on_section(system, composition)
        if abs(delta) > OFF_LINE:
            raise CompositionError(
                f"{system.formula(composition)} lies δ = {delta:.4g} {system.elements[0]} per formula unit off the "
                "stoichiometric line; "
                "the sampler 'line' knows only δ = 0, use 'neighbourhood' or 'simplex'"
            )
        return np.array([_position(self.x, x)])

    def grid(self, system: MaterialSystem, n_per_axis: int) -> list[Composition]:
        """`n_per_axis` compositions at equal steps of x."""
        return [self.from_unit(system, np.array([u])) for u in np.linspace(0, 1, n_per_axis)]


@dataclass(frozen=True)
class Simplex:
    r"""All ratios of n elements, each with at least a share `percent_least`.

    Sticks are broken: of what is left, the k-th element takes :math:`1 - u_k^{1/(n-k)}` and the last one the rest, on
    top of the least share.  This map from the unit cube to the simplex preserves volume (what is left after the k-th
    of n uniform shares is a Beta(n − k, 1) part of what was left before it), so uniform points stay uniform.
    """

    percent_least: int = 2
    """Least amount of each element, atomic percent of all; an integer, so that lattices are exact."""
    n_elements: int = 3
    name: str = "simplex"

    def __post_init__(self) -> None:
        if not 2 <= self.n_elements <= MAX_ELEMENTS:
            raise ConfigError(
                f"the sampler 'simplex' is for 2 to {MAX_ELEMENTS} elements, not {self.n_elements}; use 'neighbourhood'"
            )
        if not 0 < self.percent_least < 100 / self.n_elements:
            most = math.ceil(100 / self.n_elements) - 1
            raise ConfigError(
                f"the least share must be 1 to {most} percent of the whole for {self.n_elements} elements, not "
                f"{self.percent_least}"
            )

    @property
    def dimension(self) -> int:
        """One less than there are elements."""
        return self.n_elements - 1

    @property
    def _powers(self) -> FloatArray:
        return np.arange(self.dimension, 0, -1, dtype=np.float64)

    @property
    def _free(self) -> float:
        """What is left of the whole beyond the least shares."""
        return 1 - self.n_elements * self.percent_least / 100

    def from_unit(self, system: MaterialSystem, point: FloatArray) -> Composition:
        """Shares of the elements at one point of the cube."""
        kept = point ** (1 / self._powers)
        left = np.cumprod([1.0, *kept])
        inner = np.append(left[:-1] * (1 - kept), left[-1])
        shares = self.percent_least / 100 + self._free * inner
        return Composition.from_amounts(dict(zip(self._elements(system), map(float, shares), strict=True)))

    def to_unit(self, system: MaterialSystem, composition: Composition) -> FloatArray:
        """Inverse of `from_unit`, continued beyond the simplex; where nothing is left to divide, coordinates are ½."""
        shares = np.array([composition[element] for element in self._elements(system)])
        inner = (shares - self.percent_least / 100) / self._free
        # Summed from the end: 1 − the first shares would magnify rounding near a corner.
        left = np.cumsum(inner[::-1])[::-1]
        left[0] = 1.0
        kept = [_part(*pair, is_empty=not inner[k:].any()) for k, pair in enumerate(pairwise(left))]
        return np.copysign(np.abs(kept) ** self._powers, kept)

    def grid(self, system: MaterialSystem, n_per_axis: int) -> list[Composition]:
        """Lattice with `n_per_axis` points along each edge, exact in integers; fewer for more than `MAX_LATTICE`."""
        n = self.n_elements
        steps = n_per_axis - 1
        while steps > 1 and math.comb(steps + n - 1, n - 1) > MAX_LATTICE:
            steps -= 1
        elements, least = self._elements(system), self.percent_least
        return [
            Composition.from_amounts(
                {e: least * steps + (100 - n * least) * share for e, share in zip(elements, shares, strict=True)}
            )
            for shares in _lattice(steps, n)
        ]

    def _elements(self, system: MaterialSystem) -> tuple[str, ...]:
        if len(system.elements) != self.n_elements:
            raise ConfigError(
                f"this sampler 'simplex' is for {self.n_elements} elements; {system.name} has "
                f"{', '.join(system.elements)}: make one with make_sampler('simplex', system)"
            )
        return system.elements


def _part(whole: float, rest: float, *, is_empty: bool) -> float:
    """The rest over the whole; of nothing a half, and what has to be taken from nothing lies outside."""
    if whole != 0:
        return float(rest / whole)
    return 0.5 if is_empty else -1.0


def _lattice(total: int, n: int) -> Iterator[tuple[int, ...]]:
    """All n-tuples of whole numbers that sum to `total`."""
    if n == 1:
        yield (total,)
        return
    for first in range(total + 1):
        for rest in _lattice(total - first, n - 1):
            yield (first, *rest)


SAMPLERS: Final = ("neighbourhood", "line", "simplex")
"""Names of the samplers that are built."""


def make_sampler(name: str, system: MaterialSystem | None = None) -> Sampler:
    """Sampler called `name`, with the default region or as much of it as `system` has.

    Raises
    ------
    ConfigError
        If there is no such sampler (the message lists the ones there are and the nearest match), or if it makes no
        sense for the system (the message says what to use).
    """
    if name not in SAMPLERS:
        raise unknown_choice("sampler", name, SAMPLERS)
    if name == "simplex":
        return Simplex() if system is None else Simplex(n_elements=len(system.elements))
    if system is None:
        return Neighbourhood() if name == "neighbourhood" else Line()
    x = _largest(LARGEST_X, lambda x: _exists(system, x))
    if x is None:
        raise ConfigError(
            f"the sampler '{name}' needs a substitution x of at least {LARGEST_X[-1]:g}, which {system.name} does not "
            "have; use 'simplex'"
        )
    if name == "line":
        return Line((0.0, x))
    delta = _largest(LARGEST_DELTA, lambda d: all(_exists(system, x_, -DEPTH * d) for x_ in (0.0, x)))
    if delta is None:
        raise ConfigError(
            f"the sampler 'neighbourhood' needs some {system.elements[0]} to take away, of which {system.name} has too "
            "little on its line; use 'line' or 'simplex'"
        )
    return Neighbourhood((0.0, x), (-delta, delta))


def _largest(values: Sequence[float], is_possible: Callable[[float], bool]) -> float | None:
    return next((value for value in values if is_possible(value)), None)


def _exists(system: MaterialSystem, x: float, delta: float = 0.0) -> bool:
    try:
        system.from_coordinates(x, delta)
    except CompositionError:
        return False
    return True


def _on_section(system: MaterialSystem, composition: Composition) -> tuple[float, float]:
    """Host coordinates of a composition that they determine, as they always do with three elements."""
    x, delta = system.coordinates(composition)
    if len(system.elements) > 3:
        there = system.from_coordinates(x, delta)
        if any(abs(there[element] - composition[element]) > OFF_SECTION for element in system.elements):
            raise CompositionError(
                f"{system.formula(composition)} is not determined by x = {x:.4g} and δ = {delta:.4g}, which mix the "
                f"end members as {system.formula(system.reference)} does; use the sampler 'simplex'"
            )
    return x, delta


def _between(limits: tuple[float, float], position: float) -> float:
    return float(limits[0] + (limits[1] - limits[0]) * position)


def _position(limits: tuple[float, float], value: float) -> float:
    return (value - limits[0]) / (limits[1] - limits[0])
