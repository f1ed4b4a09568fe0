r"""Mixtures of up to ten elements with bounds, linear constraints and at most so many elements.

The region is a union of polytopes, one for every set of elements that may be present together (a *support*): within it
each present element keeps its bounds, the others are exactly 0, the shares sum to 1 and the constraints hold.  Without
a limit on their number all elements are present and there is one support.

Supports differ in dimension, so "uniform" needs a measure.  Each counts as many as it has compositions in steps of
5 %, in the mean |P| 20^d/√(d + 1) for d dimensions and the volume |P|; within it compositions are uniform.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from itertools import chain, combinations
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dynaphase.composition import RESOLUTION, Composition
from dynaphase.constraints import Linear
from dynaphase.errors import CompositionError, ConfigError
from dynaphase.materials.base import MaterialSystem
from dynaphase.polytope import TOLERANCE, Polytope, largest_slack
from dynaphase.samplers import MAX_ELEMENTS, MAX_LATTICE, Region

__all__ = ["LEAST_SHARE", "Mixtures", "accepted_supports"]

FloatArray = npt.NDArray[np.float64]
Support = tuple[int, ...]

LEAST_SHARE: Final = 0.02
"""Least fraction of an element that is present, where no bounds are given."""

STEPS: Final = 20
"""Steps of the lattice by whose size supports are weighed."""

WEIGHABLE: Final = 200
"""Grids lie on whole parts of this many: half percents."""

VANISHING: Final = 1e-10
"""Fractions below it are none."""

MAX_LISTED: Final = 300_000
"""Most lattice points that are tried for a grid."""

FEW: Final = 200
"""A grid with fewer compositions than this times its dimension is filled up with as many of an even sequence."""


@dataclass(frozen=True)
class Mixtures(Region):
    """All mixtures within bounds and constraints.

    Coordinates are the fractions of all n elements, each scaled so that its least and largest value in the region are
    0 and 1.  They are redundant (fractions sum to 1), but treat all elements alike and vary smoothly across supports,
    which breaking sticks would not.  `to_unit` is one-to-one; `from_unit` is its inverse and takes coordinates of
    compositions only, not every point of the cube.  `from_cube` is the map that takes every point.

    Raises
    ------
    ConfigError
        If nothing satisfies all; the message names constraints that contradict each other.
    """

    elements: tuple[str, ...]
    bounds: tuple[tuple[float, float], ...]
    """Least and largest fraction of each element where it is present."""
    constraints: tuple[Linear, ...] = ()
    max_elements: int = 0
    """Most elements present at a time; 0: all are always present."""
    accepted: frozenset[Support] = frozenset()
    """Supports of which the material system can make something; see `accepted_supports`."""
    name: str = "simplex"

    def __post_init__(self) -> None:
        if not 2 <= len(self.elements) <= MAX_ELEMENTS:
            raise ConfigError(
                f"the sampler 'simplex' is for 2 to {MAX_ELEMENTS} elements, not {len(self.elements)}; use "
                "'neighbourhood'"
            )
        if not any(self._supports(self.max_elements)):
            fewest = min(map(len, self.accepted))
            raise ConfigError(
                f"max_elements = {self.max_elements}: the material system needs at least {fewest} elements"
            )
        if not self._is_possible(range(self._n_rules), self.max_elements):
            raise ConfigError(self._contradiction())

    def __getstate__(self) -> dict[str, Any]:
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}

    @property
    def dimension(self) -> int:
        """One coordinate for every element."""
        return len(self.elements)

    # --- the region -----------------------------------------------------------------------------------------

    @cached_property
    def supports(self) -> tuple[tuple[Support, Polytope], ...]:
        """Sets of elements that may be present together, with their polytopes in the fractions of just these."""
        made: dict[tuple[bytes, ...], Polytope | None] = {}
        found = []
        for support in self._supports(self.max_elements):
            rows = self._as_rows(support, range(self._n_rules))
            key = tuple(array.tobytes() for array in rows)  # elements that no rule tells apart share one polytope
            if key not in made:
                made[key] = Polytope.from_rows(*rows)
            if (polytope := made[key]) is not None:
                found.append((support, polytope))
        return tuple(found)

    @property
    def cube_dimension(self) -> int:
        """Coordinates that `from_cube` takes; at least 1, with which a support is chosen."""
        return max(1, *(polytope.dimension for _, polytope in self.supports))

    @cached_property
    def _ends(self) -> FloatArray:
        """Cumulative weights of the supports."""
        weights = [p.volume * STEPS**p.dimension / math.sqrt(p.dimension + 1) for _, p in self.supports]
        return np.asarray(np.cumsum(weights) / np.sum(weights))

    @cached_property
    def _corners(self) -> FloatArray:
        """Fractions at the corners of all supports, shape (m, n), each once."""
        found = np.concatenate([self._spread(support, polytope.corners) for support, polytope in self.supports])
        return found[np.sort(np.unique(found.round(9), axis=0, return_index=True)[1])]

    @cached_property
    def _extent(self) -> tuple[FloatArray, FloatArray]:
        """Least fraction of each element, and its range (1 where it does not vary: its coordinate is then 0)."""
        low, width = self._corners.min(axis=0), np.ptp(self._corners, axis=0)
        return low, np.where(width > TOLERANCE, width, 1.0)

    def contains(self, system: MaterialSystem, composition: Composition) -> bool:
        """Whether all rules hold, up to 1e-9 of the whole (of the largest coefficient, for a constraint)."""
        fractions = self._fractions(composition)
        return bool(abs(fractions.sum() - 1) <= TOLERANCE and self._is_inside(fractions[None])[0])

    @cached_property
    def _all_rows(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        return self._rows(range(len(self.elements)), self.constraints)

    def _is_inside(self, fractions: FloatArray) -> npt.NDArray[np.bool_]:
        rows, limits, equations, values = self._all_rows
        inside = np.all(fractions @ rows.T <= limits + TOLERANCE, axis=1)
        inside &= np.all(np.abs(fractions @ equations.T - values) <= TOLERANCE, axis=1)
        low, high = np.array(self.bounds).T
        is_present = fractions > TOLERANCE
        inside &= np.all((fractions <= high + TOLERANCE) & (~is_present | (fractions >= low - TOLERANCE)), axis=1)
        codes = is_present @ (1 << np.arange(len(self.elements)))
        may_be = {int(code): self._may_be_present(int(code)) for code in set(codes.tolist())}
        return np.asarray(inside & np.array([may_be[code] for code in codes.tolist()], dtype=bool))

    def _may_be_present(self, code: int) -> bool:
        """Whether just these elements, bits of a number, can be present; a lower bound of 0 lets an element be away."""
        present = tuple(i for i in range(len(self.elements)) if code >> i & 1)
        if self.accepted and present not in self.accepted:
            return False
        missing = [i for i in range(len(self.elements)) if i not in present]
        n_obliged = sum(self.bounds[i][0] > 0 for i in missing)
        return len(present) <= self.max_elements if self.max_elements else n_obliged == 0

    # --- compositions ---------------------------------------------------------------------------------------

    def from_cube(self, system: MaterialSystem, points: FloatArray) -> list[Composition]:
        """Compositions at points of the unit cube, shape (m, cube_dimension); uniform points become uniform.

        The first coordinate chooses the support and, stretched, is the first one within it.
        """
        fractions = np.zeros((len(points), len(self.elements)))
        choice = np.minimum(np.searchsorted(self._ends, points[:, 0], side="right"), len(self.supports) - 1)
        starts = np.concatenate([[0.0], self._ends[:-1]])
        first = ((points[:, 0] - starts[choice]) / (self._ends - starts)[choice]).clip(0, 1)
        for number in np.unique(choice):
            support, polytope = self.supports[number]
            rows = np.flatnonzero(choice == number)
            inner = np.column_stack([first[rows], points[rows, 1:]])[:, : polytope.dimension]
            fractions[np.ix_(rows, support)] = polytope.from_cube(inner)
        return [self._composition(row) for row in fractions]

    def from_unit(self, system: MaterialSystem, point: FloatArray) -> Composition:
        """Composition of these coordinates.

        Raises
        ------
        ConfigError
            If they are no composition's: fractions must sum to 1.
        """
        low, width = self._extent
        fractions = low + width * point
        if abs(fractions.sum() - 1) > 1e-6:
            raise ConfigError(
                f"these coordinates are fractions that sum to {fractions.sum():.6g} instead of 1: with bounds, "
                "constraints or max_elements only the coordinates of compositions have an inverse"
            )
        return self._composition(fractions)

    def to_unit(self, system: MaterialSystem, composition: Composition) -> FloatArray:
        """Scaled fractions, shape (n,)."""
        low, width = self._extent
        return np.asarray((self._fractions(composition) - low) / width)

    def corners(self, system: MaterialSystem) -> list[Composition]:
        """Corners of the polytopes of all supports, those of which the system makes nothing left out."""
        corners = self._corners[self._is_inside(self._corners)]
        return list(dict.fromkeys(self._composition(row) for row in corners))

    def grid(self, system: MaterialSystem, n_per_axis: int) -> list[Composition]:
        """Compositions in steps of whole half percents from the lower bounds up, then the corners of the region.

        The step is the finest that gives no more than `n_per_axis` points along an edge of the simplex and
        `MAX_LATTICE` in all.  Faces of lower bounds carry lattice points, other faces at least their corners.  Where a
        lattice finds little (an equation, a narrow region) an even sequence fills up.
        """
        corners = self._corners[self._is_inside(self._corners)]
        corners = corners[:: 1 + 4 * len(corners) // MAX_LATTICE]  # at most a quarter of the grid
        found = self._lattice(n_per_axis, MAX_LATTICE - len(corners))
        pool = dict.fromkeys(self._composition(row) for row in np.concatenate([found, corners]))
        few = FEW * self.cube_dimension
        if len(pool) < few:
            from scipy.stats import qmc

            sequence = qmc.Sobol(self.cube_dimension, scramble=True, rng=np.random.default_rng(0))
            points = sequence.random_base2(few.bit_length())
            pool |= dict.fromkeys(self.from_cube(system, points))
        return list(pool)

    def _lattice(self, n_per_axis: int, largest: int) -> FloatArray:
        may_repeat = any(low == 0 for low, _ in self.bounds)
        step, most = max(1, math.ceil(WEIGHABLE / (n_per_axis - 1))), float(MAX_LISTED)
        while True:
            anchors = [(support, *self._anchor(support, step)) for support, _ in self.supports]
            n_listed = sum(math.comb(k + len(s) - 1, k) for s, _, k, _ in anchors if k >= 0)
            if n_listed <= most:
                parts = [self._anchored(s, low, k, rest, step) for s, low, k, rest in anchors if k >= 0]
                found = np.concatenate([np.empty((0, len(self.elements))), *parts])
                found = found[self._is_inside(found)]
                found = np.unique(found, axis=0) if may_repeat else found
                if len(found) <= largest:
                    return found
                most = 1.05 * n_listed * largest / len(found)
            step += 1

    def _anchor(self, support: Support, step: int) -> tuple[npt.NDArray[np.int64], int, int]:
        """Lower bounds of a support, how many steps are free above them, and what is left, in half percents."""
        low = np.array([math.ceil(WEIGHABLE * self.bounds[i][0] - 1e-6) for i in support], dtype=np.int64)
        free = WEIGHABLE - int(low.sum())
        return low, free // step if free >= 0 else -1, free % step

    def _anchored(self, support: Support, low: npt.NDArray[np.int64], n_steps: int, rest: int, step: int) -> FloatArray:
        steps = _tuples(n_steps, len(support))
        # What does not make a whole step goes to the largest share: corners and faces stay where they are.
        parts = low + step * steps
        parts[np.arange(len(parts)), steps.argmax(axis=1)] += rest
        return self._spread(support, parts / WEIGHABLE)

    def _spread(self, support: Support, fractions: FloatArray) -> FloatArray:
        """Fractions of all elements from those of a support."""
        spread = np.zeros((len(fractions), len(self.elements)))
        spread[:, support] = fractions
        return spread

    def _fractions(self, composition: Composition) -> FloatArray:
        return np.array([composition[element] for element in self.elements])

    def _composition(self, fractions: FloatArray) -> Composition:
        # In whole parts of the lattice, the rounding left to the largest, and nothing that is only rounding.
        parts = np.round(np.where(fractions < VANISHING, 0.0, fractions) * RESOLUTION).astype(np.int64)
        parts[parts.argmax()] += RESOLUTION - parts.sum()
        ordered = sorted(zip(self.elements, parts.tolist(), strict=True))
        return Composition(tuple((element, count) for element, count in ordered if count > 0))

    # --- rules ----------------------------------------------------------------------------------------------

    @property
    def _n_rules(self) -> int:
        return len(self.constraints) + len(self.elements)

    def _supports(self, max_elements: int) -> Iterator[Support]:
        n = len(self.elements)
        sizes: Iterable[int] = range(max_elements, 0, -1) if max_elements else [n]
        for size in sizes:
            for support in combinations(range(n), size):
                if not self.accepted or support in self.accepted:
                    yield support

    def _rows(
        self, support: Sequence[int], constraints: Iterable[Linear]
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Inequalities and equations in the fractions of a support."""
        kinds: dict[bool, tuple[list[FloatArray], list[float]]] = {False: ([], []), True: ([], [])}
        for constraint in constraints:
            rows, limits = kinds[constraint.is_equation]
            rows.append(constraint.row(self.elements)[list(support)])
            limits.append(constraint.bound)
        (rows, limits), (equations, values) = kinds[False], kinds[True]
        m = len(support)
        return (
            np.array(rows).reshape(-1, m), np.array(limits), np.array(equations).reshape(-1, m), np.array(values)
        )  # fmt: skip

    def _as_rows(self, support: Support, rules: Iterable[int]) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """The rules with these numbers: constraints first, then the bounds of each element."""
        chosen, m = set(rules), len(support)
        n_constraints = len(self.constraints)
        A, b, C, d = self._rows(support, (c for i, c in enumerate(self.constraints) if i in chosen))
        limits = [self.bounds[e] if n_constraints + e in chosen else (0.0, 1.0) for e in support]
        low, high = np.array(limits).T
        A = np.vstack([A, -np.eye(m), np.eye(m)[high < 1]])
        b = np.concatenate([b, -low, high[high < 1]])
        return A, b, np.vstack([C, np.ones(m)]), np.append(d, 1.0)

    def _is_possible(self, rules: Iterable[int], max_elements: int) -> bool:
        kept = set(rules)
        return any(
            largest_slack(*self._as_rows(support, kept))[0] >= -TOLERANCE for support in self._supports(max_elements)
        )

    def _contradiction(self) -> str:
        """Which rules cannot hold together: those none of which can be left out (a deletion filter)."""
        limit, needed = self.max_elements, set(range(self._n_rules))
        if limit and not self._is_possible(needed, len(self.elements)):
            limit = len(self.elements)
        for rule in range(self._n_rules):
            if not self._is_possible(needed - {rule}, limit):
                needed.discard(rule)
        texts = [c.text for i, c in enumerate(self.constraints) if i in needed]
        n = len(self.constraints)
        for number, element in enumerate(self.elements):
            if n + number in needed:
                low, high = self.bounds[number]
                texts.append(f"{element} within {low:g} … {high:g}" + (" where present" if self.max_elements else ""))
        if limit and limit == self.max_elements < len(self.elements):
            texts.append(f"max_elements = {self.max_elements}")
        return (
            f"[space] leaves no composition: {' and '.join(repr(text) for text in texts)} cannot hold for fractions of "
            f"{', '.join(self.elements)} that sum to 1; loosen {'one of them' if len(texts) > 1 else 'it'}"
        )


def accepted_supports(system: MaterialSystem) -> frozenset[Support]:
    """Sets of elements, as indices, of which the system can make something: the mobile ion and a framework cation."""

    def is_accepted(support: Support) -> bool:
        try:
            system.read(Composition.from_amounts({system.elements[i]: 1.0 for i in support}))
        except CompositionError:
            return False
        return True

    n = len(system.elements)
    every = chain.from_iterable(combinations(range(n), size) for size in range(1, n + 1))
    return frozenset(support for support in every if is_accepted(support))


def _tuples(total: int, n: int) -> npt.NDArray[np.int64]:
    """All n-tuples of whole numbers that sum to `total`, shape (·, n)."""
    bars = np.array(list(combinations(range(total + n - 1), n - 1)), dtype=np.int64).reshape(-1, n - 1)
    ends = np.column_stack([np.full(len(bars), -1), bars, np.full(len(bars), total + n - 1)])
    return np.diff(ends, axis=1) - 1
