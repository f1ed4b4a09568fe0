"""One look for all figures, and how a figure gets into the page.

Figures are drawn on white in both colour schemes of the page.  Colours are those of Okabe and Ito, distinguishable
with every common colour vision; maps are perceptually uniform.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "COLOURS",
    "RED",
    "ROLE_MARKERS",
    "UNCERTAINTY_MAP",
    "VALUE_MAP",
    "Marker",
    "as_png",
    "as_svg",
    "new_figure",
    "styled",
]

DPI: Final = 130
"""Of pixel images and of the meshes inside vector figures."""

VALUE_MAP: Final = "viridis"
UNCERTAINTY_MAP: Final = "magma_r"

RED: Final = "#b3002d"
"""What is recommended."""

COLOURS: Final = {
    "S": "#0072B2",
    "sigma": "#D55E00",
    "ceramic": "#009E73",
    "current": "#9A6A00",
    "measured": "#000000",
    "reference": "#CC79A7",
    "muted": "#8a8f98",
    "ink": "#1b1f24",
}

_RC: Final = {
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.5,
    "axes.edgecolor": "#555b63",
    "axes.labelcolor": COLOURS["ink"],
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e3e6ea",
    "grid.linewidth": 0.6,
    "xtick.color": "#3b4149",
    "ytick.color": "#3b4149",
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.fontsize": 8.5,
    "legend.frameon": True,
    "legend.framealpha": 0.85,
    "legend.edgecolor": "none",
    "legend.fancybox": False,
    "text.color": COLOURS["ink"],
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "svg.fonttype": "path",
    # A fixed salt: the same data give the same file.
    "svg.hashsalt": "dynaphase",
    "axes.unicode_minus": True,
}


@dataclass(frozen=True, slots=True)
class Marker:
    """How compositions of one role are drawn."""

    label: str
    shape: str
    size: float
    face: str
    edge: str


ROLE_MARKERS: Final[Mapping[str, Marker]] = {
    "initial": Marker("first design", "o", 18, "white", "#1b1f24"),
    "active": Marker("chosen by active learning", "^", 30, "#E69F00", "#1b1f24"),
    "held-out": Marker("held out for judging", "s", 13, "none", "#1b1f24"),
    "confirmation": Marker("recommended earlier, to confirm", "D", 30, "#56B4E9", "#1b1f24"),
    "reference": Marker("reference", "*", 130, "#CC79A7", "#1b1f24"),
}
"""By role, in drawing order."""


@contextmanager
def styled() -> Iterator[None]:
    """The look of every figure, without touching matplotlib's state outside the block."""
    import matplotlib as mpl

    with mpl.rc_context():
        mpl.rcdefaults()
        mpl.rcParams.update(cast(Any, _RC))
        yield


def new_figure(width: float = 5.2, height: float = 4.0) -> Figure:
    """An empty figure with a canvas of its own (inches); no pyplot, no display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    FigureCanvasAgg(figure)
    return figure


def as_svg(figure: Figure) -> str:
    """Figure as the address of an embedded SVG image; dense meshes inside it are pixels."""
    return _embedded(figure, "svg", "image/svg+xml", {"Date": None, "Creator": None})


def as_png(figure: Figure) -> str:
    """Figure as the address of an embedded PNG image."""
    return _embedded(figure, "png", "image/png", {"Software": None})


def _embedded(figure: Figure, kind: str, media_type: str, metadata: dict[str, Any]) -> str:
    buffer = io.BytesIO()
    with styled():
        figure.savefig(buffer, format=kind, dpi=DPI, metadata=metadata)
    return f"data:{media_type};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"
