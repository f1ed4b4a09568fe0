r"""Decomposition of a solid electrolyte in contact with lithium: a mixed-conducting interphase that grows.

.. math::

   \partial_t u = \nabla\cdot(D_u\nabla u) - \nu r, \qquad \partial_t\chi = r = k_r\,u\,(1-\chi)\,\rho, \qquad
   D_u = \rho^2\,[D_\chi\,\chi + (D_b + D_{gb}\,g)(1-\chi)]

u is the activity of neutral lithium (1 in the metal), χ the extent of decomposition, ρ the solid density and g the
grain-boundary indicator.  Each unit of χ takes ν units of u.

What to expect: for a fast reaction the front follows Stefan's law :math:`L = 2\Lambda\sqrt{D_\chi t}` with
:math:`\sqrt\pi\,\Lambda e^{\Lambda^2}\mathrm{erf}\,\Lambda = 1/\nu`; for a slow one it starts in proportion to time
and turns into the square root later (Deal and Grove, doi:10.1063/1.1713945).  Boundaries are attacked first.

Explicit and conservative: the reaction takes no more than the u at hand, so u stays in [0, 1] and
Σ (u + νχ) changes by the influx alone, to round-off.  The cathode side is the same model with its own numbers, on
arrays turned round.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from dynaphase.errors import ConfigError
from dynaphase.phasefield.operators import FloatArray

__all__ = ["Interphase", "InterphaseParameters", "stefan_constant"]

BoolArray = npt.NDArray[np.bool_]

_COURANT: Final = 0.9
"""Share of the largest stable step."""

_FLOOR: Final = 1e-9
"""Activity below which a plane ahead of the front is not touched."""


@dataclass(frozen=True, slots=True)
class InterphaseParameters:
    """Numbers of the equations above.

    Parameters
    ----------
    converted_nm2_per_s : float
        D_χ > 0, of neutral lithium in decomposed electrolyte (nm²/s).
    grain_nm2_per_s, boundary_nm2_per_s : float
        D_b and D_gb ≥ 0, in fresh grains and, in addition, on boundaries (nm²/s).
    rate_per_s : float
        k_r ≥ 0 (1/s).
    uptake : float
        ν > 0, lithium consumed over lithium stored as neutral lithium.
    """

    converted_nm2_per_s: float
    grain_nm2_per_s: float
    boundary_nm2_per_s: float
    rate_per_s: float
    uptake: float

    def __post_init__(self) -> None:
        for name in ("converted_nm2_per_s", "uptake"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ConfigError(f"{name} must be positive and finite, not {value}")
        for name in ("grain_nm2_per_s", "boundary_nm2_per_s", "rate_per_s"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ConfigError(f"{name} must be finite and not negative, not {value}")

    @property
    def fastest_nm2_per_s(self) -> float:
        """Largest diffusivity that can occur (nm²/s)."""
        return max(self.converted_nm2_per_s, self.grain_nm2_per_s + self.boundary_nm2_per_s)


class Interphase:
    """The interphase in one microstructure; changes with `advance`.

    Parameters
    ----------
    parameters : InterphaseParameters
    density, boundary : arrays
        ρ and g, two- or three-dimensional; axis 0 runs away from the lithium and is closed at both ends, the others
        are periodic.
    spacing_nm : float
    lithium : array of bool
        Cells that are lithium metal: u = 1 there, at all times.
    """

    def __init__(
        self,
        parameters: InterphaseParameters,
        density: npt.ArrayLike,
        boundary: npt.ArrayLike,
        spacing_nm: float,
        lithium: npt.ArrayLike,
    ) -> None:
        self.parameters, self.spacing_nm = parameters, spacing_nm
        solid = np.asarray(density, dtype=np.float64)
        if solid.ndim not in (2, 3):
            raise ConfigError(f"an interphase grows in two or three dimensions, not in {solid.shape}")
        self._shape = solid.shape
        nx, nz = solid.shape[0], solid.shape[-1]
        deep = (nx, *solid.shape[1:-1], nz) if solid.ndim == 3 else (nx, 1, nz)
        self._density = np.ascontiguousarray(solid.reshape(deep))
        g = np.asarray(boundary, dtype=np.float64).reshape(deep)
        self._fresh = parameters.grain_nm2_per_s + parameters.boundary_nm2_per_s * g
        self._chi = np.zeros(deep)
        padded = (*deep[:2], nz + 2)
        self._u, self._work = np.zeros(padded), (np.zeros(padded), np.zeros(padded))
        self._lithium = np.zeros(deep, np.bool_)
        self._last = 0
        self.time_s = 0.0
        self.influx = 0.0
        """Lithium that entered from the metal so far, Σ over the cells of u + νχ."""
        self.set_lithium(lithium)

    @property
    def activity(self) -> FloatArray:
        """The activity u of neutral lithium, shape of the microstructure; a copy."""
        return self._u[..., 1:-1].reshape(self._shape).copy()

    @property
    def extent(self) -> FloatArray:
        """The extent of decomposition χ, shape of the microstructure; 0 where there is lithium; a copy."""
        return np.where(self._lithium, 0.0, self._chi).reshape(self._shape)

    def set_lithium(self, lithium: npt.ArrayLike) -> None:
        """Let the metal be where `lithium` says from now on."""
        metal = np.asarray(lithium, dtype=np.bool_)
        if metal.shape != self._shape:
            raise ConfigError(f"lithium has the shape {metal.shape}, the microstructure {self._shape}")
        self._lithium[...] = metal.reshape(self._lithium.shape)
        self._u[..., 1:-1][self._lithium] = 1.0
        self._u[..., 0], self._u[..., -1] = self._u[..., -2], self._u[..., 1]
        rows = np.flatnonzero(self._lithium.any(axis=(1, 2)))
        if rows.size:
            self._last = max(self._last, int(rows[-1]))

    def advance(self, until_s: float) -> None:
        """Go on to the time `until_s` (s), in equal stable steps."""
        span = until_s - self.time_s
        if not span > 0:
            return
        from dynaphase.electrolyte.interphase_loops import react

        n_axes = len(self._shape)
        longest = _COURANT * self.spacing_nm**2 / (2 * n_axes * self.parameters.fastest_nm2_per_s)
        n_steps = math.ceil(span / longest)
        np.copyto(self._work[0], self._u)
        p = self.parameters
        numbers = (p.converted_nm2_per_s, p.rate_per_s, p.uptake, self.spacing_nm)
        entered, self._last = react(
            self._u,
            self._work,
            self._chi,
            self._density,
            self._fresh,
            self._lithium,
            self._last,
            numbers,
            span / n_steps,
            n_steps,
            _FLOOR,
        )
        self.influx += entered
        self.time_s = until_s

    def reference_step(self, dt_s: float) -> tuple[FloatArray, FloatArray]:
        """Activity and extent after one step of `dt_s`, in plain numpy: what the compiled loop is held to."""
        p, u, chi = self.parameters, self._u[..., 1:-1], self._chi
        x = np.where(self._lithium, 1.0, chi)
        d = self._density**2 * (p.converted_nm2_per_s * x + self._fresh * (1.0 - x))
        after = u.copy()
        for axis in range(3):
            for shift in (1, -1):
                u_side, d_side = np.roll(u, shift, axis), np.roll(d, shift, axis)
                if axis == 0:
                    end = 0 if shift == 1 else -1
                    u_side[end] = u[end]
                after += 0.5 * dt_s / self.spacing_nm**2 * (d + d_side) * (u_side - u)
        after[self._lithium] = 1.0
        reacted = np.minimum((1.0 - chi) * -np.expm1(-p.rate_per_s * dt_s * self._density * after), after / p.uptake)
        reacted[self._lithium] = 0.0
        return (after - p.uptake * reacted).reshape(self._shape), (chi + reacted).reshape(self._shape)


def stefan_constant(uptake: float) -> float:
    """Λ of Stefan's law L = 2Λ√(D_χ t): the root of √π Λ exp(Λ²) erf Λ = 1/ν."""
    from scipy.optimize import brentq

    return float(brentq(lambda a: math.sqrt(math.pi) * a * math.exp(a * a) * math.erf(a) - 1.0 / uptake, 1e-9, 5.0))
