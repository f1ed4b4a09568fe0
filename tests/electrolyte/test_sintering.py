"""Sintering: coefficients from interface energies, contract, conservation, descent, profiles, dihedral angle."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dynaphase.electrolyte.sintering import SinteringParameters, WangEnergy, make_sintering_model
from dynaphase.errors import ConfigError
from dynaphase.phasefield.free_energy import BulkEnergy
from dynaphase.phasefield.grid import Boundary, Grid
from dynaphase.phasefield.operators import FloatArray
from dynaphase.phasefield.simulate import simulate
from dynaphase.phasefield.steppers import RungeKuttaChebyshev
from dynaphase.testing import check_model

PERIODIC, NO_FLUX = Boundary.PERIODIC, Boundary.NO_FLUX
LAMBDA = 1.3
STEPPER = RungeKuttaChebyshev(rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(("boundary", "surface", "width"), [(0.8, 1.0, 1.3), (1.2, 1.0, 1.0), (0.3, 0.9, 2.0)])
def test_coefficients_give_the_energies_back(boundary: float, surface: float, width: float) -> None:
    parameters = SinteringParameters.from_energies(boundary, surface, width)
    assert parameters.boundary_energy == pytest.approx(boundary, rel=1e-12)
    assert parameters.surface_energy == pytest.approx(surface, rel=1e-12)
    assert parameters.width_nm == pytest.approx(width, rel=1e-12)
    a, b = parameters.solid_barrier, parameters.grain_barrier
    assert 6 * b / parameters.kappa_grain == pytest.approx((a + b) / parameters.kappa_density, rel=1e-12)
    assert 2 * math.cos(math.radians(parameters.dihedral_angle_deg / 2)) == pytest.approx(boundary / surface)


def test_energies_that_no_coefficients_can_give_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"γ_s > 7/12 γ_gb = 0\.7"):
        SinteringParameters.from_energies(1.2, 0.7, 1.0)
    with pytest.raises(ConfigError, match="positive"):
        SinteringParameters.from_energies(1.2, 1.0, -1.0)
    with pytest.raises(ConfigError, match="positive"):
        SinteringParameters(1.0, 0.0, 1.0, 1.0)
    with pytest.raises(ConfigError, match="never in"):
        WangEnergy(SinteringParameters(1.0, 1.0, 1.0, 1.0), pinning=-0.1)


def test_a_model_needs_cells_below_the_width_and_a_field_of_the_grid() -> None:
    parameters, grid = SinteringParameters.from_energies(0.8, 1.0, 1.0), Grid((8, 8), 1.2, (PERIODIC,) * 2)
    with pytest.raises(ConfigError, match=r"1\.25 cells"):
        make_sintering_model(grid, parameters, 2, surface_mobility=1.0)
    fine = Grid((8, 8), 0.8, (PERIODIC,) * 2)
    with pytest.raises(ConfigError, match="shape"):
        make_sintering_model(fine, parameters, 2, surface_mobility=1.0, pinning=np.zeros((8, 9)))
    with pytest.raises(ConfigError, match="0 grains"):
        make_sintering_model(fine, parameters, 0, surface_mobility=1.0)


@pytest.mark.parametrize("shape", [(9, 8), (6, 7, 5)])
@pytest.mark.parametrize("seed", [0, 1])
def test_keeps_its_contract(shape: tuple[int, ...], seed: int) -> None:
    random = np.random.default_rng(seed)
    grid = Grid(shape, 1.0, (PERIODIC, NO_FLUX, PERIODIC)[: len(shape)])
    parameters = SinteringParameters.from_energies(0.8, 1.0, LAMBDA)
    model = make_sintering_model(grid, parameters, 3, surface_mobility=0.3, pinning=random.uniform(0, 2, shape))
    bulk: BulkEnergy = model.bulk
    state = random.uniform(-0.1, 1.1, (4, *shape))
    check_model(model, state, conserved=("density",))
    assert bulk.density(state).shape == shape


def test_bulk_phases_are_the_minima() -> None:
    energy = WangEnergy(SinteringParameters.from_energies(0.8, 1.0, LAMBDA))
    for phase in ([1.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 0.0, 0.0]):
        fields = np.array(phase).reshape(3, 1)
        assert energy.density(fields)[0] == pytest.approx(0.0, abs=1e-12)
        np.testing.assert_allclose(energy.derivative(fields), 0.0, atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_the_curvature_bounds_the_second_derivative(seed: int) -> None:
    random = np.random.default_rng(seed)
    n_fields, n_cells, step = 4, 60, 1e-5
    parameters = SinteringParameters.from_energies(0.8, 1.0, LAMBDA)
    energy = WangEnergy(parameters, random.uniform(0, 2, n_cells))
    fields = random.uniform(-0.1, 1.1, (n_fields, n_cells))
    hessian = np.empty((n_cells, n_fields, n_fields))
    for j in range(n_fields):
        offset = np.zeros((n_fields, 1))
        offset[j] = step
        hessian[:, :, j] = ((energy.derivative(fields + offset) - energy.derivative(fields - offset)) / (2 * step)).T
    for cell in range(n_cells):
        alone = WangEnergy(parameters, energy.pinning[cell : cell + 1])  # type: ignore[index]
        bound = alone.curvature(fields[:, cell : cell + 1])
        found = float(np.max(np.abs(np.linalg.eigvalsh(hessian[cell]))))
        assert found <= bound * (1 + 1e-6)
        assert bound < 4 * found


# --- A1, A2: amount and energy ------------------------------------------------------------------------------------


def test_density_is_kept_and_the_energy_falls() -> None:
    grid = Grid((36, 30), 1.0, (PERIODIC,) * 2)
    x, y = (np.stack(np.meshgrid(*[np.arange(n) for n in grid.shape], indexing="ij")) + 0.5)[:, :, :]
    pore = 0.5 * (1 + np.tanh((np.hypot(x - 18, y - 15) - 4.0) / (2 * LAMBDA)))
    left = 0.5 * (np.tanh((x - 9) / (2 * LAMBDA)) - np.tanh((x - 27) / (2 * LAMBDA)))
    state = np.stack([pore, pore * left, pore * (1 - left)])
    parameters = SinteringParameters.from_energies(0.8, 1.0, LAMBDA)
    model = make_sintering_model(grid, parameters, 2, surface_mobility=1.0)
    run = simulate(model, state, STEPPER, 60.0, n_observations=40).require_done()
    mean, energy = run.observations["mean_density"], run.observations["energy"]
    assert np.max(np.abs(mean - mean[0])) < 1e-10
    assert np.all(np.diff(energy) <= 1e-8 * energy[0])
    assert energy[-1] < 0.99 * energy[0]


# --- A3: profiles -------------------------------------------------------------------------------------------------


def relaxed_profile(kind: str, boundary: float, surface: float, spacing: float) -> tuple[float, float, FloatArray]:
    """Energy per area and λ of one flat interface, started 25 % too wide; and the relaxed fields."""
    grid = Grid((4, round(26 / spacing)), spacing, (PERIODIC, NO_FLUX))
    z = (np.arange(grid.shape[1]) + 0.5) * spacing - 13.0
    up = np.broadcast_to(0.5 * (1 + np.tanh(z / (2.5 * LAMBDA))), grid.shape)
    fields = [np.ones(grid.shape), up, 1 - up] if kind == "boundary" else [up, up]
    parameters = SinteringParameters.from_energies(boundary, surface, LAMBDA)
    model = make_sintering_model(grid, parameters, len(fields) - 1, surface_mobility=1.0)
    run = simulate(model, np.stack(fields), STEPPER, 300.0, n_observations=1).require_done()
    row = run.state[1, 0]
    at = int(np.argmin(np.abs(row - 0.5)))
    places = z[at - 2 : at + 3]  # ln(η/(1 − η)) = z/λ on the profile
    width = 1 / np.polyfit(places, np.log(row[at - 2 : at + 3] / (1 - row[at - 2 : at + 3])), 1)[0]
    return model.energy(run.state) / (4 * spacing), float(width), run.state


@pytest.mark.parametrize("spacing", [LAMBDA / 1.25, LAMBDA / 1.66])
@pytest.mark.parametrize("energies", [(0.8, 1.0), (1.2, 1.0)])
def test_flat_interfaces_have_their_energy_and_width(energies: tuple[float, float], spacing: float) -> None:
    boundary_energy, boundary_width, _ = relaxed_profile("boundary", *energies, spacing)
    assert boundary_energy == pytest.approx(energies[0], rel=0.02)
    assert boundary_width == pytest.approx(LAMBDA, rel=0.02)
    surface_energy, surface_width, fields = relaxed_profile("surface", *energies, spacing)
    assert surface_energy == pytest.approx(energies[1], rel=0.02)
    assert surface_width == pytest.approx(LAMBDA, rel=0.02)
    np.testing.assert_allclose(fields[0], fields[1], atol=5e-3)


# --- A7: dihedral angle -------------------------------------------------------------------------------------------


def surface_points(density: FloatArray, spacing: float) -> tuple[FloatArray, FloatArray]:
    """Where grid lines along both axes meet ρ = ½; y counts from the middle."""
    x, y = np.meshgrid(*[(np.arange(n) + 0.5) * spacing for n in density.shape], indexing="ij")
    y = y - 0.5 * density.shape[1] * spacing
    found = []
    for axis in (0, 1):
        low, high = np.moveaxis(density, axis, 0)[:-1], np.moveaxis(density, axis, 0)[1:]
        meets = (low - 0.5) * (high - 0.5) < 0
        share = (0.5 - low[meets]) / (high[meets] - low[meets]) * spacing
        points = [np.moveaxis(place, axis, 0)[:-1][meets] for place in (x, y)]
        points[axis] = points[axis] + share
        found.append(np.stack(points))
    both = np.concatenate(found, axis=1)
    return both[0], np.abs(both[1])


def dihedral_angle(density: FloatArray, spacing: float) -> float:
    """ψ (degrees) of the two circular arcs, centred on x = 0, through the surface away from the tip of the pore."""
    x, y = surface_points(density, spacing)
    is_away = y > 2.3 * LAMBDA
    x, y = x[is_away], y[is_away]
    twice_centre, rest = np.linalg.lstsq(np.stack([2 * y, np.ones_like(y)], axis=1), x**2 + y**2)[0]
    return 2 * math.degrees(math.acos(-twice_centre / math.sqrt(rest + twice_centre**2)))


@pytest.mark.parametrize("ratio", [0.8, 1.2])
def test_a_pore_on_a_boundary_takes_its_dihedral_angle(ratio: float) -> None:
    grid = Grid((32, 44), 1.0, (NO_FLUX, NO_FLUX))
    x, y = np.meshgrid(*[np.arange(n) + 0.5 for n in grid.shape], indexing="ij")
    pore = 0.5 * (1 + np.tanh((np.hypot(x, y - 22) - 10) / (2 * LAMBDA)))
    up = 0.5 * (1 + np.tanh((y - 22) / (2 * LAMBDA)))
    parameters = SinteringParameters.from_energies(ratio, 1.0, LAMBDA)
    model = make_sintering_model(grid, parameters, 2, surface_mobility=1.0)
    start = np.stack([pore, pore * up, pore * (1 - up)])
    assert dihedral_angle(pore, 1.0) == pytest.approx(180.0, abs=2.0)
    integration = STEPPER.start(model, start)
    integration.advance(1600.0)
    halfway = dihedral_angle(integration.state[0], 1.0)
    integration.advance(2200.0)
    final = dihedral_angle(integration.state[0], 1.0)
    assert abs(final - halfway) < 1.0  # the angle has stopped moving
    assert final == pytest.approx(parameters.dihedral_angle_deg, abs=5.0)
