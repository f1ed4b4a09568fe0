"""What the spectral stepper needs of a model, and how an extended model comes by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np

from dynaphase.errors import ConfigError
from dynaphase.phasefield.contract import SteppableModel
from dynaphase.phasefield.operators import FloatArray
from dynaphase.phasefield.spectral_basis import Coefficients, SpectralBasis
from dynaphase.phasefield.terms import EnergyTerm, ExtendedModel, Mechanism

__all__ = ["SpectralModel", "spectral_form"]


@runtime_checkable
class SpectralModel(Protocol):
    """A model of the form ∂û/∂t = λ(k) û + N̂(u, t) with a diagonal λ ≤ 0."""

    @property
    def basis(self) -> SpectralBasis:
        """Where the fields are expanded."""

    @property
    def linear(self) -> FloatArray:
        """The implicit part λ ≤ 0, (n_fields, *basis.k2.shape)."""

    @property
    def response(self) -> FloatArray:
        """What a further driving force is multiplied by, of the shape of ``linear``: −Mk² or −M."""

    def nonlinear(self, fields: FloatArray, time: float) -> Coefficients:
        """Coefficients of the explicit part N, from the cell values (n_fields, *grid), in a new array."""


def spectral_form(model: SteppableModel) -> SpectralModel:
    """`model` itself where it is spectral; of an `ExtendedModel` on one, its terms join the explicit part.

    Raises
    ------
    ConfigError
        For a model that has no spectral form.
    """
    if isinstance(model, SpectralModel):
        return model
    if isinstance(model, ExtendedModel):
        return _ExtendedSpectral(spectral_form(model.model), model.energy_terms, model.mechanisms)
    raise ConfigError(
        f"{type(model).__name__} has no spectral form (basis, linear, response, nonlinear): give the model one, or "
        "step it with RungeKuttaChebyshev"
    )


@dataclass(frozen=True)
class _ExtendedSpectral:
    """N̂ + response·(δF₁/δu)^ + … + m̂₁(t, u) + …"""

    model: SpectralModel
    energy_terms: Sequence[EnergyTerm]
    mechanisms: Sequence[Mechanism]

    @property
    def basis(self) -> SpectralBasis:
        return self.model.basis

    @property
    def linear(self) -> FloatArray:
        return self.model.linear

    @property
    def response(self) -> FloatArray:
        return self.model.response

    def nonlinear(self, fields: FloatArray, time: float) -> Coefficients:
        result = self.model.nonlinear(fields, time)
        state = fields[0] if len(fields) == 1 else fields  # as the terms know it
        if self.energy_terms:
            driving = np.zeros_like(fields)
            for term in self.energy_terms:
                term.add_derivative(state, driving.reshape(state.shape))
            result += self.response * self.basis.forward(driving)
        if self.mechanisms:
            rate = np.zeros_like(fields)
            for mechanism in self.mechanisms:
                mechanism.add_rate(time, state, rate.reshape(state.shape))
            result += self.basis.forward(rate)
        return result
