"""Trade-offs between targets: what is not beaten in everything at once.

The area of what was found is measured here, in two objectives.  What further points would add to many sets at once, in
two or three, is the business of `dynaphase.acquisition.boxes`.  The benchmarks of decisions slice volumes by a routine
of their own (``benchmarks/decisions/hypervolume.py``): what judges the choices shares no code with what makes them, and
the tests hold the three against each other.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["hypervolume", "is_pareto_optimal"]

FloatArray = npt.NDArray[np.float64]


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


def hypervolume(values: npt.ArrayLike, reference: npt.ArrayLike) -> float:
    """Area that the rows dominate above a reference point; two columns, both to be maximised.

    The union of the rectangles from `reference` to each row; rows that do not exceed it in both add nothing.

    Parameters
    ----------
    values : array_like, shape (n, 2)
    reference : array_like, shape (2,)
    """
    steps, heights = _staircase(np.asarray(values, dtype=float), np.asarray(reference, dtype=float))
    return float(np.diff(steps) @ heights[:-1])


def _staircase(values: FloatArray, reference: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The dominated region as strips above the reference: left edges, beginning with 0, and heights, ending with 0."""
    above = (values - reference)[np.all(values > reference, axis=1)]
    above = above[np.argsort(above[:, 0])]
    heights = np.maximum.accumulate(above[::-1, 1])[::-1] if len(above) else np.empty(0)
    return np.concatenate([[0.0], above[:, 0]]), np.append(heights, 0.0)
