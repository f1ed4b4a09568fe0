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
from dynaphase.phasefield.compiled import jit

__all__ = [
    "GHOSTS",
    "Geometry",
    "RealArray",
    "Scalars",
    "as_layers",
    "copy_within",
    "fill_ends",
    "fill_rows",
    "load",
    "make_geometry",
    "make_padded",
    "make_planes",
    "require_alike",
    "row_start",
    "store",
]

RealArray = npt.NDArray[Any]
"""A field in float64 or float32."""

Scalars = tuple[Any, ...]
"""Coefficients as numpy scalars of the precision of the field."""

GHOSTS: Final = 2
"""Ghosts at each end of an axis."""

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


def make_geometry(shape: tuple[int, ...], periodic: Sequence[bool], dtype: np.dtype[Any]) -> Geometry:
    """Layout of a field of `shape` (two or three axes) whose axes are periodic or mirrored at walls."""
    line = _CACHE_LINE // dtype.itemsize
    width = -(-(shape[-1] + line) // line) * line  # the ghosts behind a row may stand in the lead of the next one
    first, last = bool(periodic[0]), bool(periodic[-1])
    if len(shape) == 2:
        return Geometry(shape[0], 1, shape[1], width, 0, line, first, True, last)
    n_x, n_y, n_z = shape
    return Geometry(n_x, n_y, n_z, (n_y + 2 * GHOSTS) * width, width, line, first, bool(periodic[1]), last)


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


@jit
def row_start(i: int, k: int, g: Geometry) -> int:
    """Index of the first cell of row `k` of plane `i`, both counted without ghosts."""
    at = (i + GHOSTS) * g.plane + g.lead
    if g.row > 0:
        at += (k + GHOSTS) * g.row
    return at


@jit
def load(field: RealArray, padded: RealArray, g: Geometry) -> None:
    """Copy `field` (n_x, n_y, n_z) into `padded` and fill the ghosts."""
    for i in range(g.n_x):
        for k in range(g.n_y):
            at = row_start(i, k, g)
            for j in range(g.n_z):
                padded[at + j] = field[i, k, j]
    fill_rows(padded, 0, g.n_x, g)
    fill_ends(padded, g)


@jit
def store(padded: RealArray, field: RealArray, g: Geometry) -> None:
    """Copy the cells of `padded` into `field` (n_x, n_y, n_z)."""
    for i in range(g.n_x):
        for k in range(g.n_y):
            at = row_start(i, k, g)
            for j in range(g.n_z):
                field[i, k, j] = padded[at + j]


@jit
def fill_rows(c: RealArray, first: int, last: int, g: Geometry) -> None:
    """Fill the ghosts of planes `first` ≤ i < `last`, counted without ghosts, along the last and the middle axis."""
    n = g.n_z
    a, b, d, e = (n - 2, n - 1, 0, 1) if g.is_periodic_z else (1, 0, n - 1, n - 2)
    for i in range(first, last):
        for k in range(g.n_y):
            at = row_start(i, k, g)
            c[at - 2] = c[at + a]
            c[at - 1] = c[at + b]
            c[at + n] = c[at + d]
            c[at + n + 1] = c[at + e]
        if g.row > 0:
            _fill_ends_of(c, (i + GHOSTS) * g.plane + g.lead - GHOSTS, g.row, g.n_y, g.is_periodic_y)


@jit
def fill_ends(c: RealArray, g: Geometry) -> None:
    """Fill the ghosts along the first axis; those of the other axes come first."""
    _fill_ends_of(c, g.lead - GHOSTS, g.plane, g.n_x, g.is_periodic_x)


@jit
def _fill_ends_of(c: RealArray, start: int, stride: int, n: int, is_periodic: bool) -> None:
    """Copy whole stretches of `stride` cells into the two before and the two behind `n` of them."""
    a, b, d, e = (n, n + 1, 2, 3) if is_periodic else (3, 2, n + 1, n)
    for to, source in ((0, a), (1, b), (n + 2, d), (n + 3, e)):
        copy_within(c, start + source * stride, start + to * stride, stride)


@jit
def copy_within(c: RealArray, source: int, to: int, n: int) -> None:
    """Copy `n` entries from `source` on to `to` on; the two stretches do not meet."""
    # a loop, since an assignment of slices takes seconds to compile
    here, there = c[source : source + n], c[to : to + n]
    for p in range(n):
        there[p] = here[p]
