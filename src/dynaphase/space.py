"""The space a campaign searches: a sampler's region of compositions of one material system."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from dynaphase.composition import Composition
from dynaphase.constraints import Linear, parse_constraints, share_limits
from dynaphase.errors import CompositionError, ConfigError, unknown_choice
from dynaphase.materials.base import MaterialSystem
from dynaphase.mixtures import LEAST_SHARE, Mixtures, accepted_supports
from dynaphase.prices import ElementPrices
from dynaphase.samplers import Line, Neighbourhood, Region, Sampler, make_sampler
from dynaphase.sections import Section

__all__ = ["CompositionSpace"]

FloatArray = npt.NDArray[np.float64]

EDGE: Final = 1e-9
"""How far outside the unit cube still counts as on its face."""

BITS: Final = 52
"""Of the coordinates of Sobol points in a cut region, where the first one also chooses among many parts."""

MOST_TRIES: Final = 64
"""So many times the wanted number of points are tried before a region is said to hold no more compositions."""


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
    prices: ElementPrices | None = None

    @classmethod
    def make(
        cls,
        system: MaterialSystem,
        sampler: str,
        *,
        bounds: Mapping[str, Sequence[float]] | None = None,
        constraints: Sequence[str] = (),
        max_elements: int = 0,
        element_prices: Mapping[str, float] | None = None,
        max_price: float = 0.0,
    ) -> CompositionSpace:
        """The region of a sampler within bounds and constraints.

        Parameters
        ----------
        system : MaterialSystem
        sampler : str
            Name of a sampler.
        bounds : mapping of element to (least, largest) fraction, optional
            Of the elements that vary, where the element is present.  On the simplex 2 % to all by default.
        constraints : sequence of str
            As `dynaphase.constraints.parse_constraint` reads them.
        max_elements : int
            Most elements present at a time, the others being exactly 0; 0: all are present.  Simplex only.
        element_prices : mapping of element to price per kilogram, optional
        max_price : float
            Most that a kilogram of the varying elements may cost; 0: no limit.

        Raises
        ------
        ConfigError
            If something is malformed, or nothing satisfies all; the message names what is in conflict.
        """
        limits = _checked_bounds(bounds or {}, system.elements)
        prices = ElementPrices(tuple((element_prices or {}).items())) if element_prices else None
        if prices is not None:
            prices.check(system.elements)
        rules = parse_constraints(constraints, system.elements)
        if max_price:
            if prices is None:
                raise ConfigError(f"max_price = {max_price:g} needs element_prices of {', '.join(system.elements)}")
            rules = (*rules, prices.at_most(max_price))
        if max_elements > len(system.elements) or max_elements < 0:
            raise ConfigError(
                f"max_elements = {max_elements}: {system.name} has {len(system.elements)} elements that vary; write 0 "
                "for all of them always present"
            )
        base = make_sampler(sampler, system)
        if not (limits or rules or max_elements):
            return cls(system, base, prices)
        return cls(system, _constrained(system, base, limits, rules, max_elements), prices)

    @property
    def dimension(self) -> int:
        """Number of coordinates."""
        return self.sampler.dimension

    def sample(self, n: int, rng: np.random.Generator) -> list[Composition]:
        """`n` independent compositions, uniform in the region; in one cut by constraints no two are the same."""
        if isinstance(self.sampler, Region):
            width = self.sampler.cube_dimension
            return self._distinct(_count(n, 0), lambda m: rng.random((m, width)))
        return self.from_unit(rng.random((_count(n, 0), self.dimension)))

    def sobol(self, n: int, seed: int | np.random.SeedSequence) -> list[Composition]:
        """`n` compositions of a scrambled Sobol sequence: they fill the region more evenly than random ones.

        For the same seed a longer sequence begins with the shorter one.
        """
        from scipy.stats import qmc

        if isinstance(self.sampler, Region):
            even = qmc.Sobol(self.sampler.cube_dimension, scramble=True, bits=BITS, rng=np.random.default_rng(seed))
            return self._distinct(_count(n, 0), even.random)
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
        """Whether `composition` lies in the region, edges included (constraints hold up to 1e-9)."""
        if isinstance(self.sampler, Region):
            return self.sampler.contains(self.system, composition)
        try:
            point = self.sampler.to_unit(self.system, composition)
        except CompositionError:
            return False
        return bool(np.all((point >= -EDGE) & (point <= 1 + EDGE)))

    def grid(self, n_per_axis: int) -> list[Composition]:
        """Regular grid with `n_per_axis` points along each axis (or side of the triangle), edges included."""
        return self.sampler.grid(self.system, _count(n_per_axis, 2))

    def vertices(self) -> list[Composition]:
        """Extreme compositions: corners of the region, of every set of elements that may be present."""
        if isinstance(self.sampler, Region):
            return self.sampler.corners(self.system)
        return self.sampler.grid(self.system, 2)

    @property
    def is_cut(self) -> bool:
        """Whether bounds, constraints or a number of elements cut the sampler's region."""
        return isinstance(self.sampler, Region)

    def cost(self, compositions: Sequence[Composition]) -> FloatArray:
        """Price of a kilogram of each composition's varying elements, shape (n,), in the currency of the prices.

        Raises
        ------
        ConfigError
            If the space has no prices.
        """
        if self.prices is None:
            raise ConfigError(
                "there are no element prices; write them as element_prices = { Li = …, … } under [space], per kilogram"
            )
        return self.prices.of(compositions)

    def _distinct(self, n: int, more: Callable[[int], FloatArray]) -> list[Composition]:
        """The first `n` different compositions of a sequence of points."""
        assert isinstance(self.sampler, Region)
        found: dict[Composition, None] = {}
        n_tried = 0
        while len(found) < n:
            if n_tried > MOST_TRIES * n:
                raise ConfigError(
                    f"[space] leaves only {len(found)} different compositions, {n} are asked for; loosen its "
                    "constraints or ask for fewer"
                )
            wanted = 1 << (n - 1).bit_length() if n_tried == 0 else n_tried
            found |= dict.fromkeys(self.sampler.from_cube(self.system, more(wanted)))
            n_tried += wanted
        return list(found)[:n]


def _count(n: int, least: int) -> int:
    if n < least:
        raise ConfigError(f"the number of compositions must be {least} or more, not {n}")
    return n


def _checked_bounds(bounds: Mapping[str, Sequence[float]], elements: Sequence[str]) -> dict[str, tuple[float, float]]:
    for element, limits in bounds.items():
        if element not in elements:
            raise unknown_choice("element of bounds", element, elements)
        if len(limits) != 2 or not 0 <= limits[0] <= limits[1] <= 1 or limits[1] == 0:
            raise ConfigError(
                f"bounds of {element} are {list(limits)}; write the least and the largest fraction, 0 ≤ least ≤ "
                "largest ≤ 1, for example [0.05, 0.4]"
            )
    return {element: (float(limits[0]), float(limits[1])) for element, limits in bounds.items()}


def _constrained(
    system: MaterialSystem,
    base: Sampler,
    limits: Mapping[str, tuple[float, float]],
    rules: Sequence[Linear],
    max_elements: int,
) -> Section | Mixtures:
    if isinstance(base, Neighbourhood | Line):
        if max_elements:
            raise ConfigError(
                f"max_elements is for the sampler 'simplex'; '{base.name}' mixes all elements as its line does: write "
                "sampler = 'simplex', or max_elements = 0"
            )
        return Section.make(system, base, (*share_limits(limits), *rules))
    return Mixtures(
        tuple(system.elements),
        tuple(limits.get(element, (LEAST_SHARE, 1.0)) for element in system.elements),
        tuple(rules),
        max_elements,
        accepted_supports(system),
    )
