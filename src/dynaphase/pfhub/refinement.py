"""Refinement studies of the manufactured problem: orders of convergence (7a), error against cost (7b, 7c)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from dynaphase.errors import Interrupted
from dynaphase.pfhub.checkpoint import Checkpoint, ForeignCheckpointError, Keeper, require_same, settings_line
from dynaphase.pfhub.manufactured import PARTS, ManufacturedError, measure_error
from dynaphase.pfhub.result import PFHubResult
from dynaphase.phasefield.steppers import SteppingStatistics

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
    resume_from: Checkpoint | None = None,
    on_checkpoint: Callable[[Checkpoint], None] | None = None,
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
    settings = {"n": n, "t_end": t_end, "tolerance": tolerance}
    line, keeper = settings_line(name, settings), Keeper(on_checkpoint)
    runs = [] if resume_from is None else _finished(resume_from, line)
    work = np.cumsum([cells**2 / dt**0.5 for cells, dt in plan])
    for (cells, dt), done in list(zip(plan, work / work[-1], strict=True))[len(runs) :]:
        try:
            step = None if tolerance is not None else dt
            runs.append(measure_error(problem, cells, dt=step, tolerance=tolerance, t_end=t_end))
        except KeyboardInterrupt:
            if not keeper.is_on:
                raise
            kept = "which are kept: run the same command again to go on" if runs else "so nothing is kept"
            raise Interrupted(f"problem {name} was stopped after {len(runs)} of {len(plan)} meshes, {kept}") from None
        keeper.keep({"settings": line, "runs": np.array([_row(run) for run in runs])})
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
        wall_seconds=sum(run.wall_seconds for run in runs),
        settings=settings,
        checks=checks,
    )


def _row(run: ManufacturedError) -> tuple[float, ...]:
    done = run.statistics
    return (
        *(run.n, run.dt, run.l2_error, run.cpu_seconds, run.wall_seconds),
        *(done.n_steps, done.n_rejected, done.n_rhs),
    )


def _finished(checkpoint: Checkpoint, line: str) -> list[ManufacturedError]:
    """The meshes that an unfinished run has kept."""
    require_same(checkpoint, line)
    try:
        return [
            ManufacturedError(int(n), dt, error, cpu, wall, SteppingStatistics(*map(int, counts)))
            for n, dt, error, cpu, wall, *counts in checkpoint["runs"].tolist()
        ]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ForeignCheckpointError(f"this checkpoint is damaged ({error})") from None


def _orders(runs: Sequence[ManufacturedError]) -> dict[str, float]:
    spatial, temporal = runs[: len(_SPATIAL)], runs[len(_SPATIAL) :]
    return {
        "order_in_space": fitted_order([1 / run.n for run in spatial], [run.l2_error for run in spatial]),
        "order_in_time": fitted_order([run.dt for run in temporal], [run.l2_error for run in temporal]),
    }
