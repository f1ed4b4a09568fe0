"""A film of one run: lithium on its way through the boundaries, the interphase around it, and φ."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from dynaphase.history import History
from dynaphase.records import Record
from dynaphase.report.style import VALUE_MAP, new_figure
from dynaphase.saving.maps import INTERPHASE, LITHIUM, Plane, show
from dynaphase.saving.overview import draw_sweep_curve

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image

__all__ = ["FILMED", "save_film"]

FILMED: Final = ("sweep", "degradation")
"""Stages that are filmed, the first that there is."""

PICTURE_MS: Final = 160
LAST_PICTURE_MS: Final = 2000


@dataclass(frozen=True, slots=True)
class _Scene:
    """A figure of which some things move."""

    figure: Figure
    n_pictures: int
    turn_to: Callable[[int], None]
    moving: Sequence[Any]
    """What `turn_to` changes, from the back to the front."""

    def pictures(self) -> list[Image]:
        """Laid out and drawn once, then only what moves."""
        from PIL import Image

        for artist in self.moving:
            artist.set_animated(True)
        canvas: Any = self.figure.canvas
        self.turn_to(0)
        canvas.draw()
        still = canvas.copy_from_bbox(self.figure.bbox)
        found = []
        for k in range(self.n_pictures):
            self.turn_to(k)
            canvas.restore_region(still)
            for artist in self.moving:
                artist.axes.draw_artist(artist)
            found.append(Image.fromarray(np.asarray(canvas.buffer_rgba())[..., :3].copy()))
        return found


def save_film(file: Path, record: Record, history: History) -> int:
    """Write an animated GIF; returns the number of pictures.

    Raises
    ------
    ValueError
        For a record without fields.
    """
    from PIL.Image import Dither

    if record.fields is None:
        raise ValueError("a record without fields cannot be filmed")
    plane = Plane.deepest(record.fields)
    scene = (_sweep if "sweep" in history else _degradation)(record, history, plane)
    pictures = scene.pictures()
    # One palette, that of the last picture, in which all colours have come up: pictures then differ where things moved.
    palette = pictures[-1].quantize(256, dither=Dither.NONE)
    first, *others = [picture.quantize(palette=palette, dither=Dither.NONE) for picture in pictures]
    durations = [PICTURE_MS] * len(others) + [LAST_PICTURE_MS]
    first.save(file, format="GIF", save_all=True, append_images=others, duration=durations, loop=0, optimize=False)
    return len(pictures)


def _sweep(record: Record, history: History, plane: Plane) -> _Scene:
    stage = history["sweep"]
    figure = new_figure(6.2, 3.2)
    left, right = figure.subplots(1, 2)
    lithium, decomposed = stage.arrays["lithium"], stage.arrays["decomposed"]
    ground = plane.microstructure(has_particles=False)
    shown = show(left, plane, plane.operation(ground, lithium[0], decomposed[0]))
    left.set_title("lithium", color=LITHIUM, loc="left")
    left.set_title("interphase", color=INTERPHASE, loc="right")
    draw_sweep_curve(right, record, history["sweep_curve"])
    right.set_box_aspect(1)
    curve = history["sweep_curve"].numbers
    depths = np.interp(stage.numbers["potential"], curve["potential"], np.maximum.accumulate(curve["depth"]))
    (marker,) = right.plot([0.0], [0.0], "o", color=LITHIUM, markeredgecolor="white", markersize=8, clip_on=False)
    title = right.set_title("φ")

    def turn_to(k: int) -> None:
        potential = float(stage.numbers["potential"][k])
        shown.set_data(_turned(plane.operation(ground, lithium[k], decomposed[k])))
        title.set_text(f"φ = {potential:.1f} mV, {stage.times[k]:.0f} s")
        marker.set_data([potential], [float(depths[k])])

    return _Scene(figure, len(stage.times), turn_to, [shown, *left.spines.values(), marker, title])


def _degradation(record: Record, history: History, plane: Plane) -> _Scene:
    stage = history["degradation"]
    figure = new_figure(3.7, 3.1)
    axes = figure.add_subplot()
    shown = show(axes, plane, plane.of(stage.arrays["C"][0]), cmap=VALUE_MAP, vmin=0, vmax=1)
    bar = figure.colorbar(shown, ax=axes, label="intact fraction C")
    bar.outline.set_visible(False)
    title = axes.set_title("t")

    def turn_to(k: int) -> None:
        shown.set_data(_turned(plane.of(stage.arrays["C"][k])))
        title.set_text(f"after {stage.times[k]:.0f} s")

    return _Scene(figure, len(stage.times), turn_to, [shown, *axes.spines.values(), title])


def _turned(image: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.moveaxis(image, 0, 1)
