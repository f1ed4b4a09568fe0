"""Compiled loops of the Chebyshev stepper.

Importing this module imports numba: do it inside the function that needs it.  `weights` hold a row for each stage j:
1 − μ − ν, μ, ν, μ̃Δt and γ̃Δt, in the precision of the state, so that float32 loops stay float32 loops.
"""

from __future__ import annotations

import numpy as np

from dynaphase.phasefield.compiled import jit
from dynaphase.phasefield.padding import Geometry, RealArray, row_start

__all__ = ["combine", "first_stage", "padded_error", "plain_error"]


@jit
def first_stage(start: RealArray, slope: RealArray, even: RealArray, odd: RealArray, weights: RealArray) -> None:
    """Y₀ into `even` and Y₁ = Y₀ + μ̃₁ΔtF₀ into `odd`; flat arrays."""
    mu_dt = weights[1, 3]
    for p in range(start.size):
        even[p] = start[p]
        odd[p] = start[p] + mu_dt * slope[p]


@jit
def combine(
    start: RealArray,
    slope: RealArray,
    previous: RealArray,
    before: RealArray,
    first: int,
    n: int,
    rate: RealArray,
    weights: RealArray,
    j: int,
) -> None:
    """Y_j = (1 − μ − ν)Y₀ + μY_{j−1} + νY_{j−2} + μ̃ΔtF_{j−1} + γ̃ΔtF₀ of `n` entries from `first` on.

    Y_j replaces Y_{j−2} in `before`; F_{j−1} of these entries is at the beginning of `rate`.
    """
    rest, mu, nu, mu_dt, gamma_dt = weights[j, 0], weights[j, 1], weights[j, 2], weights[j, 3], weights[j, 4]
    y0, f0, y, f = start[first : first + n], slope[first : first + n], previous[first : first + n], rate[:n]
    target = before[first : first + n]
    for p in range(n):
        target[p] = rest * y0[p] + mu * y[p] + nu * target[p] + mu_dt * f[p] + gamma_dt * f0[p]


@jit
def _add_squares(
    start: RealArray,
    slope: RealArray,
    end: RealArray,
    end_slope: RealArray,
    dt: float,
    rtol: float,
    atol: float,
    sums: RealArray,
) -> None:
    """Add the squared scaled errors of one row to `sums`: one sum a column, so that they need no order of adding."""
    for p in range(sums.size):
        estimate = 0.8 * (start[p] - end[p]) + 0.4 * dt * (slope[p] + end_slope[p])
        scaled = estimate / (atol + rtol * max(abs(start[p]), abs(end[p])))
        sums[p] += scaled * scaled


@jit
def plain_error(
    start: RealArray, slope: RealArray, end: RealArray, end_slope: RealArray, dt: float, rtol: float, atol: float
) -> float:
    """Root mean square of [0.8(y₀ − y₁) + 0.4Δt(F₀ + F₁)]/(atol + rtol·max(|y₀|, |y₁|)); flat arrays."""
    width = min(256, start.size)
    sums = np.zeros(width)
    for at in range(0, start.size, width):
        to = min(start.size, at + width)
        _add_squares(start[at:to], slope[at:to], end[at:to], end_slope[at:to], dt, rtol, atol, sums[: to - at])
    return float(np.sqrt(np.sum(sums) / start.size))


@jit
def padded_error(
    start: RealArray,
    slope: RealArray,
    end: RealArray,
    end_slope: RealArray,
    dt: float,
    rtol: float,
    atol: float,
    columns: RealArray,
    g: Geometry,
) -> float:
    """The same for padded arrays, over their cells, in which also the extremes of y₁ are found.

    `columns` (3, n_z), float64, holds for each column of cells the sum of squares, the lowest and the highest value.
    """
    sums, lowest, highest = columns[0], columns[1], columns[2]
    for p in range(g.n_z):
        sums[p], lowest[p], highest[p] = 0.0, np.inf, -np.inf
    for i in range(g.n_x):
        for k in range(g.n_y):
            at = row_start(i, k, g)
            to = at + g.n_z
            _add_squares(start[at:to], slope[at:to], end[at:to], end_slope[at:to], dt, rtol, atol, sums)
            _widen(end[at:to], lowest, highest)
    return float(np.sqrt(np.sum(sums) / (g.n_x * g.n_y * g.n_z)))


@jit
def _widen(values: RealArray, lowest: RealArray, highest: RealArray) -> None:
    for p in range(values.size):
        lowest[p] = min(lowest[p], values[p])
        highest[p] = max(highest[p], values[p])
