"""Trade-offs between targets: what is not beaten in everything at once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["is_pareto_optimal"]


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
