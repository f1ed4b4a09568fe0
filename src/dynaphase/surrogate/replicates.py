"""Replicates: several seeds of one composition → its mean response, and how noisy that mean is.

With m_i values y_ij at composition i, the scatter is s_i² = Σ_j (y_ij − ȳ_i)²/(m_i − 1).  With two or three seeds it is
mostly chance, and weighting by it would favour compositions whose replicates agree by luck; so the variance of a run
at x is learned from the scatter of all compositions (`dynaphase.surrogate.scatter`).

Levels of fidelity have noises of their own: x learns from compositions of its level only, where that level has enough
replicates, else from all levels together.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dynaphase.surrogate.scatter import Scatter, fit_scatter
from dynaphase.surrogate.targets import FloatArray

__all__ = ["LEAST_DEGREES_OF_FREEDOM", "Replicates", "average_replicates", "group_rows"]

LEAST_DEGREES_OF_FREEDOM: Final = 4.0
"""How many degrees of freedom all scatter together must have to be used."""


@dataclass(frozen=True)
class Replicates:
    """Mean responses of n compositions.

    Attributes
    ----------
    X : ndarray, shape (n, d)
        Compositions in the unit cube, each once.
    mean : ndarray, shape (n,)
        Mean over the replicates.
    n_rows : ndarray, shape (n,)
        Number of replicates m_i.
    scatter : ndarray, shape (n,)
        s_i², 0 where there is one replicate.
    level_column : int, optional
        Column of X that holds the level of fidelity.
    """

    X: FloatArray
    mean: FloatArray
    n_rows: npt.NDArray[np.intp]
    scatter: FloatArray
    level_column: int | None = None

    @property
    def degrees_of_freedom(self) -> FloatArray:
        """ν_i = m_i − 1."""
        return (self.n_rows - 1).astype(float)

    @property
    def are_informative(self) -> bool:
        """Whether the scatter rests on at least `LEAST_DEGREES_OF_FREEDOM`."""
        return float(self.degrees_of_freedom.sum()) >= LEAST_DEGREES_OF_FREEDOM

    @property
    def variance_of_mean(self) -> FloatArray:
        """s²(x_i)/m_i, shape (n,)."""
        return self.variance_near(self.X) / self.n_rows

    def variance_near(self, X: FloatArray) -> FloatArray:
        """σ²(x), the variance of a single run about the mean response, at each row of `X` (k, d); shape (k,)."""
        at = None if self.level_column is None else np.round(X[:, self.level_column], 6)
        found = _variance(self._scatter[None], X)
        for level, scatter in self._scatter.items():
            if at is not None and level is not None:
                found[at == level] = _variance(scatter, X[at == level])
        return found

    @cached_property
    def _scatter(self) -> dict[float | None, Scatter | None]:
        """What is known of the noise: of all rows (None), and of each level that has enough replicates."""
        freedom = self.degrees_of_freedom
        found: dict[float | None, Scatter | None] = {None: fit_scatter(self.X, self.scatter, freedom)}
        if self.level_column is not None:
            levels = np.round(self.X[:, self.level_column], 6)
            for level in np.unique(levels).tolist():
                mine = levels == level
                if freedom[mine].sum() >= LEAST_DEGREES_OF_FREEDOM:
                    found[level] = fit_scatter(self.X[mine], self.scatter[mine], freedom[mine])
        return found


def _variance(scatter: Scatter | None, X: FloatArray) -> FloatArray:
    return np.zeros(len(X)) if scatter is None else scatter.variance(X)


def group_rows(X: FloatArray) -> tuple[FloatArray, npt.NDArray[np.intp]]:
    """Distinct rows of X (to 1e-9) in order of first appearance, and the index of each row among them."""
    _, first, inverse = np.unique(np.round(X, 9), axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return X[first[order]], rank[inverse.reshape(-1)]


def average_replicates(X: npt.ArrayLike, y: npt.ArrayLike, level_column: int | None = None) -> Replicates:
    """Average `y` (n_rows,) over equal rows of `X` (n_rows, d); rows must be finite."""
    inputs, values = np.asarray(X, dtype=float), np.asarray(y, dtype=float)
    distinct, index = group_rows(inputs)
    n_rows: npt.NDArray[Any] = np.bincount(index, minlength=len(distinct))
    mean = np.bincount(index, values, minlength=len(distinct)) / n_rows
    squares = np.bincount(index, (values - mean[index]) ** 2, minlength=len(distinct))
    return Replicates(distinct, mean, n_rows, squares / np.maximum(n_rows - 1, 1), level_column)
