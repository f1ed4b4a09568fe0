"""Refinement studies of the manufactured problem: orders of convergence (7a), error against cost (7b, 7c)."""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from dynaphase.pfhub.manufactured import PARTS, ManufacturedError, measure_error
from dynaphase.pfhub.result import PFHubResult

__all__ = ["fitted_order", "run_refinement"]

_SPATIAL: Final = tuple((n, 1 / 20) for n in (96, 128, 192, 256, 384))
"""Meshes (n, dt) of part a: the error of the time step is below 10⁻⁶."""

_TEMPORAL: Final = tuple((512, dt) for dt in (2.0, 1.0, 0.5, 0.25))
"""Steps of part a: the error of the mesh is below 10⁻⁵."""

_LEVELS: Final = {
    "7b": ((1024, 0.1), (1536, 0.1), (2048, 0.05)),
    "7c": ((1024, 0.05), (1536, 0.025), (2048, 0.0125)),
}
"""Meshes and steps (n, dt) of parts b and c."""


def fitted_order(steps: Sequence[float], errors: Sequence[float]) -> float:
    """Slope p of log(error) = p log(step) + b by least squares."""
    return float(np.polyfit(np.log(steps), np.log(errors), 1)[0])


def run_refinement(
    name: str,
    *,
    n: int | None = None,
    t_end: float | None = None,
    tolerance: float | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> PFHubResult:
    """Run part a, b or c; parameters, result and errors as in `dynaphase.pfhub.run_problem`.

    Part a: a row for every mesh of the study in space, then one for every step of the study in time.  With `n` or
    `tolerance` only one mesh is run (384 cells in part a and 1024 in b and c, unless `n` is given).
    """
    problem, t_end = PARTS[name], 8.0 if t_end is None else t_end
    is_single = n is not None or tolerance is not None
    plan = (*_SPATIAL, *_TEMPORAL) if name == "7a" else _LEVELS[name]
    if is_single:
        cells, dt = _SPATIAL[-1] if name == "7a" else _LEVELS[name][0]
        plan = ((cells if n is None else n, dt),)
    wall = clock.perf_counter()
    runs: list[ManufacturedError] = []
    work = np.cumsum([cells**2 / dt**0.5 for cells, dt in plan])
    for (cells, dt), done in zip(plan, work / work[-1], strict=True):
        runs.append(
            measure_error(problem, cells, dt=None if tolerance is not None else dt, tolerance=tolerance, t_end=t_end)
        )
        if on_progress is not None:
            on_progress(float(done))
    checks = {} if is_single or name != "7a" else _orders(runs)
    return PFHubResult(
        problem=name,
        columns={
            "n": np.array([run.n for run in runs]),
            "dt": np.array([run.dt for run in runs]),
            "l2_error": np.array([run.l2_error for run in runs]),
            "cpu_seconds": np.array([run.cpu_seconds for run in runs]),
        },
        cpu_seconds=sum(run.cpu_seconds for run in runs),
        wall_seconds=clock.perf_counter() - wall,
        settings={"n": n, "t_end": t_end, "tolerance": tolerance},
        checks=checks,
    )


def _orders(runs: Sequence[ManufacturedError]) -> dict[str, float]:
    spatial, temporal = runs[: len(_SPATIAL)], runs[len(_SPATIAL) :]
    return {
        "order_in_space": fitted_order([1 / run.n for run in spatial], [run.l2_error for run in spatial]),
        "order_in_time": fitted_order([run.dt for run in temporal], [run.l2_error for run in temporal]),
    }
