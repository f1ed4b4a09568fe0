"""The compiled pass over the coefficients of `SemiImplicitSpectral`: two readings of memory instead of thirty."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from dynaphase.phasefield.compiled import jit
from dynaphase.phasefield.operators import FloatArray

__all__ = ["two_step_end", "two_step_error"]

Rows = npt.NDArray[Any]
"""Coefficients of all fields, one flat row a field, complex128 or float64."""


@jit
def two_step_end(
    linear: FloatArray, u0: Rows, u1: Rows, slope0: Rows, slope1: Rows, dt: float, w: float, out: Rows
) -> None:
    """The state after a step `dt` = w times the last one, into `out`; formula in `SemiImplicitSpectral`."""
    leading = (1 + 2 * w) / (1 + w)
    for i in range(u0.shape[0]):
        for k in range(u0.shape[1]):
            known = (1 + w) * u0[i, k] - w * w / (1 + w) * u1[i, k]
            forcing = (1 + w) * slope0[i, k] - w * slope1[i, k]
            out[i, k] = (known + dt * forcing) * (1.0 / (leading - dt * linear[i, k]))


@jit
def two_step_error(
    linear: FloatArray,
    weights: FloatArray,
    u: Rows,
    slope: Rows,
    past: tuple[Rows, Rows, Rows],
    past_slopes: tuple[Rows, Rows],
    steps: tuple[float, float, float],
) -> tuple[FloatArray, FloatArray]:
    """Σ weights·|ê|² and, without the mean, Σ weights·|û|² of every field after a step to `u` with slope N̂(u).

    `past` and `past_slopes` are youngest first; `steps` is Δt, Δt₋, Δt₋₋.
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
    errors, sizes = np.zeros(u.shape[0]), np.zeros(u.shape[0])
    for i in range(u.shape[0]):
        error = size = 0.0
        for k in range(u.shape[1]):
            parabola = p0 * u0[i, k] + p1 * u1[i, k] + p2 * u2[i, k]
            defect = dt * (slope[i, k] - (1 + w) * slope0[i, k] + w * slope1[i, k]) - share * (u[i, k] - parabola)
            e = defect * (1.0 / (leading - dt * linear[i, k]))
            error += weights[k] * (e.real * e.real + e.imag * e.imag)
            size += weights[k] * (u[i, k].real * u[i, k].real + u[i, k].imag * u[i, k].imag)
        mean = weights[0] * (u[i, 0].real * u[i, 0].real + u[i, 0].imag * u[i, 0].imag)
        errors[i], sizes[i] = error, max(size - mean, 0.0)
    return errors, sizes
