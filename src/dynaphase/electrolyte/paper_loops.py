"""Compiled loops of the reaction–diffusion model.

Importing this module imports numba: do it inside the function that needs it.  Each loop has a readable twin in
numpy (:mod:`~dynaphase.phasefield.operators`, :mod:`~dynaphase.electrolyte.paper`) and a test that holds the
two together.

The flags `conservative` and `saturating` do not change within a loop, so the optimizer moves the choice outside and
one compiled function serves every variant at the speed of a special one.
"""

from __future__ import annotations

import numpy as np

from dynaphase.phasefield.compiled import jit
from dynaphase.phasefield.operators import FloatArray, GhostRules

__all__ = ["reaction_diffusion_euler", "reaction_diffusion_rhs"]

Coefficients = tuple[float, float, float, float, float, float]
"""(α, β, r₀, r₁, r₂, K): diffusivity α − βC in units of Δx²/time, reaction C(r₀ + r₁C + r₂C²)[/(K + C)]."""


@jit
def _rate(
    c: float,
    low: float,
    high: float,
    left: float,
    right: float,
    coefficients: Coefficients,
    conservative: bool,
    saturating: bool,
) -> float:
    alpha, beta, r0, r1, r2, half_saturation = coefficients
    if conservative:
        # the difference of P(C) = αC − βC²/2 across a face is the flux with the face mean of α − βC
        b = 0.5 * beta
        potential_sum = (low * (alpha - b * low) + high * (alpha - b * high)) + (
            left * (alpha - b * left) + right * (alpha - b * right)
        )
        diffusion = potential_sum - 4.0 * (c * (alpha - b * c))
    else:
        diffusion = ((low + high) + (left + right) - 4.0 * c) * (alpha - beta * c)
    reaction = c * (r0 + c * (r1 + c * r2))
    if saturating:
        reaction = reaction / (half_saturation + c)
    return diffusion + reaction


@jit
def _fill_ghosts(padded: FloatArray, ghosts: GhostRules) -> None:
    low_0, high_0, sign_0, low_1, high_1, sign_1 = ghosts
    nx = padded.shape[0] - 2
    ny = padded.shape[1] - 2
    for j in range(1, ny + 1):
        padded[0, j] = padded[low_0, j]
        padded[nx + 1, j] = sign_0 * padded[high_0, j]
    for i in range(1, nx + 1):
        padded[i, 0] = padded[i, low_1]
        padded[i, ny + 1] = sign_1 * padded[i, high_1]


@jit
def reaction_diffusion_rhs(
    state: FloatArray,
    out: FloatArray,
    ghosts: GhostRules,
    coefficients: Coefficients,
    conservative: bool,
    saturating: bool,
) -> None:
    """Write the right-hand side for `state` (nx, ny) into `out`; scratch is local, so threads do not meet."""
    nx, ny = state.shape
    padded = np.empty((nx + 2, ny + 2))
    for i in range(nx):
        for j in range(ny):
            padded[i + 1, j + 1] = state[i, j]
    _fill_ghosts(padded, ghosts)
    for i in range(1, nx + 1):
        for j in range(1, ny + 1):
            out[i - 1, j - 1] = _rate(
                padded[i, j],
                padded[i - 1, j],
                padded[i + 1, j],
                padded[i, j - 1],
                padded[i, j + 1],
                coefficients,
                conservative,
                saturating,
            )


@jit
def _euler_step(
    now: FloatArray,
    then: FloatArray,
    ghosts: GhostRules,
    coefficients: Coefficients,
    conservative: bool,
    saturating: bool,
) -> None:
    _fill_ghosts(now, ghosts)
    for i in range(1, now.shape[0] - 1):
        for j in range(1, now.shape[1] - 1):
            c = now[i, j]
            then[i, j] = c + _rate(
                c,
                now[i - 1, j],
                now[i + 1, j],
                now[i, j - 1],
                now[i, j + 1],
                coefficients,
                conservative,
                saturating,
            )


@jit
def reaction_diffusion_euler(
    state: FloatArray,
    n_steps: int,
    ghosts: GhostRules,
    coefficients: Coefficients,
    conservative: bool,
    saturating: bool,
) -> None:
    """Advance `state` (nx, ny) in place by `n_steps` explicit Euler steps; `coefficients` already hold Δt."""
    nx, ny = state.shape
    even = np.empty((nx + 2, ny + 2))
    odd = np.empty((nx + 2, ny + 2))
    for i in range(nx):
        for j in range(ny):
            even[i + 1, j + 1] = state[i, j]
    for _ in range(n_steps // 2):
        _euler_step(even, odd, ghosts, coefficients, conservative, saturating)
        _euler_step(odd, even, ghosts, coefficients, conservative, saturating)
    last = even
    if n_steps % 2 == 1:
        _euler_step(even, odd, ghosts, coefficients, conservative, saturating)
        last = odd
    for i in range(nx):
        for j in range(ny):
            state[i, j] = last[i + 1, j + 1]
