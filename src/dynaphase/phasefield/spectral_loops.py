"""The compiled passes over the coefficients of spectral models and of `SemiImplicitSpectral`.

Arrays are rows: one flat row a field, coefficients complex128 or float64.  A step reads memory twice instead of thirty
times; complex temporaries of numpy cost more than the arithmetic.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dynaphase.phasefield.compiled import jit
from dynaphase.phasefield.operators import FloatArray

__all__ = ["row_sums_of_squares", "scale", "subtract_scaled", "two_step_end", "two_step_error"]

Rows = npt.NDArray[Any]
"""Coefficients of all fields, one flat row a field, complex128 or float64."""


@jit
def row_sums_of_squares(rows: Rows, weights: FloatArray) -> FloatArray:
    """Σ weights·|û|² of every row; `weights` are of the shape of `rows`, or one row for all."""
    sums = np.zeros(rows.shape[0])
    for i in range(rows.shape[0]):
        w = weights[i] if weights.shape[0] > 1 else weights[0]
        total = 0.0
        for k in range(rows.shape[1]):
            u = rows[i, k]
            total += w[k] * (u.real * u.real + u.imag * u.imag)
        sums[i] = total
    return sums


@jit
def subtract_scaled(values: FloatArray, factors: FloatArray, rows: FloatArray) -> None:
    """Take factorsᵢ·rowsᵢ off `values`."""
    for i in range(rows.shape[0]):
        for k in range(rows.shape[1]):
            values[i, k] -= factors[i] * rows[i, k]


@jit
def scale(rows: Rows, factors: FloatArray) -> None:
    """Multiply coefficients by real `factors` of the same shape."""
    for i in range(rows.shape[0]):
        for k in range(rows.shape[1]):
            rows[i, k] *= factors[i, k]


@jit
def two_step_end(
    linear: FloatArray,
    past: tuple[Rows, Rows, Rows],
    past_slopes: tuple[Rows, Rows],
    steps: tuple[float, float, float],
    out: Rows,
    defect: Rows,
) -> None:
    """The state after a step, into `out`, and what is known of its error, −Δt N* − (û⁺ − û*)·share, into `defect`.

    Formulas in `SemiImplicitSpectral`; `past` and `past_slopes` are youngest first, `steps` is Δt, Δt₋, Δt₋₋.
    """
    u0, u1, u2 = past
    slope0, slope1 = past_slopes
    dt, dt1, dt2 = steps
    w, both, span = dt / dt1, dt + dt1, dt1 + dt2
    leading = (1 + 2 * w) / (1 + w)
    p0 = both * (dt + span) / (dt1 * span)
    p1 = -dt * (dt + span) / (dt1 * dt2)
    p2 = dt * both / (span * dt2)
    share = dt / (dt + span)
    a0, a1 = 1 + w, w * w / (1 + w)
    s0, s1 = dt * (1 + w), dt * w
    for i in range(u0.shape[0]):
        for k in range(u0.shape[1]):
            forcing = s0 * slope0[i, k] - s1 * slope1[i, k]
            known = a0 * u0[i, k] - a1 * u1[i, k] + forcing
            u = known * (1.0 / (leading - dt * linear[i, k]))
            parabola = p0 * u0[i, k] + p1 * u1[i, k] + p2 * u2[i, k]
            out[i, k] = u
            defect[i, k] = -forcing - share * (u - parabola)


@jit
def two_step_error(
    linear: FloatArray, weights: FloatArray, u: Rows, slope: Rows, defect: Rows, dt: float, leading: float
) -> tuple[FloatArray, FloatArray]:
    """Σ weights·|ê|² and, without the mean, Σ weights·|û|² of every field after a step to `u` with slope N̂(u)."""
    errors, sizes = np.zeros(u.shape[0]), np.zeros(u.shape[0])
    for i in range(u.shape[0]):
        error = size = 0.0
        for k in range(u.shape[1]):
            e = (dt * slope[i, k] + defect[i, k]) * (1.0 / (leading - dt * linear[i, k]))
            error += weights[k] * (e.real * e.real + e.imag * e.imag)
            size += weights[k] * (u[i, k].real * u[i, k].real + u[i, k].imag * u[i, k].imag)
        mean = weights[0] * (u[i, 0].real * u[i, 0].real + u[i, 0].imag * u[i, 0].imag)
        errors[i], sizes[i] = error, max(size - mean, 0.0)
    return errors, sizes
