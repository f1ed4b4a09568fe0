r"""Damped Newton for :math:`\nabla\cdot(\sigma\nabla\varphi) - r\varphi - s(\varphi) = f`, s growing with φ.

With s' ≥ 0 the equation says that a convex energy, ½ φᵀAφ − bᵀφ + h² Σ∫s dφ, is least.  Its slope along a Newton
step d at φ + t d is −dᵀR, R the residual there: no integral of s is needed to see that a step has gone too far.  Such
a step is shortened by the secant rule until the slope has changed sign by little at most, so every start leads to the
solution; near it full steps are taken and the error is squared (Deuflhard 2011, doi:10.1007/978-3-642-23899-4).

The Jacobian A + h² diag(s') is a linear problem with a reaction for conjugate gradients with a multigrid hierarchy,
which is kept from step to step, and from one call to the next, as long as it is good enough.  Linear systems are
solved only as exactly as the square of the error deserves.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from dynaphase.errors import InputError, SimulationError
from dynaphase.phasefield.multigrid import (
    RESIDUAL,
    EllipticProblem,
    Matrix,
    Multigrid,
    rounding_of,
    scaled_norm,
)

__all__ = ["LocalSource", "NonlinearSolution", "solve_nonlinear"]

FloatArray = npt.NDArray[np.float64]

LocalSource = Callable[[FloatArray], tuple[npt.ArrayLike, npt.ArrayLike]]
"""φ of all cells → (s, ds/dφ) of all cells."""

MAX_STEPS: Final = 50
MAX_HALVINGS: Final = 40
LOOSEST: Final = 0.1
"""Relative residual of the linear systems far from the solution."""
TIRED: Final = 20
"""Conjugate-gradient iterations after which the hierarchy is rebuilt for the present Jacobian."""
OVERSHOOT: Final = 0.1
"""A step may reach this part of the initial slope with the opposite sign."""


@dataclass(frozen=True, slots=True)
class NonlinearSolution:
    """φ and how it was found."""

    potential: FloatArray
    n_steps: int
    """Newton steps."""
    n_iterations: int
    """Conjugate-gradient iterations, all steps together."""
    residuals: tuple[float, ...]
    """Relative residual at the start and after every step, in the scaled norm of `multigrid`."""
    multigrid: Multigrid = field(repr=False)
    """To be passed to the next similar problem."""

    @property
    def residual(self) -> float:
        """The last of `residuals`."""
        return self.residuals[-1]


def solve_nonlinear(
    problem: EllipticProblem,
    local: LocalSource,
    f: npt.ArrayLike = 0.0,
    *,
    start: npt.ArrayLike | None = None,
    multigrid: Multigrid | None = None,
    tolerance: float = RESIDUAL,
    max_change: float = np.inf,
    max_steps: int = MAX_STEPS,
) -> NonlinearSolution:
    r"""Solve :math:`\nabla\cdot(\sigma\nabla\varphi) - r\varphi - s(\varphi) = f`.

    Parameters
    ----------
    problem : EllipticProblem
    local : callable
        φ → (s, s') of every cell, s' ≥ 0.  For exponentials, overflow to inf in a trial step is allowed.
    f : array_like
        Source that does not depend on φ.
    start : array_like, optional
        A guess of φ; zero by default.
    multigrid : Multigrid, optional
        Hierarchy of a similar problem on the same cells (`NonlinearSolution.multigrid`); it is rebuilt in place when
        it has become a poor preconditioner.
    tolerance : float
        Norm of the residual to reach, relative to that of its parts: walls and f, and s.
    max_change : float
        Largest change of φ in one step, in any cell; for s = sinh(φ/w) a few w avoid many halvings.
    max_steps : int
        Most Newton steps.

    Raises
    ------
    InputError
        If `local` returns a negative or infinite s', an infinite s at the start, or the wrong shape.
    SimulationError
        If the residual is not reached.
    """
    multigrid = multigrid or Multigrid(problem)
    matrix, shape, area = multigrid.assemble(problem), problem.shape, problem.spacing**2
    rhs = multigrid.cells(matrix.source) - area * np.broadcast_to(np.asarray(f, dtype=np.float64), shape)
    diagonal = multigrid.cells(matrix.diagonal)
    phi = np.array(np.broadcast_to(0.0 if start is None else np.asarray(start, dtype=np.float64), shape))
    s, slope = _evaluate(local, phi)
    _require_sane(phi, s, slope)
    defect = multigrid.defect(matrix, rhs - area * s, phi)
    n_iterations, residuals = 0, []
    for step in range(max_steps + 1):
        scale = diagonal + area * slope
        reference = (scaled_norm(rhs, scale) ** 2 + scaled_norm(area * s, scale) ** 2) ** 0.5 or 1.0
        residuals.append(scaled_norm(defect, scale) / reference)
        if residuals[-1] <= max(tolerance, rounding_of(phi, scale) / reference):
            return NonlinearSolution(phi, step, n_iterations, tuple(residuals), multigrid)
        if step == max_steps:
            break
        jacobian = _add(multigrid, matrix, area * slope)
        enough = max(min(LOOSEST, residuals[-1]), 0.3 * tolerance / residuals[-1])
        try:
            solution = multigrid.solve_matrix(jacobian, defect, np.zeros(shape), tolerance=enough, max_iterations=TIRED)
        except SimulationError:
            multigrid.rebuild(jacobian)
            n_iterations += TIRED
            solution = multigrid.solve_matrix(jacobian, defect, np.zeros(shape), tolerance=enough)
        n_iterations += solution.n_iterations
        direction = solution.potential
        largest = float(np.abs(direction).max())
        length, target = min(1.0, max_change / largest), float(np.sum(direction * defect))
        for _ in range(MAX_HALVINGS):
            trial = phi + length * direction
            s, slope = _evaluate(local, trial)
            ahead = -np.inf
            if np.isfinite(s).all() and np.isfinite(slope).all():
                defect = multigrid.defect(matrix, rhs - area * s, trial)
                ahead = float(np.sum(direction * defect))
            if ahead >= -OVERSHOOT * target:
                break
            length *= min(0.5, max(0.1, target / (target - ahead)))
        else:
            raise SimulationError(
                f"Newton step {step + 1} does not lead downhill (relative residual {residuals[-1]:.1e}): the slope of "
                "the local source is not the derivative of its value, or the value jumps, overflows or falls with φ"
            )
        _require_sane(trial, s, slope)
        phi = trial
    raise SimulationError(
        f"Newton's method reached a relative residual of {residuals[-1]:.1e} in {max_steps} steps, not "
        f"{tolerance:.0e}; check that the slope is the derivative of the local source, begin nearer to the solution "
        "(start), or limit the change of φ in a step (max_change) to a few times the width of the source's exponentials"
    )


def _evaluate(local: LocalSource, phi: FloatArray) -> tuple[FloatArray, FloatArray]:
    with np.errstate(over="ignore", invalid="ignore"):
        s, slope = local(phi)
    arrays = np.asarray(s, dtype=np.float64), np.asarray(slope, dtype=np.float64)
    for name, array in zip(("value", "slope"), arrays, strict=True):
        if array.shape not in ((), phi.shape):
            raise InputError(
                f"the {name} of the local source has shape {array.shape}; a number or {phi.shape} is needed"
            )
    return np.broadcast_to(arrays[0], phi.shape), np.broadcast_to(arrays[1], phi.shape)


def _require_sane(phi: FloatArray, s: FloatArray, slope: FloatArray) -> None:
    is_bad = ~(np.isfinite(s) & np.isfinite(slope) & (slope >= 0))
    if is_bad.any():
        cell = tuple(int(i) for i in np.argwhere(is_bad)[0])
        raise InputError(
            f"the local source in cell {cell}, where φ = {phi[cell]:.4g}, has the value {s[cell]:.4g} and the slope "
            f"{slope[cell]:.4g}; both must be finite and the slope not negative, or the equation may have no solution "
            "or several"
        )


def _add(multigrid: Multigrid, matrix: Matrix, reaction: FloatArray) -> Matrix:
    """The matrix with `reaction` added to its diagonal."""
    diagonal = matrix.diagonal.copy()
    multigrid.cells(diagonal)[...] += reaction
    multigrid.wrap(diagonal)
    return matrix._replace(diagonal=diagonal, is_singular=matrix.is_singular and not reaction.any())
