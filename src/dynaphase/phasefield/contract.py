"""What a phase-field model is: the contract between models, steppers and runs.

The state of a model is one C-contiguous array: ``grid.shape`` with one field, ``(n_fields, *grid.shape)`` with more.
A stepper needs `SteppableModel`, a run `PhaseFieldModel`; what a model can do beyond that (time in its equations, a
fused Euler loop, an answer to further driving forces) it shows by having the method.  ``dynaphase.testing`` holds any
model to its promises.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from dynaphase.phasefield.grid import Grid
from dynaphase.phasefield.operators import FloatArray

__all__ = [
    "FusedEulerModel",
    "PhaseFieldModel",
    "ResponsiveModel",
    "SteppableModel",
    "TimeDependentModel",
]


class SteppableModel(Protocol):
    """What a stepper needs of a model."""

    def rhs(self, state: FloatArray, out: FloatArray) -> None:
        """Write the time derivative of `state` into `out`, every entry."""

    def spectral_radius(self, state: FloatArray) -> float:
        """Upper bound on |λ| of the Jacobian at `state`, in one over the unit of time."""


class PhaseFieldModel(SteppableModel, Protocol):
    """A model that can be run: what the stepper needs, and what the run reports and checks."""

    @property
    def grid(self) -> Grid:
        """Where the fields live."""

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the fields; with more than one, axis 0 of the state counts them in this order."""

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Values that no field leaves, or None."""

    def energy(self, state: FloatArray) -> float:
        """Energy F of `state`: the discrete functional whose derivative drives the fields, none else."""

    def variational_derivative(self, state: FloatArray) -> FloatArray:
        """δF/δu, shape of the state: the derivative of ``energy`` by every cell value, over the cell volume."""


@runtime_checkable
class TimeDependentModel(Protocol):
    """A model whose right-hand side contains the time."""

    def rhs_at(self, time: float, state: FloatArray, out: FloatArray) -> None:
        """Write the time derivative of `state` at `time` into `out`."""


@runtime_checkable
class FusedEulerModel(Protocol):
    """A model that makes many explicit Euler steps in one compiled loop."""

    def euler_steps(self, state: FloatArray, dt: float, n_steps: int) -> None:
        """Advance `state` in place by `n_steps` steps of `dt`."""


@runtime_checkable
class ResponsiveModel(Protocol):
    """A model that a further term of the free energy can drive: what `add_terms` asks of it."""

    def add_response(self, state: FloatArray, driving: FloatArray, out: FloatArray) -> None:
        """Add to `out` the rate that the driving force `driving` = δF/δu of a further term causes.

        ∇·(M∇driving) for a conserved field, −L·driving for one that is not; all arrays of the shape of the state.
        """

    def response_radius(self, state: FloatArray) -> float:
        """Upper bound on the norm of that linear map: max M · 4d/Δx² or L, the larger over the fields."""

    def response_slope(self, state: FloatArray, driving: FloatArray) -> float:
        """Upper bound on the norm of its derivative by the state at fixed `driving`; 0 for constant mobilities."""
