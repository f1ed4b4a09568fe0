"""Compiled loops of a conserved field: ∂c/∂t = ∇·(M∇μ), μ = P(c) + w·Σ(neighbours of c), two or three dimensions.

Importing this module imports numba: do it inside the function that needs it.  All arrays are padded
(:mod:`~dynaphase.phasefield.padding`) and hold filled ghosts; the ghosts of μ come out of those of c.

One sweep over the planes does both passes.  The potential is computed for a chunk of planes just before these planes
change: the field is updated in place and the potential of one chunk stays in cache.  A `Window` says where the
potential (and the mobility) of the chunk is kept.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from dynaphase.phasefield.chebyshev_loops import combine, first_stage
from dynaphase.phasefield.compiled import jit
from dynaphase.phasefield.padding import (
    GHOSTS,
    Geometry,
    RealArray,
    Scalars,
    copy_within,
    fill_ends,
    fill_rows,
    row_start,
)
from dynaphase.phasefield.relaxation_loops import horner, local_sum

__all__ = ["Window", "conserved_rate", "conserved_stages", "conserved_steps"]


class Window(NamedTuple):
    """Work space of a sweep and the constants of the equation."""

    potential: RealArray
    """chunk + 2 planes."""
    mobilities: RealArray
    """chunk + 2 planes, or of no size when the mobility is constant."""
    chunk: int
    """Planes at a time."""
    local: Scalars
    face: Any
    diagonal: Any
    """2d in d dimensions."""
    factors: Scalars
    """Coefficients of M(c), two or more; one stands for a constant that is contained in `local` and `face`."""


@jit
def _open(c: RealArray, first: int, m: int, w: Window, g: Geometry) -> tuple[int, int, int]:
    """Compute what the `m` planes from `first` on need; where the planes below, at and above them begin."""
    slot = first % 3
    plane, n, to = first + 2, m, 2
    if first == 0:
        plane, n, to = first, m + 2, first
    elif w.chunk == 1:  # three planes change places
        to = (first + 2) % 3
    else:  # the last two planes of the last chunk are the first two of this one
        copy_within(w.potential, w.chunk * g.plane, 0, 2 * g.plane + g.lead)
        if len(w.factors) > 1:
            copy_within(w.mobilities, w.chunk * g.plane, 0, 2 * g.plane + g.lead)
    _fill_window(c, plane, n, to, w, g)
    if w.chunk == 1:
        return slot * g.plane, (slot + 1) % 3 * g.plane, (slot + 2) % 3 * g.plane
    return 0, g.plane, 2 * g.plane


@jit
def _fill_window(c: RealArray, first: int, m: int, slot: int, w: Window, g: Geometry) -> None:
    """Potential of `m` planes; plane 0 is the ghost next to the first cell."""
    # from one cache line before the first cell, so that all but two neighbours are read along lines
    start, n, to = (first + 1) * g.plane + g.row, m * g.plane - 2 * g.row + g.lead, slot * g.plane + g.row
    ends = max(0, to - g.plane + g.lead + g.n_z)
    kept = _take_pair(w.potential, ends)
    local_sum(c, start, n, w.potential, to, g, w.local, w.face)
    _put_pair(w.potential, ends, kept)
    if len(w.factors) > 1:
        kept = _take_pair(w.mobilities, ends)
        here, target = c[start : start + n], w.mobilities[to : to + n]
        for p in range(n):
            target[p] = horner(here[p], w.factors)
        _put_pair(w.mobilities, ends, kept)


@jit
def _take_pair(planes: RealArray, at: int) -> tuple[Any, Any]:
    """The ghosts at the end of the row before: of the old state, while the field there may be new already."""
    return planes[at], planes[at + 1]


@jit
def _put_pair(planes: RealArray, at: int, pair: tuple[Any, Any]) -> None:
    planes[at], planes[at + 1] = pair


@jit
def _add_inflow(w: Window, low: int, here: int, high: int, n: int, out: RealArray, to: int, g: Geometry) -> None:
    """Add Σ over faces of what flows in to `n` entries of `out` from `to` on."""
    if len(w.factors) > 1:
        _add_pair(w.potential, w.mobilities, low, here, high, n, out, to)
        _add_pair(w.potential, w.mobilities, here - 1, here, here + 1, n, out, to)
        if g.row > 0:
            _add_pair(w.potential, w.mobilities, here - g.row, here, here + g.row, n, out, to)
    else:
        u, target = w.potential, out[to : to + n]
        below, above, own = u[low : low + n], u[high : high + n], u[here : here + n]
        left, right = u[here - 1 : here - 1 + n], u[here + 1 : here + 1 + n]
        if g.row == 0:
            for p in range(n):
                target[p] += ((below[p] + above[p]) + (left[p] + right[p])) - w.diagonal * own[p]
        else:
            front, back = u[here - g.row : here - g.row + n], u[here + g.row : here + g.row + n]
            for p in range(n):
                around = ((below[p] + above[p]) + (left[p] + right[p])) + (front[p] + back[p])
                target[p] += around - w.diagonal * own[p]


@jit
def _face(m_0: Any, u_0: Any, m_1: Any, u_1: Any) -> Any:
    """(m₀ + m₁)(u₁ − u₀): the same number, with the other sign, seen from the other side."""
    return (m_0 + m_1) * (u_1 - u_0)


@jit
def _add_pair(u: RealArray, m: RealArray, low: int, here: int, high: int, n: int, out: RealArray, to: int) -> None:
    """Add the inflow through the two faces across one axis, by varying mobility."""
    u_0, u_1, u_2 = u[low : low + n], u[here : here + n], u[high : high + n]
    m_0, m_1, m_2 = m[low : low + n], m[here : here + n], m[high : high + n]
    target = out[to : to + n]
    for p in range(n):
        target[p] += _face(m_1[p], u_1[p], m_0[p], u_0[p]) + _face(m_1[p], u_1[p], m_2[p], u_2[p])


@jit
def _span(first: int, m: int, g: Geometry) -> tuple[int, int, int]:
    """Of `m` planes from `first` on: entries before the first cell of a plane, first cell, number of entries."""
    return GHOSTS * g.row + g.lead, row_start(first, 0, g), m * g.plane - 2 * GHOSTS * (g.row + 1)


@jit
def _clear(out: RealArray, to: int, n: int) -> None:
    """Set `n` entries to zero."""
    target = out[to : to + n]
    for p in range(n):
        target[p] = 0


@jit
def conserved_rate(c: RealArray, out: RealArray, w: Window, g: Geometry) -> None:
    """Write the rate of `c` into `out`, its ghosts too: a sum of filled arrays is then filled."""
    for first in range(0, g.n_x, w.chunk):
        m = min(w.chunk, g.n_x - first)
        low, here, high = _open(c, first, m, w, g)
        margin, to, n = _span(first, m, g)
        _clear(out, to, n)
        _add_inflow(w, low + margin, here + margin, high + margin, n, out, to, g)
    fill_rows(out, 0, g.n_x, g)
    fill_ends(out, g)


@jit
def conserved_steps(c: RealArray, n_steps: int, w: Window, g: Geometry) -> None:
    """Add the rate to `c`, `n_steps` times, in place."""
    for _ in range(n_steps):
        for first in range(0, g.n_x, w.chunk):
            m = min(w.chunk, g.n_x - first)
            low, here, high = _open(c, first, m, w, g)
            margin, to, n = _span(first, m, g)
            _add_inflow(w, low + margin, here + margin, high + margin, n, c, to, g)
            fill_rows(c, first, first + m, g)
        fill_ends(c, g)


@jit
def conserved_stages(
    start: RealArray,
    slope: RealArray,
    even: RealArray,
    odd: RealArray,
    weights: RealArray,
    row: RealArray,
    w: Window,
    g: Geometry,
) -> None:
    """All stages of one step from `start` with its rate `slope`; the last one is in `even` if its number is even.

    `weights` are those of `first_stage` and `combine`, a row of five for each stage; `row` is room for the rates of
    one chunk.
    """
    first_stage(start, slope, even, odd, weights)
    previous, before = odd, even
    for j in range(2, weights.shape[0]):
        for first in range(0, g.n_x, w.chunk):
            m = min(w.chunk, g.n_x - first)
            low, here, high = _open(previous, first, m, w, g)
            margin, to, n = _span(first, m, g)
            if g.row == 0 and len(w.factors) == 1:
                _combine_inflow(
                    w, low + margin, here + margin, high + margin, n, start, slope, previous, before, to, weights, j
                )
            else:
                _clear(row, 0, n)
                _add_inflow(w, low + margin, here + margin, high + margin, n, row, 0, g)
                combine(start, slope, previous, before, to, n, row, weights, j)
            fill_rows(before, first, first + m, g)
        fill_ends(before, g)
        previous, before = before, previous


@jit
def _combine_inflow(
    w: Window,
    low: int,
    here: int,
    high: int,
    n: int,
    start: RealArray,
    slope: RealArray,
    previous: RealArray,
    before: RealArray,
    to: int,
    weights: RealArray,
    j: int,
) -> None:
    """`_add_inflow` and `combine` in one pass, for constant mobility in two dimensions."""
    rest, mu, nu, mu_dt, gamma_dt = weights[j, 0], weights[j, 1], weights[j, 2], weights[j, 3], weights[j, 4]
    u = w.potential
    below, above, own = u[low : low + n], u[high : high + n], u[here : here + n]
    left, right = u[here - 1 : here - 1 + n], u[here + 1 : here + 1 + n]
    y0, f0, y = start[to : to + n], slope[to : to + n], previous[to : to + n]
    target = before[to : to + n]
    for p in range(n):
        rate = ((below[p] + above[p]) + (left[p] + right[p])) - w.diagonal * own[p]
        target[p] = rest * y0[p] + mu * y[p] + nu * target[p] + mu_dt * rate + gamma_dt * f0[p]
