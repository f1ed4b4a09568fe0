"""Compiled right-hand side of the manufactured problem: fourth-order differences, the source term, two walls."""

from __future__ import annotations

import math

import numpy as np

from dynaphase.phasefield.compiled import jit
from dynaphase.phasefield.operators import FloatArray

__all__ = ["allen_cahn_rhs", "profile"]

_FLAT = 19.0
"""|p| beyond which sech²p < 2·10⁻¹⁶: the source is left out there."""


@jit
def profile(y: float, alpha: float, kappa: float) -> float:
    """½ {1 − tanh[(y − α)/√(2κ)]}."""
    return 0.5 * (1.0 - math.tanh((y - alpha) / math.sqrt(2.0 * kappa)))


@jit
def _beyond_wall(wall: float, a: float, b: float, d: float, e: float) -> tuple[float, float]:
    """First and second ghost value from the value on the wall and the four cells next to it, nearest first."""
    first = (128.0 * wall - 140.0 * a + 70.0 * b - 28.0 * d + 5.0 * e) / 35.0
    second = (128.0 * wall - 210.0 * a + 140.0 * b - 63.0 * d + 12.0 * e) / 7.0
    return first, second


@jit
def allen_cahn_rhs(
    eta: FloatArray,
    alpha: FloatArray,
    diffusive: FloatArray,
    driving: FloatArray,
    height: float,
    kappa: float,
    h: float,
    out: FloatArray,
) -> None:
    """Write κ∇²η − 4η(η − 1)(η − ½) + S into `out`.

    Axis 0 is x (periodic), axis 1 is y between walls at 0 and `height`, where η is the exact profile.  Per column:
    the front α, `diffusive` −2√κ α_x² and `driving` √2 (α_t − κα_xx).  The two ghost cells beyond a wall continue
    the quartic through the wall value and the four nearest cells.
    """
    nx, ny = eta.shape
    line = np.empty(ny + 4)
    c = kappa / (12.0 * h * h)
    width = math.sqrt(2.0 * kappa)
    scale = 1.0 / (4.0 * math.sqrt(kappa))
    for i in range(nx):
        far_left, left = eta[(i - 2) % nx], eta[(i - 1) % nx]
        right, far_right = eta[(i + 1) % nx], eta[(i + 2) % nx]
        line[2 : ny + 2] = eta[i]
        low, high = profile(0.0, alpha[i], kappa), profile(height, alpha[i], kappa)
        line[1], line[0] = _beyond_wall(low, eta[i, 0], eta[i, 1], eta[i, 2], eta[i, 3])
        line[ny + 2], line[ny + 3] = _beyond_wall(high, eta[i, ny - 1], eta[i, ny - 2], eta[i, ny - 3], eta[i, ny - 4])
        for j in range(ny):
            u = line[j + 2]
            along_y = 16.0 * (line[j + 1] + line[j + 3]) - line[j] - line[j + 4]
            along_x = 16.0 * (left[j] + right[j]) - far_left[j] - far_right[j]
            rate = c * (along_x + along_y - 60.0 * u) - 4.0 * u * (u - 1.0) * (u - 0.5)
            p = ((j + 0.5) * h - alpha[i]) / width
            if abs(p) < _FLAT:
                t = math.tanh(p)
                rate += (1.0 - t * t) * scale * (diffusive[i] * t + driving[i])
            out[i, j] = rate
