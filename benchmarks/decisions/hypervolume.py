"""Hypervolume: how much better than a reference point a set of outcomes is, in all objectives together.

    HV(A) = volume of { y : r ≤ y ≤ a for some a in A },   every objective maximised

(doi:10.1007/BFb0056872).  Exact by slicing along the last objective; meant for the few outcomes of a pool that beat a
demanding reference, in two or three objectives.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dynaphase.pareto import is_pareto_optimal

FloatArray = npt.NDArray[np.float64]


def hypervolume(values: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Hypervolume of `values` (n, m) above `reference` (m,); rows that do not beat it in every column count nothing."""
    gains = np.asarray(values, dtype=float) - np.asarray(reference, dtype=float)
    gains = gains[(gains > 0).all(axis=1)]
    return _volume(gains[is_pareto_optimal(gains)]) if len(gains) else 0.0


def _volume(gains: FloatArray) -> float:
    """Volume of the union of the boxes from the origin to each row, none of which dominates another."""
    if len(gains) == 0:
        return 0.0
    if gains.shape[1] == 1:
        return float(gains.max())
    gains = gains[np.argsort(-gains[:, -1])]
    if gains.shape[1] == 2:
        # Sorted by the second, the first grows along the front: one strip a point.
        widths = np.diff(np.concatenate([[0.0], np.maximum.accumulate(gains[:, 0])]))
        return float(widths @ gains[:, 1])
    heights = gains[:, -1] - np.append(gains[1:, -1], 0.0)
    total = 0.0
    for k, height in enumerate(heights):
        slab = gains[: k + 1, :-1]
        total += height * _volume(slab[is_pareto_optimal(slab)])
    return total


def growing_hypervolume(scores: FloatArray, order: npt.ArrayLike, reference: FloatArray) -> FloatArray:
    """Hypervolume after each evaluation, shape (len(order),), of the rows `order` of `scores` (n, m)."""
    found = np.zeros(len(np.asarray(order)))
    front = np.empty((0, scores.shape[1]))
    value = 0.0
    for step, index in enumerate(np.asarray(order, dtype=int)):
        row = scores[index]
        if (row > reference).all() and not (front >= row).all(axis=1).any():
            front = np.vstack([front[~(front <= row).all(axis=1)], row])
            value = _volume(front - reference)
        found[step] = value
    return found
