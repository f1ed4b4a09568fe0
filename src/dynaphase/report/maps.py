"""Maps of a predicted quantity: in the ternary diagram, and over the host coordinates x and δ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from dynaphase.report.style import COLOURS, ROLE_MARKERS, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Quantity", "Sites", "coordinate_map", "ternary_map"]

FloatArray = npt.NDArray[np.float64]

PERCENT: Final = 100.0
N_LEVELS: Final = 7
MARGIN: Final = 1.5
"""Space around a zoomed region, atomic percent."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a map shows: one value a composition."""

    values: FloatArray
    title: str
    label: str
    """Name and unit at the colour bar."""
    colour_map: str


@dataclass(frozen=True, slots=True)
class Sites:
    """What is marked on a map; rows are compositions in the coordinates of the map."""

    simulated: Mapping[str, FloatArray] = field(default_factory=dict)
    """By role."""
    recommended: FloatArray | None = None
    """Numbered in the order given."""
    line: FloatArray | None = None
    """The stoichiometric line."""


@styled()
def ternary_map(shares: FloatArray, quantity: Quantity, elements: Sequence[str], sites: Sites) -> Figure:
    """Ternary diagram, zoomed to the compositions given.

    Parameters
    ----------
    shares : ndarray, shape (n, 3)
        Atomic fractions; where they lie on a line, points are drawn instead of a surface.
    quantity : Quantity
    elements : three symbols
        The first at the top, then counter-clockwise.
    sites : Sites
        With rows of three atomic fractions.
    """
    import mpltern  # noqa: F401 - registers the projection

    figure = new_figure(5.2, 4.6)
    axes: Any = figure.add_subplot(projection="ternary", ternary_sum=PERCENT)
    limits = _limits(shares)
    axes.set_ternary_lim(*limits.ravel(), fit="rectangle")
    columns = PERCENT * shares.T
    if _is_surface(shares):
        mesh = axes.tripcolor(*columns, quantity.values, cmap=quantity.colour_map, shading="gouraud", rasterized=True)
        _contours(axes, axes.tricontour, columns, quantity.values)
    else:
        mesh = axes.scatter(*columns, c=quantity.values, cmap=quantity.colour_map, s=60, rasterized=True)
    _mark(axes, sites, PERCENT)
    for axis, element in zip((axes.taxis, axes.laxis, axes.raxis), elements, strict=True):
        axis.set_label_text(f"{element} (at.%)")
        axis.set_label_position("tick1")
    axes.grid(visible=True, color="#9aa1aa", linewidth=0.4, alpha=0.5)
    _colour_bar(figure, axes, mesh, quantity.label)
    axes.set_title(quantity.title, pad=22)
    return figure


@styled()
def coordinate_map(x: FloatArray, delta: FloatArray, quantity: Quantity, sites: Sites) -> Figure:
    """The same over substitution x (n,) and lithium excess δ (m,); values in order of x, δ fastest; sites (x, δ)."""
    figure = new_figure(5.2, 3.7)
    axes = figure.add_subplot()
    z = quantity.values.reshape(len(x), len(delta)).T
    mesh = axes.pcolormesh(x, delta, z, cmap=quantity.colour_map, shading="gouraud", rasterized=True)
    grids = np.meshgrid(x, delta)
    _contours(axes, axes.contour, grids, z)
    _mark(axes, sites)
    axes.set(xlabel="substitution x", ylabel="lithium excess δ (Li per formula unit)", title=quantity.title)
    axes.set(xlim=(x.min(), x.max()), ylim=(delta.min(), delta.max()))
    axes.grid(visible=False)
    _colour_bar(figure, axes, mesh, quantity.label)
    return figure


def _limits(shares: FloatArray) -> FloatArray:
    """Smallest and largest per cent of each element, shape (3, 2); the whole triangle if most of it is covered."""
    low, high = PERCENT * shares.min(axis=0), PERCENT * shares.max(axis=0)
    if np.all(high - low > 0.9 * PERCENT):
        low, high = np.zeros(3), np.full(3, PERCENT)
    return np.column_stack([(low - MARGIN).clip(0), (high + MARGIN).clip(None, PERCENT)])


def _is_surface(shares: FloatArray) -> bool:
    centred = shares - shares.mean(axis=0)
    return bool(np.linalg.svd(centred, compute_uv=False)[1] > 1e-6)


def _contours(axes: Any, draw: Any, columns: Sequence[FloatArray] | FloatArray, values: FloatArray) -> None:
    from matplotlib.ticker import MaxNLocator

    if np.ptp(values) <= 0:
        return
    levels = MaxNLocator(N_LEVELS).tick_values(float(values.min()), float(values.max()))
    lines = draw(*columns, values, levels=levels, colors="white", linewidths=0.7, alpha=0.85)
    axes.clabel(lines, fontsize=7, fmt=lambda level: f"{level:g}".replace("-", "−"), inline_spacing=3)


def _mark(axes: Any, sites: Sites, scale: float = 1.0) -> None:
    if sites.line is not None:
        axes.plot(*(scale * sites.line.T), color=COLOURS["ink"], linewidth=0.9, linestyle=(0, (4, 3)))
    for role, marker in ROLE_MARKERS.items():
        rows = sites.simulated.get(role)
        if rows is not None and len(rows):
            axes.scatter(
                *(scale * rows.T),
                marker=marker.shape,
                s=marker.size,
                facecolor=marker.face,
                edgecolor=marker.edge,
                linewidth=0.7,
                zorder=4,
            )
    if sites.recommended is not None:
        number_sites(axes, scale * sites.recommended)


def number_sites(axes: Any, rows: FloatArray) -> None:
    """White numbers on dark discs, the first on top."""
    for number, row in reversed(list(enumerate(rows, start=1))):
        axes.scatter(*row, s=105, facecolor="#b3002d", edgecolor="white", linewidth=1.0, zorder=6 + 1 / number)
        axes.text(
            *row, str(number), color="white", fontsize=7.5, fontweight="bold", ha="center", va="center_baseline",
            zorder=6.001 + 1 / number,
        )  # fmt: skip


def _colour_bar(figure: Figure, axes: Any, mesh: Any, label: str) -> None:
    bar = figure.colorbar(mesh, ax=axes, shrink=0.85, pad=0.09 if hasattr(axes, "taxis") else 0.02, aspect=26)
    bar.set_label(label)
    bar.outline.set_visible(False)
