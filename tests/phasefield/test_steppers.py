"""Integrators against exact solutions, their declared orders, and their honesty when they cannot go on."""

from __future__ import annotations

import math

import numpy as np
import pytest

from dynaphase.errors import ConfigError, SimulationError
from dynaphase.phasefield.operators import FloatArray
from dynaphase.phasefield.steppers import (
    ExplicitEuler,
    RungeKuttaChebyshev,
    Stepper,
    _chebyshev_coefficients,
)

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
    k = _chebyshev_coefficients(s)
    before, previous = np.ones_like(z), 1.0 + k.mu_tilde[1] * z
    for j in range(2, s + 1):
        stage = 1 - k.mu[j] - k.nu[j] + k.mu[j] * previous + k.nu[j] * before
        stage += k.mu_tilde[j] * z * previous + k.gamma_tilde[j] * z
        before, previous = previous, stage
    assert np.abs(previous).max() <= 1.0 + 1e-12
    assert np.abs(previous[z < -2]).max(initial=0.0) < 0.97, "high frequencies must be damped"
    assert np.abs(previous - 1 - z - z**2 / 2)[np.abs(z) < 0.05].max() < 0.05**3
    assert k.c[s] == pytest.approx(1.0), "the last stage sits at the end of the step"


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
