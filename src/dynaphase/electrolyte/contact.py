r"""Loss of contact between a lithium anode and its electrolyte while lithium is stripped.

Ions leave the surface of the metal; creep and the diffusion of vacancies bring metal back as fast as a current i_r
would take it.  Beyond that a gap opens, in every column of its own depth g:

.. math:: \dot g = -\frac{V_\mathrm{Li}}{F}\,(i + i_r), \quad g \ge 0, \qquad \theta = e^{-g/g_0}

with i > 0 where lithium is plated.  θ is the share of the surface that still touches; the current of a contact is in
proportion to it (doi:10.48550/arXiv.2501.00600).  A critical stripping current, set by creep under pressure, is
what cells show (J. Kasemchainan et al., Nat. Mater. 18, 1105 (2019), doi:10.1038/s41563-019-0438-9; T. Krauskopf et
al., ACS Appl. Mater. Interfaces 11, 14463 (2019), doi:10.1021/acsami.9b02537).  The law of θ is a closure, derived
here: metal whose surface has asperities of exponentially distributed height, g₀ in the mean, touches with the share
exp(−g/g₀) of it when its base has gone back by g.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from dynaphase.errors import ConfigError
from dynaphase.phasefield.operators import FloatArray
from dynaphase.units import FARADAY, LITHIUM_MOLAR_VOLUME, NM

__all__ = ["ReservoirContact", "Stripping"]

_LEAST: Final = 1e-6
"""θ that remains, so that the potential exists."""

_STEP: Final = 0.1
"""Part of g₀ by which a gap may change between two solves of the potential."""


@dataclass(frozen=True, slots=True)
class Stripping:
    """What happens to the contact where lithium is stripped.

    Parameters
    ----------
    replenishment_A_per_m2 : float
        i_r ≥ 0, the current that creep and vacancies make good: 2 A/m² at a few MPa, a closure.
    contact_depth_nm : float
        g₀ > 0.
    cutoff_V : float
        The run ends where the potential of the cathode falls below −`cutoff_V`: contact is lost.
    """

    replenishment_A_per_m2: float = 2.0
    contact_depth_nm: float = 10.0
    cutoff_V: float = 0.1

    def __post_init__(self) -> None:
        if not (math.isfinite(self.replenishment_A_per_m2) and self.replenishment_A_per_m2 >= 0):
            raise ConfigError(f"replenishment_A_per_m2 must not be negative, not {self.replenishment_A_per_m2}")
        if not (math.isfinite(self.contact_depth_nm) and self.contact_depth_nm > 0):
            raise ConfigError(f"contact_depth_nm must be positive, not {self.contact_depth_nm}")
        if not self.cutoff_V > 0:
            raise ConfigError(f"cutoff_V must be positive, not {self.cutoff_V}")


class ReservoirContact:
    """The gaps of all columns; changes with `advance`."""

    def __init__(self, stripping: Stripping, columns: tuple[int, ...]) -> None:
        self.stripping = stripping
        self.gap_nm: FloatArray = np.zeros(columns)

    @property
    def fraction(self) -> FloatArray:
        """θ of every column."""
        return np.maximum(np.exp(-self.gap_nm / self.stripping.contact_depth_nm), _LEAST)

    def speed_nm_per_s(self, current_A_per_m2: FloatArray) -> FloatArray:
        """dg/dt of every column, were it open."""
        moved = current_A_per_m2 + self.stripping.replenishment_A_per_m2
        return np.asarray(-moved * LITHIUM_MOLAR_VOLUME / FARADAY / NM)

    def longest_s(self, current_A_per_m2: FloatArray) -> float:
        """Time in which no gap changes by more than a tenth of g₀ (s)."""
        speed = np.where(self.gap_nm > 0, np.abs(self.speed_nm_per_s(current_A_per_m2)), 0.0)
        speed = np.maximum(speed, self.speed_nm_per_s(current_A_per_m2))
        fastest = float(np.max(speed))
        return _STEP * self.stripping.contact_depth_nm / fastest if fastest > 0 else math.inf

    def advance(self, span_s: float, current_A_per_m2: FloatArray) -> None:
        """Let the gaps change for `span_s` (s) under the current density of every column."""
        self.gap_nm = np.maximum(self.gap_nm + span_s * self.speed_nm_per_s(current_A_per_m2), 0.0)
