r"""From fields to three numbers, and from these to the stability score S.

.. math::

   S = 100\; s_G^{a_G}\, s_V^{a_V}\, s_W^{a_W}, \qquad
   s_G = \frac{d}{d + d_h}, \quad s_V = \frac{1}{1 + (\phi_v/\phi_h)^{3/2}}, \quad s_W = \frac{1}{1 + (w/w_h)^2},

with the grain size d (mean linear intercept), the void fraction φ_v and the interface width w.  S is a weighted
geometric mean: it rises with d, falls with φ_v and w, stays between 0 and 100, and one failure drags it down.  The
half values and exponents are conventions of this package, not measurements: see `ScoreWeights`.

Axis 0 runs from the anode (x = 0) to the cathode (x = L).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from dynaphase.errors import InputError, SimulationError

__all__ = [
    "InterfaceWidth",
    "LinearIntercept",
    "ScoreWeights",
    "VoidFraction",
    "cathode_layer_rows",
    "degraded_thickness",
    "interface_width",
    "mean_linear_intercept",
    "score_factors",
    "stability_score",
    "void_fraction",
]

FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

# ------------------------------------------------------------------------------------------------ grain size


@dataclass(frozen=True, slots=True)
class LinearIntercept:
    """Grain size by the mean linear intercept."""

    mean_nm: float
    n_crossings: float
    """Boundaries met on all lines; a void counts as one."""
    is_censored: bool
    """No boundary was met: the grain size is at least the length given, that of the box."""


def mean_linear_intercept(
    labels: npt.ArrayLike,
    spacing_nm: float,
    *,
    is_solid: npt.ArrayLike | None = None,
    is_periodic: tuple[bool, ...] | None = None,
) -> LinearIntercept:
    r"""Grain size from a map of grain numbers, :math:`d = L_\mathrm{solid}/N` along all grid lines of all axes.

    N counts the changes of label between neighbouring solid cells, and each stretch of void on a line once.

    Parameters
    ----------
    labels : array_like of int
        Grain number of every cell; any number of axes.
    spacing_nm : float
        Edge length of a cell (nm).
    is_solid : array_like of bool, optional
        Cells that are solid; all of them by default.
    is_periodic : tuple of bool, optional
        Which axes wrap; by default all but the first.

    Raises
    ------
    SimulationError
        If no cell is solid.
    """
    grains = np.asarray(labels)
    solid = np.ones(grains.shape, np.bool_) if is_solid is None else np.asarray(is_solid, dtype=np.bool_)
    wraps = tuple(k > 0 for k in range(grains.ndim)) if is_periodic is None else is_periodic
    if solid.shape != grains.shape or len(wraps) != grains.ndim:
        raise InputError(
            f"labels of shape {grains.shape} need a solid mask of the same shape (got {solid.shape}) "
            f"and one periodicity per axis (got {len(wraps)})"
        )
    crossings = 0.0
    for axis, wrap in enumerate(wraps):
        g, s = np.moveaxis(grains, axis, 0), np.moveaxis(solid, axis, 0)
        if wrap:
            g, s = np.concatenate([g, g[:1]]), np.concatenate([s, s[:1]])
        crossings += _crossings(g, s)
    return _intercept(crossings, int(solid.sum()) * grains.ndim, grains.shape, spacing_nm)


def _crossings(grains: npt.NDArray[np.generic], solid: BoolArray) -> float:
    """Along axis 0: label changes in the solid, plus half of the solid–void steps."""
    changes = np.count_nonzero((grains[1:] != grains[:-1]) & solid[1:] & solid[:-1])
    return float(changes + np.count_nonzero(solid[1:] != solid[:-1]) / 2)


def _intercept(crossings: float, n_solid_on_lines: int, shape: tuple[int, ...], spacing_nm: float) -> LinearIntercept:
    if n_solid_on_lines == 0:
        raise SimulationError(
            "no solid is left, so there is no grain size to measure; shorten the run or lower the degradation rate"
        )
    if crossings == 0:
        return LinearIntercept(max(shape) * spacing_nm, 0.0, True)
    return LinearIntercept(n_solid_on_lines * spacing_nm / crossings, crossings, False)


# ------------------------------------------------------------------------------------------------ voids


@dataclass(frozen=True, slots=True)
class VoidFraction:
    """Share of voids in the electrolyte."""

    fraction: float
    n_cells: int
    """Cells that were looked at."""


def void_fraction(density: npt.ArrayLike, *, threshold: float = 0.1, n_cathode_rows: int = 0) -> VoidFraction:
    """Share of cells below `threshold`, of the density or the intact fraction.

    Parameters
    ----------
    density : array_like
        ρ or C, 1 solid to 0 void.
    threshold : float
        0.1 for the intact fraction, 0.5 for a density.
    n_cathode_rows : int
        Rows to leave out at the high end of axis 0, e.g. `cathode_layer_rows`: the cathode is no void.

    Raises
    ------
    SimulationError
        If no row is left: the electrolyte has been consumed.
    """
    field = np.asarray(density, dtype=np.float64)
    if not np.all(np.isfinite(field)):
        raise SimulationError("the field holds numbers that are not finite, so voids cannot be counted")
    if n_cathode_rows < 0:
        raise InputError(f"the number of rows to leave out must not be negative, not {n_cathode_rows}")
    if n_cathode_rows >= len(field):
        raise SimulationError(
            f"the cathode layer takes all {len(field)} rows: no electrolyte is left to hold voids; "
            "shorten the run or lower the degradation rate"
        )
    kept = field[: len(field) - n_cathode_rows]
    return VoidFraction(float(np.mean(kept < threshold)), int(kept.size))


def cathode_layer_rows(intact: npt.ArrayLike, *, level: float = 0.5) -> int:
    """Rows at the cathode whose mean intact fraction is below `level` times the interior plateau."""
    profile = _profile(intact)
    is_intact = profile >= level * _interior_plateau(profile)
    return int(np.argmax(is_intact[::-1])) if is_intact.any() else len(profile)


# ------------------------------------------------------------------------------------------------ interface


@dataclass(frozen=True, slots=True)
class InterfaceWidth:
    """Width of an interface."""

    width_nm: float
    is_censored: bool
    """The profile never reached the plateau: the interface is at least as wide as the length given."""


def interface_width(
    intact: npt.ArrayLike,
    spacing_nm: float,
    *,
    plateau: float | None = None,
    fresh: npt.ArrayLike | None = None,
    cathode_value: float = 0.0,
    quantile: float = 0.9,
) -> InterfaceWidth:
    """10–90 % width of the intact fraction at the cathode, in the interior of the grains.

    The profile along x is the `quantile` of C over y.  The mean would do where C depends on x alone (both agree
    there), but in a polycrystal every pore and boundary near the cathode pulls it below 90 %: the width of the same
    interface then jumps from 3 nm to 13 nm with the microstructure's seed.

    Walking from the cathode face (value `cathode_value` at x = L) into the electrolyte, the width is the distance
    between the first points where the profile exceeds 10 % and 90 % of the plateau, by linear interpolation.  If
    90 % is never reached the rest of the box is the width, and the result is marked as censored.

    Parameters
    ----------
    intact : array_like
        C as a field, or its profile along x.
    spacing_nm : float
        Edge length of a cell (nm).
    plateau : float, optional
        Intact level; by default the median of the profile over the half of the box next to the anode.
    fresh : array_like, optional
        The field at the start of the run.  Where less than half of its plateau is left, the interior has degraded
        itself: the whole box is the interface, and the result is marked as censored.
    cathode_value : float
        Value on the cathode face.
    quantile : float
        Which of the values along y represents a row, 0 to 1.

    Raises
    ------
    SimulationError
        If the profile is not finite, or there is no positive plateau to measure against.
    """
    profile = _profile(intact, quantile)
    level = _interior_plateau(profile) if plateau is None else plateau
    if fresh is not None and level < 0.5 * _interior_plateau(_profile(fresh, quantile)):
        return InterfaceWidth(len(profile) * spacing_nm, True)
    if not (np.isfinite(level) and level > 0):
        raise SimulationError(
            f"the interface width needs a positive intact plateau, not {level}: nothing of the electrolyte is left "
            "in the half next to the anode; shorten the run, lower the rate, or give the plateau of the fresh field"
        )
    values = np.concatenate([[cathode_value], profile[::-1]])
    depth = np.concatenate([[0.0], _depths(len(profile), spacing_nm)])
    length = len(profile) * spacing_nm
    low, high = (_first_rise(depth, values, share * level) for share in (0.1, 0.9))
    if low is None:
        return InterfaceWidth(length, True)
    if high is None:
        return InterfaceWidth(length - low, True)
    return InterfaceWidth(high - low, False)


def degraded_thickness(
    degraded: npt.ArrayLike, density: npt.ArrayLike, spacing_nm: float, *, level: float = 0.1, n_metal_rows: int = 0
) -> InterfaceWidth:
    r"""Thickness of decomposed electrolyte on both sides, w = w_a + w_c.

    With :math:`c(x) = \langle\rho\chi\rangle_y / \langle\rho\rangle_y`, w_a is the distance from the lithium contact
    to the point where c falls to `level` (0 if it is below that everywhere), w_c the same from the cathode face.  An
    inert interface has zero thickness, however wide the diffuse interface is numerically.

    Parameters
    ----------
    degraded, density : array_like, same shape
        χ and ρ in every cell.
    spacing_nm : float
        Edge length of a cell (nm).
    level : float
        Extent of decomposition that bounds the layer.
    n_metal_rows : int
        Rows at the low end of axis 0 that are lithium.
    """
    weight = _profile(density)[n_metal_rows:]
    amount = _profile(np.asarray(degraded, dtype=np.float64) * np.asarray(density, dtype=np.float64))
    extent: FloatArray = amount[n_metal_rows:] / np.maximum(weight, 1e-12)
    depth = _depths(len(extent), spacing_nm)
    sides = [_first_rise(depth, -side, -level) for side in (extent, extent[::-1])]
    if None in sides:
        return InterfaceWidth(len(extent) * spacing_nm, True)
    return InterfaceWidth(sum(side for side in sides if side is not None), False)


def _profile(field: npt.ArrayLike, quantile: float | None = None) -> FloatArray:
    """Mean (or `quantile`) over all axes but the first."""
    array = np.asarray(field, dtype=np.float64)
    if array.ndim == 0 or len(array) < 2:
        raise InputError(f"a profile along x needs at least two cells, not shape {array.shape}")
    if not np.all(np.isfinite(array)):
        raise SimulationError("the field holds numbers that are not finite, so its profile cannot be measured")
    rows = array.reshape(len(array), -1)
    return np.asarray(rows.mean(axis=1) if quantile is None else np.quantile(rows, quantile, axis=1))


def _depths(n: int, spacing_nm: float) -> FloatArray:
    """Distance of the cell centres from the face that the first of them touches (nm)."""
    return np.asarray((np.arange(n) + 0.5) * spacing_nm, dtype=np.float64)


def _interior_plateau(profile: FloatArray) -> float:
    return float(np.median(profile[: max(1, len(profile) // 2)]))


def _first_rise(depth: FloatArray, values: FloatArray, level: float) -> float | None:
    """Depth at which `values` first reach `level`, interpolated; 0 if they start there, None if they never do."""
    reached = np.flatnonzero(values >= level)
    if len(reached) == 0:
        return None
    i = int(reached[0])
    if i == 0:
        return 0.0
    share = (level - values[i - 1]) / (values[i] - values[i - 1])
    return float(depth[i - 1] + share * (depth[i] - depth[i - 1]))


# ------------------------------------------------------------------------------------------------ score


@dataclass(frozen=True, slots=True)
class ScoreWeights:
    """Half values and exponents of S; the defaults are conventions (closures), to be overridden or calibrated."""

    grain_size_nm: float = 10.0
    """d_h: grain size at which s_G = ½ (nm)."""
    void_fraction: float = 0.10
    """φ_h: void fraction at which s_V = ½."""
    interface_width_nm: float = 15.0
    """w_h: interface width at which s_W = ½ (nm)."""
    exponents: tuple[float, float, float] = (0.25, 0.35, 0.40)
    """(a_G, a_V, a_W), not negative, summing to 1."""

    def __post_init__(self) -> None:
        halves = {"d_h": self.grain_size_nm, "φ_h": self.void_fraction, "w_h": self.interface_width_nm}
        for name, value in halves.items():
            if not (np.isfinite(value) and value > 0):
                raise InputError(f"the half value {name} of the score must be positive, not {value}")
        if min(self.exponents) < 0 or abs(sum(self.exponents) - 1.0) > 1e-9:
            raise InputError(f"the exponents of the score must not be negative and sum to 1, not {self.exponents}")


DEFAULT_WEIGHTS: Final = ScoreWeights()


def stability_score(
    grain_size_nm: float,
    void_fraction: float,
    interface_width_nm: float,
    weights: ScoreWeights = DEFAULT_WEIGHTS,
) -> float:
    """S of the module's equation, 0 to 100, higher is more stable.

    Raises
    ------
    InputError
        If a descriptor is negative or not a number, or the void fraction exceeds 1.
    """
    parts = score_factors(grain_size_nm, void_fraction, interface_width_nm, weights)
    return float(100.0 * np.prod(np.array(parts) ** np.array(weights.exponents)))


def score_factors(
    grain_size_nm: float,
    void_fraction: float,
    interface_width_nm: float,
    weights: ScoreWeights = DEFAULT_WEIGHTS,
) -> tuple[float, float, float]:
    """s_G, s_V and s_W of the module's equation, each 0 to 1.

    Raises
    ------
    InputError
        If a descriptor is negative or not a number, or the void fraction exceeds 1.
    """
    given = {
        "grain size": grain_size_nm,
        "void fraction": void_fraction,
        "interface width": interface_width_nm,
    }
    for name, value in given.items():
        if not value >= 0:
            raise InputError(f"the {name} must be a number that is not negative, not {value}")
    if void_fraction > 1:
        raise InputError(f"the void fraction is a share of the area, at most 1, not {void_fraction}")
    return (
        1.0 / (1.0 + weights.grain_size_nm / grain_size_nm) if grain_size_nm > 0 else 0.0,
        1.0 / (1.0 + (void_fraction / weights.void_fraction) ** 1.5),
        1.0 / (1.0 + (interface_width_nm / weights.interface_width_nm) ** 2),
    )
