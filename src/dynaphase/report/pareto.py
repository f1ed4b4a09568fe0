"""The trade-off: every simulated composition, the predicted front, what is recommended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dynaphase.report.marks import are_crowded, number_sites
from dynaphase.report.style import COLOURS, RED, ROLE_MARKERS, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["TradeOff", "pareto_figure"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TradeOff:
    """S and σ (S/cm) in the two columns of every array."""

    simulated: Mapping[str, FloatArray]
    """By role."""
    front: FloatArray | None = None
    """Predicted Pareto front in order of S."""
    reachable: FloatArray | None = None
    """Predictions all over the region."""
    recommended: FloatArray | None = None
    intervals: FloatArray | None = None
    """Bounds of the recommended compositions: [composition, S or σ, low or high]."""


@styled()
def pareto_figure(trade_off: TradeOff, *, title: str, is_zoomed: bool = False) -> Figure:
    """S against σ, both better further out; zoomed to the front, what is recommended and the reference."""
    figure = new_figure(5.4, 4.6)
    axes: Any = figure.add_subplot()
    axes.set_yscale("log")
    if trade_off.reachable is not None:
        axes.scatter(
            *trade_off.reachable.T, s=5, color="#cfd4da", linewidth=0, rasterized=True, zorder=1, label="predicted, all"
        )
    if trade_off.front is not None:
        axes.plot(*trade_off.front.T, ".-", color=COLOURS["S"], linewidth=2, zorder=2, label="predicted Pareto front")
    for role, marker in ROLE_MARKERS.items():
        rows = trade_off.simulated.get(role)
        if rows is not None and len(rows):
            axes.scatter(
                *rows.T, marker=marker.shape, s=1.3 * marker.size, facecolor=marker.face, edgecolor=marker.edge,
                linewidth=0.7, zorder=4, label=marker.label,
            )  # fmt: skip
    if is_zoomed:
        _zoom(axes, trade_off)
    _recommend(axes, trade_off)
    axes.set(xlabel="stability score S", ylabel="σ of the ceramic (S/cm)", title=title)
    _plain_ticks(axes)
    if not is_zoomed:
        axes.legend(loc="best")
    return figure


def _recommend(axes: Any, trade_off: TradeOff) -> None:
    if trade_off.recommended is None:
        return
    if trade_off.intervals is not None:
        errors = np.abs(trade_off.intervals - trade_off.recommended[:, :, None]).transpose(1, 2, 0)
        axes.errorbar(
            *trade_off.recommended.T, xerr=errors[0], yerr=errors[1], fmt="none", ecolor=RED, elinewidth=0.8, zorder=5
        )
    # On a logarithmic axis distances are those of the logarithm.
    spans = (np.ptp(axes.get_xlim()), np.ptp(np.log10(axes.get_ylim())))
    places = np.column_stack([trade_off.recommended[:, 0], np.log10(trade_off.recommended[:, 1])])
    number_sites(axes, trade_off.recommended, are_crowded(places, spans))
    axes.scatter([], [], marker="D", s=26, color=RED, label="recommended, 90 % interval")


def _zoom(axes: Any, trade_off: TradeOff) -> None:
    shown = [trade_off.front, trade_off.recommended, trade_off.simulated.get("reference")]
    shown += [trade_off.intervals.transpose(0, 2, 1).reshape(-1, 2)] if trade_off.intervals is not None else []
    rows = np.concatenate([part for part in shown if part is not None and len(part)])
    low, high = rows.min(axis=0), rows.max(axis=0)
    room = 0.08 * max(high[0] - low[0], 0.5)
    factor = max(high[1] / low[1], 1.1) ** 0.08
    axes.set(xlim=(low[0] - room, high[0] + room), ylim=(low[1] / factor, high[1] * factor))


def _plain_ticks(axes: Any) -> None:
    """Within less than two decades a logarithmic axis needs labels between the powers of ten."""
    from matplotlib.ticker import LogFormatterSciNotation, LogLocator

    low, high = axes.get_ylim()
    if high / low < 50:
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
        axes.yaxis.set_major_formatter(LogFormatterSciNotation(minor_thresholds=(10, 10)))
        axes.yaxis.set_minor_locator(LogLocator(subs=()))
