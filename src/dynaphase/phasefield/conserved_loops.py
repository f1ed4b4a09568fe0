"""Compiled loops of a conserved field: ∂c/∂t = ∇·(M∇μ), μ = P(c) + w·Σ(neighbours of c), two or three dimensions.

Importing this module imports numba: do it inside the function that needs it.  All arrays are padded
(:mod:`~dynaphase.phasefield.padding`) and hold filled ghosts; the ghosts of μ come out of those of c.

One sweep over the planes does both passes.  The potential is computed for a chunk of planes just before these planes
change: the field is updated in place and the potential of one chunk stays in cache.  A `Window` says where the
potential (and the mobility) of the chunk is kept.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from dynaphase.phasefield.chebyshev_loops import first_stage
from dynaphase.phasefield.compiled import jit, jit_inner
from dynaphase.phasefield.padding import (
    GHOSTS,
    ONE,
    Geometry,
    RealArray,
    Scalars,
    Strides,
    copy_within,
    fill_ends,
    fill_rows,
    neighbours,
    span,
)
from dynaphase.phasefield.relaxation_loops import horner, local_sum

__all__ = ["Window", "conserved_stages", "conserved_steps"]


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


@jit_inner
def _open(c: RealArray, first: int, m: int, w: Window, g: Geometry) -> tuple[int, int, int]:
    """Compute what the `m` planes from `first` on need; their first cell in the window, and those below and above."""
    slot = first % 3
    plane, n, to = first + 2, m, 2
    if first == 0:
        plane, n, to = first, m + 2, first
    elif w.chunk == 1:  # three planes change places
        to = (first + 2) % 3
    else:  # the last two planes of the last chunk are the first two of this one
        _carry_over(w, g, w.factors)
    _fill_window(c, plane, n, to, w, g, w.factors)
    cell = GHOSTS * g.row + g.lead
    if w.chunk == 1:
        return cell + slot * g.plane, cell + (slot + 1) % 3 * g.plane, cell + (slot + 2) % 3 * g.plane
    return cell, cell + g.plane, cell + 2 * g.plane


@jit_inner
def _carry_over(w: Window, g: Geometry, factors: Scalars) -> None:
    """Move the last two planes of the window to its beginning."""
    copy_within(w.potential, w.chunk * g.plane, 0, 2 * g.plane + g.lead)
    if len(factors) > 1:
        copy_within(w.mobilities, w.chunk * g.plane, 0, 2 * g.plane + g.lead)


@jit_inner
def _fill_window(c: RealArray, first: int, m: int, slot: int, w: Window, g: Geometry, factors: Scalars) -> None:
    """Potential of `m` planes; plane 0 is the ghost next to the first cell."""
    # from one cache line before the first cell, so that all but two neighbours are read along lines
    start, n, to = (first + 1) * g.plane + g.row, m * g.plane - 2 * g.row + g.lead, slot * g.plane + g.row
    # the ghosts at the end of the row before are of the old state, while the field there may be new already
    ends = np.uintp(max(0, to - g.plane + g.lead + g.n_z))
    u = w.potential
    kept, kept_next = u[ends], u[ends + ONE]
    local_sum(c, start, n, u, to, g.strides, w.local, w.face)
    u[ends], u[ends + ONE] = kept, kept_next
    if len(factors) > 1:
        mobilities = w.mobilities
        kept, kept_next = mobilities[ends], mobilities[ends + ONE]
        here, there = np.uintp(start), np.uintp(to)
        for p in range(np.uintp(n)):
            mobilities[there + p] = horner(c[here + p], factors)
        mobilities[ends], mobilities[ends + ONE] = kept, kept_next


@jit_inner
def _inflow(low: Any, here: Any, high: Any, w: Window, strides: Strides, factors: Scalars) -> Any:
    """Σ over faces of what flows into the entry `here` of the window; `low` and `high` as in `neighbours`."""
    u = w.potential
    if len(factors) == 1:
        return neighbours(u, low, here, high, strides) - w.diagonal * u[here]
    inflow = _through_pair(u, w.mobilities, low, here, high)
    inflow += _through_pair(u, w.mobilities, here - ONE, here, here + ONE)
    if len(strides) == 3:
        inflow += _through_pair(u, w.mobilities, here - strides[1], here, here + strides[1])
    return inflow


@jit_inner
def _through_pair(u: RealArray, m: RealArray, low: Any, here: Any, high: Any) -> Any:
    """Inflow through the two faces across one axis, by varying mobility.

    (m₀ + m₁)(u₁ − u₀) is the same number, with the other sign, seen from the other side.
    """
    return (m[here] + m[low]) * (u[low] - u[here]) + (m[here] + m[high]) * (u[high] - u[here])


@jit_inner
def _add_inflow(
    low: int, here: int, high: int, n: int, out: RealArray, to: int, w: Window, strides: Strides, factors: Scalars
) -> None:
    """Add Σ over faces of what flows in to `n` entries of `out` from `to` on."""
    below, own, above, target = np.uintp(low), np.uintp(here), np.uintp(high), np.uintp(to)
    for p in range(np.uintp(n)):
        out[target + p] += _inflow(below + p, own + p, above + p, w, strides, factors)


@jit
def conserved_steps(c: RealArray, out: RealArray, n_steps: int, w: Window, g: Geometry) -> None:
    """Add the rate of `c` to `out` and fill its ghosts, `n_steps` times; a step is made where `out` is `c`."""
    for _ in range(n_steps):
        for first in range(0, g.n_x, w.chunk):
            m = min(w.chunk, g.n_x - first)
            low, here, high = _open(c, first, m, w, g)
            to, n = span(first, m, g)
            _add_inflow(low, here, high, n, out, to, w, g.strides, w.factors)
            fill_rows(out, first, m, g, g.strides)
        fill_ends(out, g)


@jit
def conserved_stages(
    start: RealArray,
    slope: RealArray,
    even: RealArray,
    odd: RealArray,
    weights: RealArray,
    w: Window,
    g: Geometry,
) -> None:
    """All stages of one step from `start` with its rate `slope`; the last one is in `even` if its number is even.

    `weights` are those of `first_stage` and `combine`, a row of four for each stage.
    """
    first_stage(start, slope, even, odd, weights)
    previous, before = odd, even
    for j in range(2, weights.shape[0]):
        for first in range(0, g.n_x, w.chunk):
            m = min(w.chunk, g.n_x - first)
            low, here, high = _open(previous, first, m, w, g)
            to, n = span(first, m, g)
            _combine_inflow(low, here, high, n, start, slope, previous, before, to, weights, j, w, g.strides, w.factors)
            fill_rows(before, first, m, g, g.strides)
        fill_ends(before, g)
        previous, before = before, previous


@jit_inner
def _combine_inflow(
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
    w: Window,
    strides: Strides,
    factors: Scalars,
) -> None:
    """`_add_inflow` and `combine` in one pass."""
    mu, nu, mu_dt, gamma_dt = weights[j, 0], weights[j, 1], weights[j, 2], weights[j, 3]
    below, own, above, target = np.uintp(low), np.uintp(here), np.uintp(high), np.uintp(to)
    for p in range(np.uintp(n)):
        rate = _inflow(below + p, own + p, above + p, w, strides, factors)
        q = target + p
        y0 = start[q]
        gain = mu * (previous[q] - y0) + nu * (before[q] - y0) + mu_dt * rate + gamma_dt * slope[q]
        before[q] = y0 + gain
