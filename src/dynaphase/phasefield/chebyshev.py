"""Adaptive Runge–Kutta–Chebyshev integration of second order."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Final, NamedTuple, Protocol, runtime_checkable

import numpy as np

from dynaphase.errors import ConfigError, SimulationError
from dynaphase.phasefield.contract import SteppableModel, TimeDependentModel
from dynaphase.phasefield.operators import FloatArray
from dynaphase.phasefield.stepping import (
    AdaptiveIntegration,
    SteppingStatistics,
    own_copy,
    require_entries,
    require_positive,
)

__all__ = ["ChebyshevWork", "FusedChebyshevModel", "RungeKuttaChebyshev", "chebyshev_coefficients"]

_DAMPING: Final = 2.0 / 13.0
"""ε of the scheme: keeps the internal stages strictly inside the stability interval."""


class ChebyshevWork(Protocol):
    """Arrays in which the stages of one step are computed: the state and slope at its start, and those at its end."""

    def load(self, time: float, state: FloatArray, slope: FloatArray | None) -> None:
        """Take `state` at `time` as the start, and its rate, which is computed when `slope` is None."""

    def attempt(self, times: FloatArray, dt: float, weights: FloatArray, rtol: float, atol: float) -> float:
        """Compute the end of a step `dt` and its rate; the scaled error.

        `times` of the stages 0 … s; `weights` (s + 1, 5) are 1 − μ − ν, μ, ν, μ̃Δt and γ̃Δt of each.
        """

    def accept(self) -> None:
        """Make the end the start."""

    def slope_change(self, time: float, dt: float, rtol: float, atol: float) -> float:
        """Root mean square of Δt(F₁ − F₀)/(atol + rtol·|y₀|) with F₁ behind an Euler step of `dt` from the start."""

    def spectral_radius(self) -> float:
        """Upper bound on |λ| of the Jacobian at the start."""

    def state(self) -> FloatArray:
        """State at the start; valid until the next call."""

    def slope(self) -> FloatArray:
        """Its rate; valid until the next call."""


@runtime_checkable
class FusedChebyshevModel(Protocol):
    """A model whose stencil loops combine the stages of a Chebyshev step on the way."""

    def make_chebyshev_work(self, dtype: np.dtype[Any]) -> ChebyshevWork:
        """Work space for one integration in the precision `dtype`, float64 or float32."""


class Coefficients(NamedTuple):
    """Of the stages j = 0 … s (entries below 2 only where they are used); names as in the 1998 paper."""

    mu: FloatArray
    nu: FloatArray
    mu_tilde: FloatArray
    gamma_tilde: FloatArray
    c: FloatArray

    def weights(self, dt: float) -> FloatArray:
        """Factors of Y_{j−1} − Y₀, Y_{j−2} − Y₀, F_{j−1} and F₀ in stage j of a step `dt`, (s + 1, 4)."""
        return np.stack([self.mu, self.nu, self.mu_tilde * dt, self.gamma_tilde * dt], axis=1)


@lru_cache(maxsize=256)
def chebyshev_coefficients(s: int) -> Coefficients:
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
    return Coefficients(mu, nu, mu_tilde, gamma_tilde, c)


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
        require_positive(rtol=self.rtol, atol=self.atol, max_dt=self.max_dt, max_steps=self.max_steps)
        if self.max_stages < 2:
            raise ConfigError(f"max_stages must be at least 2, not {self.max_stages}")

    @property
    def overshoot(self) -> float:
        """A few times what the tolerances let one step miss in the root mean square."""
        return 10.0 * (self.rtol + self.atol)

    def start(self, model: SteppableModel, state: FloatArray, time: float = 0.0) -> AdaptiveIntegration:
        """Bind to `model`; evaluates the right-hand side once and compiles the stage loops."""
        return _ChebyshevIntegration(self, model, own_copy(state), time)

    def resume(self, model: SteppableModel, checkpoint: Mapping[str, Any]) -> AdaptiveIntegration:
        """Go on from a checkpoint of an integration by Runge–Kutta–Chebyshev."""
        require_entries(checkpoint, _ChebyshevIntegration.ENTRIES, "RungeKuttaChebyshev")
        state = own_copy(checkpoint["state"])
        return _ChebyshevIntegration(self, model, state, float(checkpoint["time"]), checkpoint)


class _ChebyshevIntegration:
    """One integration; it goes on from `checkpoint` when there is one."""

    NUMBERS: ClassVar = ("n_steps", "n_rejected", "n_rhs", "stiffness", "smallest_step", "largest_step")
    ENTRIES: ClassVar = ("time", "state", "slope", "next_step", "last_step", "last_error", *NUMBERS)

    def __init__(
        self,
        method: RungeKuttaChebyshev,
        model: SteppableModel,
        state: FloatArray,
        time: float,
        checkpoint: Mapping[str, Any] | None = None,
    ) -> None:
        self._method, self.time = method, time
        self._work = _make_work(model, state)
        self._n_steps = self._n_rejected = self._n_rhs = 0
        self._stiffness = self._smallest = self._largest = 0.0
        self._dt: float | None = None
        self._last: tuple[float, float] | None = None
        """Step and error of the last accepted step."""
        if checkpoint is None:
            self._work.load(time, state, None)
            self._n_rhs = 1
            self._attempt(0.0, 2)  # compiles the loops, changes nothing
        else:
            self._restore(state, checkpoint)

    @property
    def state(self) -> FloatArray:
        return self._work.state()

    @property
    def statistics(self) -> SteppingStatistics:
        return SteppingStatistics(
            self._n_steps, self._n_rejected, self._n_rhs, self._stiffness, self._smallest, self._largest
        )

    def checkpoint(self) -> dict[str, Any]:
        statistics, last = self.statistics, self._last or (math.nan, math.nan)
        return {
            "time": self.time,
            "state": self._work.state().copy(),
            "slope": self._work.slope().copy(),
            "next_step": math.nan if self._dt is None else self._dt,
            "last_step": last[0],
            "last_error": last[1],
            **{name: getattr(statistics, name) for name in self.NUMBERS},
        }

    def _restore(self, state: FloatArray, checkpoint: Mapping[str, Any]) -> None:
        self._work.load(self.time, state, own_copy(checkpoint["slope"]))
        self._n_steps, self._n_rejected, self._n_rhs = (int(checkpoint[name]) for name in self.NUMBERS[:3])
        self._stiffness, self._smallest, self._largest = (float(checkpoint[name]) for name in self.NUMBERS[3:])
        next_step, last = float(checkpoint["next_step"]), float(checkpoint["last_step"])
        self._dt = None if math.isnan(next_step) else next_step
        self._last = None if math.isnan(last) else (last, float(checkpoint["last_error"]))

    def advance(self, until: float) -> None:
        while self.time < until:
            self.step(until)

    def step(self, until: float) -> None:
        until = float(until)
        just_rejected = False
        n_steps = self._n_steps
        while self._n_steps == n_steps:
            dt, stages = self._next_step(until - self.time)
            if not dt > 1e-13 * max(abs(until), abs(self.time)):
                raise SimulationError(
                    f"the time step shrank to {dt:.3g} at t = {self.time:.6g}: the solution grows without bound or "
                    f"the tolerances (rtol = {self._method.rtol:g}, atol = {self._method.atol:g}) ask for more than "
                    "double precision holds; loosen them, or check the model's parameters"
                )
            error = self._attempt(dt, stages)
            if error <= 1.0:
                self._accept(dt, until if dt >= until - self.time else self.time + dt)
                self._dt = dt * self._growth(dt, error, may_grow=not just_rejected)
                self._last = dt, error
            else:
                self._n_rejected += 1
                self._dt = dt * (max(0.1, 0.8 * math.pow(error, -1 / 3)) if math.isfinite(error) else 0.1)
            just_rejected = error > 1.0 or not math.isfinite(error)
            self._stop_when_too_long()

    def _accept(self, dt: float, time: float) -> None:
        self._smallest, self._largest = self.statistics.range_with(dt)
        self._work.accept()
        self.time = time
        self._n_steps += 1

    def _next_step(self, remaining: float) -> tuple[float, int]:
        """Length and stage number of the next attempt; the last two steps to the target are of equal length."""
        radius = self._work.spectral_radius()
        if not math.isfinite(radius):
            raise SimulationError(
                f"the spectral radius is {radius} at t = {self.time:.6g}: the state holds values that are not finite"
            )
        self._stiffness = max(self._stiffness, radius)
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
        error = self._work.slope_change(self.time, trial, self._method.rtol, self._method.atol)
        self._n_rhs += 1
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

    def _attempt(self, dt: float, stages: int) -> float:
        """One step from the present state to the end that the work space keeps; the scaled error."""
        coefficients = chebyshev_coefficients(stages)
        times = self.time + coefficients.c * dt
        times[-1] = self.time + dt
        self._n_rhs += stages
        return self._work.attempt(times, dt, coefficients.weights(dt), self._method.rtol, self._method.atol)

    def _stop_when_too_long(self) -> None:
        if self._n_steps + self._n_rejected >= self._method.max_steps:
            raise SimulationError(
                f"{self._method.max_steps} steps were not enough: t = {self.time:.6g} was reached with steps of "
                f"{self._dt:.3g}; loosen rtol or atol (near equilibrium an absolute floor is needed), raise max_steps, "
                "or check the model where the state grows without bound"
            )


def _make_work(model: SteppableModel, state: FloatArray) -> ChebyshevWork:
    if isinstance(model, FusedChebyshevModel) and not isinstance(model, TimeDependentModel):
        return model.make_chebyshev_work(state.dtype)
    from dynaphase.phasefield.chebyshev_work import PlainWork

    return PlainWork(model, state)
