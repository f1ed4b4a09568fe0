"""Joint draws of the response, candidate after candidate, over a pool of any size.

M draws of f at candidates b_1, b_2, … are built up one by one: with the factors F of `Conditioned`,

    f(x) | f(b_1), …, f(b_k) = μ(x) + Σ_j F_j(x) ξ_j + s_k(x) ε,    ξ_j, ε ~ N(0, 1)

The sum is `location`, s_k² the variance left.  For any x alone this is the exact joint distribution with what has been
fixed; ε is the same for all x, so that candidates are compared under common random numbers.  Where targets are
correlated, F has a row for each target observed, and s_k² is the t × t covariance that is left, s_k its symmetric root.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from dynaphase.acquisition.conditioning import Conditioned
from dynaphase.acquisition.pool import IndexArray
from dynaphase.surrogate.gaussian import symmetric_roots
from dynaphase.surrogate.targets import FloatArray

__all__ = ["Draws", "standard_normals"]

_MOST_DIMENSIONS: Final = 21201
"""Of scipy's Sobol sequence."""


class Draws:
    """M joint draws; `location` (M, t, n) is their conditional mean given what has been fixed."""

    def __init__(self, known: Conditioned, n_draws: int) -> None:
        self.known = known
        self.location = np.repeat(known.posterior.mean[None], n_draws, axis=0)

    def at(self, rows: IndexArray, normals: FloatArray) -> FloatArray:
        """Draws (M, t, r) at each of `rows` alone, from normals (M, t)."""
        if self.known.posterior.is_correlated:
            roots = symmetric_roots(self.known.whole_at(rows))
            return np.asarray(self.location[:, :, rows] + np.einsum("rst,mt->msr", roots, normals))
        return self.location[:, :, rows] + np.sqrt(self.known.variance[:, rows]) * normals[:, :, None]

    def fix(self, rows: IndexArray, normals: FloatArray) -> FloatArray:
        """Fix `rows` (k,) to their draws from normals (M, t, k); returns the draws (M, t, k)."""
        if len(rows):
            added, t = self.known.observe(rows), normals.shape[1]
            # A row of the factors belongs to one candidate, or to one target of one candidate.
            own = (
                [normals.reshape(len(normals), -1)] * t
                if self.known.posterior.is_correlated
                else normals.swapaxes(0, 1)
            )
            self.location += np.stack([one @ factor for one, factor in zip(own, added, strict=True)], axis=1)
        return self.location[:, :, rows]


def standard_normals(n_draws: int, n_targets: int, n_columns: int, rng: np.random.Generator) -> FloatArray:
    """Standard normals (n_draws, n_targets, n_columns): scrambled Sobol points, the first columns the best spread."""
    from scipy.special import ndtri
    from scipy.stats import qmc

    size = n_targets * n_columns
    if size > _MOST_DIMENSIONS:
        return rng.standard_normal((n_draws, n_targets, n_columns))
    uniform = qmc.Sobol(size, rng=rng).random(n_draws).clip(1e-12, 1 - 1e-12)
    return np.asarray(ndtri(uniform)).reshape(n_draws, n_columns, n_targets).transpose(0, 2, 1)
