"""PFHub benchmark 7, revision 0: the Allen–Cahn equation with a manufactured solution.

    ∂η/∂t = −[ 4η(η − 1)(η − ½) − κ∇²η ] + S(x, y, t)
    η_sol = ½ {1 − tanh p},   p = (y − α)/√(2κ),   α = ¼ + A₁ t sin(B₁x) + A₂ sin(B₂x + C₂t)
    S     = sech²p / (4√κ) { −2√κ tanh p α_x² + √2 (α_t − κα_xx) }

on 0 … 1 × 0 … ½, periodic in x, η = η_sol on the walls y = 0 and ½ (which differs from the 1 and 0 of the problem
page by 1.2·10⁻⁵ in part a, by nothing in b and c), started from η_sol(t = 0), measured at t = 8 by
‖η − η_sol‖ = √( Σ (η − η_sol)² h² ) over the cells.

Space: fourth-order central differences on cells of edge h = 1/n.  Time: `RungeKuttaChebyshev`, second order.

Source: the problem page of PFHub, doi:10.5334/jors.276; the source term is checked against differences of η_sol.
"""

from __future__ import annotations

import math
import time as clock
from dataclasses import dataclass
from typing import Final

import numpy as np

from dynaphase.errors import ConfigError
from dynaphase.phasefield.operators import FloatArray
from dynaphase.phasefield.steppers import RungeKuttaChebyshev, SteppingStatistics

__all__ = ["PARTS", "ManufacturedError", "ManufacturedModel", "ManufacturedProblem", "measure_error"]

HEIGHT: Final = 0.5


@dataclass(frozen=True, slots=True)
class ManufacturedProblem:
    """The constants of one part; the defaults are those of part a."""

    kappa: float = 0.0004
    a1: float = 0.0075
    b1: float = 8 * math.pi
    a2: float = 0.03
    b2: float = 22 * math.pi
    c2: float = 0.0625 * math.pi

    def __post_init__(self) -> None:
        if not (math.isfinite(self.kappa) and self.kappa > 0):
            raise ConfigError(f"kappa must be positive and finite, not {self.kappa}")
        for name in ("b1", "b2"):
            turns = getattr(self, name) / (2 * math.pi)
            if abs(turns - round(turns)) > 1e-9:
                raise ConfigError(
                    f"{name} = {getattr(self, name)} is no multiple of 2π, so the front is not periodic in x"
                )

    def front(self, x: FloatArray, time: float) -> FloatArray:
        """The place α(x, t) of the front."""
        return np.asarray(0.25 + self.a1 * time * np.sin(self.b1 * x) + self.a2 * np.sin(self.b2 * x + self.c2 * time))

    def front_slopes(self, x: FloatArray, time: float) -> tuple[FloatArray, FloatArray, FloatArray]:
        """α_x, α_xx and α_t."""
        first, second = self.b1 * x, self.b2 * x + self.c2 * time
        slope = self.a1 * self.b1 * time * np.cos(first) + self.a2 * self.b2 * np.cos(second)
        bend = -self.a1 * self.b1**2 * time * np.sin(first) - self.a2 * self.b2**2 * np.sin(second)
        speed = self.a1 * np.sin(first) + self.a2 * self.c2 * np.cos(second)
        return slope, bend, speed

    def solution(self, x: FloatArray, y: FloatArray, time: float) -> FloatArray:
        """η_sol at the points x, y, which broadcast."""
        return np.asarray(0.5 * (1 - np.tanh((y - self.front(x, time)) / math.sqrt(2 * self.kappa))))


PARTS: Final = {
    "7a": ManufacturedProblem(),
    "7b": ManufacturedProblem(kappa=1.5625e-6),
    "7c": ManufacturedProblem(kappa=1.5625e-6, c2=0.5),
}
"""The three parts by name."""


class ManufacturedModel:
    """The problem on n × n/2 cells, for any explicit stepper.

    Parameters
    ----------
    problem : ManufacturedProblem
    n : int
        Cells along x, even, at least 16.

    Raises
    ------
    ConfigError
        For another n.
    """

    def __init__(self, problem: ManufacturedProblem, n: int) -> None:
        if n < 16 or n % 2:
            raise ConfigError(f"n must be an even number of cells, at least 16, not {n}")
        self.problem, self.n, self.h = problem, n, 1.0 / n
        self._x: FloatArray = np.asarray(np.arange(0.5, n) * self.h, np.float64)
        self._y: FloatArray = np.asarray(np.arange(0.5, n // 2) * self.h, np.float64)

    def solution(self, time: float) -> FloatArray:
        """η_sol at the cell centres, (n, n/2)."""
        return self.problem.solution(self._x[:, None], self._y[None, :], time)

    def rhs_at(self, time: float, state: FloatArray, out: FloatArray) -> None:
        """Write ∂η/∂t at `time` into `out`."""
        from dynaphase.pfhub.manufactured_loops import allen_cahn_rhs

        problem = self.problem
        slope, bend, speed = problem.front_slopes(self._x, time)
        diffusive = -2 * math.sqrt(problem.kappa) * slope**2
        driving = math.sqrt(2) * (speed - problem.kappa * bend)
        front = problem.front(self._x, time)
        allen_cahn_rhs(state, front, diffusive, driving, HEIGHT, problem.kappa, self.h, out)

    def rhs(self, state: FloatArray, out: FloatArray) -> None:
        """The rate at t = 0."""
        self.rhs_at(0.0, state, out)

    def spectral_radius(self, state: FloatArray) -> float:
        """16/3 κ/h² along x, by Gershgorin 8.2 κ/h² along y (row next to a wall), and 4|3η² − 3η + ½| of the well."""
        furthest = max(float(np.max(state)) - 0.5, 0.5 - float(np.min(state)), 0.5)
        return 13.6 * self.problem.kappa / self.h**2 + 12.0 * furthest**2 + 1.0


@dataclass(frozen=True, slots=True)
class ManufacturedError:
    """What one run of the manufactured problem gave."""

    n: int
    dt: float
    """Step; of an adaptive run the mean step."""
    l2_error: float
    cpu_seconds: float
    wall_seconds: float
    statistics: SteppingStatistics


def measure_error(
    problem: ManufacturedProblem, n: int, *, dt: float | None = None, tolerance: float | None = None, t_end: float = 8.0
) -> ManufacturedError:
    """Integrate to `t_end` and compare with η_sol there.

    Parameters
    ----------
    problem : ManufacturedProblem
    n : int
        Cells along x.
    dt : float, optional
        Constant step (shortened to divide `t_end` evenly).
    tolerance : float, optional
        Instead of `dt`: tolerance of one adaptive step, relative and absolute.
    t_end : float

    Returns
    -------
    ManufacturedError
        With the time of compilation left out.

    Raises
    ------
    ConfigError
        Unless exactly one of `dt` and `tolerance` is given and positive, and `t_end` is positive.
    SimulationError
        When the stepper cannot go on.
    """
    if (dt is None) == (tolerance is None):
        raise ConfigError("give either a constant step dt or a tolerance")
    if not 0 < t_end < math.inf:
        raise ConfigError(f"t_end must be positive and finite, not {t_end}")
    if tolerance is not None:
        stepper = RungeKuttaChebyshev(rtol=tolerance, atol=tolerance)
    else:
        assert dt is not None
        dt = t_end / max(1, math.ceil(t_end / dt * (1 - 1e-9))) if dt > 0 else dt
        stepper = RungeKuttaChebyshev(rtol=1e12, atol=1e12, max_dt=dt)
    model = ManufacturedModel(problem, n)
    run = stepper.start(model, model.solution(0.0))
    cpu, wall = clock.thread_time(), clock.perf_counter()
    run.advance(t_end)
    cpu, wall = clock.thread_time() - cpu, clock.perf_counter() - wall
    error = float(np.sqrt(np.sum((run.state - model.solution(t_end)) ** 2)) * model.h)
    return ManufacturedError(n, t_end / run.statistics.n_steps, error, cpu, wall, run.statistics)
