"""The spectral basis, gradient flows in it, and the semi-implicit stepper against exact solutions."""

from __future__ import annotations

import numpy as np
import pytest

from dynaphase.errors import ConfigError, SimulationError
from dynaphase.phasefield.grid import Boundary, Grid
from dynaphase.phasefield.operators import FloatArray
from dynaphase.phasefield.simulate import simulate
from dynaphase.phasefield.spectral import GradientFlow, SemiImplicitSpectral, SpectralBasis
from dynaphase.phasefield.steppers import RungeKuttaChebyshev

P, N, D = Boundary.PERIODIC, Boundary.NO_FLUX, Boundary.NO_FLUX_DIRICHLET
GRIDS = [
    Grid((12, 10), 0.3, (P, P)),
    Grid((9, 11), 0.3, (P, P)),
    Grid((12, 10), 0.3, (N, N)),
    Grid((11, 8), 0.3, (N, P)),
    Grid((8, 11), 0.3, (P, N)),
    Grid((6, 5, 8), 0.5, (P, N, P)),
    Grid((6, 5, 7), 0.5, (P, P, P)),
]


class Quartic:
    """f = Σ (u² − 1)²/4 + (3/10) u₀²u₁² for one field or two."""

    def density(self, fields: FloatArray) -> FloatArray:
        density = np.sum((fields**2 - 1) ** 2 / 4, axis=0)
        return density + 0.3 * fields[0] ** 2 * fields[1] ** 2 if len(fields) == 2 else density

    def derivative(self, fields: FloatArray) -> FloatArray:
        slope = fields**3 - fields
        return slope + 0.6 * fields * fields[::-1] ** 2 if len(fields) == 2 else slope

    def curvature(self, fields: FloatArray) -> float:
        return float(np.max(np.abs(3 * fields**2 - 1)) + 1.8 * np.max(fields**2))


class Parabola:
    """f = s u²/2: everything is linear."""

    def __init__(self, steepness: float) -> None:
        self.steepness = steepness

    def density(self, fields: FloatArray) -> FloatArray:
        return np.asarray(0.5 * self.steepness * np.sum(fields**2, axis=0))

    def derivative(self, fields: FloatArray) -> FloatArray:
        return self.steepness * fields

    def curvature(self, fields: FloatArray) -> float:
        return abs(self.steepness)


def pair(grid: Grid) -> GradientFlow:
    """A conserved field coupled to one that is not."""
    return GradientFlow(grid, ("c", "eta"), Quartic(), (0.2, 0.1), (0.7, 1.3), (True, False), (1.5, 1.5))


def random_state(grid: Grid, n_fields: int, seed: int = 0) -> FloatArray:
    return np.random.default_rng(seed).uniform(-0.8, 0.8, (n_fields, *grid.shape))


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_basis_inverts_and_keeps_the_sum_of_squares(grid: Grid) -> None:
    basis, fields = SpectralBasis(grid), random_state(grid, 2)
    coefficients = basis.forward(fields)
    np.testing.assert_allclose(basis.backward(coefficients), fields, atol=1e-14)
    np.testing.assert_allclose(basis.sum_of_squares(coefficients), np.sum(fields**2, axis=tuple(range(1, fields.ndim))))


@pytest.mark.parametrize("boundaries", [(P, P), (N, N), (N, P), (P, N)])
def test_laplacian_of_an_eigenfunction(boundaries: tuple[Boundary, ...]) -> None:
    grid = Grid((16, 12), 0.25, boundaries)
    x, y = np.meshgrid(*(np.arange(0.5, n) * 0.25 for n in grid.shape), indexing="ij")
    k = [(np.pi if b is N else 2 * np.pi) * 3 / length for b, length in zip(boundaries, grid.lengths_nm, strict=True)]
    wave = np.cos(k[0] * x) * np.cos(k[1] * y)
    basis = SpectralBasis(grid)
    np.testing.assert_allclose(
        basis.backward(basis.k2 * basis.forward(wave)), (k[0] ** 2 + k[1] ** 2) * wave, atol=1e-10
    )


def test_a_dirichlet_axis_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"axis 1 is 'no-flux \| dirichlet'"):
        SpectralBasis(Grid((8, 8), 1.0, (P, D)))


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_energy_is_paired_with_its_derivative(grid: Grid) -> None:
    model, state = pair(grid), random_state(grid, 2)
    direction = random_state(grid, 2, seed=1)
    eps = 1e-5
    slope = (model.energy(state + eps * direction) - model.energy(state - eps * direction)) / (2 * eps)
    cell = grid.spacing_nm ** len(grid.shape)
    assert slope == pytest.approx(np.sum(model.variational_derivative(state) * direction) * cell, rel=1e-8)


@pytest.mark.parametrize("grid", GRIDS, ids=str)
def test_split_of_the_rate_adds_up_conserves_and_dissipates(grid: Grid) -> None:
    model, state = pair(grid), random_state(grid, 2)
    rate = np.empty_like(state)
    model.rhs(state, rate)
    basis = model.basis
    split = basis.backward(model.linear * basis.forward(state) + model.nonlinear(state))
    np.testing.assert_allclose(split, rate, atol=1e-9 * np.abs(rate).max())
    assert abs(rate[0].mean()) < 1e-12 * np.abs(rate[0]).max()
    assert abs(rate[1].mean()) > 1e-3
    assert np.sum(model.variational_derivative(state) * rate) < 0


def test_spectral_radius_bounds_the_jacobian() -> None:
    grid = Grid((6, 5), 0.5, (P, N))
    model, state = pair(grid), random_state(grid, 2)
    columns, out = [], np.empty_like(state)
    for unit in np.eye(state.size):
        step = 1e-6 * unit.reshape(state.shape)
        model.rhs(state + step, out)
        high = out.copy()
        model.rhs(state - step, out)
        columns.append((high - out).ravel() / 2e-6)
    assert np.abs(np.linalg.eigvals(np.array(columns).T)).max() <= model.spectral_radius(state)


def test_linear_decay_follows_the_exponential() -> None:
    grid = Grid((16, 16), 0.25, (N, P))
    model = GradientFlow(grid, ("c",), Parabola(1.0), (0.1,), (0.5,), (True,), (0.4,))
    x = (np.arange(0.5, 16) * 0.25)[:, None] + np.zeros((1, 16))
    k = np.pi / 4.0
    run = SemiImplicitSpectral(rtol=1e-6, atol=1e-7).start(model, 0.3 + np.cos(k * x))
    run.advance(2.0)
    expected = 0.3 + np.cos(k * x) * np.exp(-0.5 * k**2 * (1.0 + 0.1 * k**2) * 2.0)
    np.testing.assert_allclose(run.state, expected, atol=5e-5)


def smooth(grid: Grid) -> FloatArray:
    x, y = np.meshgrid(*(np.arange(0.5, n) / n for n in grid.shape), indexing="ij")
    wave = np.cos(2 * np.pi * x) * np.cos(np.pi * y)
    return np.stack([0.1 + 0.3 * wave, 0.4 + 0.3 * np.cos(2 * np.pi * y) + 0.1 * wave])


def test_order_of_convergence_is_the_declared_one() -> None:
    grid = Grid((16, 16), 0.5, (P, N))
    model, state = pair(grid), smooth(grid)
    reference = SemiImplicitSpectral(rtol=1e12, atol=1e12, max_dt=1 / 2048).start(model, state)
    reference.advance(1.0)
    errors = []
    for n_steps in (64, 128, 256):
        run = SemiImplicitSpectral(rtol=1e12, atol=1e12, max_dt=1 / n_steps).start(model, state)
        run.advance(1.0)
        assert run.statistics.n_steps == n_steps
        errors.append(np.abs(run.state - reference.state).max())
    orders = np.log2(np.array(errors[:-1]) / errors[1:])
    assert orders[-1] == pytest.approx(SemiImplicitSpectral.order, abs=0.15)


def test_order_holds_with_steps_of_alternating_length() -> None:
    grid = Grid((16, 16), 0.5, (P, N))
    model, state = pair(grid), smooth(grid)
    reference = SemiImplicitSpectral(rtol=1e12, atol=1e12, max_dt=1 / 2048).start(model, state)
    reference.advance(1.0)
    errors = []
    for n in (32, 64, 128):
        run = SemiImplicitSpectral(rtol=1e12, atol=1e12).start(model, state)
        for i in range(n):
            for time in ((i + 0.4) / n, (i + 1) / n):
                run.step(time)
                assert run.time == time
        errors.append(np.abs(run.state - reference.state).max())
    assert np.log2(errors[-2] / errors[-1]) == pytest.approx(2.0, abs=0.2)


def test_adaptive_steps_meet_the_tolerance_and_agree_with_an_explicit_method() -> None:
    grid = Grid((16, 16), 0.5, (P, N))
    model, state = pair(grid), smooth(grid)
    exact = RungeKuttaChebyshev(rtol=1e-9, atol=1e-9).start(model, state)
    exact.advance(3.0)
    errors, steps = [], []
    for tolerance in (1e-4, 1e-6):
        run = SemiImplicitSpectral(rtol=tolerance, atol=tolerance).start(model, state)
        run.advance(3.0)
        errors.append(float(np.abs(run.state - exact.state).max()))
        steps.append(run.statistics.n_steps)
    assert errors[0] < 100e-4
    assert errors[1] < 100e-6
    assert steps[1] < 8 * steps[0]  # a hundredth of the tolerance: 100^(1/3) = 4.6 times the steps


def test_absolute_floor_lets_a_resting_field_be_stepped_far() -> None:
    grid = Grid((16, 16), 0.5, (P, P))
    model = GradientFlow(grid, ("eta",), Parabola(1.0), (0.1,), (1.0,), (False,), (0.8,))
    run = SemiImplicitSpectral(rtol=1e-5, atol=1e-6).start(model, random_state(grid, 1)[0])
    run.advance(1e6)
    assert run.statistics.n_steps < 400
    assert np.abs(run.state).max() < 1e-5


def test_simulate_runs_it_with_mass_kept_and_energy_falling() -> None:
    grid = Grid((32, 32), 0.5, (P, N))
    model = GradientFlow(grid, ("c",), Quartic(), (0.2,), (1.0,), (True,), (1.5,))
    state = 0.1 + 0.1 * random_state(grid, 1)[0]
    trajectory = simulate(model, state, SemiImplicitSpectral(rtol=1e-4, atol=1e-5), 20.0).require_done()
    assert trajectory.observations["mean_c"][-1] == pytest.approx(state.mean(), rel=1e-12)
    assert np.all(np.diff(trajectory.observations["energy"]) < 0)
    assert np.ptp(trajectory.state) > 1.5
    assert trajectory.statistics.n_rhs >= trajectory.statistics.n_steps


def test_what_it_cannot_do_is_said() -> None:
    grid = Grid((8, 8), 0.5, (P, P))

    class NoBasis:
        def rhs(self, state: FloatArray, out: FloatArray) -> None: ...

        def spectral_radius(self, state: FloatArray) -> float:
            return 1.0

    with pytest.raises(ConfigError, match="NoBasis has no spectral form"):
        SemiImplicitSpectral().start(NoBasis(), np.zeros((8, 8)))
    with pytest.raises(ConfigError, match="rtol must be positive"):
        SemiImplicitSpectral(rtol=0.0)
    with pytest.raises(ConfigError, match="kappa has 1 entries"):
        GradientFlow(grid, ("a", "b"), Quartic(), (1.0,), (1.0, 1.0), (True, True), (1.0, 1.0))
    with pytest.raises(ConfigError, match="mobility must be positive"):
        GradientFlow(grid, ("a",), Quartic(), (1.0,), (0.0,), (True,), (1.0,))
    model = GradientFlow(grid, ("c",), Quartic(), (0.2,), (1.0,), (True,), (1.5,))
    with pytest.raises(SimulationError, match="5 steps were not enough"):
        SemiImplicitSpectral(max_steps=5).start(model, random_state(grid, 1)[0]).advance(10.0)
    with pytest.raises(SimulationError, match="not finite"):
        SemiImplicitSpectral().start(model, np.full((8, 8), np.nan)).advance(1.0)
