r"""Geometric multigrid for :math:`\nabla\cdot(\sigma\nabla\varphi) - r\varphi = f` with jumping σ, 2-D and 3-D.

Finite volumes on equal cells, any number of them along an axis, each axis periodic or with two walls
(:class:`~dynaphase.phasefield.grid.Walls`).  A face between cells has the conductance of
:mod:`dynaphase.phasefield.elliptic`; a wall with a prescribed value lies half a cell from the centre, so its
conductance is 2σ.  The linear system is :math:`A\varphi = b` with A symmetric and positive,
b = (wall conductances × wall values) − h² f.

Conjugate gradients are preconditioned with one V(1,1)-cycle of *black-box multigrid*:

* coarse cells are every other cell along every axis, and the interpolation is read off the equations: a cell between
  a conductor and an insulator takes the value of the conductor.  (Alcouffe, Brandt, Dendy, Painter 1981,
  doi:10.1137/0902035; Dendy 1982, doi:10.1016/0021-9991(82)90057-2.)
* coarse matrices are PᵀAP, boxes of 9 or 27 neighbours; the coarsest, of at most `COARSEST` cells, is inverted;
* Gauss–Seidel by colours, in reverse order after the correction: the cycle is then a symmetric positive definite
  matrix, as conjugate gradients demand.

It needs fewer iterations here than aggregates of 2×2 cells with a halved coarse matrix, and than pairs along the
strongest conductance with a K-cycle.  A grid that resolves its structures (discs, layers with holes, filaments) needs
some ten to twenty iterations, whatever the contrast and the number of cells; structure that differs in every cell at
random no grid of every other cell can see, and it takes hundreds (``benchmarks/elliptic.py`` and the tests).  Residuals
are measured in scaled variables, (Σ r²/diag A)^½, where insulating cells count as much as conducting ones.  What the
contrast does take is accuracy: the potential of a conductor that only insulators hold can be wrong by contrast ×
residual.

Memory, everything included: 170 to 195 bytes per cell in 2-D and 205 to 250 in 3-D, the more the smaller the box.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from dynaphase.errors import InputError, SimulationError
from dynaphase.phasefield.elliptic import FaceMean, check_conductivity, face_conductances
from dynaphase.phasefield.grid import Boundary, Walls, walls_of

if TYPE_CHECKING:
    from dynaphase.phasefield.multigrid_loops import Levels

__all__ = ["EllipticProblem", "EllipticSolution", "Multigrid"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

RESIDUAL: Final = 1e-10
"""Relative residual at which the iteration stops."""
MAX_ITERATIONS: Final = 200
COARSEST: Final = 64
"""Most cells of the level that is inverted."""
INCOMPATIBLE: Final = 1e-8
"""Largest net source, relative to the sum of its moduli, that is taken for rounding where nothing can absorb it."""


@dataclass(frozen=True, slots=True, eq=False)
class EllipticProblem:
    r"""The operator :math:`\nabla\cdot(\sigma\nabla\varphi) - r\varphi` and what holds on the walls.

    Parameters
    ----------
    sigma : array_like, 2 or 3 axes
        Conductivity of every cell, positive.
    boundaries : sequence of Boundary or Walls
        One per axis; what φ does there.
    spacing : float
        Edge length of a cell.  With φ in V, σ in S/m and lengths in m, f is in A/m³.
    reaction : array_like, optional
        r ≥ 0 of every cell (a number or the shape of `sigma`); none by default.
    faces : FaceMean
        Conductance of a face from its two sides.

    Raises
    ------
    InputError
        If a conductivity is not positive, a reaction negative, or a shape does not fit; the message says where.
    """

    sigma: npt.ArrayLike
    boundaries: Sequence[Boundary | Walls]
    spacing: float = 1.0
    reaction: npt.ArrayLike | None = None
    faces: FaceMean | str = FaceMean.HARMONIC

    def __post_init__(self) -> None:
        sigma = check_conductivity(self.sigma)
        if sigma.ndim == 1:
            raise InputError("multigrid needs 2 or 3 axes; give a line of cells a second axis with one cell")
        if len(self.boundaries) != sigma.ndim:
            raise InputError(f"a field of shape {sigma.shape} needs {sigma.ndim} boundaries, one per axis")
        if not (np.isfinite(self.spacing) and self.spacing > 0):
            raise InputError(f"the cell size must be positive, not {self.spacing}")
        object.__setattr__(self, "sigma", sigma)
        object.__setattr__(self, "boundaries", tuple(self.boundaries))
        object.__setattr__(self, "faces", FaceMean(self.faces))
        if self.reaction is not None:
            reaction = _over("the reaction", self.reaction, sigma.shape)
            if reaction.min() < 0:
                cell = tuple(int(i) for i in np.argwhere(reaction < 0)[0])
                raise InputError(
                    f"the reaction in cell {cell} is {reaction[cell]}; it must not be negative (the equation is "
                    "∇·(σ∇φ) − rφ = f, and a negative r can make it unsolvable)"
                )
            object.__setattr__(self, "reaction", reaction)
        for axis, walls in enumerate(self.walls):
            for value in () if walls is None else (walls.low, walls.high):
                if value is not None:
                    _over(f"the value on a wall of axis {axis}", value, sigma.shape[:axis] + sigma.shape[axis + 1 :])

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of cells along each axis."""
        return np.shape(self.sigma)

    @property
    def walls(self) -> tuple[Walls | None, ...]:
        """The walls of every axis, None of a periodic one."""
        return tuple(walls_of(boundary) for boundary in self.boundaries)

    @property
    def is_periodic(self) -> tuple[bool, ...]:
        """Which axes wrap."""
        return tuple(walls is None for walls in self.walls)

    @property
    def is_singular(self) -> bool:
        """Whether φ is fixed up to a constant only: no wall value and no reaction."""
        walls = [w for w in self.walls if w is not None]
        has_value = any(w.low is not None or w.high is not None for w in walls)
        return not has_value and (self.reaction is None or not np.any(self.reaction))


@dataclass(frozen=True, slots=True)
class EllipticSolution:
    """φ and how it was found."""

    potential: FloatArray
    """φ at the cell centres; of zero mean where only a constant is free."""
    n_iterations: int
    """Conjugate-gradient iterations."""
    residual: float
    """Scaled norm of b − Aφ, computed anew, relative to that of b."""
    rounding: float
    """The part of `residual` that float64 cannot avoid: large where a poor path feeds good conductors."""


def _over(what: str, value: npt.ArrayLike, shape: tuple[int, ...]) -> FloatArray:
    array = np.asarray(value, dtype=np.float64)
    try:
        array = np.broadcast_to(array, shape)
    except ValueError:
        raise InputError(f"{what} has shape {array.shape}; a number or shape {shape} is needed") from None
    if not np.isfinite(array).all():
        raise InputError(f"{what} is not finite everywhere")
    return array


# --- the levels of a shape ----------------------------------------------------------------------------------------


class _Level(NamedTuple):
    """Where the cells of one level lie in its padded box."""

    shape: IntArray
    strides: IntArray
    """Strides of axes 0 and 1, then 1, and the number of ghosts in front along axis 0."""
    size: int
    rows: IntArray
    colours: IntArray
    parents: IntArray
    halo_to: IntArray
    halo_from: IntArray
    wraps: bool
    """Whether rows are periodic."""

    @property
    def interior(self) -> tuple[slice, slice, slice]:
        return (slice(1, -1) if self.strides[3] else slice(None), slice(1, -1), slice(1, -1))

    @property
    def padded_shape(self) -> tuple[int, int, int]:
        n0, n1, n2 = (int(n) for n in self.shape)
        return n0 + 2 * int(self.strides[3]), n1 + 2, n2 + 2


@lru_cache(maxsize=8)
def _make_levels(shape: tuple[int, ...], periodic: tuple[bool, ...]) -> tuple[_Level, ...]:
    deep = len(shape) == 3
    axes = periodic if deep else (False, *periodic)
    n = shape if deep else (1, *shape)
    levels = [_make_level(n, axes, deep, None)]
    while np.prod(n) > COARSEST:
        n = tuple((k + 1) // 2 for k in n)
        levels.append(_make_level(n, axes, deep, levels[-1].strides))
    return tuple(levels)


def _make_level(n: tuple[int, ...], periodic: tuple[bool, ...], deep: bool, finer: IntArray | None) -> _Level:
    ghost = (int(deep), 1, 1)
    padded = tuple(k + 2 * g for k, g in zip(n, ghost, strict=True))
    strides = np.array([padded[1] * padded[2], padded[2], 1, ghost[0]])
    i, j = (index.ravel() for index in np.indices(n[:2]))
    rows = (i + ghost[0]) * strides[0] + (j + 1) * strides[1] + 1
    parents = np.zeros(0, np.int64)
    if finer is not None:
        parents = (2 * i + finer[3]) * finer[0] + (2 * j + 1) * finer[1] + 1
    # Where each padded cell takes its value from, one axis at a time; −1 for ghosts behind a wall.
    sources = []
    for k, g, wraps in zip(n, ghost, periodic, strict=True):
        source = np.arange(k + 2 * g)
        if g:
            source[[0, -1]] = (k, 1) if wraps else (-1, -1)
        sources.append(source)
    a, b, c = np.ix_(*sources)
    origin = np.where((a < 0) | (b < 0) | (c < 0), -1, a * strides[0] + b * strides[1] + c).ravel()
    halo_to = np.flatnonzero((origin >= 0) & (origin != np.arange(origin.size)))
    level = _Level(
        np.array(n), strides, origin.size, rows, 2 * (i & 1) + (j & 1), parents, halo_to, origin[halo_to], periodic[2]
    )
    for array in level:
        if isinstance(array, np.ndarray):
            array.flags.writeable = False  # shared by every problem of this shape
    return level


def _offsets(ndim: int) -> IntArray:
    """All offsets to a neighbour or to the cell itself, in the order of their digits."""
    offsets = np.ascontiguousarray(np.indices((3, 3, 3)).reshape(3, -1).T) - 1
    return offsets if ndim == 3 else offsets[offsets[:, 0] == 0]


# --- the solver ---------------------------------------------------------------------------------------------------


class Matrix(NamedTuple):
    """A problem made discrete: A and what the walls contribute to b, padded and flat (`Multigrid.cells` unpacks)."""

    conductance: FloatArray
    diagonal: FloatArray
    source: FloatArray
    """What the wall values contribute to b."""
    is_singular: bool
    spacing: float


class Multigrid:
    """A hierarchy for one problem, built once and used for many right-hand sides and for similar problems.

    Parameters
    ----------
    problem : EllipticProblem

    Examples
    --------
    >>> import numpy as np
    >>> sigma = np.ones((48, 40))
    >>> sigma[20:24, 5:] = 1e-7
    >>> multigrid = Multigrid(EllipticProblem(sigma, (Walls(low=0.0, high=1.0), Boundary.PERIODIC)))
    >>> solution = multigrid.solve()
    >>> solution.residual < 1e-10
    True
    """

    def __init__(self, problem: EllipticProblem) -> None:
        self._periodic = problem.is_periodic
        self._shape = problem.shape
        self._levels = _make_levels(self._shape, self._periodic)
        self._work = _allocate(self._levels, len(self._shape))
        finest = self._levels[0].size
        self._x, self._rhs, self._direction, self._image = (np.zeros(finest) for _ in range(4))
        self.rebuild(problem)

    @property
    def n_bytes(self) -> int:
        """Memory of the hierarchy and its work arrays."""
        arrays = [array for array in self._work if isinstance(array, np.ndarray)]
        mine = (self._x, self._rhs, self._direction, self._image, *self._matrix[:3])
        return sum(array.nbytes for array in (*arrays, *mine))

    def rebuild(self, problem: EllipticProblem | Matrix) -> None:
        """Replace the problem by another one of the same shape, periodic along the same axes."""
        self._matrix = problem if isinstance(problem, Matrix) else self.assemble(problem)
        _fill(self._levels, self._work, self._matrix, self._periodic)

    def solve(
        self,
        f: npt.ArrayLike = 0.0,
        *,
        start: npt.ArrayLike | None = None,
        problem: EllipticProblem | None = None,
        tolerance: float = RESIDUAL,
        max_iterations: int = MAX_ITERATIONS,
    ) -> EllipticSolution:
        r"""Solve :math:`\nabla\cdot(\sigma\nabla\varphi) - r\varphi = f`.

        Parameters
        ----------
        f : array_like
            Source of every cell, a number or the shape of the problem.
        start : array_like, optional
            A guess of φ; zero by default.
        problem : EllipticProblem, optional
            Another problem on the same cells, for which the hierarchy of this one is only the preconditioner.
        tolerance : float
            Relative residual to reach, in the scaled norm.
        max_iterations : int
            Most conjugate-gradient iterations.

        Raises
        ------
        InputError
            If `f` has a mean that no wall and no reaction can absorb, or a shape does not fit.
        SimulationError
            If the residual is not reached.
        """
        matrix = self._matrix if problem is None else self.assemble(problem)
        rhs = self.cells(matrix.source) - matrix.spacing**2 * _over("the source f", f, self._shape)
        first = np.zeros(self._shape) if start is None else _over("the start", start, self._shape)
        return self.solve_matrix(matrix, rhs, first, tolerance=tolerance, max_iterations=max_iterations)

    def assemble(self, problem: EllipticProblem) -> Matrix:
        periodic = problem.is_periodic
        if problem.shape != self._shape or periodic != self._periodic:
            raise InputError(
                f"a hierarchy for shape {self._shape}, periodic {self._periodic}, cannot serve a problem of shape "
                f"{problem.shape}, periodic {periodic}; make a new Multigrid"
            )
        return _assemble(problem, self._levels[0])

    def cells(self, padded: FloatArray) -> FloatArray:
        """View of the cells in a padded array, of the shape of the problem."""
        return _cells(padded, self._levels[0], len(self._shape))

    def wrap(self, padded: FloatArray) -> None:
        """Refresh the ghosts of a padded array."""
        from dynaphase.phasefield.multigrid_loops import fill_halo

        fill_halo(padded, self._levels[0].halo_to, self._levels[0].halo_from)

    def defect(self, matrix: Matrix, rhs: FloatArray, x: FloatArray) -> FloatArray:
        """`rhs` − A `x`; all of the shape of the problem."""
        from dynaphase.phasefield.multigrid_loops import residual

        level = self._levels[0]
        self.cells(self._x)[...] = x
        self.cells(self._rhs)[...] = rhs
        self.wrap(self._x)
        stencil = (self._work.star, int(level.strides[0]), int(level.strides[1]), level.rows, int(level.shape[2]))
        residual(*stencil, matrix.conductance, matrix.diagonal, self._rhs, self._x, self._image)
        return self.cells(self._image).copy()

    def precondition(self, b: FloatArray) -> FloatArray:
        """One cycle from zero: an approximation of A⁻¹ `b`, linear in b, symmetric and positive definite."""
        from dynaphase.phasefield.multigrid_loops import precondition

        size = self._levels[0].size
        self.cells(self._work.b[:size])[...] = b
        precondition(self._work)
        return self.cells(self._work.x[:size]).copy()

    def solve_matrix(
        self,
        matrix: Matrix,
        rhs: FloatArray,
        start: FloatArray,
        *,
        tolerance: float = RESIDUAL,
        max_iterations: int = MAX_ITERATIONS,
    ) -> EllipticSolution:
        """Solve A x = `rhs` for a matrix of `assemble`; see `solve`."""
        from dynaphase.phasefield.multigrid_loops import conjugate_gradients

        diagonal, x = self.cells(matrix.diagonal), self.cells(self._x)
        if matrix.is_singular:
            rhs = _balanced(rhs)
        self.cells(self._rhs)[...] = rhs
        x[...] = start
        reference = scaled_norm(rhs, diagonal)
        if reference == 0.0:
            return EllipticSolution(np.zeros(self._shape), 0, 0.0, 0.0)
        n_iterations, rounding = 0, 0.0
        while True:
            goal = max(tolerance, rounding) * reference
            system = (matrix.conductance, matrix.diagonal, self._rhs, self._x, self._direction, self._image)
            n, norm = conjugate_gradients(self._work, *system, goal, max_iterations - n_iterations, matrix.is_singular)
            n_iterations += n
            if n == 0 or not np.isfinite(norm):
                break  # each call begins with the true residual: the last one has been checked
            rounding = rounding_of(x, diagonal) / reference
        if not norm <= goal:
            raise SimulationError(
                f"conjugate gradients reached a relative residual of {norm / reference:.1e} after {n_iterations} "
                f"iterations, not {tolerance:.0e}; conductances span a factor {_contrast(matrix):.1e}. If the "
                "hierarchy was made for another problem, rebuild it; if σ jumps at random from cell to cell, refine "
                "the grid, raise the smallest conductivities, allow more iterations (max_iterations) or use a sparse "
                "direct solver"
            )
        potential = x - x.mean() if matrix.is_singular else x.copy()
        return EllipticSolution(potential, n_iterations, norm / reference, rounding)


def scaled_norm(residual: FloatArray, diagonal: FloatArray) -> float:
    """(Σ r²/diag A)^½: insulating cells count as much as conducting ones."""
    return float(np.sqrt(np.sum(residual * residual / diagonal)))


def rounding_of(x: FloatArray, diagonal: FloatArray) -> float:
    """Scaled norm of what rounding leaves of a residual that vanishes."""
    return 16 * float(np.finfo(np.float64).eps) * float(np.sqrt(np.sum(diagonal * x * x)))


def _balanced(rhs: FloatArray) -> FloatArray:
    net, total = float(rhs.sum()), float(np.abs(rhs).sum())
    if abs(net) > INCOMPATIBLE * total:
        raise InputError(
            f"the source has a net part, {abs(net) / total:.1e} of its total modulus, that nothing can absorb (all "
            "axes are periodic or without flux and there is no reaction), so there is no solution; pass f − f.mean(), "
            "or give a wall a value"
        )
    balanced: FloatArray = rhs - net / rhs.size
    return balanced


def _contrast(matrix: Matrix) -> float:
    values = matrix.conductance[matrix.conductance > 0]
    return float(values.max() / values.min()) if values.size else 1.0


def _cells(padded: FloatArray, level: _Level, ndim: int) -> FloatArray:
    view: FloatArray = padded.reshape(level.padded_shape)[level.interior]
    return view if ndim == 3 else view[0]


def _assemble(problem: EllipticProblem, level: _Level) -> Matrix:
    from dynaphase.phasefield.multigrid_loops import fill_halo, star_diagonal

    sigma = np.asarray(problem.sigma, dtype=np.float64)
    ndim = sigma.ndim
    conductance, extra, source = np.zeros((ndim, level.size)), np.zeros(level.size), np.zeros(level.size)

    if problem.reaction is not None:
        _cells(extra, level, ndim)[...] = problem.spacing**2 * np.asarray(problem.reaction)
    for axis, (walls, face) in enumerate(
        zip(problem.walls, face_conductances(sigma, FaceMean(problem.faces)), strict=True)
    ):
        for value, end in () if walls is None else ((walls.low, 0), (walls.high, -1)):
            if value is not None:
                at: tuple[slice | int, ...] = (*(slice(None),) * axis, end)
                _cells(extra, level, ndim)[at] += 2.0 * sigma[at]
                _cells(source, level, ndim)[at] += 2.0 * sigma[at] * np.asarray(value)
        if walls is not None:
            np.moveaxis(face, axis, 0)[-1] = 0.0
        along = conductance[ndim - 1 - axis]  # the order of `_star`
        _cells(along, level, ndim)[...] = face
        fill_halo(along, level.halo_to, level.halo_from)
    flat = conductance.ravel()
    plane, row = (int(stride) for stride in level.strides[:2])
    diagonal = star_diagonal(_star(ndim), plane, row, level.rows, int(level.shape[2]), flat, extra)
    fill_halo(diagonal, level.halo_to, level.halo_from)
    return Matrix(flat, diagonal, source, problem.is_singular, problem.spacing)


def _star(ndim: int) -> IntArray:
    return np.array([(0, 0, 1), (0, 1, 0), (1, 0, 0)][:ndim])


def _allocate(levels: tuple[_Level, ...], ndim: int) -> Levels:
    from dynaphase.phasefield import multigrid_loops as loops

    offsets = _offsets(ndim)
    box, star = offsets[len(offsets) // 2 + 1 :], _star(ndim)
    table = np.zeros((len(levels), loops.N_COLUMNS), np.int64)
    cells = coefficients = weights = rows = halo = 0
    for number, level in enumerate(levels):
        table[number] = [
            cells,
            level.size,
            coefficients,
            weights,
            rows,
            level.rows.size,
            level.shape[2],
            halo,
            level.halo_to.size,
            *level.strides[:2],
            level.wraps,
        ]
        cells += level.size
        coefficients += level.size * len(box if number else star)
        weights += level.size * len(offsets) if number else 0
        rows += level.rows.size
        halo += level.halo_to.size
    last = levels[-1]
    inner = np.arange(last.size).reshape(last.padded_shape)[last.interior].ravel()
    # The finest level has no parents; zeros keep the numbering of rows.
    parents = [np.zeros_like(levels[0].rows), *(level.parents for level in levels[1:])]
    return loops.Levels(
        star,
        box,
        offsets,
        table,
        np.concatenate([level.rows for level in levels]),
        np.concatenate([level.colours for level in levels]),
        np.concatenate(parents),
        np.concatenate([level.halo_to for level in levels]),
        np.concatenate([level.halo_from for level in levels]),
        np.zeros(coefficients),
        np.zeros(cells),
        np.zeros(cells),
        np.zeros(weights),
        np.zeros(cells),
        np.zeros(cells),
        np.zeros(cells),
        inner,
        np.zeros((inner.size, inner.size)),
        np.zeros(2 * int(levels[0].shape[2])),
    )


def _fill(levels: tuple[_Level, ...], work: Levels, matrix: Matrix, periodic: tuple[bool, ...]) -> None:
    """Interpolations and coarse matrices, from the finest level down."""
    from dynaphase.phasefield import multigrid_loops as loops

    wraps = np.array(periodic if len(periodic) == 3 else (False, *periodic)).astype(np.int64)
    box = work.box
    neighbours, a, diagonal = work.star, matrix.conductance, matrix.diagonal
    work.conductance[: a.size] = a
    for number, level in enumerate(levels):
        cells = slice(work.table[number, loops.CELLS], work.table[number, loops.CELLS] + level.size)
        work.diagonal[cells] = diagonal
        work.inverse[cells] = np.divide(1.0, diagonal, out=np.zeros(level.size), where=diagonal > 0)
        if number + 1 == len(levels):
            break
        down, first = levels[number + 1], int(work.table[number + 1, loops.WEIGHTS])
        weights = work.weights[first : first + len(work.all_offsets) * down.size].reshape(-1, down.size)
        weights[...] = 0.0
        geometry = (level.shape, down.shape, level.strides, down.strides, wraps)
        loops.weigh(neighbours, a, diagonal, *geometry, weights)
        for row in weights:
            loops.fill_halo(row, down.halo_to, down.halo_from)
        first = int(work.table[number + 1, loops.COEFFICIENTS])
        coarse = work.conductance[first : first + len(box) * down.size]
        coarse_diagonal = np.zeros(down.size)
        loops.galerkin(neighbours, a, diagonal, *geometry, weights, box, coarse, coarse_diagonal)
        for row in (*coarse.reshape(len(box), -1), coarse_diagonal):
            loops.fill_halo(row, down.halo_to, down.halo_from)
        neighbours, a, diagonal = box, coarse, coarse_diagonal
    _invert(levels[-1], work, neighbours, a, diagonal, is_singular=matrix.is_singular)


def _invert(
    level: _Level, work: Levels, neighbours: IntArray, a: FloatArray, diagonal: FloatArray, *, is_singular: bool
) -> None:
    """Inverse of the coarsest matrix, scaled to a unit diagonal first."""
    number = np.full(level.size, -1)
    number[work.coarse_cells] = np.arange(work.coarse_cells.size)
    number[level.halo_to] = number[level.halo_from]
    dense = np.diag(diagonal[work.coarse_cells])
    for t, offset in enumerate(neighbours):
        other = number[work.coarse_cells + int(offset @ [*level.strides[:2], 1])]
        value = a[t * level.size + work.coarse_cells]
        is_there = other >= 0
        mine, other, value = np.flatnonzero(is_there), other[is_there], value[is_there]
        np.subtract.at(dense, (mine, other), value)
        np.subtract.at(dense, (other, mine), value)
    scale = 1.0 / np.sqrt(np.diag(dense)) if dense.size > 1 else np.ones(1)
    scaled = dense * scale * scale[:, None]
    if is_singular:
        # The free constant: give it the weight of an average mode, so that the inverse exists and stays positive.
        constant = 1.0 / scale
        scaled += np.outer(constant, constant) / float(constant @ constant)
    inverse = np.linalg.inv(scaled)
    work.coarse_inverse[...] = 0.5 * (inverse + inverse.T) * scale * scale[:, None]
