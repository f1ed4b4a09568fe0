r"""Conduction through boxes that are too large for a direct solver: the network of `elliptic`, solved by multigrid.

The same finite volumes and the same effective conductivity, from the dissipated power, as
:func:`~dynaphase.phasefield.elliptic.solve_conduction`, without a matrix: memory and time grow with the number of
cells, where the factors of a box of n³ cells would take n⁴ numbers and n⁶ operations.

Under a periodic mean field the drop 1/n over every face moves to the right-hand side,
:math:`(A\psi)_i = (g_{i-1/2} - g_{i+1/2})/n`; between electrodes these are walls of value 1 and 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from dynaphase.errors import SimulationError
from dynaphase.phasefield.elliptic import IMBALANCE, Ends, FaceMean, face_conductances
from dynaphase.phasefield.grid import Boundary, Walls
from dynaphase.phasefield.multigrid import EllipticProblem, Multigrid

__all__ = ["Guess", "LargeSolution", "solve_large_conduction"]

FloatArray = npt.NDArray[np.float64]

TOLERANCE: Final = 1e-8
"""Relative residual.  The conductivity is stationary at the solution: its error is the square of the potential's."""


@dataclass(frozen=True, slots=True, eq=False)
class Guess:
    """The potential of a similar problem, to start from; one under another drop helps less, but does no harm."""

    potential: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class LargeSolution:
    """Potential and conductances of a conduction problem under a unit potential drop."""

    potential: FloatArray
    """ψ at the cell centres; in a periodic cell its periodic part, with mean zero."""
    conductivity: float
    """In the unit of the conductivity given."""
    imbalance: float
    """Largest relative difference between the currents at the two ends and the dissipated power."""
    n_iterations: int
    faces: tuple[FloatArray, ...]
    """As `elliptic.Network.faces`: entry i is between cells i and i + 1, 0 where there is no conductor."""
    drops: tuple[FloatArray, ...]
    """Potential drop over every face."""
    electrodes: tuple[FloatArray, FloatArray] | None
    """Conductances from the electrodes to the first and the last layer."""
    guess: Guess


def solve_large_conduction(
    sigma: FloatArray,
    *,
    axis: int = 0,
    ends: Ends | str = Ends.ELECTRODES,
    faces: FaceMean | str = FaceMean.HARMONIC,
    near: Guess | None = None,
) -> LargeSolution:
    """As `solve_conduction`, for 2 or 3 axes.

    Raises
    ------
    InputError
        If a conductivity is not positive and finite.
    SimulationError
        If the iteration does not converge, or charge is not conserved to 1e-6.
    """
    drive, mean = Ends(ends), FaceMean(faces)
    is_driven = [k == axis for k in range(sigma.ndim)]
    walls = [Walls(low=1.0, high=0.0) if d and drive is Ends.ELECTRODES else Boundary.PERIODIC for d in is_driven]
    problem = EllipticProblem(sigma, walls, faces=mean)
    conductances = list(face_conductances(sigma, mean))
    electrodes, source = None, np.zeros(sigma.shape)
    if drive is Ends.ELECTRODES:
        electrodes = (2.0 * np.take(sigma, 0, axis), 2.0 * np.take(sigma, -1, axis))
        np.moveaxis(conductances[axis], axis, 0)[-1] = 0.0
    else:
        per_face = conductances[axis] / sigma.shape[axis]
        source = np.roll(per_face, 1, axis) - per_face
    start = near.potential if near is not None and near.potential.shape == sigma.shape else None
    found = Multigrid(problem).solve(-source, start=start, tolerance=TOLERANCE)
    psi = found.potential
    drops = _drops(psi, conductances, axis, drive)
    conductivity, imbalance = _measure(psi, conductances, drops, electrodes, axis)
    if imbalance > IMBALANCE:
        raise SimulationError(
            f"the conduction solve does not conserve charge: currents and dissipation differ by {imbalance:.1e} of the "
            f"current (allowed {IMBALANCE:.0e}); raise the smallest conductivities (voids, insulating phases)"
        )
    guess = Guess(psi)
    return LargeSolution(
        psi, conductivity, imbalance, found.n_iterations, tuple(conductances), drops, electrodes, guess
    )


def _drops(psi: FloatArray, faces: list[FloatArray], axis: int, ends: Ends) -> tuple[FloatArray, ...]:
    drops = []
    for k, face in enumerate(faces):
        drop = psi - np.roll(psi, -1, k)
        if k == axis and ends is Ends.PERIODIC:
            drop += 1.0 / psi.shape[k]
        drops.append(np.where(face > 0, drop, 0.0))
    return tuple(drops)


def _measure(
    psi: FloatArray,
    faces: list[FloatArray],
    drops: tuple[FloatArray, ...],
    electrodes: tuple[FloatArray, FloatArray] | None,
    axis: int,
) -> tuple[float, float]:
    """Effective conductivity from the power, and how far the currents through two layers are from it."""
    n = psi.shape[axis]
    power = sum(float(np.sum(face * drop**2)) for face, drop in zip(faces, drops, strict=True))
    layers = np.moveaxis(faces[axis] * drops[axis], axis, 0).reshape(n, -1).sum(axis=1)
    currents = [float(layers[0]), float(layers[n // 2])]
    if electrodes is not None:
        below, above = 1.0 - np.take(psi, 0, axis), np.take(psi, -1, axis)
        power += float(np.sum(electrodes[0] * below**2) + np.sum(electrodes[1] * above**2))
        currents = [float(np.sum(electrodes[0] * below)), float(np.sum(electrodes[1] * above))]
    imbalance = max(abs(current / power - 1.0) for current in currents)
    return power * n * n / psi.size, imbalance
