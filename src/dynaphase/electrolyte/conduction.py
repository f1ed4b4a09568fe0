r"""Ionic conductivity of a microstructure by homogenization.

The current of lithium ions obeys :math:`\nabla\cdot(\sigma\nabla\psi) = 0` with the local conductivity

.. math::

   \sigma = \rho\,[(1-\chi)\,\sigma_p + \chi\,\sigma_\chi] + (1-\rho)\,\sigma_v , \qquad
   \frac{1}{\sigma_\mathrm{host}} = \frac{1}{\sigma_b} + \frac{g\,R''}{\ell},

where p is the phase of the cell.  Phases mix in parallel, grain boundaries in series: since
:math:`\int g\,\mathrm{d}z = \ell`, one straight boundary adds exactly its area-specific resistance R'', whatever its
numerical width.  What to expect: boundaries and insulating layers across the current lower σ in proportion to their
number; isolated inclusions hardly matter.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from dynaphase.electrolyte.microstructure import Microstructure
from dynaphase.errors import InputError
from dynaphase.phasefield.elliptic import Ends, FaceMean, Factor, solve_conduction
from dynaphase.phasefield.large_conduction import Guess, solve_large_conduction
from dynaphase.units import BOLTZMANN_EV, NM

__all__ = [
    "ConductionParameters",
    "Homogenized",
    "brick_layer",
    "ceramic_conductivity",
    "effective_activation_energy",
    "homogenize",
    "local_conductivity",
]

FloatArray = npt.NDArray[np.float64]

MOST_CELLS_DIRECT: Final = 20_000
"""Boxes of three axes with more cells are solved by multigrid: 64³ cells would need gigabytes of factors."""


@dataclass(frozen=True, slots=True)
class ConductionParameters:
    """Conductivities of everything that a microstructure is made of, at one temperature."""

    bulk_S_per_m: float
    """σ_b, inside a grain of the host (S/m)."""
    boundary_resistance_ohm_m2: float
    """R'', the area-specific resistance that one grain boundary adds (Ω m²), 0 or more."""
    secondary: Mapping[str, float] = field(default_factory=dict)
    """Conductivity of each secondary phase (S/m)."""
    void_S_per_m: float = 1e-7
    """σ_v (S/m); above zero so that the problem stays well posed."""
    degraded_S_per_m: float = 1e-4
    """σ_χ, of the decomposed electrolyte (S/m)."""

    def __post_init__(self) -> None:
        positive = {
            "the bulk": self.bulk_S_per_m,
            "voids": self.void_S_per_m,
            "the degraded electrolyte": self.degraded_S_per_m,
            **self.secondary,
        }
        for name, value in positive.items():
            if not (np.isfinite(value) and value > 0):
                raise InputError(f"the conductivity of {name} must be positive and finite, not {value} S/m")
        if not (np.isfinite(self.boundary_resistance_ohm_m2) and self.boundary_resistance_ohm_m2 >= 0):
            raise InputError(
                f"the resistance of a grain boundary must be finite and not negative, "
                f"not {self.boundary_resistance_ohm_m2} Ω m²"
            )


@dataclass(frozen=True, slots=True)
class Homogenized:
    """Effective conductivity of a box and the fields behind it."""

    conductivity_S_per_m: float
    """With harmonic faces a rigorous lower bound for the medium that is constant in every cell (S/m)."""
    area_specific_resistance_ohm_m2: float
    """Length of the box over its conductivity (Ω m²)."""
    discretization_error_decades: float | None
    """½ log₁₀(σ_arithmetic/σ_harmonic): an error bar, not a bound.  None unless asked for."""
    potential: FloatArray
    """ψ under a unit drop along the axis; in a periodic cell its periodic part."""
    dissipation: FloatArray
    """Share of every cell in the dissipated power; sums to 1."""
    factor: Factor | Guess
    """What speeds up the next solve on this structure (`homogenize(..., near=...)`)."""


def local_conductivity(
    microstructure: Microstructure, parameters: ConductionParameters, degraded: npt.ArrayLike | None = None
) -> FloatArray:
    """σ(x) of the module's equation.

    Parameters
    ----------
    microstructure : Microstructure
    parameters : ConductionParameters
        Must have a conductivity for every secondary phase of the microstructure.
    degraded : array_like, optional
        Extent of decomposition χ in every cell, 0 to 1.

    Returns
    -------
    numpy.ndarray
        Conductivity (S/m), of the microstructure's shape.

    Raises
    ------
    InputError
        If a secondary phase has no conductivity, or χ has another shape or leaves [0, 1].
    """
    missing = [name for name in microstructure.phase_names if name not in parameters.secondary]
    if missing:
        raise InputError(f"no conductivity is given for {', '.join(missing)}; add it to `secondary` (in S/m)")
    width = microstructure.boundary_width_nm * NM
    excess = parameters.boundary_resistance_ohm_m2 / width
    host = 1.0 / (1.0 / parameters.bulk_S_per_m + excess * microstructure.boundary)
    palette = np.array([0.0, *(parameters.secondary[name] for name in microstructure.phase_names)])
    solid = np.where(microstructure.phase_ids == 0, host, palette[microstructure.phase_ids])
    if degraded is not None:
        extent = np.asarray(degraded, dtype=np.float64)
        if extent.shape != solid.shape or not (np.all(extent >= 0) and np.all(extent <= 1)):
            raise InputError(
                f"the extent of degradation must be an array of shape {solid.shape} with values in [0, 1]; "
                f"got shape {extent.shape} with values from {np.min(extent)} to {np.max(extent)}"
            )
        # Decomposition of a poor conductor makes it no better.
        solid = (1.0 - extent) * solid + extent * np.minimum(parameters.degraded_S_per_m, solid)
    density = microstructure.density
    return np.asarray(density * solid + (1.0 - density) * parameters.void_S_per_m)


def homogenize(
    sigma: npt.ArrayLike,
    spacing_nm: float,
    axis: int = 0,
    boundary: Ends | str = Ends.ELECTRODES,
    *,
    faces: FaceMean | str = FaceMean.HARMONIC,
    n_cathode_rows: int = 0,
    with_error: bool = False,
    near: Factor | Guess | None = None,
) -> Homogenized:
    r"""Effective conductivity :math:`\sigma_\mathrm{eff} = L\,\langle j\rangle/\Delta\psi` of a box.

    Harmonic faces are exact for layers and right for thin resistive boundaries; the error bar pairs them with
    arithmetic faces, which by plane duality err the other way.

    Parameters
    ----------
    sigma : array_like
        Conductivity of every cell (S/m), 1 to 3 axes.
    spacing_nm : float
        Edge length of a cell (nm).
    axis : int
        Direction of the current.
    boundary : {"electrodes", "periodic"}
        Electrodes on the two faces, or a periodic cell under a mean field; the other axes are periodic.
    faces : {"harmonic", "arithmetic"}
        Conductance between two cells.
    n_cathode_rows : int
        Rows to leave out at the high end of axis 0: the cathode layer is no part of the electrolyte.
    with_error : bool
        Also solve with the other kind of faces, for `discretization_error_decades`.
    near : Factor, optional
        `Homogenized.factor` of a similar field on the same structure.

    Raises
    ------
    InputError
        If a conductivity is not positive and finite, or no row is left.
    SimulationError
        If the solve does not conserve charge.

    Notes
    -----
    The error bar is the geometric mean's distance from either scheme; that the mean itself is exact holds only for
    self-dual media (Keller 1964, doi:10.1063/1.1704146).
    """
    if not (np.isfinite(spacing_nm) and spacing_nm > 0):
        raise InputError(f"the cell size must be a positive length in nm, not {spacing_nm}")
    field_ = _without_cathode(np.asarray(sigma, dtype=np.float64), n_cathode_rows)
    mean = FaceMean(faces)
    found = _solve(field_, axis, Ends(boundary), mean, near)
    error = None
    if with_error:
        other_mean = FaceMean.ARITHMETIC if mean is FaceMean.HARMONIC else FaceMean.HARMONIC
        other = _solve(field_, axis, Ends(boundary), other_mean, found.factor)
        error = abs(float(np.log10(other.conductivity / found.conductivity))) / 2
    return Homogenized(
        conductivity_S_per_m=found.conductivity,
        area_specific_resistance_ohm_m2=field_.shape[axis] * spacing_nm * NM / found.conductivity,
        discretization_error_decades=error,
        potential=found.potential,
        dissipation=_dissipation(found, field_, axis),
        factor=found.factor,
    )


@dataclass(frozen=True, slots=True)
class _Found:
    """What both solvers tell."""

    conductivity: float
    potential: FloatArray
    faces: tuple[FloatArray, ...]
    drops: tuple[FloatArray, ...]
    electrodes: tuple[FloatArray, FloatArray] | None
    factor: Factor | Guess


def _solve(sigma: FloatArray, axis: int, ends: Ends, faces: FaceMean, near: Factor | Guess | None) -> _Found:
    """Directly, or by multigrid where the factors of a direct solver would fill the memory."""
    if sigma.ndim == 3 and sigma.size > MOST_CELLS_DIRECT:
        start = near if isinstance(near, Guess) else None
        large = solve_large_conduction(sigma, axis=axis, ends=ends, faces=faces, near=start)
        return _Found(large.conductivity, large.potential, large.faces, large.drops, large.electrodes, large.guess)
    factor = near if isinstance(near, Factor) else None
    small = solve_conduction(sigma, axis=axis, ends=ends, faces=faces, near=factor)
    network, drops = small.network, small.network.drops(small.potential)
    return _Found(small.conductivity, small.potential, network.faces, drops, network.electrodes, small.factor)


def _without_cathode(sigma: FloatArray, n_rows: int) -> FloatArray:
    if not 0 <= n_rows < len(sigma):
        raise InputError(f"cannot leave out {n_rows} of {len(sigma)} rows: at least one row must stay")
    return sigma[: len(sigma) - n_rows]


def _dissipation(found: _Found, sigma: FloatArray, axis: int) -> FloatArray:
    """Power per cell over the total; a face's power is split like the resistances of its two halves."""
    power = np.zeros_like(sigma)
    for k, (face, drop) in enumerate(zip(found.faces, found.drops, strict=True)):
        loss = face * drop**2
        other = np.roll(sigma, -1, k)
        share = other / (sigma + other)
        power += share * loss + np.roll((1.0 - share) * loss, 1, k)
    if found.electrodes is not None:
        g_in, g_out = found.electrodes
        ends, potential = np.moveaxis(power, axis, 0), np.moveaxis(found.potential, axis, 0)
        ends[0] += g_in * (1.0 - potential[0]) ** 2
        ends[-1] += g_out * potential[-1] ** 2
    return np.asarray(power / power.sum())


def brick_layer(bulk_S_per_m: float, boundary_resistance_ohm_m2: float, grain_size_nm: float) -> float:
    """Conductivity of a dense ceramic of cubic grains, 1/σ = 1/σ_b + R''/d (S/m).

    One boundary per grain along the current, side boundaries neglected (van Dijk and Burggraaf 1981,
    doi:10.1002/pssa.2210630131).
    """
    if not grain_size_nm > 0:
        raise InputError(f"the grain size must be positive, not {grain_size_nm} nm")
    return 1.0 / (1.0 / bulk_S_per_m + boundary_resistance_ohm_m2 / (grain_size_nm * NM))


def ceramic_conductivity(
    microstructure: Microstructure,
    parameters: ConductionParameters,
    grain_size_nm: float = 1000.0,
    *,
    axis: int = 0,
    boundary: Ends | str = Ends.ELECTRODES,
    n_cathode_rows: int = 0,
) -> float:
    """Conductivity of a ceramic with the phases and voids of the box, but grains of a real size (S/m).

    A box of 100 nm holds far more boundary per length than a ceramic of micrometre grains, so a measured
    conductivity cannot be compared with the box itself.  Here the boundaries are taken out of the box (g = 0) and
    go into the matrix by the brick layer at `grain_size_nm`; voids and secondary phases stay resolved.  A dense
    single phase returns exactly 1/(1/σ_b + R''/d).  The last three arguments are those of `homogenize`.
    """
    matrix = replace(
        parameters,
        bulk_S_per_m=brick_layer(parameters.bulk_S_per_m, parameters.boundary_resistance_ohm_m2, grain_size_nm),
        boundary_resistance_ohm_m2=0.0,
    )
    sigma = local_conductivity(microstructure, matrix)
    result = homogenize(sigma, microstructure.spacing_nm, axis, boundary, n_cathode_rows=n_cathode_rows)
    return result.conductivity_S_per_m


def effective_activation_energy(temperatures_K: npt.ArrayLike, conductivities: npt.ArrayLike) -> float:
    """Slope of ln(σT) against −1/(k_B T) by least squares (eV).

    Raises
    ------
    InputError
        If there are fewer than two temperatures, or a value is not positive.
    """
    T = np.asarray(temperatures_K, dtype=np.float64)
    sigma = np.asarray(conductivities, dtype=np.float64)
    if T.shape != sigma.shape or T.ndim != 1 or len(np.unique(T)) < 2:
        raise InputError("an activation energy needs two or more different temperatures, one conductivity each")
    if not (np.all(T > 0) and np.all(sigma > 0)):
        raise InputError("temperatures (K) and conductivities must be positive")
    x = -1.0 / (BOLTZMANN_EV * T)
    y = np.log(sigma * T)
    x -= x.mean()
    return float(np.sum(x * (y - y.mean())) / np.sum(x * x))
