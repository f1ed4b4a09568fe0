"""The PFHub phase-field benchmark problems, solved by this engine.

=======  =====================================================  =================================
problem  what it is                                             columns
=======  =====================================================  =================================
1a–1c    spinodal decomposition: periodic, without flux, in a T  time, free_energy
2a, 2b   Ostwald ripening, periodic and without flux            time, free_energy
6a       spinodal decomposition of charges, with Poisson        time, free_energy; two cuts
7a–7c    manufactured solution of the Allen–Cahn equation       n, dt, l2_error, cpu_seconds
8a       nucleus near its critical radius, three radii          time, free_energy, fraction, radius
=======  =====================================================  =================================

>>> from dynaphase.pfhub import run_problem
>>> result = run_problem("1a", n=64, t_end=20.0)
>>> result.columns["free_energy"][-1] < result.columns["free_energy"][0]
True
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from dynaphase.errors import unknown_choice
from dynaphase.pfhub.checkpoint import Checkpoint, ForeignCheckpointError
from dynaphase.pfhub.evolution import EVOLUTIONS, run_evolution
from dynaphase.pfhub.manufactured import PARTS
from dynaphase.pfhub.refinement import run_refinement
from dynaphase.pfhub.result import PFHubResult

__all__ = ["PROBLEMS", "Checkpoint", "ForeignCheckpointError", "PFHubResult", "run_problem"]

PROBLEMS: Final = tuple(sorted((*EVOLUTIONS, *PARTS)))
"""Names of the problems there are."""


def run_problem(
    name: str,
    n: int | None = None,
    t_end: float | None = None,
    tolerance: float | None = None,
    on_progress: Callable[[float], None] | None = None,
    resume_from: Checkpoint | None = None,
    on_checkpoint: Callable[[Checkpoint], None] | None = None,
) -> PFHubResult:
    """Solve one benchmark problem.

    Parameters
    ----------
    name : str
        One of `PROBLEMS`.
    n : int, optional
        Cells along the edge (problem 7: along x, and only this mesh is run).
    t_end : float, optional
        End time; by default 1000 (1a), 10⁵ (1b, 1c), 100 (2a, 2b), 400 (6a), 8 (problem 7), 200 (8a).
    tolerance : float, optional
        Relative tolerance of one step; the absolute floor is a thousandth of it.  Problem 7 uses constant steps unless
        it is given (then it is relative and absolute tolerance alike).
    on_progress : callable, optional
        Called with the finished fraction in (0, 1].
    resume_from : mapping, optional
        What `on_checkpoint` was given last by an unfinished run with the same settings: the run goes on from there,
        and its rows are those of a run that was never stopped.
    on_checkpoint : callable, optional
        Called about every half minute, and when the run is interrupted (Ctrl-C), with arrays, numbers and texts (and
        mappings of them) to keep; of problem 7 after every mesh.

    Returns
    -------
    PFHubResult

    Raises
    ------
    ConfigError
        For a problem that does not exist or is not built, or an option out of range.
    ForeignCheckpointError
        For `resume_from` of a run with other settings, or damaged.
    Interrupted
        After Ctrl-C where `on_checkpoint` has kept the run; `KeyboardInterrupt` otherwise.
    SimulationError
        When the stepper cannot go on.
    """
    if name not in PROBLEMS:
        raise unknown_choice("PFHub problem", name, PROBLEMS)
    solve = run_evolution if name in EVOLUTIONS else run_refinement
    return solve(
        name,
        n=n,
        t_end=t_end,
        tolerance=tolerance,
        on_progress=on_progress,
        resume_from=resume_from,
        on_checkpoint=on_checkpoint,
    )
