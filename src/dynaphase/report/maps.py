"""Maps of a predicted quantity: in the ternary diagram, and over the host coordinates x and δ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from dynaphase.report.marks import are_crowded, number_sites
from dynaphase.report.style import COLOURS, ROLE_MARKERS, UNCERTAINTY_MAP, VALUE_MAP, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Quantity", "Sites", "coordinate_map", "ternary_map"]

FloatArray = npt.NDArray[np.float64]

PERCENT: Final = 100.0
N_LEVELS: Final = 7
AXES: Final = (0.12, 0.13, 0.63, 0.63 * 5.4 / 4.1 * 3**0.5 / 2)
"""Place of a ternary diagram in its figure; its box is as high as an equilateral triangle of its width."""

N_BANDS: Final = 48
MARGIN: Final = 1.5
"""Space around a zoomed region, atomic percent."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """What a map shows: one value a composition."""

    values: FloatArray
    title: str
    label: str
    """Name and unit at the colour bar."""
    is_uncertainty: bool = False

    @property
    def colour_map(self) -> str:
        """Perceptually uniform; uncertainties have one of their own, dark where little is known."""
        return UNCERTAINTY_MAP if self.is_uncertainty else VALUE_MAP


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
    from matplotlib.ticker import MultipleLocator

    limits = _limits(shares)
    figure = new_figure(5.4, 4.1)
    figure.set_layout_engine("none")  # what is written around a triangle is slow to measure, and always the same
    axes: Any = figure.add_axes(AXES, projection="ternary", ternary_sum=PERCENT)
    axes.set_ternary_lim(*limits.ravel(), fit="rectangle")
    columns = PERCENT * shares.T
    if _is_surface(shares):
        mesh: Any = _surface(axes.tricontourf, axes.tricontour, columns, quantity)
    else:
        mesh = axes.scatter(*columns, c=quantity.values, cmap=quantity.colour_map, s=70, rasterized=True)
    _mark(axes, sites, PERCENT)
    for axis, element in zip((axes.taxis, axes.laxis, axes.raxis), elements, strict=True):
        axis.set_label_text(f"{element} (at.%)")
        axis.set_label_position("tick1")
        axis.set_major_locator(MultipleLocator(20 if np.ptp(limits) >= PERCENT else 10))
    axes.grid(visible=True, color="#9aa1aa", linewidth=0.4, alpha=0.5)
    _colour_bar(figure, mesh, quantity.label, cax=figure.add_axes((0.83, 0.14, 0.025, 0.7)))
    figure.text(0.02, 0.975, quantity.title, va="top", fontsize=10.5, fontweight="bold")
    return figure


@styled()
def coordinate_map(x: FloatArray, delta: FloatArray, quantity: Quantity, sites: Sites) -> Figure:
    """The same over substitution x (n,) and lithium excess δ (m,); values in order of x, δ fastest; sites (x, δ)."""
    figure = new_figure(5.4, 3.7)
    axes: Any = figure.add_subplot()
    z = quantity.values.reshape(len(x), len(delta)).T
    mesh = _surface(axes.contourf, axes.contour, np.meshgrid(x, delta), replace(quantity, values=z))
    _mark(axes, sites)
    axes.set(xlabel="substitution x", ylabel="excess δ of the mobile ion (per formula unit)", title=quantity.title)
    room = 0.015
    axes.set(xlim=_widened(x, room), ylim=_widened(delta, room))
    axes.grid(visible=False)
    _colour_bar(figure, mesh, quantity.label, ax=axes, shrink=0.85, pad=0.02, aspect=24)
    return figure


def _limits(shares: FloatArray) -> FloatArray:
    """Smallest and largest per cent of each element, shape (3, 2); the whole triangle if most of it is covered."""
    low, high = PERCENT * shares.min(axis=0), PERCENT * shares.max(axis=0)
    if np.all(high - low > 0.9 * PERCENT):
        return np.column_stack([np.zeros(3), np.full(3, PERCENT)])
    limits = np.column_stack([(low - MARGIN).clip(0), (high + MARGIN).clip(None, PERCENT)])
    # The diagram is scaled by its height, that of the first element: a wide region needs more of it to fit.
    across = PERCENT * (shares[:, 2] - shares[:, 1])
    missing = max((float(np.ptp(across)) + 4 * MARGIN) / 2 - float(np.ptp(limits[0])), 0.0)
    limits[0] += (-missing / 2, missing / 2)
    return limits


def _is_surface(shares: FloatArray) -> bool:
    centred = shares - shares.mean(axis=0)
    return bool(np.linalg.svd(centred, compute_uv=False)[1] > 1e-6)


def _widened(values: FloatArray, share: float) -> tuple[float, float]:
    room = share * float(np.ptp(values))
    return float(values.min()) - room, float(values.max()) + room


def _surface(fill: Any, outline: Any, columns: Sequence[FloatArray] | FloatArray, quantity: Quantity) -> Any:
    """Filled bands and a few contours.  The lowest tenth shares one colour, or a deep hole would bleach the rest."""
    from matplotlib.ticker import MaxNLocator

    values = quantity.values
    low, high = float(np.quantile(values, 0.1)), float(values.max())
    if quantity.is_uncertainty or low - values.min() < 0.15 * np.ptp(values):
        low = float(values.min())
    if not high > low:
        low, high = low - 0.5, low + 0.5
    extend = "min" if low > values.min() else "neither"
    levels = np.linspace(low, high + 1e-9 * (high - low), N_BANDS)
    mesh: Any = fill(*columns, values, levels=levels, cmap=quantity.colour_map, extend=extend)
    mesh.set_rasterized(True)
    if not quantity.is_uncertainty:
        lines = MaxNLocator(N_LEVELS).tick_values(low, high)
        outline(*columns, values, levels=lines, colors="white", linewidths=0.7, alpha=0.8, linestyles="solid")
    return mesh


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
                clip_on=False,
            )
    if sites.recommended is not None:
        places = scale * sites.recommended
        number_sites(axes, places, are_crowded(places, _spans(axes)))


def _spans(axes: Any) -> list[float]:
    if hasattr(axes, "get_tlim"):
        # Along any one coordinate; an equilateral diagram has one scale.
        return [float(max(np.ptp(lim) for lim in (axes.get_tlim(), axes.get_llim(), axes.get_rlim())))] * 3
    return [float(np.ptp(axes.get_xlim())), float(np.ptp(axes.get_ylim()))]


def _colour_bar(figure: Figure, mesh: Any, label: str, **place: Any) -> None:
    from matplotlib.ticker import MaxNLocator

    low, high = mesh.get_clim()
    ticks = [tick for tick in MaxNLocator(6).tick_values(low, high) if low <= tick <= high]
    bar: Any = figure.colorbar(mesh, ticks=ticks, **place)
    bar.set_label(label)
    bar.outline.set_visible(False)
    bar.solids.set_rasterized(True)
