"""Run a model to an end time, observe it on the way, and say how it ended."""

from __future__ import annotations

import math
import time as clock
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from dynaphase.errors import ConfigError, SimulationError
from dynaphase.phasefield.contract import PhaseFieldModel
from dynaphase.phasefield.operators import FloatArray
from dynaphase.phasefield.stepping import Integration, Stepper, SteppingStatistics, rate_of

__all__ = ["Observable", "RunStatus", "Trajectory", "default_observables", "simulate"]

Observable = Callable[[FloatArray], float]
"""A number measured on a state; must not alter it."""


class RunStatus(StrEnum):
    """How a run ended."""

    DONE = "done"
    """The end time was reached."""
    STEADY = "steady"
    """The state stopped changing before the end time, by the rate that was asked for."""
    DIVERGED = "diverged"
    """A value became infinite or not a number."""
    OUT_OF_BOUNDS = "out-of-bounds"
    """A field left the bounds of the model by more than the stepper may overshoot."""
    STALLED = "stalled"
    """The stepper could not go on: the step shrank to nothing or the steps ran out."""
    INTERRUPTED = "interrupted"
    """Stopped by the user (Ctrl-C)."""


@dataclass(frozen=True, slots=True)
class Trajectory:
    """What a run leaves behind."""

    status: RunStatus
    message: str
    """When, where and what to change; empty when done, the time and the rate when steady."""
    state: FloatArray
    """The state at the end: of ``DIVERGED`` and ``OUT_OF_BOUNDS`` the offending one, of ``STALLED`` the last
    accepted, of ``INTERRUPTED`` that of the last observation."""
    time: float
    """Time of `state`."""
    times: FloatArray
    """Times of the observations, (n,)."""
    observations: Mapping[str, FloatArray]
    """Observed scalars by name, (n,) each."""
    statistics: SteppingStatistics
    cpu_seconds: float
    """CPU time of this thread from the first step to the last, compilation left out."""

    @property
    def is_done(self) -> bool:
        """Whether the end time or a steady state was reached."""
        return self.status in (RunStatus.DONE, RunStatus.STEADY)

    def require_done(self) -> Trajectory:
        """Return this trajectory, or raise `SimulationError` with its message when the run did not finish."""
        if not self.is_done:
            raise SimulationError(self.message)
        return self


def default_observables(model: PhaseFieldModel) -> dict[str, Observable]:
    """``energy`` and the mean of every field, ``mean_<field>``."""
    observables: dict[str, Observable] = {"energy": model.energy}
    if len(model.fields) == 1:
        observables[f"mean_{model.fields[0]}"] = lambda state: float(np.mean(state, dtype=np.float64))
    else:
        for index, name in enumerate(model.fields):
            observables[f"mean_{name}"] = lambda state, i=index: float(np.mean(state[i], dtype=np.float64))  # type: ignore[misc]
    return observables


def simulate(
    model: PhaseFieldModel,
    state: FloatArray,
    stepper: Stepper,
    t_end: float,
    *,
    n_observations: int = 50,
    observables: Mapping[str, Observable] | None = None,
    progress: Callable[[float], None] | None = None,
    steady_rate: float | None = None,
    on_state: Callable[[float, FloatArray], None] | None = None,
) -> Trajectory:
    """Integrate `model` from `state` at t = 0 to `t_end`.

    Observations are taken at t = 0 and at `n_observations` equally spaced times, the last one `t_end`.  At each the
    state is checked: a value that is not finite, or outside the bounds of the model by more than the stepper's
    ``overshoot``, ends the run.

    Parameters
    ----------
    model : PhaseFieldModel
    state : array
        Initial state, left untouched.
    stepper : Stepper
    t_end : float
        End time > 0, in the model's unit of time.
    n_observations : int
        At least 1.
    observables : mapping of name to callable, optional
        Default: `default_observables`.
    progress : callable, optional
        Called with the finished fraction in (0, 1] after every observation.
    steady_rate : float, optional
        End the run as ``STEADY`` at the first observation after the start where the root mean square of ∂u/∂t over
        cells and fields is below this, in units of the state over the model's unit of time.
    on_state : callable, optional
        Called at every observation with the time and a copy of the state, the receiver's to keep.

    Returns
    -------
    Trajectory
        Also of a run that failed or was interrupted: see its ``status`` and ``message``.

    Raises
    ------
    ConfigError
        For an end time, a number of observations, a steady rate or an initial state that cannot be used.
    """
    if not 0 < t_end < np.inf:
        raise ConfigError(f"t_end must be positive and finite, not {t_end}")
    if not isinstance(n_observations, int) or n_observations < 1:
        raise ConfigError(f"n_observations must be a whole number, at least 1, not {n_observations}")
    if steady_rate is not None and not steady_rate > 0:
        raise ConfigError(f"steady_rate must be positive, not {steady_rate}; leave it out to run to t_end")
    _require_usable(model, state, stepper.overshoot)
    watched = default_observables(model) if observables is None else observables
    run = _Run(model, stepper, stepper.start(model, state), watched, steady_rate, on_state)
    started = clock.thread_time()
    try:
        status, message = run.advance_through(np.linspace(0.0, t_end, n_observations + 1), progress)
    except KeyboardInterrupt:
        status = RunStatus.INTERRUPTED
        message = f"interrupted after t = {run.times[-1]:.6g} of {t_end:.6g}; start the run again"
    return run.trajectory(status, message, clock.thread_time() - started)


class _Run:
    """The state of one call of `simulate`."""

    def __init__(
        self,
        model: PhaseFieldModel,
        stepper: Stepper,
        integration: Integration,
        watched: Mapping[str, Observable],
        steady_rate: float | None,
        on_state: Callable[[float, FloatArray], None] | None,
    ) -> None:
        self.model, self.stepper, self.integration, self.watched = model, stepper, integration, watched
        self.steady_rate, self.on_state = steady_rate, on_state
        self.times: list[float] = []
        self.values: dict[str, list[float]] = {name: [] for name in watched}
        self.observe()

    def observe(self) -> None:
        state = self.integration.state
        values = {name: measure(state) for name, measure in self.watched.items()}
        self.last_state = state.copy()
        for name, value in values.items():
            self.values[name].append(value)
        self.times.append(self.integration.time)
        if self.on_state is not None:
            self.on_state(self.integration.time, self.last_state)

    def advance_through(self, times: FloatArray, progress: Callable[[float], None] | None) -> tuple[RunStatus, str]:
        for time in times[1:].tolist():
            try:
                self.integration.advance(time)
            except SimulationError as failure:
                return RunStatus.STALLED, str(failure)
            problem = self.problem()
            if problem is not None:
                return problem
            self.observe()
            rate = self.rate() if self.steady_rate is not None else math.inf
            is_steady = self.steady_rate is not None and rate < self.steady_rate
            if progress is not None:
                progress(1.0 if is_steady else time / times[-1])
            if is_steady:
                return RunStatus.STEADY, f"steady at t = {time:.6g}: the root mean square of the rate is {rate:.3g}"
        return RunStatus.DONE, ""

    def rate(self) -> float:
        """Root mean square of ∂u/∂t over cells and fields."""
        slope = np.empty_like(self.last_state)
        rate_of(self.model)(self.integration.time, self.last_state, slope)
        return float(np.sqrt(np.mean(np.square(slope, dtype=np.float64))))

    def problem(self) -> tuple[RunStatus, str] | None:
        state, bounds = self.integration.state, self.model.bounds
        lowest, highest = float(np.min(state)), float(np.max(state))
        if not np.isfinite(lowest + highest):
            cell = np.unravel_index(int(np.argmin(np.isfinite(state))), state.shape)
            what = f"became {state[cell]}"
            return RunStatus.DIVERGED, self.explain(what, tuple(int(i) for i in cell))
        if bounds is not None:
            low, high = bounds
            excess = np.maximum(low - state, state - high)
            cell = np.unravel_index(int(np.argmax(excess)), state.shape)
            if excess[cell] > self.stepper.overshoot:
                what = f"reached {state[cell]:.6g}, outside [{low:g}, {high:g}]"
                return RunStatus.OUT_OF_BOUNDS, self.explain(what, tuple(int(i) for i in cell))
        return None

    def explain(self, what: str, cell: tuple[int, ...]) -> str:
        name = self.model.fields[0]
        if len(self.model.fields) > 1:
            name, cell = self.model.fields[cell[0]], cell[1:]
        place = ", ".join(f"{(i + 0.5) * self.model.grid.spacing_nm:.4g}" for i in cell)
        radius = self.model.spectral_radius(self.last_state)
        stable = f"{2.0 / radius:.3g}" if radius > 0 else "any length"
        return (
            f"{name} {what} in cell {cell} at ({place}) nm, between t = {self.times[-1]:.6g} and "
            f"{self.integration.time:.6g}. Explicit Euler is stable there for dt up to about {stable}; shorten the "
            "step or tighten the tolerances of the stepper, or use RungeKuttaChebyshev, and check the parameters"
        )

    def trajectory(self, status: RunStatus, message: str, cpu_seconds: float) -> Trajectory:
        is_interrupted = status is RunStatus.INTERRUPTED
        return Trajectory(
            status=status,
            message=message,
            state=self.last_state if is_interrupted else self.integration.state.copy(),
            time=self.times[-1] if is_interrupted else self.integration.time,
            times=np.array(self.times),
            observations={name: np.array(values) for name, values in self.values.items()},
            statistics=self.integration.statistics,
            cpu_seconds=cpu_seconds,
        )


def _require_usable(model: PhaseFieldModel, state: FloatArray, overshoot: float) -> None:
    if not isinstance(state, np.ndarray) or isinstance(state, np.ma.MaskedArray) or state.dtype.kind not in "fiu":
        found = f"{type(state).__name__} of {getattr(state, 'dtype', 'no type')}"
        raise ConfigError(f"the initial state must be a numpy array of real numbers, not {found}")
    expected = model.grid.shape if len(model.fields) == 1 else (len(model.fields), *model.grid.shape)
    if state.shape != expected:
        raise ConfigError(f"the initial state has shape {state.shape}; fields {model.fields} need {expected}")
    if not np.all(np.isfinite(state)):
        raise ConfigError("the initial state holds values that are not finite")
    if model.bounds is not None:
        low, high = model.bounds
        # A state that the stepper itself may leave behind may also be its start.
        if state.min() < low - overshoot or state.max() > high + overshoot:
            raise ConfigError(
                f"the initial state spans [{state.min():.6g}, {state.max():.6g}], outside [{low:g}, {high:g}]; clip it"
            )
