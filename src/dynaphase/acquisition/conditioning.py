"""The posterior after further observations.

Once candidate b has been observed with noise variance r, a Gaussian knows every other candidate better by

    cov(i, j) ← cov(i, j) − cov(i, b) cov(b, j)/(cov(b, b) + r)

whatever the observation will be; where targets are correlated, b stands for one target at one candidate, and an
evaluation observes all of them at once.  What is subtracted has rank one, so only one column of n numbers is kept for
each observation, and only the columns that are asked for are ever computed: n·b instead of n² numbers, as in a pivoted
Cholesky factorisation (doi:10.1016/j.apnum.2011.10.001).
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from dynaphase.surrogate.gaussian import EXACT, lower_root
from dynaphase.surrogate.prediction import JointPosterior
from dynaphase.surrogate.targets import FloatArray

__all__ = ["Conditioned"]


class Conditioned:
    """A joint posterior and what has been observed since; the working state of one selection.

    Attributes
    ----------
    variance : ndarray, shape (t, n)
        Variances after all observations so far.
    factors : ndarray, shape (t, k, n)
        One row an observation: cov(i, j) = prior(i, j) − Σ_k factors[:, k, i] factors[:, k, j].  Independent targets
        have a row an observed candidate; where they are correlated each candidate has t rows, one an observed target,
        and cov_st(i, j) = prior_st(i, j) − Σ_k factors[s, k, i] factors[t, k, j].
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

    def whole_between(self, rows: npt.ArrayLike, columns: npt.ArrayLike) -> FloatArray:
        """Covariance (t, r, t, c) of all targets with all after all observations so far; of correlated targets."""
        left, right = np.asarray(rows, dtype=np.intp), np.asarray(columns, dtype=np.intp)
        t, k, _ = self.factors.shape
        seen = self.factors.transpose(1, 0, 2)
        known = seen[:, :, left].reshape(k, t * len(left)).T @ seen[:, :, right].reshape(k, t * len(right))
        return self.posterior.whole_between(left, right) - known.reshape(t, len(left), t, len(right))

    def whole_at(self, rows: npt.ArrayLike) -> FloatArray:
        """Covariance (r, t, t) between the targets at each of `rows` after all observations so far."""
        chosen = np.asarray(rows, dtype=np.intp)
        seen = self.factors[:, :, chosen]
        return np.asarray(self._first_at[chosen] - np.einsum("skr,tkr->rst", seen, seen))

    @cached_property
    def _first_at(self) -> FloatArray:
        return self.posterior.whole_at()

    def observe(self, rows: npt.ArrayLike, noise: FloatArray | None = None) -> FloatArray:
        """Observe candidates `rows` (k,) with noise variances (t, k), exactly if None; the new factors.

        Their shape is (t, k, n), or (t, t·k, n) where targets are correlated.

        Every noise is at least the variance at which double precision stops to tell candidates apart; a candidate
        that is known already teaches nothing.
        """
        from scipy.linalg import solve_triangular

        chosen, every = np.asarray(rows, dtype=np.intp), np.arange(self.posterior.n_candidates)
        if self.posterior.is_correlated:
            t, n = self.posterior.mean.shape
            whole = self.whole_between(chosen, every)
            observed = whole[..., chosen].reshape(t * len(chosen), -1)
            root = lower_root(observed, None if noise is None else noise.ravel(), EXACT)
            solved = solve_triangular(root, whole.reshape(len(root), -1), lower=True)
            added = solved.reshape(len(root), t, n).transpose(1, 0, 2)
        else:
            columns = self.between(chosen, every)
            added = np.empty_like(columns)
            for target, column in enumerate(columns):
                root = lower_root(column[:, chosen], None if noise is None else noise[target], EXACT)
                added[target] = solve_triangular(root, column, lower=True)
        self.factors = np.concatenate([self.factors, added], axis=1)
        self.variance = (self.variance - np.einsum("tkn,tkn->tn", added, added)).clip(0)
        return added
