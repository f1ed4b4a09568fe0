"""Semi-implicit time stepping in a Fourier or cosine basis, with a controlled error.

The stepper for models that are diagonal but for a smooth remainder, ∂û/∂t = λ(k) û + N̂(u, t): gradient flows with
constant mobility (`dynaphase.phasefield.models.gradient_flow`), with further terms added from outside or not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np

from dynaphase.errors import ConfigError, SimulationError
from dynaphase.phasefield.contract import SteppableModel
from dynaphase.phasefield.operators import FloatArray
from dynaphase.phasefield.spectral_basis import Coefficients
from dynaphase.phasefield.spectral_model import SpectralModel, spectral_form
from dynaphase.phasefield.stepping import SteppingStatistics, require_entries, require_positive

__all__ = ["SemiImplicitSpectral", "SpectralIntegration"]

_LARGEST_GROWTH: Final = 1.8
"""Of one step over the last; the two-step formula is unstable from 1 + √2 on."""


@dataclass(frozen=True, slots=True)
class SemiImplicitSpectral:
    """Variable-step semi-implicit backward differences of second order (SBDF2) in a spectral basis.

    With ω = Δt/Δt₋ the step from tₙ solves, for every coefficient by one division,

        (1+2ω)/(1+ω) û⁺ − (1+ω) ûₙ + ω²/(1+ω) ûₙ₋₁ = Δt [ λ û⁺ + N*],     N* = (1+ω) N̂ₙ − ω N̂ₙ₋₁,

    and the error of the step follows from the defect of both approximations, derived here by Taylor expansion:

        ê = [ Δt (N̂(u⁺) − N*) − Δt/(Δt+Δt₋+Δt₋₋) (û⁺ − û*) ] / ( (1+2ω)/(1+ω) − Δtλ ),

    û* the parabola through the last three states.  N̂(u⁺) is what the next step needs anyway: one transform each
    way a step.  The first two steps are extrapolated semi-implicit Euler steps (one step against two halves).

    Source of the scheme: D. Wang, S.J. Ruuth, J. Comput. Math. 26, 838 (2008); for phase-field equations L.Q. Chen,
    J. Shen, Comput. Phys. Commun. 108, 147 (1998), doi:10.1016/S0010-4655(97)00115-X.

    Parameters
    ----------
    rtol, atol : float
        A step is accepted when, for every field, rms(e) ≤ atol + rtol·rms(u − ū), ū the mean of u: small waves on a
        large mean are followed as closely as large ones.  The absolute tolerance is the floor for fields at rest.
    max_dt : float
        Longest step.  With huge tolerances every step has this length (up to the division of the interval).
    max_steps : int
        Attempted steps after which the integration is given up.
    """

    rtol: float = 1e-5
    atol: float = 1e-6
    max_dt: float = math.inf
    max_steps: int = 1_000_000
    order: ClassVar[int] = 2

    def __post_init__(self) -> None:
        require_positive(rtol=self.rtol, atol=self.atol, max_dt=self.max_dt, max_steps=self.max_steps)

    @property
    def overshoot(self) -> float:
        """A spectral basis keeps no maximum principle; near a resolved interface it misses little."""
        return 0.01 + 10.0 * (self.rtol + self.atol)

    def start(self, model: SteppableModel, state: FloatArray, time: float = 0.0) -> SpectralIntegration:
        """Bind to `model`, a `SpectralModel` or an extended one, at a copy of `state`."""
        form = spectral_form(model)
        fields = np.array(state, dtype=np.float64, order="C").reshape(len(form.linear), *state.shape[-_n_axes(form) :])
        slope = form.nonlinear(fields, time)
        statistics = SteppingStatistics(n_rhs=1)
        now = _Moment(time, fields, form.basis.forward(fields), slope, slope, (), math.nan, statistics)
        return SpectralIntegration(self, form, now, state.shape)

    def resume(self, model: SteppableModel, checkpoint: Mapping[str, Any]) -> SpectralIntegration:
        """Go on from ``checkpoint()`` of an integration with this method and `model`, to the bit as if never stopped.

        Raises
        ------
        ConfigError
            For a checkpoint that does not belong to such a model.
        """
        form = spectral_form(model)
        require_entries(checkpoint, _ENTRIES, "SemiImplicitSpectral")
        has, needs = np.shape(checkpoint["coefficients"]), form.linear.shape
        if has != needs or np.size(checkpoint["state"]) != len(form.linear) * form.basis.n_cells:
            raise ConfigError(
                f"the checkpoint holds coefficients of shape {has}, the model has {needs}: resume with the model "
                "(fields, cells, boundaries) of the checkpoint"
            )
        return SpectralIntegration(self, form, _Moment.from_checkpoint(checkpoint), np.shape(checkpoint["state"]))


class _Moment(NamedTuple):
    """All that an integration carries from step to step; no array of it is ever written to again."""

    time: float
    fields: FloatArray
    coefficients: Coefficients
    slope: Coefficients
    """N̂ of the present state."""
    past_slope: Coefficients
    past: tuple[tuple[float, Coefficients], ...]
    """Step to the next younger state and coefficients of older states, youngest first, two at most."""
    dt: float
    """Proposed next step; NaN before the first."""
    statistics: SteppingStatistics

    def to_checkpoint(self, shape: tuple[int, ...]) -> dict[str, Any]:
        return {
            "time": self.time,
            "state": self.fields.reshape(shape).copy(),
            "coefficients": self.coefficients.copy(),
            "slope": self.slope.copy(),
            "past_slope": self.past_slope.copy(),
            "past_steps": np.array([dt for dt, _ in self.past]),
            "past_coefficients": np.array([c for _, c in self.past], dtype=self.coefficients.dtype),
            "next_step": self.dt,
            **{name: getattr(self.statistics, name) for name in _COUNTS},
        }

    @classmethod
    def from_checkpoint(cls, content: Mapping[str, Any]) -> _Moment:
        coefficients, state = np.array(content["coefficients"]), np.array(content["state"], dtype=np.float64)
        return cls(
            time=float(content["time"]),
            fields=state.reshape(len(coefficients), *state.shape[state.ndim - coefficients.ndim + 1 :]),
            coefficients=coefficients,
            slope=np.array(content["slope"]),
            past_slope=np.array(content["past_slope"]),
            past=tuple(zip(content["past_steps"].tolist(), np.array(content["past_coefficients"]), strict=True)),
            dt=float(content["next_step"]),
            statistics=SteppingStatistics(
                n_steps=int(content["n_steps"]),
                n_rejected=int(content["n_rejected"]),
                n_rhs=int(content["n_rhs"]),
                smallest_step=float(content["smallest_step"]),
                largest_step=float(content["largest_step"]),
            ),
        )


_COUNTS: Final = ("n_steps", "n_rejected", "n_rhs", "smallest_step", "largest_step")
_ENTRIES: Final = (
    *("time", "state", "coefficients", "slope", "past_slope", "past_steps", "past_coefficients", "next_step"),
    *_COUNTS,
)


class SpectralIntegration:
    """`SemiImplicitSpectral` at work: ``advance`` to a time, or ``step`` by step.

    An interruption (Ctrl-C) at any moment leaves it at its last accepted step.
    """

    def __init__(
        self, method: SemiImplicitSpectral, model: SpectralModel, now: _Moment, shape: tuple[int, ...]
    ) -> None:
        self._method, self._model, self._shape = method, model, shape
        self._now = now
        self._rows = len(model.linear), -1
        self._compile()

    @property
    def time(self) -> float:
        """Time reached."""
        return self._now.time

    @property
    def state(self) -> FloatArray:
        """State at ``time``."""
        return self._now.fields.reshape(self._shape)

    @property
    def coefficients(self) -> Coefficients:
        """Expansion of the present state, (n_fields, *basis)."""
        return self._now.coefficients

    @property
    def statistics(self) -> SteppingStatistics:
        """Counts since the start."""
        return self._now.statistics

    def checkpoint(self) -> dict[str, Any]:
        """Everything that `SemiImplicitSpectral.resume` needs: arrays (copies) and numbers by name."""
        return self._now.to_checkpoint(self._shape)

    def advance(self, until: float) -> None:
        """Integrate up to `until` exactly; raises `SimulationError` when the method cannot go on."""
        while self.time < until:
            self.step(until)

    def step(self, until: float) -> None:
        """Make one accepted step, not beyond `until` > ``time``; raises `SimulationError` as ``advance`` does."""
        now, done = self._now, self._now.statistics
        wanted = self._first_dt() if math.isnan(now.dt) else now.dt
        n_rejected = n_rhs = 0
        while True:
            dt = self._fitted(wanted, until, done.n_steps + done.n_rejected + n_rejected)
            attempt = self._two_step(dt) if len(now.past) == 2 else self._extrapolated_euler(dt)
            n_rhs += attempt.n_rhs
            error = attempt.error
            factor = 0.85 * max(error, 1e-10) ** (-1.0 / attempt.order) if math.isfinite(error) else 0.2
            if error <= 1.0:
                break
            n_rejected += 1
            wanted = dt * min(max(factor, 0.2), 0.9)
        shortest, longest = done.range_with(dt)
        # In one assignment: what interrupts the step leaves the last accepted moment, whole.
        self._now = _Moment(
            time=until if dt >= until - now.time else now.time + dt,
            fields=attempt.fields,
            coefficients=attempt.coefficients,
            slope=attempt.slope,
            past_slope=now.slope,
            past=((dt, now.coefficients), *now.past[:1]),
            dt=dt * min(max(factor, 0.2), 1.0 if n_rejected else _LARGEST_GROWTH),
            statistics=SteppingStatistics(
                n_steps=done.n_steps + 1,
                n_rejected=done.n_rejected + n_rejected,
                n_rhs=done.n_rhs + n_rhs,
                smallest_step=shortest,
                largest_step=longest,
            ),
        )

    def _fitted(self, wanted: float, until: float, n_attempts: int) -> float:
        """The step to try: `wanted`, limited, and so that the last two before `until` are of equal length."""
        method, time = self._method, self.time
        if n_attempts >= method.max_steps:
            raise SimulationError(
                f"{method.max_steps} steps were not enough: t = {time:.6g} was reached; loosen rtol or atol, or raise "
                "max_steps"
            )
        remaining = until - time
        dt = min(wanted, method.max_dt)
        if dt >= remaining * (1 - 1e-12):
            dt = remaining
        elif 2 * dt > remaining:
            dt = remaining / 2
        if not dt > 1e-13 * max(abs(until), abs(time)):
            raise SimulationError(
                f"the time step shrank to {dt:.3g} at t = {time:.6g}: the state holds values that are not finite, "
                f"or the tolerances (rtol = {method.rtol:g}, atol = {method.atol:g}) ask for more than double "
                "precision holds; loosen them, check the parameters, or raise the stabilisation"
            )
        return dt

    def _first_dt(self) -> float:
        """The step that changes the fields by about the tolerance."""
        rate = self._model.linear * self._now.coefficients + self._now.slope
        change = self._scaled(rate)
        return 1.0 / change if change > 0 else math.inf

    def _scaled(self, error: Coefficients) -> float:
        """Largest over the fields of rms(error) / (atol + rtol·rms(u − ū))."""
        basis, coefficients = self._model.basis, self._now.coefficients
        means = np.abs(coefficients.reshape(self._rows)[:, 0]) ** 2
        size = np.maximum(basis.sum_of_squares(coefficients) - means, 0.0)
        return self._ratio(basis.sum_of_squares(error), size)

    def _ratio(self, error: FloatArray, size: FloatArray) -> float:
        """The same from the sums of squares over the cells."""
        n, method = self._model.basis.n_cells, self._method
        return float(np.max(np.sqrt(error / n) / (method.atol + method.rtol * np.sqrt(size / n))))

    def _evaluate(self, coefficients: Coefficients, time: float) -> tuple[FloatArray, Coefficients]:
        fields = self._model.basis.backward(coefficients)
        return fields, self._model.nonlinear(fields, time)

    def _two_step(self, dt: float) -> _Attempt:
        from dynaphase.phasefield.spectral_loops import two_step_end, two_step_error

        now, rows = self._now, self._rows
        (dt1, u1), (dt2, u2) = now.past
        u, defect = np.empty_like(u1), np.empty_like(u1)
        linear = self._model.linear.reshape(rows)
        past = now.coefficients.reshape(rows), u1.reshape(rows), u2.reshape(rows)
        slopes = now.slope.reshape(rows), now.past_slope.reshape(rows)
        two_step_end(linear, past, slopes, (dt, dt1, dt2), u.reshape(rows), defect.reshape(rows))
        fields, slope = self._evaluate(u, now.time + dt)
        leading = (dt1 + 2 * dt) / (dt1 + dt)
        weights = self._model.basis.weights.reshape(-1)
        error, size = two_step_error(
            linear, weights, u.reshape(rows), slope.reshape(rows), defect.reshape(rows), dt, leading
        )
        return _Attempt(fields, u, slope, self._ratio(error, size), 3, 1)

    def _compile(self) -> None:
        """Call the loops on one coefficient, so that no step waits for the compiler."""
        from dynaphase.phasefield.spectral_loops import two_step_end, two_step_error

        one: Coefficients = np.zeros((1, 1), self._now.coefficients.dtype)
        linear = np.zeros((1, 1))
        two_step_end(linear, (one, one, one), (one, one), (1.0, 1.0, 1.0), one.copy(), one.copy())
        two_step_error(linear, linear[0], one, one, one, 1.0, 1.0)

    def _extrapolated_euler(self, dt: float) -> _Attempt:
        now, linear = self._now, self._model.linear
        u0 = now.coefficients
        whole = (u0 + dt * now.slope) / (1 - dt * linear)
        half = (u0 + 0.5 * dt * now.slope) / (1 - 0.5 * dt * linear)
        _, slope = self._evaluate(half, now.time + 0.5 * dt)
        halves = (half + 0.5 * dt * slope) / (1 - 0.5 * dt * linear)
        u = 2 * halves - whole
        fields, slope = self._evaluate(u, now.time + dt)
        return _Attempt(fields, u, slope, self._scaled(halves - whole), 2, 2)


class _Attempt(NamedTuple):
    """One step, not yet accepted."""

    fields: FloatArray
    coefficients: Coefficients
    slope: Coefficients
    error: float
    """Of the step over the tolerance."""
    order: int
    """Power of the step that `error` goes with."""
    n_rhs: int


def _n_axes(model: SpectralModel) -> int:
    return model.basis.k2.ndim
