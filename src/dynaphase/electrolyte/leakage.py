r"""Electrons that leak through the electrolyte and lay lithium inside it, ahead of the metal.

.. math::

   \nabla\cdot(\sigma_e\nabla\varphi_e) = -s, \qquad
   s = (1-\xi)(1-\zeta)\,a_s\,i_0\,2\sinh(b\,[\varphi-\varphi_e-\eta_c]_+), \qquad
   \partial_t\zeta = \frac{V_\mathrm{Li}}{F}\,s, \qquad a_s = \frac{\max(g_m, 1-\rho)}{w_m}

φ_e is the electrochemical potential of electrons over −F, 0 where lithium hangs together with the anode.  The box, of
length L, is cut from an electrolyte of thickness L_cell ≫ L under the cell voltage U: the rest of it drives
σ_e U/L_cell through the far side whatever happens in the box, so without sites φ_e rises to U L/L_cell there.  Sites
are the inner surfaces, of weak boundaries and voids, one per width w_m of their zone; those nearer than w_m to the
metal belong to its front.  ζ is lithium laid at sites, as the share of a cell; it conducts electrons, and opens the
way for the front that reaches it: η_c(1 − ζ)².

What to expect: the reaction is faster than the supply, so φ_e rises at the sites until φ − φ_e is just above η_c, and
the current is what σ_e carries over the way from the metal, :math:`\sigma_e(\varphi-\eta_c)/\ell` at the distance ℓ:
0.04 A/m² at σ_e = 10⁻⁷ S/m, 20 mV and 50 nm; before a plane never more than :math:`\sigma_e(\varphi-\eta_c)/w_m`.
Whether such a leak makes lithium grow inside is disputed: F. Han et al., Nat. Energy 4, 187 (2019),
doi:10.1038/s41560-018-0312-z, hold it to be the origin of dendrites; cracks driven by plating at tips explain them
without (L. Porz et al., doi:10.1002/aenm.201701003).  So it is an option.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from dynaphase.electrolyte.ceramic import Ceramic
from dynaphase.electrolyte.penetration import FrontParameters, connected_lithium
from dynaphase.errors import ConfigError
from dynaphase.phasefield.grid import Boundary, Walls
from dynaphase.phasefield.multigrid import EllipticProblem, Multigrid
from dynaphase.phasefield.nonlinear import solve_nonlinear
from dynaphase.phasefield.operators import FloatArray
from dynaphase.units import FARADAY, LITHIUM_MOLAR_VOLUME, NM

__all__ = ["ElectronicLeakage", "LeakageParameters"]

_METAL: Final = 1e4
"""Electronic conductivity of lithium over that of the electrolyte: enough to be at one potential."""

_CLIP: Final = 12.0
"""Largest bΔη whose sinh is taken."""


@dataclass(frozen=True, slots=True)
class LeakageParameters:
    """Electrons in the electrolyte.

    Parameters
    ----------
    electronic_S_per_m : float
        σ_e > 0.
    cell_voltage_V : float
        U ≥ 0 between the electrodes.
    cell_thickness_m : float
        L_cell > 0, thickness of the electrolyte.
    """

    electronic_S_per_m: float
    cell_voltage_V: float
    cell_thickness_m: float

    def __post_init__(self) -> None:
        for name in ("electronic_S_per_m", "cell_thickness_m"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise ConfigError(f"{name} must be positive and finite, not {getattr(self, name)}")
        if not (math.isfinite(self.cell_voltage_V) and self.cell_voltage_V >= 0):
            raise ConfigError(f"cell_voltage_V must be finite and not negative, not {self.cell_voltage_V}")


class ElectronicLeakage:
    """Lithium laid by leaking electrons in one ceramic; changes with `advance`."""

    def __init__(self, parameters: LeakageParameters, front: FrontParameters, ceramic: Ceramic) -> None:
        self.parameters, self.front, self.ceramic = parameters, front, ceramic
        sites = np.maximum(ceramic.boundary_zone, 1.0 - ceramic.density)
        self._surface = sites / (ceramic.zone_width_nm * NM) * front.exchange_current_A_per_m2
        self._multigrid: Multigrid | None = None
        self.deposit: FloatArray = np.zeros(ceramic.shape)
        """ζ of every cell."""
        self.potential: FloatArray = np.zeros(ceramic.shape)
        """φ_e of every cell (V), of the last solve."""
        self.internal_A_per_m2 = 0.0
        """Current that lays lithium inside, per area of the electrode."""

    @property
    def through_A_per_m2(self) -> float:
        """σ_e U/L_cell, electrons that cross the whole electrolyte."""
        p = self.parameters
        return p.electronic_S_per_m * p.cell_voltage_V / p.cell_thickness_m

    @property
    def current_A_per_m2(self) -> float:
        """All electrons that leave the anode through the electrolyte, as a current density."""
        return self.internal_A_per_m2 + self.through_A_per_m2

    @property
    def deposit_nm(self) -> float:
        """Lithium laid inside, as a layer (nm)."""
        return float(self.deposit.mean()) * self.ceramic.thickness_nm

    def advance(self, span_s: float, potential_V: npt.ArrayLike, lithium: FloatArray, threshold_V: FloatArray) -> None:
        """Lay what the electrons of `span_s` (s) can, under φ (V), where metal is `lithium` = ξ and the threshold η_c.

        Raises
        ------
        SimulationError
            When the potential of electrons cannot be solved.
        """
        rate = self._solve(np.asarray(potential_V) - threshold_V, lithium)
        spacing = self.ceramic.spacing_nm * NM
        self.internal_A_per_m2 = float(rate.mean()) * self.ceramic.shape[0] * spacing
        self.deposit = np.minimum(self.deposit + span_s * rate * LITHIUM_MOLAR_VOLUME / FARADAY, 1.0)

    def _solve(self, driving_V: FloatArray, lithium: FloatArray) -> FloatArray:
        """The source s (A/m³) of every cell for φ − η_c (V)."""
        p, b = self.parameters, self.front.b_per_V
        spacing = self.ceramic.spacing_nm * NM
        surface = self._surface * (1.0 - lithium) * (1.0 - self.deposit) * self._is_inside(lithium)
        if not np.any((surface > 0.0) & (driving_V > 0.0)):
            return np.zeros(lithium.shape)
        # a sharp edge: a diffuse one, so good a conductor, would bring the metal nearer by several of its widths
        is_metal = np.maximum(lithium, self.deposit) >= 0.5
        sigma = p.electronic_S_per_m * np.where(is_metal, _METAL, 1.0)

        def taken(phi: FloatArray) -> tuple[FloatArray, FloatArray]:
            drive = np.clip(b * (driving_V - phi), 0.0, _CLIP)
            steep = np.where(drive > 0.0, surface * 2.0 * b * np.cosh(drive), 0.0)
            return -surface * 2.0 * np.sinh(drive), steep

        sides = (Boundary.PERIODIC,) * (lithium.ndim - 1)
        problem = EllipticProblem(sigma, (Walls(0.0, None), *sides), spacing)
        feed = np.zeros(lithium.shape)
        feed[-1] = -self.through_A_per_m2 / spacing
        # from above: there the source is small, and Newton's steps stay on one side of its kink
        start = np.where(surface > 0.0, np.maximum(driving_V, 0.0), 0.0)
        found = solve_nonlinear(
            problem, taken, feed, start=start, multigrid=self._multigrid, tolerance=1e-8, max_change=1.0 / b
        )
        self._multigrid, self.potential = found.multigrid, found.potential
        return -taken(self.potential)[0]

    def _is_inside(self, lithium: FloatArray) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """Cells farther than w_m from connected lithium."""
        from scipy import ndimage

        width = math.ceil(self.ceramic.zone_width_nm / self.ceramic.spacing_nm)
        sides = ((0, 0), *((width, width),) * (lithium.ndim - 1))
        around = np.pad(connected_lithium(lithium), sides, mode="wrap")
        inside = tuple(slice(low, -high or None) for low, high in sides)
        distance = ndimage.distance_transform_edt(~around, sampling=self.ceramic.spacing_nm)
        return np.asarray(distance[inside] > self.ceramic.zone_width_nm)
