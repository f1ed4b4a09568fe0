"""Integrators against exact solutions, their declared orders, and their honesty when they cannot go on."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dynaphase.errors import ConfigError, SimulationError
from dynaphase.phasefield import field_loops
from dynaphase.phasefield.chebyshev import FusedChebyshevModel, chebyshev_coefficients
from dynaphase.phasefield.free_energy import Polynomial
from dynaphase.phasefield.grid import Boundary, Grid
from dynaphase.phasefield.models.allen_cahn import AllenCahn, AllenCahnParameters
from dynaphase.phasefield.models.cahn_hilliard import CahnHilliard, CahnHilliardParameters
from dynaphase.phasefield.operators import FloatArray
from dynaphase.phasefield.simulate import RunStatus, simulate
from dynaphase.phasefield.steppers import ExplicitEuler, RungeKuttaChebyshev, Stepper
from dynaphase.phasefield.terms import add_terms

EASY = {"rtol": 1e12, "atol": 1e12}
"""Tolerances that are always met: every step has the length max_dt."""


class Linear:
    """dy/dt = λ y, one λ an entry."""

    def __init__(self, *eigenvalues: float) -> None:
        self.eigenvalues = np.array(eigenvalues)
        self.n_calls = 0

    def rhs(self, state: FloatArray, out: FloatArray) -> None:
        self.n_calls += 1
        np.multiply(self.eigenvalues, state, out=out)

    def spectral_radius(self, state: FloatArray) -> float:
        return float(np.abs(self.eigenvalues).max())


class Logistic:
    """dy/dt = y(1 − y), solved by 1/(1 + (1/y₀ − 1)e^{−t})."""

    def rhs(self, state: FloatArray, out: FloatArray) -> None:
        np.multiply(state, 1.0 - state, out=out)

    def spectral_radius(self, state: FloatArray) -> float:
        return 1.0


class Driven:
    """dy/dt = −20 (y − cos t) − sin t, solved by cos t from y = 1: stiff, and the time enters."""

    def rhs(self, state: FloatArray, out: FloatArray) -> None:
        raise AssertionError("the time-dependent right-hand side must be used")

    def rhs_at(self, time: float, state: FloatArray, out: FloatArray) -> None:
        out[...] = -20.0 * (state - math.cos(time)) - math.sin(time)

    def spectral_radius(self, state: FloatArray) -> float:
        return 20.0


class Explosion:
    """dy/dt = y², which from y = 1 is infinite at t = 1."""

    def rhs(self, state: FloatArray, out: FloatArray) -> None:
        np.multiply(state, state, out=out)

    def spectral_radius(self, state: FloatArray) -> float:
        return float(2 * np.abs(state).max())


def solve(model: object, stepper: Stepper, y0: list[float], t_end: float) -> FloatArray:
    integration = stepper.start(model, np.array(y0))  # type: ignore[arg-type]
    integration.advance(t_end)
    assert integration.time == t_end
    return integration.state


def logistic_error(stepper: Stepper) -> float:
    y0 = np.array([0.1, 0.6, 1.5])
    exact = 1.0 / (1.0 + (1.0 / y0 - 1.0) * math.exp(-2.0))
    return float(np.abs(solve(Logistic(), stepper, y0.tolist(), 2.0) - exact).max())


def driven_error(stepper: Stepper) -> float:
    return float(np.abs(solve(Driven(), stepper, [1.0], 1.5) - math.cos(1.5)).max())


@pytest.mark.parametrize("error", [logistic_error, driven_error])
@pytest.mark.parametrize("method", [ExplicitEuler, RungeKuttaChebyshev])
def test_measured_order_is_the_declared_one(method: type, error: object) -> None:
    def at(dt: float) -> float:
        stepper = ExplicitEuler(dt) if method is ExplicitEuler else RungeKuttaChebyshev(max_dt=dt, **EASY)
        return error(stepper)  # type: ignore[operator, no-any-return]

    coarse, fine = at(1 / 160), at(1 / 320)
    assert math.log2(coarse / fine) == pytest.approx(method.order, abs=0.15)  # type: ignore[attr-defined]


@pytest.mark.parametrize("s", [2, 3, 5, 10, 50])
def test_chebyshev_stability_polynomial(s: int) -> None:
    z = -np.linspace(0.0, 0.653 * (s**2 - 1), 400)
    k = chebyshev_coefficients(s)
    before, previous = np.ones_like(z), 1.0 + k.mu_tilde[1] * z
    for j in range(2, s + 1):
        stage = 1 - k.mu[j] - k.nu[j] + k.mu[j] * previous + k.nu[j] * before
        stage += k.mu_tilde[j] * z * previous + k.gamma_tilde[j] * z
        before, previous = previous, stage
    assert np.abs(previous).max() <= 1.0 + 1e-12
    assert np.abs(previous[z < -2]).max(initial=0.0) < 0.97, "high frequencies must be damped"
    assert np.abs(previous - 1 - z - z**2 / 2)[np.abs(z) < 0.05].max() < 0.05**3
    assert k.c[s] == pytest.approx(1.0), "the last stage sits at the end of the step"


WELL = Polynomial.double_well(5.0, 0.3, 0.7)
MIXED = (Boundary.PERIODIC, Boundary.NO_FLUX, Boundary.PERIODIC)


def make_models(shape: tuple[int, ...]) -> list[AllenCahn | CahnHilliard]:
    grid = Grid(shape, 0.8, MIXED[: len(shape)])
    varying = Polynomial((1.0, 6.0, -5.0))
    return [
        AllenCahn(grid, AllenCahnParameters(WELL, 2.0, 1.5)),
        CahnHilliard(grid, CahnHilliardParameters(WELL, 2.0, 5.0)),
        CahnHilliard(grid, CahnHilliardParameters(WELL, 2.0, varying)),
    ]


class Plain:
    """A model stripped of everything but what a stepper must have."""

    def __init__(self, model: AllenCahn | CahnHilliard) -> None:
        self.rhs, self.spectral_radius = model.rhs, model.spectral_radius


def noise(shape: tuple[int, ...], dtype: type = np.float64) -> FloatArray:
    return np.random.default_rng(4).uniform(0.35, 0.65, shape).astype(dtype)


@pytest.mark.parametrize("shape", [(20, 33), (9, 6, 7)])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_stages_inside_the_stencil_loop_equal_those_outside(shape: tuple[int, ...], which: int) -> None:
    model = make_models(shape)[which]
    assert isinstance(model, FusedChebyshevModel)
    ends = []
    for stripped in (model, Plain(model)):
        integration = RungeKuttaChebyshev(1e-4, 1e-5).start(stripped, noise(shape))
        assert isinstance(stripped, Plain) is not isinstance(stripped, FusedChebyshevModel)
        integration.advance(0.7)
        integration.advance(2.0)
        ends.append((integration.state.copy(), integration.statistics))
    np.testing.assert_allclose(ends[0][0], ends[1][0], rtol=0, atol=1e-12)
    assert ends[0][1].n_rhs == ends[1][1].n_rhs > 50
    assert ends[0][1].stiffness == pytest.approx(ends[1][1].stiffness, rel=1e-12)


@pytest.mark.parametrize("planes", [1, 8, 9])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_stages_do_not_depend_on_the_chunks_of_planes(which: int, planes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def end() -> FloatArray:
        integration = RungeKuttaChebyshev(1e-4, 1e-5).start(make_models((20, 33))[which], noise((20, 33)))
        integration.advance(1.0)
        return integration.state

    expected = end()  # in one chunk
    monkeypatch.setattr(field_loops, "_CHUNK_CELLS", planes * 48)
    assert field_loops.PaddedLoops((20, 33), (True, True), np.dtype(float)).chunk == planes
    np.testing.assert_allclose(end(), expected, rtol=0, atol=1e-13)


@pytest.mark.parametrize(("which", "t_end"), [(0, 40.0), (1, 4000.0)])
def test_stages_inside_the_stencil_loop_end_where_the_field_is_steady(which: int, t_end: float) -> None:
    model, limit = make_models((12, 10))[which], 1e-6
    stepper = RungeKuttaChebyshev(1e-7, 1e-9)
    run = simulate(model, noise((12, 10)), stepper, t_end, n_observations=400, steady_rate=limit)
    assert run.status is RunStatus.STEADY
    assert math.sqrt(np.mean(model.reference_rhs(run.state) ** 2)) < limit
    before = simulate(model, noise((12, 10)), stepper, float(run.times[-2]), n_observations=len(run.times) - 2)
    assert math.sqrt(np.mean(model.reference_rhs(before.state) ** 2)) >= limit


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("stepper", [ExplicitEuler(1e-3), RungeKuttaChebyshev(1e-3, 1e-4)])
def test_the_precision_of_the_state_stays(stepper: Stepper, dtype: type) -> None:
    for model in [*make_models((12, 10)), Plain(make_models((12, 10))[1]), Logistic()]:
        start = noise((12, 10), dtype)
        integration = stepper.start(model, start)
        integration.advance(0.5)
        assert integration.state.dtype == dtype
        reference = stepper.start(model, start.astype(np.float64))
        reference.advance(0.5)
        np.testing.assert_allclose(integration.state, reference.state, rtol=0, atol=2e-4 if dtype is np.float32 else 0)


def test_other_precisions_become_double() -> None:
    assert ExplicitEuler(0.1).start(Logistic(), np.array([1, 0])).state.dtype == np.float64


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("stepper", [ExplicitEuler(1e-3), RungeKuttaChebyshev(1e-4, 1e-5)])
def test_a_resumed_integration_equals_the_uninterrupted_one_to_the_last_bit(stepper: Stepper, dtype: type) -> None:
    for model in [*make_models((12, 10)), Plain(make_models((12, 10))[1])]:
        whole = stepper.start(model, noise((12, 10), dtype))
        for time in (0.3, 0.9):
            whole.advance(time)
        checkpoint = whole.checkpoint()
        assert all(isinstance(value, np.ndarray | float | int) for value in checkpoint.values())
        kept = {name: np.copy(value) for name, value in checkpoint.items()}
        whole.advance(2.0)
        for saved in (checkpoint, kept):
            resumed = stepper.resume(model, saved)
            assert resumed.time == 0.9
            resumed.advance(2.0)
            np.testing.assert_array_equal(resumed.state, whole.state)
            assert resumed.statistics == whole.statistics


def test_a_checkpoint_of_another_method_is_refused() -> None:
    checkpoint = ExplicitEuler(0.1).start(Logistic(), np.array([0.5])).checkpoint()
    with pytest.raises(ConfigError, match="RungeKuttaChebyshev"):
        RungeKuttaChebyshev().resume(Logistic(), checkpoint)
    with pytest.raises(ConfigError, match="no time, state"):
        ExplicitEuler(0.1).resume(Logistic(), {})


def test_statistics_tell_stiffness_and_steps() -> None:
    integration = RungeKuttaChebyshev(max_dt=0.25, **EASY).start(Linear(-1.0, -30.0), np.array([1.0, 1.0]))
    assert integration.statistics.smallest_step == integration.statistics.largest_step == 0.0
    integration.advance(0.1)
    integration.advance(1.1)
    statistics = integration.statistics
    assert statistics.stiffness == 30.0
    assert statistics.smallest_step == 0.1
    assert statistics.largest_step == pytest.approx(0.25)
    euler = ExplicitEuler(0.3).start(Logistic(), np.array([0.5]))
    euler.advance(0.3)
    euler.advance(0.5)
    assert euler.statistics.smallest_step == pytest.approx(0.2)
    assert euler.statistics.largest_step == 0.3
    assert euler.statistics.stiffness == 0.0


def test_stiff_decay_takes_far_fewer_evaluations_than_euler() -> None:
    model = Linear(-1.0, -1e4)
    stepper = RungeKuttaChebyshev(rtol=1e-4, atol=1e-6)
    integration = stepper.start(model, np.array([1.0, 1.0]))
    integration.advance(2.0)
    assert integration.state[0] == pytest.approx(math.exp(-2.0), abs=3e-4)
    assert abs(integration.state[1]) < 1e-6
    assert integration.statistics.n_rhs == model.n_calls
    assert integration.statistics.n_rhs < 0.2 * 2.0 * 1e4 / 2.0


def test_error_follows_the_tolerance() -> None:
    errors = [logistic_error(RungeKuttaChebyshev(rtol=tol, atol=tol)) for tol in (1e-3, 1e-5, 1e-7)]
    assert errors[0] > 5 * errors[1] > 25 * errors[2]
    assert errors[2] < 1e-5, "about n_steps times the tolerance"


def test_steps_that_miss_the_tolerance_are_rejected() -> None:
    class Switch(Linear):
        def rhs_at(self, time: float, state: FloatArray, out: FloatArray) -> None:
            out[...] = 0.0 if time < 1.0 else 5.0 * math.cos(40 * time)

    integration = RungeKuttaChebyshev(rtol=1e-5, atol=1e-6).start(Switch(-1.0), np.array([1.0]))
    integration.advance(3.0)
    exact = 1.0 + 5.0 / 40 * (math.sin(120.0) - math.sin(40.0))
    assert integration.statistics.n_rejected > 0
    assert integration.state[0] == pytest.approx(exact, abs=1e-3)


def test_absolute_floor_stops_the_step_from_shrinking_with_the_solution() -> None:
    def n_steps(atol: float) -> int:
        integration = RungeKuttaChebyshev(rtol=1e-6, atol=atol).start(Linear(-1.0), np.array([1.0]))
        integration.advance(200.0)
        return integration.statistics.n_steps

    assert n_steps(1e-6) < 0.3 * n_steps(1e-60)


def test_result_does_not_depend_on_the_number_of_stops() -> None:
    at_once = ExplicitEuler(0.01).start(Logistic(), np.array([0.3]))
    at_once.advance(1.0)
    with_stops = ExplicitEuler(0.01).start(Logistic(), np.array([0.3]))
    for time in np.linspace(0.1, 1.0, 10).tolist():
        with_stops.advance(time)
    np.testing.assert_allclose(with_stops.state, at_once.state, rtol=1e-14)
    assert with_stops.statistics.n_steps == 100


def test_euler_divides_an_interval_into_steps_no_longer_than_dt() -> None:
    integration = ExplicitEuler(0.3).start(Linear(-1.0), np.array([1.0]))
    integration.advance(1.0)
    assert integration.statistics.n_steps == 4
    assert integration.state[0] == pytest.approx(0.75**4)


def test_integration_leaves_the_initial_state_alone() -> None:
    for stepper in (ExplicitEuler(0.1), RungeKuttaChebyshev()):
        y0 = np.array([0.5])
        stepper.start(Logistic(), y0).advance(1.0)
        assert y0[0] == 0.5


def test_stage_limit_shortens_the_step() -> None:
    integration = RungeKuttaChebyshev(max_stages=5, **EASY).start(Linear(-100.0), np.array([1.0]))
    integration.advance(10.0)
    assert integration.statistics.n_rhs <= 6 * integration.statistics.n_steps + 10
    assert abs(integration.state[0]) < 1.0


def test_blow_up_and_endless_runs_are_reported() -> None:
    with pytest.raises(SimulationError, match=r"shrank|steps were not enough|not finite"):
        solve(Explosion(), RungeKuttaChebyshev(), [1.0], 2.0)
    with pytest.raises(SimulationError, match="loosen rtol"):
        solve(Linear(-1.0), RungeKuttaChebyshev(rtol=1e-9, atol=1e-9, max_steps=10), [1.0], 10.0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: ExplicitEuler(0.0),
        lambda: RungeKuttaChebyshev(rtol=-1.0),
        lambda: RungeKuttaChebyshev(atol=0.0),
        lambda: RungeKuttaChebyshev(max_stages=1),
        lambda: RungeKuttaChebyshev(max_dt=math.nan),
    ],
)
def test_useless_options_are_refused(make: object) -> None:
    with pytest.raises(ConfigError):
        make()  # type: ignore[operator]


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 2e-14), (np.float32, 2e-6)])
def test_a_conserved_mean_stays_over_many_stages(dtype: type, tolerance: float) -> None:
    """In both precisions, with the loops of the model and with plain stages."""
    grid = Grid((32, 30), 1.0, (Boundary.NO_FLUX, Boundary.PERIODIC))
    parameters = CahnHilliardParameters(Polynomial.double_well(5.0, 0.3, 0.7), 2.0, 5.0)
    start = (0.5 + 0.02 * np.random.default_rng(1).standard_normal(grid.shape)).astype(dtype)
    mean = float(np.mean(start, dtype=np.float64))
    for model in (CahnHilliard(grid, parameters), add_terms(CahnHilliard(grid, parameters))):
        run = RungeKuttaChebyshev(1e-3, 1e-4).start(model, start)
        run.advance(500.0)
        assert run.statistics.n_rhs > 2000
        assert abs(float(np.mean(run.state, dtype=np.float64)) / mean - 1) < tolerance * math.sqrt(run.statistics.n_rhs)
