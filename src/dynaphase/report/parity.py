"""Predicted against simulated, for compositions the surrogate has not seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dynaphase.report.style import new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["parity_figure"]

FloatArray = npt.NDArray[np.float64]


@styled()
def parity_figure(
    simulated: FloatArray, predicted: FloatArray, low: FloatArray, high: FloatArray, *, label: str, title: str,
    summary: str, colour: str,
) -> Figure:  # fmt: skip
    """Parity plot with 90 % intervals.

    Parameters
    ----------
    simulated, predicted, low, high : ndarray, shape (n,)
        Held-out values, predictions and bounds of their intervals, on the scale on which accuracy is quoted.
    label, title, summary, colour : str
        Name and unit of the quantity, title, figures of merit (a few short lines), colour of the points.
    """
    figure = new_figure(4.4, 4.2)
    axes: Any = figure.add_subplot()
    everything = np.concatenate([simulated, predicted])
    span = float(np.ptp(everything)) or 1.0
    limits = (float(everything.min()) - 0.07 * span, float(everything.max()) + 0.07 * span)
    axes.plot(limits, limits, color="#555b63", linewidth=1, linestyle=(0, (4, 3)), zorder=1)
    below, above = (predicted - low).clip(0), (high - predicted).clip(0)
    axes.errorbar(
        simulated, predicted, yerr=[below, above], fmt="o", color=colour, ecolor=colour, elinewidth=0.9, markersize=4.5,
        markeredgecolor="white", markeredgewidth=0.5, zorder=3, alpha=0.95,
    )  # fmt: skip
    axes.set(xlim=limits, ylim=limits, xlabel=f"simulated {label}", ylabel=f"predicted {label}", title=title)
    axes.set_aspect("equal")
    axes.text(0.04, 0.96, summary, transform=axes.transAxes, va="top", fontsize=8.5, linespacing=1.5)
    return figure
