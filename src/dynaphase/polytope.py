r"""Convex polytopes of any dimension up to nine: corners, volume, and an exact uniform map from the unit cube.

A polytope is cut into simplices without ever listing them: a face F of dimension k with first corner v is the union
of the pyramids over those facets G of F that do not hold v,

.. math:: |F| = \sum_{G \not\ni v} \mathrm{dist}(v, G)\,|G| / k,

and so on down to faces that are simplices themselves (the pulling triangulation, doi:10.1145/322139.322141).  Faces
are few where simplices are many, and each is treated once.  Going down this tree with the first coordinate of a point
of the unit cube (each branch takes a part of [0, 1] as long as its share of the volume, and the rest of the coordinate
is stretched) and breaking sticks with the others gives a map that preserves volume: uniform points of the cube are
uniform in the polytope, an even sequence stays even, and nothing is rejected, however thin the polytope is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["TOLERANCE", "Polytope", "break_stick", "largest_slack"]

FloatArray = npt.NDArray[np.float64]

TOLERANCE: Final = 1e-9
"""A row of which the largest coefficient is 1 counts as fulfilled up to this."""

FLAT: Final = 1e-7
"""A polytope that is nowhere wider than this has one dimension less."""

ON_FACE: Final = 1e-8
"""Distance within which a corner lies on a face."""


@dataclass(frozen=True, slots=True)
class _Face:
    """A face, as the pyramids from its first corner; a simplex has no parts."""

    corners: tuple[int, ...]
    """Of a simplex all of them, else the apex alone."""
    volume: float
    parts: tuple[_Face, ...] = ()
    ends: FloatArray = field(default_factory=lambda: np.empty(0))
    """Cumulative shares of the volume, the last one 1."""


@dataclass(frozen=True, slots=True)
class Polytope:
    """A bounded set {x : A x ≤ b, C x = d} with at least one point.

    Parameters
    ----------
    corners : ndarray, shape (n_corners, n)
    dimension : int
        Of the set itself; less than n where equations, or inequalities that are never slack, flatten it.
    """

    corners: FloatArray
    dimension: int
    _root: _Face

    @property
    def volume(self) -> float:
        """Euclidean volume in its own `dimension` (1 for a point)."""
        return self._root.volume

    @classmethod
    def from_rows(cls, A: FloatArray, b: FloatArray, C: FloatArray, d: FloatArray) -> Polytope | None:
        """The polytope of A x ≤ b and C x = d, shapes (k, n), (k,), (l, n), (l,); None if it is empty.

        The rows must bound it.
        """
        slack, centre = largest_slack(A, b, C, d)
        if slack < -TOLERANCE:
            return None
        if slack < FLAT:
            never = _never_slack(A, b, C, d)
            A, b, C, d = A[~never], b[~never], np.vstack([C, A[never]]), np.append(d, b[never])
            centre = largest_slack(A, b + TOLERANCE, C, d, tolerance=TOLERANCE)[1]
        axes = _null_space(C, A.shape[1])
        if axes.shape[1] == 0:
            return cls(centre[None], 0, _Face((0,), 1.0))
        A, b = A @ axes, b - A @ centre
        lengths = np.linalg.norm(A, axis=1)
        is_row = lengths > ON_FACE
        A, b = A[is_row] / lengths[is_row, None], b[is_row] / lengths[is_row]
        corners = _corners(A, np.maximum(b, 0.0))
        root = _Faces(A, b, corners).of_all()
        return cls(centre + corners @ axes.T, axes.shape[1], root)

    def from_cube(self, points: FloatArray) -> FloatArray:
        """Points of the polytope, shape (m, n), at points of the unit cube, shape (m, dimension); preserves volume."""
        shares = np.zeros((len(points), len(self.corners)))
        first = points[:, 0].copy() if self.dimension else np.zeros(len(points))
        self._go_down(self._root, np.arange(len(points)), [], first, points, shares)
        return shares @ self.corners

    def _go_down(
        self, face: _Face, rows: npt.NDArray[np.intp], apexes: list[int], first: FloatArray, points: FloatArray,
        shares: FloatArray,
    ) -> None:  # fmt: skip
        if not face.parts:
            corners = [*apexes, *face.corners]
            cube = np.column_stack([first[rows], points[rows, 1:]])[:, : self.dimension]
            shares[rows[:, None], corners] = break_stick(cube)
            return
        branch = np.minimum(np.searchsorted(face.ends, first[rows], side="right"), len(face.parts) - 1)
        starts = np.concatenate([[0.0], face.ends[:-1]])
        first[rows] = ((first[rows] - starts[branch]) / (face.ends - starts)[branch]).clip(0, 1)
        for number in np.unique(branch):
            self._go_down(face.parts[number], rows[branch == number], [*apexes, face.corners[0]], first, points, shares)


def break_stick(points: FloatArray) -> FloatArray:
    """Uniform shares of d + 1 parts, shape (m, d + 1), from points of the unit cube, shape (m, d).

    Of what is left, the k-th part takes 1 − u_k^(1/(d + 1 − k)), the last one the rest.
    """
    kept = points ** (1 / np.arange(points.shape[1], 0, -1, dtype=np.float64))
    left = np.cumprod(np.column_stack([np.ones(len(points)), kept]), axis=1)
    return np.column_stack([left[:, :-1] * (1 - kept), left[:, -1]])


def largest_slack(
    A: FloatArray, b: FloatArray, C: FloatArray, d: FloatArray, *, tolerance: float = 0.0
) -> tuple[float, FloatArray]:
    """Largest t (at most 1) with A x + t ≤ b and C x = d, and the x for it; −∞ where C x = d has no solution.

    Negative: by so much the worst inequality is violated at best.
    """
    from scipy.optimize import linprog

    n = A.shape[1]
    found = linprog(
        np.append(np.zeros(n), -1.0),
        A_ub=np.column_stack([A, np.ones(len(A))]),
        b_ub=b,
        A_eq=np.column_stack([C, np.zeros(len(C))]) if len(C) else None,
        b_eq=d if len(C) else None,
        bounds=[(None, None)] * n + [(None, 1.0)],
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    if found.x is None:
        return -math.inf, np.full(n, np.nan)
    return float(found.x[-1]) - tolerance, np.asarray(found.x[:-1], dtype=np.float64)


def _never_slack(A: FloatArray, b: FloatArray, C: FloatArray, d: FloatArray) -> npt.NDArray[np.bool_]:
    """Which inequalities hold with equality everywhere in a flat polytope."""
    from scipy.optimize import linprog

    def room(row: FloatArray, bound: float) -> float:
        found = linprog(
            row, A_ub=A, b_ub=b + TOLERANCE, A_eq=C if len(C) else None, b_eq=d if len(C) else None,
            bounds=(None, None), method="highs",
        )  # fmt: skip
        return bound - float(found.fun or 0.0) if found.x is not None else 0.0

    return np.array([room(row, bound) < FLAT for row, bound in zip(A, b, strict=True)], dtype=bool)


def _null_space(C: FloatArray, n: int) -> FloatArray:
    """Orthonormal columns, shape (n, n − rank), that C maps to zero."""
    if not len(C):
        return np.eye(n)
    _, sizes, rows = np.linalg.svd(C)
    rank = int(np.sum(sizes > ON_FACE * max(1.0, sizes[0])))
    return np.asarray(rows[rank:].T, dtype=np.float64)


def _corners(A: FloatArray, b: FloatArray) -> FloatArray:
    """Corners of A y ≤ b with 0 inside, rows of length 1, in a fixed order."""
    if A.shape[1] == 1:
        ends = b / A[:, 0]
        return np.array([[ends[A[:, 0] < 0].max()], [ends[A[:, 0] > 0].min()]])
    from scipy.spatial import HalfspaceIntersection

    found = HalfspaceIntersection(np.column_stack([A, -b]), np.zeros(A.shape[1])).intersections
    distinct = {tuple(np.flatnonzero(np.abs(A @ corner - b) < ON_FACE)): corner for corner in found}
    # Each is solved for again from the rows that meet in it: the intersections come with the error of their dual.
    exact = [np.linalg.lstsq(A[list(rows)], b[list(rows)], rcond=None)[0] for rows in sorted(distinct)]
    return np.array(exact)


class _Faces:
    """Faces of a full-dimensional polytope as sets of corners, bits of an integer."""

    def __init__(self, A: FloatArray, b: FloatArray, corners: FloatArray) -> None:
        self.A, self.corners = A, corners
        self.slack = b - corners @ A.T
        on = np.abs(self.slack) < ON_FACE
        self.rows = [sum(1 << int(i) for i in np.flatnonzero(column)) for column in on.T]
        self.seen: dict[int, _Face] = {}

    def of_all(self) -> _Face:
        """The polytope itself."""
        return self.face((1 << len(self.corners)) - 1, self.corners.shape[1])

    def face(self, members: int, dimension: int) -> _Face:
        if members not in self.seen:
            self.seen[members] = self._make(members, dimension)
        return self.seen[members]

    def _make(self, members: int, dimension: int) -> _Face:
        if members.bit_count() == dimension + 1:
            indices = _bits(members)
            edges = self.corners[indices[1:]] - self.corners[indices[0]]
            gram = np.linalg.det(edges @ edges.T) if dimension else 1.0
            return _Face(tuple(indices), math.sqrt(max(gram, 0.0)) / math.factorial(dimension))
        apex = _bits(members & -members)[0]
        facets = {members & row: number for number, row in enumerate(self.rows) if row & members not in (0, members)}
        facets = {
            facet: number
            for facet, number in facets.items()
            if not any(facet != other and facet & other == facet for other in facets)
        }
        # Distance of the apex from a facet within the face: the facet's normal without its part across the face.
        across = [row for row, corners in zip(self.A, self.rows, strict=True) if corners & members == members]
        along = _null_space(np.array(across).reshape(-1, self.A.shape[1]), self.A.shape[1])
        parts, volumes = [], []
        for facet, number in facets.items():
            if not facet >> apex & 1:
                part = self.face(facet, dimension - 1)
                distance = self.slack[apex, number] / np.linalg.norm(self.A[number] @ along)
                parts.append(part)
                volumes.append(distance * part.volume / dimension)
        ends = np.cumsum(volumes) / np.sum(volumes)
        ends[-1] = 1.0
        return _Face((apex,), float(np.sum(volumes)), tuple(parts), ends)


def _bits(members: int) -> list[int]:
    """Places of the bits that are set."""
    places = []
    while members:
        lowest = members & -members
        places.append(lowest.bit_length() - 1)
        members ^= lowest
    return places
