r"""Lithium that penetrates a solid electrolyte: a front driven by the overpotential above a mechanical threshold.

.. math::

   \partial_t\xi = \big\{\, L_\eta\,6\xi(1-\xi)\,2\sinh(b\,\Delta\eta)
   + L_r\,[\,2\lambda^2\,\partial_n^2\xi - 2\xi(1-\xi)(1-2\xi)\,]\,\big\}_+ , \qquad
   \Delta\eta = [\,\varphi - \eta_c - \Gamma V_\mathrm{Li}K_c/F\,]_+ , \qquad
   L_\eta = \frac{V_\mathrm{Li}i_0}{6\lambda F}

ξ is 1 in lithium and 0 in the electrolyte, φ the electrochemical potential of Li⁺ over F against the metal, η_c the
overpotential that opens a path (`fracture_threshold`), K_c the curvature of convex lithium.  The profile
½[1 − tanh(n/2λ)] moves at exactly :math:`v = (V_\mathrm{Li}i_0/F)\,2\sinh(b\,\Delta\eta)`, for
6ξ(1 − ξ) = 6λ|∇ξ| on it; the second term only restores it, at the rate L_r = 4 L_η max 2 sinh(bΔη).  Its part along
the normal, :math:`\partial_n^2\xi = \nabla^2\xi - |\nabla\xi|\nabla\cdot\hat n`, leaves curvature to the capillary term
(after Y. Sun, C. Beckermann, J. Comput. Phys. 220, 626 (2007), doi:10.1016/j.jcp.2006.05.025).

What to expect: no motion where φ < η_c; weak boundaries open first; where two flanks of a filament in a weak zone
less than about 10 λ wide overlap, the tip lags behind the sharp front (compare `dynaphase.electrolyte.eikonal`).
Rigid ceramic does not heal: ξ does not fall where φ ≥ 0.  In cells that `can_leave` names, lithium under φ < 0 goes
back at the rate of the same equation with Δη = φ, braces {·}₋ instead of {·}₊: leaving needs no path to be opened.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from dynaphase.errors import ConfigError
from dynaphase.phasefield.operators import FloatArray
from dynaphase.units import FARADAY, GAS_CONSTANT, LITHIUM_MOLAR_VOLUME, NM, ROOM_TEMPERATURE

BoolArray = npt.NDArray[np.bool_]

__all__ = ["FrontParameters", "FrontTerms", "LithiumFront", "connected_lithium", "fracture_threshold", "lithium_slab"]

RESTORING: Final = 4.0
"""L_r over L_η max 2 sinh(bΔη).  Below 3 the state ξ = 0 is linearly unstable and fronts are pulled; at 1 the profile
sharpens and the front lags."""

_CURVATURE_LIMIT: Final = 1.0
"""Largest curvature that counts (1/nm): that of a filament two cells wide."""


@dataclass(frozen=True, slots=True)
class FrontParameters:
    """Kinetics of the front.

    Parameters
    ----------
    exchange_current_A_per_m2 : float
        i₀ > 0.
    width_nm : float
        λ > 0, scale of the profile: it rises from 10 to 90 % over 4.394 λ.
    temperature_K : float
    signed_curvature : bool
        False: only convex lithium costs energy, as in a rigid ceramic.  True: hollows gain it back, the limit of free
        electrodeposition (η_c = 0).
    """

    exchange_current_A_per_m2: float
    width_nm: float = 1.0
    temperature_K: float = ROOM_TEMPERATURE
    signed_curvature: bool = False

    def __post_init__(self) -> None:
        for name in ("exchange_current_A_per_m2", "width_nm", "temperature_K"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0):
                raise ConfigError(f"{name} must be positive and finite, not {value}")

    @property
    def b_per_V(self) -> float:
        """The symmetric Butler–Volmer factor b = F/(2RT) (1/V)."""
        return FARADAY / (2.0 * GAS_CONSTANT * self.temperature_K)

    @property
    def velocity_nm_per_s(self) -> float:
        """v₀ = V_Li i₀/F (nm/s)."""
        return LITHIUM_MOLAR_VOLUME * self.exchange_current_A_per_m2 / FARADAY / NM

    @property
    def kinetic_per_s(self) -> float:
        """L_η = v₀/(6λ) (1/s)."""
        return self.velocity_nm_per_s / (6.0 * self.width_nm)


def fracture_threshold(
    *,
    toughness_Pa_sqrt_m: float,
    boundary_ratio: npt.ArrayLike,
    boundary_zone: npt.ArrayLike,
    flaw_size_m: float,
    geometry_factor: float = 1.12,
    density: npt.ArrayLike = 1.0,
    inclusions: Mapping[float, npt.ArrayLike] | None = None,
    extent: npt.ArrayLike = 0.0,
    weakening: float = 0.0,
) -> FloatArray:
    r"""Overpotential that lets lithium open a path (V), shape of the microstructure.

    .. math::

       \eta_c = \frac{V_\mathrm{Li}}{F}\,\frac{K_b[(1-g_m) + w\,g_m]}{Y\sqrt{\pi a}}\,
                \rho^2\,\prod_k[1+s_k(f_k-1)]\,(1-\beta_\chi\chi)

    Pressure p in confined lithium shifts its potential by V_Li p/F (C. Monroe, J. Newman, J. Electrochem. Soc. 152,
    A396 (2005), doi:10.1149/1.1850854); p is that which drives a flaw of size a
    (L. Porz et al., Adv. Energy Mater. 7, 1701003 (2017), doi:10.1002/aenm.201701003).

    Parameters
    ----------
    toughness_Pa_sqrt_m : float
        K_b of a grain (Pa √m).
    boundary_ratio : array_like
        w, toughness of the boundary over that of a grain, drawn boundary by boundary.
    boundary_zone : array_like
        g_m, 1 in the zone of a boundary.
    flaw_size_m, geometry_factor : float
        a (m) and Y.
    density : array_like
        ρ; a void opens at no overpotential.
    inclusions : mapping of float to array_like, optional
        Toughness factor f_k → indicator s_k of the secondary phase.
    extent : array_like
        χ, extent of decomposition.
    weakening : float
        β_χ, loss of toughness on complete decomposition.
    """
    if not (toughness_Pa_sqrt_m > 0 and flaw_size_m > 0 and geometry_factor > 0):
        raise ConfigError("toughness, flaw size and geometry factor must be positive")
    if not 0 <= weakening <= 1:
        raise ConfigError(f"the weakening must lie between 0 and 1, not {weakening}")
    zone = np.asarray(boundary_zone, dtype=np.float64)
    pressure = toughness_Pa_sqrt_m / (geometry_factor * math.sqrt(math.pi * flaw_size_m))
    eta = LITHIUM_MOLAR_VOLUME / FARADAY * pressure * ((1.0 - zone) + np.asarray(boundary_ratio) * zone)
    eta = eta * np.asarray(density) ** 2 * (1.0 - weakening * np.asarray(extent))
    for factor, indicator in (inclusions or {}).items():
        eta = eta * (1.0 + np.asarray(indicator) * (factor - 1.0))
    return np.asarray(eta, dtype=np.float64)


def lithium_slab(shape: tuple[int, ...], spacing_nm: float, depth_nm: float, width_nm: float) -> FloatArray:
    """The profile ½[1 − tanh((x − d)/2λ)] of a slab of lithium on the low face of axis 0."""
    x = (np.arange(shape[0]) + 0.5) * spacing_nm
    profile = 0.5 * (1.0 - np.tanh((x - depth_nm) / (2.0 * width_nm)))
    return np.broadcast_to(profile.reshape(-1, *(1,) * (len(shape) - 1)), shape).copy()


def connected_lithium(lithium: FloatArray) -> BoolArray:
    """Cells of ξ ≥ ½ that hang together with the anode, also across periodic edges."""
    from scipy import ndimage

    labels, n = ndimage.label(lithium >= 0.5)
    if n == 0:
        return np.zeros(lithium.shape, np.bool_)
    anode = set(np.unique(labels[0])) - {0}
    for axis in range(1, lithium.ndim):  # pieces that touch across a periodic edge are one
        edges = np.stack([np.take(labels, 0, axis).ravel(), np.take(labels, -1, axis).ravel()], axis=1)
        pairs = np.unique(edges[np.all(edges > 0, axis=1)], axis=0).tolist()
        grown = True
        while grown:
            before = len(anode)
            anode |= {b for a, b in pairs if a in anode} | {a for a, b in pairs if b in anode}
            grown = len(anode) > before
    return np.isin(labels, list(anode))


class FrontTerms(NamedTuple):
    """What a solver of the potential has to know of the front."""

    barrier_V: FloatArray
    """η_c + η_cap of every cell (V)."""
    restoring_per_s: FloatArray
    """The restoring term of ∂ξ/∂t (1/s), 0 where nothing is driven."""
    strongest_drive: float
    """Largest 2 sinh(bΔη) of any cell; the restoring term is proportional to it."""
    speed_nm_per_s: float
    """Speed of the fastest part of the front, either way."""


class LithiumFront:
    """The front in one microstructure; changes with `advance`.

    Parameters
    ----------
    parameters : FrontParameters
    start : array
        ξ at the start, two- or three-dimensional; axis 0 runs away from the anode and is closed, the others are
        periodic.
    spacing_nm : float
    surface_energy_J_per_m2 : array_like
        Γ, energy of the surface between lithium and electrolyte, where it is to be laid.
    """

    def __init__(
        self,
        parameters: FrontParameters,
        start: npt.ArrayLike,
        spacing_nm: float,
        surface_energy_J_per_m2: npt.ArrayLike = 0.0,
    ) -> None:
        xi = np.asarray(start, dtype=np.float64)
        if xi.ndim not in (2, 3):
            raise ConfigError(f"a front moves in two or three dimensions, not in {xi.shape}")
        if not (np.all(np.isfinite(xi)) and xi.min() >= 0 and xi.max() <= 1):
            raise ConfigError("the start must lie between 0 (electrolyte) and 1 (lithium)")
        self.parameters, self.spacing_nm = parameters, spacing_nm
        self._shape = xi.shape
        self._deep = xi.shape if xi.ndim == 3 else (xi.shape[0], 1, xi.shape[1])
        self._xi = np.zeros(tuple(n + 2 for n in self._deep))
        self._xi[1:-1, 1:-1, 1:-1] = xi.reshape(self._deep)
        # the potential that a curvature of 1/nm costs
        scale = LITHIUM_MOLAR_VOLUME / FARADAY / NM
        self._capillarity = self._spread(np.asarray(surface_energy_J_per_m2) * scale)
        self._work = (np.empty(xi.size, np.int64), np.empty(xi.size), np.empty(xi.size), np.empty(self._xi.size))
        self._can_leave = np.zeros(self._deep, np.bool_)
        self.n_steps = 0

    def let_leave(self, cells: npt.ArrayLike) -> None:
        """From now on lithium may leave these cells (bool, shape of the microstructure) where φ < 0."""
        self._can_leave[...] = np.asarray(cells, dtype=np.bool_).reshape(self._deep)

    @property
    def lithium(self) -> FloatArray:
        """ξ, shape of the microstructure; a copy."""
        return self._xi[1:-1, 1:-1, 1:-1].reshape(self._shape).copy()

    def terms(self, potential_V: npt.ArrayLike, threshold_V: npt.ArrayLike) -> FrontTerms:
        """What holds the front back under a potential.

        What the front gains is [L_η 6ξ(1 − ξ) 2 sinh(bΔη) + restoring]₊ where Δη > 0: a solver of the potential that
        takes up the charge of just that obeys Faraday's law also where a filament is held back.
        """
        from dynaphase.electrolyte.penetration_loops import front_terms

        barrier, restoring = np.empty(self._deep), np.empty(self._deep)
        fields = (self._spread(potential_V), self._spread(threshold_V), self._capillarity, self._can_leave)
        strongest, fastest = front_terms(self._xi, *fields, self._numbers, barrier, restoring)
        # a front that moves at v changes ξ by v/4λ where ξ = ½
        speed = 4.0 * self.parameters.width_nm * fastest
        return FrontTerms(barrier.reshape(self._shape), restoring.reshape(self._shape), strongest, speed)

    def advance(self, span_s: float, potential_V: npt.ArrayLike, threshold_V: npt.ArrayLike) -> None:
        """Let the front move for `span_s` (s) under φ and η_c (V), numbers or fields, that stand still."""
        from dynaphase.electrolyte.penetration_loops import advance_front

        fields = (self._spread(potential_V), self._spread(threshold_V), self._capillarity, self._can_leave)
        self.n_steps += advance_front(self._xi, *fields, self._numbers, self._work, span_s)

    def reference_rate(self, potential_V: npt.ArrayLike, threshold_V: npt.ArrayLike) -> FloatArray:
        """∂ξ/∂t (1/s) in plain numpy, without the cut-off at the foot of the profile: what the loops are held to."""
        p, dx = self.parameters, self.spacing_nm
        xi = np.pad(self.lithium.reshape(self._deep), ((1, 1), (0, 0), (0, 0)), mode="edge")
        xi = np.pad(xi, ((0, 0), (1, 1), (1, 1)), mode="wrap")
        slopes = np.stack([0.5 * (np.roll(xi, -1, a) - np.roll(xi, 1, a)) for a in range(3)])
        divergence = np.zeros_like(xi)
        for axis in range(3):
            across = np.roll(xi, -1, axis) - xi
            along = [0.5 * (slopes[a] + np.roll(slopes[a], -1, axis)) for a in range(3) if a != axis]
            normal = across / np.sqrt(across**2 + along[0] ** 2 + along[1] ** 2 + (2e-3 / p.width_nm * dx) ** 2)
            divergence += normal - np.roll(normal, 1, axis)
        bend = sum(np.roll(xi, 1, a) + np.roll(xi, -1, a) - 2.0 * xi for a in range(3))
        inside = (slice(1, -1),) * 3
        normal_bend = ((bend - np.sqrt(np.sum(slopes**2, axis=0)) * divergence) / dx**2)[inside]
        least = self._numbers[4]
        curvature = np.clip(-divergence[inside] / dx, least, _CURVATURE_LIMIT)
        margin = self._spread(potential_V) - self._spread(threshold_V) - self._capillarity * curvature
        drive = np.where(margin > 0, 2.0 * np.sinh(p.b_per_V * np.maximum(margin, 0.0)), 0.0)
        potential = self._spread(potential_V)
        drive = np.where(self._can_leave & (potential < 0), 2.0 * np.sinh(p.b_per_V * potential), drive)
        x = xi[inside]
        in_band = np.array(self._band(xi))
        restore = RESTORING * p.kinetic_per_s * float(np.max(np.where(in_band, np.abs(drive), 0.0), initial=0.0))
        well = x * (1.0 - x)
        rate = p.kinetic_per_s * 6.0 * well * drive
        rate += restore * (2.0 * p.width_nm**2 * normal_bend - 2.0 * well * (1.0 - 2.0 * x))
        rate = np.where(drive > 0, np.maximum(rate, 0.0), np.minimum(rate, 0.0))
        return np.where(in_band & (drive != 0), rate, 0.0).reshape(self._shape)

    def _band(self, padded: FloatArray) -> BoolArray:
        """Cells whose stencil is neither all electrolyte nor all metal."""
        inside = (slice(1, -1),) * 3
        stencil = [padded, *(np.roll(padded, s, a) for a in range(3) for s in (1, -1))]
        most, least = np.max(stencil, axis=0)[inside], np.min(stencil, axis=0)[inside]
        return np.asarray((most > 1e-4) & (least < 1.0 - 1e-4))

    @property
    def _numbers(self) -> tuple[float, float, float, float, float, float, float]:
        p = self.parameters
        least = -_CURVATURE_LIMIT if p.signed_curvature else 0.0
        return p.width_nm, self.spacing_nm, p.b_per_V, p.kinetic_per_s, least, _CURVATURE_LIMIT, RESTORING

    def _spread(self, values: npt.ArrayLike) -> FloatArray:
        full = np.broadcast_to(np.asarray(values, dtype=np.float64), self._shape)
        return np.ascontiguousarray(full.reshape(self._deep))
