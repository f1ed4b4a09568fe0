"""Compiled loops of the Allen–Cahn and Cahn–Hilliard models, two and three dimensions, float64 and float32.

Importing this module imports numba: do it inside the function that needs it.  The readable twins are
``reference_rhs`` of the models; a test holds the two together.

A field of two dimensions is a field of three with one layer in the middle.  Fields are copied into *padded* arrays
with one ghost cell at each end of an axis that is longer than one layer.  Rows begin on a multiple of 64 bytes: then
only the two neighbours along the row are read across a cache line, which makes the loops a quarter faster.

Every constant arrives in the precision of the field (one float64 literal would turn a float32 loop into a float64
one), so Δt, 1/Δx² and the diagonal of the Laplacian are folded into the coefficients before the loop.  The number
of coefficients is part of the type: each degree of a polynomial is compiled, and vectorized, on its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from dynaphase.errors import ConfigError
from dynaphase.phasefield.compiled import jit

__all__ = [
    "allen_cahn_euler",
    "allen_cahn_rhs",
    "cahn_hilliard_euler",
    "cahn_hilliard_rhs",
]

RealArray = npt.NDArray[Any]
"""A field in float64 or float32."""

Scalars = tuple[Any, ...]
"""Coefficients as numpy scalars of the precision of the field."""

_CACHE_LINE: Final = 64  # bytes


# --- entry points -------------------------------------------------------------------------------------------------


def allen_cahn_rhs(
    state: RealArray, out: RealArray, periodic: Sequence[bool], local: Sequence[float], face: float
) -> None:
    """Write P(c) + `face`·Σ(neighbours of c) into `out`; P has the ascending coefficients `local`."""
    field, rate, axes = _layers(state, periodic), _layers(out, periodic), _three(periodic)
    _require_alike(field, rate)
    _relaxation_rhs(_padded(field), field, rate, axes, _scalars(state, local), state.dtype.type(face))


def allen_cahn_euler(
    state: RealArray, n_steps: int, periodic: Sequence[bool], local: Sequence[float], face: float
) -> None:
    """Replace c by P(c) + `face`·Σ(neighbours of c), `n_steps` times, in place."""
    field, axes = _layers(state, periodic), _three(periodic)
    scalars = _scalars(state, local)
    _relaxation_steps(_padded(field), _padded(field), field, n_steps, axes, scalars, state.dtype.type(face))


def cahn_hilliard_rhs(
    state: RealArray,
    out: RealArray,
    periodic: Sequence[bool],
    local: Sequence[float],
    face: float,
    mobility: Sequence[float],
) -> None:
    """Write the divergence of the fluxes down the potential μ = P(c) + `face`·Σ(neighbours of c) into `out`.

    With an empty `mobility` the flux across a face is the difference of μ; else it is that difference times the sum
    of the polynomial `mobility`, of two coefficients or more, on the two sides.  Factors such as ½, 1/Δx² and Δt are
    the caller's.
    """
    field, rate, axes = _layers(state, periodic), _layers(out, periodic), _three(periodic)
    _require_alike(field, rate)
    potential, mobilities = _rolling(field), _rolling(field, is_needed=len(mobility) > 0)
    factors = _scalars(state, mobility or (0.0,))  # one factor stands for a constant
    scalars, scale = _scalars(state, local), state.dtype.type(face)
    diagonal = state.dtype.type(2 * len(periodic))
    _conserved_rhs(
        _padded(field),
        potential,
        mobilities,
        _aligned((1, 1, field.shape[2]), field.dtype),
        field,
        rate,
        axes,
        scalars,
        scale,
        diagonal,
        factors,
    )


def cahn_hilliard_euler(
    state: RealArray,
    n_steps: int,
    periodic: Sequence[bool],
    local: Sequence[float],
    face: float,
    mobility: Sequence[float],
) -> None:
    """Add what `cahn_hilliard_rhs` writes to the field, `n_steps` times, in place."""
    field, axes = _layers(state, periodic), _three(periodic)
    potential, mobilities = _rolling(field), _rolling(field, is_needed=len(mobility) > 0)
    factors = _scalars(state, mobility or (0.0,))  # one factor stands for a constant
    scalars, scale = _scalars(state, local), state.dtype.type(face)
    diagonal = state.dtype.type(2 * len(periodic))
    _conserved_steps(
        _padded(field),
        potential,
        mobilities,
        _aligned((1, 1, field.shape[2]), field.dtype),
        field,
        n_steps,
        axes,
        scalars,
        scale,
        diagonal,
        factors,
    )


def _layers(array: RealArray, periodic: Sequence[bool]) -> RealArray:
    """The array with three axes, sharing its memory."""
    if array.ndim != len(periodic) or not array.flags.c_contiguous or array.dtype not in (np.float64, np.float32):
        raise ConfigError(
            f"the loops need a C-contiguous float64 or float32 array with {len(periodic)} axes, not {array.dtype} of "
            f"shape {array.shape}; np.ascontiguousarray makes one"
        )
    return array if array.ndim == 3 else array.reshape(array.shape[0], 1, array.shape[1])


def _require_alike(field: RealArray, rate: RealArray) -> None:
    """The compiled loops do not look whether an index is inside."""
    if rate.shape != field.shape or rate.dtype != field.dtype:
        raise ConfigError(
            f"the rate of a {field.dtype} field with {field.size} cells cannot be written into {rate.size} cells of "
            f"{rate.dtype}; np.empty_like(state) makes the right array"
        )


def _three(periodic: Sequence[bool]) -> tuple[bool, bool, bool]:
    first, last = bool(periodic[0]), bool(periodic[-1])
    return first, bool(periodic[1]) if len(periodic) == 3 else True, last


def _scalars(state: RealArray, values: Sequence[float]) -> Scalars:
    return tuple(state.dtype.type(value) for value in values)


def _padded(field: RealArray) -> RealArray:
    nx, ny, nz = field.shape
    return _aligned((nx + 2, ny + 2 if ny > 1 else 1, nz), field.dtype)


def _rolling(field: RealArray, *, is_needed: bool = True) -> RealArray:
    """Room for five padded planes: three that follow the sweep, the first and the last (see `_slot`)."""
    _, ny, nz = field.shape
    return _aligned((5, ny + 2 if ny > 1 else 1, nz) if is_needed else (1, 1, 1), field.dtype)


def _aligned(shape: tuple[int, int, int], dtype: np.dtype[Any]) -> RealArray:
    """Array with rows of ``shape[2]`` cells and two ghosts; the first cell of each row lies on a cache line.

    Rows may be longer than that; the loops take the number of cells from the field.
    """
    line = _CACHE_LINE // dtype.itemsize
    width = -(-(shape[2] + 2) // line) * line
    size = shape[0] * shape[1] * width
    room = np.empty(size + line, dtype)
    start = (-(room.ctypes.data + dtype.itemsize) % _CACHE_LINE) // dtype.itemsize
    return room[start : start + size].reshape(shape[0], shape[1], width)


# --- what both models share -------------------------------------------------------------------------------------


@jit
def _horner(x: Any, coefficients: Scalars) -> Any:
    # the length of the tuple is part of its type, so the compiler unrolls this loop
    value = coefficients[len(coefficients) - 1]
    for k in range(len(coefficients) - 2, -1, -1):
        value = value * x + coefficients[k]
    return value


@jit
def _local(c: RealArray, i: int, k: int, j: int, local: Scalars, face: Any, is_deep: bool) -> Any:
    around = (c[i - 1, k, j] + c[i + 1, k, j]) + (c[i, k, j - 1] + c[i, k, j + 1])
    if is_deep:
        around += c[i, k - 1, j] + c[i, k + 1, j]
    return _horner(c[i, k, j], local) + face * around


@jit
def _fill_plane(c: RealArray, i: int, n_y: int, n_z: int, axes: tuple[bool, bool, bool]) -> None:
    """Ghosts of plane `i` along the middle and the last axis."""
    first = 1 if n_y > 1 else 0
    left, right = (n_z, 1) if axes[2] else (1, n_z)
    for k in range(first, first + n_y):
        c[i, k, 0] = c[i, k, left]
        c[i, k, n_z + 1] = c[i, k, right]
    if n_y > 1:
        front, back = (n_y, 1) if axes[1] else (1, n_y)
        for j in range(1, n_z + 1):
            c[i, 0, j] = c[i, front, j]
            c[i, n_y + 1, j] = c[i, back, j]


@jit
def _fill_ghosts(c: RealArray, n_y: int, n_z: int, axes: tuple[bool, bool, bool]) -> None:
    n_x = c.shape[0] - 2
    low, high = (n_x, 1) if axes[0] else (1, n_x)
    first = 1 if n_y > 1 else 0
    for k in range(first, first + n_y):
        for j in range(1, n_z + 1):
            c[0, k, j] = c[low, k, j]
            c[n_x + 1, k, j] = c[high, k, j]
    for i in range(1, n_x + 1):
        _fill_plane(c, i, n_y, n_z, axes)


@jit
def _copy_in(field: RealArray, padded: RealArray) -> None:
    n_x, n_y, n_z = field.shape
    first = 1 if n_y > 1 else 0
    for i in range(n_x):
        for k in range(n_y):
            for j in range(n_z):
                padded[i + 1, k + first, j + 1] = field[i, k, j]


@jit
def _copy_out(padded: RealArray, field: RealArray) -> None:
    n_x, n_y, n_z = field.shape
    first = 1 if n_y > 1 else 0
    for i in range(n_x):
        for k in range(n_y):
            for j in range(n_z):
                field[i, k, j] = padded[i + 1, k + first, j + 1]


# --- not conserved ----------------------------------------------------------------------------------------------


@jit
def _relaxation_rhs(
    c: RealArray, field: RealArray, out: RealArray, axes: tuple[bool, bool, bool], local: Scalars, face: Any
) -> None:
    n_x, n_y, n_z = field.shape
    first = 1 if n_y > 1 else 0
    _copy_in(field, c)
    _fill_ghosts(c, n_y, n_z, axes)
    for i in range(1, n_x + 1):
        for k in range(first, first + n_y):
            for j in range(1, n_z + 1):
                out[i - 1, k - first, j - 1] = _local(c, i, k, j, local, face, n_y > 1)


@jit
def _relaxation_step(
    now: RealArray, then: RealArray, n_y: int, n_z: int, axes: tuple[bool, bool, bool], local: Scalars, face: Any
) -> None:
    _fill_ghosts(now, n_y, n_z, axes)
    first = 1 if n_y > 1 else 0
    n_z = min(n_z, now.shape[2] - 2)  # tells the compiler that j cannot run over: needed for vector code
    for i in range(1, now.shape[0] - 1):
        for k in range(first, first + n_y):
            for j in range(1, n_z + 1):
                then[i, k, j] = _local(now, i, k, j, local, face, n_y > 1)


@jit
def _relaxation_steps(
    even: RealArray,
    odd: RealArray,
    field: RealArray,
    n_steps: int,
    axes: tuple[bool, bool, bool],
    local: Scalars,
    face: Any,
) -> None:
    _, n_y, n_z = field.shape
    _copy_in(field, even)
    for _ in range(n_steps // 2):
        _relaxation_step(even, odd, n_y, n_z, axes, local, face)
        _relaxation_step(odd, even, n_y, n_z, axes, local, face)
    if n_steps % 2 == 1:
        _relaxation_step(even, odd, n_y, n_z, axes, local, face)
        _copy_out(odd, field)
    else:
        _copy_out(even, field)


# --- conserved ------------------------------------------------------------------------------------------------
#
# One sweep over the planes does both passes: the potential of plane i + 1 is computed just before plane i changes, so
# the field is updated in place and only five planes of the potential are kept, hot in cache.


@jit
def _slot(i: int, n_x: int, is_periodic: bool) -> int:
    """Where the potential of padded plane i is kept; the outermost planes outlive the sweep for the ghosts."""
    if i == 0:
        return 4 if is_periodic else 3
    if i == n_x + 1:
        return 3 if is_periodic else 4
    if i == 1:
        return 3
    if i == n_x:
        return 4
    return i % 3


@jit
def _potential_plane(
    c: RealArray,
    i: int,
    potential: RealArray,
    mobilities: RealArray,
    n_y: int,
    n_z: int,
    axes: tuple[bool, bool, bool],
    local: Scalars,
    face: Any,
    factors: Scalars,
) -> None:
    """μ of plane i, and M where it varies, into their slot, ghosts included."""
    slot = _slot(i, c.shape[0] - 2, axes[0])
    first = 1 if n_y > 1 else 0
    cells = min(n_z, c.shape[2] - 2)
    for k in range(first, first + n_y):
        for j in range(1, cells + 1):
            potential[slot, k, j] = _local(c, i, k, j, local, face, n_y > 1)
    _fill_plane(potential, slot, n_y, n_z, axes)
    if len(factors) > 1:
        for k in range(first, first + n_y):
            for j in range(1, cells + 1):
                mobilities[slot, k, j] = _horner(c[i, k, j], factors)
        _fill_plane(mobilities, slot, n_y, n_z, axes)


@jit
def _inflow(u: RealArray, low: int, here: int, high: int, k: int, j: int, diagonal: Any, is_deep: bool) -> Any:
    """Σ over faces of the difference of u: constant mobility."""
    around = (u[low, k, j] + u[high, k, j]) + (u[here, k, j - 1] + u[here, k, j + 1])
    if is_deep:
        around += u[here, k - 1, j] + u[here, k + 1, j]
    return around - diagonal * u[here, k, j]


@jit
def _face(m_0: Any, u_0: Any, m_1: Any, u_1: Any) -> Any:
    """(m₀ + m₁)(u₁ − u₀): the same number, with the other sign, seen from the other side."""
    return (m_0 + m_1) * (u_1 - u_0)


@jit
def _weighted_inflow(
    u: RealArray, m: RealArray, out: RealArray, low: int, here: int, high: int, k: int, n_z: int, is_deep: bool
) -> None:
    """Σ over faces of (m + m')(u' − u) in row k of plane `here`, written into row 0 of `out`.

    A function of whole rows: one of single cells is too long for the compiler to inline.
    """
    n_z = min(n_z, u.shape[2] - 2)
    for j in range(1, n_z + 1):
        m_0, u_0 = m[here, k, j], u[here, k, j]
        out[0, 0, j] = (_face(m_0, u_0, m[low, k, j], u[low, k, j]) + _face(m_0, u_0, m[high, k, j], u[high, k, j])) + (
            _face(m_0, u_0, m[here, k, j - 1], u[here, k, j - 1])
            + _face(m_0, u_0, m[here, k, j + 1], u[here, k, j + 1])
        )
    if is_deep:
        for j in range(1, n_z + 1):
            m_0, u_0 = m[here, k, j], u[here, k, j]
            out[0, 0, j] += _face(m_0, u_0, m[here, k - 1, j], u[here, k - 1, j]) + _face(
                m_0, u_0, m[here, k + 1, j], u[here, k + 1, j]
            )


@jit
def _conserved_rhs(
    c: RealArray,
    potential: RealArray,
    mobilities: RealArray,
    row: RealArray,
    field: RealArray,
    out: RealArray,
    axes: tuple[bool, bool, bool],
    local: Scalars,
    face: Any,
    diagonal: Any,
    factors: Scalars,
) -> None:
    n_x, n_y, n_z = field.shape
    first = 1 if n_y > 1 else 0
    _copy_in(field, c)
    _fill_ghosts(c, n_y, n_z, axes)
    for i in (1, n_x):
        _potential_plane(c, i, potential, mobilities, n_y, n_z, axes, local, face, factors)
    for i in range(1, n_x + 1):
        if i + 1 < n_x:
            _potential_plane(c, i + 1, potential, mobilities, n_y, n_z, axes, local, face, factors)
        low, here, high = _slot(i - 1, n_x, axes[0]), _slot(i, n_x, axes[0]), _slot(i + 1, n_x, axes[0])
        for k in range(first, first + n_y):
            if len(factors) > 1:
                _weighted_inflow(potential, mobilities, row, low, here, high, k, n_z, n_y > 1)
                for j in range(1, n_z + 1):
                    out[i - 1, k - first, j - 1] = row[0, 0, j]
            else:
                for j in range(1, n_z + 1):
                    out[i - 1, k - first, j - 1] = _inflow(potential, low, here, high, k, j, diagonal, n_y > 1)


@jit
def _conserved_steps(
    c: RealArray,
    potential: RealArray,
    mobilities: RealArray,
    row: RealArray,
    field: RealArray,
    n_steps: int,
    axes: tuple[bool, bool, bool],
    local: Scalars,
    face: Any,
    diagonal: Any,
    factors: Scalars,
) -> None:
    n_x, n_y, n_z = field.shape
    first = 1 if n_y > 1 else 0
    cells = min(n_z, c.shape[2] - 2)
    _copy_in(field, c)
    for _ in range(n_steps):
        _fill_ghosts(c, n_y, n_z, axes)
        for i in (1, n_x):
            _potential_plane(c, i, potential, mobilities, n_y, n_z, axes, local, face, factors)
        for i in range(1, n_x + 1):
            if i + 1 < n_x:
                _potential_plane(c, i + 1, potential, mobilities, n_y, n_z, axes, local, face, factors)
            low, here, high = _slot(i - 1, n_x, axes[0]), _slot(i, n_x, axes[0]), _slot(i + 1, n_x, axes[0])
            for k in range(first, first + n_y):
                if len(factors) > 1:
                    _weighted_inflow(potential, mobilities, row, low, here, high, k, n_z, n_y > 1)
                    for j in range(1, cells + 1):
                        c[i, k, j] += row[0, 0, j]
                else:
                    for j in range(1, cells + 1):
                        c[i, k, j] += _inflow(potential, low, here, high, k, j, diagonal, n_y > 1)
    _copy_out(c, field)
