"""The PFHub problems: start values, energies paired with derivatives, conservation, orders, published curves."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from dynaphase.errors import CampaignError, ConfigError, Interrupted
from dynaphase.pfhub import PROBLEMS, ForeignCheckpointError, PFHubResult, evolution, refinement, run_problem
from dynaphase.pfhub.charged import charged, cut_planes, sine_data
from dynaphase.pfhub.electrostatics import CosineElectrostatics
from dynaphase.pfhub.manufactured import PARTS, ManufacturedModel, ManufacturedProblem, measure_error
from dynaphase.pfhub.nucleation import CRITICAL_RADIUS, NucleationEnergy, nucleus
from dynaphase.pfhub.ostwald import OrientedParticles, ostwald
from dynaphase.pfhub.refinement import fitted_order
from dynaphase.pfhub.spinodal import spinodal
from dynaphase.pfhub.tee import TeeModel
from dynaphase.phasefield.free_energy import Polynomial
from dynaphase.phasefield.grid import Boundary, Grid
from dynaphase.phasefield.models.cahn_hilliard import CahnHilliard, CahnHilliardParameters
from dynaphase.phasefield.operators import FloatArray, laplacian
from dynaphase.phasefield.steppers import RungeKuttaChebyshev
from dynaphase.store import load_checkpoint, save_checkpoint
from dynaphase.testing import check_energy_term, check_model

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


def test_start_of_spinodal_in_the_tee() -> None:
    model = TeeModel(200)
    assert model.energy(model.start()) == pytest.approx(31.8836, abs=3e-4)
    assert model.start()[model.inside].mean() == pytest.approx(0.501987, abs=1e-6)


# --- energy and derivative --------------------------------------------------------------------------------------


@pytest.mark.parametrize("setup", [spinodal, ostwald, lambda n, _: nucleus(n, 5.0)])
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


def test_the_tee_keeps_its_contract() -> None:
    model = TeeModel(50)
    random = np.random.default_rng(3).uniform(0.2, 0.8, model.grid.shape)
    state = np.where(model.inside, random, 0.5)
    check_model(model, state, conserved=("c",))
    rate = np.empty_like(state)
    model.rhs(state, rate)
    assert np.all(rate[~model.inside] == 0.0)
    state[~model.inside] = 0.9  # what lies outside is not seen
    other = np.empty_like(state)
    model.rhs(state, other)
    assert np.array_equal(rate, other)


def test_an_arm_of_the_tee_is_a_strip_without_flux() -> None:
    """Far from the stem the rate is that of the Cahn–Hilliard model on a strip."""
    model = TeeModel(50)
    strip = CahnHilliard(
        Grid((20, 10), 2.0, (Boundary.NO_FLUX, Boundary.NO_FLUX)),
        CahnHilliardParameters(Polynomial.double_well(5.0, 0.3, 0.7), 2.0, 5.0),
    )
    arm = np.random.default_rng(4).uniform(0.2, 0.8, (20, 10))
    state = np.full(model.grid.shape, 0.5)
    state[:20, 50:] = arm
    rates = np.empty_like(state), np.empty_like(arm)
    model.rhs(state, rates[0])
    strip.rhs(arm, rates[1])
    np.testing.assert_allclose(rates[0][:18, 50:], rates[1][:18], atol=1e-12)


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


def nucleation(n: int, boundary: Boundary):  # type: ignore[no-untyped-def]
    assert isinstance(nucleus(n, 5.0)[0].bulk, NucleationEnergy)
    return nucleus(n, 5.0)


@pytest.mark.parametrize("setup", [spinodal, ostwald, nucleation])
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


@pytest.mark.parametrize(("problem", "t_end"), [("1a", 40.0), ("1b", 40.0), ("1c", 40.0), ("2a", 1.0), ("2b", 1.0)])
def test_runs_keep_mass_and_lose_energy(problem: str, t_end: float) -> None:
    seen: list[float] = []
    n = 60 if problem == "1c" else 64
    result = run_problem(problem, n=n, t_end=t_end, on_progress=seen.append)
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


# --- charges and their potential --------------------------------------------------------------------------------

UNIT = np.random.default_rng(5)


def electrodes(n: int) -> CosineElectrostatics:
    return charged(n)[2]


class PoissonByDifferences:
    """∇²Φ = −10⁻³ c by five-point differences and a sparse direct solve, walls on the cell faces."""

    def __init__(self, grid: Grid) -> None:
        from scipy.sparse import diags_array, eye_array, kron
        from scipy.sparse.linalg import splu

        self.n, h = grid.shape[0], grid.spacing_nm
        ones, axes = np.ones(self.n), []
        for at_ends in (-3.0, -1.0):  # along x: ghost = 2V − cell; along y: ghost = cell
            diagonal = -2 * ones
            diagonal[[0, -1]] = at_ends
            axes.append(diags_array([ones[1:], diagonal, ones[1:]], offsets=[-1, 0, 1]))
        identity = eye_array(self.n)
        self.factor = splu(((kron(axes[0], identity) + kron(identity, axes[1])) / h**2).tocsc())
        self.wall = 2 * np.sin(np.arange(0.5, self.n) * h / 7) / h**2

    def __call__(self, c: FloatArray) -> FloatArray:
        rhs = -1e-3 * c
        rhs[-1] -= self.wall
        return np.asarray(self.factor.solve(rhs.ravel()).reshape(self.n, self.n))


class DifferencesModel:
    """Problem 6a in second-order differences, independent of every basis."""

    def __init__(self, n: int) -> None:
        self.grid = Grid((n, n), 100 / n, (Boundary.NO_FLUX, Boundary.NO_FLUX))
        self.potential = PoissonByDifferences(self.grid)

    def rhs(self, state: FloatArray, out: FloatArray) -> None:
        c = state
        slope = 10 * (c - 0.3) * (0.7 - c) * (1 - 2 * c)
        mu = slope - 2 * laplacian(c, self.grid) + 0.09 * self.potential(c)
        out[:] = 5 * laplacian(mu, self.grid)

    def spectral_radius(self, state: FloatArray) -> float:
        widest = 8 / self.grid.spacing_nm**2
        return 5 * widest * (2 * widest + 3.0)


def test_start_of_the_charged_problem() -> None:
    model, flow, term, c = charged(200)
    coefficients = flow.basis.forward(c)
    chemical = flow.energy(c)
    assert chemical == pytest.approx(76.2595, abs=2e-3)
    assert chemical + term.benchmark_energy(coefficients) == pytest.approx(183.06, abs=5e-3)
    assert c.mean() == pytest.approx(0.509686, abs=1e-6)
    # the functional that falls counts the potential of the walls whole
    assert model.energy(c) == pytest.approx(chemical + term.energy(c), rel=1e-12)
    assert model.energy(c) - chemical - term.benchmark_energy(coefficients) == pytest.approx(9.59, abs=0.02)


def test_potential_of_a_uniform_charge_is_the_parabola() -> None:
    term = electrodes(48)
    x, y = np.linspace(0, 100, 7), np.linspace(0, 100, 5)
    zero = np.zeros((1, 48, 48))
    of_charge = term.potential(zero + 0.0, x, y)
    charge = term.basis.forward(np.full((48, 48), 0.5))
    np.testing.assert_allclose(
        term.potential(charge, x, y) - of_charge, (0.5e-3 * 0.5 * x * (100 - x))[:, None] + 0 * y, atol=1e-12
    )


def test_potential_of_one_wave_solves_poisson_and_meets_the_walls() -> None:
    """c = cos(jπx/L) cos(mπy/L): −Φ'' + m²Φ = 10⁻³ cos(jx), checked against the solution by hand."""
    term, n = electrodes(48), 48
    centres = np.arange(0.5, n) * 100 / n
    x, y = np.linspace(0, 100, 11), np.array([0.0, 37.0])
    walls = term.potential(np.zeros((n, n)), x, y)
    for j, m in ((3, 2), (4, 1), (2, 0), (5, 0), (0, 3)):
        q, p = np.pi * j / 100, np.pi * m / 100
        c = term.basis.forward(np.outer(np.cos(q * centres), np.cos(p * centres)))
        left, right = -1e-3 / (q**2 + p**2), -1e-3 * (-1) ** j / (q**2 + p**2)
        if m:
            homogeneous = (left * np.sinh(p * (100 - x)) + right * np.sinh(p * x)) / np.sinh(p * 100)
        else:
            homogeneous = left + (right - left) * x / 100
        expected = np.outer(1e-3 * np.cos(q * x) / (q**2 + p**2) + homogeneous, np.cos(p * y))
        np.testing.assert_allclose(term.potential(c, x, y) - walls, expected, atol=1e-10)


def test_potential_of_the_walls_is_harmonic_and_has_their_values() -> None:
    term, n = electrodes(400), 400
    y = np.linspace(5, 95, 10)
    zero = np.zeros((n, n))
    np.testing.assert_allclose(term.potential(zero, np.array([0.0, 100.0]), y), [0 * y, np.sin(y / 7)], atol=2e-3)
    h, middle = 0.5, np.array([60.0])
    cross = sum(term.potential(zero, middle + a, y + b) for a, b in ((h, 0), (-h, 0), (0, h), (0, -h)))
    assert np.abs(cross - 4 * term.potential(zero, middle, y)).max() / h**2 < 1e-6
    m = np.array([0.0, 0.1, 0.3])
    fine = (np.arange(0.5, 20000)) / 200
    by_sum = [np.sum(np.sin(fine / 7) * np.cos(k * fine)) / 200 for k in m]
    np.testing.assert_allclose(sine_data(m), by_sum, atol=1e-6)


def test_coefficients_of_the_potential_are_its_projection() -> None:
    """Against the transform of the pointwise formula on cells 25 times finer."""
    n, finer = 32, 800
    term, c = electrodes(n), UNIT.uniform(0.2, 0.8, (n, n))
    coefficients, fine = term.basis.forward(c), np.arange(0.5, finer) * 100 / finer
    pointwise = term.potential(coefficients, fine, fine)
    projected = electrodes(finer).basis.forward(pointwise)[:n, :n] * n / finer
    np.testing.assert_allclose(term.coefficients(coefficients), projected, atol=2e-4 * np.abs(projected).max())


def test_projected_potential_agrees_with_the_pointwise_one_and_with_differences() -> None:
    errors = []
    for n in (50, 100):
        term, c = electrodes(n), charged(n)[3]
        coefficients, centres = term.basis.forward(c), np.arange(0.5, n) * term.grid.spacing_nm
        pointwise = term.potential(coefficients, centres, centres)
        projected = term.basis.backward(term.coefficients(coefficients))
        assert np.abs(projected - pointwise)[n // 5 : -n // 5].max() < 0.02 * (50 / n) ** 2
        errors.append(np.abs(PoissonByDifferences(term.grid)(c) - pointwise)[:, n // 10 : -n // 10].max())
    assert errors[1] < 3e-3
    assert errors[0] / errors[1] > 3.5


def test_electrostatics_keeps_the_contract_of_an_energy_term() -> None:
    model, _, term, _ = charged(32)
    state = UNIT.uniform(0.2, 0.8, (32, 32))
    check_energy_term(term, model.grid, state)
    check_model(model, state, conserved=("c",))


def test_charged_problem_agrees_with_differences_and_their_error_falls_as_the_square() -> None:
    distance = []
    for n in (40, 80):
        model, _, _, state = charged(n)
        reference = RungeKuttaChebyshev(rtol=1e-6, atol=1e-7).start(DifferencesModel(n), state)
        reference.advance(2.0)
        run = evolution.SemiImplicitSpectral(rtol=1e-6, atol=1e-8).start(model, state)
        run.advance(2.0)
        distance.append(np.sqrt(np.mean((run.state - reference.state) ** 2)))
        assert np.abs(run.state - state).max() > 0.05
    assert distance[1] < 5e-4
    assert np.log2(distance[0] / distance[1]) == pytest.approx(2.0, abs=0.15)


def test_charged_run_converges_with_mesh_and_tolerance() -> None:
    coarse, fine = run_problem("6a", n=50, t_end=10.0), run_problem("6a", n=100, t_end=10.0, tolerance=2e-5)
    times = np.linspace(0.1, 10, 50)
    assert np.abs(coarse.at(times) / fine.at(times) - 1).max() < 0.003
    for line, axis in (("x=50", "y"), ("y=50", "x")):
        assert list(coarse.cuts[line]) == [axis, "concentration", "potential"]
        for name, bound in (("concentration", 0.01), ("potential", 0.002)):
            ours, theirs = coarse.cuts[line], fine.cuts[line]
            assert np.abs(np.interp(ours[axis], theirs[axis], theirs[name]) - ours[name]).max() < bound
    assert coarse.cuts["x=50"]["y"][[0, -1]].tolist() == [0.0, 100.0]
    potential = fine.cuts["y=50"]["potential"]
    assert potential[[0, -1]] == pytest.approx([0.0, np.sin(50 / 7)], abs=1e-12)
    assert abs(potential[-1] - potential[-2]) < 0.05
    assert list(coarse.columns) == ["time", "free_energy"]
    assert coarse.checks["energy_rise"] == 0.0
    assert abs(coarse.checks["mass_drift"]) < 1e-12


def test_cuts_lie_on_the_line_whether_cells_do_or_not() -> None:
    for n in (40, 41):
        centres = np.arange(0.5, n) * 100 / n
        term = electrodes(n)
        c = 0.5 + 0.1 * np.outer(np.cos(np.pi * 3 * centres / 100), np.cos(np.pi * 2 * centres / 100))
        cuts = cut_planes(term, c)
        y = cuts["x=50"]["y"]
        np.testing.assert_allclose(cuts["x=50"]["concentration"], 0.5 + 0 * y, atol=1e-12)  # cos(3π/2) = 0
        x = cuts["y=50"]["x"]
        np.testing.assert_allclose(cuts["y=50"]["concentration"], 0.5 - 0.1 * np.cos(np.pi * 3 * x / 100), atol=1e-12)
        assert cuts["x=50"]["concentration"].shape == cuts["x=50"]["potential"].shape == (n + 2,)


@pytest.mark.long
def test_charged_problem_to_the_end_on_two_meshes() -> None:
    result, finer = run_problem("6a"), run_problem("6a", n=256, tolerance=2e-5)
    times = np.geomspace(0.5, 400, 300)
    assert np.abs(result.at(times) / finer.at(times) - 1).max() < 0.001
    for line, axis in (("x=50", "y"), ("y=50", "x")):
        theirs, ours = finer.cuts[line], result.cuts[line]
        for name, bound in (("concentration", 0.01), ("potential", 0.002)):
            assert np.abs(np.interp(ours[axis], theirs[axis], theirs[name]) - ours[name]).max() < bound


# --- nucleation -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("share", "energy", "fraction"),
    [(0.99, 3.643545, 0.00821417), (1.0, 3.643915, 0.00837049), (1.01, 3.643545, 0.00852837)],
)
def test_start_of_nucleation(share: float, energy: float, fraction: float) -> None:
    assert pytest.approx(5.0) == CRITICAL_RADIUS
    model, state = nucleus(200, share * 5)
    assert model.energy(state) == pytest.approx(energy, abs=2e-6)
    assert state.mean() == pytest.approx(fraction, abs=1e-8)
    middle = np.unravel_index(np.argmax(state), state.shape)
    assert all(index in (99, 100) for index in middle)


def test_nuclei_on_both_sides_of_the_critical_radius_part() -> None:
    result = run_problem("8a", n=100, t_end=50.0, tolerance=1e-5)
    columns = result.columns
    assert list(columns) == ["time", "free_energy", "fraction", "radius"]
    assert np.unique(columns["radius"]) == pytest.approx([4.95, 5.0, 5.05])
    small, large = (columns["fraction"][columns["radius"] == r] for r in np.unique(columns["radius"])[[0, 2]])
    assert small[-1] < 0.9 * small[0]
    assert large[-1] > 1.05 * large[0]
    assert np.all(columns["time"][np.flatnonzero(np.diff(columns["radius"]))] == 50.0)
    assert result.checks["energy_rise"] == 0.0
    assert "mass_drift" not in result.checks
    assert result.checks["n_steps"] == len(columns["time"]) - 3


@pytest.mark.long
def test_nucleation_converges_with_tolerance_and_mesh() -> None:
    result, finer = run_problem("8a"), run_problem("8a", n=256, tolerance=2e-7)
    ours, theirs = (r.columns["fraction"][-1] for r in (result, finer))
    assert ours == pytest.approx(theirs, rel=0.005)
    assert theirs > 0.09


# --- unfinished runs --------------------------------------------------------------------------------------------


class StopAt:
    """A progress callback that presses Ctrl-C at its n-th call."""

    def __init__(self, n: int) -> None:
        self.n, self.calls = n, 0

    def __call__(self, share: float) -> None:
        self.calls += 1
        if self.calls == self.n:
            raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("problem", "options", "stop"),
    [
        ("1a", {"n": 64, "t_end": 5.0}, 9),
        ("6a", {"n": 64, "t_end": 2.0}, 1),
        ("8a", {"n": 40, "t_end": 2.0, "tolerance": 1e-4}, 40),
    ],
)
def test_an_interrupted_run_goes_on_where_it_stopped(problem, options, stop, tmp_path) -> None:  # type: ignore[no-untyped-def]
    whole, file = run_problem(problem, **options), tmp_path / "run.checkpoint"
    with pytest.raises(Interrupted, match=r"stopped at t = .* run the same command again"):
        run_problem(
            problem, **options, on_progress=StopAt(stop), on_checkpoint=lambda kept: save_checkpoint(file, kept)
        )
    kept = load_checkpoint(file)
    assert 1 < len(kept["rows"]) < len(whole.columns["time"])
    second = run_problem(problem, **options, resume_from=kept)
    for name, column in whole.columns.items():
        np.testing.assert_array_equal(second.columns[name], column)
    assert second.checks == whole.checks
    for line, cut in whole.cuts.items():
        np.testing.assert_array_equal(second.cuts[line]["potential"], cut["potential"])
    with pytest.raises(ForeignCheckpointError, match=r"belongs to problem .* not to problem"):
        run_problem(problem, **(options | {"t_end": 6.0}), resume_from=kept)
    with pytest.raises(ForeignCheckpointError, match="damaged"):
        run_problem(problem, **options, resume_from={"settings": kept["settings"]})


def test_without_a_keeper_an_interruption_stays_one() -> None:
    with pytest.raises(KeyboardInterrupt):
        run_problem("1a", n=64, t_end=5.0, on_progress=StopAt(3))


def test_checkpoints_are_made_while_the_run_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    from dynaphase.pfhub import checkpoint

    kept: list[object] = []
    run_problem("1a", n=64, t_end=2.0, on_checkpoint=kept.append)
    assert kept == []
    monkeypatch.setattr(checkpoint, "INTERVAL_S", 0.0)
    result = run_problem("1a", n=64, t_end=2.0, on_checkpoint=kept.append)
    assert len(kept) == result.checks["n_steps"]


def test_a_refinement_keeps_its_finished_meshes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(refinement._LEVELS, "7b", ((16, 0.5), (24, 0.5), (32, 0.5)))
    whole, kept = run_problem("7b", t_end=1.0), []
    measured: list[int] = []

    def measure(problem, n, **options):  # type: ignore[no-untyped-def]
        measured.append(n)
        if measured == [16, 24]:
            raise KeyboardInterrupt
        return measure_error(problem, n, **options)

    monkeypatch.setattr(refinement, "measure_error", measure)
    with pytest.raises(Interrupted, match="after 1 of 3 meshes"):
        run_problem("7b", t_end=1.0, on_checkpoint=kept.append)
    second = run_problem("7b", t_end=1.0, resume_from=kept[-1])
    assert measured == [16, 24, 24, 32]
    np.testing.assert_array_equal(second.columns["l2_error"], whole.columns["l2_error"])
    with pytest.raises(ForeignCheckpointError, match="belongs to"):
        run_problem("7b", t_end=2.0, resume_from=kept[-1])


def test_a_checkpoint_file_is_whole_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.csv.checkpoint"
    content = {"settings": "problem 1a", "time": 0.1, "run": {"state": np.arange(6.0).reshape(2, 3)}}
    save_checkpoint(file, content)
    kept = load_checkpoint(file)
    assert str(kept["settings"]) == "problem 1a"
    assert float(kept["time"]) == 0.1
    np.testing.assert_array_equal(kept["run"]["state"], content["run"]["state"])

    class Explodes:
        def __array__(self, *_: object, **__: object) -> FloatArray:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        save_checkpoint(file, {"settings": "other", "state": Explodes()})
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    assert str(load_checkpoint(file)["settings"]) == "problem 1a"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(CampaignError, match=r"a\.csv\.checkpoint is no checkpoint or damaged: delete that file"):
        load_checkpoint(file)


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
    assert PROBLEMS == ("1a", "1b", "1c", "2a", "2b", "6a", "7a", "7b", "7c", "8a")
    with pytest.raises(ConfigError, match="64 to 4096 cells"):
        run_problem("1a", n=63)
    with pytest.raises(ConfigError, match="multiple of 5"):
        run_problem("1c", n=64)
    with pytest.raises(ConfigError, match="32 to 4096 cells"):
        run_problem("6a", n=31)
    with pytest.raises(ConfigError, match="tolerance must be positive"):
        run_problem("8a", tolerance=0.0)
    with pytest.raises(ConfigError, match="t_end must be positive"):
        run_problem("2a", t_end=0.0)
    for tolerance in (-1.0, 0.02):
        with pytest.raises(ConfigError, match=r"at most 0\.01"):
            run_problem("1b", tolerance=tolerance)
    with pytest.raises(ConfigError, match="memory"):
        run_problem("8a", n=2_000_000)
    with pytest.raises(ConfigError, match="kappa"):
        ManufacturedProblem(kappa=-1.0)
    with pytest.raises(ConfigError, match="periodic"):
        ManufacturedProblem(b1=7.0)
    with pytest.raises(ConfigError, match="even number of cells"):
        run_problem("7a", n=65)
    with pytest.raises(ConfigError, match="either a constant step dt or a tolerance"):
        measure_error(PARTS["7a"], 64)
