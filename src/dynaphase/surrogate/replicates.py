"""Replicates: several seeds of one composition → its mean response, and how noisy that mean is.

With m_i values y_ij at composition i, the scatter s_i² = Σ_j (y_ij − ȳ_i)²/(m_i − 1) has ν_i = m_i − 1 degrees
of freedom, usually one or two: alone it is mostly chance, and weighting by it would favour compositions whose
replicates agree by luck.  So the variance of a run at x is estimated from the scatter around x, and shrunk
towards the pooled scatter (empirical Bayes for a scaled inverse-χ² prior, as in doi:10.2202/1544-6115.1027, with
ν₀ fixed and neighbours added):

    s²(x) = (ν₀ s₀² + Σ_i w_i ν_i s_i²)/(ν₀ + Σ_i w_i ν_i),   w_i = exp(−|x − x_i|²/2h²)
    s₀² = Σ_i ν_i s_i²/Σ_i ν_i,   ν₀ = 4,   h = distance from x to the fifth nearest composition

Some ten compositions count wherever x lies, all of them while there are few: a noisy region is recognised as one.
s₀² is the arithmetic mean, so a quiet region beside a noisy one is taken as noisier than it is, never the reverse.

Levels of fidelity have noises of their own: x learns from compositions of its level only, and s₀² is that of the
level where it has ν₀ degrees of freedom, else that of all levels together.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dynaphase.surrogate.targets import FloatArray

__all__ = ["PRIOR_DEGREES_OF_FREEDOM", "Replicates", "average_replicates", "group_rows"]

PRIOR_DEGREES_OF_FREEDOM: Final = 4.0
"""ν₀: what the pooled scatter counts for, and how many degrees of freedom it must have to be used."""

_N_NEIGHBOURS: Final = 5


@dataclass(frozen=True, slots=True)
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
        """Whether the pooled scatter rests on at least ν₀ degrees of freedom."""
        return float(self.degrees_of_freedom.sum()) >= PRIOR_DEGREES_OF_FREEDOM

    @property
    def pooled_variance(self) -> float:
        """s₀², 0 without replicates."""
        total = self.degrees_of_freedom.sum()
        return float(self.degrees_of_freedom @ self.scatter / total) if total else 0.0

    @property
    def variance_of_mean(self) -> FloatArray:
        """s²(x_i)/m_i, shape (n,)."""
        return self.variance_near(self.X) / self.n_rows

    def variance_near(self, X: FloatArray) -> FloatArray:
        """s²(x), the variance of a single run about the mean response, at each row of `X` (k, d); shape (k,)."""
        if self.level_column is None:
            return self._variance_near(X, self.pooled_variance)
        found = np.full(len(X), self.pooled_variance)
        at, known = (np.round(rows[:, self.level_column], 6) for rows in (X, self.X))
        for level in np.intersect1d(at, known):
            mine = known == level
            one = Replicates(self.X[mine], self.mean[mine], self.n_rows[mine], self.scatter[mine])
            pooled = one.pooled_variance if one.are_informative else self.pooled_variance
            found[at == level] = one._variance_near(X[at == level], pooled)
        return found

    def _variance_near(self, X: FloatArray, pooled_variance: float) -> FloatArray:
        from scipy.spatial.distance import cdist

        distance = cdist(X, self.X)
        last = min(_N_NEIGHBOURS, distance.shape[1]) - 1
        width = np.partition(distance, last, axis=1)[:, last, None].clip(1e-9)
        shares = np.exp(-0.5 * (distance / width) ** 2) * self.degrees_of_freedom
        prior = PRIOR_DEGREES_OF_FREEDOM
        return np.asarray((prior * pooled_variance + shares @ self.scatter) / (prior + shares.sum(axis=1)))


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
