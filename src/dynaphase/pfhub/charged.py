"""PFHub benchmark 6, revision 0, part a: spinodal decomposition of a charged species, Cahn–Hilliard with Poisson.

    ∂c/∂t = ∇·( M ∇[ f'(c) − κ∇²c + kΦ ] ),     ∇²Φ = −kc/ε  at every time
    F     = ∫ [ f(c) + (κ/2)|∇c|² + kcΦ/2 ] dV                          (as reported)

f, κ and M as in problem 1, k = 0.09, ε = 90, on the square 0 … 100 without flux of c; Φ = 0 on x = 0,
Φ = sin(y/7) on x = 100, no normal field on y = 0 and 100.

The reported F is not what the flow lowers: the chemical potential contains all of the potential of the wall data, the
reported energy half of it.  The functional that falls is ``energy`` of the model (see `CosineElectrostatics`).

Accuracy: n·∇Φ does not vanish on the electrodes, so n·∇(∇²c) does not either, and the cosine coefficients of c fall
as the fourth power of the wave number (the weak form is exact, its convergence algebraic).  The wall data do not meet
n·∇Φ = 0 at their corners: a weak singularity of Φ, which the closed form carries in its cosine sum along y.

Source: the problem page of PFHub, doi:10.5334/jors.276, which names the article "Phase field benchmark problems
targeting fluid flow and electrochemistry" (Comput. Mater. Sci.).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from dynaphase.pfhub.case import Case, Cuts
from dynaphase.pfhub.electrostatics import CosineElectrostatics, cosines
from dynaphase.pfhub.spinodal import cahn_hilliard, concentration, square
from dynaphase.phasefield.grid import Boundary
from dynaphase.phasefield.models.gradient_flow import GradientFlow
from dynaphase.phasefield.operators import FloatArray
from dynaphase.phasefield.spectral_basis import Coefficients
from dynaphase.phasefield.terms import ExtendedModel, add_terms

__all__ = ["charged", "charged_cases", "cut_planes", "sine_data"]

_EDGE: Final = 100.0
_COUPLING, _PERMITTIVITY, _PERIOD = 0.09, 90.0, 7.0
_MIDDLE: Final = 50.0


def sine_data(m: FloatArray) -> FloatArray:
    """∫ sin(ay) cos(my) dy over the wall, a = 1/7: (a − a cos(aL) cos(mL) − m sin(aL) sin(mL)) / (a² − m²)."""
    a, length = 1 / _PERIOD, _EDGE
    return np.asarray(
        (a - a * np.cos(a * length) * np.cos(m * length) - m * np.sin(a * length) * np.sin(m * length)) / (a**2 - m**2)
    )


def charged(n: int) -> tuple[ExtendedModel, GradientFlow, CosineElectrostatics, FloatArray]:
    """The model of problem 6a on n × n cells, its two parts, and the initial state."""
    grid = square(n, Boundary.NO_FLUX, _EDGE)
    flow = cahn_hilliard(grid)
    term = CosineElectrostatics(grid, _COUPLING, _PERMITTIVITY, sine_data)
    return add_terms(flow, term), flow, term, concentration(grid, 0.04, wave_number=0.2)


def charged_cases(n: int) -> list[Case]:
    """The one run of problem 6a; column free_energy, cuts along x = 50 and y = 50."""
    model, flow, term, state = charged(n)

    def measure(state: FloatArray, coefficients: Coefficients) -> tuple[float, float]:
        chemical = flow.energy(state, coefficients)
        return chemical + term.energy_from(coefficients), chemical + term.benchmark_energy(coefficients)

    return [Case(model, state, measure, cuts=lambda final: cut_planes(term, final))]


def cut_planes(term: CosineElectrostatics, state: FloatArray) -> Cuts:
    """Concentration and potential along x = 50 and y = 50, at the cell centres and on the walls.

    Both are values of the cosine expansion on the lines themselves, so no interpolation enters; on the walls 0 and 100
    the concentration is continued evenly and the potential has its prescribed values.
    """
    n, spacing = term.grid.shape[0], term.grid.spacing_nm
    points = np.concatenate([[0.0], np.arange(0.5, n) * spacing, [_EDGE]])
    middle = np.array([_MIDDLE])
    c = term.basis.forward(state)
    along, across = cosines(points, n, _EDGE), cosines(middle, n, _EDGE)
    on_y = term.potential(c, points, middle)[:, 0]
    on_y[-1] = np.sin(_MIDDLE / _PERIOD)  # the sum over m meets the wall data only to 1/n
    return {
        "x=50": {
            "y": points,
            "concentration": (across @ c @ along.T)[0],
            "potential": term.potential(c, middle, points)[0],
        },
        "y=50": {"x": points, "concentration": (along @ c @ across.T)[:, 0], "potential": on_y},
    }
