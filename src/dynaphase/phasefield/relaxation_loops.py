"""Compiled loops of a field that is not conserved: ∂c/∂t = P(c) + w·Σ(neighbours of c), two or three dimensions.

Importing this module imports numba: do it inside the function that needs it.  All arrays are padded
(:mod:`~dynaphase.phasefield.padding`) and hold filled ghosts.

Every constant arrives in the precision of the field (one float64 literal would turn a float32 loop into a float64
one), so Δt, 1/Δx² and the diagonal of the Laplacian are folded into the coefficients before the loop.  The number
of coefficients is part of the type: each degree of a polynomial is compiled, and vectorized, on its own.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dynaphase.phasefield.chebyshev_loops import first_stage
from dynaphase.phasefield.compiled import jit, jit_inner
from dynaphase.phasefield.padding import (
    Geometry,
    RealArray,
    Scalars,
    Strides,
    fill_ends,
    fill_rows,
    neighbours,
    span,
)

__all__ = ["horner", "local_sum", "relaxation_stages", "relaxation_steps"]


@jit_inner
def horner(x: Any, coefficients: Scalars) -> Any:
    """Polynomial with ascending `coefficients` at `x`."""
    # the length of the tuple is part of its type, so the compiler unrolls this loop
    value = coefficients[len(coefficients) - 1]
    for k in range(len(coefficients) - 2, -1, -1):
        value = value * x + coefficients[k]
    return value


@jit_inner
def local_sum(
    c: RealArray, first: int, n: int, out: RealArray, to: int, strides: Strides, local: Scalars, face: Any
) -> None:
    """Write P(c) + `face`·Σ(neighbours of c) of `n` entries from `first` on into `out` from `to` on."""
    start, target, plane = np.uintp(first), np.uintp(to), strides[0]
    for p in range(np.uintp(n)):
        q = start + p
        out[target + p] = horner(c[q], local) + face * neighbours(c, q - plane, q, q + plane, strides)


@jit
def relaxation_steps(
    even: RealArray, odd: RealArray, n_steps: int, chunk: int, g: Geometry, local: Scalars, face: Any
) -> None:
    """Replace c by P(c) + `face`·Σ(neighbours of c), `n_steps` times; c is `even`, and at an odd step `odd`.

    The ghosts of a `chunk` of planes are filled while it is in cache.
    """
    now, then = even, odd
    for _ in range(n_steps):
        for low in range(0, g.n_x, chunk):
            m = min(chunk, g.n_x - low)
            first, n = span(low, m, g)
            local_sum(now, first, n, then, first, g.strides, local, face)
            fill_rows(then, low, m, g, g.strides)
        fill_ends(then, g)
        now, then = then, now


@jit
def relaxation_stages(
    start: RealArray,
    slope: RealArray,
    even: RealArray,
    odd: RealArray,
    weights: RealArray,
    chunk: int,
    g: Geometry,
    local: Scalars,
    face: Any,
) -> None:
    """All stages of one step from `start` with its rate `slope`; the last one is in `even` if its number is even.

    `weights` are those of `first_stage` and `combine`, a row of four for each stage.
    """
    first_stage(start, slope, even, odd, weights)
    previous, before = odd, even
    for j in range(2, weights.shape[0]):
        for low in range(0, g.n_x, chunk):
            m = min(chunk, g.n_x - low)
            first, n = span(low, m, g)
            _combine_sum(start, slope, previous, before, first, n, weights, j, g.strides, local, face)
            fill_rows(before, low, m, g, g.strides)
        fill_ends(before, g)
        previous, before = before, previous


@jit_inner
def _combine_sum(
    start: RealArray,
    slope: RealArray,
    previous: RealArray,
    before: RealArray,
    first: int,
    n: int,
    weights: RealArray,
    j: int,
    strides: Strides,
    local: Scalars,
    face: Any,
) -> None:
    """`local_sum` and `combine` in one pass."""
    mu, nu, mu_dt, gamma_dt = weights[j, 0], weights[j, 1], weights[j, 2], weights[j, 3]
    begin, plane = np.uintp(first), strides[0]
    for p in range(np.uintp(n)):
        q = begin + p
        y = previous[q]
        rate = horner(y, local) + face * neighbours(previous, q - plane, q, q + plane, strides)
        y0 = start[q]
        before[q] = y0 + (mu * (y - y0) + nu * (before[q] - y0) + mu_dt * rate + gamma_dt * slope[q])
