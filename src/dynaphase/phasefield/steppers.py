"""Time integrators: explicit Euler at a fixed step, and adaptive Runge–Kutta–Chebyshev of second order.

A stepper is a frozen choice of method and tolerances; ``start`` binds it to a model and a state and returns an
integration, the only object that changes.  A stepper knows nothing of physics: the model is anything that meets
:mod:`dynaphase.phasefield.contract`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Final, NamedTuple, Protocol

import numpy as np

from dynaphase.errors import ConfigError, SimulationError
from dynaphase.phasefield.contract import FusedEulerModel, SteppableModel, TimeDependentModel
from dynaphase.phasefield.operators import FloatArray

__all__ = [
    "ExplicitEuler",
    "Integration",
    "RungeKuttaChebyshev",
    "Stepper",
    "SteppingStatistics",
]


@dataclass(frozen=True, slots=True)
class SteppingStatistics:
    """What the integration has cost so far."""

    n_steps: int = 0
    """Accepted steps."""
    n_rejected: int = 0
    n_rhs: int = 0
    """Evaluations of the right-hand side."""


class Integration(Protocol):
    """A stepper at work on one state."""

    @property
    def time(self) -> float:
        """Time reached."""

    @property
    def state(self) -> FloatArray:
        """State at ``time``; valid until the next ``advance``, copy it to keep it."""

    @property
    def statistics(self) -> SteppingStatistics:
        """Counts since the start."""

    def advance(self, until: float) -> None:
        """Integrate up to `until` exactly; raises `SimulationError` when the method cannot go on."""


class Stepper(Protocol):
    """A method of time integration."""

    order: ClassVar[int]
    """Order of convergence in the step, held by a test."""

    @property
    def overshoot(self) -> float:
        """How far this method may carry a field beyond bounds that the exact solution keeps."""

    def start(self, model: SteppableModel, state: FloatArray, time: float = 0.0) -> Integration:
        """Bind the method to `model` at a copy of `state`; compiles what will be needed."""


Rate = Callable[[float, FloatArray, FloatArray], None]


def _rate_of(model: SteppableModel) -> Rate:
    if isinstance(model, TimeDependentModel):
        return model.rhs_at
    return lambda _time, state, out: model.rhs(state, out)


def _own_copy(state: FloatArray) -> FloatArray:
    return np.array(state, dtype=np.float64, order="C", copy=True)


def _require_positive(**values: float) -> None:
    for name, value in values.items():
        if not value > 0:
            raise ConfigError(f"{name} must be positive, not {value}")


# --- explicit Euler ---------------------------------------------------------------------------------------------

_EULER_STEPS_PER_CALL: Final = 20_000
"""Steps between two returns to Python: about 0.1 s at 128², so that Ctrl-C is answered."""


@dataclass(frozen=True, slots=True)
class ExplicitEuler:
    """Explicit Euler, C ← C + Δt F(C), at a fixed step; first order.

    Stable for Δt ≤ 2/ρ with ρ the spectral radius of the Jacobian: Δt ≤ Δx²/(4D) for diffusion in two dimensions.

    Parameters
    ----------
    dt : float
        Step, in the model's unit of time.  An interval that is no multiple of it is divided evenly into the
        smallest number of steps none of which is longer.
    """

    dt: float = 1e-3
    order: ClassVar[int] = 1

    def __post_init__(self) -> None:
        _require_positive(dt=self.dt)

    @property
    def overshoot(self) -> float:
        """Round-off only: below its stability limit the scheme is a convex combination of neighbours."""
        return 1e-9

    def start(self, model: SteppableModel, state: FloatArray, time: float = 0.0) -> Integration:
        """Bind to `model`; where the model has a fused loop, it is used (and compiled here)."""
        return _EulerIntegration(model, _own_copy(state), self.dt, time)


class _EulerIntegration:
    def __init__(self, model: SteppableModel, state: FloatArray, dt: float, time: float) -> None:
        self._model, self._dt = model, dt
        self.state, self.time = state, time
        self._n_steps = 0
        self._fused = isinstance(model, FusedEulerModel)
        self._rate = _rate_of(model)
        self._slope = np.empty_like(state)
        if isinstance(model, FusedEulerModel):
            model.euler_steps(state, dt, 0)
        else:
            self._rate(time, state, self._slope)

    @property
    def statistics(self) -> SteppingStatistics:
        return SteppingStatistics(n_steps=self._n_steps, n_rhs=self._n_steps)

    def advance(self, until: float) -> None:
        span = until - self.time
        n_steps = max(1, math.ceil(span / self._dt * (1 - 1e-9)))
        dt = span / n_steps
        if math.isclose(dt, self._dt, rel_tol=1e-9):
            dt = self._dt  # the step that was asked for, to the last bit
        start = self.time
        for done in range(0, n_steps, _EULER_STEPS_PER_CALL):
            n = min(_EULER_STEPS_PER_CALL, n_steps - done)
            self._steps(n, dt)
            self._n_steps += n
            self.time = start + (done + n) * dt
        self.time = until

    def _steps(self, n_steps: int, dt: float) -> None:
        if isinstance(self._model, FusedEulerModel):
            self._model.euler_steps(self.state, dt, n_steps)
            return
        for i in range(n_steps):
            self._rate(self.time + i * dt, self.state, self._slope)
            self.state += dt * self._slope


# --- Runge–Kutta–Chebyshev --------------------------------------------------------------------------------------

_DAMPING: Final = 2.0 / 13.0
"""ε of the scheme: keeps the internal stages strictly inside the stability interval."""


class _Coefficients(NamedTuple):
    """Of the stages j = 0 … s (entries below 2 only where they are used); names as in the 1998 paper."""

    mu: FloatArray
    nu: FloatArray
    mu_tilde: FloatArray
    gamma_tilde: FloatArray
    c: FloatArray


@lru_cache(maxsize=256)
def _chebyshev_coefficients(s: int) -> _Coefficients:
    """Coefficients of the second-order scheme with s ≥ 2 stages, from T_j, T'_j, T''_j at w₀ = 1 + ε/s²."""
    w0 = 1.0 + _DAMPING / s**2
    t, dt, d2t = np.zeros((3, s + 1))
    t[:2] = 1.0, w0
    dt[1] = 1.0
    for j in range(2, s + 1):
        t[j] = 2 * w0 * t[j - 1] - t[j - 2]
        dt[j] = 2 * w0 * dt[j - 1] - dt[j - 2] + 2 * t[j - 1]
        d2t[j] = 2 * w0 * d2t[j - 1] - d2t[j - 2] + 4 * dt[j - 1]
    w1 = dt[s] / d2t[s]
    b = np.empty(s + 1)
    b[2:] = d2t[2:] / dt[2:] ** 2
    b[:2] = b[2]
    a = 1.0 - b * t
    mu, nu, mu_tilde, gamma_tilde, c = np.zeros((5, s + 1))
    mu_tilde[1] = b[1] * w1
    mu[2:] = 2 * w0 * b[2:] / b[1:-1]
    nu[2:] = -b[2:] / b[:-2]
    mu_tilde[2:] = 2 * w1 * b[2:] / b[1:-1]
    gamma_tilde[2:] = -a[1:-1] * mu_tilde[2:]
    c[2:] = w1 * d2t[2:] / dt[2:]
    c[1] = c[2] / dt[2]
    return _Coefficients(mu, nu, mu_tilde, gamma_tilde, c)


@dataclass(frozen=True, slots=True)
class RungeKuttaChebyshev:
    """Adaptive explicit Runge–Kutta–Chebyshev scheme of second order (RKC2) for diffusion-dominated equations.

    A step of s stages is stable up to Δt·ρ ≈ 0.65 s², against 2 s for s Euler steps: no linear solve, no
    stabilization constant, any mobility, any boundary.  The stage number follows from the step and the spectral
    radius; the step follows from the embedded estimate

        e = 0.8 (y₀ − y₁) + 0.4 Δt (F₀ + F₁),   ‖e / (atol + rtol·max(|y₀|, |y₁|))‖_rms ≤ 1.

    Source: B.P. Sommeijer, L.F. Shampine, J.G. Verwer, J. Comput. Appl. Math. 88, 315 (1998),
    doi:10.1016/S0377-0427(97)00219-7.

    Parameters
    ----------
    rtol, atol : float
        Relative and absolute tolerance of one step.  The absolute one is the floor that keeps the step from
        shrinking near equilibrium, where the relative one asks for digits of a number that is almost zero.
    max_dt : float
        Longest step.  With huge tolerances every step has this length (up to the division of the interval).
    max_stages : int
        Most stages in one step, at least 2; the step is shortened to respect it.
    max_steps : int
        Attempted steps after which the integration is given up.
    """

    rtol: float = 1e-4
    atol: float = 1e-5
    max_dt: float = math.inf
    max_stages: int = 200
    max_steps: int = 100_000
    order: ClassVar[int] = 2

    def __post_init__(self) -> None:
        _require_positive(rtol=self.rtol, atol=self.atol, max_dt=self.max_dt, max_steps=self.max_steps)
        if self.max_stages < 2:
            raise ConfigError(f"max_stages must be at least 2, not {self.max_stages}")

    @property
    def overshoot(self) -> float:
        """A few times what the tolerances let one step miss in the root mean square."""
        return 10.0 * (self.rtol + self.atol)

    def start(self, model: SteppableModel, state: FloatArray, time: float = 0.0) -> Integration:
        """Bind to `model`; evaluates the right-hand side once and compiles the stage loops."""
        return _ChebyshevIntegration(self, model, _own_copy(state), time)


class _ChebyshevIntegration:
    def __init__(self, method: RungeKuttaChebyshev, model: SteppableModel, state: FloatArray, time: float) -> None:
        self._method, self._model, self._rate = method, model, _rate_of(model)
        self.state, self.time = state, time
        self._slope = np.empty_like(state)
        self._work = [np.empty_like(state) for _ in range(3)]
        self._n_steps = self._n_rejected = self._n_rhs = 0
        self._dt: float | None = None
        self._last: tuple[float, float] | None = None
        """Step and error of the last accepted step."""
        self._evaluate(time, state, self._slope)
        self._attempt(0.0, 2)  # compiles the loops, changes nothing

    @property
    def statistics(self) -> SteppingStatistics:
        return SteppingStatistics(self._n_steps, self._n_rejected, self._n_rhs)

    def advance(self, until: float) -> None:
        just_rejected = False
        while self.time < until:
            dt, stages = self._next_step(until - self.time)
            if not dt > 1e-13 * max(abs(until), abs(self.time)):
                raise SimulationError(
                    f"the time step shrank to {dt:.3g} at t = {self.time:.6g}: the solution grows without bound or "
                    f"the tolerances (rtol = {self._method.rtol:g}, atol = {self._method.atol:g}) ask for more than "
                    "double precision holds; loosen them, or check the model's parameters"
                )
            end, end_slope, error = self._attempt(dt, stages)
            if error <= 1.0:
                self._accept(until if dt >= until - self.time else self.time + dt, end, end_slope)
                self._dt = dt * self._growth(dt, error, may_grow=not just_rejected)
                self._last = dt, error
            else:
                self._n_rejected += 1
                self._dt = dt * (max(0.1, 0.8 * math.pow(error, -1 / 3)) if math.isfinite(error) else 0.1)
            just_rejected = error > 1.0 or not math.isfinite(error)
            self._stop_when_too_long()

    def _accept(self, time: float, end: FloatArray, end_slope: FloatArray) -> None:
        # the arrays change places: the old state and slope become work space
        self._work = [
            self.state,
            self._slope,
            *(w for w in self._work if w is not end and w is not end_slope),
        ]
        self.state, self._slope, self.time = end, end_slope, time
        self._n_steps += 1

    def _next_step(self, remaining: float) -> tuple[float, int]:
        """Length and stage number of the next attempt; the last two steps to the target are of equal length."""
        radius = self._model.spectral_radius(self.state)
        if not math.isfinite(radius):
            raise SimulationError(
                f"the spectral radius is {radius} at t = {self.time:.6g}: the state holds values that are not finite"
            )
        if self._dt is None:
            self._dt = self._first_step(radius, remaining)
        longest = 0.653 * (self._method.max_stages**2 - 1) / radius if radius > 0 else math.inf
        dt = min(self._dt, self._method.max_dt, longest)
        if dt >= remaining * (1 - 1e-12):
            dt = remaining
        elif 2 * dt > remaining:
            dt = remaining / 2
        stages = 1 + math.floor(math.sqrt(1.0 + 1.54 * dt * radius))
        return dt, min(max(2, stages), self._method.max_stages)

    def _first_step(self, radius: float, remaining: float) -> float:
        """A tenth of the step whose Euler error would just meet the tolerance."""
        trial = min(1.0 / radius if radius > 0 else math.inf, remaining, self._method.max_dt)
        end, slope = self._work[:2]
        np.add(self.state, trial * self._slope, out=end)
        self._evaluate(self.time + trial, end, slope)
        weight = self._method.atol + self._method.rtol * np.abs(self.state)
        error = float(np.sqrt(np.mean((trial * (slope - self._slope) / weight) ** 2)))
        if not error > 0:
            return remaining
        return min(0.1 * trial / math.sqrt(error), remaining)

    def _growth(self, dt: float, error: float, *, may_grow: bool) -> float:
        """Factor to the next step, from this error and the last one."""
        error = max(error, 1e-10)
        factor = 0.8 * math.pow(error, -1 / 3)
        if self._last is not None:
            last_dt, last_error = self._last
            factor *= dt / last_dt * math.pow(max(last_error, 1e-10) / error, 1 / 3)
        return min(max(factor, 0.1), 10.0 if may_grow else 1.0)

    def _attempt(self, dt: float, stages: int) -> tuple[FloatArray, FloatArray, float]:
        """One step from the present state: end state, its slope (both in work space) and the scaled error."""
        from dynaphase.phasefield.loops import chebyshev_stage, scaled_error

        k = _chebyshev_coefficients(stages)
        before, previous, slope = self._work
        y0, f0 = self.state.reshape(-1), self._slope.reshape(-1)
        np.copyto(before, self.state)
        np.multiply(self._slope, k.mu_tilde[1] * dt, out=previous)
        previous += self.state
        for j in range(2, stages + 1):
            self._evaluate(self.time + k.c[j - 1] * dt, previous, slope)
            chebyshev_stage(
                y0,
                f0,
                previous.reshape(-1),
                slope.reshape(-1),
                before.reshape(-1),
                float(k.mu[j]),
                float(k.nu[j]),
                float(k.mu_tilde[j] * dt),
                float(k.gamma_tilde[j] * dt),
            )
            before, previous = previous, before
        self._evaluate(self.time + dt, previous, slope)
        error = scaled_error(y0, f0, previous.reshape(-1), slope.reshape(-1), dt, self._method.rtol, self._method.atol)
        return previous, slope, error

    def _evaluate(self, time: float, state: FloatArray, out: FloatArray) -> None:
        self._rate(time, state, out)
        self._n_rhs += 1

    def _stop_when_too_long(self) -> None:
        if self._n_steps + self._n_rejected >= self._method.max_steps:
            raise SimulationError(
                f"{self._method.max_steps} steps were not enough: t = {self.time:.6g} was reached; loosen rtol or "
                "atol (near equilibrium an absolute floor is needed), or raise max_steps"
            )
