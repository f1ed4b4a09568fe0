"""A Gaussian process's posterior covariance at many candidates, block by block.

With K = k(X_o, X_o) + N the covariance of the observed means, K = L Lᵀ, and V = L⁻¹ k(X_o, X),

    μ(x) = m(x) + Vᵀ L⁻¹ (y − m(X_o)),    cov(x, x') = k(x, x') − V(x)ᵀ V(x')

V holds n_observed × n numbers and is made once; every block of the covariance is then one product
(doi:10.7551/mitpress/3206.001.0001, algorithm 2.1).  Targets that are modelled together share K and L, so with V_s that
of target s

    cov(f_s(x), f_t(x')) = k_st(x, x') − V_s(x)ᵀ V_t(x')
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dynaphase.surrogate import gp
from dynaphase.surrogate.targets import FloatArray

__all__ = ["CovarianceBetweenTargets", "GaussianProcessCovariance", "joint_moments"]


@dataclass(frozen=True, slots=True)
class GaussianProcessCovariance:
    """`TargetCovariance` of a Gaussian process at `X` (n, d).

    `whitened` is V (n_observed, n); `factor` (n,) multiplies the standard deviations (recalibration).
    """

    model: Any
    X: FloatArray
    whitened: FloatArray
    factor: FloatArray

    @property
    def variance(self) -> FloatArray:
        """See `TargetCovariance.variance`; rounding below zero is cut off."""
        explained = np.einsum("on,on->n", self.whitened, self.whitened)
        return np.asarray(self.factor**2 * (gp.gp_variance(self.model, self.X) - explained).clip(0))

    def between(self, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> FloatArray:
        """See `TargetCovariance.between`."""
        prior = gp.gp_covariance(self.model, self.X[rows], self.X[columns])
        factors = np.multiply.outer(self.factor[rows], self.factor[columns])
        return np.asarray(factors * (prior - self.whitened[:, rows].T @ self.whitened[:, columns]))


@dataclass(frozen=True, slots=True)
class CovarianceBetweenTargets:
    """`CrossCovariance` of targets modelled together, from the covariances of each; their recalibration is kept."""

    parts: Sequence[GaussianProcessCovariance]

    def variance(self, one: int, other: int) -> FloatArray:
        """See `CrossCovariance.variance`."""
        left, right = self.parts[one], self.parts[other]
        prior = gp.gp_variance(left.model, left.X, right.model.with_place(right.X))
        explained = np.einsum("on,on->n", left.whitened, right.whitened)
        return np.asarray(left.factor * right.factor * (prior - explained))

    def between(self, one: int, other: int, rows: npt.NDArray[np.intp], columns: npt.NDArray[np.intp]) -> FloatArray:
        """See `CrossCovariance.between`."""
        left, right = self.parts[one], self.parts[other]
        prior = gp.gp_covariance(left.model, left.X[rows], right.model.with_place(right.X[columns]))
        explained = left.whitened[:, rows].T @ right.whitened[:, columns]
        return np.asarray(np.multiply.outer(left.factor[rows], right.factor[columns]) * (prior - explained))


def joint_moments(
    model: Any, X: FloatArray, factor: FloatArray | None = None
) -> tuple[FloatArray, GaussianProcessCovariance]:
    """Mean (n,) of f at `X` (n, d), and its covariance, whose standard deviations are multiplied by `factor` (n,)."""
    from scipy.linalg import solve_triangular

    observed, residual, root = gp.whitened_data(model)
    whitened = solve_triangular(root, gp.gp_covariance(model, observed, X), lower=True)
    mean = gp.prior_means(model, X) + whitened.T @ residual
    return mean, GaussianProcessCovariance(model, X, whitened, np.ones(len(X)) if factor is None else factor)
