"""The PFHub phase-field benchmark problems, solved by this engine.

=======  =====================================================  =================================
problem  what it is                                             columns
=======  =====================================================  =================================
1a, 1b   spinodal decomposition, periodic and without flux      time, free_energy
2a, 2b   Ostwald ripening, periodic and without flux            time, free_energy
7a–7c    manufactured solution of the Allen–Cahn equation       n, dt, l2_error, cpu_seconds
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
from dynaphase.pfhub.evolution import EVOLUTIONS, run_evolution
from dynaphase.pfhub.manufactured import PARTS
from dynaphase.pfhub.refinement import run_refinement
from dynaphase.pfhub.result import PFHubResult

__all__ = ["PROBLEMS", "PFHubResult", "run_problem"]

PROBLEMS: Final = (*EVOLUTIONS, *PARTS)
"""Names of the problems there are."""


def run_problem(
    name: str,
    n: int | None = None,
    t_end: float | None = None,
    tolerance: float | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> PFHubResult:
    """Solve one benchmark problem.

    Parameters
    ----------
    name : str
        One of `PROBLEMS`.
    n : int, optional
        Cells along the edge (problem 7: along x, and only this mesh is run).
    t_end : float, optional
        End time; by default 1000 (1a), 10⁵ (1b), 100 (2a, 2b), 8 (problem 7).
    tolerance : float, optional
        Relative tolerance of one step; the absolute floor is a thousandth of it.  Problem 7 uses constant steps unless
        it is given (then it is relative and absolute tolerance alike).
    on_progress : callable, optional
        Called with the finished fraction in (0, 1].

    Returns
    -------
    PFHubResult

    Raises
    ------
    ConfigError
        For a problem that does not exist or is not built, or an option out of range.
    SimulationError
        When the stepper cannot go on.
    """
    if name in EVOLUTIONS:
        return run_evolution(name, n=n, t_end=t_end, tolerance=tolerance, on_progress=on_progress)
    if name in PARTS:
        return run_refinement(name, n=n, t_end=t_end, tolerance=tolerance, on_progress=on_progress)
    raise unknown_choice("PFHub problem", name, PROBLEMS)
