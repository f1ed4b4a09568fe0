"""How runs end, what they observe, and that they say why they stopped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from dynaphase.electrolyte.paper import PaperModel, PaperParameters
from dynaphase.errors import ConfigError, SimulationError
from dynaphase.phasefield.grid import Boundary, Grid
from dynaphase.phasefield.operators import FloatArray
from dynaphase.phasefield.simulate import RunStatus, default_observables, simulate
from dynaphase.phasefield.steppers import ExplicitEuler, RungeKuttaChebyshev

GRID = Grid((12, 6), 0.5, (Boundary.NO_FLUX_DIRICHLET, Boundary.PERIODIC))
MODEL = PaperModel(GRID, PaperParameters(D0_nm2_per_s=0.1, k_per_s=1e-2, gamma_J_per_m=1e-9))
STATE = np.random.default_rng(0).uniform(0.2, 0.9, GRID.shape)


def test_a_run_that_is_done() -> None:
    seen: list[float] = []
    before = STATE.copy()
    trajectory = simulate(MODEL, STATE, ExplicitEuler(0.05), 10.0, n_observations=5, progress=seen.append)
    assert trajectory.status is RunStatus.DONE
    assert trajectory.is_done
    assert trajectory.message == ""
    assert trajectory.require_done() is trajectory
    np.testing.assert_allclose(trajectory.times, [0, 2, 4, 6, 8, 10])
    np.testing.assert_allclose(seen, [0.2, 0.4, 0.6, 0.8, 1.0])
    assert trajectory.time == 10.0
    assert trajectory.statistics.n_steps == 200
    assert trajectory.statistics.n_rhs == 200
    assert trajectory.observations["mean_C"][-1] == pytest.approx(trajectory.state.mean())
    assert trajectory.observations["energy"][0] == pytest.approx(MODEL.energy(STATE))
    assert trajectory.cpu_seconds > 0
    assert np.array_equal(STATE, before)


def test_about_fifty_observations_by_default_and_own_observables() -> None:
    trajectory = simulate(MODEL, STATE, RungeKuttaChebyshev(), 10.0, observables={"corner": lambda C: float(C[0, 0])})
    assert trajectory.times.shape == (51,)
    assert list(trajectory.observations) == ["corner"]
    assert trajectory.observations["corner"][0] == STATE[0, 0]


def test_observables_of_a_model_with_several_fields() -> None:
    class TwoFields:
        fields = ("ρ", "η")

        def energy(self, state: FloatArray) -> float:
            return 7.0

    measured = default_observables(TwoFields())  # type: ignore[arg-type]
    state = np.stack([np.full((4, 4), 0.25), np.full((4, 4), 0.75)])
    assert {name: f(state) for name, f in measured.items()} == {"energy": 7.0, "mean_ρ": 0.25, "mean_η": 0.75}


def test_too_long_a_step_leaves_the_bounds_and_the_message_names_a_stable_one() -> None:
    stable = 2.0 / MODEL.spectral_radius(np.zeros(GRID.shape))
    trajectory = simulate(MODEL, STATE, ExplicitEuler(4 * stable), 12 * stable, n_observations=3)
    assert trajectory.status is RunStatus.OUT_OF_BOUNDS
    assert "outside [0, 1]" in trajectory.message
    assert "nm" in trajectory.message
    assert "RungeKuttaChebyshev" in trajectory.message
    assert f"{2.0 / MODEL.spectral_radius(STATE):.3g}" in trajectory.message
    with pytest.raises(SimulationError, match="outside"):
        trajectory.require_done()
    assert simulate(MODEL, STATE, ExplicitEuler(stable), 12 * stable).is_done


def test_a_run_ends_where_it_is_steady() -> None:
    """Decay at the rate k ends at the first observation with k·rms(C) below the limit, and with time in the rate."""

    class Decay:
        grid, fields, bounds = GRID, ("C",), None
        energy = staticmethod(lambda state: 0.0)

        def rhs(self, state: FloatArray, out: FloatArray) -> None:
            np.multiply(state, -2.0, out=out)

        def spectral_radius(self, state: FloatArray) -> float:
            return 2.0

    class Pushed(Decay):
        def rhs_at(self, time: float, state: FloatArray, out: FloatArray) -> None:
            out[...] = max(0.0, 3.5 - time)

    seen: list[float] = []
    half = np.full(GRID.shape, 0.5)
    run = simulate(
        Decay(),  # type: ignore[arg-type]
        half,
        RungeKuttaChebyshev(1e-6, 1e-8),
        10.0,
        n_observations=20,
        progress=seen.append,
        steady_rate=1e-3,
    )
    assert run.status is RunStatus.STEADY
    assert run.is_done
    assert run.require_done() is run
    assert run.time == run.times[-1] == 3.5, "e^{−2t} < 1e-3 from t = 3.454 on"
    assert "t = 3.5" in run.message
    assert seen[-1] == 1.0
    never = simulate(Decay(), half, ExplicitEuler(0.01), 3.0, n_observations=6, steady_rate=1e-3)  # type: ignore[arg-type]
    assert never.status is RunStatus.DONE
    pushed = simulate(Pushed(), half, ExplicitEuler(0.5), 10.0, n_observations=10, steady_rate=1e-9)  # type: ignore[arg-type]
    assert pushed.time == 4.0
    with pytest.raises(ConfigError, match="steady_rate"):
        simulate(MODEL, STATE, ExplicitEuler(0.05), 1.0, steady_rate=0.0)


def test_single_precision_runs() -> None:
    run = simulate(MODEL, STATE.astype(np.float32), ExplicitEuler(0.05), 1.0, n_observations=2)
    assert run.state.dtype == np.float32
    assert run.observations["mean_C"][-1] == pytest.approx(run.state.mean(dtype=np.float64), rel=1e-12)


def test_divergence_is_found_where_it_is() -> None:
    trajectory = simulate(MODEL, STATE, ExplicitEuler(20.0), 20.0 * 400, n_observations=1)
    assert trajectory.status is RunStatus.DIVERGED
    assert "nan" in trajectory.message or "inf" in trajectory.message
    assert "between t = 0 and 8000" in trajectory.message
    assert not np.all(np.isfinite(trajectory.state))
    assert trajectory.times.tolist() == [0.0]


def test_one_bad_cell_is_located() -> None:
    class Poisoned:
        grid, fields, bounds = GRID, ("C",), None
        energy = staticmethod(lambda state: 0.0)

        def rhs(self, state: FloatArray, out: FloatArray) -> None:
            out[...] = 0.0
            out[3, 4] = np.nan

        def spectral_radius(self, state: FloatArray) -> float:
            return 1.0

    message = simulate(Poisoned(), STATE, ExplicitEuler(1.0), 2.0, n_observations=1).message  # type: ignore[arg-type]
    assert "cell (3, 4) at (1.75, 2.25) nm" in message


def test_a_stepper_that_gives_up() -> None:
    stepper = RungeKuttaChebyshev(rtol=1e-9, atol=1e-9, max_steps=20)
    trajectory = simulate(MODEL, STATE, stepper, 100.0, n_observations=2)
    assert trajectory.status is RunStatus.STALLED
    assert "20 steps" in trajectory.message
    assert 0 < trajectory.time < 50.0


def test_interruption_keeps_what_was_observed() -> None:
    def stop_half_way(fraction: float) -> None:
        if fraction >= 0.5:
            raise KeyboardInterrupt

    trajectory = simulate(MODEL, STATE, RungeKuttaChebyshev(), 10.0, n_observations=10, progress=stop_half_way)
    assert trajectory.status is RunStatus.INTERRUPTED
    assert trajectory.time == trajectory.times[-1] == 5.0
    assert trajectory.observations["mean_C"][-1] == pytest.approx(trajectory.state.mean())
    until_then = simulate(MODEL, STATE, RungeKuttaChebyshev(), 5.0, n_observations=5)
    np.testing.assert_array_equal(trajectory.state, until_then.state)


@pytest.mark.parametrize(
    ("state", "t_end", "n", "words"),
    [
        (STATE, 0.0, 5, "t_end"),
        (STATE, np.inf, 5, "t_end"),
        (STATE, 1.0, 0, "n_observations"),
        (STATE[:-1], 1.0, 5, "shape"),
        (STATE + 1.0, 1.0, 5, "outside"),
        (STATE * np.nan, 1.0, 5, "not finite"),
    ],
)
def test_requests_that_cannot_be_met(state: FloatArray, t_end: float, n: int, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        simulate(MODEL, state, ExplicitEuler(0.05), t_end, n_observations=n)


def test_runs_are_deterministic() -> None:
    model = PaperModel(GRID, replace(MODEL.parameters, conservative=True))
    first, second = (simulate(model, STATE, RungeKuttaChebyshev(), 20.0).state for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    "state",
    [[[0.0] * 8] * 8, np.zeros((8, 8), complex), np.ma.masked_array(np.zeros((8, 8))), np.zeros((8, 8), object)],
)
def test_a_start_is_an_array_of_real_numbers(state: object) -> None:
    with pytest.raises(ConfigError, match="numpy array of real numbers"):
        simulate(MODEL, state, ExplicitEuler(0.1), 1.0)  # type: ignore[arg-type]
