r"""A lithium front under a rising potential in the sharp-interface limit: arrival times by shortest paths.

Under a potential that is uniform in the electrolyte and rises at the rate s, φ = sT, lithium enters a place with the
threshold η at the speed

.. math:: v = v_0 \, 2\sinh[b(sT - \eta)]_+ , \qquad v_0 = V_\mathrm{Li} i_0/F,

so the time T at which the front arrives obeys :math:`|\nabla T| = 1/v(x, T)`.  Along a link of length ℓ within one
threshold the equation integrates in closed form (derived here),

.. math:: \cosh b(sT_j - \eta) = \cosh b(sT_i - \eta)_+ + \frac{b s \ell}{2 v_0},

and Dijkstra's algorithm over the links between cells gives T everywhere in milliseconds.  Links run to the nearest
neighbours, the diagonals and the knight's moves: no direction is more than 2.8 % above its true length in the plane,
4.9 % in space.

What to expect: the front waits at a barrier until sT = η, then crosses; weak grain boundaries are reached first.
"""

from __future__ import annotations

import itertools
import math
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from dynaphase.errors import InputError

__all__ = ["arrival_times", "percolation_thresholds"]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]
IntArray = npt.NDArray[np.int64]

_QUARTERS = 4
"""Equal parts of a link, each within one cell: where a link of any kind changes from cell to cell."""


def arrival_times(
    threshold_V: npt.ArrayLike,
    spacing_nm: float,
    source: npt.ArrayLike,
    *,
    rate_V_per_s: float,
    velocity_nm_per_s: float,
    b_per_V: float,
    is_periodic: tuple[bool, ...] | None = None,
) -> FloatArray:
    """Time (s) at which the lithium front reaches every cell.

    Parameters
    ----------
    threshold_V : array_like
        Overpotential η below which lithium does not enter a cell (V), not negative; two or three axes.
    spacing_nm : float
        Edge of a cell (nm).
    source : array_like of bool
        Cells that are lithium at the start; the front starts from their faces.
    rate_V_per_s : float
        Rise of the potential s (V/s).
    velocity_nm_per_s : float
        v₀ = V_Li i₀/F (nm/s).
    b_per_V : float
        b = F/(2RT) (1/V).
    is_periodic : tuple of bool, optional
        Which axes wrap; by default all but the first.

    Returns
    -------
    array, shape of the threshold
        0 in the source.

    Raises
    ------
    InputError
        For a threshold that is negative or not finite, an empty source, or a number that is not positive.
    """
    threshold, start, wraps = _checked(threshold_V, source, is_periodic)
    for name, value in (
        ("spacing_nm", spacing_nm),
        ("rate_V_per_s", rate_V_per_s),
        ("velocity_nm_per_s", velocity_nm_per_s),
        ("b_per_V", b_per_V),
    ):
        if not (math.isfinite(value) and value > 0):
            raise InputError(f"{name} must be positive and finite, not {value}")
    from dynaphase.electrolyte.eikonal_loops import front_search

    ends, passed, shares = _links(threshold.ndim)
    lengths = np.linalg.norm(ends, axis=1)[:, None] * spacing_nm * shares
    times = np.where(start, 0.0, np.inf).ravel()
    front_search(
        times,
        np.where(start, -1.0, threshold).ravel(),
        np.array(threshold.shape, np.int64),
        wraps,
        ends,
        passed,
        b_per_V * rate_V_per_s * lengths / (4.0 * velocity_nm_per_s),
        rate_V_per_s,
        b_per_V,
    )
    return times.reshape(threshold.shape)


def percolation_thresholds(
    threshold_V: npt.ArrayLike, source: npt.ArrayLike, *, is_periodic: tuple[bool, ...] | None = None
) -> FloatArray:
    """Smallest potential (V) that, held for ever, brings lithium from the source to every cell.

    It is the least, over all paths between neighbouring cells (diagonals included), of the largest threshold on the
    path: free of any rate.  Parameters and errors as in `arrival_times`.
    """
    threshold, start, wraps = _checked(threshold_V, source, is_periodic)
    from dynaphase.electrolyte.eikonal_loops import bottleneck_search

    ends, _, _ = _links(threshold.ndim)
    nearest = np.ascontiguousarray(ends[np.max(np.abs(ends), axis=1) == 1])
    levels = np.where(start, 0.0, np.inf).ravel()
    bottleneck_search(levels, threshold.ravel(), np.array(threshold.shape, np.int64), wraps, nearest)
    return levels.reshape(threshold.shape)


def _checked(
    threshold_V: npt.ArrayLike, source: npt.ArrayLike, is_periodic: tuple[bool, ...] | None
) -> tuple[FloatArray, BoolArray, IntArray]:
    threshold = np.ascontiguousarray(threshold_V, dtype=np.float64)
    start = np.asarray(source, dtype=np.bool_)
    if threshold.ndim not in (2, 3) or start.shape != threshold.shape:
        raise InputError(
            f"a threshold has two or three axes and a source of the same shape, not {threshold.shape} and {start.shape}"
        )
    wraps = (False, *(True,) * (threshold.ndim - 1)) if is_periodic is None else is_periodic
    if len(wraps) != threshold.ndim:
        raise InputError(f"is_periodic needs {threshold.ndim} entries, one for each axis, not {len(wraps)}")
    is_bad = ~(np.isfinite(threshold) & (threshold >= 0))
    if is_bad.any():
        cell = tuple(int(i) for i in np.argwhere(is_bad)[0])
        raise InputError(f"the threshold in cell {cell} is {threshold[cell]} V: it must be finite and not negative")
    if not start.any():
        raise InputError("the source is empty: mark the cells that are lithium at the start")
    return threshold, start, np.array(wraps, np.int64)


@lru_cache(maxsize=2)
def _links(n_axes: int) -> tuple[IntArray, IntArray, FloatArray]:
    """Relative ends (n_links, n_axes), the cells that a link passes (n_links, 4, n_axes) and its share in each.

    The first one is the cell where it begins; a share of 0 ends the list of fewer than four.
    """
    ends = np.array(
        [
            step
            for step in itertools.product(range(-2, 3), repeat=n_axes)
            if any(step) and math.gcd(*step) == 1  # two cells straight on are two links
        ],
        np.int64,
    )
    middles = (np.arange(_QUARTERS) + 0.5) / _QUARTERS
    passed = np.zeros((len(ends), _QUARTERS, n_axes), np.int64)
    shares = np.zeros((len(ends), _QUARTERS))
    for link, end in enumerate(ends):
        cells, counts = np.unique(np.rint(np.outer(middles, end)).astype(np.int64), axis=0, return_counts=True)
        order = np.argsort(np.abs(cells).sum(axis=1), kind="stable")  # every component grows in size along the link
        passed[link, : len(cells)], shares[link, : len(cells)] = cells[order], counts[order] / _QUARTERS
    return ends, passed, shares
