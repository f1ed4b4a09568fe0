"""Charges in their own field: the energy and its derivative, the spectral twin of PFHub 6a, a run that loses energy."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from dynaphase.errors import ConfigError
from dynaphase.pfhub.charged import charged_cases
from dynaphase.phasefield.charges import Electrostatics
from dynaphase.phasefield.free_energy import Polynomial
from dynaphase.phasefield.grid import Boundary, Grid, Walls
from dynaphase.phasefield.models.cahn_hilliard import CahnHilliard, CahnHilliardParameters
from dynaphase.phasefield.simulate import simulate
from dynaphase.phasefield.steppers import RungeKuttaChebyshev
from dynaphase.phasefield.terms import add_terms
from dynaphase.testing import check_energy_term, check_model

NO_FLUX = Boundary.NO_FLUX


@pytest.mark.parametrize("shape", [(10, 12), (6, 7, 8)])
def test_keeps_its_contract_where_the_permittivity_jumps(shape: tuple[int, ...]) -> None:
    grid = Grid(shape, 0.8, (NO_FLUX,) * len(shape))
    random = np.random.default_rng(0)
    permittivity = np.where(random.uniform(size=shape) < 0.3, 500.0, 90.0)
    walls = (Walls(0.0, random.uniform(-1, 1, shape[1:])), *(NO_FLUX,) * (len(shape) - 1))
    term = Electrostatics(grid, 0.7, permittivity, walls)
    state = random.uniform(0.2, 0.8, shape)
    check_energy_term(term, grid, state, rtol=2e-5)  # the solve is exact to 1e-10, over steps of 1e-5
    well = CahnHilliard(grid, CahnHilliardParameters(Polynomial.double_well(5.0, 0.3, 0.7), 2.0, 5.0))
    check_model(add_terms(well, term), state, conserved=("c",), rtol=2e-5)


def test_rate_and_energy_converge_to_the_closed_form() -> None:
    """Problem 6a of PFHub, whose spectral form uses no mesh for the potential: second order."""
    distances = []
    for n in (32, 64, 128):
        case = charged_cases(n)[0]
        grid = case.model.grid
        y = (np.arange(n) + 0.5) * grid.spacing_nm
        term = Electrostatics(grid, 0.09, 90.0, (Walls(0.0, np.sin(y / 7)), NO_FLUX))
        driving = np.zeros(grid.shape)
        term.add_derivative(case.state, driving)
        well = CahnHilliard(grid, CahnHilliardParameters(Polynomial.double_well(5.0, 0.3, 0.7), 2.0, 5.0))
        energies = add_terms(well, term).energy(case.state), case.model.energy(case.state)
        exact = case.model.variational_derivative(case.state)
        ours = well.variational_derivative(case.state) + driving
        inner = (slice(n // 8, -n // 8),) * 2  # c of the start is no sum of cosines: away from the walls
        distances.append((abs(energies[0] - energies[1]), float(np.sqrt(np.mean((ours - exact)[inner] ** 2)))))
    for coarse, fine in pairwise(distances):
        assert coarse[0] / fine[0] > 3.5
        assert coarse[1] / fine[1] > 3.0


def test_a_run_keeps_charge_and_loses_energy() -> None:
    grid = Grid((24, 20), 2.0, (NO_FLUX, NO_FLUX))
    term = Electrostatics(grid, 0.3, 90.0, (Walls(0.0, 1.0), NO_FLUX))
    well = CahnHilliard(grid, CahnHilliardParameters(Polynomial.double_well(5.0, 0.3, 0.7), 2.0, 5.0))
    start = 0.5 + 0.05 * np.random.default_rng(1).standard_normal(grid.shape)
    run = simulate(add_terms(well, term), start, RungeKuttaChebyshev(1e-4, 1e-6), 10.0, n_observations=10)
    energy = run.require_done().observations["energy"]
    assert np.all(np.diff(energy) < 0)
    assert abs(run.state.mean() - start.mean()) < 1e-13
    drift = run.state.mean(axis=1)
    assert drift[0] > drift[-1]  # positive charge leaves the positive wall


def test_a_potential_needs_a_value() -> None:
    with pytest.raises(ConfigError, match="give one wall a value"):
        Electrostatics(Grid((8, 8), 1.0, (NO_FLUX, NO_FLUX)), 1.0, 1.0, (NO_FLUX, Boundary.PERIODIC))
