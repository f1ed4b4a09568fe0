r"""The potential of lithium ions in a single-ion conductor that takes up current where lithium is.

.. math::

   \nabla\cdot(\sigma\nabla\varphi) = e_x\,\theta\,a_s\,i_0\,2\sinh(b\varphi)
   + (1-e_x\theta)\,\big[a_s\,i_0\,2\sinh(b\,\Delta\eta) + \tfrac{F}{V_\mathrm{Li}}R\big]_+ , \qquad
   a_s = \frac{\xi(1-\xi)}{\lambda}, \qquad \Delta\eta = [\varphi - \eta_c - \eta_{cap}]_+

with σ∂φ/∂x = i σ/⟨σ⟩ (or φ = V) at the cathode, ⟨ ⟩ the mean of its face: a current enters where the electrolyte
conducts.  Nothing passes x = 0; periodic otherwise.  e_x marks the contact with the
reservoir, where deposited lithium is pushed back and needs no path, θ the share of it that touches; elsewhere lithium
is confined and plates only where it can open a path.  Where it may leave and φ < 0 the source is the bracket
[a_s i₀ 2 sinh(bφ) + F R/V_Li]₋ alone.  The bracket is F/V_Li times the lithium gained in the cell, term by term:
a_s i₀ = (F/V_Li) L_η 6ξ(1 − ξ), and R is what the front adds to restore its profile (`LithiumFront.terms`).  Without
R a filament that is held back, with drive and R in balance, would take up charge and lay no lithium.  Voids are no
exception: a factor below 1 on the source in voids (less contact) would let lithium appear without charge unless ξ had
it too, so there is none, and the conductivity of the void limits the supply.

What to expect: far from the metal the potential is uniform at the scale of nanometres, R_ct = RT/(F i₀) per area
carries the drop; with filaments the current shares itself between the contact and their flanks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from dynaphase.electrolyte.penetration import FrontParameters
from dynaphase.errors import ConfigError
from dynaphase.phasefield.grid import Boundary, Walls
from dynaphase.phasefield.multigrid import EllipticProblem, Multigrid
from dynaphase.phasefield.nonlinear import LocalSource, solve_nonlinear
from dynaphase.phasefield.operators import FloatArray
from dynaphase.units import FARADAY, LITHIUM_MOLAR_VOLUME, NM

BoolArray = npt.NDArray[np.bool_]

FOOT: Final = 1e-4
"""Part of the profile at either end on which the drive of the front does not act."""

__all__ = ["IonicPotential", "PotentialSolution", "contact_mask"]

_CLIP: Final = 12.0
"""Largest bφ whose sinh is taken: 0.6 V, far beyond any overpotential of plating."""


@dataclass(frozen=True, slots=True)
class PotentialSolution:
    """φ and the currents per area of the electrode (A/m²)."""

    potential: FloatArray
    """φ (V), against lithium metal."""
    applied: float
    """Through the cathode: as given, or from the slope at the wall."""
    taken_up: float
    """Σ of the source: equal to `applied` as far as the equation is solved."""
    confined: float
    """The part that lays lithium in the ceramic; negative where it leaves."""
    contact: FloatArray
    """Current density of every column at the contact with the reservoir."""
    n_steps: int
    """Newton steps."""

    @property
    def cathode_V(self) -> float:
        """Mean potential of the last row."""
        return float(self.potential[-1].mean())


def contact_mask(shape: tuple[int, ...], spacing_nm: float, lithium_nm: float, width_nm: float) -> FloatArray:
    """e_x = ½[1 − tanh((x − x_Li − 3λ)/λ)], the contact with the reservoir at x_Li."""
    x = (np.arange(shape[0]) + 0.5) * spacing_nm
    mask = 0.5 * (1.0 - np.tanh((x - lithium_nm - 3.0 * width_nm) / width_nm))
    return np.broadcast_to(mask.reshape(-1, *(1,) * (len(shape) - 1)), shape).copy()


class IonicPotential:
    """Solves for φ again and again, each time from the last one.

    Parameters
    ----------
    front : FrontParameters
        i₀, λ and b.
    contact : array
        e_x of every cell.
    spacing_nm : float
    """

    def __init__(self, front: FrontParameters, contact: FloatArray, spacing_nm: float) -> None:
        self.front, self.contact, self.spacing_nm = front, contact, spacing_nm
        self._last: FloatArray | None = None
        self._multigrid: Multigrid | None = None

    def solve(
        self,
        lithium: FloatArray,
        barrier_V: npt.ArrayLike,
        restoring_per_s: npt.ArrayLike,
        sigma_S_per_m: npt.ArrayLike,
        *,
        current_A_per_m2: float | None = None,
        cathode_V: float | None = None,
        touching: npt.ArrayLike = 1.0,
        can_leave: npt.ArrayLike = False,
        tolerance: float = 1e-9,
    ) -> PotentialSolution:
        """φ for the metal where `lithium` = ξ says, under a current or a potential of the cathode.

        Parameters
        ----------
        lithium : array
            ξ.
        barrier_V : array_like
            η_c + η_cap of every cell (V).
        restoring_per_s : array_like
            R of every cell (1/s) under the last potential.
        sigma_S_per_m : array_like
            σ of every cell (S/m), the metal included.
        current_A_per_m2, cathode_V : float
            One of the two.
        touching : array_like
            θ of every column, the share of the contact with the reservoir that is left.
        can_leave : array_like of bool
            Cells that confined lithium may leave.

        Raises
        ------
        ConfigError
            Unless exactly one of current and potential is given.
        SimulationError
            When Newton's method does not converge.
        """
        if (current_A_per_m2 is None) == (cathode_V is None):
            raise ConfigError("give either a current or a potential of the cathode")
        spacing = self.spacing_nm * NM
        walls = Walls(None, cathode_V)
        problem = EllipticProblem(sigma_S_per_m, (walls, *(Boundary.PERIODIC,) * (lithium.ndim - 1)), spacing)
        surface = lithium * (1.0 - lithium) / (self.front.width_nm * NM) * self.front.exchange_current_A_per_m2
        barrier = np.broadcast_to(np.asarray(barrier_V, dtype=np.float64), lithium.shape)
        b = self.front.b_per_V
        touch = self.contact * np.asarray(touching, dtype=np.float64)
        leaves = np.asarray(can_leave, dtype=np.bool_) & (lithium < 1.0 - FOOT)
        held = np.asarray(restoring_per_s, dtype=np.float64) * (FARADAY / LITHIUM_MOLAR_VOLUME)
        retreats = leaves & (self._last < 0.0) if self._last is not None else np.zeros(lithium.shape, np.bool_)
        forward, backward = np.where(retreats, 0.0, held), np.where(retreats, held, 0.0)

        # each part is continuous and grows with φ

        def laid(phi: FloatArray) -> tuple[FloatArray, FloatArray]:
            """A/m³ that lay lithium in the ceramic, and their derivative."""
            drive = np.clip(b * (phi - barrier), 0.0, _CLIP)
            rate = surface * 2.0 * np.sinh(drive) + forward
            steep = np.where((rate > 0.0) & (drive > 0.0), surface * 2.0 * b * np.cosh(drive), 0.0)
            return np.maximum(rate, 0.0), steep

        def taken(phi: FloatArray) -> tuple[FloatArray, FloatArray]:
            """A/m³ that take lithium out of it."""
            drive = np.where(leaves, np.clip(b * phi, -_CLIP, 0.0), 0.0)
            rate = surface * 2.0 * np.sinh(drive) + backward
            steep = np.where((rate < 0.0) & (drive < 0.0), surface * 2.0 * b * np.cosh(drive), 0.0)
            return np.minimum(rate, 0.0), steep

        def at_contact(phi: FloatArray) -> tuple[FloatArray, FloatArray]:
            """A/m³ that pass the contact with the reservoir."""
            drive = np.clip(b * phi, np.where(leaves, 0.0, -_CLIP), _CLIP)
            steep = np.where((drive != 0.0) | ~leaves, np.cosh(drive), 0.0)
            return touch * surface * 2.0 * np.sinh(drive), touch * surface * 2.0 * b * steep

        def source(phi: FloatArray) -> tuple[FloatArray, FloatArray]:
            (outside, steep), (comes, steeper), (goes, steepest) = at_contact(phi), laid(phi), taken(phi)
            return outside + (1.0 - touch) * comes + goes, steep + (1.0 - touch) * steeper + steepest

        feed = np.zeros(lithium.shape)
        start = self._last
        if current_A_per_m2 is not None:
            # from an electrode at one potential: none through voids and particles that do not conduct
            last = np.broadcast_to(np.asarray(sigma_S_per_m, dtype=np.float64), lithium.shape)[-1]
            feed[-1] = -current_A_per_m2 / spacing * (last / last.mean())
            if current_A_per_m2 == 0.0:
                start = np.zeros(lithium.shape)  # the solution: nothing to measure a residual against
            elif start is None:
                start = np.full(lithium.shape, self._uniform(source, current_A_per_m2, spacing))
        solution = solve_nonlinear(
            problem,
            source,
            feed,
            start=start,
            multigrid=self._multigrid,
            tolerance=tolerance,
            max_change=1.0 / b,
        )
        self._last, self._multigrid = solution.potential, solution.multigrid
        phi = solution.potential
        applied = current_A_per_m2
        if applied is None:
            sigma = np.asarray(problem.sigma)[-1]
            applied = float(np.mean(2.0 * sigma * (cathode_V - phi[-1]))) / spacing
        per_area = spacing / float(np.prod(phi.shape[1:]))
        return PotentialSolution(
            phi,
            applied,
            taken_up=float(np.sum(source(phi)[0])) * per_area,
            confined=float(np.sum(laid(phi)[0] + taken(phi)[0])) * per_area,
            contact=np.sum(at_contact(phi)[0], axis=0) * spacing,
            n_steps=solution.n_steps,
        )

    def _uniform(self, source: LocalSource, current: float, spacing: float) -> float:
        """The potential that would carry the current if it were the same everywhere (V)."""
        from scipy.optimize import brentq

        area = float(np.prod(self.contact.shape[1:]))

        def excess(phi: float) -> float:
            value, _ = source(np.full(self.contact.shape, phi))
            return float(np.sum(value)) * spacing / area - current

        limit = _CLIP / self.front.b_per_V
        return float(brentq(excess, -limit, limit)) if excess(limit) > 0 > excess(-limit) else 0.0
