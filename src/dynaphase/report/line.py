"""A property along the stoichiometric line, with its band, what was simulated, and what was measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dynaphase.report.style import COLOURS, ROLE_MARKERS, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Band", "line_figure"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Band:
    """A predicted curve with its interval, all of shape (n,)."""

    x: FloatArray
    centre: FloatArray
    low: FloatArray
    high: FloatArray


@styled()
def line_figure(
    band: Band, simulated: Mapping[str, FloatArray], measured: FloatArray | None = None, *, label: str, title: str,
    colour: str, is_logarithmic: bool,
) -> Figure:  # fmt: skip
    """Curve with its 90 % band against the substitution x.

    Parameters
    ----------
    band : Band
    simulated : mapping of role to ndarray, shape (n, 2)
        x and value of the simulated compositions.
    measured : ndarray, shape (n, 2), optional
        x and published value.
    label, title, colour : str
    is_logarithmic : bool
    """
    figure = new_figure(5.2, 3.7)
    axes: Any = figure.add_subplot()
    if is_logarithmic:
        axes.set_yscale("log")
    axes.fill_between(band.x, band.low, band.high, color=colour, alpha=0.2, linewidth=0, label="90 % interval")
    axes.plot(band.x, band.centre, color=colour, linewidth=2, label="predicted")
    for role, marker in ROLE_MARKERS.items():
        rows = simulated.get(role)
        if rows is not None and len(rows):
            axes.scatter(
                *rows.T, marker=marker.shape, s=1.2 * marker.size, facecolor=marker.face, edgecolor=marker.edge,
                linewidth=0.7, zorder=4, label=f"simulated: {marker.label}",
            )  # fmt: skip
    if measured is not None and len(measured):
        axes.plot(
            *measured.T, "X", color=COLOURS["measured"], markeredgecolor="white", markersize=7, zorder=5,
            label="measured (literature)",
        )  # fmt: skip
    axes.set(xlabel="substitution x on the line δ = 0", ylabel=label, title=title)
    axes.legend(loc="best")
    return figure
