"""Padded arrays: the layout in which the stencil loops are quick, with the ghosts that carry the boundaries.

Importing this module imports numba: do it inside the function that needs it.

A padded array is flat.  It holds planes, a plane holds rows, a row holds cells; two ghosts stand at each end of every
axis, since the loops of fourth order look two cells far.  A field of two dimensions has planes of one row and no
ghost rows.  All neighbours of a cell lie at constant distances (1, ``row``, ``plane``), so a loop runs straight over
many rows, ghosts included, and what it leaves in the ghosts is overwritten when they are filled: no loop is started
and finished for each row, which costs as much as computing it.

The first cell of each row lies on a cache line (64 bytes), and loops begin there or one line earlier: then only the
two neighbours along the row are read across one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from dynaphase.errors import ConfigError
from dynaphase.phasefield.compiled import jit_inner

__all__ = [
    "GHOSTS",
    "ONE",
    "Geometry",
    "Layers",
    "RealArray",
    "Scalars",
    "Strides",
    "as_layers",
    "copy_within",
    "fill_ends",
    "fill_rows",
    "make_geometry",
    "make_padded",
    "make_planes",
    "neighbours",
    "require_alike",
    "row_start",
    "span",
]

RealArray = npt.NDArray[Any]
"""A field in float64 or float32."""

Scalars = tuple[Any, ...]
"""Coefficients as numpy scalars of the precision of the field."""

Strides = tuple[np.uintp, ...]
"""Distances of neighbours along each axis; the number of axes is part of the type, so each has loops of its own."""

GHOSTS: Final = 2
"""Ghosts at each end of an axis."""

ONE: Final = np.uintp(1)
TWO: Final = np.uintp(2)

_CACHE_LINE: Final = 64  # bytes


class Geometry(NamedTuple):
    """Where the cells of a padded array are."""

    n_x: int
    n_y: int
    """1 for a field of two dimensions."""
    n_z: int
    plane: int
    """Distance of neighbours along the first axis."""
    row: int
    """Distance of neighbours along the middle axis; 0 for a field of two dimensions, which has none."""
    lead: int
    """Entries in front of the first cell of a row, its two ghosts among them: one cache line."""
    is_periodic_x: bool
    is_periodic_y: bool
    is_periodic_z: bool
    strides: Strides


def make_geometry(shape: tuple[int, ...], periodic: Sequence[bool], dtype: np.dtype[Any]) -> Geometry:
    """Layout of a field of `shape` (two or three axes) whose axes are periodic or mirrored at walls."""
    line = _CACHE_LINE // dtype.itemsize
    width = -(-(shape[-1] + line) // line) * line  # the ghosts behind a row may stand in the lead of the next one
    first, last = bool(periodic[0]), bool(periodic[-1])
    if len(shape) == 2:
        return Geometry(shape[0], 1, shape[1], width, 0, line, first, True, last, (np.uintp(width), ONE))
    n_x, n_y, n_z = shape
    plane = (n_y + 2 * GHOSTS) * width
    strides = np.uintp(plane), np.uintp(width), ONE
    return Geometry(n_x, n_y, n_z, plane, width, line, first, bool(periodic[1]), last, strides)


def make_padded(geometry: Geometry, dtype: np.dtype[Any]) -> RealArray:
    """A padded array of zeros."""
    return make_planes(geometry.n_x + 2 * GHOSTS, geometry, dtype)


def make_planes(n_planes: int, geometry: Geometry, dtype: np.dtype[Any]) -> RealArray:
    """Some planes of a padded array, zeros."""
    size = n_planes * geometry.plane + geometry.lead
    room = np.zeros(size + geometry.lead, dtype)
    start = (-room.ctypes.data % _CACHE_LINE) // dtype.itemsize
    return room[start : start + size]


def as_layers(array: RealArray, shape: tuple[int, ...]) -> RealArray:
    """The array of that `shape` with three axes, sharing its memory."""
    if array.shape != shape or not array.flags.c_contiguous or array.dtype not in (np.float64, np.float32):
        raise ConfigError(
            f"the loops need a C-contiguous float64 or float32 array of shape {shape}, not {array.dtype} of "
            f"shape {array.shape}; np.ascontiguousarray makes one"
        )
    return array if array.ndim == 3 else array.reshape(array.shape[0], 1, array.shape[1])


def require_alike(field: RealArray, rate: RealArray) -> None:
    """The compiled loops do not look whether an index is inside."""
    if rate.shape != field.shape or rate.dtype != field.dtype:
        raise ConfigError(
            f"the rate of a {field.dtype} field with {field.size} cells cannot be written into {rate.size} cells of "
            f"{rate.dtype}; np.empty_like(state) makes the right array"
        )


class Layers:
    """A padded array seen as the cells of a field, with views that are made once.

    Parameters
    ----------
    padded : array
        As `make_padded` makes it.
    g : Geometry
    """

    # numpy is quick enough for what is done once in many steps, and needs no compilation

    def __init__(self, padded: RealArray, g: Geometry) -> None:
        self.padded = padded
        n_planes, width, start = g.n_x + 2 * GHOSTS, int(g.strides[-2]), g.lead - GHOSTS
        rows = padded[start : start + n_planes * g.plane].reshape(n_planes, g.plane // width, width)
        layers = rows[:, :, : g.n_z + 2 * GHOSTS]
        middle = slice(GHOSTS, -GHOSTS) if g.row > 0 else slice(None)
        self._cells = layers[GHOSTS:-GHOSTS, middle, GHOSTS:-GHOSTS]
        self._ghosts: list[tuple[RealArray, RealArray]] = []
        """Where to and where from, in this order: the ghosts of the first axis copy those of the others."""
        n_cells, periodic = (g.n_x, g.n_y, g.n_z), (g.is_periodic_x, g.is_periodic_y, g.is_periodic_z)
        for axis in (2, 1, 0) if g.row > 0 else (2, 0):
            n, view = n_cells[axis], np.moveaxis(layers, axis, 0)
            low, high = (view[n : n + 2], view[2:4]) if periodic[axis] else (view[3:1:-1], view[n + 1 : n - 1 : -1])
            self._ghosts += (view[:2], low), (view[n + 2 :], high)

    def load(self, field: RealArray) -> None:
        """Copy `field` (n_x, n_y, n_z) into the cells and fill the ghosts."""
        self._cells[...] = field
        for to, source in self._ghosts:
            to[...] = source

    def store(self, field: RealArray) -> None:
        """Copy the cells into `field` (n_x, n_y, n_z)."""
        field[...] = self._cells


@jit_inner
def row_start(i: int, k: int, g: Geometry) -> int:
    """Index of the first cell of row `k` of plane `i`, both counted without ghosts."""
    return (i + GHOSTS) * g.plane + g.lead + (k + GHOSTS) * g.row  # without a middle axis g.row is 0


@jit_inner
def span(first: int, m: int, g: Geometry) -> tuple[int, int]:
    """First cell and number of entries of `m` planes from `first` on: what one flat loop covers."""
    return row_start(first, 0, g), m * g.plane - 2 * GHOSTS * (g.row + 1)


@jit_inner
def neighbours(c: RealArray, low: Any, here: Any, high: Any, strides: Strides) -> Any:
    """Sum of the neighbours of the entry `here`; along the first axis they are at `low` and `high`.

    The indices are of type ``numpy.uintp``: only of those does numba know that they do not count from the end, which
    is what lets the compiler write vector code.
    """
    around = (c[low] + c[high]) + (c[here - ONE] + c[here + ONE])
    if len(strides) == 3:
        around += c[here - strides[1]] + c[here + strides[1]]
    return around


@jit_inner
def fill_rows(c: RealArray, first: int, m: int, g: Geometry, strides: Strides) -> None:
    """Fill the ghosts of `m` planes from `first` on, counted without ghosts, along the last and the middle axis."""
    n, width = np.uintp(g.n_z), strides[len(strides) - 2]
    a, b, d, e = (n, n + ONE, TWO, TWO + ONE) if g.is_periodic_z else (TWO + ONE, TWO, n + ONE, n)
    # in rows of ghosts too, which are overwritten next
    at = np.uintp((first + GHOSTS) * g.plane + g.lead - GHOSTS)
    for _ in range(np.uintp(m * g.plane) // width):
        c[at] = c[at + a]
        c[at + ONE] = c[at + b]
        c[at + n + TWO] = c[at + d]
        c[at + n + TWO + ONE] = c[at + e]
        at += width
    if len(strides) == 3:
        for i in range(first, first + m):
            _fill_ends_of(c, (i + GHOSTS) * g.plane + g.lead - GHOSTS, g.row, g.n_y, g.is_periodic_y)


@jit_inner
def fill_ends(c: RealArray, g: Geometry) -> None:
    """Fill the ghosts along the first axis; those of the other axes come first."""
    _fill_ends_of(c, g.lead - GHOSTS, g.plane, g.n_x, g.is_periodic_x)


@jit_inner
def _fill_ends_of(c: RealArray, start: int, stride: int, n: int, is_periodic: bool) -> None:
    """Copy whole stretches of `stride` cells into the two before and the two behind `n` of them."""
    for q in range(2 * GHOSTS):
        is_low = q < GHOSTS
        to = q if is_low else n + q
        wrapped, mirrored = (to + n, 3 - to) if is_low else (to - n, 2 * n + 3 - to)
        source = wrapped if is_periodic else mirrored
        copy_within(c, start + source * stride, start + to * stride, stride)


@jit_inner
def copy_within(c: RealArray, source: int, to: int, n: int) -> None:
    """Copy `n` entries from `source` on to `to` on; the two stretches do not meet."""
    here, there = np.uintp(source), np.uintp(to)
    for p in range(np.uintp(n)):
        c[there + p] = c[here + p]
