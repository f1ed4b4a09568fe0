"""Run gradient flows and write down energies at every step: problems 1, 2, 6 and 8."""

from __future__ import annotations

import math
import time as clock
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from dynaphase.errors import ConfigError, Interrupted, SimulationError
from dynaphase.pfhub.case import Case, Cuts, energy_of
from dynaphase.pfhub.charged import charged_cases
from dynaphase.pfhub.checkpoint import Checkpoint, ForeignCheckpointError, Keeper, require_same, settings_line
from dynaphase.pfhub.nucleation import nucleation_cases
from dynaphase.pfhub.ostwald import ostwald
from dynaphase.pfhub.result import PFHubResult
from dynaphase.pfhub.spinodal import spinodal
from dynaphase.pfhub.tee import tee_cases
from dynaphase.phasefield.grid import Boundary
from dynaphase.phasefield.operators import FloatArray
from dynaphase.phasefield.spectral import SemiImplicitSpectral, SpectralIntegration
from dynaphase.phasefield.steppers import AdaptiveIntegration, AdaptiveStepper, RungeKuttaChebyshev

__all__ = ["EVOLUTIONS", "Evolution", "run_evolution"]


def _spectral(tolerance: float, max_dt: float) -> AdaptiveStepper:
    return SemiImplicitSpectral(rtol=tolerance, atol=1e-3 * tolerance, max_dt=max_dt)


def _explicit(tolerance: float, max_dt: float) -> AdaptiveStepper:
    return RungeKuttaChebyshev(rtol=tolerance, atol=1e-3 * tolerance, max_dt=max_dt, max_stages=400)


@dataclass(frozen=True, slots=True)
class Evolution:
    """A problem of this kind with the settings used when none are given."""

    cases: Callable[[int], list[Case]]
    columns: tuple[str, ...]
    """Names of what the cases measure, the energy that falls left out."""
    n: int
    least_n: int
    """Fewer cells leave the interface unresolved."""
    t_end: float
    tolerance: float
    max_dt: float
    """Near rest the error estimate asks for nothing; with longer steps the energy was seen to rise."""
    stepper: Callable[[float, float], AdaptiveStepper] = _spectral
    """From the tolerance and the longest step."""


def _spinodal_cases(boundary: Boundary) -> Callable[[int], list[Case]]:
    def cases(n: int) -> list[Case]:
        model, state = spinodal(n, boundary)
        return [Case(model, state, energy_of(model))]

    return cases


def _ostwald_cases(boundary: Boundary) -> Callable[[int], list[Case]]:
    def cases(n: int) -> list[Case]:
        model, state = ostwald(n, boundary)
        return [Case(model, state, energy_of(model))]

    return cases


_P, _N, _ENERGY = Boundary.PERIODIC, Boundary.NO_FLUX, ("free_energy",)
_FRACTION = (*_ENERGY, "fraction")

LOOSEST: Final = 1e-2
"""Largest tolerance: looser ones let the energy rise."""

MOST_CELLS: Final = 4096

EVOLUTIONS: Final = {
    "1a": Evolution(_spinodal_cases(_P), _ENERGY, n=256, least_n=64, t_end=1000.0, tolerance=5e-4, max_dt=40.0),
    "1b": Evolution(_spinodal_cases(_N), _ENERGY, n=200, least_n=64, t_end=1e5, tolerance=1e-4, max_dt=40.0),
    "1c": Evolution(tee_cases, _ENERGY, n=100, least_n=50, t_end=1e5, tolerance=1e-4, max_dt=400.0, stepper=_explicit),
    "2a": Evolution(_ostwald_cases(_P), _ENERGY, n=200, least_n=64, t_end=100.0, tolerance=3e-4, max_dt=0.5),
    "2b": Evolution(_ostwald_cases(_N), _ENERGY, n=200, least_n=64, t_end=100.0, tolerance=3e-4, max_dt=0.5),
    "6a": Evolution(charged_cases, _ENERGY, n=128, least_n=32, t_end=400.0, tolerance=1e-4, max_dt=40.0),
    "8a": Evolution(nucleation_cases, _FRACTION, n=200, least_n=40, t_end=200.0, tolerance=2e-6, max_dt=0.5),
}
"""The problems by name."""


def run_evolution(
    name: str,
    *,
    n: int | None = None,
    t_end: float | None = None,
    tolerance: float | None = None,
    on_progress: Callable[[float], None] | None = None,
    resume_from: Checkpoint | None = None,
    on_checkpoint: Callable[[Checkpoint], None] | None = None,
) -> PFHubResult:
    """Run one of `EVOLUTIONS`; parameters, result and errors as in `dynaphase.pfhub.run_problem`."""
    problem = EVOLUTIONS[name]
    n = problem.n if n is None else n
    t_end = problem.t_end if t_end is None else t_end
    tolerance = problem.tolerance if tolerance is None else tolerance
    if not 0 < t_end < math.inf:
        raise ConfigError(f"t_end must be positive and finite, not {t_end}")
    if not 0 < tolerance <= LOOSEST:
        raise ConfigError(f"tolerance must be positive and at most {LOOSEST:g}, not {tolerance}")
    if not problem.least_n <= n <= MOST_CELLS:
        raise ConfigError(
            f"problem {name} takes {problem.least_n} to {MOST_CELLS} cells along the edge, not {n}: fewer leave the "
            "interface unresolved, more do not fit into memory"
        )
    settings = {"n": n, "t_end": t_end, "tolerance": tolerance}
    run = _Run(name, problem.cases(n), problem.stepper(tolerance, problem.max_dt), t_end, settings_line(name, settings))
    if resume_from is not None:
        run.resume(resume_from)
    run.go_on(Keeper(on_checkpoint), on_progress)
    return run.result(problem.columns, settings)


class _Run:
    """The cases of a problem, one after the other, and the rows written so far."""

    def __init__(self, name: str, cases: list[Case], stepper: AdaptiveStepper, t_end: float, settings: str) -> None:
        self.name, self.cases, self.stepper, self.t_end, self.settings = name, cases, stepper, t_end, settings
        self.rows: list[tuple[float, ...]] = []
        """Case, time, energy that falls, measured columns."""
        self.counts = np.zeros((len(cases), 2), int)
        """Accepted and rejected steps of every case."""
        self.index = 0
        self.cpu = self.wall = 0.0
        self.integration: AdaptiveIntegration = stepper.start(cases[0].model, cases[0].state)

    def write_row(self) -> None:
        """Measure the present state, unless that has been done."""
        run = self.integration
        if not self.rows or self.rows[-1][:2] != (self.index, run.time):
            coefficients = run.coefficients if isinstance(run, SpectralIntegration) else None
            measured = self.cases[self.index].measure(run.state, coefficients)
            self.rows.append((self.index, run.time, *measured))

    def go_on(self, keeper: Keeper, on_progress: Callable[[float], None] | None) -> None:
        self.write_row()  # outside the clock: the loops are compiled here
        cpu, wall = clock.thread_time() - self.cpu, clock.perf_counter() - self.wall
        try:
            while True:
                self.finish_case(keeper, on_progress)
                self.cpu, self.wall = clock.thread_time() - cpu, clock.perf_counter() - wall
                if self.index + 1 == len(self.cases):
                    return
                following = self.cases[self.index + 1]
                self.index, self.integration = self.index + 1, self.stepper.start(following.model, following.state)
        except KeyboardInterrupt:
            if not keeper.is_on:
                raise
            self.cpu, self.wall = clock.thread_time() - cpu, clock.perf_counter() - wall
            keeper.keep(self.checkpoint())
            raise Interrupted(
                f"problem {self.name} was stopped at t = {self.integration.time:.6g} of {self.t_end:.6g}; everything "
                "so far is kept: run the same command again to go on"
            ) from None

    def finish_case(self, keeper: Keeper, on_progress: Callable[[float], None] | None) -> None:
        run = self.integration
        self.write_row()
        while run.time < self.t_end:
            run.step(self.t_end)
            self.write_row()
            if not math.isfinite(self.rows[-1][2]):
                raise SimulationError(
                    f"problem {self.name}: the energy is {self.rows[-1][2]} at t = {run.time:.6g}; lower tolerance"
                )
            keeper.keep_when_due(self.checkpoint)
            if on_progress is not None:
                share = math.log1p(run.time) / math.log1p(self.t_end)  # steps lengthen about as the time does
                on_progress((self.index + share) / len(self.cases))
        self.counts[self.index] = run.statistics.n_steps, run.statistics.n_rejected

    # --- unfinished runs --------------------------------------------------------------------------------------

    def checkpoint(self) -> dict[str, Any]:
        return {
            "settings": self.settings,
            "case": self.index,
            "rows": np.array(self.rows),
            "counts": self.counts,
            "cpu_seconds": self.cpu,
            "wall_seconds": self.wall,
            "integration": self.integration.checkpoint(),
        }

    def resume(self, kept: Checkpoint) -> None:
        require_same(kept, self.settings)
        try:
            self.index = int(kept["case"])
            self.rows = [tuple(row) for row in kept["rows"].tolist()]
            self.counts = np.array(kept["counts"])
            self.cpu, self.wall = float(kept["cpu_seconds"]), float(kept["wall_seconds"])
            self.integration = self.stepper.resume(self.cases[self.index].model, kept["integration"])
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, ConfigError) as error:
            raise ForeignCheckpointError(f"this checkpoint is damaged ({error})") from None

    # --- the end ----------------------------------------------------------------------------------------------

    def result(self, columns: tuple[str, ...], settings: dict[str, float]) -> PFHubResult:
        table = np.array(self.rows)
        case, time, falling = table[:, 0].astype(int), table[:, 1], table[:, 2]
        named = {"time": time, **dict(zip(columns, table[:, 3:].T, strict=True))}
        for label in self.cases[0].labels:
            named[label] = np.array([c.labels[label] for c in self.cases])[case]
        rises = np.where(np.diff(case) == 0, np.diff(falling) / np.abs(falling[:-1]), 0.0)
        checks: dict[str, float] = {}
        last = self.cases[self.index]
        if last.is_conserved:
            checks["mass_drift"] = _mean_of_first(self.integration.state, last) / _mean_of_first(last.state, last) - 1.0
        checks["energy_rise"] = max(0.0, float(np.max(rises)))
        checks["n_steps"], checks["n_rejected"] = self.counts.sum(axis=0).tolist()
        cuts: Cuts = last.cuts(self.integration.state) if last.cuts is not None else {}
        return PFHubResult(
            problem=self.name,
            columns=named,
            cpu_seconds=self.cpu,
            wall_seconds=self.wall,
            settings=settings,
            checks=checks,
            cuts=cuts,
        )


def _mean_of_first(state: FloatArray, case: Case) -> float:
    """Mean of c, the conserved field 0, over the domain."""
    first = state.reshape(len(case.model.fields), *case.model.grid.shape)[0]
    return float(np.mean(first if case.counted is None else first[case.counted]))
