"""Further terms of a model, added from outside: of its free energy, or straight of its rate.

    ∂u/∂t = model(u) + R[ δF₁/δu + … ] + m₁(t, u) + …

R is the model's own answer to a driving force (∇·(M∇·) for a conserved field, −L for one that is not), so an
`EnergyTerm` keeps what the model conserves and lets the total energy F + F₁ + … fall.  A `Mechanism` is a rate: a
source, a sink, a reaction.  Neither knows the model, and the model does not know them:

>>> model = add_terms(CahnHilliard(grid, parameters), Gravity(0.1), Decay(rate=1e-3))        # doctest: +SKIP
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from dynaphase.errors import ConfigError
from dynaphase.phasefield.contract import PhaseFieldModel, ResponsiveModel, TimeDependentModel
from dynaphase.phasefield.grid import Grid
from dynaphase.phasefield.operators import FloatArray

__all__ = ["EnergyTerm", "ExtendedModel", "Mechanism", "Source", "add_terms"]


@runtime_checkable
class EnergyTerm(Protocol):
    """One additive term of a free energy, beside its derivative."""

    def energy(self, state: FloatArray) -> float:
        """F₁ of `state`."""

    def add_derivative(self, state: FloatArray, out: FloatArray) -> None:
        """Add δF₁/δu to `out`: the derivative of ``energy`` by every cell value, over the cell volume."""

    def curvature(self, state: FloatArray) -> float:
        """Upper bound on the modulus of the eigenvalues of the second derivative of F₁, over the cell volume."""


@runtime_checkable
class Mechanism(Protocol):
    """One additive term of a right-hand side."""

    @property
    def conserved(self) -> tuple[str, ...]:
        """Names of the fields whose sum over the cells this mechanism keeps."""

    def add_rate(self, time: float, state: FloatArray, out: FloatArray) -> None:
        """Add the rate of change at `time` to `out`."""

    def spectral_radius(self, state: FloatArray) -> float:
        """Upper bound on |λ| of the Jacobian of the rate; 0 for one that does not depend on the state."""


@dataclass(frozen=True, slots=True)
class Source:
    """The mechanism S(x, t): a rate that depends on place and time, not on the state.

    Parameters
    ----------
    rate : callable
        Time → S, an array of the shape of the state; it is read, not kept.
    conserved : tuple of str
        Names of the fields over which S sums to zero at all times.
    """

    rate: Callable[[float], FloatArray]
    conserved: tuple[str, ...] = ()

    def add_rate(self, time: float, state: FloatArray, out: FloatArray) -> None:
        """Add S(x, `time`) to `out`."""
        out += self.rate(time)

    def spectral_radius(self, state: FloatArray) -> float:
        """0: the Jacobian vanishes."""
        return 0.0


@dataclass(frozen=True)
class ExtendedModel:
    """A model with further terms; make it with `add_terms`."""

    model: PhaseFieldModel
    energy_terms: tuple[EnergyTerm, ...]
    mechanisms: tuple[Mechanism, ...]

    @property
    def grid(self) -> Grid:
        """That of the model."""
        return self.model.grid

    @property
    def fields(self) -> tuple[str, ...]:
        """Those of the model."""
        return self.model.fields

    @property
    def bounds(self) -> tuple[float, float] | None:
        """Those of the model; a term that breaks them ends the run."""
        return self.model.bounds

    def rhs(self, state: FloatArray, out: FloatArray) -> None:
        """Write ∂u/∂t at t = 0 into `out`; steppers call ``rhs_at``."""
        self.rhs_at(0.0, state, out)

    def rhs_at(self, time: float, state: FloatArray, out: FloatArray) -> None:
        """Write ∂u/∂t at `time` into `out`."""
        if isinstance(self.model, TimeDependentModel):
            self.model.rhs_at(time, state, out)
        else:
            self.model.rhs(state, out)
        if self.energy_terms:
            assert isinstance(self.model, ResponsiveModel)  # seen to by `add_terms`
            self.model.add_response(state, self._driving(state), out)
        for mechanism in self.mechanisms:
            mechanism.add_rate(time, state, out)

    def energy(self, state: FloatArray) -> float:
        """F of the model and of every energy term."""
        return self.model.energy(state) + sum(term.energy(state) for term in self.energy_terms)

    def variational_derivative(self, state: FloatArray) -> FloatArray:
        """δF/δu of the model and of every energy term."""
        return self.model.variational_derivative(state) + self._driving(state)

    def spectral_radius(self, state: FloatArray) -> float:
        """Sum of the bounds of model, energy terms (‖R‖ · curvature + ‖∂R/∂u δF₁/δu‖) and mechanisms."""
        radius = self.model.spectral_radius(state) + sum(m.spectral_radius(state) for m in self.mechanisms)
        if self.energy_terms:
            assert isinstance(self.model, ResponsiveModel)
            curvature = sum(term.curvature(state) for term in self.energy_terms)
            radius += self.model.response_radius(state) * curvature
            radius += self.model.response_slope(state, self._driving(state))
        return radius

    def add_response(self, state: FloatArray, driving: FloatArray, out: FloatArray) -> None:
        """The model's, so that an extended model can be extended."""
        _responsive(self.model).add_response(state, driving, out)

    def response_radius(self, state: FloatArray) -> float:
        """The model's."""
        return _responsive(self.model).response_radius(state)

    def response_slope(self, state: FloatArray, driving: FloatArray) -> float:
        """The model's."""
        return _responsive(self.model).response_slope(state, driving)

    def _driving(self, state: FloatArray) -> FloatArray:
        driving = np.zeros_like(state)
        for term in self.energy_terms:
            term.add_derivative(state, driving)
        return driving


def add_terms(model: PhaseFieldModel, *terms: EnergyTerm | Mechanism) -> ExtendedModel:
    """`model` with further terms of its energy and of its rate, in any number and order.

    Parameters
    ----------
    model : PhaseFieldModel
        With energy terms also a `ResponsiveModel`.
    *terms : EnergyTerm or Mechanism
        Told apart by their methods; an object that is both counts as both.

    Returns
    -------
    ExtendedModel
        For every explicit stepper.

    Raises
    ------
    ConfigError
        For an object that is neither, an energy term on a model that cannot answer it, or a mechanism that names a
        field the model does not have.
    """
    for term in terms:
        if isinstance(term, type):
            raise ConfigError(f"{term.__name__} is a class: add an object of it, {term.__name__}(…)")
        if not isinstance(term, EnergyTerm | Mechanism):
            raise ConfigError(
                f"{type(term).__name__} is no term: give it energy, add_derivative and curvature (a term of the free "
                "energy) or conserved, add_rate and spectral_radius (a mechanism)"
            )
    energy_terms = tuple(term for term in terms if isinstance(term, EnergyTerm))
    mechanisms = tuple(term for term in terms if isinstance(term, Mechanism))
    if energy_terms:
        _responsive(model)
    _require_known(model, mechanisms)
    return ExtendedModel(model, energy_terms, mechanisms)


def _responsive(model: PhaseFieldModel) -> ResponsiveModel:
    if not isinstance(model, ResponsiveModel):
        raise ConfigError(
            f"{type(model).__name__} does not follow from a free energy (it has no add_response and response_radius): "
            "add a mechanism, a term of the rate, instead of an energy term"
        )
    return model


def _require_known(model: PhaseFieldModel, mechanisms: Sequence[Mechanism]) -> None:
    for mechanism in mechanisms:
        if not isinstance(mechanism.conserved, tuple):
            raise ConfigError(
                f"conserved of {type(mechanism).__name__} must be a tuple of field names, () for none, not "
                f"{mechanism.conserved!r}"
            )
        unknown = sorted(set(mechanism.conserved) - set(model.fields))
        if unknown:
            raise ConfigError(
                f"{type(mechanism).__name__} claims to conserve {unknown}, which {type(model).__name__} does not have; "
                f"its fields are {model.fields}"
            )
