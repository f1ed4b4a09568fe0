"""Compiled loops of a field that is not conserved: ∂c/∂t = P(c) + w·Σ(neighbours of c), two or three dimensions.

Importing this module imports numba: do it inside the function that needs it.  All arrays are padded
(:mod:`~dynaphase.phasefield.padding`) and hold filled ghosts.

Every constant arrives in the precision of the field (one float64 literal would turn a float32 loop into a float64
one), so Δt, 1/Δx² and the diagonal of the Laplacian are folded into the coefficients before the loop.  The number
of coefficients is part of the type: each degree of a polynomial is compiled, and vectorized, on its own.

The loops run over slices that all begin at 0: an index that is plainly not negative is what lets the compiler write
vector code.
"""

from __future__ import annotations

from typing import Any

from dynaphase.phasefield.chebyshev_loops import combine, first_stage
from dynaphase.phasefield.compiled import jit
from dynaphase.phasefield.padding import GHOSTS, Geometry, RealArray, Scalars, fill_ends, fill_rows, row_start

__all__ = ["horner", "local_sum", "relaxation_rate", "relaxation_stages", "relaxation_steps"]


@jit
def horner(x: Any, coefficients: Scalars) -> Any:
    """Polynomial with ascending `coefficients` at `x`."""
    # the length of the tuple is part of its type, so the compiler unrolls this loop
    value = coefficients[len(coefficients) - 1]
    for k in range(len(coefficients) - 2, -1, -1):
        value = value * x + coefficients[k]
    return value


@jit
def local_sum(
    c: RealArray, first: int, n: int, out: RealArray, to: int, g: Geometry, local: Scalars, face: Any
) -> None:
    """Write P(c) + `face`·Σ(neighbours of c) of `n` entries from `first` on into `out` from `to` on."""
    here, target = c[first : first + n], out[to : to + n]
    left, right = c[first - 1 : first - 1 + n], c[first + 1 : first + 1 + n]
    low, high = c[first - g.plane : first - g.plane + n], c[first + g.plane : first + g.plane + n]
    if g.row == 0:
        for p in range(n):
            target[p] = horner(here[p], local) + face * ((low[p] + high[p]) + (left[p] + right[p]))
    else:
        front, back = c[first - g.row : first - g.row + n], c[first + g.row : first + g.row + n]
        for p in range(n):
            around = ((low[p] + high[p]) + (left[p] + right[p])) + (front[p] + back[p])
            target[p] = horner(here[p], local) + face * around


@jit
def _span(first: int, m: int, g: Geometry) -> tuple[int, int]:
    """First cell and number of entries of `m` planes from `first` on: what one flat loop covers."""
    return row_start(first, 0, g), m * g.plane - 2 * GHOSTS * (g.row + 1)


@jit
def relaxation_rate(c: RealArray, out: RealArray, chunk: int, g: Geometry, local: Scalars, face: Any) -> None:
    """Write the rate of `c` into `out`, its ghosts too: a sum of filled arrays is then filled.

    The ghosts of a `chunk` of planes are filled while it is in cache.
    """
    for low in range(0, g.n_x, chunk):
        m = min(chunk, g.n_x - low)
        first, n = _span(low, m, g)
        local_sum(c, first, n, out, first, g, local, face)
        fill_rows(out, low, low + m, g)
    fill_ends(out, g)


@jit
def relaxation_steps(
    even: RealArray, odd: RealArray, n_steps: int, chunk: int, g: Geometry, local: Scalars, face: Any
) -> None:
    """Replace c by P(c) + `face`·Σ(neighbours of c), `n_steps` times; c is `even`, and at an odd step `odd`."""
    now, then = even, odd
    for _ in range(n_steps):
        relaxation_rate(now, then, chunk, g, local, face)
        now, then = then, now


@jit
def relaxation_stages(
    start: RealArray,
    slope: RealArray,
    even: RealArray,
    odd: RealArray,
    weights: RealArray,
    row: RealArray,
    chunk: int,
    g: Geometry,
    local: Scalars,
    face: Any,
) -> None:
    """All stages of one step from `start` with its rate `slope`; the last one is in `even` if its number is even.

    `weights` are those of `first_stage` and `combine`, a row of five for each stage; the rates of a `chunk` of planes
    at a time pass through `row`.
    """
    first_stage(start, slope, even, odd, weights)
    previous, before = odd, even
    for j in range(2, weights.shape[0]):
        for low in range(0, g.n_x, chunk):
            m = min(chunk, g.n_x - low)
            first, n = _span(low, m, g)
            local_sum(previous, first, n, row, 0, g, local, face)
            combine(start, slope, previous, before, first, n, row, weights, j)
            fill_rows(before, low, low + m, g)
        fill_ends(before, g)
        previous, before = before, previous
