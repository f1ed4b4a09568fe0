"""The spectral basis, gradient flows in it, and the semi-implicit stepper against exact solutions."""

from __future__ import annotations

import numpy as np
import pytest

from dynaphase.errors import ConfigError, SimulationError
from dynaphase.phasefield.grid import Boundary, Grid
from dynaphase.phasefield.models.gradient_flow import GradientFlow
from dynaphase.phasefield.operators import FloatArray
from dynaphase.phasefield.simulate import simulate
from dynaphase.phasefield.spectral import SemiImplicitSpectral
from dynaphase.phasefield.spectral_basis import SpectralBasis
from dynaphase.phasefield.steppers import RungeKuttaChebyshev
from dynaphase.phasefield.terms import ExtendedModel, Source, add_terms

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
    split = basis.backward(model.linear * basis.forward(state) + model.nonlinear(state, 0.0))
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


# --- terms added from outside -----------------------------------------------------------------------------------


class Tilt:
    """F₁ = ∫ (g·u + ½ s u²) dV of every field, with a fixed profile g."""

    def __init__(self, profile: FloatArray, steepness: float, cell: float) -> None:
        self.profile, self.steepness, self.cell = profile, steepness, cell

    def energy(self, state: FloatArray) -> float:
        return float(np.sum(self.profile * state + 0.5 * self.steepness * state**2)) * self.cell

    def add_derivative(self, state: FloatArray, out: FloatArray) -> None:
        out += self.profile + self.steepness * state

    def curvature(self, state: FloatArray) -> float:
        return abs(self.steepness)


class Decay:
    """The mechanism −rate·u, which insists on the shape in which a model shows its state."""

    conserved = ()

    def __init__(self, rate: float, shape: tuple[int, ...]) -> None:
        self.rate, self.shape = rate, shape

    def add_rate(self, time: float, state: FloatArray, out: FloatArray) -> None:
        assert state.shape == out.shape == self.shape
        out -= self.rate * state

    def spectral_radius(self, state: FloatArray) -> float:
        return self.rate


def extended(grid: Grid, n_fields: int) -> ExtendedModel:
    """A gradient flow with an energy term, a sink and a source that turns with time, added in two layers."""
    wave = smooth(grid)[:n_fields].reshape(grid.shape if n_fields == 1 else (n_fields, *grid.shape))
    model = pair(grid) if n_fields == 2 else GradientFlow(grid, ("c",), Quartic(), (0.2,), (0.7,), (True,), (1.5,))
    inner = add_terms(model, Tilt(0.5 * wave, 0.3, grid.spacing_nm**2), Decay(0.2, wave.shape))
    return add_terms(inner, Source(lambda time: 0.3 * np.sin(4 * time) * wave))


@pytest.mark.parametrize("n_fields", [1, 2])
def test_added_terms_follow_the_explicit_method(n_fields: int) -> None:
    grid = Grid((16, 16), 0.5, (P, N))
    model = extended(grid, n_fields)
    state = smooth(grid)[0] if n_fields == 1 else smooth(grid)
    exact = RungeKuttaChebyshev(rtol=1e-8, atol=1e-8).start(model, state)
    exact.advance(2.0)
    run = SemiImplicitSpectral(rtol=1e-6, atol=1e-6).start(model, state)
    run.advance(2.0)
    assert run.state.shape == state.shape
    assert np.abs(run.state - exact.state).max() < 1e-4
    bare = SemiImplicitSpectral(rtol=1e-6, atol=1e-6).start(model.model.model, state)
    bare.advance(2.0)
    assert np.abs(run.state - bare.state).max() > 0.05


def test_order_holds_with_a_mechanism_that_depends_on_time() -> None:
    grid = Grid((16, 16), 0.5, (P, N))
    model, state = extended(grid, 2), smooth(grid)
    reference = RungeKuttaChebyshev(rtol=1e-9, atol=1e-9).start(model, state)
    reference.advance(1.0)
    errors = []
    for n_steps in (64, 128, 256):
        run = SemiImplicitSpectral(rtol=1e12, atol=1e12, max_dt=1 / n_steps).start(model, state)
        run.advance(1.0)
        errors.append(np.abs(run.state - reference.state).max())
    assert np.log2(errors[-2] / errors[-1]) == pytest.approx(SemiImplicitSpectral.order, abs=0.15)


def test_energy_of_an_extended_flow_falls_and_mass_stays() -> None:
    grid = Grid((16, 16), 0.5, (N, N))
    flow = GradientFlow(grid, ("c",), Quartic(), (0.2,), (1.0,), (True,), (1.5,))
    model = add_terms(flow, Tilt(smooth(grid)[0], 0.3, 0.25))
    state = 0.1 + 0.1 * random_state(grid, 1)[0]
    trajectory = simulate(model, state, SemiImplicitSpectral(rtol=1e-4, atol=1e-5), 5.0).require_done()
    assert np.all(np.diff(trajectory.observations["energy"]) < 0)
    assert trajectory.observations["mean_c"][-1] == pytest.approx(state.mean(), rel=1e-12)


# --- unfinished runs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stop_after", [0, 1, 2, 20])
@pytest.mark.parametrize("boundaries", [(P, N), (N, N)])
def test_a_resumed_run_equals_an_uninterrupted_one_to_the_bit(
    stop_after: int, boundaries: tuple[Boundary, ...]
) -> None:
    grid = Grid((16, 16), 0.5, boundaries)
    model, state, method = pair(grid), smooth(grid), SemiImplicitSpectral(rtol=1e-4, atol=1e-5)
    whole, first = method.start(model, state), method.start(model, state)
    for _ in range(stop_after):
        first.step(2.0)
    kept = first.checkpoint()
    assert all(isinstance(value, np.ndarray | int | float) for value in kept.values())
    first.advance(2.0)  # what goes on after a checkpoint leaves it alone
    second = method.resume(model, kept)
    assert second.statistics.n_steps == stop_after
    for run in (whole, second):
        run.advance(2.0)
    np.testing.assert_array_equal(second.state, whole.state)
    np.testing.assert_array_equal(second.coefficients, whole.coefficients)
    assert second.statistics == whole.statistics
    assert whole.statistics.smallest_step <= 2.0 / whole.statistics.n_steps <= whole.statistics.largest_step


def test_an_interruption_leaves_the_last_accepted_step() -> None:
    """Also one in the middle of a step whose first attempt was refused: a source that jumps makes some."""
    grid = Grid((16, 16), 0.5, (P, N))
    method, state = SemiImplicitSpectral(rtol=1e-3, atol=1e-3), smooth(grid)
    calls, stop_at = 0, -1

    def jump(time: float) -> FloatArray:
        nonlocal calls
        calls += 1
        if calls == stop_at:
            raise KeyboardInterrupt
        return (5.0 * state[::-1]) if time > 1.5 else np.zeros_like(state)

    model = add_terms(pair(grid), Source(jump))
    whole, refused = method.start(model, state), []
    while whole.time < 3.0:
        before = whole.statistics.n_rejected
        whole.step(3.0)
        if whole.statistics.n_rejected > before:
            refused.append(calls)
    assert refused, "no step was refused: this test needs one"
    calls, stop_at = 0, refused[0]
    run = method.start(model, state)
    with pytest.raises(KeyboardInterrupt):
        run.advance(3.0)
    run = method.resume(model, run.checkpoint())
    run.advance(3.0)
    np.testing.assert_array_equal(run.state, whole.state)
    assert run.statistics == whole.statistics


def test_a_checkpoint_of_something_else_is_refused() -> None:
    grid, other = Grid((8, 8), 0.5, (P, P)), Grid((8, 10), 0.5, (P, P))
    model = GradientFlow(grid, ("c",), Quartic(), (0.2,), (1.0,), (True,), (1.5,))
    kept = SemiImplicitSpectral().start(model, random_state(grid, 1)[0]).checkpoint()
    stranger = GradientFlow(other, ("c",), Quartic(), (0.2,), (1.0,), (True,), (1.5,))
    with pytest.raises(ConfigError, match="resume with the model"):
        SemiImplicitSpectral().resume(stranger, kept)
    del kept["slope"]
    with pytest.raises(ConfigError, match="has no slope"):
        SemiImplicitSpectral().resume(model, kept)


# --- runs and refusals ------------------------------------------------------------------------------------------


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
    with pytest.raises(ConfigError, match="mobility must be finite"):
        GradientFlow(grid, ("a",), Quartic(), (1.0,), (0.0,), (True,), (1.0,))
    model = GradientFlow(grid, ("c",), Quartic(), (0.2,), (1.0,), (True,), (1.5,))
    with pytest.raises(SimulationError, match="5 steps were not enough"):
        SemiImplicitSpectral(max_steps=5).start(model, random_state(grid, 1)[0]).advance(10.0)
    with pytest.raises(SimulationError, match="not finite"):
        SemiImplicitSpectral().start(model, np.full((8, 8), np.nan)).advance(1.0)
