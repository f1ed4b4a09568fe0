"""Held-out accuracy against the number of simulations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from dynaphase.report.style import new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Curve", "learning_curve_figure"]


@dataclass(frozen=True, slots=True)
class Curve:
    """One target's figure of merit after every round; `low` and `high` bound it where there is an interval."""

    label: str
    values: npt.NDArray[np.float64]
    colour: str
    low: npt.NDArray[np.float64] | None = None
    high: npt.NDArray[np.float64] | None = None


@styled()
def learning_curve_figure(
    n_simulations: Sequence[int],
    curves: Sequence[Curve],
    wanted: float,
    *,
    label: str,
    title: str,
    is_error: bool,
) -> Figure:
    """Curves with the wanted value as a dashed line; an error starts at zero, a correlation ends at one."""
    figure = new_figure(5.2, 3.4)
    axes: Any = figure.add_subplot()
    for curve in curves:
        if curve.low is not None and curve.high is not None:
            axes.fill_between(n_simulations, curve.low, curve.high, color=curve.colour, alpha=0.15, linewidth=0)
            axes.vlines(n_simulations, curve.low, curve.high, color=curve.colour, alpha=0.4, linewidth=1)
        axes.plot(n_simulations, curve.values, "o-", color=curve.colour, label=curve.label, markersize=4.5)
    axes.axhline(wanted, color="#555b63", linewidth=1, linestyle=(0, (4, 3)), label=f"wanted: {wanted:g}")
    axes.set(xlabel="simulations in all", ylabel=label, title=title)
    axes.xaxis.get_major_locator().set_params(integer=True)
    if is_error:
        axes.set_ylim(bottom=0)
    else:
        axes.set_ylim(top=1.0 + 0.02 * (1.0 - axes.get_ylim()[0]))
    axes.legend(loc="best")
    return figure
