"""Simulated fields of one run: the microstructure it started from, and what is left of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from dynaphase.report.style import new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["PHASE_COLOURS", "VOID_COLOUR", "fields_figure", "microstructure_image", "phase_colour"]

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.integer[Any]]

PHASE_COLOURS: Final = ("#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442")
VOID_COLOUR: Final = "#111418"
_GREYS: Final = (0.66, 0.88)


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
def fields_figure(image: FloatArray, intact: FloatArray, length_nm: float) -> Figure:
    """The microstructure beside the intact fraction C at the end; anode at the top, cathode at the bottom."""
    figure = new_figure(4.8, 2.3)
    left, right = figure.subplots(1, 2)
    extent = (0.0, length_nm * intact.shape[1] / intact.shape[0], length_nm, 0.0)
    left.imshow(image, extent=extent, interpolation="nearest")
    mesh = right.imshow(intact, extent=extent, cmap="viridis", vmin=0, vmax=1, interpolation="nearest")
    for axes, title in ((left, "microstructure"), (right, "intact fraction C, end")):
        axes.set_title(title, fontsize=8.5, fontweight="normal", loc="center")
        axes.set(xticks=[], yticks=[])
        axes.spines[:].set_visible(False)
        axes.grid(visible=False)
    left.set_ylabel("cathode  ←  anode", fontsize=8)
    _scale_bar(left, length_nm)
    bar = figure.colorbar(mesh, ax=right, shrink=0.8, aspect=22, ticks=[0, 0.5, 1])
    bar.outline.set_visible(False)
    bar.ax.tick_params(labelsize=7.5)
    return figure


def _scale_bar(axes: Any, length_nm: float) -> None:
    bar = next((n for n in (500, 200, 100, 50, 20, 10, 5, 2, 1) if n <= 0.3 * length_nm), length_nm / 5)
    start, height = 0.05 * length_nm, 0.93 * length_nm
    axes.plot([start, start + bar], [height, height], color="white", linewidth=4.5, solid_capstyle="butt")
    axes.plot([start, start + bar], [height, height], color="black", linewidth=2.5, solid_capstyle="butt")
    axes.text(
        start + bar / 2, height - 0.03 * length_nm, f"{bar:g} nm", ha="center", va="bottom", fontsize=7,
        bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.8},
    )  # fmt: skip
