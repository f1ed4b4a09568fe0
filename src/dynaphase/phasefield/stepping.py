"""What a stepper is: the contract between time integrators and runs, and what every integrator needs.

A stepper is a frozen choice of method and tolerances; ``start`` binds it to a model and a state and returns an
integration, the only object that changes.  A stepper knows nothing of physics: the model is anything that meets
:mod:`dynaphase.phasefield.contract`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np

from dynaphase.errors import ConfigError
from dynaphase.phasefield.contract import SteppableModel, TimeDependentModel
from dynaphase.phasefield.operators import FloatArray

__all__ = [
    "AdaptiveIntegration",
    "AdaptiveStepper",
    "Integration",
    "Rate",
    "Stepper",
    "SteppingStatistics",
    "own_copy",
    "rate_of",
    "require_entries",
    "require_positive",
]


@dataclass(frozen=True, slots=True)
class SteppingStatistics:
    """What the integration has cost so far, and what it met."""

    n_steps: int = 0
    """Accepted steps."""
    n_rejected: int = 0
    n_rhs: int = 0
    """Evaluations of the right-hand side."""
    stiffness: float = 0.0
    """Largest bound on the spectral radius seen, in one over the unit of time; 0 where the method does not ask."""
    smallest_step: float = 0.0
    """Shortest accepted step; 0 before the first."""
    largest_step: float = 0.0
    """Longest accepted step; 0 before the first."""

    def range_with(self, dt: float) -> tuple[float, float]:
        """The shortest and the longest step when one of length `dt` is added."""
        return min(dt, self.smallest_step) if self.n_steps else dt, max(dt, self.largest_step)


class Integration(Protocol):
    """A stepper at work on one state."""

    @property
    def time(self) -> float:
        """Time reached."""

    @property
    def state(self) -> FloatArray:
        """State at ``time``, in the precision it was started with; valid until the next ``advance``, copy to keep."""

    @property
    def statistics(self) -> SteppingStatistics:
        """Counts since the start."""

    def advance(self, until: float) -> None:
        """Integrate up to `until` exactly; raises `SimulationError` when the method cannot go on."""

    def checkpoint(self) -> dict[str, Any]:
        """Everything ``Stepper.resume`` needs: numpy arrays (copies) and numbers by name."""


class Stepper(Protocol):
    """A method of time integration."""

    order: ClassVar[int]
    """Order of convergence in the step, held by a test."""

    @property
    def overshoot(self) -> float:
        """How far this method may carry a field beyond bounds that the exact solution keeps."""

    def start(self, model: SteppableModel, state: FloatArray, time: float = 0.0) -> Integration:
        """Bind the method to `model` at a copy of `state`; compiles what will be needed."""

    def resume(self, model: SteppableModel, checkpoint: Mapping[str, Any]) -> Integration:
        """Go on where ``checkpoint`` was taken, with the same method and model: to the last bit as if without it."""


class AdaptiveIntegration(Integration, Protocol):
    """An integration that chooses its steps, and can be followed step by step."""

    def step(self, until: float) -> None:
        """Make one accepted step, not beyond `until` > ``time``; raises `SimulationError` as ``advance`` does."""


class AdaptiveStepper(Stepper, Protocol):
    """A stepper that chooses its steps."""

    def start(self, model: SteppableModel, state: FloatArray, time: float = 0.0) -> AdaptiveIntegration:
        """As of every stepper."""

    def resume(self, model: SteppableModel, checkpoint: Mapping[str, Any]) -> AdaptiveIntegration:
        """As of every stepper."""


Rate = Callable[[float, FloatArray, FloatArray], None]
"""(time, state, out): writes the rate into `out`."""


def rate_of(model: SteppableModel) -> Rate:
    """The right-hand side of `model`, with the time where it asks for it."""
    if isinstance(model, TimeDependentModel):
        return model.rhs_at
    return lambda _time, state, out: model.rhs(state, out)


def own_copy(state: FloatArray) -> FloatArray:
    """C-contiguous copy of `state` in its precision; what is neither float32 nor float64 becomes float64."""
    state = np.asarray(state)
    dtype = np.float32 if state.dtype == np.float32 else np.float64
    return np.array(state, dtype=dtype, order="C", copy=True)


def require_positive(**values: float) -> None:
    """Raise `ConfigError` for a value that is not positive, by name."""
    for name, value in values.items():
        if not value > 0:
            raise ConfigError(f"{name} must be positive, not {value}")


def require_entries(checkpoint: Mapping[str, Any], names: tuple[str, ...], method: str) -> None:
    """Raise `ConfigError` unless `checkpoint` has the entries `names`."""
    missing = [name for name in names if name not in checkpoint]
    if missing:
        raise ConfigError(
            f"the checkpoint has no {', '.join(missing)}: it was not taken from an integration by {method}; "
            "resume it with the stepper that made it"
        )
