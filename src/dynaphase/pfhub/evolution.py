"""Run a gradient flow and write down its energy at every step: problems 1 and 2."""

from __future__ import annotations

import math
import time as clock
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from dynaphase.errors import ConfigError, SimulationError
from dynaphase.pfhub.ostwald import ostwald
from dynaphase.pfhub.result import PFHubResult
from dynaphase.pfhub.spinodal import spinodal
from dynaphase.phasefield.grid import Boundary
from dynaphase.phasefield.operators import FloatArray
from dynaphase.phasefield.spectral import GradientFlow, SemiImplicitSpectral

__all__ = ["EVOLUTIONS", "Evolution", "run_evolution"]


@dataclass(frozen=True, slots=True)
class Evolution:
    """A problem of this kind with the settings used when none are given."""

    setup: Callable[[int, Boundary], tuple[GradientFlow, FloatArray]]
    boundary: Boundary
    n: int
    t_end: float
    tolerance: float
    max_dt: float
    """Near rest the error estimate asks for nothing; with longer steps the energy was seen to rise."""


EVOLUTIONS: Final = {
    "1a": Evolution(spinodal, Boundary.PERIODIC, n=256, t_end=1000.0, tolerance=2e-4, max_dt=40.0),
    "1b": Evolution(spinodal, Boundary.NO_FLUX, n=200, t_end=1e5, tolerance=1e-4, max_dt=40.0),
    "2a": Evolution(ostwald, Boundary.PERIODIC, n=200, t_end=100.0, tolerance=3e-4, max_dt=0.5),
    "2b": Evolution(ostwald, Boundary.NO_FLUX, n=200, t_end=100.0, tolerance=3e-4, max_dt=0.5),
}
"""The problems by name."""


def run_evolution(
    name: str,
    *,
    n: int | None = None,
    t_end: float | None = None,
    tolerance: float | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> PFHubResult:
    """Run one of `EVOLUTIONS`; parameters, result and errors as in `dynaphase.pfhub.run_problem`."""
    problem = EVOLUTIONS[name]
    n = problem.n if n is None else n
    t_end = problem.t_end if t_end is None else t_end
    tolerance = problem.tolerance if tolerance is None else tolerance
    if not 0 < t_end < math.inf:
        raise ConfigError(f"t_end must be positive and finite, not {t_end}")
    if not 0 < tolerance < math.inf:
        raise ConfigError(f"tolerance must be positive and finite, not {tolerance}")
    model, state = problem.setup(n, problem.boundary)
    run = SemiImplicitSpectral(rtol=tolerance, atol=1e-3 * tolerance, max_dt=problem.max_dt).start(model, state)
    cpu, wall = clock.thread_time(), clock.perf_counter()
    times, energies = [0.0], [model.energy(run.state, run.coefficients)]
    while run.time < t_end:
        run.step(t_end)
        times.append(run.time)
        energies.append(model.energy(run.state, run.coefficients))
        if not math.isfinite(energies[-1]):
            raise SimulationError(
                f"problem {name}: the energy is {energies[-1]} at t = {run.time:.6g}; lower tolerance"
            )
        if on_progress is not None:
            on_progress(math.log1p(run.time) / math.log1p(t_end))  # steps lengthen about as the time does
    cpu, wall = clock.thread_time() - cpu, clock.perf_counter() - wall
    return PFHubResult(
        problem=name,
        columns={"time": np.array(times), "free_energy": np.array(energies)},
        cpu_seconds=cpu,
        wall_seconds=wall,
        settings={"n": n, "t_end": t_end, "tolerance": tolerance},
        checks={
            "mass_drift": _mean_of_first(run.state, model) / _mean_of_first(state, model) - 1.0,
            "energy_rise": max(0.0, float(np.max(np.diff(energies) / np.array(energies[:-1])))),
            "n_steps": run.statistics.n_steps,
            "n_rejected": run.statistics.n_rejected,
        },
    )


def _mean_of_first(state: FloatArray, model: GradientFlow) -> float:
    """Mean of c, the conserved field 0."""
    return float(np.mean(state.reshape(len(model.fields), -1)[0]))
