"""Compiled steps of :mod:`dynaphase.electrolyte.interphase`; importing this module imports numba.

Arrays have three axes (a plane has one layer in the middle).  Axis 0 runs away from the lithium; the other two are
periodic, so u and D carry one ghost column at each end of the last axis.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from dynaphase.phasefield.compiled import jit

__all__ = ["react"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]


@jit
def _close_row(row: FloatArray) -> None:
    row[0] = row[row.size - 2]
    row[row.size - 1] = row[1]


@jit
def _diffusivity_plane(
    i: int,
    chi: FloatArray,
    density: FloatArray,
    fresh: FloatArray,
    lithium: BoolArray,
    converted: float,
    out: FloatArray,
) -> None:
    """D_u = ρ²[D_χ χ + (D_b + D_gb g)(1 − χ)] of plane `i`; lithium counts as decomposed (χ = 1).

    `fresh` holds D_b + D_gb g.
    """
    for k in range(chi.shape[1]):
        for j in range(chi.shape[2]):
            x = 1.0 if lithium[i, k, j] else chi[i, k, j]
            out[i, k, j + 1] = density[i, k, j] ** 2 * (converted * x + fresh[i, k, j] * (1.0 - x))
        _close_row(out[i, k])


@jit
def _step(
    u: FloatArray,
    u_next: FloatArray,
    diffusivity: FloatArray,
    chi: FloatArray,
    density: FloatArray,
    fresh: FloatArray,
    lithium: BoolArray,
    last: int,
    converted: float,
    rate: float,
    uptake: float,
    scale: float,
    floor: float,
) -> tuple[float, int]:
    """One step from `u` into `u_next`; diffusion first, then the reaction on what arrived."""
    n_x, n_y, n_z = chi.shape
    top = min(last + 2, n_x)
    for i in range(max(last - 1, 0), min(top + 1, n_x)):  # planes that were not live a step ago
        _diffusivity_plane(i, chi, density, fresh, lithium, converted, diffusivity)
    for i in range(top):
        low, high = max(i - 1, 0), min(i + 1, n_x - 1)  # at a wall both sides are one cell: nothing crosses
        for k in range(n_y):
            front, back = k - 1 if k > 0 else n_y - 1, k + 1 if k + 1 < n_y else 0
            for j in range(1, n_z + 1):
                d, v = diffusivity[i, k, j], u[i, k, j]
                total = (
                    (d + diffusivity[low, k, j]) * (u[low, k, j] - v)
                    + (d + diffusivity[high, k, j]) * (u[high, k, j] - v)
                ) + (
                    (d + diffusivity[i, k, j - 1]) * (u[i, k, j - 1] - v)
                    + (d + diffusivity[i, k, j + 1]) * (u[i, k, j + 1] - v)
                )
                u_next[i, k, j] = v + 0.5 * scale * total
            if n_y > 1:
                for j in range(1, n_z + 1):
                    d, v = diffusivity[i, k, j], u[i, k, j]
                    u_next[i, k, j] += (
                        0.5
                        * scale
                        * (
                            (d + diffusivity[i, front, j]) * (u[i, front, j] - v)
                            + (d + diffusivity[i, back, j]) * (u[i, back, j] - v)
                        )
                    )
    influx, highest = 0.0, last
    for i in range(top):
        greatest = 0.0
        for k in range(n_y):
            for j in range(n_z):
                here = u_next[i, k, j + 1]
                if lithium[i, k, j]:
                    influx += u[i, k, j + 1] - here  # what diffusion took came from the reservoir
                    u_next[i, k, j + 1] = u[i, k, j + 1]
                    greatest = 1.0
                    continue
                left = 1.0 - chi[i, k, j]
                x = rate * density[i, k, j] * here
                # 1 − exp(−x) by its Padé approximant, whose relative error x⁴/720 is far below the scheme's own
                change = min(left * x / (1.0 + x * (0.5 + x / 12.0)), here / uptake)
                chi[i, k, j] += change
                u_next[i, k, j + 1] = here - uptake * change
                greatest = max(greatest, u_next[i, k, j + 1])
            _close_row(u_next[i, k])
        if greatest > floor:
            highest = max(highest, i)
        _diffusivity_plane(i, chi, density, fresh, lithium, converted, diffusivity)
    return influx, highest


@jit
def react(
    u: FloatArray,
    work: tuple[FloatArray, FloatArray],
    chi: FloatArray,
    density: FloatArray,
    fresh: FloatArray,
    lithium: BoolArray,
    last: int,
    numbers: tuple[float, float, float, float],
    dt: float,
    n_steps: int,
    floor: float,
) -> tuple[float, int]:
    """Advance u and χ in place by `n_steps` steps; returns the influx from lithium (in cells) and the last live plane.

    `u` and both of `work` are (nx, ny, nz + 2), the first of `work` a copy of `u`; planes beyond `last` + 1 hold
    nothing.  `numbers` are D_χ, k_r, ν and Δx.
    """
    u_next, diffusivity = work
    converted, rate, uptake, spacing = numbers
    scale, step_rate = dt / (spacing * spacing), rate * dt
    influx = 0.0
    for i in range(min(last + 2, chi.shape[0])):
        _diffusivity_plane(i, chi, density, fresh, lithium, converted, diffusivity)
    for n in range(n_steps):
        now, then = (u, u_next) if n % 2 == 0 else (u_next, u)
        entered, last = _step(
            now, then, diffusivity, chi, density, fresh, lithium, last, converted, step_rate, uptake, scale, floor
        )
        influx += entered
    if n_steps % 2 == 1:
        u[...] = u_next
    return influx, last
