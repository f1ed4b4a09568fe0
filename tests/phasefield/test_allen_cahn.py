"""Allen–Cahn: definition and compiled twin, energy and its derivative, shrinking disc, moving wall, source."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from dynaphase.errors import ConfigError
from dynaphase.phasefield.free_energy import Polynomial
from dynaphase.phasefield.grid import Boundary, Grid
from dynaphase.phasefield.models.allen_cahn import AllenCahn, AllenCahnParameters
from dynaphase.phasefield.operators import FloatArray
from dynaphase.phasefield.simulate import simulate
from dynaphase.phasefield.steppers import ExplicitEuler, RungeKuttaChebyshev
from dynaphase.phasefield.terms import Source, add_terms

PERIODIC, NO_FLUX = Boundary.PERIODIC, Boundary.NO_FLUX
WELL = AllenCahnParameters(Polynomial.double_well(1.0, 0.0, 1.0), kappa=0.5, mobility=1.7)
SKEWED = AllenCahnParameters(Polynomial((0.1, -0.2, 1.0, -2.0, 0.7)), kappa=1.5)
LINEAR = AllenCahnParameters(Polynomial((0.0, 0.3)), kappa=1.5)
CASES = {"double well": WELL, "skewed": SKEWED, "linear": LINEAR}
WALLS = [*product([PERIODIC, NO_FLUX], repeat=2), *product([PERIODIC, NO_FLUX], repeat=3)]


def make_model(parameters: AllenCahnParameters, boundaries: tuple[Boundary, ...]) -> AllenCahn:
    return AllenCahn(Grid((7, 5, 6)[: len(boundaries)], 0.8, boundaries), parameters)


def random_field(shape: tuple[int, ...], seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).uniform(-0.1, 1.1, shape)


def rate(model: AllenCahn, eta: FloatArray) -> FloatArray:
    out = np.full_like(eta, np.nan)
    model.rhs(eta, out)
    return out


@pytest.mark.parametrize("boundaries", WALLS, ids="-".join)
@pytest.mark.parametrize("case", CASES)
def test_compiled_loops_equal_the_reference(case: str, boundaries: tuple[Boundary, ...]) -> None:
    model = make_model(CASES[case], boundaries)
    eta = random_field(model.grid.shape)
    expected = model.reference_rhs(eta)
    np.testing.assert_allclose(rate(model, eta), expected, rtol=0, atol=1e-13 * np.max(np.abs(expected)))
    for n_steps in (3, 4):
        stepped, reference = eta.copy(), eta
        model.euler_steps(stepped, 0.01, n_steps)
        for _ in range(n_steps):
            reference = reference + 0.01 * model.reference_rhs(reference)
        np.testing.assert_allclose(stepped, reference, rtol=0, atol=1e-14)


@pytest.mark.parametrize("boundaries", [(PERIODIC, NO_FLUX), (NO_FLUX, PERIODIC, NO_FLUX)], ids="-".join)
def test_single_precision_follows_double(boundaries: tuple[Boundary, ...]) -> None:
    model = make_model(WELL, boundaries)
    eta = random_field(model.grid.shape)
    single = eta.astype(np.float32)
    np.testing.assert_allclose(rate(model, single), model.reference_rhs(eta), rtol=0, atol=1e-5)
    model.euler_steps(single, 0.01, 10)
    model.euler_steps(eta, 0.01, 10)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, eta, rtol=0, atol=1e-6)


@pytest.mark.parametrize("boundaries", [(PERIODIC, NO_FLUX), (NO_FLUX, PERIODIC, PERIODIC)], ids="-".join)
@pytest.mark.parametrize("case", CASES)
def test_the_rate_is_the_derivative_of_the_energy(case: str, boundaries: tuple[Boundary, ...]) -> None:
    model = make_model(CASES[case], boundaries)
    eta = random_field(model.grid.shape)
    expected = rate(model, eta)
    scale = -model.parameters.mobility / model.grid.spacing_nm**eta.ndim
    step = 1e-5
    measured = np.empty_like(eta)
    for cell in np.ndindex(eta.shape):
        above, below = eta.copy(), eta.copy()
        above[cell] += step
        below[cell] -= step
        measured[cell] = scale * (model.energy(above) - model.energy(below)) / (2 * step)
    np.testing.assert_allclose(measured, expected, rtol=0, atol=1e-8 * np.max(np.abs(expected)))


@pytest.mark.parametrize("boundaries", WALLS[:4], ids="-".join)
def test_the_energy_never_rises(boundaries: tuple[Boundary, ...]) -> None:
    model = AllenCahn(Grid((24, 20), 1.0, boundaries), WELL)
    eta = random_field(model.grid.shape)
    dt, energies = 1.0 / model.spectral_radius(eta), [model.energy(eta)]
    for _ in range(200):
        model.euler_steps(eta, dt, 5)
        energies.append(model.energy(eta))
    assert np.max(np.diff(energies)) <= 1e-13 * energies[0]
    assert energies[-1] < 0.5 * energies[0]


@pytest.mark.parametrize("case", ["double well", "skewed"])
@pytest.mark.parametrize("boundaries", [(PERIODIC, PERIODIC), (NO_FLUX, PERIODIC)], ids="-".join)
def test_spectral_radius_bounds_the_jacobian(case: str, boundaries: tuple[Boundary, ...]) -> None:
    model = make_model(CASES[case], boundaries)
    eta = random_field(model.grid.shape)
    columns = []
    for cell in np.ndindex(eta.shape):
        shift = np.zeros_like(eta)
        shift[cell] = 1e-5
        columns.append(((model.reference_rhs(eta + shift) - model.reference_rhs(eta - shift)) / 2e-5).ravel())
    largest = float(np.max(np.abs(np.linalg.eigvals(np.array(columns).T))))
    assert largest <= model.spectral_radius(eta) <= 2.5 * largest


def test_a_disc_shrinks_at_the_rate_of_its_curvature() -> None:
    """d(area)/dt = −2πLκ, in the limit of a thin wall."""
    n, spacing = 160, 0.3
    model = replace(AllenCahn(Grid((n, n), spacing, (PERIODIC, PERIODIC)), WELL), bounds=(0.0, 1.0))
    x = (np.arange(n) + 0.5 - n / 2) * spacing
    distance = np.hypot(x[:, None], x[None, :])
    width = math.sqrt(2 * WELL.kappa)  # η = ½[1 − tanh(x/√(2κ))] solves f' = κη''
    disc = 0.5 * (1 - np.tanh((distance - 18.0) / width))
    area = lambda eta: float(np.sum(eta)) * spacing**2  # noqa: E731
    run = simulate(
        model, disc, RungeKuttaChebyshev(1e-5, 1e-6), 60.0, observables={"area": area}, n_observations=8
    ).require_done()
    slope = np.polyfit(run.times[2:], run.observations["area"][2:], 1)[0]
    assert slope == pytest.approx(-2 * math.pi * 1.7 * 0.5, rel=0.02)


def test_a_driven_wall_moves_at_its_speed() -> None:
    """f' = 2η(1 − η)(1 − 2η − s) lets a wall travel at v = s L √(2κ) (derived here), second order in Δx."""

    def position_error(spacing: float) -> float:
        drive, t_end, length = 0.2, 20.0, 40.0
        slope = (0.0, 2 * (1 - drive), -2 * (3 - drive), 4.0)
        energy = Polynomial((0.0, *(a / (k + 1) for k, a in enumerate(slope))))
        n = round(length / spacing)
        model = AllenCahn(Grid((n, 4), spacing, (NO_FLUX, PERIODIC)), replace(WELL, free_energy=energy, mobility=1.0))
        x = (np.arange(n) + 0.5) * spacing
        wall = 0.5 * (1 - np.tanh((x - 15.0) / math.sqrt(2 * WELL.kappa)))
        run = simulate(model, np.repeat(wall[:, None], 4, axis=1), RungeKuttaChebyshev(1e-7, 1e-8), t_end)
        moved = float(np.sum(run.require_done().state[:, 0]) - np.sum(wall)) * spacing
        return moved - drive * math.sqrt(2 * WELL.kappa) * t_end

    coarse, fine = position_error(0.4), position_error(0.2)
    assert abs(fine) < 0.02
    assert math.log2(coarse / fine) == pytest.approx(2.0, abs=0.15)


def test_a_source_drives_the_field_in_time() -> None:
    """η = ½ + a(t) cos(qx) solves the equation with the source that is left over; first and second order in Δt."""
    n, spacing = 16, 0.5
    equation = AllenCahn(Grid((n, 4), spacing, (PERIODIC, PERIODIC)), WELL)
    wave = np.cos(2 * math.pi * np.arange(n) / n)[:, None] * np.ones(4)

    def exact(time: float) -> FloatArray:
        return 0.5 + 0.3 * math.sin(time) * wave

    def source(time: float) -> FloatArray:
        return 0.3 * math.cos(time) * wave - equation.reference_rhs(exact(time))

    model = add_terms(equation, Source(source))
    out = np.empty((n, 4))
    model.rhs(exact(0.0), out)
    np.testing.assert_allclose(out, 0.3 * wave, atol=1e-14)

    def error(stepper: ExplicitEuler | RungeKuttaChebyshev) -> float:
        run = simulate(model, exact(0.0), stepper, 2.0, n_observations=1).require_done()
        return float(np.max(np.abs(run.state - exact(2.0))))

    euler = error(ExplicitEuler(0.02)) / error(ExplicitEuler(0.01))
    assert math.log2(euler) == pytest.approx(1.0, abs=0.15)
    coarse, fine = (RungeKuttaChebyshev(1e6, 1e6, max_dt=dt) for dt in (0.05, 0.025))
    assert math.log2(error(coarse) / error(fine)) == pytest.approx(2.0, abs=0.15)
    assert model.energy(exact(1.0)) == equation.energy(exact(1.0))
    assert model.bounds is None


def test_bad_parameters() -> None:
    with pytest.raises(ConfigError, match="kinetic coefficient"):
        replace(WELL, mobility=0.0)
    with pytest.raises(ConfigError, match="kappa"):
        make_model(replace(WELL, kappa=-1.0), (PERIODIC, PERIODIC))
    with pytest.raises(ConfigError, match="fix a value"):
        AllenCahn(Grid.box(8), WELL)
    model = make_model(WELL, (PERIODIC, PERIODIC))
    with pytest.raises(ConfigError, match="C-contiguous"):
        model.rhs(np.zeros((7, 5, 1)), np.zeros((7, 5, 1)))
