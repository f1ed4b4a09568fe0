r"""How thick and how resistive the interphase grows while nothing else happens: the time series of a rest.

.. math::

   L_{int} = \int \frac{\langle\rho\chi\rangle}{\langle\rho\rangle}\,\mathrm{d}x , \qquad
   R_{int} = \int \left[\frac{1}{\langle\sigma(\chi)\rangle} - \frac{1}{\langle\sigma(0)\rangle}\right]\mathrm{d}x

with ⟨ ⟩ the mean of a row parallel to the electrodes.  Rows in series are the lower bound of a resistance, for they let
current spread within a row at no cost.  The mean over columns of ∫[1/σ(χ) − 1/σ(0)]dx would be the resistance without
any spreading, which one void in every column makes as large as you like; it is not used.  A homogenization of the aged
ceramic gives R_int free of either assumption, at one time and at the price of two elliptic problems.

What to expect: L_int grows in proportion to time at first and to its root later (`interphase`), R_int as L_int/σ_χ.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dynaphase.electrolyte.ceramic import Ceramic
from dynaphase.electrolyte.interphase import InterphaseParameters
from dynaphase.electrolyte.operation import Sweep, rest
from dynaphase.errors import ConfigError
from dynaphase.phasefield.operators import FloatArray
from dynaphase.units import NM

__all__ = ["RestSeries", "decomposed_thickness", "rest_series", "row_resistance"]


@dataclass(frozen=True, slots=True)
class RestSeries:
    """The interphase at increasing times."""

    times_s: FloatArray
    thickness_nm: FloatArray
    """L_int(t)."""
    resistance_ohm_m2: FloatArray
    """R_int(t); 1e4 times that in Ω cm²."""
    extent: FloatArray
    """χ at the last time."""


def decomposed_thickness(extent: FloatArray, density: FloatArray, spacing_nm: float) -> float:
    """L_int: decomposed electrolyte as a layer (nm); rows without electrolyte count nothing."""
    solid = density.reshape(len(density), -1).sum(axis=1)
    decomposed = (extent * density).reshape(len(density), -1).sum(axis=1)
    return float(np.sum(np.divide(decomposed, solid, out=np.zeros_like(solid), where=solid > 0))) * spacing_nm


def row_resistance(sigma_S_per_m: FloatArray, spacing_nm: float) -> float:
    """∫dx/⟨σ⟩: rows in series (Ω m²)."""
    return float(np.sum(1.0 / sigma_S_per_m.reshape(len(sigma_S_per_m), -1).mean(axis=1))) * spacing_nm * NM


def rest_series(
    ceramic: Ceramic,
    interphase: InterphaseParameters,
    conductivity: Callable[[FloatArray], FloatArray],
    times_s: npt.ArrayLike,
    protocol: Sweep | None = None,
) -> RestSeries:
    """L_int(t) and R_int(t) with lithium where it is at the start of a sweep.

    Parameters
    ----------
    ceramic : Ceramic
    interphase : InterphaseParameters
    conductivity : callable
        χ → σ of every cell (S/m).
    times_s : array_like
        Increasing, all positive (s).
    protocol : Sweep, optional
        For the thickness of lithium.

    Raises
    ------
    ConfigError
        Unless the times increase.
    """
    times = np.asarray(times_s, dtype=np.float64)
    if times.ndim != 1 or times.size == 0 or not (times[0] > 0 and np.all(np.diff(times) > 0)):
        raise ConfigError(f"the times of a rest must be positive and increase, not {times.tolist()}")
    extents = rest(ceramic, interphase, times, protocol)
    fresh = row_resistance(conductivity(np.zeros(ceramic.shape)), ceramic.spacing_nm)
    return RestSeries(
        times,
        np.array([decomposed_thickness(extent, ceramic.density, ceramic.spacing_nm) for extent in extents]),
        np.array([row_resistance(conductivity(extent), ceramic.spacing_nm) - fresh for extent in extents]),
        extents[-1],
    )
