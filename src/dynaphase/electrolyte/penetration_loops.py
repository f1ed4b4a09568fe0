"""Compiled steps of :mod:`dynaphase.electrolyte.penetration`; importing this module imports numba.

Arrays have three axes (a plane has one layer in the middle) and ξ one ghost cell at each end of each axis.  Axis 0 is
closed at both ends, the others are periodic.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from dynaphase.phasefield.compiled import jit

__all__ = ["advance_front", "front_rates", "front_terms"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_FOOT = 1e-4
"""ξ below which the drive does not act: it would amplify round-off ahead of the front."""

Numbers = tuple[float, float, float, float, float, float, float]
"""λ (nm), Δx (nm), b (1/V), L_η (1/s), least and greatest curvature (1/nm), restoring rate over drive."""


@jit
def _close(xi: FloatArray) -> None:
    """Ghosts: mirrored along axis 0, periodic along the others."""
    n_x, n_y, n_z = xi.shape[0] - 2, xi.shape[1] - 2, xi.shape[2] - 2
    for i in range(1, n_x + 1):
        for k in range(1, n_y + 1):
            xi[i, k, 0] = xi[i, k, n_z]
            xi[i, k, n_z + 1] = xi[i, k, 1]
        for j in range(n_z + 2):
            xi[i, 0, j] = xi[i, n_y, j]
            xi[i, n_y + 1, j] = xi[i, 1, j]
    for k in range(n_y + 2):
        for j in range(n_z + 2):
            xi[0, k, j] = xi[1, k, j]
            xi[n_x + 1, k, j] = xi[n_x, k, j]


@jit
def _face_normal(a: float, b: float, side_1: float, side_2: float, eps: float) -> float:
    """Component across a face of ∇ξ/√(|∇ξ|² + ε²), all differences in units of the cell."""
    across = b - a
    return across / math.sqrt(across * across + side_1 * side_1 + side_2 * side_2 + eps * eps)


@jit
def _shape_of(xi: FloatArray, i: int, k: int, j: int, eps: float) -> tuple[float, float, float]:
    """|∇ξ|, ∇²ξ and ∇·n̂ in units of the cell; the normals sit on faces, as a flux would."""
    c = xi[i, k, j]
    e, w = xi[i + 1, k, j], xi[i - 1, k, j]
    n, s = xi[i, k, j + 1], xi[i, k, j - 1]
    u, d = xi[i, k + 1, j], xi[i, k - 1, j]
    g_x, g_y, g_z = 0.5 * (e - w), 0.5 * (u - d), 0.5 * (n - s)
    gradient = math.sqrt(g_x * g_x + g_y * g_y + g_z * g_z)
    bend = ((e + w) + (n + s) + (u + d)) - 6.0 * c
    # slopes along a face: the mean of those in the two cells that it parts
    z_e = 0.25 * ((xi[i + 1, k, j + 1] - xi[i + 1, k, j - 1]) + (n - s))
    z_w = 0.25 * ((xi[i - 1, k, j + 1] - xi[i - 1, k, j - 1]) + (n - s))
    y_e = 0.25 * ((xi[i + 1, k + 1, j] - xi[i + 1, k - 1, j]) + (u - d))
    y_w = 0.25 * ((xi[i - 1, k + 1, j] - xi[i - 1, k - 1, j]) + (u - d))
    divergence = _face_normal(c, e, z_e, y_e, eps) - _face_normal(w, c, z_w, y_w, eps)
    x_n = 0.25 * ((xi[i + 1, k, j + 1] - xi[i - 1, k, j + 1]) + (e - w))
    x_s = 0.25 * ((xi[i + 1, k, j - 1] - xi[i - 1, k, j - 1]) + (e - w))
    y_n = 0.25 * ((xi[i, k + 1, j + 1] - xi[i, k - 1, j + 1]) + (u - d))
    y_s = 0.25 * ((xi[i, k + 1, j - 1] - xi[i, k - 1, j - 1]) + (u - d))
    divergence += _face_normal(c, n, x_n, y_n, eps) - _face_normal(s, c, x_s, y_s, eps)
    if xi.shape[1] > 3:
        x_u = 0.25 * ((xi[i + 1, k + 1, j] - xi[i - 1, k + 1, j]) + (e - w))
        x_d = 0.25 * ((xi[i + 1, k - 1, j] - xi[i - 1, k - 1, j]) + (e - w))
        z_u = 0.25 * ((xi[i, k + 1, j + 1] - xi[i, k + 1, j - 1]) + (n - s))
        z_d = 0.25 * ((xi[i, k - 1, j + 1] - xi[i, k - 1, j - 1]) + (n - s))
        divergence += _face_normal(c, u, x_u, z_u, eps) - _face_normal(d, c, x_d, z_d, eps)
    return gradient, bend, divergence


@jit
def _in_band(xi: FloatArray, i: int, k: int, j: int) -> bool:
    """Whether the cell can move: neither amid electrolyte (all of its stencil below the foot) nor amid metal."""
    most = max(xi[i - 1, k, j], xi[i + 1, k, j], xi[i, k, j - 1], xi[i, k, j + 1], xi[i, k - 1, j], xi[i, k + 1, j])
    if max(most, xi[i, k, j]) <= _FOOT:
        return False
    least = min(xi[i - 1, k, j], xi[i + 1, k, j], xi[i, k, j - 1], xi[i, k, j + 1], xi[i, k - 1, j], xi[i, k + 1, j])
    return bool(min(least, xi[i, k, j]) < 1.0 - _FOOT)


@jit
def front_rates(
    xi: FloatArray,
    potential: FloatArray,
    threshold: FloatArray,
    capillarity: FloatArray,
    numbers: Numbers,
    cells: IntArray,
    drive: FloatArray,
    normal_bend: FloatArray,
) -> tuple[int, float]:
    """The cells of the band that are driven, their 2 sinh(bΔη) and ∂²ξ/∂n² (1/nm²); returns their number and the
    greatest drive.
    """
    lam, spacing, b, _, least, greatest, _ = numbers
    eps = 2e-3 / lam * spacing
    n_x, n_y, n_z = xi.shape[0] - 2, xi.shape[1] - 2, xi.shape[2] - 2
    n, strongest = 0, 0.0
    for i in range(1, n_x + 1):
        for k in range(1, n_y + 1):
            for j in range(1, n_z + 1):
                margin = potential[i - 1, k - 1, j - 1] - threshold[i - 1, k - 1, j - 1]
                if not _in_band(xi, i, k, j):
                    continue
                if margin <= 0.0 and least >= 0.0:
                    continue
                gradient, bend, divergence = _shape_of(xi, i, k, j, eps)
                curvature = min(max(-divergence / spacing, least), greatest)
                margin -= capillarity[i - 1, k - 1, j - 1] * curvature
                if margin <= 0.0:
                    continue
                cells[n] = (i * (n_y + 2) + k) * (n_z + 2) + j
                drive[n] = 2.0 * math.sinh(b * margin)
                normal_bend[n] = (bend - gradient * divergence) / (spacing * spacing)
                strongest = max(strongest, drive[n])
                n += 1
    return n, strongest


@jit
def front_terms(
    xi: FloatArray,
    potential: FloatArray,
    threshold: FloatArray,
    capillarity: FloatArray,
    numbers: Numbers,
    barrier: FloatArray,
    restoring: FloatArray,
) -> None:
    """Write η_c + η_cap (V) and the restoring term of ∂ξ/∂t (1/s) of every cell, 0 where nothing is driven.

    The restoring rate L_r is that of the strongest drive under `potential`.
    """
    lam, spacing, b, kinetic, least, greatest, ratio = numbers
    eps = 2e-3 / lam * spacing
    _close(xi)
    strongest = 0.0
    for i in range(1, xi.shape[0] - 1):
        for k in range(1, xi.shape[1] - 1):
            for j in range(1, xi.shape[2] - 1):
                at = (i - 1, k - 1, j - 1)
                barrier[at] = threshold[at]
                restoring[at] = 0.0
                if not _in_band(xi, i, k, j):
                    continue
                gradient, bend, divergence = _shape_of(xi, i, k, j, eps)
                curvature = min(max(-divergence / spacing, least), greatest)
                barrier[at] += capillarity[at] * curvature
                margin = potential[at] - barrier[at]
                if margin <= 0.0:
                    continue
                x = xi[i, k, j]
                normal_bend = (bend - gradient * divergence) / (spacing * spacing)
                restoring[at] = 2.0 * lam * lam * normal_bend - 2.0 * x * (1.0 - x) * (1.0 - 2.0 * x)
                strongest = max(strongest, 2.0 * math.sinh(b * margin))
    restoring *= ratio * kinetic * strongest


@jit
def advance_front(
    xi: FloatArray,
    potential: FloatArray,
    threshold: FloatArray,
    capillarity: FloatArray,
    numbers: Numbers,
    work: tuple[IntArray, FloatArray, FloatArray],
    span: float,
) -> int:
    """Move ξ in place for the time `span` under a potential that stands still; returns the number of steps."""
    lam, spacing, _, kinetic, _, _, restoring = numbers
    cells, drive, normal_bend = work
    flat = xi.reshape(-1)
    left, n_steps = span, 0
    while left > 1e-12 * span:
        _close(xi)
        n, strongest = front_rates(xi, potential, threshold, capillarity, numbers, cells, drive, normal_bend)
        if n == 0:
            break
        restore = restoring * kinetic * strongest
        speed = 6.0 * lam * kinetic * strongest
        n_axes = 2 if xi.shape[1] == 3 else 3
        dt = min(0.8 * spacing * spacing / (4.0 * n_axes * lam * lam * restore), 0.3 * spacing / speed)
        dt = left if dt >= left else (0.5 * left if 2.0 * dt > left else dt)
        for m in range(n):
            x = flat[cells[m]]
            well = x * (1.0 - x)
            gain = dt * restore * (2.0 * lam * lam * normal_bend[m] - 2.0 * well * (1.0 - 2.0 * x))
            if x > _FOOT:  # the drive alone is a logistic equation: its exact step
                growth = math.expm1(6.0 * dt * kinetic * drive[m])
                gain += growth * well / (1.0 + growth * x)
            if gain > 0.0:
                flat[cells[m]] = min(x + gain, 1.0)
        left -= dt
        n_steps += 1
    _close(xi)
    return n_steps
