"""Compiled shortest-path searches of :mod:`dynaphase.electrolyte.eikonal`; importing this module imports numba."""

from __future__ import annotations

import heapq
import math

import numpy as np
import numpy.typing as npt

from dynaphase.phasefield.compiled import jit

__all__ = ["bottleneck_search", "front_search"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@jit
def _moved(place: IntArray, shape: IntArray, is_periodic: IntArray, step: IntArray) -> int:
    """Flat index of the cell at `place` + `step`, −1 beyond a wall."""
    index = 0
    for axis in range(shape.size):
        n = shape[axis]
        at = place[axis] + step[axis]
        if at < 0 or at >= n:
            if is_periodic[axis] == 0:
                return -1
            at = (at + n) % n
        index = index * n + at
    return index


@jit
def _unravel(index: int, shape: IntArray, place: IntArray) -> None:
    for axis in range(shape.size - 1, -1, -1):
        place[axis] = index % shape[axis]
        index //= shape[axis]


@jit
def _heap_of_sources(values: FloatArray) -> list[tuple[float, int]]:
    """The entries that are given, with their places, the least first."""
    heap = [(0.0, 0)]
    heap.pop()  # an empty list of known type
    for index in range(values.size):
        if math.isfinite(values[index]):
            heap.append((values[index], index))
    heapq.heapify(heap)
    return heap


@jit
def _half_sinh_squared(lead: float) -> float:
    """sinh²(x/2) of a lead x = b(φ − η), 0 where it is negative."""
    half = math.sinh(0.5 * lead) if lead > 0.0 else 0.0
    return half * half


@jit
def front_search(
    times: FloatArray,
    threshold: FloatArray,
    shape: IntArray,
    is_periodic: IntArray,
    ends: IntArray,
    passed: IntArray,
    pieces: FloatArray,
    rate: float,
    b: float,
) -> None:
    """Lower `times` (flat; given at the sources, infinite elsewhere) to the arrival of the front in every cell.

    `ends` holds the links, (n_links, n_axes); link k runs through the cells ``passed[k]`` (relative to its start, which
    is the first of them), and ``pieces[k]`` are b·rate·(length within the cell)/(4v₀), 0 after the last.  A negative
    threshold marks the sources.
    """
    heap = _heap_of_sources(times)
    place = np.zeros(shape.size, np.int64)
    while len(heap) > 0:
        time, index = heapq.heappop(heap)
        if time > times[index]:
            continue
        _unravel(index, shape, place)
        own = threshold[index]
        own_square = _half_sinh_squared(b * (rate * time - own))  # the same for every link that begins here
        for link in range(ends.shape[0]):
            end = _moved(place, shape, is_periodic, ends[link])
            if end < 0 or times[end] <= time:
                continue
            at, barrier, square = time, own, own_square
            for piece in range(passed.shape[1]):
                if pieces[link, piece] == 0.0:
                    break
                if piece > 0:
                    barrier = threshold[_moved(place, shape, is_periodic, passed[link, piece])]
                    square = _half_sinh_squared(b * (rate * at - barrier))
                if barrier < 0.0:
                    continue  # lithium from the start: nothing to cross
                at = (barrier + 2.0 / b * math.asinh(math.sqrt(square + pieces[link, piece]))) / rate
                if at >= times[end]:
                    break
            if at < times[end]:
                times[end] = at
                heapq.heappush(heap, (at, end))


@jit
def bottleneck_search(
    levels: FloatArray, threshold: FloatArray, shape: IntArray, is_periodic: IntArray, ends: IntArray
) -> None:
    """Lower `levels` (flat; given at the sources, infinite elsewhere) to the smallest level that reaches every cell."""
    heap = _heap_of_sources(levels)
    place = np.zeros(shape.size, np.int64)
    while len(heap) > 0:
        level, index = heapq.heappop(heap)
        if level > levels[index]:
            continue
        _unravel(index, shape, place)
        for link in range(ends.shape[0]):
            end = _moved(place, shape, is_periodic, ends[link])
            if end < 0:
                continue
            needed = max(level, threshold[end])
            if needed < levels[end]:
                levels[end] = needed
                heapq.heappush(heap, (needed, end))
