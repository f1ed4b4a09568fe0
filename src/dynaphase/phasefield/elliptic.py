r"""Finite volumes for :math:`\nabla\cdot(\sigma\nabla\psi) = 0` on a grid of equal cells, in 1, 2 or 3 dimensions.

A conduction problem is a network: cells are nodes, faces are conductors.  Lengths are in units of the cell, so a face
between cells a and b has the conductance

* harmonic: :math:`2\sigma_a\sigma_b/(\sigma_a+\sigma_b)`, the two half cells in series.  Exact for layers, and the
  effective conductivity is a rigorous lower bound for the medium that is constant in every cell (the network's flux,
  spread linearly over each cell, is admissible in Thomson's principle and dissipates no more than the network does);
* arithmetic: :math:`(\sigma_a+\sigma_b)/2`, an upper estimate, no bound.

The direct solver is sparse LU of the symmetrically scaled matrix, with the cells numbered by nested dissection, which
makes fewer fill-ins here than the orderings that SuperLU offers (``benchmarks/conduction.py`` measures the gain);
for a sequence of problems on one structure (other temperatures, other degrees of degradation) the
factors of one precondition conjugate gradients for the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final, NoReturn, Protocol

import numpy as np
import numpy.typing as npt

from dynaphase.errors import InputError, SimulationError

if TYPE_CHECKING:
    from scipy.sparse import csc_array

__all__ = [
    "Ends",
    "FaceMean",
    "Factor",
    "Network",
    "Solution",
    "face_conductances",
    "factorize",
    "make_network",
    "solve_conduction",
    "solve_network",
]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.intp]

RESIDUAL: Final = 1e-10
"""Relative residual at which the iteration stops."""
IMBALANCE: Final = 1e-6
"""Largest accepted relative difference between currents at the two ends, and between current and dissipation, beyond
what rounding explains."""
MAX_ITERATIONS: Final = 16
"""Conjugate gradients that need more than this cost more than a factorization."""
PROBE_ITERATIONS: Final = 4
"""After so many, give up if the rate so far would not do."""


class _Choice(StrEnum):
    @classmethod
    def _missing_(cls, value: object) -> NoReturn:
        raise InputError(f"'{value}' is not one of: {', '.join(cls)}")


class FaceMean(_Choice):
    """Conductance of a face from the conductivities on its two sides."""

    HARMONIC = "harmonic"
    ARITHMETIC = "arithmetic"


class Ends(_Choice):
    """What drives the current along the chosen axis; all other axes are periodic."""

    ELECTRODES = "electrodes"
    """ψ = 1 on the low face of the box, ψ = 0 on its high face, both half a cell from the next cell centre."""
    PERIODIC = "periodic"
    """A periodic cell under a mean potential drop of 1 along the axis."""


@dataclass(frozen=True, slots=True)
class Network:
    """A conduction problem: A ψ = b on the cells, with what is needed to read currents off ψ.

    Conductances are in the unit of the conductivity times the cell size; the potential drop over the box is 1.
    """

    matrix: csc_array
    """Symmetric positive definite, (n_cells, n_cells), rows in the order of `number`."""
    source: FloatArray
    """(n_cells,), in the order of `number`."""
    number: IntArray
    """Row of every cell, of the grid's shape."""
    faces: tuple[FloatArray, ...]
    """Per axis an array of the grid's shape: entry i is the face between cells i and i + 1, the last one wraps."""
    electrodes: tuple[FloatArray, FloatArray] | None
    """Conductances from the electrodes to the first and the last layer of cells."""
    axis: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of cells along each axis."""
        return tuple(self.faces[0].shape)

    @property
    def ends(self) -> Ends:
        """What drives the current."""
        return Ends.PERIODIC if self.electrodes is None else Ends.ELECTRODES

    def drops(self, potential: FloatArray) -> tuple[FloatArray, ...]:
        """Potential drop over every face, of the shape of `faces`; zero where there is no conductor."""
        drops = []
        for axis, face in enumerate(self.faces):
            drop = potential - np.roll(potential, -1, axis)
            if axis == self.axis and self.electrodes is None:
                drop += 1.0 / face.shape[axis]
            drops.append(np.where(face > 0, drop, 0.0))
        return tuple(drops)


@dataclass(frozen=True, slots=True)
class Solution:
    """Potential and currents of a conduction problem under a unit potential drop."""

    potential: FloatArray
    """ψ at the cell centres; in a periodic cell its periodic part, with mean zero."""
    conductivity: float
    """Effective conductivity from the current, in the unit of the conductivity given."""
    imbalance: float
    """Largest relative difference between the currents at the two ends and the dissipated power."""
    rounding: float
    """What rounding alone can make of `imbalance`: large where a good conductor feeds a poor path, because the current
    is then read off a tiny drop.  The conductivity, from the power, does not suffer: its error is of second order."""
    n_iterations: int
    """Conjugate-gradient iterations; 0 for a direct solve."""
    network: Network = field(repr=False)
    factor: Factor = field(repr=False)
    """Factors to precondition the next similar problem with."""

    @property
    def is_balanced(self) -> bool:
        """Whether charge is conserved to `IMBALANCE`, rounding aside."""
        return self.imbalance <= IMBALANCE + self.rounding


class _Triangular(Protocol):
    """The part of SuperLU that is used here."""

    def solve(self, rhs: FloatArray) -> FloatArray: ...


@dataclass(frozen=True, slots=True)
class Factor:
    """LU factors of D A D, where D = diag(A)^(-1/2) makes the diagonal 1."""

    lu: _Triangular
    scale: FloatArray

    def solve(self, rhs: FloatArray) -> FloatArray:
        """A⁻¹ rhs."""
        return self.scale * self.lu.solve(self.scale * rhs)


def solve_conduction(
    sigma: npt.ArrayLike,
    *,
    axis: int = 0,
    ends: Ends | str = Ends.ELECTRODES,
    faces: FaceMean | str = FaceMean.HARMONIC,
    near: Factor | None = None,
) -> Solution:
    r"""Solve :math:`\nabla\cdot(\sigma\nabla\psi)=0` under a unit potential drop along `axis`.

    Parameters
    ----------
    sigma : array_like, any shape with 1 to 3 axes
        Conductivity of every cell, positive.
    axis : int
        Direction of the current.
    ends : Ends
        Electrodes on the two faces, or a periodic cell.
    faces : FaceMean
        Conductance of a face from its two sides.
    near : Factor, optional
        Factors of a similar problem on the same grid (`Solution.factor`): the system is then solved by conjugate
        gradients preconditioned with them, and directly if that does not converge.

    Raises
    ------
    InputError
        If a conductivity is not positive and finite (the message says in which cell).
    SimulationError
        If the currents at the two ends and the dissipated power disagree by more than 1e-6 and rounding.
    """
    sigma = check_conductivity(sigma)
    if not -sigma.ndim <= axis < sigma.ndim:
        raise InputError(f"axis {axis} does not exist: the conductivity has {sigma.ndim} axes")
    network = make_network(
        face_conductances(sigma, FaceMean(faces)),
        axis=axis,
        electrodes=_electrode_conductances(sigma, axis) if Ends(ends) is Ends.ELECTRODES else None,
    )
    return solve_network(network, near)


def check_conductivity(sigma: npt.ArrayLike) -> FloatArray:
    """`sigma` as an array of positive finite numbers, or an `InputError` that names the first cell that is not."""
    array = np.asarray(sigma, dtype=np.float64)
    if not 1 <= array.ndim <= 3 or array.size == 0:
        raise InputError(f"a conductivity field needs 1 to 3 axes and at least one cell, not shape {array.shape}")
    is_bad = ~(np.isfinite(array) & (array > 0))
    if is_bad.any():
        first = tuple(int(i) for i in np.argwhere(is_bad)[0])
        raise InputError(
            f"the conductivity in cell {first} is {array[first]} ({int(is_bad.sum())} of {array.size} cells are not "
            "positive and finite); give insulating phases and voids a small positive conductivity instead"
        )
    return array


def face_conductances(sigma: FloatArray, mean: FaceMean = FaceMean.HARMONIC) -> tuple[FloatArray, ...]:
    """Conductances between neighbours along every axis, entry i between cells i and i + 1, wrapping at the end."""
    faces = []
    for axis in range(sigma.ndim):
        other = np.roll(sigma, -1, axis)
        if mean is FaceMean.HARMONIC:
            faces.append(2.0 / (1.0 / sigma + 1.0 / other))
        else:
            faces.append(0.5 * (sigma + other))
    return tuple(faces)


def _electrode_conductances(sigma: FloatArray, axis: int) -> tuple[FloatArray, FloatArray]:
    return 2.0 * np.take(sigma, 0, axis), 2.0 * np.take(sigma, -1, axis)


def make_network(
    faces: Sequence[FloatArray],
    *,
    axis: int = 0,
    electrodes: tuple[FloatArray, FloatArray] | None = None,
) -> Network:
    """Assemble a conduction problem from its conductances (see `Network` for their layout).

    Electrodes, if given, replace the wrapping faces of `axis`.
    """
    from scipy.sparse import coo_array, csc_array

    ndim = len(faces)
    axis %= ndim
    faces = tuple(np.array(face, dtype=np.float64) for face in faces)
    shape = faces[0].shape
    last = tuple(slice(-1, None) if k == axis else slice(None) for k in range(ndim))
    if electrodes is not None:
        faces[axis][last] = 0.0

    is_periodic = tuple(electrodes is None or k != axis for k in range(ndim))
    cells = _nested_dissection(shape, is_periodic)
    source = np.zeros(shape)
    diagonal = np.zeros(shape)
    rows, columns, values = [], [], []
    for k, face in enumerate(faces):
        diagonal += face + np.roll(face, 1, k)
        is_conductor = face > 0
        rows.append(cells[is_conductor])
        columns.append(np.roll(cells, -1, k)[is_conductor])
        values.append(-face[is_conductor])
    if electrodes is None:
        # The drop of 1/n per face moves to the right-hand side.  ψ is fixed only up to a constant; tying one cell to
        # ground removes the freedom without disturbing the solution, because no net current can flow there.
        drive = faces[axis] / shape[axis]
        source += np.roll(drive, 1, axis) - drive
        diagonal.flat[0] *= 2.0
    else:
        first = tuple(0 if k == axis else slice(None) for k in range(ndim))
        end = tuple(-1 if k == axis else slice(None) for k in range(ndim))
        source[first] += electrodes[0]
        diagonal[first] += electrodes[0]
        diagonal[end] += electrodes[1]
    i, j, v = np.concatenate(rows), np.concatenate(columns), np.concatenate(values)
    n = cells.size
    # Where an axis has one or two cells, entries coincide; their sum is what is meant.
    everything = (
        np.concatenate([v, v, diagonal.ravel()]),
        (np.concatenate([i, j, cells.ravel()]), np.concatenate([j, i, cells.ravel()])),
    )
    matrix = csc_array(coo_array(everything, shape=(n, n)))
    ordered = np.empty(n)
    ordered[cells] = source
    return Network(matrix, ordered, cells, faces, electrodes, axis)


@lru_cache(maxsize=8)
def _nested_dissection(shape: tuple[int, ...], is_periodic: tuple[bool, ...]) -> IntArray:
    """Number of every cell: the two halves of a block first, the layer that separates them last, and so on within.

    A periodic axis is cut open at its first layer.  (George 1973, doi:10.1137/0710032.)
    """
    cells = np.arange(int(np.prod(shape))).reshape(shape)
    cuts = []
    for axis, periodic in enumerate(is_periodic):
        if periodic:
            cut, cells = np.split(cells, [1], axis)
            cuts.append(cut.ravel())
    order = np.concatenate([*_dissect(cells), *reversed(cuts)])
    number = np.empty(len(order), np.intp)
    number[order] = np.arange(len(order))
    number.flags.writeable = False  # shared by every network of this shape
    return number.reshape(shape)


def _dissect(block: IntArray) -> list[IntArray]:
    if block.size <= 16:
        return [block.ravel()]
    axis = int(np.argmax(block.shape))
    middle = block.shape[axis] // 2
    low, separator, high = np.split(block, [middle, middle + 1], axis)
    return [*_dissect(low), *_dissect(high), separator.ravel()]


def factorize(network: Network) -> Factor:
    """Sparse LU of the scaled matrix, without pivoting (it is a symmetric M-matrix)."""
    from scipy.sparse import csc_array
    from scipy.sparse.linalg import splu

    matrix = network.matrix
    scale = 1.0 / np.sqrt(matrix.diagonal())
    scaled = csc_array(
        (
            matrix.data * scale[matrix.indices] * np.repeat(scale, np.diff(matrix.indptr)),
            matrix.indices,
            matrix.indptr,
        ),
        shape=matrix.shape,
    )
    lu = splu(
        scaled,
        permc_spec="NATURAL",
        diag_pivot_thresh=0.0,
        panel_size=8,
        options={"SymmetricMode": True, "Equil": False},
    )
    return Factor(lu, scale)


def solve_network(network: Network, near: Factor | None = None) -> Solution:
    """Solve an assembled problem; see `solve_conduction`."""
    if near is not None and near.scale.size == network.source.size:
        potential, n_iterations = _conjugate_gradients(network, near)
        if potential is not None:
            solution = _measure(network, potential, n_iterations, near)
            if solution.is_balanced:
                return solution
    factor = factorize(network)
    potential = factor.solve(network.source)
    potential += factor.solve(network.source - network.matrix @ potential)  # one step of iterative refinement
    solution = _measure(network, potential, 0, factor)
    if not solution.is_balanced:
        raise SimulationError(
            f"the conduction solve does not conserve charge: currents and dissipation differ by "
            f"{solution.imbalance:.1e} of the current (allowed {IMBALANCE:.0e}); conductivities span a factor "
            f"{_contrast(network):.1e}, raise the smallest ones (voids, insulating phases)"
        )
    return solution


def _contrast(network: Network) -> float:
    values = np.concatenate([face[face > 0] for face in network.faces if (face > 0).any()])
    return float(values.max() / values.min())


def _conjugate_gradients(network: Network, near: Factor) -> tuple[FloatArray | None, int]:
    """Preconditioned conjugate gradients; None as soon as they look dearer than a factorization."""
    matrix = network.matrix
    # The residual is measured in scaled variables, where insulating cells count as much as conducting ones.
    weight = 1.0 / matrix.diagonal()
    start = _dot(weight * network.source, network.source)
    potential = near.solve(network.source)
    residual = network.source - matrix @ potential
    direction = np.zeros_like(residual)
    previous = 1.0
    for iteration in range(MAX_ITERATIONS + 1):
        reduction = (_dot(weight * residual, residual) / start) ** 0.5
        if reduction <= RESIDUAL:
            return potential, iteration
        if iteration >= PROBE_ITERATIONS and reduction ** (MAX_ITERATIONS / iteration) > RESIDUAL:
            break
        preconditioned = near.solve(residual)
        product = _dot(residual, preconditioned)
        direction = preconditioned + (product / previous if iteration else 0.0) * direction
        image = matrix @ direction
        step = product / _dot(direction, image)
        if not np.isfinite(step):
            break
        potential = potential + step * direction
        residual = residual - step * image
        previous = product
    return None, 0


def _dot(a: FloatArray, b: FloatArray) -> float:
    """Not ``a @ b``: BLAS threads that wait for each other cost ten times the product when the cores are busy."""
    return float(np.sum(a * b))


def _measure(network: Network, potential: FloatArray, n_iterations: int, factor: Factor) -> Solution:
    """Read the effective conductivity off both ends and off the dissipated power."""
    axis, shape = network.axis, network.shape
    psi = potential[network.number]
    if network.electrodes is None:
        psi = psi - psi.mean()
    drops = network.drops(psi)
    power = sum(float(np.sum(face * drop**2)) for face, drop in zip(network.faces, drops, strict=True))
    per_layer = network.faces[axis].size / shape[axis]
    if network.electrodes is None:
        layers = np.sum(network.faces[axis] * drops[axis], axis=tuple(k for k in range(len(shape)) if k != axis))
        currents = [float(layers[0]), float(layers[shape[axis] // 2])]
        total = float(np.max(np.sum(np.moveaxis(network.faces[axis], axis, 0).reshape(shape[axis], -1), axis=1)))
    else:
        g_in, g_out = network.electrodes
        below, above = 1.0 - np.take(psi, 0, axis), np.take(psi, -1, axis)
        currents = [float(np.sum(g_in * below)), float(np.sum(g_out * above))]
        total = float(np.sum(g_in) + np.sum(g_out))
        power += float(np.sum(g_in * below**2) + np.sum(g_out * above**2))
    # The power is stationary at the solution: its error is the square of the potential's.
    estimates = np.array([*currents, power]) * shape[axis] / per_layer
    imbalance = float(np.ptp(estimates) / power * per_layer / shape[axis]) if power > 0 else np.inf
    rounding = 10 * float(np.finfo(np.float64).eps) * total / power if power > 0 else 0.0
    return Solution(psi, float(estimates[-1]), imbalance, rounding, n_iterations, network, factor)
