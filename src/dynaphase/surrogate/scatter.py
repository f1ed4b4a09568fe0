"""How noisy one run is, wherever it lies: a Gaussian process on the logarithm of the replicates' scatter.

With m_i replicates at composition i the scatter s_i² has ν_i = m_i − 1 degrees of freedom, usually one or two, so one
composition's own scatter is mostly chance.  But noise spans decades: near percolation σ scatters by a hundred times
what it does elsewhere, and a mean over variances would call every place noisy.  So the logarithm is smoothed,

    ln s_i² = ln σ²(x_i) + e_i,    E e_i = ψ(ν_i/2) − ln(ν_i/2),    Var e_i = ψ′(ν_i/2)

exactly, for normal replicates (ψ: digamma, the moments of the logarithm of χ²), with ln σ² ~ c + GP(0, a·M₅/₂(|x −
x′|_ℓ)). The constant c is generalised least squares; a and ℓ are those of highest evidence on a grid, first one ℓ for
all dimensions, then each dimension's own where that gains `GAIN`: a percolation threshold is narrow in the one input
that decides it and long in all others. What is used is the mean of σ² under the posterior, exp(μ + v/2): where little
is known of the noise it is taken as larger.

Where one run in eight percolates and seven do not, two seeds mostly agree: such noise is underrated, by any smoother.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from dynaphase.surrogate.matern import matern_52
from dynaphase.surrogate.targets import FloatArray

__all__ = ["MOST", "Scatter", "evenly_spread", "fit_scatter"]

LENGTHS: Final = (0.2, 0.3, 0.45, 0.7, 1.0, 1.5, 2.5)
AMPLITUDES: Final = (0.02, 0.2, 0.7, 2.0, 5.0, 10.0)
"""Grid of ℓ (edges of the unit cube) and a: σ² may differ by e^√a from place to place."""

LEAST: Final = 1e-4
"""Scatter below this share of its median counts as that: replicates that agree by luck, or to the last digit."""

LENGTHS_OF_ONE: Final = (0.1, 0.2, 0.45, 1.0, 2.5, 10.0)
"""ℓ of a single dimension; the last makes it irrelevant."""

SWEEPS: Final = 2
"""How often every dimension has its turn."""

GAIN: Final = 0.5
"""Of the logarithm of the evidence, for which a dimension gets a length of its own."""

MOST_FOR_LENGTHS: Final = 200
"""Compositions from which ℓ and a are learned."""

MOST: Final = 800
"""Compositions that are used, evenly spread over the list: more would sharpen nothing and cost with the third power."""


@dataclass(frozen=True, slots=True)
class Scatter:
    """Variance of a single run, as learned from the scatter at compositions `X` (n, d)."""

    X: FloatArray
    constant: float
    lengths: FloatArray
    amplitude: float
    root: FloatArray
    """Cholesky factor of the covariance of ln s², (n, n)."""
    weights: FloatArray
    logs: FloatArray
    """ln s², without what chance takes from its mean, (n,)."""
    noise: FloatArray
    """Variance of ln s² by chance, (n,)."""

    def variance(self, X: FloatArray) -> FloatArray:
        """E σ²(x) at `X` (k, d), shape (k,)."""
        from scipy.linalg import solve_triangular

        between = self.amplitude * matern_52(_distance(X, self.X, self.lengths))
        mean = self.constant + between @ self.weights
        explained = (solve_triangular(self.root, between.T, lower=True) ** 2).sum(axis=0)
        return np.asarray(np.exp(mean + 0.5 * (self.amplitude - explained).clip(0)))

    def variance_left_out(self) -> FloatArray:
        """E σ²(x_i) at `X` without the scatter of i itself, shape (n,): leave-one-out moments as of any process."""
        from scipy.linalg import cho_solve

        precision = np.diag(cho_solve((self.root, True), np.eye(len(self.X))))
        mean = self.logs - self.weights / precision
        return np.asarray(np.exp(mean + 0.5 * (1 / precision - self.noise).clip(0)))


def fit_scatter(X: FloatArray, scatter: FloatArray, degrees_of_freedom: FloatArray) -> Scatter | None:
    """Learn σ²(x) from `scatter` s² (n,) with ν (n,) degrees of freedom at compositions `X` (n, d).

    None where there is nothing to learn: no composition with replicates that differ.
    """
    from scipy.special import digamma, polygamma

    usable = np.flatnonzero(degrees_of_freedom > 0)
    if not (scatter[usable] > 0).any():
        return None
    usable = evenly_spread(usable, MOST)
    half = degrees_of_freedom[usable] / 2
    floor = LEAST * float(np.median(scatter[usable][scatter[usable] > 0]))
    logs = np.log(np.maximum(scatter[usable], floor)) - digamma(half) + np.log(half)
    points, noise = X[usable], np.asarray(polygamma(1, half))
    few = evenly_spread(np.arange(len(usable)), MOST_FOR_LENGTHS)
    lengths, amplitude = _learned(points[few], logs[few], noise[few])
    shape = matern_52(_distance(points, points, lengths))
    constant, root, weights, _ = _solved(amplitude * shape, logs, noise)
    return Scatter(points, constant, lengths, amplitude, root, weights, logs, noise)


def _learned(points: FloatArray, logs: FloatArray, noise: FloatArray) -> tuple[FloatArray, float]:
    """ℓ (d,) and a of highest evidence: first one ℓ for all dimensions, then each by itself, in turns."""
    squares = (points.T[:, :, None] - points.T[:, None, :]) ** 2

    def evidence(lengths: FloatArray, amplitude: float) -> float:
        shape = matern_52(np.sqrt(np.tensordot(lengths**-2.0, squares, 1)))
        return _solved(amplitude * shape, logs, noise)[3]

    d = points.shape[1]
    one = {(length, a): evidence(np.full(d, length), a) for length in LENGTHS for a in AMPLITUDES}
    length, amplitude = max(one, key=one.__getitem__)
    lengths, best = np.full(d, length), one[length, amplitude]
    for k in [*range(d)] * (SWEEPS if d > 1 else 0):
        for tried in LENGTHS_OF_ONE:
            changed = lengths.copy()
            changed[k] = tried
            found = evidence(changed, amplitude)
            if found > best + GAIN:
                lengths, best = changed, found
    return lengths, max(AMPLITUDES, key=lambda a: evidence(lengths, a))


def _solved(covariance: FloatArray, logs: FloatArray, noise: FloatArray) -> tuple[float, FloatArray, FloatArray, float]:
    """c, Cholesky factor, weights (n,), and logarithm of the evidence up to a constant."""
    from scipy.linalg import cho_solve, cholesky

    root = cholesky(covariance + np.diag(noise), lower=True)
    solved_ones = cho_solve((root, True), np.ones(len(logs)))
    constant = float(solved_ones @ logs / solved_ones.sum())
    weights = cho_solve((root, True), logs - constant)
    evidence = -0.5 * float((logs - constant) @ weights) - float(np.log(np.diag(root)).sum())
    return constant, root, weights, evidence


def evenly_spread(rows: npt.NDArray[np.intp], most: int) -> npt.NDArray[np.intp]:
    """At most so many of the rows, evenly spread over the list."""
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(int)]


def _distance(left: FloatArray, right: FloatArray, lengths: FloatArray) -> FloatArray:
    from scipy.spatial.distance import cdist

    return cdist(left / lengths, right / lengths)
