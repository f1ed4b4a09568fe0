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
BoolArray = npt.NDArray[np.bool_]

_FOOT = 1e-4
"""ξ below which the drive does not act, as above 1 − it where lithium leaves: it would amplify round-off there."""

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
def _driven(
    xi: FloatArray,
    potential: FloatArray,
    threshold: FloatArray,
    capillarity: FloatArray,
    can_leave: BoolArray,
    numbers: Numbers,
    at: tuple[int, int, int],
) -> tuple[float, float]:
    """2 sinh(bΔη) of a cell, negative where lithium leaves and 0 where nothing is driven, and ∂²ξ/∂n² (1/nm²)."""
    lam, spacing, b, _, least, greatest, _ = numbers
    i, k, j = at[0] + 1, at[1] + 1, at[2] + 1
    leaves = can_leave[at] and potential[at] < 0.0
    margin = potential[at] - threshold[at]
    if not leaves and margin <= 0.0 and least >= 0.0:
        return 0.0, 0.0
    gradient, bend, divergence = _shape_of(xi, i, k, j, 2e-3 / lam * spacing)
    normal_bend = (bend - gradient * divergence) / (spacing * spacing)
    if leaves:
        return 2.0 * math.sinh(b * potential[at]), normal_bend
    margin -= capillarity[at] * min(max(-divergence / spacing, least), greatest)
    return (2.0 * math.sinh(b * margin) if margin > 0.0 else 0.0), normal_bend


@jit
def front_rates(
    xi: FloatArray,
    potential: FloatArray,
    threshold: FloatArray,
    capillarity: FloatArray,
    can_leave: BoolArray,
    numbers: Numbers,
    cells: IntArray,
    drive: FloatArray,
    normal_bend: FloatArray,
) -> tuple[int, float]:
    """The cells of the band that are driven, their 2 sinh(bΔη) and ∂²ξ/∂n² (1/nm²); returns their number and the
    greatest drive of either sign.
    """
    n_x, n_y, n_z = xi.shape[0] - 2, xi.shape[1] - 2, xi.shape[2] - 2
    n, strongest, least = 0, 0.0, numbers[4]
    for i in range(1, n_x + 1):
        for k in range(1, n_y + 1):
            for j in range(1, n_z + 1):
                at = (i - 1, k - 1, j - 1)
                is_held = least >= 0.0 and potential[at] <= threshold[at]
                if (is_held and not (can_leave[at] and potential[at] < 0.0)) or not _in_band(xi, i, k, j):
                    continue
                found, bend = _driven(xi, potential, threshold, capillarity, can_leave, numbers, at)
                if found == 0.0:
                    continue
                cells[n] = (i * (n_y + 2) + k) * (n_z + 2) + j
                drive[n], normal_bend[n] = found, bend
                strongest = max(strongest, abs(found))
                n += 1
    return n, strongest


@jit
def front_terms(
    xi: FloatArray,
    potential: FloatArray,
    threshold: FloatArray,
    capillarity: FloatArray,
    can_leave: BoolArray,
    numbers: Numbers,
    barrier: FloatArray,
    restoring: FloatArray,
) -> tuple[float, float]:
    """Write η_c + η_cap (V) and the restoring term of ∂ξ/∂t (1/s) of every cell, 0 where nothing is driven.

    Returns the strongest drive under `potential`, to which the restoring rate L_r belongs, and the fastest |∂ξ/∂t|.
    """
    lam, spacing, _, kinetic, least, greatest, ratio = numbers
    _close(xi)
    strongest, drives = 0.0, np.zeros_like(barrier)
    for i in range(1, xi.shape[0] - 1):
        for k in range(1, xi.shape[1] - 1):
            for j in range(1, xi.shape[2] - 1):
                at = (i - 1, k - 1, j - 1)
                barrier[at] = threshold[at]
                restoring[at] = 0.0
                if not _in_band(xi, i, k, j):
                    continue
                _, _, divergence = _shape_of(xi, i, k, j, 2e-3 / lam * spacing)
                barrier[at] += capillarity[at] * min(max(-divergence / spacing, least), greatest)
                drives[at], bend = _driven(xi, potential, threshold, capillarity, can_leave, numbers, at)
                if drives[at] == 0.0:
                    continue
                x = xi[i, k, j]
                restoring[at] = 2.0 * lam * lam * bend - 2.0 * x * (1.0 - x) * (1.0 - 2.0 * x)
                strongest = max(strongest, abs(drives[at]))
    restoring *= ratio * kinetic * strongest
    fastest = 0.0
    for i in range(drives.shape[0]):
        for k in range(drives.shape[1]):
            for j in range(drives.shape[2]):
                at = (i, k, j)
                if drives[at] != 0.0:
                    x = xi[i + 1, k + 1, j + 1]
                    rate = 6.0 * kinetic * drives[at] * x * (1.0 - x) + restoring[at]
                    if rate * drives[at] > 0.0:
                        fastest = max(fastest, abs(rate))
    return strongest, fastest


@jit
def _move(
    flat: FloatArray,
    n: int,
    cells: IntArray,
    drive: FloatArray,
    normal_bend: FloatArray,
    scales: tuple[float, float, float],
) -> None:
    """One Euler step of the driven cells: lithium only comes where it is driven in, only goes where it is driven out.

    `scales` are λ², 6 L_η dt and L_r dt.
    """
    squared, advance, restore = scales
    for m in range(n):
        x = flat[cells[m]]
        well = x * (1.0 - x)
        gain = restore * (2.0 * squared * normal_bend[m] - 2.0 * well * (1.0 - 2.0 * x))
        if drive[m] > 0.0:
            if x > _FOOT:
                gain += advance * drive[m] * well
            flat[cells[m]] = min(x + max(gain, 0.0), 1.0)
        elif drive[m] < 0.0:
            if x < 1.0 - _FOOT:
                gain += advance * drive[m] * well
            flat[cells[m]] = max(x + min(gain, 0.0), 0.0)


@jit
def advance_front(
    xi: FloatArray,
    potential: FloatArray,
    threshold: FloatArray,
    capillarity: FloatArray,
    can_leave: BoolArray,
    numbers: Numbers,
    work: tuple[IntArray, FloatArray, FloatArray, FloatArray],
    span: float,
) -> int:
    """Move ξ in place for the time `span` under a potential that stands still; returns the number of steps.

    Heun's method, the mean of the start and of two Euler steps.  First order in time is not enough: along the flank of
    a filament that is held back the gain is a small difference of drive and restoring term, and its error adds up to
    lithium that was paid for and not laid.
    """
    lam, spacing, _, kinetic, _, _, restoring = numbers
    cells, drive, normal_bend, before = work
    flat = xi.reshape(-1)
    left, n_steps, n_axes = span, 0, 2 if xi.shape[1] == 3 else 3
    while left > 1e-12 * span:
        _close(xi)
        n, strongest = front_rates(xi, potential, threshold, capillarity, can_leave, numbers, cells, drive, normal_bend)
        if n == 0:
            break
        restore = restoring * kinetic * strongest
        speed = 6.0 * lam * kinetic * strongest
        dt = min(0.8 * spacing * spacing / (4.0 * n_axes * lam * lam * restore), 0.3 * spacing / speed)
        dt = left if dt >= left else (0.5 * left if 2.0 * dt > left else dt)
        scales = lam * lam, 6.0 * kinetic * dt, restore * dt
        before[:] = flat
        _move(flat, n, cells, drive, normal_bend, scales)
        _close(xi)
        n, _ = front_rates(xi, potential, threshold, capillarity, can_leave, numbers, cells, drive, normal_bend)
        _move(flat, n, cells, drive, normal_bend, scales)
        for m in range(flat.size):
            flat[m] = 0.5 * (flat[m] + before[m])
        left -= dt
        n_steps += 1
    _close(xi)
    return n_steps
