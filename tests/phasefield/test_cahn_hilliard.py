"""Cahn–Hilliard: compiled twin, energy and its derivative, conservation, decay, growth rate, PFHub 1a."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from dynaphase.errors import ConfigError
from dynaphase.phasefield import field_loops
from dynaphase.phasefield.free_energy import GinzburgLandau, Polynomial
from dynaphase.phasefield.grid import Boundary, Grid
from dynaphase.phasefield.models.cahn_hilliard import CahnHilliard, CahnHilliardParameters
from dynaphase.phasefield.operators import FloatArray
from dynaphase.phasefield.padding import make_geometry
from dynaphase.phasefield.simulate import RunStatus, simulate
from dynaphase.phasefield.steppers import ExplicitEuler, RungeKuttaChebyshev

PERIODIC, NO_FLUX = Boundary.PERIODIC, Boundary.NO_FLUX
WELL = Polynomial.double_well(5.0, 0.3, 0.7)
CONSTANT = CahnHilliardParameters(WELL, kappa=2.0, mobility=5.0)
VARIABLE = replace(CONSTANT, mobility=Polynomial((1.0, 6.0, -5.0)))
SKEWED = CahnHilliardParameters(Polynomial((0.1, -0.2, 1.0, -2.0, 0.7)), kappa=1.5, mobility=2.0)
CASES = {"constant": CONSTANT, "variable": VARIABLE, "skewed": SKEWED}
WALLS = [*product([PERIODIC, NO_FLUX], repeat=2), *product([PERIODIC, NO_FLUX], repeat=3)]


def make_model(
    parameters: CahnHilliardParameters, boundaries: tuple[Boundary, ...], spacing: float = 0.8
) -> CahnHilliard:
    return CahnHilliard(Grid((7, 5, 6)[: len(boundaries)], spacing, boundaries), parameters)


def random_field(shape: tuple[int, ...], seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).uniform(0.2, 0.8, shape)


def rate(model: CahnHilliard, c: FloatArray) -> FloatArray:
    out = np.full_like(c, np.nan)
    model.rhs(c, out)
    return out


def pfhub_1a(n: int) -> tuple[CahnHilliard, FloatArray]:
    """Benchmark problem 1a, doi:10.1016/j.commatsci.2016.09.022, on n² cells."""
    x = (np.arange(n) + 0.5) * 200.0 / n
    X, Y = np.meshgrid(x, x, indexing="ij")
    waves = np.cos(0.105 * X) * np.cos(0.11 * Y) + (np.cos(0.13 * X) * np.cos(0.087 * Y)) ** 2
    waves += np.cos(0.025 * X - 0.15 * Y) * np.cos(0.07 * X - 0.02 * Y)
    return CahnHilliard(Grid((n, n), 200.0 / n, (PERIODIC, PERIODIC)), CONSTANT), 0.5 + 0.01 * waves


# --- definition and compiled twin


@pytest.mark.parametrize("boundaries", WALLS, ids="-".join)
@pytest.mark.parametrize("case", CASES)
def test_compiled_loops_equal_the_reference(case: str, boundaries: tuple[Boundary, ...]) -> None:
    model = make_model(CASES[case], boundaries)
    c = random_field(model.grid.shape)
    expected = model.reference_rhs(c)
    np.testing.assert_allclose(rate(model, c), expected, rtol=0, atol=1e-13 * np.max(np.abs(expected)))
    dt, stepped, reference = 1e-4, c.copy(), c
    model.euler_steps(stepped, dt, 3)
    for _ in range(3):
        reference = reference + dt * model.reference_rhs(reference)
    np.testing.assert_allclose(stepped, reference, rtol=0, atol=1e-14)


@pytest.mark.parametrize("boundaries", [(PERIODIC, NO_FLUX), (NO_FLUX, PERIODIC, NO_FLUX)], ids="-".join)
def test_single_precision_follows_double(boundaries: tuple[Boundary, ...]) -> None:
    model = make_model(CONSTANT, boundaries)
    c = random_field(model.grid.shape)
    single = c.astype(np.float32)
    expected = model.reference_rhs(c)
    np.testing.assert_allclose(rate(model, single), expected, rtol=0, atol=3e-6 * np.max(np.abs(expected)))
    model.euler_steps(single, 1e-4, 10)
    model.euler_steps(c, 1e-4, 10)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, c, rtol=0, atol=3e-6)


@pytest.mark.parametrize("planes", [1, 8, 9, 30])
@pytest.mark.parametrize("shape", [(41, 12), (30, 60), (29, 5, 6)])
@pytest.mark.parametrize("case", ["constant", "variable"])
def test_chunks_of_planes_do_not_show(
    case: str, shape: tuple[int, ...], planes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = CahnHilliard(Grid(shape, 0.8, (PERIODIC, NO_FLUX, PERIODIC)[-len(shape) :]), CASES[case])
    plane = make_geometry(shape, (True,) * len(shape), np.dtype(float)).plane
    monkeypatch.setattr(field_loops, "_CHUNK_CELLS", planes * plane)
    assert field_loops.ConservedLoops(shape, (True,) * len(shape), np.dtype(float)).chunk == min(planes, shape[0])
    c = random_field(shape)
    expected = model.reference_rhs(c)
    np.testing.assert_allclose(rate(model, c), expected, rtol=0, atol=1e-13 * np.max(np.abs(expected)))
    stepped, reference = c.copy(), c
    model.euler_steps(stepped, 1e-4, 3)
    for _ in range(3):
        reference = reference + 1e-4 * model.reference_rhs(reference)
    np.testing.assert_allclose(stepped, reference, rtol=0, atol=1e-14)


def test_the_smallest_grid_and_long_rows() -> None:
    for shape in [(4, 4), (5, 67), (4, 4, 4), (4, 5, 33)]:
        model = CahnHilliard(Grid(shape, 1.0, (PERIODIC,) * len(shape)), VARIABLE)
        c = random_field(shape)
        np.testing.assert_allclose(rate(model, c), model.reference_rhs(c), rtol=0, atol=1e-12)


def test_no_steps_leave_the_state() -> None:
    model = make_model(CONSTANT, (PERIODIC, PERIODIC))
    c = random_field(model.grid.shape)
    stepped = c.copy()
    model.euler_steps(stepped, 1.0, 0)
    np.testing.assert_array_equal(stepped, c)


# --- energy


@pytest.mark.parametrize("boundaries", [(PERIODIC, NO_FLUX), (NO_FLUX, PERIODIC, PERIODIC)], ids="-".join)
@pytest.mark.parametrize("case", CASES)
def test_the_potential_is_the_derivative_of_the_energy(case: str, boundaries: tuple[Boundary, ...]) -> None:
    model = make_model(CASES[case], boundaries)
    c = random_field(model.grid.shape)
    expected = model.variational_derivative(c) * model.grid.spacing_nm**c.ndim
    step = 1e-5
    measured = np.empty_like(c)
    for cell in np.ndindex(c.shape):
        above, below = c.copy(), c.copy()
        above[cell] += step
        below[cell] -= step
        measured[cell] = (model.energy(above) - model.energy(below)) / (2 * step)
    np.testing.assert_allclose(measured, expected, rtol=0, atol=1e-8 * np.max(np.abs(expected)))


@pytest.mark.parametrize("boundaries", WALLS[:4], ids="-".join)
@pytest.mark.parametrize("case", ["constant", "variable"])
def test_euler_keeps_the_amount_and_lowers_the_energy(case: str, boundaries: tuple[Boundary, ...]) -> None:
    model = CahnHilliard(Grid((24, 20), 1.0, boundaries), CASES[case])
    c = random_field(model.grid.shape)
    dt = 1.0 / model.spectral_radius(c)
    amount, energies = math.fsum(c.ravel()), [model.energy(c)]
    for _ in range(200):
        model.euler_steps(c, dt, 50)
        energies.append(model.energy(c))
    assert math.fsum(c.ravel()) == pytest.approx(amount, rel=1e-14)
    assert np.max(np.diff(energies)) <= 1e-13 * energies[0]
    assert energies[-1] < 0.1 * energies[0]


def test_a_flat_interface_has_its_closed_energy() -> None:
    """σ = √(2κρ)(b − a)³/6 for c = ½(a + b) + ½(b − a) tanh(x (b − a)√(ρ/2κ))."""
    n, length = 400, 40.0
    grid = Grid((n, 4), length / n, (NO_FLUX, PERIODIC))
    x = (np.arange(n) + 0.5) * length / n - length / 2
    profile = 0.5 + 0.2 * np.tanh(x * 0.4 * math.sqrt(5.0 / 4.0))
    c = np.repeat(profile[:, None], 4, axis=1)
    sigma = CahnHilliard(grid, CONSTANT).energy(c) / (4 * length / n)
    assert sigma == pytest.approx(math.sqrt(20.0) * 0.4**3 / 6, rel=5e-4)


# --- stiffness, growth, benchmark


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("boundaries", [(PERIODIC, PERIODIC), (NO_FLUX, PERIODIC)], ids="-".join)
@pytest.mark.parametrize("spacing", [0.8, 4.0])
def test_spectral_radius_bounds_the_jacobian(case: str, boundaries: tuple[Boundary, ...], spacing: float) -> None:
    model = make_model(CASES[case], boundaries, spacing)
    c = random_field(model.grid.shape, seed=2)
    columns = []
    for cell in np.ndindex(c.shape):
        shift = np.zeros_like(c)
        shift[cell] = 1e-5
        columns.append(((model.reference_rhs(c + shift) - model.reference_rhs(c - shift)) / 2e-5).ravel())
    largest = float(np.max(np.abs(np.linalg.eigvals(np.array(columns).T))))
    assert largest <= model.spectral_radius(c) <= 4 * largest


def test_linear_growth_rate() -> None:
    """A wave of the spinodal grows as exp(M K (0.8 − κK) t) with K the eigenvalue of the discrete −∇²."""
    n, spacing = 32, 14.05 / 16
    model = CahnHilliard(Grid((n, 4), spacing, (PERIODIC, PERIODIC)), CONSTANT)
    K = (2 - 2 * math.cos(4 * math.pi / n)) / spacing**2
    wave = np.cos(4 * math.pi * np.arange(n) / n)[:, None] * np.ones(4)
    run = simulate(model, 0.5 + 1e-5 * wave, RungeKuttaChebyshev(1e-10, 1e-11), 5.0, n_observations=1)
    amplitude = 2 * float(np.mean((run.state - 0.5) * wave))
    assert math.log(amplitude / 1e-5) / 5.0 == pytest.approx(5.0 * K * (0.8 - 2.0 * K), rel=1e-4)


def test_pfhub_1a_against_a_finer_reference() -> None:
    """The coarse grid misses the fine energy by less than 1 % up to t = 20; the energy falls, the amount stays."""
    runs = {}
    for n, rtol in ((128, 1e-4), (200, 1e-5)):
        model, c = pfhub_1a(n)
        runs[n] = simulate(model, c, RungeKuttaChebyshev(rtol, rtol / 10), 20.0, n_observations=20).require_done()
        energy, mean = runs[n].observations["energy"], runs[n].observations["mean_c"]
        assert np.all(np.diff(energy) < 0)
        np.testing.assert_allclose(mean, mean[0], rtol=1e-13)
    coarse, fine = runs[128].observations["energy"], runs[200].observations["energy"]
    assert fine[0] == pytest.approx(319.1, abs=0.1)
    np.testing.assert_allclose(coarse, fine, rtol=0.01)


def test_euler_and_chebyshev_agree() -> None:
    model, c = pfhub_1a(32)
    euler = simulate(model, c, ExplicitEuler(5e-3), 20.0, n_observations=4).require_done()
    chebyshev = simulate(model, c, RungeKuttaChebyshev(1e-6, 1e-7), 20.0, n_observations=4).require_done()
    np.testing.assert_allclose(euler.state, chebyshev.state, rtol=0, atol=2e-3)


# --- errors


def test_an_unstable_step_says_so() -> None:
    model, c = pfhub_1a(32)
    run = simulate(model, c, ExplicitEuler(10.0), 2000.0, n_observations=20)
    assert run.status is RunStatus.DIVERGED
    assert "stable there for dt up to" in run.message
    bounded = replace(model, bounds=(0.0, 1.0))
    assert simulate(bounded, c, ExplicitEuler(10.0), 60.0, n_observations=20).status is RunStatus.OUT_OF_BOUNDS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kappa": 0.0}, "kappa"),
        ({"kappa": math.nan}, "kappa"),
        ({"mobility": -1.0}, "mobility"),
    ],
)
def test_bad_parameters(change: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make_model(replace(CONSTANT, **change), (PERIODIC, PERIODIC))  # type: ignore[arg-type]


def test_bad_grids_arrays_and_polynomials() -> None:
    with pytest.raises(ConfigError, match="fix a value"):
        CahnHilliard(Grid.box(8), CONSTANT)
    with pytest.raises(ConfigError, match="two or three"):
        CahnHilliard(Grid((8,), 1.0, (PERIODIC,)), CONSTANT)
    model = make_model(CONSTANT, (PERIODIC, PERIODIC))
    c = random_field(model.grid.shape)
    for wrong in (np.asfortranarray(c), c.astype(np.float16), c[None].copy()):
        with pytest.raises(ConfigError, match="C-contiguous"):
            model.rhs(wrong, np.empty_like(wrong))
    for wrong in (np.empty_like(c, dtype=np.float32), np.empty((6, 5))):
        with pytest.raises(ConfigError, match="cannot be written"):
            model.rhs(c, wrong)
    with pytest.raises(ConfigError, match="finite"):
        Polynomial((1.0, math.inf))
    with pytest.raises(ConfigError, match="low < high"):
        Polynomial.double_well(1.0, 0.7, 0.3)


# --- polynomial


def test_polynomials() -> None:
    x = np.linspace(-1.0, 2.0, 31)
    np.testing.assert_allclose(WELL(x), 5 * (x - 0.3) ** 2 * (0.7 - x) ** 2, atol=1e-13)
    np.testing.assert_allclose(WELL.derivative()(x), 20 * (x - 0.5) ** 3 - 0.8 * (x - 0.5), atol=1e-13)
    assert Polynomial((3.0,)).derivative()(x) == pytest.approx(np.zeros(31), abs=0)
    low, high = WELL.extremes(0.2, 0.6)
    assert (low, high) == pytest.approx((0.0, 5 * 0.01 * 0.25), abs=1e-14)
    assert Polynomial((0.0, 0.0, 1.0)).extremes(-1.0, 2.0) == pytest.approx((0.0, 4.0))
    curvature = GinzburgLandau(Grid((4, 4), 2.0, (PERIODIC, PERIODIC)), WELL, 2.0).curvature(np.array([0.4, 0.6]))
    assert curvature == pytest.approx((-0.8, 60 * 0.01 - 0.8 + 2.0 * 8 / 4))
