"""Recalibration: intervals that hold what they promise on compositions that were left out.

A Gaussian process whose covariance does not suit the response is too sure or not sure enough.  Leaving out one
composition after the other shows by how much: with residual r_i, variance v_i of the mean response and noise n_i of
the observation, the factor κ on the standard deviation of the mean response for which a share p of the r_i lies
inside the central interval is a quantile over the compositions,

    κ² = Q_p( ((r_i/z_p)² − n_i)/v_i ),   z_p = Φ⁻¹((1 + p)/2),

at the finite-sample level of conformal prediction, ⌈(n + 1)p⌉/n (doi:10.1214/20-AOS1965).  The noise of the
observation is left alone: it was measured.
"""

from __future__ import annotations

from math import ceil, sqrt
from typing import Final

import numpy as np
from scipy.special import ndtri

from dynaphase.surrogate.targets import FloatArray

__all__ = ["calibration_factor"]

LEVEL: Final = 0.9
"""p: the interval that is quoted."""

LIMITS: Final = (0.9, 3.0)
"""κ is kept within these: with a few dozen compositions a quantile is itself uncertain."""

LEAST: Final = 20
"""Fewer compositions say nothing of a 90 % interval."""


def calibration_factor(residual: FloatArray, variance: FloatArray, noise: FloatArray) -> float:
    """κ from leave-one-out residuals (n,), variances v (n,) and noise n (n,); 1 for fewer than `LEAST`."""
    n = len(residual)
    if n < LEAST:
        return 1.0
    needed = ((residual / float(ndtri(0.5 + LEVEL / 2))) ** 2 - noise) / variance
    rank = min(ceil((n + 1) * LEVEL), n)
    return float(np.clip(sqrt(max(np.sort(needed)[rank - 1], 0.0)), *LIMITS))
