"""Recalibration: intervals that hold what they promise on compositions that were left out.

A Gaussian process whose covariance does not suit the response is too sure or not sure enough, and not everywhere alike.
Leaving out one composition after the other shows by how much.  With residual r_i, variance v_i of the mean response and
noise n_i of the observation, r_i²/(v_i + n_i) has mean 1 where the process is right; smoothed over the compositions
(`scatter`: one residual has one degree of freedom) it is the local ratio g(x) of true to predicted variance.  Near
percolation, where runs of one composition differ by decades and nothing tells noise from response, it is far above 1.
The standard deviation of the mean response is multiplied by

    κ·√max(g(x), 1),    κ² = Q_p( ((r_i/z_p)² − n_i) / (v_i·max(g₋ᵢ, 1)) ),    z_p = Φ⁻¹((1 + p)/2)

with Q_p the quantile at the finite-sample level of conformal prediction, ⌈(n + 1)p⌉/n (doi:10.1214/20-AOS1965), of
errors scaled by their local size (doi:10.1080/01621459.2017.1307116); g₋ᵢ is g(x_i) without r_i, or every residual
would excuse itself.  A local ratio below 1 may be luck, so it narrows nothing.  The noise of the observation is left
alone: it was measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, sqrt
from typing import Final

import numpy as np
from scipy.special import ndtri

from dynaphase.surrogate.scatter import MOST, Scatter, evenly_spread, fit_scatter
from dynaphase.surrogate.targets import FloatArray

__all__ = ["NONE", "Recalibration", "calibration_factor", "recalibration"]

LEVEL: Final = 0.9
"""p: the interval that is quoted."""

LIMITS: Final = (0.8, 3.0)
"""κ is kept within these: with a few dozen compositions a quantile is itself uncertain."""

LARGEST: Final = 10.0
"""κ·√g at most: far from all that was left out the ratio is a guess, and the process is unsure there by itself."""

LEAST: Final = 20
"""Fewer compositions say nothing of a 90 % interval."""

LEAST_LOCAL: Final = 40
"""Fewer say nothing of where it is too narrow."""


@dataclass(frozen=True, slots=True)
class Recalibration:
    """What the standard deviations of the mean response are multiplied by: `factor` κ, and `ratio` g, if any."""

    factor: float = 1.0
    ratio: Scatter | None = None

    def at(self, X: FloatArray) -> FloatArray:
        """κ·√max(g(x), 1), at most `LARGEST`, at `X` (n, d), shape (n,)."""
        if self.ratio is None:
            return np.full(len(X), self.factor)
        return np.asarray((self.factor * np.sqrt(self.ratio.variance(X).clip(min=1.0))).clip(max=LARGEST))


NONE: Final = Recalibration()
"""The process's own standard deviations."""


def recalibration(X: FloatArray, residual: FloatArray, variance: FloatArray, noise: FloatArray) -> Recalibration:
    """From leave-one-out residuals (n,), variances v (n,) and noise n (n,) at compositions `X` (n, d).

    No ratio for fewer than `LEAST_LOCAL` compositions, and the identity for fewer than `LEAST`.
    """
    if len(residual) < LEAST_LOCAL:
        return Recalibration(calibration_factor(residual, variance, noise))
    rows = evenly_spread(np.arange(len(residual)), MOST)
    X, residual, variance, noise = X[rows], residual[rows], variance[rows], noise[rows]
    ratio = fit_scatter(X, residual**2 / (variance + noise), np.ones(len(rows)))
    local = np.ones(len(rows)) if ratio is None else ratio.variance_left_out().clip(min=1.0)
    return Recalibration(calibration_factor(residual, variance * local, noise), ratio)


def calibration_factor(residual: FloatArray, variance: FloatArray, noise: FloatArray) -> float:
    """κ for variances that hold the local ratio already; 1 for fewer than `LEAST` compositions."""
    n = len(residual)
    if n < LEAST:
        return 1.0
    needed = ((residual / float(ndtri(0.5 + LEVEL / 2))) ** 2 - noise) / variance
    rank = min(ceil((n + 1) * LEVEL), n)
    return float(np.clip(sqrt(max(np.sort(needed)[rank - 1], 0.0)), *LIMITS))
