"""The trade-off: every simulated composition, the predicted front, what is recommended."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dynaphase.report.maps import number_sites
from dynaphase.report.style import COLOURS, ROLE_MARKERS, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["pareto_figure"]

FloatArray = npt.NDArray[np.float64]


@styled()
def pareto_figure(
    simulated: Mapping[str, FloatArray],
    front: FloatArray | None = None,
    reachable: FloatArray | None = None,
    recommended: FloatArray | None = None,
    intervals: FloatArray | None = None,
) -> Figure:
    """S against σ, both better further out.

    Parameters
    ----------
    simulated : mapping of role to ndarray, shape (n, 2)
        S and σ (S/cm) of every simulated composition.
    front, reachable : ndarray, shape (n, 2), optional
        Predicted front in order of S, and predictions all over the region.
    recommended : ndarray, shape (k, 2), optional
    intervals : ndarray, shape (k, 2, 2), optional
        Bounds of S and of σ of the recommended compositions: [k, quantity, low or high].
    """
    figure = new_figure(7.4, 4.6)
    axes: Any = figure.add_subplot()
    axes.set_yscale("log")
    if reachable is not None:
        axes.scatter(*reachable.T, s=5, color="#d5d9de", linewidth=0, rasterized=True, zorder=1, label="predicted, all")
    if front is not None:
        axes.plot(*front.T, color=COLOURS["S"], linewidth=2, zorder=2, label="predicted Pareto front", marker=".")
    for role, marker in ROLE_MARKERS.items():
        rows = simulated.get(role)
        if rows is not None and len(rows):
            axes.scatter(
                *rows.T, marker=marker.shape, s=1.3 * marker.size, facecolor=marker.face, edgecolor=marker.edge,
                linewidth=0.7, zorder=4, label=f"simulated: {marker.label}",
            )  # fmt: skip
    if recommended is not None and len(recommended):
        if intervals is not None:
            errors = np.abs(intervals - recommended[:, :, None]).transpose(1, 2, 0)
            axes.errorbar(
                *recommended.T,
                xerr=errors[0],
                yerr=errors[1],
                fmt="none",
                ecolor="#b3002d",
                elinewidth=1,
                zorder=5,
            )
        number_sites(axes, recommended)
        axes.scatter([], [], s=70, color="#b3002d", label="recommended, 90 % interval")
    axes.set(xlabel="stability score S", ylabel="σ of the simulated box (S/cm)")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure
