"""Gaussian process for outcomes that are yes or no, by a Gaussian approximation of its posterior.

Of m_i trials at x_i, k_i said yes:

    k_i ~ Binomial(m_i, σ(f_i)),   σ(f) = 1/(1 + e^(−f)),   f ~ GP(0, v_c + a·M₅/₂(|x − x'|_ℓ))

The constant share is integrated out through v_c.  The posterior is not Gaussian; q = N(μ, V), V = (K⁻¹ + W)⁻¹ with
diagonal W, is the Gaussian nearest to it, that is, the one of highest

    L = Σ_i E_q[ln p(k_i | f_i)] − KL(q ‖ N(0, K))                                    (doi:10.1162/neco.2008.08-07-592)

At the optimum W_i = −E_q[∂² ln p] and K⁻¹μ = E_q[∂ ln p]: a fixed point reached by full steps on these two, which is
Newton's iteration with expectations in place of values at the mode (doi:10.48550/arXiv.1703.04265).
With q stationary only K's own change counts in the gradient of L by a hyperparameter θ:

    ∂L/∂θ = ½ αᵀ(∂K/∂θ)α − ½ tr((K + W⁻¹)⁻¹ ∂K/∂θ),   α = K⁻¹μ

Everything is exact linear algebra in numpy: one Cholesky factor an iteration.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, sqrt
from typing import Any, Final

import numpy as np
from scipy.linalg import solve_triangular
from scipy.special import expit, log_expit

from dynaphase.errors import FitError
from dynaphase.surrogate.gp import LogNormal
from dynaphase.surrogate.matern import matern_52, matern_52_slope
from dynaphase.surrogate.targets import FloatArray

__all__ = [
    "BINARY_PRIORS",
    "Approximation",
    "approximate",
    "covariance",
    "evidence_and_gradient",
    "latent_moments",
    "mean_probability",
    "optimise",
    "prior_medians",
    "sites_near",
]

BINARY_PRIORS: Final = {
    "lengthscale": LogNormal(0.5, 1.0),  # median × √(d/2), as for the targets
    "signal_variance": LogNormal(100.0, 1.0),
}
"""Ours.  A spread of f of 10 puts nearly all compositions on one side or the other: failures have boundaries."""

_VARIANCE_OF_CONSTANT: Final = 4.0
_STEPS: Final = 60
_OPTIMISER_STEPS: Final = 40
_TOLERANCE: Final = 1e-6
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(32)
_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()
_FINE_NODES, _FINE_WEIGHTS = np.polynomial.hermite_e.hermegauss(64)
_FINE_WEIGHTS = _FINE_WEIGHTS / _FINE_WEIGHTS.sum()


@dataclass(frozen=True, slots=True)
class Approximation:
    """q at the observed compositions for one set of hyperparameters.

    Attributes
    ----------
    alpha : ndarray, shape (n,)
        K⁻¹μ.
    root : ndarray, shape (n,)
        √W.
    linear : ndarray, shape (n,)
        K⁻¹μ + Wμ.
    factor : ndarray, shape (n, n)
        Lower Cholesky factor of I + √W K √W.
    evidence : float
        L.
    """

    alpha: FloatArray
    root: FloatArray
    linear: FloatArray
    factor: FloatArray
    evidence: float


def prior_medians(n_dimensions: int) -> FloatArray:
    """Logarithms of the hyperparameters, ln ℓ_1, …, ln ℓ_d, ln a at the prior medians."""
    length = BINARY_PRIORS["lengthscale"].median * sqrt(n_dimensions / 2)
    return np.array([log(length)] * n_dimensions + [log(BINARY_PRIORS["signal_variance"].median)])


def covariance(theta: FloatArray, left: FloatArray, right: FloatArray) -> FloatArray:
    """Prior covariance of f between `left` (n, d) and `right` (m, d), shape (n, m)."""
    return np.asarray(_VARIANCE_OF_CONSTANT + np.exp(theta[-1]) * matern_52(_distance(theta, left, right)))


def approximate(
    K: FloatArray, n_yes: FloatArray, n_trials: FloatArray, start: FloatArray | None = None
) -> Approximation:
    """Gaussian nearest to the posterior at the observed compositions.

    Parameters
    ----------
    K : ndarray, shape (n, n)
        Prior covariance of f.
    n_yes, n_trials : ndarray, shape (n,)
        k_i and m_i.
    start : ndarray, shape (2, n), optional
        W and K⁻¹μ + Wμ to begin with, from a neighbouring K.

    Raises
    ------
    FitError
        If the iteration leaves the finite numbers.  Where it stops short of the optimum, L is a bound all the same.
    """
    sites = np.stack([0.25 * n_trials, n_yes - 0.5 * n_trials]) if start is None else start
    found, wanted = _from_sites(K, sites, n_yes, n_trials)
    step = 1.0
    for _ in range(_STEPS):
        trial = (1 - step) * sites + step * wanted
        new, next_wanted = _from_sites(K, trial, n_yes, n_trials)
        gain = new.evidence - found.evidence
        if gain < -_TOLERANCE:  # overshot, as it happens where the prior is wide: from here on shorter steps
            step /= 2
            continue
        sites, found, wanted = trial, new, next_wanted
        if gain < _TOLERANCE * (1 + abs(found.evidence)):
            break
    if not np.isfinite(found.evidence):
        raise FitError("the approximation of the feasibility is not finite")
    return found


def latent_moments(
    theta: FloatArray, seen: FloatArray, found: Approximation, X: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Mean and variance (n,) of f at `X` (n, d), given q at the compositions `seen`."""
    cross = covariance(theta, seen, X)
    shrink = solve_triangular(found.factor, found.root[:, None] * cross, lower=True)
    prior = _VARIANCE_OF_CONSTANT + float(np.exp(theta[-1]))
    return cross.T @ found.alpha, (prior - (shrink**2).sum(axis=0)).clip(0)


def sites_near(mean: FloatArray, variance: FloatArray, n_yes: FloatArray, n_trials: FloatArray) -> FloatArray:
    """A `start` for `approximate`, shape (2, n), from moments that fewer observations gave."""
    return _expectations(mean, variance, n_yes, n_trials)[1]


def mean_probability(mean: FloatArray, variance: FloatArray) -> FloatArray:
    """E[σ(f)] for f ~ N(mean, variance), by Gauss–Hermite quadrature."""
    return np.asarray(expit(mean[:, None] + np.sqrt(variance)[:, None] * _FINE_NODES) @ _FINE_WEIGHTS)


def optimise(X: FloatArray, n_yes: FloatArray, n_trials: FloatArray) -> FloatArray:
    """Hyperparameters θ = (ln ℓ, ln a) of highest L plus log prior, by L-BFGS-B from the prior medians.

    Raises
    ------
    FitError
        If the optimiser ends at values that are not finite.
    """
    from scipy.optimize import minimize

    d = X.shape[1]
    centre = prior_medians(d)
    spread = np.array([BINARY_PRIORS["lengthscale"].scale] * d + [BINARY_PRIORS["signal_variance"].scale])
    squares = (X.T[:, :, None] - X.T[:, None, :]) ** 2

    start: FloatArray | None = None

    def loss(theta: FloatArray) -> tuple[float, FloatArray]:
        nonlocal start
        found, slope = evidence_and_gradient(theta, X, n_yes, n_trials, squares, start)
        start = np.stack([found.root**2, found.linear])
        off = (theta - centre) / spread
        return float(-found.evidence + 0.5 * off @ off), -slope + off / spread

    bounds = list(zip(centre - 4 * spread, centre + 4 * spread, strict=True))
    options: Any = {"maxiter": _OPTIMISER_STEPS, "ftol": 1e-6}
    best: Any = minimize(loss, centre, jac=True, method="L-BFGS-B", bounds=bounds, options=options)
    if not (np.isfinite(best.fun) and np.isfinite(best.x).all()):
        raise FitError(f"the optimisation of the feasibility failed: {best.message}")
    return np.asarray(best.x)


def evidence_and_gradient(
    theta: FloatArray,
    X: FloatArray,
    n_yes: FloatArray,
    n_trials: FloatArray,
    squares: FloatArray,
    start: FloatArray | None = None,
) -> tuple[Approximation, FloatArray]:
    """Best q, and the gradient (d + 1,) of its L by θ; `squares` (d, n, n) are (x_ik − x_jk)²."""
    K = covariance(theta, X, X)
    found = approximate(K, n_yes, n_trials, start)
    half = solve_triangular(found.factor, np.diag(found.root), lower=True)
    outer = np.outer(found.alpha, found.alpha) - half.T @ half
    common = outer * (np.exp(theta[-1]) * matern_52_slope(_distance(theta, X, X)))
    lengths = np.einsum("ij,kij->k", common, squares) * np.exp(-2 * theta[:-1])
    amplitude = float((outer * (K - _VARIANCE_OF_CONSTANT)).sum())
    return found, 0.5 * np.append(lengths, amplitude)


def _distance(theta: FloatArray, left: FloatArray, right: FloatArray) -> FloatArray:
    """In lengths, shape (n, m)."""
    from scipy.spatial.distance import cdist

    lengths = np.exp(theta[:-1])
    return np.asarray(cdist(left / lengths, right / lengths))


def _from_sites(
    K: FloatArray, sites: FloatArray, n_yes: FloatArray, n_trials: FloatArray
) -> tuple[Approximation, FloatArray]:
    """Make q = N(μ, V) with V⁻¹ = K⁻¹ + W and V⁻¹μ = b from sites (W, b), and the sites its expectations ask for."""
    W, b = sites
    root = np.sqrt(W)
    factor = np.linalg.cholesky(np.eye(len(K)) + root[:, None] * K * root)
    half = solve_triangular(factor, root[:, None] * K, lower=True)
    mean = K @ b - half.T @ (half @ b)
    alpha = b - W * mean
    variance = (np.diag(K) - (half**2).sum(axis=0)).clip(1e-12)

    evidence, wanted = _expectations(mean, variance, n_yes, n_trials)
    evidence -= 0.5 * float(mean @ alpha - W @ variance) + float(np.log(np.diag(factor)).sum())
    return Approximation(alpha, root, b, factor, evidence), wanted


def _expectations(
    mean: FloatArray, variance: FloatArray, n_yes: FloatArray, n_trials: FloatArray
) -> tuple[float, FloatArray]:
    """Sum of E[ln p(k | f)]; sites W = −E[∂² ln p], b = E[∂ ln p] + W·mean, (2, n), for f ~ N(mean, variance)."""
    f = mean[:, None] + np.sqrt(variance)[:, None] * _NODES
    p = expit(f)
    expected = (n_yes[:, None] * log_expit(f) + (n_trials - n_yes)[:, None] * log_expit(-f)) @ _WEIGHTS
    gradient = n_yes - n_trials * (p @ _WEIGHTS)
    curvature = n_trials * ((p * (1 - p)) @ _WEIGHTS)
    return float(expected.sum()), np.stack([curvature, gradient + curvature * mean])
