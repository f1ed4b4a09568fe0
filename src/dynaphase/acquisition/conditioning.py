"""The posterior after further observations.

Once candidate b has been observed with noise variance r, a Gaussian knows every other candidate better by

    cov(i, j) ← cov(i, j) − cov(i, b) cov(b, j)/(cov(b, b) + r)

whatever the observation will be.  What is subtracted has rank one, so only one column of n numbers is kept for each
observation, and only the columns that are asked for are ever computed: n·b instead of n² numbers, as in a pivoted
Cholesky factorisation (doi:10.1016/j.apnum.2011.10.001).
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from dynaphase.surrogate.prediction import JointPosterior
from dynaphase.surrogate.targets import FloatArray

__all__ = ["Conditioned", "condition"]

_LEAST_JITTER: Final = 1e-8
"""Least noise variance, in units of the targets' spread: an observation to 1e-4 of it counts as exact."""


class Conditioned:
    """A joint posterior and what has been observed since; the working state of one selection.

    Attributes
    ----------
    variance : ndarray, shape (t, n)
        Variances after all observations so far.
    factors : ndarray, shape (t, k, n)
        One row an observation: cov(i, j) = prior(i, j) − Σ_k factors[:, k, i] factors[:, k, j].
    """

    def __init__(self, posterior: JointPosterior) -> None:
        self.posterior = posterior
        self.variance = posterior.variance
        t, n = posterior.mean.shape
        self.factors = np.empty((t, 0, n))

    def between(self, rows: npt.ArrayLike, columns: npt.ArrayLike) -> FloatArray:
        """Covariance (t, r, c) after all observations so far."""
        left, right = np.asarray(rows, dtype=np.intp), np.asarray(columns, dtype=np.intp)
        known = self.factors[:, :, left].transpose(0, 2, 1) @ self.factors[:, :, right]
        return self.posterior.between(left, right) - known

    def observe(self, rows: npt.ArrayLike, noise: FloatArray | None = None) -> FloatArray:
        """Observe candidates `rows` (k,) with noise variances (t, k), exactly if None; the new factors (t, k, n).

        Every noise is at least the variance at which double precision stops to tell candidates apart; a candidate
        that is known already teaches nothing.
        """
        from scipy.linalg import solve_triangular

        chosen = np.asarray(rows, dtype=np.intp)
        columns = self.between(chosen, np.arange(self.posterior.n_candidates))
        added = np.empty_like(columns)
        for target, column in enumerate(columns):
            r = np.zeros(len(chosen)) if noise is None else noise[target]
            factor = _cholesky(column[:, chosen], r)
            added[target] = solve_triangular(factor, column, lower=True)
        self.factors = np.concatenate([self.factors, added], axis=1)
        self.variance = (self.variance - np.einsum("tkn,tkn->tn", added, added)).clip(0)
        return added


def _cholesky(covariance: FloatArray, noise: FloatArray) -> FloatArray:
    """Factor of covariance + noise; where rounding made it indefinite, with as much more noise as it takes."""
    jitter = _LEAST_JITTER
    while True:
        try:
            return np.asarray(np.linalg.cholesky(covariance + np.diag(np.maximum(noise, jitter))))
        except np.linalg.LinAlgError:
            jitter *= 10
            if jitter > 1:
                raise


def condition(covariance: FloatArray, noise: FloatArray, index: int) -> None:
    """Update a dense `covariance` (t, n, n) in place for an observation of candidate `index` with `noise` (t, n)."""
    for target, r in enumerate(noise[:, index]):
        column = covariance[target, :, index]
        total = column[index] + r
        if total > 0:  # a candidate known exactly teaches nothing
            covariance[target] -= np.outer(column, column / total)
