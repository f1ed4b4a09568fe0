"""Reaction–diffusion of the intact fraction of a solid electrolyte: the model as published, flaws included.

    ∂C/∂t = D(C) ∇²C − k f(C),      D(C) = D₀ [1 + m_D (1 − C)]

C is the local fraction of intact electrolyte: 1 intact crystal, 0 degraded, void or cathode.  The published energy
density is (γ/2)|∇C|²; it does not enter the equation, but for constant D it is the functional that the diffusion
part descends: ∂C/∂t = −M δE/δC with M = D/γ.

Expect grain boundaries and pores to spread, and a degradation front that leaves the cathode, where C = 0 holds.
With ``logistic`` kinetics the intact state C = 1 is linearly unstable: noise of amplitude a degrades everything
within about ln(1/a)/k, electrode or not.  ``bistable`` kinetics has two stable states and no such flaw.

Lengths in nm, times in s; D in nm²/s, γ in J/m (an energy density (γ/2)|∇C|² needs J/m, not J/m²).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import ClassVar, Final

import numpy as np

from dynaphase.electrolyte.microstructure import Microstructure
from dynaphase.errors import ConfigError
from dynaphase.phasefield.grid import Boundary, Grid
from dynaphase.phasefield.operators import (
    FloatArray,
    ghost_rules,
    gradient_energy,
    laplacian,
    neighbours,
)
from dynaphase.phasefield.steppers import ExplicitEuler, RungeKuttaChebyshev
from dynaphase.units import BOLTZMANN_EV

__all__ = [
    "EXACT_STEPPING",
    "FAST_STEPPING",
    "REACTIONS",
    "PaperModel",
    "PaperParameters",
    "Reaction",
    "initial_state",
    "printed_conductivity",
]

EXACT_STEPPING: Final = ExplicitEuler(dt=1e-3)
"""The published stepping: explicit Euler, 1 ms; 1000 s are 10⁶ steps."""

FAST_STEPPING: Final = RungeKuttaChebyshev(rtol=1e-4, atol=1e-5)
"""The same equations at a controlled error: within 5·10⁻⁴ of `EXACT_STEPPING` everywhere (tested)."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """Degradation kinetics f(C) = C (r₀ + r₁C + r₂C²) / (K + C), the denominator only where K is given.

    Parameters
    ----------
    polynomial : tuple of three floats
        r₀, r₁, r₂.
    half_saturation : float, optional
        K > 0.  None leaves the denominator out.
    """

    polynomial: tuple[float, float, float]
    half_saturation: float | None = None

    def __post_init__(self) -> None:
        if self.half_saturation is not None and not self.half_saturation > 0:
            raise ConfigError(f"the half-saturation K must be positive, not {self.half_saturation}")

    @classmethod
    def logistic(cls) -> Reaction:
        """Logistic kinetics f = C(1 − C): a front invades at 2√(Dk); C = 1 is unstable."""
        return cls((1.0, -1.0, 0.0))

    @classmethod
    def linear(cls) -> Reaction:
        """First-order kinetics f = C: decay everywhere with rate k."""
        return cls((1.0, 0.0, 0.0))

    @classmethod
    def langmuir(cls, half_saturation: float = 0.5) -> Reaction:
        """Saturating kinetics f = C/(K + C): the rate saturates as coverage does in Langmuir–Hinshelwood rate laws."""
        return cls((1.0, 0.0, 0.0), half_saturation)

    @classmethod
    def bistable(cls, unstable_fraction: float = 0.7) -> Reaction:
        """Bistable kinetics f = 4C(1 − C)(C_u − C): the degraded side invades if C_u > ½.

        C = 0 and C = 1 are stable.  The front has speed √(2Dk)(2C_u − 1) and profile ½[1 + tanh(x √(k/2D))]
        (the Nagumo equation; derived here).
        """
        if not 0 < unstable_fraction < 1:
            raise ConfigError(f"the unstable fraction C_u must lie between 0 and 1, not {unstable_fraction}")
        c_u = unstable_fraction
        return cls((4.0 * c_u, -4.0 * (1.0 + c_u), 4.0))

    def __call__(self, C: FloatArray) -> FloatArray:
        """f(C), elementwise and dimensionless."""
        r0, r1, r2 = self.polynomial
        rate = C * (r0 + C * (r1 + C * r2))
        return rate if self.half_saturation is None else rate / (self.half_saturation + C)


@lru_cache(maxsize=64)
def _steepest_slope(reaction: Reaction) -> float:
    """Maximum of |f'(C)| on [0, 1], sampled closely; the extremes of the four kinetics lie on samples."""
    C = np.linspace(0.0, 1.0, 1001)
    r0, r1, r2 = reaction.polynomial
    slope = r0 + C * (2 * r1 + C * 3 * r2)
    if reaction.half_saturation is not None:
        K = reaction.half_saturation
        slope = (slope - reaction(C)) / (K + C)
    return float(np.max(np.abs(slope)))


REACTIONS: Final[Mapping[str, Reaction]] = MappingProxyType(
    {
        "logistic": Reaction.logistic(),
        "linear": Reaction.linear(),
        "langmuir": Reaction.langmuir(),
        "bistable": Reaction.bistable(),
    }
)
"""Kinetics by name, for configuration files and the command line."""


@dataclass(frozen=True, slots=True)
class PaperParameters:
    """Parameters of the published model.

    Parameters
    ----------
    D0_nm2_per_s : float
        Diffusivity of intact material D₀ ≥ 0 (nm²/s).
    k_per_s : float
        Degradation rate k ≥ 0 (1/s).
    gamma_J_per_m : float
        Gradient-energy coefficient γ > 0 (J/m): surface energy times the width of the interface.
    m_D : float
        Relative gain of the diffusivity on degradation, above −1 so that D stays positive on [0, 1].
    reaction : Reaction
        Kinetics f(C).
    conservative : bool
        False: D(C)∇²C as printed.  True: ∇·(D∇C), which conserves ∫C without reaction and open walls.
    """

    D0_nm2_per_s: float
    k_per_s: float
    gamma_J_per_m: float
    m_D: float = 2.0
    reaction: Reaction = REACTIONS["logistic"]
    conservative: bool = False

    def __post_init__(self) -> None:
        for name in ("D0_nm2_per_s", "k_per_s"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= 0):
                raise ConfigError(f"{name} must be finite and not negative, not {value}")
        if not (math.isfinite(self.gamma_J_per_m) and self.gamma_J_per_m > 0):
            raise ConfigError(f"gamma_J_per_m must be finite and positive, not {self.gamma_J_per_m}")
        if not (math.isfinite(self.m_D) and self.m_D > -1):
            raise ConfigError(f"m_D must be finite and above −1, or D(C) turns negative at C = 0; not {self.m_D}")


@dataclass(frozen=True, slots=True)
class PaperModel:
    """The published model on a two-dimensional grid; the state is the array C, shape ``grid.shape``.

    The Dirichlet value of ``NO_FLUX_DIRICHLET`` is C = 0 and sits on the cell *face* x = L: the ghost is −C of the
    last cell.  In conservative form the flux through a face carries the mean of D on its two sides; because D is
    linear in C this flux is exactly the difference of P(C) = D₀[(1 + m_D)C − m_D C²/2].

    Parameters
    ----------
    grid : Grid
        Two-dimensional; along each axis periodic, no-flux, or no-flux | dirichlet.
    parameters : PaperParameters
    """

    grid: Grid
    parameters: PaperParameters

    fields: ClassVar[tuple[str, ...]] = ("C",)
    bounds: ClassVar[tuple[float, float]] = (0.0, 1.0)
    """The maximum principle keeps C here (with D > 0 and the four kinetics)."""

    def __post_init__(self) -> None:
        if len(self.grid.shape) != 2:
            raise ConfigError(f"the paper model is two-dimensional; the grid has shape {self.grid.shape}")
        ghost_rules(self.grid)  # refuses boundaries that the loops do not know

    def rhs(self, state: FloatArray, out: FloatArray) -> None:
        """Write ∂C/∂t (1/s) of `state` into `out`, both C-contiguous float64 of shape ``grid.shape``."""
        from dynaphase.electrolyte.paper_loops import reaction_diffusion_rhs

        p = self.parameters
        reaction_diffusion_rhs(
            state,
            out,
            ghost_rules(self.grid),
            self._coefficients(1.0),
            p.conservative,
            p.reaction.half_saturation is not None,
        )

    def euler_steps(self, state: FloatArray, dt: float, n_steps: int) -> None:
        """Advance `state` in place by `n_steps` explicit Euler steps of `dt` (s), in one compiled loop."""
        from dynaphase.electrolyte.paper_loops import reaction_diffusion_euler

        p = self.parameters
        reaction_diffusion_euler(
            state,
            n_steps,
            ghost_rules(self.grid),
            self._coefficients(dt),
            p.conservative,
            p.reaction.half_saturation is not None,
        )

    def reference_rhs(self, C: FloatArray) -> FloatArray:
        """∂C/∂t (1/s) in plain numpy: the definition that the compiled loops are held to."""
        p = self.parameters
        reaction = p.k_per_s * p.reaction(C)
        if not p.conservative:
            return self.diffusivity(C) * laplacian(C, self.grid) - reaction
        divergence = np.zeros_like(C)
        for axis, boundary in enumerate(self.grid.boundaries):
            for neighbour in neighbours(C, axis, boundary):
                face_D = 0.5 * (self.diffusivity(C) + self.diffusivity(neighbour))
                divergence += face_D * (neighbour - C)
        return divergence / self.grid.spacing_nm**2 - reaction

    def diffusivity(self, C: FloatArray) -> FloatArray:
        """D(C) = D₀[1 + m_D(1 − C)] (nm²/s)."""
        p = self.parameters
        return p.D0_nm2_per_s * (1.0 + p.m_D * (1.0 - C))

    def energy(self, state: FloatArray) -> float:
        """E = Σ (γ/2)|∇C|² Δx² per unit depth (J/m), summed over faces.

        With ΔC across a face, |∇C|² = (ΔC/Δx)²; a face between cells counts Δx², a Dirichlet wall half a cell with
        ΔC = C over Δx/2.  Then ∂E/∂C_ij = −γ Δx² (∇²C)_ij exactly, so that k = 0 and constant D give
        dE/dt = −(γ/D) Σ (∂C/∂t)² Δx² ≤ 0.
        """
        return self.parameters.gamma_J_per_m * gradient_energy(state, self.grid)

    def variational_derivative(self, state: FloatArray) -> FloatArray:
        """δE/δC = −γ∇²C (J/m³): the derivative of ``energy``, which drives the printed equation for constant D only."""
        return -self.parameters.gamma_J_per_m * laplacian(state, self.grid)

    def spectral_radius(self, state: FloatArray) -> float:
        """Bound on |λ| of the Jacobian (1/s) by Gershgorin's circles.

        Printed form: a row holds D(C)/Δx² for each neighbour, −4D/Δx² + D'(C)∇²C on the diagonal, and
        |D'∇²C| ≤ 4|D(C) − D₀|/Δx² where it adds to the diagonal: 8D + 4|D − D₀|, at most.  Conservative form: the
        derivative of a flux is D of the neighbour, so 8D.  Both plus k max|f'|.
        """
        p = self.parameters
        low, high = float(np.min(state)), float(np.max(state))
        if Boundary.NO_FLUX_DIRICHLET in self.grid.boundaries:
            low = min(low, 0.0)
        factors = (1.0 + p.m_D * (1.0 - low), 1.0 + p.m_D * (1.0 - high))
        per_D0 = 8.0 * max(factors)
        if not p.conservative:
            per_D0 += 4.0 * abs(p.m_D) * max(abs(1.0 - low), abs(high))
        return p.D0_nm2_per_s * per_D0 / self.grid.spacing_nm**2 + p.k_per_s * _steepest_slope(p.reaction)

    def _coefficients(self, dt: float) -> tuple[float, float, float, float, float, float]:
        """What the compiled loops read: diffusivity α − βC and reaction polynomial, times `dt`."""
        p = self.parameters
        scale = dt * p.D0_nm2_per_s / self.grid.spacing_nm**2
        r0, r1, r2 = (-dt * p.k_per_s * r for r in p.reaction.polynomial)
        return scale * (1.0 + p.m_D), scale * p.m_D, r0, r1, r2, p.reaction.half_saturation or 0.0


def initial_state(
    microstructure: Microstructure,
    delta_gb: float = 0.15,
    cathode_layer_nm: float = 2.0,
    noise: float = 0.005,
    *,
    rng: np.random.Generator,
) -> FloatArray:
    """Intact fraction at t = 0: C = 1 − δ_gb g − (1 − ρ), a cathode layer with C = 0, multiplicative noise.

    Parameters
    ----------
    microstructure : Microstructure
        Supplies the boundary indicator g and the relative density ρ.
    delta_gb : float
        Loss of intact fraction on a grain boundary, in [0, 1].
    cathode_layer_nm : float
        Cells whose centre is nearer than this to the face x = L start at C = 0 (nm).
    noise : float
        Standard deviation of the factor 1 + noise·z on every cell, z standard normal.
    rng : numpy.random.Generator
        Source of the noise; the same generator state gives the same field.

    Returns
    -------
    array, shape of the microstructure
        Within [0, 1]: clipped before and after the noise.
    """
    if not 0 <= delta_gb <= 1:
        raise ConfigError(f"delta_gb must lie in [0, 1], not {delta_gb}")
    if not (cathode_layer_nm >= 0 and noise >= 0):
        raise ConfigError(f"cathode_layer_nm = {cathode_layer_nm} and noise = {noise} must not be negative")
    C = np.clip(microstructure.density - delta_gb * microstructure.boundary, 0.0, 1.0)
    n = C.shape[0]
    distance_nm = (n - 0.5 - np.arange(n)) * microstructure.spacing_nm
    C[distance_nm < cathode_layer_nm] = 0.0
    C *= 1.0 + noise * rng.standard_normal(C.shape)
    return np.clip(C, 0.0, 1.0)


def printed_conductivity(C: FloatArray, t_i0: float, Ea_eV: float, temperature_K: float, q: float = 1.0) -> float:
    """The published conductivity, σ = q² t_i (1 − e^{−Ea/kT}) with t_i = t_i0 ⟨C⟩: a dimensionless number.

    Kept because it was published, not because it is right.  It is a charge squared times numbers, so it has no
    conductivity unit; the bracket grows with the barrier Ea, the wrong way round, and is 0.99999 for every solid
    electrolyte at room temperature (Ea = 0.3 eV, 298.15 K: 0.999991509).  σ is t_i to five digits and carries no
    information on Ea.  An Arrhenius law σT = A e^{−Ea/kT} is what the ``physical`` model uses.

    Parameters
    ----------
    C : array
        Intact fraction.
    t_i0 : float
        Ionic transport number of intact material, in [0, 1].
    Ea_eV : float
        Activation energy (eV), not negative.
    temperature_K : float
        Temperature (K), positive.
    q : float
        Charge of the carrier in units of e.

    Returns
    -------
    float
        Dimensionless, in [0, 1] for q = 1.
    """
    if not (Ea_eV >= 0 and temperature_K > 0):
        raise ConfigError(f"Ea = {Ea_eV} eV must not be negative and T = {temperature_K} K must be positive")
    t_i = t_i0 * float(np.mean(C))
    return q**2 * t_i * -math.expm1(-Ea_eV / (BOLTZMANN_EV * temperature_K))
