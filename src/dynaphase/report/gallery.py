"""Simulated fields of one run: the microstructure, and what has become of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from dynaphase.report.style import new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["PHASE_COLOURS", "VOID_COLOUR", "Panel", "fields_figure", "microstructure_image", "phase_colour"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.integer[Any]]

PHASE_COLOURS: Final = ("#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
VOID_COLOUR: Final = "#111418"
_GREYS: Final = (0.66, 0.88)


@dataclass(frozen=True, slots=True)
class Panel:
    """One field beside the microstructure."""

    values: FloatArray
    """Shape (n, m)."""
    title: str
    colour_map: str = "viridis"
    largest: float | None = 1.0
    """Upper end of the colours; None: the largest value."""


def phase_colour(number: int) -> str:
    """Colour of second phase `number` (1, 2, …)."""
    return PHASE_COLOURS[(number - 1) % len(PHASE_COLOURS)]


def microstructure_image(grains: IntArray, boundary: FloatArray, density: FloatArray, phases: IntArray) -> FloatArray:
    """RGB of a microstructure, shape (n, m, 3): grey grains, darker boundaries, coloured second phases, dark voids.

    All arguments of shape (n, m): grain and phase of every cell, boundary indicator g and relative density ρ.
    """
    from matplotlib.colors import to_rgb

    # Grey levels from the golden ratio: neighbours in number are far apart in grey.
    level = _GREYS[0] + (_GREYS[1] - _GREYS[0]) * np.mod(grains * 0.6180339887, 1.0)
    image = np.repeat(level[..., None], 3, axis=2)
    image = image * (1 - 0.55 * np.clip(boundary, 0, 1))[..., None]
    for number in np.unique(phases[phases > 0]):
        image[phases == number] = to_rgb(phase_colour(int(number)))
    void = np.clip(1 - density, 0, 1)[..., None]
    return np.asarray(image * (1 - void) + np.array(to_rgb(VOID_COLOUR)) * void)


@styled()
def fields_figure(image: FloatArray, panels: Sequence[Panel], length_nm: float) -> Figure:
    """The microstructure, then the panels in rows of two; anode at the top, cathode at the bottom."""
    n_rows = (len(panels) + 2) // 2
    figure = new_figure(4.8, 2.3 * n_rows)
    first, *others = figure.subplots(n_rows, 2).ravel()
    extent = (0.0, length_nm * image.shape[1] / image.shape[0], length_nm, 0.0)
    first.imshow(image, extent=extent, interpolation="nearest")
    _dress(first, "microstructure")
    first.set_ylabel("cathode  ←  anode", fontsize=8)
    _scale_bar(first, length_nm)
    for axes, panel in zip(others, panels, strict=False):
        largest = panel.largest or max(float(panel.values.max()), 1e-12)
        mesh = axes.imshow(
            panel.values, extent=extent, cmap=panel.colour_map, vmin=0, vmax=largest, interpolation="nearest"
        )
        _dress(axes, panel.title)
        bar = figure.colorbar(mesh, ax=axes, shrink=0.8, aspect=22, ticks=[0, 0.5, 1] if panel.largest == 1 else None)
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=7.5)
    for axes in others[len(panels) :]:
        axes.set_visible(False)
    return figure


def _dress(axes: Any, title: str) -> None:
    axes.set_title(title, fontsize=8.5, fontweight="normal", loc="center")
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    axes.grid(visible=False)


def _scale_bar(axes: Any, length_nm: float) -> None:
    bar = next((n for n in (500, 200, 100, 50, 20, 10, 5, 2, 1) if n <= 0.3 * length_nm), length_nm / 5)
    start, height = 0.05 * length_nm, 0.93 * length_nm
    axes.plot([start, start + bar], [height, height], color="white", linewidth=4.5, solid_capstyle="butt")
    axes.plot([start, start + bar], [height, height], color="black", linewidth=2.5, solid_capstyle="butt")
    axes.text(
        start + bar / 2, height - 0.03 * length_nm, f"{bar:g} nm", ha="center", va="bottom", fontsize=7,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8},
    )  # fmt: skip
