"""PFHub benchmark 2, revision 1: Ostwald ripening of particles with four orientations.

    F = ∫ [ f_a(c)(1 − h) + f_b(c) h + w g + (κ_c/2)|∇c|² + Σᵢ (κ_η/2)|∇ηᵢ|² ] dV
    f_a = ρ²(c − c_a)²,   f_b = ρ²(c_b − c)²,   h = Σᵢ ηᵢ³(6ηᵢ² − 15ηᵢ + 10)
    g = Σᵢ ηᵢ²(1 − ηᵢ)² + α Σᵢ Σ_{j≠i} ηᵢ²ηⱼ²        (ordered pairs: every pair counts twice)
    ∂c/∂t = ∇·( M ∇δF/δc ),     ∂ηᵢ/∂t = −L δF/δηᵢ

c_a = 0.3, c_b = 0.7, ρ² = 2, w = 1, α = 5, κ_c = κ_η = 3, M = L = 5 on the square 0 … 200, periodic (2a) or without
flux (2b).  ∂²f/∂c² = 2ρ² = 4 wherever one is, so c is linear but for its coupling to η.

Source: A.M. Jokisaari, P.W. Voorhees, J.E. Guyer, J. Warren, O.G. Heinonen, Comput. Mater. Sci. 126, 139 (2017),
doi:10.1016/j.commatsci.2016.09.022, and the problem page of PFHub, doi:10.5334/jors.276.
"""

from __future__ import annotations

import numpy as np

from dynaphase.pfhub.spinodal import centres, concentration, square
from dynaphase.phasefield.grid import Boundary, Grid
from dynaphase.phasefield.models.gradient_flow import GradientFlow
from dynaphase.phasefield.operators import FloatArray

__all__ = ["OrientedParticles", "order_parameters", "ostwald"]

_N_ORIENTATIONS = 4
_RHO2, _LOW, _HIGH, _W, _ALPHA = 2.0, 0.3, 0.7, 1.0, 5.0
_KAPPA, _MOBILITY = 3.0, 5.0


class OrientedParticles:
    """The bulk density of problem 2; field 0 is c, the others are η₁ … η₄."""

    def density(self, fields: FloatArray) -> FloatArray:
        """Density, shape of the grid."""
        from dynaphase.pfhub.bulk_loops import oriented

        out = np.empty(fields.shape[1:])
        oriented(fields.reshape(len(fields), -1), _RHO2, _LOW, _HIGH, _W, _ALPHA, out.reshape(-1))
        return out

    def derivative(self, fields: FloatArray) -> FloatArray:
        """The derivatives by c and by every ηᵢ, (5, *grid).

        ∂f/∂c = 2ρ² [(c − c_a) − h (c_b − c_a)]
        ∂f/∂ηᵢ = (f_b − f_a) h'ᵢ + w [2ηᵢ(1 − ηᵢ)(1 − 2ηᵢ) + 4αηᵢ Σ_{j≠i} ηⱼ²]
        """
        from dynaphase.pfhub.bulk_loops import oriented_slopes

        out, rows = np.empty_like(fields), (len(fields), -1)
        oriented_slopes(fields.reshape(rows), _RHO2, _LOW, _HIGH, _W, _ALPHA, out.reshape(rows))
        return out

    def curvature(self, fields: FloatArray) -> float:
        """Bound by the largest row sum of |∂²f/∂uᵢ∂uⱼ| (Gershgorin)."""
        c, eta = fields[0], fields[1:]
        squares = eta**2
        steepness = 30 * squares * (1 - eta) ** 2  # h'ᵢ
        mixed = 2 * _RHO2 * (_HIGH - _LOW) * np.abs(steepness)
        difference = _RHO2 * (_HIGH - _LOW) * (_HIGH + _LOW - 2 * c)
        others = np.sum(squares, axis=0) - squares
        own = difference * 60 * eta * (1 - eta) * (1 - 2 * eta) + _W * (
            2 - 12 * eta + 12 * squares + 4 * _ALPHA * others
        )
        size = np.abs(eta)
        pairs = 8 * _ALPHA * _W * size * (np.sum(size, axis=0) - size)
        rows = np.abs(own) + mixed + pairs
        return float(max(np.max(rows), np.max(2 * _RHO2 + np.sum(mixed, axis=0))))


def order_parameters(grid: Grid) -> FloatArray:
    """The four initial ηᵢ, (4, *grid)."""
    x, y = centres(grid)
    fields = []
    for i in range(1, _N_ORIENTATIONS + 1):
        wave = np.cos((0.046 + 0.001 * i) * x + (0.0405 + 0.001 * i) * y) * np.cos(
            (0.031 + 0.001 * i) * x - (0.004 + 0.001 * i) * y
        )
        total = (
            np.cos(0.01 * i * x - 4) * np.cos((0.007 + 0.01 * i) * y)
            + np.cos((0.11 + 0.01 * i) * x) * np.cos((0.11 + 0.01 * i) * y)
            + 1.5 * wave**2
        )
        fields.append(0.1 * total**2)
    return np.stack(fields)


def ostwald(n: int, boundary: Boundary) -> tuple[GradientFlow, FloatArray]:
    """Model and initial state of problem 2a (periodic) or 2b (no-flux) on n × n cells."""
    grid = square(n, boundary)
    model = GradientFlow(
        grid=grid,
        fields=("c", *(f"eta_{i}" for i in range(1, _N_ORIENTATIONS + 1))),
        bulk=OrientedParticles(),
        kappa=(_KAPPA,) * 5,
        mobility=(_MOBILITY,) * 5,
        is_conserved=(True,) + (False,) * _N_ORIENTATIONS,
        stabilisation=(2 * _RHO2,) + (16.5,) * _N_ORIENTATIONS,
    )
    return model, np.concatenate([concentration(grid, 0.05)[None], order_parameters(grid)])
