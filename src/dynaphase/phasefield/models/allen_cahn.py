"""Allen–Cahn equation: an order parameter that lowers its Ginzburg–Landau energy where it stands.

    ∂η/∂t = −L δF/δη,      δF/δη = f'(η) − κ ∇²η,      F = ∫ [ f(η) + (κ/2)|∇η|² ] dV

Expect walls between the minima of f that move by their curvature: without a driving force a large disc loses area
at the rate 2π L κ, whatever its size (S.M. Allen, J.W. Cahn, Acta Metall. 27, 1085 (1979),
doi:10.1016/0001-6160(79)90196-2).  The energy never rises.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from dynaphase.errors import ConfigError
from dynaphase.phasefield.free_energy import GinzburgLandau, Polynomial
from dynaphase.phasefield.grid import Grid
from dynaphase.phasefield.operators import FloatArray
from dynaphase.phasefield.scratch import Scratch

if TYPE_CHECKING:
    from dynaphase.phasefield.chebyshev_work import PaddedWork
    from dynaphase.phasefield.field_loops import RelaxationLoops

__all__ = ["AllenCahn", "AllenCahnParameters"]


@dataclass(frozen=True, slots=True)
class AllenCahnParameters:
    """Parameters of the Allen–Cahn equation.

    Parameters
    ----------
    free_energy : Polynomial
        f(η); a driving force is a term of it.
    kappa : float
        Gradient coefficient κ > 0.
    mobility : float
        Kinetic coefficient L > 0.
    """

    free_energy: Polynomial
    kappa: float
    mobility: float = 1.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mobility) and self.mobility > 0):
            raise ConfigError(f"the kinetic coefficient must be finite and positive, not {self.mobility}")


@dataclass(frozen=True, slots=True)
class AllenCahn:
    """The Allen–Cahn equation on a grid; the state is the array η, shape ``grid.shape``.

    ``rhs`` and ``euler_steps`` take C-contiguous float64 or float32; constants are rounded to that precision.

    Parameters
    ----------
    grid : Grid
        Two- or three-dimensional, every axis periodic or no-flux (n·∇η = 0).
    parameters : AllenCahnParameters
    bounds : tuple of two floats, optional
        Values outside of which a run is to stop: the minima of f when the initial state lies between them.
    """

    grid: Grid
    parameters: AllenCahnParameters
    bounds: tuple[float, float] | None = None
    _scratch: Scratch = field(default_factory=Scratch, init=False, repr=False, compare=False)

    fields: ClassVar[tuple[str, ...]] = ("eta",)

    def __post_init__(self) -> None:
        _ = self.functional  # checks grid and κ

    @property
    def functional(self) -> GinzburgLandau:
        """F, whose derivative drives η."""
        return GinzburgLandau(self.grid, self.parameters.free_energy, self.parameters.kappa)

    def rhs(self, state: FloatArray, out: FloatArray) -> None:
        """Write ∂η/∂t of `state` into `out`."""
        loops = self._loops(state.dtype)
        loops.write_rate(loops.bind(*self._coefficients(1.0)), state, out)

    def euler_steps(self, state: FloatArray, dt: float, n_steps: int) -> None:
        """Advance `state` in place by `n_steps` explicit Euler steps of `dt`, in one compiled loop."""
        local, face = self._coefficients(dt)
        self._loops(state.dtype).steps(state, n_steps, (local[0], 1.0 + local[1], *local[2:]), face)

    def make_chebyshev_work(self, dtype: np.dtype[Any]) -> PaddedWork:
        """Work space in which the stencil loops combine the stages of a Chebyshev step."""
        from dynaphase.phasefield.chebyshev_work import PaddedWork
        from dynaphase.phasefield.field_loops import RelaxationLoops

        loops = RelaxationLoops(self.grid.shape, self.functional.periodic, dtype)
        return PaddedWork(loops, loops.bind(*self._coefficients(1.0)), self._radius_between)

    def _loops(self, dtype: np.dtype[Any]) -> RelaxationLoops:
        from dynaphase.phasefield.field_loops import RelaxationLoops

        return self._scratch.get(dtype, lambda: RelaxationLoops(self.grid.shape, self.functional.periodic, dtype))

    def reference_rhs(self, eta: FloatArray) -> FloatArray:
        """∂η/∂t in plain numpy: the definition that the compiled loops are held to."""
        return -self.parameters.mobility * self.variational_derivative(eta)

    def energy(self, state: FloatArray) -> float:
        """F = Σ f(η) Δx^d + κ/2 Σ_faces (Δη/Δx)² Δx^d: what the right-hand side descends, exactly."""
        return self.functional.energy(state)

    def variational_derivative(self, state: FloatArray) -> FloatArray:
        """δF/δη = f'(η) − κ∇²η, the derivative of ``energy`` by each cell value over the cell volume."""
        return self.functional.derivative(state)

    def add_response(self, state: FloatArray, driving: FloatArray, out: FloatArray) -> None:
        """Add −L·`driving` to `out`: the answer to a further term of the free energy."""
        out -= self.parameters.mobility * driving

    def response_radius(self, state: FloatArray) -> float:
        """L."""
        return self.parameters.mobility

    def response_slope(self, state: FloatArray, driving: FloatArray) -> float:
        """0: the mobility is constant."""
        return 0.0

    def spectral_radius(self, state: FloatArray) -> float:
        """Bound on |λ| of the Jacobian −L(f'' − κ∇²), derived here.

        It is symmetric with eigenvalues in −L·[min f'', max f'' + 4dκ/Δx²] for d dimensions.
        """
        return self._radius_between(float(np.min(state)), float(np.max(state)))

    def _radius_between(self, low: float, high: float) -> float:
        if not math.isfinite(low + high):
            return math.inf
        return self.parameters.mobility * max(abs(b) for b in self.functional.curvature(np.array([low, high])))

    def _coefficients(self, dt: float) -> tuple[tuple[float, ...], float]:
        """What the compiled loops read: polynomial of the cell and weight of each neighbour, times `dt`."""
        scale = dt * self.parameters.mobility
        face = scale * self.parameters.kappa / self.grid.spacing_nm**2
        slope = self.parameters.free_energy.derivative().coefficients
        local = [-scale * a for a in slope] + [0.0] * (2 - len(slope))
        local[1] -= 2 * len(self.grid.shape) * face
        return tuple(local), face
