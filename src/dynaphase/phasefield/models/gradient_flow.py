"""Gradient flows of any number of coupled fields with constant mobility, in a Fourier or cosine basis.

For fields uᵢ with the free energy F = ∫ [ f(u) + Σᵢ (κᵢ/2)|∇uᵢ|² ] dV the equations are

    ∂uᵢ/∂t = ∇·(Mᵢ ∇μᵢ)  (conserved)     or     ∂uᵢ/∂t = −Mᵢ μᵢ  (not conserved),     μᵢ = ∂f/∂uᵢ − κᵢ∇²uᵢ.

With constant mobility every linear term is diagonal in the basis: Fourier along periodic axes, cosine along no-flux
axes (whose functions have no slope at the walls, so neither c nor μ lets a flux through).  Lengths, times and energies
are in whatever unit the parameters use.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from dynaphase.errors import ConfigError
from dynaphase.phasefield.free_energy import BulkEnergy
from dynaphase.phasefield.grid import Grid
from dynaphase.phasefield.operators import FloatArray
from dynaphase.phasefield.spectral_basis import Coefficients, SpectralBasis

__all__ = ["GradientFlow"]


@dataclass(frozen=True)
class GradientFlow:
    """Cahn–Hilliard and Allen–Cahn equations of any number of coupled fields, constant mobility.

    The energy reported is the one whose derivative drives the fields: both use the same discrete gradient.

    Parameters
    ----------
    grid : Grid
        2-D or 3-D, every axis periodic or no-flux.
    fields : tuple of str
        Names of the n fields; with more than one, axis 0 of the state counts them.
    bulk : BulkEnergy
        The density f.
    kappa : tuple of float
        Gradient coefficients κᵢ ≥ 0.
    mobility : tuple of float
        Mᵢ > 0.
    is_conserved : tuple of bool
        Whether field i follows the Cahn–Hilliard (True) or the Allen–Cahn (False) form.
    stabilisation : tuple of float
        Aᵢ ≥ 0: the term Aᵢuᵢ is stepped implicitly and taken off the explicit part, which changes the step error but
        not the equations.  Frozen coefficients give stability at any step from Aᵢ = ¾ max ∂²f/∂uᵢ² (the step control
        lives with less, at a smaller error).

    Raises
    ------
    ConfigError
        Where the tuples differ in length or a number has the wrong sign.
    """

    grid: Grid
    fields: tuple[str, ...]
    bulk: BulkEnergy
    kappa: tuple[float, ...]
    mobility: tuple[float, ...]
    is_conserved: tuple[bool, ...]
    stabilisation: tuple[float, ...]
    bounds: ClassVar[tuple[float, float] | None] = None

    def __post_init__(self) -> None:
        for name in ("kappa", "mobility", "is_conserved", "stabilisation"):
            if len(getattr(self, name)) != len(self.fields):
                raise ConfigError(f"{name} has {len(getattr(self, name))} entries for the fields {self.fields}")
        if not all(0 <= k < float("inf") for k in (*self.kappa, *self.stabilisation)):
            raise ConfigError("kappa and stabilisation must be finite and not negative")
        if not all(0 < m < float("inf") for m in self.mobility):
            raise ConfigError("mobility must be finite and positive")
        _ = self.basis  # refuses walls that hold a value

    @cached_property
    def basis(self) -> SpectralBasis:
        """The basis of the grid."""
        return SpectralBasis(self.grid)

    @cached_property
    def response(self) -> FloatArray:
        """What a driving force is multiplied by in the basis: −Mᵢk² of conserved fields, −Mᵢ of the others."""
        rows = [np.where(conserved, self.basis.k2, 1.0) for conserved in self.is_conserved]
        return np.asarray(-self._column(self.mobility) * np.stack(rows))

    @cached_property
    def linear(self) -> FloatArray:
        """The implicit part −Mᵢ (k² or 1) (Aᵢ + κᵢk²)."""
        return np.asarray(self.response * (self._column(self.stabilisation) + self._stiffness))

    def nonlinear(self, fields: FloatArray, time: float = 0.0) -> Coefficients:
        """The explicit part −Mᵢ (k² or 1) (∂f/∂uᵢ − Aᵢuᵢ)^; it does not depend on the time."""
        from dynaphase.phasefield.spectral_loops import scale, subtract_scaled

        excess, rows = self.bulk.derivative(fields), (len(self.fields), -1)
        subtract_scaled(excess.reshape(rows), np.array(self.stabilisation), fields.reshape(rows))
        result = self.basis.forward(excess)
        scale(result.reshape(rows), self.response.reshape(rows))
        return result

    def energy(self, state: FloatArray, coefficients: Coefficients | None = None) -> float:
        """F = ∫ f + Σ (κᵢ/2)|∇uᵢ|² of `state`; its coefficients spare a transform where they are known."""
        fields = self._stacked(state)
        if coefficients is None:
            coefficients = self.basis.forward(fields)
        gradient = np.sum(self.basis.sum_of_squares(coefficients, self._gradient_weights))
        bulk = np.sum(self.bulk.density(fields))
        return float((bulk + gradient) * self.grid.spacing_nm ** len(self.grid.shape))

    def variational_derivative(self, state: FloatArray) -> FloatArray:
        """The driving forces μᵢ = δF/δuᵢ = ∂f/∂uᵢ − κᵢ∇²uᵢ, shape of `state`."""
        fields = self._stacked(state)
        gradient = self.basis.backward(self._stiffness * self.basis.forward(fields))
        return (self.bulk.derivative(fields) + gradient).reshape(state.shape)

    def rhs(self, state: FloatArray, out: FloatArray) -> None:
        """Write ∂u/∂t into `out`, for steppers that know no basis."""
        out.fill(0.0)
        self.add_response(state, self.variational_derivative(state), out)

    def add_response(self, state: FloatArray, driving: FloatArray, out: FloatArray) -> None:
        """Add Mᵢ∇²`driving` (conserved) or −Mᵢ`driving` to `out`: the answer to a further term of the free energy."""
        answer = self.response * self.basis.forward(self._stacked(driving))
        out += self.basis.backward(answer).reshape(state.shape)

    def response_radius(self, state: FloatArray) -> float:
        """The greatest of Mᵢ·max k² and Mᵢ."""
        return float(np.max(np.abs(self.response)))

    def response_slope(self, state: FloatArray, driving: FloatArray) -> float:
        """0: the mobilities are constant."""
        return 0.0

    def spectral_radius(self, state: FloatArray) -> float:
        """Bound max |Mᵢ(k² or 1)| · (curvature of f + κᵢk²) on the eigenvalues of the Jacobian."""
        curvature = self.bulk.curvature(self._stacked(state))
        return float(np.max(np.abs(self.response)) * (curvature + np.max(self._stiffness)))

    @cached_property
    def _stiffness(self) -> FloatArray:
        return np.asarray(self._column(self.kappa) * self.basis.k2)

    @cached_property
    def _gradient_weights(self) -> FloatArray:
        return 0.5 * self.basis.weights * self._stiffness

    def _column(self, values: tuple[float, ...]) -> FloatArray:
        return np.array(values).reshape(-1, *(1,) * len(self.grid.shape))

    def _stacked(self, state: FloatArray) -> FloatArray:
        return state.reshape(len(self.fields), *self.grid.shape)
