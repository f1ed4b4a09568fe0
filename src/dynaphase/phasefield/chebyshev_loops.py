"""Compiled loops of the Chebyshev stepper.

Importing this module imports numba: do it inside the function that needs it.  `weights` hold a row for each stage j:
μ, ν, μ̃Δt and γ̃Δt, in the precision of the state, so that float32 loops stay float32 loops.

Stages are combined by their distance from Y₀.  The formula of the paper, with the factor 1 − μ − ν of Y₀, adds up
factors whose rounded sum is not 1: the mean of a conserved field then drifts, in float32 until it is another problem.
"""

from __future__ import annotations

import numpy as np

from dynaphase.phasefield.compiled import jit, jit_inner
from dynaphase.phasefield.padding import Geometry, RealArray, row_start

__all__ = ["combine", "first_stage", "padded_error", "plain_error"]


@jit
def first_stage(start: RealArray, slope: RealArray, even: RealArray, odd: RealArray, weights: RealArray) -> None:
    """Y₀ into `even` and Y₁ = Y₀ + μ̃₁ΔtF₀ into `odd`; flat arrays."""
    mu_dt = weights[1, 2]
    for p in range(np.uintp(start.size)):
        even[p] = start[p]
        odd[p] = start[p] + mu_dt * slope[p]


@jit
def combine(
    start: RealArray,
    slope: RealArray,
    previous: RealArray,
    before: RealArray,
    rate: RealArray,
    weights: RealArray,
    j: int,
) -> None:
    """Y_j = Y₀ + μ(Y_{j−1} − Y₀) + ν(Y_{j−2} − Y₀) + μ̃ΔtF_{j−1} + γ̃ΔtF₀; flat arrays.

    Y_j replaces Y_{j−2} in `before`; F_{j−1} is `rate`.
    """
    mu, nu, mu_dt, gamma_dt = weights[j, 0], weights[j, 1], weights[j, 2], weights[j, 3]
    for p in range(np.uintp(start.size)):
        y0 = start[p]
        gain = mu * (previous[p] - y0) + nu * (before[p] - y0) + mu_dt * rate[p] + gamma_dt * slope[p]
        before[p] = y0 + gain


@jit_inner
def _add_row(
    start: RealArray,
    slope: RealArray,
    end: RealArray,
    end_slope: RealArray,
    first: int,
    n: int,
    dt: float,
    rtol: float,
    atol: float,
    columns: RealArray,
) -> None:
    """Take `n` entries from `first` on into `columns`, (3, n) or wider, float64.

    They hold for each column the sum of the squared scaled errors (so that they need no order of adding) and the
    lowest and the highest value of y₁.
    """
    begin = np.uintp(first)
    for p in range(np.uintp(n)):
        q = begin + p
        y0, y1 = start[q], end[q]
        size_0, size_1 = abs(y0), abs(y1)
        largest = size_0 if size_0 > size_1 else size_1
        scaled = (0.8 * (y0 - y1) + 0.4 * dt * (slope[q] + end_slope[q])) / (atol + rtol * largest)
        columns[0, p] += scaled * scaled
        columns[1, p] = y1 if y1 < columns[1, p] else columns[1, p]
        columns[2, p] = y1 if y1 > columns[2, p] else columns[2, p]


@jit
def plain_error(
    start: RealArray,
    slope: RealArray,
    end: RealArray,
    end_slope: RealArray,
    dt: float,
    rtol: float,
    atol: float,
    columns: RealArray,
) -> None:
    """Take [0.8(y₀ − y₁) + 0.4Δt(F₀ + F₁)]/(atol + rtol·max(|y₀|, |y₁|)) of flat arrays into `columns`."""
    width = columns.shape[1]
    for at in range(0, start.size, width):
        _add_row(start, slope, end, end_slope, at, min(start.size - at, width), dt, rtol, atol, columns)


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
) -> None:
    """The same for the cells of padded arrays; a column is a column of cells."""
    for i in range(g.n_x):
        for k in range(g.n_y):
            _add_row(start, slope, end, end_slope, row_start(i, k, g), g.n_z, dt, rtol, atol, columns)
