"""Trade-offs between targets: what is not beaten in everything at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["is_pareto_optimal", "spread_along_front"]


def is_pareto_optimal(values: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Which rows are not dominated, when every column is to be maximised.

    A row dominates another if it is at least as good in every column and better in one.

    Parameters
    ----------
    values : array_like, shape (n, m)

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    array = np.asarray(values, dtype=float)
    optimal = np.ones(len(array), dtype=bool)
    # By falling sum a row can only be dominated by an earlier one.
    order = np.argsort(-array.sum(axis=1), kind="stable")
    front = np.empty((0, array.shape[1]))
    for index in order:
        row = array[index]
        if np.any(np.all(front >= row, axis=1) & np.any(front > row, axis=1)):
            optimal[index] = False
        else:
            front = np.vstack([front, row])
    return optimal


def spread_along_front(values: npt.ArrayLike, n: int) -> list[int]:
    """At most `n` rows of a Pareto front: the best of every column first, then those farthest from the chosen.

    Distances are in units of each column's range on the front, so the choice does not depend on units.
    """
    array = np.asarray(values, dtype=float)
    span = np.ptp(array, axis=0)
    scaled = (array - array.min(axis=0)) / np.where(span > 0, span, 1.0)
    chosen: list[int] = []
    for column in range(array.shape[1]):
        best = int(np.argmax(scaled[:, column]))
        if best not in chosen and len(chosen) < n:
            chosen.append(best)
    while len(chosen) < min(n, len(array)):
        gaps = np.min(np.linalg.norm(scaled[:, None] - scaled[None, chosen], axis=2), axis=1)
        farthest = int(np.argmax(gaps))
        if gaps[farthest] <= 0:
            break
        chosen.append(farthest)
    return chosen
