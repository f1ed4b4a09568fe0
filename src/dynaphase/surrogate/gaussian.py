"""Factors of covariances, and draws of several targets from one joint Gaussian."""

from __future__ import annotations

from typing import Final

import numpy as np

from dynaphase.surrogate.targets import FloatArray

__all__ = ["EXACT", "joint_draws", "lower_root", "symmetric_roots"]

EXACT: Final = 1e-8
"""Variance, in units of the targets' spread, below which double precision stops to tell candidates apart."""

_SHARE: Final = 1e-10
_TRIES: Final = 9


def lower_root(covariance: FloatArray, noise: FloatArray | None = None, least: float | None = None) -> FloatArray:
    """Lower triangular L with L Lᵀ = covariance + diag(max(noise, j)).

    j is the first of `least`, 10·`least`, … for which rounding leaves the sum positive definite.

    Parameters
    ----------
    covariance : ndarray, shape (n, n)
    noise : ndarray, shape (n,), optional
        Variances, 0 by default.
    least : float, optional
        A ten-thousand-millionth of the mean variance by default.

    Raises
    ------
    numpy.linalg.LinAlgError
        If even 10⁸·`least` is not enough: the matrix is no covariance.
    """
    jitter = _SHARE * max(float(np.diag(covariance).mean()), 1e-12) if least is None else least
    added = np.zeros(len(covariance)) if noise is None else noise
    for _ in range(_TRIES - 1):
        try:
            return np.asarray(np.linalg.cholesky(covariance + np.diag(np.maximum(added, jitter))))
        except np.linalg.LinAlgError:
            jitter *= 10
    return np.asarray(np.linalg.cholesky(covariance + np.diag(np.maximum(added, jitter))))


def joint_draws(
    mean: FloatArray, covariance: FloatArray, n: int, rng: np.random.Generator, least: float | None = None
) -> FloatArray:
    """`n` joint draws of t targets at m places.

    Parameters
    ----------
    mean : ndarray, shape (t, m)
    covariance : ndarray, shape (t, m, m) or (t, m, t, m)
        Of each target alone, which are then independent; or of all values with all.
    n : int
    rng : numpy.random.Generator
    least : float, optional
        See `lower_root`.

    Returns
    -------
    ndarray, shape (n, t, m)
    """
    t, m = mean.shape
    if covariance.ndim == 4:
        root = lower_root(covariance.reshape(t * m, t * m), least=least)
        return mean + (rng.standard_normal((n, t * m)) @ root.T).reshape(n, t, m)
    drawn = np.empty((n, t, m))
    for target, one in enumerate(covariance):
        drawn[:, target] = mean[target] + rng.standard_normal((n, m)) @ lower_root(one, least=least).T
    return drawn


def symmetric_roots(covariances: FloatArray) -> FloatArray:
    """Symmetric S with S S = C for each of the covariances C (r, t, t); rounding below zero is cut off.

    Unlike a triangular or an eigenvector root it varies smoothly from one C to the next, so that the same normals can
    be used for all, and is diag(√C_tt) where targets are independent.
    """
    values, vectors = np.linalg.eigh(covariances)
    return np.asarray((vectors * np.sqrt(values.clip(0))[:, None, :]) @ vectors.transpose(0, 2, 1))
