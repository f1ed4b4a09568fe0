"""The PFHub problems: start values, energies paired with derivatives, conservation, orders, published curves."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from dynaphase.errors import ConfigError
from dynaphase.pfhub import PROBLEMS, PFHubResult, run_problem
from dynaphase.pfhub.manufactured import PARTS, ManufacturedModel, ManufacturedProblem, measure_error
from dynaphase.pfhub.ostwald import OrientedParticles, ostwald
from dynaphase.pfhub.refinement import fitted_order
from dynaphase.pfhub.spinodal import spinodal
from dynaphase.phasefield.grid import Boundary
from dynaphase.phasefield.operators import FloatArray

SIGMA = np.sqrt(2 * 2 * 5) * 0.4**3 / 6


def published(problem: str, name: str) -> tuple[FloatArray, FloatArray]:
    """A published curve, or skip."""
    default = Path(__file__).parent.parent.parent / "shared" / "pfhub" / "reference"
    folder = Path(os.environ.get("DYNAPHASE_PFHUB_REFERENCE", default))
    path = folder / f"bm{problem}" / f"{name}__free_energy.csv"
    if not path.is_file():
        pytest.skip(f"published curve {path} is absent: set DYNAPHASE_PFHUB_REFERENCE to the folder that holds it")
    table = np.loadtxt(path, delimiter=",", skiprows=1)
    return table[:, 0], table[:, 1]


def deviation(result: PFHubResult, curve: tuple[FloatArray, FloatArray], low: float, high: float) -> FloatArray:
    time, energy = curve
    inside = (time >= low) & (time <= high)
    assert inside.sum() >= 4
    return result.at(time[inside]) / energy[inside] - 1


# --- the state at t = 0 -----------------------------------------------------------------------------------------


def test_start_of_spinodal_without_flux() -> None:
    model, c = spinodal(200, Boundary.NO_FLUX)
    assert model.energy(c) == pytest.approx(319.0433, abs=2e-3)
    bulk = float(np.sum(model.bulk.density(c[None]))) * model.grid.spacing_nm**2
    assert bulk == pytest.approx(318.9726, abs=1e-3)
    assert c.mean() == pytest.approx(0.502523, abs=2e-6)


def test_start_of_spinodal_in_the_periodic_square_depends_on_the_grid() -> None:
    energies = [model.energy(c) for model, c in (spinodal(n, Boundary.PERIODIC) for n in (64, 128, 256))]
    assert 319.05 < energies[0] < energies[1] < energies[2] < 319.26


def test_start_of_ostwald_without_flux() -> None:
    model, state = ostwald(200, Boundary.NO_FLUX)
    assert model.energy(state) == pytest.approx(9023.6, abs=0.3)
    bulk = float(np.sum(model.bulk.density(state))) * model.grid.spacing_nm**2
    assert bulk == pytest.approx(8911.6, abs=0.3)
    assert state[0].mean() == pytest.approx(0.512614, abs=5e-6)
    np.testing.assert_allclose(state[1:].max(axis=(1, 2)), [0.942, 1.194, 0.912, 1.056], atol=3e-3)


# --- energy and derivative --------------------------------------------------------------------------------------


@pytest.mark.parametrize("setup", [spinodal, ostwald])
@pytest.mark.parametrize("boundary", [Boundary.PERIODIC, Boundary.NO_FLUX])
def test_energy_is_paired_with_its_derivative(setup, boundary) -> None:  # type: ignore[no-untyped-def]
    model, state = setup(32, boundary)
    random = np.random.default_rng(1)
    state = random.uniform(0, 1, state.shape)
    direction = random.standard_normal(state.shape)
    eps = 1e-5
    slope = (model.energy(state + eps * direction) - model.energy(state - eps * direction)) / (2 * eps)
    expected = np.sum(model.variational_derivative(state) * direction) * model.grid.spacing_nm**2
    assert slope == pytest.approx(expected, rel=1e-7)


def test_every_pair_of_orientations_counts_twice() -> None:
    fields = np.array([0.3, 0.5, 0.5, 0.0, 0.0]).reshape(5, 1, 1)
    alone = np.array([0.3, 0.5, 0.0, 0.0, 0.0]).reshape(5, 1, 1)
    bulk = OrientedParticles()
    empty = bulk.density(np.array([0.3, 0, 0, 0, 0]).reshape(5, 1, 1))
    pair = bulk.density(fields) - 2 * bulk.density(alone) + empty
    assert float(pair[0, 0]) == pytest.approx(2 * 5 * 0.25 * 0.25)


def test_every_eta_carries_gradient_energy() -> None:
    model, _ = ostwald(64, Boundary.NO_FLUX)
    x = (np.arange(64) + 0.5)[:, None] + np.zeros((1, 64))
    for i in range(1, 5):
        state = np.zeros((5, 64, 64))
        state[i] = 0.2 * np.cos(np.pi * x / 64)
        bulk = float(np.sum(model.bulk.density(state))) * model.grid.spacing_nm**2
        assert model.energy(state) - bulk == pytest.approx(0.5 * 3 * 0.04 * np.pi**2 / 2)


@pytest.mark.parametrize("setup", [spinodal, ostwald])
def test_curvature_bounds_the_second_derivatives(setup) -> None:  # type: ignore[no-untyped-def]
    model, _ = setup(32, Boundary.NO_FLUX)
    point = np.random.default_rng(2).uniform(-0.1, 1.1, (len(model.fields), 1, 200))
    n = len(point)
    hessian = np.empty((n, n, 200))
    for j in range(n):
        step = np.zeros_like(point)
        step[j] = 1e-6
        hessian[:, j] = ((model.bulk.derivative(point + step) - model.bulk.derivative(point - step)) / 2e-6)[:, 0]
    largest = max(np.abs(np.linalg.eigvalsh(hessian[..., k])).max() for k in range(200))
    assert largest <= model.bulk.curvature(point) * (1 + 1e-6)


# --- runs -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("problem", "t_end"), [("1a", 40.0), ("1b", 40.0), ("2a", 1.0), ("2b", 1.0)])
def test_runs_keep_mass_and_lose_energy(problem: str, t_end: float) -> None:
    seen: list[float] = []
    result = run_problem(problem, n=64, t_end=t_end, on_progress=seen.append)
    assert abs(result.checks["mass_drift"]) < 1e-12
    assert result.checks["energy_rise"] < 1e-9
    energy = result.columns["free_energy"]
    assert energy[-1] < 0.65 * energy[0]
    assert result.columns["time"][-1] == t_end
    assert seen == sorted(seen)
    assert seen[-1] == pytest.approx(1.0)
    assert result.rows()[0] == {"time": 0.0, "free_energy": energy[0]}


def test_spinodal_against_published_curves_and_a_finer_run() -> None:
    result = run_problem("1a", n=128)
    finer = run_problem("1a", n=128, tolerance=3e-5)
    times = np.geomspace(1, 1000, 200)
    assert np.abs(result.at(times) / finer.at(times) - 1).max() < 0.005
    for name in ("meumapps_bm1a", "memphis_1a"):
        curve = published("1a", name)
        assert np.abs(deviation(finer, curve, 20, 500)).max() < 0.0205
        assert np.abs(deviation(finer, curve, 500, 1000)).max() < 0.04


@pytest.mark.long
def test_spinodal_on_the_default_mesh_agrees_with_the_fine_reference() -> None:
    result, finer = run_problem("1a"), run_problem("1a", tolerance=5e-6)
    times = np.geomspace(1, 1000, 400)
    assert np.abs(result.at(times) / finer.at(times) - 1).max() < 0.005


@pytest.mark.long
def test_spinodal_without_flux_ends_with_one_flat_interface() -> None:
    result = run_problem("1b", n=128, t_end=3e5)
    assert result.columns["free_energy"][-1] == pytest.approx(200 * SIGMA, rel=2e-3)
    assert 9.53 < result.columns["free_energy"][-1] < 9.61
    assert result.checks["energy_rise"] < 1e-9
    assert abs(result.checks["mass_drift"]) < 1e-12


@pytest.mark.long
def test_ostwald_against_published_curves() -> None:
    result = run_problem("2a")
    for name in ("moose_2a_ia", "moose_2a_sta"):
        curve = published("2a", name)
        assert np.abs(deviation(result, curve, 0.3, 12)).max() < 0.04
        assert np.median(np.abs(deviation(result, curve, 0.3, 60))) < 0.04
    assert np.median(np.abs(deviation(result, published("2a", "fenics_2a_ivan"), 0.3, 5))) < 0.04


# --- the manufactured problem -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "problem", [*PARTS.values(), ManufacturedProblem(0.001, 0.01, 4 * np.pi, 0.02, 6 * np.pi, 0.3)]
)
def test_right_hand_side_is_the_time_derivative_of_the_solution(problem: ManufacturedProblem) -> None:
    n = 512 if problem.kappa > 1e-4 else 4096
    time, eps = 3.0, 1e-4
    model = ManufacturedModel(problem, n)
    rate = np.empty((n, n // 2))
    model.rhs_at(time, model.solution(time), rate)
    exact = (model.solution(time + eps) - model.solution(time - eps)) / (2 * eps)
    assert np.abs(rate - exact).max() < 0.02 * np.abs(exact).max()


def test_manufactured_solution_converges_with_order_four_in_space() -> None:
    errors = [measure_error(PARTS["7a"], n, dt=0.05).l2_error for n in (128, 192, 256)]
    assert errors[-1] < 1e-4
    assert fitted_order([1 / 128, 1 / 192, 1 / 256], errors) == pytest.approx(4.0, abs=0.15)


def test_order_in_space_holds_at_the_walls() -> None:
    """A front so wide that its slope reaches both walls."""
    wide = ManufacturedProblem(kappa=0.02, a1=0.005, b1=2 * np.pi, a2=0.02, b2=2 * np.pi, c2=0.5)
    errors = [measure_error(wide, n, dt=0.02, t_end=1.0).l2_error for n in (16, 32, 64)]
    assert np.log2(errors[1] / errors[2]) > 3.7


def test_manufactured_solution_converges_with_order_two_in_time() -> None:
    problem = ManufacturedProblem(a2=0.01, b2=4 * np.pi, c2=1.0)
    model = ManufacturedModel(problem, 256)
    assert model.solution(0.0).shape == (256, 128)
    errors = [measure_error(problem, 256, dt=dt).l2_error for dt in (0.4, 0.2, 0.1)]
    assert fitted_order([0.4, 0.2, 0.1], errors) == pytest.approx(2.0, abs=0.15)


def test_manufactured_problem_reports_one_row_for_one_mesh() -> None:
    result = run_problem("7a", n=64, t_end=1.0)
    assert list(result.columns) == ["n", "dt", "l2_error", "cpu_seconds"]
    assert result.rows()[0]["n"] == 64
    assert len(result.rows()) == 1
    adaptive = run_problem("7a", n=64, t_end=1.0, tolerance=1e-5)
    assert adaptive.columns["l2_error"][0] == pytest.approx(result.columns["l2_error"][0], rel=0.05)


@pytest.mark.long
def test_the_whole_study_measures_both_orders() -> None:
    result = run_problem("7a")
    assert result.checks["order_in_space"] == pytest.approx(4.0, abs=0.2)
    assert result.checks["order_in_time"] == pytest.approx(2.0, abs=0.2)


@pytest.mark.long
@pytest.mark.parametrize("problem", ["7b", "7c"])
def test_sharp_fronts_reach_three_levels(problem: str) -> None:
    errors = run_problem(problem).columns["l2_error"]
    assert np.all((errors > 1e-5) & (errors < 5e-3))
    assert np.all(np.diff(errors) < 0)


# --- refusals ---------------------------------------------------------------------------------------------------


def test_what_cannot_be_run_is_said() -> None:
    with pytest.raises(ConfigError, match="PFHub problem '9z' is not available; there is: 1a"):
        run_problem("9z")
    assert PROBLEMS == ("1a", "1b", "2a", "2b", "7a", "7b", "7c")
    with pytest.raises(ConfigError, match="at least 32"):
        run_problem("1a", n=16)
    with pytest.raises(ConfigError, match="t_end must be positive"):
        run_problem("2a", t_end=0.0)
    with pytest.raises(ConfigError, match="tolerance must be positive"):
        run_problem("1b", tolerance=-1.0)
    with pytest.raises(ConfigError, match="even number of cells"):
        run_problem("7a", n=65)
    with pytest.raises(ConfigError, match="either a constant step dt or a tolerance"):
        measure_error(PARTS["7a"], 64)
