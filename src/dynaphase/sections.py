"""The samplers in host coordinates, x and δ, cut by linear constraints on the fractions.

Amounts per formula unit are linear in x and δ, fractions are these over their sum.  So Σ c_e x_e ≤ b, which is
Σ (c_e − b) n_e ≤ 0 in amounts n, is a straight cut of the rectangle: what is left is a polygon, exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dynaphase.composition import Composition
from dynaphase.constraints import Linear
from dynaphase.errors import CompositionError, ConfigError
from dynaphase.materials.base import MaterialSystem
from dynaphase.polytope import TOLERANCE, Polytope
from dynaphase.samplers import Line, Neighbourhood, Region

__all__ = ["Section"]

FloatArray = npt.NDArray[np.float64]

EDGE: Final = 1e-9
"""How far outside the rectangle still counts as on its edge."""

NOT_LINEAR: Final = 1e-7
"""Error of a fraction beyond which amounts are not linear in x and δ."""

FEW: Final = 100
"""A grid with fewer compositions is filled up with an even sequence."""


@dataclass(frozen=True)
class Section(Region):
    """A neighbourhood or a line cut by constraints; coordinates are those of the uncut one.

    Raises
    ------
    ConfigError
        From `make`, if nothing is left, or if the system's amounts are not linear in x and δ.
    """

    base: Neighbourhood | Line
    rows: tuple[tuple[float, ...], ...]
    """Σ_k r_k u_k ≤ r_0 in coordinates u, of inequalities; r_0 first."""
    equations: tuple[tuple[float, ...], ...]
    constraints: tuple[Linear, ...]

    @classmethod
    def make(cls, system: MaterialSystem, base: Neighbourhood | Line, constraints: Sequence[Linear]) -> Section:
        """Cut `base` by constraints on the fractions of the system's elements."""
        amounts = _amounts(system, base)
        rows: dict[bool, list[tuple[float, ...]]] = {False: [], True: []}
        for constraint in constraints:
            across = (constraint.row(system.elements) - constraint.bound) @ amounts
            rows[constraint.is_equation].append((-float(across[0]), *map(float, across[1:])))
        section = cls(base, tuple(rows[False]), tuple(rows[True]), tuple(constraints))
        if section._polytope is None:
            raise ConfigError(section._contradiction())
        return section

    def __getstate__(self) -> dict[str, Any]:
        return {entry.name: getattr(self, entry.name) for entry in fields(self)}

    @property
    def name(self) -> str:
        """Name of the uncut sampler."""
        return self.base.name

    @property
    def dimension(self) -> int:
        """Number of coordinates of the uncut sampler."""
        return self.base.dimension

    @property
    def x(self) -> tuple[float, float]:
        """Range of x of the uncut sampler."""
        return self.base.x

    @property
    def region(self) -> Polytope:
        """What is left, in coordinates of the uncut sampler."""
        assert self._polytope is not None  # `make` has seen to it
        return self._polytope

    @cached_property
    def _polytope(self) -> Polytope | None:
        return self._cut(self.rows, self.equations)

    def _cut(self, rows: Sequence[tuple[float, ...]], equations: Sequence[tuple[float, ...]]) -> Polytope | None:
        d = self.dimension
        inequalities = np.array(rows).reshape(-1, d + 1)
        equalities = np.array(equations).reshape(-1, d + 1)
        return Polytope.from_rows(
            np.vstack([inequalities[:, 1:], -np.eye(d), np.eye(d)]),
            np.concatenate([inequalities[:, 0], np.zeros(d), np.ones(d)]),
            equalities[:, 1:],
            equalities[:, 0],
        )

    def _contradiction(self) -> str:
        """Which constraints leave nothing: those none of which can be left out."""
        texts = list(dict.fromkeys(constraint.text for constraint in self.constraints))
        for text in list(texts):
            fewer = [other for other in texts if other != text]
            if self._cut(*self._rows_of(fewer)) is None:
                texts = fewer
        return (
            f"[space] leaves no composition of the sampler '{self.name}': "
            f"{' and '.join(repr(text) for text in texts)} cannot hold there; loosen "
            f"{'one of them' if len(texts) > 1 else 'it'}, or use the sampler 'simplex'"
        )

    def _rows_of(self, texts: Sequence[str]) -> tuple[list[tuple[float, ...]], list[tuple[float, ...]]]:
        inequalities, equations = iter(self.rows), iter(self.equations)
        kept: dict[bool, list[tuple[float, ...]]] = {False: [], True: []}
        for constraint in self.constraints:
            row = next(equations if constraint.is_equation else inequalities)
            if constraint.text in texts:
                kept[constraint.is_equation].append(row)
        return kept[False], kept[True]

    # --- the contract of a sampler --------------------------------------------------------------------------

    def from_unit(self, system: MaterialSystem, point: FloatArray) -> Composition:
        """As the uncut sampler: points of the rectangle, cut off or not."""
        return self.base.from_unit(system, point)

    def to_unit(self, system: MaterialSystem, composition: Composition) -> FloatArray:
        """As the uncut sampler."""
        return self.base.to_unit(system, composition)

    def contains(self, system: MaterialSystem, composition: Composition) -> bool:
        """Whether it lies in the rectangle and satisfies the constraints."""
        try:
            point = self.base.to_unit(system, composition)
        except CompositionError:
            return False
        if not np.all((point >= -EDGE) & (point <= 1 + EDGE)):
            return False
        fractions = np.array([composition[element] for element in system.elements])
        excess = [(c.row(system.elements) @ fractions - c.bound, c.is_equation) for c in self.constraints]
        return all(e <= TOLERANCE and (not is_equation or e >= -TOLERANCE) for e, is_equation in excess)

    @property
    def cube_dimension(self) -> int:
        """Dimension of what is left, at least 1."""
        return max(1, self.region.dimension)

    def from_cube(self, system: MaterialSystem, points: FloatArray) -> list[Composition]:
        """Uniform in x and δ over what is left."""
        places = self.region.from_cube(points[:, : self.region.dimension])
        return [self.base.from_unit(system, place) for place in places.clip(0, 1)]

    def corners(self, system: MaterialSystem) -> list[Composition]:
        """Corners of the polygon."""
        return [self.base.from_unit(system, place) for place in self.region.corners.clip(0, 1)]

    def grid(self, system: MaterialSystem, n_per_axis: int) -> list[Composition]:
        """The uncut grid as far as it satisfies the constraints, then the corners of what is left.

        Where this is little (an equation, a narrow cut) an even sequence fills up.
        """
        inside = [c for c in self.base.grid(system, n_per_axis) if self.contains(system, c)]
        pool = dict.fromkeys([*inside, *self.corners(system)])
        if len(pool) < FEW:
            from scipy.stats import qmc

            points = qmc.Sobol(self.cube_dimension, scramble=True, rng=np.random.default_rng(0)).random_base2(7)
            pool |= dict.fromkeys(self.from_cube(system, points))
        return list(pool)


def _amounts(system: MaterialSystem, base: Neighbourhood | Line) -> FloatArray:
    """Amounts of the elements at the origin of the rectangle, and what they gain along each side, shape (n, d + 1).

    Up to one factor.  Compositions say only ratios; the middle of the corners fixes how their amounts compare.
    """
    d = base.dimension
    places = np.vstack([np.zeros(d), np.eye(d)])

    def fractions(place: FloatArray) -> FloatArray:
        composition = base.from_unit(system, place)
        return np.array([composition[element] for element in system.elements])

    ends, middle = np.array([fractions(place) for place in places]), fractions(places.mean(axis=0))
    # w_0 f_0 + … + w_d f_d = (d + 1) w f, with w_0 = 1
    matrix = np.column_stack([(d + 1) * middle, -ends[1:].T])
    weights = np.linalg.lstsq(matrix, ends[0], rcond=None)[0]
    amounts = ends * np.append(1.0, weights[1:])[:, None]
    rows = np.vstack([amounts[0], amounts[1:] - amounts[0]]).T
    for place in (np.full(d, 0.25), np.full(d, 0.8)):
        found = rows @ np.append(1.0, place)
        if not np.allclose(found / found.sum(), fractions(place), atol=NOT_LINEAR):
            raise ConfigError(
                f"the amounts of {system.name} are not determined by x and δ as straight cuts need it; use the "
                "sampler 'simplex' for constraints"
            )
    return np.asarray(rows / np.abs(rows).max())
