"""PFHub benchmark 8, revision 1, part a: growth or loss of one nucleus near its critical radius.

    F = ∫ [ ½|∇φ|² + φ²(1 − φ)² − Δf φ³(10 − 15φ + 6φ²) ] dV,     ∂φ/∂t = −δF/δφ

on the periodic square of edge 100 with Δf = √2/30, so that r* = 1/(3√2 Δf) = 5, started from the seed
φ = ½ [1 − tanh((r − r₀)/√2)] around the centre with r₀ = 0.99 r*, r* and 1.01 r*.  Expect the first to vanish and the
last to grow.  The middle one starts next to an unstable equilibrium, whose distance grows as e^{0.04 t}: its fate
depends on the mesh and on the tolerance.

Source: the problem page of PFHub, doi:10.5334/jors.276; W. Wu, D. Montiel, J.E. Guyer, P.W. Voorhees, J.A. Warren,
D. Wheeler, L. Gránásy, T. Pusztai, O.G. Heinonen, Comput. Mater. Sci. 193, 110371 (2021),
doi:10.1016/j.commatsci.2021.110371.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from dynaphase.pfhub.case import Case
from dynaphase.pfhub.spinodal import centres, square
from dynaphase.phasefield.grid import Boundary, Grid
from dynaphase.phasefield.models.gradient_flow import GradientFlow
from dynaphase.phasefield.operators import FloatArray
from dynaphase.phasefield.spectral_basis import Coefficients

__all__ = ["CRITICAL_RADIUS", "NucleationEnergy", "nucleation_cases", "nucleus", "seed"]

_EDGE: Final = 100.0
_DRIVING: Final = math.sqrt(2) / 30
CRITICAL_RADIUS: Final = 1 / (3 * math.sqrt(2) * _DRIVING)


class NucleationEnergy:
    """The bulk density φ²(1 − φ)² − Δf φ³(10 − 15φ + 6φ²)."""

    def density(self, fields: FloatArray) -> FloatArray:
        """Density, shape of the grid."""
        from dynaphase.pfhub.bulk_loops import nucleation

        out = np.empty(fields.shape[1:])
        nucleation(fields.reshape(-1), _DRIVING, out.reshape(-1))
        return out

    def derivative(self, fields: FloatArray) -> FloatArray:
        """2φ(1 − φ)(1 − 2φ) − 30 Δf φ²(1 − φ)²."""
        from dynaphase.pfhub.bulk_loops import nucleation_slope

        out = np.empty_like(fields)
        nucleation_slope(fields.reshape(-1), _DRIVING, out.reshape(-1))
        return out

    def curvature(self, fields: FloatArray) -> float:
        """The largest |f''| = |2 − 12φ(1 − φ) − 60 Δf φ(1 − φ)(1 − 2φ)|."""
        hill = fields * (1 - fields)
        return float(np.max(np.abs(2 - 12 * hill - 60 * _DRIVING * hill * (1 - 2 * fields))))


def seed(grid: Grid, radius: float) -> FloatArray:
    """The nucleus of radius `radius` around the centre, sampled at the cell centres."""
    x, y = centres(grid)
    r = np.hypot(x - 0.5 * _EDGE, y - 0.5 * _EDGE)
    return np.asarray(0.5 * (1 - np.tanh((r - radius) / math.sqrt(2))))


def nucleus(n: int, radius: float) -> tuple[GradientFlow, FloatArray]:
    """Model and initial state on n × n cells.

    Without stabilisation: the front never rests, and what an implicit term adds to the error of a step grows with the
    distance from the critical radius.
    """
    grid = square(n, Boundary.PERIODIC, _EDGE)
    model = GradientFlow(
        grid=grid,
        fields=("phi",),
        bulk=NucleationEnergy(),
        kappa=(1.0,),
        mobility=(1.0,),
        is_conserved=(False,),
        stabilisation=(0.0,),
    )
    return model, seed(grid, radius)


def nucleation_cases(n: int) -> list[Case]:
    """The three radii in the order of the problem page; columns free_energy, fraction and radius."""
    cases = []
    for share in (0.99, 1.0, 1.01):
        radius = share * CRITICAL_RADIUS
        model, state = nucleus(n, radius)

        def measure(
            state: FloatArray, coefficients: Coefficients, model: GradientFlow = model
        ) -> tuple[float, float, float]:
            energy = model.energy(state, coefficients)
            return energy, energy, float(np.mean(state))

        cases.append(Case(model, state, measure, labels={"radius": radius}, is_conserved=False))
    return cases
