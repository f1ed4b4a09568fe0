"""Coupled Cahn–Hilliard and Allen–Cahn equations of any number of fields, in finite differences.

    F = ∫ [ f(u₁, …, uₙ) + Σᵢ (κᵢ/2)|∇uᵢ|² ] dV,      μᵢ = δF/δuᵢ = ∂f/∂uᵢ − κᵢ∇²uᵢ
    ∂uᵢ/∂t = ∇·(Mᵢ(u) ∇μᵢ)  (conserved)      or      ∂uᵢ/∂t = −Lᵢ(u) μᵢ  (not conserved)

Expect what the parts do alone, driven by one energy: it falls, and every conserved field keeps its amount to
round-off.  With constant mobility on periodic or no-flux axes
:class:`~dynaphase.phasefield.models.gradient_flow.GradientFlow` is the faster choice; here mobilities may depend on
every field and walls may hold values.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import numpy as np

from dynaphase.errors import ConfigError
from dynaphase.phasefield.differences import Differences
from dynaphase.phasefield.free_energy import BulkEnergy
from dynaphase.phasefield.grid import Grid, require_fitting, walls_of
from dynaphase.phasefield.operators import Boundaries, FloatArray, divergence_of_flux, gradient_energy, laplacian

__all__ = ["CoupledFields", "Mobility"]

Mobility = float | Callable[[FloatArray], FloatArray]
"""M ≥ 0: a constant, or a function of all fields (n_fields, *grid) that works cell by cell and returns (*grid)."""

_DIFFERENCE = 1e-5
"""Step in the fields for the slope of a mobility."""


@dataclass(frozen=True)
class CoupledFields:
    """The coupled equations on a grid; the state is (n_fields, *grid.shape), or grid.shape with one field.

    A model keeps work space: give every thread its own.

    Parameters
    ----------
    grid : Grid
        Two- or three-dimensional.
    fields : tuple of str
        Names of the fields.
    bulk : BulkEnergy
        The density f.
    kappa : tuple of float
        Gradient coefficients κᵢ ≥ 0.
    mobility : tuple of float or callable
        Mᵢ or Lᵢ.
    is_conserved : tuple of bool
        Whether field i follows the Cahn–Hilliard (True) or the Allen–Cahn (False) form.
    order : int
        Of the differences, 2 or 4; the flux under a mobility that varies is of order 2.
    boundaries : tuple, optional
        Boundaries of every field that differs from the grid, by name.  They are those of its potential too, except
        that no potential is held at a wall: a conserved field takes periodic and no-flux axes only.

    Raises
    ------
    ConfigError
        Where the tuples differ in length, a number has the wrong sign or a conserved field meets a wall of fixed
        value.
    """

    grid: Grid
    fields: tuple[str, ...]
    bulk: BulkEnergy
    kappa: tuple[float, ...]
    mobility: tuple[Mobility, ...]
    is_conserved: tuple[bool, ...]
    order: int = 2
    boundaries: dict[str, Boundaries] = field(default_factory=dict)
    bounds: ClassVar[tuple[float, float] | None] = None

    def __post_init__(self) -> None:
        for name in ("kappa", "mobility", "is_conserved"):
            if len(getattr(self, name)) != len(self.fields):
                raise ConfigError(f"{name} has {len(getattr(self, name))} entries for the fields {self.fields}")
        constants = [m for m in self.mobility if not callable(m)]
        if not all(0 <= k < float("inf") for k in self.kappa) or any(not 0 < m < float("inf") for m in constants):
            raise ConfigError("kappa must be finite and not negative, a constant mobility finite and positive")
        unknown = sorted(set(self.boundaries) - set(self.fields))
        if unknown:
            raise ConfigError(f"boundaries are given for {unknown}; the fields are {self.fields}")
        for boundaries in self.boundaries.values():
            require_fitting(boundaries, self.grid.shape)
        for name, is_conserved in zip(self.fields, self.is_conserved, strict=True):
            if is_conserved and _holds_value(self._boundaries(name)):
                raise ConfigError(
                    f"the conserved field {name} meets a wall of fixed value, through which it would leak: give it "
                    "periodic or no-flux axes in boundaries"
                )

    def rhs(self, state: FloatArray, out: FloatArray) -> None:
        """Write ∂u/∂t of `state` into `out`, both C-contiguous float64 or float32."""
        fields, rates = self._stacked(state), self._stacked(out)
        driving = self.bulk.derivative(fields)
        differences = self._differences[str(state.dtype)]
        bend = np.empty_like(fields[0])
        for i, name in enumerate(self.fields):
            differences.laplacian(fields[i], bend, self._boundaries(name))
            bend *= self.kappa[i]
            driving[i] -= bend
            self._respond(i, fields, driving[i], rates[i], differences)

    def reference_rhs(self, state: FloatArray) -> FloatArray:
        """∂u/∂t in plain numpy: the definition that the compiled operators are held to."""
        fields, driving = self._stacked(state), self._stacked(self.variational_derivative(state))
        rates = np.empty_like(fields)
        for i, name in enumerate(self.fields):
            mobility, boundaries = self._mobility(i, fields), self._boundaries(name)
            if not self.is_conserved[i]:
                rates[i] = -mobility * driving[i]
            elif mobility.ndim == 0:
                rates[i] = mobility * laplacian(driving[i], self.grid, order=self.order, boundaries=boundaries)
            else:
                rates[i] = divergence_of_flux(driving[i], mobility, self.grid, boundaries=boundaries)
        return rates.reshape(state.shape)

    def energy(self, state: FloatArray) -> float:
        """F = Σ f Δx^d + Σᵢ κᵢ · ½∫|∇uᵢ|², the functional that the right-hand side descends, exactly."""
        fields = self._stacked(np.asarray(state, dtype=np.float64))
        total = float(np.sum(self.bulk.density(fields))) * self.grid.spacing_nm ** len(self.grid.shape)
        for i, name in enumerate(self.fields):
            boundaries = self._boundaries(name)
            total += self.kappa[i] * gradient_energy(fields[i], self.grid, order=self.order, boundaries=boundaries)
        return total

    def variational_derivative(self, state: FloatArray) -> FloatArray:
        """μᵢ = ∂f/∂uᵢ − κᵢ∇²uᵢ, shape of the state."""
        fields = self._stacked(state)
        driving = self.bulk.derivative(fields)
        for i, name in enumerate(self.fields):
            boundaries = self._boundaries(name)
            driving[i] -= self.kappa[i] * laplacian(fields[i], self.grid, order=self.order, boundaries=boundaries)
        return driving.reshape(state.shape)

    def add_response(self, state: FloatArray, driving: FloatArray, out: FloatArray) -> None:
        """Add ∇·(Mᵢ∇`driving`) or −Lᵢ`driving` to `out`: the answer to a further term of the free energy."""
        fields, forces, rates = self._stacked(state), self._stacked(driving), self._stacked(out)
        differences = self._differences[str(state.dtype)]
        rate = np.empty_like(fields[0])
        for i in range(len(self.fields)):
            self._respond(i, fields, forces[i], rate, differences)
            rates[i] += rate

    def response_radius(self, state: FloatArray) -> float:
        """The greatest of max Mᵢ ‖∇²‖ (conserved) and max Lᵢ; ‖∇²‖ = 4d/Δx² at order 2, 16d/(3Δx²) at order 4."""
        return max(self._response_radii(self._stacked(state)))

    def response_slope(self, state: FloatArray, driving: FloatArray) -> float:
        """Σ |∂Mᵢ/∂uⱼ| · 2d max|Δdrivingᵢ|/Δx² (conserved) or Σ |∂Lᵢ/∂uⱼ| · max|drivingᵢ|."""
        return self._mobility_slopes(self._stacked(state), self._stacked(driving))

    def spectral_radius(self, state: FloatArray) -> float:
        """Bound on |λ| of the Jacobian (derived here).

        At frozen mobilities J = −R(B + K), R, B, K symmetric, R ≥ 0 and K ≥ 0 block-diagonal: J has the eigenvalues
        of −√R(B + K)√R, at most max Rᵢ · ‖B‖ + max Rᵢκᵢ‖∇²‖.  A mobility that varies adds a matrix whose row and
        column sums are at most Σ |∂Mᵢ/∂uⱼ| · 2d max|Δμᵢ|/Δx² (conserved) or Σ |∂Lᵢ/∂uⱼ| · max|μᵢ|.
        """
        if not np.all(np.isfinite(state)):
            return float("inf")
        fields = self._stacked(np.asarray(state, dtype=np.float64))
        radii = self._response_radii(fields)
        bend = self._steepest_laplacian
        if self.order == 4 and any(_holds_value(self._boundaries(name)) for name in self.fields):
            bend *= 1.6  # the row next to a wall of fixed value: Gershgorin's circle ends at 8.2/Δx², not 16/3
        radius = max(radii) * self.bulk.curvature(fields)
        radius += max(r * k * bend for r, k in zip(radii, self.kappa, strict=True))
        if any(callable(m) for m in self.mobility):
            radius += self._mobility_slopes(
                fields, self._stacked(self.variational_derivative(fields.reshape(self._shape)))
            )
        return float(radius)

    def _mobility_slopes(self, fields: FloatArray, driving: FloatArray) -> float:
        total = 0.0
        for i, mobility in enumerate(self.mobility):
            if not callable(mobility):
                continue
            force = float(np.max(np.abs(driving[i])))
            if self.is_conserved[i]:
                force = float(np.ptp(driving[i])) * 2.0 * len(self.grid.shape) / self.grid.spacing_nm**2
            for j in range(len(self.fields)):
                step = np.zeros_like(fields)
                step[j] = _DIFFERENCE
                slope = (mobility(fields + step) - mobility(fields - step)) / (2.0 * _DIFFERENCE)
                total += float(np.max(np.abs(slope))) * force
        return total

    def _response_radii(self, fields: FloatArray) -> list[float]:
        fastest = [float(np.max(self._mobility(i, fields))) for i in range(len(self.fields))]
        factor = self._steepest_laplacian
        return [m * factor if c else m for m, c in zip(fastest, self.is_conserved, strict=True)]

    @property
    def _steepest_laplacian(self) -> float:
        """Greatest eigenvalue of −∇² (periodic or no-flux axes)."""
        per_axis = 4.0 if self.order == 2 else 16.0 / 3.0
        return per_axis * len(self.grid.shape) / self.grid.spacing_nm**2

    def _mobility(self, i: int, fields: FloatArray) -> FloatArray:
        mobility = self.mobility[i]
        return np.asarray(mobility(fields) if callable(mobility) else mobility, dtype=fields.dtype)

    def _respond(
        self, i: int, fields: FloatArray, driving: FloatArray, out: FloatArray, differences: Differences
    ) -> None:
        """Write the rate of field i under the force `driving` into `out`."""
        mobility = self._mobility(i, fields)
        if not self.is_conserved[i]:
            np.multiply(driving, -mobility, out=out)
        elif mobility.ndim == 0:
            differences.laplacian(driving, out, self._boundaries(self.fields[i]))
            out *= mobility
        else:
            differences.divergence_of_flux(driving, mobility, out, self._boundaries(self.fields[i]))

    def _boundaries(self, name: str) -> Boundaries:
        return self.boundaries.get(name, self.grid.boundaries)

    @property
    def _shape(self) -> tuple[int, ...]:
        return self.grid.shape if len(self.fields) == 1 else (len(self.fields), *self.grid.shape)

    def _stacked(self, state: FloatArray) -> FloatArray:
        return state.reshape(len(self.fields), *self.grid.shape)

    @cached_property
    def _differences(self) -> dict[str, Differences]:
        return {name: Differences(self.grid, self.order, name) for name in ("float64", "float32")}


def _holds_value(boundaries: Boundaries) -> bool:
    """Whether a wall among them has a fixed value."""
    walls = [walls_of(boundary) for boundary in boundaries]
    return any(w is not None and (w.low is not None or w.high is not None) for w in walls)
