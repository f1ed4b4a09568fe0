"""Explicit Euler at a fixed step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import numpy as np

from dynaphase.phasefield.contract import FusedEulerModel, SteppableModel
from dynaphase.phasefield.operators import FloatArray
from dynaphase.phasefield.stepping import (
    Integration,
    SteppingStatistics,
    own_copy,
    rate_of,
    require_entries,
    require_positive,
)

__all__ = ["ExplicitEuler"]

_UPDATES_PER_CALL: Final = 200_000_000
"""Cell updates between two returns to Python: a few tenths of a second, so that Ctrl-C is answered."""


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
        require_positive(dt=self.dt)

    @property
    def overshoot(self) -> float:
        """Round-off only: below its stability limit the scheme is a convex combination of neighbours."""
        return 1e-9

    def start(self, model: SteppableModel, state: FloatArray, time: float = 0.0) -> Integration:
        """Bind to `model`; where the model has a fused loop, it is used (and compiled here)."""
        return _EulerIntegration(model, own_copy(state), self.dt, time, SteppingStatistics())

    def resume(self, model: SteppableModel, checkpoint: Mapping[str, Any]) -> Integration:
        """Go on from a checkpoint of an integration by explicit Euler."""
        require_entries(checkpoint, ("time", "state", "n_steps", "smallest_step", "largest_step"), "ExplicitEuler")
        n_steps = int(checkpoint["n_steps"])
        done = SteppingStatistics(
            n_steps=n_steps,
            n_rhs=n_steps,
            smallest_step=float(checkpoint["smallest_step"]),
            largest_step=float(checkpoint["largest_step"]),
        )
        return _EulerIntegration(model, own_copy(checkpoint["state"]), self.dt, float(checkpoint["time"]), done)


class _EulerIntegration:
    def __init__(
        self, model: SteppableModel, state: FloatArray, dt: float, time: float, statistics: SteppingStatistics
    ) -> None:
        self._model, self._dt = model, dt
        self.state, self.time, self.statistics = state, time, statistics
        self._rate = rate_of(model)
        if isinstance(model, FusedEulerModel):
            model.euler_steps(state, dt, 0)
        else:
            self._slope = np.empty_like(state)
            self._rate(time, state, self._slope)

    def checkpoint(self) -> dict[str, Any]:
        done = self.statistics
        return {
            "time": self.time,
            "state": self.state.copy(),
            "n_steps": done.n_steps,
            "smallest_step": done.smallest_step,
            "largest_step": done.largest_step,
        }

    def advance(self, until: float) -> None:
        span = until - self.time
        n_steps = max(1, math.ceil(span / self._dt * (1 - 1e-9)))
        dt = span / n_steps
        if math.isclose(dt, self._dt, rel_tol=1e-9):
            dt = self._dt  # the step that was asked for, to the last bit
        start, most = self.time, max(1, _UPDATES_PER_CALL // self.state.size)
        for done in range(0, n_steps, most):
            n = min(most, n_steps - done)
            self._steps(n, dt)
            self._count(n, dt)
            self.time = start + (done + n) * dt
        self.time = until

    def _steps(self, n_steps: int, dt: float) -> None:
        if isinstance(self._model, FusedEulerModel):
            self._model.euler_steps(self.state, dt, n_steps)
            return
        for i in range(n_steps):
            self._rate(self.time + i * dt, self.state, self._slope)
            np.multiply(self._slope, dt, out=self._slope)
            self.state += self._slope

    def _count(self, n_steps: int, dt: float) -> None:
        smallest, largest = self.statistics.range_with(dt)
        n = self.statistics.n_steps + n_steps
        self.statistics = SteppingStatistics(n_steps=n, n_rhs=n, smallest_step=smallest, largest_step=largest)
