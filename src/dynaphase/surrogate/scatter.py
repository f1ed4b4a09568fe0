"""How noisy one run is, wherever it lies: a Gaussian process on the logarithm of the replicates' scatter.

With m_i replicates at composition i the scatter s_i² has ν_i = m_i − 1 degrees of freedom, usually one or two, so one
composition's own scatter is mostly chance.  But noise spans decades: near percolation σ scatters by a hundred times
what it does elsewhere, and a mean over variances would call every place noisy.  So the logarithm is smoothed,

    ln s_i² = ln σ²(x_i) + e_i,    E e_i = ψ(ν_i/2) − ln(ν_i/2),    Var e_i = ψ′(ν_i/2)

exactly, for normal replicates (doi:10.1080/01621459.1987.10478411), with ln σ² ~ c + GP(0, a·M₅/₂(|x − x′|/ℓ)).  The
constant c is generalised least squares, a and ℓ are those of highest evidence on a grid: two numbers that need no
optimiser.  What is used is the mean of σ² under the posterior, exp(μ + v/2): where little is known of the noise it
is taken as larger.

Where one run in eight percolates and seven do not, two seeds mostly agree: such noise is underrated, by any smoother.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from dynaphase.surrogate.targets import FloatArray

__all__ = ["Scatter", "fit_scatter"]

LENGTHS: Final = (0.2, 0.3, 0.45, 0.7, 1.0, 1.5, 2.5)
AMPLITUDES: Final = (0.02, 0.2, 0.7, 2.0, 5.0, 10.0)
"""Grid of ℓ (edges of the unit cube) and a: σ² may differ by e^√a from place to place."""

LEAST: Final = 1e-4
"""Scatter below this share of its median counts as that: replicates that agree by luck, or to the last digit."""

MOST: Final = 800
"""Compositions that are used, evenly spread over the list: more would sharpen nothing and cost with the third power."""


@dataclass(frozen=True, slots=True)
class Scatter:
    """Variance of a single run, as learned from the scatter at compositions `X` (n, d)."""

    X: FloatArray
    constant: float
    length: float
    amplitude: float
    root: FloatArray
    """Cholesky factor of the covariance of ln s², (n, n)."""
    weights: FloatArray

    def variance(self, X: FloatArray) -> FloatArray:
        """E σ²(x) at `X` (k, d), shape (k,)."""
        from scipy.linalg import solve_triangular
        from scipy.spatial.distance import cdist

        between = self.amplitude * _matern(cdist(X, self.X) / self.length)
        mean = self.constant + between @ self.weights
        explained = (solve_triangular(self.root, between.T, lower=True) ** 2).sum(axis=0)
        return np.asarray(np.exp(mean + 0.5 * (self.amplitude - explained).clip(0)))


def fit_scatter(X: FloatArray, scatter: FloatArray, degrees_of_freedom: FloatArray) -> Scatter | None:
    """Learn σ²(x) from `scatter` s² (n,) with ν (n,) degrees of freedom at compositions `X` (n, d).

    None where there is nothing to learn: no composition with replicates that differ.
    """
    from scipy.linalg import cho_solve, cholesky
    from scipy.spatial.distance import cdist
    from scipy.special import digamma, polygamma

    usable = np.flatnonzero(degrees_of_freedom > 0)
    if not (scatter[usable] > 0).any():
        return None
    if len(usable) > MOST:
        usable = usable[np.linspace(0, len(usable) - 1, MOST).astype(int)]
    half = degrees_of_freedom[usable] / 2
    floor = LEAST * float(np.median(scatter[usable][scatter[usable] > 0]))
    logs = np.log(np.maximum(scatter[usable], floor)) - digamma(half) + np.log(half)
    noise, points, ones = polygamma(1, half), X[usable], np.ones(len(usable))
    distance = cdist(points, points)
    best: tuple[float, Scatter] | None = None
    for length in LENGTHS:
        shape = _matern(distance / length)
        for amplitude in AMPLITUDES:
            root = cholesky(amplitude * shape + np.diag(noise), lower=True)
            solved_ones = cho_solve((root, True), ones)
            constant = float(solved_ones @ logs / (solved_ones @ ones))
            weights = cho_solve((root, True), logs - constant)
            evidence = -0.5 * float((logs - constant) @ weights) - float(np.log(np.diag(root)).sum())
            if best is None or evidence > best[0]:
                best = evidence, Scatter(points, constant, length, amplitude, root, weights)
    assert best is not None
    return best[1]


def _matern(distance: FloatArray) -> FloatArray:
    """M₅/₂ of a scaled distance."""
    r = np.sqrt(5) * distance
    return np.asarray((1 + r + r**2 / 3) * np.exp(-r))
