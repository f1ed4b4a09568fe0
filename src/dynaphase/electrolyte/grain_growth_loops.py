"""Grain growth in windows, compiled: every grain has an order parameter of its own, kept only where it is not zero.

Importing this module imports numba: do it inside the function that needs it.  The readable twin is
:func:`~dynaphase.electrolyte.grain_growth.growth_rate`; a test holds the two together.

All arrays have three axes, the middle one flat (one cell, no ghosts) in the plane, and are stored as one row of
numbers.  A window is a row of eight integers: where it begins in the pool, its first cell along each axis, its number
of cells along each axis, and the number of its grain.  It is surrounded by ghosts that hold 0, or, along an axis that
it fills, the cells of the other end.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dynaphase.phasefield.compiled import jit

__all__ = ["WINDOW", "covering_windows", "euler_steps", "fill_from_labels", "fit_windows", "scatter", "two_largest"]

WINDOW = 8
"""Integers that describe a window."""

RealArray = npt.NDArray[Any]
IntArray = npt.NDArray[np.int64]
Shape = tuple[int, int, int]


@jit
def _strides(window: IntArray, shape: Shape) -> tuple[int, int, int]:
    """Numbers between neighbours along axis 0 and axis 1, and the ghosts at one end of axis 1."""
    ghost = 1 if shape[1] > 1 else 0
    row = window[6] + 2
    return (window[5] + 2 * ghost) * row, row, ghost


@jit
def _room(window: IntArray, shape: Shape) -> int:
    """Numbers that a window takes in the pool, ghosts included."""
    plane, _, _ = _strides(window, shape)
    return int((window[4] + 2) * plane)


# --- time steps --------------------------------------------------------------------------------------------------


@jit
def _wrap_ghosts(pool: RealArray, window: IntArray, shape: Shape) -> None:
    """Ghosts along every axis that the window fills."""
    plane, row, ghost = _strides(window, shape)
    start, n0, n1, n2 = window[0], window[4], window[5], window[6]
    if n0 == shape[0]:
        for k in range(plane):
            pool[start + k] = pool[start + n0 * plane + k]
            pool[start + (n0 + 1) * plane + k] = pool[start + plane + k]
    if ghost and n1 == shape[1]:
        for i in range(1, n0 + 1):
            at = start + i * plane
            for k in range(row):
                pool[at + k] = pool[at + n1 * row + k]
                pool[at + (n1 + 1) * row + k] = pool[at + row + k]
    if n2 == shape[2]:
        for i in range(1, n0 + 1):
            for j in range(ghost, n1 + ghost):
                at = start + i * plane + j * row
                pool[at] = pool[at + n2]
                pool[at + n2 + 1] = pool[at + 1]


@jit
def _advance_window(
    pool: RealArray, other: RealArray, window: IntArray, shape: Shape,
    decay: RealArray, gain: RealArray, next_decay: RealArray, keep: float, face: float, crowding: float,
) -> None:  # fmt: skip
    """One step of one grain from `pool` into `other`; adds what it crowds out to `next_decay`."""
    _wrap_ghosts(pool, window, shape)
    plane, row, ghost = _strides(window, shape)
    first = min(window[6], shape[2] - window[3])  # cells of a row before the end of the box; the rest is beyond it
    for i in range(window[4]):
        gi = (window[1] + i) % shape[0]
        for j in range(window[5]):
            gj = (window[2] + j) % shape[1]
            at = window[0] + (i + 1) * plane + (j + ghost) * row + 1
            line = (gi * shape[1] + gj) * shape[2]
            _advance_row(
                pool, other, at, plane, row * ghost, decay, gain, next_decay, line + window[3], first, keep, face,
                crowding,
            )  # fmt: skip
            _advance_row(
                pool, other, at + first, plane, row * ghost, decay, gain, next_decay, line, window[6] - first, keep,
                face, crowding,
            )  # fmt: skip


@jit
def _advance_row(
    pool: RealArray, other: RealArray, at: int, plane: int, row: int,
    decay: RealArray, gain: RealArray, next_decay: RealArray, cell: int, n: int,
    keep: float, face: float, crowding: float,
) -> None:  # fmt: skip
    # Unsigned indices: numba then leaves out the test for negative ones, and the loops become vector instructions.
    # Slices would do too, but a row is short and making nine of them takes as long as the row itself.
    a, c, end, one = np.uint64(at), np.uint64(cell), np.uint64(n), np.uint64(1)
    p, r = np.uint64(plane), np.uint64(row)
    if row:
        for k in range(np.uint64(0), end):
            eta = pool[a + k]
            around = (pool[a + k - one] + pool[a + k + one]) + (pool[a + k - p] + pool[a + k + p])
            around += pool[a + k - r] + pool[a + k + r]
            value = eta * (keep - decay[c + k] + gain[c + k] * eta) + face * around
            other[a + k] = value
            next_decay[c + k] += crowding * value * value
    else:
        for k in range(np.uint64(0), end):
            eta = pool[a + k]
            around = (pool[a + k - one] + pool[a + k + one]) + (pool[a + k - p] + pool[a + k + p])
            value = eta * (keep - decay[c + k] + gain[c + k] * eta) + face * around
            other[a + k] = value
            next_decay[c + k] += crowding * value * value


@jit
def euler_steps(
    pool: RealArray, other: RealArray, windows: IntArray, shape: Shape, n_steps: int,
    ground: RealArray, gain: RealArray, decay: RealArray, next_decay: RealArray,
    keep: float, face: float, crowding: float,
) -> None:  # fmt: skip
    """`n_steps` steps η ← η(keep − decay + gain·η) + face·Σ(neighbours); the last one ends in `pool`.

    decay = ground + crowding·Ση² is kept up to date with the state; `n_steps` must be even.
    """
    for step in range(n_steps):
        now, then = (pool, other) if step % 2 == 0 else (other, pool)
        old, new = (decay, next_decay) if step % 2 == 0 else (next_decay, decay)
        new[:] = ground
        for w in range(len(windows)):
            _advance_window(now, then, windows[w], shape, old, gain, new, keep, face, crowding)


# --- windows -----------------------------------------------------------------------------------------------------


@jit
def _arc(marks: RealArray, margin: int) -> tuple[int, int]:
    """First cell and number of cells of the shortest stretch of a ring that holds all marks, with a margin."""
    n = marks.size
    best, best_end, run = -1, 0, 0
    for k in range(2 * n):  # the longest gap, the ring gone through twice
        if marks[k % n]:
            run = 0
        else:
            run += 1
            if run > best:
                best, best_end = run, k
    extent = n - min(max(best, 0), n) + 2 * margin
    if extent >= n:
        return 0, n
    return (best_end + 1 - margin) % n, extent


@jit
def covering_windows(marks: RealArray, ids: IntArray, shape: Shape, margin: int) -> IntArray:
    """Windows of the grains `ids` from the marks of their cells along the three axes, (n, shape[0] + …)."""
    windows = np.zeros((ids.size, WINDOW), np.int64)
    start = 0
    for w in range(ids.size):
        first = 0
        for axis in range(3):
            last = first + shape[axis]
            windows[w, 1 + axis], windows[w, 4 + axis] = _arc(marks[w, first:last], margin if shape[axis] > 1 else 0)
            first = last
        windows[w, 0], windows[w, 7] = start, ids[w]
        start += _room(windows[w], shape)
    return windows


@jit
def fill_from_labels(windows: IntArray, labels: IntArray, share: RealArray, shape: Shape) -> RealArray:
    """A pool in which every order parameter is `share` on the cells with its label."""
    pool = np.zeros(_pool_size(windows, shape), share.dtype)
    for w in range(len(windows)):
        window = windows[w]
        plane, row, ghost = _strides(window, shape)
        for i in range(window[4]):
            gi = (window[1] + i) % shape[0]
            for j in range(window[5]):
                gj = (window[2] + j) % shape[1]
                at = window[0] + (i + 1) * plane + (j + ghost) * row + 1
                for k in range(window[6]):
                    cell = (gi * shape[1] + gj) * shape[2] + (window[3] + k) % shape[2]
                    if labels[cell] == window[7]:
                        pool[at + k] = share[cell]
    return pool


@jit
def _pool_size(windows: IntArray, shape: Shape) -> int:
    size = 0
    for w in range(len(windows)):
        size += _room(windows[w], shape)
    return size


@jit
def fit_windows(
    pool: RealArray, windows: IntArray, shape: Shape, threshold: float, vanished: float, margin: int
) -> tuple[RealArray, IntArray]:
    """Pool and windows that cover η > `threshold` with a margin; grains that never exceed `vanished` are left out."""
    ids = np.zeros(len(windows), np.int64)
    source = np.zeros(len(windows), np.int64)
    marks = np.zeros((len(windows), shape[0] + shape[1] + shape[2]), np.bool_)
    n = 0
    for w in range(len(windows)):
        if _mark(pool, windows[w], shape, threshold, marks[n]) > vanished:
            ids[n], source[n] = windows[w, 7], w
            n += 1
        else:
            marks[n, :] = False
    fitted = covering_windows(marks[:n], ids[:n], shape, margin)
    fresh = np.zeros(_pool_size(fitted, shape), pool.dtype)
    for w in range(n):
        _copy_window(pool, windows[source[w]], fresh, fitted[w], shape)
    return fresh, fitted


@jit
def _mark(pool: RealArray, window: IntArray, shape: Shape, threshold: float, marks: RealArray) -> float:
    """Mark where η exceeds the threshold along each axis; the largest η."""
    plane, row, ghost = _strides(window, shape)
    along = np.zeros(window[6], pool.dtype)  # the largest η in every column of cells
    for i in range(window[4]):
        gi = (window[1] + i) % shape[0]
        for j in range(window[5]):
            gj = shape[0] + (window[2] + j) % shape[1]
            at = np.uint64(window[0] + (i + 1) * plane + (j + ghost) * row + 1)
            for k in range(np.uint64(0), np.uint64(window[6])):
                along[k] = max(along[k], pool[at + k])
            for k in range(np.uint64(0), np.uint64(window[6])):
                if pool[at + k] > threshold:
                    marks[gi] = True
                    marks[gj] = True
                    break
    for k in range(window[6]):
        if along[k] > threshold:
            marks[shape[0] + shape[1] + (window[3] + k) % shape[2]] = True
    return float(np.max(along))


@jit
def _copy_window(pool: RealArray, window: IntArray, fresh: RealArray, fitted: IntArray, shape: Shape) -> None:
    plane, row, ghost = _strides(window, shape)
    new_plane, new_row, _ = _strides(fitted, shape)
    for i in range(fitted[4]):
        oi = (fitted[1] + i - window[1]) % shape[0]
        if oi >= window[4]:
            continue
        for j in range(fitted[5]):
            oj = (fitted[2] + j - window[2]) % shape[1]
            if oj >= window[5]:
                continue
            at = window[0] + (oi + 1) * plane + (oj + ghost) * row + 1
            new = fitted[0] + (i + 1) * new_plane + (j + ghost) * new_row + 1
            for k in range(fitted[6]):
                ok = (fitted[3] + k - window[3]) % shape[2]
                if ok < window[6]:
                    fresh[new + k] = pool[at + ok]


# --- reading -----------------------------------------------------------------------------------------------------


@jit
def scatter(pool: RealArray, windows: IntArray, shape: Shape, power: int, out: RealArray) -> None:
    """Add η to the power 1 or 2 of every grain to `out`: one field for all (1, cells), or one a window."""
    for w in range(len(windows)):
        window = windows[w]
        plane, row, ghost = _strides(window, shape)
        target = out[w if len(out) > 1 else 0]
        for i in range(window[4]):
            gi = (window[1] + i) % shape[0]
            for j in range(window[5]):
                gj = (window[2] + j) % shape[1]
                at = window[0] + (i + 1) * plane + (j + ghost) * row + 1
                for k in range(window[6]):
                    cell = (gi * shape[1] + gj) * shape[2] + (window[3] + k) % shape[2]
                    eta = pool[at + k]
                    target[cell] += eta if power == 1 else eta * eta


@jit
def two_largest(pool: RealArray, windows: IntArray, shape: Shape, labels: IntArray, values: RealArray) -> None:
    """Numbers (2, cells) and values (2, cells) of the two largest order parameters; start them from −1 and 0."""
    for w in range(len(windows)):
        window = windows[w]
        plane, row, ghost = _strides(window, shape)
        for i in range(window[4]):
            gi = (window[1] + i) % shape[0]
            for j in range(window[5]):
                gj = (window[2] + j) % shape[1]
                at = window[0] + (i + 1) * plane + (j + ghost) * row + 1
                for k in range(window[6]):
                    cell = (gi * shape[1] + gj) * shape[2] + (window[3] + k) % shape[2]
                    eta = pool[at + k]
                    if eta > values[0, cell]:
                        values[1, cell], labels[1, cell] = values[0, cell], labels[0, cell]
                        values[0, cell], labels[0, cell] = eta, window[7]
                    elif eta > values[1, cell]:
                        values[1, cell], labels[1, cell] = eta, window[7]
