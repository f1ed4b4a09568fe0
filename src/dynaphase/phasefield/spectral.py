"""Gradient flows in a Fourier or cosine basis, stepped semi-implicitly with a controlled error.

For fields uᵢ with the free energy F = ∫ [ f(u) + Σᵢ (κᵢ/2)|∇uᵢ|² ] dV the equations are

    ∂uᵢ/∂t = ∇·(Mᵢ ∇μᵢ)  (conserved)     or     ∂uᵢ/∂t = −Mᵢ μᵢ  (not conserved),     μᵢ = ∂f/∂uᵢ − κᵢ∇²uᵢ.

With constant mobility every linear term is diagonal in the basis: Fourier along periodic axes, cosine along no-flux
axes (whose functions have no slope at the walls, so neither c nor μ lets a flux through).  `GradientFlow` is the
model, `SemiImplicitSpectral` the stepper.  Lengths, times and energies are in whatever unit the parameters use.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Final, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from dynaphase.errors import ConfigError, SimulationError
from dynaphase.phasefield.contract import SteppableModel
from dynaphase.phasefield.grid import Boundary, Grid
from dynaphase.phasefield.operators import FloatArray
from dynaphase.phasefield.steppers import SteppingStatistics

__all__ = [
    "BulkEnergy",
    "GradientFlow",
    "SemiImplicitSpectral",
    "SpectralBasis",
    "SpectralIntegration",
    "SpectralModel",
]

Coefficients = npt.NDArray[Any]
"""Expansion coefficients: complex128, or float64 where every axis is no-flux."""


class SpectralBasis:
    """Orthonormal transform of cell-centred values: Fourier on periodic axes, cosine (DCT-II) on no-flux axes.

    Parameters
    ----------
    grid : Grid

    Raises
    ------
    ConfigError
        For an axis that is neither periodic nor no-flux.
    """

    def __init__(self, grid: Grid) -> None:
        for axis, boundary in enumerate(grid.boundaries):
            if boundary not in (Boundary.PERIODIC, Boundary.NO_FLUX):
                raise ConfigError(
                    f"axis {axis} is '{boundary}'; a spectral basis needs 'periodic' or 'no-flux' axes: use "
                    "RungeKuttaChebyshev on finite differences"
                )
        n_axes = len(grid.shape)
        self._cosine = [a - n_axes for a, b in enumerate(grid.boundaries) if b is Boundary.NO_FLUX]
        self._fourier = [a - n_axes for a, b in enumerate(grid.boundaries) if b is Boundary.PERIODIC]
        self._lengths = [grid.shape[a] for a in self._fourier]
        self.n_cells: Final = math.prod(grid.shape)
        waves = []
        for axis, (n, boundary) in enumerate(zip(grid.shape, grid.boundaries, strict=True)):
            if boundary is Boundary.NO_FLUX:
                k = np.pi * np.arange(n) / (n * grid.spacing_nm)
            elif axis - n_axes == self._fourier[-1]:
                k = 2 * np.pi * np.fft.rfftfreq(n, grid.spacing_nm)
            else:
                k = 2 * np.pi * np.fft.fftfreq(n, grid.spacing_nm)
            waves.append(k)
        self.k2: Final[FloatArray] = np.sum(np.meshgrid(*(k**2 for k in waves), indexing="ij"), axis=0)
        """Squared wave number of every coefficient."""
        self.weights: Final[FloatArray] = np.ones_like(self.k2)
        """How often a coefficient counts in a sum over the whole basis."""
        if self._fourier:  # a real field: only half of its last Fourier axis is stored, the rest is conjugate
            along = np.moveaxis(self.weights, self._fourier[-1], -1)
            along[..., 1 : (self._lengths[-1] + 1) // 2] = 2.0

    def forward(self, values: FloatArray) -> Coefficients:
        """Coefficients of fields whose last axes are those of the grid; earlier axes are carried along."""
        from scipy import fft

        result: Coefficients = values
        if self._cosine:
            result = fft.dctn(result, axes=self._cosine, norm="ortho")
        if self._fourier:
            result = fft.rfftn(result, axes=self._fourier, norm="ortho")
        return result

    def backward(self, coefficients: Coefficients) -> FloatArray:
        """Cell values from coefficients: the inverse of `forward`."""
        from scipy import fft

        result = coefficients
        if self._fourier:
            result = fft.irfftn(result, s=self._lengths, axes=self._fourier, norm="ortho")
        if self._cosine:
            result = fft.idctn(result, axes=self._cosine, norm="ortho")
        return np.ascontiguousarray(result, dtype=np.float64)

    def sum_of_squares(self, coefficients: Coefficients, factor: FloatArray | float = 1.0) -> FloatArray:
        """Σ factor·|û|² over the whole basis, one number a field; with factor 1 it is Σ u² over the cells."""
        squares = coefficients.real**2
        if np.iscomplexobj(coefficients):
            squares = squares + coefficients.imag**2
        axes = tuple(range(-self.k2.ndim, 0))
        return np.asarray(np.sum(squares * (self.weights * factor), axis=axes))


class BulkEnergy(Protocol):
    """The local part f(u₁, u₂, …) of a free energy, beside its derivative."""

    def density(self, fields: FloatArray) -> FloatArray:
        """The density f, shape of the grid, from the fields, (n_fields, *grid)."""

    def derivative(self, fields: FloatArray) -> FloatArray:
        """The derivatives ∂f/∂uᵢ, (n_fields, *grid)."""

    def curvature(self, fields: FloatArray) -> float:
        """Upper bound on the modulus of the eigenvalues of the matrix ∂²f/∂uᵢ∂uⱼ at these fields."""


@runtime_checkable
class SpectralModel(Protocol):
    """What `SemiImplicitSpectral` needs: ∂û/∂t = λ(k) û + N̂(u) with a diagonal λ ≤ 0."""

    @property
    def basis(self) -> SpectralBasis:
        """Where the fields are expanded."""

    @property
    def linear(self) -> FloatArray:
        """The implicit part λ ≤ 0, (n_fields, *basis.k2.shape)."""

    def nonlinear(self, fields: FloatArray) -> Coefficients:
        """Coefficients of the explicit part N, from the cell values (n_fields, *grid)."""


@dataclass(frozen=True)
class GradientFlow:
    """Cahn–Hilliard and Allen–Cahn equations of any number of coupled fields, constant mobility.

    The energy reported is the one whose derivative drives the fields: both use the same discrete gradient.

    Parameters
    ----------
    grid : Grid
        2-D or 3-D, every axis periodic or no-flux.
    fields : tuple of str
        Names of the n fields; with more than one, axis 0 of the state counts them.
    bulk : BulkEnergy
        The density f.
    kappa : tuple of float
        Gradient coefficients κᵢ ≥ 0.
    mobility : tuple of float
        Mᵢ > 0.
    is_conserved : tuple of bool
        Whether field i follows the Cahn–Hilliard (True) or the Allen–Cahn (False) form.
    stabilisation : tuple of float
        Aᵢ ≥ 0: the term Aᵢuᵢ is stepped implicitly and taken off the explicit part, which changes the step error but
        not the equations.  Frozen coefficients give stability at any step from Aᵢ = ¾ max ∂²f/∂uᵢ² (the step control
        lives with less, at a smaller error).

    Raises
    ------
    ConfigError
        Where the tuples differ in length or a number has the wrong sign.
    """

    grid: Grid
    fields: tuple[str, ...]
    bulk: BulkEnergy
    kappa: tuple[float, ...]
    mobility: tuple[float, ...]
    is_conserved: tuple[bool, ...]
    stabilisation: tuple[float, ...]
    bounds: ClassVar[tuple[float, float] | None] = None

    def __post_init__(self) -> None:
        for name in ("kappa", "mobility", "is_conserved", "stabilisation"):
            if len(getattr(self, name)) != len(self.fields):
                raise ConfigError(f"{name} has {len(getattr(self, name))} entries for the fields {self.fields}")
        if min(*self.kappa, *self.stabilisation, 0.0) < 0 or not min(self.mobility) > 0:
            raise ConfigError("kappa and stabilisation must not be negative, mobility must be positive")

    @cached_property
    def basis(self) -> SpectralBasis:
        """The basis of the grid."""
        return SpectralBasis(self.grid)

    @cached_property
    def linear(self) -> FloatArray:
        """The implicit part −Mᵢ (k² or 1) (Aᵢ + κᵢk²)."""
        return np.asarray(self._response * (self._column(self.stabilisation) + self._stiffness))

    def nonlinear(self, fields: FloatArray) -> Coefficients:
        """The explicit part −Mᵢ (k² or 1) (∂f/∂uᵢ − Aᵢuᵢ)^."""
        excess = self.bulk.derivative(fields)
        excess -= self._column(self.stabilisation) * fields
        result = self.basis.forward(excess)
        result *= self._response
        return result

    def energy(self, state: FloatArray, coefficients: Coefficients | None = None) -> float:
        """F = ∫ f + Σ (κᵢ/2)|∇uᵢ|² of `state`; its coefficients spare a transform where they are known."""
        fields = self._stacked(state)
        if coefficients is None:
            coefficients = self.basis.forward(fields)
        gradient = 0.5 * self.basis.sum_of_squares(coefficients, self._stiffness)
        bulk = np.sum(self.bulk.density(fields))
        return float((bulk + np.sum(gradient)) * self.grid.spacing_nm ** len(self.grid.shape))

    def variational_derivative(self, state: FloatArray) -> FloatArray:
        """The driving forces μᵢ = δF/δuᵢ = ∂f/∂uᵢ − κᵢ∇²uᵢ, shape of `state`."""
        fields = self._stacked(state)
        gradient = self.basis.backward(self._stiffness * self.basis.forward(fields))
        return (self.bulk.derivative(fields) + gradient).reshape(state.shape)

    def rhs(self, state: FloatArray, out: FloatArray) -> None:
        """Write ∂u/∂t into `out`, for steppers that know no basis."""
        out.fill(0.0)
        self.add_response(state, self.variational_derivative(state), out)

    def add_response(self, state: FloatArray, driving: FloatArray, out: FloatArray) -> None:
        """Add Mᵢ∇²`driving` (conserved) or −Mᵢ`driving` to `out`: the answer to a further term of the free energy."""
        answer = self._response * self.basis.forward(self._stacked(driving))
        out += self.basis.backward(answer).reshape(state.shape)

    def response_radius(self, state: FloatArray) -> float:
        """The greatest of Mᵢ·max k² and Mᵢ."""
        return float(np.max(np.abs(self._response)))

    def spectral_radius(self, state: FloatArray) -> float:
        """Bound max |Mᵢ(k² or 1)| · (curvature of f + κᵢk²) on the eigenvalues of the Jacobian."""
        curvature = self.bulk.curvature(self._stacked(state))
        return float(np.max(np.abs(self._response)) * (curvature + np.max(self._stiffness)))

    @cached_property
    def _response(self) -> FloatArray:
        """−Mᵢk² of conserved fields, −Mᵢ of the others."""
        rows = [np.where(conserved, self.basis.k2, 1.0) for conserved in self.is_conserved]
        return np.asarray(-self._column(self.mobility) * np.stack(rows))

    @cached_property
    def _stiffness(self) -> FloatArray:
        return np.asarray(self._column(self.kappa) * self.basis.k2)

    def _column(self, values: tuple[float, ...]) -> FloatArray:
        return np.array(values).reshape(-1, *(1,) * len(self.grid.shape))

    def _stacked(self, state: FloatArray) -> FloatArray:
        return state.reshape(len(self.fields), *self.grid.shape)


# --- stepping ---------------------------------------------------------------------------------------------------

_LARGEST_GROWTH: Final = 1.8
"""Of one step over the last; the two-step formula is unstable from 1 + √2 on."""


@dataclass(frozen=True, slots=True)
class SemiImplicitSpectral:
    """Variable-step semi-implicit backward differences of second order (SBDF2) in a spectral basis.

    With ω = Δt/Δt₋ the step from tₙ solves, for every coefficient by one division,

        (1+2ω)/(1+ω) û⁺ − (1+ω) ûₙ + ω²/(1+ω) ûₙ₋₁ = Δt [ λ û⁺ + N*],     N* = (1+ω) N̂ₙ − ω N̂ₙ₋₁,

    and the error of the step follows from the defect of both approximations, derived here by Taylor expansion:

        ê = [ Δt (N̂(u⁺) − N*) − Δt/(Δt+Δt₋+Δt₋₋) (û⁺ − û*) ] / ( (1+2ω)/(1+ω) − Δtλ ),

    û* the parabola through the last three states.  N̂(u⁺) is what the next step needs anyway: one transform each
    way a step.  The first two steps are extrapolated semi-implicit Euler steps (one step against two halves).

    Source of the scheme: D. Wang, S.J. Ruuth, J. Comput. Math. 26, 838 (2008); for phase-field equations L.Q. Chen,
    J. Shen, Comput. Phys. Commun. 108, 147 (1998), doi:10.1016/S0010-4655(97)00115-X.

    Parameters
    ----------
    rtol, atol : float
        A step is accepted when, for every field, rms(e) ≤ atol + rtol·rms(u − ū), ū the mean of u: small waves on a
        large mean are followed as closely as large ones.  The absolute tolerance is the floor for fields at rest.
    max_dt : float
        Longest step.  With huge tolerances every step has this length (up to the division of the interval).
    max_steps : int
        Attempted steps after which the integration is given up.
    """

    rtol: float = 1e-5
    atol: float = 1e-6
    max_dt: float = math.inf
    max_steps: int = 1_000_000
    order: ClassVar[int] = 2

    def __post_init__(self) -> None:
        for name in ("rtol", "atol", "max_dt", "max_steps"):
            if not getattr(self, name) > 0:
                raise ConfigError(f"{name} must be positive, not {getattr(self, name)}")

    @property
    def overshoot(self) -> float:
        """A spectral basis keeps no maximum principle; near a resolved interface it misses little."""
        return 0.01 + 10.0 * (self.rtol + self.atol)

    def start(self, model: SteppableModel, state: FloatArray, time: float = 0.0) -> SpectralIntegration:
        """Bind to `model`, which must be a `SpectralModel`, at a copy of `state`."""
        if not isinstance(model, SpectralModel):
            raise ConfigError(
                f"{type(model).__name__} has no spectral form (basis, linear, nonlinear): give the model one, or step "
                "it with RungeKuttaChebyshev"
            )
        return SpectralIntegration(self, model, state, time)


class SpectralIntegration:
    """`SemiImplicitSpectral` at work: ``advance`` to a time, or ``step`` by step."""

    def __init__(self, method: SemiImplicitSpectral, model: SpectralModel, state: FloatArray, time: float) -> None:
        self._method, self._model = method, model
        self._shape = state.shape
        self._fields = np.array(state, dtype=np.float64, order="C").reshape(
            len(model.linear), *state.shape[-_n(model) :]
        )
        self.time = time
        self.coefficients: Coefficients = model.basis.forward(self._fields)
        """Expansion of the present state, (n_fields, *basis)."""
        self._slope = model.nonlinear(self._fields)
        self._past: list[tuple[float, Coefficients]] = []
        """Step to the next younger state and coefficients of older states, youngest first."""
        self._past_slope = self._slope
        self._n_steps = self._n_rejected = 0
        self._n_rhs = 1
        self._dt: float | None = None
        self._compile()

    @property
    def state(self) -> FloatArray:
        """State at ``time``; valid until the next step."""
        return self._fields.reshape(self._shape)

    @property
    def statistics(self) -> SteppingStatistics:
        """Counts since the start."""
        return SteppingStatistics(self._n_steps, self._n_rejected, self._n_rhs)

    def advance(self, until: float) -> None:
        """Integrate up to `until` exactly; raises `SimulationError` when the method cannot go on."""
        while self.time < until:
            self.step(until)

    def step(self, until: float) -> None:
        """Make one accepted step, not beyond `until` > ``time``; raises `SimulationError` as ``advance`` does."""
        may_grow = True
        while True:
            dt = self._next_dt(until)
            attempt = self._two_step if len(self._past) == 2 else self._extrapolated_euler
            fields, coefficients, slope, error, order = attempt(dt)
            factor = 0.85 * max(error, 1e-10) ** (-1.0 / order) if math.isfinite(error) else 0.2
            if error <= 1.0:
                break
            self._n_rejected += 1
            self._dt = dt * min(max(factor, 0.2), 0.9)
            may_grow = False
        self._dt = dt * min(max(factor, 0.2), _LARGEST_GROWTH if may_grow else 1.0)
        self._past = [(dt, self.coefficients), *self._past[:1]]
        self._past_slope, self._slope = self._slope, slope
        self._fields, self.coefficients = fields, coefficients
        self.time = until if dt >= until - self.time else self.time + dt
        self._n_steps += 1

    def _next_dt(self, until: float) -> float:
        if self._n_steps + self._n_rejected >= self._method.max_steps:
            raise SimulationError(
                f"{self._method.max_steps} steps were not enough: t = {self.time:.6g} was reached; loosen rtol or "
                "atol, or raise max_steps"
            )
        remaining = until - self.time
        if self._dt is None:
            self._dt = self._first_dt()
        dt = min(self._dt, self._method.max_dt)
        if dt >= remaining * (1 - 1e-12):
            dt = remaining
        elif 2 * dt > remaining:
            dt = remaining / 2
        if not dt > 1e-13 * max(abs(until), abs(self.time)):
            raise SimulationError(
                f"the time step shrank to {dt:.3g} at t = {self.time:.6g}: the state holds values that are not finite, "
                f"or the tolerances (rtol = {self._method.rtol:g}, atol = {self._method.atol:g}) ask for more than "
                "double precision holds; loosen them, check the parameters, or raise the stabilisation"
            )
        return dt

    def _first_dt(self) -> float:
        """The step that changes the fields by about the tolerance."""
        rate = self._model.linear * self.coefficients + self._slope
        change = self._scaled(rate)
        return 1.0 / change if change > 0 else math.inf

    def _scaled(self, error: Coefficients) -> float:
        """Largest over the fields of rms(error) / (atol + rtol·rms(u − ū))."""
        basis = self._model.basis
        means = np.abs(self.coefficients.reshape(len(self.coefficients), -1)[:, 0]) ** 2
        size = np.maximum(basis.sum_of_squares(self.coefficients) - means, 0.0)
        return self._ratio(basis.sum_of_squares(error), size)

    def _ratio(self, error: FloatArray, size: FloatArray) -> float:
        """The same from the sums of squares over the cells."""
        n, method = self._model.basis.n_cells, self._method
        return float(np.max(np.sqrt(error / n) / (method.atol + method.rtol * np.sqrt(size / n))))

    def _evaluate(self, coefficients: Coefficients) -> tuple[FloatArray, Coefficients]:
        self._n_rhs += 1
        fields = self._model.basis.backward(coefficients)
        return fields, self._model.nonlinear(fields)

    def _two_step(self, dt: float) -> tuple[FloatArray, Coefficients, Coefficients, float, int]:
        from dynaphase.phasefield.spectral_loops import two_step_end, two_step_error

        (dt1, u1), (dt2, u2) = self._past
        u = np.empty(u1.shape, u1.dtype)
        rows = len(u), -1
        linear = self._model.linear.reshape(rows)
        past = self.coefficients.reshape(rows), u1.reshape(rows), u2.reshape(rows)
        slopes = self._slope.reshape(rows), self._past_slope.reshape(rows)
        two_step_end(linear, past[0], past[1], *slopes, dt, dt / dt1, u.reshape(rows))
        fields, slope = self._evaluate(u)
        weights = self._model.basis.weights.reshape(-1)
        error, size = two_step_error(
            linear, weights, u.reshape(rows), slope.reshape(rows), past, slopes, (dt, dt1, dt2)
        )
        return fields, u, slope, self._ratio(error, size), 3

    def _compile(self) -> None:
        """Call the loops on one coefficient, so that no step waits for the compiler."""
        from dynaphase.phasefield.spectral_loops import two_step_end, two_step_error

        one: Coefficients = np.zeros((1, 1), self.coefficients.dtype)
        linear = np.zeros((1, 1))
        two_step_end(linear, one, one, one, one, 1.0, 1.0, one)
        two_step_error(linear, linear[0], one, one, (one, one, one), (one, one), (1.0, 1.0, 1.0))

    def _extrapolated_euler(self, dt: float) -> tuple[FloatArray, Coefficients, Coefficients, float, int]:
        linear, u0 = self._model.linear, self.coefficients
        whole = (u0 + dt * self._slope) / (1 - dt * linear)
        half = (u0 + 0.5 * dt * self._slope) / (1 - 0.5 * dt * linear)
        _, slope = self._evaluate(half)
        halves = (half + 0.5 * dt * slope) / (1 - 0.5 * dt * linear)
        u = 2 * halves - whole
        fields, slope = self._evaluate(u)
        return fields, u, slope, self._scaled(halves - whole), 2


def _n(model: SpectralModel) -> int:
    return model.basis.k2.ndim
