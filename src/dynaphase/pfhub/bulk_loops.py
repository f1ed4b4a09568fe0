"""Compiled bulk energy densities of the problems and their slopes; formulas where they are called."""

from __future__ import annotations

from dynaphase.phasefield.compiled import jit
from dynaphase.phasefield.operators import FloatArray

__all__ = ["double_well", "double_well_slope", "nucleation", "nucleation_slope", "oriented", "oriented_slopes"]


@jit
def double_well(c: FloatArray, barrier: float, centre: float, half_gap: float, out: FloatArray) -> None:
    """Write ρ (u² − w²)² into `out`, u = c − centre, w = half_gap."""
    for k in range(c.size):
        u = c[k] - centre
        v = u * u - half_gap * half_gap
        out[k] = barrier * v * v


@jit
def double_well_slope(c: FloatArray, barrier: float, centre: float, half_gap: float, out: FloatArray) -> None:
    """Write 4ρ u (u² − w²) into `out`."""
    for k in range(c.size):
        u = c[k] - centre
        out[k] = 4.0 * barrier * u * (u * u - half_gap * half_gap)


@jit
def nucleation(phi: FloatArray, driving: float, out: FloatArray) -> None:
    """Write φ²(1 − φ)² − Δf φ³(10 − 15φ + 6φ²) into `out`."""
    for k in range(phi.size):
        p = phi[k]
        square = p * p
        out[k] = square * (1.0 - p) * (1.0 - p) - driving * square * p * (10.0 - 15.0 * p + 6.0 * square)


@jit
def nucleation_slope(phi: FloatArray, driving: float, out: FloatArray) -> None:
    """Write 2φ(1 − φ)(1 − 2φ) − 30 Δf φ²(1 − φ)² into `out`."""
    for k in range(phi.size):
        p = phi[k]
        hill = p * (1.0 - p)
        out[k] = 2.0 * hill * (1.0 - 2.0 * p) - 30.0 * driving * hill * hill


@jit
def oriented(fields: FloatArray, rho2: float, low: float, high: float, w: float, alpha: float, out: FloatArray) -> None:
    """Write f_a(1 − h) + f_b h + w g into `out`; row 0 of `fields` is c, the others are the ηᵢ."""
    for k in range(fields.shape[1]):
        h = g = squares = fourths = 0.0
        for i in range(1, fields.shape[0]):
            eta = fields[i, k]
            square = eta * eta
            h += square * eta * (6.0 * square - 15.0 * eta + 10.0)
            g += square * (1.0 - eta) * (1.0 - eta)
            squares += square
            fourths += square * square
        a, b = fields[0, k] - low, high - fields[0, k]
        f_a, f_b = rho2 * a * a, rho2 * b * b
        out[k] = f_a + (f_b - f_a) * h + w * (g + alpha * (squares * squares - fourths))


@jit
def oriented_slopes(
    fields: FloatArray, rho2: float, low: float, high: float, w: float, alpha: float, out: FloatArray
) -> None:
    """Write the derivatives of that density by c and every ηᵢ into the rows of `out`."""
    for k in range(fields.shape[1]):
        h = squares = 0.0
        for i in range(1, fields.shape[0]):
            eta = fields[i, k]
            square = eta * eta
            h += square * eta * (6.0 * square - 15.0 * eta + 10.0)
            squares += square
        c = fields[0, k]
        out[0, k] = 2.0 * rho2 * ((c - low) - (high - low) * h)
        difference = rho2 * (high - low) * (high + low - 2.0 * c)
        for i in range(1, fields.shape[0]):
            eta = fields[i, k]
            rest = 1.0 - eta
            well = w * (2.0 * rest * (1.0 - 2.0 * eta) + 4.0 * alpha * (squares - eta * eta))
            out[i, k] = eta * (well + 30.0 * difference * eta * rest * rest)
