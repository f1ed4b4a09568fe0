"""Cahn–Hilliard equation: a conserved field that lowers its Ginzburg–Landau energy by diffusion.

    ∂c/∂t = ∇·( M(c) ∇μ ),      μ = δF/δc = f'(c) − κ ∇²c,      F = ∫ [ f(c) + (κ/2)|∇c|² ] dV

Expect a mixture inside the spinodal (f'' < 0) to separate with wavelength 2π √(2κ/|f''|), growing at the rate
M f''²/(4κ), and then to coarsen; the amount ∫c is kept and F never rises (J.W. Cahn, Acta Metall. 9, 795 (1961),
doi:10.1016/0001-6160(61)90182-1).

Fluxes live on the faces between cells: M of a face is the mean of its two sides, walls pass nothing.  Then the sum
over cells is kept to round-off, and the discrete energy obeys dF/dt = −Σ_faces M (Δμ)² Δx^(d−2) ≤ 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from dynaphase.errors import ConfigError
from dynaphase.phasefield.free_energy import GinzburgLandau, Polynomial
from dynaphase.phasefield.grid import Grid
from dynaphase.phasefield.operators import FloatArray, divergence_of_flux
from dynaphase.phasefield.scratch import Scratch

if TYPE_CHECKING:
    from dynaphase.phasefield.chebyshev_work import PaddedWork
    from dynaphase.phasefield.field_loops import ConservedLoops

__all__ = ["CahnHilliard", "CahnHilliardParameters"]


@dataclass(frozen=True, slots=True)
class CahnHilliardParameters:
    """Parameters of the Cahn–Hilliard equation.

    Parameters
    ----------
    free_energy : Polynomial
        f(c); `Polynomial.double_well` makes ρ(c − a)²(b − c)².
    kappa : float
        Gradient coefficient κ > 0.
    mobility : float or Polynomial
        M > 0, or M(c); the energy falls only where M(c) ≥ 0, which is the caller's to see to.
    """

    free_energy: Polynomial
    kappa: float
    mobility: float | Polynomial = 1.0

    def __post_init__(self) -> None:
        if isinstance(self.mobility, Polynomial):
            return
        if not (math.isfinite(self.mobility) and self.mobility > 0):
            raise ConfigError(f"a constant mobility must be finite and positive, not {self.mobility}")


@dataclass(frozen=True, slots=True)
class CahnHilliard:
    """The Cahn–Hilliard equation on a grid; the state is the array c, shape ``grid.shape``.

    ``rhs`` and ``euler_steps`` take C-contiguous float64 or float32; constants are rounded to that precision.

    Parameters
    ----------
    grid : Grid
        Two- or three-dimensional, every axis periodic or no-flux (n·∇c = 0 and n·∇μ = 0).
    parameters : CahnHilliardParameters
    bounds : tuple of two floats, optional
        Values outside of which a run is to stop.  The equation has no maximum principle, so there is no default.
    """

    grid: Grid
    parameters: CahnHilliardParameters
    bounds: tuple[float, float] | None = None
    _scratch: Scratch = field(default_factory=Scratch, init=False, repr=False, compare=False)

    fields: ClassVar[tuple[str, ...]] = ("c",)

    def __post_init__(self) -> None:
        _ = self.functional  # checks grid and κ

    @property
    def functional(self) -> GinzburgLandau:
        """F, whose derivative is the chemical potential."""
        return GinzburgLandau(self.grid, self.parameters.free_energy, self.parameters.kappa)

    def rhs(self, state: FloatArray, out: FloatArray) -> None:
        """Write ∂c/∂t of `state` into `out`."""
        loops = self._loops(state.dtype)
        loops.write_rate(loops.bind(*self._coefficients(1.0)), state, out)

    def euler_steps(self, state: FloatArray, dt: float, n_steps: int) -> None:
        """Advance `state` in place by `n_steps` explicit Euler steps of `dt`, in one compiled loop."""
        self._loops(state.dtype).steps(state, n_steps, *self._coefficients(dt))

    def make_chebyshev_work(self, dtype: np.dtype[Any]) -> PaddedWork:
        """Work space in which the stencil loops combine the stages of a Chebyshev step."""
        from dynaphase.phasefield.chebyshev_work import PaddedWork
        from dynaphase.phasefield.field_loops import ConservedLoops

        loops = ConservedLoops(self.grid.shape, self.functional.periodic, dtype)
        return PaddedWork(loops, loops.bind(*self._coefficients(1.0)), self._radius_between)

    def _loops(self, dtype: np.dtype[Any]) -> ConservedLoops:
        from dynaphase.phasefield.field_loops import ConservedLoops

        return self._scratch.get(dtype, lambda: ConservedLoops(self.grid.shape, self.functional.periodic, dtype))

    def reference_rhs(self, c: FloatArray) -> FloatArray:
        """∂c/∂t in plain numpy: the definition that the compiled loops are held to."""
        rate = np.zeros_like(c)
        self.add_response(c, self.variational_derivative(c), rate)
        return rate

    def add_response(self, state: FloatArray, driving: FloatArray, out: FloatArray) -> None:
        """Add ∇·(M(c)∇`driving`) to `out`: the answer to a further term of the free energy."""
        out += divergence_of_flux(driving, self._mobility(state), self.grid)

    def response_radius(self, state: FloatArray) -> float:
        """(4d/Δx²) max M for d dimensions."""
        fastest = max(abs(m) for m in self._mobility.extremes(float(np.min(state)), float(np.max(state))))
        return 4.0 * len(self.grid.shape) / self.grid.spacing_nm**2 * fastest

    def response_slope(self, state: FloatArray, driving: FloatArray) -> float:
        """(2d/Δx²) max|M'| · span of `driving`: row and column sums of the derivative of the flux by M."""
        if self._mobility.degree == 0:
            return 0.0
        low, high = float(np.min(state)), float(np.max(state))
        slope = max(abs(m) for m in self._mobility.derivative().extremes(low, high))
        return 2.0 * len(self.grid.shape) / self.grid.spacing_nm**2 * slope * float(np.ptp(driving))

    def variational_derivative(self, state: FloatArray) -> FloatArray:
        """μ = f'(c) − κ∇²c, the derivative of ``energy`` by each cell value over the cell volume."""
        return self.functional.derivative(state)

    def mobility(self, c: FloatArray) -> FloatArray:
        """M(c) in every cell."""
        return self._mobility(c)

    def energy(self, state: FloatArray) -> float:
        """F = Σ f(c) Δx^d + κ/2 Σ_faces (Δc/Δx)² Δx^d: what the right-hand side descends, exactly."""
        return self.functional.energy(state)

    def spectral_radius(self, state: FloatArray) -> float:
        """Bound on |λ| of the Jacobian (derived here).

        At frozen mobility the Jacobian is −AB with A = −∇·M∇ and B = f'' − κ∇² both symmetric and A not negative:
        |λ| ≤ ‖A‖‖B‖ ≤ (4d/Δx²) max M · max|eigenvalue of B|.  M'(c) adds a matrix whose row and column sums are at
        most (2d/Δx²) max|M'| · max|Δμ|, and |Δμ| ≤ span of f' + 4dκ/Δx² · span of c.
        """
        return self._radius_between(float(np.min(state)), float(np.max(state)))

    def _radius_between(self, low: float, high: float) -> float:
        if not math.isfinite(low + high):
            return math.inf
        laplacian = 4.0 * len(self.grid.shape) / self.grid.spacing_nm**2
        fastest = max(abs(m) for m in self._mobility.extremes(low, high))
        radius = laplacian * fastest * max(abs(b) for b in self.functional.curvature(np.array([low, high])))
        if self._mobility.degree > 0:
            slope = max(abs(m) for m in self._mobility.derivative().extremes(low, high))
            least, greatest = self.parameters.free_energy.derivative().extremes(low, high)
            span = greatest - least + self.functional.gradient_stiffness * (high - low)
            radius += 0.5 * laplacian * slope * span
        return radius

    @property
    def _mobility(self) -> Polynomial:
        mobility = self.parameters.mobility
        return mobility if isinstance(mobility, Polynomial) else Polynomial((mobility,))

    def _coefficients(self, dt: float) -> tuple[tuple[float, ...], float, tuple[float, ...]]:
        """What the compiled loops read: the potential's polynomial and face weight, and the mobility, times `dt`.

        A constant mobility is folded into the potential; a varying one takes ½ for the mean of two sides.
        """
        scale = dt / self.grid.spacing_nm**2
        mobility = self._mobility.coefficients
        folded, factors = (scale * mobility[0], ()) if len(mobility) == 1 else (1.0, mobility)
        face = self.parameters.kappa / self.grid.spacing_nm**2
        slope = self.parameters.free_energy.derivative().coefficients
        local = [folded * a for a in slope] + [0.0] * (2 - len(slope))
        local[1] += 2 * len(self.grid.shape) * folded * face
        return tuple(local), -folded * face, tuple(0.5 * scale * m for m in factors)
